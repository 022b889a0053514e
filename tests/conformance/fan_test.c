/* SPDX-License-Identifier: BSD-3-Clause
 * fan_test.c - contract F: one-to-many layers (C39), and what goes with clones of packets
 *
 * A fan is one layer over two or three adapters with a port each. The bed checks at each wire
 * that a packet comes once and whole, and at each completion that no reference is left.
 */
#include "stack.h"

#include <errno.h>

#include <rte_errno.h>

#include "adapter.h"
#include "layer.h"

#define ID UINT64_C(0x1234)
#define OTHER UINT64_C(0x5678)
#define FAN_MAX 3

struct fan {
	uint32_t nb;
	struct bed *low[FAN_MAX];
	struct bed *top;
};

static void set_room(struct fan *f, uint32_t room)
{
	for (uint32_t i = 0; i < f->nb; i++)
		bed_wire_room(f->low[i], room);
}

/* The wires are closed. `first` says what the adapters below are. */
static struct fan fan_open(uint32_t nb, const struct bed_conf *first)
{
	struct bed_conf conf = first != NULL ? *first : (struct bed_conf){0}, top = {.nb_lower = nb};
	struct fan f = {.nb = nb};

	for (uint32_t i = 0; i < nb; i++) {
		conf.beside = i != 0 ? f.low[0] : NULL;
		f.low[i] = top.lower[i] = bed_open(&conf);
	}
	f.top = bed_open(&top);
	set_room(&f, 0);
	return f;
}

static void fan_close(struct fan *f)
{
	bed_close(f->top);
	while (f->nb-- != 0)
		bed_close(f->low[f->nb]);
}

static void hand_down(struct fan *f)
{
	while (bed_data(f->top) != 0)
		;
}

/* ---- where the clones are ---- */

enum place { QUEUED, STAGED, HALF, GONE, PLACES };

static const uint32_t room_of[PLACES] = {0, 0, 1, BED_ROOM_ALL};

/* An NBL of three packets whose clones are where `place` says, one of another id behind it. */
static void check_places(struct fan *f, const enum place place[])
{
	uint32_t nbl = bed_nbl(f->top, ID, 3), nb[PLACES] = {0}, expected;
	struct vnic_verdict v;
	bool aborted;

	bed_nbl(f->top, OTHER, 2);
	bed_send(f->top, nbl, 2);
	bed_data(f->top);
	for (uint32_t i = 0; i < f->nb; i++) {
		bed_wire_room(f->low[i], room_of[place[i]]);
		if (place[i] != QUEUED)
			bed_data(f->low[i]);
		nb[place[i]]++;
	}
	aborted = nb[QUEUED] + nb[STAGED] != 0;
	assert_int_equal(vnic_adapter_cancel(f->top->adapter, ID, f->top->ticket), 0);
	set_room(f, 0);
	v = bed_verdict(f->top, f->top->ticket);
	stack_expect_verdict(&v, aborted, aborted ? 3 : 0, !aborted && nb[HALF] != 0);
	bed_poll(f->top);
	/* after the last clone, and with the verdict if that has come */
	expected = nb[GONE] == f->nb || nb[HALF] == 0;
	assert_int_equal(f->top->nbl[nbl].done, expected);
	assert_int_equal(bed_stats(f->top).queued.nbls, 2 - expected - (nb[GONE] == f->nb));
	bed_settle(f->top);
	bed_expect(f->top, nbl, 1, aborted ? VNIC_STATUS_SEND_ABORTED : VNIC_STATUS_SUCCESS);
	bed_expect(f->top, nbl + 1, 1, VNIC_STATUS_SUCCESS);
	for (uint32_t i = 0; i < f->nb; i++)
		assert_int_equal((f->top->packet[f->top->nbl[nbl].first].on_wire & f->low[i]->wires) != 0,
				 place[i] == HALF || place[i] == GONE);
	set_room(f, 0);
}

