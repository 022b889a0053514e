/* SPDX-License-Identifier: BSD-3-Clause
 * inflight.c - cancels that come too late, against how much the port may hold
 *
 * What the port has taken cannot be taken back. A wire of a steady pace behind ports that hold
 * more or less; a full queue before it; NBLs cancelled at random times between their send and
 * their leaving on the wire.
 */
#include "inflight.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <rte_common.h>
#include <rte_cycles.h>

#include "canceller.h"
#include "team.h"
#include "wire.h"

#define DEPTH 1024u
#define UNSENT (DEPTH + DESIGN_BURST / 2) /* in the full queue, and staged, on the average */
#define PACKETS_PER_S 1000000u
#define CANCELS_PER_S 10000u
#define WARM_S 0.005
#define STEPS 8

static const uint32_t sizes[] = {32, 64, 128, 256, 512, 1024, 2048};
#define SIZES RTE_DIM(sizes)

static const uint16_t frame = 64;

struct lane {
	struct stock stock;
	struct wire_ring wire;
	struct design *design;
	struct canceller canceller;
	struct samples percent, mpps;
};

static uint32_t data(struct team *t)
{
	struct lane *l = t->context;

	wire_ring_turn(&l->wire);
	return t->design->ops->data(t->design);
}

static uint32_t control(struct team *t)
{
	struct lane *l = t->context;

	return canceller_step(&l->canceller, t->design);
}

static void pump(struct lane *l, struct team *team, uint64_t ticks)
{
	uint64_t begin = rte_rdtsc();

	while (rte_rdtsc() - begin < ticks)
		for (uint32_t i = 0; i < STEPS; i++) {
			while (stock_send(&l->stock, l->design, 0) == DESIGN_BURST)
				;
			canceller_newest(&l->canceller, &l->stock);
			team_step(team);
			stock_poll(&l->stock, l->design, 0, NULL);
		}
}

static int run_round(struct bench *b, struct lane *l, double seconds)
{
	struct team team = {.data = data, .control = control, .context = l};
	const struct canceller_count *n = &l->canceller.count[1];
	uint64_t hz = rte_get_tsc_hz(), begin, sent;
	double us;

	memset(l->canceller.count, 0, sizeof(l->canceller.count));
	canceller_phase(&l->canceller, 0, false);
	team_start(&team, l->design, TEAM_CONTROL_APART);
	pump(l, &team, (uint64_t)(WARM_S * (double)hz));
	canceller_phase(&l->canceller, 1, true);
	begin = rte_rdtsc();
	sent = l->stock.seen.sent;
	pump(l, &team, (uint64_t)(seconds * (double)hz));
	us = bench_ns(b, rte_rdtsc() - begin) / 1e3;
	sent = l->stock.seen.sent - sent;
	team_stop(&team);
	if (n->matched + n->too_late != 0) { /* or the lcores were kept from it */
		samples_add(&l->percent, 100.0 * (double)n->too_late / (double)(n->matched + n->too_late));
		samples_add(&l->mpps, (double)sent / us);
	}
	return canceller_finish(&l->canceller, l->design, &l->stock);
}

static int lane_open(struct lane *l, uint32_t size)
{
	const struct stock_conf sc = {.nb = DEPTH + size + 4 * DESIGN_BURST, .sizes = &frame, .nb_sizes = 1};
	struct design_conf dc = {.depth = DEPTH, .nb_senders = 1};

	canceller_init(&l->canceller);
	l->canceller.span = UNSENT + size;
	l->canceller.irregular = true;
	l->canceller.interval[0] = CANCELLER_NONE;
	l->canceller.interval[1] = rte_get_tsc_hz() / CANCELS_PER_S;
	samples_begin(&l->percent, BENCH_ROUNDS_MAX);
	samples_begin(&l->mpps, BENCH_ROUNDS_MAX);
	if (wire_ring_open(&l->wire, size, PACKETS_PER_S) != 0 || stock_open(&l->stock, &sc) != 0)
		return -1;
	dc.port = l->wire.port;
	dc.nbls = l->stock.nbls;
	l->design = design_vnic.create(&dc);
	return l->design != NULL ? 0 : -1;
}

