/* SPDX-License-Identifier: BSD-3-Clause
 * direct.c - packets straight to the lower port, when nothing waits on the adapter
 *
 * The thread that polls both the sender and its adapter. What it would put into an empty queue and
 * claim in the same round needs neither NBL nor id: no cancel could come between. It is behind
 * the sender's door meanwhile, as if it were queued: who closes the gate waits for it. What is not
 * plain, and what the port does not take, is queued.
 */
#include "adapter.h"
#include "transmit.h"

#include <rte_branch_prediction.h>

/* A pace leaves packets waiting; a lower adapter wants NBLs. */
static inline bool may(const struct vnic_adapter *a, const struct vnic_sender *s)
{
	return a->idle && !a->kept_out && a->layer == NULL && !vnic__pacer_limits(&a->pacer) &&
	       s->producer.pos == s->consumer.head && vnic__ring_staged(&s->consumer) == 0 &&
	       /* relaxed: as in poll_sender() */
	       !atomic_load_explicit(&a->gone, memory_order_relaxed);
}

/* How many from the front can leave as they are. */
static inline uint16_t plain_ones(const struct vnic_sender *s, struct rte_mbuf *const *packet,
				  uint16_t n)
{
	const struct vnic__plain plain = vnic__plain_of(s->max_untagged, s->max_segs);
	uint16_t k = 0;

	while (k < n && likely(vnic__plain(&plain, packet[k])))
		k++;
	return k;
}

/* Accepted first: a cut between shows them queued, never sent and not accepted. */
static inline void count(struct vnic_sender *s, uint32_t n)
{
	s->p_count[P_ACCEPTED_NBLS] += n;
	s->p_count[P_ACCEPTED_PACKETS] += n;
	vnic__account_write(&s->p_account, s->p_count, P_HOT);
	s->c_count[C_PASSED_NBLS] += n;
	s->c_count[C_CLAIMED_PACKETS] += n;
	s->c_count[C_SENT_NBLS] += n;
	s->c_count[C_SENT_PACKETS] += n;
	vnic__publish_counts(s);
}

uint16_t vnic__direct(struct vnic_sender *s, struct rte_mbuf **packet, uint16_t n)
{
	struct vnic_adapter *a = s->adapter;
	uint16_t taken;

	if (!may(a, s))
		return 0;
	n = plain_ones(s, packet, (uint16_t)vnic__inflight_room(&a->inflight, n));
	if (n == 0 || vnic__door_enter(&s->door, s->gate) != VNIC_STATUS_SUCCESS)
		return 0;
	taken = (uint16_t)vnic__give_down(a, s, packet, n);
	if (unlikely(taken < n))
		vnic__refused(a, s);
	count(s, taken);
	vnic__door_leave(&s->door);
	return taken;
}
