/* SPDX-License-Identifier: BSD-3-Clause
 * adapter.h - an adapter: its lower port, its senders, its pace
 *
 * Senders are published by nb_senders (release) and never removed while lcores poll; a
 * closed one stays as an empty queue until it is opened again.
 */
#ifndef VNIC_ADAPTER_H
#define VNIC_ADAPTER_H

#include <rte_errno.h>

#include "control.h"
#include "fit.h"
#include "inflight.h"
#include "pacer.h"
#include "queue.h"

struct vnic_adapter {
	/* constant */
	char name[32];
	struct vnic_control *control;
	uint16_t port;
	uint16_t tx_queue;
	uint16_t burst;
	uint32_t max_frame;
	bool linear_only;
	int numa_node;
	enum vnic_in_flight in_flight_kept;

	_Atomic uint32_t pending; /* tickets that the control thread has yet to finish */

	/* setup threads */
	uint32_t nb_clients;
	struct vnic_sender *sender[VNIC_SENDERS_MAX];
	_Atomic uint32_t nb_senders; /* R9 -> A9: the sender before its number */

	/* data thread */
	alignas(VNIC__LINE) struct vnic__pacer pacer;
	struct vnic__fit fit;
	struct vnic__inflight inflight;
	uint32_t turn; /* the sender to begin with */

	/* control thread; readers copy at any time */
	alignas(VNIC__LINE) _Atomic uint64_t cancels;
	_Atomic uint64_t cancels_unknown;
	_Atomic uint64_t too_late;
	struct vnic_histogram latency[VNIC_LATENCIES];
};

struct vnic_client {
	struct vnic_adapter *adapter;
	uint32_t nb_senders;
	uint8_t prefix;
};

static inline uint32_t vnic__adapter_senders(const struct vnic_adapter *a)
{
	/* A9 <- R9 */
	return atomic_load_explicit(&a->nb_senders, memory_order_acquire);
}

/* A creator's way out. */
static inline void *vnic__fail(int error)
{
	rte_errno = error;
	return NULL;
}

/* Setup, when no lcore polls: give a sender's memory back. */
void vnic__sender_free(struct vnic_sender *s);

#endif
