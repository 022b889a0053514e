/* SPDX-License-Identifier: BSD-3-Clause
 * peers.c - who is on the other side of a port: a peer comes, a peer goes
 *
 * Main thread, but for on_link(). When a face's peer goes, its port is held, what the face has
 * queued is taken back, and the port is given to the next peer. What was received is ours: all
 * drivers here copy, or receive into buffers of our own, so that nothing queued lies in the memory
 * of a peer that is gone.
 */
#include "vnicd.h"

#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include <rte_ethdev.h>

#include "clock.h"
#include "relay.h"
#include "say.h"

#define GLANCE_MS 100 /* at the links */

enum phase {
	PEER_AWAY,
	PEER_HERE,
	PEER_LEAVING,  /* the port is to be held */
	PEER_ABORTING, /* what it had queued is being taken back */
	PEER_SETTLED,  /* nothing happens any more: its port is to go */
};

enum { HERE, CAME, LEFT, TAKEN_BACK, REFUSED, COUNTS };

struct peer {
	bool used;
	struct vnicd_face *face; /* or NULL, and adapters; it may move, */
	struct vnic_face *held;  /* this does not: on_link()'s */
	struct vnic_adapter *adapter[CONF_ADAPTERS_MAX]; /* all that have the port */
	uint32_t nb_adapters;
	char name[CONF_NAME];
	uint16_t port;
	struct relay *relay; /* NULL: the driver minds its peer itself */
	enum phase phase;
	bool link; /* at the last glance */
	bool watched; /* on_link() is registered */
	_Atomic uint32_t downs; /* on_link() */
	uint32_t downs_seen;
	struct vnic_ticket *ticket;
	_Atomic uint64_t count[COUNTS]; /* telemetry reads them */
	struct say_kind lines; /* one that comes and goes all the time does not fill the log */
};

#define PEERS_MAX (CONF_FACES_MAX + CONF_ADAPTERS_MAX)

struct vnicd_peers {
	uint64_t glance_ms;
	struct peer peer[PEERS_MAX]; /* a used one stays where it is */
};

/* relaxed, both: counts, that order nothing */
static uint64_t get(const struct peer *p, int which)
{
	return atomic_load_explicit(&p->count[which], memory_order_relaxed);
}

static void set(struct peer *p, int which, uint64_t value)
{
	atomic_store_explicit(&p->count[which], value, memory_order_relaxed);
}

/* ---- what it says ---- */

static void say_of(struct peer *p, enum say_level level, const char *what)
{
	say_often(&p->lines, level, "%s %s: %s", p->face != NULL ? "face" : "adapter", p->name, what);
}

static void say_come(struct peer *p)
{
	say_of(p, SAY_NOTICE, p->relay != NULL ? "a peer has come" : "its link is up");
}

/* What the next peer is to do, or the user. */
static void say_gone(struct peer *p, const char *taken_back)
{
	struct rte_eth_dev_info info;
	char text[400];

	if (p->relay != NULL) {
		const char *place, *next = relay_next(p->relay, &place);

		snprintf(text, sizeof(text), "its peer has left%s; %s %s", taken_back, next, place);
	} else {
		const char *driver = rte_eth_dev_info_get(p->port, &info) == 0 ? info.driver_name : "";
		const char *cure = "it goes on when the link is up again";

		if (strcmp(driver, "net_vhost") == 0)
			cure = "the next may attach to the same socket";
		else if (strcmp(driver, "net_virtio_user") == 0)
			cure = "to take the next peer let it be the socket's server (server=1 here), or start "
			       "vnicd again";
		else if (strcmp(driver, "net_tap") == 0)
			cure = "to go on set the interface up: ip link set IFACE up";
		snprintf(text, sizeof(text), "its link is down%s; %s", taken_back, cure);
	}
	say_of(p, SAY_NOTICE, text);
}

/* ---- links ---- */

static bool link_up(uint16_t port)
{
	struct rte_eth_link now;

	return rte_eth_link_get_nowait(port, &now) != 0 || now.link_status == RTE_ETH_LINK_UP;
}

