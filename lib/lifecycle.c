/* SPDX-License-Identifier: BSD-3-Clause
 * lifecycle.c - start and stop of an adapter's driver: the part of RDBSS
 *
 * Control thread. A stop is conservative: what can be cancelled is, the rest is waited for,
 * and only then the driver is called.
 */
#include <string.h>

#include "adapter.h"

static void set_rdbss(struct vnic_adapter *a, enum vnic_rdbss_state state)
{
	/* relaxed: readers glance */
	atomic_store_explicit(&a->life.rdbss, state, memory_order_relaxed);
	vnic__life_set_gate(a);
}

/* ---- start ---- */

static void start_end(struct vnic_adapter *a, uint32_t status)
{
	struct vnic_request *r = a->life.start_context;

	a->life.start = START_NOT;
	a->life.start_context = NULL;
	vnic__request_drop(r); /* first: its done may reuse it */
	vnic__operation_end(a, VNIC_CONTROL_START, 0, UINT64_MAX, status);
}

void vnic__start_begin(struct vnic_adapter *a, struct vnic_request *r)
{
	struct vnic__life *l = &a->life;

	if (vnic__life_rdbss(l) == VNIC_RDBSS_STARTED) {
		vnic_request_complete(r, VNIC_STATUS_REDIRECTOR_STARTED);
		return;
	}
	if (vnic__life_rdbss(l) != VNIC_RDBSS_STARTABLE || l->start != START_NOT) {
		vnic_request_complete(r, VNIC_STATUS_INVALID_STATE);
		return;
	}
	vnic__request_hold(r);
	l->start_context = r;
	l->start = START_DRIVER;
	/* relaxed, all: readers glance */
	atomic_fetch_add_explicit(&l->version, 1, memory_order_relaxed);
	atomic_store_explicit(&l->registered, true, memory_order_relaxed);
	vnic__operation_wait(a, r);
}

static bool start_driver(struct vnic_adapter *a)
{
	struct vnic__life *l = &a->life;
	uint32_t status = VNIC_STATUS_SUCCESS;

	if (a->driver.start != NULL)
		status = a->driver.start(a, l->start_context, a->driver_context);
	if (status == VNIC_STATUS_PENDING)
		return false;
	if (status != VNIC_STATUS_SUCCESS) {
		atomic_store_explicit(&l->registered, false, memory_order_relaxed);
		start_end(a, status);
		return true;
	}
	atomic_store_explicit(&l->published, a->driver.publishes_name, memory_order_release);
	atomic_store_explicit(&l->dispatching, true, memory_order_relaxed);
	set_rdbss(a, VNIC_RDBSS_STARTED);
	vnic__gate_open(&a->operations);
	if (l->start_context->argument == 0) {
		start_end(a, VNIC_STATUS_SUCCESS);
		return true;
	}
	l->start = START_INITIALIZE;
	l->step_status = VNIC_STATUS_INVALID_STATE;
	vnic__life_event(a, EVENT_INITIALIZE);
	return true;
}

/* Initialize, then restart: each goes on by itself, and its end is seen by the state. */
bool vnic__start_step(struct vnic_adapter *a)
{
	enum vnic_state state = vnic__life_state(&a->life);

	switch (a->life.start) {
	case START_NOT:
		return false;
	case START_DRIVER:
		return start_driver(a);
	case START_INITIALIZE:
		if (state == VNIC_STATE_INITIALIZING)
			return false;
		if (!vnic__life_event(a, EVENT_RESTART)) {
			start_end(a, a->life.step_status);
			return true;
		}
		a->life.step_status = VNIC_STATUS_INVALID_STATE; /* if it is overtaken */
		a->life.start = START_RESTART;
		return true;
	case START_RESTART:
		if (state == VNIC_STATE_RESTARTING)
			return false;
		start_end(a, a->life.step_status);
		return true;
	}
	return false;
}

/* ---- stop ---- */

static void set_stop_context(struct vnic_adapter *a, struct vnic_request *r)
{
	atomic_store_explicit(&a->life.stop_context, r, memory_order_relaxed);
}

