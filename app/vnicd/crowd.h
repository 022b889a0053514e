/* SPDX-License-Identifier: BSD-3-Clause
 * crowd.h - pollers that are in each other's way: what --check, a start and a reload say of them
 *
 * Main thread.
 */
#ifndef VNICD_CROWD_H
#define VNICD_CROWD_H

#include <stdbool.h>

#define CROWD_TEXT 96
#define CROWD_SHARED_EFFECT "they take turns, slower"
#define CROWD_BOTH_EFFECT "cancels wait for packets, and packets for cancels"

/* An lcore that polls all the time: packets, or else the control alone. */
struct crowd {
	unsigned int lcore;
	bool data;
};

/* "data" or "control" */
const char *crowd_name(struct crowd one);
/* Two of them on one CPU; one lcore for both. Each returns `text`. */
const char *crowd_shared(struct crowd one, struct crowd other, int cpu, char text[CROWD_TEXT]);
const char *crowd_both(unsigned int lcore, char text[CROWD_TEXT]);

#endif
