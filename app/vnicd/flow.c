/* SPDX-License-Identifier: BSD-3-Clause
 * flow.c - a flow in words, and the cancel id that a face gives it
 *
 * The face's rules are applied to a frame that such a flow has. What the flow does not tell,
 * hardware addresses for one, is in one frame all zeros and in another all ones: a rule that
 * goes by bytes is trusted where the two agree.
 */
#include "flow.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>

#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_mbuf.h>

#include "ids.h"
#include "options.h"
#include "vnicd.h"

#define FRAME_MAX 128
#define L4_BYTES 20 /* TCP's header; of others what follows is not told */
#define ECN 0x3
#define PRIORITY 0xf000

/* ---- from words ---- */

static const struct protocol {
	const char *name;
	uint8_t ipv4, ipv6;
	bool ports;
} protocols[] = {
	{"tcp", IPPROTO_TCP, IPPROTO_TCP, true}, {"udp", IPPROTO_UDP, IPPROTO_UDP, true},
	{"sctp", IPPROTO_SCTP, IPPROTO_SCTP, true}, {"icmp", IPPROTO_ICMP, IPPROTO_ICMPV6, false},
};

static const struct protocol *protocol_find(const char *name)
{
	for (size_t i = 0; name != NULL && i < RTE_DIM(protocols); i++)
		if (strcmp(protocols[i].name, name) == 0)
			return &protocols[i];
	return NULL;
}

static int read_number(const char *word, uint64_t max, uint64_t *value)
{
	return word != NULL && conf_number(word, CONF_HEX, value) == 0 && *value <= max ? 0 : -1;
}

/* The IP version of the address, 0 if it is none. */
static uint8_t read_address(const char *word, uint8_t address[16])
{
	if (word == NULL)
		return 0;
	if (inet_pton(AF_INET, word, address) == 1)
		return 4;
	return inet_pton(AF_INET6, word, address) == 1 ? 6 : 0;
}

static int read_tuple(struct flow *f, struct words *w, char *why, size_t len)
{
	const struct protocol *p = protocol_find(w->now);
	uint64_t port[2];

	if (p == NULL) {
		snprintf(why, len, "PROTO is tcp, udp, sctp or icmp; write " FLOW_WORDS);
		return -1;
	}
	f->version = read_address(words_next(w), f->source);
	if (f->version == 0) {
		snprintf(why, len, "SRC is an address of IPv4 or IPv6; write " FLOW_WORDS);
		return -1;
	}
	if (read_number(words_next(w), p->ports ? UINT16_MAX : 0, &port[0]) != 0)
		goto wrong_port;
	if (read_address(words_next(w), f->destination) != f->version) {
		snprintf(why, len, "DST is an address of IPv%u like SRC; write " FLOW_WORDS, f->version);
		return -1;
	}
	if (read_number(words_next(w), p->ports ? UINT16_MAX : 0, &port[1]) != 0)
		goto wrong_port;
	words_next(w);
	f->protocol = f->version == 4 ? p->ipv4 : p->ipv6;
	f->source_port = (uint16_t)port[0];
	f->destination_port = (uint16_t)port[1];
	return 0;
wrong_port:
	snprintf(why, len, "SPORT and DPORT are 0..%d of %s; write " FLOW_WORDS,
		 p->ports ? UINT16_MAX : 0, p->name);
	return -1;
}

int flow_read(struct flow *f, struct words *w, char *why, size_t len)
{
	static const struct {
		const char *name;
		uint64_t min, max;
	} more[] = {{"vlan", 1, 4095}, {"dscp", 0, 63}, {"label", 1, 0xfffff}};
	uint64_t value[RTE_DIM(more)] = {0};

	*f = (struct flow){0};
	if (read_tuple(f, w, why, len) != 0)
		return -1;
	for (size_t i = 0; i < RTE_DIM(more); i++) {
		if (!words_take(w, more[i].name))
			continue;
		if (read_number(w->now, more[i].max, &value[i]) != 0 || value[i] < more[i].min) {
			snprintf(why, len, "%s is %" PRIu64 "..%" PRIu64 "; write " FLOW_WORDS,
				 more[i].name, more[i].min, more[i].max);
			return -1;
		}
		words_next(w);
	}
	if (value[2] != 0 && f->version == 4) {
		snprintf(why, len, "IPv4 has no label; leave it out");
		return -1;
	}
	f->vlan = (uint16_t)value[0];
	f->dscp = (uint8_t)value[1];
	f->label = (uint32_t)value[2];
	return 0;
}

/* ---- the frame ---- */

