/* SPDX-License-Identifier: BSD-3-Clause
 * container.h - the container that this process is in, and how its maker gives it rights
 *
 * Main thread.
 */
#ifndef VNICD_CONTAINER_H
#define VNICD_CONTAINER_H

#include <stdint.h>

#include "check.h"

/* The command that starts the container, or what else this is, with these rights too. */
const char *container_rerun(struct check *c, uint64_t rights);

#endif
