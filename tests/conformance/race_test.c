/* SPDX-License-Identifier: BSD-3-Clause
 * race_test.c - contract E: races and edges (C25-C31, C33), decisions 1, 2 and 9
 *
 * A race is an order of steps, and every test steps by hand. thread_test.c has those that
 * let threads run.
 */
#include "bed.h"

#include <errno.h>

#define ID UINT64_C(0x1234)
#define OTHER UINT64_C(0x5678)

/* ---- C25 ---- */

static void c25_unknown_id(void **state)
{
	struct bed *b = bed_open(NULL);
	struct vnic_verdict v = bed_cancel(b, ID); /* nothing was ever queued */

	(void)state;
	assert_true(v.unknown);
	bed_wire_room(b, 0);
	bed_send_id(b, OTHER, 40);
	v = bed_cancel(b, ID); /* queued */
	assert_true(v.unknown);
	bed_data(b);
	v = bed_cancel(b, ID); /* staged and queued */
	assert_true(v.unknown);
	assert_int_equal(bed_poll(b), 0);
	bed_settle(b);
	v = bed_cancel(b, ID); /* all gone */
	assert_true(v.unknown);
	v = bed_cancel(b, OTHER); /* known once */
	assert_true(v.unknown);
	v = bed_cancel(b, 0);
	assert_true(v.unknown);
	assert_int_equal(bed_stats(b).cancels, 6);
	assert_int_equal(bed_stats(b).cancels_unknown, 6);
	bed_close(b);
}

static void c25_no_sender(void **state)
{
	struct bed *b = bed_open(NULL);
	struct vnic_adapter_conf conf = {.name = "nobody", .port = b->port, .numa_node = -1};
	struct vnic_adapter *a = vnic_adapter_create(b->control, &conf);
	struct vnic_adapter_stats st;
	struct vnic_verdict v;

	(void)state;
	assert_non_null(a);
	assert_int_equal(vnic_adapter_cancel(a, ID, b->ticket), 0);
	v = bed_verdict(b, b->ticket);
	assert_true(v.unknown);
	assert_int_equal(vnic_adapter_abort(a, b->ticket), 0);
	v = bed_verdict(b, b->ticket);
	assert_true(v.unknown);
	assert_int_equal(vnic_adapter_poll(a), 0);
	vnic_adapter_stats_get(a, &st);
	assert_int_equal(st.cancels_unknown, 2);
	assert_int_equal(st.accepted.nbls, 0);
	assert_int_equal(vnic_adapter_destroy(a), 0);
	bed_close(b);
}

/* ---- C26, decision 1 ---- */

static void c26_id_zero_is_refused(void **state)
{
	struct bed *b = bed_open(NULL);
	struct vnic_verdict v;

	(void)state;
	bed_wire_room(b, 0);
	bed_send_id(b, 0, 40);
	bed_data(b);
	assert_int_equal(vnic_adapter_cancel(b->adapter, 0, b->ticket), -EINVAL);
	assert_int_equal(vnic_client_cancel(b->client, 0, b->ticket), -EINVAL);
	assert_int_equal(vnic_ticket_verdict(b->ticket, &v), -ENOENT); /* not used */
	assert_int_equal(bed_control(b), 0);
	bed_data(b);
	assert_int_equal(bed_poll(b), 0);
	assert_int_equal(bed_stats(b).cancels, 0);
	bed_settle(b);
	bed_expect(b, 0, 40, VNIC_STATUS_SUCCESS);
	bed_close(b);
}

static void d1_unmarked_nbls_are_hit_by_no_id(void **state)
{
	struct bed *b = bed_open(NULL);

	(void)state;
	for (uint32_t i = 0; i < 64; i++)
		bed_nbl(b, i % 2 == 0 ? 0 : UINT64_C(1) << (i - 1), 1);
	bed_send(b, 0, 64);
	for (uint32_t bit = 0; bit < 64; bit++)
		bed_cancel(b, UINT64_C(1) << bit);
	bed_settle(b);
	for (uint32_t i = 0; i < 64; i++)
		bed_expect(b, i, 1,
			   i % 2 == 0 ? VNIC_STATUS_SUCCESS : VNIC_STATUS_SEND_ABORTED);
	bed_close(b);
}

