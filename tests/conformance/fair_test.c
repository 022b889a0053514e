/* SPDX-License-Identifier: BSD-3-Clause
 * fair_test.c - turns between senders by their weights (isolation of the contract's clients)
 *
 * Time stands still but for what the test allows: a few packets or bytes at a step, by the
 * pace or by the port. Shares are counted on the wire.
 */
#include "bed.h"

#include <errno.h>
#include <stdlib.h>

#include <rte_cycles.h>
#include <rte_ethdev.h>

#include "adapter.h"

#define ID UINT64_C(0x1234)
#define PACKETS 100000u
#define WINDOW 10000u
#define WITHIN 2 /* % of each share, in all; in a window, whose ends may cut a round, thrice that */

/* What a sender sends, always. */
static const struct {
	uint32_t len;
	uint16_t nb_packets; /* of its NBLs */
} load[BED_SENDERS_MAX] = {{1500, 1}, {64, 8}, {300, 3}, {900, 2}};

static void send_one(struct bed *b, uint32_t s)
{
	uint32_t first = b->nb_packets;

	for (uint16_t i = 0; i < load[s].nb_packets; i++)
		bed_packet(b, load[s].len);
	assert_int_equal(bed_send_by(b, s, bed_nbl_of(b, ID + s, first, load[s].nb_packets), 1), 1);
}

/* Senders of the bits `who` have full queues. */
static void fill(struct bed *b, uint32_t who)
{
	for (uint32_t s = 0; s < b->conf.nb_senders; s++)
		while ((who >> s & 1) && vnic_sender_room(b->sender[s], 1) == 1)
			send_one(b, s);
}

static uint32_t sender_of(const struct bed *b, uint32_t at)
{
	return b->nbl[b->packet[b->log[at]].nbl].sender;
}

/* Shares on the wire from an entry of its log on are as the weights say. */
static void check_shares(const struct bed *b, uint32_t from, bool bytes, uint32_t percent)
{
	uint64_t got[BED_SENDERS_MAX] = {0}, all = 0, weights = 0;

	for (uint32_t i = from; i < b->nb_log; i++) {
		uint64_t units = bytes ? b->packet[b->log[i]].len : 1;

		got[sender_of(b, i)] += units;
		all += units;
	}
	for (uint32_t s = 0; s < b->conf.nb_senders; s++)
		weights += vnic_sender_weight(b->sender[s]);
	for (uint32_t s = 0; s < b->conf.nb_senders; s++) {
		double want = (double)all * vnic_sender_weight(b->sender[s]) / (double)weights;

		assert_in_range(got[s], want * (100 - percent) / 100, want * (100 + percent) / 100);
	}
}

/* ---- ways to allow little ---- */

static void by_port(struct bed *b, uint32_t k)
{
	bed_wire_room(b, k);
}

static void by_packets(struct bed *b, uint32_t k)
{
	struct vnic__bucket *bucket = &b->adapter->pacer.packets;

	bucket->empty_at = (rte_rdtsc() << VNIC__PACER_FRACTION) - k * bucket->cost;
}

static void by_bits(struct bed *b, uint32_t k)
{
	struct vnic__bucket *bucket = &b->adapter->pacer.bits;

	bucket->empty_at = (rte_rdtsc() << VNIC__PACER_FRACTION) - k * 700 * 8 * bucket->cost;
}

static void by_in_flight(struct bed *b, uint32_t k)
{
	if (b->adapter->inflight.nb_desc == 0) {
		bed_port_holds(b, 16);
		vnic__fair_init(b->adapter);
	}
	b->left += k;
}

/* Let the rest leave at once. */
static void end(struct bed *b)
{
	b->left = UINT64_MAX / 2;
	b->adapter->pacer.packets.cost = b->adapter->pacer.bits.cost = 0;
	bed_close(b);
}

static struct bed *open_weighted(const struct bed_conf *conf, const uint32_t *weight)
{
	struct bed *b = bed_open(conf);

	for (uint32_t s = 0; s < b->conf.nb_senders; s++) {
		assert_int_equal(vnic_sender_weight(b->sender[s]), 1);
		assert_int_equal(vnic_sender_set_weight(b->sender[s], weight[s]), 0);
	}
	return b;
}

/* Steps at which up to `most` are allowed, until so many packets have left. */
static void run(struct bed *b, uint32_t who, void (*allow)(struct bed *b, uint32_t k),
		uint32_t most, uint32_t packets)
{
	uint32_t until = b->nb_log + packets;

	while (b->nb_log < until) {
		fill(b, who);
		allow(b, 1 + (uint32_t)rand() % most);
		for (int i = 0; i < 3; i++)
			bed_data(b);
		bed_wire_drain(b);
		bed_poll(b);
	}
}

