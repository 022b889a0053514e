/* SPDX-License-Identifier: BSD-3-Clause
 * config_file.c - the configuration file: its sections, lines and values
 *
 * rte_cfgfile knows neither lines nor duplicates, skips what it does not understand and
 * reports in the log. So a scan of the text finds every fault of form first and notes
 * which key stands on which line; rte_cfgfile then reads the values of the same bytes.
 */
#include "config_file.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <rte_cfgfile.h>

/* rte_cfgfile knows one comment character; devargs are free to hold a ';' */
#define COMMENT '#'

#define TITLE_MAX 64
#define NAME_CHARACTERS \
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"

_Static_assert(CONF_LINE_MAX <= CFG_NAME_LEN + CFG_VALUE_LEN, "rte_cfgfile reads a line");
_Static_assert(CONF_TEXT <= CFG_VALUE_LEN, "rte_cfgfile keeps a value");

int conf_fail(const struct conf_reader *r, int line, const char *format, ...)
{
	char text[1024];
	va_list ap;
	int n;

	if (line == CONF_COMMAND_LINE)
		n = snprintf(text, sizeof(text), "vnicd: command line: ");
	else if (line == CONF_NOWHERE)
		n = snprintf(text, sizeof(text), "vnicd: %s: ", r->conf->path);
	else
		n = snprintf(text, sizeof(text), "vnicd: %s:%d: ", r->conf->path, line);
	va_start(ap, format);
	vsnprintf(text + n, sizeof(text) - (size_t)n, format, ap);
	va_end(ap);
	/* it quotes what came from outside, which may hold line ends and escape codes */
	for (char *c = text; *c != '\0'; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = '?';
	fprintf(r->err, "%s\n", text);
	return -1;
}

char *conf_trim(char *s)
{
	size_t n = strlen(s);

	while (n > 0 && (s[n - 1] == ' ' || s[n - 1] == '\t'))
		s[--n] = '\0';
	return s + strspn(s, " \t");
}

/* ---- sections ---- */

static const char *name_of(const struct conf_section *s)
{
	return s->kind->named ? s->values : "";
}

/* "adapter a0" */
static const char *title_of(const struct conf_section *s, char title[TITLE_MAX])
{
	snprintf(title, TITLE_MAX, "%s%s%s", s->kind->name, s->kind->named ? " " : "", name_of(s));
	return title;
}

struct conf_section *conf_section_find(struct conf_reader *r, const struct conf_kind *kind,
				       const char *name)
{
	for (uint32_t i = 0; i < r->nb_sections; i++)
		if (r->section[i].kind == kind && strcmp(name_of(&r->section[i]), name) == 0)
			return &r->section[i];
	return NULL;
}

uint32_t conf_section_count(const struct conf_reader *r, const struct conf_kind *kind)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < r->nb_sections; i++)
		n += r->section[i].kind == kind;
	return n;
}

const char *conf_section_names(const struct conf_reader *r, const struct conf_kind *kind,
			       char *text)
{
	size_t n = 0;

	text[0] = '\0';
	for (uint32_t i = 0; i < r->nb_sections && n < CONF_NAMES_MAX; i++)
		if (r->section[i].kind == kind)
			n += (size_t)snprintf(text + n, CONF_NAMES_MAX - n, "%s%s",
					      n == 0 ? "" : ", ", name_of(&r->section[i]));
	return text;
}

/* One more, with its defaults; the caller has checked that there is room. */
static void section_add(struct conf_reader *r, const struct conf_kind *kind, const char *name,
			int line)
{
	struct conf_section *s = &r->section[r->nb_sections];

	s->kind = kind;
	s->line = line;
	s->values = (char *)r->conf + kind->offset + conf_section_count(r, kind) * kind->size;
	r->nb_sections++;
	if (kind->named)
		memcpy(s->values, name, strlen(name) + 1);
	for (uint32_t i = 0; i < kind->nb_options; i++)
		conf_option_default(&kind->options[i], s->values);
}

