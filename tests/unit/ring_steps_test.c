/* SPDX-License-Identifier: BSD-3-Clause
 * ring_steps_test.c - the cancelable ring: random steps of its sides against a plain list
 *
 * After each step the ring's answer must be the list's: which entries a burst has, which a
 * cancel takes, how many were late, whether it needs help, which the help takes.
 */
#include "ring_rig.h"

#define NB_STEPS 30000
#define WINDOW 2048u /* a power of two above the largest size and all that is looked back at */

enum state { NEVER, QUEUED, STAGED, LEFT, TAKEN_BACK };

struct entry {
	uint64_t pos;
	uint64_t id;
	uint32_t handle;
	enum state state;
};

struct list {
	struct rig g;
	uint64_t seed;
	uint64_t start;
	uint64_t written; /* >= tail: entries put and not yet published */
	uint64_t tail;
	uint64_t claim;
	uint64_t settled;
	uint64_t contended; /* from here to claim the slots were taken one by one */
	bool writing;
	struct vnic__ring_burst burst;
	uint32_t nb_staged;
	uint64_t staged[VNIC__RING_STAGE_MAX];
	bool asked;
	struct vnic__ring_target question;
	uint32_t nb_ids;
	uint64_t id[8];
	struct entry entry[WINDOW];
};

struct setting {
	uint32_t size;
	uint64_t start;
};

static uint32_t roll(struct list *l, uint32_t below)
{
	return (uint32_t)(rng(&l->seed) % below);
}

static struct entry *at(struct list *l, uint64_t pos)
{
	return &l->entry[pos & (WINDOW - 1)];
}

static bool below(uint64_t a, uint64_t b)
{
	return (int64_t)(a - b) < 0;
}

static bool matches(struct list *l, uint64_t pos, const struct vnic__ring_target *t)
{
	const struct entry *e = at(l, pos);

	return e->state != NEVER && e->pos == pos && ((e->id ^ t->id) & t->mask) == 0 &&
	       below(pos, t->mark);
}

/* ---- producer ---- */

static void step_put(struct list *l)
{
	uint32_t n = vnic__ring_room(&l->g.p, 1 + roll(l, 32));
	uint64_t id = 0;

	if (!l->writing) {
		assert_true(l->written - l->claim + n <= l->g.ring->size);
		l->burst = vnic__ring_begin(&l->g.p);
		l->writing = true;
		for (uint32_t i = 0; i < n; i++, l->written++) {
			id = i == 0 || roll(l, 3) == 0 ? l->id[roll(l, l->nb_ids)] : id;
			*at(l, l->written) = (struct entry){l->written, id, l->g.sent, QUEUED};
			vnic__ring_put(&l->burst, l->g.sent++, id);
		}
	} else {
		vnic__ring_publish(&l->g.p, &l->burst);
		l->tail = l->written;
		l->writing = false;
	}
}

/* ---- consumer ---- */

/* After a claim, or after a release or help: these announce what has left. */
static void expect_staged(struct list *l, bool announced)
{
	assert_int_equal(vnic__ring_staged(&l->g.c), l->nb_staged);
	for (uint32_t i = 0; i < l->nb_staged; i++)
		assert_int_equal(vnic__ring_stage_handle(&l->g.c, i), at(l, l->staged[i])->handle);
	if (l->nb_staged == 0)
		l->settled = l->claim;
	else if (announced)
		l->settled = l->staged[0];
	assert_int_equal(atomic_load(&l->g.ring->settled), l->settled);
}

