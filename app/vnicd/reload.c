/* SPDX-License-Identifier: BSD-3-Clause
 * reload.c - read the configuration again, and let the daemon become what it says
 *
 * The daemon as it is to be is made in a second struct vnicd, `next`, which has the first one's
 * control, relays and what stays. Ports of what is new are opened first, as far as they are free, so
 * that a reload that cannot be leaves everything alone. What goes is emptied by its lcores, taken
 * from their rounds, and destroyed when none of them knows it any more.
 */
#include "reload.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <rte_ethdev.h>

#include "change.h"
#include "devargs.h"
#include "differ.h"
#include "say.h"
#include "vnicd.h"

/* A stop waits some seconds for an NBL that a port has taken in part only. */
#define STOP_BOUND_MS 12000
#define BUSY_BOUND_MS 1000

struct reload {
	struct vnicd *d, *next;
	struct differ diff;
	struct reload_counts counts;
	struct vnic_ticket *ticket;
	char *why;
	size_t len;
	bool failed; /* something was not added */
};

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* While something is waited for, peers come and go and the main lcore polls what is its own. */
static void attend(struct vnicd *d)
{
	const struct timespec nap = {.tv_nsec = 200000};

	vnicd_peers_poll(d, 0);
	if (vnicd_lcores_poll_main(d) == 0)
		nanosleep(&nap, NULL);
}

/* Nothing has changed: say why not. */
static int refuse(struct reload *r, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vsnprintf(r->why, r->len, format, ap);
	va_end(ap);
	say(SAY_ERROR, "reload refused, nothing was changed: %s", r->why);
	return -1;
}

/* ---- the configuration ---- */

static int read_again(struct reload *r)
{
	char *text = NULL;
	size_t size = 0;
	FILE *err = open_memstream(&text, &size);
	enum conf_action action = CONF_EXIT_ERROR;

	if (err != NULL) {
		action = conf_read(&r->next->conf, r->d->argc, r->d->argv, err, err);
		fclose(err);
	}
	if (action != CONF_RUN) {
		const char *line = text != NULL ? text : "no memory to read the file";

		line += strncmp(line, "vnicd: ", 7) == 0 ? 7 : 0;
		refuse(r, "%.*s", (int)strcspn(line, "\n"), line);
	}
	free(text);
	return action == CONF_RUN ? 0 : -1;
}

/* ---- ports of what is new ---- */

/* Has one that runs what this port names? */
static bool is_taken(const struct vnicd *d, const char *port)
{
	char what[CONF_TEXT + 16];
	bool taken = false;

	for (uint32_t i = 0; i < d->conf.nb_adapters; i++)
		taken |= d->conf.adapter[i].port[0] != '\0' &&
			 devargs_clash(port, d->conf.adapter[i].port, what, sizeof(what));
	for (uint32_t i = 0; i < d->conf.nb_faces; i++)
		taken |= devargs_clash(port, d->conf.face[i].port, what, sizeof(what));
	return taken;
}

static void close_port(uint16_t port, bool *open, struct relay **relay)
{
	if (*open)
		vnic_port_close(port);
	if (*relay != NULL)
		relay_remove(*relay);
	*open = false;
	*relay = NULL;
}

static void close_new(struct reload *r)
{
	struct vnicd *n = r->next;

	for (uint32_t i = 0; i < n->conf.nb_adapters; i++)
		if (r->diff.adapter_from[i] == DIFFER_NEW)
			close_port(n->adapter[i].port, &n->adapter[i].port_open, &n->adapter[i].relay);
	for (uint32_t i = 0; i < n->conf.nb_faces; i++)
		if (r->diff.face_from[i] == DIFFER_NEW)
			close_port(n->face[i].port, &n->face[i].port_open, &n->face[i].relay);
}

/* Would its driver keep us waiting for its other side? */
static bool waits_for_peer(const char *port)
{
	char server[CONF_TEXT];

	return devargs_driver(port, "net_virtio_user") &&
	       devargs_value(port, "server", server, sizeof(server)) && strcmp(server, "1") == 0;
}

