/* SPDX-License-Identifier: BSD-3-Clause
 * relay.h - memif's control channel, between a peer and net_memif
 *
 * When a peer goes, net_memif unmaps what it shares with it at once, in a thread of its own, while
 * a lcore may be polling there: that crashes. So the socket that the user names is ours, and the
 * driver has a private one. We pass messages on, both ways, with their descriptors; the peer's only
 * after a check of all that the driver takes on trust. When a peer goes, or says what it may not,
 * the driver learns of it when its port's poller has been kept out, and not before.
 *
 * Main thread.
 */
#ifndef VNICD_RELAY_H
#define VNICD_RELAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RELAY_DEVARGS 512

struct relays;
struct relay;

/* Is it a memif device? */
bool relay_wanted(const char *devargs);

/* NULL: no memory, no descriptors, or no folder for the private sockets. */
struct relays *relays_create(void);
/* A relay for a device that is about to be made: with `own` in place of its devargs. NULL, and
 * `why` says in a line what and what to do. */
struct relay *relays_add(struct relays *rs, const char *devargs, char own[RELAY_DEVARGS], char *why,
			 size_t len);
/* The device's port, whose poller is kept out until the relay is up. */
void relay_bind(struct relay *r, uint16_t port);
/* Take what there is to take. */
void relays_poll(struct relays *rs);
/* Readable when there is something. */
int relays_fd(const struct relays *rs);
/* Nobody polls its port any more: let the driver disconnect. */
void relay_stop(struct relay *r);
/* When its port is closed; its place is free for another. */
void relay_remove(struct relay *r);
/* The first for all. */
void relays_stop(struct relays *rs);
/* When their ports are closed. NULL is ignored. */
void relays_destroy(struct relays *rs);

/* The driver and a peer are connected. */
bool relay_up(const struct relay *r);
/* The peer is gone, or has broken the rules; the driver does not know it yet. */
bool relay_lost(const struct relay *r);
/* Nobody polls the port: tell the driver. The relay then is ready for the next peer. */
void relay_cut(struct relay *r);
/* Peers that broke the rules so far, and how the last one did; NULL: none. */
uint64_t relay_refused(const struct relay *r, const char **why);
/* When a peer has left: what becomes of the next, and where peers meet us. */
const char *relay_next(const struct relay *r, const char **place);

#endif
