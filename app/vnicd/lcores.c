/* SPDX-License-Identifier: BSD-3-Clause
 * lcores.c - which lcore polls what, and the loops
 */
#include "vnicd.h"

#include <sched.h>
#include <string.h>
#include <time.h>

#include <rte_launch.h>

#include "choice.h"
#include "say.h"

/* ---- the choice ---- */

int vnicd_lcores_choose(struct vnicd *d)
{
	unsigned int lcore[RTE_MAX_LCORE], n = 0, id = rte_get_main_lcore();
	struct choice choice;

	for (lcore[n++] = id; n < rte_lcore_count(); lcore[n++] = id)
		id = rte_get_next_lcore(id, 1, 1);
	if (choice_make(&choice, &d->conf, lcore, n, d->why, sizeof(d->why)) != 0)
		return -1;
	d->control_lcore = choice.control;
	for (uint32_t i = 0; i < d->conf.nb_adapters; i++)
		d->adapter[i].lcore = choice.data[i];
	return 0;
}

/* ---- the loops ---- */

static uint32_t poll_round(struct vnicd *d, struct vnicd_lcore *l)
{
	uint32_t work = 0;

	for (uint32_t i = 0; i < l->nb_faces; i++)
		work += vnic_face_poll(l->face[i]);
	for (uint32_t i = 0; i < l->nb_adapters; i++)
		work += vnic_adapter_poll(l->adapter[i]);
	if (l->control) {
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

	vnic_numa_prefer((int)rte_socket_id());
	while (atomic_load_explicit(&d->lcores_run, memory_order_acquire))
		if (poll_round(d, l) == 0 && l->yields)
			sched_yield();
	return 0;
}

static void assign(struct vnicd *d)
{
	struct vnicd_lcore *l = &d->lcore[d->control_lcore];

	l->used = true;
	l->control = true;
	for (uint32_t i = 0; i < d->conf.nb_adapters; i++) {
		l = &d->lcore[d->adapter[i].lcore];
		l->used = true;
		l->adapter[l->nb_adapters++] = d->adapter[i].adapter;
		for (uint32_t k = 0; k < d->conf.nb_faces; k++)
			if (d->conf.face[k].adapter_index == i)
				l->face[l->nb_faces++] = d->face[k].face;
	}
}

/* Pollers that share a CPU give way to each other, and the user is told. */
static void find_shared(struct vnicd *d)
{
	bool said = false;

	for (unsigned int i = 0; i < RTE_MAX_LCORE; i++)
		for (unsigned int k = i + 1; k < RTE_MAX_LCORE && d->lcore[i].used; k++) {
			rte_cpuset_t a, b, both;

			if (!d->lcore[k].used)
				continue;
			a = rte_lcore_cpuset(i);
			b = rte_lcore_cpuset(k);
			CPU_AND(&both, &a, &b);
			if (CPU_COUNT(&both) == 0 || CPU_COUNT(&a) > 1 || CPU_COUNT(&b) > 1)
				continue;
			d->lcore[i].yields = d->lcore[k].yields = true;
			if (!said)
				say(SAY_WARNING, "lcores %u and %u share a CPU and take turns on it, "
				    "slower; give each its own with EAL's --lcores", i, k);
			said = true;
		}
	if (d->lcore[d->control_lcore].nb_adapters != 0)
		say(SAY_WARNING, "lcore %u does both data and control, slower; give EAL three lcores "
		    "(main, control, data) with --lcores", d->control_lcore);
}

int vnicd_lcores_start(struct vnicd *d)
{
	assign(d);
	find_shared(d);
	atomic_store(&d->lcores_run, true);
	atomic_store(&d->plan_runs, d->plan != NULL);
	for (unsigned int i = 0; i < RTE_MAX_LCORE; i++)
		if (d->lcore[i].used && i != rte_get_main_lcore())
			rte_eal_remote_launch(loop, d, i);
	return 0;
}

void vnicd_lcores_stop(struct vnicd *d)
{
	atomic_store_explicit(&d->lcores_run, false, memory_order_release);
	rte_eal_mp_wait_lcore();
}

bool vnicd_lcores_main_polls(const struct vnicd *d)
{
	return d->lcore[rte_get_main_lcore()].used;
}

uint32_t vnicd_lcores_poll_main(struct vnicd *d)
{
	struct vnicd_lcore *l = &d->lcore[rte_get_main_lcore()];

	return l->used ? poll_round(d, l) : 0;
}

void vnicd_lcores_quiesce(struct vnicd *d)
{
	const struct timespec nap = {.tv_nsec = 50000};
	uint64_t seen[RTE_MAX_LCORE];

	for (unsigned int i = 0; i < RTE_MAX_LCORE; i++)
		seen[i] = atomic_load_explicit(&d->lcore[i].rounds, memory_order_relaxed);
	for (unsigned int i = 0; i < RTE_MAX_LCORE; i++)
		/* the round under way, and a whole one */
		while (d->lcore[i].used &&
		       atomic_load_explicit(&d->lcore[i].rounds, memory_order_acquire) < seen[i] + 2)
			if (vnicd_lcores_poll_main(d) == 0)
				nanosleep(&nap, NULL);
}
