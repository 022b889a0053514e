/* SPDX-License-Identifier: BSD-3-Clause
 * pace_test.c - an adapter's pace is set while it runs, by any thread
 */
#include "bed.h"
#include "sides.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

#include <rte_cycles.h>

#include "adapter.h"

#define ID UINT64_C(0x1234)
#define SETTERS 3
#define SETS 20000

static const struct vnic_pacing none, one = {.packets_per_s = 1, .burst_packets = 1};

static void set(struct bed *b, const struct vnic_pacing *rate)
{
	struct vnic_pacing got;

	vnic_adapter_set_pacing(b->adapter, rate);
	vnic_adapter_pacing(b->adapter, &got);
	assert_int_equal(got.packets_per_s, rate->packets_per_s);
	assert_int_equal(got.bits_per_s, rate->bits_per_s);
	assert_int_equal(got.burst_packets, rate->burst_packets);
}

static uint32_t polls(struct bed *b, int n)
{
	uint32_t left = 0;

	while (n-- > 0) {
		bed_data(b);
		left += bed_wire_drain(b);
		bed_poll(b);
	}
	return left;
}

static void a_pace_counts_from_the_next_poll(void **state)
{
	struct bed *b = bed_open(NULL);
	uint64_t begin = rte_rdtsc(), seconds;
	uint32_t left;

	(void)state;
	bed_send_id(b, ID, 60);
	set(b, &one);
	left = polls(b, 100);
	seconds = (rte_rdtsc() - begin) / rte_get_tsc_hz();
	assert_in_range(left, 0, seconds + 1);
	set(b, &(struct vnic_pacing){.bits_per_s = 8});
	left += polls(b, 100); /* a bit is enough to begin with a frame */
	assert_in_range(left, 0, seconds + 2);
	set(b, &none);
	assert_int_equal(polls(b, 3), 60 - left);
	bed_close(b);
}

/* Whose turn it is matters from the moment on that there is a pace, and goes by its units. */
static void turns_begin_with_a_pace(void **state)
{
	struct bed *b = bed_open(&(struct bed_conf){.nb_senders = 2});

	(void)state;
	assert_false(vnic__fair_on(&b->adapter->fair));
	set(b, &one);
	bed_data(b);
	assert_true(vnic__fair_on(&b->adapter->fair));
	b->adapter->sender[0]->credit = 12345;
	set(b, &(struct vnic_pacing){.bits_per_s = 8});
	bed_data(b);
	assert_int_equal(b->adapter->sender[0]->credit, 0);
	set(b, &none);
	bed_close(b);
}

/* A layer keeps its own. */
static void a_layer_has_a_pace_too(void **state)
{
	struct bed *wire = bed_open(NULL);
	struct bed *b = bed_open(&(struct bed_conf){.lower = {wire}, .nb_lower = 1});

	(void)state;
	set(b, &one);
	bed_data_all(b);
	bed_send_id(b, ID, 20);
	for (int i = 0; i < 100; i++)
		bed_data_all(b);
	assert_in_range(bed_wire_drain(wire), 0, 2);
	set(b, &none);
	bed_settle(b);
	bed_close(b);
	bed_close(wire);
}

/* ---- threads ---- */

struct setter {
	struct bed *b;
	uint32_t random;
	_Atomic int *running;
	bool torn;
};

/* The three belong together. */
static struct vnic_pacing paces(uint32_t k)
{
	return (struct vnic_pacing){.packets_per_s = k, .bits_per_s = UINT64_C(8000) * k, .burst_packets = k + 7};
}

static void *set_over_and_over(void *arg)
{
	struct setter *s = arg;
	struct vnic_pacing got, rate;

	for (int i = 0; i < SETS; i++) {
		s->random = s->random * 1664525u + 1013904223u;
		rate = paces(1000000 + (s->random >> 12));
		vnic_adapter_set_pacing(s->b->adapter, &rate);
		vnic_adapter_pacing(s->b->adapter, &got);
		rate = paces((uint32_t)got.packets_per_s);
		s->torn |= got.bits_per_s != rate.bits_per_s || got.burst_packets != rate.burst_packets;
	}
	atomic_fetch_sub(s->running, 1);
	return NULL;
}

static void threads_set_it_while_packets_leave(void **state)
{
	const struct vnic_pacing first = paces(1000000);
	struct bed *b = bed_open(&(struct bed_conf){.pacing = first});
	struct setter setter[SETTERS];
	pthread_t thread[SETTERS];
	_Atomic int running = SETTERS;
	struct vnic_pacing last;
	uint64_t sent = 0;

	(void)state;
	for (uint32_t i = 0; i < SETTERS; i++) {
		setter[i] = (struct setter){.b = b, .random = i, .running = &running};
		assert_int_equal(pthread_create(&thread[i], NULL, set_over_and_over, &setter[i]), 0);
	}
	while (atomic_load(&running) != 0 || sent == 0) {
		if (vnic_sender_room(b->sender[0], 1) == 1)
			bed_send_id(b, ID, 1);
		sent += polls(b, 1);
		/* what the pacer has is of one setting: a bit costs the 8000th part of a packet */
		assert_in_range(b->adapter->pacer.bits.cost * 8000 / (b->adapter->pacer.packets.cost / 100), 90, 110);
		sched_yield();
	}
	for (uint32_t i = 0; i < SETTERS; i++) {
		assert_int_equal(pthread_join(thread[i], NULL), 0);
		assert_false(setter[i].torn);
	}
	bed_data(b);
	vnic_adapter_pacing(b->adapter, &last);
	assert_false(vnic__pace_changed(&b->adapter->pace, b->adapter->pace_seen));
	bed_close(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_pace_counts_from_the_next_poll),
		cmocka_unit_test(turns_begin_with_a_pace),
		cmocka_unit_test(a_layer_has_a_pace_too),
		cmocka_unit_test(threads_set_it_while_packets_leave),
	};

	return cmocka_run_group_tests_name("conformance pace", tests, test_eal_setup, test_eal_teardown);
}
