/* SPDX-License-Identifier: BSD-3-Clause
 * reset_test.c - contract H and what ends or closes like it: reset, power, removal, link
 * (C50-C53, decisions 6 and 7), the hang watch (C76), waits
 */
#include "bed.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>

#include <rte_cycles.h>
#include <rte_ethdev.h>

#include "adapter.h"

#define ID UINT64_C(0x1234)
#define OTHER UINT64_C(0x5678)
#define FOREVER UINT32_MAX

static struct driver driver;

static struct bed *open_with(bool link)
{
	struct bed *b;

	driver_make(&driver);
	if (link)
		driver.driver.link = driver_link;
	b = bed_open(&(struct bed_conf){.driver = &driver});
	bed_control(b); /* this thread is the control lcore from here on */
	return b;
}

static struct bed *open_bed(void)
{
	return open_with(false);
}

static void driver_goes_on(void)
{
	memset(driver.pends, 0, sizeof(driver.pends));
}

static void expect_pending(const struct vnic_request *r)
{
	assert_int_equal(vnic_request_status(r), VNIC_STATUS_PENDING);
}

/* One half sent, the rest of its burst staged, more of them queued: 1 + n NBLs. */
static uint32_t load(struct bed *b, uint16_t n)
{
	uint32_t half = b->nb_nbls;

	bed_nbl(b, ID, 4);
	for (uint16_t i = 0; i < n; i++)
		bed_nbl(b, OTHER, 1);
	bed_wire_room(b, 2);
	bed_send(b, half, (uint16_t)(1 + n));
	bed_data(b);
	bed_wire_room(b, 0);
	return half;
}

/* All of such a load came back with this status, two packets of it had left. */
static void expect_load(struct bed *b, uint32_t half, uint16_t n, uint32_t status)
{
	bed_poll(b);
	assert_int_equal(vnic_sender_outstanding(b->sender[0]), 0);
	bed_expect(b, half, 1u + n, status);
	assert_int_equal(b->nbl[half].nb_sent, 2);
}

static void expect_running(struct bed *b)
{
	uint32_t first = b->nb_nbls;

	bed_expect_state(b, VNIC_STATE_RUNNING, VNIC_STATUS_SUCCESS);
	bed_send_id(b, ID, 3);
	bed_settle(b);
	bed_expect(b, first, 3, VNIC_STATUS_SUCCESS);
}

/* What was outstanding at the driver's reset. */
static void note_queued(struct driver *d, struct vnic_adapter *a, enum driver_call call)
{
	struct vnic_adapter_stats st;

	vnic_adapter_stats_get(a, &st);
	if (call == DRIVER_RESET)
		*(uint64_t *)d->context += st.queued.nbls;
}

/* ---- C50 ---- */

static void c50_a_reset_has_everything_outstanding_completed(void **state)
{
	struct bed *b = open_bed();
	uint64_t queued = 0;
	uint32_t half = load(b, 40);

	(void)state;
	driver.within = note_queued;
	driver.context = &queued;
	assert_int_equal(bed_operate(b, VNIC_CONTROL_RESET, 0), VNIC_STATUS_SUCCESS);
	expect_load(b, half, 40, VNIC_STATUS_RESET_IN_PROGRESS);
	assert_int_equal(bed_stats(b).reset.nbls, 41);
	assert_int_equal(driver.nb[DRIVER_RESET], 1);
	assert_int_equal(queued, 0);
	expect_running(b);
	bed_close(b);
}

static void c50_a_send_during_a_reset_gets_reset_in_progress(void **state)
{
	struct bed *b = open_bed();
	struct vnic_request *r;

	(void)state;
	driver.pends[DRIVER_RESET] = FOREVER;
	r = bed_issue(b, VNIC_CONTROL_RESET, 0);
	for (int i = 0; i < 10; i++) {
		uint32_t first = bed_send_id(b, ID, 3);

		bed_poll(b);
		bed_expect(b, first, 3, VNIC_STATUS_RESET_IN_PROGRESS);
		bed_step(b, 1);
	}
	expect_pending(r);
	driver_goes_on();
	assert_int_equal(bed_await(b, r), VNIC_STATUS_SUCCESS);
	expect_running(b);
	bed_close(b);
}

/* A sender that had found the gate open before the reset is waited for. */
static void c50_a_reset_waits_for_who_is_behind_a_door(void **state)
{
	struct bed *b = open_bed();
	struct vnic_request *r;

	(void)state;
	b->sender[0]->door = 1;
	r = bed_issue(b, VNIC_CONTROL_RESET, 0);
	bed_step(b, 20);
	expect_pending(r);
	assert_int_equal(driver.nb[DRIVER_RESET], 0);
	b->sender[0]->door = 0;
	assert_int_equal(bed_await(b, r), VNIC_STATUS_SUCCESS);
	bed_close(b);
}

static void c50_a_reset_that_fails_has_them_completed_too(void **state)
{
	struct bed *b = open_bed();
	uint32_t half = load(b, 5);

	(void)state;
	driver.status[DRIVER_RESET] = VNIC_STATUS_FAILURE;
	assert_int_equal(bed_operate(b, VNIC_CONTROL_RESET, 0), VNIC_STATUS_FAILURE);
	expect_load(b, half, 5, VNIC_STATUS_RESET_IN_PROGRESS);
	expect_running(b);
	bed_close(b);
}

