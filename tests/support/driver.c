/* SPDX-License-Identifier: BSD-3-Clause
 * driver.c - a driver that records how its adapter's life calls it, and does as it is told
 */
#include "driver.h"

#include <string.h>

#include "adapter.h"

static uint32_t called(struct driver *d, struct vnic_adapter *a, enum driver_call call)
{
	uint32_t status = d->status[call];
	size_t at = strlen(d->log);

	d->nb_calls++;
	d->nested += d->inside;
	d->inside = true;
	if (d->within != NULL)
		d->within(d, a, call);
	d->inside = false;
	if (d->pends[call] != 0) {
		d->pends[call]--;
		return VNIC_STATUS_PENDING;
	}
	d->nb[call]++;
	if (at + 1 < sizeof(d->log))
		d->log[at] = "+-irpzhd"[call];
	return status;
}

static uint32_t start(struct vnic_adapter *a, struct vnic_request *r, void *context)
{
	(void)r;
	return called(context, a, DRIVER_START);
}

static uint32_t stop(struct vnic_adapter *a, struct vnic_request *r, void *context)
{
	struct driver *d = context;

	d->request = r;
	if (r != NULL) {
		d->major = vnic_request_major(r);
		d->code = vnic_request_control_code(r);
		d->caller = vnic_request_caller(r);
	}
	d->state = vnic_adapter_state(a);
	d->found = d->name != NULL && vnic_control_find(a->control, d->name) != NULL;
	vnic_adapter_start_stop(a, &d->entry);
	return called(d, a, DRIVER_STOP);
}

static uint32_t initialize(struct vnic_adapter *a, void *context)
{
	return called(context, a, DRIVER_INITIALIZE);
}

static uint32_t restart(struct vnic_adapter *a, void *context)
{
	return called(context, a, DRIVER_RESTART);
}

static uint32_t pause(struct vnic_adapter *a, void *context)
{
	return called(context, a, DRIVER_PAUSE);
}

static uint32_t reset(struct vnic_adapter *a, void *context)
{
	return called(context, a, DRIVER_RESET);
}

static void halt(struct vnic_adapter *a, void *context)
{
	called(context, a, DRIVER_HALT);
}

static void shut_down(struct vnic_adapter *a, void *context)
{
	called(context, a, DRIVER_SHUTDOWN);
}

bool driver_link(struct vnic_adapter *a, void *context)
{
	struct driver *d = context;

	(void)a;
	d->nb_link++;
	return !d->link_down;
}

void driver_make(struct driver *d)
{
	memset(d, 0, sizeof(*d));
	d->driver = (struct vnic_driver){.name = "recorder", .start = start, .stop = stop,
					 .initialize = initialize, .restart = restart,
					 .pause = pause, .reset = reset, .halt = halt,
					 .shutdown = shut_down};
}
