/* SPDX-License-Identifier: BSD-3-Clause
 * liveness_test.c - contract N: with sends pending, completions keep coming (C76)
 *
 * Counted in steps where the sides are stepped by hand: of a port that takes k packets a
 * step, no NBL waits for more steps than its place in the queue tells. With threads and
 * with a pace it is time, and the bounds are the contract's own, which only a standstill
 * reaches: a machine may be slow.
 */
#include "bed.h"
#include "sides.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

#include <rte_cycles.h>

#define ID UINT64_C(0x1234)
#define OTHER UINT64_C(0x5678)
#define GAP_S 22     /* without any completion */
#define REQUEST_S 12 /* until the verdict of a cancel */
#define NBLS_MAX 63u

/* ---- steps ---- */

/* A full queue of NBLs of `packets` packets each, of which the port takes `room` at a step,
 * less where a burst ends: something leaves at each, and what has left is complete. */
static void check_steps(uint16_t packets, uint32_t room)
{
	struct bed *b = bed_open(&(struct bed_conf){.nb_mbufs = 1023});

	for (uint32_t i = 0; i < NBLS_MAX; i++)
		bed_nbl(b, ID, packets);
	bed_send(b, 0, NBLS_MAX);
	while (b->nb_done < NBLS_MAX) {
		uint32_t left = b->nb_log;

		bed_wire_room(b, room);
		bed_data(b);
		bed_wire_drain(b);
		assert_in_range(b->nb_log - left, 1, room);
		bed_poll(b);
		assert_int_equal(b->nb_done, b->nb_log / packets);
	}
	bed_close(b);
}

static void c76_each_step_completes_what_the_port_took(void **state)
{
	(void)state;
	for (uint16_t packets = 1; packets <= 8; packets++)
		for (uint32_t room = 1; room <= 5; room++)
			check_steps(packets, room);
}

/* Three senders keep their queues full; the fourth's one NBL waits for one turn of each. */
static void c76_nobody_is_starved(void **state)
{
	struct bed *b = bed_open(&(struct bed_conf){.nb_senders = 4});

	(void)state;
	for (int round = 0; round < 50; round++) {
		uint32_t one, steps = 0;

		for (uint32_t s = 0; s < 3; s++)
			while (vnic_sender_room(b->sender[s], 1) == 1)
				assert_int_equal(bed_send_by(b, s, bed_nbl(b, ID, 1), 1), 1);
		one = bed_nbl(b, ID, 1);
		assert_int_equal(bed_send_by(b, 3, one, 1), 1);
		while (!b->nbl[one].done) {
			bed_wire_room(b, 1);
			bed_data(b);
			bed_poll(b);
			assert_in_range(++steps, 1, 4);
		}
	}
	bed_close(b);
}

/* A cancel of the id or of none at each step: the others go on as if there were none. */
static void c76_cancels_do_not_hold_up_the_rest(void **state)
{
	struct bed *b = bed_open(NULL);
	uint64_t sent = 0;

	(void)state;
	bed_wire_room(b, 0);
	for (int step = 0; step < 2000; step++) {
		struct vnic_verdict v;

		if (vnic_sender_room(b->sender[0], 2) == 2) {
			bed_send_id(b, ID, 1);
			bed_send_id(b, OTHER, 1);
		}
		if (vnic_ticket_verdict(b->ticket, &v) != -EINPROGRESS)
			vnic_adapter_cancel(b->adapter, step % 2 ? ID : ID + 1, b->ticket);
		if (step % 3 != 0)
			bed_control(b);
		bed_wire_room(b, 1);
		bed_data(b);
		/* a stage that a cancel empties is filled at the next step */
		if (step % 2 == 1) {
			assert_true(bed_stats(b).sent.packets > sent);
			sent = bed_stats(b).sent.packets;
		}
		bed_poll(b);
	}
	bed_verdict(b, b->ticket);
	bed_close(b);
}

/* The port takes nothing, for as long as one likes: a cancel is answered, and completes. */
static void c76_a_cancel_ends_though_the_port_takes_nothing(void **state)
{
	struct bed *b = bed_open(NULL);

	(void)state;
	bed_wire_room(b, 0);
	for (int round = 0; round < 100; round++) {
		uint32_t first = bed_send_id(b, ID, 20);

		for (int i = 0; i < round; i++)
			bed_data(b);
		assert_int_equal(bed_cancel(b, ID).aborted.nbls, 20); /* in so few steps */
		bed_expect(b, first, 20, VNIC_STATUS_SEND_ABORTED);
	}
	bed_close(b);
}

/* ---- time ---- */

/* The longest time in which nothing was completed though something was pending. */
struct watch {
	uint64_t since;
	uint64_t longest;
};

