/* SPDX-License-Identifier: BSD-3-Clause
 * bed.c - test bed: put up, taken down, stepped
 */
#include "bed.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_cycles.h>
#include <rte_dev.h>
#include <rte_eth_ring.h>
#include <rte_ethdev.h>

#include "adapter.h"
#include "handover.h"
#include "layer.h"

#define SETTLE_S 20     /* longer than any pace that a test sets */
#define VERDICT_STEPS 8 /* of each side for each adapter, more than a verdict ever needs */

const char *bed_unique(const char *stem, char name[16])
{
	static unsigned int made;

	snprintf(name, 16, "%s%u", stem, made++);
	return name;
}

/* ---- up ---- */

static uint32_t or_else(uint32_t value, uint32_t otherwise)
{
	return value != 0 ? value : otherwise;
}

static void fill_brackets(struct bed_conf *c)
{
	c->nb_senders = or_else(c->nb_senders, 1);
	c->depth = or_else(c->depth, 64);
	c->nb_nbls = or_else(c->nb_nbls, 1024);
	c->max_packets = (uint16_t)or_else(c->max_packets, 8);
	c->nb_mbufs = or_else(c->nb_mbufs, 2048);
	c->burst = (uint16_t)or_else(c->burst, 32);
	c->max_frame = or_else(c->max_frame, 1518);
	c->lower_depth = or_else(c->lower_depth, 64);
	if (c->nb_lower != 0)
		c->beside = c->lower[0];
	if (c->beside != NULL) {
		c->nb_nbls = c->beside->conf.nb_nbls;
		c->max_packets = c->beside->conf.max_packets;
	}
	assert_in_range(c->nb_senders, 1, BED_SENDERS_MAX);
}

static void open_port(struct bed *b)
{
	struct rte_eth_conf eth;
	char name[16];
	int port;

	b->wires = 1u << b->root->nb_wires++;
	memset(&eth, 0, sizeof(eth));
	eth.txmode.offloads = RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
	b->wire = rte_ring_create(bed_unique("wire", name), BED_ROOM_ALL, SOCKET_ID_ANY,
				  RING_F_SP_ENQ | RING_F_SC_DEQ | RING_F_EXACT_SZ);
	assert_non_null(b->wire);
	/* the driver wants an rx ring; none is set up, so that it is never polled */
	port = rte_eth_from_rings(name, &b->wire, 1, &b->wire, 1, 0);
	assert_true(port >= 0);
	b->port = (uint16_t)port;
	assert_int_equal(rte_eth_dev_configure(b->port, 0, 1, &eth), 0);
	assert_int_equal(rte_eth_tx_queue_setup(b->port, 0, 0, SOCKET_ID_ANY, NULL), 0);
	assert_int_equal(rte_eth_dev_start(b->port), 0);
	b->handover = handover_by_port(b->port);
}

