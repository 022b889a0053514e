/* SPDX-License-Identifier: BSD-3-Clause
 * pace.c - an adapter's pace, set by any thread
 */
#include "pace.h"

#include <sched.h>

#include <rte_cycles.h>
#include <rte_pause.h>

#include "adapter.h"

#define FRAME_MAX_BITS (16384u * 8)
#define TRIES_BEFORE_YIELD 64

static void write_rates(struct vnic__pace *p, const struct vnic_pacing *rate)
{
	const uint64_t v[PACE_RATES] = {rate->packets_per_s, rate->bits_per_s, rate->burst_packets};

	for (uint32_t i = 0; i < PACE_RATES; i++)
		/* R26 -> A26 */
		atomic_store_explicit(&p->rate[i], v[i], memory_order_release);
}

/* False: it is being written. */
static bool copy_once(const struct vnic__pace *p, struct vnic_pacing *copy, uint32_t *version)
{
	uint64_t v[PACE_RATES];

	/* A25 <- R25 */
	*version = atomic_load_explicit(&p->version, memory_order_acquire);
	for (uint32_t i = 0; i < PACE_RATES; i++)
		/* A26 <- R26 */
		v[i] = atomic_load_explicit(&p->rate[i], memory_order_acquire);
	/* relaxed: after the acquires above */
	if ((*version & 1) || atomic_load_explicit(&p->version, memory_order_relaxed) != *version)
		return false;
	*copy = (struct vnic_pacing){.packets_per_s = v[PACE_PACKETS_PER_S], .bits_per_s = v[PACE_BITS_PER_S],
				     .burst_packets = (uint32_t)v[PACE_BURST_PACKETS]};
	return true;
}

/* On one CPU who is at it must get to run. */
static void wait_a_little(uint32_t tries)
{
	if (tries % TRIES_BEFORE_YIELD == 0)
		sched_yield();
	else
		rte_pause();
}

/* ---- the data thread's ---- */

void vnic__pace_init(struct vnic_adapter *a, const struct vnic_pacing *rate)
{
	write_rates(&a->pace, rate);
	vnic__pacer_init(&a->pacer, rate, a->control->tsc_hz, rte_rdtsc());
}

void vnic__pace_pick_up(struct vnic_adapter *a)
{
	struct vnic_pacing rate;
	uint32_t version;

	if (!copy_once(&a->pace, &rate, &version))
		return;
	a->pace_seen = version;
	vnic__pacer_change(&a->pacer, &rate, a->control->tsc_hz, rte_rdtsc());
	vnic__fair_repaced(a);
}

/* ---- any thread ---- */

void vnic_adapter_set_pacing(struct vnic_adapter *a, const struct vnic_pacing *rate)
{
	uint32_t version = atomic_load_explicit(&a->pace.version, memory_order_relaxed);

	/* acquire: of who wrote before, A25 <- R25 */
	for (uint32_t i = 1; (version & 1) || !atomic_compare_exchange_weak_explicit(
				     &a->pace.version, &version, version + 1, memory_order_acquire,
				     memory_order_relaxed); i++) {
		wait_a_little(i);
		version = atomic_load_explicit(&a->pace.version, memory_order_relaxed);
	}
	write_rates(&a->pace, rate);
	/* R25 -> A25 */
	atomic_store_explicit(&a->pace.version, version + 2, memory_order_release);
}

void vnic_adapter_pacing(const struct vnic_adapter *a, struct vnic_pacing *copy)
{
	uint32_t version;

	for (uint32_t i = 1; !copy_once(&a->pace, copy, &version); i++)
		wait_a_little(i);
}

uint64_t vnic__pace_frame_tsc(const struct vnic_adapter *a)
{
	uint64_t hz = a->control->tsc_hz;
	/* relaxed: each by itself */
	uint64_t packets = atomic_load_explicit(&a->pace.rate[PACE_PACKETS_PER_S], memory_order_relaxed);
	uint64_t bits = atomic_load_explicit(&a->pace.rate[PACE_BITS_PER_S], memory_order_relaxed);

	return RTE_MAX(packets != 0 ? hz / packets : 0, bits != 0 ? hz * FRAME_MAX_BITS / bits : 0);
}
