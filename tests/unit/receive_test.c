/* SPDX-License-Identifier: BSD-3-Clause
 * receive_test.c - to whom a received packet goes, and what becomes of it when it cannot
 */
#include "reception.h"

#include <errno.h>
#include <string.h>

#include <rte_errno.h>

#include "adapter.h"
#include "bed.h"

static const struct vnic_adapter_conf receives = {.receive = true};
static const struct vnic_adapter_conf local = {.receive = true, .local = true};
static const struct vnic_adapter_conf learns = {.receive = true, .local = true, .learn = true};

/* ---- by address and VLAN ---- */

static void to_its_address_in_order(void **state)
{
	struct reception *r = reception_open(&receives);

	(void)state;
	reception_listen(r, 0, 1, -1);
	reception_listen(r, 1, 2, -1);
	reception_arrive(r, 1, 0, 10);
	reception_arrive(r, 2, 0, 11);
	reception_arrive(r, 1, 9, 12); /* any VLAN */
	reception_arrive(r, 3, 0, 13);
	reception_arrive(r, 2, 0, 14);
	reception_data(r);
	RECEPTION_EXPECT(r, 0, 10, 12);
	RECEPTION_EXPECT(r, 1, 11, 14);
	assert_int_equal(reception_adapter_stats(r).unknown, 1);
	reception_close(r);
}

static void to_its_vlan(void **state)
{
	struct reception *r = reception_open(&receives);

	(void)state;
	reception_listen(r, 0, 1, 5);
	reception_listen(r, 1, 1, 6);
	reception_listen(r, 2, 1, -1);
	reception_listen(r, 3, 2, 0);
	reception_arrive(r, 1, 5, 10);
	reception_arrive(r, 1, 6, 11);
	reception_arrive(r, 1, 7, 12); /* nobody's own: who has it on any */
	reception_arrive(r, 1, 0, 13);
	reception_arrive(r, 2, 0, 14);
	reception_arrive(r, 2, 5, 15); /* tagged, for one who is not */
	reception_data(r);
	RECEPTION_EXPECT(r, 0, 10);
	RECEPTION_EXPECT(r, 1, 11);
	RECEPTION_EXPECT(r, 2, 12, 13);
	RECEPTION_EXPECT(r, 3, 14);
	assert_int_equal(reception_adapter_stats(r).unknown, 1);
	reception_close(r);
}

static void a_stripped_tag_counts(void **state)
{
	struct reception *r = reception_open(&receives);
	struct rte_mbuf *m = reception_frame(r, 1, 0xee, 0, 10);

	(void)state;
	reception_listen(r, 0, 1, 5);
	m->ol_flags |= RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED;
	m->vlan_tci = 0xe005; /* with a priority */
	rte_ring_sp_enqueue(r->in, m);
	reception_data(r);
	RECEPTION_EXPECT(r, 0, 10);
	reception_close(r);
}

static void several_addresses(void **state)
{
	struct reception *r = reception_open(&receives);
	struct vnic_receiver_conf conf = {.vlan = -1, .nb_macs = VNIC_RECEIVER_MACS_MAX};

	(void)state;
	for (uint8_t i = 0; i < VNIC_RECEIVER_MACS_MAX; i++) {
		conf.mac[i][0] = 2;
		conf.mac[i][5] = 10 + i;
	}
	reception_listen_as(r, 0, &conf);
	reception_listen(r, 1, 1, -1);
	for (uint8_t i = 0; i < VNIC_RECEIVER_MACS_MAX; i++)
		reception_arrive(r, 10 + i, 0, i);
	reception_data(r);
	RECEPTION_EXPECT(r, 0, 0, 1, 2, 3, 4, 5, 6, 7);
	reception_close(r);
}

static void broadcast_to_all_of_its_vlan(void **state)
{
	struct reception *r = reception_open(&receives);
	struct rte_mbuf *m = reception_frame(r, 0x7f, 0xee, 0, 12);

	(void)state;
	reception_listen(r, 0, 1, -1);
	reception_listen(r, 1, 2, 5);
	reception_listen(r, 2, 3, -1);
	reception_arrive(r, 1, 0, 9);
	reception_arrive(r, 0xff, 0, 10);
	reception_arrive(r, 0xff, 5, 11);
	*rte_pktmbuf_mtod(m, uint8_t *) = 0x33; /* multicast */
	rte_ring_sp_enqueue(r->in, m);
	reception_data(r);
	RECEPTION_EXPECT(r, 0, 9, 10, 11, 12);
	RECEPTION_EXPECT(r, 1, 11);
	RECEPTION_EXPECT(r, 2, 10, 11, 12);
	assert_int_equal(reception_adapter_stats(r).copies, 4);
	reception_close(r);
}

