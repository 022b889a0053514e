/* SPDX-License-Identifier: BSD-3-Clause
 * query.c - questions about the daemon, asked by telemetry or by the control socket
 */
#include "query.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_log.h>

#include "capture.h"
#include "change.h"
#include "command.h"
#include "flow.h"
#include "options.h"
#include "query_adapter.h"
#include "query_face.h"
#include "reload.h"
#include "vnicd.h"
#include "xstats.h"

#define NAME 64
#define HELP 512

/* ---- names, and what the configuration says ---- */

static void list(struct vnicd *d, struct words *w, struct answer *a)
{
	(void)w;
	answer_begin(a, ANSWER_TEXTS, "adapters");
	for (uint32_t i = 0; i < d->conf.nb_adapters; i++)
		answer_text(a, NULL, d->conf.adapter[i].name);
}

static void say_faces(const struct vnicd *d, const struct vnicd_adapter *of, struct answer *a)
{
	for (uint32_t i = 0; i < d->conf.nb_faces; i++)
		if (of == NULL || &d->adapter[d->conf.face[i].adapter_index] == of)
			answer_text(a, NULL, d->conf.face[i].name);
}

static void faces(struct vnicd *d, struct words *w, struct answer *a)
{
	const struct vnicd_adapter *of = NULL;

	if (w->now != NULL) {
		of = query_adapter(d, w, a);
		if (of == NULL)
			return;
	}
	answer_begin(a, ANSWER_TEXTS, "faces");
	say_faces(d, of, a);
}

static void say_options(struct answer *a, const struct conf_kind *kind, const void *values)
{
	for (uint32_t i = 0; i < kind->nb_options; i++) {
		const struct conf_option *o = &kind->options[i];
		const void *at = (const char *)values + o->offset;

		switch (o->type) {
		case CONF_TYPE_TEXT: answer_text(a, o->key, at); break;
		case CONF_TYPE_CHOICE: answer_text(a, o->key, o->choices[*(const uint64_t *)at]); break;
		case CONF_TYPE_I64: answer_int(a, o->key, (int)*(const int64_t *)at); break;
		case CONF_TYPE_U64: answer_u64(a, o->key, *(const uint64_t *)at); break;
		}
	}
	answer_inner(a, ANSWER_TEXTS, "can_be_set");
	for (uint32_t i = 0; i < kind->nb_options; i++)
		if (change_is_live((int)(kind - conf_kinds), kind->options[i].key))
			answer_text(a, NULL, kind->options[i].key);
	answer_inner_end(a);
}

static void show_adapter(const struct vnicd *d, const struct vnicd_adapter *found, struct answer *a)
{
	answer_begin(a, ANSWER_DICT, NULL);
	answer_text(a, "adapter", found->conf->name);
	answer_text(a, "state", vnic_state_name(vnic_adapter_state(found->adapter)));
	answer_text(a, "sends", vnic_status_name(vnic_adapter_gate(found->adapter)));
	answer_u64(a, "polled_by", found->lcore);
	answer_inner(a, ANSWER_TEXTS, "faces");
	say_faces(d, found, a);
	answer_inner_end(a);
	say_options(a, &conf_kinds[CONF_KIND_ADAPTER], found->conf);
}

static void show_face(const struct vnicd *d, const struct vnicd_face *found, struct answer *a)
{
	struct vnicd_peer_stats s = {0};

	answer_begin(a, ANSWER_DICT, NULL);
	answer_text(a, "face", found->conf->name);
	answer_text(a, "of", d->conf.adapter[found->conf->adapter_index].name);
	answer_u64(a, "prefix", vnic_client_prefix(vnic_face_client(found->face)));
	vnicd_peer_stats(d, found->conf->name, &s);
	answer_u64(a, "here", s.here);
	say_options(a, &conf_kinds[CONF_KIND_FACE], found->conf);
}

