/* SPDX-License-Identifier: BSD-3-Clause
 * stop_test.c - contract M: start and stop (C67-C75), decisions 4 and 5
 */
#include "bed.h"

#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include <rte_errno.h>
#include <rte_malloc.h>

#include "adapter.h"

#define ID UINT64_C(0x1234)
#define OTHER UINT64_C(0x5678)
#define FOREVER UINT32_MAX
#define SOMEBODY UINT64_C(4711)

static struct driver driver;

static struct bed *open_bed(bool halted)
{
	struct bed *b;

	driver_make(&driver);
	driver.driver.publishes_name = true;
	b = bed_open(&(struct bed_conf){.driver = &driver, .halted = halted});
	driver.name = b->name;
	return b;
}

/* This thread is the control lcore from here on. */
static struct bed *open_control(void)
{
	struct bed *b = open_bed(false);

	bed_control(b);
	return b;
}

static struct vnic_start_stop_context start_stop(const struct bed *b)
{
	struct vnic_start_stop_context c;

	vnic_adapter_start_stop(b->adapter, &c);
	return c;
}

static void expect_rdbss(const struct bed *b, enum vnic_rdbss_state state)
{
	assert_int_equal(start_stop(b).state, state);
}

/* No handle is open: the bed's own is closed. */
static void close_handles(struct bed *b)
{
	assert_int_equal(vnic_sender_destroy(b->sender[0]), 0);
	assert_int_equal(vnic_client_close(b->client), 0);
}

static void open_handles(struct bed *b)
{
	b->client = vnic_client_open(b->adapter);
	assert_non_null(b->client);
	b->sender[0] = vnic_sender_create(b->client, b->nbls, b->conf.depth);
	assert_non_null(b->sender[0]);
}

static struct vnic_request *stop(struct bed *b, uint32_t *status, bool *post)
{
	struct vnic_request *r = vnic_request_create(b->control);

	assert_non_null(r);
	vnic_request_set_caller(r, SOMEBODY);
	*status = vnic_adapter_stop(b->adapter, r, post);
	return r;
}

/* All of it, from the control lcore: what it comes to. */
static uint32_t stop_now(struct bed *b)
{
	uint32_t status;
	bool post;

	return bed_await(b, stop(b, &status, &post));
}

/* ---- C67 ---- */

static void c67_what_the_drivers_stop_finds(void **state)
{
	struct bed *b = open_control();
	struct vnic_request *r;
	uint32_t status;
	bool post;

	(void)state;
	close_handles(b);
	r = stop(b, &status, &post);
	bed_step(b, 10);
	assert_int_equal(vnic_request_status(r), VNIC_STATUS_SUCCESS);
	assert_int_equal(driver.nb[DRIVER_STOP], 1);
	assert_ptr_equal(driver.request, r);
	assert_int_equal(driver.major, VNIC_MAJOR_FILE_SYSTEM_CONTROL);
	assert_int_equal(driver.code, VNIC_CONTROL_STOP);
	assert_int_equal(driver.entry.state, VNIC_RDBSS_STOP_IN_PROGRESS);
	assert_ptr_equal(driver.entry.stop_context, r);
	assert_int_equal(driver.state, VNIC_STATE_HALTED);
	expect_rdbss(b, VNIC_RDBSS_STARTABLE);
	assert_null(start_stop(b).stop_context);
	vnic_request_release(r);
	open_handles(b);
	bed_close(b);
	assert_int_equal(driver.nb[DRIVER_STOP], 1); /* none at the adapter's end */
}

/* Anything but success leaves it where it was. */
static void c67_startable_only_after_success(void **state)
{
	struct bed *b = open_control();

	(void)state;
	driver.status[DRIVER_STOP] = VNIC_STATUS_FAILURE;
	assert_int_equal(stop_now(b), VNIC_STATUS_FAILURE);
	expect_rdbss(b, VNIC_RDBSS_STOP_IN_PROGRESS);
	driver.status[DRIVER_STOP] = VNIC_STATUS_SUCCESS;
	assert_int_equal(stop_now(b), VNIC_STATUS_REDIRECTOR_HAS_OPEN_HANDLES);
	expect_rdbss(b, VNIC_RDBSS_STARTABLE);
	bed_close(b);
}

/* ---- C68 ---- */

static void expect_nothing_passes(struct bed *b)
{
	uint32_t word = atomic_load(&b->adapter->operations.word);

	for (int code = 1; code < VNIC_CONTROL_CODES; code++) {
		uint32_t expected = VNIC_STATUS_REDIRECTOR_NOT_STARTED;

		if (code == VNIC_CONTROL_START || code == VNIC_CONTROL_STOP)
			expected = VNIC_STATUS_INVALID_STATE;
		assert_int_equal(bed_operate(b, (enum vnic_control_code)code,
					     code == VNIC_CONTROL_CANCEL ? ID : 0),
				 expected);
	}
	rte_errno = 0;
	assert_null(vnic_client_open(b->adapter));
	assert_int_equal(rte_errno, ESHUTDOWN);
	assert_int_equal(atomic_load(&b->adapter->operations.word), word);
	assert_int_equal(start_stop(b).open_handles, b->adapter->nb_clients);
}

static void c68_only_cleanup_and_close_pass_after_a_stop(void **state)
{
	struct bed *b = open_control();
	struct vnic_client *another = vnic_client_open(b->adapter);
	struct vnic_sender *its = vnic_sender_create(another, b->nbls, 64);
	struct vnic_request *r;
	uint32_t status, first;
	bool post;

	(void)state;
	driver.pends[DRIVER_STOP] = FOREVER;
	r = stop(b, &status, &post);
	for (int i = 0; i < 3; i++) { /* held back, then with the driver */
		expect_rdbss(b, VNIC_RDBSS_STOP_IN_PROGRESS);
		expect_nothing_passes(b);
		bed_step(b, 3);
	}
	first = bed_send_id(b, ID, 3);
	bed_poll(b);
	bed_expect(b, first, 3, VNIC_STATUS_CLOSING);
	assert_int_equal(vnic_sender_destroy(its), 0); /* cleanup, close */
	assert_int_equal(vnic_client_close(another), 0);
	memset(driver.pends, 0, sizeof(driver.pends));
	assert_int_equal(bed_await(b, r), VNIC_STATUS_REDIRECTOR_HAS_OPEN_HANDLES);
	bed_close(b);
}

