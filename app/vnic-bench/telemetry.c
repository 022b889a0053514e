/* SPDX-License-Identifier: BSD-3-Clause
 * telemetry.c - ask a DPDK program for its counts
 */
#include "telemetry.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define PATIENCE_S 2

static int receive(struct telemetry *t)
{
	ssize_t n = recv(t->fd, t->answer, sizeof(t->answer) - 1, 0);

	t->answer[n > 0 ? n : 0] = '\0';
	return n > 0 ? 0 : -1;
}

int telemetry_open(struct telemetry *t, const char *folder, const char *prefix)
{
	struct timeval patience = {.tv_sec = PATIENCE_S};
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	int n = snprintf(to.sun_path, sizeof(to.sun_path), "%s/dpdk/%s/dpdk_telemetry.v2", folder, prefix);

	t->fd = -1;
	if (n >= (int)sizeof(to.sun_path))
		return -1;
	t->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (t->fd < 0)
		return -1;
	setsockopt(t->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(t->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	if (connect(t->fd, (struct sockaddr *)&to, sizeof(to)) == 0 && receive(t) == 0) /* it greets */
		return 0;
	telemetry_close(t);
	return -1;
}

void telemetry_close(struct telemetry *t)
{
	if (t->fd >= 0)
		close(t->fd);
	t->fd = -1;
}

int telemetry_ask(struct telemetry *t, const char *command)
{
	t->answer[0] = '\0';
	if (t->fd < 0 || send(t->fd, command, strlen(command), MSG_NOSIGNAL) < 0)
		return -1;
	return receive(t);
}

bool telemetry_number(const struct telemetry *t, const char *key, uint64_t *value)
{
	char name[64];
	const char *at;
	char *end;

	snprintf(name, sizeof(name), "\"%s\":", key);
	at = strstr(t->answer, name);
	if (at == NULL)
		return false;
	at += strlen(name);
	*value = strtoull(at, &end, 10);
	return end != at;
}
