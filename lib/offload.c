/* SPDX-License-Identifier: BSD-3-Clause
 * offload.c - what a packet's flags ask of the lower port, and who does it
 */
#include "offload.h"

#include <string.h>

#include <rte_bus.h>
#include <rte_dev.h>
#include <rte_ethdev.h>
#include <rte_ip.h>
#include <rte_net.h>
#include <rte_tcp.h>
#include <rte_udp.h>

#include "vnic.h"

#define FAMILY (RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IPV6)
#define HEADER_FLAGS (RTE_MBUF_F_TX_IP_CKSUM | RTE_MBUF_F_TX_L4_MASK | RTE_MBUF_F_TX_TCP_SEG)
/* What may be asked of a port. Tunnels are not: which of them a port understands, its
 * capabilities do not tell. */
#define KNOWN (FAMILY | HEADER_FLAGS | RTE_MBUF_F_TX_VLAN)
#define TAG ((uint32_t)RTE_VLAN_HLEN)
#define PASSED_ON "net_virtio_user" /* a software driver whose other end does it */
#define IP_LENGTH_MAX 65535u

#define L4_BIT(flags) (1u << (((flags) & RTE_MBUF_F_TX_L4_MASK) >> 52))

/* ---- the port ---- */

uint64_t vnic__offload_configured(uint16_t port, uint16_t queue)
{
	struct rte_eth_conf eth;
	struct rte_eth_txq_info txq;
	uint64_t offloads = 0;

	if (rte_eth_dev_conf_get(port, &eth) == 0)
		offloads |= eth.txmode.offloads;
	if (rte_eth_tx_queue_info_get(port, queue, &txq) == 0)
		offloads |= txq.conf.offloads;
	return offloads;
}

uint64_t vnic__offload_wanted(const struct rte_eth_dev_info *info)
{
	const uint64_t chains = RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
	const uint64_t all = chains | RTE_ETH_TX_OFFLOAD_VLAN_INSERT |
			     RTE_ETH_TX_OFFLOAD_IPV4_CKSUM | RTE_ETH_TX_OFFLOAD_UDP_CKSUM |
			     RTE_ETH_TX_OFFLOAD_TCP_CKSUM | RTE_ETH_TX_OFFLOAD_SCTP_CKSUM |
			     RTE_ETH_TX_OFFLOAD_TCP_TSO;
	bool software = info->device != NULL && rte_dev_bus(info->device) != NULL &&
			strcmp(rte_bus_name(rte_dev_bus(info->device)), "vdev") == 0 &&
			strcmp(info->driver_name, PASSED_ON) != 0;

	return info->tx_offload_capa & (software ? chains : all);
}

static uint16_t or_any(uint16_t limit)
{
	return limit != 0 ? limit : UINT16_MAX;
}

void vnic__offload_init(struct vnic__offload *o, uint16_t port, uint16_t queue, uint32_t max_frame)
{
	uint64_t offloads = vnic__offload_configured(port, queue);
	struct rte_eth_dev_info info;

	*o = (struct vnic__offload){.port = port, .queue = queue, .max_frame = max_frame, .max_untagged = max_frame,
				    .max_segs = 1, .max_tso_segs = 1, .does_l4 = 1};
	o->prepares = rte_eth_fp_ops[port].tx_pkt_prepare != NULL;
	if (rte_eth_dev_info_get(port, &info) != 0)
		return;
	offloads &= vnic__offload_wanted(&info);
	if ((offloads & RTE_ETH_TX_OFFLOAD_MULTI_SEGS) != 0) {
		o->max_segs = or_any(info.tx_desc_lim.nb_mtu_seg_max);
		o->max_tso_segs = or_any(info.tx_desc_lim.nb_seg_max);
	}
	/* preparing may insert it, into the packet */
	if ((offloads & RTE_ETH_TX_OFFLOAD_VLAN_INSERT) != 0 && !o->prepares)
		o->does |= RTE_MBUF_F_TX_VLAN;
	if ((offloads & RTE_ETH_TX_OFFLOAD_IPV4_CKSUM) != 0)
		o->does |= RTE_MBUF_F_TX_IP_CKSUM;
	if ((offloads & RTE_ETH_TX_OFFLOAD_TCP_CKSUM) != 0)
		o->does_l4 |= L4_BIT(RTE_MBUF_F_TX_TCP_CKSUM);
	if ((offloads & RTE_ETH_TX_OFFLOAD_UDP_CKSUM) != 0)
		o->does_l4 |= L4_BIT(RTE_MBUF_F_TX_UDP_CKSUM);
	if ((offloads & RTE_ETH_TX_OFFLOAD_SCTP_CKSUM) != 0)
		o->does_l4 |= L4_BIT(RTE_MBUF_F_TX_SCTP_CKSUM);
	if ((offloads & RTE_ETH_TX_OFFLOAD_TCP_TSO) != 0)
		o->does |= RTE_MBUF_F_TX_TCP_SEG;
}

