/* SPDX-License-Identifier: BSD-3-Clause
 * node.h - where memory and CPUs are
 *
 * Any thread, not on a data path: system calls. Everything is node 0 where the kernel
 * has no NUMA.
 */
#ifndef VNIC_NODE_H
#define VNIC_NODE_H

/* The node of a CPU, -1 if there is no such CPU. */
int vnic__numa_node_of_cpu(int cpu);
/* The node on which a touched page lies, -1 if unknown. */
int vnic__numa_node_of(const void *addr);

#endif
