/* SPDX-License-Identifier: BSD-3-Clause
 * ring.h - the cancelable ring: one producer, one consumer, one canceller
 *
 * A bounded FIFO of 24-bit handles, each with a 64-bit id, from which a third
 * thread takes back every handle of one id while the other two run on. The
 * three sides are three types; a side's functions may be called by one thread
 * at a time, and different sides need no agreement (X: the caller serialises):
 *
 *                  producer  consumer  canceller
 *      producer        X         -         -
 *      consumer        -         X         -
 *      canceller       -         -         X
 *
 * Positions are free-running 64-bit counts; an array index is position & mask.
 *
 *   slot[]    position << 24 | handle. The stamp (40 bits of the position) lets
 *             the canceller see that a slot was reused; two handles are tombs.
 *   id[]      the id of the entry
 *   prev[]    32 bits of the position of the entry before this one's run whose
 *             id hashes alike; entries of one id side by side are a run, and
 *             every entry of a run carries the run's link
 *   bucket[]  32 bits of the newest position of each hash value
 *   tomb[]    of each block of 256 slots the newest position that the canceller took:
 *             a burst that begins after it holds no tomb of this block and is not
 *             searched for one
 *
 * The index is append-only: nothing is unlinked, an entry below `claim` is dead
 * by its position alone, so the consumer has no index work. A 32-bit link that
 * is old enough to alias a live position is harmless: an entry counts only if
 * its own stamp and id say so.
 *
 * The orderings. Rn is a release (or the RMW that contains it), An the acquire
 * that reads from it; each names its partner where it stands in the code.
 *
 *   R1/A1  tail: the entry's words before its publication
 *   R2/A2  head: the consumer has read a slot, and what its caller keeps beside it,
 *          before the producer reuses it
 *   R3/A3  slot, id, prev, bucket in that order: who reads a new id or link and
 *          then the slot sees the new stamp, and the claim that allowed reuse
 *   SC     claim (consumer writes, canceller reads) against cancels' low bit
 *          (the reverse): Dekker's pattern, all four accesses sequentially
 *          consistent. Either the consumer sees the flag and takes slot by slot
 *          with a compare-and-exchange, or the canceller sees the claim and keeps off.
 *          A burst at or above the walk's mark needs neither: see A19
 *   R4/A4  cancels, low bit clear: the tombs, and what tomb[] says of them, before
 *          the flag is seen clear
 *   R5/A5  settled: what lies below it has left
 *   R6/A6  help_seq: the target before its announcement
 *   R7/A7  help_ack: the consumer's count, and its last read of the target,
 *          before the canceller publishes another
 *   R19/A19 walk_mark: the tombs of the walks before. Who has seen a walk's flag reads
 *          that walk's mark, or a later one's, and then the walk of the flag is over
 */
#ifndef VNIC_RING_H
#define VNIC_RING_H

#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define VNIC__RING_SIZE_MIN 64u
#define VNIC__RING_SIZE_MAX (1u << 20)
#define VNIC__RING_STAGE_MAX 64u

#define VNIC__HANDLE_BITS 24
#define VNIC__HANDLE_MASK ((UINT64_C(1) << VNIC__HANDLE_BITS) - 1)
#define VNIC__TOMB_TAKEN UINT64_C(0xfffffe)   /* the consumer took it under a cancel */
#define VNIC__TOMB_ABORTED UINT64_C(0xffffff) /* the canceller took it */
#define VNIC__HANDLE_MAX 0xfffffdu

#define VNIC__BLOCK_SHIFT 8 /* 256 slots */

#define VNIC__LINE 64

struct vnic__ring {
	/* constant after creation */
	uint32_t size;
	uint32_t mask;
	uint32_t hash_shift;
	_Atomic uint64_t *slot;
	_Atomic uint64_t *id;
	_Atomic uint32_t *prev;
	_Atomic uint32_t *bucket;
	_Atomic uint64_t *tomb;

