/* SPDX-License-Identifier: BSD-3-Clause
 * plan.c - a client that cancels so often a second, for demonstration and measurement
 *
 * Control lcore, but for its creation. Its cancels go through the same call and the same
 * queue of requests as everybody's.
 */
#include "vnicd.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include <rte_cycles.h>

#define TICKETS 64

struct vnicd_plan {
	struct vnicd *daemon;
	const struct conf_plan_section *conf;
	struct vnic_ticket *ticket[TICKETS];
	uint64_t next_tsc;
	uint64_t period_tsc;
	uint64_t random;
	uint32_t turn_adapter;
	uint32_t turn_ticket;
	uint32_t turn_list;
	int only; /* index of the one adapter, -1: each in turn */
};

static uint64_t draw(struct vnicd_plan *p)
{
	p->random ^= p->random << 13;
	p->random ^= p->random >> 7;
	p->random ^= p->random << 17;
	return p->random;
}

int vnicd_plan_create(struct vnicd *d)
{
	const struct conf_plan_section *conf = &d->conf.plan;
	struct vnicd_plan *p;

	if (conf->cancels_per_s == 0 || d->conf.nb_adapters == 0)
		return 0;
	p = calloc(1, sizeof(*p));
	if (p == NULL) {
		snprintf(d->why, sizeof(d->why), "plan: no memory; end some programs");
		return -1;
	}
	d->plan = p;
	p->daemon = d;
	p->conf = conf;
	p->period_tsc = rte_get_tsc_hz() / conf->cancels_per_s;
	p->next_tsc = rte_rdtsc();
	p->random = conf->seed * UINT64_C(0x9e3779b97f4a7c15) | 1;
	p->only = -1;
	for (uint32_t i = 0; i < d->conf.nb_adapters; i++)
		if (strcmp(d->conf.adapter[i].name, conf->adapter) == 0)
			p->only = (int)i;
	for (uint32_t i = 0; i < TICKETS; i++) {
		p->ticket[i] = vnic_ticket_create(-1);
		if (p->ticket[i] == NULL) {
			snprintf(d->why, sizeof(d->why), "plan: no memory for its tickets; give EAL more "
				 "(-m MIB)");
			return -1;
		}
	}
	return 0;
}

void vnicd_plan_end(struct vnicd *d)
{
	struct vnic_verdict v;

	for (uint32_t i = 0; d->plan != NULL && i < TICKETS; i++)
		while (vnic_ticket_verdict(d->plan->ticket[i], &v) == -EINPROGRESS)
			if (vnicd_lcores_poll_main(d) == 0)
				sched_yield();
	vnicd_plan_destroy(d);
}

void vnicd_plan_destroy(struct vnicd *d)
{
	if (d->plan == NULL)
		return;
	for (uint32_t i = 0; i < TICKETS; i++)
		vnic_ticket_destroy(d->plan->ticket[i]);
	free(d->plan);
	d->plan = NULL;
}

static uint64_t choose_id(struct vnicd_plan *p, const struct vnic_adapter *a)
{
	switch ((enum conf_plan)p->conf->ids) {
	case CONF_PLAN_QUEUED: return vnic_adapter_sample_id(a, draw(p));
	case CONF_PLAN_RANDOM: return draw(p);
	case CONF_PLAN_LIST: return p->conf->list_id[p->turn_list++ % p->conf->list_len];
	}
	return 0;
}

/* A ticket that is free, NULL while all are under way. */
static struct vnic_ticket *free_ticket(struct vnicd_plan *p)
{
	struct vnic_ticket *t = p->ticket[p->turn_ticket];
	struct vnic_verdict v;

	if (vnic_ticket_verdict(t, &v) == -EINPROGRESS)
		return NULL;
	p->turn_ticket = (p->turn_ticket + 1) % TICKETS;
	return t;
}

uint32_t vnicd_plan_poll(struct vnicd_plan *p)
{
	uint64_t now = rte_rdtsc(), id;
	struct vnic_adapter *a;
	struct vnic_ticket *t;
	uint32_t i;

	if ((int64_t)(now - p->next_tsc) < 0)
		return 0;
	t = free_ticket(p);
	if (t == NULL)
		return 0;
	/* after a long stop the lost time is not caught up */
	p->next_tsc = now - p->next_tsc > rte_get_tsc_hz() ? now : p->next_tsc + p->period_tsc;
	i = p->only >= 0 ? (uint32_t)p->only : p->turn_adapter++ % p->daemon->conf.nb_adapters;
	a = p->daemon->adapter[i].adapter;
	id = choose_id(p, a);
	return id != 0 && vnic_adapter_cancel(a, id, t) == 0;
}
