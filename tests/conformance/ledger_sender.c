/* SPDX-License-Identifier: BSD-3-Clause
 * ledger_sender.c - a sender: makes, sends, cancels, audits, opens and closes its handles
 */
#include "ledger.h"

#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <errno.h>
#include <stdlib.h>

#include <rte_errno.h>
#include <string.h>

#include <cmocka.h>

#define NBLS 4096
#define MBUFS 8192

/* ---- open and close ---- */

void sender_open(struct ledger *l, uint16_t index, uint32_t nb)
{
	struct sender *s = &l->sender[index];
	static unsigned int made;
	char name[16];

	*s = (struct sender){.ledger = l, .index = index, .seed = 4711u + 17 * index};
	book_open(&s->book, nb);
	snprintf(name, sizeof(name), "ledger%u", made++);
	s->nbls = vnic_nbl_pool_create(name, NBLS, PACKETS_MAX, -1);
	s->mbufs = rte_pktmbuf_pool_create(name, MBUFS, 128, 0, RTE_PKTMBUF_HEADROOM + 128, SOCKET_ID_ANY);
	s->ticket = vnic_ticket_create(-1);
	s->offer = rig_offer_new(&l->rig);
	s->offer_send = rig_offer_new(&l->rig);
	assert_true(s->nbls != NULL && s->mbufs != NULL && s->ticket != NULL);
}

void sender_close(struct sender *s)
{
	assert_int_equal(vnic_nbl_pool_destroy(s->nbls), 0);
	assert_int_equal(rte_mempool_in_use_count(s->mbufs), 0);
	rte_mempool_free(s->mbufs);
	assert_int_equal(vnic_ticket_destroy(s->ticket), 0);
	book_free(&s->book);
}

/* ---- completions ---- */

static void outcome_of_request(struct sender *s, struct vnic_nbl *nbl)
{
	uint32_t status = nbl->status == VNIC_STATUS_SEND_ABORTED ? VNIC_STATUS_CANCELLED : nbl->status;

	vnic_request_sent(nbl);
	if (vnic_request_status(s->request) != status)
		rig_fail("a sent request's status", vnic_request_status(s->request), status);
	rig_offer_get_back(s->offer_send);
	vnic_request_release(s->request);
	nbl->cookie = s->carried_cookie;
	s->carried = NULL;
}

static void on_complete(struct vnic_sender *handle, struct vnic_nbl **nbls, uint16_t n, void *context)
{
	struct sender *s = context;

	(void)handle;
	for (uint16_t i = 0; i < n; i++) {
		struct rte_mbuf **m = vnic_nbl_packets(nbls[i]);

		if (nbls[i] == s->carried)
			outcome_of_request(s, nbls[i]);
		book_enter(s, nbls[i]);
		for (uint32_t k = nbls[i]->nb_sent; k < nbls[i]->nb_packets; k++) {
			BUFFER_GIVEN(m[k]);
			rte_pktmbuf_free(m[k]);
		}
	}
	vnic_nbl_free(s->nbls, nbls, n);
	atomic_fetch_add_explicit(&s->nb_ended, n, memory_order_relaxed);
}

/* Completions by one of the two ways; returns how many. */
static uint32_t take(struct sender *s)
{
	struct vnic_nbl *nbl[VNIC_BURST_MAX];
	uint16_t n;

	if (rig_roll(&s->seed, 2) == 0)
		return vnic_sender_dispatch(s->handle, 2 * VNIC_BURST_MAX, on_complete, s);
	n = vnic_sender_poll(s->handle, nbl, VNIC_BURST_MAX);
	if (n != 0)
		on_complete(s->handle, nbl, n, s);
	return n;
}

/* ---- sends ---- */

static uint64_t pick_id(struct sender *s)
{
	uint64_t id = 1 + rig_roll(&s->seed, 8), dice = rig_roll(&s->seed, 16);

	/* mostly of the client's own, at times one that all use, at times none */
	return dice == 0 ? 0 : dice == 1 ? id :
	       (uint64_t)vnic_client_prefix(s->client) << VNIC_CANCEL_ID_PREFIX_SHIFT | id;
}

