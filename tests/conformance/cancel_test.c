/* SPDX-License-Identifier: BSD-3-Clause
 * cancel_test.c - contract D: cancel by id (C16-C18, C20, C23, C24), its verdict
 *
 * That an aborted NBL never reaches the wire [C23] is checked by the bed in every test:
 * at the wire for each packet, and at the end for all of them.
 */
#include "bed.h"

#define ID UINT64_C(0x1234)
#define OTHER UINT64_C(0x5678)

static void expect_verdict(const struct vnic_verdict *v, uint64_t nbls, uint64_t packets,
			   uint64_t late)
{
	assert_int_equal(v->aborted.nbls, nbls);
	assert_int_equal(v->aborted.packets, packets);
	assert_int_equal(v->too_late, late);
	assert_int_equal(v->unknown, nbls == 0 && late == 0);
}

/* ---- C16 ---- */

static void c16_every_match_aborted_once(void **state)
{
	struct bed *b = bed_open(NULL);
	struct vnic_verdict v;
	uint32_t packets = 0;

	(void)state;
	for (uint16_t i = 0; i < 60; i++) {
		bed_nbl(b, i % 3 == 0 ? ID : OTHER + i, (uint16_t)(1 + i % 8));
		packets += i % 3 == 0 ? 1u + i % 8u : 0;
	}
	bed_send(b, 0, 60);
	v = bed_cancel(b, ID);
	expect_verdict(&v, 20, packets, 0);
	for (uint32_t i = 0; i < 60; i += 3)
		bed_expect(b, i, 1, VNIC_STATUS_SEND_ABORTED);
	v = bed_cancel(b, ID);
	expect_verdict(&v, 0, 0, 0);
	bed_close(b);
}

static void c16_staged_ones_too(void **state)
{
	struct bed *b = bed_open(NULL);
	struct vnic_verdict v;

	(void)state;
	bed_wire_room(b, 0);
	for (uint32_t i = 0; i < 60; i++)
		bed_nbl(b, i % 2 == 0 ? ID : OTHER, 2);
	bed_send(b, 0, 60);
	bed_data(b); /* 32 staged, 28 queued */
	assert_int_equal(vnic_adapter_cancel(b->adapter, ID, b->ticket), 0);
	bed_control(b);
	assert_int_equal(bed_poll(b), 14); /* the queued ones at once */
	v = bed_verdict(b, b->ticket);
	expect_verdict(&v, 30, 60, 0);
	assert_int_equal(bed_poll(b), 16);
	bed_settle(b);
	assert_int_equal(bed_count(b, 0, 60, VNIC_STATUS_SEND_ABORTED), 30);
	assert_int_equal(bed_count(b, 0, 60, VNIC_STATUS_SUCCESS), 30);
	bed_close(b);
}

/* A run of the id begins in the stage and goes on in the queue, and the places of its
 * staged part are used again: that the run is longer than what is left of it shows. */
static void c16_a_run_that_begins_in_the_stage(void **state)
{
	(void)state;
	for (uint16_t staged = 1; staged < 8; staged++) {
		struct bed *b = bed_open(&(struct bed_conf){.burst = staged});
		struct vnic_verdict v;

		bed_wire_room(b, 0);
		bed_send_id(b, ID, staged);
		bed_data(b);
		bed_send_id(b, ID, 5);
		bed_send_id(b, OTHER, 59); /* the queue is full: the staged ones' places too */
		v = bed_cancel(b, ID);
		expect_verdict(&v, staged + 5u, staged + 5u, 0);
		bed_expect(b, 0, staged + 5u, VNIC_STATUS_SEND_ABORTED);
		bed_close(b);
	}
}

