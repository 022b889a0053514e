/* SPDX-License-Identifier: BSD-3-Clause
 * request.c - requests: their life, both forms of cancelling them, the cancel-safe queue
 *
 * Requests and queues lie in libc's memory, not in DPDK's: no lcore polls them, and the
 * sanitizers see a use after the last reference.
 */
#include "request.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include <rte_errno.h>

/* ---- life ---- */

void vnic__request_hold(struct vnic_request *r)
{
	/* relaxed: the caller has a reference already, or what keeps one */
	atomic_fetch_add_explicit(&r->refs, 1, memory_order_relaxed);
}

void vnic__request_drop(struct vnic_request *r)
{
	/* R16 -> A16, and A16 <- R16 for the last one */
	if (atomic_fetch_sub_explicit(&r->refs, 1, memory_order_acq_rel) == 1)
		free(r);
}

struct vnic_request *vnic_request_create(struct vnic_control *control)
{
	struct vnic_request *r = calloc(1, sizeof(*r));

	if (r == NULL) {
		rte_errno = ENOMEM;
		return NULL;
	}
	r->control = control;
	rte_spinlock_init(&r->lock);
	/* relaxed: nobody else has it yet */
	atomic_store_explicit(&r->refs, 1, memory_order_relaxed);
	return r;
}

void vnic_request_release(struct vnic_request *r)
{
	if (r != NULL)
		vnic__request_drop(r);
}

static bool in_done(const struct vnic_request *r)
{
	/* relaxed: no other thread's store can make it equal */
	return atomic_load_explicit(&r->done_thread, memory_order_relaxed) ==
	       (uintptr_t)pthread_self();
}

/* Is the creator's reference the only one left? In done() complete() has one too, which
 * passes to the reuse: nobody else is going to use it, and what the request is from now on
 * may outlive complete(). */
static bool take_back(struct vnic_request *r)
{
	/* A16 <- R16 */
	uint32_t refs = atomic_load_explicit(&r->refs, memory_order_acquire);
	/* relaxed: if it is another thread's, the references say so, and they order */
	uint32_t phase = atomic_load_explicit(&r->phase, memory_order_relaxed);

	if (phase != REQUEST_FRESH && phase != REQUEST_COMPLETE)
		return false;
	if (refs == 1)
		return true;
	if (refs != 2 || !in_done(r))
		return false;
	*r->reused = true;
	/* relaxed, both: the creator's reference is this thread's, and it is in the cancel lock */
	atomic_store_explicit(&r->done_thread, 0, memory_order_relaxed);
	atomic_fetch_sub_explicit(&r->refs, 1, memory_order_relaxed);
	return true;
}

int vnic_request_reuse(struct vnic_request *r)
{
	bool ours;

	/* a cancel that is not counted yet waits for this lock, and is one of the fresh request */
	vnic_cancel_lock(r->control);
	ours = take_back(r);
	if (ours) {
		r->adapter = NULL;
		r->major = VNIC_MAJOR_CREATE;
		r->code = 0;
		r->argument = 0;
		r->caller_set = false;
		r->verdict = (struct vnic_verdict){0};
		r->flagged = false;
		r->minirdr_routine = NULL;
		r->leave = NULL;
		r->done = NULL;
		r->done_context = NULL;
		/* relaxed, all: it is this thread's alone, and the lock orders a cancel's */
		atomic_store_explicit(&r->routine, NULL, memory_order_relaxed);
		atomic_store_explicit(&r->cancelled, false, memory_order_relaxed);
		atomic_store_explicit(&r->status, VNIC_STATUS_SUCCESS, memory_order_relaxed);
		atomic_store_explicit(&r->phase, REQUEST_FRESH, memory_order_relaxed);
	}
	vnic_cancel_unlock(r->control);
	return ours ? 0 : -EBUSY;
}

/* ---- what it carries ---- */