/* Refused too while a stop that failed may be tried again. */
static void c68_nothing_passes_after_a_stop_that_failed(void **state)
{
	struct bed *b = open_control();

	(void)state;
	driver.status[DRIVER_STOP] = VNIC_STATUS_RESOURCES;
	assert_int_equal(stop_now(b), VNIC_STATUS_RESOURCES);
	assert_int_equal(bed_operate(b, VNIC_CONTROL_START, 0), VNIC_STATUS_INVALID_STATE);
	assert_int_equal(bed_operate(b, VNIC_CONTROL_RESET, 0), VNIC_STATUS_REDIRECTOR_NOT_STARTED);
	assert_null(vnic_client_open(b->adapter));
	driver.status[DRIVER_STOP] = VNIC_STATUS_SUCCESS;
	assert_int_equal(stop_now(b), VNIC_STATUS_REDIRECTOR_HAS_OPEN_HANDLES);
	assert_int_equal(driver.nb[DRIVER_STOP], 2);
	assert_string_equal(driver.log, "+irph--");
	bed_close(b);
}

/* Posted before the stop, begun after it: no effect. */
static void c68_an_operation_that_a_stop_overtakes_has_no_effect(void **state)
{
	struct bed *b = open_bed(false);
	struct vnic_request *r, *reset;
	uint32_t status;
	bool post;

	(void)state;
	r = stop(b, &status, &post); /* both are posted: this thread has not polled yet */
	reset = bed_issue(b, VNIC_CONTROL_RESET, 0);
	assert_int_equal(vnic_request_status(reset), VNIC_STATUS_PENDING);
	assert_int_equal(bed_await(b, reset), VNIC_STATUS_CANCELLED);
	assert_int_equal(driver.nb[DRIVER_RESET], 0);
	assert_int_equal(bed_await(b, r), VNIC_STATUS_REDIRECTOR_HAS_OPEN_HANDLES);
	assert_int_equal(bed_inside(b), 0);
	bed_close(b);
}

/* ---- C69 ---- */

static void c69_what_can_be_cancelled_is(void **state)
{
	struct bed *b = open_control();
	struct vnic_request *link, *drain, *cancel;

	(void)state;
	bed_wire_room(b, 0);
	bed_send_id(b, ID, 40);
	bed_data(b); /* a burst is staged */
	link = bed_issue(b, VNIC_CONTROL_WAIT_LINK, 0);
	drain = bed_issue(b, VNIC_CONTROL_DRAIN, 0);
	cancel = bed_issue(b, VNIC_CONTROL_CANCEL, OTHER);
	assert_int_equal(stop_now(b), VNIC_STATUS_REDIRECTOR_HAS_OPEN_HANDLES);
	bed_poll(b);
	assert_int_equal(vnic_sender_outstanding(b->sender[0]), 0);
	bed_expect(b, 0, 40, VNIC_STATUS_SEND_ABORTED);
	assert_int_equal(bed_await(b, link), VNIC_STATUS_CANCELLED);
	assert_int_equal(bed_await(b, drain), VNIC_STATUS_CANCELLED);
	assert_int_equal(bed_await(b, cancel), VNIC_STATUS_CANCELLED);
	assert_int_equal(bed_inside(b), 0);
	bed_close(b);
}

/* Held back, and the driver not called, until the port has taken the rest of a half sent NBL. */
static void c69_stop_waits_for_what_is_half_handed_down(void **state)
{
	struct bed *b = open_control();
	struct vnic_request *r;
	uint32_t status, half = bed_half_sent(b, ID, 4, 2);
	bool post;

	(void)state;
	bed_send_id(b, OTHER, 3);
	r = stop(b, &status, &post);
	assert_int_equal(status, VNIC_STATUS_PENDING);
	assert_false(post);
	bed_linger(b);
	bed_poll(b);
	bed_expect(b, half + 1, 3, VNIC_STATUS_SEND_ABORTED);
	assert_int_equal(b->nbl[half].done, 0);
	assert_int_equal(vnic_request_status(r), VNIC_STATUS_PENDING);
	assert_string_equal(driver.log, "+ir");
	bed_wire_room(b, BED_ROOM_ALL);
	assert_int_equal(bed_await(b, r), VNIC_STATUS_REDIRECTOR_HAS_OPEN_HANDLES);
	bed_poll(b);
	bed_expect(b, half, 1, VNIC_STATUS_SUCCESS);
	assert_string_equal(driver.log, "+irph-");
	bed_close(b);
}

/* What the driver has begun it ends first: its initialize, restart, reset, pause. */
static void c69_stop_waits_for_what_pends_in_the_driver(void **state)
{
	static const struct {
		enum driver_call call;
		enum vnic_control_code code;
		const char *log;
	} begun[] = {
		{DRIVER_INITIALIZE, VNIC_CONTROL_INITIALIZE, "+ih-"},
		{DRIVER_RESTART, VNIC_CONTROL_RESTART, "+irph-"},
		{DRIVER_RESET, VNIC_CONTROL_RESET, "+irzph-"},
		{DRIVER_PAUSE, VNIC_CONTROL_PAUSE, "+irph-"},
	};

	(void)state;
	for (size_t i = 0; i < BED_COUNT_OF(begun); i++) {
		struct bed *b = open_bed(true);
		struct vnic_request *by, *r;
		uint32_t status;
		bool post;

		bed_control(b);
		assert_int_equal(bed_operate(b, VNIC_CONTROL_START, 0), VNIC_STATUS_SUCCESS);
		if (i > 0)
			assert_int_equal(bed_operate(b, VNIC_CONTROL_INITIALIZE, 0), 0);
		if (i > 1)
			assert_int_equal(bed_operate(b, VNIC_CONTROL_RESTART, 0), 0);
		driver.pends[begun[i].call] = FOREVER;
		by = bed_issue(b, begun[i].code, 0);
		bed_step(b, 10);
		r = stop(b, &status, &post);
		assert_int_equal(bed_await(b, by), VNIC_STATUS_CANCELLED);
		bed_step(b, 20);
		assert_int_equal(vnic_request_status(r), VNIC_STATUS_PENDING);
		assert_int_equal(driver.nb[DRIVER_STOP], 0);
		memset(driver.pends, 0, sizeof(driver.pends));
		assert_int_equal(bed_await(b, r), VNIC_STATUS_REDIRECTOR_HAS_OPEN_HANDLES);
		assert_string_equal(driver.log, begun[i].log);
		assert_int_equal(driver.state, VNIC_STATE_HALTED);
		bed_close(b);
	}
}

