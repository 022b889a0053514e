/* SPDX-License-Identifier: BSD-3-Clause
 * build.c - ports, adapters and faces as the configuration names them
 */
#include "vnicd.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <rte_errno.h>
#include <rte_ethdev.h>

#include "change.h"
#include "devargs.h"
#include "hush.h"
#include "ids.h"
#include "need.h"
#include "place.h"
#include "say.h"

static int fail(struct vnicd *d, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vsnprintf(d->why, sizeof(d->why), format, ap);
	va_end(ap);
	return -1;
}

static const char *cure(int error)
{
	switch (error) {
	case ENOMEM: return "give EAL more memory (-m MIB), or lower depth or mbufs";
	case EINVAL: return "a value does not fit the port; see its limits";
	case ENOSPC: return "fewer of them";
	case EEXIST: return "choose another name";
	default: return "see --reference";
	}
}

/* Where a vhost-user server is to listen: its driver would not say what is wrong, and on its way
 * out removes whatever is there. */
static int check_place(struct vnicd *d, const char *section, const char *devargs)
{
	char path[CONF_TEXT], client[CONF_TEXT] = "0";
	int rc;

	if (!devargs_driver(devargs, "net_vhost") || !devargs_value(devargs, "iface", path, sizeof(path)))
		return 0;
	devargs_value(devargs, "client", client, sizeof(client));
	rc = strtoul(client, NULL, 0) == 0 || strlen(path) >= PLACE_MAX ? place_check(path, false) : 0;
	if (rc == 0)
		return 0;
	return fail(d, "%s: %s: vhost-user socket %s: %s; %s", d->conf.path, section, path,
		    place_error(rc), place_cure(rc));
}

/* What is no error, and slow. */
static void warn_of(const char *section, const char *devargs)
{
	char bypass[CONF_TEXT];

	if (devargs_driver(devargs, "net_af_packet") &&
	    devargs_value(devargs, "qdisc_bypass", bypass, sizeof(bypass)) && atoi(bypass) == 0)
		say(SAY_WARNING, "%s: with qdisc_bypass=0 its driver, and the lcore, sleeps in the kernel "
		    "while the interface's qdisc is full; leave it out", section);
}

static int open_one(struct vnicd *d, const char *section, const char *devargs,
		    const struct vnic_port_conf *conf, uint32_t nb_mbufs, uint16_t *port,
		    struct relay **relay)
{
	static char said[HUSH_MAX]; /* large for a stack */
	char why[VNICD_LINE / 2], own[RELAY_DEVARGS];
	const char *cause;
	struct hush h;
	int rc;

	if (check_place(d, section, devargs) != 0)
		return -1;
	devargs = vnicd_peers_devargs(d, devargs, relay, own, why, sizeof(why));
	if (devargs == NULL)
		return fail(d, "%s: %s: %s", d->conf.path, section, why);
	hush_begin(&h);
	rc = vnic_port_open(devargs, conf, nb_mbufs, port, why, sizeof(why));
	hush_end(&h, said);
	if (rc == 0) {
		warn_of(section, devargs);
		return 0;
	}
	if (*relay != NULL)
		relay_remove(*relay);
	*relay = NULL;
	cause = hush_cause(said);
	if (cause == NULL)
		return fail(d, "%s: %s: %s", d->conf.path, section, why);
	return fail(d, "%s: %s: %s (%s)", d->conf.path, section, why, cause);
}

/* Polled for every address, not only its own; a port that has no such filter says that it
 * cannot. */
bool vnicd_adapter_receives(const struct vnicd *d, uint32_t i)
{
	const struct conf_adapter *a = &d->conf.adapter[i];

	return a->receive && a->shares[0] == '\0' && need_receives(&d->conf, i);
}

int vnicd_adapter_open(struct vnicd *d, uint32_t i)
{
	const struct conf_adapter *a = &d->conf.adapter[i];
	struct vnic_port_conf conf = {.tx_desc = (uint16_t)a->in_flight, .mtu = (uint32_t)a->mtu,
				      .numa_node = (int)a->numa_node,
				      .nb_tx_queues = (uint16_t)(1 + a->nb_shares)};
	char section[64];

	d->adapter[i].conf = a;
	if (a->nb_lower != 0)
		return 0;
	if (a->shares[0] != '\0') {
		d->adapter[i].port = d->adapter[a->shares_index].port;
		return 0;
	}
	snprintf(section, sizeof(section), "adapter %s", a->name);
	if (open_one(d, section, a->port, &conf, need_adapter_mbufs(&d->conf, i), &d->adapter[i].port,
		     &d->adapter[i].relay) != 0)
		return -1;
	d->adapter[i].port_open = true;
	d->adapter[i].nb_shares = (uint16_t)a->nb_shares;
	d->adapter[i].receives = vnicd_adapter_receives(d, i);
	if (d->adapter[i].receives)
		rte_eth_promiscuous_enable(d->adapter[i].port);
	return 0;
}

