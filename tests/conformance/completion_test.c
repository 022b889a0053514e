/* SPDX-License-Identifier: BSD-3-Clause
 * completion_test.c - contract B: what a completion says (C7-C10, C12, C13), decision 3
 *
 * The bed fails on any status that a send may not have, on PENDING above all, and on a
 * packet that is not where its NBL's completion says.
 */
#include "bed.h"

#include "adapter.h"

#define ID UINT64_C(0x1234)
#define OTHER UINT64_C(0x5678)
#define COPIES_MAX 4096

/* ---- C7 ---- */

static void c7_numbers_and_names_are_exact(void **state)
{
	static const struct {
		uint32_t status, number;
		const char *name;
	} table[] = {
		{VNIC_STATUS_SUCCESS, 0x00000000, "SUCCESS"},
		{VNIC_STATUS_PENDING, 0x00000103, "PENDING"},
		{VNIC_STATUS_SEND_ABORTED, 0xC023000C, "SEND_ABORTED"},
		{VNIC_STATUS_PAUSED, 0xC023002A, "PAUSED"},
		{VNIC_STATUS_RESET_IN_PROGRESS, 0xC001000D, "RESET_IN_PROGRESS"},
		{VNIC_STATUS_RESOURCES, 0xC000009A, "RESOURCES"},
		{VNIC_STATUS_INVALID_LENGTH, 0xC0010014, "INVALID_LENGTH"},
		{VNIC_STATUS_FAILURE, 0xC0000001, "FAILURE"},
		{VNIC_STATUS_LOW_POWER_STATE, 0xC023002F, "LOW_POWER_STATE"},
		{VNIC_STATUS_MEDIA_DISCONNECTED, 0xC023001F, "MEDIA_DISCONNECTED"},
		{VNIC_STATUS_CLOSING, 0xC0010002, "CLOSING"},
		{VNIC_STATUS_INVALID_STATE, 0xC0000184, "INVALID_STATE"},
		{VNIC_STATUS_INVALID_PARAMETER, 0xC000000D, "INVALID_PARAMETER"},
		{VNIC_STATUS_NOT_SUPPORTED, 0xC00000BB, "NOT_SUPPORTED"},
		{VNIC_STATUS_CANCELLED, 0xC0000120, "CANCELLED"},
	};

	(void)state;
	for (size_t i = 0; i < BED_COUNT_OF(table); i++) {
		assert_int_equal(table[i].status, table[i].number);
		assert_string_equal(vnic_status_name(table[i].number), table[i].name);
	}
	assert_string_equal(vnic_status_name(0xC001000C), "UNKNOWN"); /* REQUEST_ABORTED */
}

/* Whatever the sender leaves in `status`, PENDING too, the completion overwrites it. */
static void c7_never_pending(void **state)
{
	struct bed *b = bed_open(NULL);
	uint32_t first = b->nb_nbls;

	(void)state;
	for (uint32_t i = 0; i < 4; i++) {
		bed_nbl_of(b, i == 1 ? OTHER : ID, bed_packet(b, i == 2 ? 1519 : 64), 1);
		b->nbl[i].nbl->status = VNIC_STATUS_PENDING;
	}
	b->nbl[3].nbl->nb_packets = 0;
	bed_send(b, first, 4);
	bed_cancel(b, OTHER);
	bed_settle(b);
	bed_expect(b, 0, 1, VNIC_STATUS_SUCCESS);
	bed_expect(b, 1, 1, VNIC_STATUS_SEND_ABORTED);
	bed_expect(b, 2, 1, VNIC_STATUS_INVALID_LENGTH);
	bed_expect(b, 3, 1, VNIC_STATUS_INVALID_PARAMETER);
	bed_close(b);
}

/* ---- C8: refused, and the neighbours are not ---- */

