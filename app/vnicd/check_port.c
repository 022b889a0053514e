/* SPDX-License-Identifier: BSD-3-Clause
 * check_port.c - what each port's driver wants: a device, an interface, the kernel's support, rights
 */
#include "check_port.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "container.h"
#include "devargs.h"
#include "driver.h"
#include "interface.h"
#include "place.h"
#include "rights.h"

void port_add(struct check *c, const struct port *p, enum finding_severity severity,
	      const char *cause, const char *effect, const char *cure)
{
	findings_add(&c->f, severity, p->section, cause, effect, cure);
}

const char *port_other(struct check *c, const struct port *p, const char *devargs)
{
	return check_rerun(c, NULL,
			   TEXT("--set %s",
				findings_quote(&c->f, TEXT("%s.port=%s", p->section, devargs))),
			   NULL);
}

const char *port_with(struct check *c, const struct port *p, const char *key, const char *value)
{
	const char *text = p->device;

	for (const char *at = strchr(p->devargs, ','); at != NULL; at = strchr(at + 1, ',')) {
		int n = (int)strcspn(at + 1, ",");

		if (n != 0 && (strncmp(at + 1, key, strlen(key)) != 0 || at[1 + strlen(key)] != '='))
			text = TEXT("%s,%.*s", text, n, at + 1);
	}
	return port_other(c, p, TEXT("%s,%s=%s", text, key, value));
}

/* ---- rights ---- */

/* setcap gives a file these and takes all others: so those that any port wants, and those that there
 * are. A file with one that is not heeded would not start. */
static const char *give_rights(struct check *c)
{
	char program[512] = "vnicd", text[RIGHTS_TEXT];
	uint64_t rights = c->rights | rights_own() | rights_of_file();
	ssize_t n = readlink("/proc/self/exe", program, sizeof(program) - 1);

	program[n > 0 ? n : 5] = '\0';
	return ROOT(TEXT("setcap %s+ep %s",
			 rights_text(rights & rights_of_files_heeded(), text),
			 QUOTE(program)));
}

static void check_rights(struct check *c, const struct port *p, uint64_t wanted)
{
	uint64_t lacking = wanted & ~rights_own();
	char text[RIGHTS_TEXT];

	if (lacking == 0)
		return;
	if ((lacking & ~rights_of_files_heeded()) == 0)
		port_add(c, p, FINDING_ERROR,
			 TEXT("%s needs %s", p->device, rights_text(lacking, text)),
			 "it does not open", give_rights(c));
	else
		port_add(c, p, FINDING_ERROR,
			 TEXT("%s needs %s, which this process may never have", p->device,
			      rights_text(lacking, text)),
			 "it does not open; setcap is of no use: who starts its container, or its service, "
			 "gives it",
			 container_rerun(c, c->rights & ~rights_own()));
}

/* ---- interfaces ---- */

static void check_carrier(struct check *c, const struct port *p, const char *name)
{
	const char *cause = TEXT("interface %s has no carrier", name);
	char end[INTERFACE_NAME];

	if (interface_has_carrier(name)) {
		port_add(c, p, FINDING_OK, TEXT("interface %s is up", name), "", "");
	} else if (interface_other_end(name, end)) {
		port_add(c, p, FINDING_WARNING, TEXT("%s: its other end %s is down", cause, end),
			 "nothing moves", ROOT(TEXT("ip link set %s up", end)));
	} else {
		port_add(c, p, FINDING_WARNING, cause, "nothing moves until its other side is up",
			 TEXT("ip -details link show %s", name));
	}
}

/* A pair, both ends up. */
static const char *make_interface(struct check *c, const char *name)
{
	const char *one = QUOTE(name), *other = QUOTE(TEXT("%.13s-p", name));

	return TEXT("ip link add %s type veth peer name %s && ip link set %s up && ip link set %s up", one,
		    other, one, other);
}

/* Is it there, and up? False: it is not there. */
bool port_interface(struct check *c, const struct port *p, const char *name)
{
	if (!interface_is_there(name)) {
		port_add(c, p, FINDING_ERROR, TEXT("there is no interface %s", name), "it does not open",
			 ROOT(make_interface(c, name)));
		return false;
	}
	if (!interface_is_up(name))
		port_add(c, p, FINDING_WARNING, TEXT("interface %s is down", name), "nothing moves",
			 ROOT(TEXT("ip link set %s up", name)));
	else
		check_carrier(c, p, name);
	return true;
}

