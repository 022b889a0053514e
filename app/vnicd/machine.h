/* SPDX-License-Identifier: BSD-3-Clause
 * machine.h - what the system's own files say: numbers, lists of CPUs, links
 *
 * All paths begin with / and are looked for below the folder that the environment's
 * VNICD_CHECK_ROOT names, if it names one. It is for tests, which make up machines there.
 *
 * Main thread.
 */
#ifndef VNICD_MACHINE_H
#define VNICD_MACHINE_H

#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <rte_common.h>

#define MACHINE_PATH 512
#define MACHINE_NODES 64

/* Is it this machine, and not a made-up one? */
bool machine_is_real(void);
/* Where a path is. */
const char *machine_path(char path[MACHINE_PATH], const char *format, ...)
	__rte_format_printf(2, 3);
bool machine_has(const char *format, ...) __rte_format_printf(1, 2);
/* A file's text without the line end, cut off at `len` - 1. False: there is none; then it is "". */
bool machine_text(char *text, size_t len, const char *format, ...) __rte_format_printf(3, 4);
/* To read it line by line; NULL: it cannot be opened. */
FILE *machine_open(const char *path);
/* The number that a file begins with, decimal or 0x...; `otherwise` if there is none. */
int64_t machine_number(int64_t otherwise, const char *format, ...) __rte_format_printf(2, 3);
/* The last part of what a symbolic link points to. */
bool machine_link(char *name, size_t len, const char *format, ...) __rte_format_printf(3, 4);
/* What follows "KEY" and blanks on the first line of a file that begins so. */
bool machine_line(char *text, size_t len, const char *key, const char *path);

/* A list of CPUs, "0-3,8"; false: no such file, or it is empty. */
bool machine_cpus(cpu_set_t *cpus, const char *format, ...) __rte_format_printf(2, 3);
void cpus_read(cpu_set_t *cpus, const char *text);
/* As "0-3,8"; `text` has room for CPUS_TEXT. */
#define CPUS_TEXT 256
const char *cpus_text(const cpu_set_t *cpus, char text[CPUS_TEXT]);
/* The first of them, -1: none. */
int cpus_first(const cpu_set_t *cpus);

/* 0 where the kernel knows of no nodes. */
int machine_node_of_cpu(int cpu);
bool machine_has_node(int node);
/* Those that this process may use, and that are there; as it was when they were kept. */
void machine_cpus_usable(cpu_set_t *cpus);
/* Before EAL binds the main thread to one of them. */
void machine_cpus_keep(void);

#endif