/* Three NBLs, the middle one with a packet of `len` bytes between two others. */
static void check_length(uint32_t max_frame, uint32_t len, uint32_t status)
{
	struct bed *b = bed_open(&(struct bed_conf){.max_frame = max_frame});
	struct vnic_adapter_stats st;

	bed_nbl(b, ID, 2);
	bed_packet(b, 64);
	bed_packet(b, len);
	bed_packet(b, 64);
	bed_nbl_of(b, ID, 2, 3);
	bed_nbl(b, ID, 2);
	bed_send(b, 0, 3);
	bed_settle(b);
	bed_expect(b, 0, 1, VNIC_STATUS_SUCCESS);
	bed_expect(b, 1, 1, status);
	bed_expect(b, 2, 1, VNIC_STATUS_SUCCESS);
	st = bed_stats(b);
	assert_int_equal(st.invalid_length.nbls, status == VNIC_STATUS_INVALID_LENGTH);
	assert_int_equal(st.invalid_length.packets, status == VNIC_STATUS_INVALID_LENGTH ? 3 : 0);
	bed_close(b);
}

static void c8_too_long_gives_invalid_length(void **state)
{
	(void)state;
	check_length(1518, 1518, VNIC_STATUS_SUCCESS);
	check_length(1518, 1519, VNIC_STATUS_INVALID_LENGTH);
	check_length(128, 128, VNIC_STATUS_SUCCESS);
	check_length(128, 129, VNIC_STATUS_INVALID_LENGTH);
}

static void c8_no_bytes_give_invalid_length(void **state)
{
	(void)state;
	check_length(1518, 0, VNIC_STATUS_INVALID_LENGTH);
}

/* A chain's length is its whole. */
static void c8_a_chain_may_be_too_long(void **state)
{
	struct bed *b = bed_open(NULL);
	uint32_t nbl = bed_nbl_of(b, ID, bed_packet_chain(b, 1519, 8), 1);

	(void)state;
	bed_send(b, nbl, 1);
	bed_settle(b);
	bed_expect(b, nbl, 1, VNIC_STATUS_INVALID_LENGTH);
	bed_close(b);
}

static void c8_packets_none_or_too_many(void **state)
{
	static const uint16_t wrong[] = {0, 9, 100, UINT16_MAX};
	struct bed *b = bed_open(NULL);
	uint64_t packets = 0;

	(void)state;
	for (size_t i = 0; i < BED_COUNT_OF(wrong); i++) {
		uint32_t first = bed_nbl(b, ID, 8);

		bed_nbl(b, ID, 8);
		bed_nbl(b, ID, 8);
		b->nbl[first + 1].nbl->nb_packets = wrong[i];
		packets += wrong[i];
		bed_send(b, first, 3);
		bed_settle(b);
		bed_expect(b, first, 1, VNIC_STATUS_SUCCESS);
		bed_expect(b, first + 1, 1, VNIC_STATUS_INVALID_PARAMETER);
		bed_expect(b, first + 2, 1, VNIC_STATUS_SUCCESS);
	}
	assert_int_equal(bed_stats(b).invalid_parameter.nbls, BED_COUNT_OF(wrong));
	assert_int_equal(bed_stats(b).invalid_parameter.packets, packets);
	bed_close(b);
}

/* A list of nothing but refused NBLs, and refused ones among a full queue's. */
static void c8_refused_ones_come_back_in_order(void **state)
{
	struct bed *b = bed_open(NULL);

	(void)state;
	bed_wire_room(b, 0);
	for (uint32_t i = 0; i < 6; i++)
		bed_nbl_of(b, ID, bed_packet(b, i == 3 ? 64 : 1600), 1);
	bed_send(b, 0, 6);
	for (uint32_t i = 0; i < 6; i++)
		assert_int_equal(bed_poll_by(b, 0, 1), i < 5);
	for (uint32_t i = 0, order = 0; i < 6; i++)
		if (i != 3)
			assert_int_equal(b->nbl[i].order, order++);
	bed_close(b);
}

/* ---- C8: RESOURCES ---- */

struct taken_copies {
	struct rte_mempool *pool;
	uint32_t nb;
	void *copy[COPIES_MAX];
};

