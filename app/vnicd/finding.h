/* SPDX-License-Identifier: BSD-3-Clause
 * finding.h - what --check has found: each in one line, with its cause, its effect, and the command
 * that cures it
 *
 * Main thread.
 */
#ifndef VNICD_FINDING_H
#define VNICD_FINDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <rte_common.h>

#define FINDINGS_MAX 96
#define FINDINGS_TEXT (1 << 20)

enum finding_severity {
	FINDING_OK,      /* looked at, and well */
	FINDING_NOTICE,  /* it could be faster or safer */
	FINDING_WARNING, /* it runs, but not as was meant */
	FINDING_ERROR,   /* it would not run */
	FINDING_SEVERITIES
};

struct finding {
	enum finding_severity severity;
	const char *subject;
	const char *cause;
	const char *effect; /* "" of what is well, like the next */
	const char *cure;
};

struct findings {
	uint32_t nb;
	uint32_t count[FINDING_SEVERITIES];
	struct finding finding[FINDINGS_MAX];
	size_t used;
	char text[FINDINGS_TEXT];
};

/* A text that lives as long as the findings. */
const char *findings_text(struct findings *f, const char *format, ...) __rte_format_printf(2, 3);
void findings_add(struct findings *f, enum finding_severity severity, const char *subject,
		  const char *cause, const char *effect, const char *cure);
/* A command that only root may give, as this user can: with sudo, or su. */
const char *findings_root(struct findings *f, const char *command);
/* The same for words without quotes, whose $ are for the user's own shell. */
const char *findings_root_here(struct findings *f, const char *words);
/* A word as the shell reads it. */
const char *findings_quote(struct findings *f, const char *word);

/* "CAUSE: EFFECT; run: CURE" after its severity and subject; graver ones first. */
void findings_print(const struct findings *f, FILE *out);
/* The same as an array of JSON. */
void findings_print_json(const struct findings *f, FILE *out);
/* A text as JSON has it, with its quotes. */
void json_text(FILE *out, const char *text);

#endif
