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
#include "segments.h"
#include "vnic.h"

#include <rte_ring.h>

#define VNIC__LAYERS_MAX 8 /* adapters on top of each other */

/* Why an NBL came back that was not sent whole: two counts each, NBLs and packets. */
enum vnic__reason {
	REASON_ABORTED,
	REASON_PAUSED,
	REASON_RESET,
	REASON_LOW_POWER,
	REASON_MEDIA_DISCONNECTED,
	REASON_CLOSING,
	REASON_RESOURCES,
	REASON_INVALID_LENGTH,
	REASON_INVALID_PARAMETER,
	REASON_FAILURE, /* and whatever else a lower adapter says */
	REASONS
};

enum vnic__reason vnic__reason_of(uint32_t status);

/* (p) counts. Of each side, those from its _HOT on are written out when one of them has
 * changed, not with every burst. */
enum {
	P_ACCEPTED_NBLS, /* put into the ring, since the sender's creation */
	P_ACCEPTED_PACKETS,
	P_NOT_TAKEN,
	P_HOT,
	P_REASONS = P_HOT, /* refused at once */
	P_COUNTS = P_REASONS + 2 * REASONS
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
	C_PORT_REFUSED,
	C_PADDED,
	C_COPIED,
	C_HOT,
	C_BELOW_NBLS = C_HOT, /* with a layer's lower adapters */
	C_BELOW_PACKETS,
	C_OFFLOADED,
	C_SEGMENTED, /* packets */
	C_SEGMENTS,  /* their frames */
	C_REASONS, /* out of the stage, or come back from below */
	C_COUNTS = C_REASONS + 2 * REASONS
};

/* (x) counts */
enum {
	X_REASONS, /* taken out of the ring */
	X_COUNTS = X_REASONS + 2 * REASONS
};

_Static_assert((int)P_COUNTS <= VNIC__COUNTS_MAX && (int)C_COUNTS <= VNIC__COUNTS_MAX,
	       "a block holds a side's counts");

/* What becomes of the NBLs that a cancel or a sweep takes. */
struct vnic__take {
	uint32_t status;
	bool force; /* also an NBL of which packets have left: the rest of it comes back */
	bool pass;  /* and pass over the tombs that the walk has left, whatever the pace */
	/* For a cancel that came down from `depth` adapters above: of each of the top one's
	 * senders the position below which an NBL is meant, and of each adapter between the
	 * slot of the sender by which it came down. See layer.h. */
	uint32_t depth;
	uint8_t path[VNIC__LAYERS_MAX]; /* [1..depth] */
	uint32_t nb_marks;
	const uint64_t *mark;
};

struct vnic_sender {
	/* constant while the sender is open */
	struct vnic_adapter *adapter;
	struct vnic_client *client;
	struct vnic__ring *ring;
	char *nbl_base;
	/* beside the ring's slots, (p) until published, then (c): the only packet of an NBL that
	 * leaves as it is, so that the data thread need not look at the NBL; else NULL */
	struct rte_mbuf **packet;
	struct rte_ring *done_data;    /* completions: data thread -> sender */
	struct rte_ring *done_control; /* completions: control thread -> sender */
	uint32_t outstanding_max; /* so that no completion ring can overflow */
	uint32_t max_untagged; /* bytes of a frame without tag */
	uint32_t nbl_packets; /* at most, of an NBL */
	uint32_t slot;       /* index in the adapter */
	uint16_t max_segs;   /* buffers of a frame that the port takes */
	const struct vnic__offload *offload; /* the adapter's */
	bool open;           /* setup threads only */
	const _Atomic uint32_t *gate; /* the adapter's */
	_Atomic uint32_t weight; /* any thread writes it; the data thread's fair.c goes by it */

	/* (p) */
	alignas(VNIC__LINE) struct vnic__ring_producer producer;
	_Atomic uint32_t door; /* of the adapter's gate: see gate.h */
	bool dispatching;      /* a dispatch is under way */
	uint32_t outstanding;  /* in the ring or beyond */
	uint32_t counted;      /* of them, those in the client's count: see limit.h */
	uint32_t nb_refused;
	struct vnic_nbl *refused_first; /* completed by vnic_send itself */
	struct vnic_nbl *refused_last; /* if there is a first */
	uint64_t p_count[P_COUNTS];
	alignas(VNIC__LINE) struct vnic__account p_account;

	/* (c) */
	alignas(VNIC__LINE) struct vnic__ring_consumer consumer;
	uint32_t cursor; /* packets of the first staged NBL that have left */
	bool singles;    /* staged[] has each staged NBL's packet */
	bool stuck;      /* the port has long refused it: others need not wait; see fair.c */
	int64_t credit;  /* of its turn, less than 0: a debt */
	struct vnic_count helped; /* what the last help aborted; read after A7, like the next */
	uint32_t helped_late; /* what it left alone because a packet had left */
	uint64_t c_count[C_COUNTS];
	struct rte_mbuf *staged[VNIC__RING_STAGE_MAX]; /* beside the consumer's stage[] */
	struct vnic__segments segments; /* of the first staged NBL's next packet */
	uint64_t frames; /* that have left of packets in segments, less those packets */
	alignas(VNIC__LINE) struct vnic__account c_account;

	/* (x) */
	alignas(VNIC__LINE) struct vnic__ring_canceller canceller;
	struct vnic_ticket *asking; /* whose target the consumer was asked to help with */
	struct vnic__take help_take; /* what with; before R6, read between A6 and R7 */
	uint64_t x_count[X_COUNTS];
	alignas(VNIC__LINE) struct vnic__account x_account;
};

/* Data thread: has the port taken anything of the first staged NBL? */
static inline bool vnic__begun(const struct vnic_sender *s)
{
	return s->cursor != 0 || s->segments.first != 0;
}

#endif
