/* SPDX-License-Identifier: BSD-3-Clause
 * nbl_test.c - the pool of NBLs: limits, handles, what an NBL is when it comes out
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <errno.h>
#include <rte_errno.h>

#include "eal.h"
#include "nbl.h"

#define NBLS_MAX 8388608u /* as vnic.h says */
#define PACKETS_MAX 1024u

static void expect_refused(const char *name, uint32_t nb_nbls, uint16_t max_packets, int error)
{
	struct vnic_nbl_pool *pool;

	rte_errno = 0;
	pool = vnic_nbl_pool_create(name, nb_nbls, max_packets, -1);
	assert_null(pool);
	assert_int_equal(rte_errno, error);
}

static void numbers_out_of_range(void **state)
{
	(void)state;
	expect_refused(NULL, 10, 1, EINVAL);
	expect_refused("", 10, 1, EINVAL);
	expect_refused("012345678901234567890", 10, 1, EINVAL);
	expect_refused("a", 0, 1, EINVAL);
	expect_refused("a", NBLS_MAX + 1, 1, EINVAL);
	expect_refused("a", UINT32_MAX, 1, EINVAL);
	expect_refused("a", 10, 0, EINVAL);
	expect_refused("a", 10, PACKETS_MAX + 1, EINVAL);
	expect_refused("a", 10, UINT16_MAX, EINVAL);
}

static void names_are_unique(void **state)
{
	struct vnic_nbl_pool *pool = vnic_nbl_pool_create("01234567890123456789", 10, 1, -1);

	(void)state;
	assert_non_null(pool);
	expect_refused("01234567890123456789", 10, 1, EEXIST);
	assert_int_equal(vnic_nbl_pool_destroy(pool), 0);
	pool = vnic_nbl_pool_create("01234567890123456789", 10, 1, -1);
	assert_non_null(pool);
	assert_int_equal(vnic_nbl_pool_destroy(pool), 0);
}

/* What is within the range may lack memory, but is no invalid number. */
static void the_largest_pools_lack_memory_only(void **state)
{
	(void)state;
	expect_refused("b", 4000000, 1, ENOMEM);
	expect_refused("c", NBLS_MAX, 1, ENOMEM);
	expect_refused("d", NBLS_MAX, PACKETS_MAX, ENOMEM);
}

/* Nothing is left of a pool that could not be made. */
static void a_failed_pool_leaves_nothing(void **state)
{
	struct vnic_nbl_pool *pool;

	(void)state;
	for (int i = 0; i < 5; i++) {
		expect_refused("left", 2000000, 1, ENOMEM); /* they fit, their ring does not */
		pool = vnic_nbl_pool_create("left", 800000, 1, -1);
		assert_non_null(pool);
		assert_int_equal(vnic_nbl_pool_destroy(pool), 0);
	}
}

/* All of a pool: each one once, on lines of its own, its handle leads back to it. */
static void check_all(uint32_t nb, uint16_t max_packets)
{
	struct vnic_nbl_pool *pool = vnic_nbl_pool_create("all", nb, max_packets, -1);
	struct vnic_nbl **nbl = calloc(nb, sizeof(*nbl)), *more;
	uint64_t bytes = sizeof(**nbl) + max_packets * sizeof(void *);

	assert_non_null(pool);
	assert_non_null(nbl);
	assert_true(pool->mempool->elt_size >= bytes);
	assert_int_equal(vnic_nbl_pool_in_use(pool), 0);
	assert_int_equal(vnic_nbl_alloc(pool, nbl, nb), 0);
	assert_int_equal(vnic_nbl_pool_in_use(pool), nb);
	assert_int_not_equal(vnic_nbl_alloc(pool, &more, 1), 0);
	for (uint32_t i = 0; i < nb; i++) {
		uint32_t handle = vnic__nbl_handle(pool->base, nbl[i]);

		assert_int_equal((uintptr_t)nbl[i] % 64, 0);
		assert_true(handle <= VNIC__HANDLE_MAX);
		assert_ptr_equal(vnic__nbl_of(pool->base, handle), nbl[i]);
		assert_int_equal(nbl[i]->cancel_id, 0);
		assert_int_equal(nbl[i]->nb_packets, 0);
		assert_int_equal(nbl[i]->max_packets, max_packets);
		/* written to the end: an overlap shows in the next one's numbers */
		for (uint16_t k = 0; k < max_packets; k++)
			vnic_nbl_packets(nbl[i])[k] = (struct rte_mbuf *)nbl[i];
		nbl[i]->cookie = i;
		nbl[i]->cancel_id = ~(uint64_t)i;
		nbl[i]->nb_packets = max_packets;
	}
	for (uint32_t i = 0; i < nb; i++) {
		assert_int_equal(nbl[i]->cookie, i);
		assert_int_equal(nbl[i]->max_packets, max_packets);
		assert_ptr_equal(vnic_nbl_packets(nbl[i])[max_packets - 1], nbl[i]);
		assert_true(i == 0 || labs((char *)nbl[i] - (char *)nbl[i - 1]) >= (long)bytes);
	}
	assert_int_equal(vnic_nbl_pool_destroy(pool), -EBUSY);
	vnic_nbl_free(pool, nbl, nb);
	assert_int_equal(vnic_nbl_pool_in_use(pool), 0);
	assert_int_equal(vnic_nbl_pool_destroy(pool), 0);
	free(nbl);
}

