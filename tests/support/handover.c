/* SPDX-License-Identifier: BSD-3-Clause
 * handover.c - tell the thread sanitizer what DPDK's own code hands from thread to thread
 */
#include "handover.h"

#ifdef HANDOVER_TOLD

#include <stdlib.h>
#include <string.h>

#include <rte_ethdev.h>
#include <rte_malloc.h>
#include <rte_mempool.h>

#define KIND "ring_mp_mc"

/* The hash orders its keys by atomics that are not seen either, only its calls of memcpy and
 * memcmp are; which object they order cannot be told from outside. */
const char *__tsan_default_suppressions(void);
const char *__tsan_default_suppressions(void)
{
	return "called_from_lib:librte_hash.so\n";
}

static rte_mempool_enqueue_t enqueue;
static rte_mempool_dequeue_t dequeue;

static int give(struct rte_mempool *mp, void *const *object, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		HANDOVER_GIVE(object[i]);
	return enqueue(mp, object, n);
}

static int take(struct rte_mempool *mp, void **object, unsigned int n)
{
	int rc = dequeue(mp, object, n);

	for (unsigned int i = 0; rc == 0 && i < n; i++)
		HANDOVER_TAKE(object[i]);
	return rc;
}

void handover_by_mempools(void)
{
	for (uint32_t i = 0; i < rte_mempool_ops_table.num_ops; i++) {
		struct rte_mempool_ops *ops = &rte_mempool_ops_table.ops[i];

		if (strcmp(ops->name, KIND) != 0)
			continue;
		enqueue = ops->enqueue;
		dequeue = ops->dequeue;
		ops->enqueue = give;
		ops->dequeue = take;
	}
	if (enqueue == NULL)
		abort(); /* and nothing would be told */
}

static uint16_t give_packets(uint16_t port, uint16_t queue, struct rte_mbuf *packet[], uint16_t n,
			     void *context)
{
	(void)port;
	(void)queue;
	(void)context;
	for (uint16_t i = 0; i < n; i++)
		HANDOVER_GIVE(packet[i]);
	return n;
}

const struct rte_eth_rxtx_callback *handover_by_port(uint16_t port)
{
	return rte_eth_add_tx_callback(port, 0, give_packets, NULL);
}

void handover_end(uint16_t port, const struct rte_eth_rxtx_callback *callback)
{
	rte_eth_remove_tx_callback(port, 0, callback);
	rte_free((void *)(uintptr_t)callback);
}

#else

#include <stddef.h>

void handover_by_mempools(void)
{
}

const struct rte_eth_rxtx_callback *handover_by_port(uint16_t port)
{
	(void)port;
	return NULL;
}

void handover_end(uint16_t port, const struct rte_eth_rxtx_callback *callback)
{
	(void)port;
	(void)callback;
}

#endif
