/* SPDX-License-Identifier: BSD-3-Clause
 * plots.h - pictures of the figures, by gnuplot
 *
 * Main thread.
 */
#ifndef BENCH_PLOTS_H
#define BENCH_PLOTS_H

#include "bench.h"

/* Before anything is measured: may the folder be written? -1: said. */
int plots_check(const char *folder);
/* Draw what has been measured. Without gnuplot: said in a line, 0. */
int plots_draw(struct bench *b, const char *folder);

#endif
