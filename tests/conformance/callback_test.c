/* SPDX-License-Identifier: BSD-3-Clause
 * callback_test.c - what calls back, and what calls back into it (C11), sends on behalf of
 * requests (C62), handles (C40)
 */
#include "bed.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "adapter.h"

#define ID UINT64_C(0x1234)
#define OTHER UINT64_C(0x5678)

/* ---- C11 ---- */

/* A callback notes what was handed to it; NBLs are the test's again, outside of the bed. */
#define NBLS 100

static struct {
	struct bed *b;
	struct vnic_nbl *nbl[NBLS];
	uint32_t calls, completed, most;  /* NBLs, in one call */
	uint32_t depth, deepest;          /* calls within calls */
	uint32_t polled_within, dispatched_within;
	uint32_t by_status[4];            /* SUCCESS, SEND_ABORTED, CLOSING, others */
	uint32_t again;                   /* NBLs to be sent again */
	int cancel_result;
	uint32_t stop_status;
	bool stop_post;
	struct vnic_request *stop;
} seen;

/* n NBLs of one packet of the bed's pools, which it does not check. */
static void make_nbls(struct bed *b, uint32_t n)
{
	memset(&seen, 0, sizeof(seen));
	seen.b = b;
	b->alien = true;
	assert_int_equal(vnic_nbl_alloc(b->nbls, seen.nbl, n), 0);
	for (uint32_t i = 0; i < n; i++) {
		struct rte_mbuf *m = rte_pktmbuf_alloc(b->mbufs);

		assert_non_null(m);
		memset(rte_pktmbuf_append(m, BED_FRAME), 0, BED_FRAME);
		seen.nbl[i]->cancel_id = ID;
		seen.nbl[i]->cookie = i;
		seen.nbl[i]->nb_packets = 1;
		vnic_nbl_packets(seen.nbl[i])[0] = m;
	}
}

/* n of them, a queue's depth at a time, to the port. */
static void send_through(struct bed *b, uint16_t n)
{
	for (uint16_t at = 0; at < n; at += 50) {
		assert_int_equal(vnic_send(b->sender[0], &seen.nbl[at], 50), 50);
		while (bed_data(b) != 0)
			;
	}
}

static void give_back(struct vnic_nbl *nbl)
{
	if (nbl->status != VNIC_STATUS_SUCCESS)
		rte_pktmbuf_free(vnic_nbl_packets(nbl)[0]);
	vnic_nbl_free(seen.b->nbls, &nbl, 1);
}

/* Into the wire goes what the bed has not made. */
static uint32_t take_wire(struct bed *b)
{
	struct rte_mbuf *m;
	uint32_t n = 0;

	for (; rte_ring_dequeue(b->wire, (void **)&m) == 0; n++)
		rte_pktmbuf_free(m);
	return n;
}

static void note(struct vnic_nbl **nbls, uint16_t n)
{
	seen.calls++;
	seen.completed += n;
	seen.most = n > seen.most ? n : seen.most;
	for (uint16_t i = 0; i < n; i++) {
		uint32_t status = nbls[i]->status;

		seen.by_status[status == VNIC_STATUS_SUCCESS	  ? 0 :
			       status == VNIC_STATUS_SEND_ABORTED ? 1 :
			       status == VNIC_STATUS_CLOSING	  ? 2 : 3]++;
	}
}

static void just_note(struct vnic_sender *s, struct vnic_nbl **nbls, uint16_t n, void *context)
{
	(void)s;
	(void)context;
	note(nbls, n);
	for (uint16_t i = 0; i < n; i++)
		give_back(nbls[i]);
}

