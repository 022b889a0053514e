/* SPDX-License-Identifier: BSD-3-Clause
 * hugepages.h - which hugepages the system has, and by which mounts EAL comes to them
 *
 * Sizes of pages are in KiB.
 *
 * Main thread.
 */
#ifndef VNICD_HUGEPAGES_H
#define VNICD_HUGEPAGES_H

#include <stdbool.h>
#include <stdint.h>

#include "machine.h"

#define HUGEPAGES_SIZES 6
#define HUGEPAGES_NAME 24

extern const uint64_t hugepages_sizes[HUGEPAGES_SIZES];

/* Of those, the one that a mount has which names none. */
uint64_t hugepages_default(void);
/* "2MB", as cgroups have it. */
const char *hugepages_name(uint64_t kib, char name[HUGEPAGES_NAME]);
/* The folder of a node's pages of one size; of a kernel without nodes, the only one. */
const char *hugepages_folder(int node, uint64_t kib, char path[MACHINE_PATH]);

uint64_t hugepages_free_bytes(int node, uint64_t kib);
/* Of all nodes. */
uint64_t hugepages_all_free_bytes(uint64_t kib);
/* What the kernel may yet add, on any node, when all are taken: of memory that it has in whole pages
 * then. */
uint64_t hugepages_overcommit_bytes(uint64_t kib);
/* What the cgroup (v2), or one above, lets this process take, and the file that says so; UINT64_MAX:
 * any. */
uint64_t hugepages_cgroup_bytes(uint64_t kib, char file[MACHINE_PATH]);

/* Where EAL puts its files of this size: on the first mount that has it, or in the folder `dir` if
 * that is on one; `dir` may be NULL. False: there is none. */
bool hugepages_mount(uint64_t kib, const char *dir, char path[MACHINE_PATH]);
/* May this process make files there? Else errno says why. */
bool hugepages_mount_usable(const char *path);
/* One of this size, wherever, that this process may use. */
bool hugepages_usable_mount(uint64_t kib, char path[MACHINE_PATH]);

#endif
