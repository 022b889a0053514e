/* SPDX-License-Identifier: BSD-3-Clause
 * state_test.c - contract G: the states of an adapter (C41-C49), decision 10
 */
#include "bed.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include <rte_cycles.h>

#include "adapter.h"

#define ID UINT64_C(0x1234)
#define OTHER UINT64_C(0x5678)
#define FOREVER UINT32_MAX
#define GRACE_S 11 /* more than a pause waits for what is half handed down */

/* ---- a bed whose driver can be told to take its time ---- */

static struct driver driver;

static struct bed *open_bed(bool halted)
{
	driver_make(&driver);
	return bed_open(&(struct bed_conf){.nb_nbls = 512, .nb_mbufs = 512, .driver = &driver,
					   .halted = halted});
}

/* The driver has been waited for long enough. */
static void driver_goes_on(void)
{
	memset(driver.pends, 0, sizeof(driver.pends));
}

static void expect_state(const struct bed *b, enum vnic_state state)
{
	assert_string_equal(vnic_state_name(vnic_adapter_state(b->adapter)), vnic_state_name(state));
}

/* An operation that has begun and cannot end yet. */
static struct vnic_request *begin(struct bed *b, enum vnic_control_code code, uint64_t argument)
{
	struct vnic_request *r = bed_issue(b, code, argument);

	bed_control(b);
	assert_int_equal(vnic_request_status(r), VNIC_STATUS_PENDING);
	return r;
}

/* ---- C41: the table of the contract; ".": refused ---- */

#define EVENTS_SEEN 14

static const char *const table[EVENTS_SEEN][1 + VNIC_STATES] = {
/*                       Halted          Shutdown   Initializing  Paused        Restarting  Running     Pausing */
{"initialize",           "Initializing", ".",       ".",          ".",          ".",        ".",        "."},
{"initialize done",      ".",            ".",       "Paused",     ".",          ".",        ".",        "."},
{"initialize failed",    ".",            ".",       "Halted",     ".",          ".",        ".",        "."},
{"restart",              ".",            ".",       ".",          "Restarting", ".",        ".",        "."},
{"restart done",         ".",            ".",       ".",          ".",          "Running",  ".",        "."},
{"restart failed",       ".",            ".",       ".",          ".",          "Paused",   ".",        "."},
{"pause",                ".",            ".",       ".",          ".",          ".",        "Pausing",  "."},
{"pause done",           ".",            ".",       ".",          ".",          ".",        ".",        "Paused"},
{"halt",                 ".",            ".",       ".",          "Halted",     ".",        ".",        "."},
{"shutdown",             ".",            ".",       ".",          "Shutdown",   "Shutdown", "Shutdown", "Shutdown"},
{"send",                 "CLOSING",      "CLOSING", "CLOSING",    "PAUSED",     "PAUSED",   "SUCCESS",  "PAUSED"},
{"control requests",     ".",            ".",       ".",          "yes",        "yes",      "yes",      "yes"},
{"cancel send",          ".",            ".",       ".",          "yes",        "yes",      "yes",      "yes"},
{"reset",                ".",            ".",       ".",          "yes",        "yes",      "yes",      "yes"},
};

/* How an event comes about: by a request, or else by the driver, who ends what it began. */
static const struct way {
	enum vnic_control_code code; /* 0: none */
	uint64_t argument;
	enum vnic__event event;
	enum driver_call call;
	uint32_t status;
} ways[EVENTS_SEEN] = {
	{.code = VNIC_CONTROL_INITIALIZE},
	{0, 0, EVENT_INITIALIZE_DONE, DRIVER_INITIALIZE, VNIC_STATUS_SUCCESS},
	{0, 0, EVENT_INITIALIZE_FAILED, DRIVER_INITIALIZE, VNIC_STATUS_FAILURE},
	{.code = VNIC_CONTROL_RESTART},
	{0, 0, EVENT_RESTART_DONE, DRIVER_RESTART, VNIC_STATUS_SUCCESS},
	{0, 0, EVENT_RESTART_FAILED, DRIVER_RESTART, VNIC_STATUS_FAILURE},
	{.code = VNIC_CONTROL_PAUSE},
	{0, 0, EVENT_PAUSE_DONE, DRIVER_PAUSE, VNIC_STATUS_SUCCESS},
	{.code = VNIC_CONTROL_HALT},
	{.code = VNIC_CONTROL_SHUTDOWN},
	{0}, /* send */
	{.code = VNIC_CONTROL_WAIT_LINK, .argument = 1},
	{.code = VNIC_CONTROL_CANCEL, .argument = OTHER},
	{.code = VNIC_CONTROL_RESET},
};

#define SEND 10

/* What a refused event leaves as it was. */
struct picture {
	enum vnic_state state;
	uint32_t gate;
	uint32_t inside;
	uint32_t waiter; /* status of a request that pends, if one can */
	bool resetting, low_power, removing, force, link_up;
	enum vnic__quiet quiet;
	uint32_t outstanding;
	struct vnic_adapter_stats stats;
	uint32_t calls[DRIVER_CALLS];
	uint32_t nb_link;
	struct vnic_start_stop_context start_stop;
};

static void take_picture(struct bed *b, const struct vnic_request *waiter, struct picture *p)
{
	const struct vnic__life *l = &b->adapter->life;

	memset(p, 0, sizeof(*p)); /* and what is between the fields */
	p->state = vnic_adapter_state(b->adapter);
	p->gate = vnic_adapter_gate(b->adapter);
	p->inside = bed_inside(b);
	p->waiter = waiter != NULL ? vnic_request_status(waiter) : 0;
	p->resetting = l->resetting;
	p->low_power = l->low_power;
	p->removing = l->removing;
	p->force = l->force;
	p->link_up = l->link_up;
	p->quiet = l->quiet;
	p->outstanding = vnic_sender_outstanding(b->sender[0]);
	p->stats = bed_stats(b);
	memcpy(p->calls, driver.nb, sizeof(p->calls));
	p->nb_link = driver.nb_link;
	vnic_adapter_start_stop(b->adapter, &p->start_stop);
}

/* The adapter in a state, where it stays: three NBLs are queued in Running, one is half sent
 * in Pausing. */
static struct vnic_request *reach(struct bed *b, enum vnic_state state)
{
	assert_int_equal(bed_operate(b, VNIC_CONTROL_START, 0), VNIC_STATUS_SUCCESS);
	if (state == VNIC_STATE_HALTED)
		return NULL;
	driver.pends[DRIVER_INITIALIZE] = state == VNIC_STATE_INITIALIZING ? FOREVER : 0;
	if (state == VNIC_STATE_INITIALIZING)
		return begin(b, VNIC_CONTROL_INITIALIZE, 0);
	assert_int_equal(bed_operate(b, VNIC_CONTROL_INITIALIZE, 0), VNIC_STATUS_SUCCESS);
	if (state == VNIC_STATE_SHUTDOWN)
		assert_int_equal(bed_operate(b, VNIC_CONTROL_SHUTDOWN, 0), VNIC_STATUS_SUCCESS);
	if (state == VNIC_STATE_PAUSED || state == VNIC_STATE_SHUTDOWN)
		return NULL;
	driver.pends[DRIVER_RESTART] = state == VNIC_STATE_RESTARTING ? FOREVER : 0;
	if (state == VNIC_STATE_RESTARTING)
		return begin(b, VNIC_CONTROL_RESTART, 0);
	assert_int_equal(bed_operate(b, VNIC_CONTROL_RESTART, 0), VNIC_STATUS_SUCCESS);
	bed_wire_room(b, 0);
	if (state == VNIC_STATE_RUNNING) {
		bed_send_id(b, ID, 3);
		return NULL;
	}
	bed_half_sent(b, ID, 4, 2);
	driver.pends[DRIVER_PAUSE] = FOREVER;
	return begin(b, VNIC_CONTROL_PAUSE, 0);
}