static int refuse_waiting(struct reload *r)
{
	const struct conf *conf = &r->next->conf;
	const char *kind = NULL, *name = NULL;

	for (uint32_t i = 0; i < conf->nb_adapters; i++)
		if (r->diff.adapter_from[i] == DIFFER_NEW && waits_for_peer(conf->adapter[i].port)) {
			kind = "adapter";
			name = conf->adapter[i].name;
		}
	for (uint32_t i = 0; i < conf->nb_faces; i++)
		if (r->diff.face_from[i] == DIFFER_NEW && waits_for_peer(conf->face[i].port)) {
			kind = "face";
			name = conf->face[i].name;
		}
	if (kind == NULL)
		return 0;
	return refuse(r, "%s: %s %s: net_virtio_user with server=1 waits in its driver until its other side comes, "
		      "and vnicd with it; start vnicd again for this %s", conf->path, kind, name, kind);
}

/* Lcores are EAL's, of which the file knows nothing. */
static int refuse_lcores(struct reload *r)
{
	struct vnicd *n = r->next;

	for (uint32_t i = 0; i < n->conf.nb_adapters; i++)
		if (r->diff.adapter_from[i] == DIFFER_NEW && vnicd_lcore_choose(n, i) != 0)
			return refuse(r, "%s", n->why);
	return 0;
}

/* Does another process look at the port's packets? It would not know that the port has gone, and
 * what it has put there would be called when another port has its number. */
static bool is_watched(uint16_t port)
{
	const struct rte_eth_fp_ops *ops = &rte_eth_fp_ops[port];
	struct rte_eth_dev_info info;

	if (rte_eth_dev_info_get(port, &info) != 0)
		return false;
	for (uint16_t q = 0; q < info.nb_rx_queues; q++)
		if (ops->rxq.clbk != NULL && ops->rxq.clbk[q] != NULL)
			return true;
	for (uint16_t q = 0; q < info.nb_tx_queues; q++)
		if (ops->txq.clbk != NULL && ops->txq.clbk[q] != NULL)
			return true;
	return false;
}

static int refuse_watched(struct reload *r)
{
	const struct vnicd *d = r->d;
	const char *name = NULL;

	for (uint32_t i = 0; i < d->conf.nb_adapters; i++)
		if (!r->diff.adapter_stays[i] && d->adapter[i].port_open && is_watched(d->adapter[i].port))
			name = d->conf.adapter[i].name;
	for (uint32_t i = 0; i < d->conf.nb_faces; i++)
		if (!r->diff.face_stays[i] && d->face[i].port_open && is_watched(d->face[i].port))
			name = d->conf.face[i].name;
	return name == NULL ? 0 : refuse(r, "%s: its port would be closed, and dpdk-dumpcap or dpdk-pdump looks at "
					 "it; end that, and reload again", name);
}

static int open_free(struct reload *r)
{
	struct vnicd *n = r->next;
	int rc = 0;

	if (refuse_waiting(r) != 0 || refuse_lcores(r) != 0 || refuse_watched(r) != 0)
		return -1;
	for (uint32_t i = 0; rc == 0 && i < n->conf.nb_adapters; i++)
		if (r->diff.adapter_from[i] == DIFFER_NEW && n->conf.adapter[i].port[0] != '\0' &&
		    !is_taken(r->d, n->conf.adapter[i].port))
			rc = vnicd_adapter_open(n, i);
	for (uint32_t i = 0; rc == 0 && i < n->conf.nb_faces; i++)
		if (r->diff.face_from[i] == DIFFER_NEW && !is_taken(r->d, n->conf.face[i].port))
			rc = vnicd_face_open(n, i);
	r->d->relays = n->relays;
	if (rc == 0)
		return 0;
	close_new(r);
	return refuse(r, "%s", n->why);
}

/* ---- what goes is emptied ---- */

static uint64_t missing(const struct vnicd_face *f)
{
	struct vnic_face_stats st;

	vnic_face_stats_get(f->face, &st);
	return st.received - st.completed - st.dropped;
}

/* Packets that faces which go have outstanding; `only_staying`: on adapters that stay. */
static uint64_t all_missing(const struct reload *r, bool only_staying)
{
	uint64_t n = 0;

	for (uint32_t i = 0; i < r->d->conf.nb_faces; i++)
		if (!r->diff.face_stays[i] &&
		    !(only_staying && !r->diff.adapter_stays[r->d->conf.face[i].adapter_index]))
			n += missing(&r->d->face[i]);
	return n;
}

static void wait_empty(struct reload *r, uint64_t bound_ms, bool only_staying)
{
	uint64_t end = now_ms() + bound_ms;

	while (all_missing(r, only_staying) != 0 && now_ms() < end && !vnicd_ending())
		attend(r->d);
}

