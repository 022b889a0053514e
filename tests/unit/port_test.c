/* SPDX-License-Identifier: BSD-3-Clause
 * port_test.c - ports opened by their devargs: queues, MTU, what they do, what they refuse
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <errno.h>

#include <rte_ethdev.h>

#include "eal.h"
#include "vnic.h"

#define MBUFS 1023

static char why[512];

static int open_port(const char *devargs, const struct vnic_port_conf *conf, uint16_t *port)
{
	why[0] = '\0';
	return vnic_port_open(devargs, conf, MBUFS, port, why, sizeof(why));
}

/* One line, that has `text`, and no port is left. */
static void expect_refused(const char *devargs, const struct vnic_port_conf *conf, const char *text)
{
	uint16_t before = rte_eth_dev_count_avail(), port;

	assert_true(open_port(devargs, conf, &port) < 0);
	if (strstr(why, text) == NULL)
		fail_msg("'%s' is not in: %s", text, why);
	assert_null(strchr(why, '\n'));
	assert_non_null(strstr(why, devargs));
	assert_int_equal(rte_eth_dev_count_avail(), before);
}

static struct vnic_port_info opened(const char *devargs, const struct vnic_port_conf *conf,
				    uint16_t *port)
{
	struct vnic_port_info info;

	if (open_port(devargs, conf, port) != 0)
		fail_msg("%s", why);
	assert_int_equal(vnic_port_info_get(*port, &info), 0);
	return info;
}

static void several_queues(void **state)
{
	for (uint16_t n = 0; n <= 16; n += 4) {
		const struct vnic_port_conf conf = {.numa_node = -1, .nb_queues = n};
		struct rte_mbuf *m;
		uint16_t port;
		struct vnic_port_info info = opened("net_null_q", &conf, &port);

		(void)state;
		assert_string_equal(info.driver, "net_null");
		assert_int_equal(info.nb_rx_queues, n != 0 ? n : 1);
		assert_int_equal(info.nb_tx_queues, n != 0 ? n : 1);
		for (uint16_t q = 0; q < info.nb_rx_queues; q++) {
			assert_int_equal(rte_eth_rx_burst(port, q, &m, 1), 1);
			assert_int_equal(rte_eth_tx_burst(port, q, &m, 1), 1);
		}
		assert_int_equal(vnic_port_close(port), 0);
	}
	expect_refused("net_null_q", &(struct vnic_port_conf){.numa_node = -1, .nb_queues = 1025},
		       "has not so many queues");
	expect_refused("net_null_q", &(struct vnic_port_conf){.numa_node = -1, .nb_tx_queues = 1025},
		       "has not so many queues");
}

static void more_to_send_than_to_receive(void **state)
{
	const struct vnic_port_conf conf = {.numa_node = -1, .nb_tx_queues = 3};
	uint16_t port;
	struct vnic_port_info info = opened("net_null_q", &conf, &port);

	(void)state;
	assert_int_equal(info.nb_rx_queues, 1);
	assert_int_equal(info.nb_tx_queues, 3);
	assert_int_equal(vnic_port_close(port), 0);
}

static void a_file_has_one_queue(void **state)
{
	const struct vnic_port_conf one = {.numa_node = -1}, two = {.numa_node = -1, .nb_queues = 2};
	char devargs[128];
	uint16_t port;

	(void)state;
	snprintf(devargs, sizeof(devargs), "net_pcap_q,tx_pcap=/tmp/vnic_port_test.%d.pcap", getpid());
	assert_int_equal(opened(devargs, &one, &port).nb_segs_max, 1);
	assert_int_equal(vnic_port_close(port), 0);
	expect_refused(devargs, &two, "has not so many queues");
	unlink(strchr(devargs, '/'));
}

/* Drivers that have nothing to be told are told nothing; others have limits. */
static void mtu(void **state)
{
	struct vnic_port_conf conf = {.numa_node = -1, .mtu = 9000};
	char devargs[128];
	struct vnic_port_info info;
	uint16_t port;

	(void)state;
	info = opened("net_ring_mtu", &conf, &port);
	assert_int_equal(info.mtu, 9000);
	assert_int_equal(vnic_port_close(port), 0);
	conf.mtu = 0;
	assert_int_equal(opened("net_ring_mtu", &conf, &port).mtu, 1500);
	assert_int_equal(vnic_port_close(port), 0);
	snprintf(devargs, sizeof(devargs),
		 "net_memif_mtu,role=server,socket=/tmp/vnic_port_test.%d.sock,socket-abstract=no",
		 getpid());
	conf.mtu = 1501;
	expect_refused(devargs, &conf, "this driver's limit is mtu = 1500");
	conf.mtu = 70000;
	expect_refused("net_null_mtu", &conf, "this driver's limit is mtu");
	conf.mtu = 1500;
	info = opened(devargs, &conf, &port);
	assert_true(info.nb_segs_max > 1);
	assert_int_equal(vnic_port_close(port), 0);
}