static void c39_wherever_the_clones_are(void **state)
{
	(void)state;
	for (uint32_t nb = 2; nb <= FAN_MAX; nb++) {
		struct fan f = fan_open(nb, NULL);
		uint32_t combinations = nb == 2 ? PLACES * PLACES : PLACES * PLACES * PLACES;

		for (uint32_t c = 0; c < combinations; c++)
			check_places(&f, (enum place[]){c % PLACES, c / PLACES % PLACES,
							c / PLACES / PLACES});
		fan_close(&f);
	}
}

/* The parents' queue too, and several NBLs: each counts once. */
static void c39_the_verdict_counts_parents(void **state)
{
	struct fan f = fan_open(3, NULL);
	struct vnic_verdict v;

	(void)state;
	for (uint32_t i = 0; i < 20; i++)
		bed_send(f.top, bed_nbl(f.top, i % 2 == 0 ? ID : OTHER, 2), 1);
	hand_down(&f);
	bed_data(f.low[1]);
	for (uint32_t i = 0; i < 20; i++)
		bed_send(f.top, bed_nbl(f.top, i % 2 == 0 ? ID : OTHER, 2), 1);
	hand_down(&f);
	bed_data(f.low[2]);
	for (uint32_t i = 0; i < 20; i++)
		bed_send(f.top, bed_nbl(f.top, i % 2 == 0 ? ID : OTHER, 2), 1);
	v = bed_cancel(f.top, ID);
	stack_expect_verdict(&v, 30, 60, 0);
	assert_int_equal(bed_stats(f.top).aborted.nbls, 30);
	for (uint32_t i = 0; i < 3; i++)
		assert_int_equal(bed_stats(f.low[i]).aborted.nbls, 20);
	v = bed_cancel(f.top, ID);
	stack_expect_verdict(&v, 0, 0, 0);
	fan_close(&f);
}

/* The same NBL's flag of one cancel says nothing to the next, when it is sent again. */
static void c39_an_nbl_sent_again_counts_again(void **state)
{
	struct fan f = fan_open(2, NULL);
	struct vnic_verdict v;

	(void)state;
	f.top->hold = true;
	for (uint32_t round = 0; round < 5; round++) {
		uint32_t first = f.top->nb_nbls;

		bed_send_id(f.top, ID, 3);
		bed_data(f.top);
		v = bed_cancel(f.top, ID);
		stack_expect_verdict(&v, 3, 3, 0);
		for (uint32_t i = 0; i < 3; i++)
			bed_release(f.top, first + i); /* back to the front of the pool */
	}
	fan_close(&f);
}

/* Handed down between the call and the cancel, to the wires of all: late once each. */
static void c39_late_ones_count_once(void **state)
{
	struct fan f = fan_open(3, NULL);
	struct vnic_verdict v;

	(void)state;
	set_room(&f, BED_ROOM_ALL);
	bed_send_id(f.top, ID, 5);
	assert_int_equal(vnic_adapter_cancel(f.top->adapter, ID, f.top->ticket), 0);
	bed_data_all(f.top);
	v = bed_verdict(f.top, f.top->ticket);
	stack_expect_verdict(&v, 0, 0, 5);
	bed_send_id(f.top, ID, 5);
	assert_int_equal(vnic_adapter_cancel(f.top->adapter, ID, f.top->ticket), 0);
	bed_data(f.top);
	bed_data(f.low[1]); /* gone by one of them, aborted by the others */
	v = bed_verdict(f.top, f.top->ticket);
	stack_expect_verdict(&v, 5, 5, 0);
	fan_close(&f);
}

static void c27_later_ones_are_spared(void **state)
{
	(void)state;
	for (uint32_t staged = 0; staged < 4; staged++) {
		struct fan f = fan_open(2, NULL);
		struct vnic_verdict v;

		bed_send_id(f.top, ID, 5);
		assert_int_equal(vnic_adapter_cancel(f.top->adapter, ID, f.top->ticket), 0);
		bed_send_id(f.top, ID, 5);
		bed_data(f.top);
		for (uint32_t i = 0; i < 2; i++)
			if (staged >> i & 1)
				bed_data(f.low[i]);
		v = bed_verdict(f.top, f.top->ticket);
		stack_expect_verdict(&v, 5, 5, 0);
		bed_settle(f.top);
		bed_expect(f.top, 0, 5, VNIC_STATUS_SEND_ABORTED);
		bed_expect(f.top, 5, 5, VNIC_STATUS_SUCCESS);
		fan_close(&f);
	}
}