/* An operation that was let in and has not been posted yet: its thread is slow. */
static void c69_stop_waits_for_who_is_inside(void **state)
{
	struct bed *b = open_control();
	struct vnic_request *r;
	uint32_t status;
	bool post;

	(void)state;
	assert_true(vnic__gate_enter(&b->adapter->operations));
	r = stop(b, &status, &post);
	bed_step(b, 20);
	assert_int_equal(vnic_request_status(r), VNIC_STATUS_PENDING);
	assert_int_equal(driver.nb[DRIVER_STOP], 0);
	vnic__gate_leave(&b->adapter->operations);
	assert_int_equal(bed_await(b, r), VNIC_STATUS_REDIRECTOR_HAS_OPEN_HANDLES);
	bed_close(b);
}

static void expect_same(struct vnic_start_stop_context before, struct vnic_start_stop_context now)
{
	assert_int_equal(now.state, before.state);
	assert_int_equal(now.version, before.version);
	assert_ptr_equal(now.stop_context, before.stop_context);
	assert_int_equal(now.dispatching, before.dispatching);
	assert_int_equal(now.registered, before.registered);
	assert_int_equal(now.published, before.published);
	assert_int_equal(now.open_handles, before.open_handles);
}

/* Taken back while it is held: started as before, but for what it had cancelled. */
static void c69_a_stop_that_is_taken_back(void **state)
{
	struct bed *b = open_control();
	struct vnic_start_stop_context before = start_stop(b);
	struct vnic_request *r;
	uint32_t status, half = bed_half_sent(b, ID, 4, 2);
	bool post;

	(void)state;
	bed_send_id(b, OTHER, 3);
	r = stop(b, &status, &post);
	bed_step(b, 10);
	assert_true(vnic_request_cancel(r));
	assert_int_equal(vnic_request_status(r), VNIC_STATUS_CANCELLED);
	bed_control(b);
	expect_same(before, start_stop(b));
	bed_expect_state(b, VNIC_STATE_RUNNING, VNIC_STATUS_SUCCESS);
	assert_string_equal(driver.log, "+ir");
	bed_send_id(b, OTHER, 3);
	bed_wire_room(b, BED_ROOM_ALL);
	assert_int_equal(bed_operate(b, VNIC_CONTROL_DRAIN, 0), VNIC_STATUS_SUCCESS);
	bed_poll(b);
	bed_expect(b, half, 1, VNIC_STATUS_SUCCESS);
	bed_expect(b, half + 1, 3, VNIC_STATUS_SEND_ABORTED);
	bed_expect(b, half + 4, 3, VNIC_STATUS_SUCCESS);
	while (vnic_request_reuse(r) != 0)
		bed_step(b, 1);
	vnic_request_release(r);
	assert_int_equal(stop_now(b), VNIC_STATUS_REDIRECTOR_HAS_OPEN_HANDLES);
	bed_close(b);
}

/* Taken back, and paused, while its sweep has not ended. */
static void c69_a_stop_that_is_taken_back_and_followed_by_a_pause(void **state)
{
	struct bed *b = open_control();
	struct vnic_request *r, *pause;
	uint32_t status, first;
	bool post;

	(void)state;
	bed_wire_room(b, 0);
	bed_send_id(b, ID, 5);
	bed_data(b);
	r = stop(b, &status, &post); /* swept, but for the data thread's part */
	bed_control(b);
	vnic_request_cancel(r);
	bed_control(b);
	first = bed_send_id(b, OTHER, 5); /* the gate is open again: it is queued */
	pause = bed_issue(b, VNIC_CONTROL_PAUSE, 0);
	bed_control(b);
	assert_int_equal(vnic_request_status(pause), VNIC_STATUS_PENDING);
	assert_int_equal(bed_await(b, pause), VNIC_STATUS_SUCCESS);
	bed_poll(b);
	bed_expect(b, 0, 5, VNIC_STATUS_SEND_ABORTED);
	bed_expect(b, first, 5, VNIC_STATUS_PAUSED);
	vnic_request_release(r);
	bed_close(b);
}

/* From the driver's stop on it is not taken back. */
static void c69_a_cancel_is_too_late_for_a_stop_that_is_with_the_driver(void **state)
{
	struct bed *b = open_control();
	struct vnic_request *r;
	uint32_t status;
	bool post;

	(void)state;
	driver.pends[DRIVER_STOP] = FOREVER;
	r = stop(b, &status, &post);
	bed_step(b, 10);
	assert_false(vnic_request_cancel(r));
	bed_step(b, 10);
	assert_int_equal(vnic_request_status(r), VNIC_STATUS_PENDING);
	memset(driver.pends, 0, sizeof(driver.pends));
	assert_int_equal(bed_await(b, r), VNIC_STATUS_REDIRECTOR_HAS_OPEN_HANDLES);
	bed_close(b);
}

/* ---- C70 ---- */

static void expect_down(struct bed *b)
{
	struct vnic_start_stop_context c = start_stop(b);

	assert_int_equal(c.state, VNIC_RDBSS_STARTABLE);
	assert_false(c.dispatching);
	assert_false(c.registered);
	assert_false(c.published);
	assert_null(c.stop_context);
	assert_null(vnic_control_find(b->control, b->name));
	bed_expect_state(b, VNIC_STATE_HALTED, VNIC_STATUS_CLOSING);
}

static void c70_no_open_handle_is_success(void **state)
{
	struct bed *b = open_control();

	(void)state;
	close_handles(b);
	assert_int_equal(stop_now(b), VNIC_STATUS_SUCCESS);
	expect_down(b);
	open_handles(b);
	bed_close(b);
}

static void c70_open_handles_are_told_and_it_is_down_all_the_same(void **state)
{
	struct bed *b = open_control();

	(void)state;
	assert_int_equal(start_stop(b).open_handles, 1);
	assert_int_equal(stop_now(b), VNIC_STATUS_REDIRECTOR_HAS_OPEN_HANDLES);
	expect_down(b);
	bed_close(b);
}

/* The driver says so itself. */
static void c70_open_handles_of_the_drivers_own(void **state)
{
	struct bed *b = open_control();

	(void)state;
	close_handles(b);
	driver.status[DRIVER_STOP] = VNIC_STATUS_REDIRECTOR_HAS_OPEN_HANDLES;
	assert_int_equal(stop_now(b), VNIC_STATUS_REDIRECTOR_HAS_OPEN_HANDLES);
	expect_down(b);
	open_handles(b);
	bed_close(b);
}

static void close_within_stop(struct driver *d, struct vnic_adapter *a, enum driver_call call)
{
	(void)a;
	if (call == DRIVER_STOP)
		close_handles(d->context);
}

