/* SPDX-License-Identifier: BSD-3-Clause
 * telemetry.c - /vnic/... on DPDK's telemetry socket
 *
 * The commands run in the telemetry library's own threads. It passes them no context, so
 * this file keeps the one pointer to the daemon.
 */
#include "vnicd.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <rte_cycles.h>
#include <rte_telemetry.h>

#include "command.h"
#include "flow.h"
#include "ids.h"

#define FOLDER "/vnic/"
#define PARAM_MAX 256
#define WHY_MAX 256
#define HELP_MAX 128 /* the telemetry library's */

static struct vnicd *_Atomic daemon_now;
/* held by a command while it uses the daemon, so that the daemon does not end under it */
static pthread_rwlock_t in_use = PTHREAD_RWLOCK_INITIALIZER;
static _Atomic bool ending; /* who waits gives up */

static struct vnic_adapter *find(const struct vnicd *d, const char *name)
{
	for (uint32_t i = 0; name != NULL && i < d->conf.nb_adapters; i++)
		if (strcmp(d->conf.adapter[i].name, name) == 0)
			return d->adapter[i].adapter;
	return NULL;
}

static int say_error(struct rte_tel_data *data, const char *text)
{
	rte_tel_data_start_dict(data);
	rte_tel_data_add_dict_string(data, "error", text);
	return 0;
}

static int list(struct vnicd *d, char *params, struct rte_tel_data *data)
{
	(void)params;
	rte_tel_data_start_array(data, RTE_TEL_STRING_VAL);
	for (uint32_t i = 0; i < d->conf.nb_adapters; i++)
		rte_tel_data_add_array_string(data, d->conf.adapter[i].name);
	return 0;
}

static void add_count(struct rte_tel_data *data, const char *name, const struct vnic_count *c)
{
	char key[RTE_TEL_MAX_STRING_LEN];

	snprintf(key, sizeof(key), "%s_nbls", name);
	rte_tel_data_add_dict_u64(data, key, c->nbls);
	snprintf(key, sizeof(key), "%s_packets", name);
	rte_tel_data_add_dict_u64(data, key, c->packets);
}

static int stats(struct vnicd *d, char *params, struct rte_tel_data *data)
{
	const struct vnic_adapter *a = find(d, params);
	struct vnic_adapter_receive_stats rx;
	struct vnic_adapter_stats s;

	if (a == NULL)
		return say_error(data, "no such adapter; /vnic/list names them, then /vnic/stats,ADAPTER");
	vnic_adapter_stats_get(a, &s);
	rte_tel_data_start_dict(data);
	add_count(data, "accepted", &s.accepted);
	add_count(data, "sent", &s.sent);
	add_count(data, "aborted", &s.aborted);
	add_count(data, "rejected", &s.rejected);
	add_count(data, "invalid_length", &s.invalid_length);
	add_count(data, "invalid_parameter", &s.invalid_parameter);
	add_count(data, "resources", &s.resources);
	add_count(data, "paused", &s.paused);
	add_count(data, "reset", &s.reset);
	add_count(data, "low_power", &s.low_power);
	add_count(data, "media_disconnected", &s.media_disconnected);
	add_count(data, "closing", &s.closing);
	add_count(data, "failure", &s.failure);
	add_count(data, "queued", &s.queued);
	rte_tel_data_add_dict_u64(data, "not_taken", s.not_taken);
	rte_tel_data_add_dict_u64(data, "port_refused", s.port_refused);
	rte_tel_data_add_dict_u64(data, "padded", s.padded);
	rte_tel_data_add_dict_u64(data, "copied", s.copied);
	rte_tel_data_add_dict_u64(data, "offloaded", s.offloaded);
	rte_tel_data_add_dict_u64(data, "segmented", s.segmented);
	rte_tel_data_add_dict_u64(data, "segments", s.segments);
	rte_tel_data_add_dict_u64(data, "cancels", s.cancels);
	rte_tel_data_add_dict_u64(data, "cancels_unknown", s.cancels_unknown);
	rte_tel_data_add_dict_u64(data, "too_late", s.too_late);
	rte_tel_data_add_dict_u64(data, "hung", s.hung);
	vnic_adapter_receive_stats_get(a, &rx);
	rte_tel_data_add_dict_u64(data, "rx_received", rx.received);
	rte_tel_data_add_dict_u64(data, "rx_local", rx.local);
	rte_tel_data_add_dict_u64(data, "rx_copies", rx.copies);
	rte_tel_data_add_dict_u64(data, "rx_offered", rx.offered);
	rte_tel_data_add_dict_u64(data, "rx_unknown", rx.unknown);
	rte_tel_data_add_dict_u64(data, "rx_malformed", rx.malformed);
	rte_tel_data_add_dict_u64(data, "rx_paused", rx.paused);
	rte_tel_data_add_dict_u64(data, "rx_learn_full", rx.learn_full);
	return 0;
}

