/* SPDX-License-Identifier: BSD-3-Clause
 * memif.h - memif's control messages, as they stand on the wire
 *
 * The memif server listens and says HELLO; the client answers INIT, then names its regions of
 * memory and the rings in them, each acknowledged, then CONNECT, and is answered CONNECTED. After
 * that there is nothing more to say but DISCONNECT. A region and a ring come with a descriptor.
 */
#ifndef VNICD_MEMIF_H
#define VNICD_MEMIF_H

#include <assert.h>
#include <stdint.h>

#include <rte_common.h>

enum { MEMIF_ACK = 1, MEMIF_HELLO, MEMIF_INIT, MEMIF_ADD_REGION, MEMIF_ADD_RING, MEMIF_CONNECT,
       MEMIF_CONNECTED, MEMIF_DISCONNECT };

#define MEMIF_VERSION 0x200
#define MEMIF_REGIONS_MAX 64 /* a few of a client; one for each kind of its memory with zero copy */
#define MEMIF_RINGS_MAX 32   /* each way */
#define MEMIF_LOG2_RING_MAX 14
#define MEMIF_RING_C2S 1    /* a ring's flag: from the client to the server */
#define MEMIF_RING_HEAD 128 /* bytes before its descriptors, */
#define MEMIF_RING_SLOT 16  /* and of each */
#define MEMIF_SECRET 24
#define MEMIF_SOCKET "/run/memif.sock" /* where net_memif's is, unless told */

struct memif_message {
	uint16_t type;
	union {
		struct __rte_packed {
			uint8_t name[32];
			uint16_t min_version, max_version, max_region, max_s2c_ring, max_c2s_ring;
			uint8_t max_log2_ring;
		} hello;
		struct __rte_packed {
			uint16_t version;
			uint32_t id;
			uint8_t mode; /* 0: Ethernet */
			char secret[MEMIF_SECRET];
			char name[32];
		} init;
		struct __rte_packed {
			uint16_t index;
			uint64_t size;
		} region;
		struct __rte_packed {
			uint16_t flags, index, region;
			uint32_t offset;
			uint8_t log2_ring;
			uint16_t private_head;
		} ring;
		struct __rte_packed {
			uint32_t code;
			char text[96];
		} disconnect;
		uint8_t room[126];
	};
} __rte_packed;

static_assert(sizeof(struct memif_message) == 128, "memif's");

#endif
