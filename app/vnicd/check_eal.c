/* SPDX-License-Identifier: BSD-3-Clause
 * check_eal.c - does EAL take its arguments, and has it a driver for each port?
 *
 * EAL itself is asked, in a process of its own: it reads its arguments, loads its drivers, and ends at
 * a device that nobody has, before it takes memory or shows itself to others.
 */
#include "check.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <rte_config.h>
#include <rte_devargs.h>
#include <rte_eal.h>
#include <rte_errno.h>

#include "hush.h"

#define NOBODY_HAS "--vdev=vnicd-ends-here"
#define DEVICES_MAX (CONF_ADAPTERS_MAX + CONF_FACES_MAX + 64)

/* Those of the configuration, and those of --vdev. */
struct devices {
	uint32_t nb;
	struct {
		const char *subject, *devargs; /* NULL: --vdev's */
	} device[DEVICES_MAX];
};

/* Both processes have it. */
struct answer {
	bool came, taken; /* the arguments */
	bool no_driver[DEVICES_MAX];
};

static bool has_driver(const char *devargs)
{
	struct rte_devargs parsed = {0};
	bool has = rte_devargs_parse(&parsed, devargs) == 0;

	rte_devargs_reset(&parsed);
	return has;
}

/* Its device comes first: the last of the words may lack a value, and would take it. */
static void ask(const struct arguments *a, const struct devices *d, const char *folder,
		struct answer *answer)
{
	char *argv[a->argc + 2], ends[] = NOBODY_HAS;

	argv[0] = a->argv[0];
	argv[1] = ends;
	memcpy(argv + 2, a->argv + 1, (size_t)(a->argc - 1) * sizeof(*argv));
	argv[a->argc + 1] = NULL;
	setenv("RUNTIME_DIRECTORY", folder, 1);
	answer->taken = rte_eal_init(a->argc + 1, argv) >= 0 || rte_errno == ENODEV;
	for (uint32_t i = 0; i < d->nb && answer->taken; i++)
		answer->no_driver[i] = !has_driver(d->device[i].devargs);
	answer->came = true;
}

/* With what EAL has made there: a folder of its file prefix. */
static void remove_folder(const char *folder)
{
	char path[MACHINE_PATH];
	struct dirent *e;
	DIR *dir;
	int fd;

	snprintf(path, sizeof(path), "%s/dpdk", folder);
	dir = opendir(path);
	fd = dir != NULL ? dirfd(dir) : -1;
	while (dir != NULL && (e = readdir(dir)) != NULL)
		unlinkat(fd, e->d_name, AT_REMOVEDIR);
	if (dir != NULL)
		closedir(dir);
	rmdir(path);
	rmdir(folder);
}

/* False: it could not be asked. What it said is in `said`. */
static bool ask_aside(const struct arguments *a, const struct devices *d, struct answer *answer,
		      char said[HUSH_MAX])
{
	struct answer *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
				     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	char folder[] = "/tmp/vnicd.check-XXXXXX";
	struct hush h;
	pid_t pid = -1;

	if (shared == MAP_FAILED)
		return false;
	if (mkdtemp(folder) != NULL) {
		hush_begin(&h);
		pid = fork();
		if (pid == 0) {
			ask(a, d, folder, shared);
			fflush(NULL);
			_exit(0);
		}
		if (pid > 0)
			waitpid(pid, NULL, 0);
		hush_end(&h, said);
		remove_folder(folder);
	}
	*answer = *shared;
	munmap(shared, sizeof(*shared));
	return pid > 0;
}

/* ---- what comes of it ---- */

/* Without `n` words from the i-th. */
static struct arguments without(const struct arguments *a, int i, int n, char **argv)
{
	struct arguments less = *a;

	memcpy(argv, a->argv, (size_t)i * sizeof(*argv));
	memcpy(argv + i, a->argv + i + n, (size_t)(a->argc - i - n) * sizeof(*argv));
	less.argc -= n;
	less.argv = argv;
	less.argv[less.argc] = NULL;
	return less;
}

/* Of an option, and its value, if it has one. */
static int words_of(const struct arguments *a, int i)
{
	return i + 1 < a->argc && a->argv[i + 1][0] != '-' ? 2 : 1;
}

/* The command without the option that EAL does not take; if there is more than one such, without any. */
static const char *mend(struct check *c)
{
	const struct arguments given = c->args;
	static const struct devices none;
	static char said[HUSH_MAX];
	char *argv[given.argc + 1];
	struct answer answer = {0};
	const char *cure;

	for (int i = given.argc - 1; i > 0 && !answer.taken; i--)
		if (given.argv[i][0] == '-') {
			c->args = without(&given, i, words_of(&given, i), argv);
			ask_aside(&c->args, &none, &answer, said);
		}
	if (!answer.taken)
		c->args = without(&given, 1, given.argc - 1, argv);
	cure = check_rerun(c, NULL, NULL, NULL);
	c->args = given;
	return cure;
}

/* Another part has said what, and knows better. */
static bool is_found(const struct check *c)
{
	for (uint32_t i = 0; i < c->f.nb; i++)
		if (c->f.finding[i].severity == FINDING_ERROR &&
		    strcmp(c->f.finding[i].effect, CHECK_NO_EAL) == 0)
			return true;
	return false;
}

static void not_taken(struct check *c, const struct answer *answer, char said[HUSH_MAX])
{
	const char *cause = answer->came ? hush_cause(said) : "it ends at them";

	if (cause == NULL)
		cause = "it does not say what is wrong";
	else if (strncmp(cause, "EAL: ", 5) == 0)
		cause += 5;
	if (!is_found(c))
		findings_add(&c->f, FINDING_ERROR, "EAL's arguments", TEXT("%s", cause), CHECK_NO_EAL,
			     mend(c));
}

static void no_driver(struct check *c, const char *subject, const char *devargs)
{
	findings_add(&c->f, FINDING_ERROR, subject != NULL ? subject : "EAL's arguments",
		     TEXT("DPDK has no driver for a device %.*s", (int)strcspn(devargs, ","), devargs),
		     subject != NULL ? "it does not open" : CHECK_NO_EAL,
		     "ls " RTE_EAL_PMD_PATH "/librte_net_*.so");
}

static void add(struct devices *d, const char *subject, const char *devargs)
{
	if (devargs == NULL || devargs[0] == '\0' || d->nb == DEVICES_MAX)
		return;
	d->device[d->nb].subject = subject;
	d->device[d->nb++].devargs = devargs;
}

static void find_devices(struct check *c, struct devices *d)
{
	for (uint32_t i = 0; i < c->conf->nb_adapters; i++)
		add(d, TEXT("adapter %s", c->conf->adapter[i].name), c->conf->adapter[i].port);
	for (uint32_t i = 0; i < c->conf->nb_faces; i++)
		add(d, TEXT("face %s", c->conf->face[i].name), c->conf->face[i].port);
	for (int i = 1; i < c->args.argc; i++)
		add(d, NULL, arguments_vdev(&c->args, i));
}

void check_eal(struct check *c)
{
	static char said[HUSH_MAX]; /* large for a stack */
	struct devices d = {0};
	struct answer answer;

	if (c->start || !machine_is_real())
		return;
	find_devices(c, &d);
	if (!ask_aside(&c->args, &d, &answer, said))
		return;
	if (!answer.taken)
		not_taken(c, &answer, said);
	for (uint32_t i = 0; i < d.nb; i++)
		if (answer.no_driver[i])
			no_driver(c, d.device[i].subject, d.device[i].devargs);
}
