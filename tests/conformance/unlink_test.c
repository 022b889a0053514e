/* SPDX-License-Identifier: BSD-3-Clause
 * unlink_test.c - contract D: a match is unlinked before it is completed (C19)
 *
 * The linker puts this file's functions between the library's own: after the walk of a
 * ring and before what it took is completed, before and after the stage is rid of its
 * matches, and when the completions are visible and the verdict is not. The other sides
 * take their steps there: nothing may be visible too early, and nothing that was unlinked
 * may be met again.
 */
#include "bed.h"
#include "sides.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "adapter.h"

#define ID UINT64_C(0x1234)
#define OTHER UINT64_C(0x5678)
#define SAMPLES 256

static struct {
	struct bed *b; /* NULL: nothing is looked at */
	uint32_t walked, to_keep, kept, finished; /* how often each place was passed */
	uint32_t aborted; /* completions that were visible at `finished` */
	uint32_t again;   /* NBL that was sent there */
} at;

struct vnic__ring_found __real_vnic__ring_cancel(struct vnic__ring_canceller *x,
						 const struct vnic__ring_target *t,
						 uint64_t late_from);
void __real_vnic__ring_stage_keep(struct vnic__ring_consumer *c, uint32_t from, const bool keep[]);
void __real_vnic__histogram_add_shared(struct vnic_histogram *h, uint64_t value);

/* ---- places ---- */

static uint32_t nb_aborted(const struct bed *b)
{
	return bed_count(b, 0, b->nb_nbls, VNIC_STATUS_SEND_ABORTED);
}

/* No queued NBL of the id in the ring, as far as the library can tell. */
static void check_unlinked(const struct bed *b, uint64_t id)
{
	for (uint64_t i = 0; i < SAMPLES; i++)
		assert_true(vnic_adapter_sample_id(b->adapter, i) != id);
}

static void check_invisible(struct bed *b)
{
	bed_poll(b);
	assert_int_equal(nb_aborted(b), 0);
}

struct vnic__ring_found __wrap_vnic__ring_cancel(struct vnic__ring_canceller *x,
						 const struct vnic__ring_target *t,
						 uint64_t late_from)
{
	struct vnic__ring_found found = __real_vnic__ring_cancel(x, t, late_from);

	if (at.b == NULL)
		return found;
	at.walked++;
	check_unlinked(at.b, ID);
	check_invisible(at.b);
	/* the data side runs on: all the others leave, and the bed sees that no match does */
	bed_data(at.b);
	bed_data(at.b);
	bed_wire_drain(at.b);
	check_invisible(at.b);
	return found;
}

static void check_stage(const struct vnic__ring_consumer *c, bool has_matches)
{
	const struct vnic_sender *s = at.b->sender[0];
	uint32_t nb = 0;

	assert_ptr_equal(c, &s->consumer);
	for (uint32_t i = 0; i < vnic__ring_staged(c); i++)
		nb += vnic__nbl_of(s->nbl_base, vnic__ring_stage_handle(c, i))->cancel_id == ID;
	assert_int_equal(nb != 0, has_matches);
}

void __wrap_vnic__ring_stage_keep(struct vnic__ring_consumer *c, uint32_t from, const bool keep[])
{
	if (at.b != NULL) {
		at.to_keep++;
		check_stage(c, true);
		check_invisible(at.b);
	}
	__real_vnic__ring_stage_keep(c, from, keep);
	if (at.b != NULL) {
		at.kept++;
		check_stage(c, false);
		check_invisible(at.b);
	}
}

/* Visible and about to be recorded, no verdict yet: what comes back is sent again at once, with
 * the same id. */
void __wrap_vnic__histogram_add_shared(struct vnic_histogram *h, uint64_t value)
{
	struct bed *b = at.b;

	if (b != NULL && h == &b->adapter->latency[VNIC_LATENCY_COMPLETION]) {
		at.b = NULL;
		at.finished++;
		bed_poll(b);
		at.aborted = nb_aborted(b);
		check_unlinked(b, ID);
		at.again = bed_send_id(b, ID, 1);
	}
	__real_vnic__histogram_add_shared(h, value);
}

/* ---- C19 ---- */

static int look_at_nothing(void **state)
{
	(void)state;
	memset(&at, 0, sizeof(at));
	return 0;
}

static void check_sent_again(struct bed *b, uint32_t matches)
{
	assert_int_equal(at.finished, 1);
	assert_int_equal(at.aborted, matches);
	bed_settle(b);
	bed_expect(b, at.again, 1, VNIC_STATUS_SUCCESS);
	assert_int_equal(nb_aborted(b), matches);
	assert_int_equal(bed_count(b, 0, 60, VNIC_STATUS_SUCCESS), 60 - matches);
}

