/* SPDX-License-Identifier: BSD-3-Clause
 * relay.c - memif's control channel, between a peer and net_memif
 *
 * A channel is a Unix socket of sequenced packets; its messages have 128 bytes and some a
 * descriptor. The memif server listens and says HELLO; the client answers INIT, then names
 * its regions of memory and the rings in them, each acknowledged, then CONNECT, and is answered
 * CONNECTED. After that there is nothing more to say but DISCONNECT.
 */
#include "relay.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include <rte_common.h>
#include <rte_ethdev.h>
#include <rte_kvargs.h>

#include "devargs.h"
#include "folder.h"
#include "kick.h"
#include "place.h"

#define RELAYS_MAX 32
#define GUESTS_MAX 16
#define BACKLOG 64
#define BURST 32          /* messages of one side at a time */
#define PATIENCE_MS 10000 /* with a whole handshake; the machine may be busy */
#define CONNECT_MS 100    /* between two tries to reach a server */
#define STOP_MS 2000
#define DEFAULT_SOCKET "/run/memif.sock" /* net_memif's */

/* ---- messages ---- */

enum { MSG_ACK = 1, MSG_HELLO, MSG_INIT, MSG_ADD_REGION, MSG_ADD_RING, MSG_CONNECT, MSG_CONNECTED,
       MSG_DISCONNECT };

#define MEMIF_VERSION 0x200
#define REGIONS_MAX 64   /* a few of a client; one for each kind of its memory with zero copy */
#define RINGS_MAX 32     /* each way; a peer is told of net_memif's own limit, since one that is told
			  * of fewer goes on to use the rest */
#define RINGS_TOLD 255
#define LOG2_RING_MAX 14
#define RING_C2S 1      /* a ring's flag: from the client to the server */
#define RING_HEAD 128   /* bytes before its descriptors, */
#define RING_SLOT 16    /* and of each */

struct message {
	uint16_t type;
	union {
		struct __rte_packed {
			uint8_t name[32];
			uint16_t min_version, max_version, max_region, max_s2c_ring, max_c2s_ring;
			uint8_t max_log2_ring;
		} hello;
		struct __rte_packed {
			uint16_t version;
			uint32_t id;
			uint8_t mode;
			char secret[24];
			char name[32];
		} init;
		struct __rte_packed {
			uint16_t index;
			uint64_t size;
		} region;
		struct __rte_packed {
			uint16_t flags, index, region;
			uint32_t offset;
			uint8_t log2_ring;
			uint16_t private_head;
		} ring;
		struct __rte_packed {
			uint32_t code;
			char text[96];
		} disconnect;
		uint8_t room[126];
	};
} __rte_packed;

_Static_assert(sizeof(struct message) == 128, "memif's");

enum taken { TAKEN_NOTHING, TAKEN_MESSAGE, TAKEN_END, TAKEN_GARBAGE };

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* One message and its descriptor, -1 for none; the caller closes it. */
static enum taken take(int from, struct message *m, int *fd)
{
	union {
		char room[CMSG_SPACE(4 * sizeof(int)) + CMSG_SPACE(sizeof(struct ucred))];
		struct cmsghdr align;
	} control;
	struct iovec iov = {.iov_base = m, .iov_len = sizeof(*m)};
	struct msghdr h = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control,
			   .msg_controllen = sizeof(control)};
	ssize_t n = recvmsg(from, &h, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	bool more = false;

	*fd = -1;
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? TAKEN_NOTHING : TAKEN_END;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&h); c != NULL; c = CMSG_NXTHDR(&h, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; CMSG_LEN((i + 1) * sizeof(int)) <= c->cmsg_len; i++) {
			more |= *fd >= 0;
			close_fd(fd);
			memcpy(fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
		}
	}
	if (n == sizeof(*m) && !more && (h.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0)
		return TAKEN_MESSAGE;
	close_fd(fd);
	return n == 0 ? TAKEN_END : TAKEN_GARBAGE;
}

static bool give(int to, const struct message *m, int fd)
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

static void say_disconnect(int to, const char *why)
{
	struct message m = {.type = MSG_DISCONNECT};

	snprintf(m.disconnect.text, sizeof(m.disconnect.text), "%s", why);
	give(to, &m, -1);
}

/* ---- what there is ---- */

enum state {
	RELAY_IDLE, /* no peer, the driver waits */
	RELAY_TALK, /* a peer, on its way to the driver */
	RELAY_UP,
	RELAY_LOST, /* no peer, the driver does not know */
	RELAY_CUT,  /* it has been told, and has not yet let go */
	RELAY_OVER  /* it takes no other */
};

