/* SPDX-License-Identifier: BSD-3-Clause
 * send_test.c - contract A: sends and who owns what (C1-C6)
 *
 * Most of it is checked by the bed itself at every completion and every packet on the
 * wire; the tests bring about the ways in which an NBL may end.
 */
#include <string.h>

#include "bed.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#define POISON(at, len) ASAN_POISON_MEMORY_REGION(at, len)
#define UNPOISON(at, len) ASAN_UNPOISON_MEMORY_REGION(at, len)
#else
#define POISON(at, len) ((void)(at), (void)(len))
#define UNPOISON(at, len) ((void)(at), (void)(len))
#endif

#define ID UINT64_C(0x1234)
#define OTHER UINT64_C(0x5678)

/* ---- C1 ---- */

static void c1_every_nbl_completes_once(void **state)
{
	struct bed *b = bed_open(NULL);
	uint32_t sent, walked, helped, bad;

	(void)state;
	bed_wire_room(b, 0);
	helped = bed_send_id(b, ID, 3);
	bed_data(b); /* staged */
	walked = bed_send_id(b, ID, 5);
	bad = bed_nbl(b, ID, 1);
	b->nbl[bad].nbl->nb_packets = 0;
	bed_send(b, bad, 1);
	sent = bed_send_id(b, OTHER, 7);
	bed_cancel(b, ID);
	bed_settle(b);
	bed_expect(b, helped, 3, VNIC_STATUS_SEND_ABORTED);
	bed_expect(b, walked, 5, VNIC_STATUS_SEND_ABORTED);
	bed_expect(b, bad, 1, VNIC_STATUS_INVALID_PARAMETER);
	bed_expect(b, sent, 7, VNIC_STATUS_SUCCESS);
	for (int i = 0; i < 10; i++) { /* and no more come */
		bed_data(b);
		bed_control(b);
	}
	assert_int_equal(bed_poll(b), 0);
	bed_close(b);
}

/* The sender never polls: what is outstanding is bounded, none of it is lost. */
static void check_unpolled(struct bed *b, bool mixed)
{
	const uint32_t most = 2 * b->conf.depth - 1;
	uint32_t taken = 0, n = 0;

	for (uint32_t idle = 0; idle < 20; n++) {
		uint32_t nbl = bed_nbl(b, n & 1 ? ID : OTHER, 1);

		if (mixed && n % 5 == 0)
			b->nbl[nbl].nbl->nb_packets = 0;
		if (bed_send_by(b, 0, nbl, 1) == 0) {
			bed_discard(b, nbl, 1);
			idle++;
		} else {
			taken++;
		}
		if (mixed && n % 7 == 0) {
			assert_int_equal(vnic_adapter_cancel(b->adapter, ID, b->ticket), 0);
			bed_verdict(b, b->ticket);
		}
		if (n % 3 == 0)
			bed_data(b);
		bed_wire_drain(b);
		assert_int_equal(vnic_sender_outstanding(b->sender[0]), taken);
	}
	assert_int_equal(taken, most);
	assert_int_equal(bed_stats(b).not_taken, 20);
	/* one is polled, one more is taken */
	assert_int_equal(bed_poll_by(b, 0, 1), 1);
	bed_send_id(b, ID, 1);
	bed_settle(b);
	assert_int_equal(b->nb_done, most + 1);
}

static void c1_unpolled_completions_are_kept(void **state)
{
	struct bed *b = bed_open(NULL);

	(void)state;
	check_unpolled(b, false);
	bed_close(b);
	b = bed_open(NULL);
	check_unpolled(b, true);
	bed_close(b);
	/* all by the control side: that ring is as large */
	b = bed_open(NULL);
	for (uint32_t left = 127; left != 0;) {
		uint16_t n = (uint16_t)(left < 50 ? left : 50);

		bed_send_id(b, ID, n);
		assert_int_equal(vnic_adapter_cancel(b->adapter, ID, b->ticket), 0);
		bed_verdict(b, b->ticket);
		for (int i = 0; i < 2; i++)
			bed_data(b); /* tombs leave the ring, a burst at a time */
		left -= n;
	}
	assert_int_equal(vnic_sender_room(b->sender[0], 1), 0);
	bed_close(b);
}

/* ---- C2 ---- */