void vnic_request_on_done(struct vnic_request *r, vnic_request_done *done, void *context)
{
	r->done = done;
	r->done_context = context;
}

uint32_t vnic_request_status(const struct vnic_request *r)
{
	/* A15 <- R15 */
	return atomic_load_explicit(&r->status, memory_order_acquire);
}

void vnic_request_verdict(const struct vnic_request *r, struct vnic_verdict *verdict)
{
	*verdict = r->verdict;
}

enum vnic_major vnic_request_major(const struct vnic_request *r)
{
	return r->major;
}

uint32_t vnic_request_control_code(const struct vnic_request *r)
{
	return r->code;
}

struct vnic_adapter *vnic_request_adapter(const struct vnic_request *r)
{
	return r->adapter;
}

uint64_t vnic_request_caller(const struct vnic_request *r)
{
	return r->caller_set ? r->caller : geteuid();
}

void vnic_request_set_caller(struct vnic_request *r, uint64_t user)
{
	r->caller = user;
	r->caller_set = true;
}

/* ---- pending, complete ---- */

int vnic_request_mark_pending(struct vnic_request *r)
{
	uint32_t phase = REQUEST_FRESH;

	/* relaxed: R17 is below, and a refusal has no effect */
	if (!atomic_compare_exchange_strong_explicit(&r->phase, &phase, REQUEST_CHANGING,
						     memory_order_relaxed, memory_order_relaxed))
		return -EBUSY;
	vnic__request_hold(r);
	vnic_request_set_caller(r, vnic_request_caller(r));
	/* relaxed: until it is complete the status promises nothing */
	atomic_store_explicit(&r->status, VNIC_STATUS_PENDING, memory_order_relaxed);
	/* R17 -> A17 */
	atomic_store_explicit(&r->phase, REQUEST_PENDING, memory_order_release);
	return 0;
}

/* Under the request's lock: the minirdr routine, out of it. */
static vnic_minirdr_cancel_routine *take_minirdr_routine(struct vnic_request *r)
{
	vnic_minirdr_cancel_routine *routine = r->minirdr_routine;

	r->minirdr_routine = NULL;
	return routine;
}

/* The moment the status is seen, whoever waits for it may release the request and ask for
 * its reuse: what is needed later is read before. The library's reference keeps it in memory
 * and from being reused, but for a reuse in done() itself. */
static void publish(struct vnic_request *r, uint32_t status)
{
	void (*leave)(struct vnic_request *r) = r->leave;
	vnic_request_done *done = r->done;
	void *context = r->done_context;
	bool reused = false;

	if (done != NULL) {
		r->reused = &reused;
		/* relaxed: only this thread compares equal */
		atomic_store_explicit(&r->done_thread, (uintptr_t)pthread_self(),
				      memory_order_relaxed);
	}
	/* relaxed: R16 orders it for a reuse, which comes after drop() or in this thread */
	atomic_store_explicit(&r->phase, REQUEST_COMPLETE, memory_order_relaxed);
	/* R15 -> A15 */
	atomic_store_explicit(&r->status, status, memory_order_release);
	/* only now: a stop that finds nobody inside says that all have run to completion */
	if (leave != NULL)
		leave(r);
	if (done != NULL) {
		done(r, context);
		if (reused)
			return;
		/* relaxed: as above */
		atomic_store_explicit(&r->done_thread, 0, memory_order_relaxed);
	}
	vnic__request_drop(r);
}

int vnic_request_complete(struct vnic_request *r, uint32_t status)
{
	uint32_t phase = REQUEST_PENDING;

	if (status == VNIC_STATUS_PENDING)
		return -EINVAL;
	/* relaxed, both: the owner's own doing; the exchange below decides and orders */
	if (atomic_load_explicit(&r->phase, memory_order_relaxed) != REQUEST_PENDING)
		return -EALREADY;
	if (atomic_load_explicit(&r->routine, memory_order_relaxed) != NULL)
		return -EBUSY;
	/* A17 <- R17 */
	if (!atomic_compare_exchange_strong_explicit(&r->phase, &phase, REQUEST_CHANGING,
						     memory_order_acquire, memory_order_relaxed))
		return -EALREADY;
	rte_spinlock_lock(&r->lock);
	take_minirdr_routine(r); /* not for a cancel that comes later */
	rte_spinlock_unlock(&r->lock);
	publish(r, status);
	return 0;
}

