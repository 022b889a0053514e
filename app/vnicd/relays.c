/* SPDX-License-Identifier: BSD-3-Clause
 * relays.c - the relays of all memif ports
 */
#include "relays.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "clock.h"
#include "descriptor.h"
#include "devargs.h"
#include "door.h"
#include "folder.h"
#include "kick.h"
#include "relay.h"

#define RELAYS_MAX DOORS_MAX

struct relays {
	int waker;
	struct folder folder; /* of the private sockets */
	struct kicker kicker;
	struct doors doors;
	struct relay relay[RELAYS_MAX];
};

struct relays *relays_create(void)
{
	struct relays *rs = calloc(1, sizeof(*rs));

	if (rs == NULL)
		return NULL;
	rs->waker = descriptor_waker();
	doors_init(&rs->doors, rs->waker);
	if (rs->waker >= 0 && folder_make(&rs->folder) == 0) {
		kicker_open(&rs->kicker);
		return rs;
	}
	descriptor_close(&rs->waker);
	free(rs);
	return NULL;
}

void relays_destroy(struct relays *rs)
{
	if (rs == NULL)
		return;
	for (uint32_t i = 0; i < RELAYS_MAX; i++)
		if (rs->relay[i].used)
			relay_remove(&rs->relay[i]);
	kicker_close(&rs->kicker);
	descriptor_close(&rs->waker);
	folder_remove(&rs->folder);
	free(rs);
}

void relays_poll(struct relays *rs)
{
	/* who has gone makes room for who comes */
	for (uint32_t i = 0; i < RELAYS_MAX; i++)
		if (rs->relay[i].used)
			relay_poll(&rs->relay[i]);
	doors_poll(&rs->doors);
}

int relays_fd(const struct relays *rs)
{
	return rs->waker;
}

void relays_stop(struct relays *rs)
{
	uint64_t end = now_ms() + RELAY_STOP_MS;

	for (uint32_t i = 0; rs != NULL && i < RELAYS_MAX; i++)
		if (rs->relay[i].used)
			relay_stop_until(&rs->relay[i], end);
}

/* ---- one more, one less ---- */

bool relays_wanted(const char *devargs)
{
	return devargs_driver(devargs, "net_memif");
}

void relay_remove(struct relay *r)
{
	doors_remove(r);
	relay_close(r);
}

static struct relay *free_place(struct relays *rs)
{
	for (uint32_t i = 0; i < RELAYS_MAX; i++)
		if (!rs->relay[i].used)
			return &rs->relay[i];
	return NULL;
}

static int fail(char *why, size_t len, const struct relay *r, const char *what, const char *cure)
{
	snprintf(why, len, "memif socket %s: %s; %s", r->place, what, cure);
	return -1;
}

static int make(struct relays *rs, struct relay *r, const struct memif_args *a, char *why, size_t len)
{
	char path[64];
	int rc;

	*r = (struct relay){.used = true, .waker = rs->waker, .kicker = &rs->kicker, .own_fd = -1,
			    .peer_fd = -1, .driver_fd = -1};
	snprintf(path, sizeof(path), "%s/%u", rs->folder.path, (uint32_t)(r - rs->relay));
	rc = relay_open(r, a, path);
	if (rc == 0 && r->server)
		rc = doors_add(&rs->doors, r);
	if (rc == 0)
		return 0;
	if (rc == -EEXIST)
		fail(why, len, r, "two faces there have one id", "give each an id=N of its own");
	else
		fail(why, len, r, place_error(rc), place_cure(rc));
	relay_close(r);
	return -1;
}

struct relay *relays_add(struct relays *rs, const char *devargs, char own[RELAY_DEVARGS], char *why,
			 size_t len)
{
	struct relay *r = free_place(rs);
	struct memif_args a;

	if (r == NULL) {
		snprintf(why, len, "more than %u memif ports; use fewer", RELAYS_MAX);
		return NULL;
	}
	if (memif_args_read(&a, devargs, own, RELAY_DEVARGS) != 0) {
		snprintf(why, len, "its arguments are not KEY=VALUE[,KEY=VALUE]...; see memif in DPDK's guide");
		return NULL;
	}
	if (make(rs, r, &a, why, len) != 0)
		return NULL;
	memif_args_finish(&a, r->own.sun_path);
	return r;
}
