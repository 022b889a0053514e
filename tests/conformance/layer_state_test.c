/* SPDX-License-Identifier: BSD-3-Clause
 * layer_state_test.c - contract F and I: what closes an intermediate adapter (C40, C54), and
 * what holds it up: a full queue below, no clones, a pace, a drain
 */
#include "stack.h"

#include <errno.h>

#include <rte_cycles.h>
#include <rte_errno.h>

#include "adapter.h"
#include "layer.h"

#define ID UINT64_C(0x1234)
#define OTHER UINT64_C(0x5678)

/* ---- back-pressure ---- */

/* The lower queue is full, the layer's stage and ring fill up behind it: all of it is
 * cancellable, none of it is lost. */
static void a_full_lower_queue(void **state)
{
	struct stack st = stack_open(2);
	uint32_t want[160], nb = 0, first, taken;
	struct vnic_verdict v;

	(void)state;
	for (uint32_t i = 0; i < 100; i++) {
		bed_send(st.top, bed_nbl(st.top, i % 2 == 0 ? ID : OTHER, 1), 1);
		bed_data(st.top);
	}
	first = st.top->nb_nbls; /* below 64, staged 1, in the ring 35 */
	assert_int_equal(bed_stats(st.low).queued.nbls, 64);
	assert_true(bed_stats(st.top).port_refused != 0);
	for (uint32_t i = 0; i < 60; i++)
		bed_nbl(st.top, i % 2 == 0 ? ID : OTHER, 1);
	taken = bed_send_by(st.top, 0, first, 60);
	assert_int_equal(taken, 27); /* twice its depth, less one, is outstanding */
	bed_discard(st.top, first + taken, (uint16_t)(60 - taken));
	v = bed_cancel(st.top, ID);
	stack_expect_verdict(&v, 50 + 14, 50 + 14, 0);
	for (uint32_t i = 1; i < 127; i += 2)
		want[nb++] = bed_mark(st.top, i);
	bed_settle(st.top);
	bed_expect_log(st.low, 0, want, nb);
	stack_close(&st);
}

/* Some of a stage go down, the others wait in it. */
static void a_stage_handed_down_in_part(void **state)
{
	(void)state;
	for (uint32_t room = 0; room <= 8; room++) {
		struct stack st = stack_open(2);
		struct vnic_verdict v;

		stack_send(&st, 0, OTHER, (uint16_t)(64 - room));
		for (uint32_t i = 0; i < 16; i++)
			bed_nbl(st.top, i % 2 == 0 ? ID : OTHER, 1);
		bed_send(st.top, 64 - room, 16);
		bed_data(st.top);
		assert_int_equal(bed_stats(st.low).queued.nbls, 64);
		v = bed_cancel(st.top, ID);
		stack_expect_verdict(&v, 8, 8, 0);
		assert_int_equal(bed_stats(st.low).aborted.nbls, (room + 1) / 2);
		bed_settle(st.top);
		assert_int_equal(bed_count(st.top, 0, 80 - room, VNIC_STATUS_SUCCESS), 72 - room);
		stack_close(&st);
	}
}

/* Where there is never room for more than one, each sender has its turn. */
static void senders_of_a_layer_take_turns(void **state)
{
	struct bed *low = bed_open(NULL);
	struct bed *top = bed_open(&(struct bed_conf){.lower = {low}, .nb_lower = 1, .nb_senders = 3});
	uint32_t by[3] = {0};

	(void)state;
	bed_wire_room(low, 0);
	for (uint32_t s = 0; s < 3; s++)
		for (uint32_t i = 0; i < 64; i++)
			bed_send_by(top, s, bed_nbl(top, OTHER, 1), 1);
	while (bed_data(top) != 0)
		;
	for (uint32_t step = 0; step < 120; step++) {
		bed_wire_room(low, 1);
		bed_data(low);
		bed_data(low); /* and claim the next one */
		bed_data(top);
		bed_data(top);
		bed_poll(top);
	}
	for (uint32_t i = 0; i < low->nb_log; i++)
		by[top->nbl[top->packet[low->log[i] & 0xffffff].nbl].sender]++;
	for (uint32_t s = 0; s < 3; s++)
		assert_true(by[s] >= 15);
	bed_close(top);
	bed_close(low);
}

