/* SPDX-License-Identifier: BSD-3-Clause
 * upper.h - test bed: a face on a port that is a ring, before a reception's adapter
 *
 * The ring is both ends of the port: what a test puts into it the face takes, what the face
 * delivers lies in it.
 */
#ifndef TESTS_UPPER_H
#define TESTS_UPPER_H

#include "reception.h"

struct upper {
	struct reception *r;
	struct rte_ring *ring;
	uint16_t port;
	struct vnic_face *face;
};

/* `face` with this port, which takes `room` packets, and chains or not. */
struct upper upper_open(const struct vnic_adapter_conf *adapter, const struct vnic_face_conf *face,
			uint32_t room, bool chains);
void upper_close(struct upper *u);

#endif
