/* SPDX-License-Identifier: BSD-3-Clause
 * cancel.c - MiniportCancelSend: the call, its application to each ring, its verdict
 */
#include "adapter.h"
#include "histogram.h"

#include <errno.h>

#include <rte_cycles.h>
#include <rte_errno.h>
#include <rte_malloc.h>
#include <rte_prefetch.h>

#define PREFETCH_AHEAD 8
#define COMPLETE_BATCH 64

struct vnic_ticket *vnic_ticket_create(int numa_node)
{
	struct vnic_ticket *t = rte_zmalloc_socket("vnic_ticket", sizeof(*t), VNIC__LINE, numa_node);

	if (t == NULL)
		rte_errno = ENOMEM;
	return t;
}

int vnic_ticket_destroy(struct vnic_ticket *t)
{
	/* A11 <- R11: the control thread has let go of it */
	if (t != NULL && atomic_load_explicit(&t->state, memory_order_acquire) == TICKET_PENDING)
		return -EBUSY;
	rte_free(t);
	return 0;
}

/* ---- the call: any thread ---- */

static int post(struct vnic_adapter *a, uint64_t id, uint64_t mask, struct vnic_ticket *t)
{
	struct vnic_control *c = a->control;
	struct vnic_ticket *newest;

	/* A11 <- R11 */
	if (atomic_exchange_explicit(&t->state, TICKET_PENDING, memory_order_acquire) == TICKET_PENDING)
		return -EBUSY;
	/* relaxed: whoever destroys the adapter does so after this call */
	atomic_fetch_add_explicit(&a->pending, 1, memory_order_relaxed);
	t->called_tsc = rte_rdtsc();
	t->adapter = a;
	t->id = id;
	t->mask = mask;
	t->nb_senders = vnic__adapter_senders(a);
	for (uint32_t i = 0; i < t->nb_senders; i++) {
		const struct vnic__ring *r = a->sender[i]->ring;

		t->at[i].mark = atomic_load_explicit(&r->tail, memory_order_acquire);
		/* relaxed: only how far back late ones are counted */
		t->at[i].late_from = atomic_load_explicit(&r->settled, memory_order_relaxed);
	}
	newest = atomic_load_explicit(&c->posted, memory_order_relaxed);
	do {
		t->next = newest;
		/* R10 -> A10 */
	} while (!atomic_compare_exchange_weak_explicit(&c->posted, &newest, t, memory_order_release,
							memory_order_relaxed));
	return 0;
}

int vnic_adapter_cancel(struct vnic_adapter *a, uint64_t id, struct vnic_ticket *t)
{
	return id == 0 ? -EINVAL : post(a, id, UINT64_MAX, t);
}

int vnic_client_cancel(struct vnic_client *client, uint64_t id, struct vnic_ticket *t)
{
	if (id == 0)
		return -EINVAL;
	if ((uint8_t)(id >> VNIC_CANCEL_ID_PREFIX_SHIFT) != client->prefix)
		return -EACCES;
	return post(client->adapter, id, UINT64_MAX, t);
}

int vnic_adapter_abort(struct vnic_adapter *a, struct vnic_ticket *t)
{
	return post(a, 0, 0, t);
}

int vnic_ticket_verdict(const struct vnic_ticket *t, struct vnic_verdict *verdict)
{
	/* A11 <- R11 */
	uint32_t state = atomic_load_explicit(&t->state, memory_order_acquire);

	if (state == TICKET_UNUSED)
		return -ENOENT;
	if (state == TICKET_PENDING)
		return -EINPROGRESS;
	*verdict = t->verdict;
	return 0;
}

/* ---- its application: control thread ---- */

static void note_latency(struct vnic_adapter *a, enum vnic_latency which, uint64_t ns)
{
	vnic__histogram_add_shared(&a->latency[which], ns);
}

/* Complete the n NBLs that the walk took. */
static void abort_claimed(struct vnic_sender *s, uint32_t n, struct vnic_count *aborted)
{
	const uint32_t *handle = s->canceller.claimed;
	struct vnic_nbl *nbl[COMPLETE_BATCH];
	uint64_t packets = 0;
	uint32_t k = 0;

	for (uint32_t i = 0; i < n && i < PREFETCH_AHEAD; i++)
		rte_prefetch0_write(vnic__nbl_of(s->nbl_base, handle[i]));
	for (uint32_t i = 0; i < n; i++) {
		if (i + PREFETCH_AHEAD < n)
			rte_prefetch0_write(vnic__nbl_of(s->nbl_base, handle[i + PREFETCH_AHEAD]));
		nbl[k] = vnic__nbl_of(s->nbl_base, handle[i]);
		nbl[k]->status = VNIC_STATUS_SEND_ABORTED;
		nbl[k]->nb_sent = 0;
		packets += nbl[k]->nb_packets;
		if (++k == COMPLETE_BATCH || i + 1 == n) {
			/* counted first: see publish_counts() in transmit.c */
			s->x_count[X_ABORTED_NBLS] += k;
			s->x_count[X_ABORTED_PACKETS] += packets;
			vnic__account_write(&s->x_account, s->x_count, X_COUNTS);
			/* there is room: see complete() in transmit.c */
			rte_ring_sp_enqueue_bulk(s->done_control, (void *const *)nbl, k, NULL);
			aborted->packets += packets;
			packets = 0;
			k = 0;
		}
	}
	aborted->nbls += n;
}

