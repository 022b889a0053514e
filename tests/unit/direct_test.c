/* SPDX-License-Identifier: BSD-3-Clause
 * direct_test.c - what a face sends while nothing is queued: at once, in order, and counted
 *
 * Frames are numbered as they are fed to the face. One thread plays face, data and control,
 * but for the last test.
 */
#include "upper.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include <rte_cycles.h>
#include <rte_ethdev.h>

#include "bed.h"
#include "handover.h"

#define ROOM 64
#define DEPTH 64
#define BURST 32
#define ROUND 24
#define FILLER UINT32_MAX

static const struct vnic_adapter_conf plain = {0};

struct line {
	struct upper u;
	uint32_t fed, out; /* numbers: the next one in, the next one expected out */
};

static struct line open_line(const struct vnic_adapter_conf *adapter, const struct vnic_idrule *rules,
			     uint32_t nb_rules, bool direct)
{
	char name[16];
	struct vnic_face_conf conf = {.name = bed_unique("dir", name), .nbl_packets = 1,
				      .depth = DEPTH, .burst = BURST, .rules = rules, .nb_rules = nb_rules,
				      .direct = direct};
	struct line l = {.u = upper_open(adapter, &conf, ROOM, true)};

	assert_int_equal(vnic_adapter_poll(l.u.r->adapter), 0); /* it has seen that nothing is queued */
	return l;
}

static struct vnic_face_stats stats(const struct line *l)
{
	struct vnic_adapter_stats a;
	struct vnic_face_stats f;

	vnic_face_stats_get(l->u.face, &f);
	vnic_adapter_stats_get(l->u.r->adapter, &a);
	assert_int_equal(a.accepted.packets, a.sent.packets + a.aborted.packets + a.rejected.packets +
						     a.queued.packets);
	assert_int_equal(a.accepted.nbls, a.sent.nbls + a.aborted.nbls + a.rejected.nbls + a.queued.nbls);
	assert_int_equal(f.received, f.completed + f.dropped + vnic_face_outstanding(l->u.face));
	assert_int_equal(f.completed, f.sent + f.aborted + f.rejected);
	return f;
}

/* n frames into the face, in one poll of it. */
static void feed(struct line *l, uint32_t n)
{
	uint64_t received = stats(l).received;

	for (uint32_t i = 0; i < n; i++)
		assert_int_equal(rte_ring_enqueue(l->u.ring, reception_frame(l->u.r, 1, 2, 0, l->fed++)), 0);
	vnic_face_poll(l->u.face);
	assert_int_equal(stats(l).received - received, n);
}

/* The port takes k packets and no more. */
static void leave_room(struct line *l, uint32_t k)
{
	while (rte_ring_free_count(l->u.r->wire) > k)
		assert_int_equal(rte_ring_enqueue(l->u.r->wire, reception_frame(l->u.r, 1, 2, 0, FILLER)), 0);
}

/* The next n numbers are on the wire, and nothing else. */
static void expect_out(struct line *l, uint32_t n)
{
	struct rte_mbuf *m = NULL;

	while (rte_ring_dequeue(l->u.r->wire, (void **)&m) == 0) {
		uint32_t number = reception_number(m);

		rte_pktmbuf_free(m);
		if (number == FILLER)
			continue;
		assert_int_equal(number, l->out++);
		assert_true(n-- > 0);
	}
	assert_int_equal(n, 0);
}

static void step(struct line *l, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		vnic_face_poll(l->u.face);
		vnic_adapter_poll(l->u.r->adapter);
		vnic_control_poll(l->u.r->control);
		stats(l);
	}
}

static void close_line(struct line *l)
{
	step(l, 8);
	expect_out(l, l->fed - l->out);
	assert_int_equal(vnic_face_outstanding(l->u.face), 0);
	upper_close(&l->u);
}

