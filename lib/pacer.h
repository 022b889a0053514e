/* SPDX-License-Identifier: BSD-3-Clause
 * pacer.h - how many packets may leave now: packets/s and bits/s, each a bucket
 *
 * Data thread. Time is the TSC; a bucket is a point in time at which it was empty, kept
 * in TSC ticks with 16 fractional bits: the rate is exact over any interval but for the
 * rounding of one packet's or bit's cost to 2^-16 tick. Times are differences, so their
 * wrap is harmless as long as a bucket is asked once in some hours; a polled adapter does.
 * A bucket may run into debt by the last packet it let go; the debt is waited for.
 */
#ifndef VNIC_PACER_H
#define VNIC_PACER_H

#include <stdbool.h>
#include <stdint.h>

struct vnic_pacing;

#define VNIC__PACER_FRACTION 16

struct vnic__bucket {
	uint64_t empty_at; /* ticks << FRACTION */
	uint64_t cost;     /* of one packet or bit, likewise; 0: unlimited */
	uint64_t depth;    /* the most that an idle time may save up, likewise */
	uint64_t late;     /* the most that a late poll may catch up; at least depth */
};

struct vnic__pacer {
	struct vnic__bucket packets;
	struct vnic__bucket bits;
};

void vnic__pacer_init(struct vnic__pacer *p, const struct vnic_pacing *rate, uint64_t tsc_hz,
		      uint64_t now);

/* Other rates from `now` on. What was saved up, or is owed, stays as many packets and bits as it was,
 * but no more than the new burst. */
void vnic__pacer_change(struct vnic__pacer *p, const struct vnic_pacing *rate, uint64_t tsc_hz,
			uint64_t now);

static inline bool vnic__pacer_limits(const struct vnic__pacer *p)
{
	return (p->packets.cost | p->bits.cost) != 0;
}

/* What has been saved up at `now`, 0 in debt, cut down to `most`. */
static inline uint64_t vnic__bucket_saved(struct vnic__bucket *b, uint64_t now, uint64_t most)
{
	int64_t saved = (int64_t)((now << VNIC__PACER_FRACTION) - b->empty_at);

	if (saved <= 0)
		return 0;
	if ((uint64_t)saved > most) {
		b->empty_at = (now << VNIC__PACER_FRACTION) - most;
		return most;
	}
	return (uint64_t)saved;
}

/* There was nothing to send at `now`, or the port took none: time that passes so is not
 * saved up beyond the burst. Time that passes because the lcore did not run is. */
static inline void vnic__pacer_idle(struct vnic__pacer *p, uint64_t now)
{
	vnic__bucket_saved(&p->packets, now, p->packets.depth);
	vnic__bucket_saved(&p->bits, now, p->bits.depth);
}

/* How many packets, up to n, may be claimed now. */
static inline uint32_t vnic__pacer_room(struct vnic__pacer *p, uint64_t now, uint32_t n)
{
	if (p->packets.cost != 0) {
		uint64_t k = vnic__bucket_saved(&p->packets, now, p->packets.late) / p->packets.cost;

		n = k < n ? (uint32_t)k : n;
	}
	if (p->bits.cost != 0) {
		/* a guess, frames of 1514 bytes: their lengths are known when claimed */
		uint64_t frame = p->bits.cost * 8 * 1514;
		uint64_t k = (vnic__bucket_saved(&p->bits, now, p->bits.late) + frame - 1) / frame;

		n = k < n ? (uint32_t)k : n;
	}
	return n;
}

/* How many bytes may leave now: packets, as long as fewer have left. */
static inline uint64_t vnic__pacer_bytes(struct vnic__pacer *p, uint64_t now)
{
	uint64_t byte = p->bits.cost * 8;

	if (byte == 0)
		return UINT64_MAX;
	return (vnic__bucket_saved(&p->bits, now, p->bits.late) + byte - 1) / byte;
}

static inline void vnic__pacer_charge(struct vnic__pacer *p, uint32_t nb_packets, uint64_t bytes)
{
	p->packets.empty_at += nb_packets * p->packets.cost;
	p->bits.empty_at += bytes * 8 * p->bits.cost;
}

#endif
