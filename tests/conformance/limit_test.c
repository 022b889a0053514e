/* SPDX-License-Identifier: BSD-3-Clause
 * limit_test.c - limits of a client, and turns among those that cancel: one that has or asks too
 * much slows itself (C22, C29 and C35 seen from its neighbours)
 */
#include "bed.h"
#include "sides.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>

#include "adapter.h"

#define FLOOD 1000u
#define NONE UINT64_C(0x777) /* nobody sends it */

/* The bed's client, and a second one with a sender of its own. */
struct two {
	struct bed *b;
	struct vnic_client *client[2];
};

static struct two open_two(const struct bed_conf *conf)
{
	struct two t = {.b = bed_open(conf)};
	uint32_t nb = t.b->conf.nb_senders;

	t.client[0] = t.b->client;
	t.client[1] = vnic_client_open(t.b->adapter);
	assert_non_null(t.client[1]);
	t.b->sender[nb] = vnic_sender_create(t.client[1], t.b->nbls, 64);
	assert_non_null(t.b->sender[nb]);
	t.b->conf.nb_senders++;
	return t;
}

static void close_two(struct two *t)
{
	bed_settle(t->b);
	assert_int_equal(vnic_sender_destroy(t->b->sender[--t->b->conf.nb_senders]), 0);
	assert_int_equal(vnic_client_close(t->client[1]), 0);
	bed_close(t->b);
}

static uint64_t id_of(const struct two *t, uint32_t i, uint64_t counter)
{
	return (uint64_t)vnic_client_prefix(t->client[i]) << VNIC_CANCEL_ID_PREFIX_SHIFT | counter;
}

static void set_limits(struct vnic_client *client, uint32_t nbls, uint32_t cancels_per_s)
{
	const struct vnic_client_limits limits = {.nbls = nbls, .cancels_per_s = cancels_per_s};
	struct vnic_client_limits got;

	vnic_client_set_limits(client, &limits);
	vnic_client_limits_get(client, &got);
	assert_memory_equal(&got, &limits, sizeof(got));
}

static struct vnic_client_stats stats_of(const struct vnic_client *client)
{
	struct vnic_client_stats st;

	vnic_client_stats_get(client, &st);
	return st;
}

/* ---- NBLs ---- */

static uint16_t send_some(struct bed *b, uint32_t s, uint16_t n)
{
	uint32_t first = b->nb_nbls;
	uint16_t taken;

	for (uint16_t i = 0; i < n; i++)
		bed_nbl(b, 1, 1);
	taken = bed_send_by(b, s, first, n);
	bed_discard(b, first, n);
	return taken;
}

static void a_client_has_no_more_than_its_limit(void **state)
{
	struct two t = open_two(&(struct bed_conf){.nb_senders = 2});
	struct bed *b = t.b;

	(void)state;
	bed_wire_room(b, 0);
	set_limits(t.client[0], 10, 0);
	assert_int_equal(vnic_sender_room(b->sender[0], 32), 10);
	assert_int_equal(send_some(b, 0, 8), 8);
	assert_int_equal(vnic_sender_room(b->sender[1], 32), 2);
	assert_int_equal(send_some(b, 1, 8), 2);
	assert_int_equal(send_some(b, 0, 1), 0);
	assert_int_equal(bed_stats(b).not_taken, 7);
	assert_int_equal(stats_of(t.client[0]).limited, 2);
	assert_int_equal(send_some(b, 2, 60), 60); /* the other's queue */
	assert_int_equal(stats_of(t.client[1]).limited, 0);
	bed_data(b);
	assert_int_equal(send_some(b, 0, 1), 0); /* staged, not gone */
	bed_settle(b);
	assert_int_equal(send_some(b, 1, 16), 10);
	set_limits(t.client[0], 20, 0); /* as it goes */
	assert_int_equal(send_some(b, 0, 16), 10);
	set_limits(t.client[0], 5, 0);
	assert_int_equal(send_some(b, 0, 1), 0);
	bed_settle(b);
	assert_int_equal(send_some(b, 0, 16), 5);
	set_limits(t.client[0], 0, 0);
	assert_int_equal(send_some(b, 0, 16), 16);
	set_limits(t.client[0], 30, 0); /* those sent meanwhile count */
	assert_int_equal(send_some(b, 0, 16), 9);
	bed_settle(b);
	/* cancelled and refused ones too come back */
	assert_int_equal(send_some(b, 0, 30), 30);
	bed_cancel(b, 1);
	assert_int_equal(vnic_sender_room(b->sender[0], 64), 30);
	for (int i = 0; i < 3; i++)
		bed_send_by(b, 0, bed_nbl_of(b, 1, bed_packet(b, 2000), 1), 1);
	assert_int_equal(vnic_sender_room(b->sender[1], 64), 30);
	bed_poll(b);
	close_two(&t);
}

