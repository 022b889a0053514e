/* SPDX-License-Identifier: BSD-3-Clause
 * storm.c - throughput, and the gaps between bursts on the data lcore, while NBLs are cancelled
 * at a rate, one after the other
 *
 * app and data keep a full queue moving; the control role picks ids at random among the queued
 * ones. The rates take turns within a round, so that what the machine does meets all of them.
 */
#include "bench.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <rte_common.h>
#include <rte_cycles.h>

#include "canceller.h"
#include "team.h"
#include "wire.h"

#define DEPTH 4096u
#define NBLS (DEPTH + 4 * DESIGN_BURST)
#define SECONDS 38.0
#define SECONDS_QUICK 6.8
#define PASSES 5 /* short rounds, more of them: ratios are of neighbours in time */
#define SLICE_S 0.02 /* longer than what a scheduler gives another thread */
#define SETTLE 0.15 /* of a slice, before it counts */
#define WARM_S 0.005
#define STEPS 8 /* of app, between two looks at the clock */
#define FASTEST UINT32_MAX

static const struct design_ops *const designs[] = {&design_vnic, &design_list, &design_mailbox};
static const uint32_t rates[] = {0, 1000, 10000, 100000, 300000, FASTEST};
static const uint32_t rates_quick[] = {0, 100000, FASTEST};

#define DESIGNS RTE_DIM(designs)
#define RATES RTE_DIM(rates)
_Static_assert(RATES <= CANCELLER_PHASES, "a phase a rate");

static const uint16_t frame = 64;

/* One rate of one design; a sample a round. */
struct cell {
	struct samples mpps, aborted_mpps, ratio, reached, gap_us;
	struct canceller_count count;
};

struct lane {
	struct stock stock;
	struct design *design;
	struct canceller canceller;
	struct cell cell[RATES];
	/* (app): data is to wait until the queue is full; only where it has an lcore of its own */
	alignas(64) _Atomic bool hold;
	/* (data) */
	alignas(64) uint64_t burst_tsc; /* the end of the last call */
	bool measures;      /* was it a call that counts? */
	uint64_t longest[RATES]; /* TSC ticks, of this round */
	struct vnic_histogram gaps[RATES]; /* TSC ticks, of all rounds */
};

struct storm {
	struct bench *b;
	const uint32_t *rate;
	uint32_t nb_rates, nb_rounds;
	double slice_s;
	struct lane *lane[DESIGNS];
};

/* ---- the roles ---- */

/* The design is taken from the team: beside the lane's own are counts that app writes. */
static uint32_t data(struct team *t)
{
	struct lane *l = t->context;
	bool counted;
	uint32_t phase = canceller_phase_now(&l->canceller, &counted), work;
	uint64_t now, gap;

	/* relaxed: a while sooner or later is all the same */
	if (atomic_load_explicit(&l->hold, memory_order_relaxed)) {
		l->measures = false;
		return 0;
	}
	work = t->design->ops->data(t->design);
	now = rte_rdtsc();
	gap = now - l->burst_tsc;
	if (counted && l->measures) {
		vnic_histogram_add(&l->gaps[phase], gap);
		l->longest[phase] = RTE_MAX(l->longest[phase], gap);
	}
	l->burst_tsc = now;
	l->measures = counted;
	return work;
}

static uint32_t control(struct team *t)
{
	struct lane *l = t->context;

	return canceller_step(&l->canceller, t->design);
}

/* app: a data lcore that is quicker than app would leave no queue to cancel in. */
static void hold_data(struct lane *l, bool full)
{
	bool hold = !full && stock_out(&l->stock) < DEPTH * 3 / 4;

	/* relaxed, all: see data() */
	if (hold || (full && atomic_load_explicit(&l->hold, memory_order_relaxed)))
		atomic_store_explicit(&l->hold, hold, memory_order_relaxed);
}

/* app: keep the queue full for so long; returns the TSC ticks that it took. */
static uint64_t pump(struct lane *l, struct team *team, uint64_t ticks)
{
	uint64_t begin = rte_rdtsc(), now = begin;

	while (now - begin < ticks) {
		for (uint32_t i = 0; i < STEPS; i++) {
			while (stock_send(&l->stock, l->design, 0) == DESIGN_BURST)
				;
			if (!team->app_data) {
				hold_data(l, l->stock.nb_ready != 0);
				canceller_newest(&l->canceller, &l->stock);
			}
			team_step(team);
			stock_poll(&l->stock, l->design, 0, NULL);
		}
		canceller_newest(&l->canceller, &l->stock);
		now = rte_rdtsc();
	}
	return now - begin;
}

