/* SPDX-License-Identifier: BSD-3-Clause
 * idrule.c - the cancel id of a packet whose sender cannot mark it
 */
#include "idrule.h"

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
#define VALUE_MASK ((UINT64_C(1) << VNIC_IDRULE_INDEX_SHIFT) - 1)
#define WIDTH_MAX 7
#define WIDTH_MAX_OF_SEVERAL 6
#define VLAN_MASK 0xfffu
#define DSCP_MASK 0x3fu
#define LABEL_MASK 0xfffffu
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
static __rte_always_inline bool read_at(const struct rte_mbuf *m, uint32_t offset, uint32_t len, void *to)
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
			hash_key(0, key.word, ADDRESS_WORDS_ETHER) : VNIC_IDRULE_NONE;
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
 * first segment: those headers, or NULL. */
static inline const struct plain_headers *plain_of(const struct rte_mbuf *m)
{
	const struct plain_headers *h = rte_pktmbuf_mtod(m, const struct plain_headers *);

	if (unlikely(m->data_len < sizeof(*h) ||
		     h->ether.ether_type != RTE_BE16(RTE_ETHER_TYPE_IPV4) ||
		     h->ip.version_ihl != RTE_IPV4_VHL_DEF ||
		     (h->ip.fragment_offset & RTE_BE16(RTE_IPV4_HDR_OFFSET_MASK | RTE_IPV4_HDR_MF_FLAG)) ||
		     (h->ip.next_proto_id != IPPROTO_UDP && h->ip.next_proto_id != IPPROTO_TCP)))
		return NULL;
	return h;
}

/* The id of plain headers is the one that the long way finds. */
static inline uint64_t flow_id(const struct rte_mbuf *m)
{
	const struct plain_headers *h = plain_of(m);
	uint64_t addresses;
	uint32_t ports;

	if (unlikely(h == NULL))
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
	uint16_t id;

	if (m->ol_flags & RTE_MBUF_F_RX_QINQ_STRIPPED)
		id = m->vlan_tci_outer & VLAN_MASK;
	else if (m->ol_flags & RTE_MBUF_F_RX_VLAN_STRIPPED)
		id = m->vlan_tci & VLAN_MASK;
	else if (read_at(m, 0, sizeof(ether), &ether) &&
		 (ether.ether_type == RTE_BE16(RTE_ETHER_TYPE_VLAN) ||
		  ether.ether_type == RTE_BE16(RTE_ETHER_TYPE_QINQ)) &&
		 read_at(m, sizeof(ether), sizeof(vlan), &vlan))
		id = rte_be_to_cpu_16(vlan.vlan_tci) & VLAN_MASK;
	else
		id = 0;
	return id != 0 ? id : VNIC_IDRULE_NONE; /* a tag of VLAN 0 has a priority and no VLAN */
}

static uint64_t bytes_id(const struct rte_mbuf *m, uint16_t offset, uint8_t width)
{
	uint8_t byte[WIDTH_MAX];
	rte_be64_t word;
	uint64_t id = 0;

	if ((uint8_t)(width - 1) >= WIDTH_MAX)
		return VNIC_IDRULE_NONE;
	if (likely(offset + sizeof(word) <= m->data_len)) {
		memcpy(&word, rte_pktmbuf_mtod_offset(m, const char *, offset), sizeof(word));
		return rte_be_to_cpu_64(word) >> 8 * (sizeof(word) - width);
	}
	if (!read_at(m, offset, width, byte))
		return VNIC_IDRULE_NONE;
	for (uint8_t i = 0; i < width; i++)
		id = id << 8 | byte[i];
	return id;
}

/* ---- what several rules ask of one packet's headers ---- */

struct look {
	const struct rte_mbuf *packet;
	bool done;
	uint32_t type; /* from here on: when it is done */
	uint32_t l3;   /* offsets in the frame */
	uint32_t l4;
};

