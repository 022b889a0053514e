/* SPDX-License-Identifier: BSD-3-Clause
 * spsc.c - rings between one producer and one consumer
 */
#include "spsc.h"

#include <rte_common.h>
#include <rte_malloc.h>

#include "ring.h"

struct rte_ring *vnic__spsc_create(const char *name, uint32_t nb, int node)
{
	uint32_t count = rte_align32pow2(nb + 1);
	struct rte_ring *r = rte_zmalloc_socket(name, (size_t)rte_ring_get_memsize(count), VNIC__LINE,
						node);

	if (r != NULL && rte_ring_init(r, name, count, RING_F_SP_ENQ | RING_F_SC_DEQ) != 0) {
		rte_free(r);
		r = NULL;
	}
	return r;
}
