/* SPDX-License-Identifier: BSD-3-Clause
 * ids.c - a face's id rules in words
 */
#include "ids.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include <rte_common.h>

#include "options.h"

#define TEXT_MAX 256
#define WORDS_MAX 5 /* one more than a rule has */

/* A number of a rule: VALUE where it may be left out restricts the rule. */
struct number {
	const char *name;
	uint64_t min, max;
	bool may_lack;
};

static const struct form {
	const char *name;
	enum vnic_idrule_kind kind;
	uint32_t nb;
	struct number number[3];
	const char *help;
} forms[] = {
	{"flow", VNIC_IDRULE_FLOW, 0, {{0}},
	 "hash of addresses, protocol and ports (of fragments: without ports; of what is not IP: of "
	 "the Ethernet header)"},
	{"vlan", VNIC_IDRULE_VLAN, 1, {{"ID", 1, 4095, true}}, "the outer VLAN id of a tagged frame"},
	{"label", VNIC_IDRULE_LABEL, 1, {{"LABEL", 1, 0xfffff, true}},
	 "the flow label of IPv6, where it is not 0"},
	{"dscp", VNIC_IDRULE_DSCP, 1, {{"DSCP", 0, 63, true}}, "the DSCP of IPv4 and IPv6"},
	{"port", VNIC_IDRULE_PORT, 1, {{"PORT", 0, UINT16_MAX, true}},
	 "the destination port of TCP, UDP and SCTP; fragments have none"},
	{"source_port", VNIC_IDRULE_SOURCE_PORT, 1, {{"PORT", 0, UINT16_MAX, true}},
	 "the source port, likewise"},
	{"bytes", VNIC_IDRULE_BYTES, 3,
	 {{"OFFSET", 0, 2047, false}, {"WIDTH", 1, 7, false}, {"VALUE", 0, UINT64_MAX >> 8, true}},
	 "1 to 7 bytes (of several rules 6) at an offset of the frame, big endian"},
	{"constant", VNIC_IDRULE_CONSTANT, 1, {{"VALUE", 0, UINT64_MAX >> 8, false}},
	 "VALUE for every packet; below 2^56, of several rules below 2^53"},
};

/* "bytes OFFSET WIDTH [VALUE]" */
static const char *form_text(const struct form *f, char *text)
{
	size_t n = (size_t)snprintf(text, TEXT_MAX, "%s", f->name);

	for (uint32_t i = 0; i < f->nb; i++)
		n += (size_t)snprintf(text + n, TEXT_MAX - n, f->number[i].may_lack ? " [%s]" : " %s",
				      f->number[i].name);
	return text;
}

static const struct form *form_of(enum vnic_idrule_kind kind)
{
	const struct form *f = forms;

	while (f->kind != kind)
		f++;
	return f;
}

/* ---- one rule ---- */

static void numbers_set(struct vnic_idrule *rule, const uint64_t *v, uint32_t nb)
{
	if (rule->kind == VNIC_IDRULE_BYTES) {
		rule->offset = (uint16_t)v[0];
		rule->width = (uint8_t)v[1];
		v += 2;
		nb -= 2;
	}
	rule->only = nb == 1 && rule->kind != VNIC_IDRULE_CONSTANT;
	rule->value = nb == 1 ? v[0] : 0;
}

/* `shown` is the rule as it was given. */
static int rule_read(const char *shown, char *text, struct vnic_idrule *rule, char *why, size_t len)
{
	char form[TEXT_MAX];
	const struct form *f = NULL;
	char *save = NULL, *word = strtok_r(text, " \t", &save);
	uint64_t v[3];
	uint32_t nb;

	for (size_t i = 0; word != NULL && i < RTE_DIM(forms); i++)
		if (strcmp(forms[i].name, word) == 0)
			f = &forms[i];
	if (f == NULL) {
		snprintf(why, len, "'%.40s' is no rule; rules are flow, vlan, label, dscp, port, "
			 "source_port, bytes, constant", shown);
		return -1;
	}
	form_text(f, form);
	for (nb = 0; (word = strtok_r(NULL, " \t", &save)) != NULL; nb++) {
		const struct number *n = &f->number[nb];
		int rc;

		if (nb == f->nb) {
			snprintf(why, len, "'%.40s' has a word too many; write %s", shown, form);
			return -1;
		}
		rc = conf_number(word, CONF_HEX, &v[nb]);
		if (rc == 0 && v[nb] >= n->min && v[nb] <= n->max)
			continue;
		snprintf(why, len, "'%.40s': %s %s; write %s, %s %" PRIu64 "..%" PRIu64, shown,
			 n->name, rc == -EINVAL ? "is not a number" : "is out of range", form, n->name,
			 n->min, n->max);
		return -1;
	}
	if (nb < f->nb && !f->number[nb].may_lack) {
		snprintf(why, len, "'%.40s' has no %s; write %s", shown, f->number[nb].name, form);
		return -1;
	}
	*rule = (struct vnic_idrule){.kind = f->kind};
	numbers_set(rule, v, nb);
	return 0;
}

