/* SPDX-License-Identifier: BSD-3-Clause
 * ring_test.c - the cancelable ring: its order, what a cancel takes and what it leaves
 */
#include "ring_rig.h"

/* ---- the FIFO ---- */

/* Random bursts through the whole array and past its end. */
static void check_fifo(uint32_t size, uint64_t start)
{
	struct rig g = rig_open(size, start);
	uint64_t seed = size ^ start, total = size + size / 8, out = 0;
	uint32_t advanced, handle;

	while (out < total) {
		uint32_t room = vnic__ring_room(&g.p, 1 + (uint32_t)(rng(&seed) % (size / 2)));

		assert_true(g.sent - out + room <= size);
		send(&g, rng(&seed) & 7, room);
		for (uint32_t left = 1 + (uint32_t)(rng(&seed) % (size / 2)); left != 0;) {
			uint32_t n = left < VNIC__RING_STAGE_MAX ? left : VNIC__RING_STAGE_MAX;
			uint32_t k = vnic__ring_claim(&g.c, n, &advanced);

			assert_int_equal(k, g.sent - out < n ? g.sent - out : n);
			assert_int_equal(advanced, k);
			for (uint32_t i = 0; i < k; i++) {
				handle = vnic__ring_stage_handle(&g.c, i);
				if (handle != out++)
					fail_msg("handle %u, not %u", handle, (uint32_t)out - 1);
			}
			vnic__ring_release(&g.c, k);
			left -= n;
		}
	}
	rig_close(&g);
}

static void fifo_keeps_order_at_every_size_and_wrap(void **state)
{
	(void)state;
	for (uint32_t size = VNIC__RING_SIZE_MIN; size <= VNIC__RING_SIZE_MAX; size *= 2)
		/* the large ones take their time under a sanitizer */
		for (size_t s = 0; s < (size > 4096 ? 1 : COUNT_OF(starts)); s++)
			check_fifo(size, size > 4096 ? 0 - (uint64_t)size - 9 : starts[s]);
}

static void room_is_what_is_free_at_every_size(void **state)
{
	(void)state;
	for (uint32_t size = VNIC__RING_SIZE_MIN; size <= VNIC__RING_SIZE_MAX; size *= 2) {
		struct rig g = rig_open(size, starts[3]);

		assert_int_equal(vnic__ring_room(&g.p, UINT32_MAX), size);
		send(&g, A, size - 1);
		assert_int_equal(vnic__ring_room(&g.p, 2), 1);
		send(&g, A, 1);
		assert_int_equal(vnic__ring_room(&g.p, 1), 0);
		stage(&g, 5, 5);
		/* a claimed slot is free: the stage holds what was in it */
		assert_int_equal(vnic__ring_room(&g.p, size), 5);
		leave(&g);
		assert_int_equal(vnic__ring_room(&g.p, size), 5);
		send(&g, B, 5);
		assert_int_equal(vnic__ring_room(&g.p, 1), 0);
		rig_close(&g);
	}
}

/* A producer that may use a part of the ring only, and finds more tombs there than that. */
static void room_is_the_producers_own(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(starts); i++) {
		struct rig g = rig_open(2 * SMALL, starts[i]);

		send(&g, A, 2 * SMALL);
		g.p.most = SMALL;
		assert_int_equal(vnic__ring_room(&g.p, 1), 0);
		expect_found(cancel(&g, A), 2 * SMALL, 0, false);
		assert_int_equal(vnic__ring_room(&g.p, UINT32_MAX), 0);
		stage(&g, SMALL, 0);
		assert_int_equal(vnic__ring_room(&g.p, UINT32_MAX), 0);
		stage(&g, 10, 0);
		assert_int_equal(vnic__ring_room(&g.p, UINT32_MAX), 10);
		stage(&g, SMALL - 10, 0);
		send(&g, B, SMALL);
		assert_int_equal(vnic__ring_room(&g.p, 1), 0);
		stage(&g, SMALL, SMALL);
		rig_close(&g);
	}
}

