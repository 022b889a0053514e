/* SPDX-License-Identifier: BSD-3-Clause
 * fault_test.c - contract N: a failed allocation at every site (C79)
 *
 * A creator is called again and again; each time another of the allocations that it makes
 * fails, alone or with all after it: NULL, rte_errno, nothing leaked, and the next call
 * succeeds. On the data path a copy that is not to be had gives RESOURCES to its NBL, and
 * C1 and C16 hold as ever. Then sites fail at random while sends and cancels go on.
 */
#include "bed.h"
#include "faults.h"
#include "sides.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>

#include <rte_errno.h>
#include <rte_eth_ring.h>
#include <rte_ethdev.h>

#define ID UINT64_C(0x1234)
#define OTHER UINT64_C(0x5678)
#define FOREVER UINT32_MAX
#define SITES_MAX 100
#define HANDLES_KEPT 64

static void expect_heap(struct heap before)
{
	struct heap now = heap_now();

	assert_int_equal(now.blocks, before.blocks);
	assert_int_equal(now.bytes, before.bytes);
}

/* ---- creators ---- */

/* What creators want; made without faults. */
struct scene {
	struct bed *b;
	struct vnic_adapter *adapter;
	struct vnic_client *client;
	struct rte_ring *upper;
	uint16_t upper_port;
	uint16_t opened; /* by vnic_port_open */
	bool fresh;      /* no client has been closed: the next has memory of its own */
};

static void *new_control(struct scene *s)
{
	(void)s;
	return vnic_control_create(-1);
}

static int end_control(void *control)
{
	return vnic_control_destroy(control);
}

static void *new_pool(struct scene *s)
{
	(void)s;
	return vnic_nbl_pool_create("fault", 1000, 4, -1);
}

static int end_pool(void *pool)
{
	return vnic_nbl_pool_destroy(pool);
}

static void *new_adapter(struct scene *s)
{
	struct vnic_adapter_conf conf = {.name = "fault", .port = s->b->port, .numa_node = -1};

	return vnic_adapter_create(s->b->control, &conf);
}

/* One that has tables: of a port without rx queues. */
static void *new_local_adapter(struct scene *s)
{
	struct vnic_adapter_conf conf = {.name = "fault", .port = s->b->port, .local = true,
					 .learn = true, .numa_node = -1};

	return vnic_adapter_create(s->b->control, &conf);
}

static int end_adapter(void *adapter)
{
	return vnic_adapter_destroy(adapter);
}

static void *new_client(struct scene *s)
{
	return vnic_client_open(s->adapter);
}

static void *new_request(struct scene *s)
{
	return vnic_request_create(s->b->control);
}

static int end_request(void *request)
{
	vnic_request_release(request);
	return 0;
}

static void *new_request_queue(struct scene *s)
{
	(void)s;
	return vnic_request_queue_create();
}

static int end_request_queue(void *queue)
{
	return vnic_request_queue_destroy(queue);
}

static void *new_layer(struct scene *s)
{
	struct vnic_adapter *lower[] = {s->b->adapter, s->adapter};
	struct vnic_adapter_conf conf = {.name = "fault", .lower = lower, .nb_lower = 2, .numa_node = -1};

	return vnic_adapter_create(s->b->control, &conf);
}

static int end_client(void *client)
{
	return vnic_client_close(client);
}

static void *new_sender(struct scene *s)
{
	return vnic_sender_create(s->client, s->b->nbls, 256);
}

static int end_sender(void *sender)
{
	return vnic_sender_destroy(sender);
}

static void *new_receiver(struct scene *s)
{
	struct vnic_receiver_conf conf = {.vlan = -1, .nb_macs = 1, .mac = {{2, 0, 0, 0, 0, 1}}};

	return vnic_receiver_create(s->client, &conf);
}

static int end_receiver(void *receiver)
{
	return vnic_receiver_destroy(receiver);
}

static void *new_ticket(struct scene *s)
{
	(void)s;
	return vnic_ticket_create(-1);
}

static int end_ticket(void *ticket)
{
	return vnic_ticket_destroy(ticket);
}

static void *new_face(struct scene *s)
{
	struct vnic_face_conf conf = {.name = "fault", .port = s->upper_port, .nbl_packets = 1,
				      .depth = 128};

	return vnic_face_create(s->adapter, &conf);
}

static int end_face(void *face)
{
	return vnic_face_destroy(face);
}