static void at_once(void **state)
{
	struct line l = open_line(&plain, NULL, 0, true);

	(void)state;
	for (uint32_t n = 1; n <= BURST; n++) {
		feed(&l, n);
		expect_out(&l, n); /* nobody has polled the adapter */
	}
	assert_int_equal(stats(&l).direct, l.fed);
	assert_int_equal(stats(&l).sent, l.fed);
	assert_int_equal(stats(&l).matched[0], l.fed);
	close_line(&l);
}

static void not_unless_asked_for(void **state)
{
	struct line l = open_line(&plain, NULL, 0, false);

	(void)state;
	feed(&l, 5);
	expect_out(&l, 0);
	step(&l, 1);
	expect_out(&l, 5);
	assert_int_equal(stats(&l).direct, 0);
	close_line(&l);
}

/* Of all frames: they are one flow's. */
static uint64_t id_of(const struct line *l)
{
	struct rte_mbuf *m = reception_frame(l->u.r, 1, 2, 0, 0);
	uint64_t id = vnic_face_id(l->u.face, m, &(uint32_t){0});

	rte_pktmbuf_free(m);
	return id;
}

/* What the port leaves waits, what comes behind it too; both can be cancelled. */
static void the_rest_is_queued(void **state)
{
	struct line l = open_line(&plain, NULL, 0, true);
	struct vnic_ticket *t = vnic_ticket_create(-1);
	uint64_t id = id_of(&l);
	struct vnic_verdict v;

	(void)state;
	leave_room(&l, 2);
	feed(&l, 5);
	assert_int_equal(stats(&l).direct, 2);
	expect_out(&l, 2);
	feed(&l, 4); /* there is room, and others are before them */
	assert_int_equal(stats(&l).direct, 2);
	expect_out(&l, 0);
	step(&l, 1);
	expect_out(&l, 7);
	feed(&l, 3);
	expect_out(&l, 3);
	assert_int_equal(stats(&l).direct, 5);
	leave_room(&l, 0);
	feed(&l, 6);
	assert_int_equal(vnic_adapter_cancel(l.u.r->adapter, id, t), 0);
	step(&l, 4);
	assert_int_equal(vnic_ticket_verdict(t, &v), 0);
	assert_int_equal(v.aborted.packets, 6);
	assert_int_equal(stats(&l).aborted, 6);
	l.out += 6;
	expect_out(&l, 0);
	step(&l, 2);
	feed(&l, 1);
	expect_out(&l, 1);
	assert_int_equal(vnic_ticket_destroy(t), 0);
	close_line(&l);
}

/* The face queues as many in each round as a round sends: still the queue ends, once the port is
 * quick again. */
static void a_queue_of_old_does_not_stand(void **state)
{
	/* of all senders at most so many in a round: the face queues as many */
	struct vnic_adapter_conf narrow = {.burst = ROUND / (1 + RECEPTION_CLIENTS)};
	struct line l = open_line(&narrow, NULL, 0, true);
	uint64_t direct;

	(void)state;
	leave_room(&l, 0);
	feed(&l, ROUND);
	expect_out(&l, 0);
	for (int round = 0; round < 4; round++) {
		feed(&l, ROUND);
		vnic_adapter_poll(l.u.r->adapter);
	}
	direct = stats(&l).direct;
	feed(&l, ROUND);
	assert_int_equal(stats(&l).direct, direct + ROUND);
	close_line(&l);
}

static void a_pace_leaves_them_waiting(void **state)
{
	struct vnic_adapter_conf paced = {.pacing = {.packets_per_s = 1000000, .burst_packets = 64}};
	struct line l = open_line(&paced, NULL, 0, true);

	(void)state;
	feed(&l, 5);
	expect_out(&l, 0);
	assert_int_equal(stats(&l).direct, 0);
	rte_delay_us(1000);
	close_line(&l);
}