/* The driver's thread, before another peer can come: from here on the poller keeps out. */
static int on_link(uint16_t port, enum rte_eth_event_type event, void *arg, void *ret)
{
	struct peer *p = arg;

	(void)event;
	(void)ret;
	if (link_up(port))
		return 0;
	vnic_face_hold(p->held);
	/* relaxed: it tells that it was, not when; the hold is looked for by itself */
	atomic_fetch_add_explicit(&p->downs, 1, memory_order_relaxed);
	return 0;
}

/* The face's poller need not look itself. */
static bool glance_at(const struct peer *p)
{
	bool up = link_up(p->port);

	vnic_face_tell_link(p->held, up);
	return up;
}

static bool went_down(struct peer *p)
{
	uint32_t downs = atomic_load_explicit(&p->downs, memory_order_relaxed);
	bool went = downs != p->downs_seen;

	p->downs_seen = downs;
	return went;
}

/* ---- steps ---- */

static void hold(const struct peer *p)
{
	if (p->face != NULL)
		vnic_face_hold(p->face->face);
	for (uint32_t i = 0; i < p->nb_adapters; i++)
		vnic_adapter_hold(p->adapter[i]);
}

static bool held(const struct peer *p)
{
	bool all = p->face == NULL || vnic_face_held(p->face->face);

	for (uint32_t i = 0; i < p->nb_adapters; i++)
		all &= vnic_adapter_held(p->adapter[i]);
	return all;
}

static void release(const struct peer *p)
{
	if (p->face != NULL)
		vnic_face_release(p->face->face);
	for (uint32_t i = 0; i < p->nb_adapters; i++)
		vnic_adapter_release(p->adapter[i]);
}

static void arrive(struct peer *p)
{
	p->phase = PEER_HERE;
	set(p, CAME, get(p, CAME) + 1);
	set(p, HERE, 1);
	say_come(p);
	release(p);
}

static void depart(struct peer *p)
{
	hold(p);
	p->phase = PEER_LEAVING;
}

/* Its port is held: let its driver know, take back what is queued. */
static void clear(struct peer *p)
{
	if (p->relay != NULL && relay_lost(p->relay))
		relay_cut(p->relay);
	/* of an adapter: it is told by its link, and does it itself */
	if (p->face != NULL && vnic_client_abort(vnic_face_client(p->face->face), p->ticket) != 0)
		return;
	p->phase = PEER_ABORTING;
}

static void finish(struct peer *p)
{
	struct vnic_verdict verdict = {0};
	char text[64] = "";

	if (p->face != NULL && vnic_ticket_verdict(p->ticket, &verdict) != 0)
		return;
	if (p->face != NULL)
		snprintf(text, sizeof(text), ", %" PRIu64 " queued packets were taken back",
			 verdict.aborted.packets);
	set(p, TAKEN_BACK, get(p, TAKEN_BACK) + verdict.aborted.packets);
	set(p, HERE, 0);
	set(p, LEFT, get(p, LEFT) + 1);
	p->phase = PEER_AWAY;
	say_gone(p, text);
	if (p->relay == NULL)
		release(p);
}

static void step_relayed(struct peer *p)
{
	const char *why;
	uint64_t refused = relay_refused(p->relay, &why);

	if (refused != get(p, REFUSED)) {
		char text[200];

		set(p, REFUSED, refused);
		snprintf(text, sizeof(text), "a peer was turned away: %s; start a memif peer that fits", why);
		say_of(p, SAY_WARNING, text);
	}
	if (p->phase == PEER_HERE && !relay_up(p->relay))
		depart(p);
	if (p->phase != PEER_AWAY)
		return;
	if (relay_lost(p->relay) && held(p))
		relay_cut(p->relay);
	else if (relay_up(p->relay) && link_up(p->port))
		arrive(p);
}

static void step_other(struct peer *p, bool glance)
{
	bool link = glance ? glance_at(p) : p->link;

	if (p->phase == PEER_LEAVING || p->phase == PEER_ABORTING)
		return;
	if (p->face->link_down) { /* told by us: nobody has left */
		if (went_down(p))
			release(p);
		return;
	}
	if (went_down(p)) {
		depart(p);
		p->link = false;
		return;
	}
	p->link = link;
	if (p->phase == PEER_HERE && !link)
		depart(p);
	else if (p->phase == PEER_AWAY && link)
		arrive(p);
}