/* Its requester gives up: the reset goes on. */
static void c50_a_cancelled_reset_goes_on(void **state)
{
	struct bed *b = open_bed();
	struct vnic_request *r;
	uint32_t half = load(b, 5);

	(void)state;
	driver.pends[DRIVER_RESET] = 5;
	r = bed_issue(b, VNIC_CONTROL_RESET, 0);
	bed_step(b, 2);
	assert_true(vnic_request_cancel(r));
	assert_int_equal(bed_await(b, r), VNIC_STATUS_CANCELLED);
	assert_int_equal(bed_operate(b, VNIC_CONTROL_RESET, 0), VNIC_STATUS_RESET_IN_PROGRESS);
	bed_step(b, 20);
	assert_int_equal(driver.nb[DRIVER_RESET], 1);
	expect_load(b, half, 5, VNIC_STATUS_RESET_IN_PROGRESS);
	assert_int_equal(bed_inside(b), 0);
	expect_running(b);
	bed_close(b);
}

/* ---- C51 ---- */

static void c51_a_reset_during_a_reset(void **state)
{
	struct bed *b = open_bed();
	struct vnic_request *r;

	(void)state;
	driver.pends[DRIVER_RESET] = FOREVER;
	r = bed_issue(b, VNIC_CONTROL_RESET, 0);
	for (int i = 0; i < 4; i++) {
		assert_int_equal(bed_operate(b, VNIC_CONTROL_RESET, 0),
				 VNIC_STATUS_RESET_IN_PROGRESS);
		bed_step(b, 2);
	}
	driver_goes_on();
	assert_int_equal(bed_await(b, r), VNIC_STATUS_SUCCESS);
	assert_int_equal(driver.nb[DRIVER_RESET], 1);
	assert_int_equal(bed_operate(b, VNIC_CONTROL_RESET, 0), VNIC_STATUS_SUCCESS);
	bed_close(b);
}

/* Reset and pause, each before the other, either's driver slow, or neither's. */
static void c51_reset_and_pause_together_both_complete(void **state)
{
	(void)state;
	for (uint32_t order = 0; order < 16; order++) {
		enum vnic_control_code one = order & 1 ? VNIC_CONTROL_RESET : VNIC_CONTROL_PAUSE;
		enum vnic_control_code two = order & 1 ? VNIC_CONTROL_PAUSE : VNIC_CONTROL_RESET;
		struct bed *b = open_bed();
		struct vnic_request *first, *second;
		uint32_t half = load(b, 5);

		driver.pends[DRIVER_RESET] = order & 2 ? 10 : 0;
		driver.pends[DRIVER_PAUSE] = order & 4 ? 10 : 0;
		first = bed_issue(b, one, 0);
		bed_step(b, order & 8 ? 2 : 0);
		second = bed_issue(b, two, 0);
		bed_step(b, 5);
		assert_int_equal(bed_await(b, first), VNIC_STATUS_SUCCESS);
		assert_int_equal(bed_await(b, second), VNIC_STATUS_SUCCESS);
		bed_expect_state(b, VNIC_STATE_PAUSED, VNIC_STATUS_PAUSED);
		bed_poll(b);
		assert_int_equal(vnic_sender_outstanding(b->sender[0]), 0);
		assert_int_equal(b->nbl[half].nb_sent, 2);
		assert_int_equal(bed_count(b, half, 6, VNIC_STATUS_PAUSED) +
					 bed_count(b, half, 6, VNIC_STATUS_RESET_IN_PROGRESS),
				 6);
		assert_int_equal(driver.nb[DRIVER_RESET], 1);
		assert_int_equal(driver.nb[DRIVER_PAUSE], 1);
		assert_int_equal(driver.nested, 0);
		bed_wire_room(b, BED_ROOM_ALL);
		assert_int_equal(bed_operate(b, VNIC_CONTROL_RESTART, 0), VNIC_STATUS_SUCCESS);
		expect_running(b);
		bed_close(b);
	}
}

/* The reset outlasts pause and restart: the gate opens when all three have ended. */
static void c51_a_reset_that_outlasts_a_pause(void **state)
{
	struct bed *b = open_bed();
	struct vnic_request *r;

	(void)state;
	driver.pends[DRIVER_RESET] = FOREVER;
	r = bed_issue(b, VNIC_CONTROL_RESET, 0);
	bed_step(b, 3);
	assert_int_equal(bed_operate(b, VNIC_CONTROL_PAUSE, 0), VNIC_STATUS_SUCCESS);
	bed_expect_state(b, VNIC_STATE_PAUSED, VNIC_STATUS_PAUSED);
	assert_int_equal(bed_operate(b, VNIC_CONTROL_RESTART, 0), VNIC_STATUS_SUCCESS);
	bed_expect_state(b, VNIC_STATE_RUNNING, VNIC_STATUS_RESET_IN_PROGRESS);
	expect_pending(r);
	driver_goes_on();
	assert_int_equal(bed_await(b, r), VNIC_STATUS_SUCCESS);
	expect_running(b);
	bed_close(b);
}

/* ---- C52 ---- */

static void c52_low_power_completes_pending_and_later_sends(void **state)
{
	struct bed *b = open_bed();
	uint32_t half = load(b, 40), first;

	(void)state;
	assert_int_equal(bed_operate(b, VNIC_CONTROL_POWER, 0), VNIC_STATUS_SUCCESS);
	expect_load(b, half, 40, VNIC_STATUS_LOW_POWER_STATE);
	bed_expect_state(b, VNIC_STATE_RUNNING, VNIC_STATUS_LOW_POWER_STATE);
	bed_wire_room(b, BED_ROOM_ALL);
	first = bed_send_id(b, ID, 5);
	bed_poll(b);
	bed_expect(b, first, 5, VNIC_STATUS_LOW_POWER_STATE);
	bed_step(b, 10);
	assert_int_equal(bed_wire_drain(b), 0); /* nothing of it leaves */
	assert_int_equal(bed_stats(b).low_power.nbls, 46);
	assert_int_equal(bed_operate(b, VNIC_CONTROL_POWER, 1), VNIC_STATUS_SUCCESS);
	expect_running(b);
	bed_close(b);
}

