/* SPDX-License-Identifier: BSD-3-Clause
 * arguments.h - what EAL's arguments ask for, before EAL reads them
 *
 * Only what --check looks at; what EAL does not understand is for EAL to say.
 *
 * Main thread.
 */
#ifndef VNICD_ARGUMENTS_H
#define VNICD_ARGUMENTS_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_config.h>

#include "machine.h"

struct arguments {
	int argc; /* of EAL's, with the program's name */
	char **argv;
	bool no_huge, in_memory, no_pci, no_shconf, single_file;
	uint64_t memory_mib; /* 0: not given */
	uint64_t node_mib[MACHINE_NODES]; /* 0: not given */
	const char *prefix;
	const char *huge_dir; /* NULL: any */
	uint32_t nb_lcores; /* the main one first, then in EAL's order */
	struct {
		unsigned int id;
		cpu_set_t cpus;
	} lcore[RTE_MAX_LCORE];
};

void arguments_read(struct arguments *a, int argc, char **argv);

/* Is this word, the i-th, one that tells the lcores, and how many words is it with its value? 0: it is
 * another. */
int arguments_of_lcores(const struct arguments *a, int i);
/* The devargs of a --vdev, that the i-th word ends; NULL: it ends none. */
const char *arguments_vdev(const struct arguments *a, int i);
/* Does a --vdev make this device? */
bool arguments_make(const struct arguments *a, const char *device);

#endif
