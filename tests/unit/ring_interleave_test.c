/* SPDX-License-Identifier: BSD-3-Clause
 * ring_interleave_test.c - the cancelable ring: its sides interleaved at every atomic access
 *
 * The three sides are coroutines. Each atomic access of ring.h and ring.c, compiled into
 * this file, is a point where another side may go on. Every schedule with up to two
 * switches is run, then random ones with more. What a reordering machine adds is left to
 * the model; the order in the source is held here.
 */
#include <stdatomic.h>
#include <ucontext.h>

static void step(void);

#undef atomic_load_explicit
#undef atomic_store_explicit
#undef atomic_exchange_explicit
#undef atomic_compare_exchange_strong_explicit
#ifdef __clang__
#define atomic_load_explicit(p, o) (step(), __c11_atomic_load(p, o))
#define atomic_store_explicit(p, v, o) (step(), __c11_atomic_store(p, v, o))
#define atomic_exchange_explicit(p, v, o) (step(), __c11_atomic_exchange(p, v, o))
#define atomic_compare_exchange_strong_explicit(p, e, v, s, f)                                     \
	(step(), __c11_atomic_compare_exchange_strong(p, e, v, s, f))
#else
#define atomic_load_explicit(p, o) (step(), __atomic_load_n(p, o))
#define atomic_store_explicit(p, v, o) (step(), __atomic_store_n(p, v, o))
#define atomic_exchange_explicit(p, v, o) (step(), __atomic_exchange_n(p, v, o))
#define atomic_compare_exchange_strong_explicit(p, e, v, s, f)                                     \
	(step(), __atomic_compare_exchange_n(p, e, v, false, s, f))
#endif

#include "ring.c"
#include "ring_rig.h"

#ifndef __has_feature
#define __has_feature(x) 0
#endif
#if defined(__SANITIZE_THREAD__) || __has_feature(thread_sanitizer)
#define SKIP "the thread sanitizer cannot follow coroutines"
#endif

#define SIZE 8u
#define SENT_MAX 64u
#define SWITCHES_MAX 16u
#define NB_RANDOM 20000
#define STACK_BYTES 65536

enum state { NEVER, QUEUED, STAGED, LEFT, TAKEN_BACK, HELPED };

/* Letters are ids: A, its hash neighbours N and O, B; in targets also * for everything. */
struct scene {
	const char *name;
	const char *queued;  /* sent before; the first nb_staged of them are staged */
	uint32_t nb_staged;
	uint32_t jam;        /* polls in which the port takes nothing */
	const char *sends;   /* by the producer, in bursts of three */
	const char *targets; /* of the canceller, one after the other */
};

struct attempt {
	struct vnic__ring_target t;
	bool over;
};

static struct world {
	struct rig g;
	const struct scene *scene;
	struct {
		uint64_t id;
		uint64_t pos;
		enum state state;
	} nbl[SENT_MAX];
	struct attempt attempt[8];
	uint32_t nb_attempts;
	struct attempt *asked; /* the newest question ... */
	bool open;             /* ... awaits its answer */
	const char *wrong;
} world;

static struct plan {
	uint32_t first;
	uint32_t nb;
	uint32_t when[SWITCHES_MAX]; /* after how many accesses ... */
	uint32_t to[SWITCHES_MAX];   /* ... to the next side or the one after */
} plan;

static struct {
	ucontext_t main;
	ucontext_t side[3];
	bool done[3];
	int current; /* -1: no schedule is run */
	uint32_t steps;
	uint32_t switches;
} run = {.current = -1};

static _Alignas(16) char stacks[3][STACK_BYTES];

static void check(bool right, const char *what)
{
	if (!right && world.wrong == NULL)
		world.wrong = what;
}

/* ---- the sides ---- */

static uint64_t id_of(char letter)
{
	static uint64_t n, o;

	if (n == 0) {
		n = neighbour(&world.g, A, 0);
		o = neighbour(&world.g, A, 1);
	}
	return letter == 'A' ? A : letter == 'N' ? n : letter == 'O' ? o : B;
}

static bool matches(const struct attempt *a, uint32_t handle)
{
	return handle < SENT_MAX && ((world.nbl[handle].id ^ a->t.id) & a->t.mask) == 0 &&
	       (int64_t)(world.nbl[handle].pos - a->t.mark) < 0;
}

static void put_burst(const char *letters, uint32_t n)
{
	struct rig *g = &world.g;
	struct vnic__ring_burst b;

	n = vnic__ring_room(&g->p, n);
	b = vnic__ring_begin(&g->p);
	for (uint32_t i = 0; i < n && g->sent < SENT_MAX; i++) {
		uint32_t handle = g->sent++;

		world.nbl[handle].id = id_of(letters[i]);
		world.nbl[handle].pos = b.pos;
		world.nbl[handle].state = QUEUED;
		vnic__ring_put(&b, handle, id_of(letters[i]));
	}
	vnic__ring_publish(&g->p, &b);
}

static void become(uint32_t handle, enum state from, enum state to, const char *what)
{
	check(handle < world.g.sent && world.nbl[handle].state == from, what);
	if (handle < SENT_MAX)
		world.nbl[handle].state = to;
}

