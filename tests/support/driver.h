/* SPDX-License-Identifier: BSD-3-Clause
 * driver.h - a driver that records how its adapter's life calls it, and does as it is told
 *
 * Its callbacks note and never assert: the test does, later. It outlives its bed, so that
 * what is called at the end is seen too.
 */
#ifndef TESTS_DRIVER_H
#define TESTS_DRIVER_H

#include <stdatomic.h>
#include <stdbool.h>

#include "vnic.h"

enum driver_call {
	DRIVER_START,
	DRIVER_STOP,
	DRIVER_INITIALIZE,
	DRIVER_RESTART,
	DRIVER_PAUSE,
	DRIVER_RESET,
	DRIVER_HALT,
	DRIVER_SHUTDOWN,
	DRIVER_CALLS
};

#define DRIVER_LOG_MAX 64

struct driver {
	struct vnic_driver driver; /* to be changed before the adapter is made */

	/* the test's to say */
	uint32_t status[DRIVER_CALLS]; /* what a call returns [SUCCESS] */
	uint32_t pends[DRIVER_CALLS];  /* after so many that return PENDING [0] */
	_Atomic bool link_down;
	/* within a call, before it returns */
	void (*within)(struct driver *d, struct vnic_adapter *a, enum driver_call call);
	void *context; /* of within */

	/* what it has seen */
	uint32_t nb_calls;         /* all but of link */
	uint32_t nb[DRIVER_CALLS]; /* those that did not return PENDING */
	uint32_t nb_link;
	char log[DRIVER_LOG_MAX]; /* their letters, in order: "+-irpzhd" as the calls above */
	uint32_t nested;          /* calls that came within another */
	bool inside;
	/* at the last stop: the request, what it carried, and the adapter then */
	struct vnic_request *request;
	enum vnic_major major;
	uint32_t code;
	uint64_t caller;
	struct vnic_start_stop_context entry;
	enum vnic_state state;
	bool found; /* its name was */
	const char *name; /* to look for */
};

/* All callbacks but link, which driver_link is for; SUCCESS. */
void driver_make(struct driver *d);
bool driver_link(struct vnic_adapter *a, void *context);

#endif
