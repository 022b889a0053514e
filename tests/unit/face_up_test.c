/* SPDX-License-Identifier: BSD-3-Clause
 * face_up_test.c - what an adapter receives for a face, to the face's port
 */
#include "upper.h"

#include <string.h>

#include <rte_ethdev.h>

#define ROOM 8 /* packets that the port takes */
#define DEPTH 16

static const struct vnic_adapter_conf receives = {.receive = true};

static struct upper open_upper(bool chains)
{
	struct vnic_face_conf conf = {.name = "up", .nbl_packets = 1, .depth = 64, .burst = 4,
				      .receive = true, .receiver = reception_conf(1, -1)};
	struct upper u;

	conf.receiver.depth = DEPTH;
	u = upper_open(&receives, &conf, ROOM, chains);
	vnic_face_stop_receive(u.face); /* what goes up would come down again */
	return u;
}

static struct vnic_face_stats stats(struct upper *u)
{
	struct vnic_receiver_stats s;
	struct vnic_face_stats f;

	vnic_face_stats_get(u->face, &f);
	vnic_receiver_stats_get(vnic_face_receiver(u->face), &s);
	assert_int_equal(f.rx_indicated, f.rx_delivered + f.rx_dropped + f.rx_held);
	assert_int_equal(s.indicated, f.rx_indicated);
	assert_int_equal(s.held, f.rx_held);
	return f;
}

static void step(struct upper *u, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		vnic_control_poll(u->r->control);
		reception_data(u->r);
		vnic_face_poll(u->face);
		stats(u);
	}
}

/* The port's ring has these, first from..to-1. */
static void expect_up(struct upper *u, uint32_t from, uint32_t to)
{
	struct rte_mbuf *m = NULL;

	for (; from < to; from++) {
		assert_int_equal(rte_ring_sc_dequeue(u->ring, (void **)&m), 0);
		assert_int_equal(reception_number(m), from);
		rte_pktmbuf_free(m);
	}
	assert_int_equal(rte_ring_count(u->ring), 0);
}

static void arrive(struct upper *u, uint32_t from, uint32_t to)
{
	for (; from < to; from++)
		reception_arrive(u->r, 1, 0, from);
}

static void in_order_through_a_full_port(void **state)
{
	struct upper u = open_upper(true);
	struct vnic_receiver_stats s;

	(void)state;
	arrive(&u, 0, 30);
	step(&u, 10);
	/* what the port took, what is held, what is queued: the rest is lost */
	assert_int_equal(stats(&u).rx_delivered, ROOM);
	assert_int_equal(stats(&u).rx_held, 4);
	vnic_receiver_stats_get(vnic_face_receiver(u.face), &s);
	assert_int_equal(s.dropped, 30 - DEPTH);
	assert_int_equal(s.queued, DEPTH - ROOM - 4);
	expect_up(&u, 0, 8);
	step(&u, 4);
	expect_up(&u, 8, 16);
	arrive(&u, 16, 20);
	step(&u, 2);
	expect_up(&u, 16, 20);
	upper_close(&u);
}

/* The port takes some of the held ones: the others keep their places. */
static void in_order_through_a_narrow_port(void **state)
{
	struct upper u = open_upper(true);
	struct rte_mbuf *m = NULL;
	uint32_t next = 0, sent = 0;

	(void)state;
	for (uint32_t round = 0; round < 300; round++) {
		if (sent < 200 && sent - next <= DEPTH - 4) {
			arrive(&u, sent, sent + 4);
			sent += 4;
		}
		step(&u, 1);
		for (uint32_t k = 0; k < round % 3 && rte_ring_sc_dequeue(u.ring, (void **)&m) == 0; k++) {
			assert_int_equal(reception_number(m), next++);
			rte_pktmbuf_free(m);
		}
	}
	assert_int_equal(next, 200);
	assert_int_equal(stats(&u).rx_dropped, 0);
	upper_close(&u);
}

/* [C44] */
static void a_stuck_port_does_not_hold_a_pause(void **state)
{
	struct upper u = open_upper(true);
	struct vnic_request *q = vnic_request_create(u.r->control);

	(void)state;
	arrive(&u, 0, 30);
	step(&u, 5);
	vnic_adapter_request(u.r->adapter, VNIC_CONTROL_PAUSE, 0, q);
	step(&u, 100);
	assert_int_equal(vnic_request_status(q), VNIC_STATUS_SUCCESS);
	vnic_request_release(q);
	assert_int_equal(stats(&u).rx_dropped, 4);
	expect_up(&u, 0, 8);
	upper_close(&u);
}

static void nobody_behind_the_port(void **state)
{
	struct upper u = open_upper(true);
	uint64_t until = rte_rdtsc() + 5 * rte_get_tsc_hz();

	(void)state;
	arrive(&u, 0, 30);
	step(&u, 5);
	assert_int_equal(stats(&u).rx_held, 4);
	assert_int_equal(rte_eth_dev_set_link_down(u.port), 0);
	while (stats(&u).rx_dropped == 0 && rte_rdtsc() < until)
		step(&u, 1);
	/* all at once: who comes is not to find packets of long ago */
	assert_int_equal(stats(&u).rx_dropped, DEPTH - ROOM);
	assert_int_equal(rte_eth_dev_set_link_up(u.port), 0);
	expect_up(&u, 0, 8);
	arrive(&u, 40, 44);
	step(&u, 2);
	expect_up(&u, 40, 44);
	upper_close(&u);
}

