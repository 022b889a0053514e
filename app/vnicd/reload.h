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

/* Read the file and the command line over it again: what differs is applied, and 0. Not as a configuration
 * must be, or a new port cannot be opened, or a face that is to go cannot be emptied: -1, one line in `why`,
 * and nothing has changed. Or -1 if of what had to go first something could not be made anew: all that has
 * gone is made again as it was, and a line says so. The control socket is served as long as what goes is
 * emptied. */
int reload_run(struct vnicd *d, struct reload_counts *counts, char *why, size_t len);

#endif
