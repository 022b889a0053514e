/* SPDX-License-Identifier: BSD-3-Clause
 * cancel.h - cancels of one design, timed: a queue is filled, some of it taken back
 *
 * Main thread, which plays app.
 */
#ifndef BENCH_CANCEL_H
#define BENCH_CANCEL_H

#include <stdatomic.h>

#include "bench.h"
#include "stock.h"
#include "team.h"

/* Rows of raw samples of one design in one case, all rounds. */
#define CANCEL_SAMPLES_MAX 18000u

enum cancel_pattern {
	CANCEL_SINGLE,    /* one match at a random place */
	CANCEL_SCATTERED, /* evenly over the queue */
	CANCEL_RUN        /* side by side */
};

struct cancel_case {
	uint32_t depth;     /* NBLs queued, in all queues; a power of two, like the next two */
	uint32_t nb_queues;
	uint32_t matches;   /* of a cancel's id */
	enum cancel_pattern pattern;
	bool full_load;     /* it flows through the port, and is kept that deep; else it is held */
};

/* A design's samples in a case. */
struct cancel_lane {
	const struct design_ops *ops;
	struct samples ns;                 /* call to last completion seen, all rounds */
	struct samples round;              /* of this round */
	struct samples post, pickup, walk, completion; /* stages, ns, where the design tells */
	struct samples p50, p99;           /* of each round */
	uint64_t late;                     /* cancels that came too late for a match of theirs */
	double sent, busy_ns;              /* packets that flowed, and in what time */
};

/* A filled queue. */
struct cancel_fill {
	struct bench *bench;
	const struct cancel_case *c;
	struct cancel_lane *lane;
	struct stock *stock;
	struct vnic_nbl *const *order; /* of its NBLs at the begin, NULL: as they are */
	struct design *design;
	struct team team;
	_Atomic uint64_t allowed; /* at full load: app's turn << 32 | steps that data may make in it */
	uint64_t allowed_before;  /* data's copy; steps are counted down */
	uint64_t first_id;
	uint32_t targets;     /* ids that are, or places that may be, cancelled in this fill */
	uint32_t turn;
	uint64_t random;
};

/* One fill, and cancels for so many TSC ticks or until its share of the queue has been taken
 * back, but at least one; then all of it back, and counted. -1: said. */
int cancel_fill_run(struct cancel_fill *f, uint16_t port, uint64_t ticks);

const char *cancel_pattern_name(enum cancel_pattern pattern);

#endif
