/* SPDX-License-Identifier: BSD-3-Clause
 * transmit.c - the data lcore's step: help a cancel, pace, claim, hand down, complete
 *
 * Data thread only.
 */
#include "adapter.h"

#include <rte_branch_prediction.h>
#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_prefetch.h>

/* What one call of the lower port's tx burst is given. */
struct handful {
	uint32_t nb;
	uint32_t nb_fitted; /* the fitted ones are noted from here on: fitted[0..nb) */
	struct rte_mbuf *packet[VNIC_BURST_MAX];
	struct vnic__fitted fitted[VNIC_BURST_MAX];
};

static inline struct vnic_nbl *staged_nbl(const struct vnic_sender *s, uint32_t i)
{
	return vnic__nbl_of(s->nbl_base, vnic__ring_stage_handle(&s->consumer, i));
}

static void complete(struct vnic_sender *s, struct vnic_nbl **nbls, uint32_t n)
{
	/* there is room: the sender's outstanding NBLs are bounded by the ring's size */
	rte_ring_sp_enqueue_bulk(s->done_data, (void *const *)nbls, n, NULL);
}

/* Before the completions that they count: who has polled one finds it counted. */
static inline void publish_counts(struct vnic_sender *s)
{
	s->c_count[C_STAGED_NBLS] = vnic__ring_staged(&s->consumer);
	vnic__account_write(&s->c_account, s->c_count, C_COUNTS);
}

/* The canceller asks for what it cannot reach: staged NBLs of its target. One of which a
 * packet has left stays: it runs to completion. */
static uint32_t help(struct vnic_sender *s)
{
	struct vnic_nbl *aborted[VNIC__RING_STAGE_MAX];
	bool keep[VNIC__RING_STAGE_MAX];
	uint32_t from = s->cursor != 0, nb = 0;
	uint64_t packets_before = s->c_count[C_ABORTED_PACKETS];

	for (uint32_t i = from; i < vnic__ring_staged(&s->consumer); i++) {
		struct vnic_nbl *nbl = staged_nbl(s, i);

		keep[i] = !vnic__ring_help_match(&s->consumer, i, nbl->cancel_id);
		if (keep[i])
			continue;
		nbl->status = VNIC_STATUS_SEND_ABORTED;
		nbl->nb_sent = 0;
		s->c_count[C_ABORTED_NBLS]++;
		s->c_count[C_ABORTED_PACKETS] += nbl->nb_packets;
		s->c_count[C_STAGED_PACKETS] -= nbl->nb_packets;
		aborted[nb++] = nbl;
	}
	s->help_packets = s->c_count[C_ABORTED_PACKETS] - packets_before;
	vnic__ring_stage_keep(&s->consumer, from, keep);
	publish_counts(s);
	complete(s, aborted, nb);
	vnic__ring_help_done(&s->consumer, nb);
	return nb;
}

/* Claim up to n NBLs into the empty stage; returns how many positions were passed. */
static inline uint32_t claim(struct vnic_sender *s, uint32_t n)
{
	uint32_t advanced, k = vnic__ring_claim(&s->consumer, n, &advanced);
	uint64_t packets = 0;

	for (uint32_t i = 0; i < k; i++)
		rte_prefetch0(staged_nbl(s, i));
	for (uint32_t i = 0; i < k; i++)
		packets += staged_nbl(s, i)->nb_packets;
	s->c_count[C_PASSED_NBLS] += advanced;
	s->c_count[C_TOMBS] = s->consumer.tombs;
	s->c_count[C_CLAIMED_PACKETS] += packets;
	s->c_count[C_STAGED_PACKETS] += packets;
	return advanced;
}

/* The slow way for an NBL with a packet to be fitted: false when the handful is to be
 * handed down without the rest of it. */
static bool gather_fitted(struct vnic_adapter *a, struct vnic_nbl *nbl, uint32_t from, uint32_t max,
			  struct handful *h)
{
	struct rte_mbuf **packet = vnic_nbl_packets(nbl);

	for (uint32_t k = from; k < nbl->nb_packets && h->nb < max; k++) {
		struct vnic__fitted *f = &h->fitted[h->nb];

		for (; h->nb_fitted < h->nb; h->nb_fitted++)
			h->fitted[h->nb_fitted] = (struct vnic__fitted){
				.packet = h->packet[h->nb_fitted], .given = h->packet[h->nb_fitted]};
		if (!vnic__fit_make(&a->fit, packet[k], f) &&
		    (rte_eth_tx_done_cleanup(a->port, a->tx_queue, 0) <= 0 ||
		     !vnic__fit_make(&a->fit, packet[k], f)))
			return false; /* and the port holds none that it could give back */
		h->packet[h->nb++] = f->given;
		h->nb_fitted = h->nb;
	}
	return true;
}

/* Collect up to max packets from the stage, in order. Returns false when nothing could be
 * collected because the first NBL's next packet could not be copied. */
static inline bool gather(struct vnic_adapter *a, const struct vnic_sender *s, uint32_t max,
			  struct handful *h)
{
	uint32_t staged = vnic__ring_staged(&s->consumer), from = s->cursor;

	h->nb = 0;
	h->nb_fitted = 0;
	for (uint32_t i = 0; i < staged && h->nb < max; i++, from = 0) {
		struct vnic_nbl *nbl = staged_nbl(s, i);
		struct rte_mbuf **packet = vnic_nbl_packets(nbl);

		if (unlikely(nbl->reserved16 & VNIC__NBL_FIT)) {
			if (!gather_fitted(a, nbl, from, max, h))
				return h->nb != 0;
			continue;
		}
		for (uint32_t k = from; k < nbl->nb_packets && h->nb < max; k++)
			h->packet[h->nb++] = packet[k];
	}
	return true;
}

