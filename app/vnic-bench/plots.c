/* SPDX-License-Identifier: BSD-3-Clause
 * plots.c - pictures of the figures, by gnuplot: NAME.gp holds its data, so that anyone may
 * draw it anew
 */
#include "plots.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gnuplot.h"
#include "table.h"

#define DEPTH 65536  /* of the distribution of latencies */
#define RING_DEPTH 4096
#define RING_BURST 32
#define NS_PER_S 1e9
#define CDF_END 99.5 /* the rest is few, and squeezes all others */

/* Told apart without colour too: by dash and marker. */
static const struct line {
	const char *csv, *title, *style;
	double lw, ps;
} lines[] = {
	{"vnic", "vnic (this product)", "lc rgb '#08306b' dt 1 pt 7", 3, 1.2},
	{"list", "linked list under a spin lock", "lc rgb '#d9480f' dt (12,6) pt 9", 2, 1.4},
	{"mailbox", "mailbox to the data lcore", "lc rgb '#2b8a3e' dt (3,4) pt 4", 2, 1.3},
	{"io_uring", "io_uring async cancel", "lc rgb '#868e96' dt (14,5,3,5) pt 12", 2, 1.6},
	{"ring", "this ring", "lc rgb '#08306b' dt 1 pt 7", 3, 1.2},
	{"ring_no_index", "this ring without its index", "lc rgb '#2b8a3e' dt (3,4) pt 4", 2, 1.3},
	{"rte_ring", "rte_ring SP/SC", "lc rgb '#d9480f' dt (12,6) pt 9", 2, 1.4},
};

#define LINES (sizeof(lines) / sizeof(lines[0]))

/* A raw sample of a picture; those of one line and group become one point of it. */
struct raw {
	size_t line;
	double group, x, y;
};

struct raws {
	struct raw *raw;
	size_t nb, room;
};

/* ---- raw samples from a CSV file ---- */

/* What a picture takes from a row: false, nothing. */
typedef bool pick(char *const *cell, struct raw *raw);

static void add(struct raws *s, const struct raw *raw)
{
	if (s->nb == s->room) {
		s->room = s->room == 0 ? 4096 : 2 * s->room;
		s->raw = realloc(s->raw, s->room * sizeof(*s->raw));
		if (s->raw == NULL) {
			fprintf(stderr, "vnic-bench: no memory for the %zu samples of a picture; lower "
				"--seconds\n", s->room);
			exit(EXIT_FAILURE);
		}
	}
	s->raw[s->nb++] = *raw;
}

static int by_group(const void *a, const void *b)
{
	const struct raw *x = a, *y = b;

	if (x->line != y->line)
		return x->line < y->line ? -1 : 1;
	return (x->group > y->group) - (x->group < y->group);
}

/* The first column wanted is the design. */
static int load(struct raws *s, struct output *o, const char *name, const char *const wanted[], pick *p)
{
	struct table t;

	memset(s, 0, sizeof(*s));
	if (table_open(&t, o, name, wanted) != 0)
		return -1;
	while (table_next(&t)) {
		struct raw raw = {0};

		while (raw.line < LINES && strcmp(lines[raw.line].csv, t.cell[0]) != 0)
			raw.line++;
		if (raw.line < LINES && p(t.cell, &raw))
			add(s, &raw);
	}
	table_close(&t);
	if (s->nb != 0)
		qsort(s->raw, s->nb, sizeof(*s->raw), by_group);
	return 0;
}

static bool of_line(const struct raws *s, size_t at, size_t line)
{
	return at < s->nb && s->raw[at].line == line;
}

static size_t first_of(const struct raws *s, size_t line)
{
	size_t at = 0;

	while (at < s->nb && s->raw[at].line != line)
		at++;
	return at;
}

/* The group that begins at `at`, x and y apart; returns where the next one begins. */
static size_t group(const struct raws *s, size_t at, struct samples *x, struct samples *y)
{
	size_t end = at;

	while (of_line(s, end, s->raw[at].line) && s->raw[end].group == s->raw[at].group)
		end++;
	samples_begin(x, end - at);
	samples_begin(y, end - at);
	for (size_t i = at; i < end; i++) {
		samples_add(x, s->raw[i].x);
		samples_add(y, s->raw[i].y);
	}
	return end;
}

static void ungroup(struct samples *x, struct samples *y)
{
	samples_end(x);
	samples_end(y);
}

/* One more line of the plot, of the design's data; `thin` as a second one of it. */
static void plot(FILE *f, const char **sep, size_t l, const char *how, bool thin)
{
	fprintf(f, "%s $%s using %s %s lw %g ps %g", *sep, lines[l].csv, how, lines[l].style,
		thin ? 1 : lines[l].lw, lines[l].ps * (thin ? 0.6 : 1));
	*sep = ", \\\n    ";
}