static struct vnic__ring_target target_of(const struct vnic_ticket *t, uint32_t i)
{
	return (struct vnic__ring_target){.id = t->id, .mask = t->mask, .mark = t->at[i].mark};
}

bool vnic__cancel_apply(struct vnic_control *c, struct vnic_ticket *t)
{
	struct vnic_adapter *a = t->adapter;

	t->verdict = (struct vnic_verdict){.cancel_id = t->id};
	t->help_todo = 0;
	t->reused = false;
	t->visible_tsc = 0;
	for (uint32_t i = 0; i < t->nb_senders; i++) {
		struct vnic_sender *s = a->sender[i];
		struct vnic__ring_target target = target_of(t, i);
		uint64_t begin = rte_rdtsc();
		struct vnic__ring_found found =
			vnic__ring_cancel(&s->canceller, &target, t->at[i].late_from);
		uint64_t end = rte_rdtsc();

		t->at[i].late = found.nb_late;
		t->reused |= found.reused;
		if (found.need_help)
			t->help_todo |= 1u << i;
		if (found.nb_claimed != 0) {
			abort_claimed(s, found.nb_claimed, &t->verdict.aborted);
			t->visible_tsc = rte_rdtsc();
		}
		note_latency(a, VNIC_LATENCY_WALK, (uint64_t)((double)(end - begin) * c->ns_per_tsc));
	}
	return t->help_todo == 0;
}

/* The consumer has looked at its stage for this ticket. */
static void take_answer(struct vnic_ticket *t, struct vnic_sender *s,
			uint32_t nb_aborted)
{
	s->asking = NULL;
	t->help_todo &= ~(1u << s->slot);
	t->verdict.aborted.nbls += nb_aborted;
	t->verdict.aborted.packets += s->help_packets; /* A7 */
	/* they had been counted as late, unless their slots were used again */
	t->at[s->slot].late -= RTE_MIN(t->at[s->slot].late, nb_aborted);
	if (nb_aborted != 0)
		t->visible_tsc = rte_rdtsc();
}

bool vnic__cancel_proceed(struct vnic_ticket *t)
{
	for (uint32_t todo = t->help_todo; todo != 0; todo &= todo - 1) {
		uint32_t i = (uint32_t)__builtin_ctz(todo);
		struct vnic_sender *s = t->adapter->sender[i];
		uint32_t nb_aborted;

		if (s->asking == NULL) {
			struct vnic__ring_target target = target_of(t, i);

			s->asking = t;
			vnic__ring_help_ask(&s->canceller, &target);
		} else if (s->asking == t && vnic__ring_help_answered(&s->canceller, &nb_aborted)) {
			take_answer(t, s, nb_aborted);
		}
	}
	return t->help_todo == 0;
}

void vnic__cancel_finish(struct vnic_control *c, struct vnic_ticket *t)
{
	struct vnic_adapter *a = t->adapter;
	struct vnic_verdict *v = &t->verdict;
	uint64_t now = rte_rdtsc();
	uint64_t verdict_ns = (uint64_t)((double)(now - t->called_tsc) * c->ns_per_tsc);

	for (uint32_t i = 0; i < t->nb_senders; i++)
		v->too_late += t->at[i].late;
	v->unknown = v->aborted.nbls == 0 && v->too_late == 0 && !t->reused;
	v->latency_ns = verdict_ns;
	if (v->aborted.nbls != 0) {
		v->latency_ns = (uint64_t)((double)(t->visible_tsc - t->called_tsc) * c->ns_per_tsc);
		note_latency(a, VNIC_LATENCY_COMPLETION, v->latency_ns);
	}
	note_latency(a, VNIC_LATENCY_VERDICT, verdict_ns);
	/* relaxed, all: this thread alone writes them, a reader needs no order */
	atomic_fetch_add_explicit(&a->cancels, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&a->cancels_unknown, v->unknown, memory_order_relaxed);
	atomic_fetch_add_explicit(&a->too_late, v->too_late, memory_order_relaxed);
	/* R12 -> A12 */
	atomic_fetch_sub_explicit(&a->pending, 1, memory_order_release);
	/* R11 -> A11: from here on the ticket is the caller's, and the adapter may be gone */
	atomic_store_explicit(&t->state, TICKET_DONE, memory_order_release);
}