static void c19_out_of_the_ring_first(void **state)
{
	struct bed *b = bed_open(NULL);

	(void)state;
	for (uint32_t i = 0; i < 60; i++)
		bed_nbl(b, i % 3 == 0 ? ID : OTHER, 1);
	bed_send(b, 0, 60);
	at.b = b;
	assert_int_equal(bed_cancel(b, ID).aborted.nbls, 20);
	assert_int_equal(at.walked, 1);
	check_sent_again(b, 20);
	bed_close(b);
}

static void c19_out_of_the_stage_first(void **state)
{
	struct bed *b = bed_open(&(struct bed_conf){.burst = 60});

	(void)state;
	bed_wire_room(b, 0);
	for (uint32_t i = 0; i < 60; i++)
		bed_nbl(b, i % 3 == 0 ? ID : OTHER, 1);
	bed_send(b, 0, 60);
	bed_data(b);
	assert_int_equal(vnic_adapter_cancel(b->adapter, ID, b->ticket), 0);
	bed_control(b);
	at.b = b; /* from the walk on, which found only what is staged */
	assert_int_equal(bed_verdict(b, b->ticket).aborted.nbls, 20);
	assert_int_equal(at.to_keep, 1);
	assert_int_equal(at.kept, 1);
	check_sent_again(b, 20);
	bed_close(b);
}

/* A second cancel between a first one's walk and its completions finds nothing. */
static void c19_not_found_by_the_next_cancel(void **state)
{
	struct bed *b = bed_open(NULL);
	struct vnic_ticket *second = vnic_ticket_create(-1);
	struct vnic_verdict v;

	(void)state;
	assert_non_null(second);
	bed_send_id(b, ID, 60);
	assert_int_equal(vnic_adapter_cancel(b->adapter, ID, b->ticket), 0);
	assert_int_equal(vnic_adapter_cancel(b->adapter, ID, second), 0);
	assert_int_equal(bed_control(b), 2);
	assert_int_equal(vnic_ticket_verdict(b->ticket, &v), 0);
	assert_int_equal(v.aborted.nbls, 60);
	assert_int_equal(vnic_ticket_verdict(second, &v), 0);
	assert_true(v.unknown);
	assert_int_equal(bed_poll(b), 60);
	assert_int_equal(vnic_ticket_destroy(second), 0);
	bed_close(b);
}

/* The sides run freely, and so few NBLs that each is sent again as soon as it is back: one
 * that is still linked somewhere is completed twice or comes to the wire unsent. */
static void c19_c33_threads_send_again_at_once(void **state)
{
	/* so slow that there is a queue */
	struct bed *b = bed_open(&(struct bed_conf){.nb_nbls = 48, .pacing.packets_per_s = 50000});
	struct sides sides;
	unsigned int seed = 19;
	uint64_t aborted = 0;

	(void)state;
	sides_start(&sides, b);
	for (int round = 0; b->nb_done < 20000; round++) {
		struct vnic_verdict v;

		while (vnic_sender_outstanding(b->sender[0]) < 40 &&
		       vnic_sender_room(b->sender[0], 8) == 8)
			bed_send_id(b, 1 + (uint64_t)rand_r(&seed) % 3, 8);
		if (vnic_ticket_verdict(b->ticket, &v) != -EINPROGRESS) {
			aborted += round != 0 ? v.aborted.nbls : 0;
			vnic_adapter_cancel(b->adapter, 1 + (uint64_t)rand_r(&seed) % 3, b->ticket);
		}
		while (bed_poll(b) == 0 && vnic_sender_outstanding(b->sender[0]) != 0) {
			bed_wire_drain(b);
			sched_yield();
		}
	}
	while (vnic_sender_outstanding(b->sender[0]) != 0) {
		bed_poll(b);
		bed_wire_drain(b);
		sched_yield();
	}
	sides_stop(&sides);
	aborted += bed_verdict(b, b->ticket).aborted.nbls;
	assert_int_equal(aborted, nb_aborted(b));
	assert_true(aborted >= 100);
	bed_close(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(c19_out_of_the_ring_first, look_at_nothing),
		cmocka_unit_test_setup(c19_out_of_the_stage_first, look_at_nothing),
		cmocka_unit_test_setup(c19_not_found_by_the_next_cancel, look_at_nothing),
		cmocka_unit_test_setup(c19_c33_threads_send_again_at_once, look_at_nothing),
	};

	return cmocka_run_group_tests_name("conformance unlink", tests, test_eal_setup,
					   test_eal_teardown);
}
