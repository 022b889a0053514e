/* SPDX-License-Identifier: BSD-3-Clause
 * devargs.h - what a port's devargs, NAME[,KEY=VALUE]..., name beyond the driver
 *
 * Any thread.
 */
#ifndef VNICD_DEVARGS_H
#define VNICD_DEVARGS_H

#include <stdbool.h>
#include <stddef.h>

/* The value of the last KEY=VALUE of this key; false: none, or longer than `len` - 1. */
bool devargs_value(const char *devargs, const char *key, char *value, size_t len);
/* Is it of this driver, whose devices begin with its name? */
bool devargs_driver(const char *devargs, const char *driver);
/* Do two ports name one thing that only one of them can have? Then `what` is it: "device net_tap0",
 * "interface eth1", "socket /run/s". */
bool devargs_clash(const char *one, const char *other, char *what, size_t len);

#endif
