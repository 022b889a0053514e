/* SPDX-License-Identifier: BSD-3-Clause
 * samples.c - raw samples, kept, and what is read off them
 */
#include "samples.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

void samples_begin(struct samples *s, size_t room)
{
	*s = (struct samples){.value = malloc(room * sizeof(double)), .room = room};
	if (s->value == NULL && room != 0) {
		fprintf(stderr, "vnic-bench: no memory for %zu samples; lower --seconds\n", room);
		exit(EXIT_FAILURE);
	}
}

void samples_end(struct samples *s)
{
	free(s->value);
	*s = (struct samples){0};
}

void samples_clear(struct samples *s)
{
	s->nb = 0;
	s->sorted = false;
}

void samples_add(struct samples *s, double value)
{
	assert(s->nb < s->room);
	s->value[s->nb++] = value;
	s->sorted = false;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void sort(struct samples *s)
{
	if (!s->sorted && s->nb != 0)
		qsort(s->value, s->nb, sizeof(double), compare);
	s->sorted = true;
}

double samples_percentile(struct samples *s, double percent)
{
	double rank = percent / 100 * (double)s->nb;
	size_t at = (size_t)rank;

	if (s->nb == 0)
		return 0;
	sort(s);
	if ((double)at == rank && at > 0)
		at--;
	return s->value[at < s->nb ? at : s->nb - 1];
}

double samples_median(struct samples *s)
{
	return samples_percentile(s, 50);
}

double samples_min(struct samples *s)
{
	return samples_percentile(s, 0);
}

double samples_max(struct samples *s)
{
	return samples_percentile(s, 100);
}
