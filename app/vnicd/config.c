/* SPDX-License-Identifier: BSD-3-Clause
 * config.c - vnicd's configuration: the command line over the file, the checks of the whole
 */
#include "config.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <string.h>

#include <rte_ether.h>

#include "config_file.h"
#include "devargs.h"
#include "driver.h"
#include "ids.h"
#include "options.h"

#ifndef VNIC_VERSION
#define VNIC_VERSION "(unknown version)"
#endif

/* ---- the command line ---- */

enum { ARG_CONFIG = 'c', ARG_SET = 256, ARG_HELP, ARG_REFERENCE, ARG_VERSION, ARG_KEY };

#define ARGS_FIXED 5

static void long_options_make(struct option list[ARGS_FIXED + CONF_KEYS_MAX + 1])
{
	static const struct option fixed[ARGS_FIXED] = {
		{"config", required_argument, NULL, ARG_CONFIG},
		{"set", required_argument, NULL, ARG_SET},
		{"help", no_argument, NULL, ARG_HELP},
		{"reference", no_argument, NULL, ARG_REFERENCE},
		{"version", no_argument, NULL, ARG_VERSION}};
	const struct conf_kind *kind = &conf_kinds[CONF_KIND_GLOBAL];

	memcpy(list, fixed, sizeof(fixed));
	for (uint32_t i = 0; i < kind->nb_options; i++)
		list[ARGS_FIXED + i] = (struct option){
			kind->options[i].key, required_argument, NULL, ARG_KEY + (int)i};
	list[ARGS_FIXED + kind->nb_options] = (struct option){NULL, 0, NULL, 0};
}

/* getopt_long takes abbreviations, which mean something else when a key is added. */
static bool is_abbreviated(const char *arg, const struct option *o)
{
	size_t n = strcspn(arg, "=");

	return n != strlen(o->name) + 2 || strncmp(arg + 2, o->name, n - 2) != 0;
}

static int arg_unknown(const struct conf_reader *r, const char *arg)
{
	const char *nearest = NULL;
	char word[32];

	if (strncmp(arg, "--", 2) == 0) {
		snprintf(word, sizeof(word), "%.*s", (int)strcspn(arg + 2, "="), arg + 2);
		nearest = conf_option_nearest(&conf_kinds[CONF_KIND_GLOBAL], word);
	}
	if (nearest != NULL)
		return conf_fail(r, CONF_COMMAND_LINE, "unknown option %.40s; did you mean --%s?",
				 arg, nearest);
	return conf_fail(r, CONF_COMMAND_LINE, "unknown option %.40s; --help lists them", arg);
}

/* The next option, its argument in *value: its code, 0 at the end, -1 after conf_fail(). */
static int arg_next(const struct conf_reader *r, int argc, char **argv, const char **value)
{
	struct option list[ARGS_FIXED + CONF_KEYS_MAX + 1];
	int at = optind == 0 ? 1 : optind;
	int index = -1;
	int code;

	long_options_make(list);
	/* '+': the first word that is no option ends them; ':': no messages of its own */
	code = getopt_long(argc, argv, "+:c:", list, &index);
	*value = optarg;
	if (code == -1 && optind < argc)
		return conf_fail(r, CONF_COMMAND_LINE, "'%.40s' is no option; --help lists them",
				 argv[optind]);
	if (code == -1)
		return 0;
	if (code == ':')
		return conf_fail(r, CONF_COMMAND_LINE, "%.40s needs a value; --help describes it",
				 argv[at]);
	if (code == '?' && optopt >= ARG_SET)
		return conf_fail(r, CONF_COMMAND_LINE, "%.40s takes no value; leave it out",
				 argv[at]);
	if (code == '?' || (index >= 0 && is_abbreviated(argv[at], &list[index])))
		return arg_unknown(r, argv[at]);
	return code;
}

static int config_set(struct conf_reader *r, const char *path)
{
	if (r->conf->path[0] != '\0')
		return conf_fail(r, CONF_COMMAND_LINE, "a second --config %.40s; one file is read, "
				 "differ from it by --set SECTION.KEY=VALUE", path);
	if (*path == '\0' || strlen(path) >= CONF_TEXT)
		return conf_fail(r, CONF_COMMAND_LINE, "--config has a path of %zu characters; "
				 "allowed: 1..%d", strlen(path), CONF_TEXT - 1);
	memcpy(r->conf->path, path, strlen(path) + 1);
	return 0;
}

/* The first pass: what is to be done, and with which file. */
static enum conf_action args_first(struct conf_reader *r, int argc, char **argv, FILE *out)
{
	const char *value;
	int code;

