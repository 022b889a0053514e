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
#include "layer.h"
#include "node.h"

#define BURST_DEFAULT 32
#define KEPT 1024 /* packets, by a port that does not tell its queue's size */
#define FRAME_LIMIT 16384u
#define IN_FLIGHT_LIMIT 65535u

/* ---- adapter ---- */

static bool name_taken(const struct vnic_control *c, const char *name)
{
	for (uint32_t i = 0; i < vnic__control_adapters(c); i++)
		if (vnic__adapter_named(c->adapter[i], name))
			return true;
	return false;
}

static int check_port(const struct vnic_adapter_conf *conf)
{
	struct rte_eth_dev_info info;

	if (rte_eth_dev_info_get(conf->port, &info) != 0 || conf->tx_queue >= info.nb_tx_queues ||
	    (conf->receive && conf->rx_queue >= info.nb_rx_queues))
		return ENODEV;
	return 0;
}

static int check_lower(const struct vnic_control *c, const struct vnic_adapter_conf *conf)
{
	if (conf->nb_lower > VNIC__LOWER_MAX || conf->lower == NULL)
		return EINVAL;
	if (conf->receive || conf->local || conf->learn)
		return ENOTSUP;
	for (uint32_t i = 0; i < conf->nb_lower; i++)
		if (conf->lower[i] == NULL || conf->lower[i]->control != c ||
		    conf->lower[i]->height + 1 >= VNIC__LAYERS_MAX)
			return EINVAL;
	return 0;
}

/* 0, or the error of a configuration that cannot be. */
static int check_conf(const struct vnic_control *c, const struct vnic_adapter_conf *conf)
{
	int rc;

	if (conf->name == NULL || conf->name[0] == '\0' ||
	    strlen(conf->name) >= sizeof(((struct vnic_adapter *)0)->name) ||
	    conf->burst > VNIC_BURST_MAX || conf->in_flight > IN_FLIGHT_LIMIT ||
	    conf->max_frame > FRAME_LIMIT || (conf->max_frame != 0 && conf->max_frame < 64))
		return EINVAL;
	rc = conf->nb_lower == 0 ? check_port(conf) : check_lower(c, conf);
	if (rc != 0)
		return rc;
	if (name_taken(c, conf->name))
		return EEXIST;
	return vnic__control_adapters(c) == VNIC__ADAPTERS_MAX ? ENOSPC : 0;
}

static uint32_t default_max_frame(uint16_t port)
{
	uint16_t mtu = RTE_ETHER_MTU;

	rte_eth_dev_get_mtu(port, &mtu);
	return RTE_MIN((uint32_t)mtu + RTE_ETHER_HDR_LEN + RTE_VLAN_HLEN, FRAME_LIMIT);
}

uint32_t vnic__port_longest(uint16_t port)
{
	struct rte_eth_dev_info info;
	uint16_t mtu = RTE_ETHER_MTU;

	if (rte_eth_dev_info_get(port, &info) != 0 || strcmp(info.driver_name, "net_af_packet") != 0)
		return 0;
	rte_eth_dev_get_mtu(port, &mtu);
	return (uint32_t)mtu + RTE_ETHER_HDR_LEN + 2 * RTE_VLAN_HLEN;
}

/* More packets than the port's queue can hold. */
static uint32_t nb_kept(uint16_t port, uint16_t queue)
{
	struct rte_eth_txq_info txq;

	if (rte_eth_tx_queue_info_get(port, queue, &txq) != 0 || txq.nb_desc == 0)
		return KEPT;
	return RTE_MAX((uint32_t)KEPT, txq.nb_desc + 4u * VNIC_BURST_MAX);
}

static void close_port(struct vnic_adapter *a)
{
	vnic__segmenter_fini(&a->segmenter);
	vnic__fit_fini(&a->fit);
}

static int open_port(struct vnic_adapter *a, const struct vnic_adapter_conf *conf)
{
	int rc;

	a->port = conf->port;
	a->tx_queue = conf->tx_queue;
	a->max_frame = conf->max_frame != 0 ? conf->max_frame : default_max_frame(conf->port);
	vnic__offload_init(&a->offload, conf->port, conf->tx_queue, a->max_frame);
	if (conf->max_frame == 0)
		a->offload.max_untagged -= RTE_VLAN_HLEN;
	if (conf->local)
		vnic__offload_here(&a->offload);
	a->in_flight_kept = vnic__inflight_init(&a->inflight, a->port, a->tx_queue, conf->in_flight);
	a->kept_below = nb_kept(conf->port, conf->tx_queue);
	rc = vnic__receive_create(a, conf);
	if (rc != 0)
		return rc;
	rc = vnic__fit_init(&a->fit, &a->offload, a->kept_below, a->numa_node);
	if (rc == 0)
		rc = vnic__segmenter_init(&a->segmenter, &a->offload, a->kept_below, a->numa_node);
	if (rc != 0) {
		close_port(a);
		vnic__receive_free(a->receive);
	}
	return rc;
}

