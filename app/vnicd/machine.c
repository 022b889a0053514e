/* SPDX-License-Identifier: BSD-3-Clause
 * machine.c - what the system's own files say
 */
#include "machine.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *root(void)
{
	const char *folder = getenv("VNICD_CHECK_ROOT");

	return folder != NULL ? folder : "";
}

bool machine_is_real(void)
{
	return root()[0] == '\0';
}

static const char *place(char path[MACHINE_PATH], const char *format, va_list ap)
{
	size_t n = (size_t)snprintf(path, MACHINE_PATH, "%s", root());

	if (n < MACHINE_PATH)
		vsnprintf(path + n, MACHINE_PATH - n, format, ap);
	return path;
}

#define PLACE(path, format)                                                                        \
	do {                                                                                       \
		va_list ap_;                                                                       \
		va_start(ap_, format);                                                             \
		place(path, format, ap_);                                                          \
		va_end(ap_);                                                                       \
	} while (0)

const char *machine_path(char path[MACHINE_PATH], const char *format, ...)
{
	PLACE(path, format);
	return path;
}

bool machine_has(const char *format, ...)
{
	char path[MACHINE_PATH];

	PLACE(path, format);
	return access(path, F_OK) == 0;
}

static bool read_file(const char *path, char *text, size_t len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	size_t n = 0;
	ssize_t k = 0;

	text[0] = '\0';
	if (fd < 0)
		return false;
	while (n < len - 1 && (k = read(fd, text + n, len - 1 - n)) > 0)
		n += (size_t)k;
	close(fd);
	while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == ' '))
		n--;
	text[n] = '\0';
	return k >= 0; /* some attributes are there and cannot be read */
}

bool machine_text(char *text, size_t len, const char *format, ...)
{
	char path[MACHINE_PATH];

	PLACE(path, format);
	return read_file(path, text, len);
}

int64_t machine_number(int64_t otherwise, const char *format, ...)
{
	char path[MACHINE_PATH], text[32], *end;
	int64_t value;

	PLACE(path, format);
	if (!read_file(path, text, sizeof(text)))
		return otherwise;
	value = strtoll(text, &end, 0);
	return end != text ? value : otherwise;
}

bool machine_link(char *name, size_t len, const char *format, ...)
{
	char path[MACHINE_PATH], target[MACHINE_PATH];
	ssize_t n;

	PLACE(path, format);
	n = readlink(path, target, sizeof(target) - 1);
	if (n <= 0)
		return false;
	target[n] = '\0';
	return (size_t)snprintf(name, len, "%s",
				strrchr(target, '/') != NULL ? strrchr(target, '/') + 1 : target) <
	       len;
}

FILE *machine_open(const char *path)
{
	char at[MACHINE_PATH];

	return fopen(machine_path(at, "%s", path), "re");
}

bool machine_line(char *text, size_t len, const char *key, const char *path)
{
	FILE *file = machine_open(path);
	bool found = false;
	char *line = NULL;
	size_t size = 0;

	text[0] = '\0';
	while (file != NULL && !found && getline(&line, &size, file) > 0)
		if (strncmp(line, key, strlen(key)) == 0) {
			char *rest = line + strlen(key);

			rest[strcspn(rest, "\n")] = '\0';
			snprintf(text, len, "%s", rest + strspn(rest, " \t"));
			found = true;
		}
	free(line);
	if (file != NULL)
		fclose(file);
	return found;
}

/* ---- CPUs ---- */

void cpus_read(cpu_set_t *cpus, const char *text)
{
	CPU_ZERO(cpus);
	while (*text != '\0') {
		char *end;
		unsigned long first = strtoul(text, &end, 10), last = first;

		if (end == text)
			return;
		if (*end == '-')
			last = strtoul(end + 1, &end, 10);
		for (unsigned long cpu = first; cpu <= last && cpu < CPU_SETSIZE; cpu++)
			CPU_SET(cpu, cpus);
		text = *end == ',' ? end + 1 : end;
	}
}

bool machine_cpus(cpu_set_t *cpus, const char *format, ...)
{
	char path[MACHINE_PATH], text[4096];

	PLACE(path, format);
	CPU_ZERO(cpus);
	if (read_file(path, text, sizeof(text)))
		cpus_read(cpus, text);
	return CPU_COUNT(cpus) != 0;
}

const char *cpus_text(const cpu_set_t *cpus, char text[CPUS_TEXT])
{
	size_t n = 0;

	text[0] = '\0';
	for (int first = 0; first < CPU_SETSIZE; first++) {
		int last = first;

		if (!CPU_ISSET(first, cpus))
			continue;
		while (last + 1 < CPU_SETSIZE && CPU_ISSET(last + 1, cpus))
			last++;
		if (n < CPUS_TEXT)
			n += (size_t)snprintf(text + n, CPUS_TEXT - n,
					      last > first ? "%s%d-%d" : "%s%d", n == 0 ? "" : ",",
					      first, last);
		first = last;
	}
	return text;
}

int cpus_first(const cpu_set_t *cpus)
{
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, cpus))
			return cpu;
	return -1;
}

bool machine_has_node(int node)
{
	return machine_has("/sys/devices/system/node/node%d", node);
}

int machine_node_of_cpu(int cpu)
{
	cpu_set_t cpus;

	for (int node = 0; node < MACHINE_NODES; node++)
		if (machine_cpus(&cpus, "/sys/devices/system/node/node%d/cpulist", node) &&
		    CPU_ISSET(cpu, &cpus))
			return node;
	return 0;
}

static cpu_set_t kept; /* empty: none are */

static void read_usable(cpu_set_t *cpus)
{
	char text[4096];
	cpu_set_t online;

	CPU_ZERO(cpus);
	if (machine_line(text, sizeof(text), "Cpus_allowed_list:", "/proc/self/status"))
		cpus_read(cpus, text);
	if (machine_cpus(&online, "/sys/devices/system/cpu/online"))
		CPU_AND(cpus, cpus, &online);
}

void machine_cpus_usable(cpu_set_t *cpus)
{
	if (CPU_COUNT(&kept) != 0)
		*cpus = kept;
	else
		read_usable(cpus);
}

void machine_cpus_keep(void)
{
	read_usable(&kept);
}
