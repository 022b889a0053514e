/* SPDX-License-Identifier: BSD-3-Clause
 * reload_refuse.c - what a reload can be known to fail by, before anything changes
 */
#include "reload_part.h"

#include <string.h>

#include <rte_ethdev.h>

#include "devargs.h"

/* Would its driver keep us waiting for its other side? */
static bool waits_for_peer(const char *port)
{
	char server[CONF_TEXT];

	return devargs_driver(port, "net_virtio_user") &&
	       devargs_value(port, "server", server, sizeof(server)) && strcmp(server, "1") == 0;
}

static int refuse_waiting(struct reload *r)
{
	const struct conf *conf = &r->next->conf;
	const char *kind = NULL, *name = NULL;

	for (uint32_t i = 0; i < conf->nb_adapters; i++)
		if (r->diff.adapter_from[i] == DIFFER_NEW && waits_for_peer(conf->adapter[i].port)) {
			kind = "adapter";
			name = conf->adapter[i].name;
		}
	for (uint32_t i = 0; i < conf->nb_faces; i++)
		if (r->diff.face_from[i] == DIFFER_NEW && waits_for_peer(conf->face[i].port)) {
			kind = "face";
			name = conf->face[i].name;
		}
	if (kind == NULL)
		return 0;
	return reload_refuse(r, "%s: %s %s: net_virtio_user with server=1 waits in its driver until its other side comes, "
		      "and vnicd with it; start vnicd again for this %s", conf->path, kind, name, kind);
}

/* Lcores are EAL's, of which the file knows nothing. */
static int refuse_lcores(struct reload *r)
{
	struct vnicd *n = r->next;

	for (uint32_t i = 0; i < n->conf.nb_adapters; i++)
		if (r->diff.adapter_from[i] == DIFFER_NEW && vnicd_lcore_choose(n, i) != 0)
			return reload_refuse(r, "%s", n->why);
	return 0;
}

/* Does another process look at the port's packets? It would not know that the port has gone, and
 * what it has put there would be called when another port has its number. */
static bool is_watched(uint16_t port)
{
	const struct rte_eth_fp_ops *ops = &rte_eth_fp_ops[port];
	struct rte_eth_dev_info info;

	if (rte_eth_dev_info_get(port, &info) != 0)
		return false;
	for (uint16_t q = 0; q < info.nb_rx_queues; q++)
		if (ops->rxq.clbk != NULL && ops->rxq.clbk[q] != NULL)
			return true;
	for (uint16_t q = 0; q < info.nb_tx_queues; q++)
		if (ops->txq.clbk != NULL && ops->txq.clbk[q] != NULL)
			return true;
	return false;
}

static int refuse_watched(struct reload *r)
{
	const struct vnicd *d = r->d;
	const char *name = NULL;

	for (uint32_t i = 0; i < d->conf.nb_adapters; i++)
		if (!r->diff.adapter_stays[i] && d->adapter[i].port_open && is_watched(d->adapter[i].port))
			name = d->conf.adapter[i].name;
	for (uint32_t i = 0; i < d->conf.nb_faces; i++)
		if (!r->diff.face_stays[i] && d->face[i].port_open && is_watched(d->face[i].port))
			name = d->conf.face[i].name;
	return name == NULL ? 0 : reload_refuse(r, "%s: its port would be closed, and dpdk-dumpcap or dpdk-pdump looks at "
					 "it; end that, and reload again", name);
}

int reload_check(struct reload *r)
{
	return refuse_waiting(r) != 0 || refuse_lcores(r) != 0 || refuse_watched(r) != 0 ? -1 : 0;
}
