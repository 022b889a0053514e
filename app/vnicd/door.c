/* SPDX-License-Identifier: BSD-3-Clause
 * door.c - the places where memif's clients come to us
 */
#include "door.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "channel.h"
#include "clock.h"
#include "descriptor.h"

/* A guest is told of net_memif's own limit, since one that is told of fewer goes on to use the
 * rest. */
#define RINGS_TOLD 255

/* ---- doors ---- */

void doors_init(struct doors *ds, int waker)
{
	ds->waker = waker;
	for (uint32_t i = 0; i < DOORS_MAX; i++)
		ds->door[i].fd = -1;
	for (uint32_t i = 0; i < GUESTS_MAX; i++)
		ds->guest[i].fd = -1;
}

/* The relay of the door with this id. */
static struct relay *host(const struct door *door, uint32_t id)
{
	struct relay *r = door->first;

	while (r != NULL && r->id != id)
		r = r->next;
	return r;
}

static struct door *find(struct doors *ds, const struct relay *r)
{
	for (struct door *d = ds->door; d < ds->door + DOORS_MAX; d++)
		if (d->fd >= 0 && d->len == r->at_len && memcmp(&d->at, &r->at, r->at_len) == 0)
			return d;
	return NULL;
}

static int open_for(struct doors *ds, const struct relay *r, struct door **opened)
{
	struct door *d = ds->door;
	int fd = channel_listen(&r->at, r->at_len, ds->waker);

	if (fd < 0)
		return fd;
	while (d->fd >= 0) /* there are as many as relays */
		d++;
	*d = (struct door){.fd = fd, .at = r->at, .len = r->at_len, .all = ds};
	*opened = d;
	return 0;
}

int doors_add(struct doors *ds, struct relay *r)
{
	struct door *door = find(ds, r);
	struct relay **last;
	int rc = 0;

	if (door == NULL)
		rc = open_for(ds, r, &door);
	else if (host(door, r->id) != NULL)
		rc = -EEXIST;
	if (rc != 0)
		return rc;
	for (last = &door->first; *last != NULL;)
		last = &(*last)->next;
	*last = r;
	r->door = door;
	return 0;
}

static void close_door(struct door *door)
{
	struct doors *ds = door->all;

	for (uint32_t i = 0; i < GUESTS_MAX; i++)
		if (ds->guest[i].door == door)
			descriptor_close(&ds->guest[i].fd);
	descriptor_close(&door->fd);
	if (door->at.sun_path[0] != '\0')
		unlink(door->at.sun_path);
}

void doors_remove(struct relay *r)
{
	struct relay **at;

	if (r->door == NULL)
		return;
	for (at = &r->door->first; *at != r;)
		at = &(*at)->next;
	*at = r->next;
	if (r->door->first == NULL)
		close_door(r->door);
	r->door = NULL;
	r->next = NULL;
}

/* ---- guests ---- */

/* One more; false: nobody is there. */
static bool greet(struct doors *ds, struct door *door)
{
	const struct memif_message hello = {
		.type = MEMIF_HELLO,
		.hello = {.name = "vnicd", .min_version = MEMIF_VERSION, .max_version = MEMIF_VERSION,
			  .max_region = MEMIF_REGIONS_MAX - 1, .max_s2c_ring = RINGS_TOLD,
			  .max_c2s_ring = RINGS_TOLD, .max_log2_ring = MEMIF_LOG2_RING_MAX}};
	struct guest *g = &ds->guest[0];
	int fd = channel_accept(door->fd, ds->waker);

	if (fd < 0)
		return false;
	for (uint32_t i = 1; i < GUESTS_MAX && g->fd >= 0; i++)
		if (ds->guest[i].fd < 0 || ds->guest[i].since_ms < g->since_ms)
			g = &ds->guest[i];
	descriptor_close(&g->fd); /* the one that has been silent longest */
	*g = (struct guest){.fd = fd, .door = door, .since_ms = now_ms()};
	channel_give(fd, &hello, -1);
	return true;
}

static void dismiss(struct relay *r, struct guest *g, const char *why)
{
	relay_refuse(r, g->fd, why);
	descriptor_close(&g->fd);
}

static void hear(struct doors *ds, struct guest *g)
{
	int fd;

	switch (channel_take(g->fd, &g->init, &fd)) {
	case CHANNEL_NOTHING: break;
	case CHANNEL_END: descriptor_close(&g->fd); break;
	case CHANNEL_GARBAGE: dismiss(g->door->first, g, "no memif message"); break;
	case CHANNEL_MESSAGE:
		if (fd >= 0 || g->init.type != MEMIF_INIT || g->init.init.version != MEMIF_VERSION ||
		    g->init.init.mode != 0)
			dismiss(g->door->first, g, "no INIT of this version for Ethernet");
		else {
			g->has_said = true;
			descriptor_heed(ds->waker, g->fd, false); /* what it says next is its relay's to read */
		}
		descriptor_close(&fd);
	}
}

/* To the relay that it has asked for. */
static void lead(struct guest *g)
{
	struct relay *r = host(g->door, g->init.init.id);

	if (r == NULL)
		dismiss(g->door->first, g, "an id that no face has");
	else if (!relay_knows_secret(r, &g->init))
		dismiss(r, g, "a wrong secret");
	else if (relay_has_peer(r))
		dismiss(r, g, "already connected");
	else if (relay_is_free(r)) {
		relay_take(r, g->fd, &g->init);
		g->fd = -1;
	} else if (channel_hung_up(g->fd))
		descriptor_close(&g->fd);
	else if (now_ms() - g->since_ms >= RELAY_PATIENCE_MS)
		dismiss(r, g, "not ready");
}

static void serve(struct doors *ds, struct guest *g)
{
	if (!g->has_said)
		hear(ds, g);
	if (g->fd < 0)
		return;
	if (g->has_said)
		lead(g);
	else if (now_ms() - g->since_ms >= RELAY_PATIENCE_MS)
		dismiss(g->door->first, g, "silence");
}

void doors_poll(struct doors *ds)
{
	for (struct door *d = ds->door; d < ds->door + DOORS_MAX; d++)
		for (uint32_t n = 0; n < GUESTS_MAX / 2 && d->fd >= 0 && greet(ds, d); n++)
			;
	for (uint32_t i = 0; i < GUESTS_MAX; i++)
		if (ds->guest[i].fd >= 0)
			serve(ds, &ds->guest[i]);
}