/* A place where peers come to us: of all relays that are servers there. */
struct door {
	int fd; /* -1: none */
	struct sockaddr_un at;
	socklen_t len;
};

struct relay {
	struct relays *all; /* NULL: a free place */
	enum state state;
	bool server, zero_copy;
	char place[sizeof(((struct sockaddr_un *)0)->sun_path)];
	struct sockaddr_un at; /* the same */
	socklen_t at_len;
	struct door *door; /* a server's */
	uint32_t id;
	char secret[24];
	struct sockaddr_un own; /* the private one */
	int own_fd;  /* a client's driver comes to us there */
	int peer_fd, pmd_fd;
	uint16_t port;
	bool bound;
	uint32_t c2s, s2c; /* rings that there must be: the port's queues, which are all polled */

	/* of the handshake */
	bool hello;     /* the server's, whichever side that is, has been heard */
	bool connecting; /* CONNECT has passed */
	bool told;      /* the driver has heard from this peer */
	uint32_t owed;  /* acknowledgements */
	uint32_t nb_regions, nb_c2s, nb_s2c;
	uint64_t region_size[REGIONS_MAX];
	/* a client's part: the driver, which leaks what is not finished, hears it when it is whole */
	uint32_t nb_script, played;
	struct line {
		struct message m;
		int fd;
	} script[REGIONS_MAX + 2 * RINGS_MAX + 2];

	uint32_t nb_kicks;
	struct kick kick[RINGS_MAX]; /* of the rings by which the driver sends */

	uint64_t since_ms; /* the handshake, or a client's last try, began */
	uint64_t refused;
	const char *why;
};

/* Who has come to a door and not yet said to whom. */
struct guest {
	int fd;
	struct door *door;
	uint64_t since_ms;
	bool has_said; /* `init`, to a relay that is not ready for it yet */
	struct message init;
};

struct relays {
	int wake_fd;
	struct folder folder; /* of the private sockets */
	struct kicker kicker;
	uint32_t nb; /* relays, and places between them that are free */
	struct relay relay[RELAYS_MAX];
	struct door door[RELAYS_MAX];
	struct guest guest[GUESTS_MAX];
};

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void watch(const struct relays *rs, int fd)
{
	struct epoll_event e = {.events = EPOLLIN};

	epoll_ctl(rs->wake_fd, EPOLL_CTL_ADD, fd, &e); /* without it we look a little later */
}

/* From now on; that its end is gone is always told. */
static void heed(const struct relays *rs, int fd, uint32_t events)
{
	struct epoll_event e = {.events = events};

	epoll_ctl(rs->wake_fd, EPOLL_CTL_MOD, fd, &e);
}

static bool hung_up(int fd)
{
	struct pollfd p = {.fd = fd};

	return poll(&p, 1, 0) == 1 && (p.revents & (POLLHUP | POLLERR)) != 0;
}

static int new_socket(void)
{
	return socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

/* ---- the peer's messages ---- */

static bool in_hugepages(int fd)
{
	struct statfs fs;

	return fstatfs(fd, &fs) == 0 && fs.f_type == HUGETLBFS_MAGIC;
}

/* Memory that cannot become shorter under our feet: only files made to be sealed promise it. EAL
 * does not seal its hugepages; who wants zero copy takes its clients' word for these. */
static const char *check_region(struct relay *r, const struct message *m, int fd)
{
	struct stat st;
	int seals;

	if (fd < 0 || m->region.index != r->nb_regions || r->nb_regions == REGIONS_MAX)
		return "a region without memory, or out of turn";
	if (m->region.size == 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) ||
	    (uint64_t)st.st_size < m->region.size)
		return "a region larger than its file";
	seals = fcntl(fd, F_GET_SEALS);
	if ((seals < 0 || (seals & F_SEAL_SHRINK) == 0) &&
	    (r->nb_regions == 0 || !r->zero_copy || !in_hugepages(fd)))
		return "a region that may shrink (hugepages of a client: zero-copy=yes here, too)";
	r->region_size[r->nb_regions++] = m->region.size;
	return NULL;
}

