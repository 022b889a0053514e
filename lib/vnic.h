/* SPDX-License-Identifier: BSD-3-Clause
 * vnic.h - a virtual NIC whose queued packets can be cancelled by id
 *
 * A sender queues NBLs (net buffer lists: 1..n packets under one 64-bit cancel id)
 * on an adapter; a data lcore paces them and hands them to the lower ethdev port; a
 * control lcore takes back, while the data lcore runs on, every queued NBL of an id.
 * Every NBL comes back to its sender exactly once, with its status.
 *
 * Threads. Each call below names its thread:
 *
 *   any       any thread, at any time
 *   setup     any thread, calls on one object serialised by the caller
 *   sender    the one thread that uses this sender (a lcore or not)
 *   receiver  the one thread that uses this receiver
 *   data      the one thread that polls this adapter
 *   control   the one thread that polls this control
 *
 * None of the calls marked sender, receiver, data or control sleeps or allocates, nor does a cancel.
 * None takes a lock, but for requests: those and their queues have spin locks that are held
 * for a few instructions, and a pause may wait for who destroys a receiver; never a data thread.
 * Calls return 0 or a negative errno value, or a VNIC_STATUS where the page has one; bursts
 * return a count, creators return NULL and set rte_errno.
 *
 * The pages of the Windows driver documentation that this is the userspace form of, and the
 * items [C..] of the contract that stand with the calls:
 *
 *   MiniportCancelSend, NdisCancelSendNetBufferLists   vnic_adapter_cancel, vnic_client_cancel,
 *                                     vnic_adapter_abort, vnic_client_abort, layers C16-C40
 *   IoSetCancelRoutine, IoCancelIrp, IO_CSQ   vnic_request_set_cancel_routine,
 *                                     vnic_request_cancel, vnic_request_queue_*     C55-C63
 *   RxSetMinirdrCancelRoutine         vnic_request_set_minirdr_cancel_routine       C64-C66
 *   RxStopMinirdr, RxStartMinirdr     vnic_adapter_stop, VNIC_CONTROL_START, _STOP  C67-C75
 *   MRxStop, MRxStart                 struct vnic_driver: stop, start               C67-C73
 *   MiniportSendNetBufferLists        vnic_send                                     C1-C8, C14
 *   NdisMSendNetBufferListsComplete   vnic_sender_poll, vnic_sender_dispatch        C7-C13
 *   NdisMIndicateReceiveNetBufferLists, MiniportReturnNetBufferLists
 *                                     vnic_receive, vnic_receive_return             C44
 *   MiniportPause, -Restart, -InitializeEx, -HaltEx, -ShutdownEx, -ResetEx, OID_PNP_SET_POWER
 *                                     vnic_adapter_request, struct vnic_driver      C41-C54
 *   NdisOpenAdapterEx, NdisCloseAdapterEx   vnic_client_open, vnic_client_close     C35, C40
 *   NdisGeneratePartialCancelId       vnic_generate_partial_cancel_id               C34
 */
#ifndef VNIC_H
#define VNIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct rte_mbuf;
struct vnic_control;
struct vnic_adapter;
struct vnic_client;
struct vnic_sender;
struct vnic_receiver;
struct vnic_ticket;
struct vnic_nbl_pool;
struct vnic_face;
struct vnic_capture;
struct vnic_driver;

/* ---- status of a completed NBL ---- */

#define VNIC_STATUS_SUCCESS UINT32_C(0x00000000)
#define VNIC_STATUS_PENDING UINT32_C(0x00000103)
#define VNIC_STATUS_SEND_ABORTED UINT32_C(0xC023000C)
#define VNIC_STATUS_PAUSED UINT32_C(0xC023002A)
#define VNIC_STATUS_RESET_IN_PROGRESS UINT32_C(0xC001000D)
#define VNIC_STATUS_RESOURCES UINT32_C(0xC000009A)
#define VNIC_STATUS_INVALID_LENGTH UINT32_C(0xC0010014)
#define VNIC_STATUS_FAILURE UINT32_C(0xC0000001)
#define VNIC_STATUS_LOW_POWER_STATE UINT32_C(0xC023002F)
#define VNIC_STATUS_MEDIA_DISCONNECTED UINT32_C(0xC023001F)
#define VNIC_STATUS_CLOSING UINT32_C(0xC0010002)
#define VNIC_STATUS_INVALID_STATE UINT32_C(0xC0000184)
#define VNIC_STATUS_INVALID_PARAMETER UINT32_C(0xC000000D)
#define VNIC_STATUS_NOT_SUPPORTED UINT32_C(0xC00000BB)
#define VNIC_STATUS_CANCELLED UINT32_C(0xC0000120)
#define VNIC_STATUS_REDIRECTOR_HAS_OPEN_HANDLES UINT32_C(0x80000023) /* a warning */
#define VNIC_STATUS_REDIRECTOR_NOT_STARTED UINT32_C(0xC00000FB)
#define VNIC_STATUS_REDIRECTOR_STARTED UINT32_C(0xC00000FC)
/* RxStopMinirdr's page names it, no public header gives it a number: this one, with the
 * customer bit set, is ours. */
#define VNIC_STATUS_REDIRECTOR_STOPPED UINT32_C(0xE00000FB)

/* any: the status' name without its prefix, "UNKNOWN" for a number not listed. */
const char *vnic_status_name(uint32_t status);

/* ---- NBL ---- */

/* One send: written by the sender before vnic_send, except where noted. From
 * vnic_send until it comes out of vnic_sender_poll the NBL and its packets belong to
 * the library; afterwards the library neither reads nor writes them [C4]. */
struct vnic_nbl {
	uint64_t cancel_id;   /* 0: not marked, cannot be cancelled by id */
	uint64_t cookie;      /* the sender's own, never touched [C5] */
	uint32_t status;      /* written by the library: VNIC_STATUS_* */
	uint16_t nb_packets;  /* 1..max_packets */
	uint16_t nb_sent;     /* written by the library: the first nb_sent packets are the
	                         port's; the others are the sender's, as they were */
	uint16_t max_packets; /* constant: room in the packet array */
	uint16_t reserved16;
	uint32_t reserved32;
	uint64_t reserved64;
	/* the packet array, struct rte_mbuf *[max_packets], follows: vnic_nbl_packets() */
};

/* sender: the NBL's packets, each an mbuf chain, in the order of sending [C14]. */
static inline struct rte_mbuf **vnic_nbl_packets(struct vnic_nbl *nbl)
{
	return (struct rte_mbuf **)(void *)(nbl + 1);
}

/* setup: nb_nbls NBLs (1..8,388,608) of up to max_packets packets each (1..1024) in
 * hugepage memory of numa_node (-1: any), at most 1 GiB in all. The name is unique in the
 * process, at most 20 characters. Up to 3 packets an NBL takes one cache line, and its
 * pool another.
 * Errors: EINVAL a number out of range; EEXIST the name; ENOMEM. */
struct vnic_nbl_pool *vnic_nbl_pool_create(const char *name, uint32_t nb_nbls,
					   uint16_t max_packets, int numa_node);

/* setup: -EBUSY while NBLs are out, then nothing is done. NULL is ignored. */
int vnic_nbl_pool_destroy(struct vnic_nbl_pool *pool);

/* any: take n NBLs, all or none: 0 or -ENOENT. nb_packets and cancel_id are 0. A
 * thread that is an EAL lcore or registered with rte_thread_register has a cache. */
int vnic_nbl_alloc(struct vnic_nbl_pool *pool, struct vnic_nbl **nbls, uint32_t n);

