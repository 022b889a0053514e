/* SPDX-License-Identifier: BSD-3-Clause
 * cancel.c - MiniportCancelSend: the call, its way through the queues, its verdict
 *
 * A ticket goes through the queues of its adapter, then down each binding of a layer, one
 * after the other, and on its way back lets each layer take the completions from below.
 */
#include "adapter.h"
#include "histogram.h"
#include "layer.h"
#include "prefetch.h"

#include <errno.h>

#include <rte_cycles.h>
#include <rte_errno.h>
#include <rte_malloc.h>

#define PREFETCH_AHEAD 8
#define COMPLETE_BATCH 64
#define NONE_BELOW (UINT64_C(1) << 62) /* off a mark: no NBL's position is below it */

struct vnic_ticket *vnic_ticket_create(int numa_node)
{
	struct vnic_ticket *t = rte_zmalloc_socket("vnic_ticket", sizeof(*t), VNIC__LINE, numa_node);

	if (t == NULL)
		rte_errno = ENOMEM;
	return t;
}

int vnic_ticket_destroy(struct vnic_ticket *t)
{
	if (t != NULL && vnic__ticket_pending(t))
		return -EBUSY;
	rte_free(t);
	return 0;
}

/* ---- the call: any thread ---- */

void vnic__ticket_begin(struct vnic_ticket *t, struct vnic_adapter *a, uint64_t id, uint64_t mask)
{
	t->called_tsc = rte_rdtsc();
	t->adapter = a;
	t->client = NULL;
	t->post.lane = NULL;
	t->id = id;
	t->mask = mask;
	t->barrier = false;
	t->internal = false;
	t->stays = false;
	t->done = NULL;
	t->take = (struct vnic__take){.status = VNIC_STATUS_SEND_ABORTED};
	t->nb_senders = vnic__adapter_senders(a);
	t->slots = (1u << t->nb_senders) - 1;
	for (uint32_t i = 0; i < t->nb_senders; i++) {
		const struct vnic__ring *r = a->sender[i]->ring;

		t->mark[i] = atomic_load_explicit(&r->tail, memory_order_acquire);
		/* relaxed: only how far back late ones are counted */
		t->late_from[i] = atomic_load_explicit(&r->settled, memory_order_relaxed);
	}
	/* relaxed: whoever destroys the adapter does so after this call */
	atomic_fetch_add_explicit(&a->pending, 1, memory_order_relaxed);
}

void vnic__ticket_of(struct vnic_ticket *t, struct vnic_client *client)
{
	t->client = client;
	if (t->mask != 0)
		return;
	/* relaxed: see vnic_sender_create() */
	t->slots &= atomic_load_explicit(&client->slots, memory_order_relaxed);
	for (uint32_t i = 0; i < t->nb_senders; i++)
		if (!(t->slots >> i & 1))
			t->mark[i] -= NONE_BELOW; /* for what is below a layer */
}

static void run_posted(struct vnic_control *c, struct vnic__post *p)
{
	vnic__ticket_run(c, (struct vnic_ticket *)p);
}

void vnic__ticket_post(struct vnic_ticket *t)
{
	t->post.run = run_posted;
	t->post.lane = t->client != NULL ? &t->client->lane : &t->adapter->control->nobodys;
	vnic__control_post(t->adapter->control, &t->post);
}

static bool take_ticket(struct vnic_ticket *t)
{
	/* A11 <- R11 */
	return atomic_exchange_explicit(&t->state, TICKET_PENDING, memory_order_acquire) !=
	       TICKET_PENDING;
}

static int post(struct vnic_adapter *a, struct vnic_client *client, uint64_t id, uint64_t mask,
		struct vnic_ticket *t)
{
	if (!take_ticket(t))
		return -EBUSY;
	vnic__ticket_begin(t, a, id, mask);
	if (client != NULL)
		vnic__ticket_of(t, client);
	vnic__ticket_post(t);
	return 0;
}

int vnic_adapter_cancel(struct vnic_adapter *a, uint64_t id, struct vnic_ticket *t)
{
	return id == 0 ? -EINVAL : post(a, NULL, id, UINT64_MAX, t);
}