/* ---- refusals ---- */

static void c8_more_packets_than_go_down(void **state)
{
	struct bed *low = bed_open(NULL);
	struct bed *middle = bed_open(&(struct bed_conf){
		.lower = {low}, .nb_lower = 1, .lower_packets = 4});
	struct bed *top = stack_layer(middle);
	struct bed *const layer[] = {middle, top};

	(void)state;
	for (uint32_t i = 0; i < 2; i++) { /* the lowest bound holds all the way up */
		struct bed *b = layer[i];

		bed_nbl(b, ID, 4);
		bed_nbl(b, ID, 5);
		bed_nbl(b, ID, 1);
		bed_send(b, 0, 3);
		bed_settle(b);
		bed_expect(b, 0, 1, VNIC_STATUS_SUCCESS);
		bed_expect(b, 1, 1, VNIC_STATUS_INVALID_PARAMETER);
		bed_expect(b, 2, 1, VNIC_STATUS_SUCCESS);
		assert_int_equal(bed_stats(b->conf.lower[0]).invalid_parameter.nbls, i);
	}
	bed_close(top);
	bed_close(middle);
	bed_close(low);
}

static void c8_a_longer_frame_than_goes_down(void **state)
{
	struct bed *low = bed_open(&(struct bed_conf){.max_frame = 600});
	struct bed *middle = stack_layer(low), *top = stack_layer(middle);

	(void)state;
	bed_nbl_of(top, ID, bed_packet(top, 600), 1);
	bed_nbl_of(top, ID, bed_packet(top, 601), 1);
	bed_nbl_of(top, ID, bed_packet(top, 20), 1); /* padded by the one with the port [C6] */
	bed_send(top, 0, 3);
	bed_settle(top);
	bed_expect(top, 0, 1, VNIC_STATUS_SUCCESS);
	bed_expect(top, 1, 1, VNIC_STATUS_INVALID_LENGTH);
	bed_expect(top, 2, 1, VNIC_STATUS_SUCCESS);
	assert_int_equal(bed_stats(low).padded, 1);
	assert_int_equal(bed_stats(low).rejected.nbls, 0);
	bed_close(top);
	bed_close(middle);
	bed_close(low);
}

/* No clones: what can come back is waited for; if nothing can, the NBL fails. */
static void resources_only_when_nothing_can_come_back(void **state)
{
	struct stack st = stack_open(2);
	struct vnic_nbl_pool *pool = st.top->adapter->layer->nbls;
	struct vnic_nbl *hoard[1024];
	uint32_t n = 0;

	(void)state;
	stack_send(&st, 0, ID, 3);
	while (vnic_nbl_alloc(pool, &hoard[n], 1) == 0)
		n++;
	bed_send_id(st.top, OTHER, 4);
	for (uint32_t i = 0; i < 10; i++)
		bed_data(st.top);
	assert_int_equal(bed_stats(st.top).queued.nbls, 7);
	assert_int_equal(bed_cancel(st.top, ID).aborted.nbls, 3); /* with their clones go others */
	bed_settle(st.top);
	bed_expect(st.top, 3, 4, VNIC_STATUS_SUCCESS);
	while (vnic_nbl_alloc(pool, &hoard[n], 1) == 0)
		n++;
	bed_send_id(st.top, OTHER, 2);
	bed_data(st.top);
	bed_data(st.top);
	bed_poll(st.top);
	bed_expect(st.top, 7, 2, VNIC_STATUS_RESOURCES);
	vnic_nbl_free(pool, hoard, n);
	stack_close(&st);
}

/* ---- pace ---- */

static double seconds_since(uint64_t begin)
{
	return (double)(rte_rdtsc() - begin) / (double)rte_get_tsc_hz();
}

static double seconds_of(struct bed *b)
{
	uint64_t begin = rte_rdtsc();

	bed_settle(b);
	return seconds_since(begin);
}