static void take_copies(const struct bed *b, struct taken_copies *t)
{
	t->pool = b->adapter->fit.copies;
	for (t->nb = 0; rte_mempool_get(t->pool, &t->copy[t->nb]) == 0; t->nb++)
		assert_in_range(t->nb, 0, COPIES_MAX - 2);
}

static void give_copies(struct taken_copies *t, uint32_t n)
{
	for (; n != 0; n--)
		rte_mempool_put(t->pool, t->copy[--t->nb]);
}

/* A chain of 42 bytes: it can be padded in a copy only. */
static uint32_t needs_copy(struct bed *b)
{
	return bed_packet_chain(b, 42, 2);
}

static void c8_no_copy_gives_resources(void **state)
{
	struct bed *b = bed_open(NULL);
	struct taken_copies t;
	struct vnic_adapter_stats st;

	(void)state;
	take_copies(b, &t);
	bed_nbl(b, ID, 2);
	bed_nbl_of(b, ID, needs_copy(b), 1);
	bed_nbl_of(b, ID, needs_copy(b), 1);
	bed_nbl_of(b, ID, bed_packet(b, 42), 1);
	bed_nbl(b, ID, 2);
	bed_send(b, 0, 5);
	bed_settle(b);
	bed_expect(b, 0, 1, VNIC_STATUS_SUCCESS);
	bed_expect(b, 1, 2, VNIC_STATUS_RESOURCES);
	bed_expect(b, 3, 2, VNIC_STATUS_SUCCESS);
	assert_int_equal(b->nbl[1].nb_sent, 0);
	st = bed_stats(b);
	assert_int_equal(st.resources.nbls, 2);
	assert_int_equal(st.resources.packets, 2);
	assert_int_equal(st.rejected.nbls, 2);
	give_copies(&t, t.nb);
	bed_nbl_of(b, ID, needs_copy(b), 1); /* and now it can be had */
	bed_send(b, 5, 1);
	bed_settle(b);
	bed_expect(b, 5, 1, VNIC_STATUS_SUCCESS);
	bed_close(b);
}

/* Two packets of five leave, the third cannot be copied: nb_sent is 2, the other three
 * are the sender's. Whether the two leave in one burst with others or not. */
static void check_part_sent(uint32_t room, uint32_t before)
{
	struct bed *b = bed_open(NULL);
	struct taken_copies t;
	uint32_t serial, nbl;

	take_copies(b, &t);
	bed_wire_room(b, room);
	for (uint32_t i = 0; i < before; i++)
		bed_nbl(b, OTHER, 1);
	serial = bed_packet(b, 100);
	bed_packet(b, 42);
	needs_copy(b);
	bed_packet(b, 42);
	bed_packet(b, 100);
	nbl = bed_nbl_of(b, ID, serial, 5);
	bed_nbl(b, OTHER, 2);
	bed_send(b, 0, (uint16_t)(before + 2));
	for (int i = 0; i < 20; i++) {
		bed_data(b);
		bed_wire_drain(b);
	}
	bed_poll(b);
	bed_expect(b, nbl, 1, VNIC_STATUS_RESOURCES);
	assert_int_equal(b->nbl[nbl].nb_sent, 2);
	bed_expect(b, nbl + 1, 1, VNIC_STATUS_SUCCESS);
	give_copies(&t, t.nb);
	bed_close(b);
}

static void c8_no_copy_after_a_part_was_sent(void **state)
{
	(void)state;
	check_part_sent(BED_ROOM_ALL, 0);
	check_part_sent(1, 0);
	check_part_sent(BED_ROOM_ALL, 3);
	check_part_sent(2, 3);
}

/* One copy is to be had, three are needed: the first is sent, the copy comes back with the
 * wire, what is refused gives its copy back. */
