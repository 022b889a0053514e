/* SPDX-License-Identifier: BSD-3-Clause
 * padding_test.c - contract C6: a short frame leaves padded with zeros, and comes back as
 * it was when it does not leave
 *
 * The buffers hold 0xee beyond the packet, so that padding by length alone shows. The bed
 * checks content and padding on the wire, and length, content and reference count of what
 * comes back.
 */
#include "bed.h"

#define ID UINT64_C(0x1234)

static struct rte_mbuf *filled(struct bed *b, uint16_t len)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(b->mbufs);

	assert_non_null(m);
	memset(m->buf_addr, 0xee, m->buf_len);
	assert_non_null(rte_pktmbuf_append(m, len));
	return m;
}

/* ---- the kinds of buffers ---- */

static struct rte_mbuf *own(struct bed *b, uint16_t len, struct rte_mbuf **mine)
{
	(void)mine;
	return filled(b, len);
}

static struct rte_mbuf *no_tail_room(struct bed *b, uint16_t len, struct rte_mbuf **mine)
{
	struct rte_mbuf *m = filled(b, len);

	(void)mine;
	m->data_off = (uint16_t)(m->buf_len - len);
	return m;
}

static struct rte_mbuf *chain(struct bed *b, uint16_t len, struct rte_mbuf **mine)
{
	struct rte_mbuf *m = filled(b, len / 2);

	(void)mine;
	assert_int_equal(rte_pktmbuf_chain(m, filled(b, (uint16_t)(len - len / 2))), 0);
	return m;
}

static struct rte_mbuf *shared(struct bed *b, uint16_t len, struct rte_mbuf **mine)
{
	struct rte_mbuf *m = filled(b, len);

	rte_mbuf_refcnt_update(m, 1);
	*mine = m;
	return m;
}

static struct rte_mbuf *indirect(struct bed *b, uint16_t len, struct rte_mbuf **mine)
{
	*mine = filled(b, len);
	return rte_pktmbuf_clone(*mine, b->mbufs);
}

/* Its buffer has a clone. */
static struct rte_mbuf *cloned(struct bed *b, uint16_t len, struct rte_mbuf **mine)
{
	struct rte_mbuf *m = filled(b, len);

	*mine = rte_pktmbuf_clone(m, b->mbufs);
	assert_non_null(*mine);
	return m;
}

struct kind {
	struct rte_mbuf *(*make)(struct bed *b, uint16_t len, struct rte_mbuf **mine);
	bool copied; /* nobody else's bytes may be written */
};

static const struct kind kinds[] = {{own, false},   {no_tail_room, true}, {chain, true},
				    {shared, true}, {indirect, true},	  {cloned, true}};

struct made {
	uint32_t nbl;
	struct rte_mbuf *mine; /* the test's own reference */
};

static struct made make(struct bed *b, const struct kind *kind, uint16_t len)
{
	struct made made = {0};
	struct rte_mbuf *m = kind->make(b, len, &made.mine);

	assert_non_null(m);
	made.nbl = bed_nbl_of(b, ID, bed_packet_of(b, m), 1);
	return made;
}

/* The test's reference is the last one, and what it refers to was not written to. */
static void let_go(const struct made *made)
{
	const struct rte_mbuf *m = made->mine;

	if (m == NULL)
		return;
	assert_int_equal(rte_mbuf_refcnt_read(m), 1);
	assert_int_equal(*((uint8_t *)m->buf_addr + m->data_off + m->data_len), 0xee);
	rte_pktmbuf_free(made->mine);
}

/* ---- the tests ---- */

static void check_sent(void **state)
{
	const struct kind *kind = *state;
	struct bed *b = bed_open(NULL);
	static const uint16_t lens[] = {2, 4, 14, 42, 59};

	for (size_t i = 0; i < BED_COUNT_OF(lens); i++) {
		struct made made = make(b, kind, lens[i]);

		bed_send(b, made.nbl, 1);
		bed_data(b);
		assert_int_equal(bed_wire_drain(b), 1);
		bed_poll(b);
		bed_expect(b, made.nbl, 1, VNIC_STATUS_SUCCESS);
		let_go(&made);
	}
	assert_int_equal(bed_stats(b).padded, BED_COUNT_OF(lens));
	assert_int_equal(bed_stats(b).copied, kind->copied ? BED_COUNT_OF(lens) : 0);
	bed_close(b);
}