static void empty_ring_gives_nothing(void **state)
{
	uint32_t advanced = 9;

	(void)state;
	for (size_t s = 0; s < COUNT_OF(starts); s++) {
		struct rig g = rig_open(SMALL, starts[s]);

		assert_int_equal(vnic__ring_claim(&g.c, 64, &advanced), 0);
		assert_int_equal(advanced, 0);
		expect_found(cancel(&g, A), 0, 0, false);
		/* what memory never written says: the id 0 */
		expect_found(cancel(&g, 0), 0, 0, false);
		expect_found(cancel_at(&g, 0, ALL, tail_of(&g), starts[s] - 100), 0, 0, false);
		expect_found(cancel_at(&g, 0, 0, tail_of(&g), starts[s] - 100), 0, 0, false);
		assert_int_equal(vnic__ring_sample(&g.x, 12345), 0);
		rig_close(&g);
	}
}

static void unpublished_entries_are_only_the_producers(void **state)
{
	(void)state;
	for (size_t s = 0; s < COUNT_OF(starts); s++) {
		struct rig g = rig_open(SMALL, starts[s]);
		struct vnic__ring_burst b;
		uint32_t advanced;

		send(&g, A, 2);
		b = vnic__ring_begin(&g.p);
		for (uint32_t i = 0; i < 3; i++)
			vnic__ring_put(&b, g.sent++, A);
		expect_found(cancel_at(&g, A, 0, tail_of(&g), tail_of(&g)), 2, 0, false);
		expect_found(cancel(&g, A), 0, 0, false);
		assert_int_equal(vnic__ring_claim(&g.c, 64, &advanced), 0);
		assert_int_equal(advanced, 2);
		vnic__ring_publish(&g.p, &b);
		expect_rest(&g, (const uint32_t[]){2, 3, 4}, 3);
		rig_close(&g);
	}
}

static void extreme_handles_come_out_exact(void **state)
{
	const uint32_t handle[] = {0, VNIC__HANDLE_MAX, 0x800000, VNIC__HANDLE_MAX - 1, 1};
	struct rig g = rig_open(SMALL, UINT64_MAX - 1);
	struct vnic__ring_burst b = vnic__ring_begin(&g.p);

	(void)state;
	for (int round = 0; round < 2; round++)
		for (size_t i = 0; i < COUNT_OF(handle); i++)
			vnic__ring_put(&b, handle[i], i);
	vnic__ring_publish(&g.p, &b);
	stage(&g, 5, 5);
	expect_stage(&g, handle, 5);
	leave(&g);
	for (size_t i = 0; i < COUNT_OF(handle); i++) {
		expect_found(cancel(&g, i), 1, 0, false);
		assert_int_equal(g.x.claimed[0], handle[i]);
	}
	rig_close(&g);
}

/* ---- what a cancel takes ---- */

static bool takes_first(uint32_t i) { return i == 0; }
static bool takes_middle(uint32_t i) { return i == 31; }
static bool takes_last(uint32_t i) { return i == 63; }
static bool takes_ends(uint32_t i) { return i == 0 || i == 63; }
static bool takes_all(uint32_t i) { return i < 64; }
static bool takes_none(uint32_t i) { return i > 63; }
static bool takes_alternating(uint32_t i) { return i & 1; }
static bool takes_runs(uint32_t i) { return i / 5 & 1; }
static bool takes_all_but_one(uint32_t i) { return i != 40; }

struct pattern {
	bool (*takes)(uint32_t i);
};

/* A full ring, matches by the pattern; the others are one id, many, or hash neighbours. */
static void check_pattern(const struct pattern *pt, uint32_t size, uint64_t start, int others)
{
	struct rig g = rig_open(size, start);
	uint32_t rest[64], taken[64], nb_rest = 0, nb_taken = 0;
	struct vnic__ring_found f;

	for (uint32_t i = 0; i < 64; i++) {
		uint64_t other = others == 2 ? neighbour(&g, A, i / 3 % 4) : others ? B + i : B;

		send(&g, pt->takes(i) ? A : other, 1);
		if (pt->takes(i))
			taken[nb_taken++] = i;
		else
			rest[nb_rest++] = i;
	}
	f = cancel(&g, A);
	expect_found(f, nb_taken, 0, false);
	for (uint32_t i = 0; i < nb_taken; i++) /* newest first */
		assert_int_equal(g.x.claimed[i], taken[nb_taken - 1 - i]);
	expect_found(cancel(&g, A), 0, 0, false);
	expect_rest(&g, rest, nb_rest);
	rig_close(&g);
}

