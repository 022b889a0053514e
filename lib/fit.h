/* SPDX-License-Identifier: BSD-3-Clause
 * fit.h - packets that the lower port cannot take as they are
 *
 * Data thread; the test itself runs in the sender's thread. A frame shorter than 60 bytes
 * leaves zero-padded: in its own tail room if nobody else holds the buffer, else in a
 * copy. A chain for a port that takes no chains leaves as a copy. What the port refuses
 * is put back as it was, so that an abort returns the sender's packet untouched.
 */
#ifndef VNIC_FIT_H
#define VNIC_FIT_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_mbuf.h>

#define VNIC__FRAME_MIN 60u

struct vnic__fit {
	struct rte_mempool *copies;
	bool linear_only;
};

/* One packet handed down in place of another. */
struct vnic__fitted {
	struct rte_mbuf *packet; /* the sender's */
	struct rte_mbuf *given;  /* what the port is given: itself, or a copy */
	uint16_t padding;        /* bytes appended to `given` */
};

int vnic__fit_init(struct vnic__fit *fit, uint32_t max_frame, bool linear_only, uint32_t nb_copies,
		   int numa_node);
void vnic__fit_fini(struct vnic__fit *fit);

static inline bool vnic__fit_needed(const struct rte_mbuf *m, bool linear_only)
{
	return m->pkt_len < VNIC__FRAME_MIN || (linear_only && m->nb_segs > 1);
}

/* Fills *f for packet m, needed or not; false when no copy could be had. */
bool vnic__fit_make(struct vnic__fit *fit, struct rte_mbuf *m, struct vnic__fitted *f);
/* The port has taken f->given. */
void vnic__fit_taken(const struct vnic__fitted *f);
/* The port has not. */
void vnic__fit_undo(const struct vnic__fitted *f);

#endif
