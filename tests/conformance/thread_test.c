/* SPDX-License-Identifier: BSD-3-Clause
 * thread_test.c - contract A and E with threads (C4, C25, C28, C29)
 *
 * For TSan above all: the sides run freely, each in its thread.
 */
#include "bed.h"
#include "sides.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <rte_pause.h>

#define ID UINT64_C(0x1234)
#define OTHER UINT64_C(0x5678)

/* ---- many callers ---- */

#define CALLERS 4
#define CALLS 2000

struct caller {
	struct bed *b;
	_Atomic int *running;
	uint64_t id;
	uint64_t unknown;
	uint64_t aborted;
	int error;
};

static void *call_cancels(void *arg)
{
	struct caller *c = arg;
	struct vnic_ticket *t = vnic_ticket_create(-1);
	struct vnic_verdict v;

	for (int i = 0; i < CALLS && c->error == 0; i++) {
		c->error = vnic_adapter_cancel(c->b->adapter, c->id, t);
		while (c->error == 0 && vnic_ticket_verdict(t, &v) == -EINPROGRESS)
			sched_yield();
		c->unknown += v.unknown;
		c->aborted += v.aborted.nbls;
	}
	if (c->error == 0)
		c->error = vnic_ticket_destroy(t);
	atomic_fetch_sub(c->running, 1);
	return NULL;
}

/* Threads cancel `id` over and over while this one steps the others `until` they end. */
static void with_callers(struct bed *b, struct caller *c, uint64_t id, void (*step)(struct bed *b))
{
	_Atomic int running = CALLERS;
	pthread_t thread[CALLERS];

	for (int i = 0; i < CALLERS; i++) {
		c[i] = (struct caller){.b = b, .running = &running, .id = id};
		assert_int_equal(pthread_create(&thread[i], NULL, call_cancels, &c[i]), 0);
	}
	while (atomic_load(&running) != 0) {
		step(b);
		bed_control(b);
		sched_yield();
	}
	for (int i = 0; i < CALLERS; i++) {
		assert_int_equal(pthread_join(thread[i], NULL), 0);
		assert_int_equal(c[i].error, 0);
	}
}

static void step_data(struct bed *b)
{
	bed_data(b);
}

static void c25_unknown_id_from_many_threads(void **state)
{
	struct bed *b = bed_open(NULL);
	struct caller c[CALLERS];

	(void)state;
	bed_wire_room(b, 0);
	bed_send_id(b, OTHER, 50);
	with_callers(b, c, ID, step_data);
	for (int i = 0; i < CALLERS; i++)
		assert_int_equal(c[i].unknown, CALLS);
	assert_int_equal(bed_stats(b).cancels, CALLERS * CALLS);
	bed_settle(b);
	bed_expect(b, 0, 50, VNIC_STATUS_SUCCESS);
	bed_close(b);
}

static void step_send(struct bed *b)
{
	bed_wire_room(b, (uint32_t)b->nb_nbls % 4);
	if (vnic_sender_room(b->sender[0], 8) == 8)
		bed_send_id(b, ID, 8);
	bed_data(b);
	bed_poll(b);
}

static void c29_many_threads_cancel_one_id(void **state)
{
	struct bed *b = bed_open(NULL);
	struct caller c[CALLERS];
	uint64_t aborted = 0;

	(void)state;
	with_callers(b, c, ID, step_send);
	for (int i = 0; i < CALLERS; i++)
		aborted += c[i].aborted;
	bed_settle(b);
	assert_int_equal(aborted, bed_stats(b).aborted.nbls);
	assert_true(aborted > 100);
	bed_close(b);
}

/* ---- free running sides ---- */

#define SCRIBBLE 0x5a
#define SCRIBBLES_MAX 64

static uint32_t written_to;

/* What comes out of the poll is scribbled over at once, the newest first, and looked at a
 * little later: a side that writes to it after its completion does so within that time. */
