/* SPDX-License-Identifier: BSD-3-Clause
 * offload_test.c - packets that ask for offloads, through an adapter into a capture file
 *
 * usage: offload-test FILE. The script `offload` lets tcpdump judge what is in it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_ip.h>
#include <rte_tcp.h>
#include <rte_udp.h>
#include <vnic.h>

#define ETHER 14
#define MSS 1300

static struct rte_mempool *mp;

static void check(bool good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "offload-test: %s\n", what);
	exit(EXIT_FAILURE);
}

static void *put(struct rte_mbuf *m, uint16_t n)
{
	char *p = rte_pktmbuf_append(m, n);

	check(p != NULL, "no room in a buffer");
	memset(p, 0, n);
	return p;
}

static void put_ether(struct rte_mbuf *m, uint16_t type)
{
	struct rte_ether_hdr *e = put(m, ETHER);

	e->dst_addr.addr_bytes[5] = 2;
	e->src_addr.addr_bytes[5] = 1;
	e->ether_type = rte_cpu_to_be_16(type);
	m->l2_len = ETHER;
}

static void put_ip(struct rte_mbuf *m, bool v6, uint8_t protocol, uint16_t l4_bytes)
{
	struct rte_ipv6_hdr *ip6;
	struct rte_ipv4_hdr *ip;

	put_ether(m, v6 ? RTE_ETHER_TYPE_IPV6 : RTE_ETHER_TYPE_IPV4);
	if (v6) {
		ip6 = put(m, sizeof(*ip6));
		ip6->vtc_flow = rte_cpu_to_be_32(6u << 28);
		ip6->payload_len = rte_cpu_to_be_16(l4_bytes);
		ip6->proto = protocol;
		ip6->hop_limits = 64;
		ip6->src_addr[15] = 1;
		ip6->dst_addr[15] = 2;
		m->l3_len = sizeof(*ip6);
		m->ol_flags |= RTE_MBUF_F_TX_IPV6;
		return;
	}
	ip = put(m, sizeof(*ip));
	ip->version_ihl = RTE_IPV4_VHL_DEF;
	ip->total_length = rte_cpu_to_be_16((uint16_t)(l4_bytes + sizeof(*ip)));
	ip->time_to_live = 64;
	ip->next_proto_id = protocol;
	ip->src_addr = rte_cpu_to_be_32(RTE_IPV4(10, 0, 0, 1));
	ip->dst_addr = rte_cpu_to_be_32(RTE_IPV4(10, 0, 0, 2));
	m->l3_len = sizeof(*ip);
	m->ol_flags |= RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IP_CKSUM;
}

static void put_payload(struct rte_mbuf *m, uint16_t n)
{
	uint8_t *p = put(m, n);

	for (uint16_t i = 0; i < n; i++)
		p[i] = (uint8_t)(i * 11 + n);
}

static struct rte_mbuf *tcp(bool v6, uint16_t payload)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(mp);
	struct rte_tcp_hdr *t;

	check(m != NULL, "no buffer");
	put_ip(m, v6, IPPROTO_TCP, (uint16_t)(sizeof(*t) + payload));
	t = put(m, sizeof(*t));
	t->src_port = rte_cpu_to_be_16(1000);
	t->dst_port = rte_cpu_to_be_16(2000);
	t->sent_seq = rte_cpu_to_be_32(1);
	t->data_off = 5 << 4;
	t->tcp_flags = RTE_TCP_ACK_FLAG | RTE_TCP_PSH_FLAG;
	m->l4_len = sizeof(*t);
	m->ol_flags |= RTE_MBUF_F_TX_TCP_CKSUM;
	if (payload > MSS) {
		m->tso_segsz = MSS;
		m->ol_flags |= RTE_MBUF_F_TX_TCP_SEG;
	}
	put_payload(m, payload);
	return m;
}

static struct rte_mbuf *udp(bool v6, uint16_t payload)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(mp);
	struct rte_udp_hdr *u;

	check(m != NULL, "no buffer");
	put_ip(m, v6, IPPROTO_UDP, (uint16_t)(sizeof(*u) + payload));
	u = put(m, sizeof(*u));
	u->src_port = rte_cpu_to_be_16(1000);
	u->dst_port = rte_cpu_to_be_16(2000);
	u->dgram_len = rte_cpu_to_be_16((uint16_t)(sizeof(*u) + payload));
	m->ol_flags |= RTE_MBUF_F_TX_UDP_CKSUM;
	put_payload(m, payload);
	return m;
}

static void send_one(struct vnic_adapter *a, struct vnic_sender *s, struct vnic_nbl_pool *pool,
		     struct rte_mbuf *m, bool tag)
{
	struct vnic_nbl *nbl;

	if (tag) {
		m->ol_flags |= RTE_MBUF_F_TX_VLAN;
		m->vlan_tci = 77;
	}
	check(vnic_nbl_alloc(pool, &nbl, 1) == 0, "no NBL");
	nbl->nb_packets = 1;
	vnic_nbl_packets(nbl)[0] = m;
	check(vnic_send(s, &nbl, 1) == 1, "not taken");
	while (vnic_sender_poll(s, &nbl, 1) == 0)
		vnic_adapter_poll(a);
	check(nbl->status == VNIC_STATUS_SUCCESS, vnic_status_name(nbl->status));
	vnic_nbl_free(pool, &nbl, 1);
}

static void send_all(struct vnic_adapter *a, struct vnic_sender *s, struct vnic_nbl_pool *pool)
{
	for (int i = 0; i < 4; i++)
		for (uint16_t n = 0; n < 1200; n += 109) {
			send_one(a, s, pool, tcp((i & 1) != 0, n), (i & 2) != 0);
			send_one(a, s, pool, udp((i & 1) != 0, n), (i & 2) != 0);
		}
	send_one(a, s, pool, tcp(false, 20000), false);
	send_one(a, s, pool, tcp(false, 20000), true);
}

int main(int argc, char **argv)
{
	char *eal[] = {argv[0], "--no-huge", "-m", "128", "--no-pci", "--no-shconf", "--no-telemetry",
		       "--log-level", "error", NULL};
	const struct vnic_port_conf port = {.numa_node = -1};
	struct vnic_adapter_conf conf = {.name = "a", .numa_node = -1};
	struct vnic_control *control;
	struct vnic_nbl_pool *pool;
	struct vnic_client *client;
	struct vnic_adapter *a;
	char devargs[300], why[400];

	check(argc == 2, "usage: offload-test FILE");
	check(rte_eal_init(9, eal) >= 0, "EAL does not start");
	snprintf(devargs, sizeof(devargs), "net_pcap0,tx_pcap=%s", argv[1]);
	check(vnic_port_open(devargs, &port, 512, &conf.port, why, sizeof(why)) == 0, why);
	mp = rte_pktmbuf_pool_create("packets", 63, 0, 0, 32768, SOCKET_ID_ANY);
	control = vnic_control_create(-1);
	pool = vnic_nbl_pool_create("nbls", 64, 1, -1);
	check(mp != NULL && control != NULL && pool != NULL, "no memory");
	a = vnic_adapter_create(control, &conf);
	check(a != NULL && vnic_adapter_up(a) == VNIC_STATUS_SUCCESS, "no adapter");
	client = vnic_client_open(a);
	check(client != NULL, "no client");
	send_all(a, vnic_sender_create(client, pool, 64), pool);
	return vnic_port_close(conf.port) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
