/* SPDX-License-Identifier: BSD-3-Clause
 * design_list.c - what NIC drivers do: a linked list of NBLs under a spin lock, which a cancel
 * walks from end to end in its caller's thread
 *
 * As quick as a list can be made: a burst goes in, and out, under one taking of the lock; links
 * and ids lie beside the NBLs, four to a cache line, so that neither the walk nor the way out
 * waits for the NBLs themselves; what a cancel takes is completed after the lock is released.
 */
#include "design_stage.h"

#include <stdalign.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include <rte_cycles.h>
#include <rte_malloc.h>
#include <rte_mempool.h>
#include <rte_ring.h>
#include <rte_spinlock.h>

#include "nbl.h"

#define NONE UINT32_MAX
#define LINE 64
/* NBLs that are out may be so many more than the queue is deep */
#define MORE (4 * DESIGN_BURST)

/* of the NBL whose handle is the node's place << shift, or as many below the next */
struct node {
	uint64_t id;
	uint32_t next;
	uint32_t handle;
};

struct queue {
	alignas(LINE) rte_spinlock_t lock;
	_Atomic uint32_t nb;
	uint32_t first;
	uint32_t *last; /* the link that ends the list */
	alignas(LINE) struct design_stage stage; /* data */
	struct rte_ring *done_data, *done_cancel; /* completions */
	alignas(LINE) uint64_t accepted, polled; /* app */
	bool turn; /* which completions are polled first */
};

struct list_design {
	struct design base;
	uint16_t port;
	bool held;
	uint32_t depth, nb_senders;
	char *nbl_base;
	struct node *node;
	uint32_t shift; /* handles to nodes */
	alignas(LINE) uint64_t sent; /* data */
	alignas(LINE) uint64_t aborted; /* who cancels, like the next */
	uint64_t last_aborted;
	struct design_stages stages;
	struct queue queue[DESIGN_SENDERS_MAX];
};

static void destroy(struct design *base)
{
	struct list_design *d = (struct list_design *)base;

	for (uint32_t i = 0; i < DESIGN_SENDERS_MAX; i++) {
		rte_ring_free(d->queue[i].done_data);
		rte_ring_free(d->queue[i].done_cancel);
	}
	rte_free(d->node);
	free(d);
}

static void grow(struct rte_mempool *pool, void *end, struct rte_mempool_memhdr *h, unsigned int i)
{
	char *of_this = (char *)h->addr + h->len;

	(void)pool;
	(void)i;
	if (of_this > *(char **)end)
		*(char **)end = of_this;
}

/* NBLs are at least their pool's element size apart: so no two share a node. */
static bool make_nodes(struct list_design *d, const struct vnic_nbl_pool *nbls)
{
	uint32_t apart = rte_mempool_calc_obj_size(nbls->mempool->elt_size, nbls->mempool->flags, NULL);
	char *end = nbls->base;

	d->nbl_base = nbls->base;
	d->shift = 31 - (uint32_t)__builtin_clz(apart >> VNIC__NBL_UNIT_SHIFT);
	rte_mempool_mem_iter(nbls->mempool, grow, &end);
	d->node = rte_malloc("bench_list",
			     (((size_t)(end - d->nbl_base) >> (VNIC__NBL_UNIT_SHIFT + d->shift)) + 1) *
				     sizeof(struct node), LINE);
	return d->node != NULL;
}

static struct design *create(const struct design_conf *conf)
{
	struct list_design *d = aligned_alloc(LINE, sizeof(*d));
	bool made;

	if (d == NULL)
		return NULL;
	*d = (struct list_design){.base.ops = &design_list, .port = conf->port, .held = conf->held,
				  .depth = conf->depth, .nb_senders = conf->nb_senders};
	made = make_nodes(d, conf->nbls);
	for (uint32_t i = 0; i < conf->nb_senders && made; i++) {
		struct queue *q = &d->queue[i];

		rte_spinlock_init(&q->lock);
		q->first = NONE;
		q->last = &q->first;
		/* neither can overflow: see queue_send() */
		q->done_data = design_ring("list", conf->depth + MORE);
		q->done_cancel = design_ring("list", conf->depth + MORE);
		made = q->done_data != NULL && q->done_cancel != NULL;
	}
	if (made)
		return &d->base;
	fprintf(stderr, "vnic-bench: no memory for a list of %u; more hugepages, or a larger -m\n",
		conf->depth);
	destroy(&d->base);
	return NULL;
}

/* relaxed, both: the lock orders it, and who reads it without wants no more than the number */
static uint32_t queued(const struct queue *q)
{
	return atomic_load_explicit(&q->nb, memory_order_relaxed);
}

static void set_queued(struct queue *q, uint32_t nb)
{
	atomic_store_explicit(&q->nb, nb, memory_order_relaxed);
}

/* ---- app ---- */

static uint16_t queue_send(struct design *base, uint32_t sender, struct vnic_nbl *const *nbls, uint16_t n)
{
	struct list_design *d = (struct list_design *)base;
	struct queue *q = &d->queue[sender];
	uint64_t room = d->depth + MORE - (q->accepted - q->polled);
	uint32_t last = 0;

	n = (uint16_t)RTE_MIN(n, room);
	for (uint32_t i = 0, after = NONE; i < n; i++) {
		const struct vnic_nbl *nbl = nbls[n - 1 - i];
		uint32_t handle = vnic__nbl_handle(d->nbl_base, nbl);
		uint32_t at = handle >> d->shift;

		d->node[at] = (struct node){.id = nbl->cancel_id, .next = after, .handle = handle};
		after = at;
		last = i == 0 ? at : last;
	}
	if (n == 0)
		return 0;
	rte_spinlock_lock(&q->lock);
	room = d->depth - queued(q);
	if (room < n) {
		n = (uint16_t)room;
		if (n != 0) {
			last = vnic__nbl_handle(d->nbl_base, nbls[n - 1]) >> d->shift;
			d->node[last].next = NONE;
		}
	}
	if (n != 0) {
		*q->last = vnic__nbl_handle(d->nbl_base, nbls[0]) >> d->shift;
		q->last = &d->node[last].next;
		set_queued(q, queued(q) + n);
	}
	rte_spinlock_unlock(&q->lock);
	q->accepted += n;
	return n;
}

