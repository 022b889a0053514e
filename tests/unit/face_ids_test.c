/* SPDX-License-Identifier: BSD-3-Clause
 * face_ids_test.c - the ids that a face gives, its counts, and cancels by them
 *
 * The face's port is a ring, into which the test puts frames; nobody polls the adapter's data
 * side, so that all of them stay queued.
 */
#include "scene.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include <rte_errno.h>
#include <rte_eth_ring.h>
#include <rte_ethdev.h>

#define ROUNDS 20000u

static struct vnic_face *face_of(const struct scene *s, const struct vnic_idrule *rules, uint32_t nb,
				 uint16_t nbl_packets)
{
	struct vnic_face_conf conf = {.name = "ids", .port = s->upper_port, .depth = 256,
				      .nbl_packets = nbl_packets, .rules = rules, .nb_rules = nb};

	return vnic_face_create(s->adapter, &conf);
}

static uint64_t id_of(const struct scene *s, const struct vnic_face *f, uint16_t port, uint32_t *rule)
{
	struct rte_mbuf *m = scene_frame(s, port);
	uint64_t id = vnic_face_id(f, m, rule);

	rte_pktmbuf_free(m);
	return id;
}

static const struct vnic_idrule rules[] = {
	{.kind = VNIC_IDRULE_PORT, .only = true, .value = 7},
	{.kind = VNIC_IDRULE_PORT, .only = true, .value = 8},
	{.kind = VNIC_IDRULE_VLAN},
};

static void each_rule_counts_and_its_id_cancels(void **state)
{
	struct scene s = scene_open();
	struct vnic_face *f = face_of(&s, rules, BED_COUNT_OF(rules), 1);
	const uint64_t prefix = (uint64_t)vnic_client_prefix(vnic_face_client(f))
				<< VNIC_CANCEL_ID_PREFIX_SHIFT;
	struct vnic_face_stats st;
	uint32_t rule;

	(void)state;
	scene_feed(&s, f, (const uint16_t[]){7, 8, 9, 7, 7, 9, 8, 9, 9, 0});
	vnic_face_stats_get(f, &st);
	assert_int_equal(st.received, 9);
	assert_int_equal(st.matched[0], 3);
	assert_int_equal(st.matched[1], 2);
	assert_int_equal(st.matched[2], 0); /* never matches, and it shows */
	assert_int_equal(st.unmarked, 4);
	assert_int_equal(id_of(&s, f, 8, &rule), prefix | UINT64_C(1) << VNIC_IDRULE_INDEX_SHIFT | 8);
	assert_int_equal(rule, 1);
	scene_cancel(&s, f, id_of(&s, f, 8, &rule), 2, 2);
	scene_cancel(&s, f, id_of(&s, f, 7, &rule), 3, 3);
	assert_int_equal(rule, 0);
	assert_int_equal(id_of(&s, f, 9, &rule), 0);
	assert_int_equal(rule, VNIC_IDRULES_MAX);
	assert_int_equal(vnic_client_cancel(vnic_face_client(f), 0, s.ticket), -EINVAL);
	scene_cancel(&s, f, 0, 4, 4); /* the unmarked too */
	vnic_face_stats_get(f, &st);
	assert_int_equal(st.aborted, 9);
	assert_int_equal(st.completed, 9);
	assert_int_equal(vnic_face_destroy(f), 0);
	scene_close(&s);
}

/* Neighbours share an NBL if they have one id; unmarked ones too. */
static void neighbours_of_one_id(void **state)
{
	struct scene s = scene_open();
	struct vnic_face *f = face_of(&s, rules, 2, 3);
	uint32_t rule;

	(void)state;
	scene_feed(&s, f, (const uint16_t[]){7, 7, 7, 7, 8, 7, 9, 10, 8, 0});
	scene_cancel(&s, f, id_of(&s, f, 7, &rule), 3, 5);
	scene_cancel(&s, f, id_of(&s, f, 8, &rule), 2, 2);
	scene_cancel(&s, f, 0, 1, 2);
	assert_int_equal(vnic_face_destroy(f), 0);
	scene_close(&s);
}

