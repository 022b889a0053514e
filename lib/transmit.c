/* SPDX-License-Identifier: BSD-3-Clause
 * transmit.c - the data lcore's step: help a cancel, pace, claim, hand down, complete
 *
 * Data thread only.
 */
#include "adapter.h"
#include "layer.h"
#include "transmit.h"

#include <string.h>

#include <rte_branch_prediction.h>
#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_prefetch.h>

/* A turn passes at most so many tombs, but for the last claim's, by so many claims. */
#define TOMBS_MAX 256u
#define TOMB_CLAIMS 64u

/* What one call of the lower port's tx burst is given. */
struct handful {
	uint32_t nb;
	uint32_t nb_fitted; /* the fitted ones are noted from here on: fitted[0..nb) */
	struct rte_mbuf *packet[VNIC_BURST_MAX];
	struct vnic__fitted fitted[VNIC_BURST_MAX];
};

/* Fetch what lies beside the slots of the k staged NBLs. */
static inline void stage_packets(struct vnic_sender *s, uint32_t k)
{
	bool singles = true;

	for (uint32_t i = 0; i < k; i++) {
		s->staged[i] = s->packet[vnic__ring_stage_index(&s->consumer, i)];
		singles &= s->staged[i] != NULL;
	}
	s->singles = singles;
}

/* Claim up to n NBLs into the empty stage; returns how many positions were passed. */
static inline uint32_t claim(struct vnic_adapter *a, struct vnic_sender *s, uint32_t n)
{
	uint32_t advanced, k = vnic__ring_claim_begin(&s->consumer, n, &advanced);
	uint64_t packets = k;

	if (advanced == 0)
		return 0;
	stage_packets(s, k);
	vnic__ring_claim_end(&s->consumer);
	if (!s->singles || a->layer != NULL) {
		packets = 0;
		for (uint32_t i = 0; i < k; i++)
			rte_prefetch0(vnic__staged_nbl(s, i));
		for (uint32_t i = 0; i < k; i++)
			packets += vnic__staged_nbl(s, i)->nb_packets;
	}
	s->c_count[C_PASSED_NBLS] += advanced;
	s->c_count[C_TOMBS] = s->consumer.tombs;
	s->c_count[C_CLAIMED_PACKETS] += packets;
	s->c_count[C_STAGED_PACKETS] += packets;
	return advanced;
}

/* Is the staged NBL i the target of who asks for help? */
static bool help_meant(const struct vnic_sender *s, uint32_t i)
{
	const struct vnic_nbl *nbl = vnic__staged_nbl(s, i);

	return vnic__ring_help_match(&s->consumer, i, nbl->cancel_id) &&
	       (s->help_take.depth == 0 || !vnic__take_spares(&s->help_take, nbl));
}

/* The first staged NBL comes back: free the frames of its next packet that wait. */
static void drop_segments(struct vnic_adapter *a, struct vnic_sender *s)
{
	if (a->segmenting != s)
		return;
	vnic__segments_drop(&s->segments);
	a->segmenting = NULL;
}

/* The control thread asks for what it cannot reach: staged NBLs of its target. One of which a
 * packet has left stays, to run to completion, unless it is forced. */
static uint32_t help(struct vnic_adapter *a, struct vnic_sender *s)
{
	const struct vnic__take *take = &s->help_take;
	struct vnic_nbl *taken[VNIC__RING_STAGE_MAX];
	bool keep[VNIC__RING_STAGE_MAX];
	uint32_t from = vnic__begun(s) && !take->force, nb = 0;

	/* who asks on the way back from below wants these completed */
	while (a->layer != NULL && vnic__layer_poll(a) != 0)
		;
	s->helped = (struct vnic_count){0};
	s->helped_late = from != 0 && help_meant(s, 0);
	for (uint32_t i = from; i < vnic__ring_staged(&s->consumer); i++) {
		struct vnic_nbl *nbl = vnic__staged_nbl(s, i);

		keep[i] = !help_meant(s, i);
		if (keep[i])
			continue;
		nbl->status = take->status;
		nbl->nb_sent = 0;
		if (i == 0 && vnic__begun(s)) {
			nbl->nb_sent = (uint16_t)s->cursor;
			s->cursor = 0;
			/* what is aborted has not left, not even in part */
			if (take->status == VNIC_STATUS_SEND_ABORTED)
				nbl->status = VNIC_STATUS_CLOSING;
		}
		if (i == 0)
			drop_segments(a, s);
		s->c_count[C_STAGED_PACKETS] -= (uint64_t)nbl->nb_packets - nbl->nb_sent;
		vnic__count_end(s, nbl->status, (uint32_t)nbl->nb_packets - nbl->nb_sent);
		vnic__take_note(take, nbl, &s->helped);
		taken[nb++] = nbl;
	}
	vnic__ring_stage_keep(&s->consumer, from, keep);
	s->singles = false; /* what was beside an entry may not be any more */
	while (take->pass && vnic__ring_staged(&s->consumer) == 0 && claim(a, s, a->burst) != 0)
		;
	vnic__publish_all_counts(s);
	vnic__complete(s, taken, nb);
	vnic__ring_help_done(&s->consumer, nb);
	return nb;
}

