/* SPDX-License-Identifier: BSD-3-Clause
 * stock.h - app's NBLs and packets: sent, come back, sent again, and counted
 *
 * The thread that plays app.
 */
#ifndef BENCH_STOCK_H
#define BENCH_STOCK_H

#include "design.h"

struct rte_mempool;
struct rte_mbuf;

struct stock_conf {
	uint32_t nb;           /* NBLs, one packet each */
	const uint16_t *sizes; /* of frames, in turn, each cache line of which is written */
	uint32_t nb_sizes;
	bool shared;           /* one packet stands for all: for what is queued, not sent */
};

struct stock {
	struct stock_conf conf;
	struct vnic_nbl_pool *nbls;
	struct rte_mempool *mbufs;
	struct rte_mbuf *packet; /* the shared one */
	struct vnic_nbl **free;  /* nb_free that are neither queued nor ready */
	uint32_t nb_free;
	struct vnic_nbl *ready[DESIGN_BURST]; /* packets and ids set, not taken yet */
	uint32_t nb_ready;
	uint32_t size_turn;
	uint64_t next_id;             /* ids count up from 1 */
	/* or, if it is not NULL, what this makes of such an id */
	uint64_t (*id_of)(uint64_t id, void *context);
	void *id_context;
	struct design_account seen;   /* what app itself saw */
	uint64_t others;              /* completed with another status: none should */
};

/* Main thread. -1: said. */
int stock_open(struct stock *s, const struct stock_conf *conf);
void stock_close(struct stock *s);

/* Send a burst on a queue; returns how many were taken. */
uint16_t stock_send(struct stock *s, struct design *d, uint32_t sender);
/* Take completions; returns how many, and counts the aborted ones in *aborted (may be NULL). */
uint16_t stock_poll(struct stock *s, struct design *d, uint32_t sender, uint64_t *aborted);
/* NBLs that are the design's now. */
uint64_t stock_out(const struct stock *s);

/* While no team runs: take everything back (`cancel`) or let it be sent, all roles in turn, and
 * compare the design's account with what app saw. -1: it does not add up, or does not end: said. */
int stock_settle(struct stock *s, struct design *d, uint32_t nb_senders, bool cancel);

#endif
