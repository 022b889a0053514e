/* SPDX-License-Identifier: BSD-3-Clause
 * cancel.c - cancel latency, from the call to the last completion seen by the sender: over
 * depth, matches and queues, idle and at full load; ours, a list, a mailbox, io_uring
 */
#include "cancel.h"

#include <stdlib.h>
#include <string.h>

#include <rte_cycles.h>

#include "bars.h"
#include "hop.h"
#include "io_uring.h"
#include "wire.h"

#define DESIGNS 3
#define DEPTH 65536u /* of the figures that name none */
#define DEPTH_MAX 1048576u
#define MORE 1024u /* NBLs of a stock beyond the depth */
#define SECONDS 3.6
#define SECONDS_QUICK 1.0

static const struct design_ops *const designs[DESIGNS] = {&design_vnic, &design_list, &design_mailbox};
static const char *const prefix[DESIGNS] = {"", "list_", "mailbox_"};

static const uint32_t depths[] = {1024, 4096, 16384, DEPTH, 262144, DEPTH_MAX};
static const uint32_t depths_quick[] = {1024, DEPTH, DEPTH_MAX};
static const uint32_t matches[] = {1, 16, 256, 1024, 4096, DEPTH};
static const uint32_t matches_quick[] = {1, 1024, DEPTH};
static const uint32_t queues[] = {1, 4, 16};
static const uint32_t loads[] = {4096, DEPTH};
static const uint32_t loads_quick[] = {DEPTH};

struct cancel_bench {
	struct bench *b;
	uint16_t port;
	struct stock stock;
	struct vnic_nbl **order; /* the stock's NBLs as they lie in memory; NULL: as they come */
	struct cancel_fill fill;
	struct cancel_lane lane[DESIGNS];
	struct vnic_histogram histogram; /* ours, DEPTH deep, held, ns */
	char stages[2048];               /* a table, on its way */
};

/* ---- one case, all designs ---- */

static void lane_open(struct cancel_lane *l, const struct design_ops *ops, unsigned int rounds)
{
	*l = (struct cancel_lane){.ops = ops};
	samples_begin(&l->ns, CANCEL_SAMPLES_MAX);
	samples_begin(&l->round, CANCEL_SAMPLES_MAX / rounds);
	samples_begin(&l->post, CANCEL_SAMPLES_MAX);
	samples_begin(&l->pickup, CANCEL_SAMPLES_MAX);
	samples_begin(&l->walk, CANCEL_SAMPLES_MAX);
	samples_begin(&l->completion, CANCEL_SAMPLES_MAX);
	samples_begin(&l->p50, rounds);
	samples_begin(&l->p99, rounds);
}

static void lane_close(struct cancel_lane *l)
{
	samples_end(&l->ns);
	samples_end(&l->round);
	samples_end(&l->post);
	samples_end(&l->pickup);
	samples_end(&l->walk);
	samples_end(&l->completion);
	samples_end(&l->p50);
	samples_end(&l->p99);
}

static void write_round(struct bench *b, const struct cancel_case *c, const struct cancel_lane *l,
			unsigned int round)
{
	FILE *csv = output_csv(&b->out, "cancel", "design,load,depth,queues,pattern,matches,round,ns");

	for (size_t i = 0; i < l->round.nb; i++)
		fprintf(csv, "%s,%s,%u,%u,%s,%u,%u,%.0f\n", l->ops->name, c->full_load ? "full" : "idle",
			c->depth, c->nb_queues, cancel_pattern_name(c->pattern), c->matches, round,
			l->round.value[i]);
}

static void write_stages(struct bench *b, const struct cancel_case *c, const struct cancel_lane *l)
{
	FILE *csv = output_csv(&b->out, "cancel_stages", "design,depth,post_ns,pickup_ns,walk_ns,"
			       "completion_ns");

	for (size_t i = 0; i < l->post.nb; i++)
		fprintf(csv, "%s,%u,%.0f,%.0f,%.0f,%.0f\n", l->ops->name, c->depth, l->post.value[i],
			l->pickup.value[i], l->walk.value[i], l->completion.value[i]);
}

