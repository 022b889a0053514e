/* SPDX-License-Identifier: BSD-3-Clause
 * handshake.h - what a peer of a memif port has said so far, and may say next
 *
 * A check of all that the driver takes on trust.
 *
 * Main thread.
 */
#ifndef VNICD_HANDSHAKE_H
#define VNICD_HANDSHAKE_H

#include <stdbool.h>
#include <stdint.h>

#include "memif.h"

struct handshake {
	bool server;       /* ours is memif's server: the peer is a client */
	bool zero_copy;    /* hugepages of clients are taken */
	uint32_t c2s, s2c; /* rings that there must be: the port's queues, which are all polled */

	bool hello;      /* the peer's, a server's */
	bool connecting; /* CONNECT has passed */
	bool connected;  /* a server has said so */
	uint32_t owed;   /* acknowledgements, by a server */
	uint32_t nb_regions, nb_c2s, nb_s2c;
	uint64_t region_size[MEMIF_REGIONS_MAX];
};

/* With another peer. */
void handshake_begin(struct handshake *h);
/* The peer's message and its descriptor, -1 for none. NULL: pass it on; else what is wrong with it,
 * an empty text if it only takes leave. */
const char *handshake_hear(struct handshake *h, const struct memif_message *m, int fd);
/* What is said to the peer. */
void handshake_say(struct handshake *h, const struct memif_message *m);

#endif
