/* SPDX-License-Identifier: BSD-3-Clause
 * write.c - a send on behalf of a request: a cancel of the one is a cancel of the other
 *
 * Sender's thread, but for the cancel routine.
 */
#include "adapter.h"

static void let_go(struct vnic_ticket *t)
{
	struct vnic_request *r = container_of(t, struct vnic_request, ticket);

	vnic__ticket_let_go(t);
	vnic__request_drop(r);
}

/* While a routine is set, its adapter stays: who takes the routine out of the request lets go
 * of it, a canceller when its ticket holds it. */
static void hold_adapter(struct vnic_adapter *a)
{
	/* relaxed: the sender's client holds the adapter too */
	atomic_fetch_add_explicit(&a->asked, 1, memory_order_relaxed);
}

static void drop_adapter(struct vnic_adapter *a)
{
	/* R12 -> A12 */
	atomic_fetch_sub_explicit(&a->asked, 1, memory_order_release);
}

/* Take the NBL back: whether that was in time, its completion tells. */
static void cancel_nbl(struct vnic_request *r)
{
	struct vnic_ticket *t = &r->ticket;

	vnic__ticket_begin(t, r->adapter, r->argument, UINT64_MAX);
	drop_adapter(r->adapter);
	t->done = let_go;
	/* relaxed: a fresh ticket, which nobody else has */
	atomic_store_explicit(&t->state, TICKET_PENDING, memory_order_relaxed);
	vnic__ticket_post(t);
}

/* The request is not completed here: that is for the send's completion. */
static void cancel_send(struct vnic_adapter *a, struct vnic_request *r)
{
	(void)a;
	vnic__request_hold(r); /* until the ticket is done */
	vnic_cancel_unlock(r->control);
	cancel_nbl(r);
}

static uint32_t refuse(struct vnic_request *r, uint32_t status)
{
	vnic_request_complete(r, status);
	return status;
}

uint32_t vnic_request_send(struct vnic_sender *s, struct vnic_nbl *nbl, struct vnic_request *r)
{
	if (vnic_request_mark_pending(r) != 0)
		return VNIC_STATUS_INVALID_PARAMETER;
	r->adapter = s->adapter;
	r->major = VNIC_MAJOR_WRITE;
	r->argument = nbl->cancel_id;
	r->leave = NULL;
	if (nbl->cancel_id == 0)
		return refuse(r, VNIC_STATUS_INVALID_PARAMETER);
	if (vnic_request_cancelled(r))
		return refuse(r, VNIC_STATUS_CANCELLED);
	nbl->cookie = (uintptr_t)r;
	if (vnic_send(s, &nbl, 1) == 0)
		return refuse(r, VNIC_STATUS_RESOURCES);
	/* sent, then set, then checked: a cancel that came before the routine was set is made
	 * here, and one that came before the send finds the NBL queued */
	hold_adapter(s->adapter);
	vnic_request_set_cancel_routine(r, cancel_send);
	if (vnic_request_cancelled(r) && vnic_request_set_cancel_routine(r, NULL) != NULL) {
		vnic__request_hold(r);
		cancel_nbl(r);
	}
	return VNIC_STATUS_PENDING;
}

void vnic_request_sent(struct vnic_nbl *nbl)
{
	struct vnic_request *r = (struct vnic_request *)(uintptr_t)nbl->cookie;

	if (vnic_request_set_cancel_routine(r, NULL) != NULL)
		drop_adapter(r->adapter); /* too late now */
	vnic_request_complete(r, nbl->status == VNIC_STATUS_SEND_ABORTED ? VNIC_STATUS_CANCELLED :
									   nbl->status);
}
