/* SPDX-License-Identifier: BSD-3-Clause
 * request_test.c - contract J and L: requests and both forms of cancelling them (C55-C61,
 * C63-C66)
 *
 * What is a race is run by threads in many rounds; every order of the steps, one by one, is
 * in tests/unit/request_interleave_test.c. Callbacks record, the main thread asserts.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include <rte_pause.h>

#include "eal.h"
#include "vnic.h"

#define THREADS_MAX 4
#define ROUNDS 3000
#define SKEW 16 /* pauses */

static struct vnic_control *control;

/* ---- what callbacks record ---- */

static struct {
	_Atomic uint32_t routine; /* calls */
	_Atomic uint32_t minirdr;
	_Atomic uint32_t done;
	_Atomic uint32_t status;  /* seen in done */
	_Atomic uint32_t twice;   /* completions that were not the first */
	_Atomic uint32_t owners;  /* who completed as the one who had taken the request */
	_Atomic uint32_t called;  /* cancels that returned true */
	_Atomic uint32_t wrong;
} seen;

static struct vnic_request *request; /* of the test or of the round */

static void forget(void)
{
	memset(&seen, 0, sizeof(seen));
}

static void complete(struct vnic_request *r, uint32_t status)
{
	if (vnic_request_complete(r, status) == 0)
		seen.owners++;
	else
		seen.twice++;
}

static void count_done(struct vnic_request *r, void *context)
{
	(void)context;
	seen.status = vnic_request_status(r);
	seen.done++;
}

/* No lock is held, or this would not come back; no routine is set. */
static void note_done(struct vnic_request *r, void *context)
{
	vnic_cancel_lock(control);
	vnic_cancel_unlock(control);
	seen.wrong += vnic_request_set_cancel_routine(r, NULL) != NULL;
	vnic_request_set_minirdr_cancel_routine(r, NULL); /* takes the request's lock */
	count_done(r, context);
}

static void routine(struct vnic_adapter *adapter, struct vnic_request *r)
{
	(void)adapter;
	seen.wrong += !vnic_request_cancelled(r);
	vnic_cancel_unlock(control);
	seen.routine++;
	complete(r, VNIC_STATUS_CANCELLED);
}

static void another_routine(struct vnic_adapter *adapter, struct vnic_request *r)
{
	routine(adapter, r);
}

static void minirdr(struct vnic_request *r)
{
	/* without the request's lock, or this would not come back */
	seen.wrong += vnic_request_set_minirdr_cancel_routine(r, NULL) != VNIC_STATUS_CANCELLED;
	vnic_cancel_lock(control);
	vnic_cancel_unlock(control);
	seen.minirdr++;
	complete(r, VNIC_STATUS_CANCELLED);
}

static struct vnic_request *fresh(void)
{
	struct vnic_request *r = vnic_request_create(control);

	assert_non_null(r);
	forget();
	vnic_request_on_done(r, note_done, NULL);
	return r;
}

static struct vnic_request *pending(void)
{
	struct vnic_request *r = fresh();

	assert_int_equal(vnic_request_mark_pending(r), 0);
	return r;
}

/* The request was completed once and is the test's alone. */
static void close_request(struct vnic_request *r, uint32_t status)
{
	assert_int_equal(seen.done, 1);
	assert_int_equal(seen.status, status);
	assert_int_equal(seen.wrong, 0);
	assert_int_equal(vnic_request_status(r), status);
	assert_int_equal(vnic_request_complete(r, VNIC_STATUS_SUCCESS), -EALREADY);
	assert_int_equal(vnic_request_reuse(r), 0);
	vnic_request_release(r);
}

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

/* ---- threads that start a round together; the first of them is the main thread ---- */

typedef void work(void);

static struct {
	uint32_t nb;
	work *work[THREADS_MAX];
	_Atomic uint32_t arrived;
	_Atomic uint32_t passed;
} crew;

static void meet(void)
{
	uint32_t passed = crew.passed;

	if (++crew.arrived == crew.nb) {
		crew.arrived = 0;
		crew.passed++;
		return;
	}
	while (crew.passed == passed)
		sched_yield();
}

