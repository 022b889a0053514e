/* SPDX-License-Identifier: BSD-3-Clause
 * bed.h - test bed: an adapter on a port whose wire the test holds, stepped by hand
 *
 * One thread plays all of them. The lower port is a net_ring whose tx ring the bed takes
 * packets from, so it sees the wire; how many more packets the port takes is the bed's to
 * say. Races are forced by the order of the steps.
 *
 * Each packet has a serial number, each NBL a number, its cookie. Every packet's content
 * follows from its serial and its length. Whatever is drained from the wire or polled from
 * a sender is checked at once: content, padding, that it is there for the first time, that
 * NBL and packets are as they were sent [C3-C7, C9, C23]. bed_close() checks that all came
 * back once and that the account agrees with the bed's own.
 *
 * The adapter of a bed may also be a layer over those of other beds. Then the bed has no wire:
 * its packets come out of the other beds' wires, where they are known by their content, and
 * are checked there in the same way; out of each of them if the layer is one-to-many.
 *
 * A check that fails ends the test through cmocka; what the bed held is then leaked, and
 * names are never used twice, so that the next test is not hit by it.
 */
#ifndef TESTS_BED_H
#define TESTS_BED_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <rte_mbuf.h>
#include <rte_ring.h>

#include "driver.h"
#include "eal.h"
#include "vnic.h"

#define BED_SENDERS_MAX 4
#define BED_PACKETS_MAX 1024
#define BED_LOWER_MAX 4
#define BED_LAYERS_MAX 8 /* beds over one bed's pools */
#define BED_FRAME 100     /* bytes of a packet when a test does not care */
#define BED_ROOM_ALL 1024 /* packets that the port holds */
#define BED_COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))

/* 0 or NULL means the value in brackets. */
struct bed_conf {
	struct bed *beside;   /* another bed whose control and pools are used [own ones] */
	struct bed *lower[BED_LOWER_MAX]; /* a layer over these beds' adapters, their pools */
	uint32_t nb_lower;      /* [0: a port of its own] */
	uint32_t lower_depth;   /* as in vnic_adapter_conf, like the next [64] */
	uint16_t lower_packets; /* [32] */
	const struct vnic_driver *ops; /* the adapter's driver, as it is [none] */
	uint32_t nb_senders;  /* [1] */
	uint32_t depth;       /* of each sender's queue [64] */
	uint32_t nb_nbls;     /* [1024] */
	uint16_t max_packets; /* of an NBL [8] */
	uint32_t nb_mbufs;    /* [2048] */
	uint16_t burst;       /* [32] */
	uint32_t max_frame;   /* [1518] */
	bool mtu_frame;       /* as the port's MTU has it, instead */
	struct vnic_pacing pacing;
	bool linear_only;    /* the port takes no chains */
	uint64_t ring_start; /* where positions of the queues begin */
	struct driver *driver; /* the adapter's [none] */
	bool halted;         /* the adapter is made, not started [Running] */
};

struct bed_packet {
	struct rte_mbuf *mbuf; /* as given to the NBL */
	uint32_t len;
	uint32_t nbl;     /* number of its NBL */
	uint16_t refs;    /* count of its first buffer when it was sent */
	uint32_t on_wire; /* a bit for each wire that it was drained from */
	uint8_t went;     /* how often a completion said that the port has it */
	uint8_t came;     /* how often a completion gave it back */
};

struct bed_nbl {
	struct vnic_nbl *nbl;
	uint64_t id;
	uint32_t first;      /* serials first .. first + nb_packets - 1 */
	uint16_t nb_packets; /* packets it has, whatever nb_claimed says */
	uint16_t nb_claimed; /* nb_packets as sent */
	uint16_t nb_sent;    /* from here on: of its completion */
	uint8_t sender;
	uint8_t taken;   /* by vnic_send */
	uint8_t done;    /* how often it was completed */
	uint32_t status;
	uint32_t order;  /* the how-manyth completion of the bed */
};

struct bed {
	struct bed_conf conf; /* brackets filled in */
	struct vnic_control *control;
	struct vnic_nbl_pool *nbls;
	struct rte_mempool *mbufs;
	struct vnic_adapter *adapter;
	struct vnic_client *client;
	struct vnic_sender *sender[BED_SENDERS_MAX];
	struct vnic_ticket *ticket; /* bed_cancel()'s */
	char name[16];              /* the adapter's */

	struct bed *root;                    /* whose pools it uses; itself, mostly */
	struct bed *layer[BED_LAYERS_MAX];   /* root: the beds that are layers */
	uint32_t nb_layers, nb_wires;        /* root */
	uint32_t tag;   /* in its packets' content: 1 + its place there; no layer: 0 */
	uint32_t wires; /* a bit for each wire that its packets leave by */
	bool fans;      /* by more than one of them */

	struct rte_ring *wire; /* NULL: a layer */
	uint16_t port;
	uint32_t room; /* the port takes so many more, as last said */
	const struct rte_eth_rxtx_callback *handover; /* see handover.h */

	struct bed_packet *packet; /* by serial */
	struct bed_nbl *nbl;       /* by number */
	uint32_t *log;             /* marks in the order of its wire */
	uint32_t nb_packets, nb_nbls, nb_log, nb_done;
	uint32_t max_packets, max_nbls, max_log;

	/* called with what has come out of a poll, before anything else is done with it */
	void (*polled)(struct vnic_nbl **nbls, uint16_t n);
	bool hold;  /* completed NBLs and packets are not freed: bed_release() */
	bool forced; /* half sent NBLs were taken back: an aborted one may have left in part */
	uint64_t left; /* packets that have left a port that holds them: see bed_port_holds() */
	bool alien; /* the adapter had other NBLs too: its account is not the bed's */
};

