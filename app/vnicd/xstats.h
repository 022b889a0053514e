/* SPDX-License-Identifier: BSD-3-Clause
 * xstats.h - counts under names in DPDK's form: tx_good_packets, tx_q0_aborted_packets
 *
 * A queue is a face, in the order of the configuration. vnic-exporter --metrics has them all. Any
 * thread.
 */
#ifndef VNICD_XSTATS_H
#define VNICD_XSTATS_H

#include <stdint.h>

#define XSTATS_NAME 48
#define XSTATS_MAX 250 /* of an adapter: what an answer of telemetry holds */

struct vnicd;
struct vnicd_face;

struct xstat {
	char name[XSTATS_NAME];
	uint64_t value;
};

/* How many there are; the adapter's number is its place in the configuration. */
uint32_t xstats_of_adapter(const struct vnicd *d, uint32_t adapter,
			   struct xstat xstats[XSTATS_MAX]);
/* More of one face, and without the number of a queue. */
uint32_t xstats_of_face(const struct vnicd_face *face, struct xstat xstats[XSTATS_MAX]);

#endif