const char *ids_rule_text(const struct vnic_idrule *rule, char *text)
{
	const char *name = form_of(rule->kind)->name;
	size_t n = (size_t)snprintf(text, IDS_RULE_TEXT, "%s", name);

	if (rule->kind == VNIC_IDRULE_BYTES)
		n += (size_t)snprintf(text + n, IDS_RULE_TEXT - n, " %u %u", rule->offset, rule->width);
	if (rule->only || rule->kind == VNIC_IDRULE_CONSTANT)
		snprintf(text + n, IDS_RULE_TEXT - n, " %" PRIu64, rule->value);
	return text;
}

/* ---- the list ---- */

/* Does a packet that `later` applies to never come so far as `later`? */
static bool hides(const struct vnic_idrule *rule, const struct vnic_idrule *later)
{
	if (rule->kind == VNIC_IDRULE_FLOW || rule->kind == VNIC_IDRULE_CONSTANT)
		return true;
	if (rule->kind != later->kind)
		return false;
	if (rule->kind == VNIC_IDRULE_BYTES && (rule->offset != later->offset || rule->width != later->width))
		return false;
	return !rule->only || (later->only && rule->value == later->value);
}

static int rule_check(const struct vnic_idrule *rule, uint32_t i, uint32_t nb, char *why, size_t len)
{
	char text[IDS_RULE_TEXT], other[IDS_RULE_TEXT];
	const struct vnic_idrule *r = &rule[i];

	ids_rule_text(r, text);
	if (r->kind == VNIC_IDRULE_BYTES && r->only && r->value >> 8 * r->width != 0) {
		snprintf(why, len, "'%s': VALUE is out of range; %u bytes have 0..%" PRIu64, text, r->width,
			 (UINT64_C(1) << 8 * r->width) - 1);
		return -1;
	}
	if (nb > 1 && ((r->kind == VNIC_IDRULE_BYTES && r->width == 7) ||
		       (r->kind == VNIC_IDRULE_CONSTANT && r->value >> VNIC_IDRULE_INDEX_SHIFT != 0))) {
		snprintf(why, len, "'%s' leaves no room to tell %u rules apart; bytes have at most 6 there, "
			 "a constant is below 2^%d", text, nb, VNIC_IDRULE_INDEX_SHIFT);
		return -1;
	}
	for (uint32_t k = 0; k < i; k++)
		if (hides(&rule[k], r)) {
			snprintf(why, len, "'%s' can never match, '%s' before it takes its packets; remove "
				 "it or put it first", text, ids_rule_text(&rule[k], other));
			return -1;
		}
	return 0;
}

int ids_read(const char *text, struct vnic_idrule rule[VNIC_IDRULES_MAX], uint32_t *nb, char *why,
	     size_t len)
{
	char copy[TEXT_MAX], shown[TEXT_MAX];
	char *rest = copy, *word;

	snprintf(copy, sizeof(copy), "%s", *text != '\0' ? text : "flow");
	*nb = 0;
	while ((word = strsep(&rest, ",")) != NULL) {
		word += strspn(word, " \t");
		snprintf(shown, sizeof(shown), "%s", word);
		if (*nb == VNIC_IDRULES_MAX) {
			snprintf(why, len, "'%.40s' is a rule too many; at most %d are allowed", shown,
				 VNIC_IDRULES_MAX);
			return -1;
		}
		if (rule_read(shown, word, &rule[*nb], why, len) != 0)
			return -1;
		++*nb;
	}
	for (uint32_t i = 0; i < *nb; i++)
		if (rule_check(rule, i, *nb, why, len) != 0)
			return -1;
	return 0;
}

void ids_reference(FILE *out)
{
	char form[TEXT_MAX];

	fprintf(out, "\n`id` is a list of up to %d rules, as in `id = port 5001, vlan, flow`. The first that "
		"applies to a packet\nmakes its cancel id. A rule with a value at its end, in brackets here, "
		"applies only to packets that have\nit. A packet to which no rule applies is unmarked: it is "
		"sent, and no cancel by id takes it.\n\n", VNIC_IDRULES_MAX);
	for (size_t i = 0; i < RTE_DIM(forms); i++)
		fprintf(out, "- `%s`: %s\n", form_text(&forms[i], form), forms[i].help);
	fprintf(out, "\nThe id is the face's prefix in its high byte and the value below, 56 bits. Of several "
		"rules it is the\nprefix, the rule's number less one in the next 3 bits, and the value in the low "
		"%d. Numbers are decimal or\n`0x...`.\n", VNIC_IDRULE_INDEX_SHIFT);
}
