/* SPDX-License-Identifier: BSD-3-Clause
 * scene.c - a face's port whose frames the test puts in, an adapter below that nobody polls
 */
#include "scene.h"

#include <string.h>

#include <netinet/in.h>
#include <rte_eth_ring.h>
#include <rte_ethdev.h>
#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_udp.h>

struct scene scene_open(void)
{
	struct vnic_port_conf port = {.numa_node = -1};
	struct vnic_adapter_conf conf = {.numa_node = -1};
	struct rte_eth_conf eth = {0};
	struct scene s;
	char name[16], why[256];
	int upper;

	s.mbufs = rte_pktmbuf_pool_create(bed_unique("fp", name), SCENE_MBUFS, 0, 0, 2048, SOCKET_ID_ANY);
	s.upper = rte_ring_create(bed_unique("fr", name), 256, SOCKET_ID_ANY,
				  RING_F_SP_ENQ | RING_F_SC_DEQ);
	upper = rte_eth_from_rings(name, &s.upper, 1, &s.upper, 1, 0);
	assert_true(upper >= 0);
	s.upper_port = (uint16_t)upper;
	assert_int_equal(rte_eth_dev_configure(s.upper_port, 1, 1, &eth), 0);
	assert_int_equal(rte_eth_rx_queue_setup(s.upper_port, 0, 64, SOCKET_ID_ANY, NULL, s.mbufs), 0);
	assert_int_equal(rte_eth_tx_queue_setup(s.upper_port, 0, 64, SOCKET_ID_ANY, NULL), 0);
	assert_int_equal(rte_eth_dev_start(s.upper_port), 0);
	snprintf(name, sizeof(name), "net_null_ids");
	assert_int_equal(vnic_port_open(name, &port, SCENE_MBUFS, &s.lower_port, why, sizeof(why)), 0);
	s.control = vnic_control_create(-1);
	conf.name = "ids";
	conf.port = s.lower_port;
	s.adapter = vnic_adapter_create(s.control, &conf);
	assert_non_null(s.adapter);
	assert_int_equal(vnic_adapter_up(s.adapter), VNIC_STATUS_SUCCESS);
	s.ticket = vnic_ticket_create(-1);
	return s;
}

void scene_close(struct scene *s)
{
	assert_int_equal(rte_mempool_avail_count(s->mbufs), SCENE_MBUFS);
	assert_int_equal(vnic_ticket_destroy(s->ticket), 0);
	assert_int_equal(vnic_adapter_destroy(s->adapter), 0);
	assert_int_equal(vnic_control_destroy(s->control), 0);
	assert_int_equal(vnic_port_close(s->lower_port), 0);
	assert_int_equal(rte_eth_dev_stop(s->upper_port), 0);
	assert_int_equal(rte_eth_dev_close(s->upper_port), 0);
	rte_ring_free(s->upper);
	rte_mempool_free(s->mbufs);
}

struct rte_mbuf *scene_frame(const struct scene *s, uint16_t port)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(s->mbufs);
	char *at = rte_pktmbuf_append(m, SCENE_FRAME);
	struct rte_ether_hdr *ether = (struct rte_ether_hdr *)at;
	struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)(ether + 1);
	struct rte_udp_hdr *udp = (struct rte_udp_hdr *)(ip + 1);

	memset(at, 0, SCENE_FRAME);
	ether->ether_type = RTE_BE16(RTE_ETHER_TYPE_IPV4);
	ip->version_ihl = RTE_IPV4_VHL_DEF;
	ip->next_proto_id = IPPROTO_UDP;
	udp->dst_port = rte_cpu_to_be_16(port);
	return m;
}

void scene_feed(const struct scene *s, struct vnic_face *f, const uint16_t *ports)
{
	uint32_t n = 0;

	for (; ports[n] != 0; n++) {
		struct rte_mbuf *m = scene_frame(s, ports[n]);

		assert_int_equal(rte_ring_enqueue(s->upper, m), 0);
	}
	assert_int_equal(vnic_face_poll(f), n);
}

void scene_cancel(const struct scene *s, struct vnic_face *f, uint64_t id, uint64_t nbls,
		   uint64_t packets)
{
	struct vnic_verdict v;

	if (id != 0)
		assert_int_equal(vnic_client_cancel(vnic_face_client(f), id, s->ticket), 0);
	else
		assert_int_equal(vnic_client_abort(vnic_face_client(f), s->ticket), 0);
	vnic_control_poll(s->control);
	assert_int_equal(vnic_ticket_verdict(s->ticket, &v), 0);
	assert_int_equal(v.aborted.nbls, nbls);
	assert_int_equal(v.aborted.packets, packets);
	assert_int_equal(vnic_face_poll(f), nbls);
}
