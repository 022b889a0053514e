/* SPDX-License-Identifier: BSD-3-Clause
 * words.h - what a user writes, word by word
 *
 * Any thread, on the caller's own.
 */
#ifndef VNICD_WORDS_H
#define VNICD_WORDS_H

#include <stdbool.h>
#include <string.h>

struct words {
	char *rest;
	const char *now; /* NULL: there are no more */
};

/* The next word; blanks and commas are between them. */
static inline const char *words_next(struct words *w)
{
	w->now = strtok_r(NULL, " \t,", &w->rest);
	return w->now;
}

/* The first word of a text, which is cut into pieces. */
static inline struct words words_begin(char *text)
{
	struct words w = {.rest = text};

	words_next(&w);
	return w;
}

/* Is this the word? Then go on to the next. */
static inline bool words_take(struct words *w, const char *word)
{
	if (w->now == NULL || strcmp(w->now, word) != 0)
		return false;
	words_next(w);
	return true;
}

#endif
