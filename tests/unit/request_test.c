/* SPDX-License-Identifier: BSD-3-Clause
 * request_test.c - requests: each function, each of its errors, each status
 *
 * One thread. What threads can do to each other is in request_interleave_test.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <rte_errno.h>

#include "eal.h"
#include "request.h"

#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))

static struct vnic_control *control;
static bool no_memory;

/* The linker puts these in the place of libc's. */
void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);

void *__wrap_calloc(size_t n, size_t size)
{
	return no_memory ? NULL : __real_calloc(n, size);
}

static struct {
	uint32_t routine;
	uint32_t minirdr;
	uint32_t done;
	uint32_t leave;
	void *context;
	struct vnic_adapter *adapter;
	uint32_t status;
	int result; /* of the completion, and of the reuse, that a routine tried */
	int reused;
} seen;

static int setup(void **state)
{
	if (test_eal_setup(state) != 0)
		return -1;
	control = vnic_control_create(-1);
	return control == NULL ? -1 : 0;
}

static int teardown(void **state)
{
	return vnic_control_destroy(control) != 0 ? -1 : test_eal_teardown(state);
}

static struct vnic_request *fresh(void)
{
	struct vnic_request *r = vnic_request_create(control);

	memset(&seen, 0, sizeof(seen));
	assert_non_null(r);
	return r;
}

static struct vnic_request *pending(void)
{
	struct vnic_request *r = fresh();

	assert_int_equal(vnic_request_mark_pending(r), 0);
	return r;
}

static void expect_unlocked(const struct vnic_request *r)
{
	assert_false(rte_spinlock_is_locked(&control->cancel_lock));
	assert_false(rte_spinlock_is_locked((rte_spinlock_t *)(uintptr_t)&r->lock));
}

static void note_done(struct vnic_request *r, void *context)
{
	expect_unlocked(r);
	assert_null(vnic_request_set_cancel_routine(r, NULL));
	seen.done++;
	seen.context = context;
	seen.status = vnic_request_status(r);
}

static void unlock_only(struct vnic_adapter *adapter, struct vnic_request *r)
{
	assert_true(rte_spinlock_is_locked(&control->cancel_lock));
	assert_true(vnic_request_cancelled(r));
	vnic_cancel_unlock(control);
	seen.routine++;
	seen.adapter = adapter;
}

static void complete_cancelled(struct vnic_adapter *adapter, struct vnic_request *r)
{
	unlock_only(adapter, r);
	seen.result = vnic_request_complete(r, VNIC_STATUS_CANCELLED);
}

static void note_minirdr(struct vnic_request *r)
{
	expect_unlocked(r);
	seen.minirdr++;
}

/* ---- life ---- */

static void a_fresh_request(void **state)
{
	struct vnic_request *r = fresh();
	struct vnic_verdict v = {.cancel_id = 1};

	(void)state;
	assert_int_equal(vnic_request_status(r), VNIC_STATUS_SUCCESS);
	assert_false(vnic_request_cancelled(r));
	assert_null(vnic_request_adapter(r));
	assert_int_equal(vnic_request_major(r), 0);
	assert_int_equal(vnic_request_control_code(r), 0);
	assert_int_equal(vnic_request_caller(r), geteuid());
	vnic_request_verdict(r, &v);
	assert_int_equal(v.cancel_id, 0);
	assert_int_equal(vnic_request_complete(r, VNIC_STATUS_SUCCESS), -EALREADY);
	assert_int_equal(vnic_request_reuse(r), 0);
	vnic_request_release(r);
	vnic_request_release(NULL);
}

static void no_memory_for_one(void **state)
{
	struct vnic_request *r;
	struct vnic_request_queue *q;

	(void)state;
	no_memory = true;
	rte_errno = 0;
	r = vnic_request_create(control);
	no_memory = false;
	assert_null(r);
	assert_int_equal(rte_errno, ENOMEM);
	no_memory = true;
	rte_errno = 0;
	q = vnic_request_queue_create();
	no_memory = false;
	assert_null(q);
	assert_int_equal(rte_errno, ENOMEM);
}

