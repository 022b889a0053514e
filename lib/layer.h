/* SPDX-License-Identifier: BSD-3-Clause
 * layer.h - the lower edge of an intermediate adapter: bindings to lower adapters
 *
 * Data thread of the layer, but for its creation. Each NBL that goes down is a clone with its
 * parent's id. The clone remembers its parent, the parent's sender and position there; the
 * parent counts its clones.
 *
 * The control thread looks at the clone of a queued entry before it is sure that the entry is
 * still there: the clone may be another parent's by now. So what it reads are atomics, and
 * counts only if it then gets the entry; and parent and sender are one word, for what another
 * sender has sent need not be a clone itself, and its memory is not the library's to read.
 */
#ifndef VNIC_LAYER_H
#define VNIC_LAYER_H

#include "nbl.h"
#include "queue.h"

#define VNIC__LOWER_MAX 8

struct vnic__binding {
	struct vnic_adapter *lower;
	struct vnic_client *client;
	struct vnic_sender *sender;
};

struct vnic__layer {
	uint32_t nb;
	uint16_t max_packets; /* of an NBL */
	struct vnic__binding binding[VNIC__LOWER_MAX];
	struct vnic_nbl_pool *nbls;  /* clones */
	struct rte_mempool *packets; /* clones of packets, where there is more than one binding */
	_Atomic uint32_t below;      /* NBLs that are with lower adapters */
};

/* Setup: bind `a` to conf's lower adapters. 0, or a negative errno value and nothing is left. */
int vnic__layer_create(struct vnic_adapter *a, const struct vnic_adapter_conf *conf);
void vnic__layer_free(struct vnic__layer *layer);
/* Setup, or the data thread: do ports still have clones of packets? */
bool vnic__layer_packets_out(const struct vnic__layer *layer);

/* Take what has come back from below, complete the parents whose clones all have; returns how
 * many clones. */
uint32_t vnic__layer_poll(struct vnic_adapter *a);
/* Hand down staged NBLs of at most about `max` packets and *max_bytes bytes, which is then what
 * they had; returns how many packets. */
uint32_t vnic__layer_hand_down(struct vnic_adapter *a, struct vnic_sender *s, uint32_t max,
			       uint64_t *max_bytes);

/* ---- a clone's way back to its parent ---- */

/* A parent's address leaves room for its sender's slot. */
#define VNIC__SLOT_MASK ((UINT64_C(1) << VNIC__NBL_UNIT_SHIFT) - 1)
_Static_assert(VNIC_SENDERS_MAX <= VNIC__SLOT_MASK + 1, "a slot fits");

struct vnic__above {
	struct vnic_nbl *parent;
	uint32_t slot; /* of its sender */
};

static inline struct vnic__above vnic__above(const struct vnic_nbl *clone)
{
	/* relaxed: see above */
	uint64_t word = atomic_load_explicit((const _Atomic uint64_t *)&clone->cookie,
					     memory_order_relaxed);

	return (struct vnic__above){(struct vnic_nbl *)(uintptr_t)(word & ~VNIC__SLOT_MASK),
				    (uint32_t)(word & VNIC__SLOT_MASK)};
}

static inline void vnic__clone_set(struct vnic_nbl *clone, struct vnic_nbl *parent, uint32_t slot,
				   uint64_t pos)
{
	/* relaxed: published with the clone */
	atomic_store_explicit((_Atomic uint64_t *)&clone->cookie, (uintptr_t)parent | slot,
			      memory_order_relaxed);
	atomic_store_explicit((_Atomic uint64_t *)&clone->reserved64, pos, memory_order_relaxed);
}

/* Did the NBL come another way than the cancel, from another client of an adapter between, or
 * was it sent to the top adapter only after the cancel had been called there? */
static inline bool vnic__take_spares(const struct vnic__take *take, const struct vnic_nbl *nbl)
{
	struct vnic__above above = vnic__above(nbl);
	uint64_t pos;

	for (uint32_t d = take->depth; d > 1; d--) {
		if (above.slot != take->path[d - 1])
			return true;
		nbl = above.parent;
		above = vnic__above(nbl);
	}
	/* relaxed: see above */
	pos = atomic_load_explicit((const _Atomic uint64_t *)&nbl->reserved64, memory_order_relaxed);
	return above.slot >= take->nb_marks || (int64_t)(pos - take->mark[above.slot]) >= 0;
}

/* An NBL was taken: count it, or the one at the top whose clone it is, once; what a sweep
 * brings back does not count as cancelled. */
static inline void vnic__take_note(const struct vnic__take *take, struct vnic_nbl *nbl,
				   struct vnic_count *count)
{
	for (uint32_t d = take->depth; d > 0; d--)
		nbl = vnic__above(nbl).parent;
	/* relaxed: only who is first; another clone may be taken on another thread */
	if (take->depth != 0 && take->status == VNIC_STATUS_SEND_ABORTED &&
	    atomic_fetch_or_explicit((_Atomic uint16_t *)&nbl->reserved16, VNIC__NBL_TAKEN,
				     memory_order_relaxed) & VNIC__NBL_TAKEN)
		return;
	count->nbls++;
	count->packets += nbl->nb_packets;
}

#endif