static void open_pools(struct bed *b)
{
	char name[16];

	b->root = b->conf.beside != NULL ? b->conf.beside->root : b;
	if (b->conf.beside != NULL) {
		b->control = b->conf.beside->control;
		b->nbls = b->conf.beside->nbls;
		b->mbufs = b->conf.beside->mbufs;
		return;
	}
	b->control = vnic_control_create(-1);
	assert_non_null(b->control);
	b->nbls = vnic_nbl_pool_create(bed_unique("nbl", name), b->conf.nb_nbls,
				       b->conf.max_packets, -1);
	assert_non_null(b->nbls);
	b->mbufs = rte_pktmbuf_pool_create(bed_unique("mbuf", name), b->conf.nb_mbufs, 0, 0,
					   RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	assert_non_null(b->mbufs);
}

/* What the public interface has no way to ask for. */
static void set_inside(struct bed *b, struct vnic_sender *s)
{
	if (b->conf.ring_start == 0)
		return;
	vnic__ring_init(s->ring, b->conf.depth, b->conf.ring_start);
	vnic__ring_sides(s->ring, &s->producer, &s->consumer, &s->canceller);
}

/* In place of a port: the beds below. */
static void open_lower(struct bed *b, struct vnic_adapter **lower)
{
	struct bed *root = b->root;

	for (uint32_t i = 0; i < b->conf.nb_lower; i++) {
		lower[i] = b->conf.lower[i]->adapter;
		b->wires |= b->conf.lower[i]->wires;
		b->conf.lower[i]->alien = true;
	}
	b->fans = (b->wires & (b->wires - 1)) != 0;
	assert_in_range(root->nb_layers, 0, BED_LAYERS_MAX - 1);
	root->layer[root->nb_layers++] = b;
	b->tag = root->nb_layers;
}

static void open_adapter(struct bed *b)
{
	struct vnic_adapter *lower[BED_LOWER_MAX];
	struct vnic_adapter_conf conf = {
		.name = bed_unique("nic", b->name), .burst = b->conf.burst,
		.max_frame = b->conf.mtu_frame ? 0 : b->conf.max_frame, .pacing = b->conf.pacing, .numa_node = -1,
		.lower = lower, .nb_lower = b->conf.nb_lower, .lower_depth = b->conf.lower_depth,
		.lower_packets = b->conf.lower_packets, .driver = b->conf.ops};

	if (b->conf.nb_lower != 0)
		open_lower(b, lower);
	else
		open_port(b);
	conf.port = b->port;
	if (b->conf.driver != NULL) {
		conf.driver = &b->conf.driver->driver;
		conf.driver_context = b->conf.driver;
	}
	b->adapter = vnic_adapter_create(b->control, &conf);
	assert_non_null(b->adapter);
	if (!b->conf.halted)
		assert_int_equal(vnic_adapter_up(b->adapter), VNIC_STATUS_SUCCESS);
	if (b->conf.linear_only) {
		b->adapter->offload.max_segs = 1;
	}
	b->client = vnic_client_open(b->adapter);
	assert_non_null(b->client);
	for (uint32_t i = 0; i < b->conf.nb_senders; i++) {
		b->sender[i] = vnic_sender_create(b->client, b->nbls, b->conf.depth);
		assert_non_null(b->sender[i]);
		set_inside(b, b->sender[i]);
	}
	b->ticket = vnic_ticket_create(-1);
	assert_non_null(b->ticket);
}

struct bed *bed_open(const struct bed_conf *conf)
{
	struct bed *b = calloc(1, sizeof(*b));

	assert_non_null(b);
	if (conf != NULL)
		b->conf = *conf;
	fill_brackets(&b->conf);
	open_pools(b);
	open_adapter(b);
	bed_wire_room(b, BED_ROOM_ALL);
	return b;
}

/* ---- down ---- */

static uint32_t outstanding(const struct bed *b)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < b->conf.nb_senders; i++)
		n += vnic_sender_outstanding(b->sender[i]);
	return n;
}

static void open_wires(struct bed *b)
{
	bed_wire_room(b, BED_ROOM_ALL);
	for (uint32_t i = 0; i < b->conf.nb_lower; i++)
		open_wires(b->conf.lower[i]);
}

void bed_settle(struct bed *b)
{
	uint64_t until = rte_rdtsc() + SETTLE_S * rte_get_tsc_hz();

	open_wires(b);
	while (outstanding(b) != 0) {
		bed_data_all(b);
		bed_control(b);
		bed_poll(b);
		open_wires(b);
		assert_true(rte_rdtsc() < until); /* NBLs are missing */
	}
}

/* Every NBL back once, every packet either on the wire or back, as its NBL said. One that a
 * one-to-many layer gave back may have left by some of its wires. */
static void check_all_back(const struct bed *b)
{
	for (uint32_t i = 0; i < b->nb_nbls; i++)
		assert_int_equal(b->nbl[i].done, b->nbl[i].taken);
	for (uint32_t i = 0; i < b->nb_packets; i++) {
		const struct bed_packet *p = &b->packet[i];

		if (p->nbl == UINT32_MAX || !b->nbl[p->nbl].taken)
			continue;
		assert_int_equal(p->went + p->came, 1);
		assert_int_equal(p->on_wire & ~b->wires, 0);
		if (p->went || !b->fans)
			assert_int_equal(p->on_wire, p->went ? b->wires : 0);
	}
}

/* The adapter's account against what the bed saw. */
static void check_account(struct bed *b)
{
	struct vnic_adapter_stats st = bed_stats(b);
	struct vnic_count taken = {0}, sent = {0}, aborted = {0}, rejected = {0};

	for (uint32_t i = 0; i < b->nb_nbls; i++) {
		const struct bed_nbl *e = &b->nbl[i];
		struct vnic_count *c = &rejected;

		if (!e->taken)
			continue;
		if (e->status == VNIC_STATUS_SUCCESS)
			c = &sent;
		else if (e->status == VNIC_STATUS_SEND_ABORTED)
			c = &aborted;
		c->nbls++;
		c->packets += e->nb_claimed - e->nb_sent;
		sent.packets += e->nb_sent;
		taken.nbls++;
		taken.packets += e->nb_claimed;
	}
	assert_memory_equal(&st.accepted, &taken, sizeof(taken));
	assert_memory_equal(&st.sent, &sent, sizeof(sent));
	assert_memory_equal(&st.aborted, &aborted, sizeof(aborted));
	assert_memory_equal(&st.rejected, &rejected, sizeof(rejected));
	if (b->wire != NULL)
		assert_int_equal(b->nb_log, sent.packets);
}

