/* SPDX-License-Identifier: BSD-3-Clause
 * sender.c - clients, and the queues that they open
 *
 * Setup threads.
 */
#include "adapter.h"
#include "spsc.h"

#include <errno.h>
#include <string.h>

#include <rte_errno.h>
#include <rte_malloc.h>

#define CLOSED_KEPT 64

/* ---- clients ---- */

/* The next prefix that no open client has; not 0, under which ids could be 0. */
static bool take_prefix(struct vnic_control *c, uint8_t *prefix)
{
	for (int i = 0; i < 256; i++) {
		*prefix = vnic_generate_partial_cancel_id(c);
		if (*prefix != 0 && c->client[*prefix] == NULL)
			return true;
	}
	return false;
}

/* A handle's memory is used again only after CLOSED_KEPT others have been closed, so that the
 * use of a closed one is noticed. */
static struct vnic_client *client_memory(struct vnic_control *c)
{
	struct vnic_client *client;

	if (c->nb_closed < CLOSED_KEPT)
		return rte_zmalloc("vnic_client", sizeof(*client), 0);
	client = c->closed_first;
	c->closed_first = client->next_closed;
	c->nb_closed--;
	memset(client, 0, sizeof(*client));
	return client;
}

static void keep_closed(struct vnic_control *c, struct vnic_client *client)
{
	client->next_closed = NULL;
	*c->closed_last = client;
	c->closed_last = &client->next_closed;
	c->nb_closed++;
}

void vnic__clients_forget(struct vnic_control *c)
{
	while (c->closed_first != NULL) {
		struct vnic_client *client = c->closed_first;

		c->closed_first = client->next_closed;
		rte_free(client);
	}
}

/* One handle more, unless a stop is in progress. */
static bool count_open(struct vnic_adapter *a)
{
	bool may;

	rte_spinlock_lock(&a->handles);
	may = vnic__life_rdbss(&a->life) != VNIC_RDBSS_STOP_IN_PROGRESS;
	/* relaxed: the lock orders */
	atomic_fetch_add_explicit(&a->nb_clients, may, memory_order_relaxed);
	rte_spinlock_unlock(&a->handles);
	return may;
}

/* A handle with a prefix, its gate closed; NULL with `error`. */
static struct vnic_client *new_client(struct vnic_adapter *a, int *error)
{
	struct vnic_control *c = a->control;
	struct vnic_client *client;

	rte_spinlock_lock(&c->clients);
	*error = ENOMEM;
	client = client_memory(c);
	if (client != NULL)
		atomic_init(&client->cancels.word, VNIC__GATE_CLOSED);
	if (client != NULL && !take_prefix(c, &client->prefix)) {
		*error = ENOSPC;
		keep_closed(c, client);
		client = NULL;
	}
	if (client != NULL) {
		client->adapter = a;
		c->client[client->prefix] = client;
	}
	rte_spinlock_unlock(&c->clients);
	return client;
}

static void end_client(struct vnic_control *c, struct vnic_client *client)
{
	rte_spinlock_lock(&c->clients);
	c->client[client->prefix] = NULL;
	keep_closed(c, client);
	rte_spinlock_unlock(&c->clients);
}

struct vnic_client *vnic_client_open(struct vnic_adapter *a)
{
	int error;
	struct vnic_client *client = new_client(a, &error);

	if (client == NULL)
		return vnic__fail(error);
	if (!count_open(a)) {
		end_client(a->control, client);
		return vnic__fail(ESHUTDOWN);
	}
	vnic__gate_open(&client->cancels);
	return client;
}

void vnic__client_end(struct vnic_client *client)
{
	struct vnic_adapter *a = client->adapter;

	rte_spinlock_lock(&a->handles);
	/* relaxed: the lock orders */
	atomic_fetch_sub_explicit(&a->nb_clients, 1, memory_order_relaxed);
	rte_spinlock_unlock(&a->handles);
	end_client(a->control, client);
}

int vnic_client_close(struct vnic_client *client)
{
	int rc;

	if (client == NULL)
		return 0;
	/* relaxed: setup threads' */
	if (client->nb_senders != 0 ||
	    atomic_load_explicit(&client->receiver, memory_order_relaxed) != NULL)
		return -EBUSY;
	rc = vnic__client_shut(client);
	if (rc == 0)
		vnic__client_end(client);
	return rc;
}

struct vnic_client *vnic__client_find(struct vnic_adapter *a, uint8_t prefix)
{
	struct vnic_control *c = a->control;
	struct vnic_client *client;

	rte_spinlock_lock(&c->clients);
	client = c->client[prefix];
	if (client != NULL && (client->adapter != a || !vnic__client_hold(client)))
		client = NULL;
	rte_spinlock_unlock(&c->clients);
	return client;
}

uint8_t vnic_client_prefix(const struct vnic_client *client)
{
	return client->prefix;
}

/* ---- senders ---- */

void vnic__sender_free(struct vnic_sender *s)
{
	rte_free(s->ring);
	rte_free(s->packet);
	rte_free(s->done_data);
	rte_free(s->done_control);
	rte_free(s);
}

