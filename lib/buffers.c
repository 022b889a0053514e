/* SPDX-License-Identifier: BSD-3-Clause
 * buffers.c - buffers that ports may have, and those of ports: their names, and when they may go
 *
 * Setup threads.
 */
#include "buffers.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include <rte_malloc.h>
#include <rte_mbuf.h>
#include <rte_spinlock.h>

#define NAME_LEN 64
#define CACHE 256
#define POOLS_MAX 8 /* of ports that had one number, buffers of which are still out there */

static struct rte_mempool *find(uint16_t port, bool made, uint32_t n, char name[NAME_LEN])
{
	snprintf(name, NAME_LEN, made ? "vnic_made_%u_%u" : "vnic_found_%u", port, n);
	return rte_mempool_lookup(name);
}

struct rte_mempool *vnic__buffers_create(uint16_t port, bool made, uint32_t nb, uint16_t room,
					 int node)
{
	struct rte_mempool *mp = NULL;
	char name[NAME_LEN];
	uint32_t n = 0;

	while ((mp = find(port, made, n, name)) != NULL && made && n < POOLS_MAX)
		n++;
	return mp != NULL ? mp : rte_pktmbuf_pool_create(name, nb, CACHE, 0, room, node);
}

bool vnic__buffers_made(uint16_t port)
{
	char name[NAME_LEN];

	for (uint32_t n = 0; n <= POOLS_MAX; n++)
		if (find(port, true, n, name) != NULL)
			return true;
	return false;
}

void vnic__buffers_drop(struct rte_mempool *mp)
{
	if (mp != NULL && rte_mempool_in_use_count(mp) == 0)
		rte_mempool_free(mp);
}

/* ---- buffers that other threads may be giving back ----
 *
 * Nobody takes any of them now, so that their number in the pool only grows. But who gives some
 * back to its lcore's cache says so before they lie there, and who empties a full cache into the
 * ring has them counted twice for a moment. So all must be back at two looks, between which each
 * thread has ended the poll that it was in, and each number must be the same at both: then nothing
 * was given back after the first look, what was before is there, and nothing is counted twice: the
 * ring would have more than before. */

struct look {
	unsigned int in_ring;
	uint32_t cached[RTE_MAX_LCORE];
};

/* Are all back, as counted? The ring first: what leaves a cache now is missed, at worst. */
static bool look(const struct rte_mempool *mp, struct look *l)
{
	uint64_t nb;

	memset(l, 0, sizeof(*l));
	nb = l->in_ring = rte_mempool_get_ops(mp->ops_index)->get_count(mp);
	for (uint32_t i = 0; mp->cache_size != 0 && i < RTE_MAX_LCORE; i++)
		nb += l->cached[i] = mp->local_cache[i].len;
	return nb == mp->size;
}

static bool all_back(const struct rte_mempool *mp, vnic_quiesce *quiesce, void *context)
{
	struct look first, second;

	if (!look(mp, &first))
		return false;
	if (quiesce == NULL)
		return true;
	quiesce(context);
	look(mp, &second);
	return memcmp(&first, &second, sizeof(first)) == 0;
}

void vnic__buffers_free(uint16_t port, vnic_quiesce *quiesce, void *context)
{
	char name[NAME_LEN];

	for (uint32_t n = 0; n <= POOLS_MAX; n++) {
		struct rte_mempool *mp = find(port, true, n, name);

		if (mp != NULL && all_back(mp, quiesce, context))
			rte_mempool_free(mp);
	}
}

/* ---- of adapters that are no more ---- */

struct left {
	struct left *next;
	struct rte_mempool *mp;
};

static rte_spinlock_t lock = RTE_SPINLOCK_INITIALIZER; /* setup threads of several controls */
static struct left *left_first;

uint32_t vnic__buffers_number(void)
{
	static _Atomic uint32_t number;

	return atomic_fetch_add_explicit(&number, 1, memory_order_relaxed);
}

static void keep(struct left *l)
{
	rte_spinlock_lock(&lock);
	l->next = left_first;
	left_first = l;
	rte_spinlock_unlock(&lock);
}

void vnic__buffers_leave(struct rte_mempool *mp)
{
	struct left *l;

	if (mp == NULL || rte_mempool_in_use_count(mp) == 0) {
		rte_mempool_free(mp);
		return;
	}
	l = rte_malloc("vnic_left", sizeof(*l), 0);
	if (l == NULL)
		return; /* it stays, for good */
	l->mp = mp;
	keep(l);
}

void vnic__buffers_free_left(vnic_quiesce *quiesce, void *context)
{
	struct left *l, *next;

	rte_spinlock_lock(&lock);
	l = left_first;
	left_first = NULL;
	rte_spinlock_unlock(&lock);
	for (; l != NULL; l = next) {
		next = l->next;
		if (all_back(l->mp, quiesce, context)) {
			rte_mempool_free(l->mp);
			rte_free(l);
		} else {
			keep(l);
		}
	}
}