/* ---- cancel ---- */

void vnic_cancel_lock(struct vnic_control *control)
{
	rte_spinlock_lock(&control->cancel_lock);
}

void vnic_cancel_unlock(struct vnic_control *control)
{
	rte_spinlock_unlock(&control->cancel_lock);
}

/* IoCancelIrp's part. */
static bool cancel_exchanged(struct vnic_request *r)
{
	vnic_cancel_routine *routine;

	vnic_cancel_lock(r->control);
	/* SC: the bit, then the routine */
	atomic_store_explicit(&r->cancelled, true, memory_order_seq_cst);
	routine = atomic_exchange_explicit(&r->routine, NULL, memory_order_seq_cst);
	if (routine != NULL)
		routine(r->adapter, r); /* it releases the lock */
	else
		vnic_cancel_unlock(r->control);
	return routine != NULL;
}

/* RDBSS's part. */
static bool cancel_locked(struct vnic_request *r)
{
	vnic_minirdr_cancel_routine *routine;

	rte_spinlock_lock(&r->lock);
	r->flagged = true;
	routine = take_minirdr_routine(r);
	rte_spinlock_unlock(&r->lock);
	if (routine != NULL)
		routine(r);
	return routine != NULL;
}

bool vnic_request_cancel(struct vnic_request *r)
{
	bool called;

	vnic__request_hold(r); /* a routine may complete the request, and its creator may release it */
	called = cancel_exchanged(r);
	called |= cancel_locked(r);
	vnic__request_drop(r);
	return called;
}

bool vnic_request_cancelled(const struct vnic_request *r)
{
	/* SC: after the owner's exchange */
	return atomic_load_explicit(&r->cancelled, memory_order_seq_cst);
}

vnic_cancel_routine *vnic_request_set_cancel_routine(struct vnic_request *r,
						     vnic_cancel_routine *routine)
{
	/* SC: the routine, then (by the owner) the bit */
	return atomic_exchange_explicit(&r->routine, routine, memory_order_seq_cst);
}

uint32_t vnic_request_set_minirdr_cancel_routine(struct vnic_request *r,
						 vnic_minirdr_cancel_routine *routine)
{
	bool flagged;

	rte_spinlock_lock(&r->lock);
	flagged = r->flagged;
	if (!flagged)
		r->minirdr_routine = routine;
	rte_spinlock_unlock(&r->lock);
	return flagged ? VNIC_STATUS_CANCELLED : VNIC_STATUS_SUCCESS;
}

/* ---- the cancel-safe queue ---- */

struct vnic_request_queue {
	rte_spinlock_t lock;
	TAILQ_HEAD(, vnic_request) requests;
};

struct vnic_request_queue *vnic_request_queue_create(void)
{
	struct vnic_request_queue *q = calloc(1, sizeof(*q));

	if (q == NULL) {
		rte_errno = ENOMEM;
		return NULL;
	}
	rte_spinlock_init(&q->lock);
	TAILQ_INIT(&q->requests);
	return q;
}

int vnic_request_queue_destroy(struct vnic_request_queue *q)
{
	bool empty;

	if (q == NULL)
		return 0;
	/* the lock: who has just unlinked the last request is out of it */
	rte_spinlock_lock(&q->lock);
	empty = TAILQ_EMPTY(&q->requests);
	rte_spinlock_unlock(&q->lock);
	if (!empty)
		return -EBUSY;
	free(q);
	return 0;
}