int conf_title_read(struct conf_reader *r, int line, char *title, const struct conf_kind **kind,
		    const char **name)
{
	size_t n = strcspn(title, " \t");
	char *rest = title + n;

	if (*rest != '\0')
		*rest++ = '\0';
	*name = conf_trim(rest);
	*kind = conf_kind_find(title);
	n = strlen(*name);
	if (*kind == NULL)
		return conf_fail(r, line, "unknown section [%.40s]; sections are [vnicd], "
				 "[adapter NAME], [face NAME], [plan]", title);
	if (!(*kind)->named && n != 0)
		return conf_fail(r, line, "[%s] takes no name and has '%.40s'; write [%s]", title,
				 *name, title);
	if ((*kind)->named && n == 0)
		return conf_fail(r, line, "[%s] has no name; write [%s NAME]", title, title);
	if (n >= CONF_NAME)
		return conf_fail(r, line, "name '%.40s' of %zu characters is too long; allowed: "
				 "1..%d of A-Z a-z 0-9 _ -", *name, n, CONF_NAME - 1);
	if (strspn(*name, NAME_CHARACTERS) != n)
		return conf_fail(r, line, "name '%s' has another character; allowed: 1..%d of "
				 "A-Z a-z 0-9 _ -", *name, CONF_NAME - 1);
	return 0;
}

/* ---- keys ---- */

int *conf_key_at(struct conf_section *s, const char *key)
{
	const struct conf_option *o = conf_option_find(s->kind, key);

	return o != NULL ? &s->at[o - s->kind->options] : NULL;
}

static int key_unknown(const struct conf_reader *r, int line, const struct conf_section *s,
		       const char *key)
{
	const char *nearest = conf_option_nearest(s->kind, key);
	char title[TITLE_MAX];
	char keys[CONF_NAMES_MAX];
	size_t n = 0;

	for (uint32_t i = 0; i < s->kind->nb_options && n < sizeof(keys); i++)
		n += (size_t)snprintf(keys + n, sizeof(keys) - n, "%s%s", i == 0 ? "" : ", ",
				      s->kind->options[i].key);
	return conf_fail(r, line, "unknown key '%.40s' in [%s]; %s%s%skeys are %s", key,
			 title_of(s, title), nearest != NULL ? "did you mean '" : "",
			 nearest != NULL ? nearest : "", nearest != NULL ? "'? " : "", keys);
}

int conf_value_set(struct conf_reader *r, struct conf_section *s, const char *key,
		   const char *value, int line)
{
	const struct conf_option *o = conf_option_find(s->kind, key);
	char allowed[CONF_ALLOWED_MAX];
	const char *cause;

	if (o == NULL)
		return key_unknown(r, line, s, key);
	cause = conf_option_set(o, s->values, value);
	if (cause != NULL)
		return conf_fail(r, line, "%s = %.40s%s %s; allowed: %s", key, value,
				 strlen(value) > 40 ? "..." : "", cause,
				 conf_option_allowed(o, allowed));
	s->at[o - s->kind->options] = line;
	return 0;
}

/* ---- the scan: form, lines, duplicates ---- */

static int scan_section(struct conf_reader *r, int line, char *text)
{
	char *end = strchr(text, ']');
	const struct conf_kind *kind;
	const struct conf_section *twin;
	const char *name;
	char title[TITLE_MAX];

	if (end == NULL)
		return conf_fail(r, line, "'%.40s' has no ']'; write [SECTION] or [SECTION NAME]",
				 text);
	if (end[1] != '\0')
		return conf_fail(r, line, "'%.40s' follows the ']'; give it a line of its own",
				 conf_trim(end + 1));
	*end = '\0';
	if (conf_title_read(r, line, conf_trim(text + 1), &kind, &name) < 0)
		return -1;
	twin = conf_section_find(r, kind, name);
	if (twin != NULL)
		return conf_fail(r, line, "[%s] stands on line %d already; keep one of them",
				 title_of(twin, title), twin->line);
	if (conf_section_count(r, kind) == kind->max)
		return conf_fail(r, line, "too many [%s] sections; at most %u are allowed",
				 kind->name, kind->max);
	section_add(r, kind, name, line);
	return 0;
}