/* Fit it; where memory is lacking, with what the port can give back. */
static uint32_t fit(struct vnic_adapter *a, struct rte_mbuf *m, struct vnic__fitted *f)
{
	uint32_t status = vnic__fit_make(&a->fit, m, f);

	if (status == VNIC_STATUS_RESOURCES &&
	    rte_eth_tx_done_cleanup(a->port, a->tx_queue, 0) > 0)
		status = vnic__fit_make(&a->fit, m, f);
	return status;
}

/* The slow way for an NBL with a packet to be fitted. When it is not SUCCESS, the handful is to
 * be handed down without the rest of it. */
static uint32_t gather_fitted(struct vnic_adapter *a, struct vnic_nbl *nbl, uint32_t from,
			      uint32_t max, struct handful *h)
{
	struct rte_mbuf **packet = vnic_nbl_packets(nbl);
	uint32_t status = VNIC_STATUS_SUCCESS;

	for (uint32_t k = from; k < nbl->nb_packets && h->nb < max; k++) {
		struct vnic__fitted *f = &h->fitted[h->nb];

		for (; h->nb_fitted < h->nb; h->nb_fitted++)
			h->fitted[h->nb_fitted] = (struct vnic__fitted){
				.packet = h->packet[h->nb_fitted], .given = h->packet[h->nb_fitted]};
		status = fit(a, packet[k], f);
		if (status != VNIC_STATUS_SUCCESS)
			break;
		h->packet[h->nb++] = f->given;
		h->nb_fitted = h->nb;
	}
	return status;
}

/* Collect up to max packets from the stage, in order. Not SUCCESS when nothing could be
 * collected, and why the first NBL's next packet could not; PENDING: it leaves in segments. */
static inline uint32_t gather(struct vnic_adapter *a, const struct vnic_sender *s, uint32_t max,
			  struct handful *h)
{
	uint32_t staged = vnic__ring_staged(&s->consumer), from = s->cursor;

	h->nb = 0;
	h->nb_fitted = 0;
	if (likely(s->singles)) {
		h->nb = RTE_MIN(staged, max);
		memcpy(h->packet, &s->staged[s->consumer.stage_first], h->nb * sizeof(h->packet[0]));
		return VNIC_STATUS_SUCCESS;
	}
	if (unlikely(s->segments.nb != 0))
		return VNIC_STATUS_PENDING;
	for (uint32_t i = 0; i < staged && h->nb < max; i++, from = 0) {
		struct vnic_nbl *nbl = vnic__staged_nbl(s, i);
		struct rte_mbuf **packet = vnic_nbl_packets(nbl);

		if (unlikely(nbl->reserved16 & VNIC__NBL_FIT)) {
			uint32_t status = gather_fitted(a, nbl, from, max, h);

			if (status != VNIC_STATUS_SUCCESS)
				return h->nb != 0 ? VNIC_STATUS_SUCCESS : status;
			continue;
		}
		for (uint32_t k = from; k < nbl->nb_packets && h->nb < max; k++)
			h->packet[h->nb++] = packet[k];
	}
	return VNIC_STATUS_SUCCESS;
}

/* The first staged NBL cannot be sent whole: no memory, or a packet that cannot be fitted. Its
 * first packets, if any, have left; the others stay the sender's. */
static void fail_first(struct vnic_sender *s, uint32_t status)
{
	struct vnic_nbl *nbl = vnic__staged_nbl(s, 0);
	uint32_t left = nbl->nb_packets - s->cursor;

	nbl->status = status;
	nbl->nb_sent = (uint16_t)s->cursor;
	vnic__count_end(s, status, left);
	s->c_count[C_STAGED_PACKETS] -= left;
	s->cursor = 0;
	vnic__ring_release(&s->consumer, 1);
	vnic__publish_all_counts(s);
	vnic__complete(s, &nbl, 1);
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
		s->c_count[C_OFFLOADED] += f->offloaded;
		vnic__fit_taken(f);
	}
	vnic__publish_all_counts(s);
}

