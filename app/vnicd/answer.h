/* SPDX-License-Identifier: BSD-3-Clause
 * answer.h - what a question is answered with, as data of telemetry or as a line of JSON
 *
 * A dictionary or a list of numbers or texts; an entry of a dictionary may be one of these again,
 * one level deep. Names are letters, digits and '_'. Who answers does not know which of the two
 * it is, and need not look for the end of the room: an answer too long for it becomes an error.
 *
 * Any thread, on the caller's own.
 */
#ifndef VNICD_ANSWER_H
#define VNICD_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ANSWER_JSON 16384 /* room for a line, its final 0 included; telemetry's is as long */
#define ANSWER_JSON_MIN 64
#define ANSWER_INNERS 4 /* at most, of telemetry */

struct rte_tel_data;

enum answer_kind { ANSWER_DICT, ANSWER_NUMBERS, ANSWER_TEXTS };

struct answer {
	struct rte_tel_data *data;  /* of telemetry; NULL: JSON */
	struct rte_tel_data *inner; /* an entry that has not ended */
	struct rte_tel_data *done[ANSWER_INNERS]; /* entries that have */
	uint32_t nb_done;
	const char *inner_name;
	char *text;
	size_t len, size;
	const char *close; /* what JSON still has to write: brackets, the last one first */
	enum answer_kind kind, inner_kind;
	bool is_inner;
	bool comma;
	bool full;
	bool failed;
};

/* An answer that begins; `text` has ANSWER_JSON_MIN or more. */
struct answer answer_telemetry(struct rte_tel_data *data);
struct answer answer_json(char *text, size_t size);

/* Begin. In JSON a list is the only entry, `name`, of a dictionary: there each answer is one. */
void answer_begin(struct answer *a, enum answer_kind kind, const char *name);
/* An entry; in a list `name` is NULL. */
void answer_u64(struct answer *a, const char *name, uint64_t value);
void answer_int(struct answer *a, const char *name, int value); /* in a dictionary only */
void answer_text(struct answer *a, const char *name, const char *text);
/* A dictionary or a list as an entry of the dictionary, and its end. */
void answer_inner(struct answer *a, enum answer_kind kind, const char *name);
void answer_inner_end(struct answer *a);
/* An error, instead of what was said so far: the words are wrong, or name what is not there. */
void answer_error(struct answer *a, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* It is another one: what was asked for could not be done, or not now. */
void answer_error_failed(struct answer *a);
void answer_error_busy(struct answer *a);
/* Is it an error, so far? */
bool answer_failed(const struct answer *a);
/* The end; the text is a whole line then, without the newline. */
void answer_end(struct answer *a);

#endif
