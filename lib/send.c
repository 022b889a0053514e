/* SPDX-License-Identifier: BSD-3-Clause
 * send.c - the upper edge: NBLs into the ring, completions back to the sender
 *
 * Sender's thread.
 */
#include "adapter.h"
#include "gate.h"

#include <errno.h>

#include <rte_branch_prediction.h>

/* The packet of an NBL of one that can leave as it is, which is then ready to be sent; NULL:
 * examine() decides.
 * SUCCESS is written ahead, so that the data thread need not write to an NBL that goes its
 * usual way. */
static inline struct rte_mbuf *examine_plain(const struct vnic__plain *plain, struct vnic_nbl *nbl)
{
	struct rte_mbuf *m;

	if (unlikely(nbl->nb_packets != 1))
		return NULL;
	m = vnic_nbl_packets(nbl)[0];
	if (unlikely(!vnic__plain(plain, m)))
		return NULL;
	nbl->nb_sent = 1;
	nbl->status = VNIC_STATUS_SUCCESS;
	nbl->reserved16 = 0;
	return m;
}

static uint32_t examine_packet(const struct vnic_sender *s, const struct rte_mbuf *m)
{
	struct vnic__wish wish;

	if (m->pkt_len == 0)
		return VNIC_STATUS_INVALID_LENGTH;
	if (vnic__offload_asked(m))
		return vnic__offload_read(s->offload, m, &wish);
	return m->pkt_len > vnic__offload_most(s->offload, m, 0) ? VNIC_STATUS_INVALID_LENGTH :
								    VNIC_STATUS_SUCCESS;
}

/* Why an NBL cannot be sent, SUCCESS if it can. Notes whether a packet needs fitting. */
static __rte_noinline uint32_t examine(const struct vnic_sender *s, struct vnic_nbl *nbl)
{
	struct rte_mbuf **packet = vnic_nbl_packets(nbl);
	bool fit = false;

	nbl->nb_sent = nbl->nb_packets;
	nbl->status = VNIC_STATUS_SUCCESS;
	if (unlikely((uint16_t)(nbl->nb_packets - 1) >= nbl->max_packets) ||
	    unlikely(nbl->nb_packets > s->nbl_packets))
		return VNIC_STATUS_INVALID_PARAMETER;
	for (uint16_t i = 0; i < nbl->nb_packets; i++) {
		uint32_t status = examine_packet(s, packet[i]);

		if (unlikely(status != VNIC_STATUS_SUCCESS))
			return status;
		fit |= vnic__fit_needed(packet[i], s->max_segs);
	}
	nbl->reserved16 = fit ? VNIC__NBL_FIT : 0;
	return VNIC_STATUS_SUCCESS;
}

/* The list of the refused goes through reserved64. Of a layer's clone the control thread may
 * read it, if it has found it in a slot that was used again: see layer.h. */
static void link_refused(struct vnic_nbl *nbl, const struct vnic_nbl *next)
{
	/* relaxed: only this thread goes by it */
	atomic_store_explicit((_Atomic uint64_t *)&nbl->reserved64, (uintptr_t)next,
			      memory_order_relaxed);
}

static struct vnic_nbl *next_refused(const struct vnic_nbl *nbl)
{
	/* relaxed: this thread wrote it */
	return (struct vnic_nbl *)(uintptr_t)atomic_load_explicit(
		(const _Atomic uint64_t *)&nbl->reserved64, memory_order_relaxed);
}

static void refuse(struct vnic_sender *s, struct vnic_nbl *nbl, uint32_t status)
{
	uint32_t at = P_REASONS + 2 * vnic__reason_of(status);

	nbl->status = status;
	nbl->nb_sent = 0;
	link_refused(nbl, NULL);
	if (s->refused_first == NULL)
		s->refused_first = nbl;
	else
		link_refused(s->refused_last, nbl);
	s->refused_last = nbl;
	s->nb_refused++;
	s->p_count[at]++;
	s->p_count[at + 1] += nbl->nb_packets;
}

/* The gate is closed: all of them are taken and complete with its word. */
static uint16_t refuse_all(struct vnic_sender *s, struct vnic_nbl *const *nbls, uint16_t n,
			   uint32_t status)
{
	for (uint16_t i = 0; i < n; i++)
		refuse(s, nbls[i], status);
	vnic__account_write(&s->p_account, s->p_count, P_COUNTS);
	return n;
}

/* Is there a limit on what the client has queued? */
static inline bool limited(const struct vnic_sender *s)
{
	/* relaxed: it may change at any time */
	return atomic_load_explicit(&s->client->limit.nbls, memory_order_relaxed) != 0;
}

static inline uint16_t queue_room(struct vnic_sender *s, uint16_t n)
{
	uint32_t used = s->outstanding + s->nb_refused;
	/* behind a closed gate more than the bound may have been refused */
	uint32_t room = used < s->outstanding_max ? s->outstanding_max - used : 0;

	return (uint16_t)vnic__ring_room(&s->producer, room < n ? room : n);
}

