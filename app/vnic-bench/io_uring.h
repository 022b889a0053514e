/* SPDX-License-Identifier: BSD-3-Clause
 * io_uring.h - the kernel's way to take back what is pending
 *
 * Main thread.
 */
#ifndef BENCH_IO_URING_H
#define BENCH_IO_URING_H

#include "bench.h"

/* Cancel of one of many pending requests, and of many with one key. Without liburing, or where
 * the kernel refuses: said in a line, 0. */
int io_uring_cancel(struct bench *b);

#endif
