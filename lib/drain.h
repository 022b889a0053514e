/* SPDX-License-Identifier: BSD-3-Clause
 * drain.h - waiting until what was sent before has left
 *
 * Control thread.
 */
#ifndef VNIC_DRAIN_H
#define VNIC_DRAIN_H

#include "ticket.h"

/* Waiting for what was sent before: a round covers what was sent before it began. */
struct vnic__drain {
	uint64_t wanted, begun, ended; /* rounds */
	enum { DRAIN_IDLE, DRAIN_OWN, DRAIN_LOWER, DRAIN_BARRIER } phase;
	uint32_t nb_senders;
	uint64_t mark[VNIC_SENDERS_MAX];
	uint64_t lower_round[8];
	struct vnic_ticket barrier;
};

/* The round that r is to wait for becomes its argument. */
void vnic__drain_ask(struct vnic_adapter *a, struct vnic_request *r);
/* Nothing is outstanding: a round under way is over. */
void vnic__drain_forget(struct vnic__drain *d);
bool vnic__drain_step(struct vnic_adapter *a);
bool vnic__drain_at_rest(const struct vnic__drain *d);

#endif
