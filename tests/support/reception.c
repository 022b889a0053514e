/* SPDX-License-Identifier: BSD-3-Clause
 * reception.c - test bed of an adapter that receives
 */
#include "reception.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_byteorder.h>
#include <rte_dev.h>
#include <rte_eth_ring.h>
#include <rte_ethdev.h>
#include <rte_ether.h>

#include "bed.h"
#include "handover.h"

#define NB_MBUFS 2047
#define LEN 100

static struct rte_ring *make_ring(void)
{
	char name[16];
	struct rte_ring *ring = rte_ring_create(bed_unique("rxw", name), 1024, SOCKET_ID_ANY,
						RING_F_SP_ENQ | RING_F_SC_DEQ);

	assert_non_null(ring);
	return ring;
}

static void open_port(struct reception *r)
{
	struct rte_eth_conf eth;
	char name[16];
	int port;

	memset(&eth, 0, sizeof(eth));
	r->in = make_ring();
	r->wire = make_ring();
	port = rte_eth_from_rings(bed_unique("rxp", name), &r->in, 1, &r->wire, 1, 0);
	assert_true(port >= 0);
	r->port = (uint16_t)port;
	assert_int_equal(rte_eth_dev_configure(r->port, 1, 1, &eth), 0);
	assert_int_equal(rte_eth_rx_queue_setup(r->port, 0, 0, SOCKET_ID_ANY, NULL, r->mbufs), 0);
	assert_int_equal(rte_eth_tx_queue_setup(r->port, 0, 0, SOCKET_ID_ANY, NULL), 0);
	assert_int_equal(rte_eth_dev_start(r->port), 0);
	r->handover = handover_by_port(r->port);
}

struct reception *reception_open(const struct vnic_adapter_conf *wish)
{
	struct reception *r = calloc(1, sizeof(*r));
	struct vnic_adapter_conf conf = {.receive = wish->receive, .local = wish->local,
					 .learn = wish->learn, .pacing = wish->pacing,
					 .burst = wish->burst, .numa_node = -1};
	char name[16];

	assert_non_null(r);
	r->control = vnic_control_create(-1);
	r->mbufs = rte_pktmbuf_pool_create(bed_unique("rxm", name), NB_MBUFS, 0, 0,
					   RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	r->nbls = vnic_nbl_pool_create(bed_unique("rxn", name), 1024, 4, -1);
	assert_true(r->control != NULL && r->mbufs != NULL && r->nbls != NULL);
	open_port(r);
	conf.name = bed_unique("rxa", name);
	conf.port = r->port;
	r->adapter = vnic_adapter_create(r->control, &conf);
	assert_non_null(r->adapter);
	assert_int_equal(vnic_adapter_up(r->adapter), VNIC_STATUS_SUCCESS);
	for (uint32_t i = 0; i < RECEPTION_CLIENTS; i++) {
		r->client[i] = vnic_client_open(r->adapter);
		assert_non_null(r->client[i]);
		r->sender[i] = vnic_sender_create(r->client[i], r->nbls, 64);
		assert_non_null(r->sender[i]);
	}
	return r;
}

static void close_port(struct reception *r)
{
	struct rte_eth_dev_info info;

	assert_int_equal(rte_eth_dev_info_get(r->port, &info), 0);
	assert_int_equal(rte_eth_dev_stop(r->port), 0);
	handover_end(r->port, r->handover);
	assert_int_equal(rte_eth_dev_close(r->port), 0);
	assert_int_equal(rte_dev_remove(info.device), 0);
	assert_int_equal(rte_ring_count(r->in), 0);
	assert_int_equal(rte_ring_count(r->wire), 0);
	rte_ring_free(r->in);
	rte_ring_free(r->wire);
}

void reception_close(struct reception *r)
{
	for (uint32_t i = 0; i < RECEPTION_CLIENTS; i++) {
		assert_int_equal(vnic_receiver_destroy(r->receiver[i]), 0);
		assert_int_equal(vnic_sender_destroy(r->sender[i]), 0);
		assert_int_equal(vnic_client_close(r->client[i]), 0);
	}
	for (uint32_t i = 0; i < r->nb_done; i++) {
		if (r->done[i]->status != VNIC_STATUS_SUCCESS)
			rte_pktmbuf_free(vnic_nbl_packets(r->done[i])[0]);
		vnic_nbl_free(r->nbls, &r->done[i], 1);
	}
	assert_int_equal(vnic_adapter_destroy(r->adapter), 0);
	close_port(r);
	assert_int_equal(vnic_nbl_pool_destroy(r->nbls), 0);
	assert_true(rte_mempool_full(r->mbufs));
	rte_mempool_free(r->mbufs);
	assert_int_equal(vnic_control_destroy(r->control), 0);
	free(r);
}

struct vnic_receiver_conf reception_conf(uint8_t mac, int32_t vlan)
{
	struct vnic_receiver_conf conf = {.nb_macs = mac != 0, .vlan = vlan};

