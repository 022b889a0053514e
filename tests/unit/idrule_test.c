/* SPDX-License-Identifier: BSD-3-Clause
 * idrule_test.c - cancel ids made of what a frame holds
 *
 * Every id is asked for several times: in one piece, and in chains split at every byte;
 * with different bytes in the buffers beyond the frame's end. All must agree; and so must the
 * id of a list, packet by packet and by the burst.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <netinet/in.h>
#include <rte_ether.h>
#include <rte_mbuf.h>

#include "idrule.h"

#define FRAME_ROOM 256
#define ID_LIMIT (UINT64_C(1) << VNIC_CANCEL_ID_PREFIX_SHIFT)
#define NONE VNIC_IDRULE_NONE
#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))

struct frame {
	uint32_t len;
	uint8_t byte[FRAME_ROOM];
};

/* ---- asking ---- */

static void segment(struct rte_mbuf *m, uint8_t room[FRAME_ROOM], const uint8_t *byte,
		    uint32_t len, uint8_t beyond)
{
	memset(room, beyond, FRAME_ROOM);
	memcpy(room, byte, len);
	m->buf_addr = room;
	m->buf_len = FRAME_ROOM;
	m->data_len = (uint16_t)len;
}

/* The frame in two segments, the first of `split` bytes. */
static uint64_t ask_split(const struct vnic_idrule *rule, const struct frame *f, uint32_t split,
			  uint8_t beyond, const struct rte_mbuf *meta)
{
	static uint8_t room[2][FRAME_ROOM];
	struct rte_mbuf m[2];

	memset(m, 0, sizeof(m));
	segment(&m[0], room[0], f->byte, split, beyond);
	segment(&m[1], room[1], f->byte + split, f->len - split, beyond);
	if (meta != NULL) {
		m[0].ol_flags = meta->ol_flags;
		m[0].vlan_tci = meta->vlan_tci;
		m[0].vlan_tci_outer = meta->vlan_tci_outer;
	}
	m[0].pkt_len = f->len;
	m[0].nb_segs = split < f->len ? 2 : 1;
	m[0].next = split < f->len ? &m[1] : NULL;
	return vnic_idrule_apply(rule, m);
}

static uint64_t ask_with(const struct vnic_idrule *rule, const struct frame *f,
			 const struct rte_mbuf *meta)
{
	uint64_t id = ask_split(rule, f, f->len, 0, meta);

	assert_true(id < ID_LIMIT || id == NONE);
	assert_int_equal(ask_split(rule, f, f->len, 0xff, meta), id);
	for (uint32_t split = 0; split < f->len; split++)
		assert_int_equal(ask_split(rule, f, split, (uint8_t)(split + 1), meta), id);
	return id;
}

static uint64_t ask(const struct vnic_idrule *rule, const struct frame *f)
{
	return ask_with(rule, f, NULL);
}

static const struct vnic_idrule flow = {.kind = VNIC_IDRULE_FLOW};
static const struct vnic_idrule vlan = {.kind = VNIC_IDRULE_VLAN};

/* ---- frames ---- */

static void put(struct frame *f, const void *bytes, uint32_t n)
{
	assert_true(f->len + n <= FRAME_ROOM);
	memcpy(f->byte + f->len, bytes, n);
	f->len += n;
}

static void put16(struct frame *f, uint16_t v)
{
	put(f, (const uint8_t[]){(uint8_t)(v >> 8), (uint8_t)v}, 2);
}

static void put_zeros(struct frame *f, uint32_t n)
{
	static const uint8_t zeros[FRAME_ROOM];

	put(f, zeros, n);
}

/* A flow and the ways in which its packets may differ. */
struct tuple {
	uint8_t version; /* 4 or 6 */
	uint8_t protocol;
	uint8_t source, destination; /* the addresses' last bytes */
	uint16_t source_port, destination_port;
	/* no part of the flow: */
	uint16_t tags;     /* VLAN headers */
	uint8_t mac;
	uint8_t ttl;
	uint16_t payload;  /* bytes */
	uint8_t options;   /* IPv4: words; IPv6: a hop-by-hop header */
	bool fragment;     /* of a datagram, at */
	uint16_t fragment_at; /* bytes / 8; more follow at 0 */
};

