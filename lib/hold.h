/* SPDX-License-Identifier: BSD-3-Clause
 * hold.h - keep the thread that polls a port out of it
 *
 * The wish is any thread's, the answer the poller's, once a poll. The wish counts: odd, a hold;
 * so that an answer to an earlier one is not taken for this one's, nor is the end of an earlier
 * one that of a hold which has come meanwhile.
 *
 *   R20/A20  seen: all that the poller did with the port before it saw the wish
 *   R21/A21  wish, taken back: what was done to the port meanwhile
 */
#ifndef VNIC_HOLD_H
#define VNIC_HOLD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct vnic__hold {
	_Atomic uint32_t wish;
	_Atomic uint32_t seen; /* the poller's */
};

/* Any thread. */
static inline void vnic__hold_begin(struct vnic__hold *h)
{
	/* relaxed, all: the answer orders */
	uint32_t wish = atomic_load_explicit(&h->wish, memory_order_relaxed);

	while (!atomic_compare_exchange_weak_explicit(&h->wish, &wish, wish + 1 + (wish & 1),
						      memory_order_relaxed, memory_order_relaxed))
		;
}

/* Any thread: is it wanted? */
static inline bool vnic__hold_wanted(const struct vnic__hold *h)
{
	return (atomic_load_explicit(&h->wish, memory_order_relaxed) & 1) != 0; /* a glance */
}

/* Any thread: is there a hold, and has the poller seen it? */
static inline bool vnic__hold_stands(const struct vnic__hold *h)
{
	uint32_t wish = atomic_load_explicit(&h->wish, memory_order_relaxed); /* its own, or newer */

	/* A20 <- R20 */
	return (wish & 1) != 0 && atomic_load_explicit(&h->seen, memory_order_acquire) == wish;
}

/* Any one thread; without a hold, or if another has begun just now: nothing. */
static inline void vnic__hold_end(struct vnic__hold *h)
{
	/* relaxed, and at a failure: its own, or newer */
	uint32_t wish = atomic_load_explicit(&h->wish, memory_order_relaxed);

	if ((wish & 1) != 0)
		/* R21 -> A21 */
		atomic_compare_exchange_strong_explicit(&h->wish, &wish, wish + 1, memory_order_release,
							memory_order_relaxed);
}

/* The poller, before it touches the port: is it to keep out? */
static inline bool vnic__hold_keeps_out(struct vnic__hold *h)
{
	/* A21 <- R21 */
	uint32_t wish = atomic_load_explicit(&h->wish, memory_order_acquire);

	/* relaxed: its own */
	if (__builtin_expect(wish != atomic_load_explicit(&h->seen, memory_order_relaxed), 0))
		/* R20 -> A20 */
		atomic_store_explicit(&h->seen, wish, memory_order_release);
	return (wish & 1) != 0;
}

#endif