static void *new_port(struct scene *s)
{
	struct vnic_port_conf conf = {.numa_node = -1};
	char why[256] = "";
	int rc = vnic_port_open("net_null_fault", &conf, 511, &s->opened, why, sizeof(why));

	rte_errno = -rc;
	assert_true(rc == 0 || why[0] != '\0');
	if (rc != 0) /* it has gone again */
		assert_int_equal(rte_eth_dev_get_port_by_name("net_null_fault", &s->opened), -ENODEV);
	return rc == 0 ? &s->opened : NULL;
}

static int end_port(void *port)
{
	return vnic_port_close(*(uint16_t *)port);
}

static const struct creator {
	const char *name;
	void *(*create)(struct scene *s);
	int (*destroy)(void *made);
	bool driver_keeps; /* it does not give back all that it took, though nothing failed */
	bool fresh;
	bool queues; /* their memory stays with the adapter until that is destroyed */
} creators[] = {
	{"c79_control", new_control, end_control}, {"c79_pool", new_pool, end_pool},
	{"c79_adapter", new_adapter, end_adapter}, {"c79_client", new_client, end_client, .fresh = true},
	{"c79_sender", new_sender, end_sender},    {"c79_ticket", new_ticket, end_ticket},
	{"c79_face", new_face, end_face},          {"c79_port", new_port, end_port, true},
	{"c79_request", new_request, end_request}, {"c79_layer", new_layer, end_adapter, .queues = true},
	{"c79_request_queue", new_request_queue, end_request_queue},
	{"c79_local_adapter", new_local_adapter, end_adapter},
	{"c79_receiver", new_receiver, end_receiver},
};

static void open_upper(struct scene *s)
{
	struct rte_eth_conf eth = {0};
	char name[16];
	int port;

	s->upper = rte_ring_create(bed_unique("upper", name), 256, SOCKET_ID_ANY,
				   RING_F_SP_ENQ | RING_F_SC_DEQ);
	assert_non_null(s->upper);
	port = rte_eth_from_rings(name, &s->upper, 1, &s->upper, 1, 0);
	assert_true(port >= 0);
	s->upper_port = (uint16_t)port;
	assert_int_equal(rte_eth_dev_configure(s->upper_port, 1, 0, &eth), 0);
	assert_int_equal(rte_eth_rx_queue_setup(s->upper_port, 0, 0, SOCKET_ID_ANY, NULL, s->b->mbufs), 0);
	assert_int_equal(rte_eth_dev_start(s->upper_port), 0);
}

static void close_upper(struct scene *s)
{
	struct rte_eth_dev_info info;

	assert_int_equal(rte_eth_dev_info_get(s->upper_port, &info), 0);
	assert_int_equal(rte_eth_dev_stop(s->upper_port), 0);
	assert_int_equal(rte_eth_dev_close(s->upper_port), 0);
	assert_int_equal(rte_dev_remove(info.device), 0);
	rte_ring_free(s->upper);
}

static void open_scene(struct scene *s)
{
	struct vnic_adapter_conf conf = {.name = "scene", .local = true, .numa_node = -1};

	s->b = bed_open(NULL);
	conf.port = s->b->port;
	open_upper(s);
	s->adapter = vnic_adapter_create(s->b->control, &conf);
	assert_non_null(s->adapter);
	assert_int_equal(vnic_adapter_up(s->adapter), VNIC_STATUS_SUCCESS);
	s->client = vnic_client_open(s->adapter);
	assert_non_null(s->client);
	/* a closed handle's memory is kept until so many others have been closed */
	for (uint32_t i = 0; i < HANDLES_KEPT && !s->fresh; i++)
		assert_int_equal(vnic_client_close(vnic_client_open(s->adapter)), 0);
}

static void close_scene(struct scene *s)
{
	assert_int_equal(vnic_client_close(s->client), 0);
	assert_int_equal(vnic_adapter_destroy(s->adapter), 0);
	close_upper(s);
	bed_close(s->b);
}

/* Every site of a creator fails once, in a scene of its own: a sender's memory stays with
 * the adapter. Returns how many sites there are. */
