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

#include "eal.h"
#include "vnic.h"

#define BED_SENDERS_MAX 4
#define BED_PACKETS_MAX 1024
#define BED_FRAME 100     /* bytes of a packet when a test does not care */
#define BED_ROOM_ALL 1024 /* packets that the port holds */
#define BED_COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))

/* 0 or NULL means the value in brackets. */
struct bed_conf {
	struct bed *beside;   /* another bed whose control and pools are used [own ones] */
	uint32_t nb_senders;  /* [1] */
	uint32_t depth;       /* of each sender's queue [64] */
	uint32_t nb_nbls;     /* [1024] */
	uint16_t max_packets; /* of an NBL [8] */
	uint32_t nb_mbufs;    /* [2048] */
	uint16_t burst;       /* [32] */
	uint32_t max_frame;   /* [1518] */
	struct vnic_pacing pacing;
	bool linear_only;    /* the port takes no chains */
	uint64_t ring_start; /* where positions of the queues begin */
};

struct bed_packet {
	struct rte_mbuf *mbuf; /* as given to the NBL */
	uint32_t len;
	uint32_t nbl;     /* number of its NBL */
	uint16_t refs;    /* count of its first buffer when it was sent */
	uint8_t on_wire;  /* how often it was drained */
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

	struct rte_ring *wire;
	uint16_t port;
	uint32_t room; /* the port takes so many more, as last said */

	struct bed_packet *packet; /* by serial */
	struct bed_nbl *nbl;       /* by number */
	uint32_t *log;             /* serials in the order of the wire */
	uint32_t nb_packets, nb_nbls, nb_log, nb_done;
	uint32_t max_packets, max_nbls, max_log;

	/* called with what has come out of a poll, before anything else is done with it */
	void (*polled)(struct vnic_nbl **nbls, uint16_t n);
	bool hold;  /* completed NBLs and packets are not freed: bed_release() */
	bool alien; /* the adapter had other NBLs too: its account is not the bed's */
};

/* ---- the bed ---- */

/* NULL: all in brackets. */
struct bed *bed_open(const struct bed_conf *conf);
/* Let all that is queued leave, check the account and that everything is back, take it
 * down. A bed that lent its control and pools is closed last. */
void bed_close(struct bed *b);
/* Name of something, never given before in this process. */
const char *bed_unique(const char *stem, char name[16]);

/* ---- packets and NBLs: the serial, the number ---- */

uint32_t bed_packet(struct bed *b, uint32_t len);
/* A chain of nb_segs buffers; the first ones may be empty. */
uint32_t bed_packet_chain(struct bed *b, uint32_t len, uint16_t nb_segs);
/* A packet of one's own making: its content is written here. */
uint32_t bed_packet_of(struct bed *b, struct rte_mbuf *m);
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
/* Take what is on the wire, check and log it; the room is what it was last said to be.
 * Returns how many packets it was. */
uint32_t bed_wire_drain(struct bed *b);

/* ---- steps ---- */

uint32_t bed_data(struct bed *b);    /* vnic_adapter_poll */
uint32_t bed_control(struct bed *b); /* vnic_control_poll */
/* All completions of all senders; returns how many. */
uint32_t bed_poll(struct bed *b);
/* Up to n completions of sender s. */
uint32_t bed_poll_by(struct bed *b, uint32_t s, uint16_t n);
/* Open the wire and step until every NBL is back. */
void bed_settle(struct bed *b);
/* Cancel and step control, then data where it is needed, until the verdict. id 0 is
 * vnic_adapter_abort. The completions are polled. */
struct vnic_verdict bed_cancel(struct bed *b, uint64_t id);
/* Step until t's verdict; control first. */
struct vnic_verdict bed_verdict(struct bed *b, struct vnic_ticket *t);

/* ---- questions ---- */

/* Does accepted = sent + aborted + rejected + queued hold, for NBLs and packets? */
struct vnic_adapter_stats bed_stats(struct bed *b);
/* How many of the n NBLs from `first` on came back with this status. */
uint32_t bed_count(const struct bed *b, uint32_t first, uint32_t n, uint32_t status);
/* n NBLs from `first` on: all came back with this status. */
void bed_expect(const struct bed *b, uint32_t first, uint32_t n, uint32_t status);
/* The wire's log from its entry `at` on is serial[0..n) and no more. */
void bed_expect_log(const struct bed *b, uint32_t at, const uint32_t *serial, uint32_t n);
/* The packets that an NBL gave back are as they were sent: pointers, length, content. */
void bed_check_back(const struct bed *b, uint32_t nbl);
/* Free a held NBL and its packets. */
void bed_release(struct bed *b, uint32_t nbl);

#endif
