/* SPDX-License-Identifier: BSD-3-Clause
 * peers_test.c - peers of ports: an adapter that goes is forgotten by those that share its port, a peer
 * for which there is no memory
 *
 * No port is there, and no library: what peers.c asks of both is noted here.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_log.h>

#include "relay.h"
#include "say.h"
#include "vnicd.h"

#define PORT 5
#define COUNT 3

struct vnic_adapter {
	uint32_t holds, releases;
	bool keeps; /* it never comes out of the port */
};

struct vnic_face {
	uint32_t holds;
};

struct vnic_ticket {
	bool pending;
};

struct relays {
	int unused;
};

static struct vnic_adapter adapter[COUNT];
static struct vnic_face face[COUNT];
static struct relay relay;
static bool relay_is_up, relay_is_lost;
static uint32_t cuts;
static struct relays relays;
static uint32_t nb_tickets, spared; /* so many yet, then there is no memory */
static uint32_t lines;
static struct vnicd *d;

/* ---- the library ---- */

void vnic_adapter_hold(struct vnic_adapter *a)
{
	a->holds++;
}

bool vnic_adapter_held(const struct vnic_adapter *a)
{
	return !a->keeps;
}

void vnic_adapter_release(struct vnic_adapter *a)
{
	a->releases++;
}

void vnic_face_tell_link(struct vnic_face *f, bool up)
{
	(void)f;
	(void)up;
}

void vnic_face_hold(struct vnic_face *f)
{
	f->holds++;
}

bool vnic_face_held(const struct vnic_face *f)
{
	(void)f;
	return true;
}

void vnic_face_release(struct vnic_face *f)
{
	(void)f;
}

struct vnic_client *vnic_face_client(const struct vnic_face *f)
{
	(void)f;
	return NULL;
}

int vnic_client_abort(struct vnic_client *c, struct vnic_ticket *t)
{
	(void)c;
	t->pending = true;
	return 0;
}

struct vnic_ticket *vnic_ticket_create(int numa_node)
{
	(void)numa_node;
	if (spared == 0)
		return NULL;
	spared--;
	nb_tickets++;
	return calloc(1, sizeof(struct vnic_ticket));
}

int vnic_ticket_destroy(struct vnic_ticket *t)
{
	nb_tickets -= t != NULL;
	free(t);
	return 0;
}

int vnic_ticket_verdict(const struct vnic_ticket *t, struct vnic_verdict *verdict)
{
	(void)verdict;
	return t->pending ? -EBUSY : 0;
}

/* ---- relays, and vnicd ---- */

bool relays_wanted(const char *devargs)
{
	(void)devargs;
	return false;
}

struct relays *relays_create(void)
{
	return NULL;
}

struct relay *relays_add(struct relays *rs, const char *devargs, char own[RELAY_DEVARGS], char *why, size_t len)
{
	(void)rs;
	(void)devargs;
	(void)own;
	(void)why;
	(void)len;
	return NULL;
}

void relay_bind(struct relay *r, uint16_t port)
{
	(void)r;
	assert_int_equal(port, PORT);
}

void relays_poll(struct relays *rs)
{
	(void)rs;
}

int relays_fd(const struct relays *rs)
{
	(void)rs;
	return -1;
}

void relay_stop(struct relay *r)
{
	(void)r;
}

void relays_stop(struct relays *rs)
{
	(void)rs;
}

bool relay_up(const struct relay *r)
{
	(void)r;
	return relay_is_up;
}

bool relay_lost(const struct relay *r)
{
	(void)r;
	return relay_is_lost;
}

void relay_cut(struct relay *r)
{
	(void)r;
	relay_is_lost = false;
	cuts++;
}

uint64_t relay_refused(const struct relay *r, const char **why)
{
	(void)r;
	*why = NULL;
	return 0;
}

const char *relay_next(const struct relay *r, const char **place)
{
	(void)r;
	*place = "here";
	return "the next may attach to";
}

uint32_t vnicd_lcores_poll_main(struct vnicd *daemon)
{
	(void)daemon;
	return 0;
}

void say(enum say_level level, const char *format, ...)
{
	(void)level;
	(void)format;
}

void say_often(struct say_kind *kind, enum say_level level, const char *format, ...)
{
	(void)kind;
	(void)level;
	(void)format;
	lines++;
}

/* ---- a vnicd ---- */

static int set_up(void **state)
{
	(void)state;
	rte_log_set_global_level(RTE_LOG_EMERG); /* there is no such port */
	memset(adapter, 0, sizeof(adapter));
	memset(face, 0, sizeof(face));
	relay_is_up = relay_is_lost = false;
	cuts = 0;
	lines = 0;
	spared = UINT32_MAX;
	d = calloc(1, sizeof(*d));
	return d == NULL ? -1 : 0;
}