static void what_it_carries(void **state)
{
	struct vnic_request *r = fresh();
	struct vnic_verdict v;

	(void)state;
	r->adapter = (struct vnic_adapter *)&seen;
	r->major = VNIC_MAJOR_FILE_SYSTEM_CONTROL;
	r->code = VNIC_CONTROL_CANCEL;
	r->verdict.cancel_id = 77;
	assert_ptr_equal(vnic_request_adapter(r), &seen);
	assert_int_equal(vnic_request_major(r), VNIC_MAJOR_FILE_SYSTEM_CONTROL);
	assert_int_equal(vnic_request_control_code(r), VNIC_CONTROL_CANCEL);
	vnic_request_verdict(r, &v);
	assert_int_equal(v.cancel_id, 77);
	vnic_request_release(r);
}

static void the_caller(void **state)
{
	struct vnic_request *r = pending();

	(void)state;
	assert_true(r->caller_set); /* kept, for whoever asks later */
	assert_int_equal(r->caller, geteuid());
	assert_int_equal(vnic_request_caller(r), geteuid());
	assert_int_equal(vnic_request_complete(r, VNIC_STATUS_SUCCESS), 0);
	assert_int_equal(vnic_request_reuse(r), 0);
	vnic_request_set_caller(r, 4711);
	assert_int_equal(vnic_request_mark_pending(r), 0);
	assert_int_equal(vnic_request_caller(r), 4711);
	assert_int_equal(vnic_request_complete(r, VNIC_STATUS_SUCCESS), 0);
	assert_int_equal(vnic_request_caller(r), 4711);
	assert_int_equal(vnic_request_reuse(r), 0);
	assert_int_equal(vnic_request_caller(r), geteuid()); /* not the last one's */
	vnic_request_release(r);
}

static void each_status(void **state)
{
	static const uint32_t statuses[] = {
		VNIC_STATUS_SUCCESS, VNIC_STATUS_SEND_ABORTED, VNIC_STATUS_PAUSED,
		VNIC_STATUS_RESET_IN_PROGRESS, VNIC_STATUS_RESOURCES, VNIC_STATUS_INVALID_LENGTH,
		VNIC_STATUS_FAILURE, VNIC_STATUS_LOW_POWER_STATE, VNIC_STATUS_MEDIA_DISCONNECTED,
		VNIC_STATUS_CLOSING, VNIC_STATUS_INVALID_STATE, VNIC_STATUS_INVALID_PARAMETER,
		VNIC_STATUS_NOT_SUPPORTED, VNIC_STATUS_CANCELLED,
		VNIC_STATUS_REDIRECTOR_HAS_OPEN_HANDLES, VNIC_STATUS_REDIRECTOR_NOT_STARTED,
		VNIC_STATUS_REDIRECTOR_STARTED, VNIC_STATUS_REDIRECTOR_STOPPED,
	};
	struct vnic_request *r = fresh();

	(void)state;
	for (uint32_t i = 0; i < COUNT_OF(statuses); i++) {
		vnic_request_on_done(r, note_done, &seen.done);
		assert_int_equal(vnic_request_mark_pending(r), 0);
		assert_int_equal(vnic_request_status(r), VNIC_STATUS_PENDING);
		assert_int_equal(seen.done, i);
		assert_int_equal(vnic_request_complete(r, statuses[i]), 0);
		assert_int_equal(vnic_request_status(r), statuses[i]);
		assert_int_equal(seen.done, i + 1);
		assert_int_equal(seen.status, statuses[i]);
		assert_ptr_equal(seen.context, &seen.done);
		assert_int_equal(vnic_request_reuse(r), 0);
		assert_int_equal(vnic_request_status(r), VNIC_STATUS_SUCCESS);
	}
	vnic_request_release(r);
}

static void pending_once(void **state)
{
	struct vnic_request *r = pending();

	(void)state;
	assert_int_equal(vnic_request_mark_pending(r), -EBUSY);
	assert_int_equal(vnic_request_reuse(r), -EBUSY);
	assert_int_equal(vnic_request_status(r), VNIC_STATUS_PENDING);
	assert_int_equal(vnic_request_complete(r, VNIC_STATUS_FAILURE), 0);
	/* complete: it takes a reuse to begin again */
	assert_int_equal(vnic_request_mark_pending(r), -EBUSY);
	assert_int_equal(vnic_request_status(r), VNIC_STATUS_FAILURE);
	assert_int_equal(vnic_request_reuse(r), 0);
	assert_int_equal(vnic_request_mark_pending(r), 0);
	assert_int_equal(vnic_request_complete(r, VNIC_STATUS_SUCCESS), 0);
	vnic_request_release(r);
}