/* Everything that a callback may do, in the middle of a dispatch. */
static void do_it_all(struct vnic_sender *s, struct vnic_nbl **nbls, uint16_t n, void *context)
{
	struct bed *b = seen.b;
	struct vnic_nbl *other[8];

	(void)context;
	seen.depth++;
	seen.deepest = seen.depth > seen.deepest ? seen.depth : seen.deepest;
	note(nbls, n);
	for (uint16_t i = 0; i < n; i++) {
		struct vnic_nbl *nbl = nbls[i];

		if (seen.again == 0) {
			give_back(nbl);
			continue;
		}
		seen.again--;
		if (nbl->status == VNIC_STATUS_SUCCESS) { /* the packet is the port's */
			struct rte_mbuf *m = rte_pktmbuf_alloc(b->mbufs);

			memset(rte_pktmbuf_append(m, BED_FRAME), 0, BED_FRAME);
			vnic_nbl_packets(nbl)[0] = m;
		}
		if (vnic_send(s, &nbl, 1) == 0)
			abort();
	}
	seen.cancel_result = vnic_adapter_cancel(b->adapter, OTHER, b->ticket);
	seen.polled_within += vnic_sender_poll(s, other, 8);
	seen.dispatched_within += vnic_sender_dispatch(s, 8, do_it_all, NULL);
	if (seen.stop == NULL) {
		seen.stop = vnic_request_create(b->control);
		seen.stop_status = vnic_adapter_stop(b->adapter, seen.stop, &seen.stop_post);
	}
	seen.depth--;
}

static void c11_dispatch_hands_over_in_bounded_calls(void **state)
{
	struct bed *b = bed_open(NULL);

	(void)state;
	make_nbls(b, NBLS);
	send_through(b, NBLS);
	assert_int_equal(vnic_sender_dispatch(b->sender[0], 0, just_note, NULL), 0);
	assert_int_equal(seen.calls, 0);
	assert_int_equal(vnic_sender_dispatch(b->sender[0], 10, just_note, NULL), 10);
	assert_int_equal(seen.completed, 10);
	assert_int_equal(vnic_sender_dispatch(b->sender[0], 1000, just_note, NULL), NBLS - 10);
	assert_true(seen.most <= VNIC_BURST_MAX);
	assert_int_equal(seen.by_status[0], NBLS);
	assert_int_equal(vnic_sender_outstanding(b->sender[0]), 0);
	assert_int_equal(vnic_sender_dispatch(b->sender[0], 1000, just_note, NULL), 0);
	take_wire(b);
	b->nb_log = 0;
	bed_close(b);
}

static void c11_a_callback_may_do_it_all(void **state)
{
	struct bed *b = bed_open(NULL);

	(void)state;
	bed_control(b); /* the sender's thread is the control lcore too: a stop is made within */
	make_nbls(b, NBLS); /* more than one call's */
	seen.again = 20;
	send_through(b, NBLS);
	/* what is sent within is taken by the stop within, and handed over by the same dispatch */
	assert_int_equal(vnic_sender_dispatch(b->sender[0], 1000, do_it_all, NULL), NBLS + 20);
	assert_int_equal(seen.calls, 2);
	assert_int_equal(seen.deepest, 1);
	assert_int_equal(seen.polled_within + seen.dispatched_within, 0);
	assert_int_equal(seen.cancel_result, -EBUSY); /* the first one's is on its way */
	assert_int_equal(seen.stop_status, VNIC_STATUS_PENDING);
	assert_int_equal(seen.by_status[0], NBLS);
	assert_int_equal(seen.by_status[1], 20);
	assert_int_equal(bed_await(b, seen.stop), VNIC_STATUS_REDIRECTOR_HAS_OPEN_HANDLES);
	assert_true(bed_verdict(b, b->ticket).unknown);
	assert_int_equal(vnic_sender_outstanding(b->sender[0]), 0);
	take_wire(b);
	bed_close(b);
}

static void resend(struct vnic_sender *s, struct vnic_nbl **nbls, uint16_t n, void *context)
{
	(void)context;
	note(nbls, n);
	if (vnic_send(s, nbls, n) != n)
		abort();
}

/* Behind a closed gate what is sent within completes at once: one dispatch ends all the same,
 * having handed over what it was told to, and the stack does not grow. */
static void c11_a_callback_that_always_sends_again_is_bounded(void **state)
{
	struct bed *b = bed_open(NULL);

	(void)state;
	make_nbls(b, 4);
	assert_int_equal(bed_operate(b, VNIC_CONTROL_PAUSE, 0), VNIC_STATUS_SUCCESS);
	assert_int_equal(vnic_send(b->sender[0], seen.nbl, 4), 4);
	for (uint32_t i = 1; i <= 50; i++) {
		assert_int_equal(vnic_sender_dispatch(b->sender[0], 100, resend, NULL), 100);
		assert_int_equal(seen.completed, 100 * i);
		assert_int_equal(vnic_sender_outstanding(b->sender[0]), 4);
	}
	assert_int_equal(vnic_sender_dispatch(b->sender[0], 64, just_note, NULL), 4);
	bed_close(b);
}

