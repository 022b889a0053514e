/* SPDX-License-Identifier: BSD-3-Clause
 * differ.h - what one configuration has that another has not
 *
 * Main thread.
 */
#ifndef VNICD_DIFFER_H
#define VNICD_DIFFER_H

#include <stdbool.h>
#include <stdint.h>

#include "config.h"

struct vnicd;

#define DIFFER_NEW (-1)

struct differ {
	/* of each section of the new configuration its place among those that run and stay, or NEW;
	 * and of a new one that had to go for it, why: a key, or another cause */
	int32_t adapter_from[CONF_ADAPTERS_MAX], face_from[CONF_FACES_MAX];
	const char *adapter_why[CONF_ADAPTERS_MAX], *face_why[CONF_FACES_MAX];
	/* of those that run */
	bool adapter_stays[CONF_ADAPTERS_MAX], face_stays[CONF_FACES_MAX];
	bool plan; /* it is another */
	bool structure; /* something comes or goes */
};

void differ_find(const struct vnicd *d, const struct vnicd *next, struct differ *diff);
/* The live keys of what stays and of [vnicd] that have another value: a line for each; returns how
 * many. A key of [vnicd] that cannot change keeps its value in `next`, and a line says so. */
uint32_t differ_say(const struct vnicd *d, struct vnicd *next, const struct differ *diff);

#endif
