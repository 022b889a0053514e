/* SPDX-License-Identifier: BSD-3-Clause
 * bench_design_test.c - what vnic-bench compares does what it says: the designs against a model
 *
 * One thread plays all roles, in random order. Every NBL comes back once; a cancel takes back
 * what of its id is queued, says how many, and touches no other; what is sent leaves in order.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <rte_mbuf.h>

#include "design.h"
#include "eal.h"
#include "vnic.h"

#define DEPTH 64
#define SENDERS 2
#define NBLS 1024
#define IDS 5
#define STEPS 20000

static struct rig {
	struct design *d;
	struct vnic_nbl_pool *pool;
	struct vnic_nbl *free[NBLS];
	uint32_t nb_free;
	struct rte_mbuf *packet;
	uint64_t queued[IDS + 1];     /* by id's number, as app sees it: 1..IDS */
	uint64_t sent_next[SENDERS];  /* cookies of a sender count up; the next that may be sent */
	uint64_t cookie[SENDERS];
	uint64_t nb_sent, nb_aborted;
	unsigned int seed;
} rig;

/* Ids in pairs that are alike when their halves are folded. */
static uint64_t id_of(uint32_t n)
{
	return n & 1 ? n + 1 : (uint64_t)n << 32;
}

static uint32_t number_of(uint64_t id)
{
	return (uint32_t)id == 0 ? (uint32_t)(id >> 32) : (uint32_t)id - 1;
}

static uint32_t below(uint32_t n)
{
	return (uint32_t)rand_r(&rig.seed) % n;
}

static void send_some(uint32_t sender)
{
	struct vnic_nbl *nbl[DESIGN_BURST];
	uint16_t n = (uint16_t)(1 + below(DESIGN_BURST)), taken;

	if (n > rig.nb_free)
		return;
	rte_mbuf_refcnt_set(rig.packet, 60000); /* the port frees it with each NBL that is sent */
	for (uint16_t i = 0; i < n; i++) {
		nbl[i] = rig.free[rig.nb_free - 1 - i];
		nbl[i]->cancel_id = id_of(1 + below(IDS));
		nbl[i]->cookie = rig.cookie[sender] + i;
		nbl[i]->nb_packets = 1;
		vnic_nbl_packets(nbl[i])[0] = rig.packet;
	}
	taken = rig.d->ops->send(rig.d, sender, nbl, n);
	assert_true(taken <= n);
	for (uint16_t i = 0; i < taken; i++)
		rig.queued[number_of(nbl[i]->cancel_id)]++;
	/* the first of the burst were the last of the free ones */
	rig.nb_free -= taken;
	rig.cookie[sender] += taken;
}

/* Returns how many were aborted; of another id than `id` none may be, if it is not 0. */
static uint64_t poll_some(uint32_t sender, uint64_t id)
{
	struct vnic_nbl *nbl[DESIGN_BURST];
	uint64_t aborted = 0;
	uint16_t n = rig.d->ops->poll(rig.d, sender, nbl, DESIGN_BURST);

	for (uint16_t i = 0; i < n; i++) {
		assert_true(rig.queued[number_of(nbl[i]->cancel_id)]-- > 0);
		if (nbl[i]->status == VNIC_STATUS_SUCCESS) {
			assert_true(nbl[i]->cookie >= rig.sent_next[sender]);
			rig.sent_next[sender] = nbl[i]->cookie + 1;
			rig.nb_sent++;
		} else {
			assert_int_equal(nbl[i]->status, VNIC_STATUS_SEND_ABORTED);
			assert_true(id == 0 || nbl[i]->cancel_id == id);
			aborted++;
		}
		rig.free[rig.nb_free++] = nbl[i];
	}
	rig.nb_aborted += aborted;
	return aborted;
}

static void step_others(void)
{
	rig.d->ops->data(rig.d);
	if (rig.d->ops->control != NULL)
		rig.d->ops->control(rig.d);
}

