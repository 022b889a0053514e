/* SPDX-License-Identifier: BSD-3-Clause
 * eal.c - start EAL; what it prints is kept back, and one line is made of it on failure
 */
#include "eal.h"

#include <stdio.h>
#include <string.h>

#include <rte_eal.h>
#include <rte_errno.h>

#include "hush.h"

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

static void explain(char said[HUSH_MAX], char *why, size_t len)
{
	const char *cause;

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strstr(said, known[i].said) != NULL) {
			snprintf(why, len, "EAL did not start: %s", known[i].line);
			return;
		}
	cause = hush_cause(said);
	snprintf(why, len, "EAL did not start: %s; EAL's arguments stand before --, they are in DPDK's "
		 "guide", cause != NULL ? cause : rte_strerror(rte_errno));
}

int eal_start(int argc, char **argv, char *why, size_t len)
{
	static char said[HUSH_MAX]; /* large for a stack */
	struct hush h;
	int rc;

	hush_begin(&h);
	rc = rte_eal_init(argc, argv);
	hush_end(&h, said);
	if (rc < 0)
		explain(said, why, len);
	return rc;
}

int eal_arguments(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], "--") == 0)
			return i;
	return 1;
}
