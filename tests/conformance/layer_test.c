/* SPDX-License-Identifier: BSD-3-Clause
 * layer_test.c - contract F: a cancel through intermediate adapters (C21, C36-C38), and what
 * of C, D and E is to hold there (C15, C17, C27), its verdict
 *
 * One-to-many is in fan_test.c. The bed checks the account of every adapter at every step.
 */
#include "stack.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <rte_cycles.h>

#define ID UINT64_C(0x1234)
#define OTHER UINT64_C(0x5678)

static const struct vnic_driver no_cancel = {.name = "no cancel", .no_cancel_send = true};

/* ---- C21 ---- */

static void c21_an_adapter_without_cancel(void **state)
{
	struct bed *b = bed_open(&(struct bed_conf){.ops = &no_cancel});
	const uint64_t own = (uint64_t)vnic_client_prefix(b->client) << VNIC_CANCEL_ID_PREFIX_SHIFT;
	struct vnic_verdict v;

	(void)state;
	bed_wire_room(b, 0);
	bed_send_id(b, own | ID, 5);
	bed_data(b);
	bed_send_id(b, own | ID, 5);
	v = bed_cancel(b, own | ID);
	stack_expect_verdict(&v, 0, 0, 0);
	v = bed_cancel(b, 0);
	stack_expect_verdict(&v, 0, 0, 0);
	assert_int_equal(vnic_client_cancel(b->client, own | ID, b->ticket), 0);
	v = bed_verdict(b, b->ticket);
	stack_expect_verdict(&v, 0, 0, 0);
	assert_int_equal(bed_stats(b).queued.nbls, 10);
	bed_settle(b);
	bed_expect(b, 0, 10, VNIC_STATUS_SUCCESS);
	bed_close(b);
}

/* Staged and queued ones below run to completion, whatever the layer's own queue loses. */
static void c21_a_lower_adapter_without_cancel(void **state)
{
	struct bed *low = bed_open(&(struct bed_conf){.ops = &no_cancel});
	struct stack st = stack_open_over(low, 2);
	struct vnic_verdict v;

	(void)state;
	stack_send(&st, 0, ID, 4);
	bed_data(low);
	stack_send(&st, 0, ID, 4);
	bed_send_id(st.top, ID, 3);
	v = bed_cancel(st.top, ID);
	stack_expect_verdict(&v, 3, 3, 0);
	bed_expect(st.top, 8, 3, VNIC_STATUS_SEND_ABORTED);
	assert_int_equal(bed_stats(low).aborted.nbls, 0);
	assert_int_equal(bed_stats(low).cancels, 0);
	v = bed_cancel(st.top, ID);
	stack_expect_verdict(&v, 0, 0, 0);
	bed_settle(st.top);
	bed_expect(st.top, 0, 8, VNIC_STATUS_SUCCESS);
	stack_close(&st);
}

/* A call that meets them in the layer's queue and reaches them below: too late. */
static void c21_handed_to_an_adapter_without_cancel(void **state)
{
	struct bed *low = bed_open(&(struct bed_conf){.ops = &no_cancel});
	struct stack st = stack_open_over(low, 2);
	struct vnic_verdict v;

	(void)state;
	bed_send_id(st.top, ID, 4);
	assert_int_equal(vnic_adapter_cancel(st.top->adapter, ID, st.top->ticket), 0);
	stack_sink(&st, 0);
	v = bed_verdict(st.top, st.top->ticket);
	stack_expect_verdict(&v, 0, 0, 4);
	bed_settle(st.top);
	bed_expect(st.top, 0, 4, VNIC_STATUS_SUCCESS);
	stack_close(&st);
}

/* What is below an adapter that exports no cancel hears nothing of it. */
static void c21_in_the_middle(void **state)
{
	struct bed *low = bed_open(NULL);
	struct bed *middle = bed_open(&(struct bed_conf){
		.lower = {low}, .nb_lower = 1, .ops = &no_cancel});
	struct stack st = {.nb = 3, .bed = {low, middle, stack_layer(middle)}, .low = low};
	struct vnic_verdict v;

	(void)state;
	st.top = st.bed[2];
	bed_wire_room(low, 0);
	stack_send(&st, 0, ID, 4);
	stack_send(&st, 1, ID, 4);
	bed_send_id(st.top, ID, 4);
	v = bed_cancel(st.top, ID);
	stack_expect_verdict(&v, 4, 4, 0);
	v = bed_cancel(middle, ID);
	stack_expect_verdict(&v, 0, 0, 0);
	assert_int_equal(bed_stats(low).aborted.nbls + bed_stats(middle).aborted.nbls, 0);
	bed_settle(st.top);
	bed_expect(st.top, 0, 8, VNIC_STATUS_SUCCESS);
	stack_close(&st);
}

