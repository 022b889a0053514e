/* SPDX-License-Identifier: BSD-3-Clause
 * edge_test.c - moments between two steps of two threads, forced (C23, C37, C40, C69, C71, C74, C76)
 *
 * One thread makes the steps of all; where another thread would be interrupted, the test does
 * by hand what that thread had done so far.
 */
#include "bed.h"

#include <errno.h>
#include <unistd.h>

#include "adapter.h"

#define ID UINT64_C(0x1234)
#define STEPS 64

/* Control and data, often enough for anything to end. */
static void step_all(struct bed *b)
{
	for (int i = 0; i < STEPS; i++) {
		bed_control(b);
		bed_data(b);
	}
}

static struct vnic_request *issue(struct bed *b, enum vnic_control_code code, uint64_t argument)
{
	struct vnic_request *r = vnic_request_create(b->control);

	assert_non_null(r);
	vnic_adapter_request(b->adapter, code, argument, r);
	return r;
}

static uint32_t end_of(struct vnic_request *r)
{
	uint32_t status = vnic_request_status(r);

	vnic_request_release(r);
	return status;
}

static void up_again(struct bed *b)
{
	struct vnic_request *r = issue(b, VNIC_CONTROL_START, 1);

	step_all(b);
	assert_int_equal(end_of(r), VNIC_STATUS_SUCCESS);
}

/* ---- half sent when everything has to end at once ---- */

/* A reset does not wait for the port, a stop comes before its sweep: what has left in part
 * has not been aborted. */
static void c23_half_sent_is_not_aborted_by_a_stop(void **state)
{
	struct bed *b = bed_open(NULL);
	struct vnic_request *reset, *stop;
	uint32_t nbl;

	(void)state;
	bed_wire_room(b, 1);
	nbl = bed_nbl(b, ID, 3);
	bed_send(b, nbl, 1);
	bed_data(b);
	reset = issue(b, VNIC_CONTROL_RESET, 0);
	stop = issue(b, VNIC_CONTROL_STOP, 0);
	assert_int_equal(vnic_request_status(reset), VNIC_STATUS_PENDING);
	step_all(b);
	assert_int_equal(end_of(reset), VNIC_STATUS_CANCELLED);
	assert_int_equal(end_of(stop), VNIC_STATUS_REDIRECTOR_HAS_OPEN_HANDLES);
	bed_poll(b);
	bed_expect(b, nbl, 1, VNIC_STATUS_CLOSING);
	assert_int_equal(b->nbl[nbl].nb_sent, 1);
	bed_close(b);
}

/* ---- three adapters on top of each other ---- */

static struct vnic_adapter *open_layer(struct bed *b, struct vnic_adapter *lower)
{
	char name[16];
	struct vnic_adapter_conf conf = {.name = bed_unique("layer", name), .lower = &lower,
					 .nb_lower = 1, .numa_node = -1};
	struct vnic_adapter *a = vnic_adapter_create(b->control, &conf);

	assert_non_null(a);
	assert_int_equal(vnic_adapter_up(a), VNIC_STATUS_SUCCESS);
	return a;
}