static bool serves(enum vnic_state state)
{
	return table[SEND + 1][1 + state][0] == 'y';
}

static void expect_refused(struct bed *b, const struct way *way)
{
	if (way->code == 0)
		assert_false(vnic__life_event(b->adapter, way->event));
	else
		assert_int_equal(bed_operate(b, way->code, way->argument), VNIC_STATUS_INVALID_STATE);
}

static void expect_send(struct bed *b, const char *name)
{
	uint32_t number = bed_send_id(b, OTHER, 1);

	bed_poll(b);
	assert_int_equal(b->nbl[number].done, strcmp(name, "SUCCESS") != 0);
	if (b->nbl[number].done)
		assert_string_equal(vnic_status_name(b->nbl[number].status), name);
}

/* A valid event: what it leads to begins, and need not end. */
static struct vnic_request *make_happen(struct bed *b, const struct way *way)
{
	struct vnic_request *r;

	if (way->code == 0) {
		driver.status[way->call] = way->status;
		driver.pends[way->call] = 0;
		bed_wire_room(b, BED_ROOM_ALL);
		bed_step(b, 16);
		return NULL;
	}
	driver.pends[DRIVER_INITIALIZE] = driver.pends[DRIVER_RESTART] =
		driver.pends[DRIVER_PAUSE] = FOREVER;
	r = bed_issue(b, way->code, way->argument);
	bed_control(b);
	return r;
}

/* One cell of the table, on a bed of its own. */
static void check_cell(const char *const row[], const struct way *way, enum vnic_state state)
{
	struct bed *b = open_bed(true);
	const char *cell = row[1 + state];
	struct vnic_request *by = reach(b, state), *waiter = NULL, *r = NULL;
	struct picture before, after;

	print_message("  %s in %s: %s\n", row[0], vnic_state_name(state), cell);
	expect_state(b, state);
	if (serves(state))
		waiter = begin(b, VNIC_CONTROL_WAIT_LINK, 0);
	take_picture(b, waiter, &before);
	if (way == &ways[SEND]) {
		expect_send(b, cell);
		expect_state(b, state);
	} else if (strcmp(cell, ".") == 0) {
		expect_refused(b, way);
		for (int i = 0; i < 4; i++)
			bed_control(b);
		take_picture(b, waiter, &after);
		assert_memory_equal(&before, &after, sizeof(before));
	} else {
		r = make_happen(b, way);
		if (strcmp(cell, "yes") == 0)
			cell = vnic_state_name(state);
		assert_string_equal(vnic_state_name(vnic_adapter_state(b->adapter)), cell);
	}
	driver_goes_on();
	bed_wire_room(b, BED_ROOM_ALL);
	if (waiter != NULL)
		vnic_request_cancel(waiter);
	if (r != NULL)
		assert_int_equal(bed_await(b, r), VNIC_STATUS_SUCCESS);
	if (by != NULL)
		assert_int_not_equal(bed_await(b, by), VNIC_STATUS_PENDING);
	vnic_request_release(waiter);
	bed_close(b);
}

static void check_row(void **state)
{
	size_t event = (size_t)((const char *const(*)[1 + VNIC_STATES])*state - table);

	for (int s = 0; s < VNIC_STATES; s++)
		check_cell(table[event], &ways[event], (enum vnic_state)s);
}

/* Numbers of operations that do not exist, arguments out of range: nothing is looked at. */
static void c41_operations_that_do_not_exist(void **state)
{
	static const struct {
		uint32_t code;
		uint64_t argument;
	} wrong[] = {
		{0, 0}, {VNIC_CONTROL_CODES, 0}, {1000, 0}, {UINT32_MAX, 0},
		{VNIC_CONTROL_START, 2}, {VNIC_CONTROL_STOP, 1}, {VNIC_CONTROL_PAUSE, 1},
		{VNIC_CONTROL_POWER, 2}, {VNIC_CONTROL_WAIT_LINK, 2}, {VNIC_CONTROL_CANCEL, 0},
		{VNIC_CONTROL_ABORT, 256}, {VNIC_CONTROL_ABORT, 77}};
	struct bed *b = open_bed(false);
	struct picture before, after;

	(void)state;
	take_picture(b, NULL, &before);
	for (size_t i = 0; i < BED_COUNT_OF(wrong); i++)
		assert_int_equal(bed_operate(b, (enum vnic_control_code)wrong[i].code,
					     wrong[i].argument),
				 VNIC_STATUS_INVALID_PARAMETER);
	take_picture(b, NULL, &after);
	assert_memory_equal(&before, &after, sizeof(before));
	bed_close(b);
}

/* ---- C42, C43 ---- */

static void c42_after_initialize_it_is_paused(void **state)
{
	struct bed *b = open_bed(true);

	(void)state;
	assert_int_equal(bed_operate(b, VNIC_CONTROL_START, 0), VNIC_STATUS_SUCCESS);
	bed_expect_state(b, VNIC_STATE_HALTED, VNIC_STATUS_CLOSING);
	assert_int_equal(bed_operate(b, VNIC_CONTROL_INITIALIZE, 0), VNIC_STATUS_SUCCESS);
	bed_expect_state(b, VNIC_STATE_PAUSED, VNIC_STATUS_PAUSED);
	bed_send_id(b, ID, 3);
	bed_poll(b);
	bed_expect(b, 0, 3, VNIC_STATUS_PAUSED);
	assert_string_equal(driver.log, "+i");
	bed_close(b);
}

static void c42_a_failed_initialize_leaves_it_halted(void **state)
{
	struct bed *b = open_bed(true);

	(void)state;
	driver.status[DRIVER_INITIALIZE] = VNIC_STATUS_RESOURCES;
	assert_int_equal(bed_operate(b, VNIC_CONTROL_START, 0), VNIC_STATUS_SUCCESS);
	assert_int_equal(bed_operate(b, VNIC_CONTROL_INITIALIZE, 0), VNIC_STATUS_RESOURCES);
	bed_expect_state(b, VNIC_STATE_HALTED, VNIC_STATUS_CLOSING);
	driver.status[DRIVER_INITIALIZE] = VNIC_STATUS_SUCCESS;
	assert_int_equal(bed_operate(b, VNIC_CONTROL_INITIALIZE, 0), VNIC_STATUS_SUCCESS);
	bed_expect_state(b, VNIC_STATE_PAUSED, VNIC_STATUS_PAUSED);
	bed_close(b);
}

/* n NBLs of 1, 2, 3 packets, more than the queue holds: all are taken and back at once. */
static void expect_all_paused(struct bed *b, uint16_t n)
{
	uint32_t first = b->nb_nbls;

	for (uint16_t i = 0; i < n; i++)
		bed_nbl(b, ID, (uint16_t)(1 + i % 3));
	for (uint16_t i = 0; i < n; i += 50)
		assert_int_equal(bed_send_by(b, 0, first + i, 50), 50);
	assert_in_range(bed_poll(b), n, UINT32_MAX);
	bed_expect(b, first, n, VNIC_STATUS_PAUSED);
}

