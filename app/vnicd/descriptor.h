/* SPDX-License-Identifier: BSD-3-Clause
 * descriptor.h - file descriptors, and the one that wakes us when any of them has something
 *
 * Main thread.
 */
#ifndef VNICD_DESCRIPTOR_H
#define VNICD_DESCRIPTOR_H

#include <stdbool.h>

/* It is -1 then; -1 is closed already. */
void descriptor_close(int *fd);

/* The one for all; -1: none is left. */
int descriptor_waker(void);
/* From now on `fd` wakes it: if there is something to read, or its other end has gone. */
void descriptor_watch(int waker, int fd);
/* Only its end, or again what there is to read. */
void descriptor_heed(int waker, int fd, bool reading);
void descriptor_unwatch(int waker, int fd);

#endif