int vnic_client_cancel(struct vnic_client *client, uint64_t id, struct vnic_ticket *t)
{
	int rc;

	if (id == 0)
		return -EINVAL;
	if (!vnic__client_hold(client))
		return -EBADF;
	if ((uint8_t)(id >> VNIC_CANCEL_ID_PREFIX_SHIFT) != client->prefix)
		rc = -EACCES;
	else if (vnic__ticket_pending(t))
		rc = -EBUSY;
	else
		rc = vnic__limit_cancel(client) ? post(client->adapter, client, id, UINT64_MAX, t) :
						  -EAGAIN;
	if (rc != 0)
		vnic__client_drop(client);
	return rc;
}

int vnic_client_abort(struct vnic_client *client, struct vnic_ticket *t)
{
	int rc;

	if (!vnic__client_hold(client))
		return -EBADF;
	rc = post(client->adapter, client, 0, 0, t);
	if (rc != 0)
		vnic__client_drop(client);
	return rc;
}

int vnic_adapter_abort(struct vnic_adapter *a, struct vnic_ticket *t)
{
	return post(a, NULL, 0, 0, t);
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

/* ---- one adapter's queues: control thread ---- */

static void note_latency(struct vnic_adapter *a, enum vnic_latency which, uint64_t ns)
{
	vnic__histogram_add_shared(&a->latency[which], ns);
}

/* Complete the n NBLs that the walk took. */
static void complete_claimed(struct vnic_sender *s, uint32_t n, const struct vnic__take *take,
			     struct vnic_count *aborted)
{
	const uint32_t *handle = s->canceller.claimed;
	const uint32_t at = X_REASONS + 2 * vnic__reason_of(take->status);
	struct vnic_nbl *nbl[COMPLETE_BATCH];
	uint64_t packets = 0;
	uint32_t k = 0;

	for (uint32_t i = 0; i < n && i < PREFETCH_AHEAD; i++)
		vnic__prefetch_write(vnic__nbl_of(s->nbl_base, handle[i]));
	for (uint32_t i = 0; i < n; i++) {
		if (i + PREFETCH_AHEAD < n)
			vnic__prefetch_write(vnic__nbl_of(s->nbl_base, handle[i + PREFETCH_AHEAD]));
		nbl[k] = vnic__nbl_of(s->nbl_base, handle[i]);
		nbl[k]->status = take->status;
		nbl[k]->nb_sent = 0;
		packets += nbl[k]->nb_packets;
		vnic__take_note(take, nbl[k], aborted);
		if (++k == COMPLETE_BATCH || i + 1 == n) {
			/* counted first: see vnic__publish_counts() */
			s->x_count[at] += k;
			s->x_count[at + 1] += packets;
			vnic__account_write(&s->x_account, s->x_count, X_COUNTS);
			/* there is room: see vnic__complete() */
			rte_ring_sp_enqueue_bulk(s->done_control, (void *const *)nbl, k, NULL);
			packets = 0;
			k = 0;
		}
	}
}

struct spare {
	const struct vnic__take *take;
	const struct vnic_sender *s;
};

static bool spares(const void *context, uint32_t handle)
{
	const struct spare *s = context;

	return vnic__take_spares(s->take, vnic__nbl_of(s->s->nbl_base, handle));
}

static struct vnic__ring_target target_of(const struct vnic_ticket *t, uint32_t i)
{
	return (struct vnic__ring_target){.id = t->id, .mask = t->mask, .mark = t->at[i].mark};
}

/* The walk of one ring. */
static void walk(struct vnic_control *c, struct vnic_ticket *t, struct vnic_sender *s,
		 uint64_t late_from)
{
	struct vnic__ring_target target = target_of(t, s->slot);
	/* not its nbl_base: unless an NBL is queued the place may just be opened again */
	const struct spare spare = {&t->take, s};
	uint64_t begin = rte_rdtsc(), end;
	struct vnic__ring_found found;

	if (t->take.depth != 0) {
		target.spare = spares;
		target.context = &spare;
	}
	found = vnic__ring_cancel(&s->canceller, &target, late_from);
	end = rte_rdtsc();
	/* below a layer others' NBLs are among the late ones: the data thread tells */
	t->at[s->slot].late = t->take.depth == 0 ? found.nb_late : 0;
	t->reused |= found.reused || (t->take.depth != 0 && found.nb_late != 0);
	if (found.need_help || t->barrier)
		t->help_todo |= 1u << s->slot;
	if (found.nb_claimed != 0) {
		complete_claimed(s, found.nb_claimed, &t->take, &t->verdict.aborted);
		t->visible_tsc = rte_rdtsc();
	}
	if (!t->internal)
		note_latency(s->adapter, VNIC_LATENCY_WALK, (uint64_t)((double)(end - begin) * c->ns_per_tsc));
}

/* The consumer has looked at its stage for this ticket. */
static void take_answer(struct vnic_ticket *t, struct vnic_sender *s, uint32_t nb_aborted)
{
	const struct vnic__level *level = &t->level[t->depth];

	s->asking = NULL;
	t->help_todo &= ~(1u << s->slot);
	t->verdict.aborted.nbls += s->helped.nbls; /* A7 */
	t->verdict.aborted.packets += s->helped.packets;
	/* they had been counted as late, unless their slots were used again */
	if (t->depth == 0)
		t->at[s->slot].late -= RTE_MIN(t->at[s->slot].late, nb_aborted);
	else
		t->at[s->slot].late = s->helped_late;
	/* or it has completed the parents of what was aborted below */
	if (nb_aborted != 0 || (level->back && t->verdict.aborted.nbls != level->aborted))
		t->visible_tsc = rte_rdtsc();
}

/* Ask where it is the ticket's turn, look for answers; true when none is missing. */
static bool helped(struct vnic_ticket *t)
{
	struct vnic_adapter *a = t->level[t->depth].adapter;

	for (uint32_t todo = t->help_todo; todo != 0; todo &= todo - 1) {
		uint32_t i = (uint32_t)__builtin_ctz(todo);
		struct vnic_sender *s = a->sender[i];
		uint32_t nb_aborted;

		if (s->asking == NULL) {
			struct vnic__ring_target target = target_of(t, i);

			s->asking = t;
			s->help_take = t->take;
			vnic__ring_help_ask(&s->canceller, &target);
		} else if (s->asking == t && vnic__ring_help_answered(&s->canceller, &nb_aborted)) {
			take_answer(t, s, nb_aborted);
		}
	}
	return t->help_todo == 0;
}

/* ---- from adapter to adapter ---- */

static void enter_top(struct vnic_control *c, struct vnic_ticket *t)
{
	t->depth = 0;
	t->help_todo = 0;
	t->reused = false;
	t->visible_tsc = 0;
	t->verdict = (struct vnic_verdict){.cancel_id = t->id};
	t->level[0] = (struct vnic__level){.adapter = t->adapter};
	for (uint32_t slots = t->slots; slots != 0; slots &= slots - 1) {
		uint32_t i = (uint32_t)__builtin_ctz(slots);

		t->at[i].mark = t->mark[i];
		walk(c, t, t->adapter->sender[i], t->late_from[i]);
	}
}

/* Down a binding: its one queue on the lower adapter. What the layer had taken before the mark
 * above is there by now; what it has handed down since is spared by its place above. */
static void enter_below(struct vnic_control *c, struct vnic_ticket *t,
			const struct vnic__binding *b)
{
	struct vnic_sender *s = b->sender;
	uint64_t late_from = atomic_load_explicit(&s->ring->settled, memory_order_relaxed);

	t->level[++t->depth] = (struct vnic__level){.adapter = b->lower};
	t->take.depth = t->depth;
	t->take.path[t->depth] = (uint8_t)s->slot;
	t->take.nb_marks = t->nb_senders;
	t->take.mark = t->mark;
	t->at[s->slot].mark = atomic_load_explicit(&s->ring->tail, memory_order_acquire);
	walk(c, t, s, late_from);
}

/* The layer's data thread is to take what has come back from below before it answers. */
static void enter_back(struct vnic_ticket *t, struct vnic__level *level, uint32_t slots)
{
	level->back = true;
	t->help_todo = slots;
	for (; slots != 0; slots &= slots - 1) {
		uint32_t i = (uint32_t)__builtin_ctz(slots);

		/* no staged entry is below it */
		t->at[i].mark = atomic_load_explicit(&level->adapter->sender[i]->ring->settled,
						     memory_order_relaxed);
		t->at[i].late = 0;
	}
}

/* The slots of a level's adapter that the ticket is about. */
static uint32_t slots_of(const struct vnic_ticket *t, uint32_t depth)
{
	const struct vnic__level *above;

	if (depth == 0)
		return t->slots;
	above = &t->level[depth - 1];
	return 1u << above->adapter->layer->binding[above->next_lower - 1].sender->slot;
}

static void count_late(struct vnic_ticket *t, struct vnic__level *level)
{
	for (uint32_t slots = slots_of(t, t->depth); slots != 0; slots &= slots - 1)
		level->late += t->at[__builtin_ctz(slots)].late;
}

/* A level is done: how many NBLs are known to have left, or to be on their way out. Of those
 * that had left a layer's own queue some were aborted below. Of one-to-many the aborted ones
 * may be among the late ones of any binding, and those of two bindings the same. */
static uint64_t late_of(const struct vnic_ticket *t, const struct vnic__level *level)
{
	const struct vnic__layer *layer = level->adapter->layer;
	uint64_t aborted = t->verdict.aborted.nbls - level->aborted, late;

	if (layer == NULL)
		return level->late;
	late = RTE_MAX(level->late, level->late_below + (layer->nb == 1 ? aborted : 0));
	return late > aborted ? late - aborted : 0;
}

/* Go on as far as possible; true when the verdict stands. */
static bool proceed(struct vnic_control *c, struct vnic_ticket *t)
{
	for (;;) {
		struct vnic__level *level = &t->level[t->depth];
		const struct vnic__layer *layer = level->adapter->layer;
		uint64_t late;

		if (t->help_todo != 0 && !helped(t))
			return false;
		if (layer == NULL) {
			count_late(t, level);
		} else if (!t->stays && level->next_lower < layer->nb) {
			const struct vnic__binding *b = &layer->binding[level->next_lower++];

			if (level->next_lower == 1) {
				count_late(t, level);
				level->aborted = t->verdict.aborted.nbls;
			}
			if (vnic__adapter_cancels(b->lower))
				enter_below(c, t, b);
			continue;
		} else if (!level->back) {
			t->take.depth = t->depth;
			enter_back(t, level, slots_of(t, t->depth));
			continue;
		}
		late = late_of(t, level);
		if (t->depth == 0) {
			t->verdict.too_late = late;
			return true;
		}
		t->depth--;
		t->take.depth = t->depth;
		level[-1].late_below = RTE_MAX(level[-1].late_below, late);
	}
}

static void count_cancel(struct vnic_control *c, struct vnic_ticket *t)
{
	struct vnic_adapter *a = t->adapter;
	struct vnic_verdict *v = &t->verdict;
	uint64_t now = rte_rdtsc();
	uint64_t verdict_ns = (uint64_t)((double)(now - t->called_tsc) * c->ns_per_tsc);

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
}

void vnic__ticket_let_go(struct vnic_ticket *t)
{
	/* R12 -> A12 */
	atomic_fetch_sub_explicit(&t->adapter->pending, 1, memory_order_release);
	/* R11 -> A11: from here on the ticket is the caller's, and the adapter may be gone */
	atomic_store_explicit(&t->state, TICKET_DONE, memory_order_release);
}

/* Record and hand out the verdict. */
static void finish(struct vnic_control *c, struct vnic_ticket *t)
{
	if (!t->internal)
		count_cancel(c, t);
	if (t->client != NULL)
		vnic__client_drop(t->client);
	if (t->done != NULL)
		t->done(t);
	else
		vnic__ticket_let_go(t);
}

void vnic__ticket_run(struct vnic_control *c, struct vnic_ticket *t)
{
	if (vnic__adapter_cancels(t->adapter) || t->internal) {
		enter_top(c, t);
		if (!proceed(c, t)) {
			t->next_waiting = NULL;
			*c->waiting_last = t;
			c->waiting_last = &t->next_waiting;
			vnic__lane_wait(t->post.lane);
			return;
		}
	} else {
		t->verdict = (struct vnic_verdict){.cancel_id = t->id};
		t->reused = false;
	}
	finish(c, t);
}

uint32_t vnic__tickets_proceed(struct vnic_control *c)
{
	struct vnic_ticket **link = &c->waiting_first, *t;
	uint32_t work = 0;

	while ((t = *link) != NULL) {
		if (!proceed(c, t)) {
			link = &t->next_waiting;
			continue;
		}
		*link = t->next_waiting;
		if (c->waiting_last == &t->next_waiting)
			c->waiting_last = link;
		vnic__lane_go_on(c, t->post.lane);
		finish(c, t);
		work++;
	}
	return work;
}