/* Under the queue's lock. */
static void unlink_request(struct vnic_request_queue *q, struct vnic_request *r)
{
	TAILQ_REMOVE(&q->requests, r, link);
	/* relaxed: see vnic_request_queue_remove() */
	atomic_store_explicit(&r->queue, NULL, memory_order_relaxed);
}

/* A queued request's Cancel routine: whoever has taken it out of the request, and nobody
 * else, unlinks the request. So this one stays queued until it is unlinked here. */
static void cancel_queued(struct vnic_adapter *adapter, struct vnic_request *r)
{
	/* relaxed: written before the routine was set */
	struct vnic_request_queue *q = atomic_load_explicit(&r->queue, memory_order_relaxed);

	(void)adapter;
	vnic_cancel_unlock(r->control);
	rte_spinlock_lock(&q->lock);
	unlink_request(q, r);
	rte_spinlock_unlock(&q->lock);
	vnic_request_complete(r, VNIC_STATUS_CANCELLED);
}

/* False: a cancel came meanwhile and left the request to this thread; it is not queued. */
static bool link_request(struct vnic_request_queue *q, struct vnic_request *r)
{
	bool linked = true;

	rte_spinlock_lock(&q->lock);
	TAILQ_INSERT_TAIL(&q->requests, r, link);
	/* relaxed: the routine's exchange orders it for the routine */
	atomic_store_explicit(&r->queue, q, memory_order_relaxed);
	vnic_request_set_cancel_routine(r, cancel_queued);
	/* if the cancel has the routine, that waits for the queue's lock and unlinks */
	if (vnic_request_cancelled(r) && vnic_request_set_cancel_routine(r, NULL) != NULL) {
		unlink_request(q, r);
		linked = false;
	}
	rte_spinlock_unlock(&q->lock);
	return linked;
}

int vnic_request_queue_insert(struct vnic_request_queue *q, struct vnic_request *r)
{
	/* relaxed, both: the owner's own doing */
	if (atomic_load_explicit(&r->phase, memory_order_relaxed) != REQUEST_PENDING ||
	    atomic_load_explicit(&r->routine, memory_order_relaxed) != NULL)
		return -EINVAL;
	/* looked at first, or another cancel could get what one has left to this thread */
	if (!vnic_request_cancelled(r) && link_request(q, r))
		return 0;
	vnic_request_complete(r, VNIC_STATUS_CANCELLED);
	return -ECANCELED;
}

/* The first match that no cancel has got, unlinked. */
static struct vnic_request *take_first(struct vnic_request_queue *q,
				       bool (*match)(const struct vnic_request *r, void *context),
				       void *context)
{
	struct vnic_request *r;

	rte_spinlock_lock(&q->lock);
	TAILQ_FOREACH(r, &q->requests, link) {
		if (match != NULL && !match(r, context))
			continue;
		if (vnic_request_set_cancel_routine(r, NULL) != NULL) {
			unlink_request(q, r);
			break;
		}
	}
	rte_spinlock_unlock(&q->lock);
	return r;
}

struct vnic_request *vnic_request_queue_remove_next(
	struct vnic_request_queue *q,
	bool (*match)(const struct vnic_request *request, void *context), void *context)
{
	struct vnic_request *r;

	/* a cancel that has set the bit and came too late for the routine is served here */
	while ((r = take_first(q, match, context)) != NULL && vnic_request_cancelled(r))
		vnic_request_complete(r, VNIC_STATUS_CANCELLED);
	return r;
}

bool vnic_request_queue_remove(struct vnic_request_queue *q, struct vnic_request *r)
{
	bool ours;

	rte_spinlock_lock(&q->lock);
	/* relaxed: it becomes q, and another than q, under q's lock only */
	ours = atomic_load_explicit(&r->queue, memory_order_relaxed) == q &&
	       vnic_request_set_cancel_routine(r, NULL) != NULL;
	if (ours)
		unlink_request(q, r);
	rte_spinlock_unlock(&q->lock);
	return ours;
}