/* No lock: another thread applies cancels, opens handles, completes requests meanwhile. */
struct other {
	struct bed *b;
	uint32_t status;
	bool opened;
};

static void *use_everything(void *arg)
{
	struct other *o = arg;
	struct vnic_request *r = vnic_request_create(o->b->control);
	struct vnic_client *client;

	vnic_cancel_lock(o->b->control);
	vnic_cancel_unlock(o->b->control);
	client = vnic_client_open(o->b->adapter); /* the handles' lock */
	o->opened = client != NULL && vnic_client_close(client) == 0;
	o->status = vnic_adapter_request(o->b->adapter, VNIC_CONTROL_CANCEL, ID, r);
	while (o->status == VNIC_STATUS_PENDING) { /* the queue's lock */
		vnic_control_poll(o->b->control);
		vnic_adapter_poll(o->b->adapter);
		o->status = vnic_request_status(r);
	}
	vnic_request_release(r);
	return NULL;
}

static void wait_for_another(struct vnic_sender *s, struct vnic_nbl **nbls, uint16_t n,
			     void *context)
{
	pthread_t thread;

	(void)s;
	just_note(s, nbls, n, NULL);
	if (pthread_create(&thread, NULL, use_everything, context) != 0 ||
	    pthread_join(thread, NULL) != 0)
		abort();
}

static void c11_no_lock_is_held_in_a_callback(void **state)
{
	struct bed *b = bed_open(NULL);
	struct other o = {.b = b, .status = VNIC_STATUS_FAILURE};

	(void)state;
	make_nbls(b, 8);
	assert_int_equal(vnic_send(b->sender[0], seen.nbl, 8), 8);
	bed_data(b);
	assert_int_equal(vnic_sender_dispatch(b->sender[0], 64, wait_for_another, &o), 8);
	assert_int_equal(o.status, VNIC_STATUS_SUCCESS);
	assert_true(o.opened);
	take_wire(b);
	bed_close(b);
}

static uint32_t nb_done;
static uint32_t issued_status;

/* A done that issues the next operation: a pause's, a restart; a restart's, a pause. */
static void issue_next(struct vnic_request *r, void *context)
{
	struct bed *b = context;
	enum vnic_control_code next = vnic_request_control_code(r) == VNIC_CONTROL_PAUSE ?
					      VNIC_CONTROL_RESTART : VNIC_CONTROL_PAUSE;

	if (++nb_done == 1000)
		return;
	while (vnic_request_reuse(r) != 0)
		abort();
	vnic_request_on_done(r, issue_next, b);
	issued_status = vnic_adapter_request(b->adapter, next, 0, r);
}

/* On the control lcore what a done issues is run at the next poll, not within. */
static void c11_a_done_that_issues_the_next_operation(void **state)
{
	struct bed *b = bed_open(NULL);
	struct vnic_request *r = vnic_request_create(b->control);

	(void)state;
	nb_done = 0;
	vnic_request_on_done(r, issue_next, b);
	assert_int_equal(vnic_adapter_request(b->adapter, VNIC_CONTROL_PAUSE, 0, r),
			 VNIC_STATUS_PENDING);
	for (uint32_t before = 0, i = 0; nb_done < 1000 && i < 100000; i++, before = nb_done) {
		bed_control(b);
		assert_in_range(nb_done - before, 0, 1);
		assert_false(b->control->busy);
		bed_data(b);
	}
	assert_int_equal(nb_done, 1000);
	assert_int_equal(issued_status, VNIC_STATUS_PENDING);
	assert_int_equal(vnic_request_status(r), VNIC_STATUS_SUCCESS);
	assert_int_equal(bed_inside(b), 0);
	vnic_request_release(r);
	bed_close(b);
}

/* ---- C62 ---- */

static void count_done(struct vnic_request *r, void *context)
{
	(void)r;
	(void)context;
	nb_done++;
}

struct write {
	struct vnic_request *r;
	uint32_t status; /* of its issue */
};