static void scribble(struct vnic_nbl **nbls, uint16_t n)
{
	struct vnic_nbl content[SCRIBBLES_MAX], mark;

	memset(&mark, SCRIBBLE, sizeof(mark));
	for (uint16_t i = n; i-- != 0;) {
		content[i] = *nbls[i];
		*nbls[i] = mark;
	}
	for (int i = 0; i < 20; i++)
		rte_pause();
	for (uint16_t i = 0; i < n; i++) {
		written_to += memcmp(nbls[i], &mark, sizeof(mark)) != 0;
		*nbls[i] = content[i];
	}
}

/* Data and control run freely, this thread sends, cancels, polls and takes the wire. The
 * bed checks that each NBL ends once and that the wire has what was sent, no more. */
static void c28_threads_end_each_nbl_once(void **state)
{
	struct bed *b = bed_open(NULL);
	struct sides sides;
	uint64_t aborted = 0;
	unsigned int seed = 3, full = 0;

	(void)state;
	b->polled = scribble;
	sides_start(&sides, b);
	for (int round = 0; round < 3000; round++) {
		uint16_t n = (uint16_t)(1 + rand_r(&seed) % 32), taken;
		uint32_t first = b->nb_nbls;
		struct vnic_verdict v;

		for (uint16_t i = 0; i < n; i++)
			bed_nbl(b, 1 + (uint64_t)rand_r(&seed) % 4,
				(uint16_t)(1 + rand_r(&seed) % 3));
		taken = bed_send_by(b, 0, first, n);
		bed_discard(b, first + taken, (uint16_t)(n - taken));
		if (vnic_ticket_verdict(b->ticket, &v) != -EINPROGRESS) {
			aborted += round != 0 ? v.aborted.nbls : 0;
			vnic_adapter_cancel(b->adapter, 1 + (uint64_t)rand_r(&seed) % 4, b->ticket);
		}
		bed_poll(b);
		full = rte_ring_full(b->wire) ? full + 1 : 0;
		if (full == 8) /* for a while the port refuses, so that NBLs are staged */
			bed_wire_drain(b);
		bed_stats(b);
		sched_yield();
	}
	assert_int_equal(written_to, 0);
	while (vnic_sender_outstanding(b->sender[0]) != 0) {
		bed_poll(b);
		bed_wire_drain(b);
		sched_yield();
	}
	sides_stop(&sides);
	aborted += bed_verdict(b, b->ticket).aborted.nbls;
	assert_int_equal(aborted, bed_stats(b).aborted.nbls);
	bed_close(b);
}

static void c4_threads_do_not_touch_what_is_completed(void **state)
{
	struct bed *b = bed_open(NULL);
	struct sides sides;

	(void)state;
	b->polled = scribble;
	sides_start(&sides, b);
	for (int round = 0; round < 3000; round++) {
		struct vnic_verdict v;

		bed_send_id(b, round % 2 == 0 ? ID : OTHER, 32);
		if (vnic_ticket_verdict(b->ticket, &v) != -EINPROGRESS)
			vnic_adapter_cancel(b->adapter, ID, b->ticket);
		for (uint32_t i = 0; vnic_sender_outstanding(b->sender[0]) != 0; i++)
			if (bed_poll(b) == 0 && i % 64 == 63)
				sched_yield(); /* or the window is missed */
		bed_wire_drain(b);
	}
	sides_stop(&sides);
	assert_int_equal(written_to, 0);
	bed_verdict(b, b->ticket);
	bed_close(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(c25_unknown_id_from_many_threads),
		cmocka_unit_test(c29_many_threads_cancel_one_id),
		cmocka_unit_test(c28_threads_end_each_nbl_once),
		cmocka_unit_test(c4_threads_do_not_touch_what_is_completed),
	};

	return cmocka_run_group_tests_name("conformance thread", tests, test_eal_setup,
					   test_eal_teardown);
}
