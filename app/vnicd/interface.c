/* SPDX-License-Identifier: BSD-3-Clause
 * interface.c - what the system says of a network interface
 */
#include "interface.h"

#include <dirent.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "machine.h"

#define NO_SUCH -2 /* a number that no file has */

bool interface_is_there(const char *name)
{
	return machine_is_real() ? if_nametoindex(name) != 0 : machine_has("/sys/class/net/%s", name);
}

/* Is it that one which /sys tells of? */
static bool in_sys(const char *name)
{
	return !machine_is_real() ||
	       machine_number(NO_SUCH, "/sys/class/net/%s/ifindex", name) == if_nametoindex(name);
}

static int64_t flags_of(const char *name)
{
	struct ifreq request = {0};
	int fd;

	if (!machine_is_real())
		return machine_number(0, "/sys/class/net/%s/flags", name) |
		       (machine_number(1, "/sys/class/net/%s/carrier", name) != 0 ? IFF_RUNNING : 0);
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%.*s", IFNAMSIZ - 1, name);
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || ioctl(fd, SIOCGIFFLAGS, &request) != 0)
		request.ifr_flags = 0;
	if (fd >= 0)
		close(fd);
	return request.ifr_flags;
}

bool interface_is_up(const char *name)
{
	return (flags_of(name) & IFF_UP) != 0;
}

bool interface_has_carrier(const char *name)
{
	return (flags_of(name) & IFF_RUNNING) != 0;
}

bool interface_is_tap(const char *name)
{
	return !in_sys(name) || machine_has("/sys/class/net/%s/tun_flags", name);
}

uint32_t interface_rx_queues(const char *name)
{
	uint32_t n = 0;

	while (in_sys(name) && machine_has("/sys/class/net/%s/queues/rx-%u", name, n))
		n++;
	return n;
}

bool interface_other_end(const char *name, char end[INTERFACE_NAME])
{
	int64_t link = machine_number(NO_SUCH, "/sys/class/net/%s/iflink", name);
	char path[MACHINE_PATH];
	struct dirent *e;
	DIR *dir;

	if (!in_sys(name) ||
	    link == machine_number(NO_SUCH, "/sys/class/net/%s/ifindex", name))
		return false;
	dir = opendir(machine_path(path, "/sys/class/net"));
	end[0] = '\0';
	while (dir != NULL && (e = readdir(dir)) != NULL)
		if (e->d_name[0] != '.' && strcmp(e->d_name, name) != 0 &&
		    machine_number(NO_SUCH, "/sys/class/net/%s/ifindex", e->d_name) == link)
			snprintf(end, INTERFACE_NAME, "%.63s", e->d_name);
	if (dir != NULL)
		closedir(dir);
	return end[0] != '\0';
}

/* ---- routes ---- */

/* Its name, if a line of /proc/net/route is a default route. */
static bool default_of_4(const char *line, char name[INTERFACE_NAME])
{
	char destination[16];

	return sscanf(line, "%63s %15s", name, destination) == 2 &&
	       strcmp(destination, "00000000") == 0;
}

/* The same of /proc/net/ipv6_route. */
static bool default_of_6(const char *line, char name[INTERFACE_NAME])
{
	char destination[40], length[8];

	return sscanf(line, "%39s %7s %*s %*s %*s %*s %*s %*s %*s %63s", destination, length,
		      name) == 3 &&
	       strspn(destination, "0") == 32 && strcmp(length, "00") == 0;
}

static bool has_route(const char *name, const char *path,
		      bool (*is_default)(const char *line, char name[INTERFACE_NAME]))
{
	FILE *file = machine_open(path);
	char *line = NULL, at[INTERFACE_NAME];
	bool found = false;
	size_t len = 0;

	while (file != NULL && !found && getline(&line, &len, file) > 0)
		found = is_default(line, at) && strcmp(at, name) == 0;
	free(line);
	if (file != NULL)
		fclose(file);
	return found;
}

bool interface_has_default_route(const char *name)
{
	return has_route(name, "/proc/net/route", default_of_4) ||
	       has_route(name, "/proc/net/ipv6_route", default_of_6);
}
