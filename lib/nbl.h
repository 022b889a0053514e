/* SPDX-License-Identifier: BSD-3-Clause
 * nbl.h - the library's side of an NBL and of its pool
 *
 * Any thread. A ring names an NBL by its handle, its distance from the pool's first
 * byte in cache lines.
 */
#ifndef VNIC_NBL_H
#define VNIC_NBL_H

#include "ring.h"
#include "vnic.h"

#include <rte_mempool.h>

#define VNIC__NBL_UNIT_SHIFT 6

struct vnic_nbl_pool {
	struct rte_mempool *mempool;
	char *base; /* handle 0 */
};

/* A sent NBL's flags lie in reserved16. In reserved32 a layer's data thread counts the clones
 * of an NBL that it has handed down. In reserved64 is the link in a list of refused NBLs, in a
 * clone its parent's position: see layer.h. All are the library's until the NBL is completed. */
#define VNIC__NBL_FIT 0x1   /* a packet must be fitted to the port: see fit.h */
#define VNIC__NBL_TAKEN 0x2 /* a cancel has counted it by one of its clones: see layer.h */

static inline struct vnic_nbl *vnic__nbl_of(const char *base, uint32_t handle)
{
	return (struct vnic_nbl *)(uintptr_t)(base + ((size_t)handle << VNIC__NBL_UNIT_SHIFT));
}

static inline uint32_t vnic__nbl_handle(const char *base, const struct vnic_nbl *nbl)
{
	return (uint32_t)(((uintptr_t)nbl - (uintptr_t)base) >> VNIC__NBL_UNIT_SHIFT);
}

#endif
