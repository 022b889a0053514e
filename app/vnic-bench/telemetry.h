/* SPDX-License-Identifier: BSD-3-Clause
 * telemetry.h - ask a DPDK program for its counts
 *
 * Main thread.
 */
#ifndef BENCH_TELEMETRY_H
#define BENCH_TELEMETRY_H

#include <stdbool.h>
#include <stdint.h>

#define TELEMETRY_ANSWER 16384

struct telemetry {
	int fd; /* -1: not connected */
	char answer[TELEMETRY_ANSWER];
};

/* To the program with this file prefix whose runtime folder it is. -1: not there (yet). */
int telemetry_open(struct telemetry *t, const char *folder, const char *prefix);
void telemetry_close(struct telemetry *t);
/* The answer to a command, kept in `answer`; -1: none within a second or two. */
int telemetry_ask(struct telemetry *t, const char *command);
/* A number of the last answer; false if it is not there. */
bool telemetry_number(const struct telemetry *t, const char *key, uint64_t *value);

#endif
