/* SPDX-License-Identifier: BSD-3-Clause
 * receiver.c - a client's upper edge for received packets
 *
 * Setup threads open and close it; the receiver's own thread takes packets and returns them.
 */
#include "receive.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include <rte_ether.h>
#include <rte_malloc.h>

#include "adapter.h"
#include "buffers.h"
#include "spsc.h"

#define DEPTH_DEFAULT 512
#define DEPTH_MAX 65536
#define COPIES_CACHE 32
#define TABLE_ENTRIES (2 * VNIC_RECEIVERS_MAX * VNIC_RECEIVER_MACS_MAX)
/* of each place the table has no more than what it keeps */
#define LEARNED_ENTRIES (2 * VNIC_RECEIVERS_MAX * VNIC__LEARNED_MAX)

/* ---- an adapter's receive side ---- */

static struct rte_hash *make_table(const char *stem, const void *of, uint32_t entries, int node,
				   uint8_t flags)
{
	char name[RTE_HASH_NAMESIZE];
	struct rte_hash_parameters conf = {.name = name, .entries = entries,
					   .key_len = sizeof(uint64_t), .socket_id = node,
					   .extra_flag = flags};

	snprintf(name, sizeof(name), "%s_%p", stem, of);
	return rte_hash_create(&conf);
}

int vnic__receive_create(struct vnic_adapter *a, const struct vnic_adapter_conf *conf)
{
	struct vnic__receive *rc;

	if (!conf->receive && !conf->local)
		return 0;
	rc = rte_zmalloc_socket("vnic_receive", sizeof(*rc), VNIC__LINE, a->numa_node);
	if (rc == NULL)
		return -ENOMEM;
	rc->port = conf->receive;
	rc->local = conf->local;
	rc->learn = conf->learn;
	rc->rx_queue = conf->rx_queue;
	rc->longest = conf->receive ? vnic__port_longest(conf->port) : 0;
	rte_spinlock_init(&rc->setup);
	rte_spinlock_init(&rc->emptying);
	rc->table = make_table("rx", rc, TABLE_ENTRIES, a->numa_node,
			       RTE_HASH_EXTRA_FLAGS_RW_CONCURRENCY_LF);
	if (rc->table != NULL && rc->learn)
		rc->learned = make_table("rl", rc, LEARNED_ENTRIES, a->numa_node, 0);
	if (rc->table == NULL || (rc->learn && rc->learned == NULL)) {
		vnic__receive_free(rc);
		return -ENOMEM;
	}
	a->receive = rc;
	a->looks = rc->local || rc->learn;
	return 0;
}

void vnic__receive_free(struct vnic__receive *rc)
{
	if (rc == NULL)
		return;
	for (uint32_t i = 0; i < atomic_load_explicit(&rc->nb, memory_order_relaxed); i++)
		vnic__receiver_free(rc->receiver[i]);
	rte_hash_free(rc->table);
	rte_hash_free(rc->learned);
	rte_free(rc);
}

/* ---- a receiver's memory ---- */

void vnic__receiver_free(struct vnic_receiver *r)
{
	for (uint32_t i = 0; i < r->nb_copies; i++)
		vnic__buffers_leave(r->copies_of[i]);
	rte_free(r->ring);
	rte_free(r);
}

/* Copies for so many packets. The pools before stay: a port may have some of theirs, or be giving
 * them back. Each next one is about twice as large, so that there are few. */
static bool make_copies(struct vnic_receiver *r, const struct vnic_adapter *a, uint32_t depth)
{
	uint32_t room = RTE_MAX(a->max_frame, (uint32_t)RTE_MBUF_DEFAULT_DATAROOM);
	char name[RTE_MEMPOOL_NAMESIZE];

	if (r->nb_copies != 0)
		depth = rte_align32pow2(depth);
	snprintf(name, sizeof(name), "vnic_rx_%u", vnic__buffers_number());
	r->copies_of[r->nb_copies] =
		rte_pktmbuf_pool_create(name, depth + 4 * COPIES_CACHE, COPIES_CACHE, 0,
					(uint16_t)(RTE_PKTMBUF_HEADROOM + room), a->numa_node);
	if (r->copies_of[r->nb_copies] == NULL)
		return false;
	r->copies = r->copies_of[r->nb_copies++];
	return true;
}

/* For another depth than before, if it has had one. Of a closed one the control thread may be at the
 * ring, which has nothing; the data thread is not: it has seen it closed, see destroy. */
