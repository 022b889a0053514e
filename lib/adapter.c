/* SPDX-License-Identifier: BSD-3-Clause
 * adapter.c - adapters, their clients and senders; the account
 *
 * Setup threads, but for the account, which anyone may ask.
 */
#include "adapter.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <rte_cycles.h>
#include <rte_errno.h>
#include <rte_malloc.h>

#include "histogram.h"
#include "node.h"

#define BURST_DEFAULT 32
#define COPIES 1024 /* of packets fitted to the port: more than a port usually holds */
#define FRAME_LIMIT 16384u
#define IN_FLIGHT_LIMIT 65535u

static void *fail(int error)
{
	rte_errno = error;
	return NULL;
}

/* ---- adapter ---- */

static bool name_taken(const struct vnic_control *c, const char *name)
{
	for (uint32_t i = 0; i < c->nb_adapters; i++)
		if (strcmp(c->adapter[i]->name, name) == 0)
			return true;
	return false;
}

/* 0, or the error of a configuration that cannot be. */
static int check_conf(const struct vnic_control *c, const struct vnic_adapter_conf *conf,
		      struct rte_eth_dev_info *info)
{
	if (conf->name == NULL || conf->name[0] == '\0' ||
	    strlen(conf->name) >= sizeof(((struct vnic_adapter *)0)->name) ||
	    conf->burst > VNIC_BURST_MAX || conf->in_flight > IN_FLIGHT_LIMIT ||
	    conf->max_frame > FRAME_LIMIT || (conf->max_frame != 0 && conf->max_frame < 64))
		return EINVAL;
	if (rte_eth_dev_info_get(conf->port, info) != 0 || conf->tx_queue >= info->nb_tx_queues)
		return ENODEV;
	if (name_taken(c, conf->name))
		return EEXIST;
	return c->nb_adapters == VNIC__ADAPTERS_MAX ? ENOSPC : 0;
}

static uint32_t default_max_frame(uint16_t port)
{
	uint16_t mtu = RTE_ETHER_MTU;

	rte_eth_dev_get_mtu(port, &mtu);
	return RTE_MIN((uint32_t)mtu + RTE_ETHER_HDR_LEN + RTE_VLAN_HLEN, FRAME_LIMIT);
}

struct vnic_adapter *vnic_adapter_create(struct vnic_control *c, const struct vnic_adapter_conf *conf)
{
	struct rte_eth_dev_info info;
	struct vnic_adapter *a;
	int node, rc = check_conf(c, conf, &info);

	if (rc != 0)
		return fail(rc);
	node = conf->numa_node >= 0 ? conf->numa_node : rte_eth_dev_socket_id(conf->port);
	a = rte_zmalloc_socket("vnic_adapter", sizeof(*a), VNIC__LINE, node);
	if (a == NULL)
		return fail(ENOMEM);
	snprintf(a->name, sizeof(a->name), "%s", conf->name);
	a->control = c;
	a->port = conf->port;
	a->tx_queue = conf->tx_queue;
	a->burst = conf->burst != 0 ? conf->burst : BURST_DEFAULT;
	a->max_frame = conf->max_frame != 0 ? conf->max_frame : default_max_frame(conf->port);
	a->linear_only = (info.tx_offload_capa & RTE_ETH_TX_OFFLOAD_MULTI_SEGS) == 0;
	a->numa_node = node;
	a->in_flight_kept = vnic__inflight_init(&a->inflight, a->port, a->tx_queue, conf->in_flight);
	vnic__pacer_init(&a->pacer, &conf->pacing, rte_get_tsc_hz(), rte_rdtsc());
	rc = vnic__fit_init(&a->fit, a->name, a->max_frame, a->linear_only, COPIES, node);
	if (rc != 0) {
		rte_free(a);
		return fail(-rc);
	}
	c->adapter[c->nb_adapters++] = a;
	return a;
}

static void sender_memory_free(struct vnic_sender *s)
{
	rte_free(s->ring);
	rte_free(s->done_data);
	rte_free(s->done_control);
	rte_free(s);
}

int vnic_adapter_destroy(struct vnic_adapter *a)
{
	struct vnic_control *c;

	if (a == NULL)
		return 0;
	if (a->nb_clients != 0)
		return -EBUSY;
	c = a->control;
	for (uint32_t i = 0; i < c->nb_adapters; i++)
		if (c->adapter[i] == a)
			c->adapter[i] = c->adapter[--c->nb_adapters];
	for (uint32_t i = 0; i < vnic__adapter_senders(a); i++)
		sender_memory_free(a->sender[i]);
	vnic__fit_fini(&a->fit);
	rte_free(a);
	return 0;
}

