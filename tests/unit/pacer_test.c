/* SPDX-License-Identifier: BSD-3-Clause
 * pacer_test.c - rates, bursts, debts and wraps of the pacer, in simulated time
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pacer.h"
#include "vnic.h"

#define GHZ UINT64_C(1000000000)
#define HZ (23 * GHZ / 10)
#define POLL_BURST 64u /* packets that a poll may send */
#define GUESS_BITS (1514u * 8)
#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))

struct sim {
	struct vnic__pacer p;
	uint64_t hz;
	uint64_t now;
	uint64_t packets;
	uint64_t bytes;
	uint32_t random;
};

static struct sim sim_open(struct vnic_pacing rate, uint64_t hz, uint64_t now)
{
	struct sim s = {.hz = hz, .now = now, .random = 1};

	vnic__pacer_init(&s.p, &rate, hz, now);
	return s;
}

static uint32_t draw(struct sim *s)
{
	s->random = s->random * 1664525u + 1013904223u;
	return s->random >> 8;
}

/* 0: one of 64, 594 and 1514 bytes. */
static uint32_t frame_of(struct sim *s, uint32_t size)
{
	static const uint32_t mix[] = {64, 64, 64, 594, 1514};

	return size != 0 ? size : mix[draw(s) % COUNT_OF(mix)];
}

/* One poll of a data lcore that always has packets; returns how many it sent. */
static uint32_t poll(struct sim *s, uint32_t size)
{
	uint64_t may = vnic__pacer_bytes(&s->p, s->now), bytes = 0;
	uint32_t room = vnic__pacer_room(&s->p, s->now, POLL_BURST), n;

	for (n = 0; n < room && bytes < may; n++)
		bytes += frame_of(s, size);
	if (n == 0)
		vnic__pacer_idle(&s->p, s->now);
	vnic__pacer_charge(&s->p, n, bytes);
	s->packets += n;
	s->bytes += bytes;
	return n;
}

/* All that may leave at this moment. */
static uint64_t drain(struct sim *s, uint32_t size)
{
	uint64_t n = 0;
	uint32_t k;

	while ((k = poll(s, size)) != 0)
		n += k;
	return n;
}

/* A lcore with nothing to send, polling for `ticks`. */
static void idle(struct sim *s, uint64_t ticks)
{
	uint64_t end = s->now + ticks;

	while (s->now != end) {
		s->now += end - s->now < s->hz / 1000 ? end - s->now : s->hz / 1000;
		vnic__pacer_idle(&s->p, s->now);
	}
}

static void expect_near(uint64_t got, double want)
{
	double off = (double)got / want - 1;

	if (off < -0.01 || off > 0.01)
		fail_msg("%lu, not within 1 %% of %.0f", (unsigned long)got, want);
}

/* Polls at uneven times, on average every `step` ticks, for `ticks`. */
static void run(struct sim *s, uint64_t ticks, uint64_t step, uint32_t size)
{
	uint64_t end = s->now + ticks;

	while ((int64_t)(end - s->now) > 0) {
		s->now += 1 + draw(s) % (2 * step);
		poll(s, size);
	}
}

/* ---- rates ---- */

/* How often a lcore must poll for `rate` things a second, `most` a poll, with half to spare;
 * but at least a thousand times a second. */
static uint64_t step_for(uint64_t hz, double rate, double most)
{
	double step = (double)hz * most / rate / 4;

	return step < 1 ? 1 : step > (double)hz / 1000 ? hz / 1000 : (uint64_t)step;
}

static void packets_per_second_are_exact(void **state)
{
	static const uint64_t rates[] = {1, 7, 1000, 14880952, 100000000};
	static const uint64_t clocks[] = {GHZ, HZ, 3999999999};

	(void)state;
	for (size_t r = 0; r < COUNT_OF(rates); r++)
		for (size_t c = 0; c < COUNT_OF(clocks); c++) {
			/* a second, or a thousand packets where that is longer */
			uint64_t seconds = rates[r] < 1000 ? 1000 / rates[r] : 1;
			struct sim s = sim_open((struct vnic_pacing){.packets_per_s = rates[r]},
						clocks[c], 12345);

			run(&s, seconds * clocks[c],
			    step_for(clocks[c], (double)rates[r], POLL_BURST), 64);
			expect_near(s.packets, (double)(seconds * rates[r]));
		}
}

