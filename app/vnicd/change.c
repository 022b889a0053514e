/* SPDX-License-Identifier: BSD-3-Clause
 * change.c - options that are changed while vnicd runs
 */
#include "change.h"

#include <inttypes.h>
#include <string.h>

#include <rte_log.h>

#include "options.h"
#include "say.h"
#include "vnicd.h"

/* What counts from the next packet, or look at the configuration, on. */
static const struct {
	int kind;
	const char *key;
} live[] = {
	{CONF_KIND_ADAPTER, "packets_per_s"}, {CONF_KIND_ADAPTER, "bits_per_s"},
	{CONF_KIND_ADAPTER, "burst_packets"}, {CONF_KIND_FACE, "weight"},
	{CONF_KIND_FACE, "limit"},            {CONF_KIND_FACE, "cancel_limit"},
	{CONF_KIND_GLOBAL, "seconds"},        {CONF_KIND_GLOBAL, "shutdown"},
	{CONF_KIND_GLOBAL, "drain_ms"},       {CONF_KIND_GLOBAL, "progress"},
	{CONF_KIND_GLOBAL, "report"},         {CONF_KIND_GLOBAL, "log_level"},
};

bool change_is_live(int kind, const char *key)
{
	for (size_t i = 0; i < sizeof(live) / sizeof(live[0]); i++)
		if (live[i].kind == kind && strcmp(live[i].key, key) == 0)
			return true;
	return false;
}

void change_log_level(const struct vnicd *d, uint64_t was)
{
	if (d->conf.global.log_level != was)
		say_level_set((enum say_level)d->conf.global.log_level);
}

void change_adapter(struct vnicd *d, uint32_t i)
{
	const struct conf_adapter *a = &d->conf.adapter[i];
	struct vnic_pacing now, wanted = {.packets_per_s = a->packets_per_s, .bits_per_s = a->bits_per_s,
					  .burst_packets = (uint32_t)a->burst_packets};

	vnic_adapter_pacing(d->adapter[i].adapter, &now);
	if (now.packets_per_s != wanted.packets_per_s || now.bits_per_s != wanted.bits_per_s ||
	    now.burst_packets != wanted.burst_packets)
		vnic_adapter_set_pacing(d->adapter[i].adapter, &wanted);
}

void change_face(struct vnicd *d, uint32_t i)
{
	const struct conf_face *f = &d->conf.face[i];
	const struct vnic_client_limits limits = {.nbls = (uint32_t)f->limit,
						  .cancels_per_s = (uint32_t)f->cancel_limit};

	vnic_sender_set_weight(vnic_face_sender(d->face[i].face), (uint32_t)f->weight);
	vnic_client_set_limits(vnic_face_client(d->face[i].face), &limits);
}

/* ---- one option ---- */

/* Where it stands: the kind of section, and the how-manyth of it. */
struct place {
	const struct conf_kind *kind;
	uint32_t index;
};

static uint32_t count_of(const struct vnicd *d, const struct conf_kind *kind)
{
	if (!kind->named)
		return 1;
	return kind == &conf_kinds[CONF_KIND_ADAPTER] ? d->conf.nb_adapters : d->conf.nb_faces;
}

static void *values_of(struct vnicd *d, const struct place *p)
{
	return (char *)&d->conf + p->kind->offset + p->index * p->kind->size;
}

/* How many sections are meant by `section`; the last is the place. */
static uint32_t find(struct vnicd *d, const char *section, struct place *place)
{
	size_t n = strcspn(section, " \t");
	const char *name = section[n] != '\0' ? section + n + strspn(section + n, " \t") : NULL;
	uint32_t found = 0;

	for (const struct conf_kind *kind = conf_kinds; kind < conf_kinds + CONF_KINDS; kind++) {
		bool of_kind = strlen(kind->name) == n && strncmp(kind->name, section, n) == 0;

		for (uint32_t i = 0; i < count_of(d, kind); i++) {
			struct place p = {.kind = kind, .index = i};
			const char *own = kind->named ? values_of(d, &p) : NULL;
			bool meant = name == NULL ? (own == NULL ? of_kind : strcmp(own, section) == 0) :
						    of_kind && own != NULL && strcmp(own, name) == 0;

			if (meant)
				*place = p;
			found += meant;
		}
	}
	return found;
}

