/* SPDX-License-Identifier: BSD-3-Clause
 * operation.c - control requests of an adapter: issued by any thread, begun by the control
 * thread, ended there or by their cancel routine
 */
#include "adapter.h"

#include <errno.h>

/* ---- who waits ---- */

void vnic__operation_wait(struct vnic_adapter *a, struct vnic_request *r)
{
	/* one that was cancelled before is completed by the queue; its effect stands */
	vnic_request_queue_insert(a->life.waiting, r);
	a->life.active = true;
}

struct range {
	uint32_t code;
	uint64_t from, to;
};

static bool in_range(const struct vnic_request *r, void *context)
{
	const struct range *range = context;

	return r->code == range->code && r->argument >= range->from && r->argument <= range->to;
}

void vnic__operation_end(struct vnic_adapter *a, enum vnic_control_code code, uint64_t from,
			 uint64_t to, uint32_t status)
{
	struct range range = {code, from, to};
	struct vnic_request *r;

	while ((r = vnic_request_queue_remove_next(a->life.waiting, in_range, &range)) != NULL)
		vnic_request_complete(r, status);
}

void vnic__operation_cancel_all(struct vnic_adapter *a)
{
	struct vnic_request *r;

	while ((r = vnic_request_queue_remove_next(a->life.waiting, NULL, NULL)) != NULL)
		vnic_request_complete(r, VNIC_STATUS_CANCELLED);
}

/* ---- the operations: control thread ---- */

static void refuse(struct vnic_request *r)
{
	vnic_request_complete(r, VNIC_STATUS_INVALID_STATE);
}

static void begin_initialize(struct vnic_adapter *a, struct vnic_request *r)
{
	if (vnic__life_event(a, EVENT_INITIALIZE))
		vnic__operation_wait(a, r);
	else
		refuse(r);
}

static void begin_restart(struct vnic_adapter *a, struct vnic_request *r)
{
	if (!a->life.removing && vnic__life_event(a, EVENT_RESTART))
		vnic__operation_wait(a, r);
	else
		refuse(r);
}

static void begin_pause(struct vnic_adapter *a, struct vnic_request *r)
{
	if (vnic__life_event(a, EVENT_PAUSE))
		vnic__operation_wait(a, r);
	else
		refuse(r);
}

static void begin_halt(struct vnic_adapter *a, struct vnic_request *r)
{
	/* a reset on its way would call the driver after its halt */
	if (vnic__life_state(&a->life) != VNIC_STATE_PAUSED || a->life.resetting) {
		refuse(r);
		return;
	}
	if (a->driver.halt != NULL)
		a->driver.halt(a, a->driver_context);
	vnic__life_event(a, EVENT_HALT);
	vnic_request_complete(r, VNIC_STATUS_SUCCESS);
}

static void begin_shutdown(struct vnic_adapter *a, struct vnic_request *r)
{
	if (!vnic__life_event(a, EVENT_SHUTDOWN)) {
		refuse(r);
		return;
	}
	if (a->driver.shutdown != NULL)
		a->driver.shutdown(a, a->driver_context);
	/* nothing of the driver is called from here on */
	a->life.resetting = false;
	a->life.force = true;
	vnic__operation_end(a, VNIC_CONTROL_PAUSE, 0, UINT64_MAX, VNIC_STATUS_INVALID_STATE);
	vnic__operation_end(a, VNIC_CONTROL_RESTART, 0, UINT64_MAX, VNIC_STATUS_INVALID_STATE);
	vnic__operation_end(a, VNIC_CONTROL_RESET, 0, UINT64_MAX, VNIC_STATUS_INVALID_STATE);
	vnic__operation_wait(a, r);
}

static void begin_reset(struct vnic_adapter *a, struct vnic_request *r)
{
	if (a->life.resetting) {
		vnic_request_complete(r, VNIC_STATUS_RESET_IN_PROGRESS);
	} else {
		a->life.resetting = a->life.force = true;
		vnic__life_set_gate(a);
		vnic__operation_wait(a, r);
	}
}