static void c16_of_all_senders(void **state)
{
	struct bed *b = bed_open(&(struct bed_conf){.nb_senders = 4});
	struct vnic_verdict v;

	(void)state;
	bed_wire_room(b, 0);
	for (uint32_t s = 0; s < 3; s++) { /* the last sender's queue stays empty */
		for (uint32_t i = 0; i < 20; i++)
			bed_send_by(b, s, bed_nbl(b, i % 2 == 0 ? ID : OTHER, 1), 1);
		if (s == 1)
			bed_data(b); /* the first two senders' are staged */
	}
	v = bed_cancel(b, ID);
	expect_verdict(&v, 30, 30, 0);
	bed_settle(b);
	assert_int_equal(bed_count(b, 0, 60, VNIC_STATUS_SEND_ABORTED), 30);
	bed_close(b);
}

/* One sender's staged NBLs wait for the data side; the other ring's come at once. */
static void c16_one_sender_staged_one_not(void **state)
{
	struct bed *b = bed_open(&(struct bed_conf){.nb_senders = 2});
	struct vnic_verdict v;

	(void)state;
	bed_wire_room(b, 0);
	bed_send_id(b, ID, 5);
	bed_data(b);
	bed_send_by(b, 1, bed_nbl(b, ID, 3), 1);
	assert_int_equal(vnic_adapter_cancel(b->adapter, ID, b->ticket), 0);
	bed_control(b);
	assert_int_equal(bed_poll(b), 1);
	assert_int_equal(vnic_ticket_verdict(b->ticket, &v), -EINPROGRESS);
	v = bed_verdict(b, b->ticket);
	expect_verdict(&v, 6, 8, 0);
	bed_close(b);
}

static void c16_abort_takes_every_id_and_none(void **state)
{
	struct bed *b = bed_open(&(struct bed_conf){.nb_senders = 2});
	struct vnic_verdict v;

	(void)state;
	bed_wire_room(b, 0);
	for (uint32_t i = 0; i < 50; i++)
		bed_send_by(b, 0, bed_nbl(b, i % 4, 2), 1); /* id 0 too */
	bed_data(b);
	for (uint32_t i = 0; i < 50; i++)
		bed_send_by(b, 1, bed_nbl(b, i % 4, 1), 1);
	v = bed_cancel(b, 0);
	expect_verdict(&v, 100, 150, 0);
	bed_expect(b, 0, 100, VNIC_STATUS_SEND_ABORTED);
	v = bed_cancel(b, 0);
	expect_verdict(&v, 0, 0, 0);
	bed_send_id(b, 0, 3); /* one-shot too */
	bed_settle(b);
	bed_expect(b, 100, 3, VNIC_STATUS_SUCCESS);
	bed_close(b);
}

/* ---- C17 ---- */

static void c17_the_others_are_sent(void **state)
{
	struct bed *b = bed_open(NULL);

	(void)state;
	for (uint32_t round = 0; round < 200; round++) {
		uint32_t first = b->nb_nbls;

		for (uint32_t i = 0; i < 40; i++)
			bed_nbl(b, i % 5 == round % 5 ? ID : OTHER + i % 7, 1);
		bed_send(b, first, 40);
		if (round % 3 == 0) {
			bed_wire_room(b, round % 7);
			bed_data(b);
		}
		bed_cancel(b, ID);
		for (uint32_t i = 0; i < 40; i++)
			if (i % 5 != round % 5)
				assert_true(!b->nbl[first + i].done ||
					    b->nbl[first + i].status == VNIC_STATUS_SUCCESS);
		bed_settle(b);
		for (uint32_t i = 0; i < 40; i++)
			if (i % 5 != round % 5)
				bed_expect(b, first + i, 1, VNIC_STATUS_SUCCESS);
	}
	bed_close(b);
}

/* ---- C18 ---- */

struct pattern {
	uint32_t nb; /* NBLs queued */
	bool (*takes)(uint32_t i);
};

