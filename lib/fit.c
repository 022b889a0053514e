/* SPDX-License-Identifier: BSD-3-Clause
 * fit.c - padding, copying, tagging and summing of packets for the lower port
 */
#include "fit.h"

#include <stdio.h>
#include <string.h>

#include <rte_errno.h>
#include <rte_ether.h>

#include "buffers.h"
#include "vnic.h"

#define COPIES_CACHE 64

int vnic__fit_init(struct vnic__fit *fit, const struct vnic__offload *offload, uint32_t nb_copies,
		   int numa_node)
{
	char full[RTE_MEMPOOL_NAMESIZE];

	snprintf(full, sizeof(full), "vnic_fit_%u", vnic__buffers_number());
	fit->offload = offload;
	fit->copies = rte_pktmbuf_pool_create(full, nb_copies, COPIES_CACHE, 0,
					      (uint16_t)(RTE_PKTMBUF_HEADROOM + offload->max_frame),
					      numa_node);
	return fit->copies == NULL ? -rte_errno : 0;
}

void vnic__fit_fini(struct vnic__fit *fit)
{
	vnic__buffers_leave(fit->copies);
	fit->copies = NULL;
}

static bool tags_here(const struct vnic__wish *w)
{
	return (w->here & RTE_MBUF_F_TX_VLAN) != 0;
}

/* Is any byte of the packet to be written, or a flag? */
static bool to_be_changed(const struct rte_mbuf *m, const struct vnic__wish *w, uint16_t padding)
{
	return padding != 0 || w->here != 0 || w->prepare ||
	       w->flags != (m->ol_flags & RTE_MBUF_F_TX_OFFLOAD_MASK);
}

/* May it be, in its own buffer? */
static bool own_room(const struct rte_mbuf *m, const struct vnic__wish *w, uint16_t padding)
{
	uint16_t in_one_piece = RTE_MAX(w->end, (uint16_t)(tags_here(w) ? RTE_ETHER_HDR_LEN : 0));

	return rte_mbuf_refcnt_read(m) == 1 && RTE_MBUF_DIRECT(m) && m->data_len >= in_one_piece &&
	       (padding == 0 || (m->nb_segs == 1 && rte_pktmbuf_tailroom(m) >= padding)) &&
	       (!tags_here(w) || rte_pktmbuf_headroom(m) >= RTE_VLAN_HLEN);
}

static void keep_field(const struct rte_mbuf *m, uint16_t at, struct vnic__field *field)
{
	field->at = at;
	if (at != 0)
		memcpy(&field->was, rte_pktmbuf_mtod_offset(m, const char *, at), sizeof(field->was));
}

/* Note what is about to be changed. */
static void keep(const struct vnic__wish *w, struct vnic__fitted *f)
{
	f->changed = true;
	f->ol_flags = f->packet->ol_flags;
	f->tx_offload = f->packet->tx_offload;
	keep_field(f->packet, vnic__offload_l3_field(w), &f->field[0]);
	keep_field(f->packet, vnic__offload_l4_field(w), &f->field[1]);
}

static uint32_t change(const struct vnic__fit *fit, const struct vnic__wish *w, uint16_t padding,
		       struct vnic__fitted *f)
{
	struct rte_mbuf *m = f->given;
	uint32_t status;

	m->ol_flags = (m->ol_flags & ~RTE_MBUF_F_TX_OFFLOAD_MASK) | w->flags;
	status = vnic__offload_checksums(w, m);
	if (status != VNIC_STATUS_SUCCESS)
		return status;
	if (padding != 0)
		memset(rte_pktmbuf_append(m, padding), 0, padding);
	f->padding = padding;
	if (tags_here(w)) {
		if (rte_vlan_insert(&m) != 0)
			return VNIC_STATUS_INVALID_PARAMETER;
		f->tagged = true;
	}
	f->offloaded = w->here != 0;
	return vnic__offload_prepare(fit->offload, w, m);
}

/* Only what asks for segmentation is longer than a frame, and leaves in pieces itself. */
static uint32_t copy(const struct vnic__fit *fit, const struct vnic__wish *w,
		     struct vnic__fitted *f)
{
	bool segment = (w->flags & RTE_MBUF_F_TX_TCP_SEG) != 0;
	uint16_t most = segment ? fit->offload->max_tso_segs : fit->offload->max_segs;

	f->given = rte_pktmbuf_copy(f->packet, fit->copies, 0, UINT32_MAX);
	if (f->given == NULL) {
		f->given = f->packet;
		return VNIC_STATUS_RESOURCES;
	}
	if (f->given->nb_segs <= most)
		return VNIC_STATUS_SUCCESS;
	rte_pktmbuf_free(f->given);
	f->given = f->packet;
	return VNIC_STATUS_INVALID_LENGTH;
}

uint32_t vnic__fit_make(struct vnic__fit *fit, struct rte_mbuf *m, struct vnic__fitted *f)
{
	struct vnic__wish wish = {0};
	uint16_t max_segs = fit->offload->max_segs, padding = 0;
	uint32_t status = VNIC_STATUS_SUCCESS;
	bool touch;

	*f = (struct vnic__fitted){.packet = m, .given = m};
	if (!vnic__fit_needed(m, max_segs))
		return status;
	if (vnic__offload_asked(m))
		status = vnic__offload_read(fit->offload, m, &wish);
	if (status != VNIC_STATUS_SUCCESS)
		return status;
	if ((wish.here & RTE_MBUF_F_TX_TCP_SEG) != 0)
		return VNIC_STATUS_PENDING;
	if ((wish.flags & RTE_MBUF_F_TX_TCP_SEG) != 0)
		max_segs = fit->offload->max_tso_segs;
	if (m->pkt_len < VNIC__FRAME_MIN)
		padding = (uint16_t)(VNIC__FRAME_MIN - m->pkt_len);
	touch = to_be_changed(m, &wish, padding);
	if (m->nb_segs > max_segs || (touch && !own_room(m, &wish, padding)))
		status = copy(fit, &wish, f);
	else if (touch)
		keep(&wish, f);
	if (status != VNIC_STATUS_SUCCESS || !touch)
		return status;
	status = change(fit, &wish, padding, f);
	if (status != VNIC_STATUS_SUCCESS)
		vnic__fit_undo(f);
	return status;
}

void vnic__fit_taken(const struct vnic__fitted *f)
{
	if (f->given != f->packet)
		rte_pktmbuf_free(f->packet);
}

static void untag(struct rte_mbuf *m)
{
	char *data = rte_pktmbuf_mtod(m, char *);

	memmove(data + RTE_VLAN_HLEN, data, 2 * RTE_ETHER_ADDR_LEN);
	rte_pktmbuf_adj(m, RTE_VLAN_HLEN);
}

void vnic__fit_undo(const struct vnic__fitted *f)
{
	struct rte_mbuf *m = f->packet;

	if (f->given != m) {
		rte_pktmbuf_free(f->given);
		return;
	}
	if (!f->changed)
		return;
	if (f->tagged)
		untag(m);
	for (int i = 0; i < 2; i++)
		if (f->field[i].at != 0)
			memcpy(rte_pktmbuf_mtod_offset(m, char *, f->field[i].at), &f->field[i].was,
			       sizeof(f->field[i].was));
	if (f->padding != 0)
		rte_pktmbuf_trim(m, f->padding);
	m->ol_flags = f->ol_flags;
	m->tx_offload = f->tx_offload;
}
