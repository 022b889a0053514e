/* SPDX-License-Identifier: BSD-3-Clause
 * spsc.h - rings between one producer and one consumer, in memory of their own
 *
 * Setup threads.
 */
#ifndef VNIC_SPSC_H
#define VNIC_SPSC_H

#include <rte_ring.h>

/* Room for `nb` pointers at least, on a node; rte_free() ends it. NULL: no memory. Rings of one
 * name may be many: it is not looked up. */
struct rte_ring *vnic__spsc_create(const char *name, uint32_t nb, int node);

#endif