/* Left out: each flow has an id. */
static void no_rules_are_the_flow(void **state)
{
	struct scene s = scene_open();
	struct vnic_face *f = face_of(&s, NULL, 0, 1);
	struct vnic_face_stats st;
	uint32_t rule;

	(void)state;
	scene_feed(&s, f, (const uint16_t[]){7, 8, 7, 0});
	scene_cancel(&s, f, id_of(&s, f, 7, &rule), 2, 2);
	scene_cancel(&s, f, id_of(&s, f, 8, &rule), 1, 1);
	vnic_face_stats_get(f, &st);
	assert_int_equal(st.matched[0], 3);
	assert_int_equal(st.unmarked, 0);
	assert_int_equal(vnic_face_destroy(f), 0);
	scene_close(&s);
}

static void rules_that_are_refused(void **state)
{
	const struct vnic_idrule wide = {.kind = VNIC_IDRULE_BYTES, .width = 8};
	struct vnic_idrule many[VNIC_IDRULES_MAX + 1];
	struct scene s = scene_open();

	(void)state;
	memset(many, 0, sizeof(many));
	for (int i = 0; i < 2; i++) {
		rte_errno = 0;
		assert_null(i == 0 ? face_of(&s, &wide, 1, 1) : face_of(&s, many, BED_COUNT_OF(many), 1));
		assert_int_equal(rte_errno, EINVAL);
	}
	scene_close(&s);
}

/* ---- several queues ---- */

#define QUEUES 3
#define EACH 30u
#define FEW 8u

/* A port whose rx queues are rings of the test's. */
static uint16_t open_rings(const struct scene *s, struct rte_ring **ring)
{
	struct rte_eth_conf eth = {0};
	char name[16];
	int port;

	for (uint16_t q = 0; q < QUEUES; q++)
		ring[q] = rte_ring_create(bed_unique("fq", name), 256, SOCKET_ID_ANY,
					  RING_F_SP_ENQ | RING_F_SC_DEQ);
	port = rte_eth_from_rings(bed_unique("fm", name), ring, QUEUES, ring, 1, 0);
	assert_true(port >= 0);
	assert_int_equal(rte_eth_dev_configure((uint16_t)port, QUEUES, 1, &eth), 0);
	for (uint16_t q = 0; q < QUEUES; q++)
		assert_int_equal(rte_eth_rx_queue_setup((uint16_t)port, q, 64, SOCKET_ID_ANY, NULL,
							s->mbufs), 0);
	assert_int_equal(rte_eth_tx_queue_setup((uint16_t)port, 0, 64, SOCKET_ID_ANY, NULL), 0);
	assert_int_equal(rte_eth_dev_start((uint16_t)port), 0);
	return (uint16_t)port;
}

static void close_rings(uint16_t port, struct rte_ring **ring)
{
	assert_int_equal(rte_eth_dev_stop(port), 0);
	assert_int_equal(rte_eth_dev_close(port), 0);
	for (uint16_t q = 0; q < QUEUES; q++)
		rte_ring_free(ring[q]);
}

static void take_back(const struct scene *s, struct vnic_face *f, uint64_t n)
{
	struct vnic_verdict v;

	assert_int_equal(vnic_client_abort(vnic_face_client(f), s->ticket), 0);
	vnic_control_poll(s->control);
	assert_int_equal(vnic_ticket_verdict(s->ticket, &v), 0);
	assert_int_equal(v.aborted.nbls, n);
}

/* All are polled; where there is room for a few only, each queue has it in its turn. */
static void queues_in_turn(void **state)
{
	const struct vnic_client_limits few = {.nbls = FEW}, none = {0};
	struct scene s = scene_open();
	struct rte_ring *ring[QUEUES];
	uint16_t port = open_rings(&s, ring);
	struct vnic_face_conf conf = {.name = "ids", .port = port, .nb_queues = QUEUES + 1,
				      .depth = 256, .nbl_packets = 1};
	struct vnic_face *f = vnic_face_create(s.adapter, &conf);
	uint32_t left[QUEUES];

	(void)state;
	assert_null(f);
	assert_int_equal(rte_errno, ENODEV);
	conf.nb_queues = QUEUES;
	f = vnic_face_create(s.adapter, &conf);
	assert_non_null(f);
	for (uint32_t i = 0; i < QUEUES * EACH; i++)
		assert_int_equal(rte_ring_enqueue(ring[i % QUEUES], scene_frame(&s, (uint16_t)(i + 1))), 0);
	vnic_client_set_limits(vnic_face_client(f), &few);
	for (uint32_t i = 0; i < 2 * QUEUES; i++) {
		vnic_face_poll(f);
		take_back(&s, f, FEW);
		left[i % QUEUES] = rte_ring_count(ring[i % QUEUES]);
		assert_int_equal(left[i % QUEUES], EACH - FEW * (i / QUEUES + 1));
	}
	vnic_client_set_limits(vnic_face_client(f), &none);
	vnic_face_poll(f);
	take_back(&s, f, QUEUES * (EACH - 2 * FEW));
	vnic_face_poll(f);
	assert_int_equal(vnic_face_destroy(f), 0);
	close_rings(port, ring);
	scene_close(&s);
}

