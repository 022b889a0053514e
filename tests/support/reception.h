/* SPDX-License-Identifier: BSD-3-Clause
 * reception.h - test bed: an adapter that receives, on a port whose both ends the test holds
 *
 * One thread plays all of them. A frame carries a number behind its header, by which it is
 * known wherever it comes out. After each step of the data thread the accounts are checked.
 * reception_close() checks that every buffer is back.
 */
#ifndef TESTS_RECEPTION_H
#define TESTS_RECEPTION_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <rte_mbuf.h>
#include <rte_ring.h>

#include "eal.h"
#include "vnic.h"

#define RECEPTION_CLIENTS 5
#define RECEPTION_ID 7

struct reception {
	struct vnic_control *control;
	struct vnic_adapter *adapter;
	struct rte_mempool *mbufs;
	struct vnic_nbl_pool *nbls;
	struct rte_ring *in, *wire; /* of the port */
	uint16_t port;
	const struct rte_eth_rxtx_callback *handover; /* see handover.h */
	struct vnic_client *client[RECEPTION_CLIENTS];
	struct vnic_sender *sender[RECEPTION_CLIENTS];
	struct vnic_receiver *receiver[RECEPTION_CLIENTS];
	struct vnic_nbl *done[256];
	uint32_t nb_done;
};

/* Running; of `conf` only receive, local, learn, burst and pacing count. */
struct reception *reception_open(const struct vnic_adapter_conf *conf);
void reception_close(struct reception *r);

/* Client i's receiver: one address 02:00:00:00:00:`mac` (0: none) on `vlan`. */
struct vnic_receiver *reception_listen(struct reception *r, uint32_t i, uint8_t mac, int32_t vlan);
struct vnic_receiver *reception_listen_as(struct reception *r, uint32_t i,
					  const struct vnic_receiver_conf *conf);
/* The configuration that it stands for. */
struct vnic_receiver_conf reception_conf(uint8_t mac, int32_t vlan);

/* A frame for 02:..:`mac` (0xff: broadcast), tagged if vlan > 0. */
struct rte_mbuf *reception_frame(struct reception *r, uint8_t to, uint8_t from, uint16_t vlan,
				 uint32_t number);
/* It comes in by the port. */
void reception_arrive(struct reception *r, uint8_t to, uint16_t vlan, uint32_t number);
/* Client i sends it; the NBL comes back in done[]. */
void reception_send(struct reception *r, uint32_t i, uint8_t to, uint32_t number);

/* A step of the data thread, and what it completed. */
void reception_data(struct reception *r);
/* Steps of data and control. */
void reception_step(struct reception *r, uint32_t n);

/* Client i is indicated exactly these and returns them. */
void reception_expect(struct reception *r, uint32_t i, const uint32_t *number, uint32_t n);
void reception_expect_none(struct reception *r, uint32_t i);
/* Exactly these are on the wire. */
void reception_expect_wire(struct reception *r, const uint32_t *number, uint32_t n);
struct vnic_receiver_stats reception_stats(struct reception *r, uint32_t i);
struct vnic_adapter_receive_stats reception_adapter_stats(struct reception *r);
uint32_t reception_number(const struct rte_mbuf *m);

#define RECEPTION_EXPECT(r, i, ...) \
	reception_expect(r, i, (const uint32_t[]){__VA_ARGS__}, \
			 sizeof((const uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t))
#define RECEPTION_EXPECT_WIRE(r, ...) \
	reception_expect_wire(r, (const uint32_t[]){__VA_ARGS__}, \
			      sizeof((const uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t))

#endif
