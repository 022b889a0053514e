/* SPDX-License-Identifier: BSD-3-Clause
 * late.c - preloaded into vnicd: EAL's interrupt thread is slow to do what it has been woken for, and
 * the process slow to end, as on a busy machine
 */
#include <dlfcn.h>
#include <pthread.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define LATE_US 60000

int epoll_wait(int fd, struct epoll_event *events, int max, int timeout)
{
	int (*next)(int, struct epoll_event *, int, int);
	char name[16] = "";
	int n;

	*(void **)&next = dlsym(RTLD_NEXT, "epoll_wait");
	n = next(fd, events, max, timeout);
	pthread_getname_np(pthread_self(), name, sizeof(name));
	if (strstr(name, "intr") != NULL)
		usleep(LATE_US);
	return n;
}

__attribute__((destructor)) static void linger(void)
{
	usleep(5 * LATE_US);
}