/* Those that remain after the driver's stop count. */
static void c70_handles_that_the_drivers_stop_closes_are_closed(void **state)
{
	struct bed *b = open_control();

	(void)state;
	driver.within = close_within_stop;
	driver.context = b;
	assert_int_equal(stop_now(b), VNIC_STATUS_SUCCESS);
	driver.within = NULL;
	open_handles(b);
	bed_close(b);
}

/* ---- C71 ---- */

struct caller {
	struct bed *b;
	struct vnic_request *r;
	uint32_t status;
	bool post;
};

static void *stop_by(void *arg)
{
	struct caller *c = arg;

	c->status = vnic_adapter_stop(c->b->adapter, c->r, &c->post);
	return NULL;
}

static uint32_t nb_done;
static pthread_t done_by;

static void count_done(struct vnic_request *r, void *context)
{
	(void)r;
	(void)context;
	nb_done++;
	done_by = pthread_self();
}

static void c71_another_threads_stop_is_posted(void **state)
{
	static const uint64_t users[] = {0, SOMEBODY};

	(void)state;
	for (size_t i = 0; i < BED_COUNT_OF(users); i++) {
		struct bed *b = open_control();
		struct caller c = {.b = b, .r = vnic_request_create(b->control)};
		pthread_t thread;

		nb_done = 0;
		vnic_request_on_done(c.r, count_done, NULL);
		if (users[i] != 0)
			vnic_request_set_caller(c.r, users[i]);
		assert_int_equal(pthread_create(&thread, NULL, stop_by, &c), 0);
		assert_int_equal(pthread_join(thread, NULL), 0);
		assert_int_equal(c.status, VNIC_STATUS_PENDING);
		assert_true(c.post);
		assert_true(c.r->caller_set); /* saved, not asked for later */
		expect_rdbss(b, VNIC_RDBSS_STARTED); /* nothing has happened there */
		assert_int_equal(driver.nb[DRIVER_STOP], 0);
		bed_step(b, 20);
		assert_int_equal(vnic_request_status(c.r), VNIC_STATUS_REDIRECTOR_HAS_OPEN_HANDLES);
		assert_int_equal(nb_done, 1);
		assert_true(pthread_equal(done_by, pthread_self()));
		assert_int_equal(driver.caller, users[i] != 0 ? users[i] : (uint64_t)geteuid());
		vnic_request_release(c.r);
		bed_close(b);
	}
}

/* Refused at once, nothing is posted. */
static void c71_a_pending_request_is_not_issued_again(void **state)
{
	struct bed *b = open_bed(false);
	struct vnic_request *r;
	uint32_t status;
	bool post;

	(void)state;
	r = stop(b, &status, &post);
	assert_int_equal(status, VNIC_STATUS_PENDING);
	assert_true(post);
	assert_int_equal(vnic_adapter_stop(b->adapter, r, &post), VNIC_STATUS_INVALID_PARAMETER);
	assert_false(post);
	assert_int_equal(bed_await(b, r), VNIC_STATUS_REDIRECTOR_HAS_OPEN_HANDLES);
	bed_close(b);
}

/* On the control lcore, nothing in its way: done when the call returns. */
static void c71_the_control_lcores_stop_is_not_posted(void **state)
{
	struct bed *b = open_control();
	uint32_t status;
	bool post = true;

	(void)state;
	close_handles(b);
	/* the sweep's answer is the data thread's, so it is quiet before */
	assert_int_equal(bed_operate(b, VNIC_CONTROL_PAUSE, 0), VNIC_STATUS_SUCCESS);
	vnic_request_release(stop(b, &status, &post));
	assert_int_equal(status, VNIC_STATUS_SUCCESS);
	assert_false(post);
	open_handles(b);
	bed_close(b);
}

static void c71_a_lock_that_is_not_to_be_had_is_not_waited_for(void **state)
{
	struct bed *b = open_control();
	struct vnic_request *r;
	uint32_t status;
	bool post;

	(void)state;
	rte_spinlock_lock(&b->adapter->handles);
	r = stop(b, &status, &post);
	assert_int_equal(status, VNIC_STATUS_PENDING);
	assert_true(post);
	bed_step(b, 10);
	expect_rdbss(b, VNIC_RDBSS_STARTED);
	rte_spinlock_unlock(&b->adapter->handles);
	bed_step(b, 3);
	expect_rdbss(b, VNIC_RDBSS_STARTABLE);
	assert_int_equal(driver.caller, SOMEBODY);
	assert_int_equal(bed_await(b, r), VNIC_STATUS_REDIRECTOR_HAS_OPEN_HANDLES);
	assert_int_equal(driver.nb[DRIVER_STOP], 1);
	bed_close(b);
}

/* ... nor at the end, where the driver's stop is not called again for it. */
static void c71_the_lock_is_not_waited_for_at_the_end_either(void **state)
{
	struct bed *b = open_control();
	struct vnic_request *r;
	uint32_t status;
	bool post;

	(void)state;
	driver.pends[DRIVER_STOP] = FOREVER;
	r = stop(b, &status, &post);
	bed_step(b, 5);
	rte_spinlock_lock(&b->adapter->handles);
	memset(driver.pends, 0, sizeof(driver.pends));
	bed_step(b, 20);
	assert_int_equal(driver.nb[DRIVER_STOP], 1);
	assert_int_equal(vnic_request_status(r), VNIC_STATUS_PENDING);
	rte_spinlock_unlock(&b->adapter->handles);
	assert_int_equal(bed_await(b, r), VNIC_STATUS_REDIRECTOR_HAS_OPEN_HANDLES);
	assert_int_equal(driver.nb[DRIVER_STOP], 1);
	bed_close(b);
}

/* Cancelled while it is tried again and again: it was none. */
static void c71_a_posted_stop_is_cancelled(void **state)
{
	struct bed *b = open_control();
	struct vnic_request *r;
	uint32_t status;
	bool post;

	(void)state;
	rte_spinlock_lock(&b->adapter->handles);
	r = stop(b, &status, &post);
	bed_step(b, 2);
	vnic_request_cancel(r);
	assert_int_equal(bed_await(b, r), VNIC_STATUS_CANCELLED);
	rte_spinlock_unlock(&b->adapter->handles);
	bed_step(b, 3);
	expect_rdbss(b, VNIC_RDBSS_STARTED);
	assert_int_equal(driver.nb[DRIVER_STOP], 0);
	bed_close(b);
}

static struct caller from_callback;
static char log_at_return[DRIVER_LOG_MAX];

static void stop_within(struct driver *d, struct vnic_adapter *a, enum driver_call call)
{
	(void)a;
	if (call != DRIVER_RESET)
		return;
	stop_by(&from_callback);
	strcpy(log_at_return, d->log); /* nothing was called within */
}

