/* SPDX-License-Identifier: BSD-3-Clause
 * account.c - the reader's side of the counters
 */
#include "account.h"

#include <sched.h>

#include <rte_pause.h>

#define BLOCKS_MAX 4
#define TRIES_BEFORE_YIELD 64

static bool copy_once(struct vnic__account *const *block, uint32_t nb_blocks,
		      uint64_t (*copy)[VNIC__COUNTS_MAX])
{
	uint64_t version[BLOCKS_MAX];

	for (uint32_t b = 0; b < nb_blocks; b++) {
		/* A8 <- R8 */
		version[b] = atomic_load_explicit(&block[b]->version, memory_order_acquire);
		if (version[b] & 1)
			return false;
	}
	for (uint32_t b = 0; b < nb_blocks; b++)
		for (uint32_t i = 0; i < VNIC__COUNTS_MAX; i++)
			copy[b][i] = atomic_load_explicit(&block[b]->count[i], memory_order_acquire);
	for (uint32_t b = 0; b < nb_blocks; b++)
		/* relaxed: after the acquires above */
		if (atomic_load_explicit(&block[b]->version, memory_order_relaxed) != version[b])
			return false;
	return true;
}

void vnic__account_cut(struct vnic__account *const *block, uint32_t nb_blocks,
		       uint64_t (*copy)[VNIC__COUNTS_MAX])
{
	for (uint32_t i = 1; !copy_once(block, nb_blocks, copy); i++) {
		/* on one CPU the writer must get to run */
		if (i % TRIES_BEFORE_YIELD == 0)
			sched_yield();
		else
			rte_pause();
	}
}
