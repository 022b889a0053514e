/* SPDX-License-Identifier: BSD-3-Clause
 * ticket.h - one cancel, or sweep, on its way through the queues of an adapter and of those
 * below it
 *
 * Written by the caller before R10 where it says so, else by the control thread.
 */
#ifndef VNIC_TICKET_H
#define VNIC_TICKET_H

#include "control.h"
#include "queue.h"

enum vnic__ticket_state { TICKET_UNUSED, TICKET_PENDING, TICKET_DONE };

struct vnic_ticket {
	/* the caller's */
	struct vnic__post post;
	struct vnic_adapter *adapter;
	struct vnic_client *client; /* whose cancel it is, NULL: the adapter's */
	uint64_t id;
	uint64_t mask;
	uint64_t called_tsc;
	uint32_t nb_senders;
	uint32_t slots; /* a bit for each sender whose NBLs are meant */
	uint64_t mark[VNIC_SENDERS_MAX];      /* tail at the call */
	uint64_t late_from[VNIC_SENDERS_MAX]; /* settled at the call */
	struct vnic__take take;
	bool barrier;  /* every data thread is to answer, staged match or not */
	bool stays;    /* on the adapter itself: what is below a layer is left alone */
	bool internal; /* a sweep: not a cancel in the adapter's statistics */
	/* control thread: NULL, or instead of vnic__ticket_let_go(), which it calls then */
	void (*done)(struct vnic_ticket *t);

	/* (x) where it is: level 0 is the adapter's own, then down, binding by binding */
	struct vnic_ticket *next_waiting;
	struct vnic__level {
		struct vnic_adapter *adapter;
		uint32_t next_lower; /* the binding to go down to next */
		uint64_t late;       /* matches that have left this adapter's own queue */
		uint64_t late_below; /* of one-to-many, where most were */
		uint64_t aborted;    /* by the verdict, when it went down first */
		bool back; /* all below is done: its data thread is to take the completions */
	} level[VNIC__LAYERS_MAX];
	uint32_t depth;
	struct {
		uint64_t mark;
		uint32_t late; /* matches that may be staged or have left */
	} at[VNIC_SENDERS_MAX];
	uint32_t help_todo; /* a bit for each sender whose stage is to be looked at */
	bool reused;        /* more may have been late */
	uint64_t visible_tsc; /* the last completion */
	struct vnic_verdict verdict; /* before R11 */

	_Atomic uint32_t state;
};

/* Any thread: fill t's caller's part for the adapter's queues as they are now, all senders
 * and a plain cancel. The ticket must not be pending. */
void vnic__ticket_begin(struct vnic_ticket *t, struct vnic_adapter *a, uint64_t id, uint64_t mask);
/* Any thread, after begin: by the client, which is held and dropped when the ticket is done. Of
 * all NBLs its own senders'; of an id with its prefix, whoever has sent them [C16]. */
void vnic__ticket_of(struct vnic_ticket *t, struct vnic_client *client);
/* Any thread: hand it to the control thread. */
void vnic__ticket_post(struct vnic_ticket *t);
/* Control thread: apply it now. */
void vnic__ticket_run(struct vnic_control *control, struct vnic_ticket *t);
/* Control thread: its verdict stands; done with the adapter, and with the ticket. */
void vnic__ticket_let_go(struct vnic_ticket *t);
/* Control thread: go on with those that wait for a data thread; returns how many ended. */
uint32_t vnic__tickets_proceed(struct vnic_control *control);

static inline bool vnic__ticket_pending(const struct vnic_ticket *t)
{
	/* A11 <- R11 */
	return atomic_load_explicit(&t->state, memory_order_acquire) == TICKET_PENDING;
}

#endif
