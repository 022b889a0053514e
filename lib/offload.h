/* SPDX-License-Identifier: BSD-3-Clause
 * offload.h - what a packet's flags ask of the lower port, and who does it
 *
 * A packet may ask for a VLAN tag, checksums and TCP segmentation (RTE_MBUF_F_TX_*). What the
 * port has been set up to do passes to it; of the rest a VLAN tag, IPv4, TCP and UDP checksums
 * and the segmentation of TCP over IPv4 are done in software, and what cannot be done is
 * refused. Nothing leaves with a field that somebody else was thought to fill in.
 *
 * The sender's thread asks vnic__offload_read() whether a packet can be sent at all; the data
 * thread asks again when it hands the packet down, for a peer may share the buffer.
 */
#ifndef VNIC_OFFLOAD_H
#define VNIC_OFFLOAD_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_ether.h>
#include <rte_mbuf.h>

#define VNIC__SEGMENTS_MAX 256 /* frames of one packet that is segmented here */

/* Constant while the adapter lives. */
struct vnic__offload {
	uint16_t port;
	uint16_t queue;
	uint32_t max_frame;    /* bytes, of a frame with a tag; */
	uint32_t max_untagged; /* of one without */
	uint16_t max_segs;     /* buffers of a frame */
	uint16_t max_tso_segs; /* of a packet that the port segments */
	bool passes;           /* a layer: whoever is below decides */
	bool prepares;         /* the driver has its own way to prepare a packet */
	uint32_t does_l4;      /* a bit for each value of the flags' L4 field */
	uint64_t does;         /* RTE_MBUF_F_TX_*, without the L4 field */
};

/* One packet's wishes. */
struct vnic__wish {
	uint64_t flags;    /* as they stand after what the length makes of them */
	uint64_t here;     /* of them, those that are done in software; TCP_SEG: see segments.h */
	bool prepare;      /* of the others, there are some that the port wants fields set for */
	bool ipv4;
	uint16_t l3_at;    /* offsets in the frame */
	uint16_t l4_at;
	uint16_t end;      /* of the headers: so much is read or written in one piece */
	uint32_t l4_bytes; /* with its header */
};

static inline bool vnic__offload_asked(const struct rte_mbuf *m)
{
	return (m->ol_flags & RTE_MBUF_F_TX_OFFLOAD_MASK) != 0;
}

/* How long the packet's frame may be, which gets `tag` bytes more. */
static inline uint32_t vnic__offload_most(const struct vnic__offload *o, const struct rte_mbuf *m,
					  uint32_t tag)
{
	const struct rte_ether_hdr *ether = rte_pktmbuf_mtod(m, const struct rte_ether_hdr *);

	return tag != 0 || (m->data_len >= sizeof(*ether) &&
			    ether->ether_type == RTE_BE16(RTE_ETHER_TYPE_VLAN)) ? o->max_frame :
										  o->max_untagged;
}

struct rte_eth_dev_info;

/* Setup: the tx offloads, RTE_ETH_TX_OFFLOAD_*, that are worth asking the port for. Software
 * drivers write tags and sums into the packet itself, before they know that they can send it,
 * and some drop what they cannot: they are asked for chains alone. */
uint64_t vnic__offload_wanted(const struct rte_eth_dev_info *info);
/* Setup: the tx offloads that the port was set up to do, not only could. */
uint64_t vnic__offload_configured(uint16_t port, uint16_t queue);
/* Setup: what the configured port does; without a tag a frame may be as long as with one. */
void vnic__offload_init(struct vnic__offload *o, uint16_t port, uint16_t queue, uint32_t max_frame);
/* Setup: leave nothing to the port, for packets may go where it does not see them. */
void vnic__offload_here(struct vnic__offload *o);

/* VNIC_STATUS_SUCCESS and the wish. INVALID_PARAMETER: flags that nobody here can fulfil, or
 * header lengths that disagree with the packet. INVALID_LENGTH: the frame, or one of its
 * segments, would be above max_frame, or too many segments. */
uint32_t vnic__offload_read(const struct vnic__offload *o, const struct rte_mbuf *m,
			    struct vnic__wish *w);

/* Data thread, on a packet that is the library's to write to and whose headers are in one
 * piece: fill in the checksums that are done here. */
uint32_t vnic__offload_checksums(const struct vnic__wish *w, struct rte_mbuf *m);
/* Likewise: set what the port wants set for what it does itself. */
uint32_t vnic__offload_prepare(const struct vnic__offload *o, const struct vnic__wish *w,
			       struct rte_mbuf *m);

/* Where a wish's checksum fields are; 0: it has none. */
static inline uint16_t vnic__offload_l3_field(const struct vnic__wish *w)
{
	const uint64_t any = RTE_MBUF_F_TX_IP_CKSUM | RTE_MBUF_F_TX_TCP_SEG;

	return w->ipv4 && (w->flags & any) != 0 ? (uint16_t)(w->l3_at + 10) : 0;
}

static inline uint16_t vnic__offload_l4_field(const struct vnic__wish *w)
{
	switch (w->flags & RTE_MBUF_F_TX_L4_MASK) {
	case RTE_MBUF_F_TX_TCP_CKSUM: return (uint16_t)(w->l4_at + 16);
	case RTE_MBUF_F_TX_UDP_CKSUM: return (uint16_t)(w->l4_at + 6);
	case RTE_MBUF_F_TX_SCTP_CKSUM: return (uint16_t)(w->l4_at + 8);
	default: return 0;
	}
}

#endif
