/* SPDX-License-Identifier: BSD-3-Clause
 * hugepages.c - which hugepages the system has, and by which mounts EAL comes to them
 */
#include "hugepages.h"

#include <inttypes.h>
#include <mntent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEFAULT_KIB 2048u
#define MOUNT_LINE 4096

const uint64_t hugepages_sizes[HUGEPAGES_SIZES] = {64, 2048, 32768, 524288, 1048576, 16777216};

uint64_t hugepages_default(void)
{
	char text[64];

	return machine_line(text, sizeof(text), "Hugepagesize:", "/proc/meminfo") ?
		       strtoull(text, NULL, 10) :
		       DEFAULT_KIB;
}

const char *hugepages_name(uint64_t kib, char name[HUGEPAGES_NAME])
{
	const char *units[] = {"KB", "MB", "GB"};
	size_t unit = 0;

	for (; unit < 2 && kib >= 1024; kib /= 1024)
		unit++;
	snprintf(name, HUGEPAGES_NAME, "%" PRIu64 "%s", kib, units[unit]);
	return name;
}

const char *hugepages_folder(int node, uint64_t kib, char path[MACHINE_PATH])
{
	if (machine_has_node(node))
		snprintf(path, MACHINE_PATH,
			 "/sys/devices/system/node/node%d/hugepages/hugepages-%" PRIu64 "kB", node,
			 kib);
	else
		snprintf(path, MACHINE_PATH, "/sys/kernel/mm/hugepages/hugepages-%" PRIu64 "kB",
			 kib);
	return path;
}

/* ---- how many ---- */

uint64_t hugepages_free_bytes(int node, uint64_t kib)
{
	char path[MACHINE_PATH];

	return (uint64_t)machine_number(0, "%s/free_hugepages", hugepages_folder(node, kib, path)) *
	       kib << 10;
}

uint64_t hugepages_all_free_bytes(uint64_t kib)
{
	uint64_t bytes = 0;

	for (int node = 0; node < MACHINE_NODES; node++)
		if (node == 0 || machine_has_node(node))
			bytes += hugepages_free_bytes(node, kib);
	return bytes;
}

uint64_t hugepages_overcommit_bytes(uint64_t kib)
{
	char path[MACHINE_PATH];
	int64_t most, taken;

	snprintf(path, sizeof(path), "/sys/kernel/mm/hugepages/hugepages-%" PRIu64 "kB", kib);
	most = machine_number(0, "%s/nr_overcommit_hugepages", path);
	taken = machine_number(0, "%s/surplus_hugepages", path);
	return most > taken ? (uint64_t)(most - taken) * kib << 10 : 0;
}

uint64_t hugepages_cgroup_bytes(uint64_t kib, char file[MACHINE_PATH])
{
	char group[MACHINE_PATH], at[MACHINE_PATH], name[HUGEPAGES_NAME];
	uint64_t least = UINT64_MAX;

	file[0] = '\0';
	if (!machine_line(group, sizeof(group) / 2, "0::", "/proc/self/cgroup"))
		return least;
	hugepages_name(kib, name);
	for (char *end = group + strlen(group); end != NULL; end = strrchr(group, '/')) {
		uint64_t limit, used;

		*end = '\0';
		snprintf(at, sizeof(at), "/sys/fs/cgroup%.256s/hugetlb.%s", group, name);
		/* "max" is no number */
		limit = (uint64_t)machine_number(-1, "%s.max", at);
		used = (uint64_t)machine_number(0, "%s.current", at);
		if (limit == UINT64_MAX || (limit > used ? limit - used : 0) >= least)
			continue;
		least = limit > used ? limit - used : 0;
		snprintf(file, MACHINE_PATH, "%.500s.max", at);
	}
	return least;
}

/* ---- mounts ---- */

/* pagesize=2M, as the kernel writes it */
static uint64_t size_of(const struct mntent *m)
{
	const char *option = hasmntopt(m, "pagesize");
	uint64_t kib;
	char *unit;

	if (option == NULL)
		return hugepages_default();
	kib = strtoull(option + strcspn(option, "=") + 1, &unit, 10);
	switch (*unit) {
	case 'G':
	case 'g': return kib << 20;
	case 'M':
	case 'm': return kib << 10;
	case 'K':
	case 'k': return kib;
	default: return kib >> 10;
	}
}

/* Does the folder lie below the mount? */
static bool holds(const char *mount, const char *dir)
{
	size_t n = strlen(mount);

	return strncmp(dir, mount, n) == 0 && (dir[n] == '\0' || dir[n] == '/');
}

/* The next mount of hugetlbfs of this size. */
static bool next_mount(FILE *file, uint64_t kib, char path[MACHINE_PATH])
{
	char line[MOUNT_LINE];
	struct mntent m;

	while (file != NULL && getmntent_r(file, &m, line, sizeof(line)) != NULL)
		if (strcmp(m.mnt_type, "hugetlbfs") == 0 && size_of(&m) == kib) {
			snprintf(path, MACHINE_PATH, "%s", m.mnt_dir);
			return true;
		}
	return false;
}

bool hugepages_mount(uint64_t kib, const char *dir, char path[MACHINE_PATH])
{
	FILE *file = machine_open("/proc/mounts");
	bool found = false;

	while (!found && next_mount(file, kib, path))
		found = dir == NULL || holds(path, dir);
	if (found && dir != NULL)
		snprintf(path, MACHINE_PATH, "%s", dir);
	if (file != NULL)
		fclose(file);
	return found;
}

bool hugepages_mount_usable(const char *path)
{
	char at[MACHINE_PATH];

	return access(machine_path(at, "%s", path), R_OK | W_OK | X_OK) == 0;
}

bool hugepages_usable_mount(uint64_t kib, char path[MACHINE_PATH])
{
	FILE *file = machine_open("/proc/mounts");
	bool found = false;

	while (!found && next_mount(file, kib, path))
		found = hugepages_mount_usable(path);
	if (file != NULL)
		fclose(file);
	return found;
}