/* One who holds copies wants for them alone, and the others get theirs. */
static void who_holds_copies_wants_alone(void **state)
{
	struct reception *r = reception_open(&receives);
	struct rte_mbuf *held[512];
	uint32_t nb = 0, k;

	(void)state;
	reception_listen(r, 0, 1, -1);
	reception_listen(r, 1, 2, -1);
	for (uint32_t i = 0; i < 1000; i++) {
		reception_arrive(r, 0xff, 0, i);
		reception_data(r);
		RECEPTION_EXPECT(r, 1, i);
		k = vnic_receive(r->receiver[0], held + nb, 1);
		nb += k;
	}
	assert_int_equal(nb, 512); /* its depth */
	assert_int_equal(reception_stats(r, 0).dropped, 1000 - 512);
	assert_int_equal(reception_stats(r, 1).dropped, 0);
	rte_pktmbuf_free_bulk(held, nb);
	vnic_receive_return(r->receiver[0], nb);
	reception_close(r);
}

static void unknown_to_the_promiscuous(void **state)
{
	struct reception *r = reception_open(&receives);
	struct vnic_receiver_conf conf = reception_conf(2, -1);

	(void)state;
	reception_listen(r, 0, 1, -1);
	conf.promiscuous = true;
	reception_listen_as(r, 1, &conf);
	reception_arrive(r, 1, 0, 10); /* another's is not for its eyes */
	reception_arrive(r, 9, 0, 11);
	reception_data(r);
	RECEPTION_EXPECT(r, 0, 10);
	RECEPTION_EXPECT(r, 1, 11);
	assert_int_equal(reception_adapter_stats(r).unknown, 0);
	reception_close(r);
}

static void everything_to_the_only_one(void **state)
{
	struct reception *r = reception_open(&receives);

	(void)state;
	reception_listen(r, 0, 0, -1);
	reception_arrive(r, 9, 0, 10);
	reception_arrive(r, 0xff, 3, 11);
	reception_data(r);
	RECEPTION_EXPECT(r, 0, 10, 11);
	reception_listen(r, 1, 1, -1); /* it is not any more */
	reception_arrive(r, 9, 0, 12);
	reception_data(r);
	reception_expect_none(r, 0);
	assert_int_equal(vnic_receiver_destroy(r->receiver[1]), 0);
	r->receiver[1] = NULL;
	reception_arrive(r, 9, 0, 13);
	reception_data(r);
	RECEPTION_EXPECT(r, 0, 13);
	assert_int_equal(reception_adapter_stats(r).unknown, 1);
	reception_close(r);
}

static void the_only_one_has_its_vlan(void **state)
{
	struct reception *r = reception_open(&receives);

	(void)state;
	reception_listen(r, 0, 0, 4);
	reception_arrive(r, 9, 4, 10);
	reception_arrive(r, 9, 5, 11);
	reception_arrive(r, 0xff, 0, 12);
	reception_data(r);
	RECEPTION_EXPECT(r, 0, 10);
	assert_int_equal(reception_adapter_stats(r).unknown, 2);
	reception_close(r);
}

static void runts_are_counted(void **state)
{
	struct reception *r = reception_open(&receives);

	(void)state;
	for (int sole = 1; sole >= 0; sole--) {
		for (uint16_t len = 0; len < 14; len++) {
			struct rte_mbuf *m = reception_frame(r, 1, 0xee, 0, 10);

			rte_pktmbuf_trim(m, m->pkt_len - len);
			rte_ring_sp_enqueue(r->in, m);
		}
		if (sole)
			reception_listen(r, 0, 0, -1);
		else
			reception_listen(r, 1, 1, -1);
		reception_data(r);
		reception_expect_none(r, 0);
		assert_int_equal(reception_adapter_stats(r).malformed, sole ? 14 : 28);
	}
	reception_close(r);
}

/* ---- slow clients ---- */

static void by_and_by(void **state)
{
	struct reception *r = reception_open(&receives);
	struct rte_mbuf *m;

	(void)state;
	reception_listen(r, 0, 1, -1);
	for (uint32_t i = 0; i < 3; i++)
		reception_arrive(r, 1, 0, i);
	reception_data(r);
	for (uint32_t i = 0; i < 3; i++) {
		assert_int_equal(vnic_receive(r->receiver[0], &m, 1), 1);
		assert_int_equal(reception_number(m), i);
		rte_pktmbuf_free(m);
		vnic_receive_return(r->receiver[0], 1);
	}
	reception_close(r);
}

