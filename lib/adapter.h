/* SPDX-License-Identifier: BSD-3-Clause
 * adapter.h - an adapter: its lower port, its senders, its pace
 *
 * Senders are published by nb_senders (release) and never removed while lcores poll; a
 * closed one stays as an empty queue until it is opened again.
 */
#ifndef VNIC_ADAPTER_H
#define VNIC_ADAPTER_H

#include <string.h>

#include <rte_errno.h>

#include "control.h"
#include "fair.h"
#include "fit.h"
#include "gate.h"
#include "hold.h"
#include "inflight.h"
#include "pace.h"
#include "pacer.h"
#include "life.h"
#include "limit.h"
#include "queue.h"
#include "receive.h"

struct vnic_adapter {
	/* constant */
	char name[32];
	struct vnic_control *control;
	uint16_t port;
	uint16_t tx_queue;
	uint16_t burst;
	uint32_t max_frame;
	struct vnic__offload offload;
	int numa_node;
	uint32_t height; /* how many adapters are below */
	uint32_t kept_below; /* packets that the ports below may keep when they have sent them */
	enum vnic_in_flight in_flight_kept;
	struct vnic_driver driver; /* the configuration's; where it has nothing, the lower edge's */
	bool own_link;             /* the configuration's driver tells the link */
	void *driver_context;
	struct vnic__layer *layer; /* NULL: the adapter has a port */
	struct vnic__receive *receive; /* NULL: it only sends */
	bool looks;                /* at what is sent: see vnic__receive_local() */
	_Atomic bool direct;       /* some face is: see vnic__direct(); relaxed, never unset */

	/* setup threads */
	_Atomic bool nameless;  /* it has given up its name; who looks for names reads it */
	rte_spinlock_t handles; /* taken by them, tried by a stop */
	_Atomic uint32_t nb_clients; /* written with the lock */
	struct vnic_sender *sender[VNIC_SENDERS_MAX];
	_Atomic uint32_t nb_senders; /* R9 -> A9: the sender before its number */

	/* any thread, with every cancel and operation: no line that the data thread reads */
	alignas(VNIC__LINE) _Atomic uint32_t pending; /* tickets that the control thread has yet to
							 finish */
	_Atomic uint32_t asked; /* starts, stops and sends on request that are not complete */
	struct vnic__gate operations; /* requests under way; see gate.h */

	/* control thread; senders and the data thread read it, it hardly ever changes */
	alignas(VNIC__LINE) _Atomic uint32_t gate; /* what a send completes with; SUCCESS: open */
	_Atomic bool gone; /* the lower port is not to be touched any more */
	struct vnic__hold hold; /* nor while it is held: main thread, and the data thread's answer */
	struct vnic__pace pace; /* any thread */

	/* data thread */
	alignas(VNIC__LINE) struct vnic__pacer pacer;
	uint32_t pace_seen; /* the version that the pacer has */
	struct vnic__fit fit;
	struct vnic__segmenter segmenter;
	struct vnic_sender *segmenting; /* NULL: nobody's packet is under way */
	struct vnic__inflight inflight;
	uint32_t turn; /* the sender to begin with */
	bool kept_out; /* of the lower port, by a hold, in this poll */
	bool refused;  /* by the port, in this poll */
	bool idle;     /* after the last poll no sender had anything queued */
	struct vnic__fair fair;

	/* control thread; readers copy at any time */
	alignas(VNIC__LINE) _Atomic uint64_t cancels;
	_Atomic uint64_t cancels_unknown;
	_Atomic uint64_t too_late;
	struct vnic_histogram latency[VNIC_LATENCIES];

	/* control thread */
	alignas(VNIC__LINE) struct vnic__life life;
};

struct vnic_client {
	struct vnic_adapter *adapter;
	uint32_t nb_senders;
	_Atomic uint32_t slots; /* a bit for each of its senders; any thread reads */
	uint8_t prefix;
	_Atomic(struct vnic_receiver *) receiver; /* release: the receiver before it */
	struct vnic__gate cancels; /* of this client, under way; closed with the handle */
	struct vnic__lane lane; /* its cancels, on their way */
	struct vnic__limit limit;
	struct vnic_client *next_closed;
};

static inline uint32_t vnic__adapter_clients(const struct vnic_adapter *a)
{
	/* relaxed: a glance, or with the lock */
	return atomic_load_explicit(&a->nb_clients, memory_order_relaxed);
}

/* Any thread: the adapter's open client with this prefix, held; NULL if there is none. */
struct vnic_client *vnic__client_find(struct vnic_adapter *a, uint8_t prefix);

/* Any thread: keep the handle from being closed. False: it is. */
static inline bool vnic__client_hold(struct vnic_client *client)
{
	return vnic__gate_enter(&client->cancels);
}

static inline void vnic__client_drop(struct vnic_client *client)
{
	vnic__gate_leave(&client->cancels);
}

/* Setup: nobody can take hold of it any more: 0. -EBUSY: one of its cancels goes on, -EBADF: it is
 * closed; nothing is done. */
static inline int vnic__client_shut(struct vnic_client *client)
{
	return vnic__gate_close_empty(&client->cancels);
}

/* Setup: what is left of a client that was shut, when it has neither senders nor a receiver. */
void vnic__client_end(struct vnic_client *client);

/* Any thread: is this its name still? */
static inline bool vnic__adapter_named(const struct vnic_adapter *a, const char *name)
{
	/* relaxed: the name itself stays as it is */
	return !atomic_load_explicit(&a->nameless, memory_order_relaxed) && strcmp(a->name, name) == 0;
}

static inline bool vnic__adapter_cancels(const struct vnic_adapter *a)
{
	return !a->driver.no_cancel_send;
}

static inline uint32_t vnic__adapter_senders(const struct vnic_adapter *a)
{
	/* A9 <- R9; sequentially consistent for a closing gate, to which a new sender's number
	 * counts like its door */
	return atomic_load_explicit(&a->nb_senders, memory_order_seq_cst);
}

/* A creator's way out. */
static inline void *vnic__fail(int error)
{
	rte_errno = error;
	return NULL;
}

/* The lower edges as drivers. */
extern const struct vnic_driver vnic__ethdev_driver;
extern const struct vnic_driver vnic__layer_driver;
/* Control thread: has the port been pulled out? */
bool vnic__ethdev_gone(const struct vnic_adapter *a);

/* Setup: net_af_packet hands over, and does not say so, the first part of a frame that its ring's
 * frames do not hold; they hold one of so many bytes. 0: the port's driver does no such thing. */
uint32_t vnic__port_longest(uint16_t port);

/* Any thread: the most packets of an NBL. */
uint32_t vnic__adapter_nbl_packets(const struct vnic_adapter *a);

/* Setup, when no lcore polls: give a sender's memory back. */
void vnic__sender_free(struct vnic_sender *s);
/* Setup: give back the memory of closed handles. */
void vnic__clients_forget(struct vnic_control *control);

#endif