/* ---- C36 ---- */

static void c36_a_clone_has_its_parents_id(void **state)
{
	static const uint64_t id[] = {1, ID, UINT64_C(1) << 63, UINT64_MAX};

	(void)state;
	for (uint32_t nb = 2; nb <= STACK_MAX; nb++) {
		struct stack st = stack_open(nb);

		for (size_t i = 0; i < BED_COUNT_OF(id); i++) {
			bed_send_id(st.top, id[i], 1);
			for (uint32_t level = nb; level-- != 0;) {
				stack_sink(&st, level);
				assert_int_equal(vnic_adapter_sample_id(st.bed[level]->adapter, 0), id[i]);
			}
			bed_settle(st.top);
			bed_wire_room(st.low, 0);
		}
		stack_close(&st);
	}
}

/* So a cancel of one adapter meets what came from above, and the parents are aborted. */
static void c36_a_cancel_below_meets_it(void **state)
{
	(void)state;
	for (uint32_t level = 0; level < 2; level++) {
		struct stack st = stack_open(3);
		struct vnic_verdict v;

		stack_send(&st, 0, ID, 5);
		stack_send(&st, 0, OTHER, 5);
		v = bed_cancel(st.bed[level], ID);
		stack_expect_verdict(&v, 5, 5, 0);
		bed_settle(st.top);
		bed_expect(st.top, 0, 5, VNIC_STATUS_SEND_ABORTED);
		bed_expect(st.top, 5, 5, VNIC_STATUS_SUCCESS);
		stack_close(&st);
	}
}

/* ---- C37, C38 ---- */

/* Its own ring, then its own stage, and only then what is below. */
static void c37_own_queue_first(void **state)
{
	struct stack st = stack_open(2);
	struct vnic_verdict v;

	(void)state;
	stack_send(&st, 0, ID, 20);
	stack_send(&st, 0, OTHER, 44); /* the queue below is full */
	bed_send_id(st.top, ID, 10);
	bed_data(st.top); /* staged */
	bed_send_id(st.top, ID, 5);
	assert_int_equal(vnic_adapter_cancel(st.top->adapter, ID, st.top->ticket), 0);
	bed_control(st.top);
	assert_int_equal(bed_poll(st.top), 5);
	bed_expect(st.top, 74, 5, VNIC_STATUS_SEND_ABORTED);
	assert_int_equal(bed_stats(st.low).aborted.nbls, 0);
	bed_data(st.low); /* a step of the wrong side changes nothing */
	bed_control(st.top);
	assert_int_equal(bed_stats(st.low).aborted.nbls, 0);
	bed_data(st.top);
	assert_int_equal(bed_poll(st.top), 10);
	bed_expect(st.top, 64, 10, VNIC_STATUS_SEND_ABORTED);
	assert_int_equal(bed_stats(st.low).aborted.nbls, 0);
	v = bed_verdict(st.top, st.top->ticket);
	stack_expect_verdict(&v, 35, 35, 0);
	assert_int_equal(bed_stats(st.low).aborted.nbls, 20);
	bed_poll(st.top); /* with the verdict the completions are there */
	bed_expect(st.top, 0, 20, VNIC_STATUS_SEND_ABORTED);
	bed_settle(st.top);
	bed_expect(st.top, 20, 44, VNIC_STATUS_SUCCESS);
	stack_close(&st);
}

/* Wherever in the stack they are: `place` levels down, in the ring or (the lowest) staged. */
static void c38_passed_down_though_nothing_matched_above(void **state)
{
	(void)state;
	for (uint32_t nb = 2; nb <= STACK_MAX; nb++)
		for (uint32_t level = 0; level < 2 * nb; level++) {
			struct stack st = stack_open(nb);
			struct vnic_verdict v;

			stack_send(&st, level / 2, ID, 6);
			if (level == 1)
				bed_data(st.low);
			stack_send(&st, level / 2, OTHER, 6);
			bed_send_id(st.top, OTHER, 6);
			v = bed_cancel(st.top, ID);
			stack_expect_verdict(&v, 6, 6, 0);
			bed_expect(st.top, 0, 6, VNIC_STATUS_SEND_ABORTED);
			for (uint32_t i = 0; i < nb; i++)
				assert_int_equal(bed_stats(st.bed[i]).aborted.nbls, i >= level / 2 ? 6 : 0);
			bed_settle(st.top);
			bed_expect(st.top, 6, 12, VNIC_STATUS_SUCCESS);
			stack_close(&st);
		}
}

