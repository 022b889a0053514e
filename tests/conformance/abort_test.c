/* SPDX-License-Identifier: BSD-3-Clause
 * abort_test.c - contract D, E, F for a cancel of all that one client has queued (C16, C17,
 * C22, C27, C35, C40), as a call and as a request
 */
#include "stack.h"

#include <errno.h>

#include "adapter.h"

#define ID UINT64_C(0x1234)

/* A second client of the bed's adapter, with nb senders, which are the bed's from place 1 on. */
struct other {
	struct bed *b;
	struct vnic_client *client;
	uint32_t nb;
};

static struct other open_other(struct bed *b, uint32_t nb)
{
	struct other o = {.b = b, .client = vnic_client_open(b->adapter), .nb = nb};

	assert_non_null(o.client);
	for (uint32_t i = 1; i <= nb; i++) {
		b->sender[i] = vnic_sender_create(o.client, b->root->nbls, 64);
		assert_non_null(b->sender[i]);
	}
	b->conf.nb_senders = 1 + nb;
	return o;
}

/* Before the bed's own. */
static void close_other(struct other *o)
{
	for (uint32_t i = 1; i <= o->nb; i++)
		assert_int_equal(vnic_sender_destroy(o->b->sender[i]), 0);
	assert_int_equal(vnic_client_close(o->client), 0);
	o->b->conf.nb_senders = 1;
}

static struct vnic_verdict abort_client(struct bed *b, struct vnic_client *client)
{
	struct vnic_verdict v;

	assert_int_equal(vnic_client_abort(client, b->ticket), 0);
	v = bed_verdict(b, b->ticket);
	bed_poll(b);
	return v;
}

/* n NBLs of two packets by sender s, of every sort of id: none, other clients', its own. */
static uint32_t send_all_ids(struct bed *b, uint32_t s, uint16_t n)
{
	uint32_t first = b->nb_nbls;

	for (uint16_t i = 0; i < n; i++)
		bed_nbl(b, (uint64_t)(i % 4) << VNIC_CANCEL_ID_PREFIX_SHIFT | i / 4, 2);
	assert_int_equal(bed_send_by(b, s, first, n), n);
	return first;
}

/* ---- the call ---- */

/* Staged and queued ones, of both its senders, whatever their ids; of the other client none. */
static void c16_c17_c35_all_of_one_client(void **state)
{
	(void)state;
	for (int which = 0; which < 2; which++) {
		struct bed *b = bed_open(NULL);
		struct other o = open_other(b, 2);
		uint32_t first[6];
		struct vnic_verdict v;

		bed_wire_room(b, 0);
		for (uint32_t s = 0; s < 3; s++)
			first[s] = send_all_ids(b, s, 12);
		bed_data(b); /* all of these are staged */
		for (uint32_t s = 0; s < 3; s++)
			first[3 + s] = send_all_ids(b, s, 20);
		v = abort_client(b, which == 0 ? b->client : o.client);
		stack_expect_verdict(&v, which == 0 ? 32 : 64, which == 0 ? 64 : 128, 0);
		assert_int_equal(b->nb_done, which == 0 ? 32 : 64);
		bed_settle(b);
		for (uint32_t i = 0; i < 6; i++)
			bed_expect(b, first[i], i < 3 ? 12 : 20, (i % 3 == 0) == (which == 0) ?
				   VNIC_STATUS_SEND_ABORTED : VNIC_STATUS_SUCCESS);
		close_other(&o);
		bed_close(b);
	}
}

/* Queues of others are not walked. */
static void c22_only_its_own_queues_are_looked_at(void **state)
{
	struct bed *b = bed_open(NULL);
	struct other o = open_other(b, 2);
	struct vnic_histogram h;

	(void)state;
	bed_wire_room(b, 0);
	for (uint32_t s = 0; s < 3; s++)
		send_all_ids(b, s, 10);
	abort_client(b, b->client);
	vnic_adapter_latency(b->adapter, VNIC_LATENCY_WALK, &h);
	assert_int_equal(h.count, 1);
	abort_client(b, o.client);
	vnic_adapter_latency(b->adapter, VNIC_LATENCY_WALK, &h);
	assert_int_equal(h.count, 3);
	assert_int_equal(bed_stats(b).cancels, 2);
	close_other(&o);
	bed_close(b);
}

