/* SPDX-License-Identifier: BSD-3-Clause
 * operate.c - test bed: an adapter's operations, issued and stepped
 */
#include "bed.h"

#include <rte_cycles.h>

#include "adapter.h"

#define STEPS 64   /* of each side, more than an operation ever needs that does not wait */
#define SWEEP_MS 2 /* and time for sweeps, which come at intervals */

struct vnic_request *bed_issue(struct bed *b, enum vnic_control_code code, uint64_t argument)
{
	struct vnic_request *r = vnic_request_create(b->control);
	uint32_t status;

	assert_non_null(r);
	status = vnic_adapter_request(b->adapter, code, argument, r);
	if (status != VNIC_STATUS_PENDING)
		assert_int_equal(vnic_request_status(r), status);
	return r;
}

void bed_step(struct bed *b, int n)
{
	for (int i = 0; i < n; i++) {
		bed_control(b);
		bed_data(b);
	}
}

void bed_linger(struct bed *b)
{
	uint64_t until = rte_rdtsc() + rte_get_tsc_hz() / 1000 * SWEEP_MS;

	do
		bed_step(b, 1);
	while (rte_rdtsc() < until);
}

void bed_look(struct bed *b)
{
	b->control->look_tsc = rte_rdtsc();
	bed_control(b);
}

uint32_t bed_await(struct bed *b, struct vnic_request *r)
{
	uint64_t until = rte_rdtsc() + rte_get_tsc_hz() / 1000 * SWEEP_MS;
	uint32_t status = vnic_request_status(r);

	for (int i = 0; status == VNIC_STATUS_PENDING && (i < STEPS || rte_rdtsc() < until); i++) {
		bed_step(b, 1);
		status = vnic_request_status(r);
	}
	vnic_request_release(r);
	return status;
}

uint32_t bed_operate(struct bed *b, enum vnic_control_code code, uint64_t argument)
{
	return bed_await(b, bed_issue(b, code, argument));
}

void bed_expect_state(const struct bed *b, enum vnic_state state, uint32_t gate)
{
	assert_string_equal(vnic_state_name(vnic_adapter_state(b->adapter)), vnic_state_name(state));
	assert_string_equal(vnic_status_name(vnic_adapter_gate(b->adapter)), vnic_status_name(gate));
}

uint32_t bed_inside(const struct bed *b)
{
	return atomic_load(&b->adapter->operations.word) & ~VNIC__GATE_CLOSED;
}

uint32_t bed_half_sent(struct bed *b, uint64_t id, uint16_t nb_packets, uint16_t nb_sent)
{
	uint32_t number = bed_nbl(b, id, nb_packets);

	bed_wire_room(b, nb_sent);
	bed_send(b, number, 1);
	bed_data(b);
	assert_int_equal(b->adapter->sender[0]->cursor, nb_sent);
	bed_wire_room(b, 0);
	return number;
}
