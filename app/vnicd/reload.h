/* SPDX-License-Identifier: BSD-3-Clause
 * reload.h - read the configuration again, and let the daemon become what it says
 *
 * Main thread. Lcores run on meanwhile and never wait; cancels and operations may, for some
 * milliseconds.
 */
#ifndef VNICD_RELOAD_H
#define VNICD_RELOAD_H

#include <stddef.h>
#include <stdint.h>

struct vnicd;

struct reload_counts {
	uint32_t changed; /* options, of what stays */
	uint32_t added, removed; /* adapters and faces; one whose other keys changed is both */
};

/* Read the file and the command line over it again. Not as a configuration must be, or a new port
 * cannot be opened, or a face that is to go cannot be emptied: -1, one line in `why`, and nothing has
 * changed. Else what differs is applied: 0, or -1 and a line if of what had to be removed first
 * something could not be added again. */
int reload_run(struct vnicd *d, struct reload_counts *counts, char *why, size_t len);

#endif
