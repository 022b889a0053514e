/* SPDX-License-Identifier: BSD-3-Clause
 * request_interleave_test.c - requests: who uses one, interleaved (see interleave.h)
 *
 * request.c is compiled into this file, with memory of the test's own. That the pairs named
 * SC are sequentially consistent stands in the source; here its order is held.
 */
#include "interleave.h"

#include <pthread.h>
#include <string.h>
#include <unistd.h>

static void *test_take(size_t n, size_t size);
static void test_give(void *mem);

#define pthread_self() ((pthread_t)(run.current + 2)) /* a side is a thread */
#define calloc test_take
#define free test_give

#include "request.c"

#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))
#define GONE 0xee /* what a freed object is filled with */
#define OBJECTS 3

static struct world {
	struct vnic_request *r[2];
	struct vnic_request_queue *q;
	uint32_t completed[2]; /* calls of done */
	uint32_t status[2];    /* that done saw */
	uint32_t owners;       /* who got a request to complete it */
	uint32_t routine_calls;
	uint32_t minirdr_calls;
	uint32_t called;       /* cancels that said they called a routine */
	uint32_t cancels_over;
	uint32_t reuses;
	bool second_over;      /* its second life */
} world;

static struct vnic_control control;

/* ---- memory: what is freed stays, filled, to the end of the schedule ---- */

static _Alignas(16) unsigned char object[OBJECTS][sizeof(struct vnic_request)];
static uint32_t nb_objects;
static bool gone[OBJECTS];

static void *test_take(size_t n, size_t size)
{
	void *mem = object[nb_objects];

	(void)n;
	assert_true(nb_objects < OBJECTS && size <= sizeof(object[0]));
	gone[nb_objects++] = false;
	return memset(mem, 0, sizeof(object[0]));
}

static void test_give(void *mem)
{
	size_t i = (size_t)((unsigned char *)mem - object[0]) / sizeof(object[0]);

	check(!gone[i], "freed twice");
	gone[i] = true;
	memset(mem, GONE, sizeof(object[0]));
}

static void check_memory(void)
{
	for (uint32_t i = 0; i < nb_objects; i++) {
		check(gone[i], "never freed");
		for (size_t k = 0; gone[i] && k < sizeof(object[0]); k++)
			check(object[i][k] == GONE, "written to after its end");
	}
}

/* ---- what the sides do ---- */

static uint32_t index_of(const struct vnic_request *r)
{
	return r == world.r[0] ? 0 : 1;
}

static void note_done(struct vnic_request *r, void *context)
{
	uint32_t i = index_of(r);

	(void)context;
	check(locks_held() == 0, "completed under a lock");
	check(atomic_load(&r->routine) == NULL, "completed with a routine set");
	check(world.completed[i]++ == 0, "completed twice");
	world.status[i] = vnic_request_status(r);
	check(world.status[i] != VNIC_STATUS_PENDING, "told before it was complete");
}

static void begin(void)
{
	memset(&world, 0, sizeof(world));
	memset(&control, 0, sizeof(control));
	nb_objects = 0;
}

static struct vnic_request *open_request(vnic_request_done *done)
{
	struct vnic_request *r = vnic_request_create(&control);

	vnic_request_on_done(r, done, NULL);
	check(vnic_request_mark_pending(r) == 0, "not fresh");
	return r;
}

static void begin_pending(void)
{
	begin();
	world.r[0] = open_request(note_done);
}

/* By the one who has it: its completion must be the first. */
static void own_and_complete(struct vnic_request *r, uint32_t status)
{
	world.owners++;
	check(vnic_request_complete(r, status) == 0, "the owner could not complete");
}

/* The Cancel routine: it owns the request. */
static void routine(struct vnic_adapter *adapter, struct vnic_request *r)
{
	(void)adapter;
	check(locks_held() == 1 && control.cancel_lock.locked == 1,
	      "called without the cancel lock");
	world.routine_calls++;
	vnic_cancel_unlock(&control);
	own_and_complete(r, VNIC_STATUS_CANCELLED);
}

static void routine_only(struct vnic_adapter *adapter, struct vnic_request *r)
{
	(void)adapter;
	(void)r;
	world.routine_calls++;
	vnic_cancel_unlock(&control);
}

static void minirdr(struct vnic_request *r)
{
	check(locks_held() == 0, "called under a lock");
	world.minirdr_calls++;
	own_and_complete(r, VNIC_STATUS_CANCELLED);
}