/* any: give n NBLs back. Their packets are not touched. */
void vnic_nbl_free(struct vnic_nbl_pool *pool, struct vnic_nbl *const *nbls, uint32_t n);

/* any: how many NBLs are out now. */
uint32_t vnic_nbl_pool_in_use(const struct vnic_nbl_pool *pool);

/* ---- histogram of times ---- */

#define VNIC_HISTOGRAM_BUCKETS 1344

/* Values from 0 to 2^46 in buckets at most 1/32 of their value wide; a larger value
 * counts in the last one. Plain data: copy it, subtract it, store it. */
struct vnic_histogram {
	uint64_t count;
	uint64_t sum;
	uint64_t max;
	uint64_t bucket[VNIC_HISTOGRAM_BUCKETS];
};

/* any, on the caller's own histogram. */
void vnic_histogram_add(struct vnic_histogram *h, uint64_t value);
/* The value below or at which `percent` % of the counts lie (the bucket's upper end,
 * never above max); 0 when empty. */
uint64_t vnic_histogram_percentile(const struct vnic_histogram *h, double percent);
/* The smallest and the largest value that count in a bucket. */
uint64_t vnic_histogram_bucket_low(uint32_t bucket);
uint64_t vnic_histogram_bucket_high(uint32_t bucket);

/* ---- control: the lcore that applies cancels ---- */

/* setup: its memory is on numa_node (-1: any). Errors: ENOMEM. */
struct vnic_control *vnic_control_create(int numa_node);
/* setup: -EBUSY while an adapter is attached. NULL is ignored. */
int vnic_control_destroy(struct vnic_control *control);
/* control: apply what has been asked; returns the work done, 0 when there was none. */
uint32_t vnic_control_poll(struct vnic_control *control);
/* any: NdisGeneratePartialCancelId. An 8-bit prefix for cancel ids, 1..255 and then 0,
 * distinct over 256 calls [C34]. */
uint8_t vnic_generate_partial_cancel_id(struct vnic_control *control);

#define VNIC_CANCEL_ID_PREFIX_SHIFT 56

struct vnic_count {
	uint64_t nbls;
	uint64_t packets;
};

/* What became of a cancel of sends. */
struct vnic_verdict {
	uint64_t cancel_id;
	struct vnic_count aborted;
	uint64_t too_late; /* NBLs of the id that were queued or staged at the call and had been
			      handed to the port when the cancel reached them; at least so
			      many, if their places in the queue have been used again since,
			      or they were below a layer at the call */
	bool unknown;      /* neither: no NBL of the id was queued */
	uint64_t latency_ns; /* from the call to the last completion, or to the verdict when
				nothing was aborted */
};

/* ---- requests: control operations that can pend and be cancelled ----
 *
 * A request is the IRP and the RX_CONTEXT of one control operation. It is PENDING from the
 * call that issues it until it is completed, once, with a status. Whoever waits may give
 * up: vnic_request_cancel() sets the cancel bit and calls the routine that the operation's
 * owner has set, if it has. Both forms of setting one are here: the atomic exchange of
 * IoSetCancelRoutine, and the locked one of RxSetMinirdrCancelRoutine. */

struct vnic_request;

/* What kind of operation a request carries: the numbers of IRP_MJ_*. */
enum vnic_major {
	VNIC_MAJOR_CREATE = 0x00,
	VNIC_MAJOR_CLOSE = 0x02,
	VNIC_MAJOR_WRITE = 0x04, /* a send: vnic_request_send() */
	VNIC_MAJOR_FILE_SYSTEM_CONTROL = 0x0d, /* start, stop */
	VNIC_MAJOR_DEVICE_CONTROL = 0x0e,      /* the other operations of an adapter */
	VNIC_MAJOR_CLEANUP = 0x12,
};

/* A Cancel routine. Called by the thread that cancels, with the cancel lock held, which it
 * releases (vnic_cancel_unlock) before it returns [IoSetCancelRoutine; C58]. */
typedef void vnic_cancel_routine(struct vnic_adapter *adapter, struct vnic_request *request);
/* A mini-redirector's cancel routine: called without a lock on a request that stays in
 * memory until it returns [RxSetMinirdrCancelRoutine; C66]. */
typedef void vnic_minirdr_cancel_routine(struct vnic_request *request);
/* Called once, by the thread that completes, without a lock; the request is complete and may
 * be released here, and reused unless a cancel is under way (then it is that cancel's). */
typedef void vnic_request_done(struct vnic_request *request, void *context);

/* any: the caller has a reference. Errors: ENOMEM. */
struct vnic_request *vnic_request_create(struct vnic_control *control);
/* any: drop the caller's reference, at any time; while the request is pending the library
 * has one of its own, and a cancel has one while its routine runs. NULL is ignored. */
void vnic_request_release(struct vnic_request *request);
/* any, one at a time: make a fresh request of a completed one (IoReuseIrp,
 * RxPrepareContextForReuse). -EBUSY while it is pending, a cancel of it or the call that issued
 * it is under way, or who completed it has not let go of it: for a moment after its status. */
int vnic_request_reuse(struct vnic_request *request);
/* any, before the request is issued: whom to call at its completion. */
void vnic_request_on_done(struct vnic_request *request, vnic_request_done *done, void *context);

/* any: VNIC_STATUS_PENDING until it is complete, then its status; on a fresh request
 * VNIC_STATUS_SUCCESS. */
uint32_t vnic_request_status(const struct vnic_request *request);
/* any, on a completed request: the NBLs' account of a VNIC_CONTROL_CANCEL or _ABORT. */
void vnic_request_verdict(const struct vnic_request *request, struct vnic_verdict *verdict);

/* any, and meant for a driver's callbacks: what the request carries. */
enum vnic_major vnic_request_major(const struct vnic_request *request);
uint32_t vnic_request_control_code(const struct vnic_request *request);
struct vnic_adapter *vnic_request_adapter(const struct vnic_request *request);
/* The user who asked (FsdUid): set by the issuer for a peer, else the caller's own. */
uint64_t vnic_request_caller(const struct vnic_request *request);
void vnic_request_set_caller(struct vnic_request *request, uint64_t user);

/* any: IoCancelIrp. Sets the cancel bit; calls the routine, if one is set, in this thread
 * and only once. True if it called one [C59]. What the operation did so far stays done;
 * the request completes CANCELLED, once [C61], unless its completion was first. */
bool vnic_request_cancel(struct vnic_request *request);
/* any: the cancel bit. */
bool vnic_request_cancelled(const struct vnic_request *request);

/* any, for the owner of a pending request: IoSetCancelRoutine. One atomic exchange [C57].
 * Returns the routine set before, NULL if there was none or cancellation has begun [C55,
 * C56]: then the cancel routine has the request, and nobody else may complete it. Set,
 * then check vnic_request_cancelled(): who gets his routine back by setting NULL owns the
 * request [C60]. A queue of one's own needs no cancel lock. */
vnic_cancel_routine *vnic_request_set_cancel_routine(struct vnic_request *request,
						     vnic_cancel_routine *routine);
/* any: IoAcquireCancelSpinLock, IoReleaseCancelSpinLock; one lock for a control. Held for a
 * few instructions: no call of this library but set_cancel_routine is made under it. */
void vnic_cancel_lock(struct vnic_control *control);
void vnic_cancel_unlock(struct vnic_control *control);

/* any, for a driver that holds a request: RxSetMinirdrCancelRoutine. Under the request's
 * spin lock: SUCCESS, and the routine is set (NULL: none) [C64], or CANCELLED if the
 * request is flagged cancelled, and the routine will not be called [C65]. */