static void a_slow_one_loses_its_own(void **state)
{
	struct reception *r = reception_open(&receives);
	struct vnic_receiver_conf conf = reception_conf(1, -1);
	struct rte_mbuf *held[4];

	(void)state;
	conf.depth = 4;
	reception_listen_as(r, 0, &conf);
	reception_listen(r, 1, 2, -1);
	for (uint32_t i = 0; i < 6; i++) {
		reception_arrive(r, 1, 0, i);
		reception_arrive(r, 2, 0, 100 + i);
	}
	reception_data(r);
	RECEPTION_EXPECT(r, 1, 100, 101, 102, 103, 104, 105);
	assert_int_equal(reception_stats(r, 0).dropped, 2);
	/* what it holds counts like what is queued */
	assert_int_equal(vnic_receive(r->receiver[0], held, 3), 3);
	reception_arrive(r, 1, 0, 6);
	reception_data(r);
	assert_int_equal(reception_stats(r, 0).dropped, 3);
	rte_pktmbuf_free_bulk(held, 3);
	assert_int_equal(vnic_receive_return(r->receiver[0], 4), -EINVAL);
	assert_int_equal(vnic_receive_return(r->receiver[0], 3), 0);
	for (uint32_t i = 7; i < 11; i++)
		reception_arrive(r, 1, 0, i);
	reception_data(r);
	assert_int_equal(reception_stats(r, 0).dropped, 4);
	RECEPTION_EXPECT(r, 0, 3, 7, 8, 9);
	reception_close(r);
}

/* ---- setup ---- */

static void what_cannot_be_is_refused(void **state)
{
	static const struct vnic_adapter_conf sends = {0};
	struct reception *r = reception_open(&receives), *none = reception_open(&sends);
	struct vnic_receiver_conf conf = reception_conf(1, -1);

	(void)state;
	assert_null(vnic_receiver_create(none->client[0], &conf));
	assert_int_equal(rte_errno, ENOTSUP);
	reception_listen(r, 0, 1, -1);
	assert_null(vnic_receiver_create(r->client[0], &conf));
	assert_int_equal(rte_errno, EBUSY);
	assert_null(vnic_receiver_create(r->client[1], &conf));
	assert_int_equal(rte_errno, EEXIST);
	conf.nb_macs = 2; /* the second is taken: the first is free again */
	memcpy(conf.mac[1], conf.mac[0], 6);
	conf.mac[0][5] = 7;
	assert_null(vnic_receiver_create(r->client[1], &conf));
	assert_int_equal(rte_errno, EEXIST);
	reception_listen(r, 1, 7, -1);
	for (uint32_t i = 0; i < 4; i++) {
		conf = reception_conf(9, -1);
		if (i == 0)
			conf.mac[0][0] = 3; /* multicast */
		else if (i == 1)
			memset(conf.mac[0], 0, 6);
		else if (i == 2)
			conf.vlan = 4095;
		else
			conf.nb_macs = VNIC_RECEIVER_MACS_MAX + 1;
		assert_null(vnic_receiver_create(r->client[2], &conf));
		assert_int_equal(rte_errno, EINVAL);
	}
	reception_close(none);
	reception_close(r);
}

static void a_client_closes_after_its_receiver(void **state)
{
	struct reception *r = reception_open(&receives);
	struct vnic_client *client = vnic_client_open(r->adapter);
	const struct vnic_receiver_conf conf = reception_conf(1, -1);
	struct vnic_receiver *receiver = vnic_receiver_create(client, &conf);

	(void)state;
	assert_non_null(receiver);
	assert_int_equal(vnic_client_close(client), -EBUSY);
	assert_int_equal(vnic_receiver_destroy(receiver), 0);
	assert_int_equal(vnic_client_close(client), 0);
	reception_close(r);
}

static void an_end_frees_what_is_queued(void **state)
{
	struct reception *r = reception_open(&receives);
	struct rte_mbuf *held;

	(void)state;
	for (uint32_t round = 0; round < 400; round++) { /* more than there are places */
		reception_listen(r, 0, 1, 5);
		reception_arrive(r, 1, 5, 10);
		reception_arrive(r, 1, 5, 11);
		reception_data(r);
		assert_int_equal(vnic_receive(r->receiver[0], &held, 1), 1);
		assert_int_equal(vnic_receiver_destroy(r->receiver[0]), -EBUSY);
		rte_pktmbuf_free(held);
		vnic_receive_return(r->receiver[0], 1);
		assert_int_equal(vnic_receiver_destroy(r->receiver[0]), 0);
		assert_int_equal(vnic_receiver_destroy(r->receiver[0]), -EBADF);
		assert_true(rte_mempool_full(r->mbufs));
		r->receiver[0] = NULL;
		reception_arrive(r, 1, 5, 12);
		reception_data(r);
		assert_int_equal(reception_adapter_stats(r).unknown, round + 1);
	}
	reception_close(r);
}

/* ---- places ---- */

/* Client i's, of this depth. */
static void listen_deep(struct reception *r, uint32_t i, uint32_t depth)
{
	struct vnic_receiver_conf conf = reception_conf((uint8_t)(1 + i), -1);

	conf.depth = depth;
	reception_listen_as(r, i, &conf);
}

static void unlisten(struct reception *r, uint32_t i)
{
	assert_int_equal(vnic_receiver_destroy(r->receiver[i]), 0);
	r->receiver[i] = NULL;
}

