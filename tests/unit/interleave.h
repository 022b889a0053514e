/* SPDX-License-Identifier: BSD-3-Clause
 * interleave.h - up to three sides of a scene, interleaved at every atomic access and lock
 *
 * To be included before the source under test, and that into the test's own. The sides are
 * coroutines. Each atomic access in what follows, each taking and each leaving of a spin lock
 * is a point where another side may go on; a side that meets a taken lock hands over until
 * it is free. Every schedule with up to two switches is run, then random ones with more.
 * What a reordering machine adds is not seen here; the order in the source is.
 */
#ifndef INTERLEAVE_H
#define INTERLEAVE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <ucontext.h>

#include <cmocka.h>

#include <rte_spinlock.h>

#ifndef __has_feature
#define __has_feature(x) 0
#endif
#if defined(__SANITIZE_THREAD__) || __has_feature(thread_sanitizer)
#define SKIP "the thread sanitizer cannot follow coroutines"
#endif

#define SIDES 3
#define SWITCHES_MAX 12u
#define NB_RANDOM 5000
#define STACK_BYTES 65536
#define WAITS_MAX 1000

struct plan {
	int first;
	uint32_t nb;
	uint32_t when[SWITCHES_MAX]; /* after how many accesses ... */
	uint32_t to[SWITCHES_MAX];   /* ... to the next side or the one after */
};

struct scene {
	const char *name;
	void (*begin)(void);
	void (*side[SIDES])(void);
	void (*end)(void); /* when all sides have ended */
};

static struct {
	const struct scene *scene;
	struct plan plan;
	ucontext_t main;
	ucontext_t side[SIDES];
	bool done[SIDES];
	uint32_t held[SIDES]; /* locks that the side has */
	int current;          /* -1: no schedule is run */
	uint32_t steps;
	uint32_t switches;
	uint32_t waits;
	const char *wrong;
} run = {.current = -1};

static void check(bool right, const char *what)
{
	if (!right && run.wrong == NULL)
		run.wrong = what;
}

static void switch_to(int next)
{
	int from = run.current;

	run.current = next;
	swapcontext(&run.side[from], &run.side[next]);
}

/* The k-th side after this one, or the other if that has ended; -1: both have. */
static int other_side(uint32_t k)
{
	for (uint32_t tries = 0; tries < 2; tries++) {
		int next = (int)(((uint32_t)run.current + 1 + (k + tries) % 2) % SIDES);

		if (!run.done[next])
			return next;
	}
	return -1;
}

static void step(void)
{
	int next;

	if (run.current < 0 || run.switches == run.plan.nb ||
	    run.steps++ < run.plan.when[run.switches])
		return;
	next = other_side(run.plan.to[run.switches++]);
	if (next >= 0)
		switch_to(next);
}

/* ---- locks ---- */

static void coop_lock(rte_spinlock_t *lock)
{
	step();
	while (lock->locked != 0) {
		int next = run.current < 0 ? -1 : other_side(0);

		if (next < 0 || ++run.waits > WAITS_MAX) {
			check(false, "a lock is never left");
			run.current = -1;
			setcontext(&run.main);
		}
		switch_to(next);
	}
	lock->locked = 1;
	if (run.current >= 0)
		run.held[run.current]++;
}

static void coop_unlock(rte_spinlock_t *lock)
{
	step();
	check(lock->locked == 1, "a lock was left that was not taken");
	lock->locked = 0;
	if (run.current >= 0)
		run.held[run.current]--;
	step();
}

static uint32_t locks_held(void)
{
	return run.current < 0 ? 0 : run.held[run.current];
}

/* ---- schedules ---- */

/* A side that has ended hands over to the next one that has not. */
static void side_main(int side)
{
	int next;

	run.scene->side[side]();
	check(run.held[side] == 0, "a lock was kept");
	run.done[side] = true;
	next = other_side(0);
	run.current = next;
	setcontext(next < 0 ? &run.main : &run.side[next]);
}

static void make_side(int side)
{
	static _Alignas(16) char stacks[SIDES][STACK_BYTES];
	ucontext_t *u = &run.side[side];

	run.held[side] = 0;
	run.done[side] = run.scene->side[side] == NULL;
	getcontext(u);
	u->uc_stack.ss_sp = stacks[side];
	u->uc_stack.ss_size = STACK_BYTES;
	u->uc_link = NULL;
	makecontext(u, (void (*)(void))side_main, 1, side);
}