static uint32_t each_site(const struct creator *c, uint32_t failing)
{
	for (uint32_t site = 0; site < SITES_MAX; site++) {
		struct heap before = heap_now(), scene;
		struct scene s = {.fresh = c->fresh};
		void *made;
		uint32_t failed;

		open_scene(&s);
		scene = heap_now();
		faults_after(site, failing);
		rte_errno = 0;
		made = c->create(&s);
		failed = faults_end();
		if (made == NULL) {
			assert_int_equal(rte_errno, ENOMEM);
			assert_true(failed >= 1);
			if (!c->queues)
				expect_heap(scene);
			made = c->create(&s); /* what failed has left no trace */
			assert_non_null(made);
		} else {
			assert_int_equal(failed, 0); /* nor may a failure go unnoticed */
		}
		assert_int_equal(c->destroy(made), 0);
		close_scene(&s);
		if (!c->driver_keeps)
			expect_heap(before);
		if (failed == 0)
			return site;
	}
	fail_msg("no end of sites");
	return 0;
}

static void check_creator(void **state)
{
	const struct creator *c = *state;
	struct scene s = {.fresh = c->fresh};
	uint32_t sites;

	open_scene(&s); /* what DPDK allocates once and keeps */
	assert_int_equal(c->destroy(c->create(&s)), 0);
	close_scene(&s);
	sites = each_site(c, 1);
	assert_true(sites >= 1);
	assert_int_equal(each_site(c, FOREVER), sites);
	print_message("sites: %u\n", sites);
}

/* ---- copies ---- */

#define NBLS 60u

/* NBLs whose packets go as they are, are padded in place, or need a copy: the packets are
 * short and in two buffers. Returns how many copies the one has. */
static uint32_t nbl_of_kind(struct bed *b, uint64_t id, uint32_t kind)
{
	static const uint32_t len[] = {BED_FRAME, 40, 40, 40};
	static const uint16_t nb[] = {2, 2, 1, 3}, segs[] = {1, 1, 2, 2};
	uint32_t first = b->nb_packets;

	for (uint16_t i = 0; i < nb[kind]; i++)
		bed_packet_chain(b, len[kind], segs[kind]);
	bed_nbl_of(b, id, first, nb[kind]);
	return segs[kind] == 2 ? nb[kind] : 0;
}

/* After `spared` copies there is none: exactly the NBLs that need a later one fail. */
static void c79_c8_no_copy_from_some_site_on(void **state)
{
	uint32_t nb_copies = 1;

	(void)state;
	for (uint32_t spared = 0; spared <= nb_copies; spared++) {
		struct bed *b = bed_open(NULL);
		uint32_t need[NBLS], copies = 0;

		for (uint32_t i = 0; i < NBLS; i++)
			need[i] = copies += nbl_of_kind(b, ID, i % 4);
		nb_copies = copies;
		bed_send(b, 0, NBLS);
		faults_after(spared, FOREVER);
		for (int i = 0; i < 200; i++)
			bed_data(b);
		assert_int_equal(faults_end() != 0, spared < copies);
		bed_settle(b);
		for (uint32_t i = 0; i < NBLS; i++)
			bed_expect(b, i, 1, need[i] > spared && i % 4 >= 2 ? VNIC_STATUS_RESOURCES
									   : VNIC_STATUS_SUCCESS);
		bed_close(b);
	}
}

/* One copy fails: an NBL fails for it, or it is made at the next try. */
static void c79_one_copy_fails(void **state)
{
	bool more = true;

	(void)state;
	for (uint32_t spared = 0; more; spared++) {
		struct bed *b = bed_open(NULL);

		for (uint32_t i = 0; i < NBLS; i++)
			nbl_of_kind(b, ID, i % 4);
		bed_send(b, 0, NBLS);
		faults_after(spared, 1);
		for (int i = 0; i < 20; i++)
			bed_data(b);
		more = faults_end() != 0;
		bed_settle(b);
		assert_true(bed_count(b, 0, NBLS, VNIC_STATUS_RESOURCES) <= 1);
		assert_true(bed_count(b, 0, NBLS, VNIC_STATUS_SUCCESS) >= NBLS - 1);
		bed_close(b);
	}
}

/* [C16] Every match that is queued, or staged and not begun, is aborted; the others leave or
 * fail for want of a copy. */