static void of_a_closed_gate_they_come_back(void **state)
{
	struct line l = open_line(&plain, NULL, 0, true);
	struct vnic_request *r = vnic_request_create(l.u.r->control);

	(void)state;
	assert_int_equal(vnic_adapter_request(l.u.r->adapter, VNIC_CONTROL_PAUSE, 0, r), VNIC_STATUS_PENDING);
	step(&l, 4);
	assert_int_equal(vnic_request_status(r), VNIC_STATUS_SUCCESS);
	feed(&l, 5);
	step(&l, 1);
	expect_out(&l, 0);
	assert_int_equal(stats(&l).rejected, 5);
	assert_int_equal(stats(&l).direct, 0);
	l.out += 5;
	assert_int_equal(vnic_request_reuse(r), 0);
	vnic_adapter_request(l.u.r->adapter, VNIC_CONTROL_RESTART, 0, r);
	step(&l, 4);
	assert_int_equal(vnic_request_status(r), VNIC_STATUS_SUCCESS);
	feed(&l, 5);
	expect_out(&l, 5);
	vnic_request_release(r);
	close_line(&l);
}

static void a_held_port_is_left_alone(void **state)
{
	struct line l = open_line(&plain, NULL, 0, true);

	(void)state;
	vnic_adapter_hold(l.u.r->adapter);
	step(&l, 1);
	assert_true(vnic_adapter_held(l.u.r->adapter));
	feed(&l, 5);
	expect_out(&l, 0);
	vnic_adapter_release(l.u.r->adapter);
	feed(&l, 5); /* behind the others, and the data side has not seen the release */
	expect_out(&l, 0);
	step(&l, 1);
	expect_out(&l, 10);
	close_line(&l);
}

static void of_a_port_that_has_gone_they_come_back(void **state)
{
	struct line l = open_line(&plain, NULL, 0, true);
	struct vnic_request *r = vnic_request_create(l.u.r->control);

	(void)state;
	vnic_adapter_request(l.u.r->adapter, VNIC_CONTROL_REMOVE, 0, r);
	step(&l, 4);
	assert_int_equal(vnic_request_status(r), VNIC_STATUS_SUCCESS);
	feed(&l, 5);
	step(&l, 1);
	expect_out(&l, 0);
	assert_int_equal(stats(&l).direct, 0);
	assert_int_equal(stats(&l).rejected, 5);
	l.out += 5;
	vnic_request_release(r);
	close_line(&l);
}

/* A chain that the port does not take, and what is behind it, goes by the queue: in order. */
static void what_is_not_plain_is_queued(void **state)
{
	struct line l = open_line(&plain, NULL, 0, true);
	struct rte_mbuf *m[5];

	(void)state;
	for (uint32_t i = 0; i < 5; i++) {
		m[i] = reception_frame(l.u.r, 1, 2, 0, l.fed++);
		if (i == 2)
			assert_int_equal(rte_pktmbuf_chain(m[i], rte_pktmbuf_alloc(l.u.r->mbufs)), 0);
		assert_int_equal(rte_ring_enqueue(l.u.ring, m[i]), 0);
	}
	vnic_face_poll(l.u.face);
	assert_int_equal(stats(&l).direct, 2);
	feed(&l, 1);
	expect_out(&l, 2);
	step(&l, 1);
	expect_out(&l, 4);
	feed(&l, 2);
	expect_out(&l, 2);
	close_line(&l);
}

/* At a full port nobody overtakes another sender's packets, though its own queue is empty. */
static void others_that_wait_go_first(void **state)
{
	struct line l = open_line(&plain, NULL, 0, true);

	(void)state;
	leave_room(&l, 0);
	for (uint32_t i = 0; i < 4; i++)
		reception_send(l.u.r, 0, 1, FILLER);
	reception_data(l.u.r);
	expect_out(&l, 0);
	feed(&l, 4);
	assert_int_equal(stats(&l).direct, 0);
	expect_out(&l, 0);
	reception_data(l.u.r);
	expect_out(&l, 4);
	close_line(&l);
}

