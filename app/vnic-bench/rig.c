/* SPDX-License-Identifier: BSD-3-Clause
 * rig.c - one cancelable ring, its three sides worked by hand, and counted
 */
#include "rig.h"

#include <inttypes.h>
#include <stdio.h>

#include <rte_cycles.h>
#include <rte_lcore.h>
#include <rte_malloc.h>

void *rig_memory(size_t bytes)
{
	void *p = rte_zmalloc("rig", bytes, RIG_APART);

	if (p == NULL)
		fprintf(stderr, "vnic-bench: no memory for a ring of %zu MB; more hugepages: echo 512 > "
			"/proc/sys/vm/nr_hugepages as root, or a larger -m\n", (bytes >> 20) + 1);
	return p;
}

unsigned int rig_other_lcore(bool *yields)
{
	rte_cpuset_t ours = rte_lcore_cpuset(rte_get_main_lcore()), theirs;
	unsigned int lcore, first = LCORE_ID_ANY;

	*yields = false;
	RTE_LCORE_FOREACH_WORKER(lcore) {
		theirs = rte_lcore_cpuset(lcore);
		if (!CPU_EQUAL(&ours, &theirs))
			return lcore;
		first = first == LCORE_ID_ANY ? lcore : first;
	}
	*yields = first != LCORE_ID_ANY;
	return first;
}

static const uint64_t *random_ids(void)
{
	static uint64_t ids[RIG_IDS];
	uint64_t seed = 42;

	for (uint32_t i = 0; ids[RIG_IDS - 1] == 0; i++)
		ids[i] = rig_random(&seed);
	return ids;
}

int rig_open(struct rig *r, uint32_t depth, uint32_t burst)
{
	void *memory = rig_memory(vnic__ring_bytes(depth));

	*r = (struct rig){.depth = depth, .burst = burst, .ids = random_ids(), .seed = 42};
	if (memory == NULL)
		return -1;
	/* just below the wrap of the links' 32 bits */
	r->ring = vnic__ring_init(memory, depth, (UINT64_C(1) << 32) - depth);
	vnic__ring_sides(r->ring, &r->p, &r->c, &r->x);
	return 0;
}

int rig_close(struct rig *r)
{
	uint64_t laps = 0;
	int rc = 0;

	if (r->ring == NULL)
		return 0;
	while (vnic__ring_room(&r->p, r->depth) < r->depth && laps++ <= r->depth)
		rig_transmit(r);
	if (vnic__ring_room(&r->p, r->depth) < r->depth || r->put != r->taken + r->aborted) {
		fprintf(stderr, "vnic-bench: the ring lost count: put %" PRIu64 ", taken %" PRIu64
			", aborted %" PRIu64 ": this is a bug\n", r->put, r->taken, r->aborted);
		rc = -1;
	}
	rte_free(r->ring);
	r->ring = NULL;
	return rc;
}

uint32_t rig_cancel(struct rig *r, uint64_t id, uint64_t *tsc)
{
	struct vnic__ring_target t = {.id = id, .mask = UINT64_MAX};
	struct vnic__ring_found found;
	uint64_t begin;

	/* A1 <- R1 of lib/ring.h */
	t.mark = atomic_load_explicit(&r->ring->tail, memory_order_acquire);
	begin = rte_rdtsc();
	found = vnic__ring_cancel(&r->x, &t, t.mark);
	*tsc = rte_rdtsc() - begin;
	r->aborted += found.nb_claimed;
	return found.nb_claimed;
}

uint64_t rig_sample(struct rig *r)
{
	return vnic__ring_sample(&r->x, rig_random(&r->seed));
}