/* Begin a little early or late, so that in the course of the rounds each step of one meets
 * each step of the others. */
static void work_round(work *mine, unsigned int *seed)
{
	meet();
	for (int i = rand_r(seed) % SKEW; i > 0; i--)
		rte_pause();
	mine();
	meet();
}

static void *work_rounds(void *arg)
{
	work *const *mine = arg;
	unsigned int seed = (unsigned int)(mine - crew.work);

	for (int i = 0; i < ROUNDS; i++)
		work_round(*mine, &seed);
	return NULL;
}

static void race(uint32_t nb, work *const *list, work *begin, work *end)
{
	pthread_t thread[THREADS_MAX];
	unsigned int seed = 0;

	crew.nb = nb;
	memcpy(crew.work, list, nb * sizeof(*list));
	for (uint32_t i = 1; i < nb; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, work_rounds, &crew.work[i]), 0);
	for (int i = 0; i < ROUNDS; i++) {
		begin();
		work_round(crew.work[0], &seed);
		end();
	}
	for (uint32_t i = 1; i < nb; i++)
		assert_int_equal(pthread_join(thread[i], NULL), 0);
}

static void begin_pending(void)
{
	request = pending();
}

static void begin_with_routine(void)
{
	begin_pending();
	assert_null(vnic_request_set_cancel_routine(request, routine));
}

static void cancel(void)
{
	seen.called += vnic_request_cancel(request);
}

static void end_once(void)
{
	assert_int_equal(seen.owners, 1);
	assert_int_equal(seen.twice, 0);
	assert_int_equal(seen.called, seen.routine + seen.minirdr);
	close_request(request, seen.status);
}

static void end_cancelled(void)
{
	assert_int_equal(seen.status, VNIC_STATUS_CANCELLED);
	end_once();
}

/* ---- C55 ---- */

static void c55_set_returns_what_was_set(void **state)
{
	struct vnic_request *r = fresh();

	(void)state;
	assert_null(vnic_request_set_cancel_routine(r, routine));
	assert_ptr_equal(vnic_request_set_cancel_routine(r, NULL), routine);
	assert_null(vnic_request_set_cancel_routine(r, NULL));
	assert_null(vnic_request_set_cancel_routine(r, routine));
	assert_ptr_equal(vnic_request_set_cancel_routine(r, another_routine), routine);
	assert_ptr_equal(vnic_request_set_cancel_routine(r, NULL), another_routine);
	assert_int_equal(seen.routine, 0);
	vnic_request_release(r);
}

/* ---- C56 ---- */

static void take_and_complete(void)
{
	if (vnic_request_set_cancel_routine(request, NULL) != NULL)
		complete(request, VNIC_STATUS_SUCCESS);
}

static void routine_that_looks(struct vnic_adapter *adapter, struct vnic_request *r)
{
	seen.wrong += vnic_request_set_cancel_routine(r, NULL) != NULL;
	routine(adapter, r);
}

static void c56_set_returns_null_once_cancelled(void **state)
{
	(void)state;
	request = pending();
	vnic_request_set_cancel_routine(request, routine_that_looks);
	assert_true(vnic_request_cancel(request));
	assert_null(vnic_request_set_cancel_routine(request, NULL));
	take_and_complete(); /* the dequeuer comes away empty */
	assert_int_equal(seen.owners, 1);
	close_request(request, VNIC_STATUS_CANCELLED);
	/* and the other way round: the cancel does */
	request = pending();
	vnic_request_set_cancel_routine(request, routine);
	take_and_complete();
	assert_false(vnic_request_cancel(request));
	assert_int_equal(seen.routine, 0);
	assert_int_equal(seen.owners, 1);
	close_request(request, VNIC_STATUS_SUCCESS);
}

static void c56_threads_dequeuer_or_routine(void **state)
{
	(void)state;
	race(3, (work *[]){cancel, take_and_complete, take_and_complete}, begin_with_routine,
	     end_once);
}

/* ---- C57 ---- */

#define TOKENS 50000

static _Atomic uint32_t got[THREADS_MAX * TOKENS + 1]; /* how often each came back */

