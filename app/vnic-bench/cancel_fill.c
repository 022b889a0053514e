/* SPDX-License-Identifier: BSD-3-Clause
 * cancel_fill.c - one queue filled, some of it cancelled piece by piece, each piece timed
 */
#include "cancel.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <rte_cycles.h>

#define WAIT_S 20
/* of a queue an eighth may go before it is filled anew */
#define SHARE 8
/* ids of cancels that match many; ids of others count up from 1 */
#define TARGET_ID (UINT64_C(1) << 48)
#define NO_ID (UINT64_C(1) << 49)
#define WARM_CANCELS 3
/* at full load: so many more than the depth are sent, so that data need not wait for app */
#define SURPLUS (8 * DESIGN_BURST)
#define STEP_EACH 8

const char *cancel_pattern_name(enum cancel_pattern pattern)
{
	static const char *const name[] = {"single", "scattered", "run"};

	return name[pattern];
}

static uint32_t next_random(struct cancel_fill *f)
{
	f->random = f->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(f->random >> 33);
}

/* ---- ids ---- */

/* The id of the NBL that is the n-th of all that the stock ever sent. */
static uint64_t id_of(uint64_t n, void *context)
{
	const struct cancel_fill *f = context;
	uint32_t at = (uint32_t)(n - f->first_id), stride, part;

	if (f->c->pattern == CANCEL_SCATTERED) {
		stride = f->c->depth / f->c->matches;
		part = stride / f->targets;
		return at % stride % part == 0 ? TARGET_ID + at % stride / part : n;
	}
	part = f->c->depth / f->targets;
	return at % part < f->c->matches ? TARGET_ID + at / part : n;
}

/* The id that the i-th cancel of a fill is about: in no order, none twice. */
static uint64_t pick_id(struct cancel_fill *f, uint32_t i)
{
	uint32_t one = (i * UINT32_C(2654435769) + 7) & (f->targets - 1);
	uint32_t part = f->c->depth / f->targets;
	uint64_t out = RTE_MAX(stock_out(f->stock), 1u);

	if (f->c->full_load) /* anywhere in the queue as it is now */
		return f->stock->next_id - f->stock->nb_ready - 1 - next_random(f) % out;
	if (f->c->pattern == CANCEL_SINGLE)
		return f->first_id + one * part + next_random(f) % part;
	return TARGET_ID + one;
}

/* ---- app ---- */

/* At full load data hands down what is more than the depth, as app counts it, turn by turn: even
 * if app stands still, the queue does not run empty. Relaxed, both sides: it orders nothing. */
static uint32_t data_at_load(struct team *t)
{
	struct cancel_fill *f = t->context;
	uint64_t allowed = atomic_load_explicit(&f->allowed, memory_order_relaxed);

	if (allowed >> 32 != f->allowed_before >> 32)
		f->allowed_before = allowed;
	if ((uint32_t)f->allowed_before == 0)
		return 0;
	f->allowed_before--;
	return f->design->ops->data(f->design);
}

static void allow(struct cancel_fill *f)
{
	uint64_t out = stock_out(f->stock), steps;

	steps = out > f->c->depth ? (out - f->c->depth + DESIGN_BURST - 1) / DESIGN_BURST : 0;
	atomic_store_explicit(&f->allowed, (uint64_t)++f->turn << 32 | steps, memory_order_relaxed);
}

/* Take all completions of a queue; returns how many were aborted. */
static uint64_t take(struct cancel_fill *f, uint32_t queue)
{
	uint64_t aborted = 0;

	while (stock_poll(f->stock, f->design, queue, &aborted) != 0 && f->c->full_load)
		;
	return aborted;
}

/* One turn of app's loop: take completions, how many aborted; send more at full load. */
static uint64_t go_on(struct cancel_fill *f)
{
	uint64_t aborted = 0;

	for (uint32_t q = 0; q < f->c->nb_queues; q++)
		aborted += take(f, q);
	if (aborted != 0)
		return aborted; /* first of all the clock is read */
	if (f->c->full_load) {
		for (uint32_t q = 0; q < f->c->nb_queues && stock_out(f->stock) < f->c->depth + SURPLUS; q++)
			stock_send(f->stock, f->design, q);
		allow(f);
	}
	/* a queue that is held needs little of data */
	if (f->c->full_load || f->team.app_control || f->team.yields || f->turn++ % STEP_EACH == 0)
		team_step(&f->team);
	return 0;
}

static int stuck(const struct cancel_fill *f, const char *what)
{
	fprintf(stderr, "vnic-bench: cancel, %s, %u deep: %s in %d s; are its lcores' CPUs free?\n",
		f->design->ops->name, f->c->depth, what, WAIT_S);
	return -1;
}

static int fill(struct cancel_fill *f)
{
	uint64_t end = rte_rdtsc() + WAIT_S * rte_get_tsc_hz();
	uint32_t q = 0;

	while (stock_out(f->stock) < f->c->depth) {
		if (stock_send(f->stock, f->design, q) == 0) {
			if (rte_rdtsc() > end)
				return stuck(f, "the queue was not filled");
			team_step(&f->team);
		}
		q = q + 1 == f->c->nb_queues ? 0 : q + 1;
	}
	return 0;
}

struct timed {
	uint64_t call, posted, seen; /* posted: the call is back; seen: the last completion */
	uint64_t aborted;
};