static void begin_power(struct vnic_adapter *a, struct vnic_request *r)
{
	if (r->argument == 0) {
		a->life.low_power = a->life.force = true;
		vnic__life_set_gate(a);
		vnic__operation_wait(a, r);
	} else {
		a->life.low_power = false;
		vnic__operation_end(a, VNIC_CONTROL_POWER, 0, 0, VNIC_STATUS_INVALID_STATE);
		vnic__life_set_gate(a);
		vnic_request_complete(r, VNIC_STATUS_SUCCESS);
	}
}

static void begin_remove(struct vnic_adapter *a, struct vnic_request *r)
{
	vnic__life_remove(a);
	vnic__operation_wait(a, r);
}

static void begin_drain(struct vnic_adapter *a, struct vnic_request *r)
{
	vnic__drain_ask(a, r);
	vnic__operation_wait(a, r);
}

static void begin_wait_link(struct vnic_adapter *a, struct vnic_request *r)
{
	vnic__life_look(a);
	if (a->life.link_up == (r->argument != 0))
		vnic_request_complete(r, VNIC_STATUS_SUCCESS);
	else
		vnic__operation_wait(a, r);
}

/* ---- a cancel of sends as a request: any thread ---- */

static void cancel_done(struct vnic_ticket *t)
{
	struct vnic_request *r = container_of(t, struct vnic_request, ticket);
	struct vnic_adapter *a = t->adapter;
	bool owned = vnic_request_queue_remove(a->life.waiting, r);

	vnic__ticket_let_go(t);
	if (owned)
		r->verdict = t->verdict;
	vnic__request_drop(r); /* if it is owned it is pending, and stays; its done may reuse it */
	if (owned)
		vnic_request_complete(r, VNIC_STATUS_SUCCESS);
}

/* The NBLs meant are those sent before this moment, so it is not left to the control thread.
 * What has been cancelled is gone, whoever still waits for the verdict. */
static void take_back(struct vnic_adapter *a, struct vnic_client *client, struct vnic_request *r)
{
	struct vnic_ticket *t = &r->ticket;
	bool all = r->code == VNIC_CONTROL_ABORT;

	vnic__request_hold(r); /* until the ticket is done */
	vnic__ticket_begin(t, a, all ? 0 : r->argument, all ? 0 : UINT64_MAX);
	if (client != NULL)
		vnic__ticket_of(t, client);
	t->done = cancel_done;
	atomic_store_explicit(&t->state, TICKET_PENDING, memory_order_relaxed);
	vnic_request_queue_insert(a->life.waiting, r);
	vnic__ticket_post(t);
}

/* What comes before: given up already, no effect; of one client that is not there, none. */
static void begin_cancel(struct vnic_adapter *a, struct vnic_request *r)
{
	struct vnic_client *client = NULL;
	bool of_one = r->code == VNIC_CONTROL_ABORT && r->argument != 0;

	if (vnic_request_cancelled(r)) {
		vnic_request_complete(r, VNIC_STATUS_CANCELLED);
		return;
	}
	if (of_one)
		client = vnic__client_find(a, (uint8_t)r->argument);
	if (of_one && client == NULL)
		vnic_request_complete(r, VNIC_STATUS_INVALID_PARAMETER);
	else
		take_back(a, client, r);
}

/* ---- the table ---- */