/* One branch is a layer itself, one exports no cancel in turn. */
static void c39_branches_of_unequal_depth(void **state)
{
	static const struct vnic_driver no_cancel = {.name = "no cancel", .no_cancel_send = true};

	(void)state;
	for (uint32_t round = 0; round < 2; round++) {
		struct bed *a = bed_open(NULL);
		struct bed *b = bed_open(&(struct bed_conf){
			.beside = a, .ops = round == 0 ? NULL : &no_cancel});
		struct bed *middle = bed_open(&(struct bed_conf){.lower = {a}, .nb_lower = 1});
		struct bed *top = bed_open(&(struct bed_conf){.lower = {middle, b}, .nb_lower = 2});
		struct vnic_verdict v;

		bed_wire_room(a, 0);
		bed_wire_room(b, 0);
		bed_send_id(a, ID, 2);
		bed_send_id(middle, ID, 2);
		for (uint32_t i = 0; i < 3; i++) { /* in a's queue, the middle's and the top's */
			bed_send_id(top, ID, 4);
			bed_send_id(top, OTHER, 4);
			if (i < 2)
				bed_data(top);
			if (i == 0)
				bed_data(middle);
		}
		v = bed_cancel(top, ID);
		stack_expect_verdict(&v, 12, 12, 0);
		assert_int_equal(bed_count(top, 0, 24, VNIC_STATUS_SEND_ABORTED), round == 0 ? 12 : 4);
		bed_settle(top);
		assert_int_equal(bed_count(top, 0, 24, VNIC_STATUS_SEND_ABORTED), 12);
		assert_int_equal(bed_stats(b).sent.nbls, round == 0 ? 12 : 20);
		bed_settle(middle);
		bed_settle(a);
		bed_expect(middle, 0, 2, VNIC_STATUS_SUCCESS);
		bed_expect(a, 0, 2, VNIC_STATUS_SUCCESS);
		bed_close(top);
		bed_close(middle);
		bed_close(b);
		bed_close(a);
	}
}

/* ---- status ---- */

/* The first failure stands, in the order in which they come, but for an abort; success only if
 * all were. */
static void c39_the_first_failure_stands(void **state)
{
	(void)state;
	for (uint32_t c = 0; c < 16; c++) {
		struct fan f = fan_open(2, NULL);
		uint32_t first = c & 1, fate[2] = {c >> 1 & 1, c >> 2 & 1}, want;
		bool cancel = c >> 3;

		bed_send(f.top, bed_nbl(f.top, ID, 2), 1);
		bed_data(f.top);
		for (uint32_t i = 0; i < 2; i++) {
			uint32_t k = i ^ first;

			if (i == 1 && cancel)
				bed_cancel(f.low[k], ID);
			else if (fate[k] == 0)
				bed_wire_room(f.low[k], BED_ROOM_ALL);
			else
				stack_do(f.low[k], k == 0 ? VNIC_CONTROL_RESET : VNIC_CONTROL_POWER, 0);
			bed_data(f.low[k]);
			assert_int_equal(bed_poll(f.top), 0);
			bed_data(f.top);
		}
		want = fate[first] != 0 ? first : fate[!first] != 0 ? !first : 2;
		assert_int_equal(bed_poll(f.top), 1);
		bed_expect(f.top, 0, 1, cancel ? VNIC_STATUS_SEND_ABORTED :
					want == 0 ? VNIC_STATUS_RESET_IN_PROGRESS :
					want == 1 ? VNIC_STATUS_LOW_POWER_STATE : VNIC_STATUS_SUCCESS);
		for (uint32_t i = 0; i < 2; i++) /* or the end cannot be reached */
			f.low[i]->room = BED_ROOM_ALL;
		fan_close(&f);
	}
}

