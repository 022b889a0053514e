/* SPDX-License-Identifier: BSD-3-Clause
 * ring_late_test.c - the cancelable ring: what the consumer was first to, and stale links
 */
#include <time.h>

#include "ring_rig.h"

/* ---- the staged burst ---- */

static void need_help_is_for_a_staged_match(void **state)
{
	(void)state;
	for (size_t s = 0; s < COUNT_OF(starts); s++) {
		struct rig g = rig_open(SMALL, starts[s]);
		uint64_t mark;

		send(&g, A, 3);
		send(&g, B, 3);
		expect_found(cancel(&g, B + 1), 0, 0, false);
		stage(&g, 4, 4);
		mark = tail_of(&g);
		expect_found(cancel(&g, B + 1), 0, 0, false); /* not this id */
		expect_found(cancel(&g, neighbour(&g, A, 0)), 0, 0, false);
		expect_found(cancel(&g, A), 0, 3, true);
		expect_found(cancel(&g, B), 2, 1, true);
		vnic__ring_release(&g.c, 2);
		expect_found(cancel(&g, B + 1), 0, 0, false);
		expect_found(cancel_at(&g, A, ALL, mark, starts[s]), 0, 3, true);
		expect_found(cancel_at(&g, A, ALL, mark - 4, starts[s]), 0, 2, false); /* left */
		vnic__ring_release(&g.c, 2); /* nothing is staged */
		expect_found(cancel(&g, A), 0, 0, false);
		expect_found(cancel_at(&g, A, ALL, mark, starts[s]), 0, 3, false);
		rig_close(&g);
	}
}

static void staged_entries_sent_after_the_mark_need_no_help(void **state)
{
	struct rig g = rig_open(SMALL, starts[1]);
	uint64_t mark = tail_of(&g);

	(void)state;
	send(&g, A, 5);
	stage(&g, 5, 5);
	expect_found(cancel_at(&g, A, ALL, mark, mark), 0, 0, false);
	expect_found(cancel_at(&g, A, 0, mark, mark), 0, 0, false);
	expect_found(cancel_at(&g, A, ALL, mark + 1, mark), 0, 1, true);
	expect_found(cancel_at(&g, A, 0, mark + 1, mark), 0, 1, true);
	rig_close(&g);
}

/* A staged entry's slot is free: sends may write over it, and over its index. */
static void overwritten_staged_entries_need_help(void **state)
{
	const uint64_t over[] = {A, B, 0};

	(void)state;
	for (size_t s = 0; s < COUNT_OF(starts); s++) {
		for (size_t i = 0; i < COUNT_OF(over); i++) {
			struct rig g = rig_open(SMALL, starts[s]);
			uint64_t id = over[i] ? over[i] : neighbour(&g, A, 0);
			uint64_t mark;

			send(&g, A, 10);
			stage(&g, 10, 10);
			mark = tail_of(&g);
			send(&g, id, SMALL);
			expect_found(cancel_at(&g, A, ALL, mark, mark), 0, 0, true);
			expect_found(cancel_at(&g, A, PREFIX, mark, mark), 0, 0, true);
			leave(&g);
			expect_found(cancel_at(&g, A, ALL, mark, mark), 0, 0, false);
			expect_found(cancel_at(&g, A, PREFIX, mark, mark), 0, 0, false);
			expect_found(cancel(&g, id), SMALL, 0, false);
			rig_close(&g);
		}
	}
}

/* One run, its older part staged and written over by another id: the walk comes to the
 * run's end in the index, not to the end of what was sent. */
static void a_run_overwritten_where_it_is_staged_needs_help(void **state)
{
	(void)state;
	for (size_t s = 0; s < COUNT_OF(starts); s++) {
		for (uint32_t over = 1; over <= 10; over++) {
			struct rig g = rig_open(SMALL, starts[s]);
			uint64_t mark;

			send(&g, A, SMALL);
			mark = tail_of(&g);
			stage(&g, 10, 10);
			send(&g, B, over);
			expect_found(cancel_at(&g, A, ALL, mark, mark), SMALL - 10, 10 - over,
				     true);
			rig_close(&g);
		}
	}
}

/* Stage a burst of 6: A A B A B A, and ask for the target. */
static struct rig staged_six(uint64_t start, uint64_t id, uint64_t mask, uint64_t back)
{
	struct rig g = rig_open(SMALL, start);

	send(&g, A, 2);
	send(&g, B, 1);
	send(&g, A, 1);
	send(&g, B, 1);
	send(&g, A, 1);
	stage(&g, 6, 6);
	ask(&g, id, mask, tail_of(&g) - back);
	return g;
}

