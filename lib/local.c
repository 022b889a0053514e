/* SPDX-License-Identifier: BSD-3-Clause
 * local.c - between senders and receivers of one adapter, past its port
 *
 * Data thread.
 */
#include <rte_branch_prediction.h>
#include <rte_cycles.h>
#include <rte_ethdev.h>

#include "adapter.h"
#include "batch.h"
#include "demux.h"
#include "transmit.h"

#define TRIES_PER_S 100000 /* of a group's packet at a port that is full */

/* As it would come from a wire. */
static struct rte_mbuf *arrived(const struct vnic_adapter *a, struct rte_mbuf *m)
{
	m->port = a->port;
	m->packet_type = 0;
	m->ol_flags &= ~RTE_MBUF_F_TX_OFFLOAD_MASK;
	return m;
}

/* One of its senders' packets to a touched receiver. Of the adapter's own buffers, and of a
 * layer's clones, a slow one would keep those that all senders need: it gets a copy in its own. */
static void give_local(struct vnic_adapter *a, struct vnic_receiver *r, struct rte_mbuf *m)
{
	struct vnic__receive *rc = a->receive;
	struct rte_mbuf *copy;

	rc->count[RXA_LOCAL]++;
	if (likely(RTE_MBUF_DIRECT(m) && m->pool != a->fit.copies &&
		   m->pool != a->segmenter.headers)) {
		vnic__batch_give(rc, r, arrived(a, m));
		return;
	}
	if (vnic__batch_offer(rc, r)) {
		copy = rte_pktmbuf_copy(m, r->copies, 0, UINT32_MAX);
		if (copy != NULL)
			r->batch[r->nb++] = arrived(a, copy);
		else
			r->d_count[RXD_NO_MEMORY]++;
	}
	rte_pktmbuf_free(m);
}

/* A group's packet goes to the port and, as copies, to the receivers but its sender's own.
 * The copies come first, for what the port takes is the port's; if it does not take it they
 * never were, and none are made for a moment. Returns whether it did. */
static bool send_to_all(struct vnic_adapter *a, const struct vnic_receiver *from,
			struct rte_mbuf **packet, uint32_t vlan)
{
	struct vnic__receive *rc = a->receive;
	uint32_t nb = atomic_load_explicit(&rc->nb, memory_order_acquire), wanted = 0;
	struct rte_mbuf *copy[VNIC_RECEIVERS_MAX] = {NULL};
	bool sent;

	if (rte_rdtsc() < rc->again_tsc)
		return false;
	for (uint32_t i = 0; i < nb; i++) {
		struct vnic_receiver *r = rc->receiver[i];

		if (r == from || !vnic__batch_touch(rc, r) || !vnic__takes_vlan(r, vlan))
			continue;
		wanted |= UINT32_C(1) << i;
		if (r->nb < r->room)
			copy[i] = rte_pktmbuf_copy(*packet, r->copies, 0, UINT32_MAX);
	}
	sent = rte_eth_tx_burst(a->port, a->tx_queue, packet, 1) == 1;
	if (!sent)
		rc->again_tsc = rte_rdtsc() + rte_get_tsc_hz() / TRIES_PER_S;
	for (; wanted != 0; wanted &= wanted - 1) {
		uint32_t i = (uint32_t)__builtin_ctz(wanted);
		struct vnic_receiver *r = rc->receiver[i];

		if (!sent) {
			rte_pktmbuf_free(copy[i]);
			continue;
		}
		rc->count[RXA_COPIES]++;
		if (!vnic__batch_offer(rc, r))
			continue;
		if (copy[i] != NULL)
			r->batch[r->nb++] = arrived(a, copy[i]);
		else
			r->d_count[RXD_NO_MEMORY]++;
	}
	return sent;
}