/* What it was told counts, and nobody asks the port, which says the contrary. */
static void told_of_its_link(void **state)
{
	struct upper u = open_upper(true);
	uint64_t until = rte_rdtsc() + rte_get_tsc_hz() * 35 / 100;

	(void)state;
	arrive(&u, 0, 30);
	step(&u, 5);
	assert_int_equal(rte_eth_dev_set_link_down(u.port), 0);
	vnic_face_tell_link(u.face, true);
	while (rte_rdtsc() < until)
		step(&u, 1);
	assert_int_equal(stats(&u).rx_dropped, 0);
	assert_int_equal(stats(&u).rx_held, 4);
	assert_int_equal(rte_eth_dev_set_link_up(u.port), 0);
	vnic_face_tell_link(u.face, false);
	until = rte_rdtsc() + 5 * rte_get_tsc_hz();
	while (stats(&u).rx_dropped == 0 && rte_rdtsc() < until)
		step(&u, 1);
	assert_int_equal(stats(&u).rx_dropped, DEPTH - ROOM);
	expect_up(&u, 0, 8);
	upper_close(&u);
}

/* A frame in two buffers of `first` and `second` bytes. */
static void arrive_chain(struct upper *u, uint16_t first, uint16_t second)
{
	struct rte_mbuf *m = reception_frame(u->r, 1, 9, 0, 7), *more = rte_pktmbuf_alloc(u->r->mbufs);

	assert_non_null(more);
	if (first > m->data_len)
		rte_pktmbuf_append(m, first - m->data_len);
	rte_pktmbuf_append(more, second);
	assert_int_equal(rte_pktmbuf_chain(m, more), 0);
	assert_int_equal(rte_ring_sp_enqueue(u->r->in, m), 0);
}

static void what_the_port_does_not_take(void **state)
{
	(void)state;
	for (int chains = 0; chains < 2; chains++) {
		struct upper u = open_upper(chains);
		struct rte_mbuf *m = NULL;

		arrive_chain(&u, 1000, 600); /* above its MTU */
		arrive_chain(&u, 1000, 400);
		arrive(&u, 0, 1);
		step(&u, 3);
		assert_int_equal(stats(&u).rx_dropped, 1);
		assert_int_equal(stats(&u).rx_delivered, 2);
		assert_int_equal(rte_ring_sc_dequeue(u.ring, (void **)&m), 0);
		assert_int_equal(m->pkt_len, 1400);
		assert_int_equal(m->nb_segs, chains ? 2 : 1);
		rte_pktmbuf_free(m);
		expect_up(&u, 0, 1);
		upper_close(&u);
	}
}

static void an_end_with_packets_held(void **state)
{
	struct upper u = open_upper(true);

	(void)state;
	arrive(&u, 0, 30);
	step(&u, 5);
	assert_int_equal(stats(&u).rx_held, 4);
	expect_up(&u, 0, 8);
	upper_close(&u); /* and every buffer is back */
}

/* A buffer of the chain is another's as well, who may have put its own data behind it. */
static void a_shared_chain_is_copied(void **state)
{
	struct upper u = open_upper(false);
	struct rte_mbuf *m = reception_frame(u.r, 1, 9, 0, 1), *more = rte_pktmbuf_alloc(u.r->mbufs), *up = NULL;
	uint8_t *behind = rte_pktmbuf_mtod_offset(m, uint8_t *, m->data_len);

	(void)state;
	assert_non_null(more);
	memset(rte_pktmbuf_append(more, 50), 'm', 50);
	memset(behind, 'b', 50);
	assert_int_equal(rte_pktmbuf_chain(m, more), 0);
	rte_mbuf_refcnt_update(m, 1);
	rte_mbuf_refcnt_update(more, 1);
	assert_int_equal(rte_ring_sp_enqueue(u.r->in, m), 0);
	step(&u, 3);
	assert_int_equal(rte_ring_sc_dequeue(u.ring, (void **)&up), 0);
	assert_int_equal(up->nb_segs, 1);
	assert_int_equal(up->pkt_len, 150);
	assert_int_equal(*rte_pktmbuf_mtod_offset(up, char *, 149), 'm');
	rte_pktmbuf_free(up);
	assert_int_equal(m->nb_segs, 2);
	for (int i = 0; i < 50; i++)
		assert_int_equal(behind[i], 'b');
	rte_pktmbuf_free(m);
	upper_close(&u);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(in_order_through_a_full_port),
		cmocka_unit_test(in_order_through_a_narrow_port),
		cmocka_unit_test(a_stuck_port_does_not_hold_a_pause),
		cmocka_unit_test(nobody_behind_the_port),
		cmocka_unit_test(told_of_its_link),
		cmocka_unit_test(what_the_port_does_not_take),
		cmocka_unit_test(an_end_with_packets_held),
		cmocka_unit_test(a_shared_chain_is_copied),
	};

	return cmocka_run_group_tests_name("face up", tests, test_eal_setup, test_eal_teardown);
}
