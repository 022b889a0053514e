/* SPDX-License-Identifier: BSD-3-Clause
 * need.c - how many packet buffers a configuration needs, and how much memory
 */
#include "need.h"

#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include "devargs.h"

#define MBUFS_SPARE 2048u
#define TX_HELD 512u /* packets that a face's port may hold when it has taken them */
#define XDP_HELD 6144u /* that net_af_xdp keeps of each queue */

/* Packets that an adapter's faces hold of what it receives. */
static uint32_t received_mbufs(const struct conf *conf, uint32_t adapter)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < conf->nb_faces; i++)
		if (conf->face[i].adapter_index == adapter && conf_face_receives(conf, &conf->face[i]))
			n += (uint32_t)conf->face[i].receive_depth + TX_HELD;
	return n;
}

bool need_receives(const struct conf *conf, uint32_t adapter)
{
	return received_mbufs(conf, adapter) != 0;
}

uint32_t need_adapter_mbufs(const struct conf *conf, uint32_t adapter)
{
	return MBUFS_SPARE + received_mbufs(conf, adapter);
}

/* Packets of a face are in its port, its queue and the lower port at once, or with the faces
 * that it sends to. */
uint32_t need_face_mbufs(const struct conf *conf, uint32_t face)
{
	const struct conf_face *f = &conf->face[face];
	const struct conf_adapter *a = &conf->adapter[f->adapter_index];

	if (f->mbufs != 0)
		return (uint32_t)f->mbufs;
	return (uint32_t)(a->depth * f->nbl_packets + a->in_flight) + MBUFS_SPARE +
	       (a->local ? received_mbufs(conf, f->adapter_index) : 0);
}

/* ---- bytes ---- */

/* A pool's own: its ring, and a cache for each lcore that there could be. Its objects do not cross
 * pages if they need not, and have theirs for themselves: EAL gets memory in whole pages, and what it
 * has left of others is not beside them. */
static uint64_t pool_bytes(uint64_t nb, uint64_t bytes, uint64_t page)
{
	uint64_t object = rte_mempool_calc_obj_size((uint32_t)bytes, 0, NULL);

	object = object <= page ? page / (page / object) : RTE_ALIGN_CEIL(object, page);
	return RTE_ALIGN_CEIL(nb * object, page) + nb * 2 * sizeof(void *) +
	       RTE_MAX_LCORE * sizeof(struct rte_mempool_cache);
}

static uint64_t mbufs_bytes(uint64_t nb, uint64_t mtu, uint64_t page)
{
	uint64_t room = RTE_MAX(mtu + 64, (uint64_t)RTE_MBUF_DEFAULT_DATAROOM) + RTE_PKTMBUF_HEADROOM;

	return pool_bytes(nb, sizeof(struct rte_mbuf) + room, page);
}

static uint64_t port_bytes(const char *port, uint64_t nb, uint64_t queues, uint64_t mtu, uint64_t page)
{
	if (devargs_driver(port, "net_af_xdp"))
		nb += XDP_HELD * queues;
	return mbufs_bytes(nb, mtu, page);
}

uint64_t need_adapter_port_bytes(const struct conf *conf, uint32_t adapter, uint64_t page)
{
	const struct conf_adapter *a = &conf->adapter[adapter];

	return a->port[0] == '\0' ? 0 :
	       port_bytes(a->port, need_adapter_mbufs(conf, adapter), 1 + a->nb_shares, a->mtu, page);
}

uint64_t need_face_port_bytes(const struct conf *conf, uint32_t face, uint64_t page)
{
	const struct conf_face *f = &conf->face[face];

	return port_bytes(f->port, need_face_mbufs(conf, face), f->queues, f->mtu, page);
}

/* Places in a queue and in the rings back, and twice as many NBLs. */
static uint64_t queue_bytes(uint64_t depth, uint64_t packets, uint64_t page)
{
	return depth * 160 + pool_bytes(2 * depth, 192 + 8 * packets, page);
}

uint64_t need_adapter_bytes(const struct conf *conf, uint32_t adapter, uint64_t page)
{
	const struct conf_adapter *a = &conf->adapter[adapter];
	uint64_t bytes = RTE_ALIGN_CEIL(UINT64_C(1) << 20, page) + page;

	for (uint32_t i = 0; i < a->nb_lower; i++)
		bytes += queue_bytes(a->lower_depth, a->lower_packets, page);
	for (uint32_t i = 0; i < conf->nb_faces; i++) {
		const struct conf_face *f = &conf->face[i];

		if (f->adapter_index != adapter)
			continue;
		bytes += queue_bytes(a->depth, f->nbl_packets, page);
		if (conf_face_receives(conf, f))
			bytes += mbufs_bytes(f->receive_depth + 512, a->mtu, page);
	}
	return bytes;
}

uint64_t need_base_bytes(void)
{
	return 12 << 20; /* the library for dpdk-dumpcap has 4 of them for its counts */
}