/* ---- C27, decision 9 ---- */

static void c27_later_sends_are_sent(void **state)
{
	struct bed *b = bed_open(NULL);
	uint32_t later;

	(void)state;
	bed_send_id(b, ID, 5);
	assert_int_equal(bed_cancel(b, ID).aborted.nbls, 5);
	later = bed_send_id(b, ID, 5);
	bed_settle(b);
	bed_expect(b, later, 5, VNIC_STATUS_SUCCESS);
	bed_close(b);
}

/* The call is what counts, not when it is applied: NBLs sent between are not affected,
 * wherever the earlier ones are. */
static void check_mark(bool staged, uint64_t id)
{
	struct bed *b = bed_open(NULL);
	struct vnic_verdict v;
	uint32_t later;

	bed_wire_room(b, 0);
	bed_send_id(b, ID, 5);
	if (staged)
		bed_data(b);
	assert_int_equal(id != 0 ? vnic_adapter_cancel(b->adapter, id, b->ticket)
				 : vnic_adapter_abort(b->adapter, b->ticket), 0);
	later = bed_send_id(b, ID, 7);
	if (!staged)
		bed_data(b); /* earlier and later ones in one stage */
	v = bed_verdict(b, b->ticket);
	assert_int_equal(v.aborted.nbls, 5);
	assert_int_equal(v.too_late, 0);
	bed_poll(b);
	bed_expect(b, 0, 5, VNIC_STATUS_SEND_ABORTED);
	assert_int_equal(b->nb_done, 5);
	bed_settle(b);
	bed_expect(b, later, 7, VNIC_STATUS_SUCCESS);
	bed_close(b);
}

static void d9_only_what_was_sent_before_the_call(void **state)
{
	(void)state;
	check_mark(false, ID);
	check_mark(true, ID);
	check_mark(false, 0);
	check_mark(true, 0);
}

/* Queued, neither staged before nor after: the mark alone decides. */
static void d9_queued_before_and_after_the_call(void **state)
{
	struct bed *b = bed_open(NULL);

	(void)state;
	for (int round = 0; round < 100; round++) {
		uint32_t before = bed_send_id(b, ID, 5), after;

		assert_int_equal(vnic_adapter_cancel(b->adapter, ID, b->ticket), 0);
		after = bed_send_id(b, ID, 6);
		assert_int_equal(bed_verdict(b, b->ticket).aborted.nbls, 5);
		bed_poll(b);
		bed_expect(b, before, 5, VNIC_STATUS_SEND_ABORTED);
		bed_settle(b);
		bed_expect(b, after, 6, VNIC_STATUS_SUCCESS);
	}
	bed_close(b);
}

/* ---- C28 ---- */

enum { SEND, DATA, CONTROL, POST, STEPS };

struct order {
	struct bed *b;
	bool stalled;    /* the port takes nothing */
	uint32_t runs;
	uint32_t nb;
	uint8_t step[10];
};

/* One order of steps against what must come of it: each data step sends the oldest NBL,
 * the call marks what is queued, the first control step after it takes what is marked. */