/* Rules are counted for what goes direct as for what is queued. */
static void rules_are_counted(void **state)
{
	static const struct vnic_idrule rules[] = {
		{.kind = VNIC_IDRULE_VLAN, .only = true, .value = 5},
		{.kind = VNIC_IDRULE_VLAN, .only = true, .value = 6}};
	struct line l = open_line(&plain, rules, 2, true);
	static const uint16_t vlan[] = {5, 0, 6, 6, 7, 5, 6};

	(void)state;
	for (int round = 0; round < 2; round++) {
		for (uint32_t i = 0; i < BED_COUNT_OF(vlan); i++)
			assert_int_equal(rte_ring_enqueue(l.u.ring, reception_frame(l.u.r, 1, 2, vlan[i],
										    l.fed++)), 0);
		leave_room(&l, round == 0 ? ROOM : 3);
		vnic_face_poll(l.u.face);
		expect_out(&l, round == 0 ? 7 : 3);
		assert_int_equal(stats(&l).matched[0], 2 * (round + 1));
		assert_int_equal(stats(&l).matched[1], 3 * (round + 1));
		assert_int_equal(stats(&l).unmarked, 2 * (round + 1));
	}
	close_line(&l);
}

/* ---- threads ---- */

#define FRAMES 200000u
#define RUN_S 8
#define PAUSE_EVERY 1000

struct race {
	struct line l;
	_Atomic bool stop;
	_Atomic uint32_t last; /* number out + 1 */
	uint32_t seen, disorder;
};

static void *poll_both(void *arg)
{
	struct race *q = arg;

	while (!atomic_load(&q->stop)) {
		uint32_t n = rte_ring_free_count(q->l.u.ring);

		if (vnic_adapter_gate(q->l.u.r->adapter) != VNIC_STATUS_SUCCESS)
			n = n != 0; /* few of those that come back at once */

		for (; n != 0 && q->l.fed < FRAMES; n--)
			rte_ring_enqueue(q->l.u.ring, reception_frame(q->l.u.r, 1, 2, 0, q->l.fed++));
		vnic_face_poll(q->l.u.face);
		vnic_adapter_poll(q->l.u.r->adapter);
		sched_yield();
	}
	return NULL;
}

/* The wire, now quick, now slow. */
static void *take_out(void *arg)
{
	struct race *q = arg;
	struct rte_mbuf *m = NULL;
	uint32_t turn = 0;

	while (!atomic_load(&q->stop)) {
		uint32_t n = ++turn % 256 < 128 ? 1 : 1024;

		while (n-- != 0 && rte_ring_dequeue(q->l.u.r->wire, (void **)&m) == 0) {
			uint32_t number;

			HANDOVER_TAKE(m);
			number = reception_number(m);
			q->disorder += number < q->seen;
			q->seen = number + 1;
			rte_pktmbuf_free(m);
			atomic_fetch_add(&q->last, 1);
		}
		sched_yield();
	}
	return NULL;
}

static void *control(void *arg)
{
	struct race *q = arg;

	while (!atomic_load(&q->stop)) {
		vnic_control_poll(q->l.u.r->control);
		sched_yield();
	}
	return NULL;
}

/* Pauses, cancels and questions while packets go one way and the other: each comes out once and in
 * order, or was reported not to; none leaves while the adapter says that it is paused. */
