/* SPDX-License-Identifier: BSD-3-Clause
 * histogram.c - log-linear histogram: 32 buckets per power of two
 */
#include "histogram.h"

#define SUB_BITS 5
#define SUB (1u << SUB_BITS)

static uint32_t bucket_of(uint64_t v)
{
	uint32_t exp, b;

	if (v < SUB)
		return (uint32_t)v;
	exp = 63 - (uint32_t)__builtin_clzll(v);
	b = ((exp - SUB_BITS + 1) << SUB_BITS) + (uint32_t)((v >> (exp - SUB_BITS)) & (SUB - 1));
	return b < VNIC_HISTOGRAM_BUCKETS ? b : VNIC_HISTOGRAM_BUCKETS - 1;
}

uint64_t vnic_histogram_bucket_low(uint32_t bucket)
{
	uint32_t octave = bucket >> SUB_BITS;

	if (octave == 0)
		return bucket;
	return (uint64_t)(SUB + (bucket & (SUB - 1))) << (octave - 1);
}

uint64_t vnic_histogram_bucket_high(uint32_t bucket)
{
	if (bucket >= VNIC_HISTOGRAM_BUCKETS - 1)
		return UINT64_MAX;
	return vnic_histogram_bucket_low(bucket + 1) - 1;
}

void vnic_histogram_add(struct vnic_histogram *h, uint64_t value)
{
	h->bucket[bucket_of(value)]++;
	h->count++;
	h->sum += value;
	if (value > h->max)
		h->max = value;
}

static void grow(uint64_t *at, uint64_t by)
{
	__atomic_store_n(at, __atomic_load_n(at, __ATOMIC_RELAXED) + by, __ATOMIC_RELAXED);
}

void vnic__histogram_add_shared(struct vnic_histogram *h, uint64_t value)
{
	grow(&h->bucket[bucket_of(value)], 1);
	grow(&h->sum, value);
	if (value > h->max)
		__atomic_store_n(&h->max, value, __ATOMIC_RELAXED);
}

void vnic__histogram_copy_shared(struct vnic_histogram *copy, const struct vnic_histogram *h)
{
	copy->count = 0;
	for (uint32_t b = 0; b < VNIC_HISTOGRAM_BUCKETS; b++) {
		copy->bucket[b] = __atomic_load_n(&h->bucket[b], __ATOMIC_RELAXED);
		copy->count += copy->bucket[b];
	}
	copy->sum = __atomic_load_n(&h->sum, __ATOMIC_RELAXED);
	copy->max = __atomic_load_n(&h->max, __ATOMIC_RELAXED);
}

uint64_t vnic_histogram_percentile(const struct vnic_histogram *h, double percent)
{
	uint64_t want, seen = 0;

	if (h->count == 0)
		return 0;
	want = (uint64_t)(percent / 100.0 * (double)h->count + 0.999999);
	want = want == 0 ? 1 : want > h->count ? h->count : want;
	for (uint32_t b = 0; b < VNIC_HISTOGRAM_BUCKETS; b++) {
		seen += h->bucket[b];
		if (seen >= want) {
			uint64_t high = vnic_histogram_bucket_high(b);

			return high < h->max ? high : h->max;
		}
	}
	return h->max;
}
