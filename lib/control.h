/* SPDX-License-Identifier: BSD-3-Clause
 * control.h - the control lcore's object and the tickets posted to it
 *
 *   R10/A10  posted: a ticket's request before the ticket is found in the list
 *   R11/A11  state: a ticket's verdict before it is seen done
 *   R12/A12  pending: the control thread has done with the adapter
 */
#ifndef VNIC_CONTROL_H
#define VNIC_CONTROL_H

#include "ring.h"
#include "vnic.h"

#define VNIC__ADAPTERS_MAX 64

enum vnic__ticket_state { TICKET_UNUSED, TICKET_PENDING, TICKET_DONE };

struct vnic_ticket {
	/* written by the caller of a cancel, before R10 */
	struct vnic_ticket *next; /* in the posted list; then the waiting list's */
	struct vnic_adapter *adapter;
	uint64_t id;
	uint64_t mask;
	uint64_t called_tsc;
	uint32_t nb_senders;
	struct {
		uint64_t mark;      /* tail at the call */
		uint64_t late_from; /* settled at the call */
		uint32_t late;      /* (x) matches that may be staged or have left */
	} at[VNIC_SENDERS_MAX];

	/* (x) */
	bool reused;           /* more may have been late */
	uint32_t help_todo;    /* a bit for each sender whose stage is to be looked at */
	uint64_t visible_tsc;  /* the last completion */
	struct vnic_verdict verdict; /* before R11 */

	_Atomic uint32_t state;
};

struct vnic_control {
	_Atomic(struct vnic_ticket *) posted; /* newest first */
	_Atomic uint32_t prefixes; /* handed out so far */

	/* (x) */
	struct vnic_ticket *waiting_first; /* for help, oldest first */
	struct vnic_ticket **waiting_last;
	double ns_per_tsc;

	/* setup threads */
	uint64_t prefix_open[4]; /* a bit for each prefix that an open client has */
	uint32_t nb_adapters;
	struct vnic_adapter *adapter[VNIC__ADAPTERS_MAX];
};

/* Control thread: apply one ticket; true when its verdict stands. */
bool vnic__cancel_apply(struct vnic_control *control, struct vnic_ticket *t);
/* Control thread: look for answers to its requests for help, ask where it is its turn;
 * true when its verdict stands. */
bool vnic__cancel_proceed(struct vnic_ticket *t);
/* Control thread: record and hand out the verdict. */
void vnic__cancel_finish(struct vnic_control *control, struct vnic_ticket *t);

#endif
