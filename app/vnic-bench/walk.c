/* SPDX-License-Identifier: BSD-3-Clause
 * walk.c - the walk of a cancel alone: from the mark to the last match taken, over depth and
 * matches, in a ring that another lcore has just written, or sends and transmits through
 */
#include "walk.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>

#include <rte_cycles.h>
#include <rte_launch.h>
#include <rte_lcore.h>

#include "rig.h"

#define SECONDS 1.2
#define SECONDS_QUICK 0.25
#define WALKS_MAX 20000u
#define BURST 32u
#define TURN_S 20 /* a turn takes milliseconds */

enum how { ONE, LOADED, SCATTERED, RUN };

static const char *const hows[] = {"one", "full_load", "scattered", "run"};

static const struct walk_case {
	uint32_t depth, matches;
	enum how how;
	const char *key; /* of the figure, its median in ns */
} cases[] = {
	{1024, 1, ONE, "walk_p50_ns_depth_1024"},
	{1024, 1, LOADED, "walk_full_load_p50_ns_depth_1024"},
	{1024, 512, RUN, "walk_512_run_ns_depth_1024"},
	{4096, 1, ONE, "walk_p50_ns_depth_4096"},
	{4096, 1, LOADED, "walk_full_load_p50_ns_depth_4096"},
	{4096, 1024, SCATTERED, "walk_1024_scattered_ns_depth_4096"},
	{4096, 1024, RUN, "walk_1024_run_ns_depth_4096"},
	{65536, 1, ONE, "walk_p50_ns"},
	{65536, 1, LOADED, "walk_full_load_p50_ns"},
	{65536, 1024, SCATTERED, "walk_1024_scattered_ns"},
	{65536, 1024, RUN, "walk_1024_run_ns"},
	{1048576, 1, ONE, "walk_p50_ns_depth_1048576"},
	{1048576, 1, LOADED, "walk_full_load_p50_ns_depth_1048576"},
	{1048576, 1024, SCATTERED, "walk_1024_scattered_ns_depth_1048576"},
	{1048576, 1024, RUN, "walk_1024_run_ns_depth_1048576"},
};

#define CASES (sizeof(cases) / sizeof(cases[0]))

struct walk {
	struct bench *b;
	const struct walk_case *c;
	struct rig rig;
	struct samples ns;
	uint64_t laid; /* rings full, by the data side */
	unsigned int other; /* lcore of the data side, or LCORE_ID_ANY */
	bool apart, yields;
	alignas(RIG_APART) _Atomic uint32_t turn; /* even: the data side's, odd: the canceller's */
	_Atomic bool end;
};

/* What the matches of a ring full are called; no other id is even and that large. */
static uint64_t match_id(uint64_t nth)
{
	return UINT64_C(0xabcd) << 44 | nth << 1;
}

/* Data side: a ring full, the matches among NBLs of other ids. Its lines are dirty in this
 * lcore's cache then. */
static void lay(struct walk *w)
{
	struct rig *r = &w->rig;
	uint64_t same = match_id(w->laid++);
	uint32_t matches = w->c->matches, every = r->depth / matches, first = (r->depth - matches) / 2;

	while (vnic__ring_room(&r->p, r->depth) < r->depth)
		rig_transmit(r);
	for (uint32_t i = 0; i < r->depth;) {
		struct vnic__ring_burst burst = vnic__ring_begin(&r->p);

		for (uint32_t k = 0; k < BURST; k++, i++) {
			bool match = w->c->how == RUN ? i >= first && i < first + matches
						      : i % every == every / 2;

			vnic__ring_put(&burst, k, match ? same : rig_id(r->ids, r->next_id++) | 1);
		}
		vnic__ring_publish(&r->p, &burst);
		r->put += BURST;
	}
}

static int lay_loop(void *arg)
{
	struct walk *w = arg;
	uint32_t t;

	/* relaxed: nothing is read through it */
	while (!atomic_load_explicit(&w->end, memory_order_relaxed)) {
		/* pairs with the release in walked() */
		t = atomic_load_explicit(&w->turn, memory_order_acquire);
		if (t % 2 == 0) {
			lay(w);
			/* pairs with the acquire in laid() */
			atomic_store_explicit(&w->turn, t + 1, memory_order_release);
		} else if (w->yields) {
			sched_yield();
		}
	}
	return 0;
}

/* Data side: as fast as it can. */
static int full_speed_loop(void *arg)
{
	struct walk *w = arg;

	/* relaxed: nothing is read through it */
	while (!atomic_load_explicit(&w->end, memory_order_relaxed)) {
		rig_send(&w->rig);
		rig_transmit(&w->rig);
	}
	return 0;
}

/* Canceller: is the ring laid? -1: it does not come, said. */
static int laid(struct walk *w)
{
	uint64_t end = rte_rdtsc() + TURN_S * rte_get_tsc_hz();

	if (!w->apart)
		lay(w);
	/* pairs with the release in lay_loop() */
	while (w->apart && atomic_load_explicit(&w->turn, memory_order_acquire) % 2 == 0) {
		if (rte_rdtsc() > end) {
			fprintf(stderr, "vnic-bench: lcore %u did not fill a ring within %d s: does its "
				"CPU run?\n", w->other, TURN_S);
			return -1;
		}
		if (w->yields)
			sched_yield();
	}
	return 0;
}