static void c43_in_pausing_and_paused_all_of_a_send_completes_at_once(void **state)
{
	struct bed *b = open_bed(false);
	struct vnic_request *pause;
	uint32_t half = bed_half_sent(b, OTHER, 4, 2);

	(void)state;
	pause = begin(b, VNIC_CONTROL_PAUSE, 0);
	bed_expect_state(b, VNIC_STATE_PAUSING, VNIC_STATUS_PAUSED);
	expect_all_paused(b, 150);
	bed_wire_room(b, BED_ROOM_ALL);
	assert_int_equal(bed_await(b, pause), VNIC_STATUS_SUCCESS);
	bed_expect_state(b, VNIC_STATE_PAUSED, VNIC_STATUS_PAUSED);
	expect_all_paused(b, 150);
	bed_expect(b, half, 1, VNIC_STATUS_SUCCESS);
	bed_close(b);
}

/* A burst that cannot be sent anyway is taken too, and its fault is not looked at. */
static void c43_a_faulty_send_is_paused_like_any(void **state)
{
	struct bed *b = open_bed(false);
	uint32_t number;

	(void)state;
	assert_int_equal(bed_operate(b, VNIC_CONTROL_PAUSE, 0), VNIC_STATUS_SUCCESS);
	number = bed_nbl_of(b, ID, bed_packet(b, b->conf.max_frame + 1), 1);
	bed_send(b, number, 1);
	bed_poll(b);
	bed_expect(b, number, 1, VNIC_STATUS_PAUSED);
	bed_close(b);
}

/* ---- C44 ---- */

static uint32_t nb_done;

static void count_done(struct vnic_request *r, void *context)
{
	(void)r;
	(void)context;
	nb_done++;
}

static void c44_pause_takes_back_what_is_queued_and_staged(void **state)
{
	struct bed *b = open_bed(false);

	(void)state;
	bed_wire_room(b, 0);
	bed_send_id(b, ID, 40);
	bed_data(b); /* a burst is staged */
	assert_int_equal(bed_operate(b, VNIC_CONTROL_PAUSE, 0), VNIC_STATUS_SUCCESS);
	assert_int_equal(bed_poll(b), 40);
	assert_int_equal(vnic_sender_outstanding(b->sender[0]), 0);
	bed_expect(b, 0, 40, VNIC_STATUS_PAUSED);
	assert_int_equal(bed_stats(b).paused.nbls, 40);
	assert_int_equal(driver.nb[DRIVER_PAUSE], 1);
	bed_close(b);
}

static void c44_pause_ends_exactly_once(void **state)
{
	struct bed *b = open_bed(false);
	struct vnic_request *r = vnic_request_create(b->control);

	(void)state;
	nb_done = 0;
	vnic_request_on_done(r, count_done, NULL);
	driver.pends[DRIVER_PAUSE] = 3;
	bed_send_id(b, ID, 3);
	assert_int_equal(vnic_adapter_request(b->adapter, VNIC_CONTROL_PAUSE, 0, r),
			 VNIC_STATUS_PENDING);
	bed_step(b, 20);
	assert_int_equal(vnic_request_status(r), VNIC_STATUS_SUCCESS);
	assert_int_equal(nb_done, 1);
	assert_int_equal(driver.nb[DRIVER_PAUSE], 1);
	assert_int_equal(vnic_request_complete(r, VNIC_STATUS_SUCCESS), -EALREADY);
	assert_int_equal(bed_inside(b), 0);
	vnic_request_release(r);
	bed_close(b);
}

static void c44_pause_cannot_fail_though_the_driver_does(void **state)
{
	static const uint32_t failures[] = {VNIC_STATUS_FAILURE, VNIC_STATUS_RESOURCES,
					    VNIC_STATUS_INVALID_STATE};

	(void)state;
	for (size_t i = 0; i < BED_COUNT_OF(failures); i++) {
		struct bed *b = open_bed(false);

		driver.status[DRIVER_PAUSE] = failures[i];
		bed_send_id(b, ID, 3);
		assert_int_equal(bed_operate(b, VNIC_CONTROL_PAUSE, 0), VNIC_STATUS_SUCCESS);
		bed_expect_state(b, VNIC_STATE_PAUSED, VNIC_STATUS_PAUSED);
		bed_close(b);
	}
}

static void c44_pause_waits_for_its_driver(void **state)
{
	struct bed *b = open_bed(false);
	struct vnic_request *r;

	(void)state;
	driver.pends[DRIVER_PAUSE] = 10;
	r = begin(b, VNIC_CONTROL_PAUSE, 0);
	bed_step(b, 3); /* it is quiet */
	assert_in_range(driver.pends[DRIVER_PAUSE], 5, 9);
	for (uint32_t left = driver.pends[DRIVER_PAUSE]; left != 0; left--) {
		assert_int_equal(driver.pends[DRIVER_PAUSE], left); /* one call a poll */
		expect_state(b, VNIC_STATE_PAUSING);
		bed_control(b);
	}
	assert_int_equal(bed_await(b, r), VNIC_STATUS_SUCCESS);
	expect_state(b, VNIC_STATE_PAUSED);
	bed_close(b);
}

/* What was queued at the driver's call of its pause, and below. */
static void note_queued(struct driver *d, struct vnic_adapter *a, enum driver_call call)
{
	struct vnic_adapter_stats st;

	vnic_adapter_stats_get(a, &st);
	if (call == DRIVER_PAUSE || call == DRIVER_RESET)
		*(uint64_t *)d->context += st.queued.nbls;
}

static void c44_pause_waits_for_what_is_half_handed_down(void **state)
{
	struct bed *b = open_bed(false);
	struct vnic_request *r;
	uint64_t queued = 0;
	uint32_t half;

	(void)state;
	driver.within = note_queued;
	driver.context = &queued;
	for (int i = 0; i < 5; i++)
		bed_nbl(b, OTHER, 1);
	half = bed_nbl(b, ID, 4);
	bed_nbl(b, OTHER, 2);
	bed_wire_room(b, 7); /* five, and half of the sixth: the seventh is staged */
	bed_send(b, 0, 7);
	bed_data(b);
	bed_wire_room(b, 0);
	r = begin(b, VNIC_CONTROL_PAUSE, 0);
	bed_linger(b);
	assert_int_equal(vnic_request_status(r), VNIC_STATUS_PENDING);
	expect_state(b, VNIC_STATE_PAUSING);
	assert_int_equal(driver.nb[DRIVER_PAUSE], 0);
	bed_poll(b);
	bed_expect(b, 0, 5, VNIC_STATUS_SUCCESS);
	bed_expect(b, half + 1, 1, VNIC_STATUS_PAUSED);
	assert_int_equal(b->nbl[half].done, 0);
	bed_wire_room(b, 1);
	bed_linger(b);
	assert_int_equal(vnic_request_status(r), VNIC_STATUS_PENDING);
	bed_wire_room(b, 1);
	assert_int_equal(bed_await(b, r), VNIC_STATUS_SUCCESS);
	bed_poll(b);
	assert_int_equal(vnic_sender_outstanding(b->sender[0]), 0);
	bed_expect(b, half, 1, VNIC_STATUS_SUCCESS);
	assert_int_equal(queued, 0);
	bed_close(b);
}