static void bits_per_second_are_exact(void **state)
{
	static const uint64_t rates[] = {1000000,	10000000,    123456789,	 1000000000,
					 10000000000, 40000000000, 100000000000};
	static const uint32_t sizes[] = {60, 64, 594, 1514, 9018, 0};

	(void)state;
	for (size_t r = 0; r < COUNT_OF(rates); r++)
		for (size_t z = 0; z < COUNT_OF(sizes); z++) {
			double frame = sizes[z] != 0 ? sizes[z] * 8 : 460 * 8;
			double seconds = 20000 * frame / (double)rates[r];
			uint64_t step = step_for(HZ, (double)rates[r] / frame, POLL_BURST);
			struct sim s = sim_open((struct vnic_pacing){.bits_per_s = rates[r]}, HZ,
						12345);

			seconds = seconds < 0.05 ? 0.05 : seconds;
			/* short frames wait until as much is saved up as they need a poll */
			run(&s, HZ / 20, step, sizes[z]);
			s.bytes = 0;
			run(&s, (uint64_t)(seconds * (double)HZ), step, sizes[z]);
			expect_near(s.bytes * 8, seconds * (double)rates[r]);
		}
}

static void both_rates_hold(void **state)
{
	const struct vnic_pacing rate = {.packets_per_s = 100000, .bits_per_s = 100000000};
	struct sim s = sim_open(rate, HZ, 0);

	(void)state;
	run(&s, HZ, HZ / 1000000, 64); /* 51 Mbit/s: the packets limit */
	expect_near(s.packets, 100000);
	s = sim_open(rate, HZ, 0);
	run(&s, HZ, HZ / 1000000, 1514); /* 8256 packets/s: the bits limit */
	expect_near(s.bytes * 8, 100000000);
}

static void no_rate_no_limit(void **state)
{
	struct sim s = sim_open((struct vnic_pacing){0}, HZ, 77);

	(void)state;
	assert_false(vnic__pacer_limits(&s.p));
	for (uint32_t n = 0; n <= POLL_BURST; n++)
		assert_int_equal(vnic__pacer_room(&s.p, s.now, n), n);
	vnic__pacer_charge(&s.p, 64, 1000000);
	assert_int_equal(vnic__pacer_room(&s.p, s.now, 64), 64);
	s = sim_open((struct vnic_pacing){.packets_per_s = 1}, HZ, 77);
	assert_true(vnic__pacer_limits(&s.p));
	s = sim_open((struct vnic_pacing){.bits_per_s = 1}, HZ, 77);
	assert_true(vnic__pacer_limits(&s.p));
}

/* ---- bursts ---- */

static void nothing_is_saved_up_at_the_start(void **state)
{
	struct sim s = sim_open((struct vnic_pacing){.packets_per_s = 1000}, HZ, 12345);

	(void)state;
	assert_int_equal(drain(&s, 64), 0);
	s.now += HZ / 1000 - 1;
	assert_int_equal(drain(&s, 64), 0);
	s.now += 1;
	assert_int_equal(drain(&s, 64), 1);
	assert_int_equal(drain(&s, 64), 0);
}

static void idle_saves_up_the_burst_of_packets(void **state)
{
	static const uint32_t bursts[] = {1, 2, 32, 33, 1000};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(bursts); i++) {
		const struct vnic_pacing rate = {.packets_per_s = 10000,
						 .burst_packets = bursts[i]};
		struct sim s = sim_open(rate, HZ, 12345);

		idle(&s, 10 * HZ);
		assert_int_equal(drain(&s, 64), bursts[i]);
		idle(&s, HZ / 10000 * 10 + 5);
		assert_in_range(drain(&s, 64), bursts[i] < 10 ? bursts[i] : 10, 30);
	}
}

/* Of packets of 1514 bytes, exactly; of others as many bits, and what the last one is over. */
static void idle_saves_up_the_burst_of_bits(void **state)
{
	static const uint32_t bursts[] = {1, 2, 32, 33, 1000};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(bursts); i++) {
		const struct vnic_pacing rate = {.bits_per_s = 1000000,
						 .burst_packets = bursts[i]};
		struct sim s = sim_open(rate, HZ, 12345);

		idle(&s, 100 * HZ);
		assert_int_equal(drain(&s, 1514), bursts[i]);
	}
}

static void short_frames_keep_the_burst_of_bits(void **state)
{
	struct sim s = sim_open((struct vnic_pacing){.bits_per_s = 1000000, .burst_packets = 32},
				HZ, 12345);

	(void)state;
	idle(&s, 100 * HZ);
	drain(&s, 64);
	assert_in_range(s.bytes * 8, 32 * GUESS_BITS - 64 * 8, 32 * GUESS_BITS + 64 * 8);
}

/* "A bucket may run into debt by the last packet it let go", not by more, long frames or
 * not. */
static void debt_is_of_one_packet(void **state)
{
	static const uint32_t sizes[] = {64, 1514, 1518, 4096, 9018, 16384};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(sizes); i++) {
		const struct vnic_pacing rate = {.bits_per_s = 1000000000, .burst_packets = 32};
		struct sim s = sim_open(rate, HZ, 12345);

		idle(&s, HZ);
		drain(&s, sizes[i]);
		assert_in_range(s.bytes * 8, 0, 32 * GUESS_BITS + sizes[i] * 8);
	}
}

