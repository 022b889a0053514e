/* SPDX-License-Identifier: BSD-3-Clause
 * check_memory.c - hugepages on each node, their mount, locked memory
 */
#include "check.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "devargs.h"
#include "hugepages.h"
#include "need.h"
#include "rights.h"

#define KIB_PER_MIB 1024u
#define NO_HUGE_MIB 64u /* what EAL takes without hugepages and -m */
#define PAGE_KIB 2048u  /* those that are asked for */

/* ---- what is needed ---- */

struct need {
	uint64_t bytes[MACHINE_NODES];
	uint64_t first[MACHINE_NODES]; /* of it, what EAL takes at its start (-m, --socket-mem) */
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
	bool by_node = false;
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

		by_node |= given != 0;
		n->first[node] = given;
		n->all += given > n->bytes[node] ? given - n->bytes[node] : 0;
		n->bytes[node] = RTE_MAX(n->bytes[node], given);
	}
	if (c->args.memory_mib << 20 > n->all)
		add(n, main_node, (c->args.memory_mib << 20) - n->all);
	if (!by_node)
		n->first[main_node] = c->args.memory_mib << 20;
}

static uint64_t mib(uint64_t bytes)
{
	return (bytes + (1 << 20) - 1) >> 20;
}

/* ---- the mount ---- */

/* Sizes of pages whose mount EAL finds, and may use. */
struct sizes {
	bool mounted[HUGEPAGES_SIZES], usable[HUGEPAGES_SIZES];
	bool any_mounted, any_usable;
	char path[HUGEPAGES_SIZES][MACHINE_PATH];
};

static void find_sizes(const struct check *c, struct sizes *s)
{
	memset(s, 0, sizeof(*s));
	for (size_t i = 0; i < HUGEPAGES_SIZES; i++) {
		s->mounted[i] = hugepages_mount(hugepages_sizes[i], c->args.huge_dir, s->path[i]);
		s->usable[i] = s->mounted[i] && hugepages_mount_usable(s->path[i]);
		s->any_mounted |= s->mounted[i];
		s->any_usable |= s->usable[i];
	}
}

/* Do pages of this size count? Where none do for want of a mount, that is said by itself. */
static bool counts(const struct check *c, const struct sizes *s, size_t i)
{
	return c->args.in_memory || !s->any_usable || s->usable[i];
}

static void find_no_mount(struct check *c)
{
	const char *dir = c->args.huge_dir != NULL ? c->args.huge_dir : "/dev/hugepages";

	findings_add(&c->f, FINDING_ERROR, "hugetlbfs",
		     c->args.huge_dir != NULL ?
			     TEXT("--huge-dir %s is on no mount of hugetlbfs", dir) :
			     "it is not mounted",
		     CHECK_NO_EAL,
		     ROOT(TEXT("mkdir -p %s && mount -t hugetlbfs nodev %s", QUOTE(dir), QUOTE(dir))));
}

/* EAL takes the first mount of a size, and looks for no other. */
static void find_unusable(struct check *c, uint64_t kib, const char *path)
{
	bool there = machine_has("%s", path);
	const char *cause = there ? TEXT("%s may not be written by this user", path) :
				    TEXT("there is no folder %s", path);
	char other[MACHINE_PATH];

	if (c->args.huge_dir == NULL && hugepages_usable_mount(kib, other))
		findings_add(&c->f, FINDING_ERROR, "hugetlbfs", cause,
			     TEXT("EAL does not start: it takes this one before %s", other),
			     check_rerun(c, TEXT("--huge-dir %s", QUOTE(TEXT("%s", other))), NULL,
					 NULL));
	else
		findings_add(&c->f, FINDING_ERROR, "hugetlbfs", cause, CHECK_NO_EAL,
			     ROOT(TEXT("%s%schown %u:%u %s",
				       there ? "" : TEXT("mkdir -p %s", QUOTE(path)),
				       there ? "" : " && ", geteuid(), getegid(), QUOTE(path))));
}

static void check_mount(struct check *c, const struct sizes *s)
{
	if (!s->any_mounted)
		find_no_mount(c);
	for (size_t i = 0; i < HUGEPAGES_SIZES; i++)
		if (s->usable[i])
			findings_add(&c->f, FINDING_OK, "hugetlbfs",
				     TEXT("mounted on %s, and may be written", s->path[i]), "", "");
		else if (s->mounted[i] && !s->any_usable)
			find_unusable(c, hugepages_sizes[i], TEXT("%s", s->path[i]));
}

/* ---- hugepages ---- */

