/* SPDX-License-Identifier: BSD-3-Clause
 * arguments.c - what EAL's arguments ask for
 */
#include "arguments.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	NO_HUGE = 256,
	IN_MEMORY,
	NO_PCI,
	NO_SHCONF,
	SINGLE_FILE,
	SOCKET_MEM,
	PREFIX,
	HUGE_DIR,
	LCORES,
	MAIN_LCORE
};

static const struct option options[] = {
	{"no-huge", no_argument, NULL, NO_HUGE},
	{"in-memory", no_argument, NULL, IN_MEMORY},
	{"no-pci", no_argument, NULL, NO_PCI},
	{"no-shconf", no_argument, NULL, NO_SHCONF},
	{"single-file-segments", no_argument, NULL, SINGLE_FILE},
	{"socket-mem", required_argument, NULL, SOCKET_MEM},
	{"file-prefix", required_argument, NULL, PREFIX},
	{"huge-dir", required_argument, NULL, HUGE_DIR},
	{"lcores", required_argument, NULL, LCORES},
	{"main-lcore", required_argument, NULL, MAIN_LCORE},
	{NULL, 0, NULL, 0},
};

/* ---- lcores ---- */

static void add_lcore(struct arguments *a, unsigned long id, const cpu_set_t *cpus)
{
	if (id >= RTE_MAX_LCORE)
		return;
	for (uint32_t i = 0; i < a->nb_lcores; i++)
		if (a->lcore[i].id == id) {
			a->lcore[i].cpus = *cpus;
			return;
		}
	a->lcore[a->nb_lcores].id = (unsigned int)id;
	a->lcore[a->nb_lcores++].cpus = *cpus;
}

/* Each of them on the CPU of its number. */
static void add_same(struct arguments *a, const cpu_set_t *ids)
{
	for (int id = 0; id < CPU_SETSIZE; id++) {
		cpu_set_t cpu;

		CPU_ZERO(&cpu);
		CPU_SET(id, &cpu);
		if (CPU_ISSET(id, ids))
			add_lcore(a, (unsigned long)id, &cpu);
	}
}

/* One set, "3", "3-5" or "(3,5-7)", at *text, which is moved on. */
static void read_set(const char **text, cpu_set_t *set)
{
	char copy[256];
	size_t n;

	if (**text == '(') {
		n = strcspn(++*text, ")");
		snprintf(copy, sizeof(copy), "%.*s", (int)n, *text);
		*text += n + ((*text)[n] == ')');
	} else {
		n = strcspn(*text, "@,");
		snprintf(copy, sizeof(copy), "%.*s", (int)n, *text);
		*text += n;
	}
	cpus_read(set, copy);
}

/* "1,2@(5-7),(3-5)@(0,2),(0,6),7-8" */
static void read_lcores(struct arguments *a, const char *text)
{
	while (*text != '\0') {
		bool group = *text == '(';
		cpu_set_t ids, cpus;

		read_set(&text, &ids);
		cpus = ids;
		if (*text == '@') {
			text++;
			read_set(&text, &cpus);
			group = true;
		}
		for (int id = 0; id < CPU_SETSIZE && group; id++)
			if (CPU_ISSET(id, &ids))
				add_lcore(a, (unsigned long)id, &cpus);
		if (!group)
			add_same(a, &ids);
		if (*text != '\0' && *text++ != ',')
			return;
	}
}

/* -c: hexadecimal, the last digit has the first four. */
static void read_mask(struct arguments *a, const char *text)
{
	cpu_set_t ids;
	size_t n;

	if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X'))
		text += 2;
	CPU_ZERO(&ids);
	n = strspn(text, "0123456789abcdefABCDEF");
	for (size_t i = 0; i < n; i++) {
		const char digit[2] = {text[n - 1 - i]};
		unsigned long bits = strtoul(digit, NULL, 16);

		for (size_t b = 0; b < 4 && i * 4 + b < CPU_SETSIZE; b++)
			if (bits >> b & 1)
				CPU_SET(i * 4 + b, &ids);
	}
	add_same(a, &ids);
}

