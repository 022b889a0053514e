/* SPDX-License-Identifier: BSD-3-Clause
 * query.h - questions about the daemon: their names, their words, their answers
 *
 * Telemetry and the control socket ask them alike: any thread. Those that change something are for
 * the control socket only.
 */
#ifndef VNICD_QUERY_H
#define VNICD_QUERY_H

#include <stdbool.h>
#include <stddef.h>

#include "answer.h"
#include "words.h"

struct vnicd;

struct query {
	const char *name;
	const char *words; /* that follow the name, NULL: none */
	const char *help;
	void (*run)(struct vnicd *d, struct words *words, struct answer *answer);
	bool changes; /* operators may, in the main thread, one at a time: not by telemetry */
};

extern const struct query queries[];
extern const size_t nb_queries;

/* The one of this name and, of "capture status", which changes nothing, the word after it, that `words` then has
 * no more; NULL: none. */
const struct query *query_find(const char *name, char **words);
/* Answer it, or say what is wrong with the words after its name, separated by blanks or commas;
 * `words` is cut into pieces. The answer is fresh, and has not ended then. */
void query_run(struct vnicd *d, const struct query *query, char *words, struct answer *answer);

#endif
