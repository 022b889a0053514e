/* SPDX-License-Identifier: BSD-3-Clause
 * relays.h - the relays of all memif ports
 *
 * Main thread.
 */
#ifndef VNICD_RELAYS_H
#define VNICD_RELAYS_H

#include <stdbool.h>
#include <stddef.h>

#define RELAY_DEVARGS 512

struct relays;
struct relay;

/* Is it a memif device? */
bool relays_wanted(const char *devargs);

/* NULL: no memory, no descriptors, or no folder for the private sockets. */
struct relays *relays_create(void);
/* A relay for a device that is about to be made: with `own` in place of its devargs. NULL, and
 * `why` says in a line what and what to do. */
struct relay *relays_add(struct relays *rs, const char *devargs, char own[RELAY_DEVARGS], char *why,
			 size_t len);
/* When its port is closed; its place is free for another. */
void relay_remove(struct relay *r);
/* Take what there is to take. */
void relays_poll(struct relays *rs);
/* Readable when there is something. */
int relays_fd(const struct relays *rs);
/* Nobody polls their ports any more: let the drivers disconnect. NULL is ignored. */
void relays_stop(struct relays *rs);
/* When their ports are closed. NULL is ignored. */
void relays_destroy(struct relays *rs);

#endif
