/* SPDX-License-Identifier: BSD-3-Clause
 * hostile_test.c - frames of every wrong kind, sent and received, among a neighbour's good ones
 *
 * A seeded generator cuts, bends and splits frames, and puts offload flags on them that disagree. Half
 * of them lie in memory of exactly their size, so that the address sanitizer sees every byte
 * that is read beyond. The accounts are checked at each step; the neighbour's frames all arrive, in order.
 */
#include "reception.h"

#include <stdlib.h>
#include <string.h>

#include <rte_ether.h>

#include "idrule.h"

#define ROUNDS 1500
#define FRAME_MAX 2000u /* above what the adapter takes */
#define SEGS_MAX 40
#define MARK UINT64_C(0x6f6f67207369796d) /* a good frame's, at its end */
#define MARK_AT 88
/* What a frame on the wire may not ask for any more; what it is made of it may say. */
#define TO_DO (RTE_MBUF_F_TX_OFFLOAD_MASK & ~(RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IPV6))

enum { BAD, GOOD }; /* clients */

static uint64_t seed;

static uint32_t draw(uint32_t n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)(seed >> 16) % n;
}

/* ---- bytes of a frame ---- */

struct bytes {
	uint32_t len;
	uint8_t b[FRAME_MAX + 4096];
};

static void put(struct bytes *f, uint32_t n, uint32_t width)
{
	while (width-- > 0)
		f->b[f->len++] = (uint8_t)(n >> 8 * width);
}

static void put_noise(struct bytes *f, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		put(f, draw(256), 1);
}

/* Mostly what it should be. */
static uint32_t perhaps(uint32_t right, uint32_t range)
{
	return draw(4) != 0 ? right : draw(range);
}

static void put_l4(struct bytes *f, uint32_t protocol)
{
	put_noise(f, 4);
	if (protocol == 17) {
		put(f, perhaps(8 + 30, 65536), 2);
		put(f, draw(65536), 2);
	} else {
		put_noise(f, 8);
		put(f, perhaps(5, 16) << 4, 1);
		put_noise(f, 7);
	}
	put_noise(f, draw(6) == 0 ? draw(2000) : draw(60));
}

static uint32_t a_protocol(void)
{
	static const uint8_t known[] = {6, 17, 132, 4, 41, 47, 0, 43, 44, 51, 60, 50, 59, 1};

	return perhaps(known[draw(sizeof(known))], 256);
}

static void put_ipv4(struct bytes *f)
{
	uint32_t protocol = draw(3) == 0 ? a_protocol() : draw(2) ? 6 : 17;
	uint32_t ihl = perhaps(5, 16);

	put(f, perhaps(4, 16) << 4 | ihl, 1);
	put_noise(f, 1);
	put(f, perhaps(60, 65536), 2);
	put_noise(f, 2);
	put(f, draw(2) == 0 ? 0x4000 : draw(65536), 2); /* fragments, which overlap as it comes */
	put(f, 64, 1);
	put(f, protocol, 1);
	put_noise(f, 2 + 8);
	put_noise(f, ihl > 5 ? 4 * (ihl - 5) : 0);
	put_l4(f, protocol);
}

static void put_ipv6(struct bytes *f)
{
	static const uint8_t extension[] = {0, 43, 44, 51, 60, 135};
	uint32_t n = draw(3) == 0 ? draw(40) : draw(3), next = n != 0 ? extension[draw(6)] : a_protocol();

	put(f, perhaps(6, 16) << 28 | draw(1 << 28), 4);
	put(f, perhaps(60, 65536), 2);
	put(f, next << 8 | 64, 2);
	put_noise(f, 32);
	for (; n > 0; n--) {
		uint32_t words = perhaps(0, 256);

		put(f, n > 1 ? extension[draw(6)] : a_protocol(), 1);
		put(f, words, 1);
		put_noise(f, 6 + (draw(2) != 0 ? 0 : 8 * RTE_MIN(words, 4u)));
	}
	put_l4(f, draw(2) ? 6 : 17);
}

