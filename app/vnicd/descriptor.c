/* SPDX-License-Identifier: BSD-3-Clause
 * descriptor.c - file descriptors, and the one that wakes us when any of them has something
 */
#include "descriptor.h"

#include <sys/epoll.h>
#include <unistd.h>

void descriptor_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

int descriptor_waker(void)
{
	return epoll_create1(EPOLL_CLOEXEC);
}

void descriptor_watch(int waker, int fd)
{
	struct epoll_event e = {.events = EPOLLIN};

	epoll_ctl(waker, EPOLL_CTL_ADD, fd, &e); /* without it we look a little later */
}

void descriptor_heed(int waker, int fd, bool reading)
{
	struct epoll_event e = {.events = reading ? EPOLLIN : 0};

	epoll_ctl(waker, EPOLL_CTL_MOD, fd, &e);
}

void descriptor_unwatch(int waker, int fd)
{
	epoll_ctl(waker, EPOLL_CTL_DEL, fd, NULL);
}