/* ---- cancels a second ---- */

static void cancels_beyond_the_limit_are_refused(void **state)
{
	struct two t = open_two(NULL);
	struct vnic_ticket *ticket = vnic_ticket_create(-1);
	struct vnic_verdict v;

	(void)state;
	set_limits(t.client[0], 0, 10);
	assert_int_equal(vnic_client_cancel(t.client[0], id_of(&t, 1, 1), ticket), -EACCES);
	assert_int_equal(vnic_client_cancel(t.client[0], id_of(&t, 0, 1), t.b->ticket), 0);
	assert_int_equal(vnic_client_cancel(t.client[0], id_of(&t, 0, 1), t.b->ticket), -EBUSY);
	assert_int_equal(vnic_client_cancel(t.client[0], id_of(&t, 0, 1), ticket), -EAGAIN);
	assert_int_equal(vnic_ticket_verdict(ticket, &v), -ENOENT); /* nothing was done */
	assert_int_equal(vnic_client_cancel(t.client[1], id_of(&t, 1, 1), ticket), 0);
	bed_verdict(t.b, t.b->ticket);
	bed_verdict(t.b, ticket);
	/* a long time later: of what it saves up there is one */
	atomic_fetch_sub(&t.client[0]->limit.empty_at, 10 * t.b->control->tsc_hz);
	assert_int_equal(vnic_client_cancel(t.client[0], id_of(&t, 0, 1), t.b->ticket), 0);
	assert_int_equal(vnic_client_cancel(t.client[0], id_of(&t, 0, 1), ticket), -EAGAIN);
	bed_verdict(t.b, t.b->ticket);
	assert_int_equal(stats_of(t.client[0]).cancels, 2);
	assert_int_equal(stats_of(t.client[0]).cancels_limited, 2);
	assert_int_equal(stats_of(t.client[1]).cancels, 1);
	assert_int_equal(stats_of(t.client[1]).cancels_limited, 0);
	set_limits(t.client[0], 0, 0);
	for (int i = 0; i < 100; i++) {
		assert_int_equal(vnic_client_cancel(t.client[0], id_of(&t, 0, 1), ticket), 0);
		bed_verdict(t.b, ticket);
	}
	assert_int_equal(vnic_ticket_destroy(ticket), 0);
	close_two(&t);
}

/* ---- turns ---- */

static uint64_t walked[2 * FLOOD]; /* ids, in the order of their walks */
static uint32_t nb_walked;

struct vnic__ring_found __real_vnic__ring_cancel(struct vnic__ring_canceller *x,
						 const struct vnic__ring_target *t,
						 uint64_t late_from);
struct vnic__ring_found __wrap_vnic__ring_cancel(struct vnic__ring_canceller *x,
						 const struct vnic__ring_target *t,
						 uint64_t late_from);

struct vnic__ring_found __wrap_vnic__ring_cancel(struct vnic__ring_canceller *x,
						 const struct vnic__ring_target *t,
						 uint64_t late_from)
{
	if (nb_walked < BED_COUNT_OF(walked))
		walked[nb_walked++] = t->id;
	return __real_vnic__ring_cancel(x, t, late_from);
}

