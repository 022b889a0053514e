/* SPDX-License-Identifier: BSD-3-Clause
 * ring.c - what the ring costs a packet: send and transmit in one thread, beside rte_ring SP/SC
 * carrying the same bursts; without its index, and under cancels from another lcore
 */
#include "bench.h"

#include <sched.h>
#include <stdio.h>

#include <rte_cycles.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_malloc.h>
#include <rte_pause.h>
#include <rte_ring.h>

#include "rig.h"
#include "walk.h"

#define SECONDS 1.8
#define SECONDS_QUICK 0.55
/* laps may be short, so there may be more of them */
#define ROUNDS_MORE 3
#define ROUNDS_MAX (ROUNDS_MORE * BENCH_ROUNDS_MAX)
#define CHUNK 4096u /* packets between two looks at the clock */
#define DEPTH 4096u
#define BURST 32u
#define CANCELS_PER_S 100000u

enum { PLAIN, BARE, INDEXED, STORM, DESIGNS };

static const struct {
	const char *csv, *head;
} designs[DESIGNS] = {
	{"rte_ring", "rte_ring SP/SC"},
	{"ring_no_index", "without its index"},
	{"ring", "this ring"},
	{"ring_100k_cancels", "100,000 cancels/s"},
};

static const struct tax_case {
	uint32_t burst, depth;
	bool quick;
} cases[] = {
	{1, DEPTH, true},      {2, DEPTH, false},      {4, DEPTH, false},     {8, DEPTH, true},
	{16, DEPTH, false},    {BURST, DEPTH, true},   {64, DEPTH, true},     {BURST, 256, false},
	{BURST, 1024, true},   {BURST, 16384, false},  {BURST, 65536, true},  {BURST, 262144, false},
	{BURST, 1048576, true},
};

#define CASES (sizeof(cases) / sizeof(cases[0]))

/* The lcore that cancels, one NBL at a time. */
struct canceller {
	struct rig *rig;
	uint64_t period; /* TSC ticks */
	bool yields;
	uint64_t cancels;
	alignas(RIG_APART) _Atomic bool on;
	_Atomic bool end;
};

struct tax {
	struct bench *b;
	uint32_t burst, depth;
	unsigned int other; /* lcore that cancels, or LCORE_ID_ANY */
	uint64_t storm_tsc; /* that it was to */
	struct rte_ring *plain;
	struct rig bare, ring;
	struct canceller canceller;
	struct samples cycles[DESIGNS];
};

/* ---- laps: bursts in, bursts out, the ring nearly full; the packets that went through ---- */

static uint64_t lap_plain(struct tax *t, uint32_t bursts)
{
	uintptr_t in[RIG_BURST_MAX], out[RIG_BURST_MAX];
	uint32_t n = t->burst;
	uint64_t nb = 0;

	for (uint32_t i = 0; i < n; i++)
		in[i] = i + 1;
	for (uint32_t k = 0; k < bursts; k++) {
		nb += rte_ring_sp_enqueue_burst(t->plain, (void **)in, n, NULL);
		rte_ring_sc_dequeue_burst(t->plain, (void **)out, n, NULL);
		/* what comes out is used, or it need not be read */
		in[k % n] = out[(k + 1) % n];
	}
	return nb;
}

/* The slot alone: no id, no link, no bucket. */
static uint64_t lap_bare(struct tax *t, uint32_t bursts)
{
	struct rig *r = &t->bare;
	uint64_t before = r->put;

	for (uint32_t k = 0; k < bursts; k++) {
		struct vnic__ring_burst burst = vnic__ring_begin(&r->p);
		uint32_t n = vnic__ring_room(&r->p, r->burst);

		/* R3 of lib/ring.h, so that the stores are the same */
		for (uint32_t i = 0; i < n; i++, burst.pos++)
			atomic_store_explicit(&burst.slot[(uint32_t)burst.pos & burst.mask],
					      burst.pos << VNIC__HANDLE_BITS | i, memory_order_release);
		vnic__ring_publish(&r->p, &burst);
		r->put += n;
		rig_transmit(r);
	}
	return r->put - before;
}

static uint64_t lap_ring(struct tax *t, uint32_t bursts)
{
	uint64_t before = t->ring.put;

	for (uint32_t k = 0; k < bursts; k++) {
		rig_send(&t->ring);
		rig_transmit(&t->ring);
	}
	return t->ring.put - before;
}

/* Cycles per packet over so much time, once each line of the ring has been used: the laps
 * before this one were another ring's. */
