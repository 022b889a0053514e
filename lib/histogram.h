/* SPDX-License-Identifier: BSD-3-Clause
 * histogram.h - a histogram that one thread fills while others copy it
 *
 * One writer; any reader. All accesses are relaxed: a copy may be a few counts behind,
 * and nothing else is ordered by it.
 */
#ifndef VNIC_HISTOGRAM_H
#define VNIC_HISTOGRAM_H

#include "vnic.h"

void vnic__histogram_add_shared(struct vnic_histogram *h, uint64_t value);
/* The copy's count is the sum of its buckets. */
void vnic__histogram_copy_shared(struct vnic_histogram *copy, const struct vnic_histogram *h);

#endif