static void check_weighted(void (*allow)(struct bed *b, uint32_t k), const struct vnic_pacing *pacing,
			   const uint32_t *weight, uint32_t nb_senders, uint32_t most)
{
	struct bed *b = open_weighted(&(struct bed_conf){.nb_senders = nb_senders, .nb_mbufs = 8192,
							 .pacing = *pacing}, weight);

	for (uint32_t from = 0; from < PACKETS; from = b->nb_log) {
		run(b, UINT32_MAX, allow, most, WINDOW);
		check_shares(b, from, pacing->bits_per_s != 0, 3 * WITHIN);
	}
	check_shares(b, 0, pacing->bits_per_s != 0, WITHIN);
	end(b);
}

static const uint32_t one_two_five[] = {1, 2, 5}, alike[] = {3, 3, 3, 3}, apart[] = {1, 64};
static const struct vnic_pacing none, packets = {.packets_per_s = 1, .burst_packets = 64},
	bits = {.bits_per_s = 1000, .burst_packets = 64};

static void shares_at_a_port_that_takes_little(void **state)
{
	(void)state;
	check_weighted(by_port, &none, one_two_five, 3, 1);
	check_weighted(by_port, &none, one_two_five, 3, 100);
	check_weighted(by_port, &none, alike, 4, 7);
	check_weighted(by_port, &none, apart, 2, 40);
}

static void shares_under_a_pace_of_packets(void **state)
{
	(void)state;
	check_weighted(by_packets, &packets, one_two_five, 3, 1);
	check_weighted(by_packets, &packets, one_two_five, 3, 60);
	check_weighted(by_packets, &packets, alike, 4, 60);
}

static void shares_under_a_pace_of_bits(void **state)
{
	(void)state;
	check_weighted(by_bits, &bits, one_two_five, 3, 1);
	check_weighted(by_bits, &bits, one_two_five, 3, 60);
	check_weighted(by_bits, &bits, alike, 4, 60);
}

static void shares_of_what_may_be_in_flight(void **state)
{
	(void)state;
	check_weighted(by_in_flight, &none, one_two_five, 3, 9);
}

/* A sender that was idle gets its share from then on, not what it left to the others. */
static void an_idle_time_is_not_saved_up(void **state)
{
	struct bed *b = open_weighted(&(struct bed_conf){.nb_senders = 3, .nb_mbufs = 8192,
							 .pacing = packets}, one_two_five);
	uint32_t from, got[BED_SENDERS_MAX] = {0};

	(void)state;
	run(b, 7, by_packets, 5, 1000);
	run(b, 6, by_packets, 5, WINDOW); /* the first ends, the others take its share */
	from = b->nb_log;
	run(b, 6, by_packets, 5, WINDOW);
	for (uint32_t i = from; i < b->nb_log; i++)
		got[sender_of(b, i)]++;
	assert_int_equal(got[0], 0);
	assert_in_range(got[2], 5 * got[1] / 2 * 98 / 100, 5 * got[1] / 2 * 102 / 100);
	from = b->nb_log;
	run(b, 7, by_packets, 5, 800);
	got[0] = 0;
	for (uint32_t i = from; i < from + 800; i++)
		got[sender_of(b, i)]++;
	assert_in_range(got[0], 95, 105);
	end(b);
}

/* One that sends less than its share has all of it sent, the others share the rest. */
static void what_one_does_not_use_is_the_others(void **state)
{
	static const uint32_t weight[] = {VNIC_WEIGHT_MAX, 1, 3};
	struct bed *b = open_weighted(&(struct bed_conf){.nb_senders = 3, .nb_mbufs = 8192}, weight);
	uint32_t got[BED_SENDERS_MAX] = {0};

	(void)state;
	for (uint32_t step = 0; step < 4000; step++) {
		fill(b, 6);
		send_one(b, 0);
		bed_wire_room(b, 9);
		for (int i = 0; i < 3; i++)
			bed_data(b);
		assert_int_equal(bed_wire_drain(b), 9);
		bed_poll(b);
	}
	for (uint32_t i = 0; i < b->nb_log; i++)
		got[sender_of(b, i)]++;
	assert_in_range(got[0], 3999, 4000);
	assert_in_range(got[1], 8000 * 98 / 100, 8000 * 102 / 100);
	end(b);
}

/* At a port that takes all, nobody waits for another's weight. */
static void weights_cost_nothing_at_a_port_that_takes_all(void **state)
{
	static const uint32_t weight[] = {1, VNIC_WEIGHT_MAX};
	struct bed *b = open_weighted(&(struct bed_conf){.nb_senders = 2, .nb_mbufs = 8192}, weight);

	(void)state;
	for (uint32_t step = 0; step < 2000; step++) {
		uint32_t left = bed_stats(b).sent.packets;

		fill(b, 1);
		send_one(b, 1);
		bed_data(b);
		assert_true(bed_stats(b).sent.packets - left >= 32);
		bed_wire_drain(b);
		bed_poll(b);
	}
	end(b);
}

