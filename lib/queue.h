/* SPDX-License-Identifier: BSD-3-Clause
 * queue.h - one sender's queue: the ring's three sides and what each has beside it
 *
 * Fields are grouped by writer: (p) the sender's thread, (c) the data thread, (x) the
 * control thread. A group is touched by its writer alone, but for the completion rings
 * and accounts, which are made for two.
 */
#ifndef VNIC_QUEUE_H
#define VNIC_QUEUE_H

#include "account.h"
#include "nbl.h"
#include "ring.h"
#include "vnic.h"

#include <rte_ring.h>

/* (p) counts */
enum {
	P_ACCEPTED_NBLS, /* put into the ring, since the sender's creation */
	P_ACCEPTED_PACKETS,
	P_INVALID_LENGTH_NBLS, /* refused at once, a pair each */
	P_INVALID_LENGTH_PACKETS,
	P_INVALID_PARAMETER_NBLS,
	P_INVALID_PARAMETER_PACKETS,
	P_NOT_TAKEN,
	P_COUNTS
};

/* (c) counts */
enum {
	C_PASSED_NBLS, /* positions left behind: claimed, or tombs */
	C_TOMBS,
	C_STAGED_NBLS,
	C_CLAIMED_PACKETS,
	C_STAGED_PACKETS,
	C_SENT_NBLS,
	C_SENT_PACKETS,
	C_ABORTED_NBLS, /* out of the stage */
	C_ABORTED_PACKETS,
	C_RESOURCES_NBLS,
	C_RESOURCES_PACKETS,
	C_PORT_REFUSED,
	C_PADDED,
	C_COPIED,
	C_COUNTS
};

/* (x) counts */
enum { X_ABORTED_NBLS, X_ABORTED_PACKETS, X_COUNTS };

_Static_assert((int)P_COUNTS <= VNIC__COUNTS_MAX && (int)C_COUNTS <= VNIC__COUNTS_MAX,
	       "a block holds a side's counts");

struct vnic_sender {
	/* constant while the sender is open */
	struct vnic_adapter *adapter;
	struct vnic_client *client;
	struct vnic__ring *ring;
	char *nbl_base;
	struct rte_ring *done_data;    /* completions: data thread -> sender */
	struct rte_ring *done_control; /* completions: control thread -> sender */
	uint32_t depth;
	uint32_t outstanding_max; /* so that no completion ring can overflow */
	uint32_t max_frame;
	uint32_t slot;       /* index in the adapter */
	bool linear_only;    /* the port takes no chains */
	bool open;           /* setup threads only */

	/* (p) */
	alignas(VNIC__LINE) struct vnic__ring_producer producer;
	uint32_t outstanding;
	struct vnic_nbl *refused_first; /* completed by vnic_send itself */
	struct vnic_nbl **refused_last;
	uint64_t p_count[P_COUNTS];
	alignas(VNIC__LINE) struct vnic__account p_account;

	/* (c) */
	alignas(VNIC__LINE) struct vnic__ring_consumer consumer;
	uint32_t cursor; /* packets of the first staged NBL that have left */
	uint64_t help_packets; /* of the NBLs aborted in the last help; read after A7 */
	uint64_t c_count[C_COUNTS];
	alignas(VNIC__LINE) struct vnic__account c_account;

	/* (x) */
	alignas(VNIC__LINE) struct vnic__ring_canceller canceller;
	struct vnic_ticket *asking; /* whose target the consumer was asked to help with */
	uint64_t x_count[X_COUNTS];
	alignas(VNIC__LINE) struct vnic__account x_account;
};

#endif
