/* SPDX-License-Identifier: BSD-3-Clause
 * lcores.c - which lcore polls what, and the loops
 */
#include "vnicd.h"

#include <sched.h>
#include <string.h>
#include <time.h>

#include <rte_launch.h>

#include "choice.h"
#include "crowd.h"
#include "machine.h"
#include "say.h"

/* ---- the choice ---- */

/* The lcores of EAL, in its order, the main one first: how many. */
static uint32_t all_lcores(unsigned int lcore[RTE_MAX_LCORE])
{
	unsigned int n = 0, id = rte_get_main_lcore();

	for (lcore[n++] = id; n < rte_lcore_count(); lcore[n++] = id)
		id = rte_get_next_lcore(id, 1, 1);
	return n;
}

int vnicd_lcore_choose(struct vnicd *d, uint32_t i)
{
	unsigned int lcore[RTE_MAX_LCORE];
	struct choice choice = {.control = d->control_lcore};

	for (uint32_t k = 0; k < d->conf.nb_adapters; k++) {
		choice.data[k] = d->adapter[k].lcore;
		choice.made[k] = k < i || d->adapter[k].adapter != NULL;
	}
	if (choice_adapter(&choice, &d->conf, i, lcore, all_lcores(lcore), d->why, sizeof(d->why)) != 0)
		return -1;
	d->adapter[i].lcore = choice.data[i];
	return 0;
}

int vnicd_lcores_choose(struct vnicd *d)
{
	unsigned int lcore[RTE_MAX_LCORE];
	struct choice choice;

	if (choice_make(&choice, &d->conf, lcore, all_lcores(lcore), d->why, sizeof(d->why)) != 0)
		return -1;
	d->control_lcore = choice.control;
	for (uint32_t i = 0; i < d->conf.nb_adapters; i++)
		d->adapter[i].lcore = choice.data[i];
	return 0;
}

/* ---- the loops ---- */

/* What lcore l polls; NULL: nothing. */
static struct vnicd_round *round_of(const struct vnicd_lcore *l)
{
	/* acquire: the round as vnicd_lcores_assign() has made it */
	return atomic_load_explicit(&l->now, memory_order_acquire);
}

static uint32_t poll_round(struct vnicd *d, struct vnicd_lcore *l, const struct vnicd_round *r)
{
	uint32_t work = 0;

	for (uint32_t i = 0; i < r->nb_faces; i++)
		work += vnic_face_poll(r->face[i]);
	for (uint32_t i = 0; i < r->nb_adapters; i++)
		work += vnic_adapter_poll(r->adapter[i]);
	if (r->control) {
		/* relaxed: the plan may make one more cancel */
		if (atomic_load_explicit(&d->plan_runs, memory_order_relaxed))
			work += vnicd_plan_poll(d->plan);
		work += vnic_control_poll(d->control);
	}
	/* what the round did is seen by who sees its number: vnicd_lcores_quiesce() */
	atomic_store_explicit(&l->rounds, l->rounds + 1, memory_order_release);
	return work;
}

static int loop(void *arg)
{
	struct vnicd *d = arg;
	struct vnicd_lcore *l = &d->lcore[rte_lcore_id()];
	const struct vnicd_round *r;

	vnic_numa_prefer((int)rte_socket_id());
	while ((r = round_of(l)) != NULL)
		if (poll_round(d, l, r) == 0 && r->yields)
			sched_yield();
	return 0;
}

/* ---- who polls what ---- */

/* False: nothing. */
static bool make_round(const struct vnicd *d, unsigned int id, bool control, struct vnicd_round *r)
{
	*r = (struct vnicd_round){.control = control && id == d->control_lcore};
	for (uint32_t i = 0; i < d->conf.nb_adapters; i++) {
		if (d->adapter[i].lcore != id || d->adapter[i].leaves || d->adapter[i].adapter == NULL)
			continue;
		r->adapter[r->nb_adapters++] = d->adapter[i].adapter;
		for (uint32_t k = 0; k < d->conf.nb_faces; k++)
			if (d->conf.face[k].adapter_index == i && !d->face[k].leaves && d->face[k].face != NULL)
				r->face[r->nb_faces++] = d->face[k].face;
	}
	return id == d->control_lcore || r->nb_adapters != 0;
}

static struct crowd crowd_of(unsigned int lcore, const struct vnicd_round *r)
{
	return (struct crowd){.lcore = lcore, .data = r->nb_adapters != 0};
}

