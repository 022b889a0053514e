/* SPDX-License-Identifier: BSD-3-Clause
 * layer.c - the lower edge of an intermediate adapter: clones down, completions up
 */
#include "layer.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <rte_errno.h>
#include <rte_malloc.h>
#include <rte_mbuf.h>

#include "adapter.h"
#include "transmit.h"

#define DEPTH_DEFAULT 256
#define PACKETS_DEFAULT 32  /* of an NBL */
#define PACKETS_MAX 1024
#define PACKET_CLONES 8     /* for each NBL that may be below: segments of its packets */
#define CACHE 64
#define BATCH 64

/* ---- from creation to end: setup ---- */

static int open_binding(struct vnic__layer *layer, struct vnic_adapter *lower, uint32_t depth)
{
	struct vnic__binding *b = &layer->binding[layer->nb];

	b->lower = lower;
	b->client = vnic_client_open(lower);
	if (b->client == NULL)
		return -rte_errno;
	b->sender = vnic_sender_create(b->client, layer->nbls, depth);
	if (b->sender == NULL) {
		int rc = -rte_errno;

		vnic_client_close(b->client);
		return rc;
	}
	layer->nb++;
	if (lower->layer != NULL)
		layer->max_packets = RTE_MIN(layer->max_packets, lower->layer->max_packets);
	return 0;
}

/* Pools for as many clones as can be below at once, and in the ports. */
static int make_pools(struct vnic__layer *layer, const struct vnic_adapter *a,
		      const struct vnic_adapter_conf *conf, uint32_t depth)
{
	uint32_t nb = 2 * depth * conf->nb_lower + 2 * CACHE;
	char name[RTE_MEMPOOL_NAMESIZE];

	snprintf(name, sizeof(name), "ln_%p", (void *)layer);
	layer->nbls = vnic_nbl_pool_create(name, nb, layer->max_packets, a->numa_node);
	if (layer->nbls == NULL)
		return -rte_errno;
	if (conf->nb_lower == 1)
		return 0;
	snprintf(name, sizeof(name), "lp_%p", (void *)layer);
	/* no data room: they only point to the packets that they are clones of */
	layer->packets = rte_pktmbuf_pool_create(name, nb * PACKET_CLONES + a->kept_below, 2 * CACHE,
						 0, 0, a->numa_node);
	return layer->packets == NULL ? -rte_errno : 0;
}

int vnic__layer_create(struct vnic_adapter *a, const struct vnic_adapter_conf *conf)
{
	struct vnic__layer *layer = rte_zmalloc_socket("vnic_layer", sizeof(*layer), VNIC__LINE,
						       a->numa_node);
	uint32_t depth = conf->lower_depth != 0 ? conf->lower_depth : DEPTH_DEFAULT;
	int rc;

	if (layer == NULL)
		return -ENOMEM;
	layer->max_packets = conf->lower_packets != 0 ? conf->lower_packets : PACKETS_DEFAULT;
	rc = layer->max_packets > PACKETS_MAX || depth > VNIC__RING_SIZE_MAX ? -EINVAL :
		     make_pools(layer, a, conf, depth);
	for (uint32_t i = 0; rc == 0 && i < conf->nb_lower; i++)
		rc = open_binding(layer, conf->lower[i], depth);
	if (rc != 0) {
		vnic__layer_free(layer);
		return rc;
	}
	a->layer = layer;
	return 0;
}

void vnic__layer_free(struct vnic__layer *layer)
{
	for (uint32_t i = 0; i < layer->nb; i++) {
		vnic_sender_destroy(layer->binding[i].sender);
		vnic_client_close(layer->binding[i].client);
	}
	vnic_nbl_pool_destroy(layer->nbls);
	rte_mempool_free(layer->packets);
	rte_free(layer);
}

bool vnic__layer_packets_out(const struct vnic__layer *layer)
{
	return layer->packets != NULL && !rte_mempool_full(layer->packets);
}

/* ---- as a driver: control thread ---- */

static bool link(struct vnic_adapter *a, void *context)
{
	(void)context;
	for (uint32_t b = 0; b < a->layer->nb; b++)
		if (vnic_adapter_link(a->layer->binding[b].lower))
			return true;
	return false;
}

