/* SPDX-License-Identifier: BSD-3-Clause
 * ring.c - the cancelable ring: layout, the cancel walk, help for the stage
 */
#include "ring.h"

#include "prefetch.h"

#include <string.h>

#define WALK_BATCH 32
#define RUN_AHEAD 64 /* ids of a run asked for before they are read */
#define PER_LINE (VNIC__LINE / sizeof(uint64_t))
#define SAMPLE_TRIES 256

static size_t line_up(size_t n)
{
	return (n + VNIC__LINE - 1) & ~(size_t)(VNIC__LINE - 1);
}

static uint32_t blocks(uint32_t size)
{
	return (size + (1u << VNIC__BLOCK_SHIFT) - 1) >> VNIC__BLOCK_SHIFT;
}

static size_t tomb_bytes(uint32_t size)
{
	return line_up(blocks(size) * sizeof(uint64_t));
}

size_t vnic__ring_bytes(uint32_t size)
{
	return line_up(sizeof(struct vnic__ring)) +
	       2 * line_up((size_t)size * sizeof(uint64_t)) +
	       3 * line_up((size_t)size * sizeof(uint32_t)) + tomb_bytes(size);
}

struct vnic__ring *vnic__ring_init(void *mem, uint32_t size, uint64_t start)
{
	struct vnic__ring *r = mem;
	char *at = (char *)mem + line_up(sizeof(*r));

	memset(mem, 0, vnic__ring_bytes(size));
	r->size = size;
	r->mask = size - 1;
	r->hash_shift = 64 - (uint32_t)__builtin_ctz(size);
	r->slot = (_Atomic uint64_t *)at;
	at += line_up((size_t)size * sizeof(uint64_t));
	r->id = (_Atomic uint64_t *)at;
	at += line_up((size_t)size * sizeof(uint64_t));
	r->prev = (_Atomic uint32_t *)at;
	at += line_up((size_t)size * sizeof(uint32_t));
	r->bucket = (_Atomic uint32_t *)at;
	at += line_up((size_t)size * sizeof(uint32_t));
	r->tomb = (_Atomic uint64_t *)at;
	/* every link is just below the first position: dead */
	for (uint32_t i = 0; i < size; i++) {
		atomic_init(&r->slot[i], (start + i - size) << VNIC__HANDLE_BITS | VNIC__TOMB_ABORTED);
		atomic_init(&r->prev[i], (uint32_t)(start - 1));
		atomic_init(&r->bucket[i], (uint32_t)(start - 1));
	}
	for (uint32_t i = 0; i < blocks(size); i++)
		atomic_init(&r->tomb[i], start - 1);
	atomic_init(&r->tail, start);
	atomic_init(&r->claim, start);
	atomic_init(&r->head, start);
	atomic_init(&r->settled, start);
	atomic_init(&r->walk_mark, start);
	return r;
}

void vnic__ring_sides(struct vnic__ring *r, struct vnic__ring_producer *p,
		      struct vnic__ring_consumer *c, struct vnic__ring_canceller *x)
{
	uint64_t start = atomic_load_explicit(&r->tail, memory_order_relaxed);

	*p = (struct vnic__ring_producer){
		.ring = r, .pos = start, .head_seen = start, .run_prev = (uint32_t)(start - 1),
		.most = r->size};
	*c = (struct vnic__ring_consumer){.ring = r, .head = start, .tail_seen = start};
	/* the claimed handles lie behind the ring's other arrays */
	*x = (struct vnic__ring_canceller){
		.ring = r,
		.claimed = (uint32_t *)((char *)r->tomb + tomb_bytes(r->size))};
}

/* ---- a claim that meets a walk ---- */

/* Take one slot while a cancel is under way: one compare-and-exchange, which fails
 * only where the canceller was first. */
static bool take_contended(struct vnic__ring_consumer *c, uint64_t pos, uint64_t *word)
{
	_Atomic uint64_t *slot = &c->ring->slot[(uint32_t)pos & c->ring->mask];
	uint64_t taken = pos << VNIC__HANDLE_BITS | VNIC__TOMB_TAKEN;

	*word = atomic_load_explicit(slot, memory_order_relaxed); /* ordered by A1 */
	return (*word & VNIC__HANDLE_MASK) != VNIC__TOMB_ABORTED &&
	       atomic_compare_exchange_strong_explicit(slot, word, taken, memory_order_acq_rel,
						       memory_order_relaxed);
}