static int tear_down(void **state)
{
	(void)state;
	vnicd_peers_close(d);
	free(d);
	return nb_tickets == 0 ? 0 : -1;
}

static void add_adapters(void)
{
	d->relays = &relays;
	d->conf.nb_adapters = COUNT;
	for (uint32_t i = 0; i < COUNT; i++) {
		snprintf(d->conf.adapter[i].name, CONF_NAME, "a%u", i);
		d->adapter[i].conf = &d->conf.adapter[i];
		d->adapter[i].adapter = &adapter[i];
		d->adapter[i].port = PORT;
	}
	d->adapter[0].relay = &relay;
}

static void add_faces(void)
{
	d->conf.nb_faces = COUNT;
	for (uint32_t i = 0; i < COUNT; i++) {
		snprintf(d->conf.face[i].name, CONF_NAME, "f%u", i);
		d->face[i].conf = &d->conf.face[i];
		d->face[i].face = &face[i];
		d->face[i].port = (uint16_t)(PORT + i);
	}
}

static void poll_some(void)
{
	for (int i = 0; i < 5; i++)
		vnicd_peers_poll(d, 0);
}

/* ---- tests ---- */

/* Three adapters share a memif port, and one goes: its peer comes and leaves as ever, and nobody holds, waits
 * for, or lets in the one that is no more. */
static void forgotten(void **state)
{
	(void)state;
	add_adapters();
	assert_int_equal(vnicd_peers_open(d), 0);
	for (uint32_t i = 0; i < COUNT; i++)
		assert_int_equal(adapter[i].holds, 1); /* until one comes */
	relay_is_up = true;
	poll_some();
	for (uint32_t i = 0; i < COUNT; i++)
		assert_int_equal(adapter[i].releases, 1);
	vnicd_peers_forget(d, &adapter[1]);
	adapter[1].keeps = true;
	relay_is_up = false;
	relay_is_lost = true;
	poll_some();
	assert_int_equal(cuts, 1); /* its poller was not waited for */
	relay_is_up = true;
	poll_some();
	for (uint32_t i = 0; i < COUNT; i++) {
		assert_int_equal(adapter[i].holds, i == 1 ? 1 : 2);
		assert_int_equal(adapter[i].releases, i == 1 ? 1 : 2);
	}
	assert_int_equal(lines, 3);
	/* one that is not there, and all of them */
	for (uint32_t i = 0; i < COUNT; i++)
		vnicd_peers_forget(d, &adapter[i]);
	relay_is_up = false;
	relay_is_lost = true;
	poll_some();
	assert_int_equal(cuts, 2);
	assert_int_equal(adapter[0].holds + adapter[2].holds, 4);
}

/* At a start it is the line; those that were there are given back. */
static void no_memory_at_a_start(void **state)
{
	(void)state;
	add_faces();
	spared = 1;
	assert_int_equal(vnicd_peers_open(d), -1);
	assert_non_null(strstr(d->why, "no memory to watch peers"));
	assert_int_equal(nb_tickets, 1);
	vnicd_peers_close(d);
	assert_int_equal(nb_tickets, 0);
}

/* For one that comes later: it has no peer, the others keep theirs, and the next try succeeds. */
static void no_memory_later(void **state)
{
	struct vnicd_peer_stats stats;

	(void)state;
	add_faces();
	d->conf.nb_faces = COUNT - 1;
	assert_int_equal(vnicd_peers_open(d), 0);
	d->conf.nb_faces = COUNT;
	spared = 0;
	assert_int_equal(vnicd_peers_add_face(d, &d->face[2]), -1);
	poll_some();
	assert_true(vnicd_peer_stats(d, "f1", &stats));
	assert_false(vnicd_peer_stats(d, "f2", &stats));
	assert_int_equal(nb_tickets, 2);
	spared = 1;
	assert_int_equal(vnicd_peers_add_face(d, &d->face[2]), 0);
	assert_true(vnicd_peer_stats(d, "f2", &stats));
	vnicd_peers_settle(d, PORT);
	vnicd_peers_remove(d, PORT);
	assert_false(vnicd_peer_stats(d, "f0", &stats));
	assert_int_equal(nb_tickets, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(forgotten, set_up, tear_down),
		cmocka_unit_test_setup_teardown(no_memory_at_a_start, set_up, tear_down),
		cmocka_unit_test_setup_teardown(no_memory_later, set_up, tear_down),
	};

	return cmocka_run_group_tests_name("peers", tests, NULL, NULL);
}
