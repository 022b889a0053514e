/* SPDX-License-Identifier: BSD-3-Clause
 * drain_test.c - contract E: a cancel races with the drain of the queue (C32)
 *
 * In each round the queue is filled and cancels are called; then the data and the control
 * thread start together, a few pauses apart, and the next round moves their start to where
 * some matches leave and some are aborted. What has come back is written over and kept
 * from everyone until the round is over: ASan sees who still reads it, TSan who meets the
 * write. All interleavings of a small ring are the model's (tests/model).
 */
#include "bed.h"
#include "handover.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <rte_cycles.h>
#include <rte_pause.h>
#include <sanitizer/asan_interface.h> /* its macros do nothing in other builds */

#ifdef HANDOVER_TOLD
#define ROUNDS 500 /* each takes ten times as long */
#else
#define ROUNDS 2000
#endif
#define MIXED 20       /* rounds that must have met; more are run on a busy machine */
#define DEPTH 64u
#define IDS 3
#define AHEAD_MAX 4000 /* pauses */
#define SPINS 1000     /* before a thread that waits lets others run */
#define SCRIBBLE 0x5a
#define ROUND_S 20     /* longer than any round: NBLs are missing */

/* Three threads in step: each waits until all have come. */
struct meeting {
	_Atomic uint32_t come;
	uint32_t nb;
};

static void meet(struct meeting *m)
{
	uint32_t all = (atomic_fetch_add(&m->come, 1) / m->nb + 1) * m->nb;

	for (uint32_t i = 1; atomic_load(&m->come) < all; i++)
		if (i % SPINS == 0)
			sched_yield();
		else
			rte_pause();
}

struct race {
	struct bed *b;
	struct meeting begin; /* all three */
	struct meeting start; /* data and control: nothing is between it and the race */
	struct meeting end;   /* all three */
	_Atomic bool over;    /* this round */
	bool last;            /* before `begin` */
	int ahead;            /* of the data thread, in pauses; before `begin` */
};

static void pauses(int n)
{
	for (; n > 0; n--)
		rte_pause();
}

static void *data_thread(void *arg)
{
	struct race *r = arg;

	for (;;) {
		meet(&r->begin);
		if (r->last)
			return NULL;
		meet(&r->start);
		pauses(-r->ahead);
		while (!atomic_load(&r->over))
			if (vnic_adapter_poll(r->b->adapter) == 0)
				sched_yield();
		meet(&r->end);
	}
}

static void *control_thread(void *arg)
{
	struct race *r = arg;

	for (;;) {
		meet(&r->begin);
		if (r->last)
			return NULL;
		meet(&r->start);
		pauses(r->ahead);
		while (!atomic_load(&r->over))
			if (vnic_control_poll(r->b->control) == 0)
				sched_yield();
		meet(&r->end);
	}
}

/* ---- what came back ---- */

#define KEPT_BYTES 128

/* Before anyone has looked at it: of a few accesses only does TSan remember the last ones. */
static void write_over(struct vnic_nbl **nbls, uint16_t n)
{
	for (uint16_t i = 0; i < n; i++) {
		struct vnic_nbl content = *nbls[i];

		memset(nbls[i], SCRIBBLE, sizeof(content));
		*nbls[i] = content;
	}
}

struct kept {
	void *at;
	size_t len;
	uint8_t content[KEPT_BYTES];
};

static struct {
	struct kept kept[DEPTH * 4];
	uint32_t nb;
} away;

static void put_away(void *at, size_t len)
{
	struct kept *k = &away.kept[away.nb++];

	assert_in_range(away.nb, 1, BED_COUNT_OF(away.kept));
	assert_in_range(len, 1, KEPT_BYTES);
	k->at = at;
	k->len = len;
	memcpy(k->content, at, len);
	memset(at, SCRIBBLE, len);
	ASAN_POISON_MEMORY_REGION(at, len);
}

/* The NBLs that a poll has added to the n from `first` on, and packets that did not leave. */
static void put_away_done(const struct bed *b, uint32_t first, uint32_t n, bool seen[DEPTH])
{
	for (uint32_t i = 0; i < n; i++) {
		const struct bed_nbl *e = &b->nbl[first + i];

		if (!e->done || seen[i])
			continue;
		seen[i] = true;
		for (uint32_t k = e->nb_sent; k < e->nb_packets; k++)
			put_away(b->packet[e->first + k].mbuf, sizeof(struct rte_mbuf));
		put_away(e->nbl, sizeof(*e->nbl));
	}
}

static void take_back(struct bed *b, uint32_t first, uint32_t n)
{
	static const uint8_t scribble[KEPT_BYTES] = {[0 ... KEPT_BYTES - 1] = SCRIBBLE};

	for (uint32_t i = 0; i < away.nb; i++) {
		struct kept *k = &away.kept[i];

		ASAN_UNPOISON_MEMORY_REGION(k->at, k->len);
		assert_memory_equal(k->at, scribble, k->len);
		memcpy(k->at, k->content, k->len);
	}
	away.nb = 0;
	for (uint32_t i = 0; i < n; i++)
		bed_release(b, first + i);
}

/* ---- rounds ---- */

struct call {
	struct vnic_ticket *ticket;
	uint64_t id;
};

/* A full queue: runs and single ones of three ids. Returns the number of the first. */
static uint32_t fill(struct bed *b, unsigned int *seed, uint16_t *n)
{
	uint32_t first = b->nb_nbls;
	uint64_t id = 1;

	*n = vnic_sender_room(b->sender[0], DEPTH);
	for (uint16_t i = 0; i < *n; i++) {
		if (rand_r(seed) % 4 == 0)
			id = 1 + (uint64_t)rand_r(seed) % IDS;
		bed_nbl(b, id, (uint16_t)(1 + rand_r(seed) % 2));
	}
	bed_send(b, first, *n);
	return first;
}

