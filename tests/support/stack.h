/* SPDX-License-Identifier: BSD-3-Clause
 * stack.h - test bed: adapters on top of each other, each layer with one below; and their
 * control operations
 */
#ifndef TESTS_STACK_H
#define TESTS_STACK_H

#include "bed.h"

#define STACK_MAX 4

/* bed[0] has the port. */
struct stack {
	uint32_t nb;
	struct bed *bed[STACK_MAX];
	struct bed *low, *top;
};

/* nb of them; the wire is closed. */
struct stack stack_open(uint32_t nb);
/* The same with `low` as the one with the port. */
struct stack stack_open_over(struct bed *low, uint32_t nb);
void stack_close(struct stack *st);
/* One layer more, not of the stack. */
struct bed *stack_layer(struct bed *lower);

/* Move what the layers have queued down to the queue of bed[level]. */
void stack_sink(struct stack *st, uint32_t level);
/* n new NBLs of one packet sent to the top and moved down: the number of the first. */
uint32_t stack_send(struct stack *st, uint32_t level, uint64_t id, uint16_t n);

void stack_expect_verdict(const struct vnic_verdict *v, uint64_t nbls, uint64_t packets,
			  uint64_t late);

/* An operation of b's adapter. */
struct vnic_request *stack_issue(struct bed *b, enum vnic_control_code code, uint64_t argument);
/* Step control and all of b's data sides nb times. */
void stack_step(struct bed *b, uint32_t nb);
/* The same until the last one issued is complete, with this status, once. */
void stack_end(struct bed *b, struct vnic_request *r, uint32_t status);
/* Issue it and step to its end, SUCCESS. */
void stack_do(struct bed *b, enum vnic_control_code code, uint64_t argument);

#endif
