/* SPDX-License-Identifier: BSD-3-Clause
 * receive_test.c - received packets and the states of their adapter: C44, C47, C51, C53, C69
 */
#include "reception.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include <rte_cycles.h>
#include <rte_ethdev.h>

#include "adapter.h"

static const struct vnic_adapter_conf receives = {.receive = true};
static const struct vnic_adapter_conf local = {.receive = true, .local = true};

#define STEPS 200
#define LONG_MS 20

/* For longer than anything is put off but what is waited for. */
static void linger(struct reception *r)
{
	uint64_t until = rte_rdtsc() + rte_get_tsc_hz() / 1000 * LONG_MS;

	while (rte_rdtsc() < until)
		reception_step(r, 1);
}

static struct vnic_request *issue(struct reception *r, enum vnic_control_code code)
{
	struct vnic_request *q = vnic_request_create(r->control);

	assert_non_null(q);
	vnic_adapter_request(r->adapter, code, 0, q);
	return q;
}

static uint32_t operate(struct reception *r, enum vnic_control_code code)
{
	struct vnic_request *q = issue(r, code);
	uint32_t status;

	for (int i = 0; i < STEPS && vnic_request_status(q) == VNIC_STATUS_PENDING; i++)
		reception_step(r, 1);
	status = vnic_request_status(q);
	vnic_request_release(q);
	return status;
}

/* Client 0 with address 1, which has taken one of three packets. */
static struct rte_mbuf *hold_one(struct reception *r)
{
	struct rte_mbuf *held;

	reception_listen(r, 0, 1, -1);
	for (uint32_t i = 0; i < 3; i++)
		reception_arrive(r, 1, 0, i);
	reception_data(r);
	assert_int_equal(vnic_receive(r->receiver[0], &held, 1), 1);
	assert_int_equal(reception_number(held), 0);
	return held;
}

static void give_back(struct reception *r, struct rte_mbuf *held)
{
	rte_pktmbuf_free(held);
	assert_int_equal(vnic_receive_return(r->receiver[0], 1), 0);
}

/* The operation waits for the packet that is held, then ends in this state. */
static void waits_for_held(enum vnic_control_code code, uint32_t status, enum vnic_state end)
{
	struct reception *r = reception_open(&receives);
	struct rte_mbuf *held = hold_one(r), *more;
	struct vnic_request *q = issue(r, code);

	linger(r);
	assert_int_equal(vnic_request_status(q), VNIC_STATUS_PENDING);
	assert_int_not_equal(vnic_adapter_state(r->adapter), end);
	/* what was queued is gone, what comes is dropped, all of it counted */
	assert_int_equal(vnic_receive(r->receiver[0], &more, 1), 0);
	assert_int_equal(reception_stats(r, 0).flushed, 2);
	assert_int_equal(reception_stats(r, 0).held, 1);
	give_back(r, held);
	reception_step(r, STEPS);
	assert_int_equal(vnic_request_status(q), status);
	assert_int_equal(vnic_adapter_state(r->adapter), end);
	vnic_request_release(q);
	reception_close(r);
}

static void c44_pause_waits_for_a_held_receive(void **state)
{
	(void)state;
	waits_for_held(VNIC_CONTROL_PAUSE, VNIC_STATUS_SUCCESS, VNIC_STATE_PAUSED);
}

static void c44_paused_nothing_is_indicated(void **state)
{
	struct reception *r = reception_open(&receives);

	(void)state;
	reception_listen(r, 0, 1, -1);
	reception_arrive(r, 1, 0, 1);
	reception_data(r);
	assert_int_equal(operate(r, VNIC_CONTROL_PAUSE), VNIC_STATUS_SUCCESS);
	assert_int_equal(reception_stats(r, 0).flushed, 1);
	reception_arrive(r, 1, 0, 2);
	reception_arrive(r, 9, 0, 3);
	reception_data(r);
	reception_expect_none(r, 0);
	assert_int_equal(reception_adapter_stats(r).paused, 2);
	assert_int_equal(operate(r, VNIC_CONTROL_RESTART), VNIC_STATUS_SUCCESS);
	reception_arrive(r, 1, 0, 4);
	reception_data(r);
	RECEPTION_EXPECT(r, 0, 4);
	reception_close(r);
}

