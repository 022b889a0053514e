/* SPDX-License-Identifier: BSD-3-Clause
 * ledger_rig.c - adapters over wires, and the threads that run, read and interrupt them
 */
#include "ledger_rig.h"

#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include <rte_dev.h>
#include <rte_errno.h>
#include <rte_eth_ring.h>
#include <rte_ethdev.h>
#include <rte_lcore.h>

#define WIRE_SIZE 128
#define WIRE_BURST 32

/* ---- any thread ---- */

static _Atomic uint32_t failures;

void rig_fail(const char *what, uint64_t a, uint64_t b)
{
	if (atomic_fetch_add(&failures, 1) < 8)
		fprintf(stderr, "ledger: %s: %" PRIu64 " %" PRIu64 "\n", what, a, b);
}

uint32_t rig_failures(void)
{
	return atomic_exchange(&failures, 0);
}

uint64_t rig_random(uint64_t *seed)
{
	uint64_t x = *seed;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	*seed = x;
	return x * UINT64_C(0x2545f4914f6cdd1d) >> 16;
}

uint32_t rig_roll(uint64_t *seed, uint32_t below)
{
	return (uint32_t)(rig_random(seed) % below);
}

double rig_now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

void rig_nap(uint32_t us)
{
	const struct timespec t = {.tv_nsec = (long)us * 1000};

	nanosleep(&t, NULL);
}

/* ---- interrupts ---- */

uint32_t rig_enter_thread(struct rig *rig, bool caches)
{
	uint32_t place = 0;

	if (caches && rte_thread_register() != 0)
		rig_fail("a thread without an lcore id", (uint64_t)rte_errno, 0);
	pthread_mutex_lock(&rig->threads);
	while (place < RIG_THREADS - 1 && rig->runs[place])
		place++;
	rig->thread[place] = pthread_self();
	rig->runs[place] = true;
	pthread_mutex_unlock(&rig->threads);
	return place;
}

void rig_leave_thread(struct rig *rig, uint32_t place, bool caches)
{
	pthread_mutex_lock(&rig->threads);
	rig->runs[place] = false;
	pthread_mutex_unlock(&rig->threads);
	if (caches)
		rte_thread_unregister();
}

/* Longer than the others need to do a thing or two. */
static void on_interrupt(int signal)
{
	int error = errno;

	(void)signal;
	rig_nap(150);
	errno = error;
}

/* On few CPUs a thread is hardly ever interrupted between two instructions that matter. This
 * makes it happen, in the middle of the library too. */
static void *interrupter_loop(void *arg)
{
	struct rig *rig = arg;
	uint64_t seed = 31;

	while (!atomic_load(&rig->end_interrupter)) {
		uint32_t place = rig_roll(&seed, RIG_THREADS);

		pthread_mutex_lock(&rig->threads);
		if (rig->runs[place]) {
			pthread_kill(rig->thread[place], SIGUSR1);
			rig->interrupts++;
		}
		pthread_mutex_unlock(&rig->threads);
		rig_nap(20 + rig_roll(&seed, 50));
	}
	return NULL;
}

/* ---- the sides ---- */

/* The far end: mostly it takes all, at times nothing for a while, so that NBLs queue up. */
static uint32_t take_wire(struct rig *rig, uint32_t w)
{
	struct rte_mbuf *m[WIRE_BURST];
	uint32_t n;

	if (rig->jam[w] != 0) {
		rig->jam[w]--;
		return 0;
	}
	if (rig_roll(&rig->wire_seed, 64) == 0)
		rig->jam[w] = rig_roll(&rig->wire_seed, 200);
	n = rte_ring_sc_dequeue_burst(rig->wire[w], (void **)m, 1 + rig_roll(&rig->wire_seed, WIRE_BURST),
				      NULL);
	for (uint32_t i = 0; i < n; i++) {
		rig->frame(rig->context, w, m[i]);
		BUFFER_GIVEN(m[i]);
	}
	rte_pktmbuf_free_bulk(m, n);
	return n;
}