static void fill_packet(struct sender *s, struct rte_mbuf *m, uint16_t packet)
{
	struct stamp stamp = {.serial = s->next, .sender = s->index, .packet = packet};
	char *frame = rte_pktmbuf_append(m, FRAME_BYTES);

	BUFFER_TAKEN(m);
	stamp.check = stamp_check(&stamp);
	memcpy(frame + STAMP_AT, &stamp, sizeof(stamp));
}

static bool make(struct sender *s)
{
	uint16_t nb = (uint16_t)(1 + (rig_roll(&s->seed, 4) == 0 ? rig_roll(&s->seed, PACKETS_MAX) : 0));
	struct vnic_nbl *nbl;

	if (vnic_nbl_alloc(s->nbls, &nbl, 1) != 0)
		return false;
	if (rte_pktmbuf_alloc_bulk(s->mbufs, vnic_nbl_packets(nbl), nb) != 0) {
		vnic_nbl_free(s->nbls, &nbl, 1);
		return false;
	}
	for (uint16_t k = 0; k < nb; k++)
		fill_packet(s, vnic_nbl_packets(nbl)[k], k);
	if (rig_roll(&s->seed, 4096) == 0)
		vnic_nbl_packets(nbl)[nb - 1]->pkt_len = 0; /* refused */
	nbl->nb_packets = nb;
	nbl->cancel_id = pick_id(s);
	nbl->cookie = COOKIE | (uint64_t)s->index << 32 | s->next++;
	s->ready[s->nb_ready++] = nbl;
	return true;
}

static void taken(struct sender *s, uint32_t n)
{
	s->nb_ready -= n;
	memmove(s->ready, s->ready + n, s->nb_ready * sizeof(s->ready[0]));
}

/* The first NBL goes on behalf of a request, which others may cancel. */
static void send_by_request(struct sender *s)
{
	struct vnic_nbl *nbl = s->ready[0];
	uint32_t status;

	nbl->cancel_id = UINT64_C(1) << 40 | nbl->cookie; /* its own */
	s->carried_cookie = nbl->cookie;
	s->request = vnic_request_create(s->ledger->rig.control);
	rig_offer_put(s->offer_send, s->request);
	status = vnic_request_send(s->handle, nbl, s->request);
	if (status == VNIC_STATUS_PENDING) {
		s->carried = nbl;
		s->by_request++;
		taken(s, 1);
		return;
	}
	/* full, or cancelled before it was sent */
	if (status != VNIC_STATUS_RESOURCES && status != VNIC_STATUS_CANCELLED)
		rig_fail("a send by request is refused", status, 0);
	rig_offer_get_back(s->offer_send);
	vnic_request_release(s->request);
	nbl->cookie = s->carried_cookie;
}

static void send_some(struct sender *s)
{
	/* what is refused at once is not to be the most */
	bool open = vnic_adapter_gate(s->ledger->rig.top) == VNIC_STATUS_SUCCESS;
	uint32_t want = 1 + rig_roll(&s->seed, open ? BURST : 2);

	while (s->nb_ready < want && s->next < s->book.nb && make(s))
		;
	if (s->nb_ready == 0)
		return;
	if (s->carried == NULL && rig_roll(&s->seed, 256) == 0)
		send_by_request(s);
	taken(s, vnic_send(s->handle, s->ready, (uint16_t)s->nb_ready));
	if (!open)
		rig_nap(20);
}

/* ---- the rest ---- */

static void cancel_some(struct sender *s)
{
	struct vnic_verdict v;
	uint64_t id = pick_id(s);

	if (vnic_ticket_verdict(s->ticket, &v) == -EINPROGRESS)
		return;
	if (rig_roll(&s->seed, 16) == 0)
		vnic_adapter_abort(s->ledger->rig.top, s->ticket);
	else if (id >> VNIC_CANCEL_ID_PREFIX_SHIFT == 0)
		vnic_adapter_cancel(s->ledger->rig.top, id, s->ticket);
	else
		vnic_client_cancel(s->client, id, s->ticket);
	s->cancels++;
}