static bool fit_depth(struct vnic_receiver *r, const struct vnic_adapter *a, uint32_t depth)
{
	struct rte_ring *ring = vnic__spsc_create("vnic_rx", depth, a->numa_node), *before;

	if (ring == NULL)
		return false;
	if ((r->copies == NULL || r->copies->size < depth + 4 * COPIES_CACHE) &&
	    !make_copies(r, a, depth)) {
		rte_free(ring);
		return false;
	}
	rte_spinlock_lock(&a->receive->emptying);
	before = r->ring;
	r->ring = ring;
	rte_spinlock_unlock(&a->receive->emptying);
	rte_free(before);
	r->depth = depth;
	return true;
}

static struct vnic_receiver *receiver_memory(const struct vnic_adapter *a, uint32_t depth)
{
	struct vnic_receiver *r = rte_zmalloc_socket("vnic_receiver", sizeof(*r), VNIC__LINE,
						     a->numa_node);

	if (r != NULL && !fit_depth(r, a, depth)) {
		vnic__receiver_free(r);
		r = NULL;
	}
	return r;
}

static bool is_open(const struct vnic_receiver *r)
{
	/* relaxed: setup threads, with the lock */
	return atomic_load_explicit(&r->open, memory_order_relaxed);
}

/* Closed: of this depth, if there is one, or the first of all. NULL: none is. */
static struct vnic_receiver *closed_place(const struct vnic__receive *rc, uint32_t nb, uint32_t depth)
{
	struct vnic_receiver *first = NULL;

	for (uint32_t i = nb; i-- > 0;) {
		struct vnic_receiver *r = rc->receiver[i];

		if (!is_open(r) && (first == NULL || first->depth != depth || r->depth == depth))
			first = r;
	}
	return first;
}

/* A closed one's memory, or new; when all places are used, one that is made to fit. NULL with
 * *error. */
static struct vnic_receiver *find_place(const struct vnic_adapter *a, uint32_t depth, int *error)
{
	struct vnic__receive *rc = a->receive;
	uint32_t nb = atomic_load_explicit(&rc->nb, memory_order_relaxed);
	struct vnic_receiver *r = closed_place(rc, nb, depth);

	if (r != NULL && r->depth == depth)
		return r;
	*error = ENOMEM;
	if (nb < VNIC_RECEIVERS_MAX) {
		r = receiver_memory(a, depth);
		if (r != NULL)
			r->slot = nb;
		return r;
	}
	*error = r == NULL ? ENOSPC : ENOMEM;
	return r != NULL && fit_depth(r, a, depth) ? r : NULL;
}

/* ---- its addresses ---- */

static uint64_t key_of(const struct vnic_receiver *r, uint32_t i)
{
	return vnic__receive_key(r->conf.mac[i],
				 r->conf.vlan < 0 ? VNIC__VLAN_ANY : (uint32_t)r->conf.vlan);
}

/* Until the data thread is known to be outside, once: setup threads may wait. */
static void wait_outside(struct vnic__receive *rc)
{
	/* R26 -> A26, and A14 <- R14: it writes what is there, which a load would not */
	while (atomic_fetch_add_explicit(&rc->door, 0, memory_order_seq_cst) != 0)
		sched_yield();
}

static void count_entries(struct vnic__receive *rc, const struct vnic_receiver *r, uint32_t by)
{
	/* relaxed: entries that the data thread looks at soon enough */
	atomic_fetch_add_explicit(r->conf.vlan < 0 ? &rc->nb_any : &rc->nb_vlan, by,
				  memory_order_relaxed);
}

/* The first n addresses out of the table. */
static void leave_table(struct vnic__receive *rc, const struct vnic_receiver *r, uint32_t n)
{
	int32_t at[VNIC_RECEIVER_MACS_MAX];

	for (uint32_t i = 0; i < n; i++) {
		uint64_t key = key_of(r, i);

		at[i] = rte_hash_del_key(rc->table, &key);
	}
	count_entries(rc, r, -n);
	wait_outside(rc); /* who has found one is done with it */
	for (uint32_t i = 0; i < n; i++)
		if (at[i] >= 0)
			rte_hash_free_key_with_position(rc->table, at[i]);
}

