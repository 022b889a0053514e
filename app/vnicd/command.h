/* SPDX-License-Identifier: BSD-3-Clause
 * command.h - operations that a user asks for: their names, their words, their answers
 *
 * Any thread.
 */
#ifndef VNICD_COMMAND_H
#define VNICD_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <vnic.h>

#include "answer.h"
#include "config.h"

#define COMMAND_WHY 368
#define COMMAND_MS_DEFAULT 12000
#define COMMAND_MS_MAX 3600000

struct vnicd;
struct vnicd_adapter;

struct command {
	const char *name;
	const char *argument; /* in words, NULL: none */
	const char *help;
	enum vnic_control_code code;
	uint64_t fixed; /* the argument where the user gives none */
	const char *choice[2]; /* the words for the arguments 0 and 1, NULL: what to cancel */
	bool of_face; /* begins with a face instead of an adapter */
};

extern const struct command commands[];
extern const size_t nb_commands;

/* What was asked. */
struct order {
	const struct command *command;
	char name[CONF_NAME]; /* of the adapter */
	struct vnic_adapter *adapter;
	struct vnic_client *client; /* whose packets, and whose limit; NULL: the adapter's */
	enum vnic_control_code code;
	uint64_t argument;
	uint64_t timeout_ms; /* then the request is cancelled */
};

/* Read "ADAPTER [ARGUMENT] [TIMEOUT_MS]", or FACE for ADAPTER, words separated by blanks or
 * commas; `words` is cut into pieces. 0, or -1 and one line in `why`. */
int command_read(struct vnicd *d, const struct command *command, char *words, struct order *order,
		 char *why, size_t len);
/* NULL if there is none. */
const struct vnicd_adapter *command_adapter(const struct vnicd *d, const char *name);
const struct command *command_find(const char *name);
/* The words that follow its name; returns `text`. */
const char *command_usage(const struct command *command, char *text, size_t len);

/* Does it take sends back, so that its request has a verdict? */
bool command_cancels(const struct order *order);
/* Issue it; the request is fresh. */
void command_issue(const struct order *order, struct vnic_request *request);
/* The answer to a completed request. */
void command_answer(const struct order *order, const struct vnic_request *request,
		    struct answer *answer);

#endif