/* Does it leave by the port alone? */
static bool is_for_port(struct vnic__receive *rc, const struct vnic__sorted *s,
			const struct vnic_receiver *from, uint32_t i)
{
	return (s->bad >> i & 1) || (!(s->group >> i & 1) &&
	       (s->to[i] == NULL || s->to[i] == from || !vnic__batch_touch(rc, s->to[i])));
}

static uint32_t send_sorted(struct vnic_adapter *a, const struct vnic_receiver *from,
			    struct rte_mbuf **packet, uint32_t n)
{
	struct vnic__receive *rc = a->receive;
	struct vnic__sorted s;
	uint32_t i = 0;

	vnic__demux(rc, packet, n, &s);
	while (i < n) {
		uint32_t run = 0, taken;

		while (i + run < n && is_for_port(rc, &s, from, i + run))
			run++;
		if (run != 0) {
			taken = rte_eth_tx_burst(a->port, a->tx_queue, packet + i, (uint16_t)run);
			i += taken;
			if (taken < run)
				break;
		} else if (s.group >> i & 1) {
			if (!send_to_all(a, from, packet + i, s.vlan[i]))
				break;
			i++;
		} else {
			give_local(a, s.to[i], packet[i]);
			i++;
		}
	}
	return i;
}

/* Behind a closed gate, the rest of an NBL that has left in part: its receivers are paused, and
 * the port has no business with what is for them. */
static uint32_t send_rest(struct vnic_adapter *a, const struct vnic_receiver *from,
			  struct rte_mbuf **packet, uint32_t n)
{
	struct vnic__receive *rc = a->receive;
	struct vnic__sorted s;
	uint32_t i;

	vnic__batch_enter(rc); /* for the table: no ring is touched */
	vnic__demux(rc, packet, n, &s);
	for (i = 0; i < n; i++)
		if (s.to[i] != NULL && s.to[i] != from && vnic__batch_open(s.to[i])) {
			rc->count[RXA_LOCAL]++;
			rc->count[RXA_PAUSED]++;
			rte_pktmbuf_free(packet[i]);
		} else if (rte_eth_tx_burst(a->port, a->tx_queue, packet + i, 1) == 0) {
			break;
		}
	vnic__account_write(&rc->account, rc->count, RXA_COUNTS);
	vnic__door_leave(&rc->door);
	return i;
}

/* Of n packets, those of the NBL that has left in part. */
static uint32_t begun_part(const struct vnic_sender *s, uint32_t n)
{
	if (!vnic__begun(s))
		return 0;
	if (s->segments.nb != 0)
		return n; /* frames of one packet */
	return RTE_MIN(n, (uint32_t)vnic__staged_nbl(s, 0)->nb_packets - s->cursor);
}

uint32_t vnic__receive_local(struct vnic_adapter *a, const struct vnic_sender *s,
			     struct rte_mbuf **packet, uint32_t n)
{
	struct vnic__receive *rc = a->receive;
	struct vnic_receiver *from;

	/* behind a closed gate nothing goes to a receiver: what is staged waits for the sweep, but
	 * for the rest of an NBL that has left in part */
	if (vnic__door_enter(&rc->door, &a->gate) != VNIC_STATUS_SUCCESS) {
		n = begun_part(s, n);
		if (n == 0 || !rc->local)
			return n == 0 ? 0 : rte_eth_tx_burst(a->port, a->tx_queue, packet, (uint16_t)n);
		/* acquire: as below */
		from = atomic_load_explicit(&s->client->receiver, memory_order_acquire);
		return send_rest(a, from, packet, n);
	}
	/* acquire: the receiver before its client has it */
	from = atomic_load_explicit(&s->client->receiver, memory_order_acquire);
	for (uint32_t i = 0; rc->learn && from != NULL && i < n; i++)
		vnic__learn(rc, from, packet[i]);
	if (rc->local)
		n = send_sorted(a, from, packet, n);
	else
		n = rte_eth_tx_burst(a->port, a->tx_queue, packet, (uint16_t)n);
	vnic__batch_hand_over(rc);
	vnic__door_leave(&rc->door);
	return n;
}