/* Routines that are never called: their addresses are what is counted. */
static void put_token(uint32_t token)
{
	vnic_cancel_routine *old = vnic_request_set_cancel_routine(
		request, (vnic_cancel_routine *)(uintptr_t)token);

	got[(uintptr_t)old]++;
}

static void *put_tokens(void *arg)
{
	uint32_t first = *(uint32_t *)arg;

	meet();
	for (uint32_t i = 0; i < TOKENS; i++)
		put_token(first + i);
	return NULL;
}

static void c57_threads_neither_lose_nor_duplicate(void **state)
{
	pthread_t thread[THREADS_MAX];
	uint32_t first[THREADS_MAX];

	(void)state;
	memset(got, 0, sizeof(got));
	request = fresh();
	crew.nb = THREADS_MAX;
	for (uint32_t i = 0; i < THREADS_MAX; i++) {
		first[i] = 1 + i * TOKENS;
		assert_int_equal(pthread_create(&thread[i], NULL, put_tokens, &first[i]), 0);
	}
	for (int i = 0; i < THREADS_MAX; i++)
		assert_int_equal(pthread_join(thread[i], NULL), 0);
	put_token(0); /* the last one comes back, too */
	for (uint32_t i = 0; i <= THREADS_MAX * TOKENS; i++)
		assert_int_equal(got[i], 1); /* 0: the fresh request's NULL */
	vnic_request_release(request);
}

/* ---- C58 ---- */

static struct {
	_Atomic bool go;
	_Atomic bool got;
	_Atomic bool got_early;
} contender;

static void *want_lock(void *arg)
{
	(void)arg;
	while (!contender.go)
		sched_yield();
	vnic_cancel_lock(control);
	contender.got = true;
	vnic_cancel_unlock(control);
	return NULL;
}

static void routine_under_contention(struct vnic_adapter *adapter, struct vnic_request *r)
{
	(void)adapter;
	contender.go = true;
	usleep(20000);
	contender.got_early = contender.got;
	vnic_cancel_unlock(control);
	while (!contender.got) /* for ever, if that did not release it */
		sched_yield();
	seen.routine++;
	complete(r, VNIC_STATUS_CANCELLED);
}

static void c58_the_routine_has_the_cancel_lock(void **state)
{
	struct vnic_request *r = pending();
	pthread_t thread;

	(void)state;
	memset(&contender, 0, sizeof(contender));
	assert_int_equal(pthread_create(&thread, NULL, want_lock, NULL), 0);
	vnic_request_set_cancel_routine(r, routine_under_contention);
	assert_true(vnic_request_cancel(r));
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_false(contender.got_early);
	assert_true(contender.got);
	assert_int_equal(seen.routine, 1);
	close_request(r, VNIC_STATUS_CANCELLED);
}

static struct vnic_control *other_control;

static void routine_of_two_controls(struct vnic_adapter *adapter, struct vnic_request *r)
{
	vnic_cancel_lock(other_control); /* free: not the lock that is held */
	vnic_cancel_unlock(other_control);
	routine(adapter, r);
}

static void c58_each_control_has_its_lock(void **state)
{
	struct vnic_request *r = pending();

	(void)state;
	other_control = vnic_control_create(-1);
	assert_non_null(other_control);
	vnic_request_set_cancel_routine(r, routine_of_two_controls);
	assert_true(vnic_request_cancel(r));
	close_request(r, VNIC_STATUS_CANCELLED);
	assert_int_equal(vnic_control_destroy(other_control), 0);
}

/* ---- C59 ---- */

static void c59_cancel_sets_the_bit(void **state)
{
	struct vnic_request *r = pending();

	(void)state;
	assert_false(vnic_request_cancelled(r));
	assert_false(vnic_request_cancel(r)); /* no routine */
	assert_true(vnic_request_cancelled(r));
	assert_int_equal(vnic_request_status(r), VNIC_STATUS_PENDING);
	assert_int_equal(seen.done, 0);
	complete(r, VNIC_STATUS_SUCCESS);
	close_request(r, VNIC_STATUS_SUCCESS);

	r = pending();
	vnic_request_set_cancel_routine(r, routine);
	assert_false(vnic_request_cancelled(r));
	assert_true(vnic_request_cancel(r));
	assert_true(vnic_request_cancelled(r));
	close_request(r, VNIC_STATUS_CANCELLED);
}