/* A routine whose driver completes as well: who is first is not settled by it. */
static void minirdr_may_be_late(struct vnic_request *r)
{
	check(locks_held() == 0, "called under a lock");
	world.minirdr_calls++;
	world.owners += vnic_request_complete(r, VNIC_STATUS_CANCELLED) == 0;
}

static void cancel_first(void)
{
	world.called += vnic_request_cancel(world.r[0]);
	check(vnic_request_cancelled(world.r[0]), "the bit is not set");
	world.cancels_over++;
}

/* ---- what is true in the end ---- */

static void close_first(void)
{
	check(vnic_request_reuse(world.r[0]) == 0, "a reference is left");
	vnic_request_release(world.r[0]);
	check_memory();
}

static void end_once(void)
{
	check(world.completed[0] == 1, "not completed once");
	check(world.owners == 1, "not one owner");
	check(world.called == world.routine_calls + world.minirdr_calls,
	      "a cancel does not know what it called");
	check(world.called <= 1, "called twice");
	check(vnic_request_status(world.r[0]) == world.status[0], "the status changed");
	close_first();
}

static void end_cancelled(void)
{
	check(world.status[0] == VNIC_STATUS_CANCELLED, "a cancel was lost");
	end_once();
}

/* ---- the exchange form ---- */

/* Set, then check the bit: if the routine is still there, it is to be done here. */
static void set_and_check(void)
{
	struct vnic_request *r = world.r[0];

	check(vnic_request_set_cancel_routine(r, routine) == NULL, "a routine from nowhere");
	if (vnic_request_cancelled(r) && vnic_request_set_cancel_routine(r, NULL) == routine)
		own_and_complete(r, VNIC_STATUS_CANCELLED);
}

static void begin_with_routine(void)
{
	begin_pending();
	vnic_request_set_cancel_routine(world.r[0], routine);
}

static void take_out(void)
{
	if (vnic_request_set_cancel_routine(world.r[0], NULL) != NULL)
		own_and_complete(world.r[0], VNIC_STATUS_SUCCESS);
}

static void end_taken_out(void)
{
	check((world.status[0] == VNIC_STATUS_CANCELLED) == (world.routine_calls == 1),
	      "the wrong one completed");
	end_once();
}

static void begin_with_both(void)
{
	begin_pending();
	vnic_request_set_cancel_routine(world.r[0], routine_only);
	vnic_request_set_minirdr_cancel_routine(world.r[0], minirdr);
}

static void end_both_called(void)
{
	check(world.routine_calls == 1, "the routine was not called once");
	check(world.minirdr_calls == 1, "the minirdr routine was not called once");
	check(world.called == 1 || world.called == 2, "a cancel does not know what it called");
	check(world.completed[0] == 1, "not completed once");
	check(world.status[0] == VNIC_STATUS_CANCELLED, "a cancel was lost");
	close_first();
}

/* ---- the queue ---- */

static void begin_empty(void)
{
	begin_pending();
	world.q = vnic_request_queue_create();
}

static void begin_queued(void)
{
	begin_empty();
	world.r[1] = open_request(note_done);
	for (int i = 0; i < 2; i++)
		check(vnic_request_queue_insert(world.q, world.r[i]) == 0, "not inserted");
}

static void insert(void)
{
	bool before = world.cancels_over != 0;
	int result = vnic_request_queue_insert(world.q, world.r[0]);

	check(result == 0 || result == -ECANCELED, "not inserted");
	check(!before || result == -ECANCELED, "inserted though it was cancelled before");
	check(result == 0 || world.completed[0] == 1, "refused, not completed");
}

static void remove_all(void)
{
	struct vnic_request *r;
	bool before = vnic_request_cancelled(world.r[0]);

	while ((r = vnic_request_queue_remove_next(world.q, NULL, NULL)) != NULL) {
		check(r == world.r[1] || !before, "a cancelled one was given out");
		own_and_complete(r, VNIC_STATUS_SUCCESS);
	}
}

static void remove_this(void)
{
	if (vnic_request_queue_remove(world.q, world.r[0]))
		own_and_complete(world.r[0], VNIC_STATUS_SUCCESS);
}

static void end_empty(void)
{
	check(world.completed[0] == 1, "not completed once");
	check(vnic_request_queue_remove_next(world.q, NULL, NULL) == NULL, "one is left");
	check(vnic_request_queue_destroy(world.q) == 0, "one is left in it");
	close_first();
}

static void end_inserted(void)
{
	check(world.status[0] == VNIC_STATUS_CANCELLED, "a cancel was lost");
	end_empty();
}

