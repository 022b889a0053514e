/* SPDX-License-Identifier: BSD-3-Clause
 * vnicd.h - the daemon's parts
 *
 * Main thread, unless a call says otherwise.
 */
#ifndef VNICD_H
#define VNICD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <rte_lcore.h>
#include <vnic.h>

#include "config.h"
#include "relays.h"

#define VNICD_LINE 512
#define VNICD_HEADER 14u /* of an untagged frame, beyond the MTU */

struct vnicd_adapter {
	const struct conf_adapter *conf;
	struct vnic_adapter *adapter;
	uint16_t port;
	bool port_open;
	struct relay *relay; /* a memif port's, NULL of others */
	unsigned int lcore;
	bool receives; /* its port is polled */
	uint16_t nb_shares; /* adapters that its port has tx queues for */
	bool leaves; /* for good: no lcore is to poll it, as of a face */
	enum vnic_state told; /* its operator, like the next */
	uint64_t hung;
};

struct vnicd_face {
	const struct conf_face *conf;
	struct vnic_face *face;
	uint16_t port;
	bool port_open;
	struct relay *relay;
	bool link_down; /* it has been told so */
	bool leaves;
};

/* What one lcore polls, in this order. */
struct vnicd_round {
	bool yields; /* shares its CPU with another poller: give it up when idle */
	bool control;
	uint32_t nb_adapters, nb_faces;
	struct vnic_adapter *adapter[CONF_ADAPTERS_MAX];
	struct vnic_face *face[CONF_FACES_MAX];
};

struct vnicd_lcore {
	struct vnicd_round round[2]; /* the one that stands, and the next in the making */
	_Atomic(struct vnicd_round *) now; /* NULL: it polls nothing */
	_Atomic uint64_t rounds;
};

/* What was received for a face, packets. */
struct vnicd_up {
	uint64_t received, delivered, queue_full, no_memory, dropped;
};

/* What became of adapters and faces that are no more. */
struct vnicd_gone {
	uint32_t nb_adapters, nb_faces;
	bool unbalanced; /* the account of one, which was said */
	struct vnic_adapter_stats stats;
	struct vnic_adapter_receive_stats receive;
	struct vnic_face_stats face;
	struct vnicd_up up;
	struct vnic_histogram latency[VNIC_LATENCIES];
	/* those of which a port below has packets still, to be destroyed later */
	struct vnic_adapter *adapter[CONF_ADAPTERS_MAX];
	uint32_t nb_kept;
};

struct vnicd_plan;
struct vnicd_socket;
struct vnicd_peers;
struct vnicd_capture;

/* Who asks at the control socket. */
struct vnicd_asker {
	bool owner; /* root or vnicd's own user */
	uint32_t user;
};

struct vnicd {
	struct conf conf;
	struct vnic_control *control;
	struct vnicd_adapter adapter[CONF_ADAPTERS_MAX];
	struct vnicd_face face[CONF_FACES_MAX];
	struct vnicd_lcore lcore[RTE_MAX_LCORE];
	unsigned int control_lcore;
	struct vnicd_plan *plan;
	_Atomic bool plan_runs;
	uint32_t nb_made; /* faces so far: their numbers */
	struct vnicd_gone gone;
	int argc; /* the configuration's part of the command line, to be read again */
	char **argv;
	struct vnicd_socket *socket; /* NULL: none */
	struct relays *relays; /* NULL: no memif port */
	struct vnicd_peers *peers;
	struct vnicd_capture *capture; /* NULL: there was none */
	struct vnicd_asker asker; /* main thread, while it answers what changes something */
	char why[VNICD_LINE]; /* the line of the step that failed */
};

/* build.c: what the configuration names, from ports to faces, and its end. */
/* The i-th of each; -1 and d->why has a line, what was made of it is there to be closed. */
int vnicd_adapter_open(struct vnicd *d, uint32_t i);
int vnicd_face_open(struct vnicd *d, uint32_t i);
int vnicd_adapter_create(struct vnicd *d, uint32_t i); /* nobody polls the control */
int vnicd_face_create(struct vnicd *d, uint32_t i);
/* Would its port be polled as the configuration has it? */
bool vnicd_adapter_receives(const struct vnicd *d, uint32_t i);
/* A line for each thing that works and is hardly meant. */
void vnicd_faces_check(const struct vnicd *d);
int vnicd_ports_open(struct vnicd *d);
/* When no lcore polls, before what lies between the ports goes: see vnic_ports_close(). Once. */
void vnicd_ports_close(struct vnicd *d);
int vnicd_adapters_create(struct vnicd *d);
void vnicd_adapters_destroy(struct vnicd *d);
int vnicd_faces_create(struct vnicd *d);
void vnicd_faces_destroy(struct vnicd *d);

/* link.c: tell the faces' ports when their adapter's link has changed; a line for each. */
void vnicd_links_pass(struct vnicd *d);
/* A line for each face whose MTU its adapter does not take. */
void vnicd_links_compare(const struct vnicd *d);

/* states.c: a line for each adapter that has come to another state, or has reset itself. */
void vnicd_states_tell(struct vnicd *d);

