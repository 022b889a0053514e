/* SPDX-License-Identifier: BSD-3-Clause
 * lifecycle_test.c - what is made and taken down: refusals, tickets, names, places
 */
#include "bed.h"

#include <errno.h>

#include <rte_errno.h>

#include "adapter.h"

#define ID UINT64_C(0x1234)
#define OTHER UINT64_C(0x5678)

/* ---- refused while in use ---- */

static void destroy_is_refused_while_in_use(void **state)
{
	struct bed *b = bed_open(NULL);

	(void)state;
	bed_send_id(b, ID, 1);
	assert_int_equal(vnic_sender_destroy(b->sender[0]), -EBUSY);
	assert_int_equal(vnic_client_close(b->client), -EBUSY);
	assert_int_equal(vnic_adapter_destroy(b->adapter), -EBUSY);
	assert_int_equal(vnic_control_destroy(b->control), -EBUSY);
	assert_int_equal(vnic_nbl_pool_destroy(b->nbls), -EBUSY);
	bed_data(b); /* completed and not polled: still outstanding */
	assert_int_equal(vnic_sender_outstanding(b->sender[0]), 1);
	assert_int_equal(vnic_sender_destroy(b->sender[0]), -EBUSY);
	bed_settle(b);
	bed_expect(b, 0, 1, VNIC_STATUS_SUCCESS); /* none of it has done anything */
	bed_close(b);
}

static void nothing_is_destroyed_by_null(void **state)
{
	(void)state;
	assert_int_equal(vnic_sender_destroy(NULL), 0);
	assert_int_equal(vnic_client_close(NULL), 0);
	assert_int_equal(vnic_adapter_destroy(NULL), 0);
	assert_int_equal(vnic_control_destroy(NULL), 0);
	assert_int_equal(vnic_nbl_pool_destroy(NULL), 0);
	assert_int_equal(vnic_ticket_destroy(NULL), 0);
}

/* ---- tickets ---- */

static void a_ticket_carries_one_cancel_at_a_time(void **state)
{
	struct bed *b = bed_open(NULL);
	const uint64_t own = (uint64_t)vnic_client_prefix(b->client) << VNIC_CANCEL_ID_PREFIX_SHIFT;
	struct vnic_verdict v = {.cancel_id = 77};

	(void)state;
	assert_int_equal(vnic_ticket_verdict(b->ticket, &v), -ENOENT);
	bed_wire_room(b, 0);
	bed_send_id(b, ID, 3);
	bed_data(b);
	bed_send_id(b, OTHER, 3);
	assert_int_equal(vnic_adapter_cancel(b->adapter, ID, b->ticket), 0);
	for (int step = 0; step < 2; step++) { /* posted; waiting for the data side */
		assert_int_equal(vnic_ticket_verdict(b->ticket, &v), -EINPROGRESS);
		assert_int_equal(v.cancel_id, 77);
		assert_int_equal(vnic_adapter_cancel(b->adapter, OTHER, b->ticket), -EBUSY);
		assert_int_equal(vnic_adapter_abort(b->adapter, b->ticket), -EBUSY);
		assert_int_equal(vnic_client_cancel(b->client, own | ID, b->ticket), -EBUSY);
		assert_int_equal(vnic_ticket_destroy(b->ticket), -EBUSY);
		assert_int_equal(vnic_control_destroy(b->control), -EBUSY);
		bed_control(b);
	}
	v = bed_verdict(b, b->ticket);
	assert_int_equal(v.cancel_id, ID);
	assert_int_equal(v.aborted.nbls, 3);
	assert_int_equal(vnic_ticket_verdict(b->ticket, &v), 0); /* as often as one likes */
	assert_int_equal(v.aborted.nbls, 3);
	v = bed_cancel(b, OTHER); /* used again: nothing of the first one in its verdict */
	assert_int_equal(v.aborted.nbls, 3);
	v = bed_cancel(b, OTHER);
	assert_int_equal(v.aborted.nbls, 0);
	assert_true(v.unknown);
	bed_close(b);
}

