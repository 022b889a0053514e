/* SPDX-License-Identifier: BSD-3-Clause
 * gate.h - who may pass, and how many are inside
 *
 * Two gates that close for good reasons and tell when nobody is inside any more. After that
 * nobody gets in until they are opened.
 *
 * The operations' gate: any number of threads. Gate and count are one word, so that
 * passing and being counted are one step.
 *
 *   R13/A13  leave: what was done inside, before the closer sees the count at zero
 *
 * The send gate: one thread on each of its doors (a door for each sender), open but for rare
 * moments. Behind it packets are queued, or handed to the port (direct.c). Dekker's pattern spares the second locked instruction:
 *
 *   SC       door (sender writes, control reads) against the adapter's gate (the reverse):
 *            all four sequentially consistent. Either the sender sees the gate closed, or
 *            the control thread sees the sender inside and waits
 *   R14/A14  door clear: what was published inside, before the control thread reads the tail
 */
#ifndef VNIC_GATE_H
#define VNIC_GATE_H

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* ---- the operations' gate ---- */

#define VNIC__GATE_CLOSED (UINT32_C(1) << 31)

struct vnic__gate {
	_Atomic uint32_t word; /* CLOSED | how many are inside or about to be turned away */
};

/* Any thread. True: inside, until vnic__gate_leave(). */
static inline bool vnic__gate_enter(struct vnic__gate *g)
{
	/* relaxed: only so that those who try again and again at a closed gate are not counted,
	 * or who closed it would never see it empty */
	if (atomic_load_explicit(&g->word, memory_order_relaxed) & VNIC__GATE_CLOSED)
		return false;
	/* acquire: after the opening */
	if (!(atomic_fetch_add_explicit(&g->word, 1, memory_order_acquire) & VNIC__GATE_CLOSED))
		return true;
	/* relaxed: nothing was done inside */
	atomic_fetch_sub_explicit(&g->word, 1, memory_order_relaxed);
	return false;
}

/* Any thread that is inside. */
static inline void vnic__gate_leave(struct vnic__gate *g)
{
	/* R13 -> A13 */
	atomic_fetch_sub_explicit(&g->word, 1, memory_order_release);
}

/* Control thread. */
static inline void vnic__gate_close(struct vnic__gate *g)
{
	/* relaxed: vnic__gate_empty() orders */
	atomic_fetch_or_explicit(&g->word, VNIC__GATE_CLOSED, memory_order_relaxed);
}

static inline void vnic__gate_open(struct vnic__gate *g)
{
	/* release: pairs with enter's acquire */
	atomic_fetch_and_explicit(&g->word, ~VNIC__GATE_CLOSED, memory_order_release);
}

/* Any thread: close it if nobody is inside: 0. -EBUSY: somebody is; -EBADF: it is closed. */
static inline int vnic__gate_close_empty(struct vnic__gate *g)
{
	uint32_t word = 0;

	/* acquire on success: A13 <- R13 */
	if (atomic_compare_exchange_strong_explicit(&g->word, &word, VNIC__GATE_CLOSED,
						    memory_order_acquire, memory_order_relaxed))
		return 0;
	return word & VNIC__GATE_CLOSED ? -EBADF : -EBUSY;
}

/* Control thread, of a closed gate: is nobody inside but the closer's own `own`? Once true,
 * true until it is opened, but for those that are turned away. */
static inline bool vnic__gate_empty(struct vnic__gate *g, uint32_t own)
{
	/* A13 <- R13 */
	return (atomic_load_explicit(&g->word, memory_order_acquire) & ~VNIC__GATE_CLOSED) <= own;
}

/* ---- the send gate ---- */

static inline void vnic__door_leave(_Atomic uint32_t *door)
{
	/* R14 -> A14 */
	atomic_store_explicit(door, 0, memory_order_release);
}

/* Sender: the gate's word; 0: open, and inside until vnic__door_leave(). */
static inline uint32_t vnic__door_enter(_Atomic uint32_t *door, const _Atomic uint32_t *gate)
{
	/* relaxed: only so that a sender who tries again and again leaves its door alone */
	uint32_t word = atomic_load_explicit(gate, memory_order_relaxed);

	if (word != 0)
		return word;
	/* SC: the door, then the gate. The exchange is the burst's one fence. */
	atomic_exchange_explicit(door, 1, memory_order_seq_cst);
	word = atomic_load_explicit(gate, memory_order_seq_cst);
	if (word != 0)
		vnic__door_leave(door);
	return word;
}

/* Control thread, after it has closed the gate: is nobody behind this door? */
static inline void vnic__send_gate_set(_Atomic uint32_t *gate, uint32_t word)
{
	/* SC: the gate, then the doors */
	atomic_exchange_explicit(gate, word, memory_order_seq_cst);
}

static inline bool vnic__door_clear(const _Atomic uint32_t *door)
{
	/* SC, and A14 <- R14 */
	return atomic_load_explicit(door, memory_order_seq_cst) == 0;
}

#endif
