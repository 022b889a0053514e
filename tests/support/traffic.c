/* SPDX-License-Identifier: BSD-3-Clause
 * traffic.c - test bed: packets, NBLs, the wire, completions
 */
#include "bed.h"

#include <stdlib.h>
#include <string.h>

#include <rte_ethdev.h>

#include "adapter.h"
#include "handover.h"

#define HELD_DESC 512u
#define FRAME_MIN 60u
#define FRAME_ROOM 16384u
#define COOKIE_BASE UINT64_C(0xc001c0de00000000)
#define POISON_STATUS UINT32_C(0xdeadbeef)
#define POISON_REST 0xee /* what the buffers hold beyond the packet */
#define POLL_BURST 64

#define TAG_SHIFT 24

static struct rte_mbuf blocker; /* fills the port's ring; never a packet */

static void *grow(void *table, uint32_t *max, uint32_t nb, size_t size)
{
	if (nb < *max)
		return table;
	*max = *max != 0 ? 2 * *max : 256;
	table = realloc(table, *max * size);
	assert_non_null(table);
	return table;
}

/* ---- content ---- */

uint32_t bed_mark(const struct bed *b, uint32_t serial)
{
	return b->tag << TAG_SHIFT | serial;
}

/* The mark, then bytes that follow from it. Shorter packets have less of it. */
static uint8_t byte_of(uint32_t mark, uint32_t at)
{
	if (at < 8)
		return at < 4 ? (uint8_t)(mark >> (8 * at)) : 0;
	return (uint8_t)(mark * 31 + at);
}

static void write_content(struct rte_mbuf *m, uint32_t mark)
{
	uint32_t at = 0;

	for (; m != NULL; m = m->next)
		for (uint32_t i = 0; i < m->data_len; i++)
			rte_pktmbuf_mtod(m, uint8_t *)[i] = byte_of(mark, at++);
}

static void check_content(const struct rte_mbuf *m, uint32_t mark, uint32_t len)
{
	static uint8_t copy[FRAME_ROOM];
	const uint8_t *data = rte_pktmbuf_read(m, 0, m->pkt_len, copy);
	uint32_t wrong = 0;

	assert_non_null(data);
	for (uint32_t i = 0; i < len; i++)
		wrong += data[i] != byte_of(mark, i);
	for (uint32_t i = len; i < m->pkt_len; i++)
		wrong += data[i] != 0;
	assert_int_equal(wrong, 0);
}

/* ---- packets and NBLs ---- */

uint32_t bed_packet_of(struct bed *b, struct rte_mbuf *m)
{
	uint32_t serial = b->nb_packets;

	/* a short packet has only the low bytes of its mark */
	assert_true(m->pkt_len == 0 || m->pkt_len >= 4 ||
		    bed_mark(b, serial) >> (8 * m->pkt_len) == 0);
	b->packet = grow(b->packet, &b->max_packets, serial, sizeof(*b->packet));
	b->packet[b->nb_packets++] = (struct bed_packet){
		.mbuf = m, .len = m->pkt_len, .nbl = UINT32_MAX, .refs = rte_mbuf_refcnt_read(m)};
	write_content(m, bed_mark(b, serial));
	return serial;
}

uint32_t bed_packet_chain(struct bed *b, uint32_t len, uint16_t nb_segs)
{
	struct rte_mbuf *first = NULL;
	uint32_t left = len;

	for (uint16_t i = 0; i < nb_segs; i++) {
		struct rte_mbuf *m = rte_pktmbuf_alloc(b->mbufs);
		uint32_t n = i + 1 == nb_segs ? left : left / (uint32_t)(nb_segs - i);

		assert_non_null(m);
		memset(m->buf_addr, POISON_REST, m->buf_len);
		assert_non_null(rte_pktmbuf_append(m, (uint16_t)n));
		left -= n;
		if (first == NULL)
			first = m;
		else
			assert_int_equal(rte_pktmbuf_chain(first, m), 0);
	}
	return bed_packet_of(b, first);
}

uint32_t bed_packet(struct bed *b, uint32_t len)
{
	return bed_packet_chain(b, len, 1);
}