static void c59_true_only_if_it_called_one(void **state)
{
	struct vnic_request *r = pending();

	(void)state;
	vnic_request_set_cancel_routine(r, routine);
	assert_true(vnic_request_cancel(r));
	for (int i = 0; i < 3; i++)
		assert_false(vnic_request_cancel(r));
	assert_int_equal(seen.routine, 1);
	close_request(r, VNIC_STATUS_CANCELLED);
}

static void c59_threads_one_cancel_calls(void **state)
{
	(void)state;
	race(4, (work *[]){cancel, cancel, cancel, cancel}, begin_with_routine, end_cancelled);
}

/* ---- C60 ---- */

static void set_then_check(void)
{
	vnic_request_set_cancel_routine(request, routine);
	if (vnic_request_cancelled(request) &&
	    vnic_request_set_cancel_routine(request, NULL) != NULL)
		complete(request, VNIC_STATUS_CANCELLED);
}

/* A cancel at each of the steps, by hand. */
static void c60_a_cancel_at_each_step(void **state)
{
	(void)state;
	for (int at = 0; at < 4; at++) {
		bool called = false, bit;

		request = pending();
		if (at == 0)
			called = vnic_request_cancel(request);
		vnic_request_set_cancel_routine(request, routine);
		if (at == 1)
			called = vnic_request_cancel(request);
		bit = vnic_request_cancelled(request);
		assert_int_equal(bit, at <= 1);
		if (at == 2)
			called = vnic_request_cancel(request);
		if (bit && vnic_request_set_cancel_routine(request, NULL) != NULL)
			complete(request, VNIC_STATUS_CANCELLED);
		if (at == 3)
			called = vnic_request_cancel(request);
		assert_int_equal(called, at != 0);
		assert_int_equal(seen.owners, 1);
		close_request(request, VNIC_STATUS_CANCELLED);
	}
}

static void c60_threads_never_lose_a_cancel(void **state)
{
	(void)state;
	race(2, (work *[]){cancel, set_then_check}, begin_pending, end_cancelled);
}

/* ---- C61 ---- */

static void c61_completes_once_cancelled(void **state)
{
	struct vnic_request *r = pending();

	(void)state;
	vnic_request_set_cancel_routine(r, routine);
	assert_true(vnic_request_cancel(r));
	assert_int_equal(seen.owners, 1); /* note_done() has looked at routine and locks */
	assert_null(vnic_request_set_cancel_routine(r, NULL));
	close_request(r, VNIC_STATUS_CANCELLED);
}

static void c61_no_completion_with_a_routine_set(void **state)
{
	struct vnic_request *r = pending();

	(void)state;
	vnic_request_set_cancel_routine(r, routine);
	assert_int_equal(vnic_request_complete(r, VNIC_STATUS_SUCCESS), -EBUSY);
	assert_int_equal(vnic_request_status(r), VNIC_STATUS_PENDING);
	assert_int_equal(seen.done, 0);
	assert_true(vnic_request_cancel(r));
	close_request(r, VNIC_STATUS_CANCELLED);
}

static void c61_unless_the_completion_was_first(void **state)
{
	struct vnic_request *r = pending();

	(void)state;
	complete(r, VNIC_STATUS_SUCCESS);
	assert_false(vnic_request_cancel(r));
	assert_true(vnic_request_cancelled(r));
	close_request(r, VNIC_STATUS_SUCCESS);
}

/* Who sees the status has what was written before it, and may reuse the request as soon as the
 * completion has let go of it. */
static uint32_t written;

static void complete_with_result(void)
{
	written++;
	complete(request, VNIC_STATUS_SUCCESS);
}

static void wait_and_reuse(void)
{
	while (vnic_request_status(request) == VNIC_STATUS_PENDING)
		sched_yield();
	seen.wrong += written != 1;
	while (vnic_request_reuse(request) != 0)
		sched_yield();
	seen.wrong += seen.done != 1;
}