void vnic__offload_here(struct vnic__offload *o)
{
	o->prepares = false;
	o->does = 0;
	o->does_l4 = 1;
}

/* ---- a packet's headers ---- */

static uint8_t protocol_of(uint64_t flags)
{
	switch (flags & RTE_MBUF_F_TX_L4_MASK) {
	case RTE_MBUF_F_TX_TCP_CKSUM: return IPPROTO_TCP;
	case RTE_MBUF_F_TX_UDP_CKSUM: return IPPROTO_UDP;
	case RTE_MBUF_F_TX_SCTP_CKSUM: return IPPROTO_SCTP;
	default: return 0;
	}
}

static uint16_t l4_header(uint64_t flags)
{
	switch (flags & RTE_MBUF_F_TX_L4_MASK) {
	case RTE_MBUF_F_TX_TCP_CKSUM: return sizeof(struct rte_tcp_hdr);
	case RTE_MBUF_F_TX_UDP_CKSUM: return sizeof(struct rte_udp_hdr);
	case RTE_MBUF_F_TX_SCTP_CKSUM: return 12;
	default: return 0;
	}
}

/* `ip_bytes`: what the IP header says of the whole packet, 0 that it does not. False: that it
 * cannot be. */
static bool read_ipv4(const struct rte_mbuf *m, struct vnic__wish *w, uint32_t *ip_bytes)
{
	const uint16_t fragment = rte_cpu_to_be_16(RTE_IPV4_HDR_MF_FLAG | RTE_IPV4_HDR_OFFSET_MASK);
	struct rte_ipv4_hdr copy;
	const struct rte_ipv4_hdr *ip = rte_pktmbuf_read(m, w->l3_at, sizeof(copy), &copy);
	uint8_t protocol = protocol_of(w->flags);

	if (ip == NULL || ip->version_ihl >> 4 != 4 || rte_ipv4_hdr_len(ip) != m->l3_len ||
	    m->l3_len < sizeof(*ip))
		return false;
	*ip_bytes = rte_be_to_cpu_16(ip->total_length);
	return protocol == 0 ||
	       (ip->next_proto_id == protocol && (ip->fragment_offset & fragment) == 0);
}

static bool read_ipv6(const struct rte_mbuf *m, struct vnic__wish *w, uint32_t *ip_bytes)
{
	struct rte_ipv6_hdr copy;
	const struct rte_ipv6_hdr *ip = rte_pktmbuf_read(m, w->l3_at, sizeof(copy), &copy);
	uint8_t protocol = protocol_of(w->flags);

	if (ip == NULL || *(const uint8_t *)ip >> 4 != 6 || m->l3_len < sizeof(*ip))
		return false;
	*ip_bytes = rte_be_to_cpu_16(ip->payload_len);
	if (*ip_bytes != 0)
		*ip_bytes += sizeof(*ip);
	/* behind extension headers the port may find the checksum's place, we do not look */
	return m->l3_len == sizeof(*ip) ? protocol == 0 || ip->proto == protocol :
					  (w->here & HEADER_FLAGS) == 0;
}

