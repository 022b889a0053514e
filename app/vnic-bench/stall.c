/* SPDX-License-Identifier: BSD-3-Clause
 * stall.c - throughput while the control lcore stands still in the middle of a walk
 *
 * A signal stops the thread that plays control, as a scheduler might, while it takes back
 * everything that is queued. What is measured begins when it stands and ends before it goes on.
 */
#include "bench.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include <rte_common.h>
#include <rte_cycles.h>

#include "inflight.h"
#include "stock.h"
#include "team.h"
#include "wire.h"

#define DEPTH 4096u
/* the queue is full again when all that was in it is in the hands of who stands still */
#define NBLS (2 * DEPTH + 4 * DESIGN_BURST)
#define SHARE 0.6 /* of --seconds; the rest is inflight.c's */
#define SECONDS_QUICK 0.3 /* of a stop */
#define SECONDS 1.0
#define INFLIGHT_S_QUICK 1.6
#define INFLIGHT_S 12.0
#define MORE 1.25 /* a stop lasts at most so much longer, if nobody ends it */
#define WARM_S 0.01
#define REFILL_S 0.001
#define TRY_S 4.0 /* to meet the thread in a walk */
#define ANSWER_S 1.0
#define STEPS 8

enum still { STILL_ASKED, STILL_STANDS, STILL_MISSED };

static const struct stall_case {
	const struct design_ops *ops;
	bool between; /* stop it between two walks */
	uint64_t id;  /* whose cancel walks all that is queued */
	const char *key, *label;
} cases[] = {
	{&design_vnic, false, 0, "stall_ratio", "in a walk"},
	{&design_vnic, true, 0, "stall_between_ratio", "between walks"},
	/* an id that nobody has: everything at once is no walk for a list */
	{&design_list, false, UINT64_MAX, "list_stall_ratio", "in a walk"},
};
#define CASES RTE_DIM(cases)

struct lane {
	const struct stall_case *kind;
	struct stock stock;
	struct design *design;
	struct samples running, standing, ratio;
	uint32_t tries;
	pthread_t thread;   /* of control */
	_Atomic bool known; /* R1 -> A1: the thread */
	_Atomic bool hold;  /* data is to wait, so that the queue is full and the walk long */
	_Atomic bool asked; /* R2 -> A2: app wants a walk; R3 -> A3: that is over */
};

struct stall {
	struct bench *b;
	double window_s;
	struct lane lane[CASES];
};

static const uint16_t frame = 64;

/* What the signal handler goes by: of the file, as it is given nothing; atomics free of locks.
 * The first four are written while nobody may be stopped. */
static struct {
	struct design *design;
	bool between;   /* to stand between two walks, else in one */
	uint64_t ticks; /* TSC: to stand, at most */
	bool sleeps;    /* lcores share CPUs: leave ours to the others */
	_Atomic bool calls; /* control is in ops->cancel() */
	_Atomic int state;  /* enum still; R4 -> A4: what was measured before is over */
	_Atomic bool go_on; /* R5 -> A5: so is what was measured meanwhile */
} stop;

/* ---- the thread that is stopped ---- */

static bool in_walk(void)
{
	const struct design_ops *ops = stop.design->ops;

	if (ops->walking != NULL)
		return ops->walking(stop.design);
	/* relaxed: a glance; in the handler it is the thread's own */
	return atomic_load_explicit(&stop.calls, memory_order_relaxed);
}

static void stand_still(int number)
{
	const struct timespec nap = {.tv_nsec = 1000000};
	bool stands = in_walk() != stop.between;
	uint64_t begin = rte_rdtsc();
	int saved = errno;

	(void)number;
	/* R4 */
	atomic_store_explicit(&stop.state, stands ? STILL_STANDS : STILL_MISSED, memory_order_release);
	/* A5 <- R5 */
	while (stands && !atomic_load_explicit(&stop.go_on, memory_order_acquire) &&
	       rte_rdtsc() - begin < stop.ticks)
		if (stop.sleeps)
			nanosleep(&nap, NULL);
	errno = saved;
}

static uint32_t control_step(struct design *d)
{
	return d->ops->control != NULL ? d->ops->control(d) : 0;
}