static int run_round(struct cancel_bench *cb, const struct cancel_case *c, struct cancel_lane *l,
		     unsigned int round)
{
	struct bench *b = cb->b;
	double all = b->conf.seconds > 0 ? b->conf.seconds : b->conf.quick ? SECONDS_QUICK : SECONDS;
	uint64_t ticks = (uint64_t)(all * 1e9 * b->tsc_ghz / (bench_rounds(b) * DESIGNS));
	uint64_t end = rte_rdtsc() + ticks;
	struct cancel_fill *f = &cb->fill;

	f->bench = b;
	f->c = c;
	f->lane = l;
	f->stock = &cb->stock;
	f->order = cb->order;
	samples_clear(&l->round);
	do {
		if (cancel_fill_run(f, cb->port, ticks) != 0)
			return -1;
	} while (rte_rdtsc() < end && l->round.nb < l->round.room);
	write_round(b, c, l, round);
	if (l->round.nb != 0) {
		samples_add(&l->p50, samples_percentile(&l->round, 50));
		samples_add(&l->p99, samples_percentile(&l->round, 99));
	}
	return 0;
}

/* To be closed by close_case(), whatever it returns. */
static int run_case(struct cancel_bench *cb, const struct cancel_case *c)
{
	unsigned int rounds = bench_rounds(cb->b);
	int rc = 0;

	for (uint32_t i = 0; i < DESIGNS; i++)
		lane_open(&cb->lane[i], designs[i], rounds);
	for (unsigned int r = 0; r < rounds; r++)
		for (uint32_t i = 0; i < DESIGNS && rc == 0; i++)
			rc = run_round(cb, c, &cb->lane[i], r);
	for (uint32_t i = 0; i < DESIGNS && rc == 0; i++) {
		if (c->pattern == CANCEL_SINGLE && c->nb_queues == 1 && !c->full_load)
			write_stages(cb->b, c, &cb->lane[i]);
		if (cb->lane[i].p50.nb == 0 && !c->full_load) {
			fprintf(stderr, "vnic-bench: cancel, %s, %u deep: none of %lu cancels found what is "
				"queued: this is a bug\n", designs[i]->name, c->depth,
				(unsigned long)cb->lane[i].late);
			rc = -1;
		}
	}
	output_step(&cb->b->out);
	return rc;
}

static void close_case(struct cancel_bench *cb)
{
	for (uint32_t i = 0; i < DESIGNS; i++)
		lane_close(&cb->lane[i]);
}

/* ---- what is said of it ---- */

/* A design's figure: ours has no prefix. Its goal is said, if it has one. */
static void figure(struct cancel_bench *cb, uint32_t design, const char *key, double value)
{
	char name[64];
	const char *goal;

	snprintf(name, sizeof(name), "%scancel_%s", prefix[design], key);
	output_figure(&cb->b->out, name, value);
	goal = output_goal(name, value);
	if (goal[0] != '\0')
		output_line(&cb->b->out, "      %-30s %9.2f  %s", name, value, goal);
}

/* The row of a design, with the medians of its rounds. */
static void row(struct cancel_bench *cb, uint32_t design, const char *what)
{
	struct cancel_lane *l = &cb->lane[design];
	char label[64];

	snprintf(label, sizeof(label), "%-8s %s", designs[design]->name, what);
	output_latency_row(&cb->b->out, label, &l->ns);
}

static void rounds_row(struct cancel_bench *cb)
{
	char text[256];
	int at = 0;

	for (uint32_t i = 0; i < DESIGNS; i++)
		at += snprintf(text + at, sizeof(text) - (size_t)at, "%s%s %.2f (%.2f .. %.2f)",
			       i != 0 ? "; " : "", designs[i]->name, samples_median(&cb->lane[i].p50) / 1e3,
			       samples_min(&cb->lane[i].p50) / 1e3, samples_max(&cb->lane[i].p50) / 1e3);
	output_line(&cb->b->out, "    p50 of the rounds: %s", text);
}

static void add_stages(struct cancel_bench *cb, const struct cancel_case *c)
{
	size_t at = strlen(cb->stages);

	for (uint32_t i = 0; i < DESIGNS; i++) {
		struct cancel_lane *l = &cb->lane[i];
		char what[32];

		snprintf(what, sizeof(what), "%u deep", c->depth);
		at += (size_t)snprintf(cb->stages + at, sizeof(cb->stages) - at,
				       "\n  %-8s %-25s %9.2f %9.2f %9.2f %11.2f", designs[i]->name, what,
				       samples_median(&l->post) / 1e3, samples_median(&l->pickup) / 1e3,
				       samples_median(&l->walk) / 1e3,
				       samples_median(&l->completion) / 1e3);
		if (c->depth != DEPTH || l->post.nb == 0)
			continue;
		figure(cb, i, "post_ns", samples_median(&l->post));
		figure(cb, i, "pickup_ns", samples_median(&l->pickup));
		figure(cb, i, "walk_ns", samples_median(&l->walk));
		figure(cb, i, "completion_ns", samples_median(&l->completion));
	}
}

