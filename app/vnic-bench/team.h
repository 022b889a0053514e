/* SPDX-License-Identifier: BSD-3-Clause
 * team.h - which lcore plays which role of a design
 *
 * The main lcore is app. With one lcore it plays all roles in turn; with two the other one plays
 * data or control, as asked; with three each has its own.
 */
#ifndef BENCH_TEAM_H
#define BENCH_TEAM_H

#include <stdatomic.h>

#include "design.h"

enum team_apart { TEAM_DATA_APART, TEAM_CONTROL_APART };

struct team {
	struct design *design;
	/* instead of the design's own step, or NULL; its result says if there was work */
	uint32_t (*data)(struct team *t);
	uint32_t (*control)(struct team *t);
	void *context; /* for these */
	bool app_data, app_control; /* app plays these too: team_step() */
	bool yields;                /* lcores share a CPU */
	unsigned int lcore_data, lcore_control; /* where they are apart */
	_Atomic bool run;
};

/* Main thread: set the roles going. data, control and context may be set before. */
void team_start(struct team *t, struct design *d, enum team_apart apart);
/* Main thread: they have come to rest. */
void team_stop(struct team *t);
/* app: its share of the other roles; to be called in every loop of app. */
uint32_t team_step(struct team *t);
/* How many lcores, and a text on who does what. */
unsigned int team_lcores(void);
const char *team_text(void);

#endif
