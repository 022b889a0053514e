/* SPDX-License-Identifier: BSD-3-Clause
 * ring_stress.c - the cancelable ring under its three threads, every NBL accounted for
 *
 * A producer sends bursts of stamped NBLs, a consumer with a port that refuses claims and
 * delivers them and helps, a canceller takes back what is queued. Checked at every step:
 * one owner at a time, order, content, an abort only of a match below its mark, no match
 * delivered after its cancel is over; at the end: sent = delivered + aborted.
 *
 * Atomics of the test's own are relaxed wherever that is enough, so that they order
 * nothing that the ring ought to: the thread sanitizer then sees what the ring forgot.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "ring.h"

#ifndef __has_feature
#define __has_feature(x) 0
#endif
#if defined(__SANITIZE_THREAD__) || __has_feature(thread_sanitizer)
#define NBLS_DEFAULT UINT64_C(2000000)
#elif defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#define NBLS_DEFAULT UINT64_C(8000000)
#else
#define NBLS_DEFAULT UINT64_C(24000000)
#endif

#define BURST_MAX VNIC__RING_STAGE_MAX
#define CLIENTS 4u
#define CLIENT_SHIFT 56
#define STALLED_S 60

enum owner { PRODUCER, RING, CONSUMER, BACK };
enum completed { NOT_YET, DELIVERED, HELPED, ABORTED };

/* Plain but for the owner: the ring must order it between the threads. */
struct nbl {
	_Atomic uint32_t owner;
	uint64_t id;
	uint64_t pos;
	uint64_t stamp;
};

/* Handles on their way back to the producer, from one thread; never full. */
struct back {
	alignas(VNIC__LINE) _Atomic uint64_t tail;
	uint64_t head; /* the producer's own */
	uint32_t mask;
	uint32_t *handle;
};

struct setting {
	uint32_t size;
	uint32_t below; /* positions start just below 2^below */
	uint64_t nb_ids;
	uint64_t nbls;
	uint64_t seed;
};

struct stress {
	struct setting set;
	uint64_t start;
	uint32_t nb_nbls;
	struct nbl *nbl;
	uint8_t *ledger; /* one entry for each position sent: who completed it; plain */
	uint64_t *beside; /* of each slot its position; plain */
	struct vnic__ring *ring;
	struct vnic__ring_producer p;
	struct vnic__ring_consumer c;
	struct vnic__ring_canceller x;
	struct back from_consumer;
	struct back from_canceller;
	/* the highest mark of a cancel that is over: by id, by client, of everything */
	_Atomic uint64_t *over_id;
	_Atomic uint64_t over_client[CLIENTS];
	_Atomic uint64_t over_all;
	struct vnic__ring_target question; /* ordered by the ring's R6 and R7 alone */
	uint32_t *free_handles;
	uint32_t nb_free;
	alignas(VNIC__LINE) _Atomic uint64_t sent;
	_Atomic bool producer_done;
	alignas(VNIC__LINE) _Atomic uint64_t delivered;
	_Atomic uint64_t helped;
	uint64_t last_pos;
	uint32_t jam;
	_Atomic bool consumer_done;
	alignas(VNIC__LINE) _Atomic uint64_t aborted;
	uint64_t answered, late, walks, questions;
	uint32_t mood, mood_left;
	_Atomic bool canceller_done;
};