static void report_depth(struct cancel_bench *cb, const struct cancel_case *c)
{
	char what[32], key[48];

	snprintf(what, sizeof(what), "%u deep", c->depth);
	for (uint32_t i = 0; i < DESIGNS; i++)
		row(cb, i, what);
	rounds_row(cb);
	snprintf(key, sizeof(key), "p50_ns_depth_%u", c->depth);
	for (uint32_t i = 0; i < DESIGNS; i++) {
		struct cancel_lane *l = &cb->lane[i];

		figure(cb, i, key, samples_median(&l->p50));
		if (c->depth == DEPTH) {
			figure(cb, i, "p50_ns", samples_median(&l->p50));
			figure(cb, i, "p99_ns", samples_median(&l->p99));
		}
	}
	for (size_t i = 0; c->depth == DEPTH && i < cb->lane[0].ns.nb; i++)
		vnic_histogram_add(&cb->histogram, (uint64_t)cb->lane[0].ns.value[i]);
	add_stages(cb, c);
}

static int over_depth(struct cancel_bench *cb)
{
	const uint32_t *depth = cb->b->conf.quick ? depths_quick : depths;
	size_t nb = cb->b->conf.quick ? RTE_DIM(depths_quick) : RTE_DIM(depths);
	double first = 0, last = 0;
	int rc = 0;

	output_latency_head(&cb->b->out, "cancel of one NBL, queue held, us");
	for (size_t i = 0; i < nb && rc == 0; i++) {
		struct cancel_case c = {depth[i], 1, 1, CANCEL_SINGLE, false};

		rc = run_case(cb, &c);
		if (rc == 0) {
			report_depth(cb, &c);
			last = samples_median(&cb->lane[0].p50);
			first = i == 0 ? last : first;
		}
		close_case(cb);
	}
	if (rc == 0 && first > 0)
		figure(cb, 0, "depth_ratio", last / first);
	if (rc == 0)
		output_line(&cb->b->out, "\n%-36s %9s %9s %9s %11s%s", "its stages, medians, us", "post",
			    "pick-up", "walk", "completion", cb->stages);
	return rc;
}

static int over_matches(struct cancel_bench *cb)
{
	const uint32_t *nb_matches = cb->b->conf.quick ? matches_quick : matches;
	size_t nb = cb->b->conf.quick ? RTE_DIM(matches_quick) : RTE_DIM(matches);
	int rc = 0;

	output_latency_head(&cb->b->out, "cancel of many among 65536, held, us");
	for (size_t i = 0; i < 2 * nb && rc == 0; i++) {
		bool run = i % 2 == 1;
		struct cancel_case c = {DEPTH, 1, nb_matches[i / 2], run ? CANCEL_RUN : CANCEL_SCATTERED,
					false};
		char what[32], key[48];

		/* one alone, or all, is no run */
		if (run && (c.matches == 1 || c.matches == DEPTH))
			continue;
		rc = run_case(cb, &c);
		snprintf(what, sizeof(what), "%u %s", c.matches, run ? "in a run" : "scattered");
		snprintf(key, sizeof(key), "%u_%s_us", c.matches, run ? "runs" : "scattered");
		for (uint32_t k = 0; k < DESIGNS && rc == 0; k++)
			row(cb, k, what);
		if (rc == 0)
			rounds_row(cb);
		for (uint32_t k = 0; k < DESIGNS && rc == 0; k++)
			figure(cb, k, key, samples_median(&cb->lane[k].p50) / 1e3);
		close_case(cb);
	}
	return rc;
}

static int over_queues(struct cancel_bench *cb)
{
	int rc = 0;

	output_latency_head(&cb->b->out, "cancel of one among 65536, held, us");
	for (size_t i = 0; i < RTE_DIM(queues) && rc == 0; i++) {
		struct cancel_case c = {DEPTH, queues[i], 1, CANCEL_SINGLE, false};
		char what[32], key[48];

		if (cb->b->conf.quick && queues[i] == 4)
			continue;
		rc = run_case(cb, &c);
		snprintf(what, sizeof(what), "%u queue%s", c.nb_queues, c.nb_queues == 1 ? "" : "s");
		snprintf(key, sizeof(key), "p50_ns_queues_%u", c.nb_queues);
		for (uint32_t k = 0; k < DESIGNS && rc == 0; k++) {
			row(cb, k, what);
			figure(cb, k, key, samples_median(&cb->lane[k].p50));
		}
		close_case(cb);
	}
	return rc;
}