uint16_t vnic_sender_room(struct vnic_sender *s, uint16_t n)
{
	uint16_t room = queue_room(s, n);

	return unlikely(limited(s)) ? (uint16_t)vnic__limit_room(s, room) : room;
}

static void count_not_taken(struct vnic_sender *s, uint32_t n)
{
	s->p_count[P_NOT_TAKEN] += n;
	/* no part of the balance: a new version for each try would keep readers out */
	atomic_store_explicit(&s->p_account.count[P_NOT_TAKEN], s->p_count[P_NOT_TAKEN],
			      memory_order_relaxed);
}

uint16_t vnic_send(struct vnic_sender *s, struct vnic_nbl *const *nbls, uint16_t n)
{
	uint32_t gate = vnic__door_enter(&s->door, s->gate), refused = s->nb_refused;
	const struct vnic__plain plain = vnic__plain_of(s->max_untagged, s->max_segs);
	const char *nbl_base = s->nbl_base;
	struct rte_mbuf **beside = s->packet;
	struct vnic__ring_burst burst;
	uint64_t packets = 0; /* beyond one for each NBL */
	uint16_t room;

	if (unlikely(gate != VNIC_STATUS_SUCCESS))
		return refuse_all(s, nbls, n, gate);
	burst = vnic__ring_begin(&s->producer);
	room = queue_room(s, n);
	if (unlikely(limited(s)))
		room = (uint16_t)vnic__limit_take(s, room);
	if (unlikely(room < n)) {
		count_not_taken(s, (uint32_t)(n - room));
		if (room == 0) {
			vnic__door_leave(&s->door);
			return 0;
		}
	}
	for (uint16_t i = 0; i < room; i++) {
		struct vnic_nbl *nbl = nbls[i];
		struct rte_mbuf *only = examine_plain(&plain, nbl);

		if (unlikely(only == NULL)) {
			uint32_t status = examine(s, nbl);

			if (status != VNIC_STATUS_SUCCESS) {
				refuse(s, nbl, status);
				continue;
			}
			packets += nbl->nb_packets - 1u;
		}
		beside[(uint32_t)burst.pos & burst.mask] = only;
		vnic__ring_put(&burst, vnic__nbl_handle(nbl_base, nbl), nbl->cancel_id);
	}
	refused = s->nb_refused - refused;
	packets += room - refused;
	s->p_count[P_ACCEPTED_NBLS] += burst.pos - s->producer.pos;
	s->p_count[P_ACCEPTED_PACKETS] += packets;
	s->outstanding += room - refused;
	if (unlikely(refused != 0 && s->counted != 0))
		vnic__limit_recount(s);
	/* accepted before it can be sent: a cut never shows more done than taken */
	vnic__account_write(&s->p_account, s->p_count, refused == 0 ? P_HOT : P_COUNTS);
	vnic__ring_publish(&s->producer, &burst);
	vnic__door_leave(&s->door);
	return room;
}

static uint16_t take_refused(struct vnic_sender *s, struct vnic_nbl **nbls, uint16_t n)
{
	uint16_t k = 0;

	while (s->refused_first != NULL && k < n) {
		struct vnic_nbl *nbl = s->refused_first;

		s->refused_first = next_refused(nbl);
		nbls[k++] = nbl;
	}
	s->nb_refused -= k;
	return k;
}

static uint16_t take_completed(struct vnic_sender *s, struct vnic_nbl **nbls, uint16_t n)
{
	uint16_t k = 0, done;

	if (unlikely(s->refused_first != NULL))
		k = take_refused(s, nbls, n);
	done = (uint16_t)rte_ring_sc_dequeue_burst(s->done_control, (void **)nbls + k, n - k, NULL);
	done += (uint16_t)rte_ring_sc_dequeue_burst(s->done_data, (void **)nbls + k + done,
						    n - k - done, NULL);
	s->outstanding -= done;
	if (unlikely(s->counted != 0))
		vnic__limit_recount(s);
	return k + done;
}

uint16_t vnic_sender_poll(struct vnic_sender *s, struct vnic_nbl **nbls, uint16_t n)
{
	return unlikely(s->dispatching) ? 0 : take_completed(s, nbls, n);
}

uint16_t vnic_sender_dispatch(struct vnic_sender *s, uint16_t n, vnic_send_complete *complete,
			      void *context)
{
	struct vnic_nbl *nbl[VNIC_BURST_MAX];
	uint16_t left = n, k = 1;

	if (s->dispatching)
		return 0;
	s->dispatching = true;
	for (; left != 0 && k != 0; left -= k) {
		k = take_completed(s, nbl, RTE_MIN(left, (uint16_t)VNIC_BURST_MAX));
		if (k != 0)
			complete(s, nbl, k, context);
	}
	s->dispatching = false;
	return n - left;
}

uint32_t vnic_sender_outstanding(const struct vnic_sender *s)
{
	return s->outstanding + s->nb_refused;
}