static struct vnic_ticket *ticket[FLOOD];

static void make_tickets(void)
{
	for (uint32_t i = 0; i < FLOOD; i++) {
		ticket[i] = vnic_ticket_create(-1);
		assert_non_null(ticket[i]);
	}
}

static void destroy_tickets(struct bed *b)
{
	for (uint32_t i = 0; i < FLOOD; i++) {
		bed_verdict(b, ticket[i]);
		assert_int_equal(vnic_ticket_destroy(ticket[i]), 0);
	}
}

/* How many cancels of the flooding client are made before the other's. */
static uint32_t made_before(uint64_t id)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < nb_walked && walked[i] != id; i++)
		n += i == 0 || walked[i] != walked[i - 1];
	return n;
}

static void a_flood_of_cancels_delays_others_by_one(void **state)
{
	struct two t = open_two(NULL);
	struct vnic_verdict v;

	(void)state;
	make_tickets();
	bed_wire_room(t.b, 0);
	bed_send_by(t.b, 1, bed_nbl(t.b, id_of(&t, 1, 5), 1), 1);
	for (uint32_t i = 0; i < FLOOD; i++)
		assert_int_equal(vnic_client_cancel(t.client[0], id_of(&t, 0, NONE + i), ticket[i]), 0);
	nb_walked = 0;
	bed_control(t.b);
	assert_int_equal(vnic_ticket_verdict(ticket[FLOOD - 1], &v), -EINPROGRESS);
	assert_int_equal(vnic_client_cancel(t.client[1], id_of(&t, 1, 5), t.b->ticket), 0);
	nb_walked = 0;
	bed_control(t.b);
	assert_int_equal(vnic_ticket_verdict(t.b->ticket, &v), 0);
	assert_int_equal(v.aborted.nbls, 1);
	assert_in_range(made_before(id_of(&t, 1, 5)), 0, 1);
	for (uint32_t i = 0; i < FLOOD; i++)
		bed_control(t.b);
	destroy_tickets(t.b);
	close_two(&t);
}

/* The same when the flood's own wait for the data thread: of them only some do at once. */
static void a_flood_of_waiting_cancels_delays_nobody(void **state)
{
	struct two t = open_two(NULL);
	struct vnic_verdict v;
	uint32_t waiting = 0;

	(void)state;
	make_tickets();
	bed_wire_room(t.b, 0);
	bed_send_by(t.b, 0, bed_nbl(t.b, id_of(&t, 0, 5), 1), 1);
	bed_send_by(t.b, 0, bed_nbl(t.b, id_of(&t, 0, 6), 1), 1);
	bed_data(t.b); /* staged */
	bed_send_by(t.b, 1, bed_nbl(t.b, id_of(&t, 1, 5), 1), 1);
	for (uint32_t i = 0; i < FLOOD; i++)
		assert_int_equal(vnic_client_cancel(t.client[0], id_of(&t, 0, 5), ticket[i]), 0);
	for (uint32_t i = 0; i < FLOOD; i++)
		bed_control(t.b);
	for (const struct vnic_ticket *w = t.b->control->waiting_first; w != NULL; w = w->next_waiting)
		waiting++;
	assert_in_range(waiting, 1, 16);
	assert_int_equal(vnic_client_cancel(t.client[1], id_of(&t, 1, 5), t.b->ticket), 0);
	bed_control(t.b);
	assert_int_equal(vnic_ticket_verdict(t.b->ticket, &v), 0);
	assert_int_equal(v.aborted.nbls, 1);
	for (uint32_t i = 0; i < 2 * FLOOD; i++) {
		bed_data(t.b);
		bed_control(t.b);
	}
	for (uint32_t i = 0; i < FLOOD; i++)
		assert_int_equal(vnic_ticket_verdict(ticket[i], &v), 0);
	destroy_tickets(t.b);
	close_two(&t);
}

