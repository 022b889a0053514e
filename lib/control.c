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

uint32_t vnic_control_poll(struct vnic_control *c)
{
	uint64_t now = rte_rdtsc();
	uintptr_t me = (uintptr_t)pthread_self();
	struct vnic__post *p, *next;
	uint32_t work = 0;
	bool look;

	/* relaxed: see vnic__control_here() */
	if (atomic_load_explicit(&c->thread, memory_order_relaxed) != me)
		atomic_store_explicit(&c->thread, me, memory_order_relaxed);
	c->busy = true;
	for (p = take_posted(c); p != NULL; p = next, work++) {
		next = p->next;
		p->run(c, p); /* it may be posted again, or its owner's, when this returns */
	}
	work += vnic__tickets_proceed(c);
	look = (int64_t)(now - c->look_tsc) >= 0;
	if (look)
		c->look_tsc = now + c->tsc_hz / LOOKS_PER_S;
	for (uint32_t i = 0, n = vnic__control_adapters(c); i < n; i++)
		work += vnic__life_poll(c->adapter[i], look);
	c->busy = false;
	return work;
}
