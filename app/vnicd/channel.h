/* SPDX-License-Identifier: BSD-3-Clause
 * channel.h - a channel of memif's: a Unix socket of sequenced packets, each a message
 *
 * None waits. Those that make one let it wake who waits for `waker`.
 *
 * Main thread.
 */
#ifndef VNICD_CHANNEL_H
#define VNICD_CHANNEL_H

#include <stdbool.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "memif.h"

enum channel_taken { CHANNEL_NOTHING, CHANNEL_MESSAGE, CHANNEL_END, CHANNEL_GARBAGE };

/* Its length as an address, in `at`. */
socklen_t channel_address(struct sockaddr_un *at, const char *name, bool abstract);
/* Where channels are accepted. The descriptor, or -errno, of place_error(). */
int channel_listen(const struct sockaddr_un *at, socklen_t len, int waker);
/* A channel, or -1. */
int channel_accept(int listener, int waker);
int channel_connect(const struct sockaddr_un *at, socklen_t len, int waker);

/* One message and its descriptor, -1 for none; the caller closes it. */
enum channel_taken channel_take(int from, struct memif_message *m, int *fd);
/* With a descriptor, or -1; the caller keeps it. False: it was not taken. */
bool channel_give(int to, const struct memif_message *m, int fd);
bool channel_acknowledge(int to);
/* The last message: why there is no other. */
void channel_refuse(int to, const char *why);
/* Is its other end gone? */
bool channel_hung_up(int fd);

#endif
