/* SPDX-License-Identifier: BSD-3-Clause
 * serial_test.c - every frame carries a serial number; the wire and the completions agree
 *
 * A sender, a data thread, a control thread, a canceller and the wire run side by side on
 * a real adapter over a net_ring port, whose far end the test reads. At the end
 *
 *      frames on the wire           = packets completed SUCCESS
 *      frames on the wire           and packets completed SEND_ABORTED share none
 *      the two together             = packets accepted
 *
 * and the frames of the one sender left in the order of their sends. usage: serial-test
 * MODE [N], MODE: single, many, stalled-port, stopped-control; N packets (default by mode).
 */
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_eth_ring.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include "adapter.h" /* to see a walk under way: the one look behind vnic.h */
#include "vnic.h"

#define DEPTH 4096u
#define DEPTH_STOP 65536u /* a walk of it lasts long enough to be met by a signal */
#define BUFFER_BYTES (RTE_PKTMBUF_HEADROOM + 128)
#define WIRE_SIZE 256u
#define IDS 97u /* distinct ids; id of a serial: serial / 3 % IDS + 1 */
#define SERIAL_AT 14
#define FRAME_BYTES 64u
#define STOP_S 1

enum seen { NOT_YET, SUCCESS, ABORTED };

struct test {
	const char *mode;
	uint32_t nbl_packets;
	uint32_t depth;
	uint32_t nb; /* serials 0..nb-1 */
	uint8_t *on_wire;
	uint8_t *completed;
	struct rte_ring *wire;
	struct rte_mempool *mbufs;
	struct vnic_nbl_pool *nbls;
	struct vnic_control *control;
	struct vnic_adapter *adapter;
	struct vnic_client *client;
	struct vnic_sender *sender;
	cpu_set_t cpus;
	uint32_t next; /* the next serial to send */
	_Atomic uint32_t nb_wire, nb_success, nb_aborted;
	_Atomic uint64_t cancels;
	_Atomic bool wire_stalls;
	_Atomic bool all_sent;
	_Atomic bool end_cancels; /* first: the others are needed to finish the last one */
	_Atomic bool end;
	_Atomic uint32_t failures;
};

static struct test test;

static void fail(const char *what, uint64_t a, uint64_t b)
{
	if (atomic_fetch_add(&test.failures, 1) < 5)
		fprintf(stderr, "serial-test %s: %s: %" PRIu64 " %" PRIu64 "\n", test.mode, what, a, b);
}

static double now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* The packets' free list and the port are code that the thread sanitizer does not see. */
#if defined(__SANITIZE_THREAD__)
#define HAS_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define HAS_TSAN 1
#endif
#endif
#ifdef HAS_TSAN
void __tsan_acquire(void *);
void __tsan_release(void *);
#define BUFFERS_TAKEN() __tsan_acquire(&test)
#define BUFFERS_GIVEN() __tsan_release(&test)
#define FRAMES_SENT() __tsan_release(&test.wire)
#define FRAMES_SEEN() __tsan_acquire(&test.wire)
#else
#define BUFFERS_TAKEN() ((void)0)
#define BUFFERS_GIVEN() ((void)0)
#define FRAMES_SENT() ((void)0)
#define FRAMES_SEEN() ((void)0)
#endif

#if defined(HAS_TSAN) || defined(__SANITIZE_ADDRESS__)
#define PACKETS 40000
#define PACE 20000 /* slower than the sender, so that there is a queue to cancel in */
#else
#define PACKETS 400000
#define PACE 150000
#endif

/* ---- the wire ---- */

static void *wire_thread(void *arg)
{
	struct rte_mbuf *m[32];
	int64_t last = -1;

	(void)arg;
	while (!atomic_load(&test.end)) {
		unsigned int n = 0;

		if (!atomic_load(&test.wire_stalls))
			n = rte_ring_sc_dequeue_burst(test.wire, (void **)m, 32, NULL);
		if (n != 0)
			FRAMES_SEEN();
		for (unsigned int i = 0; i < n; i++) {
			uint32_t serial;

			memcpy(&serial, rte_pktmbuf_mtod_offset(m[i], char *, SERIAL_AT), sizeof(serial));
			if (serial >= test.nb || test.on_wire[serial]++ != 0)
				fail("a frame twice or damaged", serial, m[i]->pkt_len);
			if ((int64_t)serial <= last)
				fail("out of order", serial, (uint64_t)last);
			last = serial;
		}
		if (n == 0) {
			sched_yield();
			continue;
		}
		BUFFERS_GIVEN();
		rte_pktmbuf_free_bulk(m, n);
		atomic_fetch_add(&test.nb_wire, n);
	}
	return NULL;
}