static void step_claim(struct list *l)
{
	uint32_t n = 1 + roll(l, VNIC__RING_STAGE_MAX), ready = (uint32_t)(l->tail - l->claim);
	uint64_t cancels = atomic_load(&l->g.ring->cancels);
	bool walk = roll(l, 3) == 0, above = roll(l, 2) == 0;
	uint32_t advanced, k;

	if (l->nb_staged != 0)
		return;
	/* of a walk that takes nothing of the burst no entry is left as taken under it */
	atomic_store(&l->g.ring->walk_mark, above ? l->claim : l->tail);
	atomic_store(&l->g.ring->cancels, cancels | walk);
	k = vnic__ring_claim(&l->g.c, n, &advanced);
	atomic_store(&l->g.ring->cancels, cancels);
	assert_int_equal(advanced, ready < n ? ready : n);
	for (uint32_t i = 0; i < advanced; i++, l->claim++) {
		if (at(l, l->claim)->state == TAKEN_BACK)
			continue;
		at(l, l->claim)->state = STAGED;
		l->staged[l->nb_staged++] = l->claim;
	}
	if (!walk || above)
		l->contended = l->claim;
	assert_int_equal(k, l->nb_staged);
	expect_staged(l, false);
}

static void step_release(struct list *l)
{
	uint32_t n = roll(l, 2) ? l->nb_staged : roll(l, l->nb_staged + 1);

	if (l->nb_staged == 0)
		return;
	for (uint32_t i = 0; i < n; i++)
		at(l, l->staged[i])->state = LEFT;
	vnic__ring_release(&l->g.c, n);
	l->nb_staged -= n;
	memmove(l->staged, l->staged + n, l->nb_staged * sizeof(l->staged[0]));
	expect_staged(l, true);
}

static void step_help(struct list *l)
{
	bool keep[VNIC__RING_STAGE_MAX];
	uint32_t nb = 0, n = l->nb_staged;

	assert_int_equal(vnic__ring_help_wanted(&l->g.c), l->asked);
	if (!l->asked)
		return;
	l->nb_staged = 0;
	for (uint32_t i = 0; i < n; i++) {
		uint64_t pos = l->staged[i];

		keep[i] = !matches(l, pos, &l->question);
		assert_int_equal(vnic__ring_help_match(&l->g.c, i, at(l, pos)->id), !keep[i]);
		if (keep[i])
			l->staged[l->nb_staged++] = pos;
		else
			at(l, pos)->state = TAKEN_BACK;
	}
	nb = n - l->nb_staged;
	vnic__ring_stage_keep(&l->g.c, 0, keep);
	expect_staged(l, true);
	answer(&l->g, nb);
	l->asked = false;
}

/* ---- canceller ---- */

static struct vnic__ring_target any_target(struct list *l, uint64_t newest)
{
	uint32_t dice = roll(l, 20);

	return (struct vnic__ring_target){
		.id = l->id[roll(l, 8)], /* some are never sent */
		.mask = dice == 0 ? 0 : dice < 4 ? PREFIX : dice < 5 ? ~PREFIX : ALL,
		.mark = newest - (roll(l, 2) ? roll(l, l->g.ring->size) : 0)};
}

/* need_help must be when a match is staged, and must not be when nothing that is or was
 * staged matches and no slot that could have told has been used again. */
static void check_need_help(struct list *l, const struct vnic__ring_target *t, bool early,
			    bool need_help)
{
	bool must = false, may = early || below(l->settled, l->written - l->g.ring->size);

	for (uint64_t pos = l->settled; below(pos, l->claim); pos++) {
		if (!matches(l, pos, t))
			continue;
		must = must || at(l, pos)->state == STAGED;
		may = may || at(l, pos)->state != TAKEN_BACK;
	}
	assert_true(need_help || !must);
	assert_true(!need_help || may);
}

/* Those whose slots stand are counted; of the others it must be said that there may be. */
static void check_late(struct list *l, const struct vnic__ring_target *t, uint64_t low,
		       const struct vnic__ring_found *f)
{
	uint64_t stands = l->written - l->g.ring->size;
	uint32_t late = 0, lost = 0;

	for (uint64_t pos = low; below(pos, l->claim); pos++)
		if (matches(l, pos, t) && at(l, pos)->state != TAKEN_BACK)
			*(below(pos, stands) ? &lost : &late) += 1;
	assert_int_equal(f->nb_late, late);
	assert_true(f->reused || lost == 0);
	assert_true(!f->reused || below(low, stands) || below(low, l->start));
}

