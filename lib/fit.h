/* SPDX-License-Identifier: BSD-3-Clause
 * fit.h - packets that the lower port cannot take as they are
 *
 * Data thread; the test itself runs in the sender's thread. A frame shorter than 60 bytes
 * leaves zero-padded, one with offloads that the port lacks has them done (see offload.h): in
 * its own buffer if nobody else holds that and it has the room, else in a copy. A chain of
 * more buffers than the port takes leaves as a copy. What the port refuses is put back as it
 * was, so that an abort returns the sender's packet untouched.
 */
#ifndef VNIC_FIT_H
#define VNIC_FIT_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_mbuf.h>

#include "offload.h"

#define VNIC__FRAME_MIN 60u

struct vnic__fit {
	const struct vnic__offload *offload;
	struct rte_mempool *copies;
};

/* A field of a packet in place, as it was. */
struct vnic__field {
	uint16_t at; /* 0: none */
	uint16_t was;
};

/* One packet handed down in place of another. */
struct vnic__fitted {
	struct rte_mbuf *packet; /* the sender's */
	struct rte_mbuf *given;  /* what the port is given: itself, or a copy */
	uint16_t padding;        /* bytes appended to `given` */
	bool offloaded;          /* done here: a tag, a checksum */
	bool changed;            /* what follows is of a packet that was changed in place */
	bool tagged;
	struct vnic__field field[2];
	uint64_t ol_flags;
	uint64_t tx_offload;
};

int vnic__fit_init(struct vnic__fit *fit, const struct vnic__offload *offload, uint32_t nb_copies,
		   int numa_node);
void vnic__fit_fini(struct vnic__fit *fit);

static inline bool vnic__fit_needed(const struct rte_mbuf *m, uint16_t max_segs)
{
	return m->pkt_len < VNIC__FRAME_MIN || m->nb_segs > max_segs || vnic__offload_asked(m);
}

/* What a packet may have at most to leave as it is. In locals, which no store to an NBL can
 * alias. */
struct vnic__plain {
	uint32_t more_than_min; /* pkt_len, from FRAME_MIN on */
	uint32_t segs;
};

static inline struct vnic__plain vnic__plain_of(uint32_t max_untagged, uint16_t max_segs)
{
	return (struct vnic__plain){.more_than_min = max_untagged - VNIC__FRAME_MIN, .segs = max_segs};
}

/* Nor has it anything asked of the port. */
static inline bool vnic__plain(const struct vnic__plain *plain, const struct rte_mbuf *m)
{
	return !((m->pkt_len - VNIC__FRAME_MIN > plain->more_than_min) | (m->nb_segs > plain->segs) |
		 vnic__offload_asked(m));
}

/* Fills *f for packet m, needed or not: VNIC_STATUS_SUCCESS. Else the packet is as it was:
 * PENDING, it is not one frame, see segments.h; RESOURCES, no copy could be had; others as of
 * vnic__offload_read(). */
uint32_t vnic__fit_make(struct vnic__fit *fit, struct rte_mbuf *m, struct vnic__fitted *f);
/* The port has taken f->given. */
void vnic__fit_taken(const struct vnic__fitted *f);
/* The port has not. */
void vnic__fit_undo(const struct vnic__fitted *f);

#endif