static struct write write_nbl(struct bed *b, struct vnic_nbl *nbl, uint64_t id)
{
	struct write w = {.r = vnic_request_create(b->control)};

	assert_non_null(w.r);
	nb_done = 0;
	nbl->cancel_id = id;
	vnic_request_on_done(w.r, count_done, NULL);
	w.status = vnic_request_send(b->sender[0], nbl, w.r);
	return w;
}

/* Its NBL is polled: the status of the request. */
static uint32_t sent(struct bed *b, struct write *w)
{
	struct vnic_nbl *nbl;
	uint32_t status;

	assert_int_equal(vnic_request_status(w->r), VNIC_STATUS_PENDING);
	assert_int_equal(nb_done, 0);
	assert_int_equal(vnic_sender_poll(b->sender[0], &nbl, 1), 1);
	assert_ptr_equal(nbl, seen.nbl[0]);
	vnic_request_sent(nbl);
	assert_int_equal(nb_done, 1);
	status = vnic_request_status(w->r);
	give_back(nbl);
	bed_step(b, 3); /* a ticket of its cancel ends */
	assert_int_equal(vnic_request_reuse(w->r), 0);
	vnic_request_release(w->r);
	return status;
}

static struct bed *open_for_write(void)
{
	struct bed *b = bed_open(NULL);

	make_nbls(b, 1);
	return b;
}

static void close_write(struct bed *b)
{
	take_wire(b);
	assert_int_equal(b->adapter->pending, 0);
	bed_close(b);
}

static void c62_a_write_that_is_sent(void **state)
{
	struct bed *b = open_for_write();
	struct write w = write_nbl(b, seen.nbl[0], ID);

	(void)state;
	assert_int_equal(w.status, VNIC_STATUS_PENDING);
	assert_int_equal(vnic_request_major(w.r), VNIC_MAJOR_WRITE);
	assert_ptr_equal(vnic_request_adapter(w.r), b->adapter);
	bed_data(b);
	assert_int_equal(sent(b, &w), VNIC_STATUS_SUCCESS);
	close_write(b);
}

/* A cancel of the request is one of the NBL, whose completion completes the request. */
static void c62_a_write_that_is_cancelled_while_queued_and_while_staged(void **state)
{
	(void)state;
	for (int staged = 0; staged < 2; staged++) {
		struct bed *b = open_for_write();
		struct write w;

		bed_wire_room(b, 0);
		w = write_nbl(b, seen.nbl[0], ID);
		if (staged)
			bed_data(b);
		assert_true(vnic_request_cancel(w.r));
		assert_false(vnic_request_cancel(w.r));
		bed_step(b, 3); /* aborted, and not seen yet by its sender */
		assert_int_equal(sent(b, &w), VNIC_STATUS_CANCELLED);
		assert_int_equal(bed_stats(b).aborted.nbls, 1);
		bed_wire_room(b, BED_ROOM_ALL);
		close_write(b);
	}
}

/* The port has it: the outcome is the send's. */
static void c62_a_write_that_is_cancelled_too_late(void **state)
{
	struct bed *b = open_for_write();
	struct write w = write_nbl(b, seen.nbl[0], ID);

	(void)state;
	bed_data(b);
	assert_true(vnic_request_cancel(w.r)); /* the routine was called, and found nothing */
	bed_step(b, 3);
	assert_int_equal(sent(b, &w), VNIC_STATUS_SUCCESS);
	close_write(b);
}

static void c62_a_write_that_is_cancelled_before_it_is_sent(void **state)
{
	struct bed *b = open_for_write();
	struct vnic_request *r = vnic_request_create(b->control);
	struct vnic_nbl *none;

	(void)state;
	nb_done = 0;
	vnic_request_on_done(r, count_done, NULL);
	seen.nbl[0]->cancel_id = ID;
	assert_false(vnic_request_cancel(r));
	assert_int_equal(vnic_request_send(b->sender[0], seen.nbl[0], r), VNIC_STATUS_CANCELLED);
	assert_int_equal(vnic_request_status(r), VNIC_STATUS_CANCELLED);
	assert_int_equal(nb_done, 1);
	bed_step(b, 3);
	assert_int_equal(vnic_sender_poll(b->sender[0], &none, 1), 0); /* nothing was sent */
	vnic_request_release(r);
	seen.nbl[0]->status = VNIC_STATUS_CANCELLED; /* its packet is the test's */
	give_back(seen.nbl[0]);
	close_write(b);
}

