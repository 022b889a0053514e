/* SPDX-License-Identifier: BSD-3-Clause
 * devargs.c - what a port's devargs, NAME[,KEY=VALUE]..., name beyond the driver
 */
#include "devargs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VALUE_MAX 256

/* Of ports of one group, two may not have the same. */
static const struct thing {
	const char *driver, *key, *group, *what;
	const char *part; /* this key's value tells its parts apart, NULL: there are none; its default is "0" */
} things[] = {
	{"net_af_packet", "iface", "kernel", "interface", NULL},
	{"net_af_xdp", "iface", "kernel", "interface", "start_queue"},
	{"net_tap", "iface", "tap", "interface", NULL},
	{"net_vhost", "iface", "vhost", "socket", NULL},
	{"net_virtio_user", "path", "virtio_user", "socket", NULL},
	{"net_memif", "socket", "memif", "socket", "id"},
};

bool devargs_driver(const char *devargs, const char *driver)
{
	return strncmp(devargs, driver, strlen(driver)) == 0;
}

bool devargs_value(const char *devargs, const char *key, char *value, size_t len)
{
	size_t n = strlen(key);
	bool found = false;

	for (const char *at = strchr(devargs, ','); at != NULL; at = strchr(at, ',')) {
		at++;
		if (strncmp(at, key, n) == 0 && at[n] == '=')
			found = (size_t)snprintf(value, len, "%.*s", (int)strcspn(at + n + 1, ","),
						 at + n + 1) < len;
	}
	return found;
}

static const struct thing *thing_of(const char *devargs)
{
	for (size_t i = 0; i < sizeof(things) / sizeof(things[0]); i++)
		if (devargs_driver(devargs, things[i].driver))
			return &things[i];
	return NULL;
}

/* A memif's client and its server may meet; nodes of the kernel's serve any number. */
static bool shared(const struct thing *t, const char *one, const char *other, const char *value)
{
	char a[VALUE_MAX] = "client", b[VALUE_MAX] = "client";

	if (strcmp(t->group, "virtio_user") == 0)
		return strncmp(value, "/dev/", 5) == 0;
	if (strcmp(t->group, "memif") != 0)
		return false;
	devargs_value(one, "role", a, sizeof(a));
	devargs_value(other, "role", b, sizeof(b));
	return strcmp(a, b) != 0;
}

/* Both are parts, and different ones. */
static bool apart(const struct thing *t, const struct thing *u, const char *one, const char *other)
{
	char a[VALUE_MAX] = "0", b[VALUE_MAX] = "0";

	if (t->part == NULL || u->part == NULL)
		return false;
	devargs_value(one, t->part, a, sizeof(a));
	devargs_value(other, u->part, b, sizeof(b));
	return strtoul(a, NULL, 10) != strtoul(b, NULL, 10);
}

bool devargs_clash(const char *one, const char *other, char *what, size_t len)
{
	const struct thing *t = thing_of(one), *u = thing_of(other);
	size_t n = strcspn(one, ",");
	char a[VALUE_MAX], b[VALUE_MAX];

	if (n == strcspn(other, ",") && strncmp(one, other, n) == 0) {
		snprintf(what, len, "device %.*s", (int)n, one);
		return true;
	}
	if (t == NULL || u == NULL || strcmp(t->group, u->group) != 0 ||
	    !devargs_value(one, t->key, a, sizeof(a)) || !devargs_value(other, u->key, b, sizeof(b)) ||
	    strcmp(a, b) != 0 || shared(t, one, other, a) || apart(t, u, one, other))
		return false;
	snprintf(what, len, "%s %s", t->what, a);
	return true;
}
