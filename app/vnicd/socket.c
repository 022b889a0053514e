/* SPDX-License-Identifier: BSD-3-Clause
 * socket.c - the control socket: a line asks for an operation, a line of JSON answers
 *
 * Main thread. A client has one operation at a time; what it writes meanwhile waits. A client
 * that goes away, or whose time is over, cancels its pending request.
 */
#include "vnicd.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "change.h"
#include "command.h"
#include "flow.h"
#include "place.h"
#include "reload.h"

#define CLIENTS 16
#define LINE 256
#define BACKLOG 8

struct socket_client {
	int fd; /* -1: none */
	uint64_t user;
	char line[LINE];
	size_t len;
	struct vnic_request *request; /* NULL: none is under way */
	struct order order;
	uint64_t deadline_ms;
	bool cancelled;
	bool silent; /* it has closed its side for writing, and waits for answers */
};

struct vnicd_socket {
	int fd;
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
	struct socket_client client[CLIENTS];
};

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* ---- a client ---- */

/* The library keeps a request that is still pending until it ends. */
static void drop_request(struct socket_client *c)
{
	vnic_request_release(c->request);
	c->request = NULL;
}

static void hang_up(struct socket_client *c)
{
	if (c->request != NULL)
		vnic_request_cancel(c->request);
	drop_request(c);
	close(c->fd);
	*c = (struct socket_client){.fd = -1};
}

static void say(struct socket_client *c, const char *text)
{
	char line[COMMAND_TEXT + 1];
	int n = snprintf(line, sizeof(line), "%s\n", text);

	/* who does not read its answers is not waited for */
	if (send(c->fd, line, (size_t)n, MSG_NOSIGNAL | MSG_DONTWAIT) != n)
		hang_up(c);
}

static void say_error(struct socket_client *c, const char *why)
{
	char text[COMMAND_TEXT];
	size_t n = (size_t)snprintf(text, sizeof(text), "{\"error\":\"");

	/* what the client wrote may be in it */
	for (; *why != '\0' && n < sizeof(text) - 3; why++)
		text[n++] = *why == '"' || *why == '\\' || (unsigned char)*why < ' ' ||
			    (unsigned char)*why > '~' ? '?' : *why;
	memcpy(text + n, "\"}", 3);
	say(c, text);
}

static void say_list(struct vnicd *d, struct socket_client *c)
{
	char text[COMMAND_TEXT];
	size_t n = (size_t)snprintf(text, sizeof(text), "{\"adapters\":[");

	for (uint32_t i = 0; i < d->conf.nb_adapters && n < sizeof(text) - CONF_NAME - 8; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s\"%s\"", i == 0 ? "" : ",",
				      d->conf.adapter[i].name);
	snprintf(text + n, sizeof(text) - n, "]}");
	say(c, text);
}

static void say_state(struct vnicd *d, struct socket_client *c, const char *name)
{
	char text[COMMAND_TEXT];

	for (uint32_t i = 0; i < d->conf.nb_adapters; i++) {
		const struct vnic_adapter *a = d->adapter[i].adapter;
		struct vnic_start_stop_context context;

		if (strcmp(d->conf.adapter[i].name, name) != 0)
			continue;
		vnic_adapter_start_stop(a, &context);
		snprintf(text, sizeof(text),
			 "{\"adapter\":\"%s\",\"state\":\"%s\",\"sends\":\"%s\",\"lifecycle\":\"%s\","
			 "\"version\":%u,\"open_handles\":%u,\"operations\":%u}",
			 name, vnic_state_name(vnic_adapter_state(a)),
			 vnic_status_name(vnic_adapter_gate(a)), vnic_rdbss_name(context.state),
			 context.version, context.open_handles, context.operations);
		say(c, text);
		return;
	}
	say_error(c, "state: no such adapter; list names them, then state ADAPTER");
}

static void say_id(struct vnicd *d, struct socket_client *c, char *words)
{
	char text[COMMAND_TEXT], why[COMMAND_TEXT - 16];
	struct flow_answer a;
	int n;

	n = snprintf(why, sizeof(why), "id: ");
	if (flow_ask(d, words, &a, why + n, sizeof(why) - (size_t)n) != 0) {
		say_error(c, why);
		return;
	}
	snprintf(text, sizeof(text), "{\"face\":\"%s\",\"id\":\"%#" PRIx64 "\",\"rule\":%u,\"by\":\"%s\"}",
		 a.face->conf->name, a.id, a.rule, a.by);
	say(c, text);
}

