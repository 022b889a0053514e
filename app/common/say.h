/* SPDX-License-Identifier: BSD-3-Clause
 * say.h - what vnicd tells its operator: lines on standard error, by levels, not too many
 *
 * Each line says what has happened and, if something is to be done, what. The levels are those of
 * EAL's log type `vnicd`: --log-level=vnicd:debug, or log_level in [vnicd].
 *
 * Any thread that may make system calls: no data lcore.
 */
#ifndef COMMON_SAY_H
#define COMMON_SAY_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <rte_common.h>

#define SAY_PER_S 10 /* lines of a kind */
#define SAY_MAX 1024 /* bytes of a line */

enum say_level {
	SAY_ERROR,   /* it ends, or something is lost */
	SAY_WARNING, /* it runs, but not as was meant */
	SAY_NOTICE,  /* a change that an operator wants to know of */
	SAY_INFO,    /* each change of state */
	SAY_DEBUG,
};

/* What one may say again and again: keep one for each that may repeat itself, zeroed, and use it in
 * one thread at a time. */
struct say_kind {
	uint64_t second;
	uint64_t lines; /* in it */
	uint64_t unsaid;
};

/* Lines above the level are left out from now on; the default is SAY_NOTICE. */
void say_level_set(enum say_level level);
enum say_level say_level_get(void);
/* Would a line be printed? For what is costly to find out. */
bool say_heard(enum say_level level);

/* "vnicd: ", the text and a line end, in one write; control characters come out as '?'. */
void say(enum say_level level, const char *format, ...) __rte_format_printf(2, 3);
/* The same, up to SAY_PER_S times in a second; the next line of the kind tells how many were left
 * out. */
void say_often(struct say_kind *kind, enum say_level level, const char *format, ...)
	__rte_format_printf(3, 4);

#endif