static int receive(struct vnicd *d, char *params, struct rte_tel_data *data)
{
	const struct vnicd_face *face = flow_face(d, params);
	struct vnic_receiver_stats s;
	struct vnic_face_stats f;

	if (face == NULL || vnic_face_receiver(face->face) == NULL)
		return say_error(data, "no face of that name that receives; /vnic/receive,FACE");
	vnic_receiver_stats_get(vnic_face_receiver(face->face), &s);
	vnic_face_stats_get(face->face, &f);
	rte_tel_data_start_dict(data);
	rte_tel_data_add_dict_u64(data, "offered", s.offered);
	rte_tel_data_add_dict_u64(data, "queue_full", s.dropped);
	rte_tel_data_add_dict_u64(data, "no_memory", s.no_memory);
	rte_tel_data_add_dict_u64(data, "flushed", s.flushed);
	rte_tel_data_add_dict_u64(data, "queued", s.queued);
	rte_tel_data_add_dict_u64(data, "indicated", f.rx_indicated);
	rte_tel_data_add_dict_u64(data, "delivered", f.rx_delivered);
	rte_tel_data_add_dict_u64(data, "dropped", f.rx_dropped);
	rte_tel_data_add_dict_u64(data, "held", f.rx_held);
	return 0;
}

static int share(struct vnicd *d, char *params, struct rte_tel_data *data)
{
	const struct vnicd_face *found = flow_face(d, params);
	const struct vnic_face *face;
	struct vnic_client_limits limits;
	struct vnic_client_stats st;
	struct vnic_face_stats f;

	if (found == NULL)
		return say_error(data, "no such face; ask /vnic/share,FACE with a name of the configuration");
	face = found->face;
	vnic_client_limits_get(vnic_face_client(face), &limits);
	vnic_client_stats_get(vnic_face_client(face), &st);
	vnic_face_stats_get(face, &f);
	rte_tel_data_start_dict(data);
	rte_tel_data_add_dict_u64(data, "prefix", vnic_client_prefix(vnic_face_client(face)));
	rte_tel_data_add_dict_u64(data, "weight", vnic_sender_weight(vnic_face_sender(face)));
	rte_tel_data_add_dict_u64(data, "limit", limits.nbls);
	rte_tel_data_add_dict_u64(data, "cancel_limit", limits.cancels_per_s);
	rte_tel_data_add_dict_u64(data, "received", f.received);
	rte_tel_data_add_dict_u64(data, "sent", f.sent);
	rte_tel_data_add_dict_u64(data, "aborted", f.aborted);
	rte_tel_data_add_dict_u64(data, "rejected", f.rejected);
	rte_tel_data_add_dict_u64(data, "direct", f.direct);
	rte_tel_data_add_dict_u64(data, "dropped", f.dropped);
	rte_tel_data_add_dict_u64(data, "backpressure", f.backpressure);
	rte_tel_data_add_dict_u64(data, "limited", st.limited);
	rte_tel_data_add_dict_u64(data, "cancels", st.cancels);
	rte_tel_data_add_dict_u64(data, "cancels_limited", st.cancels_limited);
	return 0;
}

static int state(struct vnicd *d, char *params, struct rte_tel_data *data)
{
	const struct vnic_adapter *a = find(d, params);
	struct vnic_start_stop_context c;

	if (a == NULL)
		return say_error(data, "no such adapter; /vnic/list names them, then /vnic/state,ADAPTER");
	vnic_adapter_start_stop(a, &c);
	rte_tel_data_start_dict(data);
	rte_tel_data_add_dict_string(data, "state", vnic_state_name(vnic_adapter_state(a)));
	rte_tel_data_add_dict_string(data, "sends", vnic_status_name(vnic_adapter_gate(a)));
	rte_tel_data_add_dict_string(data, "lifecycle", vnic_rdbss_name(c.state));
	rte_tel_data_add_dict_u64(data, "version", c.version);
	rte_tel_data_add_dict_u64(data, "published", c.published);
	rte_tel_data_add_dict_u64(data, "registered", c.registered);
	rte_tel_data_add_dict_u64(data, "open_handles", c.open_handles);
	rte_tel_data_add_dict_u64(data, "operations", c.operations);
	return 0;
}

