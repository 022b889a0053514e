/* SPDX-License-Identifier: BSD-3-Clause
 * socket.c - the control socket: a line asks for an operation, a line of JSON answers
 *
 * Main thread. A client has one operation at a time; what it writes meanwhile waits. A client
 * that goes away, or whose time is over, cancels its pending request; so does the daemon's end. What
 * changes the daemon is done when all clients have been looked at, one after another: a reload takes
 * its time, and serves the socket meanwhile.
 */
#include "vnicd.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "answer.h"
#include "clock.h"
#include "command.h"
#include "place.h"
#include "query.h"
#include "role.h"

#define CLIENTS 16
#define FOR_OPERATORS 4 /* places that readers cannot take */
#define LINE 256
#define ERROR_MORE 768 /* room for what an answer adds to a line, escapes included */
#define BACKLOG 8
#define WHY 160
#define DEAF_MS 100 /* without descriptors to spare: poll() would say so at once, again and again */

struct socket_client {
	int fd; /* -1: none */
	enum role role;
	uint32_t user;
	char line[LINE];
	size_t len;
	struct vnic_request *request; /* NULL: none is under way */
	struct order order;
	const struct query *change; /* its turn is to come, or it is being done; NULL: none */
	char words[LINE]; /* of it */
	uint64_t deadline_ms;
	bool cancelled;
	bool silent; /* it has closed its side for writing, and waits for answers */
};

struct vnicd_socket {
	int fd;
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
	struct roles roles;
	uint64_t deaf_until_ms; /* the listener is not looked at before */
	struct socket_client client[CLIENTS];
};

/* ---- a client ---- */

/* The library keeps a request that is still pending until it ends. */
static void drop_request(struct socket_client *c)
{
	vnic_request_release(c->request);
	c->request = NULL;
}

static bool is_busy(const struct socket_client *c)
{
	return c->request != NULL || c->change != NULL;
}

static void hang_up(struct socket_client *c)
{
	if (c->request != NULL)
		vnic_request_cancel(c->request);
	drop_request(c);
	close(c->fd);
	*c = (struct socket_client){.fd = -1};
}

static void tell(struct socket_client *c, struct answer *a)
{
	answer_end(a);
	a->text[a->len++] = '\n';
	/* who does not read its answers is not waited for */
	if (send(c->fd, a->text, a->len, MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)a->len)
		hang_up(c);
}

static void tell_error(struct socket_client *c, const char *why)
{
	char text[LINE + ERROR_MORE];
	struct answer a = answer_json(text, sizeof(text));

	answer_error(&a, "%s", why);
	tell(c, &a);
}

/* Not now. */
static void tell_busy(struct socket_client *c, const char *why)
{
	char text[LINE + ERROR_MORE];
	struct answer a = answer_json(text, sizeof(text));

	answer_error(&a, "%s", why);
	answer_error_busy(&a);
	tell(c, &a);
}

/* Its role does not allow it. */
static void tell_needs(struct socket_client *c, const char *why, const char *role)
{
	char text[LINE + ERROR_MORE];
	struct answer a = answer_json(text, sizeof(text));

	answer_error(&a, "%s", why);
	answer_text(&a, "needs", role);
	tell(c, &a);
}

/* Is it an operator? Else it is told what it is not. */
static bool may_change(struct socket_client *c, const char *what)
{
	char why[COMMAND_WHY];

	if (c->role >= ROLE_OPERATOR)
		return true;
	snprintf(why, sizeof(why), "%s: you may ask, not change: control_operators does not name user %u",
		 what, c->user);
	tell_needs(c, why, "operator");
	return false;
}

static void ask(struct vnicd *d, struct socket_client *c, const struct query *query, char *words)
{
	char text[ANSWER_JSON];
	struct answer a = answer_json(text, sizeof(text));

	d->asker = (struct vnicd_asker){.owner = c->role == ROLE_OWNER, .user = c->user};
	query_run(d, query, words, &a);
	tell(c, &a);
}

static void ask_or_wait(struct vnicd *d, struct socket_client *c, const struct query *query, char *words)
{
	if (!query->changes) {
		ask(d, c, query, words);
	} else if (may_change(c, query->name)) {
		snprintf(c->words, sizeof(c->words), "%s", words);
		c->change = query;
	}
}

