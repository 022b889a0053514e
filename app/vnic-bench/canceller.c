/* SPDX-License-Identifier: BSD-3-Clause
 * canceller.c - cancels of NBLs picked at random among the newest, at a pace
 */
#include "canceller.h"

#include <stdio.h>
#include <string.h>

#include <rte_cycles.h>

#define BEHIND_MAX 4 /* cancels that are made up for */
#define PICKS 8
#define FINISH_S 5

void canceller_init(struct canceller *c)
{
	c->due = 0;
	c->random = UINT64_C(0x9e3779b97f4a7c15);
	c->busy = false;
	c->all = (struct canceller_count){0};
	memset(c->count, 0, sizeof(c->count));
	memset(c->done, 0, sizeof(c->done));
	atomic_init(&c->newest, 0);
	atomic_init(&c->phase, 0);
}

void canceller_newest(struct canceller *c, const struct stock *s)
{
	/* relaxed: a number to pick from; the queue itself orders what is in it */
	atomic_store_explicit(&c->newest, s->next_id - 1 - s->nb_ready, memory_order_relaxed);
}

void canceller_phase(struct canceller *c, uint32_t phase, bool counted)
{
	/* relaxed: see canceller_phase_now() */
	atomic_store_explicit(&c->phase, phase << 1 | counted, memory_order_relaxed);
}

static uint64_t next_random(struct canceller *c)
{
	c->random ^= c->random << 13;
	c->random ^= c->random >> 7;
	c->random ^= c->random << 17;
	return c->random >> 16;
}

static bool is_due(struct canceller *c, uint64_t interval)
{
	uint64_t now;

	if (interval == CANCELLER_NONE)
		return false;
	if (interval == 0)
		return true;
	now = rte_rdtsc();
	/* further off than any of this interval: a slower phase has left it */
	if ((int64_t)(now - c->due) < 0 && c->due - now <= 2 * interval)
		return false;
	if (c->irregular)
		c->due = now + next_random(c) % (2 * interval);
	else if (now - c->due > BEHIND_MAX * interval)
		c->due = now - (BEHIND_MAX - 1) * interval;
	else
		c->due += interval;
	return true;
}

/* An id that has not been cancelled before; 0 when none was met. */
static uint64_t pick(struct canceller *c)
{
	uint64_t newest = atomic_load_explicit(&c->newest, memory_order_relaxed), id, *done;

	for (uint32_t i = 0; i < PICKS && newest > c->span; i++) {
		id = newest - next_random(c) % c->span;
		done = &c->done[id % CANCELLER_REMEMBERED];
		if (*done == id)
			continue;
		*done = id;
		return id;
	}
	return 0;
}

static bool begin(struct canceller *c, struct design *d)
{
	uint32_t phase;
	bool counts;
	uint64_t id;

	if (c->busy)
		return false;
	phase = canceller_phase_now(c, &counts);
	if (!is_due(c, c->interval[phase]))
		return false;
	id = pick(c);
	if (id == 0)
		return false;
	d->ops->cancel(d, id);
	c->busy = true;
	c->phase_begun = phase;
	c->counts = counts;
	return true;
}

static void add(struct canceller_count *n, uint64_t nb)
{
	n->matched += nb;
	n->too_late += nb == 0;
}

static void look(struct canceller *c, struct design *d)
{
	uint64_t nb;

	if (!c->busy || !d->ops->over(d, &nb))
		return;
	c->busy = false;
	add(&c->all, nb);
	if (c->counts)
		add(&c->count[c->phase_begun], nb);
}

uint32_t canceller_step(struct canceller *c, struct design *d)
{
	uint32_t work = begin(c, d);

	if (d->ops->control != NULL)
		work += d->ops->control(d);
	look(c, d);
	return work;
}

int canceller_finish(struct canceller *c, struct design *d, struct stock *s)
{
	uint64_t end = rte_rdtsc() + FINISH_S * rte_get_tsc_hz();

	canceller_phase(c, 0, false);
	while (c->busy && rte_rdtsc() < end) {
		d->ops->data(d);
		if (d->ops->control != NULL)
			d->ops->control(d);
		stock_poll(s, d, 0, NULL);
		look(c, d);
	}
	if (!c->busy)
		return 0;
	fprintf(stderr, "vnic-bench: %s: a cancel is not over after %d s: this is a bug\n", d->ops->name,
		FINISH_S);
	return -1;
}
