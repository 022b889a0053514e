/* SPDX-License-Identifier: BSD-3-Clause
 * offload_test.c - what a packet asks of a port that does nothing: tags, checksums, segments
 *
 * Frames are read off the wire and their checksums added up here, byte by byte. Whatever is
 * refused, by the port or at once, is compared with what was sent, buffer by buffer.
 */
#include "bed.h"

#include <string.h>

#include <rte_cycles.h>

#include "adapter.h"

#define FLAT_MAX 66000
#define WIRE_MAX 1024
#define ETHER 14
#define MSS 1400
#define TCI 0x6123
#define SEQ UINT32_C(0xfffff000) /* so that it wraps */
#define IP_ID 0xfff0
#define TCP_FLAGS 0x99 /* CWR, ACK, PSH, FIN */
#define ID 7

enum { NONE = 0, TCP = 6, UDP = 17 };

/* A packet to be made; 0 where a test does not care. */
struct spec {
	bool v6;
	uint8_t protocol;
	uint16_t options; /* of IPv4, bytes */
	uint16_t tcp_options;
	uint32_t payload;
	uint16_t segs;    /* buffers [1] */
	uint16_t trailer; /* bytes behind the IP packet */
	uint16_t mss;     /* segmentation is asked for */
	uint64_t flags;   /* beyond what these say */
	bool tag;
	bool no_sums;     /* ask for none */
};

static uint8_t flat[FLAT_MAX];
static struct rte_mempool *large; /* a packet in one buffer */

/* ---- packets ---- */

static void put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static uint32_t get16(const uint8_t *p)
{
	return (uint32_t)p[0] << 8 | p[1];
}

static uint32_t get32(const uint8_t *p)
{
	return get16(p) << 16 | get16(p + 2);
}

static uint8_t byte_of(uint32_t at)
{
	return (uint8_t)(at * 7 + at / 251 + 3);
}

static uint32_t l3_len(const struct spec *s)
{
	return s->v6 ? 40 : 20u + s->options;
}

static uint32_t l4_len(const struct spec *s)
{
	return s->protocol == TCP ? 20u + s->tcp_options : s->protocol == UDP ? 8 : 0;
}

static void write_l3(const struct spec *s, uint8_t *p)
{
	uint32_t l4 = l4_len(s) + s->payload;

	for (uint32_t i = 0; i < l3_len(s); i++)
		p[i] = (uint8_t)(0x11 * i + 5);
	if (s->v6) {
		p[0] = 0x60;
		put16(p + 4, l4);
		p[6] = s->protocol;
		return;
	}
	p[0] = (uint8_t)(0x40 | l3_len(s) / 4);
	put16(p + 2, l4 + l3_len(s));
	put16(p + 4, IP_ID);
	put16(p + 6, 0x4000);
	p[9] = s->protocol != 0 ? s->protocol : 1;
	put16(p + 10, 0xdead); /* to be overwritten, not added in */
}

static void write_l4(const struct spec *s, uint8_t *p)
{
	for (uint32_t i = 0; i < l4_len(s); i++)
		p[i] = (uint8_t)(0x1f * i + 1);
	if (s->protocol == TCP) {
		put16(p + 4, SEQ >> 16);
		put16(p + 6, SEQ & 0xffff);
		p[12] = (uint8_t)(l4_len(s) / 4 << 4);
		p[13] = TCP_FLAGS;
	} else if (s->protocol == UDP) {
		put16(p + 4, 8 + s->payload);
	}
}

static uint32_t write_flat(const struct spec *s)
{
	uint32_t headers = ETHER + l3_len(s) + l4_len(s), len = headers + s->payload;

	for (uint32_t i = 0; i < 12; i++)
		flat[i] = (uint8_t)(0x20 + i);
	put16(flat + 12, s->v6 ? 0x86dd : 0x0800);
	write_l3(s, flat + ETHER);
	write_l4(s, flat + ETHER + l3_len(s));
	for (uint32_t i = 0; i < s->payload; i++)
		flat[headers + i] = byte_of(i);
	memset(flat + len, 0xab, s->trailer);
	return len + s->trailer;
}

static uint64_t flags_of(const struct spec *s)
{
	uint64_t flags = s->flags;

	if (s->tag)
		flags |= RTE_MBUF_F_TX_VLAN;
	if (s->mss != 0)
		flags |= RTE_MBUF_F_TX_TCP_SEG;
	if (s->no_sums)
		return flags;
	flags |= s->v6 ? RTE_MBUF_F_TX_IPV6 : RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IP_CKSUM;
	if (s->protocol == TCP)
		flags |= RTE_MBUF_F_TX_TCP_CKSUM;
	if (s->protocol == UDP)
		flags |= RTE_MBUF_F_TX_UDP_CKSUM;
	return flags;
}

/* From flat[0..len), in nb_segs buffers. */
static struct rte_mbuf *chain_of(struct rte_mempool *mp, uint32_t len, uint16_t nb_segs)
{
	struct rte_mbuf *first = NULL;
	uint32_t at = 0;

	for (uint16_t i = 0; i < nb_segs; i++) {
		struct rte_mbuf *m = rte_pktmbuf_alloc(mp);
		uint32_t n = (len - at) / (uint32_t)(nb_segs - i);
		char *data;

		assert_non_null(m);
		data = rte_pktmbuf_append(m, (uint16_t)n);
		assert_non_null(data);
		memcpy(data, flat + at, n);
		at += n;
		if (first == NULL)
			first = m;
		else
			assert_int_equal(rte_pktmbuf_chain(first, m), 0);
	}
	return first;
}

static struct rte_mbuf *packet(struct bed *b, const struct spec *s)
{
	uint32_t len = write_flat(s);
	struct rte_mbuf *m = chain_of(s->segs > 1 ? b->mbufs : large, len,
				      s->segs != 0 ? s->segs : 1);

	m->ol_flags |= flags_of(s);
	m->l2_len = ETHER;
	m->l3_len = l3_len(s) & 0x1ff;
	m->l4_len = l4_len(s) & 0xff;
	m->tso_segsz = s->mss;
	m->vlan_tci = TCI;
	return m;
}