static void cancel_takes_the_pattern(void **state)
{
	for (uint32_t size = 64; size <= 4096; size *= 8)
		for (size_t s = 0; s < COUNT_OF(starts); s++)
			for (int others = 0; others < 3; others++)
				check_pattern(*state, size, starts[s], others);
}

static void hash_neighbours_keep_what_is_theirs(void **state)
{
	struct rig g = rig_open(SMALL, starts[1]);
	const uint64_t n0 = neighbour(&g, A, 0), n1 = neighbour(&g, A, 1);

	(void)state;
	assert_int_equal(vnic__ring_hash(g.ring->hash_shift, n0),
			 vnic__ring_hash(g.ring->hash_shift, A));
	send(&g, A, 1);  /* 0 */
	send(&g, n0, 3); /* 1 2 3 */
	send(&g, A, 2);  /* 4 5 */
	send(&g, n1, 1); /* 6 */
	send(&g, n0, 2); /* 7 8 */
	send(&g, A, 1);  /* 9 */
	send(&g, n1, 2); /* 10 11 */
	expect_found(cancel(&g, n0), 5, 0, false);
	assert_memory_equal(g.x.claimed, ((uint32_t[]){8, 7, 3, 2, 1}), 5 * sizeof(uint32_t));
	expect_found(cancel(&g, A), 4, 0, false);
	assert_memory_equal(g.x.claimed, ((uint32_t[]){9, 5, 4, 0}), 4 * sizeof(uint32_t));
	expect_rest(&g, (const uint32_t[]){6, 10, 11}, 3);
	rig_close(&g);
}

static void a_run_may_span_bursts(void **state)
{
	struct rig g = rig_open(SMALL, starts[1]);

	(void)state;
	send(&g, A, 1);
	send(&g, B, 1);
	for (int i = 0; i < 4; i++)
		send(&g, A, 3);
	expect_found(cancel(&g, A), 13, 0, false);
	expect_rest(&g, (const uint32_t[]){1}, 1);
	rig_close(&g);
}

static void mark_excludes_later_sends(void **state)
{
	(void)state;
	for (size_t s = 0; s < COUNT_OF(starts); s++) {
		struct rig g = rig_open(SMALL, starts[s]);
		uint64_t mark;

		send(&g, A, 1);
		send(&g, B, 1);
		send(&g, A, 29);
		mark = tail_of(&g);
		send(&g, A, 2); /* the mark lies inside this run */
		send(&g, B, 1);
		send(&g, A, 1);
		expect_found(cancel_at(&g, A, ALL, mark, mark), 30, 0, false);
		assert_int_equal(g.x.claimed[0], 30);
		expect_rest(&g, (const uint32_t[]){1, 31, 32, 33, 34}, 5);
		rig_close(&g);
	}
}

static void second_cancel_finds_none_and_later_sends_stand(void **state)
{
	struct rig g = rig_open(SMALL, starts[1]);
	uint64_t mark;

	(void)state;
	send(&g, A, 20);
	mark = tail_of(&g);
	expect_found(cancel_at(&g, A, ALL, mark, mark), 20, 0, false);
	expect_found(cancel_at(&g, A, ALL, mark, mark), 0, 0, false);
	send(&g, A, 20); /* side by side with the tombs: one run */
	expect_found(cancel_at(&g, A, ALL, mark, mark), 0, 0, false);
	stage(&g, 30, 10);
	leave(&g);
	expect_found(cancel_at(&g, A, ALL, mark, mark), 0, 0, false);
	expect_found(cancel(&g, A), 10, 0, false);
	expect_rest(&g, (const uint32_t[]){0}, 0);
	rig_close(&g);
}

/* ---- tombs ---- */

static void a_burst_of_tombs_stages_nothing_and_settles(void **state)
{
	struct rig g = rig_open(SMALL, starts[1]);

	(void)state;
	send(&g, A, 40);
	send(&g, B, 3);
	expect_found(cancel(&g, A), 40, 0, false);
	stage(&g, 32, 0);
	assert_int_equal(atomic_load(&g.ring->settled), g.c.head);
	assert_int_equal(g.c.tombs, 32);
	assert_int_equal(vnic__ring_room(&g.p, SMALL), SMALL - 11);
	expect_rest(&g, (const uint32_t[]){40, 41, 42}, 3);
	rig_close(&g);
}

