/* SPDX-License-Identifier: BSD-3-Clause
 * relay.c - memif's control channel of one port, between a peer and net_memif
 */
#include "relay.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <rte_common.h>
#include <rte_ethdev.h>

#include "channel.h"
#include "clock.h"
#include "descriptor.h"

#define BURST 32       /* messages of one side at a time */
#define CONNECT_MS 100 /* between two tries to reach a server */

/* ---- a peer goes ---- */

static void forget_talk(struct relay *r)
{
	while (r->nb_script != 0)
		descriptor_close(&r->script[--r->nb_script].fd);
	kicks_forget(&r->kicks, r->waker);
	handshake_begin(&r->handshake);
	r->played = 0;
	r->told = false;
	r->since_ms = now_ms();
}

void relay_refuse(struct relay *r, int peer_fd, const char *why)
{
	r->refused++;
	r->why = why;
	channel_refuse(peer_fd, why);
}

/* No peer any more. Why, if it broke the rules, else an empty text. */
static void lose(struct relay *r, const char *why)
{
	if (*why != '\0')
		relay_refuse(r, r->peer_fd, why);
	descriptor_close(&r->peer_fd);
	r->state = r->told ? RELAY_LOST : RELAY_IDLE;
	if (r->state == RELAY_IDLE)
		forget_talk(r);
}

/* Nobody polls the port, its driver has let go: make it ready for the next peer. A client tries
 * only once to reach its server; it is started again. But with zero copy net_memif has by then
 * closed the descriptors of EAL's memory, and lost the buffers that it had given away. */
static void renew(struct relay *r)
{
	bool over = r->zero_copy && !r->server;

	r->state = over ? RELAY_OVER : RELAY_IDLE;
	forget_talk(r);
	if (r->server || over || !r->bound)
		return;
	rte_eth_dev_stop(r->port);
	rte_eth_dev_start(r->port); /* if it cannot now, it is tried again: see reach() */
}

static void driver_gone(struct relay *r)
{
	descriptor_close(&r->driver_fd);
	if (r->state == RELAY_CUT) {
		renew(r);
		return;
	}
	/* it has said no to the peer, and why: a wrong secret, a ring too many */
	descriptor_close(&r->peer_fd);
	r->state = RELAY_LOST;
}

/* ---- what a peer says ---- */

static const char *tell_driver(struct relay *r, const struct memif_message *m, int fd)
{
	r->told = true;
	return channel_give(r->driver_fd, m, fd) ? NULL : ""; /* it has closed its end, and said why */
}

static void note(struct relay *r, const struct memif_message *m, int fd)
{
	r->script[r->nb_script++] = (struct relay_line){.message = *m, .fd = fd};
}

/* The next line of the script, to the driver. */
static void play(struct relay *r)
{
	struct relay_line *l = &r->script[r->played];

	if (r->played == r->nb_script)
		return;
	r->played++;
	tell_driver(r, &l->message, l->fd);
	descriptor_close(&l->fd);
}

/* A client's message: acknowledged, and kept until there is nothing more to come. */
static const char *heard_client(struct relay *r, const struct memif_message *m, int *fd)
{
	note(r, m, *fd);
	*fd = -1;
	if (m->type != MEMIF_CONNECT)
		return channel_acknowledge(r->peer_fd) ? NULL : "";
	r->driver_fd = channel_connect(&r->own, sizeof(r->own), r->waker);
	if (r->driver_fd < 0)
		return "the driver is not ready";
	play(r);
	return NULL;
}

/* A server's message. The driver hears of it when it has said yes to INIT: a driver that is told no
 * has with zero copy done harm already, see renew(). */
static const char *heard_server(struct relay *r, const struct memif_message *m)
{
	struct memif_message init = {.type = MEMIF_INIT, .init = {.version = MEMIF_VERSION, .id = r->id,
								  .name = "vnicd"}};

	if (r->told)
		return tell_driver(r, m, -1);
	if (m->type != MEMIF_HELLO) {
		play(r);
		return NULL;
	}
	note(r, m, -1);
	memcpy(init.init.secret, r->secret, sizeof(init.init.secret));
	handshake_say(&r->handshake, &init);
	return channel_give(r->peer_fd, &init, -1) ? NULL : "";
}