static void claim(uint32_t n)
{
	uint32_t advanced, k = vnic__ring_claim(&world.g.c, n, &advanced);

	for (uint32_t i = 0; i < k; i++)
		become(vnic__ring_stage_handle(&world.g.c, i), QUEUED, STAGED,
		       "the consumer got what is not queued");
}

static void help(void)
{
	struct vnic__ring_consumer *c = &world.g.c;
	uint32_t nb = 0, staged = vnic__ring_staged(c);
	bool keep[VNIC__RING_STAGE_MAX] = {false};

	if (!vnic__ring_help_wanted(c))
		return;
	for (uint32_t i = 0; i < staged; i++) {
		uint32_t handle = vnic__ring_stage_handle(c, i);

		step(); /* the target is plain, yet must stand still here */
		keep[i] = !vnic__ring_help_match(c, i, world.nbl[handle % SENT_MAX].id);
		check(world.open, "the answer came before the help");
		check(keep[i] == !matches(world.asked, handle), "help took the wrong ones");
		if (!keep[i])
			become(handle, STAGED, HELPED, "help took what is not staged");
		nb += !keep[i];
	}
	vnic__ring_stage_keep(c, 0, keep);
	vnic__ring_help_done(c, nb);
}

static void hand_down(uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		uint32_t handle = vnic__ring_stage_handle(&world.g.c, i);

		for (uint32_t k = 0; k < world.nb_attempts; k++)
			check(!world.attempt[k].over || !matches(&world.attempt[k], handle),
			      "a match left after its cancel was over");
		become(handle, STAGED, LEFT, "what left was not staged");
	}
	if (n != 0)
		vnic__ring_release(&world.g.c, n);
}

static void take_answer(void)
{
	uint32_t nb;

	if (world.open && answered(&world.g, &nb)) {
		world.asked->over = true;
		world.open = false;
	}
}

static void cancel_letter(char letter)
{
	struct attempt *a = &world.attempt[world.nb_attempts];
	struct vnic__ring_found f;

	a->t = (struct vnic__ring_target){.id = id_of(letter),
					  .mask = letter == '*' ? 0 : ALL,
					  .mark = tail_of(&world.g)};
	a->over = false;
	world.nb_attempts++;
	f = vnic__ring_cancel(&world.g.x, &a->t, a->t.mark - SIZE);
	for (uint32_t i = 0; i < f.nb_claimed; i++) {
		uint32_t handle = world.g.x.claimed[i];

		become(handle, QUEUED, TAKEN_BACK, "the canceller took what is not queued");
		check(matches(a, handle), "the canceller took no match");
	}
	if (!f.need_help) {
		a->over = true;
	} else if (!world.open) {
		world.asked = a;
		world.open = true;
		vnic__ring_help_ask(&world.g.x, &a->t);
	}
}

static void producer(void)
{
	for (const char *at = world.scene->sends; *at != '\0';) {
		uint32_t n = (uint32_t)strnlen(at, 3);

		put_burst(at, n);
		at += n;
	}
}

static void consumer(void)
{
	uint32_t jam = world.scene->jam, staged;

	for (int i = 0; i < 4; i++) {
		help();
		if (vnic__ring_staged(&world.g.c) == 0)
			claim(3);
		staged = vnic__ring_staged(&world.g.c);
		if (jam != 0)
			jam--;
		else
			hand_down(i == 2 && staged > 1 ? 1 : staged);
	}
}

static void canceller(void)
{
	for (const char *at = world.scene->targets; *at != '\0'; at++) {
		cancel_letter(*at);
		take_answer();
	}
	take_answer();
}

/* ---- schedules ---- */

static void switch_to(int next)
{
	int from = run.current;

	run.current = next;
	swapcontext(&run.side[from], &run.side[next]);
}

static void step(void)
{
	if (run.current < 0 || run.switches == plan.nb || run.steps++ < plan.when[run.switches])
		return;
	for (uint32_t k = plan.to[run.switches++], tries = 0; tries < 2; k++, tries++) {
		int next = (int)(((uint32_t)run.current + 1 + k % 2) % 3);

		if (!run.done[next]) {
			switch_to(next);
			return;
		}
	}
}

/* A side that has ended hands over to the next one that has not. */
static void side_main(int side)
{
	(side == 0 ? producer : side == 1 ? consumer : canceller)();
	run.done[side] = true;
	for (int k = 1; k < 3; k++) {
		int next = (side + k) % 3;

		if (!run.done[next]) {
			run.current = next;
			setcontext(&run.side[next]);
		}
	}
	run.current = -1;
	setcontext(&run.main);
}

static void prepare(const struct scene *scene, uint64_t start, void *mem)
{
	struct world *w = &world;

	memset(w, 0, sizeof(*w));
	w->scene = scene;
	w->g.ring = vnic__ring_init(mem, SIZE, start);
	vnic__ring_sides(w->g.ring, &w->g.p, &w->g.c, &w->g.x);
	put_burst(scene->queued, (uint32_t)strlen(scene->queued));
	if (scene->nb_staged != 0)
		claim(scene->nb_staged);
}