/* ---- the sender ---- */

static uint64_t id_of(uint32_t serial)
{
	return (uint64_t)vnic_client_prefix(test.client) << VNIC_CANCEL_ID_PREFIX_SHIFT |
	       (serial / 3 % IDS + 1);
}

static void take_completions(void)
{
	struct vnic_nbl *nbl[64];
	uint16_t n = vnic_sender_poll(test.sender, nbl, 64);

	for (uint16_t i = 0; i < n; i++) {
		bool success = nbl[i]->status == VNIC_STATUS_SUCCESS;

		if (!success && nbl[i]->status != VNIC_STATUS_SEND_ABORTED)
			fail(vnic_status_name(nbl[i]->status), nbl[i]->cookie, nbl[i]->status);
		for (uint32_t k = 0; k < nbl[i]->nb_packets; k++)
			if (test.completed[nbl[i]->cookie + k] != NOT_YET)
				fail("completed twice", nbl[i]->cookie + k, nbl[i]->status);
			else
				test.completed[nbl[i]->cookie + k] = success ? SUCCESS : ABORTED;
		atomic_fetch_add(success ? &test.nb_success : &test.nb_aborted, nbl[i]->nb_packets);
		BUFFERS_GIVEN();
		if (!success)
			rte_pktmbuf_free_bulk(vnic_nbl_packets(nbl[i]), nbl[i]->nb_packets);
	}
	if (n != 0)
		vnic_nbl_free(test.nbls, nbl, n);
}

static bool fill_nbl(struct vnic_nbl *nbl, uint32_t nb_packets)
{
	struct rte_mbuf **packet = vnic_nbl_packets(nbl);

	if (rte_pktmbuf_alloc_bulk(test.mbufs, packet, nb_packets) != 0)
		return false;
	BUFFERS_TAKEN();
	for (uint32_t k = 0; k < nb_packets; k++) {
		uint32_t serial = test.next + k;
		char *frame = rte_pktmbuf_append(packet[k], FRAME_BYTES);

		memset(frame, 0, FRAME_BYTES);
		memcpy(frame + SERIAL_AT, &serial, sizeof(serial));
	}
	nbl->nb_packets = (uint16_t)nb_packets;
	nbl->cookie = test.next;
	nbl->cancel_id = id_of(test.next);
	return true;
}

static void *sender_thread(void *arg)
{
	uint32_t random = 12345;

	(void)arg;
	while (test.next < test.nb) {
		uint32_t n = 1 + (random = random * 1664525u + 1013904223u) / 65536u % test.nbl_packets;
		struct vnic_nbl *nbl;

		take_completions();
		n = n > test.nb - test.next ? test.nb - test.next : n;
		if (vnic_sender_room(test.sender, 1) == 0 || vnic_nbl_alloc(test.nbls, &nbl, 1) != 0) {
			sched_yield();
			continue;
		}
		if (!fill_nbl(nbl, n)) {
			vnic_nbl_free(test.nbls, &nbl, 1);
			sched_yield();
			continue;
		}
		FRAMES_SENT();
		if (vnic_send(test.sender, &nbl, 1) != 1)
			fail("not taken though there was room", test.next, 0);
		test.next += n;
	}
	atomic_store(&test.all_sent, true);
	while (!atomic_load(&test.end)) {
		take_completions();
		sched_yield();
	}
	return NULL;
}

/* ---- data, control, cancels ---- */

static void *data_thread(void *arg)
{
	(void)arg;
	while (!atomic_load(&test.end))
		if (vnic_adapter_poll(test.adapter) == 0)
			sched_yield();
	return NULL;
}

static void *control_thread(void *arg)
{
	(void)arg;
	while (!atomic_load(&test.end))
		if (vnic_control_poll(test.control) == 0)
			sched_yield();
	return NULL;
}

static void cancel_and_wait(struct vnic_ticket *t, uint64_t id, struct vnic_verdict *v)
{
	const struct timespec nap = {.tv_nsec = 20000};

	if (vnic_client_cancel(test.client, id, t) != 0)
		fail("cancel refused", id, 0);
	while (vnic_ticket_verdict(t, v) != 0)
		nanosleep(&nap, NULL);
}