const struct vnic_driver vnic__layer_driver = {.name = "layer", .link = link};

/* ---- down ---- */

/* Clones of a parent's packets that share their data; false if there are not enough. */
static bool clone_packets(struct vnic__layer *layer, struct vnic_nbl *clone,
			  struct vnic_nbl *parent)
{
	for (uint16_t i = 0; i < parent->nb_packets; i++) {
		struct rte_mbuf *m = rte_pktmbuf_clone(vnic_nbl_packets(parent)[i], layer->packets);

		if (m == NULL) {
			rte_pktmbuf_free_bulk(vnic_nbl_packets(clone), i);
			return false;
		}
		vnic_nbl_packets(clone)[i] = m;
	}
	return true;
}

/* The parent's clones, one for each binding; all or none. */
static bool clone_nbl(struct vnic__layer *layer, struct vnic_nbl *parent, uint32_t slot,
		      uint64_t pos, struct vnic_nbl **clones)
{
	if (vnic_nbl_alloc(layer->nbls, clones, layer->nb) != 0)
		return false;
	for (uint32_t b = 0; b < layer->nb; b++) {
		clones[b]->cancel_id = parent->cancel_id;
		clones[b]->nb_packets = parent->nb_packets;
		vnic__clone_set(clones[b], parent, slot, pos);
		if (layer->nb == 1) {
			memcpy(vnic_nbl_packets(clones[b]), vnic_nbl_packets(parent),
			       parent->nb_packets * sizeof(struct rte_mbuf *));
		} else if (!clone_packets(layer, clones[b], parent)) {
			while (b-- > 0)
				rte_pktmbuf_free_bulk(vnic_nbl_packets(clones[b]), parent->nb_packets);
			vnic_nbl_free(layer->nbls, clones, layer->nb);
			return false;
		}
	}
	return true;
}

/* What every binding takes now. */
static uint32_t room_below(const struct vnic__layer *layer, uint32_t n)
{
	for (uint32_t b = 0; b < layer->nb && n != 0; b++)
		n = vnic_sender_room(layer->binding[b].sender, (uint16_t)n);
	return n;
}

/* Will clones come back that are with lower adapters, or in their ports? */
static bool any_out(const struct vnic__layer *layer)
{
	/* relaxed: this thread's own */
	return atomic_load_explicit(&layer->below, memory_order_relaxed) != 0 ||
	       vnic__layer_packets_out(layer);
}

/* The first staged NBL can never go down: nothing is out that could come back. */
static void fail_first(struct vnic_sender *s)
{
	struct vnic_nbl *nbl = vnic__staged_nbl(s, 0);

	nbl->status = VNIC_STATUS_RESOURCES;
	nbl->nb_sent = 0;
	vnic__count_end(s, nbl->status, nbl->nb_packets);
	s->c_count[C_STAGED_PACKETS] -= nbl->nb_packets;
	vnic__ring_release(&s->consumer, 1);
	vnic__publish_all_counts(s);
	vnic__complete(s, &nbl, 1);
}

