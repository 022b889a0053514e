/* SPDX-License-Identifier: BSD-3-Clause
 * states.c - a line for each state that an adapter has come to rest in, and when it has reset itself
 *
 * Main thread.
 */
#include "vnicd.h"

#include <inttypes.h>

#include <rte_ethdev.h>

#include "say.h"

static struct say_kind lines, hangs, losses;

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

/* The one way to Halted that nobody asked for. */
static bool port_is_gone(const struct vnicd_adapter *a)
{
	return a->conf->nb_lower == 0 &&
	       (!rte_eth_dev_is_valid_port(a->port) || rte_eth_dev_is_removed(a->port) == 1);
}

static void tell_hang(struct vnicd_adapter *a)
{
	struct vnic_adapter_stats s;

	vnic_adapter_stats_get(a->adapter, &s);
	if (s.hung == a->hung)
		return;
	a->hung = s.hung;
	say_often(&hangs, SAY_WARNING, "adapter %s: its port took nothing for hang_s = %" PRIu64 ": what was queued was "
		  "taken back, and it was reset; see to who reads there, or give it a longer hang_s", a->conf->name,
		  a->conf->hang_s);
}

void vnicd_states_tell(struct vnicd *d)
{
	for (uint32_t i = 0; i < d->conf.nb_adapters; i++) {
		struct vnicd_adapter *a = &d->adapter[i];
		enum vnic_state now = vnic_adapter_state(a->adapter);

		tell_hang(a);
		if (now == a->told || now == VNIC_STATE_INITIALIZING ||
		    now == VNIC_STATE_RESTARTING || now == VNIC_STATE_PAUSING)
			continue;
		a->told = now;
		if (now == VNIC_STATE_HALTED && port_is_gone(a))
			say_often(&losses, SAY_WARNING, "adapter %s: Halted: its port has gone; bring its device back, "
				  "then start, or start vnicd again", a->conf->name);
		else
			say_often(&lines, SAY_INFO, "adapter %s: %s%s", a->conf->name, vnic_state_name(now),
				  cure(now));
	}
}