/* What a layer's lower adapters all take; each fits frames to its own port. */
static int open_layer(struct vnic_adapter *a, const struct vnic_adapter_conf *conf)
{
	uint32_t untagged;

	a->max_frame = untagged = conf->max_frame != 0 ? conf->max_frame : FRAME_LIMIT;
	for (uint32_t i = 0; i < conf->nb_lower; i++) {
		a->max_frame = RTE_MIN(a->max_frame, conf->lower[i]->max_frame);
		untagged = RTE_MIN(untagged, conf->lower[i]->offload.max_untagged);
		a->height = RTE_MAX(a->height, conf->lower[i]->height + 1);
		a->kept_below += conf->lower[i]->kept_below;
	}
	a->offload = (struct vnic__offload){.passes = true, .max_frame = a->max_frame, .max_untagged = untagged,
					    .max_segs = UINT16_MAX, .max_tso_segs = UINT16_MAX};
	return vnic__layer_create(a, conf);
}

static int node_of(const struct vnic_adapter_conf *conf)
{
	if (conf->numa_node >= 0)
		return conf->numa_node;
	return conf->nb_lower != 0 ? conf->lower[0]->numa_node : rte_eth_dev_socket_id(conf->port);
}

/* A driver over the edge's: each callback that it has takes the place of the edge's own. */
static void set_driver(struct vnic_adapter *a, const struct vnic_adapter_conf *conf)
{
	const struct vnic_driver *edge = conf->nb_lower != 0 ? &vnic__layer_driver : &vnic__ethdev_driver;
	const struct vnic_driver *over = conf->driver != NULL ? conf->driver : edge;

	a->driver = *over;
	a->driver_context = conf->driver_context;
	a->own_link = over != edge && over->link != NULL;
	if (a->driver.initialize == NULL)
		a->driver.initialize = edge->initialize;
	if (a->driver.halt == NULL)
		a->driver.halt = edge->halt;
	if (a->driver.link == NULL)
		a->driver.link = edge->link;
}

struct vnic_adapter *vnic_adapter_create(struct vnic_control *c,
					 const struct vnic_adapter_conf *conf)
{
	struct vnic_adapter *a;
	int node, rc = check_conf(c, conf);
	uint32_t nb = vnic__control_adapters(c);

	if (rc != 0)
		return vnic__fail(rc);
	node = node_of(conf);
	a = rte_zmalloc_socket("vnic_adapter", sizeof(*a), VNIC__LINE, node);
	if (a == NULL)
		return vnic__fail(ENOMEM);
	snprintf(a->name, sizeof(a->name), "%s", conf->name);
	a->control = c;
	a->burst = conf->burst != 0 ? conf->burst : BURST_DEFAULT;
	a->numa_node = node;
	set_driver(a, conf);
	rte_spinlock_init(&a->handles);
	vnic__pace_init(a, &conf->pacing);
	rc = vnic__life_init(a, conf->hang_ms);
	if (rc == 0)
		rc = conf->nb_lower == 0 ? open_port(a, conf) : open_layer(a, conf);
	if (rc != 0) {
		vnic__life_fini(a);
		rte_free(a);
		return vnic__fail(-rc);
	}
	vnic__fair_init(a);
	c->adapter[nb] = a;
	/* R18 -> A18 */
	atomic_store_explicit(&c->nb_adapters, nb + 1, memory_order_release);
	return a;
}

static void leave_control(struct vnic_adapter *a)
{
	struct vnic_control *c = a->control;
	uint32_t nb = vnic__control_adapters(c) - 1;

	for (uint32_t i = 0; i < nb; i++)
		if (c->adapter[i] == a)
			c->adapter[i] = c->adapter[nb];
	atomic_store_explicit(&c->nb_adapters, nb, memory_order_relaxed); /* setup: nobody polls */
}

int vnic_adapter_destroy(struct vnic_adapter *a)
{
	if (a == NULL)
		return 0;
	/* A12 <- R12, and A13 <- R13 */
	if (vnic__adapter_clients(a) != 0 ||
	    atomic_load_explicit(&a->pending, memory_order_acquire) != 0 ||
	    atomic_load_explicit(&a->asked, memory_order_acquire) != 0 ||
	    !vnic__gate_empty(&a->operations, 0) || a->life.start != START_NOT ||
	    a->life.stop != STOP_NOT || (a->layer != NULL && vnic__layer_packets_out(a->layer)))
		return -EBUSY;
	vnic__life_end(a);
	leave_control(a);
	for (uint32_t i = 0; i < vnic__adapter_senders(a); i++)
		vnic__sender_free(a->sender[i]);
	if (a->layer != NULL)
		vnic__layer_free(a->layer);
	else
		close_port(a);
	vnic__receive_free(a->receive);
	vnic__life_fini(a);
	rte_free(a);
	return 0;
}