	/* (p) written by the producer */
	alignas(VNIC__LINE) _Atomic uint64_t tail;

	/* (c) written by the consumer */
	alignas(VNIC__LINE) _Atomic uint64_t claim;
	_Atomic uint64_t head;
	_Atomic uint64_t settled;
	_Atomic uint64_t help_ack;
	uint32_t help_aborted; /* written before R7, read after A7 */

	/* (x) written by the canceller */
	alignas(VNIC__LINE) _Atomic uint64_t cancels; /* 2 * entries aborted, + 1 in a walk */
	_Atomic uint64_t walk_mark; /* the walk takes nothing that is not below */
	_Atomic uint64_t help_seq;
	uint64_t help_id; /* these three: written before R6, read between A6 and R7 */
	uint64_t help_mask;
	uint64_t help_mark;
};

_Static_assert(offsetof(struct vnic__ring, tail) == 1 * VNIC__LINE, "(p) line");
_Static_assert(offsetof(struct vnic__ring, claim) == 2 * VNIC__LINE, "(c) line");
_Static_assert(offsetof(struct vnic__ring, cancels) == 3 * VNIC__LINE, "(x) line");

/* A burst lies in two blocks at most. */
_Static_assert(VNIC__RING_STAGE_MAX <= 1u << VNIC__BLOCK_SHIFT, "a block is too small");

struct vnic__ring_producer {
	struct vnic__ring *ring;
	uint64_t pos;        /* the next entry's position; tail after a publish */
	uint64_t head_seen;  /* private copy of head */
	uint64_t run_id;     /* the newest entry's id ... */
	uint32_t run_prev;   /* ... and its run's link */
	uint32_t most;       /* entries that it puts into the ring, up to the ring's size */
};

struct vnic__ring_consumer {
	struct vnic__ring *ring;
	uint64_t head;
	uint64_t tail_seen; /* private copy of tail */
	uint64_t tombs;     /* aborted entries passed */
	uint64_t help_seen; /* the last help_seq served */
	uint32_t stage_first;
	uint32_t stage_end;
	uint64_t stage[VNIC__RING_STAGE_MAX]; /* slot words taken and not yet released */
};

struct vnic__ring_canceller {
	struct vnic__ring *ring;
	uint64_t aborted;  /* entries taken from the ring so far */
	uint64_t help_seq;
	uint32_t *claimed; /* the handles that the last cancel took, newest first */
};

/* What a cancel found. `late` counts matches sent before the mark that the
 * consumer had claimed first; some of them may still be staged: then
 * `need_help` is set and the consumer's answer decides. */
struct vnic__ring_found {
	uint32_t nb_claimed;
	uint32_t nb_late;
	bool need_help;
	bool reused; /* a slot was used again: all older ones are dead, some may have been late */
};

/* Any thread, before the sides start: lay a ring out in zeroed or used memory of
 * vnic__ring_bytes(size) bytes, aligned to a cache line. `start` is the first
 * position. size is a power of two from SIZE_MIN to SIZE_MAX (tests: from 2). */
size_t vnic__ring_bytes(uint32_t size);
struct vnic__ring *vnic__ring_init(void *mem, uint32_t size, uint64_t start);
void vnic__ring_sides(struct vnic__ring *r, struct vnic__ring_producer *p,
		      struct vnic__ring_consumer *c, struct vnic__ring_canceller *x);

/* What to take: entries below the position `mark` (tail, read with acquire) whose id
 * agrees with `id` in the bits of `mask`. All bits: by the index, the work is the
 * matches and their hash neighbours. Fewer: every queued entry is looked at. */
struct vnic__ring_target {
	uint64_t id;
	uint64_t mask;
	uint64_t mark;
	/* NULL, or: is this match to be left alone? Asked before it is taken; whatever it reads
	 * of the entry counts only if the entry is then still there to be taken. */
	bool (*spare)(const void *context, uint32_t handle);
	const void *context;
};

