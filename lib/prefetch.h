/* SPDX-License-Identifier: BSD-3-Clause
 * prefetch.h - a line that is about to be written
 */
#ifndef VNIC_PREFETCH_H
#define VNIC_PREFETCH_H

/* The line is to be owned, not shared first and owned later. The builtin says so only where
 * the target has the instruction by name; every x86-64 takes it. */
static inline void vnic__prefetch_write(const void *p)
{
#ifdef __x86_64__
	__asm__ volatile("prefetchw %0" : : "m"(*(const char *)p));
#else
	__builtin_prefetch(p, 1);
#endif
}

#endif