/* Some in every queue and in the lowest stage at once. */
static void c38_all_levels_at_once(void **state)
{
	(void)state;
	for (uint32_t nb = 2; nb <= STACK_MAX; nb++) {
		struct stack st = stack_open(nb);
		uint32_t sent = 0;
		struct vnic_verdict v;

		for (uint32_t level = 0; level < nb; level++) {
			for (uint32_t i = 0; i < 8; i++, sent++)
				bed_send(st.top, bed_nbl(st.top, i % 2 == 0 ? ID : OTHER, 2), 1);
			stack_sink(&st, level);
			if (level == 0)
				bed_data(st.low);
		}
		assert_int_equal(bed_stats(st.top).queued.nbls, sent);
		v = bed_cancel(st.top, ID);
		stack_expect_verdict(&v, sent / 2, sent, 0);
		for (uint32_t i = 0; i < sent; i += 2)
			bed_expect(st.top, i, 1, VNIC_STATUS_SEND_ABORTED);
		bed_settle(st.top);
		for (uint32_t i = 1; i < sent; i += 2)
			bed_expect(st.top, i, 1, VNIC_STATUS_SUCCESS);
		v = bed_cancel(st.top, ID);
		stack_expect_verdict(&v, 0, 0, 0);
		stack_close(&st);
	}
}

/* ---- C17, C20: others' NBLs in the same queues ---- */

/* Of the same id: the lower adapters' own clients', and those of another layer. `staged`: in
 * the lowest adapter's stage. */
static void check_others(uint64_t cancelled, bool staged)
{
	struct stack st = stack_open(3);
	struct bed *beside = stack_layer(st.bed[1]);
	struct vnic_verdict v;

	for (uint32_t round = 0; round < 2; round++) {
		bed_send_id(st.top, ID, 5);
		bed_send_id(beside, ID, 5);
		bed_data(st.top);
		bed_data(beside);
		bed_send_id(st.bed[1], ID, 5);
		if (round == 0) /* the rest stays in the middle */
			bed_data(st.bed[1]);
		bed_send_id(st.low, ID, 5);
		if (staged)
			bed_data(st.low);
	}
	v = bed_cancel(st.top, cancelled);
	stack_expect_verdict(&v, 10, 10, 0);
	bed_expect(st.top, 0, 10, VNIC_STATUS_SEND_ABORTED);
	bed_settle(beside);
	bed_expect(beside, 0, 10, VNIC_STATUS_SUCCESS);
	for (uint32_t i = 0; i < 2; i++) {
		bed_settle(st.bed[i]);
		bed_expect(st.bed[i], 0, 10, VNIC_STATUS_SUCCESS);
	}
	bed_close(beside);
	stack_close(&st);
}

static void c17_the_lower_adapters_other_clients(void **state)
{
	(void)state;
	check_others(ID, false);
	check_others(ID, true);
}

static void c17_an_abort_takes_only_the_layers_own(void **state)
{
	(void)state;
	check_others(0, false);
	check_others(0, true);
}

/* ---- C27: sent to the top after the call, below before the cancel ---- */

static void c27_later_ones_are_spared_wherever_they_are(void **state)
{
	(void)state;
	for (uint32_t nb = 2; nb <= STACK_MAX; nb++)
		for (uint32_t level = 0; level <= nb; level++) { /* nb: staged in the lowest */
			struct stack st = stack_open(nb);
			struct vnic_verdict v;

			bed_send_id(st.top, ID, 5);
			assert_int_equal(vnic_adapter_cancel(st.top->adapter, ID, st.top->ticket), 0);
			bed_send_id(st.top, ID, 5);
			stack_sink(&st, level % nb);
			if (level == nb)
				bed_data(st.low);
			v = bed_verdict(st.top, st.top->ticket);
			stack_expect_verdict(&v, 5, 5, 0);
			bed_poll(st.top);
			bed_expect(st.top, 0, 5, VNIC_STATUS_SEND_ABORTED);
			bed_settle(st.top);
			bed_expect(st.top, 5, 5, VNIC_STATUS_SUCCESS);
			stack_close(&st);
		}
}

