/* SPDX-License-Identifier: BSD-3-Clause
 * output.h - where figures go: the terminal, a JSON file, CSV files, a progress bar
 *
 * Main thread.
 */
#ifndef BENCH_OUTPUT_H
#define BENCH_OUTPUT_H

#include <stdbool.h>
#include <stdio.h>

#include "samples.h"

#define OUTPUT_PATH 512
#define OUTPUT_FIGURES_MAX 256
#define OUTPUT_SETTINGS_MAX 32
#define OUTPUT_FILES_MAX 16

struct output {
	const char *json; /* NULL: none */
	char folder[OUTPUT_PATH]; /* of the CSV files; one of our own if none is asked for */
	bool folder_ours;
	struct output_figure {
		char key[64];
		double value;
	} figure[OUTPUT_FIGURES_MAX];
	struct output_setting {
		char key[32];
		char value[160];
	} setting[OUTPUT_SETTINGS_MAX];
	struct output_file {
		char name[32];
		FILE *file;
	} file[OUTPUT_FILES_MAX];
	unsigned int nb_figures, nb_settings, nb_files;
	/* the bar */
	bool bar;
	const char *what;
	unsigned int step, steps;
};

/* Where to write; made and tried before anything is measured. -1: said on standard error. */
int output_open(struct output *o, const char *json, const char *csv);
/* Write the JSON file, close the CSV files; -1 when something could not be written. A folder
 * of our own goes. */
int output_close(struct output *o);

/* A line `# key: value`, and the same under "settings" in JSON. */
void output_setting(struct output *o, const char *key, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* A line on the terminal, past the bar. */
void output_line(struct output *o, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A figure of the JSON file; a second one of that key replaces the first. */
void output_figure(struct output *o, const char *key, double value);
/* The figure, if it has been put out. */
bool output_has(const struct output *o, const char *key, double *value);
/* What goals.c wants of the figure, and whether that is met: "goal <= 4: met"; "" if it wants
 * nothing. The text stays until the next call. */
const char *output_goal(const char *key, double value);

/* The file NAME.csv, begun with this header the first time. Numbers in a row have no blanks. */
FILE *output_csv(struct output *o, const char *name, const char *header);

/* The heads of a table of latencies, and a row: count, p50, p90, p99, p99.9, max in us. */
void output_latency_head(struct output *o, const char *title);
void output_latency_row(struct output *o, const char *label, struct samples *ns);

/* A bar on standard error, if that is a terminal: `what` is done in so many steps. */
void output_progress(struct output *o, const char *what, unsigned int steps);
void output_step(struct output *o);

#endif
