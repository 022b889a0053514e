/* SPDX-License-Identifier: BSD-3-Clause
 * capture.c - copies of what faces send, with what became of it, as pcapng
 */
#include "capture.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <rte_cycles.h>
#include <rte_malloc.h>
#include <rte_mbuf.h>
#include <rte_ring.h>

#include "adapter.h"
#include "pcapng.h"
#include "spsc.h"

#define SNAPLEN_DEFAULT 2048u
#define SNAPLEN_MIN 14u
#define SNAPLEN_MAX 65535u
#define PACKETS_DEFAULT 8192u
#define PACKETS_MAX 1048576u
#define BATCH 64u
#define TAPS_MAX 256u
#define NS 1000000000u

_Static_assert(VNIC_CAPTURE_READ_MIN >= SNAPLEN_MAX + VNIC__PCAPNG_COMMENT + 64,
	       "a packet's block fits the least buffer");

/* The copy of one packet; its bytes follow. */
struct copy {
	struct copy *next; /* of the same NBL */
	uint64_t id;
	uint64_t taken_tsc, done_tsc;
	uint32_t status; /* PENDING: it is with the face */
	uint32_t wire_bytes, bytes;
	uint32_t place; /* of the packet in the NBL */
};

struct vnic__tap {
	struct vnic_capture *capture;
	struct vnic__tap *next;
	struct vnic__hook *hook; /* setup; NULL: cut */
	char name[VNIC_CAPTURE_NAME];
	uint32_t number; /* of the interface */
	uint32_t generation;
	char *copies;
	struct rte_ring *spare; /* reader -> poller */
	struct rte_ring *done;  /* poller -> reader */
	_Atomic bool ended;     /* the poller has let go, for good */

	/* poller; anybody reads, relaxed */
	alignas(VNIC__LINE) _Atomic uint64_t captured;
	_Atomic uint64_t lost;

	/* reader */
	alignas(VNIC__LINE) _Atomic uint64_t written;
	_Atomic uint64_t returned; /* copies */
	bool closed; /* its last block is written */
	uint32_t swept_to;
	uint32_t first, nb; /* of the batch */
	struct copy *batch[BATCH];
};

struct vnic_capture {
	uint32_t snaplen;
	uint32_t nb_packets; /* of a face */
	size_t copy_bytes;
	char application[VNIC_CAPTURE_NAME];
	uint64_t start_ns, start_tsc;
	bool ending; /* setup */
	struct vnic__tap *taps, **last; /* setup; all are there before the first read */
	uint32_t nb_taps;
	bool begun; /* reader: the section's header is written */
	struct vnic__tap *turn; /* reader: where the next read begins, NULL: at the first */
};

static void grow(_Atomic uint64_t *count, uint64_t by)
{
	/* relaxed: one writer, and readers who want no more than a number */
	atomic_store_explicit(count, atomic_load_explicit(count, memory_order_relaxed) + by,
			      memory_order_relaxed);
}

static struct copy *copy_at(const struct vnic__tap *t, uint32_t i)
{
	return (struct copy *)(void *)(t->copies + i * t->capture->copy_bytes);
}

/* ---- the poller's side ---- */

struct vnic__tap *vnic__tap_look(struct vnic__hook *hook, uintptr_t tap)
{
	struct vnic__tap *t = (struct vnic__tap *)(tap & ~VNIC__TAP_ENDING);

	if ((tap & VNIC__TAP_ENDING) == 0)
		return t;
	/* relaxed: the next tap comes after `ended` */
	atomic_store_explicit(&hook->tap, 0, memory_order_relaxed);
	/* R26 -> A26; the tap is not touched any more */
	atomic_store_explicit(&t->ended, true, memory_order_release);
	return NULL;
}

static void copy_bytes(struct copy *c, const struct rte_mbuf *m, uint32_t snaplen)
{
	char *to = (char *)(c + 1);

	c->wire_bytes = m->pkt_len;
	c->bytes = 0;
	for (; m != NULL && c->bytes < snaplen; m = m->next) {
		uint32_t n = RTE_MIN((uint32_t)m->data_len, snaplen - c->bytes);

		memcpy(to + c->bytes, rte_pktmbuf_mtod(m, const void *), n);
		c->bytes += n;
	}
}

