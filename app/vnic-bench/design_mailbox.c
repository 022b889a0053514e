/* SPDX-License-Identifier: BSD-3-Clause
 * design_mailbox.c - one owner: the data lcore takes what is sent into a queue of its own, and
 * a cancel is a message to it; it walks its queue between two bursts
 *
 * As quick as it can be made: a tag of 32 bits of each id lies in an array of its own, so that
 * the walk is a scan of it, with the widest instructions that there are; the
 * message is one cache line; while no cancel is asked for and the port takes all, a burst goes
 * from the ring straight to the port.
 */
#include "design_stage.h"

#include <stdalign.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_cycles.h>
#include <rte_malloc.h>
#include <rte_ring.h>

#define LINE 64
/* NBLs that are out may be so many more than the queue is deep */
#define MORE (4 * DESIGN_BURST)
#define TAKE_IN 64u

/* tags that are compared at once; on a machine of less, in parts */
#define LANES 16u
#define BLOCK (4 * LANES) /* that are looked at together */
typedef uint32_t lanes __attribute__((vector_size(4 * LANES)));

/* chosen when the program is loaded, which is before a sanitizer is ready */
#if defined(__x86_64__) && defined(__GLIBC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__) && \
	!defined(__SANITIZE_THREAD__)
#define WIDEST __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define WIDEST
#endif

struct queue {
	struct rte_ring *down, *back;
	/* data's own: entries from head to tail, positions masked; NULL: taken back */
	uint32_t *tag;
	struct vnic_nbl **nbl;
	uint32_t head, tail, mask;
	struct design_stage stage;
	alignas(LINE) uint64_t accepted, polled; /* app */
};

struct mailbox_design {
	struct design base;
	uint16_t port;
	bool held;
	uint32_t depth, nb_senders;
	/* the message: written by who cancels, picked up by data */
	alignas(LINE) uint64_t id;
	_Atomic uint32_t posted;
	/* the answer: written by data */
	alignas(LINE) _Atomic uint32_t answered;
	uint64_t nb_aborted;
	struct design_stages stages;
	/* data */
	alignas(LINE) uint32_t seen;
	uint64_t sent, aborted;
	struct queue queue[DESIGN_SENDERS_MAX];
};

static uint32_t tag_of(uint64_t id)
{
	return (uint32_t)(id ^ id >> 32);
}

static void destroy(struct design *base)
{
	struct mailbox_design *d = (struct mailbox_design *)base;

	for (uint32_t i = 0; i < DESIGN_SENDERS_MAX; i++) {
		struct queue *q = &d->queue[i];

		rte_ring_free(q->down);
		rte_ring_free(q->back);
		rte_free(q->tag);
		rte_free(q->nbl);
	}
	free(d);
}

static bool make_queue(struct queue *q, uint32_t depth)
{
	uint32_t size = rte_align32pow2(depth + MORE); /* all that can be out: see take_in() */

	q->mask = size - 1;
	q->down = design_ring("mail", depth);
	q->back = design_ring("mail", depth + MORE);
	q->tag = rte_malloc("bench_mail", size * sizeof(*q->tag), LINE);
	q->nbl = rte_malloc("bench_mail", size * sizeof(*q->nbl), LINE);
	return q->down != NULL && q->back != NULL && q->tag != NULL && q->nbl != NULL;
}

static struct design *create(const struct design_conf *conf)
{
	struct mailbox_design *d = aligned_alloc(LINE, sizeof(*d));
	bool made = true;

	if (d == NULL)
		return NULL;
	*d = (struct mailbox_design){.base.ops = &design_mailbox, .port = conf->port, .held = conf->held,
				     .depth = conf->depth, .nb_senders = conf->nb_senders};
	for (uint32_t i = 0; i < conf->nb_senders && made; i++)
		made = make_queue(&d->queue[i], conf->depth);
	if (made)
		return &d->base;
	fprintf(stderr, "vnic-bench: no memory for a mailbox queue of %u; more hugepages, or a larger -m\n",
		conf->depth);
	destroy(&d->base);
	return NULL;
}

/* ---- app ---- */

static uint16_t queue_send(struct design *base, uint32_t sender, struct vnic_nbl *const *nbls, uint16_t n)
{
	struct mailbox_design *d = (struct mailbox_design *)base;
	struct queue *q = &d->queue[sender];
	uint64_t room = d->depth + MORE - (q->accepted - q->polled);

	n = (uint16_t)rte_ring_sp_enqueue_burst(q->down, (void *const *)nbls, (unsigned int)RTE_MIN(n, room),
						NULL);
	q->accepted += n;
	return n;
}

