/* SPDX-License-Identifier: BSD-3-Clause
 * face.c - an upper port whose packets are sent through an adapter
 *
 * A face takes from its port only what the send queue has room for, so that a full queue
 * pushes back on the program behind the port and nothing is lost here. What was received for it
 * goes the other way, in order: what the port does not take is held, a burst at most, and
 * tried again.
 */
#include "vnic.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include <rte_branch_prediction.h>
#include <rte_cycles.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_malloc.h>

#include "adapter.h"
#include "capture.h"
#include "hold.h"
#include "idrule.h"
#include "transmit.h"

#define BURST_DEFAULT 32
#define COMPLETIONS_BURST 64
#define STALLS_PER_S 10 /* how often it is asked whether the link of a port that takes nothing is up */

enum {
	F_RECEIVED,
	F_COMPLETED,
	F_SENT,
	F_ABORTED,
	F_REJECTED,
	F_DROPPED,
	F_DIRECT,
	F_BACKPRESSURE,
	F_MATCHES, /* of each rule, and of none */
	F_COUNTS = F_MATCHES + VNIC__MATCHES
};
/* What it was told of its port's link. */
enum { LINK_UNTOLD, LINK_DOWN, LINK_UP };
enum { U_INDICATED, U_DELIVERED, U_DROPPED, U_HELD, U_COUNTS };

struct vnic_face {
	struct vnic_client *client;
	struct vnic_sender *sender;
	struct vnic_nbl_pool *pool;
	struct vnic__idrules ids;
	uint16_t port;
	uint16_t rx_queue;
	uint16_t nb_queues;
	uint16_t turn; /* the queue that is polled first */
	uint16_t burst;
	uint16_t nbl_packets;
	uint32_t longest; /* above it the port's driver cuts frames off, 0: it does not */
	bool direct;      /* its poller is the adapter's */
	_Atomic bool receive;
	_Atomic uint8_t link; /* any thread; relaxed: a look, nothing goes by it */
	struct vnic__hold hold;
	struct vnic__hook hook;
	_Atomic uint64_t count[F_COUNTS]; /* one writer, read relaxed */

	/* up: NULL if it does not receive */
	struct vnic_receiver *receiver;
	const struct vnic_adapter *adapter;
	uint32_t max_frame; /* that the port takes */
	bool linear_only;
	uint16_t tx_queue;
	uint64_t stall_tsc; /* since when the port takes nothing, 0: it does */
	uint32_t first, nb_held;
	struct rte_mbuf *held[VNIC_BURST_MAX];
	uint64_t up[U_COUNTS];
	struct vnic__account up_account;
};

static void grow(struct vnic_face *f, uint32_t which, uint64_t by)
{
	atomic_store_explicit(&f->count[which],
			      atomic_load_explicit(&f->count[which], memory_order_relaxed) + by,
			      memory_order_relaxed);
}

/* All but its client. */
static void close_edges(struct vnic_face *f)
{
	vnic_sender_destroy(f->sender);
	vnic_receiver_destroy(f->receiver);
	vnic_nbl_pool_destroy(f->pool);
}

static void *undo(struct vnic_face *f)
{
	int error = rte_errno;

	close_edges(f);
	vnic_client_close(f->client);
	rte_free(f);
	rte_errno = error;
	return NULL;
}

/* What the adapter receives for it, to its port. */
static bool open_up(struct vnic_face *f, const struct vnic_face_conf *conf)
{
	uint16_t mtu = RTE_ETHER_MTU;

	rte_eth_dev_get_mtu(f->port, &mtu);
	f->max_frame = (uint32_t)mtu + RTE_ETHER_HDR_LEN + 2 * RTE_VLAN_HLEN;
	f->linear_only = (vnic__offload_configured(f->port, conf->tx_queue) &
			  RTE_ETH_TX_OFFLOAD_MULTI_SEGS) == 0;
	f->tx_queue = conf->tx_queue;
	f->receiver = vnic_receiver_create(f->client, &conf->receiver);
	return f->receiver != NULL;
}