static void default_burst_is_a_hundredth_of_a_second(void **state)
{
	struct sim s = sim_open((struct vnic_pacing){.packets_per_s = 1000000}, HZ, 12345);

	(void)state;
	idle(&s, 10 * HZ);
	assert_int_equal(drain(&s, 64), 10000);
	s = sim_open((struct vnic_pacing){.packets_per_s = 1000}, HZ, 12345);
	idle(&s, 10 * HZ);
	assert_int_equal(drain(&s, 64), 32);
	s = sim_open((struct vnic_pacing){.bits_per_s = 1000000000}, HZ, 12345);
	idle(&s, 10 * HZ);
	drain(&s, 64);
	expect_near(s.bytes * 8, 10000000);
}

/* A lcore that did not run for ten seconds catches up a tenth of a second, or the burst. */
static void a_late_poll_catches_up_a_tenth_of_a_second(void **state)
{
	struct sim s = sim_open((struct vnic_pacing){.packets_per_s = 10000, .burst_packets = 4},
				HZ, 12345);

	(void)state;
	s.now += HZ / 20; /* late by less: nothing is lost */
	assert_int_equal(drain(&s, 64), 500);
	s.now += 10 * HZ;
	assert_int_equal(drain(&s, 64), 1000);
	s = sim_open((struct vnic_pacing){.packets_per_s = 10000, .burst_packets = 5000}, HZ, 0);
	s.now += 10 * HZ;
	assert_int_equal(drain(&s, 64), 5000);
}

/* ---- debts ---- */

static void debt_is_waited_for(void **state)
{
	const uint64_t bits = 16384 * 8, rate = 1000000;
	struct sim s = sim_open((struct vnic_pacing){.bits_per_s = rate, .burst_packets = 1}, HZ,
				0);
	uint64_t begin;

	(void)state;
	for (int i = 0; i < 20; i++) {
		while (poll(&s, 16384) == 0)
			s.now += HZ / 1000000;
		begin = s.now;
		while (vnic__pacer_room(&s.p, s.now, 64) == 0)
			s.now += HZ / 1000000;
		/* the bucket held at most a microsecond's bits when the frame left */
		expect_near(s.now - begin, (double)HZ * (double)bits / (double)rate);
	}
}

static void slow_rates_do_not_overflow(void **state)
{
	struct sim s = sim_open((struct vnic_pacing){.packets_per_s = 1,
						     .bits_per_s = 1,
						     .burst_packets = UINT32_MAX}, 4 * GHZ, 0);

	(void)state;
	assert_int_equal(drain(&s, 1514), 0);
	s.now += 4 * GHZ; /* a second: one bit, so one packet */
	assert_int_equal(drain(&s, 1514), 1);
	for (uint64_t second = 1; second < GUESS_BITS; second += 100) {
		idle(&s, 4 * GHZ);
		s.now += 99 * 4 * GHZ;
		assert_true(second + 100 < GUESS_BITS || s.packets == 1);
		if (second + 100 < GUESS_BITS)
			assert_int_equal(drain(&s, 1514), 0);
	}
}

/* A burst of which 64 bits of fractional ticks hold a quarter of a packet and 2^64. */
static void large_bursts_do_not_overflow(void **state)
{
	struct sim s = sim_open((struct vnic_pacing){.packets_per_s = 1, .burst_packets = 70369},
				4 * GHZ, 0);

	(void)state;
	for (int second = 0; second < 1000; second++) {
		s.now += 4 * GHZ;
		vnic__pacer_idle(&s.p, s.now);
	}
	assert_int_equal(drain(&s, 64), 1000);
}

/* ---- other rates as it goes ---- */

static void change(struct sim *s, struct vnic_pacing rate)
{
	vnic__pacer_change(&s->p, &rate, s->hz, s->now);
}

/* Rates change all the time: what leaves is what each allows in its time, and never more. */
static void changes_neither_lose_nor_win(void **state)
{
	static const uint64_t rates[] = {1000, 50000, 7, 1000000, 333, 20000};
	struct sim s = sim_open((struct vnic_pacing){.packets_per_s = 1}, HZ, 12345);
	double allowed = 0;

	(void)state;
	for (uint32_t i = 0; i < 3000; i++) {
		uint64_t rate = rates[draw(&s) % COUNT_OF(rates)], ticks = 1 + draw(&s) % (HZ / 200);
		uint64_t begin = s.now;

		change(&s, (struct vnic_pacing){.packets_per_s = rate, .burst_packets = 32});
		run(&s, ticks, HZ / 1000000, 64);
		allowed += (double)(s.now - begin) / (double)HZ * (double)rate;
		assert_true((double)s.packets <= allowed + 1);
	}
	expect_near(s.packets, allowed);
}

