/* SPDX-License-Identifier: BSD-3-Clause
 * link.c - what programs behind a face are told of the lower port: its link, its longest frame
 *
 * Main thread.
 */
#include "vnicd.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <string.h>
#include <unistd.h>

#include <rte_ethdev.h>

#include "say.h"

static struct say_kind lines;

/* Of a tap it is the carrier that goes, as of any NIC: set down by hand, the interface would lose its
 * routes. One that was moved to another network namespace is not reached. */
static int set_carrier(unsigned int if_index, bool up)
{
	char name[IF_NAMESIZE], path[64 + IF_NAMESIZE];
	int fd, rc;

	if (if_indextoname(if_index, name) == NULL)
		return -errno;
	snprintf(path, sizeof(path), "/sys/class/net/%s/carrier", name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	rc = write(fd, up ? "1" : "0", 1) == 1 ? 0 : -errno;
	close(fd);
	return rc;
}

static int set_link(uint16_t port, bool up)
{
	struct rte_eth_dev_info info;

	if (rte_eth_dev_info_get(port, &info) == 0 && strcmp(info.driver_name, "net_tap") == 0)
		return set_carrier(info.if_index, up);
	return up ? rte_eth_dev_set_link_up(port) : rte_eth_dev_set_link_down(port);
}

void vnicd_links_pass(struct vnicd *d)
{
	for (uint32_t i = 0; i < d->conf.nb_faces; i++) {
		struct vnicd_face *f = &d->face[i];
		const struct vnicd_adapter *a = &d->adapter[f->conf->adapter_index];
		bool up = vnic_adapter_link(a->adapter);
		int rc;

		if (up == !f->link_down)
			continue;
		f->link_down = !up;
		rc = set_link(f->port, up);
		say_often(&lines, SAY_NOTICE, "adapter %s: link %s; face %s %s%s", a->conf->name,
			  up ? "up" : "down", f->conf->name,
			  rc == 0 ? "was told" : "cannot be told: no link of its own is within reach",
			  up ? "" : "; what is sent comes back until the link is up: see to its other end");
	}
}

void vnicd_links_compare(const struct vnicd *d)
{
	for (uint32_t i = 0; i < d->conf.nb_faces; i++) {
		const struct vnicd_face *f = &d->face[i];
		const struct vnicd_adapter *a = &d->adapter[f->conf->adapter_index];
		uint32_t frame = vnic_adapter_max_frame(a->adapter);
		struct vnic_port_info info;

		if (vnic_port_info_get(f->port, &info) != 0 || frame >= info.mtu + VNICD_HEADER)
			continue;
		say(SAY_WARNING, "face %s: its MTU of %u is more than adapter %s takes: frames above %u "
		    "bytes are refused and counted; set mtu = %u or less, or a larger one for the adapter",
		    f->conf->name, info.mtu, a->conf->name, frame, frame - VNICD_HEADER);
	}
}