/* The port refuses it twice, then it is cancelled: it comes back as it was. */
static void check_refused_then_aborted(void **state)
{
	struct bed *b = bed_open(NULL);
	struct made made = make(b, *state, 33);

	bed_wire_room(b, 0);
	bed_send(b, made.nbl, 1);
	bed_data(b);
	bed_data(b);
	assert_int_equal(bed_stats(b).port_refused, 2);
	assert_int_equal(bed_cancel(b, ID).aborted.nbls, 1);
	bed_expect(b, made.nbl, 1, VNIC_STATUS_SEND_ABORTED);
	assert_int_equal(bed_stats(b).padded, 0);
	assert_int_equal(bed_stats(b).copied, 0);
	let_go(&made);
	bed_close(b);
}

/* The port refuses it twice, then takes it: padded once. */
static void check_refused_then_sent(void **state)
{
	struct bed *b = bed_open(NULL);
	struct made made = make(b, *state, 33);

	bed_wire_room(b, 0);
	bed_send(b, made.nbl, 1);
	bed_data(b);
	bed_data(b);
	bed_settle(b);
	bed_expect(b, made.nbl, 1, VNIC_STATUS_SUCCESS);
	assert_int_equal(bed_stats(b).padded, 1);
	let_go(&made);
	bed_close(b);
}

static void c6_sixty_bytes_are_enough(void **state)
{
	struct bed *b = bed_open(NULL);

	(void)state;
	for (uint32_t len = 58; len <= 62; len++)
		bed_send(b, bed_nbl_of(b, ID, bed_packet(b, len), 1), 1);
	bed_settle(b);
	assert_int_equal(bed_stats(b).padded, 2);
	bed_close(b);
}

static void c6_one_byte(void **state)
{
	struct bed *b = bed_open(NULL);
	uint32_t nbl = bed_nbl_of(b, ID, bed_packet(b, 1), 1);

	(void)state;
	bed_send(b, nbl, 1);
	bed_settle(b);
	bed_expect(b, nbl, 1, VNIC_STATUS_SUCCESS);
	bed_close(b);
}

/* Short, long, short ... within one NBL, and the port takes them one by one. */
static void c6_short_and_long_in_one_nbl(void **state)
{
	struct bed *b = bed_open(NULL);
	struct rte_mbuf *mine[3] = {NULL, NULL, NULL};
	const uint16_t len[] = {40, 200, 41, 42, 300, 43};
	uint32_t nbl;

	(void)state;
	bed_packet_of(b, own(b, len[0], NULL));
	bed_packet_of(b, own(b, len[1], NULL));
	bed_packet_of(b, shared(b, len[2], &mine[0]));
	bed_packet_of(b, indirect(b, len[3], &mine[1]));
	bed_packet_of(b, shared(b, len[4], &mine[2]));
	bed_packet_of(b, own(b, len[5], NULL));
	nbl = bed_nbl_of(b, ID, 0, 6);
	bed_send(b, nbl, 1);
	for (uint32_t i = 0; i < 6; i++) {
		assert_int_equal(bed_poll(b), 0);
		bed_wire_room(b, 1);
		bed_data(b);
		bed_wire_room(b, 0);
		assert_int_equal(b->nb_log, i + 1);
		bed_data(b); /* refused */
	}
	bed_poll(b);
	bed_expect(b, nbl, 1, VNIC_STATUS_SUCCESS);
	bed_expect_log(b, 0, (const uint32_t[]){0, 1, 2, 3, 4, 5}, 6);
	assert_int_equal(bed_stats(b).padded, 4);
	assert_int_equal(bed_stats(b).copied, 2);
	for (uint32_t i = 0; i < 3; i++)
		rte_pktmbuf_free(mine[i]);
	bed_close(b);
}