static void begin_without_result(void)
{
	begin_pending();
	written = 0;
}

static void c61_threads_wait_and_reuse(void **state)
{
	(void)state;
	race(2, (work *[]){complete_with_result, wait_and_reuse}, begin_without_result, end_once);
}

/* ---- C63 ---- */

#define QUEUED 8

static struct {
	struct vnic_request_queue *q;
	struct vnic_request *r[QUEUED];
	_Atomic uint32_t done[QUEUED];
	_Atomic bool cancelled[QUEUED]; /* the cancel has returned */
	_Atomic bool inserted;          /* all of them */
	unsigned int seed;
} line;

static uint32_t index_of(const struct vnic_request *r)
{
	uint32_t i = 0;

	while (line.r[i] != r)
		i++;
	return i;
}

static void note_done_in_line(struct vnic_request *r, void *context)
{
	note_done(r, context);
	/* the queue's lock is not held either */
	seen.wrong += vnic_request_queue_remove(line.q, r);
	line.done[index_of(r)]++;
}

static void begin_line(void)
{
	for (uint32_t i = 0; i < QUEUED; i++) {
		line.r[i] = pending();
		vnic_request_on_done(line.r[i], note_done_in_line, NULL);
		line.done[i] = 0;
		line.cancelled[i] = false;
	}
	line.inserted = false;
}

static void insert_line(void)
{
	for (uint32_t i = 0; i < QUEUED; i++) {
		bool before = line.cancelled[i];
		int rc = vnic_request_queue_insert(line.q, line.r[i]);

		seen.wrong += rc != 0 && rc != -ECANCELED;
		seen.wrong += before && rc != -ECANCELED;
	}
	line.inserted = true;
}

static void cancel_line(void)
{
	for (uint32_t i = 0; i < QUEUED; i++) {
		uint32_t which = (uint32_t)rand_r(&line.seed) % QUEUED;

		vnic_request_cancel(line.r[which]);
		line.cancelled[which] = true;
	}
}

/* Until all were inserted and none is left. */
static void remove_line(void)
{
	struct vnic_request *r;
	bool before[QUEUED], all;

	do {
		all = line.inserted;
		for (uint32_t i = 0; i < QUEUED; i++)
			before[i] = line.cancelled[i];
		r = vnic_request_queue_remove_next(line.q, NULL, NULL);
		if (r != NULL) {
			seen.wrong += before[index_of(r)];
			complete(r, VNIC_STATUS_SUCCESS);
		} else if (!all) {
			sched_yield();
		}
	} while (r != NULL || !all);
}

static void end_line(void)
{
	assert_int_equal(seen.wrong, 0);
	assert_int_equal(seen.twice, 0);
	assert_null(vnic_request_queue_remove_next(line.q, NULL, NULL));
	for (uint32_t i = 0; i < QUEUED; i++) {
		uint32_t status = vnic_request_status(line.r[i]);

		assert_int_equal(line.done[i], 1);
		assert_true(status == VNIC_STATUS_CANCELLED || status == VNIC_STATUS_SUCCESS);
		assert_true(status == VNIC_STATUS_SUCCESS || line.cancelled[i]);
		vnic_request_release(line.r[i]);
	}
}

static void open_line(void)
{
	line.seed = 1;
	line.q = vnic_request_queue_create();
	assert_non_null(line.q);
}

static void close_line(void)
{
	assert_int_equal(vnic_request_queue_destroy(line.q), 0);
}

static void c63_cancelled_before_insert(void **state)
{
	(void)state;
	open_line();
	begin_line();
	for (uint32_t i = 0; i < QUEUED; i += 2) {
		assert_false(vnic_request_cancel(line.r[i]));
		line.cancelled[i] = true;
	}
	for (uint32_t i = 0; i < QUEUED; i++) {
		assert_int_equal(vnic_request_queue_insert(line.q, line.r[i]),
				 i % 2 == 0 ? -ECANCELED : 0);
		assert_int_equal(line.done[i], i % 2 == 0);
		assert_int_equal(vnic_request_status(line.r[i]),
				 i % 2 == 0 ? VNIC_STATUS_CANCELLED : VNIC_STATUS_PENDING);
	}
	line.inserted = true;
	for (uint32_t i = 1; i < QUEUED; i += 2) {
		assert_ptr_equal(vnic_request_queue_remove_next(line.q, NULL, NULL), line.r[i]);
		complete(line.r[i], VNIC_STATUS_SUCCESS);
	}
	end_line();
	close_line();
}