/* A walk; where it leaves the queue as it is, one after the other, until the signal is there. */
static void walk(struct team *t, uint64_t id)
{
	struct design *d = t->design;
	uint64_t nb;

	do {
		/* relaxed, both: for this thread's handler, and a glance of app */
		atomic_store_explicit(&stop.calls, true, memory_order_relaxed);
		d->ops->cancel(d, id);
		atomic_store_explicit(&stop.calls, false, memory_order_relaxed);
		while (!d->ops->over(d, &nb) && atomic_load_explicit(&t->run, memory_order_acquire))
			control_step(d);
		/* relaxed: the handler is this thread's */
	} while (id != 0 && atomic_load_explicit(&stop.state, memory_order_relaxed) == STILL_ASKED &&
		 atomic_load_explicit(&t->run, memory_order_acquire));
}

static uint32_t control(struct team *t)
{
	struct lane *l = t->context;

	/* relaxed: this thread wrote it */
	if (!atomic_load_explicit(&l->known, memory_order_relaxed)) {
		l->thread = pthread_self();
		atomic_store_explicit(&l->known, true, memory_order_release); /* R1 */
	}
	/* A2 <- R2 */
	if (atomic_load_explicit(&l->asked, memory_order_acquire)) {
		walk(t, l->kind->id);
		atomic_store_explicit(&l->asked, false, memory_order_release); /* R3 */
	}
	return control_step(t->design);
}

/* ---- data ---- */

static uint32_t data(struct team *t)
{
	const struct lane *l = t->context;

	/* relaxed: a while sooner or later is all the same */
	return atomic_load_explicit(&l->hold, memory_order_relaxed) ? 0 : t->design->ops->data(t->design);
}

static void hold_data(struct lane *l, bool hold)
{
	atomic_store_explicit(&l->hold, hold, memory_order_relaxed);
}

/* ---- app ---- */

static uint64_t in_ticks(double seconds)
{
	return (uint64_t)(seconds * (double)rte_get_tsc_hz());
}

/* Keep the queue full for so long, or until *busy is clear; returns packets a microsecond. */
static double pump(struct lane *l, struct team *team, double seconds, const _Atomic bool *busy)
{
	uint64_t begin = rte_rdtsc(), now = begin, ticks = in_ticks(seconds), sent = l->stock.seen.sent;

	/* A3 <- R3 */
	while (now - begin < ticks && (busy == NULL || atomic_load_explicit(busy, memory_order_acquire))) {
		for (uint32_t i = 0; i < STEPS; i++) {
			while (stock_send(&l->stock, l->design, 0) == DESIGN_BURST)
				;
			team_step(team);
			stock_poll(&l->stock, l->design, 0, NULL);
		}
		now = rte_rdtsc();
	}
	sent = l->stock.seen.sent - sent;
	return now == begin ? 0 : (double)sent / ((double)(now - begin) / (double)rte_get_tsc_hz() * 1e6);
}

static int late(const struct lane *l, const char *what)
{
	fprintf(stderr, "vnic-bench: %s: %s; is the machine overloaded? run it alone, or with lcores that "
		"have a CPU each\n", l->design->ops->name, what);
	return -1;
}

/* What was asked is over: 0, or -1. */
static int wait_over(struct lane *l, struct team *team)
{
	pump(l, team, ANSWER_S, &l->asked);
	return atomic_load_explicit(&l->asked, memory_order_acquire) ? /* A3 <- R3 */
		       late(l, "a cancel is not over after a second") : 0;
}

/* Stop the thread, in a walk that it is asked for or between walks. How it stands. */
static enum still try_stop(struct lane *l, const struct team *team)
{
	uint64_t end = rte_rdtsc() + in_ticks(ANSWER_S);
	int state = STILL_ASKED;

	/* relaxed: R2 is after them */
	atomic_store_explicit(&stop.state, STILL_ASKED, memory_order_relaxed);
	atomic_store_explicit(&stop.go_on, false, memory_order_relaxed);
	atomic_store_explicit(&l->asked, !stop.between, memory_order_release); /* R2 */
	/* A3 <- R3 */
	while (!in_walk() && atomic_load_explicit(&l->asked, memory_order_acquire) && rte_rdtsc() < end)
		if (team->yields)
			sched_yield();
	pthread_kill(l->thread, SIGUSR1);
	while (state == STILL_ASKED && rte_rdtsc() < end) {
		state = atomic_load_explicit(&stop.state, memory_order_acquire); /* A4 <- R4 */
		if (team->yields)
			sched_yield();
	}
	return (enum still)state;
}