static uint16_t queue_poll(struct design *base, uint32_t sender, struct vnic_nbl **nbls, uint16_t n)
{
	struct queue *q = &((struct mailbox_design *)base)->queue[sender];

	n = (uint16_t)rte_ring_sc_dequeue_burst(q->back, (void **)nbls, n, NULL);
	q->polled += n;
	return n;
}

/* ---- data: cancel ---- */

/* Close the gaps that cancels have left. */
static void compact(struct queue *q)
{
	uint32_t to = q->head;

	for (uint32_t from = q->head; from != q->tail; from++) {
		if (q->nbl[from & q->mask] == NULL)
			continue;
		q->tag[to & q->mask] = q->tag[from & q->mask];
		q->nbl[to++ & q->mask] = q->nbl[from & q->mask];
	}
	q->tail = to;
}

static uint32_t take_in(struct queue *q)
{
	struct vnic_nbl *nbl[TAKE_IN];
	uint32_t nb;

	if (q->tail - q->head + TAKE_IN > q->mask + 1)
		compact(q);
	nb = rte_ring_sc_dequeue_burst(q->down, (void **)nbl, TAKE_IN, NULL);

	for (uint32_t i = 0; i < nb; i++) {
		uint32_t at = q->tail++ & q->mask;

		q->tag[at] = tag_of(nbl[i]->cancel_id);
		q->nbl[at] = nbl[i];
	}
	return nb;
}

static uint64_t any_lane(const lanes *v)
{
	uint64_t part[sizeof(lanes) / 8], all = 0;

	memcpy(part, v, sizeof(part));
	for (uint32_t i = 0; i < sizeof(lanes) / 8; i++)
		all |= part[i];
	return all;
}

/* The first block of n tags, a whole number of blocks, that has `tag` in it, or n; a bit in
 * *hits for each of its places that has. */
WIDEST static uint32_t find(const uint32_t *tags, uint32_t n, uint32_t tag, uint64_t *hits)
{
	const lanes wanted = (lanes){0} + tag;
	const lanes bit = {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768};
	uint32_t at = 0;
	lanes l[4];

	for (; at < n; at += BLOCK) {
		lanes any = {0};

		for (uint32_t i = 0; i < 4; i++) {
			lanes these;

			memcpy(&these, tags + at + i * LANES, sizeof(these));
			any |= (lanes)(these == wanted);
		}
		if (any_lane(&any) != 0)
			break;
	}
	if (at == n)
		return n;
	memcpy(l, tags + at, sizeof(l));
	for (uint32_t i = 0; i < 4; i++) {
		uint64_t all;

		l[i] = (lanes)(l[i] == wanted) & bit;
		all = any_lane(&l[i]);
		*hits |= ((all | all >> 32) & 0xffff) << i * LANES;
	}
	return at;
}

struct batch {
	struct vnic_nbl *nbl[2 * DESIGN_BURST];
	uint32_t nb;
};

static void flush(struct mailbox_design *d, struct queue *q, struct batch *b)
{
	rte_ring_sp_enqueue_bulk(q->back, (void *const *)b->nbl, b->nb, NULL);
	d->aborted += b->nb;
	b->nb = 0;
}

static void abort_one(struct mailbox_design *d, struct queue *q, struct batch *b, struct vnic_nbl *n)
{
	n->status = VNIC_STATUS_SEND_ABORTED;
	n->nb_sent = 0;
	b->nbl[b->nb++] = n;
	if (b->nb == 2 * DESIGN_BURST)
		flush(d, q, b);
}

static void try_one(struct mailbox_design *d, struct queue *q, struct batch *b, uint32_t at)
{
	struct vnic_nbl *n = q->nbl[at];

	if (n == NULL || (d->id != 0 && n->cancel_id != d->id))
		return;
	abort_one(d, q, b, n);
	q->nbl[at] = NULL;
}

/* Entries from place `at` to `end`, not around the end of the array. */
static void walk_span(struct mailbox_design *d, struct queue *q, struct batch *b, uint32_t at, uint32_t end)
{
	const uint32_t tag = tag_of(d->id);

	while (d->id != 0 && end - at >= BLOCK) {
		uint64_t hits = 0;

		at += find(q->tag + at, (end - at) & ~(BLOCK - 1), tag, &hits);
		if (hits == 0)
			break; /* but for less than a block */
		for (; hits != 0; hits &= hits - 1)
			try_one(d, q, b, at + (uint32_t)__builtin_ctzll(hits));
		at += BLOCK;
	}
	for (; at < end; at++)
		if (d->id == 0 || q->tag[at] == tag)
			try_one(d, q, b, at);
}