uint32_t vnic_request_set_minirdr_cancel_routine(struct vnic_request *request,
						 vnic_minirdr_cancel_routine *routine);

/* any, for the owner of a request (a driver, or a program with operations of its own): a fresh
 * one is pending from here on (IoMarkIrpPending); -EBUSY if it is not fresh. */
int vnic_request_mark_pending(struct vnic_request *request);
/* any, its owner: IoCompleteRequest. Takes the minirdr routine out. -EALREADY if it is not
 * pending, -EBUSY if a Cancel routine is still set, -EINVAL the status is PENDING: then
 * nothing is done. */
int vnic_request_complete(struct vnic_request *request, uint32_t status);

/* A cancel-safe queue (IO_CSQ): what is cancelled leaves it by itself and completes
 * CANCELLED [C63]. */
struct vnic_request_queue;

/* setup: Errors: ENOMEM. */
struct vnic_request_queue *vnic_request_queue_create(void);
/* setup: -EBUSY while a request is queued. NULL is ignored. */
int vnic_request_queue_destroy(struct vnic_request_queue *queue);
/* any: a pending request goes to the end of the queue: 0. -ECANCELED: it was cancelled
 * before, is not in the queue, and has been completed CANCELLED, once. -EINVAL: it is not
 * pending, or has a Cancel routine; nothing is done. */
int vnic_request_queue_insert(struct vnic_request_queue *queue, struct vnic_request *request);
/* any: the first request that match(request, context) is true for (NULL: the first), out of
 * the queue and not cancellable any more, or NULL. Never one that was cancelled: if it meets
 * one whose cancel is about to take it, it completes that CANCELLED itself. match runs under
 * the queue's lock: it asks about the request, no more. */
struct vnic_request *vnic_request_queue_remove_next(
	struct vnic_request_queue *queue,
	bool (*match)(const struct vnic_request *request, void *context), void *context);
/* any: this one: true, or false if it is not there (any more). */
bool vnic_request_queue_remove(struct vnic_request_queue *queue, struct vnic_request *request);

/* ---- adapter: one virtual NIC on a lower port ---- */

#define VNIC_SENDERS_MAX 16
#define VNIC_BURST_MAX 64

/* 0 means unlimited. All may be set together: a packet leaves when each allows it. */
struct vnic_pacing {
	uint64_t packets_per_s;
	uint64_t bits_per_s;    /* of frames, without preamble, gap and checksum */
	uint32_t burst_packets; /* how many packets (of 1514 bytes) an idle time may save up;
				   0: a hundredth of a second's, at least 32. A data lcore
				   that did not get to run catches up a tenth of a second */
};

struct vnic_adapter_conf {
	const char *name;     /* 1..31 characters, unique within the control among names not given up */
	uint16_t port;        /* a started ethdev port; its tx queue is this adapter's own */
	uint16_t tx_queue;
	uint16_t burst;       /* packets handed down at once, 1..VNIC_BURST_MAX; 0: 32 */
	uint32_t max_frame;   /* bytes without checksum; 0: the port's MTU + 14, of a frame with an
				 802.1Q tag + 18 */
	uint32_t in_flight;   /* packets below that are not yet sent; 0: as many as the port
	                         holds. See vnic_adapter_in_flight() */
	struct vnic_pacing pacing;
	int numa_node;        /* -1: the port's own */

	/* An intermediate adapter (a layer) has no port: what it sends goes down to 1..8 lower
	 * adapters of the same control, to each a clone with its parent's id [C36]. The parent
	 * completes after its last clone [C39]. Its data thread is the sender of its bindings. */
	struct vnic_adapter *const *lower;
	uint32_t nb_lower;    /* 0: the adapter has a port */
	uint32_t lower_depth; /* of its queue on each lower adapter; 0: 256 */
	uint16_t lower_packets; /* the most packets of an NBL that goes down, 1..1024; 0: 32.
				   One of more is refused, INVALID_PARAMETER */

	/* Receive: packets of the port's rx queue, which is then this adapter's own, go to its
	 * receivers, by address and VLAN. `local`: what one of its senders sends to the address of
	 * a receiver goes there and not to the port (broadcast and multicast: to both, not back to
	 * the sender's own client); it is queued and cancelled like everything sent. `learn`:
	 * source addresses of what a client sends are its receiver's too, the newest 64 of its
	 * VLAN, as long as no receiver has them by its configuration; who sends last has it. Of an
	 * adapter with a port only. */
	bool receive;
	bool local;
	bool learn;
	uint16_t rx_queue;

	/* with sends pending, nothing sent for so long: it resets itself; 0: 20,000,
	 * UINT32_MAX: never [C76] */
	uint32_t hang_ms;

	/* copied. What it leaves NULL is the lower edge's own: of a port, that it is there at
	 * initialize, its link, and its done packets given back at halt; of a layer, the link of
	 * its lower adapters (any). NULL: the edge's alone */
	const struct vnic_driver *driver;
	void *driver_context;
};

/* setup: Errors: EINVAL a value out of range; ENODEV no such port or queue; ENOTSUP receive on
 * a layer; EEXIST the name; ENOSPC the control has 64 adapters; ENOMEM. */
struct vnic_adapter *vnic_adapter_create(struct vnic_control *control,
					 const struct vnic_adapter_conf *conf);
/* setup, when neither data nor control thread polls any more: -EBUSY while a client is
 * open, a ticket or a request pending, or while a port below a one-to-many layer has packets
 * that it has sent and not yet given back: stopping the port makes it. Then nothing is done: all is
 * as it was, the name too. A running adapter is paused, halted and stopped here. Copies that its own
 * port has still (a port that others share) are freed by vnic_ports_close(). NULL is ignored. */
int vnic_adapter_destroy(struct vnic_adapter *adapter);
/* setup: its name is free from now on, for one that is made in its place while it cannot be destroyed
 * yet, and vnic_control_find() does not find it any more; for good. All else stays as it was. */
void vnic_adapter_give_up_name(struct vnic_adapter *adapter);

/* data: one step - receive, help a cancel, pace, claim, hand down, complete. Returns the number of
 * packets and completions moved, 0 when there was nothing to do. Never waits. */
uint32_t vnic_adapter_poll(struct vnic_adapter *adapter);

/* any: another pace than its configuration's, in the same units. The data thread picks it up at a
 * poll soon after, without a lock or a wait; several callers wait for each other, for a few
 * instructions. What an idle time has saved up stays as many packets and bits, but no more than the
 * new burst: over any time no more leaves than the paces that stood in it allow, and one burst.
 * What a slow pace had put off is put off at the new one. */
void vnic_adapter_set_pacing(struct vnic_adapter *adapter, const struct vnic_pacing *pacing);
/* any: a copy of what was set last; the data thread may be about to pick it up. */
void vnic_adapter_pacing(const struct vnic_adapter *adapter, struct vnic_pacing *copy);

/* any: keep the data thread out of the lower port, as vnic_face_hold() does. What is queued stays
 * queued, and can be cancelled; that nothing leaves is no hang then. */
void vnic_adapter_hold(struct vnic_adapter *adapter);
bool vnic_adapter_held(const struct vnic_adapter *adapter);
void vnic_adapter_release(struct vnic_adapter *adapter);

enum vnic_in_flight {
	VNIC_IN_FLIGHT_NONE,    /* no limit was asked for */
	VNIC_IN_FLIGHT_KEPT,    /* by the port's descriptor status, or its tx queue is no larger */
	VNIC_IN_FLIGHT_UNKNOWN, /* not kept: the port tells neither */
};

/* any: the longest frame that it takes, be it with a tag, in bytes without checksum. */
uint32_t vnic_adapter_max_frame(const struct vnic_adapter *adapter);
/* any: is the medium connected, by the last look at it? */
bool vnic_adapter_link(const struct vnic_adapter *adapter);