static char *put_ethernet(const struct flow *f, uint8_t rest, char *at)
{
	uint16_t type = f->version == 4 ? RTE_ETHER_TYPE_IPV4 : RTE_ETHER_TYPE_IPV6;
	struct rte_ether_hdr *ether = (struct rte_ether_hdr *)at;
	struct rte_vlan_hdr *vlan = (struct rte_vlan_hdr *)(ether + 1);

	if (f->vlan == 0) {
		ether->ether_type = rte_cpu_to_be_16(type);
		return (char *)(ether + 1);
	}
	ether->ether_type = RTE_BE16(RTE_ETHER_TYPE_VLAN);
	vlan->vlan_tci = rte_cpu_to_be_16((uint16_t)((rest << 8 & PRIORITY) | f->vlan));
	vlan->eth_proto = rte_cpu_to_be_16(type);
	return (char *)(vlan + 1);
}

static char *put_ip(const struct flow *f, uint8_t rest, char *at)
{
	struct rte_ipv4_hdr *v4 = (struct rte_ipv4_hdr *)at;
	struct rte_ipv6_hdr *v6 = (struct rte_ipv6_hdr *)at;

	if (f->version == 4) {
		v4->version_ihl = RTE_IPV4_VHL_DEF;
		v4->type_of_service = (uint8_t)(f->dscp << 2 | (rest & ECN));
		v4->fragment_offset = rte_cpu_to_be_16(rest << 8 & RTE_IPV4_HDR_DF_FLAG);
		v4->next_proto_id = f->protocol;
		memcpy(&v4->src_addr, f->source, sizeof(v4->src_addr));
		memcpy(&v4->dst_addr, f->destination, sizeof(v4->dst_addr));
		return (char *)(v4 + 1);
	}
	v6->vtc_flow = rte_cpu_to_be_32(UINT32_C(6) << 28 | (uint32_t)f->dscp << 22 |
					(uint32_t)(rest & ECN) << 20 | f->label);
	v6->proto = f->protocol;
	memcpy(v6->src_addr, f->source, sizeof(v6->src_addr));
	memcpy(v6->dst_addr, f->destination, sizeof(v6->dst_addr));
	return (char *)(v6 + 1);
}

/* The headers, each bit that the flow does not tell as in `rest`; returns their length. */
static uint16_t make_frame(const struct flow *f, uint8_t rest, char frame[FRAME_MAX])
{
	char *at;
	rte_be16_t port[2] = {rte_cpu_to_be_16(f->source_port), rte_cpu_to_be_16(f->destination_port)};

	memset(frame, rest, FRAME_MAX);
	at = put_ip(f, rest, put_ethernet(f, rest, frame));
	if (f->protocol != IPPROTO_ICMP && f->protocol != IPPROTO_ICMPV6)
		memcpy(at, port, sizeof(port));
	return (uint16_t)(at + L4_BYTES - frame);
}

int flow_id(const struct flow *f, const struct vnicd_face *face, uint64_t *id, uint32_t *rule,
	    char *why, size_t len)
{
	char frame[2][FRAME_MAX] __rte_aligned(8), text[IDS_RULE_TEXT];
	uint16_t bytes = make_frame(f, 0, frame[0]);
	struct rte_mbuf m = {.buf_addr = frame[0], .buf_len = FRAME_MAX, .nb_segs = 1,
			     .data_len = bytes, .pkt_len = bytes};

	make_frame(f, UINT8_MAX, frame[1]);
	*id = vnic_face_id(face->face, &m, rule);
	for (uint32_t i = 0; i < face->conf->nb_rules && i <= *rule; i++) {
		const struct vnic_idrule *r = &face->conf->rule[i];

		if (r->kind != VNIC_IDRULE_BYTES ||
		    (r->offset + r->width <= bytes &&
		     memcmp(frame[0] + r->offset, frame[1] + r->offset, r->width) == 0))
			continue;
		snprintf(why, len, "face %s: rule %u, %s, goes by what a flow does not tell; cancel by id",
			 face->conf->name, i + 1, ids_rule_text(r, text));
		return -1;
	}
	return 0;
}

/* ---- the question ---- */

const struct vnicd_face *flow_face(const struct vnicd *d, const char *name)
{
	for (uint32_t i = 0; name != NULL && i < d->conf.nb_faces; i++)
		if (strcmp(d->conf.face[i].name, name) == 0)
			return &d->face[i];
	return NULL;
}

int flow_ask(const struct vnicd *d, struct words *w, struct flow_answer *a, char *why, size_t len)
{
	struct flow flow;
	uint32_t rule;

	a->face = flow_face(d, w->now);
	if (a->face == NULL) {
		snprintf(why, len, "no such face; write FACE " FLOW_WORDS);
		return -1;
	}
	words_next(w);
	if (flow_read(&flow, w, why, len) != 0)
		return -1;
	if (w->now != NULL) {
		snprintf(why, len, "too many words; write FACE " FLOW_WORDS);
		return -1;
	}
	if (flow_id(&flow, a->face, &a->id, &rule, why, len) != 0)
		return -1;
	a->rule = a->id != 0 ? rule + 1 : 0;
	snprintf(a->by, sizeof(a->by), "none");
	if (a->id != 0)
		ids_rule_text(&a->face->conf->rule[rule], a->by);
	return 0;
}