/* Software drivers are asked for chains and no more. */
static void what_is_asked_of_software(void **state)
{
	const struct vnic_port_conf conf = {.numa_node = -1};
	struct vnic_port_info info;
	struct rte_eth_conf eth;
	char devargs[128];
	uint16_t port;

	(void)state;
	snprintf(devargs, sizeof(devargs), "net_vhost_o,iface=/tmp/vnic_port_test.%d.sock", getpid());
	info = opened(devargs, &conf, &port);
	assert_int_equal(rte_eth_dev_conf_get(port, &eth), 0);
	assert_int_equal(eth.txmode.offloads, RTE_ETH_TX_OFFLOAD_MULTI_SEGS);
	assert_int_equal(eth.rxmode.offloads, 0);
	assert_false(info.tags || info.sums || info.segments);
	assert_int_equal(vnic_port_close(port), 0);
	assert_int_equal(vnic_port_info_get(port, &info), -ENODEV);
}

static void refusals(void **state)
{
	const struct vnic_port_conf conf = {.numa_node = -1};

	(void)state;
	expect_refused(",x=1", &conf, "no device name");
	expect_refused("net_nothing0", &conf, "no such device");
	expect_refused("net_memif_zc,role=client,zero-copy=yes,socket=/tmp/none", &conf,
		       "--single-file-segments");
}

/* ---- buffers that another thread is giving back while their port is closed ---- */

#define OTHER_LCORE 5

/* The pool of a port that is closed, and what another lcore does with it meanwhile. */
static struct {
	char name[32];
	struct rte_mempool *mp;
	struct rte_mempool_cache *cache; /* of that lcore */
	struct rte_mbuf *m;              /* on its way back */
	bool was_there, false_count;
} back;

static uint16_t open_for_back(void)
{
	const struct vnic_port_conf conf = {.numa_node = -1};
	uint16_t port;

	opened("net_null_b", &conf, &port);
	snprintf(back.name, sizeof(back.name), "vnic_made_%u_0", port);
	back.mp = rte_mempool_lookup(back.name);
	assert_non_null(back.mp);
	back.cache = &back.mp->local_cache[OTHER_LCORE];
	return port;
}

/* It has said that the cache has one more; it is to lie there only now, or was another's count. */
static void go_on(void *context)
{
	assert_ptr_equal(context, &back);
	back.was_there = rte_mempool_lookup(back.name) == back.mp;
	if (!back.was_there)
		return;
	if (back.false_count)
		back.cache->len--;
	else
		back.cache->objs[back.cache->len - 1] = back.m;
}

static void buffers_on_their_way_back(void **state)
{
	uint16_t port = open_for_back();

	(void)state;
	back.m = rte_pktmbuf_alloc(back.mp);
	back.cache->len++;
	back.false_count = false;
	assert_int_equal(vnic_ports_close(&port, 1, go_on, &back), 0);
	assert_true(back.was_there);
	assert_null(rte_mempool_lookup(back.name)); /* all were back at both looks */
}

static void buffers_that_were_counted_twice(void **state)
{
	uint16_t port = open_for_back(), next;

	(void)state;
	back.m = rte_pktmbuf_alloc(back.mp);
	back.cache->len++;
	back.false_count = true;
	assert_int_equal(vnic_ports_close(&port, 1, go_on, &back), 0);
	assert_true(back.was_there);
	assert_ptr_equal(rte_mempool_lookup(back.name), back.mp); /* one is out there */
	/* the next port of this number has its own, and takes both with it */
	assert_int_equal(opened("net_null_b", &(struct vnic_port_conf){.numa_node = -1}, &next).nb_rx_queues, 1);
	assert_int_equal(next, port);
	rte_pktmbuf_free(back.m);
	assert_int_equal(vnic_port_close(next), 0);
	assert_null(rte_mempool_lookup(back.name));
}

/* All are back at both looks, but not in the same places: somebody was at it. */
static void swap(void *context)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(context);

	back.was_there = true;
	back.cache->objs[back.cache->len++] = m;
}

static void buffers_that_moved_meanwhile(void **state)
{
	uint16_t port = open_for_back();

	(void)state;
	assert_int_equal(vnic_ports_close(&port, 1, swap, back.mp), 0);
	assert_ptr_equal(rte_mempool_lookup(back.name), back.mp);
	rte_mempool_free(back.mp);
}

/* Nobody waits for what cannot be free anyway. */
static void buffers_that_are_out(void **state)
{
	uint16_t port = open_for_back();

	(void)state;
	back.m = rte_pktmbuf_alloc(back.mp);
	back.was_there = false;
	assert_int_equal(vnic_ports_close(&port, 1, go_on, &back), 0);
	assert_false(back.was_there);
	assert_ptr_equal(rte_mempool_lookup(back.name), back.mp);
	rte_pktmbuf_free(back.m);
	rte_mempool_free(back.mp);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(several_queues),
		cmocka_unit_test(more_to_send_than_to_receive),
		cmocka_unit_test(a_file_has_one_queue),
		cmocka_unit_test(mtu),
		cmocka_unit_test(what_is_asked_of_software),
		cmocka_unit_test(refusals),
		cmocka_unit_test(buffers_on_their_way_back),
		cmocka_unit_test(buffers_that_were_counted_twice),
		cmocka_unit_test(buffers_that_moved_meanwhile),
		cmocka_unit_test(buffers_that_are_out),
	};

	/* EAL is not cleaned up: its interrupt thread may still have to forget a memif's socket,
	 * and reads memory that the cleanup takes away */
	return cmocka_run_group_tests_name("port", tests, test_eal_setup, NULL);
}
