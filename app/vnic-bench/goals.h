/* SPDX-License-Identifier: BSD-3-Clause
 * goals.h - what the figures are to be
 */
#ifndef BENCH_GOALS_H
#define BENCH_GOALS_H

#include <stdbool.h>

struct goal {
	const char *key; /* of the figure */
	bool at_most;    /* else at least */
	double limit;
	const char *unit; /* with its blank: " us" */
	const char *what;
};

/* NULL: nothing is wanted of it. */
const struct goal *goal_find(const char *key);
bool goal_met(const struct goal *g, double value);
/* All of them, up to a key that is NULL. */
extern const struct goal goals[];

#endif