static double lap(struct tax *t, uint64_t (*some)(struct tax *t, uint32_t bursts), uint64_t tsc)
{
	uint64_t begin, now, packets = 0;

	some(t, t->depth / t->burst);
	begin = rte_rdtsc();
	do {
		packets += some(t, CHUNK / t->burst);
		now = rte_rdtsc();
	} while (now - begin < tsc);
	return (double)(now - begin) / (double)packets;
}

/* ---- the canceller ---- */

static int cancel_loop(void *arg)
{
	struct canceller *c = arg;
	uint64_t next = 0, tsc;

	/* relaxed, both: nothing is read through them */
	while (!atomic_load_explicit(&c->end, memory_order_relaxed)) {
		uint64_t now = rte_rdtsc();

		if (!atomic_load_explicit(&c->on, memory_order_relaxed) || now < next) {
			if (c->yields)
				sched_yield();
			rte_pause();
			continue;
		}
		/* what a descheduled lcore misses is not made up for in one go */
		next = now > next + 100 * c->period ? now + c->period : next + c->period;
		rig_cancel(c->rig, rig_sample(c->rig), &tsc);
		c->cancels++;
	}
	return 0;
}

static double storm(struct tax *t, uint64_t tsc)
{
	uint64_t begin = rte_rdtsc();
	double cycles;

	atomic_store_explicit(&t->canceller.on, true, memory_order_relaxed);
	cycles = lap(t, lap_ring, tsc);
	atomic_store_explicit(&t->canceller.on, false, memory_order_relaxed);
	t->storm_tsc += rte_rdtsc() - begin;
	return cycles;
}

/* ---- one burst size and depth ---- */

static int tax_open(struct tax *t, struct bench *b, const struct tax_case *c)
{
	*t = (struct tax){.b = b, .burst = c->burst, .depth = c->depth};
	t->other = rig_other_lcore(&t->canceller.yields);
	for (uint32_t i = 0; i < DESIGNS; i++)
		samples_begin(&t->cycles[i], ROUNDS_MAX);
	t->plain = rig_memory((size_t)rte_ring_get_memsize(c->depth));
	if (t->plain == NULL || rig_open(&t->bare, c->depth, c->burst) != 0 ||
	    rig_open(&t->ring, c->depth, c->burst) != 0)
		return -1;
	rte_ring_init(t->plain, "plain", c->depth, RING_F_SP_ENQ | RING_F_SC_DEQ);
	for (uint32_t i = 0; i < c->depth / c->burst - 2; i++) {
		void *in[RIG_BURST_MAX] = {t, t, t, t};

		rte_ring_sp_enqueue_burst(t->plain, in, c->burst, NULL);
		rig_send(&t->bare);
		rig_send(&t->ring);
	}
	t->canceller.rig = &t->ring;
	t->canceller.period = (uint64_t)(b->tsc_ghz * 1e9) / CANCELS_PER_S;
	if (t->other != LCORE_ID_ANY)
		rte_eal_remote_launch(cancel_loop, &t->canceller, t->other);
	return 0;
}

static int tax_close(struct tax *t)
{
	int rc;

	/* relaxed: the end of the lcore's function is waited for */
	atomic_store_explicit(&t->canceller.end, true, memory_order_relaxed);
	rte_eal_mp_wait_lcore();
	rc = rig_close(&t->bare) | rig_close(&t->ring);
	rte_free(t->plain);
	for (uint32_t i = 0; i < DESIGNS; i++)
		samples_end(&t->cycles[i]);
	return rc;
}

static unsigned int rounds(const struct bench *b)
{
	return ROUNDS_MORE * bench_rounds(b);
}

static void tax_run(struct tax *t)
{
	struct bench *b = t->b;
	double all = b->conf.seconds > 0 ? b->conf.seconds : b->conf.quick ? SECONDS_QUICK : SECONDS;
	uint64_t tsc = (uint64_t)(all * 1e9 * b->tsc_ghz / ((rounds(b) + 1) * DESIGNS));

	for (unsigned int r = 0; r <= rounds(b); r++) {
		double cycles[DESIGNS];

		cycles[PLAIN] = lap(t, lap_plain, tsc);
		cycles[BARE] = lap(t, lap_bare, tsc);
		cycles[INDEXED] = lap(t, lap_ring, tsc);
		if (t->other != LCORE_ID_ANY)
			cycles[STORM] = storm(t, tsc);
		for (uint32_t i = 0; i < DESIGNS && r > 0; i++) /* the first one warms up */
			if (i != STORM || t->other != LCORE_ID_ANY)
				samples_add(&t->cycles[i], cycles[i]);
	}
}