static _Noreturn __attribute__((format(printf, 1, 2))) void violation(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("VIOLATION: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	fflush(stdout);
	_exit(1);
}

static uint64_t rng(uint64_t *state)
{
	uint64_t x = *state;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	*state = x;
	return x * UINT64_C(0x2545f4914f6cdd1d) >> 16;
}

static uint32_t roll(uint64_t *state, uint64_t below)
{
	return (uint32_t)(rng(state) % below);
}

/* Three threads share two cores: who waits must let go. */
static void idle(uint32_t *spins)
{
	if (++*spins % 64 == 0)
		sched_yield();
}

static bool before(uint64_t a, uint64_t b)
{
	return (int64_t)(a - b) < 0;
}

/* For counts with one writer. */
static void add(_Atomic uint64_t *count, uint64_t n)
{
	uint64_t old = atomic_load_explicit(count, memory_order_relaxed);

	atomic_store_explicit(count, old + n, memory_order_relaxed);
}

static uint64_t get(const _Atomic uint64_t *count)
{
	return atomic_load_explicit(count, memory_order_relaxed);
}

/* ---- NBLs ---- */

static uint64_t id_of(uint64_t k)
{
	return (k % CLIENTS + 1) << CLIENT_SHIFT | (k + 1);
}

static uint64_t index_of(uint64_t id)
{
	return (id & ((UINT64_C(1) << CLIENT_SHIFT) - 1)) - 1;
}

static uint32_t client_of(uint64_t id)
{
	return (uint32_t)(id >> CLIENT_SHIFT) - 1;
}

static uint64_t stamp_of(const struct nbl *b, uint32_t handle)
{
	return (b->id ^ b->pos << 20 ^ handle) * UINT64_C(0x9e3779b97f4a7c15);
}

/* The handle's NBL passes from one owner to the next, or somebody else has it. */
static struct nbl *take_over(struct stress *s, uint32_t handle, enum owner from, enum owner to)
{
	uint32_t was = from;
	struct nbl *b;

	if (handle >= s->nb_nbls)
		violation("handle %#x does not exist (wanted by owner %d)", handle, to);
	b = &s->nbl[handle];
	if (!atomic_compare_exchange_strong_explicit(&b->owner, &was, to, memory_order_relaxed,
						     memory_order_relaxed))
		violation("handle %u at owner %u, not at %d, when %d takes it", handle, was, from,
			  to);
	if (to != RING && b->stamp != stamp_of(b, handle))
		violation("handle %u: content of id %#" PRIx64 " at %#" PRIx64 " is spoilt", handle,
			  b->id, b->pos);
	return b;
}

/* One entry is written once, by the thread that completes the NBL. */
static void enter(struct stress *s, const struct nbl *b, enum completed how)
{
	uint8_t *entry = &s->ledger[b->pos - s->start];

	if (b->pos - s->start >= s->set.nbls)
		violation("position %#" PRIx64 " was never sent", b->pos);
	if (*entry != NOT_YET)
		violation("position %#" PRIx64 " completed twice: %d, then %d", b->pos, *entry,
			  how);
	*entry = (uint8_t)how;
}

static void give_back(struct back *back, const uint32_t *handle, uint32_t n)
{
	uint64_t tail = get(&back->tail);

	for (uint32_t i = 0; i < n; i++)
		back->handle[tail++ & back->mask] = handle[i];
	atomic_store_explicit(&back->tail, tail, memory_order_release);
}

static void collect(struct stress *s, struct back *back)
{
	uint64_t tail = atomic_load_explicit(&back->tail, memory_order_acquire);

	while (back->head != tail) {
		uint32_t handle = back->handle[back->head++ & back->mask];

		if (s->nb_free == s->nb_nbls)
			violation("more handles came back than there are: %u", handle);
		take_over(s, handle, BACK, PRODUCER);
		s->free_handles[s->nb_free++] = handle;
	}
}

/* ---- producer ---- */

struct choice {
	uint64_t seed;
	uint64_t id;
	uint32_t left; /* of the run */
};

static uint64_t next_id(struct choice *c, uint64_t nb_ids)
{
	uint32_t dice;

	if (c->left-- != 0)
		return c->id;
	dice = roll(&c->seed, 10);
	c->left = dice < 6 ? 0 : dice < 9 ? roll(&c->seed, 8) : roll(&c->seed, 200);
	/* a few of the ids are sent again and again, whatever their number */
	c->id = id_of(rng(&c->seed) % (roll(&c->seed, 4) == 0 && nb_ids > 8 ? 8 : nb_ids));
	return c->id;
}

static void send_burst(struct stress *s, struct choice *c, uint32_t n)
{
	struct vnic__ring_burst b = vnic__ring_begin(&s->p);

	for (uint32_t i = 0; i < n; i++) {
		uint32_t handle = s->free_handles[--s->nb_free];
		struct nbl *nbl = take_over(s, handle, PRODUCER, RING);

		nbl->id = next_id(c, s->set.nb_ids);
		nbl->pos = b.pos;
		nbl->stamp = stamp_of(nbl, handle);
		s->beside[b.pos & b.mask] = b.pos;
		vnic__ring_put(&b, handle, nbl->id);
	}
	vnic__ring_publish(&s->p, &b);
	add(&s->sent, n);
}

static void *produce(void *arg)
{
	struct stress *s = arg;
	struct choice c = {.seed = s->set.seed * 3 + 1};
	uint64_t left = s->set.nbls;
	uint32_t spins = 0;

	while (left != 0) {
		uint32_t n = 1 + roll(&c.seed, roll(&c.seed, 8) == 0 ? 4 * BURST_MAX : BURST_MAX);

		collect(s, &s->from_consumer);
		collect(s, &s->from_canceller);
		n = n < left ? n : (uint32_t)left;
		n = vnic__ring_room(&s->p, n < s->nb_free ? n : s->nb_free);
		if (n == 0) {
			idle(&spins);
			continue;
		}
		send_burst(s, &c, n);
		left -= n;
	}
	atomic_store_explicit(&s->producer_done, true, memory_order_release);
	return NULL;
}

/* ---- consumer ---- */

static void check_claimed(struct stress *s, uint32_t k, uint32_t advanced)
{
	uint64_t first = s->c.head - advanced;

	if (k > advanced)
		violation("%u staged of %u claimed", k, advanced);
	for (uint32_t i = 0; i < k; i++) {
		uint32_t handle = vnic__ring_stage_handle(&s->c, i);
		struct nbl *b = take_over(s, handle, RING, CONSUMER);

		if (before(b->pos, first) || !before(b->pos, s->c.head))
			violation("handle %u was sent at %#" PRIx64 ", claimed in [%#" PRIx64
				  ", %#" PRIx64 ")", handle, b->pos, first, s->c.head);
		if (!before(s->last_pos, b->pos))
			violation("order: %#" PRIx64 " claimed after %#" PRIx64, b->pos,
				  s->last_pos);
		if (s->beside[vnic__ring_stage_index(&s->c, i)] != b->pos)
			violation("beside %#" PRIx64 " lies what belongs to %#" PRIx64, b->pos,
				  s->beside[vnic__ring_stage_index(&s->c, i)]);
		s->last_pos = b->pos;
	}
}

/* It is staged and about to leave: no cancel that took it in may have ended. Relaxed is
 * exact: a cancel waits for the release that follows these loads, or for its answer, and
 * what happens after a load cannot be what it reads. */
static void check_not_over(struct stress *s, const struct nbl *b)
{
	uint64_t by_id = get(&s->over_id[index_of(b->id)]);
	uint64_t by_client = get(&s->over_client[client_of(b->id)]);
	uint64_t all = get(&s->over_all);

	if (before(b->pos, by_id) || before(b->pos, by_client) || before(b->pos, all))
		violation("id %#" PRIx64 " sent at %#" PRIx64 " leaves after its cancel was over: "
			  "marks %#" PRIx64 " (id) %#" PRIx64 " (client) %#" PRIx64 " (all)",
			  b->id, b->pos, by_id, by_client, all);
}

static void deliver(struct stress *s, uint32_t n)
{
	uint32_t handle[BURST_MAX];

	for (uint32_t i = 0; i < n; i++) {
		handle[i] = vnic__ring_stage_handle(&s->c, i);
		check_not_over(s, &s->nbl[handle[i]]);
		enter(s, &s->nbl[handle[i]], DELIVERED);
		take_over(s, handle[i], CONSUMER, BACK);
	}
	give_back(&s->from_consumer, handle, n);
	vnic__ring_release(&s->c, n);
	add(&s->delivered, n);
}

static void help(struct stress *s)
{
	const struct vnic__ring_target *t = &s->question;
	uint32_t handle[BURST_MAX], nb = 0, staged = vnic__ring_staged(&s->c);
	bool keep[BURST_MAX] = {false};

	for (uint32_t i = 0; i < staged; i++) {
		uint32_t h = vnic__ring_stage_handle(&s->c, i);
		const struct nbl *b = &s->nbl[h];
		bool match = ((b->id ^ t->id) & t->mask) == 0 && before(b->pos, t->mark);

		if (vnic__ring_help_match(&s->c, i, b->id) != match)
			violation("help: id %#" PRIx64 " at %#" PRIx64 " %s the target id %#" PRIx64
				  " mask %#" PRIx64 " mark %#" PRIx64, b->id, b->pos,
				  match ? "is" : "is not", t->id, t->mask, t->mark);
		keep[i] = !match;
		if (!match)
			continue;
		enter(s, b, HELPED);
		take_over(s, h, CONSUMER, BACK);
		handle[nb++] = h;
	}
	vnic__ring_stage_keep(&s->c, 0, keep);
	give_back(&s->from_consumer, handle, nb);
	add(&s->helped, nb);
	vnic__ring_help_done(&s->c, nb);
}

/* A port that mostly takes all, at times a part, and at times nothing for a good while:
 * then the ring goes round over the slots of what is staged. */
static uint32_t port_takes(struct stress *s, uint64_t *seed)
{
	uint32_t staged = vnic__ring_staged(&s->c), dice = roll(seed, 256);

	if (s->jam == 0 && dice == 0)
		s->jam = roll(seed, 2000);
	if (s->jam != 0) {
		s->jam--;
		return 0;
	}
	return dice < 32 ? roll(seed, staged + 1) : staged;
}

static uint32_t poll_ring(struct stress *s, uint64_t *seed)
{
	uint32_t n, k, advanced = 0;

	if (vnic__ring_help_wanted(&s->c))
		help(s);
	if (vnic__ring_staged(&s->c) == 0) {
		n = 1 + roll(seed, BURST_MAX);
		k = vnic__ring_claim_begin(&s->c, n, &advanced);
		check_claimed(s, k, advanced);
		if (advanced != 0)
			vnic__ring_claim_end(&s->c);
	}
	n = vnic__ring_staged(&s->c) == 0 ? 0 : port_takes(s, seed);
	if (n != 0)
		deliver(s, n);
	return advanced + n;
}

static void *consume(void *arg)
{
	struct stress *s = arg;
	uint64_t seed = s->set.seed * 5 + 2;
	uint32_t spins = 0;

	for (;;) {
		bool last = atomic_load_explicit(&s->producer_done, memory_order_acquire) &&
			    atomic_load_explicit(&s->canceller_done, memory_order_acquire);

		if (poll_ring(s, &seed) != 0)
			continue;
		if (last && vnic__ring_staged(&s->c) == 0)
			break;
		idle(&spins);
	}
	atomic_store_explicit(&s->consumer_done, true, memory_order_release);
	return NULL;
}

/* ---- canceller ---- */

static struct vnic__ring_target choose_target(struct stress *s, uint64_t *seed, uint64_t mark)
{
	uint64_t id = vnic__ring_sample(&s->x, rng(seed));
	uint32_t dice = roll(seed, 512);

	if (id == 0 || dice < 32)
		id = id_of(rng(seed) % s->set.nb_ids);
	if (index_of(id) >= s->set.nb_ids)
		violation("the sampled id %#" PRIx64 " does not exist", id);
	if (dice == 511)
		return (struct vnic__ring_target){.id = id, .mask = 0, .mark = mark};
	if (dice > 504)
		return (struct vnic__ring_target){
			.id = id, .mask = UINT64_C(0xff) << CLIENT_SHIFT, .mark = mark};
	return (struct vnic__ring_target){.id = id, .mask = UINT64_MAX, .mark = mark};
}

/* Complete what a cancel took: newest first, matches below the mark, nobody else's. */
static void complete(struct stress *s, const struct vnic__ring_target *t, uint32_t n)
{
	uint64_t newer = t->mark;

	if (n > s->set.size)
		violation("%u taken from a ring of %u", n, s->set.size);
	for (uint32_t i = 0; i < n; i++) {
		uint32_t handle = s->x.claimed[i];
		struct nbl *b = take_over(s, handle, RING, BACK);

		if (((b->id ^ t->id) & t->mask) != 0 || !before(b->pos, t->mark))
			violation("aborted id %#" PRIx64 " at %#" PRIx64 " for id %#" PRIx64
				  " mask %#" PRIx64 " mark %#" PRIx64, b->id, b->pos, t->id,
				  t->mask, t->mark);
		if (!before(b->pos, newer))
			violation("aborted %#" PRIx64 " after %#" PRIx64, b->pos, newer);
		newer = b->pos;
		enter(s, b, ABORTED);
	}
	give_back(&s->from_canceller, s->x.claimed, n);
	add(&s->aborted, n);
}

/* What lies below a `settled` that a cancel has seen has left, and for this thread to see. */
static void check_settled(struct stress *s, uint64_t settled, uint64_t random)
{
	uint64_t nb = settled - s->start;

	if (nb > s->set.nbls)
		violation("settled is %#" PRIx64 ": nothing was sent there", settled);
	if (nb != 0 && s->ledger[nb - 1] == NOT_YET)
		violation("position %#" PRIx64 " is settled and has not left", settled - 1);
	if (nb != 0 && s->ledger[random % nb] == NOT_YET)
		violation("position %#" PRIx64 " has not left, settled is %#" PRIx64,
			  s->start + random % nb, settled);
}

/* The cancel is over: from now on no match may leave. */
static void announce(struct stress *s, const struct vnic__ring_target *t)
{
	_Atomic uint64_t *over = t->mask == 0 ? &s->over_all :
				 t->mask != UINT64_MAX ? &s->over_client[client_of(t->id)] :
				 &s->over_id[index_of(t->id)];

	if (before(get(over), t->mark))
		atomic_store_explicit(over, t->mark, memory_order_relaxed);
}

/* The only place that knows the shape of an answer. */
static bool take_answer(struct stress *s)
{
	uint32_t nb_aborted;

	if (!vnic__ring_help_answered(&s->x, &nb_aborted))
		return false;
	s->answered += nb_aborted;
	announce(s, &s->question);
	return true;
}

/* Between two cancels: nothing at all, a while, or long enough for the others to have the
 * cores; a mood lasts longer the faster it is. */
static void rest(struct stress *s, uint64_t *seed)
{
	const struct timespec nap = {.tv_nsec = 1000};

	if (s->mood_left-- == 0) {
		s->mood = roll(seed, 4);
		s->mood_left = (uint32_t[]){16, 100, 200, 400}[s->mood];
	}
	if (s->mood == 0)
		nanosleep(&nap, NULL);
	else if (s->mood == 1)
		sched_yield();
	else if (s->mood == 2)
		for (uint32_t spins = roll(seed, 1000); spins != 0; spins--)
			atomic_signal_fence(memory_order_seq_cst);
}

static void *cancel(void *arg)
{
	struct stress *s = arg;
	uint64_t seed = s->set.seed * 7 + 3, mark = s->start, late_from, settled;
	struct vnic__ring_found found;
	uint32_t spins = 0;
	bool asked = false;

	while (!atomic_load_explicit(&s->producer_done, memory_order_acquire)) {
		struct vnic__ring_target t;

		s->walks++;
		if (roll(&seed, 8) != 0) /* else the one of the time before */
			mark = atomic_load_explicit(&s->ring->tail, memory_order_acquire);
		t = choose_target(s, &seed, mark);
		late_from = mark - roll(&seed, 2 * s->set.size);
		/* relaxed: the cancel itself reads it again, and orders it */
		settled = get(&s->ring->settled);
		found = vnic__ring_cancel(&s->x, &t, late_from);
		s->late += found.nb_late;
		complete(s, &t, found.nb_claimed);
		check_settled(s, settled, rng(&seed));
		if (found.need_help) {
			while (asked && !take_answer(s))
				idle(&spins);
			s->question = t;
			s->questions++;
			vnic__ring_help_ask(&s->x, &t);
			asked = true;
		} else {
			announce(s, &t);
		}
		rest(s, &seed);
		/* cancels go on while a question is open */
		asked = asked && !take_answer(s);
	}
	while (asked && !take_answer(s))
		idle(&spins);
	atomic_store_explicit(&s->canceller_done, true, memory_order_release);
	return NULL;
}

/* ---- a run ---- */

static void *need(void *memory)
{
	if (memory == NULL) {
		perror("ring_stress");
		exit(2);
	}
	return memory;
}

static struct stress *stress_open(const struct setting *set)
{
	struct stress *s = need(aligned_alloc(VNIC__LINE, sizeof(*s)));
	uint32_t nb = 2 * set->size + 4 * BURST_MAX, backs = 4 * set->size;
	uint64_t seed = set->seed;

	memset(s, 0, sizeof(*s));
	s->set = *set;
	s->start = set->below == 64 ? 0 : UINT64_C(1) << set->below;
	s->start -= 1 + roll(&seed, 4 * set->size);
	s->last_pos = s->start - 1;
	s->nb_nbls = nb;
	while (backs < nb)
		backs *= 2;
	s->nbl = need(calloc(nb, sizeof(*s->nbl)));
	s->ledger = need(calloc(set->nbls, sizeof(*s->ledger)));
	s->beside = need(calloc(set->size, sizeof(*s->beside)));
	s->free_handles = need(calloc(nb, sizeof(uint32_t)));
	s->from_consumer = (struct back){
		.mask = backs - 1, .handle = need(calloc(backs, sizeof(uint32_t)))};
	s->from_canceller = (struct back){
		.mask = backs - 1, .handle = need(calloc(backs, sizeof(uint32_t)))};
	s->over_id = need(calloc(set->nb_ids, sizeof(*s->over_id)));
	for (uint64_t i = 0; i < set->nb_ids; i++)
		atomic_init(&s->over_id[i], s->start);
	for (uint32_t i = 0; i < CLIENTS; i++)
		atomic_init(&s->over_client[i], s->start);
	atomic_init(&s->over_all, s->start);
	while (s->nb_free < nb) {
		s->nbl[s->nb_free].stamp = stamp_of(&s->nbl[s->nb_free], s->nb_free);
		s->free_handles[s->nb_free] = s->nb_free;
		s->nb_free++;
	}
	s->ring = vnic__ring_init(need(aligned_alloc(VNIC__LINE, vnic__ring_bytes(set->size))),
				  set->size, s->start);
	vnic__ring_sides(s->ring, &s->p, &s->c, &s->x);
	return s;
}

static void stress_close(struct stress *s)
{
	free(s->ring);
	free(s->nbl);
	free(s->beside);
	free(s->ledger);
	free(s->free_handles);
	free(s->from_consumer.handle);
	free(s->from_canceller.handle);
	free(s->over_id);
	free(s);
}

/* Main waits for the threads; a lost handle or a lost answer shows as a standstill. */
static void watch(struct stress *s)
{
	const struct timespec tick = {.tv_nsec = 5000000};
	uint64_t last = 0, still = 0;

	while (!atomic_load_explicit(&s->consumer_done, memory_order_acquire)) {
		uint64_t now = get(&s->sent) + get(&s->delivered) + get(&s->aborted);

		still = now == last ? still + 1 : 0;
		last = now;
		if (still == STALLED_S * 200)
			violation("no progress in %d s: sent %" PRIu64 " delivered %" PRIu64
				  " aborted %" PRIu64 " helped %" PRIu64, STALLED_S, get(&s->sent),
				  get(&s->delivered), get(&s->aborted), get(&s->helped));
		nanosleep(&tick, NULL);
	}
}

/* After the threads have ended. */
static void check_end(struct stress *s)
{
	uint64_t end = s->start + s->set.nbls, sent = get(&s->sent);
	uint64_t out = get(&s->delivered) + get(&s->aborted) + get(&s->helped);

	if (sent != s->set.nbls || sent != out)
		violation("conservation: sent %" PRIu64 " of %" PRIu64 ", came out %" PRIu64, sent,
			  s->set.nbls, out);
	if (get(&s->ring->tail) != end || get(&s->ring->claim) != end ||
	    get(&s->ring->head) != end || get(&s->ring->settled) != end)
		violation("the ring does not stand still at %#" PRIx64, end);
	if (s->c.tombs != get(&s->aborted) || s->x.aborted != s->c.tombs ||
	    get(&s->ring->cancels) != 2 * s->c.tombs)
		violation("tombs: %" PRIu64 " passed, %" PRIu64 " made, %" PRIu64 " aborted",
			  s->c.tombs, s->x.aborted, get(&s->aborted));
	if (s->answered != get(&s->helped))
		violation("help: %" PRIu64 " answered, %" PRIu64 " aborted", s->answered,
			  get(&s->helped));
	collect(s, &s->from_consumer);
	collect(s, &s->from_canceller);
	if (s->nb_free != s->nb_nbls)
		violation("%u of %u handles are back", s->nb_free, s->nb_nbls);
}

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void run(const struct setting *set)
{
	void *(*const thread[])(void *) = {produce, consume, cancel};
	struct stress *s = stress_open(set);
	pthread_t id[3];
	double took = seconds();

	for (int i = 0; i < 3; i++)
		if (pthread_create(&id[i], NULL, thread[i], s) != 0)
			need(NULL);
	watch(s);
	for (int i = 0; i < 3; i++)
		pthread_join(id[i], NULL);
	took = seconds() - took;
	check_end(s);
	printf("size %u below 2^%u ids %" PRIu64 " seed %" PRIu64 ": sent %" PRIu64 " delivered %"
	       PRIu64 " aborted %" PRIu64 " helped %" PRIu64 " late %" PRIu64 " walks %" PRIu64
	       " questions %" PRIu64 ", %.2f s, %.2f M/s: ok\n", set->size, set->below, set->nb_ids,
	       set->seed, get(&s->sent), get(&s->delivered), get(&s->aborted), get(&s->helped),
	       s->late, s->walks, s->questions, took, 1e-6 * (double)get(&s->sent) / took);
	fflush(stdout);
	stress_close(s);
}

/* ---- command line ---- */

static const char usage[] =
	"usage: ring_stress [--nbls N] [--seed X] [--size S [--ids K] [--below BITS]]\n"
	"  --nbls N      NBLs to send in each run\n"
	"  --seed X      of the random choices (default: the clock), not 0\n"
	"  --size S      one run with a ring of S entries, a power of two (default: a table)\n"
	"  --ids K       cancel ids in use (default: 1000)\n"
	"  --below BITS  positions start just below 2^BITS (default: 32)\n";

static _Noreturn void bad(const char *what)
{
	fprintf(stderr, "ring_stress: %s\n%s", what, usage);
	exit(2);
}

static uint64_t number(const char *text, uint64_t min, uint64_t max)
{
	char *end;
	uint64_t n;

	errno = 0;
	n = strtoull(text, &end, 0);
	if (errno != 0 || end == text || *end != '\0' || *text == '-' || n < min || n > max)
		bad("number out of range");
	return n;
}

static void parse(int argc, char **argv, struct setting *set)
{
	static const struct option options[] = {
		{"nbls", required_argument, NULL, 'n'}, {"size", required_argument, NULL, 's'},
		{"seed", required_argument, NULL, 'x'}, {"ids", required_argument, NULL, 'i'},
		{"below", required_argument, NULL, 'b'}, {"help", no_argument, NULL, 'h'}, {0}};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'n')
			set->nbls = number(optarg, 1, UINT64_C(1) << 34);
		else if (c == 's')
			set->size = (uint32_t)number(optarg, 2, VNIC__RING_SIZE_MAX);
		else if (c == 'x')
			set->seed = number(optarg, 1, UINT64_MAX);
		else if (c == 'i')
			set->nb_ids = number(optarg, 1, 1u << 28);
		else if (c == 'b')
			set->below = (uint32_t)number(optarg, 24, 64);
		else if (c == 'h')
			exit(fputs(usage, stdout) == EOF);
		else
			bad("unknown option");
	}
	if (optind != argc)
		bad("unexpected argument");
	if ((set->size & (set->size - 1)) != 0)
		bad("the size is no power of two");
}

int main(int argc, char **argv)
{
	/* few ids are long chains and runs, many are short ones */
	static const struct setting table[] = {
		{.size = 64, .below = 32, .nb_ids = 3},
		{.size = 1024, .below = 32, .nb_ids = 300},
		{.size = 65536, .below = 32, .nb_ids = 100000},
		{.size = 256, .below = 40, .nb_ids = 40},
		{.size = 128, .below = 64, .nb_ids = 20000},
	};
	struct setting set = {.below = 32, .nb_ids = 1000, .nbls = NBLS_DEFAULT};

	set.seed = (uint64_t)(seconds() * 1e6) | 1;
	parse(argc, argv, &set);
	if (set.size != 0) {
		run(&set);
		return 0;
	}
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct setting one = table[i];

		one.nbls = set.nbls;
		one.seed = set.seed + i * 1000003;
		run(&one);
	}
	return 0;
}
