/* SPDX-License-Identifier: BSD-3-Clause
 * differ.c - what one configuration has that another has not
 */
#include "differ.h"

#include <inttypes.h>
#include <string.h>

#include "change.h"
#include "options.h"
#include "say.h"
#include "vnicd.h"

static struct say_kind changes, kept;

static bool same(const struct conf_option *o, const void *was, const void *is)
{
	const char *a = (const char *)was + o->offset, *b = (const char *)is + o->offset;

	return o->type == CONF_TYPE_TEXT ? strcmp(a, b) == 0 : memcmp(a, b, sizeof(uint64_t)) == 0;
}

/* Keys whose meaning is compared, not their words; and one that only the reading looks at. */
static bool is_resolved(int kind, const char *key)
{
	return strcmp(key, kind == CONF_KIND_ADAPTER ? "queues" : "adapter") == 0;
}

/* The first key that differs and cannot change while it runs; NULL: none. */
static const char *key_apart(int kind, const void *was, const void *is)
{
	for (uint32_t i = 0; i < conf_kinds[kind].nb_options; i++) {
		const struct conf_option *o = &conf_kinds[kind].options[i];

		if (!same(o, was, is) && !change_is_live(kind, o->key) && !is_resolved(kind, o->key))
			return o->key;
	}
	return NULL;
}

/* Is the new one's adapter the one that the old one had, still there? */
static bool same_adapter(const struct differ *diff, uint32_t was, uint32_t is)
{
	return diff->adapter_from[is] == (int32_t)was;
}

/* Why adapter `from`, which runs, cannot be the i-th of the new ones; NULL: it can. */
static const char *adapter_apart(const struct vnicd *d, const struct vnicd *next,
				 const struct differ *diff, uint32_t from, uint32_t i)
{
	const struct conf_adapter *was = &d->conf.adapter[from], *is = &next->conf.adapter[i];
	const char *key = key_apart(CONF_KIND_ADAPTER, was, is);

	if (key != NULL)
		return key;
	if (is->shares[0] != '\0' &&
	    (!same_adapter(diff, was->shares_index, is->shares_index) || is->tx_queue != was->tx_queue))
		return "the port that it shares";
	for (uint32_t k = 0; k < is->nb_lower; k++)
		if (!same_adapter(diff, was->lower_index[k], is->lower_index[k]))
			return "an adapter below it";
	if (is->port[0] != '\0' && is->nb_shares > d->adapter[from].nb_shares)
		return "the number of those that share its port";
	if (vnicd_adapter_receives(next, i) && !d->adapter[from].receives)
		return "it begins to receive";
	return NULL;
}

static const char *face_apart(const struct vnicd *d, const struct vnicd *next,
			      const struct differ *diff, uint32_t from, uint32_t i)
{
	const struct conf_face *was = &d->conf.face[from], *is = &next->conf.face[i];
	const char *key = key_apart(CONF_KIND_FACE, was, is);

	if (key != NULL)
		return key;
	if (!same_adapter(diff, was->adapter_index, is->adapter_index))
		return "its adapter";
	return conf_face_receives(&d->conf, was) == conf_face_receives(&next->conf, is) ? NULL : "receive";
}

static void find_adapters(const struct vnicd *d, const struct vnicd *next, struct differ *diff)
{
	for (uint32_t i = 0; i < next->conf.nb_adapters; i++) {
		diff->adapter_from[i] = DIFFER_NEW;
		for (uint32_t k = 0; k < d->conf.nb_adapters; k++) {
			if (strcmp(d->conf.adapter[k].name, next->conf.adapter[i].name) != 0)
				continue;
			diff->adapter_why[i] = adapter_apart(d, next, diff, k, i);
			diff->adapter_stays[k] = diff->adapter_why[i] == NULL;
			diff->adapter_from[i] = diff->adapter_stays[k] ? (int32_t)k : DIFFER_NEW;
		}
		diff->structure |= diff->adapter_from[i] == DIFFER_NEW;
	}
}

