/* SPDX-License-Identifier: BSD-3-Clause
 * fit_test.c - padding and copying of packets for the lower port
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>

#include "buffers.h"
#include "eal.h"
#include "fit.h"
#include "vnic.h"

#define COPIES 128u
#define MAX_FRAME 16384u
#define REST 0xee /* what buffers hold beyond the packet */

static struct rte_mempool *pool;
static struct vnic__fit fit;
static struct vnic__offload offload;

static int set_up(void **state)
{
	(void)state;
	offload = (struct vnic__offload){.max_frame = MAX_FRAME, .max_segs = UINT16_MAX,
					 .max_tso_segs = UINT16_MAX, .does_l4 = 1};
	pool = rte_pktmbuf_pool_create("packets", 63, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE,
				       SOCKET_ID_ANY);
	return pool == NULL ? -1 : vnic__fit_init(&fit, &offload, COPIES, -1);
}

/* Everything is back, whatever the test did. */
static int tear_down(void **state)
{
	int full = rte_mempool_full(fit.copies) && rte_mempool_full(pool);

	(void)state;
	vnic__fit_fini(&fit);
	rte_mempool_free(pool);
	return full ? 0 : -1;
}

static uint8_t byte_of(uint32_t at)
{
	return (uint8_t)(at * 7 + 1);
}

/* A chain of nb_segs buffers that hold len bytes together. */
static struct rte_mbuf *packet(uint32_t len, uint16_t nb_segs)
{
	struct rte_mbuf *first = NULL;
	uint32_t at = 0;

	for (uint16_t i = 0; i < nb_segs; i++) {
		struct rte_mbuf *m = rte_pktmbuf_alloc(pool);
		uint32_t n = (len - at) / (uint32_t)(nb_segs - i);
		uint8_t *data;

		assert_non_null(m);
		memset(m->buf_addr, REST, m->buf_len);
		data = (uint8_t *)rte_pktmbuf_append(m, (uint16_t)n);
		assert_non_null(data);
		for (uint32_t k = 0; k < n; k++)
			data[k] = byte_of(at++);
		if (first == NULL)
			first = m;
		else
			assert_int_equal(rte_pktmbuf_chain(first, m), 0);
	}
	return first;
}

static void expect_content(const struct rte_mbuf *m, uint32_t len, uint32_t padding)
{
	static uint8_t copy[MAX_FRAME];
	const uint8_t *data = rte_pktmbuf_read(m, 0, len + padding, copy);

	assert_int_equal(m->pkt_len, len + padding);
	assert_non_null(data);
	for (uint32_t i = 0; i < len + padding; i++)
		assert_int_equal(data[i], i < len ? byte_of(i) : 0);
}

static void expect_own(struct rte_mbuf *m, uint32_t padding)
{
	const struct rte_mbuf before = *m;
	struct vnic__fitted f;

	assert_int_equal(vnic__fit_make(&fit, m, &f), VNIC_STATUS_SUCCESS);
	assert_ptr_equal(f.packet, m);
	assert_ptr_equal(f.given, m);
	assert_int_equal(f.padding, padding);
	expect_content(m, before.pkt_len, padding);
	vnic__fit_undo(&f);
	assert_memory_equal(m, &before, sizeof(before));
	expect_content(m, before.pkt_len, 0);
	assert_int_equal(vnic__fit_make(&fit, m, &f), VNIC_STATUS_SUCCESS);
	vnic__fit_taken(&f); /* the port's now, as it is */
	expect_content(m, before.pkt_len, padding);
	rte_pktmbuf_free(m);
}

/* The sender's packet is not written to; after undo it is the sender's, after taken it has
 * been freed. `mine`: a reference of the test's, or NULL. */
