/* SPDX-License-Identifier: BSD-3-Clause
 * rig.h - one cancelable ring, its three sides worked by hand, and counted
 *
 *   open, close   any thread while no side is at work
 *   send, transmit   one thread at a time
 *   cancel, sample   another thread, one at a time
 */
#ifndef BENCH_RIG_H
#define BENCH_RIG_H

#include <stdalign.h>
#include <stdbool.h>
#include <stdint.h>

#include <ring.h>

#define RIG_BURST_MAX VNIC__RING_STAGE_MAX
#define RIG_IDS 65536u
#define RIG_APART 128 /* bytes; lines are fetched in pairs */

struct rig {
	uint32_t depth, burst;
	struct vnic__ring *ring;
	struct vnic__ring_producer p;
	struct vnic__ring_consumer c;
	const uint64_t *ids; /* RIG_IDS at random */
	uint64_t next_id;
	uint64_t put, taken;
	alignas(RIG_APART) struct vnic__ring_canceller x;
	uint64_t aborted;
	uint64_t seed;
};

/* Memory for that many bytes at cache lines, in hugepages where EAL has them. NULL: said. */
void *rig_memory(size_t bytes);

/* An empty ring. -1: said. */
int rig_open(struct rig *r, uint32_t depth, uint32_t burst);
/* Transmit what is left; what was put is what was taken or aborted, or -1: said. */
int rig_close(struct rig *r);

/* Canceller: take back what is queued of the id; how many, and in how many TSC ticks. */
uint32_t rig_cancel(struct rig *r, uint64_t id, uint64_t *tsc);
/* Canceller: the id of a queued NBL at random, 0 if none is found. */
uint64_t rig_sample(struct rig *r);

/* The lcore that works the other side: on another CPU than the main one's if there is one.
 * LCORE_ID_ANY: there is no other lcore. *yields: they share a CPU, who waits yields it. */
unsigned int rig_other_lcore(bool *yields);

static inline uint64_t rig_random(uint64_t *s)
{
	*s ^= *s << 13;
	*s ^= *s >> 7;
	*s ^= *s << 17;
	return *s;
}

/* The n-th id: random and, for as long as this runs, there but once; from a table, since to
 * draw one costs more than the ring. */
static inline uint64_t rig_id(const uint64_t *ids, uint64_t n)
{
	return ids[n % RIG_IDS] ^ n / RIG_IDS;
}

/* A burst in; returns how many fitted. */
static inline uint32_t rig_send(struct rig *r)
{
	struct vnic__ring_burst burst = vnic__ring_begin(&r->p);
	uint32_t n = vnic__ring_room(&r->p, r->burst);
	/* in locals, which the ring's stores cannot alias */
	const uint64_t *ids = r->ids;
	uint64_t at = r->next_id;

	for (uint32_t i = 0; i < n; i++)
		vnic__ring_put(&burst, i, rig_id(ids, at + i));
	vnic__ring_publish(&r->p, &burst);
	r->next_id = at + n;
	r->put += n;
	return n;
}

/* A burst out, as a data lcore takes it. */
static inline void rig_transmit(struct rig *r)
{
	uint32_t advanced, n = vnic__ring_claim(&r->c, r->burst, &advanced);

	if (vnic__ring_help_wanted(&r->c))
		vnic__ring_help_done(&r->c, 0);
	vnic__ring_release(&r->c, n);
	r->taken += n;
}

#endif