static void all_of_a_pool(void **state)
{
	static const uint16_t packets[] = {1, 3, 4, 11, 12, 100, PACKETS_MAX};
	static const uint32_t sizes[] = {1, 2, 3, 63, 64, 511, 767, 768, 769, 5000};

	(void)state;
	for (size_t p = 0; p < sizeof(packets) / sizeof(packets[0]); p++)
		for (size_t z = 0; z < sizeof(sizes) / sizeof(sizes[0]); z++)
			check_all(sizes[z], packets[p]);
}

/* Used ones come out as fresh ones do: no id, no packets. */
static void fresh_after_use(void **state)
{
	struct vnic_nbl_pool *pool = vnic_nbl_pool_create("fresh", 8, 3, -1);
	struct vnic_nbl *nbl[8];

	(void)state;
	for (int round = 0; round < 3; round++) {
		assert_int_equal(vnic_nbl_alloc(pool, nbl, 8), 0);
		for (int i = 0; i < 8; i++) {
			assert_int_equal(nbl[i]->cancel_id, 0);
			assert_int_equal(nbl[i]->nb_packets, 0);
			assert_int_equal(nbl[i]->max_packets, 3);
			nbl[i]->cancel_id = 5;
			nbl[i]->nb_packets = 3;
		}
		vnic_nbl_free(pool, nbl, 8);
	}
	assert_int_equal(vnic_nbl_pool_destroy(pool), 0);
}

static void all_or_none(void **state)
{
	struct vnic_nbl_pool *pool = vnic_nbl_pool_create("none", 100, 1, -1);
	struct vnic_nbl *nbl[101];

	(void)state;
	assert_int_equal(vnic_nbl_alloc(pool, nbl, 0), 0);
	assert_int_not_equal(vnic_nbl_alloc(pool, nbl, 101), 0);
	assert_int_equal(vnic_nbl_pool_in_use(pool), 0);
	assert_int_equal(vnic_nbl_alloc(pool, nbl, 60), 0);
	assert_int_not_equal(vnic_nbl_alloc(pool, nbl + 60, 41), 0);
	assert_int_equal(vnic_nbl_pool_in_use(pool), 60);
	assert_int_equal(vnic_nbl_alloc(pool, nbl + 60, 40), 0);
	vnic_nbl_free(pool, nbl, 100);
	assert_int_equal(vnic_nbl_pool_destroy(pool), 0);
}

static void too_many_is_enoent(void **state)
{
	struct vnic_nbl_pool *pool = vnic_nbl_pool_create("enoent", 100, 1, -1);
	struct vnic_nbl *nbl[1000];
	int one, many;

	(void)state;
	assert_int_equal(vnic_nbl_alloc(pool, nbl, 100), 0);
	one = vnic_nbl_alloc(pool, nbl + 100, 1);
	many = vnic_nbl_alloc(pool, nbl + 100, 900);
	vnic_nbl_free(pool, nbl, 100);
	assert_int_equal(vnic_nbl_pool_destroy(pool), 0);
	assert_int_equal(one, -ENOENT);
	assert_int_equal(many, -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_out_of_range),
		cmocka_unit_test(names_are_unique),
		cmocka_unit_test(the_largest_pools_lack_memory_only),
		cmocka_unit_test(a_failed_pool_leaves_nothing),
		cmocka_unit_test(all_of_a_pool),
		cmocka_unit_test(fresh_after_use),
		cmocka_unit_test(all_or_none),
		cmocka_unit_test(too_many_is_enoent),
	};

	return cmocka_run_group_tests_name("nbl", tests, test_eal_setup, test_eal_teardown);
}
