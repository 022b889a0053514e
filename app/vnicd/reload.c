/* SPDX-License-Identifier: BSD-3-Clause
 * reload.c - read the configuration again, and let the daemon become what it says
 *
 * Ports of what is new are opened first, as far as they are free, so that a reload that cannot be leaves
 * everything alone. What goes is emptied by its lcores, taken from their rounds, and destroyed when
 * none of them knows it any more. As long as nothing has gone the control socket is served.
 */
#include "reload_part.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "change.h"
#include "say.h"

/* A client may ask for a reload again and again. */
static struct say_kind refusals, reloads;

int reload_refuse(struct reload *r, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vsnprintf(r->why, r->len, format, ap);
	va_end(ap);
	say_often(&refusals, SAY_ERROR, "reload refused, nothing was changed: %s", r->why);
	return -1;
}

/* ---- the configuration ---- */

static int read_again(struct reload *r)
{
	char *text = NULL;
	size_t size = 0;
	FILE *err = open_memstream(&text, &size);
	enum conf_action action = CONF_EXIT_ERROR;

	if (err != NULL) {
		action = conf_read(&r->next->conf, r->d->argc, r->d->argv, err, err);
		fclose(err);
	}
	if (action != CONF_RUN) {
		const char *line = text != NULL ? text : "no memory to read the file";

		line += strncmp(line, "vnicd: ", 7) == 0 ? 7 : 0;
		reload_refuse(r, "%.*s", (int)strcspn(line, "\n"), line);
	}
	free(text);
	return action == CONF_RUN ? 0 : -1;
}

/* ---- the daemon is the next one ---- */

static void install(struct reload *r)
{
	struct vnicd *d = r->d, *n = r->next;
	uint64_t log_level = d->conf.global.log_level;

	d->conf = n->conf;
	change_log_level(d, log_level);
	memcpy(d->adapter, n->adapter, sizeof(d->adapter));
	memcpy(d->face, n->face, sizeof(d->face));
	for (uint32_t i = 0; i < d->conf.nb_adapters; i++)
		d->adapter[i].conf = &d->conf.adapter[i];
	for (uint32_t i = 0; i < d->conf.nb_faces; i++)
		d->face[i].conf = &d->conf.face[i];
	vnicd_peers_follow(d);
	for (uint32_t i = 0; i < d->conf.nb_adapters; i++) {
		if (r->diff.adapter_from[i] == DIFFER_NEW)
			vnicd_peers_add_adapter(d, i);
		change_adapter(d, i);
	}
	for (uint32_t i = 0; i < d->conf.nb_faces; i++) {
		if (r->diff.face_from[i] == DIFFER_NEW && vnicd_peers_add_face(d, &d->face[i]) != 0)
			say(SAY_ERROR, "face %s: no memory to watch its peer; give EAL more (-m MIB)",
			    d->conf.face[i].name);
		change_face(d, i);
	}
}

static void replan(struct vnicd *d)
{
	if (vnicd_plan_create(d) != 0) {
		say(SAY_ERROR, "%s", d->why);
		vnicd_plan_destroy(d);
	}
	atomic_store(&d->plan_runs, d->plan != NULL);
}

/* What goes is emptied and stopped, and telemetry keeps out; -1: refused, and nothing has changed. */
static int prepare(struct reload *r)
{
	const char *started;

	if (r->diff.structure && (reload_check(r) != 0 || reload_open_free(r) != 0 || reload_empty(r) != 0 ||
				  reload_stop(r) != 0))
		return -1;
	vnicd_telemetry_keep_out(r->d);
	started = r->diff.structure ? reload_started(r) : NULL;
	if (started == NULL)
		return 0;
	vnicd_telemetry_let_in();
	return reload_go_on(r, started, "somebody has started it again; reload again");
}

/* What goes for what comes; -1: it cannot come, and what has gone is there again. */
static int exchange(struct reload *r)
{
	struct vnicd *d = r->d;
	int rc;

	reload_remove(r);
	reload_place(r);
	rc = reload_open_rest(r);
	vnicd_lcores_assign(d, false);
	reload_destroy(r);
	if (rc == 0 && reload_create(r) == 0)
		return 0;
	snprintf(r->why, r->len, "%s", r->next->why);
	say_often(&refusals, SAY_ERROR, "reload refused, and what was there is made again: %s", r->why);
	reload_bring_back(r);
	return -1;
}

static int apply(struct reload *r)
{
	struct vnicd *d = r->d;
	int rc = 0;

	atomic_store(&d->plan_runs, false);
	vnicd_lcores_quiesce(d);
	vnicd_plan_end(d);
	if (r->diff.structure)
		rc = exchange(r);
	else
		reload_place(r);
	if (rc == 0)
		r->counts.changed = differ_say(d, r->next, &r->diff);
	install(r);
	replan(d);
	if (r->diff.structure)
		vnicd_lcores_assign(d, true);
	vnicd_telemetry_let_in();
	if (r->diff.structure)
		vnicd_faces_check(d);
	return rc;
}

static int run(struct reload *r)
{
	if (read_again(r) != 0)
		return -1;
	r->next->control = r->d->control;
	r->next->control_lcore = r->d->control_lcore;
	r->next->relays = r->d->relays;
	differ_find(r->d, r->next, &r->diff);
	if (prepare(r) != 0)
		return -1;
	if (apply(r) != 0)
		return -1;
	say_often(&reloads, SAY_NOTICE, "reload of %s: %u changed, %u added, %u removed", r->d->conf.path,
		  r->counts.changed, r->counts.added, r->counts.removed);
	return 0;
}

int reload_run(struct vnicd *d, struct reload_counts *counts, char *why, size_t len)
{
	struct reload *r = calloc(1, sizeof(*r));
	struct vnicd *next = calloc(1, sizeof(*next));
	int rc = -1;

	*counts = (struct reload_counts){0};
	snprintf(why, len, "no memory; free some");
	if (r != NULL) {
		*r = (struct reload){.d = d, .next = next, .why = why, .len = len,
				     .ticket = vnic_ticket_create(-1), .request = vnic_request_create(d->control)};
		if (next == NULL || r->ticket == NULL || r->request == NULL)
			reload_refuse(r, "no memory; free some, or give EAL more (-m MIB)");
		else
			rc = run(r);
		*counts = r->counts;
		vnic_ticket_destroy(r->ticket);
		vnic_request_release(r->request);
	}
	free(next);
	free(r);
	return rc;
}
