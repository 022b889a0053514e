/* SPDX-License-Identifier: BSD-3-Clause
 * demux.h - whose is a packet, by its destination's address and its VLAN
 *
 * Data thread, behind its door: what it finds may be taken away, and is not before it is
 * outside.
 */
#ifndef VNIC_DEMUX_H
#define VNIC_DEMUX_H

#include "receive.h"

/* One burst, sorted: whose each packet is. */
struct vnic__sorted {
	uint64_t bad;   /* a bit for each packet that is no frame */
	uint64_t group; /* broadcast or multicast */
	uint16_t vlan[VNIC_BURST_MAX];
	uint64_t key[VNIC_BURST_MAX];
	struct vnic_receiver *to[VNIC_BURST_MAX]; /* NULL: unknown */
};

/* n packets, VNIC_BURST_MAX at most. */
void vnic__demux(const struct vnic__receive *rc, struct rte_mbuf **packet, uint32_t n,
		 struct vnic__sorted *s);
/* The sender's receiver is where its packets come from. */
void vnic__learn(struct vnic__receive *rc, struct vnic_receiver *from, const struct rte_mbuf *m);

static inline bool vnic__takes_vlan(const struct vnic_receiver *r, uint32_t vlan)
{
	return r->conf.vlan < 0 || (uint32_t)r->conf.vlan == vlan;
}

#endif
