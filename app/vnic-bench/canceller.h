/* SPDX-License-Identifier: BSD-3-Clause
 * canceller.h - cancels of NBLs picked at random among the newest, at a pace
 *
 * The thread that plays control steps it; app says what is newest and which phase it is. Counts
 * are read while no team runs.
 */
#ifndef BENCH_CANCELLER_H
#define BENCH_CANCELLER_H

#include <stdalign.h>
#include <stdatomic.h>

#include "stock.h"

#define CANCELLER_PHASES 8
#define CANCELLER_NONE UINT64_MAX /* an interval: no cancels */
#define CANCELLER_REMEMBERED 16384u

struct canceller_count {
	uint64_t matched;  /* took its NBL back */
	uint64_t too_late; /* it had been handed down */
};

struct canceller {
	/* constant while a team runs */
	uint32_t span;  /* one of so many newest ids, at most CANCELLER_REMEMBERED */
	bool irregular; /* at random times, at that interval on the average */
	uint64_t interval[CANCELLER_PHASES]; /* TSC ticks from cancel to cancel; 0: one after the other */

	/* (app), each on its own line: the one is written often, the other read often */
	alignas(64) _Atomic uint64_t newest; /* id that a queue has taken */
	alignas(64) _Atomic uint32_t phase;  /* which interval holds; see canceller_phase() */

	/* (control) */
	alignas(64) uint64_t due;
	uint64_t random;
	bool busy;            /* one is under way ... */
	bool counts;          /* ... that counts ... */
	uint32_t phase_begun; /* ... in this phase */
	struct canceller_count all, count[CANCELLER_PHASES]; /* those of counted phases */
	uint64_t done[CANCELLER_REMEMBERED]; /* cancelled ids, by their low bits */
};

/* Main thread, while no team runs; span, irregular and interval are the caller's to set. */
void canceller_init(struct canceller *c);

/* app */
void canceller_newest(struct canceller *c, const struct stock *s);
void canceller_phase(struct canceller *c, uint32_t phase, bool counted);

/* Any thread: the phase that holds, and whether what happens now counts. */
static inline uint32_t canceller_phase_now(const struct canceller *c, bool *counted)
{
	/* relaxed: the figures of a phase do not hang on a packet more or less at its edges */
	uint32_t word = atomic_load_explicit(&c->phase, memory_order_relaxed);

	*counted = word & 1;
	return word >> 1;
}

/* control: a cancel if one is due and none under way, then the design's own step; the work. */
uint32_t canceller_step(struct canceller *c, struct design *d);

/* Main thread, while no team runs: see the one under way to its end. -1: it has none: said. */
int canceller_finish(struct canceller *c, struct design *d, struct stock *s);

#endif
