/* SPDX-License-Identifier: BSD-3-Clause
 * shape_test.c - contract N: bursts of every shape, with a cancel after each (C78)
 *
 * NBLs per call x packets per NBL x segments x sizes. A burst is 100 NBLs of one id, each
 * tenth of another, cancelled as soon as it is sent. Where only sums count the port takes
 * all and steps come as they come: what is not aborted has left. Where the queue is
 * throttled at least one NBL of each burst must be aborted. The bed checks the content of
 * each packet, at the wire or when it is back.
 */
#include "bed.h"

#include <stdlib.h>

#define BURST 100u
#define SPARED_EACH 10u
#define DEPTH 128
#define PACKETS_MAX 8
#define SEGMENT_MAX 1900 /* bytes that a buffer of the bed holds */
#define PACE 500         /* packets per second: a late poll catches up a quarter of a burst */

static const uint16_t calls[] = {1, 7, 32, 100}; /* NBLs */
static const uint16_t packets[] = {1, 2, PACKETS_MAX};
static const uint16_t segments[] = {1, 2, 5};
static const uint32_t sizes[] = {14, 59, 60, 1514, 4014};

struct shape {
	uint16_t call, packets, segments;
	uint32_t size;
};

struct mode {
	bool throttled;
	bool linear_only; /* the port takes no chains */
	uint64_t packets_per_s;
};

struct sweep {
	struct bed *b;
	const struct mode *mode;
	unsigned int seed;
	uint32_t aborted, sent;
};

static uint32_t draw(struct sweep *w, uint32_t below)
{
	return (uint32_t)rand_r(&w->seed) % below;
}

/* A throttled port takes less at a time than any burst has. */
static void step_data(struct sweep *w)
{
	bed_wire_room(w->b, w->mode->throttled && w->mode->packets_per_s == 0 ? draw(w, 3)
									      : BED_ROOM_ALL);
	bed_data(w->b);
	bed_wire_drain(w->b);
}

static uint32_t send_burst(struct sweep *w, const struct shape *s, uint64_t id)
{
	struct bed *b = w->b;
	uint32_t first = b->nb_nbls;

	for (uint32_t i = 0; i < BURST; i++) {
		uint32_t serial = b->nb_packets;

		for (uint16_t k = 0; k < s->packets; k++)
			bed_packet_chain(b, s->size, s->segments);
		bed_nbl_of(b, i % SPARED_EACH == 0 ? id + 1 : id, serial, s->packets);
	}
	for (uint32_t i = 0; i < BURST; i += s->call) {
		bed_send(b, first + i, (uint16_t)RTE_MIN(s->call, BURST - i));
		if (draw(w, 3) == 0)
			step_data(w);
		if (draw(w, 3) == 0)
			bed_poll(b);
	}
	return first;
}

static void run_burst(struct sweep *w, const struct shape *s)
{
	struct bed *b = w->b;
	uint64_t id = UINT64_C(0x100000001) * b->nb_nbls + 2;
	uint32_t first = send_burst(w, s, id), aborted;
	struct vnic_verdict v;

	assert_int_equal(vnic_adapter_cancel(b->adapter, id, b->ticket), 0);
	if (draw(w, 2) == 0)
		step_data(w);
	v = bed_verdict(b, b->ticket);
	bed_settle(b);
	aborted = bed_count(b, first, BURST, VNIC_STATUS_SEND_ABORTED);
	assert_int_equal(v.aborted.nbls, aborted);
	assert_int_equal(v.aborted.packets, aborted * s->packets);
	assert_int_equal(bed_count(b, first, BURST, VNIC_STATUS_SUCCESS), BURST - aborted);
	for (uint32_t i = 0; i < BURST; i += SPARED_EACH)
		bed_expect(b, first + i, 1, VNIC_STATUS_SUCCESS);
	if (w->mode->throttled)
		assert_true(aborted >= 1);
	w->aborted += aborted;
	w->sent += BURST - aborted;
}

static void run(void **state)
{
	struct sweep w = {.mode = *state, .seed = 78};
	bool paced = w.mode->packets_per_s != 0;

	w.b = bed_open(&(struct bed_conf){.depth = DEPTH, .nb_mbufs = 5000, .max_packets = PACKETS_MAX,
					  .max_frame = 4018, .linear_only = w.mode->linear_only,
					  .pacing = {.packets_per_s = w.mode->packets_per_s,
						     .burst_packets = 1}});
	for (uint32_t c = 0; c < BED_COUNT_OF(calls); c++)
		for (uint32_t p = 0; p < BED_COUNT_OF(packets); p++)
			for (uint32_t g = 0; g < BED_COUNT_OF(segments); g++)
				for (uint32_t z = 0; z < BED_COUNT_OF(sizes); z++) {
					struct shape s = {calls[c], packets[p], segments[g], sizes[z]};

					/* paced: what is spared leaves in real time */
					if (s.size <= SEGMENT_MAX * s.segments &&
					    (!paced || (p == 1 && z % 2 == 1)))
						run_burst(&w, &s);
				}
	print_message("NBLs sent %u, aborted %u\n", w.sent, w.aborted);
	bed_close(w.b);
}

#define MODE(name, ...) {"c78_" name, run, NULL, NULL, &(struct mode){__VA_ARGS__}}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MODE("sums_agree", .throttled = false),
		MODE("sums_agree_at_a_port_without_chains", .linear_only = true),
		MODE("a_throttled_port_aborts", .throttled = true),
		MODE("a_throttled_port_without_chains_aborts", .throttled = true, .linear_only = true),
		MODE("a_paced_queue_aborts", .throttled = true, .packets_per_s = PACE),
	};

	return cmocka_run_group_tests_name("conformance shape", tests, test_eal_setup,
					   test_eal_teardown);
}