static void c63_cancelled_while_queued(void **state)
{
	static const uint32_t order[] = {3, 0, 7, 4}; /* middle, first, last */

	(void)state;
	open_line();
	begin_line();
	insert_line();
	for (uint32_t i = 0; i < 4; i++) {
		assert_true(vnic_request_cancel(line.r[order[i]]));
		line.cancelled[order[i]] = true;
		assert_int_equal(line.done[order[i]], 1);
		assert_int_equal(seen.status, VNIC_STATUS_CANCELLED);
		assert_false(vnic_request_queue_remove(line.q, line.r[order[i]]));
	}
	assert_int_equal(vnic_request_queue_destroy(line.q), -EBUSY);
	remove_line();
	assert_int_equal(seen.owners, 4);
	end_line();
	close_line();
}

static void c63_threads_insert_cancel_remove(void **state)
{
	(void)state;
	open_line();
	race(3, (work *[]){insert_line, cancel_line, remove_line}, begin_line, end_line);
	close_line();
}

static void c63_threads_two_removers(void **state)
{
	(void)state;
	open_line();
	race(4, (work *[]){insert_line, remove_line, cancel_line, remove_line}, begin_line,
	     end_line);
	close_line();
}

/* ---- C64, C65 ---- */

static void c64_not_cancelled_the_routine_is_set(void **state)
{
	struct vnic_request *r = pending();

	(void)state;
	assert_int_equal(vnic_request_set_minirdr_cancel_routine(r, minirdr), 0);
	assert_true(vnic_request_cancel(r)); /* it was the argument: it is called */
	assert_int_equal(seen.minirdr, 1);
	close_request(r, VNIC_STATUS_CANCELLED);
}

static void c64_null_takes_it_out(void **state)
{
	struct vnic_request *r = pending();

	(void)state;
	assert_int_equal(vnic_request_set_minirdr_cancel_routine(r, minirdr), 0);
	assert_int_equal(vnic_request_set_minirdr_cancel_routine(r, NULL), 0);
	assert_false(vnic_request_cancel(r));
	assert_int_equal(seen.minirdr, 0);
	complete(r, VNIC_STATUS_SUCCESS);
	close_request(r, VNIC_STATUS_SUCCESS);
}

static void c65_flagged_it_is_refused(void **state)
{
	struct vnic_request *r = pending();

	(void)state;
	assert_false(vnic_request_cancel(r));
	assert_int_equal(vnic_request_set_minirdr_cancel_routine(r, minirdr),
			 VNIC_STATUS_CANCELLED);
	assert_int_equal(seen.minirdr, 0);
	for (int i = 0; i < 3; i++) /* nor by a later cancel */
		assert_false(vnic_request_cancel(r));
	assert_int_equal(seen.minirdr, 0);
	complete(r, VNIC_STATUS_CANCELLED);
	close_request(r, VNIC_STATUS_CANCELLED);
}

static void c65_nor_after_its_completion(void **state)
{
	struct vnic_request *r = pending();

	(void)state;
	vnic_request_on_done(r, count_done, NULL); /* it leaves the routine alone */
	assert_int_equal(vnic_request_set_minirdr_cancel_routine(r, minirdr), 0);
	complete(r, VNIC_STATUS_SUCCESS);
	assert_false(vnic_request_cancel(r));
	assert_int_equal(seen.minirdr, 0);
	close_request(r, VNIC_STATUS_SUCCESS);
}

/* ---- C66 ---- */

static _Atomic uint32_t set_status;

static void set_minirdr(void)
{
	set_status = vnic_request_set_minirdr_cancel_routine(request, minirdr);
	if (set_status == VNIC_STATUS_CANCELLED)
		complete(request, VNIC_STATUS_CANCELLED);
}