/* ---- one round of a design ---- */

/* What there was of a slice; counts of cancels are taken when the team has stopped. */
struct slice {
	double us;
	uint64_t sent, aborted;
};

static void run_slice(const struct storm *s, struct lane *l, struct team *team, uint32_t rate,
		      struct slice *slice)
{
	uint64_t ticks = (uint64_t)(s->slice_s * 1e9 * s->b->tsc_ghz), took;
	struct design_account before;

	canceller_phase(&l->canceller, rate, false);
	pump(l, team, (uint64_t)((double)ticks * SETTLE));
	before = l->stock.seen;
	canceller_phase(&l->canceller, rate, true);
	took = pump(l, team, (uint64_t)((double)ticks * (1 - SETTLE)));
	canceller_phase(&l->canceller, rate, false);
	slice->us = bench_ns(s->b, took) / 1e3;
	slice->sent = l->stock.seen.sent - before.sent;
	slice->aborted = l->stock.seen.aborted - before.aborted;
}

static void keep(const struct storm *s, struct lane *l, const struct slice *slice)
{
	const struct slice *idle = &slice[0];
	double base = (double)(idle->sent + idle->aborted) / idle->us;

	if (base == 0) /* the machine has kept the lcore from it: nothing to compare with */
		return;
	for (uint32_t i = 0; i < s->nb_rates; i++) {
		const struct canceller_count *n = &l->canceller.count[i];
		double mpps = (double)(slice[i].sent + slice[i].aborted) / slice[i].us;
		struct cell *cell = &l->cell[i];

		samples_add(&cell->mpps, mpps);
		samples_add(&cell->aborted_mpps, (double)slice[i].aborted / slice[i].us);
		samples_add(&cell->ratio, mpps / base);
		samples_add(&cell->reached, (double)(n->matched + n->too_late) / slice[i].us * 1e6);
		samples_add(&cell->gap_us, bench_ns(s->b, l->longest[i]) / 1e3);
		cell->count.matched += n->matched;
		cell->count.too_late += n->too_late;
	}
}

/* -1: a cancel does not end, or cancels and their NBLs do not add up: said. */
static int run_round(const struct storm *s, struct lane *l, uint32_t round)
{
	struct team team = {.data = data, .control = control, .context = l};
	struct slice slice[RATES];

	memset(l->canceller.count, 0, sizeof(l->canceller.count));
	memset(l->longest, 0, sizeof(l->longest));
	canceller_phase(&l->canceller, 0, false);
	team_start(&team, l->design, TEAM_CONTROL_APART);
	pump(l, &team, (uint64_t)(WARM_S * 1e9 * s->b->tsc_ghz));
	/* each round begins with another rate */
	for (uint32_t i = 0; i < s->nb_rates; i++)
		run_slice(s, l, &team, (i + round) % s->nb_rates, &slice[(i + round) % s->nb_rates]);
	team_stop(&team);
	keep(s, l, slice);
	return canceller_finish(&l->canceller, l->design, &l->stock);
}

/* ---- a design's lane ---- */

static void cell_begin(struct cell *c, size_t room)
{
	samples_begin(&c->mpps, room);
	samples_begin(&c->aborted_mpps, room);
	samples_begin(&c->ratio, room);
	samples_begin(&c->reached, room);
	samples_begin(&c->gap_us, room);
}

static void cell_end(struct cell *c)
{
	samples_end(&c->mpps);
	samples_end(&c->aborted_mpps);
	samples_end(&c->ratio);
	samples_end(&c->reached);
	samples_end(&c->gap_us);
}

static struct lane *lane_open(const struct storm *s, const struct design_ops *ops, uint16_t port)
{
	const struct stock_conf sc = {.nb = NBLS, .sizes = &frame, .nb_sizes = 1};
	struct design_conf dc = {.depth = DEPTH, .nb_senders = 1, .port = port};
	struct lane *l = aligned_alloc(alignof(struct lane), sizeof(*l));

