/* SPDX-License-Identifier: BSD-3-Clause
 * reload_go.c - what a reload removes: emptied first, then taken from the lcores' rounds, destroyed last
 */
#include "reload_part.h"

#include <errno.h>
#include <inttypes.h>
#include <time.h>

#include "clock.h"
#include "say.h"

/* A stop waits some seconds for an NBL that a port has taken in part only. */
#define STOP_BOUND_MS 12000
#define BUSY_BOUND_MS 1000
#define NAP_NS 200000

static struct say_kind removals, returns;

/* ---- what goes is emptied ---- */

/* The main lcore polls what is its own. */
static void poll_or_nap(struct vnicd *d)
{
	const struct timespec nap = {.tv_nsec = NAP_NS};

	if (vnicd_lcores_poll_main(d) == 0)
		nanosleep(&nap, NULL);
}

/* While something is waited for, all is served as ever. */
static void attend(struct vnicd *d)
{
	vnicd_attend(d, 0);
	poll_or_nap(d);
}

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
	say_often(&returns, SAY_WARNING, "face %s: %" PRIu64 " queued packets were taken back, drain_ms = %" PRIu64
		  " was not enough for them; raise it before the next reload", f->conf->name,
		  verdict.aborted.packets, r->d->conf.global.drain_ms);
}

static void set_receive(const struct reload *r, bool on)
{
	for (uint32_t i = 0; i < r->d->conf.nb_faces; i++)
		if (!r->diff.face_stays[i])
			(on ? vnic_face_start_receive : vnic_face_stop_receive)(r->d->face[i].face);
}

/* Faces that go: nothing new, what is queued out or back. */
int reload_empty(struct reload *r)
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
	reload_close_new(r);
	return reload_refuse(r, "a port has taken a packet of a face that was to go in part only, and takes no more; "
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

int reload_go_on(struct reload *r, const char *name, const char *why)
{
	struct vnicd *d = r->d;

	for (uint32_t i = 0; i < d->conf.nb_adapters; i++)
		if (r->stopped[i]) {
			vnic_adapter_request(d->adapter[i].adapter, VNIC_CONTROL_START, 1, r->request);
			await(d, r->request, UINT64_MAX);
		}
	set_receive(r, true);
	reload_close_new(r);
	return reload_refuse(r, "%s: %s", name, why);
}

/* Those above others first; their pending requests end by it. */
int reload_stop(struct reload *r)
{
	struct vnicd *d = r->d;

	for (uint32_t i = d->conf.nb_adapters; i-- > 0;) {
		struct vnic_adapter *a = d->adapter[i].adapter;

		if (r->diff.adapter_stays[i] || !is_started(a))
			continue;
		r->stopped[i] = stop_one(d, a, r->request);
		if (!r->stopped[i])
			return reload_go_on(r, d->conf.adapter[i].name, "it cannot be stopped now; see to its port and "
					    "to who operates it, and reload again");
	}
	wait_empty(r, BUSY_BOUND_MS, false);
	vnicd_socket_answer(d);
	return 0;
}

const char *reload_started(const struct reload *r)
{
	const struct vnicd *d = r->d;

	for (uint32_t i = 0; i < d->conf.nb_adapters; i++)
		if (!r->diff.adapter_stays[i] && is_started(d->adapter[i].adapter))
			return d->conf.adapter[i].name;
	return NULL;
}

/* ---- and ends ---- */

static uint32_t ports_that_go(const struct vnicd *d, uint16_t *port)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < d->conf.nb_adapters; i++)
		if (d->adapter[i].leaves && d->adapter[i].port_open)
			port[n++] = d->adapter[i].port;
	for (uint32_t i = 0; i < d->conf.nb_faces; i++)
		if (d->face[i].leaves && d->face[i].port_open)
			port[n++] = d->face[i].port;
	return n;
}

static void quiesce(void *d)
{
	vnicd_lcores_quiesce(d);
}

void reload_close_ports(struct vnicd *d, const uint16_t *port, uint32_t n)
{
	vnic_ports_close(port, n, quiesce, d);
}

static void close_ports(struct vnicd *d, const uint16_t *port, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		vnicd_peers_remove(d, port[i]);
	reload_close_ports(d, port, n);
	for (uint32_t i = 0; i < d->conf.nb_adapters; i++)
		if (d->adapter[i].leaves && d->adapter[i].relay != NULL)
			relay_remove(d->adapter[i].relay);
	for (uint32_t i = 0; i < d->conf.nb_faces; i++)
		if (d->face[i].leaves && d->face[i].relay != NULL)
			relay_remove(d->face[i].relay);
}

/* Some of the daemon is gone: clients wait. */
static void attend_gone(struct vnicd *d)
{
	vnicd_peers_poll(d, 0);
	poll_or_nap(d);
}

/* Its client's last cancel may be about to end. */
static void destroy_face(struct reload *r, struct vnicd_face *f)
{
	uint64_t end = now_ms() + BUSY_BOUND_MS;
	int rc;

	vnicd_report_keep_face(r->d, f->face);
	while ((rc = vnic_face_destroy(f->face)) != 0 && now_ms() < end)
		attend_gone(r->d);
	f->face = NULL;
	r->counts.removed++;
	say_often(&removals, rc == 0 ? SAY_NOTICE : SAY_ERROR, "face %s: removed%s", f->conf->name, rc == 0 ? "" :
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
		attend_gone(r->d);
		vnicd_lcores_assign(r->d, false);
	}
	if (rc != 0)
		vnic_adapter_give_up_name(a->adapter);
	if (rc != 0 && gone->nb_kept < CONF_ADAPTERS_MAX)
		gone->adapter[gone->nb_kept++] = a->adapter;
	a->adapter = NULL;
	r->counts.removed++;
	say_often(&removals, SAY_NOTICE, "adapter %s: removed%s", a->conf->name,
		  rc == 0 ? "" : "; its memory is free when a port below has given its packets back");
}

static void destroy_kept(struct vnicd_gone *gone)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < gone->nb_kept; i++)
		if (vnic_adapter_destroy(gone->adapter[i]) != 0)
			gone->adapter[n++] = gone->adapter[i];
	gone->nb_kept = n;
}

void reload_remove(struct reload *r)
{
	uint16_t port[CONF_ADAPTERS_MAX + CONF_FACES_MAX];
	struct vnicd *d = r->d;
	uint32_t n;

	for (uint32_t i = 0; i < d->conf.nb_adapters; i++)
		d->adapter[i].leaves = !r->diff.adapter_stays[i];
	for (uint32_t i = 0; i < d->conf.nb_faces; i++)
		d->face[i].leaves = !r->diff.face_stays[i];
	n = ports_that_go(d, port);
	for (uint32_t i = 0; i < n; i++)
		vnicd_peers_settle(d, port[i]);
	vnicd_lcores_assign(d, true);
	for (uint32_t i = 0; i < d->conf.nb_adapters; i++)
		if (d->adapter[i].leaves)
			vnicd_peers_forget(d, d->adapter[i].adapter);
	close_ports(d, port, n);
	for (uint32_t i = 0; i < d->conf.nb_faces; i++)
		if (d->face[i].leaves)
			destroy_face(r, &d->face[i]);
}

void reload_destroy(struct reload *r)
{
	struct vnicd *d = r->d;

	for (uint32_t i = d->conf.nb_adapters; i-- > 0;)
		if (d->adapter[i].leaves)
			destroy_adapter(r, i);
	destroy_kept(&d->gone);
}
