/* SPDX-License-Identifier: BSD-3-Clause
 * state.c - the state table of a miniport adapter, as it stands in the contract
 */
#include "state.h"

#define NO 0xff

#define HALTED VNIC_STATE_HALTED
#define SHUTDOWN VNIC_STATE_SHUTDOWN
#define INITIALIZING VNIC_STATE_INITIALIZING
#define PAUSED VNIC_STATE_PAUSED
#define RESTARTING VNIC_STATE_RESTARTING
#define RUNNING VNIC_STATE_RUNNING
#define PAUSING VNIC_STATE_PAUSING

/* clang-format off */
static const uint8_t table[EVENTS][VNIC_STATES] = {
/*                             Halted        Shutdown Initializing Paused      Restarting Running   Pausing  */
[EVENT_INITIALIZE]        = { INITIALIZING, NO,      NO,          NO,         NO,        NO,       NO       },
[EVENT_INITIALIZE_DONE]   = { NO,           NO,      PAUSED,      NO,         NO,        NO,       NO       },
[EVENT_INITIALIZE_FAILED] = { NO,           NO,      HALTED,      NO,         NO,        NO,       NO       },
[EVENT_RESTART]           = { NO,           NO,      NO,          RESTARTING, NO,        NO,       NO       },
[EVENT_RESTART_DONE]      = { NO,           NO,      NO,          NO,         RUNNING,   NO,       NO       },
[EVENT_RESTART_FAILED]    = { NO,           NO,      NO,          NO,         PAUSED,    NO,       NO       },
[EVENT_PAUSE]             = { NO,           NO,      NO,          NO,         NO,        PAUSING,  NO       },
[EVENT_PAUSE_DONE]        = { NO,           NO,      NO,          NO,         NO,        NO,       PAUSED   },
[EVENT_HALT]              = { NO,           NO,      NO,          HALTED,     NO,        NO,       NO       },
[EVENT_SHUTDOWN]          = { NO,           NO,      NO,          SHUTDOWN,   SHUTDOWN,  SHUTDOWN, SHUTDOWN },
};

static const uint32_t sends[VNIC_STATES] = {
	[HALTED]       = VNIC_STATUS_CLOSING,
	[SHUTDOWN]     = VNIC_STATUS_CLOSING,
	[INITIALIZING] = VNIC_STATUS_CLOSING,
	[PAUSED]       = VNIC_STATUS_PAUSED,
	[RESTARTING]   = VNIC_STATUS_PAUSED,
	[RUNNING]      = VNIC_STATUS_SUCCESS,
	[PAUSING]      = VNIC_STATUS_PAUSED,
};

static const bool serves[VNIC_STATES] = {
	[PAUSED] = true, [RESTARTING] = true, [RUNNING] = true, [PAUSING] = true,
};

static const char *const names[VNIC_STATES] = {
	[HALTED] = "Halted", [SHUTDOWN] = "Shutdown", [INITIALIZING] = "Initializing",
	[PAUSED] = "Paused", [RESTARTING] = "Restarting", [RUNNING] = "Running",
	[PAUSING] = "Pausing",
};
/* clang-format on */

bool vnic__state_next(enum vnic_state state, enum vnic__event event, enum vnic_state *next)
{
	if (table[event][state] == NO)
		return false;
	*next = (enum vnic_state)table[event][state];
	return true;
}

uint32_t vnic__state_send(enum vnic_state state)
{
	return sends[state];
}

bool vnic__state_serves(enum vnic_state state)
{
	return serves[state];
}

const char *vnic_state_name(enum vnic_state state)
{
	return (unsigned int)state < VNIC_STATES ? names[state] : "unknown";
}
