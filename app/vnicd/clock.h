/* SPDX-License-Identifier: BSD-3-Clause
 * clock.h - the time that only goes on
 *
 * Any thread.
 */
#ifndef VNICD_CLOCK_H
#define VNICD_CLOCK_H

#include <stdint.h>

/* Milliseconds since some moment before the daemon began. */
uint64_t now_ms(void);

#endif