static void put_ethernet(struct frame *f, const struct tuple *t, uint16_t type)
{
	put(f, (const uint8_t[]){2, 0, 0, 0, 0, t->mac, 2, 0, 0, 0, 1, t->mac}, 12);
	for (uint16_t i = 0; i < t->tags; i++) {
		put16(f, i + 1 < t->tags ? RTE_ETHER_TYPE_QINQ : RTE_ETHER_TYPE_VLAN);
		put16(f, (uint16_t)(0xa000 | (100 + i)));
	}
	put16(f, type);
}

static void put_ipv4(struct frame *f, const struct tuple *t)
{
	uint16_t fragment = t->fragment_at;

	if (t->fragment && t->fragment_at == 0)
		fragment |= 0x2000; /* more fragments */
	put_ethernet(f, t, RTE_ETHER_TYPE_IPV4);
	put(f, (const uint8_t[]){(uint8_t)(0x45 + t->options), 0}, 2);
	put16(f, (uint16_t)(20 + 4 * t->options + 8 + t->payload));
	put16(f, (uint16_t)(t->ttl * 77)); /* identification */
	put16(f, fragment);
	put(f, (const uint8_t[]){t->ttl, t->protocol, t->ttl, t->ttl}, 4);
	put(f, (const uint8_t[]){10, 0, 0, t->source, 10, 0, 1, t->destination}, 8);
	for (uint8_t i = 0; i < t->options; i++)
		put(f, (const uint8_t[]){1, 1, 1, 1}, 4);
}

static void put_ipv6(struct frame *f, const struct tuple *t)
{
	uint8_t next = t->fragment ? 44 : t->protocol;

	put_ethernet(f, t, RTE_ETHER_TYPE_IPV6);
	put(f, (const uint8_t[]){0x60, t->ttl, 0, 1}, 4);
	put16(f, (uint16_t)(8 + t->payload));
	put(f, (const uint8_t[]){t->options != 0 ? 0 : next, t->ttl}, 2);
	for (int side = 0; side < 2; side++) {
		put(f, (const uint8_t[]){0x20, 1, 0xd, 0xb8}, 4);
		put_zeros(f, 11);
		put(f, side == 0 ? &t->source : &t->destination, 1);
	}
	if (t->options != 0)
		put(f, (const uint8_t[]){next, 0, 1, 4, 0, 0, 0, 0}, 8);
	if (t->fragment) {
		put(f, (const uint8_t[]){t->protocol, 0}, 2);
		put16(f, (uint16_t)(t->fragment_at << 3 | (t->fragment_at == 0)));
		put(f, (const uint8_t[]){0, 0, 0, 9}, 4);
	}
}

static struct frame frame_of(const struct tuple *t)
{
	struct frame f = {0};

	if (t->version == 4)
		put_ipv4(&f, t);
	else
		put_ipv6(&f, t);
	if (t->fragment_at == 0) {
		put16(&f, t->source_port);
		put16(&f, t->destination_port);
		put_zeros(&f, 16);
	}
	for (uint16_t i = 0; i < t->payload; i++)
		put(&f, &t->ttl, 1);
	return f;
}

static uint64_t id_of(const struct tuple *t)
{
	struct frame f = frame_of(t);

	return ask(&flow, &f);
}

/* ---- flow ---- */

static const struct tuple flows[] = {
	{4, IPPROTO_TCP, 1, 2, 1000, 80},  {4, IPPROTO_UDP, 1, 2, 1000, 80},
	{4, IPPROTO_SCTP, 1, 2, 1000, 80}, {4, IPPROTO_TCP, 3, 2, 1000, 80},
	{4, IPPROTO_TCP, 1, 3, 1000, 80},  {4, IPPROTO_TCP, 1, 2, 1001, 80},
	{4, IPPROTO_TCP, 1, 2, 1000, 81},  {4, IPPROTO_TCP, 2, 1, 80, 1000},
	{4, IPPROTO_ICMP, 1, 2, 0, 0},     {4, IPPROTO_ESP, 1, 2, 0, 0},
	{4, IPPROTO_SCTP, 1, 2, 1000, 81}, {6, IPPROTO_SCTP, 1, 2, 1000, 81},
	{6, IPPROTO_TCP, 1, 2, 1000, 80},  {6, IPPROTO_UDP, 1, 2, 1000, 80},
	{6, IPPROTO_SCTP, 1, 2, 1000, 80}, {6, IPPROTO_TCP, 3, 2, 1000, 80},
	{6, IPPROTO_TCP, 1, 3, 1000, 80},  {6, IPPROTO_TCP, 1, 2, 1001, 80},
	{6, IPPROTO_TCP, 1, 2, 1000, 81},  {6, IPPROTO_TCP, 2, 1, 80, 1000},
};