static const char *part(struct relay *r, const struct memif_message *ring, int *fd, bool peers)
{
	bool sends = ((ring->ring.flags & MEMIF_RING_C2S) != 0) != r->server;

	return kicks_part(&r->kicks, fd, peers, sends, r->waker);
}

static const char *hear_peer(struct relay *r, const struct memif_message *m, int *fd)
{
	const char *wrong = handshake_hear(&r->handshake, m, *fd);

	if (wrong == NULL && m->type == MEMIF_ADD_RING)
		wrong = part(r, m, fd, true);
	if (wrong != NULL)
		return wrong;
	return r->server ? heard_client(r, m, fd) : heard_server(r, m);
}

static void from_peer(struct relay *r)
{
	for (uint32_t i = 0; i < BURST && r->peer_fd >= 0; i++) {
		struct memif_message m;
		const char *wrong;
		int fd;

		switch (channel_take(r->peer_fd, &m, &fd)) {
		case CHANNEL_NOTHING: return;
		case CHANNEL_END: lose(r, ""); return;
		case CHANNEL_GARBAGE: lose(r, "no memif message"); return;
		case CHANNEL_MESSAGE: break;
		}
		wrong = hear_peer(r, &m, &fd);
		descriptor_close(&fd);
		if (wrong != NULL)
			lose(r, wrong);
		else if (m.type == MEMIF_CONNECTED)
			r->state = RELAY_UP;
	}
}

/* ---- what the driver says ---- */

static void hear_driver(struct relay *r, const struct memif_message *m, int *fd)
{
	if (r->server && m->type == MEMIF_HELLO)
		return; /* the peer has had it from us, */
	if (r->server && m->type == MEMIF_ACK) {
		play(r); /* and this */
		return;
	}
	if (m->type == MEMIF_INIT) { /* we have said it, and it was acknowledged */
		channel_acknowledge(r->driver_fd);
		return;
	}
	handshake_say(&r->handshake, m);
	if (m->type == MEMIF_ADD_RING && *fd >= 0 && part(r, m, fd, false) != NULL)
		descriptor_close(fd); /* the peer will miss it */
	/* what the peer does not take it does not get: its end will be seen */
	if (r->peer_fd >= 0)
		channel_give(r->peer_fd, m, *fd);
	if (r->state == RELAY_TALK && m->type == MEMIF_CONNECTED)
		r->state = RELAY_UP;
}

static void from_driver(struct relay *r)
{
	for (uint32_t i = 0; i < BURST && r->driver_fd >= 0; i++) {
		struct memif_message m;
		int fd;

		switch (channel_take(r->driver_fd, &m, &fd)) {
		case CHANNEL_NOTHING: return;
		case CHANNEL_END:
		case CHANNEL_GARBAGE: driver_gone(r); return;
		case CHANNEL_MESSAGE: break;
		}
		hear_driver(r, &m, &fd);
		descriptor_close(&fd);
	}
}

/* ---- a peer comes ---- */

/* As the driver compares them; it does so only when the handshake is whole, see heard_client(). */
bool relay_knows_secret(const struct relay *r, const struct memif_message *init)
{
	return r->secret[0] == '\0' || strncmp(r->secret, init->init.secret, sizeof(r->secret)) == 0;
}

bool relay_has_peer(const struct relay *r)
{
	/* one that went since relay_poll() looked leaves its place in a moment */
	return (r->state == RELAY_UP || r->state == RELAY_TALK) && !channel_hung_up(r->peer_fd);
}

bool relay_is_free(const struct relay *r)
{
	return r->state == RELAY_IDLE && r->bound;
}

void relay_take(struct relay *r, int peer_fd, const struct memif_message *init)
{
	int none = -1;

	forget_talk(r);
	r->state = RELAY_TALK;
	r->peer_fd = peer_fd;
	descriptor_heed(r->waker, r->peer_fd, true);
	if (heard_client(r, init, &none) != NULL)
		lose(r, "");
}

/* A client goes to its server, when its driver has come to us. */
static void reach(struct relay *r)
{
	if (r->driver_fd < 0) {
		r->driver_fd = channel_accept(r->own_fd, r->waker);
		if (r->driver_fd < 0 && now_ms() - r->since_ms >= RELAY_PATIENCE_MS)
			renew(r); /* it did not start */
		return;
	}
	if (now_ms() - r->since_ms < CONNECT_MS)
		return;
	r->since_ms = now_ms();
	r->peer_fd = channel_connect(&r->at, r->at_len, r->waker);
	if (r->peer_fd >= 0)
		r->state = RELAY_TALK;
}

