/* SPDX-License-Identifier: BSD-3-Clause
 * reload_part.h - the steps of a reload: what comes, what goes
 *
 * Main thread. The daemon as it is to be is made in a second struct vnicd, `next`, which has the first
 * one's control, relays and what stays.
 */
#ifndef VNICD_RELOAD_PART_H
#define VNICD_RELOAD_PART_H

#include "differ.h"
#include "reload.h"
#include "vnicd.h"

struct reload {
	struct vnicd *d, *next;
	struct differ diff;
	struct reload_counts counts;
	struct vnic_ticket *ticket;
	struct vnic_request *request;
	bool stopped[CONF_ADAPTERS_MAX]; /* of those that run, by us */
	bool adapter_failed[CONF_ADAPTERS_MAX], face_failed[CONF_FACES_MAX]; /* to come back */
	char *why;
	size_t len;
};

/* Nothing has changed: say why not. Always -1. */
int reload_refuse(struct reload *r, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* reload_refuse.c: what can be known to fail before anything changes; -1: refused. */
int reload_check(struct reload *r);

/* reload_come.c */
/* Open the ports of what is new as far as they are free; -1: refused, and all are closed again. */
int reload_open_free(struct reload *r);
void reload_close_new(struct reload *r);
/* What stays is put into its place in `next`. */
void reload_place(struct reload *r);
/* The other ports of what is new, whose names are free now; -1: next->why. */
int reload_open_rest(struct reload *r);
/* Nobody polls the control: adapters, and faces; -1: next->why. */
int reload_create(struct reload *r);
/* Nor here: instead of what is new, as far as it was made, all that has gone. */
void reload_bring_back(struct reload *r);

/* reload_go.c */
/* Faces that go send nothing more and are empty; -1: refused, and they go on. */
int reload_empty(struct reload *r);
/* Adapters that go are stopped: all, or refused, and they go on. */
int reload_stop(struct reload *r);
/* One that somebody has started again; NULL: none. */
const char *reload_started(const struct reload *r);
/* All that has been emptied or stopped goes on as before, and `name` is why; always -1. */
int reload_go_on(struct reload *r, const char *name, const char *why);
/* Faces and ports are no more, and no lcore polls an adapter that goes. */
void reload_remove(struct reload *r);
/* Ports that no lcore polls; those that go on may have packets of theirs. */
void reload_close_ports(struct vnicd *d, const uint16_t *port, uint32_t n);
/* Nobody polls the control: the adapters. */
void reload_destroy(struct reload *r);

#endif