static void c37_cancel_reaches_the_third_adapter(void **state)
{
	struct bed *b = bed_open(NULL);
	struct vnic_adapter *middle = open_layer(b, b->adapter), *top = open_layer(b, middle);
	struct vnic_client *client = vnic_client_open(top);
	struct vnic_sender *sender = vnic_sender_create(client, b->nbls, 64);
	struct vnic_nbl *nbl[4], *back[8];
	struct vnic_verdict v;

	(void)state;
	bed_wire_room(b, 0);
	assert_int_equal(vnic_nbl_alloc(b->nbls, nbl, 4), 0);
	for (uint64_t i = 0; i < 4; i++) {
		nbl[i]->cancel_id = ID + i % 2;
		nbl[i]->cookie = i;
		nbl[i]->nb_packets = 1;
		vnic_nbl_packets(nbl[i])[0] = rte_pktmbuf_alloc(b->mbufs);
		rte_pktmbuf_append(vnic_nbl_packets(nbl[i])[0], BED_FRAME);
	}
	assert_int_equal(vnic_send(sender, nbl, 4), 4);
	vnic_adapter_poll(top);
	vnic_adapter_poll(middle);
	assert_int_equal(vnic_adapter_cancel(top, ID, b->ticket), 0);
	for (int i = 0; i < STEPS; i++) {
		vnic_control_poll(b->control);
		vnic_adapter_poll(top);
		vnic_adapter_poll(middle);
		bed_data(b);
	}
	assert_int_equal(vnic_ticket_verdict(b->ticket, &v), 0);
	assert_int_equal(v.aborted.nbls, 2);
	assert_int_equal(v.too_late, 0);
	assert_int_equal(vnic_sender_poll(sender, back, 8), 2);
	for (int i = 0; i < 2; i++)
		assert_int_equal(back[i]->status, VNIC_STATUS_SEND_ABORTED);
	/* the others go as well, for the end */
	assert_int_equal(vnic_adapter_abort(top, b->ticket), 0);
	for (int i = 0; i < STEPS; i++) {
		vnic_control_poll(b->control);
		vnic_adapter_poll(top);
		vnic_adapter_poll(middle);
		bed_data(b);
	}
	assert_int_equal(vnic_sender_poll(sender, back, 8), 2);
	for (int i = 0; i < 4; i++)
		rte_pktmbuf_free(vnic_nbl_packets(nbl[i])[0]);
	vnic_nbl_free(b->nbls, nbl, 4);
	assert_int_equal(vnic_sender_destroy(sender), 0);
	assert_int_equal(vnic_client_close(client), 0);
	assert_int_equal(vnic_adapter_destroy(top), 0);
	assert_int_equal(vnic_adapter_destroy(middle), 0);
	b->alien = true;
	bed_close(b);
}

/* ---- a canceller that is interrupted ---- */

static struct {
	struct bed *b;
	struct vnic_request *stop;
	uint32_t status_after_stop;
	void (*leave)(struct vnic_request *r);
} scene;

/* Who completes is interrupted after it has left the adapter. */
static void leave_and_stop(struct vnic_request *r)
{
	scene.leave(r);
	scene.stop = issue(scene.b, VNIC_CONTROL_STOP, 0);
	step_all(scene.b);
	assert_int_equal(vnic_request_status(scene.stop), VNIC_STATUS_REDIRECTOR_HAS_OPEN_HANDLES);
	scene.status_after_stop = vnic_request_status(r);
}

static void c69_after_a_stop_no_operation_is_pending(void **state)
{
	struct bed *b = bed_open(NULL);
	struct vnic_request *r;

	(void)state;
	bed_control(b);
	r = issue(b, VNIC_CONTROL_WAIT_LINK, 0);
	assert_int_equal(vnic_request_status(r), VNIC_STATUS_PENDING);
	scene.b = b;
	scene.leave = r->leave;
	r->leave = leave_and_stop;
	assert_true(vnic_request_cancel(r));
	assert_int_equal(end_of(r), VNIC_STATUS_CANCELLED);
	assert_int_equal(scene.status_after_stop, VNIC_STATUS_CANCELLED);
	vnic_request_release(scene.stop);
	up_again(b);
	bed_close(b);
}

/* The canceller of a held stop has its routine and was interrupted: the control thread does not
 * wait for it. */
static void c71_stop_does_not_wait_for_its_canceller(void **state)
{
	struct bed *b = bed_open(NULL);
	struct vnic_request *stop;
	vnic_cancel_routine *routine;

	(void)state;
	bed_control(b);
	stop = issue(b, VNIC_CONTROL_STOP, 0);
	assert_int_equal(vnic_request_status(stop), VNIC_STATUS_PENDING);
	routine = vnic_request_set_cancel_routine(stop, NULL);
	assert_non_null(routine);
	alarm(20);
	step_all(b);
	alarm(0);
	assert_int_equal(vnic_request_status(stop), VNIC_STATUS_PENDING);
	vnic_cancel_lock(b->control);
	routine(b->adapter, stop);
	step_all(b);
	assert_int_equal(end_of(stop), VNIC_STATUS_CANCELLED);
	assert_int_equal(vnic_adapter_gate(b->adapter), VNIC_STATUS_SUCCESS);
	bed_close(b);
}

