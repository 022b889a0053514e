/* SPDX-License-Identifier: BSD-3-Clause
 * layer_thread_test.c - contract F with threads: each adapter of a stack or a fan on its own,
 * control on another, senders and cancels on this one
 *
 * For TSan above all: the sides run freely. The bed checks that each NBL ends once and that
 * the wires have what the statuses say.
 */
#include "stack.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

#include <rte_cycles.h>

#define BEDS_MAX 4
#define IDS 4
#define NBLS_MAX 24 /* of a send */
#define VERDICTS 500 /* of the top adapter */
#define WAIT_S 60

struct tree {
	uint32_t nb;
	struct bed *bed[BEDS_MAX]; /* as they are to be closed: the top first */
	struct vnic_request *reset[BEDS_MAX];
	uint64_t aborted[BEDS_MAX]; /* by the verdicts */
	uint32_t verdicts;          /* of the top adapter */
	pthread_t thread[BEDS_MAX + 1];
	_Atomic bool stop;
};

struct side {
	struct tree *tree;
	uint32_t i;
};

static void *data_loop(void *arg)
{
	const struct side *s = arg;

	while (!atomic_load_explicit(&s->tree->stop, memory_order_relaxed))
		if (vnic_adapter_poll(s->tree->bed[s->i]->adapter) == 0)
			sched_yield();
	return NULL;
}

static void *control_loop(void *arg)
{
	const struct side *s = arg;

	while (!atomic_load_explicit(&s->tree->stop, memory_order_relaxed))
		if (vnic_control_poll(s->tree->bed[0]->control) == 0)
			sched_yield();
	return NULL;
}

/* ---- what this thread does ---- */

static void send_some(struct bed *b, unsigned int *seed)
{
	uint16_t n = (uint16_t)(1 + rand_r(seed) % NBLS_MAX), taken;
	uint32_t first = b->nb_nbls;

	if (vnic_sender_room(b->sender[0], NBLS_MAX) == 0)
		return; /* the others are to get on */
	for (uint16_t i = 0; i < n; i++)
		bed_nbl(b, 1 + (uint64_t)rand_r(seed) % IDS, (uint16_t)(1 + rand_r(seed) % 3));
	taken = bed_send_by(b, 0, first, n);
	bed_discard(b, first + taken, (uint16_t)(n - taken));
}

static void cancel_some(struct tree *t, uint32_t i, unsigned int *seed)
{
	struct bed *b = t->bed[i];
	struct vnic_verdict v;
	int rc = vnic_ticket_verdict(b->ticket, &v);

	if (rc == -EINPROGRESS)
		return;
	t->aborted[i] += rc == 0 ? v.aborted.nbls : 0;
	t->verdicts += i == 0;
	if (rand_r(seed) % 32 == 0)
		vnic_adapter_abort(b->adapter, b->ticket);
	else
		vnic_adapter_cancel(b->adapter, 1 + (uint64_t)rand_r(seed) % IDS, b->ticket);
}

static void reset_one(struct tree *t, uint32_t i)
{
	struct vnic_request *r = t->reset[i];

	if (vnic_request_status(r) == VNIC_STATUS_PENDING)
		return;
	vnic_request_reuse(r);
	vnic_adapter_request(t->bed[i]->adapter, VNIC_CONTROL_RESET, 0, r);
}

static void round_of(struct tree *t, unsigned int *seed)
{
	for (uint32_t i = 0; i < t->nb; i++) {
		if (i == 0 || rand_r(seed) % 4 == 0)
			send_some(t->bed[i], seed);
		if (rand_r(seed) % 2 == 0)
			cancel_some(t, i, seed);
		if (rand_r(seed) % 64 == 0)
			reset_one(t, i);
		bed_poll(t->bed[i]);
		/* now and then a port refuses, so that NBLs are staged and half sent */
		if (t->bed[i]->wire != NULL && rte_ring_full(t->bed[i]->wire) && rand_r(seed) % 8 == 0)
			bed_wire_drain(t->bed[i]);
		bed_stats(t->bed[i]);
	}
	sched_yield();
}

static uint32_t outstanding(const struct tree *t)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < t->nb; i++) {
		n += vnic_sender_outstanding(t->bed[i]->sender[0]);
		n += vnic_request_status(t->reset[i]) == VNIC_STATUS_PENDING;
		n += vnic_ticket_verdict(t->bed[i]->ticket, &(struct vnic_verdict){0}) == -EINPROGRESS;
	}
	return n;
}

static void settle(struct tree *t)
{
	uint64_t until = rte_rdtsc() + WAIT_S * rte_get_tsc_hz();

	while (outstanding(t) != 0) {
		for (uint32_t i = 0; i < t->nb; i++) {
			bed_poll(t->bed[i]);
			bed_wire_drain(t->bed[i]);
		}
		sched_yield();
		assert_true(rte_rdtsc() < until);
	}
}

static void run(struct tree *t, unsigned int seed)
{
	struct side side[BEDS_MAX + 1];

	for (uint32_t i = 0; i <= t->nb; i++) {
		side[i] = (struct side){t, i};
		if (i < t->nb)
			t->reset[i] = vnic_request_create(t->bed[i]->control);
		assert_int_equal(pthread_create(&t->thread[i], NULL,
						i < t->nb ? data_loop : control_loop, &side[i]), 0);
	}
	while (t->verdicts < VERDICTS)
		round_of(t, &seed);
	settle(t);
	atomic_store(&t->stop, true);
	for (uint32_t i = 0; i <= t->nb; i++)
		assert_int_equal(pthread_join(t->thread[i], NULL), 0);
	for (uint32_t i = 0; i < t->nb; i++) {
		struct vnic_verdict v;

		if (vnic_ticket_verdict(t->bed[i]->ticket, &v) == 0)
			t->aborted[i] += v.aborted.nbls;
		assert_true(t->aborted[i] <= bed_stats(t->bed[i]).aborted.nbls);
		assert_true(i != 0 || t->aborted[i] != 0);
		vnic_request_release(t->reset[i]);
	}
	for (uint32_t i = 0; i < t->nb; i++)
		bed_close(t->bed[i]);
}

/* Slow enough for queues to build up. */
#define PACE {.packets_per_s = 40000, .burst_packets = 8}

static void c36_a_stack_of_threads(void **state)
{
	struct bed *low = bed_open(&(struct bed_conf){.nb_mbufs = 8192, .pacing = PACE});
	struct bed *middle = stack_layer(low), *top = stack_layer(middle);

	(void)state;
	run(&(struct tree){.nb = 3, .bed = {top, middle, low}}, 7);
}

static void c39_a_fan_of_threads(void **state)
{
	struct bed *low = bed_open(&(struct bed_conf){.nb_mbufs = 8192, .pacing = PACE});
	struct bed *beside = bed_open(&(struct bed_conf){.beside = low, .pacing = PACE});
	struct bed *middle = stack_layer(low);
	struct bed *top = bed_open(&(struct bed_conf){.lower = {middle, beside}, .nb_lower = 2});

	(void)state;
	run(&(struct tree){.nb = 4, .bed = {top, middle, beside, low}}, 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(c36_a_stack_of_threads),
		cmocka_unit_test(c39_a_fan_of_threads),
	};

	return cmocka_run_group_tests_name("conformance layer_thread", tests, test_eal_setup,
					   test_eal_teardown);
}