/* A driver's callback issues it: run after that has returned. */
static void c71_stop_from_a_drivers_callback(void **state)
{
	struct bed *b = open_control();

	(void)state;
	from_callback = (struct caller){.b = b, .r = vnic_request_create(b->control)};
	driver.within = stop_within;
	assert_int_equal(bed_operate(b, VNIC_CONTROL_RESET, 0), VNIC_STATUS_SUCCESS);
	driver.within = NULL;
	assert_int_equal(from_callback.status, VNIC_STATUS_PENDING);
	assert_true(from_callback.post);
	assert_string_equal(log_at_return, "+ir");
	assert_int_equal(bed_await(b, from_callback.r), VNIC_STATUS_REDIRECTOR_HAS_OPEN_HANDLES);
	assert_string_equal(driver.log, "+irzph-");
	assert_int_equal(driver.nested, 0);
	bed_close(b);
}

static void reset_within_start(struct driver *d, struct vnic_adapter *a, enum driver_call call)
{
	struct caller *c = d->context;

	(void)a;
	/* the second call, which vnic_adapter_up() makes as its own control thread */
	if (call == DRIVER_RESTART && d->pends[call] == 1)
		c->status = vnic_adapter_request(c->b->adapter, VNIC_CONTROL_RESET, 0, c->r);
}

static void c71_nothing_is_run_within_a_callback_of_an_up(void **state)
{
	struct bed *b = open_bed(true);
	struct caller c = {.b = b, .r = vnic_request_create(b->control)};

	(void)state;
	bed_control(b);
	driver.pends[DRIVER_RESTART] = 2;
	driver.within = reset_within_start;
	driver.context = &c;
	assert_int_equal(vnic_adapter_up(b->adapter), VNIC_STATUS_SUCCESS);
	driver.within = NULL;
	assert_int_equal(c.status, VNIC_STATUS_PENDING);
	assert_int_equal(driver.nested, 0);
	assert_string_equal(driver.log, "+ir");
	assert_int_equal(bed_await(b, c.r), VNIC_STATUS_SUCCESS);
	assert_string_equal(driver.log, "+irz");
	bed_close(b);
}

/* Its done reuses the request at once, for the start that follows. */
static uint32_t start_again;
static int reuse_result;

static void start_in_done(struct vnic_request *r, void *context)
{
	struct bed *b = context;

	reuse_result = vnic_request_reuse(r);
	if (reuse_result == 0)
		start_again = vnic_adapter_request(b->adapter, VNIC_CONTROL_START, 1, r);
}

static void c71_a_stops_done_may_start_it_again(void **state)
{
	struct bed *b = open_control();
	struct vnic_request *r = vnic_request_create(b->control);
	bool post;

	(void)state;
	vnic_request_on_done(r, start_in_done, b);
	bed_send_id(b, ID, 1);
	assert_int_equal(vnic_adapter_stop(b->adapter, r, &post), VNIC_STATUS_PENDING);
	bed_step(b, 20);
	assert_int_equal(reuse_result, 0);
	assert_int_equal(start_again, VNIC_STATUS_PENDING);
	assert_int_equal(bed_await(b, r), VNIC_STATUS_SUCCESS);
	bed_expect_state(b, VNIC_STATE_RUNNING, VNIC_STATUS_SUCCESS);
	assert_string_equal(driver.log, "+irph-+ir");
	bed_close(b);
}

/* ---- C72 ---- */

static void c72_stop_when_stopped(void **state)
{
	struct bed *b = open_bed(true);

	(void)state;
	assert_int_equal(stop_now(b), VNIC_STATUS_REDIRECTOR_STOPPED); /* never started */
	assert_int_equal(bed_operate(b, VNIC_CONTROL_START, 1), VNIC_STATUS_SUCCESS);
	assert_int_equal(stop_now(b), VNIC_STATUS_REDIRECTOR_HAS_OPEN_HANDLES);
	assert_int_equal(stop_now(b), VNIC_STATUS_REDIRECTOR_STOPPED);
	assert_int_equal(bed_operate(b, VNIC_CONTROL_STOP, 0), VNIC_STATUS_REDIRECTOR_STOPPED);
	assert_int_equal(driver.nb[DRIVER_STOP], 1);
	bed_close(b);
}

/* The driver says that it was not started: an error like any other of its own. */
static void c72_not_started_is_the_drivers_word(void **state)
{
	struct bed *b = open_control();

	(void)state;
	driver.status[DRIVER_STOP] = VNIC_STATUS_REDIRECTOR_NOT_STARTED;
	assert_int_equal(stop_now(b), VNIC_STATUS_REDIRECTOR_NOT_STARTED);
	expect_rdbss(b, VNIC_RDBSS_STOP_IN_PROGRESS);
	bed_close(b);
}

/* ---- C73 ---- */

static void c73_name_and_adapter_are_withdrawn_before_the_drivers_stop(void **state)
{
	struct bed *b = open_control();

	(void)state;
	assert_true(start_stop(b).published && start_stop(b).registered);
	assert_ptr_equal(vnic_control_find(b->control, b->name), b->adapter);
	assert_int_equal(stop_now(b), VNIC_STATUS_REDIRECTOR_HAS_OPEN_HANDLES);
	assert_false(driver.entry.published);
	assert_false(driver.entry.registered);
	assert_false(driver.found);
	assert_int_equal(bed_operate(b, VNIC_CONTROL_START, 0), VNIC_STATUS_SUCCESS);
	assert_ptr_equal(vnic_control_find(b->control, b->name), b->adapter);
	vnic_adapter_give_up_name(b->adapter);
	assert_false(start_stop(b).published);
	assert_null(vnic_control_find(b->control, b->name));
	bed_close(b);
}

static void c73_a_name_that_is_not_published_is_not_found(void **state)
{
	struct bed *b;

	(void)state;
	driver_make(&driver);
	b = bed_open(&(struct bed_conf){.driver = &driver});
	bed_control(b);
	assert_null(vnic_control_find(b->control, b->name));
	assert_false(start_stop(b).published);
	assert_true(start_stop(b).registered);
	assert_int_equal(stop_now(b), VNIC_STATUS_REDIRECTOR_HAS_OPEN_HANDLES);
	assert_false(driver.entry.registered);
	bed_close(b);
}

