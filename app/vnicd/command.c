/* SPDX-License-Identifier: BSD-3-Clause
 * command.c - operations that a user asks for, by telemetry or by the control socket
 */
#include "command.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "flow.h"
#include "options.h"
#include "vnicd.h"
#include "words.h"

#define USAGE 128

const struct command commands[] = {
	{.name = "start", .code = VNIC_CONTROL_START, .fixed = 1,
	 .help = "start the adapter's driver, initialize and restart it"},
	{.name = "stop", .code = VNIC_CONTROL_STOP,
	 .help = "cancel what can be, wait for the rest, halt, stop the driver"},
	{.name = "pause", .code = VNIC_CONTROL_PAUSE,
	 .help = "complete what is outstanding; sends complete PAUSED from now on"},
	{.name = "restart", .code = VNIC_CONTROL_RESTART, .help = "from Paused to Running"},
	{.name = "initialize", .code = VNIC_CONTROL_INITIALIZE, .help = "from Halted to Paused"},
	{.name = "halt", .code = VNIC_CONTROL_HALT, .help = "from Paused to Halted"},
	{.name = "shutdown", .code = VNIC_CONTROL_SHUTDOWN,
	 .help = "to Shutdown, for good, without another call of the driver"},
	{.name = "reset", .code = VNIC_CONTROL_RESET,
	 .help = "complete what is outstanding, RESET_IN_PROGRESS; the state stays"},
	{.name = "power", .code = VNIC_CONTROL_POWER, .argument = "low|full", .choice = {"low", "full"},
	 .help = "in low power sends complete LOW_POWER_STATE"},
	{.name = "remove", .code = VNIC_CONTROL_REMOVE,
	 .help = "as if the lower port had been pulled out: everything back, then halt"},
	{.name = "drain", .code = VNIC_CONTROL_DRAIN, .help = "wait until what was sent before has left"},
	{.name = "link", .code = VNIC_CONTROL_WAIT_LINK, .argument = "down|up", .choice = {"down", "up"},
	 .help = "wait for the link"},
	{.name = "cancel", .code = VNIC_CONTROL_CANCEL, .argument = "ID|[face FACE] [flow FLOW]",
	 .help = "take back what is queued under the id, of the face, of the flow; answer the verdict"},
	{.name = "cancel_face", .code = VNIC_CONTROL_ABORT, .of_face = true,
	 .help = "take back all that the face has queued, answer the verdict"},
	{.name = "cancel_flow", .code = VNIC_CONTROL_CANCEL, .of_face = true, .argument = FLOW_WORDS,
	 .help = "take back what is queued of the flow, answer the verdict"},
};
const size_t nb_commands = sizeof(commands) / sizeof(commands[0]);