static void look_first(struct look *l)
{
	const struct plain_headers *h = plain_of(l->packet);
	struct rte_net_hdr_lens len;

	l->done = true;
	if (h != NULL) {
		l->type = RTE_PTYPE_L3_IPV4 |
			  (h->ip.next_proto_id == IPPROTO_UDP ? RTE_PTYPE_L4_UDP : RTE_PTYPE_L4_TCP);
		l->l3 = offsetof(struct plain_headers, ip);
		l->l4 = offsetof(struct plain_headers, l4);
		return;
	}
	l->type = rte_net_get_ptype(l->packet, &len, RTE_PTYPE_L2_MASK | RTE_PTYPE_L3_MASK |
				    RTE_PTYPE_L4_MASK);
	if (!RTE_ETH_IS_IPV4_HDR(l->type) && !RTE_ETH_IS_IPV6_HDR(l->type))
		return;
	l->l3 = len.l2_len;
	l->l4 = l->l3 + len.l3_len;
}

static inline void look(struct look *l)
{
	if (!l->done)
		look_first(l);
}

/* The port at an offset of the transport's header; fragments have none, the first neither. */
static uint64_t port_id(struct look *l, uint32_t offset)
{
	rte_be16_t port;
	uint32_t l4;

	look(l);
	l4 = l->type & RTE_PTYPE_L4_MASK;
	if ((l4 != RTE_PTYPE_L4_TCP && l4 != RTE_PTYPE_L4_UDP && l4 != RTE_PTYPE_L4_SCTP) ||
	    !read_at(l->packet, l->l4 + offset, sizeof(port), &port))
		return VNIC_IDRULE_NONE;
	return rte_be_to_cpu_16(port);
}

/* The first word of an IPv6 header. */
static bool read_ipv6_word(struct look *l, uint32_t *word)
{
	rte_be32_t be;

	look(l);
	if (!RTE_ETH_IS_IPV6_HDR(l->type) || !read_at(l->packet, l->l3, sizeof(be), &be))
		return false;
	*word = rte_be_to_cpu_32(be);
	return true;
}

static uint64_t label_id(struct look *l)
{
	uint32_t word;

	if (!read_ipv6_word(l, &word) || (word & LABEL_MASK) == 0)
		return VNIC_IDRULE_NONE;
	return word & LABEL_MASK;
}

static uint64_t dscp_id(struct look *l)
{
	uint32_t word;
	uint8_t tos;

	if (read_ipv6_word(l, &word))
		return word >> 22 & DSCP_MASK;
	if (!RTE_ETH_IS_IPV4_HDR(l->type) ||
	    !read_at(l->packet, l->l3 + offsetof(struct rte_ipv4_hdr, type_of_service), 1, &tos))
		return VNIC_IDRULE_NONE;
	return tos >> 2;
}

static inline uint64_t value_of(const struct vnic_idrule *rule, struct look *l)
{
	switch (rule->kind) {
	case VNIC_IDRULE_FLOW: return flow_id(l->packet);
	case VNIC_IDRULE_VLAN: return vlan_id(l->packet);
	case VNIC_IDRULE_BYTES: return bytes_id(l->packet, rule->offset, rule->width);
	case VNIC_IDRULE_CONSTANT: return rule->value & ID_MASK;
	case VNIC_IDRULE_LABEL: return label_id(l);
	case VNIC_IDRULE_DSCP: return dscp_id(l);
	case VNIC_IDRULE_PORT: return port_id(l, sizeof(rte_be16_t));
	case VNIC_IDRULE_SOURCE_PORT: return port_id(l, 0);
	case VNIC_IDRULE_KINDS: break;
	}
	return VNIC_IDRULE_NONE;
}

static inline uint64_t apply(const struct vnic_idrule *rule, struct look *l)
{
	uint64_t value = value_of(rule, l);

	return rule->only && value != rule->value ? VNIC_IDRULE_NONE : value;
}

uint64_t vnic_idrule_apply(const struct vnic_idrule *rule, const struct rte_mbuf *m)
{
	struct look l = {.packet = m};

	return apply(rule, &l);
}

/* ---- lists ---- */