uint32_t vnic__layer_hand_down(struct vnic_adapter *a, struct vnic_sender *s, uint32_t max,
			       uint64_t *max_bytes)
{
	struct vnic__layer *layer = a->layer;
	struct vnic_nbl *down[VNIC__LOWER_MAX][VNIC__RING_STAGE_MAX];
	uint32_t n = room_below(layer, vnic__ring_staged(&s->consumer)), k, packets = 0;
	uint64_t may = RTE_MIN(vnic__pacer_bytes(&a->pacer, rte_rdtsc()), *max_bytes), bytes = 0;
	bool lacks = false;

	for (k = 0; k < n && packets < max && bytes < may; k++) {
		struct vnic_nbl *parent = vnic__staged_nbl(s, k), *clones[VNIC__LOWER_MAX];

		if (!clone_nbl(layer, parent, s->slot, vnic__ring_stage_pos(&s->consumer, k), clones)) {
			lacks = true;
			break;
		}
		parent->reserved32 = layer->nb; /* clones that are not back yet */
		parent->status = VNIC_STATUS_SUCCESS;
		parent->nb_sent = parent->nb_packets;
		for (uint32_t b = 0; b < layer->nb; b++)
			down[b][k] = clones[b];
		for (uint16_t i = 0; i < parent->nb_packets && a->pacer.bits.cost != 0; i++)
			bytes += vnic_nbl_packets(parent)[i]->pkt_len;
		packets += parent->nb_packets;
	}
	if (k == 0) {
		if (lacks && !any_out(layer)) {
			fail_first(s);
			return 1;
		}
		s->c_count[C_PORT_REFUSED]++;
		vnic__fair_scarce(&a->fair);
		vnic__publish_counts(s);
		return 0;
	}
	s->c_count[C_STAGED_PACKETS] -= packets;
	s->c_count[C_BELOW_PACKETS] += packets;
	s->c_count[C_BELOW_NBLS] += k;
	/* release: counted below before the stage is seen empty, see below_empty() in life.c */
	atomic_fetch_add_explicit(&layer->below, k, memory_order_release);
	for (uint32_t b = 0; b < layer->nb; b++)
		vnic_send(layer->binding[b].sender, down[b], (uint16_t)k); /* there is room */
	vnic__ring_release(&s->consumer, k);
	vnic__publish_all_counts(s);
	vnic__pacer_charge(&a->pacer, packets, bytes);
	*max_bytes = bytes;
	return packets;
}

/* ---- up ---- */

/* A parent is aborted if one of its clones was; else the first failure stands [C13, C39]. */
static void merge(struct vnic_nbl *parent, const struct vnic_nbl *clone, uint32_t nb_bindings)
{
	if (clone->status == VNIC_STATUS_SUCCESS)
		return;
	if (parent->status == VNIC_STATUS_SUCCESS || clone->status == VNIC_STATUS_SEND_ABORTED)
		parent->status = clone->status;
	parent->nb_sent = nb_bindings == 1 ? clone->nb_sent : 0;
}

/* All clones are back: the sender's count and completion. */
static void finish(struct vnic__layer *layer, struct vnic_sender *s, struct vnic_nbl *parent)
{
	uint32_t nb_left = (uint32_t)parent->nb_packets - parent->nb_sent;

	s->c_count[C_BELOW_NBLS]--;
	s->c_count[C_BELOW_PACKETS] -= parent->nb_packets;
	s->c_count[C_SENT_PACKETS] += parent->nb_sent;
	if (parent->status == VNIC_STATUS_SUCCESS)
		s->c_count[C_SENT_NBLS]++;
	else
		vnic__count_end(s, parent->status, nb_left);
	/* several ports had clones: the packets themselves end here */
	if (parent->status == VNIC_STATUS_SUCCESS && layer->nb > 1)
		rte_pktmbuf_free_bulk(vnic_nbl_packets(parent), parent->nb_packets);
	vnic__publish_all_counts(s);
	vnic__complete(s, &parent, 1);
	/* release: completed before it is seen to be below no more */
	atomic_fetch_sub_explicit(&layer->below, 1, memory_order_release);
}

static uint32_t take_back(struct vnic_adapter *a, struct vnic__binding *b)
{
	struct vnic__layer *layer = a->layer;
	struct vnic_nbl *clone[BATCH];
	uint16_t n = vnic_sender_poll(b->sender, clone, BATCH);

	for (uint16_t i = 0; i < n; i++) {
		struct vnic__above above = vnic__above(clone[i]);

		merge(above.parent, clone[i], layer->nb);
		if (layer->nb > 1)
			rte_pktmbuf_free_bulk(vnic_nbl_packets(clone[i]) + clone[i]->nb_sent,
					      (uint32_t)clone[i]->nb_packets - clone[i]->nb_sent);
		if (--above.parent->reserved32 == 0)
			finish(layer, a->sender[above.slot], above.parent);
	}
	if (n != 0)
		vnic_nbl_free(layer->nbls, clone, n);
	return n;
}

uint32_t vnic__layer_poll(struct vnic_adapter *a)
{
	uint32_t moved = 0;

	for (uint32_t b = 0; b < a->layer->nb; b++)
		moved += take_back(a, &a->layer->binding[b]);
	return moved;
}