struct vnic_face *vnic_face_create(struct vnic_adapter *a, const struct vnic_face_conf *conf)
{
	uint16_t nb_queues = conf->nb_queues != 0 ? conf->nb_queues : 1;
	struct rte_eth_dev_info info;
	struct vnic__idrules ids;
	struct vnic_face *f;

	if (rte_eth_dev_info_get(conf->port, &info) != 0 ||
	    conf->rx_queue + nb_queues > info.nb_rx_queues ||
	    (conf->receive && conf->tx_queue >= info.nb_tx_queues))
		return vnic__fail(ENODEV);
	if (conf->name == NULL || conf->burst > VNIC_BURST_MAX || conf->nbl_packets == 0 ||
	    !vnic__idrules_init(&ids, conf->rules, conf->nb_rules))
		return vnic__fail(EINVAL);
	f = rte_zmalloc_socket("vnic_face", sizeof(*f), VNIC__LINE, a->numa_node);
	if (f == NULL)
		return vnic__fail(ENOMEM);
	f->adapter = a;
	f->port = conf->port;
	f->rx_queue = conf->rx_queue;
	f->nb_queues = nb_queues;
	f->burst = conf->burst != 0 ? conf->burst : BURST_DEFAULT;
	f->nbl_packets = conf->nbl_packets;
	f->longest = vnic__port_longest(conf->port);
	f->ids = ids;
	f->direct = conf->direct;
	if (conf->direct)
		/* relaxed: the data thread may see it a poll later */
		atomic_store_explicit(&a->direct, true, memory_order_relaxed);
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
	if (f->sender == NULL || (conf->receive && !open_up(f, conf)))
		return undo(f);
	return f;
}

/* ---- up: what the adapter receives for it ---- */

/* n of the held ones are done with, delivered or dropped. */
static void settle(struct vnic_face *f, uint32_t which, uint32_t n)
{
	f->first += n;
	f->nb_held -= n;
	f->up[which] += n;
	f->up[U_HELD] = f->nb_held;
	vnic__account_write(&f->up_account, f->up, U_COUNTS);
	vnic_receive_return(f->receiver, n);
}

static void drop_held(struct vnic_face *f)
{
	rte_pktmbuf_free_bulk(f->held + f->first, f->nb_held);
	settle(f, U_DROPPED, f->nb_held);
}

static uint32_t take_received(struct vnic_face *f)
{
	f->first = 0;
	f->nb_held = vnic_receive(f->receiver, f->held, f->burst);
	if (f->nb_held == 0)
		return 0;
	f->up[U_INDICATED] += f->nb_held;
	f->up[U_HELD] = f->nb_held;
	vnic__account_write(&f->up_account, f->up, U_COUNTS);
	return f->nb_held;
}

/* In one piece, in a buffer of the receiver's: a chain may be others' as well. NULL: it is lost. */
static struct rte_mbuf *in_one_piece(struct vnic_face *f, struct rte_mbuf *m)
{
	struct rte_mbuf *one = rte_pktmbuf_copy(m, f->receiver->copies, 0, UINT32_MAX);

	rte_pktmbuf_free(m);
	if (one == NULL || one->nb_segs == 1)
		return one;
	rte_pktmbuf_free(one);
	return NULL;
}

/* Drop what the port would not take. */
static void sift(struct vnic_face *f)
{
	uint32_t kept = 0, nb = f->nb_held;

	for (uint32_t i = 0; i < nb; i++) {
		struct rte_mbuf *m = f->held[i];

		if (unlikely(m->pkt_len > f->max_frame)) {
			rte_pktmbuf_free(m);
			continue;
		}
		if (unlikely(m->nb_segs != 1 && f->linear_only))
			m = in_one_piece(f, m);
		if (likely(m != NULL))
			f->held[kept++] = m;
	}
	if (unlikely(kept < nb)) {
		settle(f, U_DROPPED, nb - kept);
		f->first = 0;
	}
}

/* Nobody is there, who would find packets of long ago when it comes. A burst of them: the next
 * poll goes on. */
