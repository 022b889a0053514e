/* SPDX-License-Identifier: BSD-3-Clause
 * faults.c - allocations that fail when a test says so
 */
#include "faults.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>

#include <rte_errno.h>
#include <rte_hash.h>
#include <rte_malloc.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>
#include <rte_ring.h>

#include "vnic.h"

static struct {
	_Atomic uint64_t from, to; /* sites that fail, by number */
	_Atomic uint32_t one_in;   /* or at random; 0: none */
	_Atomic uint32_t random;
	_Atomic uint64_t site;     /* number of the next one */
	_Atomic uint32_t failed;
} faults;

void faults_after(uint32_t spared, uint32_t failing)
{
	atomic_store(&faults.failed, 0);
	atomic_store(&faults.site, 0);
	atomic_store(&faults.from, spared);
	atomic_store(&faults.to, (uint64_t)spared + failing);
}

void faults_at_random(uint32_t one_in, uint32_t seed)
{
	atomic_store(&faults.failed, 0);
	atomic_store(&faults.random, seed);
	atomic_store(&faults.one_in, one_in);
}

uint32_t faults_end(void)
{
	atomic_store(&faults.from, 0);
	atomic_store(&faults.to, 0);
	atomic_store(&faults.one_in, 0);
	return atomic_load(&faults.failed);
}

static bool fails(void)
{
	uint64_t site = atomic_fetch_add(&faults.site, 1);
	uint32_t one_in = atomic_load(&faults.one_in);
	bool yes = site >= atomic_load(&faults.from) && site < atomic_load(&faults.to);

	if (one_in != 0) {
		uint32_t r = atomic_fetch_add(&faults.random, 0x9e3779b9u);

		r = (r ^ r >> 16) * 0x85ebca6bu;
		yes |= (r ^ r >> 13) % one_in == 0;
	}
	if (yes)
		atomic_fetch_add(&faults.failed, 1);
	return yes;
}

/* ---- sites ---- */

/* SITE(type, name, what a failure returns, parameters, arguments) */
#define SITE(type, name, failure, parameters, ...) \
	type __real_##name parameters; \
	type __wrap_##name parameters \
	{ \
		return fails() ? failure : __real_##name(__VA_ARGS__); \
	}

/* those that say why; the others leave rte_errno as it is */
#define NULL_ENOMEM (rte_errno = ENOMEM, NULL)

SITE(void *, rte_malloc, NULL, (const char *t, size_t n, unsigned int align), t, n, align)
SITE(void *, rte_zmalloc, NULL, (const char *t, size_t n, unsigned int align), t, n, align)
SITE(void *, rte_calloc, NULL, (const char *t, size_t k, size_t n, unsigned int align), t, k, n,
     align)
SITE(void *, rte_realloc, NULL, (void *p, size_t n, unsigned int align), p, n, align)
SITE(void *, rte_malloc_socket, NULL, (const char *t, size_t n, unsigned int align, int node), t, n,
     align, node)
SITE(void *, rte_zmalloc_socket, NULL, (const char *t, size_t n, unsigned int align, int node), t, n,
     align, node)
SITE(void *, rte_calloc_socket, NULL,
     (const char *t, size_t k, size_t n, unsigned int align, int node), t, k, n, align, node)
SITE(struct rte_ring *, rte_ring_create, NULL_ENOMEM,
     (const char *name, unsigned int n, int node, unsigned int flags), name, n, node, flags)
SITE(struct rte_mempool *, rte_mempool_create_empty, NULL_ENOMEM,
     (const char *name, unsigned int n, unsigned int size, unsigned int cache, unsigned int private,
      int node, unsigned int flags),
     name, n, size, cache, private, node, flags)
SITE(int, rte_mempool_set_ops_byname, -ENOMEM,
     (struct rte_mempool *mp, const char *name, void *config), mp, name, config)
SITE(int, rte_mempool_populate_iova, -ENOMEM,
     (struct rte_mempool *mp, char *at, rte_iova_t iova, size_t n, rte_mempool_memchunk_free_cb_t *free,
      void *opaque),
     mp, at, iova, n, free, opaque)
SITE(int, rte_mempool_populate_default, -ENOMEM, (struct rte_mempool *mp), mp)
SITE(struct rte_hash *, rte_hash_create, NULL_ENOMEM, (const struct rte_hash_parameters *p), p)
SITE(struct rte_mempool *, rte_pktmbuf_pool_create, NULL_ENOMEM,
     (const char *name, unsigned int n, unsigned int cache, uint16_t private, uint16_t room, int node),
     name, n, cache, private, room, node)
SITE(struct rte_mbuf *, rte_pktmbuf_copy, NULL,
     (const struct rte_mbuf *m, struct rte_mempool *mp, uint32_t at, uint32_t n), m, mp, at, n)
SITE(struct rte_mbuf *, rte_pktmbuf_clone, NULL, (struct rte_mbuf *m, struct rte_mempool *mp), m, mp)
SITE(void *, calloc, NULL, (size_t k, size_t n), k, n)
SITE(int, vnic_nbl_alloc, -ENOENT, (struct vnic_nbl_pool *pool, struct vnic_nbl **nbls, uint32_t n),
     pool, nbls, n)

/* ---- the heap ---- */

struct heap heap_now(void)
{
	struct heap h = {0};

	for (int node = 0; node < RTE_MAX_NUMA_NODES; node++) {
		struct rte_malloc_socket_stats st;

		if (rte_malloc_get_socket_stats(node, &st) != 0)
			continue;
		h.blocks += st.alloc_count;
		h.bytes += st.heap_allocsz_bytes;
	}
	return h;
}
