/* SPDX-License-Identifier: BSD-3-Clause
 * flows_test.c - a program on one port: sends numbered packets of several flows, and notes the
 * flow and number of each that arrives
 *
 * usage: flows-test EAL ARGS -- FILE. It says "linked" when the port's link comes up. A line
 * "FIRST FLOWS PACKETS" on standard input sends so many packets, by turns of the flows FIRST,
 * FIRST + 1, ...; each flow counts its own from 0; "sent N" when the port has taken them all. At
 * the end of the input it takes what is still there, and in FILE are two 32-bit words, flow and
 * number, of each packet in the order of arrival. A packet that is not as one of us made it ends
 * the program. One thread.
 */
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_ip.h>
#include <rte_udp.h>

#define BURST 32
#define FLOWS_MAX 256
#define IDLE_ROUNDS 1000
#define PORT_FIRST 1000
#define PORT_TO 2000

struct frame {
	struct rte_ether_hdr ether;
	struct rte_ipv4_hdr ip;
	struct rte_udp_hdr udp;
	uint32_t flow;
	uint32_t number;
} __rte_packed __rte_aligned(2);

struct order {
	uint32_t first, flows, packets;
	uint32_t made, sent;
};

struct program {
	struct rte_mempool *mp;
	FILE *file;
	struct rte_mbuf *waiting[BURST]; /* not yet taken by the port */
	uint16_t nb_waiting;
	uint32_t next[FLOWS_MAX];
	struct order order;
	uint64_t received;
	bool linked, ends;
};

static void check(bool good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "flows-test: %s\n", what);
	exit(EXIT_FAILURE);
}

static uint16_t payload_bytes(uint32_t flow, uint32_t number)
{
	return (uint16_t)(14 + (flow * 7 + number * 13) % 600);
}

static uint8_t payload_byte(uint32_t flow, uint32_t number, uint32_t i)
{
	return (uint8_t)(flow * 31 + number * 17 + i * 3);
}

static uint16_t make_header(struct frame *f, uint32_t flow, uint32_t number)
{
	uint16_t udp = (uint16_t)(sizeof(f->udp) + 8 + payload_bytes(flow, number));

	memset(f, 0, sizeof(*f));
	f->ether.dst_addr.addr_bytes[0] = f->ether.src_addr.addr_bytes[0] = 2;
	f->ether.dst_addr.addr_bytes[5] = 1;
	f->ether.ether_type = RTE_BE16(RTE_ETHER_TYPE_IPV4);
	f->ip.version_ihl = RTE_IPV4_VHL_DEF;
	f->ip.total_length = rte_cpu_to_be_16((uint16_t)(sizeof(f->ip) + udp));
	f->ip.time_to_live = 64;
	f->ip.next_proto_id = IPPROTO_UDP;
	f->ip.src_addr = RTE_BE32(RTE_IPV4(10, 0, 0, 1));
	f->ip.dst_addr = RTE_BE32(RTE_IPV4(10, 0, 0, 2));
	f->ip.hdr_checksum = rte_ipv4_cksum(&f->ip);
	f->udp.src_port = rte_cpu_to_be_16((uint16_t)(PORT_FIRST + flow));
	f->udp.dst_port = RTE_BE16(PORT_TO);
	f->udp.dgram_len = rte_cpu_to_be_16(udp);
	f->flow = flow;
	f->number = number;
	return (uint16_t)(sizeof(*f) + payload_bytes(flow, number));
}

static struct rte_mbuf *make(struct program *p, uint32_t flow)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(p->mp);
	uint32_t number = p->next[flow];
	uint8_t *payload;
	uint16_t len;

	if (m == NULL)
		return NULL;
	len = make_header(rte_pktmbuf_mtod(m, struct frame *), flow, number);
	m->data_len = len;
	m->pkt_len = len;
	payload = rte_pktmbuf_mtod_offset(m, uint8_t *, sizeof(struct frame));
	for (uint32_t i = 0; i < len - sizeof(struct frame); i++)
		payload[i] = payload_byte(flow, number, i);
	p->next[flow]++;
	return m;
}

static uint32_t send_some(struct program *p)
{
	struct order *o = &p->order;
	uint16_t n;

	while (p->nb_waiting < BURST && o->made < o->packets) {
		struct rte_mbuf *m = make(p, o->first + o->made % o->flows);

		if (m == NULL)
			break;
		p->waiting[p->nb_waiting++] = m;
		o->made++;
	}
	if (p->nb_waiting == 0)
		return 0;
	n = rte_eth_tx_burst(0, 0, p->waiting, p->nb_waiting);
	p->nb_waiting = (uint16_t)(p->nb_waiting - n);
	memmove(p->waiting, p->waiting + n, p->nb_waiting * sizeof(p->waiting[0]));
	o->sent += n;
	if (n > 0 && o->sent == o->packets)
		printf("sent %u\n", o->sent);
	return n;
}