/* Cancel, and wait until it is over and all that it took back has been seen. */
static int time_cancel(struct cancel_fill *f, uint64_t id, struct timed *t)
{
	const struct design_ops *ops = f->design->ops;
	uint64_t end, nb = 0;
	bool over = false;

	*t = (struct timed){.call = rte_rdtsc()};
	end = t->call + WAIT_S * rte_get_tsc_hz();
	ops->cancel(f->design, id);
	t->posted = rte_rdtsc();
	for (uint32_t turn = 1;; turn++) {
		uint64_t came = go_on(f);

		t->aborted += came;
		if (came != 0)
			t->seen = rte_rdtsc();
		/* now and then: to look is to disturb who applies it */
		if (!over && (t->aborted >= f->c->matches || turn % 16 == 0))
			over = ops->over(f->design, &nb);
		if (over && t->aborted == nb)
			return 0;
		if (turn % 1024 == 0 && rte_rdtsc() > end)
			return stuck(f, "a cancel did not end");
	}
}

static void add_sample(struct cancel_fill *f, const struct timed *t)
{
	struct cancel_lane *l = f->lane;
	const struct bench *b = f->bench;
	struct design_stages s = {0};
	uint64_t posted;

	samples_add(&l->round, bench_ns(b, t->seen - t->call));
	samples_add(&l->ns, bench_ns(b, t->seen - t->call));
	if (f->design->ops->stages != NULL)
		f->design->ops->stages(f->design, &s);
	if (s.picked < t->call || s.walked < s.picked || t->seen < s.walked)
		return;
	/* it may be taken up, and all of it done, before the call is back */
	posted = RTE_MIN(t->posted, s.picked);
	samples_add(&l->post, bench_ns(b, posted - t->call));
	samples_add(&l->pickup, bench_ns(b, s.picked - posted));
	samples_add(&l->walk, bench_ns(b, s.walked - s.picked));
	samples_add(&l->completion, bench_ns(b, t->seen - s.walked));
}

/* A while without a cancel, never the same: no step of the others is met more often than any. */
static void pause_a_while(struct cancel_fill *f)
{
	uint32_t turns = next_random(f) % 64, us = 10 + next_random(f) % 40;
	uint64_t end = rte_rdtsc() + us * rte_get_tsc_hz() / 1000000;

	while (f->c->full_load ? rte_rdtsc() < end : turns-- != 0)
		go_on(f);
}

static int cancel_some(struct cancel_fill *f, uint64_t end)
{
	const struct cancel_case *c = f->c;
	struct cancel_lane *l = f->lane;
	struct design_stages s;
	struct timed t;

	for (uint32_t i = 0; i < WARM_CANCELS; i++)
		if (time_cancel(f, NO_ID, &t) != 0)
			return -1;
	if (f->design->ops->stages != NULL)
		f->design->ops->stages(f->design, &s);
	for (uint32_t i = 0; i < f->targets; i++) {
		pause_a_while(f);
		if (time_cancel(f, pick_id(f, i), &t) != 0)
			return -1;
		/* of many, one in a thousand may have been handed down */
		if (t.aborted != 0 && t.aborted + c->matches / 1024 >= c->matches)
			add_sample(f, &t);
		else
			l->late++;
		if (rte_rdtsc() > end || l->round.nb == l->round.room)
			break;
	}
	return 0;
}

/* What has come back in no order would make of every case a harder one than of those before:
 * a list's walk goes the way that the NBLs lie. */
static void put_in_order(struct cancel_fill *f)
{
	if (f->order != NULL && f->stock->nb_free == f->stock->conf.nb)
		memcpy(f->stock->free, f->order, f->stock->nb_free * sizeof(*f->order));
}

int cancel_fill_run(struct cancel_fill *f, uint16_t port, uint64_t ticks)
{
	const struct cancel_case *c = f->c;
	struct design_conf dc = {.depth = c->depth * (c->full_load ? 2 : 1) / c->nb_queues,
				 .nb_senders = c->nb_queues, .port = port, .held = !c->full_load,
				 .nbls = f->stock->nbls};
	const struct design_ops *ops = f->lane->ops;
	uint64_t begin;
	int rc;

	f->design = ops->create(&dc);
	if (f->design == NULL)
		return -1;
	put_in_order(f);
	f->stock->seen = (struct design_account){0}; /* none is out */
	f->first_id = f->stock->next_id;
	f->targets = c->full_load ? UINT32_MAX : RTE_MAX(c->depth / SHARE / c->matches, 1u);
	f->allowed_before = (uint64_t)++f->turn << 32; /* no data role runs */
	atomic_store_explicit(&f->allowed, f->allowed_before, memory_order_relaxed);
	f->stock->id_of = c->pattern == CANCEL_SINGLE ? NULL : id_of;
	f->stock->id_context = f;
	f->team = (struct team){.context = f, .data = c->full_load ? data_at_load : NULL};
	team_start(&f->team, f->design, ops->control != NULL ? TEAM_CONTROL_APART : TEAM_DATA_APART);
	rc = fill(f);
	begin = rte_rdtsc();
	if (rc == 0)
		rc = cancel_some(f, begin + ticks);
	f->lane->busy_ns += bench_ns(f->bench, rte_rdtsc() - begin);
	f->lane->sent += (double)f->stock->seen.sent;
	team_stop(&f->team);
	if (rc == 0)
		rc = stock_settle(f->stock, f->design, c->nb_queues, true);
	ops->destroy(f->design);
	return rc;
}
