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
};

/* Of the lcores that EAL has, the main one first and then in EAL's order: what the configuration
 * names; else the first worker controls, and the other workers take the adapters in turn. 0, or -1
 * and one line in `why`. */
int choice_make(struct choice *c, const struct conf *conf, const unsigned int *lcore, uint32_t nb,
		char *why, size_t len);

#endif
