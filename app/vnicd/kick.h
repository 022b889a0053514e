/* SPDX-License-Identifier: BSD-3-Clause
 * kick.h - wake a peer that waits for an eventfd, without ever waiting for the peer
 *
 * Main thread.
 */
#ifndef VNICD_KICK_H
#define VNICD_KICK_H

#include <stdbool.h>

struct kicker {
	unsigned long context; /* of the kernel's, 0: it has none for us, and nobody is kicked */
	int nothing;           /* /dev/null */
};

/* From `from`, an eventfd that does not block and that only we and our driver have, to `to`, which
 * is the peer's: it is no kick if that is no eventfd. */
struct kick {
	int from, to;
};

void kicker_open(struct kicker *k);
void kicker_close(struct kicker *k);
/* If there is one, pass it on. */
void kick_pass(const struct kicker *k, const struct kick *kick);

#endif