/* Take back what one has queued still. */
static void take_back(struct reload *r, const struct vnicd_face *f)
{
	struct vnic_verdict verdict = {0};

	if (missing(f) == 0 || vnic_client_abort(vnic_face_client(f->face), r->ticket) != 0)
		return;
	while (vnic_ticket_verdict(r->ticket, &verdict) != 0)
		attend(r->d);
	say(SAY_WARNING, "face %s: %" PRIu64 " queued packets were taken back, drain_ms = %" PRIu64 " was not "
	    "enough for them", f->conf->name, verdict.aborted.packets, r->d->conf.global.drain_ms);
}

static void set_receive(const struct reload *r, bool on)
{
	for (uint32_t i = 0; i < r->d->conf.nb_faces; i++)
		if (!r->diff.face_stays[i])
			(on ? vnic_face_start_receive : vnic_face_stop_receive)(r->d->face[i].face);
}

/* Faces that go: nothing new, what is queued out or back. */
static int empty_faces(struct reload *r)
{
	set_receive(r, false);
	vnicd_lcores_quiesce(r->d);
	wait_empty(r, r->d->conf.global.drain_ms, false);
	for (uint32_t i = 0; i < r->d->conf.nb_faces; i++)
		if (!r->diff.face_stays[i])
			take_back(r, &r->d->face[i]);
	wait_empty(r, STOP_BOUND_MS, true);
	if (all_missing(r, true) == 0)
		return 0;
	set_receive(r, true);
	close_new(r);
	return refuse(r, "a port has taken a packet of a face that was to go in part only, and takes no more; "
		      "see to the port, and reload again");
}

static bool is_started(const struct vnic_adapter *a)
{
	struct vnic_start_stop_context c;

	vnic_adapter_start_stop(a, &c);
	return c.state != VNIC_RDBSS_STARTABLE;
}

static void await(struct vnicd *d, struct vnic_request *q, uint64_t end)
{
	while (vnic_request_status(q) == VNIC_STATUS_PENDING) {
		if (now_ms() >= end)
			vnic_request_cancel(q);
		attend(d);
	}
	while (vnic_request_reuse(q) == -EBUSY)
		attend(d);
}

/* Somebody else's stop or start may be under way: then again. */
static bool stop_one(struct vnicd *d, struct vnic_adapter *a, struct vnic_request *q)
{
	uint64_t end = now_ms() + STOP_BOUND_MS;
	bool post;

	while (is_started(a) && now_ms() < end) {
		vnic_adapter_stop(a, q, &post);
		await(d, q, end);
		if (is_started(a))
			attend(d);
	}
	return !is_started(a);
}

/* Adapters that go, those above others first; whose pending requests end by it. All, or none. */
static int stop_adapters(struct reload *r)
{
	bool stopped[CONF_ADAPTERS_MAX] = {false};
	struct vnicd *d = r->d;
	struct vnic_request *q = vnic_request_create(d->control);
	const char *stays = q == NULL ? "no memory for a request" : NULL;

	for (uint32_t i = d->conf.nb_adapters; stays == NULL && i-- > 0;) {
		struct vnic_adapter *a = d->adapter[i].adapter;

		if (r->diff.adapter_stays[i] || !is_started(a))
			continue;
		stopped[i] = stop_one(d, a, q);
		if (!stopped[i])
			stays = d->conf.adapter[i].name;
	}
	for (uint32_t i = 0; stays != NULL && i < d->conf.nb_adapters; i++)
		if (stopped[i]) {
			vnic_adapter_request(d->adapter[i].adapter, VNIC_CONTROL_START, 1, q);
			await(d, q, UINT64_MAX);
		}
	vnic_request_release(q);
	wait_empty(r, BUSY_BOUND_MS, false);
	vnicd_socket_answer(d);
	if (stays == NULL)
		return 0;
	set_receive(r, true);
	close_new(r);
	return refuse(r, "%s: it cannot be stopped now; see to its port and to who operates it, and reload again",
		      stays);
}

/* ---- and ends ---- */

