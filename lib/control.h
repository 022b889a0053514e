/* SPDX-License-Identifier: BSD-3-Clause
 * control.h - the control lcore's object, and what is posted to it
 *
 *   R10/A10  posted: what is posted before it is found in the list
 *   R11/A11  state: a ticket's verdict before it is seen done
 *   R12/A12  pending, asked: whoever had the adapter for a ticket, a start or a stop is done
 *            with it
 */
#ifndef VNIC_CONTROL_H
#define VNIC_CONTROL_H

#include <rte_spinlock.h>

#include "ring.h"
#include "vnic.h"

#define VNIC__ADAPTERS_MAX 64

/* Whatever any thread wants the control thread to do: a list through what is wanted, so
 * that posting never fails. */
struct vnic__post {
	struct vnic__post *next;
	void (*run)(struct vnic_control *control, struct vnic__post *post);
	struct vnic__lane *lane; /* NULL: it is run when all posted before it have been */
	uint64_t number;         /* (x) */
};

/* (x) What one client has posted and is not run, oldest first. Lanes take turns, so that nobody
 * waits for more than one cancel of each other client; and of a lane only some may wait for
 * data threads at once. Zeroed: empty. */
struct vnic__lane {
	struct vnic__post *first;
	struct vnic__post *last;
	struct vnic__lane *next;
	uint32_t nb_waiting;
};

struct vnic_control {
	_Atomic(struct vnic__post *) posted; /* newest first */
	_Atomic uint32_t prefixes; /* handed out so far */
	_Atomic uintptr_t thread;  /* the one that polled last; 0: none has */
	rte_spinlock_t cancel_lock; /* the cancel lock of this control's requests */

	/* (x) */
	struct vnic__lane *lane_first; /* those whose turn comes */
	struct vnic__lane *lane_last;
	struct vnic__lane nobodys; /* cancels that are no client's */
	struct vnic__lane ordered; /* what has no lane */
	uint64_t nb_sorted;
	struct vnic_ticket *waiting_first; /* for help, oldest first */
	struct vnic_ticket **waiting_last;
	double ns_per_tsc;
	uint64_t tsc_hz;
	uint64_t look_tsc; /* when links are looked at next */
	bool busy; /* it runs: what its callbacks issue waits for the next poll */

	/* setup threads; of handles on two adapters there may be two */
	rte_spinlock_t clients; /* for these four; taken by any thread that looks for a client */
	struct vnic_client *client[256]; /* the open ones, by prefix */
	struct vnic_client *closed_first; /* clients, the longest closed first */
	struct vnic_client **closed_last;
	uint32_t nb_closed;
	_Atomic uint32_t nb_adapters; /* R18 -> A18: the adapter before its number */
	struct vnic_adapter *adapter[VNIC__ADAPTERS_MAX];
};

/* Any thread: R10 -> A10. */
void vnic__control_post(struct vnic_control *control, struct vnic__post *post);

/* Control thread: what was run last of this lane (NULL: of none) waits for a data thread; it
 * waits no more. */
void vnic__lane_wait(struct vnic__lane *lane);
void vnic__lane_go_on(struct vnic_control *control, struct vnic__lane *lane);

/* Is the caller the control thread, the one that polled last? */
bool vnic__control_here(const struct vnic_control *control);

static inline uint32_t vnic__control_adapters(const struct vnic_control *c)
{
	/* A18 <- R18 */
	return atomic_load_explicit(&c->nb_adapters, memory_order_acquire);
}

#endif