static void end_both_removed(void)
{
	check(world.completed[1] == 1, "its neighbour was not completed once");
	check(world.status[1] == VNIC_STATUS_SUCCESS, "its neighbour was cancelled");
	check(world.status[0] == VNIC_STATUS_CANCELLED || world.called == 0, "wrongly completed");
	vnic_request_release(world.r[1]);
	end_empty();
}

/* Out and in again: between the two a cancel finds no routine. */
static void begin_one_queued(void)
{
	begin_empty();
	check(vnic_request_queue_insert(world.q, world.r[0]) == 0, "not inserted");
}

static void insert_again(void)
{
	struct vnic_request *r = vnic_request_queue_remove_next(world.q, NULL, NULL);

	if (r != NULL)
		vnic_request_queue_insert(world.q, r);
}

/* ---- the locked form ---- */

static void set_minirdr(void)
{
	if (vnic_request_set_minirdr_cancel_routine(world.r[0], minirdr) == VNIC_STATUS_SUCCESS)
		return; /* the cancel finds it */
	check(vnic_request_cancelled(world.r[0]), "flagged, not cancelled");
	own_and_complete(world.r[0], VNIC_STATUS_CANCELLED);
}

static void begin_with_minirdr(void)
{
	begin_pending();
	vnic_request_set_minirdr_cancel_routine(world.r[0], minirdr_may_be_late);
}

static void complete(void)
{
	world.owners += vnic_request_complete(world.r[0], VNIC_STATUS_SUCCESS) == 0;
}

static void complete_and_cancel(void)
{
	bool over, called;

	complete();
	over = vnic_request_status(world.r[0]) != VNIC_STATUS_PENDING;
	called = vnic_request_cancel(world.r[0]);
	check(!over || !called, "a routine was called after the completion");
	world.called += called;
}

/* ---- release and reuse ---- */

static void release_in_done(struct vnic_request *r, void *context)
{
	note_done(r, context);
	vnic_request_release(r);
}

static void begin_released_in_done(void)
{
	begin();
	world.r[0] = open_request(release_in_done);
	vnic__request_hold(world.r[0]); /* lent to the canceller ... */
	vnic__request_hold(world.r[0]); /* ... and to the driver, whom its routine may forestall */
	vnic_request_set_cancel_routine(world.r[0], routine);
}

static void cancel_lent(void)
{
	world.called += vnic_request_cancel(world.r[0]);
	vnic__request_drop(world.r[0]);
}

static void begin_lent(void)
{
	begin_with_routine();
	vnic__request_hold(world.r[0]); /* to the driver */
}

static void take_out_lent(void)
{
	take_out();
	vnic__request_drop(world.r[0]);
}

static void cancel_and_release(void)
{
	world.called += vnic_request_cancel(world.r[0]);
	vnic_request_release(world.r[0]);
}

static void release(void)
{
	vnic_request_release(world.r[0]);
}

static void end_gone(void)
{
	check(world.completed[0] == 1, "not completed once");
	check(world.owners == 1, "not one owner");
	check_memory();
}

/* A routine that drops the creator's reference: the cancel's keeps the request. */
static void minirdr_releases(struct vnic_request *r)
{
	minirdr_may_be_late(r);
	vnic_request_release(r);
	check(!gone[0], "freed under its cancel");
}

static void begin_released_in_minirdr(void)
{
	begin_pending();
	vnic__request_hold(world.r[0]); /* lent to the driver, whom the routine may forestall */
	vnic_request_set_minirdr_cancel_routine(world.r[0], minirdr_releases);
}

static void complete_lent(void)
{
	complete();
	vnic__request_drop(world.r[0]);
}

static void cancel_or_release(void)
{
	if (!vnic_request_cancel(world.r[0]))
		vnic_request_release(world.r[0]);
}

/* A poller that issues the request again as soon as it may. */
static void reuse_when_complete(void)
{
	struct vnic_request *r = world.r[0];

	for (int tries = 0; tries < 3 && world.reuses == 0; tries++) {
		if (vnic_request_status(r) == VNIC_STATUS_PENDING || vnic_request_reuse(r) != 0)
			continue;
		world.reuses++;
		check(world.completed[0] == 1, "reused before it was told");
		check(vnic_request_status(r) == VNIC_STATUS_SUCCESS, "not fresh");
		vnic_request_on_done(r, note_done, NULL);
		check(vnic_request_mark_pending(r) == 0, "not fresh");
	}
}

static void complete_failure(void)
{
	check(vnic_request_complete(world.r[0], VNIC_STATUS_FAILURE) == 0, "not pending");
}