static void different_flows_have_different_ids(void **state)
{
	uint64_t id[COUNT_OF(flows)];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(flows); i++) {
		id[i] = id_of(&flows[i]);
		assert_int_not_equal(id[i], 0);
		for (size_t k = 0; k < i; k++)
			assert_int_not_equal(id[i], id[k]);
	}
}

static void packets_of_a_flow_have_one_id(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(flows); i++) {
		const uint64_t id = id_of(&flows[i]);
		struct tuple t;

		t = flows[i], t.mac = 9, assert_int_equal(id_of(&t), id);
		t = flows[i], t.ttl = 64, assert_int_equal(id_of(&t), id);
		t = flows[i], t.payload = 100, assert_int_equal(id_of(&t), id);
		t = flows[i], t.tags = 1, assert_int_equal(id_of(&t), id);
		t = flows[i], t.tags = 2, assert_int_equal(id_of(&t), id);
		t = flows[i], t.options = 1, assert_int_equal(id_of(&t), id);
		t = flows[i], t.tags = 2, t.options = 1, t.payload = 9,
		assert_int_equal(id_of(&t), id);
	}
}

/* Only the first fragment has ports, so that none of them counts. */
static void fragments_of_a_datagram_have_one_id(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(flows); i++) {
		struct tuple first = flows[i], later, other;
		uint64_t id;

		first.fragment = true;
		first.payload = 64;
		later = first;
		later.fragment_at = 12;
		id = id_of(&first);
		assert_int_equal(id_of(&later), id);
		later.payload = 1; /* a few bytes: what a header's length would need is not there */
		assert_int_equal(id_of(&later), id);
		later.options = first.options = 1;
		later.tags = first.tags = 1;
		assert_int_equal(id_of(&later), id);
		assert_int_equal(id_of(&first), id);
		other = first;
		other.source_port++; /* another flow's datagram: allowed to agree, and must */
		assert_int_equal(id_of(&other), id);
		other.source++;
		assert_int_not_equal(id_of(&other), id);
	}
}

/* Another protocol's datagram between the same hosts is another flow, if IPv4 tells. */
static void fragments_of_other_protocols_differ(void **state)
{
	struct tuple udp = {4, IPPROTO_UDP, 1, 2, 0, 0, .fragment = true, .fragment_at = 9};
	struct tuple tcp = udp;

	(void)state;
	tcp.protocol = IPPROTO_TCP;
	assert_int_not_equal(id_of(&udp), id_of(&tcp));
}

static void not_ip_is_addresses_and_type(void **state)
{
	const struct tuple t = {.mac = 1}, u = {.mac = 2};
	struct frame arp = {0}, lldp = {0}, other = {0};
	uint64_t id;

	(void)state;
	put_ethernet(&arp, &t, 0x0806);
	put_zeros(&arp, 46);
	put_ethernet(&lldp, &t, 0x88cc);
	put_zeros(&lldp, 46);
	put_ethernet(&other, &u, 0x0806);
	put_zeros(&other, 46);
	id = ask(&flow, &arp);
	assert_int_not_equal(id, 0);
	assert_int_not_equal(ask(&flow, &lldp), id);
	assert_int_not_equal(ask(&flow, &other), id);
	arp.byte[30] = 77; /* content */
	assert_int_equal(ask(&flow, &arp), id);
}

/* Cut anywhere: nothing beyond the end is read (ask() would see it), nothing crashes. */
static void cut_frames(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(flows); i++) {
		struct tuple t = flows[i];
		struct frame f;

		t.tags = (uint16_t)(i % 3);
		t.options = i % 2;
		f = frame_of(&t);
		for (; f.len >= sizeof(struct rte_ether_hdr); f.len--)
			ask(&flow, &f);
	}
}

static void lengths_that_lie(void **state)
{
	struct tuple t = {4, IPPROTO_UDP, 1, 2, 1000, 80};
	struct frame f = frame_of(&t);

	(void)state;
	for (uint32_t ihl = 0; ihl < 16; ihl++) {
		f.byte[14] = (uint8_t)(0x40 | ihl);
		ask(&flow, &f);
	}
	for (uint32_t version = 0; version < 16; version++) {
		f.byte[14] = (uint8_t)(version << 4 | 5);
		ask(&flow, &f);
	}
}