/* ---- cancel latency ---- */

static const char *const cancel_columns[] = {"design", "load", "depth", "queues", "pattern", "matches", "ns",
					     NULL};

static bool pick_cancel(char *const *cell, struct raw *raw)
{
	raw->group = raw->x = atof(cell[2]);
	raw->y = atof(cell[6]) / NS_PER_S;
	return strcmp(cell[1], "idle") == 0 && atoi(cell[3]) == 1 && strcmp(cell[4], "scattered") != 0 &&
	       atoi(cell[5]) == 1 && raw->y > 0;
}

/* Where the samples of that depth begin, or of the depth nearest below, else of the least. */
static size_t at_depth(const struct raws *s, size_t line)
{
	size_t at = first_of(s, line), best = at;

	for (; of_line(s, at, line); at++)
		if (s->raw[at].group <= DEPTH && s->raw[at].group > s->raw[best].group)
			best = at;
	return best;
}

static void latency_cdf(FILE *f, const struct raws *s)
{
	struct samples x, y;
	const char *sep = "plot";

	for (size_t l = 0; l < LINES; l++) {
		size_t at = at_depth(s, l);

		if (!of_line(s, at, l))
			continue;
		group(s, at, &x, &y);
		fprintf(f, "$%s << EOD\n", lines[l].csv);
		for (double p = 0; p <= CDF_END; p += 0.25)
			fprintf(f, "%.6g %g\n", samples_percentile(&y, p), p);
		fprintf(f, "EOD\n");
		ungroup(&x, &y);
	}
	fprintf(f, "set logscale x\nset micro\nset format x '%%.0s %%cs'\nset mxtics 10\nset grid mxtics\n"
		"set xlabel 'from the call to the aborted NBL back at its sender'\n"
		"set ylabel 'cancels at or below, %%'\nset yrange [0:100]\nset ytics 10\n");
	for (size_t l = 0; l < LINES; l++) {
		size_t at = at_depth(s, l);

		if (!of_line(s, at, l))
			continue;
		plot(f, &sep, l, "1:2 with linespoints", false);
		fprintf(f, " pi 50 title \"%s", lines[l].title);
		if (s->raw[at].group != DEPTH)
			fprintf(f, " (%.0f deep)", s->raw[at].group);
		fprintf(f, "\"");
	}
	fprintf(f, "\n");
}

/* A little more than what was measured, on a log axis. */
static void x_range(FILE *f, const struct raws *s)
{
	double min = s->raw[0].x, max = min;

	for (size_t i = 1; i < s->nb; i++) {
		min = fmin(min, s->raw[i].x);
		max = fmax(max, s->raw[i].x);
	}
	fprintf(f, "set xrange [%.6g:%.6g]\n", min / 1.15, max * 1.15);
}

/* Ticks of a log axis that may be shorter than a decade. */
static void decimal_tics(FILE *f)
{
	static const double next[] = {2, 2.5, 2}; /* 1, 2, 5, 10 */
	double x = 1;

	fprintf(f, "set xtics (\"1\" 1");
	for (size_t i = 0; x < 1e9; i++) {
		x *= next[i % 3];
		fprintf(f, ", \"%g%s\" %g", x >= 1e6 ? x / 1e6 : x >= 1e3 ? x / 1e3 : x,
			x >= 1e6 ? "M" : x >= 1e3 ? "k" : "", x);
	}
	fprintf(f, ")\n");
}

/* Ticks at what was measured: "4k" for 4096. */
static void binary_tics(FILE *f, const struct raws *s)
{
	const char *sep = "";

	fprintf(f, "set xtics (");
	for (double x = 1; x <= (1 << 30); x *= 2) {
		size_t at = 0;

		while (at < s->nb && s->raw[at].group != x)
			at++;
		if (at == s->nb)
			continue;
		fprintf(f, "%s\"%.0f%s\" %.0f", sep, x >= 1 << 20 ? x / (1 << 20) : x >= 1024 ? x / 1024 : x,
			x >= 1 << 20 ? "M" : x >= 1024 ? "k" : "", x);
		sep = ", ";
	}
	fprintf(f, ")\n");
}

static void latency_depth(FILE *f, const struct raws *s)
{
	const char *sep = "plot";
	struct samples x, y;

	for (size_t l = 0; l < LINES; l++) {
		size_t at = first_of(s, l);

		if (!of_line(s, at, l))
			continue;
		fprintf(f, "$%s << EOD\n", lines[l].csv);
		while (of_line(s, at, l)) {
			double depth = s->raw[at].group;

			at = group(s, at, &x, &y);
			fprintf(f, "%.0f %.6g %.6g\n", depth, samples_percentile(&y, 50),
				samples_percentile(&y, 99));
			ungroup(&x, &y);
		}
		fprintf(f, "EOD\n");
	}
	fprintf(f, "set logscale xy\nset micro\nset format y '%%.0s %%cs'\nset mytics 10\nset grid mytics\n"
		"set xlabel 'NBLs queued (k = 1024)'\nset ylabel 'cancel of one, call to visible'\n");
	x_range(f, s);
	binary_tics(f, s);
	for (size_t l = 0; l < LINES; l++) {
		if (!of_line(s, first_of(s, l), l))
			continue;
		plot(f, &sep, l, "1:2 with linespoints", false);
		fprintf(f, " title \"%s\"", lines[l].title);
		plot(f, &sep, l, "1:3 with linespoints", true);
		fprintf(f, " notitle");
	}
	fprintf(f, "\n");
}

