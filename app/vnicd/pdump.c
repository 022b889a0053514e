/* SPDX-License-Identifier: BSD-3-Clause
 * pdump.c - let dpdk-dumpcap and dpdk-pdump capture what passes the ports
 *
 * They are secondary processes of ours: that takes hugepages, and no --in-memory.
 */
#include "vnicd.h"

#include <rte_errno.h>
#include <rte_pdump.h>

#include "say.h"

int vnicd_pdump_start(struct vnicd *d)
{
	(void)d;
	if (rte_pdump_init() != 0)
		say(SAY_WARNING, "dpdk-dumpcap will not be able to attach: %s; capture start on the control "
		    "socket works without", rte_strerror(rte_errno));
	return 0;
}

void vnicd_pdump_stop(struct vnicd *d)
{
	(void)d;
	rte_pdump_uninit();
}
