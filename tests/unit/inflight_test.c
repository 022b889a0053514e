/* SPDX-License-Identifier: BSD-3-Clause
 * inflight_test.c - the in-flight limit against a simulated descriptor ring
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "inflight.h"

#define PORT 3
#define QUEUE 2
#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))

/* A tx queue: packets handed down and packets that have left, both counted from 0. */
static struct {
	uint32_t nb_desc;
	uint64_t used;
	uint64_t left;
	uint32_t asked;
} nic;

/* Offset 0 is the next descriptor to be used, nb_desc - d the one used d ago. */
static int status_of(uint16_t port, uint16_t queue, uint16_t offset)
{
	uint64_t ago;

	assert_int_equal(port, PORT);
	assert_int_equal(queue, QUEUE);
	assert_in_range(offset, 1, nic.nb_desc - 1);
	nic.asked++;
	ago = nic.nb_desc - offset;
	if (ago > nic.used)
		return RTE_ETH_TX_DESC_UNAVAIL; /* never used */
	return nic.used - ago < nic.left ? RTE_ETH_TX_DESC_DONE : RTE_ETH_TX_DESC_FULL;
}

static struct vnic__inflight open_nic(uint16_t nb_desc, uint16_t limit)
{
	nic.nb_desc = nb_desc;
	nic.used = nic.left = 0;
	return (struct vnic__inflight){.status = status_of, .port = PORT, .queue = QUEUE,
				       .nb_desc = nb_desc, .limit = limit};
}

/* What may be handed down is exactly what is lacking to the limit: never more, so it is
 * kept, never less, so it is reached. */
static void check_limit(uint16_t nb_desc, uint16_t limit, unsigned int seed)
{
	struct vnic__inflight f = open_nic(nb_desc, limit);
	uint64_t most = 0;

	for (int i = 0; i < 5000; i++) {
		uint32_t n = (uint32_t)rand_r(&seed) % 65, room, below;

		room = vnic__inflight_room(&f, n);
		below = (uint32_t)(nic.used - nic.left);
		assert_int_equal(room, n < limit - below ? n : limit - below);
		nic.used += room; /* the port may refuse some: that is as if n were less */
		most = nic.used - nic.left > most ? nic.used - nic.left : most;
		assert_true(nic.used - nic.left <= limit);
		if (i / 300 % 2 == 1 && rand_r(&seed) % 3 == 0) /* at times none leave */
			nic.left += (uint32_t)rand_r(&seed) % (nic.used - nic.left + 1);
	}
	assert_int_equal(most, limit);
}

static void the_limit_is_kept_and_reached(void **state)
{
	static const uint16_t descs[] = {2, 64, 512, 4096};
	static const uint16_t limits[] = {1, 2, 3, 31, 32, 63, 64, 65, 100, 511, 4095};

	(void)state;
	for (size_t d = 0; d < COUNT_OF(descs); d++)
		for (size_t l = 0; l < COUNT_OF(limits); l++)
			if (limits[l] < descs[d])
				check_limit(descs[d], limits[l], (unsigned int)(d * 100 + l));
}

/* A port that forgets to report: room comes back only when it does. */
static void a_stalled_port_gets_no_more(void **state)
{
	struct vnic__inflight f = open_nic(512, 16);

	(void)state;
	assert_int_equal(vnic__inflight_room(&f, 64), 16);
	nic.used += 16;
	for (int i = 0; i < 10; i++)
		assert_int_equal(vnic__inflight_room(&f, 64), 0);
	nic.left += 1;
	assert_int_equal(vnic__inflight_room(&f, 64), 1);
	nic.left += 15;
	assert_int_equal(vnic__inflight_room(&f, 64), 16);
	assert_int_equal(vnic__inflight_room(&f, 5), 5);
	assert_int_equal(vnic__inflight_room(&f, 0), 0);
}

/* By halving: the port is not asked about each packet. */
static void few_questions(void **state)
{
	struct vnic__inflight f = open_nic(512, 256);

	(void)state;
	for (uint32_t i = 0; i < 200; i++) {
		nic.used += i % 7;
		nic.left = nic.used > 250 ? nic.used - 250 : 0;
		nic.asked = 0;
		vnic__inflight_room(&f, 64);
		assert_in_range(nic.asked, 0, 7);
	}
}

static void no_limit_no_question(void **state)
{
	struct vnic__inflight f = {.limit = 0};

	(void)state;
	for (uint32_t n = 0; n <= 64; n++)
		assert_int_equal(vnic__inflight_room(&f, n), n);
}

static void init_without_a_port(void **state)
{
	struct vnic__inflight f;

	(void)state;
	assert_int_equal(vnic__inflight_init(&f, PORT, QUEUE, 0), VNIC_IN_FLIGHT_NONE);
	assert_int_equal(vnic__inflight_room(&f, 64), 64);
	assert_int_equal(vnic__inflight_init(&f, PORT, QUEUE, 16), VNIC_IN_FLIGHT_UNKNOWN);
	assert_int_equal(vnic__inflight_room(&f, 64), 64);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_limit_is_kept_and_reached),
		cmocka_unit_test(a_stalled_port_gets_no_more),
		cmocka_unit_test(few_questions),
		cmocka_unit_test(no_limit_no_question),
		cmocka_unit_test(init_without_a_port),
	};

	return cmocka_run_group_tests_name("inflight", tests, NULL, NULL);
}