/* Paused on the way, and up again: the power alone opens the gate. */
static void c52_low_power_and_pause(void **state)
{
	struct bed *b = open_bed();

	(void)state;
	assert_int_equal(bed_operate(b, VNIC_CONTROL_POWER, 0), VNIC_STATUS_SUCCESS);
	assert_int_equal(bed_operate(b, VNIC_CONTROL_PAUSE, 0), VNIC_STATUS_SUCCESS);
	assert_int_equal(bed_operate(b, VNIC_CONTROL_RESTART, 0), VNIC_STATUS_SUCCESS);
	bed_expect_state(b, VNIC_STATE_RUNNING, VNIC_STATUS_LOW_POWER_STATE);
	assert_int_equal(bed_operate(b, VNIC_CONTROL_RESET, 0), VNIC_STATUS_SUCCESS);
	bed_expect_state(b, VNIC_STATE_RUNNING, VNIC_STATUS_LOW_POWER_STATE);
	assert_int_equal(bed_operate(b, VNIC_CONTROL_PAUSE, 0), VNIC_STATUS_SUCCESS);
	assert_int_equal(bed_operate(b, VNIC_CONTROL_POWER, 1), VNIC_STATUS_SUCCESS);
	bed_expect_state(b, VNIC_STATE_PAUSED, VNIC_STATUS_PAUSED);
	assert_int_equal(bed_operate(b, VNIC_CONTROL_RESTART, 0), VNIC_STATUS_SUCCESS);
	expect_running(b);
	bed_close(b);
}

static void c52_low_power_that_is_given_up_or_taken_back(void **state)
{
	struct bed *b = open_bed();
	struct vnic_request *r;
	uint32_t half = load(b, 5);

	(void)state;
	r = bed_issue(b, VNIC_CONTROL_POWER, 0);
	expect_pending(r);
	assert_true(vnic_request_cancel(r));
	assert_int_equal(bed_await(b, r), VNIC_STATUS_CANCELLED);
	bed_step(b, 10); /* it goes on */
	expect_load(b, half, 5, VNIC_STATUS_LOW_POWER_STATE);
	assert_int_equal(bed_operate(b, VNIC_CONTROL_POWER, 1), VNIC_STATUS_SUCCESS);
	half = load(b, 5);
	r = bed_issue(b, VNIC_CONTROL_POWER, 0);
	expect_pending(r);
	assert_int_equal(bed_operate(b, VNIC_CONTROL_POWER, 1), VNIC_STATUS_SUCCESS);
	assert_int_equal(bed_await(b, r), VNIC_STATUS_INVALID_STATE); /* it never was */
	bed_settle(b);
	assert_int_equal(bed_count(b, half, 6, VNIC_STATUS_LOW_POWER_STATE) +
				 bed_count(b, half, 6, VNIC_STATUS_SUCCESS),
			 6);
	expect_running(b);
	bed_close(b);
}

/* ---- C53 ---- */

static void c53_removal_has_every_nbl_back_and_then_halts(void **state)
{
	struct bed *b = open_bed();
	uint32_t half = load(b, 40), first;

	(void)state;
	assert_int_equal(bed_operate(b, VNIC_CONTROL_REMOVE, 0), VNIC_STATUS_SUCCESS);
	expect_load(b, half, 40, VNIC_STATUS_MEDIA_DISCONNECTED);
	assert_int_equal(vnic_adapter_state(b->adapter), VNIC_STATE_HALTED);
	assert_string_equal(driver.log, "+irph");
	/* the port is not touched any more, whatever it would take */
	bed_wire_room(b, BED_ROOM_ALL);
	first = bed_send_id(b, ID, 5);
	bed_step(b, 10);
	bed_poll(b);
	assert_int_equal(bed_wire_drain(b), 0);
	assert_int_equal(bed_count(b, first, 5, VNIC_STATUS_SUCCESS), 0);
	assert_int_equal(bed_inside(b), 0);
	bed_close(b);
}

/* The port is there again, and so is the adapter. */
static void c53_it_may_be_initialized_again(void **state)
{
	struct bed *b = open_bed();

	(void)state;
	for (int i = 0; i < 3; i++) {
		load(b, 5);
		assert_int_equal(bed_operate(b, VNIC_CONTROL_REMOVE, 0), VNIC_STATUS_SUCCESS);
		bed_wire_room(b, BED_ROOM_ALL);
		assert_int_equal(bed_operate(b, VNIC_CONTROL_RESTART, 0), VNIC_STATUS_INVALID_STATE);
		driver.status[DRIVER_INITIALIZE] = VNIC_STATUS_FAILURE; /* not yet */
		assert_int_equal(bed_operate(b, VNIC_CONTROL_INITIALIZE, 0), VNIC_STATUS_FAILURE);
		driver.status[DRIVER_INITIALIZE] = VNIC_STATUS_SUCCESS;
		assert_int_equal(bed_operate(b, VNIC_CONTROL_INITIALIZE, 0), VNIC_STATUS_SUCCESS);
		bed_expect_state(b, VNIC_STATE_PAUSED, VNIC_STATUS_PAUSED);
		assert_int_equal(bed_operate(b, VNIC_CONTROL_RESTART, 0), VNIC_STATUS_SUCCESS);
		bed_poll(b);
		expect_running(b);
	}
	bed_close(b);
}

