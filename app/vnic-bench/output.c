/* SPDX-License-Identifier: BSD-3-Clause
 * output.c - where figures go: the terminal, a JSON file, CSV files, a progress bar
 */
#include "output.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "goals.h"

#define BAR_CHARS 30

/* ---- files ---- */

static int cannot(const char *path, const char *cure)
{
	fprintf(stderr, "vnic-bench: %s: %s; %s\n", path, strerror(errno), cure);
	return -1;
}

static int try_folder(struct output *o, const char *csv)
{
	const char *tmp = getenv("TMPDIR");

	if (csv == NULL) {
		snprintf(o->folder, sizeof(o->folder), "%s/vnic-bench-XXXXXX", tmp != NULL ? tmp : "/tmp");
		o->folder_ours = mkdtemp(o->folder) != NULL;
		return o->folder_ours ? 0 : cannot(o->folder, "set TMPDIR, or name a folder with --csv");
	}
	snprintf(o->folder, sizeof(o->folder), "%s", csv);
	if (mkdir(csv, 0777) != 0 && errno != EEXIST)
		return cannot(csv, "--csv names a folder whose parent exists and may be written");
	if (access(csv, W_OK | X_OK) != 0)
		return cannot(csv, "--csv names a folder that may be written");
	return 0;
}

int output_open(struct output *o, const char *json, const char *csv)
{
	FILE *f;

	memset(o, 0, sizeof(*o));
	o->json = json;
	o->bar = isatty(STDERR_FILENO);
	if (json != NULL) {
		f = fopen(json, "a"); /* what is there is replaced only by a whole one */
		if (f == NULL)
			return cannot(json, "--json names a file that may be written");
		fclose(f);
	}
	return try_folder(o, csv);
}

FILE *output_csv(struct output *o, const char *name, const char *header)
{
	char path[OUTPUT_PATH + 64];
	struct output_file *f;

	for (unsigned int i = 0; i < o->nb_files; i++)
		if (strcmp(o->file[i].name, name) == 0)
			return o->file[i].file;
	f = &o->file[o->nb_files];
	snprintf(path, sizeof(path), "%s/%s.csv", o->folder, name);
	f->file = o->nb_files < OUTPUT_FILES_MAX ? fopen(path, "w") : NULL;
	if (f->file == NULL) {
		cannot(path, "--csv names a folder that may be written");
		exit(EXIT_FAILURE);
	}
	snprintf(f->name, sizeof(f->name), "%s", name);
	o->nb_files++;
	fprintf(f->file, "%s\n", header);
	return f->file;
}

static void put_string(FILE *f, const char *s)
{
	fputc('"', f);
	for (; *s != '\0'; s++)
		if (*s == '"' || *s == '\\')
			fprintf(f, "\\%c", *s);
		else if ((unsigned char)*s >= 0x20)
			fputc(*s, f);
	fputc('"', f);
}

static int write_json(const struct output *o)
{
	FILE *f = fopen(o->json, "w");

	if (f == NULL)
		return cannot(o->json, "--json names a file that may be written");
	fprintf(f, "{\n  \"settings\": {");
	for (unsigned int i = 0; i < o->nb_settings; i++) {
		fprintf(f, "%s\n    ", i == 0 ? "" : ",");
		put_string(f, o->setting[i].key);
		fprintf(f, ": ");
		put_string(f, o->setting[i].value);
	}
	fprintf(f, "\n  }");
	for (unsigned int i = 0; i < o->nb_figures; i++) {
		fprintf(f, ",\n  ");
		put_string(f, o->figure[i].key);
		fprintf(f, ": %.6g", o->figure[i].value);
	}
	fprintf(f, "\n}\n");
	return fclose(f) == 0 ? 0 : cannot(o->json, "is its disk full?");
}

