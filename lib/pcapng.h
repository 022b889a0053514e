/* SPDX-License-Identifier: BSD-3-Clause
 * pcapng.h - blocks of a capture file in pcapng, into memory
 *
 * Why not by rte_pcapng: in DPDK 22.11 rte_pcapng_copy() makes a packet's block with a direction and
 * a queue, and has no parameter for a comment, which is where a packet's fate and id stand; only a
 * file and a port's statistics have one. Its interfaces are the ethdev ports that there are when the
 * file is begun, under their own names, not faces. From 23.03 on it takes a comment, and names for
 * interfaces. So these few blocks are made here; each call writes one whole block at `at` if that has
 * room for it: its bytes, or 0.
 *
 * Any thread.
 */
#ifndef VNIC_PCAPNG_H
#define VNIC_PCAPNG_H

#include <stddef.h>
#include <stdint.h>

#define VNIC__PCAPNG_COMMENT 128 /* bytes of a comment, at most */
#define VNIC__PCAPNG_OUTBOUND 2u

struct vnic__pcapng_packet {
	uint32_t interface; /* number of its block, from 0 */
	uint64_t time_ns;   /* since 1970 */
	uint32_t bytes, wire_bytes; /* here, and of the frame */
	const void *data;
	const char *comment;
};

/* The section's header, the first block. */
size_t vnic__pcapng_section(void *at, size_t room, const char *application);
/* Before the first packet of the interface; Ethernet, times in ns. */
size_t vnic__pcapng_interface(void *at, size_t room, const char *name, uint32_t snaplen);
size_t vnic__pcapng_packet(void *at, size_t room, const struct vnic__pcapng_packet *packet);
/* After the last: packets that the interface had, and those of them that are not in the file. */
size_t vnic__pcapng_statistics(void *at, size_t room, uint32_t interface, uint64_t time_ns,
			       uint64_t packets, uint64_t lost);

#endif