static void expect_copied(struct rte_mbuf *m, uint32_t padding, struct rte_mbuf *mine)
{
	const struct rte_mbuf before = *m;
	struct vnic__fitted f;

	for (int round = 0; round < 2; round++) {
		assert_int_equal(vnic__fit_make(&fit, m, &f), VNIC_STATUS_SUCCESS);
		assert_ptr_equal(f.packet, m);
		assert_ptr_not_equal(f.given, m);
		assert_ptr_equal(f.given->pool, fit.copies);
		assert_int_equal(f.given->nb_segs, 1);
		expect_content(f.given, before.pkt_len, padding);
		assert_memory_equal(m, &before, sizeof(before));
		expect_content(m, before.pkt_len, 0);
		if (round == 0) {
			vnic__fit_undo(&f);
			assert_true(rte_mempool_full(fit.copies));
			assert_memory_equal(m, &before, sizeof(before));
		}
	}
	vnic__fit_taken(&f);
	rte_pktmbuf_free(f.given); /* the port sends it */
	if (mine != NULL) {
		assert_int_equal(rte_mbuf_refcnt_read(mine), 1);
		rte_pktmbuf_free(mine);
	}
}

static void what_needs_it(void **state)
{
	(void)state;
	for (uint32_t len = 1; len < 130; len++)
		for (uint16_t segs = 1; segs < 4; segs++) {
			struct rte_mbuf *m = packet(len, segs);

			assert_int_equal(vnic__fit_needed(m, UINT16_MAX), len < 60);
			assert_int_equal(vnic__fit_needed(m, 1), len < 60 || segs > 1);
			rte_pktmbuf_free(m);
		}
}

static void what_needs_none_goes_as_it_is(void **state)
{
	struct rte_mbuf *m = packet(100, 3);

	(void)state;
	rte_mbuf_refcnt_update(m, 1);
	expect_own(m, 0);
	rte_pktmbuf_free(m);
	expect_own(packet(60, 1), 0);
	expect_own(packet(9000, 8), 0);
}

static void own_buffers_are_padded_in_place(void **state)
{
	(void)state;
	for (uint32_t len = 1; len < 60; len++)
		expect_own(packet(len, 1), 60 - len);
}

static void tail_room_to_the_byte(void **state)
{
	struct rte_mbuf *m = packet(40, 1);

	(void)state;
	memmove((uint8_t *)m->buf_addr + m->buf_len - 60, rte_pktmbuf_mtod(m, void *), 40);
	m->data_off = (uint16_t)(m->buf_len - 60); /* 20 bytes of tail room: enough */
	expect_own(m, 20);
	m = packet(40, 1);
	memmove((uint8_t *)m->buf_addr + m->buf_len - 59, rte_pktmbuf_mtod(m, void *), 40);
	m->data_off = (uint16_t)(m->buf_len - 59); /* 19 */
	expect_copied(m, 20, NULL);
}

static void chains_are_copied(void **state)
{
	(void)state;
	for (uint16_t segs = 2; segs < 6; segs++)
		expect_copied(packet(33, segs), 27, NULL);
}

static void shared_buffers_are_copied(void **state)
{
	struct rte_mbuf *m = packet(59, 1), *clone;

	(void)state;
	rte_mbuf_refcnt_update(m, 1);
	expect_copied(m, 1, m);
	m = packet(30, 1); /* a clone of it is somewhere */
	clone = rte_pktmbuf_clone(m, pool);
	assert_non_null(clone);
	expect_copied(m, 30, NULL);
	rte_pktmbuf_free(clone);
	m = packet(30, 1); /* the clone itself */
	clone = rte_pktmbuf_clone(m, pool);
	assert_non_null(clone);
	expect_copied(clone, 30, m);
}

static uint8_t outside[512];

static void let_go(void *addr, void *opaque)
{
	(void)addr;
	(void)opaque;
}

static void external_buffers_are_copied(void **state)
{
	struct rte_mbuf_ext_shared_info info = {.free_cb = let_go};
	struct rte_mbuf *m = rte_pktmbuf_alloc(pool);

	(void)state;
	assert_non_null(m);
	memset(outside, REST, sizeof(outside));
	rte_mbuf_ext_refcnt_set(&info, 1);
	rte_pktmbuf_attach_extbuf(m, outside, 0, sizeof(outside), &info);
	for (uint32_t i = 0; i < 50; i++)
		outside[i] = byte_of(i);
	m->data_off = 0;
	assert_non_null(rte_pktmbuf_append(m, 50));
	expect_copied(m, 10, NULL);
	assert_int_equal(outside[50], REST);
}