static uint64_t cookie_of(const struct vnic__tap *t, const struct copy *c)
{
	if (c == NULL)
		return 0;
	return (uint64_t)t->generation << 32 |
	       (1 + (uint64_t)((const char *)c - t->copies) / t->capture->copy_bytes);
}

static struct copy *copy_of(const struct vnic__tap *t, uint64_t cookie)
{
	if (cookie >> 32 != t->generation || (uint32_t)cookie == 0)
		return NULL;
	return copy_at(t, (uint32_t)cookie - 1);
}

/* One NBL's packets as far as there are copies for them. */
static void take_one(struct vnic__tap *t, struct vnic_nbl *nbl, uint64_t now)
{
	struct rte_mbuf **packet = vnic_nbl_packets(nbl);
	struct copy *first = NULL, **end = &first;
	uint32_t taken = 0;
	void *spare;

	for (uint32_t i = 0; i < nbl->nb_packets; i++) {
		struct copy *c;

		if (rte_ring_sc_dequeue(t->spare, &spare) != 0)
			break;
		c = spare;
		c->next = NULL;
		c->id = nbl->cancel_id;
		c->taken_tsc = now;
		c->status = VNIC_STATUS_PENDING;
		c->place = i;
		copy_bytes(c, packet[i], t->capture->snaplen);
		*end = c;
		end = &c->next;
		taken++;
	}
	nbl->cookie = cookie_of(t, first);
	grow(&t->captured, taken);
	if (unlikely(taken < nbl->nb_packets))
		grow(&t->lost, nbl->nb_packets - taken);
}

void vnic__tap_take(struct vnic__tap *t, struct vnic_nbl *const *nbl, uint32_t n)
{
	uint64_t now = rte_rdtsc();

	for (uint32_t i = 0; i < n; i++)
		take_one(t, nbl[i], now);
}

void vnic__tap_complete(struct vnic__tap *t, struct vnic_nbl *const *nbl, uint32_t n)
{
	uint64_t now = rte_rdtsc();

	for (uint32_t i = 0; i < n; i++) {
		struct copy *c = copy_of(t, nbl[i]->cookie), *next;

		for (; c != NULL; c = next) {
			next = c->next;
			c->done_tsc = now;
			c->status = c->place < nbl[i]->nb_sent ? VNIC_STATUS_SUCCESS : nbl[i]->status;
			rte_ring_sp_enqueue(t->done, c); /* it holds all */
		}
	}
}

/* ---- setup ---- */

void vnic__hook_cut(struct vnic__hook *hook)
{
	/* relaxed: these threads alone write it now */
	uintptr_t tap = atomic_load_explicit(&hook->tap, memory_order_relaxed);
	struct vnic__tap *t = (struct vnic__tap *)(tap & ~VNIC__TAP_ENDING);

	if (t == NULL)
		return;
	atomic_store_explicit(&hook->tap, 0, memory_order_relaxed);
	t->hook = NULL;
	/* R26 -> A26 */
	atomic_store_explicit(&t->ended, true, memory_order_release);
}

static void tap_free(struct vnic__tap *t)
{
	rte_free(t->copies);
	rte_free(t->spare);
	rte_free(t->done);
	rte_free(t);
}

/* Its memory, on the node of the poller. */
static struct vnic__tap *tap_create(struct vnic_capture *c, int node)
{
	struct vnic__tap *t = rte_zmalloc_socket("vnic_capture", sizeof(*t), VNIC__LINE, node);

	if (t == NULL)
		return NULL;
	t->capture = c;
	t->spare = vnic__spsc_create("vnic_capture", c->nb_packets, node);
	t->done = vnic__spsc_create("vnic_capture", c->nb_packets, node);
	/* zeroed: the poller does not meet a page for the first time */
	t->copies = rte_zmalloc_socket("vnic_capture", c->nb_packets * c->copy_bytes, VNIC__LINE, node);
	if (t->spare == NULL || t->done == NULL || t->copies == NULL) {
		tap_free(t);
		return NULL;
	}
	for (uint32_t i = 0; i < c->nb_packets; i++)
		rte_ring_sp_enqueue(t->spare, copy_at(t, i));
	return t;
}

struct vnic_capture *vnic_capture_create(const struct vnic_capture_conf *conf)
{
	struct vnic_capture *c;
	struct timespec now;