/* The call comes to the layer's own queue, and while it waits there others overtake it. */
static void c27_handed_down_under_a_cancel(void **state)
{
	struct stack st = stack_open(3);
	struct vnic_verdict v;

	(void)state;
	stack_send(&st, 0, ID, 5);
	bed_data(st.low); /* staged: the cancel will wait there */
	stack_send(&st, 1, ID, 5);
	assert_int_equal(vnic_adapter_cancel(st.top->adapter, ID, st.top->ticket), 0);
	bed_control(st.top);
	assert_int_equal(vnic_ticket_verdict(st.top->ticket, &v), -EINPROGRESS);
	stack_send(&st, 0, ID, 5);
	v = bed_verdict(st.top, st.top->ticket);
	stack_expect_verdict(&v, 10, 10, 0);
	bed_settle(st.top);
	bed_expect(st.top, 0, 10, VNIC_STATUS_SEND_ABORTED);
	bed_expect(st.top, 10, 5, VNIC_STATUS_SUCCESS);
	stack_close(&st);
}

/* A sender that did not exist at the call has sent after it, whatever the ticket has from the
 * cancel before: one of an adapter with more senders. */
static void c27_of_a_new_sender(void **state)
{
	struct bed *wide = bed_open(&(struct bed_conf){.nb_senders = 2});

	(void)state;
	for (uint32_t nb = 2; nb <= 3; nb++) {
		struct stack st = stack_open(nb);
		struct vnic_verdict v;

		for (uint32_t i = 0; i < 20; i++)
			bed_send_by(wide, 1, bed_nbl(wide, OTHER, 1), 1);
		assert_int_equal(vnic_adapter_cancel(wide->adapter, ID, st.top->ticket), 0);
		bed_verdict(wide, st.top->ticket);
		bed_settle(wide);
		stack_send(&st, 0, ID, 2);
		assert_int_equal(vnic_adapter_cancel(st.top->adapter, ID, st.top->ticket), 0);
		st.top->sender[1] = vnic_sender_create(st.top->client, st.top->nbls, 64);
		st.top->conf.nb_senders = 2;
		bed_send_by(st.top, 1, bed_nbl(st.top, ID, 1), 1);
		stack_sink(&st, 0);
		v = bed_verdict(st.top, st.top->ticket);
		stack_expect_verdict(&v, 2, 2, 0);
		bed_settle(st.top);
		bed_expect(st.top, 2, 1, VNIC_STATUS_SUCCESS);
		stack_close(&st);
	}
	bed_close(wide);
}

/* ---- the verdict ---- */

/* In the layer's queue at the call, on the wire when it comes: each is late once. */
static void verdict_of_late_ones(void **state)
{
	(void)state;
	for (uint32_t nb = 2; nb <= STACK_MAX; nb++) {
		struct stack st = stack_open(nb);
		struct vnic_verdict v;

		bed_wire_room(st.low, 3);
		bed_send_id(st.top, ID, 5);
		assert_int_equal(vnic_adapter_cancel(st.top->adapter, ID, st.top->ticket), 0);
		stack_sink(&st, 0);
		bed_data(st.low); /* 3 have left, 2 are staged */
		v = bed_verdict(st.top, st.top->ticket);
		stack_expect_verdict(&v, 2, 2, 3);
		bed_settle(st.top);
		assert_int_equal(bed_count(st.top, 0, 5, VNIC_STATUS_SUCCESS), 3);
		stack_close(&st);
	}
}

/* Half sent ones run to completion [C31]. */
static void verdict_of_one_half_sent(void **state)
{
	struct stack st = stack_open(3);
	struct vnic_verdict v;

	(void)state;
	bed_send(st.top, bed_nbl(st.top, ID, 3), 1);
	bed_send(st.top, bed_nbl(st.top, ID, 3), 1);
	stack_sink(&st, 0);
	bed_wire_room(st.low, 1);
	bed_data(st.low);
	bed_wire_room(st.low, 0);
	v = bed_cancel(st.top, ID);
	stack_expect_verdict(&v, 1, 3, 1);
	bed_settle(st.top);
	bed_expect(st.top, 0, 1, VNIC_STATUS_SUCCESS);
	bed_expect(st.top, 1, 1, VNIC_STATUS_SEND_ABORTED);
	stack_close(&st);
}

/* To the last completion: that of the parents, for which the layer's data side is needed. */
static void verdict_has_the_latency_of_the_parents(void **state)
{
	struct stack st = stack_open(2);
	struct vnic_verdict v;

	(void)state;
	stack_send(&st, 0, ID, 1);
	assert_int_equal(vnic_adapter_cancel(st.top->adapter, ID, st.top->ticket), 0);
	bed_control(st.top);
	assert_int_equal(bed_stats(st.low).aborted.nbls, 1);
	rte_delay_us_block(2000);
	v = bed_verdict(st.top, st.top->ticket);
	stack_expect_verdict(&v, 1, 1, 0);
	assert_true(v.latency_ns >= 2000000);
	stack_close(&st);
}