/* SECTION.KEY VALUE, where SECTION may have two words */
static void say_set(struct vnicd *d, struct socket_client *c, char *words)
{
	char why[COMMAND_TEXT - 16] = "set: write set SECTION.KEY VALUE, as set adapter a0.packets_per_s 1000";
	char *dot = strchr(words, '.'), *value = dot != NULL ? dot + strcspn(dot, " \t") : NULL;

	if (value == NULL || *value == '\0') {
		say_error(c, why);
		return;
	}
	*dot = *value = '\0';
	value += 1 + strspn(value + 1, " \t");
	if (change_set(d, words, dot + 1, value, why, sizeof(why)) != 0)
		say_error(c, why);
	else
		say(c, "{\"status\":\"SUCCESS\"}");
}

static void say_reload(struct vnicd *d, struct socket_client *c)
{
	char text[COMMAND_TEXT], why[COMMAND_TEXT - 16];
	struct reload_counts n;

	if (reload_run(d, &n, why, sizeof(why)) != 0) {
		say_error(c, why);
		return;
	}
	snprintf(text, sizeof(text), "{\"status\":\"SUCCESS\",\"changed\":%u,\"added\":%u,\"removed\":%u}",
		 n.changed, n.added, n.removed);
	say(c, text);
}

static void begin(struct vnicd *d, struct socket_client *c, char *line)
{
	char why[COMMAND_TEXT - 16];
	char *words = line + strcspn(line, " \t,");
	const struct command *command;

	if (*words != '\0')
		*words++ = '\0';
	command = command_find(line);
	if (strcmp(line, "list") == 0) {
		say_list(d, c);
		return;
	}
	if (strcmp(line, "state") == 0) {
		say_state(d, c, words);
		return;
	}
	if (strcmp(line, "id") == 0) {
		say_id(d, c, words);
		return;
	}
	if (strcmp(line, "set") == 0) {
		say_set(d, c, words);
		return;
	}
	if (strcmp(line, "reload") == 0) {
		say_reload(d, c);
		return;
	}
	if (command == NULL) {
		snprintf(why, sizeof(why), "%.32s: no such operation; list, state, id, start, stop, pause, "
			 "restart, reset, drain, cancel, ... are", line);
		say_error(c, why);
		return;
	}
	if (command_read(d, command, words, &c->order, why, sizeof(why)) != 0) {
		say_error(c, why);
		return;
	}
	c->request = vnic_request_create(d->control);
	if (c->request == NULL) {
		say_error(c, "no memory for a request; end some clients");
		return;
	}
	c->cancelled = false;
	c->deadline_ms = now_ms() + c->order.timeout_ms;
	vnic_request_set_caller(c->request, c->user);
	command_issue(&c->order, c->request);
}

/* The operation under way: answer it, or its time is over. */
static void proceed(struct socket_client *c)
{
	char text[COMMAND_TEXT];

	if (c->request == NULL)
		return;
	if (vnic_request_status(c->request) == VNIC_STATUS_PENDING) {
		if (!c->cancelled && now_ms() >= c->deadline_ms) {
			vnic_request_cancel(c->request);
			c->cancelled = true;
		}
		return;
	}
	command_answer(&c->order, c->request, text);
	drop_request(c);
	say(c, text);
}

void vnicd_socket_answer(struct vnicd *d)
{
	for (uint32_t i = 0; d->socket != NULL && i < CLIENTS; i++)
		if (d->socket->client[i].fd >= 0)
			proceed(&d->socket->client[i]);
}

/* The next whole line, if no operation is under way. */
static void take_line(struct vnicd *d, struct socket_client *c)
{
	char line[LINE];
	char *end;
	size_t n;

	while (c->fd >= 0 && c->request == NULL && (end = memchr(c->line, '\n', c->len)) != NULL) {
		n = (size_t)(end - c->line);
		memcpy(line, c->line, n);
		line[n] = '\0';
		c->len -= n + 1;
		memmove(c->line, end + 1, c->len);
		if (n > 0 && line[n - 1] == '\r')
			line[n - 1] = '\0';
		if (strlen(line) != 0)
			begin(d, c, line);
		if (c->fd >= 0)
			proceed(c);
	}
	if (c->fd >= 0 && c->request == NULL && c->len == LINE) {
		say_error(c, "a line has at most 255 characters");
		if (c->fd >= 0)
			hang_up(c);
	}
}