/* What is sent after the call is sent, before and after the call is applied. */
static void c27_one_shot(void **state)
{
	struct bed *b = bed_open(NULL);
	struct vnic_verdict v;

	(void)state;
	bed_send_id(b, ID, 3);
	assert_int_equal(vnic_client_abort(b->client, b->ticket), 0);
	bed_send_id(b, ID, 3);
	v = bed_verdict(b, b->ticket);
	stack_expect_verdict(&v, 3, 3, 0);
	bed_send_id(b, ID, 3);
	bed_settle(b);
	bed_expect(b, 0, 3, VNIC_STATUS_SEND_ABORTED);
	bed_expect(b, 3, 6, VNIC_STATUS_SUCCESS);
	v = abort_client(b, b->client);
	stack_expect_verdict(&v, 0, 0, 0);
	bed_close(b);
}

/* Late ones are the client's own. */
static void c35_the_verdict_is_of_its_own(void **state)
{
	struct bed *b = bed_open(NULL);
	struct other o = open_other(b, 1);
	struct vnic_verdict v;

	(void)state;
	bed_send_by(b, 0, bed_nbl(b, ID, 1), 1);
	for (int i = 0; i < 3; i++)
		bed_send_by(b, 1, bed_nbl(b, ID, 1), 1);
	assert_int_equal(vnic_client_abort(b->client, b->ticket), 0);
	bed_data(b); /* all leave before it is applied */
	v = bed_verdict(b, b->ticket);
	stack_expect_verdict(&v, 0, 0, 1);
	bed_poll(b);
	bed_send_by(b, 1, bed_nbl(b, ID, 1), 1);
	assert_int_equal(vnic_client_abort(o.client, b->ticket), 0);
	bed_data(b);
	v = bed_verdict(b, b->ticket);
	stack_expect_verdict(&v, 0, 0, 1);
	v = abort_client(b, b->client); /* nothing of what the ticket was about before */
	stack_expect_verdict(&v, 0, 0, 0);
	bed_settle(b);
	close_other(&o);
	bed_close(b);
}

/* A queue that was the client's and is another's now. */
static void c35_a_queue_that_has_changed_hands(void **state)
{
	struct bed *b = bed_open(NULL);
	struct other o = open_other(b, 1);
	struct vnic_client *heir = vnic_client_open(b->adapter);
	struct vnic_verdict v;

	(void)state;
	assert_int_equal(vnic_sender_destroy(b->sender[1]), 0);
	b->sender[1] = vnic_sender_create(heir, b->nbls, 64);
	assert_non_null(b->sender[1]);
	assert_int_equal(b->sender[1]->slot, 1);
	bed_wire_room(b, 0);
	send_all_ids(b, 1, 8);
	v = abort_client(b, o.client);
	stack_expect_verdict(&v, 0, 0, 0);
	v = abort_client(b, heir);
	stack_expect_verdict(&v, 8, 16, 0);
	assert_int_equal(vnic_client_close(o.client), 0);
	o.client = heir;
	close_other(&o);
	bed_close(b);
}

static void c40_a_handle_under_an_abort(void **state)
{
	struct bed *b = bed_open(NULL);
	struct vnic_client *client = vnic_client_open(b->adapter);

	(void)state;
	assert_int_equal(vnic_client_abort(client, b->ticket), 0);
	assert_int_equal(vnic_client_abort(client, b->ticket), -EBUSY);
	assert_int_equal(vnic_client_close(client), -EBUSY);
	bed_verdict(b, b->ticket);
	assert_int_equal(vnic_client_close(client), 0); /* the refusal has left no count */
	assert_int_equal(vnic_client_abort(client, b->ticket), -EBADF);
	bed_close(b);
}

/* ---- layers ---- */

/* Two clients of the top, one of the adapter below: of NBLs in both queues, in the stage and
 * below, one client's are taken, and it alone. */