static bool first_one(uint32_t i) { return i == 0; }
static bool middle_one(uint32_t i) { return i == 31; }
static bool last_one(uint32_t i) { return i == 63; }
static bool both_ends(uint32_t i) { return i == 0 || i == 63; }
static bool every_one(uint32_t i) { return i < 64; }
static bool in_runs(uint32_t i) { return i / 4 % 2 == 1; }
static bool alternating(uint32_t i) { return i % 2 == 0; }
static bool all_but_one(uint32_t i) { return i != 40; }

/* Queued only; the first 20 staged; all that fits staged; and with three packets gone. */
static void check_pattern(void **state)
{
	const struct pattern *p = *state;
	const struct bed_conf conf = {.burst = 20};

	for (int how = 0; how < 4; how++) {
		struct bed *b = bed_open(how == 1 ? &conf : NULL);
		uint32_t matches = 0, gone = how == 3 ? (p->nb < 3 ? p->nb : 3) : 0;

		bed_wire_room(b, gone);
		for (uint32_t i = 0; i < p->nb; i++) {
			bed_nbl(b, p->takes(i) ? ID : OTHER + i / 3, 1);
			matches += i >= gone && p->takes(i);
		}
		bed_send(b, 0, (uint16_t)p->nb);
		if (how != 0)
			bed_data(b);
		assert_int_equal(bed_cancel(b, ID).aborted.nbls, matches);
		for (uint32_t i = gone; i < p->nb; i++)
			assert_int_equal(b->nbl[i].done, p->takes(i));
		bed_settle(b);
		for (uint32_t i = gone; i < p->nb; i++)
			bed_expect(b, i, 1,
				   p->takes(i) ? VNIC_STATUS_SEND_ABORTED : VNIC_STATUS_SUCCESS);
		bed_close(b);
	}
}

/* ---- C20 ---- */

static void c20_the_other_adapter_is_not_touched(void **state)
{
	struct bed *a = bed_open(NULL);
	struct bed *b = bed_open(&(struct bed_conf){.beside = a});

	(void)state;
	bed_wire_room(a, 0);
	bed_wire_room(b, 0);
	for (int round = 0; round < 2; round++) { /* staged ones, then queued ones */
		bed_send_id(a, ID, 10);
		bed_send_id(b, ID, 10);
		bed_data(a);
		bed_data(b);
	}
	assert_int_equal(bed_cancel(a, ID).aborted.nbls, 20);
	bed_data(b);
	assert_int_equal(bed_poll(b), 0);
	assert_int_equal(bed_stats(b).queued.nbls, 20);
	assert_int_equal(bed_stats(b).cancels, 0);
	assert_int_equal(bed_stats(a).cancels, 1);
	bed_settle(b);
	bed_expect(b, 0, 20, VNIC_STATUS_SUCCESS);
	bed_close(b);
	bed_close(a);
}

/* Tickets for both at once, one control side. */
static void c20_both_adapters_at_once(void **state)
{
	struct bed *a = bed_open(NULL);
	struct bed *b = bed_open(&(struct bed_conf){.beside = a});
	struct vnic_verdict v;

	(void)state;
	bed_wire_room(a, 0);
	bed_wire_room(b, 0);
	bed_send_id(a, ID, 10);
	bed_send_id(b, ID, 7);
	bed_data(a);
	bed_data(b);
	assert_int_equal(vnic_adapter_cancel(a->adapter, ID, a->ticket), 0);
	assert_int_equal(vnic_adapter_cancel(b->adapter, ID, b->ticket), 0);
	v = bed_verdict(b, b->ticket);
	expect_verdict(&v, 7, 7, 0);
	v = bed_verdict(a, a->ticket);
	expect_verdict(&v, 10, 10, 0);
	bed_close(b);
	bed_close(a);
}

/* ---- C23 ---- */

