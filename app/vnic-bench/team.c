/* SPDX-License-Identifier: BSD-3-Clause
 * team.c - which lcore plays which role of a design
 */
#include "team.h"

#include <sched.h>
#include <stdio.h>

#include <rte_launch.h>
#include <rte_lcore.h>

static unsigned int nth_worker(unsigned int n)
{
	unsigned int lcore = rte_get_next_lcore(-1, 1, 0);

	while (n-- != 0)
		lcore = rte_get_next_lcore(lcore, 1, 0);
	return lcore;
}

unsigned int team_lcores(void)
{
	return rte_lcore_count() > 3 ? 3 : rte_lcore_count();
}

/* Do two of the lcores that are used run on one CPU? */
static bool shared_cpu(void)
{
	rte_cpuset_t all, one;

	CPU_ZERO(&all);
	for (unsigned int i = 0; i < team_lcores(); i++) {
		one = rte_lcore_cpuset(i == 0 ? rte_get_main_lcore() : nth_worker(i - 1));
		CPU_OR(&all, &all, &one);
	}
	return (unsigned int)CPU_COUNT(&all) < team_lcores();
}

const char *team_text(void)
{
	static char text[128];

	switch (team_lcores()) {
	case 1:
		return "one lcore: app, data and control take turns";
	case 2:
		snprintf(text, sizeof(text), "app on lcore %u; data or control on lcore %u, the other with app%s",
			 rte_get_main_lcore(), nth_worker(0), shared_cpu() ? "; they share a CPU" : "");
		return text;
	default:
		snprintf(text, sizeof(text), "app on lcore %u, data on %u, control on %u%s", rte_get_main_lcore(),
			 nth_worker(0), nth_worker(1), shared_cpu() ? "; some share a CPU" : "");
		return text;
	}
}

static uint32_t data_step(struct team *t)
{
	return t->data != NULL ? t->data(t) : t->design->ops->data(t->design);
}

static uint32_t control_step(struct team *t)
{
	if (t->control != NULL)
		return t->control(t);
	return t->design->ops->control != NULL ? t->design->ops->control(t->design) : 0;
}

static bool goes_on(const struct team *t)
{
	return atomic_load_explicit(&t->run, memory_order_acquire);
}

static int data_loop(void *arg)
{
	struct team *t = arg;

	while (goes_on(t))
		if (data_step(t) == 0 && t->yields)
			sched_yield();
	return 0;
}

static int control_loop(void *arg)
{
	struct team *t = arg;

	while (goes_on(t))
		if (control_step(t) == 0 && t->yields)
			sched_yield();
	return 0;
}

void team_start(struct team *t, struct design *d, enum team_apart apart)
{
	unsigned int lcores = team_lcores();

	t->design = d;
	t->app_data = lcores == 1 || (lcores == 2 && apart == TEAM_CONTROL_APART);
	t->app_control = lcores == 1 || (lcores == 2 && apart == TEAM_DATA_APART);
	t->yields = shared_cpu();
	t->lcore_data = t->app_data ? rte_get_main_lcore() : nth_worker(0);
	t->lcore_control = t->app_control ? rte_get_main_lcore() : nth_worker(lcores - 2);
	atomic_store_explicit(&t->run, true, memory_order_release);
	if (!t->app_data)
		rte_eal_remote_launch(data_loop, t, t->lcore_data);
	if (!t->app_control)
		rte_eal_remote_launch(control_loop, t, t->lcore_control);
}

void team_stop(struct team *t)
{
	atomic_store_explicit(&t->run, false, memory_order_release);
	rte_eal_mp_wait_lcore();
}

uint32_t team_step(struct team *t)
{
	uint32_t work = 0;

	if (t->app_data)
		work += data_step(t);
	if (t->app_control)
		work += control_step(t);
	if (work == 0 && t->yields)
		sched_yield();
	return work;
}
