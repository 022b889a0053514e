/* SPDX-License-Identifier: BSD-3-Clause
 * face.c - an upper port whose packets are sent through an adapter
 *
 * A face takes from its port only what the send queue has room for, so that a full queue
 * pushes back on the program behind the port and nothing is lost here.
 */
#include "vnic.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include <rte_branch_prediction.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_malloc.h>

#include "adapter.h"
#include "idrule.h"

#define BURST_DEFAULT 32
#define COMPLETIONS_BURST 64

enum {
	F_RECEIVED,
	F_COMPLETED,
	F_SENT,
	F_ABORTED,
	F_REJECTED,
	F_DROPPED,
	F_BACKPRESSURE,
	F_MATCHES, /* of each rule, and of none */
	F_COUNTS = F_MATCHES + VNIC__MATCHES
};

struct vnic_face {
	struct vnic_client *client;
	struct vnic_sender *sender;
	struct vnic_nbl_pool *pool;
	struct vnic__idrules ids;
	uint16_t port;
	uint16_t rx_queue;
	uint16_t burst;
	uint16_t nbl_packets;
	_Atomic bool receive;
	_Atomic uint64_t count[F_COUNTS]; /* one writer, read relaxed */
};

static void grow(struct vnic_face *f, uint32_t which, uint64_t by)
{
	atomic_store_explicit(&f->count[which],
			      atomic_load_explicit(&f->count[which], memory_order_relaxed) + by,
			      memory_order_relaxed);
}

static void *undo(struct vnic_face *f)
{
	int error = rte_errno;

	vnic_sender_destroy(f->sender);
	vnic_client_close(f->client);
	vnic_nbl_pool_destroy(f->pool);
	rte_free(f);
	rte_errno = error;
	return NULL;
}

struct vnic_face *vnic_face_create(struct vnic_adapter *a, const struct vnic_face_conf *conf)
{
	struct rte_eth_dev_info info;
	struct vnic__idrules ids;
	struct vnic_face *f;

	if (rte_eth_dev_info_get(conf->port, &info) != 0 || conf->rx_queue >= info.nb_rx_queues)
		return vnic__fail(ENODEV);
	if (conf->name == NULL || conf->burst > VNIC_BURST_MAX || conf->nbl_packets == 0 ||
	    !vnic__idrules_init(&ids, conf->rules, conf->nb_rules))
		return vnic__fail(EINVAL);
	f = rte_zmalloc_socket("vnic_face", sizeof(*f), VNIC__LINE, a->numa_node);
	if (f == NULL)
		return vnic__fail(ENOMEM);
	f->port = conf->port;
	f->rx_queue = conf->rx_queue;
	f->burst = conf->burst != 0 ? conf->burst : BURST_DEFAULT;
	f->nbl_packets = conf->nbl_packets;
	f->ids = ids;
	atomic_init(&f->receive, true);
	/* as many NBLs as may be outstanding, so that none is ever lacking */
	f->pool = vnic_nbl_pool_create(conf->name, 2 * conf->depth + VNIC_BURST_MAX, f->nbl_packets,
				       a->numa_node);
	if (f->pool == NULL)
		return undo(f);
	f->client = vnic_client_open(a);
	if (f->client == NULL)
		return undo(f);
	f->ids.prefix = (uint64_t)vnic_client_prefix(f->client) << VNIC_CANCEL_ID_PREFIX_SHIFT;
	f->sender = vnic_sender_create(f->client, f->pool, conf->depth);
	return f->sender == NULL ? undo(f) : f;
}

int vnic_face_destroy(struct vnic_face *f)
{
	if (f == NULL)
		return 0;
	if (vnic_sender_outstanding(f->sender) != 0)
		return -EBUSY;
	undo(f);
	return 0;
}

/* Packets that have not left are ours again. */
static void give_back(struct vnic_face *f, struct vnic_nbl *nbl)
{
	uint16_t left = nbl->nb_packets - nbl->nb_sent;

	grow(f, nbl->status == VNIC_STATUS_SEND_ABORTED ? F_ABORTED : F_REJECTED, left);
	rte_pktmbuf_free_bulk(vnic_nbl_packets(nbl) + nbl->nb_sent, left);
}

static uint32_t take_completions(struct vnic_face *f)
{
	struct vnic_nbl *nbl[COMPLETIONS_BURST];
	uint16_t n = vnic_sender_poll(f->sender, nbl, COMPLETIONS_BURST);
	uint64_t completed = 0, sent = 0;

	if (n == 0)
		return 0;
	for (uint16_t i = 0; i < n; i++) {
		completed += nbl[i]->nb_packets;
		sent += nbl[i]->nb_sent;
		if (unlikely(nbl[i]->nb_sent != nbl[i]->nb_packets))
			give_back(f, nbl[i]);
	}
	/* once a burst: a count that is read and written for each packet waits for itself */
	grow(f, F_SENT, sent);
	grow(f, F_COMPLETED, completed);
	vnic_nbl_free(f->pool, nbl, n);
	return n;
}