/* The flag has been seen: may the walk take entries of the burst that begins at `head`? What is
 * sent while a long walk goes on, or a canceller stands still in one, it may not. */
static bool contended(const struct vnic__ring *r, uint64_t head)
{
	/* A19 <- R19 */
	return (int64_t)(head - atomic_load_explicit(&r->walk_mark, memory_order_acquire)) < 0;
}

/* Read the words of n claimed slots in a walk that may not take them. If it has fallen behind
 * by a round of the ring, it may yet try to exchange the word that was there then: in vain, but
 * not beside a plain read. */
static void look_slots(struct vnic__ring_consumer *c, uint32_t n)
{
	const struct vnic__ring *r = c->ring;

	/* relaxed: ordered by A1 and A19 */
	for (uint32_t i = 0; i < n; i++)
		c->stage[i] = atomic_load_explicit(&r->slot[(uint32_t)(c->head + i) & r->mask],
						   memory_order_relaxed);
}

uint32_t vnic__ring_claim_in_walk(struct vnic__ring_consumer *c, uint32_t n)
{
	const uint64_t head = c->head;
	uint32_t k = 0;

	if (contended(c->ring, head)) {
		for (uint32_t i = 0; i < n; i++)
			k += take_contended(c, head + i, &c->stage[k]);
		return k;
	}
	look_slots(c, n); /* A19 */
	return vnic__ring_tombs_among(c->ring, head, head + n) ? vnic__ring_drop_tombs(c->stage, n) : n;
}

/* ---- the cancel walk ---- */

struct candidate {
	uint64_t pos;
	bool match;
};

struct walk {
	struct vnic__ring *ring;
	struct vnic__ring_target target;
	uint64_t claim;   /* below it the consumer owns */
	uint64_t settled; /* below it nothing is staged */
	uint64_t low;     /* below it nothing is looked at */
	uint32_t *claimed;
	struct vnic__ring_found found;
	uint32_t nb;
	struct candidate *batch;
};

/* Positions wrap, if not in this century. */
static bool before(uint64_t a, uint64_t b)
{
	return (int64_t)(a - b) < 0;
}

/* A link's full position: the newest one that has these 32 bits and is at most `at`. */
static uint64_t widen_below(uint64_t at, uint32_t link)
{
	return at - (uint32_t)((uint32_t)at - link);
}

/* The consumer is to look for this tomb. Never lowered: a newer one of the block, perhaps of
 * the ring's next round, would be missed. */
static void mark_tomb(struct vnic__ring *r, uint64_t pos)
{
	_Atomic uint64_t *tomb = vnic__ring_tomb(r, pos);

	/* relaxed, both: only this thread writes them, R4 makes them seen */
	if (before(atomic_load_explicit(tomb, memory_order_relaxed), pos))
		atomic_store_explicit(tomb, pos, memory_order_relaxed);
}

/* Judge one candidate by its slot. The stamp read here is read after its id and
 * link were, so a stamp that still stands says that they were the entry's own. */
static void judge(struct walk *w, const struct candidate *c)
{
	const uint64_t stamps = UINT64_MAX >> VNIC__HANDLE_BITS;
	_Atomic uint64_t *slot = &w->ring->slot[(uint32_t)c->pos & w->ring->mask];
	uint64_t word = atomic_load_explicit(slot, memory_order_acquire);
	uint64_t aborted = c->pos << VNIC__HANDLE_BITS | VNIC__TOMB_ABORTED;

	for (;;) {
		if (word >> VNIC__HANDLE_BITS != (c->pos & stamps)) {
			/* reused: the claim has passed it and all that is older;
			 * whether older matches are staged, the chain no longer says */
			if (!before(c->pos, w->settled))
				w->found.need_help = true;
			w->found.reused = true;
			return;
		}
		if (!c->match || word == aborted)
			return;
		if (before(c->pos, w->claim) || (word & VNIC__HANDLE_MASK) == VNIC__TOMB_TAKEN) {
			w->found.nb_late++;
			if (!before(c->pos, w->settled))
				w->found.need_help = true;
			return;
		}
		if (w->target.spare != NULL &&
		    w->target.spare(w->target.context, (uint32_t)(word & VNIC__HANDLE_MASK)))
			return;
		if (atomic_compare_exchange_strong_explicit(slot, &word, aborted,
							    memory_order_acq_rel,
							    memory_order_acquire)) {
			mark_tomb(w->ring, c->pos);
			w->claimed[w->found.nb_claimed++] = (uint32_t)(word & VNIC__HANDLE_MASK);
			return;
		}
	}
}