static bool read_tcp(const struct rte_mbuf *m, const struct vnic__wish *w)
{
	struct rte_tcp_hdr copy;
	const struct rte_tcp_hdr *tcp = rte_pktmbuf_read(m, w->l4_at, sizeof(copy), &copy);

	return tcp != NULL && m->l4_len >= sizeof(*tcp) && tcp->data_off >> 4 == m->l4_len / 4u &&
	       m->l4_len % 4u == 0;
}

/* Who does what: flags that the port was not set up for are done here. */
static void divide(const struct vnic__offload *o, struct vnic__wish *w)
{
	w->here = w->flags & ~(o->does | FAMILY | RTE_MBUF_F_TX_L4_MASK);
	if ((L4_BIT(w->flags) & o->does_l4) == 0)
		w->here |= w->flags & RTE_MBUF_F_TX_L4_MASK;
	/* a port that segments fills in each segment's checksums */
	if ((w->flags & ~w->here & RTE_MBUF_F_TX_TCP_SEG) != 0)
		w->here &= ~(RTE_MBUF_F_TX_IP_CKSUM | RTE_MBUF_F_TX_L4_MASK);
}

static bool udp_agrees(const struct rte_mbuf *m, const struct vnic__wish *w)
{
	struct rte_udp_hdr copy;
	const struct rte_udp_hdr *udp = rte_pktmbuf_read(m, w->l4_at, sizeof(copy), &copy);

	return udp != NULL && rte_be_to_cpu_16(udp->dgram_len) == w->l4_bytes;
}

/* The length that the headers tell against the packet's. */
static uint32_t measure(const struct rte_mbuf *m, struct vnic__wish *w, uint32_t ip_bytes)
{
	uint32_t there = m->pkt_len - w->l3_at;
	bool segment = (w->flags & RTE_MBUF_F_TX_TCP_SEG) != 0;

	if (segment && there > IP_LENGTH_MAX)
		return VNIC_STATUS_INVALID_LENGTH;
	if (segment && ip_bytes == 0)
		ip_bytes = there; /* whoever segments fills it in */
	if (ip_bytes > there || ip_bytes < (uint32_t)(w->end - w->l3_at) ||
	    (segment && ip_bytes != there))
		return VNIC_STATUS_INVALID_PARAMETER;
	w->l4_bytes = ip_bytes - m->l3_len;
	if (protocol_of(w->flags) == IPPROTO_UDP && !udp_agrees(m, w))
		return VNIC_STATUS_INVALID_PARAMETER;
	/* a port may sum up to the frame's end, where there is more than the packet */
	if (ip_bytes != there)
		w->here |= w->flags & RTE_MBUF_F_TX_L4_MASK;
	return VNIC_STATUS_SUCCESS;
}

static uint32_t read_headers(const struct rte_mbuf *m, struct vnic__wish *w)
{
	bool segment = (w->flags & RTE_MBUF_F_TX_TCP_SEG) != 0;
	uint32_t ip_bytes, end;

	w->ipv4 = (w->flags & FAMILY) == RTE_MBUF_F_TX_IPV4;
	if (!w->ipv4 && ((w->flags & FAMILY) != RTE_MBUF_F_TX_IPV6 ||
			 (w->flags & RTE_MBUF_F_TX_IP_CKSUM) != 0))
		return VNIC_STATUS_INVALID_PARAMETER;
	end = (uint32_t)m->l2_len + m->l3_len + (segment ? m->l4_len : l4_header(w->flags));
	if (m->l2_len < RTE_ETHER_HDR_LEN || end > m->pkt_len)
		return VNIC_STATUS_INVALID_PARAMETER;
	w->l3_at = m->l2_len;
	w->l4_at = (uint16_t)(m->l2_len + m->l3_len);
	w->end = (uint16_t)end;
	if (!(w->ipv4 ? read_ipv4(m, w, &ip_bytes) : read_ipv6(m, w, &ip_bytes)) ||
	    (segment && !read_tcp(m, w)))
		return VNIC_STATUS_INVALID_PARAMETER;
	return measure(m, w, ip_bytes);
}

