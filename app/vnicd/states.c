/* SPDX-License-Identifier: BSD-3-Clause
 * states.c - a line for each state that an adapter has come to rest in
 *
 * Main thread.
 */
#include "vnicd.h"

#include "say.h"

static struct say_kind lines;

/* What goes on from there. */
static const char *cure(enum vnic_state state)
{
	switch (state) {
	case VNIC_STATE_PAUSED: return "; what is sent comes back until: restart";
	case VNIC_STATE_HALTED: return "; to use it again: start";
	case VNIC_STATE_SHUTDOWN: return "; to use it again start vnicd again";
	default: return "";
	}
}

void vnicd_states_tell(struct vnicd *d)
{
	for (uint32_t i = 0; i < d->conf.nb_adapters; i++) {
		struct vnicd_adapter *a = &d->adapter[i];
		enum vnic_state now = vnic_adapter_state(a->adapter);

		if (now == a->told || now == VNIC_STATE_INITIALIZING ||
		    now == VNIC_STATE_RESTARTING || now == VNIC_STATE_PAUSING)
			continue;
		a->told = now;
		say_often(&lines, SAY_INFO, "adapter %s: %s%s", a->conf->name, vnic_state_name(now),
			  cure(now));
	}
}
