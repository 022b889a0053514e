/* SPDX-License-Identifier: BSD-3-Clause
 * handover.h - tell the thread sanitizer what DPDK's own code hands from thread to thread
 *
 * DPDK's libraries and drivers are not instrumented: that a mempool gives to one thread
 * what another has put there, and a port to the wire's reader what was sent, is not seen.
 * Both are told object by object, so that nothing else is ordered by it. Without the thread
 * sanitizer nothing is done.
 */
#ifndef TESTS_HANDOVER_H
#define TESTS_HANDOVER_H

#include <stdint.h>

struct rte_eth_rxtx_callback;

#if defined(__SANITIZE_THREAD__)
#define HANDOVER_TOLD 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define HANDOVER_TOLD 1
#endif
#endif

#ifdef HANDOVER_TOLD
void __tsan_acquire(void *object);
void __tsan_release(void *object);
#define HANDOVER_GIVE(object) __tsan_release(object)
#define HANDOVER_TAKE(object) __tsan_acquire(object)
#else
#define HANDOVER_GIVE(object) ((void)(object))
#define HANDOVER_TAKE(object) ((void)(object))
#endif

/* Once, after EAL has started: all mempools of the usual kind. */
void handover_by_mempools(void);
/* Packets given to a started port; who takes them at the wire says HANDOVER_TAKE. */
const struct rte_eth_rxtx_callback *handover_by_port(uint16_t port);
/* When the port is stopped. */
void handover_end(uint16_t port, const struct rte_eth_rxtx_callback *callback);

#endif