static struct vnic_sender *sender_memory(uint32_t depth, int node)
{
	struct vnic_sender *s = rte_zmalloc_socket("vnic_sender", sizeof(*s), VNIC__LINE, node);
	void *mem;

	if (s == NULL)
		return NULL;
	mem = rte_malloc_socket("vnic_ring", vnic__ring_bytes(depth), VNIC__LINE, node);
	s->packet = rte_malloc_socket("vnic_packet", depth * sizeof(s->packet[0]), VNIC__LINE, node);
	s->done_data = vnic__spsc_create("vnic_done", 2 * depth - 1, node);
	s->done_control = vnic__spsc_create("vnic_done", 2 * depth - 1, node);
	if (mem == NULL || s->packet == NULL || s->done_data == NULL || s->done_control == NULL) {
		rte_free(mem);
		vnic__sender_free(s);
		return NULL;
	}
	s->ring = vnic__ring_init(mem, depth, 0);
	vnic__ring_sides(s->ring, &s->producer, &s->consumer, &s->canceller);
	return s;
}

/* Closed, of this depth, or the least that is larger: empty, with its sides where they stopped. */
static struct vnic_sender *closed_sender(const struct vnic_adapter *a, uint32_t depth)
{
	struct vnic_sender *best = NULL;

	for (uint32_t i = 0; i < vnic__adapter_senders(a); i++) {
		struct vnic_sender *s = a->sender[i];

		if (!s->open && s->ring->size >= depth && (best == NULL || s->ring->size < best->ring->size))
			best = s;
	}
	return best;
}

static struct vnic_sender *new_sender(struct vnic_adapter *a, uint32_t slot, uint32_t depth)
{
	struct vnic_sender *s = sender_memory(depth, a->numa_node);

	if (s == NULL)
		return NULL;
	s->slot = slot;
	s->adapter = a;
	s->max_untagged = a->offload.max_untagged;
	s->max_segs = a->offload.max_segs;
	s->offload = &a->offload;
	s->nbl_packets = vnic__adapter_nbl_packets(a);
	s->gate = &a->gate;
	return s;
}

/* A closed one's place, or a new one; when all are used, a closed one with a larger queue. NULL:
 * with rte_errno. */
static struct vnic_sender *find_place(struct vnic_adapter *a, uint32_t slot, uint32_t depth)
{
	struct vnic_sender *s = closed_sender(a, depth);

	if (s != NULL && (s->ring->size == depth || slot == VNIC_SENDERS_MAX))
		return s;
	if (slot == VNIC_SENDERS_MAX)
		return vnic__fail(ENOSPC);
	s = new_sender(a, slot, depth);
	return s != NULL ? s : vnic__fail(ENOMEM);
}

struct vnic_sender *vnic_sender_create(struct vnic_client *client, struct vnic_nbl_pool *pool,
				       uint32_t depth)
{
	struct vnic_adapter *a = client->adapter;
	uint32_t slot = vnic__adapter_senders(a);
	struct vnic_sender *s;

	if (depth < VNIC__RING_SIZE_MIN || depth > VNIC__RING_SIZE_MAX || (depth & (depth - 1)) != 0)
		return vnic__fail(EINVAL);
	s = find_place(a, slot, depth);
	if (s == NULL)
		return NULL;
	s->outstanding_max = 2 * depth - 1;
	s->producer.most = depth;
	s->client = client;
	s->nbl_base = pool->base;
	s->open = true;
	client->nb_senders++;
	/* relaxed: who aborts the client has seen it open, and its NBLs sent */
	atomic_fetch_or_explicit(&client->slots, 1u << s->slot, memory_order_relaxed);
	if (s->slot == slot) {
		a->sender[slot] = s;
		/* R9 -> A9, and SC: see vnic__adapter_senders() */
		atomic_exchange_explicit(&a->nb_senders, slot + 1, memory_order_seq_cst);
	}
	vnic__fair_weigh(a, s, 1);
	return s;
}

int vnic_sender_set_weight(struct vnic_sender *s, uint32_t weight)
{
	if (weight == 0 || weight > VNIC_WEIGHT_MAX)
		return -EINVAL;
	vnic__fair_weigh(s->adapter, s, weight);
	return 0;
}

uint32_t vnic_sender_weight(const struct vnic_sender *s)
{
	/* relaxed: a number by itself */
	return atomic_load_explicit(&s->weight, memory_order_relaxed);
}

int vnic_sender_destroy(struct vnic_sender *s)
{
	if (s == NULL)
		return 0;
	if (!s->open)
		return -EBADF;
	if (vnic_sender_outstanding(s) != 0)
		return -EBUSY;
	vnic__fair_weigh(s->adapter, s, 1);
	s->open = false;
	s->client->nb_senders--;
	/* relaxed: nothing is queued there any more */
	atomic_fetch_and_explicit(&s->client->slots, ~(1u << s->slot), memory_order_relaxed);
	return 0;
}