static void complete_once(void **state)
{
	struct vnic_request *r = fresh();

	(void)state;
	vnic_request_on_done(r, note_done, NULL);
	assert_int_equal(vnic_request_mark_pending(r), 0);
	assert_int_equal(vnic_request_complete(r, VNIC_STATUS_PENDING), -EINVAL);
	assert_null(vnic_request_set_cancel_routine(r, unlock_only));
	assert_int_equal(vnic_request_complete(r, VNIC_STATUS_FAILURE), -EBUSY);
	assert_int_equal(vnic_request_status(r), VNIC_STATUS_PENDING);
	assert_int_equal(seen.done, 0);
	assert_ptr_equal(vnic_request_set_cancel_routine(r, NULL), unlock_only);
	assert_int_equal(vnic_request_complete(r, VNIC_STATUS_FAILURE), 0);
	assert_int_equal(vnic_request_complete(r, VNIC_STATUS_SUCCESS), -EALREADY);
	assert_int_equal(vnic_request_status(r), VNIC_STATUS_FAILURE);
	assert_int_equal(seen.done, 1);
	vnic_request_release(r);
}

/* Who waits for the gate to be empty finds every request complete. */
static void leave(struct vnic_request *r)
{
	expect_unlocked(r);
	assert_int_equal(seen.done, 0);
	assert_int_equal(vnic_request_status(r), VNIC_STATUS_NOT_SUPPORTED);
	assert_int_equal(vnic_request_complete(r, VNIC_STATUS_FAILURE), -EALREADY);
	assert_int_equal(vnic_request_mark_pending(r), -EBUSY);
	seen.leave++;
}

static void status_then_leave_then_done(void **state)
{
	struct vnic_request *r = fresh();

	(void)state;
	vnic_request_on_done(r, note_done, NULL);
	r->leave = leave;
	assert_int_equal(vnic_request_mark_pending(r), 0);
	assert_int_equal(vnic_request_complete(r, VNIC_STATUS_NOT_SUPPORTED), 0);
	assert_int_equal(seen.leave, 1);
	assert_int_equal(seen.done, 1);
	assert_int_equal(seen.status, VNIC_STATUS_NOT_SUPPORTED);
	assert_int_equal(vnic_request_reuse(r), 0);
	assert_int_equal(vnic_request_mark_pending(r), 0);
	assert_int_equal(vnic_request_complete(r, VNIC_STATUS_SUCCESS), 0);
	assert_int_equal(seen.leave, 1); /* not this one's */
	assert_int_equal(seen.done, 1);
	vnic_request_release(r);
}

static void release_while_pending(void **state)
{
	struct vnic_request *r = fresh();

	(void)state;
	vnic_request_on_done(r, note_done, NULL);
	assert_int_equal(vnic_request_mark_pending(r), 0);
	vnic_request_release(r);
	assert_int_equal(vnic_request_status(r), VNIC_STATUS_PENDING);
	assert_int_equal(vnic_request_complete(r, VNIC_STATUS_FAILURE), 0);
	assert_int_equal(seen.done, 1);
	assert_int_equal(seen.status, VNIC_STATUS_FAILURE);
}

static void release_in_done(struct vnic_request *r, void *context)
{
	note_done(r, context);
	vnic_request_release(r);
}

static void done_releases(void **state)
{
	struct vnic_request *r = fresh();

	(void)state;
	vnic_request_on_done(r, release_in_done, NULL);
	assert_int_equal(vnic_request_mark_pending(r), 0);
	assert_int_equal(vnic_request_complete(r, VNIC_STATUS_SUCCESS), 0);
	assert_int_equal(seen.done, 1);
	r = fresh();
	vnic_request_on_done(r, release_in_done, NULL);
	assert_int_equal(vnic_request_mark_pending(r), 0);
	vnic_request_set_cancel_routine(r, complete_cancelled);
	assert_true(vnic_request_cancel(r)); /* which holds it to its end */
	assert_int_equal(seen.done, 1);
	assert_int_equal(seen.status, VNIC_STATUS_CANCELLED);
}

/* ---- reuse ---- */

#define ROUNDS 5