static void find_faces(const struct vnicd *d, const struct vnicd *next, struct differ *diff)
{
	for (uint32_t i = 0; i < next->conf.nb_faces; i++) {
		diff->face_from[i] = DIFFER_NEW;
		for (uint32_t k = 0; k < d->conf.nb_faces; k++) {
			if (strcmp(d->conf.face[k].name, next->conf.face[i].name) != 0)
				continue;
			diff->face_why[i] = face_apart(d, next, diff, k, i);
			diff->face_stays[k] = diff->face_why[i] == NULL;
			diff->face_from[i] = diff->face_stays[k] ? (int32_t)k : DIFFER_NEW;
		}
		diff->structure |= diff->face_from[i] == DIFFER_NEW;
	}
}

void differ_find(const struct vnicd *d, const struct vnicd *next, struct differ *diff)
{
	*diff = (struct differ){.plan = memcmp(&d->conf.plan, &next->conf.plan, sizeof(d->conf.plan)) != 0};
	/* an adapter's port, and those below it, stand before it */
	find_adapters(d, next, diff);
	find_faces(d, next, diff);
	for (uint32_t k = 0; k < d->conf.nb_adapters; k++)
		diff->structure |= !diff->adapter_stays[k];
	for (uint32_t k = 0; k < d->conf.nb_faces; k++)
		diff->structure |= !diff->face_stays[k];
}

/* ---- what is said of it ---- */

static uint32_t say_live(int kind, const void *was, const void *is, const char *title)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < conf_kinds[kind].nb_options; i++) {
		const struct conf_option *o = &conf_kinds[kind].options[i];
		const char *at = (const char *)is + o->offset;

		if (same(o, was, is) || !change_is_live(kind, o->key))
			continue;
		n++;
		if (o->type == CONF_TYPE_U64)
			say_often(&changes, SAY_NOTICE, "%s: %s = %" PRIu64 " from now on", title, o->key,
				  *(const uint64_t *)(const void *)at);
		else
			say_often(&changes, SAY_NOTICE, "%s: %s = %s from now on", title, o->key,
				  o->type == CONF_TYPE_TEXT ? at : o->choices[*(const uint64_t *)(const void *)at]);
	}
	return n;
}

static void keep_fixed(const struct vnicd *d, struct vnicd *next)
{
	const struct conf_kind *kind = &conf_kinds[CONF_KIND_GLOBAL];
	const char *was = (const char *)&d->conf.global;
	char *is = (char *)&next->conf.global;

	for (uint32_t i = 0; i < kind->nb_options; i++) {
		const struct conf_option *o = &kind->options[i];

		if (same(o, was, is) || change_is_live(CONF_KIND_GLOBAL, o->key))
			continue;
		say_often(&kept, SAY_WARNING, "%s cannot change while vnicd runs, and stays as it is; start vnicd "
			  "again for it", o->key);
		memcpy(is + o->offset, was + o->offset, o->type == CONF_TYPE_TEXT ? o->max + 1 : sizeof(uint64_t));
	}
}

uint32_t differ_say(const struct vnicd *d, struct vnicd *next, const struct differ *diff)
{
	uint32_t n = say_live(CONF_KIND_GLOBAL, &d->conf.global, &next->conf.global, "vnicd") + diff->plan;
	char title[CONF_NAME + 16];

	keep_fixed(d, next);
	for (uint32_t i = 0; i < next->conf.nb_adapters; i++) {
		snprintf(title, sizeof(title), "adapter %s", next->conf.adapter[i].name);
		if (diff->adapter_from[i] != DIFFER_NEW)
			n += say_live(CONF_KIND_ADAPTER, &d->conf.adapter[diff->adapter_from[i]],
				      &next->conf.adapter[i], title);
	}
	for (uint32_t i = 0; i < next->conf.nb_faces; i++) {
		snprintf(title, sizeof(title), "face %s", next->conf.face[i].name);
		if (diff->face_from[i] != DIFFER_NEW)
			n += say_live(CONF_KIND_FACE, &d->conf.face[diff->face_from[i]], &next->conf.face[i],
				      title);
	}
	return n;
}
