/* SPDX-License-Identifier: BSD-3-Clause
 * settings.c - what the figures depend on
 */
#include "bench.h"

#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_lcore.h>
#include <rte_malloc.h>
#include <rte_version.h>

#include "design.h"
#include "team.h"

static void cpu_model(struct bench *b)
{
	FILE *f = fopen("/proc/cpuinfo", "r");
	char line[256], *name = NULL;

	while (f != NULL && name == NULL && fgets(line, sizeof(line), f) != NULL)
		if (strncmp(line, "model name", 10) == 0 || strncmp(line, "Processor", 9) == 0)
			name = strchr(line, ':');
	if (f != NULL)
		fclose(f);
	if (name != NULL)
		name[strcspn(name, "\n")] = '\0';
	output_setting(&b->out, "cpu", "%s, %u lcores of %ld CPUs, TSC %.2f GHz",
		       name != NULL ? name + 2 : "unknown", rte_lcore_count(), sysconf(_SC_NPROCESSORS_ONLN),
		       b->tsc_ghz);
}

/* The first words of a file, "" without it. */
static const char *first_line(const char *path, char *text, size_t len)
{
	FILE *f = fopen(path, "r");

	text[0] = '\0';
	if (f != NULL && fgets(text, (int)len, f) != NULL)
		text[strcspn(text, "\n")] = '\0';
	if (f != NULL)
		fclose(f);
	return text;
}

static void memory(struct bench *b)
{
	struct rte_malloc_socket_stats s;
	size_t total = 0;

	for (unsigned int i = 0; i < rte_socket_count(); i++)
		if (rte_malloc_get_socket_stats(rte_socket_id_by_idx(i), &s) == 0)
			total += s.heap_totalsz_bytes;
	output_setting(&b->out, "memory", "%s, %zu MB in use now, %u NUMA node%s, app on node %u",
		       rte_eal_has_hugepages() ? "hugepages" : "no hugepages, slower", total >> 20,
		       rte_socket_count(), rte_socket_count() == 1 ? "" : "s", rte_socket_id());
}

void bench_settings(struct bench *b)
{
	char governor[64], virtual[64];
	struct utsname u;

	uname(&u);
	cpu_model(b);
	first_line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", governor, sizeof(governor));
	first_line("/sys/hypervisor/type", virtual, sizeof(virtual));
	output_setting(&b->out, "clock", "governor %s", governor[0] != '\0' ? governor : "not to be seen from here");
	output_setting(&b->out, "software", "%s %s, %s, vnic-bench " VNIC_VERSION ", compiler " __VERSION__,
		       u.sysname, u.release, rte_version());
	output_setting(&b->out, "roles", "%s", team_text());
	memory(b);
	output_setting(&b->out, "sizes", "burst %d, NBL %zu bytes, rounds %u", DESIGN_BURST,
		       sizeof(struct vnic_nbl) + sizeof(void *), bench_rounds(b));
	output_setting(&b->out, "mode", "%s", b->conf.quick ? "quick" : "full");
}

long bench_free_pages(void)
{
	FILE *f = fopen("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "r");
	long n = 0;

	if (f != NULL && fscanf(f, "%ld", &n) != 1)
		n = 0;
	if (f != NULL)
		fclose(f);
	return n;
}