static void a_layer_keeps_its_pace(void **state)
{
	static const struct vnic_pacing pace[] = {
		{.packets_per_s = 2000, .burst_packets = 15},
		{.bits_per_s = 2000 * 8 * BED_FRAME, .burst_packets = 1}, /* 15 of them and a bit */
	};

	(void)state;
	for (size_t i = 0; i < BED_COUNT_OF(pace); i++) {
		struct bed *low = bed_open(NULL);
		struct bed *top = bed_open(&(struct bed_conf){
			.lower = {low}, .nb_lower = 1, .depth = 128, .pacing = pace[i]});
		uint64_t begin;
		double passed;

		bed_wire_room(low, 0);
		bed_data(top);
		rte_delay_us_block(20000); /* saves up a burst, no more */
		begin = rte_rdtsc();
		bed_data(top);
		bed_send_id(top, OTHER, 30);
		bed_send_id(top, ID, 30);
		while (bed_data(top) != 0)
			;
		assert_in_range(bed_stats(low).queued.packets, 14, 18 + (uint64_t)(2000 * seconds_since(begin)));
		assert_int_equal(bed_cancel(top, ID).aborted.nbls, 30);
		bed_send_id(top, OTHER, 30);
		passed = seconds_since(begin);
		assert_true(seconds_of(top) > 0.020 - passed); /* 60 less what was saved and sent meanwhile */
		bed_expect(top, 0, 30, VNIC_STATUS_SUCCESS);
		bed_expect(top, 60, 30, VNIC_STATUS_SUCCESS);
		bed_close(top);
		bed_close(low);
	}
}

/* ---- C40 ---- */

static void c40_no_binding_closes_under_a_cancel(void **state)
{
	struct stack st = stack_open(2);
	struct vnic_client *client = vnic_client_open(st.top->adapter);
	uint64_t id = (uint64_t)vnic_client_prefix(client) << VNIC_CANCEL_ID_PREFIX_SHIFT | ID;
	struct vnic_ticket *unused = vnic_ticket_create(-1);
	struct vnic_verdict v;

	(void)state;
	stack_send(&st, 0, id, 3);
	bed_data(st.low);
	assert_int_equal(vnic_client_cancel(client, id, st.top->ticket), 0);
	for (uint32_t step = 0; step < 4; step++) {
		/* posted; in the layer; waiting below for its data side; and answered there */
		assert_int_equal(vnic_client_close(client), -EBUSY);
		assert_int_equal(vnic_adapter_destroy(st.top->adapter), -EBUSY);
		assert_int_equal(vnic_adapter_destroy(st.low->adapter), -EBUSY);
		if (step < 3)
			bed_control(st.top);
		if (step == 2)
			bed_data(st.low);
	}
	v = bed_verdict(st.top, st.top->ticket);
	stack_expect_verdict(&v, 3, 3, 0);
	assert_int_equal(vnic_client_close(client), 0);
	assert_int_equal(vnic_client_close(client), -EBADF);
	assert_int_equal(vnic_client_cancel(client, id, unused), -EBADF);
	assert_int_equal(vnic_ticket_verdict(unused, &v), -ENOENT);
	assert_int_equal(vnic_ticket_destroy(unused), 0);
	stack_close(&st);
}

/* On its way back from below, with nobody left who has the adapter open. */
static void c40_nor_the_adapter(void **state)
{
	struct bed *low = bed_open(NULL);
	struct vnic_adapter *a = vnic_adapter_create(low->control, &(struct vnic_adapter_conf){
		.name = "layer", .lower = &low->adapter, .nb_lower = 1, .numa_node = -1});
	struct vnic_client *client;
	struct vnic_verdict v;

	(void)state;
	assert_non_null(a);
	client = vnic_client_open(a);
	assert_non_null(client);
	/* its queue stays, and the cancel asks the layer's data thread about it */
	assert_int_equal(vnic_sender_destroy(vnic_sender_create(client, low->nbls, 64)), 0);
	assert_int_equal(vnic_client_close(client), 0);
	assert_int_equal(vnic_adapter_cancel(a, ID, low->ticket), 0);
	bed_control(low);
	assert_int_equal(vnic_ticket_verdict(low->ticket, &v), -EINPROGRESS);
	assert_int_equal(vnic_adapter_destroy(a), -EBUSY);
	assert_int_equal(vnic_ticket_destroy(low->ticket), -EBUSY);
	vnic_adapter_poll(a);
	v = bed_verdict(low, low->ticket);
	stack_expect_verdict(&v, 0, 0, 0);
	assert_int_equal(vnic_adapter_destroy(a), 0);
	bed_close(low);
}

