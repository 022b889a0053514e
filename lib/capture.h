/* SPDX-License-Identifier: BSD-3-Clause
 * capture.h - what a face has to do with a capture
 *
 * A tap is one face's part of a capture. The poller of the face copies each packet that it takes,
 * remembers the copy in the NBL's cookie, and gives it to the capture's reader with the NBL's
 * status; the reader gives it back empty. Both ways are rings of one producer and one consumer
 * that hold all copies there are. Where there is no tap it costs the poller a load and a branch a
 * poll.
 *
 *   R25/A25  hook: the tap as it was made
 *   R26/A26  ended: all that the poller did with the tap
 *   the rings order what lies in a copy
 */
#ifndef VNIC_CAPTURE_H
#define VNIC_CAPTURE_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <rte_branch_prediction.h>

struct vnic_face;
struct vnic_nbl;
struct vnic__tap;

#define VNIC__TAP_ENDING ((uintptr_t)1)

/* In the face. */
struct vnic__hook {
	_Atomic uintptr_t tap; /* 0: none; with ENDING: the poller is to let go of it */
	uint32_t generation;   /* of taps that it had, so that old cookies are known; setup */
};

struct vnic__hook *vnic__face_hook(struct vnic_face *face, int *numa_node);

/* Poller: let go of a tap that ends, NULL, or use it. */
struct vnic__tap *vnic__tap_look(struct vnic__hook *hook, uintptr_t tap);

/* Poller, at the top of its poll: the tap to use in it, NULL: none. */
static inline struct vnic__tap *vnic__hook_tap(struct vnic__hook *hook)
{
	/* A25 <- R25 */
	uintptr_t tap = atomic_load_explicit(&hook->tap, memory_order_acquire);

	return likely(tap == 0) ? NULL : vnic__tap_look(hook, tap);
}

/* Poller: NBLs that are about to be sent; those that are complete, with their packets' array. */
void vnic__tap_take(struct vnic__tap *tap, struct vnic_nbl *const *nbl, uint32_t n);
void vnic__tap_complete(struct vnic__tap *tap, struct vnic_nbl *const *nbl, uint32_t n);
/* Setup, when nobody polls the face any more, before it goes. */
void vnic__hook_cut(struct vnic__hook *hook);

#endif
