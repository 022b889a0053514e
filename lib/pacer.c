/* SPDX-License-Identifier: BSD-3-Clause
 * pacer.c - rates into ticks
 */
#include "pacer.h"

#include "vnic.h"

#define BURST_DEFAULT 32
#define DEPTH_MAX (UINT64_C(1) << 62) /* differences of times are signed 64 bits */
#define FRAME_MAX_BITS (1514u * 8)

static void bucket_init(struct vnic__bucket *b, uint64_t rate, uint64_t units, uint64_t tsc_hz,
			uint64_t now)
{
	unsigned __int128 depth;

	b->empty_at = now << VNIC__PACER_FRACTION;
	b->cost = 0;
	b->depth = 0;
	if (rate == 0)
		return;
	b->cost = (uint64_t)((((unsigned __int128)tsc_hz << VNIC__PACER_FRACTION) + rate / 2) / rate);
	if (b->cost == 0)
		b->cost = 1;
	depth = (unsigned __int128)b->cost * units;
	b->depth = depth < DEPTH_MAX ? (uint64_t)depth : DEPTH_MAX;
}

void vnic__pacer_init(struct vnic__pacer *p, const struct vnic_pacing *rate, uint64_t tsc_hz,
		      uint64_t now)
{
	uint64_t burst = rate->burst_packets != 0 ? rate->burst_packets : BURST_DEFAULT;

	bucket_init(&p->packets, rate->packets_per_s, burst, tsc_hz, now);
	bucket_init(&p->bits, rate->bits_per_s, burst * FRAME_MAX_BITS, tsc_hz, now);
}
