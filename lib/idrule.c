/* SPDX-License-Identifier: BSD-3-Clause
 * idrule.c - the cancel id of a packet whose sender cannot mark it
 */
#include "vnic.h"

#include <netinet/in.h>
#include <stddef.h>
#include <string.h>

#include <rte_branch_prediction.h>
#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_jhash.h>
#include <rte_mbuf.h>
#include <rte_net.h>
#include <rte_tcp.h>

#define ID_MASK ((UINT64_C(1) << VNIC_CANCEL_ID_PREFIX_SHIFT) - 1)
#define ADDRESS_WORDS 4
#define ADDRESS_WORDS_IPV4 1
#define ADDRESS_WORDS_ETHER 2

/* What tells one flow from another; the rest stays zero, it is hashed too. */
struct flow_key {
	uint64_t kind; /* ports, type, protocol: see kind_of() */
	union {
		struct {
			uint8_t source[4];
			uint8_t destination[4];
		} ipv4;
		struct {
			uint8_t source[16];
			uint8_t destination[16];
		} ipv6;
		struct rte_ether_hdr ether;
		uint64_t word[ADDRESS_WORDS];
	};
};

/* Made in a register: a word that was written in pieces would be slow to read. */
static inline uint64_t kind_of(uint16_t ether_type, uint8_t protocol, uint32_t ports)
{
	return (uint64_t)protocol << 48 | (uint64_t)ether_type << 32 | ports;
}

/* Of the kind and the first `nb` words of addresses: no more than there is. */
static inline uint64_t hash_key(uint64_t kind, const uint64_t *word, uint32_t nb)
{
	uint32_t key[2 * (1 + ADDRESS_WORDS)], high = 0, low = 0;

	memcpy(key, &kind, sizeof(kind));
	memcpy(key + 2, word, nb * sizeof(*word));
	rte_jhash_32b_2hashes(key, 2 * (1 + nb), &high, &low);
	return ((uint64_t)high << 32 | low) & ID_MASK;
}

/* `len` bytes at `offset`, false where the packet ends before. */
static bool read_at(const struct rte_mbuf *m, uint32_t offset, uint32_t len, void *to)
{
	const void *from;

	if (offset + len > rte_pktmbuf_pkt_len(m))
		return false;
	from = rte_pktmbuf_read(m, offset, len, to);
	if (from != to)
		memcpy(to, from, len);
	return true;
}

static void key_of_ipv4(const struct rte_mbuf *m, uint32_t offset, uint32_t ports, struct flow_key *key)
{
	struct rte_ipv4_hdr ip;

	if (!read_at(m, offset, sizeof(ip), &ip))
		return;
	memcpy(key->ipv4.source, &ip.src_addr, sizeof(ip.src_addr));
	memcpy(key->ipv4.destination, &ip.dst_addr, sizeof(ip.dst_addr));
	key->kind = kind_of(RTE_ETHER_TYPE_IPV4, ip.next_proto_id, ports);
}

static void key_of_ipv6(const struct rte_mbuf *m, uint32_t offset, uint32_t l4, uint32_t ports,
			struct flow_key *key)
{
	struct rte_ipv6_hdr ip;

	if (!read_at(m, offset, sizeof(ip), &ip))
		return;
	memcpy(key->ipv6.source, ip.src_addr, sizeof(ip.src_addr));
	memcpy(key->ipv6.destination, ip.dst_addr, sizeof(ip.dst_addr));
	/* behind extension headers the first header's type would split a flow from its
	 * fragments; the transport's own kind does not */
	key->kind = kind_of(RTE_ETHER_TYPE_IPV6, (uint8_t)(l4 >> 8), ports);
}