/* An operation of the sender's own. Once it has ended well, all that was sent before can be
 * polled without a wait [C44, C50, C69]: the others send on meanwhile. */
static void audit(struct sender *s)
{
	static const enum vnic_control_code codes[] = {
		VNIC_CONTROL_DRAIN, VNIC_CONTROL_DRAIN, VNIC_CONTROL_PAUSE, VNIC_CONTROL_PAUSE,
		VNIC_CONTROL_RESET, VNIC_CONTROL_RESET, VNIC_CONTROL_POWER, VNIC_CONTROL_STOP};
	enum vnic_control_code code = codes[rig_roll(&s->seed, 8)];
	struct rig *rig = &s->ledger->rig;
	uint32_t status = rig_operate(rig, rig->top, code, 0, s->offer, false);

	if (status == VNIC_STATUS_SUCCESS || status == VNIC_STATUS_REDIRECTOR_HAS_OPEN_HANDLES) {
		while (take(s) != 0)
			;
		s->audits++;
		if (vnic_sender_outstanding(s->handle) != 0)
			rig_fail(vnic_control_name(code), vnic_sender_outstanding(s->handle), s->index);
	}
	if (code == VNIC_CONTROL_PAUSE)
		rig_operate(rig, rig->top, VNIC_CONTROL_RESTART, 0, s->offer, false);
	else if (code == VNIC_CONTROL_POWER)
		rig_operate(rig, rig->top, VNIC_CONTROL_POWER, 1, s->offer, false);
	else if (code == VNIC_CONTROL_STOP)
		rig_operate(rig, rig->top, VNIC_CONTROL_START, 1, s->offer, false);
}

static void open_handles(struct sender *s)
{
	do { /* while a stop is in progress no handle is opened */
		pthread_mutex_lock(&s->ledger->setup);
		s->client = vnic_client_open(s->ledger->rig.top);
		s->handle = s->client == NULL ? NULL :
			    vnic_sender_create(s->client, s->nbls,
					       rig_roll(&s->seed, 2) == 0 ? 64 : 512);
		pthread_mutex_unlock(&s->ledger->setup);
	} while (s->client == NULL && rte_errno == ESHUTDOWN && sched_yield() == 0);
	s->opened++;
	if (s->handle == NULL) {
		rig_fail("no sender", s->index, s->opened);
		exit(1);
	}
}

static void close_handles(struct sender *s)
{
	int rc;

	while (vnic_sender_outstanding(s->handle) != 0)
		if (take(s) == 0)
			sched_yield();
	pthread_mutex_lock(&s->ledger->setup);
	rc = vnic_sender_destroy(s->handle);
	pthread_mutex_unlock(&s->ledger->setup);
	if (rc != 0)
		rig_fail("a sender cannot be destroyed", (uint64_t)-rc, s->index);
	for (rc = -EBUSY; rc == -EBUSY;) { /* a cancel is under way [C40] */
		pthread_mutex_lock(&s->ledger->setup);
		rc = vnic_client_close(s->client);
		pthread_mutex_unlock(&s->ledger->setup);
		if (rc == -EBUSY)
			sched_yield();
	}
	if (rc != 0)
		rig_fail("a client cannot be closed", (uint64_t)-rc, s->index);
}

void *sender_loop(void *arg)
{
	struct sender *s = arg;
	uint32_t place = rig_enter_thread(&s->ledger->rig, true);

	open_handles(s);
	while (s->next < s->book.nb || s->nb_ready != 0) {
		uint32_t dice;

		send_some(s);
		if (take(s) == 0 && rig_roll(&s->seed, 4) == 0)
			sched_yield();
		dice = rig_roll(&s->seed, 4096);
		if (s->ledger->plain)
			continue;
		if (dice < 256)
			cancel_some(s);
		else if (dice < 264)
			audit(s);
		else if (dice == 264) {
			close_handles(s);
			open_handles(s);
		}
	}
	close_handles(s);
	rig_leave_thread(&s->ledger->rig, place, true);
	atomic_store(&s->done, true);
	return NULL;
}
