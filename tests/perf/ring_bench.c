/* SPDX-License-Identifier: BSD-3-Clause
 * ring_bench.c - what the ring costs per packet, and what a cancel's walk takes
 *
 * A and B are interleaved in rounds of one run; figures are medians of the rounds with
 * minimum and maximum. It checks what it counts (conservation, matches), never how fast
 * the machine is. usage: ring-bench [--quick]
 */
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_pause.h>
#include <rte_ring.h>

#include "ring.h"
#include "vnic.h"

#define BURST 32u
#define IDS 65536u
#define ROUNDS_MAX 15

struct bench {
	uint32_t depth;
	uint32_t loops;
	struct rte_ring *plain;
	struct vnic__ring *ring;
	struct vnic__ring_producer p;
	struct vnic__ring_consumer c;
	uint64_t ids[IDS];
	uint64_t next_id;
	uint64_t put, taken; /* of the cancelable ring, for conservation */
	double ghz;
	uint64_t cancels_per_s;
	/* what the canceller writes or watches, away from the other's */
	alignas(128) struct vnic__ring_canceller x;
	_Atomic uint64_t aborted;
	uint64_t cancels;
	alignas(128) _Atomic uint32_t canceller_on;
	_Atomic bool end;
};

static int rounds = 9;

static double median(const double *v, int n, double *min, double *max)
{
	double s[ROUNDS_MAX];

	memcpy(s, v, (size_t)n * sizeof(*s));
	for (int i = 1; i < n; i++)
		for (int k = i; k > 0 && s[k] < s[k - 1]; k--) {
			double t = s[k];

			s[k] = s[k - 1];
			s[k - 1] = t;
		}
	*min = s[0];
	*max = s[n - 1];
	return s[n / 2];
}

#define HUGE_PAGE ((size_t)2 << 20)

static bool no_hugepages;

/* Memory as the library's: hugepages, or what comes next to them. */
static void *lines(size_t bytes)
{
	size_t len = (bytes + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1);
	void *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);

	if (p == MAP_FAILED) {
		no_hugepages = true;
		p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		madvise(p, len, MADV_HUGEPAGE);
	}
	if (p == MAP_FAILED) {
		fprintf(stderr, "ring-bench: no memory for %zu bytes\n", bytes);
		exit(1);
	}
	return p;
}

static void give_back(void *p, size_t bytes)
{
	munmap(p, (bytes + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1));
}

static cpu_set_t all_cpus; /* before anyone was pinned: a thread inherits its maker's */

static void pin(unsigned int nth)
{
	cpu_set_t one;

	nth %= (unsigned int)CPU_COUNT(&all_cpus);
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &all_cpus) && (nth-- == 0)) {
			CPU_ZERO(&one);
			CPU_SET(cpu, &one);
			pthread_setaffinity_np(pthread_self(), sizeof(one), &one);
			return;
		}
}

/* ---- one lap of each kind: a burst in, a burst out, the ring nearly full ---- */

static uint64_t lap_plain(struct bench *b)
{
	uintptr_t in[BURST], out[BURST];
	uint64_t t = rte_rdtsc(), sum = 0;

	for (uint32_t i = 0; i < BURST; i++)
		in[i] = i + 1;
	for (uint32_t k = 0; k < b->loops; k++) {
		rte_ring_sp_enqueue_burst(b->plain, (void **)in, BURST, NULL);
		rte_ring_sc_dequeue_burst(b->plain, (void **)out, BURST, NULL);
		sum += out[k % BURST];
		in[k % BURST] = out[(k + 1) % BURST];
	}
	t = rte_rdtsc() - t;
	return sum != 0 ? t : 0;
}

/* The ring without its index: the slot alone. */
static uint64_t lap_no_index(struct bench *b)
{
	uint64_t t = rte_rdtsc();

	for (uint32_t k = 0; k < b->loops; k++) {
		struct vnic__ring_burst burst = vnic__ring_begin(&b->p);
		uint32_t n = vnic__ring_room(&b->p, BURST), advanced;

		for (uint32_t i = 0; i < n; i++, burst.pos++)
			atomic_store_explicit(&burst.slot[(uint32_t)burst.pos & burst.mask],
					      burst.pos << VNIC__HANDLE_BITS | i, memory_order_release);
		vnic__ring_publish(&b->p, &burst);
		b->put += n;
		n = vnic__ring_claim(&b->c, BURST, &advanced);
		vnic__ring_release(&b->c, n);
		b->taken += n;
	}
	return rte_rdtsc() - t;
}