static const char *check_ring(struct relay *r, const struct message *m, int fd)
{
	uint32_t *nb = m->ring.flags & RING_C2S ? &r->nb_c2s : &r->nb_s2c;
	uint64_t end;

	if (*nb == (m->ring.flags & RING_C2S ? r->c2s : r->s2c))
		return "more queues than the port has";
	if (fd < 0 || m->ring.index != *nb)
		return "a ring without descriptor, or out of turn";
	if (m->ring.log2_ring == 0 || m->ring.log2_ring > LOG2_RING_MAX ||
	    m->ring.region >= r->nb_regions)
		return "a ring of no size, or in no region";
	end = m->ring.offset + (uint64_t)RING_HEAD + ((uint64_t)RING_SLOT << m->ring.log2_ring);
	if (end > r->region_size[m->ring.region])
		return "a ring that leaves its region";
	++*nb;
	return NULL;
}

/* A memif client's, to our driver as a server; NULL: pass it on. */
static const char *check_client(struct relay *r, const struct message *m, int fd)
{
	if (r->connecting)
		return m->type == MSG_DISCONNECT ? "" : "a message after CONNECT";
	switch (m->type) {
	case MSG_ADD_REGION: return check_region(r, m, fd);
	case MSG_ADD_RING: return check_ring(r, m, fd);
	case MSG_CONNECT:
		if (r->nb_c2s != r->c2s || r->nb_s2c != r->s2c)
			return "fewer queues than the port has";
		r->connecting = true;
		return NULL;
	case MSG_DISCONNECT: return "";
	default: return "a message that is not a client's, or out of turn";
	}
}

/* A memif server's. */
static const char *check_server(struct relay *r, const struct message *m)
{
	if (r->state == RELAY_UP)
		return m->type == MSG_DISCONNECT ? "" : "a message after CONNECTED";
	switch (m->type) {
	case MSG_HELLO:
		if (r->hello || m->hello.min_version > MEMIF_VERSION ||
		    m->hello.max_version < MEMIF_VERSION || m->hello.max_log2_ring == 0)
			return "a second HELLO, or of another version";
		if (m->hello.max_c2s_ring < r->c2s - 1 || m->hello.max_s2c_ring < r->s2c - 1)
			return "fewer queues than the port has";
		r->hello = true;
		return NULL;
	case MSG_ACK:
		if (r->owed == 0)
			return "an acknowledgement of nothing";
		r->owed--;
		return NULL;
	case MSG_CONNECTED: return r->connecting ? NULL : "CONNECTED without CONNECT";
	case MSG_DISCONNECT: return "";
	default: return "a message that is not a server's";
	}
}

/* ---- a ring's descriptors ---- */

/* The driver writes to a ring's descriptor, or reads it, on a lcore, whenever the ring says that
 * its peer wants kicks. One that the peer has, too, could make it wait: it gets one of ours in
 * ADD_RING. Kicks for the peer are passed on; the driver polls, and needs none. */
static const char *part(struct relay *r, const struct message *m, int *fd)
{
	bool sends = ((m->ring.flags & RING_C2S) != 0) != r->server;
	int ours = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	int kept = sends ? fcntl(ours, F_DUPFD_CLOEXEC, 0) : -1;

	if (ours < 0 || (sends && (kept < 0 || r->nb_kicks == RINGS_MAX))) {
		close_fd(&kept);
		close_fd(&ours);
		return "no descriptors are left for its rings";
	}
	if (sends) {
		struct kick *k = &r->kick[r->nb_kicks++];

		*k = (struct kick){.from = r->server ? kept : *fd, .to = r->server ? *fd : kept};
		watch(r->all, k->from);
	} else
		close_fd(fd);
	*fd = ours;
	return NULL;
}

static void pass_kicks(const struct relay *r)
{
	for (uint32_t i = 0; i < r->nb_kicks; i++)
		kick_pass(&r->all->kicker, &r->kick[i]);
}

static void forget_kicks(struct relay *r)
{
	while (r->nb_kicks != 0) {
		struct kick *k = &r->kick[--r->nb_kicks];

		/* the driver may have it still */
		epoll_ctl(r->all->wake_fd, EPOLL_CTL_DEL, k->from, NULL);
		close_fd(&k->from);
		close_fd(&k->to);
	}
}

/* ---- a relay ---- */

static void forget_talk(struct relay *r)
{
	while (r->nb_script != 0)
		close_fd(&r->script[--r->nb_script].fd);
	forget_kicks(r);
	r->played = 0;
	r->hello = r->connecting = r->told = false;
	r->owed = r->nb_regions = r->nb_c2s = r->nb_s2c = 0;
	r->since_ms = now_ms();
}