/* Counted at the wire, packet by packet: short ones, copied ones, parts of long NBLs. */
static void c23_aborted_ones_never_reach_the_wire(void **state)
{
	struct bed *b = bed_open(NULL);
	uint32_t aborted = 0;

	(void)state;
	for (uint32_t round = 0; round < 300; round++) {
		for (uint32_t i = 0; i < 8; i++) {
			uint32_t serial = b->nb_packets;

			for (uint32_t k = 0; k <= i % 3; k++)
				bed_packet_chain(b, 40 + 10 * (round % 5), (uint16_t)(1 + i % 2));
			bed_nbl_of(b, i % 4 == 0 ? ID : OTHER, serial, (uint16_t)(1 + i % 3));
		}
		bed_send(b, round * 8, 8);
		bed_wire_room(b, round % 6);
		bed_data(b);
		bed_cancel(b, round % 2 == 0 ? ID : OTHER);
		bed_wire_room(b, 3);
		bed_data(b);
		bed_cancel(b, ID);
		bed_settle(b);
	}
	for (uint32_t i = 0; i < b->nb_packets; i++) {
		bool sent = b->nbl[b->packet[i].nbl].status == VNIC_STATUS_SUCCESS;

		assert_int_equal(b->packet[i].on_wire, sent);
		aborted += !sent;
	}
	assert_in_range(aborted, 1000, b->nb_packets - 1000);
	bed_close(b);
}

/* ---- C24, decision 8 ---- */

static void c24_d8_all_64_bits_count(void **state)
{
	const uint64_t id = UINT64_C(0x0123456789abcdef);
	struct bed *b = bed_open(&(struct bed_conf){.depth = 128});

	(void)state;
	for (int staged = 0; staged < 2; staged++) {
		uint32_t first = b->nb_nbls;

		bed_wire_room(b, 0);
		for (uint32_t bit = 0; bit < 64; bit++)
			bed_nbl(b, id ^ UINT64_C(1) << bit, 1);
		bed_nbl(b, id, 1);
		bed_send(b, first, 65);
		if (staged)
			bed_data(b);
		assert_int_equal(bed_cancel(b, id).aborted.nbls, 1);
		bed_expect(b, first + 64, 1, VNIC_STATUS_SEND_ABORTED);
		for (uint32_t bit = 0; bit < 64; bit += 2) {
			assert_int_equal(bed_cancel(b, id ^ UINT64_C(1) << bit).aborted.nbls, 1);
			bed_expect(b, first + bit, 1, VNIC_STATUS_SEND_ABORTED);
		}
		bed_settle(b);
		for (uint32_t bit = 1; bit < 64; bit += 2)
			bed_expect(b, first + bit, 1, VNIC_STATUS_SUCCESS);
	}
	bed_close(b);
}

/* Ids by the thousand in a queue of 64 places: many share their place in any index. */
static void c24_ids_that_share_a_bucket(void **state)
{
	struct bed *b = bed_open(NULL);

	(void)state;
	for (uint64_t round = 0; round < 200; round++) {
		uint32_t first = b->nb_nbls;

		for (uint64_t i = 0; i < 60; i++)
			bed_nbl(b, 1 + round * 977 + i % 30 * 64, 1);
		bed_send(b, first, 60);
		for (uint64_t i = 0; i < 30; i += 3)
			assert_int_equal(bed_cancel(b, 1 + round * 977 + i * 64).aborted.nbls, 2);
		for (uint32_t i = 0; i < 60; i++)
			assert_int_equal(b->nbl[first + i].done, i % 30 % 3 == 0);
		bed_settle(b);
	}
	bed_close(b);
}

/* ---- the verdict ---- */

static void verdict_of_late_ones(void **state)
{
	struct bed *b = bed_open(&(struct bed_conf){.burst = 2});
	struct vnic_verdict v;

	(void)state;
	bed_send_id(b, ID, 3);
	assert_int_equal(vnic_adapter_cancel(b->adapter, ID, b->ticket), 0);
	bed_data(b); /* two leave between the call and its application */
	v = bed_verdict(b, b->ticket);
	expect_verdict(&v, 1, 1, 2);
	bed_send_id(b, ID, 3);
	assert_int_equal(vnic_adapter_cancel(b->adapter, ID, b->ticket), 0);
	bed_data(b);
	bed_data(b);
	v = bed_verdict(b, b->ticket);
	expect_verdict(&v, 0, 0, 3);
	assert_int_equal(bed_stats(b).too_late, 5);
	assert_int_equal(bed_stats(b).cancels_unknown, 0);
	bed_close(b);
}