/* A packet as it was. */
struct before {
	struct rte_mbuf mbuf[64];
	uint32_t nb;
	uint32_t len;
	uint8_t data[FLAT_MAX];
};

static struct before *note(const struct rte_mbuf *m)
{
	static struct before before;

	before.nb = 0;
	before.len = m->pkt_len;
	for (const struct rte_mbuf *s = m; s != NULL; s = s->next)
		before.mbuf[before.nb++] = *s;
	for (uint32_t at = 0; m != NULL; at += m->data_len, m = m->next)
		memcpy(before.data + at, rte_pktmbuf_mtod(m, char *), m->data_len);
	return &before;
}

static void expect_as_before(const struct rte_mbuf *m, const struct before *before)
{
	uint32_t at = 0;

	for (uint32_t i = 0; i < before->nb; i++, m = m->next) {
		assert_non_null(m);
		assert_memory_equal(m, &before->mbuf[i], sizeof(*m));
		assert_memory_equal(rte_pktmbuf_mtod(m, char *), before->data + at, m->data_len);
		at += m->data_len;
	}
	assert_null(m);
	assert_int_equal(at, before->len);
}

/* ---- the rig ---- */

static struct bed *open_bed(const struct bed_conf *conf)
{
	struct bed *b = bed_open(conf);

	b->alien = true; /* NBLs and packets are made here */
	return b;
}

static int make_large(void **state)
{
	(void)state;
	if (test_eal_setup(state) != 0)
		return -1;
	large = rte_pktmbuf_pool_create("large", 63, 0, 0, 65535, SOCKET_ID_ANY);
	return large == NULL ? -1 : 0;
}

static void close_bed(struct bed *b)
{
	assert_null(b->adapter->segmenting);
	assert_true(rte_mempool_full(b->adapter->segmenter.headers));
	assert_true(rte_mempool_full(b->adapter->segmenter.pieces));
	assert_true(rte_mempool_full(large));
	b->nb_log = (uint32_t)bed_stats(b).sent.packets; /* what it has not seen itself */
	bed_close(b);
}

static struct vnic_nbl *nbl_of(struct bed *b, struct rte_mbuf **m, uint16_t n)
{
	struct vnic_nbl *nbl;

	assert_int_equal(vnic_nbl_alloc(b->nbls, &nbl, 1), 0);
	nbl->cancel_id = ID;
	nbl->nb_packets = n;
	memcpy(vnic_nbl_packets(nbl), m, n * sizeof(*m));
	return nbl;
}

static void send_by(struct bed *b, uint32_t by, struct rte_mbuf *m)
{
	struct vnic_nbl *nbl = nbl_of(b, &m, 1);

	assert_int_equal(vnic_send(b->sender[by], &nbl, 1), 1);
}

/* The one completion that there is now, freed: its status. */
static uint32_t completed_by(struct bed *b, uint32_t by, uint16_t nb_sent)
{
	struct vnic_nbl *nbl;
	uint32_t status;

	assert_int_equal(vnic_sender_poll(b->sender[by], &nbl, 1), 1);
	assert_int_equal(nbl->nb_sent, nb_sent);
	status = nbl->status;
	vnic_nbl_free(b->nbls, &nbl, 1);
	return status;
}

static void none_completed(struct bed *b, uint32_t by)
{
	struct vnic_nbl *nbl;

	assert_int_equal(vnic_sender_poll(b->sender[by], &nbl, 1), 0);
}

static struct rte_mbuf *wire[WIRE_MAX];

/* Append what is on the wire to wire[at..]; then the port takes `room` more. */
static uint32_t drain(struct bed *b, uint32_t at, uint32_t room)
{
	void *m[WIRE_MAX];
	uint32_t n = rte_ring_dequeue_burst(b->wire, m, WIRE_MAX, NULL);

	for (uint32_t i = 0; i < n; i++)
		if (((struct rte_mbuf *)m[i])->pool != NULL) /* else it only fills the port */
			wire[at++] = m[i];
	bed_wire_room(b, room);
	return at;
}

static void free_wire(uint32_t n)
{
	rte_pktmbuf_free_bulk(wire, n);
}

/* ---- what is on the wire ---- */

static uint32_t add_up(const uint8_t *p, uint32_t n, uint32_t sum)
{
	for (uint32_t i = 0; i < n; i++)
		sum += (i & 1) != 0 ? p[i] : (uint32_t)p[i] << 8;
	while (sum > 0xffff)
		sum = (sum >> 16) + (sum & 0xffff);
	return sum;
}

/* Of an IP packet: header and layer 4, over all of it. */
static void expect_sums(const struct spec *s, const uint8_t *l3)
{
	uint32_t bytes = s->v6 ? get16(l3 + 4) : get16(l3 + 2) - l3_len(s);
	const uint8_t *l4 = l3 + l3_len(s);
	uint32_t pseudo = s->v6 ? add_up(l3 + 8, 32, 0) : add_up(l3 + 12, 8, 0);

	if (!s->v6)
		assert_int_equal(add_up(l3, l3_len(s), 0), 0xffff);
	if (s->protocol != NONE)
		assert_int_equal(add_up(l4, bytes, pseudo + s->protocol + bytes), 0xffff);
	if (s->protocol == UDP)
		assert_int_not_equal(get16(l4 + 6), 0);
}

/* The frame is flat[0..len), tagged if that was asked, padded, but for its sums; flags are
 * none. Returns where its IP packet begins. */