/* No peer any more. Why, if it broke the rules, else an empty text. */
static void lose(struct relay *r, const char *why)
{
	if (*why != '\0') {
		r->refused++;
		r->why = why;
		say_disconnect(r->peer_fd, why);
	}
	close_fd(&r->peer_fd);
	r->state = r->told ? RELAY_LOST : RELAY_IDLE;
	if (r->state == RELAY_IDLE)
		forget_talk(r);
}

static const char *tell_driver(struct relay *r, const struct message *m, int fd)
{
	r->told = true;
	return give(r->pmd_fd, m, fd) ? NULL : ""; /* it has closed its end, and said why */
}

/* The next line of the script, to the driver. */
static void play(struct relay *r)
{
	struct line *l = &r->script[r->played];

	if (r->played == r->nb_script)
		return;
	r->played++;
	tell_driver(r, &l->m, l->fd);
	close_fd(&l->fd);
}

/* A client's message: acknowledged, and kept until there is nothing more to come. */
static const char *note(struct relay *r, const struct message *m, int *fd)
{
	const struct message ack = {.type = MSG_ACK};

	r->script[r->nb_script++] = (struct line){.m = *m, .fd = *fd};
	*fd = -1;
	if (m->type != MSG_CONNECT)
		return give(r->peer_fd, &ack, -1) ? NULL : "";
	r->pmd_fd = new_socket();
	if (r->pmd_fd < 0 || connect(r->pmd_fd, (struct sockaddr *)&r->own, sizeof(r->own)) != 0) {
		close_fd(&r->pmd_fd);
		return "the driver is not ready";
	}
	watch(r->all, r->pmd_fd);
	play(r);
	return NULL;
}

/* A server's message. The driver hears of it when it has said yes to INIT: a driver that is told no
 * has with zero copy done harm already, see renew(). */
static const char *heard_server(struct relay *r, const struct message *m)
{
	struct message init = {.type = MSG_INIT, .init = {.version = MEMIF_VERSION, .id = r->id,
							  .name = "vnicd"}};

	if (r->told)
		return tell_driver(r, m, -1);
	if (m->type != MSG_HELLO) {
		play(r);
		return NULL;
	}
	r->script[r->nb_script++] = (struct line){.m = *m, .fd = -1};
	memcpy(init.init.secret, r->secret, sizeof(init.init.secret));
	r->owed++;
	return give(r->peer_fd, &init, -1) ? NULL : "";
}

static void from_peer(struct relay *r)
{
	for (uint32_t i = 0; i < BURST && r->peer_fd >= 0; i++) {
		struct message m;
		const char *wrong;
		int fd;

		switch (take(r->peer_fd, &m, &fd)) {
		case TAKEN_NOTHING: return;
		case TAKEN_END: lose(r, ""); return;
		case TAKEN_GARBAGE: lose(r, "no memif message"); return;
		case TAKEN_MESSAGE: break;
		}
		wrong = r->server ? check_client(r, &m, fd) : check_server(r, &m);
		if (wrong == NULL && fd >= 0 && m.type != MSG_ADD_REGION && m.type != MSG_ADD_RING)
			wrong = "a descriptor where none belongs";
		if (wrong == NULL && m.type == MSG_ADD_RING)
			wrong = part(r, &m, &fd);
		if (wrong == NULL && r->server)
			wrong = note(r, &m, &fd);
		else if (wrong == NULL)
			wrong = heard_server(r, &m);
		close_fd(&fd);
		if (wrong != NULL) {
			lose(r, wrong);
			return;
		}
		if (m.type == MSG_CONNECTED)
			r->state = RELAY_UP;
	}
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
	close_fd(&r->pmd_fd);
	if (r->state == RELAY_CUT) {
		renew(r);
		return;
	}
	/* it has said no to the peer, and why: a wrong secret, a ring too many */
	close_fd(&r->peer_fd);
	r->state = RELAY_LOST;
}