/* The words are taken unlooked at when the tombs passed are all there are. */
static void tombs_are_looked_for_until_all_are_passed(void **state)
{
	struct rig g = rig_open(SMALL, starts[1]);

	(void)state;
	for (int i = 0; i < 8; i++) {
		send(&g, A, 1);
		send(&g, B, 1);
	}
	expect_found(cancel_at(&g, A, ALL, tail_of(&g) - 8, tail_of(&g)), 4, 0, false);
	stage(&g, 4, 2); /* two of four */
	assert_int_equal(g.c.tombs, 2);
	leave(&g);
	expect_found(cancel(&g, A), 4, 0, false);
	stage_contended(&g, 4, 2); /* the slot by slot way counts as well */
	assert_int_equal(g.c.tombs, 4);
	leave(&g);
	stage(&g, 8, 4);
	expect_stage(&g, (const uint32_t[]){9, 11, 13, 15}, 4);
	assert_int_equal(2 * g.c.tombs, atomic_load(&g.ring->cancels));
	leave(&g);
	send(&g, A, 3); /* now they are taken unlooked at */
	stage(&g, 3, 3);
	expect_stage(&g, (const uint32_t[]){16, 17, 18}, 3);
	leave(&g);
	send(&g, A, 3);
	expect_found(cancel_at(&g, A, ALL, tail_of(&g) - 2, tail_of(&g)), 1, 0, false);
	expect_rest(&g, (const uint32_t[]){20, 21}, 2);
	rig_close(&g);
}

/* Two tombs of one block of tomb[], the later one of the ring's next round: whichever is
 * made first, both are found. */
static void tombs_of_two_rounds_in_one_block_are_found(void **state)
{
	const uint32_t size = 1024;

	(void)state;
	for (size_t s = 0; s < COUNT_OF(starts) * 2; s++) {
		/* the block begins 10 slots before the first that is still queued */
		uint64_t start = starts[s / 2] & ~(uint64_t)(size - 1);
		struct rig g = rig_open(size, start);
		uint32_t rest[1024], nb = 0;
		bool newer_first = s & 1;

		send(&g, B, 200);
		send(&g, A, 1);
		send(&g, B, size - 201);
		stage(&g, 10, 10);
		leave(&g);
		send(&g, B, 4);
		send(&g, A + 1, 1);
		for (int i = 0; i < 2; i++)
			expect_found(cancel(&g, A + (newer_first != (i == 1))), 1, 0, false);
		for (uint32_t i = 10; i < size + 4; i++)
			if (i != 200)
				rest[nb++] = i;
		expect_rest(&g, rest, nb);
		send(&g, B, 300); /* the tombs are behind: not searched for, all are staged */
		stage(&g, 64, 64);
		rig_close(&g);
	}
}

static void burst_over_the_arrays_end_is_whole(void **state)
{
	(void)state;
	for (uint32_t at = 1; at < SMALL; at++) {
		struct rig g = rig_open(SMALL, at);
		uint32_t want[SMALL];

		send(&g, A, SMALL / 2);
		send(&g, B, SMALL / 2);
		cancel_at(&g, A, ALL, at + 1, at);
		cancel_at(&g, B, ALL, tail_of(&g) - 1, at);
		for (uint32_t i = 0; i < SMALL; i++)
			want[i] = i < SMALL / 2 - 1 ? i + 1 : SMALL - 1;
		stage(&g, SMALL, SMALL / 2);
		expect_stage(&g, want, SMALL / 2);
		rig_close(&g);
	}
}

/* ---- claims under a cancel ---- */

