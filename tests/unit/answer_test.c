/* SPDX-License-Identifier: BSD-3-Clause
 * answer_test.c - answers as JSON: brackets, escapes, the end of the room; as telemetry's data
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <rte_telemetry.h>

#include "answer.h"

static void dict_json(void **state)
{
	char text[256];
	struct answer a = answer_json(text, sizeof(text));

	(void)state;
	answer_begin(&a, ANSWER_DICT, NULL);
	answer_u64(&a, "most", UINT64_MAX);
	answer_int(&a, "least", -5);
	answer_inner(&a, ANSWER_NUMBERS, "numbers");
	answer_u64(&a, NULL, 1);
	answer_u64(&a, NULL, 2);
	answer_inner_end(&a);
	answer_inner(&a, ANSWER_TEXTS, "none");
	answer_inner_end(&a);
	answer_inner(&a, ANSWER_DICT, "inner");
	answer_text(&a, "x", "y");
	answer_u64(&a, "z", 0);
	answer_inner_end(&a);
	answer_text(&a, "last", "one");
	answer_end(&a);
	assert_string_equal(text, "{\"most\":18446744073709551615,\"least\":-5,\"numbers\":[1,2],\"none\":[],"
			    "\"inner\":{\"x\":\"y\",\"z\":0},\"last\":\"one\"}");
	assert_int_equal(a.len, strlen(text));
}

static void list_json(void **state)
{
	char text[256];
	struct answer a = answer_json(text, sizeof(text));

	(void)state;
	answer_begin(&a, ANSWER_TEXTS, "adapters");
	answer_end(&a);
	assert_string_equal(text, "{\"adapters\":[]}");
	a = answer_json(text, sizeof(text));
	answer_begin(&a, ANSWER_TEXTS, "adapters");
	answer_text(&a, NULL, "a");
	answer_text(&a, NULL, "b");
	answer_end(&a);
	assert_string_equal(text, "{\"adapters\":[\"a\",\"b\"]}");
}

static void escapes(void **state)
{
	static const struct {
		const char *text, *json;
	} cases[] = {
		{"\"\\/", "\\\"\\\\/"}, {"\n\t\x01\x1f\x7f", "\\u000a\\u0009\\u0001\\u001f\\u007f"},
		{"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"},
		{"\xff", "\\ufffd"}, {"\xc3", "\\ufffd"}, {"\xc3(", "\\ufffd("}, {"\x80x", "\\ufffdx"},
		{"\xc0\xaf", "\\ufffd\\ufffd"}, {"\xed\xa0\x80", "\\ufffd\\ufffd\\ufffd"},
		{"\xf4\x90\x80\x80", "\\ufffd\\ufffd\\ufffd\\ufffd"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[128], want[128];
		struct answer a = answer_json(text, sizeof(text));

		answer_begin(&a, ANSWER_DICT, NULL);
		answer_text(&a, "k", cases[i].text);
		answer_end(&a);
		snprintf(want, sizeof(want), "{\"k\":\"%s\"}", cases[i].json);
		assert_string_equal(text, want);
	}
}

/* At each size of the room: the whole answer, or an error, and not a byte behind its end. */
static void bounds(void **state)
{
	const char *whole = "{\"numbers\":[1,22,333],\"text\":\"a\\\"b\\u0001c\",\"more\":[\"x\",\"y\"],\"n\":12345678901}";

	(void)state;
	for (size_t size = ANSWER_JSON_MIN; size < 128; size++) {
		char text[130];
		struct answer a;

		memset(text, '#', sizeof(text));
		a = answer_json(text, size);
		answer_begin(&a, ANSWER_DICT, NULL);
		answer_inner(&a, ANSWER_NUMBERS, "numbers");
		answer_u64(&a, NULL, 1);
		answer_u64(&a, NULL, 22);
		answer_u64(&a, NULL, 333);
		answer_inner_end(&a);
		answer_text(&a, "text", "a\"b\x01" "c");
		answer_inner(&a, ANSWER_TEXTS, "more");
		answer_text(&a, NULL, "x");
		answer_text(&a, NULL, "y");
		answer_inner_end(&a);
		answer_u64(&a, "n", 12345678901);
		answer_end(&a);
		assert_string_equal(text, size >= strlen(whole) + 4 ? whole : "{\"error\":\"the answer is too long\"}");
		assert_int_equal(a.len, strlen(text));
		assert_true(a.len + 2 <= size); /* a newline goes behind it */
		for (size_t i = size; i < sizeof(text); i++)
			assert_int_equal(text[i], '#');
	}
}

static void errors(void **state)
{
	char text[256], small[ANSWER_JSON_MIN];
	struct answer a = answer_json(text, sizeof(text));

	(void)state;
	answer_begin(&a, ANSWER_DICT, NULL);
	answer_u64(&a, "n", 1);
	answer_inner(&a, ANSWER_TEXTS, "more");
	assert_false(answer_failed(&a));
	answer_error(&a, "no \"%s\"", "x");
	assert_true(answer_failed(&a));
	answer_text(&a, "needs", "operator");
	answer_end(&a);
	assert_string_equal(text, "{\"error\":\"no \\\"x\\\"\",\"needs\":\"operator\"}");
	a = answer_json(text, sizeof(text));
	answer_error(&a, "no");
	answer_error_failed(&a);
	answer_end(&a);
	assert_string_equal(text, "{\"error\":\"no\",\"kind\":\"failed\"}");
	a = answer_json(text, sizeof(text));
	answer_error(&a, "no");
	answer_error_busy(&a);
	answer_end(&a);
	assert_string_equal(text, "{\"error\":\"no\",\"kind\":\"busy\"}");
	a = answer_json(small, sizeof(small));
	answer_error(&a, "%0100d", 0);
	answer_end(&a);
	assert_string_equal(small, "{\"error\":\"the answer is too long\"}");
}

/* Telemetry has no way to look at its data but its socket: this is for the sanitizers, and for what
 * becomes of too many entries. */
static void telemetry(void **state)
{
	struct rte_tel_data *data = rte_tel_data_alloc();
	struct answer a = answer_telemetry(data);

	(void)state;
	answer_begin(&a, ANSWER_DICT, NULL);
	answer_int(&a, "n", -1);
	answer_inner(&a, ANSWER_NUMBERS, "numbers");
	answer_u64(&a, NULL, 1);
	answer_inner_end(&a);
	answer_inner(&a, ANSWER_TEXTS, "more");
	answer_error(&a, "no"); /* before the second one's end */
	answer_end(&a);
	a = answer_telemetry(data);
	answer_begin(&a, ANSWER_NUMBERS, "numbers");
	for (uint64_t i = 0; i < RTE_TEL_MAX_ARRAY_ENTRIES; i++)
		answer_u64(&a, NULL, i);
	assert_false(answer_failed(&a));
	answer_u64(&a, NULL, 0);
	answer_end(&a);
	assert_true(answer_failed(&a));
	a = answer_telemetry(data);
	answer_begin(&a, ANSWER_DICT, NULL);
	for (uint32_t i = 0; i <= ANSWER_INNERS; i++) {
		assert_false(a.full);
		answer_inner(&a, ANSWER_TEXTS, "n");
		answer_inner_end(&a);
	}
	answer_end(&a);
	assert_true(answer_failed(&a));
	rte_tel_data_free(data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dict_json), cmocka_unit_test(list_json), cmocka_unit_test(escapes),
		cmocka_unit_test(bounds),    cmocka_unit_test(errors),	  cmocka_unit_test(telemetry),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