/* Each place has been one's. */
static void use_places_up(struct reception *r)
{
	struct vnic_client *client[VNIC_RECEIVERS_MAX];
	struct vnic_receiver *receiver[VNIC_RECEIVERS_MAX];

	for (uint32_t i = 0; i < VNIC_RECEIVERS_MAX; i++) {
		struct vnic_receiver_conf conf = reception_conf((uint8_t)(10 + i), -1);

		conf.depth = 1 + i;
		client[i] = vnic_client_open(r->adapter);
		receiver[i] = vnic_receiver_create(client[i], &conf);
		assert_non_null(receiver[i]);
	}
	assert_null(vnic_receiver_create(r->client[0], &(struct vnic_receiver_conf){.vlan = -1}));
	assert_int_equal(rte_errno, ENOSPC);
	for (uint32_t i = 0; i < VNIC_RECEIVERS_MAX; i++) {
		assert_int_equal(vnic_receiver_destroy(receiver[i]), 0);
		assert_int_equal(vnic_client_close(client[i]), 0);
	}
}

/* One comes, fills its queue, and goes, with another depth each time. */
static void places_are_free_for_any_depth(void **state)
{
	struct reception *r = reception_open(&receives);
	struct rte_mbuf *m;

	(void)state;
	for (uint32_t round = 0; round < 4 * VNIC_RECEIVERS_MAX; round++) {
		uint32_t depth = 1 + round * 37 % 101;

		listen_deep(r, 0, depth);
		for (uint32_t i = 0; i < depth + 2; i++)
			reception_arrive(r, 1, 0, i);
		for (uint32_t i = 0; i <= depth / 16; i++)
			reception_data(r);
		assert_int_equal(reception_stats(r, 0).queued, depth);
		assert_int_equal(reception_stats(r, 0).dropped, 2);
		for (uint32_t i = 0; i < depth; i++) {
			assert_int_equal(vnic_receive(r->receiver[0], &m, 1), 1);
			assert_int_equal(reception_number(m), i);
			rte_pktmbuf_free(m);
			vnic_receive_return(r->receiver[0], 1);
		}
		unlisten(r, 0);
	}
	reception_close(r);
}

/* It has copies for its whole queue. */
static void fill_with_copies(struct reception *r, uint32_t depth)
{
	struct rte_mbuf *m;

	for (uint32_t i = 0; i < depth; i++) {
		reception_arrive(r, 0xff, 0, i);
		reception_data(r);
		assert_int_equal(vnic_receive(r->receiver[1], &m, 1), 1);
		vnic_receive_return(r->receiver[1], 1);
		rte_pktmbuf_free(m);
	}
	assert_int_equal(reception_stats(r, 0).no_memory, 0);
	assert_int_equal(reception_stats(r, 0).queued, depth);
}

/* Somebody has a copy of one who has gone: it goes back to its own pool. */
static void a_copy_outlives_its_receivers_depth(void **state)
{
	static const uint32_t depth[] = {40, 500, 3, 2000};
	struct reception *r = reception_open(&receives);
	struct rte_mbuf *kept[BED_COUNT_OF(depth)], *m;

	(void)state;
	use_places_up(r);
	listen_deep(r, 1, 8);
	for (uint32_t round = 0; round < BED_COUNT_OF(depth); round++) {
		listen_deep(r, 0, depth[round]);
		reception_arrive(r, 0xff, 0, round);
		reception_data(r);
		assert_int_equal(vnic_receive(r->receiver[0], &kept[round], 1), 1);
		vnic_receive_return(r->receiver[0], 1);
		assert_int_equal(vnic_receive(r->receiver[1], &m, 1), 1);
		vnic_receive_return(r->receiver[1], 1);
		rte_pktmbuf_free(m);
		for (uint32_t i = 0; i <= round; i++)
			assert_int_equal(reception_number(kept[i]), i);
		fill_with_copies(r, depth[round]);
		unlisten(r, 0);
	}
	rte_pktmbuf_free_bulk(kept, BED_COUNT_OF(depth));
	for (uint32_t i = 0; i < VNIC_RECEIVERS_MAX; i++)
		for (uint32_t k = 0; k < r->adapter->receive->receiver[i]->nb_copies; k++)
			assert_true(rte_mempool_full(r->adapter->receive->receiver[i]->copies_of[k]));
	reception_close(r);
}

/* ---- between senders and receivers of one adapter ---- */

static void local_stays_here(void **state)
{
	struct reception *r = reception_open(&local);

	(void)state;
	reception_listen(r, 0, 1, -1);
	reception_listen(r, 1, 2, -1);
	reception_send(r, 0, 2, 10);
	reception_send(r, 0, 9, 11);
	reception_send(r, 0, 2, 12);
	reception_send(r, 0, 0xff, 13);
	reception_send(r, 0, 1, 14); /* its own address is not here for it */
	reception_send(r, 0, 9, 15);
	reception_data(r);
	RECEPTION_EXPECT(r, 1, 10, 12, 13);
	reception_expect_none(r, 0);
	RECEPTION_EXPECT_WIRE(r, 11, 13, 14, 15);
	assert_int_equal(r->nb_done, 6);
	for (uint32_t i = 0; i < 6; i++)
		assert_int_equal(r->done[i]->status, VNIC_STATUS_SUCCESS);
	assert_int_equal(reception_adapter_stats(r).local, 2);
	reception_close(r);
}

