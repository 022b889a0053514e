/* SPDX-License-Identifier: BSD-3-Clause
 * bench.h - what every measurement has in common
 *
 * Main thread.
 */
#ifndef BENCH_H
#define BENCH_H

#include <stdbool.h>
#include <stdint.h>

#include "output.h"

struct bench_conf {
	const char *command;
	const char *json, *csv, *plots; /* NULL: none */
	double seconds;                 /* of one interleaved measurement, all rounds of all its designs */
	bool quick;
};

struct bench {
	struct bench_conf conf;
	struct output out;
	double tsc_ghz; /* TSC ticks of a nanosecond */
	const char *program; /* argv[0] */
};

static inline double bench_ns(const struct bench *b, uint64_t tsc)
{
	return (double)tsc / b->tsc_ghz;
}

/* Rounds of an interleaved measurement: an odd number, for the median. */
static inline unsigned int bench_rounds(const struct bench *b)
{
	return b->conf.quick ? 3 : 9;
}

#define BENCH_ROUNDS_MAX 9

/* settings.c: what the figures depend on, as `#` lines. */
void bench_settings(struct bench *b);
/* Free hugepages of 2 MiB. */
long bench_free_pages(void);

/* The measurements, one file each. 0; -1 when it could not be made, or what it counted does not
 * add up: said on standard error. What only lacks a program or a feature is said, and is 0. */
int bench_ring(struct bench *b);
int bench_path(struct bench *b);
int bench_cancel(struct bench *b);
int bench_storm(struct bench *b);
int bench_stall(struct bench *b);
int bench_face(struct bench *b);

#endif
