/* SPDX-License-Identifier: BSD-3-Clause
 * life.c - an adapter's state, its gate, and how it becomes quiet
 */
#include "life.h"

#include <errno.h>

#include <rte_cycles.h>
#include <rte_errno.h>

#include "adapter.h"
#include "layer.h"

#define GRACE_S 10          /* for NBLs half handed down, or with a lower adapter */
#define SWEEPS_PER_S 50000  /* while it waits for them */
#define HANG_MS_DEFAULT 20000

/* ---- the gate ---- */

static uint32_t gate_word(const struct vnic_adapter *a)
{
	const struct vnic__life *l = &a->life;
	uint32_t by_state = vnic__state_send(vnic__life_state(l));

	if (vnic__life_rdbss(l) != VNIC_RDBSS_STARTED)
		return VNIC_STATUS_CLOSING;
	if (l->removing)
		return VNIC_STATUS_MEDIA_DISCONNECTED;
	if (by_state == VNIC_STATUS_CLOSING)
		return by_state;
	if (l->low_power)
		return VNIC_STATUS_LOW_POWER_STATE;
	if (by_state != VNIC_STATUS_SUCCESS)
		return by_state;
	if (l->resetting)
		return VNIC_STATUS_RESET_IN_PROGRESS;
	/* relaxed: this thread's own, as below */
	if (atomic_load_explicit(&l->link_up, memory_order_relaxed))
		return VNIC_STATUS_SUCCESS;
	return VNIC_STATUS_MEDIA_DISCONNECTED;
}

void vnic__life_set_gate(struct vnic_adapter *a)
{
	struct vnic__life *l = &a->life;
	uint32_t word = gate_word(a);

	l->active = true;
	/* relaxed: this thread alone writes it */
	if (atomic_load_explicit(&a->gate, memory_order_relaxed) != word)
		vnic__send_gate_set(&a->gate, word);
	if (word == VNIC_STATUS_SUCCESS) {
		if (l->quiet != QUIET_NOT)
			l->done_tsc = rte_rdtsc(); /* from here on it may hang */
		l->quiet = QUIET_NOT;
		l->force = false;
	} else if (l->quiet == QUIET_NOT) {
		l->quiet = QUIET_DOORS;
		l->closed_tsc = rte_rdtsc();
	}
}

bool vnic__life_event(struct vnic_adapter *a, enum vnic__event event)
{
	enum vnic_state next;

	if (!vnic__state_next(vnic__life_state(&a->life), event, &next))
		return false;
	/* relaxed: readers glance, and senders go by the gate */
	atomic_store_explicit(&a->life.state, next, memory_order_relaxed);
	vnic__life_set_gate(a);
	if (!vnic__state_serves(next)) /* nobody looks at the link any more */
		vnic__operation_end(a, VNIC_CONTROL_WAIT_LINK, 0, 1, VNIC_STATUS_INVALID_STATE);
	return true;
}

/* ---- quiet ---- */

static bool doors_clear(const struct vnic_adapter *a)
{
	for (uint32_t i = 0, n = vnic__adapter_senders(a); i < n; i++)
		if (!vnic__door_clear(&a->sender[i]->door))
			return false;
	return vnic__receive_doors_clear(a);
}

/* Is nothing queued, staged or below? The completions may be on their way still: they
 * are made after these words, and before the next answer to a barrier. */
static bool all_out(const struct vnic_adapter *a)
{
	for (uint32_t i = 0, n = vnic__adapter_senders(a); i < n; i++) {
		const struct vnic__ring *r = a->sender[i]->ring;

		/* A5 <- R5; the tail stands still behind a closed gate */
		if (atomic_load_explicit(&r->settled, memory_order_acquire) !=
		    atomic_load_explicit(&r->tail, memory_order_relaxed))
			return false;
	}
	/* acquire: after settled, before which an NBL counts as below */
	return a->layer == NULL ||
	       atomic_load_explicit(&a->layer->below, memory_order_acquire) == 0;
}

/* What a new send gets, a queued NBL gets; but what a stop takes is cancelled. */
static uint32_t sweep_status(const struct vnic_adapter *a)
{
	uint32_t word = atomic_load_explicit(&a->gate, memory_order_relaxed);

	return word == VNIC_STATUS_CLOSING ? VNIC_STATUS_SEND_ABORTED : word;
}