static void without_local_all_leave(void **state)
{
	struct reception *r = reception_open(&receives);

	(void)state;
	reception_listen(r, 0, 1, -1);
	reception_listen(r, 1, 2, -1);
	reception_send(r, 0, 2, 10);
	reception_send(r, 0, 0xff, 11);
	reception_data(r);
	reception_expect_none(r, 1);
	RECEPTION_EXPECT_WIRE(r, 10, 11);
	reception_close(r);
}

/* A full receiver is its own loss; the sender's NBL has left. */
static void local_to_a_full_one(void **state)
{
	struct reception *r = reception_open(&local);
	struct vnic_receiver_conf conf = reception_conf(2, -1);

	(void)state;
	conf.depth = 2;
	reception_listen_as(r, 1, &conf);
	for (uint32_t i = 0; i < 4; i++)
		reception_send(r, 0, 2, i);
	reception_data(r);
	assert_int_equal(r->nb_done, 4);
	for (uint32_t i = 0; i < 4; i++)
		assert_int_equal(r->done[i]->status, VNIC_STATUS_SUCCESS);
	assert_int_equal(reception_stats(r, 1).dropped, 2);
	RECEPTION_EXPECT(r, 1, 0, 1);
	reception_close(r);
}

/* What the port refuses is tried again, and nobody gets it twice. */
static void local_behind_a_full_port(void **state)
{
	struct reception *r = reception_open(&local);
	struct rte_mbuf *filler = reception_frame(r, 9, 9, 0, 99), *m;
	uint32_t nb = 0;

	(void)state;
	reception_listen(r, 1, 2, -1);
	while (rte_ring_sp_enqueue(r->wire, filler) == 0)
		nb++;
	reception_send(r, 0, 2, 10);
	reception_send(r, 0, 0xff, 11);
	reception_send(r, 0, 2, 12);
	for (int i = 0; i < 3; i++)
		reception_data(r);
	assert_int_equal(r->nb_done, 1);
	RECEPTION_EXPECT(r, 1, 10);
	while (nb-- != 0)
		rte_ring_sc_dequeue(r->wire, (void **)&m);
	rte_pktmbuf_free(filler);
	while (r->nb_done != 3) /* in a moment */
		reception_data(r);
	RECEPTION_EXPECT(r, 1, 11, 12);
	RECEPTION_EXPECT_WIRE(r, 11);
	reception_close(r);
}

/* No copies are made and freed at each poll of a port that is full. */
static void local_spares_copies_at_a_full_port(void **state)
{
	struct reception *r = reception_open(&local);
	struct rte_mbuf *filler = reception_frame(r, 9, 9, 0, 99), *m;
	struct vnic__receive *rc = r->adapter->receive;

	(void)state;
	reception_listen(r, 1, 2, -1);
	while (rte_ring_sp_enqueue(r->wire, filler) == 0)
		;
	reception_send(r, 0, 0xff, 10);
	assert_true(rc->again_tsc == 0);
	reception_data(r);
	assert_true(rc->again_tsc != 0);
	while (rte_ring_sc_dequeue(r->wire, (void **)&m) == 0)
		;
	rte_pktmbuf_free(filler);
	rc->again_tsc = UINT64_MAX;
	reception_data(r);
	reception_expect_wire(r, NULL, 0);
	rc->again_tsc = 0;
	reception_data(r);
	RECEPTION_EXPECT(r, 1, 10);
	RECEPTION_EXPECT_WIRE(r, 10);
	reception_close(r);
}

/* Nor does a later one for a receiver go first. */
static void local_waits_for_its_turn(void **state)
{
	struct reception *r = reception_open(&local);
	struct rte_mbuf *filler = reception_frame(r, 9, 9, 0, 99), *m;
	uint32_t nb = 0;

	(void)state;
	reception_listen(r, 1, 2, -1);
	while (rte_ring_sp_enqueue(r->wire, filler) == 0)
		nb++;
	rte_ring_sc_dequeue(r->wire, (void **)&m);
	reception_send(r, 0, 9, 10);
	reception_send(r, 0, 9, 11);
	reception_send(r, 0, 2, 12);
	for (int i = 0; i < 3; i++)
		reception_data(r);
	assert_int_equal(r->nb_done, 1);
	reception_expect_none(r, 1);
	while (--nb != 0)
		rte_ring_sc_dequeue(r->wire, (void **)&m);
	rte_pktmbuf_free(filler);
	reception_data(r);
	assert_int_equal(r->nb_done, 3);
	RECEPTION_EXPECT(r, 1, 12);
	RECEPTION_EXPECT_WIRE(r, 10, 11);
	reception_close(r);
}

