/* SPDX-License-Identifier: BSD-3-Clause
 * faults.h - allocations that fail when a test says so
 *
 * For a program whose linker options put the functions of faults.c before those of the same
 * name (see conformance/meson.build): every call of an allocator from the library is a site.
 * DPDK's own calls among its libraries are not. Any thread may be at a site; one thread says
 * what fails.
 */
#ifndef TESTS_FAULTS_H
#define TESTS_FAULTS_H

#include <stddef.h>
#include <stdint.h>

/* Of the sites passed from now on, `spared` succeed, the next `failing` fail. */
void faults_after(uint32_t spared, uint32_t failing);
/* One in so many fails, at random. */
void faults_at_random(uint32_t one_in, uint32_t seed);
/* From now on none fails; returns how many did. */
uint32_t faults_end(void);

struct heap {
	size_t blocks;
	size_t bytes;
};

/* What is allocated now of DPDK's memory, mempools and their like included. */
struct heap heap_now(void);

#endif