static void run_order(struct order *o)
{
	enum { QUEUED, MARKED, SENT, ABORTED } expect[4];
	struct bed *b = o->b;
	uint32_t first = b->nb_nbls, nb = 0, next = 0;
	struct vnic_verdict v;

	bed_wire_room(b, o->stalled ? 0 : BED_ROOM_ALL);
	for (uint32_t i = 0; i < o->nb; i++) {
		if (o->step[i] == SEND) {
			bed_send_id(b, ID, 1);
			expect[nb++] = QUEUED;
		} else if (o->step[i] == DATA) {
			bed_data(b);
			while (next < nb && expect[next] == ABORTED)
				next++;
			if (!o->stalled && next < nb)
				expect[next++] = SENT;
		} else if (o->step[i] == CONTROL) {
			bed_control(b);
			for (uint32_t k = 0; k < nb && !o->stalled; k++)
				expect[k] = expect[k] == MARKED ? ABORTED : expect[k];
		} else {
			assert_int_equal(vnic_adapter_cancel(b->adapter, ID, b->ticket), 0);
			for (uint32_t k = 0; k < nb; k++)
				expect[k] = expect[k] == QUEUED ? MARKED : expect[k];
		}
	}
	v = bed_verdict(b, b->ticket);
	bed_settle(b);
	for (uint32_t k = 0; k < nb; k++) {
		bool aborted = expect[k] == MARKED || expect[k] == ABORTED;

		bed_expect(b, first + k, 1,
			   aborted ? VNIC_STATUS_SEND_ABORTED : VNIC_STATUS_SUCCESS);
	}
	assert_int_equal(v.aborted.nbls, bed_count(b, first, nb, VNIC_STATUS_SEND_ABORTED));
	o->runs++;
}

static void each_order(struct order *o, uint32_t left[STEPS])
{
	bool any = false;

	for (uint8_t s = 0; s < STEPS; s++) {
		if (left[s] == 0)
			continue;
		any = true;
		left[s]--;
		o->step[o->nb++] = s;
		each_order(o, left);
		o->nb--;
		left[s]++;
	}
	if (!any)
		run_order(o);
}

static void c28_every_order_of_steps(void **state)
{
	(void)state;
	for (int stalled = 0; stalled < 2; stalled++) {
		struct order o = {.b = bed_open(&(struct bed_conf){.burst = 1}),
				  .stalled = stalled};
		uint32_t left[STEPS] = {[SEND] = 3, [DATA] = 3, [CONTROL] = 2, [POST] = 1};

		each_order(&o, left);
		assert_int_equal(o.runs, 5040); /* 9! / (3! 3! 2!) */
		bed_close(o.b);
	}
}

/* ---- C29 ---- */

#define TICKETS 40

static void create_tickets(struct vnic_ticket *t[TICKETS])
{
	for (int i = 0; i < TICKETS; i++) {
		t[i] = vnic_ticket_create(-1);
		assert_non_null(t[i]);
	}
}

static void destroy_tickets(struct vnic_ticket *t[TICKETS])
{
	for (int i = 0; i < TICKETS; i++)
		assert_int_equal(vnic_ticket_destroy(t[i]), 0);
}

/* Forty cancels before one control step, of one id or of ten, queued or staged: each
 * match is aborted once, all verdicts come. */
static void check_many(uint32_t nb_ids, bool staged)
{
	struct bed *b = bed_open(NULL);
	struct vnic_ticket *t[TICKETS];
	uint64_t sum = 0, of_id[10] = {0};

	create_tickets(t);
	bed_wire_room(b, 0);
	for (uint32_t i = 0; i < 60; i++)
		bed_nbl(b, i % 2 == 0 ? ID + i / 2 % nb_ids : OTHER, 1);
	bed_send(b, 0, 60);
	if (staged)
		bed_data(b);
	for (uint32_t i = 0; i < TICKETS; i++)
		assert_int_equal(vnic_adapter_cancel(b->adapter, ID + i % nb_ids, t[i]), 0);
	for (uint32_t i = 0; i < 2 * TICKETS; i++) {
		bed_control(b);
		bed_data(b);
	}
	for (uint32_t i = 0; i < TICKETS; i++) {
		struct vnic_verdict v;

		assert_int_equal(vnic_ticket_verdict(t[i], &v), 0);
		assert_int_equal(v.cancel_id, ID + i % nb_ids);
		of_id[i % nb_ids] += v.aborted.nbls;
		sum += v.aborted.nbls;
	}
	assert_int_equal(sum, 30);
	for (uint32_t i = 0; i < nb_ids; i++)
		assert_int_equal(of_id[i], 30 / nb_ids);
	assert_int_equal(bed_poll(b), 30);
	assert_int_equal(bed_stats(b).cancels, TICKETS);
	bed_settle(b);
	for (uint32_t i = 0; i < 60; i++)
		bed_expect(b, i, 1,
			   i % 2 == 0 ? VNIC_STATUS_SEND_ABORTED : VNIC_STATUS_SUCCESS);
	destroy_tickets(t);
	bed_close(b);
}

