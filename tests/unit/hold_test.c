/* SPDX-License-Identifier: BSD-3-Clause
 * hold_test.c - a poller kept out of its port: step by step, with an adapter, with two threads
 */
#include "bed.h"

#include <pthread.h>
#include <sched.h>

#include "hold.h"

#define ROUNDS 20000

static void only_the_poller_answers(void **state)
{
	struct vnic__hold h = {0};

	(void)state;
	assert_false(vnic__hold_stands(&h));
	assert_false(vnic__hold_keeps_out(&h));
	vnic__hold_begin(&h);
	assert_false(vnic__hold_stands(&h)); /* it may be in the port still */
	assert_true(vnic__hold_keeps_out(&h));
	assert_true(vnic__hold_stands(&h));
	vnic__hold_begin(&h); /* another, who is to be answered, too */
	assert_false(vnic__hold_stands(&h));
	assert_true(vnic__hold_keeps_out(&h));
	assert_true(vnic__hold_stands(&h));
	vnic__hold_end(&h);
	assert_false(vnic__hold_stands(&h));
	vnic__hold_end(&h);
	assert_false(vnic__hold_keeps_out(&h));
}

/* The poller has not been round between one hold and the next: its answer is an old one. */
static void an_old_answer_does_not_count(void **state)
{
	struct vnic__hold h = {0};

	(void)state;
	vnic__hold_begin(&h);
	assert_true(vnic__hold_keeps_out(&h));
	vnic__hold_end(&h);
	vnic__hold_begin(&h);
	assert_false(vnic__hold_stands(&h));
	assert_true(vnic__hold_keeps_out(&h));
	assert_true(vnic__hold_stands(&h));
}

/* One ends a hold while another begins one: that of the other stands. */
static void *beginner(void *arg)
{
	struct vnic__hold *h = arg;

	vnic__hold_begin(h);
	return NULL;
}

static void an_end_is_not_the_next_ones(void **state)
{
	(void)state;
	for (int i = 0; i < ROUNDS / 10; i++) {
		struct vnic__hold h = {0};
		uint32_t before;
		pthread_t thread;

		vnic__hold_begin(&h);
		before = atomic_load(&h.wish);
		assert_int_equal(pthread_create(&thread, NULL, beginner, &h), 0);
		vnic__hold_end(&h);
		pthread_join(thread, NULL);
		/* either the end was first, or it saw both, or it saw one and failed */
		if (atomic_load(&h.wish) == before + 2)
			assert_true(vnic__hold_keeps_out(&h));
		else
			assert_int_equal(atomic_load(&h.wish), before + 3);
	}
}

/* Nothing reaches the port of a held adapter; what is queued can be cancelled. */
static void a_held_adapter_sends_nothing(void **state)
{
	struct bed *b = bed_open(NULL);
	uint32_t first = bed_send_id(b, 7, 10), other = bed_send_id(b, 8, 10);

	(void)state;
	vnic_adapter_hold(b->adapter);
	assert_false(vnic_adapter_held(b->adapter));
	bed_step(b, 5);
	assert_true(vnic_adapter_held(b->adapter));
	assert_int_equal(bed_wire_drain(b), 0);
	assert_int_equal(bed_cancel(b, 7).aborted.nbls, 10);
	bed_expect(b, first, 10, VNIC_STATUS_SEND_ABORTED);
	assert_int_equal(bed_wire_drain(b), 0);
	vnic_adapter_release(b->adapter);
	bed_settle(b);
	bed_expect(b, other, 10, VNIC_STATUS_SUCCESS);
	bed_close(b);
}

/* A port that is not there while it is held. */
static struct vnic__hold held;
static int port; /* plain: the sanitizer sees who is in it at the wrong time */
static _Atomic bool over;

static void *poller(void *arg)
{
	(void)arg;
	while (!atomic_load(&over)) {
		if (!vnic__hold_keeps_out(&held))
			port++;
		sched_yield();
	}
	return NULL;
}

static void never_both_in_the_port(void **state)
{
	pthread_t thread;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, poller, NULL), 0);
	for (int i = 0; i < ROUNDS; i++) {
		int before;

		vnic__hold_begin(&held);
		while (!vnic__hold_stands(&held))
			sched_yield();
		before = port;
		port = -1;
		for (volatile int k = 0; k < i % 50; k++)
			;
		assert_int_equal(port, -1);
		port = before;
		vnic__hold_end(&held);
	}
	atomic_store(&over, true);
	pthread_join(thread, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_the_poller_answers),
		cmocka_unit_test(an_old_answer_does_not_count),
		cmocka_unit_test(an_end_is_not_the_next_ones),
		cmocka_unit_test(a_held_adapter_sends_nothing),
		cmocka_unit_test(never_both_in_the_port),
	};

	return cmocka_run_group_tests_name("hold", tests, test_eal_setup, test_eal_teardown);
}