/* any: what becomes of the in-flight limit. */
enum vnic_in_flight vnic_adapter_in_flight(const struct vnic_adapter *adapter);

/* setup: does the adapter's memory lie on the node of `cpu`? Writes one line with the
 * cause and the cure for each mismatch; returns how many. */
int vnic_adapter_check_numa(const struct vnic_adapter *adapter, int cpu, char *text, size_t len);

/* setup: what this thread allocates from the system from now on lies on `node` if there is
 * room (-1: where the thread runs). -ENODEV no such node. */
int vnic_numa_prefer(int node);

/* All but `queued` only grow. For NBLs and for packets alike
 * accepted = sent + aborted + rejected + queued. Packets of an NBL that failed or is
 * half sent count where each packet is. `queued` is kept by the sides of each queue (put in,
 * passed, staged, taken out), not as the rest of the others. */
struct vnic_adapter_stats {
	struct vnic_count accepted; /* taken by vnic_send */
	struct vnic_count sent;     /* accepted by the lower port */
	struct vnic_count aborted;  /* completed SEND_ABORTED */
	struct vnic_count rejected; /* completed with another status; the sum of the next */
	struct vnic_count invalid_length;
	struct vnic_count invalid_parameter;
	struct vnic_count resources;
	struct vnic_count paused;
	struct vnic_count reset;
	struct vnic_count low_power;
	struct vnic_count media_disconnected;
	struct vnic_count closing;
	struct vnic_count failure;
	struct vnic_count queued; /* in the rings, waiting to be handed down, or with the lower
				     adapters of a layer */

	uint64_t not_taken;    /* NBLs that vnic_send left to the caller: queue full, or its
				  client's limit reached */
	uint64_t port_refused; /* bursts of which the lower port did not take all */
	uint64_t padded;       /* packets padded to 60 bytes [C6] */
	uint64_t copied;       /* packets copied because the port could not take them as is */
	uint64_t offloaded;    /* packets tagged or summed here because the port does not */
	uint64_t segmented;    /* packets that left as several frames, because it does not */
	uint64_t segments;     /* those frames */
	uint64_t cancels;      /* cancels applied */
	uint64_t cancels_unknown; /* of them, those that met no NBL of their id */
	uint64_t too_late;     /* NBLs that a cancel met after they had been handed down */
	uint64_t hung;         /* times that it reset itself: see hang_ms */
};

/* any but the data and the sender threads in steady state (it may try again while a
 * counter moves): an exact cut - for each sender, a moment at which all of it was true. */
void vnic_adapter_stats_get(const struct vnic_adapter *adapter, struct vnic_adapter_stats *stats);

/* Times in ns from the call of a cancel ... */
enum vnic_latency {
	VNIC_LATENCY_COMPLETION, /* ... to its last completion visible to the sender; cancels
				    that aborted something */
	VNIC_LATENCY_VERDICT,    /* ... to its verdict; all cancels */
	VNIC_LATENCY_WALK,       /* the walk of one ring alone */
	VNIC_LATENCIES
};
/* any: a copy, at most a few counts behind. */
void vnic_adapter_latency(const struct vnic_adapter *adapter, enum vnic_latency which,
			  struct vnic_histogram *copy);

/* control: the cancel id of a random queued NBL, 0 if none was found. */
uint64_t vnic_adapter_sample_id(const struct vnic_adapter *adapter, uint64_t random);

/* ---- adapter states ----
 *
 * The control lcore moves an adapter through the states of a miniport adapter:
 *
 *   Halted -> Initializing -> Paused -> Restarting -> Running -> Pausing -> Paused ...
 *
 * What a send gets depends on one word, the gate: while it is open an NBL is queued, else
 * it completes at once with the gate's status. Closing the gate takes back what is queued,
 * with the same status. */

enum vnic_state {
	VNIC_STATE_HALTED,
	VNIC_STATE_SHUTDOWN,
	VNIC_STATE_INITIALIZING,
	VNIC_STATE_PAUSED,
	VNIC_STATE_RESTARTING,
	VNIC_STATE_RUNNING,
	VNIC_STATE_PAUSING,
	VNIC_STATES
};

/* any */
enum vnic_state vnic_adapter_state(const struct vnic_adapter *adapter);
const char *vnic_state_name(enum vnic_state state);
/* any: what a send completes with now; VNIC_STATUS_SUCCESS: it is queued. */
uint32_t vnic_adapter_gate(const struct vnic_adapter *adapter);

/* Operations of an adapter. INVALID_STATE: the state table has no such transition, nothing
 * was done [C41]. */
enum vnic_control_code {
	/* lifecycle */
	VNIC_CONTROL_START = 1, /* RxStartMinirdr: register, publish, the driver's start; then,
				   if argument is not 0, initialize and restart [C74] */
	VNIC_CONTROL_STOP,      /* see vnic_adapter_stop() */
	/* states */
	VNIC_CONTROL_INITIALIZE, /* to Paused, or Halted if the driver fails [C42] */
	VNIC_CONTROL_RESTART,    /* to Running, or Paused if the driver fails [C49] */
	VNIC_CONTROL_PAUSE,      /* to Paused: no send outstanding then, every packet that was
				    indicated returned; cannot fail [C43-C45] */
	VNIC_CONTROL_HALT,       /* from Paused; nothing is called afterwards [C47] */
	VNIC_CONTROL_SHUTDOWN,   /* the same from more states, for good [C48] */
	VNIC_CONTROL_RESET,      /* complete what is outstanding, RESET_IN_PROGRESS; the state
				    stays [C50, C51] */
	VNIC_CONTROL_POWER,      /* argument 0: low power, sends complete LOW_POWER_STATE;
				    1: full power [C52] */
	VNIC_CONTROL_REMOVE,     /* the lower port has gone: everything back, MEDIA_DISCONNECTED,
				    then halt [C53] */
	/* waits: no effect of their own */
	VNIC_CONTROL_DRAIN,      /* until what was sent before the call is complete */
	VNIC_CONTROL_WAIT_LINK,  /* until the link is up (argument 1) or down (0) */
	VNIC_CONTROL_CANCEL,     /* cancel the id `argument` and wait for the verdict */
	VNIC_CONTROL_ABORT,      /* the same for all that the client with the prefix `argument` has
				    queued, or, 0, all clients; INVALID_PARAMETER there is none */
	VNIC_CONTROL_CODES
};

/* any: issue an operation. PENDING: the control lcore will complete it. Another status: it
 * is complete with it - REDIRECTOR_NOT_STARTED before start and after stop [C68, C74],
 * INVALID_PARAMETER a code or argument that does not exist (id 0 [C26]), INVALID_STATE. On the
 * control lcore itself an operation that need not wait is done when the call returns.
 * -> the request is the library's until it is complete. A cancelled wait ends; a cancelled
 * pause, restart, reset, ... ends for its requester, the adapter goes on to its new state.
 * Only a stop that has not yet called the driver is taken back: see there. */
uint32_t vnic_adapter_request(struct vnic_adapter *adapter, enum vnic_control_code code,
			      uint64_t argument, struct vnic_request *request);
const char *vnic_control_name(enum vnic_control_code code);

/* setup, while nobody polls the control: start, initialize, restart, all done when the call
 * returns with SUCCESS, or with the status of the step that failed. */
uint32_t vnic_adapter_up(struct vnic_adapter *adapter);

/* ---- start and stop (RxStopMinirdr, MRxStop) ---- */