static void make_bytes(struct bytes *f)
{
	uint32_t tags = draw(3) == 0 ? draw(4) : 0;

	f->len = 0;
	if (draw(12) == 0) {
		put_noise(f, draw(FRAME_MAX));
		return;
	}
	if (draw(3) == 0) /* to the neighbour, to all, to oneself, to nobody */
		put_noise(f, 6);
	else
		put(f, draw(2) ? 0x0200 : 0xffff, 2), put(f, draw(4), 4);
	put_noise(f, 6);
	for (; tags > 0; tags--) {
		put(f, draw(2) ? 0x8100 : 0x88a8, 2);
		put_noise(f, 2);
	}
	switch (draw(5)) {
	case 0: put(f, draw(65536), 2), put_noise(f, draw(100)); break;
	case 1:
	case 2: put(f, 0x0800, 2), put_ipv4(f); break;
	default: put(f, 0x86dd, 2), put_ipv6(f); break;
	}
	f->len = RTE_MIN(f->len, FRAME_MAX);
	if (draw(2) == 0) /* cut off, mostly within the headers */
		f->len = draw(RTE_MIN(f->len, draw(3) ? 90u : FRAME_MAX) + 1);
	for (uint32_t n = draw(4) == 0 ? draw(8) : 0; n > 0 && f->len > 0; n--)
		f->b[draw(f->len)] ^= (uint8_t)(1 << draw(8));
}

/* ---- packets ---- */

static void release(void *buffer, void *info)
{
	free(buffer);
	free(info);
}

/* One segment, in a buffer of the pool's or in one of just its size. */
static struct rte_mbuf *segment(struct reception *r, const uint8_t *from, uint32_t len, bool exact)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(r->mbufs);

	assert_non_null(m);
	if (exact && len != 0) {
		struct rte_mbuf_ext_shared_info *info = calloc(1, sizeof(*info));
		void *buffer = malloc(len);

		assert_true(info != NULL && buffer != NULL);
		info->free_cb = release;
		info->fcb_opaque = info;
		rte_mbuf_ext_refcnt_set(info, 1);
		rte_pktmbuf_attach_extbuf(m, buffer, RTE_BAD_IOVA, (uint16_t)len, info);
		m->data_off = 0;
	}
	memcpy(rte_pktmbuf_append(m, (uint16_t)len), from, len);
	return m;
}

static struct rte_mbuf *packet_of(struct reception *r, const struct bytes *f)
{
	uint32_t most = draw(3) == 0 ? 1 + draw(SEGS_MAX - 2) : 1, done = 0;
	bool exact = draw(2) != 0;
	struct rte_mbuf *m = NULL;

	for (uint32_t i = 0; i < most; i++) {
		uint32_t left = f->len - done;
		uint32_t n = i + 1 == most ? left : draw(5) == 0 ? 0 : RTE_MIN(draw(20), left);
		struct rte_mbuf *s = segment(r, f->b + done, n, exact);

		done += n;
		if (m == NULL)
			m = s;
		else
			assert_int_equal(rte_pktmbuf_chain(m, s), 0);
	}
	return m;
}

/* What a program asks of a packet, that may not even have what it asks about. */
static void ask_for_offloads(struct rte_mbuf *m)
{
	static const uint64_t flags[] = {RTE_MBUF_F_TX_IP_CKSUM, RTE_MBUF_F_TX_TCP_CKSUM, RTE_MBUF_F_TX_UDP_CKSUM,
		RTE_MBUF_F_TX_SCTP_CKSUM, RTE_MBUF_F_TX_TCP_SEG, RTE_MBUF_F_TX_UDP_SEG, RTE_MBUF_F_TX_IPV4,
		RTE_MBUF_F_TX_IPV6, RTE_MBUF_F_TX_VLAN, RTE_MBUF_F_TX_QINQ, RTE_MBUF_F_TX_OUTER_IPV4,
		RTE_MBUF_F_TX_OUTER_IP_CKSUM, RTE_MBUF_F_TX_TUNNEL_VXLAN, RTE_MBUF_F_TX_MACSEC};

	for (uint32_t n = 1 + draw(4); n > 0; n--)
		m->ol_flags |= flags[draw(RTE_DIM(flags))];
	m->l2_len = perhaps(14, 128) & 0x7f;
	m->l3_len = perhaps(draw(2) ? 20 : 40, 512) & 0x1ff;
	m->l4_len = perhaps(draw(2) ? 20 : 8, 256) & 0xff;
	m->tso_segsz = (uint16_t)(draw(4) == 0 ? draw(65536) : draw(200));
	m->outer_l2_len = draw(128) & 0x7f;
	m->outer_l3_len = draw(512) & 0x1ff;
	m->vlan_tci = (uint16_t)draw(65536);
}

static struct rte_mbuf *bad_packet(struct reception *r, bool sent)
{
	static struct bytes f;
	struct rte_mbuf *m;

