/* SPDX-License-Identifier: BSD-3-Clause
 * segments.h - a TCP packet that leaves as several frames, because the port does not segment
 *
 * Data thread, but for setup. The frames of one packet are made at once, by DPDK's gso library,
 * and handed down as the port takes them; what it does not take waits with the sender's first
 * staged NBL. The frames point into the packet, which stays the sender's, unchanged, until
 * the port has taken the last of them. One packet of an adapter is under way at a time.
 */
#ifndef VNIC_SEGMENTS_H
#define VNIC_SEGMENTS_H

#include <stdint.h>

#include <rte_gso.h>

#include "fit.h"

/* A sender's packet under way. */
struct vnic__segments {
	uint32_t nb;    /* 0: none */
	uint32_t first; /* that the port has not taken yet */
	struct rte_mbuf *frame[VNIC__SEGMENTS_MAX];
};

struct vnic__segmenter {
	struct rte_mempool *headers; /* NULL: the port segments */
	struct rte_mempool *pieces;  /* pointers into packets */
};

/* Setup: with pools for a packet and for `nb_kept` frames that the port may keep. 0 or a
 * negative errno value. */
int vnic__segmenter_init(struct vnic__segmenter *sg, const struct vnic__offload *offload,
			 uint32_t nb_kept, int numa_node);
void vnic__segmenter_fini(struct vnic__segmenter *sg);

/* Make the frames of a packet for which vnic__fit_make() has said PENDING: SUCCESS, RESOURCES,
 * or as of vnic__offload_read(); then there are none. */
uint32_t vnic__segments_make(const struct vnic__segmenter *sg, struct vnic__fit *fit,
			     struct rte_mbuf *m, struct vnic__segments *g);
/* Free those that the port has not taken. */
void vnic__segments_drop(struct vnic__segments *g);

#endif