	if (l == NULL) {
		fprintf(stderr, "vnic-bench: no memory for the counts of a storm\n");
		return NULL;
	}
	memset(l, 0, sizeof(*l));
	canceller_init(&l->canceller);
	l->canceller.span = DEPTH;
	for (uint32_t i = 0; i < s->nb_rates; i++) {
		l->canceller.interval[i] = s->rate[i] == 0 ? CANCELLER_NONE : s->rate[i] == FASTEST ? 0 :
					   (uint64_t)(s->b->tsc_ghz * 1e9 / s->rate[i]);
		cell_begin(&l->cell[i], s->nb_rounds);
	}
	if (stock_open(&l->stock, &sc) == 0) {
		dc.nbls = l->stock.nbls;
		l->design = ops->create(&dc);
	}
	return l;
}

static void lane_close(const struct storm *s, struct lane *l)
{
	if (l == NULL)
		return;
	if (l->design != NULL)
		l->design->ops->destroy(l->design);
	stock_close(&l->stock);
	for (uint32_t i = 0; i < s->nb_rates; i++)
		cell_end(&l->cell[i]);
	free(l);
}

/* Every NBL is back, and as many aborted as cancels have said. */
static int lane_settle(struct lane *l)
{
	if (stock_settle(&l->stock, l->design, 1, false) != 0)
		return -1;
	if (l->cell[0].mpps.nb == 0) {
		fprintf(stderr, "vnic-bench: %s: nothing was sent in any round; raise --seconds\n",
			l->design->ops->name);
		return -1;
	}
	if (l->canceller.all.matched == l->stock.seen.aborted)
		return 0;
	fprintf(stderr, "vnic-bench: %s: its cancels took %" PRIu64 " NBLs, %" PRIu64
		" came back aborted: this is a bug\n", l->design->ops->name, l->canceller.all.matched,
		l->stock.seen.aborted);
	return -1;
}

/* ---- what came out ---- */

static const char *rate_text(uint32_t rate, char *text, size_t len)
{
	if (rate == FASTEST)
		return "max";
	snprintf(text, len, "%u", rate);
	return text;
}

/* Before medians are asked for, which sort. */
static void write_csv(const struct storm *s, const struct lane *l)
{
	FILE *csv = output_csv(&s->b->out, "storm", "design,cancels_per_s,reached_per_s,round,mpps,ratio,"
			       "gap_us,aborted_mpps");
	char text[16];

	for (uint32_t i = 0; i < s->nb_rates; i++)
		for (size_t k = 0; k < l->cell[i].mpps.nb; k++)
			fprintf(csv, "%s,%s,%.0f,%zu,%.4f,%.4f,%.3f,%.5f\n", l->design->ops->name,
				rate_text(s->rate[i], text, sizeof(text)), l->cell[i].reached.value[k], k,
				l->cell[i].mpps.value[k], l->cell[i].ratio.value[k],
				l->cell[i].gap_us.value[k], l->cell[i].aborted_mpps.value[k]);
}

/* The figure `key` of a design: ours has no prefix. */
static void figure(const struct storm *s, const struct lane *l, const char *key, double value)
{
	char text[64];

	if (l->design->ops == &design_vnic)
		snprintf(text, sizeof(text), "%s", key);
	else
		snprintf(text, sizeof(text), "%s_%s", l->design->ops->name, key);
	output_figure(&s->b->out, text, value);
}

static double gap_us(const struct storm *s, const struct lane *l, uint32_t rate, double percent)
{
	return bench_ns(s->b, vnic_histogram_percentile(&l->gaps[rate], percent)) / 1e3;
}

static void put_figures(const struct storm *s, struct lane *l, uint32_t i)
{
	struct cell *c = &l->cell[i];

	if (s->rate[i] == 0) {
		figure(s, l, "storm_max_gap_us_idle", samples_max(&c->gap_us));
		figure(s, l, "storm_gap_p9999_us_idle", gap_us(s, l, i, 99.99));
		figure(s, l, "storm_mpps_idle", samples_median(&c->mpps));
	} else if (s->rate[i] == 100000) {
		figure(s, l, "storm_ratio_100k", samples_median(&c->ratio));
		figure(s, l, "storm_max_gap_us", samples_max(&c->gap_us));
		figure(s, l, "storm_gap_p9999_us", gap_us(s, l, i, 99.99));
	} else if (s->rate[i] == FASTEST) {
		figure(s, l, "storm_ratio_max", samples_median(&c->ratio));
		figure(s, l, "storm_max_cancels_per_s", samples_median(&c->reached));
	}
}