/* Candidates are gathered first, their slots prefetched, and judged together: the
 * misses of a batch overlap, where a locked instruction would put them in a row. */
static void judge_batch(struct walk *w)
{
	for (uint32_t i = 0; i < w->nb; i++)
		judge(w, &w->batch[i]);
	w->nb = 0;
}

static void gather(struct walk *w, uint64_t pos, bool match)
{
	if (w->nb == WALK_BATCH)
		judge_batch(w);
	w->batch[w->nb++] = (struct candidate){pos, match};
}

static void consider(struct walk *w, uint64_t pos, bool match)
{
	vnic__prefetch_write(&w->ring->slot[(uint32_t)pos & w->ring->mask]);
	gather(w, pos, match);
}

/* The next older entry of a run: each line of slots is asked for once, and the ids go
 * ahead. Ids beyond the run's end are asked for in vain, which does no harm. */
static void consider_neighbour(struct walk *w, uint64_t pos)
{
	const struct vnic__ring *r = w->ring;

	if (pos % PER_LINE == PER_LINE - 1) {
		vnic__prefetch_write(&r->slot[(uint32_t)pos & r->mask]);
		__builtin_prefetch((const void *)&r->id[(uint32_t)(pos - RUN_AHEAD) & r->mask]);
	}
	gather(w, pos, before(pos, w->target.mark));
}

/* From the newest entry of the bucket back, run by run. */
static void walk_chain(struct walk *w)
{
	struct vnic__ring *r = w->ring;
	const uint64_t want = w->target.id;
	uint32_t h = vnic__ring_hash(r->hash_shift, want);
	/* A3 <- R3 */
	uint32_t newest = atomic_load_explicit(&r->bucket[h], memory_order_acquire);
	uint64_t pos = w->claim + (uint64_t)(int64_t)(int32_t)(newest - (uint32_t)w->claim);

	if (!before(pos, w->claim + 2 * (uint64_t)r->size)) {
		/* The ring went round since the claim was read: all that it covers is dead.
		 * Or the bucket is so old that it aliases the future: nothing was there. */
		w->found.reused = before(pos, atomic_load_explicit(&r->tail, memory_order_acquire) +
						      r->size);
		w->found.need_help = w->found.reused;
		return;
	}
	while (!before(pos, w->low) && !w->found.reused) {
		uint32_t i = (uint32_t)pos & r->mask;
		/* A3 <- R3, both */
		uint64_t id = atomic_load_explicit(&r->id[i], memory_order_acquire);
		uint32_t link = atomic_load_explicit(&r->prev[i], memory_order_acquire);
		uint64_t next = widen_below(pos - 1, link);

		consider(w, pos, id == want && before(pos, w->target.mark));
		if (id == want) {
			/* the older entries of its run lie side by side */
			while (!before(--pos, w->low) && !w->found.reused &&
			       atomic_load_explicit(&r->id[(uint32_t)pos & r->mask],
						    memory_order_acquire) == want)
				consider_neighbour(w, pos);
			/* does the run end here, or was it written over from here on? */
			if (!before(pos, w->low))
				consider(w, pos, false);
			if (before(pos, next))
				break; /* a link of a reused entry: judge() notices */
		} else if (vnic__ring_hash(r->hash_shift, id) != h) {
			break; /* an alias or a reused entry: likewise */
		}
		pos = next;
	}
	judge_batch(w);
}

/* Every position, newest first: for targets that the index does not know. */
static void walk_all(struct walk *w)
{
	struct vnic__ring *r = w->ring;

	for (uint64_t pos = w->target.mark; !before(--pos, w->low) && !w->found.reused;) {
		/* A3 <- R3 */
		uint64_t id = atomic_load_explicit(&r->id[(uint32_t)pos & r->mask],
						   memory_order_acquire);

		consider(w, pos, ((id ^ w->target.id) & w->target.mask) == 0);
	}
	judge_batch(w);
}