uint32_t bed_nbl_of(struct bed *b, uint64_t id, uint32_t first, uint16_t nb_packets)
{
	uint32_t number = b->nb_nbls;
	struct vnic_nbl *nbl;

	assert_int_equal(vnic_nbl_alloc(b->nbls, &nbl, 1), 0);
	assert_true(nb_packets <= nbl->max_packets);
	nbl->cancel_id = id;
	nbl->cookie = COOKIE_BASE | number;
	nbl->nb_packets = nb_packets;
	nbl->status = POISON_STATUS;
	/* the library's: what a sender leaves in them is without effect */
	nbl->nb_sent = 0xbeef;
	nbl->reserved16 = 0xffff;
	nbl->reserved32 = UINT32_MAX;
	nbl->reserved64 = UINT64_MAX;
	for (uint32_t i = 0; i < nb_packets; i++) {
		vnic_nbl_packets(nbl)[i] = b->packet[first + i].mbuf;
		b->packet[first + i].nbl = number;
	}
	b->nbl = grow(b->nbl, &b->max_nbls, number, sizeof(*b->nbl));
	b->nbl[b->nb_nbls++] = (struct bed_nbl){
		.nbl = nbl, .id = id, .first = first, .nb_packets = nb_packets};
	return number;
}

uint32_t bed_nbl(struct bed *b, uint64_t id, uint16_t nb_packets)
{
	uint32_t first = b->nb_packets;

	for (uint16_t i = 0; i < nb_packets; i++)
		bed_packet(b, BED_FRAME);
	return bed_nbl_of(b, id, first, nb_packets);
}

/* ---- sending ---- */

uint16_t bed_send_by(struct bed *b, uint32_t s, uint32_t first, uint16_t n)
{
	struct vnic_nbl *list[BED_PACKETS_MAX];
	uint16_t room, taken;

	assert_in_range(n, 0, BED_PACKETS_MAX);
	for (uint16_t i = 0; i < n; i++) {
		list[i] = b->nbl[first + i].nbl;
		b->nbl[first + i].nb_claimed = list[i]->nb_packets;
		b->nbl[first + i].sender = (uint8_t)s;
	}
	room = vnic_sender_room(b->sender[s], n);
	taken = vnic_send(b->sender[s], list, n);
	/* the data thread may have made more room since; behind a closed gate all are taken */
	assert_in_range(taken, room, n);
	for (uint16_t i = 0; i < taken; i++)
		b->nbl[first + i].taken = 1;
	for (uint16_t i = taken; i < n; i++) /* still the caller's [C2] */
		assert_int_equal(list[i]->status, POISON_STATUS);
	return taken;
}

void bed_send(struct bed *b, uint32_t first, uint16_t n)
{
	assert_int_equal(bed_send_by(b, 0, first, n), n);
}

uint32_t bed_send_id(struct bed *b, uint64_t id, uint16_t n)
{
	uint32_t first = b->nb_nbls;

	for (uint16_t i = 0; i < n; i++)
		bed_nbl(b, id, 1);
	bed_send(b, first, n);
	return first;
}

static void free_nbl(struct bed *b, struct bed_nbl *e, uint32_t nb_sent)
{
	for (uint32_t i = nb_sent; i < e->nb_packets; i++)
		rte_pktmbuf_free(b->packet[e->first + i].mbuf);
	vnic_nbl_free(b->nbls, &e->nbl, 1);
	e->nbl = NULL;
}

void bed_discard(struct bed *b, uint32_t first, uint16_t n)
{
	for (uint16_t i = 0; i < n; i++)
		if (!b->nbl[first + i].taken)
			free_nbl(b, &b->nbl[first + i], 0);
}

/* ---- the wire ---- */

/* The bed whose packet it is, below or beside this one. */
static struct bed *owner_of(struct bed *b, uint32_t mark)
{
	uint32_t tag = mark >> TAG_SHIFT;

	assert_in_range(tag, 0, b->root->nb_layers);
	return tag == 0 ? b : b->root->layer[tag - 1];
}