static void help_matches_the_targets_id_mask_and_mark(void **state)
{
	const struct {
		uint64_t id, mask, back;
		const char *matches;
	} cases[] = {
		{A, ALL, 0, "110101"},      {A, ALL, 1, "110100"},      {A, ALL, 5, "100000"},
		{A, ALL, 6, "000000"},      {B, ALL, 0, "001010"},      {A + 1, ALL, 0, "000000"},
		{A + 1, PREFIX, 0, "110101"}, {B + 5, PREFIX, 2, "001000"}, {0, 0, 0, "111111"},
		{0, 0, 3, "111000"},
	};

	(void)state;
	for (size_t s = 0; s < COUNT_OF(starts) * COUNT_OF(cases); s++) {
		size_t c = s / COUNT_OF(starts);
		/* the stage too lies across the wrap */
		uint64_t start = starts[s % COUNT_OF(starts)] + 30;
		struct rig g = staged_six(start, cases[c].id, cases[c].mask, cases[c].back);

		for (uint32_t i = 0; i < 6; i++)
			assert_int_equal(vnic__ring_help_match(&g.c, i, "110101"[i] == '1' ? A : B),
					 cases[c].matches[i] == '1');
		vnic__ring_release(&g.c, 1); /* entry i is then the one after */
		for (uint32_t i = 1; i < 6; i++)
			assert_int_equal(
				vnic__ring_help_match(&g.c, i - 1, "110101"[i] == '1' ? A : B),
				cases[c].matches[i] == '1');
		rig_close(&g);
	}
}

static void stage_keep_closes_the_gaps(void **state)
{
	const bool keep[] = {false, true, true, false, true, false};
	struct rig g = staged_six(starts[1], A, ALL, 0);

	(void)state;
	vnic__ring_stage_keep(&g.c, 1, keep); /* the first is not asked about */
	answer(&g, 2);
	expect_stage(&g, (const uint32_t[]){0, 1, 2, 4}, 4);
	vnic__ring_release(&g.c, 1);
	expect_stage(&g, (const uint32_t[]){1, 2, 4}, 3);
	assert_true(atomic_load(&g.ring->settled) != g.c.head);
	vnic__ring_stage_keep(&g.c, 0, keep); /* false, true, true */
	expect_stage(&g, (const uint32_t[]){2, 4}, 2);
	leave(&g);
	rig_close(&g);
}

static void a_stage_emptied_by_help_is_settled(void **state)
{
	const bool keep[6] = {false};
	struct rig g = staged_six(starts[1], 0, 0, 0);

	(void)state;
	assert_true(atomic_load(&g.ring->settled) != g.c.head);
	vnic__ring_stage_keep(&g.c, 0, keep);
	assert_int_equal(vnic__ring_staged(&g.c), 0);
	assert_int_equal(atomic_load(&g.ring->settled), g.c.head);
	answer(&g, 6);
	send(&g, B, 2);
	expect_rest(&g, (const uint32_t[]){6, 7}, 2);
	rig_close(&g);
}

static void an_answer_is_for_the_newest_question(void **state)
{
	struct rig g = rig_open(SMALL, 0);
	uint32_t nb = 9;

	(void)state;
	assert_false(vnic__ring_help_wanted(&g.c));
	assert_true(answered(&g, &nb)); /* none was asked */
	assert_int_equal(nb, 0);
	for (uint32_t i = 0; i < 5; i++) {
		ask(&g, A, ALL, i);
		answer(&g, i);
	}
	rig_close(&g);
}

/* ---- late ones ---- */

static void late_ones_are_counted_back_to_where_the_caller_says(void **state)
{
	(void)state;
	for (size_t s = 0; s < COUNT_OF(starts); s++) {
		struct rig g = rig_open(SMALL, starts[s]);
		uint64_t at = starts[s];

		for (int i = 0; i < 10; i++) {
			send(&g, A, 1);
			send(&g, B, 1);
		}
		stage(&g, 16, 16);
		leave(&g);
		expect_found(cancel_at(&g, B, ALL, at + 20, at), 2, 8, false);
		expect_found(cancel_at(&g, A, ALL, at + 8, at), 0, 4, false);
		expect_found(cancel_at(&g, A, ALL, at + 8, at + 3), 0, 2, false);
		expect_found(cancel_at(&g, A, ALL, at + 8, at + 8), 0, 0, false);
		/* from beyond the claim is from the claim: a queued one is not missed */
		expect_found(cancel_at(&g, A, ALL, at + 20, at + 20), 2, 0, false);
		expect_found(cancel_at(&g, A, ALL, at + 20, at - 1000), 0, 8, false);
		expect_found(cancel_at(&g, 0, 0, at + 20, at + 12), 0, 4, false);
		rig_close(&g);
	}
}