/* Free bytes on a node of the sizes that count, or of those that do not. */
static uint64_t free_bytes(const struct check *c, const struct sizes *s, int node, bool counting)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < HUGEPAGES_SIZES; i++)
		if (counts(c, s, i) == counting)
			bytes += hugepages_free_bytes(node, hugepages_sizes[i]);
	return bytes;
}

/* What the kernel may add, if it has as much memory at all. */
static uint64_t overcommit_bytes(const struct check *c, const struct sizes *s)
{
	uint64_t bytes = 0;
	char text[64];

	for (size_t i = 0; i < HUGEPAGES_SIZES; i++)
		if (counts(c, s, i))
			bytes += hugepages_overcommit_bytes(hugepages_sizes[i]);
	if (machine_line(text, sizeof(text), "MemAvailable:", "/proc/meminfo"))
		bytes = RTE_MIN(bytes, (uint64_t)strtoull(text, NULL, 10) << 10);
	return bytes;
}

/* What of it EAL counts at its start: of sizes that have not one free page, as node 0's. */
static uint64_t overcommit_first_bytes(const struct check *c, const struct sizes *s, int node)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < HUGEPAGES_SIZES && node == 0; i++)
		if (counts(c, s, i) && hugepages_all_free_bytes(hugepages_sizes[i]) == 0)
			bytes += hugepages_overcommit_bytes(hugepages_sizes[i]);
	return bytes;
}

/* Mounts all sizes that have free pages there, and no mount. */
static const char *mount_command(struct check *c, const struct sizes *s, int node)
{
	const char *command = "";
	char name[HUGEPAGES_NAME];

	for (size_t i = 0; i < HUGEPAGES_SIZES; i++) {
		if (s->mounted[i] || hugepages_free_bytes(node, hugepages_sizes[i]) == 0)
			continue;
		hugepages_name(hugepages_sizes[i], name);
		command = TEXT("%s%smkdir -p /dev/hugepages-%s && mount -t hugetlbfs -o pagesize=%" PRIu64
			       "K nodev /dev/hugepages-%s",
			       command, *command != '\0' ? " && " : "", name, hugepages_sizes[i], name);
	}
	return command;
}

/* The size to have more of: those that are asked for, if they count. */
static uint64_t size_to_add(const struct check *c, const struct sizes *s)
{
	uint64_t kib = 0;

	for (size_t i = 0; i < HUGEPAGES_SIZES; i++)
		if (counts(c, s, i) && (kib == 0 || hugepages_sizes[i] == PAGE_KIB))
			kib = hugepages_sizes[i];
	return kib;
}

/* NULL: this kernel has none of that size. */
static const char *more_pages(struct check *c, int node, uint64_t kib, uint64_t missing)
{
	char folder[MACHINE_PATH];

	hugepages_folder(node, kib, folder);
	if (!machine_has("%s", folder))
		return NULL;
	return ROOT(TEXT("echo %" PRIu64 " > %s/nr_hugepages",
			 (uint64_t)machine_number(0, "%s/nr_hugepages", folder) +
				 (missing + (kib << 10) - 1) / (kib << 10),
			 folder));
}

static void find_too_few(struct check *c, const struct sizes *s, int node, uint64_t bytes,
			 uint64_t there, const char *cause)
{
	uint64_t kib = size_to_add(c, s), more = free_bytes(c, s, node, false);
	const char *mount = c->args.huge_dir == NULL && more != 0 ? mount_command(c, s, node) : "";
	const char *cure = more_pages(c, node, kib, bytes - there);

	if (more >= bytes - there && *mount != '\0')
		findings_add(&c->f, FINDING_ERROR, "hugepages",
			     TEXT("%s; %" PRIu64 " MiB are of sizes that are not mounted", cause,
				  more >> 20),
			     "EAL, or a port, has no memory", ROOT(mount));
	else if (cure != NULL)
		findings_add(&c->f, FINDING_ERROR, "hugepages", cause, "EAL, or a port, has no memory",
			     cure);
	else
		findings_add(&c->f, FINDING_ERROR, "hugepages",
			     TEXT("this kernel has none of %" PRIu64 " KiB on node %d", kib, node),
			     CHECK_NO_EAL,
			     check_rerun(c,
					 TEXT("--no-huge -m %" PRIu64,
					      RTE_MAX(mib(bytes), (uint64_t)NO_HUGE_MIB)),
					 NULL, NULL));
}

static void find_may_add(struct check *c, const struct sizes *s, int node, uint64_t missing,
			 uint64_t spare, const char *cause)
{
	const char *cure = more_pages(c, node, size_to_add(c, s), missing);

	findings_add(&c->f, FINDING_NOTICE, "hugepages",
		     TEXT("%s; the kernel may add %" PRIu64 " MiB (nr_overcommit_hugepages)", cause,
			  spare >> 20),
		     "it adds none while its memory is short or in pieces: a port has none then",
		     cure != NULL ? cure : "");
}