int vnicd_face_open(struct vnicd *d, uint32_t i)
{
	const struct conf_face *f = &d->conf.face[i];
	struct vnic_port_conf conf = {.mtu = (uint32_t)f->mtu, .numa_node = -1,
				      .nb_queues = (uint16_t)f->queues};
	char section[64];

	d->face[i].conf = f;
	snprintf(section, sizeof(section), "face %s", f->name);
	if (open_one(d, section, f->port, &conf, need_face_mbufs(&d->conf, i), &d->face[i].port,
		     &d->face[i].relay) != 0)
		return -1;
	d->face[i].port_open = true;
	return 0;
}

int vnicd_ports_open(struct vnicd *d)
{
	for (uint32_t i = 0; i < d->conf.nb_adapters; i++)
		if (vnicd_adapter_open(d, i) != 0)
			return -1;
	for (uint32_t i = 0; i < d->conf.nb_faces; i++)
		if (vnicd_face_open(d, i) != 0)
			return -1;
	return 0;
}

void vnicd_ports_close(struct vnicd *d)
{
	uint16_t port[CONF_ADAPTERS_MAX + CONF_FACES_MAX];
	uint32_t n = 0;

	for (uint32_t i = 0; i < d->conf.nb_adapters; i++) {
		if (d->adapter[i].port_open)
			port[n++] = d->adapter[i].port;
		d->adapter[i].port_open = false;
	}
	for (uint32_t i = 0; i < d->conf.nb_faces; i++) {
		if (d->face[i].port_open)
			port[n++] = d->face[i].port;
		d->face[i].port_open = false;
	}
	vnic_ports_close(port, n, NULL, NULL);
	relays_destroy(d->relays);
	d->relays = NULL;
}

/* The lower edge is the library's; its names are published, for who asks telemetry. */
static const struct vnic_driver driver = {.name = "vnicd", .publishes_name = true};

/* Does its memory lie where it is polled? */
static void find_far(const struct vnicd_adapter *a)
{
	rte_cpuset_t cpus = rte_lcore_cpuset(a->lcore);
	char text[VNICD_LINE] = "", *rest = text, *line;
	int cpu = 0;

	while (cpu < CPU_SETSIZE && !CPU_ISSET(cpu, &cpus))
		cpu++;
	if (cpu < CPU_SETSIZE)
		vnic_adapter_check_numa(a->adapter, cpu, text, sizeof(text));
	while ((line = strsep(&rest, "\n")) != NULL)
		if (*line != '\0')
			say(SAY_WARNING, "%s", line);
}

int vnicd_adapter_create(struct vnicd *d, uint32_t i)
{
	const struct conf_adapter *a = &d->conf.adapter[i];
	int node = (int)rte_lcore_to_socket_id(d->adapter[i].lcore);
	uint32_t status;
	struct vnic_adapter *lower[CONF_LOWER_MAX];
	struct vnic_adapter_conf conf = {
		.name = a->name, .driver = &driver, .lower = lower, .nb_lower = a->nb_lower,
		.lower_depth = (uint32_t)a->lower_depth, .lower_packets = (uint16_t)a->lower_packets,
		.hang_ms = a->hang_s == 0 ? UINT32_MAX : (uint32_t)a->hang_s * 1000,
		.port = d->adapter[i].port, .tx_queue = (uint16_t)a->tx_queue, .burst = (uint16_t)a->burst,
		.max_frame = (uint32_t)a->max_frame, .in_flight = (uint32_t)a->in_flight,
		.pacing = {.packets_per_s = a->packets_per_s, .bits_per_s = a->bits_per_s,
			   .burst_packets = (uint32_t)a->burst_packets},
		.receive = d->adapter[i].receives, .local = a->local, .learn = a->learn,
		.numa_node = a->numa_node >= 0 ? (int)a->numa_node : node};

	for (uint32_t k = 0; k < a->nb_lower; k++)
		lower[k] = d->adapter[a->lower_index[k]].adapter;
	d->adapter[i].adapter = vnic_adapter_create(d->control, &conf);
	if (d->adapter[i].adapter == NULL)
		return fail(d, "%s: adapter %s: %s; %s", d->conf.path, a->name, rte_strerror(rte_errno),
			    cure(rte_errno));
	status = vnic_adapter_up(d->adapter[i].adapter);
	if (status != VNIC_STATUS_SUCCESS)
		return fail(d, "%s: adapter %s: does not start: %s; see to its port, then start vnicd again",
			    d->conf.path, a->name, vnic_status_name(status));
	if (vnic_adapter_in_flight(d->adapter[i].adapter) == VNIC_IN_FLIGHT_UNKNOWN)
		say(SAY_WARNING, "adapter %s: in_flight = %u is not enforced: the port does not tell what it "
		    "holds; set its queue size in its devargs", a->name, conf.in_flight);
	return 0;
}

