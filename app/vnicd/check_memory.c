/* SPDX-License-Identifier: BSD-3-Clause
 * check_memory.c - hugepages on each node, their mount, locked memory
 */
#include "check.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "devargs.h"
#include "need.h"
#include "rights.h"

#define KIB_PER_MIB 1024u
#define NO_HUGE_MIB 64u /* what EAL takes without hugepages and -m */
#define PAGE_KIB 2048u  /* those that are asked for */

/* ---- what is needed ---- */

struct need {
	uint64_t bytes[MACHINE_NODES];
	uint64_t all;
	uint64_t own; /* of it, what EAL's arguments do not ask for */
};

static void add(struct need *n, int node, uint64_t bytes)
{
	n->bytes[node >= 0 && node < MACHINE_NODES ? node : 0] += bytes;
	n->all += bytes;
}

static int node_of_lcore(const struct check *c, unsigned int id)
{
	for (uint32_t i = 0; i < c->args.nb_lcores; i++)
		if (c->args.lcore[i].id == id)
			return machine_node_of_cpu(cpus_first(&c->args.lcore[i].cpus));
	return 0;
}

static void need_of(const struct check *c, struct need *n)
{
	int main_node = c->args.nb_lcores != 0 ? node_of_lcore(c, c->args.lcore[0].id) : 0;
	uint64_t page = c->args.no_huge ? 4096 : PAGE_KIB << 10;

	memset(n, 0, sizeof(*n));
	add(n, main_node, need_base_bytes());
	for (uint32_t i = 0; i < c->conf->nb_adapters; i++) {
		const struct conf_adapter *a = &c->conf->adapter[i];
		int own = (int)a->numa_node;

		add(n, own >= 0 ? own : node_of_lcore(c, c->choice.data[i]),
		    need_adapter_bytes(c->conf, i, page));
		add(n, own >= 0 ? own : check_port_node(a->port, main_node),
		    need_adapter_port_bytes(c->conf, i, page));
	}
	for (uint32_t i = 0; i < c->conf->nb_faces; i++)
		add(n, check_port_node(c->conf->face[i].port, main_node),
		    need_face_port_bytes(c->conf, i, page));
	n->own = n->all;
	for (int node = 0; node < MACHINE_NODES; node++) {
		uint64_t given = c->args.node_mib[node] << 20;

		n->all += given > n->bytes[node] ? given - n->bytes[node] : 0;
		n->bytes[node] = RTE_MAX(n->bytes[node], given);
	}
	if (c->args.memory_mib << 20 > n->all)
		add(n, main_node, (c->args.memory_mib << 20) - n->all);
}

static uint64_t mib(uint64_t bytes)
{
	return (bytes + (1 << 20) - 1) >> 20;
}

/* ---- the mount ---- */

/* A mount of hugetlbfs, or the one that --huge-dir names. False: there is none. */
static bool find_mount(const struct check *c, char path[MACHINE_PATH])
{
	static char all[MACHINE_TEXT];
	char *save = NULL, type[64];

	machine_text(all, sizeof(all), "/proc/mounts");
	for (char *line = strtok_r(all, "\n", &save); line != NULL;
	     line = strtok_r(NULL, "\n", &save))
		if (sscanf(line, "%*s %511s %63s", path, type) == 2 &&
		    strcmp(type, "hugetlbfs") == 0 &&
		    (c->args.huge_dir == NULL || strcmp(c->args.huge_dir, path) == 0))
			return true;
	return false;
}

static void check_mount(struct check *c)
{
	char mount[MACHINE_PATH], path[MACHINE_PATH];

	if (!find_mount(c, mount)) {
		const char *dir = c->args.huge_dir != NULL ? c->args.huge_dir : "/dev/hugepages";

		findings_add(&c->f, FINDING_ERROR, "hugetlbfs",
			     c->args.huge_dir != NULL ?
				     TEXT("--huge-dir %s is no mount of hugetlbfs", dir) :
				     "it is not mounted",
			     "EAL does not start",
			     ROOT(TEXT("mkdir -p %s && mount -t hugetlbfs "
				       "nodev %s",
				       QUOTE(dir), QUOTE(dir))));
		return;
	}
	if (access(machine_path(path, "%s", mount), R_OK | W_OK | X_OK) != 0)
		findings_add(&c->f, FINDING_ERROR, "hugetlbfs",
			     TEXT("%s may not be written by this user", mount),
			     "EAL does not start",
			     ROOT(TEXT("chown %u:%u %s", geteuid(), getegid(), QUOTE(mount))));
	else
		findings_add(&c->f, FINDING_OK, "hugetlbfs",
			     TEXT("mounted on %s, and may be written", mount), "", "");
}

/* ---- hugepages ---- */

/* The folder of a node's pages of one size; of a kernel without nodes, the only one. */
static const char *pages_folder(int node, uint64_t kib, char path[MACHINE_PATH])
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

