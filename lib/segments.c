/* SPDX-License-Identifier: BSD-3-Clause
 * segments.c - a TCP packet that leaves as several frames, because the port does not segment
 */
#include "segments.h"

#include <errno.h>
#include <stdio.h>

#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_tcp.h>

#include "buffers.h"
#include "vnic.h"

#define CACHE 64
#define PIECES 2         /* of a frame: its payload may lie in two buffers of the packet */
#define HEADERS_ROOM 256 /* the longest that a packet's l2_len and IPv4 and TCP can have: 247 */

int vnic__segmenter_init(struct vnic__segmenter *sg, const struct vnic__offload *offload,
			 uint32_t nb_kept, int numa_node)
{
	uint32_t nb = nb_kept + VNIC__SEGMENTS_MAX + 4 * CACHE;
	char name[RTE_MEMPOOL_NAMESIZE];

	if (offload->passes || (offload->does & RTE_MBUF_F_TX_TCP_SEG) != 0)
		return 0;
	snprintf(name, sizeof(name), "vnic_headers_%u", vnic__buffers_number());
	sg->headers = rte_pktmbuf_pool_create(name, nb, CACHE, 0, RTE_PKTMBUF_HEADROOM + HEADERS_ROOM,
					      numa_node);
	if (sg->headers == NULL)
		return -rte_errno;
	snprintf(name, sizeof(name), "vnic_pieces_%u", vnic__buffers_number());
	sg->pieces = rte_pktmbuf_pool_create(name, nb * PIECES, CACHE, 0, 0, numa_node);
	return sg->pieces == NULL ? -rte_errno : 0;
}

void vnic__segmenter_fini(struct vnic__segmenter *sg)
{
	vnic__buffers_leave(sg->headers);
	vnic__buffers_leave(sg->pieces);
	*sg = (struct vnic__segmenter){0};
}

void vnic__segments_drop(struct vnic__segments *g)
{
	rte_pktmbuf_free_bulk(&g->frame[g->first], g->nb - g->first);
	g->nb = 0;
	g->first = 0;
}

/* The library wants the headers, and some of the payload, in the first buffer, and clears a
 * flag of the packet meanwhile: a packet that others hold too, or in small pieces, is copied. */
static struct rte_mbuf *readable(const struct vnic__fit *fit, struct rte_mbuf *m, uint16_t headers)
{
	if (rte_mbuf_refcnt_read(m) == 1 && m->data_len > headers)
		return m;
	return rte_pktmbuf_copy(m, fit->copies, 0, UINT32_MAX);
}

/* One of the library's segments: what it leaves to us, then as any other frame. */
static uint32_t finish(struct vnic__fit *fit, struct rte_mbuf *frame, const struct rte_mbuf *m,
		       const struct vnic__wish *w, bool first, struct rte_mbuf **finished)
{
	struct vnic__fitted f;
	uint32_t status;

	frame->ol_flags = w->flags & ~RTE_MBUF_F_TX_TCP_SEG;
	frame->vlan_tci = m->vlan_tci;
	if (!first) /* the receiver is told once */
		rte_pktmbuf_mtod_offset(frame, struct rte_tcp_hdr *, w->l4_at)->tcp_flags &=
			(uint8_t)~RTE_TCP_CWR_FLAG;
	status = vnic__fit_make(fit, frame, &f);
	if (status != VNIC_STATUS_SUCCESS)
		return status;
	vnic__fit_taken(&f);
	*finished = f.given;
	return status;
}

uint32_t vnic__segments_make(const struct vnic__segmenter *sg, struct vnic__fit *fit,
			     struct rte_mbuf *m, struct vnic__segments *g)
{
	struct rte_gso_ctx ctx = {.direct_pool = sg->headers, .indirect_pool = sg->pieces,
				  .gso_types = RTE_ETH_TX_OFFLOAD_TCP_TSO};
	struct vnic__wish w;
	uint64_t flags = m->ol_flags;
	struct rte_mbuf *from;
	uint32_t status = vnic__offload_read(fit->offload, m, &w);
	int n;

	if (status != VNIC_STATUS_SUCCESS)
		return status;
	from = readable(fit, m, w.end);
	if (from == NULL)
		return VNIC_STATUS_RESOURCES;
	ctx.gso_size = (uint16_t)(w.end + m->tso_segsz);
	n = rte_gso_segment(from, &ctx, g->frame, VNIC__SEGMENTS_MAX);
	if (from != m)
		rte_pktmbuf_free(from); /* the frames hold what they need of it */
	else
		m->ol_flags = flags;
	if (n <= 0)
		return n == -ENOMEM ? VNIC_STATUS_RESOURCES : VNIC_STATUS_INVALID_PARAMETER;
	g->first = 0;
	g->nb = (uint32_t)n;
	for (int i = 0; i < n && status == VNIC_STATUS_SUCCESS; i++)
		status = finish(fit, g->frame[i], m, &w, i == 0, &g->frame[i]);
	if (status != VNIC_STATUS_SUCCESS)
		vnic__segments_drop(g);
	return status;
}
