/* SPDX-License-Identifier: BSD-3-Clause
 * ethdev.c - the lower edge that is an ethdev port, as a driver
 *
 * Control thread. What is sent to the port is in transmit.c.
 */
#include <rte_ethdev.h>

#include "adapter.h"

static uint32_t initialize(struct vnic_adapter *a, void *context)
{
	(void)context;
	return vnic__ethdev_gone(a) ? VNIC_STATUS_FAILURE : VNIC_STATUS_SUCCESS;
}

/* A port that cannot tell counts as connected. */
static bool link(struct vnic_adapter *a, void *context)
{
	struct rte_eth_link now;

	(void)context;
	return rte_eth_link_get_nowait(a->port, &now) != 0 || now.link_status == RTE_ETH_LINK_UP;
}

/* Nothing is sent any more: the port's queue gives back what it has done with. */
static void halt(struct vnic_adapter *a, void *context)
{
	(void)context;
	if (!vnic__ethdev_gone(a))
		rte_eth_tx_done_cleanup(a->port, a->tx_queue, 0);
}

const struct vnic_driver vnic__ethdev_driver = {
	.name = "ethdev", .initialize = initialize, .link = link, .halt = halt};

bool vnic__ethdev_gone(const struct vnic_adapter *a)
{
	return !rte_eth_dev_is_valid_port(a->port) || rte_eth_dev_is_removed(a->port) == 1;
}
