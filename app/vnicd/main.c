/* SPDX-License-Identifier: BSD-3-Clause
 * main.c - vnicd: a virtual NIC whose queued packets can be cancelled by id
 */
#include "vnicd.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <rte_eal.h>

#include "capture.h"
#include "check.h"
#include "eal.h"
#include "machine.h"
#include "reload.h"
#include "say.h"

static volatile sig_atomic_t signals, hangups;

static void on_signal(int number)
{
	(void)number;
	signals = signals < 2 ? signals + 1 : 2;
}

static void on_hangup(int number)
{
	(void)number;
	hangups = 1;
}

bool vnicd_ending(void)
{
	return signals > 0;
}

bool vnicd_hurried(void)
{
	return signals > 1;
}

static int signals_catch(struct vnicd *d)
{
	struct sigaction act = {.sa_handler = on_signal}, hangup = {.sa_handler = on_hangup};

	(void)d;
	sigaction(SIGINT, &act, NULL);
	sigaction(SIGTERM, &act, NULL);
	sigaction(SIGHUP, &hangup, NULL);
	/* a peer's socket or our reader may close first: their calls fail, we go on */
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN); /* a capture's file may not grow: likewise */
	return 0;
}

/* What must be there before traffic, in this order; undone in reverse. Peers and ports are closed
 * before that, and the last two end in serve(), before the account. */
static const struct {
	int (*up)(struct vnicd *d);
	void (*down)(struct vnicd *d);
} steps[] = {
	{signals_catch, NULL},
	{vnicd_lcores_choose, NULL},
	{vnicd_pdump_start, vnicd_pdump_stop},
	{vnicd_ports_open, NULL},
	{vnicd_adapters_create, vnicd_adapters_destroy},
	{vnicd_faces_create, vnicd_faces_destroy},
	{vnicd_peers_open, NULL},
	{vnicd_plan_create, vnicd_plan_destroy},
	{vnicd_socket_open, vnicd_socket_close},
	{vnicd_telemetry_start, NULL},
	{vnicd_lcores_start, NULL},
};

#define NAP_MS 5
#define STEPS (sizeof(steps) / sizeof(steps[0]))

static double now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* What came of it is in the log. */
static void reload(struct vnicd *d)
{
	struct reload_counts counts;
	char why[VNICD_LINE];

	hangups = 0;
	reload_run(d, &counts, why, sizeof(why));
}

void vnicd_attend(struct vnicd *d, int wait_ms)
{
	const struct timespec nap = {.tv_nsec = wait_ms * 1000000L};

	vnicd_links_pass(d);
	vnicd_states_tell(d);
	vnicd_capture_poll(d);
	if (vnicd_socket_poll(d, wait_ms))
		wait_ms = 0;
	if (!vnicd_peers_poll(d, wait_ms) && wait_ms != 0)
		nanosleep(&nap, NULL);
}

/* Until the time is over or a signal comes: a line per second, and the main lcore's own
 * share of polling where EAL has no lcore to spare. */
static void run(struct vnicd *d)
{
	double start = now_s();
	uint64_t second = 1;

	while (signals == 0) {
		double passed = now_s() - start;

		if (passed >= (double)second) {
			if (d->conf.global.progress)
				vnicd_report_progress(d, second);
			if (second >= d->conf.global.seconds && d->conf.global.seconds != 0)
				return;
			second++;
		}
		if (hangups != 0)
			reload(d);
		vnicd_attend(d, vnicd_lcores_main_polls(d) ? 0 : NAP_MS);
		vnicd_socket_change(d);
		for (uint32_t i = 0; vnicd_lcores_main_polls(d) && i < 1000; i++)
			vnicd_lcores_poll_main(d);
	}
}

/* The command line. */
struct words_given {
	int eal_argc, argc;
	char **eal_argv, **argv; /* each begins with the program's name */
};

static int serve(struct vnicd *d, const struct words_given *w)
{
	size_t up = 0;
	bool good = false;

	while (up < STEPS && steps[up].up(d) == 0)
		up++;
	if (up == STEPS) {
		check_start(&d->conf, w->eal_argc, w->eal_argv, w->argc, w->argv);
		run(d);
		vnicd_telemetry_stop(d);
		vnicd_socket_end(d);
		vnicd_shutdown(d);
		vnicd_socket_close(d);
		vnicd_capture_close(d);
		vnicd_lcores_stop(d);
		good = vnicd_report_final(d);
	} else {
		vnicd_telemetry_stop(d);
		say(SAY_ERROR, "%s", d->why);
		up++; /* a step that failed half-way is undone too */
	}
	vnicd_peers_close(d); /* it listens to the ports' events */
	vnicd_ports_close(d);
	while (up-- > 0)
		if (steps[up].down != NULL)
			steps[up].down(d);
	return good ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
	int eal_argc = eal_arguments(argc, argv), rc;
	bool split = eal_argc < argc && strcmp(argv[eal_argc], "--") == 0;
	int skip = split ? eal_argc : 0;
	struct vnicd *d = calloc(1, sizeof(*d));
	char *given[argc + 1]; /* EAL writes into argv */

	if (d == NULL) {
		say(SAY_ERROR, "no memory; end some programs");
		return EXIT_FAILURE;
	}
	argv[skip] = argv[0];
	memcpy(given, argv, ((size_t)argc + 1) * sizeof(*given));
	d->argc = argc - skip;
	d->argv = given + skip;
	if (check_asked(argc - skip, argv + skip)) {
		rc = check_main(eal_argc, argv, argc - skip, argv + skip);
		goto out;
	}
	switch (conf_read(&d->conf, argc - skip, argv + skip, stdout, stderr)) {
	case CONF_EXIT_OK: rc = EXIT_SUCCESS; goto out;
	case CONF_EXIT_ERROR: rc = EXIT_FAILURE; goto out;
	case CONF_RUN: break;
	}
	say_level_set((enum say_level)d->conf.global.log_level); /* EAL's --log-level comes over it */
	machine_cpus_keep();
	if (eal_start(eal_argc, argv, d->why, sizeof(d->why)) < 0) {
		say(SAY_ERROR, "%s", d->why);
		rc = EXIT_FAILURE;
		goto out;
	}
	rc = serve(d, &(struct words_given){eal_argc, argc - skip, given, given + skip});
	eal_stop();
out:
	free(d);
	return rc;
}
