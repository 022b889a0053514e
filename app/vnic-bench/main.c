/* SPDX-License-Identifier: BSD-3-Clause
 * main.c - vnic-bench: throughput, cancel latency and interference, beside what one would use
 * instead
 */
#include "bench.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_eal.h>

#include "eal.h"
#include "plots.h"
#include "team.h"

#define PAGES_WANTED 400

static const struct command {
	const char *name;
	int (*run)(struct bench *b);
	const char *help;
} commands[] = {
	{"ring", bench_ring, "cycles that the ring costs a packet, over burst sizes and depths"},
	{"path", bench_path, "packets a second from sender to port and back, over frame sizes"},
	{"cancel", bench_cancel, "cancel latency, its stages; over depth, matches, rings; all designs"},
	{"storm", bench_storm, "throughput and gaps on the data lcore against cancels a second"},
	{"stall", bench_stall, "throughput while the control lcore stands still; too late against in-flight"},
	{"face", bench_face, "vnicd between two ports against testpmd io between the same"},
};

#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static void usage(FILE *f)
{
	fputs("usage: vnic-bench [EAL ARGS --] COMMAND [OPTIONS]\n", f);
	for (size_t i = 0; i < COMMANDS; i++)
		fprintf(f, "  %-8s %s\n", commands[i].name, commands[i].help);
	fputs("  all      each of these in turn\n"
	      "  --quick        all within a minute, coarser\n"
	      "  --seconds N    of one interleaved measurement; left out: as each thinks fit\n"
	      "  --json FILE    all figures by key\n"
	      "  --csv DIR      the raw samples\n"
	      "  --plots DIR    pictures, PNG and SVG, by gnuplot\n"
	      "  --help         this page\n"
	      "Without EAL ARGS: hugepages in memory if enough are free, up to three lcores.\n", f);
}

static int refuse(const char *what, const char *why)
{
	fprintf(stderr, "vnic-bench: %s: %s; see vnic-bench --help\n", what, why);
	return -1;
}

static bool known(const char *name)
{
	for (size_t i = 0; i < COMMANDS; i++)
		if (strcmp(commands[i].name, name) == 0)
			return true;
	return strcmp(name, "all") == 0;
}

/* 1: run; 0: nothing more to do; -1: said. */
static int read_conf(struct bench_conf *conf, int argc, char **argv)
{
	static const struct option options[] = {
		{"quick", no_argument, NULL, 'q'},        {"seconds", required_argument, NULL, 's'},
		{"json", required_argument, NULL, 'j'},   {"csv", required_argument, NULL, 'c'},
		{"plots", required_argument, NULL, 'p'},  {"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	char *end;
	int o;

	opterr = 0;
	optind = 1;
	while ((o = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (o) {
		case 'q': conf->quick = true; break;
		case 'j': conf->json = optarg; break;
		case 'c': conf->csv = optarg; break;
		case 'p': conf->plots = optarg; break;
		case 'h': usage(stdout); return 0;
		case 's':
			conf->seconds = strtod(optarg, &end);
			if (*end != '\0' || !(conf->seconds >= 0.1 && conf->seconds <= 3600))
				return refuse(optarg, "--seconds is a number from 0.1 to 3600");
			break;
		default: return refuse(argv[optind - 1], "unknown option, or its value is missing");
		}
	}
	if (optind == argc)
		return refuse("no command", "one of ring, path, cancel, storm, stall, face, all is wanted");
	if (optind + 1 < argc)
		return refuse(argv[optind + 1], "one command at a time");
	conf->command = argv[optind];
	return known(conf->command) ? 1 : refuse(conf->command, "no such command");
}

/* ---- EAL ---- */

/* What EAL gets when the user says nothing: the first three CPUs that we may use. */
static int start_by_default(char *program, char *why, size_t len)
{
	static char lcores[64], prefix[32];
	char *huge[] = {program, "--in-memory", "--no-pci", "--no-telemetry", "--log-level=lib.eal:error",
			"--lcores", lcores, NULL};
	char *none[] = {program, "--no-huge", "-m", "1024", "--file-prefix", prefix, "--no-pci",
			"--no-telemetry", "--log-level=lib.eal:error", "--lcores", lcores, NULL};
	cpu_set_t cpus;
	int at = 0, n = 0;

	CPU_ZERO(&cpus);
	sched_getaffinity(0, sizeof(cpus), &cpus);
	for (int cpu = 0; cpu < CPU_SETSIZE && n < 3; cpu++)
		if (CPU_ISSET(cpu, &cpus)) {
			at += snprintf(lcores + at, sizeof(lcores) - (size_t)at, "%s%d@%d", n == 0 ? "" : ",", n, cpu);
			n++;
		}
	snprintf(prefix, sizeof(prefix), "vnic-bench%d", (int)getpid());
	if (bench_free_pages() >= PAGES_WANTED)
		return eal_start(7, huge, why, len);
	fprintf(stderr, "vnic-bench: %ld hugepages are free, %d are wanted: without them, slower; as root: "
		"echo 512 > /proc/sys/vm/nr_hugepages\n", bench_free_pages(), PAGES_WANTED);
	return eal_start(11, none, why, len);
}

static int run_commands(struct bench *b)
{
	bool all = strcmp(b->conf.command, "all") == 0;
	int rc = 0;

	for (size_t i = 0; i < COMMANDS; i++)
		if (all || strcmp(b->conf.command, commands[i].name) == 0)
			rc |= commands[i].run(b);
	return rc;
}

int main(int argc, char **argv)
{
	int eal_argc = eal_arguments(argc, argv), rc;
	bool split = eal_argc < argc && strcmp(argv[eal_argc], "--") == 0;
	int skip = split ? eal_argc : 0;
	static struct bench b; /* large for a stack */
	char why[512];

	b.program = argv[0];
	argv[skip] = argv[0];
	rc = read_conf(&b.conf, argc - skip, argv + skip);
	if (rc <= 0)
		return rc == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
	if ((b.conf.plots != NULL && plots_check(b.conf.plots) != 0) ||
	    output_open(&b.out, b.conf.json, b.conf.csv) != 0)
		return EXIT_FAILURE;
	signal(SIGPIPE, SIG_IGN);
	if (skip > 1)
		rc = eal_start(eal_argc, argv, why, sizeof(why));
	else
		rc = start_by_default(argv[0], why, sizeof(why));
	if (rc < 0) {
		fprintf(stderr, "vnic-bench: %s\n", why);
		b.out.json = NULL; /* there is nothing to write */
		output_close(&b.out);
		return EXIT_FAILURE;
	}
	b.tsc_ghz = (double)rte_get_tsc_hz() / 1e9;
	bench_settings(&b);
	rc = run_commands(&b);
	if (rc == 0 && b.conf.plots != NULL)
		rc = plots_draw(&b, b.conf.plots);
	rc |= output_close(&b.out);
	eal_stop();
	return rc == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