/* Whoever's it was: nothing is left, and what was sent came out of the wire. */
static void check_end(struct bed *b)
{
	struct vnic_adapter_stats st = bed_stats(b);

	assert_int_equal(st.queued.nbls, 0);
	assert_int_equal(st.queued.packets, 0);
	if (b->root->nb_layers != 0 && b->wire != NULL)
		assert_int_equal(b->nb_log, st.sent.packets);
}

static void close_adapter(struct bed *b)
{
	const struct vnic__layer *layer = b->adapter->layer;

	if (layer == NULL)
		assert_true(rte_mempool_full(b->adapter->fit.copies));
	else
		assert_int_equal(vnic_nbl_pool_in_use(layer->nbls), 0);
	if (layer != NULL && layer->packets != NULL)
		assert_true(rte_mempool_full(layer->packets));
	assert_int_equal(vnic_ticket_destroy(b->ticket), 0);
	for (uint32_t i = 0; i < b->conf.nb_senders; i++)
		assert_int_equal(vnic_sender_destroy(b->sender[i]), 0);
	assert_int_equal(vnic_client_close(b->client), 0);
	assert_int_equal(vnic_adapter_destroy(b->adapter), 0);
}

static void close_port(struct bed *b)
{
	struct rte_eth_dev_info info;

	assert_int_equal(rte_eth_dev_info_get(b->port, &info), 0);
	assert_int_equal(rte_eth_dev_stop(b->port), 0);
	handover_end(b->port, b->handover);
	assert_int_equal(rte_eth_dev_close(b->port), 0);
	assert_int_equal(rte_dev_remove(info.device), 0);
	rte_ring_free(b->wire);
}

static void close_pools(struct bed *b)
{
	if (b->root != b)
		return;
	assert_int_equal(vnic_control_destroy(b->control), 0);
	assert_int_equal(vnic_nbl_pool_in_use(b->nbls), 0);
	assert_int_equal(vnic_nbl_pool_destroy(b->nbls), 0);
	assert_true(rte_mempool_full(b->mbufs));
	rte_mempool_free(b->mbufs);
}

void bed_close(struct bed *b)
{
	bed_settle(b);
	open_wires(b);
	check_all_back(b);
	check_end(b);
	if (!b->alien)
		check_account(b);
	close_adapter(b);
	if (b->wire != NULL)
		close_port(b);
	close_pools(b);
	free(b->packet);
	free(b->nbl);
	free(b->log);
	free(b);
}

/* ---- steps ---- */

struct vnic_adapter_stats bed_stats(struct bed *b)
{
	struct vnic_adapter_stats st;

	vnic_adapter_stats_get(b->adapter, &st);
	assert_int_equal(st.accepted.nbls,
			 st.sent.nbls + st.aborted.nbls + st.rejected.nbls + st.queued.nbls);
	assert_int_equal(st.accepted.packets, st.sent.packets + st.aborted.packets +
						      st.rejected.packets + st.queued.packets);
	return st;
}

static void check_accounts(struct bed *b)
{
	bed_stats(b);
	for (uint32_t i = 0; i < b->conf.nb_lower; i++)
		check_accounts(b->conf.lower[i]);
}

uint32_t bed_data(struct bed *b)
{
	uint32_t moved = vnic_adapter_poll(b->adapter);

	check_accounts(b);
	return moved;
}

uint32_t bed_data_all(struct bed *b)
{
	uint32_t moved = bed_data(b);

	for (uint32_t i = 0; i < b->conf.nb_lower; i++)
		moved += bed_data_all(b->conf.lower[i]);
	return moved;
}

uint32_t bed_control(struct bed *b)
{
	uint32_t work = vnic_control_poll(b->control);

	check_accounts(b);
	return work;
}

static uint32_t nb_adapters(const struct bed *b)
{
	uint32_t n = 1;

	for (uint32_t i = 0; i < b->conf.nb_lower; i++)
		n += nb_adapters(b->conf.lower[i]);
	return n;
}

struct vnic_verdict bed_verdict(struct bed *b, struct vnic_ticket *t)
{
	struct vnic_verdict v = {0};

	for (uint32_t i = 0; i < VERDICT_STEPS * nb_adapters(b); i++) {
		int rc;

		bed_control(b);
		rc = vnic_ticket_verdict(t, &v);
		if (rc == 0)
			return v;
		assert_int_equal(rc, -EINPROGRESS);
		bed_data_all(b);
	}
	fail_msg("no verdict");
	return v;
}

struct vnic_verdict bed_cancel(struct bed *b, uint64_t id)
{
	struct vnic_verdict v;

	if (id != 0)
		assert_int_equal(vnic_adapter_cancel(b->adapter, id, b->ticket), 0);
	else
		assert_int_equal(vnic_adapter_abort(b->adapter, b->ticket), 0);
	v = bed_verdict(b, b->ticket);
	assert_int_equal(v.cancel_id, id);
	bed_poll(b);
	return v;
}