/* ---- throughput under cancels ---- */

static const char *const storm_columns[] = {"design", "cancels_per_s", "reached_per_s", "ratio", NULL};

static bool pick_storm(char *const *cell, struct raw *raw)
{
	raw->group = strcmp(cell[1], "max") == 0 ? INFINITY : atof(cell[1]);
	raw->x = atof(cell[2]);
	raw->y = atof(cell[3]);
	return raw->x >= 1; /* none at all is what the ratio is to, and no place on a log axis */
}

/* Lines of medians with the middle half of the rounds; a round that was disturbed is not to
 * squeeze all others. */
static void median_lines(FILE *f, const struct raws *s)
{
	const char *sep = "plot";
	struct samples x, y;
	double most = 0;

	for (size_t l = 0; l < LINES; l++) {
		size_t at = first_of(s, l);

		if (!of_line(s, at, l))
			continue;
		fprintf(f, "$%s << EOD\n", lines[l].csv);
		while (of_line(s, at, l)) {
			at = group(s, at, &x, &y);
			fprintf(f, "%.6g %.6g %.6g %.6g\n", samples_median(&x), samples_median(&y),
				samples_percentile(&y, 25), samples_percentile(&y, 75));
			most = fmax(most, 1.15 * samples_median(&y));
			most = fmax(most, fmin(1.05 * samples_percentile(&y, 75), 1.5 * samples_median(&y)));
			ungroup(&x, &y);
		}
		fprintf(f, "EOD\n");
	}
	fprintf(f, "set yrange [0:%.6g]\n", most);
	for (size_t l = 0; l < LINES; l++) {
		if (!of_line(s, first_of(s, l), l))
			continue;
		plot(f, &sep, l, "1:2:3:4 with yerrorlines", false);
		fprintf(f, " title \"%s\"", lines[l].title);
	}
	fprintf(f, "\n");
}

static void storm(FILE *f, const struct raws *s)
{
	fprintf(f, "set logscale x\n"
		"set xlabel 'cancels a second that were reached'\n"
		"set ylabel 'throughput, share of that without cancels'\n"
		"set arrow 1 from graph 0, first 1 to graph 1, first 1 nohead lc rgb '#868e96' lw 1 back\n");
	x_range(f, s);
	decimal_tics(f);
	median_lines(f, s);
}

/* ---- cycles of the ring ---- */

static const char *const ring_columns[] = {"design", "burst", "depth", "cycles", NULL};

static bool pick_ring(char *const *cell, struct raw *raw)
{
	raw->group = raw->x = atof(cell[1]);
	raw->y = atof(cell[3]);
	return atoi(cell[2]) == RING_DEPTH;
}

static void ring_cycles(FILE *f, const struct raws *s)
{
	fprintf(f, "set logscale x 2\nset xlabel 'packets in a burst'\n"
		"set ylabel 'TSC cycles per packet, send and transmit'\n");
	x_range(f, s);
	binary_tics(f, s);
	median_lines(f, s);
}

/* ---- pictures ---- */

static const struct picture {
	const char *name, *csv; /* which is of the command of that name */
	const char *const *columns;
	pick *pick;
	void (*draw)(FILE *f, const struct raws *s);
	const char *title, *method;
} pictures[] = {
	{"latency_cdf", "cancel", cancel_columns, pick_cancel, latency_cdf,
	 "Cancel latency: further left is better",
	 "one match among 65,536 queued, port idle; the longest 0.5 % are not drawn"},
	{"latency_depth", "cancel", cancel_columns, pick_cancel, latency_depth,
	 "Cancel latency against depth: lower and flatter is better",
	 "one match, port idle; thick line: half of the cancels at or below it (p50), thin line: 99 % (p99)"},
	{"storm", "storm", storm_columns, pick_storm, storm,
	 "Throughput while NBLs are cancelled: closer to 1 and further right is better",
	 "median and middle half of the rounds"},
	{"ring_cycles", "ring", ring_columns, pick_ring, ring_cycles,
	 "What the ring costs a packet: lower is better",
	 "depth 4096, send and transmit in one thread; median and middle half of the rounds"},
};

