/* SPDX-License-Identifier: BSD-3-Clause
 * gnuplot.h - run gnuplot
 *
 * Main thread.
 */
#ifndef BENCH_GNUPLOT_H
#define BENCH_GNUPLOT_H

#include <stdbool.h>
#include <stddef.h>

/* Is there a gnuplot in PATH? */
bool gnuplot_there(void);
/* Run a script in its folder. -1: it failed, `why` in a line. */
int gnuplot_run(const char *folder, char *script, char *why, size_t len);

#endif