static int enter_table(struct vnic__receive *rc, struct vnic_receiver *r)
{
	for (uint32_t i = 0; i < r->conf.nb_macs; i++) {
		uint64_t key = key_of(r, i);
		int rc2 = rte_hash_lookup(rc->table, &key) >= 0 ? -EEXIST :
			  rte_hash_add_key_data(rc->table, &key, r);

		if (rc2 != 0) {
			leave_table(rc, r, i);
			return rc2;
		}
		count_entries(rc, r, 1);
	}
	return 0;
}

/* Is one open alone, without an address? */
static void find_sole(struct vnic__receive *rc)
{
	struct vnic_receiver *sole = NULL;
	uint32_t nb_open = 0;

	for (uint32_t i = 0; i < atomic_load_explicit(&rc->nb, memory_order_relaxed); i++)
		if (is_open(rc->receiver[i])) {
			nb_open++;
			sole = rc->receiver[i]->conf.nb_macs == 0 ? rc->receiver[i] : NULL;
		}
	/* release: see who loads it */
	atomic_store_explicit(&rc->sole, nb_open == 1 ? sole : NULL, memory_order_release);
}

/* ---- open and close ---- */

static int check_conf(const struct vnic_receiver_conf *conf)
{
	if (conf->depth > DEPTH_MAX || conf->nb_macs > VNIC_RECEIVER_MACS_MAX || conf->vlan < -1 ||
	    conf->vlan > 4094)
		return EINVAL;
	for (uint32_t i = 0; i < conf->nb_macs; i++)
		if (!rte_is_valid_assigned_ether_addr((const void *)conf->mac[i]))
			return EINVAL;
	return 0;
}

/* All that one before it has left behind. */
static void make_fresh(struct vnic_receiver *r, struct vnic_client *client,
		       const struct vnic_receiver_conf *conf)
{
	static const uint64_t zero[VNIC__COUNTS_MAX];

	r->adapter = client->adapter;
	r->client = client;
	r->gate = &client->adapter->gate;
	r->conf = *conf;
	r->nb_put = r->nb_gone = r->seen = 0;
	/* relaxed, both: before it is open */
	atomic_fetch_add_explicit(&r->version, 1, memory_order_relaxed);
	atomic_store_explicit(&r->put, 0, memory_order_relaxed);
	memset(r->d_count, 0, sizeof(r->d_count));
	memset(r->r_count, 0, sizeof(r->r_count));
	memset(r->x_count, 0, sizeof(r->x_count));
	vnic__account_write(&r->d_account, zero, RXD_COUNTS);
	vnic__account_write(&r->r_account, zero, RXR_COUNTS);
	vnic__account_write(&r->x_account, zero, RXX_COUNTS);
}

static struct vnic_receiver *open_locked(struct vnic_client *client,
					 const struct vnic_receiver_conf *conf, int *error)
{
	struct vnic__receive *rc = client->adapter->receive;
	uint32_t depth = conf->depth != 0 ? conf->depth : DEPTH_DEFAULT;
	uint32_t nb = atomic_load_explicit(&rc->nb, memory_order_relaxed);
	struct vnic_receiver *r;

	*error = EBUSY;
	if (atomic_load_explicit(&client->receiver, memory_order_relaxed) != NULL)
		return NULL;
	r = find_place(client->adapter, depth, error);
	if (r == NULL)
		return NULL;
	make_fresh(r, client, conf);
	*error = -enter_table(rc, r);
	if (*error != 0 && r->slot == nb)
		vnic__receiver_free(r);
	if (*error != 0)
		return NULL;
	if (r->slot == nb) {
		rc->receiver[nb] = r;
		/* release, and SC for a closing gate, to which it counts like its door */
		atomic_exchange_explicit(&rc->nb, nb + 1, memory_order_seq_cst);
	}
	atomic_store_explicit(&r->open, true, memory_order_seq_cst);
	find_sole(rc);
	/* release: see who loads it */
	atomic_store_explicit(&client->receiver, r, memory_order_release);
	return r;
}

struct vnic_receiver *vnic_receiver_create(struct vnic_client *client,
					   const struct vnic_receiver_conf *conf)
{
	struct vnic__receive *rc = client->adapter->receive;
	struct vnic_receiver *r;
	int error = check_conf(conf);

	if (error != 0)
		return vnic__fail(error);
	if (rc == NULL)
		return vnic__fail(ENOTSUP);
	rte_spinlock_lock(&rc->setup);
	r = open_locked(client, conf, &error);
	rte_spinlock_unlock(&rc->setup);
	return r == NULL ? vnic__fail(error) : r;
}