/* Staged at the call; the port wakes before the data side is asked, or after. */
static void verdict_of_staged_ones(void **state)
{
	struct bed *b = bed_open(NULL);
	struct vnic_verdict v;

	(void)state;
	bed_wire_room(b, 0);
	bed_send_id(b, ID, 3);
	bed_data(b);
	assert_int_equal(vnic_adapter_cancel(b->adapter, ID, b->ticket), 0);
	bed_wire_room(b, 2);
	bed_data(b); /* two leave */
	v = bed_verdict(b, b->ticket);
	expect_verdict(&v, 1, 1, 2);
	bed_settle(b);

	bed_wire_room(b, 0);
	bed_send_id(b, ID, 3);
	bed_data(b);
	assert_int_equal(vnic_adapter_cancel(b->adapter, ID, b->ticket), 0);
	bed_control(b); /* asked first: it helps before it hands down */
	bed_wire_room(b, 2);
	v = bed_verdict(b, b->ticket);
	expect_verdict(&v, 3, 3, 0);
	bed_close(b);
}

/* too_late is of those that were queued or staged at the call: what the port had before is
 * no part of the verdict, even while later ones of its burst are still staged. */
static void verdict_leaves_out_what_was_sent_before_the_call(void **state)
{
	struct bed *b = bed_open(NULL);
	struct vnic_verdict v;

	(void)state;
	bed_wire_room(b, 2);
	bed_send_id(b, ID, 2);
	bed_send_id(b, OTHER, 2);
	bed_data(b);
	assert_int_equal(bed_poll(b), 2); /* SUCCESS, both of ID */
	v = bed_cancel(b, ID);
	expect_verdict(&v, 0, 0, 0);
	bed_close(b);
}

/* The late ones of one sender and the staged ones of another are different ones. */
static void verdict_adds_up_over_senders(void **state)
{
	struct bed *b = bed_open(&(struct bed_conf){.nb_senders = 2});
	struct vnic_verdict v;

	(void)state;
	bed_wire_room(b, 0);
	bed_send_by(b, 1, bed_nbl(b, ID, 1), 1);
	bed_data(b); /* staged; then its place in the queue is used again */
	for (uint64_t i = 0; i < 64; i++)
		bed_send_by(b, 1, bed_nbl(b, OTHER + 64 * i, 1), 1);
	bed_send_by(b, 0, bed_nbl(b, ID, 1), 1);
	assert_int_equal(vnic_adapter_cancel(b->adapter, ID, b->ticket), 0);
	bed_wire_room(b, 1);
	bed_data(b); /* it is the first sender's turn: its NBL leaves, late */
	v = bed_verdict(b, b->ticket);
	bed_poll(b);
	bed_expect(b, 0, 1, VNIC_STATUS_SEND_ABORTED);
	bed_expect(b, 65, 1, VNIC_STATUS_SUCCESS);
	expect_verdict(&v, 1, 1, 1);
	bed_close(b);
}

/* A late one is late, not unknown, even if its place in the queue is used again before the
 * cancel reaches it. */
static void verdict_of_a_late_one_whose_place_is_used_again(void **state)
{
	struct bed *b = bed_open(NULL);
	struct vnic_verdict v;

	(void)state;
	bed_send_id(b, ID, 1);
	assert_int_equal(vnic_adapter_cancel(b->adapter, ID, b->ticket), 0);
	bed_data(b);
	for (uint64_t i = 0; i < 64; i++)
		bed_send(b, bed_nbl(b, OTHER + 64 * i, 1), 1);
	v = bed_verdict(b, b->ticket);
	assert_int_equal(v.aborted.nbls, 0);
	assert_false(v.unknown); /* how many were late, the queue no longer says */
	bed_close(b);
}