/* lcores.c */
int vnicd_lcores_choose(struct vnicd *d);
/* The same for one adapter, beside those before it and those that run already. */
int vnicd_lcore_choose(struct vnicd *d, uint32_t i);
/* Each lcore polls what now is its own, without what leaves, and knows nothing else any more when the
 * call returns; the control lcore serves the control or only waits. Lcores begin and end so. */
void vnicd_lcores_assign(struct vnicd *d, bool control);
int vnicd_lcores_start(struct vnicd *d);
void vnicd_lcores_stop(struct vnicd *d);
/* One round of the main lcore's own polling, if it has any; returns the work done. */
uint32_t vnicd_lcores_poll_main(struct vnicd *d);
/* Has the main lcore anything to poll? */
bool vnicd_lcores_main_polls(const struct vnicd *d);
/* Every lcore has begun and ended a round since the call. */
void vnicd_lcores_quiesce(struct vnicd *d);

/* plan.c: cancels for demonstration and measurement. */
int vnicd_plan_create(struct vnicd *d);
/* When the control lcore does not poll it: its cancels are over when the call returns. */
void vnicd_plan_end(struct vnicd *d);
void vnicd_plan_destroy(struct vnicd *d);
/* control lcore */
uint32_t vnicd_plan_poll(struct vnicd_plan *plan);

/* main.c: has a signal asked to end; a second one to end at once? */
bool vnicd_ending(void);
bool vnicd_hurried(void);
/* Look once after what is the main thread's, but for changes and polling: clients, peers, links, states,
 * captures; wait up to `wait_ms` if there is nothing to do. */
void vnicd_attend(struct vnicd *d, int wait_ms);

/* socket.c: the control socket, if the configuration has one. */
int vnicd_socket_open(struct vnicd *d);
/* Nobody comes any more, what pends is cancelled; who waits for it is answered until the close. */
void vnicd_socket_end(struct vnicd *d);
void vnicd_socket_close(struct vnicd *d);
/* Answer who has asked for something that is over. */
void vnicd_socket_answer(struct vnicd *d);
/* Serve it, waiting for something to do up to `wait_ms`; false: it has not waited. */
bool vnicd_socket_poll(struct vnicd *d, int wait_ms);
/* What clients want to change; a reload serves the socket meanwhile. */
void vnicd_socket_change(struct vnicd *d);

/* peers.c: those on the other side of the ports, who come and go. */
struct vnicd_peer_stats {
	uint64_t here;       /* 1: attached, or the link is up */
	uint64_t came, left;
	uint64_t taken_back; /* packets that were queued when it left */
	uint64_t refused;    /* peers that did not keep to memif's rules */
};
/* What a port is to be made of, `own` if a relay minds its peers; NULL: `why` says why not. */
const char *vnicd_peers_devargs(struct vnicd *d, const char *devargs, struct relay **relay,
				char own[RELAY_DEVARGS], char *why, size_t len);
int vnicd_peers_open(struct vnicd *d);
/* Of one face, or of an adapter's port, when it has come; before it goes, while all is polled still: what is
 * being taken back is waited for; and when nobody polls it. */
int vnicd_peers_add_face(struct vnicd *d, struct vnicd_face *f);
void vnicd_peers_add_adapter(struct vnicd *d, uint32_t first);
void vnicd_peers_settle(struct vnicd *d, uint16_t port);
void vnicd_peers_remove(struct vnicd *d, uint16_t port);
/* An adapter that goes: it may have shared the port of one that stays. */
void vnicd_peers_forget(struct vnicd *d, const struct vnic_adapter *adapter);
/* The daemon's adapters and faces have moved. */
void vnicd_peers_follow(struct vnicd *d);
/* When no lcore polls. */
void vnicd_peers_close(struct vnicd *d);
/* Look after them, waiting for something to do up to `wait_ms`; false: it cannot wait. */
bool vnicd_peers_poll(struct vnicd *d, int wait_ms);
/* Readable when there is something to do; -1: none. */
int vnicd_peers_fd(const struct vnicd *d);
/* Telemetry's threads too: counts that may be apart. False: no such face. */
bool vnicd_peer_stats(const struct vnicd *d, const char *face, struct vnicd_peer_stats *copy);

/* pdump.c: dpdk-dumpcap, dpdk-pdump may attach, if EAL lets other processes in. */
int vnicd_pdump_start(struct vnicd *d);
void vnicd_pdump_stop(struct vnicd *d);

/* shutdown.c: stop receiving, drain or cancel what is queued, within the bound. */
void vnicd_shutdown(struct vnicd *d);

/* telemetry.c: commands of DPDK's telemetry socket; they run in its threads. */
int vnicd_telemetry_start(struct vnicd *d);
/* Between the two none of them looks at the daemon, which may change. */
void vnicd_telemetry_keep_out(struct vnicd *d);
void vnicd_telemetry_let_in(void);
void vnicd_telemetry_stop(struct vnicd *d);

/* report.c */
void vnicd_report_progress(struct vnicd *d, uint64_t second);
/* An adapter that nobody polls is about to be destroyed: keep its counts. */
void vnicd_report_keep(struct vnicd *d, uint32_t adapter);
void vnicd_report_keep_face(struct vnicd *d, const struct vnic_face *face);
/* Tables, histogram, the report's files, the account as the last line; true when it
 * balances. */
bool vnicd_report_final(struct vnicd *d);

#endif
