/* SPDX-License-Identifier: BSD-3-Clause
 * fair.h - whose turn it is among an adapter's senders: deficit round robin by weights
 *
 * Data thread; weights are set by any thread. When a sender's turn comes it gets a credit, its
 * weight's part of what the heaviest of those that wait gets in this round, in bytes where the pace is one
 * of bits, else in packets. The turn is its own until the credit is used up; by how much its
 * last packet exceeds it, it owes to its next turn. Who has nothing to send loses turn and
 * credit, so that an idle time is not saved up.
 *
 * None of it is of use while all weights are alike and the port takes whatever comes: then
 * `on` is false, senders are polled one after the other and nothing is counted.
 *
 *   R24/A24  on: the weights before it
 */
#ifndef VNIC_FAIR_H
#define VNIC_FAIR_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct vnic_adapter;
struct vnic_sender;

struct vnic__fair {
	_Atomic bool on;      /* R24 -> A24 */
	uint32_t nb_calm;     /* polls in a row that found no reason for it */
	uint32_t portion;     /* packets of the heaviest's credit, at most, in the next round */
	uint32_t heaviest;    /* this round's: the weight ... */
	uint64_t whole;       /* ... and the credit; all get their part of the same */
	uint64_t refused_tsc; /* since then the port has taken nothing; 0: it has */
	struct vnic_sender *suspect; /* is it for this one's packet? In this poll others may try */
};

#define VNIC__FAIR_NOBODY UINT32_MAX

static inline bool vnic__fair_on(const struct vnic__fair *f)
{
	/* relaxed: a weight counts when it is seen */
	return atomic_load_explicit(&f->on, memory_order_relaxed);
}

/* The lower edge did not take all: from now on it matters who is next. */
static inline void vnic__fair_scarce(struct vnic__fair *f)
{
	/* relaxed: this thread's own, or a weight's setter says the same */
	atomic_store_explicit(&f->on, true, memory_order_relaxed);
}

/* Setup: of a new adapter, when its pace and port are known. */
void vnic__fair_init(struct vnic_adapter *a);

/* The pace is another: turns begin anew, perhaps in bytes instead of packets. */
void vnic__fair_repaced(struct vnic_adapter *a);

/* Any thread: a sender's weight, 1..VNIC_WEIGHT_MAX. */
void vnic__fair_weigh(struct vnic_adapter *a, struct vnic_sender *s, uint32_t weight);

/* The slot of the sender whose turn it is, none of those `aside` (a bit for each slot); NOBODY:
 * none waits. A round that begins is one of at most `room` packets for the heaviest. */
uint32_t vnic__fair_next(struct vnic_adapter *a, uint32_t aside, uint32_t room);

/* How many of `room` packets sender s may send, and how many bytes if its pace is one of bits. */
uint32_t vnic__fair_may(const struct vnic_adapter *a, const struct vnic_sender *s, uint32_t room,
			uint64_t *bytes);

/* It has sent so much. */
void vnic__fair_charge(struct vnic_adapter *a, struct vnic_sender *s, uint32_t packets,
		       uint64_t bytes);

/* It was refused, `taken` packets having been taken in this poll. It keeps its turn, or shares
 * would go by who asks a full port more often: false. But when the port has taken nothing for
 * long it may be for this one's packet: true, others may try, and if they succeed it is not
 * waited for any more until it does too. */
bool vnic__fair_refused(struct vnic_adapter *a, struct vnic_sender *s, uint32_t taken);

/* A poll is over: did the lower edge refuse anything, how many packets has it taken? */
void vnic__fair_end(struct vnic_adapter *a, bool refused, uint32_t taken);

#endif