/* Between the gate and the first step of the control thread after it. */
static void c44_a_receive_that_meets_a_pause(void **state)
{
	struct reception *r = reception_open(&receives);
	struct vnic_request *q;

	(void)state;
	reception_listen(r, 0, 1, -1);
	for (uint32_t i = 0; i < 50; i++) {
		reception_arrive(r, 1, 0, i);
		reception_data(r);
		q = issue(r, VNIC_CONTROL_PAUSE);
		reception_arrive(r, 1, 0, i);
		vnic_control_poll(r->control);
		reception_expect_none(r, 0);
		reception_step(r, STEPS);
		assert_int_equal(vnic_request_status(q), VNIC_STATUS_SUCCESS);
		vnic_request_release(q);
		assert_int_equal(operate(r, VNIC_CONTROL_RESTART), VNIC_STATUS_SUCCESS);
	}
	assert_int_equal(reception_stats(r, 0).flushed, 50);
	assert_int_equal(reception_adapter_stats(r).paused, 50);
	reception_close(r);
}

/* A receiver's thread, and the data thread, in the middle of what they do: nobody else is at
 * the rings before they have left. */
static void c44_a_pause_waits_at_the_doors(void **state)
{
	(void)state;
	for (int side = 0; side < 2; side++) {
		struct reception *r = reception_open(&receives);
		_Atomic uint32_t *door;
		struct vnic_request *q;

		reception_listen(r, 0, 1, -1);
		reception_arrive(r, 1, 0, 1);
		reception_data(r);
		door = side == 0 ? &r->receiver[0]->door : &r->adapter->receive->door;
		atomic_store(door, 1);
		q = issue(r, VNIC_CONTROL_PAUSE);
		for (int i = 0; i < STEPS; i++)
			vnic_control_poll(r->control);
		assert_int_equal(vnic_request_status(q), VNIC_STATUS_PENDING);
		assert_int_equal(reception_stats(r, 0).flushed, 0);
		atomic_store(door, 0);
		reception_step(r, STEPS);
		assert_int_equal(vnic_request_status(q), VNIC_STATUS_SUCCESS);
		assert_int_equal(reception_stats(r, 0).flushed, 1);
		vnic_request_release(q);
		reception_close(r);
	}
}

/* Closed, and the control thread has not come to the rings yet. */
static void c44_behind_a_closed_gate_nothing_is_indicated(void **state)
{
	struct reception *r = reception_open(&receives);

	(void)state;
	reception_listen(r, 0, 1, -1);
	reception_arrive(r, 1, 0, 1);
	reception_data(r);
	vnic__send_gate_set(&r->adapter->gate, VNIC_STATUS_PAUSED);
	reception_expect_none(r, 0);
	vnic__send_gate_set(&r->adapter->gate, VNIC_STATUS_SUCCESS);
	RECEPTION_EXPECT(r, 0, 1);
	reception_close(r);
}

/* An NBL of which the port has one packet is finished, though the gate is closed; one of
 * which it has none stays for the sweep, even if its receiver is here. */