/* Canceller: take every queued entry of the target; x->claimed then holds their
 * handles. Late matches are counted back to the position `late_from`. Never waits. */
struct vnic__ring_found vnic__ring_cancel(struct vnic__ring_canceller *x,
					  const struct vnic__ring_target *t, uint64_t late_from);

/* Canceller: the id at a random queued position, 0 if none is found. */
uint64_t vnic__ring_sample(const struct vnic__ring_canceller *x, uint64_t random);

static inline uint32_t vnic__ring_hash(uint32_t shift, uint64_t id)
{
	return (uint32_t)((id * UINT64_C(0x9e3779b97f4a7c15)) >> shift);
}

/* ---- producer ---- */

/* How many entries, up to n, may be put before the next publish. There may be more in the ring
 * than the most: tombs of when it was another number. */
static inline uint32_t vnic__ring_room(struct vnic__ring_producer *p, uint32_t n)
{
	int64_t room = (int64_t)(p->head_seen + p->most - p->pos);

	if (room >= (int64_t)n)
		return n;
	/* A2 <- R2 */
	p->head_seen = atomic_load_explicit(&p->ring->head, memory_order_acquire);
	room = (int64_t)(p->head_seen + p->most - p->pos);
	if (room < 0)
		return 0;
	return room < (int64_t)n ? (uint32_t)room : n;
}

/* One burst in the making: the producer's state in locals, which no store to the
 * ring's arrays can alias. begin, put at most `room` entries, publish. */
struct vnic__ring_burst {
	_Atomic uint64_t *slot;
	_Atomic uint64_t *id;
	_Atomic uint32_t *prev;
	_Atomic uint32_t *bucket;
	uint64_t pos;
	uint64_t run_id;
	uint32_t run_prev;
	uint32_t mask;
	uint32_t hash_shift;
};

static inline struct vnic__ring_burst vnic__ring_begin(const struct vnic__ring_producer *p)
{
	const struct vnic__ring *r = p->ring;

	return (struct vnic__ring_burst){
		.slot = r->slot, .id = r->id, .prev = r->prev, .bucket = r->bucket,
		.pos = p->pos, .run_id = p->run_id, .run_prev = p->run_prev,
		.mask = r->mask, .hash_shift = r->hash_shift};
}

/* Write one entry; the canceller may meet it in the index at once, and leaves it
 * alone because it is at or above every mark until published. */
static inline void vnic__ring_put(struct vnic__ring_burst *b, uint32_t handle, uint64_t id)
{
	uint64_t pos = b->pos++;
	uint32_t i = (uint32_t)pos & b->mask;
	uint32_t h = vnic__ring_hash(b->hash_shift, id);
	/* relaxed: only this thread writes buckets */
	uint32_t link = atomic_load_explicit(&b->bucket[h], memory_order_relaxed);

	link = id == b->run_id ? b->run_prev : link;
	b->run_id = id;
	b->run_prev = link;
	/* R3 -> A3, in this order */
	atomic_store_explicit(&b->slot[i], pos << VNIC__HANDLE_BITS | handle, memory_order_release);
	atomic_store_explicit(&b->id[i], id, memory_order_release);
	atomic_store_explicit(&b->prev[i], link, memory_order_release);
	atomic_store_explicit(&b->bucket[h], (uint32_t)pos, memory_order_release);
}

static inline void vnic__ring_publish(struct vnic__ring_producer *p,
				      const struct vnic__ring_burst *b)
{
	p->pos = b->pos;
	p->run_id = b->run_id;
	p->run_prev = b->run_prev;
	/* R1 -> A1 */
	atomic_store_explicit(&p->ring->tail, b->pos, memory_order_release);
}

/* ---- consumer ---- */

static inline uint32_t vnic__ring_staged(const struct vnic__ring_consumer *c)
{
	return c->stage_end - c->stage_first;
}