static void walk(struct mailbox_design *d, struct queue *q)
{
	uint32_t nb = rte_ring_count(q->down), kept = 0, from, to;
	struct batch b = {.nb = 0};

	/* what was sent before the message is in the ring by now */
	while (nb != 0)
		nb -= RTE_MIN(nb, take_in(q));
	for (uint32_t i = 0; i < q->stage.nb; i++)
		if (d->id == 0 || q->stage.nbl[i]->cancel_id == d->id)
			abort_one(d, q, &b, q->stage.nbl[i]);
		else
			q->stage.nbl[kept++] = q->stage.nbl[i];
	q->stage.nb = kept;
	from = q->head & q->mask;
	to = q->tail & q->mask;
	if (from <= to && q->tail - q->head <= q->mask) {
		walk_span(d, q, &b, from, to);
	} else {
		walk_span(d, q, &b, from, q->mask + 1);
		walk_span(d, q, &b, 0, to);
	}
	d->stages.walked = rte_rdtsc();
	if (b.nb != 0)
		flush(d, q, &b);
}

/* Look for a message. */
static uint32_t serve(struct mailbox_design *d)
{
	/* A1 <- R1 */
	uint32_t posted = atomic_load_explicit(&d->posted, memory_order_acquire);
	uint64_t before = d->aborted;

	if (posted == d->seen)
		return 0;
	d->stages.picked = rte_rdtsc();
	d->seen = posted;
	for (uint32_t i = 0; i < d->nb_senders; i++)
		walk(d, &d->queue[i]);
	d->nb_aborted = d->aborted - before;
	/* R2 -> A2: the answer */
	atomic_store_explicit(&d->answered, posted, memory_order_release);
	return 1;
}

/* ---- data: the way down ---- */

static void stage(struct queue *q)
{
	if (q->head == q->tail) {
		q->stage.nb = rte_ring_sc_dequeue_burst(q->down, (void **)q->stage.nbl, DESIGN_BURST, NULL);
		return;
	}
	take_in(q);
	while (q->head != q->tail && q->stage.nb < DESIGN_BURST) {
		struct vnic_nbl *n = q->nbl[q->head++ & q->mask];

		q->stage.nbl[q->stage.nb] = n;
		q->stage.nb += n != NULL;
	}
}

static uint32_t hand_down(struct mailbox_design *d, struct queue *q)
{
	uint32_t sent;

	if (q->stage.nb == 0)
		stage(q);
	if (q->stage.nb == 0)
		return 0;
	sent = design_hand_down(&q->stage, d->port, q->back);
	d->sent += sent;
	return sent;
}

static uint32_t data(struct design *base)
{
	struct mailbox_design *d = (struct mailbox_design *)base;
	uint32_t work = serve(d);

	for (uint32_t i = 0; i < d->nb_senders; i++)
		work += d->held ? take_in(&d->queue[i]) : hand_down(d, &d->queue[i]);
	return work;
}

/* ---- who cancels ---- */

static void cancel(struct design *base, uint64_t id)
{
	struct mailbox_design *d = (struct mailbox_design *)base;
	/* relaxed: written by us alone */
	uint32_t posted = atomic_load_explicit(&d->posted, memory_order_relaxed);

	d->id = id;
	/* R1 -> A1: the id, and what was sent before */
	atomic_store_explicit(&d->posted, posted + 1, memory_order_release);
}

static bool over(struct design *base, uint64_t *nb_aborted)
{
	struct mailbox_design *d = (struct mailbox_design *)base;
	/* relaxed: written by us alone */
	uint32_t posted = atomic_load_explicit(&d->posted, memory_order_relaxed);

	/* A2 <- R2 */
	if (atomic_load_explicit(&d->answered, memory_order_acquire) != posted)
		return false;
	*nb_aborted = d->nb_aborted;
	return true;
}

static void stages(struct design *base, struct design_stages *s)
{
	*s = ((struct mailbox_design *)base)->stages;
}

static void account(const struct design *base, struct design_account *a)
{
	const struct mailbox_design *d = (const struct mailbox_design *)base;

	*a = (struct design_account){0, d->sent, d->aborted};
	for (uint32_t i = 0; i < d->nb_senders; i++)
		a->accepted += d->queue[i].accepted;
}

const struct design_ops design_mailbox = {
	.name = "mailbox", .what = "a cancel is a message to the data lcore, which walks its own queue",
	.data_walks = true, .create = create, .destroy = destroy, .send = queue_send, .poll = queue_poll,
	.data = data, .cancel = cancel, .over = over, .stages = stages, .account = account,
};
