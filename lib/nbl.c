/* SPDX-License-Identifier: BSD-3-Clause
 * nbl.c - pool of NBLs: a mempool over one block, so that a handle is a distance
 */
#include "nbl.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_malloc.h>

_Static_assert(sizeof(struct vnic_nbl) == 40, "three packets share the header's cache line");

#define NBLS_MAX 8388608u
#define PACKETS_MAX 1024u
#define NAME_MAX_LEN 20
#define CACHE_SIZE 256u
#define PAGE_SHIFT 12

static size_t nbl_bytes(uint16_t max_packets)
{
	size_t n = sizeof(struct vnic_nbl) + max_packets * sizeof(struct rte_mbuf *);

	return RTE_ALIGN_CEIL(n, RTE_CACHE_LINE_SIZE);
}

static void nbl_init(struct rte_mempool *mp, void *arg, void *obj, unsigned int i)
{
	struct vnic_nbl *nbl = obj;

	(void)mp;
	(void)i;
	memset(nbl, 0, sizeof(*nbl));
	nbl->max_packets = *(uint16_t *)arg;
}

static void block_free(struct rte_mempool_memhdr *hdr, void *opaque)
{
	(void)hdr;
	rte_free(opaque);
}

/* The mempool's objects, all in one block of memory. */
static int populate(struct vnic_nbl_pool *pool, uint32_t nb_nbls, int numa_node)
{
	struct rte_mempool *mp = pool->mempool;
	size_t min_chunk, align;
	/* for the smallest page there is: no object crosses the end of one */
	ssize_t len = rte_mempool_op_calc_mem_size_default(mp, nb_nbls, PAGE_SHIFT, &min_chunk, &align);
	char *block;
	int n;

	if (len < 0)
		return (int)len;
	if (((size_t)len >> VNIC__NBL_UNIT_SHIFT) > VNIC__HANDLE_MAX)
		return -ENOMEM;
	block = rte_malloc_socket("vnic_nbl", (size_t)len, RTE_MAX(align, (size_t)1 << PAGE_SHIFT), numa_node);
	if (block == NULL)
		return -ENOMEM;
	n = rte_mempool_populate_iova(mp, block, RTE_BAD_IOVA, (size_t)len, block_free, block);
	if (n < 0 || (uint32_t)n < nb_nbls) {
		if (n < 0)
			rte_free(block);
		return n < 0 ? n : -ENOMEM;
	}
	pool->base = block;
	return 0;
}

struct vnic_nbl_pool *vnic_nbl_pool_create(const char *name, uint32_t nb_nbls,
					   uint16_t max_packets, int numa_node)
{
	struct vnic_nbl_pool *pool;
	char full[RTE_MEMPOOL_NAMESIZE];
	uint32_t cache = CACHE_SIZE;
	int rc;

	if (name == NULL || name[0] == '\0' || strlen(name) > NAME_MAX_LEN || nb_nbls == 0 ||
	    nb_nbls > NBLS_MAX || max_packets == 0 || max_packets > PACKETS_MAX) {
		rte_errno = EINVAL;
		return NULL;
	}
	while (cache * 3 > nb_nbls)
		cache /= 2;
	pool = rte_zmalloc_socket("vnic_pool", sizeof(*pool), 0, numa_node);
	if (pool == NULL) {
		rte_errno = ENOMEM;
		return NULL;
	}
	snprintf(full, sizeof(full), "nbl_%s", name);
	pool->mempool = rte_mempool_create_empty(full, nb_nbls, (unsigned int)nbl_bytes(max_packets),
						 cache, 0, numa_node, RTE_MEMPOOL_F_NO_SPREAD);
	if (pool->mempool == NULL) {
		rte_free(pool);
		return NULL; /* rte_errno is set */
	}
	rc = rte_mempool_set_ops_byname(pool->mempool, "ring_mp_mc", NULL);
	if (rc == 0)
		rc = populate(pool, nb_nbls, numa_node);
	if (rc != 0) {
		rte_mempool_free(pool->mempool);
		rte_free(pool);
		rte_errno = -rc;
		return NULL;
	}
	rte_mempool_obj_iter(pool->mempool, nbl_init, &max_packets);
	return pool;
}

int vnic_nbl_pool_destroy(struct vnic_nbl_pool *pool)
{
	if (pool == NULL)
		return 0;
	if (vnic_nbl_pool_in_use(pool) != 0)
		return -EBUSY;
	rte_mempool_free(pool->mempool);
	rte_free(pool);
	return 0;
}

int vnic_nbl_alloc(struct vnic_nbl_pool *pool, struct vnic_nbl **nbls, uint32_t n)
{
	int rc = rte_mempool_get_bulk(pool->mempool, (void **)nbls, n);

	if (rc != 0)
		return -ENOENT;
	for (uint32_t i = 0; i < n; i++) {
		nbls[i]->cancel_id = 0;
		nbls[i]->nb_packets = 0;
	}
	return 0;
}

void vnic_nbl_free(struct vnic_nbl_pool *pool, struct vnic_nbl *const *nbls, uint32_t n)
{
	rte_mempool_put_bulk(pool->mempool, (void *const *)nbls, n);
}

uint32_t vnic_nbl_pool_in_use(const struct vnic_nbl_pool *pool)
{
	return rte_mempool_in_use_count(pool->mempool);
}
