/* SPDX-License-Identifier: BSD-3-Clause
 * inflight.h - how many packets the lower port may hold
 *
 * Data thread. What the port holds cannot be taken back, so less is better until the
 * wire runs dry. A port that reports descriptor states is asked whether the packet handed
 * down `limit` packets ago has left; for one that does not, the limit is the size of its
 * tx queue, which the application sets when it opens the port.
 */
#ifndef VNIC_INFLIGHT_H
#define VNIC_INFLIGHT_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_ethdev.h>

#include "vnic.h"

struct vnic__inflight {
	/* rte_eth_tx_descriptor_status, or a test's own */
	int (*status)(uint16_t port, uint16_t queue, uint16_t offset);
	uint16_t port;
	uint16_t queue;
	uint16_t nb_desc; /* of the tx queue; 0: the limit is not kept here */
	uint16_t limit;
};

enum vnic_in_flight vnic__inflight_init(struct vnic__inflight *f, uint16_t port, uint16_t queue,
					uint32_t limit);

static inline bool vnic__inflight_limits(const struct vnic__inflight *f)
{
	return f->nb_desc != 0;
}

/* How many packets, up to n, may be handed down now: the largest k for which the packet
 * handed down limit - k packets ago has left, found by halving. */
static inline uint32_t vnic__inflight_room(const struct vnic__inflight *f, uint32_t n)
{
	uint32_t low = 0, high = n < f->limit ? n : f->limit;

	if (!vnic__inflight_limits(f))
		return n;
	while (low < high) {
		uint32_t k = (low + high + 1) / 2;
		/* offset 0 is the next descriptor to be used, nb_desc - d the one used d ago;
		 * with k = limit none may be below: the newest, d = 1, must have left */
		uint32_t ago = f->limit - k + 1;

		if (f->status(f->port, f->queue, (uint16_t)(f->nb_desc - ago)) ==
		    RTE_ETH_TX_DESC_FULL)
			high = k - 1;
		else
			low = k;
	}
	return low;
}

#endif
