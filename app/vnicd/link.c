/* SPDX-License-Identifier: BSD-3-Clause
 * link.c - what programs behind a face are told of the lower port: its link, its longest frame
 *
 * Main thread.
 */
#include "vnicd.h"

#include <rte_ethdev.h>

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
		rc = up ? rte_eth_dev_set_link_up(f->port) : rte_eth_dev_set_link_down(f->port);
		fprintf(stderr, "vnicd: adapter %s: link %s; face %s %s\n", a->conf->name,
			up ? "up" : "down", f->conf->name,
			rc == 0 ? "was told" : "cannot be told, its driver has no link to set");
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
		fprintf(stderr, "vnicd: face %s: its MTU of %u is more than adapter %s takes: frames "
			"above %u bytes are refused and counted; set mtu = %u or less, or a larger "
			"one for the adapter\n", f->conf->name, info.mtu, a->conf->name, frame,
			frame - VNICD_HEADER);
	}
}