	if ((conf->snaplen != 0 && conf->snaplen < SNAPLEN_MIN) || conf->snaplen > SNAPLEN_MAX ||
	    conf->nb_packets > PACKETS_MAX ||
	    (conf->application != NULL && strlen(conf->application) >= VNIC_CAPTURE_NAME))
		return vnic__fail(EINVAL);
	c = rte_zmalloc("vnic_capture", sizeof(*c), VNIC__LINE);
	if (c == NULL)
		return vnic__fail(ENOMEM);
	c->snaplen = conf->snaplen != 0 ? conf->snaplen : SNAPLEN_DEFAULT;
	c->nb_packets = conf->nb_packets != 0 ? conf->nb_packets : PACKETS_DEFAULT;
	c->copy_bytes = RTE_ALIGN_CEIL(sizeof(struct copy) + c->snaplen, (size_t)VNIC__LINE);
	snprintf(c->application, sizeof(c->application), "%s",
		 conf->application != NULL ? conf->application : "libvnic");
	clock_gettime(CLOCK_REALTIME, &now);
	c->start_tsc = rte_rdtsc();
	c->start_ns = (uint64_t)now.tv_sec * NS + (uint64_t)now.tv_nsec;
	c->last = &c->taps;
	return c;
}

int vnic_capture_add(struct vnic_capture *c, struct vnic_face *face, const char *name)
{
	int node;
	struct vnic__hook *hook = vnic__face_hook(face, &node);
	struct vnic__tap *t;

	if (name == NULL || name[0] == '\0' || strlen(name) >= VNIC_CAPTURE_NAME || c->ending)
		return -EINVAL;
	if (c->nb_taps == TAPS_MAX)
		return -ENOSPC;
	/* relaxed: the last tap's poller let go of it before `ended` */
	if (atomic_load_explicit(&hook->tap, memory_order_relaxed) != 0)
		return -EBUSY;
	t = tap_create(c, node);
	if (t == NULL)
		return -ENOMEM;
	t->hook = hook;
	t->generation = ++hook->generation;
	t->number = c->nb_taps++;
	snprintf(t->name, sizeof(t->name), "%s", name);
	*c->last = t;
	c->last = &t->next;
	/* R25 -> A25 */
	atomic_store_explicit(&hook->tap, (uintptr_t)t, memory_order_release);
	return 0;
}

void vnic_capture_end(struct vnic_capture *c)
{
	if (c->ending)
		return;
	c->ending = true;
	for (struct vnic__tap *t = c->taps; t != NULL; t = t->next)
		if (t->hook != NULL)
			/* relaxed: a wish; while it is no wish the poller does not write */
			atomic_store_explicit(&t->hook->tap, (uintptr_t)t | VNIC__TAP_ENDING,
					      memory_order_relaxed);
}

bool vnic_capture_ended(const struct vnic_capture *c)
{
	for (const struct vnic__tap *t = c->taps; t != NULL; t = t->next)
		/* A26 <- R26 */
		if (!atomic_load_explicit(&t->ended, memory_order_acquire))
			return false;
	return true;
}

int vnic_capture_destroy(struct vnic_capture *c)
{
	if (c == NULL)
		return 0;
	if (!vnic_capture_ended(c))
		return -EBUSY;
	for (struct vnic__tap *t = c->taps, *next; t != NULL; t = next) {
		next = t->next;
		tap_free(t);
	}
	rte_free(c);
	return 0;
}

void vnic_capture_stats_get(const struct vnic_capture *c, struct vnic_capture_stats *st)
{
	*st = (struct vnic_capture_stats){0};
	for (const struct vnic__tap *t = c->taps; t != NULL; t = t->next) {
		uint64_t taken, returned;

		st->written += atomic_load_explicit(&t->written, memory_order_relaxed);
		/* acquire: what was returned is read after it, so that no more seem to be out than are */
		taken = atomic_load_explicit(&t->captured, memory_order_acquire);
		returned = atomic_load_explicit(&t->returned, memory_order_relaxed);
		st->captured += taken;
		st->lost += atomic_load_explicit(&t->lost, memory_order_relaxed);
		st->spare += c->nb_packets - (taken > returned ? taken - returned : 0);
		st->nb_packets += c->nb_packets;
	}
}

/* ---- the reader's side ---- */

static uint64_t to_ns(uint64_t tsc)
{
	return (uint64_t)((unsigned __int128)tsc * NS / rte_get_tsc_hz());
}