static __rte_noinline uint64_t flow_id_of_any(const struct rte_mbuf *m)
{
	struct flow_key key = {0};
	struct rte_net_hdr_lens len;
	uint32_t type = rte_net_get_ptype(m, &len, RTE_PTYPE_ALL_MASK);
	uint32_t l3 = len.l2_len, l4 = type & RTE_PTYPE_L4_MASK, ports = 0;

	if (!RTE_ETH_IS_IPV4_HDR(type) && !RTE_ETH_IS_IPV6_HDR(type))
		return read_at(m, 0, sizeof(key.ether), &key.ether) ?
			hash_key(0, key.word, ADDRESS_WORDS_ETHER) : 0;
	if (l4 == RTE_PTYPE_L4_TCP || l4 == RTE_PTYPE_L4_UDP || l4 == RTE_PTYPE_L4_SCTP)
		read_at(m, l3 + len.l3_len, sizeof(ports), &ports);
	if (RTE_ETH_IS_IPV4_HDR(type)) {
		key_of_ipv4(m, l3, ports, &key);
		return hash_key(key.kind, key.word, ADDRESS_WORDS_IPV4);
	}
	key_of_ipv6(m, l3, l4, ports, &key);
	return hash_key(key.kind, key.word, ADDRESS_WORDS);
}

/* The start of most packets. */
struct plain_headers {
	struct rte_ether_hdr ether;
	struct rte_ipv4_hdr ip;
	struct rte_tcp_hdr l4; /* or UDP's, which begins alike */
} __rte_packed __rte_aligned(2);

/* Most packets are TCP or UDP in IPv4 without tags, options or fragments, the headers in the
 * first segment. The id is the one that the long way finds. */
static inline uint64_t flow_id(const struct rte_mbuf *m)
{
	const struct plain_headers *h = rte_pktmbuf_mtod(m, const struct plain_headers *);
	uint64_t addresses;
	uint32_t ports;

	if (unlikely(m->data_len < sizeof(*h) ||
		     h->ether.ether_type != RTE_BE16(RTE_ETHER_TYPE_IPV4) ||
		     h->ip.version_ihl != RTE_IPV4_VHL_DEF ||
		     (h->ip.fragment_offset & RTE_BE16(RTE_IPV4_HDR_OFFSET_MASK | RTE_IPV4_HDR_MF_FLAG)) ||
		     (h->ip.next_proto_id != IPPROTO_UDP && h->ip.next_proto_id != IPPROTO_TCP)))
		return flow_id_of_any(m);
	/* both addresses, both ports: they lie side by side */
	memcpy(&addresses, (const char *)h + offsetof(struct plain_headers, ip.src_addr), sizeof(addresses));
	memcpy(&ports, (const char *)h + offsetof(struct plain_headers, l4), sizeof(ports));
	return hash_key(kind_of(RTE_ETHER_TYPE_IPV4, h->ip.next_proto_id, ports), &addresses,
			ADDRESS_WORDS_IPV4);
}

static uint64_t vlan_id(const struct rte_mbuf *m)
{
	struct rte_ether_hdr ether;
	struct rte_vlan_hdr vlan;

	if (m->ol_flags & RTE_MBUF_F_RX_QINQ_STRIPPED)
		return m->vlan_tci_outer & 0xfff;
	if (m->ol_flags & RTE_MBUF_F_RX_VLAN_STRIPPED)
		return m->vlan_tci & 0xfff;
	if (!read_at(m, 0, sizeof(ether), &ether) ||
	    (ether.ether_type != RTE_BE16(RTE_ETHER_TYPE_VLAN) &&
	     ether.ether_type != RTE_BE16(RTE_ETHER_TYPE_QINQ)) ||
	    !read_at(m, sizeof(ether), sizeof(vlan), &vlan))
		return 0;
	return rte_be_to_cpu_16(vlan.vlan_tci) & 0xfff;
}

static uint64_t bytes_id(const struct rte_mbuf *m, uint16_t offset, uint8_t width)
{
	uint8_t byte[8];
	uint64_t id = 0;

	if (width > 7 || !read_at(m, offset, width, byte))
		return 0;
	for (uint8_t i = 0; i < width; i++)
		id = id << 8 | byte[i];
	return id;
}

uint64_t vnic_idrule_apply(const struct vnic_idrule *rule, const struct rte_mbuf *m)
{
	switch (rule->kind) {
	case VNIC_IDRULE_FLOW: return flow_id(m);
	case VNIC_IDRULE_VLAN: return vlan_id(m);
	case VNIC_IDRULE_BYTES: return bytes_id(m, rule->offset, rule->width);
	case VNIC_IDRULE_CONSTANT: return rule->value & ID_MASK;
	}
	return 0;
}