static void c79_c16_cancel_while_copies_fail(void **state)
{
	(void)state;
	for (uint32_t room = 0; room < 12; room++) {
		struct bed *b = bed_open(&(struct bed_conf){.burst = 16});
		struct vnic_verdict v;
		uint32_t aborted, matches = 0, done = 0;

		for (uint32_t i = 0; i < NBLS; i++)
			nbl_of_kind(b, i % 3 == 0 ? ID : OTHER, i % 4);
		bed_send(b, 0, NBLS);
		bed_wire_room(b, room);
		faults_after(room, FOREVER);
		bed_data(b);
		bed_poll(b);
		for (uint32_t i = 0; i < NBLS; i += 3) {
			matches++;
			done += b->nbl[i].done;
		}
		v = bed_cancel(b, ID);
		aborted = bed_count(b, 0, NBLS, VNIC_STATUS_SEND_ABORTED);
		assert_int_equal(v.aborted.nbls, aborted);
		assert_in_range(aborted + done, matches - 1, matches); /* one may be begun */
		for (int i = 0; i < 200; i++)
			bed_data(b);
		faults_end();
		bed_settle(b);
		for (uint32_t i = 0; i < NBLS; i++)
			assert_true(b->nbl[i].status != VNIC_STATUS_SEND_ABORTED || i % 3 == 0);
		bed_close(b);
	}
}

/* ---- a face's NBLs ---- */

static void c79_a_face_without_nbls(void **state)
{
	struct scene s = {0};
	struct vnic_face *face;
	struct vnic_face_stats st;
	uint32_t failed;

	(void)state;
	open_scene(&s);
	face = new_face(&s);
	assert_non_null(face);
	faults_at_random(2, 79);
	for (int round = 0; round < 200; round++) {
		struct rte_mbuf *m = rte_pktmbuf_alloc(s.b->mbufs);

		assert_non_null(m);
		assert_non_null(rte_pktmbuf_append(m, BED_FRAME));
		assert_int_equal(rte_ring_enqueue(s.upper, m), 0);
		vnic_face_poll(face);
		vnic_adapter_poll(s.adapter);
		while (rte_ring_dequeue(s.b->wire, (void **)&m) == 0)
			rte_pktmbuf_free(m);
	}
	failed = faults_end();
	vnic_face_poll(face);
	vnic_face_stats_get(face, &st);
	assert_int_equal(st.dropped, failed);
	assert_in_range(failed, 50, 150);
	assert_int_equal(st.received, 200);
	assert_int_equal(st.completed, 200 - failed);
	assert_int_equal(st.sent, st.completed);
	assert_int_equal(vnic_face_outstanding(face), 0);
	assert_int_equal(vnic_face_destroy(face), 0);
	close_scene(&s); /* and all of its packets are back */
}

/* ---- at random, while sends and cancels go on ---- */

static void try_creator(struct scene *s, unsigned int *seed, bool polled)
{
	const struct creator *c = &creators[(uint32_t)rand_r(seed) % BED_COUNT_OF(creators)];
	struct heap before;
	void *made;

	if (c->create == new_sender || c->create == new_receiver || c->create == new_port ||
	    c->create == new_face)
		return; /* the first two keep their memory; the others are many times slower */
	if (polled && c->destroy == end_adapter)
		return; /* an adapter goes when nobody polls */
	before = heap_now();
	rte_errno = 0;
	made = c->create(s);
	if (made == NULL)
		assert_int_equal(rte_errno, ENOMEM);
	else
		assert_int_equal(c->destroy(made), 0);
	expect_heap(before);
}

static void send_some(struct bed *b, unsigned int *seed)
{
	uint32_t first = b->nb_nbls;
	uint16_t n = (uint16_t)(1 + rand_r(seed) % 8), taken;

	for (uint16_t i = 0; i < n; i++) {
		uint32_t serial = b->nb_packets;
		uint16_t nb = (uint16_t)(1 + rand_r(seed) % 3);

		for (uint16_t k = 0; k < nb; k++)
			bed_packet_chain(b, rand_r(seed) % 2 ? 40 : BED_FRAME,
					 (uint16_t)(1 + rand_r(seed) % 2));
		bed_nbl_of(b, 1 + (uint64_t)rand_r(seed) % 4, serial, nb);
	}
	taken = bed_send_by(b, 0, first, n);
	bed_discard(b, first + taken, (uint16_t)(n - taken));
}

/* How many NBLs of the bed failed, and were aborted: both, or it was no test. */
static void expect_both(const struct bed *b, uint32_t least)
{
	uint32_t failed = bed_count(b, 0, b->nb_nbls, VNIC_STATUS_RESOURCES);
	uint32_t aborted = bed_count(b, 0, b->nb_nbls, VNIC_STATUS_SEND_ABORTED);

	print_message("RESOURCES %u, aborted %u of %u\n", failed, aborted, b->nb_nbls);
	assert_true(failed >= least && aborted >= least);
}