/* An abort that is first stays, too [C13]. */
static void c39_an_abort_stands(void **state)
{
	struct fan f = fan_open(2, NULL);

	(void)state;
	bed_send(f.top, bed_nbl(f.top, ID, 2), 1);
	bed_data(f.top);
	bed_cancel(f.low[0], ID);
	bed_data(f.top);
	stack_do(f.low[1], VNIC_CONTROL_RESET, 0);
	bed_data(f.top);
	bed_poll(f.top);
	bed_expect(f.top, 0, 1, VNIC_STATUS_SEND_ABORTED);
	fan_close(&f);
}

static void c54_a_reset_of_a_fan(void **state)
{
	struct fan f = fan_open(3, NULL);

	(void)state;
	bed_send(f.top, bed_nbl(f.top, ID, 3), 1);
	bed_send_id(f.top, ID, 9);
	bed_data(f.top);
	bed_wire_room(f.low[2], 1);
	bed_data(f.low[2]);
	bed_wire_room(f.low[1], BED_ROOM_ALL);
	bed_data(f.low[1]);
	bed_send_id(f.top, ID, 10);
	for (uint32_t i = 0; i < 3; i++)
		bed_send_id(f.low[i], ID, 2);
	bed_wire_room(f.low[1], 0);
	bed_wire_room(f.low[2], 0);
	stack_do(f.top, VNIC_CONTROL_RESET, 0);
	bed_expect(f.top, 0, 20, VNIC_STATUS_RESET_IN_PROGRESS);
	assert_int_equal(f.top->nbl[0].nb_sent, 0); /* its packets are the sender's, all of them */
	for (uint32_t i = 0; i < 3; i++) {
		bed_settle(f.low[i]);
		bed_expect(f.low[i], 0, 2, VNIC_STATUS_SUCCESS);
	}
	fan_close(&f);
}

/* A reset of the layer has one clone, a cancel overtakes it and has the other: aborted, and
 * the cancel's verdict says so. */
static void c51_a_cancel_overtakes_a_reset(void **state)
{
	struct fan f = fan_open(2, NULL);
	struct vnic_request *r;
	struct vnic_verdict v;

	(void)state;
	bed_send(f.top, bed_nbl(f.top, ID, 2), 1);
	bed_data(f.top);
	r = stack_issue(f.top, VNIC_CONTROL_RESET, 0);
	bed_control(f.top);
	bed_data(f.top); /* its own queue is empty */
	bed_control(f.top);
	assert_int_equal(bed_stats(f.low[0]).reset.nbls, 1);
	assert_int_equal(bed_stats(f.low[1]).queued.nbls, 1);
	assert_int_equal(vnic_adapter_cancel(f.top->adapter, ID, f.top->ticket), 0);
	bed_control(f.top);
	assert_int_equal(bed_stats(f.low[1]).aborted.nbls, 1);
	v = bed_verdict(f.top, f.top->ticket);
	stack_expect_verdict(&v, 1, 2, 0);
	stack_end(f.top, r, VNIC_STATUS_SUCCESS);
	bed_expect(f.top, 0, 1, VNIC_STATUS_SEND_ABORTED);
	fan_close(&f);
}

/* ---- packets ---- */

/* Chains, buffers that others hold too, short ones: as they were sent, or on each wire. */
static void c39_packets_of_every_kind(void **state)
{
	(void)state;
	for (uint32_t linear = 0; linear < 2; linear++) {
		struct fan f = fan_open(3, &(struct bed_conf){.linear_only = linear != 0});

		for (uint32_t round = 0; round < 40; round++) {
			struct rte_mbuf *shared = rte_pktmbuf_alloc(f.top->mbufs);
			uint32_t first = bed_packet_chain(f.top, 400, 4), nbl;

			bed_packet(f.top, 30);
			bed_packet_chain(f.top, 40, 2);
			assert_non_null(rte_pktmbuf_append(shared, round % 2 == 0 ? 100 : 20));
			rte_mbuf_refcnt_update(shared, 1);
			bed_packet_of(f.top, shared);
			bed_packet(f.top, 1518);
			nbl = bed_nbl_of(f.top, ID, first, 5);
			bed_send(f.top, nbl, 1);
			bed_data(f.top);
			for (uint32_t i = 0; i < 3; i++) {
				bed_wire_room(f.low[i], round * (i + 3) % 7);
				if (round >> i & 1)
					bed_data(f.low[i]);
			}
			if (round % 3 != 0)
				bed_cancel(f.top, ID);
			bed_settle(f.top);
			assert_int_equal(rte_mbuf_refcnt_read(shared), 1); /* the test's own */
			rte_pktmbuf_free(shared);
			set_room(&f, 0);
		}
		fan_close(&f);
	}
}

