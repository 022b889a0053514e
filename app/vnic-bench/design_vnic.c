/* SPDX-License-Identifier: BSD-3-Clause
 * design_vnic.c - this product's library: a cancelable ring for each sender, walked by the
 * control role while the data role runs on
 */
#include "design.h"

#include <stdio.h>
#include <stdlib.h>

#include <rte_cycles.h>
#include <rte_errno.h>

#include "adapter.h"
#include "control.h"
#include "ticket.h"

struct vnic_design {
	struct design base;
	struct vnic_control *control;
	struct vnic_adapter *adapter;
	struct vnic_client *client;
	struct vnic_sender *sender[DESIGN_SENDERS_MAX];
	uint32_t nb_senders;
	struct vnic_ticket *ticket;
	_Atomic uint64_t picked; /* control role; relaxed: read by who cancels when the ticket is done */
	uint64_t walked_ns; /* all walks up to the last call of stages() */
};

static void destroy(struct design *base)
{
	struct vnic_design *d = (struct vnic_design *)base;

	for (uint32_t i = 0; i < d->nb_senders; i++)
		vnic_sender_destroy(d->sender[i]);
	vnic_client_close(d->client);
	vnic_ticket_destroy(d->ticket);
	vnic_adapter_destroy(d->adapter);
	vnic_control_destroy(d->control);
	free(d);
}

static struct design *create(const struct design_conf *conf)
{
	struct vnic_adapter_conf ac = {.name = "bench", .port = conf->port, .burst = DESIGN_BURST,
				       .numa_node = -1};
	struct vnic_design *d = calloc(1, sizeof(*d));

	if (d == NULL)
		return NULL;
	if (conf->held)
		ac.pacing = (struct vnic_pacing){.packets_per_s = 1, .burst_packets = 1};
	d->base.ops = &design_vnic;
	d->control = vnic_control_create(-1);
	if (d->control != NULL)
		d->adapter = vnic_adapter_create(d->control, &ac);
	if (d->adapter != NULL && vnic_adapter_up(d->adapter) == VNIC_STATUS_SUCCESS)
		d->client = vnic_client_open(d->adapter);
	d->ticket = vnic_ticket_create(-1);
	for (; d->client != NULL && d->nb_senders < conf->nb_senders; d->nb_senders++) {
		d->sender[d->nb_senders] = vnic_sender_create(d->client, conf->nbls, conf->depth);
		if (d->sender[d->nb_senders] == NULL)
			break;
	}
	if (d->ticket != NULL && d->nb_senders == conf->nb_senders)
		return &d->base;
	fprintf(stderr, "vnic-bench: no adapter with %u queues of %u: %s\n", conf->nb_senders, conf->depth,
		rte_strerror(rte_errno));
	destroy(&d->base);
	return NULL;
}

static uint16_t queue_send(struct design *base, uint32_t sender, struct vnic_nbl *const *nbls, uint16_t n)
{
	return vnic_send(((struct vnic_design *)base)->sender[sender], nbls, n);
}

static uint16_t queue_poll(struct design *base, uint32_t sender, struct vnic_nbl **nbls, uint16_t n)
{
	return vnic_sender_poll(((struct vnic_design *)base)->sender[sender], nbls, n);
}

static uint32_t data(struct design *base)
{
	return vnic_adapter_poll(((struct vnic_design *)base)->adapter);
}

static uint32_t control(struct design *base)
{
	struct vnic_design *d = (struct vnic_design *)base;

	/* relaxed: a glance, so that the stamp is of the poll that took the cancel up */
	if (atomic_load_explicit(&d->control->posted, memory_order_relaxed) != NULL)
		atomic_store_explicit(&d->picked, rte_rdtsc(), memory_order_relaxed);
	return vnic_control_poll(d->control);
}

static void cancel(struct design *base, uint64_t id)
{
	struct vnic_design *d = (struct vnic_design *)base;

	if (id != 0)
		vnic_adapter_cancel(d->adapter, id, d->ticket);
	else
		vnic_adapter_abort(d->adapter, d->ticket);
}

static bool over(struct design *base, uint64_t *nb_aborted)
{
	struct vnic_design *d = (struct vnic_design *)base;
	struct vnic_verdict v;

	if (vnic_ticket_verdict(d->ticket, &v) != 0)
		return false;
	*nb_aborted = v.aborted.nbls;
	return true;
}

static void stages(struct design *base, struct design_stages *s)
{
	struct vnic_design *d = (struct vnic_design *)base;
	/* what the library has noted itself, without the completions */
	uint64_t ns = d->adapter->latency[VNIC_LATENCY_WALK].sum, walk = ns - d->walked_ns;
	uint64_t picked = atomic_load_explicit(&d->picked, memory_order_relaxed);

	d->walked_ns = ns;
	*s = (struct design_stages){
		.picked = picked,
		.walked = picked + (uint64_t)((double)walk / d->control->ns_per_tsc),
	};
}

static bool walking(const struct design *base)
{
	const struct vnic_design *d = (const struct vnic_design *)base;
	bool walks = false;

	for (uint32_t i = 0; i < d->nb_senders; i++)
		/* relaxed: a glance */
		walks |= atomic_load_explicit(&d->sender[i]->ring->cancels, memory_order_relaxed) & 1;
	return walks;
}

static void account(const struct design *base, struct design_account *a)
{
	struct vnic_adapter_stats s;

	vnic_adapter_stats_get(((const struct vnic_design *)base)->adapter, &s);
	*a = (struct design_account){s.accepted.nbls, s.sent.nbls, s.aborted.nbls};
}

const struct design_ops design_vnic = {
	.name = "vnic", .what = "cancelable ring, cancels applied by the control lcore",
	.create = create, .destroy = destroy, .send = queue_send, .poll = queue_poll, .data = data,
	.control = control, .cancel = cancel, .over = over, .stages = stages, .walking = walking,
	.account = account,
};