/* `spare` is what the kernel may add on any node, when it is asked for a page. EAL asks as its
 * memory grows; what it is to have at its start it takes of those that it has counted. */
static void check_node(struct check *c, const struct sizes *s, const struct need *n, int node,
		       uint64_t *spare)
{
	uint64_t there = free_bytes(c, s, node, true), bytes = n->bytes[node];
	uint64_t missing = there < bytes ? bytes - there : 0;
	const char *cause = TEXT("node %d has %" PRIu64 " MiB free, about %" PRIu64 " are needed", node,
				 there >> 20, mib(bytes));

	if (missing == 0) {
		findings_add(&c->f, FINDING_OK, "hugepages", cause, "", "");
	} else if (missing > *spare) {
		find_too_few(c, s, node, bytes, there, cause);
	} else if (n->first[node] > there + overcommit_first_bytes(c, s, node)) {
		find_too_few(c, s, node, bytes, there,
			     TEXT("%s; EAL takes no nr_overcommit_hugepages at its start (-m, --socket-mem)",
				  cause));
	} else {
		find_may_add(c, s, node, missing, *spare, cause);
		*spare -= missing;
	}
}

/* May its cgroup have them? */
static void check_cgroup(struct check *c, const struct sizes *s, uint64_t bytes)
{
	char file[MACHINE_PATH], tight[MACHINE_PATH] = "";
	uint64_t allowed = 0;

	for (size_t i = 0; i < HUGEPAGES_SIZES; i++) {
		uint64_t there = hugepages_overcommit_bytes(hugepages_sizes[i]), limit;

		there += hugepages_all_free_bytes(hugepages_sizes[i]);
		limit = hugepages_cgroup_bytes(hugepages_sizes[i], file);
		if (!counts(c, s, i) || there == 0)
			continue;
		if (limit < there)
			snprintf(tight, sizeof(tight), "%s", file);
		allowed += RTE_MIN(limit, there);
	}
	if (tight[0] != '\0' && allowed < bytes)
		findings_add(&c->f, FINDING_ERROR, "hugepages",
			     TEXT("this cgroup may have %" PRIu64 " MiB more, about %" PRIu64
				  " are needed", allowed >> 20, mib(bytes)),
			     "SIGBUS, or EAL has no memory", ROOT(TEXT("echo max > %s", QUOTE(TEXT("%s", tight)))));
}

static void check_hugepages(struct check *c, const struct need *n)
{
	struct sizes *s = calloc(1, sizeof(*s));
	uint64_t spare;

	if (s == NULL)
		return;
	find_sizes(c, s);
	spare = overcommit_bytes(c, s);
	for (int node = 0; node < MACHINE_NODES; node++)
		if (n->bytes[node] != 0)
			check_node(c, s, n, node, &spare);
	check_cgroup(c, s, n->all);
	if (!c->args.in_memory)
		check_mount(c, s);
	free(s);
}

/* To have so many: those that others have stay theirs. */
static const char *have_hugepages(struct check *c, uint64_t wanted_mib)
{
	uint64_t kib = hugepages_default(), unused = 0;
	uint64_t wanted = (wanted_mib * KIB_PER_MIB + kib - 1) / kib;
	char text[64];

	if (machine_line(text, sizeof(text), "HugePages_Free:", "/proc/meminfo"))
		unused = strtoull(text, NULL, 10);
	if (unused >= wanted)
		return check_rerun(c, NULL, NULL, "--no-huge");
	return ROOT(TEXT("echo %" PRIu64 " > /proc/sys/vm/nr_hugepages",
			 (uint64_t)machine_number(0, "/proc/sys/vm/nr_hugepages") + wanted - unused));
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
			     "slower, for want of translations in the TLB", have_hugepages(c, given));
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
		     "the port does not open; this shell, and what it starts, may then",
		     findings_root_here(&c->f, "prlimit --pid $$ --memlock=unlimited:unlimited"));
}

void check_memory(struct check *c)
{
	struct need n;

	need_of(c, &n);
	if (c->args.no_huge && c->args.in_memory)
		findings_add(&c->f, FINDING_ERROR, "memory",
			     "--no-huge and --in-memory exclude each other", CHECK_NO_EAL,
			     check_rerun(c, NULL, NULL, "--in-memory"));
	if (c->args.no_huge)
		check_no_huge(c, &n);
	if (!c->args.no_huge && !c->start)
		check_hugepages(c, &n);
	if (!c->start)
		check_memlock(c, &n);
}
