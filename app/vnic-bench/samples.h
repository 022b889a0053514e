/* SPDX-License-Identifier: BSD-3-Clause
 * samples.h - raw samples, kept, and what is read off them
 *
 * One thread at a time. Room is had before the measurement: samples_add() does not allocate.
 */
#ifndef BENCH_SAMPLES_H
#define BENCH_SAMPLES_H

#include <stdbool.h>
#include <stddef.h>

struct samples {
	double *value;
	size_t nb, room;
	bool sorted;
};

/* Room for so many; exits with a line if there is no memory. */
void samples_begin(struct samples *s, size_t room);
void samples_end(struct samples *s);
void samples_clear(struct samples *s);

/* One beyond the room is a bug of the caller. */
void samples_add(struct samples *s, double value);

/* The smallest sample that at least `percent` % do not exceed; 0 when there is none. These
 * sort the samples: their order in time is lost. */
double samples_percentile(struct samples *s, double percent);
double samples_median(struct samples *s);
double samples_min(struct samples *s);
double samples_max(struct samples *s);

#endif