static void reuse_in_done(struct vnic_request *r, void *context)
{
	uint32_t *round = context;

	note_done(r, context);
	assert_int_equal(vnic_request_reuse(r), 0);
	assert_int_equal(atomic_load(&r->refs), 1); /* complete() has left it to us */
	if (++*round == ROUNDS)
		return;
	vnic_request_on_done(r, reuse_in_done, context);
	assert_int_equal(vnic_request_mark_pending(r), 0);
	if (*round != 3) /* complete within done, and at one time later */
		assert_int_equal(vnic_request_complete(r, VNIC_STATUS_SUCCESS), 0);
}

static void done_reuses(void **state)
{
	struct vnic_request *r = fresh();
	uint32_t round = 0;

	(void)state;
	vnic_request_on_done(r, reuse_in_done, &round);
	assert_int_equal(vnic_request_mark_pending(r), 0);
	assert_int_equal(vnic_request_complete(r, VNIC_STATUS_SUCCESS), 0);
	assert_int_equal(round, 3);
	assert_int_equal(vnic_request_status(r), VNIC_STATUS_PENDING);
	assert_int_equal(atomic_load(&r->refs), 2);
	assert_int_equal(vnic_request_complete(r, VNIC_STATUS_SUCCESS), 0);
	assert_int_equal(round, ROUNDS);
	assert_int_equal(seen.done, ROUNDS);
	assert_int_equal(vnic_request_status(r), VNIC_STATUS_SUCCESS);
	assert_int_equal(atomic_load(&r->refs), 1);
	vnic_request_release(r);
}

static void reuse_and_release_in_done(struct vnic_request *r, void *context)
{
	note_done(r, context);
	assert_int_equal(vnic_request_reuse(r), 0);
	vnic_request_release(r);
}

static void done_reuses_and_releases(void **state)
{
	struct vnic_request *r = fresh();

	(void)state;
	vnic_request_on_done(r, reuse_and_release_in_done, NULL);
	assert_int_equal(vnic_request_mark_pending(r), 0);
	assert_int_equal(vnic_request_complete(r, VNIC_STATUS_SUCCESS), 0);
	assert_int_equal(seen.done, 1);
}

static void try_reuse(struct vnic_request *r, void *context)
{
	note_done(r, context);
	seen.reused = vnic_request_reuse(r);
}

static void no_reuse_under_a_cancel(void **state)
{
	struct vnic_request *r = fresh();

	(void)state;
	vnic_request_on_done(r, try_reuse, NULL);
	assert_int_equal(vnic_request_mark_pending(r), 0);
	vnic_request_set_cancel_routine(r, complete_cancelled);
	assert_true(vnic_request_cancel(r));
	assert_int_equal(seen.done, 1);
	assert_int_equal(vnic_request_status(r), VNIC_STATUS_CANCELLED);
	assert_int_equal(seen.reused, -EBUSY);
	assert_int_equal(vnic_request_reuse(r), 0); /* the cancel is over */
	vnic_request_release(r);
}

static void reuse_in_minirdr(struct vnic_request *r)
{
	note_minirdr(r);
	assert_int_equal(vnic_request_complete(r, VNIC_STATUS_CANCELLED), 0);
	seen.reused = vnic_request_reuse(r);
}

static void no_reuse_in_a_routine(void **state)
{
	struct vnic_request *r = pending();

	(void)state;
	vnic_request_set_minirdr_cancel_routine(r, reuse_in_minirdr);
	assert_true(vnic_request_cancel(r));
	assert_int_equal(seen.reused, -EBUSY);
	assert_int_equal(vnic_request_status(r), VNIC_STATUS_CANCELLED);
	assert_int_equal(vnic_request_reuse(r), 0);
	vnic_request_release(r);
}