static void say_answer(struct rte_tel_data *data, const struct order *o,
		       const struct vnic_request *r)
{
	struct vnic_verdict v;
	uint32_t status = vnic_request_status(r);

	rte_tel_data_start_dict(data);
	rte_tel_data_add_dict_string(data, "status", vnic_status_name(status));
	rte_tel_data_add_dict_string(data, "state", vnic_state_name(vnic_adapter_state(o->adapter)));
	if (!command_cancels(o) || status != VNIC_STATUS_SUCCESS)
		return;
	vnic_request_verdict(r, &v);
	rte_tel_data_add_dict_u64(data, "cancel_id", v.cancel_id);
	rte_tel_data_add_dict_u64(data, "aborted_nbls", v.aborted.nbls);
	rte_tel_data_add_dict_u64(data, "aborted_packets", v.aborted.packets);
	rte_tel_data_add_dict_u64(data, "too_late", v.too_late);
	rte_tel_data_add_dict_u64(data, "unknown", v.unknown);
	rte_tel_data_add_dict_u64(data, "latency_ns", v.latency_ns);
}

/* Until the operation ends. When its time is over, or the daemon ends, the request is
 * cancelled; what still holds it then has a reference of its own. */
static void wait_for(struct vnic_request *r, uint64_t timeout_ms)
{
	const struct timespec nap = {.tv_nsec = 20000};
	uint64_t end = rte_rdtsc() + timeout_ms * (rte_get_tsc_hz() / 1000);

	while (vnic_request_status(r) == VNIC_STATUS_PENDING) {
		if (rte_rdtsc() >= end || atomic_load(&ending)) {
			vnic_request_cancel(r);
			return;
		}
		nanosleep(&nap, NULL);
	}
}

static int operate(struct vnicd *d, const struct command *command, char *params,
		   struct rte_tel_data *data)
{
	struct vnic_request *r;
	struct order order;
	char why[WHY_MAX];

	if (command_read(d, command, params, &order, why, sizeof(why)) != 0)
		return say_error(data, why);
	r = vnic_request_create(d->control);
	if (r == NULL)
		return -ENOMEM;
	command_issue(&order, r);
	wait_for(r, order.timeout_ms);
	say_answer(data, &order, r);
	vnic_request_release(r);
	return 0;
}

static int latency(struct vnicd *d, char *params, struct rte_tel_data *data)
{
	static const char *const name[] = {[VNIC_LATENCY_COMPLETION] = "completion",
					   [VNIC_LATENCY_VERDICT] = "verdict",
					   [VNIC_LATENCY_WALK] = "walk"};
	static const struct {
		const char *name;
		double percent;
	} mark[] = {{"p50", 50}, {"p90", 90}, {"p99", 99}, {"p99_9", 99.9}, {"max", 100}};
	const struct vnic_adapter *a = find(d, params);
	struct vnic_histogram *h;
	char key[RTE_TEL_MAX_STRING_LEN];

	if (a == NULL)
		return say_error(data, "no such adapter; /vnic/list names them, then /vnic/latency,ADAPTER");
	h = malloc(sizeof(*h));
	if (h == NULL)
		return -ENOMEM;
	rte_tel_data_start_dict(data);
	for (uint32_t i = 0; i < VNIC_LATENCIES; i++) {
		vnic_adapter_latency(a, (enum vnic_latency)i, h);
		snprintf(key, sizeof(key), "%s_count", name[i]);
		rte_tel_data_add_dict_u64(data, key, h->count);
		for (size_t k = 0; k < sizeof(mark) / sizeof(mark[0]); k++) {
			snprintf(key, sizeof(key), "%s_%s_ns", name[i], mark[k].name);
			rte_tel_data_add_dict_u64(data, key, vnic_histogram_percentile(h, mark[k].percent));
		}
	}
	free(h);
	return 0;
}

/* Which id has this flow? */
static int id(struct vnicd *d, char *params, struct rte_tel_data *data)
{
	struct flow_answer a;
	char why[WHY_MAX], text[20];

	if (flow_ask(d, params, &a, why, sizeof(why)) != 0)
		return say_error(data, why);
	snprintf(text, sizeof(text), "%#" PRIx64, a.id);
	rte_tel_data_start_dict(data);
	rte_tel_data_add_dict_string(data, "face", a.face->conf->name);
	rte_tel_data_add_dict_string(data, "id", text);
	rte_tel_data_add_dict_u64(data, "rule", a.rule);
	rte_tel_data_add_dict_string(data, "by", a.by);
	return 0;
}