static void sweep(struct vnic_adapter *a, bool force)
{
	struct vnic__life *l = &a->life;
	struct vnic_ticket *t = &l->sweep;

	l->swept_all = all_out(a);
	l->quiet_tsc = rte_rdtsc();
	vnic__ticket_begin(t, a, 0, 0);
	t->internal = true;
	t->barrier = true;
	t->take.status = sweep_status(a);
	t->take.force = force;
	t->take.pass = true;
	t->stays = !force && t->take.status != VNIC_STATUS_SEND_ABORTED;
	atomic_store_explicit(&t->state, TICKET_PENDING, memory_order_relaxed);
	vnic__ticket_run(a->control, t);
}

static bool quiet_step(struct vnic_adapter *a)
{
	struct vnic__life *l = &a->life;
	uint64_t now = rte_rdtsc(), hz = a->control->tsc_hz;
	bool force = l->force || now - l->closed_tsc > GRACE_S * hz;

	if (l->quiet == QUIET_NOT || l->quiet == QUIET_YES || vnic__ticket_pending(&l->sweep))
		return false;
	if (l->quiet == QUIET_DOORS) {
		if (!doors_clear(a))
			return false;
		vnic__receive_flush(a); /* what was not indicated will not be */
		l->quiet = QUIET_SWEEP;
	} else if (l->swept_all) {
		l->quiet = QUIET_YES;
		return true;
	} else if (!all_out(a) && now - l->quiet_tsc < hz / SWEEPS_PER_S) {
		return false;
	}
	sweep(a, force);
	return true;
}

/* ---- steps of the states ---- */

static uint32_t call(uint32_t (*callback)(struct vnic_adapter *a, void *context),
		     struct vnic_adapter *a)
{
	return callback == NULL ? VNIC_STATUS_SUCCESS : callback(a, a->driver_context);
}

static bool initialize_step(struct vnic_adapter *a)
{
	uint32_t status;

	if (vnic__life_state(&a->life) != VNIC_STATE_INITIALIZING)
		return false;
	status = call(a->driver.initialize, a);
	if (status == VNIC_STATUS_PENDING)
		return false;
	if (status == VNIC_STATUS_SUCCESS) {
		/* a port that had gone is back */
		a->life.removing = a->life.low_power = false;
		/* release: what was done to it before the data thread is there again */
		atomic_store_explicit(&a->gone, false, memory_order_release);
		vnic__life_look(a);
	}
	vnic__life_event(a, status == VNIC_STATUS_SUCCESS ? EVENT_INITIALIZE_DONE :
							    EVENT_INITIALIZE_FAILED);
	a->life.step_status = status;
	vnic__operation_end(a, VNIC_CONTROL_INITIALIZE, 0, UINT64_MAX, status);
	return true;
}

static bool restart_step(struct vnic_adapter *a)
{
	uint32_t status;

	if (vnic__life_state(&a->life) != VNIC_STATE_RESTARTING)
		return false;
	status = call(a->driver.restart, a);
	if (status == VNIC_STATUS_PENDING)
		return false;
	vnic__life_look(a);
	vnic__life_event(a, status == VNIC_STATUS_SUCCESS ? EVENT_RESTART_DONE :
							    EVENT_RESTART_FAILED);
	a->life.step_status = status;
	vnic__operation_end(a, VNIC_CONTROL_RESTART, 0, UINT64_MAX, status);
	return true;
}

static bool reset_step(struct vnic_adapter *a)
{
	uint32_t status;

	if (!a->life.resetting || a->life.quiet != QUIET_YES)
		return false;
	status = call(a->driver.reset, a);
	if (status == VNIC_STATUS_PENDING)
		return false;
	a->life.resetting = false;
	vnic__life_set_gate(a);
	vnic__operation_end(a, VNIC_CONTROL_RESET, 0, UINT64_MAX, status);
	return true;
}

static bool pause_step(struct vnic_adapter *a)
{
	if (vnic__life_state(&a->life) != VNIC_STATE_PAUSING || a->life.quiet != QUIET_YES ||
	    vnic__receive_held(a) || call(a->driver.pause, a) == VNIC_STATUS_PENDING)
		return false;
	vnic__life_event(a, EVENT_PAUSE_DONE); /* it cannot fail */
	vnic__operation_end(a, VNIC_CONTROL_PAUSE, 0, UINT64_MAX, VNIC_STATUS_SUCCESS);
	return true;
}