/* As if the gate had been closed so many seconds earlier. */
static void age_pause(struct bed *b, uint32_t seconds)
{
	b->adapter->life.closed_tsc -= seconds * rte_get_tsc_hz();
}

static void c44_pause_ends_on_a_dead_port(void **state)
{
	struct bed *b = open_bed(false);
	struct vnic_request *r;

	(void)state;
	bed_half_sent(b, ID, 4, 3);
	bed_send_id(b, OTHER, 2);
	r = begin(b, VNIC_CONTROL_PAUSE, 0);
	age_pause(b, GRACE_S - 2); /* not yet */
	bed_linger(b);
	assert_int_equal(vnic_request_status(r), VNIC_STATUS_PENDING);
	age_pause(b, 2);
	assert_int_equal(bed_await(b, r), VNIC_STATUS_SUCCESS);
	bed_poll(b);
	assert_int_equal(vnic_sender_outstanding(b->sender[0]), 0);
	bed_expect(b, 0, 3, VNIC_STATUS_PAUSED);
	assert_int_equal(b->nbl[0].nb_sent, 3);
	/* the port lives again: nothing of it is left over */
	bed_wire_room(b, BED_ROOM_ALL);
	assert_int_equal(bed_operate(b, VNIC_CONTROL_RESTART, 0), VNIC_STATUS_SUCCESS);
	bed_send_id(b, ID, 5);
	bed_settle(b);
	bed_expect(b, 3, 5, VNIC_STATUS_SUCCESS);
	bed_close(b);
}

static void c44_pause_waits_for_all_senders(void **state)
{
	struct bed *b;
	struct vnic_request *r;

	(void)state;
	driver_make(&driver);
	b = bed_open(&(struct bed_conf){.nb_senders = 3, .driver = &driver});
	bed_wire_room(b, 0);
	for (uint32_t s = 0; s < 3; s++) {
		uint32_t first = b->nb_nbls;

		for (int i = 0; i < 5; i++)
			bed_nbl(b, ID, 1);
		assert_int_equal(bed_send_by(b, s, first, 5), 5);
	}
	bed_data(b);
	b->sender[1]->door = 1;
	r = begin(b, VNIC_CONTROL_PAUSE, 0);
	bed_step(b, 20);
	assert_int_equal(vnic_request_status(r), VNIC_STATUS_PENDING);
	b->sender[1]->door = 0;
	assert_int_equal(bed_await(b, r), VNIC_STATUS_SUCCESS);
	bed_poll(b);
	bed_expect(b, 0, 15, VNIC_STATUS_PAUSED);
	bed_close(b);
}

/* A pause that its requester gives up goes on, and the adapter is paused. */
static void c44_a_cancelled_pause_goes_on(void **state)
{
	struct bed *b = open_bed(false);
	struct vnic_request *r;

	(void)state;
	bed_half_sent(b, ID, 2, 1);
	r = begin(b, VNIC_CONTROL_PAUSE, 0);
	assert_true(vnic_request_cancel(r));
	assert_int_equal(vnic_request_status(r), VNIC_STATUS_CANCELLED);
	assert_int_equal(bed_inside(b), 0);
	expect_state(b, VNIC_STATE_PAUSING);
	assert_int_equal(bed_operate(b, VNIC_CONTROL_PAUSE, 0), VNIC_STATUS_INVALID_STATE);
	bed_wire_room(b, BED_ROOM_ALL);
	bed_step(b, 20);
	expect_state(b, VNIC_STATE_PAUSED);
	assert_int_equal(driver.nb[DRIVER_PAUSE], 1);
	vnic_request_release(r);
	bed_close(b);
}

/* Cancelled before the control thread has seen it: it has no effect. */
static void c44_a_pause_cancelled_before_it_begins_is_none(void **state)
{
	struct bed *b = open_bed(false);
	struct vnic_request *r = vnic_request_create(b->control);

	(void)state;
	assert_int_equal(vnic_adapter_request(b->adapter, VNIC_CONTROL_PAUSE, 0, r),
			 VNIC_STATUS_PENDING);
	vnic_request_cancel(r);
	assert_int_equal(bed_await(b, r), VNIC_STATUS_CANCELLED);
	bed_expect_state(b, VNIC_STATE_RUNNING, VNIC_STATUS_SUCCESS);
	assert_int_equal(bed_inside(b), 0);
	bed_close(b);
}

/* The gate opens again while the sweep of the last pause is still on its way. */
static void c44_pauses_in_quick_succession(void **state)
{
	struct bed *b = open_bed(false);

	(void)state;
	for (uint32_t round = 0; round < 200; round++) {
		uint32_t first = b->nb_nbls, kept;

		bed_wire_room(b, round % 3);
		bed_send_id(b, ID, (uint16_t)(1 + round % 5));
		if (round % 2 == 0)
			bed_data(b);
		assert_int_equal(bed_operate(b, VNIC_CONTROL_PAUSE, 0), VNIC_STATUS_SUCCESS);
		bed_poll(b);
		assert_int_equal(vnic_sender_outstanding(b->sender[0]), 0);
		kept = bed_count(b, first, b->nb_nbls - first, VNIC_STATUS_SUCCESS);
		assert_true(kept <= round % 3);
		bed_send_id(b, ID, 1);
		assert_int_equal(bed_operate(b, VNIC_CONTROL_RESTART, 0), VNIC_STATUS_SUCCESS);
		bed_poll(b);
	}
	assert_int_equal(driver.nb[DRIVER_PAUSE], 200);
	assert_int_equal(driver.nested, 0);
	bed_close(b);
}

/* ---- C45 ---- */

/* The rest of a vnic_send that had found the gate open. */
static uint32_t send_behind_the_door(struct bed *b, uint16_t n)
{
	static const _Atomic uint32_t open_gate = VNIC_STATUS_SUCCESS;
	struct vnic_sender *s = b->sender[0];
	uint32_t first;

	s->gate = &open_gate;
	first = bed_send_id(b, ID, n);
	s->gate = &b->adapter->gate;
	return first;
}

static void c45_a_send_behind_the_door_is_counted_before_the_pause_ends(void **state)
{
	struct bed *b = open_bed(false);
	struct vnic_request *r;
	uint32_t first;

	(void)state;
	b->sender[0]->door = 1; /* it has read the gate, and now it is slow */
	r = begin(b, VNIC_CONTROL_PAUSE, 0);
	bed_linger(b);
	assert_int_equal(vnic_request_status(r), VNIC_STATUS_PENDING);
	first = send_behind_the_door(b, 5);
	assert_int_equal(b->sender[0]->door, 0);
	assert_int_equal(bed_poll(b), 0);
	assert_int_equal(bed_stats(b).queued.nbls, 5);
	assert_int_equal(bed_await(b, r), VNIC_STATUS_SUCCESS);
	assert_int_equal(bed_poll(b), 5);
	bed_expect(b, first, 5, VNIC_STATUS_PAUSED);
	bed_close(b);
}