/* ---- what was found ---- */

static void figures(struct tax *t)
{
	static const char *const key[DESIGNS] = {"rte_ring_cycles", "ring_no_index_cycles", "ring_cycles",
						 "ring_100k_cancels_cycles"};
	double tax = samples_median(&t->cycles[INDEXED]) - samples_median(&t->cycles[PLAIN]);
	struct output *o = &t->b->out;
	char name[64];

	if (t->burst != BURST)
		snprintf(name, sizeof(name), "ring_tax_cycles_burst_%u", t->burst);
	else if (t->depth != DEPTH)
		snprintf(name, sizeof(name), "ring_tax_cycles_depth_%u", t->depth);
	else
		snprintf(name, sizeof(name), "ring_tax_cycles");
	output_figure(o, name, tax);
	for (uint32_t i = 0; i < DESIGNS && t->burst == BURST && t->depth == DEPTH; i++)
		if (t->cycles[i].nb != 0)
			output_figure(o, key[i], samples_median(&t->cycles[i]));
}

static void row(struct tax *t)
{
	double tax = samples_median(&t->cycles[INDEXED]) - samples_median(&t->cycles[PLAIN]);
	const char *goal = t->burst == BURST && t->depth == DEPTH ? output_goal("ring_tax_cycles", tax) : "";
	char cell[DESIGNS][32];

	for (uint32_t i = 0; i < DESIGNS; i++)
		if (t->cycles[i].nb == 0)
			snprintf(cell[i], sizeof(cell[i]), "-");
		else
			snprintf(cell[i], sizeof(cell[i]), "%.1f (%.1f..%.1f)", samples_median(&t->cycles[i]),
				 samples_min(&t->cycles[i]), samples_max(&t->cycles[i]));
	output_line(&t->b->out, "  %5u %8u %19s %19s %19s %+7.2f %19s  %s", t->burst, t->depth, cell[PLAIN],
		    cell[BARE], cell[INDEXED], tax, cell[STORM], goal);
}

static void report(struct tax *t)
{
	FILE *csv = output_csv(&t->b->out, "ring", "design,burst,depth,round,cycles");

	/* in the order of time: before anything sorts them */
	for (uint32_t i = 0; i < DESIGNS; i++)
		for (size_t k = 0; k < t->cycles[i].nb; k++)
			fprintf(csv, "%s,%u,%u,%zu,%.4f\n", designs[i].csv, t->burst, t->depth, k,
				t->cycles[i].value[k]);
	figures(t);
	row(t);
}

static bool wanted(const struct bench *b, const struct tax_case *c)
{
	return c->quick || !b->conf.quick;
}

/* *reached: the least cancels a second of all cases. */
static int run_case(struct bench *b, const struct tax_case *c, double *reached)
{
	static struct tax t; /* large for a stack */
	int rc = tax_open(&t, b, c);

	if (rc == 0) {
		tax_run(&t);
		report(&t);
	}
	rc |= tax_close(&t);
	if (rc == 0 && t.other != LCORE_ID_ANY)
		*reached = RTE_MIN(*reached, (double)t.canceller.cancels / bench_ns(b, t.storm_tsc) * 1e9);
	return rc;
}

int bench_ring(struct bench *b)
{
	double reached = 2 * CANCELS_PER_S;
	unsigned int nb = 0;
	int rc = 0;

	for (size_t i = 0; i < CASES; i++)
		nb += wanted(b, &cases[i]);
	output_progress(&b->out, "ring", nb);
	output_line(&b->out, "\ncycles per packet, send and transmit in one thread: median (min..max) of %u "
		    "rounds", rounds(b));
	output_line(&b->out, "  %5s %8s %19s %19s %19s %7s %19s", "burst", "depth", designs[PLAIN].head,
		    designs[BARE].head, designs[INDEXED].head, "tax", designs[STORM].head);
	for (size_t i = 0; i < CASES && rc == 0; i++)
		if (wanted(b, &cases[i])) {
			rc = run_case(b, &cases[i], &reached);
			output_step(&b->out);
		}
	if (reached <= CANCELS_PER_S * 1.5)
		output_line(&b->out, "  cancels: %.0f a second were reached where it was least", reached);
	if (rte_lcore_count() == 1)
		output_line(&b->out, "  under cancels: left out, it wants a second lcore (EAL's -l 0,1)");
	return rc == 0 ? bench_walk(b) : rc;
}