/* From each state that it may come in, and with the driver in the middle of something. */
static void c53_removal_in_each_state(void **state)
{
	static const struct {
		enum vnic_control_code code[3];
		enum driver_call pends;
		const char *log;
	} from[] = {
		{{0}, DRIVER_CALLS, "+irph"},
		{{VNIC_CONTROL_PAUSE}, DRIVER_CALLS, "+irph"},
		{{VNIC_CONTROL_PAUSE}, DRIVER_PAUSE, "+irph"},
		{{VNIC_CONTROL_PAUSE, VNIC_CONTROL_RESTART}, DRIVER_RESTART, "+irprph"},
		{{VNIC_CONTROL_RESET}, DRIVER_RESET, "+irpzh"},
		{{VNIC_CONTROL_POWER}, DRIVER_CALLS, "+irph"},
	};

	(void)state;
	for (size_t i = 0; i < BED_COUNT_OF(from); i++) {
		struct bed *b = open_bed();
		struct vnic_request *by[3] = {NULL}, *remove;

		load(b, 5);
		b->forced = true;
		if (from[i].pends == DRIVER_RESTART)
			bed_wire_room(b, BED_ROOM_ALL);
		for (int k = 0; k < 3 && from[i].code[k] != 0; k++) {
			if (from[i].pends != DRIVER_CALLS)
				driver.pends[from[i].pends] = FOREVER;
			by[k] = bed_issue(b, from[i].code[k], 0);
			bed_step(b, 5);
		}
		remove = bed_issue(b, VNIC_CONTROL_REMOVE, 0);
		bed_step(b, 10);
		if (from[i].pends != DRIVER_CALLS)
			expect_pending(remove);
		driver_goes_on();
		assert_int_equal(bed_await(b, remove), VNIC_STATUS_SUCCESS);
		bed_poll(b);
		assert_int_equal(vnic_sender_outstanding(b->sender[0]), 0);
		assert_int_equal(vnic_adapter_state(b->adapter), VNIC_STATE_HALTED);
		assert_string_equal(driver.log, from[i].log);
		for (int k = 0; k < 3 && by[k] != NULL; k++)
			assert_int_equal(bed_await(b, by[k]), VNIC_STATUS_SUCCESS);
		bed_close(b);
	}
}

/* Paused on its way, and not halted yet: the driver is still at its reset. */
static void c53_no_restart_while_it_is_removed(void **state)
{
	struct bed *b = open_bed();
	struct vnic_request *reset, *remove;

	(void)state;
	driver.pends[DRIVER_RESET] = FOREVER;
	reset = bed_issue(b, VNIC_CONTROL_RESET, 0);
	remove = bed_issue(b, VNIC_CONTROL_REMOVE, 0);
	bed_step(b, 5);
	bed_expect_state(b, VNIC_STATE_PAUSED, VNIC_STATUS_MEDIA_DISCONNECTED);
	assert_int_equal(bed_operate(b, VNIC_CONTROL_RESTART, 0), VNIC_STATUS_INVALID_STATE);
	driver_goes_on();
	assert_int_equal(bed_await(b, reset), VNIC_STATUS_SUCCESS);
	assert_int_equal(bed_await(b, remove), VNIC_STATUS_SUCCESS);
	assert_string_equal(driver.log, "+irpzh");
	bed_close(b);
}

/* Its request ends when everything is back, a shutdown on the way or not. */
static void c53_removal_and_shutdown(void **state)
{
	struct bed *b = open_bed();
	struct vnic_request *remove, *shutdown;

	(void)state;
	load(b, 40);
	b->forced = true;
	remove = bed_issue(b, VNIC_CONTROL_REMOVE, 0);
	shutdown = bed_issue(b, VNIC_CONTROL_SHUTDOWN, 0);
	for (int i = 0; i < 10; i++)
		bed_control(b); /* the data thread does not answer */
	expect_pending(remove);
	expect_pending(shutdown);
	assert_int_equal(bed_await(b, shutdown), VNIC_STATUS_SUCCESS);
	assert_int_equal(bed_await(b, remove), VNIC_STATUS_SUCCESS);
	bed_poll(b);
	assert_int_equal(vnic_sender_outstanding(b->sender[0]), 0);
	assert_string_equal(driver.log, "+ird");
	bed_close(b);
}

/* Given up by its requester, twice asked for: it is one removal. */
static void c53_removal_goes_on_when_it_is_cancelled(void **state)
{
	struct bed *b = open_bed();
	struct vnic_request *one, *two;

	(void)state;
	load(b, 5);
	one = bed_issue(b, VNIC_CONTROL_REMOVE, 0);
	two = bed_issue(b, VNIC_CONTROL_REMOVE, 0);
	assert_true(vnic_request_cancel(one));
	assert_int_equal(bed_await(b, one), VNIC_STATUS_CANCELLED);
	assert_int_equal(bed_await(b, two), VNIC_STATUS_SUCCESS);
	assert_string_equal(driver.log, "+irph");
	bed_close(b);
}

/* Nobody asks: the port is not there any more at the next look. */
static void c53_a_port_that_has_gone_is_noticed(void **state)
{
	struct bed *b = open_bed();
	uint32_t half = load(b, 40);
	uint16_t port = b->adapter->port;

	(void)state;
	b->adapter->port = RTE_MAX_ETHPORTS - 1; /* no such port */
	bed_look(b);
	bed_step(b, 20);
	b->adapter->port = port;
	expect_load(b, half, 40, VNIC_STATUS_MEDIA_DISCONNECTED);
	assert_string_equal(driver.log, "+irph");
	bed_close(b);
}

struct sides {
	struct bed *b;
	_Atomic bool stop_control, stop_data;
	uint32_t wrong;
	_Atomic uint32_t removals;
};

static void *run_data(void *arg)
{
	struct sides *t = arg;

	while (!atomic_load_explicit(&t->stop_data, memory_order_relaxed))
		if (vnic_adapter_poll(t->b->adapter) == 0)
			sched_yield();
	return NULL;
}

