/* SPDX-License-Identifier: BSD-3-Clause
 * change.h - options that are changed while vnicd runs
 *
 * Main thread.
 */
#ifndef VNICD_CHANGE_H
#define VNICD_CHANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct vnicd;

/* Give one option another value: `section` is "adapter NAME", "face NAME" or "vnicd", or a NAME alone
 * that only one section has; "log": the level of DPDK's log type `key`. 0; -1 and one line in `why`,
 * what to do with it, and nothing has changed. What it does counts from now on, for packets that
 * are queued already too; the file keeps its own value, which a reload brings back. */
int change_set(struct vnicd *d, const char *section, const char *key, const char *value, char *why,
	       size_t len);

/* Can the key of this kind of section (CONF_KIND_...) be changed so? */
bool change_is_live(int kind, const char *key);
/* Keep to the log level, if it was another, the pace, or the weight and the limits, that the
 * configuration has. */
void change_log_level(const struct vnicd *d, uint64_t was);
void change_adapter(struct vnicd *d, uint32_t i);
void change_face(struct vnicd *d, uint32_t i);

#endif
