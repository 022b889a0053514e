/* SPDX-License-Identifier: BSD-3-Clause
 * account.h - counters that are exact at any moment
 *
 * Each of a queue's three sides has a block of its own counts. A side changes several of
 * them at once under a version that is odd meanwhile; a reader that finds the three
 * versions even and unchanged around its copy has a moment at which all of it was true.
 * Writers never wait; only readers try again.
 *
 *   R8/A8  version even again: the counts it announces
 *   the counts are release stores after the odd version and acquire loads before the
 *   version is read again, so that a reader of a new count sees the new version
 */
#ifndef VNIC_ACCOUNT_H
#define VNIC_ACCOUNT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* One side's counts, whose meaning the side knows: see queue.h. */
#define VNIC__COUNTS_MAX 40

struct vnic__account {
	_Atomic uint64_t version;
	_Atomic uint64_t count[VNIC__COUNTS_MAX];
};

/* The block's writer: set the first n counts. */
static inline void vnic__account_write(struct vnic__account *a, const uint64_t *count, uint32_t n)
{
	/* relaxed: this thread alone writes it */
	uint64_t v = atomic_load_explicit(&a->version, memory_order_relaxed);

	atomic_store_explicit(&a->version, v + 1, memory_order_relaxed);
	for (uint32_t i = 0; i < n; i++)
		atomic_store_explicit(&a->count[i], count[i], memory_order_release);
	/* R8 -> A8 */
	atomic_store_explicit(&a->version, v + 2, memory_order_release);
}

/* Copy nb_blocks blocks as they were at one moment. */
void vnic__account_cut(struct vnic__account *const *block, uint32_t nb_blocks,
		       uint64_t (*copy)[VNIC__COUNTS_MAX]);

#endif
