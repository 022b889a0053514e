/* SPDX-License-Identifier: BSD-3-Clause
 * child.c - other programs: started, held still, ended
 */
#include "child.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LOOK_MS 5
#define ENVIRONMENT_MAX 512

extern char **environ;

/* ---- signals to us ---- */

static volatile sig_atomic_t got;
static struct sigaction before_int, before_term;

static void on_signal(int number)
{
	got = number;
}

void child_signals_enter(void)
{
	struct sigaction act = {.sa_handler = on_signal};

	got = 0;
	sigaction(SIGINT, &act, &before_int);
	sigaction(SIGTERM, &act, &before_term);
	if (before_int.sa_handler == SIG_IGN) /* as a shell has it for what runs in the background */
		sigaction(SIGINT, &before_int, NULL);
}

void child_signals_leave(void)
{
	sigaction(SIGINT, &before_int, NULL);
	sigaction(SIGTERM, &before_term, NULL);
	if (got != 0)
		raise(got);
}

bool child_interrupted(void)
{
	return got != 0;
}

bool child_nap(unsigned int ms)
{
	struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};

	while (got == 0 && nanosleep(&t, &t) != 0 && errno == EINTR)
		;
	return got == 0;
}

/* ---- start ---- */

bool child_find(const char *program, char *path, size_t len)
{
	const char *at = getenv("PATH");

	while (at != NULL && *at != '\0') {
		size_t n = strcspn(at, ":");

		if (n + 1 + strlen(program) < len) {
			stpcpy(stpcpy(stpncpy(path, at, n), "/"), program);
			if (access(path, X_OK) == 0)
				return true;
		}
		at += n + (at[n] == ':');
	}
	return false;
}

/* In the child, between fork and exec: only calls that are safe there. */
static void become(const struct child *c, int in, const cpu_set_t *cpus, char *const argv[],
		   char *const environment[])
{
	struct rlimit none = {0, 0};
	int out = open(c->log, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setrlimit(RLIMIT_CORE, &none);
	sched_setaffinity(0, sizeof(*cpus), cpus);
	signal(SIGPIPE, SIG_DFL);
	dup2(in, STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	dup2(out, STDERR_FILENO);
	for (int fd = STDERR_FILENO + 1; fd < 1024; fd++)
		close(fd);
	execve(argv[0], argv, environment);
	_exit(127);
}

/* Ours, but DPDK programs are to keep their sockets in this folder. */
static void make_environment(char **to, char *folder)
{
	size_t n = 0;

	to[n++] = folder;
	for (char **e = environ; *e != NULL && n < ENVIRONMENT_MAX - 1; e++)
		if (strncmp(*e, "RUNTIME_DIRECTORY=", 18) != 0)
			to[n++] = *e;
	to[n] = NULL;
}

int child_start(struct child *c, const char *folder, const char *name, const cpu_set_t *cpus,
		char *const argv[])
{
	char *environment[ENVIRONMENT_MAX], runtime[CHILD_PATH + 32];
	int in[2];

	*c = (struct child){0};
	snprintf(c->log, sizeof(c->log), "%s/%s.log", folder, name);
	snprintf(runtime, sizeof(runtime), "RUNTIME_DIRECTORY=%s", folder);
	make_environment(environment, runtime);
	if (pipe2(in, O_CLOEXEC) != 0) {
		fprintf(stderr, "vnic-bench: face: pipe: %s\n", strerror(errno));
		return -1;
	}
	c->pid = fork();
	if (c->pid == 0)
		become(c, in[0], cpus, argv, environment);
	close(in[0]);
	c->in = in[1];
	if (c->pid > 0)
		return 0;
	fprintf(stderr, "vnic-bench: face: fork: %s\n", strerror(errno));
	close(c->in);
	c->pid = 0;
	return -1;
}

/* ---- life and end ---- */

static void forget(struct child *c)
{
	close(c->in);
	c->pid = 0;
}

bool child_alive(struct child *c)
{
	if (c->pid != 0 && waitpid(c->pid, NULL, WNOHANG) == c->pid)
		forget(c);
	return c->pid != 0;
}

void child_pause(struct child *c)
{
	int status;

	if (c->pid == 0 || c->paused || kill(c->pid, SIGSTOP) != 0)
		return;
	/* a stop cannot be refused: this ends */
	while (waitpid(c->pid, &status, WUNTRACED) < 0 && errno == EINTR)
		;
	if (WIFSTOPPED(status))
		c->paused = true;
	else
		forget(c);
}

void child_resume(struct child *c)
{
	if (c->pid != 0 && c->paused)
		kill(c->pid, SIGCONT);
	c->paused = false;
}

/* A number or a word at the start of a file of a thread. */
static bool read_thread(const struct child *c, const char *thread, const char *file, char *text, int len)
{
	char path[CHILD_PATH];
	FILE *f;
	bool good;

	snprintf(path, sizeof(path), "/proc/%d/task/%s/%s", (int)c->pid, thread, file);
	f = fopen(path, "r");
	good = f != NULL && fgets(text, len, f) != NULL;
	if (f != NULL)
		fclose(f);
	return good;
}

double child_lcore_time(const struct child *c, unsigned int lcore)
{
	char path[64], name[32], text[96];
	double seconds = -1;
	struct dirent *e;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)c->pid);
	snprintf(name, sizeof(name), "-worker-%u\n", lcore);
	d = c->pid != 0 ? opendir(path) : NULL;
	while (d != NULL && seconds < 0 && (e = readdir(d)) != NULL)
		if (read_thread(c, e->d_name, "comm", text, sizeof(text)) && strstr(text, name) != NULL &&
		    read_thread(c, e->d_name, "schedstat", text, sizeof(text)))
			seconds = strtod(text, NULL) / 1e9;
	if (d != NULL)
		closedir(d);
	return seconds;
}

int child_end(struct child *c, int number, unsigned int wait_ms)
{
	const struct timespec nap = {.tv_nsec = LOOK_MS * 1000000};
	int status = -1;

	if (c->pid == 0)
		return -1;
	kill(c->pid, number);
	child_resume(c);
	for (unsigned int ms = 0; ms < wait_ms; ms += LOOK_MS) {
		if (waitpid(c->pid, &status, WNOHANG) == c->pid) {
			forget(c);
			return status;
		}
		nanosleep(&nap, NULL);
	}
	kill(c->pid, SIGKILL);
	while (waitpid(c->pid, &status, 0) < 0 && errno == EINTR)
		;
	forget(c);
	return -1;
}

const char *child_last_words(const struct child *c, char *text, size_t len)
{
	FILE *f = fopen(c->log, "r");
	char line[256];

	snprintf(text, len, "it printed nothing");
	while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
		line[strcspn(line, "\r\n")] = '\0';
		if (line[strspn(line, " \t")] != '\0')
			snprintf(text, len, "%s", line);
	}
	if (f != NULL)
		fclose(f);
	return text;
}
