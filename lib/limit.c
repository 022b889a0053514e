/* SPDX-License-Identifier: BSD-3-Clause
 * limit.c - limits of a client, and who comes up against them
 */
#include "limit.h"

#include <rte_common.h>
#include <rte_cycles.h>

#include "adapter.h"

#define SAVED_PER_S 10 /* an idle time saves up the cancels of a tenth of a second */

static void count(_Atomic uint64_t *n)
{
	atomic_fetch_add_explicit(n, 1, memory_order_relaxed);
}

/* ---- NBLs ---- */

void vnic__limit_recount(struct vnic_sender *s)
{
	struct vnic__limit *l = &s->client->limit;
	uint32_t now = atomic_load_explicit(&l->nbls, memory_order_relaxed) != 0 ? s->outstanding : 0;

	if (now != s->counted)
		atomic_fetch_add_explicit(&l->queued, now - s->counted, memory_order_relaxed);
	s->counted = now;
}

uint32_t vnic__limit_room(struct vnic_sender *s, uint32_t n)
{
	struct vnic__limit *l = &s->client->limit;
	uint32_t most, queued;

	vnic__limit_recount(s);
	most = atomic_load_explicit(&l->nbls, memory_order_relaxed);
	queued = atomic_load_explicit(&l->queued, memory_order_relaxed);
	if (most == 0)
		return n;
	return queued < most ? RTE_MIN(n, most - queued) : 0;
}

uint32_t vnic__limit_take(struct vnic_sender *s, uint32_t n)
{
	struct vnic__limit *l = &s->client->limit;
	uint32_t most, queued, over = 0;

	vnic__limit_recount(s);
	most = atomic_load_explicit(&l->nbls, memory_order_relaxed);
	if (most == 0)
		return n;
	/* first all, then back what is too many: two senders never exceed it together */
	queued = n + atomic_fetch_add_explicit(&l->queued, n, memory_order_relaxed);
	if (queued > most) {
		over = RTE_MIN(queued - most, n);
		atomic_fetch_sub_explicit(&l->queued, over, memory_order_relaxed);
		count(&l->limited);
	}
	s->counted += n - over;
	return n - over;
}

void vnic__limit_note(struct vnic_sender *s)
{
	if (vnic__limit_room(s, 1) == 0)
		count(&s->client->limit.limited);
}

/* ---- cancels ---- */

bool vnic__limit_cancel(struct vnic_client *client)
{
	struct vnic__limit *l = &client->limit;
	uint64_t ticks = atomic_load_explicit(&l->cancel_ticks, memory_order_relaxed);
	uint64_t empty_at = atomic_load_explicit(&l->empty_at, memory_order_relaxed);
	uint64_t saved = RTE_MAX(client->adapter->control->tsc_hz / SAVED_PER_S, ticks);
	uint64_t now = rte_rdtsc(), from;

	do {
		from = RTE_MAX(empty_at, now - saved);
		if (ticks != 0 && (int64_t)(now - from) < (int64_t)ticks) {
			count(&l->cancels_limited);
			return false;
		}
	} while (!atomic_compare_exchange_weak_explicit(&l->empty_at, &empty_at, from + ticks,
							memory_order_relaxed, memory_order_relaxed));
	count(&l->cancels);
	return true;
}

/* ---- of the client: any thread ---- */

void vnic_client_set_limits(struct vnic_client *client, const struct vnic_client_limits *limits)
{
	struct vnic__limit *l = &client->limit;
	uint64_t hz = client->adapter->control->tsc_hz, n = limits->cancels_per_s;

	atomic_store_explicit(&l->nbls, limits->nbls, memory_order_relaxed);
	atomic_store_explicit(&l->cancels_per_s, limits->cancels_per_s, memory_order_relaxed);
	atomic_store_explicit(&l->cancel_ticks, n == 0 ? 0 : RTE_MAX(hz / n, UINT64_C(1)),
			      memory_order_relaxed);
}

void vnic_client_limits_get(const struct vnic_client *client, struct vnic_client_limits *limits)
{
	const struct vnic__limit *l = &client->limit;

	limits->nbls = atomic_load_explicit(&l->nbls, memory_order_relaxed);
	limits->cancels_per_s = atomic_load_explicit(&l->cancels_per_s, memory_order_relaxed);
}

void vnic_client_stats_get(const struct vnic_client *client, struct vnic_client_stats *st)
{
	const struct vnic__limit *l = &client->limit;

	st->limited = atomic_load_explicit(&l->limited, memory_order_relaxed);
	st->cancels = atomic_load_explicit(&l->cancels, memory_order_relaxed);
	st->cancels_limited = atomic_load_explicit(&l->cancels_limited, memory_order_relaxed);
}
