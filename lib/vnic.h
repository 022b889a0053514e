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
 *   data      the one thread that polls this adapter
 *   control   the one thread that polls this control
 *
 * None of the calls marked sender, data or control sleeps, takes a lock or allocates, nor
 * does a cancel. Calls return 0 or a negative errno value, bursts return a count, creators
 * return NULL and set rte_errno. Names in brackets are items of the send contract
 * (MiniportCancelSend and the NDIS send path).
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
struct vnic_ticket;
struct vnic_nbl_pool;
struct vnic_face;

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
/* any: an 8-bit prefix for cancel ids, 1..255 and then 0, distinct over 256 calls [C34]. */
uint8_t vnic_generate_partial_cancel_id(struct vnic_control *control);

#define VNIC_CANCEL_ID_PREFIX_SHIFT 56

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
	const char *name;     /* 1..31 characters, unique within the control */
	uint16_t port;        /* a started ethdev port; its tx queue is this adapter's own */
	uint16_t tx_queue;
	uint16_t burst;       /* packets handed down at once, 1..VNIC_BURST_MAX; 0: 32 */
	uint32_t max_frame;   /* bytes without checksum; 0: the port's MTU + 18 */
	uint32_t in_flight;   /* packets below that are not yet sent; 0: as many as the port
	                         holds. See vnic_adapter_in_flight() */
	struct vnic_pacing pacing;
	int numa_node;        /* -1: the port's own */
};

/* setup: Errors: EINVAL a value out of range; ENODEV no such port or queue; EEXIST the
 * name; ENOSPC the control has 64 adapters; ENOMEM. */
struct vnic_adapter *vnic_adapter_create(struct vnic_control *control,
					 const struct vnic_adapter_conf *conf);
/* setup, when neither data nor control thread polls any more: -EBUSY while a client is
 * open or a ticket pending. NULL is ignored. */
int vnic_adapter_destroy(struct vnic_adapter *adapter);

/* data: one step - help a cancel, pace, claim, hand down, complete. Returns the number of
 * packets and completions moved, 0 when there was nothing to do. Never waits. */
uint32_t vnic_adapter_poll(struct vnic_adapter *adapter);

enum vnic_in_flight {
	VNIC_IN_FLIGHT_NONE,    /* no limit was asked for */
	VNIC_IN_FLIGHT_KEPT,    /* by the port's descriptor status, or its tx queue is no larger */
	VNIC_IN_FLIGHT_UNKNOWN, /* not kept: the port tells neither */
};

/* any: what becomes of the in-flight limit. */
enum vnic_in_flight vnic_adapter_in_flight(const struct vnic_adapter *adapter);

/* setup: does the adapter's memory lie on the node of `cpu`? Writes one line with the
 * cause and the cure for each mismatch; returns how many. */
int vnic_adapter_check_numa(const struct vnic_adapter *adapter, int cpu, char *text, size_t len);

/* setup: what this thread allocates from the system from now on lies on `node` if there is
 * room (-1: where the thread runs). -ENODEV no such node. */
int vnic_numa_prefer(int node);

struct vnic_count {
	uint64_t nbls;
	uint64_t packets;
};

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
	struct vnic_count queued; /* in the rings or waiting to be handed down */

	uint64_t not_taken;    /* NBLs that vnic_send left to the caller: queue full */
	uint64_t port_refused; /* bursts of which the lower port did not take all */
	uint64_t padded;       /* packets padded to 60 bytes [C6] */
	uint64_t copied;       /* packets copied because the port could not take them as is */
	uint64_t cancels;      /* cancels applied */
	uint64_t cancels_unknown; /* of them, those that met no NBL of their id */
	uint64_t too_late;     /* NBLs that a cancel met after they had been handed down */
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

/* ---- client: an open handle on an adapter ---- */

/* setup: the client gets a prefix, 1..255, that no other open client of the control has.
 * Errors: ENOMEM; ENOSPC 255 are open. */