static void end_reused(void)
{
	check(world.completed[0] == 1, "not completed once");
	if (world.reuses != 0) {
		check(vnic_request_status(world.r[0]) == VNIC_STATUS_PENDING,
		      "the old life's completion was the new one's");
		world.completed[0] = 0;
		complete_failure();
	}
	close_first();
}

/* Issued again in done: the new life may be completed before the old one's completion has
 * returned. */
static void reuse_in_done(struct vnic_request *r, void *context)
{
	bool over = world.cancels_over != 0;

	note_done(r, context);
	if (vnic_request_reuse(r) != 0)
		return; /* a cancel is under way */
	check(!over || !vnic_request_cancelled(r), "an old cancel cancels the new life");
	world.completed[0] = 0;
	vnic_request_on_done(r, note_done, NULL);
	check(vnic_request_mark_pending(r) == 0, "not fresh");
	world.reuses++;
}

static void begin_reused_in_done(void)
{
	begin();
	world.r[0] = open_request(reuse_in_done);
}

static void complete_second(void)
{
	for (int tries = 0; tries < 3 && world.reuses == 0; tries++)
		step();
	if (world.reuses != 0) {
		complete_failure();
		world.second_over = true;
	}
}

static void end_second(void)
{
	if (world.reuses != 0 && !world.second_over)
		complete_failure();
	check(world.completed[0] == 1, "not completed once");
	close_first();
}

static void cancel_either(void)
{
	check(!vnic_request_cancel(world.r[0]), "called what was not set");
	world.cancels_over++;
}

static const struct scene scenes[] = {
	{"set a routine, cancel", begin_pending, {set_and_check, cancel_first}, end_cancelled},
	{"set a routine, cancel twice", begin_pending,
	 {set_and_check, cancel_first, cancel_first}, end_cancelled},
	{"take the routine out, cancel", begin_with_routine, {take_out, cancel_first},
	 end_taken_out},
	{"take the routine out twice, cancel", begin_with_routine,
	 {take_out, take_out, cancel_first}, end_taken_out},
	{"two cancels", begin_with_routine, {cancel_first, cancel_first}, end_cancelled},
	{"two cancels of both forms", begin_with_both, {cancel_first, cancel_first},
	 end_both_called},
	{"insert, cancel", begin_empty, {insert, cancel_first}, end_inserted},
	{"insert, two cancels", begin_empty, {insert, cancel_first, cancel_first}, end_inserted},
	{"remove the next ones, cancel", begin_queued, {remove_all, cancel_first},
	 end_both_removed},
	{"remove the next ones twice, cancel", begin_queued,
	 {remove_all, cancel_first, remove_all}, end_both_removed},
	{"remove this one, the next ones, cancel", begin_queued,
	 {remove_this, cancel_first, remove_all}, end_both_removed},
	{"remove and insert again, cancel", begin_one_queued, {insert_again, cancel_first},
	 end_inserted},
	{"set a minirdr routine, cancel", begin_pending, {set_minirdr, cancel_first},
	 end_cancelled},
	{"set a minirdr routine, cancel twice", begin_pending,
	 {set_minirdr, cancel_first, cancel_first}, end_cancelled},
	{"complete, cancel", begin_with_minirdr, {complete_and_cancel, cancel_first}, end_once},
	{"complete twice, cancel", begin_with_minirdr,
	 {complete_and_cancel, complete, cancel_first}, end_once},
	{"take out, cancel, released when done", begin_released_in_done,
	 {take_out_lent, cancel_lent}, end_gone},
	{"take out, cancel and release", begin_lent, {take_out_lent, cancel_and_release},
	 end_gone},
	{"complete, cancel, released by the routine", begin_released_in_minirdr,
	 {complete_lent, cancel_or_release}, end_gone},
	{"complete, release", begin_pending, {complete, release}, end_gone},
	{"complete, reuse", begin_pending, {complete_failure, reuse_when_complete}, end_reused},
	{"reuse when done, complete again", begin_reused_in_done,
	 {complete_failure, complete_second}, end_second},
	{"reuse when done, complete again, cancel", begin_reused_in_done,
	 {complete_failure, cancel_either, complete_second}, end_second},
};

int main(void)
{
	struct CMUnitTest tests[COUNT_OF(scenes)];

#ifdef SKIP
	puts("skipped: " SKIP);
	return 77;
#endif
	for (size_t i = 0; i < COUNT_OF(scenes); i++)
		tests[i] = (struct CMUnitTest){scenes[i].name, every_schedule_is_right, NULL, NULL,
					       (void *)(uintptr_t)&scenes[i]};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