static void note(struct program *p, struct rte_mbuf *m)
{
	const struct frame *f = rte_pktmbuf_mtod(m, const struct frame *);
	const uint8_t *payload = (const uint8_t *)(f + 1);
	uint32_t word[2];
	struct frame good;

	check(m->nb_segs == 1 && m->data_len >= sizeof(*f), "a packet is too short");
	word[0] = f->flow;
	word[1] = f->number;
	check(m->data_len == make_header(&good, word[0], word[1]), "a packet's length is wrong");
	check(memcmp(f, &good, sizeof(good)) == 0, "a packet's headers are wrong");
	for (uint32_t i = 0; i < m->data_len - sizeof(*f); i++)
		check(payload[i] == payload_byte(word[0], word[1], i),
		      "a packet's content is wrong");
	check(fwrite(word, sizeof(word), 1, p->file) == 1, "the file cannot be written");
	p->received++;
}

static uint32_t receive_some(struct program *p)
{
	struct rte_mbuf *m[BURST];
	uint16_t n = rte_eth_rx_burst(0, 0, m, BURST);

	for (uint16_t i = 0; i < n; i++)
		note(p, m[i]);
	rte_pktmbuf_free_bulk(m, n);
	return n;
}

static void read_order(struct program *p)
{
	struct pollfd fd = {.fd = STDIN_FILENO, .events = POLLIN};
	struct order o = {0};
	char line[64];
	ssize_t n;

	if (poll(&fd, 1, 0) == 0)
		return;
	n = read(STDIN_FILENO, line, sizeof(line) - 1);
	p->ends = n <= 0;
	if (p->ends)
		return;
	line[n] = '\0';
	check(sscanf(line, "%u %u %u", &o.first, &o.flows, &o.packets) == 3 &&
	      o.first < FLOWS_MAX && o.flows > 0 && o.flows <= FLOWS_MAX - o.first,
	      "no order: FIRST FLOWS PACKETS");
	check(p->order.sent == p->order.packets, "an order before the last one is done");
	p->order = o;
}

static bool linked(struct program *p)
{
	struct rte_eth_link link = {0};
	bool up = rte_eth_link_get_nowait(0, &link) == 0 && link.link_status == RTE_ETH_LINK_UP;

	if (up && !p->linked)
		puts("linked");
	p->linked = up;
	return up;
}

static void run(struct program *p)
{
	uint32_t work, idle = 0;

	while (!p->ends || idle < IDLE_ROUNDS) {
		work = receive_some(p);
		if (linked(p))
			work += send_some(p);
		idle = work > 0 ? 0 : idle + 1;
		if (work > 0 || p->ends)
			continue;
		read_order(p);
		sched_yield(); /* not a timer: in virtual machines they may be late by seconds */
	}
}

static void open_port(struct rte_mempool *mp)
{
	const struct rte_eth_conf conf = {0};

	check(rte_eth_dev_count_avail() == 1, "one port, by --vdev");
	check(rte_eth_dev_configure(0, 1, 1, &conf) == 0, "the port is not configured");
	check(rte_eth_rx_queue_setup(0, 0, 1024, SOCKET_ID_ANY, NULL, mp) == 0, "no receive queue");
	check(rte_eth_tx_queue_setup(0, 0, 1024, SOCKET_ID_ANY, NULL) == 0, "no send queue");
	check(rte_eth_dev_start(0) == 0, "the port does not start");
}

int main(int argc, char **argv)
{
	static struct program p;
	int used = rte_eal_init(argc, argv);

	check(used >= 0, "EAL does not start");
	check(argc - used == 2, "usage: flows-test EAL ARGS -- FILE");
	setlinebuf(stdout);
	p.file = fopen(argv[used + 1], "w");
	p.mp = rte_pktmbuf_pool_create("packets", 8191, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE,
				       SOCKET_ID_ANY);
	check(p.file != NULL && p.mp != NULL, "no file, or no memory");
	open_port(p.mp);
	run(&p);
	check(fclose(p.file) == 0, "the file cannot be written");
	printf("received %lu\n", p.received);
	rte_eth_dev_stop(0);
	return rte_eth_dev_close(0) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
