/* SPDX-License-Identifier: BSD-3-Clause
 * door.h - the places where memif's clients come to us
 *
 * A door is a listening socket, of all relays that are servers there. Who comes is a guest until
 * he has said to which of them, by its id, and that one takes him.
 *
 * Main thread.
 */
#ifndef VNICD_DOOR_H
#define VNICD_DOOR_H

#include "relay.h"

#define DOORS_MAX 32 /* as many as relays */
#define GUESTS_MAX 16

struct door {
	int fd; /* -1: none */
	struct sockaddr_un at;
	socklen_t len;
	struct relay *first; /* of its relays */
	struct doors *all;
};

struct guest {
	int fd; /* -1: none */
	struct door *door;
	uint64_t since_ms;
	bool has_said; /* `init`, to a relay that is not ready for it yet */
	struct memif_message init;
};

struct doors {
	int waker;
	struct door door[DOORS_MAX];
	struct guest guest[GUESTS_MAX];
};

void doors_init(struct doors *ds, int waker);
void doors_poll(struct doors *ds);
/* A server is to be found where it says. 0; -EEXIST: another with its id is there; or -errno, of
 * place_error(). */
int doors_add(struct doors *ds, struct relay *r);
/* A client's relay is at none. */
void doors_remove(struct relay *r);

#endif