/* After its completion there is nothing to cancel. */
static void c62_a_write_that_is_cancelled_after_its_end(void **state)
{
	struct bed *b = open_for_write();
	struct write w = write_nbl(b, seen.nbl[0], ID);
	struct vnic_nbl *nbl;

	(void)state;
	bed_data(b);
	assert_int_equal(vnic_sender_poll(b->sender[0], &nbl, 1), 1);
	vnic_request_sent(nbl);
	assert_false(vnic_request_cancel(w.r));
	assert_int_equal(vnic_request_status(w.r), VNIC_STATUS_SUCCESS);
	assert_int_equal(nb_done, 1);
	assert_int_equal(b->adapter->pending, 0);
	vnic_request_release(w.r);
	give_back(nbl);
	close_write(b);
}

/* Cancelled, and its NBL completed, before the control thread has seen the cancel: an NBL of
 * the same id that comes later is not hit. */
static void c62_a_late_cancel_does_not_hit_the_next_write(void **state)
{
	struct bed *b = open_for_write();
	struct write w = write_nbl(b, seen.nbl[0], ID);
	struct vnic_nbl *nbl;
	uint32_t first;

	(void)state;
	bed_data(b);
	assert_true(vnic_request_cancel(w.r));
	assert_int_equal(vnic_sender_poll(b->sender[0], &nbl, 1), 1);
	vnic_request_sent(nbl);
	take_wire(b);
	assert_int_equal(vnic_request_status(w.r), VNIC_STATUS_SUCCESS);
	assert_int_equal(vnic_request_reuse(w.r), -EBUSY); /* its ticket is in use */
	vnic_request_release(w.r); /* and may be let go */
	give_back(nbl);
	bed_wire_room(b, 0);
	first = bed_send_id(b, ID, 5);
	bed_step(b, 5);
	assert_int_equal(bed_poll(b), 0);
	bed_settle(b);
	bed_expect(b, first, 5, VNIC_STATUS_SUCCESS);
	close_write(b);
}

static void c62_writes_that_are_refused(void **state)
{
	struct bed *b = open_for_write();
	struct write w = write_nbl(b, seen.nbl[0], 0);
	uint32_t first;

	(void)state;
	assert_int_equal(w.status, VNIC_STATUS_INVALID_PARAMETER); /* id 0 */
	assert_int_equal(vnic_request_status(w.r), VNIC_STATUS_INVALID_PARAMETER);
	assert_int_equal(nb_done, 1);
	vnic_request_release(w.r);
	bed_wire_room(b, 0);
	first = bed_send_id(b, OTHER, 64);
	w = write_nbl(b, seen.nbl[0], ID); /* the queue is full */
	assert_int_equal(w.status, VNIC_STATUS_RESOURCES);
	assert_int_equal(vnic_request_status(w.r), VNIC_STATUS_RESOURCES);
	assert_int_equal(nb_done, 1);
	vnic_request_release(w.r);
	bed_settle(b);
	bed_expect(b, first, 64, VNIC_STATUS_SUCCESS);
	assert_int_equal(bed_operate(b, VNIC_CONTROL_PAUSE, 0), VNIC_STATUS_SUCCESS);
	w = write_nbl(b, seen.nbl[0], ID); /* the gate is closed: taken, and complete */
	assert_int_equal(w.status, VNIC_STATUS_PENDING);
	assert_int_equal(sent(b, &w), VNIC_STATUS_PAUSED);
	close_write(b);
}

/* A stop, a pause and a reset take writes as they take any NBL. */
static void c62_a_write_that_a_stop_takes_is_cancelled(void **state)
{
	struct bed *b = open_for_write();
	struct write w;

	(void)state;
	bed_wire_room(b, 0);
	w = write_nbl(b, seen.nbl[0], ID);
	assert_int_equal(bed_operate(b, VNIC_CONTROL_STOP, 0),
			 VNIC_STATUS_REDIRECTOR_HAS_OPEN_HANDLES);
	assert_int_equal(sent(b, &w), VNIC_STATUS_CANCELLED);
	close_write(b);
}

