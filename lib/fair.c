/* SPDX-License-Identifier: BSD-3-Clause
 * fair.c - turns and credits
 */
#include "fair.h"

#include <rte_cycles.h>

#include "adapter.h"

#define FRACTION 16 /* bits of a credit below one packet or byte */
#define FRAME 1514u /* bytes of a credit for each packet of it */
#define CALM 256    /* polls after which it is asked whether turns still matter */
#define PATIENCE_PER_S 50

static bool by_bytes(const struct vnic_adapter *a)
{
	return a->pacer.bits.cost != 0;
}

/* Is there always a bound, whatever the port says? */
static bool bounded(const struct vnic_adapter *a)
{
	return vnic__pacer_limits(&a->pacer) || vnic__inflight_limits(&a->inflight);
}

/* ---- weights ---- */

static uint32_t weight_of(const struct vnic_sender *s)
{
	/* relaxed: a number by itself */
	return atomic_load_explicit(&s->weight, memory_order_relaxed);
}

static bool all_alike(const struct vnic_adapter *a)
{
	uint32_t nb = vnic__adapter_senders(a);

	for (uint32_t i = 1; i < nb; i++)
		if (weight_of(a->sender[i]) != weight_of(a->sender[0]))
			return false;
	return true;
}

void vnic__fair_weigh(struct vnic_adapter *a, struct vnic_sender *s, uint32_t weight)
{
	/* relaxed: R24 orders */
	uint32_t was = atomic_exchange_explicit(&s->weight, weight, memory_order_relaxed);

	if (was == weight || (was == 0 && all_alike(a)))
		return; /* nothing new, or a new sender like the others */
	/* R24 -> A24 */
	atomic_store_explicit(&a->fair.on, true, memory_order_release);
}

void vnic__fair_init(struct vnic_adapter *a)
{
	a->fair.portion = 1;
	atomic_init(&a->fair.on, bounded(a));
}

void vnic__fair_repaced(struct vnic_adapter *a)
{
	for (uint32_t i = 0, nb = vnic__adapter_senders(a); i < nb; i++)
		a->sender[i]->credit = 0;
	a->fair.heaviest = 0;
	if (bounded(a))
		vnic__fair_scarce(&a->fair);
}

/* ---- turns ---- */

/* Has it anything to send, be it tombs? */
static bool waits(const struct vnic_sender *s)
{
	const struct vnic__ring_consumer *c = &s->consumer;

	/* relaxed: a glance; a claim orders */
	return vnic__ring_staged(c) != 0 || c->tail_seen != c->head ||
	       atomic_load_explicit(&c->ring->tail, memory_order_relaxed) != c->head;
}

/* The weight of the heaviest of those that wait, 0: none does. */
static uint32_t heaviest(const struct vnic_adapter *a, uint32_t nb, uint32_t aside)
{
	uint32_t weight = 0;

	for (uint32_t i = 0; i < nb; i++)
		if (!(aside >> i & 1) && waits(a->sender[i]))
			weight = RTE_MAX(weight, weight_of(a->sender[i]));
	return weight;
}

static void begin_round(struct vnic_adapter *a, uint32_t weight, uint32_t room)
{
	struct vnic__fair *f = &a->fair;

	f->heaviest = weight;
	f->whole = (uint64_t)RTE_MIN(room, f->portion) * (by_bytes(a) ? FRAME : 1) << FRACTION;
}

/* The turn comes to sender s; true: it takes it. */
static bool take(const struct vnic__fair *f, struct vnic_sender *s)
{
	if (!waits(s)) {
		s->credit = RTE_MIN(s->credit, 0);
		return false;
	}
	/* never 0: weights are no more than 2^10 apart */
	if (s->credit <= 0)
		s->credit += (int64_t)(f->whole * weight_of(s) / f->heaviest);
	return s->credit > 0;
}

static void pass_on(struct vnic_adapter *a)
{
	if (++a->turn == vnic__adapter_senders(a)) {
		a->turn = 0;
		a->fair.heaviest = 0;
	}
}

uint32_t vnic__fair_next(struct vnic_adapter *a, uint32_t aside, uint32_t room)
{
	struct vnic_sender *s = a->sender[a->turn];
	uint32_t nb = vnic__adapter_senders(a), weight;

	if (s->credit > 0 && !(aside >> a->turn & 1) && waits(s))
		return a->turn;
	weight = heaviest(a, nb, aside);
	if (weight == 0)
		return VNIC__FAIR_NOBODY;
	/* with each round their debts are less */
	for (;; pass_on(a)) {
		if (a->fair.heaviest == 0)
			begin_round(a, weight, room);
		s = a->sender[a->turn];
		if (!(aside >> a->turn & 1) && take(&a->fair, s))
			return a->turn;
	}
}

uint32_t vnic__fair_may(const struct vnic_adapter *a, const struct vnic_sender *s, uint32_t room,
			uint64_t *bytes)
{
	uint64_t credit = ((uint64_t)s->credit + (1u << FRACTION) - 1) >> FRACTION;

	*bytes = by_bytes(a) ? credit : UINT64_MAX;
	return by_bytes(a) ? room : (uint32_t)RTE_MIN(room, credit);
}

void vnic__fair_charge(struct vnic_adapter *a, struct vnic_sender *s, uint32_t packets,
		       uint64_t bytes)
{
	s->credit -= (int64_t)((by_bytes(a) ? bytes : packets) << FRACTION);
	s->stuck = false;
	a->fair.refused_tsc = 0;
	if (a->fair.suspect != NULL)
		a->fair.suspect->stuck = true;
	a->fair.suspect = NULL;
	if (s->credit <= 0)
		pass_on(a);
}

bool vnic__fair_refused(struct vnic_adapter *a, struct vnic_sender *s, uint32_t taken)
{
	struct vnic__fair *f = &a->fair;
	uint64_t now = rte_rdtsc();

	/* of a layer all go the same way down; and a port that has just taken some may be full */
	if (a->layer != NULL || taken != 0)
		return false;
	if (s->stuck) {
		pass_on(a);
		return true;
	}
	if (f->refused_tsc == 0)
		f->refused_tsc = now;
	if (f->suspect != NULL || now - f->refused_tsc <= a->control->tsc_hz / PATIENCE_PER_S)
		return f->suspect != NULL;
	f->refused_tsc = now;
	f->suspect = s;
	return true;
}

/* Others have tried in the suspect's place: nothing is taken of anybody. */
static void acquit(struct vnic_adapter *a)
{
	for (uint32_t i = 0, nb = vnic__adapter_senders(a); i < nb; i++)
		a->sender[i]->stuck = false;
	a->fair.suspect = NULL;
}

/* ---- polls ---- */

/* Credits as large as what the port takes at once: senders share every little of it, and give
 * bursts to one that takes bursts. */
static void fit_portion(struct vnic_adapter *a, bool refused, uint32_t taken)
{
	uint32_t portion = refused ? taken : 2 * a->fair.portion;

	if (taken != 0)
		a->fair.portion = RTE_MIN(portion, a->burst);
}

void vnic__fair_end(struct vnic_adapter *a, bool refused, uint32_t taken)
{
	struct vnic__fair *f = &a->fair;

	if (f->suspect != NULL)
		acquit(a);
	fit_portion(a, refused, taken);
	if (refused || bounded(a)) {
		f->nb_calm = 0;
	} else if (++f->nb_calm == CALM) {
		f->nb_calm = 0;
		/* A24 <- R24: whoever has said `true` before, his weight is seen */
		atomic_exchange_explicit(&f->on, false, memory_order_acquire);
		if (!all_alike(a))
			vnic__fair_scarce(f);
	}
}