static void from_driver(struct relay *r)
{
	for (uint32_t i = 0; i < BURST && r->pmd_fd >= 0; i++) {
		struct message m;
		int fd;

		switch (take(r->pmd_fd, &m, &fd)) {
		case TAKEN_NOTHING: return;
		case TAKEN_END:
		case TAKEN_GARBAGE: driver_gone(r); return;
		case TAKEN_MESSAGE: break;
		}
		if (r->server && (m.type == MSG_HELLO || m.type == MSG_ACK)) {
			close_fd(&fd); /* the peer has had it from us */
			if (m.type == MSG_ACK)
				play(r);
			continue;
		}
		if (m.type == MSG_INIT) { /* we have said it, and it was acknowledged */
			const struct message ack = {.type = MSG_ACK};

			give(r->pmd_fd, &ack, -1);
			continue;
		}
		r->owed += m.type >= MSG_INIT && m.type <= MSG_ADD_RING;
		r->connecting |= m.type == MSG_CONNECT;
		if (m.type == MSG_ADD_RING && fd >= 0 && part(r, &m, &fd) != NULL)
			close_fd(&fd); /* the peer will miss it */
		/* what the peer does not take it does not get: its end will be seen */
		if (r->peer_fd >= 0)
			give(r->peer_fd, &m, fd);
		close_fd(&fd);
		if (r->state == RELAY_TALK && m.type == MSG_CONNECTED)
			r->state = RELAY_UP;
	}
}

/* ---- a server's side: doors and guests ---- */

static bool greet(struct relays *rs, struct door *door)
{
	struct message m = {.type = MSG_HELLO,
			    .hello = {.name = "vnicd", .min_version = MEMIF_VERSION,
				      .max_version = MEMIF_VERSION, .max_region = REGIONS_MAX - 1,
				      .max_s2c_ring = RINGS_TOLD, .max_c2s_ring = RINGS_TOLD,
				      .max_log2_ring = LOG2_RING_MAX}};
	struct guest *g = &rs->guest[0];
	int fd = accept4(door->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd < 0)
		return false;
	for (uint32_t i = 1; i < GUESTS_MAX && g->fd >= 0; i++)
		if (rs->guest[i].fd < 0 || rs->guest[i].since_ms < g->since_ms)
			g = &rs->guest[i];
	close_fd(&g->fd); /* the one that has been silent longest */
	*g = (struct guest){.fd = fd, .door = door, .since_ms = now_ms()};
	watch(rs, fd);
	give(fd, &m, -1);
	return true;
}

/* To the relay that a guest has asked for; it is idle. */
static void bring(struct relay *r, struct guest *g)
{
	int none = -1;

	forget_talk(r);
	r->state = RELAY_TALK;
	r->peer_fd = g->fd;
	heed(r->all, r->peer_fd, EPOLLIN);
	g->fd = -1;
	if (note(r, &g->init, &none) != NULL)
		lose(r, "");
}

static void dismiss(struct relay *r, struct guest *g, const char *why)
{
	r->refused++;
	r->why = why;
	say_disconnect(g->fd, why);
	close_fd(&g->fd);
}

/* Any relay of the door, and the one with this id. */
static struct relay *host(struct relays *rs, const struct door *door, const uint32_t *id)
{
	for (uint32_t i = 0; i < rs->nb; i++)
		if (rs->relay[i].all != NULL && rs->relay[i].door == door && (id == NULL || rs->relay[i].id == *id))
			return &rs->relay[i];
	return NULL;
}

static void hear_guest(struct relays *rs, struct guest *g)
{
	struct relay *any = host(rs, g->door, NULL);
	int fd;

	switch (take(g->fd, &g->init, &fd)) {
	case TAKEN_NOTHING: break;
	case TAKEN_END: close_fd(&g->fd); break;
	case TAKEN_GARBAGE: dismiss(any, g, "no memif message"); break;
	case TAKEN_MESSAGE:
		if (fd >= 0 || g->init.type != MSG_INIT || g->init.init.version != MEMIF_VERSION ||
		    g->init.init.mode != 0)
			dismiss(any, g, "no INIT of this version for Ethernet");
		else {
			g->has_said = true;
			heed(rs, g->fd, 0); /* what it says next is for its relay to read */
		}
		close_fd(&fd);
	}
}

/* As the driver compares them; it does so only when the handshake is whole, see note(). */
static bool may_enter(const struct relay *r, const struct guest *g)
{
	return r->secret[0] == '\0' || strncmp(r->secret, g->init.init.secret, sizeof(r->secret)) == 0;
}