static void c44_local_behind_a_closed_gate(void **state)
{
	struct reception *r = reception_open(&local);
	struct rte_mbuf *filler = reception_frame(r, 9, 9, 0, 99), *m;
	struct vnic_request *q;
	struct vnic_nbl *nbl;
	uint32_t nb = 0;

	(void)state;
	reception_listen(r, 1, 2, -1);
	while (rte_ring_sp_enqueue(r->wire, filler) == 0)
		nb++;
	rte_ring_sc_dequeue(r->wire, (void **)&m);
	assert_int_equal(vnic_nbl_alloc(r->nbls, &nbl, 1), 0);
	nbl->nb_packets = 2;
	vnic_nbl_packets(nbl)[0] = reception_frame(r, 9, 1, 0, 10);
	vnic_nbl_packets(nbl)[1] = reception_frame(r, 9, 1, 0, 11);
	assert_int_equal(vnic_send(r->sender[0], &nbl, 1), 1);
	reception_send(r, 0, 2, 12);
	reception_data(r); /* both staged, one packet has left */
	q = issue(r, VNIC_CONTROL_PAUSE);
	reception_step(r, STEPS);
	assert_int_equal(vnic_request_status(q), VNIC_STATUS_PENDING);
	while (--nb != 0)
		rte_ring_sc_dequeue(r->wire, (void **)&m);
	rte_pktmbuf_free(filler);
	linger(r);
	assert_int_equal(vnic_request_status(q), VNIC_STATUS_SUCCESS);
	vnic_request_release(q);
	assert_int_equal(r->nb_done, 2);
	assert_int_equal(nbl->status, VNIC_STATUS_SUCCESS);
	RECEPTION_EXPECT_WIRE(r, 10, 11);
	/* and behind it, by hand: the gate is closed and the sweep has yet to come */
	assert_int_equal(operate(r, VNIC_CONTROL_RESTART), VNIC_STATUS_SUCCESS);
	reception_send(r, 0, 2, 13);
	vnic__send_gate_set(&r->adapter->gate, VNIC_STATUS_PAUSED);
	reception_data(r);
	assert_int_equal(r->nb_done, 2);
	vnic__send_gate_set(&r->adapter->gate, VNIC_STATUS_SUCCESS);
	reception_data(r);
	RECEPTION_EXPECT(r, 1, 13);
	reception_close(r);
}

/* Only it: not what is staged behind it. What of it is for a receiver that is paused is not
 * for the port. */
static void c44_behind_a_closed_gate_one_nbl_is_finished(void **state)
{
	struct reception *r = reception_open(&local);
	struct rte_mbuf *filler = reception_frame(r, 9, 9, 0, 99), *m = NULL;
	static const uint8_t to[5] = {9, 9, 2, 9, 9};
	struct vnic_nbl *nbl[2];

	(void)state;
	reception_listen(r, 1, 2, -1);
	while (rte_ring_sp_enqueue(r->wire, filler) == 0)
		;
	assert_int_equal(rte_ring_sc_dequeue(r->wire, (void **)&m), 0);
	assert_int_equal(vnic_nbl_alloc(r->nbls, nbl, 2), 0);
	for (uint32_t i = 0; i < 5; i++)
		vnic_nbl_packets(nbl[i / 4])[i % 4] = reception_frame(r, to[i], 1, 0, i);
	nbl[0]->nb_packets = 4;
	nbl[1]->nb_packets = 1;
	assert_int_equal(vnic_send(r->sender[0], nbl, 2), 2);
	reception_data(r); /* both staged, one packet has left */
	vnic__send_gate_set(&r->adapter->gate, VNIC_STATUS_PAUSED);
	do
		assert_int_equal(rte_ring_sc_dequeue(r->wire, (void **)&m), 0);
	while (m == filler);
	assert_int_equal(reception_number(m), 0);
	rte_pktmbuf_free(m);
	rte_pktmbuf_free(filler);
	reception_data(r);
	reception_data(r);
	assert_int_equal(r->nb_done, 1);
	assert_int_equal(nbl[0]->status, VNIC_STATUS_SUCCESS);
	RECEPTION_EXPECT_WIRE(r, 1, 3);
	assert_int_equal(reception_adapter_stats(r).paused, 1);
	vnic__send_gate_set(&r->adapter->gate, VNIC_STATUS_SUCCESS);
	reception_expect_none(r, 1);
	reception_data(r);
	assert_int_equal(r->nb_done, 2);
	RECEPTION_EXPECT_WIRE(r, 4);
	reception_close(r);
}

static void c44_a_pause_takes_back_what_is_queued_for_a_local_receiver(void **state)
{
	struct reception *r = reception_open(&local);

	(void)state;
	reception_listen(r, 1, 2, -1);
	reception_send(r, 0, 2, 1);
	assert_int_equal(operate(r, VNIC_CONTROL_PAUSE), VNIC_STATUS_SUCCESS);
	reception_step(r, 3);
	assert_int_equal(r->nb_done, 1);
	assert_int_equal(r->done[0]->status, VNIC_STATUS_PAUSED);
	reception_expect_none(r, 1);
	reception_close(r);
}