static void cancel_one(uint64_t id)
{
	uint64_t nb = 0, aborted = 0;
	uint16_t idle = 0;

	rig.d->ops->cancel(rig.d, id);
	while (!rig.d->ops->over(rig.d, &nb))
		step_others();
	/* all is there by now: no step more */
	for (uint32_t i = 0; idle < SENDERS; i++) {
		uint32_t before = rig.nb_free;

		aborted += poll_some(i % SENDERS, id);
		idle = rig.nb_free == before ? idle + 1 : 0;
	}
	assert_int_equal(aborted, nb);
	assert_int_equal(id == 0 ? 0 : rig.queued[number_of(id)], 0);
}

static void check_account(void)
{
	struct design_account a;

	rig.d->ops->account(rig.d, &a);
	assert_int_equal(a.accepted, rig.cookie[0] + rig.cookie[1]);
	assert_int_equal(a.sent, rig.nb_sent);
	assert_int_equal(a.aborted, rig.nb_aborted);
}

static void run(const struct design_ops *ops, bool held, uint16_t port)
{
	const struct design_conf conf = {.depth = DEPTH, .nb_senders = SENDERS, .port = port, .held = held,
					 .nbls = rig.pool};

	rig.nb_sent = rig.nb_aborted = 0;
	for (uint32_t i = 0; i < SENDERS; i++)
		rig.sent_next[i] = rig.cookie[i] = 0;
	rig.d = ops->create(&conf);
	assert_non_null(rig.d);
	for (uint32_t i = 0; i < STEPS; i++) {
		switch (below(held ? 3 : 4)) {
		case 0: send_some(below(SENDERS)); break;
		case 1:
			for (uint32_t s = 0; s < SENDERS; s++)
				poll_some(s, 0);
			break;
		case 2:
			if (below(4) == 0)
				cancel_one(id_of(1 + below(IDS)));
			break;
		default: /* seldom: the queues are to fill up */
			if (below(5) == 0)
				step_others();
		}
	}
	cancel_one(0);
	for (uint32_t i = 1; i <= IDS; i++)
		assert_int_equal(rig.queued[i], 0);
	assert_int_equal(rig.nb_free, NBLS);
	/* in a held cancelable ring places come free only when what was first has been sent */
	assert_true(held ? rig.nb_aborted >= DEPTH : rig.nb_aborted > STEPS / 100 && rig.nb_sent > STEPS / 100);
	check_account();
	ops->destroy(rig.d);
}

static void test_designs(void **state)
{
	static const struct design_ops *const designs[] = {&design_vnic, &design_list, &design_mailbox};
	const struct vnic_port_conf conf = {.numa_node = -1};
	struct rte_mempool *mbufs = rte_pktmbuf_pool_create("designs", 1, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, -1);
	uint16_t port;
	char why[256];

	(void)state;
	assert_non_null(mbufs);
	rig.packet = rte_pktmbuf_alloc(mbufs);
	assert_non_null(rte_pktmbuf_append(rig.packet, 64));
	rig.pool = vnic_nbl_pool_create("designs", NBLS, 1, -1);
	assert_non_null(rig.pool);
	assert_int_equal(vnic_nbl_alloc(rig.pool, rig.free, NBLS), 0);
	rig.nb_free = NBLS;
	assert_int_equal(vnic_port_open("net_null_designs", &conf, 1023, &port, why, sizeof(why)), 0);
	for (size_t i = 0; i < sizeof(designs) / sizeof(designs[0]); i++) {
		for (unsigned int held = 0; held < 2; held++) {
			rig.seed = 1 + (unsigned int)i;
			run(designs[i], held, port);
		}
	}
	vnic_port_close(port);
	vnic_nbl_free(rig.pool, rig.free, NBLS);
	assert_int_equal(vnic_nbl_pool_destroy(rig.pool), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_designs)};

	return cmocka_run_group_tests(tests, test_eal_setup, test_eal_teardown);
}
