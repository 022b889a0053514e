/* SPDX-License-Identifier: BSD-3-Clause
 * wire.h - the lower ports of the measurements
 *
 * Main thread, but for a ring's turn.
 */
#ifndef BENCH_WIRE_H
#define BENCH_WIRE_H

#include <stdint.h>

struct rte_ring;

/* A net_null port: it takes all, and frees it. -1: said. */
int wire_null_open(uint16_t *port);
void wire_close(uint16_t port);

/* A net_ring port with so many descriptors, from which a wire takes one packet after the other
 * at its pace. The thread that plays data hands down and calls wire_ring_turn(). */
struct wire_ring {
	uint16_t port;
	struct rte_ring *ring;
	double ticks;  /* TSC, of a packet */
	uint64_t turn; /* when the wire was last looked at, less what it has to go on with */
	uint64_t left; /* packets that have left */
};

/* -1: said. size: a number of descriptors. */
int wire_ring_open(struct wire_ring *w, uint32_t size, uint64_t packets_per_s);
/* What has left meanwhile is freed. */
void wire_ring_turn(struct wire_ring *w);
/* Main thread, while nobody hands down: packets that are still held. */
uint32_t wire_ring_held(const struct wire_ring *w);
void wire_ring_close(struct wire_ring *w);

#endif
