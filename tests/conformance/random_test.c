/* SPDX-License-Identifier: BSD-3-Clause
 * random_test.c - 100,000 random steps against a model that knows whose each NBL is
 * (C1, C14-C17, C23, C27-C29, C31 together; everything wraps)
 *
 * The model knows nothing of rings and stages. It sees the wire after each data step and
 * knows from it how many packets of each NBL are the port's. At a call it marks the NBLs
 * of which none is; when the verdict stands, those of which still none is must be back,
 * aborted, and nothing that was not marked may be. What is on the wire must be the next
 * packet of its sender, but for marked NBLs, which it may pass over.
 */
#include "bed.h"
#include "handover.h"

#include <errno.h>
#include <stdlib.h>

#ifdef HANDOVER_TOLD
#define STEPS 20000 /* one thread: nothing that TSan could see */
#else
#define STEPS 100000
#endif
#define SENDERS 2u
#define TICKETS 4
#define IDS 8
#define LIVE_MAX 128 /* of a sender of depth 64: 2 * depth - 1 */
#define ROUNDS_MAX (TICKETS + 2)
#define PHASE 512

/* An NBL that has not come back. */
struct live {
	uint32_t nbl;
	uint16_t out;  /* its first `out` packets are the port's */
	bool refused;  /* it cannot be sent */
	bool marked;   /* a cancel may take it */
	bool passed;   /* the wire has gone past it: it is aborted */
};

struct call {
	struct vnic_ticket *ticket;
	bool pending, asked;
	uint64_t id;
	uint32_t rounds;           /* of control, then data, since the call */
	uint32_t mark[SENDERS];    /* NBLs with lower numbers were there */
};

struct model {
	struct bed *b;
	unsigned int seed;
	struct live live[SENDERS][LIVE_MAX];
	uint32_t nb_live[SENDERS];
	struct call call[TICKETS];
	uint32_t seen; /* entries of the wire's log */
	struct vnic_count aborted; /* by the verdicts */
	bool no_poll, no_room, no_control, no_data; /* of this phase */
};

static uint32_t draw(struct model *m, uint32_t below)
{
	return (uint32_t)rand_r(&m->seed) % below;
}

/* Neighbours in value, in one bit, in any small index; and none. */
static uint64_t random_id(struct model *m)
{
	static const uint64_t ids[IDS] = {0, 1, 2, 65, UINT64_C(1) << 32, (UINT64_C(1) << 32) + 1,
					  UINT64_C(1) << 63, UINT64_MAX};

	return ids[draw(m, IDS)];
}

/* ---- what the model sees ---- */

static void see_packet(struct model *m, uint32_t serial)
{
	uint32_t nbl = m->b->packet[serial].nbl, s = m->b->nbl[nbl].sender;

	for (uint32_t i = 0; i < m->nb_live[s]; i++) {
		struct live *l = &m->live[s][i];

		if (l->refused || l->passed || l->out == m->b->nbl[l->nbl].nb_packets)
			continue;
		if (l->nbl == nbl) {
			assert_int_equal(serial, m->b->nbl[nbl].first + l->out++);
			return;
		}
		assert_true(l->marked && l->out == 0);
		l->passed = true;
	}
	fail_msg("packet %u is on the wire, its NBL %u is not queued", serial, nbl);
}

static void see_wire(struct model *m)
{
	bed_wire_drain(m->b);
	while (m->seen < m->b->nb_log)
		see_packet(m, m->b->log[m->seen++]);
}

static void see_completion(const struct model *m, const struct live *l)
{
	const struct bed_nbl *e = &m->b->nbl[l->nbl];

	if (l->refused)
		assert_true(e->status == VNIC_STATUS_INVALID_PARAMETER ||
			    e->status == VNIC_STATUS_INVALID_LENGTH);
	else if (e->status == VNIC_STATUS_SUCCESS)
		assert_int_equal(l->out, e->nb_packets);
	else {
		assert_int_equal(e->status, VNIC_STATUS_SEND_ABORTED);
		assert_true(l->marked && l->out == 0);
	}
}

/* Those that have come back are no longer of interest; the order stays. */
static void see_completions(struct model *m)
{
	for (uint32_t s = 0; s < SENDERS; s++) {
		uint32_t k = 0;

		for (uint32_t i = 0; i < m->nb_live[s]; i++) {
			if (m->b->nbl[m->live[s][i].nbl].done)
				see_completion(m, &m->live[s][i]);
			else
				m->live[s][k++] = m->live[s][i];
		}
		m->nb_live[s] = k;
	}
}