static void end_set_minirdr(void)
{
	assert_int_equal(seen.minirdr, set_status == VNIC_STATUS_SUCCESS);
	end_cancelled();
}

static void c66_threads_set_and_cancel(void **state)
{
	(void)state;
	race(2, (work *[]){set_minirdr, cancel}, begin_pending, end_set_minirdr);
}

static void c66_threads_set_and_two_cancels(void **state)
{
	(void)state;
	race(3, (work *[]){set_minirdr, cancel, cancel}, begin_pending, end_set_minirdr);
}

/* A driver that completes while it is cancelled: one of the two completions counts. */
static void complete_success(void)
{
	complete(request, VNIC_STATUS_SUCCESS);
}

static void begin_with_minirdr(void)
{
	begin_pending();
	vnic_request_on_done(request, count_done, NULL);
	assert_int_equal(vnic_request_set_minirdr_cancel_routine(request, minirdr), 0);
}

static void end_completed(void)
{
	assert_int_equal(seen.owners, 1);
	assert_int_equal(seen.called, seen.minirdr);
	assert_true(seen.minirdr == 1 || seen.status == VNIC_STATUS_SUCCESS);
	close_request(request, seen.status);
}

static void c66_threads_complete_and_cancel(void **state)
{
	(void)state;
	race(3, (work *[]){complete_success, cancel, cancel}, begin_with_minirdr, end_completed);
}

/* The last reference but the cancel's goes while the routine runs. */
static void minirdr_releases(struct vnic_request *r)
{
	minirdr(r);
	vnic_request_release(r);
	seen.wrong += vnic_request_status(r) != VNIC_STATUS_CANCELLED;
}

static void c66_the_request_is_referenced(void **state)
{
	struct vnic_request *r = pending();

	(void)state;
	vnic_request_set_minirdr_cancel_routine(r, minirdr_releases);
	assert_true(vnic_request_cancel(r));
	assert_int_equal(seen.minirdr, 1);
	assert_int_equal(seen.done, 1);
	assert_int_equal(seen.wrong, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(c55_set_returns_what_was_set),
		cmocka_unit_test(c56_set_returns_null_once_cancelled),
		cmocka_unit_test(c56_threads_dequeuer_or_routine),
		cmocka_unit_test(c57_threads_neither_lose_nor_duplicate),
		cmocka_unit_test(c58_the_routine_has_the_cancel_lock),
		cmocka_unit_test(c58_each_control_has_its_lock),
		cmocka_unit_test(c59_cancel_sets_the_bit),
		cmocka_unit_test(c59_true_only_if_it_called_one),
		cmocka_unit_test(c59_threads_one_cancel_calls),
		cmocka_unit_test(c60_a_cancel_at_each_step),
		cmocka_unit_test(c60_threads_never_lose_a_cancel),
		cmocka_unit_test(c61_completes_once_cancelled),
		cmocka_unit_test(c61_no_completion_with_a_routine_set),
		cmocka_unit_test(c61_unless_the_completion_was_first),
		cmocka_unit_test(c61_threads_wait_and_reuse),
		cmocka_unit_test(c63_cancelled_before_insert),
		cmocka_unit_test(c63_cancelled_while_queued),
		cmocka_unit_test(c63_threads_insert_cancel_remove),
		cmocka_unit_test(c63_threads_two_removers),
		cmocka_unit_test(c64_not_cancelled_the_routine_is_set),
		cmocka_unit_test(c64_null_takes_it_out),
		cmocka_unit_test(c65_flagged_it_is_refused),
		cmocka_unit_test(c65_nor_after_its_completion),
		cmocka_unit_test(c66_threads_set_and_cancel),
		cmocka_unit_test(c66_threads_set_and_two_cancels),
		cmocka_unit_test(c66_threads_complete_and_cancel),
		cmocka_unit_test(c66_the_request_is_referenced),
	};

	/* a check that fails would leave threads behind */
	setenv("CMOCKA_TEST_ABORT", "1", 0);
	return cmocka_run_group_tests_name("conformance request", tests, setup, teardown);
}
