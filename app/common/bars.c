/* SPDX-License-Identifier: BSD-3-Clause
 * bars.c - a histogram of times as rows of text
 */
#include "bars.h"

#include <inttypes.h>

#define BAR 44
#define OCTAVES 47

static void bar(FILE *f, const char *sign, double us, uint64_t count, uint64_t most)
{
	int width = (int)((count * BAR + most - 1) / most);

	fprintf(f, "  %2s %9.2f us %8" PRIu64 " %.*s\n", sign, us, count, width,
		"############################################");
}

void bars_print(FILE *f, const char *label, const struct vnic_histogram *h)
{
	uint64_t half[2 * OCTAVES] = {0}, most = 0, seen = 0, tail = h->count / 1000;

	if (label != NULL)
		fprintf(f, "%s\n", label);
	for (uint32_t b = 0; b < VNIC_HISTOGRAM_BUCKETS; b++) {
		uint64_t low = vnic_histogram_bucket_low(b);
		uint32_t octave = low == 0 ? 0 : 63 - (uint32_t)__builtin_clzll(low);
		uint32_t at = 2 * octave + (octave > 0 && (low >> (octave - 1) & 1));

		at = at < 2 * OCTAVES ? at : 2 * OCTAVES - 1;
		half[at] += h->bucket[b];
		most = half[at] > most ? half[at] : most;
	}
	for (uint32_t at = 0; at < 2 * OCTAVES && h->count - seen > tail; at++) {
		if (seen + half[at] != 0)
			bar(f, ">=", (double)(UINT64_C(1) << at / 2) * (at & 1 ? 1.5 : 1.0) / 1e3, half[at], most);
		seen += half[at];
	}
	if (seen < h->count)
		bar(f, "to", (double)h->max / 1e3, h->count - seen, most);
}