static void claim_under_a_cancel_takes_slot_by_slot(void **state)
{
	struct rig g = rig_open(SMALL, starts[2]);

	(void)state;
	for (int i = 0; i < 8; i++)
		send(&g, i & 1 ? A : B, 2);
	expect_found(cancel(&g, A), 8, 0, false);
	stage_contended(&g, 16, 8);
	expect_stage(&g, (const uint32_t[]){0, 1, 4, 5, 8, 9, 12, 13}, 8);
	for (uint32_t i = 0; i < 16; i++) {
		uint64_t pos = g.c.head - 16 + i;
		uint64_t word = atomic_load(&g.ring->slot[pos & g.ring->mask]);

		assert_int_equal(word >> VNIC__HANDLE_BITS, pos & (ALL >> VNIC__HANDLE_BITS));
		assert_int_equal(word & VNIC__HANDLE_MASK,
				 i / 2 & 1 ? VNIC__TOMB_ABORTED : VNIC__TOMB_TAKEN);
	}
	rig_close(&g);
}

/* What a walk leaves alone is taken as if there were none, tombs of earlier walks dropped; a
 * burst that begins below its mark is not. */
static void claim_above_the_mark_is_plain(void **state)
{
	(void)state;
	for (size_t s = 0; s < COUNT_OF(starts); s++) {
		struct rig g = rig_open(SMALL, starts[s]);
		uint64_t mark;

		send(&g, A, 4);
		mark = tail_of(&g);
		send(&g, B, 2);
		send(&g, A, 2);
		send(&g, B, 2);
		expect_found(cancel_at(&g, A, ALL, tail_of(&g), mark), 6, 0, false);
		stage_in_walk(&g, 4, 0, mark);
		stage_in_walk(&g, 2, 2, mark);
		expect_stage(&g, (const uint32_t[]){4, 5}, 2);
		for (uint64_t pos = mark; pos < mark + 2; pos++)
			assert_int_equal(atomic_load(&g.ring->slot[pos & g.ring->mask]) & VNIC__HANDLE_MASK,
					 pos - mark + 4);
		leave(&g);
		stage_in_walk(&g, 4, 2, mark + 3); /* it begins below */
		expect_stage(&g, (const uint32_t[]){8, 9}, 2);
		assert_int_equal(atomic_load(&g.ring->slot[(mark + 4) & g.ring->mask]) & VNIC__HANDLE_MASK,
				 VNIC__TOMB_TAKEN);
		leave(&g);
		rig_close(&g);
	}
}

/* The canceller read the claim, then the consumer took slots under its flag. */
static void slots_taken_after_the_claim_was_read_are_late(void **state)
{
	(void)state;
	for (size_t s = 0; s < COUNT_OF(starts); s++) {
		struct rig g = rig_open(SMALL, starts[s]);
		uint64_t claim = g.c.head;

		send(&g, A, 12);
		stage_contended(&g, 4, 4);
		leave(&g);
		stage_contended(&g, 4, 4);
		atomic_store(&g.ring->claim, claim);
		/* the four that have left need no help, the staged four do */
		expect_found(cancel_at(&g, A, ALL, g.c.head - 4, claim), 0, 4, false);
		atomic_store(&g.ring->claim, claim);
		expect_found(cancel_at(&g, A, ALL, tail_of(&g), claim), 4, 8, true);
		leave(&g);
		expect_rest(&g, (const uint32_t[]){0}, 0);
		rig_close(&g);
	}
}

/* The bucket may be newer by almost two rounds than the claim that was read, and entries
 * below the mark still queued. */
static void a_bucket_a_round_ahead_leads_back_to_the_mark(void **state)
{
	(void)state;
	for (size_t s = 0; s < COUNT_OF(starts); s++) {
		struct rig g = rig_open(SMALL, starts[s]);
		uint64_t claim = g.c.head, mark;

		send(&g, B, SMALL - 1);
		send(&g, A, 1);
		mark = tail_of(&g);
		stage_contended(&g, SMALL - 1, SMALL - 1);
		leave(&g);
		send(&g, B, SMALL - 2);
		send(&g, A, 1); /* at claim + 2 * size - 2 */
		atomic_store(&g.ring->claim, claim);
		expect_found(cancel_at(&g, A, ALL, mark, claim), 1, 0, false);
		assert_int_equal(g.x.claimed[0], SMALL - 1);
		rig_close(&g);
	}
}

/* Further ahead nothing below the mark is queued: what was staged meanwhile may still be,
 * and what left can no longer be counted. */