static uint32_t nb_of(const struct bed *b, uint32_t first, uint32_t n, uint64_t id, bool aborted)
{
	uint32_t nb = 0;

	for (uint32_t i = first; i < first + n; i++)
		nb += b->nbl[i].id == id &&
		      (!aborted || b->nbl[i].status == VNIC_STATUS_SEND_ABORTED);
	return nb;
}

/* Every match was aborted or is late; nothing else was touched. */
static void check_round(const struct bed *b, uint32_t first, uint32_t n, const struct call c[2])
{
	uint32_t aborted = 0;

	for (int i = 0; i < 2; i++) {
		struct vnic_verdict v;

		assert_int_equal(vnic_ticket_verdict(c[i].ticket, &v), 0);
		assert_int_equal(v.aborted.nbls, nb_of(b, first, n, c[i].id, true));
		assert_int_equal(v.aborted.nbls + v.too_late, nb_of(b, first, n, c[i].id, false));
		aborted += (uint32_t)v.aborted.nbls;
	}
	assert_int_equal(bed_count(b, first, n, VNIC_STATUS_SEND_ABORTED), aborted);
	assert_int_equal(bed_count(b, first, n, VNIC_STATUS_SUCCESS), n - aborted);
}

static bool has_verdicts(const struct call c[2])
{
	struct vnic_verdict v;

	return vnic_ticket_verdict(c[0].ticket, &v) == 0 && vnic_ticket_verdict(c[1].ticket, &v) == 0;
}

/* One round; returns how many percent of the matches were aborted. With a port that
 * stops after `room` packets some are staged until the verdicts stand. */
static uint32_t run_round(struct race *r, struct call c[2], unsigned int *seed, uint32_t room)
{
	struct bed *b = r->b;
	bool seen[DEPTH] = {false};
	uint16_t n;
	uint32_t first = fill(b, seed, &n), matches = 0, aborted = 0;
	uint64_t until = rte_rdtsc() + ROUND_S * rte_get_tsc_hz();

	bed_wire_room(b, room);
	c[0].id = 1 + (uint64_t)rand_r(seed) % IDS;
	c[1].id = 1 + c[0].id % IDS;
	for (int i = 0; i < 2; i++)
		assert_int_equal(vnic_adapter_cancel(b->adapter, c[i].id, c[i].ticket), 0);
	atomic_store(&r->over, false);
	meet(&r->begin);
	while (vnic_sender_outstanding(b->sender[0]) != 0 || !has_verdicts(c)) {
		assert_true(rte_rdtsc() < until);
		if (bed_poll(b) == 0)
			sched_yield();
		put_away_done(b, first, n, seen);
		if (room != BED_ROOM_ALL && has_verdicts(c))
			bed_wire_room(b, BED_ROOM_ALL); /* takes only: the data side runs */
	}
	atomic_store(&r->over, true);
	meet(&r->end);
	bed_wire_drain(b);
	check_round(b, first, n, c);
	for (int i = 0; i < 2; i++) {
		matches += nb_of(b, first, n, c[i].id, false);
		aborted += nb_of(b, first, n, c[i].id, true);
	}
	take_back(b, first, n);
	return matches != 0 ? 100 * aborted / matches : 50;
}

static int clamp(int n)
{
	return n < -AHEAD_MAX ? -AHEAD_MAX : n > AHEAD_MAX ? AHEAD_MAX : n;
}

static void run(uint32_t room)
{
	struct race r = {.b = bed_open(&(struct bed_conf){.depth = DEPTH}),
			 .begin.nb = 3, .start.nb = 2, .end.nb = 3};
	struct call c[2];
	pthread_t data, control;
	unsigned int seed = 32;
	uint32_t mixed = 0, round = 0;

	r.b->hold = true;
	r.b->polled = write_over;
	for (int i = 0; i < 2; i++) {
		c[i].ticket = vnic_ticket_create(-1);
		assert_non_null(c[i].ticket);
	}
	assert_int_equal(pthread_create(&data, NULL, data_thread, &r), 0);
	assert_int_equal(pthread_create(&control, NULL, control_thread, &r), 0);
	for (; round < ROUNDS || (mixed < MIXED && round < 10 * ROUNDS); round++) {
		uint32_t percent = run_round(&r, c, &seed, room);

		mixed += percent > 0 && percent < 100;
		r.ahead = clamp(r.ahead + ((int)percent - 50) / 4 + rand_r(&seed) % 9 - 4);
	}
	r.last = true;
	meet(&r.begin);
	assert_int_equal(pthread_join(data, NULL), 0);
	assert_int_equal(pthread_join(control, NULL), 0);
	print_message("rounds in which some left and some were aborted: %u of %u\n", mixed, round);
	for (uint32_t i = 1; i < r.b->nb_log; i++) /* [C15] */
		assert_true(r.b->log[i] > r.b->log[i - 1]);
	for (int i = 0; i < 2; i++)
		assert_int_equal(vnic_ticket_destroy(c[i].ticket), 0);
	assert_true(mixed >= MIXED);
	bed_close(r.b);
}

static void c32_a_cancel_meets_the_drain(void **state)
{
	(void)state;
	run(BED_ROOM_ALL);
}

/* The port stops in the middle: the data side is asked for what it has staged. */
static void c32_a_cancel_meets_a_drain_that_stops(void **state)
{
	(void)state;
	run(20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(c32_a_cancel_meets_the_drain),
		cmocka_unit_test(c32_a_cancel_meets_a_drain_that_stops),
	};

	return cmocka_run_group_tests_name("conformance drain", tests, test_eal_setup,
					   test_eal_teardown);
}
