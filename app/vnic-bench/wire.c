/* SPDX-License-Identifier: BSD-3-Clause
 * wire.c - the lower ports of the measurements
 */
#include "wire.h"

#include <stdio.h>
#include <string.h>

#include <rte_cycles.h>
#include <rte_errno.h>
#include <rte_eth_ring.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_ring.h>

#include <vnic.h>

#define TURN_BURST 64

int wire_null_open(uint16_t *port)
{
	const struct vnic_port_conf conf = {.numa_node = -1};
	char why[256];

	if (vnic_port_open("net_null_bench", &conf, 1023, port, why, sizeof(why)) == 0)
		return 0;
	fprintf(stderr, "vnic-bench: %s\n", why);
	return -1;
}

void wire_close(uint16_t port)
{
	vnic_port_close(port);
}

/* ---- a ring and its pace ---- */

static int no_ring(struct wire_ring *w, uint32_t size)
{
	fprintf(stderr, "vnic-bench: no net_ring port of %u descriptors: %s; more hugepages: echo 512 > "
		"/proc/sys/vm/nr_hugepages as root, or a larger -m\n", size, rte_strerror(rte_errno));
	wire_ring_close(w);
	return -1;
}

/* One tx queue, as the ring is its only end. */
static int start(uint16_t port, uint32_t size)
{
	struct rte_eth_conf eth;
	int rc;

	memset(&eth, 0, sizeof(eth));
	rc = rte_eth_dev_configure(port, 0, 1, &eth);
	if (rc == 0)
		rc = rte_eth_tx_queue_setup(port, 0, (uint16_t)size, rte_socket_id(), NULL);
	if (rc == 0)
		rc = rte_eth_dev_start(port);
	rte_errno = -rc;
	return rc;
}

int wire_ring_open(struct wire_ring *w, uint32_t size, uint64_t packets_per_s)
{
	static unsigned int serial;
	char name[32];
	int port;

	*w = (struct wire_ring){.port = RTE_MAX_ETHPORTS,
				.ticks = (double)rte_get_tsc_hz() / (double)packets_per_s};
	snprintf(name, sizeof(name), "bench_wire%u", serial++);
	w->ring = rte_ring_create(name, size, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ | RING_F_EXACT_SZ);
	if (w->ring == NULL)
		return no_ring(w, size);
	port = rte_eth_from_ring(w->ring);
	if (port < 0)
		return no_ring(w, size);
	w->port = (uint16_t)port;
	w->turn = rte_rdtsc();
	return start(w->port, size) == 0 ? 0 : no_ring(w, size);
}

void wire_ring_turn(struct wire_ring *w)
{
	struct rte_mbuf *packet[TURN_BURST];
	uint64_t now = rte_rdtsc(), due = (uint64_t)((double)(now - w->turn) / w->ticks);
	uint32_t nb = 1;

	if (due == 0)
		return;
	/* what is due was on the wire in time, even if this thread was not there to see it */
	w->turn += (uint64_t)((double)due * w->ticks);
	for (; due != 0 && nb != 0; due -= nb) {
		nb = rte_ring_sc_dequeue_burst(w->ring, (void **)packet,
					       (unsigned int)RTE_MIN(due, (uint64_t)TURN_BURST), NULL);
		rte_pktmbuf_free_bulk(packet, nb);
		w->left += nb;
	}
	if (due != 0)
		w->turn = now; /* it ran dry: that time is lost */
}

uint32_t wire_ring_held(const struct wire_ring *w)
{
	return rte_ring_count(w->ring);
}

void wire_ring_close(struct wire_ring *w)
{
	struct rte_eth_dev_info info;
	void *packet;

	if (w->port != RTE_MAX_ETHPORTS && rte_eth_dev_info_get(w->port, &info) == 0) {
		rte_eth_dev_stop(w->port);
		rte_eth_dev_close(w->port);
		rte_dev_remove(info.device);
	}
	while (w->ring != NULL && rte_ring_sc_dequeue(w->ring, &packet) == 0)
		rte_pktmbuf_free(packet);
	rte_ring_free(w->ring);
	*w = (struct wire_ring){.port = RTE_MAX_ETHPORTS};
}