/* Whatever the time that the port is dead: nobody is left behind a door. */
static void c45_a_door_is_waited_for_without_end(void **state)
{
	struct bed *b = open_bed(false);
	struct vnic_request *r;

	(void)state;
	b->sender[0]->door = 1;
	r = begin(b, VNIC_CONTROL_PAUSE, 0);
	age_pause(b, 1000);
	bed_linger(b);
	assert_int_equal(vnic_request_status(r), VNIC_STATUS_PENDING);
	send_behind_the_door(b, 1);
	assert_int_equal(bed_await(b, r), VNIC_STATUS_SUCCESS);
	bed_close(b);
}

struct sides {
	struct bed *b;
	_Atomic bool stop_control, stop_data;
	uint32_t wrong;
	_Atomic uint32_t pauses;
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

/* Pauses and restarts; when a pause has ended nothing is in the queue, and nothing comes. */
static void *run_control(void *arg)
{
	struct sides *t = arg;
	struct vnic_request *r = vnic_request_create(t->b->control);
	struct vnic__ring *ring = t->b->sender[0]->ring;

	while (!atomic_load_explicit(&t->stop_control, memory_order_relaxed)) {
		for (int i = 0; i < 20; i++) {
			vnic_control_poll(t->b->control);
			sched_yield();
		}
		t->wrong += run_to_end(t->b, r, VNIC_CONTROL_PAUSE) != VNIC_STATUS_SUCCESS;
		for (int i = 0; i < 3; i++) {
			t->wrong += atomic_load(&ring->settled) != atomic_load(&ring->tail);
			sched_yield();
		}
		t->wrong += run_to_end(t->b, r, VNIC_CONTROL_RESTART) != VNIC_STATUS_SUCCESS;
		t->pauses++;
	}
	vnic_request_release(r);
	return NULL;
}

static bool seen_enough(const struct sides *t)
{
	struct vnic_adapter_stats st = bed_stats(t->b);

	return st.paused.nbls > 100 && st.sent.nbls > 100 && atomic_load(&t->pauses) > 20;
}

static void c45_threads_send_while_it_pauses(void **state)
{
	struct bed *b = open_bed(false);
	struct sides t = {.b = b};
	pthread_t data, control;

	(void)state;
	assert_int_equal(pthread_create(&data, NULL, run_data, &t), 0);
	assert_int_equal(pthread_create(&control, NULL, run_control, &t), 0);
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
			sched_yield(); /* or it runs through while the others wait for a CPU */
	}
	atomic_store(&t.stop_control, true);
	assert_int_equal(pthread_join(control, NULL), 0); /* its last pause needs the data thread */
	atomic_store(&t.stop_data, true);
	assert_int_equal(pthread_join(data, NULL), 0);
	assert_int_equal(t.wrong, 0);
	bed_settle(b);
	assert_true(seen_enough(&t));
	bed_close(b);
}

/* ---- C46 ---- */

static void c46_cancel_in_running_takes_its_matches_only(void **state)
{
	struct bed *b = open_bed(false);

	(void)state;
	bed_wire_room(b, 0);
	for (int i = 0; i < 20; i++)
		bed_send(b, bed_nbl(b, i % 2 == 0 ? ID : OTHER, 1), 1);
	assert_int_equal(bed_cancel(b, ID).aborted.nbls, 10);
	bed_settle(b);
	assert_int_equal(bed_count(b, 0, 20, VNIC_STATUS_SUCCESS), 10);
	bed_close(b);
}

/* Pausing, and the queue is still full: a sender is behind its door. */
static void c46_cancel_in_pausing_takes_its_matches_only(void **state)
{
	struct bed *b = open_bed(false);
	struct vnic_request *r;

	(void)state;
	bed_wire_room(b, 0);
	for (int i = 0; i < 40; i++)
		bed_send(b, bed_nbl(b, i % 2 == 0 ? ID : OTHER, 1), 1);
	bed_data(b);
	b->sender[0]->door = 1;
	r = begin(b, VNIC_CONTROL_PAUSE, 0);
	assert_int_equal(bed_cancel(b, ID).aborted.nbls, 20);
	assert_true(bed_cancel(b, ID).unknown);
	assert_int_equal(bed_count(b, 0, 40, VNIC_STATUS_SEND_ABORTED), 20);
	b->sender[0]->door = 0;
	assert_int_equal(bed_await(b, r), VNIC_STATUS_SUCCESS);
	bed_poll(b);
	for (uint32_t i = 0; i < 40; i++)
		bed_expect(b, i, 1, i % 2 == 0 ? VNIC_STATUS_SEND_ABORTED : VNIC_STATUS_PAUSED);
	bed_close(b);
}

static void c46_cancel_in_paused_and_restarting_finds_nothing(void **state)
{
	struct bed *b = open_bed(false);
	struct vnic_request *r;

	(void)state;
	bed_send_id(b, ID, 5);
	assert_int_equal(bed_operate(b, VNIC_CONTROL_PAUSE, 0), VNIC_STATUS_SUCCESS);
	bed_send_id(b, ID, 5);
	assert_true(bed_cancel(b, ID).unknown);
	assert_int_equal(bed_operate(b, VNIC_CONTROL_CANCEL, ID), VNIC_STATUS_SUCCESS);
	driver.pends[DRIVER_RESTART] = FOREVER;
	r = begin(b, VNIC_CONTROL_RESTART, 0);
	bed_send_id(b, ID, 5);
	assert_true(bed_cancel(b, ID).unknown);
	assert_int_equal(bed_operate(b, VNIC_CONTROL_CANCEL, ID), VNIC_STATUS_SUCCESS);
	expect_state(b, VNIC_STATE_RESTARTING);
	driver_goes_on();
	assert_int_equal(bed_await(b, r), VNIC_STATUS_SUCCESS);
	bed_send_id(b, ID, 5); /* and is not sticky */
	bed_settle(b);
	bed_expect(b, 0, 15, VNIC_STATUS_PAUSED);
	bed_expect(b, 15, 5, VNIC_STATUS_SUCCESS);
	bed_close(b);
}

/* Each order of cancel, pause and the data thread's steps, for what is queued, staged, half
 * handed down. */
static void c46_pause_and_cancel_together_end_each_nbl_once(void **state)
{
	(void)state;
	for (uint32_t order = 0; order < 64; order++) {
		struct bed *b = open_bed(false);
		struct vnic_request *r = NULL;
		uint32_t aborted, half = bed_half_sent(b, ID, 3, 1);

		for (int i = 0; i < 30; i++)
			bed_send(b, bed_nbl(b, i % 3 == 0 ? ID : OTHER, 1), 1);
		if (order & 1)
			bed_data(b);
		if (order & 2)
			r = bed_issue(b, VNIC_CONTROL_PAUSE, 0);
		if (order & 4)
			bed_control(b);
		assert_int_equal(vnic_adapter_cancel(b->adapter, ID, b->ticket), 0);
		if (r == NULL)
			r = bed_issue(b, VNIC_CONTROL_PAUSE, 0);
		if (order & 8)
			bed_data(b);
		bed_control(b);
		if (order & 16)
			bed_poll(b);
		bed_wire_room(b, order & 32 ? BED_ROOM_ALL : 2);
		assert_int_equal(bed_await(b, r), VNIC_STATUS_SUCCESS);
		aborted = (uint32_t)bed_verdict(b, b->ticket).aborted.nbls;
		bed_poll(b);
		assert_int_equal(vnic_sender_outstanding(b->sender[0]), 0);
		bed_expect(b, half, 1, VNIC_STATUS_SUCCESS);
		assert_int_equal(aborted, bed_count(b, 0, 31, VNIC_STATUS_SEND_ABORTED));
		assert_true(aborted == 10 || aborted == 0 || (order & 4) != 0);
		bed_close(b);
	}
}

