/* SPDX-License-Identifier: BSD-3-Clause
 * port.c - an ethdev port from its devargs, configured and started
 */
#include "vnic.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <rte_dev.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_mempool.h>

#define RX_DESC 512
#define TX_DESC 512
#define NAME_LEN 64
#define MBUF_CACHE 256

static int say(char *why, size_t len, int rc, const char *what, const char *devargs, const char *cure)
{
	snprintf(why, len, "port %s: %s: %s; %s", devargs, what, rte_strerror(-rc), cure);
	return rc;
}

/* The device's name, the devargs up to the first comma. */
static int device_name(const char *devargs, char name[NAME_LEN])
{
	size_t n = strcspn(devargs, ",");

	if (n == 0 || n >= NAME_LEN)
		return -EINVAL;
	memcpy(name, devargs, n);
	name[n] = '\0';
	return 0;
}

static void pool_name(uint16_t port, char name[NAME_LEN])
{
	snprintf(name, NAME_LEN, "vnic_rx_%u", port);
}

/* Buffers that hold a frame of the port's MTU in one piece. */
static struct rte_mempool *rx_pool(uint16_t port, uint32_t nb_mbufs, int node)
{
	char name[NAME_LEN];
	uint16_t mtu = RTE_ETHER_MTU;
	uint32_t room;

	rte_eth_dev_get_mtu(port, &mtu);
	room = RTE_MAX((uint32_t)mtu + RTE_ETHER_HDR_LEN + 2 * RTE_VLAN_HLEN + RTE_ETHER_CRC_LEN,
		       (uint32_t)RTE_MBUF_DEFAULT_DATAROOM);
	pool_name(port, name);
	return rte_pktmbuf_pool_create(name, nb_mbufs, MBUF_CACHE, 0,
				       (uint16_t)RTE_MIN(room + RTE_PKTMBUF_HEADROOM, (uint32_t)UINT16_MAX), node);
}

static int configure(uint16_t port, const struct vnic_port_conf *conf, uint32_t nb_mbufs,
		     const char **what)
{
	struct rte_eth_conf eth;
	struct rte_eth_dev_info info;
	uint16_t rx = conf->rx_desc != 0 ? conf->rx_desc : RX_DESC;
	uint16_t tx = conf->tx_desc != 0 ? conf->tx_desc : TX_DESC;
	int node = conf->numa_node >= 0 ? conf->numa_node : rte_eth_dev_socket_id(port);
	struct rte_mempool *mp;
	int rc = rte_eth_dev_info_get(port, &info);

	memset(&eth, 0, sizeof(eth));
	*what = "cannot be configured";
	if (rc == 0) {
		eth.txmode.offloads = info.tx_offload_capa & RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
		rc = rte_eth_dev_configure(port, 1, 1, &eth);
	}
	if (rc == 0 && conf->mtu != 0) {
		*what = "does not take this MTU";
		rc = rte_eth_dev_set_mtu(port, (uint16_t)conf->mtu);
	}
	if (rc == 0)
		rc = rte_eth_dev_adjust_nb_rx_tx_desc(port, &rx, &tx);
	if (rc != 0)
		return rc;
	*what = "no memory for its rx buffers";
	mp = rx_pool(port, nb_mbufs, node);
	if (mp == NULL)
		return -rte_errno;
	*what = "queues cannot be set up";
	rc = rte_eth_rx_queue_setup(port, 0, rx, (unsigned int)node, NULL, mp);
	if (rc == 0)
		rc = rte_eth_tx_queue_setup(port, 0, tx, (unsigned int)node, NULL);
	*what = "cannot be started";
	return rc != 0 ? rc : rte_eth_dev_start(port);
}

static void remove_port(uint16_t port, bool stop)
{
	struct rte_eth_dev_info info;
	char name[NAME_LEN];

	pool_name(port, name);
	if (stop)
		rte_eth_dev_stop(port);
	if (rte_eth_dev_info_get(port, &info) != 0)
		return;
	rte_eth_dev_close(port);
	rte_dev_remove(info.device);
	rte_mempool_free(rte_mempool_lookup(name));
}

int vnic_port_open(const char *devargs, const struct vnic_port_conf *conf, uint32_t nb_mbufs,
		   uint16_t *port, char *why, size_t len)
{
	const char *what;
	char name[NAME_LEN];
	int rc = device_name(devargs, name);

	if (rc != 0)
		return say(why, len, rc, "no device name", devargs,
			   "write NAME[,KEY=VALUE]... as for DPDK's --vdev");
	if (rte_eth_dev_get_port_by_name(name, port) != 0) {
		rc = rte_dev_probe(devargs);
		if (rc == 0)
			rc = rte_eth_dev_get_port_by_name(name, port);
		if (rc != 0)
			return say(why, len, rc, "no such device", devargs,
				   "check the driver's name and what its arguments refer to (file, "
				   "interface, socket, rights)");
	}
	rc = configure(*port, conf, nb_mbufs, &what);
	if (rc == 0)
		return 0;
	say(why, len, rc, what, devargs,
	    rc == -ENOMEM || rc == -ENOENT ? "give EAL more memory (-m MIB) or set fewer mbufs"
					   : "see the driver's limits in DPDK's guide");
	remove_port(*port, false);
	return rc;
}

int vnic_port_close(uint16_t port)
{
	if (!rte_eth_dev_is_valid_port(port))
		return -ENODEV;
	remove_port(port, true);
	return 0;
}
