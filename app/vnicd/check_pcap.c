/* SPDX-License-Identifier: BSD-3-Clause
 * check_pcap.c - what net_pcap wants: files of packets, and interfaces
 */
#include "check_port.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "devargs.h"

/* What a file of packets begins with. */
static bool is_capture(const char *path)
{
	static const uint32_t firsts[] = {0xa1b2c3d4, 0xa1b23c4d, 0xa1b2cd34, 0x0a0d0d0a};
	FILE *file = fopen(path, "rbe");
	uint32_t first = 0;
	bool is = false;

	if (file == NULL || fread(&first, sizeof(first), 1, file) != 1)
		first = 0;
	for (size_t i = 0; i < RTE_DIM(firsts); i++)
		is |= first == firsts[i] || first == __builtin_bswap32(firsts[i]);
	if (file != NULL)
		fclose(file);
	return is;
}

static void check_replayed(struct check *c, const struct port *p, const char *path)
{
	struct stat st;

	if (stat(path, &st) != 0 && errno == ENOENT)
		port_add(c, p, FINDING_ERROR, TEXT("%s: %s", path, strerror(ENOENT)), "it does not open",
			 TEXT("tcpdump -c 1000 -w %s", QUOTE(path)));
	else if (access(path, R_OK) != 0)
		port_add(c, p, FINDING_ERROR, TEXT("%s: %s", path, strerror(errno)), "it does not open",
			 TEXT("namei -l %s", QUOTE(path)));
	/* of a pipe nothing may be read here */
	else if (S_ISDIR(st.st_mode) || (S_ISREG(st.st_mode) && !is_capture(path)))
		port_add(c, p, FINDING_ERROR, TEXT("%s is no capture", path), "it does not open",
			 TEXT("tcpdump -c 1000 -w %s", QUOTE(TEXT("%s.pcap", path))));
}

/* May it be written? There is no other way to know than to make it. */
static int try_to_write(const char *path)
{
	bool there = access(path, F_OK) == 0;
	int fd = open(path, O_WRONLY | O_CLOEXEC | O_NONBLOCK | (there ? 0 : O_CREAT | O_EXCL), 0600);
	int rc = fd < 0 ? -errno : 0;

	if (fd >= 0) {
		close(fd);
		if (!there)
			unlink(path);
	}
	return rc == -ENXIO ? 0 : rc; /* a pipe without its reader */
}

static void check_written(struct check *c, const struct port *p, const char *path)
{
	int rc = c->start ? 0 : try_to_write(path);
	const char *slash = strrchr(path, '/');
	const char *folder = slash == NULL || slash == path ? "/" : TEXT("%.*s", (int)(slash - path), path);

	if (rc == -ENOENT && access(folder, F_OK) != 0)
		port_add(c, p, FINDING_ERROR, TEXT("%s: %s", folder, strerror(ENOENT)), "it does not open",
			 TEXT("mkdir -p %s", QUOTE(folder)));
	else if (rc != 0)
		port_add(c, p, FINDING_ERROR, TEXT("%s: %s", path, strerror(-rc)), "it does not open",
			 port_with(c, p, "tx_pcap", TEXT("/tmp/%s.pcap", p->device)));
}

static const char *const capture_interfaces[] = {"iface", "rx_iface", "rx_iface_in", "tx_iface"};

bool pcap_is_live(const char *devargs)
{
	char name[64];
	bool is = false;

	for (size_t i = 0; i < RTE_DIM(capture_interfaces); i++)
		is |= devargs_value(devargs, capture_interfaces[i], name, sizeof(name));
	return is && devargs_driver(devargs, "net_pcap");
}

void check_pcap(struct check *c, const struct port *p)
{
	char path[512], name[64], last[64] = "";

	for (size_t i = 0; i < RTE_DIM(capture_interfaces); i++) {
		if (!devargs_value(p->devargs, capture_interfaces[i], name, sizeof(name)) ||
		    strcmp(name, last) == 0)
			continue;
		port_interface(c, p, name);
		snprintf(last, sizeof(last), "%s", name);
	}
	if (devargs_value(p->devargs, "rx_pcap", path, sizeof(path)))
		check_replayed(c, p, path);
	if (devargs_value(p->devargs, "tx_pcap", path, sizeof(path)))
		check_written(c, p, path);
}