static void close_ports(struct reload *r)
{
	uint16_t port[CONF_ADAPTERS_MAX + CONF_FACES_MAX];
	struct vnicd *d = r->d;
	uint32_t n = 0;

	for (uint32_t i = 0; i < d->conf.nb_adapters; i++)
		if (d->adapter[i].leaves && d->adapter[i].port_open)
			port[n++] = d->adapter[i].port;
	for (uint32_t i = 0; i < d->conf.nb_faces; i++)
		if (d->face[i].leaves && d->face[i].port_open)
			port[n++] = d->face[i].port;
	for (uint32_t i = 0; i < n; i++)
		vnicd_peers_remove(d, port[i]);
	vnic_ports_close(port, n);
	for (uint32_t i = 0; i < d->conf.nb_adapters; i++)
		if (d->adapter[i].leaves && d->adapter[i].relay != NULL)
			relay_remove(d->adapter[i].relay);
	for (uint32_t i = 0; i < d->conf.nb_faces; i++)
		if (d->face[i].leaves && d->face[i].relay != NULL)
			relay_remove(d->face[i].relay);
}

/* Its client's last cancel may be about to end. */
static void destroy_face(struct reload *r, struct vnicd_face *f)
{
	uint64_t end = now_ms() + BUSY_BOUND_MS;
	int rc;

	vnicd_report_keep_face(r->d, f->face);
	while ((rc = vnic_face_destroy(f->face)) != 0 && now_ms() < end)
		attend(r->d);
	f->face = NULL;
	r->counts.removed++;
	say(rc == 0 ? SAY_NOTICE : SAY_ERROR, "face %s: removed%s", f->conf->name, rc == 0 ? "" :
	    ", but some of its packets are not back: this is a bug, please report it");
}

/* Nobody polls the control. Another port below may have packets of it, and gives them back later. */
static void destroy_adapter(struct reload *r, uint32_t i)
{
	struct vnicd_gone *gone = &r->d->gone;
	struct vnicd_adapter *a = &r->d->adapter[i];
	uint64_t end = now_ms() + BUSY_BOUND_MS;
	int rc;

	vnicd_report_keep(r->d, i);
	while ((rc = vnic_adapter_destroy(a->adapter)) != 0 && now_ms() < end) {
		vnicd_lcores_assign(r->d, true);
		attend(r->d);
		vnicd_lcores_assign(r->d, false);
	}
	if (rc != 0 && gone->nb_kept < CONF_ADAPTERS_MAX)
		gone->adapter[gone->nb_kept++] = a->adapter;
	a->adapter = NULL;
	r->counts.removed++;
	say(SAY_NOTICE, "adapter %s: removed%s", a->conf->name,
	    rc == 0 ? "" : "; its name is free when a port below has given its packets back");
}

static void destroy_kept(struct vnicd_gone *gone)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < gone->nb_kept; i++)
		if (vnic_adapter_destroy(gone->adapter[i]) != 0)
			gone->adapter[n++] = gone->adapter[i];
	gone->nb_kept = n;
}

/* From here on nobody polls the control, until the end. */
static void remove_all(struct reload *r)
{
	struct vnicd *d = r->d;

	for (uint32_t i = 0; i < d->conf.nb_adapters; i++)
		d->adapter[i].leaves = !r->diff.adapter_stays[i];
	for (uint32_t i = 0; i < d->conf.nb_faces; i++)
		d->face[i].leaves = !r->diff.face_stays[i];
	vnicd_lcores_assign(d, true);
	for (uint32_t i = 0; i < d->conf.nb_adapters; i++)
		if (d->adapter[i].leaves)
			vnicd_peers_forget(d, d->adapter[i].adapter);
	close_ports(r);
	for (uint32_t i = 0; i < d->conf.nb_faces; i++)
		if (d->face[i].leaves)
			destroy_face(r, &d->face[i]);
	vnicd_lcores_assign(d, false);
	for (uint32_t i = d->conf.nb_adapters; i-- > 0;)
		if (d->adapter[i].leaves)
			destroy_adapter(r, i);
	destroy_kept(&d->gone);
}

/* ---- what comes ---- */

static void say_added(const char *kind, const char *name, const char *why)
{
	if (why != NULL)
		say(SAY_NOTICE, "%s %s: added again (%s has changed)", kind, name, why);
	else
		say(SAY_NOTICE, "%s %s: added", kind, name);
}

/* The first failure is the answer, each has its line. */
static void say_failed(struct reload *r, const char *kind, const char *name)
{
	say(SAY_ERROR, "%s %s: not added: %s; mend it and reload again", kind, name, r->next->why);
	if (!r->failed)
		snprintf(r->why, r->len, "%s %s: not added: %s; mend it and reload again, the rest was applied",
			 kind, name, r->next->why);
	r->failed = true;
}

