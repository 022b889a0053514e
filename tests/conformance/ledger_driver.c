/* SPDX-License-Identifier: BSD-3-Clause
 * ledger_driver.c - a driver that looks at what its callbacks may rely on
 *
 * Control thread, but for the last calls of an adapter's life.
 */
#include "ledger_rig.h"

/* When the driver is stopped no operation is inside. One that is being turned away counts for
 * a moment; one that was let in would wait for this very thread. */
static void check_nobody_inside(struct vnic_adapter *a)
{
	struct vnic_start_stop_context c;

	for (int i = 0; i < 1000; i++) {
		vnic_adapter_start_stop(a, &c);
		if (c.operations == 0)
			return;
		rig_nap(20);
	}
	rig_fail("operations inside when the driver is stopped", c.operations, 0);
}

/* In a callback of a quiet adapter nothing is outstanding, and all of it is counted. */
static void check_quiet(struct vnic_adapter *a, uint32_t line)
{
	struct vnic_adapter_stats st;

	vnic_adapter_stats_get(a, &st);
	if (st.queued.nbls != 0 || st.queued.packets != 0)
		rig_fail("a driver is called with sends outstanding: line, NBLs", line, st.queued.nbls);
}

static void check_thread(struct rig_nic *nic)
{
	uintptr_t here = atomic_load(&nic->rig->here);

	nic->callbacks++;
	if (here != 0 && here != (uintptr_t)pthread_self())
		rig_fail("a callback on another thread", here, (uintptr_t)pthread_self());
}

/* At times a callback has to be called again. */
static uint32_t answer(struct rig_nic *nic)
{
	nic->made_to_wait = !nic->made_to_wait && nic->callbacks % 3 == 0;
	return nic->made_to_wait ? VNIC_STATUS_PENDING : VNIC_STATUS_SUCCESS;
}

static uint32_t quiet_callback(struct vnic_adapter *a, struct rig_nic *nic, uint32_t line)
{
	check_thread(nic);
	check_quiet(a, line);
	return answer(nic);
}

static uint32_t on_start(struct vnic_adapter *a, struct vnic_request *r, void *context)
{
	(void)r;
	return quiet_callback(a, context, __LINE__);
}

static uint32_t on_stop(struct vnic_adapter *a, struct vnic_request *r, void *context)
{
	struct rig_nic *nic = context;
	struct vnic_start_stop_context c;
	uint32_t status;

	vnic_adapter_start_stop(a, &c);
	if (r != NULL && (c.state != VNIC_RDBSS_STOP_IN_PROGRESS || c.stop_context != r))
		rig_fail("stop without its context", c.state, vnic_adapter_state(a));
	if (r != NULL)
		check_nobody_inside(a);
	status = quiet_callback(a, nic, __LINE__);
	atomic_fetch_add(&nic->stops, status == VNIC_STATUS_SUCCESS);
	return status;
}

static uint32_t on_initialize(struct vnic_adapter *a, void *context)
{
	return quiet_callback(a, context, __LINE__);
}

static uint32_t on_restart(struct vnic_adapter *a, void *context)
{
	return quiet_callback(a, context, __LINE__);
}

static uint32_t on_pause(struct vnic_adapter *a, void *context)
{
	return quiet_callback(a, context, __LINE__);
}

static uint32_t on_reset(struct vnic_adapter *a, void *context)
{
	return quiet_callback(a, context, __LINE__);
}

static void on_halt(struct vnic_adapter *a, void *context)
{
	check_thread(context);
	check_quiet(a, __LINE__);
}

static bool on_link(struct vnic_adapter *a, void *context)
{
	struct rig_nic *nic = context;

	(void)a;
	return atomic_load_explicit(&nic->link, memory_order_relaxed);
}

const struct vnic_driver rig_driver = {
	.name = "ledger", .publishes_name = true, .start = on_start, .stop = on_stop,
	.initialize = on_initialize, .restart = on_restart, .pause = on_pause, .reset = on_reset,
	.halt = on_halt, .link = on_link};
