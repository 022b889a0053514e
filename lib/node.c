/* SPDX-License-Identifier: BSD-3-Clause
 * node.c - NUMA node queries and thread policy through libnuma
 */
#include "node.h"

#include "vnic.h"

#include <errno.h>

#include <numa.h>
#include <numaif.h>

int vnic__numa_node_of_cpu(int cpu)
{
	if (numa_available() < 0)
		return 0;
	return numa_node_of_cpu(cpu);
}

int vnic__numa_node_of(const void *addr)
{
	int node = -1;

	if (numa_available() < 0)
		return 0;
	if (get_mempolicy(&node, NULL, 0, (void *)(uintptr_t)addr, MPOL_F_NODE | MPOL_F_ADDR) != 0)
		return -1;
	return node;
}

int vnic_numa_prefer(int node)
{
	if (numa_available() < 0)
		return node <= 0 ? 0 : -ENODEV;
	if (node > numa_max_node())
		return -ENODEV;
	if (node < 0)
		numa_set_localalloc();
	else
		numa_set_preferred(node);
	return 0;
}