/* The moments within vnic_request_send() that only another thread could meet: right before its
 * send, and right after it. */
uint16_t __real_vnic_send(struct vnic_sender *s, struct vnic_nbl *const *nbls, uint16_t n);
uint16_t __wrap_vnic_send(struct vnic_sender *s, struct vnic_nbl *const *nbls, uint16_t n);

static struct vnic_request *cancel_before_send, *cancel_after_send;

uint16_t __wrap_vnic_send(struct vnic_sender *s, struct vnic_nbl *const *nbls, uint16_t n)
{
	uint16_t taken;

	if (cancel_before_send != NULL)
		vnic_request_cancel(cancel_before_send);
	taken = __real_vnic_send(s, nbls, n);
	if (cancel_after_send != NULL)
		vnic_request_cancel(cancel_after_send);
	cancel_before_send = cancel_after_send = NULL;
	return taken;
}

/* No cancel is lost: the routine was not set yet, so the sender sees the bit. */
static void c62_a_write_that_is_cancelled_in_the_middle_of_its_send(void **state)
{
	(void)state;
	for (int after = 0; after < 2; after++) {
		struct bed *b = open_for_write();
		struct write w = {.r = vnic_request_create(b->control)};

		nb_done = 0;
		vnic_request_on_done(w.r, count_done, NULL);
		seen.nbl[0]->cancel_id = ID;
		*(after ? &cancel_after_send : &cancel_before_send) = w.r;
		assert_int_equal(vnic_request_send(b->sender[0], seen.nbl[0], w.r),
				 VNIC_STATUS_PENDING);
		assert_true(vnic_request_cancelled(w.r));
		bed_control(b); /* before the data thread gets to it */
		assert_int_equal(sent(b, &w), VNIC_STATUS_CANCELLED);
		close_write(b);
	}
}

#define WRITES 4000

static _Atomic(struct vnic_request *) write_to_cancel;
static _Atomic bool writes_end;

static void *cancel_writes(void *arg)
{
	uint32_t *called = arg;

	while (!atomic_load(&writes_end)) {
		struct vnic_request *r = atomic_exchange(&write_to_cancel, NULL);

		if (r == NULL) {
			sched_yield();
			continue;
		}
		*called += vnic_request_cancel(r);
		vnic_request_release(r);
	}
	return NULL;
}

/* At each point between issue and end, by another thread: each is completed once, CANCELLED if
 * and only if its NBL was aborted or never sent. */
static void c62_threads_cancel_writes(void **state)
{
	struct bed *b = open_for_write();
	uint32_t called = 0, cancelled = 0, aborted = 0, unsent = 0;
	struct vnic_nbl *nbl = seen.nbl[0];
	pthread_t thread;

	(void)state;
	atomic_store(&writes_end, false);
	assert_int_equal(pthread_create(&thread, NULL, cancel_writes, &called), 0);
	for (uint64_t i = 1; i <= WRITES; i++) {
		struct vnic_request *r = vnic_request_create(b->control);
		struct vnic_nbl *polled = NULL;
		uint32_t status;

		nb_done = 0;
		nbl->cancel_id = i;
		vnic_request_on_done(r, count_done, NULL);
		vnic__request_hold(r); /* the other thread's */
		atomic_store(&write_to_cancel, r);
		for (uint64_t k = 0; k < i % 5; k++)
			sched_yield();
		status = vnic_request_send(b->sender[0], nbl, r);
		if (status == VNIC_STATUS_PENDING) {
			for (uint64_t k = 0; k < i % 4; k++) {
				sched_yield();
				bed_control(b);
			}
			while (vnic_sender_poll(b->sender[0], &polled, 1) == 0)
				bed_step(b, 1);
			take_wire(b);
			aborted += nbl->status == VNIC_STATUS_SEND_ABORTED;
			vnic_request_sent(nbl);
			status = vnic_request_status(r);
			assert_int_equal(status, nbl->status == VNIC_STATUS_SEND_ABORTED ?
							 VNIC_STATUS_CANCELLED : nbl->status);
			if (nbl->status == VNIC_STATUS_SUCCESS) {
				struct rte_mbuf *m = rte_pktmbuf_alloc(b->mbufs);

				memset(rte_pktmbuf_append(m, BED_FRAME), 0, BED_FRAME);
				vnic_nbl_packets(nbl)[0] = m;
			}
		} else {
			unsent++;
			assert_int_equal(status, VNIC_STATUS_CANCELLED);
		}
		cancelled += status == VNIC_STATUS_CANCELLED;
		assert_int_equal(nb_done, 1);
		vnic_request_release(r);
		while (atomic_load(&write_to_cancel) != NULL)
			sched_yield();
	}
	atomic_store(&writes_end, true);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(cancelled, aborted + unsent);
	assert_true(aborted > 10);
	assert_true(called > 10); /* others were cancelled by their sender, who saw the bit */
	bed_step(b, 5);
	nbl->status = VNIC_STATUS_CANCELLED;
	give_back(nbl);
	close_write(b);
}

