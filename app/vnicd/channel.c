/* SPDX-License-Identifier: BSD-3-Clause
 * channel.c - a channel of memif's: a Unix socket of sequenced packets, each a message
 */
#include "channel.h"

#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "descriptor.h"
#include "place.h"

#define BACKLOG 64

/* ---- making ---- */

socklen_t channel_address(struct sockaddr_un *at, const char *name, bool abstract)
{
	*at = (struct sockaddr_un){.sun_family = AF_UNIX};
	snprintf(at->sun_path + abstract, sizeof(at->sun_path) - abstract, "%s", name);
	if (!abstract)
		return sizeof(*at);
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name));
}

static int new_socket(void)
{
	return socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

int channel_listen(const struct sockaddr_un *at, socklen_t len, int waker)
{
	int fd = new_socket(), rc;

	if (fd < 0)
		return -errno;
	rc = place_bind(fd, at, len);
	if (rc == 0 && listen(fd, BACKLOG) != 0)
		rc = -errno;
	if (rc != 0) {
		descriptor_close(&fd);
		return rc;
	}
	descriptor_watch(waker, fd);
	return fd;
}

int channel_accept(int listener, int waker)
{
	int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd >= 0)
		descriptor_watch(waker, fd);
	return fd;
}

int channel_connect(const struct sockaddr_un *at, socklen_t len, int waker)
{
	int fd = new_socket();

	if (fd >= 0 && connect(fd, (const struct sockaddr *)at, len) != 0)
		descriptor_close(&fd);
	if (fd >= 0)
		descriptor_watch(waker, fd);
	return fd;
}

/* ---- messages ---- */

/* The one descriptor that came with a message, in `fd`; false: there were more. */
static bool take_descriptor(struct msghdr *h, int *fd)
{
	bool more = false;

	*fd = -1;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c != NULL; c = CMSG_NXTHDR(h, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; CMSG_LEN((i + 1) * sizeof(int)) <= c->cmsg_len; i++) {
			more |= *fd >= 0;
			descriptor_close(fd);
			memcpy(fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
		}
	}
	return !more;
}

enum channel_taken channel_take(int from, struct memif_message *m, int *fd)
{
	union {
		char room[CMSG_SPACE(4 * sizeof(int)) + CMSG_SPACE(sizeof(struct ucred))];
		struct cmsghdr align;
	} control;
	struct iovec iov = {.iov_base = m, .iov_len = sizeof(*m)};
	struct msghdr h = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control,
			   .msg_controllen = sizeof(control)};
	ssize_t n = recvmsg(from, &h, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	*fd = -1;
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? CHANNEL_NOTHING : CHANNEL_END;
	if (take_descriptor(&h, fd) && n == sizeof(*m) && (h.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0)
		return CHANNEL_MESSAGE;
	descriptor_close(fd);
	return n == 0 ? CHANNEL_END : CHANNEL_GARBAGE;
}

bool channel_give(int to, const struct memif_message *m, int fd)
{
	union {
		char room[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = {.room = {0}};
	struct iovec iov = {.iov_base = (void *)(uintptr_t)m, .iov_len = sizeof(*m)};
	struct msghdr h = {.msg_iov = &iov, .msg_iovlen = 1};

	if (fd >= 0) {
		struct cmsghdr *c = &control.align;

		h.msg_control = &control;
		h.msg_controllen = sizeof(control);
		c->cmsg_len = CMSG_LEN(sizeof(int));
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		memcpy(CMSG_DATA(c), &fd, sizeof(int));
	}
	return sendmsg(to, &h, MSG_DONTWAIT | MSG_NOSIGNAL) == sizeof(*m);
}

bool channel_acknowledge(int to)
{
	const struct memif_message ack = {.type = MEMIF_ACK};

	return channel_give(to, &ack, -1);
}

void channel_refuse(int to, const char *why)
{
	struct memif_message m = {.type = MEMIF_DISCONNECT};

	snprintf(m.disconnect.text, sizeof(m.disconnect.text), "%s", why);
	channel_give(to, &m, -1);
}

bool channel_hung_up(int fd)
{
	struct pollfd p = {.fd = fd};

	return poll(&p, 1, 0) == 1 && (p.revents & (POLLHUP | POLLERR)) != 0;
}
