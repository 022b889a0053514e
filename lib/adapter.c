/* SPDX-License-Identifier: BSD-3-Clause
 * adapter.c - an adapter from its configuration to its end; its account
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
#define COPIES 1024 /* of packets fitted to a port that does not tell its queue's size */
#define FRAME_LIMIT 16384u
#define IN_FLIGHT_LIMIT 65535u

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

/* Chains need the port's or the queue's consent, not only its ability. */
static bool takes_chains(uint16_t port, uint16_t queue)
{
	struct rte_eth_conf eth;
	struct rte_eth_txq_info txq;
	uint64_t offloads = 0;

	if (rte_eth_dev_conf_get(port, &eth) == 0)
		offloads |= eth.txmode.offloads;
	if (rte_eth_tx_queue_info_get(port, queue, &txq) == 0)
		offloads |= txq.conf.offloads;
	return (offloads & RTE_ETH_TX_OFFLOAD_MULTI_SEGS) != 0;
}

/* More copies than the port's queue can hold. */
static uint32_t nb_copies(uint16_t port, uint16_t queue)
{
	struct rte_eth_txq_info txq;

	if (rte_eth_tx_queue_info_get(port, queue, &txq) != 0 || txq.nb_desc == 0)
		return COPIES;
	return RTE_MAX((uint32_t)COPIES, txq.nb_desc + 4u * VNIC_BURST_MAX);
}

struct vnic_adapter *vnic_adapter_create(struct vnic_control *c, const struct vnic_adapter_conf *conf)
{
	struct rte_eth_dev_info info;
	struct vnic_adapter *a;
	int node, rc = check_conf(c, conf, &info);

	if (rc != 0)
		return vnic__fail(rc);
	node = conf->numa_node >= 0 ? conf->numa_node : rte_eth_dev_socket_id(conf->port);
	a = rte_zmalloc_socket("vnic_adapter", sizeof(*a), VNIC__LINE, node);
	if (a == NULL)
		return vnic__fail(ENOMEM);
	snprintf(a->name, sizeof(a->name), "%s", conf->name);
	a->control = c;
	a->port = conf->port;
	a->tx_queue = conf->tx_queue;
	a->burst = conf->burst != 0 ? conf->burst : BURST_DEFAULT;
	a->max_frame = conf->max_frame != 0 ? conf->max_frame : default_max_frame(conf->port);
	a->linear_only = !takes_chains(conf->port, conf->tx_queue);
	a->numa_node = node;
	a->in_flight_kept = vnic__inflight_init(&a->inflight, a->port, a->tx_queue, conf->in_flight);
	vnic__pacer_init(&a->pacer, &conf->pacing, rte_get_tsc_hz(), rte_rdtsc());
	rc = vnic__fit_init(&a->fit, a->max_frame, a->linear_only,
			     nb_copies(a->port, a->tx_queue), node);
	if (rc != 0) {
		rte_free(a);
		return vnic__fail(-rc);
	}
	c->adapter[c->nb_adapters++] = a;
	return a;
}

int vnic_adapter_destroy(struct vnic_adapter *a)
{
	struct vnic_control *c;

	if (a == NULL)
		return 0;
	/* A12 <- R12 */
	if (a->nb_clients != 0 || atomic_load_explicit(&a->pending, memory_order_acquire) != 0)
		return -EBUSY;
	c = a->control;
	for (uint32_t i = 0; i < c->nb_adapters; i++)
		if (c->adapter[i] == a)
			c->adapter[i] = c->adapter[--c->nb_adapters];
	for (uint32_t i = 0; i < vnic__adapter_senders(a); i++)
		vnic__sender_free(a->sender[i]);
	vnic__fit_fini(&a->fit);
	rte_free(a);
	return 0;
}

enum vnic_in_flight vnic_adapter_in_flight(const struct vnic_adapter *a)
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