	conf.mac[0][0] = 2;
	conf.mac[0][5] = mac;
	return conf;
}

struct vnic_receiver *reception_listen_as(struct reception *r, uint32_t i,
					  const struct vnic_receiver_conf *conf)
{
	r->receiver[i] = vnic_receiver_create(r->client[i], conf);
	assert_non_null(r->receiver[i]);
	return r->receiver[i];
}

struct vnic_receiver *reception_listen(struct reception *r, uint32_t i, uint8_t mac, int32_t vlan)
{
	struct vnic_receiver_conf conf = reception_conf(mac, vlan);

	return reception_listen_as(r, i, &conf);
}

struct rte_mbuf *reception_frame(struct reception *r, uint8_t to, uint8_t from, uint16_t vlan,
				 uint32_t number)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(r->mbufs);
	uint8_t *data;

	assert_non_null(m);
	data = (uint8_t *)rte_pktmbuf_append(m, LEN);
	memset(data, 0, LEN);
	if (to == 0xff)
		memset(data, 0xff, 6);
	else
		data[0] = 2, data[5] = to;
	data[6] = 2;
	data[11] = from;
	data[12] = vlan != 0 ? 0x81 : 0x08;
	data[14] = (uint8_t)(vlan >> 8);
	data[15] = (uint8_t)vlan;
	memcpy(data + 20, &number, sizeof(number));
	return m;
}

uint32_t reception_number(const struct rte_mbuf *m)
{
	uint32_t number;

	assert_int_equal(m->pkt_len, LEN);
	memcpy(&number, rte_pktmbuf_mtod_offset(m, void *, 20), sizeof(number));
	return number;
}

void reception_arrive(struct reception *r, uint8_t to, uint16_t vlan, uint32_t number)
{
	struct rte_mbuf *m = reception_frame(r, to, 0xee, vlan, number);

	assert_int_equal(rte_ring_sp_enqueue(r->in, m), 0);
}

void reception_send(struct reception *r, uint32_t i, uint8_t to, uint32_t number)
{
	struct vnic_nbl *nbl;

	assert_int_equal(vnic_nbl_alloc(r->nbls, &nbl, 1), 0);
	nbl->cancel_id = RECEPTION_ID;
	nbl->nb_packets = 1;
	vnic_nbl_packets(nbl)[0] = reception_frame(r, to, (uint8_t)(i + 1), 0, number);
	assert_int_equal(vnic_send(r->sender[i], &nbl, 1), 1);
}

struct vnic_receiver_stats reception_stats(struct reception *r, uint32_t i)
{
	struct vnic_receiver_stats s;

	vnic_receiver_stats_get(r->receiver[i], &s);
	assert_int_equal(s.offered, s.dropped + s.no_memory + s.flushed + s.queued + s.indicated);
	assert_int_equal(s.indicated, s.returned + s.held);
	return s;
}

struct vnic_adapter_receive_stats reception_adapter_stats(struct reception *r)
{
	struct vnic_adapter_receive_stats s;

	vnic_adapter_receive_stats_get(r->adapter, &s);
	assert_int_equal(s.received + s.local + s.copies,
			 s.offered + s.unknown + s.malformed + s.paused);
	return s;
}

void reception_data(struct reception *r)
{
	vnic_adapter_poll(r->adapter);
	reception_adapter_stats(r);
	for (uint32_t i = 0; i < RECEPTION_CLIENTS; i++) {
		r->nb_done += vnic_sender_poll(r->sender[i], r->done + r->nb_done, 16);
		if (r->receiver[i] != NULL)
			reception_stats(r, i);
	}
}

void reception_step(struct reception *r, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		vnic_control_poll(r->control);
		reception_data(r);
	}
}

static void expect_numbers(struct rte_mbuf **packet, uint32_t nb, const uint32_t *number, uint32_t n)
{
	assert_int_equal(nb, n);
	for (uint32_t i = 0; i < n; i++) {
		assert_int_equal(reception_number(packet[i]), number[i]);
		rte_pktmbuf_free(packet[i]);
	}
}

void reception_expect(struct reception *r, uint32_t i, const uint32_t *number, uint32_t n)
{
	struct rte_mbuf *packet[64];
	uint32_t nb = vnic_receive(r->receiver[i], packet, 64);

	assert_int_equal(vnic_receiver_held(r->receiver[i]), nb);
	expect_numbers(packet, nb, number, n);
	assert_int_equal(vnic_receive_return(r->receiver[i], nb), 0);
	reception_stats(r, i);
}

void reception_expect_none(struct reception *r, uint32_t i)
{
	reception_expect(r, i, NULL, 0);
}

void reception_expect_wire(struct reception *r, const uint32_t *number, uint32_t n)
{
	struct rte_mbuf *packet[64];

	expect_numbers(packet, rte_ring_sc_dequeue_burst(r->wire, (void **)packet, 64, NULL), number, n);
}