struct vnic_client *vnic_client_open(struct vnic_adapter *adapter);
/* setup: -EBUSY while it has senders. NULL is ignored. */
int vnic_client_close(struct vnic_client *client);
/* any */
uint8_t vnic_client_prefix(const struct vnic_client *client);

/* ---- sender: one queue of an adapter and its completions ---- */

/* setup: depth is a power of two, 64..1,048,576. NBLs sent here come from `pool`.
 * A place of the adapter, once used, is free again only for the same depth.
 * Errors: EINVAL depth; ENOSPC the adapter has VNIC_SENDERS_MAX; ENOMEM. */
struct vnic_sender *vnic_sender_create(struct vnic_client *client, struct vnic_nbl_pool *pool,
				       uint32_t depth);
/* setup: -EBUSY while NBLs are outstanding. The queue's memory is kept for the next
 * sender and freed with the adapter. NULL is ignored. */
int vnic_sender_destroy(struct vnic_sender *sender);

/* sender: send up to n NBLs (MiniportSendNetBufferLists). Returns how many were taken,
 * from the front; the rest is still the caller's [C2]. Each NBL taken comes out of
 * vnic_sender_poll once, whatever happens to it [C1]: a refusal is a completion -
 * INVALID_PARAMETER no packets or more than max_packets, INVALID_LENGTH a packet of 0
 * bytes or above the adapter's max_frame [C8]. */
uint16_t vnic_send(struct vnic_sender *sender, struct vnic_nbl *const *nbls, uint16_t n);
/* sender: how many NBLs, up to n, vnic_send would take now. */
uint16_t vnic_sender_room(struct vnic_sender *sender, uint16_t n);

/* sender: up to n completed NBLs, in any order between the aborted and the sent, each
 * with its status:
 *   SUCCESS       every packet was accepted by the lower port and is the port's [C9]
 *   SEND_ABORTED  cancelled; no packet left [C16, C23]; all are the sender's
 *   others        packets from nb_sent on are the sender's */
uint16_t vnic_sender_poll(struct vnic_sender *sender, struct vnic_nbl **nbls, uint16_t n);
/* sender: NBLs taken by vnic_send and not yet out of vnic_sender_poll. */
uint32_t vnic_sender_outstanding(const struct vnic_sender *sender);

/* ---- cancel (MiniportCancelSend) ---- */

/* A ticket carries one cancel at a time and its verdict; calls on one ticket are serialised
 * by the caller. A cancel is never lost and its
 * call never blocks: the queue of requests is a list through the tickets, so that whoever
 * has a ticket has a place. */
struct vnic_ticket *vnic_ticket_create(int numa_node);    /* setup; ENOMEM */
int vnic_ticket_destroy(struct vnic_ticket *ticket);      /* setup; -EBUSY while pending */

struct vnic_verdict {
	uint64_t cancel_id;
	struct vnic_count aborted;
	uint64_t too_late; /* NBLs of the id that were queued or staged at the call and had been
			      handed to the port when the cancel reached them; at least so
			      many, if their places in the queue have been used again since */
	bool unknown;      /* neither: no NBL of the id was queued */
	uint64_t latency_ns; /* from the call to the last completion, or to the verdict when
				nothing was aborted */
};

/* any: take back every NBL of `id` queued on the adapter that was sent before this call;
 * later ones are not affected [C16, C17, C27]. One-shot. The completions appear in the
 * senders' polls, the verdict in the ticket.
 * Errors: -EINVAL id 0, nothing is touched [C26]; -EBUSY the ticket is pending. */
int vnic_adapter_cancel(struct vnic_adapter *adapter, uint64_t id, struct vnic_ticket *ticket);
/* any: the same for a client, whose ids carry its prefix; -EACCES another's [C35]. */
int vnic_client_cancel(struct vnic_client *client, uint64_t id, struct vnic_ticket *ticket);
/* any: every queued NBL of the adapter, whatever its id, 0 included. */
int vnic_adapter_abort(struct vnic_adapter *adapter, struct vnic_ticket *ticket);