static void c29_many_cancels_of_one_id(void **state)
{
	(void)state;
	check_many(1, false);
	check_many(1, true);
}

static void c29_cancels_of_different_ids(void **state)
{
	(void)state;
	check_many(10, false);
	check_many(10, true);
}

/* ---- C30, decision 2 ---- */

static void c30_not_completed_before_its_outcome_is_known(void **state)
{
	struct bed *b = bed_open(NULL);

	(void)state;
	bed_wire_room(b, 0);
	bed_send_id(b, ID, 10);
	for (int i = 0; i < 50; i++) {
		bed_data(b);
		bed_control(b);
		assert_int_equal(bed_poll(b), 0);
	}
	assert_int_equal(bed_stats(b).port_refused, 50);
	bed_settle(b);
	bed_expect(b, 0, 10, VNIC_STATUS_SUCCESS);
	bed_close(b);
}

/* What the port accepted stays SUCCESS, though its completion is not yet polled. */
static void d2_what_the_port_accepted_runs_to_completion(void **state)
{
	struct bed *b = bed_open(NULL);
	struct vnic_verdict v;

	(void)state;
	bed_wire_room(b, 4);
	bed_send_id(b, ID, 10);
	bed_data(b);
	assert_int_equal(vnic_adapter_cancel(b->adapter, ID, b->ticket), 0);
	v = bed_verdict(b, b->ticket);
	assert_int_equal(v.aborted.nbls, 6);
	bed_poll(b);
	bed_expect(b, 0, 4, VNIC_STATUS_SUCCESS);
	bed_expect(b, 4, 6, VNIC_STATUS_SEND_ABORTED);
	bed_settle(b);
	assert_int_equal(b->nb_log, 4);
	bed_close(b);
}

/* ---- C31 ---- */

/* k of n packets are the port's when the cancel comes: the NBL stays, those behind it go,
 * and it is SUCCESS when the port wakes. */
static void c31_a_begun_nbl_is_finished(void **state)
{
	struct bed *b = bed_open(NULL);

	(void)state;
	for (uint32_t k = 1; k < 5; k++) {
		uint32_t first = bed_nbl(b, ID, 5), log = b->nb_log;
		struct vnic_verdict v;

		bed_nbl(b, ID, 2);
		bed_nbl(b, OTHER, 2);
		bed_nbl(b, ID, 2);
		bed_send(b, first, 4);
		bed_wire_room(b, k);
		bed_data(b);
		bed_wire_room(b, 0);
		v = bed_cancel(b, ID);
		assert_int_equal(v.aborted.nbls, 2);
		assert_int_equal(v.aborted.packets, 4);
		assert_int_equal(v.too_late, 1);
		assert_int_equal(b->nbl[first].done, 0);
		v = bed_cancel(b, ID); /* again: it still stays */
		assert_int_equal(v.aborted.nbls, 0);
		v = bed_cancel(b, 0);
		assert_int_equal(v.aborted.nbls, 1);
		assert_int_equal(b->nbl[first].done, 0);
		assert_int_equal(bed_stats(b).queued.nbls, 1);
		assert_int_equal(bed_stats(b).queued.packets, 5 - k);
		bed_settle(b);
		bed_expect(b, first, 1, VNIC_STATUS_SUCCESS);
		bed_expect(b, first + 1, 3, VNIC_STATUS_SEND_ABORTED);
		assert_int_equal(b->nb_log, log + 5);
	}
	bed_close(b);
}

/* ---- C33 ---- */