static const char *setting(const struct output *o, const char *key)
{
	for (unsigned int i = 0; i < o->nb_settings; i++)
		if (strcmp(o->setting[i].key, key) == 0)
			return o->setting[i].value;
	return "";
}

/* Between double quotes of gnuplot. */
static void put_quoted(FILE *f, const char *s)
{
	for (; *s != '\0'; s++)
		fputc(*s == '"' || *s == '\\' || *s == '\n' || *s == '`' ? ' ' : *s, f);
}

static void put_head(FILE *f, const struct picture *p, const struct output *o)
{
	fprintf(f, "# %s.gp - drawn by vnic-bench; anew: gnuplot %s.gp\n"
		"set encoding utf8\n"
		"set terminal pngcairo size 1000,600 font 'DejaVu Sans,12'\n"
		"set output '%s.png'\n"
		"set tmargin at screen 0.86\nset lmargin at screen 0.1\nset rmargin at screen 0.96\n"
		"set label 1 \"%s\" at screen 0.5,0.955 center font 'DejaVu Sans,15' noenhanced\n"
		"set label 2 \"%s\" at screen 0.5,0.905 center font 'DejaVu Sans,11' noenhanced\n"
		"set label 3 \"", p->name, p->name, p->name, p->title, p->method);
	put_quoted(f, setting(o, "cpu"));
	fprintf(f, "; %s run\" at screen 0.96,0.016 right font 'DejaVu Sans,8' tc rgb '#495057' noenhanced\n"
		"set bmargin at screen 0.215\n"
		"set key at screen 0.53,0.073 center horizontal maxcols 4\n"
		"set key Left reverse samplen 4 width 1 noenhanced\n"
		"set grid xtics ytics lt 1 dt 1 lc rgb '#ced4da' lw 0.8, lt 1 dt 1 lc rgb '#f1f3f5' lw 0.6\n"
		"set errorbars small\nset border 3\nset xtics nomirror\nset ytics nomirror\n",
		setting(o, "mode"));
}

static void put_foot(FILE *f, const struct picture *p)
{
	fprintf(f, "set terminal svg size 1000,600 font 'DejaVu Sans,12' background '#ffffff'\n"
		"set output '%s.svg'\nreplot\n", p->name);
}

/* Write NAME.gp. 1: done, 0: there is nothing to draw, -1: said. */
static int write_script(const struct picture *p, struct output *o, const char *folder)
{
	char path[OUTPUT_PATH + 64];
	struct raws s;
	FILE *f;
	int rc;

	if (!table_there(o, p->csv))
		return 0;
	if (load(&s, o, p->csv, p->columns, p->pick) != 0)
		return -1;
	rc = s.nb != 0;
	snprintf(path, sizeof(path), "%s/%s.gp", folder, p->name);
	f = rc == 1 ? fopen(path, "w") : NULL;
	if (f != NULL) {
		put_head(f, p, o);
		p->draw(f, &s);
		put_foot(f, p);
	}
	if (rc == 1 && (f == NULL || fclose(f) != 0)) {
		fprintf(stderr, "vnic-bench: %s: %s; --plots names a folder that may be written\n", path,
			strerror(errno));
		rc = -1;
	}
	free(s.raw);
	return rc;
}

/* ---- drawing ---- */

int plots_check(const char *folder)
{
	if ((mkdir(folder, 0777) == 0 || errno == EEXIST) && access(folder, W_OK | X_OK) == 0)
		return 0;
	fprintf(stderr, "vnic-bench: %s: %s; --plots names a folder that may be written, or made where its "
		"parent is\n", folder, strerror(errno));
	return -1;
}

static int draw(struct bench *b, const struct picture *p, const char *folder)
{
	char why[256], script[64];
	int rc = write_script(p, &b->out, folder);

	if (rc == 0)
		output_line(&b->out, "picture %s: left out, the command %s measured nothing for it in this "
			    "run", p->name, p->csv);
	if (rc <= 0)
		return rc;
	snprintf(script, sizeof(script), "%s.gp", p->name);
	if (gnuplot_run(folder, script, why, sizeof(why)) != 0) {
		fprintf(stderr, "vnic-bench: gnuplot could not draw %s/%s: %s\n", folder, script, why);
		return -1;
	}
	output_line(&b->out, "picture %s/%s.png, .svg", folder, p->name);
	return 0;
}

int plots_draw(struct bench *b, const char *folder)
{
	int rc = 0;

	if (!gnuplot_there()) {
		fprintf(stderr, "vnic-bench: no pictures: gnuplot is missing; as root: "
			"apt-get install -y gnuplot-nox\n");
		return 0;
	}
	output_line(&b->out, "%s", "");
	for (size_t i = 0; i < sizeof(pictures) / sizeof(pictures[0]); i++)
		rc |= draw(b, &pictures[i], folder);
	return rc;
}