/* The numbers of RDBSS_STATE. */
enum vnic_rdbss_state {
	VNIC_RDBSS_STARTABLE,
	VNIC_RDBSS_STARTED,
	VNIC_RDBSS_STOP_IN_PROGRESS,
};

struct vnic_start_stop_context {
	enum vnic_rdbss_state state;
	uint32_t version;                  /* starts so far [C74] */
	struct vnic_request *stop_context; /* of the stop in progress, else NULL [C67] */
	bool dispatching;                  /* operations are admitted and served */
	bool registered;
	bool published;                    /* vnic_control_find() finds the name */
	uint32_t open_handles;             /* clients, a layer's bindings among them */
	uint32_t operations;               /* requests under way */
};

/* any */
const char *vnic_rdbss_name(enum vnic_rdbss_state state);
/* any: a copy; consistent on the control lcore and in a driver's callbacks. */
void vnic_adapter_start_stop(const struct vnic_adapter *adapter,
			     struct vnic_start_stop_context *copy);

/* any: RxStopMinirdr. Operations are refused from now on, but for closing handles [C68].
 * What can be cancelled is: pending requests, queued NBLs (SEND_ABORTED). When the rest has
 * run to completion [C69] the adapter is paused and halted, its published name withdrawn,
 * the adapter deregistered [C73] and the driver's stop called.
 *
 *   PENDING        post is true: not the control lcore's context, or a lock was not to be
 *                  had, or a start has not ended; the caller's identity is saved, the rest
 *                  happens on the control lcore [C71]. post is false: held back until
 *                  operations have ended
 *   SUCCESS, REDIRECTOR_HAS_OPEN_HANDLES   stopped, STARTABLE; the latter: clients are
 *                  open and may still close [C70]
 *   REDIRECTOR_STOPPED   it was stopped already [C72]
 *   INVALID_STATE  another stop is under way [C75]
 *   CANCELLED      cancelled before the driver's stop: started as before
 *   others         the driver's: STOP_IN_PROGRESS, stop may be tried again */
uint32_t vnic_adapter_stop(struct vnic_adapter *adapter, struct vnic_request *request, bool *post);

/* any: the started adapter that has published this name, NULL if none has (MUP). */
struct vnic_adapter *vnic_control_find(const struct vnic_control *control, const char *name);

/* What a driver does in its adapter's life. All are called on the control lcore (by
 * vnic_adapter_up and _destroy: by the caller; vnic_adapter_destroy has no request), may be
 * NULL, and return a status; PENDING: it
 * is called again at the control's next poll. A callback may issue operations, and none of
 * them is run before it returns. */
struct vnic_driver {
	const char *name;
	bool publishes_name; /* supports UNC names: the adapter's is published [C73] */
	bool no_cancel_send; /* exports no MiniportCancelSend: a cancel does nothing [C21] */
	/* MRxStart, MRxStop: the request that asks [C67] */
	uint32_t (*start)(struct vnic_adapter *adapter, struct vnic_request *request, void *context);
	uint32_t (*stop)(struct vnic_adapter *adapter, struct vnic_request *request, void *context);
	/* MiniportInitializeEx, MiniportRestart, MiniportPause (cannot fail), MiniportResetEx */
	uint32_t (*initialize)(struct vnic_adapter *adapter, void *context);
	uint32_t (*restart)(struct vnic_adapter *adapter, void *context);
	uint32_t (*pause)(struct vnic_adapter *adapter, void *context);
	uint32_t (*reset)(struct vnic_adapter *adapter, void *context);
	/* MiniportHaltEx, MiniportShutdownEx */
	void (*halt)(struct vnic_adapter *adapter, void *context);
	void (*shutdown)(struct vnic_adapter *adapter, void *context);
	/* is the medium connected? Asked every 10 ms */
	bool (*link)(struct vnic_adapter *adapter, void *context);
};

/* ---- client: an open handle on an adapter ---- */

/* setup: NdisOpenAdapterEx. The client gets a prefix, 1..255, that no other open client of the
 * control has [C35]. Errors: ENOMEM; ENOSPC 255 are open; ESHUTDOWN a stop is in progress
 * [C68]. */
struct vnic_client *vnic_client_open(struct vnic_adapter *adapter);
/* setup: NdisCloseAdapterEx. -EBUSY while it has senders or a receiver, or one of its cancels goes on [C40].
 * -EBADF: closed already (a handle is remembered until 64 others have been closed). NULL is
 * ignored. */
int vnic_client_close(struct vnic_client *client);
/* any */
uint8_t vnic_client_prefix(const struct vnic_client *client);

/* What one client may take from the others; 0: no limit, as at first. */
struct vnic_client_limits {
	uint32_t nbls; /* that it may have outstanding, over all its senders: vnic_send does not
			  take more, vnic_sender_room says so, a face leaves them in its port */
	uint32_t cancels_per_s; /* vnic_client_cancel refuses more; an idle time saves up those
				   of a tenth of a second, at least one */
};

struct vnic_client_stats {
	uint64_t limited;         /* sends, and polls of a face, that `nbls` has cut short */
	uint64_t cancels;         /* vnic_client_cancel: taken */
	uint64_t cancels_limited; /* ... and refused by `cancels_per_s` */
};

/* any: each counts from the next send, poll or cancel on; what is queued beyond it stays. */
void vnic_client_set_limits(struct vnic_client *client, const struct vnic_client_limits *limits);
void vnic_client_limits_get(const struct vnic_client *client, struct vnic_client_limits *limits);
/* any: only grow. */
void vnic_client_stats_get(const struct vnic_client *client, struct vnic_client_stats *stats);

/* ---- sender: one queue of an adapter and its completions ---- */

/* setup: depth is a power of two, 64..1,048,576. NBLs sent here come from `pool`.
 * Errors: EINVAL depth; ENOSPC the adapter has VNIC_SENDERS_MAX that are open, or closed with a
 * smaller queue than this one, which each place keeps; ENOMEM. */
struct vnic_sender *vnic_sender_create(struct vnic_client *client, struct vnic_nbl_pool *pool,
				       uint32_t depth);
#define VNIC_WEIGHT_MAX 1024

/* any: the sender's share, 1..VNIC_WEIGHT_MAX, when pace or port do not take all that the
 * adapter's senders have queued; at first 1. Of those that have packets queued each then gets
 * its weight's part of what leaves - of the bytes, where the pace is one of bits, else of the
 * packets - whatever the sizes of its packets, NBLs and bursts. What it does not use is the
 * others'; an idle time is not saved up. It counts from a poll of the data thread soon after.
 * -EINVAL: out of range, nothing is done. */
int vnic_sender_set_weight(struct vnic_sender *sender, uint32_t weight);
/* any */
uint32_t vnic_sender_weight(const struct vnic_sender *sender);

/* setup: -EBUSY while NBLs are outstanding, -EBADF destroyed already. The queue's memory is
 * kept for the next sender and freed with the adapter. NULL is ignored. */
int vnic_sender_destroy(struct vnic_sender *sender);

