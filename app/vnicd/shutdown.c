/* SPDX-License-Identifier: BSD-3-Clause
 * shutdown.c - the end of traffic: nothing new in, what is queued out or back
 */
#include "vnicd.h"

#include <errno.h>
#include <time.h>

/* A port that takes nothing may hold a half-sent NBL for ever: it is left in the account
 * as queued. */
#define CANCEL_BOUND_MS 1000

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

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

static bool wait_empty(struct vnicd *d, uint64_t bound_ms, bool may_hurry)
{
	const struct timespec nap = {.tv_nsec = 200000};
	uint64_t end = now_ms() + bound_ms;

	while (!empty(d)) {
		if (now_ms() >= end || (may_hurry && vnicd_hurried()))
			return false;
		if (vnicd_lcores_poll_main(d) == 0)
			nanosleep(&nap, NULL);
	}
	return true;
}

void vnicd_shutdown(struct vnicd *d)
{
	for (uint32_t i = 0; i < d->conf.nb_faces; i++)
		vnic_face_stop_receive(d->face[i].face);
	vnicd_lcores_quiesce(d);
	if (d->conf.global.shutdown == CONF_SHUTDOWN_DRAIN &&
	    wait_empty(d, d->conf.global.drain_ms, true)) {
		atomic_store(&d->plan_runs, false);
		return;
	}
	atomic_store(&d->plan_runs, false);
	for (uint32_t i = 0; i < d->conf.nb_adapters; i++)
		vnic_adapter_abort(d->adapter[i].adapter, d->abort[i]);
	wait_empty(d, CANCEL_BOUND_MS, false);
	/* tickets are given back by the control lcore, which still runs */
	vnicd_lcores_quiesce(d);
}