static const uint8_t *expect_frame(const struct spec *s, const struct rte_mbuf *m, uint32_t len)
{
	static uint8_t copy[FLAT_MAX];
	uint32_t tag = s->tag ? 4 : 0, l4 = ETHER + l3_len(s), min = RTE_MAX(len, 60u);
	const uint8_t *p = rte_pktmbuf_read(m, 0, m->pkt_len, copy);

	rte_mbuf_sanity_check(m, 1);
	assert_int_equal(m->pkt_len, min + tag);
	assert_int_equal(m->ol_flags & RTE_MBUF_F_TX_OFFLOAD_MASK &
			 ~(RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IPV6), 0);
	if (p != copy)
		memcpy(copy, p, m->pkt_len);
	assert_memory_equal(copy, flat, 12);
	if (s->tag) {
		assert_int_equal(get16(copy + 12), 0x8100);
		assert_int_equal(get16(copy + 14), TCI);
		memmove(copy + 12, copy + 16, m->pkt_len - 16);
	}
	for (uint32_t i = len; i < min; i++)
		assert_int_equal(copy[i], 0);
	if (!s->no_sums) {
		expect_sums(s, copy + ETHER);
		if (!s->v6)
			memcpy(flat + ETHER + 10, copy + ETHER + 10, 2);
		if (s->protocol == TCP)
			memcpy(flat + l4 + 16, copy + l4 + 16, 2);
		if (s->protocol == UDP)
			memcpy(flat + l4 + 6, copy + l4 + 6, 2);
	}
	assert_memory_equal(copy, flat, len);
	return copy + ETHER;
}

/* Sent, refused, aborted: it is as it was. Sent again, refused, sent at last: it is right. */
static void check_one(struct bed *b, const struct spec *s)
{
	struct rte_mbuf *m = packet(b, s);
	const struct before *before = note(m);
	uint32_t len = m->pkt_len;

	bed_wire_room(b, 0);
	send_by(b, 0, m);
	bed_data(b);
	none_completed(b, 0);
	expect_as_before(m, before);
	assert_int_equal(vnic_adapter_cancel(b->adapter, ID, b->ticket), 0);
	assert_int_equal(bed_verdict(b, b->ticket).aborted.packets, 1);
	assert_int_equal(completed_by(b, 0, 0), VNIC_STATUS_SEND_ABORTED);
	expect_as_before(m, before);
	send_by(b, 0, m);
	bed_data(b);
	bed_wire_room(b, BED_ROOM_ALL);
	bed_data(b);
	assert_int_equal(completed_by(b, 0, 1), VNIC_STATUS_SUCCESS);
	assert_int_equal(drain(b, 0, BED_ROOM_ALL), 1);
	if (b->conf.linear_only)
		assert_int_equal(wire[0]->nb_segs, 1);
	expect_frame(s, wire[0], len);
	free_wire(1);
}

static void sums(void **state)
{
	const uint32_t payload[] = {0, 1, 2, 5, 18, 19, 100, 1001, 1400};
	const uint8_t protocol[] = {NONE, TCP, UDP};

	(void)state;
	for (int linear = 0; linear < 2; linear++) {
		struct bed *b = open_bed(&(struct bed_conf){.linear_only = linear != 0});

		for (uint32_t i = 0; i < 9 * 3 * 2 * 4; i++) {
			struct spec s = {.payload = payload[i % 9], .protocol = protocol[i / 9 % 3],
					 .v6 = i / 27 % 2 != 0, .segs = (uint16_t)(1 + i / 54)};

			check_one(b, &s);
			s.tag = true;
			check_one(b, &s);
		}
		/* all but the untagged without a sum */
		assert_int_equal(bed_stats(b).offloaded, 9 * 3 * 2 * 4 * 2 - 9 * 4);
		close_bed(b);
	}
}

static void sums_with_options(void **state)
{
	struct bed *b = open_bed(NULL);

	(void)state;
	for (uint16_t options = 0; options <= 40; options += 4)
		for (uint16_t tcp_options = 0; tcp_options <= 40; tcp_options += 20)
			check_one(b, &(struct spec){.protocol = TCP, .options = options,
						    .tcp_options = tcp_options, .payload = 77});
	close_bed(b);
}

static void tags_alone(void **state)
{
	struct bed *b = open_bed(NULL);

	(void)state;
	for (uint32_t len = 0; len < 70; len++)
		for (uint16_t segs = 1; segs < 4; segs++)
			check_one(b, &(struct spec){.payload = len, .segs = segs, .tag = true,
						    .no_sums = true});
	close_bed(b);
}

/* More in the frame than the IP packet: it is left alone, and out of the sum. */
/* By the port's MTU a frame with a tag is longer, one without is not: the kernel would
 * throw it away. */
static void room_for_a_tag_is_a_tags(void **state)
{
	static const struct {
		uint16_t type;
		uint32_t most; /* of 1,514 + 4 */
		uint64_t flags;
	} c[] = {{0x0800, 1514, 0}, {0x8100, 1518, 0}, {0x88a8, 1514, 0},
		 {0x0800, 1514, RTE_MBUF_F_TX_VLAN}};

	(void)state;
	for (uint32_t i = 0; i < 4; i++)
		for (uint32_t more = 0; more < 2; more++) {
			struct bed *b = open_bed(&(struct bed_conf){.mtu_frame = true});
			struct rte_mbuf *m = chain_of(b->mbufs, c[i].most + more, 1);
			uint8_t before[2000];

			put16(rte_pktmbuf_mtod_offset(m, uint8_t *, 12), c[i].type);
			memcpy(before, rte_pktmbuf_mtod(m, void *), m->pkt_len);
			m->ol_flags |= c[i].flags;
			send_by(b, 0, m);
			bed_data(b);
			if (more == 0) {
				assert_int_equal(completed_by(b, 0, 1), VNIC_STATUS_SUCCESS);
				assert_int_equal(drain(b, 0, BED_ROOM_ALL), 1);
				free_wire(1);
			} else {
				assert_int_equal(completed_by(b, 0, 0), VNIC_STATUS_INVALID_LENGTH);
				assert_memory_equal(rte_pktmbuf_mtod(m, void *), before, m->pkt_len);
				rte_pktmbuf_free(m);
			}
			close_bed(b);
		}
}

static void a_trailer_is_not_summed(void **state)
{
	struct bed *b = open_bed(NULL);

	(void)state;
	/* not even where the port would sum */
	b->adapter->offload.does_l4 = 0xf;
	for (uint16_t trailer = 1; trailer < 8; trailer++) {
		check_one(b, &(struct spec){.protocol = TCP, .payload = 50, .trailer = trailer});
		check_one(b, &(struct spec){.protocol = UDP, .v6 = true, .payload = 1, .trailer = trailer});
	}
	close_bed(b);
}