static void c2_a_full_queue_leaves_the_rest_untouched(void **state)
{
	struct bed *b = bed_open(NULL);
	struct vnic_nbl copy[100];

	(void)state;
	for (uint32_t i = 0; i < 100; i++) {
		bed_nbl(b, ID, 1);
		copy[i] = *b->nbl[i].nbl;
	}
	assert_int_equal(bed_send_by(b, 0, 0, 100), 64);
	for (uint32_t i = 64; i < 100; i++)
		assert_memory_equal(b->nbl[i].nbl, &copy[i], sizeof(copy[i]));
	assert_int_equal(bed_stats(b).not_taken, 36);
	assert_int_equal(bed_stats(b).accepted.nbls, 64);
	assert_int_equal(bed_send_by(b, 0, 64, 36), 0);
	bed_data(b);
	assert_int_equal(bed_send_by(b, 0, 64, 36), 32);
	bed_settle(b);
	bed_expect(b, 0, 96, VNIC_STATUS_SUCCESS);
	bed_discard(b, 96, 4);
	bed_close(b);
}

static void c2_a_refusal_is_a_completion(void **state)
{
	struct bed *b = bed_open(NULL);
	uint32_t nbl;

	(void)state;
	nbl = bed_nbl_of(b, ID, bed_packet(b, 1519), 1);
	bed_send(b, nbl, 1); /* taken */
	assert_int_equal(vnic_sender_outstanding(b->sender[0]), 1);
	assert_int_equal(bed_poll(b), 1);
	bed_expect(b, nbl, 1, VNIC_STATUS_INVALID_LENGTH);
	bed_close(b);
}

/* ---- C3 ---- */

static void c3_n_nbls_of_m_packets(void **state)
{
	static const uint16_t many[] = {1, 2, 3, 31, 32, 33, 63, 64};
	static const uint16_t packets[] = {1, 2, 3, 7, 8};
	struct bed *b = bed_open(NULL);

	(void)state;
	for (size_t i = 0; i < BED_COUNT_OF(many); i++) {
		for (size_t k = 0; k < BED_COUNT_OF(packets); k++) {
			uint32_t first = b->nb_nbls, serial = b->nb_packets;

			for (uint16_t n = 0; n < many[i]; n++)
				bed_nbl(b, ID + n, packets[k]);
			bed_send(b, first, many[i]);
			bed_settle(b);
			bed_expect(b, first, many[i], VNIC_STATUS_SUCCESS);
			assert_int_equal(b->nb_log, serial + many[i] * packets[k]);
		}
	}
	bed_close(b);
}

static void c3_an_nbl_of_1024_packets(void **state)
{
	struct bed *b = bed_open(&(struct bed_conf){.max_packets = 1024, .nb_nbls = 16});
	uint32_t nbl = bed_nbl(b, ID, 1024);

	(void)state;
	bed_send(b, nbl, 1);
	bed_settle(b);
	bed_expect(b, nbl, 1, VNIC_STATUS_SUCCESS);
	assert_int_equal(b->nb_log, 1024);
	bed_close(b);
}

/* One of five is refused, whichever: the others are sent. */
static void c3_a_refused_one_takes_no_other_with_it(void **state)
{
	struct bed *b = bed_open(NULL);

	(void)state;
	for (uint32_t bad = 0; bad < 5; bad++) {
		uint32_t first = b->nb_nbls;

		for (uint32_t i = 0; i < 5; i++)
			bed_nbl_of(b, ID, bed_packet(b, i == bad ? 2000 : 64), 1);
		bed_send(b, first, 5);
		bed_settle(b);
		bed_expect(b, first + bad, 1, VNIC_STATUS_INVALID_LENGTH);
		assert_int_equal(bed_count(b, first, 5, VNIC_STATUS_SUCCESS), 4);
	}
	bed_close(b);
}

/* ---- C4 ---- */

struct hidden {
	uint32_t nbl;
	struct vnic_nbl *at;
	struct vnic_nbl content;
	struct rte_mbuf *packet; /* NULL: the port's */
	struct rte_mbuf packet_content;
};

#define SCRIBBLE 0x5a

static void hide(struct bed *b, struct hidden *h, uint32_t nbl)
{
	h->nbl = nbl;
	h->at = b->nbl[nbl].nbl;
	h->content = *h->at;
	h->packet = b->nbl[nbl].nb_sent == 0 ? b->packet[b->nbl[nbl].first].mbuf : NULL;
	memset(h->at, SCRIBBLE, sizeof(*h->at));
	POISON(h->at, sizeof(*h->at) + sizeof(void *));
	if (h->packet == NULL)
		return;
	h->packet_content = *h->packet;
	memset((void *)h->packet, SCRIBBLE, sizeof(*h->packet));
	POISON(h->packet, sizeof(*h->packet));
	POISON(h->packet_content.buf_addr, h->packet_content.buf_len);
}

