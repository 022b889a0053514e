/* SPDX-License-Identifier: BSD-3-Clause
 * capture.h - packets into a file: those sent and those taken back, with the reason
 *
 * Main thread. A thread of its own reads the library's capture and writes the file, so that a slow
 * disk holds up nobody else.
 */
#ifndef VNICD_CAPTURE_H
#define VNICD_CAPTURE_H

#include <stddef.h>
#include <stdint.h>

#define CAPTURE_PATH 200 /* room of a file's name */
#define CAPTURE_WORDS "start FILE [ADAPTER] [snaplen N]|stop|status"

struct vnicd;
struct words;
struct answer;

/* Begin one, of all faces or of an adapter's; snaplen 0: the library's. The file is made, or is a
 * capture already and begins anew. 0, or one line in `why` and -EINVAL for what was asked for, -EBUSY if
 * one is on, -EIO for the file, -ENOMEM. */
int capture_start(struct vnicd *d, const char *path, const char *adapter, uint32_t snaplen, char *why,
		  size_t len);
/* End it, and wait for a while until all is in the file. 0, or one line in `why` and -ENOENT if none
 * is on, -EBUSY while it is written still, -EIO if its end is missing. */
int capture_stop(struct vnicd *d, char *why, size_t len);
/* Any thread: about the capture that is on, else about the last. */
void capture_status(struct vnicd *d, struct answer *answer);

/* A control line, CAPTURE_WORDS but status: 0 and its answer, or the cause in `why` and an error as above; -EINVAL
 * for other words. */
int capture_ask(struct vnicd *d, struct words *words, struct answer *answer, char *why, size_t len);

/* Often: has it failed, or ended? */
void vnicd_capture_poll(struct vnicd *d);
/* At the end of traffic, while the lcores still poll. It waits some seconds for the disk; the thread
 * may hang there longer, and has nothing of EAL's from then on. */
void vnicd_capture_close(struct vnicd *d);

#endif
