/* SPDX-License-Identifier: BSD-3-Clause
 * state.h - the state table of a miniport adapter
 *
 * Pure: control thread, and whoever asks for a name.
 */
#ifndef VNIC_STATE_H
#define VNIC_STATE_H

#include <stdbool.h>

#include "vnic.h"

enum vnic__event {
	EVENT_INITIALIZE,
	EVENT_INITIALIZE_DONE,
	EVENT_INITIALIZE_FAILED,
	EVENT_RESTART,
	EVENT_RESTART_DONE,
	EVENT_RESTART_FAILED,
	EVENT_PAUSE,
	EVENT_PAUSE_DONE,
	EVENT_HALT,
	EVENT_SHUTDOWN,
	EVENTS
};

/* The state that follows, or false: the table has a blank there. */
bool vnic__state_next(enum vnic_state state, enum vnic__event event, enum vnic_state *next);

/* What a send gets in this state: SUCCESS, it is queued. */
uint32_t vnic__state_send(enum vnic_state state);

/* Are control requests (resets among them) served? */
bool vnic__state_serves(enum vnic_state state);

#endif
