/* SPDX-License-Identifier: BSD-3-Clause
 * histogram_test.c - buckets and percentiles of the histogram
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "histogram.h"

#define VALUES 10000u
#define LAST (VNIC_HISTOGRAM_BUCKETS - 1)

static uint64_t random_state = 1;

/* A value of any magnitude up to 2^bits. */
static uint64_t draw(unsigned int bits)
{
	uint64_t v;

	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	v = random_state;
	return v >> (64 - bits) >> (v % bits);
}

static void buckets_are_contiguous(void **state)
{
	(void)state;
	assert_int_equal(vnic_histogram_bucket_low(0), 0);
	for (uint32_t b = 0; b < LAST; b++) {
		assert_true(vnic_histogram_bucket_low(b) <= vnic_histogram_bucket_high(b));
		assert_int_equal(vnic_histogram_bucket_high(b) + 1,
				 vnic_histogram_bucket_low(b + 1));
	}
	assert_int_equal(vnic_histogram_bucket_high(LAST), UINT64_MAX);
	assert_true(vnic_histogram_bucket_high(LAST - 1) < UINT64_C(1) << 46);
	/* the last one would end at 2^46 if it did not take what is larger too */
	assert_int_equal(vnic_histogram_bucket_low(LAST),
			 (UINT64_C(1) << 46) - (UINT64_C(1) << 40));
}

static void buckets_are_narrow(void **state)
{
	(void)state;
	for (uint32_t b = 0; b < LAST; b++) {
		uint64_t low = vnic_histogram_bucket_low(b);
		uint64_t width = vnic_histogram_bucket_high(b) - low + 1;

		assert_true(width == 1 || width * 32 <= low);
	}
}

static uint32_t only_bucket(const struct vnic_histogram *h)
{
	uint32_t at = UINT32_MAX;

	for (uint32_t b = 0; b < VNIC_HISTOGRAM_BUCKETS; b++) {
		if (h->bucket[b] == 0)
			continue;
		assert_int_equal(at, UINT32_MAX);
		assert_int_equal(h->bucket[b], 1);
		at = b;
	}
	assert_int_not_equal(at, UINT32_MAX);
	return at;
}

static void check_value(uint64_t v)
{
	struct vnic_histogram h;
	uint32_t b;

	memset(&h, 0, sizeof(h));
	vnic_histogram_add(&h, v);
	b = only_bucket(&h);
	assert_in_range(v, vnic_histogram_bucket_low(b), vnic_histogram_bucket_high(b));
	assert_int_equal(h.count, 1);
	assert_int_equal(h.sum, v);
	assert_int_equal(h.max, v);
	assert_int_equal(vnic_histogram_percentile(&h, 50), v);
}

static void a_value_counts_in_its_bucket(void **state)
{
	(void)state;
	for (uint32_t b = 0; b < VNIC_HISTOGRAM_BUCKETS; b++) {
		check_value(vnic_histogram_bucket_low(b));
		check_value(vnic_histogram_bucket_high(b));
	}
	for (int i = 0; i < 1000; i++)
		check_value(draw(46));
	check_value(UINT64_C(1) << 46);
	check_value(UINT64_C(1) << 63);
	check_value(UINT64_MAX);
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* The value of rank ceil(percent % of n), and the upper end of its bucket. */
static void check_percentile(const struct vnic_histogram *h, const uint64_t *sorted, uint64_t n,
			     uint64_t tenths)
{
	uint64_t rank = (tenths * n + 999) / 1000;
	uint64_t want = sorted[rank == 0 ? 0 : rank - 1];
	uint64_t got = vnic_histogram_percentile(h, (double)tenths / 10);

	assert_true(got >= want);
	assert_true(got - want <= want / 32);
	assert_true(got <= sorted[n - 1]);
}

static void percentiles_agree_with_a_sorted_array(void **state)
{
	static uint64_t value[VALUES];
	static const uint64_t tenths[] = {0, 1, 10, 100, 250, 500, 501, 900, 990, 999, 1000};
	static const uint32_t sizes[] = {1, 2, 3, 10, 99, 100, 101, 1000, VALUES};

	(void)state;
	for (size_t z = 0; z < sizeof(sizes) / sizeof(sizes[0]); z++) {
		struct vnic_histogram h;
		uint64_t sum = 0;

		memset(&h, 0, sizeof(h));
		for (uint32_t i = 0; i < sizes[z]; i++) {
			value[i] = draw(45);
			sum += value[i];
			vnic_histogram_add(&h, value[i]);
		}
		qsort(value, sizes[z], sizeof(value[0]), by_value);
		assert_int_equal(h.count, sizes[z]);
		assert_int_equal(h.sum, sum);
		assert_int_equal(h.max, value[sizes[z] - 1]);
		for (size_t i = 0; i < sizeof(tenths) / sizeof(tenths[0]); i++)
			check_percentile(&h, value, sizes[z], tenths[i]);
		assert_int_equal(vnic_histogram_percentile(&h, 100), h.max);
	}
}

static void an_empty_one_has_zeros(void **state)
{
	struct vnic_histogram h;

	(void)state;
	memset(&h, 0, sizeof(h));
	assert_int_equal(vnic_histogram_percentile(&h, 0), 0);
	assert_int_equal(vnic_histogram_percentile(&h, 99.9), 0);
}

static void a_shared_one_is_copied(void **state)
{
	struct vnic_histogram shared, own, copy;

	(void)state;
	memset(&shared, 0, sizeof(shared));
	memset(&own, 0, sizeof(own));
	memset(&copy, 0xff, sizeof(copy));
	for (uint32_t i = 0; i < VALUES; i++) {
		uint64_t v = draw(50);

		vnic__histogram_add_shared(&shared, v);
		vnic_histogram_add(&own, v);
	}
	vnic__histogram_copy_shared(&copy, &shared);
	assert_memory_equal(&copy, &own, sizeof(own));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(buckets_are_contiguous),
		cmocka_unit_test(buckets_are_narrow),
		cmocka_unit_test(a_value_counts_in_its_bucket),
		cmocka_unit_test(percentiles_agree_with_a_sorted_array),
		cmocka_unit_test(an_empty_one_has_zeros),
		cmocka_unit_test(a_shared_one_is_copied),
	};

	return cmocka_run_group_tests_name("histogram", tests, NULL, NULL);
}