static void take_from_wire(struct bed *b, struct rte_mbuf *m)
{
	struct bed_packet *p;
	struct bed *owner;
	uint32_t mark = 0, serial;

	assert_true(m->pkt_len >= FRAME_MIN);
	for (uint32_t i = 0; i < sizeof(mark); i++) {
		uint8_t byte;

		mark |= (uint32_t)*(const uint8_t *)rte_pktmbuf_read(m, i, 1, &byte) << (8 * i);
	}
	owner = owner_of(b, mark);
	serial = mark & ((1u << TAG_SHIFT) - 1);
	assert_in_range(serial, 0, owner->nb_packets - 1);
	p = &owner->packet[serial];
	assert_int_equal(p->on_wire & b->wires, 0);
	p->on_wire |= b->wires;
	assert_true(p->came == 0 || owner->fans);
	assert_int_equal(m->pkt_len, p->len < FRAME_MIN ? FRAME_MIN : p->len);
	if (b->conf.linear_only)
		assert_int_equal(m->nb_segs, 1);
	check_content(m, mark, p->len);
	rte_pktmbuf_free(m);
	b->log = grow(b->log, &b->max_log, b->nb_log, sizeof(*b->log));
	b->log[b->nb_log++] = mark;
}

static uint32_t drain(struct bed *b, bool gives_room)
{
	struct rte_mbuf *m[BED_ROOM_ALL];
	uint32_t n, packets = 0;

	if (b->wire == NULL)
		return 0;
	n = rte_ring_dequeue_burst(b->wire, (void **)m, BED_ROOM_ALL, NULL);
	for (uint32_t i = 0; i < n; i++) {
		if (m[i] == &blocker)
			continue;
		HANDOVER_TAKE(m[i]);
		take_from_wire(b, m[i]);
		packets++;
	}
	if (b->room == BED_ROOM_ALL)
		return packets; /* not even the ring's other side is touched: see c28's threads */
	b->room -= gives_room ? 0 : packets;
	for (uint32_t i = 0; i < BED_ROOM_ALL - b->room; i++)
		m[i] = &blocker;
	rte_ring_enqueue_bulk(b->wire, (void **)m, BED_ROOM_ALL - b->room, NULL);
	return packets;
}

/* A driver's function knows no bed. */
static struct bed *holder;

static int status_of(uint16_t port, uint16_t queue, uint16_t offset)
{
	struct vnic_adapter_stats st = bed_stats(holder);
	uint64_t ago = HELD_DESC - offset;

	(void)port;
	(void)queue;
	return ago > st.sent.packets || st.sent.packets - ago < holder->left ? RTE_ETH_TX_DESC_DONE :
									       RTE_ETH_TX_DESC_FULL;
}

void bed_port_holds(struct bed *b, uint32_t limit)
{
	holder = b;
	b->left = 0;
	b->adapter->inflight =
		(struct vnic__inflight){.status = status_of, .nb_desc = HELD_DESC, .limit = limit};
}

uint32_t bed_wire_drain(struct bed *b)
{
	return drain(b, true);
}

uint32_t bed_wire_take(struct bed *b)
{
	return drain(b, false);
}

void bed_wire_room(struct bed *b, uint32_t k)
{
	b->room = k;
	bed_wire_drain(b);
}

/* ---- completions ---- */

static void check_status(const struct bed *b, const struct bed_nbl *e)
{
	switch (e->status) {
	case VNIC_STATUS_SUCCESS:
		assert_int_equal(e->nb_sent, e->nb_claimed);
		break;
	case VNIC_STATUS_RESOURCES:
	case VNIC_STATUS_PAUSED:
	case VNIC_STATUS_RESET_IN_PROGRESS:
	case VNIC_STATUS_LOW_POWER_STATE:
	case VNIC_STATUS_MEDIA_DISCONNECTED:
	case VNIC_STATUS_CLOSING:
	case VNIC_STATUS_FAILURE:
		/* some packets may have left before the gate was closed */
		assert_true(e->nb_sent < e->nb_claimed);
		break;
	case VNIC_STATUS_SEND_ABORTED:
		assert_true(e->nb_sent == 0 || b->forced);
		break;
	case VNIC_STATUS_INVALID_LENGTH:
	case VNIC_STATUS_INVALID_PARAMETER:
		assert_int_equal(e->nb_sent, 0);
		break;
	default:
		fail_msg("status 0x%08x is none that a send may have", e->status);
	}
}

