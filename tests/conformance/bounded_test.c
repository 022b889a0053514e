/* SPDX-License-Identifier: BSD-3-Clause
 * bounded_test.c - contract C22: a cancel's work is bounded by its matches, not by the
 * queue's depth
 *
 * By time: the median of 1000 cancels of one match each, at 1,024 and at 1,048,576 queued
 * NBLs. A walk of the queue is a thousand times longer at the second; cold caches and
 * small pages make an index some five times slower, and 20 is what is allowed.
 */
#include "bed.h"

#include <stdlib.h>

#include <rte_cycles.h>

#define MEGABYTES 640
#define SHALLOW 1024u
#define DEEP 1048576u
#define CANCELS 1000u
#define ALLOWED 20
#define BATCH 64u

static int start_large(void **state)
{
	(void)state;
	return test_eal_start(MEGABYTES);
}

/* Distinct for distinct i, scattered over all 64 bits, never 0. */
static uint64_t id_of(uint32_t i)
{
	return (i + UINT64_C(1)) * UINT64_C(0x9e3779b97f4a7c15);
}

/* Its NBLs are none of the bed's: a million serials are not needed, one packet is in all. */
static void fill(struct vnic_sender *s, struct vnic_nbl_pool *pool, struct rte_mbuf *packet,
		 uint32_t nb)
{
	for (uint32_t i = 0; i < nb; i += BATCH) {
		struct vnic_nbl *nbl[BATCH];

		assert_int_equal(vnic_nbl_alloc(pool, nbl, BATCH), 0);
		for (uint32_t k = 0; k < BATCH; k++) {
			nbl[k]->cancel_id = id_of(i + k);
			nbl[k]->cookie = i + k;
			nbl[k]->nb_packets = 1;
			vnic_nbl_packets(nbl[k])[0] = packet;
		}
		assert_int_equal(vnic_send(s, nbl, BATCH), BATCH);
	}
}

static uint32_t poll_all(struct vnic_sender *s, struct vnic_nbl_pool *pool)
{
	struct vnic_nbl *nbl[BATCH];
	uint32_t nb = 0;
	uint16_t n;

	while ((n = vnic_sender_poll(s, nbl, BATCH)) != 0) {
		for (uint16_t i = 0; i < n; i++)
			assert_int_equal(nbl[i]->status, VNIC_STATUS_SEND_ABORTED);
		vnic_nbl_free(pool, nbl, n);
		nb += n;
	}
	return nb;
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static uint64_t time_one(struct bed *b, struct vnic_sender *s, uint32_t i, bool expected)
{
	struct vnic_verdict v;
	uint64_t begin;

	assert_int_equal(vnic_adapter_cancel(b->adapter, id_of(i), b->ticket), 0);
	begin = rte_rdtsc();
	assert_int_equal(vnic_control_poll(b->control), 1);
	begin = rte_rdtsc() - begin;
	assert_int_equal(vnic_ticket_verdict(b->ticket, &v), 0);
	assert_int_equal(v.aborted.nbls, expected);
	assert_int_equal(poll_all(s, b->nbls), expected);
	return begin;
}

/* Median ticks of a control step with one cancel, `nb` NBLs queued, of ids that are there or
 * are not. */
static uint64_t median(uint32_t nb, bool there)
{
	struct bed *b = bed_open(&(struct bed_conf){.nb_nbls = nb, .max_packets = 1});
	struct vnic_sender *s = vnic_sender_create(b->client, b->nbls, nb);
	struct rte_mbuf *packet = rte_pktmbuf_alloc(b->mbufs);
	uint64_t ticks[CANCELS];

	assert_non_null(s);
	assert_non_null(packet);
	assert_non_null(rte_pktmbuf_append(packet, BED_FRAME));
	fill(s, b->nbls, packet, nb);
	for (uint32_t i = 0; i < CANCELS; i++)
		ticks[i] = time_one(b, s, there ? i * (nb / SHALLOW) : nb + i, there);
	assert_int_equal(vnic_adapter_abort(b->adapter, b->ticket), 0);
	vnic_control_poll(b->control);
	assert_int_equal(poll_all(s, b->nbls), nb - (there ? CANCELS : 0));
	assert_int_equal(vnic_sender_destroy(s), 0);
	rte_pktmbuf_free(packet);
	b->alien = true;
	bed_close(b);
	qsort(ticks, CANCELS, sizeof(ticks[0]), by_value);
	return ticks[CANCELS / 2];
}

static void check(bool there)
{
	uint64_t shallow = median(SHALLOW, there), deep = median(DEEP, there);

	print_message("median ticks of a cancel: %lu among %u, %lu among %u\n",
		      (unsigned long)shallow, SHALLOW, (unsigned long)deep, DEEP);
	assert_true(deep < ALLOWED * shallow);
}

static void c22_one_match_at_any_depth(void **state)
{
	(void)state;
	check(true);
}

static void c22_no_match_at_any_depth(void **state)
{
	(void)state;
	check(false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(c22_one_match_at_any_depth),
		cmocka_unit_test(c22_no_match_at_any_depth),
	};

	return cmocka_run_group_tests_name("conformance bounded", tests, start_large,
					   test_eal_teardown);
}