static void send_packet(struct reception *r, uint32_t i, struct rte_mbuf *m)
{
	struct vnic_nbl *nbl;

	assert_int_equal(vnic_nbl_alloc(r->nbls, &nbl, 1), 0);
	nbl->cancel_id = RECEPTION_ID;
	nbl->nb_packets = 1;
	vnic_nbl_packets(nbl)[0] = m;
	assert_int_equal(vnic_send(r->sender[i], &nbl, 1), 1);
}

/* A tag that the packet asks for decides where it goes, and is in it when it comes. */
static void local_with_a_tag(void **state)
{
	struct reception *r = reception_open(&local);
	struct rte_mbuf *m = reception_frame(r, 2, 1, 0, 10), *got[2];
	const uint8_t *data;

	(void)state;
	reception_listen(r, 1, 2, 0);
	reception_listen(r, 2, 2, 5);
	m->ol_flags |= RTE_MBUF_F_TX_VLAN;
	m->vlan_tci = 5;
	send_packet(r, 0, m);
	reception_data(r);
	reception_expect_none(r, 1);
	assert_int_equal(vnic_receive(r->receiver[2], got, 2), 1);
	data = rte_pktmbuf_mtod(got[0], const uint8_t *);
	assert_int_equal(got[0]->pkt_len, 104);
	assert_int_equal(data[12] << 8 | data[13], 0x8100);
	assert_int_equal(data[14] << 8 | data[15], 5);
	assert_int_equal(got[0]->ol_flags & RTE_MBUF_F_TX_OFFLOAD_MASK, 0);
	rte_pktmbuf_free(got[0]);
	vnic_receive_return(r->receiver[2], 1);
	reception_close(r);
}

#define TCP_HEADERS 54
#define MSS 500

/* 1,200 bytes of TCP for 02:..:2, to be segmented. */
static struct rte_mbuf *tcp_packet(struct reception *r)
{
	struct rte_mbuf *m = reception_frame(r, 2, 1, 0, 0);
	uint8_t *p = rte_pktmbuf_mtod(m, uint8_t *);

	memset(rte_pktmbuf_append(m, TCP_HEADERS + 1200 - m->data_len), 'x',
	       TCP_HEADERS + 1200u - 60);
	memset(p + 14, 0, TCP_HEADERS - 14);
	p[12] = 8;
	p[13] = 0;
	p[14] = 0x45;
	p[16] = (20 + 20 + 1200) >> 8;
	p[17] = (20 + 20 + 1200) & 0xff;
	p[23] = 6;
	p[46] = 0x50;
	m->l2_len = 14;
	m->l3_len = m->l4_len = 20;
	m->tso_segsz = MSS;
	m->ol_flags |= RTE_MBUF_F_TX_TCP_SEG | RTE_MBUF_F_TX_IPV4;
	return m;
}

/* What is segmented here comes to the receiver in segments, and a slow one keeps none of the
 * adapter's buffers. */
static void local_in_segments(void **state)
{
	struct reception *r = reception_open(&local);
	struct rte_mbuf *got[4];

	(void)state;
	reception_listen(r, 1, 2, -1);
	send_packet(r, 0, tcp_packet(r));
	reception_data(r);
	assert_int_equal(r->nb_done, 1);
	assert_int_equal(r->done[0]->status, VNIC_STATUS_SUCCESS);
	assert_true(rte_mempool_full(r->mbufs));
	assert_int_equal(vnic_receive(r->receiver[1], got, 4), 3);
	for (uint32_t i = 0; i < 3; i++) {
		const uint8_t *p = rte_pktmbuf_mtod(got[i], const uint8_t *);

		assert_int_equal(got[i]->pkt_len, TCP_HEADERS + (i < 2 ? MSS : 200));
		assert_int_equal(p[40] << 8 | p[41], i * MSS); /* of the sequence number */
		assert_int_equal(got[i]->ol_flags & RTE_MBUF_F_TX_OFFLOAD_MASK, 0);
	}
	rte_pktmbuf_free_bulk(got, 3);
	vnic_receive_return(r->receiver[1], 3);
	assert_int_equal(reception_adapter_stats(r).local, 3);
	reception_expect_wire(r, NULL, 0);
	reception_close(r);
}

/* A layer's clone is copied, too: a slow receiver keeps none of them. */
static void local_of_a_clone(void **state)
{
	struct reception *r = reception_open(&local);
	struct rte_mempool *clones = rte_pktmbuf_pool_create("rx_clones", 63, 0, 0, 0, SOCKET_ID_ANY);
	struct rte_mbuf *m = reception_frame(r, 2, 1, 0, 10), *clone;

	(void)state;
	assert_non_null(clones);
	clone = rte_pktmbuf_clone(m, clones);
	assert_non_null(clone);
	rte_pktmbuf_free(m); /* it holds it */
	reception_listen(r, 1, 2, -1);
	send_packet(r, 0, clone);
	reception_data(r);
	assert_int_equal(r->nb_done, 1);
	assert_true(rte_mempool_full(clones));
	assert_true(rte_mempool_full(r->mbufs));
	RECEPTION_EXPECT(r, 1, 10);
	assert_int_equal(reception_adapter_stats(r).local, 1);
	rte_mempool_free(clones);
	reception_close(r);
}