static void c51_a_reset_flushes_and_does_not_wait(void **state)
{
	struct reception *r = reception_open(&receives);
	struct rte_mbuf *held = hold_one(r);

	(void)state;
	assert_int_equal(operate(r, VNIC_CONTROL_RESET), VNIC_STATUS_SUCCESS);
	assert_int_equal(vnic_adapter_state(r->adapter), VNIC_STATE_RUNNING);
	assert_int_equal(reception_stats(r, 0).flushed, 2);
	give_back(r, held);
	reception_arrive(r, 1, 0, 4);
	reception_data(r);
	RECEPTION_EXPECT(r, 0, 4);
	reception_close(r);
}

static void c53_removal_waits_for_a_held_receive(void **state)
{
	(void)state;
	waits_for_held(VNIC_CONTROL_REMOVE, VNIC_STATUS_SUCCESS, VNIC_STATE_HALTED);
}

static void c53_a_port_that_has_gone_is_not_polled(void **state)
{
	struct reception *r = reception_open(&receives);
	struct rte_mbuf *m = NULL;

	(void)state;
	reception_listen(r, 0, 1, -1);
	assert_int_equal(operate(r, VNIC_CONTROL_REMOVE), VNIC_STATUS_SUCCESS);
	reception_arrive(r, 1, 0, 1);
	reception_step(r, 3);
	assert_int_equal(rte_ring_count(r->in), 1);
	assert_int_equal(rte_ring_sc_dequeue(r->in, (void **)&m), 0);
	rte_pktmbuf_free(m);
	reception_close(r);
}

/* Running, or paused long since: who asked for the removal may close the port when it has ended. */
static void c53_removal_waits_for_the_data_thread(void **state)
{
	(void)state;
	for (int paused = 0; paused < 2; paused++) {
		struct reception *r = reception_open(&receives);
		struct vnic_request *q;

		if (paused)
			assert_int_equal(operate(r, VNIC_CONTROL_PAUSE), VNIC_STATUS_SUCCESS);
		atomic_store(&r->adapter->receive->door, 1); /* it is in the middle of a poll */
		q = issue(r, VNIC_CONTROL_REMOVE);
		for (int i = 0; i < STEPS; i++)
			vnic_control_poll(r->control);
		assert_int_equal(vnic_request_status(q), VNIC_STATUS_PENDING);
		atomic_store(&r->adapter->receive->door, 0);
		reception_step(r, STEPS);
		assert_int_equal(vnic_request_status(q), VNIC_STATUS_SUCCESS);
		assert_int_equal(vnic_adapter_state(r->adapter), VNIC_STATE_HALTED);
		vnic_request_release(q);
		reception_close(r);
	}
}

struct polls {
	struct reception *r;
	uint32_t nb, outside;
};

static uint16_t note_poll(uint16_t port, uint16_t queue, struct rte_mbuf **packets, uint16_t nb,
			  uint16_t max, void *context)
{
	struct polls *polls = context;

	(void)port, (void)queue, (void)packets, (void)max;
	polls->nb++;
	polls->outside += atomic_load(&polls->r->adapter->receive->door) == 0;
	return nb;
}

/* The port is polled behind the door, and only there. */
static void c53_the_port_is_polled_behind_the_door(void **state)
{
	struct polls polls = {.r = reception_open(&receives)};
	const struct rte_eth_rxtx_callback *callback;

	(void)state;
	callback = rte_eth_add_rx_callback(polls.r->port, 0, note_poll, &polls);
	if (callback == NULL)
		skip();
	reception_step(polls.r, 1);
	assert_int_equal(operate(polls.r, VNIC_CONTROL_PAUSE), VNIC_STATUS_SUCCESS);
	reception_step(polls.r, 1);
	assert_true(polls.nb >= 2);
	assert_int_equal(polls.outside, 0);
	assert_int_equal(operate(polls.r, VNIC_CONTROL_REMOVE), VNIC_STATUS_SUCCESS);
	polls.nb = 0;
	reception_step(polls.r, 3);
	assert_int_equal(polls.nb, 0);
	assert_int_equal(rte_eth_remove_rx_callback(polls.r->port, 0, callback), 0);
	reception_close(polls.r);
}