/* One without a whole Ethernet header. */
static void too_short_for_a_flow(void **state)
{
	struct frame f = frame_of(&flows[0]);

	(void)state;
	for (f.len = 13; f.len != 0; f.len--)
		assert_true(ask(&flow, &f) == NONE);
}

/* ---- VLAN ---- */

static void the_outer_vlan(void **state)
{
	struct tuple t = {4, IPPROTO_UDP, 1, 2, 1000, 80};
	struct frame f;

	(void)state;
	f = frame_of(&t);
	assert_true(ask(&vlan, &f) == NONE);
	for (t.tags = 1; t.tags <= 2; t.tags++) {
		f = frame_of(&t);
		assert_int_equal(ask(&vlan, &f), 100); /* without priority bits */
		for (f.len = 17; f.len != 0; f.len--)
			assert_true(ask(&vlan, &f) == NONE);
	}
}

/* Its tag has a priority and no VLAN. */
static void vlan_0_is_none(void **state)
{
	const struct tuple t = {4, IPPROTO_UDP, 1, 2, 1000, 80, .tags = 1};
	struct frame f = frame_of(&t);
	struct rte_mbuf meta;

	(void)state;
	f.byte[14] = 0xe0;
	f.byte[15] = 0;
	assert_true(ask(&vlan, &f) == NONE);
	memset(&meta, 0, sizeof(meta));
	meta.vlan_tci = 0xe000;
	meta.ol_flags = RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED;
	assert_true(ask_with(&vlan, &f, &meta) == NONE);
}

static void the_vlan_that_the_port_has_taken_off(void **state)
{
	const struct tuple t = {4, IPPROTO_UDP, 1, 2, 1000, 80};
	struct frame f = frame_of(&t);
	struct rte_mbuf meta;

	(void)state;
	memset(&meta, 0, sizeof(meta));
	meta.vlan_tci = 0xe07b;
	assert_true(ask_with(&vlan, &f, &meta) == NONE); /* not marked as valid */
	meta.ol_flags = RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED;
	assert_int_equal(ask_with(&vlan, &f, &meta), 123);
}

/* Both were taken off: vlan_tci is the inner, vlan_tci_outer the outer one. */
static void the_outer_of_two_that_the_port_has_taken_off(void **state)
{
	const struct tuple t = {4, IPPROTO_UDP, 1, 2, 1000, 80};
	struct frame f = frame_of(&t);
	struct rte_mbuf meta;

	(void)state;
	memset(&meta, 0, sizeof(meta));
	meta.vlan_tci = 123;
	meta.vlan_tci_outer = 456;
	meta.ol_flags = RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED | RTE_MBUF_F_RX_QINQ |
			RTE_MBUF_F_RX_QINQ_STRIPPED;
	assert_int_equal(ask_with(&vlan, &f, &meta), 456);
}

/* ---- bytes, constant ---- */

static void bytes_at_an_offset(void **state)
{
	struct frame f = {.len = 40};

	(void)state;
	for (uint32_t i = 0; i < f.len; i++)
		f.byte[i] = (uint8_t)(0x81 + i);
	for (uint8_t width = 1; width <= 7; width++)
		for (uint16_t offset = 0; offset < 48; offset++) {
			const struct vnic_idrule rule = {
				.kind = VNIC_IDRULE_BYTES, .offset = offset, .width = width};
			uint64_t want = 0;

			for (uint8_t i = 0; i < width; i++)
				want = want << 8 | (uint8_t)(0x81 + offset + i);
			assert_true(ask(&rule, &f) == (offset + width <= 40u ? want : NONE));
		}
}

static void bytes_out_of_range(void **state)
{
	const struct frame f = {.len = 40, .byte = {1, 2, 3}};
	struct vnic_idrule rule = {.kind = VNIC_IDRULE_BYTES, .width = 8};

	(void)state;
	assert_true(ask(&rule, &f) == NONE);
	rule.width = 255;
	assert_true(ask(&rule, &f) == NONE);
	rule.width = 0;
	assert_true(ask(&rule, &f) == NONE);
	rule = (struct vnic_idrule){.kind = VNIC_IDRULE_BYTES, .offset = UINT16_MAX, .width = 7};
	assert_true(ask(&rule, &f) == NONE);
}

