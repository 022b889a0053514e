/* SPDX-License-Identifier: BSD-3-Clause
 * upper.c - test bed of a face
 */
#include "upper.h"

#include <string.h>

#include <rte_dev.h>
#include <rte_eth_ring.h>
#include <rte_ethdev.h>

#include "bed.h"

struct upper upper_open(const struct vnic_adapter_conf *adapter, const struct vnic_face_conf *face,
			uint32_t room, bool chains)
{
	struct upper u = {.r = reception_open(adapter)};
	struct vnic_face_conf conf = *face;
	struct rte_eth_conf eth;
	char name[16];
	int port;

	memset(&eth, 0, sizeof(eth));
	eth.txmode.offloads = chains ? RTE_ETH_TX_OFFLOAD_MULTI_SEGS : 0;
	u.ring = rte_ring_create(bed_unique("upr", name), room, SOCKET_ID_ANY,
				 RING_F_SP_ENQ | RING_F_SC_DEQ | RING_F_EXACT_SZ);
	assert_non_null(u.ring);
	port = rte_eth_from_rings(name, &u.ring, 1, &u.ring, 1, 0);
	assert_true(port >= 0);
	u.port = conf.port = (uint16_t)port;
	assert_int_equal(rte_eth_dev_configure(u.port, 1, 1, &eth), 0);
	assert_int_equal(rte_eth_rx_queue_setup(u.port, 0, 0, SOCKET_ID_ANY, NULL, u.r->mbufs), 0);
	assert_int_equal(rte_eth_tx_queue_setup(u.port, 0, 0, SOCKET_ID_ANY, NULL), 0);
	assert_int_equal(rte_eth_dev_start(u.port), 0);
	u.face = vnic_face_create(u.r->adapter, &conf);
	assert_non_null(u.face);
	return u;
}

void upper_close(struct upper *u)
{
	struct rte_eth_dev_info info;

	assert_int_equal(vnic_face_destroy(u->face), 0);
	assert_int_equal(rte_eth_dev_info_get(u->port, &info), 0);
	assert_int_equal(rte_eth_dev_stop(u->port), 0);
	assert_int_equal(rte_eth_dev_close(u->port), 0);
	assert_int_equal(rte_dev_remove(info.device), 0);
	rte_ring_free(u->ring);
	reception_close(u->r);
}