static void unhide(struct bed *b, struct hidden *h)
{
	struct vnic_nbl scribble;

	memset(&scribble, SCRIBBLE, sizeof(scribble));
	UNPOISON(h->at, sizeof(*h->at) + sizeof(void *));
	assert_memory_equal(h->at, &scribble, sizeof(scribble));
	*h->at = h->content;
	if (h->packet != NULL) {
		UNPOISON(h->packet, sizeof(*h->packet));
		UNPOISON(h->packet_content.buf_addr, h->packet_content.buf_len);
		for (size_t i = 0; i < sizeof(*h->packet); i++)
			assert_int_equal(((uint8_t *)h->packet)[i], SCRIBBLE);
		*h->packet = h->packet_content;
	}
	bed_release(b, h->nbl);
}

/* What came back is scribbled over, and forbidden to read under ASan, while the same
 * ids are sent and cancelled again. */
static void c4_not_touched_after_its_completion(void **state)
{
	struct bed *b = bed_open(NULL);
	struct hidden h[13];
	uint32_t k = 0;

	(void)state;
	b->hold = true;
	bed_send_id(b, OTHER, 3); /* 0..2 are sent */
	bed_data(b);
	bed_wire_room(b, 0);
	bed_send_id(b, ID, 3); /* 3..5 come back by help */
	bed_data(b);
	bed_send_id(b, ID, 4); /* 6..9 by the walk */
	bed_cancel(b, ID);
	for (uint32_t i = 0; i < 3; i++) /* 10..12 are refused */
		bed_nbl_of(b, ID, bed_packet(b, 1600), 1);
	bed_send(b, 10, 3);
	assert_int_equal(bed_poll_by(b, 0, 2), 2); /* the last one's link is still in use */
	for (uint32_t i = 0; i < 12; i++)
		hide(b, &h[k++], i);
	bed_poll(b);
	hide(b, &h[k++], 12);
	assert_int_equal(k, BED_COUNT_OF(h));
	b->hold = false;
	for (int round = 0; round < 20; round++) {
		bed_send(b, bed_nbl_of(b, ID, bed_packet(b, 1600), 1), 1);
		bed_send_id(b, ID, 10);
		bed_cancel(b, ID);
		bed_data(b);
		bed_cancel(b, ID);
		bed_cancel(b, 0);
		bed_send_id(b, OTHER, 40);
		bed_settle(b);
	}
	while (k-- != 0)
		unhide(b, &h[k]);
	bed_close(b);
}

/* ---- C5 ---- */

/* The bed compares id, cookie, packets and client at each completion: here one of each
 * kind passes through it, with packets of all kinds. */
static void c5_completed_as_it_was_sent(void **state)
{
	struct bed *b = bed_open(NULL);
	uint32_t first = b->nb_nbls;

	(void)state;
	for (uint32_t kind = 0; kind < 4; kind++) {
		uint32_t serial = bed_packet(b, 42);

		bed_packet_chain(b, 900, 5);
		bed_packet_chain(b, 50, 3);
		bed_packet(b, 1518);
		if (kind == 1)
			bed_packet(b, 1519);
		bed_nbl_of(b, kind == 0 ? OTHER : ID, serial, kind == 1 ? 5 : 4);
	}
	bed_wire_room(b, 0);
	bed_send(b, first, 1); /* staged, refused by the port once */
	bed_data(b);
	bed_send(b, first + 1, 3);
	bed_cancel(b, ID);
	bed_cancel(b, OTHER);
	bed_expect(b, first, 1, VNIC_STATUS_SEND_ABORTED);
	bed_expect(b, first + 1, 1, VNIC_STATUS_INVALID_LENGTH);
	bed_expect(b, first + 2, 2, VNIC_STATUS_SEND_ABORTED);
	bed_close(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(c1_every_nbl_completes_once),
		cmocka_unit_test(c1_unpolled_completions_are_kept),
		cmocka_unit_test(c2_a_full_queue_leaves_the_rest_untouched),
		cmocka_unit_test(c2_a_refusal_is_a_completion),
		cmocka_unit_test(c3_n_nbls_of_m_packets),
		cmocka_unit_test(c3_an_nbl_of_1024_packets),
		cmocka_unit_test(c3_a_refused_one_takes_no_other_with_it),
		cmocka_unit_test(c4_not_touched_after_its_completion),
		cmocka_unit_test(c5_completed_as_it_was_sent),
	};

	return cmocka_run_group_tests_name("conformance send", tests, test_eal_setup,
					   test_eal_teardown);
}