void relay_poll(struct relay *r)
{
	if (relay_is_free(r) && !r->server)
		reach(r);
	/* the driver's first: what it said before a peer's end is the peer's due */
	if (r->driver_fd >= 0)
		from_driver(r);
	if (r->peer_fd >= 0)
		from_peer(r);
	kicks_pass(&r->kicks, r->kicker);
	/* a server may take its time; net_memif as one ends its program when it is hung up on early */
	if (r->state == RELAY_TALK && r->server && now_ms() - r->since_ms >= RELAY_PATIENCE_MS)
		lose(r, "a handshake without end");
}

/* ---- who looks after the port ---- */

void relay_bind(struct relay *r, uint16_t port)
{
	struct rte_eth_dev_info info = {.nb_rx_queues = 1, .nb_tx_queues = 1};

	rte_eth_dev_info_get(port, &info);
	r->handshake.c2s = RTE_MIN(r->server ? info.nb_rx_queues : info.nb_tx_queues, MEMIF_RINGS_MAX);
	r->handshake.s2c = RTE_MIN(r->server ? info.nb_tx_queues : info.nb_rx_queues, MEMIF_RINGS_MAX);
	r->port = port;
	r->bound = true;
	r->since_ms = now_ms();
}

bool relay_up(const struct relay *r)
{
	return r->state == RELAY_UP;
}

bool relay_lost(const struct relay *r)
{
	return r->state == RELAY_LOST;
}

void relay_cut(struct relay *r)
{
	if (r->driver_fd < 0) {
		renew(r);
		return;
	}
	while (r->played < r->nb_script) /* unfinished it would leak: see heard_client() */
		play(r);
	/* it closes its end when it is done: that is the sign, see driver_gone() */
	shutdown(r->driver_fd, SHUT_WR);
	r->state = RELAY_CUT;
}

uint64_t relay_refused(const struct relay *r, const char **why)
{
	*why = r->why;
	return r->refused;
}

const char *relay_next(const struct relay *r, const char **place)
{
	*place = r->place;
	if (r->server)
		return "the next may attach to";
	return r->zero_copy ? "with zero copy net_memif takes no other, start vnicd again or leave "
			      "zero-copy out of" : "it tries again to reach";
}

void relay_stop_until(struct relay *r, uint64_t end_ms)
{
	r->bound = false; /* a client is not started again */
	descriptor_close(&r->peer_fd);
	while (r->driver_fd >= 0 && now_ms() < end_ms) {
		struct pollfd p = {.fd = r->driver_fd, .events = POLLIN};

		if (r->state != RELAY_CUT)
			relay_cut(r);
		poll(&p, 1, 10);
		from_driver(r);
	}
}

void relay_stop(struct relay *r)
{
	relay_stop_until(r, now_ms() + RELAY_STOP_MS);
}

/* ---- begin and end ---- */

int relay_open(struct relay *r, const struct memif_args *a, const char *own_path)
{
	memcpy(r->place, a->socket, sizeof(r->place));
	memcpy(r->secret, a->secret, sizeof(r->secret));
	r->server = r->handshake.server = a->server;
	r->zero_copy = r->handshake.zero_copy = a->zero_copy;
	r->id = a->id;
	if (strlen(a->socket) + a->abstract >= PLACE_MAX)
		return -ENAMETOOLONG;
	r->at_len = channel_address(&r->at, a->socket, a->abstract);
	channel_address(&r->own, own_path, false);
	if (r->server) /* its driver will listen there */
		return 0;
	r->own_fd = channel_listen(&r->own, sizeof(r->own), r->waker);
	return r->own_fd < 0 ? r->own_fd : 0;
}

void relay_close(struct relay *r)
{
	forget_talk(r);
	descriptor_close(&r->peer_fd);
	descriptor_close(&r->driver_fd);
	descriptor_close(&r->own_fd);
	unlink(r->own.sun_path);
	*r = (struct relay){.own_fd = -1, .peer_fd = -1, .driver_fd = -1};
}