static uint32_t run_to_end(struct bed *b, struct vnic_request *r, enum vnic_control_code code)
{
	uint32_t status = vnic_adapter_request(b->adapter, code, 0, r);

	while (status == VNIC_STATUS_PENDING) {
		if (vnic_control_poll(b->control) == 0)
			sched_yield();
		status = vnic_request_status(r);
	}
	while (vnic_request_reuse(r) != 0)
		sched_yield();
	return status;
}

static void *remove_and_come_back(void *arg)
{
	struct sides *t = arg;
	struct vnic_request *r = vnic_request_create(t->b->control);
	struct vnic__ring *ring = t->b->sender[0]->ring;

	while (!atomic_load_explicit(&t->stop_control, memory_order_relaxed)) {
		for (int i = 0; i < 20; i++) {
			vnic_control_poll(t->b->control);
			sched_yield();
		}
		t->wrong += run_to_end(t->b, r, VNIC_CONTROL_RESET) != VNIC_STATUS_SUCCESS;
		t->wrong += run_to_end(t->b, r, VNIC_CONTROL_REMOVE) != VNIC_STATUS_SUCCESS;
		t->wrong += vnic_adapter_state(t->b->adapter) != VNIC_STATE_HALTED;
		t->wrong += atomic_load(&ring->settled) != atomic_load(&ring->tail);
		t->wrong += run_to_end(t->b, r, VNIC_CONTROL_INITIALIZE) != VNIC_STATUS_SUCCESS;
		t->wrong += run_to_end(t->b, r, VNIC_CONTROL_RESTART) != VNIC_STATUS_SUCCESS;
		t->removals++;
	}
	vnic_request_release(r);
	return NULL;
}

static bool seen_enough(const struct sides *t)
{
	struct vnic_adapter_stats st = bed_stats(t->b);

	return st.media_disconnected.nbls > 10 && st.sent.nbls > 100 &&
	       atomic_load(&t->removals) > 20;
}

/* The bed checks that every NBL comes back once and that the wire has what was sent. */
static void c53_threads_send_while_it_is_removed(void **state)
{
	struct bed *b = open_bed();
	struct sides t = {.b = b};
	pthread_t data, control;

	(void)state;
	assert_int_equal(pthread_create(&data, NULL, run_data, &t), 0);
	assert_int_equal(pthread_create(&control, NULL, remove_and_come_back, &t), 0);
	for (uint32_t round = 0; round < 3000 || (round < 300000 && !seen_enough(&t)); round++) {
		uint16_t n = (uint16_t)(1 + round % 16), taken;
		uint32_t first = b->nb_nbls;

		for (uint16_t i = 0; i < n; i++)
			bed_nbl(b, ID, (uint16_t)(1 + i % 2));
		taken = bed_send_by(b, 0, first, n);
		bed_discard(b, first + taken, (uint16_t)(n - taken));
		while (bed_poll(b) != 0 || vnic_sender_outstanding(b->sender[0]) > 100) {
			bed_wire_drain(b);
			sched_yield();
		}
		bed_wire_drain(b);
		if (round % 16 == 0)
			sched_yield();
	}
	atomic_store(&t.stop_control, true);
	assert_int_equal(pthread_join(control, NULL), 0);
	atomic_store(&t.stop_data, true);
	assert_int_equal(pthread_join(data, NULL), 0);
	assert_int_equal(t.wrong, 0);
	bed_settle(b);
	assert_true(seen_enough(&t));
	bed_close(b);
}

/* ---- the link: decision 7 ---- */

static void c50_link_down_is_media_disconnected(void **state)
{
	struct bed *b = open_with(true);
	uint32_t half = load(b, 40), first;

	(void)state;
	driver.link_down = true;
	bed_look(b);
	bed_expect_state(b, VNIC_STATE_RUNNING, VNIC_STATUS_MEDIA_DISCONNECTED);
	bed_step(b, 10);
	expect_load(b, half, 40, VNIC_STATUS_MEDIA_DISCONNECTED);
	first = bed_send_id(b, ID, 5);
	bed_poll(b);
	bed_expect(b, first, 5, VNIC_STATUS_MEDIA_DISCONNECTED);
	driver.link_down = false;
	bed_look(b);
	expect_running(b);
	bed_close(b);
}

/* The gate opens again while the sweep of the last loss is on its way. */
static void c50_a_link_that_flaps(void **state)
{
	struct bed *b = open_with(true);

	(void)state;
	for (uint32_t round = 0; round < 300; round++) {
		uint32_t first = b->nb_nbls;

		bed_wire_room(b, round % 4);
		bed_nbl(b, ID, 3);
		bed_nbl(b, ID, 1);
		bed_send_by(b, 0, first, 2);
		driver.link_down = round % 2 == 0;
		if (round % 5 == 0)
			bed_data(b);
		bed_look(b);
		if (round % 3 == 0)
			bed_data(b);
		if (round % 7 == 0)
			bed_poll(b);
		if (vnic_sender_room(b->sender[0], 8) < 8)
			bed_settle(b);
		bed_discard(b, first, 2);
	}
	driver.link_down = false;
	bed_look(b);
	bed_settle(b);
	expect_running(b);
	bed_close(b);
}

/* Without a link of the driver's own it is the port's. */
static void c50_the_ports_link(void **state)
{
	struct bed *b = open_bed();
	uint32_t half = load(b, 5);

	(void)state;
	assert_int_equal(rte_eth_dev_set_link_down(b->port), 0);
	bed_look(b);
	bed_step(b, 10);
	expect_load(b, half, 5, VNIC_STATUS_MEDIA_DISCONNECTED);
	assert_int_equal(rte_eth_dev_set_link_up(b->port), 0);
	bed_look(b);
	expect_running(b);
	bed_close(b);
}