static void check_layers(uint32_t height, int which)
{
	struct stack st = stack_open(height);
	struct other o = open_other(st.top, 1);
	uint32_t below[2], above[2], staged = bed_send_id(st.low, 0, 4);
	struct vnic_verdict v;

	bed_data(st.low);
	for (uint32_t s = 0; s < 2; s++)
		below[s] = send_all_ids(st.top, s, 6);
	stack_sink(&st, 0);
	for (uint32_t s = 0; s < 2; s++)
		above[s] = send_all_ids(st.top, s, 5);
	v = abort_client(st.top, which == 0 ? st.top->client : o.client);
	stack_expect_verdict(&v, 11, 22, 0);
	bed_settle(st.top);
	for (int s = 0; s < 2; s++) {
		uint32_t status = s == which ? VNIC_STATUS_SEND_ABORTED : VNIC_STATUS_SUCCESS;

		bed_expect(st.top, below[s], 6, status);
		bed_expect(st.top, above[s], 5, status);
	}
	bed_settle(st.low);
	bed_expect(st.low, staged, 4, VNIC_STATUS_SUCCESS);
	close_other(&o);
	stack_close(&st);
}

static void c35_all_of_one_client_of_a_layer(void **state)
{
	(void)state;
	for (uint32_t height = 2; height <= 4; height++)
		for (int which = 0; which < 2; which++)
			check_layers(height, which);
}

/* ---- the request ---- */

static uint32_t operate(struct bed *b, uint64_t argument, struct vnic_verdict *v)
{
	struct vnic_request *r = vnic_request_create(b->control);
	uint32_t status;

	vnic_adapter_request(b->adapter, VNIC_CONTROL_ABORT, argument, r);
	bed_step(b, 3);
	status = vnic_request_status(r);
	if (status == VNIC_STATUS_SUCCESS)
		vnic_request_verdict(r, v);
	vnic_request_release(r);
	bed_poll(b);
	return status;
}

static uint32_t operate_as(struct bed *b, struct vnic_client *client, enum vnic_control_code code,
			   uint64_t argument, struct vnic_verdict *v)
{
	struct vnic_request *r = vnic_request_create(b->control);
	uint32_t status = vnic_client_request(client, code, argument, r);

	assert_int_equal(status == VNIC_STATUS_PENDING, vnic_request_status(r) == VNIC_STATUS_PENDING);
	bed_step(b, 3);
	status = vnic_request_status(r);
	if (status == VNIC_STATUS_SUCCESS)
		vnic_request_verdict(r, v);
	vnic_request_release(r);
	bed_poll(b);
	return status;
}

/* All of its own; of an id of its own those that anybody has sent [C16]. */
static void c35_as_a_request_of_the_client(void **state)
{
	const enum vnic_control_code cancel = VNIC_CONTROL_CANCEL, all = VNIC_CONTROL_ABORT;
	struct bed *b = bed_open(NULL);
	struct other o = open_other(b, 1);
	const struct vnic_client_limits two = {.cancels_per_s = 2}, none = {0};
	uint64_t id = (uint64_t)vnic_client_prefix(o.client) << VNIC_CANCEL_ID_PREFIX_SHIFT | 7;
	struct vnic_verdict v;

	(void)state;
	bed_wire_room(b, 0);
	for (uint32_t s = 0; s < 2; s++) {
		uint32_t first = b->nb_nbls;

		for (uint32_t i = 0; i < 6; i++)
			bed_nbl(b, i < 4 ? id : 1, 2);
		assert_int_equal(bed_send_by(b, s, first, 6), 6);
		if (s == 0)
			bed_data(b); /* staged: all of the bed's own */
	}
	assert_int_equal(operate_as(b, o.client, VNIC_CONTROL_PAUSE, 0, &v), VNIC_STATUS_INVALID_PARAMETER);
	assert_int_equal(operate_as(b, b->client, cancel, id, &v), VNIC_STATUS_INVALID_PARAMETER);
	assert_int_equal(operate_as(b, o.client, cancel, 0, &v), VNIC_STATUS_INVALID_PARAMETER);
	assert_int_equal(operate_as(b, o.client, all, vnic_client_prefix(b->client), &v),
			 VNIC_STATUS_INVALID_PARAMETER);
	assert_int_equal(b->nb_done, 0);
	vnic_client_set_limits(o.client, &two);
	assert_int_equal(operate_as(b, o.client, cancel, id, &v), VNIC_STATUS_SUCCESS);
	stack_expect_verdict(&v, 8, 16, 0);
	assert_int_equal(operate_as(b, o.client, all, 0, &v), VNIC_STATUS_RESOURCES);
	assert_int_equal(b->nb_done, 8);
	vnic_client_set_limits(o.client, &none);
	assert_int_equal(operate_as(b, o.client, all, 0, &v), VNIC_STATUS_SUCCESS);
	stack_expect_verdict(&v, 2, 4, 0);
	bed_settle(b);
	close_other(&o);
	assert_int_equal(operate_as(b, o.client, all, 0, &v), VNIC_STATUS_CLOSING);
	assert_int_equal(bed_stats(b).sent.nbls, 2);
	bed_close(b);
}

