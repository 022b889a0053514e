/* SPDX-License-Identifier: BSD-3-Clause
 * ledger_test.c - every NBL is accounted for, whatever happens meanwhile (C1, C35, C45, C69,
 * C75-C77)
 *
 * Senders, each in its thread, send stamped NBLs, cancel by id, close and open their handles;
 * operators pause, restart, reset, stop, start ... and cancel each other's requests; a reader
 * takes exact cuts; the data threads have the wires. In the end each sender's book is closed:
 *
 *   each NBL came back once, with one of the statuses of a send
 *   the packets on the wire are those that its completion says have left, each once, with
 *   their content, in the order of the sends
 *   the books together are the adapter's account
 *
 * usage: ledger_test [NBLS]; LEDGER_NBLS does the same.
 */
#include "ledger.h"

#include <inttypes.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "bed.h"

#define MEGABYTES 512

static uint32_t nb_nbls = RIG_NBLS;

/* ---- ledgers ---- */

static void c77_ledger_of_an_adapter(void **state)
{
	(void)state;
	ledger_end(ledger_begin("one adapter", RIG_ADAPTER, nb_nbls, false));
}

static void c77_ledger_of_a_layer(void **state)
{
	(void)state;
	ledger_end(ledger_begin("a layer over one adapter", RIG_ONE_TO_ONE, nb_nbls, false));
}

static void c77_ledger_of_a_layer_over_two(void **state)
{
	(void)state;
	ledger_end(ledger_begin("a layer over two adapters", RIG_ONE_TO_TWO, nb_nbls, false));
}

/* ---- one operation against the senders ---- */

/* A send is counted before the pause has ended, or it is not queued. */
static void c45_sends_race_with_pauses(void **state)
{
	struct ledger *l = ledger_begin("pauses", RIG_ADAPTER, nb_nbls / 10, true);
	struct rig_offer *offer = rig_offer_new(&l->rig);
	struct vnic_adapter_stats st;
	uint64_t seed = 5, pauses = 0;

	(void)state;
	for (; ledger_sending(l); pauses++) {
		if (rig_operate(&l->rig, l->rig.top, VNIC_CONTROL_PAUSE, 0, offer, false) !=
		    VNIC_STATUS_SUCCESS)
			rig_fail("a pause fails", pauses, 0);
		for (uint32_t i = rig_roll(&seed, 8); i != 0; i--) {
			vnic_adapter_stats_get(l->rig.top, &st);
			if (st.queued.nbls != 0)
				rig_fail("queued while it is paused", pauses, st.queued.nbls);
			sched_yield();
		}
		if (rig_operate(&l->rig, l->rig.top, VNIC_CONTROL_RESTART, 0, offer, false) !=
		    VNIC_STATUS_SUCCESS)
			rig_fail("a restart fails", pauses, 0);
		rig_nap(rig_roll(&seed, 200));
	}
	printf("  %" PRIu64 " pauses\n", pauses);
	ledger_end(l);
}

#define STOPPERS 4

struct stoppers {
	struct ledger *ledger;
	uint32_t rounds;
	pthread_barrier_t barrier;
	_Atomic uint32_t did, stopped, under_way, others, cancelled;
	_Atomic bool end;
};

static uint32_t stop_once(struct rig *rig)
{
	struct vnic_request *r = vnic_request_create(rig->control);
	bool post = false;
	uint32_t status = vnic_adapter_stop(rig->top, r, &post);

	if (status == VNIC_STATUS_PENDING && !post)
		rig_fail("a stop from another thread is not posted", 0, 0);
	while ((status = vnic_request_status(r)) == VNIC_STATUS_PENDING)
		sched_yield();
	vnic_request_release(r);
	return status;
}

static void note_stop(struct stoppers *st, uint32_t status)
{
	atomic_fetch_add(status == VNIC_STATUS_REDIRECTOR_HAS_OPEN_HANDLES ||
			 status == VNIC_STATUS_SUCCESS ? &st->did :
			 status == VNIC_STATUS_REDIRECTOR_STOPPED ? &st->stopped :
			 status == VNIC_STATUS_INVALID_STATE ? &st->under_way : &st->others, 1);
}

static void *canceller(void *arg)
{
	struct stoppers *st = arg;
	uint32_t place = rig_enter_thread(&st->ledger->rig, false);
	uint64_t seed = 12;

	while (!atomic_load(&st->end)) {
		atomic_fetch_add(&st->cancelled, rig_cancel_offered(&st->ledger->rig, NULL, &seed, 8));
		sched_yield();
	}
	rig_leave_thread(&st->ledger->rig, place, false);
	return NULL;
}

/* All stop at once, each after an operation of its own; when all stops have ended nothing is
 * let in; then one starts it again. */