static void poll_all(struct model *m)
{
	bed_poll(m->b);
	see_completions(m);
}

/* ---- calls ---- */

static bool of_call(const struct model *m, const struct call *c, const struct live *l)
{
	const struct bed_nbl *e = &m->b->nbl[l->nbl];

	return !l->refused && l->nbl < c->mark[e->sender] && (c->id == 0 || e->id == c->id);
}

static void post(struct model *m, struct call *c)
{
	bool abort = draw(m, 20) == 0;

	c->id = abort ? 0 : random_id(m);
	if (!abort && c->id == 0) {
		assert_int_equal(vnic_adapter_cancel(m->b->adapter, 0, c->ticket), -EINVAL);
		return;
	}
	assert_int_equal(abort ? vnic_adapter_abort(m->b->adapter, c->ticket)
			       : vnic_adapter_cancel(m->b->adapter, c->id, c->ticket), 0);
	c->pending = true;
	c->asked = false;
	c->rounds = 0;
	for (uint32_t s = 0; s < SENDERS; s++) {
		c->mark[s] = m->b->nb_nbls;
		for (uint32_t i = 0; i < m->nb_live[s]; i++)
			m->live[s][i].marked |= m->live[s][i].out == 0 &&
						of_call(m, c, &m->live[s][i]);
	}
}

/* A verdict that stands: what was marked has begun to leave or is back. */
static void see_verdict(struct model *m, struct call *c)
{
	struct vnic_verdict v;
	int rc = vnic_ticket_verdict(c->ticket, &v);

	if (rc != 0) {
		assert_int_equal(rc, -EINPROGRESS);
		assert_in_range(c->rounds, 0, ROUNDS_MAX);
		return;
	}
	c->pending = false;
	assert_int_equal(v.cancel_id, c->id);
	assert_false(v.unknown && (v.aborted.nbls != 0 || v.too_late != 0));
	m->aborted.nbls += v.aborted.nbls;
	m->aborted.packets += v.aborted.packets;
	poll_all(m);
	for (uint32_t s = 0; s < SENDERS; s++)
		for (uint32_t i = 0; i < m->nb_live[s]; i++)
			assert_false(of_call(m, c, &m->live[s][i]) && m->live[s][i].out == 0);
}

/* ---- steps ---- */

static void step_send(struct model *m)
{
	struct bed *b = m->b;
	uint32_t s = draw(m, SENDERS), first = b->nb_nbls;
	uint16_t n = (uint16_t)(1 + draw(m, 6)), taken;
	uint64_t id = random_id(m);
	bool refused[6];

	for (uint16_t i = 0; i < n; i++) {
		uint32_t serial = b->nb_packets, kind = draw(m, 40);
		uint16_t packets = (uint16_t)(1 + draw(m, 4));

		for (uint16_t k = 0; k < packets; k++) {
			uint32_t len = kind == 0 ? 1600 : kind < 8 ? 20 + draw(m, 40) : 64;

			bed_packet_chain(b, len, kind < 6 ? 2 : 1);
		}
		bed_nbl_of(b, draw(m, 2) == 0 ? id : random_id(m), serial, packets);
		if (kind == 1)
			b->nbl[first + i].nbl->nb_packets = 0;
		refused[i] = kind < 2;
	}
	taken = bed_send_by(b, s, first, n);
	bed_discard(b, first + taken, (uint16_t)(n - taken));
	for (uint16_t i = 0; i < taken; i++) {
		assert_in_range(m->nb_live[s], 0, LIVE_MAX - 2);
		m->live[s][m->nb_live[s]++] =
			(struct live){.nbl = first + i, .refused = refused[i]};
	}
}

static void step_data(struct model *m)
{
	static const uint32_t rooms[] = {0, 0, 1, 2, 3, 5, 10, 31, 64, BED_ROOM_ALL};

	bed_wire_room(m->b, m->no_room ? 0 : rooms[draw(m, BED_COUNT_OF(rooms))]);
	bed_data(m->b);
	see_wire(m);
	for (int i = 0; i < TICKETS; i++) {
		m->call[i].rounds += m->call[i].asked;
		m->call[i].asked = false;
	}
}