static uint16_t queue_poll(struct design *base, uint32_t sender, struct vnic_nbl **nbls, uint16_t n)
{
	struct queue *q = &((struct list_design *)base)->queue[sender];
	struct rte_ring *one = q->turn ? q->done_data : q->done_cancel;
	struct rte_ring *other = q->turn ? q->done_cancel : q->done_data;
	uint16_t nb = (uint16_t)rte_ring_sc_dequeue_burst(one, (void **)nbls, n, NULL);

	q->turn = !q->turn;
	nb += (uint16_t)rte_ring_sc_dequeue_burst(other, (void **)nbls + nb, n - nb, NULL);
	q->polled += nb;
	return nb;
}

/* ---- data ---- */

static void take_burst(struct list_design *d, struct queue *q)
{
	uint32_t at, nb = 0;

	rte_spinlock_lock(&q->lock);
	for (at = q->first; at != NONE && nb < DESIGN_BURST; at = d->node[at].next)
		q->stage.nbl[nb++] = vnic__nbl_of(d->nbl_base, d->node[at].handle);
	q->first = at;
	if (at == NONE)
		q->last = &q->first;
	set_queued(q, queued(q) - nb);
	rte_spinlock_unlock(&q->lock);
	q->stage.nb = nb;
}

static uint32_t hand_down(struct list_design *d, struct queue *q)
{
	uint32_t sent;

	/* a glance without the lock: what it misses is there at the next step */
	if (q->stage.nb == 0 && queued(q) != 0)
		take_burst(d, q);
	if (q->stage.nb == 0)
		return 0;
	sent = design_hand_down(&q->stage, d->port, q->done_data);
	d->sent += sent;
	return sent;
}

static uint32_t data(struct design *base)
{
	struct list_design *d = (struct list_design *)base;
	uint32_t work = 0;

	for (uint32_t i = 0; i < d->nb_senders && !d->held; i++)
		work += hand_down(d, &d->queue[i]);
	return work;
}

/* ---- cancel ---- */

/* Move what matches to a list of its own; returns its first node. */
static uint32_t unlink_matches(struct list_design *d, struct queue *q, uint64_t id)
{
	uint32_t taken = NONE, *taken_last = &taken, *link = &q->first, at;
	struct node *node = d->node;
	uint32_t nb = queued(q);

	if (id == 0) {
		taken = q->first;
		q->first = NONE;
		q->last = &q->first;
		set_queued(q, 0);
		return taken;
	}
	while ((at = *link) != NONE) {
		if (node[at].id != id) {
			link = &node[at].next;
			continue;
		}
		*link = node[at].next;
		*taken_last = at;
		taken_last = &node[at].next;
		nb--;
	}
	*taken_last = NONE;
	q->last = link;
	set_queued(q, nb);
	return taken;
}

static void complete(struct list_design *d, struct queue *q, uint32_t at)
{
	struct vnic_nbl *nbl[2 * DESIGN_BURST];
	uint32_t nb = 0;

	while (at != NONE) {
		nbl[nb] = vnic__nbl_of(d->nbl_base, d->node[at].handle);
		nbl[nb]->status = VNIC_STATUS_SEND_ABORTED;
		nbl[nb++]->nb_sent = 0;
		at = d->node[at].next;
		if (at == NONE || nb == 2 * DESIGN_BURST) {
			rte_ring_sp_enqueue_bulk(q->done_cancel, (void *const *)nbl, nb, NULL);
			d->last_aborted += nb;
			nb = 0;
		}
	}
}

static void cancel(struct design *base, uint64_t id)
{
	struct list_design *d = (struct list_design *)base;

	d->last_aborted = 0;
	d->stages.picked = 0;
	for (uint32_t i = 0; i < d->nb_senders; i++) {
		struct queue *q = &d->queue[i];
		uint32_t taken;

		rte_spinlock_lock(&q->lock);
		if (d->stages.picked == 0)
			d->stages.picked = rte_rdtsc();
		taken = unlink_matches(d, q, id);
		rte_spinlock_unlock(&q->lock);
		d->stages.walked = rte_rdtsc();
		complete(d, q, taken);
	}
	d->aborted += d->last_aborted;
}

static bool over(struct design *base, uint64_t *nb_aborted)
{
	*nb_aborted = ((struct list_design *)base)->last_aborted;
	return true;
}

static void stages(struct design *base, struct design_stages *s)
{
	*s = ((struct list_design *)base)->stages;
}

static void account(const struct design *base, struct design_account *a)
{
	const struct list_design *d = (const struct list_design *)base;

	*a = (struct design_account){0, d->sent, d->aborted};
	for (uint32_t i = 0; i < d->nb_senders; i++)
		a->accepted += d->queue[i].accepted;
}

const struct design_ops design_list = {
	.name = "list", .what = "linked list under a spin lock, walked by the caller of a cancel",
	.create = create, .destroy = destroy, .send = queue_send, .poll = queue_poll, .data = data,
	.cancel = cancel, .over = over, .stages = stages, .account = account,
};
