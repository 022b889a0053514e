/* SPDX-License-Identifier: BSD-3-Clause
 * batch.h - packets gathered for each receiver, then put into its ring at once
 *
 * Data thread, behind its door, with packets from the port or from senders.
 */
#ifndef VNIC_BATCH_H
#define VNIC_BATCH_H

#include <rte_branch_prediction.h>

#include "receive.h"

_Static_assert(VNIC_RECEIVERS_MAX <= 32, "a bit for each");

/* Behind the door, open gate or closed: who has taken something away waits until we are outside. */
static inline void vnic__batch_enter(struct vnic__receive *rc)
{
	/* SC: the door, then what is looked at; A26 <- R26 */
	atomic_exchange_explicit(&rc->door, 1, memory_order_seq_cst);
}

static inline bool vnic__batch_open(const struct vnic_receiver *r)
{
	/* SC: after the door */
	return atomic_load_explicit(&r->open, memory_order_seq_cst);
}

/* Begin a batch for the receiver, if there is none yet. False: it is closed. */
static inline bool vnic__batch_touch(struct vnic__receive *rc, struct vnic_receiver *r)
{
	if (rc->touched & UINT32_C(1) << r->slot)
		return true;
	if (!vnic__batch_open(r))
		return false;
	if (r->depth - (r->nb_put - r->nb_gone) < VNIC_BURST_MAX)
		/* relaxed, both: only grow, and the ring orders what it carries */
		r->nb_gone = atomic_load_explicit(&r->r_account.count[RXR_RETURNED],
						  memory_order_relaxed) +
			     atomic_load_explicit(&r->x_account.count[RXX_FLUSHED],
						  memory_order_relaxed);
	r->nb = 0;
	r->room = r->depth - (uint32_t)(r->nb_put - r->nb_gone);
	rc->touched |= UINT32_C(1) << r->slot;
	return true;
}

static inline bool vnic__batch_offer(struct vnic__receive *rc, struct vnic_receiver *r)
{
	rc->count[RXA_OFFERED]++;
	r->d_count[RXD_OFFERED]++;
	if (likely(r->nb < r->room))
		return true;
	r->d_count[RXD_DROPPED]++;
	return false;
}

/* The packet itself to a touched receiver. */
static inline void vnic__batch_give(struct vnic__receive *rc, struct vnic_receiver *r, struct rte_mbuf *m)
{
	if (likely(vnic__batch_offer(rc, r)))
		r->batch[r->nb++] = m;
	else
		rte_pktmbuf_free(m);
}

/* The batches into the rings. There is room: see vnic__batch_touch(). */
static inline void vnic__batch_hand_over(struct vnic__receive *rc)
{
	for (; rc->touched != 0; rc->touched &= rc->touched - 1) {
		struct vnic_receiver *r = rc->receiver[__builtin_ctz(rc->touched)];

		/* first: what is indicated has been counted as offered */
		vnic__account_write(&r->d_account, r->d_count, RXD_COUNTS);
		if (r->nb == 0)
			continue;
		rte_ring_sp_enqueue_bulk(r->ring, (void *const *)r->batch, r->nb, NULL);
		r->nb_put += r->nb;
		/* R22 -> A22 */
		atomic_store_explicit(&r->put, r->nb_put, memory_order_release);
	}
	vnic__account_write(&rc->account, rc->count, RXA_COUNTS);
}

#endif
