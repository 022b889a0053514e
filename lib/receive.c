/* SPDX-License-Identifier: BSD-3-Clause
 * receive.c - from the lower port to the receivers
 *
 * Data thread, but for the last section, which is the control thread's.
 */
#include "receive.h"

#include <rte_branch_prediction.h>
#include <rte_ethdev.h>
#include <rte_ether.h>

#include "adapter.h"
#include "batch.h"
#include "demux.h"

/* A copy of it; one that has no room for it is spared the copy. */
static void give_copy(struct vnic__receive *rc, struct vnic_receiver *r, const struct rte_mbuf *m)
{
	struct rte_mbuf *copy;

	rc->count[RXA_COPIES]++;
	if (!vnic__batch_offer(rc, r))
		return;
	copy = rte_pktmbuf_copy(m, r->copies, 0, UINT32_MAX);
	if (copy != NULL)
		r->batch[r->nb++] = copy;
	else
		r->d_count[RXD_NO_MEMORY]++;
}

/* To all that want it: copies, and the packet itself to the last. */
static void give_to_all(struct vnic__receive *rc, struct rte_mbuf *m, uint32_t vlan, bool group)
{
	/* acquire: the receivers before their number; the only one before it is said to be */
	uint32_t nb = atomic_load_explicit(&rc->nb, memory_order_acquire);
	const struct vnic_receiver *sole = atomic_load_explicit(&rc->sole, memory_order_acquire);
	struct vnic_receiver *last = NULL;

	for (uint32_t i = 0; i < nb; i++) {
		struct vnic_receiver *r = rc->receiver[i];

		if (!vnic__batch_touch(rc, r) || !vnic__takes_vlan(r, vlan) ||
		    !(group || r->conf.promiscuous || r == sole))
			continue;
		if (last != NULL)
			give_copy(rc, last, m);
		last = r;
	}
	if (last != NULL) {
		vnic__batch_give(rc, last, m);
		return;
	}
	rc->count[RXA_UNKNOWN]++;
	rte_pktmbuf_free(m);
}

static void malformed(struct vnic__receive *rc, struct rte_mbuf *m)
{
	rc->count[RXA_MALFORMED]++;
	rte_pktmbuf_free(m);
}

/* All to one who has no address: nothing to look at. */
static void give_sole(struct vnic__receive *rc, struct vnic_receiver *r, struct rte_mbuf **packet,
		      uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (likely(packet[i]->data_len >= RTE_ETHER_HDR_LEN))
			vnic__batch_give(rc, r, packet[i]);
		else
			malformed(rc, packet[i]);
}

static void give_sorted(struct vnic__receive *rc, struct rte_mbuf **packet, uint32_t n)
{
	struct vnic__sorted s;

	vnic__demux(rc, packet, n, &s);
	for (uint32_t i = 0; i < n; i++) {
		if (unlikely(s.bad >> i & 1))
			malformed(rc, packet[i]);
		else if (likely(s.to[i] != NULL && vnic__batch_touch(rc, s.to[i])))
			vnic__batch_give(rc, s.to[i], packet[i]);
		else
			give_to_all(rc, packet[i], s.vlan[i], s.group >> i & 1);
	}
}

/* What may have been cut off is none of what was sent to us. */
static uint32_t drop_cut(struct vnic__receive *rc, struct rte_mbuf **packet, uint32_t n)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < n; i++)
		if (likely(packet[i]->pkt_len <= rc->longest))
			packet[kept++] = packet[i];
		else
			malformed(rc, packet[i]);
	return kept;
}

