/* SPDX-License-Identifier: BSD-3-Clause
 * place.h - a path at which a Unix socket listens, or is to
 *
 * A file of the user's is never removed; a socket that nobody listens on any more, left from a
 * program that was killed, is taken over.
 *
 * Main thread.
 */
#ifndef VNICD_PLACE_H
#define VNICD_PLACE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

#define PLACE_MAX sizeof(((struct sockaddr_un *)0)->sun_path)

/* Bind `fd` there. 0; -EADDRINUSE: something is there that is not to be removed; or what bind()
 * says. */
int place_bind(int fd, const struct sockaddr_un *at, socklen_t len);
/* Can a socket be bound to the path, or a memif's abstract name, by somebody else, now? 0, and what was stale
 * there is gone; -ENAMETOOLONG; or as above. */
int place_check(const char *path, bool abstract);
/* What a place's error means, and what to do. */
const char *place_error(int error);
const char *place_cure(int error);

#endif
