/* SPDX-License-Identifier: BSD-3-Clause
 * idrule.h - a face's list of rules that make cancel ids
 *
 * Any thread; a list is constant while it is used.
 */
#ifndef VNIC_IDRULE_H
#define VNIC_IDRULE_H

#include "vnic.h"

struct vnic__idrules {
	uint64_t prefix; /* in place */
	uint32_t nb;
	struct vnic_idrule rule[VNIC_IDRULES_MAX];
};

/* Where matches are counted: those of each rule, and of none. */
#define VNIC__UNMARKED VNIC_IDRULES_MAX
#define VNIC__MATCHES (VNIC_IDRULES_MAX + 1)

/* Fill the list, its prefix left 0; none at all: the flow's hash. False: a value out of its
 * range, or too many. */
bool vnic__idrules_init(struct vnic__idrules *list, const struct vnic_idrule *rules, uint32_t nb);
/* Is the flow's hash the only rule? Then every Ethernet frame has an id. */
static inline bool vnic__idrules_flow_alone(const struct vnic__idrules *list)
{
	return list->nb == 1 && list->rule[0].kind == VNIC_IDRULE_FLOW;
}
/* The packet's cancel id, 0 if it is unmarked; *which is the rule that made it, or UNMARKED. */
uint64_t vnic__idrules_apply(const struct vnic__idrules *list, const struct rte_mbuf *packet,
			     uint32_t *which);
/* The same for n packets; adds to matches[]. */
void vnic__idrules_burst(const struct vnic__idrules *list, struct rte_mbuf *const *packets,
			 uint16_t n, uint64_t *ids, uint32_t matches[VNIC__MATCHES]);

#endif