/* Asked for in between the looks too: when it is about to run. */
static void c50_the_link_is_looked_at_before_it_runs(void **state)
{
	struct bed *b = open_with(true);

	(void)state;
	assert_int_equal(bed_operate(b, VNIC_CONTROL_PAUSE, 0), VNIC_STATUS_SUCCESS);
	driver.link_down = true;
	b->control->look_tsc = rte_rdtsc() + rte_get_tsc_hz();
	assert_int_equal(bed_operate(b, VNIC_CONTROL_RESTART, 0), VNIC_STATUS_SUCCESS);
	bed_expect_state(b, VNIC_STATE_RUNNING, VNIC_STATUS_MEDIA_DISCONNECTED);
	bed_close(b);
}

/* ---- the hang watch: C76 ---- */

static void watch(struct bed *b)
{
	b->adapter->life.hang_tsc = rte_get_tsc_hz() / 200;
}

static void wait_long(void)
{
	rte_delay_us_block(6000);
}

static void c76_a_hung_port_is_reset(void **state)
{
	struct bed *b = open_bed();
	uint32_t half;

	(void)state;
	watch(b);
	bed_look(b);
	half = load(b, 5);
	bed_look(b);
	wait_long();
	bed_look(b);
	bed_step(b, 20);
	expect_load(b, half, 5, VNIC_STATUS_RESET_IN_PROGRESS);
	assert_int_equal(atomic_load(&b->adapter->life.hung), 1);
	assert_int_equal(driver.nb[DRIVER_RESET], 1);
	expect_running(b);
	bed_close(b);
}

/* A request for a reset meanwhile finds one. */
static void c76_a_reset_during_its_own(void **state)
{
	struct bed *b = open_bed();

	(void)state;
	driver.pends[DRIVER_RESET] = FOREVER;
	watch(b);
	load(b, 5);
	bed_look(b);
	wait_long();
	bed_look(b);
	assert_int_equal(bed_operate(b, VNIC_CONTROL_RESET, 0), VNIC_STATUS_RESET_IN_PROGRESS);
	driver_goes_on();
	bed_step(b, 10);
	bed_close(b);
}

static void c76_what_moves_or_waits_for_nobody_is_not_hung(void **state)
{
	struct bed *b = open_bed();
	struct vnic_request *r;

	(void)state;
	watch(b);
	for (int i = 0; i < 3; i++) { /* nothing is pending */
		wait_long();
		bed_look(b);
	}
	bed_nbl(b, ID, 8);
	bed_wire_room(b, 0);
	bed_send(b, 0, 1);
	for (int i = 0; i < 7; i++) { /* a packet at a time */
		bed_wire_room(b, 1);
		bed_data(b);
		bed_look(b);
		wait_long();
	}
	r = bed_issue(b, VNIC_CONTROL_PAUSE, 0); /* closed: who closed it sees to it */
	wait_long();
	bed_look(b);
	wait_long();
	bed_look(b);
	bed_wire_room(b, 1);
	assert_int_equal(bed_await(b, r), VNIC_STATUS_SUCCESS);
	bed_poll(b);
	bed_expect(b, 0, 1, VNIC_STATUS_SUCCESS);
	assert_int_equal(atomic_load(&b->adapter->life.hung), 0);
	assert_int_equal(driver.nb[DRIVER_RESET], 0);
	bed_close(b);
}

/* The time counts from the opening, however long nobody has looked before. */
static void c76_what_has_just_begun_is_not_hung(void **state)
{
	struct bed *b;

	(void)state;
	driver_make(&driver);
	b = bed_open(&(struct bed_conf){.driver = &driver});
	b->adapter->life.hang_tsc = rte_get_tsc_hz(); /* a second */
	bed_wire_room(b, 0);
	bed_send_id(b, ID, 5); /* before the first look */
	bed_look(b);
	assert_int_equal(atomic_load(&b->adapter->life.hung), 0);
	bed_wire_room(b, BED_ROOM_ALL);
	assert_int_equal(bed_operate(b, VNIC_CONTROL_PAUSE, 0), VNIC_STATUS_SUCCESS);
	assert_int_equal(bed_operate(b, VNIC_CONTROL_HALT, 0), VNIC_STATUS_SUCCESS);
	b->adapter->life.done_tsc -= 100 * rte_get_tsc_hz(); /* halted for long */
	assert_int_equal(bed_operate(b, VNIC_CONTROL_INITIALIZE, 0), VNIC_STATUS_SUCCESS);
	assert_int_equal(bed_operate(b, VNIC_CONTROL_RESTART, 0), VNIC_STATUS_SUCCESS);
	bed_poll(b);
	b->adapter->life.done_seen = b->adapter->sender[0]->c_count[C_SENT_PACKETS];
	bed_wire_room(b, 0);
	bed_send_id(b, ID, 5);
	bed_look(b);
	assert_int_equal(atomic_load(&b->adapter->life.hung), 0);
	bed_close(b);
}

/* ---- waits ---- */

static void c49_drain_waits_for_what_was_sent_before_it(void **state)
{
	struct bed *b = open_bed();
	struct vnic_request *r;

	(void)state;
	bed_wire_room(b, 0);
	bed_send_id(b, ID, 10);
	bed_data(b);
	r = bed_issue(b, VNIC_CONTROL_DRAIN, 0);
	bed_step(b, 10);
	expect_pending(r);
	bed_send_id(b, OTHER, 3); /* after it */
	bed_wire_room(b, 9);
	bed_step(b, 10);
	expect_pending(r);
	bed_wire_room(b, 1);
	assert_int_equal(bed_await(b, r), VNIC_STATUS_SUCCESS);
	bed_poll(b); /* and its completions are there */
	bed_expect(b, 0, 10, VNIC_STATUS_SUCCESS);
	assert_int_equal(vnic_sender_outstanding(b->sender[0]), 3);
	bed_close(b);
}