	make_bytes(&f);
	m = packet_of(r, &f);
	if (sent && draw(2) == 0)
		ask_for_offloads(m);
	if (!sent && draw(8) == 0) {
		m->ol_flags |= draw(2) ? RTE_MBUF_F_RX_VLAN_STRIPPED : RTE_MBUF_F_RX_QINQ_STRIPPED;
		m->vlan_tci = (uint16_t)draw(65536);
		m->vlan_tci_outer = (uint16_t)draw(65536);
	}
	return m;
}

static struct rte_mbuf *good_packet(struct reception *r, uint8_t to, uint32_t number)
{
	struct rte_mbuf *m = reception_frame(r, to, 9, 0, number);
	uint64_t mark = MARK;

	memcpy(rte_pktmbuf_mtod_offset(m, void *, MARK_AT), &mark, sizeof(mark));
	return m;
}

static bool is_good(const struct rte_mbuf *m)
{
	uint64_t mark = MARK;

	return m->pkt_len == 100 && m->nb_segs == 1 &&
	       memcmp(rte_pktmbuf_mtod_offset(m, void *, MARK_AT), &mark, sizeof(mark)) == 0;
}

/* ---- ids ---- */

static const struct vnic_idrule rules[] = {
	{.kind = VNIC_IDRULE_VLAN, .only = true, .value = 5}, {.kind = VNIC_IDRULE_LABEL, .only = true, .value = 77},
	{.kind = VNIC_IDRULE_DSCP, .only = true, .value = 9}, {.kind = VNIC_IDRULE_PORT, .only = true, .value = 80},
	{.kind = VNIC_IDRULE_SOURCE_PORT, .only = true, .value = 99},
	{.kind = VNIC_IDRULE_BYTES, .offset = 1500, .width = 6}, {.kind = VNIC_IDRULE_LABEL},
	{.kind = VNIC_IDRULE_FLOW}};

/* However it lies in memory, a packet has one id. */
static void check_ids(struct reception *r, struct rte_mbuf *m)
{
	struct rte_mbuf *copy = rte_pktmbuf_copy(m, r->mbufs, 0, UINT32_MAX);
	struct vnic__idrules several, flow;
	uint32_t which, same;

	assert_true(vnic__idrules_init(&several, rules, RTE_DIM(rules)));
	assert_true(vnic__idrules_init(&flow, NULL, 0));
	for (uint32_t i = 0; i < RTE_DIM(rules); i++)
		vnic_idrule_apply(&rules[i], m);
	if (copy == NULL)
		return; /* of nothing no copy is made */
	assert_true(vnic__idrules_apply(&several, m, &which) == vnic__idrules_apply(&several, copy, &same));
	assert_int_equal(which, same);
	assert_true(vnic__idrules_apply(&flow, m, &which) == vnic__idrules_apply(&flow, copy, &same));
	rte_pktmbuf_free(copy);
}

/* ---- the path ---- */

struct tally {
	uint32_t sent, arrived;     /* good ones, so far */
	uint32_t on_wire, received; /* of them, out again */
	uint32_t nbls, status[3];   /* completions: SUCCESS, INVALID_LENGTH, INVALID_PARAMETER */
	uint64_t bad_on_wire;
};

static void send_one(struct reception *r, uint32_t client, struct rte_mbuf *m, struct tally *t)
{
	struct vnic_nbl *nbl;

	assert_int_equal(vnic_nbl_alloc(r->nbls, &nbl, 1), 0);
	nbl->cancel_id = RECEPTION_ID;
	nbl->nb_packets = 1;
	vnic_nbl_packets(nbl)[0] = m;
	assert_int_equal(vnic_send(r->sender[client], &nbl, 1), 1);
	t->nbls++;
}

static void take_completions(struct reception *r, struct tally *t)
{
	for (uint32_t i = 0; i < r->nb_done; i++) {
		struct vnic_nbl *nbl = r->done[i];

		switch (nbl->status) {
		case VNIC_STATUS_SUCCESS: t->status[0]++; break;
		case VNIC_STATUS_INVALID_LENGTH: t->status[1]++; break;
		case VNIC_STATUS_INVALID_PARAMETER: t->status[2]++; break;
		default: fail_msg("a frame got %s", vnic_status_name(nbl->status));
		}
		if (nbl->status != VNIC_STATUS_SUCCESS) {
			assert_false(is_good(vnic_nbl_packets(nbl)[0]));
			rte_pktmbuf_free(vnic_nbl_packets(nbl)[0]);
		}
		vnic_nbl_free(r->nbls, &nbl, 1);
	}
	r->nb_done = 0;
}