static void c35_as_a_request(void **state)
{
	struct bed *a = bed_open(NULL), *b = bed_open(&(struct bed_conf){.beside = a});
	struct other o = open_other(b, 1);
	struct vnic_verdict v;

	(void)state;
	bed_wire_room(b, 0);
	for (int round = 0; round < 2; round++) {
		send_all_ids(b, 0, 3);
		send_all_ids(b, 1, 7);
		bed_data(b);
	}
	assert_int_equal(operate(b, 99, &v), VNIC_STATUS_INVALID_PARAMETER); /* no client */
	assert_int_equal(operate(b, vnic_client_prefix(a->client), &v),
			 VNIC_STATUS_INVALID_PARAMETER); /* another adapter's */
	assert_int_equal(operate(b, 256 + vnic_client_prefix(o.client), &v),
			 VNIC_STATUS_INVALID_PARAMETER);
	assert_int_equal(b->nb_done, 0);
	assert_int_equal(operate(b, vnic_client_prefix(o.client), &v), VNIC_STATUS_SUCCESS);
	stack_expect_verdict(&v, 14, 28, 0);
	assert_int_equal(b->nb_done, 14);
	assert_int_equal(operate(b, 0, &v), VNIC_STATUS_SUCCESS); /* all clients */
	stack_expect_verdict(&v, 6, 12, 0);
	assert_int_equal(bed_inside(b), 0);
	close_other(&o);
	/* a prefix that is nobody's any more */
	assert_int_equal(operate(b, vnic_client_prefix(b->client), &v), VNIC_STATUS_SUCCESS);
	assert_int_equal(operate(b, (uint64_t)vnic_client_prefix(b->client) + 1, &v),
			 VNIC_STATUS_INVALID_PARAMETER);
	bed_close(b);
	bed_close(a);
}

/* The client cannot go while it is under way; given up before it begins, it has no effect. */
static void c61_an_abort_given_up(void **state)
{
	struct bed *b = bed_open(NULL);
	struct vnic_client *client = vnic_client_open(b->adapter);
	struct vnic_request *r = vnic_request_create(b->control);

	(void)state;
	assert_int_equal(vnic_adapter_request(b->adapter, VNIC_CONTROL_ABORT,
					      vnic_client_prefix(client), r), VNIC_STATUS_PENDING);
	assert_int_equal(vnic_client_close(client), -EBUSY);
	assert_true(vnic_request_cancel(r));
	assert_int_equal(vnic_request_status(r), VNIC_STATUS_CANCELLED);
	bed_step(b, 3);
	assert_int_equal(vnic_client_close(client), 0);
	vnic_request_release(r);
	bed_close(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(c16_c17_c35_all_of_one_client),
		cmocka_unit_test(c22_only_its_own_queues_are_looked_at),
		cmocka_unit_test(c27_one_shot),
		cmocka_unit_test(c35_the_verdict_is_of_its_own),
		cmocka_unit_test(c35_a_queue_that_has_changed_hands),
		cmocka_unit_test(c40_a_handle_under_an_abort),
		cmocka_unit_test(c35_all_of_one_client_of_a_layer),
		cmocka_unit_test(c35_as_a_request),
		cmocka_unit_test(c35_as_a_request_of_the_client),
		cmocka_unit_test(c61_an_abort_given_up),
	};

	return cmocka_run_group_tests_name("conformance abort", tests, test_eal_setup,
					   test_eal_teardown);
}
