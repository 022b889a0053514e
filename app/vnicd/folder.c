/* SPDX-License-Identifier: BSD-3-Clause
 * folder.c - a folder for private sockets, that nobody else can reach
 */
#include "folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define WHERE "/tmp"
#define NAME "vnicd.memif-"
#define TRIES 8

/* A folder, no link to one; -1: another's. */
static int open_own(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd >= 0 && fstat(fd, &st) == 0 && st.st_uid == geteuid() &&
	    flock(fd, LOCK_EX | LOCK_NB) == 0)
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

/* Nothing but sockets: a folder that has anything else stays. */
static void empty(int fd)
{
	int copy = dup(fd);
	DIR *d = copy >= 0 ? fdopendir(copy) : NULL;
	struct dirent *e;
	struct stat st;

	while (d != NULL && (e = readdir(d)) != NULL)
		if (fstatat(fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISSOCK(st.st_mode))
			unlinkat(fd, e->d_name, 0);
	if (d != NULL)
		closedir(d);
	else if (copy >= 0)
		close(copy);
}

static void remove_dead(void)
{
	DIR *d = opendir(WHERE);
	struct dirent *e;
	char path[FOLDER_PATH];
	int fd;

	while (d != NULL && (e = readdir(d)) != NULL) {
		if (strncmp(e->d_name, NAME, strlen(NAME)) != 0 ||
		    snprintf(path, sizeof(path), "%s/%s", WHERE, e->d_name) != sizeof(WHERE "/" NAME) - 1 + 6)
			continue;
		fd = open_own(path);
		if (fd < 0)
			continue;
		empty(fd);
		rmdir(path);
		close(fd);
	}
	if (d != NULL)
		closedir(d);
}

/* Between its making and its lock another may have taken it for dead. */
static bool still_there(const struct folder *f)
{
	struct stat is, was;

	return fstat(f->fd, &was) == 0 && stat(f->path, &is) == 0 && is.st_ino == was.st_ino &&
	       is.st_dev == was.st_dev;
}

int folder_make(struct folder *f)
{
	remove_dead();
	for (int i = 0; i < TRIES; i++) {
		strcpy(f->path, WHERE "/" NAME "XXXXXX");
		if (mkdtemp(f->path) == NULL) /* for its owner only */
			return -errno;
		f->fd = open_own(f->path);
		if (f->fd >= 0 && still_there(f))
			return 0;
		if (f->fd >= 0)
			close(f->fd);
		rmdir(f->path);
	}
	return -EAGAIN;
}

void folder_remove(struct folder *f)
{
	rmdir(f->path);
	close(f->fd);
}
