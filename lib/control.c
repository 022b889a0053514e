/* SPDX-License-Identifier: BSD-3-Clause
 * control.c - the control lcore's loop: take what was posted, apply it, wait for helpers
 */
#include "control.h"

#include <errno.h>
#include <pthread.h>

#include <rte_cycles.h>
#include <rte_errno.h>
#include <rte_malloc.h>

#include "adapter.h"

#define LOOKS_PER_S 100
#define TURNS_MAX 64        /* in a poll */
#define LANE_WAITING_MAX 16 /* of a client's cancels, for data threads */

struct vnic_control *vnic_control_create(int numa_node)
{
	struct vnic_control *c = rte_zmalloc_socket("vnic_control", sizeof(*c), VNIC__LINE, numa_node);

	if (c == NULL) {
		rte_errno = ENOMEM;
		return NULL;
	}
	rte_spinlock_init(&c->cancel_lock);
	rte_spinlock_init(&c->clients);
	c->waiting_last = &c->waiting_first;
	c->closed_last = &c->closed_first;
	c->tsc_hz = rte_get_tsc_hz();
	c->ns_per_tsc = 1e9 / (double)c->tsc_hz;
	return c;
}

int vnic_control_destroy(struct vnic_control *c)
{
	if (c == NULL)
		return 0;
	if (vnic__control_adapters(c) != 0)
		return -EBUSY;
	vnic__clients_forget(c);
	rte_free(c);
	return 0;
}

uint8_t vnic_generate_partial_cancel_id(struct vnic_control *c)
{
	/* relaxed: nothing is ordered by it */
	return (uint8_t)(1 + atomic_fetch_add_explicit(&c->prefixes, 1, memory_order_relaxed));
}

bool vnic__control_here(const struct vnic_control *c)
{
	/* relaxed: a thread reads its own mark, or none or another's, which is all the same */
	return atomic_load_explicit(&c->thread, memory_order_relaxed) == (uintptr_t)pthread_self();
}

void vnic__control_post(struct vnic_control *c, struct vnic__post *p)
{
	struct vnic__post *newest = atomic_load_explicit(&c->posted, memory_order_relaxed);

	do {
		p->next = newest;
		/* R10 -> A10 */
	} while (!atomic_compare_exchange_weak_explicit(&c->posted, &newest, p, memory_order_release,
							memory_order_relaxed));
}

/* All that was posted, oldest first. */
static struct vnic__post *take_posted(struct vnic_control *c)
{
	struct vnic__post *list, *oldest = NULL;

	/* relaxed: a glance; the exchange orders */
	if (atomic_load_explicit(&c->posted, memory_order_relaxed) == NULL)
		return NULL;
	/* A10 <- R10 */
	list = atomic_exchange_explicit(&c->posted, NULL, memory_order_acquire);
	while (list != NULL) {
		struct vnic__post *next = list->next;

		list->next = oldest;
		oldest = list;
		list = next;
	}
	return oldest;
}

/* ---- turns ---- */

static void append(struct vnic__lane *lane, struct vnic__post *p)
{
	p->next = NULL;
	if (lane->first == NULL)
		lane->first = p;
	else
		lane->last->next = p;
	lane->last = p;
}

static struct vnic__post *take_first(struct vnic__lane *lane)
{
	struct vnic__post *p = lane->first;

	lane->first = p->next;
	return p;
}

/* Its turn will come, after that of those whose turn comes already. */
static void enlist(struct vnic_control *c, struct vnic__lane *lane)
{
	lane->next = NULL;
	if (c->lane_first == NULL)
		c->lane_first = lane;
	else
		c->lane_last->next = lane;
	c->lane_last = lane;
}

static void sort_posted(struct vnic_control *c)
{
	struct vnic__post *next;

	for (struct vnic__post *p = take_posted(c); p != NULL; p = next) {
		struct vnic__lane *lane = p->lane;

		next = p->next;
		p->number = c->nb_sorted++;
		if (lane != NULL && lane->first == NULL && lane->nb_waiting < LANE_WAITING_MAX)
			enlist(c, lane);
		append(lane != NULL ? lane : &c->ordered, p);
	}
}

void vnic__lane_wait(struct vnic__lane *lane)
{
	if (lane != NULL)
		lane->nb_waiting++;
}

void vnic__lane_go_on(struct vnic_control *c, struct vnic__lane *lane)
{
	if (lane != NULL && lane->nb_waiting-- == LANE_WAITING_MAX && lane->first != NULL)
		enlist(c, lane);
}

/* Was it posted before all that takes turns? */
static bool oldest(const struct vnic_control *c, const struct vnic__post *p)
{
	for (const struct vnic__lane *lane = c->lane_first; lane != NULL; lane = lane->next)
		if (lane->first->number < p->number)
			return false;
	return true;
}

/* What is to be run next; of what has no lane, only what is numbered below `until`. */
static struct vnic__post *next_post(struct vnic_control *c, uint64_t until)
{
	struct vnic__post *p = c->ordered.first;
	struct vnic__lane *lane = c->lane_first;

	if (p != NULL && p->number < until && oldest(c, p))
		return take_first(&c->ordered);
	if (lane == NULL)
		return NULL;
	c->lane_first = lane->next;
	return take_first(lane);
}

/* Run it. When that returns it may be posted again or its owner's, and its lane gone with it. */
static void run(struct vnic_control *c, struct vnic__post *p)
{
	struct vnic__lane *lane = p->lane;
	bool more = lane != NULL && lane->first != NULL;

	p->run(c, p);
	/* what is still there keeps the lane's client */
	if (more && lane->nb_waiting < LANE_WAITING_MAX)
		enlist(c, lane);
}

/* Some turns; what they post without a lane waits for the next poll. */
static uint32_t take_turns(struct vnic_control *c)
{
	struct vnic__post *p;
	uint64_t until;
	uint32_t nb;

	sort_posted(c);
	until = c->nb_sorted;
	for (nb = 0; nb < TURNS_MAX && (p = next_post(c, until)) != NULL; nb++) {
		run(c, p);
		sort_posted(c);
	}
	return nb;
}

uint32_t vnic_control_poll(struct vnic_control *c)
{
	uint64_t now = rte_rdtsc();
	uintptr_t me = (uintptr_t)pthread_self();
	uint32_t work;
	bool look;

	/* relaxed: see vnic__control_here() */
	if (atomic_load_explicit(&c->thread, memory_order_relaxed) != me)
		atomic_store_explicit(&c->thread, me, memory_order_relaxed);
	c->busy = true;
	work = take_turns(c);
	work += vnic__tickets_proceed(c);
	look = (int64_t)(now - c->look_tsc) >= 0;
	if (look)
		c->look_tsc = now + c->tsc_hz / LOOKS_PER_S;
	for (uint32_t i = 0, n = vnic__control_adapters(c); i < n; i++)
		work += vnic__life_poll(c->adapter[i], look);
	c->busy = false;
	return work;
}