static void lane_close(struct lane *l)
{
	if (l->design != NULL)
		l->design->ops->destroy(l->design);
	if (l->percent.value != NULL) /* it was begun */
		wire_ring_close(&l->wire);
	stock_close(&l->stock);
	samples_end(&l->percent);
	samples_end(&l->mpps);
}

/* Everything is back, and what was sent is on the wire or before it. */
static int lane_settle(struct lane *l)
{
	uint64_t on_wire;

	if (l->percent.nb == 0) {
		fprintf(stderr, "vnic-bench: no cancel was made in any round; raise --seconds\n");
		return -1;
	}
	if (stock_settle(&l->stock, l->design, 1, true) != 0)
		return -1;
	on_wire = l->wire.left + wire_ring_held(&l->wire);
	if (on_wire == l->stock.seen.sent)
		return 0;
	fprintf(stderr, "vnic-bench: %" PRIu64 " packets were sent, %" PRIu64 " came to the wire: "
		"this is a bug\n", l->stock.seen.sent, on_wire);
	return -1;
}

static void put_lane(struct bench *b, struct lane *l, uint32_t size)
{
	FILE *csv = output_csv(&b->out, "inflight", "in_flight,round,too_late_percent,mpps");
	double percent, mpps;
	char key[64];

	for (size_t k = 0; k < l->percent.nb; k++)
		fprintf(csv, "%u,%zu,%.3f,%.5f\n", size, k, l->percent.value[k], l->mpps.value[k]);
	percent = samples_median(&l->percent);
	mpps = samples_median(&l->mpps);
	snprintf(key, sizeof(key), "too_late_percent_%u", size);
	output_figure(&b->out, key, percent);
	snprintf(key, sizeof(key), "in_flight_mpps_%u", size);
	output_figure(&b->out, key, mpps);
	output_line(&b->out, "  %9u %8.2f (%5.2f .. %5.2f) %8.2f %9.3f (%5.3f .. %5.3f)", size, percent,
		    samples_min(&l->percent), samples_max(&l->percent), 100.0 * size / (UNSENT + size),
		    mpps, samples_min(&l->mpps), samples_max(&l->mpps));
}

static int run_rounds(struct bench *b, struct lane *lane, double slice_s)
{
	int rc = 0;

	output_progress(&b->out, "late", bench_rounds(b));
	for (uint32_t r = 0; r < bench_rounds(b) && rc == 0; r++) {
		for (uint32_t i = 0; i < SIZES && rc == 0; i++)
			rc = run_round(b, &lane[i], slice_s);
		output_step(&b->out);
	}
	for (uint32_t i = 0; i < SIZES && rc == 0; i++)
		rc = lane_settle(&lane[i]);
	return rc;
}

static void put_head(struct bench *b)
{
	output_line(&b->out, "\ncancels that come too late, against how much the port may hold: a wire "
		    "of %.0f Mpps, a full queue of %u\nbefore it, NBLs cancelled at random times between "
		    "their send and their leaving; medians (min .. max)\nof %u rounds. its part: what the "
		    "port holds of all that has not left. Mpps below the wire's: it ran\ndry, for want of "
		    "packets or of the data lcore", PACKETS_PER_S / 1e6, DEPTH, bench_rounds(b));
	output_line(&b->out, "  %9s %25s %8s %27s", "in flight", "too late %", "its part", "Mpps");
}

int bench_inflight(struct bench *b, double seconds)
{
	double slice_s = seconds / (bench_rounds(b) * (double)SIZES);
	struct lane *lane = aligned_alloc(alignof(struct lane), SIZES * sizeof(*lane));
	int rc = 0;

	if (lane == NULL) {
		fprintf(stderr, "vnic-bench: no memory for the counts of %zu ports\n", SIZES);
		return -1;
	}
	memset(lane, 0, SIZES * sizeof(*lane));
	for (uint32_t i = 0; i < SIZES && rc == 0; i++)
		rc = lane_open(&lane[i], sizes[i]);
	if (rc == 0)
		rc = run_rounds(b, lane, slice_s);
	if (rc == 0)
		put_head(b);
	for (uint32_t i = 0; i < SIZES; i++) {
		if (rc == 0)
			put_lane(b, &lane[i], sizes[i]);
		lane_close(&lane[i]);
	}
	free(lane);
	return rc;
}