static bool lacks_other(const struct reload *r, uint32_t i, const bool *failed)
{
	const struct conf_adapter *a = &r->next->conf.adapter[i];
	bool lacks = failed[a->shares_index] && a->shares_index != i;

	for (uint32_t k = 0; k < a->nb_lower; k++)
		lacks |= failed[a->lower_index[k]];
	if (lacks)
		snprintf(r->next->why, sizeof(r->next->why), "an adapter that it names is not there");
	return lacks;
}

static void add_adapter(struct reload *r, uint32_t i, bool *failed)
{
	struct vnicd *n = r->next;
	struct vnicd_adapter *a = &n->adapter[i];

	failed[i] = lacks_other(r, i, failed) || (!a->port_open && vnicd_adapter_open(n, i) != 0) ||
		    vnicd_lcore_choose(n, i) != 0 || vnicd_adapter_create(n, i) != 0;
	if (!failed[i]) {
		r->counts.added++;
		say_added("adapter", n->conf.adapter[i].name, r->diff.adapter_why[i]);
		return;
	}
	say_failed(r, "adapter", n->conf.adapter[i].name);
	close_port(a->port, &a->port_open, &a->relay);
	vnic_adapter_destroy(a->adapter);
}

static void add_face(struct reload *r, uint32_t i, const bool *adapter_failed, bool *failed)
{
	struct vnicd *n = r->next;
	struct vnicd_face *f = &n->face[i];

	failed[i] = adapter_failed[n->conf.face[i].adapter_index];
	if (failed[i])
		snprintf(n->why, sizeof(n->why), "its adapter is not there");
	failed[i] = failed[i] || (!f->port_open && vnicd_face_open(n, i) != 0) || vnicd_face_create(n, i) != 0;
	if (!failed[i]) {
		r->counts.added++;
		say_added("face", n->conf.face[i].name, r->diff.face_why[i]);
		return;
	}
	say_failed(r, "face", n->conf.face[i].name);
	close_port(f->port, &f->port_open, &f->relay);
}

/* Leave out of `next` what has failed. */
static void compact(struct reload *r, const bool *adapter_failed, const bool *face_failed)
{
	uint32_t place[CONF_ADAPTERS_MAX], nb = 0;
	struct vnicd *n = r->next;

	for (uint32_t i = 0; i < n->conf.nb_adapters; i++) {
		struct conf_adapter *c = &n->conf.adapter[nb];

		place[i] = nb;
		if (adapter_failed[i])
			continue;
		*c = n->conf.adapter[i];
		c->shares_index = place[c->shares_index];
		for (uint32_t k = 0; k < c->nb_lower; k++)
			c->lower_index[k] = place[c->lower_index[k]];
		n->adapter[nb] = n->adapter[i];
		r->diff.adapter_from[nb++] = r->diff.adapter_from[i];
	}
	n->conf.nb_adapters = nb;
	nb = 0;
	for (uint32_t i = 0; i < n->conf.nb_faces; i++) {
		if (face_failed[i])
			continue;
		n->conf.face[nb] = n->conf.face[i];
		n->conf.face[nb].adapter_index = place[n->conf.face[nb].adapter_index];
		n->face[nb] = n->face[i];
		r->diff.face_from[nb++] = r->diff.face_from[i];
	}
	n->conf.nb_faces = nb;
}

static void add_all(struct reload *r)
{
	bool adapter_failed[CONF_ADAPTERS_MAX] = {false}, face_failed[CONF_FACES_MAX] = {false};
	struct vnicd *d = r->d, *n = r->next;

	n->nb_made = d->nb_made;
	n->relays = d->relays;
	for (uint32_t i = 0; i < n->conf.nb_adapters; i++)
		if (r->diff.adapter_from[i] != DIFFER_NEW)
			n->adapter[i] = d->adapter[r->diff.adapter_from[i]];
	for (uint32_t i = 0; i < n->conf.nb_faces; i++)
		if (r->diff.face_from[i] != DIFFER_NEW)
			n->face[i] = d->face[r->diff.face_from[i]];
	for (uint32_t i = 0; i < n->conf.nb_adapters; i++)
		n->adapter[i].conf = &n->conf.adapter[i];
	for (uint32_t i = 0; i < n->conf.nb_faces; i++)
		n->face[i].conf = &n->conf.face[i];
	for (uint32_t i = 0; i < n->conf.nb_adapters; i++)
		if (r->diff.adapter_from[i] == DIFFER_NEW)
			add_adapter(r, i, adapter_failed);
	for (uint32_t i = 0; i < n->conf.nb_faces; i++)
		if (r->diff.face_from[i] == DIFFER_NEW)
			add_face(r, i, adapter_failed, face_failed);
	compact(r, adapter_failed, face_failed);
	d->nb_made = n->nb_made;
	d->relays = n->relays;
}