struct vnic__ring_found vnic__ring_cancel(struct vnic__ring_canceller *x,
					  const struct vnic__ring_target *t, uint64_t late_from)
{
	struct vnic__ring *r = x->ring;
	/* apart, for it is larger than all the rest and need not be cleared */
	struct candidate batch[WALK_BATCH];
	struct walk w = {.ring = r, .target = *t, .claimed = x->claimed, .batch = batch};

	/* R19 -> A19 */
	atomic_store_explicit(&r->walk_mark, t->mark, memory_order_release);
	/* SC: the flag, then the claim */
	atomic_exchange_explicit(&r->cancels, 2 * x->aborted + 1, memory_order_seq_cst);
	w.claim = atomic_load_explicit(&r->claim, memory_order_seq_cst);
	/* A5 <- R5 */
	w.settled = atomic_load_explicit(&r->settled, memory_order_acquire);
	w.low = before(late_from, w.settled) ? late_from : w.settled;
	if (before(w.claim, w.low))
		w.low = w.claim;
	if (t->mask == UINT64_MAX)
		walk_chain(&w);
	else
		walk_all(&w);
	x->aborted += w.found.nb_claimed;
	/* R4 -> A4 */
	atomic_store_explicit(&r->cancels, 2 * x->aborted, memory_order_release);
	return w.found;
}

uint64_t vnic__ring_sample(const struct vnic__ring_canceller *x, uint64_t random)
{
	const struct vnic__ring *r = x->ring;
	uint64_t from = atomic_load_explicit(&r->claim, memory_order_acquire);
	uint64_t queued = atomic_load_explicit(&r->tail, memory_order_acquire) - from;

	if (queued == 0 || queued > r->size)
		return 0;
	/* from a random place on to one that is not a tomb; an entry that has been reused
	 * meanwhile is as good: it is queued too */
	for (uint64_t k = 0; k < queued && k < SAMPLE_TRIES; k++) {
		uint32_t i = (uint32_t)(from + (random + k) % queued) & r->mask;
		uint64_t word = atomic_load_explicit(&r->slot[i], memory_order_relaxed);

		if ((word & VNIC__HANDLE_MASK) < VNIC__TOMB_TAKEN)
			return atomic_load_explicit(&r->id[i], memory_order_relaxed);
	}
	return 0;
}

/* ---- help: the consumer's staged burst ---- */

/* An entry aborted out of the stage leaves a tomb where its slot still stands, so that no
 * later cancel counts it as late. */
static void bury(struct vnic__ring_consumer *c, uint32_t i)
{
	uint64_t pos = vnic__ring_stage_pos(c, i), word = c->stage[c->stage_first + i];
	uint64_t taken = pos << VNIC__HANDLE_BITS | VNIC__TOMB_TAKEN;
	_Atomic uint64_t *slot = &c->ring->slot[(uint32_t)pos & c->ring->mask];

	/* relaxed: nothing is read through it; a slot that the producer has used again has
	 * another stamp */
	for (int k = 0; k < 2; k++, word = taken)
		if (atomic_compare_exchange_strong_explicit(slot, &word,
							    pos << VNIC__HANDLE_BITS | VNIC__TOMB_ABORTED,
							    memory_order_relaxed, memory_order_relaxed))
			return;
}

void vnic__ring_stage_keep(struct vnic__ring_consumer *c, uint32_t from, const bool keep[])
{
	uint32_t k = c->stage_first + from;

	for (uint32_t i = k; i < c->stage_end; i++)
		if (keep[i - c->stage_first])
			c->stage[k++] = c->stage[i];
		else
			bury(c, i - c->stage_first);
	c->stage_end = k;
	vnic__ring_release(c, 0);
}

void vnic__ring_help_done(struct vnic__ring_consumer *c, uint32_t nb_aborted)
{
	struct vnic__ring *r = c->ring;

	c->help_seen = atomic_load_explicit(&r->help_seq, memory_order_relaxed);
	r->help_aborted = nb_aborted;
	/* R7 -> A7 */
	atomic_store_explicit(&r->help_ack, c->help_seen, memory_order_release);
}

void vnic__ring_help_ask(struct vnic__ring_canceller *x, const struct vnic__ring_target *t)
{
	struct vnic__ring *r = x->ring;

	r->help_id = t->id;
	r->help_mask = t->mask;
	r->help_mark = t->mark;
	/* R6 -> A6 */
	atomic_store_explicit(&r->help_seq, ++x->help_seq, memory_order_release);
}

bool vnic__ring_help_answered(struct vnic__ring_canceller *x, uint32_t *nb_aborted)
{
	struct vnic__ring *r = x->ring;

	/* A7 <- R7 */
	if (atomic_load_explicit(&r->help_ack, memory_order_acquire) != x->help_seq)
		return false;
	*nb_aborted = r->help_aborted;
	return true;
}