/* ---- limits that change ---- */

static _Atomic bool over;

static void *limiter(void *arg)
{
	struct vnic_client_limits limits = {0};

	while (!atomic_load(&over)) {
		limits.nbls ^= 1;
		vnic_client_set_limits(arg, &limits);
	}
	return NULL;
}

/* How many packets more the capture says were not taken. */
static uint64_t captured_unsent(struct vnic_capture *c)
{
	static const char comment[] = "rejected RESOURCES";
	static char block[VNIC_CAPTURE_READ_MIN];
	uint64_t seen = 0;
	size_t n;

	while ((n = vnic_capture_read(c, block, sizeof(block))) != 0)
		for (const char *at = block; (at = memmem(at, (size_t)(block + n - at), comment,
							  sizeof(comment) - 1)) != NULL; at++)
			seen++;
	return seen;
}

/* Between the question for room and the send a limit may be set: what is not taken is dropped,
 * counted, freed, and captured as such. */
static void a_limit_is_set_while_it_polls(void **state)
{
	struct scene s = scene_open();
	struct vnic_face *f = face_of(&s, NULL, 0, 4);
	struct vnic_capture *c = vnic_capture_create(&(struct vnic_capture_conf){.snaplen = 14});
	struct vnic_capture_stats captured;
	struct vnic_face_stats st;
	pthread_t thread;
	uint64_t fed = 0, unsent = 0;

	(void)state;
	assert_int_equal(vnic_capture_add(c, f, "limited"), 0);
	assert_int_equal(pthread_create(&thread, NULL, limiter, vnic_face_client(f)), 0);
	for (uint32_t i = 0; i < ROUNDS || (i < 50 * ROUNDS && st.dropped == 0); i++) {
		for (uint16_t k = 0; k < 8; k++) {
			struct rte_mbuf *m = scene_frame(&s, 1 + k / 3);

			if (rte_ring_enqueue(s.upper, m) == 0)
				fed++;
			else
				rte_pktmbuf_free(m);
		}
		vnic_face_poll(f);
		vnic_adapter_poll(s.adapter);
		vnic_face_stats_get(f, &st);
		unsent += captured_unsent(c);
	}
	atomic_store(&over, true);
	pthread_join(thread, NULL);
	vnic_client_set_limits(vnic_face_client(f), &(struct vnic_client_limits){0});
	for (uint32_t i = 0; i < 1000; i++) {
		vnic_face_poll(f);
		vnic_adapter_poll(s.adapter);
	}
	vnic_face_stats_get(f, &st);
	assert_int_equal(st.received, fed);
	assert_int_equal(st.received, st.completed + st.dropped);
	assert_int_equal(vnic_face_outstanding(f), 0);
	assert_int_equal(unsent + captured_unsent(c), st.dropped);
	vnic_capture_stats_get(c, &captured);
	assert_int_equal(captured.lost, 0);
	assert_int_equal(captured.captured, fed);
	assert_int_equal(captured.written, fed);
	assert_int_equal(vnic_face_destroy(f), 0);
	assert_int_equal(vnic_capture_destroy(c), 0);
	scene_close(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_rule_counts_and_its_id_cancels),
		cmocka_unit_test(neighbours_of_one_id),
		cmocka_unit_test(no_rules_are_the_flow),
		cmocka_unit_test(rules_that_are_refused),
		cmocka_unit_test(queues_in_turn),
		cmocka_unit_test(a_limit_is_set_while_it_polls),
	};

	return cmocka_run_group_tests_name("face ids", tests, test_eal_setup, test_eal_teardown);
}