static const struct operation {
	const char *name;
	void (*begin)(struct vnic_adapter *a, struct vnic_request *r);
	enum vnic_major major;
	uint64_t argument_max;
} operations[VNIC_CONTROL_CODES] = {
	[VNIC_CONTROL_START] = {"start", vnic__start_begin, VNIC_MAJOR_FILE_SYSTEM_CONTROL, 1},
	[VNIC_CONTROL_STOP] = {"stop", vnic__stop_begin, VNIC_MAJOR_FILE_SYSTEM_CONTROL, 0},
	[VNIC_CONTROL_INITIALIZE] = {"initialize", begin_initialize, VNIC_MAJOR_DEVICE_CONTROL, 0},
	[VNIC_CONTROL_RESTART] = {"restart", begin_restart, VNIC_MAJOR_DEVICE_CONTROL, 0},
	[VNIC_CONTROL_PAUSE] = {"pause", begin_pause, VNIC_MAJOR_DEVICE_CONTROL, 0},
	[VNIC_CONTROL_HALT] = {"halt", begin_halt, VNIC_MAJOR_DEVICE_CONTROL, 0},
	[VNIC_CONTROL_SHUTDOWN] = {"shutdown", begin_shutdown, VNIC_MAJOR_DEVICE_CONTROL, 0},
	[VNIC_CONTROL_RESET] = {"reset", begin_reset, VNIC_MAJOR_DEVICE_CONTROL, 0},
	[VNIC_CONTROL_POWER] = {"power", begin_power, VNIC_MAJOR_DEVICE_CONTROL, 1},
	[VNIC_CONTROL_REMOVE] = {"remove", begin_remove, VNIC_MAJOR_DEVICE_CONTROL, 0},
	[VNIC_CONTROL_DRAIN] = {"drain", begin_drain, VNIC_MAJOR_DEVICE_CONTROL, 0},
	[VNIC_CONTROL_WAIT_LINK] = {"link", begin_wait_link, VNIC_MAJOR_DEVICE_CONTROL, 1},
	[VNIC_CONTROL_CANCEL] = {"cancel", begin_cancel, VNIC_MAJOR_DEVICE_CONTROL, UINT64_MAX},
	[VNIC_CONTROL_ABORT] = {"abort", begin_cancel, VNIC_MAJOR_DEVICE_CONTROL, UINT8_MAX},
};

const char *vnic_control_name(enum vnic_control_code code)
{
	return (unsigned int)code - 1 < VNIC_CONTROL_CODES - 1 ? operations[code].name : "unknown";
}

/* ---- from the call to the beginning ---- */

static void leave(struct vnic_request *r)
{
	vnic__gate_leave(&r->adapter->operations);
}

static void leave_lifecycle(struct vnic_request *r)
{
	/* R12 -> A12 */
	atomic_fetch_sub_explicit(&r->adapter->asked, 1, memory_order_release);
}

/* Has the state table's row of control requests a blank here? Initialize has one of its own. */
static bool blank(const struct vnic_adapter *a, const struct vnic_request *r)
{
	return r->major == VNIC_MAJOR_DEVICE_CONTROL && r->code != VNIC_CONTROL_INITIALIZE &&
	       !vnic__state_serves(vnic__life_state(&a->life));
}

void vnic__operation_begin(struct vnic_adapter *a, struct vnic_request *r)
{
	/* given up, or refused by a stop, before it began: no effect */
	if (vnic_request_cancelled(r) ||
	    (a->life.stop != STOP_NOT && r->major != VNIC_MAJOR_FILE_SYSTEM_CONTROL))
		vnic_request_complete(r, VNIC_STATUS_CANCELLED);
	else if (blank(a, r))
		refuse(r);
	else
		operations[r->code].begin(a, r);
}

static void run_posted(struct vnic_control *c, struct vnic__post *p)
{
	struct vnic_request *r = container_of(p, struct vnic_request, post);

	(void)c;
	vnic__operation_begin(r->adapter, r);
}

void vnic__operation_post(struct vnic_request *r)
{
	r->post.run = run_posted;
	r->post.lane = NULL;
	vnic__control_post(r->adapter->control, &r->post);
}

/* Begin it here and now, if there is one, and go on as far as possible. */
static void run_here(struct vnic_adapter *a, struct vnic_request *r)
{
	a->control->busy = true;
	if (r != NULL)
		vnic__operation_begin(a, r);
	vnic__life_poll(a, false);
	a->control->busy = false;
}

/* Does not wait for the control thread. */
static bool takes_back(enum vnic_control_code code)
{
	return code == VNIC_CONTROL_CANCEL || code == VNIC_CONTROL_ABORT;
}

/* Fill the request in, let it into the adapter. What it comes to, PENDING so far. */
static uint32_t admit(struct vnic_adapter *a, enum vnic_control_code code, uint64_t argument,
		      struct vnic_request *r)
{
	r->adapter = a;
	r->code = code;
	r->argument = argument;
	r->leave = NULL;
	if ((unsigned int)code - 1 >= VNIC_CONTROL_CODES - 1 ||
	    argument > operations[code].argument_max ||
	    (code == VNIC_CONTROL_CANCEL && argument == 0))
		return VNIC_STATUS_INVALID_PARAMETER;
	r->major = operations[code].major;
	if (r->major == VNIC_MAJOR_FILE_SYSTEM_CONTROL) {
		/* relaxed: whoever destroys the adapter does so after this call */
		atomic_fetch_add_explicit(&a->asked, 1, memory_order_relaxed);
		r->leave = leave_lifecycle;
		return VNIC_STATUS_PENDING;
	}
	if (!vnic__gate_enter(&a->operations))
		return VNIC_STATUS_REDIRECTOR_NOT_STARTED;
	r->leave = leave;
	/* a glance at the state */
	if (takes_back(code) && blank(a, r))
		return VNIC_STATUS_INVALID_STATE;
	return VNIC_STATUS_PENDING;
}

