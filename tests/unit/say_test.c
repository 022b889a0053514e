/* SPDX-License-Identifier: BSD-3-Clause
 * say_test.c - lines for the operator: their form, their levels, how many of a kind
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <rte_log.h>

#include "say.h"

static int lines[2]; /* a write is a message */
static int own_stderr;
static time_t now_s;

int __wrap_clock_gettime(clockid_t id, struct timespec *t);
int __wrap_clock_gettime(clockid_t id, struct timespec *t)
{
	(void)id;
	*t = (struct timespec){.tv_sec = now_s};
	return 0;
}

static int set_up(void **state)
{
	(void)state;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, lines) != 0)
		return -1;
	own_stderr = dup(STDERR_FILENO);
	dup2(lines[1], STDERR_FILENO);
	say_level_set(SAY_NOTICE);
	rte_log_set_global_level(RTE_LOG_DEBUG);
	unsetenv("JOURNAL_STREAM");
	now_s = 1000;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	dup2(own_stderr, STDERR_FILENO);
	close(own_stderr);
	close(lines[0]);
	close(lines[1]);
	return 0;
}

/* What was written at once, "" if nothing was. */
static const char *line(void)
{
	static char text[4 * SAY_MAX];
	ssize_t n = recv(lines[0], text, sizeof(text) - 1, 0);

	text[n > 0 ? n : 0] = '\0';
	return text;
}

static void a_line_has_its_form(void **state)
{
	(void)state;
	say(SAY_NOTICE, "face %s: %u packets", "f0", 7);
	assert_string_equal(line(), "vnicd: face f0: 7 packets\n");
	assert_string_equal(line(), "");
}

static void what_came_from_outside_stays_in_its_line(void **state)
{
	(void)state;
	say(SAY_ERROR, "a peer: %s", "x\nvnicd: \033[2Jy\x7f");
	assert_string_equal(line(), "vnicd: a peer: x?vnicd: ?[2Jy?\n");
}

static void a_long_line_is_cut(void **state)
{
	char word[3 * SAY_MAX];
	const char *said;

	(void)state;
	memset(word, 'x', sizeof(word) - 1);
	word[sizeof(word) - 1] = '\0';
	say(SAY_ERROR, "%s", word);
	said = line();
	assert_true(strlen(said) > SAY_MAX / 2 && strlen(said) <= SAY_MAX);
	assert_int_equal(said[strlen(said) - 1], '\n');
	assert_string_equal(line(), "");
}

/* Which of the five are printed? */
static void assert_heard(const char *levels)
{
	char heard[6] = "";
	size_t n = 0;

	for (int level = SAY_ERROR; level <= SAY_DEBUG; level++) {
		say((enum say_level)level, "x");
		assert_int_equal(say_heard((enum say_level)level), *line() != '\0' ? 1 : 0);
		if (say_heard((enum say_level)level))
			heard[n++] = "ewnid"[level];
	}
	assert_string_equal(heard, levels);
}

static void a_level_leaves_out_what_is_above(void **state)
{
	(void)state;
	assert_heard("ewn");
	for (int level = SAY_ERROR; level <= SAY_DEBUG; level++) {
		char wanted[6] = "ewnid";

		wanted[level + 1] = '\0';
		say_level_set((enum say_level)level);
		assert_int_equal(say_level_get(), level);
		assert_heard(wanted);
	}
}

static void eal_sets_the_level(void **state)
{
	(void)state;
	assert_int_equal(rte_log_set_level_pattern("vnicd", RTE_LOG_DEBUG), 0);
	assert_heard("ewnid");
	assert_int_equal(rte_log_set_level_pattern("vni*", RTE_LOG_ERR), 0);
	assert_heard("e");
	say_level_set(SAY_DEBUG);
	rte_log_set_global_level(RTE_LOG_WARNING);
	assert_heard("ew");
}

static uint32_t lines_of(struct say_kind *kind, uint32_t times, char last[4 * SAY_MAX])
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < times; i++) {
		const char *said;

		say_often(kind, SAY_NOTICE, "link %u", i);
		said = line();
		if (*said == '\0')
			continue;
		strcpy(last, said);
		n++;
	}
	return n;
}

static void a_kind_is_limited(void **state)
{
	struct say_kind kind = {0};
	char last[4 * SAY_MAX];

	(void)state;
	assert_int_equal(lines_of(&kind, 1000, last), SAY_PER_S);
	assert_string_equal(last, "vnicd: link 9\n");
	now_s++;
	assert_int_equal(lines_of(&kind, 1, last), 1);
	assert_string_equal(last, "vnicd: link 0 (and 990 more)\n");
	assert_int_equal(lines_of(&kind, 1, last), 1);
	assert_string_equal(last, "vnicd: link 0\n");
	assert_int_equal(lines_of(&kind, 100, last), SAY_PER_S - 2);
}

static void kinds_do_not_share_a_limit(void **state)
{
	struct say_kind one = {0}, other = {0};
	char last[4 * SAY_MAX];

	(void)state;
	lines_of(&one, 100, last);
	assert_int_equal(lines_of(&other, 3, last), 3);
	assert_string_equal(last, "vnicd: link 2\n");
	say(SAY_NOTICE, "x"); /* never limited */
	assert_string_equal(line(), "vnicd: x\n");
}

static void what_nobody_hears_is_not_counted(void **state)
{
	struct say_kind kind = {0};

	(void)state;
	for (uint32_t i = 0; i < 100; i++)
		say_often(&kind, SAY_DEBUG, "x");
	assert_string_equal(line(), "");
	say_often(&kind, SAY_NOTICE, "x");
	assert_string_equal(line(), "vnicd: x\n");
}

static void the_journal_is_told_how_grave_it_is(void **state)
{
	char stream[64];
	struct stat st;

	(void)state;
	fstat(STDERR_FILENO, &st);
	snprintf(stream, sizeof(stream), "%lu:%lu", (unsigned long)st.st_dev, (unsigned long)st.st_ino);
	setenv("JOURNAL_STREAM", stream, 1);
	say(SAY_ERROR, "x");
	assert_string_equal(line(), "<3>vnicd: x\n");
	say(SAY_NOTICE, "x");
	assert_string_equal(line(), "<5>vnicd: x\n");
	snprintf(stream, sizeof(stream), "%lu:%lu", (unsigned long)st.st_dev, (unsigned long)st.st_ino + 1);
	setenv("JOURNAL_STREAM", stream, 1); /* another's */
	say(SAY_ERROR, "x");
	assert_string_equal(line(), "vnicd: x\n");
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_line_has_its_form),
		CASE(what_came_from_outside_stays_in_its_line),
		CASE(a_long_line_is_cut),
		CASE(a_level_leaves_out_what_is_above),
		CASE(eal_sets_the_level),
		CASE(a_kind_is_limited),
		CASE(kinds_do_not_share_a_limit),
		CASE(what_nobody_hears_is_not_counted),
		CASE(the_journal_is_told_how_grave_it_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
