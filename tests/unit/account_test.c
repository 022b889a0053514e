/* SPDX-License-Identifier: BSD-3-Clause
 * account_test.c - exact cuts of counters that other threads are writing
 *
 * It compiles the reader into itself, so that it may try just once.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <signal.h>
#include <sys/time.h>

#include "account.c"

#define CUTS 30000u

struct writer {
	struct vnic__account *block;
	uint32_t nb_blocks;
	_Atomic bool *stop;
};

/* Counter k of a block is always its first one times k + 1; blocks are written in turn, so
 * that the first is never more than one ahead of the others, and never behind. */
static void *write_on(void *arg)
{
	const struct writer *w = arg;
	uint64_t count[VNIC__COUNTS_MAX];
	uint32_t random = 1;

	for (uint64_t v = 1; !atomic_load_explicit(w->stop, memory_order_relaxed); v++) {
		for (uint32_t k = 0; k < VNIC__COUNTS_MAX; k++)
			count[k] = v * (k + 1);
		for (uint32_t b = 0; b < w->nb_blocks; b++)
			vnic__account_write(&w->block[b], count, VNIC__COUNTS_MAX);
		/* a side writes once a burst */
		random = random * 1664525u + 1013904223u;
		for (uint32_t i = 0; i < random >> 22; i++)
			rte_pause();
	}
	return NULL;
}

static void check_block(const uint64_t *count)
{
	for (uint32_t k = 1; k < VNIC__COUNTS_MAX; k++)
		if (count[k] != count[0] * (k + 1))
			fail_msg("count %u is %lu beside %lu", k, (unsigned long)count[k],
				 (unsigned long)count[0]);
}

static void cut_while_written(uint32_t nb_writers, uint32_t blocks_each)
{
	struct vnic__account block[4] = {0}, *all[4];
	uint64_t copy[4][VNIC__COUNTS_MAX], last = 0, changes = 0;
	_Atomic bool stop = false;
	struct writer w[4];
	pthread_t thread[4];
	uint32_t nb = nb_writers * blocks_each;

	for (uint32_t b = 0; b < nb; b++)
		all[b] = &block[b];
	for (uint32_t i = 0; i < nb_writers; i++) {
		w[i] = (struct writer){&block[i * blocks_each], blocks_each, &stop};
		assert_int_equal(pthread_create(&thread[i], NULL, write_on, &w[i]), 0);
	}
	for (uint32_t i = 0; i < CUTS || changes < 100; i++) {
		vnic__account_cut(all, nb, copy);
		for (uint32_t b = 0; b < nb; b++) {
			uint64_t first = copy[b - b % blocks_each][0];

			check_block(copy[b]);
			assert_in_range(first - copy[b][0], 0, 1);
		}
		assert_true(copy[0][0] >= last);
		changes += copy[0][0] != last;
		last = copy[0][0];
	}
	atomic_store(&stop, true);
	for (uint32_t i = 0; i < nb_writers; i++)
		assert_int_equal(pthread_join(thread[i], NULL), 0);
}

static void pairs_of_one_block_agree(void **state)
{
	(void)state;
	cut_while_written(1, 1);
}

static void blocks_are_of_one_moment(void **state)
{
	(void)state;
	cut_while_written(1, 2);
	cut_while_written(1, 3);
}

static void several_writers(void **state)
{
	(void)state;
	cut_while_written(2, 1);
	cut_while_written(3, 1);
}

static struct vnic__account interrupted;
static volatile uint32_t tries, copies, torn;

/* The writer stands still somewhere in its writing, or between two. */
static void try_once(int signal)
{
	struct vnic__account *all[1] = {&interrupted};
	uint64_t copy[1][VNIC__COUNTS_MAX];

	(void)signal;
	tries++;
	if (!copy_once(all, 1, copy))
		return;
	copies++;
	for (uint32_t k = 1; k < VNIC__COUNTS_MAX; k++)
		torn += copy[0][k] != copy[0][0] * (k + 1);
}

static void an_interrupted_writer_is_not_read(void **state)
{
	const struct itimerval often = {{0, 100}, {0, 100}}, never = {{0, 0}, {0, 0}};
	uint64_t count[VNIC__COUNTS_MAX];

	(void)state;
	assert_true(signal(SIGALRM, try_once) != SIG_ERR);
	assert_int_equal(setitimer(ITIMER_REAL, &often, NULL), 0);
	for (uint64_t v = 1; tries < 2000; v++) {
		for (uint32_t k = 0; k < VNIC__COUNTS_MAX; k++)
			count[k] = v * (k + 1);
		vnic__account_write(&interrupted, count, VNIC__COUNTS_MAX);
	}
	assert_int_equal(setitimer(ITIMER_REAL, &never, NULL), 0);
	assert_int_equal(torn, 0);
	assert_true(copies > 0 && copies < tries); /* it was caught in both states */
}

/* What was written is read, and the counts beyond those written stay as they were. */
static void counts_written_are_read(void **state)
{
	struct vnic__account block = {0}, *all[1] = {&block};
	uint64_t count[VNIC__COUNTS_MAX], copy[1][VNIC__COUNTS_MAX];

	(void)state;
	for (uint32_t k = 0; k < VNIC__COUNTS_MAX; k++)
		count[k] = UINT64_MAX - k;
	vnic__account_write(&block, count, 3);
	vnic__account_cut(all, 1, copy);
	for (uint32_t k = 0; k < VNIC__COUNTS_MAX; k++)
		assert_int_equal(copy[0][k], k < 3 ? UINT64_MAX - k : 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_interrupted_writer_is_not_read), /* before there are threads */
		cmocka_unit_test(pairs_of_one_block_agree),
		cmocka_unit_test(blocks_are_of_one_moment),
		cmocka_unit_test(several_writers),
		cmocka_unit_test(counts_written_are_read),
	};

	return cmocka_run_group_tests_name("account", tests, NULL, NULL);
}