/* Bytes of the tag that it asks for. */
static uint32_t tag_of(const struct vnic__wish *w)
{
	return (w->flags & RTE_MBUF_F_TX_VLAN) != 0 ? TAG : 0;
}

/* A packet to be segmented: by whom, and whether its segments fit. One that is a single
 * segment only wants its checksums. */
static uint32_t read_segments(const struct vnic__offload *o, const struct rte_mbuf *m,
			      struct vnic__wish *w)
{
	uint32_t headers = (uint32_t)m->l2_len + m->l3_len + m->l4_len;
	uint32_t tag = tag_of(w), most = vnic__offload_most(o, m, tag);

	if (m->tso_segsz == 0 || headers >= m->pkt_len)
		return VNIC_STATUS_INVALID_PARAMETER;
	if (m->pkt_len - headers <= m->tso_segsz) {
		w->flags &= ~RTE_MBUF_F_TX_TCP_SEG;
		return m->pkt_len + tag > most ? VNIC_STATUS_INVALID_LENGTH : VNIC_STATUS_SUCCESS;
	}
	if (headers + m->tso_segsz + tag > most)
		return VNIC_STATUS_INVALID_LENGTH;
	if (o->passes || (o->does & RTE_MBUF_F_TX_TCP_SEG) != 0)
		return m->nb_segs > o->max_tso_segs ? VNIC_STATUS_INVALID_LENGTH : VNIC_STATUS_SUCCESS;
	if ((w->flags & FAMILY) != RTE_MBUF_F_TX_IPV4)
		return VNIC_STATUS_INVALID_PARAMETER; /* DPDK's library does not segment it */
	if ((m->pkt_len - headers - 1) / m->tso_segsz >= VNIC__SEGMENTS_MAX)
		return VNIC_STATUS_INVALID_LENGTH;
	return VNIC_STATUS_SUCCESS;
}

uint32_t vnic__offload_read(const struct vnic__offload *o, const struct rte_mbuf *m,
			    struct vnic__wish *w)
{
	uint32_t status = VNIC_STATUS_SUCCESS;

	*w = (struct vnic__wish){.flags = m->ol_flags & RTE_MBUF_F_TX_OFFLOAD_MASK};
	if ((w->flags & RTE_MBUF_F_TX_TCP_SEG) != 0) {
		/* implied */
		w->flags &= ~RTE_MBUF_F_TX_L4_MASK;
		w->flags |= RTE_MBUF_F_TX_TCP_CKSUM |
			    ((w->flags & RTE_MBUF_F_TX_IPV4) != 0 ? RTE_MBUF_F_TX_IP_CKSUM : 0);
		status = read_segments(o, m, w);
	} else if (m->pkt_len + tag_of(w) > vnic__offload_most(o, m, tag_of(w))) {
		status = VNIC_STATUS_INVALID_LENGTH;
	}
	if (status != VNIC_STATUS_SUCCESS || o->passes)
		return status;
	if ((w->flags & ~KNOWN) != 0 ||
	    ((w->flags & RTE_MBUF_F_TX_VLAN) != 0 && m->pkt_len < RTE_ETHER_HDR_LEN))
		return VNIC_STATUS_INVALID_PARAMETER;
	divide(o, w);
	if ((w->flags & HEADER_FLAGS) != 0)
		status = read_headers(m, w);
	if ((w->here & RTE_MBUF_F_TX_L4_MASK) == RTE_MBUF_F_TX_SCTP_CKSUM) /* is not done here */
		status = VNIC_STATUS_INVALID_PARAMETER;
	w->prepare = (w->flags & ~w->here & HEADER_FLAGS) != 0;
	return status;
}