/* A face's rules and the packets that each has marked. */
static int ids(struct vnicd *d, char *params, struct rte_tel_data *data)
{
	const struct vnicd_face *face = flow_face(d, params);
	char key[RTE_TEL_MAX_STRING_LEN], text[IDS_RULE_TEXT];
	struct vnic_face_stats s;

	if (face == NULL)
		return say_error(data, "no such face; /vnic/ids,FACE");
	vnic_face_stats_get(face->face, &s);
	rte_tel_data_start_dict(data);
	for (uint32_t i = 0; i < face->conf->nb_rules; i++) {
		snprintf(key, sizeof(key), "rule_%u", i + 1);
		rte_tel_data_add_dict_string(data, key, ids_rule_text(&face->conf->rule[i], text));
		snprintf(key, sizeof(key), "rule_%u_packets", i + 1);
		rte_tel_data_add_dict_u64(data, key, s.matched[i]);
	}
	rte_tel_data_add_dict_u64(data, "unmarked_packets", s.unmarked);
	return 0;
}

static int peer(struct vnicd *d, char *params, struct rte_tel_data *data)
{
	struct vnicd_peer_stats s;

	if (!vnicd_peer_stats(d, params, &s))
		return say_error(data, "no such face; /vnic/peer,FACE");
	rte_tel_data_start_dict(data);
	rte_tel_data_add_dict_u64(data, "here", s.here);
	rte_tel_data_add_dict_u64(data, "peer_came", s.came);
	rte_tel_data_add_dict_u64(data, "peer_left", s.left);
	rte_tel_data_add_dict_u64(data, "taken_back", s.taken_back);
	rte_tel_data_add_dict_u64(data, "refused", s.refused);
	return 0;
}

static const struct {
	const char *path;
	const char *help;
	int (*run)(struct vnicd *d, char *params, struct rte_tel_data *data);
} queries[] = {
	{"/vnic/list", "Names of the adapters. No parameters", list},
	{"/vnic/stats", "Account of an adapter. Parameters: ADAPTER", stats},
	{"/vnic/receive", "What a face receives. Parameters: FACE", receive},
	{"/vnic/state", "State of an adapter. Parameters: ADAPTER", state},
	{"/vnic/peer", "Who is on a face's other side, who came and left. Parameters: FACE", peer},
	{"/vnic/share", "Weight and limits of a face. Parameters: FACE", share},
	{"/vnic/latency", "Cancel latencies in ns. Parameters: ADAPTER", latency},
	{"/vnic/id", "Cancel id of a flow. Parameters: FACE,PROTO,SRC,SPORT,DST,DPORT[,vlan,N][,dscp,N][,label,N]",
	 id},
	{"/vnic/ids", "Rules of a face and what they marked. Parameters: FACE", ids},
};

static int run(const char *path, const char *params, struct rte_tel_data *data)
{
	const struct command *command = command_find(path + strlen(FOLDER));
	char copy[PARAM_MAX];
	struct vnicd *d;
	int rc = -EINVAL;

	if (params != NULL && strlen(params) >= sizeof(copy))
		return say_error(data, "parameters too long");
	snprintf(copy, sizeof(copy), "%s", params != NULL ? params : "");
	pthread_rwlock_rdlock(&in_use);
	d = atomic_load(&daemon_now);
	if (d != NULL && command != NULL)
		rc = operate(d, command, copy, data);
	for (size_t i = 0; d != NULL && i < sizeof(queries) / sizeof(queries[0]); i++)
		if (strcmp(queries[i].path, path) == 0)
			rc = queries[i].run(d, copy, data);
	pthread_rwlock_unlock(&in_use);
	return d == NULL ? say_error(data, "vnicd is ending") : rc;
}

int vnicd_telemetry_start(struct vnicd *d)
{
	char path[64], help[HELP_MAX];

	atomic_store(&daemon_now, d);
	for (size_t i = 0; i < sizeof(queries) / sizeof(queries[0]); i++)
		rte_telemetry_register_cmd(queries[i].path, run, queries[i].help);
	for (size_t i = 0; i < nb_commands; i++) {
		const char *argument = commands[i].argument;

		snprintf(path, sizeof(path), FOLDER "%s", commands[i].name);
		snprintf(help, sizeof(help), "Parameters: %s%s%s[,TIMEOUT_MS]",
			 commands[i].of_face ? "FACE" : "ADAPTER", argument != NULL ? "," : "", argument != NULL ? argument : "");
		rte_telemetry_register_cmd(path, run, help);
	}
	return 0;
}

void vnicd_telemetry_stop(struct vnicd *d)
{
	atomic_store(&ending, true);
	/* a command may wait for what the main lcore's own polling brings */
	while (pthread_rwlock_trywrlock(&in_use) != 0)
		if (vnicd_lcores_poll_main(d) == 0)
			sched_yield();
	atomic_store(&daemon_now, NULL);
	pthread_rwlock_unlock(&in_use);
}