static int scan_key(struct conf_reader *r, int line, char *text)
{
	struct conf_section *s = r->nb_sections > 0 ? &r->section[r->nb_sections - 1] : NULL;
	char *equals = strchr(text, '=');
	const char *key;
	const char *value;
	int *at;

	if (text[0] == ';')
		return conf_fail(r, line, "';' begins no comment; begin it with '%c'", COMMENT);
	if (s == NULL)
		return conf_fail(r, line, "'%.40s' stands before the first section; begin with "
				 "[vnicd] or [adapter NAME]", text);
	if (equals == NULL)
		return conf_fail(r, line, "'%.40s' has no '='; write KEY = VALUE", text);
	*equals = '\0';
	key = conf_trim(text);
	value = conf_trim(equals + 1);
	if (*key == '\0')
		return conf_fail(r, line, "no key before the '='; write KEY = VALUE");
	at = conf_key_at(s, key);
	if (at == NULL)
		return key_unknown(r, line, s, key);
	if (*at != CONF_NOWHERE)
		return conf_fail(r, line, "%s stands on line %d already; keep one of them", key,
				 *at);
	*at = line;
	if (*value == '\0')
		return conf_fail(r, line, "%s has no value; write %s = VALUE or leave it out", key,
				 key);
	if (strlen(value) >= CONF_TEXT)
		return conf_fail(r, line, "%s has a value of %zu characters; at most %d are "
				 "allowed", key, strlen(value), CONF_TEXT - 1);
	return 0;
}

/* Only characters of text, and a comment only where a reader sees one: rte_cfgfile cuts a
 * value at any '#'. The comment is cut off. */
static int scan_characters(struct conf_reader *r, int line, char *text, size_t n)
{
	char *comment;

	if (n > 0 && text[n - 1] == '\r')
		text[--n] = '\0';
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)text[i];

		if ((c < ' ' && c != '\t') || c == 0x7f)
			return conf_fail(r, line, "byte 0x%02x in column %zu; a configuration is "
					 "plain text, remove it", c, i + 1);
	}
	comment = strchr(text, COMMENT);
	if (comment == NULL)
		return 0;
	if (comment > text && comment[-1] != ' ' && comment[-1] != '\t')
		return conf_fail(r, line, "'%c' inside '%.40s'; put a blank before a comment, give "
				 "a value that has one by --set SECTION.KEY=VALUE", COMMENT, text);
	*comment = '\0';
	return 0;
}

static int scan_line(struct conf_reader *r, int line, const char *text, size_t n)
{
	char copy[CONF_LINE_MAX + 1];
	char *trimmed;

	if (n > CONF_LINE_MAX)
		return conf_fail(r, line, "a line of %zu characters; at most %d are allowed", n,
				 CONF_LINE_MAX);
	memcpy(copy, text, n);
	copy[n] = '\0';
	if (scan_characters(r, line, copy, n) < 0)
		return -1;
	trimmed = conf_trim(copy);
	if (*trimmed == '\0')
		return 0;
	return *trimmed == '[' ? scan_section(r, line, trimmed) : scan_key(r, line, trimmed);
}

static int scan(struct conf_reader *r, const char *text, size_t len)
{
	if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
		return conf_fail(r, 1, "the file begins with a byte order mark; save it as UTF-8 "
				 "without one");
	for (int line = 1; len > 0; line++) {
		const char *end = memchr(text, '\n', len);
		size_t n = end != NULL ? (size_t)(end - text) : len;

		if (scan_line(r, line, text, n) < 0)
			return -1;
		n += end != NULL;
		text += n;
		len -= n;
	}
	return 0;
}

