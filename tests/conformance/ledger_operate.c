/* SPDX-License-Identifier: BSD-3-Clause
 * ledger_operate.c - operations: issued, waited for, cancelled by others, at random
 */
#include "ledger_rig.h"

#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#define ANSWER_S 12 /* a control request ends within [C76] */

/* ---- offers ---- */

struct rig_offer *rig_offer_new(struct rig *rig)
{
	uint32_t i = atomic_fetch_add(&rig->nb_offers, 1);

	if (i >= RIG_OFFERS)
		abort();
	return &rig->offer[i];
}

void rig_offer_put(struct rig_offer *offer, struct vnic_request *request)
{
	offer->request = request;
	atomic_store_explicit(&offer->state, 1, memory_order_release);
}

void rig_offer_get_back(struct rig_offer *offer)
{
	uint32_t state = 1;

	if (atomic_compare_exchange_strong(&offer->state, &state, 0))
		return;
	while (state != 0 && atomic_load_explicit(&offer->state, memory_order_acquire) != 3)
		sched_yield();
	atomic_store(&offer->state, 0);
}

/* Cancel somebody's request, whatever has become of it meanwhile. */
static bool cancel_offered(struct rig_offer *offer)
{
	uint32_t state = 1;
	bool called;

	if (!atomic_compare_exchange_strong_explicit(&offer->state, &state, 2, memory_order_acquire,
						     memory_order_relaxed))
		return false;
	called = vnic_request_cancel(offer->request);
	atomic_store_explicit(&offer->state, 3, memory_order_release);
	return called;
}

uint32_t rig_cancel_offered(struct rig *rig, const struct rig_offer *own, uint64_t *seed,
			    uint32_t odds)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < RIG_OFFERS; i++)
		if (&rig->offer[i] != own && rig_roll(seed, odds) == 0)
			n += cancel_offered(&rig->offer[i]);
	return n;
}

/* ---- operations ---- */

static bool legal_end(enum vnic_control_code code, uint32_t status)
{
	switch (status) {
	case VNIC_STATUS_SUCCESS:
	case VNIC_STATUS_INVALID_STATE:
	case VNIC_STATUS_CANCELLED: return true;
	case VNIC_STATUS_REDIRECTOR_NOT_STARTED:
		return code != VNIC_CONTROL_START && code != VNIC_CONTROL_STOP;
	case VNIC_STATUS_INVALID_PARAMETER: return code == VNIC_CONTROL_ABORT; /* no such client */
	case VNIC_STATUS_RESET_IN_PROGRESS: return code == VNIC_CONTROL_RESET;
	case VNIC_STATUS_REDIRECTOR_STARTED: return code == VNIC_CONTROL_START;
	case VNIC_STATUS_REDIRECTOR_STOPPED:
	case VNIC_STATUS_REDIRECTOR_HAS_OPEN_HANDLES: return code == VNIC_CONTROL_STOP;
	default: return false;
	}
}

uint32_t rig_operate(struct rig *rig, struct vnic_adapter *a, enum vnic_control_code code,
		     uint64_t argument, struct rig_offer *offer, bool impatient)
{
	struct vnic_request *r = vnic_request_create(rig->control);
	double begin = rig_now_s();
	uint32_t status, yields = 0;
	bool late = false;

	rig_offer_put(offer, r);
	status = vnic_adapter_request(a, code, argument, r);
	while (status == VNIC_STATUS_PENDING) {
		if (++yields == 300 && impatient)
			vnic_request_cancel(r);
		sched_yield();
		status = vnic_request_status(r);
		if (!late && rig_now_s() - begin > ANSWER_S) {
			rig_fail(vnic_control_name(code), ANSWER_S, vnic_adapter_state(a));
			late = true;
		}
	}
	if (!legal_end(code, status))
		rig_fail(vnic_status_name(status), code, status);
	rig_offer_get_back(offer);
	vnic_request_release(r);
	return status;
}

/* ---- operators ---- */

/* How often what is chosen, of 64. */
static const uint8_t weights[VNIC_CONTROL_CODES] = {
	[VNIC_CONTROL_STOP] = 3, [VNIC_CONTROL_START] = 1, [VNIC_CONTROL_INITIALIZE] = 1,
	[VNIC_CONTROL_RESTART] = 2, [VNIC_CONTROL_PAUSE] = 14, [VNIC_CONTROL_HALT] = 2,
	[VNIC_CONTROL_RESET] = 10, [VNIC_CONTROL_POWER] = 5, [VNIC_CONTROL_REMOVE] = 1,
	[VNIC_CONTROL_DRAIN] = 12, [VNIC_CONTROL_WAIT_LINK] = 2, [VNIC_CONTROL_CANCEL] = 8,
	[VNIC_CONTROL_ABORT] = 2,
};

static enum vnic_control_code choose(struct rig_operator *o, uint64_t *argument)
{
	int dice = (int)rig_roll(&o->seed, 63);
	uint32_t code = 0;

	while (dice >= 0)
		dice -= weights[++code];
	*argument = code == VNIC_CONTROL_CANCEL ? rig_random(&o->seed) % 8 + 1 :
		    code == VNIC_CONTROL_START ? 1 :
		    code == VNIC_CONTROL_ABORT ? rig_roll(&o->seed, 12) :
		    code == VNIC_CONTROL_WAIT_LINK ? rig_roll(&o->seed, 2) : 0;
	return (enum vnic_control_code)code;
}