/* ---- C47 ---- */

static void c47_halt_with_nothing_outstanding(void **state)
{
	struct bed *b = open_bed(false);

	(void)state;
	bed_half_sent(b, ID, 3, 1);
	bed_send_id(b, ID, 20);
	assert_int_equal(bed_operate(b, VNIC_CONTROL_HALT, 0), VNIC_STATUS_INVALID_STATE);
	bed_wire_room(b, BED_ROOM_ALL);
	assert_int_equal(bed_operate(b, VNIC_CONTROL_PAUSE, 0), VNIC_STATUS_SUCCESS);
	assert_int_equal(bed_operate(b, VNIC_CONTROL_HALT, 0), VNIC_STATUS_SUCCESS);
	bed_poll(b);
	assert_int_equal(vnic_sender_outstanding(b->sender[0]), 0);
	bed_expect_state(b, VNIC_STATE_HALTED, VNIC_STATUS_CLOSING);
	assert_string_equal(driver.log, "+irph");
	bed_close(b);
}

/* The driver's reset goes on: its halt would come before the reset's end. */
static void c47_halt_is_refused_while_a_reset_is_with_the_driver(void **state)
{
	struct bed *b = open_bed(false);
	struct vnic_request *r;

	(void)state;
	assert_int_equal(bed_operate(b, VNIC_CONTROL_PAUSE, 0), VNIC_STATUS_SUCCESS);
	driver.pends[DRIVER_RESET] = FOREVER;
	r = begin(b, VNIC_CONTROL_RESET, 0);
	assert_int_equal(bed_operate(b, VNIC_CONTROL_HALT, 0), VNIC_STATUS_INVALID_STATE);
	driver_goes_on();
	assert_int_equal(bed_await(b, r), VNIC_STATUS_SUCCESS);
	assert_int_equal(bed_operate(b, VNIC_CONTROL_HALT, 0), VNIC_STATUS_SUCCESS);
	assert_string_equal(driver.log, "+irpzh");
	bed_close(b);
}

static const enum vnic_control_code codes_of_states[] = {
	VNIC_CONTROL_RESTART, VNIC_CONTROL_PAUSE, VNIC_CONTROL_HALT, VNIC_CONTROL_SHUTDOWN,
	VNIC_CONTROL_RESET, VNIC_CONTROL_POWER, VNIC_CONTROL_REMOVE, VNIC_CONTROL_DRAIN,
	VNIC_CONTROL_WAIT_LINK};

/* Whatever is asked for, the driver does not hear of it. */
static void expect_no_call(struct bed *b)
{
	uint32_t nb_calls = driver.nb_calls, nb_link = driver.nb_link;

	bed_look(b);
	for (size_t i = 0; i < BED_COUNT_OF(codes_of_states); i++)
		assert_int_equal(bed_operate(b, codes_of_states[i], 0), VNIC_STATUS_INVALID_STATE);
	assert_int_equal(bed_operate(b, VNIC_CONTROL_CANCEL, ID), VNIC_STATUS_INVALID_STATE);
	bed_send_id(b, ID, 1);
	bed_cancel(b, ID);
	bed_step(b, 10);
	bed_look(b);
	assert_int_equal(driver.nb_calls, nb_calls);
	assert_int_equal(driver.nb_link, nb_link);
	assert_int_equal(bed_inside(b), 0);
}

static void c47_no_callback_follows_halt(void **state)
{
	struct bed *b;

	(void)state;
	driver_make(&driver);
	driver.driver.link = driver_link;
	b = bed_open(&(struct bed_conf){.driver = &driver});
	assert_int_equal(bed_operate(b, VNIC_CONTROL_PAUSE, 0), VNIC_STATUS_SUCCESS);
	assert_int_equal(bed_operate(b, VNIC_CONTROL_HALT, 0), VNIC_STATUS_SUCCESS);
	expect_no_call(b);
	bed_close(b);
	assert_string_equal(driver.log, "+irph-"); /* the adapter's end: its driver's stop */
}

/* Who waits for what will not come any more is told. */
static void c47_halt_ends_who_waits_for_the_link(void **state)
{
	struct bed *b = open_bed(false);
	struct vnic_request *r;

	(void)state;
	r = begin(b, VNIC_CONTROL_WAIT_LINK, 0);
	assert_int_equal(bed_operate(b, VNIC_CONTROL_PAUSE, 0), VNIC_STATUS_SUCCESS);
	assert_int_equal(bed_operate(b, VNIC_CONTROL_HALT, 0), VNIC_STATUS_SUCCESS);
	assert_int_equal(bed_await(b, r), VNIC_STATUS_INVALID_STATE);
	bed_close(b);
}

/* The adapter is destroyed while it runs: its driver's life ends in the usual order, and its
 * stop has a request as always. */
static void c47_the_end_of_a_running_adapter(void **state)
{
	struct bed *b = open_bed(false);

	(void)state;
	driver.pends[DRIVER_PAUSE] = driver.pends[DRIVER_STOP] = 2;
	bed_close(b);
	assert_string_equal(driver.log, "+irph-");
	assert_non_null(driver.request);
	assert_int_equal(driver.major, VNIC_MAJOR_FILE_SYSTEM_CONTROL);
	assert_int_equal(driver.code, VNIC_CONTROL_STOP);
	assert_int_equal(driver.entry.state, VNIC_RDBSS_STOP_IN_PROGRESS);
	assert_ptr_equal(driver.entry.stop_context, driver.request);
}

/* ... while its driver's restart has not ended: it never ran, and is halted all the same. */
static void c47_the_end_of_an_adapter_on_its_way(void **state)
{
	struct bed *b = open_bed(true);
	struct vnic_request *r;

	(void)state;
	assert_int_equal(bed_operate(b, VNIC_CONTROL_START, 0), VNIC_STATUS_SUCCESS);
	driver.pends[DRIVER_INITIALIZE] = FOREVER;
	r = begin(b, VNIC_CONTROL_INITIALIZE, 0);
	vnic_request_cancel(r);
	vnic_request_release(r);
	bed_close(b);
	assert_string_equal(driver.log, "+-"); /* never initialized, so not halted */

	b = open_bed(true);
	assert_int_equal(bed_operate(b, VNIC_CONTROL_START, 0), VNIC_STATUS_SUCCESS);
	assert_int_equal(bed_operate(b, VNIC_CONTROL_INITIALIZE, 0), VNIC_STATUS_SUCCESS);
	driver.pends[DRIVER_RESTART] = FOREVER;
	r = begin(b, VNIC_CONTROL_RESTART, 0);
	vnic_request_cancel(r);
	vnic_request_release(r);
	bed_close(b);
	assert_string_equal(driver.log, "+ih-");
}

