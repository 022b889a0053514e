/* SPDX-License-Identifier: BSD-3-Clause
 * check_port.h - one port of the configuration, for those who look at what its driver wants
 *
 * Main thread.
 */
#ifndef VNICD_CHECK_PORT_H
#define VNICD_CHECK_PORT_H

#include <stdbool.h>
#include <stdint.h>

#include "check.h"

struct port {
	const char *section; /* "face f0" */
	const char *devargs;
	const char *device; /* up to the first comma */
	uint64_t queues;    /* that are asked of it */
};

void port_add(struct check *c, const struct port *p, enum finding_severity severity,
	      const char *cause, const char *effect, const char *cure);
/* The command that runs it with other devargs of this port. */
const char *port_other(struct check *c, const struct port *p, const char *devargs);

/* The same with one KEY=VALUE more, or another VALUE. */
const char *port_with(struct check *c, const struct port *p, const char *key, const char *value);
/* Is the interface there, and does it carry? */
bool port_interface(struct check *c, const struct port *p, const char *name);

/* check_pcap.c */
void check_pcap(struct check *c, const struct port *p);
/* Is it an interface that it reads or writes? */
bool pcap_is_live(const char *devargs);

/* check_pci.c: the device of that address, and who has it. */
void check_device(struct check *c, const struct port *p, const char *address);
/* Those of rights.h that its driver wants. */
uint64_t device_rights(const char *address);

#endif
