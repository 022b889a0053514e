/* SPDX-License-Identifier: BSD-3-Clause
 * order_test.c - contract C: order on the wire (C14, C15); turns between senders, and how
 * much the port may hold
 */
#include "bed.h"

#include <stdlib.h>

#include <rte_cycles.h>

#include "adapter.h"

#define ID UINT64_C(0x1234)
#define OTHER UINT64_C(0x5678)

/* The log from `at` on rises: serials are given in the order of sending. */
static void expect_rising(const struct bed *b, uint32_t at)
{
	for (uint32_t i = at + 1; i < b->nb_log; i++)
		assert_true(b->log[i - 1] < b->log[i]);
}

/* ---- C14 ---- */

static void c14_packets_of_an_nbl_in_order(void **state)
{
	struct bed *b = bed_open(NULL);

	(void)state;
	for (uint32_t i = 0; i < 10; i++) {
		uint32_t serial = b->nb_packets;

		bed_packet(b, 64);
		bed_packet_chain(b, 1500, 30);
		bed_packet_chain(b, 33, 3);
		bed_packet(b, 1518);
		bed_packet(b, 20);
		bed_nbl_of(b, ID, serial, 5);
	}
	bed_send(b, 0, 10);
	bed_settle(b);
	assert_int_equal(b->nb_log, 50);
	expect_rising(b, 0);
	bed_close(b);
}

/* The port takes 0..9 packets at a time, sends and refusals between. */
static void c14_nbls_in_order_of_their_sends(void **state)
{
	struct bed *b = bed_open(NULL);
	unsigned int seed = 1;

	(void)state;
	for (int step = 0; step < 3000; step++) {
		uint32_t first = b->nb_nbls;
		uint16_t n = (uint16_t)(rand_r(&seed) % 8), taken;

		for (uint16_t i = 0; i < n; i++) {
			bed_nbl(b, ID, (uint16_t)(1 + rand_r(&seed) % 4));
			if (rand_r(&seed) % 10 == 0) /* refused */
				b->nbl[first + i].nbl->nb_packets = 0;
		}
		taken = bed_send_by(b, 0, first, n);
		bed_discard(b, first + taken, (uint16_t)(n - taken));
		bed_wire_room(b, (uint32_t)rand_r(&seed) % 10);
		bed_data(b);
		bed_poll(b);
	}
	bed_settle(b);
	assert_true(b->nb_log > 5000);
	expect_rising(b, 0);
	bed_close(b);
}

/* Two senders: each one's order stands, whatever the turns are. */
static void c14_each_sender_has_its_order(void **state)
{
	struct bed *b = bed_open(&(struct bed_conf){.nb_senders = 2});
	uint32_t last[2] = {0, 0}, count[2] = {0, 0};
	unsigned int seed = 2;

	(void)state;
	for (int step = 0; step < 2000; step++) {
		uint32_t nbl = bed_nbl(b, ID, (uint16_t)(1 + rand_r(&seed) % 3));

		if (bed_send_by(b, (uint32_t)rand_r(&seed) % 2, nbl, 1) == 0)
			bed_discard(b, nbl, 1);
		if (step % 3 == 0) {
			bed_wire_room(b, (uint32_t)rand_r(&seed) % 8);
			bed_data(b);
			bed_poll(b);
		}
	}
	bed_settle(b);
	for (uint32_t i = 0; i < b->nb_log; i++) {
		uint32_t s = b->nbl[b->packet[b->log[i]].nbl].sender;

		assert_true(count[s]++ == 0 || last[s] < b->log[i]);
		last[s] = b->log[i];
	}
	assert_true(count[0] > 1000 && count[1] > 1000);
	bed_close(b);
}

/* Completions of what was sent come in order too. */
static void c14_completions_of_the_sent_in_order(void **state)
{
	struct bed *b = bed_open(NULL);

	(void)state;
	for (uint32_t i = 0; i < 60; i++)
		bed_nbl(b, ID, (uint16_t)(1 + i % 5));
	bed_send(b, 0, 60);
	bed_settle(b);
	for (uint32_t i = 0; i < 60; i++)
		assert_int_equal(b->nbl[i].order, i);
	bed_close(b);
}

/* ---- C15 ---- */

/* 60 NBLs of which `period` and `phase` choose the cancelled ones; `staged` polls of the
 * data side before, against a port that takes three packets and no more. */
static void check_left_in_order(uint32_t period, uint32_t phase, bool staged)
{
	struct bed *b = bed_open(NULL);
	uint32_t aborted;

	if (staged)
		bed_wire_room(b, 3);
	for (uint32_t i = 0; i < 60; i++)
		bed_nbl(b, i % period == phase ? ID : OTHER + i, (uint16_t)(1 + i % 2));
	bed_send(b, 0, 60);
	if (staged)
		bed_data(b);
	aborted = (uint32_t)bed_cancel(b, ID).aborted.nbls;
	assert_int_equal(bed_count(b, 0, 60, VNIC_STATUS_SEND_ABORTED), aborted);
	bed_settle(b);
	assert_int_equal(bed_count(b, 0, 60, VNIC_STATUS_SUCCESS), 60 - aborted);
	assert_true(staged || aborted == (60 - phase + period - 1) / period);
	expect_rising(b, 0);
	bed_close(b);
}

