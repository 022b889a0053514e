/* SPDX-License-Identifier: BSD-3-Clause
 * transmit.h - what the two lower edges, port and layer, do with a sender's stage
 *
 * Data thread only.
 */
#ifndef VNIC_TRANSMIT_H
#define VNIC_TRANSMIT_H

#include "queue.h"

static inline struct vnic_nbl *vnic__staged_nbl(const struct vnic_sender *s, uint32_t i)
{
	return vnic__nbl_of(s->nbl_base, vnic__ring_stage_handle(&s->consumer, i));
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

#endif