static void watch(struct watch *w, struct bed *b, uint32_t completed)
{
	uint64_t now = rte_rdtsc();

	if (completed != 0 || w->since == 0)
		w->since = now;
	w->longest = RTE_MAX(w->longest, now - w->since);
	assert_true(w->longest < GAP_S * rte_get_tsc_hz());
	if (vnic_sender_outstanding(b->sender[0]) == 0)
		w->since = 0;
}

static void c76_a_paced_queue_drains(void **state)
{
	struct bed *b = bed_open(&(struct bed_conf){
		.pacing = {.packets_per_s = 500, .bits_per_s = 1000000, .burst_packets = 1}});
	struct watch w = {0};

	(void)state;
	bed_send_id(b, ID, 60);
	while (b->nb_done < 60) {
		bed_data(b);
		bed_wire_drain(b);
		watch(&w, b, bed_poll(b));
	}
	bed_close(b);
}

struct caller {
	struct bed *b;
	_Atomic bool *stop;
	uint64_t id;
	uint64_t calls;
	uint64_t slowest; /* from the call to the verdict, in ticks */
	int error;
};

static void *call_cancels(void *arg)
{
	struct caller *c = arg;
	struct vnic_ticket *t = vnic_ticket_create(-1);
	struct vnic_verdict v;

	while (!atomic_load(c->stop) && c->error == 0) {
		uint64_t begin = rte_rdtsc();

		c->error = vnic_adapter_cancel(c->b->adapter, c->id, t);
		while (c->error == 0 && vnic_ticket_verdict(t, &v) == -EINPROGRESS)
			sched_yield();
		c->slowest = RTE_MAX(c->slowest, rte_rdtsc() - begin);
		c->calls++;
	}
	if (c->error == 0)
		c->error = vnic_ticket_destroy(t);
	return NULL;
}

#define CALLERS 2
#define COMPLETIONS 20000

/* Cancels without a pause, of an id that is queued and of one that is not, while a port
 * that stops now and then is kept busy. */
static void c76_threads_completions_keep_coming(void **state)
{
	struct bed *b = bed_open(NULL);
	_Atomic bool stop = false;
	struct caller c[CALLERS];
	pthread_t thread[CALLERS];
	struct sides sides;
	struct watch w = {0};
	uint32_t full = 0;

	(void)state;
	sides_start(&sides, b);
	for (int i = 0; i < CALLERS; i++) {
		c[i] = (struct caller){.b = b, .stop = &stop, .id = ID + (uint64_t)i};
		assert_int_equal(pthread_create(&thread[i], NULL, call_cancels, &c[i]), 0);
	}
	while (b->nb_done < COMPLETIONS || vnic_sender_outstanding(b->sender[0]) != 0) {
		uint16_t n = vnic_sender_room(b->sender[0], 8);
		uint32_t first = b->nb_nbls;

		for (uint16_t i = 0; i < n && b->nb_done < COMPLETIONS; i++)
			bed_nbl(b, i % 2 == 0 ? ID : OTHER, 1);
		bed_send(b, first, (uint16_t)(b->nb_nbls - first));
		watch(&w, b, bed_poll(b));
		full = rte_ring_full(b->wire) ? full + 1 : 0;
		if (full == 8 || b->nb_done >= COMPLETIONS)
			bed_wire_drain(b);
		sched_yield();
	}
	atomic_store(&stop, true);
	for (int i = 0; i < CALLERS; i++) {
		assert_int_equal(pthread_join(thread[i], NULL), 0);
		assert_int_equal(c[i].error, 0);
		assert_true(c[i].calls >= 1);
		assert_true(c[i].slowest < REQUEST_S * rte_get_tsc_hz());
	}
	sides_stop(&sides);
	print_message("longest time without a completion: %.1f ms; cancels %lu and %lu\n",
		      1e3 * (double)w.longest / (double)rte_get_tsc_hz(),
		      (unsigned long)c[0].calls, (unsigned long)c[1].calls);
	assert_true(bed_count(b, 0, b->nb_nbls, VNIC_STATUS_SUCCESS) > COMPLETIONS / 4);
	bed_close(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(c76_each_step_completes_what_the_port_took),
		cmocka_unit_test(c76_nobody_is_starved),
		cmocka_unit_test(c76_cancels_do_not_hold_up_the_rest),
		cmocka_unit_test(c76_a_cancel_ends_though_the_port_takes_nothing),
		cmocka_unit_test(c76_a_paced_queue_drains),
		cmocka_unit_test(c76_threads_completions_keep_coming),
	};

	return cmocka_run_group_tests_name("conformance liveness", tests, test_eal_setup,
					   test_eal_teardown);
}