void vnic_adapter_give_up_name(struct vnic_adapter *a)
{
	/* relaxed: see vnic__adapter_named() */
	atomic_store_explicit(&a->nameless, true, memory_order_relaxed);
}

uint32_t vnic__adapter_nbl_packets(const struct vnic_adapter *a)
{
	return a->layer != NULL ? a->layer->max_packets : UINT16_MAX;
}

uint32_t vnic_adapter_max_frame(const struct vnic_adapter *a)
{
	return a->max_frame;
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

/* Where the statistics have the counts of each reason. */
static struct vnic_count *count_of(struct vnic_adapter_stats *st, uint32_t reason)
{
	struct vnic_count *const count[REASONS] = {
		[REASON_ABORTED] = &st->aborted,
		[REASON_PAUSED] = &st->paused,
		[REASON_RESET] = &st->reset,
		[REASON_LOW_POWER] = &st->low_power,
		[REASON_MEDIA_DISCONNECTED] = &st->media_disconnected,
		[REASON_CLOSING] = &st->closing,
		[REASON_RESOURCES] = &st->resources,
		[REASON_INVALID_LENGTH] = &st->invalid_length,
		[REASON_INVALID_PARAMETER] = &st->invalid_parameter,
		[REASON_FAILURE] = &st->failure,
	};

	return count[reason];
}

static void add_count(struct vnic_count *to, const uint64_t *pair)
{
	to->nbls += pair[0];
	to->packets += pair[1];
}

static void add_sender(struct vnic_adapter_stats *st, struct vnic_sender *s)
{
	struct vnic__account *block[3] = {&s->p_account, &s->c_account, &s->x_account};
	uint64_t v[3][VNIC__COUNTS_MAX];
	const uint64_t *p = v[0], *c = v[1], *x = v[2];
	struct vnic_count taken = {0};

	vnic__account_cut(block, 3, v);
	add_count(&st->accepted, p + P_ACCEPTED_NBLS);
	add_count(&st->sent, c + C_SENT_NBLS);
	for (uint32_t r = 0; r < REASONS; r++) {
		add_count(&st->accepted, p + P_REASONS + 2 * r);
		add_count(count_of(st, r), p + P_REASONS + 2 * r);
		add_count(count_of(st, r), c + C_REASONS + 2 * r);
		add_count(count_of(st, r), x + X_REASONS + 2 * r);
		add_count(&taken, x + X_REASONS + 2 * r);
	}
	/* put in and neither passed nor taken out (a tomb may be passed before the control
	 * thread has counted what it took: until then it counts as queued), the stage, and
	 * what is with lower adapters */
	st->queued.nbls += p[P_ACCEPTED_NBLS] - c[C_PASSED_NBLS] + c[C_TOMBS] - taken.nbls +
			   c[C_STAGED_NBLS] + c[C_BELOW_NBLS];
	st->queued.packets += p[P_ACCEPTED_PACKETS] - c[C_CLAIMED_PACKETS] - taken.packets +
			      c[C_STAGED_PACKETS] + c[C_BELOW_PACKETS];
	st->not_taken += p[P_NOT_TAKEN];
	st->port_refused += c[C_PORT_REFUSED];
	st->padded += c[C_PADDED];
	st->copied += c[C_COPIED];
	st->offloaded += c[C_OFFLOADED];
	st->segmented += c[C_SEGMENTED];
	st->segments += c[C_SEGMENTS];
}

void vnic_adapter_stats_get(const struct vnic_adapter *a, struct vnic_adapter_stats *st)
{
	memset(st, 0, sizeof(*st));
	for (uint32_t i = 0; i < vnic__adapter_senders(a); i++)
		add_sender(st, a->sender[i]);
	for (uint32_t r = 0; r < REASONS; r++)
		if (r != REASON_ABORTED) {
			st->rejected.nbls += count_of(st, r)->nbls;
			st->rejected.packets += count_of(st, r)->packets;
		}
	/* relaxed: see count_cancel() */
	st->cancels = atomic_load_explicit(&a->cancels, memory_order_relaxed);
	st->cancels_unknown = atomic_load_explicit(&a->cancels_unknown, memory_order_relaxed);
	st->too_late = atomic_load_explicit(&a->too_late, memory_order_relaxed);
	st->hung = atomic_load_explicit(&a->life.hung, memory_order_relaxed);
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

void vnic_adapter_hold(struct vnic_adapter *a)
{
	vnic__hold_begin(&a->hold);
}

bool vnic_adapter_held(const struct vnic_adapter *a)
{
	return vnic__hold_stands(&a->hold);
}

void vnic_adapter_release(struct vnic_adapter *a)
{
	vnic__hold_end(&a->hold);
}