/* Pollers that share a CPU give way to each other. True: there are some, the first two in `text`. */
static bool find_shared(struct vnicd_round *const *round, char text[CROWD_TEXT])
{
	bool shared = false;

	for (unsigned int i = 0; i < RTE_MAX_LCORE; i++)
		for (unsigned int k = i + 1; k < RTE_MAX_LCORE && round[i] != NULL; k++) {
			rte_cpuset_t a, b, both;

			if (round[k] == NULL)
				continue;
			a = rte_lcore_cpuset(i);
			b = rte_lcore_cpuset(k);
			CPU_AND(&both, &a, &b);
			if (CPU_COUNT(&both) == 0 || CPU_COUNT(&a) > 1 || CPU_COUNT(&b) > 1)
				continue;
			round[i]->yields = round[k]->yields = true;
			if (!shared)
				crowd_shared(crowd_of(i, round[i]), crowd_of(k, round[k]), cpus_first(&both), text);
			shared = true;
		}
	return shared;
}

/* The user is told once: at a start by check_start(), of what a reload has brought here. */
static void tell(bool is_so, bool *told, const char *what, const char *effect)
{
	if (is_so && !*told)
		say(SAY_WARNING, "lcores: %s: %s; vnicd --check, with EAL's arguments, has better ones", what,
		    effect);
	*told |= is_so;
}

/* A round takes the place of the one before it, an lcore begins or ends. */
static void put(struct vnicd *d, unsigned int id, struct vnicd_round *r)
{
	struct vnicd_lcore *l = &d->lcore[id];
	bool polls = round_of(l) != NULL;

	/* release: see round_of(). SC: before vnicd_lcores_quiesce() looks which round is under way */
	atomic_exchange_explicit(&l->now, r, memory_order_seq_cst);
	if (id == rte_get_main_lcore())
		return;
	if (!polls && r != NULL)
		rte_eal_remote_launch(loop, d, id);
	else if (polls && r == NULL)
		rte_eal_wait_lcore(id);
}

static void assign(struct vnicd *d, bool control, bool start)
{
	static bool told_shared, told_both;
	struct vnicd_round *round[RTE_MAX_LCORE] = {NULL};
	char text[CROWD_TEXT];
	bool shared, both;

	for (unsigned int i = 0; i < RTE_MAX_LCORE; i++) {
		struct vnicd_lcore *l = &d->lcore[i];
		struct vnicd_round *r = &l->round[round_of(l) == &l->round[0]];

		if (make_round(d, i, control, r))
			round[i] = r;
	}
	shared = find_shared(round, text);
	both = round[d->control_lcore]->nb_adapters != 0;
	told_shared |= start && shared;
	told_both |= start && both;
	tell(shared, &told_shared, text, CROWD_SHARED_EFFECT);
	tell(both, &told_both, crowd_both(d->control_lcore, text), CROWD_BOTH_EFFECT);
	for (unsigned int i = 0; i < RTE_MAX_LCORE; i++)
		put(d, i, round[i]);
	vnicd_lcores_quiesce(d);
}

void vnicd_lcores_assign(struct vnicd *d, bool control)
{
	assign(d, control, false);
}

int vnicd_lcores_start(struct vnicd *d)
{
	atomic_store(&d->plan_runs, d->plan != NULL);
	assign(d, true, true);
	return 0;
}

void vnicd_lcores_stop(struct vnicd *d)
{
	for (unsigned int i = 0; i < RTE_MAX_LCORE; i++)
		put(d, i, NULL);
}

bool vnicd_lcores_main_polls(const struct vnicd *d)
{
	return round_of(&d->lcore[rte_get_main_lcore()]) != NULL;
}

uint32_t vnicd_lcores_poll_main(struct vnicd *d)
{
	struct vnicd_lcore *l = &d->lcore[rte_get_main_lcore()];
	const struct vnicd_round *r = round_of(l);

	return r != NULL ? poll_round(d, l, r) : 0;
}

void vnicd_lcores_quiesce(struct vnicd *d)
{
	const struct timespec nap = {.tv_nsec = 50000};
	uint64_t seen[RTE_MAX_LCORE];

	for (unsigned int i = 0; i < RTE_MAX_LCORE; i++)
		/* SC: after what is to be seen; see put() */
		seen[i] = atomic_load_explicit(&d->lcore[i].rounds, memory_order_seq_cst);
	for (unsigned int i = 0; i < RTE_MAX_LCORE; i++)
		/* the round under way, and a whole one */
		while (round_of(&d->lcore[i]) != NULL &&
		       atomic_load_explicit(&d->lcore[i].rounds, memory_order_acquire) < seen[i] + 2)
			if (vnicd_lcores_poll_main(d) == 0)
				nanosleep(&nap, NULL);
}