/* What leads back to Running; 0: nothing is needed. */
static enum vnic_control_code heal(struct rig_nic *nic, uint64_t *argument)
{
	struct vnic_start_stop_context c;
	enum vnic_state state = vnic_adapter_state(nic->adapter);
	uint32_t gate = vnic_adapter_gate(nic->adapter);

	vnic_adapter_start_stop(nic->adapter, &c);
	*argument = 0;
	atomic_store_explicit(&nic->link, true, memory_order_relaxed);
	if (c.state == VNIC_RDBSS_STARTABLE) {
		*argument = 1;
		return VNIC_CONTROL_START;
	}
	if (gate == VNIC_STATUS_LOW_POWER_STATE) {
		*argument = 1;
		return VNIC_CONTROL_POWER;
	}
	return state == VNIC_STATE_HALTED ? VNIC_CONTROL_INITIALIZE :
	       state == VNIC_STATE_PAUSED ? VNIC_CONTROL_RESTART : 0;
}

static void operate(struct rig_operator *o, struct rig_nic *nic, enum vnic_control_code code,
		    uint64_t argument)
{
	double begin = rig_now_s();
	uint32_t status = rig_operate(o->rig, nic->adapter, code, argument, o->offer,
				      code == VNIC_CONTROL_WAIT_LINK || rig_roll(&o->seed, 16) == 0);

	begin = rig_now_s() - begin;
	o->longest_s = begin > o->longest_s ? begin : o->longest_s;
	o->issued[code]++;
	if (status == VNIC_STATUS_SUCCESS || status == VNIC_STATUS_REDIRECTOR_HAS_OPEN_HANDLES)
		o->done[code]++;
	else if (status == VNIC_STATUS_CANCELLED)
		o->cancelled[code]++;
	else
		o->refused[code]++;
}

static void operate_once(struct rig_operator *o)
{
	struct rig_nic *nic = &o->rig->nic[rig_roll(&o->seed, o->rig->nb_nics)];
	enum vnic_control_code code = 0;
	uint64_t argument;

	if (rig_roll(&o->seed, 256) == 0)
		atomic_store_explicit(&nic->link, false, memory_order_relaxed);
	if (rig_roll(&o->seed, 3) != 0)
		code = heal(nic, &argument);
	if (code == 0 && rig_roll(&o->seed, 3) == 0)
		code = choose(o, &argument);
	if (code != 0)
		operate(o, nic, code, argument);
	o->cancels += rig_cancel_offered(o->rig, o->offer, &o->seed, 16);
}

static void *operator_loop(void *arg)
{
	struct rig_operator *o = arg;
	uint32_t place = rig_enter_thread(o->rig, false);
	uint64_t argument;

	while (!atomic_load(&o->rig->end_operators)) {
		operate_once(o);
		rig_nap(rig_roll(&o->seed, 1500));
	}
	for (uint32_t i = 0; i < o->rig->nb_nics; i++)
		for (enum vnic_control_code code; (code = heal(&o->rig->nic[i], &argument)) != 0;)
			operate(o, &o->rig->nic[i], code, argument);
	rig_leave_thread(o->rig, place, false);
	return NULL;
}

void rig_start_operators(struct rig *rig)
{
	for (uint32_t i = 0; i < RIG_OPERATORS; i++) {
		struct rig_operator *o = &rig->operator[i];

		*o = (struct rig_operator){.rig = rig, .seed = 1000 + i, .offer = rig_offer_new(rig)};
		if (pthread_create(&o->thread, NULL, operator_loop, o) != 0)
			abort();
	}
	rig->nb_operators = RIG_OPERATORS;
}

void rig_end_operators(struct rig *rig)
{
	atomic_store(&rig->end_operators, true);
	for (uint32_t i = 0; i < rig->nb_operators; i++)
		pthread_join(rig->operator[i].thread, NULL);
}

/* ---- what there was ---- */

void rig_print(const struct rig *rig)
{
	uint64_t cancels = 0;
	double longest_s = 0;

	printf("  %" PRIu64 " exact cuts, %" PRIu64 " interrupts of threads\n", rig->cuts, rig->interrupts);
	if (rig->nb_operators == 0)
		return;
	printf("  %-12s %8s %8s %10s %8s\n", "operation", "issued", "done", "cancelled", "refused");
	for (uint32_t code = 1; code < VNIC_CONTROL_CODES; code++) {
		uint64_t sum[4] = {0};

		for (uint32_t i = 0; i < rig->nb_operators; i++) {
			const struct rig_operator *o = &rig->operator[i];

			sum[0] += o->issued[code];
			sum[1] += o->done[code];
			sum[2] += o->cancelled[code];
			sum[3] += o->refused[code];
		}
		if (sum[0] != 0)
			printf("  %-12s %8" PRIu64 " %8" PRIu64 " %10" PRIu64 " %8" PRIu64 "\n",
			       vnic_control_name(code), sum[0], sum[1], sum[2], sum[3]);
	}
	for (uint32_t i = 0; i < rig->nb_operators; i++) {
		cancels += rig->operator[i].cancels;
		longest_s = rig->operator[i].longest_s > longest_s ? rig->operator[i].longest_s : longest_s;
	}
	printf("  %" PRIu64 " requests taken back while they were pending, the longest operation took "
	       "%.2f s\n", cancels, longest_s);
}
