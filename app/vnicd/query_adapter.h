/* SPDX-License-Identifier: BSD-3-Clause
 * query_adapter.h - questions about an adapter
 *
 * Each takes the words after its name and answers, or says what is wrong with them: see query.h.
 *
 * Any thread.
 */
#ifndef VNICD_QUERY_ADAPTER_H
#define VNICD_QUERY_ADAPTER_H

#include "answer.h"
#include "words.h"

struct vnicd;
struct vnicd_adapter;

/* The one that the next word names, which is taken; NULL, and the answer says so. */
const struct vnicd_adapter *query_adapter(struct vnicd *d, struct words *w, struct answer *a);

void query_state(struct vnicd *d, struct words *w, struct answer *a);
void query_stats(struct vnicd *d, struct words *w, struct answer *a);
void query_latency(struct vnicd *d, struct words *w, struct answer *a);
void query_histogram(struct vnicd *d, struct words *w, struct answer *a);

#endif