static void reuse_makes_it_fresh(void **state)
{
	struct vnic_request *r = fresh();
	struct vnic_verdict v;

	(void)state;
	r->adapter = (struct vnic_adapter *)&seen;
	r->major = VNIC_MAJOR_WRITE;
	r->code = 5;
	r->argument = 6;
	r->verdict.cancel_id = 7;
	assert_int_equal(vnic_request_mark_pending(r), 0);
	assert_false(vnic_request_cancel(r));
	assert_int_equal(vnic_request_complete(r, VNIC_STATUS_FAILURE), 0);
	assert_int_equal(vnic_request_reuse(r), 0);
	assert_false(vnic_request_cancelled(r));
	assert_int_equal(vnic_request_status(r), VNIC_STATUS_SUCCESS);
	assert_null(vnic_request_adapter(r));
	assert_int_equal(vnic_request_major(r), 0);
	assert_int_equal(vnic_request_control_code(r), 0);
	assert_int_equal(r->argument, 0);
	vnic_request_verdict(r, &v);
	assert_int_equal(v.cancel_id, 0);
	assert_int_equal(vnic_request_set_minirdr_cancel_routine(r, note_minirdr),
			 VNIC_STATUS_SUCCESS); /* not flagged any more */
	vnic_request_set_cancel_routine(r, unlock_only);
	assert_int_equal(vnic_request_reuse(r), 0);
	assert_false(vnic_request_cancel(r)); /* neither routine is left */
	vnic_request_release(r);
}

/* ---- cancel ---- */

static void cancel_without_a_routine(void **state)
{
	struct vnic_request *r = fresh();

	(void)state;
	assert_false(vnic_request_cancel(r)); /* fresh */
	assert_true(vnic_request_cancelled(r));
	expect_unlocked(r);
	assert_int_equal(vnic_request_mark_pending(r), 0);
	assert_true(vnic_request_cancelled(r)); /* and stays */
	assert_false(vnic_request_cancel(r));
	assert_int_equal(vnic_request_status(r), VNIC_STATUS_PENDING);
	assert_int_equal(vnic_request_complete(r, VNIC_STATUS_SUCCESS), 0);
	assert_int_equal(vnic_request_reuse(r), 0);
	assert_int_equal(vnic_request_mark_pending(r), 0);
	assert_int_equal(vnic_request_complete(r, VNIC_STATUS_SUCCESS), 0);
	assert_false(vnic_request_cancelled(r));
	assert_false(vnic_request_cancel(r)); /* complete */
	assert_true(vnic_request_cancelled(r));
	assert_int_equal(vnic_request_status(r), VNIC_STATUS_SUCCESS);
	vnic_request_release(r);
}

static void cancel_calls_the_routine_once(void **state)
{
	struct vnic_request *r = pending();

	(void)state;
	r->adapter = (struct vnic_adapter *)&seen;
	assert_null(vnic_request_set_cancel_routine(r, complete_cancelled));
	assert_true(vnic_request_cancel(r));
	assert_int_equal(seen.routine, 1);
	assert_ptr_equal(seen.adapter, &seen);
	assert_int_equal(seen.result, 0);
	assert_null(vnic_request_set_cancel_routine(r, NULL));
	assert_false(vnic_request_cancel(r));
	assert_int_equal(seen.routine, 1);
	assert_int_equal(vnic_request_status(r), VNIC_STATUS_CANCELLED);
	expect_unlocked(r);
	vnic_request_release(r);
}

static void cancel_calls_the_minirdr_routine_once(void **state)
{
	struct vnic_request *r = pending();

	(void)state;
	assert_int_equal(vnic_request_set_minirdr_cancel_routine(r, note_minirdr),
			 VNIC_STATUS_SUCCESS);
	assert_true(vnic_request_cancel(r));
	assert_int_equal(seen.minirdr, 1);
	assert_false(vnic_request_cancel(r));
	assert_int_equal(seen.minirdr, 1);
	assert_int_equal(vnic_request_set_minirdr_cancel_routine(r, note_minirdr),
			 VNIC_STATUS_CANCELLED);
	assert_int_equal(vnic_request_set_minirdr_cancel_routine(r, NULL),
			 VNIC_STATUS_CANCELLED);
	assert_false(vnic_request_cancel(r));
	assert_int_equal(seen.minirdr, 1);
	assert_int_equal(vnic_request_complete(r, VNIC_STATUS_CANCELLED), 0);
	vnic_request_release(r);
}

static void cancel_calls_both(void **state)
{
	struct vnic_request *r = pending();

	(void)state;
	vnic_request_set_cancel_routine(r, unlock_only);
	vnic_request_set_minirdr_cancel_routine(r, note_minirdr);
	assert_true(vnic_request_cancel(r));
	assert_int_equal(seen.routine, 1);
	assert_int_equal(seen.minirdr, 1);
	assert_int_equal(vnic_request_complete(r, VNIC_STATUS_CANCELLED), 0);
	vnic_request_release(r);
}