/* One burst, behind the door. */
static uint32_t take_in(struct vnic_adapter *a, struct vnic__receive *rc)
{
	struct rte_mbuf *packet[VNIC_BURST_MAX];
	struct vnic_receiver *sole;
	uint32_t n = rte_eth_rx_burst(a->port, rc->rx_queue, packet, a->burst);

	if (n == 0)
		return 0;
	rc->count[RXA_RECEIVED] += n;
	if (unlikely(rc->longest != 0))
		n = drop_cut(rc, packet, n);
	/* SC: after the door */
	if (unlikely(atomic_load_explicit(&a->gate, memory_order_seq_cst) != VNIC_STATUS_SUCCESS)) {
		rc->count[RXA_PAUSED] += n;
		rte_pktmbuf_free_bulk(packet, n);
		vnic__account_write(&rc->account, rc->count, RXA_COUNTS);
		return n;
	}
	/* acquire: the receiver before it is said to be the only one */
	sole = atomic_load_explicit(&rc->sole, memory_order_acquire);
	if (sole != NULL && vnic__batch_touch(rc, sole) && sole->conf.vlan < 0)
		give_sole(rc, sole, packet, n);
	else
		give_sorted(rc, packet, n);
	vnic__batch_hand_over(rc);
	return n;
}

uint32_t vnic__receive_poll(struct vnic_adapter *a)
{
	struct vnic__receive *rc = a->receive;
	uint32_t n = 0;

	if (!rc->port)
		return 0;
	vnic__batch_enter(rc); /* whatever the gate says: what arrives meanwhile is dropped */
	/* SC: after the door */
	if (likely(!atomic_load_explicit(&a->gone, memory_order_seq_cst)))
		n = take_in(a, rc);
	vnic__door_leave(&rc->door);
	return n;
}

/* ---- control thread ---- */

bool vnic__receive_doors_clear(const struct vnic_adapter *a)
{
	const struct vnic__receive *rc = a->receive;

	if (rc == NULL)
		return true;
	/* SC, as the senders' doors: a receiver that is new now finds the gate closed */
	for (uint32_t i = 0, nb = atomic_load_explicit(&rc->nb, memory_order_seq_cst); i < nb; i++)
		if (!vnic__door_clear(&rc->receiver[i]->door))
			return false;
	return vnic__door_clear(&rc->door);
}

bool vnic__receive_port_left(const struct vnic_adapter *a)
{
	/* SC, as above */
	return a->receive == NULL || vnic__door_clear(&a->receive->door);
}

void vnic__receiver_flush(struct vnic_receiver *r)
{
	struct rte_mbuf *packet[VNIC_BURST_MAX];
	uint32_t n, nb = 0;

	while ((n = rte_ring_sc_dequeue_burst(r->ring, (void **)packet, VNIC_BURST_MAX, NULL)) != 0) {
		rte_pktmbuf_free_bulk(packet, n);
		nb += n;
	}
	if (nb == 0)
		return; /* it may be a closed one, whose counts are a setup thread's */
	r->x_count[RXX_FLUSHED] += nb;
	vnic__account_write(&r->x_account, r->x_count, RXX_COUNTS);
}

void vnic__receive_flush(struct vnic_adapter *a)
{
	struct vnic__receive *rc = a->receive;

	if (rc == NULL)
		return;
	rte_spinlock_lock(&rc->emptying);
	for (uint32_t i = 0, nb = atomic_load_explicit(&rc->nb, memory_order_acquire); i < nb; i++)
		vnic__receiver_flush(rc->receiver[i]);
	rte_spinlock_unlock(&rc->emptying);
}

bool vnic__receive_held(const struct vnic_adapter *a)
{
	const struct vnic__receive *rc = a->receive;

	if (rc == NULL)
		return false;
	for (uint32_t i = 0, nb = atomic_load_explicit(&rc->nb, memory_order_acquire); i < nb; i++) {
		const struct vnic__account *c = &rc->receiver[i]->r_account;

		/* A23 <- R23; indicated stands still behind a closed gate */
		if (atomic_load_explicit(&c->count[RXR_RETURNED], memory_order_acquire) !=
		    atomic_load_explicit(&c->count[RXR_INDICATED], memory_order_acquire))
			return true;
	}
	return false;
}