static void late_ones_are_counted_while_their_slot_stands(void **state)
{
	struct rig g = rig_open(SMALL, starts[1]);
	uint64_t at = starts[1];

	(void)state;
	for (int i = 0; i < 32; i++) {
		send(&g, A, 1);
		send(&g, B, 1);
	}
	stage(&g, 64, 64);
	leave(&g);
	expect_found(cancel_at(&g, A, ALL, tail_of(&g), at), 0, 32, false);
	send(&g, A, 20); /* over ten of A */
	expect_found(cancel_at(&g, A, ALL, at + 64, at), 0, 22, false);
	expect_found(cancel_at(&g, A, ALL, tail_of(&g), at), 20, 22, false);
	expect_found(cancel_at(&g, 0, 0, at + 64, at), 0, 44, false);
	rig_close(&g);
}

/* However long ago the caller begins to count: what is older than the first slot found
 * reused is not looked at. */
static void work_of_a_walk_is_bounded_by_the_ring(void **state)
{
	struct rig g = rig_open(SMALL, UINT64_C(1) << 41);
	struct timespec begin, end;
	double took;

	(void)state;
	send(&g, A, SMALL);
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &begin);
	expect_found(cancel_at(&g, A, ALL, tail_of(&g), g.c.head - (UINT64_C(1) << 28)), SMALL, 0,
		     false);
	expect_found(cancel_at(&g, 0, 0, tail_of(&g), g.c.head - (UINT64_C(1) << 28)), 0, 0, false);
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &end);
	took = (double)(end.tv_sec - begin.tv_sec) + 1e-9 * (double)(end.tv_nsec - begin.tv_nsec);
	if (took > 0.1)
		fail_msg("%.3f s for a ring of %u", took, SMALL);
	rig_close(&g);
}

/* ---- links as old as 2^32 positions ---- */

static void a_stale_bucket_is_harmless(void **state)
{
	(void)state;
	for (size_t s = 0; s < COUNT_OF(starts) * 3; s++) {
		uint64_t at = starts[s / 3];
		uint64_t id = s % 3 == 0 ? B : A; /* the queue: one id, its neighbours, many */

		for (int64_t off = -70; off < 3 * (int64_t)SMALL; off++) {
			struct rig g = rig_open(SMALL, at);
			uint64_t absent = s % 3 == 1 ? neighbour(&g, A, 0) : A + 1;
			uint32_t h = vnic__ring_hash(g.ring->hash_shift, absent);
			struct vnic__ring_found f;

			for (uint32_t i = 0; i < SMALL; i++)
				send(&g, s % 3 == 2 ? B + i * 8 : id, 1);
			stage(&g, 8, 8);
			atomic_store(&g.ring->bucket[h], (uint32_t)((uint64_t)off + at));
			f = cancel_at(&g, absent, ALL, tail_of(&g), at - 70);
			assert_int_equal(f.nb_claimed, 0);
			assert_int_equal(f.nb_late, 0);
			leave(&g);
			f = cancel_at(&g, 0, 0, tail_of(&g), tail_of(&g));
			assert_int_equal(f.nb_claimed, SMALL - 8);
			rig_close(&g);
		}
	}
}

static void a_stale_link_is_harmless(void **state)
{
	(void)state;
	for (size_t s = 0; s < COUNT_OF(starts); s++) {
		for (int64_t off = -70; off < 3 * (int64_t)SMALL; off++) {
			struct rig g = rig_open(SMALL, starts[s]);

			send(&g, B, 16);
			stage(&g, 4, 4);
			send(&g, A, 8); /* its link is as old as can be */
			send(&g, B, 8);
			for (uint64_t pos = starts[s] + 16; pos != starts[s] + 24; pos++)
				atomic_store(&g.ring->prev[pos & g.ring->mask],
					     (uint32_t)((uint64_t)off + starts[s]));
			expect_found(cancel_at(&g, A, ALL, tail_of(&g), starts[s] - 70), 8, 0,
				     false);
			leave(&g);
			rig_close(&g);
		}
	}
}

