/* SPDX-License-Identifier: BSD-3-Clause
 * request.h - the library's side of a request
 *
 * Any thread. Who may complete a pending request is settled by the exchange of its routine
 * (see vnic_request_set_cancel_routine() in vnic.h); what is not atomic here belongs to the
 * request's owner at that time: its issuer before it is issued, then the library or the
 * driver that holds it. References: the creator's, one while it is pending, one for each
 * cancel under way; the last one frees.
 *
 *   SC       routine (its owner exchanges, the canceller reads) against cancelled (the
 *            reverse): Dekker's pattern, all four accesses sequentially consistent. Either
 *            the owner, who sets and then looks, sees the cancel bit, or the canceller, who
 *            marks and then exchanges, gets the routine
 *   R15/A15  status: all that the owner wrote before it completed
 *   R16/A16  refs: the last use by who drops a reference, before who finds it gone frees or
 *            reuses
 *   R17/A17  phase: all that the issuer wrote, before who completes reads whom to tell
 */
#ifndef VNIC_REQUEST_H
#define VNIC_REQUEST_H

#include <sys/queue.h>

#include "ticket.h"

/* CHANGING: one thread makes it pending or complete, and every other one is turned away. */
enum vnic__request_phase { REQUEST_FRESH, REQUEST_CHANGING, REQUEST_PENDING, REQUEST_COMPLETE };

struct vnic_request {
	/* constant */
	struct vnic_control *control;

	_Atomic uint32_t refs;
	_Atomic uint32_t phase;
	_Atomic uint32_t status;

	/* the operation; its owner's */
	struct vnic_adapter *adapter;
	enum vnic_major major;
	uint32_t code;
	uint64_t argument;
	uint64_t caller;
	bool caller_set;
	struct vnic_verdict verdict;

	/* the exchange form */
	_Atomic(vnic_cancel_routine *) routine;
	_Atomic bool cancelled;

	/* the locked form; all three under the lock */
	rte_spinlock_t lock;
	bool flagged; /* RX_CONTEXT_FLAG_CANCELLED */
	vnic_minirdr_cancel_routine *minirdr_routine;

	/* in a cancel-safe queue; a queue's lock is held to write the queue or away from it */
	_Atomic(struct vnic_request_queue *) queue;
	TAILQ_ENTRY(vnic_request) link;

	/* the library's own operations */
	struct vnic__post post;
	struct vnic_ticket ticket; /* of a cancel of sends */

	/* at completion, after the status is published, in this order */
	void (*leave)(struct vnic_request *r); /* the library's own: out of the adapter's gate */
	vnic_request_done *done;
	void *done_context;

	/* while done runs: its thread, and where a reuse within it leaves word */
	_Atomic uintptr_t done_thread;
	bool *reused;
};

/* Any thread: one reference more, one less. */
void vnic__request_hold(struct vnic_request *r);
void vnic__request_drop(struct vnic_request *r);

#endif
