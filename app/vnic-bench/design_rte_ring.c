/* SPDX-License-Identifier: BSD-3-Clause
 * design_rte_ring.c - the same NBLs and completions over rte_ring SP/SC: what one has today,
 * as quick as it can be made, and nothing can be taken back
 *
 * Frames are handed on as they are: neither checked nor padded.
 */
#include "design_stage.h"

#include <stdio.h>
#include <stdlib.h>

#include <rte_ring.h>

struct queue {
	struct rte_ring *down, *back;
	struct design_stage stage;
};

struct ring_design {
	struct design base;
	uint16_t port;
	bool held;
	uint32_t nb_senders;
	struct queue queue[DESIGN_SENDERS_MAX];
	uint64_t accepted; /* app */
	uint64_t sent;     /* data */
};

static void destroy(struct design *base)
{
	struct ring_design *d = (struct ring_design *)base;

	for (uint32_t i = 0; i < d->nb_senders; i++) {
		rte_ring_free(d->queue[i].down);
		rte_ring_free(d->queue[i].back);
	}
	free(d);
}

static struct design *create(const struct design_conf *conf)
{
	struct ring_design *d = calloc(1, sizeof(*d));

	if (d == NULL)
		return NULL;
	d->base.ops = &design_rte_ring;
	d->port = conf->port;
	d->held = conf->held;
	for (; d->nb_senders < conf->nb_senders; d->nb_senders++) {
		struct queue *q = &d->queue[d->nb_senders];

		q->down = design_ring("ring", conf->depth);
		/* and what is staged */
		q->back = design_ring("ring", conf->depth + DESIGN_BURST);
		if (q->down == NULL || q->back == NULL) {
			fprintf(stderr, "vnic-bench: no memory for an rte_ring of %u\n", conf->depth);
			d->nb_senders++;
			destroy(&d->base);
			return NULL;
		}
	}
	return &d->base;
}

static uint16_t queue_send(struct design *base, uint32_t sender, struct vnic_nbl *const *nbls, uint16_t n)
{
	struct ring_design *d = (struct ring_design *)base;

	n = (uint16_t)rte_ring_sp_enqueue_burst(d->queue[sender].down, (void *const *)nbls, n, NULL);
	d->accepted += n;
	return n;
}

static uint16_t queue_poll(struct design *base, uint32_t sender, struct vnic_nbl **nbls, uint16_t n)
{
	struct ring_design *d = (struct ring_design *)base;

	return (uint16_t)rte_ring_sc_dequeue_burst(d->queue[sender].back, (void **)nbls, n, NULL);
}

static uint32_t hand_down(struct ring_design *d, struct queue *q)
{
	uint32_t sent;

	if (q->stage.nb == 0)
		q->stage.nb = rte_ring_sc_dequeue_burst(q->down, (void **)q->stage.nbl, DESIGN_BURST, NULL);
	if (q->stage.nb == 0)
		return 0;
	sent = design_hand_down(&q->stage, d->port, q->back);
	d->sent += sent;
	return sent;
}

static uint32_t data(struct design *base)
{
	struct ring_design *d = (struct ring_design *)base;
	uint32_t work = 0;

	for (uint32_t i = 0; i < d->nb_senders && !d->held; i++)
		work += hand_down(d, &d->queue[i]);
	return work;
}

static void account(const struct design *base, struct design_account *a)
{
	const struct ring_design *d = (const struct ring_design *)base;

	*a = (struct design_account){d->accepted, d->sent, 0};
}

const struct design_ops design_rte_ring = {
	.name = "rte_ring", .what = "rte_ring SP/SC down and back; nothing can be taken back",
	.create = create, .destroy = destroy, .send = queue_send, .poll = queue_poll, .data = data,
	.account = account,
};