static void *cancel_thread(void *arg)
{
	const struct timespec nap = {.tv_nsec = 300000};
	struct vnic_ticket *t = vnic_ticket_create(-1);
	struct vnic_verdict v;
	uint32_t random = 777;

	(void)arg;
	while (!atomic_load(&test.end_cancels)) {
		struct vnic_adapter_stats s;

		random = random * 1664525u + 1013904223u;
		cancel_and_wait(t, id_of(random / 256 % test.nb), &v);
		atomic_fetch_add(&test.cancels, 1);
		vnic_adapter_stats_get(test.adapter, &s);
		if (s.accepted.nbls != s.sent.nbls + s.aborted.nbls + s.rejected.nbls + s.queued.nbls)
			fail("the account of NBLs", s.accepted.nbls, s.queued.nbls);
		if (s.accepted.packets !=
		    s.sent.packets + s.aborted.packets + s.rejected.packets + s.queued.packets)
			fail("the account of packets", s.accepted.packets, s.queued.packets);
		nanosleep(&nap, NULL);
	}
	if (vnic_ticket_destroy(t) != 0)
		fail("a ticket was left pending", 0, 0);
	return NULL;
}

/* ---- modes ---- */

/* The port takes nothing for a second; what is cancelled meanwhile comes back at once. */
static void stall_port(void)
{
	struct vnic_ticket *t = vnic_ticket_create(-1);
	struct vnic_histogram h;
	struct vnic_verdict v;
	struct vnic_adapter_stats s;
	double start;
	uint64_t aborted = 0, sent;

	memset(&h, 0, sizeof(h));
	atomic_store(&test.wire_stalls, true);
	usleep(50000); /* until the port's ring is full and the queue too */
	vnic_adapter_stats_get(test.adapter, &s);
	sent = s.sent.packets;
	start = now_s();
	for (uint32_t i = 0; now_s() - start < STOP_S; i++) {
		if (i >= IDS) {
			usleep(1000);
			continue;
		}
		cancel_and_wait(t, id_of(i * 3), &v);
		if (v.aborted.nbls != 0)
			vnic_histogram_add(&h, v.latency_ns);
		aborted += v.aborted.nbls;
		if (v.too_late != 0)
			fail("too late though the port takes nothing", id_of(i * 3), v.too_late);
	}
	vnic_adapter_stats_get(test.adapter, &s);
	if (s.sent.packets != sent)
		fail("the stalled port took packets", sent, s.sent.packets);
	if (aborted == 0)
		fail("nothing was aborted", 0, 0);
	printf("stalled port: %" PRIu64 " NBLs aborted by %" PRIu64 " cancels, call to last completion "
	       "p50 %.1f us, p99 %.1f us, max %.1f us (goal: 10 ms)\n", aborted, h.count,
	       (double)vnic_histogram_percentile(&h, 50) / 1e3,
	       (double)vnic_histogram_percentile(&h, 99) / 1e3, (double)h.max / 1e3);
	if (vnic_histogram_percentile(&h, 90) > 10000000)
		fail("aborted, but not within 10 ms", vnic_histogram_percentile(&h, 90), 0);
	vnic_ticket_destroy(t);
	atomic_store(&test.wire_stalls, false);
}

static _Atomic int stopped_in_walk = -1;

/* The control thread stops wherever it is, as a descheduled one does. */
static void stop_here(int number)
{
	const struct timespec t = {.tv_sec = STOP_S};

	(void)number;
	atomic_store(&stopped_in_walk,
		     (int)(atomic_load_explicit(&test.sender->ring->cancels, memory_order_relaxed) & 1));
	nanosleep(&t, NULL);
}

static void pin(pthread_t thread, unsigned int nth)
{
	cpu_set_t one;

	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &test.cpus) && nth-- == 0) {
			CPU_ZERO(&one);
			CPU_SET(cpu, &one);
			pthread_setaffinity_np(thread, sizeof(one), &one);
		}
}

