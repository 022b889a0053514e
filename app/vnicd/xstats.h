/* SPDX-License-Identifier: BSD-3-Clause
 * xstats.h - an adapter's counts under names in DPDK's form: tx_good_packets, tx_q0_aborted_packets
 *
 * A queue is a face, in the order of the configuration. Any thread.
 */
#ifndef VNICD_XSTATS_H
#define VNICD_XSTATS_H

#include <stdint.h>

#define XSTATS_NAME 48
#define XSTATS_MAX 250 /* of an adapter: what an answer of telemetry holds */

struct vnicd;

struct xstat {
	char name[XSTATS_NAME];
	uint64_t value;
};

/* How many; the adapter's number is its place in the configuration. */
uint32_t xstats_get(const struct vnicd *d, uint32_t adapter, struct xstat xstats[XSTATS_MAX]);

#endif