static void constant(void **state)
{
	const struct frame f = {.len = 1};
	struct vnic_idrule rule = {.kind = VNIC_IDRULE_CONSTANT, .value = 77};

	(void)state;
	assert_int_equal(ask(&rule, &f), 77);
	rule.value = UINT64_MAX; /* 56 bits of it */
	assert_int_equal(ask(&rule, &f), ID_LIMIT - 1);
}

/* ---- transport ports, DSCP, flow label ---- */

static const struct vnic_idrule port = {.kind = VNIC_IDRULE_PORT};
static const struct vnic_idrule source_port = {.kind = VNIC_IDRULE_SOURCE_PORT};
static const struct vnic_idrule dscp = {.kind = VNIC_IDRULE_DSCP};
static const struct vnic_idrule label = {.kind = VNIC_IDRULE_LABEL};

static bool has_ports(const struct tuple *t)
{
	return t->protocol == IPPROTO_TCP || t->protocol == IPPROTO_UDP || t->protocol == IPPROTO_SCTP;
}

/* Where the transport's header begins. */
static uint32_t l4_of(const struct tuple *t)
{
	return 14 + 4u * t->tags + (t->version == 4 ? 20u + 4u * t->options : 40u + 8u * t->options);
}

static void the_ports(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(flows); i++)
		for (uint16_t tags = 0; tags <= 2; tags++)
			for (uint8_t options = 0; options <= 1; options++) {
				struct tuple t = flows[i];
				struct frame f;

				t.tags = tags;
				t.options = options;
				t.source_port = 0xfedc;
				t.destination_port = 0x8001;
				f = frame_of(&t);
				assert_true(ask(&port, &f) == (has_ports(&t) ? 0x8001 : NONE));
				assert_true(ask(&source_port, &f) == (has_ports(&t) ? 0xfedc : NONE));
			}
}

/* Cut before its port ends; TCP's header is looked at whole. */
static void ports_cut_off(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(flows); i++) {
		const struct tuple t = flows[i];
		struct frame f = frame_of(&t);

		for (f.len = l4_of(&t) + 3; f.len != 0; f.len--) {
			assert_true(ask(&port, &f) == NONE);
			assert_true(f.len > l4_of(&t) + 1 || ask(&source_port, &f) == NONE);
		}
	}
}

/* No fragment has ports, the first neither: all of a datagram go the same way. */
static void fragments_have_no_ports(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(flows); i++)
		for (uint16_t at = 0; at <= 12; at += 12)
			for (uint8_t options = 0; options <= 1; options++) {
				struct tuple t = flows[i];
				struct frame f;

				t.fragment = true;
				t.fragment_at = at;
				t.options = options;
				t.payload = 64;
				f = frame_of(&t);
				assert_true(ask(&port, &f) == NONE);
				assert_true(ask(&source_port, &f) == NONE);
			}
}

static void not_ip_has_none_of_it(void **state)
{
	const struct tuple t = {.mac = 1};
	struct frame arp = {0};

	(void)state;
	put_ethernet(&arp, &t, 0x0806);
	put_zeros(&arp, 46);
	assert_true(ask(&port, &arp) == NONE);
	assert_true(ask(&dscp, &arp) == NONE);
	assert_true(ask(&label, &arp) == NONE);
}

static void the_dscp(void **state)
{
	(void)state;
	for (uint8_t version = 4; version <= 6; version += 2)
		for (uint16_t tags = 0; tags <= 2; tags++)
			for (uint8_t value = 0; value < 64; value++) {
				struct tuple t = {version, IPPROTO_UDP, 1, 2, 1000, 80, .tags = tags};
				struct frame f = frame_of(&t);
				uint8_t *ip = f.byte + 14 + 4 * tags;

				if (version == 4) {
					ip[1] = (uint8_t)(value << 2 | 3);
				} else {
					ip[0] = (uint8_t)(0x60 | value >> 2);
					ip[1] = (uint8_t)(value << 6 | 0x3f);
				}
				assert_int_equal(ask(&dscp, &f), value);
			}
}

static void the_dscp_of_fragments_and_other_protocols(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(flows); i++) {
		struct tuple t = flows[i];
		struct frame f;

		t.fragment = true;
		t.fragment_at = 9;
		t.payload = 8;
		f = frame_of(&t);
		f.byte[15] |= 0x80; /* of IPv4 32, of IPv6 2 */
		assert_int_equal(ask(&dscp, &f), t.version == 4 ? 32 : 2);
	}
}