static void a_change_keeps_what_was_saved_up_to_the_new_burst(void **state)
{
	struct sim s = sim_open((struct vnic_pacing){.packets_per_s = 10, .burst_packets = 100}, HZ, 0);

	(void)state;
	idle(&s, 20 * HZ);
	change(&s, (struct vnic_pacing){.packets_per_s = 1000000, .burst_packets = 200});
	assert_int_equal(drain(&s, 64), 100);
	idle(&s, HZ);
	change(&s, (struct vnic_pacing){.packets_per_s = 1, .burst_packets = 30});
	assert_int_equal(drain(&s, 64), 30);
	/* a late lcore's tenth of a second at a slow pace is none at a fast one */
	s.now += HZ / 10;
	change(&s, (struct vnic_pacing){.packets_per_s = 1000000, .burst_packets = 4});
	assert_in_range(drain(&s, 64), 0, 4);
}

static void a_change_keeps_the_debt(void **state)
{
	const uint64_t bits = 16384 * 8;
	struct sim s = sim_open((struct vnic_pacing){.bits_per_s = 1000, .burst_packets = 1}, HZ, 0);
	uint64_t begin;

	(void)state;
	while (poll(&s, 16384) == 0)
		s.now += HZ / 1000;
	change(&s, (struct vnic_pacing){.bits_per_s = 1000000, .burst_packets = 1});
	begin = s.now;
	while (vnic__pacer_room(&s.p, s.now, 64) == 0)
		s.now += HZ / 1000000;
	expect_near(s.now - begin, (double)HZ * (double)bits / 1e6);
}

static void no_limit_leaves_nothing_behind(void **state)
{
	struct sim s = sim_open((struct vnic_pacing){0}, HZ, 0);

	(void)state;
	s.now += 100 * HZ;
	change(&s, (struct vnic_pacing){.packets_per_s = 1000});
	assert_int_equal(drain(&s, 64), 0);
	s.now += HZ / 100;
	assert_in_range(drain(&s, 64), 9, 10);
	change(&s, (struct vnic_pacing){0});
	assert_int_equal(vnic__pacer_room(&s.p, s.now, 64), 64);
	assert_false(vnic__pacer_limits(&s.p));
}

/* ---- wraps ---- */

static void time_wraps(void **state)
{
	/* of the ticks with 16 fractional bits, of their sign, of the ticks themselves */
	static const uint64_t ends[] = {UINT64_C(1) << 47, UINT64_C(1) << 48, UINT64_C(3) << 47,
					UINT64_C(1) << 63, 0};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(ends); i++) {
		struct sim s = sim_open((struct vnic_pacing){.packets_per_s = 1000000,
							     .bits_per_s = 1000000000}, HZ,
					ends[i] - HZ / 2);

		run(&s, HZ, HZ / 1000000, 64);
		expect_near(s.packets, 1000000);
		s = sim_open((struct vnic_pacing){.bits_per_s = 1000000000,
						  .burst_packets = 32}, HZ, ends[i] - HZ / 2);
		idle(&s, HZ / 2 + HZ / 10);
		drain(&s, 64);
		assert_in_range(s.bytes * 8, 32 * GUESS_BITS - 64 * 8, 32 * GUESS_BITS + 64 * 8);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(packets_per_second_are_exact),
		cmocka_unit_test(bits_per_second_are_exact),
		cmocka_unit_test(both_rates_hold),
		cmocka_unit_test(no_rate_no_limit),
		cmocka_unit_test(nothing_is_saved_up_at_the_start),
		cmocka_unit_test(idle_saves_up_the_burst_of_packets),
		cmocka_unit_test(idle_saves_up_the_burst_of_bits),
		cmocka_unit_test(short_frames_keep_the_burst_of_bits),
		cmocka_unit_test(debt_is_of_one_packet),
		cmocka_unit_test(default_burst_is_a_hundredth_of_a_second),
		cmocka_unit_test(a_late_poll_catches_up_a_tenth_of_a_second),
		cmocka_unit_test(debt_is_waited_for),
		cmocka_unit_test(slow_rates_do_not_overflow),
		cmocka_unit_test(large_bursts_do_not_overflow),
		cmocka_unit_test(changes_neither_lose_nor_win),
		cmocka_unit_test(a_change_keeps_what_was_saved_up_to_the_new_burst),
		cmocka_unit_test(a_change_keeps_the_debt),
		cmocka_unit_test(no_limit_leaves_nothing_behind),
		cmocka_unit_test(time_wraps),
	};

	return cmocka_run_group_tests_name("pacer", tests, NULL, NULL);
}