static void step_control(struct model *m)
{
	bed_control(m->b);
	for (int i = 0; i < TICKETS; i++) {
		if (!m->call[i].pending)
			continue;
		m->call[i].asked = true;
		see_verdict(m, &m->call[i]);
	}
}

static void step_poll(struct model *m)
{
	bed_poll_by(m->b, draw(m, SENDERS), (uint16_t)draw(m, 12));
	see_completions(m);
}

static void step(struct model *m)
{
	struct call *c = &m->call[draw(m, TICKETS)];
	uint32_t what = draw(m, 20);

	if (what < 6)
		step_send(m);
	else if (what < 11 && !m->no_data)
		step_data(m);
	else if (what < 14 && !m->no_control)
		step_control(m);
	else if (what < 16 && !c->pending)
		post(m, c);
	else if (what < 18 && !m->no_poll)
		step_poll(m);
	else if (what == 18 && !m->no_poll)
		poll_all(m);
}

/* All polled: what the account calls queued is what the model has not seen end. */
static void check_queued(struct model *m)
{
	struct vnic_adapter_stats st;
	uint64_t nbls = 0, packets = 0;

	poll_all(m);
	st = bed_stats(m->b);
	for (uint32_t s = 0; s < SENDERS; s++)
		for (uint32_t i = 0; i < m->nb_live[s]; i++) {
			nbls++;
			packets += m->b->nbl[m->live[s][i].nbl].nb_packets - m->live[s][i].out;
		}
	assert_int_equal(st.queued.nbls, nbls);
	assert_int_equal(st.queued.packets, packets);
	assert_int_equal(st.sent.packets, m->b->nb_log);
}

static void next_phase(struct model *m)
{
	uint32_t what = draw(m, 10);

	if (!m->no_poll)
		check_queued(m);
	m->no_poll = what == 0;
	m->no_room = what == 1;
	m->no_control = what == 2;
	m->no_data = what == 3;
}

struct plan {
	unsigned int seed;
	uint64_t ring_start; /* the queues' first position */
	uint16_t burst;
	bool linear_only;
};

static void run(void **state)
{
	const struct plan *p = *state;
	struct model *m = calloc(1, sizeof(*m));

	assert_non_null(m);
	m->seed = p->seed;
	m->b = bed_open(&(struct bed_conf){.nb_senders = SENDERS, .ring_start = p->ring_start,
					   .burst = p->burst, .linear_only = p->linear_only,
					   .nb_mbufs = 4096});
	for (int i = 0; i < TICKETS; i++)
		m->call[i].ticket = vnic_ticket_create(-1);
	for (uint32_t i = 0; i < STEPS; i++) {
		if (i % PHASE == 0)
			next_phase(m);
		step(m);
	}
	bed_settle(m->b);
	see_wire(m);
	see_completions(m);
	for (int i = 0; i < TICKETS; i++) {
		while (m->call[i].pending) {
			step_control(m);
			step_data(m);
		}
		assert_int_equal(vnic_ticket_destroy(m->call[i].ticket), 0);
	}
	assert_int_equal(bed_stats(m->b).aborted.nbls, m->aborted.nbls);
	assert_int_equal(bed_stats(m->b).aborted.packets, m->aborted.packets);
	assert_true(m->aborted.nbls > STEPS / 25 && m->b->nb_log > STEPS / 25);
	bed_close(m->b);
	free(m);
}

#define PLAN(...) {"random_steps " #__VA_ARGS__, run, NULL, NULL, &(struct plan){__VA_ARGS__}}
#define NEAR_32 (UINT64_C(1) << 32) - 20000
#define NEAR_40 (UINT64_C(1) << 40) - 20000
#define NEAR_64 UINT64_MAX - 20000

int main(void)
{
	const struct CMUnitTest tests[] = {
		PLAN(.seed = 1),
		PLAN(.seed = 2, .burst = 1),
		PLAN(.seed = 3, .burst = 64),
		PLAN(.seed = 4, .burst = 7, .linear_only = true),
		PLAN(.seed = 5, .ring_start = NEAR_32),
		PLAN(.seed = 6, .ring_start = NEAR_40),
		PLAN(.seed = 7, .ring_start = NEAR_64),
		PLAN(.seed = 8, .ring_start = NEAR_32, .burst = 64),
	};

	return cmocka_run_group_tests_name("conformance random", tests, test_eal_setup,
					   test_eal_teardown);
}
