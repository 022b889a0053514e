/* SPDX-License-Identifier: BSD-3-Clause
 * walk.h - the walk of a cancel alone, the second table of the command `ring`
 *
 * Main thread.
 */
#ifndef BENCH_WALK_H
#define BENCH_WALK_H

#include "bench.h"

/* 0; -1: said. */
int bench_walk(struct bench *b);

#endif