static void c49_drains_of_several_rounds(void **state)
{
	struct bed *b = open_bed();
	struct vnic_request *r[4];

	(void)state;
	bed_wire_room(b, 0);
	for (int i = 0; i < 4; i++) {
		bed_send_id(b, ID, 1);
		r[i] = bed_issue(b, VNIC_CONTROL_DRAIN, 0);
		bed_step(b, 2);
	}
	vnic_request_cancel(r[2]);
	assert_int_equal(bed_await(b, r[2]), VNIC_STATUS_CANCELLED);
	bed_wire_room(b, 1);
	assert_int_equal(bed_await(b, r[0]), VNIC_STATUS_SUCCESS);
	expect_pending(r[1]); /* it covers what was sent after the first had begun */
	expect_pending(r[3]);
	bed_wire_room(b, 3);
	assert_int_equal(bed_await(b, r[1]), VNIC_STATUS_SUCCESS);
	assert_int_equal(bed_await(b, r[3]), VNIC_STATUS_SUCCESS);
	assert_int_equal(bed_operate(b, VNIC_CONTROL_DRAIN, 0), VNIC_STATUS_SUCCESS);
	assert_int_equal(bed_inside(b), 0);
	bed_close(b);
}

/* Cancelled itself, the NBLs are not. */
static void c49_a_cancelled_drain(void **state)
{
	struct bed *b = open_bed();
	struct vnic_request *r;

	(void)state;
	bed_wire_room(b, 0);
	bed_send_id(b, ID, 5);
	r = bed_issue(b, VNIC_CONTROL_DRAIN, 0);
	assert_true(vnic_request_cancel(r));
	assert_int_equal(bed_await(b, r), VNIC_STATUS_CANCELLED);
	assert_int_equal(bed_stats(b).queued.nbls, 5);
	bed_settle(b);
	bed_expect(b, 0, 5, VNIC_STATUS_SUCCESS);
	assert_int_equal(bed_operate(b, VNIC_CONTROL_DRAIN, 0), VNIC_STATUS_SUCCESS);
	bed_close(b);
}

static void c49_drain_ends_when_a_cancel_takes_the_rest(void **state)
{
	struct bed *b = open_bed();
	struct vnic_request *r;

	(void)state;
	bed_wire_room(b, 0);
	bed_send_id(b, ID, 40);
	r = bed_issue(b, VNIC_CONTROL_DRAIN, 0);
	assert_int_equal(bed_operate(b, VNIC_CONTROL_CANCEL, ID), VNIC_STATUS_SUCCESS);
	assert_int_equal(bed_await(b, r), VNIC_STATUS_SUCCESS);
	bed_poll(b);
	bed_expect(b, 0, 40, VNIC_STATUS_SEND_ABORTED);
	bed_close(b);
}

static void c49_wait_for_the_link(void **state)
{
	struct bed *b = open_with(true);
	struct vnic_request *down, *up, *both;

	(void)state;
	assert_int_equal(bed_operate(b, VNIC_CONTROL_WAIT_LINK, 1), VNIC_STATUS_SUCCESS);
	down = bed_issue(b, VNIC_CONTROL_WAIT_LINK, 0);
	both = bed_issue(b, VNIC_CONTROL_WAIT_LINK, 0);
	bed_look(b);
	expect_pending(down);
	driver.link_down = true;
	bed_look(b);
	assert_int_equal(vnic_request_status(down), VNIC_STATUS_SUCCESS);
	assert_int_equal(vnic_request_status(both), VNIC_STATUS_SUCCESS);
	up = bed_issue(b, VNIC_CONTROL_WAIT_LINK, 1);
	bed_look(b);
	expect_pending(up);
	assert_true(vnic_request_cancel(up));
	assert_int_equal(bed_await(b, up), VNIC_STATUS_CANCELLED);
	up = bed_issue(b, VNIC_CONTROL_WAIT_LINK, 1);
	driver.link_down = false;
	bed_look(b);
	assert_int_equal(bed_await(b, up), VNIC_STATUS_SUCCESS);
	vnic_request_release(down);
	vnic_request_release(both);
	bed_step(b, 5); /* the sweep of the loss ends */
	assert_int_equal(bed_inside(b), 0);
	bed_close(b);
}

static void c49_wait_for_a_cancels_verdict(void **state)
{
	struct bed *b = open_bed();
	struct vnic_verdict v;
	struct vnic_request *r;

	(void)state;
	bed_wire_room(b, 0);
	bed_send_id(b, ID, 40);
	bed_send_id(b, OTHER, 5);
	bed_data(b);
	r = bed_issue(b, VNIC_CONTROL_CANCEL, ID);
	bed_send_id(b, ID, 2); /* after the call, though the control thread has not seen it */
	expect_pending(r);
	bed_step(b, 5);
	assert_int_equal(vnic_request_status(r), VNIC_STATUS_SUCCESS);
	vnic_request_verdict(r, &v);
	assert_int_equal(v.cancel_id, ID);
	assert_int_equal(v.aborted.nbls, 40);
	assert_false(v.unknown);
	assert_int_equal(vnic_request_reuse(r), 0);
	assert_int_equal(vnic_adapter_request(b->adapter, VNIC_CONTROL_CANCEL, UINT64_C(77), r),
			 VNIC_STATUS_PENDING);
	bed_step(b, 5);
	vnic_request_verdict(r, &v);
	assert_true(v.unknown);
	vnic_request_release(r);
	bed_settle(b);
	bed_expect(b, 0, 40, VNIC_STATUS_SEND_ABORTED);
	bed_expect(b, 40, 7, VNIC_STATUS_SUCCESS);
	bed_close(b);
}