static void show(struct vnicd *d, struct words *w, struct answer *a)
{
	const struct vnicd_adapter *adapter = command_adapter(d, w->now);
	const struct vnicd_face *face = flow_face(d, w->now);

	if (w->now != NULL && adapter == NULL && face == NULL) {
		answer_error(a, "no such adapter or face; list and faces name them");
		return;
	}
	if (adapter != NULL) {
		show_adapter(d, adapter, a);
	} else if (face != NULL) {
		show_face(d, face, a);
	} else {
		answer_begin(a, ANSWER_DICT, NULL);
		answer_text(a, "version", VNIC_VERSION);
		answer_int(a, "pid", getpid());
		answer_text(a, "configuration", d->conf.path);
		answer_u64(a, "served_by", d->control_lcore);
		answer_u64(a, "adapters", d->conf.nb_adapters);
		answer_u64(a, "faces", d->conf.nb_faces);
		say_options(a, &conf_kinds[CONF_KIND_GLOBAL], &d->conf.global);
	}
	words_next(w);
}

/* Counts, by names as DPDK's ports have them. */
static void xstats(struct vnicd *d, struct words *w, struct answer *a)
{
	const struct vnicd_adapter *adapter = command_adapter(d, w->now);
	const struct vnicd_face *face = flow_face(d, w->now);
	struct xstat x[XSTATS_MAX];
	uint32_t n;

	if (adapter == NULL && face == NULL) {
		answer_error(a, "no such adapter or face; list and faces name them");
		return;
	}
	words_next(w);
	n = adapter != NULL ? xstats_of_adapter(d, (uint32_t)(adapter - d->adapter), x) :
			      xstats_of_face(face, x);
	answer_begin(a, ANSWER_DICT, NULL);
	for (uint32_t i = 0; i < n; i++)
		answer_u64(a, x[i].name, x[i].value);
}

/* ---- what changes something ---- */

static void capture(struct vnicd *d, struct words *w, struct answer *a)
{
	char why[COMMAND_WHY];
	int rc = capture_ask(d, w, a, why, sizeof(why));

	if (rc != 0)
		answer_error(a, "%s", why);
	if (rc != 0 && rc != -EINVAL)
		answer_error_failed(a);
}

static void status_of_capture(struct vnicd *d, struct words *w, struct answer *a)
{
	(void)w;
	capture_status(d, a);
}

/* SECTION.KEY VALUE, where SECTION may have two words */
static void set(struct vnicd *d, struct words *w, struct answer *a)
{
	char why[COMMAND_WHY], section[NAME] = "", key[NAME];
	const char *dot = NULL, *value;

	for (; w->now != NULL && dot == NULL; words_next(w)) {
		size_t n = strlen(section), part = strcspn(w->now, ".");

		dot = strchr(w->now, '.');
		snprintf(section + n, sizeof(section) - n, "%s%.*s", n != 0 ? " " : "",
			 (int)RTE_MIN(part, (size_t)CONF_NAME), w->now);
		snprintf(key, sizeof(key), "%s", dot != NULL ? dot + 1 : "");
		if (dot != NULL)
			break;
	}
	value = w->rest != NULL ? w->rest + strspn(w->rest, " \t") : "";
	w->now = NULL;
	if (dot == NULL || *value == '\0')
		answer_error(a, "set: write set SECTION.KEY VALUE, as set adapter a0.packets_per_s 1000; \"\" is "
			     "no value");
	else if (change_set(d, section, key, strcmp(value, "\"\"") == 0 ? "" : value, why, sizeof(why)) != 0)
		answer_error(a, "%s", why);
	else {
		answer_begin(a, ANSWER_DICT, NULL);
		answer_text(a, "status", "SUCCESS");
	}
}

static void reload(struct vnicd *d, struct words *w, struct answer *a)
{
	struct reload_counts n;
	char why[COMMAND_WHY];

	(void)w;
	if (reload_run(d, &n, why, sizeof(why)) != 0) {
		answer_error(a, "%s", why);
		answer_error_failed(a);
		return;
	}
	answer_begin(a, ANSWER_DICT, NULL);
	answer_text(a, "status", "SUCCESS");
	answer_u64(a, "changed", n.changed);
	answer_u64(a, "added", n.added);
	answer_u64(a, "removed", n.removed);
}

/* ---- what is logged, what can be asked ---- */

/* "id 38: lib.eal, level is info" becomes "lib.eal info"; false: another line. */
static bool log_line(char *line, char *text, size_t len)
{
	char *name = strstr(line, ": "), *level = strstr(line, ", level is ");

	if (strncmp(line, "id ", 3) != 0 || name == NULL || level == NULL || level < name)
		return false;
	*level = '\0';
	snprintf(text, len, "%s %s", name + 2, level + strlen(", level is "));
	return true;
}

