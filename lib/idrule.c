/* SPDX-License-Identifier: BSD-3-Clause
 * idrule.c - the cancel id of a packet whose sender cannot mark it
 */
#include "vnic.h"

#include <string.h>

#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_jhash.h>
#include <rte_mbuf.h>
#include <rte_net.h>

#define ID_MASK ((UINT64_C(1) << VNIC_CANCEL_ID_PREFIX_SHIFT) - 1)
#define PORTS_LEN 4

/* What tells one flow from another; the rest stays zero, it is hashed too. */
union flow_key {
	struct {
		uint8_t source[16];
		uint8_t destination[16];
		uint8_t ports[PORTS_LEN];
		uint16_t ether_type;
		uint8_t protocol;
	};
	uint32_t word[10];
};

static uint64_t hash_key(const union flow_key *key)
{
	uint32_t high = 0, low = 0;

	rte_jhash_32b_2hashes(key->word, sizeof(key->word) / sizeof(key->word[0]), &high, &low);
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

static void key_of_ipv4(const struct rte_mbuf *m, uint32_t offset, union flow_key *key)
{
	struct rte_ipv4_hdr ip;

	if (!read_at(m, offset, sizeof(ip), &ip))
		return;
	memcpy(key->source, &ip.src_addr, sizeof(ip.src_addr));
	memcpy(key->destination, &ip.dst_addr, sizeof(ip.dst_addr));
	key->protocol = ip.next_proto_id;
}

static void key_of_ipv6(const struct rte_mbuf *m, uint32_t offset, uint32_t l4, union flow_key *key)
{
	struct rte_ipv6_hdr ip;

	if (!read_at(m, offset, sizeof(ip), &ip))
		return;
	memcpy(key->source, ip.src_addr, sizeof(ip.src_addr));
	memcpy(key->destination, ip.dst_addr, sizeof(ip.dst_addr));
	/* behind extension headers the first header's type would split a flow from its
	 * fragments; the transport's own kind does not */
	key->protocol = (uint8_t)(l4 >> 8);
}

static uint64_t flow_id(const struct rte_mbuf *m)
{
	struct rte_net_hdr_lens len;
	union flow_key key;
	uint32_t type = rte_net_get_ptype(m, &len, RTE_PTYPE_ALL_MASK);
	uint32_t l3 = len.l2_len, l4 = type & RTE_PTYPE_L4_MASK;
	struct rte_ether_hdr ether;

	memset(&key, 0, sizeof(key));
	if (RTE_ETH_IS_IPV4_HDR(type)) {
		key_of_ipv4(m, l3, &key);
	} else if (RTE_ETH_IS_IPV6_HDR(type)) {
		key_of_ipv6(m, l3, l4, &key);
	} else if (read_at(m, 0, sizeof(ether), &ether)) {
		memcpy(key.source, &ether.src_addr, RTE_ETHER_ADDR_LEN);
		memcpy(key.destination, &ether.dst_addr, RTE_ETHER_ADDR_LEN);
		key.ether_type = ether.ether_type;
		return hash_key(&key);
	} else {
		return 0;
	}
	key.ether_type = RTE_ETH_IS_IPV4_HDR(type) ? RTE_ETHER_TYPE_IPV4 : RTE_ETHER_TYPE_IPV6;
	if (l4 == RTE_PTYPE_L4_TCP || l4 == RTE_PTYPE_L4_UDP || l4 == RTE_PTYPE_L4_SCTP)
		read_at(m, l3 + len.l3_len, PORTS_LEN, key.ports);
	return hash_key(&key);
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
