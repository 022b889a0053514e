/* SPDX-License-Identifier: BSD-3-Clause
 * port.c - an ethdev port from its devargs, configured and started
 */
#include "buffers.h"
#include "offload.h"
#include "vnic.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <rte_dev.h>
#include <rte_errno.h>
#include <rte_ethdev.h>

#define RX_DESC 512
#define TX_DESC 512
#define NAME_LEN 64
#define XDP "net_af_xdp"
#define AF_PACKET_DRIVER "net_af_packet"
#define XDP_KEEPS 6144u /* of each queue: in its fill, rx and tx rings */
#define LIMITS "see the driver's limits in DPDK's guide"
#define MEMORY "give EAL more memory (-m MIB) or set fewer mbufs"
#define STRAYS_MAX 4096

/* A port on its way up: what is asked of it, and what is known of it. */
struct opening {
	const char *devargs;
	const struct vnic_port_conf *conf;
	uint32_t nb_mbufs;
	uint16_t nb_queues; /* rx */
	uint16_t nb_tx_queues;
	uint16_t port;
	bool made; /* here, not found */
	struct rte_mempool *buffers;
	struct rte_eth_dev_info info;
	const char *what; /* goes wrong, if it does */
	const char *cure;
	char text[48]; /* for a cure with a number */
};