static void drop_received(struct vnic_face *f)
{
	drop_held(f);
	if (take_received(f) != 0)
		drop_held(f);
}

static bool link_up(const struct vnic_face *f)
{
	uint8_t told = atomic_load_explicit(&f->link, memory_order_relaxed);
	struct rte_eth_link now;

	if (told != LINK_UNTOLD)
		return told == LINK_UP;
	return rte_eth_link_get_nowait(f->port, &now) != 0 || now.link_status == RTE_ETH_LINK_UP;
}

/* The port takes nothing. Is that for long? Then nobody may be there. */
static void stalled(struct vnic_face *f)
{
	uint64_t now = rte_rdtsc();

	if (vnic_adapter_gate(f->adapter) != VNIC_STATUS_SUCCESS) {
		drop_held(f); /* a pause waits for it */
		return;
	}
	if (f->stall_tsc == 0)
		f->stall_tsc = now;
	if (now - f->stall_tsc < rte_get_tsc_hz() / STALLS_PER_S)
		return;
	f->stall_tsc = now;
	if (!link_up(f))
		drop_received(f);
}

static uint32_t deliver(struct vnic_face *f)
{
	uint32_t sent;

	if (f->nb_held == 0) {
		if (take_received(f) == 0)
			return 0;
		sift(f);
	}
	sent = rte_eth_tx_burst(f->port, f->tx_queue, f->held + f->first, (uint16_t)f->nb_held);
	if (sent != 0) {
		settle(f, U_DELIVERED, sent);
		f->stall_tsc = 0;
	}
	if (unlikely(f->nb_held != 0) && sent == 0)
		stalled(f);
	return sent;
}

int vnic_face_destroy(struct vnic_face *f)
{
	if (f == NULL)
		return 0;
	/* a cancel may come at any moment, until its client is shut: that decides */
	if (vnic_sender_outstanding(f->sender) != 0 || vnic__client_shut(f->client) != 0)
		return -EBUSY;
	if (f->receiver != NULL)
		drop_held(f);
	vnic__hook_cut(&f->hook);
	close_edges(f);
	vnic__client_end(f->client);
	rte_free(f);
	return 0;
}

/* Packets that have not left are ours again. */
static void give_back(struct vnic_face *f, struct vnic_nbl *nbl)
{
	uint16_t left = nbl->nb_packets - nbl->nb_sent;

	grow(f, nbl->status == VNIC_STATUS_SEND_ABORTED ? F_ABORTED : F_REJECTED, left);
	rte_pktmbuf_free_bulk(vnic_nbl_packets(nbl) + nbl->nb_sent, left);
}

