/* SPDX-License-Identifier: BSD-3-Clause
 * capture_stress.c - captures begin and end under traffic: a poller, a reader, a canceller
 *
 * The poller never stops; the main thread begins and ends captures and cancels meanwhile; each
 * capture has a reader of its own. Each packet that a capture has taken is read once.
 */
#include "scene.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>

#define CAPTURES 300
#define ENOUGH 40 /* packets of each */
#define BUFFER (2 * VNIC_CAPTURE_READ_MIN)

static struct scene scene;
static struct vnic_face *face;
static _Atomic bool polls = true;

struct reading {
	struct vnic_capture *capture;
	uint64_t packets, told, lost_told;
};

static void *poller(void *arg)
{
	uint16_t port = 1;

	(void)arg;
	while (atomic_load(&polls)) {
		struct rte_mbuf *m = NULL;

		if (rte_mempool_avail_count(scene.mbufs) > 64)
			m = scene_frame(&scene, port);
		if (m != NULL && rte_ring_enqueue(scene.upper, m) != 0)
			rte_pktmbuf_free(m);
		port = port % 8 + 1;
		vnic_face_poll(face);
		if (port == 1)
			vnic_adapter_poll(scene.adapter);
		sched_yield();
	}
	return NULL;
}

static uint32_t u32(const char *at)
{
	uint32_t v;

	memcpy(&v, at, sizeof(v));
	return v;
}

/* Count packets; the last block of all tells how many there were. */
static void count(struct reading *r, const char *at, size_t n)
{
	for (const char *stop = at + n; at < stop; at += u32(at + 4)) {
		r->packets += u32(at) == 6;
		if (u32(at) == 5) {
			memcpy(&r->told, at + 24, sizeof(r->told));
			memcpy(&r->lost_told, at + 36, sizeof(r->lost_told));
		}
	}
}

static void *reader(void *arg)
{
	static char buffer[BUFFER]; /* one reader at a time */
	struct reading *r = arg;
	bool last = false;
	size_t n;

	while (!last) {
		last = vnic_capture_ended(r->capture);
		while ((n = vnic_capture_read(r->capture, buffer, BUFFER)) != 0)
			count(r, buffer, n);
		sched_yield();
	}
	return NULL;
}

static uint64_t capture_once(uint32_t i)
{
	const struct vnic_capture_conf conf = {.nb_packets = i % 3 == 0 ? 16 : 256, .snaplen = 100};
	struct reading r = {.capture = vnic_capture_create(&conf)};
	struct vnic_capture_stats st;
	pthread_t thread;

	assert_non_null(r.capture);
	assert_int_equal(vnic_capture_add(r.capture, face, "f"), 0);
	assert_int_equal(pthread_create(&thread, NULL, reader, &r), 0);
	do {
		vnic_client_abort(vnic_face_client(face), scene.ticket);
		vnic_control_poll(scene.control);
		sched_yield();
		vnic_capture_stats_get(r.capture, &st);
	} while (st.captured + st.lost < (i % 4 == 0 ? 0 : ENOUGH));
	vnic_capture_end(r.capture);
	pthread_join(thread, NULL);
	vnic_capture_stats_get(r.capture, &st);
	assert_int_equal(st.captured, st.written);
	assert_int_equal(st.written, r.packets);
	assert_int_equal(st.lost, r.lost_told);
	assert_int_equal(st.captured + st.lost, r.told);
	assert_int_equal(st.spare, st.nb_packets);
	assert_int_equal(vnic_capture_destroy(r.capture), 0);
	return r.packets;
}

static void begin_and_end_under_traffic(void **state)
{
	struct vnic_face_conf conf = {.name = "cap", .depth = 64, .nbl_packets = 2};
	struct vnic_verdict v;
	uint64_t packets = 0;
	pthread_t thread;

	(void)state;
	scene = scene_open();
	conf.port = scene.upper_port;
	face = vnic_face_create(scene.adapter, &conf);
	assert_non_null(face);
	assert_int_equal(pthread_create(&thread, NULL, poller, NULL), 0);
	for (uint32_t i = 0; i < CAPTURES; i++)
		packets += capture_once(i);
	while (vnic_ticket_verdict(scene.ticket, &v) != 0)
		vnic_control_poll(scene.control);
	atomic_store(&polls, false);
	pthread_join(thread, NULL);
	print_message("%u captures, %u packets\n", CAPTURES, (unsigned int)packets);
	for (struct rte_mbuf *m; rte_ring_dequeue(scene.upper, (void **)&m) == 0;)
		rte_pktmbuf_free(m);
	while (vnic_face_outstanding(face) != 0) {
		vnic_adapter_poll(scene.adapter);
		vnic_face_poll(face);
	}
	assert_int_equal(vnic_face_destroy(face), 0);
	scene_close(&scene);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(begin_and_end_under_traffic)};

	return cmocka_run_group_tests_name("capture", tests, test_eal_setup, test_eal_teardown);
}
