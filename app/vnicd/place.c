/* SPDX-License-Identifier: BSD-3-Clause
 * place.c - a path at which a Unix socket listens, or is to
 */
#include "place.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A connect() to any other file is refused as well: is it a socket? */
static bool is_stale(const struct sockaddr_un *at)
{
	struct stat st;
	bool stale;
	int fd;

	if (at->sun_path[0] == '\0' || lstat(at->sun_path, &st) != 0 || !S_ISSOCK(st.st_mode))
		return false;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return false;
	stale = connect(fd, (const struct sockaddr *)at, sizeof(*at)) != 0 && errno == ECONNREFUSED;
	close(fd);
	return stale;
}

int place_bind(int fd, const struct sockaddr_un *at, socklen_t len)
{
	if (bind(fd, (const struct sockaddr *)at, len) == 0)
		return 0;
	if (errno != EADDRINUSE)
		return -errno;
	if (!is_stale(at))
		return -EADDRINUSE;
	unlink(at->sun_path);
	return bind(fd, (const struct sockaddr *)at, len) == 0 ? 0 : -errno;
}

int place_check(const char *path, bool abstract)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	socklen_t len = abstract ? offsetof(struct sockaddr_un, sun_path) + 1 + strlen(path) : sizeof(at);
	int fd, rc;

	if (strlen(path) + abstract >= sizeof(at.sun_path))
		return -ENAMETOOLONG;
	strcpy(at.sun_path + abstract, path);
	/* an abstract name is another for each type; memif's are of this */
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	rc = place_bind(fd, &at, len);
	if (rc == 0 && !abstract)
		unlink(path);
	close(fd);
	return rc;
}

const char *place_error(int error)
{
	switch (error) {
	case -EADDRINUSE: return "is in use";
	case -ENAMETOOLONG: return "too long";
	default: return strerror(-error);
	}
}

const char *place_cure(int error)
{
	switch (error) {
	case -EADDRINUSE: return "stop the program that listens there, remove the file, or use another path";
	case -ENAMETOOLONG: return "use a path of at most 107 characters";
	case -EMFILE:
	case -ENFILE: return "raise the limit of open files";
	default: return "use a path in a folder that this user may write to";
	}
}