static void send_burst(struct bench *b, uint32_t max)
{
	struct vnic__ring_burst burst = vnic__ring_begin(&b->p);
	uint32_t n = vnic__ring_room(&b->p, max);

	for (uint32_t i = 0; i < n; i++)
		vnic__ring_put(&burst, i, b->ids[b->next_id++ % IDS]);
	vnic__ring_publish(&b->p, &burst);
	b->put += n;
}

static void transmit_burst(struct bench *b)
{
	uint32_t advanced, n = vnic__ring_claim(&b->c, BURST, &advanced);

	if (vnic__ring_help_wanted(&b->c))
		vnic__ring_help_done(&b->c, 0);
	vnic__ring_release(&b->c, n);
	b->taken += n;
}

static uint64_t lap_ring(struct bench *b)
{
	uint64_t t = rte_rdtsc();

	for (uint32_t k = 0; k < b->loops; k++) {
		send_burst(b, BURST);
		transmit_burst(b);
	}
	return rte_rdtsc() - t;
}

/* ---- the canceller, on the other CPU ---- */

static uint64_t next_random(uint64_t *s)
{
	*s ^= *s << 13;
	*s ^= *s >> 7;
	*s ^= *s << 17;
	return *s;
}

static uint64_t cancel_one(struct bench *b, uint64_t *seed, uint64_t *cycles)
{
	struct vnic__ring_target t = {.id = vnic__ring_sample(&b->x, next_random(seed)),
				      .mask = UINT64_MAX};
	struct vnic__ring_found found;
	uint64_t begin;

	t.mark = atomic_load_explicit(&b->ring->tail, memory_order_acquire);
	begin = rte_rdtsc();
	found = vnic__ring_cancel(&b->x, &t, t.mark);
	*cycles = rte_rdtsc() - begin;
	atomic_fetch_add_explicit(&b->aborted, found.nb_claimed, memory_order_relaxed);
	return found.nb_claimed;
}

static void *canceller(void *arg)
{
	struct bench *b = arg;
	uint64_t seed = 88172645463325252u, next = 0, cycles;
	uint64_t period = (uint64_t)(b->ghz * 1e9) / b->cancels_per_s;

	pin(1);
	while (!atomic_load_explicit(&b->end, memory_order_relaxed)) {
		uint64_t now = rte_rdtsc();

		if (!atomic_load_explicit(&b->canceller_on, memory_order_relaxed) || now < next) {
			rte_pause();
			continue;
		}
		next = now > next + 100 * period ? now + period : next + period;
		cancel_one(b, &seed, &cycles);
		b->cancels++;
	}
	return NULL;
}

static void fill(struct bench *b, uint32_t depth)
{
	b->depth = depth;
	b->plain = lines((size_t)rte_ring_get_memsize(depth));
	rte_ring_init(b->plain, "plain", depth, RING_F_SP_ENQ | RING_F_SC_DEQ);
	/* just below the wrap of the stamps' 32-bit links */
	b->ring = vnic__ring_init(lines(vnic__ring_bytes(depth)), depth, (UINT64_C(1) << 32) - depth);
	vnic__ring_sides(b->ring, &b->p, &b->c, &b->x);
	b->put = b->taken = 0;
	atomic_store(&b->aborted, 0);
	for (uint32_t i = 0; i < depth / BURST - 2; i++) {
		void *in[BURST];

		for (uint32_t k = 0; k < BURST; k++)
			in[k] = (void *)(uintptr_t)(k + 1);
		rte_ring_sp_enqueue_burst(b->plain, in, BURST, NULL);
		send_burst(b, BURST);
	}
}

static void drain(struct bench *b)
{
	while (vnic__ring_room(&b->p, b->depth) < b->depth)
		transmit_burst(b);
	if (b->put != b->taken + atomic_load(&b->aborted)) {
		fprintf(stderr, "ring-bench: put %" PRIu64 ", taken %" PRIu64 ", aborted %" PRIu64
			": not conserved\n", b->put, b->taken, atomic_load(&b->aborted));
		exit(1);
	}
	give_back(b->plain, (size_t)rte_ring_get_memsize(b->depth));
	give_back(b->ring, vnic__ring_bytes(b->depth));
}

static void line(const char *name, const double *v, double base)
{
	double min, max, mid = median(v, rounds, &min, &max);

	printf("  %-34s %7.2f  (%.2f .. %.2f)", name, mid, min, max);
	if (base != 0)
		printf("   tax %+.2f", mid - base);
	printf("\n");
}