	optind = 0; /* start over, whoever used getopt before */
	while ((code = arg_next(r, argc, argv, &value)) > 0) {
		switch (code) {
		case ARG_HELP:
			conf_help(out);
			return CONF_EXIT_OK;
		case ARG_REFERENCE:
			conf_reference(out);
			return CONF_EXIT_OK;
		case ARG_VERSION:
			fprintf(out, "vnicd %s\n", VNIC_VERSION);
			return CONF_EXIT_OK;
		case ARG_CONFIG:
			if (config_set(r, value) < 0)
				return CONF_EXIT_ERROR;
		}
	}
	if (code == 0 && r->conf->path[0] == '\0')
		code = conf_fail(r, CONF_COMMAND_LINE, "no configuration; add --config FILE, "
				 "--reference describes it");
	return code == 0 ? CONF_RUN : CONF_EXIT_ERROR;
}

/* --set SECTION.KEY=VALUE */
static int set_apply(struct conf_reader *r, const char *arg)
{
	const struct conf_kind *kind;
	const char *name;
	char title[CONF_LINE_MAX + 1];
	char names[CONF_NAMES_MAX];
	struct conf_section *s;
	char *value;
	char *key;

	if (strlen(arg) > CONF_LINE_MAX)
		return conf_fail(r, CONF_COMMAND_LINE, "--set %.40s... has %zu characters; at most "
				 "%d are allowed", arg, strlen(arg), CONF_LINE_MAX);
	memcpy(title, arg, strlen(arg) + 1);
	value = strchr(title, '=');
	if (value != NULL)
		*value++ = '\0';
	key = strchr(title, '.');
	if (value == NULL || key == NULL)
		return conf_fail(r, CONF_COMMAND_LINE, "--set %.40s has no %s; write --set "
				 "SECTION.KEY=VALUE", arg, value == NULL ? "'='" : "section");
	*key++ = '\0';
	if (conf_title_read(r, CONF_COMMAND_LINE, title, &kind, &name) < 0)
		return -1;
	s = conf_section_find(r, kind, name);
	if (s == NULL)
		return conf_fail(r, CONF_COMMAND_LINE, "no [%s %s] in the file; names there are %s",
				 kind->name, name, conf_section_names(r, kind, names));
	return conf_value_set(r, s, key, value, CONF_COMMAND_LINE);
}

/* The second pass, over what the file said. */
static int args_apply(struct conf_reader *r, int argc, char **argv)
{
	const struct conf_kind *kind = &conf_kinds[CONF_KIND_GLOBAL];
	struct conf_section *global = conf_section_find(r, kind, "");
	const char *value;
	int code;
	int rc = 0;

	optind = 0;
	while (rc == 0 && (code = arg_next(r, argc, argv, &value)) > 0) {
		if (code == ARG_SET)
			rc = set_apply(r, value);
		else if (code >= ARG_KEY)
			rc = conf_value_set(r, global, kind->options[code - ARG_KEY].key, value,
					    CONF_COMMAND_LINE);
	}
	return rc;
}

/* ---- checks of the whole ---- */

/* Where a key was given, else where its section begins. */
static int line_of(struct conf_section *s, const char *key)
{
	int at = *conf_key_at(s, key);

	return at != CONF_NOWHERE ? at : s->line;
}

/* A key that a choice of another key requires or makes meaningless. */
static int needs_check(const struct conf_reader *r, struct conf_section *s,
		       const struct conf_option *o)
{
	const struct conf_option *needs = conf_option_find(s->kind, o->needs);
	uint64_t choice = *(uint64_t *)((char *)s->values + needs->offset);
	int at = *conf_key_at(s, o->key);

	if (choice != o->needs_choice && at != CONF_NOWHERE)
		return conf_fail(r, at, "%s has no meaning with %s = %s; remove it or set %s = %s",
				 o->key, needs->key, needs->choices[choice], needs->key,
				 needs->choices[o->needs_choice]);
	if (choice == o->needs_choice && (o->flags & CONF_REQUIRED) && at == CONF_NOWHERE)
		return conf_fail(r, line_of(s, needs->key), "%s = %s needs a %s; add %s = VALUE, "
				 "%s", needs->key, needs->choices[choice], o->key, o->key, o->help);
	return 0;
}