/* ---- checksums ---- */

static void put16(struct rte_mbuf *m, uint16_t at, uint16_t value)
{
	memcpy(rte_pktmbuf_mtod_offset(m, char *, at), &value, sizeof(value));
}

/* The 16-bit sum of `len` bytes from `at` on. Not rte_raw_cksum_mbuf(): that of 22.11 loses
 * carries of buffers that begin at an odd place. False: there are not so many. */
static bool sum_of(const struct rte_mbuf *m, uint32_t at, uint32_t len, uint32_t *sum)
{
	uint32_t done = 0;

	for (*sum = 0; m != NULL && done < len; m = m->next) {
		uint32_t n = m->data_len > at ? RTE_MIN(m->data_len - at, len - done) : 0;
		uint16_t part = rte_raw_cksum(rte_pktmbuf_mtod_offset(m, const char *, n != 0 ? at : 0), n);

		*sum += (done & 1) != 0 ? rte_bswap16(part) : part;
		done += n;
		at -= RTE_MIN(at, (uint32_t)m->data_len);
	}
	return done == len;
}

/* Over the pseudo header and all of layer 4, whose own field is 0. False: it is not there. */
static bool l4_checksum(const struct vnic__wish *w, const struct rte_mbuf *m, uint16_t *sum)
{
	const char *l3 = rte_pktmbuf_mtod_offset(m, const char *, w->l3_at);
	uint8_t protocol = protocol_of(w->flags);
	uint32_t pseudo, raw;

	if (!sum_of(m, w->l4_at, w->l4_bytes, &raw))
		return false;
	/* from our own numbers: the header may have changed since it was read */
	pseudo = w->ipv4 ? rte_raw_cksum(l3 + 12, 8) : rte_raw_cksum(l3 + 8, 32);
	pseudo += raw + rte_cpu_to_be_16(protocol) +
		  (uint32_t)rte_cpu_to_be_16((uint16_t)w->l4_bytes);
	pseudo = (pseudo >> 16) + (pseudo & 0xffff);
	*sum = (uint16_t)~(pseudo + (pseudo >> 16));
	if (*sum == 0 && protocol == IPPROTO_UDP)
		*sum = 0xffff;
	return true;
}

uint32_t vnic__offload_checksums(const struct vnic__wish *w, struct rte_mbuf *m)
{
	uint16_t at, sum;

	if ((w->here & RTE_MBUF_F_TX_IP_CKSUM) != 0) {
		at = vnic__offload_l3_field(w);
		put16(m, at, 0);
		sum = rte_raw_cksum(rte_pktmbuf_mtod_offset(m, char *, w->l3_at),
				    (size_t)(w->l4_at - w->l3_at));
		put16(m, at, (uint16_t)~sum);
	}
	if ((w->here & RTE_MBUF_F_TX_L4_MASK) != 0) {
		at = vnic__offload_l4_field(w);
		put16(m, at, 0);
		if (!l4_checksum(w, m, &sum))
			return VNIC_STATUS_INVALID_PARAMETER;
		put16(m, at, sum);
	}
	m->ol_flags &= ~(w->here & (RTE_MBUF_F_TX_IP_CKSUM | RTE_MBUF_F_TX_L4_MASK));
	return VNIC_STATUS_SUCCESS;
}

uint32_t vnic__offload_prepare(const struct vnic__offload *o, const struct vnic__wish *w,
			       struct rte_mbuf *m)
{
	struct rte_mbuf *one = m;
	bool ready = true;

	if (!w->prepare)
		return VNIC_STATUS_SUCCESS;
	if (o->prepares)
		ready = rte_eth_tx_prepare(o->port, o->queue, &one, 1) == 1 && one == m;
	else /* drivers without it find the pseudo header's sum in the field all the same */
		ready = rte_net_intel_cksum_prepare(m) == 0;
	return ready ? VNIC_STATUS_SUCCESS : VNIC_STATUS_INVALID_PARAMETER;
}