/* A layer holds its lower adapters; what is below a layer holds it, by its senders. */
static void c40_no_adapter_goes_while_a_layer_is_over_it(void **state)
{
	struct stack st = stack_open(3);

	(void)state;
	stack_send(&st, 0, ID, 3);
	for (uint32_t i = 0; i < 3; i++)
		assert_int_equal(vnic_adapter_destroy(st.bed[i]->adapter), -EBUSY);
	assert_int_equal(vnic_sender_destroy(st.top->sender[0]), -EBUSY);
	assert_int_equal(vnic_client_close(st.top->client), -EBUSY);
	stack_close(&st);
}

/* ---- C54, and what else closes a layer's gate ---- */

static void c54_a_pause_of_a_layer(void **state)
{
	struct stack st = stack_open(2);
	struct vnic_request *r;

	(void)state;
	stack_send(&st, 0, ID, 20);
	bed_data(st.low);
	stack_send(&st, 0, ID, 64);      /* the queue below is full again */
	bed_send_id(st.top, ID, 10);
	bed_data(st.top);             /* staged */
	bed_send_id(st.top, ID, 10);
	r = stack_issue(st.top, VNIC_CONTROL_PAUSE, 0);
	stack_step(st.top, 20);
	bed_poll(st.top);
	bed_expect(st.top, 84, 20, VNIC_STATUS_PAUSED); /* what it queued */
	assert_int_equal(vnic_request_status(r), VNIC_STATUS_PENDING);
	assert_int_equal(vnic_adapter_state(st.top->adapter), VNIC_STATE_PAUSING);
	bed_send_id(st.top, ID, 5);
	bed_poll(st.top);
	bed_expect(st.top, 104, 5, VNIC_STATUS_PAUSED);
	assert_int_equal(bed_stats(st.low).accepted.nbls, 84); /* none of them forwarded */
	assert_int_equal(bed_stats(st.low).sent.nbls, 0);
	bed_wire_room(st.low, 83); /* one is still below */
	stack_step(st.top, 20);
	assert_int_equal(vnic_request_status(r), VNIC_STATUS_PENDING);
	bed_wire_room(st.low, 1);
	stack_end(st.top, r, VNIC_STATUS_SUCCESS);
	bed_expect(st.top, 0, 84, VNIC_STATUS_SUCCESS);
	assert_int_equal(vnic_adapter_state(st.top->adapter), VNIC_STATE_PAUSED);
	bed_send_id(st.top, ID, 5);
	bed_poll(st.top);
	bed_expect(st.top, 109, 5, VNIC_STATUS_PAUSED);
	stack_do(st.top, VNIC_CONTROL_RESTART, 0);
	bed_send_id(st.top, ID, 5);
	bed_settle(st.top);
	bed_expect(st.top, 114, 5, VNIC_STATUS_SUCCESS);
	assert_int_equal(bed_stats(st.low).accepted.nbls, 89);
	stack_close(&st);
}

/* While a pause waits for what is below a cancel takes it [C46]. */
static void c54_a_cancel_under_a_pause(void **state)
{
	struct stack st = stack_open(3);
	struct vnic_request *r;

	(void)state;
	stack_send(&st, 0, ID, 10);
	bed_data(st.low);
	stack_send(&st, 1, ID, 10);
	bed_send_id(st.top, ID, 10);
	r = stack_issue(st.top, VNIC_CONTROL_PAUSE, 0);
	bed_control(st.top);
	assert_int_equal(bed_cancel(st.top, ID).aborted.nbls, 20);
	stack_end(st.top, r, VNIC_STATUS_SUCCESS);
	bed_expect(st.top, 0, 20, VNIC_STATUS_SEND_ABORTED);
	bed_expect(st.top, 20, 10, VNIC_STATUS_PAUSED);
	stack_close(&st);
}