static void c79_random_sites(void **state)
{
	struct heap before = heap_now();
	struct scene s = {0};
	unsigned int seed = 79;
	uint64_t aborted = 0;

	(void)state;
	open_scene(&s);
	/* whose queues stay with the adapters below */
	assert_int_equal(end_adapter(new_layer(&s)), 0);
	for (int step = 0; step < 20000; step++) {
		struct vnic_verdict v;

		faults_at_random(3, (uint32_t)rand_r(&seed));
		switch (rand_r(&seed) % 6) {
		case 0:
			faults_end(); /* the test's own NBLs are to be had */
			send_some(s.b, &seed);
			break;
		case 1:
			bed_wire_room(s.b, (uint32_t)rand_r(&seed) % 20);
			bed_data(s.b);
			break;
		case 2:
			bed_control(s.b);
			break;
		case 3:
			if (vnic_ticket_verdict(s.b->ticket, &v) == -EINPROGRESS)
				break;
			aborted += step > 100 ? v.aborted.nbls : 0;
			vnic_adapter_cancel(s.b->adapter, step <= 100 ? 9 : 1 + (uint64_t)rand_r(&seed) % 4,
					    s.b->ticket);
			break;
		case 4:
			bed_poll(s.b);
			break;
		default:
			try_creator(&s, &seed, false);
		}
		faults_end();
	}
	aborted += bed_verdict(s.b, s.b->ticket).aborted.nbls;
	bed_settle(s.b);
	assert_int_equal(aborted, bed_count(s.b, 0, s.b->nb_nbls, VNIC_STATUS_SEND_ABORTED));
	expect_both(s.b, 500);
	close_scene(&s);
	expect_heap(before);
}

static void c79_random_sites_of_threads(void **state)
{
	struct scene s = {0};
	struct sides sides;
	unsigned int seed = 80;

	(void)state;
	open_scene(&s);
	sides_start(&sides, s.b);
	for (int round = 0; round < 3000 || (s.b->nb_done < 5000 && round < 100000); round++) {
		struct vnic_verdict v;

		faults_end();
		if (vnic_sender_room(s.b->sender[0], 8) == 8)
			send_some(s.b, &seed);
		faults_at_random(3, (uint32_t)round);
		if (round % 16 == 0)
			try_creator(&s, &seed, true);
		if (vnic_ticket_verdict(s.b->ticket, &v) != -EINPROGRESS)
			vnic_adapter_cancel(s.b->adapter, 1 + (uint64_t)rand_r(&seed) % 4, s.b->ticket);
		bed_poll(s.b);
		/* between, the port is full and there is a queue to cancel in */
		if (rte_ring_full(s.b->wire) && round % 8 == 0)
			bed_wire_drain(s.b);
		sched_yield();
	}
	while (vnic_sender_outstanding(s.b->sender[0]) != 0) {
		bed_poll(s.b);
		bed_wire_drain(s.b);
		sched_yield();
	}
	faults_end();
	sides_stop(&sides);
	bed_verdict(s.b, s.b->ticket);
	expect_both(s.b, 10);
	close_scene(&s);
}

#define CREATOR(i) {creators[i].name, check_creator, NULL, NULL, (void *)(uintptr_t)&creators[i]}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CREATOR(0), CREATOR(1), CREATOR(2), CREATOR(3),
		CREATOR(4), CREATOR(5), CREATOR(6), CREATOR(7),
		CREATOR(8), CREATOR(9), CREATOR(10), CREATOR(11),
		CREATOR(12),
		cmocka_unit_test(c79_c8_no_copy_from_some_site_on),
		cmocka_unit_test(c79_one_copy_fails),
		cmocka_unit_test(c79_c16_cancel_while_copies_fail),
		cmocka_unit_test(c79_a_face_without_nbls),
		cmocka_unit_test(c79_random_sites),
		cmocka_unit_test(c79_random_sites_of_threads),
	};

	_Static_assert(BED_COUNT_OF(creators) == 13, "one test for each");
	return cmocka_run_group_tests_name("conformance fault", tests, test_eal_setup,
					   test_eal_teardown);
}