static void walked(struct walk *w)
{
	if (w->apart) /* pairs with the acquire in lay_loop() */
		atomic_fetch_add_explicit(&w->turn, 1, memory_order_release);
}

/* Walks in full rings until that time; the ones before `warm` do not count. */
static int walk_idle(struct walk *w, uint64_t warm, uint64_t end)
{
	uint64_t nth = 0, tsc, now;
	uint32_t nb;

	do {
		if (laid(w) != 0)
			return -1;
		nb = rig_cancel(&w->rig, match_id(nth++), &tsc);
		if (nb != w->c->matches) {
			fprintf(stderr, "vnic-bench: a walk took %u of %u matches: this is a bug\n", nb,
				w->c->matches);
			return -1;
		}
		now = rte_rdtsc();
		if (now >= warm)
			samples_add(&w->ns, bench_ns(w->b, tsc));
		if (now < end && w->ns.nb < WALKS_MAX)
			walked(w);
	} while (now < end && w->ns.nb < WALKS_MAX);
	return 0;
}

static int walk_loaded(struct walk *w, uint64_t warm, uint64_t end)
{
	uint64_t tsc, now;

	do {
		uint32_t nb = rig_cancel(&w->rig, rig_sample(&w->rig), &tsc);

		now = rte_rdtsc();
		if (nb >= 1 && now >= warm)
			samples_add(&w->ns, bench_ns(w->b, tsc));
	} while (now < end && w->ns.nb < WALKS_MAX);
	if (w->ns.nb == 0)
		fprintf(stderr, "vnic-bench: no walk of a ring %u deep found anything under load: this is a "
			"bug\n", w->c->depth);
	return w->ns.nb != 0 ? 0 : -1;
}

static int run(struct walk *w)
{
	struct bench *b = w->b;
	double seconds = b->conf.seconds > 0 ? b->conf.seconds : b->conf.quick ? SECONDS_QUICK : SECONDS;
	uint64_t begin, end;
	int rc;

	if (w->c->how == LOADED)
		for (uint32_t i = 0; i < w->c->depth / BURST - 2; i++)
			rig_send(&w->rig);
	if (w->apart)
		rte_eal_remote_launch(w->c->how == LOADED ? full_speed_loop : lay_loop, w, w->other);
	begin = rte_rdtsc();
	end = begin + (uint64_t)(seconds * 1e9 * b->tsc_ghz);
	rc = (w->c->how == LOADED ? walk_loaded : walk_idle)(w, begin + (end - begin) / 10, end);
	/* relaxed: the end of the lcore's function is waited for */
	atomic_store_explicit(&w->end, true, memory_order_relaxed);
	rte_eal_mp_wait_lcore();
	return rc;
}

static void report(struct walk *w)
{
	FILE *csv = output_csv(&w->b->out, "walk", "depth,matches,how,ns");
	const struct walk_case *c = w->c;
	char label[64];

	for (size_t i = 0; i < w->ns.nb; i++)
		fprintf(csv, "%u,%u,%s,%.1f\n", c->depth, c->matches, hows[c->how], w->ns.value[i]);
	output_figure(&w->b->out, c->key, samples_median(&w->ns));
	if (c->how == ONE || c->how == LOADED)
		snprintf(label, sizeof(label), "%u, 1%s", c->depth, c->how == LOADED ? ", full load" : "");
	else
		snprintf(label, sizeof(label), "%u, %u %s, %.1f ns each", c->depth, c->matches,
			 c->how == RUN ? "in a run" : "scattered", samples_median(&w->ns) / c->matches);
	output_latency_row(&w->b->out, label, &w->ns);
}

static int run_case(struct bench *b, const struct walk_case *c)
{
	static struct walk w; /* large for a stack */
	int rc;

	w = (struct walk){.b = b, .c = c};
	w.other = rig_other_lcore(&w.yields);
	w.apart = w.other != LCORE_ID_ANY;
	samples_begin(&w.ns, WALKS_MAX);
	rc = rig_open(&w.rig, c->depth, BURST);
	if (rc == 0) {
		rc = run(&w);
		if (rc == 0)
			report(&w);
		rc |= rig_close(&w.rig);
	}
	samples_end(&w.ns);
	return rc;
}

int bench_walk(struct bench *b)
{
	bool apart = rte_lcore_count() > 1;
	int rc = 0;

	output_progress(&b->out, "walks", CASES);
	output_latency_head(&b->out, "walk of one cancel, us: depth, matches");
	for (size_t i = 0; i < CASES && rc == 0; i++) {
		if (apart || cases[i].how != LOADED)
			rc = run_case(b, &cases[i]);
		output_step(&b->out);
	}
	if (!apart)
		output_line(&b->out, "  in a ring that this lcore itself has filled; full load is left out: "
			    "both want a second lcore (EAL's -l 0,1)");
	return rc;
}
