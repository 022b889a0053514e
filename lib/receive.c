/* SPDX-License-Identifier: BSD-3-Clause
 * receive.c - from the lower port to the receivers, by destination address and VLAN
 *
 * Data thread, but for the last section, which is the control thread's.
 */
#include "receive.h"

#include <errno.h>
#include <string.h>

#include <rte_branch_prediction.h>
#include <rte_byteorder.h>
#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_ether.h>
#include <rte_prefetch.h>

#include "adapter.h"
#include "transmit.h"

#define TRIES_PER_S 100000 /* of a group's packet at a port that is full */

/* One burst, sorted: whose each packet is. */
struct sorted {
	uint64_t bad;   /* a bit for each packet that is no frame */
	uint64_t group; /* broadcast or multicast */
	uint16_t vlan[VNIC_BURST_MAX];
	uint64_t key[VNIC_BURST_MAX];
	struct vnic_receiver *to[VNIC_BURST_MAX]; /* NULL: unknown */
};

_Static_assert(VNIC_BURST_MAX <= 64 && VNIC_BURST_MAX <= RTE_HASH_LOOKUP_BULK_MAX,
	       "a bit for each, and one lookup");
_Static_assert(VNIC_RECEIVERS_MAX <= 32, "a bit for each");

/* ---- whose is it? ---- */

static inline bool is_tag(uint16_t type)
{
	return type == RTE_BE16(RTE_ETHER_TYPE_VLAN) || type == RTE_BE16(RTE_ETHER_TYPE_QINQ);
}

/* The outer VLAN id, 0 where there is none. */
static inline uint16_t vlan_of(const struct rte_mbuf *m)
{
	const struct rte_ether_hdr *eth = rte_pktmbuf_mtod(m, const struct rte_ether_hdr *);
	const struct rte_vlan_hdr *tag = (const void *)(eth + 1);

	if (m->ol_flags & RTE_MBUF_F_RX_VLAN_STRIPPED)
		return m->vlan_tci & 0xfff;
	if (!is_tag(eth->ether_type) || m->data_len < sizeof(*eth) + sizeof(*tag))
		return 0;
	return rte_be_to_cpu_16(tag->vlan_tci) & 0xfff;
}

/* Of a packet that is to be sent: the port may insert the tag. */
static inline uint16_t sent_vlan_of(const struct rte_mbuf *m)
{
	return m->ol_flags & RTE_MBUF_F_TX_VLAN ? m->vlan_tci & 0xfff : vlan_of(m);
}

static inline bool takes_vlan(const struct vnic_receiver *r, uint32_t vlan)
{
	return r->conf.vlan < 0 || (uint32_t)r->conf.vlan == vlan;
}

/* Fill the places of `to` that are NULL from the table. */
static void look_up(const struct rte_hash *table, const uint64_t *key, uint32_t n,
		    struct vnic_receiver **to)
{
	const void *keys[VNIC_BURST_MAX];
	void *found[VNIC_BURST_MAX];
	uint64_t hits = 0;

	for (uint32_t i = 0; i < n; i++)
		keys[i] = &key[i];
	rte_hash_lookup_bulk_data(table, keys, n, &hits, found);
	for (; hits != 0; hits &= hits - 1) {
		uint32_t i = (uint32_t)__builtin_ctzll(hits);

		if (to[i] == NULL)
			to[i] = found[i];
	}
}

/* What was learned is the number of a receiver and its version then. */
static struct vnic_receiver *look_up_learned(const struct vnic__receive *rc, uint64_t key)
{
	struct vnic_receiver *r;
	void *data;
	uintptr_t word;

	if (rte_hash_lookup_data(rc->learned, &key, &data) < 0)
		return NULL;
	word = (uintptr_t)data;
	r = rc->receiver[word % VNIC_RECEIVERS_MAX];
	/* relaxed: touch() looks whether it is open */
	if (atomic_load_explicit(&r->version, memory_order_relaxed) == word / VNIC_RECEIVERS_MAX)
		return r;
	rte_hash_del_key(rc->learned, &key); /* of an earlier one in its place */
	return NULL;
}

