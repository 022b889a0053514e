/* SPDX-License-Identifier: BSD-3-Clause
 * choice.h - which lcore does what: the one that controls, and the one of each adapter
 *
 * Any thread.
 */
#ifndef VNICD_CHOICE_H
#define VNICD_CHOICE_H

#include <stddef.h>

#include "config.h"

struct choice {
	unsigned int control;
	unsigned int data[CONF_ADAPTERS_MAX];
	bool made[CONF_ADAPTERS_MAX]; /* data[] says where it is */
};

/* Of the lcores that EAL has, the main one first and then in EAL's order: what the configuration
 * names; else the first worker controls, and each adapter is with the one of the other workers that
 * has the fewest. 0, or -1 and one line in `why`. */
int choice_make(struct choice *c, const struct conf *conf, const unsigned int *lcore, uint32_t nb,
		char *why, size_t len);
/* The same for the i-th adapter, beside those that have theirs. */
int choice_adapter(struct choice *c, const struct conf *conf, uint32_t i, const unsigned int *lcore,
		   uint32_t nb, char *why, size_t len);

#endif