/* It was queued like anything else. */
static void local_is_cancelled(void **state)
{
	struct reception *r = reception_open(&local);
	struct vnic_ticket *t = vnic_ticket_create(-1);
	struct vnic_verdict v;

	(void)state;
	reception_listen(r, 1, 2, -1);
	reception_send(r, 0, 2, 10);
	assert_int_equal(vnic_adapter_cancel(r->adapter, RECEPTION_ID, t), 0);
	reception_step(r, 3);
	assert_int_equal(vnic_ticket_verdict(t, &v), 0);
	assert_int_equal(v.aborted.nbls, 1);
	reception_expect_none(r, 1);
	vnic_ticket_destroy(t);
	reception_close(r);
}

static void a_source_is_learned(void **state)
{
	struct reception *r = reception_open(&learns);

	(void)state;
	reception_listen(r, 0, 0, -1);
	reception_listen(r, 1, 0, -1);
	reception_arrive(r, 1, 0, 10);
	reception_data(r);
	assert_int_equal(reception_adapter_stats(r).unknown, 1);
	reception_send(r, 0, 9, 11); /* from 1 */
	reception_data(r);
	reception_arrive(r, 1, 0, 12);
	reception_send(r, 1, 1, 13);
	reception_data(r);
	RECEPTION_EXPECT(r, 0, 12, 13);
	RECEPTION_EXPECT_WIRE(r, 11);
	/* not of the next in its place */
	assert_int_equal(vnic_receiver_destroy(r->receiver[0]), 0);
	reception_listen(r, 0, 0, -1);
	reception_arrive(r, 1, 0, 14);
	reception_data(r);
	reception_expect_none(r, 0);
	reception_close(r);
}

/* All that has been sent has left. */
static void forget_done(struct reception *r)
{
	vnic_nbl_free(r->nbls, r->done, r->nb_done);
	r->nb_done = 0;
}

/* Sent from 02:..:`from` on `vlan` by client i, to nobody who is here. */
static void send_from(struct reception *r, uint32_t i, uint8_t from, uint16_t vlan, uint32_t number)
{
	send_packet(r, i, reception_frame(r, 0xfe, from, vlan, number));
	reception_data(r);
	forget_done(r);
	RECEPTION_EXPECT_WIRE(r, number);
}

/* Who is on one VLAN learns nothing on another, and gets nothing of it. */
static void nothing_is_learned_of_another_vlan(void **state)
{
	struct reception *r = reception_open(&learns);

	(void)state;
	reception_listen(r, 0, 0, 20);
	reception_listen(r, 1, 0, 10);
	send_from(r, 0, 1, 20, 10);
	send_from(r, 1, 1, 20, 11);
	send_from(r, 1, 3, 0, 12);
	reception_arrive(r, 1, 20, 13);
	reception_arrive(r, 3, 0, 14);
	reception_data(r);
	RECEPTION_EXPECT(r, 0, 13);
	reception_expect_none(r, 1);
	send_from(r, 1, 1, 10, 15);
	reception_arrive(r, 1, 10, 16);
	reception_data(r);
	RECEPTION_EXPECT(r, 1, 16);
	reception_close(r);
}

/* The oldest give way. */
static void learning_is_bounded(void **state)
{
	struct reception *r = reception_open(&learns);

	(void)state;
	reception_listen(r, 0, 0, -1);
	reception_listen(r, 1, 0, -1);
	for (uint32_t i = 0; i < 100; i++)
		send_from(r, 0, (uint8_t)(1 + i), 0, i);
	assert_int_equal(reception_adapter_stats(r).learn_full, 36);
	reception_send(r, 1, 36, 200);
	reception_send(r, 1, 37, 201);
	reception_send(r, 1, 100, 202);
	reception_data(r);
	RECEPTION_EXPECT(r, 0, 201, 202);
	RECEPTION_EXPECT_WIRE(r, 200);
	send_from(r, 0, 36, 0, 203);
	reception_send(r, 1, 36, 204);
	reception_send(r, 1, 37, 205);
	reception_data(r);
	RECEPTION_EXPECT(r, 0, 204);
	RECEPTION_EXPECT_WIRE(r, 205);
	reception_close(r);
}

/* An address that goes to and fro takes one place of each. */
static void learning_one_address_in_turn(void **state)
{
	struct reception *r = reception_open(&learns);

	(void)state;
	reception_listen(r, 0, 0, -1);
	reception_listen(r, 1, 0, -1);
	send_from(r, 0, 2, 0, 10);
	send_from(r, 1, 3, 0, 11);
	for (uint32_t i = 0; i < 300; i++) {
		send_from(r, i % 2, 1, 0, i);
		reception_arrive(r, 1, 0, i);
		reception_data(r);
		RECEPTION_EXPECT(r, i % 2, i);
		reception_expect_none(r, 1 - i % 2);
	}
	reception_arrive(r, 2, 0, 12);
	reception_arrive(r, 3, 0, 13);
	reception_data(r);
	RECEPTION_EXPECT(r, 0, 12);
	RECEPTION_EXPECT(r, 1, 13);
	assert_int_equal(reception_adapter_stats(r).learn_full, 0);
	reception_close(r);
}