/* ---- the bed ---- */

/* NULL: all in brackets. */
struct bed *bed_open(const struct bed_conf *conf);
/* Let all that is queued leave, check the account and that everything is back, take it
 * down. A bed that lent its control and pools is closed last, a layer before what is below. */
void bed_close(struct bed *b);
/* Name of something, never given before in this process. */
const char *bed_unique(const char *stem, char name[16]);

/* ---- packets and NBLs: the serial, the number ---- */

uint32_t bed_packet(struct bed *b, uint32_t len);
/* A chain of nb_segs buffers; the first ones may be empty. */
uint32_t bed_packet_chain(struct bed *b, uint32_t len, uint16_t nb_segs);
/* A packet of one's own making: its content is written here. */
uint32_t bed_packet_of(struct bed *b, struct rte_mbuf *m);
/* What a wire's log has for it: the serial, and for a layer's packet its bed's tag. */
uint32_t bed_mark(const struct bed *b, uint32_t serial);
/* An NBL of the nb_packets packets from serial `first` on. */
uint32_t bed_nbl_of(struct bed *b, uint64_t id, uint32_t first, uint16_t nb_packets);
/* An NBL of new packets of BED_FRAME bytes. */
uint32_t bed_nbl(struct bed *b, uint64_t id, uint16_t nb_packets);

/* ---- sending ---- */

/* By sender s, the n NBLs from number `first` on: how many vnic_send took. */
uint16_t bed_send_by(struct bed *b, uint32_t s, uint32_t first, uint16_t n);
/* By the first sender; all must be taken. */
void bed_send(struct bed *b, uint32_t first, uint16_t n);
/* n new NBLs of one packet, one call: the number of the first. */
uint32_t bed_send_id(struct bed *b, uint64_t id, uint16_t n);
/* What was made and not taken goes back to the pools. */
void bed_discard(struct bed *b, uint32_t first, uint16_t n);

/* ---- the wire ---- */

/* The port takes exactly k more packets; BED_ROOM_ALL is all that it can. */
void bed_wire_room(struct bed *b, uint32_t k);
/* From now on the port holds, one bed's at a time, what it was given until `left` says that it has
 * left, and the adapter lets it hold `limit`. */
void bed_port_holds(struct bed *b, uint32_t limit);
/* Take what is on the wire, check and log it; the room is what it was last said to be.
 * Returns how many packets it was. */
uint32_t bed_wire_drain(struct bed *b);
/* The same, and the port takes no more than it would have without it, if there is a bound. */
uint32_t bed_wire_take(struct bed *b);

/* ---- steps ---- */

uint32_t bed_data(struct bed *b);    /* vnic_adapter_poll */
uint32_t bed_control(struct bed *b); /* vnic_control_poll */
/* All completions of all senders; returns how many. */
uint32_t bed_poll(struct bed *b);
/* Up to n completions of sender s. */
uint32_t bed_poll_by(struct bed *b, uint32_t s, uint16_t n);
/* The adapter and all below it, from the top down. */
uint32_t bed_data_all(struct bed *b);
/* Open the wires and step until every NBL is back. */
void bed_settle(struct bed *b);
/* Cancel and step control, then data, of all below too, until the verdict. id 0 is
 * vnic_adapter_abort. The completions are polled. */
struct vnic_verdict bed_cancel(struct bed *b, uint64_t id);
/* Step until t's verdict; control first. */
struct vnic_verdict bed_verdict(struct bed *b, struct vnic_ticket *t);

/* ---- operations ---- */

/* A request of the caller's for an operation of the adapter; it may pend. */
struct vnic_request *bed_issue(struct bed *b, enum vnic_control_code code, uint64_t argument);
/* Step control, then data, until the request ends or will not: its status. It is released. */
uint32_t bed_await(struct bed *b, struct vnic_request *r);
/* Both. */
uint32_t bed_operate(struct bed *b, enum vnic_control_code code, uint64_t argument);
/* n steps of control and data. */
void bed_step(struct bed *b, int n);
/* Steps of both for longer than anything is put off: what has not ended will not. */
void bed_linger(struct bed *b);
/* A step of control that looks at the link and for a hang. */
void bed_look(struct bed *b);
/* The state, and what a send completes with. */
void bed_expect_state(const struct bed *b, enum vnic_state state, uint32_t gate);
/* How many requests are inside the operations' gate. */
uint32_t bed_inside(const struct bed *b);
/* An NBL of which the port has taken nb_sent packets, and takes no more: its number. Nothing
 * else may be queued. */
uint32_t bed_half_sent(struct bed *b, uint64_t id, uint16_t nb_packets, uint16_t nb_sent);

/* ---- questions ---- */

/* Does accepted = sent + aborted + rejected + queued hold, for NBLs and packets? */
struct vnic_adapter_stats bed_stats(struct bed *b);
/* How many of the n NBLs from `first` on came back with this status. */
uint32_t bed_count(const struct bed *b, uint32_t first, uint32_t n, uint32_t status);
/* n NBLs from `first` on: all came back with this status. */
void bed_expect(const struct bed *b, uint32_t first, uint32_t n, uint32_t status);
/* The wire's log from its entry `at` on is mark[0..n) and no more. */
void bed_expect_log(const struct bed *b, uint32_t at, const uint32_t *mark, uint32_t n);
/* The packets that an NBL gave back are as they were sent: pointers, length, content. */
void bed_check_back(const struct bed *b, uint32_t nbl);
/* Free a held NBL and its packets. */
void bed_release(struct bed *b, uint32_t nbl);

#endif