/* sender: send up to n NBLs (MiniportSendNetBufferLists). Returns how many were taken,
 * from the front; the rest is still the caller's [C2]. Each NBL taken comes out of
 * vnic_sender_poll once, whatever happens to it [C1]: a refusal is a completion -
 * INVALID_PARAMETER no packets or more than max_packets, INVALID_LENGTH a packet of 0
 * bytes or above the adapter's max_frame [C8], and of what a packet's flags ask as below. While
 * the adapter's gate is closed all n are taken and complete with its status: PAUSED [C42, C43],
 * RESET_IN_PROGRESS, LOW_POWER_STATE [C52], MEDIA_DISCONNECTED, or CLOSING when it is halted,
 * shut down or stopped.
 *
 * Offloads: a packet may ask for a VLAN tag, IPv4, TCP and UDP checksums and TCP segmentation
 * (RTE_MBUF_F_TX_*, l2_len, l3_len, l4_len, tso_segsz). What the port was not set up for is
 * done here; TCP over IPv6 cannot be segmented, nor a checksum be made of a fragment or behind
 * IPv6 extension headers. That, and tunnels, flags unknown, lengths that disagree with
 * the headers: INVALID_PARAMETER. A tagged frame or a segment above max_frame, more than 256
 * segments: INVALID_LENGTH. Of a packet segmented here frames may have left when it comes back
 * by a reset, a stop or the port's end; a cancel leaves it alone from its first frame on. */
uint16_t vnic_send(struct vnic_sender *sender, struct vnic_nbl *const *nbls, uint16_t n);
/* sender: how many NBLs, up to n, vnic_send would take now. */
uint16_t vnic_sender_room(struct vnic_sender *sender, uint16_t n);

/* sender: NdisMSendNetBufferListsComplete. Up to n completed NBLs, in any order between the
 * aborted and the sent, each with its status:
 *   SUCCESS       every packet was accepted by the lower port and is the port's [C9]
 *   SEND_ABORTED  cancelled; no packet left [C16, C23]; all are the sender's
 *   others        packets from nb_sent on are the sender's */
uint16_t vnic_sender_poll(struct vnic_sender *sender, struct vnic_nbl **nbls, uint16_t n);
/* sender: NBLs taken by vnic_send and not yet out of vnic_sender_poll. */
uint32_t vnic_sender_outstanding(const struct vnic_sender *sender);

/* Called with completed NBLs, which are the caller's again. It may send, cancel and issue
 * requests; a poll or dispatch of the same sender within it finds nothing [C11]. */
typedef void vnic_send_complete(struct vnic_sender *sender, struct vnic_nbl **nbls, uint16_t n,
				void *context);
/* sender: poll up to n NBLs and hand them to `complete`, no lock held, in calls of at most
 * VNIC_BURST_MAX (ProtocolSendNetBufferListsComplete). Returns how many. */
uint16_t vnic_sender_dispatch(struct vnic_sender *sender, uint16_t n, vnic_send_complete *complete,
			      void *context);

/* sender: send an NBL on behalf of a request (major WRITE), so that a cancel of the request is
 * a cancel of the NBL's id: give each such NBL an id of its own. The NBL's cookie is used.
 * PENDING: vnic_request_sent() completes the request; the cancel routine does not [C62].
 * RESOURCES: the queue is full and INVALID_PARAMETER: id 0; nothing was sent, the request is
 * complete with it. */
uint32_t vnic_request_send(struct vnic_sender *sender, struct vnic_nbl *nbl,
			   struct vnic_request *request);
/* sender, with such an NBL when it is complete: completes the request with the NBL's status,
 * CANCELLED for SEND_ABORTED. */
void vnic_request_sent(struct vnic_nbl *nbl);

/* ---- receiver: a client's edge for what the adapter receives ----
 *
 * The data thread puts each packet into the queue of the receiver that has its destination
 * address on its VLAN. Broadcast and multicast go to every receiver of the VLAN: the last gets
 * the packet, the others copies out of a pool of their own. Unknown addresses go to the
 * promiscuous receivers of the VLAN, which see no known one's packets by that. An adapter's only
 * receiver gets all of its VLAN if it has no address.
 *
 * A slow client loses its own packets only: what finds `depth` of them queued or held is
 * dropped, and counted there. While the adapter's gate is closed nothing is indicated: what
 * arrives is dropped, and when it closes what is queued. */

#define VNIC_RECEIVERS_MAX 16
#define VNIC_RECEIVER_MACS_MAX 8

struct vnic_receiver_conf {
	uint32_t depth;   /* packets queued and held at most, 1..65536; 0: 512. So many buffers of
			     the lower port's and, with `local`, of each sender's pool it can keep */
	int32_t vlan;     /* 0..4094, 0: untagged; -1: any. An address on a VLAN goes before the
			     same one on any */
	bool promiscuous;
	uint16_t nb_macs;
	uint8_t mac[VNIC_RECEIVER_MACS_MAX][6];
};

/* Packets; all but queued and held only grow.
 * offered = dropped + no_memory + flushed + queued + indicated, indicated = returned + held. */
struct vnic_receiver_stats {
	uint64_t offered;   /* meant for it */
	uint64_t dropped;   /* its queue was full */
	uint64_t no_memory; /* no buffer for a copy */
	uint64_t flushed;   /* taken out of its queue by a pause, a reset, ..., or its end */
	uint64_t queued;
	uint64_t indicated;
	uint64_t returned;
	uint64_t held;
};

/* Packets; all only grow.
 * received + local + copies = offered + unknown + malformed + paused. */
struct vnic_adapter_receive_stats {
	uint64_t received;   /* from the lower port */
	uint64_t local;      /* from its own senders, in place of the port */
	uint64_t copies;     /* places that one packet went to beyond its first */
	uint64_t offered;    /* to receivers: see there */
	uint64_t closed;     /* of those offered: to receivers that are destroyed since */
	uint64_t unknown;    /* for nobody here */
	uint64_t malformed;  /* shorter than an Ethernet header, or cut off by the driver */
	uint64_t paused;     /* arrived while the gate was closed */
	uint64_t learn_full; /* learned addresses that gave way to a newer one, no part of the sum */
};

/* setup: one for a client. The packets' buffers are the lower port's, of `local` packets their
 * sender's.
 * Errors: EINVAL a number out of range, or an address that is not one station's; ENOTSUP the
 * adapter does not receive; EEXIST a receiver has one of the addresses on that VLAN; EBUSY the
 * client has a receiver; ENOSPC the adapter has VNIC_RECEIVERS_MAX open; ENOMEM. */
struct vnic_receiver *vnic_receiver_create(struct vnic_client *client,
					   const struct vnic_receiver_conf *conf);
/* setup, when its thread does not use it any more; the data thread may run, and is waited for
 * if it is about to deliver. What is queued is freed. -EBUSY while packets are held, -EBADF
 * destroyed already. NULL is ignored. */
int vnic_receiver_destroy(struct vnic_receiver *receiver);

/* receiver: NdisMIndicateReceiveNetBufferLists. Up to n packets, which are the caller's, each
 * to be returned once. 0 while the adapter's gate (vnic_adapter_gate) is closed. */
uint16_t vnic_receive(struct vnic_receiver *receiver, struct rte_mbuf **packets, uint16_t n);
/* receiver: MiniportReturnNetBufferLists. n packets, in any order, have been freed or given to a
 * port: the caller does not touch them any more. A pause, and what begins with one, waits until
 * all are returned [C44]. -EINVAL: so many are not held; nothing is done. */
int vnic_receive_return(struct vnic_receiver *receiver, uint32_t n);
/* receiver: packets indicated and not returned. */
uint32_t vnic_receiver_held(const struct vnic_receiver *receiver);

/* any but the data and the receiver's threads: exact cuts, as vnic_adapter_stats_get(). */
void vnic_receiver_stats_get(struct vnic_receiver *receiver, struct vnic_receiver_stats *stats);
void vnic_adapter_receive_stats_get(const struct vnic_adapter *adapter,
				    struct vnic_adapter_receive_stats *stats);

/* ---- cancel (MiniportCancelSend) ---- */

