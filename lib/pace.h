/* SPDX-License-Identifier: BSD-3-Clause
 * pace.h - the pace that an adapter is told to keep, on its way to the data thread
 *
 * Any thread sets it, one at a time; the data thread looks at its version once a poll, and picks
 * it up when it is whole. Who meets it half written comes again: the data thread at its next
 * poll, a reader at once.
 *
 *   R25/A25  version, even: the rates before it
 *   R26/A26  a rate: the odd version before it
 */
#ifndef VNIC_PACE_H
#define VNIC_PACE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct vnic_adapter;
struct vnic_pacing;

enum { PACE_PACKETS_PER_S, PACE_BITS_PER_S, PACE_BURST_PACKETS, PACE_RATES };

struct vnic__pace {
	_Atomic uint32_t version; /* odd: being written */
	_Atomic uint64_t rate[PACE_RATES];
};

/* Setup: of a new adapter. */
void vnic__pace_init(struct vnic_adapter *a, const struct vnic_pacing *rate);

/* Data thread: is it another than the one of version `seen`? */
static inline bool vnic__pace_changed(const struct vnic__pace *p, uint32_t seen)
{
	/* relaxed: a glance; pick_up() orders */
	return atomic_load_explicit(&p->version, memory_order_relaxed) != seen;
}

/* Data thread: keep to it from now on, if it is whole. */
void vnic__pace_pick_up(struct vnic_adapter *a);

/* Any thread: TSC ticks that the pace itself may keep a frame back. */
uint64_t vnic__pace_frame_tsc(const struct vnic_adapter *a);

#endif