static struct vnic_request *stop_context(const struct vnic_adapter *a)
{
	return atomic_load_explicit(&a->life.stop_context, memory_order_relaxed);
}

/* With the handles' lock: from here on no handle is opened and no operation let in. */
static uint32_t stop_admit(struct vnic_adapter *a, struct vnic_request *r)
{
	if (vnic__life_rdbss(&a->life) == VNIC_RDBSS_STARTABLE)
		return VNIC_STATUS_REDIRECTOR_STOPPED;
	if (a->life.stop != STOP_NOT)
		return VNIC_STATUS_INVALID_STATE;
	vnic__request_hold(r);
	a->life.stop = STOP_HELD;
	set_stop_context(a, r);
	vnic__gate_close(&a->operations);
	set_rdbss(a, VNIC_RDBSS_STOP_IN_PROGRESS);
	return VNIC_STATUS_PENDING;
}

void vnic__stop_begin(struct vnic_adapter *a, struct vnic_request *r)
{
	struct vnic__life *l = &a->life;
	uint32_t status;

	/* neither a start's end nor the open handles' lock is waited for: it is tried again at
	 * the next poll */
	l->stop_posted = l->start != START_NOT || !rte_spinlock_trylock(&a->handles);
	if (l->stop_posted) {
		vnic__operation_post(r);
		return;
	}
	status = stop_admit(a, r);
	rte_spinlock_unlock(&a->handles);
	if (status != VNIC_STATUS_PENDING) {
		vnic_request_complete(r, status);
		return;
	}
	vnic__operation_cancel_all(a);
	vnic__operation_wait(a, r);
}

static void stop_end(struct vnic_adapter *a, uint32_t status)
{
	struct vnic_request *r = stop_context(a);

	a->life.stop = STOP_NOT;
	set_stop_context(a, NULL);
	vnic__request_drop(r); /* it is pending, and stays; its done may reuse it */
	vnic_request_complete(r, status);
}

/* Its requester has cancelled it while it was held back: as if it had not been. */
static void stop_taken_back(struct vnic_adapter *a)
{
	struct vnic_request *r = stop_context(a);

	a->life.stop = STOP_NOT;
	set_stop_context(a, NULL);
	if (!a->life.stop_again) {
		set_rdbss(a, VNIC_RDBSS_STARTED);
		vnic__gate_open(&a->operations);
	}
	vnic__request_drop(r);
}

static bool is_context(const struct vnic_request *r, void *context)
{
	return r == context;
}

/* Held back until operations and sends have ended. */
static bool stop_held(struct vnic_adapter *a)
{
	struct vnic__life *l = &a->life;
	enum vnic_state state = vnic__life_state(l);

	if (vnic_request_status(stop_context(a)) != VNIC_STATUS_PENDING) {
		stop_taken_back(a);
		return true;
	}
	if (!vnic__gate_empty(&a->operations, 0) || !vnic__life_idle(a) || l->resetting ||
	    state == VNIC_STATE_RESTARTING || state == VNIC_STATE_INITIALIZING)
		return false;
	/* from here on it is not taken back; a cancel that is quicker is seen above, later: it is
	 * not waited for here */
	if (vnic_request_queue_remove_next(l->waiting, is_context, stop_context(a)) == NULL)
		return false;
	vnic__life_event(a, EVENT_PAUSE);
	l->stop = STOP_PAUSE;
	return true;
}

/* Its name, and itself. */
static void withdraw(struct vnic_adapter *a)
{
	/* relaxed, both: readers glance */
	atomic_store_explicit(&a->life.published, false, memory_order_relaxed);
	atomic_store_explicit(&a->life.registered, false, memory_order_relaxed);
}

static bool stop_pause(struct vnic_adapter *a)
{
	enum vnic_state state = vnic__life_state(&a->life);

	if (state == VNIC_STATE_PAUSING)
		return false;
	if (state == VNIC_STATE_PAUSED) {
		if (a->driver.halt != NULL)
			a->driver.halt(a, a->driver_context);
		vnic__life_event(a, EVENT_HALT);
	}
	withdraw(a);
	a->life.stop = STOP_DRIVER;
	return true;
}