/* The greatest value that a rule may name. */
static uint64_t value_max(const struct vnic_idrule *rule)
{
	switch (rule->kind) {
	case VNIC_IDRULE_VLAN: return VLAN_MASK;
	case VNIC_IDRULE_LABEL: return LABEL_MASK;
	case VNIC_IDRULE_DSCP: return DSCP_MASK;
	case VNIC_IDRULE_PORT:
	case VNIC_IDRULE_SOURCE_PORT: return UINT16_MAX;
	case VNIC_IDRULE_BYTES: return (UINT64_C(1) << 8 * rule->width) - 1;
	default: return 0;
	}
}

static bool valid(const struct vnic_idrule *rule, bool alone)
{
	uint8_t width_max = alone ? WIDTH_MAX : WIDTH_MAX_OF_SEVERAL;

	if (rule->kind >= VNIC_IDRULE_KINDS)
		return false;
	if (rule->kind == VNIC_IDRULE_BYTES && (uint8_t)(rule->width - 1) >= width_max)
		return false;
	if (rule->kind == VNIC_IDRULE_CONSTANT && rule->value > (alone ? ID_MASK : VALUE_MASK))
		return false;
	/* VLAN 0 and label 0 are none */
	if (rule->only && rule->value == 0 &&
	    (rule->kind == VNIC_IDRULE_VLAN || rule->kind == VNIC_IDRULE_LABEL))
		return false;
	return !rule->only || (rule->kind != VNIC_IDRULE_FLOW && rule->kind != VNIC_IDRULE_CONSTANT &&
			       rule->value <= value_max(rule));
}

bool vnic__idrules_init(struct vnic__idrules *list, const struct vnic_idrule *rules, uint32_t nb)
{
	if (nb > VNIC_IDRULES_MAX)
		return false;
	*list = (struct vnic__idrules){.nb = nb};
	if (nb == 0)
		list->rule[list->nb++].kind = VNIC_IDRULE_FLOW;
	for (uint32_t i = 0; i < nb; i++) {
		if (!valid(&rules[i], nb == 1))
			return false;
		list->rule[i] = rules[i];
	}
	return true;
}

static __rte_always_inline uint64_t first_match(const struct vnic__idrules *list,
						const struct rte_mbuf *m, uint32_t *which)
{
	struct look l;

	l.packet = m;
	l.done = false;
	for (uint32_t i = 0; i < list->nb; i++) {
		uint64_t value = apply(&list->rule[i], &l);

		if (value == VNIC_IDRULE_NONE)
			continue;
		*which = i;
		if (list->nb == 1)
			return list->prefix | value;
		return list->prefix | (uint64_t)i << VNIC_IDRULE_INDEX_SHIFT | (value & VALUE_MASK);
	}
	*which = VNIC__UNMARKED;
	return 0;
}

uint64_t vnic__idrules_apply(const struct vnic__idrules *list, const struct rte_mbuf *m,
			     uint32_t *which)
{
	return first_match(list, m, which);
}

/* Most faces have this one rule. */
static void burst_of_flows(uint64_t prefix, struct rte_mbuf *const *packets, uint16_t n,
			   uint64_t *ids, uint32_t matches[VNIC__MATCHES])
{
	uint32_t unmarked = 0;

	for (uint16_t i = 0; i < n; i++) {
		uint64_t value = flow_id(packets[i]);

		ids[i] = prefix | value;
		if (unlikely(value == VNIC_IDRULE_NONE)) {
			ids[i] = 0;
			unmarked++;
		}
	}
	matches[0] += n - unmarked;
	matches[VNIC__UNMARKED] += unmarked;
}

void vnic__idrules_burst(const struct vnic__idrules *list, struct rte_mbuf *const *packets,
			 uint16_t n, uint64_t *ids, uint32_t matches[VNIC__MATCHES])
{
	uint32_t which;

	if (vnic__idrules_flow_alone(list)) {
		burst_of_flows(list->prefix, packets, n, ids, matches);
		return;
	}
	for (uint16_t i = 0; i < n; i++) {
		ids[i] = first_match(list, packets[i], &which);
		matches[which]++;
	}
}