static uint64_t time_of(const struct vnic_capture *c, uint64_t tsc)
{
	return c->start_ns + to_ns(tsc - c->start_tsc);
}

static void comment_of(const struct copy *c, char text[VNIC__PCAPNG_COMMENT])
{
	uint64_t ns = to_ns(c->done_tsc - c->taken_tsc);
	const char *what = "rejected ", *why = vnic_status_name(c->status);

	if (c->status == VNIC_STATUS_SUCCESS || c->status == VNIC_STATUS_PENDING) {
		what = c->status == VNIC_STATUS_SUCCESS ? "sent" : "queued";
		why = "";
	} else if (c->status == VNIC_STATUS_SEND_ABORTED) {
		what = "aborted ";
	}
	snprintf(text, VNIC__PCAPNG_COMMENT, "%s%s id=0x%" PRIx64 " after %" PRIu64 ".%" PRIu64 " us",
		 what, why, c->id, ns / 1000, ns / 100 % 10);
}

static size_t put_packet(const struct vnic__tap *t, const struct copy *c, char *at, size_t room)
{
	char comment[VNIC__PCAPNG_COMMENT];
	const struct vnic__pcapng_packet p = {
		.interface = t->number, .time_ns = time_of(t->capture, c->done_tsc), .bytes = c->bytes,
		.wire_bytes = c->wire_bytes, .data = c + 1, .comment = comment};

	comment_of(c, comment);
	return vnic__pcapng_packet(at, room, &p);
}

/* The poller has let go: the copies of what is still queued, in their places' order. */
static uint32_t sweep(struct vnic__tap *t)
{
	uint64_t now = rte_rdtsc();

	for (; t->nb < BATCH && t->swept_to < t->capture->nb_packets; t->swept_to++) {
		struct copy *c = copy_at(t, t->swept_to);

		if (c->status != VNIC_STATUS_PENDING || c->taken_tsc == 0)
			continue;
		c->done_tsc = now;
		t->batch[t->nb++] = c;
	}
	return t->nb;
}

/* The next copies to write; `ended`: there will be no more. */
static uint32_t refill(struct vnic__tap *t, bool ended)
{
	t->first = 0;
	t->nb = rte_ring_sc_dequeue_burst(t->done, (void **)t->batch, BATCH, NULL);
	if (t->nb != 0 || !ended)
		return t->nb;
	return sweep(t);
}

/* As many of a tap's blocks as there is room for; *full if there was not for all. */
static size_t read_tap(struct vnic__tap *t, char *at, size_t room, bool *full)
{
	/* A26 <- R26 */
	bool ended = atomic_load_explicit(&t->ended, memory_order_acquire);
	size_t used = 0, n;

	while (t->first < t->nb || refill(t, ended) != 0) {
		struct copy *c = t->batch[t->first];

		n = put_packet(t, c, at + used, room - used);
		*full = n == 0;
		if (n == 0)
			return used;
		used += n;
		t->first++;
		c->taken_tsc = 0;
		grow(&t->written, 1);
		grow(&t->returned, rte_ring_sp_enqueue(t->spare, c) == 0);
	}
	if (!ended || t->closed)
		return used;
	n = vnic__pcapng_statistics(at + used, room - used, t->number, time_of(t->capture, rte_rdtsc()),
				    atomic_load_explicit(&t->captured, memory_order_relaxed) +
					    atomic_load_explicit(&t->lost, memory_order_relaxed),
				    atomic_load_explicit(&t->lost, memory_order_relaxed));
	t->closed = n != 0;
	*full = n == 0;
	return used + n;
}

size_t vnic_capture_read(struct vnic_capture *c, void *buffer, size_t size)
{
	struct vnic__tap *first, *t;
	char *at = buffer;
	size_t used = 0;
	bool full = false;

	if (size < VNIC_CAPTURE_READ_MIN)
		return 0;
	if (!c->begun) {
		used += vnic__pcapng_section(at, size, c->application);
		for (t = c->taps; t != NULL; t = t->next)
			used += vnic__pcapng_interface(at + used, size - used, t->name, c->snaplen);
		c->begun = true;
	}
	t = first = c->turn != NULL ? c->turn : c->taps;
	while (t != NULL && !full) {
		used += read_tap(t, at + used, size - used, &full);
		t = t->next != NULL ? t->next : c->taps;
		if (t == first)
			break;
	}
	c->turn = t;
	return used;
}
