/* SPDX-License-Identifier: BSD-3-Clause
 * hold.h - keep the thread that polls a port out of it
 *
 * The wish is any thread's, the answer the poller's, once a poll. The wish counts: odd, a hold;
 * so that an answer to an earlier one is not taken for this one's.
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

/* Any thread; again while it stands: nothing. */
static inline void vnic__hold_begin(struct vnic__hold *h)
{
	/* relaxed: the answer orders */
	atomic_fetch_or_explicit(&h->wish, 1, memory_order_relaxed);
}

/* Any thread: is there a hold, and has the poller seen it? */
static inline bool vnic__hold_stands(const struct vnic__hold *h)
{
	uint32_t wish = atomic_load_explicit(&h->wish, memory_order_relaxed); /* its own, or newer */

	/* A20 <- R20 */
	return (wish & 1) != 0 && atomic_load_explicit(&h->seen, memory_order_acquire) == wish;
}

/* Any one thread; without a hold: nothing. */
static inline void vnic__hold_end(struct vnic__hold *h)
{
	uint32_t wish = atomic_load_explicit(&h->wish, memory_order_relaxed); /* odd: nobody else's */

	if ((wish & 1) != 0)
		/* R21 -> A21 */
		atomic_store_explicit(&h->wish, wish + 1, memory_order_release);
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
