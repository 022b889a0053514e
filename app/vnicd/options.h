/* SPDX-License-Identifier: BSD-3-Clause
 * options.h - the one table of vnicd's options, and what is made from it
 *
 * Main thread only.
 */
#ifndef VNICD_OPTIONS_H
#define VNICD_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum conf_type { CONF_TYPE_U64, CONF_TYPE_I64, CONF_TYPE_CHOICE, CONF_TYPE_TEXT };

#define CONF_REQUIRED 1u /* with .needs: required when that choice is made */
#define CONF_POWER2 2u
#define CONF_OR_ZERO 4u /* 0, which stands for something of its own, or min..max */
#define CONF_SUFFIX 8u  /* k, M, G: 10^3, 10^6, 10^9 */
#define CONF_HEX 16u    /* 0x... too */

#define CONF_KEYS_MAX 24   /* of a section */
#define CONF_CHOICES_MAX 5
#define CONF_ALLOWED_MAX 160

#define CONF_LINE_MAX 320 /* what rte_cfgfile reads without a word in the log */
#define CONF_FILE_MAX (1 << 20)

struct conf_option {
	const char *key;
	const char *unit;      /* NULL: none */
	const char *help;
	const char *needs;     /* this key makes sense only when the choice `needs` ... */
	uint64_t needs_choice; /* ... of the same section is this one */
	enum conf_type type;
	unsigned int flags;
	size_t offset;         /* in the section's struct */
	int64_t def;           /* a choice: its index; text: always "" */
	int64_t min;
	uint64_t max;          /* text: its length */
	const char *choices[CONF_CHOICES_MAX + 1]; /* their indices are the values */
	const char *left_out; /* what a text stands for that is left out, NULL: none */
};

/* A kind of section: [vnicd], [adapter NAME], ... */
struct conf_kind {
	const char *name;
	bool named;
	const char *help;
	size_t offset; /* in struct conf, of the first of `max` structs of `size` bytes, */
	size_t size;   /* which begin with the name if they have one */
	uint32_t max;
	uint32_t nb_options;
	const struct conf_option *options;
};

enum { CONF_KIND_GLOBAL, CONF_KIND_ADAPTER, CONF_KIND_FACE, CONF_KIND_PLAN, CONF_KINDS };

extern const struct conf_kind conf_kinds[CONF_KINDS];

/* NULL if there is none. */
const struct conf_kind *conf_kind_find(const char *name);
const struct conf_option *conf_option_find(const struct conf_kind *kind, const char *key);
/* The key most like `word`, NULL if none is. */
const char *conf_option_nearest(const struct conf_kind *kind, const char *word);

void conf_option_default(const struct conf_option *o, void *values);
/* What may be given, in words; `text` has room for CONF_ALLOWED_MAX. */
const char *conf_option_allowed(const struct conf_option *o, char *text);
/* Read `text` into the section's struct. NULL, or what the text is that it should not be;
 * then nothing is changed. */
const char *conf_option_set(const struct conf_option *o, void *values, const char *text);

/* 0; -EINVAL no number, -ERANGE above 2^64 - 1. CONF_SUFFIX and CONF_HEX count. */
int conf_number(const char *text, unsigned int flags, uint64_t *value);

void conf_help(FILE *out);
void conf_reference(FILE *out);

#endif