/* The same with the canceller of a send, whose NBL ends meanwhile: the adapter stays. */
static void c40_adapter_stays_for_the_cancel_of_a_send(void **state)
{
	struct bed *b = bed_open(NULL), *other = bed_open(&(struct bed_conf){.beside = b});
	struct vnic_request *r = vnic_request_create(b->control);
	struct vnic_client *client = vnic_client_open(other->adapter);
	struct vnic_sender *sender = vnic_sender_create(client, b->nbls, 64);
	vnic_cancel_routine *routine;
	struct vnic_nbl *nbl;

	(void)state;
	assert_int_equal(vnic_nbl_alloc(b->nbls, &nbl, 1), 0);
	nbl->cancel_id = ID;
	nbl->nb_packets = 1;
	vnic_nbl_packets(nbl)[0] = rte_pktmbuf_alloc(b->mbufs);
	rte_pktmbuf_append(vnic_nbl_packets(nbl)[0], BED_FRAME);
	bed_wire_room(other, 0);
	assert_int_equal(vnic_request_send(sender, nbl, r), VNIC_STATUS_PENDING);
	routine = vnic_request_set_cancel_routine(r, NULL);
	assert_non_null(routine);
	assert_int_equal(vnic_adapter_abort(other->adapter, b->ticket), 0);
	for (int i = 0; i < STEPS; i++) {
		bed_control(b);
		bed_data(other);
	}
	assert_int_equal(vnic_sender_poll(sender, &nbl, 1), 1);
	vnic_request_sent(nbl);
	assert_int_equal(vnic_request_status(r), VNIC_STATUS_CANCELLED);
	/* all that the adapter knew of it is over, but for the canceller */
	assert_int_equal(atomic_load(&other->adapter->asked), 1);
	vnic_cancel_lock(b->control);
	routine(other->adapter, r);
	for (int i = 0; i < STEPS; i++) {
		bed_control(b);
		bed_data(other);
	}
	assert_int_equal(atomic_load(&other->adapter->asked), 0);
	vnic_request_release(r);
	rte_pktmbuf_free(vnic_nbl_packets(nbl)[0]);
	vnic_nbl_free(b->nbls, &nbl, 1);
	assert_int_equal(vnic_sender_destroy(sender), 0);
	assert_int_equal(vnic_client_close(client), 0);
	bed_wire_room(other, BED_ROOM_ALL);
	other->alien = true;
	bed_close(other);
	bed_close(b);
}

/* ---- an adapter with a driver of the test's ---- */

static struct {
	bool restart_pends;
	uint32_t initialized;
	struct vnic_request *request;
	uint32_t in_callback;
} drv;

static uint32_t restart(struct vnic_adapter *a, void *context)
{
	(void)a;
	(void)context;
	return drv.restart_pends ? VNIC_STATUS_PENDING : VNIC_STATUS_SUCCESS;
}

static uint32_t initialize(struct vnic_adapter *a, void *context)
{
	(void)context;
	if (drv.request == NULL)
		return VNIC_STATUS_SUCCESS;
	if (drv.initialized++ == 0)
		return VNIC_STATUS_PENDING;
	drv.in_callback = vnic_adapter_request(a, VNIC_CONTROL_WAIT_LINK, 1, drv.request);
	return VNIC_STATUS_SUCCESS;
}

static struct vnic_adapter *open_driven(struct bed *b)
{
	static const struct vnic_driver driver = {
		.name = "edge", .restart = restart, .initialize = initialize};
	char name[16];
	struct vnic_adapter_conf conf = {.name = bed_unique("driven", name), .lower = &b->adapter,
					 .nb_lower = 1, .numa_node = -1, .driver = &driver};
	struct vnic_adapter *a = vnic_adapter_create(b->control, &conf);