/* Receivers that come and go leave the table room. */
static void learning_goes_on_for_ever(void **state)
{
	struct reception *r = reception_open(&learns);
	uint8_t from[6] = {2};

	(void)state;
	reception_listen(r, 0, 0, -1);
	for (uint32_t round = 0; round < 60; round++) {
		reception_listen(r, 1, 0, -1);
		for (uint32_t i = 0; i < 64; i++) {
			struct rte_mbuf *m = reception_frame(r, 0xfe, 0, 0, i);

			from[4] = (uint8_t)(round + 1);
			from[5] = (uint8_t)i;
			memcpy(rte_pktmbuf_mtod_offset(m, void *, 6), from, 6);
			send_packet(r, 1, m);
			reception_data(r);
			forget_done(r);
			RECEPTION_EXPECT_WIRE(r, i);
			m = reception_frame(r, 0, 0xee, 0, i);
			memcpy(rte_pktmbuf_mtod(m, void *), from, 6);
			assert_int_equal(rte_ring_sp_enqueue(r->in, m), 0);
			reception_data(r);
			RECEPTION_EXPECT(r, 1, i);
		}
		assert_int_equal(vnic_receiver_destroy(r->receiver[1]), 0);
		r->receiver[1] = NULL;
	}
	assert_int_equal(reception_adapter_stats(r).learn_full, 0);
	reception_close(r);
}

/* With a tag that the port inserts, it is in no byte of the packet. */
static void a_source_is_learned_with_the_ports_tag(void **state)
{
	static const struct vnic_adapter_conf only_learns = {.receive = true, .learn = true};
	struct reception *r = reception_open(&only_learns);
	struct rte_mbuf *m = reception_frame(r, 0xfe, 1, 0, 10);

	(void)state;
	r->adapter->offload.does |= RTE_MBUF_F_TX_VLAN;
	reception_listen(r, 0, 0, -1);
	reception_listen(r, 1, 0, -1);
	m->ol_flags |= RTE_MBUF_F_TX_VLAN;
	m->vlan_tci = 0xe005;
	send_packet(r, 0, m);
	reception_data(r);
	RECEPTION_EXPECT_WIRE(r, 10);
	reception_arrive(r, 1, 5, 11);
	reception_arrive(r, 1, 0, 12);
	reception_data(r);
	RECEPTION_EXPECT(r, 0, 11);
	reception_expect_none(r, 1);
	assert_int_equal(reception_adapter_stats(r).unknown, 1);
	reception_close(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(to_its_address_in_order), cmocka_unit_test(to_its_vlan),
		cmocka_unit_test(a_stripped_tag_counts), cmocka_unit_test(several_addresses),
		cmocka_unit_test(broadcast_to_all_of_its_vlan), cmocka_unit_test(who_holds_copies_wants_alone),
		cmocka_unit_test(unknown_to_the_promiscuous),
		cmocka_unit_test(everything_to_the_only_one),
		cmocka_unit_test(the_only_one_has_its_vlan), cmocka_unit_test(runts_are_counted),
		cmocka_unit_test(by_and_by), cmocka_unit_test(a_slow_one_loses_its_own),
		cmocka_unit_test(a_client_closes_after_its_receiver),
		cmocka_unit_test(local_waits_for_its_turn),
		cmocka_unit_test(what_cannot_be_is_refused),
		cmocka_unit_test(an_end_frees_what_is_queued), cmocka_unit_test(places_are_free_for_any_depth),
		cmocka_unit_test(a_copy_outlives_its_receivers_depth),
		cmocka_unit_test(local_stays_here),
		cmocka_unit_test(without_local_all_leave), cmocka_unit_test(local_to_a_full_one),
		cmocka_unit_test(local_spares_copies_at_a_full_port),
		cmocka_unit_test(local_behind_a_full_port), cmocka_unit_test(local_is_cancelled),
		cmocka_unit_test(local_of_a_clone),
		cmocka_unit_test(local_with_a_tag), cmocka_unit_test(local_in_segments),
		cmocka_unit_test(a_source_is_learned), cmocka_unit_test(learning_is_bounded),
		cmocka_unit_test(nothing_is_learned_of_another_vlan),
		cmocka_unit_test(learning_one_address_in_turn),
		cmocka_unit_test(a_source_is_learned_with_the_ports_tag),
		cmocka_unit_test(learning_goes_on_for_ever),
	};

	return cmocka_run_group_tests_name("receive", tests, test_eal_setup, test_eal_teardown);
}