/* ---- cancels at several levels at once ---- */

static void tickets_at_all_levels(void **state)
{
	struct vnic_ticket *t[3][2];
	struct vnic_verdict v;
	uint64_t aborted[3] = {0}, id[2] = {ID, OTHER};
	unsigned int seed = 11;

	(void)state;
	for (uint32_t i = 0; i < 6; i++)
		t[i / 2][i % 2] = vnic_ticket_create(-1);
	for (uint32_t round = 0; round < 100; round++) {
		struct stack st = stack_open(3);

		memset(aborted, 0, sizeof(aborted));
		for (uint32_t level = 0; level < 3; level++) {
			for (uint32_t i = 0; i < 10; i++)
				bed_send(st.top, bed_nbl(st.top, id[rand_r(&seed) % 2], 1), 1);
			stack_sink(&st, level);
			if (level == 0)
				bed_data(st.low);
		}
		for (uint32_t i = 0; i < 6; i++)
			assert_int_equal(vnic_adapter_cancel(st.bed[i / 2]->adapter, id[i % 2],
							     t[i / 2][i % 2]), 0);
		for (uint32_t step = 0; step < 60; step++)
			switch (rand_r(&seed) % 4) {
			case 3:
				bed_control(st.top);
				break;
			default:
				bed_data(st.bed[rand_r(&seed) % 3]);
			}
		for (uint32_t i = 0; i < 6; i++) {
			v = bed_verdict(st.top, t[i / 2][i % 2]);
			aborted[i / 2] += v.aborted.nbls;
		}
		bed_settle(st.top);
		bed_expect(st.top, 0, 30, VNIC_STATUS_SEND_ABORTED);
		/* what a cancel of another adapter took counts there */
		assert_true(aborted[2] <= 30);
		assert_int_equal(aborted[0] + aborted[1] + aborted[2], 30);
		stack_close(&st);
	}
	for (uint32_t i = 0; i < 6; i++)
		assert_int_equal(vnic_ticket_destroy(t[i / 2][i % 2]), 0);
}

/* ---- C14, C15 ---- */

static void c15_what_is_left_keeps_its_order(void **state)
{
	unsigned int seed = 5;

	(void)state;
	for (uint32_t round = 0; round < 60; round++) {
		struct stack st = stack_open(2 + round % 3);
		uint32_t want[60], nb = 0;

		for (uint32_t i = 0; i < 60; i++) {
			bool other = rand_r(&seed) % 2;

			if (other)
				want[nb++] = bed_mark(st.top, i);
			bed_send(st.top, bed_nbl(st.top, other ? OTHER : ID, 1), 1);
			if (rand_r(&seed) % 4 == 0)
				bed_data(st.bed[rand_r(&seed) % st.nb]);
		}
		bed_cancel(st.top, ID);
		bed_settle(st.top);
		bed_expect_log(st.low, 0, want, nb);
		stack_close(&st);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(c21_an_adapter_without_cancel),
		cmocka_unit_test(c21_a_lower_adapter_without_cancel),
		cmocka_unit_test(c21_handed_to_an_adapter_without_cancel),
		cmocka_unit_test(c21_in_the_middle),
		cmocka_unit_test(c36_a_clone_has_its_parents_id),
		cmocka_unit_test(c36_a_cancel_below_meets_it),
		cmocka_unit_test(c37_own_queue_first),
		cmocka_unit_test(c38_passed_down_though_nothing_matched_above),
		cmocka_unit_test(c38_all_levels_at_once),
		cmocka_unit_test(c17_the_lower_adapters_other_clients),
		cmocka_unit_test(c17_an_abort_takes_only_the_layers_own),
		cmocka_unit_test(c27_later_ones_are_spared_wherever_they_are),
		cmocka_unit_test(c27_handed_down_under_a_cancel),
		cmocka_unit_test(c27_of_a_new_sender),
		cmocka_unit_test(verdict_of_late_ones),
		cmocka_unit_test(verdict_of_one_half_sent),
		cmocka_unit_test(verdict_has_the_latency_of_the_parents),
		cmocka_unit_test(tickets_at_all_levels),
		cmocka_unit_test(c15_what_is_left_keeps_its_order),
	};

	return cmocka_run_group_tests_name("conformance layer", tests, test_eal_setup,
					   test_eal_teardown);
}