static void put_row(const struct storm *s, struct lane *l, uint32_t i)
{
	struct cell *c = &l->cell[i];
	uint64_t all = c->count.matched + c->count.too_late;
	double ratio = samples_median(&c->ratio);
	bool goal = l->design->ops == &design_vnic && s->rate[i] == 100000;
	char text[16];

	output_line(&s->b->out, "  %-8s %7s %9.0f %8.2f %7.3f %6.3f (%5.3f .. %5.3f) %7.1f %9.2f %9.1f  %s",
		    l->design->ops->name, rate_text(s->rate[i], text, sizeof(text)),
		    samples_median(&c->reached), samples_median(&c->mpps), samples_median(&c->aborted_mpps),
		    ratio, samples_min(&c->ratio), samples_max(&c->ratio),
		    all != 0 ? 100.0 * (double)c->count.matched / (double)all : 0,
		    gap_us(s, l, i, 99.99),
		    samples_max(&c->gap_us), goal ? output_goal("storm_ratio_100k", ratio) : "");
}

static void put_lane(const struct storm *s, struct lane *l)
{
	write_csv(s, l);
	for (uint32_t i = 0; i < s->nb_rates; i++) {
		put_figures(s, l, i);
		put_row(s, l, i);
	}
}

static void put_head(const struct storm *s)
{
	struct output *o = &s->b->out;

	output_line(o, "\nNBLs through app -> data -> net_null -> completion while control cancels NBLs "
		    "picked at random among\n%u queued, one cancel under way at a time; medians (min .. max) "
		    "of %u rounds of %.0f ms", DEPTH, s->nb_rounds, s->slice_s * (1 - SETTLE) * 1e3);
	output_line(o, "Mpps counts NBLs completed, sent and aborted: one taken back is work done too, so no "
		    "part of the loss\nis packets that were not sent. gap: between the ends of two bursts on "
		    "the data lcore; the longest is\noften the machine's own: see the one without cancels");
	output_line(o, "  %-8s %7s %9s %8s %7s %23s %7s %9s %9s", "design", "asked/s", "reached/s", "Mpps",
		    "aborted", "ratio to no cancels", "found %", "p99.99 us", "longest");
}

static int run_rounds(const struct storm *s)
{
	int rc = 0;

	output_progress(&s->b->out, "storm", s->nb_rounds);
	for (uint32_t r = 0; r < s->nb_rounds && rc == 0; r++) {
		for (uint32_t i = 0; i < DESIGNS && rc == 0; i++)
			rc = run_round(s, s->lane[i], r);
		output_step(&s->b->out);
	}
	for (uint32_t i = 0; i < DESIGNS && rc == 0; i++)
		rc = lane_settle(s->lane[i]);
	return rc;
}

int bench_storm(struct bench *b)
{
	struct storm s = {.b = b, .rate = b->conf.quick ? rates_quick : rates,
			  .nb_rates = b->conf.quick ? RTE_DIM(rates_quick) : RATES,
			  .nb_rounds = PASSES * bench_rounds(b)};
	double all = b->conf.seconds > 0 ? b->conf.seconds : b->conf.quick ? SECONDS_QUICK : SECONDS;
	uint16_t port;
	int rc = 0;

	s.slice_s = all / (s.nb_rounds * s.nb_rates * (double)DESIGNS);
	if (s.slice_s < SLICE_S) { /* little time: rather few rounds than short ones */
		s.nb_rounds /= PASSES;
		s.slice_s *= PASSES;
	}
	if (wire_null_open(&port) != 0)
		return -1;
	for (uint32_t i = 0; i < DESIGNS && rc == 0; i++) {
		s.lane[i] = lane_open(&s, designs[i], port);
		rc = s.lane[i] != NULL && s.lane[i]->design != NULL ? 0 : -1;
	}
	if (rc == 0)
		rc = run_rounds(&s);
	if (rc == 0)
		put_head(&s);
	for (uint32_t i = 0; i < DESIGNS; i++) {
		if (rc == 0)
			put_lane(&s, s.lane[i]);
		lane_close(&s, s.lane[i]);
	}
	wire_close(port);
	return rc;
}