/* DPDK tells its log types to a file only. */
static void log_types(struct vnicd *d, struct words *w, struct answer *a)
{
	char *dump = NULL, *rest, *line, text[2 * NAME];
	size_t len;
	FILE *f = open_memstream(&dump, &len);

	(void)d;
	if (f == NULL) {
		answer_error(a, "log: no memory; end some programs");
		answer_error_busy(a);
		return;
	}
	rte_log_dump(f);
	fclose(f);
	answer_begin(a, ANSWER_TEXTS, "log");
	for (line = strtok_r(dump, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest))
		if (log_line(line, text, sizeof(text)) && (w->now == NULL || strstr(text, w->now) != NULL))
			answer_text(a, NULL, text);
	free(dump);
	words_next(w);
}

static void help(struct vnicd *d, struct words *w, struct answer *a)
{
	char text[HELP];

	(void)d, (void)w;
	answer_begin(a, ANSWER_TEXTS, "help");
	for (size_t i = 0; i < nb_queries; i++) {
		const struct query *q = &queries[i];

		snprintf(text, sizeof(text), "%s%s%s: %s", q->name, q->words != NULL ? " " : "",
			 q->words != NULL ? q->words : "", q->help);
		answer_text(a, NULL, text);
	}
	for (size_t i = 0; i < nb_commands; i++) {
		snprintf(text, sizeof(text), "%s ", commands[i].name);
		command_usage(&commands[i], text + strlen(text), sizeof(text) - strlen(text));
		snprintf(text + strlen(text), sizeof(text) - strlen(text), ": %s", commands[i].help);
		answer_text(a, NULL, text);
	}
}

const struct query queries[] = {
	{"list", NULL, "Names of the adapters", list},
	{"faces", "[ADAPTER]", "Names of the faces, of all or of an adapter", faces},
	{"show", "[ADAPTER|FACE]", "What it is, as configured and now; nothing: the daemon", show},
	{"state", "ADAPTER", "State of an adapter", query_state},
	{"stats", "ADAPTER", "Account of an adapter", query_stats},
	{"xstats", "ADAPTER|FACE", "Counts of an adapter or a face, named as a port's", xstats},
	{"latency", "ADAPTER", "Cancel latencies in ns", query_latency},
	{"histogram", "ADAPTER [completion|verdict|walk]", "Cancel latencies, bucket by bucket", query_histogram},
	{"receive", "FACE", "What a face receives", query_receive},
	{"share", "FACE", "Weight and limits of a face, and what became of what it has sent", query_share},
	{"peer", "FACE", "Who is on a face's other side, who came and left", query_peer},
	{"ids", "FACE", "Rules of a face and what they marked", query_ids},
	{"id", "FACE " FLOW_WORDS, "Cancel id of a flow", query_id},
	{"log", "[PART]", "Log types with PART in them, and their levels", log_types},
	{"capture", CAPTURE_WORDS, "Packets sent and taken back into a file", capture, true},
	{"capture_status", NULL, "The capture that is on, else the last: its file, its counts", status_of_capture},
	{"set", "SECTION.KEY VALUE", "Another value of an option from now on", set, true},
	{"reload", NULL, "Read the configuration again, and become what it says", reload, true},
	{"help", NULL, "What can be asked", help},
};
const size_t nb_queries = sizeof(queries) / sizeof(queries[0]);

/* Is `word` the first of these? Then what follows it, else NULL. */
static char *after(char *words, const char *word)
{
	char *at = words + strspn(words, " \t,");
	size_t n = strcspn(at, " \t,");

	return strlen(word) == n && memcmp(at, word, n) == 0 ? at + n : NULL;
}

const struct query *query_find(const char *name, char **words)
{
	char *rest = strcmp(name, "capture") == 0 ? after(*words, "status") : NULL;

	if (rest != NULL) {
		name = "capture_status";
		*words = rest;
	}
	for (size_t i = 0; i < nb_queries; i++)
		if (strcmp(queries[i].name, name) == 0)
			return &queries[i];
	return NULL;
}

void query_run(struct vnicd *d, const struct query *q, char *text, struct answer *a)
{
	struct words w = words_begin(text);

	q->run(d, &w, a);
	if (w.now != NULL && !answer_failed(a))
		answer_error(a, "%s: too many words; %s%s%s", q->name, q->name, q->words != NULL ? " " : "",
			     q->words != NULL ? q->words : "");
}