/* A lower adapter's gate closes: the layer's NBLs complete with its status. */
static void c54_a_lower_adapter_paused(void **state)
{
	struct stack st = stack_open(3);

	(void)state;
	stack_send(&st, 0, ID, 10);
	bed_data(st.low);
	stack_send(&st, 0, ID, 10);
	stack_do(st.low, VNIC_CONTROL_PAUSE, 0);
	bed_data_all(st.top);
	bed_data_all(st.top);
	bed_poll(st.top);
	bed_expect(st.top, 0, 20, VNIC_STATUS_PAUSED);
	stack_send(&st, 0, ID, 5);
	bed_settle(st.top);
	bed_expect(st.top, 20, 5, VNIC_STATUS_PAUSED);
	stack_do(st.low, VNIC_CONTROL_RESTART, 0);
	stack_send(&st, 0, ID, 5);
	bed_settle(st.top);
	bed_expect(st.top, 25, 5, VNIC_STATUS_SUCCESS);
	stack_close(&st);
}

/* At once: the wire is closed. One that is half on the wire comes back in part, but not from
 * a stop, which cancels: that waits for it. */
static void check_brought_back(enum vnic_control_code code, uint32_t status, bool stops)
{
	for (uint32_t nb = 2; nb <= 3; nb++) {
		struct stack st = stack_open(nb);
		struct vnic_request *r;

		bed_send_id(st.low, ID, 2);
		bed_send(st.top, bed_nbl(st.top, ID, 3), 1);
		stack_sink(&st, 0);
		if (!stops) {
			bed_wire_room(st.low, 3); /* the two, and one of the three */
			bed_data(st.low);
			bed_poll(st.low);
			bed_wire_room(st.low, 0);
		}
		bed_send_id(st.low, ID, 2);
		for (uint32_t level = 0; level < nb; level++)
			stack_send(&st, level, ID, 5);
		r = stack_issue(st.top, code, 0);
		stack_end(st.top, r, status == VNIC_STATUS_SEND_ABORTED ?
					      VNIC_STATUS_REDIRECTOR_HAS_OPEN_HANDLES : VNIC_STATUS_SUCCESS);
		bed_expect(st.top, 0, st.top->nb_nbls, status);
		assert_int_equal(st.top->nbl[0].nb_sent, stops ? 0 : 1);
		assert_int_equal(bed_stats(st.top).queued.nbls, 0);
		for (uint32_t i = 0; i < st.top->nb_nbls; i++)
			assert_int_equal(st.top->nbl[i].status, status);
		assert_int_equal(bed_stats(st.low).queued.nbls, stops ? 4 : 2);
		bed_settle(st.low);
		bed_expect(st.low, 0, 4, VNIC_STATUS_SUCCESS); /* another client's */
		stack_close(&st);
	}
}

static void c54_a_reset_of_a_layer(void **state)
{
	(void)state;
	check_brought_back(VNIC_CONTROL_RESET, VNIC_STATUS_RESET_IN_PROGRESS, false);
}

static void c54_low_power_of_a_layer(void **state)
{
	(void)state;
	check_brought_back(VNIC_CONTROL_POWER, VNIC_STATUS_LOW_POWER_STATE, false);
}

static void c54_a_stop_of_a_layer(void **state)
{
	(void)state;
	check_brought_back(VNIC_CONTROL_STOP, VNIC_STATUS_SEND_ABORTED, true);
}

static void c54_a_stop_waits_for_one_half_sent(void **state)
{
	struct stack st = stack_open(2);
	struct vnic_request *r;

	(void)state;
	bed_send(st.top, bed_nbl(st.top, ID, 3), 1);
	bed_send(st.top, bed_nbl(st.top, ID, 3), 1);
	stack_sink(&st, 0);
	bed_wire_room(st.low, 1);
	bed_data(st.low);
	bed_wire_room(st.low, 0);
	r = stack_issue(st.top, VNIC_CONTROL_STOP, 0);
	stack_step(st.top, 50);
	assert_int_equal(vnic_request_status(r), VNIC_STATUS_PENDING);
	bed_poll(st.top);
	bed_expect(st.top, 1, 1, VNIC_STATUS_SEND_ABORTED);
	bed_wire_room(st.low, 2);
	stack_end(st.top, r, VNIC_STATUS_REDIRECTOR_HAS_OPEN_HANDLES);
	bed_expect(st.top, 0, 1, VNIC_STATUS_SUCCESS);
	stack_close(&st);
}