/* Late matches whose link points into their own run are not counted twice. */
static void a_link_into_its_own_run_is_not_followed(void **state)
{
	(void)state;
	for (uint32_t into = 0; into < 8; into++) {
		struct rig g = rig_open(SMALL, starts[1]);

		send(&g, A, 8);
		stage(&g, 8, 8);
		leave(&g);
		for (uint32_t i = 0; i < 8; i++)
			atomic_store(&g.ring->prev[(starts[1] + i) & g.ring->mask],
				     (uint32_t)starts[1] + into);
		expect_found(cancel_at(&g, A, ALL, tail_of(&g), starts[1]), 0, 8, false);
		rig_close(&g);
	}
}

/* As if 2^32 + k positions had gone by, none of them in the buckets in use. */
static void jump(struct rig *g, uint64_t by)
{
	uint64_t at = g->c.head + by;

	assert_int_equal(g->c.head, g->p.pos);
	g->p.pos = g->p.head_seen = g->c.head = g->c.tail_seen = at;
	atomic_store(&g->ring->tail, at);
	atomic_store(&g->ring->claim, at);
	atomic_store(&g->ring->head, at);
	atomic_store(&g->ring->settled, at);
}

static void cancels_are_exact_after_2_to_the_32_positions(void **state)
{
	const uint64_t far[] = {UINT64_C(1) << 31, UINT64_C(1) << 32, UINT64_C(3) << 32};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(far) * 2; i++) {
		uint64_t id = i & 1 ? B : 0; /* B: the jump follows A's bucket directly */

		for (int64_t k = -140; k <= 140; k++) {
			struct rig g = rig_open(SMALL, starts[1]);
			struct vnic__ring_found f;

			send(&g, A, 60);
			if (id == 0)
				send(&g, neighbour(&g, A, 1), 2);
			stage(&g, g.sent, g.sent);
			leave(&g);
			jump(&g, far[i / 2] + (uint64_t)k);
			send(&g, B, 20);
			f = cancel_at(&g, A, ALL, tail_of(&g), g.c.head - 10);
			assert_int_equal(f.nb_claimed + f.nb_late, 0);
			send(&g, A, 20);
			send(&g, B, 20);
			f = cancel_at(&g, A, ALL, tail_of(&g), g.c.head - 10);
			expect_found(f, 20, 0, false);
			expect_found(cancel(&g, B), 40, 0, false);
			rig_close(&g);
		}
	}
}

/* ---- sampling ---- */

static void sample_returns_queued_ids_only(void **state)
{
	(void)state;
	for (size_t s = 0; s < COUNT_OF(starts); s++) {
		struct rig g = rig_open(SMALL, starts[s]);
		uint64_t seed = s, seen = 0;

		for (uint64_t i = 0; i < SMALL; i++)
			send(&g, 100 + i, 1);
		stage(&g, 10, 10);
		for (int i = 0; i < 2000; i++) {
			uint64_t id = vnic__ring_sample(&g.x, rng(&seed));

			assert_in_range(id, 110, 163);
			seen |= UINT64_C(1) << (id - 100);
		}
		assert_int_equal(seen, ALL << 10);
		/* nor those of tombs */
		for (uint64_t id = 110; id < 163; id++) {
			expect_found(cancel(&g, id), 1, 0, false);
			assert_in_range(vnic__ring_sample(&g.x, rng(&seed)), id + 1, 163);
		}
		cancel(&g, 163);
		assert_int_equal(vnic__ring_sample(&g.x, rng(&seed)), 0);
		/* a claim and a tail that do not belong together */
		atomic_store(&g.ring->claim, starts[s] - 1);
		assert_int_equal(vnic__ring_sample(&g.x, 3), 0);
		rig_close(&g);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(need_help_is_for_a_staged_match),
		cmocka_unit_test(staged_entries_sent_after_the_mark_need_no_help),
		cmocka_unit_test(overwritten_staged_entries_need_help),
		cmocka_unit_test(a_run_overwritten_where_it_is_staged_needs_help),
		cmocka_unit_test(help_matches_the_targets_id_mask_and_mark),
		cmocka_unit_test(stage_keep_closes_the_gaps),
		cmocka_unit_test(a_stage_emptied_by_help_is_settled),
		cmocka_unit_test(an_answer_is_for_the_newest_question),
		cmocka_unit_test(late_ones_are_counted_back_to_where_the_caller_says),
		cmocka_unit_test(late_ones_are_counted_while_their_slot_stands),
		cmocka_unit_test(work_of_a_walk_is_bounded_by_the_ring),
		cmocka_unit_test(a_stale_bucket_is_harmless),
		cmocka_unit_test(a_stale_link_is_harmless),
		cmocka_unit_test(a_link_into_its_own_run_is_not_followed),
		cmocka_unit_test(cancels_are_exact_after_2_to_the_32_positions),
		cmocka_unit_test(sample_returns_queued_ids_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