/* 0: control stands, and will till it is told to go on, or its time is up. */
static int stop_control(struct lane *l, struct team *team)
{
	uint64_t end = rte_rdtsc() + in_ticks(TRY_S);

	while (rte_rdtsc() < end) {
		enum still still;

		l->tries++;
		hold_data(l, true);
		pump(l, team, REFILL_S, NULL);
		still = try_stop(l, team);
		hold_data(l, false);
		if (still == STILL_STANDS)
			return 0;
		if (still == STILL_ASKED)
			return late(l, "the control thread takes no signal for a second");
		if (wait_over(l, team) != 0)
			return -1;
	}
	return late(l, "the control thread was not met where it was to stop");
}

/* A short window before, one with control standing still, a short one after. */
static int run_windows(struct lane *l, struct team *team, double window_s)
{
	double before, standing, after;

	pump(l, team, WARM_S, NULL);
	before = pump(l, team, window_s / 4, NULL);
	if (!atomic_load_explicit(&l->known, memory_order_acquire)) /* A1 <- R1 */
		return late(l, "the control thread has not begun");
	if (stop_control(l, team) != 0)
		return -1;
	/* a lock that it holds keeps this one till its time is up */
	standing = pump(l, team, window_s, NULL);
	atomic_store_explicit(&stop.go_on, true, memory_order_release); /* R5 */
	if (wait_over(l, team) != 0)
		return -1;
	pump(l, team, WARM_S, NULL);
	after = pump(l, team, window_s / 4, NULL);
	samples_add(&l->running, (before + after) / 2);
	samples_add(&l->standing, standing);
	if (before + after == 0)
		return late(l, "nothing was sent");
	samples_add(&l->ratio, standing / ((before + after) / 2));
	return 0;
}

static int run_round(const struct stall *s, struct lane *l)
{
	struct team team = {.data = data, .control = control, .context = l};
	double window_s = l->kind->between ? s->window_s / 2 : s->window_s;
	uint64_t nb, end;
	int rc;

	stop.design = l->design;
	stop.between = l->kind->between;
	stop.ticks = in_ticks(window_s * MORE);
	/* relaxed: no thread is there yet */
	hold_data(l, false);
	atomic_store_explicit(&l->known, false, memory_order_relaxed);
	atomic_store_explicit(&l->asked, false, memory_order_relaxed);
	stop.sleeps = false;
	team_start(&team, l->design, TEAM_CONTROL_APART);
	stop.sleeps = team.yields;
	rc = run_windows(l, &team, window_s);
	atomic_store_explicit(&stop.go_on, true, memory_order_release); /* R5 */
	team_stop(&team);
	/* after an error: what was begun has to end before the rest can be settled */
	end = rte_rdtsc() + in_ticks(ANSWER_S);
	while (rc != 0 && !l->design->ops->over(l->design, &nb) && rte_rdtsc() < end) {
		l->design->ops->data(l->design);
		control_step(l->design);
	}
	return rc;
}

/* ---- from lanes to figures ---- */

static int lane_open(struct lane *l, const struct stall_case *kind, uint16_t port)
{
	const struct stock_conf sc = {.nb = NBLS, .sizes = &frame, .nb_sizes = 1};
	struct design_conf dc = {.depth = DEPTH, .nb_senders = 1, .port = port};

	l->kind = kind;
	samples_begin(&l->running, BENCH_ROUNDS_MAX);
	samples_begin(&l->standing, BENCH_ROUNDS_MAX);
	samples_begin(&l->ratio, BENCH_ROUNDS_MAX);
	if (stock_open(&l->stock, &sc) != 0)
		return -1;
	dc.nbls = l->stock.nbls;
	l->design = kind->ops->create(&dc);
	return l->design != NULL ? 0 : -1;
}

static void lane_close(struct lane *l)
{
	if (l->design != NULL)
		l->design->ops->destroy(l->design);
	stock_close(&l->stock);
	samples_end(&l->running);
	samples_end(&l->standing);
	samples_end(&l->ratio);
}