/* Does the kernel have this kind of sockets? It may load a module for the first one. */
static bool has_sockets(const char *protocol, int family)
{
	char rest[128];
	int fd;

	if (machine_line(rest, sizeof(rest), protocol, "/proc/net/protocols"))
		return true;
	if (!machine_is_real())
		return false;
	fd = socket(family, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (fd >= 0)
		close(fd);
	return fd >= 0 || errno != EAFNOSUPPORT;
}

/* ---- drivers ---- */

static void find_forbidden(struct check *c, const struct port *p, const char *path, const struct stat *st)
{
	const struct group *group = (st->st_mode & 060) == 060 && st->st_gid != 0 ?
					    getgrgid(st->st_gid) :
					    NULL;

	port_add(c, p, FINDING_ERROR,
		 TEXT("%s needs %s, which this user may not use", p->device, path),
		 group != NULL ? TEXT("it does not open; group %s may use it", group->gr_name) :
				 "it does not open",
		 ROOT(TEXT("chown %u %s", geteuid(), QUOTE(path))));
}

/* A file that the driver opens, and the command that makes it. */
static void check_file(struct check *c, const struct port *p, const char *path, const char *make)
{
	char at[MACHINE_PATH];
	struct stat st = {0};

	if (stat(machine_path(at, "%s", path), &st) != 0 && errno == ENOENT)
		port_add(c, p, FINDING_ERROR,
			 TEXT("%s needs %s, which is not there", p->device, path),
			 "it does not open", ROOT(make));
	else if (access(at, R_OK | W_OK) != 0)
		find_forbidden(c, p, path, &st);
}

static void check_tun(struct check *c, const struct port *p)
{
	check_file(c, p, "/dev/net/tun",
		   "modprobe tun && mkdir -p /dev/net && "
		   "{ test -e /dev/net/tun || mknod /dev/net/tun c 10 200; }");
}

static void check_tap(struct check *c, const struct port *p)
{
	char name[64];

	check_tun(c, p);
	if (c->start || !devargs_value(p->devargs, "iface", name, sizeof(name)) ||
	    !interface_is_there(name) || interface_is_tap(name))
		return;
	port_add(c, p, FINDING_ERROR, TEXT("interface %s is there, and is no tap", name),
		 "it does not open", port_with(c, p, "iface", TEXT("%.11s-tap", name)));
}

static void check_af_packet(struct check *c, const struct port *p)
{
	char name[64] = "";

	if (!has_sockets("PACKET", AF_PACKET))
		port_add(c, p, FINDING_ERROR, "the kernel has no AF_PACKET sockets", "it does not open",
			 ROOT("modprobe af_packet"));
	if (devargs_value(p->devargs, "iface", name, sizeof(name)))
		port_interface(c, p, name);
}

static uint32_t number_of(const struct port *p, const char *key, uint32_t otherwise)
{
	char text[32];

	return devargs_value(p->devargs, key, text, sizeof(text)) ?
		       (uint32_t)strtoul(text, NULL, 10) :
		       otherwise;
}

static void check_af_xdp(struct check *c, const struct port *p)
{
	uint32_t wanted = number_of(p, "start_queue", 0) + number_of(p, "queue_count", 1);
	char name[64] = "";

	devargs_value(p->devargs, "iface", name, sizeof(name));
	if (!has_sockets("XDP", AF_XDP))
		port_add(c, p, FINDING_ERROR, "the kernel has no AF_XDP sockets (CONFIG_XDP_SOCKETS)",
			 "it does not open",
			 port_other(c, p, TEXT("net_af_packet_%s,iface=%s", name, name)));
	if (name[0] == '\0' || !port_interface(c, p, name))
		return;
	if (wanted > interface_rx_queues(name) && interface_rx_queues(name) != 0)
		port_add(c, p, FINDING_ERROR,
			 TEXT("interface %s has %u queues, %u are asked for", name, interface_rx_queues(name),
			      wanted),
			 "it does not open", ROOT(TEXT("ethtool -L %s combined %u", name, wanted)));
	if (interface_has_default_route(name))
		port_add(c, p, FINDING_WARNING, TEXT("interface %s has the default route", name),
			 "net_af_xdp takes its packets: what the host itself receives there, ssh too, ends",
			 port_other(c, p, TEXT("net_af_packet_%s,iface=%s", name, name)));
}

/* Where it is to listen. */
static void check_listening(struct check *c, const struct port *p, const char *key, const char *path,
			    bool abstract)
{
	int rc = c->start ? 0 : place_check(path, abstract);

	if (rc == 0)
		return;
	port_add(c, p, FINDING_ERROR, TEXT("socket %s: %s; %s", path, place_error(rc), place_cure(rc)),
		 "it does not open", port_with(c, p, key, TEXT("/tmp/%s.sock", p->device)));
}

/* The listener that it is to connect to: 0, or why not. */
static int try_to_connect(const char *path)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int rc = 0;

	if (fd < 0)
		return -errno;
	snprintf(at.sun_path, sizeof(at.sun_path), "%.107s", path);
	/* of another type is as well there */
	if (connect(fd, (const struct sockaddr *)&at, sizeof(at)) != 0 && errno != EPROTOTYPE &&
	    errno != EAGAIN)
		rc = -errno;
	close(fd);
	return rc;
}