static void a_bucket_two_rounds_ahead_tells_nothing(void **state)
{
	(void)state;
	for (size_t s = 0; s < COUNT_OF(starts); s++) {
		struct rig g = rig_open(SMALL, starts[s]);
		uint64_t claim = g.c.head, mark = claim + SMALL;

		for (int round = 0; round < 3; round++) {
			send(&g, A, SMALL);
			stage_contended(&g, SMALL, SMALL);
			if (round < 2)
				leave(&g);
		}
		for (int left = 0; left < 2; left++) {
			struct vnic__ring_found f;

			atomic_store(&g.ring->claim, claim);
			f = cancel_at(&g, A, ALL, mark, claim);
			expect_found(f, 0, 0, true);
			assert_true(f.reused);
			leave(&g);
		}
		rig_close(&g);
	}
}

/* ---- masked targets ---- */

static void mask_zero_takes_every_entry_below_the_mark(void **state)
{
	(void)state;
	for (size_t s = 0; s < COUNT_OF(starts); s++) {
		struct rig g = rig_open(SMALL, starts[s]);

		for (uint32_t i = 0; i < SMALL; i++)
			send(&g, i / 3 * A, 1);
		stage(&g, 4, 4);
		leave(&g);
		expect_found(cancel_at(&g, B, 0, tail_of(&g) - 2, tail_of(&g)), 58, 0, false);
		for (uint32_t i = 0; i < 58; i++)
			assert_int_equal(g.x.claimed[i], 61 - i);
		expect_rest(&g, (const uint32_t[]){62, 63}, 2);
		rig_close(&g);
	}
}

static void prefix_mask_takes_one_client(void **state)
{
	(void)state;
	for (size_t s = 0; s < COUNT_OF(starts); s++) {
		struct rig g = rig_open(SMALL, starts[s]);
		uint32_t rest[SMALL], nb = 0;

		for (uint32_t i = 0; i < SMALL; i++) {
			send(&g, i % 3 == 0 ? A + i : B + i, 1);
			if (i % 3 == 0)
				rest[nb++] = i;
		}
		expect_found(cancel_at(&g, B ^ 1, PREFIX, tail_of(&g), tail_of(&g)), 42, 0, false);
		expect_found(cancel_at(&g, B ^ 1, PREFIX, tail_of(&g), tail_of(&g)), 0, 0, false);
		expect_rest(&g, rest, nb);
		rig_close(&g);
	}
}

#define PATTERN(name) {#name, cancel_takes_the_pattern, NULL, NULL, &(struct pattern){name}}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fifo_keeps_order_at_every_size_and_wrap),
		cmocka_unit_test(room_is_what_is_free_at_every_size),
		cmocka_unit_test(room_is_the_producers_own),
		cmocka_unit_test(empty_ring_gives_nothing),
		cmocka_unit_test(unpublished_entries_are_only_the_producers),
		cmocka_unit_test(extreme_handles_come_out_exact),
		PATTERN(takes_first),
		PATTERN(takes_middle),
		PATTERN(takes_last),
		PATTERN(takes_ends),
		PATTERN(takes_all),
		PATTERN(takes_none),
		PATTERN(takes_alternating),
		PATTERN(takes_runs),
		PATTERN(takes_all_but_one),
		cmocka_unit_test(hash_neighbours_keep_what_is_theirs),
		cmocka_unit_test(a_run_may_span_bursts),
		cmocka_unit_test(mark_excludes_later_sends),
		cmocka_unit_test(second_cancel_finds_none_and_later_sends_stand),
		cmocka_unit_test(a_burst_of_tombs_stages_nothing_and_settles),
		cmocka_unit_test(tombs_are_looked_for_until_all_are_passed),
		cmocka_unit_test(tombs_of_two_rounds_in_one_block_are_found),
		cmocka_unit_test(burst_over_the_arrays_end_is_whole),
		cmocka_unit_test(claim_under_a_cancel_takes_slot_by_slot),
		cmocka_unit_test(claim_above_the_mark_is_plain),
		cmocka_unit_test(slots_taken_after_the_claim_was_read_are_late),
		cmocka_unit_test(a_bucket_a_round_ahead_leads_back_to_the_mark),
		cmocka_unit_test(a_bucket_two_rounds_ahead_tells_nothing),
		cmocka_unit_test(mask_zero_takes_every_entry_below_the_mark),
		cmocka_unit_test(prefix_mask_takes_one_client),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
