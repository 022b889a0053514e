/* SPDX-License-Identifier: BSD-3-Clause
 * send.c - the upper edge: NBLs into the ring, completions back to the sender
 *
 * Sender's thread.
 */
#include "adapter.h"

#include <errno.h>

#include <rte_branch_prediction.h>

/* Why an NBL cannot be sent, SUCCESS if it can. Notes whether a packet needs fitting.
 * SUCCESS is written ahead, so that the data thread need not write to an NBL that goes
 * its usual way. */
static inline uint32_t examine(const struct vnic_sender *s, struct vnic_nbl *nbl)
{
	struct rte_mbuf **packet = vnic_nbl_packets(nbl);
	bool fit = false;

	nbl->nb_sent = nbl->nb_packets;
	nbl->status = VNIC_STATUS_SUCCESS;
	if (unlikely((uint16_t)(nbl->nb_packets - 1) >= nbl->max_packets))
		return VNIC_STATUS_INVALID_PARAMETER;
	for (uint16_t i = 0; i < nbl->nb_packets; i++) {
		uint32_t len = packet[i]->pkt_len;

		if (unlikely(len - 1 >= s->max_frame))
			return VNIC_STATUS_INVALID_LENGTH;
		fit |= vnic__fit_needed(packet[i], s->linear_only);
	}
	nbl->reserved16 = fit ? VNIC__NBL_FIT : 0;
	return VNIC_STATUS_SUCCESS;
}

static void refuse(struct vnic_sender *s, struct vnic_nbl *nbl, uint32_t status)
{
	uint32_t at = status == VNIC_STATUS_INVALID_LENGTH ? P_INVALID_LENGTH_NBLS
							   : P_INVALID_PARAMETER_NBLS;

	nbl->status = status;
	nbl->nb_sent = 0;
	nbl->reserved64 = 0;
	*s->refused_last = nbl;
	s->refused_last = (struct vnic_nbl **)&nbl->reserved64;
	s->p_count[at]++;
	s->p_count[at + 1] += nbl->nb_packets;
}

uint16_t vnic_sender_room(struct vnic_sender *s, uint16_t n)
{
	uint32_t room = s->outstanding_max - s->outstanding;

	return (uint16_t)vnic__ring_room(&s->producer, room < n ? room : n);
}

uint16_t vnic_send(struct vnic_sender *s, struct vnic_nbl *const *nbls, uint16_t n)
{
	struct vnic__ring_burst burst = vnic__ring_begin(&s->producer);
	uint16_t room = vnic_sender_room(s, n);
	uint64_t packets = 0;

	if (unlikely(room < n)) {
		s->p_count[P_NOT_TAKEN] += n - room;
		/* no part of the balance: a new version for each try would keep readers out */
		atomic_store_explicit(&s->p_account.count[P_NOT_TAKEN], s->p_count[P_NOT_TAKEN],
				      memory_order_relaxed);
		if (room == 0)
			return 0;
	}
	for (uint16_t i = 0; i < room; i++) {
		struct vnic_nbl *nbl = nbls[i];
		uint32_t status = examine(s, nbl);

		if (unlikely(status != VNIC_STATUS_SUCCESS)) {
			refuse(s, nbl, status);
			continue;
		}
		packets += nbl->nb_packets;
		vnic__ring_put(&burst, vnic__nbl_handle(s->nbl_base, nbl), nbl->cancel_id);
	}
	s->p_count[P_ACCEPTED_NBLS] += burst.pos - s->producer.pos;
	s->p_count[P_ACCEPTED_PACKETS] += packets;
	s->outstanding += room;
	/* accepted before it can be sent: a cut never shows more done than taken */
	vnic__account_write(&s->p_account, s->p_count, P_COUNTS);
	vnic__ring_publish(&s->producer, &burst);
	return room;
}

uint16_t vnic_sender_poll(struct vnic_sender *s, struct vnic_nbl **nbls, uint16_t n)
{
	uint16_t k = 0;

	while (unlikely(s->refused_first != NULL) && k < n) {
		struct vnic_nbl *nbl = s->refused_first;

		s->refused_first = (struct vnic_nbl *)(uintptr_t)nbl->reserved64;
		if (s->refused_first == NULL)
			s->refused_last = &s->refused_first;
		nbls[k++] = nbl;
	}
	k += (uint16_t)rte_ring_sc_dequeue_burst(s->done_control, (void **)nbls + k, n - k, NULL);
	k += (uint16_t)rte_ring_sc_dequeue_burst(s->done_data, (void **)nbls + k, n - k, NULL);
	s->outstanding -= k;
	return k;
}

uint32_t vnic_sender_outstanding(const struct vnic_sender *s)
{
	return s->outstanding;
}
