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

/* The buffers' name tells how the port came about: made here, or found. */
static void pool_name(uint16_t port, bool made, char name[NAME_LEN])
{
	snprintf(name, NAME_LEN, "vnic_%s_%u", made ? "made" : "found", port);
}

/* Buffers that hold a frame of the port's MTU in one piece. */
static struct rte_mempool *rx_pool(uint16_t port, bool made, uint32_t nb_mbufs, int node)
{
	struct rte_mempool *mp;
	char name[NAME_LEN];
	uint16_t mtu = RTE_ETHER_MTU;
	uint32_t room;

	rte_eth_dev_get_mtu(port, &mtu);
	room = RTE_MAX((uint32_t)mtu + RTE_ETHER_HDR_LEN + 2 * RTE_VLAN_HLEN + RTE_ETHER_CRC_LEN,
		       (uint32_t)RTE_MBUF_DEFAULT_DATAROOM);
	pool_name(port, made, name);
	mp = rte_mempool_lookup(name); /* of a port that was found, used and left before */
	return mp != NULL ? mp : rte_pktmbuf_pool_create(name, nb_mbufs, MBUF_CACHE, 0,
				       (uint16_t)RTE_MIN(room + RTE_PKTMBUF_HEADROOM, (uint32_t)UINT16_MAX), node);
}

static int queues(uint16_t port, const struct vnic_port_conf *conf, struct rte_mempool *mp, int node)
{
	uint16_t rx = conf->rx_desc != 0 ? conf->rx_desc : RX_DESC;
	uint16_t tx = conf->tx_desc != 0 ? conf->tx_desc : TX_DESC;
	int rc = rte_eth_dev_adjust_nb_rx_tx_desc(port, &rx, &tx);

	if (rc == 0)
		rc = rte_eth_rx_queue_setup(port, 0, rx, (unsigned int)node, NULL, mp);
	if (rc == 0)
		rc = rte_eth_tx_queue_setup(port, 0, tx, (unsigned int)node, NULL);
	return rc;
}

/* 0, or an error and what it is of. */
static int start(uint16_t port, const struct vnic_port_conf *conf, struct rte_mempool *mp,
		 const char **what)
{
	int node = conf->numa_node >= 0 ? conf->numa_node : rte_eth_dev_socket_id(port), rc;

	*what = "queues cannot be set up";
	rc = queues(port, conf, mp, node);
	if (rc != 0)
		return rc;
	*what = "cannot be started";
	return rte_eth_dev_start(port);
}

/* The port as `conf` wants it, without its queues. */
static int prepare(uint16_t port, const struct vnic_port_conf *conf, const char **what)
{
	struct rte_eth_conf eth;
	struct rte_eth_dev_info info;
	int rc = rte_eth_dev_info_get(port, &info);

	memset(&eth, 0, sizeof(eth));
	*what = "cannot be configured (is it in use already?)";
	if (rc == 0) {
		eth.txmode.offloads = info.tx_offload_capa & RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
		rc = rte_eth_dev_configure(port, 1, 1, &eth);
	}
	if (rc != 0 || conf->mtu == 0)
		return rc;
	*what = "does not take this MTU";
	return rte_eth_dev_set_mtu(port, (uint16_t)conf->mtu);
}

static int set_up(uint16_t port, bool made, const struct vnic_port_conf *conf, uint32_t nb_mbufs,
		  const char **what)
{
	int node = conf->numa_node >= 0 ? conf->numa_node : rte_eth_dev_socket_id(port);
	struct rte_mempool *mp;
	int rc = prepare(port, conf, what);

	if (rc != 0)
		return rc;
	*what = "no memory for its rx buffers";
	mp = rx_pool(port, made, nb_mbufs, node);
	return mp == NULL ? -rte_errno : start(port, conf, mp, what);
}

/* Undo vnic_port_open: a port that was found stays, stopped, with its buffers. */
static void leave(uint16_t port, bool made)
{
	struct rte_eth_dev_info info;
	char name[NAME_LEN];

	rte_eth_dev_stop(port);
	if (!made || rte_eth_dev_info_get(port, &info) != 0)
		return;
	pool_name(port, true, name);
	rte_eth_dev_close(port);
	rte_dev_remove(info.device);
	rte_mempool_free(rte_mempool_lookup(name));
}

/* Find the device's port, or make it. */
static int find(const char *devargs, const char *name, uint16_t *port, bool *made)
{
	int rc;

	*made = false;
	if (rte_eth_dev_get_port_by_name(name, port) == 0)
		return 0;
	rc = rte_dev_probe(devargs);
	if (rc != 0)
		return rc;
	*made = true;
	rc = rte_eth_dev_get_port_by_name(name, port);
	if (rc != 0) /* probed under another name, which devargs of this form do not have */
		rte_eal_hotplug_remove("vdev", name);
	return rc;
}

int vnic_port_open(const char *devargs, const struct vnic_port_conf *conf, uint32_t nb_mbufs,
		   uint16_t *port, char *why, size_t len)
{
	const char *what;
	char name[NAME_LEN];
	bool made;
	int rc = device_name(devargs, name);

	if (rc != 0)
		return say(why, len, rc, "no device name", devargs,
			   "write NAME[,KEY=VALUE]... as for DPDK's --vdev");
	rc = find(devargs, name, port, &made);
	if (rc != 0)
		return say(why, len, rc, "no such device", devargs,
			   "check the driver's name and what its arguments refer to (file, "
			   "interface, socket, rights)");
	rc = set_up(*port, made, conf, nb_mbufs, &what);
	if (rc == 0)
		return 0;
	say(why, len, rc, what, devargs,
	    rc == -ENOMEM || rc == -ENOENT ? "give EAL more memory (-m MIB) or set fewer mbufs"
					   : "see the driver's limits in DPDK's guide");
	if (made)
		leave(*port, true);
	return rc;
}

int vnic_port_close(uint16_t port)
{
	char name[NAME_LEN];

	if (!rte_eth_dev_is_valid_port(port))
		return -ENODEV;
	pool_name(port, true, name);
	leave(port, rte_mempool_lookup(name) != NULL);
	return 0;
}