static int section_check(const struct conf_reader *r, struct conf_section *s)
{
	for (uint32_t i = 0; i < s->kind->nb_options; i++) {
		const struct conf_option *o = &s->kind->options[i];

		if (o->needs != NULL && needs_check(r, s, o) < 0)
			return -1;
		if (o->needs == NULL && (o->flags & CONF_REQUIRED) && s->at[i] == CONF_NOWHERE)
			return conf_fail(r, s->line, "no %s in this [%s]; add %s = VALUE, %s",
					 o->key, s->kind->name, o->key, o->help);
	}
	return 0;
}

/* Does an [adapter] of that name exist? */
static int adapter_check(struct conf_reader *r, struct conf_section *s, const char *name)
{
	const struct conf_kind *adapters = &conf_kinds[CONF_KIND_ADAPTER];
	char names[CONF_NAMES_MAX];

	if (name[0] == '\0' || conf_section_find(r, adapters, name) != NULL)
		return 0;
	return conf_fail(r, line_of(s, "adapter"), "unknown adapter '%s'; adapters are %s", name,
			 conf_section_names(r, adapters, names));
}

static int ids_check(struct conf_reader *r, struct conf_section *s, struct conf_face *face)
{
	char why[CONF_TEXT];

	if (ids_read(face->id, face->rule, &face->nb_rules, why, sizeof(why)) == 0)
		return 0;
	return conf_fail(r, line_of(s, "id"), "id: %s", why);
}

/* Give every face its rules and its adapter, and no adapter more faces than it has send queues. */
static int faces_check(struct conf_reader *r)
{
	const struct conf_kind *adapters = &conf_kinds[CONF_KIND_ADAPTER];
	const struct conf_kind *faces = &conf_kinds[CONF_KIND_FACE];
	struct conf *conf = r->conf;
	uint32_t used[CONF_ADAPTERS_MAX] = {0};
	char names[CONF_NAMES_MAX];

	for (uint32_t i = 0; i < conf->nb_faces; i++) {
		struct conf_face *face = &conf->face[i];
		struct conf_section *s = conf_section_find(r, faces, face->name);
		const struct conf_section *to = conf_section_find(r, adapters, face->adapter);
		const struct conf_adapter *adapter = to != NULL ? to->values : &conf->adapter[0];

		if (ids_check(r, s, face) < 0 || adapter_check(r, s, face->adapter) < 0)
			return -1;
		if (to == NULL && conf->nb_adapters > 1)
			return conf_fail(r, s->line, "no adapter in this [face], and there are %u; "
					 "add adapter = one of %s", conf->nb_adapters,
					 conf_section_names(r, adapters, names));
		face->adapter_index = (uint32_t)(adapter - conf->adapter);
		if (++used[face->adapter_index] > adapter->queues)
			return conf_fail(r, s->line, "one face too many for adapter %s with "
					 "queues = %" PRIu64 "; raise queues or name another "
					 "adapter", adapter->name, adapter->queues);
	}
	return 0;
}

/* Who else has this address on this VLAN, on the same adapter? */
static const struct conf_face *mac_owner(const struct conf *conf, const struct conf_face *face,
					 const uint8_t mac[6])
{
	for (const struct conf_face *f = conf->face; f <= face; f++)
		for (uint32_t i = 0; i < f->nb_macs; i++)
			if (f->adapter_index == face->adapter_index && f->vlan == face->vlan &&
			    memcmp(f->macs[i], mac, 6) == 0)
				return f;
	return NULL;
}

static int macs_read(struct conf_reader *r, struct conf_section *s, struct conf_face *face)
{
	int line = line_of(s, "mac");
	char copy[CONF_TEXT];
	char *rest = copy;
	char *word;

	memcpy(copy, face->mac, sizeof(copy));
	while ((word = strsep(&rest, ",")) != NULL) {
		const struct conf_face *owner;
		struct rte_ether_addr mac;

		word = conf_trim(word);
		if (face->nb_macs == CONF_MACS_MAX)
			return conf_fail(r, line, "mac has more than %d addresses; leave some out",
					 CONF_MACS_MAX);
		if (rte_ether_unformat_addr(word, &mac) != 0 || !rte_is_valid_assigned_ether_addr(&mac))
			return conf_fail(r, line, "mac: '%.40s' is no address of one station; allowed: "
					 "02:00:00:00:00:01 and the like, separated by commas", word);
		owner = mac_owner(r->conf, face, mac.addr_bytes);
		if (owner != NULL)
			return conf_fail(r, line, "mac: %.40s on vlan = %" PRId64 " is face %s's already; give "
					 "each face its own", word, face->vlan, owner->name);
		memcpy(face->macs[face->nb_macs++], mac.addr_bytes, 6);
	}
	return 0;
}