/* A sum of 0 would say that there is none. */
static void no_udp_sum_is_zero(void **state)
{
	struct bed *b = open_bed(NULL);
	const struct spec s = {.protocol = UDP, .payload = 100};
	struct rte_mbuf *m = packet(b, &s);
	uint8_t *l3 = rte_pktmbuf_mtod_offset(m, uint8_t *, ETHER), *l4 = l3 + 20;
	uint32_t sum;

	(void)state;
	put16(l4 + 6, 0);
	put16(l4 + 8, 0);
	sum = add_up(l4, 108, add_up(l3 + 12, 8, 0) + UDP + 108);
	put16(l4 + 8, 0xffff - sum); /* together all ones, whose complement is 0 */
	memcpy(flat, rte_pktmbuf_mtod(m, char *), m->pkt_len);
	send_by(b, 0, m);
	bed_data(b);
	assert_int_equal(completed_by(b, 0, 1), VNIC_STATUS_SUCCESS);
	assert_int_equal(drain(b, 0, BED_ROOM_ALL), 1);
	l3 = (uint8_t *)(uintptr_t)expect_frame(&s, wire[0], 142);
	assert_int_equal(get16(l3 + 26), 0xffff);
	free_wire(1);
	close_bed(b);
}

/* Buffers that others hold, or without room for a tag, are not written to. */
static void a_shared_buffer_is_copied(void **state)
{
	struct bed *b = open_bed(NULL);

	(void)state;
	for (int kind = 0; kind < 4; kind++) {
		struct spec s = {.protocol = UDP, .payload = 200, .tag = true};
		struct rte_mbuf *m = packet(b, &s), *mine = m, *sent = m;
		const struct before *before;

		if (kind == 0)
			rte_mbuf_refcnt_update(m, 1);
		else if (kind < 3)
			mine = rte_pktmbuf_clone(m, large);
		if (kind == 2) { /* the clone is sent */
			sent = mine;
			mine = m;
		}
		if (kind == 3) {
			memmove((char *)m->buf_addr + 3, rte_pktmbuf_mtod(m, char *), m->data_len);
			m->data_off = 3;
			mine = NULL;
		}
		before = note(sent);
		bed_wire_room(b, 0);
		send_by(b, 0, sent);
		bed_data(b);
		expect_as_before(sent, before);
		bed_wire_room(b, BED_ROOM_ALL);
		bed_data(b);
		assert_int_equal(completed_by(b, 0, 1), VNIC_STATUS_SUCCESS);
		assert_int_equal(drain(b, 0, BED_ROOM_ALL), 1);
		assert_int_equal(bed_stats(b).copied, (uint64_t)kind + 1);
		if (mine != NULL) {
			assert_int_equal(rte_mbuf_refcnt_read(mine), 1);
			assert_memory_equal(rte_pktmbuf_mtod(mine, char *), before->data, before->len);
			rte_pktmbuf_free(mine);
		}
		expect_frame(&s, wire[0], 242);
		free_wire(1);
	}
	close_bed(b);
}

/* ---- what the port does itself ---- */

/* The flags stay; the port finds the pseudo header's sum in the field, and what it refuses is
 * as it was. */
static void a_port_that_sums(void **state)
{
	struct bed *b = open_bed(NULL);
	struct spec s = {.protocol = TCP, .payload = 300};
	struct rte_mbuf *m = packet(b, &s);
	const struct before *before = note(m);
	const uint8_t *l3;

	(void)state;
	b->adapter->offload.does_l4 = 0xf;
	b->adapter->offload.does = RTE_MBUF_F_TX_IP_CKSUM | RTE_MBUF_F_TX_VLAN;
	bed_wire_room(b, 0);
	send_by(b, 0, m);
	bed_data(b);
	expect_as_before(m, before);
	bed_wire_room(b, BED_ROOM_ALL);
	bed_data(b);
	assert_int_equal(completed_by(b, 0, 1), VNIC_STATUS_SUCCESS);
	assert_int_equal(drain(b, 0, BED_ROOM_ALL), 1);
	assert_ptr_equal(wire[0], m);
	assert_int_equal(m->ol_flags & RTE_MBUF_F_TX_OFFLOAD_MASK, flags_of(&s));
	l3 = rte_pktmbuf_mtod_offset(m, uint8_t *, ETHER);
	assert_int_equal(get16(l3 + 10), 0);
	assert_int_equal(get16(l3 + 36), add_up(l3 + 12, 8, TCP + 320));
	assert_int_equal(bed_stats(b).offloaded, 0);
	free_wire(1);
	close_bed(b);
}

static void a_port_that_tags(void **state)
{
	struct bed *b = open_bed(NULL);
	struct rte_mbuf *m = packet(b, &(struct spec){.payload = 99, .tag = true, .no_sums = true});
	const struct before *before = note(m);

	(void)state;
	b->adapter->offload.does = RTE_MBUF_F_TX_VLAN;
	send_by(b, 0, m);
	bed_data(b);
	assert_int_equal(completed_by(b, 0, 1), VNIC_STATUS_SUCCESS);
	assert_int_equal(drain(b, 0, BED_ROOM_ALL), 1);
	expect_as_before(wire[0], before);
	free_wire(1);
	close_bed(b);
}

/* ---- refused at once ---- */

static void expect_refused(struct bed *b, const struct spec *s, uint32_t status,
			   void (*spoil)(struct rte_mbuf *m))
{
	struct rte_mbuf *m = packet(b, s);
	const struct before *before;

	if (spoil != NULL)
		spoil(m);
	before = note(m);
	send_by(b, 0, m);
	assert_string_equal(vnic_status_name(completed_by(b, 0, 0)), vnic_status_name(status));
	expect_as_before(m, before);
	rte_pktmbuf_free(m);
}

static uint8_t *l3_of(struct rte_mbuf *m)
{
	return rte_pktmbuf_mtod_offset(m, uint8_t *, ETHER);
}

