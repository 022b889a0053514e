/* SPDX-License-Identifier: BSD-3-Clause
 * ledger.h - senders and their books
 *
 * A sender's functions: its thread. Beginning and end of a run: the test's thread.
 */
#ifndef LEDGER_H
#define LEDGER_H

#include "ledger_rig.h"

#define SENDERS 3
#define BURST 32
#define PACKETS_MAX 3
#define FRAME_BYTES 64
#define STAMP_AT 14
#define COOKIE UINT64_C(0x5eed000000000000)
#define STATUSES 10 /* of a send */

/* A sender's account of its NBLs, by serial. Each array has one writer. */
struct book {
	uint32_t nb;
	uint8_t *ended;            /* 1 + index of the status; its thread */
	uint8_t *left;             /* packets that have left, as the completion says; its thread */
	uint8_t *seen[RIG_WIRES];  /* packets seen; the wire's thread */
	uint64_t next[RIG_WIRES];  /* the lowest serial and packet that may come now */
	struct vnic_count count[STATUSES];
};

struct stamp {
	uint32_t serial;
	uint16_t sender;
	uint16_t packet;
	uint64_t check;
};

struct sender {
	struct ledger *ledger;
	pthread_t thread;
	uint16_t index;
	uint64_t seed;
	struct book book;
	struct vnic_nbl_pool *nbls;
	struct rte_mempool *mbufs;
	struct vnic_client *client;
	struct vnic_sender *handle;
	struct vnic_ticket *ticket;
	struct rig_offer *offer, *offer_send;
	struct vnic_nbl *ready[BURST]; /* made and not yet taken */
	uint32_t nb_ready;
	uint32_t next; /* serial */
	struct vnic_request *request; /* of an NBL that was sent by request ... */
	struct vnic_nbl *carried;     /* ... this one ... */
	uint64_t carried_cookie;      /* ... whose cookie was this */
	_Atomic uint64_t nb_ended;
	_Atomic bool done;
	uint64_t cancels, audits, opened, by_request;
};

struct ledger {
	struct rig rig;
	pthread_mutex_t setup; /* calls of setup are serialised by the caller */
	bool plain; /* the senders send, and do nothing else */
	double begin_s;
	uint32_t nb_senders;
	struct sender sender[SENDERS];
};

/* ---- books: ledger_book.c ---- */

/* Setup and end. */
void book_open(struct book *b, uint32_t nb);
void book_free(struct book *b);
uint64_t stamp_check(const struct stamp *s);
/* A frame has come out of a wire: the thread of that wire. */
void book_frame(void *ledger, uint32_t wire, struct rte_mbuf *m);
/* An NBL has come back: its sender. */
void book_enter(struct sender *s, const struct vnic_nbl *nbl);
/* When all threads have ended: is it all there, and does the adapter's account agree? */
void books_close(const struct ledger *l);

/* ---- senders: ledger_sender.c ---- */

void sender_open(struct ledger *l, uint16_t index, uint32_t nb);
void sender_close(struct sender *s);
/* Its thread: until all `nb` NBLs have been sent and have come back. */
void *sender_loop(void *sender);

/* ---- a run: ledger_run.c ---- */

struct ledger *ledger_begin(const char *what, enum rig_shape shape, uint32_t nb, bool plain);
/* Waits for the senders, closes the books; fails if anything was wrong. */
void ledger_end(struct ledger *l);
bool ledger_sending(const struct ledger *l);

#endif