static void check_connecting(struct check *c, const struct port *p, const char *path)
{
	int rc = c->start ? 0 : try_to_connect(path);
	struct stat st;

	if (rc == -EACCES && stat(path, &st) == 0)
		find_forbidden(c, p, path, &st);
	else if (rc == -EACCES)
		port_add(c, p, FINDING_ERROR, TEXT("socket %s: %s", path, strerror(-rc)),
			 "it does not open", TEXT("namei -l %s", QUOTE(path)));
	else if (rc != 0)
		port_add(c, p, FINDING_ERROR, TEXT("nobody listens on socket %s", path),
			 "it does not open", port_with(c, p, "server", "1"));
}

static bool says(const struct port *p, const char *key, const char *value, bool otherwise)
{
	char text[64];

	return devargs_value(p->devargs, key, text, sizeof(text)) ? strcmp(text, value) == 0 :
								    otherwise;
}

static void check_vhost(struct check *c, const struct port *p)
{
	char path[256];

	if (devargs_value(p->devargs, "iface", path, sizeof(path)) &&
	    !says(p, "client", "1", false))
		check_listening(c, p, "iface", path, false);
}

/* Then it makes a tap, too. */
static bool is_kernel_vhost(const char *devargs)
{
	char path[256];

	return devargs_driver(devargs, "net_virtio_user") &&
	       devargs_value(devargs, "path", path, sizeof(path)) &&
	       strcmp(path, "/dev/vhost-net") == 0;
}

static void check_virtio_user(struct check *c, const struct port *p)
{
	char path[256];

	if (!devargs_value(p->devargs, "path", path, sizeof(path)))
		return;
	if (is_kernel_vhost(p->devargs)) {
		check_file(c, p, path, "modprobe vhost_net");
		check_tun(c, p);
		return;
	}
	if (strncmp(path, "/dev/", 5) == 0) {
		check_file(c, p, path, "modprobe -a vhost_net vhost_vdpa");
		return;
	}
	if (says(p, "server", "1", false))
		check_listening(c, p, "path", path, false);
	else
		check_connecting(c, p, path);
	if (!c->args.no_huge && !c->args.single_file)
		port_add(c, p, FINDING_WARNING, "hugepages without --single-file-segments",
			 "the vhost side cannot map so many files, nothing moves",
			 check_rerun(c, "--single-file-segments", NULL, NULL));
}

static void check_memif(struct check *c, const struct port *p)
{
	bool server = says(p, "role", "server", false) || says(p, "role", "master", false);
	char path[256] = "/run/memif.sock";

	devargs_value(p->devargs, "socket", path, sizeof(path));
	if (server)
		check_listening(c, p, "socket", path, says(p, "socket-abstract", "yes", true));
	if (!server && says(p, "zero-copy", "yes", false) && (c->args.no_huge || !c->args.single_file))
		port_add(c, p, FINDING_ERROR,
			 TEXT("zero-copy=yes %s",
			      c->args.no_huge ? "and --no-huge" : "without --single-file-segments"),
			 "it does not open",
			 check_rerun(c, c->args.single_file ? NULL : "--single-file-segments", NULL, "--no-huge"));
}

/* ---- all ---- */

static const struct {
	const char *driver;
	void (*look)(struct check *c, const struct port *p);
	uint64_t rights;
} drivers[] = {
	{"net_tap", check_tap, RIGHT(CAP_NET_ADMIN)},
	/* the other one to set the interface's address and promiscuous mode */
	{"net_af_packet", check_af_packet, RIGHT(CAP_NET_ADMIN) | RIGHT(CAP_NET_RAW)},
	/* the last one to find its map by number: cap_bpf is not enough */
	{"net_af_xdp", check_af_xdp,
	 RIGHT(CAP_NET_ADMIN) | RIGHT(CAP_NET_RAW) | RIGHT(CAP_SYS_ADMIN)},
	{"net_vhost", check_vhost, 0},
	{"net_virtio_user", check_virtio_user, 0},
	{"net_memif", check_memif, 0},
	{"net_pcap", check_pcap, 0},
};

