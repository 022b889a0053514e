/* SPDX-License-Identifier: BSD-3-Clause
 * hop.c - what the machine itself takes to carry a word from one lcore to another and back: the
 * floor under every cancel that another lcore applies
 */
#include "hop.h"

#include <stdalign.h>
#include <stdatomic.h>

#include <rte_cycles.h>
#include <rte_launch.h>
#include <rte_lcore.h>

#include "team.h"

#define PINGS 4001
#define WAIT_S 2
#define STOP UINT32_MAX

struct words {
	alignas(64) _Atomic uint32_t ping;
	alignas(64) _Atomic uint32_t pong;
};

/* Relaxed throughout: the word is all that is handed over. */
static int echo(void *arg)
{
	struct words *w = arg;
	uint32_t last;

	do {
		last = atomic_load_explicit(&w->ping, memory_order_relaxed);
		atomic_store_explicit(&w->pong, last, memory_order_relaxed);
	} while (last != STOP);
	return 0;
}

double hop_round_trip_ns(const struct bench *b)
{
	unsigned int lcore = rte_get_next_lcore(-1, 1, 0);
	static struct words w;
	struct samples ns;
	uint64_t end = rte_rdtsc() + WAIT_S * rte_get_tsc_hz(), begin, now = 0;
	double median;

	if (lcore >= RTE_MAX_LCORE)
		return 0;
	if (team_lcores() == 3) /* control has its own */
		lcore = rte_get_next_lcore(lcore, 1, 0);
	w = (struct words){0};
	samples_begin(&ns, PINGS);
	rte_eal_remote_launch(echo, &w, lcore);
	for (uint32_t i = 1; i <= PINGS && now < end; i++) {
		begin = rte_rdtsc();
		atomic_store_explicit(&w.ping, i, memory_order_relaxed);
		do
			now = rte_rdtsc();
		while (atomic_load_explicit(&w.pong, memory_order_relaxed) != i && now < end);
		if (now < end)
			samples_add(&ns, bench_ns(b, now - begin));
	}
	atomic_store_explicit(&w.ping, STOP, memory_order_relaxed);
	rte_eal_wait_lcore(lcore);
	median = samples_median(&ns);
	samples_end(&ns);
	return median;
}