static void l2_short(struct rte_mbuf *m) { m->l2_len = 13; }
static void l2_long(struct rte_mbuf *m) { m->l2_len = 18; }
static void l3_short(struct rte_mbuf *m) { m->l3_len = 16; }
static void l3_long(struct rte_mbuf *m) { m->l3_len = 24; }
static void l3_beyond(struct rte_mbuf *m) { m->l3_len = 500; }
static void l4_short(struct rte_mbuf *m) { m->l4_len = 16; }
static void l4_odd(struct rte_mbuf *m) { m->l4_len = 22; }
static void version(struct rte_mbuf *m) { l3_of(m)[0] ^= 0x20; }
static void fragment(struct rte_mbuf *m) { put16(l3_of(m) + 6, 0x2000); }
static void later_fragment(struct rte_mbuf *m) { put16(l3_of(m) + 6, 1); }
static void protocol(struct rte_mbuf *m) { l3_of(m)[9] = 50; }
static void next_header(struct rte_mbuf *m) { l3_of(m)[6] = 50; }
static void too_much(struct rte_mbuf *m) { put16(l3_of(m) + 2, m->pkt_len - ETHER + 1); }
static void too_little(struct rte_mbuf *m) { put16(l3_of(m) + 2, 39); }
static void too_much6(struct rte_mbuf *m) { put16(l3_of(m) + 4, m->pkt_len - ETHER - 40 + 1); }
static void udp_length(struct rte_mbuf *m) { put16(l3_of(m) + 24, 9); }
static void no_family(struct rte_mbuf *m) { m->ol_flags &= ~RTE_MBUF_F_TX_IPV4; }
static void both(struct rte_mbuf *m) { m->ol_flags |= RTE_MBUF_F_TX_IPV6; }
static void sctp(struct rte_mbuf *m) { m->ol_flags ^= RTE_MBUF_F_TX_TCP_CKSUM ^ RTE_MBUF_F_TX_SCTP_CKSUM;
				       l3_of(m)[9] = 132; }
static void no_mss(struct rte_mbuf *m) { m->tso_segsz = 0; }
static void trailing(struct rte_mbuf *m) { put16(l3_of(m) + 2, m->pkt_len - ETHER - 1); }
static void longest(struct rte_mbuf *m) { m->l2_len = 127; m->tso_segsz = 1000; }

static void what_cannot_be_done_is_refused(void **state)
{
	const uint32_t parameter = VNIC_STATUS_INVALID_PARAMETER, length = VNIC_STATUS_INVALID_LENGTH;
	const struct spec tcp = {.protocol = TCP, .payload = 100}, udp = {.protocol = UDP, .payload = 100},
			  tcp6 = {.protocol = TCP, .payload = 100, .v6 = true},
			  tso = {.protocol = TCP, .payload = 9000, .mss = MSS};
	void (*const spoil4[])(struct rte_mbuf *m) = {l2_short, l2_long, l3_short, l3_long,
		version, fragment, later_fragment, protocol, too_much, too_little, no_family, both, sctp};
	void (*const spoil_tso[])(struct rte_mbuf *m) = {l4_short, l4_odd, no_mss, trailing, longest};
	const uint64_t unknown[] = {RTE_MBUF_F_TX_TUNNEL_VXLAN, RTE_MBUF_F_TX_OUTER_IP_CKSUM,
		RTE_MBUF_F_TX_OUTER_IPV4, RTE_MBUF_F_TX_QINQ, RTE_MBUF_F_TX_UDP_SEG,
		RTE_MBUF_F_TX_MACSEC, RTE_MBUF_F_TX_SEC_OFFLOAD, RTE_MBUF_F_TX_IEEE1588_TMST,
		RTE_MBUF_F_TX_OUTER_UDP_CKSUM};
	struct bed *b = open_bed(NULL);
	uint64_t refused = 0;

	(void)state;
	expect_refused(b, &tcp, parameter, l3_beyond);
	for (uint32_t i = 0; i < BED_COUNT_OF(spoil4); i++, refused += 2) {
		expect_refused(b, &tcp, parameter, spoil4[i]);
		expect_refused(b, &tso, parameter, spoil4[i]);
	}
	for (uint32_t i = 0; i < BED_COUNT_OF(spoil_tso); i++, refused++)
		expect_refused(b, &tso, parameter, spoil_tso[i]);
	for (uint32_t i = 0; i < BED_COUNT_OF(unknown); i++, refused += 2) {
		expect_refused(b, &(struct spec){.payload = 80, .no_sums = true, .flags = unknown[i]},
			       parameter, NULL);
		expect_refused(b, &(struct spec){.payload = 80, .protocol = UDP, .flags = unknown[i]},
			       parameter, NULL);
	}
	expect_refused(b, &udp, parameter, udp_length);
	expect_refused(b, &tcp6, parameter, l3_long); /* an extension header */
	expect_refused(b, &tcp6, parameter, next_header);
	expect_refused(b, &tcp6, parameter, too_much6);
	expect_refused(b, &tcp6, parameter, version);
	expect_refused(b, &(struct spec){.protocol = TCP, .v6 = true, .payload = 9000, .mss = MSS},
		       parameter, NULL);
	refused += 7;
	assert_int_equal(bed_stats(b).invalid_parameter.packets, refused);
	/* the tag belongs to the frame; segments, to be no longer than one */
	expect_refused(b, &(struct spec){.payload = 1518 - 34 - 3, .tag = true}, length, NULL);
	expect_refused(b, &(struct spec){.payload = 1518 - 34 - 3, .tag = true, .no_sums = true},
		       length, NULL);
	expect_refused(b, &(struct spec){.protocol = UDP, .payload = 1518 - 42 + 1}, length, NULL);
	expect_refused(b, &(struct spec){.protocol = TCP, .payload = 9000, .mss = 1518 - 54 + 1},
		       length, NULL);
	expect_refused(b, &(struct spec){.protocol = TCP, .payload = 9000, .mss = 1518 - 54 - 3,
					 .tag = true}, length, NULL);
	expect_refused(b, &(struct spec){.protocol = TCP, .payload = 257 * 30, .mss = 30}, length, NULL);
	assert_int_equal(bed_stats(b).invalid_length.packets, 6);
	assert_int_equal(drain(b, 0, BED_ROOM_ALL), 0);
	close_bed(b);
}

