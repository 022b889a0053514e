/* SPDX-License-Identifier: BSD-3-Clause
 * inflight.h - cancels that come too late, against how much the port may hold
 *
 * Main thread.
 */
#ifndef BENCH_INFLIGHT_H
#define BENCH_INFLIGHT_H

#include "bench.h"

/* A part of the command stall, in so many seconds. 0, or -1: said. */
int bench_inflight(struct bench *b, double seconds);

#endif
