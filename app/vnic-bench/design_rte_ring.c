/* SPDX-License-Identifier: BSD-3-Clause
 * design_rte_ring.c - the same NBLs and completions over rte_ring SP/SC: what one has today,
 * as quick as it can be made, and nothing can be taken back
 *
 * Frames are handed on as they are: neither checked nor padded.
 */
#include "design.h"

#include <stdio.h>
#include <stdlib.h>

#include <rte_ethdev.h>
#include <rte_ring.h>

struct queue {
	struct rte_ring *down, *back;
	struct vnic_nbl *staged[DESIGN_BURST]; /* that the port has not taken yet */
	uint32_t nb_staged;
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

static struct rte_ring *new_ring(uint32_t depth)
{
	static unsigned int serial;
	char name[32];

	snprintf(name, sizeof(name), "bench_ring%u", serial++);
	return rte_ring_create(name, depth, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ | RING_F_EXACT_SZ);
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

		q->down = new_ring(conf->depth);
		/* and what is staged */
		q->back = new_ring(conf->depth + DESIGN_BURST);
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
	struct rte_mbuf *packet[DESIGN_BURST];
	uint16_t sent;

	if (q->nb_staged == 0)
		q->nb_staged = rte_ring_sc_dequeue_burst(q->down, (void **)q->staged, DESIGN_BURST, NULL);
	if (q->nb_staged == 0)
		return 0;
	for (uint32_t i = 0; i < q->nb_staged; i++)
		packet[i] = vnic_nbl_packets(q->staged[i])[0];
	sent = rte_eth_tx_burst(d->port, 0, packet, (uint16_t)q->nb_staged);
	for (uint32_t i = 0; i < sent; i++) {
		q->staged[i]->status = VNIC_STATUS_SUCCESS;
		q->staged[i]->nb_sent = 1;
	}
	rte_ring_sp_enqueue_bulk(q->back, (void *const *)q->staged, sent, NULL);
	q->nb_staged -= sent;
	for (uint32_t i = 0; i < q->nb_staged && sent != 0; i++)
		q->staged[i] = q->staged[i + sent];
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
