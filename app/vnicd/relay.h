/* SPDX-License-Identifier: BSD-3-Clause
 * relay.h - memif's control channel of one port, between a peer and net_memif
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

#include "handshake.h"
#include "kick.h"
#include "memif_args.h"
#include "place.h"

#define RELAY_PATIENCE_MS 10000 /* with a whole handshake; the machine may be busy */
#define RELAY_STOP_MS 2000

enum relay_state {
	RELAY_IDLE, /* no peer, the driver waits */
	RELAY_TALK, /* a peer, on its way to the driver */
	RELAY_UP,
	RELAY_LOST, /* no peer, the driver does not know */
	RELAY_CUT,  /* it has been told, and has not yet let go */
	RELAY_OVER  /* it takes no other */
};

struct relay_line {
	struct memif_message message;
	int fd;
};

struct relay {
	bool used;
	int waker;
	const struct kicker *kicker;
	enum relay_state state;
	bool server, zero_copy;
	char place[PLACE_MAX + 1]; /* one that fills it is too long */
	struct sockaddr_un at; /* place, as an address */
	socklen_t at_len;
	struct door *door; /* a server's, and the next relay there */
	struct relay *next;
	uint32_t id;
	char secret[MEMIF_SECRET];
	struct sockaddr_un own; /* the private one */
	int own_fd; /* a client's driver comes to us there */
	int peer_fd, driver_fd;
	uint16_t port;
	bool bound;

	struct handshake handshake;
	bool told; /* the driver has heard from this peer */
	/* a client's part: the driver, which leaks what is not finished, hears it when it is whole */
	uint32_t nb_script, played;
	struct relay_line script[MEMIF_REGIONS_MAX + 2 * MEMIF_RINGS_MAX + 2];
	struct kicks kicks;

	uint64_t since_ms; /* the handshake, or a client's last try, began */
	uint64_t refused;
	const char *why;
};

/* The device's port, whose poller is kept out until the relay is up. */
void relay_bind(struct relay *r, uint16_t port);
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
/* Nobody polls its port any more: let the driver disconnect. */
void relay_stop(struct relay *r);

/* For relays.c and door.c. */
/* 0, or -errno, of place_error(). */
int relay_open(struct relay *r, const struct memif_args *a, const char *own_path);
void relay_close(struct relay *r);
void relay_poll(struct relay *r);
void relay_stop_until(struct relay *r, uint64_t end_ms);
/* A client that has come to a server's door, with its INIT. */
bool relay_knows_secret(const struct relay *r, const struct memif_message *init);
bool relay_has_peer(const struct relay *r);
bool relay_is_free(const struct relay *r);
void relay_take(struct relay *r, int peer_fd, const struct memif_message *init);
/* It is turned away: counted. */
void relay_refuse(struct relay *r, int peer_fd, const char *why);

#endif