static void step(struct peer *p, bool glance)
{
	if (p->phase == PEER_SETTLED)
		return;
	if (p->relay != NULL)
		step_relayed(p);
	else
		step_other(p, glance);
	if (p->phase == PEER_LEAVING && held(p))
		clear(p);
	if (p->phase == PEER_ABORTING)
		finish(p);
}

bool vnicd_peers_poll(struct vnicd *d, int wait_ms)
{
	struct vnicd_peers *all = d->peers;
	uint64_t now = now_ms();
	bool glance = now >= all->glance_ms, waits = d->relays != NULL;
	struct epoll_event event;

	if (waits) {
		epoll_wait(relays_fd(d->relays), &event, 1, wait_ms);
		relays_poll(d->relays);
	}
	if (glance)
		all->glance_ms = now + GLANCE_MS;
	for (uint32_t i = 0; i < PEERS_MAX; i++)
		if (all->peer[i].used)
			step(&all->peer[i], glance);
	return waits;
}

int vnicd_peers_fd(const struct vnicd *d)
{
	return d->relays != NULL ? relays_fd(d->relays) : -1;
}

bool vnicd_peer_stats(const struct vnicd *d, const char *face, struct vnicd_peer_stats *copy)
{
	for (uint32_t i = 0; i < PEERS_MAX; i++)
		if (d->peers->peer[i].face != NULL && strcmp(d->peers->peer[i].name, face) == 0) {
			const struct peer *p = &d->peers->peer[i];

			*copy = (struct vnicd_peer_stats){
				.here = get(p, HERE), .came = get(p, CAME), .left = get(p, LEFT),
				.taken_back = get(p, TAKEN_BACK), .refused = get(p, REFUSED)};
			return true;
		}
	return false;
}

/* ---- begin and end ---- */

/* Was the device made before, by EAL's --vdev? */
static bool exists(const char *devargs)
{
	char name[RTE_ETH_NAME_MAX_LEN];
	size_t len = strcspn(devargs, ",");
	uint16_t port;

	if (len >= sizeof(name)) /* no device has such a name */
		return false;
	memcpy(name, devargs, len);
	name[len] = '\0';
	return rte_eth_dev_get_port_by_name(name, &port) == 0;
}

const char *vnicd_peers_devargs(struct vnicd *d, const char *devargs, struct relay **relay,
				char own[RELAY_DEVARGS], char *why, size_t len)
{
	*relay = NULL;
	if (!relays_wanted(devargs))
		return devargs;
	if (exists(devargs)) {
		snprintf(why, len, "port %.*s: EAL's --vdev has made this memif, and nobody would look after "
			 "its peers; leave --vdev out, and give its arguments here",
			 (int)strcspn(devargs, ","), devargs);
		return NULL;
	}
	if (d->relays == NULL)
		d->relays = relays_create();
	if (d->relays == NULL) {
		snprintf(why, len, "no folder for memif's private sockets can be made in /tmp; make it writable");
		return NULL;
	}
	*relay = relays_add(d->relays, devargs, own, why, len);
	return *relay != NULL ? own : NULL;
}

static struct peer *add(struct vnicd_peers *all, const char *name, uint16_t port, struct relay *relay)
{
	struct peer *p = all->peer;

	while (p->used) /* there are as many as ports */
		p++;
	*p = (struct peer){.used = true};
	snprintf(p->name, sizeof(p->name), "%s", name);
	p->port = port;
	p->relay = relay;
	p->phase = PEER_AWAY;
	if (relay != NULL)
		relay_bind(relay, port);
	return p;
}

int vnicd_peers_add_face(struct vnicd *d, struct vnicd_face *f)
{
	struct vnic_ticket *ticket = vnic_ticket_create(-1);
	struct peer *p;

	if (ticket == NULL)
		return -1;
	p = add(d->peers, f->conf->name, f->port, f->relay);
	p->face = f;
	p->held = f->face;
	p->ticket = ticket;
	if (p->relay != NULL) {
		hold(p);
		return 0;
	}
	p->link = glance_at(p);
	p->phase = p->link ? PEER_HERE : PEER_AWAY;
	set(p, HERE, p->link);
	p->watched = rte_eth_dev_callback_register(p->port, RTE_ETH_EVENT_INTR_LSC, on_link, p) == 0;
	return 0;
}

