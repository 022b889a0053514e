/* SPDX-License-Identifier: BSD-3-Clause
 * stack.c - test bed: adapters on top of each other
 */
#include "stack.h"

#define STEPS_MAX 1000

struct bed *stack_layer(struct bed *lower)
{
	return bed_open(&(struct bed_conf){.lower = {lower}, .nb_lower = 1});
}

struct stack stack_open_over(struct bed *low, uint32_t nb)
{
	struct stack st = {.nb = nb, .bed = {low}, .low = low};

	for (uint32_t i = 1; i < nb; i++)
		st.bed[i] = stack_layer(st.bed[i - 1]);
	st.top = st.bed[nb - 1];
	bed_wire_room(low, 0);
	return st;
}

struct stack stack_open(uint32_t nb)
{
	return stack_open_over(bed_open(NULL), nb);
}

void stack_close(struct stack *st)
{
	while (st->nb-- != 0)
		bed_close(st->bed[st->nb]);
}

void stack_sink(struct stack *st, uint32_t level)
{
	for (uint32_t i = st->nb - 1; i > level; i--)
		while (bed_data(st->bed[i]) != 0)
			;
}

uint32_t stack_send(struct stack *st, uint32_t level, uint64_t id, uint16_t n)
{
	uint32_t first = bed_send_id(st->top, id, n);

	stack_sink(st, level);
	return first;
}

void stack_expect_verdict(const struct vnic_verdict *v, uint64_t nbls, uint64_t packets,
			  uint64_t late)
{
	assert_int_equal(v->aborted.nbls, nbls);
	assert_int_equal(v->aborted.packets, packets);
	assert_int_equal(v->too_late, late);
	assert_int_equal(v->unknown, nbls == 0 && late == 0);
}

static uint32_t nb_done; /* completions of the last one issued */

static void count_done(struct vnic_request *r, void *context)
{
	(void)r;
	(void)context;
	nb_done++;
}

struct vnic_request *stack_issue(struct bed *b, enum vnic_control_code code, uint64_t argument)
{
	struct vnic_request *r = vnic_request_create(b->control);

	assert_non_null(r);
	nb_done = 0;
	vnic_request_on_done(r, count_done, NULL);
	vnic_adapter_request(b->adapter, code, argument, r);
	return r;
}

void stack_step(struct bed *b, uint32_t nb)
{
	for (uint32_t i = 0; i < nb; i++) {
		bed_data_all(b);
		bed_control(b);
	}
}

void stack_end(struct bed *b, struct vnic_request *r, uint32_t status)
{
	for (uint32_t i = 0; i < STEPS_MAX && vnic_request_status(r) == VNIC_STATUS_PENDING; i++)
		stack_step(b, 1);
	assert_int_equal(vnic_request_status(r), status);
	assert_int_equal(nb_done, 1);
	vnic_request_release(r);
	bed_poll(b);
}

void stack_do(struct bed *b, enum vnic_control_code code, uint64_t argument)
{
	stack_end(b, stack_issue(b, code, argument), VNIC_STATUS_SUCCESS);
}