/* The exchange form comes first: what it completes has no minirdr routine left. */
static void a_completing_routine_spares_the_minirdr(void **state)
{
	struct vnic_request *r = pending();

	(void)state;
	vnic_request_set_cancel_routine(r, complete_cancelled);
	vnic_request_set_minirdr_cancel_routine(r, note_minirdr);
	assert_true(vnic_request_cancel(r));
	assert_int_equal(seen.routine, 1);
	assert_int_equal(seen.minirdr, 0);
	vnic_request_release(r);
}

static void a_minirdr_routine_taken_out(void **state)
{
	struct vnic_request *r = pending();

	(void)state;
	vnic_request_set_minirdr_cancel_routine(r, note_minirdr);
	assert_int_equal(vnic_request_set_minirdr_cancel_routine(r, NULL), VNIC_STATUS_SUCCESS);
	assert_false(vnic_request_cancel(r)); /* by its driver */
	assert_int_equal(vnic_request_complete(r, VNIC_STATUS_SUCCESS), 0);
	assert_int_equal(vnic_request_reuse(r), 0);
	assert_int_equal(vnic_request_mark_pending(r), 0);
	vnic_request_set_minirdr_cancel_routine(r, note_minirdr);
	assert_int_equal(vnic_request_complete(r, VNIC_STATUS_SUCCESS), 0);
	assert_null(r->minirdr_routine);
	assert_false(vnic_request_cancel(r)); /* by its completion */
	assert_int_equal(seen.minirdr, 0);
	vnic_request_release(r);
}

static void the_cancel_lock(void **state)
{
	(void)state;
	vnic_cancel_lock(control);
	assert_true(rte_spinlock_is_locked(&control->cancel_lock));
	vnic_cancel_unlock(control);
	assert_false(rte_spinlock_is_locked(&control->cancel_lock));
}

/* ---- the queue ---- */

#define QUEUED 5u

struct rig {
	struct vnic_request_queue *q;
	struct vnic_request *r[QUEUED];
};

static struct rig fill(void)
{
	struct rig g = {.q = vnic_request_queue_create()};

	assert_non_null(g.q);
	for (uint32_t i = 0; i < QUEUED; i++) {
		g.r[i] = fresh();
		g.r[i]->code = i;
		vnic_request_on_done(g.r[i], note_done, NULL);
		assert_int_equal(vnic_request_mark_pending(g.r[i]), 0);
		assert_int_equal(vnic_request_queue_insert(g.q, g.r[i]), 0);
	}
	return g;
}

static void empty(struct rig *g)
{
	for (uint32_t i = 0; i < QUEUED; i++) {
		vnic_request_complete(g->r[i], VNIC_STATUS_SUCCESS);
		vnic_request_release(g->r[i]);
	}
	assert_int_equal(vnic_request_queue_destroy(g->q), 0);
}

static bool is_code(const struct vnic_request *r, void *context)
{
	return vnic_request_control_code(r) == *(uint32_t *)context;
}

static void first_in_first_out(void **state)
{
	struct rig g = fill();

	(void)state;
	for (uint32_t i = 0; i < QUEUED; i++) {
		assert_int_equal(vnic_request_queue_destroy(g.q), -EBUSY);
		assert_ptr_equal(vnic_request_queue_remove_next(g.q, NULL, NULL), g.r[i]);
		assert_int_equal(vnic_request_status(g.r[i]), VNIC_STATUS_PENDING);
		assert_false(vnic_request_cancel(g.r[i])); /* not cancellable any more */
	}
	assert_null(vnic_request_queue_remove_next(g.q, NULL, NULL));
	assert_int_equal(seen.done, 0);
	empty(&g);
	assert_int_equal(vnic_request_queue_destroy(NULL), 0);
}