/* Requests that the control thread has not ended keep the adapter. */
static void c47_destroy_is_refused_while_a_request_is_under_way(void **state)
{
	struct bed *b = open_bed(true);
	struct vnic_request *r;

	(void)state;
	driver.pends[DRIVER_START] = FOREVER;
	assert_int_equal(vnic_sender_destroy(b->sender[0]), 0); /* or that would be the reason */
	assert_int_equal(vnic_client_close(b->client), 0);
	r = bed_issue(b, VNIC_CONTROL_START, 0);
	assert_int_equal(vnic_adapter_destroy(b->adapter), -EBUSY); /* posted */
	bed_control(b);
	assert_int_equal(vnic_request_status(r), VNIC_STATUS_PENDING);
	assert_int_equal(vnic_adapter_destroy(b->adapter), -EBUSY); /* with the driver */
	vnic_request_cancel(r);
	assert_int_equal(vnic_adapter_destroy(b->adapter), -EBUSY); /* still with the driver */
	driver_goes_on();
	bed_step(b, 2);
	vnic_request_release(r);
	b->client = vnic_client_open(b->adapter);
	b->sender[0] = vnic_sender_create(b->client, b->nbls, b->conf.depth);
	bed_close(b);
}

/* ---- C48 ---- */

static const enum vnic_state shutdown_from[] = {VNIC_STATE_PAUSED, VNIC_STATE_RESTARTING,
						VNIC_STATE_RUNNING, VNIC_STATE_PAUSING};

static void c48_nothing_is_called_after_shutdown(void **state)
{
	(void)state;
	for (size_t i = 0; i < BED_COUNT_OF(shutdown_from); i++) {
		struct bed *b;
		struct vnic_request *by, *r;
		uint32_t nb_calls;

		driver_make(&driver);
		driver.driver.link = driver_link;
		b = bed_open(&(struct bed_conf){.driver = &driver, .halted = true});
		b->forced = true;
		by = reach(b, shutdown_from[i]);
		r = bed_issue(b, VNIC_CONTROL_SHUTDOWN, 0);
		bed_control(b);
		nb_calls = driver.nb_calls;
		driver_goes_on();
		assert_int_equal(bed_await(b, r), VNIC_STATUS_SUCCESS);
		bed_expect_state(b, VNIC_STATE_SHUTDOWN, VNIC_STATUS_CLOSING);
		assert_int_equal(driver.nb[DRIVER_SHUTDOWN], 1);
		if (by != NULL) /* what was on its way is told that it will not be */
			assert_int_equal(bed_await(b, by), VNIC_STATUS_INVALID_STATE);
		expect_no_call(b);
		assert_int_equal(bed_operate(b, VNIC_CONTROL_INITIALIZE, 0),
				 VNIC_STATUS_INVALID_STATE);
		bed_close(b);
		assert_int_equal(driver.nb_calls, nb_calls + 1); /* its stop, at the end */
		assert_int_equal(driver.nb[DRIVER_STOP], 1);
	}
}

/* It does not wait for a port that takes nothing. */
static void c48_shutdown_has_everything_back(void **state)
{
	struct bed *b = open_bed(false);
	uint32_t half = bed_half_sent(b, ID, 4, 2);

	(void)state;
	bed_send_id(b, OTHER, 40);
	b->forced = true;
	assert_int_equal(bed_operate(b, VNIC_CONTROL_SHUTDOWN, 0), VNIC_STATUS_SUCCESS);
	bed_poll(b);
	assert_int_equal(vnic_sender_outstanding(b->sender[0]), 0);
	/* an aborted one has left in no part */
	bed_expect(b, half, 1, VNIC_STATUS_CLOSING);
	assert_int_equal(b->nbl[half].nb_sent, 2);
	bed_expect(b, half + 1, 40, VNIC_STATUS_SEND_ABORTED);
	bed_wire_room(b, BED_ROOM_ALL);
	bed_step(b, 10);
	assert_int_equal(bed_wire_drain(b), 0);
	bed_close(b);
}

/* Its request ends when everything is back, not when the driver was told. */
static void c48_shutdown_ends_when_everything_is_back(void **state)
{
	struct bed *b = open_bed(false);
	struct vnic_request *r;

	(void)state;
	bed_wire_room(b, 0);
	bed_send_id(b, OTHER, 4);
	bed_data(b);
	r = begin(b, VNIC_CONTROL_SHUTDOWN, 0);
	for (int i = 0; i < 20; i++)
		bed_control(b); /* the data thread does not answer */
	assert_int_equal(vnic_request_status(r), VNIC_STATUS_PENDING);
	assert_int_equal(driver.nb[DRIVER_SHUTDOWN], 1);
	assert_int_equal(bed_await(b, r), VNIC_STATUS_SUCCESS);
	bed_close(b);
}

static void c48_shutdown_ends_what_pends(void **state)
{
	struct bed *b = open_bed(false);
	struct vnic_request *reset, *drain, *link, *cancel, *power, *r;

	(void)state;
	driver.pends[DRIVER_RESET] = FOREVER;
	bed_wire_room(b, 0);
	bed_send_id(b, ID, 4);
	bed_data(b);
	drain = begin(b, VNIC_CONTROL_DRAIN, 0);
	link = begin(b, VNIC_CONTROL_WAIT_LINK, 0);
	cancel = begin(b, VNIC_CONTROL_CANCEL, ID);
	reset = begin(b, VNIC_CONTROL_RESET, 0);
	power = begin(b, VNIC_CONTROL_POWER, 0);
	r = begin(b, VNIC_CONTROL_SHUTDOWN, 0);
	assert_int_equal(bed_await(b, r), VNIC_STATUS_SUCCESS);
	assert_int_equal(bed_await(b, reset), VNIC_STATUS_INVALID_STATE);
	assert_int_equal(bed_await(b, link), VNIC_STATUS_INVALID_STATE);
	assert_int_equal(bed_await(b, drain), VNIC_STATUS_SUCCESS);
	assert_int_equal(bed_await(b, cancel), VNIC_STATUS_SUCCESS);
	assert_int_equal(bed_await(b, power), VNIC_STATUS_SUCCESS);
	expect_no_call(b); /* the reset is not heard of again */
	bed_close(b);
}

/* A start that is to bring it up has not brought it up. */
static void c48_a_start_that_shutdown_overtakes_has_not_succeeded(void **state)
{
	struct bed *b = open_bed(true);
	struct vnic_request *start;

	(void)state;
	driver.pends[DRIVER_RESTART] = FOREVER;
	start = begin(b, VNIC_CONTROL_START, 1);
	expect_state(b, VNIC_STATE_RESTARTING);
	assert_int_equal(bed_operate(b, VNIC_CONTROL_SHUTDOWN, 0), VNIC_STATUS_SUCCESS);
	assert_int_equal(bed_await(b, start), VNIC_STATUS_INVALID_STATE);
	bed_close(b);
}

/* ---- C49 ---- */

static void c49_a_failed_restart_leaves_paused_a_good_one_running(void **state)
{
	struct bed *b = open_bed(false);

	(void)state;
	assert_int_equal(bed_operate(b, VNIC_CONTROL_PAUSE, 0), VNIC_STATUS_SUCCESS);
	driver.status[DRIVER_RESTART] = VNIC_STATUS_RESOURCES;
	assert_int_equal(bed_operate(b, VNIC_CONTROL_RESTART, 0), VNIC_STATUS_RESOURCES);
	bed_expect_state(b, VNIC_STATE_PAUSED, VNIC_STATUS_PAUSED);
	bed_send_id(b, ID, 3);
	bed_poll(b);
	bed_expect(b, 0, 3, VNIC_STATUS_PAUSED);
	driver.status[DRIVER_RESTART] = VNIC_STATUS_SUCCESS;
	assert_int_equal(bed_operate(b, VNIC_CONTROL_RESTART, 0), VNIC_STATUS_SUCCESS);
	bed_expect_state(b, VNIC_STATE_RUNNING, VNIC_STATUS_SUCCESS);
	bed_send_id(b, ID, 3);
	bed_settle(b);
	bed_expect(b, 3, 3, VNIC_STATUS_SUCCESS);
	bed_close(b);
}