/* A ticket carries one cancel at a time and its verdict; calls on one ticket are serialised
 * by the caller. A cancel is never lost and its call never blocks: what is posted to the
 * control lcore is a list through the tickets, so that whoever has a ticket has a place.
 *
 * On an intermediate adapter a cancel aborts its own queue first, then goes with the same id
 * to its binding on each lower adapter, whether or not it has met a match [C37-C39]; its
 * verdict stands when all have theirs. An adapter whose driver exports no cancel does nothing
 * and says `unknown` [C21]. */
struct vnic_ticket *vnic_ticket_create(int numa_node);    /* setup; ENOMEM */
int vnic_ticket_destroy(struct vnic_ticket *ticket);      /* setup; -EBUSY while pending */

/* any: MiniportCancelSend. Take back every NBL of `id` queued on the adapter that was sent
 * before this call; later ones are not affected [C16, C17, C27]. One-shot. The completions
 * appear in the senders' polls, the verdict in the ticket.
 * Errors: -EINVAL id 0, nothing is touched [C26]; -EBUSY the ticket is pending. */
int vnic_adapter_cancel(struct vnic_adapter *adapter, uint64_t id, struct vnic_ticket *ticket);
/* any: NdisCancelSendNetBufferLists. The same for a client, whose ids carry its prefix;
 * -EACCES another's [C35]; -EBADF a closed client; -EAGAIN more than its limit of cancels per
 * second, nothing is done: try again later. The control lcore takes turns among clients: a cancel
 * waits for at most one of each other client, however many those have posted. */
int vnic_client_cancel(struct vnic_client *client, uint64_t id, struct vnic_ticket *ticket);
/* any: every queued NBL of the adapter, whatever its id, 0 included. */
int vnic_adapter_abort(struct vnic_adapter *adapter, struct vnic_ticket *ticket);
/* any: every queued NBL that the client's senders have sent before this call, whatever its id,
 * 0 included; the queues of other clients are not looked at [C16, C17, C22, C35]. Its work is
 * what the client has queued. Errors: -EBUSY the ticket is pending; -EBADF a closed client. */
int vnic_client_abort(struct vnic_client *client, struct vnic_ticket *ticket);
/* any: the two as a request, which can be cancelled: VNIC_CONTROL_CANCEL with an id of the
 * client's, VNIC_CONTROL_ABORT with 0. PENDING, or the request is complete with: RESOURCES its limit
 * of cancels per second; INVALID_PARAMETER another code or another's id; CLOSING a closed
 * client; what vnic_adapter_request() says of the adapter. */
uint32_t vnic_client_request(struct vnic_client *client, enum vnic_control_code code,
			     uint64_t argument, struct vnic_request *request);

/* any: 0 and the verdict, -EINPROGRESS while pending, -ENOENT never used. */
int vnic_ticket_verdict(const struct vnic_ticket *ticket, struct vnic_verdict *verdict);

/* ---- ports and faces ---- */

/* How a face makes the cancel ids of packets that carry none: a list of rules, of which the
 * first that applies to a packet gives a value. The id has the client's prefix in its high
 * byte and below it the value, 56 bits; if the list has several rules the rule's index, 3
 * bits, and the value, 53 bits, so that ids of different rules differ. A packet to which no
 * rule applies is unmarked: id 0, no cancel by id takes it. */
enum vnic_idrule_kind {
	VNIC_IDRULE_FLOW,     /* hash of addresses, protocol and ports (fragments: without
				 ports), or of the Ethernet header of what is not IP */
	VNIC_IDRULE_VLAN,     /* the outer VLAN id; applies to tagged frames, VLAN 0 is none */
	VNIC_IDRULE_BYTES,    /* `width` bytes, 1..7 (1..6 of several rules), at `offset` of the
				 frame, big endian; applies if the frame has them */
	VNIC_IDRULE_CONSTANT, /* `value`, for all */
	VNIC_IDRULE_LABEL,    /* the flow label of IPv6 that has one, not 0 */
	VNIC_IDRULE_DSCP,     /* of IPv4 and IPv6 */
	VNIC_IDRULE_PORT,     /* the destination port of TCP, UDP and SCTP; no fragment applies */
	VNIC_IDRULE_SOURCE_PORT,
	VNIC_IDRULE_KINDS
}; /* IP is found behind no tag, a VLAN tag, or QinQ's two */

struct vnic_idrule {
	enum vnic_idrule_kind kind;
	uint16_t offset;
	uint8_t width;
	bool only; /* applies only if the value is `value`; not for FLOW and CONSTANT */
	uint64_t value;
};

#define VNIC_IDRULES_MAX 8 /* of a list */
#define VNIC_IDRULE_INDEX_SHIFT 53
#define VNIC_IDRULE_NONE UINT64_MAX

/* any: the value that one rule gives, at most 56 bits, NONE if it does not apply. */
uint64_t vnic_idrule_apply(const struct vnic_idrule *rule, const struct rte_mbuf *packet);

struct vnic_port_conf {
	uint16_t rx_desc; /* 0: 512; the port's own limits hold */
	uint16_t tx_desc; /* likewise */
	uint32_t mtu;     /* 0: as it is */
	int numa_node;    /* where rx buffers lie; -1: the port's */
	uint16_t nb_queues; /* rx queues; 0: 1 */
	uint16_t nb_tx_queues; /* 0: as many */
};

/* What a port has been set up to do. What it does not, adapters do in software: see
 * vnic_send(). */
struct vnic_port_info {
	const char *driver;
	uint16_t nb_rx_queues;
	uint16_t nb_tx_queues;
	uint16_t mtu;
	uint16_t nb_segs_max; /* buffers of a frame that it takes */
	bool tags;     /* VLAN tags, */
	bool sums;     /* checksums, one kind or more, */
	bool segments; /* and TCP segmentation, on transmit */
};

/* setup: make (or find, if a port of that name exists and is not started) the ethdev port of
 * `devargs`, as in --vdev or a full PCI address, and start it with its queues.
 * Received packets come from `nb_mbufs` buffers of its own, besides those that some drivers
 * keep. On transmit it is set up for chains, tags, checksums and segmentation as far as it can;
 * what it receives it does not change. On error nothing is left and `why` has one line with
 * cause and cure. */
int vnic_port_open(const char *devargs, const struct vnic_port_conf *conf, uint32_t nb_mbufs,
		   uint16_t *port, char *why, size_t len);
/* any: 0, or -ENODEV no such port. */
int vnic_port_info_get(uint16_t port, struct vnic_port_info *info);
/* setup, when nobody polls it, nor any other port that may have its packets: stop it; a port that
 * vnic_port_open made is removed too, with its buffers. While others have some of those, in the queue
 * of another port for instance, all stay in memory, until the next port with its number is closed. */
int vnic_port_close(uint16_t port);
/* Wait until each thread that polls has ended the poll that it is in. */
typedef void vnic_quiesce(void *context);
/* setup, when nobody polls them: the same for ports that send each other's packets, as a face
 * that receives and the port below do; close them before the adapters between them. All are
 * stopped before any buffers go. Other ports may be polled if `quiesce` can wait for those who do:
 * a thread may be giving back the last of the buffers just now. It is called, with `context`, before
 * buffers are freed, if at all; NULL: nobody polls. The last error, the others are closed all the
 * same. */
int vnic_ports_close(const uint16_t *ports, uint32_t n, vnic_quiesce *quiesce, void *context);