/* Each wire has what was not aborted, in the order of the sends [C14, C15]. */
static void c15_each_wire_keeps_the_order(void **state)
{
	struct fan f = fan_open(3, NULL);
	uint32_t want[30], nb = 0;

	(void)state;
	for (uint32_t i = 0; i < 60; i++) {
		if (i % 2 == 1)
			want[nb++] = bed_mark(f.top, i);
		bed_send(f.top, bed_nbl(f.top, i % 2 == 1 ? OTHER : ID, 1), 1);
		if (i % 7 == 0)
			bed_data(f.top);
		if (i % 11 == 0)
			bed_data(f.low[i % 3]);
	}
	bed_cancel(f.top, ID);
	bed_settle(f.top);
	for (uint32_t i = 0; i < 3; i++)
		bed_expect_log(f.low[i], 0, want, nb);
	fan_close(&f);
}

/* The fullest queue below holds all back. */
static void the_fullest_lower_queue_counts(void **state)
{
	(void)state;
	for (uint32_t full = 0; full < 2; full++) {
		struct fan f = fan_open(2, NULL);

		for (uint32_t i = 0; i < 100; i++) {
			bed_send_id(f.top, ID, 1);
			bed_data(f.top);
			bed_wire_room(f.low[!full], BED_ROOM_ALL);
			bed_data(f.low[!full]);
		}
		assert_int_equal(bed_stats(f.low[full]).queued.nbls, 64);
		assert_int_equal(bed_stats(f.low[!full]).accepted.nbls, 64);
		assert_int_equal(bed_cancel(f.top, ID).aborted.nbls, 100);
		assert_int_equal(bed_stats(f.low[!full]).sent.nbls, 64);
		fan_close(&f);
	}
}

/* ---- resources ---- */

/* Clones that the wires hold come back: an NBL waits for them. */
static void resources_come_back_from_the_wires(void **state)
{
	struct fan f = fan_open(2, &(struct bed_conf){.nb_mbufs = 8192});
	struct rte_mempool *pool = f.top->adapter->layer->packets;
	uint32_t segs = pool->size / 2 / 6 + 1; /* five NBLs take them all but for less than one's */

	(void)state;
	set_room(&f, BED_ROOM_ALL);
	for (uint32_t i = 0; i < 8; i++)
		bed_send(f.top, bed_nbl_of(f.top, ID, bed_packet_chain(f.top, 1400, (uint16_t)segs), 1), 1);
	for (uint32_t i = 0; i < 10; i++) {
		bed_data(f.top);
		vnic_adapter_poll(f.low[0]->adapter);
		vnic_adapter_poll(f.low[1]->adapter);
	}
	assert_int_equal(bed_stats(f.top).sent.nbls, 5); /* and nothing is below */
	assert_int_equal(bed_stats(f.top).queued.nbls, 3);
	bed_settle(f.top);
	bed_expect(f.top, 0, 8, VNIC_STATUS_SUCCESS);
	fan_close(&f);
}

