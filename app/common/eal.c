/* SPDX-License-Identifier: BSD-3-Clause
 * eal.c - start EAL; what it prints is kept back, and one line is made of it on failure. Stop it:
 * its clean-up unmaps memory that its interrupt thread still looks at
 */
#include "eal.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_interrupts.h>

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

/* ---- the end ---- */

/* Each closed port has told the interrupt thread to look through its sources again; a round of
 * its loop takes up to 16 such words, and a closed memif server's source, which net_memif leaves
 * behind, lies in EAL's memory. */
#define ROUNDS 8
#define PATIENCE_MS 5000

/* The thread keeps them. */
static struct {
	int fd;
	_Atomic uint32_t rounds;
} bell;

static void on_bell(void *arg)
{
	eventfd_t value;

	(void)arg;
	eventfd_read(bell.fd, &value);
	/* release: what it did before is done when the round is seen */
	atomic_fetch_add_explicit(&bell.rounds, 1, memory_order_release);
}

/* A round has ended; it began after the call. */
static bool ring_once(uint32_t round)
{
	const struct timespec nap = {.tv_nsec = 1000000};

	eventfd_write(bell.fd, 1);
	for (uint32_t ms = 0; ms < PATIENCE_MS; ms++) {
		if (atomic_load_explicit(&bell.rounds, memory_order_acquire) > round)
			return true;
		nanosleep(&nap, NULL);
	}
	return false;
}

/* The interrupt thread sleeps, and has nothing to wake up for. */
static bool interrupts_settle(void)
{
	struct rte_intr_handle *handle = rte_intr_instance_alloc(RTE_INTR_INSTANCE_F_PRIVATE);

	bell.fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (handle == NULL || bell.fd < 0 || rte_intr_fd_set(handle, bell.fd) != 0 ||
	    rte_intr_type_set(handle, RTE_INTR_HANDLE_EXT) != 0 ||
	    rte_intr_callback_register(handle, on_bell, NULL) != 0)
		return false;
	for (uint32_t i = 0; i < ROUNDS; i++)
		if (!ring_once(i))
			return false;
	return true;
}

void eal_stop(void)
{
	if (interrupts_settle())
		rte_eal_cleanup();
}

int eal_arguments(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], "--") == 0)
			return i;
	return 1;
}