static uint32_t issue(struct vnic_adapter *a, enum vnic_control_code code, uint64_t argument,
		      struct vnic_request *r, bool here)
{
	uint32_t status;

	if (vnic_request_mark_pending(r) != 0)
		return VNIC_STATUS_INVALID_PARAMETER;
	vnic__request_hold(r); /* its done may let go of it before we have looked at it */
	status = admit(a, code, argument, r);
	if (status != VNIC_STATUS_PENDING)
		vnic_request_complete(r, status);
	else if (takes_back(code))
		begin_cancel(a, r);
	else if (here)
		run_here(a, r);
	else
		vnic__operation_post(r);
	if (here)
		status = vnic_request_status(r);
	vnic__request_drop(r);
	return status;
}

static bool here(const struct vnic_adapter *a)
{
	return vnic__control_here(a->control) && !a->control->busy;
}

uint32_t vnic_adapter_request(struct vnic_adapter *a, enum vnic_control_code code,
			      uint64_t argument, struct vnic_request *r)
{
	return issue(a, code, argument, r, here(a));
}

/* Of a client that is held: may it? What it comes to, PENDING so far. */
static uint32_t admit_client(struct vnic_client *client, enum vnic_control_code code,
			     uint64_t argument, struct vnic_request *r)
{
	uint8_t prefix = code == VNIC_CONTROL_CANCEL ? argument >> VNIC_CANCEL_ID_PREFIX_SHIFT :
						       client->prefix;
	uint32_t status;

	if (!takes_back(code) || prefix != client->prefix ||
	    (code == VNIC_CONTROL_ABORT && argument != 0))
		return VNIC_STATUS_INVALID_PARAMETER;
	status = admit(client->adapter, code, argument, r);
	if (status == VNIC_STATUS_PENDING && !vnic__limit_cancel(client))
		status = VNIC_STATUS_RESOURCES;
	return status;
}

uint32_t vnic_client_request(struct vnic_client *client, enum vnic_control_code code,
			     uint64_t argument, struct vnic_request *r)
{
	bool open = vnic__client_hold(client);
	uint32_t status = VNIC_STATUS_CLOSING;

	if (vnic_request_mark_pending(r) != 0) {
		if (open)
			vnic__client_drop(client);
		return VNIC_STATUS_INVALID_PARAMETER;
	}
	r->leave = NULL;
	if (open)
		status = admit_client(client, code, argument, r);
	if (status != VNIC_STATUS_PENDING) {
		vnic_request_complete(r, status);
		if (open)
			vnic__client_drop(client);
		return status;
	}
	if (vnic_request_cancelled(r)) {
		vnic_request_complete(r, VNIC_STATUS_CANCELLED);
		vnic__client_drop(client);
	} else {
		take_back(client->adapter, client, r); /* which drops it */
	}
	return status;
}

uint32_t vnic_adapter_stop(struct vnic_adapter *a, struct vnic_request *r, bool *post)
{
	bool on_control = here(a);
	uint32_t status = issue(a, VNIC_CONTROL_STOP, 0, r, on_control);

	*post = status == VNIC_STATUS_PENDING && (!on_control || a->life.stop_posted);
	return status;
}

uint32_t vnic_adapter_up(struct vnic_adapter *a)
{
	struct vnic_request *r = vnic_request_create(a->control);
	uint32_t status;

	if (r == NULL)
		return VNIC_STATUS_RESOURCES;
	status = issue(a, VNIC_CONTROL_START, 1, r, true);
	while (status == VNIC_STATUS_PENDING) {
		run_here(a, NULL);
		status = vnic_request_status(r);
	}
	vnic_request_release(r);
	return status;
}
