/* SPDX-License-Identifier: BSD-3-Clause
 * eal.c - EAL for a test program: once per process, nothing shared, no hugepages
 */
#include "eal.h"

#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_errno.h>

#include "handover.h"

#define MEGABYTES 256
#define CPUS_TEXT 512

static bool running;

/* "0@(0,1,...)": lcore 0 on any of the CPUs that this process may use. */
static void float_lcore(char text[CPUS_TEXT])
{
	cpu_set_t set;
	int at = snprintf(text, CPUS_TEXT, "0@(");
	const char *comma = "";

	if (sched_getaffinity(0, sizeof(set), &set) != 0)
		CPU_SET(0, &set);
	for (int cpu = 0; cpu < CPU_SETSIZE && at < CPUS_TEXT - 8; cpu++) {
		if (!CPU_ISSET(cpu, &set))
			continue;
		at += snprintf(text + at, (size_t)(CPUS_TEXT - at), "%s%d", comma, cpu);
		comma = ",";
	}
	snprintf(text + at, (size_t)(CPUS_TEXT - at), ")");
}

int test_eal_start(unsigned int megabytes)
{
	char lcores[CPUS_TEXT], memory[16], prefix[32];
	char *argv[] = {"test", "--lcores", lcores, "--no-huge", "-m", memory, "--no-pci",
			"--no-telemetry", "--no-shconf", "--file-prefix", prefix,
			"--log-level", "error", NULL};

	if (running)
		return 0;
	float_lcore(lcores);
	snprintf(memory, sizeof(memory), "%u", megabytes);
	snprintf(prefix, sizeof(prefix), "vnic_test_%d", (int)getpid());
	if (rte_eal_init((int)(sizeof(argv) / sizeof(argv[0])) - 1, argv) < 0) {
		fprintf(stderr, "EAL does not start: %s\n", rte_strerror(rte_errno));
		return -1;
	}
	running = true;
	handover_by_mempools();
	return 0;
}

int test_eal_setup(void **state)
{
	(void)state;
	return test_eal_start(MEGABYTES);
}

int test_eal_teardown(void **state)
{
	(void)state;
	return rte_eal_cleanup();
}