const struct command *command_find(const char *name)
{
	for (size_t i = 0; i < nb_commands; i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

const struct vnicd_adapter *command_adapter(const struct vnicd *d, const char *name)
{
	for (uint32_t i = 0; name != NULL && i < d->conf.nb_adapters; i++)
		if (strcmp(d->conf.adapter[i].name, name) == 0)
			return &d->adapter[i];
	return NULL;
}

const char *command_usage(const struct command *c, char *text, size_t len)
{
	snprintf(text, len, "%s%s%s [TIMEOUT_MS]", c->of_face ? "FACE" : "ADAPTER",
		 c->argument != NULL ? " " : "", c->argument != NULL ? c->argument : "");
	return text;
}

static int read_choice(const struct command *c, struct words *w, uint64_t *argument, char *why,
		       size_t len)
{
	for (uint64_t i = 0; i < 2; i++)
		if (words_take(w, c->choice[i])) {
			*argument = i;
			return 0;
		}
	snprintf(why, len, "%s: the word after the adapter is %s or %s", c->name, c->choice[0],
		 c->choice[1]);
	return -1;
}

/* ---- what to cancel ---- */

static int read_id(struct order *o, struct words *w, char *why, size_t len)
{
	if (w->now == NULL || conf_number(w->now, CONF_HEX, &o->argument) != 0 || o->argument == 0) {
		snprintf(why, len, "%s: ID is a number from 1 to 2^64-1, decimal or 0x...; or face FACE, or "
			 "flow PROTO SRC SPORT DST DPORT", o->command->name);
		return -1;
	}
	words_next(w);
	return 0;
}

static int read_flow(struct order *o, const struct vnicd_face *face, struct words *w, char *why,
		     size_t len)
{
	char cause[200];
	struct flow flow;
	uint32_t rule;

	if (flow_read(&flow, w, cause, sizeof(cause)) != 0 ||
	    flow_id(&flow, face, &o->argument, &rule, cause, sizeof(cause)) != 0) {
		snprintf(why, len, "%s: %s", o->command->name, cause);
		return -1;
	}
	if (o->argument == 0) {
		snprintf(why, len, "%s: no rule of face %s applies to this flow: it has no id to cancel by; "
			 "ids %s tells its rules", o->command->name, face->conf->name, face->conf->name);
		return -1;
	}
	o->code = VNIC_CONTROL_CANCEL;
	o->client = vnic_face_client(face->face);
	return 0;
}

static void of_face(struct order *o, const struct vnicd_face *face)
{
	o->code = VNIC_CONTROL_ABORT;
	o->argument = 0;
	o->client = vnic_face_client(face->face);
}

/* The face of the adapter that a flow is of, if there is but one. */
static const struct vnicd_face *only_face(const struct vnicd *d, const struct vnic_adapter *a)
{
	const struct vnicd_face *only = NULL;

	for (uint32_t i = 0; i < d->conf.nb_faces; i++) {
		if (d->adapter[d->conf.face[i].adapter_index].adapter != a)
			continue;
		if (only != NULL)
			return NULL;
		only = &d->face[i];
	}
	return only;
}

/* "ID", "face FACE", "flow FLOW" or "face FACE flow FLOW" */
static int read_target(struct vnicd *d, struct order *o, struct words *w, char *why, size_t len)
{
	const struct vnicd_face *face = NULL;

	if (words_take(w, "face")) {
		face = flow_face(d, w->now);
		if (face == NULL || d->adapter[face->conf->adapter_index].adapter != o->adapter) {
			snprintf(why, len, "%s: adapter %s has no such face; faces %s names them", o->command->name,
				 o->name, o->name);
			return -1;
		}
		words_next(w);
		of_face(o, face);
		return words_take(w, "flow") ? read_flow(o, face, w, why, len) : 0;
	}
	if (!words_take(w, "flow"))
		return read_id(o, w, why, len);
	face = only_face(d, o->adapter);
	if (face == NULL) {
		snprintf(why, len, "%s: adapter %s has several faces or none; write face FACE flow ...",
			 o->command->name, o->name);
		return -1;
	}
	return read_flow(o, face, w, why, len);
}

/* ---- the order ---- */

/* ADAPTER ARGUMENT */
static int read_adapter(struct vnicd *d, struct order *o, struct words *w, char *why, size_t len)
{
	const struct vnicd_adapter *a = command_adapter(d, w->now);
	const struct command *c = o->command;
	char usage[USAGE];

	if (a == NULL) {
		snprintf(why, len, "%s: no such adapter; list names them, then %s %s", c->name, c->name,
			 command_usage(c, usage, sizeof(usage)));
		return -1;
	}
	memcpy(o->name, a->conf->name, sizeof(o->name));
	o->adapter = a->adapter;
	words_next(w);
	if (c->argument == NULL)
		return 0;
	return c->choice[0] != NULL ? read_choice(c, w, &o->argument, why, len) :
				      read_target(d, o, w, why, len);
}

/* FACE [FLOW] */
static int read_face(struct vnicd *d, struct order *o, struct words *w, char *why, size_t len)
{
	const struct vnicd_face *face = flow_face(d, w->now);
	const struct vnicd_adapter *a;
	char usage[USAGE];

	if (face == NULL) {
		snprintf(why, len, "%s: no such face; faces names them, then %s %s", o->command->name,
			 o->command->name, command_usage(o->command, usage, sizeof(usage)));
		return -1;
	}
	a = &d->adapter[face->conf->adapter_index];
	memcpy(o->name, a->conf->name, sizeof(o->name));
	o->adapter = a->adapter;
	words_next(w);
	of_face(o, face);
	return o->command->argument != NULL ? read_flow(o, face, w, why, len) : 0;
}

int command_read(struct vnicd *d, const struct command *c, char *text, struct order *o, char *why,
		 size_t len)
{
	struct words w = words_begin(text);
	char usage[USAGE];

	*o = (struct order){.command = c, .code = c->code, .argument = c->fixed,
			    .timeout_ms = COMMAND_MS_DEFAULT};
	if ((c->of_face ? read_face : read_adapter)(d, o, &w, why, len) != 0)
		return -1;
	if (w.now != NULL && (conf_number(w.now, 0, &o->timeout_ms) != 0 || o->timeout_ms == 0 ||
			      o->timeout_ms > COMMAND_MS_MAX)) {
		snprintf(why, len, "%s: TIMEOUT_MS is a number from 1 to %d", c->name, COMMAND_MS_MAX);
		return -1;
	}
	if (w.now != NULL && words_next(&w) != NULL) {
		snprintf(why, len, "%s: too many words; %s %s", c->name, c->name,
			 command_usage(c, usage, sizeof(usage)));
		return -1;
	}
	return 0;
}

bool command_cancels(const struct order *o)
{
	return o->code == VNIC_CONTROL_CANCEL || o->code == VNIC_CONTROL_ABORT;
}

void command_issue(const struct order *o, struct vnic_request *r)
{
	bool post;

	if (o->code == VNIC_CONTROL_STOP)
		vnic_adapter_stop(o->adapter, r, &post);
	else if (o->client != NULL)
		vnic_client_request(o->client, o->code, o->argument, r);
	else
		vnic_adapter_request(o->adapter, o->code, o->argument, r);
}

void command_answer(const struct order *o, const struct vnic_request *r, struct answer *a)
{
	uint32_t status = vnic_request_status(r);
	struct vnic_verdict v;
	char id[20];

	answer_begin(a, ANSWER_DICT, NULL);
	answer_text(a, "operation", o->command->name);
	answer_text(a, "adapter", o->name);
	answer_text(a, "status", vnic_status_name(status));
	answer_text(a, "state", vnic_state_name(vnic_adapter_state(o->adapter)));
	if (!command_cancels(o) || status != VNIC_STATUS_SUCCESS)
		return;
	vnic_request_verdict(r, &v);
	if (v.cancel_id != 0) {
		snprintf(id, sizeof(id), "%#" PRIx64, v.cancel_id);
		answer_text(a, "id", id);
	}
	answer_u64(a, "cancel_id", v.cancel_id);
	answer_u64(a, "aborted_nbls", v.aborted.nbls);
	answer_u64(a, "aborted_packets", v.aborted.packets);
	answer_u64(a, "too_late", v.too_late);
	answer_u64(a, "unknown", v.unknown);
	answer_u64(a, "latency_ns", v.latency_ns);
}
