/* SPDX-License-Identifier: BSD-3-Clause
 * eal.c - start EAL; what it prints is kept back, and one line is made of it on failure
 */
#include "vnicd.h"

#include <ctype.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_errno.h>

#define SAID_MAX 16384

static const struct {
	const char *said; /* a part of what EAL prints */
	const char *line; /* what it means and what to do */
} known[] = {
	{"Is another primary process running",
	 "another program runs with this file prefix; stop it, or add --file-prefix NAME"},
	{"get_hugepage_dir", "no hugetlbfs is mounted that this user may write to; run as root, "
			     "mount one (mount -t hugetlbfs nodev /dev/hugepages), or add --no-huge -m 512"},
	{"Permission denied", "hugepages or a runtime folder may not be used by this user; run as root, "
			      "chown the mount and set XDG_RUNTIME_DIR, or add --no-huge -m 512"},
	{"No free 2048 kB hugepages", "no free hugepages; echo 512 > /proc/sys/vm/nr_hugepages as root, "
				      "or add --no-huge -m 512"},
	{"Cannot get hugepage information",
	 "no usable hugepages (none free, or their mount may not be written); as root: "
	 "echo 512 > /proc/sys/vm/nr_hugepages; mount -t hugetlbfs nodev /dev/hugepages; "
	 "or add --no-huge -m 512"},
	{"Not enough memory available", "fewer hugepages are free than -m asks for; lower -m or "
					"raise /proc/sys/vm/nr_hugepages"},
	{"Cannot init memory", "its memory cannot be had; lower -m, or raise /proc/sys/vm/nr_hugepages "
			       "as root, or add --no-huge -m 512"},
	{"Cannot allocate memory", "its memory cannot be had; lower -m"},
};

/* The first line that reads like a cause. */
static void quote(char *said, char *why, size_t len)
{
	char *save = NULL, *line, *best = NULL;

	for (line = strtok_r(said, "\n", &save); line != NULL; line = strtok_r(NULL, "\n", &save)) {
		if (strstr(line, "Usage") != NULL)
			break;
		if (best == NULL || strncmp(line, "EAL: Detected", 13) == 0 ||
		    strncmp(best, "EAL: Detected", 13) == 0)
			best = line;
	}
	snprintf(why, len, "EAL did not start: %s; EAL's arguments stand before --, "
		 "see the EAL options in DPDK's guide", best != NULL ? best : rte_strerror(rte_errno));
}

static void explain(char *said, char *why, size_t len)
{
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strstr(said, known[i].said) != NULL) {
			snprintf(why, len, "EAL did not start: %s", known[i].line);
			return;
		}
	quote(said, why, len);
}

int vnicd_eal_start(int argc, char **argv, char *why, size_t len)
{
	static char said[SAID_MAX];
	int out = dup(STDOUT_FILENO), err = dup(STDERR_FILENO), n, rc;
	int kept = memfd_create("eal", MFD_CLOEXEC);

	fflush(stdout);
	if (out < 0 || err < 0 || kept < 0) {
		snprintf(why, len, "no file descriptors left; raise ulimit -n");
		return -1;
	}
	dup2(kept, STDOUT_FILENO);
	dup2(kept, STDERR_FILENO);
	rc = rte_eal_init(argc, argv);
	fflush(stdout);
	dup2(out, STDOUT_FILENO);
	dup2(err, STDERR_FILENO);
	n = (int)pread(kept, said, sizeof(said) - 1, 0);
	said[n > 0 ? n : 0] = '\0';
	close(kept);
	close(out);
	close(err);
	if (rc >= 0)
		return rc;
	explain(said, why, len);
	return -1;
}
