/* SPDX-License-Identifier: BSD-3-Clause
 * fit.c - padding and copying of packets for the lower port
 */
#include "fit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <rte_errno.h>

#define COPIES_CACHE 64

int vnic__fit_init(struct vnic__fit *fit, uint32_t max_frame, bool linear_only, uint32_t nb_copies,
		   int numa_node)
{
	char full[RTE_MEMPOOL_NAMESIZE];

	/* adapters of two controls may have one name, their memory is their own */
	snprintf(full, sizeof(full), "fit_%p", (void *)fit);
	fit->linear_only = linear_only;
	fit->copies = rte_pktmbuf_pool_create(full, nb_copies, COPIES_CACHE, 0,
					      (uint16_t)(RTE_PKTMBUF_HEADROOM + max_frame), numa_node);
	return fit->copies == NULL ? -rte_errno : 0;
}

void vnic__fit_fini(struct vnic__fit *fit)
{
	rte_mempool_free(fit->copies);
	fit->copies = NULL;
}

static bool own_tail_room(const struct rte_mbuf *m, uint16_t padding)
{
	return m->nb_segs == 1 && rte_mbuf_refcnt_read(m) == 1 && RTE_MBUF_DIRECT(m) &&
	       rte_pktmbuf_tailroom(m) >= padding;
}

bool vnic__fit_make(struct vnic__fit *fit, struct rte_mbuf *m, struct vnic__fitted *f)
{
	uint16_t padding = m->pkt_len < VNIC__FRAME_MIN ? (uint16_t)(VNIC__FRAME_MIN - m->pkt_len) : 0;

	*f = (struct vnic__fitted){.packet = m, .given = m};
	if (!vnic__fit_needed(m, fit->linear_only))
		return true;
	f->padding = padding;
	if (!own_tail_room(m, padding)) {
		f->given = rte_pktmbuf_copy(m, fit->copies, 0, UINT32_MAX);
		if (f->given == NULL)
			return false;
	}
	if (padding != 0)
		memset(rte_pktmbuf_append(f->given, padding), 0, padding);
	return true;
}

void vnic__fit_taken(const struct vnic__fitted *f)
{
	if (f->given != f->packet)
		rte_pktmbuf_free(f->packet);
}

void vnic__fit_undo(const struct vnic__fitted *f)
{
	if (f->given != f->packet)
		rte_pktmbuf_free(f->given);
	else if (f->padding != 0)
		rte_pktmbuf_trim(f->given, f->padding);
}