static void a_weight_changes_while_packets_leave(void **state)
{
	static const uint32_t weight[] = {1, 4};
	struct bed *b = open_weighted(&(struct bed_conf){.nb_senders = 2, .nb_mbufs = 8192}, weight);

	(void)state;
	for (uint32_t round = 0; round < 6; round++) {
		uint32_t from = b->nb_log;

		run(b, 3, by_port, 5, WINDOW);
		check_shares(b, from, false, 2 * WITHIN);
		vnic_sender_set_weight(b->sender[0], round % 2 == 0 ? 16 : 1);
	}
	assert_int_equal(vnic_sender_set_weight(b->sender[0], 0), -EINVAL);
	assert_int_equal(vnic_sender_set_weight(b->sender[0], VNIC_WEIGHT_MAX + 1), -EINVAL);
	assert_int_equal(vnic_sender_weight(b->sender[0]), 1);
	end(b);
}

/* What was taken back in a queue does not use up its sender's turns, nor hold up the others. */
static void tombs_take_no_share(void **state)
{
	struct bed *b = open_weighted(&(struct bed_conf){.nb_senders = 2, .nb_mbufs = 8192, .depth = 256,
							 .pacing = packets}, alike);
	uint32_t got[2] = {0};

	(void)state;
	run(b, 3, by_packets, 1, 100);
	for (uint32_t step = 0; step < 50; step++) {
		uint32_t from = b->nb_log;

		fill(b, 3);
		bed_cancel(b, ID); /* all of the first one's queue */
		run(b, 3, by_packets, 1, 20);
		for (uint32_t i = from; i < b->nb_log; i++)
			got[sender_of(b, i)]++;
	}
	/* at most 64 tombs are passed at a turn: of 20 turns 4 find nothing else */
	assert_in_range(got[0], 400, 550);
	assert_int_equal(got[0] + got[1], 1000);
	end(b);
}

/* ---- a port that does not like one sender's packets ---- */

static uint16_t (*port_takes)(void *queue, struct rte_mbuf **packet, uint16_t n);
static uint32_t disliked; /* their length */

static uint16_t takes_but_disliked(void *queue, struct rte_mbuf **packet, uint16_t n)
{
	uint16_t k = 0;

	while (k < n && packet[k]->pkt_len != disliked)
		k++;
	return port_takes(queue, packet, k);
}

static void one_that_the_port_refuses_holds_up_nobody(void **state)
{
	struct bed *b = open_weighted(&(struct bed_conf){.nb_senders = 3, .nb_mbufs = 8192},
				      one_two_five);
	uint64_t until = rte_rdtsc() + 20 * rte_get_tsc_hz(); /* a machine may be slow */
	uint32_t got[BED_SENDERS_MAX] = {0};

	(void)state;
	port_takes = rte_eth_fp_ops[b->port].tx_pkt_burst;
	rte_eth_fp_ops[b->port].tx_pkt_burst = takes_but_disliked;
	disliked = load[2].len;
	while (b->nb_log < 20000) {
		fill(b, 7);
		bed_wire_room(b, 10);
		bed_data(b);
		bed_wire_drain(b);
		bed_poll(b);
		assert_true(rte_rdtsc() < until);
	}
	for (uint32_t i = 0; i < b->nb_log; i++)
		got[sender_of(b, i)]++;
	assert_int_equal(got[2], 0);
	assert_in_range(got[1], 2 * got[0] * 95 / 100, 2 * got[0] * 105 / 100);
	rte_eth_fp_ops[b->port].tx_pkt_burst = port_takes;
	run(b, 7, by_port, 10, 1000); /* and it forgets that it was refused */
	for (uint32_t from = b->nb_log; from < 2 * WINDOW; from = b->nb_log) {
		run(b, 7, by_port, 10, WINDOW);
		check_shares(b, from, false, 2 * WITHIN);
	}
	end(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shares_at_a_port_that_takes_little),
		cmocka_unit_test(shares_under_a_pace_of_packets),
		cmocka_unit_test(shares_under_a_pace_of_bits),
		cmocka_unit_test(shares_of_what_may_be_in_flight),
		cmocka_unit_test(an_idle_time_is_not_saved_up),
		cmocka_unit_test(what_one_does_not_use_is_the_others),
		cmocka_unit_test(weights_cost_nothing_at_a_port_that_takes_all),
		cmocka_unit_test(a_weight_changes_while_packets_leave),
		cmocka_unit_test(tombs_take_no_share),
		cmocka_unit_test(one_that_the_port_refuses_holds_up_nobody),
	};

	return cmocka_run_group_tests_name("conformance fair", tests, test_eal_setup,
					   test_eal_teardown);
}