static void serve_guest(struct relays *rs, struct guest *g)
{
	uint64_t waited = now_ms() - g->since_ms;
	uint32_t id;
	struct relay *r;

	if (!g->has_said)
		hear_guest(rs, g);
	if (g->fd < 0)
		return;
	if (!g->has_said) {
		if (waited >= PATIENCE_MS)
			dismiss(host(rs, g->door, NULL), g, "silence");
		return;
	}
	id = g->init.init.id;
	r = host(rs, g->door, &id);
	if (r == NULL)
		dismiss(host(rs, g->door, NULL), g, "an id that no face has");
	else if (!may_enter(r, g))
		dismiss(r, g, "a wrong secret");
	else if ((r->state == RELAY_UP || r->state == RELAY_TALK) && !hung_up(r->peer_fd))
		/* else that one went since relay_poll() looked: its place is free in a moment */
		dismiss(r, g, "already connected");
	else if (r->state == RELAY_IDLE && r->bound)
		bring(r, g);
	else if (hung_up(g->fd))
		close_fd(&g->fd);
	if (g->fd >= 0 && waited >= PATIENCE_MS)
		dismiss(r, g, "not ready");
}

/* ---- a client's side ---- */

static void reach(struct relay *r)
{
	if (r->pmd_fd < 0) {
		r->pmd_fd = accept4(r->own_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (r->pmd_fd >= 0)
			watch(r->all, r->pmd_fd);
		else if (now_ms() - r->since_ms >= PATIENCE_MS)
			renew(r); /* it did not start */
		return;
	}
	if (now_ms() - r->since_ms < CONNECT_MS)
		return;
	r->since_ms = now_ms();
	r->peer_fd = new_socket();
	if (r->peer_fd < 0 || connect(r->peer_fd, (struct sockaddr *)&r->at, r->at_len) != 0) {
		close_fd(&r->peer_fd);
		return;
	}
	watch(r->all, r->peer_fd);
	r->state = RELAY_TALK;
}

/* ---- all ---- */

static void relay_poll(struct relay *r)
{
	if (r->all == NULL)
		return;
	if (r->state == RELAY_IDLE && !r->server && r->bound)
		reach(r);
	/* the driver's first: what it said before a peer's end is the peer's due */
	if (r->pmd_fd >= 0)
		from_driver(r);
	if (r->peer_fd >= 0)
		from_peer(r);
	pass_kicks(r);
	/* a server may take its time; net_memif as one ends its program when it is hung up on early */
	if (r->state == RELAY_TALK && r->server && now_ms() - r->since_ms >= PATIENCE_MS)
		lose(r, "a handshake without end");
}

void relays_poll(struct relays *rs)
{
	/* who has gone makes room for who comes */
	for (uint32_t i = 0; i < rs->nb; i++)
		relay_poll(&rs->relay[i]);
	for (uint32_t i = 0; i < RELAYS_MAX; i++)
		for (uint32_t n = 0; n < GUESTS_MAX / 2 && rs->door[i].fd >= 0 && greet(rs, &rs->door[i]); n++)
			;
	for (uint32_t i = 0; i < GUESTS_MAX; i++)
		if (rs->guest[i].fd >= 0)
			serve_guest(rs, &rs->guest[i]);
}

int relays_fd(const struct relays *rs)
{
	return rs->wake_fd;
}

void relay_bind(struct relay *r, uint16_t port)
{
	struct rte_eth_dev_info info = {.nb_rx_queues = 1, .nb_tx_queues = 1};

	rte_eth_dev_info_get(port, &info);
	r->c2s = RTE_MIN(r->server ? info.nb_rx_queues : info.nb_tx_queues, RINGS_MAX);
	r->s2c = RTE_MIN(r->server ? info.nb_tx_queues : info.nb_rx_queues, RINGS_MAX);
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
	if (r->pmd_fd < 0) {
		renew(r);
		return;
	}
	while (r->played < r->nb_script) /* unfinished it would leak: see note() */
		play(r);
	/* it closes its end when it is done: that is the sign, see driver_gone() */
	shutdown(r->pmd_fd, SHUT_WR);
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

static void stop_until(struct relay *r, uint64_t end)
{
	r->bound = false; /* a client is not started again */
	close_fd(&r->peer_fd);
	while (r->pmd_fd >= 0 && now_ms() < end) {
		struct pollfd p = {.fd = r->pmd_fd, .events = POLLIN};

		if (r->state != RELAY_CUT)
			relay_cut(r);
		poll(&p, 1, 10);
		from_driver(r);
	}
}

void relay_stop(struct relay *r)
{
	stop_until(r, now_ms() + STOP_MS);
}

void relays_stop(struct relays *rs)
{
	uint64_t end = now_ms() + STOP_MS;

	for (uint32_t i = 0; rs != NULL && i < rs->nb; i++)
		if (rs->relay[i].all != NULL)
			stop_until(&rs->relay[i], end);
}

static void close_door(struct relays *rs, struct door *door)
{
	if (door->fd < 0)
		return;
	for (uint32_t i = 0; i < GUESTS_MAX; i++)
		if (rs->guest[i].door == door)
			close_fd(&rs->guest[i].fd);
	close_fd(&door->fd);
	if (door->at.sun_path[0] != '\0')
		unlink(door->at.sun_path);
}

void relay_remove(struct relay *r)
{
	struct relays *rs = r->all;
	struct door *door = r->door;

	forget_talk(r);
	close_fd(&r->peer_fd);
	close_fd(&r->pmd_fd);
	close_fd(&r->own_fd);
	unlink(r->own.sun_path);
	*r = (struct relay){.own_fd = -1, .peer_fd = -1, .pmd_fd = -1};
	if (door != NULL && host(rs, door, NULL) == NULL)
		close_door(rs, door);
}

void relays_destroy(struct relays *rs)
{
	if (rs == NULL)
		return;
	for (uint32_t i = 0; i < rs->nb; i++)
		if (rs->relay[i].all != NULL)
			relay_remove(&rs->relay[i]);
	/* one whose last relay did not come up is still there */
	for (uint32_t i = 0; i < RELAYS_MAX; i++)
		close_door(rs, &rs->door[i]);
	kicker_close(&rs->kicker);
	close_fd(&rs->wake_fd);
	folder_remove(&rs->folder);
	free(rs);
}

/* ---- making ---- */

struct relays *relays_create(void)
{
	struct relays *rs = calloc(1, sizeof(*rs));

	if (rs == NULL)
		return NULL;
	for (uint32_t i = 0; i < GUESTS_MAX; i++)
		rs->guest[i].fd = -1;
	for (uint32_t i = 0; i < RELAYS_MAX; i++)
		rs->door[i].fd = -1;
	rs->wake_fd = epoll_create1(EPOLL_CLOEXEC);
	if (rs->wake_fd >= 0 && folder_make(&rs->folder) == 0) {
		kicker_open(&rs->kicker);
		return rs;
	}
	close_fd(&rs->wake_fd);
	free(rs);
	return NULL;
}

bool relay_wanted(const char *devargs)
{
	return devargs_driver(devargs, "net_memif");
}

/* What of the devargs is ours; the rest, and the private socket, go to `own`. */
struct arguments {
	char *own;
	size_t used;
	bool server, abstract, zero_copy;
	uint32_t id;
	const char *socket, *secret;
};

/* As the driver reads them. */
static int sort_argument(const char *key, const char *value, void *opaque)
{
	struct arguments *a = opaque;
	int n;

	if (value == NULL)
		return -1;
	if (strcmp(key, "socket") == 0) {
		a->socket = value;
		return 0;
	}
	if (strcmp(key, "socket-abstract") == 0) {
		a->abstract = strstr(value, "yes") != NULL;
		return 0;
	}
	if (strcmp(key, "role") == 0)
		a->server = strstr(value, "server") != NULL || strstr(value, "master") != NULL;
	if (strcmp(key, "secret") == 0)
		a->secret = value;
	if (strcmp(key, "zero-copy") == 0) {
		a->zero_copy = strstr(value, "yes") != NULL;
		return 0; /* see pass_zero_copy() */
	}
	if (strcmp(key, "id") == 0)
		a->id = (uint32_t)strtoul(value, NULL, 10);
	n = snprintf(a->own + a->used, RELAY_DEVARGS - a->used, ",%s=%s", key, value);
	a->used += (size_t)n;
	return a->used < RELAY_DEVARGS ? 0 : -1;
}

/* The driver takes it of clients only; a server's is our leave for its clients, see check_region(). */
static void pass_zero_copy(struct arguments *a)
{
	if (a->zero_copy && !a->server)
		a->used += (size_t)snprintf(a->own + a->used, RELAY_DEVARGS - a->used, ",zero-copy=yes");
}

static socklen_t address(struct sockaddr_un *at, const char *name, bool abstract)
{
	*at = (struct sockaddr_un){.sun_family = AF_UNIX};
	snprintf(at->sun_path + abstract, sizeof(at->sun_path) - abstract, "%s", name);
	if (!abstract)
		return sizeof(*at);
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name));
}

