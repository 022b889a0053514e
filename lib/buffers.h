/* SPDX-License-Identifier: BSD-3-Clause
 * buffers.h - buffers that ports may have, and those of ports: their names, and when they may go
 *
 * Setup threads. Their name tells how the port came about: made by vnic_port_open(), or found. Of
 * one that was made there may be more: of ports before it that had its number.
 */
#ifndef VNIC_BUFFERS_H
#define VNIC_BUFFERS_H

#include <rte_mempool.h>

#include "vnic.h"

/* `nb` buffers of `room` bytes for a new port, or those of a port that was found, used and left
 * before. NULL and rte_errno: there is no memory. */
struct rte_mempool *vnic__buffers_create(uint16_t port, bool made, uint32_t nb, uint16_t room,
					 int node);
/* Is the port one that was made? */
bool vnic__buffers_made(uint16_t port);
/* Of a port that no other thread has ever polled: free its buffers; NULL is ignored. */
void vnic__buffers_drop(struct rte_mempool *mp);
/* When its port, which was made, is closed: free its buffers, and those that ports before it have
 * left, unless somebody has one of them; see vnic_ports_close(). */
void vnic__buffers_free(uint16_t port, vnic_quiesce *quiesce, void *context);

/* Another number each time, for the names of an adapter's pools: one that is left may outlive it. */
uint32_t vnic__buffers_number(void);
/* Of an adapter that nobody polls any more: free its pool, now, or when the port that has packets of it
 * still has given them back: at the next vnic_ports_close() after that. NULL is ignored. */
void vnic__buffers_leave(struct rte_mempool *mp);
/* When ports were closed: free those of them that are back. */
void vnic__buffers_free_left(vnic_quiesce *quiesce, void *context);

#endif