static uint64_t rights_for(const char *devargs)
{
	uint64_t rights = is_kernel_vhost(devargs) ? RIGHT(CAP_NET_ADMIN) :
			  pcap_is_live(devargs) ? RIGHT(CAP_NET_RAW) :
						     0;
	char address[16];

	if (check_pci(devargs, address))
		rights |= device_rights(address);

	for (size_t i = 0; i < RTE_DIM(drivers); i++)
		if (devargs_driver(devargs, drivers[i].driver))
			rights |= drivers[i].rights;
	return rights;
}

/* A driver that makes as many queues as its devargs say: are they enough? */
static void check_queues(struct check *c, const struct port *p)
{
	static const struct {
		const char *driver, *key;
	} known[] = {{"net_af_packet", "qpairs"},
		     {"net_af_xdp", "queue_count"},
		     {"net_vhost", "queues"},
		     {"net_virtio_user", "queues"}};

	for (size_t i = 0; i < RTE_DIM(known); i++)
		if (devargs_driver(p->devargs, known[i].driver) &&
		    number_of(p, known[i].key, 1) < p->queues)
			port_add(c, p, FINDING_ERROR,
				 TEXT("%s has %u queues, %" PRIu64 " are needed", p->device,
				      number_of(p, known[i].key, 1), p->queues),
				 "it does not open",
				 port_with(c, p, known[i].key, TEXT("%" PRIu64, p->queues)));
}

/* An example for each that a driver may lack. */
static void check_needs(struct check *c, const struct port *p)
{
	const char *lacks = arguments_make(&c->args, p->device) ? NULL : driver_lacks(p->devargs);
	const char *value = TEXT("/tmp/%s.sock", p->device);

	if (lacks == NULL)
		return;
	if (devargs_driver(p->devargs, "net_pcap")) {
		lacks = "tx_pcap";
		value = TEXT("/tmp/%s.pcap", p->device);
	} else if (devargs_driver(p->devargs, "net_af_")) {
		value = "eth0";
	} else if (devargs_driver(p->devargs, "net_virtio_user")) {
		value = TEXT("%s,server=1", value);
	}
	port_add(c, p, FINDING_ERROR, TEXT("%s has no %s=VALUE", p->device, lacks), "it does not open",
		 port_with(c, p, lacks, value));
}

static void check_port(struct check *c, const char *section, const char *devargs, uint64_t queues)
{
	struct port p = {.section = section, .devargs = devargs, .queues = queues};
	char address[16];

	if (devargs[0] == '\0')
		return;
	p.device = TEXT("%.*s", (int)strcspn(devargs, ","), devargs);
	if (check_pci(devargs, address))
		check_device(c, &p, address);
	for (size_t i = 0; i < RTE_DIM(drivers); i++)
		if (devargs_driver(devargs, drivers[i].driver))
			drivers[i].look(c, &p);
	check_needs(c, &p);
	check_rights(c, &p, rights_for(devargs));
	check_queues(c, &p);
}

void check_ports(struct check *c)
{
	for (uint32_t i = 0; i < c->conf->nb_adapters; i++)
		c->rights |= rights_for(c->conf->adapter[i].port);
	for (uint32_t i = 0; i < c->conf->nb_faces; i++)
		c->rights |= rights_for(c->conf->face[i].port);
	for (uint32_t i = 0; i < c->conf->nb_adapters; i++)
		check_port(c, TEXT("adapter %s", c->conf->adapter[i].name),
			   c->conf->adapter[i].port, 1 + c->conf->adapter[i].nb_shares);
	for (uint32_t i = 0; i < c->conf->nb_faces; i++)
		check_port(c, TEXT("face %s", c->conf->face[i].name), c->conf->face[i].port,
			   c->conf->face[i].queues);
}

int check_port_node(const char *devargs, int otherwise)
{
	char address[16], name[64];
	int64_t node = -1;

	if (check_pci(devargs, address))
		node = machine_number(-1, "/sys/bus/pci/devices/%s/numa_node", address);
	else if (devargs_value(devargs, "iface", name, sizeof(name)))
		node = machine_number(-1, "/sys/class/net/%s/device/numa_node", name);
	return node >= 0 ? (int)node : otherwise;
}