/* Abort-everything walks until the signal meets the control thread in one. */
static void stop_control(pthread_t control)
{
	struct vnic_ticket *t = vnic_ticket_create(-1);
	struct sigaction act = {.sa_handler = stop_here};
	struct vnic_adapter_stats s;
	uint64_t during = 0;
	int tries = 0;

	sigaction(SIGUSR1, &act, NULL);
	pin(control, 1); /* the walk and who watches for it, side by side */
	pin(pthread_self(), 0);
	do {
		uint64_t before;

		atomic_store(&stopped_in_walk, -1);
		do { /* a full queue, for a long walk */
			usleep(1000);
			vnic_adapter_stats_get(test.adapter, &s);
		} while (s.queued.nbls < test.depth * 3 / 4 && !atomic_load(&test.all_sent));
		vnic_adapter_abort(test.adapter, t);
		while ((atomic_load_explicit(&test.sender->ring->cancels, memory_order_relaxed) & 1) == 0 &&
		       vnic_ticket_verdict(t, &(struct vnic_verdict){0}) != 0)
			;
		pthread_kill(control, SIGUSR1);
		while (atomic_load(&stopped_in_walk) < 0)
			;
		vnic_adapter_stats_get(test.adapter, &s);
		before = s.sent.packets;
		usleep(STOP_S * 900000);
		vnic_adapter_stats_get(test.adapter, &s);
		during = s.sent.packets - before;
		usleep(STOP_S * 200000);
		while (vnic_ticket_verdict(t, &(struct vnic_verdict){0}) != 0)
			usleep(1000);
	} while (atomic_load(&stopped_in_walk) != 1 && ++tries < 10 && !atomic_load(&test.all_sent));
	printf("stopped control: in mid-walk after %d tries; sent while it stood still: %" PRIu64 "\n",
	       tries, during);
	if (atomic_load(&stopped_in_walk) != 1)
		fail("never met the control thread in a walk", (uint64_t)tries, 0);
	if (during == 0)
		fail("the data thread waited for the control thread", 0, 0);
	vnic_ticket_destroy(t);
}

/* ---- set-up and account ---- */

static void *must(void *p, const char *what)
{
	if (p == NULL) {
		fprintf(stderr, "serial-test: %s: %s\n", what, rte_strerror(rte_errno));
		exit(1);
	}
	return p;
}

static void set_up(uint64_t packets_per_s)
{
	struct rte_eth_conf eth;
	struct vnic_adapter_conf conf = {.name = "serial", .numa_node = -1,
					 .pacing = {.packets_per_s = packets_per_s}};
	int port;

	memset(&eth, 0, sizeof(eth));
	test.on_wire = must(calloc(test.nb, 1), "memory");
	test.completed = must(calloc(test.nb, 1), "memory");
	test.mbufs = must(rte_pktmbuf_pool_create("mbufs", 131071, 0, 0, BUFFER_BYTES, 0), "mbufs");
	test.wire = must(rte_ring_create("wire", WIRE_SIZE, 0, RING_F_SP_ENQ | RING_F_SC_DEQ), "wire");
	port = rte_eth_from_ring(test.wire);
	if (port < 0 || rte_eth_dev_configure((uint16_t)port, 1, 1, &eth) != 0 ||
	    rte_eth_rx_queue_setup((uint16_t)port, 0, 64, 0, NULL, test.mbufs) != 0 ||
	    rte_eth_tx_queue_setup((uint16_t)port, 0, 64, 0, NULL) != 0 ||
	    rte_eth_dev_start((uint16_t)port) != 0)
		must(NULL, "port");
	conf.port = (uint16_t)port;
	test.nbls = must(vnic_nbl_pool_create("serial", test.depth + 1024, (uint16_t)test.nbl_packets, 0), "NBLs");
	test.control = must(vnic_control_create(0), "control");
	test.adapter = must(vnic_adapter_create(test.control, &conf), "adapter");
	if (vnic_adapter_up(test.adapter) != VNIC_STATUS_SUCCESS)
		must(NULL, "adapter's start");
	test.client = must(vnic_client_open(test.adapter), "client");
	test.sender = must(vnic_sender_create(test.client, test.nbls, test.depth), "sender");
}