/* ---- C40 ---- */

static void c40_a_handle_is_closed_once(void **state)
{
	struct bed *b = bed_open(NULL);
	struct vnic_client *client = vnic_client_open(b->adapter), *another;

	(void)state;
	assert_int_equal(vnic_client_close(client), 0);
	assert_int_equal(vnic_client_close(client), -EBADF);
	another = vnic_client_open(b->adapter);
	assert_ptr_not_equal(another, client); /* its memory is not another's yet */
	assert_int_equal(vnic_client_close(client), -EBADF);
	assert_int_equal(vnic_client_close(another), 0);
	assert_int_equal(b->adapter->nb_clients, 1);
	bed_close(b);
}

static void c40_no_cancel_through_a_closed_handle(void **state)
{
	struct bed *b = bed_open(NULL);
	struct vnic_client *client = vnic_client_open(b->adapter);
	uint64_t id = (uint64_t)vnic_client_prefix(client) << VNIC_CANCEL_ID_PREFIX_SHIFT | 5;

	(void)state;
	bed_wire_room(b, 0);
	bed_send_id(b, id, 5);
	assert_int_equal(vnic_client_close(client), 0);
	assert_int_equal(vnic_client_cancel(client, id, b->ticket), -EBADF);
	assert_int_equal(vnic_client_cancel(client, ID, b->ticket), -EBADF); /* nor another's */
	bed_step(b, 5);
	assert_int_equal(bed_poll(b), 0);
	assert_int_equal(b->adapter->pending, 0);
	bed_settle(b);
	bed_expect(b, 0, 5, VNIC_STATUS_SUCCESS);
	bed_close(b);
}

static void c40_a_handle_is_not_closed_under_a_cancel(void **state)
{
	struct bed *b = bed_open(NULL);
	struct vnic_client *client = vnic_client_open(b->adapter);
	uint64_t id = (uint64_t)vnic_client_prefix(client) << VNIC_CANCEL_ID_PREFIX_SHIFT | 5;

	(void)state;
	bed_wire_room(b, 0);
	bed_send_id(b, id, 5);
	bed_data(b);
	assert_int_equal(vnic_client_cancel(client, id, b->ticket), 0);
	assert_int_equal(vnic_client_close(client), -EBUSY); /* posted */
	bed_control(b);
	assert_int_equal(vnic_client_close(client), -EBUSY); /* the data thread is to answer */
	assert_int_equal(vnic_client_cancel(client, id, b->ticket), -EBUSY);
	assert_int_equal(vnic_client_cancel(client, id ^ UINT64_MAX, b->ticket), -EACCES);
	bed_verdict(b, b->ticket);
	assert_int_equal(vnic_client_close(client), 0); /* no refusal has left a count */
	bed_poll(b);
	bed_expect(b, 0, 5, VNIC_STATUS_SEND_ABORTED);
	bed_close(b);
}

static void c40_a_stop_and_a_handle_under_a_cancel(void **state)
{
	struct bed *b = bed_open(NULL);
	uint64_t id = (uint64_t)vnic_client_prefix(b->client) << VNIC_CANCEL_ID_PREFIX_SHIFT | 5;

	(void)state;
	bed_wire_room(b, 0);
	bed_send_id(b, id, 5);
	bed_data(b);
	assert_int_equal(vnic_client_cancel(b->client, id, b->ticket), 0);
	assert_int_equal(bed_operate(b, VNIC_CONTROL_STOP, 0),
			 VNIC_STATUS_REDIRECTOR_HAS_OPEN_HANDLES);
	assert_int_equal(bed_verdict(b, b->ticket).aborted.nbls, 5);
	bed_poll(b);
	bed_expect(b, 0, 5, VNIC_STATUS_SEND_ABORTED);
	bed_close(b);
}