void bed_check_back(const struct bed *b, uint32_t number)
{
	const struct bed_nbl *e = &b->nbl[number];

	for (uint32_t i = 0; i < e->nb_packets; i++) {
		const struct bed_packet *p = &b->packet[e->first + i];

		assert_ptr_equal(vnic_nbl_packets(e->nbl)[i], p->mbuf);
		if (i < e->nb_sent)
			continue;
		assert_int_equal(p->mbuf->pkt_len, p->len);
		assert_int_equal(rte_mbuf_refcnt_read(p->mbuf), p->refs);
		rte_mbuf_sanity_check(p->mbuf, 1);
		check_content(p->mbuf, bed_mark(b, e->first + i), p->len);
	}
}

static void take_below(struct bed *b)
{
	bed_wire_take(b);
	for (uint32_t i = 0; i < b->conf.nb_lower; i++)
		take_below(b->conf.lower[i]);
}

static void complete(struct bed *b, uint32_t s, struct vnic_nbl *nbl)
{
	uint32_t number = (uint32_t)(nbl->cookie ^ COOKIE_BASE);
	struct bed_nbl *e;

	assert_int_equal(nbl->cookie & ~(uint64_t)UINT32_MAX, COOKIE_BASE);
	assert_in_range(number, 0, b->nb_nbls - 1);
	e = &b->nbl[number];
	assert_ptr_equal(e->nbl, nbl);
	assert_int_equal(e->taken, 1);
	assert_int_equal(e->sender, s);
	assert_int_equal(e->done++, 0);
	assert_int_equal(nbl->cancel_id, e->id);
	assert_int_equal(nbl->nb_packets, e->nb_claimed);
	assert_int_equal(nbl->max_packets, b->conf.max_packets);
	if (b->fans)
		take_below(b); /* clones on a wire hold references */
	e->status = nbl->status;
	e->nb_sent = nbl->nb_sent;
	e->order = b->nb_done++;
	check_status(b, e);
	for (uint32_t i = 0; i < e->nb_packets; i++) {
		b->packet[e->first + i].went += i < e->nb_sent;
		b->packet[e->first + i].came += i >= e->nb_sent;
	}
	bed_check_back(b, number);
	if (!b->hold)
		free_nbl(b, e, e->nb_sent);
}

uint32_t bed_poll_by(struct bed *b, uint32_t s, uint16_t n)
{
	struct vnic_nbl *list[POLL_BURST];
	uint32_t before = vnic_sender_outstanding(b->sender[s]);
	uint16_t k = vnic_sender_poll(b->sender[s], list, n < POLL_BURST ? n : POLL_BURST);

	if (b->polled != NULL)
		b->polled(list, k);
	assert_int_equal(vnic_sender_outstanding(b->sender[s]), before - k);
	for (uint16_t i = 0; i < k; i++)
		complete(b, s, list[i]);
	return k;
}

uint32_t bed_poll(struct bed *b)
{
	uint32_t n = 0, k;

	for (uint32_t s = 0; s < b->conf.nb_senders; s++)
		while ((k = bed_poll_by(b, s, POLL_BURST)) != 0)
			n += k;
	return n;
}

void bed_release(struct bed *b, uint32_t number)
{
	free_nbl(b, &b->nbl[number], b->nbl[number].nb_sent);
}

/* ---- questions ---- */

uint32_t bed_count(const struct bed *b, uint32_t first, uint32_t n, uint32_t status)
{
	uint32_t k = 0;

	for (uint32_t i = first; i < first + n; i++)
		k += b->nbl[i].done == 1 && b->nbl[i].status == status;
	return k;
}

void bed_expect(const struct bed *b, uint32_t first, uint32_t n, uint32_t status)
{
	for (uint32_t i = first; i < first + n; i++) {
		assert_int_equal(b->nbl[i].done, 1);
		assert_int_equal(b->nbl[i].status, status);
	}
}

void bed_expect_log(const struct bed *b, uint32_t at, const uint32_t *mark, uint32_t n)
{
	assert_int_equal(b->nb_log, at + n);
	for (uint32_t i = 0; i < n; i++)
		assert_int_equal(b->log[at + i], mark[i]);
}