/* All adapters that have its port; who is new there keeps out of it as the others do. */
static void find_adapters(struct vnicd *d, struct peer *p)
{
	p->nb_adapters = 0;
	for (uint32_t i = 0; i < d->conf.nb_adapters; i++)
		if (d->conf.adapter[i].nb_lower == 0 && d->adapter[i].port == p->port)
			p->adapter[p->nb_adapters++] = d->adapter[i].adapter;
	if (p->phase != PEER_HERE)
		hold(p);
}

/* If its driver must not be polled while a peer goes. */
void vnicd_peers_add_adapter(struct vnicd *d, uint32_t first)
{
	struct vnicd_adapter *a = &d->adapter[first];

	if (a->relay != NULL)
		find_adapters(d, add(d->peers, a->conf->name, a->port, a->relay));
}

void vnicd_peers_follow(struct vnicd *d)
{
	for (struct peer *p = d->peers->peer; p < d->peers->peer + PEERS_MAX; p++) {
		if (p->used && p->held == NULL)
			find_adapters(d, p);
		for (uint32_t i = 0; p->used && i < d->conf.nb_faces; i++)
			if (d->face[i].face == p->held)
				p->face = &d->face[i];
	}
}

void vnicd_peers_forget(struct vnicd *d, const struct vnic_adapter *adapter)
{
	for (struct peer *p = d->peers->peer; p < d->peers->peer + PEERS_MAX; p++) {
		uint32_t kept = 0;

		for (uint32_t i = 0; i < p->nb_adapters; i++)
			if (p->adapter[i] != adapter)
				p->adapter[kept++] = p->adapter[i];
		p->nb_adapters = kept;
	}
}

int vnicd_peers_open(struct vnicd *d)
{
	struct vnicd_peers *all = calloc(1, sizeof(*all));

	d->peers = all;
	for (uint32_t i = 0; all != NULL && i < d->conf.nb_adapters; i++)
		vnicd_peers_add_adapter(d, i);
	for (uint32_t i = 0; all != NULL && i < d->conf.nb_faces; i++)
		if (vnicd_peers_add_face(d, &d->face[i]) != 0)
			all = NULL;
	if (all != NULL)
		return 0;
	snprintf(d->why, sizeof(d->why), "no memory to watch peers; give EAL more memory (-m MIB)");
	return -1;
}

/* on_link() may be running, in the driver's thread: not any more when this returns. */
static void unwatch(struct peer *p)
{
	while (p->watched &&
	       rte_eth_dev_callback_unregister(p->port, RTE_ETH_EVENT_INTR_LSC, on_link, p) == -EAGAIN)
		sched_yield();
	p->watched = false;
}

void vnicd_peers_settle(struct vnicd *d, uint16_t port)
{
	for (struct peer *p = d->peers->peer; p < d->peers->peer + PEERS_MAX; p++) {
		if (!p->used || p->port != port)
			continue;
		unwatch(p);
		while (vnic_ticket_destroy(p->ticket) == -EBUSY)
			if (vnicd_lcores_poll_main(d) == 0)
				sched_yield();
		p->ticket = NULL;
		p->phase = PEER_SETTLED;
	}
}

void vnicd_peers_remove(struct vnicd *d, uint16_t port)
{
	for (struct peer *p = d->peers->peer; p < d->peers->peer + PEERS_MAX; p++) {
		if (!p->used || p->port != port)
			continue;
		if (p->relay != NULL)
			relay_stop(p->relay);
		*p = (struct peer){.used = false};
	}
}

void vnicd_peers_close(struct vnicd *d)
{
	if (d->peers == NULL)
		return;
	for (struct peer *p = d->peers->peer; p < d->peers->peer + PEERS_MAX; p++) {
		unwatch(p);
		vnic_ticket_destroy(p->ticket);
	}
	relays_stop(d->relays);
	free(d->peers);
	d->peers = NULL;
}