static void report_load(struct cancel_bench *cb, const struct cancel_case *c)
{
	for (uint32_t i = 0; i < DESIGNS; i++) {
		struct cancel_lane *l = &cb->lane[i];
		double share = (double)l->late / RTE_MAX(1.0, (double)l->late + (double)l->ns.nb);
		char what[32];

		snprintf(what, sizeof(what), "%u deep", c->depth);
		if (l->p50.nb != 0)
			row(cb, i, what);
		else
			output_line(&cb->b->out, "  %-8s %-25s none in time", designs[i]->name, what);
		output_line(&cb->b->out, "      %.1f Mpps meanwhile; %.2f %% of the cancels were too late",
			    l->sent / l->busy_ns * 1e3, share * 100);
		if (c->depth != DEPTH || l->p50.nb == 0)
			continue;
		figure(cb, i, "load_p50_ns", samples_median(&l->p50));
		figure(cb, i, "load_p99_ns", samples_median(&l->p99));
		figure(cb, i, "load_too_late_share", share);
	}
}

static int at_load(struct cancel_bench *cb)
{
	const uint32_t *depth = cb->b->conf.quick ? loads_quick : loads;
	size_t nb = cb->b->conf.quick ? RTE_DIM(loads_quick) : RTE_DIM(loads);
	int rc = 0;

	output_latency_head(&cb->b->out, "cancel of one NBL, full load, us");
	for (size_t i = 0; i < nb && rc == 0; i++) {
		struct cancel_case c = {depth[i], 1, 1, CANCEL_SINGLE, true};

		rc = run_case(cb, &c);
		if (rc == 0)
			report_load(cb, &c);
		close_case(cb);
	}
	return rc;
}

static void show_histogram(struct cancel_bench *cb)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	if (f == NULL)
		return;
	bars_print(f, "vnic, one of 65536, call to completion seen", &cb->histogram);
	fclose(f);
	output_line(&cb->b->out, "\n%.*s", (int)len - 1, text);
	free(text);
}

static int on_held_queues(struct cancel_bench *cb)
{
	struct stock_conf sc = {.nb = DEPTH_MAX + MORE, .sizes = (const uint16_t[]){64}, .nb_sizes = 1,
				.shared = true};
	int rc;

	if (stock_open(&cb->stock, &sc) != 0)
		return -1;
	cb->order = malloc(sc.nb * sizeof(*cb->order));
	if (cb->order != NULL)
		memcpy(cb->order, cb->stock.free, sc.nb * sizeof(*cb->order));
	rc = cb->order != NULL ? over_depth(cb) : -1;
	if (rc == 0)
		show_histogram(cb);
	if (rc == 0)
		rc = over_matches(cb);
	if (rc == 0)
		rc = over_queues(cb);
	free(cb->order);
	cb->order = NULL;
	stock_close(&cb->stock);
	return rc;
}

static int on_flowing_queues(struct cancel_bench *cb)
{
	struct stock_conf sc = {.nb = DEPTH + MORE, .sizes = (const uint16_t[]){64}, .nb_sizes = 1};
	int rc;

	if (stock_open(&cb->stock, &sc) != 0)
		return -1;
	rc = at_load(cb);
	stock_close(&cb->stock);
	return rc;
}

/* A virtual machine's CPUs may be near to each other in one minute and far in the next. */
static void report_hop(struct bench *b, double before, double after)
{
	if (before == 0 || after == 0)
		return;
	output_line(&b->out, "\nof these lcores a word's way to the other and back: p50 %.2f us before, %.2f us "
		    "after; a cancel takes one such, and its work", before / 1e3, after / 1e3);
	output_figure(&b->out, "hop_round_trip_ns", (before + after) / 2);
}

int bench_cancel(struct bench *b)
{
	static struct cancel_bench cb; /* the main thread's; large for a stack */
	double before;
	int rc;

	memset(&cb, 0, sizeof(cb));
	cb.b = b;
	before = hop_round_trip_ns(b);
	if (wire_null_open(&cb.port) != 0)
		return -1;
	output_progress(&b->out, "cancel", b->conf.quick ? 3 + 4 + 2 + 1 : 6 + 10 + 3 + 2);
	rc = on_held_queues(&cb);
	if (rc == 0)
		rc = on_flowing_queues(&cb);
	wire_close(cb.port);
	if (rc == 0)
		report_hop(b, before, hop_round_trip_ns(b));
	return rc == 0 ? io_uring_cancel(b) : rc;
}