int output_close(struct output *o)
{
	char path[OUTPUT_PATH + 64];
	int rc = o->json != NULL ? write_json(o) : 0;

	for (unsigned int i = 0; i < o->nb_files; i++) {
		snprintf(path, sizeof(path), "%s/%s.csv", o->folder, o->file[i].name);
		if (fclose(o->file[i].file) != 0)
			rc = cannot(path, "is its disk full?");
		if (o->folder_ours)
			unlink(path);
	}
	if (o->folder_ours)
		rmdir(o->folder);
	return rc;
}

/* ---- the terminal ---- */

static void clear_bar(const struct output *o)
{
	if (o->bar && o->steps != 0) {
		fprintf(stderr, "\r\033[K");
		fflush(stderr);
	}
}

static void draw_bar(const struct output *o)
{
	int full = o->steps != 0 ? (int)(o->step * BAR_CHARS / o->steps) : 0;

	if (!o->bar || o->steps == 0)
		return;
	fflush(stdout);
	fprintf(stderr, "\r  %-7s [%.*s%*s] %u/%u ", o->what, full, "##############################",
		BAR_CHARS - full, "", o->step, o->steps);
	fflush(stderr);
}

void output_progress(struct output *o, const char *what, unsigned int steps)
{
	clear_bar(o);
	o->what = what;
	o->step = 0;
	o->steps = steps;
	draw_bar(o);
}

void output_step(struct output *o)
{
	if (o->step < o->steps)
		o->step++;
	draw_bar(o);
	if (o->step == o->steps) {
		clear_bar(o);
		o->steps = 0;
	}
}

void output_line(struct output *o, const char *format, ...)
{
	va_list args;

	clear_bar(o);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
	fflush(stdout);
	draw_bar(o);
}

void output_setting(struct output *o, const char *key, const char *format, ...)
{
	struct output_setting *s = &o->setting[o->nb_settings];
	va_list args;

	if (o->nb_settings == OUTPUT_SETTINGS_MAX)
		return;
	o->nb_settings++;
	snprintf(s->key, sizeof(s->key), "%s", key);
	va_start(args, format);
	vsnprintf(s->value, sizeof(s->value), format, args);
	va_end(args);
	output_line(o, "# %s: %s", s->key, s->value);
}

void output_latency_head(struct output *o, const char *title)
{
	output_line(o, "\n%-36s %8s %9s %9s %9s %9s %9s", title, "count", "p50", "p90", "p99", "p99.9",
		    "max");
}

void output_latency_row(struct output *o, const char *label, struct samples *ns)
{
	output_line(o, "  %-34s %8zu %9.2f %9.2f %9.2f %9.2f %9.2f", label, ns->nb,
		    samples_percentile(ns, 50) / 1e3, samples_percentile(ns, 90) / 1e3,
		    samples_percentile(ns, 99) / 1e3, samples_percentile(ns, 99.9) / 1e3,
		    samples_max(ns) / 1e3);
}

/* ---- figures ---- */

void output_figure(struct output *o, const char *key, double value)
{
	unsigned int i = 0;

	while (i < o->nb_figures && strcmp(o->figure[i].key, key) != 0)
		i++;
	if (i == OUTPUT_FIGURES_MAX || !isfinite(value)) {
		fprintf(stderr, "vnic-bench: the figure %s is no number: this is a bug\n", key);
		exit(EXIT_FAILURE);
	}
	o->nb_figures += i == o->nb_figures;
	snprintf(o->figure[i].key, sizeof(o->figure[i].key), "%s", key);
	o->figure[i].value = value;
}

bool output_has(const struct output *o, const char *key, double *value)
{
	for (unsigned int i = 0; i < o->nb_figures; i++)
		if (strcmp(o->figure[i].key, key) == 0) {
			*value = o->figure[i].value;
			return true;
		}
	return false;
}

const char *output_goal(const char *key, double value)
{
	const struct goal *g = goal_find(key);
	static char text[96];

	text[0] = '\0';
	if (g != NULL)
		snprintf(text, sizeof(text), "goal %s %g%s: %s", g->at_most ? "<=" : ">=", g->limit,
			 g->unit, goal_met(g, value) ? "met" : "missed");
	return text;
}