/* A ticket's second cancel is posted as soon as its verdict is seen, while others wait. */
static void tickets_take_turns(void **state)
{
	struct bed *b = bed_open(NULL);
	struct vnic_ticket *t[3];
	struct vnic_verdict v;
	uint64_t aborted = 0;

	(void)state;
	for (int i = 0; i < 3; i++)
		t[i] = vnic_ticket_create(-1);
	for (uint32_t round = 0; round < 300; round++) {
		bed_wire_room(b, round % 3);
		if (vnic_sender_room(b->sender[0], 9) == 9)
			for (uint32_t i = 0; i < 9; i++)
				bed_send(b, bed_nbl(b, ID + i % 3, 1), 1);
		for (uint32_t i = 0; i < 3; i++) {
			if (vnic_ticket_verdict(t[i], &v) == -EINPROGRESS)
				continue;
			aborted += round != 0 ? v.aborted.nbls : 0;
			assert_int_equal(vnic_adapter_cancel(b->adapter, ID + i, t[i]), 0);
		}
		if (round % 2 == 0)
			bed_data(b);
		bed_control(b);
		bed_poll(b);
	}
	for (int i = 0; i < 3; i++) {
		aborted += bed_verdict(b, t[i]).aborted.nbls;
		assert_int_equal(vnic_ticket_destroy(t[i]), 0);
	}
	assert_int_equal(aborted, bed_stats(b).aborted.nbls);
	bed_close(b);
}

/* ---- an adapter's configuration ---- */

static void expect_refused(struct bed *b, struct vnic_adapter_conf conf, int error)
{
	rte_errno = 0;
	assert_null(vnic_adapter_create(b->control, &conf));
	assert_int_equal(rte_errno, error);
}

static void adapter_configurations_that_cannot_be(void **state)
{
	struct bed *b = bed_open(NULL);
	const struct vnic_adapter_conf good = {.name = "x", .port = b->port, .numa_node = -1};
	struct vnic_adapter_conf c;

	(void)state;
	c = good, c.name = NULL, expect_refused(b, c, EINVAL);
	c = good, c.name = "", expect_refused(b, c, EINVAL);
	c = good, c.name = "0123456789abcdef0123456789abcdef", expect_refused(b, c, EINVAL);
	c = good, c.burst = VNIC_BURST_MAX + 1, expect_refused(b, c, EINVAL);
	c = good, c.max_frame = 63, expect_refused(b, c, EINVAL);
	c = good, c.max_frame = 16385, expect_refused(b, c, EINVAL);
	c = good, c.in_flight = 65536, expect_refused(b, c, EINVAL);
	c = good, c.port = 31, expect_refused(b, c, ENODEV);
	c = good, c.tx_queue = 1, expect_refused(b, c, ENODEV);
	c = good, c.name = b->name, expect_refused(b, c, EEXIST);
	bed_close(b);
}

static struct vnic_adapter *adapter_named(struct bed *b, struct vnic_control *control,
					  const char *name)
{
	struct vnic_adapter_conf conf = {.name = name, .port = b->port, .numa_node = -1};

	return vnic_adapter_create(control, &conf);
}

/* A name is 1..31 characters and unique within its control: two that begin alike are two. */
static void adapter_names_that_begin_alike(void **state)
{
	struct bed *b = bed_open(NULL);
	struct vnic_adapter *first = adapter_named(b, b->control, "0123456789abcdefghij-first");
	struct vnic_adapter *second = adapter_named(b, b->control, "0123456789abcdefghij-second");

	(void)state;
	vnic_adapter_destroy(first);
	vnic_adapter_destroy(second);
	assert_non_null(first);
	assert_non_null(second);
	bed_close(b);
}

static void adapter_names_of_two_controls(void **state)
{
	struct bed *b = bed_open(NULL);
	struct vnic_control *other = vnic_control_create(-1);
	struct vnic_adapter *same = adapter_named(b, other, b->name);

	(void)state;
	vnic_adapter_destroy(same);
	assert_int_equal(vnic_control_destroy(other), 0);
	assert_non_null(same);
	bed_close(b);
}

static void an_adapter_name_is_free_again(void **state)
{
	struct bed *b = bed_open(NULL);

	(void)state;
	for (int i = 0; i < 3; i++) {
		struct vnic_adapter *a = adapter_named(b, b->control, "again");

		assert_non_null(a);
		assert_int_equal(vnic_adapter_destroy(a), 0);
	}
	bed_close(b);
}

/* ---- senders ---- */