int vnic_adapter_in_flight(const struct vnic_adapter *a)
{
	return a->in_flight_kept;
}

int vnic_adapter_check_numa(const struct vnic_adapter *a, int cpu, char *text, size_t len)
{
	int want = vnic__numa_node_of_cpu(cpu), found = 0;
	size_t at = 0;

	text[0] = '\0';
	for (uint32_t i = 0; i < vnic__adapter_senders(a); i++) {
		int node = vnic__numa_node_of(a->sender[i]->ring);

		if (node < 0 || want < 0 || node == want || at >= len)
			continue;
		found++;
		at += (size_t)snprintf(text + at, len - at,
				       "adapter %s: queue %u lies on NUMA node %d, its data lcore's "
				       "CPU %d on node %d; set numa_node = %d or move the lcore\n",
				       a->name, i, node, cpu, want, want);
	}
	return found;
}

/* ---- clients and senders ---- */

struct vnic_client *vnic_client_open(struct vnic_adapter *a)
{
	struct vnic_client *client = rte_zmalloc("vnic_client", sizeof(*client), 0);

	if (client == NULL)
		return fail(ENOMEM);
	client->adapter = a;
	client->prefix = vnic_generate_partial_cancel_id(a->control);
	a->nb_clients++;
	return client;
}

int vnic_client_close(struct vnic_client *client)
{
	if (client == NULL)
		return 0;
	if (client->nb_senders != 0)
		return -EBUSY;
	client->adapter->nb_clients--;
	rte_free(client);
	return 0;
}

uint8_t vnic_client_prefix(const struct vnic_client *client)
{
	return client->prefix;
}

/* A ring of completions that holds `count` - 1 NBLs. */
static struct rte_ring *completion_ring(uint32_t count, int node)
{
	struct rte_ring *r = rte_zmalloc_socket("vnic_done", (size_t)rte_ring_get_memsize(count),
						VNIC__LINE, node);

	if (r != NULL && rte_ring_init(r, "vnic_done", count, RING_F_SP_ENQ | RING_F_SC_DEQ) != 0) {
		rte_free(r);
		r = NULL;
	}
	return r;
}

static struct vnic_sender *sender_memory(uint32_t depth, int node)
{
	struct vnic_sender *s = rte_zmalloc_socket("vnic_sender", sizeof(*s), VNIC__LINE, node);
	void *mem;

	if (s == NULL)
		return NULL;
	mem = rte_malloc_socket("vnic_ring", vnic__ring_bytes(depth), VNIC__LINE, node);
	s->done_data = completion_ring(2 * depth, node);
	s->done_control = completion_ring(2 * depth, node);
	if (mem == NULL || s->done_data == NULL || s->done_control == NULL) {
		rte_free(mem);
		sender_memory_free(s);
		return NULL;
	}
	s->depth = depth;
	s->outstanding_max = 2 * depth - 1;
	s->refused_last = &s->refused_first;
	s->ring = vnic__ring_init(mem, depth, 0);
	vnic__ring_sides(s->ring, &s->producer, &s->consumer, &s->canceller);
	return s;
}

/* A closed sender's queue, empty and with its sides where they stopped. */
static struct vnic_sender *closed_sender(struct vnic_adapter *a, uint32_t depth)
{
	for (uint32_t i = 0; i < vnic__adapter_senders(a); i++)
		if (!a->sender[i]->open && a->sender[i]->depth == depth)
			return a->sender[i];
	return NULL;
}

struct vnic_sender *vnic_sender_create(struct vnic_client *client, struct vnic_nbl_pool *pool,
				       uint32_t depth)
{
	struct vnic_adapter *a = client->adapter;
	uint32_t slot = vnic__adapter_senders(a);
	struct vnic_sender *s;

	if (depth < VNIC__RING_SIZE_MIN || depth > VNIC__RING_SIZE_MAX || (depth & (depth - 1)) != 0)
		return fail(EINVAL);
	s = closed_sender(a, depth);
	if (s == NULL) {
		if (slot == VNIC_SENDERS_MAX)
			return fail(ENOSPC);
		s = sender_memory(depth, a->numa_node);
		if (s == NULL)
			return fail(ENOMEM);
		s->slot = slot;
		s->adapter = a;
		s->max_frame = a->max_frame;
		s->linear_only = a->linear_only;
	}
	s->client = client;
	s->nbl_base = pool->base;
	s->open = true;
	client->nb_senders++;
	if (s->slot == slot) {
		a->sender[slot] = s;
		/* R9 -> A9 */
		atomic_store_explicit(&a->nb_senders, slot + 1, memory_order_release);
	}
	return s;
}

