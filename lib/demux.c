/* SPDX-License-Identifier: BSD-3-Clause
 * demux.c - whose is a packet: the table of the configured addresses, and what was learned
 *
 * Data thread.
 */
#include "demux.h"

#include <string.h>

#include <rte_branch_prediction.h>
#include <rte_byteorder.h>
#include <rte_ether.h>
#include <rte_prefetch.h>

_Static_assert(VNIC_BURST_MAX <= 64 && VNIC_BURST_MAX <= RTE_HASH_LOOKUP_BULK_MAX,
	       "a bit for each, and one lookup");

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
	/* relaxed: vnic__batch_touch() looks whether it is open */
	if (atomic_load_explicit(&r->version, memory_order_relaxed) == word / VNIC_RECEIVERS_MAX)
		return r;
	rte_hash_del_key(rc->learned, &key); /* of an earlier one in its place */
	return NULL;
}

void vnic__demux(const struct vnic__receive *rc, struct rte_mbuf **packet, uint32_t n,
		 struct vnic__sorted *s)
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

/* ---- learning ---- */

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

void vnic__learn(struct vnic__receive *rc, struct vnic_receiver *from, const struct rte_mbuf *m)
{
	const uint8_t *mac = rte_pktmbuf_mtod_offset(m, const uint8_t *, RTE_ETHER_ADDR_LEN);
	uint16_t vlan;
	uintptr_t word;
	uint64_t key;
	void *data;

	if (m->data_len < RTE_ETHER_HDR_LEN || (mac[0] & 1))
		return;
	vlan = sent_vlan_of(m);
	if (!vnic__takes_vlan(from, vlan))
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