int vnicd_adapters_create(struct vnicd *d)
{
	d->control = vnic_control_create((int)rte_lcore_to_socket_id(d->control_lcore));
	if (d->control == NULL)
		return fail(d, "control: %s; %s", rte_strerror(rte_errno), cure(rte_errno));
	for (uint32_t i = 0; i < d->conf.nb_adapters; i++)
		if (vnicd_adapter_create(d, i) != 0)
			return -1;
	return 0;
}

void vnicd_adapters_destroy(struct vnicd *d)
{
	/* those above others first: they hold handles of them */
	for (uint32_t i = 0; i < d->gone.nb_kept; i++)
		vnic_adapter_destroy(d->gone.adapter[i]);
	for (uint32_t i = d->conf.nb_adapters; i-- > 0;)
		vnic_adapter_destroy(d->adapter[i].adapter);
	vnic_control_destroy(d->control);
}

/* One that nothing can be addressed to is not what was meant. */
static void find_unaddressed(const struct vnicd *d)
{
	for (uint32_t i = 0; i < d->conf.nb_faces; i++) {
		const struct conf_face *f = &d->conf.face[i];
		const struct conf_adapter *a = &d->conf.adapter[f->adapter_index];
		uint32_t others = 0;

		for (uint32_t k = 0; k < d->conf.nb_faces; k++)
			others += k != i && d->conf.face[k].adapter_index == f->adapter_index &&
				  conf_face_receives(&d->conf, &d->conf.face[k]);
		if (others != 0 && conf_face_receives(&d->conf, f) && f->nb_macs == 0 &&
		    !f->promiscuous && !a->learn)
			say(SAY_WARNING, "face %s: it receives broadcasts only, for it is not alone on "
			    "adapter %s; give it mac = ADDRESS, or receive = no", f->name, a->name);
	}
}

/* Bytes behind the end of every frame that the face's port has, or the adapter takes. */
static void find_unmatched(const struct vnicd *d)
{
	for (uint32_t i = 0; i < d->conf.nb_faces; i++) {
		const struct conf_face *f = &d->conf.face[i];
		uint32_t most = vnic_adapter_max_frame(d->adapter[f->adapter_index].adapter);
		struct vnic_port_info info;
		char text[IDS_RULE_TEXT];

		if (vnic_port_info_get(d->face[i].port, &info) == 0)
			most = RTE_MIN(most, info.mtu + VNICD_HEADER + 2u * RTE_VLAN_HLEN);
		for (uint32_t k = 0; k < f->nb_rules; k++)
			if (f->rule[k].kind == VNIC_IDRULE_BYTES && f->rule[k].offset + f->rule[k].width > most)
				say(SAY_WARNING, "face %s: id: '%s' can never match, its frames have at most %u "
				    "bytes; choose a smaller offset, or a larger mtu", f->name,
				    ids_rule_text(&f->rule[k], text), most);
	}
}

int vnicd_face_create(struct vnicd *d, uint32_t i)
{
	const struct conf_face *f = &d->conf.face[i];
	struct vnicd_adapter *a = &d->adapter[f->adapter_index];
	char name[CONF_NAME];
	struct vnic_face_conf conf = {
		.name = name, .port = d->face[i].port, .burst = (uint16_t)f->burst,
		.nb_queues = (uint16_t)f->queues, .nbl_packets = (uint16_t)f->nbl_packets,
		.depth = (uint32_t)a->conf->depth, .rules = f->rule, .nb_rules = f->nb_rules,
		.direct = f->direct != 0, .receive = conf_face_receives(&d->conf, f),
		.receiver = {.depth = (uint32_t)f->receive_depth, .vlan = (int32_t)f->vlan,
			     .promiscuous = f->promiscuous, .nb_macs = (uint16_t)f->nb_macs}};

	memcpy(conf.receiver.mac, f->macs, sizeof(f->macs));
	snprintf(name, sizeof(name), "face%u", d->nb_made++);
	d->face[i].face = vnic_face_create(a->adapter, &conf);
	if (d->face[i].face == NULL)
		return fail(d, "%s: face %s: %s; %s", d->conf.path, f->name, rte_strerror(rte_errno),
			    cure(rte_errno));
	change_face(d, i);
	return 0;
}

void vnicd_faces_check(const struct vnicd *d)
{
	find_unaddressed(d);
	find_unmatched(d);
	vnicd_links_compare(d);
	for (uint32_t i = 0; i < d->conf.nb_adapters; i++)
		find_far(&d->adapter[i]);
}

int vnicd_faces_create(struct vnicd *d)
{
	for (uint32_t i = 0; i < d->conf.nb_faces; i++)
		if (vnicd_face_create(d, i) != 0)
			return -1;
	vnicd_faces_check(d);
	return 0;
}

void vnicd_faces_destroy(struct vnicd *d)
{
	for (uint32_t i = 0; i < d->conf.nb_faces; i++)
		vnic_face_destroy(d->face[i].face);
}