/* Low power and shutdown are complete when the adapter is quiet. */
static void end_quiet(struct vnic_adapter *a)
{
	if (a->life.quiet != QUIET_YES)
		return;
	if (a->life.low_power)
		vnic__operation_end(a, VNIC_CONTROL_POWER, 0, 0, VNIC_STATUS_SUCCESS);
	if (vnic__life_state(&a->life) == VNIC_STATE_SHUTDOWN)
		vnic__operation_end(a, VNIC_CONTROL_SHUTDOWN, 0, UINT64_MAX, VNIC_STATUS_SUCCESS);
}

/* The lower port has gone: by the usual way to Halted. */
static bool remove_step(struct vnic_adapter *a)
{
	enum vnic_state state = vnic__life_state(&a->life);

	if (!a->life.removing)
		return false;
	if (vnic__life_event(a, EVENT_PAUSE))
		return true;
	if (!vnic__receive_port_left(a))
		return false;
	if (state == VNIC_STATE_PAUSED && a->life.quiet == QUIET_YES && !a->life.resetting) {
		if (a->driver.halt != NULL)
			a->driver.halt(a, a->driver_context);
		vnic__life_event(a, EVENT_HALT);
		state = VNIC_STATE_HALTED;
	}
	if ((state == VNIC_STATE_HALTED || state == VNIC_STATE_SHUTDOWN) &&
	    a->life.quiet == QUIET_YES) {
		a->life.removed = true;
		vnic__operation_end(a, VNIC_CONTROL_REMOVE, 0, UINT64_MAX, VNIC_STATUS_SUCCESS);
	}
	return false;
}

bool vnic__life_idle(struct vnic_adapter *a)
{
	/* A12 <- R12; a round's barrier is among them */
	if (a->life.quiet != QUIET_YES || vnic__receive_held(a) ||
	    atomic_load_explicit(&a->pending, memory_order_acquire) != 0)
		return false;
	/* a round, if there is one, is over: whatever else the lower adapters still have to do */
	vnic__drain_forget(&a->life.drain);
	return true;
}

/* ---- looks ---- */

bool vnic_adapter_link(const struct vnic_adapter *a)
{
	/* relaxed: a look, nothing goes by it */
	return atomic_load_explicit(&a->life.link_up, memory_order_relaxed);
}

void vnic__life_look(struct vnic_adapter *a)
{
	bool up;

	if (a->life.removing)
		return;
	up = a->driver.link(a, a->driver_context);
	if (up == vnic_adapter_link(a))
		return;
	atomic_store_explicit(&a->life.link_up, up, memory_order_relaxed);
	if (!up)
		a->life.force = true;
	vnic__life_set_gate(a);
	vnic__operation_end(a, VNIC_CONTROL_WAIT_LINK, up, up, VNIC_STATUS_SUCCESS);
}

/* With sends pending some completion must come, else the adapter resets itself [C76]. One
 * that is slow because it is told to be, or held, is not hung. */
static void look_for_hang(struct vnic_adapter *a)
{
	struct vnic__life *l = &a->life;
	uint64_t now = rte_rdtsc(), done = 0;
	bool pending = false;

	for (uint32_t i = 0, n = vnic__adapter_senders(a); i < n; i++) {
		const struct vnic_sender *s = a->sender[i];

		/* relaxed: a count of some moment will do */
		done += atomic_load_explicit(&s->c_account.count[C_SENT_PACKETS], memory_order_relaxed);
		pending |= atomic_load_explicit(&s->ring->settled, memory_order_relaxed) !=
			   atomic_load_explicit(&s->ring->tail, memory_order_relaxed);
	}
	/* what was not looked at for a second says nothing: we did not run */
	if (!pending || done != l->done_seen || l->quiet != QUIET_NOT || vnic__hold_wanted(&a->hold) ||
	    now - l->looked_tsc > a->control->tsc_hz) {
		l->done_seen = done;
		l->done_tsc = now;
	} else if (now - l->done_tsc > RTE_MAX(l->hang_tsc, 4 * vnic__pace_frame_tsc(a))) {
		l->done_tsc = now;
		atomic_fetch_add_explicit(&l->hung, 1, memory_order_relaxed);
		l->resetting = l->force = true;
		vnic__life_set_gate(a);
	}
	l->looked_tsc = now;
}