static int by_id(const void *x, const void *y)
{
	unsigned int a = *(const unsigned int *)x, b = *(const unsigned int *)y;

	return a < b ? -1 : a > b;
}

/* EAL's order: after the main one those of higher numbers, then those of lower. */
static void sort_lcores(struct arguments *a, long main_lcore)
{
	uint32_t first = 0;

	qsort(a->lcore, a->nb_lcores, sizeof(a->lcore[0]), by_id);
	for (uint32_t i = 0; i < a->nb_lcores; i++)
		if (a->lcore[i].id == (unsigned long)main_lcore)
			first = i;
	while (first-- > 0) {
		typeof(a->lcore[0]) moved = a->lcore[0];

		memmove(&a->lcore[0], &a->lcore[1], (a->nb_lcores - 1) * sizeof(moved));
		a->lcore[a->nb_lcores - 1] = moved;
	}
}

int arguments_of_lcores(const struct arguments *a, int i)
{
	static const char *const words[] = {"-l", "-c", "--lcores", "--main-lcore"};

	for (size_t k = 0; k < RTE_DIM(words); k++) {
		size_t n = strlen(words[k]);

		if (strncmp(a->argv[i], words[k], n) != 0)
			continue;
		if (a->argv[i][n] == '\0')
			return i + 1 < a->argc ? 2 : 1;
		if (a->argv[i][n] == '=' || n == 2)
			return 1;
	}
	return 0;
}

/* ---- devices ---- */

const char *arguments_vdev(const struct arguments *a, int i)
{
	if (strncmp(a->argv[i], "--vdev=", 7) == 0)
		return a->argv[i] + 7;
	return i > 1 && strcmp(a->argv[i - 1], "--vdev") == 0 ? a->argv[i] : NULL;
}

bool arguments_make(const struct arguments *a, const char *device)
{
	size_t n = strlen(device);

	for (int i = 1; i < a->argc; i++) {
		const char *devargs = arguments_vdev(a, i);

		if (devargs != NULL && strcspn(devargs, ",") == n && strncmp(devargs, device, n) == 0)
			return true;
	}
	return false;
}

/* ---- all ---- */

static void read_node_memory(struct arguments *a, const char *text)
{
	for (int node = 0; node < MACHINE_NODES && *text != '\0'; node++) {
		char *end;

		a->node_mib[node] = strtoull(text, &end, 10);
		a->memory_mib += a->node_mib[node];
		if (*end != ',')
			return;
		text = end + 1;
	}
}

void arguments_read(struct arguments *a, int argc, char **argv)
{
	char *copy[argc + 1]; /* getopt puts words in another order */
	long main_lcore = -1;
	cpu_set_t cpus;
	int code;

	memset(a, 0, sizeof(*a));
	a->argc = argc;
	a->argv = argv;
	a->prefix = "rte";
	memcpy(copy, argv, (size_t)argc * sizeof(*copy));
	copy[argc] = NULL;
	optind = opterr = 0;
	while ((code = getopt_long(argc, copy, "a:b:c:d:l:m:n:r:s:S:", options, NULL)) != -1) {
		switch (code) {
		case 'c': read_mask(a, optarg); break;
		case 'l':
			cpus_read(&cpus, optarg);
			add_same(a, &cpus);
			break;
		case 'm': a->memory_mib = strtoull(optarg, NULL, 10); break;
		case NO_HUGE: a->no_huge = true; break;
		case IN_MEMORY: a->in_memory = a->no_shconf = true; break;
		case NO_PCI: a->no_pci = true; break;
		case NO_SHCONF: a->no_shconf = true; break;
		case SINGLE_FILE: a->single_file = true; break;
		case SOCKET_MEM: read_node_memory(a, optarg); break;
		case PREFIX: a->prefix = optarg; break;
		case HUGE_DIR: a->huge_dir = optarg; break;
		case LCORES: read_lcores(a, optarg); break;
		case MAIN_LCORE: main_lcore = strtol(optarg, NULL, 10); break;
		}
	}
	optind = 0;
	opterr = 1;
	if (a->nb_lcores == 0) {
		machine_cpus_usable(&cpus);
		add_same(a, &cpus);
	}
	sort_lcores(a, main_lcore);
}
