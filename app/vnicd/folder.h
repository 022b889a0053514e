/* SPDX-License-Identifier: BSD-3-Clause
 * folder.h - a folder for private sockets, that nobody else can reach
 *
 * One that a killed daemon has left is removed by the next of the same user: who has a folder
 * holds a lock on it, which ends with him.
 *
 * Main thread.
 */
#ifndef VNICD_FOLDER_H
#define VNICD_FOLDER_H

#define FOLDER_PATH 32

struct folder {
	char path[FOLDER_PATH];
	int fd; /* of the lock */
};

/* Remove what dead ones have left, make one. 0, or -errno. */
int folder_make(struct folder *f);
/* When its sockets are gone. */
void folder_remove(struct folder *f);

#endif
