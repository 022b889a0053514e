/* SPDX-License-Identifier: BSD-3-Clause
 * config_file.h - a configuration in the making: its sections, where each key was given
 *
 * Private to the reading of vnicd's configuration. Main thread only.
 */
#ifndef VNICD_CONFIG_FILE_H
#define VNICD_CONFIG_FILE_H

#include "config.h"
#include "options.h"

#include <rte_common.h>

/* Where something was given: a line of the file, or one of these. */
enum { CONF_NOWHERE = 0, CONF_COMMAND_LINE = -1 };

struct conf_section {
	const struct conf_kind *kind;
	void *values;
	int line;
	int at[CONF_KEYS_MAX]; /* of each key, by its place in the table */
};

struct conf_reader {
	struct conf *conf;
	FILE *err;
	uint32_t nb_sections;
	struct conf_section section[2 + CONF_ADAPTERS_MAX + CONF_FACES_MAX]; /* as in the file */
};

#define CONF_NAMES_MAX 512

/* Write the one line of an error, with what is wrong at `line`; returns -1. */
int conf_fail(const struct conf_reader *r, int line, const char *format, ...)
	__rte_format_printf(3, 4);

/* Read the file into sections with their defaults and values; [vnicd] and [plan] are there
 * afterwards in any case. 0, or -1 after conf_fail(). */
int conf_file_read(struct conf_reader *r);

/* Split "adapter a0", in place, and check it. 0, or -1 after conf_fail(). */
int conf_title_read(struct conf_reader *r, int line, char *title, const struct conf_kind **kind,
		    const char **name);
/* NULL if there is none; `name` is "" for [vnicd] and [plan]. */
struct conf_section *conf_section_find(struct conf_reader *r, const struct conf_kind *kind,
				       const char *name);
uint32_t conf_section_count(const struct conf_reader *r, const struct conf_kind *kind);
/* The names of a kind's sections as "a, b, c"; `text` has room for CONF_NAMES_MAX. */
const char *conf_section_names(const struct conf_reader *r, const struct conf_kind *kind,
			       char *text);

/* Where a key was given; NULL if there is no such key. */
int *conf_key_at(struct conf_section *s, const char *key);
/* Give a key of a section a value. 0, or -1 after conf_fail(). */
int conf_value_set(struct conf_reader *r, struct conf_section *s, const char *key,
		   const char *value, int line);

/* Cut blanks off both ends, in place. */
char *conf_trim(char *s);

#endif
