/* SPDX-License-Identifier: BSD-3-Clause
 * sides.c - a bed's data and control sides, each in a thread of its own
 */
#include "sides.h"

#include <sched.h>

static bool stopped(const struct sides *s)
{
	/* relaxed: what comes after is ordered by the join */
	return atomic_load_explicit(&s->stop, memory_order_relaxed);
}

static void *data_side(void *arg)
{
	struct sides *s = arg;

	while (!stopped(s))
		if (vnic_adapter_poll(s->b->adapter) == 0)
			sched_yield();
	return NULL;
}

static void *control_side(void *arg)
{
	struct sides *s = arg;

	while (!stopped(s))
		if (vnic_control_poll(s->b->control) == 0)
			sched_yield();
	return NULL;
}

void sides_start(struct sides *s, struct bed *b)
{
	s->b = b;
	atomic_init(&s->stop, false);
	assert_int_equal(pthread_create(&s->data, NULL, data_side, s), 0);
	assert_int_equal(pthread_create(&s->control, NULL, control_side, s), 0);
}

void sides_stop(struct sides *s)
{
	atomic_store(&s->stop, true);
	assert_int_equal(pthread_join(s->data, NULL), 0);
	assert_int_equal(pthread_join(s->control, NULL), 0);
}