/* More buffers than there are clones: it can never go down, its neighbours do. */
static void resources_of_an_nbl_that_is_too_large(void **state)
{
	struct fan f = fan_open(2, &(struct bed_conf){.nb_mbufs = 8192});
	uint32_t segs = f.top->adapter->layer->packets->size / 2 / 4 + 1, first;

	(void)state;
	bed_send_id(f.top, ID, 2);
	first = bed_packet_chain(f.top, 1400, (uint16_t)segs);
	for (uint32_t i = 1; i < 4; i++)
		bed_packet_chain(f.top, 1400, (uint16_t)segs);
	bed_send(f.top, bed_nbl_of(f.top, ID, first, 4), 1);
	bed_send_id(f.top, ID, 2);
	bed_data(f.top);
	bed_data(f.top);
	bed_poll(f.top);
	assert_int_equal(f.top->nb_done, 0); /* what is below might give some back */
	bed_settle(f.top);
	bed_expect(f.top, 0, 2, VNIC_STATUS_SUCCESS);
	bed_expect(f.top, 2, 1, VNIC_STATUS_RESOURCES);
	bed_expect(f.top, 3, 2, VNIC_STATUS_SUCCESS);
	fan_close(&f);
}

/* Its name can be another's meanwhile, as soon as it has given it up: another layer's as well. */
static void expect_name_to_go(struct fan *f)
{
	struct vnic_adapter *const lower[] = {f->low[0]->adapter, f->low[1]->adapter};
	struct vnic_adapter_conf conf = {.name = f->top->name, .lower = lower, .nb_lower = 2,
					 .numa_node = -1};
	struct vnic_adapter *next;

	assert_null(vnic_adapter_create(f->top->control, &conf));
	assert_int_equal(rte_errno, EEXIST);
	vnic_adapter_give_up_name(f->top->adapter);
	next = vnic_adapter_create(f->top->control, &conf);
	assert_non_null(next);
	assert_null(vnic_adapter_create(f->top->control, &conf));
	assert_int_equal(rte_errno, EEXIST);
	assert_int_equal(vnic_adapter_destroy(next), 0);
}

/* While a port holds clones the pool that they go back to stays. */
static void a_fan_is_not_destroyed_under_its_packets(void **state)
{
	struct fan f = fan_open(2, NULL);
	struct bed *top = f.top;
	struct rte_mbuf *kept;

	(void)state;
	bed_wire_room(f.low[0], BED_ROOM_ALL);
	bed_wire_room(f.low[1], BED_ROOM_ALL);
	bed_send_id(top, ID, 3);
	bed_data_all(top);
	bed_data(top);
	bed_poll(top);
	assert_int_equal(bed_count(top, 0, 3, VNIC_STATUS_SUCCESS), 3);
	assert_int_equal(vnic_sender_destroy(top->sender[0]), 0);
	assert_int_equal(vnic_client_close(top->client), 0);
	/* the completions were polled, so the wires were drained: this one a port has kept */
	kept = rte_pktmbuf_alloc(top->adapter->layer->packets);
	assert_int_equal(vnic_adapter_destroy(top->adapter), -EBUSY);
	expect_name_to_go(&f);
	rte_pktmbuf_free(kept);
	top->client = vnic_client_open(top->adapter);
	top->sender[0] = vnic_sender_create(top->client, top->nbls, 64);
	fan_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(c39_wherever_the_clones_are),
		cmocka_unit_test(c39_the_verdict_counts_parents),
		cmocka_unit_test(c39_an_nbl_sent_again_counts_again),
		cmocka_unit_test(c39_late_ones_count_once),
		cmocka_unit_test(c27_later_ones_are_spared),
		cmocka_unit_test(c39_branches_of_unequal_depth),
		cmocka_unit_test(c39_the_first_failure_stands),
		cmocka_unit_test(c39_an_abort_stands),
		cmocka_unit_test(c54_a_reset_of_a_fan),
		cmocka_unit_test(c51_a_cancel_overtakes_a_reset),
		cmocka_unit_test(c39_packets_of_every_kind),
		cmocka_unit_test(c15_each_wire_keeps_the_order),
		cmocka_unit_test(the_fullest_lower_queue_counts),
		cmocka_unit_test(resources_come_back_from_the_wires),
		cmocka_unit_test(resources_of_an_nbl_that_is_too_large),
		cmocka_unit_test(a_fan_is_not_destroyed_under_its_packets),
	};

	return cmocka_run_group_tests_name("conformance fan", tests, test_eal_setup,
					   test_eal_teardown);
}