/* ---- the daemon is the next one ---- */

static void install(struct reload *r)
{
	struct vnicd *d = r->d, *n = r->next;
	uint64_t log_level = d->conf.global.log_level;

	d->conf = n->conf;
	change_log_level(d, log_level);
	memcpy(d->adapter, n->adapter, sizeof(d->adapter));
	memcpy(d->face, n->face, sizeof(d->face));
	for (uint32_t i = 0; i < d->conf.nb_adapters; i++)
		d->adapter[i].conf = &d->conf.adapter[i];
	for (uint32_t i = 0; i < d->conf.nb_faces; i++)
		d->face[i].conf = &d->conf.face[i];
	vnicd_peers_follow(d);
	for (uint32_t i = 0; i < d->conf.nb_adapters; i++) {
		if (r->diff.adapter_from[i] == DIFFER_NEW)
			vnicd_peers_add_adapter(d, i);
		change_adapter(d, i);
	}
	for (uint32_t i = 0; i < d->conf.nb_faces; i++) {
		if (r->diff.face_from[i] == DIFFER_NEW && vnicd_peers_add_face(d, &d->face[i]) != 0)
			say(SAY_ERROR, "face %s: no memory to watch its peer; give EAL more (-m MIB)",
			    d->conf.face[i].name);
		change_face(d, i);
	}
}

static void replan(struct vnicd *d)
{
	if (vnicd_plan_create(d) != 0) {
		say(SAY_ERROR, "%s", d->why);
		vnicd_plan_destroy(d);
	}
	atomic_store(&d->plan_runs, d->plan != NULL);
}

static void apply(struct reload *r)
{
	struct vnicd *d = r->d;

	r->counts.changed = differ_say(d, r->next, &r->diff);
	atomic_store(&d->plan_runs, false);
	vnicd_lcores_quiesce(d);
	vnicd_plan_end(d);
	vnicd_telemetry_keep_out(d);
	if (r->diff.structure) {
		remove_all(r);
		add_all(r);
	} else {
		add_all(r); /* nothing comes: what stays is put into its place */
	}
	install(r);
	replan(d);
	if (r->diff.structure)
		vnicd_lcores_assign(d, true);
	vnicd_telemetry_let_in();
	if (r->diff.structure)
		vnicd_faces_check(d);
}

static int run(struct reload *r)
{
	if (read_again(r) != 0)
		return -1;
	r->next->control = r->d->control;
	r->next->control_lcore = r->d->control_lcore;
	r->next->relays = r->d->relays;
	differ_find(r->d, r->next, &r->diff);
	if (r->diff.structure) {
		if (open_free(r) != 0 || empty_faces(r) != 0 || stop_adapters(r) != 0)
			return -1;
	}
	apply(r);
	say(SAY_NOTICE, "reload of %s: %u changed, %u added, %u removed", r->d->conf.path, r->counts.changed,
	    r->counts.added, r->counts.removed);
	return r->failed ? -1 : 0;
}

int reload_run(struct vnicd *d, struct reload_counts *counts, char *why, size_t len)
{
	struct reload *r = calloc(1, sizeof(*r));
	struct vnicd *next = calloc(1, sizeof(*next));
	int rc = -1;

	*counts = (struct reload_counts){0};
	snprintf(why, len, "no memory; free some");
	if (r != NULL) {
		*r = (struct reload){.d = d, .next = next, .why = why, .len = len,
				     .ticket = vnic_ticket_create(-1)};
		if (next == NULL || r->ticket == NULL)
			refuse(r, "no memory; free some, or give EAL more (-m MIB)");
		else
			rc = run(r);
		*counts = r->counts;
		vnic_ticket_destroy(r->ticket);
	}
	free(next);
	free(r);
	return rc;
}
