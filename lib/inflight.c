/* SPDX-License-Identifier: BSD-3-Clause
 * inflight.c - does the port tell what it holds?
 */
#include "inflight.h"

#include <string.h>

static int port_status(uint16_t port, uint16_t queue, uint16_t offset)
{
	return rte_eth_tx_descriptor_status(port, queue, offset);
}

enum vnic_in_flight vnic__inflight_init(struct vnic__inflight *f, uint16_t port, uint16_t queue,
					uint32_t limit)
{
	struct rte_eth_txq_info info;

	memset(f, 0, sizeof(*f));
	if (limit == 0)
		return VNIC_IN_FLIGHT_NONE;
	if (rte_eth_tx_queue_info_get(port, queue, &info) != 0)
		return VNIC_IN_FLIGHT_UNKNOWN;
	if (info.nb_desc <= limit)
		return VNIC_IN_FLIGHT_KEPT; /* by its own size */
	if (rte_eth_tx_descriptor_status(port, queue, (uint16_t)(info.nb_desc - 1)) < 0)
		return VNIC_IN_FLIGHT_UNKNOWN;
	*f = (struct vnic__inflight){.status = port_status, .port = port, .queue = queue,
				     .nb_desc = info.nb_desc, .limit = (uint16_t)limit};
	return VNIC_IN_FLIGHT_KEPT;
}