static uint64_t free_bytes(int node)
{
	static const uint64_t sizes[] = {64, 2048, 32768, 524288, 1048576, 16777216};
	uint64_t bytes = 0;

	for (size_t i = 0; i < RTE_DIM(sizes); i++) {
		char path[MACHINE_PATH];

		bytes += (uint64_t)machine_number(0, "%s/free_hugepages",
						  pages_folder(node, sizes[i], path)) *
				 sizes[i]
			 << 10;
	}
	return bytes;
}

static void check_node(struct check *c, int node, uint64_t bytes)
{
	uint64_t there = free_bytes(node), missing, total;
	char folder[MACHINE_PATH];
	const char *cause = TEXT("node %d has %" PRIu64 " MiB free, about %" PRIu64 " are needed",
				 node, there >> 20, mib(bytes));

	if (there >= bytes) {
		findings_add(&c->f, FINDING_OK, "hugepages", cause, "", "");
		return;
	}
	pages_folder(node, PAGE_KIB, folder);
	if (!machine_has("%s", folder)) {
		findings_add(&c->f, FINDING_ERROR, "hugepages",
			     TEXT("this kernel has none of %u KiB on node %d", PAGE_KIB, node),
			     "EAL does not start",
			     check_rerun(c,
					 TEXT("--no-huge -m %" PRIu64,
					      RTE_MAX(mib(bytes), (uint64_t)NO_HUGE_MIB)),
					 NULL, NULL));
		return;
	}
	total = (uint64_t)machine_number(0, "%s/nr_hugepages", folder);
	missing = (bytes - there + (PAGE_KIB << 10) - 1) / (PAGE_KIB << 10);
	findings_add(&c->f, FINDING_ERROR, "hugepages", cause, "EAL, or a port, has no memory",
		     ROOT(TEXT("echo %" PRIu64 " > %s/nr_hugepages", total + missing, folder)));
}

static void check_no_huge(struct check *c, const struct need *n)
{
	uint64_t given = c->args.memory_mib != 0 ? c->args.memory_mib : NO_HUGE_MIB;

	if (given < mib(n->own))
		findings_add(&c->f, FINDING_ERROR, "memory",
			     TEXT("EAL gets %" PRIu64 " MiB, about %" PRIu64 " are needed", given,
				  mib(n->own)),
			     "a port, or an adapter, has no memory",
			     check_rerun(c, TEXT("-m %" PRIu64, mib(n->own)), NULL, NULL));
	else
		findings_add(&c->f, FINDING_NOTICE, "hugepages", "--no-huge does without them",
			     "slower, for want of translations in the TLB",
			     ROOT(TEXT("echo %" PRIu64 " > /proc/sys/vm/nr_hugepages",
				       (given + 1) / 2)));
}

/* ---- locked memory ---- */

static const char *locks(const struct check *c)
{
	char address[16];

	for (uint32_t i = 0; i < c->conf->nb_adapters + c->conf->nb_faces; i++) {
		const char *port = i < c->conf->nb_adapters ?
					   c->conf->adapter[i].port :
					   c->conf->face[i - c->conf->nb_adapters].port;

		if (check_pci(port, address))
			return "VFIO";
		if (devargs_driver(port, "net_af_xdp"))
			return "AF_XDP";
	}
	return NULL;
}

static void check_memlock(struct check *c, const struct need *n)
{
	const char *who = locks(c);
	char text[128];
	uint64_t limit;

	if (who == NULL || (rights_own() & RIGHT(CAP_IPC_LOCK)) ||
	    !machine_line(text, sizeof(text), "Max locked memory", "/proc/self/limits") ||
	    strncmp(text, "unlimited", 9) == 0)
		return;
	limit = strtoull(text, NULL, 10);
	if (limit >= n->all)
		return;
	findings_add(&c->f, FINDING_ERROR, "memlock",
		     TEXT("this user may lock %" PRIu64 " KiB, %s locks about %" PRIu64 " MiB",
			  limit >> 10, who, mib(n->all)),
		     "the port does not open",
		     ROOT(TEXT("prlimit --pid %d --memlock=unlimited:unlimited", (int)getppid())));
}

void check_memory(struct check *c)
{
	struct need n;

	need_of(c, &n);
	if (c->args.no_huge && c->args.in_memory)
		findings_add(&c->f, FINDING_ERROR, "memory",
			     "--no-huge and --in-memory exclude each other", "EAL does not start",
			     check_rerun(c, NULL, NULL, "--in-memory"));
	if (c->args.no_huge)
		check_no_huge(c, &n);
	if (!c->args.no_huge && !c->start) {
		for (int node = 0; node < MACHINE_NODES; node++)
			if (n.bytes[node] != 0)
				check_node(c, node, n.bytes[node]);
		if (!c->args.in_memory)
			check_mount(c);
	}
	if (!c->start)
		check_memlock(c, &n);
}