int vnic_receiver_destroy(struct vnic_receiver *r)
{
	struct vnic__receive *rc;
	int error = 0;

	if (r == NULL)
		return 0;
	rc = r->adapter->receive;
	rte_spinlock_lock(&rc->setup);
	if (!is_open(r))
		error = -EBADF;
	else if (vnic_receiver_held(r) != 0)
		error = -EBUSY;
	if (error == 0) {
		atomic_store_explicit(&r->client->receiver, NULL, memory_order_relaxed);
		/* SC: closed, then the door */
		atomic_exchange_explicit(&r->open, false, memory_order_seq_cst);
		find_sole(rc);
		wait_outside(rc);
		leave_table(rc, r, r->conf.nb_macs);
		rte_spinlock_lock(&rc->emptying);
		vnic__receiver_flush(r);
		rte_spinlock_unlock(&rc->emptying);
		/* relaxed: the data thread is outside, and offers it no more */
		atomic_fetch_add_explicit(&rc->closed, r->d_count[RXD_OFFERED], memory_order_relaxed);
	}
	rte_spinlock_unlock(&rc->setup);
	return error;
}

/* ---- the receiver's thread ---- */

uint16_t vnic_receive(struct vnic_receiver *r, struct rte_mbuf **packets, uint16_t n)
{
	/* A22 <- R22 */
	uint64_t put = atomic_load_explicit(&r->put, memory_order_acquire);
	uint32_t k;

	if (put == r->seen || vnic__door_enter(&r->door, r->gate) != VNIC_STATUS_SUCCESS)
		return 0;
	k = rte_ring_sc_dequeue_burst(r->ring, (void **)packets, n, NULL);
	if (k < n)
		r->seen = put;
	if (k != 0) {
		r->r_count[RXR_INDICATED] += k;
		vnic__account_write(&r->r_account, r->r_count, RXR_COUNTS);
	}
	vnic__door_leave(&r->door);
	return (uint16_t)k;
}

int vnic_receive_return(struct vnic_receiver *r, uint32_t n)
{
	if (n > r->r_count[RXR_INDICATED] - r->r_count[RXR_RETURNED])
		return -EINVAL;
	r->r_count[RXR_RETURNED] += n;
	/* R23 -> A23: the block's counts are release stores */
	vnic__account_write(&r->r_account, r->r_count, RXR_COUNTS);
	return 0;
}

uint32_t vnic_receiver_held(const struct vnic_receiver *r)
{
	return (uint32_t)(r->r_count[RXR_INDICATED] - r->r_count[RXR_RETURNED]);
}

/* ---- what any thread may ask ---- */

void vnic_receiver_stats_get(struct vnic_receiver *r, struct vnic_receiver_stats *st)
{
	struct vnic__account *block[3] = {&r->d_account, &r->r_account, &r->x_account};
	uint64_t v[3][VNIC__COUNTS_MAX];
	const uint64_t *d = v[0], *u = v[1], *x = v[2];

	vnic__account_cut(block, 3, v);
	*st = (struct vnic_receiver_stats){
		.offered = d[RXD_OFFERED], .dropped = d[RXD_DROPPED], .no_memory = d[RXD_NO_MEMORY],
		.flushed = x[RXX_FLUSHED], .indicated = u[RXR_INDICATED], .returned = u[RXR_RETURNED],
		.held = u[RXR_INDICATED] - u[RXR_RETURNED],
		.queued = d[RXD_OFFERED] - d[RXD_DROPPED] - d[RXD_NO_MEMORY] - x[RXX_FLUSHED] -
			  u[RXR_INDICATED]};
}

void vnic_adapter_receive_stats_get(const struct vnic_adapter *a,
				    struct vnic_adapter_receive_stats *st)
{
	struct vnic__account *block;
	uint64_t v[1][VNIC__COUNTS_MAX];

	memset(st, 0, sizeof(*st));
	if (a->receive == NULL)
		return;
	block = &a->receive->account;
	vnic__account_cut(&block, 1, v);
	*st = (struct vnic_adapter_receive_stats){
		.received = v[0][RXA_RECEIVED], .local = v[0][RXA_LOCAL], .copies = v[0][RXA_COPIES],
		.offered = v[0][RXA_OFFERED],
		.closed = atomic_load_explicit(&a->receive->closed, memory_order_relaxed),
		.unknown = v[0][RXA_UNKNOWN],
		.malformed = v[0][RXA_MALFORMED], .paused = v[0][RXA_PAUSED],
		.learn_full = v[0][RXA_LEARN_FULL]};
}