struct vnic_face_conf {
	const char *name;
	uint16_t port; /* the upper port, polled for what programs send */
	uint16_t rx_queue;
	uint16_t nb_queues;   /* rx queues from that one on, polled in turn; 0: 1 */
	uint16_t burst;       /* 1..VNIC_BURST_MAX; 0: 32 */
	uint16_t nbl_packets; /* neighbours of one id are sent as one NBL of at most so many */
	uint32_t depth;       /* of its send queue */
	const struct vnic_idrule *rules; /* copied */
	uint32_t nb_rules;    /* 0: the flow's hash */
	/* The adapter's data thread polls the face, too, and what it takes from the port while nothing
	 * is queued on the adapter, no pace is set and there is no lower adapter goes down at once:
	 * there is no moment at which it could be cancelled. What does not, what the lower port does not
	 * take, and all while a capture of the face is on, is queued as else. */
	bool direct;

	bool receive;         /* what the adapter receives for it goes to the port's tx queue */
	uint16_t tx_queue;
	struct vnic_receiver_conf receiver;
};

/* Packets; all but rx_held only grow. rx_indicated = rx_delivered + rx_dropped + rx_held,
 * exactly at any moment. received = completed + dropped + those still outstanding. */
struct vnic_face_stats {
	uint64_t received;     /* packets taken from the upper port and sent */
	uint64_t completed;    /* of them, those that came back, by status: */
	uint64_t sent;
	uint64_t aborted;
	uint64_t rejected;
	uint64_t direct;       /* of the sent, those that never waited */
	uint64_t dropped;      /* received but not sent: no NBL, longer than net_af_packet hands
				  over whole, or its client's limit has been set just then */
	uint64_t backpressure; /* polls that may have left packets in the port: queue full */
	uint64_t unmarked;     /* received, not dropped, and no rule applied */
	uint64_t matched[VNIC_IDRULES_MAX]; /* the same, by the rule that made the id */

	uint64_t rx_indicated; /* received by the adapter and given to the face */
	uint64_t rx_delivered; /* taken by the upper port */
	uint64_t rx_dropped;   /* freed: larger than the port takes, or the port took none while
				  the adapter's gate closed or its own link was down */
	uint64_t rx_held;      /* the port did not take them yet */
};

/* setup: a face is a client with one sender, whose thread polls it (usually the data
 * lcore of the adapter). Errors: ENODEV no such port or queue; EINVAL a value out of range, a
 * rule that can never apply; those of client, pool and sender. */
struct vnic_face *vnic_face_create(struct vnic_adapter *adapter, const struct vnic_face_conf *conf);
/* setup, when nobody polls it any more; the adapter's threads may run: -EBUSY while NBLs are
 * outstanding, or one of its client's cancels goes on. NULL is ignored. */
int vnic_face_destroy(struct vnic_face *face);
/* sender, and receiver: take completions, then packets from the port, then what was received for
 * it; returns how many of all. */
uint32_t vnic_face_poll(struct vnic_face *face);
/* any: packets from the port are not polled any more; completions are, and what was received. */
void vnic_face_stop_receive(struct vnic_face *face);
/* any: they are again. */
void vnic_face_start_receive(struct vnic_face *face);
/* any: keep the poller out of the face's port, whose driver may not be polled while its peer goes
 * (net_memif unmaps what it shares with it). Completions are taken as before. */
void vnic_face_hold(struct vnic_face *face);
/* any: has the poller seen the hold? Then it does not touch the port before the release. */
bool vnic_face_held(const struct vnic_face *face);
/* any */
void vnic_face_release(struct vnic_face *face);
/* any: its port's link, at first and again whenever it may have changed: as often as one looks. The
 * poller needs it while the port takes nothing of what was received, and asks the driver itself, ten
 * times a second, if nobody ever tells it: with some drivers a system call. */
void vnic_face_tell_link(struct vnic_face *face, bool up);
/* any: counts that may be a burst apart while the face is polled. */
void vnic_face_stats_get(const struct vnic_face *face, struct vnic_face_stats *stats);
/* any: the cancel id that the face gives such a packet, 0 if it is unmarked; *rule is the
 * index of the rule that makes it, VNIC_IDRULES_MAX if none does. */
uint64_t vnic_face_id(const struct vnic_face *face, const struct rte_mbuf *packet, uint32_t *rule);
/* any: its client, for limits, and its sender, for a weight. */
struct vnic_client *vnic_face_client(const struct vnic_face *face);
struct vnic_sender *vnic_face_sender(const struct vnic_face *face);
/* any: NULL if it does not receive. */
struct vnic_receiver *vnic_face_receiver(const struct vnic_face *face);
/* sender */
uint32_t vnic_face_outstanding(const struct vnic_face *face);

/* ---- capture: what faces send, and what became of it ----
 *
 * While a capture is on, its faces copy each packet that they take from their ports; with its
 * NBL's completion the copy comes to a reader, which makes pcapng of it: each packet, as the
 * program sent it, with the time at which it was complete, the name of its face, and a comment:
 *
 *   sent id=0x100000000000007 after 12.3 us
 *   aborted SEND_ABORTED id=0x100000000000007 after 250.1 us
 *   rejected PAUSED id=...          any other status
 *   queued id=...                   neither, when the capture ended
 *
 * Copies lie in buffers of the capture's own; where there is none the capture loses the packet,
 * counted, and traffic does not. Without a capture a face pays one branch a poll. */

#define VNIC_CAPTURE_NAME 32      /* room of a name, with its end */
#define VNIC_CAPTURE_READ_MIN 131072 /* bytes of a reader's buffer, at least */

struct vnic_capture_conf {
	uint32_t snaplen;    /* bytes kept of a packet, 14..65535; 0: 2048 */
	uint32_t nb_packets; /* buffers of each face, up to 1,048,576: for what is queued and what
				the reader has yet to read; 0: 8192 */
	const char *application; /* named in the file, up to 31 characters; NULL: libvnic */
};

/* Packets; the first three only grow. captured = written + those queued or not read yet. */
struct vnic_capture_stats {
	uint64_t captured;
	uint64_t lost;       /* taken by a face while no buffer was spare: they are not in the file */
	uint64_t written;    /* handed to the reader */
	uint64_t spare;      /* buffers; of these: */
	uint64_t nb_packets;
};

/* setup. Errors: EINVAL a number out of range, the name; ENOMEM. */
struct vnic_capture *vnic_capture_create(const struct vnic_capture_conf *conf);
/* setup, serialised with the face's destroy, before the first read; the face may be polled: capture
 * what it takes from now on. `name` is the interface's in the file. The buffers are on the face's
 * node, about snaplen + 64 bytes each.
 * Errors: -EINVAL the name, or the capture has ended; -EBUSY the face has a capture; -ENOSPC 256
 * faces; -ENOMEM. */
int vnic_capture_add(struct vnic_capture *capture, struct vnic_face *face, const char *name);
/* setup, serialised with the faces' destroy: no more. A face that is destroyed leaves by itself. */
void vnic_capture_end(struct vnic_capture *capture);
/* any: has the poller of each face let go of it, after the end? At its next poll it does. */
bool vnic_capture_ended(const struct vnic_capture *capture);
/* reader (one thread, which may be any but a data thread): whole blocks of the file, in their order;
 * how many bytes. 0: nothing has come since, or size is below VNIC_CAPTURE_READ_MIN. The first read
 * begins with the file's header; when vnic_capture_ended() was true before a read that gives 0, the
 * file is whole. Bytes read are the caller's; the library opens no file. */
size_t vnic_capture_read(struct vnic_capture *capture, void *buffer, size_t size);
/* any: counts that may be a burst apart. */
void vnic_capture_stats_get(const struct vnic_capture *capture, struct vnic_capture_stats *stats);
/* setup, when nobody reads: what was not read is lost. -EBUSY not ended. NULL is ignored. */
int vnic_capture_destroy(struct vnic_capture *capture);

#ifdef __cplusplus
}
#endif
#endif