static void a_port_without_chains(void **state)
{
	(void)state;
	offload.max_segs = 1;
	expect_copied(packet(100, 2), 0, NULL);
	expect_copied(packet(MAX_FRAME, 9), 0, NULL);
	expect_copied(packet(20, 2), 40, NULL);
	expect_own(packet(100, 1), 0);
	expect_own(packet(20, 1), 40);
}

/* What the port is to do with the frame goes with the copy. */
static void a_copy_keeps_the_offloads(void **state)
{
	struct rte_mbuf *m = packet(40, 2);
	struct vnic__fitted f;

	(void)state;
	offload.passes = true; /* all of them */
	m->ol_flags = RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IP_CKSUM | RTE_MBUF_F_TX_VLAN;
	m->vlan_tci = 123;
	m->l2_len = 14;
	m->l3_len = 20;
	assert_int_equal(vnic__fit_make(&fit, m, &f), VNIC_STATUS_SUCCESS);
	assert_int_equal(f.given->ol_flags, m->ol_flags);
	assert_int_equal(f.given->vlan_tci, 123);
	assert_int_equal(f.given->tx_offload, m->tx_offload);
	vnic__fit_undo(&f);
	rte_pktmbuf_free(m);
}

static void no_copy_to_be_had(void **state)
{
	struct rte_mbuf *taken[COPIES], *m = packet(33, 2);
	const struct rte_mbuf before = *m;
	struct vnic__fitted f;
	struct rte_mbuf *own = packet(33, 1);

	(void)state;
	for (uint32_t i = 0; i < COPIES; i++) {
		taken[i] = rte_pktmbuf_alloc(fit.copies);
		assert_non_null(taken[i]);
	}
	assert_int_equal(vnic__fit_make(&fit, m, &f), VNIC_STATUS_RESOURCES);
	assert_memory_equal(m, &before, sizeof(before));
	expect_own(own, 27); /* needs none */
	rte_pktmbuf_free_bulk(taken, COPIES);
	expect_copied(m, 27, NULL);
}

static void init_says_why(void **state)
{
	struct vnic__fit other = {0};

	(void)state;
	assert_int_equal(vnic__fit_init(&other, &offload, 1000000, -1), -ENOMEM);
	vnic__fit_fini(&other);
}

/* A port that stays has one of them when its adapter goes, and another adapter comes. */
static void a_copy_that_is_out(void **state)
{
	static char was[RTE_MEMPOOL_NAMESIZE];
	struct vnic__fit goes = {0}, comes = {0};
	struct rte_mempool *mp;
	struct rte_mbuf *m;

	(void)state;
	assert_int_equal(vnic__fit_init(&goes, &offload, COPIES, -1), 0);
	mp = goes.copies;
	snprintf(was, sizeof(was), "%s", mp->name);
	m = rte_pktmbuf_alloc(mp);
	vnic__fit_fini(&goes);
	assert_null(goes.copies);
	assert_ptr_equal(rte_mempool_lookup(was), mp);
	assert_int_equal(vnic__fit_init(&comes, &offload, COPIES, -1), 0);
	assert_ptr_not_equal(comes.copies, mp);
	vnic__buffers_free_left(NULL, NULL);
	assert_ptr_equal(rte_mempool_lookup(was), mp);
	rte_pktmbuf_free(m);
	vnic__fit_fini(&comes);
	vnic__buffers_free_left(NULL, NULL);
	assert_null(rte_mempool_lookup(was));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_needs_it, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_needs_none_goes_as_it_is, set_up, tear_down),
		cmocka_unit_test_setup_teardown(own_buffers_are_padded_in_place, set_up, tear_down),
		cmocka_unit_test_setup_teardown(tail_room_to_the_byte, set_up, tear_down),
		cmocka_unit_test_setup_teardown(chains_are_copied, set_up, tear_down),
		cmocka_unit_test_setup_teardown(shared_buffers_are_copied, set_up, tear_down),
		cmocka_unit_test_setup_teardown(external_buffers_are_copied, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_port_without_chains, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_copy_keeps_the_offloads, set_up, tear_down),
		cmocka_unit_test_setup_teardown(no_copy_to_be_had, set_up, tear_down),
		cmocka_unit_test_setup_teardown(init_says_why, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_copy_that_is_out, set_up, tear_down),
	};

	return cmocka_run_group_tests_name("fit", tests, test_eal_setup, test_eal_teardown);
}