static int refuse_key(const struct vnicd *d, const struct conf_kind *kind, const char *key, char *why,
		      size_t len)
{
	const struct conf_option *o = conf_option_find(kind, key);
	const char *nearest = conf_option_nearest(kind, key);

	if (o == NULL)
		snprintf(why, len, "unknown key '%.40s' in [%s]%s%s%s; --reference lists them", key, kind->name,
			 nearest != NULL ? "; did you mean '" : "", nearest != NULL ? nearest : "",
			 nearest != NULL ? "'?" : "");
	else if (kind == &conf_kinds[CONF_KIND_GLOBAL])
		snprintf(why, len, "%s cannot be changed while vnicd runs; change it in %s and start vnicd "
			 "again", key, d->conf.path);
	else if (kind == &conf_kinds[CONF_KIND_PLAN])
		snprintf(why, len, "%s cannot be set; change it in %s and reload", key, d->conf.path);
	else
		snprintf(why, len, "%s cannot be set; change it in %s and reload, which removes the %s and adds "
			 "it again", key, d->conf.path, kind->name);
	return -1;
}

/* Before it counts, which may be that this line is not heard any more. */
static void say_set(const struct vnicd *d, const char *title, const char *key, const char *value)
{
	static struct say_kind lines;

	say_often(&lines, SAY_NOTICE, "%s: %s = %s from now on, set by user %u", title, key,
		  *value != '\0' ? value : "\"\"", d->asker.user);
}

static int set_log_level(const struct vnicd *d, const char *type, const char *level, char *why, size_t len)
{
	static const char *const name[RTE_LOG_MAX + 1] = {
		[RTE_LOG_EMERG] = "emergency", [RTE_LOG_ALERT] = "alert", [RTE_LOG_CRIT] = "critical",
		[RTE_LOG_ERR] = "error", [RTE_LOG_WARNING] = "warning", [RTE_LOG_NOTICE] = "notice",
		[RTE_LOG_INFO] = "info", [RTE_LOG_DEBUG] = "debug"};

	for (uint32_t i = RTE_LOG_EMERG; i <= RTE_LOG_MAX; i++)
		if (strcmp(name[i], level) == 0) {
			say_set(d, "log", type, level);
			rte_log_set_level_pattern(type, i);
			return 0;
		}
	snprintf(why, len, "log.%.40s = %.40s: the level is one of emergency, alert, critical, error, warning, "
		 "notice, info, debug, and the log type a pattern like vnicd or lib.*", type, level);
	return -1;
}

static void apply(struct vnicd *d, const struct place *p)
{
	if (p->kind == &conf_kinds[CONF_KIND_ADAPTER])
		change_adapter(d, p->index);
	else if (p->kind == &conf_kinds[CONF_KIND_FACE])
		change_face(d, p->index);
}

int change_set(struct vnicd *d, const char *section, const char *key, const char *value, char *why,
	       size_t len)
{
	char allowed[CONF_ALLOWED_MAX], title[CONF_NAME + 16];
	const struct conf_option *o;
	const char *cause;
	struct place p = {0};
	uint32_t found;

	if (strcmp(section, "log") == 0)
		return set_log_level(d, key, value, why, len);
	found = find(d, section, &p);
	if (found != 1) {
		snprintf(why, len, "%s [%.48s]; write 'adapter NAME', 'face NAME' or vnicd before the '.'",
			 found == 0 ? "no section" : "more than one section of the name", section);
		return -1;
	}
	o = conf_option_find(p.kind, key);
	if (strcmp(key, "report") == 0 && !d->asker.owner) {
		snprintf(why, len, "report: files are written by vnicd's rights: root or vnicd's user may set it");
		return -1;
	}
	if (o == NULL || !change_is_live((int)(p.kind - conf_kinds), key))
		return refuse_key(d, p.kind, key, why, len);
	vnicd_telemetry_keep_out(d);
	cause = NULL;
	if (*value == '\0' && o->type == CONF_TYPE_TEXT)
		conf_option_default(o, values_of(d, &p)); /* as if it were left out */
	else
		cause = conf_option_set(o, values_of(d, &p), value);
	vnicd_telemetry_let_in();
	if (cause != NULL) {
		snprintf(why, len, "%s = %.40s %s; allowed: %s", key, value, cause,
			 conf_option_allowed(o, allowed));
		return -1;
	}
	snprintf(title, sizeof(title), "%s%s%s", p.kind->name, p.kind->named ? " " : "",
		 p.kind->named ? (const char *)values_of(d, &p) : "");
	say_set(d, title, key, value);
	if (strcmp(key, "log_level") == 0) /* whatever the log type was set to */
		say_level_set((enum say_level)d->conf.global.log_level);
	apply(d, &p);
	return 0;
}