/* An operation finds done what was cancelled before it was asked for. */
static void an_operation_comes_after_the_cancels_before_it(void **state)
{
	struct two t = open_two(NULL);
	struct vnic_request *r;
	uint32_t first = t.b->nb_nbls;

	(void)state;
	make_tickets();
	for (uint32_t i = 0; i < 60; i++) {
		bed_send_by(t.b, 0, bed_nbl(t.b, id_of(&t, 0, 1 + i), 1), 1);
		assert_int_equal(vnic_client_cancel(t.client[0], id_of(&t, 0, 1 + i), ticket[i]), 0);
	}
	for (uint32_t i = 60; i < FLOOD; i++)
		assert_int_equal(vnic_client_cancel(t.client[1], id_of(&t, 1, NONE), ticket[i]), 0);
	r = bed_issue(t.b, VNIC_CONTROL_PAUSE, 0);
	for (uint32_t i = 0; i < FLOOD; i++)
		bed_control(t.b);
	assert_int_equal(bed_await(t.b, r), VNIC_STATUS_SUCCESS);
	bed_poll(t.b);
	bed_expect(t.b, first, 60, VNIC_STATUS_SEND_ABORTED);
	destroy_tickets(t.b);
	close_two(&t);
}

/* ---- with threads ---- */

struct flooder {
	struct two *t;
	_Atomic bool stop;
};

static void *flood(void *arg)
{
	struct flooder *f = arg;

	for (uint32_t i = 0; !atomic_load_explicit(&f->stop, memory_order_relaxed); i++)
		if (vnic_client_cancel(f->t->client[0], id_of(f->t, 0, NONE), ticket[i % FLOOD]) != 0)
			sched_yield();
	return NULL;
}

static void a_client_cancels_beside_a_flood(void **state)
{
	struct two t = open_two(NULL);
	struct flooder f = {.t = &t};
	struct sides sides;
	pthread_t thread;
	uint64_t aborted = 0;

	(void)state;
	make_tickets();
	bed_wire_room(t.b, 0);
	sides_start(&sides, t.b);
	assert_int_equal(pthread_create(&thread, NULL, flood, &f), 0);
	for (uint64_t i = 1; i <= 200; i++) {
		struct vnic_verdict v;

		while (vnic_sender_room(t.b->sender[1], 1) == 0)
			sched_yield(); /* the data side has yet to pass what was taken back */
		bed_send_by(t.b, 1, bed_nbl(t.b, id_of(&t, 1, i), 1), 1);
		if (i == 100)
			set_limits(t.client[0], 0, 10);
		assert_int_equal(vnic_client_cancel(t.client[1], id_of(&t, 1, i), t.b->ticket), 0);
		while (vnic_ticket_verdict(t.b->ticket, &v) != 0)
			sched_yield();
		aborted += v.aborted.nbls;
		bed_poll(t.b);
	}
	while (stats_of(t.client[0]).cancels_limited == 0)
		sched_yield();
	atomic_store(&f.stop, true);
	assert_int_equal(pthread_join(thread, NULL), 0);
	for (uint32_t i = 0; i < FLOOD; i++)
		while (vnic_ticket_destroy(ticket[i]) != 0)
			sched_yield();
	sides_stop(&sides);
	assert_int_equal(aborted, 200);
	close_two(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_client_has_no_more_than_its_limit),
		cmocka_unit_test(cancels_beyond_the_limit_are_refused),
		cmocka_unit_test(a_flood_of_cancels_delays_others_by_one),
		cmocka_unit_test(a_flood_of_waiting_cancels_delays_nobody),
		cmocka_unit_test(an_operation_comes_after_the_cancels_before_it),
		cmocka_unit_test(a_client_cancels_beside_a_flood),
	};

	return cmocka_run_group_tests_name("conformance limit", tests, test_eal_setup,
					   test_eal_teardown);
}