/* What goes wrong and what to do about it, for the one who asked. */
static int wrong(struct opening *o, int rc, const char *what, const char *cure)
{
	o->what = what;
	o->cure = cure;
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

static bool driven_by(const struct opening *o, const char *driver)
{
	return strcmp(o->info.driver_name, driver) == 0;
}

static uint32_t frame_of(uint32_t mtu)
{
	return mtu + RTE_ETHER_HDR_LEN + 2 * RTE_VLAN_HLEN + RTE_ETHER_CRC_LEN;
}

/* Buffers that hold a frame of the port's MTU in one piece, and as many more as the driver keeps
 * in its rings. */
static struct rte_mempool *rx_pool(const struct opening *o, uint16_t rx_desc, int node)
{
	uint32_t room, nb = o->nb_mbufs + (o->nb_queues - 1u) * rx_desc;
	uint16_t mtu = RTE_ETHER_MTU;

	rte_eth_dev_get_mtu(o->port, &mtu);
	room = RTE_MAX(frame_of(mtu), (uint32_t)RTE_MBUF_DEFAULT_DATAROOM);
	if (driven_by(o, XDP)) {
		room = RTE_MBUF_DEFAULT_DATAROOM; /* more does not fit its frames */
		nb += XDP_KEEPS * RTE_MAX(o->nb_queues, o->nb_tx_queues);
	}
	return vnic__buffers_create(o->port, o->made, nb,
				    (uint16_t)RTE_MIN(room + RTE_PKTMBUF_HEADROOM, (uint32_t)UINT16_MAX),
				    node);
}

static int set_up_queues(struct opening *o, uint16_t rx, uint16_t tx, int node)
{
	int rc = 0;

	for (uint16_t q = 0; rc == 0 && q < o->nb_queues; q++)
		rc = rte_eth_rx_queue_setup(o->port, q, rx, (unsigned int)node, NULL, o->buffers);
	for (uint16_t q = 0; rc == 0 && q < o->nb_tx_queues; q++)
		rc = rte_eth_tx_queue_setup(o->port, q, tx, (unsigned int)node, NULL);
	if (rc == 0)
		return 0;
	if (driven_by(o, XDP))
		return wrong(o, rc, "queues cannot be set up",
			     "an interface that exists and is up, the rights for BPF, and as many "
			     "queues as it has (start_queue=, queue_count=)");
	return wrong(o, rc, "queues cannot be set up", LIMITS);
}

static int queues(struct opening *o)
{
	const struct vnic_port_conf *conf = o->conf;
	int node = conf->numa_node >= 0 ? conf->numa_node : rte_eth_dev_socket_id(o->port);
	uint16_t rx = conf->rx_desc != 0 ? conf->rx_desc : RX_DESC;
	uint16_t tx = conf->tx_desc != 0 ? conf->tx_desc : TX_DESC;
	int rc = rte_eth_dev_adjust_nb_rx_tx_desc(o->port, &rx, &tx);

	if (rc != 0)
		return wrong(o, rc, "queues cannot be set up", LIMITS);
	o->buffers = rx_pool(o, rx, node);
	if (o->buffers == NULL)
		return wrong(o, -rte_errno, "no memory for its rx buffers", MEMORY);
	return set_up_queues(o, rx, tx, node);
}

/* A packet socket hears every interface until it is bound to its own: what net_af_packet has
 * caught so far is not for us. Other ports may have packets that are (a capture's). */
static void drop_strays(const struct opening *o)
{
	struct rte_mbuf *packet[32];
	uint32_t n, k;

	if (!driven_by(o, AF_PACKET_DRIVER))
		return;
	for (uint16_t q = 0; q < o->nb_queues; q++)
		for (n = 0, k = 1; k != 0 && n < STRAYS_MAX; n += k) {
			k = rte_eth_rx_burst(o->port, q, packet, RTE_DIM(packet));
			rte_pktmbuf_free_bulk(packet, k);
		}
}

/* The largest MTU there may be: the driver's own, by either of its two words, and the frames that
 * it has buffers for. */
static uint32_t mtu_max(const struct opening *o)
{
	const uint32_t own = RTE_ETHER_HDR_LEN + RTE_ETHER_CRC_LEN;
	const uint32_t room = RTE_MBUF_DEFAULT_DATAROOM - frame_of(0);
	uint32_t max = o->info.max_mtu;

	if (max == UINT16_MAX || max == 0)
		max = RTE_MIN(o->info.max_rx_pktlen, (uint32_t)UINT16_MAX + own) - own;
	return driven_by(o, XDP) ? RTE_MIN(max, room) : max;
}

static int refuse_mtu(struct opening *o)
{
	snprintf(o->text, sizeof(o->text), "this driver's limit is mtu = %u", mtu_max(o));
	return wrong(o, -EINVAL, "does not take this MTU", o->text);
}

/* The configured MTU stands where a driver has nothing to be told. */
static int set_mtu(struct opening *o, uint16_t mtu)
{
	int rc = o->conf->mtu == 0 ? 0 : rte_eth_dev_set_mtu(o->port, mtu);

	if (rc == 0 || rc == -ENOTSUP)
		return 0;
	return wrong(o, rc, "does not take this MTU", LIMITS);
}

/* The port as `conf` wants it, without its queues. Of what arrives nothing is to be changed: no
 * rx offload, but that for frames in several buffers where one would not hold them. */
static int prepare(struct opening *o)
{
	struct rte_eth_conf eth;
	uint16_t mtu = RTE_ETHER_MTU;
	int rc = rte_eth_dev_get_mtu(o->port, &mtu);

	if (o->conf->mtu != 0)
		mtu = (uint16_t)o->conf->mtu;
	if (rc == 0)
		rc = rte_eth_dev_info_get(o->port, &o->info);
	if (rc != 0)
		return wrong(o, rc, "says nothing of itself", LIMITS);
	if (o->conf->mtu > UINT16_MAX || (o->conf->mtu != 0 && o->conf->mtu > mtu_max(o)))
		return refuse_mtu(o);
	if (o->nb_queues > o->info.max_rx_queues || o->nb_tx_queues > o->info.max_tx_queues)
		return wrong(o, -EINVAL, "has not so many queues",
			     "fewer queues, or more in its devargs (queues=, queue_count=, ...)");
	memset(&eth, 0, sizeof(eth));
	eth.rxmode.mtu = (uint16_t)RTE_MIN((uint32_t)mtu, mtu_max(o));
	if (frame_of(mtu) > UINT16_MAX - RTE_PKTMBUF_HEADROOM)
		eth.rxmode.offloads = o->info.rx_offload_capa & RTE_ETH_RX_OFFLOAD_SCATTER;
	eth.txmode.offloads = vnic__offload_wanted(&o->info);
	rc = rte_eth_dev_configure(o->port, o->nb_queues, o->nb_tx_queues, &eth);
	if (rc != 0)
		return wrong(o, rc, "cannot be configured (is it in use already?)", LIMITS);
	return set_mtu(o, mtu);
}

static int set_up(struct opening *o)
{
	int rc = prepare(o);

	if (rc == 0)
		rc = queues(o);
	if (rc != 0)
		return rc;
	rc = rte_eth_dev_start(o->port);
	if (rc != 0)
		return wrong(o, rc, "cannot be started", LIMITS);
	drop_strays(o);
	return 0;
}

/* Of a stopped port: one that was found stays. */
static void remove_device(uint16_t port, bool made)
{
	struct rte_eth_dev_info info;

	if (!made || rte_eth_dev_info_get(port, &info) != 0)
		return;
	rte_eth_dev_close(port);
	rte_dev_remove(info.device);
}

static bool asks(const char *devargs, const char *for_what)
{
	return strstr(devargs, for_what) != NULL;
}

/* Why a device cannot be made, as far as its arguments tell. */
static int no_device(struct opening *o, int rc)
{
	if (asks(o->devargs, "net_memif") && asks(o->devargs, "zero-copy=yes"))
		return wrong(o, rc, "no zero-copy",
			     "it wants hugepages and EAL's --single-file-segments; or leave out "
			     "zero-copy=yes");
	return wrong(o, rc, "no such device",
		     "check the driver's name and what its arguments refer to (file, interface, "
		     "socket, rights)");
}

/* Find the device's port, or make it. */
static int find(struct opening *o, const char *name)
{
	int rc;

	if (rte_eth_dev_get_port_by_name(name, &o->port) == 0)
		return 0;
	rc = rte_dev_probe(o->devargs);
	if (rc != 0)
		return no_device(o, rc);
	o->made = true;
	rc = rte_eth_dev_get_port_by_name(name, &o->port);
	if (rc == 0)
		return 0;
	rte_eal_hotplug_remove("vdev", name); /* under another name, as devargs of this form do not */
	return no_device(o, rc);
}

int vnic_port_open(const char *devargs, const struct vnic_port_conf *conf, uint32_t nb_mbufs,
		   uint16_t *port, char *why, size_t len)
{
	struct opening o = {.devargs = devargs, .conf = conf, .nb_mbufs = nb_mbufs,
			    .nb_queues = conf->nb_queues != 0 ? conf->nb_queues : 1};
	char name[NAME_LEN];
	int rc = device_name(devargs, name);

	o.nb_tx_queues = conf->nb_tx_queues != 0 ? conf->nb_tx_queues : o.nb_queues;
	if (rc != 0)
		wrong(&o, rc, "no device name", "write NAME[,KEY=VALUE]... as for DPDK's --vdev");
	else
		rc = find(&o, name);
	if (rc == 0) {
		rc = set_up(&o);
		if (rc == 0) {
			*port = o.port;
			return 0;
		}
		remove_device(o.port, o.made);
		if (o.made)
			vnic__buffers_drop(o.buffers);
	}
	snprintf(why, len, "port %s: %s: %s; %s", devargs, o.what, rte_strerror(-rc),
		 rc == -ENOMEM || rc == -ENOENT || rc == -ENOBUFS ? MEMORY : o.cure);
	return rc;
}

int vnic_port_info_get(uint16_t port, struct vnic_port_info *info)
{
	struct rte_eth_dev_info dev;
	struct vnic__offload offload;
	uint16_t mtu = 0;

	if (rte_eth_dev_info_get(port, &dev) != 0 || rte_eth_dev_get_mtu(port, &mtu) != 0)
		return -ENODEV;
	vnic__offload_init(&offload, port, 0, mtu);
	*info = (struct vnic_port_info){
		.driver = dev.driver_name, .nb_rx_queues = dev.nb_rx_queues,
		.nb_tx_queues = dev.nb_tx_queues, .mtu = mtu, .nb_segs_max = offload.max_segs,
		.tags = (offload.does & RTE_MBUF_F_TX_VLAN) != 0,
		.sums = (offload.does & RTE_MBUF_F_TX_IP_CKSUM) != 0 || offload.does_l4 != 1,
		.segments = (offload.does & RTE_MBUF_F_TX_TCP_SEG) != 0};
	return 0;
}

int vnic_ports_close(const uint16_t *ports, uint32_t n, vnic_quiesce *quiesce, void *context)
{
	int rc = 0;

	for (uint32_t i = 0; i < n; i++) {
		if (!rte_eth_dev_is_valid_port(ports[i])) {
			rc = -ENODEV;
			continue;
		}
		rte_eth_dev_stop(ports[i]);
		remove_device(ports[i], vnic__buffers_made(ports[i]));
	}
	for (uint32_t i = 0; i < n; i++)
		vnic__buffers_free(ports[i], quiesce, context);
	vnic__buffers_free_left(quiesce, context);
	return rc;
}

int vnic_port_close(uint16_t port)
{
	return vnic_ports_close(&port, 1, NULL, NULL);
}