static void play(struct plan plan)
{
	run.plan = plan;
	run.wrong = NULL;
	run.scene->begin();
	run.steps = run.switches = run.waits = 0;
	for (int i = 0; i < SIDES; i++)
		make_side(i);
	run.current = plan.first;
	swapcontext(&run.main, &run.side[plan.first]);
	if (run.wrong == NULL)
		run.scene->end();
	if (run.wrong == NULL)
		return;
	print_error("%s; first side %d, switches:", run.wrong, plan.first);
	for (uint32_t i = 0; i < plan.nb; i++)
		print_error(" %u->%u", plan.when[i], plan.to[i]);
	print_error("\n");
	fail();
}

static void play_all(int first, uint32_t to, uint32_t to2)
{
	uint32_t steps = UINT32_MAX, steps2;

	/* steps are counted up to the last switch planned: plan one too many */
	for (uint32_t at = 0; at < steps; at++) {
		play((struct plan){.first = first, .nb = 2, .when = {at, UINT32_MAX}, .to = {to}});
		steps = steps2 = run.steps;
		for (uint32_t at2 = at + 1; at2 < steps2; at2++)
			play((struct plan){.first = first, .nb = 3, .when = {at, at2, UINT32_MAX},
					   .to = {to, to2}});
	}
}

static void play_random(uint32_t nb_sides)
{
	unsigned int seed = 1;

	for (int i = 0; i < NB_RANDOM; i++) {
		struct plan plan = {.first = (int)((uint32_t)rand_r(&seed) % nb_sides),
				    .nb = SWITCHES_MAX};
		uint32_t at = 0;

		for (uint32_t k = 0; k < SWITCHES_MAX; k++) {
			at += (uint32_t)rand_r(&seed) % 10;
			plan.when[k] = at;
			plan.to[k] = (uint32_t)rand_r(&seed) % 2;
		}
		play(plan);
	}
}

/* A cmocka test whose state is a scene. */
static void every_schedule_is_right(void **state)
{
	int nb_sides;

	run.scene = *state;
	nb_sides = run.scene->side[2] == NULL ? 2 : 3;
	for (int first = 0; first < nb_sides; first++)
		for (uint32_t to = 0; to < 4; to++)
			play_all(first, to & 1, to >> 1);
	play_random((uint32_t)nb_sides);
}

/* ---- from here on the source under test is instrumented ---- */

#undef atomic_load_explicit
#undef atomic_store_explicit
#undef atomic_exchange_explicit
#undef atomic_fetch_add_explicit
#undef atomic_fetch_sub_explicit
#undef atomic_compare_exchange_strong_explicit
#ifdef __clang__
#define atomic_load_explicit(p, o) (step(), __c11_atomic_load(p, o))
#define atomic_store_explicit(p, v, o) (step(), __c11_atomic_store(p, v, o))
#define atomic_exchange_explicit(p, v, o) (step(), __c11_atomic_exchange(p, v, o))
#define atomic_fetch_add_explicit(p, v, o) (step(), __c11_atomic_fetch_add(p, v, o))
#define atomic_fetch_sub_explicit(p, v, o) (step(), __c11_atomic_fetch_sub(p, v, o))
#define atomic_compare_exchange_strong_explicit(p, e, v, s, f)                                     \
	(step(), __c11_atomic_compare_exchange_strong(p, e, v, s, f))
#else
#define atomic_load_explicit(p, o) (step(), __atomic_load_n(p, o))
#define atomic_store_explicit(p, v, o) (step(), __atomic_store_n(p, v, o))
#define atomic_exchange_explicit(p, v, o) (step(), __atomic_exchange_n(p, v, o))
#define atomic_fetch_add_explicit(p, v, o) (step(), __atomic_fetch_add(p, v, o))
#define atomic_fetch_sub_explicit(p, v, o) (step(), __atomic_fetch_sub(p, v, o))
#define atomic_compare_exchange_strong_explicit(p, e, v, s, f)                                     \
	(step(), __atomic_compare_exchange_n(p, e, v, false, s, f))
#endif
#define rte_spinlock_lock coop_lock
#define rte_spinlock_unlock coop_unlock

#endif
