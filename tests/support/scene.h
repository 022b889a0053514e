/* SPDX-License-Identifier: BSD-3-Clause
 * scene.h - a face's port whose frames the test puts in, an adapter below that nobody polls
 *
 * One thread plays all of them.
 */
#ifndef TESTS_SCENE_H
#define TESTS_SCENE_H

#include "bed.h"

#define SCENE_FRAME 64 /* bytes */
#define SCENE_MBUFS 511

struct scene {
	struct rte_mempool *mbufs;
	struct rte_ring *upper;
	uint16_t upper_port, lower_port;
	struct vnic_control *control;
	struct vnic_adapter *adapter;
	struct vnic_ticket *ticket;
};

struct scene scene_open(void);
/* Every buffer must be back. */
void scene_close(struct scene *s);
/* UDP in IPv4 to a port. */
struct rte_mbuf *scene_frame(const struct scene *s, uint16_t port);
/* One such frame for each port of the list, which ends with 0, into the face. */
void scene_feed(const struct scene *s, struct vnic_face *f, const uint16_t *ports);
/* A cancel of the id, 0: of all of the face: so many come back. */
void scene_cancel(const struct scene *s, struct vnic_face *f, uint64_t id, uint64_t nbls,
		  uint64_t packets);

#endif
