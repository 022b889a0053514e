/* SPDX-License-Identifier: BSD-3-Clause
 * kick.h - wake a peer that waits for an eventfd, without ever waiting for the peer
 *
 * A memif driver writes to a ring's descriptor, or reads it, on a lcore, whenever the ring says
 * that its peer wants kicks. One that the peer has, too, could make it wait. So each side gets one
 * of ours. Kicks for the peer are passed on; the driver polls, and needs none.
 *
 * Main thread.
 */
#ifndef VNICD_KICK_H
#define VNICD_KICK_H

#include <stdbool.h>
#include <stdint.h>

#include <libaio.h>

#include "memif.h"

struct kicker {
	io_context_t context; /* NULL: the kernel has none for us, and nobody is kicked */
	int nothing;          /* /dev/null */
};

void kicker_open(struct kicker *k);
void kicker_close(struct kicker *k);

/* Of the rings by which a driver sends. */
struct kicks {
	uint32_t nb;
	/* from an eventfd that does not block and that only we and our driver have, to the peer's:
	 * it is no kick if that is no eventfd */
	struct kick {
		int from, to;
	} kick[MEMIF_RINGS_MAX];
};

/* Of a ring's descriptor, the peer's or else the driver's: another in its place, for the other one
 * of the two. `sends`: the driver does, by this ring. NULL, or why there is none. */
const char *kicks_part(struct kicks *k, int *fd, bool peers, bool sends, int waker);
/* Those that there are. */
void kicks_pass(const struct kicks *k, const struct kicker *kicker);
void kicks_forget(struct kicks *k, int waker);

#endif
