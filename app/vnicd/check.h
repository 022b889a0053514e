/* SPDX-License-Identifier: BSD-3-Clause
 * check.h - would it run here, and how well? `vnicd --check`, and what is said at every start
 *
 *     vnicd [EAL ARGS --] --check [CONFIG...] [--json] [OPTIONS]
 *
 * looks at the machine and starts nothing; without a configuration at the machine alone. Its exit
 * code is 0 if vnicd would run, also with warnings, else 1. What it looks at is read below
 * VNICD_CHECK_ROOT, if that is set: see machine.h.
 *
 * Main thread.
 */
#ifndef VNICD_CHECK_H
#define VNICD_CHECK_H

#include <stdbool.h>
#include <stdint.h>

#include "arguments.h"
#include "choice.h"
#include "config.h"
#include "finding.h"

/* Is `--check` among vnicd's own words? */
bool check_asked(int argc, char **argv);
/* All of --check; the exit code. EAL's words and vnicd's own each begin with the program's name. */
int check_main(int eal_argc, char **eal_argv, int argc, char **argv);
/* At a start that has succeeded: say what could be better. */
void check_start(const struct conf *conf, int eal_argc, char **eal_argv, int argc, char **argv);

/* ---- the parts of it ---- */

struct check {
	const struct conf *conf; /* without adapters: only the machine */
	struct arguments args;
	struct choice choice;
	bool start; /* leave out what the start itself has found, or would have */
	const char *own; /* vnicd's words behind EAL's, as the shell reads them */
	uint64_t rights; /* of rights.h, that the drivers of all ports want */
	struct findings f;
};

/* Of findings.h, for what `struct check *c` has found. */
#define TEXT(...) findings_text(&c->f, __VA_ARGS__)
#define ROOT(command) findings_root(&c->f, command)
#define QUOTE(word) findings_quote(&c->f, word)

/* check_memory.c: hugepages, their mount, locked memory. */
void check_memory(struct check *c);
/* check_cpu.c: CPUs of lcores, hyperthreads, NUMA nodes, isolation, frequency. */
void check_cpus(struct check *c);
/* check_port.c: what each port's driver wants of the kernel. */
void check_ports(struct check *c);
/* check_place.c: folders, sockets, another instance. */
void check_places(struct check *c);
/* check_eal.c: EAL's arguments, and the names of drivers; behind all others. */
void check_eal(struct check *c);

/* The effect of what EAL does not take. */
#define CHECK_NO_EAL "EAL does not start"
/* The command that runs it with more of EAL's words, or of its own, and without one of EAL's; NULL: none.
 * CHECK_LCORES stands for all that tell the lcores. */
#define CHECK_LCORES "--lcores"
const char *check_rerun(struct check *c, const char *eal, const char *own, const char *without);
/* The node of a port: the device's, else `otherwise`. */
int check_port_node(const char *devargs, int otherwise);
/* The PCI address that the devargs begin with, with its domain; false: they do not. */
bool check_pci(const char *devargs, char address[16]);

#endif