static void take_wire(struct reception *r, struct tally *t)
{
	struct rte_mbuf *m;

	while (rte_ring_sc_dequeue(r->wire, (void **)&m) == 0) {
		rte_mbuf_sanity_check(m, 1);
		assert_in_range(m->pkt_len, 60, 1518 + RTE_VLAN_HLEN);
		assert_int_equal(m->ol_flags & TO_DO, 0);
		if (is_good(m))
			assert_int_equal(reception_number(m), t->on_wire++);
		else
			t->bad_on_wire++;
		rte_pktmbuf_free(m);
	}
}

static void take_received(struct reception *r, uint32_t client, struct tally *t)
{
	struct rte_mbuf *packet[64];
	uint32_t n;

	while ((n = vnic_receive(r->receiver[client], packet, 64)) != 0) {
		for (uint32_t i = 0; i < n; i++) {
			rte_mbuf_sanity_check(packet[i], 1);
			if (client == GOOD && is_good(packet[i]))
				assert_int_equal(reception_number(packet[i]), t->received++);
			rte_pktmbuf_free(packet[i]);
		}
		assert_int_equal(vnic_receive_return(r->receiver[client], n), 0);
	}
}

static void one_round(struct reception *r, struct tally *t)
{
	for (uint32_t n = draw(12); n > 0; n--) {
		bool sent = draw(2) != 0;
		struct rte_mbuf *m = bad_packet(r, sent);

		check_ids(r, m);
		if (sent)
			send_one(r, BAD, m, t);
		else
			assert_int_equal(rte_ring_sp_enqueue(r->in, m), 0);
		if (draw(2) == 0)
			send_one(r, GOOD, good_packet(r, 0x77, t->sent++), t);
		if (draw(2) == 0)
			assert_int_equal(rte_ring_sp_enqueue(r->in, good_packet(r, 2, t->arrived++)), 0);
	}
	for (uint32_t i = 0; i < 4; i++) {
		reception_step(r, 1);
		take_wire(r, t);
		take_received(r, BAD, t);
		take_received(r, GOOD, t);
		take_completions(r, t);
	}
}

static void check_account(struct reception *r, const struct tally *t)
{
	struct vnic_adapter_receive_stats rx = reception_adapter_stats(r);
	struct vnic_adapter_stats s;

	vnic_adapter_stats_get(r->adapter, &s);
	assert_int_equal(s.accepted.nbls, t->nbls);
	assert_int_equal(s.accepted.nbls, s.sent.nbls + s.aborted.nbls + s.rejected.nbls + s.queued.nbls);
	assert_int_equal(s.queued.nbls + s.aborted.nbls, 0);
	assert_int_equal(s.sent.nbls, t->status[0]);
	assert_int_equal(s.invalid_length.nbls, t->status[1]);
	assert_int_equal(s.invalid_parameter.nbls, t->status[2]);
	assert_int_equal(t->on_wire, t->sent);
	assert_int_equal(t->received, t->arrived);
	assert_int_equal(reception_stats(r, GOOD).dropped, 0);
	print_message("%u sent, %u too long, %u asking what cannot be; received: %lu no frames, %lu for nobody\n",
		      t->status[0], t->status[1], t->status[2], (unsigned long)rx.malformed,
		      (unsigned long)rx.unknown);
	/* the generator does make what it is for */
	assert_true(t->status[1] > 100 && t->status[2] > 100 && rx.malformed > 100);
	assert_true(rx.unknown > 100 && t->bad_on_wire > 1000 && t->sent > 1000);
}

static void frames(void **state)
{
	const struct vnic_adapter_conf conf = {.receive = true, .local = true, .learn = true};
	struct reception *r;
	struct tally t = {0};

	(void)state;
	for (seed = 1; seed < 3; seed++) {
		uint64_t first = seed;

		r = reception_open(&conf);
		reception_listen(r, BAD, 1, -1);
		reception_listen(r, GOOD, 2, -1);
		t = (struct tally){0};
		seed *= UINT64_C(0x9e3779b97f4a7c15);
		for (uint32_t i = 0; i < ROUNDS; i++)
			one_round(r, &t);
		check_account(r, &t);
		reception_close(r);
		seed = first;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(frames)};

	return cmocka_run_group_tests_name("hostile", tests, test_eal_setup, test_eal_teardown);
}