static void *data_loop(void *arg)
{
	struct rig *rig = arg;
	uint32_t place = rig_enter_thread(rig, true);

	while (!atomic_load_explicit(&rig->end, memory_order_relaxed)) {
		uint32_t work = 0;

		for (uint32_t w = 0; w < rig->nb_wires; w++) {
			work += vnic_adapter_poll(rig->nic[w].adapter);
			work += take_wire(rig, w);
		}
		if (work == 0)
			sched_yield();
	}
	rig_leave_thread(rig, place, true);
	return NULL;
}

static void *top_loop(void *arg)
{
	struct rig *rig = arg;
	uint32_t place = rig_enter_thread(rig, true);

	while (!atomic_load_explicit(&rig->end, memory_order_relaxed))
		if (vnic_adapter_poll(rig->top) == 0)
			sched_yield();
	rig_leave_thread(rig, place, true);
	return NULL;
}

static void *control_loop(void *arg)
{
	struct rig *rig = arg;
	uint32_t place = rig_enter_thread(rig, false);

	atomic_store(&rig->here, (uintptr_t)pthread_self());
	while (!atomic_load_explicit(&rig->end, memory_order_relaxed))
		if (vnic_control_poll(rig->control) == 0)
			sched_yield();
	atomic_store(&rig->here, 0);
	rig_leave_thread(rig, place, false);
	return NULL;
}

static bool grown(const struct vnic_count *now, const struct vnic_count *before)
{
	return now->nbls >= before->nbls && now->packets >= before->packets;
}

/* One cut: exact, and nothing but the queue shrinks. */
static void check_cut(const struct vnic_adapter_stats *st, const struct vnic_adapter_stats *old)
{
	uint64_t nbls = st->sent.nbls + st->aborted.nbls + st->rejected.nbls + st->queued.nbls;
	uint64_t packets = st->sent.packets + st->aborted.packets + st->rejected.packets +
			   st->queued.packets;

	if (st->accepted.nbls != nbls)
		rig_fail("a cut is not exact: NBLs accepted, accounted for", st->accepted.nbls, nbls);
	if (st->accepted.packets != packets)
		rig_fail("a cut is not exact: packets accepted, accounted for", st->accepted.packets,
			 packets);
	if (!grown(&st->accepted, &old->accepted) || !grown(&st->sent, &old->sent) ||
	    !grown(&st->aborted, &old->aborted) || !grown(&st->rejected, &old->rejected))
		rig_fail("a count shrinks", st->accepted.nbls, old->accepted.nbls);
}

static void *reader_loop(void *arg)
{
	struct rig *rig = arg;
	struct vnic_adapter_stats now, old[3] = {0};

	while (!atomic_load_explicit(&rig->end_reader, memory_order_relaxed)) {
		for (uint32_t i = 0; i < rig->nb_nics; i++, rig->cuts++) {
			vnic_adapter_stats_get(rig->nic[i].adapter, &now);
			check_cut(&now, &old[i]);
			old[i] = now;
		}
		sched_yield();
	}
	return NULL;
}

/* ---- up and down ---- */

static void open_wire(struct rig *rig, uint32_t w)
{
	static unsigned int made;
	struct rte_eth_conf eth;
	char name[16];
	int port;

	memset(&eth, 0, sizeof(eth));
	snprintf(name, sizeof(name), "ledger%u", made++);
	rig->wire[w] = rte_ring_create(name, WIRE_SIZE, SOCKET_ID_ANY,
				       RING_F_SP_ENQ | RING_F_SC_DEQ | RING_F_EXACT_SZ);
	assert_non_null(rig->wire[w]);
	/* the driver wants an rx ring; none is set up, so that it is never polled */
	port = rte_eth_from_rings(name, &rig->wire[w], 1, &rig->wire[w], 1, 0);
	assert_true(port >= 0);
	rig->port[w] = (uint16_t)port;
	assert_int_equal(rte_eth_dev_configure(rig->port[w], 0, 1, &eth), 0);
	assert_int_equal(rte_eth_tx_queue_setup(rig->port[w], 0, 0, SOCKET_ID_ANY, NULL), 0);
	assert_int_equal(rte_eth_dev_start(rig->port[w]), 0);
}

