/* SPDX-License-Identifier: BSD-3-Clause
 * receive.h - what an adapter receives, and to whom it goes
 *
 * The data thread takes packets from the lower port (and, with `local`, from its own senders'
 * stages), finds each one's receiver and puts it into that receiver's ring, one producer and
 * one consumer. The receiver's thread takes it out, which indicates it, and returns it.
 *
 * Fields are grouped by writer: (d) the data thread, (r) the receiver's thread, (x) the control
 * thread, which empties a ring behind the adapter's closed gate. The data thread and each
 * receiver's thread have a door of that gate (gate.h): once the gate is closed and a door was
 * seen clear, nobody touches the rings but who closed it.
 *
 *   R22/A22  put: the packets in the ring, before their number
 *   R23/A23  returned: the receiver's use of packets, before they count as returned
 *   R26/A26  door: an address taken out of the table, by an exchange on the data thread's door,
 *            before the data thread's next entry. Whoever exchanges first, either the data
 *            thread does not find the address or who took it out sees the data thread inside
 *   SC       the adapter's `gone` (control writes, data reads) against the data thread's door
 *            (the reverse), as its gate: either the data thread leaves the port alone, or the
 *            control thread sees it inside and waits
 *   SC       a receiver's `open` (setup writes, data reads) against the data thread's door
 *            (the reverse): either the data thread sees it closed, or who closes it sees the
 *            data thread inside and waits
 */
#ifndef VNIC_RECEIVE_H
#define VNIC_RECEIVE_H

#include <rte_hash.h>
#include <rte_mbuf.h>
#include <rte_ring.h>
#include <rte_spinlock.h>

#include "account.h"
#include "gate.h"
#include "ring.h"
#include "vnic.h"

#define VNIC__VLAN_ANY 0xffffu
#define VNIC__COPIES_MAX 18  /* pools of growing sizes, 1 to 65536 packets */
#define VNIC__LEARNED_MAX 64 /* addresses of one receiver, so that none fills the table */

/* (d) counts of the adapter, packets */
enum {
	RXA_RECEIVED, /* from the lower port */
	RXA_LOCAL,    /* from senders of this adapter, in place of the port */
	RXA_COPIES,   /* receivers of one packet beyond the first */
	RXA_OFFERED,  /* to receivers; the sum of theirs */
	RXA_UNKNOWN,
	RXA_MALFORMED,
	RXA_PAUSED,
	RXA_LEARN_FULL, /* addresses; no part of the balance */
	RXA_COUNTS
};

/* (d), (r) and (x) counts of a receiver */
enum { RXD_OFFERED, RXD_DROPPED, RXD_NO_MEMORY, RXD_COUNTS };
enum { RXR_INDICATED, RXR_RETURNED, RXR_COUNTS };
enum { RXX_FLUSHED, RXX_COUNTS };

struct vnic_receiver {
	/* constant while it is open; its memory is the adapter's until that ends */
	struct vnic_adapter *adapter;
	struct vnic_client *client;
	const _Atomic uint32_t *gate;
	struct rte_ring *ring;      /* and under `emptying` */
	struct rte_mempool *copies; /* of broadcasts, its own: who holds them wants for them */
	uint32_t depth;
	uint32_t slot;
	struct vnic_receiver_conf conf;
	struct rte_mempool *copies_of[VNIC__COPIES_MAX]; /* of each time; the last is in use */
	uint32_t nb_copies;
	_Atomic bool open;        /* SC */
	_Atomic uint32_t version; /* so that what was learned of an earlier one is not its own */

	/* (d) */
	alignas(VNIC__LINE) uint64_t d_count[RXD_COUNTS];
	uint64_t nb_put;  /* into the ring so far */
	uint64_t nb_gone; /* of them, returned or flushed as last seen */
	uint32_t nb;      /* in the batch, at most `room` */
	uint32_t room;
	struct rte_mbuf *batch[VNIC_BURST_MAX];
	_Atomic uint64_t put;
	uint64_t nb_learned;                 /* so far, also by earlier ones in its place */
	uint64_t learned[VNIC__LEARNED_MAX]; /* the newest; some may be others' by now */
	alignas(VNIC__LINE) struct vnic__account d_account;

	/* (r) */
	alignas(VNIC__LINE) _Atomic uint32_t door;
	uint64_t seen; /* nb_put when the ring was last found empty */
	uint64_t r_count[RXR_COUNTS];
	alignas(VNIC__LINE) struct vnic__account r_account;

	/* (x) */
	alignas(VNIC__LINE) uint64_t x_count[RXX_COUNTS];
	struct vnic__account x_account;
};

struct vnic__receive {
	/* constant */
	bool port; /* the lower port's queue is polled */
	bool local;
	bool learn;
	uint16_t rx_queue;
	uint32_t longest; /* above it the port's driver cuts frames off, 0: it does not */
	rte_spinlock_t setup;    /* of setup threads, for what follows */
	rte_spinlock_t emptying; /* of a receiver's ring by setup and control threads */
	struct rte_hash *table; /* address and VLAN to receiver; read while it is changed */
	_Atomic uint32_t nb_any; /* entries for any VLAN */
	_Atomic uint32_t nb_vlan;
	/* all that have ever been, and the only open one if it has no address */
	struct vnic_receiver *receiver[VNIC_RECEIVERS_MAX];
	_Atomic uint32_t nb; /* release: the receiver before its number */
	_Atomic uint64_t closed; /* what was offered to those that are destroyed */
	_Atomic(struct vnic_receiver *) sole;

	/* (d) */
	alignas(VNIC__LINE) _Atomic uint32_t door;
	struct rte_hash *learned; /* the data thread's alone */
	uint32_t touched;         /* a bit for each receiver with a batch */
	uint64_t again_tsc;       /* no copies for a group before: the port was full */
	uint64_t count[RXA_COUNTS];
	alignas(VNIC__LINE) struct vnic__account account;
};

/* Setup. */
int vnic__receive_create(struct vnic_adapter *a, const struct vnic_adapter_conf *conf);
void vnic__receive_free(struct vnic__receive *rc);

/* Data thread: one burst from the port; returns how many packets. */
uint32_t vnic__receive_poll(struct vnic_adapter *a);
/* Data thread: what hand_down() does for an adapter that looks at what it sends. The packets
 * for its receivers go there, the others to the port, in order. Returns how many from the front
 * have gone. */
uint32_t vnic__receive_local(struct vnic_adapter *a, const struct vnic_sender *s,
			     struct rte_mbuf **packet, uint32_t n);

/* Control thread, behind a closed gate: is nobody at the rings any more? */
bool vnic__receive_doors_clear(const struct vnic_adapter *a);
/* Control thread, once the port is said to be gone: is the data thread out of it? */
bool vnic__receive_port_left(const struct vnic_adapter *a);
/* Behind a closed gate and clear doors: empty the rings. */
void vnic__receive_flush(struct vnic_adapter *a);
/* Then: is a packet indicated and not returned? */
bool vnic__receive_held(const struct vnic_adapter *a);

/* Control or setup thread, when nobody else is at the ring: empty it. */
void vnic__receiver_flush(struct vnic_receiver *r);
/* Setup, when no lcore polls. */
void vnic__receiver_free(struct vnic_receiver *r);

static inline uint64_t vnic__receive_key(const uint8_t mac[6], uint32_t vlan)
{
	uint64_t key = vlan;

	for (uint32_t i = 0; i < 6; i++)
		key = key << 8 | mac[i];
	return key;
}

#endif