/* ---- segments ---- */

static uint32_t nb_frames(const struct spec *s)
{
	return (s->payload + s->mss - 1) / s->mss;
}

/* wire[0..n) are the packet's segments. */
static void expect_segments(struct bed *b, const struct spec *s, uint32_t n)
{
	uint32_t headers = ETHER + l3_len(s) + l4_len(s), tag = s->tag ? 4 : 0, at = 0;

	assert_int_equal(n, nb_frames(s));
	for (uint32_t i = 0; i < n; i++) {
		uint32_t part = RTE_MIN(s->payload - at, (uint32_t)s->mss), len = headers + part;
		static uint8_t copy[FLAT_MAX];
		const uint8_t *p = rte_pktmbuf_read(wire[i], 0, wire[i]->pkt_len, copy), *l3, *l4;
		bool last = i + 1 == n;

		rte_mbuf_sanity_check(wire[i], 1);
		if (b->conf.linear_only)
			assert_int_equal(wire[i]->nb_segs, 1);
		assert_int_equal(wire[i]->pkt_len, RTE_MAX(len, 60u) + tag);
		assert_int_equal(wire[i]->ol_flags & RTE_MBUF_F_TX_OFFLOAD_MASK &
				 ~RTE_MBUF_F_TX_IPV4, 0);
		assert_memory_equal(p, flat, 12);
		if (s->tag) {
			assert_int_equal(get32(p + 12), 0x81000000 | TCI);
			p += 4;
		}
		l3 = p + ETHER;
		l4 = l3 + l3_len(s);
		assert_int_equal(get16(l3 + 2), len - ETHER);
		assert_int_equal(get16(l3 + 4), (IP_ID + i) & 0xffff);
		expect_sums(s, l3);
		assert_memory_equal(l3 + 12, flat + ETHER + 12, l3_len(s) - 12);
		assert_int_equal(get32(l4 + 4), (SEQ + at) & UINT32_MAX);
		assert_int_equal(l4[13], (i == 0 ? 0x80 : 0) | 0x10 | (last ? 0x09 : 0));
		assert_memory_equal(l4, flat + ETHER + l3_len(s), 4);
		assert_memory_equal(l4 + 20, flat + ETHER + l3_len(s) + 20, l4_len(s) - 20);
		assert_memory_equal(p + headers, flat + headers + at, part);
		at += part;
	}
	assert_int_equal(at, s->payload);
}

static void check_segments(struct bed *b, const struct spec *s)
{
	struct vnic_adapter_stats was = bed_stats(b), now;
	struct rte_mbuf *m = packet(b, s);
	uint32_t n = 0;

	send_by(b, 0, m);
	for (int i = 0; i < 20; i++) {
		bed_data(b);
		n = drain(b, n, BED_ROOM_ALL);
	}
	assert_int_equal(completed_by(b, 0, 1), VNIC_STATUS_SUCCESS);
	expect_segments(b, s, n);
	free_wire(n);
	now = bed_stats(b);
	assert_int_equal(now.segmented - was.segmented, 1);
	assert_int_equal(now.segments - was.segments, n);
	assert_int_equal(now.sent.packets - was.sent.packets, 1);
}

static void segments(void **state)
{
	const uint32_t payload[] = {1401, 2800, 2801, 20000, 65000};

	(void)state;
	for (int linear = 0; linear < 2; linear++) {
		struct bed *b = open_bed(&(struct bed_conf){.linear_only = linear != 0});

		for (uint32_t i = 0; i < 5; i++) {
			struct spec s = {.protocol = TCP, .payload = payload[i], .mss = MSS};

			check_segments(b, &s);
			s.tag = true;
			check_segments(b, &s);
			s.options = 12;
			s.tcp_options = 12;
			check_segments(b, &s);
			s.segs = 40; /* buffers, the first of them shorter than the headers or not */
			check_segments(b, &s);
		}
		/* each of them to be padded, as many as there may be */
		check_segments(b, &(struct spec){.protocol = TCP, .payload = 256, .mss = 1});
		check_segments(b, &(struct spec){.protocol = TCP, .payload = 256 * 9, .mss = 9, .segs = 3});
		close_bed(b);
	}
}

/* One segment only wants its checksums, whatever the family. */
static void a_single_segment(void **state)
{
	struct bed *b = open_bed(NULL);

	(void)state;
	check_one(b, &(struct spec){.protocol = TCP, .payload = MSS, .mss = MSS});
	check_one(b, &(struct spec){.protocol = TCP, .payload = MSS, .mss = MSS, .v6 = true});
	check_one(b, &(struct spec){.protocol = TCP, .payload = 1, .mss = MSS, .segs = 2});
	assert_int_equal(bed_stats(b).segmented, 0);
	close_bed(b);
}

/* The length and the sums that a stack leaves to whoever segments. */
static void no_length_given(void **state)
{
	const struct spec s = {.protocol = TCP, .payload = 20000, .mss = MSS, .no_sums = true,
			       .flags = RTE_MBUF_F_TX_IPV4};
	struct bed *b = open_bed(NULL);
	struct rte_mbuf *m = packet(b, &s);
	uint32_t n;

	(void)state;
	put16(l3_of(m) + 2, 0);
	send_by(b, 0, m);
	bed_data(b);
	n = drain(b, 0, BED_ROOM_ALL);
	assert_int_equal(completed_by(b, 0, 1), VNIC_STATUS_SUCCESS);
	expect_segments(b, &s, n);
	free_wire(n);
	close_bed(b);
}

static const struct spec fifteen = {.protocol = TCP, .payload = 20000, .mss = MSS};

/* The port takes k of the frames, then none, then the rest. */
static void a_port_that_takes_some(void **state)
{
	struct bed *b = open_bed(NULL);

	(void)state;
	for (uint32_t k = 0; k <= 15; k++) {
		struct rte_mbuf *m = packet(b, &fifteen);
		const struct before *before = note(m);
		uint32_t n;

		bed_wire_room(b, k);
		send_by(b, 0, m);
		bed_data(b);
		bed_data(b);
		if (k < 15) {
			none_completed(b, 0);
			assert_int_equal(bed_stats(b).queued.packets, 1);
			assert_memory_equal(rte_pktmbuf_mtod(m, char *), before->data, before->len);
		}
		n = drain(b, 0, BED_ROOM_ALL);
		assert_int_equal(n, k);
		bed_data(b);
		n = drain(b, n, BED_ROOM_ALL);
		assert_int_equal(completed_by(b, 0, 1), VNIC_STATUS_SUCCESS);
		expect_segments(b, &fifteen, n);
		free_wire(n);
	}
	close_bed(b);
}

