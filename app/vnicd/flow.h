/* SPDX-License-Identifier: BSD-3-Clause
 * flow.h - a flow in words, and the cancel id that a face gives it
 *
 * Any thread.
 */
#ifndef VNICD_FLOW_H
#define VNICD_FLOW_H

#include <stddef.h>
#include <stdint.h>

#include "words.h"

#define FLOW_WORDS "PROTO SRC SPORT DST DPORT [vlan N] [dscp N] [label N]"

struct vnicd;
struct vnicd_face;

struct flow {
	uint8_t version; /* 4 or 6 */
	uint8_t protocol;
	uint8_t source[16];
	uint8_t destination[16];
	uint16_t source_port;
	uint16_t destination_port;
	uint16_t vlan; /* 0: no tag */
	uint8_t dscp;
	uint32_t label;
};

/* Read FLOW_WORDS; w->now is then what follows them. 0, or -1 and one line in `why`. */
int flow_read(struct flow *flow, struct words *w, char *why, size_t len);

/* The id of the flow's packets, 0: unmarked, and the rule that makes it, from 0. Fragments are
 * others. -1: the flow does not tell, and one line in `why`. */
int flow_id(const struct flow *flow, const struct vnicd_face *face, uint64_t *id, uint32_t *rule,
	    char *why, size_t len);

/* NULL if there is none. */
const struct vnicd_face *flow_face(const struct vnicd *d, const char *name);

/* "Which id has this flow": the answer to FACE and FLOW_WORDS. */
struct flow_answer {
	const struct vnicd_face *face;
	uint64_t id;
	uint32_t rule; /* from 1, 0: none */
	char by[64];   /* the rule in words, "none" */
};

/* 0, or -1 and one line in `why`; words->now is then what follows. */
int flow_ask(const struct vnicd *d, struct words *words, struct flow_answer *answer, char *why, size_t len);

#endif
