/* SPDX-License-Identifier: BSD-3-Clause
 * design_stage.h - what the baselines share: NBLs on their way from a queue to the port, and
 * the rings that carry them
 *
 * Data role, but for design_ring(). In line, as each would have it by itself.
 */
#ifndef BENCH_DESIGN_STAGE_H
#define BENCH_DESIGN_STAGE_H

#include <stdio.h>

#include <rte_ethdev.h>
#include <rte_ring.h>

#include "design.h"

/* That the port has not taken yet. */
struct design_stage {
	struct vnic_nbl *nbl[DESIGN_BURST];
	uint32_t nb;
};

/* Any thread while no role runs: SP/SC, NULL without memory. The design's name tells its rings
 * from those of others. */
static inline struct rte_ring *design_ring(const char *design, uint32_t depth)
{
	static unsigned int serial;
	char name[RTE_RING_NAMESIZE];

	snprintf(name, sizeof(name), "bench_%s%u", design, serial++);
	return rte_ring_create(name, depth, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ | RING_F_EXACT_SZ);
}

/* The port takes what it likes of the stage; that much completes into `back`. */
static inline uint32_t design_hand_down(struct design_stage *s, uint16_t port, struct rte_ring *back)
{
	struct rte_mbuf *packet[DESIGN_BURST];
	uint16_t sent;

	for (uint32_t i = 0; i < s->nb; i++)
		packet[i] = vnic_nbl_packets(s->nbl[i])[0];
	sent = rte_eth_tx_burst(port, 0, packet, (uint16_t)s->nb);
	for (uint32_t i = 0; i < sent; i++) {
		s->nbl[i]->status = VNIC_STATUS_SUCCESS;
		s->nbl[i]->nb_sent = 1;
	}
	rte_ring_sp_enqueue_bulk(back, (void *const *)s->nbl, sent, NULL);
	s->nb -= sent;
	for (uint32_t i = 0; i < s->nb && sent != 0; i++)
		s->nbl[i] = s->nbl[i + sent];
	return sent;
}

#endif