static void pauses_and_cancels_meanwhile(void **state)
{
	static struct race q;
	struct vnic_request *r;
	struct vnic_ticket *t = vnic_ticket_create(-1);
	uint64_t end = rte_rdtsc() + RUN_S * rte_get_tsc_hz();
	struct vnic_face_stats f;
	struct vnic_verdict v;
	pthread_t thread[3];
	uint64_t id, rejected, aborted;
	uint32_t out = 0, pauses = 0, received, turn = 0;

	(void)state;
	q = (struct race){.l = open_line(&plain, NULL, 0, true)};
	r = vnic_request_create(q.l.u.r->control);
	id = id_of(&q.l);
	assert_int_equal(pthread_create(&thread[0], NULL, poll_both, &q), 0);
	assert_int_equal(pthread_create(&thread[1], NULL, take_out, &q), 0);
	assert_int_equal(pthread_create(&thread[2], NULL, control, &q), 0);
	do {
		struct vnic_adapter_stats a;

		for (enum vnic_control_code code = VNIC_CONTROL_PAUSE;; code = VNIC_CONTROL_RESTART) {
			vnic_adapter_request(q.l.u.r->adapter, code, 0, r);
			while (vnic_request_status(r) == VNIC_STATUS_PENDING)
				sched_yield();
			assert_int_equal(vnic_request_status(r), VNIC_STATUS_SUCCESS);
			while (vnic_request_reuse(r) != 0)
				sched_yield();
			if (code == VNIC_CONTROL_RESTART)
				break;
			/* all that had left before is on the wire or out of it */
			vnic_adapter_stats_get(q.l.u.r->adapter, &a);
			assert_int_equal(a.queued.packets, 0);
			for (int i = 0; i < 20; i++)
				sched_yield();
			out = (uint32_t)a.sent.packets;
			vnic_adapter_stats_get(q.l.u.r->adapter, &a);
			assert_int_equal(a.sent.packets, out);
			pauses++;
		}
		vnic_adapter_stats_get(q.l.u.r->adapter, &a);
		assert_int_equal(a.accepted.packets, a.sent.packets + a.aborted.packets +
							     a.rejected.packets + a.queued.packets);
		vnic_face_stats_get(q.l.u.face, &f);
		for (received = (uint32_t)f.received; f.received < received + PAUSE_EVERY &&
		     f.received < FRAMES; sched_yield()) {
			if (++turn % 64 == 0 && vnic_ticket_verdict(t, &v) != -EINPROGRESS)
				vnic_adapter_cancel(q.l.u.r->adapter, id, t);
			vnic_face_stats_get(q.l.u.face, &f);
		}
	} while (f.received < FRAMES && rte_rdtsc() < end);
	do {
		struct vnic_adapter_stats a;

		sched_yield();
		vnic_adapter_stats_get(q.l.u.r->adapter, &a);
		rejected = a.rejected.packets;
		aborted = a.aborted.packets;
		/* what is queued still comes out */
		out = (uint32_t)(a.sent.packets + a.queued.packets);
	} while (atomic_load(&q.last) != out || rte_ring_count(q.l.u.ring) != 0);
	while (vnic_ticket_verdict(t, &v) == -EINPROGRESS)
		sched_yield();
	atomic_store(&q.stop, true);
	for (int i = 0; i < 3; i++)
		pthread_join(thread[i], NULL);
	step(&q.l, 8);
	f = stats(&q.l);
	q.l.out = q.l.fed;
	print_message("%u frames, %u pauses: %lu direct, %lu queued and sent, %lu aborted, %lu "
		      "refused\n", q.l.fed, pauses, f.direct, f.sent - f.direct, aborted, rejected);
	assert_int_equal(q.disorder, 0);
	assert_int_equal(f.received, q.l.fed);
	assert_int_not_equal(f.direct, 0);
	assert_int_not_equal(f.sent - f.direct, 0);
	vnic_request_release(r);
	assert_int_equal(vnic_ticket_destroy(t), 0);
	close_line(&q.l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(at_once), cmocka_unit_test(not_unless_asked_for),
		cmocka_unit_test(the_rest_is_queued), cmocka_unit_test(a_queue_of_old_does_not_stand),
		cmocka_unit_test(a_pace_leaves_them_waiting),
		cmocka_unit_test(of_a_closed_gate_they_come_back),
		cmocka_unit_test(a_held_port_is_left_alone),
		cmocka_unit_test(of_a_port_that_has_gone_they_come_back),
		cmocka_unit_test(what_is_not_plain_is_queued), cmocka_unit_test(others_that_wait_go_first),
		cmocka_unit_test(rules_are_counted), cmocka_unit_test(pauses_and_cancels_meanwhile),
	};

	return cmocka_run_group_tests_name("direct", tests, test_eal_setup, test_eal_teardown);
}