/* After a reset a layer sends again, and what was brought back stays so. */
static void c54_on_after_a_reset(void **state)
{
	struct stack st = stack_open(3);

	(void)state;
	for (uint32_t round = 0; round < 20; round++) {
		bed_wire_room(st.low, 0);
		stack_send(&st, round % 3, ID, 20);
		stack_do(st.top, VNIC_CONTROL_RESET, 0);
		bed_expect(st.top, 30 * round, 20, VNIC_STATUS_RESET_IN_PROGRESS);
		bed_send_id(st.top, ID, 10);
		bed_settle(st.top);
		bed_expect(st.top, 30 * round + 20, 10, VNIC_STATUS_SUCCESS);
	}
	stack_close(&st);
}

/* The lowest port goes: everything comes back at once, whatever wire it was on its way to. */
static void c53_the_port_below_goes(void **state)
{
	struct stack st = stack_open(3);

	(void)state;
	for (uint32_t level = 0; level < 3; level++) {
		stack_send(&st, level, ID, 5);
		if (level == 0)
			bed_data(st.low);
	}
	stack_do(st.low, VNIC_CONTROL_REMOVE, 0);
	stack_step(st.top, 5);
	bed_poll(st.top);
	bed_expect(st.top, 0, 15, VNIC_STATUS_MEDIA_DISCONNECTED);
	bed_send_id(st.top, ID, 5);
	stack_step(st.top, 5);
	bed_poll(st.top);
	assert_int_equal(st.top->nb_done, 20); /* by whichever gate */
	stack_close(&st);
}

/* ---- drain ---- */

/* Ends when all that was sent before it, to whatever level it has come, is visible to its
 * sender; does not wait for what is sent when all are at it. */
static void a_drain_goes_through_layers(void **state)
{
	struct stack st = stack_open(3);
	struct vnic_request *r;

	(void)state;
	for (uint32_t level = 0; level < 3; level++)
		stack_send(&st, level, ID, 5);
	r = stack_issue(st.top, VNIC_CONTROL_DRAIN, 0);
	stack_step(st.top, 20);
	bed_send_id(st.top, OTHER, 5);
	bed_wire_room(st.low, 14);
	stack_step(st.top, 20);
	assert_int_equal(vnic_request_status(r), VNIC_STATUS_PENDING);
	bed_wire_room(st.low, 1);
	for (uint32_t i = 0; i < 100 && vnic_request_status(r) == VNIC_STATUS_PENDING; i++) {
		bed_data_all(st.top);
		bed_control(st.top); /* what it left undone is seen below */
	}
	assert_int_equal(vnic_request_status(r), VNIC_STATUS_SUCCESS);
	bed_poll(st.top);
	bed_expect(st.top, 0, 15, VNIC_STATUS_SUCCESS);
	assert_int_equal(bed_count(st.top, 15, 5, VNIC_STATUS_SUCCESS), 0);
	vnic_request_release(r);
	stack_close(&st);
}

/* ---- made and taken down ---- */

static void expect_refused(struct bed *b, struct vnic_adapter_conf conf)
{
	rte_errno = 0;
	assert_null(vnic_adapter_create(b->control, &conf));
	assert_int_equal(rte_errno, EINVAL);
}

static void layers_that_cannot_be(void **state)
{
	struct bed *b = bed_open(NULL), *other = bed_open(NULL);
	struct vnic_adapter *lower[9], *alien = other->adapter, *none = NULL;
	struct vnic_adapter_conf good = {.name = "x", .lower = lower, .nb_lower = 1, .numa_node = -1}, c;

	(void)state;
	for (uint32_t i = 0; i < BED_COUNT_OF(lower); i++)
		lower[i] = b->adapter;
	c = good, c.nb_lower = 9, expect_refused(b, c);
	c = good, c.lower = NULL, expect_refused(b, c);
	c = good, c.lower = &none, expect_refused(b, c);
	c = good, c.lower = &alien, expect_refused(b, c);
	c = good, c.lower_depth = 65, expect_refused(b, c);
	c = good, c.lower_depth = 32, expect_refused(b, c);
	c = good, c.lower_depth = 2097152, expect_refused(b, c);
	c = good, c.lower_packets = 1025, expect_refused(b, c);
	bed_close(other);
	bed_close(b); /* it has no client left over */
}