/* Neighbours of one burst: the long ones go as they are. */
static void c6_short_among_long_in_one_burst(void **state)
{
	struct bed *b = bed_open(NULL);

	(void)state;
	for (uint32_t i = 0; i < 60; i++)
		bed_nbl_of(b, ID, bed_packet(b, i % 3 == 0 ? 30 + i % 7 : 100), 1);
	bed_send(b, 0, 60);
	bed_wire_room(b, 17); /* not at a burst's end */
	bed_data(b);
	bed_wire_room(b, 1);
	bed_data(b);
	bed_settle(b);
	bed_expect(b, 0, 60, VNIC_STATUS_SUCCESS);
	assert_int_equal(bed_stats(b).padded, 20);
	assert_int_equal(bed_stats(b).copied, 0);
	bed_close(b);
}

/* A port that takes no chains gets them in one piece, short ones padded too. */
static void c6_port_without_chains(void **state)
{
	struct bed *b = bed_open(&(struct bed_conf){.linear_only = true});

	(void)state;
	bed_packet_chain(b, 1518, 7);
	bed_packet_chain(b, 40, 4);
	bed_packet(b, 300);
	bed_nbl_of(b, ID, 0, 3);
	bed_wire_room(b, 0);
	bed_send(b, 0, 1);
	bed_data(b);
	bed_settle(b); /* the bed sees one segment each */
	bed_expect(b, 0, 1, VNIC_STATUS_SUCCESS);
	assert_int_equal(bed_stats(b).copied, 2);
	assert_int_equal(bed_stats(b).padded, 1);
	bed_close(b);
}

#define OF_KIND(test, what, kind) {#what, test, NULL, NULL, (void *)(uintptr_t)&kinds[kind]}

int main(void)
{
	const struct CMUnitTest tests[] = {
		OF_KIND(check_sent, c6_own_buffer, 0),
		OF_KIND(check_sent, c6_no_tail_room, 1),
		OF_KIND(check_sent, c6_chain, 2),
		OF_KIND(check_sent, c6_shared_buffer, 3),
		OF_KIND(check_sent, c6_indirect_buffer, 4),
		OF_KIND(check_sent, c6_buffer_with_a_clone, 5),
		OF_KIND(check_refused_then_aborted, c6_own_buffer_aborted_as_it_was, 0),
		OF_KIND(check_refused_then_aborted, c6_no_tail_room_aborted_as_it_was, 1),
		OF_KIND(check_refused_then_aborted, c6_chain_aborted_as_it_was, 2),
		OF_KIND(check_refused_then_aborted, c6_shared_buffer_aborted_as_it_was, 3),
		OF_KIND(check_refused_then_aborted, c6_indirect_buffer_aborted_as_it_was, 4),
		OF_KIND(check_refused_then_aborted, c6_buffer_with_a_clone_aborted_as_it_was, 5),
		OF_KIND(check_refused_then_sent, c6_own_buffer_sent_at_last, 0),
		OF_KIND(check_refused_then_sent, c6_no_tail_room_sent_at_last, 1),
		OF_KIND(check_refused_then_sent, c6_chain_sent_at_last, 2),
		OF_KIND(check_refused_then_sent, c6_shared_buffer_sent_at_last, 3),
		OF_KIND(check_refused_then_sent, c6_indirect_buffer_sent_at_last, 4),
		OF_KIND(check_refused_then_sent, c6_buffer_with_a_clone_sent_at_last, 5),
		cmocka_unit_test(c6_sixty_bytes_are_enough),
		cmocka_unit_test(c6_one_byte),
		cmocka_unit_test(c6_short_and_long_in_one_nbl),
		cmocka_unit_test(c6_short_among_long_in_one_burst),
		cmocka_unit_test(c6_port_without_chains),
	};

	return cmocka_run_group_tests_name("conformance padding", tests, test_eal_setup,
					   test_eal_teardown);
}
