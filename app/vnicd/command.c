/* SPDX-License-Identifier: BSD-3-Clause
 * command.c - operations that a user asks for, by telemetry or by the control socket
 */
#include "command.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "options.h"
#include "vnicd.h"

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
	{.name = "cancel", .code = VNIC_CONTROL_CANCEL, .argument = "ID",
	 .help = "take back what is queued under the id, answer the verdict"},
};
const size_t nb_commands = sizeof(commands) / sizeof(commands[0]);

const struct command *command_find(const char *name)
{
	for (size_t i = 0; i < nb_commands; i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

static int read_argument(const struct command *c, const char *word, uint64_t *argument, char *why,
			 size_t len)
{
	bool wrong = true;

	if (c->choice[0] == NULL) {
		wrong = word == NULL || conf_number(word, CONF_HEX, argument) != 0 || *argument == 0;
		if (wrong)
			snprintf(why, len, "%s: ID is a number from 1 to 2^64-1, decimal or 0x...", c->name);
		return wrong ? -1 : 0;
	}
	for (uint64_t i = 0; i < 2 && word != NULL; i++)
		if (strcmp(word, c->choice[i]) == 0) {
			*argument = i;
			wrong = false;
		}
	if (wrong)
		snprintf(why, len, "%s: the word after the adapter is %s or %s", c->name, c->choice[0],
			 c->choice[1]);
	return wrong ? -1 : 0;
}

int command_read(struct vnicd *d, const struct command *c, char *words, struct order *o, char *why,
		 size_t len)
{
	static const char between[] = " \t,";
	char *save = NULL;
	const char *word = strtok_r(words, between, &save);

	*o = (struct order){.command = c, .argument = c->fixed, .timeout_ms = COMMAND_MS_DEFAULT};
	for (uint32_t i = 0; word != NULL && i < d->conf.nb_adapters; i++)
		if (strcmp(d->conf.adapter[i].name, word) == 0) {
			o->name = d->conf.adapter[i].name;
			o->adapter = d->adapter[i].adapter;
		}
	if (o->adapter == NULL) {
		snprintf(why, len, "%s: no such adapter; list names them, then %s ADAPTER%s%s [TIMEOUT_MS]",
			 c->name, c->name, c->argument != NULL ? " " : "",
			 c->argument != NULL ? c->argument : "");
		return -1;
	}
	if (c->argument != NULL &&
	    read_argument(c, strtok_r(NULL, between, &save), &o->argument, why, len) != 0)
		return -1;
	word = strtok_r(NULL, between, &save);
	if (word != NULL && (conf_number(word, 0, &o->timeout_ms) != 0 || o->timeout_ms == 0 ||
			     o->timeout_ms > COMMAND_MS_MAX)) {
		snprintf(why, len, "%s: TIMEOUT_MS is a number from 1 to %d", c->name, COMMAND_MS_MAX);
		return -1;
	}
	if (strtok_r(NULL, between, &save) != NULL) {
		snprintf(why, len, "%s: too many words; %s ADAPTER%s%s [TIMEOUT_MS]", c->name, c->name,
			 c->argument != NULL ? " " : "", c->argument != NULL ? c->argument : "");
		return -1;
	}
	return 0;
}

void command_issue(const struct order *o, struct vnic_request *r)
{
	bool post;

	if (o->command->code == VNIC_CONTROL_STOP)
		vnic_adapter_stop(o->adapter, r, &post);
	else
		vnic_adapter_request(o->adapter, o->command->code, o->argument, r);
}

void command_answer(const struct order *o, const struct vnic_request *r, char text[COMMAND_TEXT])
{
	uint32_t status = vnic_request_status(r);
	struct vnic_verdict v;
	int n;

	n = snprintf(text, COMMAND_TEXT,
		     "{\"operation\":\"%s\",\"adapter\":\"%s\",\"status\":\"%s\",\"state\":\"%s\"",
		     o->command->name, o->name, vnic_status_name(status),
		     vnic_state_name(vnic_adapter_state(o->adapter)));
	if (o->command->code == VNIC_CONTROL_CANCEL && status == VNIC_STATUS_SUCCESS) {
		vnic_request_verdict(r, &v);
		n += snprintf(text + n, COMMAND_TEXT - (size_t)n,
			      ",\"aborted_nbls\":%" PRIu64 ",\"aborted_packets\":%" PRIu64
			      ",\"too_late\":%" PRIu64 ",\"unknown\":%d,\"latency_ns\":%" PRIu64,
			      v.aborted.nbls, v.aborted.packets, v.too_late, v.unknown, v.latency_ns);
	}
	snprintf(text + n, COMMAND_TEXT - (size_t)n, "}");
}