static void sort(const struct vnic__receive *rc, struct rte_mbuf **packet, uint32_t n,
		 struct sorted *s)
{
	s->bad = s->group = 0;
	memset(s->to, 0, n * sizeof(s->to[0]));
	for (uint32_t i = 0; i < n; i++)
		rte_prefetch0(rte_pktmbuf_mtod(packet[i], void *));
	for (uint32_t i = 0; i < n; i++) {
		const uint8_t *mac = rte_pktmbuf_mtod(packet[i], const uint8_t *);

		s->vlan[i] = 0;
		s->key[i] = 0;
		if (unlikely(packet[i]->data_len < RTE_ETHER_HDR_LEN)) {
			s->bad |= UINT64_C(1) << i;
			continue;
		}
		s->vlan[i] = vlan_of(packet[i]);
		s->key[i] = vnic__receive_key(mac, s->vlan[i]);
		s->group |= (uint64_t)(mac[0] & 1) << i;
	}
	/* relaxed: entries that come and go now, before or after */
	if (atomic_load_explicit(&rc->nb_vlan, memory_order_relaxed) != 0)
		look_up(rc->table, s->key, n, s->to);
	if (atomic_load_explicit(&rc->nb_any, memory_order_relaxed) != 0) {
		uint64_t any[VNIC_BURST_MAX];

		for (uint32_t i = 0; i < n; i++)
			any[i] = s->key[i] | UINT64_C(0xffff) << 48;
		look_up(rc->table, any, n, s->to);
	}
	for (uint32_t i = 0; rc->learn && i < n; i++)
		if (s->to[i] == NULL && !((s->bad | s->group) >> i & 1))
			s->to[i] = look_up_learned(rc, s->key[i]);
}

/* ---- into the batches ---- */

/* Behind the door, open gate or closed: who has taken something away waits until we are outside. */
static inline void enter(struct vnic__receive *rc)
{
	/* SC: the door, then what is looked at; A26 <- R26 */
	atomic_exchange_explicit(&rc->door, 1, memory_order_seq_cst);
}

static inline bool is_open(const struct vnic_receiver *r)
{
	/* SC: after the door */
	return atomic_load_explicit(&r->open, memory_order_seq_cst);
}

/* Begin a batch for the receiver, if there is none yet. False: it is closed. */
static bool touch(struct vnic__receive *rc, struct vnic_receiver *r)
{
	if (rc->touched & UINT32_C(1) << r->slot)
		return true;
	if (!is_open(r))
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

static inline bool offer(struct vnic__receive *rc, struct vnic_receiver *r)
{
	rc->count[RXA_OFFERED]++;
	r->d_count[RXD_OFFERED]++;
	if (likely(r->nb < r->room))
		return true;
	r->d_count[RXD_DROPPED]++;
	return false;
}

/* The packet itself to a touched receiver. */
static inline void give(struct vnic__receive *rc, struct vnic_receiver *r, struct rte_mbuf *m)
{
	if (likely(offer(rc, r)))
		r->batch[r->nb++] = m;
	else
		rte_pktmbuf_free(m);
}

/* A copy of it; one that has no room for it is spared the copy. */
static void give_copy(struct vnic__receive *rc, struct vnic_receiver *r, const struct rte_mbuf *m)
{
	struct rte_mbuf *copy;

	rc->count[RXA_COPIES]++;
	if (!offer(rc, r))
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

		if (!touch(rc, r) || !takes_vlan(r, vlan) ||
		    !(group || r->conf.promiscuous || r == sole))
			continue;
		if (last != NULL)
			give_copy(rc, last, m);
		last = r;
	}
	if (last != NULL) {
		give(rc, last, m);
		return;
	}
	rc->count[RXA_UNKNOWN]++;
	rte_pktmbuf_free(m);
}

/* The batches into the rings. There is room: see touch(). */
static void hand_over(struct vnic__receive *rc)
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
			give(rc, r, packet[i]);
		else
			malformed(rc, packet[i]);
}

