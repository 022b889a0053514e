/* SPDX-License-Identifier: BSD-3-Clause
 * path.c - the whole way: app fills in packet and NBL, sends; data hands down to a net_null
 * port and completes; app polls. Ours against rte_ring SP/SC with the same NBLs
 */
#include "bench.h"

#include <stdio.h>
#include <string.h>

#include <rte_cycles.h>

#include "stock.h"
#include "team.h"
#include "wire.h"

#define DEPTH 4096u
#define NBLS (DEPTH + 4 * DESIGN_BURST)
#define DESIGNS 2
#define SECONDS 4.0
#define SECONDS_QUICK 0.9

static const struct design_ops *const designs[DESIGNS] = {&design_vnic, &design_rte_ring};

/* The simple mix of the internet: 7 small, 4 middle, 1 large. */
static const uint16_t imix[] = {64, 594, 64, 64, 594, 64, 64, 594, 64, 594, 64, 1514};

static const struct path_case {
	const char *name;
	const uint16_t *sizes;
	uint32_t nb_sizes;
} cases[] = {
	{"64", (const uint16_t[]){64}, 1},     {"128", (const uint16_t[]){128}, 1},
	{"256", (const uint16_t[]){256}, 1},   {"512", (const uint16_t[]){512}, 1},
	{"1024", (const uint16_t[]){1024}, 1}, {"1514", (const uint16_t[]){1514}, 1},
	{"IMIX", imix, sizeof(imix) / sizeof(imix[0])},
};

#define CASES (sizeof(cases) / sizeof(cases[0]))

struct lane {
	struct stock stock;
	struct design *design;
	struct samples mpps;
};

/* Packets a microsecond, over so much time, both lcores at work from before to after it. */
static double run(struct bench *b, struct lane *l, double seconds)
{
	uint64_t begin, now, end, before = 0;
	struct team team = {0};
	bool warm = false;

	team_start(&team, l->design, TEAM_DATA_APART);
	begin = now = rte_rdtsc();
	end = begin + (uint64_t)(seconds * 1.25e9 * b->tsc_ghz);
	while (now < end) {
		for (uint32_t i = 0; i < 64; i++) {
			stock_send(&l->stock, l->design, 0);
			stock_poll(&l->stock, l->design, 0, NULL);
			team_step(&team);
		}
		now = rte_rdtsc();
		if (!warm && now - begin > (end - begin) / 5) { /* the first fifth warms up */
			warm = true;
			begin = now;
			before = l->stock.seen.sent;
		}
	}
	team_stop(&team);
	return (double)(l->stock.seen.sent - before) / bench_ns(b, now - begin) * 1e3;
}

static int lane_open(struct lane *l, const struct design_ops *ops, const struct path_case *c,
		     uint16_t port)
{
	struct stock_conf sc = {.nb = NBLS, .sizes = c->sizes, .nb_sizes = c->nb_sizes};
	struct design_conf dc = {.depth = DEPTH, .nb_senders = 1, .port = port};

	memset(l, 0, sizeof(*l));
	if (stock_open(&l->stock, &sc) != 0)
		return -1;
	dc.nbls = l->stock.nbls;
	l->design = ops->create(&dc);
	samples_begin(&l->mpps, BENCH_ROUNDS_MAX);
	return l->design != NULL ? 0 : -1;
}

static void lane_close(struct lane *l)
{
	if (l->design != NULL)
		l->design->ops->destroy(l->design);
	stock_close(&l->stock);
	samples_end(&l->mpps);
}

static void report(struct bench *b, const struct path_case *c, struct lane *lane)
{
	FILE *csv = output_csv(&b->out, "path", "frame,design,round,mpps");
	double ours = samples_median(&lane[0].mpps), base = samples_median(&lane[1].mpps);
	const char *goal = "";

	for (uint32_t i = 0; i < DESIGNS; i++)
		for (size_t k = 0; k < lane[i].mpps.nb; k++)
			fprintf(csv, "%s,%s,%zu,%.4f\n", c->name, designs[i]->name, k, lane[i].mpps.value[k]);
	if (c == cases) {
		output_figure(&b->out, "path_mpps", ours);
		output_figure(&b->out, "path_baseline_mpps", base);
		output_figure(&b->out, "path_ratio", ours / base);
		goal = output_goal("path_ratio", ours / base);
	}
	output_line(&b->out, "  %-8s %8.2f (%6.2f .. %6.2f) %8.2f (%6.2f .. %6.2f) %7.3f  %s", c->name, ours,
		    samples_min(&lane[0].mpps), samples_max(&lane[0].mpps), base,
		    samples_min(&lane[1].mpps), samples_max(&lane[1].mpps), ours / base, goal);
}

static int run_case(struct bench *b, const struct path_case *c, uint16_t port)
{
	double all = b->conf.seconds > 0 ? b->conf.seconds : b->conf.quick ? SECONDS_QUICK : SECONDS;
	double seconds = all / (bench_rounds(b) * DESIGNS);
	struct lane lane[DESIGNS] = {0};
	int rc = 0;

	for (uint32_t i = 0; i < DESIGNS && rc == 0; i++)
		rc = lane_open(&lane[i], designs[i], c, port);
	for (uint32_t r = 0; r < bench_rounds(b) && rc == 0; r++)
		for (uint32_t i = 0; i < DESIGNS; i++)
			samples_add(&lane[i].mpps, run(b, &lane[i], seconds));
	for (uint32_t i = 0; i < DESIGNS && rc == 0; i++)
		rc = stock_settle(&lane[i].stock, lane[i].design, 1, false);
	if (rc == 0)
		report(b, c, lane);
	for (uint32_t i = 0; i < DESIGNS; i++)
		lane_close(&lane[i]);
	return rc;
}

int bench_path(struct bench *b)
{
	uint16_t port;
	int rc = 0;

	if (wire_null_open(&port) != 0)
		return -1;
	output_progress(&b->out, "path", CASES);
	output_line(&b->out, "\npackets through app -> %s -> net_null -> completion, payload written, depth %u, "
		    "Mpps: median (min .. max) of %u rounds", "data", DEPTH, bench_rounds(b));
	output_line(&b->out, "  %-8s %26s %26s %7s", "frame", "vnic", "rte_ring SP/SC", "ratio");
	for (size_t i = 0; i < CASES && rc == 0; i++) {
		rc = run_case(b, &cases[i], port);
		output_step(&b->out);
	}
	wire_close(port);
	return rc;
}