static void c8_one_copy_for_three(void **state)
{
	struct bed *b = bed_open(NULL);
	struct taken_copies t;
	uint32_t nbl, serial = needs_copy(b);

	(void)state;
	take_copies(b, &t);
	give_copies(&t, 1);
	needs_copy(b);
	needs_copy(b);
	nbl = bed_nbl_of(b, ID, serial, 3);
	bed_wire_room(b, 0);
	bed_send(b, nbl, 1);
	for (int i = 0; i < 3; i++)
		bed_data(b); /* made, refused, given back each time */
	for (int i = 0; i < 3; i++) {
		bed_wire_room(b, 1);
		bed_data(b);
		bed_wire_drain(b);
	}
	bed_poll(b);
	bed_expect(b, nbl, 1, VNIC_STATUS_SUCCESS);
	give_copies(&t, t.nb);
	bed_close(b);
}

/* ---- C9, decision 3 ---- */

static void c9_success_only_when_all_packets_were_taken(void **state)
{
	struct bed *b = bed_open(NULL);
	uint32_t nbl = bed_nbl(b, ID, 8);

	(void)state;
	bed_send(b, nbl, 1);
	for (uint32_t i = 0; i < 8; i++) {
		assert_int_equal(bed_poll(b), 0);
		bed_wire_room(b, 1);
		bed_data(b);
		bed_wire_room(b, 0);
		bed_data(b);
		bed_control(b);
		assert_int_equal(b->nb_log, i + 1);
	}
	assert_int_equal(bed_poll(b), 1);
	bed_expect(b, nbl, 1, VNIC_STATUS_SUCCESS);
	assert_int_equal(b->nbl[nbl].nb_sent, 8);
	bed_close(b);
}

/* The port takes 1 .. 23 packets of 8 NBLs of 3: as many are SUCCESS as it has whole. */
static void d3_success_means_accepted_below(void **state)
{
	(void)state;
	for (uint32_t room = 1; room < 24; room++) {
		struct bed *b = bed_open(NULL);

		for (uint32_t i = 0; i < 8; i++)
			bed_nbl(b, ID, 3);
		bed_wire_room(b, room);
		bed_send(b, 0, 8);
		bed_data(b);
		bed_data(b);
		assert_int_equal(bed_poll(b), room / 3);
		bed_expect(b, 0, room / 3, VNIC_STATUS_SUCCESS);
		assert_int_equal(bed_stats(b).sent.packets, room);
		assert_int_equal(bed_stats(b).queued.packets, 24 - room);
		bed_cancel(b, ID);
		assert_int_equal(bed_count(b, 0, 8, VNIC_STATUS_SEND_ABORTED), 8 - (room + 2) / 3);
		bed_close(b); /* what was begun is finished */
	}
}

/* ---- C10 ---- */

static void c10_one_send_many_completions(void **state)
{
	struct bed *b = bed_open(NULL);

	(void)state;
	for (uint32_t i = 0; i < 9; i++)
		bed_nbl_of(b, i % 3 == 1 ? OTHER : ID, bed_packet(b, i % 3 == 2 ? 1600 : 64), 1);
	bed_send(b, 0, 9);
	bed_cancel(b, OTHER); /* polls what is there: aborted and refused ones */
	assert_int_equal(b->nb_done, 6);
	bed_wire_room(b, 1);
	for (uint32_t i = 0; i < 3; i++) {
		bed_data(b);
		bed_wire_drain(b);
		assert_int_equal(bed_poll(b), 1);
	}
	for (uint32_t i = 0; i < 9; i++)
		bed_expect(b, i, 1,
			   i % 3 == 0   ? VNIC_STATUS_SUCCESS
			   : i % 3 == 1 ? VNIC_STATUS_SEND_ABORTED
					: VNIC_STATUS_INVALID_LENGTH);
	bed_close(b);
}