static void the_flow_label(void **state)
{
	(void)state;
	for (uint8_t options = 0; options <= 1; options++)
		for (uint16_t tags = 0; tags <= 2; tags++) {
			struct tuple t = {6, IPPROTO_TCP, 1, 2, 1000, 80, .options = options, .tags = tags};
			struct frame f;
			uint8_t *ip;

			f = frame_of(&t);
			ip = f.byte + 14 + 4 * tags;
			memcpy(ip, (const uint8_t[]){0x6f, 0xfa, 0xbc, 0xde}, 4);
			assert_int_equal(ask(&label, &f), 0xabcde);
			memcpy(ip, (const uint8_t[]){0x6f, 0xf0, 0, 1}, 4);
			assert_int_equal(ask(&label, &f), 1);
			memcpy(ip, (const uint8_t[]){0x6f, 0xf0, 0, 0}, 4); /* has none */
			assert_true(ask(&label, &f) == NONE);
			t.version = 4;
			f = frame_of(&t);
			assert_true(ask(&label, &f) == NONE);
		}
}

static void ip_cut_off(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(flows); i++) {
		const struct tuple t = flows[i];
		struct frame f = frame_of(&t);

		f.byte[17] = 1;
		for (f.len = t.version == 4 ? 33 : 53; f.len != 0; f.len--) {
			assert_true(ask(&dscp, &f) == NONE);
			assert_true(ask(&label, &f) == NONE);
		}
	}
}

/* ---- restrictions ---- */

static void a_rule_of_one_value(void **state)
{
	const struct tuple t = {6, IPPROTO_TCP, 1, 2, 1000, 80, .ttl = 0xff, .tags = 1};
	const struct frame f = frame_of(&t);
	const struct {
		struct vnic_idrule rule;
		uint64_t value;
	} rules[] = {
		{{.kind = VNIC_IDRULE_PORT}, 80}, {{.kind = VNIC_IDRULE_SOURCE_PORT}, 1000},
		{{.kind = VNIC_IDRULE_VLAN}, 100}, {{.kind = VNIC_IDRULE_LABEL}, 0xf0001},
		{{.kind = VNIC_IDRULE_DSCP}, 3}, {{.kind = VNIC_IDRULE_BYTES, .offset = 5, .width = 2}, 0x0002},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rules); i++) {
		struct vnic_idrule rule = rules[i].rule;

		assert_int_equal(ask(&rule, &f), rules[i].value);
		rule.only = true;
		rule.value = rules[i].value;
		assert_int_equal(ask(&rule, &f), rules[i].value);
		rule.value++;
		assert_true(ask(&rule, &f) == NONE);
		rule.value -= 2;
		assert_true(ask(&rule, &f) == NONE);
	}
}

/* ---- lists ---- */

#define PREFIX UINT64_C(0xab)

static struct vnic__idrules list_of(const struct vnic_idrule *rules, uint32_t nb)
{
	struct vnic__idrules list;

	assert_true(vnic__idrules_init(&list, rules, nb));
	list.prefix = PREFIX << VNIC_CANCEL_ID_PREFIX_SHIFT;
	return list;
}

/* The id of the frame in one piece; it is asked for twice. */
static uint64_t ask_list(const struct vnic__idrules *list, const struct frame *f, uint32_t *which)
{
	static uint8_t room[FRAME_ROOM];
	uint32_t matches[VNIC__MATCHES] = {0};
	struct rte_mbuf m, *burst[3] = {&m, &m, &m};
	uint64_t id, ids[3];

	memset(&m, 0, sizeof(m));
	segment(&m, room, f->byte, f->len, 0);
	m.pkt_len = f->len;
	m.nb_segs = 1;
	id = vnic__idrules_apply(list, &m, which);
	vnic__idrules_burst(list, burst, 3, ids, matches);
	for (int i = 0; i < 3; i++)
		assert_int_equal(ids[i], id);
	for (uint32_t i = 0; i < VNIC__MATCHES; i++)
		assert_int_equal(matches[i], i == *which ? 3 : 0);
	return id;
}

static void expect_id(const struct vnic__idrules *list, const struct tuple *t, uint32_t which,
		      uint64_t value)
{
	const struct frame f = frame_of(t);
	uint32_t by;
	uint64_t id = ask_list(list, &f, &by);

	assert_int_equal(by, which);
	if (which == VNIC__UNMARKED)
		assert_int_equal(id, 0);
	else
		assert_int_equal(id, PREFIX << 56 | (uint64_t)which << 53 | value);
}