static int fail(char *why, size_t len, const struct relay *r, const char *what, const char *cure)
{
	snprintf(why, len, "memif socket %s: %s; %s", r->place, what, cure);
	return -1;
}

static int listen_at(int *fd, const struct sockaddr_un *at, socklen_t len)
{
	int rc;

	*fd = new_socket();
	if (*fd < 0)
		return -errno;
	rc = place_bind(*fd, at, len);
	if (rc == 0 && listen(*fd, BACKLOG) != 0)
		rc = -errno;
	if (rc == 0)
		return 0;
	close_fd(fd);
	return rc;
}

static int open_door(struct relays *rs, struct relay *r, char *why, size_t len)
{
	struct door *door = rs->door, *there = NULL;
	int rc;

	for (uint32_t i = 0; i < rs->nb; i++) {
		const struct relay *other = &rs->relay[i];

		if (other->all == NULL || other->door == NULL || other->at_len != r->at_len ||
		    memcmp(&other->at, &r->at, r->at_len) != 0)
			continue;
		there = other->door;
		if (host(rs, there, &r->id) != NULL)
			return fail(why, len, r, "two faces there have one id", "give each an id=N of its own");
	}
	r->door = there;
	if (there != NULL)
		return 0;
	while (door->fd >= 0) /* there are as many as relays */
		door++;
	rc = listen_at(&door->fd, &r->at, r->at_len);
	if (rc != 0)
		return fail(why, len, r, place_error(rc), place_cure(rc));
	door->at = r->at;
	watch(rs, door->fd);
	r->door = door;
	return 0;
}