static void *stopper(void *arg)
{
	static const enum vnic_control_code codes[] = {
		VNIC_CONTROL_PAUSE, VNIC_CONTROL_DRAIN, VNIC_CONTROL_RESET, VNIC_CONTROL_WAIT_LINK};
	struct stoppers *st = arg;
	struct rig *rig = &st->ledger->rig;
	struct rig_offer *offer = rig_offer_new(rig), none = {0};
	uint32_t place = rig_enter_thread(rig, false);
	uint64_t seed = 99 + (uintptr_t)offer;

	for (uint32_t i = 0; i < st->rounds; i++) {
		struct vnic_request *r = vnic_request_create(rig->control);

		pthread_barrier_wait(&st->barrier);
		rig_offer_put(offer, r);
		vnic_adapter_request(rig->top, codes[rig_roll(&seed, 4)], 0, r);
		for (uint32_t k = rig_roll(&seed, 30); k != 0; k--)
			sched_yield();
		note_stop(st, stop_once(rig));
		pthread_barrier_wait(&st->barrier);
		/* what had been let in has run to completion [C69] */
		if (vnic_request_status(r) == VNIC_STATUS_PENDING)
			rig_fail("an operation is pending after a stop", vnic_request_control_code(r), i);
		rig_offer_get_back(offer);
		vnic_request_release(r);
		if (rig_operate(rig, rig->top, codes[rig_roll(&seed, 4)], 0, &none, false) !=
		    VNIC_STATUS_REDIRECTOR_NOT_STARTED)
			rig_fail("an operation is let in after a stop", i, 0);
		if (pthread_barrier_wait(&st->barrier) != PTHREAD_BARRIER_SERIAL_THREAD)
			continue;
		if (rig_operate(rig, rig->top, VNIC_CONTROL_START, 1, &none, false) != VNIC_STATUS_SUCCESS)
			rig_fail("a start fails", i, 0);
	}
	rig_leave_thread(rig, place, false);
	return NULL;
}

static void c75_many_stops_at_once(void **state)
{
	struct stoppers st = {.ledger = ledger_begin("stops", RIG_ADAPTER, nb_nbls / 10, true),
			      .rounds = 20 + nb_nbls / 20000};
	struct vnic_start_stop_context context;
	pthread_t thread[STOPPERS], cancels;

	(void)state;
	assert_int_equal(pthread_create(&cancels, NULL, canceller, &st), 0);
	pthread_barrier_init(&st.barrier, NULL, STOPPERS);
	for (int i = 0; i < STOPPERS; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, stopper, &st), 0);
	for (int i = 0; i < STOPPERS; i++)
		pthread_join(thread[i], NULL);
	pthread_barrier_destroy(&st.barrier);
	atomic_store(&st.end, true);
	pthread_join(cancels, NULL);
	vnic_adapter_start_stop(st.ledger->rig.top, &context);
	printf("  %u rounds: %u stopped it, %u found it stopped, %u a stop under way; %u cancelled\n",
	       st.rounds, st.did, st.stopped, st.under_way, st.cancelled);
	if (st.did != st.rounds || st.others != 0)
		rig_fail("a round's stops: how many did, other statuses", st.did, st.others);
	if (context.version != 1 + st.rounds || st.ledger->rig.nic[0].stops != st.rounds)
		rig_fail("starts, calls of the driver's stop", context.version,
			 st.ledger->rig.nic[0].stops);
	ledger_end(st.ledger);
}

/* ---- handles on two adapters, opened by two threads ---- */

#define OPENED 8
#define OPENINGS 2000

struct opener {
	struct vnic_adapter *adapter;
	struct vnic_client *client[OPENED];
	int error;
};

static void *open_and_close(void *arg)
{
	struct opener *o = arg;

	for (int i = 0; i < OPENINGS; i++) {
		struct vnic_client **client = &o->client[i % OPENED];

		o->error |= vnic_client_close(*client);
		*client = vnic_client_open(o->adapter);
		o->error |= *client == NULL;
	}
	return NULL;
}

static void c35_two_threads_open_clients_of_two_adapters(void **state)
{
	struct bed *b = bed_open(NULL), *beside = bed_open(&(struct bed_conf){.beside = b});
	struct opener o[2] = {{.adapter = b->adapter}, {.adapter = beside->adapter}};
	bool seen[256] = {false};
	pthread_t thread[2];

	(void)state;
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, open_and_close, &o[i]), 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(pthread_join(thread[i], NULL), 0);
		assert_int_equal(o[i].error, 0);
	}
	for (int i = 0; i < 2 * OPENED; i++) {
		uint8_t prefix = vnic_client_prefix(o[i / OPENED].client[i % OPENED]);

		assert_false(seen[prefix]);
		seen[prefix] = true;
		assert_int_equal(vnic_client_close(o[i / OPENED].client[i % OPENED]), 0);
	}
	bed_close(beside);
	bed_close(b);
}

static int setup(void **state)
{
	(void)state;
	return test_eal_start(MEGABYTES);
}

int main(int argc, char **argv)
{
	const char *number = argc > 1 ? argv[1] : getenv("LEDGER_NBLS");
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(c77_ledger_of_an_adapter),
		cmocka_unit_test(c77_ledger_of_a_layer),
		cmocka_unit_test(c77_ledger_of_a_layer_over_two),
		cmocka_unit_test(c45_sends_race_with_pauses),
		cmocka_unit_test(c75_many_stops_at_once),
		cmocka_unit_test(c35_two_threads_open_clients_of_two_adapters),
	};

	if (number != NULL)
		nb_nbls = (uint32_t)strtoul(number, NULL, 0);
	return cmocka_run_group_tests(tests, setup, test_eal_teardown);
}
