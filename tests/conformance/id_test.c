/* SPDX-License-Identifier: BSD-3-Clause
 * id_test.c - contract F as far as one adapter goes: prefixes and clients (C34, C35)
 */
#include "bed.h"

#include <errno.h>
#include <string.h>

static void c34_prefixes_are_distinct(void **state)
{
	struct vnic_control *c = vnic_control_create(-1);

	(void)state;
	assert_non_null(c);
	for (int round = 0; round < 3; round++)
		for (uint32_t i = 0; i < 256; i++) /* 1..255 and then 0, each once */
			assert_int_equal(vnic_generate_partial_cancel_id(c), (i + 1) % 256);
	assert_int_equal(vnic_control_destroy(c), 0);
}

/* Ids made of a prefix and a counter keep the prefix, and it is what tells them apart. */
static void c34_an_id_keeps_its_prefix(void **state)
{
	struct bed *b = bed_open(&(struct bed_conf){.depth = 256});
	const uint64_t counter = (UINT64_C(1) << VNIC_CANCEL_ID_PREFIX_SHIFT) - 1;

	(void)state;
	for (uint64_t prefix = 1; prefix < 256; prefix++) {
		uint64_t id = prefix << VNIC_CANCEL_ID_PREFIX_SHIFT | counter;

		assert_int_equal(id >> VNIC_CANCEL_ID_PREFIX_SHIFT, prefix);
		bed_send(b, bed_nbl(b, id, 1), 1);
	}
	for (uint64_t prefix = 2; prefix < 256; prefix += 2) {
		uint64_t id = prefix << VNIC_CANCEL_ID_PREFIX_SHIFT | counter;

		assert_int_equal(bed_cancel(b, id).aborted.nbls, 1);
		bed_expect(b, (uint32_t)prefix - 1, 1, VNIC_STATUS_SEND_ABORTED);
	}
	bed_settle(b);
	for (uint32_t i = 0; i < 255; i += 2)
		bed_expect(b, i, 1, VNIC_STATUS_SUCCESS);
	bed_close(b);
}

/* Three clients, each with its sender, one counter. bed_conf has no clients: the test
 * opens two more and hands their senders to the bed. */
struct clients {
	struct bed *b;
	struct vnic_client *client[3];
};

static void open_clients(struct clients *c)
{
	c->b = bed_open(NULL);
	c->client[0] = c->b->client;
	for (uint32_t i = 1; i < 3; i++) {
		c->client[i] = vnic_client_open(c->b->adapter);
		assert_non_null(c->client[i]);
		c->b->sender[i] = vnic_sender_create(c->client[i], c->b->nbls, 64);
		assert_non_null(c->b->sender[i]);
	}
	c->b->conf.nb_senders = 3;
}

static void close_clients(struct clients *c)
{
	bed_settle(c->b);
	/* the bed closes its client last: the others' senders go first */
	for (uint32_t i = 1; i < 3; i++) {
		assert_int_equal(vnic_client_close(c->client[i]), -EBUSY);
		assert_int_equal(vnic_sender_destroy(c->b->sender[i]), 0);
		assert_int_equal(vnic_client_close(c->client[i]), 0);
	}
	c->b->conf.nb_senders = 1;
	bed_close(c->b);
}

static uint64_t id_of(const struct clients *c, uint32_t i, uint64_t counter)
{
	return (uint64_t)vnic_client_prefix(c->client[i]) << VNIC_CANCEL_ID_PREFIX_SHIFT | counter;
}

static void c35_clients_with_equal_counters(void **state)
{
	struct clients c;

	(void)state;
	open_clients(&c);
	for (uint32_t i = 0; i < 3; i++)
		for (uint64_t counter = 1; counter <= 10; counter++)
			bed_send_by(c.b, i, bed_nbl(c.b, id_of(&c, i, counter), 1), 1);
	assert_int_equal(vnic_client_cancel(c.client[1], id_of(&c, 1, 5), c.b->ticket), 0);
	assert_int_equal(bed_verdict(c.b, c.b->ticket).aborted.nbls, 1);
	bed_poll(c.b);
	assert_int_equal(c.b->nb_done, 1);
	bed_expect(c.b, 14, 1, VNIC_STATUS_SEND_ABORTED);
	close_clients(&c);
}

static void c35_not_with_another_ones_prefix(void **state)
{
	struct clients c;
	struct vnic_verdict v;

	(void)state;
	open_clients(&c);
	for (uint32_t i = 0; i < 3; i++)
		bed_send_by(c.b, i, bed_nbl(c.b, id_of(&c, i, 5), 1), 1);
	for (uint32_t i = 0; i < 3; i++)
		for (uint32_t k = 0; k < 3; k++)
			if (i != k)
				assert_int_equal(vnic_client_cancel(c.client[i], id_of(&c, k, 5),
								    c.b->ticket), -EACCES);
	assert_int_equal(vnic_client_cancel(c.client[0], 5, c.b->ticket), -EACCES); /* prefix 0 */
	assert_int_equal(vnic_client_cancel(c.client[0], 0, c.b->ticket), -EINVAL);
	assert_int_equal(vnic_ticket_verdict(c.b->ticket, &v), -ENOENT);
	assert_int_equal(bed_control(c.b), 0);
	bed_settle(c.b);
	bed_expect(c.b, 0, 3, VNIC_STATUS_SUCCESS);
	close_clients(&c);
}

/* Prefixes go on being distinct over adapters of one control. */
static void c35_prefixes_of_all_clients_differ(void **state)
{
	struct bed *a = bed_open(NULL), *b = bed_open(&(struct bed_conf){.beside = a});
	struct vnic_client *more[20];
	bool seen[256];

	(void)state;
	memset(seen, 0, sizeof(seen));
	seen[vnic_client_prefix(a->client)] = true;
	assert_false(seen[vnic_client_prefix(b->client)]);
	seen[vnic_client_prefix(b->client)] = true;
	for (size_t i = 0; i < BED_COUNT_OF(more); i++) {
		more[i] = vnic_client_open(i % 2 == 0 ? a->adapter : b->adapter);
		assert_non_null(more[i]);
		assert_false(seen[vnic_client_prefix(more[i])]);
		seen[vnic_client_prefix(more[i])] = true;
	}
	assert_false(seen[0]);
	for (size_t i = 0; i < BED_COUNT_OF(more); i++)
		assert_int_equal(vnic_client_close(more[i]), 0);
	bed_close(b);
	bed_close(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(c34_prefixes_are_distinct),
		cmocka_unit_test(c34_an_id_keeps_its_prefix),
		cmocka_unit_test(c35_clients_with_equal_counters),
		cmocka_unit_test(c35_not_with_another_ones_prefix),
		cmocka_unit_test(c35_prefixes_of_all_clients_differ),
	};

	return cmocka_run_group_tests_name("conformance id", tests, test_eal_setup,
					   test_eal_teardown);
}
