/* SPDX-License-Identifier: BSD-3-Clause
 * design.h - a queue of NBLs between a sender, a port and whoever cancels: ours, and what one
 * would use instead, behind one interface
 *
 * Roles: app sends, polls completions and (as any thread may) cancels; data hands down to the
 * port; control applies cancels, where a design has that role. A role is one thread at a time.
 */
#ifndef BENCH_DESIGN_H
#define BENCH_DESIGN_H

#include <stdbool.h>
#include <stdint.h>

#include <vnic.h>

#define DESIGN_BURST 32
#define DESIGN_SENDERS_MAX VNIC_SENDERS_MAX

struct design_conf {
	uint32_t depth;      /* NBLs of one sender's queue, a power of two */
	uint32_t nb_senders; /* queues */
	uint16_t port;       /* started; its tx queue 0 is the design's */
	bool held;           /* the queue keeps what it is given: next to nothing is handed down */
	struct vnic_nbl_pool *nbls; /* what is sent comes from it */
};

/* When the stages of the last cancel ended, in TSC ticks; 0: the design does not tell. */
struct design_stages {
	uint64_t picked; /* taken up by who applies it */
	uint64_t walked; /* the last match taken out of the queue */
};

struct design_account {
	uint64_t accepted, sent, aborted; /* NBLs */
};

struct design {
	const struct design_ops *ops;
};

struct design_ops {
	const char *name;
	const char *what;   /* for the settings */
	bool data_walks;    /* a cancel is applied by the data role: it is to run apart from app */

	/* Any thread while no role runs; NULL: said on standard error. */
	struct design *(*create)(const struct design_conf *conf);
	/* The same; every NBL has been polled by then. */
	void (*destroy)(struct design *d);

	/* app: how many were taken, from the front. */
	uint16_t (*send)(struct design *d, uint32_t sender, struct vnic_nbl *const *nbls, uint16_t n);
	/* app: completed NBLs, status set. */
	uint16_t (*poll)(struct design *d, uint32_t sender, struct vnic_nbl **nbls, uint16_t n);
	/* data, control: one step; the work done. control NULL: no such role. */
	uint32_t (*data)(struct design *d);
	uint32_t (*control)(struct design *d);

	/* Any one thread at a time: begin to take back what is queued of the id, 0: everything.
	 * NULL: it cannot cancel. Only when the one before is over. */
	void (*cancel)(struct design *d, uint64_t id);
	/* The same thread: is it over? Then how many NBLs it took back. */
	bool (*over)(struct design *d, uint64_t *nb_aborted);
	/* That thread, when it is over; of all cancels, or walks of different ones are added up. */
	void (*stages)(struct design *d, struct design_stages *stages);

	/* Any thread, and a signal handler: is a walk for a cancel under way in its thread now?
	 * NULL: it does not tell. */
	bool (*walking)(const struct design *d);

	/* Any thread while no role runs. */
	void (*account)(const struct design *d, struct design_account *account);
};

extern const struct design_ops design_vnic;     /* this product's library */
extern const struct design_ops design_rte_ring; /* rte_ring SP/SC; cannot cancel */
extern const struct design_ops design_list;     /* linked list under a spin lock, walked by the caller */
extern const struct design_ops design_mailbox;  /* cancels posted to the data lcore, which walks */

#endif
