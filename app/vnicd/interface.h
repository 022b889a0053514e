/* SPDX-License-Identifier: BSD-3-Clause
 * interface.h - what the system says of a network interface
 *
 * /sys/class/net is that of the network namespace in which /sys was mounted, which may be another
 * than ours: who is there and up the kernel tells by itself, the rest only if it is ours.
 *
 * Main thread.
 */
#ifndef VNICD_INTERFACE_H
#define VNICD_INTERFACE_H

#include <stdbool.h>
#include <stdint.h>

#define INTERFACE_NAME 64

bool interface_is_there(const char *name);
bool interface_is_up(const char *name);
/* Also where the driver does not tell. */
bool interface_has_carrier(const char *name);
/* Of IPv4 or IPv6. */
bool interface_has_default_route(const char *name);
/* Also where it is not known. */
bool interface_is_tap(const char *name);
/* 0: it is not known. */
uint32_t interface_rx_queues(const char *name);
/* The other end of a veth; false: it is none, or in another namespace. */
bool interface_other_end(const char *name, char end[INTERFACE_NAME]);

#endif