/* What each face receives, if its adapter can. */
static int receive_check(struct conf_reader *r)
{
	for (uint32_t i = 0; i < r->conf->nb_faces; i++) {
		struct conf_face *face = &r->conf->face[i];
		struct conf_section *s = conf_section_find(r, &conf_kinds[CONF_KIND_FACE], face->name);

		if (face->mac[0] == '\0')
			continue;
		if (!conf_face_receives(r->conf, face))
			return conf_fail(r, line_of(s, "mac"), "mac has no meaning: adapter %s does not "
					 "receive; remove mac or name an adapter with a port and receive = yes",
					 r->conf->adapter[face->adapter_index].name);
		if (macs_read(r, s, face) < 0)
			return -1;
	}
	return 0;
}

/* The adapters that one names as its lower ones: any above it, so that they exist before it
 * does, and none twice. */
static int lower_read(struct conf_reader *r, struct conf_section *s, struct conf_adapter *a)
{
	const struct conf_kind *adapters = &conf_kinds[CONF_KIND_ADAPTER];
	int line = line_of(s, "lower");
	char copy[CONF_TEXT];
	char *rest = copy;
	char *word;

	memcpy(copy, a->lower, sizeof(copy));
	while ((word = strsep(&rest, ",")) != NULL) {
		const struct conf_section *to = conf_section_find(r, adapters, conf_trim(word));
		const struct conf_adapter *lower = to != NULL ? to->values : NULL;

		word = conf_trim(word);
		if (lower == NULL || lower >= a)
			return conf_fail(r, line, "lower: '%.40s' is no [adapter] above this one; name "
					 "one that is", word);
		if (a->nb_lower == CONF_LOWER_MAX)
			return conf_fail(r, line, "lower has more than %d adapters; leave some out",
					 CONF_LOWER_MAX);
		for (uint32_t i = 0; i < a->nb_lower; i++)
			if (a->lower_index[i] == (uint32_t)(lower - r->conf->adapter))
				return conf_fail(r, line, "lower names %s twice; name it once",
						 lower->name);
		a->lower_index[a->nb_lower++] = (uint32_t)(lower - r->conf->adapter);
	}
	return 0;
}

/* The adapter whose port it shares. */
static int shares_read(struct conf_reader *r, struct conf_section *s, struct conf_adapter *a)
{
	const struct conf_section *to = conf_section_find(r, &conf_kinds[CONF_KIND_ADAPTER], a->shares);
	struct conf_adapter *first = to != NULL ? to->values : NULL;

	if (first == NULL || first >= a || first->port[0] == '\0')
		return conf_fail(r, line_of(s, "shares"), "shares: '%.40s' is no [adapter] above this one "
				 "with a port; name one that is", a->shares);
	if (a->mtu != 0)
		return conf_fail(r, line_of(s, "mtu"), "mtu in an [adapter] that shares a port; set it on %s",
				 first->name);
	a->shares_index = (uint32_t)(first - r->conf->adapter);
	a->tx_queue = ++first->nb_shares;
	return 0;
}

/* Each adapter has one of a port, a share in one, and lower adapters. */
static int adapters_check(struct conf_reader *r)
{
	for (uint32_t i = 0; i < r->conf->nb_adapters; i++) {
		struct conf_adapter *a = &r->conf->adapter[i];
		struct conf_section *s = conf_section_find(r, &conf_kinds[CONF_KIND_ADAPTER], a->name);
		int edges = (a->port[0] != '\0') + (a->shares[0] != '\0') + (a->lower[0] != '\0');

		a->shares_index = i;
		if (edges == 0)
			return conf_fail(r, s->line, "no port in this [adapter]; add port = VALUE, the "
					 "lower port, or shares = ADAPTER, or lower = ADAPTER");
		if (edges > 1)
			return conf_fail(r, line_of(s, a->lower[0] != '\0' ? "lower" : "shares"),
					 "two of port, shares and lower in this [adapter]; leave one");
		if (a->shares[0] != '\0' && shares_read(r, s, a) < 0)
			return -1;
		if (a->lower[0] != '\0' && lower_read(r, s, a) < 0)
			return -1;
		if (a->lower[0] != '\0' && (a->local || a->learn))
			return conf_fail(r, line_of(s, a->local ? "local" : "learn"), "%s = yes in an "
					 "[adapter] with lower adapters; set it on one that has a port",
					 a->local ? "local" : "learn");
	}
	return 0;
}