/* A cancel takes a packet of which nothing has left; else it runs to completion. */
static void a_cancel_amid_segments(void **state)
{
	struct bed *b = open_bed(NULL);

	(void)state;
	for (uint32_t k = 0; k < 15; k += 7) {
		struct rte_mbuf *m = packet(b, &fifteen);
		const struct before *before = note(m);
		struct vnic_verdict v;
		uint32_t n;

		bed_wire_room(b, k);
		send_by(b, 0, m);
		bed_data(b);
		assert_int_equal(vnic_adapter_cancel(b->adapter, ID, b->ticket), 0);
		v = bed_verdict(b, b->ticket);
		assert_int_equal(v.aborted.packets, k == 0);
		assert_int_equal(v.too_late, k != 0);
		if (k == 0) {
			assert_int_equal(completed_by(b, 0, 0), VNIC_STATUS_SEND_ABORTED);
			expect_as_before(m, before);
			rte_pktmbuf_free(m);
			assert_int_equal(drain(b, 0, BED_ROOM_ALL), 0);
			continue;
		}
		n = drain(b, 0, BED_ROOM_ALL);
		bed_data(b);
		n = drain(b, n, BED_ROOM_ALL);
		assert_int_equal(completed_by(b, 0, 1), VNIC_STATUS_SUCCESS);
		expect_segments(b, &fifteen, n);
		free_wire(n);
	}
	close_bed(b);
}

/* Its completions are not polled. */
static void reset(struct bed *b)
{
	struct vnic_request *r = bed_issue(b, VNIC_CONTROL_RESET, 0);

	for (int i = 0; i < 20 && vnic_request_status(r) == VNIC_STATUS_PENDING; i++) {
		bed_control(b);
		bed_data(b);
	}
	assert_int_equal(vnic_request_status(r), VNIC_STATUS_SUCCESS);
	vnic_request_release(r);
}

/* A reset takes even what has begun to leave; it is the sender's again, and says so. */
static void a_reset_amid_segments(void **state)
{
	struct bed *b = open_bed(NULL);

	(void)state;
	for (uint32_t k = 0; k < 15; k += 5) {
		struct rte_mbuf *m = packet(b, &fifteen);
		const struct before *before = note(m);
		uint32_t n;

		bed_wire_room(b, k);
		send_by(b, 0, m);
		bed_data(b);
		reset(b);
		assert_int_equal(completed_by(b, 0, 0), VNIC_STATUS_RESET_IN_PROGRESS);
		n = drain(b, 0, BED_ROOM_ALL);
		assert_int_equal(n, k);
		free_wire(n);
		expect_as_before(m, before);
		rte_pktmbuf_free(m);
	}
	close_bed(b);
}

/* The second packet of three is segmented; neighbours stay in order around it. */
static void segments_in_order(void **state)
{
	struct bed *b = open_bed(&(struct bed_conf){.burst = 4});
	const struct spec s = {.protocol = UDP, .payload = 100};
	struct rte_mbuf *m[3], *first, *last;
	struct vnic_nbl *nbl;
	uint32_t n = 0;

	(void)state;
	for (uint32_t room = 1; room < 20; room++) {
		first = m[0] = packet(b, &s);
		m[2] = packet(b, &s);
		last = m[2];
		m[1] = packet(b, &fifteen);
		nbl = nbl_of(b, m, 3);
		assert_int_equal(vnic_send(b->sender[0], &nbl, 1), 1);
		for (n = 0; n < 17;) {
			bed_wire_room(b, room);
			bed_data(b);
			n = drain(b, n, room);
		}
		assert_int_equal(n, 17);
		assert_int_equal(completed_by(b, 0, 3), VNIC_STATUS_SUCCESS);
		assert_ptr_equal(wire[0], first);
		assert_ptr_equal(wire[16], last);
		rte_pktmbuf_free(first);
		rte_pktmbuf_free(last);
		memmove(wire, wire + 1, 15 * sizeof(wire[0]));
		expect_segments(b, &fifteen, 15);
		free_wire(15);
	}
	close_bed(b);
}

/* Two senders' packets: one after the other. */
static void segments_of_two_senders(void **state)
{
	struct bed *b = open_bed(&(struct bed_conf){.nb_senders = 2});
	uint32_t n = 0;

	(void)state;
	send_by(b, 0, packet(b, &fifteen));
	send_by(b, 1, packet(b, &fifteen));
	for (int i = 0; i < 40; i++) {
		bed_wire_room(b, 1);
		bed_data(b);
		n = drain(b, n, 0);
		assert_true(b->adapter->sender[0]->segments.nb == 0 ||
			    b->adapter->sender[1]->segments.nb == 0);
	}
	assert_int_equal(completed_by(b, 0, 1), VNIC_STATUS_SUCCESS);
	assert_int_equal(completed_by(b, 1, 1), VNIC_STATUS_SUCCESS);
	assert_int_equal(n, 30);
	expect_segments(b, &fifteen, 15);
	free_wire(15);
	memmove(wire, wire + 15, 15 * sizeof(wire[0]));
	expect_segments(b, &fifteen, 15);
	free_wire(15);
	close_bed(b);
}

static void free_completed(struct bed *b, uint32_t by)
{
	struct vnic_nbl *nbl[32];
	uint16_t n = vnic_sender_poll(b->sender[by], nbl, 32);

	vnic_nbl_free(b->nbls, nbl, n);
}

