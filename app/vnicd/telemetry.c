/* SPDX-License-Identifier: BSD-3-Clause
 * telemetry.c - /vnic/... on DPDK's telemetry socket
 *
 * The commands run in the telemetry library's own threads. It passes them no context, so
 * this file keeps the one pointer to the daemon.
 */
#include "vnicd.h"

#include <ctype.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <rte_telemetry.h>

#define CANCEL_WAIT_S 2
#define PARAM_MAX 128

static struct vnicd *_Atomic daemon_now;
/* held by a command while it uses the daemon, so that the daemon does not end under it */
static pthread_mutex_t in_use = PTHREAD_MUTEX_INITIALIZER;

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
	add_count(data, "queued", &s.queued);
	rte_tel_data_add_dict_u64(data, "not_taken", s.not_taken);
	rte_tel_data_add_dict_u64(data, "port_refused", s.port_refused);
	rte_tel_data_add_dict_u64(data, "padded", s.padded);
	rte_tel_data_add_dict_u64(data, "copied", s.copied);
	rte_tel_data_add_dict_u64(data, "cancels", s.cancels);
	rte_tel_data_add_dict_u64(data, "cancels_unknown", s.cancels_unknown);
	rte_tel_data_add_dict_u64(data, "too_late", s.too_late);
	return 0;
}

static int say_verdict(struct rte_tel_data *data, const struct vnic_verdict *v)
{
	rte_tel_data_start_dict(data);
	rte_tel_data_add_dict_u64(data, "cancel_id", v->cancel_id);
	rte_tel_data_add_dict_u64(data, "aborted_nbls", v->aborted.nbls);
	rte_tel_data_add_dict_u64(data, "aborted_packets", v->aborted.packets);
	rte_tel_data_add_dict_u64(data, "too_late", v->too_late);
	rte_tel_data_add_dict_u64(data, "unknown", v->unknown);
	rte_tel_data_add_dict_u64(data, "latency_ns", v->latency_ns);
	return 0;
}

static int cancel(struct vnicd *d, char *params, struct rte_tel_data *data)
{
	const struct timespec nap = {.tv_nsec = 20000};
	struct timespec now, begin;
	char *save = NULL, *end = NULL;
	const char *name = strtok_r(params, ",", &save), *text = strtok_r(NULL, ",", &save);
	struct vnic_adapter *a = find(d, name);
	struct vnic_verdict v;
	struct vnic_ticket *t;
	uint64_t id;
	bool hex;

	if (a == NULL)
		return say_error(data, "no such adapter; /vnic/list names them, then /vnic/cancel,ADAPTER,ID");
	errno = 0;
	hex = text != NULL && strncmp(text, "0x", 2) == 0;
	id = text != NULL && isxdigit((unsigned char)text[0]) ? strtoull(text, &end, hex ? 16 : 10) : 0;
	if (id == 0 || errno != 0 || end == text || *end != '\0')
		return say_error(data, "ID is a number from 1 to 2^64-1, decimal or 0x...");
	t = vnic_ticket_create(-1);
	if (t == NULL)
		return say_error(data, "no memory for a ticket; give EAL more (-m MIB)");
	clock_gettime(CLOCK_MONOTONIC, &begin);
	vnic_adapter_cancel(a, id, t);
	while (vnic_ticket_verdict(t, &v) != 0) {
		nanosleep(&nap, NULL);
		clock_gettime(CLOCK_MONOTONIC, &now);
		if (now.tv_sec - begin.tv_sec > CANCEL_WAIT_S)
			/* the ticket is still the control lcore's, and stays so */
			return say_error(data, "no verdict within 2 s: a data lcore does not poll; the "
					       "cancel goes on");
	}
	vnic_ticket_destroy(t);
	return say_verdict(data, &v);
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

static const struct {
	const char *path;
	const char *help;
	int (*run)(struct vnicd *d, char *params, struct rte_tel_data *data);
} commands[] = {
	{"/vnic/list", "Names of the adapters. No parameters", list},
	{"/vnic/stats", "Account of an adapter. Parameters: ADAPTER", stats},
	{"/vnic/cancel", "Cancel an id; answers the verdict. Parameters: ADAPTER,ID", cancel},
	{"/vnic/latency", "Cancel latencies in ns. Parameters: ADAPTER", latency},
};

static int run(const char *path, const char *params, struct rte_tel_data *data)
{
	char copy[PARAM_MAX];
	struct vnicd *d;
	int rc = -EINVAL;

	if (params != NULL && strlen(params) >= sizeof(copy))
		return say_error(data, "parameters too long");
	snprintf(copy, sizeof(copy), "%s", params != NULL ? params : "");
	pthread_mutex_lock(&in_use);
	d = atomic_load(&daemon_now);
	for (size_t i = 0; d != NULL && i < sizeof(commands) / sizeof(commands[0]); i++)
		if (strcmp(commands[i].path, path) == 0)
			rc = commands[i].run(d, copy, data);
	pthread_mutex_unlock(&in_use);
	return d == NULL ? say_error(data, "vnicd is ending") : rc;
}

int vnicd_telemetry_start(struct vnicd *d)
{
	atomic_store(&daemon_now, d);
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		rte_telemetry_register_cmd(commands[i].path, run, commands[i].help);
	return 0;
}

void vnicd_telemetry_stop(struct vnicd *d)
{
	/* a command may wait for a verdict that the main lcore's own polling brings */
	while (pthread_mutex_trylock(&in_use) != 0)
		if (vnicd_lcores_poll_main(d) == 0)
			sched_yield();
	atomic_store(&daemon_now, NULL);
	pthread_mutex_unlock(&in_use);
}