/* An NBL that comes back while its cancel still waits for the data side is sent again, the
 * same address, with this id or another: the cancel does not hit it. */
static void check_reuse(uint64_t id)
{
	struct bed *b = bed_open(NULL);
	const void *at;
	uint32_t again;

	bed_wire_room(b, 0);
	bed_send_id(b, ID, 1); /* staged: the cancel must wait for it */
	bed_data(b);
	bed_send_id(b, ID, 1);
	at = b->nbl[1].nbl;
	assert_int_equal(vnic_adapter_cancel(b->adapter, ID, b->ticket), 0);
	bed_control(b);
	assert_int_equal(bed_poll(b), 1);
	bed_expect(b, 1, 1, VNIC_STATUS_SEND_ABORTED);
	again = bed_send_id(b, id, 1);
	assert_ptr_equal(b->nbl[again].nbl, at);
	assert_int_equal(bed_verdict(b, b->ticket).aborted.nbls, 2);
	bed_data(b);
	bed_control(b);
	assert_int_equal(bed_poll(b), 1);
	assert_int_equal(b->nbl[again].done, 0);
	bed_settle(b);
	bed_expect(b, again, 1, VNIC_STATUS_SUCCESS);
	bed_close(b);
}

static void c33_reused_at_once_with_a_new_id(void **state)
{
	(void)state;
	check_reuse(OTHER);
}

static void c33_reused_at_once_with_the_same_id(void **state)
{
	(void)state;
	check_reuse(ID);
}

/* Over and over through the same few NBLs, two cancels under way. */
static void c33_reused_many_times(void **state)
{
	struct bed *b = bed_open(&(struct bed_conf){.nb_nbls = 8});
	struct vnic_ticket *t = vnic_ticket_create(-1);

	(void)state;
	assert_non_null(t);
	for (int round = 0; round < 2000; round++) {
		uint32_t old, young;

		bed_wire_room(b, 0);
		old = bed_send_id(b, ID, 3);
		assert_int_equal(vnic_adapter_cancel(b->adapter, ID, b->ticket), 0);
		if (round % 2 == 0)
			bed_data(b);
		bed_control(b);
		bed_poll(b);
		young = bed_send_id(b, round % 3 == 0 ? ID : OTHER, 3);
		assert_int_equal(vnic_adapter_cancel(b->adapter, ID + 1, t), 0);
		bed_verdict(b, b->ticket);
		assert_true(bed_verdict(b, t).unknown);
		bed_poll(b);
		bed_expect(b, old, 3, VNIC_STATUS_SEND_ABORTED);
		bed_settle(b);
		bed_expect(b, young, 3, VNIC_STATUS_SUCCESS);
	}
	assert_int_equal(vnic_ticket_destroy(t), 0);
	bed_close(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(c25_unknown_id),
		cmocka_unit_test(c25_no_sender),
		cmocka_unit_test(c26_id_zero_is_refused),
		cmocka_unit_test(d1_unmarked_nbls_are_hit_by_no_id),
		cmocka_unit_test(c27_later_sends_are_sent),
		cmocka_unit_test(d9_only_what_was_sent_before_the_call),
		cmocka_unit_test(d9_queued_before_and_after_the_call),
		cmocka_unit_test(c28_every_order_of_steps),
		cmocka_unit_test(c29_many_cancels_of_one_id),
		cmocka_unit_test(c29_cancels_of_different_ids),
		cmocka_unit_test(c30_not_completed_before_its_outcome_is_known),
		cmocka_unit_test(d2_what_the_port_accepted_runs_to_completion),
		cmocka_unit_test(c31_a_begun_nbl_is_finished),
		cmocka_unit_test(c33_reused_at_once_with_a_new_id),
		cmocka_unit_test(c33_reused_at_once_with_the_same_id),
		cmocka_unit_test(c33_reused_many_times),
	};

	return cmocka_run_group_tests_name("conformance race", tests, test_eal_setup,
					   test_eal_teardown);
}
