/* SPDX-License-Identifier: BSD-3-Clause
 * gnuplot.c - run gnuplot
 */
#include "gnuplot.h"

#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATH_LEN 512

bool gnuplot_there(void)
{
	char path[PATH_LEN], *all = strdup(getenv("PATH") != NULL ? getenv("PATH") : "/usr/bin:/bin");
	char *rest = all, *folder;
	bool found = false;

	while (all != NULL && !found && (folder = strsep(&rest, ":")) != NULL) {
		snprintf(path, sizeof(path), "%s/gnuplot", folder);
		found = access(path, X_OK) == 0;
	}
	free(all);
	return found;
}

/* gnuplot shows the line and points at it; the cause comes last. */
static const char *last_line(char *said)
{
	char *end = said + strlen(said), *line;

	while (end > said && strchr("\n\r ", end[-1]) != NULL)
		*--end = '\0';
	line = strrchr(said, '\n');
	return line != NULL ? line + 1 : said;
}

int gnuplot_run(const char *folder, char *script, char *why, size_t len)
{
	char said[8192];
	char *argv[] = {"gnuplot", script, NULL};
	posix_spawn_file_actions_t actions;
	int fd[2], rc, status = -1;
	size_t nb = 0;
	ssize_t n;
	pid_t pid;

	snprintf(why, len, "it could not be started");
	if (pipe(fd) != 0)
		return -1;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addchdir_np(&actions, folder);
	posix_spawn_file_actions_adddup2(&actions, fd[1], STDERR_FILENO);
	posix_spawn_file_actions_addclose(&actions, fd[0]);
	rc = posix_spawnp(&pid, argv[0], &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	close(fd[1]);
	while (rc == 0 && nb + 1 < sizeof(said) && (n = read(fd[0], said + nb, sizeof(said) - 1 - nb)) > 0)
		nb += (size_t)n;
	said[nb] = '\0';
	close(fd[0]);
	if (rc != 0 || waitpid(pid, &status, 0) != pid)
		return -1;
	snprintf(why, len, "%s", last_line(said));
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -1;
}