static void c69_a_stop_waits_for_a_held_receive(void **state)
{
	(void)state;
	waits_for_held(VNIC_CONTROL_STOP, VNIC_STATUS_REDIRECTOR_HAS_OPEN_HANDLES, VNIC_STATE_HALTED);
}

/* Held back by a receive, it may still be taken back. */
static void c69_a_stop_that_waits_is_cancelled(void **state)
{
	struct reception *r = reception_open(&receives);
	struct rte_mbuf *held = hold_one(r);
	struct vnic_request *q = issue(r, VNIC_CONTROL_STOP);

	(void)state;
	linger(r);
	assert_true(vnic_request_cancel(q));
	reception_step(r, STEPS);
	assert_int_equal(vnic_request_status(q), VNIC_STATUS_CANCELLED);
	vnic_request_release(q);
	assert_int_equal(vnic_adapter_state(r->adapter), VNIC_STATE_RUNNING);
	give_back(r, held);
	reception_arrive(r, 1, 0, 4);
	reception_data(r);
	RECEPTION_EXPECT(r, 0, 4);
	reception_close(r);
}

/* ---- with threads ---- */

#define OPERATIONS 150

struct crew {
	struct reception *r;
	_Atomic bool stop;
	uint32_t sent, seen;
	bool ordered;
	_Atomic uint32_t opened, wrong; /* the setup thread's */
};

/* The data thread; it is the wire as well. */
static void *run_data(void *arg)
{
	struct crew *c = arg;

	while (!atomic_load(&c->stop)) {
		for (int i = 0; i < 4; i++) {
			reception_arrive(c->r, 1, 0, ++c->sent);
			reception_arrive(c->r, i == 0 ? 0xff : 2, 0, c->sent);
		}
		vnic_adapter_poll(c->r->adapter);
		sched_yield();
	}
	return NULL;
}

static void *run_receiver(void *arg)
{
	struct crew *c = arg;
	struct rte_mbuf *packet[8];

	while (!atomic_load(&c->stop)) {
		uint32_t n = vnic_receive(c->r->receiver[0], packet, 8);

		sched_yield(); /* they are held */
		for (uint32_t i = 0; i < n; i++) {
			uint32_t number = reception_number(packet[i]);

			c->ordered &= number >= c->seen;
			c->seen = number;
		}
		rte_pktmbuf_free_bulk(packet, n);
		vnic_receive_return(c->r->receiver[0], n);
	}
	return NULL;
}

/* What any thread may ask is exact at any moment. */
static void control_until(struct crew *c, struct vnic_request *q)
{
	while (vnic_request_status(q) == VNIC_STATUS_PENDING) {
		vnic_control_poll(c->r->control);
		reception_stats(c->r, 0);
		reception_adapter_stats(c->r);
		sched_yield();
	}
	assert_int_equal(vnic_request_status(q), VNIC_STATUS_SUCCESS);
	vnic_request_release(q);
}

/* Pauses while packets come and go, and another receiver that opens and closes meanwhile. */
static void c44_pauses_among_threads(void **state)
{
	struct crew c = {.r = reception_open(&receives), .ordered = true};
	const struct vnic_receiver_conf other = reception_conf(2, -1);
	pthread_t data, receiver;

	(void)state;
	reception_listen(c.r, 0, 1, -1);
	assert_int_equal(pthread_create(&data, NULL, run_data, &c), 0);
	assert_int_equal(pthread_create(&receiver, NULL, run_receiver, &c), 0);
	for (int i = 0; i < OPERATIONS; i++) {
		struct vnic_receiver *second = vnic_receiver_create(c.r->client[1], &other);
		uint64_t indicated;

		assert_non_null(second);
		control_until(&c, issue(c.r, VNIC_CONTROL_PAUSE));
		assert_int_equal(reception_stats(c.r, 0).held, 0);
		indicated = reception_stats(c.r, 0).indicated;
		sched_yield();
		assert_int_equal(reception_stats(c.r, 0).indicated, indicated);
		assert_int_equal(reception_stats(c.r, 0).queued, 0);
		control_until(&c, issue(c.r, VNIC_CONTROL_RESTART));
		sched_yield();
		assert_int_equal(vnic_receiver_destroy(second), 0);
	}
	while (reception_stats(c.r, 0).indicated == 0)
		sched_yield(); /* on a busy machine nobody else may have run */
	atomic_store(&c.stop, true);
	pthread_join(data, NULL);
	pthread_join(receiver, NULL);
	assert_true(c.ordered);
	reception_step(c.r, 300); /* what is on the wire still */
	for (struct rte_mbuf *m; vnic_receive(c.r->receiver[0], &m, 1) != 0;) {
		rte_pktmbuf_free(m);
		vnic_receive_return(c.r->receiver[0], 1);
	}
	reception_close(c.r);
}

