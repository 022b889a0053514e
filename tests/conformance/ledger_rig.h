/* SPDX-License-Identifier: BSD-3-Clause
 * ledger_rig.h - adapters over wires, and the threads that run, operate and read them
 *
 * Setup and end: the test's thread. fail() and the offers: any thread. What reads a frame off
 * a wire is called by the thread that has this wire, alone.
 */
#ifndef LEDGER_RIG_H
#define LEDGER_RIG_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <rte_mbuf.h>
#include <rte_ring.h>

#include "vnic.h"

#ifndef __has_feature
#define __has_feature(x) 0
#endif
#if defined(__SANITIZE_THREAD__) || __has_feature(thread_sanitizer)
/* The packets' pool is code that the thread sanitizer does not see: a buffer given back
 * happens before it is taken again. By buffer, so that nothing else is ordered by it. */
void __tsan_acquire(void *);
void __tsan_release(void *);
#define BUFFER_TAKEN(m) __tsan_acquire((m)->buf_addr)
#define BUFFER_GIVEN(m) __tsan_release((m)->buf_addr)
#define RIG_NBLS 300000u
#elif defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#define RIG_NBLS 1000000u
#endif
#ifndef RIG_NBLS
#define RIG_NBLS 10000000u
#endif
#ifndef BUFFER_TAKEN
#define BUFFER_TAKEN(m) ((void)(m))
#define BUFFER_GIVEN(m) ((void)(m))
#endif

#define RIG_OPERATORS 2
#define RIG_THREADS 16
#define RIG_OFFERS 16
#define RIG_WIRES 2

enum rig_shape { RIG_ADAPTER, RIG_ONE_TO_ONE, RIG_ONE_TO_TWO };

/* A request that its owner lets others cancel while he has not got it back. */
struct rig_offer {
	_Atomic uint32_t state; /* 0 none, 1 offered, 2 taken, 3 returned */
	struct vnic_request *request;
};

struct rig;

/* Its context is a nic. */
extern const struct vnic_driver rig_driver;

struct rig_nic {
	struct rig *rig;
	struct vnic_adapter *adapter;
	_Atomic bool link;
	bool made_to_wait;  /* control thread: a callback has said PENDING */
	uint64_t callbacks; /* control thread */
	_Atomic uint64_t stops; /* that the driver has ended */
};

struct rig_operator {
	struct rig *rig;
	pthread_t thread;
	uint64_t seed;
	struct rig_offer *offer;
	uint64_t issued[VNIC_CONTROL_CODES], done[VNIC_CONTROL_CODES];
	uint64_t cancelled[VNIC_CONTROL_CODES], refused[VNIC_CONTROL_CODES];
	uint64_t cancels; /* requests of others that it cancelled while they were pending */
	double longest_s;
};

struct rig {
	enum rig_shape shape;
	uint32_t nb_nics; /* the top one is the last */
	struct rig_nic nic[3];
	struct vnic_adapter *top;
	struct vnic_control *control;
	uint32_t nb_wires;
	uint16_t port[RIG_WIRES];
	struct rte_ring *wire[RIG_WIRES];
	uint64_t wire_seed;
	uint32_t jam[RIG_WIRES];
	void (*frame)(void *context, uint32_t wire, struct rte_mbuf *m);
	void *context;

	/* who may be interrupted anywhere, for a while: a signal's handler sleeps */
	pthread_mutex_t threads;
	pthread_t thread[RIG_THREADS];
	bool runs[RIG_THREADS];
	uint64_t interrupts;

	uint32_t nb_data;
	pthread_t data[2], control_thread, reader, interrupter;
	uint32_t nb_operators;
	struct rig_operator operator[RIG_OPERATORS];
	struct rig_offer offer[RIG_OFFERS];
	_Atomic uint32_t nb_offers;
	_Atomic uintptr_t here; /* the control thread */
	uint64_t cuts;

	_Atomic bool end_operators, end_reader, end_interrupter, end;
};

/* ---- any thread ---- */

/* What is wrong, with two numbers; the first few are printed, the test fails at its end. */
void rig_fail(const char *what, uint64_t a, uint64_t b);
/* How many there were since it was asked last. */
uint32_t rig_failures(void);
uint64_t rig_random(uint64_t *seed);
uint32_t rig_roll(uint64_t *seed, uint32_t below);
double rig_now_s(void);
/* Two CPUs for many threads: who waits lets go. */
void rig_nap(uint32_t us);
/* The thread may be interrupted from here on, and has caches of the pools if it wants. */
uint32_t rig_enter_thread(struct rig *rig, bool caches);
void rig_leave_thread(struct rig *rig, uint32_t place, bool caches);

struct rig_offer *rig_offer_new(struct rig *rig);
void rig_offer_put(struct rig_offer *offer, struct vnic_request *request);
void rig_offer_get_back(struct rig_offer *offer);
/* Cancel each offered request but one's own, with a chance of 1 in `odds`; returns of how many
 * that called a routine. */
uint32_t rig_cancel_offered(struct rig *rig, const struct rig_offer *own, uint64_t *seed,
			    uint32_t odds);

/* Issue an operation and wait for its end; it may be cancelled meanwhile, by others or after
 * a while by the caller itself (if `impatient`). Its status; checked to be one that this
 * operation may end with. */
uint32_t rig_operate(struct rig *rig, struct vnic_adapter *a, enum vnic_control_code code,
		     uint64_t argument, struct rig_offer *offer, bool impatient);

/* ---- the test's thread ---- */

void rig_open(struct rig *rig, enum rig_shape shape);
/* Data, control, reader, interrupter. */
void rig_start(struct rig *rig);
void rig_start_operators(struct rig *rig);
void rig_end_operators(struct rig *rig);
/* Everything ends; the adapters stay, to be asked. */
void rig_stop(struct rig *rig);
void rig_close(struct rig *rig);
void rig_print(const struct rig *rig);

#endif
