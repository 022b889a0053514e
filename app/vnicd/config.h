/* SPDX-License-Identifier: BSD-3-Clause
 * config.h - what vnicd is told: one table of options for the file, the command line,
 * --help and the reference page
 *
 * Main thread only.
 */
#ifndef VNICD_CONFIG_H
#define VNICD_CONFIG_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <vnic.h>

#define CONF_ADAPTERS_MAX 16
#define CONF_FACES_MAX 16
#define CONF_LOWER_MAX 8
#define CONF_LIST_MAX 64
#define CONF_MACS_MAX 8
#define CONF_TEXT 256
#define CONF_NAME 24

enum conf_shutdown { CONF_SHUTDOWN_CANCEL, CONF_SHUTDOWN_DRAIN };
enum conf_plan { CONF_PLAN_QUEUED, CONF_PLAN_RANDOM, CONF_PLAN_LIST };

/* [vnicd] */
struct conf_global {
	uint64_t seconds;        /* 0: until a signal */
	uint64_t shutdown;       /* enum conf_shutdown */
	uint64_t drain_ms;       /* bound of a drain; what is left then is cancelled */
	uint64_t progress;       /* 0 or 1: a line per second */
	char report[CONF_TEXT];  /* folder for the report's files, "" none */
	char control[CONF_TEXT]; /* path of the control socket, "" none */
	char control_operators[CONF_TEXT]; /* users and @groups, "" none; see role.h */
	char control_readers[CONF_TEXT];
	char captures[CONF_TEXT]; /* folder for operators' captures, "" none */
	int64_t control_lcore;   /* -1: chosen */
	uint64_t log_level;      /* enum say_level */
};

/* [adapter NAME] */
struct conf_adapter {
	char name[CONF_NAME];
	char port[CONF_TEXT];
	char shares[CONF_NAME];  /* an adapter whose port it shares, instead of a port of its own */
	uint32_t shares_index;   /* filled after all is read, like the next: its own, if it has one */
	uint32_t tx_queue;       /* of the port */
	uint32_t nb_shares;      /* adapters that share its port */
	char lower[CONF_TEXT];   /* adapters below, instead of a port */
	uint32_t lower_index[CONF_LOWER_MAX]; /* filled after all is read */
	uint32_t nb_lower;
	uint64_t lower_depth;
	uint64_t lower_packets;
	uint64_t queues;
	uint64_t depth;
	uint64_t burst;
	uint64_t packets_per_s;
	uint64_t bits_per_s;
	uint64_t burst_packets;
	uint64_t in_flight;
	uint64_t max_frame;
	uint64_t mtu;
	uint64_t hang_s;
	uint64_t receive;        /* 0 or 1, like the next two */
	uint64_t local;
	uint64_t learn;
	int64_t lcore;
	int64_t numa_node;
};

/* [face NAME] */
struct conf_face {
	char name[CONF_NAME];
	char port[CONF_TEXT];
	char adapter[CONF_NAME]; /* "": the only one */
	uint32_t adapter_index;  /* filled after all is read */
	char id[CONF_TEXT];      /* rules, "": flow */
	struct vnic_idrule rule[VNIC_IDRULES_MAX]; /* filled after all is read */
	uint32_t nb_rules;
	uint64_t nbl_packets;
	uint64_t burst;
	uint64_t queues;
	uint64_t mbufs;          /* rx buffers of the port; 0: chosen from the depth */
	uint64_t mtu;
	uint64_t receive;        /* 0 or 1; see conf_face_receives() */
	char mac[CONF_TEXT];     /* addresses separated by commas, "" none */
	uint8_t macs[CONF_MACS_MAX][6]; /* filled after all is read */
	uint32_t nb_macs;
	int64_t vlan;
	uint64_t direct;         /* 0 or 1 */
	uint64_t promiscuous;    /* 0 or 1 */
	uint64_t receive_depth;
	uint64_t weight;
	uint64_t limit;        /* NBLs outstanding; 0: none */
	uint64_t cancel_limit; /* a second; 0: none */
};

/* [plan] */
struct conf_plan_section {
	uint64_t cancels_per_s; /* 0: no plan */
	uint64_t ids;           /* enum conf_plan */
	char list[CONF_TEXT];   /* ids, decimal or 0x..., separated by commas */
	uint64_t list_id[CONF_LIST_MAX];
	uint32_t list_len;
	char adapter[CONF_NAME]; /* "": each in turn */
	uint64_t seed;
};

struct conf {
	char path[CONF_TEXT];
	struct conf_global global;
	struct conf_plan_section plan;
	struct conf_adapter adapter[CONF_ADAPTERS_MAX];
	struct conf_face face[CONF_FACES_MAX];
	uint32_t nb_adapters;
	uint32_t nb_faces;
};

/* Does its adapter receive for this face? */
static inline bool conf_face_receives(const struct conf *conf, const struct conf_face *face)
{
	const struct conf_adapter *a = &conf->adapter[face->adapter_index];

	return face->receive && a->nb_lower == 0 && ((a->receive && a->shares[0] == '\0') || a->local);
}

enum conf_action { CONF_RUN, CONF_EXIT_OK, CONF_EXIT_ERROR };

/* Read the command line behind EAL's `--` (argv[0] is the program) and the file it names.
 * `conf` is complete on CONF_RUN only. On CONF_EXIT_ERROR one line with file, line, cause
 * and what is allowed went to `err`; on CONF_EXIT_OK (--help, --reference, --version) the
 * text went to `out`. */
enum conf_action conf_read(struct conf *conf, int argc, char **argv, FILE *out, FILE *err);

#endif