static void run_tax(struct bench *b, uint32_t depth)
{
	double v[4][ROUNDS_MAX], min, max, base, packets = (double)b->loops * BURST;
	pthread_t thread;

	fill(b, depth);
	atomic_store(&b->end, false);
	atomic_store(&b->canceller_on, 0);
	b->cancels = 0;
	pthread_create(&thread, NULL, canceller, b);
	for (int r = -1; r < rounds; r++) { /* one round to warm up */
		double *at = &v[0][r < 0 ? 0 : r];

		at[0 * ROUNDS_MAX] = (double)lap_plain(b) / packets;
		at[1 * ROUNDS_MAX] = (double)lap_no_index(b) / packets;
		at[2 * ROUNDS_MAX] = (double)lap_ring(b) / packets;
		atomic_store(&b->canceller_on, 1);
		at[3 * ROUNDS_MAX] = (double)lap_ring(b) / packets;
		atomic_store(&b->canceller_on, 0);
	}
	atomic_store(&b->end, true);
	pthread_join(thread, NULL);
	base = median(v[0], rounds, &min, &max);
	printf("\ncycles per packet, depth %u, burst %u, send and transmit in one thread\n", depth, BURST);
	line("rte_ring SP/SC", v[0], 0);
	line("this ring without its index", v[1], base);
	line("this ring (goal at 4096: tax <= 4)", v[2], base);
	line("this ring under 100,000 cancels/s", v[3], base);
	printf("  %" PRIu64 " cancels, %" PRIu64 " NBLs aborted\n", b->cancels, atomic_load(&b->aborted));
	drain(b);
}

/* ---- walks ---- */

struct walker {
	struct bench *bench;
	_Atomic uint32_t turn; /* even: the data side's, odd: the canceller's */
	bool runs;             /* matches side by side */
	uint32_t matches;
	_Atomic bool end;
};

/* The data side fills the ring so that its lines are dirty in this CPU's cache: `matches`
 * entries of one id among unique ones. */
static void lay(struct walker *w, uint64_t round)
{
	struct bench *b = w->bench;
	uint64_t same = UINT64_C(0xabcd) << 40 | round;
	uint32_t every = b->depth / w->matches, first = (b->depth - w->matches) / 2;

	while (vnic__ring_room(&b->p, b->depth) < b->depth)
		transmit_burst(b);
	for (uint32_t i = 0; i < b->depth;) {
		struct vnic__ring_burst burst = vnic__ring_begin(&b->p);

		for (uint32_t k = 0; k < BURST; k++, i++) {
			bool match = w->runs ? i >= first && i < first + w->matches
					     : i % every == every / 2;

			vnic__ring_put(&burst, k, match ? same : b->next_id++ << 1 | 1);
		}
		vnic__ring_publish(&b->p, &burst);
		b->put += BURST;
	}
}

static void *data_side(void *arg)
{
	struct walker *w = arg;

	pin(0);
	for (uint64_t round = 0;; round++) {
		uint32_t t;

		while ((t = atomic_load_explicit(&w->turn, memory_order_acquire)) & 1)
			if (atomic_load_explicit(&w->end, memory_order_relaxed))
				return NULL;
			else
				sched_yield();
		lay(w, round);
		atomic_store_explicit(&w->turn, t + 1, memory_order_release);
	}
}

static void walk_line(struct bench *b, const char *how, uint32_t depth, uint32_t matches,
		      const struct vnic_histogram *h)
{
	printf("  %8u %8u %-10s %9.2f %9.2f %9.2f   %.1f\n", depth, matches, how,
	       (double)vnic_histogram_percentile(h, 50) / b->ghz / 1e3,
	       (double)vnic_histogram_percentile(h, 99) / b->ghz / 1e3, (double)h->max / b->ghz / 1e3,
	       (double)vnic_histogram_percentile(h, 50) / b->ghz / matches);
}