int vnic_sender_destroy(struct vnic_sender *s)
{
	if (s == NULL)
		return 0;
	if (s->outstanding != 0)
		return -EBUSY;
	s->open = false;
	s->client->nb_senders--;
	return 0;
}

/* ---- the account ---- */

static void add_sender(struct vnic_adapter_stats *st, struct vnic_sender *s)
{
	struct vnic__account *block[3] = {&s->p_account, &s->c_account, &s->x_account};
	uint64_t v[3][VNIC__COUNTS_MAX];
	const uint64_t *p = v[0], *c = v[1], *x = v[2];

	vnic__account_cut(block, 3, v);
	st->invalid_length.nbls += p[P_INVALID_LENGTH_NBLS];
	st->invalid_length.packets += p[P_INVALID_LENGTH_PACKETS];
	st->invalid_parameter.nbls += p[P_INVALID_PARAMETER_NBLS];
	st->invalid_parameter.packets += p[P_INVALID_PARAMETER_PACKETS];
	st->resources.nbls += c[C_RESOURCES_NBLS];
	st->resources.packets += c[C_RESOURCES_PACKETS];
	st->accepted.nbls += p[P_ACCEPTED_NBLS] + p[P_INVALID_LENGTH_NBLS] + p[P_INVALID_PARAMETER_NBLS];
	st->accepted.packets += p[P_ACCEPTED_PACKETS] + p[P_INVALID_LENGTH_PACKETS] +
				p[P_INVALID_PARAMETER_PACKETS];
	st->sent.nbls += c[C_SENT_NBLS];
	st->sent.packets += c[C_SENT_PACKETS];
	st->aborted.nbls += c[C_ABORTED_NBLS] + x[X_ABORTED_NBLS];
	st->aborted.packets += c[C_ABORTED_PACKETS] + x[X_ABORTED_PACKETS];
	/* put in and neither passed nor taken out (a tomb may be passed before the control
	 * thread has counted what it took: until then it counts as queued), and the stage */
	st->queued.nbls += p[P_ACCEPTED_NBLS] - c[C_PASSED_NBLS] + c[C_TOMBS] - x[X_ABORTED_NBLS] +
			   c[C_STAGED_NBLS];
	st->queued.packets += p[P_ACCEPTED_PACKETS] - c[C_CLAIMED_PACKETS] - x[X_ABORTED_PACKETS] +
			      c[C_STAGED_PACKETS];
	st->not_taken += p[P_NOT_TAKEN];
	st->port_refused += c[C_PORT_REFUSED];
	st->padded += c[C_PADDED];
	st->copied += c[C_COPIED];
}

void vnic_adapter_stats_get(const struct vnic_adapter *a, struct vnic_adapter_stats *st)
{
	memset(st, 0, sizeof(*st));
	for (uint32_t i = 0; i < vnic__adapter_senders(a); i++)
		add_sender(st, a->sender[i]);
	st->rejected.nbls = st->invalid_length.nbls + st->invalid_parameter.nbls + st->resources.nbls;
	st->rejected.packets = st->invalid_length.packets + st->invalid_parameter.packets +
			       st->resources.packets;
	/* relaxed: see vnic__cancel_finish() */
	st->cancels = atomic_load_explicit(&a->cancels, memory_order_relaxed);
	st->cancels_unknown = atomic_load_explicit(&a->cancels_unknown, memory_order_relaxed);
	st->too_late = atomic_load_explicit(&a->too_late, memory_order_relaxed);
}

void vnic_adapter_latency(const struct vnic_adapter *a, enum vnic_latency which,
			  struct vnic_histogram *copy)
{
	vnic__histogram_copy_shared(copy, &a->latency[which]);
}

uint64_t vnic_adapter_sample_id(const struct vnic_adapter *a, uint64_t random)
{
	uint32_t nb = vnic__adapter_senders(a);
	uint64_t id = 0;

	for (uint32_t i = 0; i < nb && id == 0; i++)
		id = vnic__ring_sample(&a->sender[(random + i) % nb]->canceller, random / nb);
	return id;
}