static void c73_no_stop_callback_works_too(void **state)
{
	struct bed *b;

	(void)state;
	driver_make(&driver);
	driver.driver = (struct vnic_driver){.name = "bare", .publishes_name = true};
	b = bed_open(&(struct bed_conf){.driver = &driver});
	bed_control(b);
	for (int i = 0; i < 3; i++) {
		bed_send_id(b, ID, 3);
		assert_int_equal(stop_now(b), VNIC_STATUS_REDIRECTOR_HAS_OPEN_HANDLES);
		expect_down(b);
		assert_int_equal(bed_operate(b, VNIC_CONTROL_START, 1), VNIC_STATUS_SUCCESS);
		bed_poll(b);
	}
	bed_close(b);
}

/* ---- C74 ---- */

static void c74_each_start_increments_the_version(void **state)
{
	struct bed *b = open_bed(true);

	(void)state;
	assert_int_equal(start_stop(b).version, 0);
	for (uint32_t i = 1; i <= 5; i++) {
		assert_int_equal(bed_operate(b, VNIC_CONTROL_START, i % 2), VNIC_STATUS_SUCCESS);
		assert_int_equal(start_stop(b).version, i);
		assert_int_equal(bed_operate(b, VNIC_CONTROL_START, 0),
				 VNIC_STATUS_REDIRECTOR_STARTED);
		assert_int_equal(start_stop(b).version, i);
		assert_int_equal(stop_now(b), VNIC_STATUS_REDIRECTOR_HAS_OPEN_HANDLES);
		assert_int_equal(start_stop(b).version, i);
	}
	assert_int_equal(driver.nb[DRIVER_START], 5);
	bed_close(b);
}

static void c74_operations_before_start_are_not_started(void **state)
{
	struct bed *b = open_bed(true);

	(void)state;
	for (int code = VNIC_CONTROL_INITIALIZE; code < VNIC_CONTROL_CODES; code++)
		assert_int_equal(bed_operate(b, (enum vnic_control_code)code,
					     code == VNIC_CONTROL_CANCEL ? ID : 0),
				 VNIC_STATUS_REDIRECTOR_NOT_STARTED);
	assert_int_equal(bed_inside(b), 0);
	bed_send_id(b, ID, 2);
	bed_poll(b);
	bed_expect(b, 0, 2, VNIC_STATUS_CLOSING);
	assert_string_equal(driver.log, "");
	bed_close(b);
	assert_string_equal(driver.log, ""); /* neither halted nor stopped */
}

static void c74_a_start_that_fails_leaves_it_startable(void **state)
{
	struct bed *b = open_bed(true);

	(void)state;
	driver.status[DRIVER_START] = VNIC_STATUS_RESOURCES;
	assert_int_equal(bed_operate(b, VNIC_CONTROL_START, 1), VNIC_STATUS_RESOURCES);
	expect_down(b);
	assert_int_equal(bed_operate(b, VNIC_CONTROL_RESET, 0), VNIC_STATUS_REDIRECTOR_NOT_STARTED);
	assert_int_equal(stop_now(b), VNIC_STATUS_REDIRECTOR_STOPPED);
	driver.status[DRIVER_START] = VNIC_STATUS_SUCCESS;
	driver.status[DRIVER_RESTART] = VNIC_STATUS_FAILURE;
	assert_int_equal(bed_operate(b, VNIC_CONTROL_START, 1), VNIC_STATUS_FAILURE);
	expect_rdbss(b, VNIC_RDBSS_STARTED); /* as far as it came */
	bed_expect_state(b, VNIC_STATE_PAUSED, VNIC_STATUS_PAUSED);
	bed_close(b);
}

/* The driver takes its time; a second start meanwhile, and a cancel. */
static void c74_a_start_that_pends(void **state)
{
	struct bed *b = open_bed(true);
	struct vnic_request *r;

	(void)state;
	driver.pends[DRIVER_START] = FOREVER;
	r = bed_issue(b, VNIC_CONTROL_START, 1);
	bed_step(b, 10);
	assert_int_equal(vnic_request_status(r), VNIC_STATUS_PENDING);
	expect_rdbss(b, VNIC_RDBSS_STARTABLE);
	assert_null(vnic_control_find(b->control, b->name));
	assert_int_equal(bed_operate(b, VNIC_CONTROL_START, 0), VNIC_STATUS_INVALID_STATE);
	assert_int_equal(bed_operate(b, VNIC_CONTROL_RESET, 0), VNIC_STATUS_REDIRECTOR_NOT_STARTED);
	assert_true(vnic_request_cancel(r)); /* its requester gives up, it goes on */
	assert_int_equal(bed_await(b, r), VNIC_STATUS_CANCELLED);
	memset(driver.pends, 0, sizeof(driver.pends));
	bed_step(b, 10);
	bed_expect_state(b, VNIC_STATE_RUNNING, VNIC_STATUS_SUCCESS);
	assert_int_equal(start_stop(b).version, 1);
	bed_close(b);
}

/* A stop comes before the start has ended: it is held back until then. */
static void c74_a_stop_waits_for_the_start(void **state)
{
	struct bed *b = open_bed(true);
	struct vnic_request *start, *r;
	uint32_t status;
	bool post;

	(void)state;
	start = bed_issue(b, VNIC_CONTROL_START, 1);
	vnic_request_release(stop(b, &status, &post)); /* in one poll with it */
	bed_step(b, 20);
	assert_int_equal(bed_await(b, start), VNIC_STATUS_SUCCESS);
	expect_rdbss(b, VNIC_RDBSS_STARTABLE);
	assert_string_equal(driver.log, "+irph-");
	driver.pends[DRIVER_INITIALIZE] = FOREVER;
	start = bed_issue(b, VNIC_CONTROL_START, 1);
	r = stop(b, &status, &post);
	assert_int_equal(status, VNIC_STATUS_PENDING);
	assert_true(post);
	bed_step(b, 20);
	assert_int_equal(vnic_request_status(r), VNIC_STATUS_PENDING);
	memset(driver.pends, 0, sizeof(driver.pends));
	assert_int_equal(bed_await(b, start), VNIC_STATUS_SUCCESS);
	assert_int_equal(bed_await(b, r), VNIC_STATUS_REDIRECTOR_HAS_OPEN_HANDLES);
	assert_string_equal(driver.log, "+irph-+irph-");
	bed_close(b);
}

/* ---- C75 ---- */

static void c75_a_stop_during_a_stop(void **state)
{
	struct bed *b = open_control();
	struct vnic_request *r;
	uint32_t status;
	bool post;

	(void)state;
	driver.pends[DRIVER_STOP] = FOREVER;
	r = stop(b, &status, &post);
	for (int i = 0; i < 4; i++) {
		assert_int_equal(stop_now(b), VNIC_STATUS_INVALID_STATE);
		bed_step(b, 2);
	}
	memset(driver.pends, 0, sizeof(driver.pends));
	assert_int_equal(bed_await(b, r), VNIC_STATUS_REDIRECTOR_HAS_OPEN_HANDLES);
	assert_int_equal(driver.nb[DRIVER_STOP], 1);
	bed_close(b);
}

