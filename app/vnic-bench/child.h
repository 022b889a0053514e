/* SPDX-License-Identifier: BSD-3-Clause
 * child.h - other programs: started, held still, ended
 *
 * Main thread. A child has its own process group, leaves no core file, and ends when we do.
 */
#ifndef BENCH_CHILD_H
#define BENCH_CHILD_H

#include <sched.h>
#include <stdbool.h>
#include <sys/types.h>

#define CHILD_PATH 512

struct child {
	pid_t pid;            /* 0: there is none */
	int in;               /* its standard input */
	bool paused;
	char log[CHILD_PATH]; /* what it prints */
};

/* Where a program is: in one of the folders of PATH. */
bool child_find(const char *program, char *path, size_t len);

/* Start argv[0]. Its output goes to FOLDER/NAME.log, its runtime folder is FOLDER, it may use
 * these CPUs. -1: said. */
int child_start(struct child *c, const char *folder, const char *name, const cpu_set_t *cpus,
		char *const argv[]);
bool child_alive(struct child *c);
/* Hold it still; let it go on. */
void child_pause(struct child *c);
void child_resume(struct child *c);
/* CPU time in seconds that its thread of DPDK's lcore has had, to a tick or so; -1: unknown. */
double child_lcore_time(const struct child *c, unsigned int lcore);
/* Send it a signal, wait, then kill it; what waitpid() says of it, -1 if it had to be killed. */
int child_end(struct child *c, int signal, unsigned int wait_ms);
/* The last line that it printed which says anything. */
const char *child_last_words(const struct child *c, char *text, size_t len);

/* Sleep; false if a signal has asked us to end. */
bool child_nap(unsigned int ms);
/* From here to child_signals_leave() SIGINT and SIGTERM make naps end instead of us; then they
 * do what they always did. */
void child_signals_enter(void);
void child_signals_leave(void);
bool child_interrupted(void);

#endif
