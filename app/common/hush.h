/* SPDX-License-Identifier: BSD-3-Clause
 * hush.h - keep back what libraries print, to make one line of it
 *
 * Main thread, while no other thread prints.
 */
#ifndef COMMON_HUSH_H
#define COMMON_HUSH_H

#include <stddef.h>

#define HUSH_MAX 16384

struct hush {
	int out, err, kept;
};

/* From here to the end, standard output and error go into memory. */
void hush_begin(struct hush *h);
/* `said` gets up to HUSH_MAX - 1 bytes of it. */
void hush_end(struct hush *h, char said[HUSH_MAX]);
/* The first line that reads like a cause, without the newline; NULL if nothing was said. */
const char *hush_cause(char said[HUSH_MAX]);

#endif