/* Each frame counts in its sender's share, as others' packets do. */
static void segments_have_their_share(void **state)
{
	struct bed *b = open_bed(&(struct bed_conf){.nb_senders = 2});
	const struct spec s = {.protocol = UDP, .payload = 100};
	uint32_t frames[2] = {0}, n;

	(void)state;
	assert_int_equal(vnic_sender_set_weight(b->sender[1], 2), 0);
	for (int i = 0; i < 1000; i++) {
		while (vnic_sender_outstanding(b->sender[0]) < 2)
			send_by(b, 0, packet(b, &fifteen));
		while (vnic_sender_outstanding(b->sender[1]) < 32)
			send_by(b, 1, packet(b, &s));
		bed_wire_room(b, 3);
		bed_data(b);
		n = drain(b, 0, 0);
		for (uint32_t k = 0; k < n; k++)
			frames[wire[k]->pkt_len < 200]++;
		free_wire(n);
		free_completed(b, 0);
		free_completed(b, 1);
	}
	assert_int_equal(frames[0] + frames[1], 3000);
	assert_in_range(frames[0], 950, 1050);
	bed_wire_room(b, BED_ROOM_ALL);
	while (vnic_sender_outstanding(b->sender[0]) + vnic_sender_outstanding(b->sender[1]) != 0) {
		bed_data(b);
		free_wire(drain(b, 0, BED_ROOM_ALL));
		free_completed(b, 0);
		free_completed(b, 1);
	}
	close_bed(b);
}

/* A pace of packets and of bits holds for frames. */
static void segments_at_a_pace(void **state)
{
	struct bed *b = open_bed(&(struct bed_conf){
		.pacing = {.packets_per_s = 20, .bits_per_s = 240000, .burst_packets = 4}});
	uint64_t began = rte_rdtsc();
	uint32_t n = 0;

	(void)state;
	send_by(b, 0, packet(b, &fifteen));
	while (n < 15) {
		bed_data(b);
		n = drain(b, n, BED_ROOM_ALL);
	}
	/* 20 a second, of which four and a tenth of a second's may have been saved up */
	assert_true(rte_rdtsc() - began > rte_get_tsc_hz() * 8 / 20);
	assert_int_equal(completed_by(b, 0, 1), VNIC_STATUS_SUCCESS);
	expect_segments(b, &fifteen, n);
	free_wire(n);
	close_bed(b);
}

/* Without memory for its frames the packet comes back. */
static void no_memory_for_segments(void **state)
{
	struct bed *b = open_bed(NULL);
	struct rte_mempool *pool[] = {b->adapter->segmenter.headers, b->adapter->segmenter.pieces};
	static struct rte_mbuf *taken[8192];

	(void)state;
	for (uint32_t i = 0; i < 2; i++) {
		uint32_t n = rte_mempool_avail_count(pool[i]) - 10;
		struct rte_mbuf *m = packet(b, &fifteen);
		const struct before *before = note(m);

		assert_int_equal(rte_pktmbuf_alloc_bulk(pool[i], taken, n), 0);
		send_by(b, 0, m);
		bed_data(b);
		assert_int_equal(completed_by(b, 0, 0), VNIC_STATUS_RESOURCES);
		expect_as_before(m, before);
		assert_int_equal(bed_stats(b).resources.packets, i + 1);
		rte_pktmbuf_free_bulk(taken, n);
		rte_pktmbuf_free(m);
	}
	check_segments(b, &fifteen);
	close_bed(b);
}

/* Through a layer, to one port and to two: each does what was asked. */
static void below_a_layer(void **state)
{
	struct bed *low[2], *top;

	(void)state;
	for (uint32_t nb = 1; nb <= 2; nb++) {
		const struct spec s = {.protocol = TCP, .payload = 500, .tag = true};
		struct rte_mbuf *m;
		uint32_t n;

		low[0] = open_bed(NULL);
		low[1] = nb == 2 ? open_bed(&(struct bed_conf){.beside = low[0]}) : NULL;
		top = open_bed(&(struct bed_conf){.lower = {low[0], low[1]}, .nb_lower = nb});
		for (int big = 0; big < 2; big++) {
			m = packet(top, big ? &fifteen : &s);
			send_by(top, 0, m);
			for (int i = 0; i < 4; i++)
				bed_data_all(top);
			assert_int_equal(completed_by(top, 0, 1), VNIC_STATUS_SUCCESS);
			for (uint32_t i = 0; i < nb; i++) {
				n = drain(low[i], 0, BED_ROOM_ALL);
				if (big)
					expect_segments(low[i], &fifteen, n);
				else
					expect_frame(&s, wire[0], 554);
				free_wire(n);
			}
		}
		/* refused below, returned above */
		m = packet(top, &s);
		m->l3_len = 24;
		send_by(top, 0, m);
		for (int i = 0; i < 4; i++)
			bed_data_all(top);
		assert_int_equal(completed_by(top, 0, 0), VNIC_STATUS_INVALID_PARAMETER);
		rte_pktmbuf_free(m);
		bed_close(top);
		if (nb == 2)
			close_bed(low[1]);
		close_bed(low[0]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sums),
		cmocka_unit_test(sums_with_options),
		cmocka_unit_test(tags_alone),
		cmocka_unit_test(room_for_a_tag_is_a_tags),
		cmocka_unit_test(a_trailer_is_not_summed),
		cmocka_unit_test(no_udp_sum_is_zero),
		cmocka_unit_test(a_shared_buffer_is_copied),
		cmocka_unit_test(a_port_that_sums),
		cmocka_unit_test(a_port_that_tags),
		cmocka_unit_test(what_cannot_be_done_is_refused),
		cmocka_unit_test(segments),
		cmocka_unit_test(a_single_segment),
		cmocka_unit_test(no_length_given),
		cmocka_unit_test(a_port_that_takes_some),
		cmocka_unit_test(a_cancel_amid_segments),
		cmocka_unit_test(a_reset_amid_segments),
		cmocka_unit_test(segments_in_order),
		cmocka_unit_test(segments_of_two_senders),
		cmocka_unit_test(segments_have_their_share),
		cmocka_unit_test(segments_at_a_pace),
		cmocka_unit_test(no_memory_for_segments),
		cmocka_unit_test(below_a_layer),
	};

	return cmocka_run_group_tests_name("offload", tests, make_large, test_eal_teardown);
}