#define CLOSERS 3
#define HANDLES 300

static struct vnic_client *_Atomic handle;

struct closer {
	_Atomic int *running;
	uint64_t id;
	_Atomic uint32_t closed;
	uint32_t busy, wrong;
};

static void *close_handles(void *arg)
{
	struct closer *c = arg;
	struct vnic_client *last = NULL;

	while (atomic_load(c->running) != 0) {
		struct vnic_client *client = atomic_load(&handle);
		int rc;

		if (client == NULL || client == last) {
			sched_yield();
			continue;
		}
		rc = vnic_client_close(client);
		c->busy += rc == -EBUSY;
		c->wrong += rc != 0 && rc != -EBUSY;
		if (rc == 0) {
			last = client;
			c->closed++;
		}
	}
	return NULL;
}

/* One thread cancels through a handle while another closes it: the cancel is made with the
 * handle open, or it is refused. */
static void c40_threads_cancel_and_close(void **state)
{
	struct bed *b = bed_open(NULL);
	_Atomic int running = 1;
	struct closer c = {.running = &running};
	uint32_t made = 0, refused = 0;
	pthread_t thread;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, close_handles, &c), 0);
	for (int i = 0; i < HANDLES; i++) {
		struct vnic_client *client = vnic_client_open(b->adapter);
		uint64_t id = (uint64_t)vnic_client_prefix(client)
			      << VNIC_CANCEL_ID_PREFIX_SHIFT | 5;
		int rc;

		atomic_store(&handle, client);
		do {
			rc = vnic_client_cancel(client, id, b->ticket);
			if (rc == 0) {
				made++;
				bed_verdict(b, b->ticket);
				sched_yield();
			}
		} while (rc == 0);
		assert_int_equal(rc, -EBADF);
		refused++;
		/* the next is opened when the close has returned: setup calls are serialised */
		while (atomic_load(&c.closed) != refused)
			sched_yield();
		atomic_store(&handle, NULL);
		sched_yield();
	}
	atomic_store(&running, 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(c.wrong, 0);
	assert_int_equal(c.closed, HANDLES);
	assert_int_equal(refused, HANDLES);
	assert_int_equal(bed_stats(b).cancels, made);
	bed_close(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(c11_dispatch_hands_over_in_bounded_calls),
		cmocka_unit_test(c11_a_callback_may_do_it_all),
		cmocka_unit_test(c11_a_callback_that_always_sends_again_is_bounded),
		cmocka_unit_test(c11_no_lock_is_held_in_a_callback),
		cmocka_unit_test(c11_a_done_that_issues_the_next_operation),
		cmocka_unit_test(c40_a_handle_is_closed_once),
		cmocka_unit_test(c40_no_cancel_through_a_closed_handle),
		cmocka_unit_test(c40_a_handle_is_not_closed_under_a_cancel),
		cmocka_unit_test(c40_a_stop_and_a_handle_under_a_cancel),
		cmocka_unit_test(c40_threads_cancel_and_close),
		cmocka_unit_test(c62_a_write_that_is_sent),
		cmocka_unit_test(c62_a_write_that_is_cancelled_while_queued_and_while_staged),
		cmocka_unit_test(c62_a_write_that_is_cancelled_too_late),
		cmocka_unit_test(c62_a_write_that_is_cancelled_before_it_is_sent),
		cmocka_unit_test(c62_a_write_that_is_cancelled_after_its_end),
		cmocka_unit_test(c62_a_late_cancel_does_not_hit_the_next_write),
		cmocka_unit_test(c62_writes_that_are_refused),
		cmocka_unit_test(c62_a_write_that_a_stop_takes_is_cancelled),
		cmocka_unit_test(c62_a_write_that_is_cancelled_in_the_middle_of_its_send),
		cmocka_unit_test(c62_threads_cancel_writes),
	};

	return cmocka_run_group_tests_name("conformance callback", tests, test_eal_setup,
					   test_eal_teardown);
}
