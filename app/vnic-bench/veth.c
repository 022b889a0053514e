/* SPDX-License-Identifier: BSD-3-Clause
 * veth.c - a pair of interfaces of the kernel for af_packet
 */
#include <signal.h>
#include <stdio.h>
#include <stdint.h>
#include <sys/wait.h>

#include "pair.h"

#define IP_MS 5000

/* ip with these arguments; -1: said. */
static int ip(const struct pair_site *site, char *const arguments[])
{
	char *argv[16], path[CHILD_PATH], text[256];
	struct child c;
	int n = 1;

	if (!child_find("ip", path, sizeof(path)) && !child_find("../sbin/ip", path, sizeof(path))) {
		fprintf(stderr, "vnic-bench: face: ip is not installed; apt-get install -y iproute2\n");
		return -1;
	}
	argv[0] = path;
	for (char *const *a = arguments; *a != NULL; a++)
		argv[n++] = *a;
	argv[n] = NULL;
	if (child_start(&c, site->folder, "ip", &site->cpus, argv) != 0)
		return -1;
	/* signal 0 asks for nothing: it ends by itself */
	n = child_end(&c, 0, IP_MS);
	if (n != -1 && WIFEXITED(n) && WEXITSTATUS(n) == 0)
		return 0;
	fprintf(stderr, "vnic-bench: face: ip %s %s: %s\n", arguments[0], arguments[1],
		child_last_words(&c, text, sizeof(text)));
	return -1;
}

/* No address, so that the kernel sends nothing of its own. */
static int bring_up(const struct pair_site *site, const char *name)
{
	char *up[] = {"link", "set", "dev", (char *)(uintptr_t)name, "addrgenmode", "none", "up", NULL};

	return ip(site, up);
}

int veth_make(const struct pair_site *site, const char *a, const char *b)
{
	char *make[] = {"link", "add", (char *)(uintptr_t)a, "type", "veth", "peer", "name",
			(char *)(uintptr_t)b, NULL};

	return ip(site, make) == 0 && bring_up(site, a) == 0 && bring_up(site, b) == 0 ? 0 : -1;
}

void veth_remove(const struct pair_site *site, const char *a)
{
	char *remove[] = {"link", "del", (char *)(uintptr_t)a, NULL};

	ip(site, remove);
}