static void sender_depths(void **state)
{
	static const uint32_t wrong[] = {0, 1, 32, 63, 65, 96, 2097152, UINT32_MAX};
	struct bed *b = bed_open(NULL);
	struct vnic_sender *s;

	(void)state;
	for (size_t i = 0; i < BED_COUNT_OF(wrong); i++) {
		rte_errno = 0;
		assert_null(vnic_sender_create(b->client, b->nbls, wrong[i]));
		assert_int_equal(rte_errno, EINVAL);
	}
	s = vnic_sender_create(b->client, b->nbls, 4096);
	assert_non_null(s);
	assert_int_equal(vnic_sender_room(s, 10000), 4096);
	assert_int_equal(vnic_sender_destroy(s), 0);
	bed_close(b);
}

static void sender_places(void **state)
{
	struct bed *b = bed_open(NULL);
	struct vnic_sender *s[VNIC_SENDERS_MAX];

	(void)state;
	for (uint32_t i = 1; i < VNIC_SENDERS_MAX; i++) {
		s[i] = vnic_sender_create(b->client, b->nbls, 64);
		assert_non_null(s[i]);
	}
	assert_null(vnic_sender_create(b->client, b->nbls, 64));
	assert_int_equal(rte_errno, ENOSPC);
	for (uint32_t i = 1; i < VNIC_SENDERS_MAX; i++)
		assert_int_equal(vnic_sender_destroy(s[i]), 0);
	/* the places are free again, for queues that are no larger */
	assert_null(vnic_sender_create(b->client, b->nbls, 128));
	assert_int_equal(rte_errno, ENOSPC);
	for (uint32_t i = 1; i < VNIC_SENDERS_MAX; i++)
		s[i] = vnic_sender_create(b->client, b->nbls, 64);
	for (uint32_t i = 1; i < VNIC_SENDERS_MAX; i++)
		if (s[i] != NULL)
			vnic_sender_destroy(s[i]);
	for (uint32_t i = 1; i < VNIC_SENDERS_MAX; i++)
		assert_non_null(s[i]);
	bed_close(b);
}

/* Those that the sender before has left. */
static void pass_tombs(struct bed *b)
{
	while (bed_data(b) != 0)
		;
}

/* A larger place serves each depth, and takes no more than that. */
static void sender_places_that_are_larger(void **state)
{
	struct bed *b = bed_open(&(struct bed_conf){.nb_nbls = 2048, .nb_mbufs = 4096});
	struct vnic_sender *s[VNIC_SENDERS_MAX], *own = b->sender[0];

	(void)state;
	for (uint32_t i = 1; i < VNIC_SENDERS_MAX; i++) {
		s[i] = vnic_sender_create(b->client, b->nbls, 256);
		assert_non_null(s[i]);
	}
	for (uint32_t i = 1; i < VNIC_SENDERS_MAX; i++)
		assert_int_equal(vnic_sender_destroy(s[i]), 0);
	for (uint32_t round = 0; round < 12; round++) {
		uint32_t depth = 256 >> round % 3, first;

		b->sender[0] = vnic_sender_create(b->client, b->nbls, depth);
		assert_non_null(b->sender[0]);
		bed_wire_room(b, BED_ROOM_ALL);
		pass_tombs(b);
		assert_int_equal(vnic_sender_room(b->sender[0], 10000), depth);
		first = bed_send_id(b, ID, (uint16_t)depth);
		assert_int_equal(vnic_sender_room(b->sender[0], 1), 0);
		assert_int_equal(bed_cancel(b, ID).aborted.nbls, depth);
		bed_expect(b, first, depth, VNIC_STATUS_SEND_ABORTED);
		assert_int_equal(vnic_sender_destroy(b->sender[0]), 0);
	}
	b->sender[0] = own;
	bed_close(b);
}

/* The next sender gets a closed one's queue in mid-ring, and with it nothing of the other:
 * what is outstanding, its cancels, its NBLs. */
