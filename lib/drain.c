/* SPDX-License-Identifier: BSD-3-Clause
 * drain.c - waiting until what was sent before has left
 *
 * Control thread. A round covers what was sent before it began, on the adapter and then on
 * those below it.
 */
#include "adapter.h"
#include "layer.h"

void vnic__drain_ask(struct vnic_adapter *a, struct vnic_request *r)
{
	struct vnic__drain *d = &a->life.drain;

	/* a round under way may have begun before what this one is to wait for was sent */
	r->argument = d->begun + 1;
	d->wanted = RTE_MAX(d->wanted, r->argument);
}

void vnic__drain_forget(struct vnic__drain *d)
{
	d->begun = d->ended = d->wanted;
	d->phase = DRAIN_IDLE;
}

bool vnic__drain_at_rest(const struct vnic__drain *d)
{
	return d->phase == DRAIN_IDLE && d->ended >= d->wanted;
}

static bool drain_own(struct vnic_adapter *a, struct vnic__drain *d)
{
	for (uint32_t i = 0; i < d->nb_senders; i++)
		/* A5 <- R5 */
		if ((int64_t)(atomic_load_explicit(&a->sender[i]->ring->settled,
						   memory_order_acquire) - d->mark[i]) < 0)
			return false;
	for (uint32_t b = 0; a->layer != NULL && b < a->layer->nb; b++) {
		struct vnic__life *lower = &a->layer->binding[b].lower->life;

		d->lower_round[b] = lower->drain.begun + 1;
		lower->drain.wanted = RTE_MAX(lower->drain.wanted, d->lower_round[b]);
		lower->active = true;
	}
	return true;
}

static bool drain_lower(const struct vnic_adapter *a, const struct vnic__drain *d)
{
	for (uint32_t b = 0; a->layer != NULL && b < a->layer->nb; b++)
		if (a->layer->binding[b].lower->life.drain.ended < d->lower_round[b])
			return false;
	return true;
}

/* After the last completions: what has left is visible to its sender. */
static void drain_barrier(struct vnic_adapter *a, struct vnic__drain *d)
{
	struct vnic_ticket *t = &d->barrier;

	vnic__ticket_begin(t, a, 0, 0);
	t->internal = t->barrier = t->stays = true;
	for (uint32_t i = 0; i < t->nb_senders; i++)
		t->mark[i] = t->late_from[i]; /* settled: nothing is below it */
	atomic_store_explicit(&t->state, TICKET_PENDING, memory_order_relaxed);
	vnic__ticket_run(a->control, t);
}

bool vnic__drain_step(struct vnic_adapter *a)
{
	struct vnic__drain *d = &a->life.drain;

	switch (d->phase) {
	case DRAIN_IDLE:
		if (d->ended >= d->wanted)
			return false;
		d->begun = d->ended + 1;
		d->nb_senders = vnic__adapter_senders(a);
		for (uint32_t i = 0; i < d->nb_senders; i++)
			d->mark[i] = atomic_load_explicit(&a->sender[i]->ring->tail,
							  memory_order_acquire);
		d->phase = DRAIN_OWN;
		return true;
	case DRAIN_OWN:
		if (!drain_own(a, d))
			return false;
		d->phase = DRAIN_LOWER;
		return true;
	case DRAIN_LOWER:
		if (!drain_lower(a, d))
			return false;
		d->phase = DRAIN_BARRIER;
		drain_barrier(a, d);
		return true;
	case DRAIN_BARRIER:
		if (vnic__ticket_pending(&d->barrier))
			return false;
		d->ended = d->begun;
		d->phase = DRAIN_IDLE;
		vnic__operation_end(a, VNIC_CONTROL_DRAIN, 0, d->ended, VNIC_STATUS_SUCCESS);
		return true;
	}
	return false;
}