/* The driver's side: a server's driver will listen there, a client's come to us. */
static int open_own(struct relays *rs, struct relay *r, char *why, size_t len)
{
	char path[64];
	int rc;

	snprintf(path, sizeof(path), "%s/%u", rs->folder.path, (uint32_t)(r - rs->relay));
	address(&r->own, path, false);
	if (r->server)
		return 0;
	rc = listen_at(&r->own_fd, &r->own, sizeof(r->own));
	if (rc != 0)
		return fail(why, len, r, place_error(rc), place_cure(rc));
	watch(rs, r->own_fd);
	return 0;
}

static int make(struct relays *rs, struct relay *r, const struct arguments *a, char *why, size_t len)
{
	*r = (struct relay){.all = rs, .server = a->server, .zero_copy = a->zero_copy, .id = a->id,
			    .own_fd = -1, .peer_fd = -1, .pmd_fd = -1};
	snprintf(r->place, sizeof(r->place), "%s", a->socket);
	snprintf(r->secret, sizeof(r->secret), "%s", a->secret != NULL ? a->secret : "");
	if (strlen(a->socket) + a->abstract >= sizeof(r->place))
		return fail(why, len, r, place_error(-ENAMETOOLONG), place_cure(-ENAMETOOLONG));
	r->at_len = address(&r->at, a->socket, a->abstract);
	if (open_own(rs, r, why, len) != 0)
		return -1;
	if (!r->server || open_door(rs, r, why, len) == 0)
		return 0;
	close_fd(&r->own_fd);
	unlink(r->own.sun_path);
	return -1;
}

static struct relay *free_place(struct relays *rs)
{
	for (uint32_t i = 0; i < rs->nb; i++)
		if (rs->relay[i].all == NULL)
			return &rs->relay[i];
	return rs->nb < RELAYS_MAX ? &rs->relay[rs->nb] : NULL;
}

struct relay *relays_add(struct relays *rs, const char *devargs, char own[RELAY_DEVARGS], char *why,
			 size_t len)
{
	struct arguments a = {.own = own, .abstract = true, .socket = DEFAULT_SOCKET};
	struct relay *r = free_place(rs);
	struct rte_kvargs *list;
	size_t name = strcspn(devargs, ",");
	int rc;

	if (r == NULL) {
		snprintf(why, len, "more than %u memif ports; use fewer", RELAYS_MAX);
		return NULL;
	}
	memcpy(own, devargs, name);
	a.used = name;
	list = rte_kvargs_parse(devargs[name] == ',' ? devargs + name + 1 : "role=client", NULL);
	rc = list == NULL ? -1 : rte_kvargs_process(list, NULL, sort_argument, &a);
	if (rc != 0)
		snprintf(why, len, "its arguments are not KEY=VALUE[,KEY=VALUE]...; see memif in DPDK's guide");
	else
		rc = make(rs, r, &a, why, len);
	rte_kvargs_free(list);
	if (rc != 0) {
		r->all = NULL;
		return NULL;
	}
	pass_zero_copy(&a);
	snprintf(own + a.used, RELAY_DEVARGS - a.used, ",socket=%s,socket-abstract=no", r->own.sun_path);
	rs->nb = RTE_MAX(rs->nb, (uint32_t)(r - rs->relay) + 1);
	return r;
}