static void a_sender_in_the_place_of_another(void **state)
{
	struct bed *b = bed_open(NULL);
	struct vnic_verdict v;

	(void)state;
	for (uint32_t i = 0; i < 100; i++) {
		struct vnic_sender *before = b->sender[0];
		uint32_t first = bed_send_id(b, ID, (uint16_t)(1 + i % 40));

		if (i % 2 == 0)
			bed_cancel(b, ID);
		bed_settle(b);
		while (bed_data(b) != 0) /* tombs */
			;
		assert_int_equal(vnic_adapter_cancel(b->adapter, ID, b->ticket), 0);
		assert_int_equal(vnic_sender_destroy(b->sender[0]), 0);
		b->sender[0] = vnic_sender_create(b->client, b->nbls, 64);
		assert_ptr_equal(b->sender[0], before);
		assert_int_equal(vnic_sender_outstanding(b->sender[0]), 0);
		assert_int_equal(vnic_sender_room(b->sender[0], 100), 64);
		first = bed_send_id(b, ID, 20); /* after the call */
		v = bed_verdict(b, b->ticket);
		assert_int_equal(v.aborted.nbls, 0);
		bed_settle(b);
		bed_expect(b, first, 20, VNIC_STATUS_SUCCESS);
	}
	bed_close(b);
}

/* The same queue, NBLs of another pool. */
static void a_sender_with_another_pool(void **state)
{
	struct bed *b = bed_open(NULL);
	struct vnic_nbl_pool *own = b->nbls, *other;
	char name[16];

	(void)state;
	other = vnic_nbl_pool_create(bed_unique("pool", name), 200, 8, -1);
	assert_non_null(other);
	for (int i = 0; i < 4; i++) {
		uint32_t first;

		b->nbls = i % 2 == 0 ? other : own;
		assert_int_equal(vnic_sender_destroy(b->sender[0]), 0);
		b->sender[0] = vnic_sender_create(b->client, b->nbls, 64);
		assert_non_null(b->sender[0]);
		first = bed_send_id(b, OTHER, 20);
		bed_send_id(b, ID, 20);
		bed_cancel(b, ID);
		bed_settle(b);
		bed_expect(b, first, 20, VNIC_STATUS_SUCCESS);
		bed_expect(b, first + 20, 20, VNIC_STATUS_SEND_ABORTED);
	}
	assert_int_equal(vnic_nbl_pool_destroy(other), 0);
	b->nbls = own;
	bed_close(b);
}

/* ---- pace ---- */

/* An adapter that is polled for days before its first sender comes sends at once then.
 * Time is set back in two steps of 0.75 of what a difference of times can express. */
static void an_adapter_waits_days_for_its_first_sender(void **state)
{
	const uint64_t ticks = UINT64_C(3) << 45;
	struct bed *b = bed_open(&(struct bed_conf){.pacing = {.packets_per_s = 100000}});

	(void)state;
	atomic_store(&b->adapter->nb_senders, 0);
	for (int i = 0; i < 2; i++) {
		b->adapter->pacer.packets.empty_at -= ticks << VNIC__PACER_FRACTION;
		bed_data(b);
	}
	atomic_store(&b->adapter->nb_senders, 1);
	bed_send_id(b, ID, 1);
	for (int i = 0; i < 100000 && b->nb_log == 0; i++) {
		bed_data(b);
		bed_wire_drain(b);
	}
	if (b->nb_log == 0)
		bed_cancel(b, ID); /* it would wait for hours */
	bed_poll(b);
	bed_expect(b, 0, 1, VNIC_STATUS_SUCCESS);
	bed_close(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(destroy_is_refused_while_in_use),
		cmocka_unit_test(nothing_is_destroyed_by_null),
		cmocka_unit_test(a_ticket_carries_one_cancel_at_a_time),
		cmocka_unit_test(tickets_take_turns),
		cmocka_unit_test(adapter_configurations_that_cannot_be),
		cmocka_unit_test(adapter_names_that_begin_alike),
		cmocka_unit_test(adapter_names_of_two_controls),
		cmocka_unit_test(an_adapter_name_is_free_again),
		cmocka_unit_test(sender_depths),
		cmocka_unit_test(sender_places),
		cmocka_unit_test(sender_places_that_are_larger),
		cmocka_unit_test(a_sender_in_the_place_of_another),
		cmocka_unit_test(a_sender_with_another_pool),
		cmocka_unit_test(an_adapter_waits_days_for_its_first_sender),
	};

	return cmocka_run_group_tests_name("conformance lifecycle", tests, test_eal_setup,
					   test_eal_teardown);
}