#define STOPPERS 4
#define STOPS 200

/* What threads have got for their stops, and operations for which nobody waits. */
struct stopper {
	struct bed *b;
	_Atomic int *running;
	uint32_t stopped, refused, already, wrong;
	uint32_t admitted; /* operations */
};

static uint32_t wait_for(struct vnic_request *r)
{
	uint32_t status;

	while ((status = vnic_request_status(r)) == VNIC_STATUS_PENDING)
		sched_yield();
	while (vnic_request_reuse(r) != 0)
		sched_yield();
	return status;
}

static void note_stop(struct stopper *s, uint32_t status)
{
	s->stopped += status == VNIC_STATUS_REDIRECTOR_HAS_OPEN_HANDLES;
	s->refused += status == VNIC_STATUS_INVALID_STATE;
	s->already += status == VNIC_STATUS_REDIRECTOR_STOPPED;
	s->wrong += status != VNIC_STATUS_REDIRECTOR_HAS_OPEN_HANDLES &&
		    status != VNIC_STATUS_INVALID_STATE && status != VNIC_STATUS_REDIRECTOR_STOPPED;
}

static void note_operation(struct stopper *s, uint32_t status)
{
	s->admitted += status == VNIC_STATUS_SUCCESS;
	s->wrong += status != VNIC_STATUS_SUCCESS && status != VNIC_STATUS_CANCELLED &&
		    status != VNIC_STATUS_REDIRECTOR_NOT_STARTED &&
		    status != VNIC_STATUS_RESET_IN_PROGRESS &&
		    status != VNIC_STATUS_INVALID_STATE;
}

static void *stop_and_operate(void *arg)
{
	struct stopper *s = arg;
	struct vnic_request *r = vnic_request_create(s->b->control);
	bool post;

	for (int i = 0; i < STOPS; i++) {
		vnic_adapter_request(s->b->adapter, i % 2 == 0 ? VNIC_CONTROL_RESET :
								  VNIC_CONTROL_DRAIN, 0, r);
		note_operation(s, wait_for(r));
		vnic_adapter_request(s->b->adapter, VNIC_CONTROL_CANCEL, ID, r);
		note_operation(s, wait_for(r));
		vnic_adapter_stop(s->b->adapter, r, &post);
		s->wrong += !post;
		note_stop(s, wait_for(r));
	}
	vnic_request_release(r);
	atomic_fetch_sub(s->running, 1);
	return NULL;
}

/* Was anybody inside when the driver's stop was called? */
static void look_inside(struct driver *d, struct vnic_adapter *a, enum driver_call call)
{
	if (call == DRIVER_STOP)
		*(uint32_t *)d->context += vnic__life_rdbss(&a->life) !=
						   VNIC_RDBSS_STOP_IN_PROGRESS ||
					   vnic_adapter_state(a) != VNIC_STATE_HALTED;
}

static void c75_of_concurrent_stops_one_does_it(void **state)
{
	struct bed *b = open_control();
	struct stopper s[STOPPERS];
	_Atomic int running = STOPPERS;
	pthread_t thread[STOPPERS];
	uint32_t stopped = 0, inside = 0;
	struct vnic_request *start = vnic_request_create(b->control);

	(void)state;
	driver.within = look_inside;
	driver.context = &inside;
	for (int i = 0; i < STOPPERS; i++) {
		s[i] = (struct stopper){.b = b, .running = &running};
		assert_int_equal(pthread_create(&thread[i], NULL, stop_and_operate, &s[i]), 0);
	}
	while (atomic_load(&running) != 0) {
		if (vnic_adapter_request(b->adapter, VNIC_CONTROL_START, 1, start) ==
		    VNIC_STATUS_PENDING)
			bed_step(b, 1);
		while (vnic_request_reuse(start) != 0)
			bed_step(b, 1);
		if (vnic_sender_room(b->sender[0], 8) == 8)
			bed_send_id(b, ID, 8);
		bed_step(b, 3);
		bed_poll(b);
		bed_wire_drain(b);
		sched_yield();
	}
	for (int i = 0; i < STOPPERS; i++) {
		assert_int_equal(pthread_join(thread[i], NULL), 0);
		assert_int_equal(s[i].wrong, 0);
		assert_int_equal(s[i].stopped + s[i].refused + s[i].already, STOPS);
		stopped += s[i].stopped;
	}
	assert_int_equal(driver.nb[DRIVER_STOP], stopped); /* once for each */
	assert_true(stopped > 10);
	assert_int_equal(inside, 0);
	assert_int_equal(driver.nested, 0);
	bed_step(b, 10);
	assert_int_equal(bed_inside(b), 0);
	vnic_request_release(start);
	bed_close(b);
}

/* Gate and count are one step: who is let in before the stop is waited for, who comes after it
 * is turned away, and being turned away is not being inside. */
static void c75_nobody_is_let_in_after_the_count_was_zero(void **state)
{
	struct vnic__gate g = {0};

	(void)state;
	assert_true(vnic__gate_enter(&g));
	vnic__gate_close(&g);
	assert_false(vnic__gate_empty(&g, 0));
	assert_false(vnic__gate_enter(&g));
	assert_false(vnic__gate_empty(&g, 0));
	vnic__gate_leave(&g);
	assert_true(vnic__gate_empty(&g, 0));
	for (int i = 0; i < 3; i++) {
		assert_false(vnic__gate_enter(&g));
		assert_true(vnic__gate_empty(&g, 0));
	}
	vnic__gate_open(&g);
	assert_true(vnic__gate_enter(&g));
	assert_int_equal(vnic__gate_close_empty(&g), -EBUSY);
	vnic__gate_leave(&g);
	assert_int_equal(vnic__gate_close_empty(&g), 0);
	assert_int_equal(vnic__gate_close_empty(&g), -EBADF);
}

/* ---- thousands of them ---- */

#define CYCLES 3000

static size_t dpdk_bytes(void)
{
	struct rte_malloc_socket_stats st;
	size_t bytes = 0;

	for (int node = 0; node < 8; node++)
		if (rte_malloc_get_socket_stats(node, &st) == 0)
			bytes += st.heap_allocsz_bytes;
	return bytes;
}

static size_t libc_bytes(void)
{
	struct mallinfo2 m = mallinfo2();

	return m.uordblks + m.hblkhd;
}