static void the_one_that_matches(void **state)
{
	struct rig g = fill();
	uint32_t three = 3, nine = 9;

	(void)state;
	assert_null(vnic_request_queue_remove_next(g.q, is_code, &nine));
	assert_ptr_equal(vnic_request_queue_remove_next(g.q, is_code, &three), g.r[3]);
	assert_null(vnic_request_queue_remove_next(g.q, is_code, &three));
	assert_true(vnic_request_queue_remove(g.q, g.r[1]));
	assert_false(vnic_request_queue_remove(g.q, g.r[1]));
	assert_false(vnic_request_queue_remove(g.q, g.r[3]));
	assert_ptr_equal(vnic_request_queue_remove_next(g.q, NULL, NULL), g.r[0]);
	assert_ptr_equal(vnic_request_queue_remove_next(g.q, NULL, NULL), g.r[2]);
	assert_int_equal(vnic_request_queue_insert(g.q, g.r[0]), 0); /* again, to the end */
	assert_ptr_equal(vnic_request_queue_remove_next(g.q, NULL, NULL), g.r[4]);
	assert_ptr_equal(vnic_request_queue_remove_next(g.q, NULL, NULL), g.r[0]);
	empty(&g);
}

static void not_from_another_queue(void **state)
{
	struct rig g = fill();
	struct vnic_request_queue *other = vnic_request_queue_create();

	(void)state;
	assert_false(vnic_request_queue_remove(other, g.r[0]));
	assert_int_equal(vnic_request_queue_insert(other, g.r[0]), -EINVAL);
	assert_true(vnic_request_queue_remove(g.q, g.r[0]));
	assert_int_equal(vnic_request_queue_insert(other, g.r[0]), 0);
	assert_false(vnic_request_queue_remove(g.q, g.r[0]));
	assert_true(vnic_request_queue_remove(other, g.r[0]));
	assert_int_equal(vnic_request_queue_destroy(other), 0);
	for (uint32_t i = 1; i < QUEUED; i++)
		assert_true(vnic_request_queue_remove(g.q, g.r[i]));
	empty(&g);
}

static void only_pending_ones(void **state)
{
	struct vnic_request_queue *q = vnic_request_queue_create();
	struct vnic_request *r = fresh();

	(void)state;
	assert_int_equal(vnic_request_queue_insert(q, r), -EINVAL); /* fresh */
	assert_int_equal(vnic_request_mark_pending(r), 0);
	vnic_request_set_cancel_routine(r, unlock_only);
	assert_int_equal(vnic_request_queue_insert(q, r), -EINVAL); /* another's routine */
	assert_ptr_equal(vnic_request_set_cancel_routine(r, NULL), unlock_only);
	assert_int_equal(vnic_request_complete(r, VNIC_STATUS_SUCCESS), 0);
	assert_int_equal(vnic_request_queue_insert(q, r), -EINVAL); /* complete */
	vnic_request_release(r);
	assert_int_equal(vnic_request_queue_destroy(q), 0);
}

static void a_cancelled_one_leaves(void **state)
{
	static const uint32_t order[QUEUED] = {2, 4, 0, 1, 3};
	struct rig g = fill();

	(void)state;
	for (uint32_t i = 0; i < QUEUED; i++) {
		assert_int_equal(vnic_request_queue_destroy(g.q), -EBUSY);
		assert_true(vnic_request_cancel(g.r[order[i]]));
		assert_int_equal(vnic_request_status(g.r[order[i]]), VNIC_STATUS_CANCELLED);
		assert_int_equal(seen.done, i + 1);
		assert_false(vnic_request_queue_remove(g.q, g.r[order[i]]));
		assert_false(vnic_request_cancel(g.r[order[i]]));
	}
	assert_null(vnic_request_queue_remove_next(g.q, NULL, NULL));
	empty(&g);
}

static void cancelled_before_the_insert(void **state)
{
	struct vnic_request_queue *q = vnic_request_queue_create();
	struct vnic_request *r = fresh();

	(void)state;
	vnic_request_on_done(r, note_done, NULL);
	assert_int_equal(vnic_request_mark_pending(r), 0);
	assert_false(vnic_request_cancel(r));
	assert_int_equal(vnic_request_queue_insert(q, r), -ECANCELED);
	assert_int_equal(seen.done, 1);
	assert_int_equal(seen.status, VNIC_STATUS_CANCELLED);
	assert_null(vnic_request_queue_remove_next(q, NULL, NULL));
	assert_int_equal(vnic_request_queue_destroy(q), 0);
	assert_int_equal(vnic_request_reuse(r), 0);
	vnic_request_release(r);
}