/* any: 0 and the verdict, -EINPROGRESS while pending, -ENOENT never used. */
int vnic_ticket_verdict(const struct vnic_ticket *ticket, struct vnic_verdict *verdict);

/* ---- ports and faces ---- */

/* How a face makes the cancel id of a packet: the client's prefix in the high byte,
 * below it 56 bits by the rule. */
enum vnic_idrule_kind {
	VNIC_IDRULE_FLOW,    /* hash of addresses, protocol and ports; fragments: without ports */
	VNIC_IDRULE_VLAN,    /* the outer VLAN id, 0 where there is none */
	VNIC_IDRULE_BYTES,   /* `width` bytes at `offset` of the frame, big endian, at most 7 */
	VNIC_IDRULE_CONSTANT /* `value` for all */
};

struct vnic_idrule {
	enum vnic_idrule_kind kind;
	uint16_t offset;
	uint8_t width;
	uint64_t value;
};

/* any: the 56 bits; a frame too short for the rule has 0. */
uint64_t vnic_idrule_apply(const struct vnic_idrule *rule, const struct rte_mbuf *packet);

struct vnic_port_conf {
	uint16_t rx_desc; /* 0: 512; the port's own limits hold */
	uint16_t tx_desc; /* likewise */
	uint32_t mtu;     /* 0: as it is */
	int numa_node;    /* where rx buffers lie; -1: the port's */
};

/* setup: make (or find, if a port of that name exists and is not started) the ethdev port of
 * `devargs`, as in --vdev or a full PCI address, and start it with one rx and one tx queue.
 * Received packets come from `nb_mbufs` buffers of its own. On error nothing is left and
 * `why` has one line with cause and cure. */
int vnic_port_open(const char *devargs, const struct vnic_port_conf *conf, uint32_t nb_mbufs,
		   uint16_t *port, char *why, size_t len);
/* setup: stop it; a port that vnic_port_open made is removed too, with its buffers: close
 * the ports that send a face's packets before the face's own. */
int vnic_port_close(uint16_t port);

struct vnic_face_conf {
	const char *name;
	uint16_t port; /* the upper port, polled for what programs send */
	uint16_t rx_queue;
	uint16_t burst;       /* 1..VNIC_BURST_MAX; 0: 32 */
	uint16_t nbl_packets; /* neighbours of one id are sent as one NBL of at most so many */
	uint32_t depth;       /* of its send queue */
	struct vnic_idrule rule;
};

/* Packets; all only grow. received = completed + dropped + those still outstanding. */
struct vnic_face_stats {
	uint64_t received;     /* packets taken from the upper port and sent */
	uint64_t completed;    /* of them, those that came back, by status: */
	uint64_t sent;
	uint64_t aborted;
	uint64_t rejected;
	uint64_t dropped;      /* received but not sent: no NBL */
	uint64_t backpressure; /* polls that may have left packets in the port: queue full */
};

/* setup: a face is a client with one sender, whose thread polls it (usually the data
 * lcore of the adapter). Errors: ENODEV no such port or queue; those of client, pool and
 * sender. */
struct vnic_face *vnic_face_create(struct vnic_adapter *adapter, const struct vnic_face_conf *conf);
/* setup: -EBUSY while NBLs are outstanding. NULL is ignored. */
int vnic_face_destroy(struct vnic_face *face);
/* sender: take completions, then packets from the port; returns how many of both. */
uint32_t vnic_face_poll(struct vnic_face *face);
/* any: only completions are polled from now on. */
void vnic_face_stop_receive(struct vnic_face *face);
/* any: counts that may be a burst apart while the face is polled. */
void vnic_face_stats_get(const struct vnic_face *face, struct vnic_face_stats *stats);
/* any */
struct vnic_client *vnic_face_client(const struct vnic_face *face);
/* sender */
uint32_t vnic_face_outstanding(const struct vnic_face *face);

#ifdef __cplusplus
}
#endif
#endif