static void put_head(struct bench *b, double window_s)
{
	output_line(&b->out, "\nthe control lcore stopped by a signal, for %.2f s in a walk over all %u "
		    "queued, for half of that\nbetween walks, against it running; packets sent, Mpps: "
		    "medians (min .. max) of %u rounds. The data\nlcore of vnic takes NBL by NBL what "
		    "was sent before the walk, that of the list waits for the lock",
		    window_s, DEPTH, bench_rounds(b));
	output_line(&b->out, "  %-8s %-14s %8s %8s %24s %6s", "design", "stopped", "running", "stopped",
		    "ratio", "tries");
}

static void put_lane(struct bench *b, struct lane *l)
{
	FILE *csv = output_csv(&b->out, "stall", "design,stopped,round,running_mpps,standing_mpps,ratio");
	const struct stall_case *c = l->kind;
	double ratio;

	for (size_t k = 0; k < l->ratio.nb; k++)
		fprintf(csv, "%s,%s,%zu,%.4f,%.6f,%.6f\n", c->ops->name, c->between ? "between" : "walk", k,
			l->running.value[k], l->standing.value[k], l->ratio.value[k]);
	ratio = samples_median(&l->ratio);
	output_figure(&b->out, c->key, ratio);
	output_line(&b->out, "  %-8s %-14s %8.2f %8.2f %7.3f (%5.3f .. %5.3f) %6.1f  %s", c->ops->name,
		    c->label, samples_median(&l->running), samples_median(&l->standing), ratio,
		    samples_min(&l->ratio), samples_max(&l->ratio), (double)l->tries / (double)l->ratio.nb,
		    output_goal(c->key, ratio));
}

static int run_rounds(struct stall *s)
{
	struct sigaction act = {.sa_handler = stand_still, .sa_flags = SA_RESTART}, old;
	int rc = 0;

	sigaction(SIGUSR1, &act, &old);
	output_progress(&s->b->out, "stall", bench_rounds(s->b));
	for (uint32_t r = 0; r < bench_rounds(s->b) && rc == 0; r++) {
		for (uint32_t i = 0; i < CASES && rc == 0; i++)
			rc = run_round(s, &s->lane[i]);
		output_step(&s->b->out);
	}
	sigaction(SIGUSR1, &old, NULL);
	for (uint32_t i = 0; i < CASES && rc == 0; i++)
		rc = stock_settle(&s->lane[i].stock, s->lane[i].design, 1, false);
	return rc;
}

static int run_stall(struct bench *b, double window_s)
{
	static struct stall s; /* lanes are large for a stack */
	uint16_t port;
	int rc = 0;

	memset(&s, 0, sizeof(s));
	s.b = b;
	s.window_s = window_s;
	if (wire_null_open(&port) != 0)
		return -1;
	for (uint32_t i = 0; i < CASES && rc == 0; i++)
		rc = lane_open(&s.lane[i], &cases[i], port);
	if (rc == 0)
		rc = run_rounds(&s);
	if (rc == 0)
		put_head(b, window_s);
	for (uint32_t i = 0; i < CASES; i++) {
		if (rc == 0)
			put_lane(b, &s.lane[i]);
		lane_close(&s.lane[i]);
	}
	wire_close(port);
	return rc;
}

int bench_stall(struct bench *b)
{
	const double quick_s = b->conf.quick ? SECONDS_QUICK : SECONDS;
	/* a stop, two runs of a quarter of it, and a little more, of each case in each round; one of the
	 * cases is half as long */
	const double parts = bench_rounds(b) * ((double)CASES - 0.5) * (0.5 + MORE);
	double window_s = b->conf.seconds > 0 ? b->conf.seconds * SHARE / parts : quick_s;
	double rest_s = b->conf.seconds > 0 ? b->conf.seconds * (1 - SHARE) :
			b->conf.quick ? INFLIGHT_S_QUICK : INFLIGHT_S;
	int rc = 0;

	if (team_lcores() == 1)
		output_line(&b->out, "\nstall: with one lcore there is no control lcore to stop: left out; "
			    "give two, as by -l 0,1");
	else
		rc = run_stall(b, window_s);
	return rc == 0 ? bench_inflight(b, rest_s) : rc;
}