static bool stop_driver(struct vnic_adapter *a)
{
	uint32_t status = VNIC_STATUS_SUCCESS;

	if (a->driver.stop != NULL)
		status = a->driver.stop(a, stop_context(a), a->driver_context);
	if (status == VNIC_STATUS_PENDING)
		return false;
	a->life.step_status = status;
	a->life.stop = STOP_HANDLES;
	return true;
}

/* Which handles are left, the driver's stop may have changed. */
static bool stop_handles(struct vnic_adapter *a)
{
	uint32_t status = a->life.step_status;
	bool handles;

	if (!rte_spinlock_trylock(&a->handles))
		return false;
	handles = vnic__adapter_clients(a) != 0;
	rte_spinlock_unlock(&a->handles);
	if (status == VNIC_STATUS_SUCCESS && handles)
		status = VNIC_STATUS_REDIRECTOR_HAS_OPEN_HANDLES;
	a->life.stop_again = status != VNIC_STATUS_SUCCESS &&
			     status != VNIC_STATUS_REDIRECTOR_HAS_OPEN_HANDLES;
	if (!a->life.stop_again) {
		atomic_store_explicit(&a->life.dispatching, false, memory_order_relaxed);
		set_rdbss(a, VNIC_RDBSS_STARTABLE);
	}
	stop_end(a, status);
	return true;
}

bool vnic__stop_step(struct vnic_adapter *a)
{
	switch (a->life.stop) {
	case STOP_NOT: return false;
	case STOP_HELD: return stop_held(a);
	case STOP_PAUSE: return stop_pause(a);
	case STOP_DRIVER: return stop_driver(a);
	case STOP_HANDLES: return stop_handles(a);
	}
	return false;
}

void vnic__stop_end(struct vnic_adapter *a)
{
	struct vnic_request r = {.control = a->control, .adapter = a, .code = VNIC_CONTROL_STOP,
				 .major = VNIC_MAJOR_FILE_SYSTEM_CONTROL};

	if (vnic__life_rdbss(&a->life) == VNIC_RDBSS_STARTABLE)
		return;
	set_stop_context(a, &r);
	set_rdbss(a, VNIC_RDBSS_STOP_IN_PROGRESS);
	withdraw(a);
	while (a->driver.stop != NULL &&
	       a->driver.stop(a, &r, a->driver_context) == VNIC_STATUS_PENDING)
		;
}

/* ---- what any thread may ask ---- */

const char *vnic_rdbss_name(enum vnic_rdbss_state state)
{
	static const char *const names[] = {
		[VNIC_RDBSS_STARTABLE] = "STARTABLE", [VNIC_RDBSS_STARTED] = "STARTED",
		[VNIC_RDBSS_STOP_IN_PROGRESS] = "STOP_IN_PROGRESS"};

	return (unsigned int)state < sizeof(names) / sizeof(names[0]) ? names[state] : "unknown";
}

void vnic_adapter_start_stop(const struct vnic_adapter *a, struct vnic_start_stop_context *copy)
{
	const struct vnic__life *l = &a->life;

	/* relaxed, all: a glance */
	copy->state = vnic__life_rdbss(l);
	copy->version = atomic_load_explicit(&l->version, memory_order_relaxed);
	copy->stop_context = stop_context(a);
	copy->dispatching = atomic_load_explicit(&l->dispatching, memory_order_relaxed);
	copy->registered = atomic_load_explicit(&l->registered, memory_order_relaxed);
	copy->published = atomic_load_explicit(&l->published, memory_order_relaxed) &&
			  vnic__adapter_named(a, a->name);
	copy->open_handles = vnic__adapter_clients(a);
	copy->operations = atomic_load_explicit(&a->operations.word, memory_order_relaxed) &
			   ~VNIC__GATE_CLOSED;
}

struct vnic_adapter *vnic_control_find(const struct vnic_control *c, const char *name)
{
	for (uint32_t i = 0, n = vnic__control_adapters(c); i < n; i++)
		if (atomic_load_explicit(&c->adapter[i]->life.published, memory_order_acquire) &&
		    vnic__adapter_named(c->adapter[i], name))
			return c->adapter[i];
	return NULL;
}
