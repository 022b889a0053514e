/* SPDX-License-Identifier: BSD-3-Clause
 * say.c - lines on standard error; EAL's log decides which, its stream would tell syslog as well
 */
#include "say.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <rte_log.h>

#define RTE_OF(level) ((uint32_t)(level) + RTE_LOG_ERR)
#define SYSLOG_OF(level) ((int)(level) + 3)

RTE_LOG_REGISTER(say_type, vnicd, NOTICE);

void say_level_set(enum say_level level)
{
	rte_log_set_level((uint32_t)say_type, RTE_OF(level));
}

enum say_level say_level_get(void)
{
	return (enum say_level)(rte_log_get_level((uint32_t)say_type) - (int)RTE_LOG_ERR);
}

bool say_heard(enum say_level level)
{
	return rte_log_can_log((uint32_t)say_type, RTE_OF(level));
}

/* systemd names the stream that it made; there a line may begin with its severity. */
static bool journal_reads(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	uint64_t device, inode;
	struct stat st;

	return stream != NULL && sscanf(stream, "%" SCNu64 ":%" SCNu64, &device, &inode) == 2 &&
	       fstat(STDERR_FILENO, &st) == 0 && st.st_dev == device && st.st_ino == inode;
}

static void write_line(enum say_level level, const char *format, va_list ap, uint64_t unsaid)
{
	char text[SAY_MAX];
	size_t n = 0, room = sizeof(text) - 32; /* for what was left out, and the end */

	if (journal_reads())
		n = (size_t)snprintf(text, room, "<%d>", SYSLOG_OF(level));
	n += (size_t)snprintf(text + n, room - n, "vnicd: ");
	vsnprintf(text + n, room - n, format, ap);
	n = strlen(text);
	if (unsaid != 0)
		n += (size_t)snprintf(text + n, sizeof(text) - n, " (and %" PRIu64 " more)", unsaid);
	/* it quotes what came from outside, which may hold line ends and escape codes */
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
			text[i] = '?';
	text[n] = '\n';
	fwrite(text, 1, n + 1, stderr);
	fflush(stderr);
}

void say(enum say_level level, const char *format, ...)
{
	va_list ap;

	if (!say_heard(level))
		return;
	va_start(ap, format);
	write_line(level, format, ap, 0);
	va_end(ap);
}

static bool may_say(struct say_kind *kind)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	if ((uint64_t)t.tv_sec != kind->second) {
		kind->second = (uint64_t)t.tv_sec;
		kind->lines = 0;
	}
	if (kind->lines++ < SAY_PER_S)
		return true;
	kind->unsaid++;
	return false;
}

void say_often(struct say_kind *kind, enum say_level level, const char *format, ...)
{
	va_list ap;

	if (!say_heard(level) || !may_say(kind))
		return;
	va_start(ap, format);
	write_line(level, format, ap, kind->unsaid);
	va_end(ap);
	kind->unsaid = 0;
}
