/* SPDX-License-Identifier: BSD-3-Clause
 * shutdown.c - the end of traffic: nothing new in, what is queued out or back
 */
#include "vnicd.h"

#include <errno.h>
#include <time.h>

#include "clock.h"

/* A stop waits some seconds for an NBL that a port has taken in part only, then takes the rest
 * of it back. */
#define STOP_BOUND_MS 12000
#define COMPLETIONS_BOUND_MS 1000

/* Everything queued is gone and every completion was taken. */
static bool empty(const struct vnicd *d)
{
	struct vnic_adapter_stats stats;
	struct vnic_face_stats face;

	for (uint32_t i = 0; i < d->conf.nb_adapters; i++) {
		vnic_adapter_stats_get(d->adapter[i].adapter, &stats);
		if (stats.queued.nbls != 0)
			return false;
	}
	for (uint32_t i = 0; i < d->conf.nb_faces; i++) {
		vnic_face_stats_get(d->face[i].face, &face);
		if (face.completed + face.dropped != face.received)
			return false;
	}
	return true;
}

static void wait_empty(struct vnicd *d, uint64_t bound_ms)
{
	const struct timespec nap = {.tv_nsec = 200000};
	uint64_t end = now_ms() + bound_ms;

	while (!empty(d)) {
		if (now_ms() >= end)
			return;
		if (vnicd_lcores_poll_main(d) == 0)
			nanosleep(&nap, NULL);
	}
}

/* The same request on every adapter, those above others first; until all have ended, the time
 * is over or the user is in a hurry. True if all succeeded; what has not ended is cancelled. */
static bool request_all(struct vnicd *d, enum vnic_control_code code, uint64_t bound_ms)
{
	const struct timespec nap = {.tv_nsec = 200000};
	uint64_t end = now_ms() + bound_ms;
	bool good = true;

	for (uint32_t i = d->conf.nb_adapters; i-- > 0;) {
		struct vnic_request *r = vnic_request_create(d->control);
		uint32_t status;

		if (r == NULL)
			return false;
		vnic_adapter_request(d->adapter[i].adapter, code, 0, r);
		while ((status = vnic_request_status(r)) == VNIC_STATUS_PENDING) {
			if (now_ms() >= end || vnicd_hurried())
				vnic_request_cancel(r);
			if (vnicd_lcores_poll_main(d) == 0)
				nanosleep(&nap, NULL);
		}
		good &= status == VNIC_STATUS_SUCCESS ||
			status == VNIC_STATUS_REDIRECTOR_HAS_OPEN_HANDLES;
		vnic_request_release(r);
	}
	return good;
}

void vnicd_shutdown(struct vnicd *d)
{
	for (uint32_t i = 0; i < d->conf.nb_faces; i++)
		vnic_face_stop_receive(d->face[i].face);
	vnicd_lcores_quiesce(d);
	if (d->conf.global.shutdown == CONF_SHUTDOWN_DRAIN)
		request_all(d, VNIC_CONTROL_DRAIN, d->conf.global.drain_ms);
	atomic_store(&d->plan_runs, false);
	/* takes back what is queued; the faces' handles are open still, and close later */
	request_all(d, VNIC_CONTROL_STOP, STOP_BOUND_MS);
	wait_empty(d, COMPLETIONS_BOUND_MS);
	/* tickets are given back by the control lcore, which still runs */
	vnicd_lcores_quiesce(d);
}