/* A binding's place on the lower adapter is free again, its clones' memory too. */
static void layers_come_and_go(void **state)
{
	struct bed *low = bed_open(NULL);

	(void)state;
	for (uint32_t i = 0; i < 40; i++) {
		struct stack st = {.nb = 3, .bed = {low, stack_layer(low)}, .low = low};

		st.top = st.bed[2] = stack_layer(st.bed[1]);
		bed_wire_room(low, 0);
		stack_send(&st, i % 3, ID, 5);
		bed_send_id(low, ID, 1);
		assert_int_equal(bed_cancel(st.top, ID).aborted.nbls, 5);
		stack_send(&st, i % 3, ID, 5);
		bed_settle(st.top);
		bed_expect(st.top, 5, 5, VNIC_STATUS_SUCCESS);
		bed_settle(low);
		bed_close(st.top);
		bed_close(st.bed[1]);
		low->nb_layers = 0;
	}
	bed_expect(low, 0, 40, VNIC_STATUS_SUCCESS);
	bed_close(low);
}

/* As high as it gets. */
static void eight_adapters_on_top_of_each_other(void **state)
{
	struct bed *bed[8] = {bed_open(NULL)}, *top;
	struct vnic_verdict v;

	(void)state;
	for (uint32_t i = 1; i < 8; i++)
		bed[i] = stack_layer(bed[i - 1]);
	top = bed[7];
	expect_refused(top, (struct vnic_adapter_conf){
		.name = "x", .lower = &top->adapter, .nb_lower = 1, .numa_node = -1});
	bed_wire_room(bed[0], 0);
	for (uint32_t i = 0; i < 16; i++) {
		bed_send(top, bed_nbl(top, i % 2 == 0 ? ID : OTHER, 1), 1);
		bed_data_all(top);
		bed_data(bed[i % 8]);
	}
	assert_int_equal(vnic_adapter_cancel(top->adapter, ID, top->ticket), 0);
	bed_send(top, bed_nbl(top, ID, 1), 1);
	bed_data_all(top);
	v = bed_verdict(top, top->ticket);
	stack_expect_verdict(&v, 8, 8, 0);
	bed_settle(top);
	assert_int_equal(bed_count(top, 0, 17, VNIC_STATUS_SUCCESS), 9);
	for (uint32_t i = 8; i-- != 0;)
		bed_close(bed[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_full_lower_queue),
		cmocka_unit_test(a_stage_handed_down_in_part),
		cmocka_unit_test(senders_of_a_layer_take_turns),
		cmocka_unit_test(c8_more_packets_than_go_down),
		cmocka_unit_test(c8_a_longer_frame_than_goes_down),
		cmocka_unit_test(resources_only_when_nothing_can_come_back),
		cmocka_unit_test(a_layer_keeps_its_pace),
		cmocka_unit_test(c40_no_binding_closes_under_a_cancel),
		cmocka_unit_test(c40_nor_the_adapter),
		cmocka_unit_test(c40_no_adapter_goes_while_a_layer_is_over_it),
		cmocka_unit_test(c54_a_pause_of_a_layer),
		cmocka_unit_test(c54_a_cancel_under_a_pause),
		cmocka_unit_test(c54_a_lower_adapter_paused),
		cmocka_unit_test(c54_a_reset_of_a_layer),
		cmocka_unit_test(c54_low_power_of_a_layer),
		cmocka_unit_test(c54_a_stop_of_a_layer),
		cmocka_unit_test(c54_a_stop_waits_for_one_half_sent),
		cmocka_unit_test(c54_on_after_a_reset),
		cmocka_unit_test(c53_the_port_below_goes),
		cmocka_unit_test(a_drain_goes_through_layers),
		cmocka_unit_test(layers_that_cannot_be),
		cmocka_unit_test(layers_come_and_go),
		cmocka_unit_test(eight_adapters_on_top_of_each_other),
	};

	return cmocka_run_group_tests_name("conformance layer state", tests, test_eal_setup,
					   test_eal_teardown);
}