/* The bit is set and the routine still there for a moment only, within a cancel. */
static void remove_next_serves_a_late_cancel(void **state)
{
	struct rig g = fill();
	vnic_cancel_routine *routine;

	(void)state;
	atomic_store(&g.r[0]->cancelled, true);
	atomic_store(&g.r[1]->cancelled, true);
	assert_ptr_equal(vnic_request_queue_remove_next(g.q, NULL, NULL), g.r[2]);
	assert_int_equal(seen.done, 2);
	assert_int_equal(vnic_request_status(g.r[0]), VNIC_STATUS_CANCELLED);
	assert_int_equal(vnic_request_status(g.r[1]), VNIC_STATUS_CANCELLED);
	/* and this is the moment within the cancel when its routine has been taken */
	routine = vnic_request_set_cancel_routine(g.r[3], NULL);
	assert_non_null(routine);
	assert_ptr_equal(vnic_request_queue_remove_next(g.q, NULL, NULL), g.r[4]);
	assert_false(vnic_request_queue_remove(g.q, g.r[3]));
	assert_null(vnic_request_queue_remove_next(g.q, NULL, NULL));
	assert_int_equal(vnic_request_queue_destroy(g.q), -EBUSY);
	vnic_cancel_lock(control);
	routine(NULL, g.r[3]);
	assert_int_equal(seen.done, 3);
	assert_int_equal(vnic_request_status(g.r[3]), VNIC_STATUS_CANCELLED);
	empty(&g);
}

/* The queue may be used, and the request put into it again, where it was completed. */
static void requeue_in_done(struct vnic_request *r, void *context)
{
	struct vnic_request_queue *q = context;

	seen.done++;
	assert_int_equal(vnic_request_reuse(r), 0);
	assert_int_equal(vnic_request_mark_pending(r), 0);
	assert_int_equal(vnic_request_queue_insert(q, r), 0);
}

static void done_queues_again(void **state)
{
	struct vnic_request_queue *q = vnic_request_queue_create();
	struct vnic_request *r = fresh();

	(void)state;
	vnic_request_on_done(r, requeue_in_done, q);
	assert_int_equal(vnic_request_mark_pending(r), 0);
	assert_int_equal(vnic_request_complete(r, VNIC_STATUS_SUCCESS), 0);
	assert_int_equal(seen.done, 1);
	assert_ptr_equal(vnic_request_queue_remove_next(q, NULL, NULL), r);
	assert_int_equal(vnic_request_complete(r, VNIC_STATUS_SUCCESS), 0);
	vnic_request_release(r);
	assert_int_equal(vnic_request_queue_destroy(q), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_fresh_request),
		cmocka_unit_test(no_memory_for_one),
		cmocka_unit_test(what_it_carries),
		cmocka_unit_test(the_caller),
		cmocka_unit_test(each_status),
		cmocka_unit_test(pending_once),
		cmocka_unit_test(complete_once),
		cmocka_unit_test(status_then_leave_then_done),
		cmocka_unit_test(release_while_pending),
		cmocka_unit_test(done_releases),
		cmocka_unit_test(done_reuses),
		cmocka_unit_test(done_reuses_and_releases),
		cmocka_unit_test(no_reuse_under_a_cancel),
		cmocka_unit_test(no_reuse_in_a_routine),
		cmocka_unit_test(reuse_makes_it_fresh),
		cmocka_unit_test(cancel_without_a_routine),
		cmocka_unit_test(cancel_calls_the_routine_once),
		cmocka_unit_test(cancel_calls_the_minirdr_routine_once),
		cmocka_unit_test(cancel_calls_both),
		cmocka_unit_test(a_completing_routine_spares_the_minirdr),
		cmocka_unit_test(a_minirdr_routine_taken_out),
		cmocka_unit_test(the_cancel_lock),
		cmocka_unit_test(first_in_first_out),
		cmocka_unit_test(the_one_that_matches),
		cmocka_unit_test(not_from_another_queue),
		cmocka_unit_test(only_pending_ones),
		cmocka_unit_test(a_cancelled_one_leaves),
		cmocka_unit_test(cancelled_before_the_insert),
		cmocka_unit_test(remove_next_serves_a_late_cancel),
		cmocka_unit_test(done_queues_again),
	};

	return cmocka_run_group_tests_name("request", tests, setup, teardown);
}
