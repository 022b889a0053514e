/* SPDX-License-Identifier: BSD-3-Clause
 * sides.h - a bed's data and control sides, each in a thread of its own
 *
 * Main thread. While they run, the bed is not stepped.
 */
#ifndef TESTS_SIDES_H
#define TESTS_SIDES_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "bed.h"

struct sides {
	struct bed *b;
	_Atomic bool stop;
	pthread_t data;
	pthread_t control;
};

void sides_start(struct sides *s, struct bed *b);
void sides_stop(struct sides *s);

#endif