/* The array index of the staged entry i. */
static inline uint32_t vnic__ring_stage_index(const struct vnic__ring_consumer *c, uint32_t i)
{
	return (uint32_t)(c->stage[c->stage_first + i] >> VNIC__HANDLE_BITS) & c->ring->mask;
}

/* The position of the staged entry i. */
static inline uint64_t vnic__ring_stage_pos(const struct vnic__ring_consumer *c, uint32_t i)
{
	const uint64_t stamps = UINT64_MAX >> VNIC__HANDLE_BITS;

	return c->head - ((c->head - (c->stage[c->stage_first + i] >> VNIC__HANDLE_BITS)) & stamps);
}

/* The first k staged entries have left: below the first that is staged, all have. */
static inline void vnic__ring_release(struct vnic__ring_consumer *c, uint32_t k)
{
	uint64_t settled = c->head;

	c->stage_first += k;
	if (c->stage_first != c->stage_end)
		settled = vnic__ring_stage_pos(c, 0);
	/* R5 -> A5 */
	atomic_store_explicit(&c->ring->settled, settled, memory_order_release);
}

/* Close the gaps that aborted entries left among n slot words. Most bursts have none even
 * if their block has some: one pass that compilers make vectors of says so. */
static inline uint32_t vnic__ring_drop_tombs(uint64_t *word, uint32_t n)
{
	const uint64_t to_carry = VNIC__HANDLE_MASK + 1 - VNIC__TOMB_TAKEN;
	uint64_t carry = 0;
	uint32_t k = 0;

	for (uint32_t i = 0; i < n; i++)
		carry |= ((word[i] & VNIC__HANDLE_MASK) + to_carry) >> VNIC__HANDLE_BITS;
	if (carry == 0)
		return n;
	for (uint32_t i = 0; i < n; i++) {
		word[k] = word[i];
		k += (word[i] & VNIC__HANDLE_MASK) < VNIC__TOMB_TAKEN;
	}
	return k;
}

/* The newest tomb of the block of `pos`. */
static inline _Atomic uint64_t *vnic__ring_tomb(const struct vnic__ring *r, uint64_t pos)
{
	return &r->tomb[((uint32_t)pos & r->mask) >> VNIC__BLOCK_SHIFT];
}

/* May there be tombs from `from` to below `to`? They may be further on in the block, or in
 * its slots before `from`, which are used again. */
static inline bool vnic__ring_tombs_among(const struct vnic__ring *r, uint64_t from, uint64_t to)
{
	/* relaxed: ordered by A4; what a walk under way adds is newer than `to` */
	uint64_t first = atomic_load_explicit(vnic__ring_tomb(r, from), memory_order_relaxed);
	uint64_t last = atomic_load_explicit(vnic__ring_tomb(r, to - 1), memory_order_relaxed);

	return (int64_t)(first - from) >= 0 || (int64_t)(last - from) >= 0;
}

/* Copy the words of n claimed slots. Nobody writes them until head passes them, so plain reads
 * will do; TSan holds us to it. */
static inline void vnic__ring_copy_slots(struct vnic__ring_consumer *c, uint32_t n)
{
	const struct vnic__ring *r = c->ring;
	uint32_t at = (uint32_t)c->head & r->mask;
	uint32_t till_end = r->size - at;
	uint32_t first = n < till_end ? n : till_end;

	memcpy(c->stage, (const void *)&r->slot[at], first * sizeof(uint64_t));
	memcpy(c->stage + first, (const void *)r->slot, (n - first) * sizeof(uint64_t));
}

/* Claim n entries into the stage when the flag has been seen, tombs left out. */
uint32_t vnic__ring_claim_in_walk(struct vnic__ring_consumer *c, uint32_t n);

/* Claim up to n entries (n <= STAGE_MAX) into the empty stage; returns how many
 * are staged, tombs left out. *advanced says how many positions were passed. What the
 * caller keeps beside their slots is its to read until vnic__ring_claim_end(). */