static __rte_always_inline uint32_t take_completions(struct vnic_face *f, struct vnic__tap *tap)
{
	struct vnic_nbl *nbl[COMPLETIONS_BURST];
	uint16_t n = vnic_sender_poll(f->sender, nbl, COMPLETIONS_BURST);
	uint64_t completed = 0, sent = 0;

	if (n == 0)
		return 0;
	if (tap != NULL)
		vnic__tap_complete(tap, nbl, n);
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
static uint16_t make_nbls(struct vnic_face *f, struct rte_mbuf **packet, const uint64_t *id,
			  uint16_t n, struct vnic_nbl **nbl)
{
	uint16_t k = 0;

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

/* What may have been cut off is none of what was sent to us. */
static uint16_t drop_cut(struct vnic_face *f, struct rte_mbuf **packet, uint16_t n)
{
	uint16_t kept = 0;

	for (uint16_t i = 0; i < n; i++) {
		if (likely(packet[i]->pkt_len <= f->longest))
			packet[kept++] = packet[i];
		else
			rte_pktmbuf_free(packet[i]);
	}
	if (kept < n)
		grow(f, F_DROPPED, n - kept);
	return kept;
}

/* There was room for them: a limit has been set since, or another sends as this client. */
static uint32_t drop_unsent(struct vnic_face *f, struct vnic__tap *tap, struct vnic_nbl **nbl,
			    uint16_t n)
{
	uint32_t packets = 0;

	for (uint16_t i = 0; i < n; i++) {
		packets += nbl[i]->nb_packets;
		rte_pktmbuf_free_bulk(vnic_nbl_packets(nbl[i]), nbl[i]->nb_packets);
		nbl[i]->status = VNIC_STATUS_RESOURCES;
		nbl[i]->nb_sent = 0;
	}
	if (tap != NULL)
		vnic__tap_complete(tap, nbl, n);
	vnic_nbl_free(f->pool, nbl, n);
	grow(f, F_DROPPED, packets);
	return packets;
}

/* Packets into the send queue, where there is room for them. */
static void enqueue(struct vnic_face *f, struct vnic__tap *tap, struct rte_mbuf **packet,
		    const uint64_t *id, uint16_t n)
{
	struct vnic_nbl *nbl[VNIC_BURST_MAX];
	uint16_t k, taken;

	if (vnic_nbl_alloc(f->pool, nbl, n) != 0) {
		grow(f, F_DROPPED, n);
		rte_pktmbuf_free_bulk(packet, n);
		return;
	}
	k = make_nbls(f, packet, id, n, nbl);
	if (k < n)
		vnic_nbl_free(f->pool, nbl + k, n - k);
	if (tap != NULL)
		vnic__tap_take(tap, nbl, k);
	taken = vnic_send(f->sender, nbl, k);
	grow(f, F_RECEIVED, n - (taken < k ? drop_unsent(f, tap, nbl + taken, k - taken) : 0));
}

/* What need not wait, to the lower port; returns how many of the first. Every packet that has an
 * address has a flow: where that is the only rule they match it unseen. */
static uint16_t send_direct(struct vnic_face *f, struct rte_mbuf **packet, uint16_t n)
{
	n = vnic__direct(f->sender, packet, n);
	if (n == 0)
		return 0;
	grow(f, F_RECEIVED, n);
	grow(f, F_SENT, n);
	grow(f, F_COMPLETED, n);
	grow(f, F_DIRECT, n);
	return n;
}

/* What is captured has an NBL, which tells what became of it. */
static __rte_always_inline void pass_on(struct vnic_face *f, struct vnic__tap *tap,
					struct rte_mbuf **packet, uint16_t n)
{
	bool flows = vnic__idrules_flow_alone(&f->ids);
	uint64_t id[VNIC_BURST_MAX];
	uint16_t direct = 0;

	if (!flows)
		make_ids(f, packet, n, id);
	if (f->direct && tap == NULL)
		direct = send_direct(f, packet, n);
	if (flows)
		grow(f, F_MATCHES, direct);
	if (direct == n)
		return;
	if (flows)
		make_ids(f, packet + direct, n - direct, id + direct);
	enqueue(f, tap, packet + direct, id + direct, n - direct);
}

static __rte_always_inline uint32_t receive_queue(struct vnic_face *f, uint16_t queue,
						  struct vnic__tap *tap)
{
	struct rte_mbuf *packet[VNIC_BURST_MAX];
	uint16_t room = vnic_sender_room(f->sender, f->burst), n;

	n = room == 0 ? 0 : rte_eth_rx_burst(f->port, queue, packet, room);
	if (n == room && room < f->burst) {
		grow(f, F_BACKPRESSURE, 1);
		vnic__limit_note(f->sender);
	}
	if (unlikely(f->longest != 0))
		n = drop_cut(f, packet, n);
	if (n != 0)
		pass_on(f, tap, packet, n);
	return n;
}

/* All queues, each first in its turn, for the room may end before the last. */
static __rte_always_inline uint32_t receive(struct vnic_face *f, struct vnic__tap *tap)
{
	uint32_t n = receive_queue(f, f->rx_queue + f->turn, tap);
	uint16_t turn = f->turn;

	if (likely(f->nb_queues == 1))
		return n;
	for (uint16_t k = 1; k < f->nb_queues; k++) {
		turn = turn + 1 == f->nb_queues ? 0 : turn + 1;
		n += receive_queue(f, f->rx_queue + turn, tap);
	}
	f->turn = f->turn + 1 == f->nb_queues ? 0 : f->turn + 1;
	return n;
}

/* Inlined twice: without a capture nothing here asks for it. */
static __rte_always_inline uint32_t poll_face(struct vnic_face *f, struct vnic__tap *tap)
{
	uint32_t work = take_completions(f, tap);

	if (unlikely(vnic__hold_keeps_out(&f->hold))) {
		if (f->receiver != NULL)
			drop_received(f);
		return work;
	}
	/* relaxed: a wish, not an order of events */
	if (atomic_load_explicit(&f->receive, memory_order_relaxed))
		work += receive(f, tap);
	if (f->receiver != NULL)
		work += deliver(f);
	return work;
}

uint32_t vnic_face_poll(struct vnic_face *f)
{
	struct vnic__tap *tap = vnic__hook_tap(&f->hook);

	return likely(tap == NULL) ? poll_face(f, NULL) : poll_face(f, tap);
}

struct vnic__hook *vnic__face_hook(struct vnic_face *f, int *numa_node)
{
	*numa_node = f->adapter->numa_node;
	return &f->hook;
}

void vnic_face_stop_receive(struct vnic_face *f)
{
	atomic_store_explicit(&f->receive, false, memory_order_relaxed);
}

void vnic_face_start_receive(struct vnic_face *f)
{
	atomic_store_explicit(&f->receive, true, memory_order_relaxed);
}

static void add_up(const struct vnic_face *f, struct vnic_face_stats *st)
{
	/* a reader's copy writes nothing */
	struct vnic__account *block = (struct vnic__account *)(uintptr_t)&f->up_account;
	uint64_t v[1][VNIC__COUNTS_MAX];

	vnic__account_cut(&block, 1, v);
	st->rx_indicated = v[0][U_INDICATED];
	st->rx_delivered = v[0][U_DELIVERED];
	st->rx_dropped = v[0][U_DROPPED];
	st->rx_held = v[0][U_HELD];
}

void vnic_face_hold(struct vnic_face *f)
{
	vnic__hold_begin(&f->hold);
}

bool vnic_face_held(const struct vnic_face *f)
{
	return vnic__hold_stands(&f->hold);
}

void vnic_face_release(struct vnic_face *f)
{
	vnic__hold_end(&f->hold);
}

void vnic_face_tell_link(struct vnic_face *f, bool up)
{
	atomic_store_explicit(&f->link, up ? LINK_UP : LINK_DOWN, memory_order_relaxed);
}

void vnic_face_stats_get(const struct vnic_face *f, struct vnic_face_stats *st)
{
	uint64_t v[F_COUNTS];

	for (uint32_t i = 0; i < F_COUNTS; i++)
		v[i] = atomic_load_explicit(&f->count[i], memory_order_relaxed);
	*st = (struct vnic_face_stats){
		.received = v[F_RECEIVED] + v[F_DROPPED], .completed = v[F_COMPLETED], .sent = v[F_SENT],
		.aborted = v[F_ABORTED], .rejected = v[F_REJECTED], .dropped = v[F_DROPPED],
		.direct = v[F_DIRECT], .backpressure = v[F_BACKPRESSURE], .unmarked = v[F_MATCHES + VNIC__UNMARKED]};
	memcpy(st->matched, &v[F_MATCHES], sizeof(st->matched));
	add_up(f, st);
}

uint64_t vnic_face_id(const struct vnic_face *f, const struct rte_mbuf *packet, uint32_t *rule)
{
	return vnic__idrules_apply(&f->ids, packet, rule);
}

struct vnic_client *vnic_face_client(const struct vnic_face *f)
{
	return f->client;
}

struct vnic_receiver *vnic_face_receiver(const struct vnic_face *f)
{
	return f->receiver;
}

struct vnic_sender *vnic_face_sender(const struct vnic_face *f)
{
	return f->sender;
}

uint32_t vnic_face_outstanding(const struct vnic_face *f)
{
	return vnic_sender_outstanding(f->sender);
}