/* Another thread opens and closes a receiver, with another depth each time: of all places, in the
 * end. */
static void *run_setup(void *arg)
{
	struct crew *c = arg;
	struct vnic_receiver_conf conf = reception_conf(2, -1);

	for (uint32_t i = 0; !atomic_load(&c->stop); i++) {
		struct vnic_receiver *second;

		conf.depth = 1 + i * 37 % 101;
		second = vnic_receiver_create(c->r->client[1], &conf);
		sched_yield();
		if (second == NULL || vnic_receiver_destroy(second) != 0)
			atomic_fetch_add(&c->wrong, 1);
		atomic_store(&c->opened, i);
	}
	return NULL;
}

static void c44_pauses_while_places_change(void **state)
{
	struct crew c = {.r = reception_open(&receives), .ordered = true};
	pthread_t data, setup;

	(void)state;
	reception_listen(c.r, 0, 1, -1);
	assert_int_equal(pthread_create(&data, NULL, run_data, &c), 0);
	assert_int_equal(pthread_create(&setup, NULL, run_setup, &c), 0);
	for (int i = 0; i < OPERATIONS || atomic_load(&c.opened) < OPERATIONS; i++) {
		control_until(&c, issue(c.r, VNIC_CONTROL_PAUSE));
		assert_int_equal(reception_stats(c.r, 0).queued, 0);
		control_until(&c, issue(c.r, VNIC_CONTROL_RESTART));
		sched_yield();
	}
	atomic_store(&c.stop, true);
	pthread_join(data, NULL);
	pthread_join(setup, NULL);
	assert_int_equal(atomic_load(&c.wrong), 0);
	reception_step(c.r, 300);
	for (struct rte_mbuf *m; vnic_receive(c.r->receiver[0], &m, 1) != 0;) {
		rte_pktmbuf_free(m);
		vnic_receive_return(c.r->receiver[0], 1);
	}
	reception_close(c.r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(c44_pause_waits_for_a_held_receive),
		cmocka_unit_test(c44_paused_nothing_is_indicated),
		cmocka_unit_test(c44_a_receive_that_meets_a_pause),
		cmocka_unit_test(c44_a_pause_waits_at_the_doors),
		cmocka_unit_test(c44_behind_a_closed_gate_nothing_is_indicated),
		cmocka_unit_test(c44_local_behind_a_closed_gate),
		cmocka_unit_test(c44_behind_a_closed_gate_one_nbl_is_finished),
		cmocka_unit_test(c44_a_pause_takes_back_what_is_queued_for_a_local_receiver),
		cmocka_unit_test(c51_a_reset_flushes_and_does_not_wait),
		cmocka_unit_test(c53_removal_waits_for_a_held_receive),
		cmocka_unit_test(c53_a_port_that_has_gone_is_not_polled),
		cmocka_unit_test(c53_removal_waits_for_the_data_thread),
		cmocka_unit_test(c53_the_port_is_polled_behind_the_door),
		cmocka_unit_test(c69_a_stop_waits_for_a_held_receive),
		cmocka_unit_test(c69_a_stop_that_waits_is_cancelled),
		cmocka_unit_test(c44_pauses_among_threads),
		cmocka_unit_test(c44_pauses_while_places_change),
	};

	return cmocka_run_group_tests_name("receive", tests, test_eal_setup, test_eal_teardown);
}