static void open_nic(struct rig *rig, struct vnic_adapter_conf *conf)
{
	struct rig_nic *nic = &rig->nic[rig->nb_nics];
	char name[16];

	snprintf(name, sizeof(name), "nic%u", rig->nb_nics);
	nic->rig = rig;
	atomic_init(&nic->link, true);
	conf->name = name;
	conf->numa_node = -1;
	conf->driver = &rig_driver;
	conf->driver_context = nic;
	nic->adapter = vnic_adapter_create(rig->control, conf);
	assert_non_null(nic->adapter);
	rig->top = nic->adapter;
	rig->nb_nics++;
	assert_int_equal(vnic_adapter_up(nic->adapter), VNIC_STATUS_SUCCESS);
}

void rig_open(struct rig *rig, enum rig_shape shape)
{
	struct vnic_adapter *lower[RIG_WIRES];
	struct vnic_adapter_conf layer = {.lower = lower};

	rig->shape = shape;
	rig->nb_wires = shape == RIG_ONE_TO_TWO ? 2 : 1;
	rig->wire_seed = 77;
	pthread_mutex_init(&rig->threads, NULL);
	rig->control = vnic_control_create(-1);
	assert_non_null(rig->control);
	for (uint32_t w = 0; w < rig->nb_wires; w++) {
		struct vnic_adapter_conf conf = {0};

		open_wire(rig, w);
		conf.port = rig->port[w];
		open_nic(rig, &conf);
		lower[w] = rig->top;
	}
	layer.nb_lower = rig->nb_wires;
	if (shape != RIG_ADAPTER)
		open_nic(rig, &layer);
}

static void start_thread(pthread_t *thread, void *(*loop)(void *), void *arg)
{
	assert_int_equal(pthread_create(thread, NULL, loop, arg), 0);
}

void rig_start(struct rig *rig)
{
	signal(SIGUSR1, on_interrupt);
	rig->nb_data = rig->shape == RIG_ADAPTER ? 1 : 2;
	start_thread(&rig->data[0], data_loop, rig);
	if (rig->nb_data == 2)
		start_thread(&rig->data[1], top_loop, rig);
	start_thread(&rig->control_thread, control_loop, rig);
	start_thread(&rig->reader, reader_loop, rig);
	start_thread(&rig->interrupter, interrupter_loop, rig);
}

void rig_stop(struct rig *rig)
{
	atomic_store(&rig->end_interrupter, true);
	pthread_join(rig->interrupter, NULL);
	atomic_store(&rig->end_reader, true);
	pthread_join(rig->reader, NULL);
	atomic_store(&rig->end, true);
	for (uint32_t i = 0; i < rig->nb_data; i++)
		pthread_join(rig->data[i], NULL);
	pthread_join(rig->control_thread, NULL);
	for (uint32_t w = 0; w < rig->nb_wires; w++)
		while (rig->jam[w] = 0, take_wire(rig, w) != 0)
			;
}

void rig_close(struct rig *rig)
{
	for (uint32_t i = rig->nb_nics; i-- != 0;)
		assert_int_equal(vnic_adapter_destroy(rig->nic[i].adapter), 0);
	assert_int_equal(vnic_control_destroy(rig->control), 0);
	pthread_mutex_destroy(&rig->threads);
	for (uint32_t w = 0; w < rig->nb_wires; w++) {
		struct rte_eth_dev_info info;

		assert_int_equal(rte_eth_dev_info_get(rig->port[w], &info), 0);
		assert_int_equal(rte_eth_dev_stop(rig->port[w]), 0);
		assert_int_equal(rte_eth_dev_close(rig->port[w]), 0);
		assert_int_equal(rte_dev_remove(info.device), 0);
		rte_ring_free(rig->wire[w]);
	}
}
