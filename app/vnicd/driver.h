/* SPDX-License-Identifier: BSD-3-Clause
 * driver.h - the KEY=VALUEs of devargs that a port's driver takes
 *
 * Of what is wrong a driver itself says little, ignores it, or does not survive it. A driver that is not
 * known here is left to judge by itself.
 *
 * Any thread.
 */
#ifndef VNICD_DRIVER_H
#define VNICD_DRIVER_H

#include <stdbool.h>
#include <stddef.h>

/* Does it take each of these keys, and its value? False: what is wrong, and what to do, in `why`. */
bool driver_takes(const char *devargs, char *why, size_t len);
/* What it needs and is not there: a key, or some of which it needs one, separated by blanks. NULL:
 * nothing. */
const char *driver_lacks(const char *devargs);

#endif
