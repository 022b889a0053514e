/* SPDX-License-Identifier: BSD-3-Clause
 * answer.c - what a question is answered with, as data of telemetry or as a line of JSON
 */
#include "answer.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <rte_telemetry.h>

#define ERROR_MAX 384
#define CLOSING 4 /* kept free for the brackets and the final 0 */

struct answer answer_telemetry(struct rte_tel_data *data)
{
	return (struct answer){.data = data};
}

struct answer answer_json(char *text, size_t size)
{
	text[0] = '\0';
	return (struct answer){.text = text, .size = size - CLOSING};
}

/* ---- JSON ---- */

static void put_bytes(struct answer *a, const char *bytes, size_t n)
{
	if (a->full || n >= a->size - a->len) {
		a->full = true;
		return;
	}
	memcpy(a->text + a->len, bytes, n);
	a->len += n;
	a->text[a->len] = '\0';
}

static void put(struct answer *a, const char *text)
{
	put_bytes(a, text, strlen(text));
}

/* The bytes of the character of UTF-8 at `s`; 0: there is none. */
static size_t character(const unsigned char *s)
{
	static const struct {
		unsigned char mask, lead, bytes;
		uint32_t least;
	} forms[] = {{0x80, 0x00, 1, 0}, {0xe0, 0xc0, 2, 0x80}, {0xf0, 0xe0, 3, 0x800},
		     {0xf8, 0xf0, 4, 0x10000}};

	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		uint32_t code = s[0] & (unsigned char)~forms[i].mask;

		if ((s[0] & forms[i].mask) != forms[i].lead)
			continue;
		for (size_t k = 1; k < forms[i].bytes; k++) {
			if ((s[k] & 0xc0) != 0x80)
				return 0;
			code = code << 6 | (s[k] & 0x3f);
		}
		if (code < forms[i].least || code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
			return 0;
		return forms[i].bytes;
	}
	return 0;
}

static void put_quoted(struct answer *a, const char *text)
{
	char code[8];

	put(a, "\"");
	while (*text != '\0') {
		unsigned char c = (unsigned char)*text;
		size_t n = character((const unsigned char *)text);

		if (n == 0) {
			put(a, "\\ufffd"); /* "replacement character" */
		} else if (c == '"' || c == '\\') {
			put(a, "\\");
			put_bytes(a, text, 1);
		} else if (c < ' ' || c == 0x7f) {
			snprintf(code, sizeof(code), "\\u%04x", c);
			put(a, code);
		} else {
			put_bytes(a, text, n);
		}
		text += n != 0 ? n : 1;
	}
	put(a, "\"");
}

/* What stands before a value. */
static void put_name(struct answer *a, const char *name)
{
	if (a->comma)
		put(a, ",");
	a->comma = true;
	if (name != NULL) {
		put_quoted(a, name);
		put(a, ":");
	}
}

/* ---- both ---- */

static void start(struct rte_tel_data *data, enum answer_kind kind)
{
	if (kind == ANSWER_DICT)
		rte_tel_data_start_dict(data);
	else
		rte_tel_data_start_array(data, kind == ANSWER_NUMBERS ? RTE_TEL_U64_VAL :
									RTE_TEL_STRING_VAL);
}

void answer_begin(struct answer *a, enum answer_kind kind, const char *name)
{
	a->kind = kind;
	if (a->data != NULL) {
		start(a->data, kind);
		return;
	}
	a->close = "}";
	put(a, "{");
	if (kind != ANSWER_DICT) {
		put_name(a, name);
		put(a, "[");
		a->comma = false;
		a->close = "]}";
	}
}

/* Where telemetry's next entry goes. */
static struct rte_tel_data *into(struct answer *a, bool *dict)
{
	*dict = (a->is_inner ? a->inner_kind : a->kind) == ANSWER_DICT;
	return a->is_inner ? a->inner : a->data;
}

void answer_u64(struct answer *a, const char *name, uint64_t value)
{
	char digits[24];
	bool dict;
	struct rte_tel_data *data = into(a, &dict);

	if (a->data == NULL) {
		snprintf(digits, sizeof(digits), "%" PRIu64, value);
		put_name(a, name);
		put(a, digits);
	} else if (!a->full) {
		a->full = (dict ? rte_tel_data_add_dict_u64(data, name, value) :
				  rte_tel_data_add_array_u64(data, value)) == -ENOSPC;
	}
}

void answer_int(struct answer *a, const char *name, int value)
{
	char digits[16];
	bool dict;
	struct rte_tel_data *data = into(a, &dict);

	if (a->data == NULL) {
		snprintf(digits, sizeof(digits), "%d", value);
		put_name(a, name);
		put(a, digits);
	} else if (!a->full) {
		a->full = rte_tel_data_add_dict_int(data, name, value) == -ENOSPC;
	}
}

/* Telemetry cuts a text of 128 and more. */
void answer_text(struct answer *a, const char *name, const char *text)
{
	bool dict;
	struct rte_tel_data *data = into(a, &dict);

	if (a->data == NULL) {
		put_name(a, name);
		put_quoted(a, text);
	} else if (!a->full) {
		a->full = (dict ? rte_tel_data_add_dict_string(data, name, text) :
				  rte_tel_data_add_array_string(data, text)) == -ENOSPC;
	}
}

void answer_inner(struct answer *a, enum answer_kind kind, const char *name)
{
	a->is_inner = true;
	a->inner_kind = kind;
	a->inner_name = name;
	if (a->data != NULL) {
		a->inner = rte_tel_data_alloc();
		a->full |= a->inner == NULL;
		if (a->inner != NULL)
			start(a->inner, kind);
		return;
	}
	put_name(a, name);
	put(a, kind == ANSWER_DICT ? "{" : "[");
	a->comma = false;
}

void answer_inner_end(struct answer *a)
{
	if (!a->is_inner)
		return;
	if (a->data == NULL) {
		put(a, a->inner_kind == ANSWER_DICT ? "}" : "]");
		a->comma = true;
	} else if (a->inner != NULL && a->nb_done < ANSWER_INNERS &&
		   rte_tel_data_add_dict_container(a->data, a->inner_name, a->inner, 0) == 0) {
		a->done[a->nb_done++] = a->inner;
	} else {
		rte_tel_data_free(a->inner);
		a->full = true;
	}
	a->is_inner = false;
	a->inner = NULL;
}

void answer_error(struct answer *a, const char *format, ...)
{
	char why[ERROR_MAX];
	va_list more;

	va_start(more, format);
	vsnprintf(why, sizeof(why), format, more);
	va_end(more);
	rte_tel_data_free(a->inner);
	for (uint32_t i = 0; i < a->nb_done; i++)
		rte_tel_data_free(a->done[i]); /* the data is begun again, and has them no more */
	*a = (struct answer){.data = a->data, .text = a->text, .size = a->size, .failed = true};
	answer_begin(a, ANSWER_DICT, NULL);
	answer_text(a, "error", why);
}

void answer_error_failed(struct answer *a)
{
	answer_text(a, "kind", "failed");
}

void answer_error_busy(struct answer *a)
{
	answer_text(a, "kind", "busy");
}

bool answer_failed(const struct answer *a)
{
	return a->failed;
}

void answer_end(struct answer *a)
{
	answer_inner_end(a);
	if (a->full)
		answer_error(a, "the answer is too long");
	if (a->data != NULL || a->close == NULL)
		return;
	strcpy(a->text + a->len, a->close);
	a->len += strlen(a->close);
	a->close = NULL;
}