static void first_match_wins(void **state)
{
	const struct vnic_idrule rules[] = {
		{.kind = VNIC_IDRULE_PORT, .only = true, .value = 5001},
		{.kind = VNIC_IDRULE_VLAN, .only = true, .value = 100},
		{.kind = VNIC_IDRULE_SOURCE_PORT},
		{.kind = VNIC_IDRULE_LABEL},
		{.kind = VNIC_IDRULE_DSCP},
	};
	const struct vnic__idrules list = list_of(rules, COUNT_OF(rules));
	struct tuple t = {4, IPPROTO_UDP, 1, 2, 1000, 5001, .tags = 1};
	struct frame arp = {0};
	uint32_t which;

	(void)state;
	expect_id(&list, &t, 0, 5001);
	t.destination_port = 5002;
	expect_id(&list, &t, 1, 100);
	t.tags = 0;
	expect_id(&list, &t, 2, 1000);
	t.fragment = true;
	expect_id(&list, &t, 4, 0);
	t.version = 6;
	t.ttl = 9; /* the label's high bits and the DSCP's low ones are 0 */
	expect_id(&list, &t, 3, 0x90001);
	t.tags = 0;
	put_ethernet(&arp, &t, 0x0806);
	put_zeros(&arp, 46);
	assert_int_equal(ask_list(&list, &arp, &which), 0);
	assert_int_equal(which, VNIC__UNMARKED);
}

/* Equal values of different rules are different ids; a flow's hash keeps clear of the index. */
static void ids_of_different_rules_differ(void **state)
{
	const struct vnic_idrule rules[VNIC_IDRULES_MAX] = {
		{.kind = VNIC_IDRULE_PORT, .only = true, .value = 80},
		{.kind = VNIC_IDRULE_SOURCE_PORT, .only = true, .value = 80},
		{.kind = VNIC_IDRULE_BYTES, .offset = 5, .width = 1, .only = true, .value = 80},
		{.kind = VNIC_IDRULE_BYTES, .offset = 11, .width = 1, .only = true, .value = 80},
		{.kind = VNIC_IDRULE_LABEL, .only = true, .value = 1},
		{.kind = VNIC_IDRULE_VLAN},
		{.kind = VNIC_IDRULE_DSCP, .only = true, .value = 1},
		{.kind = VNIC_IDRULE_FLOW},
	};
	const struct vnic__idrules list = list_of(rules, VNIC_IDRULES_MAX);
	const struct vnic__idrules two = list_of(rules + 6, 2);

	(void)state;
	expect_id(&list, &(struct tuple){4, IPPROTO_UDP, 1, 2, 80, 80}, 0, 80);
	expect_id(&list, &(struct tuple){4, IPPROTO_UDP, 1, 2, 80, 81}, 1, 80);
	expect_id(&list, &(struct tuple){4, IPPROTO_UDP, 1, 2, 1, 1, .mac = 80}, 2, 80);
	expect_id(&list, &(struct tuple){4, IPPROTO_UDP, 1, 2, 1, 1, .tags = 2}, 5, 100);
	for (size_t i = 0; i < COUNT_OF(flows); i++) {
		struct tuple t = flows[i];

		t.source_port = t.destination_port = 443;
		if (t.version == 4) {
			expect_id(&list, &t, 7, id_of(&t) & ((UINT64_C(1) << 53) - 1));
			expect_id(&two, &t, 1, id_of(&t) & ((UINT64_C(1) << 53) - 1));
		}
	}
}

/* Ids of a list of one rule are the prefix and the 56 bits of old. */
static void a_list_of_one(void **state)
{
	const struct vnic_idrule constant = {.kind = VNIC_IDRULE_CONSTANT, .value = ID_LIMIT - 1};
	const struct vnic__idrules none = list_of(NULL, 0), flows_only = list_of(&flow, 1);
	const struct vnic__idrules all = list_of(&constant, 1), by_vlan = list_of(&vlan, 1);
	struct frame f = {.len = 13};
	uint32_t which;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(flows); i++) {
		const struct frame g = frame_of(&flows[i]);
		uint64_t id = PREFIX << 56 | ask(&flow, &g);

		assert_int_equal(ask_list(&flows_only, &g, &which), id);
		assert_int_equal(which, 0);
		assert_int_equal(ask_list(&none, &g, &which), id); /* of none: the flow's */
		assert_int_equal(ask_list(&all, &g, &which), PREFIX << 56 | (ID_LIMIT - 1));
		assert_int_equal(ask_list(&by_vlan, &g, &which), 0);
		assert_int_equal(which, VNIC__UNMARKED);
	}
	assert_int_equal(ask_list(&flows_only, &f, &which), 0);
	assert_int_equal(which, VNIC__UNMARKED);
}