static void run_walk(struct bench *b, uint32_t depth, uint32_t matches, bool runs, uint32_t walks)
{
	struct walker w = {.bench = b, .runs = runs, .matches = matches};
	struct vnic_histogram h = {0};
	pthread_t thread;

	fill(b, depth);
	pthread_create(&thread, NULL, data_side, &w);
	for (uint64_t round = 0; round < walks; round++) {
		struct vnic__ring_target t = {.id = UINT64_C(0xabcd) << 40 | round, .mask = UINT64_MAX};
		struct vnic__ring_found found;
		uint64_t begin;
		uint32_t turn;

		while (!((turn = atomic_load_explicit(&w.turn, memory_order_acquire)) & 1))
			sched_yield();
		t.mark = atomic_load_explicit(&b->ring->tail, memory_order_acquire);
		begin = rte_rdtsc();
		found = vnic__ring_cancel(&b->x, &t, t.mark);
		begin = rte_rdtsc() - begin;
		if (found.nb_claimed != matches) {
			fprintf(stderr, "ring-bench: %u of %u matches taken\n", found.nb_claimed, matches);
			exit(1);
		}
		atomic_fetch_add(&b->aborted, found.nb_claimed);
		if (round >= walks / 10)
			vnic_histogram_add(&h, begin);
		if (round + 1 == walks)
			atomic_store(&w.end, true);
		else
			atomic_store_explicit(&w.turn, turn + 1, memory_order_release);
	}
	pthread_join(thread, NULL);
	walk_line(b, matches == 1 ? "one" : runs ? "run" : "scattered", depth, matches, &h);
	drain(b);
}

/* ---- walks while the other CPU sends and transmits at full speed ---- */

static void *full_speed(void *arg)
{
	struct bench *b = arg;

	pin(0);
	while (!atomic_load_explicit(&b->end, memory_order_relaxed)) {
		send_burst(b, BURST);
		transmit_burst(b);
	}
	return NULL;
}

static void run_walk_loaded(struct bench *b, uint32_t depth, uint32_t walks)
{
	struct vnic_histogram h = {0};
	uint64_t seed = 1234567, cycles, tries = 0;
	pthread_t thread;

	fill(b, depth);
	atomic_store(&b->end, false);
	pthread_create(&thread, NULL, full_speed, b);
	while (h.count < walks && tries++ < 100 * (uint64_t)walks)
		if (cancel_one(b, &seed, &cycles) >= 1)
			vnic_histogram_add(&h, cycles);
	atomic_store(&b->end, true);
	pthread_join(thread, NULL);
	walk_line(b, "full load", depth, 1, &h);
	drain(b);
}

static double tsc_ghz(void)
{
	struct timespec begin, end;
	uint64_t t;

	clock_gettime(CLOCK_MONOTONIC, &begin);
	t = rte_rdtsc();
	usleep(100000);
	clock_gettime(CLOCK_MONOTONIC, &end);
	t = rte_rdtsc() - t;
	return (double)t / ((double)(end.tv_sec - begin.tv_sec) * 1e9 + (double)(end.tv_nsec - begin.tv_nsec));
}

int main(int argc, char **argv)
{
	static const uint32_t depths[] = {1024, 4096, 65536, 1048576};
	static struct bench b;
	bool quick = argc > 1 && strcmp(argv[1], "--quick") == 0;
	uint64_t seed = 42;

	if (argc > 1 && !quick) {
		fprintf(stderr, "ring-bench: %s: unknown option; usage: ring-bench [--quick]\n", argv[1]);
		return 1;
	}
	sched_getaffinity(0, sizeof(all_cpus), &all_cpus);
	b.ghz = tsc_ghz();
	rounds = quick ? 5 : 11;
	b.loops = quick ? 50000 : 300000;
	b.cancels_per_s = 100000;
	for (uint32_t i = 0; i < IDS; i++)
		b.ids[i] = next_random(&seed);
	printf("# TSC %.2f GHz, %d CPUs, rounds %d, %u packets a round, %u ids at random%s\n", b.ghz,
	       CPU_COUNT(&all_cpus), rounds, b.loops * BURST, IDS,
	       CPU_COUNT(&all_cpus) < 2 ? " (one CPU: the canceller shares it)" : "");
	give_back(lines(vnic__ring_bytes(1048576)), vnic__ring_bytes(1048576));
	printf("# memory: %s\n", no_hugepages ? "no hugepages free (16 are wanted), slower" : "hugepages");
	pin(0);
	run_tax(&b, 4096);
	run_tax(&b, 65536);
	pin(1);
	printf("\nwalk of one cancel, us (goal: p50 <= 0.60 at every depth)\n"
	       "     depth  matches                  p50       p99       max   ns/match\n");
	for (size_t i = 0; i < sizeof(depths) / sizeof(depths[0]); i++) {
		uint32_t walks = depths[i] > 100000 ? (quick ? 20 : 100) : (quick ? 300 : 2000);

		run_walk(&b, depths[i], 1, false, walks);
		run_walk_loaded(&b, depths[i], quick ? 2000 : 20000);
		if (depths[i] > 1024)
			run_walk(&b, depths[i], 1024, false, walks / 2);
		run_walk(&b, depths[i], depths[i] > 1024 ? 1024 : 512, true, walks / 2);
	}
	return 0;
}
