/* SPDX-License-Identifier: BSD-3-Clause
 * memif_args.h - a memif device's arguments: what of them is ours, and the driver's own
 *
 * Main thread.
 */
#ifndef VNICD_MEMIF_ARGS_H
#define VNICD_MEMIF_ARGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "memif.h"
#include "place.h"

struct memif_args {
	bool server, abstract, zero_copy;
	uint32_t id;
	char socket[PLACE_MAX + 1]; /* one that fills it is too long */
	char secret[MEMIF_SECRET];
	char *own; /* the driver's so far */
	size_t used, room;
};

/* Read devargs; what is the driver's goes on in `own`, as devargs. 0, or -1: they are none, or longer
 * than that has room for. */
int memif_args_read(struct memif_args *a, const char *devargs, char *own, size_t room);
/* The driver's are all there but its socket: there. */
void memif_args_finish(struct memif_args *a, const char *socket);

#endif