static void lists_that_cannot_be(void **state)
{
	const struct vnic_idrule wrong[] = {
		{.kind = VNIC_IDRULE_KINDS},
		{.kind = VNIC_IDRULE_BYTES},
		{.kind = VNIC_IDRULE_BYTES, .width = 8},
		{.kind = VNIC_IDRULE_BYTES, .width = 1, .only = true, .value = 256},
		{.kind = VNIC_IDRULE_CONSTANT, .value = ID_LIMIT},
		{.kind = VNIC_IDRULE_CONSTANT, .only = true},
		{.kind = VNIC_IDRULE_FLOW, .only = true},
		{.kind = VNIC_IDRULE_VLAN, .only = true},
		{.kind = VNIC_IDRULE_VLAN, .only = true, .value = 4096},
		{.kind = VNIC_IDRULE_LABEL, .only = true},
		{.kind = VNIC_IDRULE_LABEL, .only = true, .value = 0x100000},
		{.kind = VNIC_IDRULE_DSCP, .only = true, .value = 64},
		{.kind = VNIC_IDRULE_PORT, .only = true, .value = 65536},
		{.kind = VNIC_IDRULE_SOURCE_PORT, .only = true, .value = 65536},
	};
	struct vnic_idrule two[VNIC_IDRULES_MAX + 1] = {
		{.kind = VNIC_IDRULE_VLAN}, {.kind = VNIC_IDRULE_BYTES, .width = 7}};
	struct vnic__idrules list;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(wrong); i++)
		assert_false(vnic__idrules_init(&list, &wrong[i], 1));
	/* of several: room for the index */
	assert_true(vnic__idrules_init(&list, two + 1, 1));
	assert_false(vnic__idrules_init(&list, two, 2));
	two[1].width = 6;
	assert_true(vnic__idrules_init(&list, two, 2));
	two[1] = (struct vnic_idrule){.kind = VNIC_IDRULE_CONSTANT, .value = UINT64_C(1) << 53};
	assert_false(vnic__idrules_init(&list, two, 2));
	two[1].value--;
	assert_true(vnic__idrules_init(&list, two, 2));
	assert_true(vnic__idrules_init(&list, two, VNIC_IDRULES_MAX));
	assert_false(vnic__idrules_init(&list, two, VNIC_IDRULES_MAX + 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(different_flows_have_different_ids),
		cmocka_unit_test(packets_of_a_flow_have_one_id),
		cmocka_unit_test(fragments_of_a_datagram_have_one_id),
		cmocka_unit_test(fragments_of_other_protocols_differ),
		cmocka_unit_test(not_ip_is_addresses_and_type),
		cmocka_unit_test(cut_frames),
		cmocka_unit_test(lengths_that_lie),
		cmocka_unit_test(too_short_for_a_flow),
		cmocka_unit_test(the_outer_vlan),
		cmocka_unit_test(vlan_0_is_none),
		cmocka_unit_test(the_vlan_that_the_port_has_taken_off),
		cmocka_unit_test(the_outer_of_two_that_the_port_has_taken_off),
		cmocka_unit_test(bytes_at_an_offset),
		cmocka_unit_test(bytes_out_of_range),
		cmocka_unit_test(constant),
		cmocka_unit_test(the_ports),
		cmocka_unit_test(ports_cut_off),
		cmocka_unit_test(fragments_have_no_ports),
		cmocka_unit_test(not_ip_has_none_of_it),
		cmocka_unit_test(the_dscp),
		cmocka_unit_test(the_dscp_of_fragments_and_other_protocols),
		cmocka_unit_test(the_flow_label),
		cmocka_unit_test(ip_cut_off),
		cmocka_unit_test(a_rule_of_one_value),
		cmocka_unit_test(first_match_wins),
		cmocka_unit_test(ids_of_different_rules_differ),
		cmocka_unit_test(a_list_of_one),
		cmocka_unit_test(lists_that_cannot_be),
	};

	return cmocka_run_group_tests_name("idrule", tests, NULL, NULL);
}