/* The n-th port of all, adapters' before faces'; NULL: it is a layer's, who has none. */
static const char *port_of(struct conf_reader *r, uint32_t n, struct conf_section **s)
{
	struct conf *conf = r->conf;
	bool adapter = n < conf->nb_adapters;
	const char *port = adapter ? conf->adapter[n].port : conf->face[n - conf->nb_adapters].port;

	*s = adapter ? conf_section_find(r, &conf_kinds[CONF_KIND_ADAPTER], conf->adapter[n].name) :
		       conf_section_find(r, &conf_kinds[CONF_KIND_FACE],
					 conf->face[n - conf->nb_adapters].name);
	return *port != '\0' ? port : NULL;
}

/* Each port's driver is to take what it is given. */
static int drivers_check(struct conf_reader *r)
{
	char why[CONF_TEXT * 2];

	for (uint32_t i = 0; i < r->conf->nb_adapters + r->conf->nb_faces; i++) {
		struct conf_section *s;
		const char *port = port_of(r, i, &s);

		if (port != NULL && !driver_takes(port, why, sizeof(why)))
			return conf_fail(r, line_of(s, "port"), "port: %s", why);
	}
	return 0;
}

/* No two ports are to be one. */
static int ports_check(struct conf_reader *r)
{
	char what[CONF_TEXT + 16];

	for (uint32_t i = 0; i < r->conf->nb_adapters + r->conf->nb_faces; i++)
		for (uint32_t k = 0; k < i; k++) {
			struct conf_section *s, *other;
			const char *port = port_of(r, i, &s), *taken = port_of(r, k, &other);

			if (port == NULL || taken == NULL || !devargs_clash(port, taken, what, sizeof(what)))
				continue;
			return conf_fail(r, line_of(s, "port"), "port: %s is %s %s's already; give each its "
					 "own", what, other->kind->name, (const char *)other->values);
		}
	return 0;
}

static int list_read(const struct conf_reader *r, int line, struct conf_plan_section *plan)
{
	char copy[CONF_TEXT];
	char *rest = copy;
	char *word;

	memcpy(copy, plan->list, sizeof(copy));
	while ((word = strsep(&rest, ",")) != NULL) {
		uint64_t id = 0;
		int rc;

		word = conf_trim(word);
		rc = conf_number(word, CONF_HEX, &id);
		if (plan->list_len == CONF_LIST_MAX)
			return conf_fail(r, line, "list has more than %d ids; leave some out",
					 CONF_LIST_MAX);
		if (rc < 0 || id == 0)
			return conf_fail(r, line, "list: '%.40s' in place %u %s; allowed: 1..%"
					 PRIu64 ", decimal or 0x..., separated by commas", word,
					 plan->list_len + 1, rc == -EINVAL ? "is not a number" :
					 rc == -ERANGE ? "is out of range" : "marks no packet",
					 UINT64_MAX);
		plan->list_id[plan->list_len++] = id;
	}
	return 0;
}

static int whole_check(struct conf_reader *r)
{
	struct conf_section *plan = conf_section_find(r, &conf_kinds[CONF_KIND_PLAN], "");
	struct conf *conf = r->conf;

	conf->nb_adapters = conf_section_count(r, &conf_kinds[CONF_KIND_ADAPTER]);
	conf->nb_faces = conf_section_count(r, &conf_kinds[CONF_KIND_FACE]);
	if (conf->nb_adapters == 0)
		return conf_fail(r, CONF_NOWHERE, "no [adapter NAME] section; add one with a "
				 "port");
	if (conf->nb_faces == 0)
		return conf_fail(r, CONF_NOWHERE, "no [face NAME] section; add one with a port");
	for (uint32_t i = 0; i < r->nb_sections; i++)
		if (section_check(r, &r->section[i]) < 0)
			return -1;
	if (adapters_check(r) < 0 || faces_check(r) < 0 || receive_check(r) < 0 ||
	    drivers_check(r) < 0 || ports_check(r) < 0 || adapter_check(r, plan, conf->plan.adapter) < 0)
		return -1;
	return conf->plan.ids == CONF_PLAN_LIST ?
		       list_read(r, line_of(plan, "list"), &conf->plan) : 0;
}

enum conf_action conf_read(struct conf *conf, int argc, char **argv, FILE *out, FILE *err)
{
	struct conf_reader r = {.conf = conf, .err = err};
	enum conf_action action;

	memset(conf, 0, sizeof(*conf));
	action = args_first(&r, argc, argv, out);
	if (action != CONF_RUN)
		return action;
	if (conf_file_read(&r) < 0 || args_apply(&r, argc, argv) < 0 || whole_check(&r) < 0)
		return CONF_EXIT_ERROR;
	return CONF_RUN;
}