/* The first staged NBL cannot be sent whole: no copy could be had. Its first packets, if
 * any, have left; the others stay the sender's. */
static void fail_first(struct vnic_sender *s)
{
	struct vnic_nbl *nbl = staged_nbl(s, 0);
	uint32_t left = nbl->nb_packets - s->cursor;

	nbl->status = VNIC_STATUS_RESOURCES;
	nbl->nb_sent = (uint16_t)s->cursor;
	s->c_count[C_RESOURCES_NBLS]++;
	s->c_count[C_RESOURCES_PACKETS] += left;
	s->c_count[C_STAGED_PACKETS] -= left;
	s->cursor = 0;
	vnic__ring_release(&s->consumer, 1);
	publish_counts(s);
	complete(s, &nbl, 1);
}

/* Settle the fitted packets after the port took `taken` of the handful. */
static void settle_fitted(struct vnic_sender *s, const struct handful *h, uint32_t taken)
{
	for (uint32_t i = 0; i < h->nb_fitted; i++) {
		const struct vnic__fitted *f = &h->fitted[i];

		if (i >= taken) {
			vnic__fit_undo(f);
			continue;
		}
		s->c_count[C_PADDED] += f->padding != 0;
		s->c_count[C_COPIED] += f->given != f->packet;
		vnic__fit_taken(f);
	}
}

/* The port has taken the first `taken` packets of the stage. */
static inline void retire(struct vnic_sender *s, uint32_t taken)
{
	struct vnic_nbl *done[VNIC__RING_STAGE_MAX];
	uint32_t nb = 0;

	s->c_count[C_SENT_PACKETS] += taken;
	s->c_count[C_STAGED_PACKETS] -= taken;
	while (taken != 0) {
		struct vnic_nbl *nbl = staged_nbl(s, nb);
		uint32_t left = nbl->nb_packets - s->cursor;

		if (taken < left) {
			s->cursor += taken;
			break;
		}
		taken -= left;
		s->cursor = 0;
		done[nb++] = nbl; /* status and nb_sent were written ahead */
	}
	s->c_count[C_SENT_NBLS] += nb;
	vnic__ring_release(&s->consumer, nb);
	publish_counts(s);
	complete(s, done, nb);
}

/* Keep of the handful what a pace of bits allows now; returns its bytes. */
static uint64_t cut_to_pace(struct vnic_adapter *a, struct handful *h)
{
	uint64_t may = vnic__pacer_bytes(&a->pacer, rte_rdtsc()), bytes = 0;
	uint32_t n = 0;

	while (n < h->nb && bytes < may)
		bytes += h->packet[n++]->pkt_len;
	h->nb = n;
	return bytes;
}

/* Hand down up to max packets of the stage; returns how many the port took. */
static inline uint32_t hand_down(struct vnic_adapter *a, struct vnic_sender *s, uint32_t max)
{
	struct handful h;
	uint64_t bytes = 0;
	uint32_t taken;

	if (unlikely(!gather(a, s, max, &h))) {
		fail_first(s);
		return 1;
	}
	/* lengths first: what the port takes it may free */
	if (a->pacer.bits.cost != 0)
		bytes = cut_to_pace(a, &h);
	taken = rte_eth_tx_burst(a->port, a->tx_queue, h.packet, (uint16_t)h.nb);
	if (unlikely(taken < h.nb)) {
		s->c_count[C_PORT_REFUSED]++;
		for (uint32_t i = taken; i < h.nb && a->pacer.bits.cost != 0; i++)
			bytes -= h.packet[i]->pkt_len;
	}
	if (unlikely(h.nb_fitted != 0))
		settle_fitted(s, &h, taken);
	vnic__pacer_charge(&a->pacer, taken, bytes);
	retire(s, taken);
	return taken;
}

static inline uint32_t poll_sender(struct vnic_adapter *a, struct vnic_sender *s)
{
	uint32_t room = a->burst, moved = 0;

	if (unlikely(vnic__ring_help_wanted(&s->consumer)))
		moved = help(s);
	if (vnic__pacer_limits(&a->pacer))
		room = vnic__pacer_room(&a->pacer, rte_rdtsc(), room);
	room = vnic__inflight_room(&a->inflight, room);
	if (room == 0)
		return moved;
	if (vnic__ring_staged(&s->consumer) == 0)
		moved += claim(s, room);
	if (vnic__ring_staged(&s->consumer) != 0)
		moved += hand_down(a, s, room);
	else if (moved != 0)
		publish_counts(s); /* nothing but tombs */
	return moved;
}

uint32_t vnic_adapter_poll(struct vnic_adapter *a)
{
	uint32_t nb = vnic__adapter_senders(a), first = a->turn, moved = 0;

	/* the sender after the one that sent last goes first, so that none is always first
	 * at a port or a pace that is nearly used up */
	for (uint32_t k = 0, i = first; k < nb; k++) {
		struct vnic_sender *s = a->sender[i];
		uint64_t sent = s->c_count[C_SENT_PACKETS];

		moved += poll_sender(a, s);
		if (++i == nb)
			i = 0;
		if (s->c_count[C_SENT_PACKETS] != sent)
			a->turn = i;
	}
	if (moved == 0 && vnic__pacer_limits(&a->pacer))
		vnic__pacer_idle(&a->pacer, rte_rdtsc());
	return moved;
}