static void give_sorted(struct vnic__receive *rc, struct rte_mbuf **packet, uint32_t n)
{
	struct sorted s;

	sort(rc, packet, n, &s);
	for (uint32_t i = 0; i < n; i++) {
		if (unlikely(s.bad >> i & 1))
			malformed(rc, packet[i]);
		else if (likely(s.to[i] != NULL && touch(rc, s.to[i])))
			give(rc, s.to[i], packet[i]);
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
	if (sole != NULL && touch(rc, sole) && sole->conf.vlan < 0)
		give_sole(rc, sole, packet, n);
	else
		give_sorted(rc, packet, n);
	hand_over(rc);
	return n;
}

uint32_t vnic__receive_poll(struct vnic_adapter *a)
{
	struct vnic__receive *rc = a->receive;
	uint32_t n = 0;

	if (!rc->port)
		return 0;
	enter(rc); /* whatever the gate says: what arrives meanwhile is dropped */
	/* SC: after the door */
	if (likely(!atomic_load_explicit(&a->gone, memory_order_seq_cst)))
		n = take_in(a, rc);
	vnic__door_leave(&rc->door);
	return n;
}

/* ---- between senders and receivers of one adapter ---- */

/* Where the receiver keeps an address that is new to it: over its oldest, if it has its most. */
static uint32_t place_for(struct vnic__receive *rc, struct vnic_receiver *r, uint64_t key,
			  uintptr_t word)
{
	uint32_t i;
	void *data;

	/* it may have been another's meanwhile */
	for (i = 0; i < RTE_MIN(r->nb_learned, (uint64_t)VNIC__LEARNED_MAX); i++)
		if (r->learned[i] == key)
			return i;
	i = (uint32_t)(r->nb_learned++ % VNIC__LEARNED_MAX);
	if (r->nb_learned <= VNIC__LEARNED_MAX ||
	    rte_hash_lookup_data(rc->learned, &r->learned[i], &data) < 0 ||
	    (uintptr_t)data % VNIC_RECEIVERS_MAX != r->slot)
		return i;
	rc->count[RXA_LEARN_FULL] += (uintptr_t)data == word;
	rte_hash_del_key(rc->learned, &r->learned[i]);
	return i;
}

/* The sender's receiver is where its packets come from. */
static void learn(struct vnic__receive *rc, struct vnic_receiver *from, const struct rte_mbuf *m)
{
	const uint8_t *mac = rte_pktmbuf_mtod_offset(m, const uint8_t *, RTE_ETHER_ADDR_LEN);
	uint16_t vlan;
	uintptr_t word;
	uint64_t key;
	void *data;

	if (m->data_len < RTE_ETHER_HDR_LEN || (mac[0] & 1))
		return;
	vlan = sent_vlan_of(m);
	if (!takes_vlan(from, vlan))
		return; /* of another VLAN it has nothing to receive */
	key = vnic__receive_key(mac, vlan);
	/* relaxed: constant while it is open, and it is the sender's own */
	word = (uintptr_t)atomic_load_explicit(&from->version, memory_order_relaxed) *
		       VNIC_RECEIVERS_MAX + from->slot;
	if (rte_hash_lookup_data(rc->learned, &key, &data) >= 0 && (uintptr_t)data == word)
		return;
	from->learned[place_for(rc, from, key, word)] = key;
	rte_hash_add_key_data(rc->learned, &key, (void *)word); /* there is room: half is empty */
}

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
		give(rc, r, arrived(a, m));
		return;
	}
	if (offer(rc, r)) {
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

		if (r == from || !touch(rc, r) || !takes_vlan(r, vlan))
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
		if (!offer(rc, r))
			continue;
		if (copy[i] != NULL)
			r->batch[r->nb++] = arrived(a, copy[i]);
		else
			r->d_count[RXD_NO_MEMORY]++;
	}
	return sent;
}

/* Does it leave by the port alone? */
static bool is_for_port(struct vnic__receive *rc, const struct sorted *s,
			const struct vnic_receiver *from, uint32_t i)
{
	return (s->bad >> i & 1) || (!(s->group >> i & 1) &&
	       (s->to[i] == NULL || s->to[i] == from || !touch(rc, s->to[i])));
}

static uint32_t send_sorted(struct vnic_adapter *a, const struct vnic_receiver *from,
			    struct rte_mbuf **packet, uint32_t n)
{
	struct vnic__receive *rc = a->receive;
	struct sorted s;
	uint32_t i = 0;

	sort(rc, packet, n, &s);
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
	struct sorted s;
	uint32_t i;

	enter(rc); /* for the table: no ring is touched */
	sort(rc, packet, n, &s);
	for (i = 0; i < n; i++)
		if (s.to[i] != NULL && s.to[i] != from && is_open(s.to[i])) {
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
		learn(rc, from, packet[i]);
	if (rc->local)
		n = send_sorted(a, from, packet, n);
	else
		n = rte_eth_tx_burst(a->port, a->tx_queue, packet, (uint16_t)n);
	hand_over(rc);
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
