/* SPDX-License-Identifier: BSD-3-Clause
 * life.h - an adapter's life: state, gate, start and stop, and who waits for what
 *
 * Control thread, but for what any thread may read. Everything that closes the gate - a pause,
 * a reset, low power, a lost link or port, a stop - ends in one way: nobody is behind a door,
 * what was queued has been taken back, what was handed down has come to its end. Then the
 * adapter is quiet, and stays so until the gate opens.
 */
#ifndef VNIC_LIFE_H
#define VNIC_LIFE_H

#include "drain.h"
#include "request.h"
#include "state.h"
#include "ticket.h"

enum vnic__quiet {
	QUIET_NOT,   /* the gate is open */
	QUIET_DOORS, /* closed; senders may still be behind their doors */
	QUIET_SWEEP, /* a sweep is under way, or was and has to be made again */
	QUIET_YES
};

struct vnic__life {
	/* any thread reads them, relaxed: a glance */
	_Atomic uint32_t state; /* enum vnic_state */
	_Atomic uint32_t rdbss; /* enum vnic_rdbss_state */
	_Atomic uint32_t version;
	_Atomic(struct vnic_request *) stop_context;
	_Atomic bool dispatching;
	_Atomic bool registered;
	_Atomic bool published; /* release: the name is found complete */
	_Atomic uint64_t hung;

	struct vnic_request_queue *waiting; /* requests; who cancels one takes it out */

	bool active; /* there is something to go on with */
	bool resetting;
	bool low_power;
	bool removing;
	bool removed;   /* to its end */
	_Atomic bool link_up; /* anybody may ask */
	bool force;     /* NBLs half handed down are not waited for */
	enum vnic__quiet quiet;
	uint64_t quiet_tsc; /* when the gate was closed, or the last sweep begun */
	uint64_t closed_tsc;
	bool swept_all;     /* nothing was left when the last sweep began */
	struct vnic_ticket sweep;
	struct vnic__drain drain;

	/* start and stop: lifecycle.c */
	enum { START_NOT, START_DRIVER, START_INITIALIZE, START_RESTART } start;
	enum { STOP_NOT, STOP_HELD, STOP_PAUSE, STOP_DRIVER, STOP_HANDLES } stop;
	struct vnic_request *start_context;
	uint32_t step_status; /* the last initialize's, restart's or stop's of the driver */
	bool stop_again;  /* the driver's stop has failed before */
	bool stop_posted; /* a lock was not to be had, or a start has not ended */

	/* a look every second: is it hung? */
	uint64_t hang_tsc; /* 0: never */
	uint64_t done_seen;
	uint64_t done_tsc;
	uint64_t looked_tsc;
};

/* Setup. */
int vnic__life_init(struct vnic_adapter *a, uint32_t hang_ms);
void vnic__life_fini(struct vnic_adapter *a);
/* Setup, when nothing is outstanding and nothing is asked for: the end of an adapter that may
 * still be started. */
void vnic__life_end(struct vnic_adapter *a);

/* Go on with what can go on; `look` at the link and for a hang too. Returns the steps made. */
uint32_t vnic__life_poll(struct vnic_adapter *a, bool look);

/* Move to the state that follows the event, set the gate; false: a blank, nothing is done. */
bool vnic__life_event(struct vnic_adapter *a, enum vnic__event event);
/* The gate as everything says together; begins to make the adapter quiet if it closes. */
void vnic__life_set_gate(struct vnic_adapter *a);
/* The lower port is not to be touched any more; everything back, then halt. */
void vnic__life_remove(struct vnic_adapter *a);
/* Quiet, everything received returned, and no ticket is under way. */
bool vnic__life_idle(struct vnic_adapter *a);
/* Look at the link now. */
void vnic__life_look(struct vnic_adapter *a);

/* Any thread: leave it to the next poll. */
void vnic__operation_post(struct vnic_request *r);
/* One request for an operation that has been checked, on the control thread. */
void vnic__operation_begin(struct vnic_adapter *a, struct vnic_request *r);
/* It waits until vnic__operation_end() with its code. */
void vnic__operation_wait(struct vnic_adapter *a, struct vnic_request *r);
/* All that wait with this code, and an argument in these bounds, end. */
void vnic__operation_end(struct vnic_adapter *a, enum vnic_control_code code, uint64_t from,
			 uint64_t to, uint32_t status);
/* All that wait end CANCELLED. */
void vnic__operation_cancel_all(struct vnic_adapter *a);

/* lifecycle.c */
void vnic__start_begin(struct vnic_adapter *a, struct vnic_request *r);
void vnic__stop_begin(struct vnic_adapter *a, struct vnic_request *r);
bool vnic__start_step(struct vnic_adapter *a);
bool vnic__stop_step(struct vnic_adapter *a);
/* Setup: the stop of an adapter that is destroyed started. */
void vnic__stop_end(struct vnic_adapter *a);

static inline enum vnic_state vnic__life_state(const struct vnic__life *life)
{
	return (enum vnic_state)atomic_load_explicit(&life->state, memory_order_relaxed);
}

static inline enum vnic_rdbss_state vnic__life_rdbss(const struct vnic__life *life)
{
	return (enum vnic_rdbss_state)atomic_load_explicit(&life->rdbss, memory_order_relaxed);
}

#endif
