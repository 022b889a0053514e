/* SPDX-License-Identifier: BSD-3-Clause
 * control.c - the control lcore's loop: take what was posted, apply it, wait for helpers
 */
#include "control.h"

#include <errno.h>

#include <rte_cycles.h>
#include <rte_errno.h>
#include <rte_malloc.h>

struct vnic_control *vnic_control_create(int numa_node)
{
	struct vnic_control *c = rte_zmalloc_socket("vnic_control", sizeof(*c), VNIC__LINE, numa_node);

	if (c == NULL) {
		rte_errno = ENOMEM;
		return NULL;
	}
	c->waiting_last = &c->waiting_first;
	c->ns_per_tsc = 1e9 / (double)rte_get_tsc_hz();
	return c;
}

int vnic_control_destroy(struct vnic_control *c)
{
	if (c == NULL)
		return 0;
	if (c->nb_adapters != 0)
		return -EBUSY;
	rte_free(c);
	return 0;
}

uint8_t vnic_generate_partial_cancel_id(struct vnic_control *c)
{
	/* relaxed: nothing is ordered by it */
	return (uint8_t)(1 + atomic_fetch_add_explicit(&c->prefixes, 1, memory_order_relaxed));
}

/* All that was posted, oldest first. */
static struct vnic_ticket *take_posted(struct vnic_control *c)
{
	struct vnic_ticket *list, *oldest = NULL;

	/* relaxed: a glance; the exchange orders */
	if (atomic_load_explicit(&c->posted, memory_order_relaxed) == NULL)
		return NULL;
	/* A10 <- R10 */
	list = atomic_exchange_explicit(&c->posted, NULL, memory_order_acquire);
	while (list != NULL) {
		struct vnic_ticket *next = list->next;

		list->next = oldest;
		oldest = list;
		list = next;
	}
	return oldest;
}

uint32_t vnic_control_poll(struct vnic_control *c)
{
	struct vnic_ticket *t = take_posted(c), *next, **link;
	uint32_t work = 0;

	for (; t != NULL; t = next, work++) {
		next = t->next;
		t->next = NULL;
		if (vnic__cancel_apply(c, t)) {
			vnic__cancel_finish(c, t);
			continue;
		}
		*c->waiting_last = t;
		c->waiting_last = &t->next;
	}
	for (link = &c->waiting_first; (t = *link) != NULL;) {
		if (!vnic__cancel_proceed(t)) {
			link = &t->next;
			continue;
		}
		*link = t->next;
		if (c->waiting_last == &t->next)
			c->waiting_last = link;
		vnic__cancel_finish(c, t);
		work++;
	}
	return work;
}