/* Cancelled while it waits for the data thread: what it has cancelled is cancelled. */
static void c49_a_cancelled_wait_for_a_verdict(void **state)
{
	struct bed *b = open_bed();
	struct vnic_request *r;

	(void)state;
	bed_wire_room(b, 0);
	bed_send_id(b, ID, 20);
	bed_data(b);
	r = bed_issue(b, VNIC_CONTROL_CANCEL, ID);
	bed_control(b);
	assert_true(vnic_request_cancel(r));
	assert_int_equal(vnic_request_status(r), VNIC_STATUS_CANCELLED);
	assert_int_equal(vnic_request_reuse(r), -EBUSY); /* its ticket is on its way */
	vnic_request_release(r);
	bed_step(b, 5);
	bed_poll(b);
	bed_expect(b, 0, 20, VNIC_STATUS_SEND_ABORTED);
	assert_int_equal(bed_inside(b), 0);
	assert_int_equal(b->adapter->pending, 0);
	bed_close(b);
}

/* Given up before it is issued: it has no effect. */
static void c49_a_cancel_given_up_before_it_is_issued(void **state)
{
	struct bed *b = open_bed();
	struct vnic_request *r = vnic_request_create(b->control);

	(void)state;
	bed_wire_room(b, 0);
	bed_send_id(b, ID, 5);
	assert_false(vnic_request_cancel(r));
	assert_int_equal(vnic_adapter_request(b->adapter, VNIC_CONTROL_CANCEL, ID, r),
			 VNIC_STATUS_CANCELLED);
	bed_step(b, 5);
	assert_int_equal(bed_poll(b), 0);
	assert_int_equal(bed_inside(b), 0);
	vnic_request_release(r);
	bed_settle(b);
	bed_expect(b, 0, 5, VNIC_STATUS_SUCCESS);
	bed_close(b);
}

static uint32_t reissued;

static void cancel_again(struct vnic_request *r, void *context)
{
	struct bed *b = context;

	if (reissued++ != 0 || vnic_request_reuse(r) != 0)
		return;
	vnic_request_on_done(r, cancel_again, b);
	vnic_adapter_request(b->adapter, VNIC_CONTROL_CANCEL, OTHER, r);
}

/* Its done uses the request for the next cancel. */
static void c49_a_cancels_done_reuses_it(void **state)
{
	struct bed *b = open_bed();
	struct vnic_request *r = vnic_request_create(b->control);

	(void)state;
	reissued = 0;
	bed_wire_room(b, 0);
	bed_send_id(b, ID, 5);
	bed_send_id(b, OTHER, 5);
	vnic_request_on_done(r, cancel_again, b);
	vnic_adapter_request(b->adapter, VNIC_CONTROL_CANCEL, ID, r);
	bed_step(b, 10);
	assert_int_equal(reissued, 2);
	assert_int_equal(vnic_request_status(r), VNIC_STATUS_SUCCESS);
	bed_poll(b);
	bed_expect(b, 0, 10, VNIC_STATUS_SEND_ABORTED);
	vnic_request_release(r);
	bed_close(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(c49_drain_waits_for_what_was_sent_before_it),
		cmocka_unit_test(c49_drains_of_several_rounds),
		cmocka_unit_test(c49_a_cancelled_drain),
		cmocka_unit_test(c49_drain_ends_when_a_cancel_takes_the_rest),
		cmocka_unit_test(c49_wait_for_the_link),
		cmocka_unit_test(c49_wait_for_a_cancels_verdict),
		cmocka_unit_test(c49_a_cancelled_wait_for_a_verdict),
		cmocka_unit_test(c49_a_cancel_given_up_before_it_is_issued),
		cmocka_unit_test(c49_a_cancels_done_reuses_it),
		cmocka_unit_test(c50_a_reset_has_everything_outstanding_completed),
		cmocka_unit_test(c50_a_send_during_a_reset_gets_reset_in_progress),
		cmocka_unit_test(c50_a_reset_waits_for_who_is_behind_a_door),
		cmocka_unit_test(c50_a_reset_that_fails_has_them_completed_too),
		cmocka_unit_test(c50_a_cancelled_reset_goes_on),
		cmocka_unit_test(c50_link_down_is_media_disconnected),
		cmocka_unit_test(c50_a_link_that_flaps),
		cmocka_unit_test(c50_the_ports_link),
		cmocka_unit_test(c50_the_link_is_looked_at_before_it_runs),
		cmocka_unit_test(c51_a_reset_during_a_reset),
		cmocka_unit_test(c51_reset_and_pause_together_both_complete),
		cmocka_unit_test(c51_a_reset_that_outlasts_a_pause),
		cmocka_unit_test(c52_low_power_completes_pending_and_later_sends),
		cmocka_unit_test(c52_low_power_and_pause),
		cmocka_unit_test(c52_low_power_that_is_given_up_or_taken_back),
		cmocka_unit_test(c53_removal_has_every_nbl_back_and_then_halts),
		cmocka_unit_test(c53_it_may_be_initialized_again),
		cmocka_unit_test(c53_removal_in_each_state),
		cmocka_unit_test(c53_no_restart_while_it_is_removed),
		cmocka_unit_test(c53_removal_and_shutdown),
		cmocka_unit_test(c53_removal_goes_on_when_it_is_cancelled),
		cmocka_unit_test(c53_a_port_that_has_gone_is_noticed),
		cmocka_unit_test(c53_threads_send_while_it_is_removed),
		cmocka_unit_test(c76_a_hung_port_is_reset),
		cmocka_unit_test(c76_a_reset_during_its_own),
		cmocka_unit_test(c76_what_moves_or_waits_for_nobody_is_not_hung),
		cmocka_unit_test(c76_what_has_just_begun_is_not_hung),
	};

	return cmocka_run_group_tests_name("conformance reset", tests, test_eal_setup,
					   test_eal_teardown);
}
