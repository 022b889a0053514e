/* SPDX-License-Identifier: BSD-3-Clause
 * eal.h - start EAL quietly, stop it safely
 *
 * Main thread.
 */
#ifndef COMMON_EAL_H
#define COMMON_EAL_H

#include <stddef.h>

/* rte_eal_init(); on failure negative, and one line with cause and cure in `why`. */
int eal_start(int argc, char **argv, char *why, size_t len);
/* rte_eal_cleanup(), when EAL's interrupt thread has seen that all is closed. It is left out if that
 * thread does not answer. */
void eal_stop(void);
/* How many of argv are EAL's, the program's name among them: all up to the first `--`; without
 * one only the name. */
int eal_arguments(int argc, char **argv);

#endif
