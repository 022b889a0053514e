/* SPDX-License-Identifier: BSD-3-Clause
 * ring_rig.h - a cancelable ring whose three sides one thread steps by hand
 *
 * Some states need a second thread to arise by themselves. Tests of those write the ring's
 * words: the flag set during a claim, a claim that the canceller read early, links of
 * 2^32 positions ago.
 */
#ifndef RING_RIG_H
#define RING_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "ring.h"

#define ALL UINT64_MAX
#define PREFIX (UINT64_C(0xff) << 56)
#define A UINT64_C(0xa00000000000a001)
#define B UINT64_C(0xb00000000000b002)
#define SMALL 64u
#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))

/* 64 entries from here cross the wrap of the links, the stamps, the positions */
static const uint64_t starts[] = {
	0, (UINT64_C(1) << 32) - 33, (UINT64_C(1) << 40) - 33, UINT64_MAX - 32};

struct rig {
	struct vnic__ring *ring;
	struct vnic__ring_producer p;
	struct vnic__ring_consumer c;
	struct vnic__ring_canceller x;
	uint32_t sent; /* the handle of the next entry */
};

static inline struct rig rig_open(uint32_t size, uint64_t start)
{
	size_t bytes = vnic__ring_bytes(size);
	struct rig g = {0};
	void *mem = aligned_alloc(VNIC__LINE, bytes);

	assert_non_null(mem);
	memset(mem, 0xa5, bytes); /* init owes nothing to the memory's content */
	g.ring = vnic__ring_init(mem, size, start);
	vnic__ring_sides(g.ring, &g.p, &g.c, &g.x);
	return g;
}

static inline void rig_close(struct rig *g)
{
	free(g->ring);
}

static inline uint64_t tail_of(const struct rig *g)
{
	return atomic_load(&g->ring->tail);
}

static inline void send(struct rig *g, uint64_t id, uint32_t n)
{
	struct vnic__ring_burst b;

	assert_int_equal(vnic__ring_room(&g->p, n), n);
	b = vnic__ring_begin(&g->p);
	for (uint32_t i = 0; i < n; i++)
		vnic__ring_put(&b, g->sent++, id);
	vnic__ring_publish(&g->p, &b);
}

/* Claim exactly n positions, of which k get staged. */
static inline void stage(struct rig *g, uint32_t n, uint32_t k)
{
	uint32_t advanced;

	assert_int_equal(vnic__ring_staged(&g->c), 0);
	assert_int_equal(vnic__ring_claim(&g->c, n, &advanced), k);
	assert_int_equal(advanced, n);
	assert_int_equal(vnic__ring_staged(&g->c), k);
}

/* As under a cancel that has just begun and has not ended when the claim is done. */
/* The same while a walk goes on that takes what is below `mark`. */
static inline void stage_in_walk(struct rig *g, uint32_t n, uint32_t k, uint64_t mark)
{
	uint64_t cancels = atomic_load(&g->ring->cancels);

	atomic_store(&g->ring->walk_mark, mark);
	atomic_store(&g->ring->cancels, cancels | 1);
	stage(g, n, k);
	atomic_store(&g->ring->cancels, cancels);
}

static inline void stage_contended(struct rig *g, uint32_t n, uint32_t k)
{
	stage_in_walk(g, n, k, atomic_load(&g->ring->tail));
}

static inline void leave(struct rig *g)
{
	vnic__ring_release(&g->c, vnic__ring_staged(&g->c));
	assert_int_equal(atomic_load(&g->ring->settled), g->c.head);
}

static inline struct vnic__ring_found cancel_at(struct rig *g, uint64_t id, uint64_t mask,
						uint64_t mark, uint64_t late_from)
{
	struct vnic__ring_target t = {.id = id, .mask = mask, .mark = mark};
	struct vnic__ring_found f = vnic__ring_cancel(&g->x, &t, late_from);

	/* the walk is over, and the count that the consumer compares is the handles' */
	assert_int_equal(atomic_load(&g->ring->cancels), 2 * g->x.aborted);
	return f;
}

static inline struct vnic__ring_found cancel(struct rig *g, uint64_t id)
{
	return cancel_at(g, id, ALL, tail_of(g), atomic_load(&g->ring->claim));
}

static inline void expect_found(struct vnic__ring_found f, uint32_t claimed, uint32_t late,
				bool help)
{
	assert_int_equal(f.nb_claimed, claimed);
	assert_int_equal(f.nb_late, late);
	assert_int_equal(f.need_help, help);
}

static inline void expect_stage(const struct rig *g, const uint32_t *handle, uint32_t n)
{
	assert_int_equal(vnic__ring_staged(&g->c), n);
	for (uint32_t i = 0; i < n; i++)
		assert_int_equal(vnic__ring_stage_handle(&g->c, i), handle[i]);
}

/* The rest of the queue is these handles, in this order, and every tomb is passed. */
static inline void expect_rest(struct rig *g, const uint32_t *handle, uint32_t n)
{
	uint32_t seen = 0, advanced;

	for (;;) {
		uint32_t k = vnic__ring_claim(&g->c, 7, &advanced);

		if (advanced == 0)
			break;
		assert_true(seen + k <= n);
		expect_stage(g, handle + seen, k);
		seen += k;
		leave(g);
	}
	assert_int_equal(seen, n);
	assert_int_equal(g->c.head, tail_of(g));
	assert_int_equal(g->c.tombs, g->x.aborted);
}

/* The k-th id after `id` that falls in its bucket. */
static inline uint64_t neighbour(const struct rig *g, uint64_t id, uint32_t k)
{
	uint32_t shift = g->ring->hash_shift, h = vnic__ring_hash(shift, id);

	for (;;)
		if (vnic__ring_hash(shift, ++id) == h && k-- == 0)
			return id;
}

/* The only place that knows the shape of an answer. */
static inline bool answered(struct rig *g, uint32_t *nb_aborted)
{
	return vnic__ring_help_answered(&g->x, nb_aborted);
}

static inline void ask(struct rig *g, uint64_t id, uint64_t mask, uint64_t mark)
{
	struct vnic__ring_target t = {.id = id, .mask = mask, .mark = mark};
	uint32_t nb;

	vnic__ring_help_ask(&g->x, &t);
	assert_false(answered(g, &nb));
	assert_true(vnic__ring_help_wanted(&g->c));
}

static inline void answer(struct rig *g, uint32_t nb_aborted)
{
	uint32_t nb;

	vnic__ring_help_done(&g->c, nb_aborted);
	assert_false(vnic__ring_help_wanted(&g->c));
	assert_true(answered(g, &nb));
	assert_int_equal(nb, nb_aborted);
}

static inline uint64_t rng(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

#endif
