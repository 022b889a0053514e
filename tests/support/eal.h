/* SPDX-License-Identifier: BSD-3-Clause
 * eal.h - EAL for a test program: once per process, nothing shared, no hugepages
 *
 * Main thread.
 */
#ifndef TESTS_EAL_H
#define TESTS_EAL_H

/* Start EAL with `megabytes` of ordinary memory; nothing when it runs already. One
 * lcore, which floats over the CPUs that the process may use: tests run side by side.
 * Returns 0 or -1, having said why. */
int test_eal_start(unsigned int megabytes);

/* The same with 256 MB and the end of it, as cmocka's group setup and teardown. */
int test_eal_setup(void **state);
int test_eal_teardown(void **state);

#endif