static void receive(struct socket_client *c)
{
	ssize_t n = recv(c->fd, c->line + c->len, LINE - c->len, MSG_DONTWAIT);

	c->len += n > 0 ? (size_t)n : 0;
	if (n == 0)
		c->silent = true;
	else if (n < 0 && errno != EAGAIN && errno != EINTR)
		hang_up(c);
}

static void welcome(struct vnicd_socket *s)
{
	int fd = accept4(s->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct ucred peer;
	socklen_t len = sizeof(peer);

	if (fd < 0)
		return;
	for (uint32_t i = 0; i < CLIENTS; i++) {
		struct socket_client *c = &s->client[i];

		if (c->fd >= 0)
			continue;
		*c = (struct socket_client){.fd = fd};
		if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0)
			c->user = peer.uid;
		return;
	}
	close(fd); /* as many as we serve */
}

/* ---- the socket ---- */

bool vnicd_socket_poll(struct vnicd *d, int wait_ms)
{
	struct vnicd_socket *s = d->socket;
	struct pollfd fds[CLIENTS + 2];

	if (s == NULL)
		return false;
	fds[CLIENTS] = (struct pollfd){.fd = s->fd, .events = POLLIN};
	fds[CLIENTS + 1] = (struct pollfd){.fd = vnicd_peers_fd(d), .events = POLLIN}; /* wakes us */
	for (uint32_t i = 0; i < CLIENTS; i++) {
		bool full = s->client[i].len == LINE && s->client[i].request != NULL;

		/* POLLHUP comes unasked */
		fds[i] = (struct pollfd){.fd = s->client[i].fd,
					 .events = full || s->client[i].silent ? 0 : POLLIN};
		if (s->client[i].request != NULL)
			wait_ms = wait_ms > 1 ? 1 : wait_ms;
	}
	if (poll(fds, CLIENTS + 2, wait_ms) < 0)
		return true;
	for (uint32_t i = 0; i < CLIENTS; i++) {
		struct socket_client *c = &s->client[i];

		if (fds[i].revents & POLLIN)
			receive(c);
		else if (fds[i].revents != 0)
			hang_up(c);
		if (c->fd >= 0)
			proceed(c);
		if (c->fd >= 0)
			take_line(d, c);
		if (c->fd >= 0 && c->silent && c->request == NULL)
			hang_up(c);
	}
	if (fds[CLIENTS].revents != 0)
		welcome(s);
	return true;
}

static int fail(struct vnicd *d, const char *what, const char *cure)
{
	snprintf(d->why, sizeof(d->why), "%s: vnicd: control = %s: %s: %s", d->conf.path,
		 d->conf.global.control, what, cure);
	return -1;
}

static int listen_at(struct vnicd *d, struct vnicd_socket *s)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	mode_t mask;
	int rc;

	if (strlen(d->conf.global.control) >= sizeof(at.sun_path))
		return fail(d, "longer than a socket's path may be", place_cure(-ENAMETOOLONG));
	strcpy(at.sun_path, d->conf.global.control);
	s->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (s->fd < 0)
		return fail(d, strerror(errno), place_cure(-errno));
	mask = umask(0177); /* for its owner only */
	rc = place_bind(s->fd, &at, sizeof(at));
	umask(mask);
	if (rc != 0)
		return fail(d, place_error(rc), place_cure(rc));
	strcpy(s->path, at.sun_path);
	return listen(s->fd, BACKLOG) == 0 ? 0 : fail(d, strerror(errno), "use another path");
}

int vnicd_socket_open(struct vnicd *d)
{
	struct vnicd_socket *s;

	if (d->conf.global.control[0] == '\0')
		return 0;
	s = calloc(1, sizeof(*s));
	if (s == NULL)
		return fail(d, strerror(ENOMEM), "free some memory");
	d->socket = s;
	for (uint32_t i = 0; i < CLIENTS; i++)
		s->client[i].fd = -1;
	return listen_at(d, s);
}

void vnicd_socket_close(struct vnicd *d)
{
	struct vnicd_socket *s = d->socket;

	if (s == NULL)
		return;
	for (uint32_t i = 0; i < CLIENTS; i++)
		if (s->client[i].fd >= 0)
			hang_up(&s->client[i]);
	if (s->fd >= 0)
		close(s->fd);
	if (s->path[0] != '\0')
		unlink(s->path);
	free(s);
	d->socket = NULL;
}