static void operate(struct vnicd *d, struct socket_client *c, const struct command *command, char *words)
{
	char why[COMMAND_WHY];

	if (!may_change(c, command->name))
		return;
	if (command_read(d, command, words, &c->order, why, sizeof(why)) != 0) {
		tell_error(c, why);
		return;
	}
	c->request = vnic_request_create(d->control);
	if (c->request == NULL) {
		tell_busy(c, "no memory for a request; end some clients");
		return;
	}
	c->cancelled = false;
	c->deadline_ms = now_ms() + c->order.timeout_ms;
	vnic_request_set_caller(c->request, c->user);
	command_issue(&c->order, c->request);
}

static void begin(struct vnicd *d, struct socket_client *c, char *line)
{
	char why[COMMAND_WHY];
	char *words = line + strcspn(line, " \t,");
	const struct command *command;
	const struct query *query;

	if (*words != '\0')
		*words++ = '\0';
	query = query_find(line, &words);
	command = command_find(line);
	if (query != NULL) {
		ask_or_wait(d, c, query, words);
	} else if (command != NULL) {
		operate(d, c, command, words);
	} else {
		snprintf(why, sizeof(why), "%.32s: no such operation; help names them all", line);
		tell_error(c, why);
	}
}

/* The operation under way: answer it, or its time is over. */
static void proceed(struct socket_client *c)
{
	char text[LINE + ERROR_MORE];
	struct answer a = answer_json(text, sizeof(text));

	if (c->request == NULL)
		return;
	if (vnic_request_status(c->request) == VNIC_STATUS_PENDING) {
		if (!c->cancelled && now_ms() >= c->deadline_ms) {
			vnic_request_cancel(c->request);
			c->cancelled = true;
		}
		return;
	}
	command_answer(&c->order, c->request, &a);
	drop_request(c);
	tell(c, &a);
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

	while (c->fd >= 0 && !is_busy(c) && (end = memchr(c->line, '\n', c->len)) != NULL) {
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
	if (c->fd >= 0 && !is_busy(c) && c->len == LINE) {
		tell_error(c, "a line has at most 255 characters");
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

/* Who is not served is told why, if the socket takes it at once. */
static void turn_away(int fd, const char *why, const char *needs)
{
	struct socket_client c = {.fd = fd};

	if (needs != NULL)
		tell_needs(&c, why, needs);
	else
		tell_busy(&c, why);
	if (c.fd >= 0)
		close(c.fd);
}

static struct socket_client *place_for(struct vnicd_socket *s, enum role role)
{
	struct socket_client *place = NULL;
	uint32_t left = 0;

	for (uint32_t i = 0; i < CLIENTS; i++)
		if (s->client[i].fd < 0) {
			place = &s->client[i];
			left++;
		}
	return role >= ROLE_OPERATOR || left > FOR_OPERATORS ? place : NULL;
}

static void welcome(struct vnicd_socket *s)
{
	int fd = accept4(s->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct socket_client *c;
	char why[128];
	uint32_t user = UINT32_MAX;
	enum role role;

	if (fd < 0) {
		if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
			s->deaf_until_ms = now_ms() + DEAF_MS;
		return;
	}
	role = roles_of_peer(&s->roles, fd, &user);
	if (role == ROLE_NONE) {
		snprintf(why, sizeof(why), "neither control_operators nor control_readers names user %u, or "
			 "a group of that user", user);
		turn_away(fd, why, "reader");
		return;
	}
	c = place_for(s, role);
	if (c == NULL)
		turn_away(fd, "as many clients as are served at once; end some", NULL);
	else
		*c = (struct socket_client){.fd = fd, .role = role, .user = user};
}

/* ---- the socket ---- */

/* Is it to be looked at? Who waits for a change stays where it is until then. */
static struct pollfd interest(const struct socket_client *c)
{
	bool full = c->len == LINE && c->request != NULL;

	/* POLLHUP comes unasked */
	return (struct pollfd){.fd = c->change == NULL ? c->fd : -1, .events = full || c->silent ? 0 : POLLIN};
}

static void serve(struct vnicd *d, struct socket_client *c, short events)
{
	if (events & POLLIN)
		receive(c);
	else if (events != 0)
		hang_up(c);
	if (c->fd >= 0)
		proceed(c);
	if (c->fd >= 0)
		take_line(d, c);
	if (c->fd >= 0 && c->silent && !is_busy(c))
		hang_up(c);
}

bool vnicd_socket_poll(struct vnicd *d, int wait_ms)
{
	struct vnicd_socket *s = d->socket;
	struct pollfd fds[CLIENTS + 2];

	if (s == NULL)
		return false;
	fds[CLIENTS] = (struct pollfd){.fd = now_ms() < s->deaf_until_ms ? -1 : s->fd,
				       .events = POLLIN};
	fds[CLIENTS + 1] = (struct pollfd){.fd = vnicd_peers_fd(d), .events = POLLIN}; /* wakes us */
	for (uint32_t i = 0; i < CLIENTS; i++) {
		fds[i] = interest(&s->client[i]);
		if (s->client[i].request != NULL)
			wait_ms = wait_ms > 1 ? 1 : wait_ms;
	}
	if (poll(fds, CLIENTS + 2, wait_ms) < 0)
		return false;
	for (uint32_t i = 0; i < CLIENTS; i++)
		if (s->client[i].change == NULL)
			serve(d, &s->client[i], fds[i].revents);
	if (fds[CLIENTS].revents != 0)
		welcome(s);
	return true;
}

void vnicd_socket_change(struct vnicd *d)
{
	for (uint32_t i = 0; d->socket != NULL && i < CLIENTS; i++) {
		struct socket_client *c = &d->socket->client[i];

		while (c->change != NULL) {
			ask(d, c, c->change, c->words);
			c->change = NULL;
			serve(d, c, 0);
		}
	}
}

static int fail_at(struct vnicd *d, const char *key, const char *value, const char *what)
{
	snprintf(d->why, sizeof(d->why), "%s: vnicd: %s = %.70s: %.160s", d->conf.path, key, value, what);
	return -1;
}

static int fail(struct vnicd *d, const char *what, const char *cure)
{
	char why[WHY];

	snprintf(why, sizeof(why), "%s: %s", what, cure);
	return fail_at(d, "control", d->conf.global.control, why);
}

/* Who else may use it than root and us. */
static int read_roles(struct vnicd *d, struct roles *roles)
{
	const struct {
		const char *key, *value;
		enum role role;
	} lists[] = {{"control_operators", d->conf.global.control_operators, ROLE_OPERATOR},
		     {"control_readers", d->conf.global.control_readers, ROLE_READER}};
	char why[WHY];

	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		if (lists[i].value[0] != '\0' && d->conf.global.control[0] == '\0')
			return fail_at(d, lists[i].key, lists[i].value,
				       "there is no control socket: add control = PATH");
		if (roles_add(roles, lists[i].role, lists[i].value, why, sizeof(why)) != 0)
			return fail_at(d, lists[i].key, lists[i].value, why);
	}
	return 0;
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
	/* for its owner only; or for all, and we look who it is */
	mask = umask(s->roles.nb == 0 ? 0177 : 0111);
	rc = place_bind(s->fd, &at, sizeof(at));
	umask(mask);
	if (rc != 0)
		return fail(d, place_error(rc), place_cure(rc));
	strcpy(s->path, at.sun_path);
	return listen(s->fd, BACKLOG) == 0 ? 0 : fail(d, strerror(errno), "use another path");
}

int vnicd_socket_open(struct vnicd *d)
{
	struct roles roles = {0};
	struct vnicd_socket *s;

	if (read_roles(d, &roles) != 0)
		return -1;
	if (d->conf.global.control[0] == '\0')
		return 0;
	s = calloc(1, sizeof(*s));
	if (s == NULL)
		return fail(d, strerror(ENOMEM), "free some memory");
	d->socket = s;
	s->fd = -1;
	s->roles = roles;
	for (uint32_t i = 0; i < CLIENTS; i++)
		s->client[i].fd = -1;
	return listen_at(d, s);
}

void vnicd_socket_end(struct vnicd *d)
{
	struct vnicd_socket *s = d->socket;

	if (s == NULL)
		return;
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
	if (s->path[0] != '\0')
		unlink(s->path);
	s->path[0] = '\0'; /* from now on another's */
	for (struct socket_client *c = s->client; c < s->client + CLIENTS; c++) {
		if (c->change != NULL)
			tell_busy(c, "vnicd is about to end, and changes nothing more; ask the next one");
		if (c->request != NULL)
			vnic_request_cancel(c->request);
		else if (c->fd >= 0)
			hang_up(c);
	}
}

void vnicd_socket_close(struct vnicd *d)
{
	vnicd_socket_answer(d);
	vnicd_socket_end(d);
	for (uint32_t i = 0; d->socket != NULL && i < CLIENTS; i++)
		if (d->socket->client[i].fd >= 0)
			hang_up(&d->socket->client[i]);
	free(d->socket);
	d->socket = NULL;
}