/* ---- the values ---- */

/* Both readers must have seen the same keys. */
static bool is_agreed(struct conf_section *s, const struct rte_cfgfile_entry *entries, int n)
{
	int nb_scanned = 0;

	for (uint32_t i = 0; i < s->kind->nb_options; i++)
		nb_scanned += s->at[i] != CONF_NOWHERE;
	for (int e = 0; e < n; e++) {
		const int *at = conf_key_at(s, entries[e].name);

		if (at == NULL || *at == CONF_NOWHERE)
			return false;
	}
	return n == nb_scanned;
}

static int values_read(struct conf_reader *r, struct rte_cfgfile *cfg)
{
	for (uint32_t i = 0; i < r->nb_sections; i++) {
		struct conf_section *s = &r->section[i];
		struct rte_cfgfile_entry entries[CONF_KEYS_MAX];
		char title[CFG_NAME_LEN];
		int n = rte_cfgfile_section_entries_by_index(cfg, (int)i, title, entries,
							     CONF_KEYS_MAX);

		if (!is_agreed(s, entries, n))
			return conf_fail(r, s->line, "librte_cfgfile reads this section otherwise; "
					 "this is a fault of vnicd, report it");
		for (int e = 0; e < n; e++) {
			int line = *conf_key_at(s, entries[e].name);

			if (conf_value_set(r, s, entries[e].name, entries[e].value, line) < 0)
				return -1;
		}
	}
	return 0;
}

/* rte_cfgfile wants a path. A memory file with the bytes that were scanned is the same
 * text even if the file changes meanwhile, or is a pipe. */
static struct rte_cfgfile *cfgfile_load(const char *text, size_t len)
{
	const struct rte_cfgfile_parameters params = {.comment_character = COMMENT};
	struct rte_cfgfile *cfg = NULL;
	int fd = memfd_create("vnicd-config", MFD_CLOEXEC);
	char path[32];

	if (fd < 0)
		return NULL;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (write(fd, text, len) == (ssize_t)len)
		cfg = rte_cfgfile_load_with_params(path, 0, &params);
	close(fd);
	return cfg;
}

static int text_read(struct conf_reader *r, const char *text, size_t len)
{
	struct rte_cfgfile *cfg;
	int rc;

	if (scan(r, text, len) < 0)
		return -1;
	cfg = cfgfile_load(text, len);
	if (cfg == NULL)
		return conf_fail(r, CONF_NOWHERE, "librte_cfgfile cannot read a copy of it; mount "
				 "/proc and allow memfd_create");
	rc = values_read(r, cfg);
	rte_cfgfile_close(cfg);
	return rc;
}

int conf_file_read(struct conf_reader *r)
{
	char *text = malloc(CONF_FILE_MAX + 1);
	FILE *f = text != NULL ? fopen(r->conf->path, "r") : NULL;
	size_t len = f != NULL ? fread(text, 1, CONF_FILE_MAX + 1, f) : 0;
	int rc = -1;

	if (f == NULL || ferror(f))
		conf_fail(r, CONF_NOWHERE, "%s; --config needs a file that can be read",
			  strerror(errno));
	else if (len > CONF_FILE_MAX)
		conf_fail(r, CONF_NOWHERE, "larger than %d KiB; --config needs a configuration, "
			  "which has a few KiB", CONF_FILE_MAX >> 10);
	else
		rc = text_read(r, text, len);
	if (f != NULL)
		fclose(f);
	free(text);
	/* the command line can set keys of a section that the file leaves out */
	for (const struct conf_kind *kind = conf_kinds; kind < conf_kinds + CONF_KINDS; kind++)
		if (!kind->named && conf_section_count(r, kind) == 0)
			section_add(r, kind, "", CONF_NOWHERE);
	return rc;
}