static void verdict_and_latencies_are_counted(void **state)
{
	struct bed *b = bed_open(NULL);
	struct vnic_histogram h;
	struct vnic_verdict v;

	(void)state;
	bed_send_id(b, ID, 2);
	v = bed_cancel(b, ID);
	assert_in_range(v.latency_ns, 1, 1000000000);
	v = bed_cancel(b, OTHER);
	assert_in_range(v.latency_ns, 1, 1000000000);
	vnic_adapter_latency(b->adapter, VNIC_LATENCY_COMPLETION, &h);
	assert_int_equal(h.count, 1);
	vnic_adapter_latency(b->adapter, VNIC_LATENCY_VERDICT, &h);
	assert_int_equal(h.count, 2);
	assert_true(h.max >= v.latency_ns);
	vnic_adapter_latency(b->adapter, VNIC_LATENCY_WALK, &h);
	assert_int_equal(h.count, 2);
	assert_int_equal(bed_stats(b).cancels, 2);
	assert_int_equal(bed_stats(b).cancels_unknown, 1);
	bed_close(b);
}

/* A step that completed NBLs has moved something. */
static void a_step_that_only_helps_counts_as_work(void **state)
{
	struct bed *b = bed_open(NULL);

	(void)state;
	bed_wire_room(b, 0);
	bed_send_id(b, ID, 3);
	bed_data(b);
	assert_int_equal(bed_data(b), 0); /* nothing to do */
	assert_int_equal(vnic_adapter_cancel(b->adapter, ID, b->ticket), 0);
	bed_control(b);
	assert_int_not_equal(bed_data(b), 0);
	assert_int_equal(bed_poll(b), 3);
	bed_control(b);
	bed_close(b);
}

#define PATTERN(nb, takes) {"c18_" #takes, check_pattern, NULL, NULL, \
			    &(struct pattern){nb, takes}}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(c16_every_match_aborted_once),
		cmocka_unit_test(c16_staged_ones_too),
		cmocka_unit_test(c16_a_run_that_begins_in_the_stage),
		cmocka_unit_test(c16_of_all_senders),
		cmocka_unit_test(c16_one_sender_staged_one_not),
		cmocka_unit_test(c16_abort_takes_every_id_and_none),
		cmocka_unit_test(c17_the_others_are_sent),
		{"c18_single_element", check_pattern, NULL, NULL, &(struct pattern){1, first_one}},
		PATTERN(64, first_one),
		PATTERN(64, middle_one),
		PATTERN(64, last_one),
		PATTERN(64, both_ends),
		PATTERN(64, every_one),
		PATTERN(64, in_runs),
		PATTERN(64, alternating),
		PATTERN(64, all_but_one),
		cmocka_unit_test(c20_the_other_adapter_is_not_touched),
		cmocka_unit_test(c20_both_adapters_at_once),
		cmocka_unit_test(c23_aborted_ones_never_reach_the_wire),
		cmocka_unit_test(c24_d8_all_64_bits_count),
		cmocka_unit_test(c24_ids_that_share_a_bucket),
		cmocka_unit_test(verdict_of_late_ones),
		cmocka_unit_test(verdict_of_staged_ones),
		cmocka_unit_test(verdict_leaves_out_what_was_sent_before_the_call),
		cmocka_unit_test(verdict_adds_up_over_senders),
		cmocka_unit_test(verdict_of_a_late_one_whose_place_is_used_again),
		cmocka_unit_test(verdict_and_latencies_are_counted),
		cmocka_unit_test(a_step_that_only_helps_counts_as_work),
	};

	return cmocka_run_group_tests_name("conformance cancel", tests, test_eal_setup,
					   test_eal_teardown);
}
