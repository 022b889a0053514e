/* SPDX-License-Identifier: BSD-3-Clause
 * limit.h - what one client may have: NBLs queued, cancels a second
 *
 * Limits are set and counts read by any thread; each function names its own. NBLs are counted
 * over all senders of the client, and only while there is a limit: each sender's thread brings
 * its part of the count up to date when it sends or polls.
 */
#ifndef VNIC_LIMIT_H
#define VNIC_LIMIT_H

#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "ring.h"

struct vnic_client;
struct vnic_sender;

/* All relaxed: numbers by themselves. */
struct vnic__limit {
	_Atomic uint32_t nbls;        /* the most; 0: no limit */
	_Atomic uint32_t cancels_per_s;
	_Atomic uint64_t cancel_ticks; /* of the TSC, for each cancel; 0: no limit */

	alignas(VNIC__LINE) _Atomic uint32_t queued; /* what the senders have counted */
	_Atomic uint64_t empty_at; /* when the bucket of cancels was empty, by the TSC */
	_Atomic uint64_t limited;  /* sends that the limit has cut short */
	_Atomic uint64_t cancels;
	_Atomic uint64_t cancels_limited;
};

/* Sender's thread: how many of n NBLs the client may have beyond what it has. */
uint32_t vnic__limit_room(struct vnic_sender *s, uint32_t n);
/* The same, and they are counted; what the limit refuses is noted. */
uint32_t vnic__limit_take(struct vnic_sender *s, uint32_t n);
/* Sender's thread, a count being kept: its own part is what it has outstanding. */
void vnic__limit_recount(struct vnic_sender *s);
/* Sender's thread, of a queue that had no room: note it if it was for the limit. */
void vnic__limit_note(struct vnic_sender *s);
/* Any thread: may it cancel once more now? Counted either way. */
bool vnic__limit_cancel(struct vnic_client *client);

#endif
