/* SPDX-License-Identifier: BSD-3-Clause
 * pair.h - a program under test, and the peer that sends into its upper port
 *
 * Main thread. Both are held still but for the time they are measured, so that pairs can take
 * turns in short slices.
 */
#ifndef BENCH_PAIR_H
#define BENCH_PAIR_H

#include "child.h"
#include "telemetry.h"

/* Where pairs live. */
struct pair_site {
	char folder[64];          /* ours: sockets, logs, configurations */
	char vnicd[CHILD_PATH], testpmd[CHILD_PATH];
	int cpu_peer, cpu_data;
	int cpu_control;          /* -1: control shares the data lcore */
	cpu_set_t cpus;           /* all of these */
	bool huge;
	char imix[CHILD_PATH], small[CHILD_PATH]; /* captures of the mix, of 64-byte frames */
};

/* What is below. */
enum pair_lower {
	PAIR_NULL,  /* net_null */
	PAIR_ALIKE, /* a port of the same kind, out of which the peer takes what it has sent */
	PAIR_BOTH,  /* the same, and it sends into both */
};

/* A kind of upper port. */
struct pair_port {
	const char *name;
	const char *device, *peer; /* devargs of either end, with %d for a number and %s for the place;
				    * the latter NULL: the device replays a capture and needs no peer */
	const char *peer_huge;     /* more for the peer's on hugepages, and for vnicd's */
	bool queued;               /* vnicd's face is not direct */
	bool veth;                 /* places are the ends of a veth pair, else a socket */
	enum pair_lower lower;
};

enum pair_device { PAIR_VNICD, PAIR_TESTPMD, PAIR_CANCELS, PAIR_DEVICES };

struct pair {
	const struct pair_site *site;
	const struct pair_port *port;
	enum pair_device device;
	bool imix;
	bool wired;                   /* a veth pair is there */
	char place[2][2][CHILD_PATH]; /* of the upper port, the lower: the device's end, the peer's */
	struct child dev, peer;
	struct telemetry to_dev, to_peer;
	/* over the slices since they were last set to 0 */
	uint64_t packets, cancels;
	double wall, seconds; /* the latter without a peer: of the data lcore's own CPU time */
};

/* What a program is called in tables, and in files. */
const char *pair_device_name(enum pair_device device);
const char *pair_device_key(enum pair_device device);

/* Start both, see traffic go through, hold them. -1: said; the pair is to be closed anyway. */
int pair_open(struct pair *p, const struct pair_site *site, const struct pair_port *port,
	      enum pair_device device, bool imix);
/* Let them run so long. -1: said. */
int pair_slice(struct pair *p, unsigned int ms);
/* Empty the port between them and compare what went in with what came out; a veth pair may have
 * lost some. -1: it does not add up: said. */
int pair_check(struct pair *p);
/* End both. -1: the device found its own account wrong, or would not end: said. */
int pair_close(struct pair *p);

/* imix.c: a capture file; -1: said. */
int imix_write(const char *path, bool small);
/* veth.c: an interface pair, and its end; -1: said. */
int veth_make(const struct pair_site *site, const char *a, const char *b);
void veth_remove(const struct pair_site *site, const char *a);

#endif
