/* SPDX-License-Identifier: BSD-3-Clause
 * finding.c - what --check has found
 */
#include "finding.h"

#include <stdarg.h>
#include <string.h>
#include <unistd.h>

static const char *const names[FINDING_SEVERITIES] = {[FINDING_OK] = "ok",
						      [FINDING_NOTICE] = "notice",
						      [FINDING_WARNING] = "warning",
						      [FINDING_ERROR] = "error"};

const char *findings_text(struct findings *f, const char *format, ...)
{
	char *text = f->text + f->used;
	size_t room = sizeof(f->text) - f->used;
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(text, room, format, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= room)
		return "(no room)";
	f->used += (size_t)n + 1;
	return text;
}

void findings_add(struct findings *f, enum finding_severity severity, const char *subject,
		  const char *cause, const char *effect, const char *cure)
{
	f->count[severity]++;
	if (f->nb < FINDINGS_MAX)
		f->finding[f->nb++] = (struct finding){.severity = severity,
						       .subject = subject,
						       .cause = cause,
						       .effect = effect,
						       .cure = cure};
}

/* 'it'\''s' */
static const char *quoted(struct findings *f, const char *word)
{
	char text[4096];
	size_t n = 0;

	text[n++] = '\'';
	for (; *word != '\0' && n < sizeof(text) - 8; word++) {
		if (*word == '\'') {
			memcpy(text + n, "'\\''", 4);
			n += 4;
		} else {
			text[n++] = *word;
		}
	}
	text[n++] = '\'';
	text[n] = '\0';
	return findings_text(f, "%s", text);
}

const char *findings_quote(struct findings *f, const char *word)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				    "_@%+=:,./-";

	return *word != '\0' && word[strspn(word, plain)] == '\0' ? word : quoted(f, word);
}

static bool has_sudo(void)
{
	return access("/usr/bin/sudo", X_OK) == 0;
}

const char *findings_root(struct findings *f, const char *command)
{
	if (geteuid() == 0)
		return command;
	return findings_text(f, has_sudo() ? "sudo sh -c %s" : "su -c %s", quoted(f, command));
}

const char *findings_root_here(struct findings *f, const char *words)
{
	if (geteuid() == 0)
		return words;
	return findings_text(f, has_sudo() ? "sudo %s" : "su -c \"%s\"", words);
}

void findings_print(const struct findings *f, FILE *out)
{
	for (int severity = FINDING_ERROR; severity >= FINDING_OK; severity--)
		for (uint32_t i = 0; i < f->nb; i++) {
			const struct finding *x = &f->finding[i];

			if ((int)x->severity != severity)
				continue;
			fprintf(out, "%-7s  %s: %s", names[severity], x->subject, x->cause);
			if (x->effect[0] != '\0')
				fprintf(out, ": %s", x->effect);
			if (x->cure[0] != '\0')
				fprintf(out, "; run: %s", x->cure);
			fputc('\n', out);
		}
}

void json_text(FILE *out, const char *text)
{
	fputc('"', out);
	for (; *text != '\0'; text++) {
		unsigned char c = (unsigned char)*text;

		if (c < ' ' || c == 0x7f)
			fprintf(out, "\\u%04x", c);
		else if (c == '"' || c == '\\')
			fprintf(out, "\\%c", c);
		else
			fputc(c, out);
	}
	fputc('"', out);
}

void findings_print_json(const struct findings *f, FILE *out)
{
	fputc('[', out);
	for (uint32_t i = 0; i < f->nb; i++) {
		const struct finding *x = &f->finding[i];

		fprintf(out, "%s{\"severity\":\"%s\",\"subject\":", i == 0 ? "" : ",",
			names[x->severity]);
		json_text(out, x->subject);
		fputs(",\"cause\":", out);
		json_text(out, x->cause);
		fputs(",\"effect\":", out);
		json_text(out, x->effect);
		fputs(",\"cure\":", out);
		json_text(out, x->cure);
		fputc('}', out);
	}
	fputc(']', out);
}