static void check_sets(void)
{
	struct vnic_adapter_stats s;
	uint32_t wire = 0, success = 0, aborted = 0;

	for (uint32_t i = 0; i < test.nb; i++) {
		wire += test.on_wire[i];
		success += test.completed[i] == SUCCESS;
		aborted += test.completed[i] == ABORTED;
		if ((test.on_wire[i] != 0) != (test.completed[i] == SUCCESS))
			fail("the wire and the completion disagree on a serial", i, test.completed[i]);
	}
	vnic_adapter_stats_get(test.adapter, &s);
	printf("%s: accepted %u = wire %u + aborted %u; %" PRIu64 " cancels; too late %" PRIu64
	       "; refused bursts %" PRIu64 "\n", test.mode, test.nb, wire, aborted,
	       atomic_load(&test.cancels), s.too_late, s.port_refused);
	if (success + aborted != test.nb || wire != success)
		fail("sets", success, aborted);
	if (s.accepted.packets != test.nb || s.sent.packets != wire || s.aborted.packets != aborted ||
	    s.queued.packets != 0)
		fail("the account differs from the sets", s.sent.packets, s.aborted.packets);
	if (vnic_nbl_pool_in_use(test.nbls) != 0 || rte_mempool_in_use_count(test.mbufs) != 0)
		fail("NBLs or buffers were lost", vnic_nbl_pool_in_use(test.nbls),
		     rte_mempool_in_use_count(test.mbufs));
	if (wire == 0 || aborted == 0)
		fail("nothing sent or nothing aborted: no test", wire, aborted);
}

static void tear_down(void)
{
	if (vnic_sender_destroy(test.sender) != 0 || vnic_client_close(test.client) != 0 ||
	    vnic_adapter_destroy(test.adapter) != 0 || vnic_control_destroy(test.control) != 0 ||
	    vnic_nbl_pool_destroy(test.nbls) != 0)
		fail("not all could be given back", 0, 0);
}

int main(int argc, char **argv)
{
	char prefix[32];
	char *eal[] = {argv[0], "--no-huge", "-m", "192", "--no-pci", "--no-telemetry", "--no-shconf",
		       "--log-level=lib.eal:error", "--file-prefix", prefix, "-l", "0", NULL};
	void *(*const side[])(void *) = {wire_thread, data_thread, control_thread, sender_thread,
					 cancel_thread};
	pthread_t thread[5];
	bool stall, stop;
	double give_up;

	test.mode = argc > 1 ? argv[1] : "single";
	stall = strcmp(test.mode, "stalled-port") == 0;
	stop = strcmp(test.mode, "stopped-control") == 0;
	test.nbl_packets = strcmp(test.mode, "many") == 0 ? 40 : 1;
	if (!stall && !stop && test.nbl_packets == 1 && strcmp(test.mode, "single") != 0) {
		fprintf(stderr, "serial-test: %s: unknown mode; single, many, stalled-port or "
			"stopped-control\n", test.mode);
		return 1;
	}
	test.depth = stop ? DEPTH_STOP : DEPTH;
	test.nb = argc > 2 ? (uint32_t)atoi(argv[2]) : stop ? 1000000 : stall ? 300000 : PACKETS;
	snprintf(prefix, sizeof(prefix), "serial%d", (int)getpid());
	sched_getaffinity(0, sizeof(test.cpus), &test.cpus);
	if (stop && CPU_COUNT(&test.cpus) < 2) {
		printf("skip: a walk and the thread that watches it need two CPUs\n");
		return 77;
	}
	if (rte_eal_init(12, eal) < 0)
		must(NULL, "EAL");
	/* EAL has bound this thread to one CPU, and its children with it */
	sched_setaffinity(0, sizeof(test.cpus), &test.cpus);
	set_up(stop ? 100000 : PACE);
	for (int i = 0; i < 5; i++)
		/* a stalled port's cancels are the mode's own */
		if (i < 4 || !(stall || stop))
			pthread_create(&thread[i], NULL, side[i], NULL);
	if (stall)
		stall_port();
	if (stop)
		stop_control(thread[2]);
	give_up = now_s() + 120;
	while ((!atomic_load(&test.all_sent) ||
		atomic_load(&test.nb_success) + atomic_load(&test.nb_aborted) != test.nb ||
		atomic_load(&test.nb_wire) != atomic_load(&test.nb_success)) && now_s() < give_up)
		usleep(1000);
	atomic_store(&test.end_cancels, true);
	if (!stall && !stop)
		pthread_join(thread[4], NULL);
	atomic_store(&test.end, true);
	for (int i = 0; i < 4; i++)
		pthread_join(thread[i], NULL);
	check_sets();
	tear_down();
	return atomic_load(&test.failures) == 0 ? 0 : 1;
}