static void c15_the_rest_leaves_in_order(void **state)
{
	(void)state;
	for (uint32_t period = 2; period < 7; period++)
		for (uint32_t phase = 0; phase < period; phase++) {
			check_left_in_order(period, phase, false);
			check_left_in_order(period, phase, true);
		}
}

/* ---- turns ---- */

/* Time stands still but for what a packet costs: the pace allows exactly one now. */
static void allow_one_packet(struct bed *b)
{
	struct vnic__bucket *bucket = &b->adapter->pacer.packets;

	bucket->empty_at = (rte_rdtsc() << VNIC__PACER_FRACTION) - bucket->cost;
}

/* One packet at a time, by the pace or by the port: two senders that always have
 * something get half each, whatever their NBLs hold. */
static void check_halves(const struct bed_conf *conf, bool by_port)
{
	struct bed *b = bed_open(conf);
	uint32_t count[2] = {0, 0};

	for (uint32_t s = 0; s < 2; s++)
		for (uint32_t i = 0; i < 60; i++)
			assert_int_equal(bed_send_by(b, s, bed_nbl(b, ID, s == 0 ? 1 : 8), 1), 1);
	for (uint32_t i = 0; i < 100; i++) {
		if (by_port)
			bed_wire_room(b, 1);
		else
			allow_one_packet(b);
		for (int k = 0; k < 3; k++)
			bed_data(b);
		assert_int_equal(bed_wire_drain(b), 1);
		bed_poll(b);
	}
	for (uint32_t i = 0; i < 100; i++)
		count[b->nbl[b->packet[b->log[i]].nbl].sender]++;
	assert_int_equal(count[0], 50);
	assert_int_equal(count[1], 50);
	bed_cancel(b, ID);
	b->adapter->pacer.packets.cost = 0; /* unlimited: what was begun may leave */
	bed_close(b);
}

static void fair_under_a_pace_of_one_packet(void **state)
{
	(void)state;
	check_halves(&(struct bed_conf){.nb_senders = 2,
					.pacing = {.packets_per_s = 1, .burst_packets = 1}},
		     false);
}

static void fair_at_a_port_that_takes_one_packet(void **state)
{
	(void)state;
	check_halves(&(struct bed_conf){.nb_senders = 2}, true);
}

/* ---- in flight ---- */

static void the_port_holds_no_more_than_the_limit(void **state)
{
	struct bed *b = bed_open(&(struct bed_conf){.nb_senders = 2});

	(void)state;
	bed_port_holds(b, 8);
	for (uint32_t s = 0; s < 2; s++)
		bed_send_by(b, s, bed_nbl(b, ID, 5), 1);
	bed_send_id(b, ID, 30);
	for (uint32_t step = 0; step < 10; step++) {
		bed_data(b);
		bed_data(b);
		bed_wire_drain(b); /* the port took them; whether they have left is another thing */
		assert_int_equal(b->nb_log, b->left + 8);
		b->left += step % 4;
	}
	bed_cancel(b, ID); /* what is above the limit can still be had */
	assert_int_equal(bed_stats(b).aborted.nbls, 32 - 2 - (b->nb_log - 10));
	b->left = 1000;
	bed_close(b);
}

static void the_limit_is_not_kept_by_a_port_that_tells_nothing(void **state)
{
	struct bed *b = bed_open(NULL);
	struct vnic_adapter_conf conf = {
		.name = "told", .port = b->port, .in_flight = 16, .numa_node = -1};
	struct vnic_adapter *a = vnic_adapter_create(b->control, &conf);

	(void)state;
	assert_int_equal(vnic_adapter_in_flight(b->adapter), VNIC_IN_FLIGHT_NONE);
	assert_non_null(a);
	assert_int_equal(vnic_adapter_in_flight(a), VNIC_IN_FLIGHT_UNKNOWN);
	assert_int_equal(vnic_adapter_destroy(a), 0);
	bed_close(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(c14_packets_of_an_nbl_in_order),
		cmocka_unit_test(c14_nbls_in_order_of_their_sends),
		cmocka_unit_test(c14_each_sender_has_its_order),
		cmocka_unit_test(c14_completions_of_the_sent_in_order),
		cmocka_unit_test(c15_the_rest_leaves_in_order),
		cmocka_unit_test(fair_under_a_pace_of_one_packet),
		cmocka_unit_test(fair_at_a_port_that_takes_one_packet),
		cmocka_unit_test(the_port_holds_no_more_than_the_limit),
		cmocka_unit_test(the_limit_is_not_kept_by_a_port_that_tells_nothing),
	};

	return cmocka_run_group_tests_name("conformance order", tests, test_eal_setup,
					   test_eal_teardown);
}
