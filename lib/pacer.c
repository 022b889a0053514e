/* SPDX-License-Identifier: BSD-3-Clause
 * pacer.c - rates into ticks
 */
#include "pacer.h"

#include "vnic.h"

#define BURST_LEAST 32 /* packets */
#define BURST_PER_S 100 /* by default an idle time saves up a hundredth of a second */
#define LATE_PER_S 10   /* a lcore that did not run may catch up a tenth */
#define DEPTH_MAX (UINT64_C(1) << 62) /* differences of times are signed 64 bits */
#define FRAME_MAX_BITS (1514u * 8)

static uint64_t larger(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static uint64_t times(uint64_t cost, uint64_t units)
{
	unsigned __int128 product = (unsigned __int128)cost * units;

	return product < DEPTH_MAX ? (uint64_t)product : DEPTH_MAX;
}

static void bucket_init(struct vnic__bucket *b, uint64_t rate, uint64_t units, uint64_t tsc_hz,
			uint64_t now)
{
	*b = (struct vnic__bucket){.empty_at = now << VNIC__PACER_FRACTION};
	if (rate == 0)
		return;
	b->cost = (uint64_t)((((unsigned __int128)tsc_hz << VNIC__PACER_FRACTION) + rate / 2) / rate);
	b->cost = larger(b->cost, 1);
	b->depth = times(b->cost, units);
	b->late = larger(b->depth, (tsc_hz << VNIC__PACER_FRACTION) / LATE_PER_S);
}

void vnic__pacer_init(struct vnic__pacer *p, const struct vnic_pacing *rate, uint64_t tsc_hz,
		      uint64_t now)
{
	uint64_t packets = rate->burst_packets, bits = packets * FRAME_MAX_BITS;

	if (packets == 0) {
		packets = larger(rate->packets_per_s / BURST_PER_S, BURST_LEAST);
		bits = larger(rate->bits_per_s / BURST_PER_S, BURST_LEAST * FRAME_MAX_BITS);
	}
	bucket_init(&p->packets, rate->packets_per_s, packets, tsc_hz, now);
	bucket_init(&p->bits, rate->bits_per_s, bits, tsc_hz, now);
}

/* The time that stands for as much at the new cost as the old bucket has saved, or owes. */
static int64_t carried(const struct vnic__bucket *was, const struct vnic__bucket *is, uint64_t now)
{
	int64_t saved = (int64_t)((now << VNIC__PACER_FRACTION) - was->empty_at);
	__int128 time;

	if (was->cost == 0 || is->cost == 0)
		return 0;
	time = (__int128)saved * (__int128)is->cost / (__int128)was->cost;
	if (time < -(__int128)DEPTH_MAX)
		return -(int64_t)DEPTH_MAX;
	return time > (__int128)is->depth ? (int64_t)is->depth : (int64_t)time;
}

static void bucket_change(struct vnic__bucket *b, const struct vnic__bucket *is, uint64_t now)
{
	int64_t time = carried(b, is, now);

	*b = *is;
	b->empty_at -= (uint64_t)time;
}

void vnic__pacer_change(struct vnic__pacer *p, const struct vnic_pacing *rate, uint64_t tsc_hz,
			uint64_t now)
{
	struct vnic__pacer is;

	vnic__pacer_init(&is, rate, tsc_hz, now);
	bucket_change(&p->packets, &is.packets, now);
	bucket_change(&p->bits, &is.bits, now);
}
