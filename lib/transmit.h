/* SPDX-License-Identifier: BSD-3-Clause
 * transmit.h - what the lower edges, port and layer, do with a sender's packets
 *
 * Data thread only.
 */
#ifndef VNIC_TRANSMIT_H
#define VNIC_TRANSMIT_H

#include <rte_branch_prediction.h>
#include <rte_ethdev.h>

#include "adapter.h"

static inline struct vnic_nbl *vnic__staged_nbl(const struct vnic_sender *s, uint32_t i)
{
	return vnic__nbl_of(s->nbl_base, vnic__ring_stage_handle(&s->consumer, i));
}

/* To the port, or to where the adapter sees that they belong; returns how many were taken. */
static inline uint32_t vnic__give_down(struct vnic_adapter *a, const struct vnic_sender *s,
				       struct rte_mbuf **frame, uint32_t n)
{
	if (unlikely(a->looks))
		return vnic__receive_local(a, s, frame, n);
	return rte_eth_tx_burst(a->port, a->tx_queue, frame, (uint16_t)n);
}

/* The port has not taken all that it was given. */
static inline void vnic__refused(struct vnic_adapter *a, struct vnic_sender *s)
{
	a->refused = true;
	s->c_count[C_PORT_REFUSED]++;
	vnic__fair_scarce(&a->fair);
}

static inline void vnic__complete(struct vnic_sender *s, struct vnic_nbl **nbls, uint32_t n)
{
	/* there is room: the sender's outstanding NBLs are bounded by the ring's size */
	rte_ring_sp_enqueue_bulk(s->done_data, (void *const *)nbls, n, NULL);
}

/* Before the completions that they count: who has polled one finds it counted. */
static inline void vnic__publish_counts(struct vnic_sender *s)
{
	s->c_count[C_STAGED_NBLS] = vnic__ring_staged(&s->consumer);
	vnic__account_write(&s->c_account, s->c_count, C_HOT);
}

/* The same when others than the hot counts have changed. */
static inline void vnic__publish_all_counts(struct vnic_sender *s)
{
	s->c_count[C_STAGED_NBLS] = vnic__ring_staged(&s->consumer);
	vnic__account_write(&s->c_account, s->c_count, C_COUNTS);
}

/* An NBL has ended, `nb_left` of its packets unsent. */
static inline void vnic__count_end(struct vnic_sender *s, uint32_t status, uint32_t nb_left)
{
	uint32_t at = C_REASONS + 2 * vnic__reason_of(status);

	s->c_count[at]++;
	s->c_count[at + 1] += nb_left;
}

/* Data thread that is the sender's as well: give packets down at once, if none is queued on the
 * adapter. Returns how many of the first have been accepted and sent; the others are the caller's
 * still. */
uint16_t vnic__direct(struct vnic_sender *s, struct rte_mbuf **packet, uint16_t n);

#endif
