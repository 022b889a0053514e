/* SPDX-License-Identifier: BSD-3-Clause
 * check_place.c - where vnicd, and EAL, put their files and sockets; is another instance there?
 */
#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "place.h"
#include "role.h"

static void check_control(struct check *c)
{
	const char *path = c->conf->global.control;
	int rc = path[0] != '\0' && !c->start ? place_check(path, false) : 0;

	if (rc != 0)
		findings_add(&c->f, FINDING_ERROR, "control socket",
			     TEXT("%s: %s; %s", path, place_error(rc), place_cure(rc)),
			     "it does not start",
			     check_rerun(c, NULL, "--control /tmp/vnicd.control", NULL));
	else if (path[0] != '\0' && !c->start)
		findings_add(&c->f, FINDING_OK, "control socket", TEXT("%s is free", path), "", "");
}

static void check_role(struct check *c, struct roles *roles, const char *key, const char *list)
{
	char why[256];

	if (list[0] == '\0')
		return;
	if (c->conf->global.control[0] == '\0')
		findings_add(&c->f, FINDING_ERROR, "control socket", TEXT("there is none, and %s = %s", key, list),
			     "it does not start", check_rerun(c, NULL, "--control /tmp/vnicd.control", NULL));
	else if (roles_add(roles, ROLE_READER, list, why, sizeof(why)) != 0)
		findings_add(&c->f, FINDING_ERROR, "control socket", TEXT("%s = %s: %s", key, list, why),
			     "it does not start", check_rerun(c, NULL, TEXT("--%s root", key), NULL));
}

static void check_report(struct check *c)
{
	const char *path = c->conf->global.report;

	if (path[0] != '\0' && access(path, W_OK | X_OK) != 0)
		findings_add(&c->f, FINDING_WARNING, "report",
			     TEXT("%s: %s", path, strerror(errno)),
			     "at the end there will be none, and exit code 1",
			     TEXT("mkdir -p %s", QUOTE(path)));
}

/* EAL's folder for all its instances. */
static const char *runtime_folder(char path[MACHINE_PATH])
{
	const char *service = getenv("RUNTIME_DIRECTORY"), *own = getenv("XDG_RUNTIME_DIR");

	if (service != NULL)
		own = service;
	else if (getuid() == 0)
		return machine_path(path, "/var/run/dpdk");
	snprintf(path, MACHINE_PATH, "%s/dpdk", own != NULL ? own : "/tmp");
	return path;
}

/* May this user make a folder of that path? It may be there. */
static bool may_make(const char *path)
{
	char up[MACHINE_PATH];

	snprintf(up, sizeof(up), "%s", path);
	while (access(up, F_OK) != 0 && errno == ENOENT && strrchr(up, '/') > up)
		*strrchr(up, '/') = '\0';
	return access(up, W_OK | X_OK) == 0;
}

static void check_runtime(struct check *c)
{
	char path[MACHINE_PATH], all[MACHINE_PATH];
	const char *folder = TEXT("%s/%s", runtime_folder(all), c->args.prefix);

	snprintf(path, sizeof(path), "%s", folder);
	if (may_make(path)) {
		findings_add(&c->f, FINDING_OK, "runtime folder", TEXT("%s may be written", folder),
			     "", "");
		return;
	}
	findings_add(&c->f, c->args.no_shconf ? FINDING_WARNING : FINDING_ERROR, "runtime folder",
		     TEXT("%s may not be written by this user", folder),
		     c->args.no_shconf ? "no telemetry" : CHECK_NO_EAL,
		     getuid() == 0 ? "export RUNTIME_DIRECTORY=$(mktemp -d)" :
				     "export XDG_RUNTIME_DIR=$(mktemp -d)");
}

/* An instance holds a lock on its configuration. */
static void check_instance(struct check *c)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	char all[MACHINE_PATH];
	const char *path = TEXT("%s/%s/config", runtime_folder(all), c->args.prefix);
	int fd = c->args.no_shconf ? -1 : open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	if (fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK)
		findings_add(
			&c->f, FINDING_ERROR, "file prefix",
			TEXT("process %d runs with the file prefix %s", (int)lock.l_pid,
			     c->args.prefix),
			CHECK_NO_EAL,
			check_rerun(c, TEXT("--file-prefix %s", QUOTE(TEXT("%s2", c->args.prefix))),
				    NULL, NULL));
	close(fd);
}

void check_places(struct check *c)
{
	struct roles roles = {0};

	check_control(c);
	check_role(c, &roles, "control_operators", c->conf->global.control_operators);
	check_role(c, &roles, "control_readers", c->conf->global.control_readers);
	check_report(c);
	check_runtime(c);
	if (!c->start)
		check_instance(c);
}