/* One start and stop under traffic, with operations that pend on both sides of it. */
static void cycle(struct bed *b, uint32_t i)
{
	struct vnic_request *link, *drain = NULL, *r;
	uint32_t status;
	bool post;

	assert_int_equal(bed_operate(b, VNIC_CONTROL_START, 1), VNIC_STATUS_SUCCESS);
	bed_wire_room(b, i % 7);
	bed_send(b, bed_nbl(b, ID, (uint16_t)(1 + i % 4)), 1);
	bed_send_id(b, OTHER, (uint16_t)(i % 5));
	if (i % 3 == 0)
		bed_data(b);
	link = bed_issue(b, VNIC_CONTROL_WAIT_LINK, 0);
	if (i % 2 == 0)
		drain = bed_issue(b, VNIC_CONTROL_DRAIN, 0);
	r = stop(b, &status, &post);
	if (i % 4 == 0) {
		vnic_request_cancel(r);
		assert_int_equal(bed_await(b, r), VNIC_STATUS_CANCELLED);
		bed_control(b);
		r = stop(b, &status, &post);
	}
	assert_int_equal(bed_operate(b, VNIC_CONTROL_RESET, 0), VNIC_STATUS_REDIRECTOR_NOT_STARTED);
	bed_wire_room(b, BED_ROOM_ALL);
	assert_int_equal(bed_await(b, r), VNIC_STATUS_REDIRECTOR_HAS_OPEN_HANDLES);
	assert_int_equal(bed_await(b, link), VNIC_STATUS_CANCELLED);
	if (drain != NULL)
		assert_int_not_equal(bed_await(b, drain), VNIC_STATUS_PENDING);
	bed_poll(b);
	bed_wire_drain(b);
	assert_int_equal(vnic_sender_outstanding(b->sender[0]), 0);
	assert_int_equal(vnic_nbl_pool_in_use(b->nbls), 0);
	assert_true(rte_mempool_full(b->mbufs));
	assert_int_equal(bed_inside(b), 0);
	assert_int_equal(b->adapter->pending, 0);
}

static void c75_thousands_of_starts_and_stops_leak_nothing(void **state)
{
	struct bed *b = open_control();
	size_t dpdk = 0, libc = 0, tables = 0;

	(void)state;
	assert_int_equal(stop_now(b), VNIC_STATUS_REDIRECTOR_HAS_OPEN_HANDLES);
	for (uint32_t i = 0; i < CYCLES; i++) {
		cycle(b, i);
		if (i == CYCLES / 10) { /* the bed's tables grow, and are counted out */
			dpdk = dpdk_bytes();
			tables = b->max_nbls * sizeof(*b->nbl) + b->max_packets * sizeof(*b->packet) +
				 b->max_log * sizeof(*b->log);
			libc = libc_bytes() - tables;
		}
	}
	tables = b->max_nbls * sizeof(*b->nbl) + b->max_packets * sizeof(*b->packet) +
		 b->max_log * sizeof(*b->log);
	assert_int_equal(dpdk_bytes(), dpdk);
	/* a request is some hundred bytes: not one in ten cycles is lost */
	assert_true(libc_bytes() - tables < libc + CYCLES / 10 * 100);
	assert_int_equal(driver.nb[DRIVER_START], CYCLES + 1);
	assert_int_equal(driver.nb[DRIVER_STOP], CYCLES + 1);
	bed_close(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(c67_what_the_drivers_stop_finds),
		cmocka_unit_test(c67_startable_only_after_success),
		cmocka_unit_test(c68_only_cleanup_and_close_pass_after_a_stop),
		cmocka_unit_test(c68_nothing_passes_after_a_stop_that_failed),
		cmocka_unit_test(c68_an_operation_that_a_stop_overtakes_has_no_effect),
		cmocka_unit_test(c69_what_can_be_cancelled_is),
		cmocka_unit_test(c69_stop_waits_for_what_is_half_handed_down),
		cmocka_unit_test(c69_stop_waits_for_what_pends_in_the_driver),
		cmocka_unit_test(c69_stop_waits_for_who_is_inside),
		cmocka_unit_test(c69_a_stop_that_is_taken_back),
		cmocka_unit_test(c69_a_stop_that_is_taken_back_and_followed_by_a_pause),
		cmocka_unit_test(c69_a_cancel_is_too_late_for_a_stop_that_is_with_the_driver),
		cmocka_unit_test(c70_no_open_handle_is_success),
		cmocka_unit_test(c70_open_handles_are_told_and_it_is_down_all_the_same),
		cmocka_unit_test(c70_open_handles_of_the_drivers_own),
		cmocka_unit_test(c70_handles_that_the_drivers_stop_closes_are_closed),
		cmocka_unit_test(c71_another_threads_stop_is_posted),
		cmocka_unit_test(c71_a_pending_request_is_not_issued_again),
		cmocka_unit_test(c71_the_control_lcores_stop_is_not_posted),
		cmocka_unit_test(c71_a_lock_that_is_not_to_be_had_is_not_waited_for),
		cmocka_unit_test(c71_the_lock_is_not_waited_for_at_the_end_either),
		cmocka_unit_test(c71_a_posted_stop_is_cancelled),
		cmocka_unit_test(c71_stop_from_a_drivers_callback),
		cmocka_unit_test(c71_nothing_is_run_within_a_callback_of_an_up),
		cmocka_unit_test(c71_a_stops_done_may_start_it_again),
		cmocka_unit_test(c72_stop_when_stopped),
		cmocka_unit_test(c72_not_started_is_the_drivers_word),
		cmocka_unit_test(c73_name_and_adapter_are_withdrawn_before_the_drivers_stop),
		cmocka_unit_test(c73_a_name_that_is_not_published_is_not_found),
		cmocka_unit_test(c73_no_stop_callback_works_too),
		cmocka_unit_test(c74_each_start_increments_the_version),
		cmocka_unit_test(c74_operations_before_start_are_not_started),
		cmocka_unit_test(c74_a_start_that_fails_leaves_it_startable),
		cmocka_unit_test(c74_a_start_that_pends),
		cmocka_unit_test(c74_a_stop_waits_for_the_start),
		cmocka_unit_test(c75_a_stop_during_a_stop),
		cmocka_unit_test(c75_of_concurrent_stops_one_does_it),
		cmocka_unit_test(c75_nobody_is_let_in_after_the_count_was_zero),
		cmocka_unit_test(c75_thousands_of_starts_and_stops_leak_nothing),
	};

	return cmocka_run_group_tests_name("conformance stop", tests, test_eal_setup,
					   test_eal_teardown);
}