/* The port has taken the first `taken` packets of the stage. */
static inline void retire(struct vnic_sender *s, uint32_t taken)
{
	struct vnic_nbl *done[VNIC__RING_STAGE_MAX];
	uint32_t nb = 0;

	s->c_count[C_SENT_PACKETS] += taken;
	s->c_count[C_STAGED_PACKETS] -= taken;
	for (; s->singles && nb < taken; nb++)
		done[nb] = vnic__staged_nbl(s, nb);
	taken -= nb;
	while (taken != 0) {
		struct vnic_nbl *nbl = vnic__staged_nbl(s, nb);
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
	vnic__publish_counts(s);
	vnic__complete(s, done, nb);
}

/* Keep of the handful what a pace of bits and the sender's turn allow now; returns its bytes. */
static uint64_t cut_to_pace(struct vnic_adapter *a, struct handful *h, uint64_t max)
{
	uint64_t may = RTE_MIN(vnic__pacer_bytes(&a->pacer, rte_rdtsc()), max), bytes = 0;
	uint32_t n = 0;

	while (n < h->nb && bytes < may)
		bytes += h->packet[n++]->pkt_len;
	h->nb = n;
	return bytes;
}

/* Of frame[0..n), how many a pace of bits allows now. */
static uint32_t paced(struct vnic_adapter *a, struct rte_mbuf **frame, uint32_t n, uint64_t max)
{
	uint64_t may = RTE_MIN(vnic__pacer_bytes(&a->pacer, rte_rdtsc()), max), bytes = 0;
	uint32_t k = 0;

	if (a->pacer.bits.cost == 0)
		return n;
	while (k < n && bytes < may)
		bytes += frame[k++]->pkt_len;
	return k;
}

static uint64_t bytes_of(struct rte_mbuf **frame, uint32_t n)
{
	uint64_t bytes = 0;

	for (uint32_t i = 0; i < n; i++)
		bytes += frame[i]->pkt_len;
	return bytes;
}

/* The frames of the first staged NBL's next packet; SUCCESS: there are some. */
static uint32_t segment(struct vnic_adapter *a, struct vnic_sender *s)
{
	struct rte_mbuf *m = vnic_nbl_packets(vnic__staged_nbl(s, 0))[s->cursor];
	uint32_t status = vnic__segments_make(&a->segmenter, &a->fit, m, &s->segments);

	if (status == VNIC_STATUS_RESOURCES &&
	    rte_eth_tx_done_cleanup(a->port, a->tx_queue, 0) > 0)
		status = vnic__segments_make(&a->segmenter, &a->fit, m, &s->segments);
	if (status == VNIC_STATUS_SUCCESS)
		a->segmenting = s;
	return status;
}

/* The port has all frames of the packet: it has the packet. */
static void end_segments(struct vnic_adapter *a, struct vnic_sender *s)
{
	rte_pktmbuf_free(vnic_nbl_packets(vnic__staged_nbl(s, 0))[s->cursor]);
	s->c_count[C_SEGMENTED]++;
	s->c_count[C_SEGMENTS] += s->segments.nb;
	s->frames--; /* the packet counts as one, from here on */
	drop_segments(a, s); /* which are none any more */
	vnic__publish_all_counts(s);
	retire(s, 1);
}

/* Hand down up to max frames of a packet that leaves in segments; bounds and *max_bytes as in
 * hand_down(). Returns how many the port took. */
static __rte_noinline uint32_t hand_down_segments(struct vnic_adapter *a, struct vnic_sender *s,
						  uint32_t max, uint64_t *max_bytes)
{
	struct vnic__segments *g = &s->segments;
	struct rte_mbuf **frame;
	uint64_t bytes;
	uint32_t n, taken, status;

	if (g->nb == 0) {
		if (a->segmenting != NULL)
			return 0; /* another sender's waits for the port: after that */
		status = segment(a, s);
		if (status != VNIC_STATUS_SUCCESS) {
			fail_first(s, status);
			return 1;
		}
	}
	frame = &g->frame[g->first];
	n = paced(a, frame, RTE_MIN(max, g->nb - g->first), *max_bytes);
	bytes = bytes_of(frame, n);
	taken = vnic__give_down(a, s, frame, n);
	if (taken < n) {
		vnic__refused(a, s);
		bytes -= bytes_of(frame + taken, n - taken);
		vnic__publish_counts(s);
	}
	g->first += taken;
	s->frames += taken;
	vnic__pacer_charge(&a->pacer, taken, bytes);
	*max_bytes = bytes;
	if (g->first == g->nb)
		end_segments(a, s);
	return taken;
}

/* Hand down up to max packets of the stage, at a pace of bits no more than it takes for
 * *max_bytes, which is then what they had; returns how many the port took. */
static inline uint32_t hand_down(struct vnic_adapter *a, struct vnic_sender *s, uint32_t max,
				 uint64_t *max_bytes)
{
	struct handful h;
	uint64_t bytes = 0;
	uint32_t taken, status = gather(a, s, max, &h);

	if (unlikely(status == VNIC_STATUS_PENDING))
		return hand_down_segments(a, s, max, max_bytes);
	if (unlikely(status != VNIC_STATUS_SUCCESS)) {
		fail_first(s, status);
		return 1;
	}
	/* lengths first: what the port takes it may free */
	if (a->pacer.bits.cost != 0)
		bytes = cut_to_pace(a, &h, *max_bytes);
	taken = vnic__give_down(a, s, h.packet, h.nb);
	if (unlikely(taken < h.nb)) {
		vnic__refused(a, s);
		for (uint32_t i = taken; i < h.nb && a->pacer.bits.cost != 0; i++)
			bytes -= h.packet[i]->pkt_len;
	}
	if (unlikely(h.nb_fitted != 0))
		settle_fitted(s, &h, taken);
	vnic__pacer_charge(&a->pacer, taken, bytes);
	*max_bytes = bytes;
	retire(s, taken);
	return taken;
}

/* Claim, if nothing is staged, and hand down; bounds and *max_bytes as in hand_down(). Returns
 * what was passed and what was taken. */
static inline uint32_t move(struct vnic_adapter *a, struct vnic_sender *s, uint32_t max,
			    uint64_t *max_bytes)
{
	uint32_t moved = 0;

	if (vnic__ring_staged(&s->consumer) == 0)
		moved = claim(a, s, max);
	if (vnic__ring_staged(&s->consumer) != 0)
		moved += a->layer == NULL ? hand_down(a, s, max, max_bytes) :
					    vnic__layer_hand_down(a, s, max, max_bytes);
	else if (moved != 0)
		vnic__publish_counts(s); /* nothing but tombs */
	return moved;
}

/* How many packets, up to n, the pace and the port allow now. */
static inline uint32_t room_now(struct vnic_adapter *a, uint32_t n)
{
	if (vnic__pacer_limits(&a->pacer))
		n = vnic__pacer_room(&a->pacer, rte_rdtsc(), n);
	return vnic__inflight_room(&a->inflight, n);
}

static inline uint32_t poll_sender(struct vnic_adapter *a, struct vnic_sender *s)
{
	uint64_t bytes = UINT64_MAX;
	uint32_t room, moved = 0;

	if (unlikely(vnic__ring_help_wanted(&s->consumer)))
		moved = help(a, s);
	if (unlikely(atomic_load_explicit(&a->gone, memory_order_relaxed) || a->kept_out))
		return moved; /* relaxed: it is asked for help after that, see life.c */
	room = room_now(a, a->burst);
	if (room != 0)
		moved += move(a, s, room, &bytes);
	return moved;
}

/* Packets, and frames of one that has left in part; what a layer has handed down is not sent
 * before it comes back. */
static inline uint64_t handed_down(const struct vnic_sender *s)
{
	return s->c_count[C_SENT_PACKETS] + s->c_count[C_BELOW_PACKETS] + s->frames;
}

/* What came of one sender's turn. */
struct turn {
	uint32_t moved;
	uint32_t packets; /* handed down */
	bool refused;     /* not all that was offered was taken */
};

/* At most `max` packets of sender s, and what of them it may; it pays for them. The tombs
 * before them are not what its turn is for. */
static struct turn take_turn(struct vnic_adapter *a, struct vnic_sender *s, uint32_t max)
{
	uint64_t bytes, left = handed_down(s), refused = s->c_count[C_PORT_REFUSED];
	uint32_t may = vnic__fair_may(a, s, max, &bytes), moved;
	struct turn t = {0};

	for (uint32_t tries = 0; tries < TOMB_CLAIMS && t.moved < TOMBS_MAX; tries++) {
		moved = move(a, s, may, &bytes);
		t.moved += moved;
		t.packets = (uint32_t)(handed_down(s) - left);
		if (moved == 0 || t.packets != 0 || vnic__ring_staged(&s->consumer) != 0)
			break;
	}
	t.refused = s->c_count[C_PORT_REFUSED] != refused;
	if (t.packets != 0)
		vnic__fair_charge(a, s, t.packets, bytes);
	return t;
}

/* Help whoever asks, each sender; false: there is nothing to hand down to any more. */
static bool help_all(struct vnic_adapter *a, uint32_t nb, uint32_t *moved)
{
	for (uint32_t i = 0; i < nb; i++)
		if (unlikely(vnic__ring_help_wanted(&a->sender[i]->consumer)))
			*moved += help(a, a->sender[i]);
	/* relaxed: as in poll_sender() */
	return !atomic_load_explicit(&a->gone, memory_order_relaxed) && !a->kept_out;
}

/* Senders in turn by their weights, until the pace, the port or their packets are used up. */
static uint32_t poll_fairly(struct vnic_adapter *a, uint32_t nb)
{
	uint32_t moved = 0, taken = 0, aside = 0, room, i;
	bool refused = false;

	if (!help_all(a, nb, &moved))
		return moved;
	while (taken < nb * a->burst && (room = room_now(a, a->burst)) != 0) {
		struct turn t;

		i = vnic__fair_next(a, aside, room);
		if (i == VNIC__FAIR_NOBODY)
			break;
		t = take_turn(a, a->sender[i], room);
		moved += t.moved;
		taken += t.packets;
		refused |= t.refused;
		if (t.refused && !vnic__fair_refused(a, a->sender[i], taken))
			break;
		if (t.packets == 0)
			aside |= 1u << i;
	}
	vnic__fair_end(a, refused, taken);
	return moved;
}

/* Each in turn, as much as it likes. The sender after the one that sent last goes first, so
 * that none is always first at a port that is nearly full. */
static inline uint32_t poll_freely(struct vnic_adapter *a, uint32_t nb)
{
	uint32_t moved = 0;

	for (uint32_t k = 0, i = a->turn; k < nb; k++) {
		struct vnic_sender *s = a->sender[i];
		uint64_t left = handed_down(s);

		moved += poll_sender(a, s);
		if (++i == nb)
			i = 0;
		if (handed_down(s) != left)
			a->turn = i;
	}
	return moved;
}

/* As far as the turns have seen. */
static bool nothing_waits(const struct vnic_adapter *a, uint32_t nb)
{
	for (uint32_t i = 0; i < nb; i++) {
		const struct vnic__ring_consumer *c = &a->sender[i]->consumer;

		if (vnic__ring_staged(c) != 0 || c->head != c->tail_seen)
			return false;
	}
	return true;
}

static inline uint32_t poll_senders(struct vnic_adapter *a, uint32_t nb)
{
	if (unlikely(vnic__fair_on(&a->fair)) && nb > 1)
		return poll_fairly(a, nb);
	return poll_freely(a, nb);
}

/* In each round the faces queue as much as a round sends: what a busy port has once left behind
 * would stand there for good, and keep them from going direct. */
static uint32_t catch_up(struct vnic_adapter *a, uint32_t nb)
{
	uint32_t moved = 0;

	a->idle = nothing_waits(a, nb);
	if (!a->idle && !a->refused && !vnic__pacer_limits(&a->pacer)) {
		moved = poll_senders(a, nb);
		a->idle = nothing_waits(a, nb);
	}
	return moved;
}

uint32_t vnic_adapter_poll(struct vnic_adapter *a)
{
	uint32_t nb = vnic__adapter_senders(a), moved = 0;

	if (unlikely(vnic__pace_changed(&a->pace, a->pace_seen)))
		vnic__pace_pick_up(a);
	a->kept_out = vnic__hold_keeps_out(&a->hold);
	a->refused = false;
	if (a->layer != NULL)
		moved = vnic__layer_poll(a);
	if (a->receive != NULL && !a->kept_out)
		moved += vnic__receive_poll(a);
	moved += poll_senders(a, nb);
	if (atomic_load_explicit(&a->direct, memory_order_relaxed))
		moved += catch_up(a, nb);
	if (moved == 0 && vnic__pacer_limits(&a->pacer))
		vnic__pacer_idle(&a->pacer, rte_rdtsc());
	return moved;
}