static void look(struct vnic_adapter *a)
{
	if (vnic__life_rdbss(&a->life) != VNIC_RDBSS_STARTED ||
	    !vnic__state_serves(vnic__life_state(&a->life)))
		return;
	if (!a->life.removing && a->layer == NULL && !a->own_link && vnic__ethdev_gone(a))
		vnic__life_remove(a);
	vnic__life_look(a);
	if (a->life.hang_tsc != 0)
		look_for_hang(a);
}

void vnic__life_remove(struct vnic_adapter *a)
{
	/* SC: before the receive side's door is looked at. For what is sent the sweep asks for help
	 * after it, and from then on it is seen */
	atomic_exchange_explicit(&a->gone, true, memory_order_seq_cst);
	a->life.removing = a->life.force = true;
	a->life.removed = false;
	vnic__life_set_gate(a);
}

/* ---- the poll ---- */

static bool (*const steps[])(struct vnic_adapter *a) = {
	quiet_step, initialize_step, restart_step, reset_step, pause_step, remove_step,
	vnic__drain_step,
	vnic__start_step, vnic__stop_step,
};

/* Is there nothing that a later poll could go on with? */
static bool at_rest(const struct vnic_adapter *a)
{
	const struct vnic__life *l = &a->life;
	enum vnic_state state = vnic__life_state(l);

	return (l->quiet == QUIET_NOT || l->quiet == QUIET_YES) && !l->resetting &&
	       (!l->removing || l->removed) &&
	       state != VNIC_STATE_INITIALIZING && state != VNIC_STATE_RESTARTING &&
	       state != VNIC_STATE_PAUSING && l->start == START_NOT && l->stop == STOP_NOT &&
	       vnic__drain_at_rest(&l->drain);
}

uint32_t vnic__life_poll(struct vnic_adapter *a, bool with_look)
{
	uint32_t work = 0;
	bool moved;

	if (with_look)
		look(a);
	if (!a->life.active)
		return 0;
	do {
		moved = false;
		for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
			moved |= steps[i](a);
		end_quiet(a);
		work += moved;
	} while (moved);
	a->life.active = !at_rest(a);
	return work;
}

/* ---- setup ---- */

int vnic__life_init(struct vnic_adapter *a, uint32_t hang_ms)
{
	struct vnic__life *l = &a->life;

	l->waiting = vnic_request_queue_create();
	if (l->waiting == NULL)
		return -rte_errno;
	if (hang_ms != UINT32_MAX)
		l->hang_tsc = (hang_ms != 0 ? hang_ms : HANG_MS_DEFAULT) * (a->control->tsc_hz / 1000);
	atomic_init(&l->link_up, true);
	l->quiet = QUIET_YES; /* nobody has ever been inside */
	atomic_init(&l->state, VNIC_STATE_HALTED);
	atomic_init(&l->rdbss, VNIC_RDBSS_STARTABLE);
	atomic_init(&a->gate, VNIC_STATUS_CLOSING);
	atomic_init(&a->operations.word, VNIC__GATE_CLOSED);
	return 0;
}

void vnic__life_fini(struct vnic_adapter *a)
{
	vnic_request_queue_destroy(a->life.waiting);
}

/* By the usual way to Halted; what the driver has not ended yet has failed. */
void vnic__life_end(struct vnic_adapter *a)
{
	vnic__life_event(a, EVENT_INITIALIZE_FAILED);
	vnic__life_event(a, EVENT_RESTART_FAILED);
	vnic__life_event(a, EVENT_PAUSE);
	while (vnic__life_state(&a->life) == VNIC_STATE_PAUSING &&
	       call(a->driver.pause, a) == VNIC_STATUS_PENDING)
		;
	vnic__life_event(a, EVENT_PAUSE_DONE);
	if (vnic__life_state(&a->life) == VNIC_STATE_PAUSED) {
		if (a->driver.halt != NULL)
			a->driver.halt(a, a->driver_context);
		vnic__life_event(a, EVENT_HALT);
	}
	vnic__stop_end(a);
}

/* ---- what any thread may ask ---- */

enum vnic_state vnic_adapter_state(const struct vnic_adapter *a)
{
	return vnic__life_state(&a->life);
}

uint32_t vnic_adapter_gate(const struct vnic_adapter *a)
{
	return atomic_load_explicit(&a->gate, memory_order_relaxed);
}