/* The packets' cancel ids, counted by the rules that made them. */
static void make_ids(struct vnic_face *f, struct rte_mbuf **packet, uint16_t n, uint64_t *id)
{
	uint32_t matches[VNIC__MATCHES] = {0};

	vnic__idrules_burst(&f->ids, packet, n, id, matches);
	for (uint32_t i = 0; i < f->ids.nb; i++)
		grow(f, F_MATCHES + i, matches[i]);
	if (unlikely(matches[VNIC__UNMARKED] != 0))
		grow(f, F_MATCHES + VNIC__UNMARKED, matches[VNIC__UNMARKED]);
}

/* One NBL for each packet. */
static uint16_t make_single_nbls(struct rte_mbuf **packet, const uint64_t *id, uint16_t n,
				 struct vnic_nbl **nbl)
{
	for (uint16_t i = 0; i < n; i++) {
		nbl[i]->cancel_id = id[i];
		nbl[i]->nb_packets = 1;
		vnic_nbl_packets(nbl[i])[0] = packet[i];
	}
	return n;
}

/* Neighbours of one id share an NBL as far as nbl_packets allows. */
static uint16_t make_nbls(struct vnic_face *f, struct rte_mbuf **packet, uint16_t n,
			  struct vnic_nbl **nbl)
{
	uint64_t id[VNIC_BURST_MAX];
	uint16_t k = 0;

	make_ids(f, packet, n, id);
	if (f->nbl_packets == 1)
		return make_single_nbls(packet, id, n, nbl);
	for (uint16_t i = 0; i < n; i++) {
		if (k == 0 || nbl[k - 1]->cancel_id != id[i] ||
		    nbl[k - 1]->nb_packets == f->nbl_packets) {
			nbl[k]->cancel_id = id[i];
			nbl[k]->nb_packets = 0;
			k++;
		}
		vnic_nbl_packets(nbl[k - 1])[nbl[k - 1]->nb_packets++] = packet[i];
	}
	return k;
}

static uint32_t receive(struct vnic_face *f)
{
	struct rte_mbuf *packet[VNIC_BURST_MAX];
	struct vnic_nbl *nbl[VNIC_BURST_MAX];
	uint16_t room = vnic_sender_room(f->sender, f->burst), n, k;

	n = room == 0 ? 0 : rte_eth_rx_burst(f->port, f->rx_queue, packet, room);
	if (n == room && room < f->burst)
		grow(f, F_BACKPRESSURE, 1);
	if (n == 0)
		return 0;
	if (vnic_nbl_alloc(f->pool, nbl, n) != 0) {
		grow(f, F_DROPPED, n);
		rte_pktmbuf_free_bulk(packet, n);
		return n;
	}
	k = make_nbls(f, packet, n, nbl);
	if (k < n)
		vnic_nbl_free(f->pool, nbl + k, n - k);
	grow(f, F_RECEIVED, n);
	vnic_send(f->sender, nbl, k); /* takes all: there is room */
	return n;
}

uint32_t vnic_face_poll(struct vnic_face *f)
{
	uint32_t work = take_completions(f);

	/* relaxed: a wish, not an order of events */
	if (atomic_load_explicit(&f->receive, memory_order_relaxed))
		work += receive(f);
	return work;
}

void vnic_face_stop_receive(struct vnic_face *f)
{
	atomic_store_explicit(&f->receive, false, memory_order_relaxed);
}

void vnic_face_stats_get(const struct vnic_face *f, struct vnic_face_stats *st)
{
	uint64_t v[F_COUNTS];

	for (uint32_t i = 0; i < F_COUNTS; i++)
		v[i] = atomic_load_explicit(&f->count[i], memory_order_relaxed);
	*st = (struct vnic_face_stats){
		.received = v[F_RECEIVED] + v[F_DROPPED], .completed = v[F_COMPLETED], .sent = v[F_SENT],
		.aborted = v[F_ABORTED], .rejected = v[F_REJECTED], .dropped = v[F_DROPPED],
		.backpressure = v[F_BACKPRESSURE], .unmarked = v[F_MATCHES + VNIC__UNMARKED]};
	memcpy(st->matched, &v[F_MATCHES], sizeof(st->matched));
}

uint64_t vnic_face_id(const struct vnic_face *f, const struct rte_mbuf *packet, uint32_t *rule)
{
	return vnic__idrules_apply(&f->ids, packet, rule);
}

struct vnic_client *vnic_face_client(const struct vnic_face *f)
{
	return f->client;
}

uint32_t vnic_face_outstanding(const struct vnic_face *f)
{
	return vnic_sender_outstanding(f->sender);
}