static void c10_many_sends_one_poll(void **state)
{
	struct bed *b = bed_open(NULL);

	(void)state;
	for (uint32_t i = 0; i < 12; i++) {
		bed_nbl_of(b, i % 4 == 1 ? OTHER : ID, bed_packet(b, i % 4 == 2 ? 1600 : 64), 1);
		bed_send(b, i, 1);
	}
	assert_int_equal(vnic_adapter_cancel(b->adapter, OTHER, b->ticket), 0);
	bed_control(b);
	bed_data(b);
	assert_int_equal(bed_poll_by(b, 0, 64), 12);
	assert_int_equal(bed_count(b, 0, 12, VNIC_STATUS_SUCCESS), 6);
	assert_int_equal(bed_count(b, 0, 12, VNIC_STATUS_SEND_ABORTED), 3);
	assert_int_equal(bed_count(b, 0, 12, VNIC_STATUS_INVALID_LENGTH), 3);
	bed_close(b);
}

/* ---- C12 ---- */

/* The NBL of a padded packet comes back and is used again for one that needs nothing: what
 * the library had noted in it is without effect. */
static void c12_nothing_of_one_send_is_left_in_the_next(void **state)
{
	struct bed *b = bed_open(NULL);
	const void *at;
	uint32_t nbl;

	(void)state;
	nbl = bed_nbl_of(b, ID, needs_copy(b), 1);
	at = b->nbl[nbl].nbl;
	bed_send(b, nbl, 1);
	bed_settle(b);
	assert_int_equal(bed_stats(b).copied, 1);
	nbl = bed_nbl_of(b, ID, bed_packet_chain(b, 300, 2), 1);
	assert_ptr_equal(at, b->nbl[nbl].nbl);
	bed_send(b, nbl, 1);
	bed_settle(b);
	assert_int_equal(bed_stats(b).copied, 1);
	assert_int_equal(bed_stats(b).padded, 1);
	bed_close(b);
}

/* ---- C13 ---- */

static void c13_a_failure_stays(void **state)
{
	struct bed *b = bed_open(NULL);
	struct taken_copies t;
	uint32_t failed, serial, refused;

	(void)state;
	take_copies(b, &t);
	serial = bed_packet(b, 64);
	needs_copy(b);
	failed = bed_nbl_of(b, ID, serial, 2);
	refused = bed_nbl_of(b, ID, bed_packet(b, 1600), 1);
	bed_send(b, failed, 2);
	for (int i = 0; i < 4; i++) { /* fails; its completion is not polled */
		bed_data(b);
		bed_wire_drain(b);
	}
	give_copies(&t, t.nb);
	bed_send_id(b, ID, 40);
	assert_int_equal(vnic_adapter_cancel(b->adapter, ID, b->ticket), 0);
	bed_data(b);
	bed_verdict(b, b->ticket);
	bed_settle(b);
	bed_expect(b, failed, 1, VNIC_STATUS_RESOURCES);
	assert_int_equal(b->nbl[failed].nb_sent, 1);
	bed_expect(b, refused, 1, VNIC_STATUS_INVALID_LENGTH);
	bed_close(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(c7_numbers_and_names_are_exact),
		cmocka_unit_test(c7_never_pending),
		cmocka_unit_test(c8_too_long_gives_invalid_length),
		cmocka_unit_test(c8_no_bytes_give_invalid_length),
		cmocka_unit_test(c8_a_chain_may_be_too_long),
		cmocka_unit_test(c8_packets_none_or_too_many),
		cmocka_unit_test(c8_refused_ones_come_back_in_order),
		cmocka_unit_test(c8_no_copy_gives_resources),
		cmocka_unit_test(c8_no_copy_after_a_part_was_sent),
		cmocka_unit_test(c8_one_copy_for_three),
		cmocka_unit_test(c9_success_only_when_all_packets_were_taken),
		cmocka_unit_test(d3_success_means_accepted_below),
		cmocka_unit_test(c10_one_send_many_completions),
		cmocka_unit_test(c10_many_sends_one_poll),
		cmocka_unit_test(c12_nothing_of_one_send_is_left_in_the_next),
		cmocka_unit_test(c13_a_failure_stays),
	};

	return cmocka_run_group_tests_name("conformance completion", tests, test_eal_setup,
					   test_eal_teardown);
}