static void step_cancel(struct list *l)
{
	struct vnic__ring *r = l->g.ring;
	/* the claim as it was, if all since then was taken one by one */
	bool early = roll(l, 3) == 0 && l->contended != l->claim;
	uint64_t claim = early ? l->contended : l->claim;
	uint64_t newest = below(claim + r->size, l->tail) ? claim + r->size : l->tail;
	struct vnic__ring_target t = any_target(l, newest);
	uint64_t late_from = claim + 8 - roll(l, 3 * r->size + 8);
	uint64_t low = below(late_from, l->settled) ? late_from : l->settled;
	struct vnic__ring_found f;
	uint32_t k = 0;

	atomic_store(&r->claim, claim);
	f = vnic__ring_cancel(&l->g.x, &t, late_from);
	atomic_store(&r->claim, l->claim);
	low = below(claim, low) ? claim : low;
	check_late(l, &t, low, &f);
	check_need_help(l, &t, early, f.need_help);
	for (uint64_t pos = t.mark; below(l->claim, pos);) {
		struct entry *e = at(l, --pos);

		if (e->state != QUEUED || !matches(l, pos, &t))
			continue;
		assert_true(k < f.nb_claimed);
		assert_int_equal(l->g.x.claimed[k++], e->handle);
		e->state = TAKEN_BACK;
	}
	assert_int_equal(f.nb_claimed, k);
	if (f.need_help && !l->asked) {
		ask(&l->g, t.id, t.mask, t.mark);
		l->question = t;
		l->asked = true;
	}
}

static void step_sample(struct list *l)
{
	uint64_t id = vnic__ring_sample(&l->g.x, rng(&l->seed));
	bool queued = false, any = false;

	for (uint64_t pos = l->claim; pos != l->tail; pos++) {
		any = any || at(l, pos)->state == QUEUED;
		queued = queued || (at(l, pos)->state == QUEUED && at(l, pos)->id == id);
	}
	/* 0 is also the answer where nothing but tombs is left */
	assert_true(queued || (!any && id == 0));
}

/* ---- all ---- */

/* Three of one bucket, two prefixes, the id 0, and two that are never sent: one of them
 * of the first bucket. */
static void choose_ids(struct list *l)
{
	l->nb_ids = 6;
	l->id[0] = A;
	l->id[1] = neighbour(&l->g, A, 0);
	l->id[2] = neighbour(&l->g, A, 1);
	l->id[3] = B;
	l->id[4] = B + 1;
	l->id[5] = 0;
	l->id[6] = neighbour(&l->g, A, 2);
	l->id[7] = A + B;
}

static void every_step_agrees_with_the_list(void **state)
{
	void (*const step[])(struct list *) = {
		step_put, step_put, step_put, step_claim, step_claim, step_release,
		step_help, step_cancel, step_sample};
	const struct setting *s = *state;
	struct list *l = calloc(1, sizeof(*l));

	assert_non_null(l);
	l->g = rig_open(s->size, s->start);
	l->seed = s->size ^ s->start;
	l->start = l->written = l->tail = l->claim = l->settled = l->contended = s->start;
	choose_ids(l);
	for (int i = 0; i < NB_STEPS; i++) {
		/* now the producer is the faster, now the consumer */
		size_t n = COUNT_OF(step) - (i / 500 & 1 ? 3 : 0);

		step[i / 500 & 1 ? roll(l, (uint32_t)n) + 3 : roll(l, (uint32_t)n)](l);
	}
	rig_close(&l->g);
	free(l);
}

#define STEPS(size, name, start)                                                                   \
	{"size " #size ", start " name, every_step_agrees_with_the_list, NULL, NULL,               \
	 &(struct setting){size, start}}
#define STEPS_OF(size)                                                                             \
	STEPS(size, "0", starts[0]), STEPS(size, "below 2^32", starts[1]),                         \
		STEPS(size, "below 2^40", starts[2]), STEPS(size, "below 2^64", starts[3])

int main(void)
{
	const struct CMUnitTest tests[] = {
		STEPS_OF(2), STEPS_OF(8), STEPS_OF(64), STEPS_OF(256)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