	assert_non_null(a);
	return a;
}

static void close_driven(struct bed *b, struct vnic_adapter *a)
{
	assert_int_equal(vnic_adapter_destroy(a), 0);
	b->alien = true;
	bed_close(b);
}

static void c74_start_overtaken_by_a_shutdown(void **state)
{
	struct bed *b = bed_open(NULL);
	struct vnic_adapter *a = open_driven(b);
	struct vnic_request *start = vnic_request_create(b->control);
	struct vnic_request *shutdown = vnic_request_create(b->control);

	(void)state;
	bed_control(b);
	drv.restart_pends = true;
	assert_int_equal(vnic_adapter_request(a, VNIC_CONTROL_START, 1, start), VNIC_STATUS_PENDING);
	assert_int_equal(vnic_adapter_state(a), VNIC_STATE_RESTARTING);
	vnic_adapter_request(a, VNIC_CONTROL_SHUTDOWN, 0, shutdown);
	assert_int_equal(end_of(shutdown), VNIC_STATUS_SUCCESS);
	assert_int_equal(end_of(start), VNIC_STATUS_INVALID_STATE);
	drv.restart_pends = false;
	close_driven(b, a);
}

static void what_a_callback_issues_waits_in_up_too(void **state)
{
	struct bed *b = bed_open(NULL);
	struct vnic_adapter *a = open_driven(b);

	(void)state;
	bed_control(b);
	drv.initialized = 0;
	drv.request = vnic_request_create(b->control);
	assert_int_equal(vnic_adapter_up(a), VNIC_STATUS_SUCCESS);
	assert_int_equal(drv.in_callback, VNIC_STATUS_PENDING);
	bed_control(b);
	assert_int_equal(end_of(drv.request), VNIC_STATUS_SUCCESS);
	drv.request = NULL;
	close_driven(b, a);
}

/* A stop that is on its way to the control thread keeps the adapter in memory. */
static void destroy_waits_for_a_posted_stop(void **state)
{
	struct bed *b = bed_open(NULL);
	struct vnic_adapter *a = open_driven(b);
	struct vnic_request *r = vnic_request_create(b->control);
	bool post;

	(void)state;
	assert_int_equal(vnic_adapter_up(a), VNIC_STATUS_SUCCESS);
	assert_int_equal(vnic_adapter_stop(a, r, &post), VNIC_STATUS_PENDING);
	assert_true(post);
	assert_int_equal(vnic_adapter_destroy(a), -EBUSY);
	step_all(b);
	assert_int_equal(end_of(r), VNIC_STATUS_SUCCESS);
	close_driven(b, a);
}

/* An NBL that is queued at the first look after a start has not been there for long. */
static void c76_first_look_finds_nothing_hung(void **state)
{
	struct bed *b = bed_open(NULL);

	(void)state;
	bed_wire_room(b, 0);
	bed_send_id(b, ID, 1);
	bed_data(b);
	step_all(b);
	assert_int_equal(bed_stats(b).hung, 0);
	assert_int_equal(bed_poll(b), 0);
	bed_close(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(c23_half_sent_is_not_aborted_by_a_stop),
		cmocka_unit_test(c37_cancel_reaches_the_third_adapter),
		cmocka_unit_test(c69_after_a_stop_no_operation_is_pending),
		cmocka_unit_test(c71_stop_does_not_wait_for_its_canceller),
		cmocka_unit_test(c40_adapter_stays_for_the_cancel_of_a_send),
		cmocka_unit_test(c74_start_overtaken_by_a_shutdown),
		cmocka_unit_test(c76_first_look_finds_nothing_hung),
		cmocka_unit_test(what_a_callback_issues_waits_in_up_too),
		cmocka_unit_test(destroy_waits_for_a_posted_stop),
	};

	return cmocka_run_group_tests(tests, test_eal_setup, test_eal_teardown);
}