static inline uint32_t vnic__ring_claim_begin(struct vnic__ring_consumer *c, uint32_t n,
					      uint32_t *advanced)
{
	struct vnic__ring *r = c->ring;
	const uint64_t head = c->head;
	uint64_t ready = c->tail_seen - head;
	uint64_t cancels;
	uint32_t k = 0;

	if (ready < n) {
		/* A1 <- R1 */
		c->tail_seen = atomic_load_explicit(&r->tail, memory_order_acquire);
		ready = c->tail_seen - head;
		n = ready < n ? (uint32_t)ready : n;
	}
	*advanced = n;
	c->stage_first = 0;
	c->stage_end = 0;
	if (n == 0)
		return 0;
	/* SC: the claim, then the flag. The exchange is the burst's one fence. */
	atomic_exchange_explicit(&r->claim, head + n, memory_order_seq_cst);
	cancels = atomic_load_explicit(&r->cancels, memory_order_seq_cst);
	if (__builtin_expect((cancels & 1) != 0, 0)) {
		k = vnic__ring_claim_in_walk(c, n);
	} else {
		vnic__ring_copy_slots(c, n); /* A4 <- R4 */
		k = n;
		if (cancels != 2 * c->tombs && vnic__ring_tombs_among(r, head, head + n))
			k = vnic__ring_drop_tombs(c->stage, n);
	}
	c->tombs += n - k;
	c->head = head + n;
	c->stage_end = k;
	return k;
}

static inline void vnic__ring_claim_end(struct vnic__ring_consumer *c)
{
	/* R2 -> A2 */
	atomic_store_explicit(&c->ring->head, c->head, memory_order_release);
	if (vnic__ring_staged(c) == 0)
		vnic__ring_release(c, 0);
}

/* Both, for who keeps nothing beside. */
static inline uint32_t vnic__ring_claim(struct vnic__ring_consumer *c, uint32_t n,
					uint32_t *advanced)
{
	uint32_t k = vnic__ring_claim_begin(c, n, advanced);

	if (*advanced != 0)
		vnic__ring_claim_end(c);
	return k;
}

/* The handle of the staged entry i, 0 <= i < staged. */
static inline uint32_t vnic__ring_stage_handle(const struct vnic__ring_consumer *c, uint32_t i)
{
	return (uint32_t)(c->stage[c->stage_first + i] & VNIC__HANDLE_MASK);
}

/* Does the canceller ask to look at the stage? Once per poll. */
static inline bool vnic__ring_help_wanted(const struct vnic__ring_consumer *c)
{
	/* A6 <- R6 */
	return atomic_load_explicit(&c->ring->help_seq, memory_order_acquire) != c->help_seen;
}

/* Is the staged entry i, whose id the caller knows, the target? */
static inline bool vnic__ring_help_match(const struct vnic__ring_consumer *c, uint32_t i,
					 uint64_t id)
{
	return ((id ^ c->ring->help_id) & c->ring->help_mask) == 0 &&
	       (int64_t)(vnic__ring_stage_pos(c, i) - c->ring->help_mark) < 0;
}

/* Keep in the stage, from its entry `from` on, those that keep[] says. */
void vnic__ring_stage_keep(struct vnic__ring_consumer *c, uint32_t from, const bool keep[]);

/* The stage has been looked at and nb_aborted entries taken out of it. */
void vnic__ring_help_done(struct vnic__ring_consumer *c, uint32_t nb_aborted);

/* ---- canceller ---- */

/* Publish a target; only when the one before is acknowledged. */
void vnic__ring_help_ask(struct vnic__ring_canceller *x, const struct vnic__ring_target *t);

/* Has the consumer answered? Then *nb_aborted is what it took from its stage. */
bool vnic__ring_help_answered(struct vnic__ring_canceller *x, uint32_t *nb_aborted);

#endif