static void make_side(int side)
{
	ucontext_t *u = &run.side[side];

	run.done[side] = false;
	getcontext(u);
	u->uc_stack.ss_sp = stacks[side];
	u->uc_stack.ss_size = STACK_BYTES;
	u->uc_link = NULL;
	makecontext(u, (void (*)(void))side_main, 1, side);
}

static void run_plan(void)
{
	run.steps = run.switches = 0;
	for (int i = 0; i < 3; i++)
		make_side(i);
	run.current = (int)plan.first;
	swapcontext(&run.main, &run.side[plan.first]);
}

/* Let the consumer finish: everything sent has come out once, every cancel is over. */
static void settle(void)
{
	struct rig *g = &world.g;

	do {
		help();
		take_answer();
		hand_down(vnic__ring_staged(&g->c));
		claim(VNIC__RING_STAGE_MAX);
	} while (vnic__ring_staged(&g->c) != 0 || g->c.head != tail_of(g));
	for (uint32_t i = 0; i < g->sent; i++)
		check(world.nbl[i].state >= LEFT, "an entry was lost");
	check(!world.open, "a question was not answered");
	check(g->c.tombs == g->x.aborted, "tombs were not counted");
	check(atomic_load(&g->ring->settled) == g->c.head, "the end is not settled");
	check(atomic_load(&g->ring->cancels) == 2 * g->c.tombs, "a walk did not end");
}

static void play(const struct scene *scene, uint64_t start, void *mem)
{
	prepare(scene, start, mem);
	run_plan();
	settle();
	if (world.wrong == NULL)
		return;
	print_error("%s; first side %u, switches:", world.wrong, plan.first);
	for (uint32_t i = 0; i < plan.nb; i++)
		print_error(" %u->%u", plan.when[i], plan.to[i]);
	print_error("\n");
	fail();
}

static void play_all(const struct scene *scene, uint64_t start, void *mem)
{
	for (uint32_t i = 0; i < 3 * 4; i++) {
		uint32_t steps = UINT32_MAX, steps2;

		/* steps are counted up to the last switch planned: plan one too many */
		for (uint32_t at = 0; at < steps; at++) {
			plan = (struct plan){.first = i / 4, .nb = 2, .when = {at, UINT32_MAX},
					     .to = {i & 1, 0}};
			play(scene, start, mem);
			steps = steps2 = run.steps;
			for (uint32_t at2 = at + 1; at2 < steps2; at2++) {
				plan = (struct plan){.first = i / 4, .nb = 3,
						     .when = {at, at2, UINT32_MAX},
						     .to = {i & 1, i >> 1 & 1}};
				play(scene, start, mem);
			}
		}
	}
}

static void play_random(const struct scene *scene, uint64_t start, void *mem)
{
	uint64_t seed = start;

	for (int i = 0; i < NB_RANDOM; i++) {
		uint32_t at = 0;

		plan = (struct plan){.first = (uint32_t)rng(&seed) % 3, .nb = SWITCHES_MAX};
		for (uint32_t k = 0; k < SWITCHES_MAX; k++) {
			at += 1 + (uint32_t)rng(&seed) % 40;
			plan.when[k] = at;
			plan.to[k] = (uint32_t)rng(&seed) % 2;
		}
		play(scene, start, mem);
	}
}

static void every_schedule_is_right(void **state)
{
	void *mem = aligned_alloc(VNIC__LINE, vnic__ring_bytes(SIZE));

	assert_non_null(mem);
	play_all(*state, 0, mem);
	for (size_t s = 0; s < COUNT_OF(starts); s++)
		play_random(*state, starts[s] + 32 - 7, mem);
	free(mem);
}

static const struct scene scenes[] = {
	{"one id", "AAAA", 0, 0, "AAA", "A"},
	{"one id, full and staged", "AAAAAAAA", 3, 0, "AAA", "A"},
	{"staged ones are overwritten by another id", "AAAAAAAA", 3, 2, "BBB", "A"},
	{"staged ones are overwritten by neighbours", "ANAOANAO", 3, 2, "NON", "AN"},
	{"singles", "ABNABOBA", 2, 1, "BAN", "AB"},
	{"runs", "AABBNNAA", 2, 1, "AAB", "A"},
	{"a neighbour's run on top", "AAANNNOO", 2, 2, "NNNA", "A"},
	{"the ring goes round", "BABABABA", 3, 0, "ABBABA", "A"},
	{"two cancels of one id", "AABAA", 1, 1, "AAA", "AA"},
	{"everything", "ABABAB", 2, 1, "ABA", "*"},
	{"tombs on tombs", "AAAAAAAA", 0, 0, "BBB", "AB"},
};

int main(void)
{
	struct CMUnitTest tests[COUNT_OF(scenes)];

#ifdef SKIP
	puts("skipped: " SKIP);
	return 77;
#endif
	for (size_t i = 0; i < COUNT_OF(scenes); i++)
		tests[i] = (struct CMUnitTest){scenes[i].name, every_schedule_is_right, NULL, NULL,
					       (void *)(uintptr_t)&scenes[i]};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