static void c49_restart_waits_for_its_driver(void **state)
{
	static const uint32_t results[] = {VNIC_STATUS_SUCCESS, VNIC_STATUS_FAILURE};

	(void)state;
	for (size_t i = 0; i < BED_COUNT_OF(results); i++) {
		struct bed *b = open_bed(false);
		struct vnic_request *r;

		assert_int_equal(bed_operate(b, VNIC_CONTROL_PAUSE, 0), VNIC_STATUS_SUCCESS);
		driver.pends[DRIVER_RESTART] = 10;
		driver.status[DRIVER_RESTART] = results[i];
		r = begin(b, VNIC_CONTROL_RESTART, 0);
		for (uint32_t left = driver.pends[DRIVER_RESTART]; left != 0; left--) {
			assert_int_equal(driver.pends[DRIVER_RESTART], left);
			bed_expect_state(b, VNIC_STATE_RESTARTING, VNIC_STATUS_PAUSED);
			bed_control(b);
		}
		assert_int_equal(bed_await(b, r), results[i]);
		expect_state(b, i == 0 ? VNIC_STATE_RUNNING : VNIC_STATE_PAUSED);
		bed_close(b);
	}
}

static void c49_control_requests_are_served_in_all_four(void **state)
{
	static const enum vnic_state four[] = {VNIC_STATE_PAUSED, VNIC_STATE_RESTARTING,
					       VNIC_STATE_RUNNING, VNIC_STATE_PAUSING};

	(void)state;
	for (size_t i = 0; i < BED_COUNT_OF(four); i++) {
		struct bed *b = open_bed(true);
		struct vnic_request *by = reach(b, four[i]), *drain, *link;

		link = begin(b, VNIC_CONTROL_WAIT_LINK, 0);
		assert_true(vnic_request_cancel(link));
		assert_int_equal(bed_await(b, link), VNIC_STATUS_CANCELLED);
		assert_int_equal(bed_operate(b, VNIC_CONTROL_WAIT_LINK, 1), VNIC_STATUS_SUCCESS);
		assert_int_equal(bed_operate(b, VNIC_CONTROL_CANCEL, OTHER), VNIC_STATUS_SUCCESS);
		drain = bed_issue(b, VNIC_CONTROL_DRAIN, 0);
		bed_wire_room(b, BED_ROOM_ALL);
		assert_int_equal(bed_await(b, drain), VNIC_STATUS_SUCCESS);
		expect_state(b, four[i]);
		assert_int_equal(bed_operate(b, VNIC_CONTROL_RESET, 0), VNIC_STATUS_SUCCESS);
		expect_state(b, four[i]);
		assert_int_equal(bed_operate(b, VNIC_CONTROL_POWER, 0), VNIC_STATUS_SUCCESS);
		assert_int_equal(bed_operate(b, VNIC_CONTROL_POWER, 1), VNIC_STATUS_SUCCESS);
		expect_state(b, four[i]);
		driver_goes_on();
		if (by != NULL)
			assert_int_equal(bed_await(b, by), VNIC_STATUS_SUCCESS);
		bed_close(b);
	}
}

int main(void)
{
	static char row_name[EVENTS_SEEN][32];
	static const struct CMUnitTest others[] = {
		cmocka_unit_test(c41_operations_that_do_not_exist),
		cmocka_unit_test(c42_after_initialize_it_is_paused),
		cmocka_unit_test(c42_a_failed_initialize_leaves_it_halted),
		cmocka_unit_test(c43_in_pausing_and_paused_all_of_a_send_completes_at_once),
		cmocka_unit_test(c43_a_faulty_send_is_paused_like_any),
		cmocka_unit_test(c44_pause_takes_back_what_is_queued_and_staged),
		cmocka_unit_test(c44_pause_ends_exactly_once),
		cmocka_unit_test(c44_pause_cannot_fail_though_the_driver_does),
		cmocka_unit_test(c44_pause_waits_for_its_driver),
		cmocka_unit_test(c44_pause_waits_for_what_is_half_handed_down),
		cmocka_unit_test(c44_pause_ends_on_a_dead_port),
		cmocka_unit_test(c44_pause_waits_for_all_senders),
		cmocka_unit_test(c44_a_cancelled_pause_goes_on),
		cmocka_unit_test(c44_a_pause_cancelled_before_it_begins_is_none),
		cmocka_unit_test(c44_pauses_in_quick_succession),
		cmocka_unit_test(c45_a_send_behind_the_door_is_counted_before_the_pause_ends),
		cmocka_unit_test(c45_a_door_is_waited_for_without_end),
		cmocka_unit_test(c45_threads_send_while_it_pauses),
		cmocka_unit_test(c46_cancel_in_running_takes_its_matches_only),
		cmocka_unit_test(c46_cancel_in_pausing_takes_its_matches_only),
		cmocka_unit_test(c46_cancel_in_paused_and_restarting_finds_nothing),
		cmocka_unit_test(c46_pause_and_cancel_together_end_each_nbl_once),
		cmocka_unit_test(c47_halt_with_nothing_outstanding),
		cmocka_unit_test(c47_halt_is_refused_while_a_reset_is_with_the_driver),
		cmocka_unit_test(c47_no_callback_follows_halt),
		cmocka_unit_test(c47_halt_ends_who_waits_for_the_link),
		cmocka_unit_test(c47_the_end_of_a_running_adapter),
		cmocka_unit_test(c47_the_end_of_an_adapter_on_its_way),
		cmocka_unit_test(c47_destroy_is_refused_while_a_request_is_under_way),
		cmocka_unit_test(c48_nothing_is_called_after_shutdown),
		cmocka_unit_test(c48_shutdown_has_everything_back),
		cmocka_unit_test(c48_shutdown_ends_when_everything_is_back),
		cmocka_unit_test(c48_shutdown_ends_what_pends),
		cmocka_unit_test(c48_a_start_that_shutdown_overtakes_has_not_succeeded),
		cmocka_unit_test(c49_a_failed_restart_leaves_paused_a_good_one_running),
		cmocka_unit_test(c49_restart_waits_for_its_driver),
		cmocka_unit_test(c49_control_requests_are_served_in_all_four),
	};
	struct CMUnitTest tests[EVENTS_SEEN + BED_COUNT_OF(others)];

	for (size_t i = 0; i < EVENTS_SEEN; i++) {
		snprintf(row_name[i], sizeof(row_name[i]), "c41_%s", table[i][0]);
		tests[i] = (struct CMUnitTest){.name = row_name[i], .test_func = check_row,
					       .initial_state = (void *)(uintptr_t)table[i]};
	}
	memcpy(&tests[EVENTS_SEEN], others, sizeof(others));
	return cmocka_run_group_tests_name("conformance state", tests, test_eal_setup,
					   test_eal_teardown);
}
