/* SPDX-License-Identifier: BSD-3-Clause
 * options.c - the one table of vnicd's options: values, --help, the reference page
 */
#include "options.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include <rte_common.h>

#include "config.h"
#include "ids.h"
#include "say.h"

#define YEAR_S (INT64_C(86400) * 365)
#define NAME_MAX_LEN (CONF_NAME - 1)
#define TEXT_MAX_LEN (CONF_TEXT - 1)

/* The start of an entry: type, key and where its value goes. */
#define ENTRY(type_, section, key_) \
	.key = #key_, .type = CONF_TYPE_##type_, .offset = offsetof(struct section, key_)
#define RANGE(min_, max_, def_) .min = (min_), .max = (max_), .def = (def_)
#define CHOICES(def_, ...) .choices = {__VA_ARGS__}, .def = (def_)
#define NEEDS(key_, choice) .needs = #key_, .needs_choice = (choice)

static const struct conf_option global_options[] = {
	{ENTRY(U64, conf_global, seconds), RANGE(0, YEAR_S, 0), .unit = "s",
	 .help = "how long to run; 0: until SIGINT or SIGTERM"},
	{ENTRY(CHOICE, conf_global, shutdown), CHOICES(CONF_SHUTDOWN_CANCEL, "cancel", "drain"),
	 .help = "what becomes of queued packets at the end: taken back, or sent first"},
	{ENTRY(U64, conf_global, drain_ms), RANGE(0, 600000, 2000), .unit = "ms",
	 .help = "bound of a drain; what is left then is cancelled"},
	{ENTRY(CHOICE, conf_global, progress), CHOICES(1, "no", "yes"),
	 .help = "print a line of counts every second"},
	{ENTRY(TEXT, conf_global, report), .max = TEXT_MAX_LEN,
	 .help = "folder for the report's files; left out: no report"},
	{ENTRY(TEXT, conf_global, control), .max = TEXT_MAX_LEN,
	 .help = "path of the control socket, for root and vnicd's user; left out: no socket"},
	{ENTRY(TEXT, conf_global, control_operators), .max = TEXT_MAX_LEN,
	 .help = "users and @groups, separated by commas, who may do all at the control socket, too"},
	{ENTRY(TEXT, conf_global, control_readers), .max = TEXT_MAX_LEN,
	 .help = "users and @groups, separated by commas, who may ask there, but change nothing"},
	{ENTRY(TEXT, conf_global, captures), .max = TEXT_MAX_LEN,
	 .help = "folder for captures that operators begin who are neither root nor vnicd's user; left out: "
		 "none"},
	{ENTRY(I64, conf_global, control_lcore), RANGE(-1, 1023, -1),
	 .help = "the lcore that serves cancels and control requests; -1: chosen"},
	{ENTRY(CHOICE, conf_global, log_level),
	 CHOICES(SAY_NOTICE, "error", "warning", "notice", "info", "debug"),
	 .help = "which lines it prints on standard error: these and graver ones; EAL's "
		 "--log-level=vnicd:LEVEL wins"},
};

static const struct conf_option adapter_options[] = {
	{ENTRY(TEXT, conf_adapter, port), .max = TEXT_MAX_LEN,
	 .help = "the lower port, as DPDK devargs: net_pcap0,tx_pcap=FILE or a PCI address"},
	{ENTRY(TEXT, conf_adapter, shares), .max = NAME_MAX_LEN,
	 .help = "instead of a port, an adapter above in the file: a tx queue of its port, for another "
		 "lcore to send by; what the port receives is that adapter's"},
	{ENTRY(TEXT, conf_adapter, lower), .max = TEXT_MAX_LEN,
	 .help = "instead of a port, adapters above in the file, separated by commas: what is sent "
		 "goes down to each"},
	{ENTRY(U64, conf_adapter, lower_depth), RANGE(64, 1048576, 256), .flags = CONF_POWER2,
	 .unit = "NBLs", .help = "size of its queue on each lower adapter"},
	{ENTRY(U64, conf_adapter, lower_packets), RANGE(1, 1024, 32), .unit = "packets",
	 .help = "the most of an NBL that goes down"},
	{ENTRY(U64, conf_adapter, queues), RANGE(1, 16, 16),
	 .help = "send queues; each face takes one"},
	{ENTRY(U64, conf_adapter, depth), RANGE(64, 1048576, 4096), .flags = CONF_POWER2,
	 .unit = "NBLs", .help = "size of each send queue"},
	{ENTRY(U64, conf_adapter, burst), RANGE(1, 64, 32), .unit = "packets",
	 .help = "handed to the port at once"},
	{ENTRY(U64, conf_adapter, packets_per_s), RANGE(0, INT64_C(1000000000), 0),
	 .flags = CONF_SUFFIX, .unit = "packets/s", .help = "pace; 0: unlimited"},
	{ENTRY(U64, conf_adapter, bits_per_s), RANGE(0, INT64_C(1000000000000), 0),
	 .flags = CONF_SUFFIX, .unit = "bit/s",
	 .help = "pace of frames, without preamble, gap and checksum; 0: unlimited"},
	{ENTRY(U64, conf_adapter, burst_packets), RANGE(0, 65536, 0), .unit = "packets",
	 .help = "what an idle time may save up; 0: a hundredth of a second, at least 32"},
	{ENTRY(U64, conf_adapter, in_flight), RANGE(0, 65535, 0), .unit = "packets",
	 .help = "most that the port may hold unsent, where no cancel reaches; 0: as it likes"},
	{ENTRY(U64, conf_adapter, max_frame), RANGE(64, 16384, 0), .flags = CONF_OR_ZERO,
	 .unit = "bytes", .help = "longest frame without checksum; 0: MTU + 14, and 4 for a VLAN tag"},
	{ENTRY(U64, conf_adapter, mtu), RANGE(68, 9600, 0), .flags = CONF_OR_ZERO,
	 .unit = "bytes", .help = "MTU of the port; 0: as it is"},
	{ENTRY(U64, conf_adapter, hang_s), RANGE(0, 3600, 20), .unit = "s",
	 .help = "reset it when nothing of what is queued leaves for so long; 0: never"},
	{ENTRY(CHOICE, conf_adapter, receive), CHOICES(1, "no", "yes"),
	 .help = "poll the port for packets to its faces, if one of them receives"},
	{ENTRY(CHOICE, conf_adapter, local), CHOICES(0, "no", "yes"),
	 .help = "what a face sends to the address of another goes there, not to the port; broadcast "
		 "to both"},
	{ENTRY(CHOICE, conf_adapter, learn), CHOICES(0, "no", "yes"),
	 .help = "source addresses of what a face sends are its own too, up to 64"},
	{ENTRY(I64, conf_adapter, lcore), RANGE(-1, 1023, -1),
	 .help = "the lcore that polls the adapter and its faces; -1: chosen"},
	{ENTRY(I64, conf_adapter, numa_node), RANGE(-1, 63, -1),
	 .help = "the NUMA node where queues and buffers lie; -1: the port's"},
};

static const struct conf_option face_options[] = {
	{ENTRY(TEXT, conf_face, port), .max = TEXT_MAX_LEN, .flags = CONF_REQUIRED,
	 .help = "the upper port, where programs attach, as DPDK devargs: net_memif0,role=..."},
	{ENTRY(TEXT, conf_face, adapter), .max = NAME_MAX_LEN,
	 .help = "name of the [adapter] it sends to; may be left out when there is only one"},
	{ENTRY(TEXT, conf_face, id), .max = TEXT_MAX_LEN, .left_out = "flow",
	 .help = "what makes the cancel ids: rules, the first that applies; see --reference"},
	{ENTRY(U64, conf_face, nbl_packets), RANGE(1, 64, 1), .unit = "packets",
	 .help = "neighbours of one id that are sent, and cancelled, as one"},
	{ENTRY(U64, conf_face, burst), RANGE(1, 64, 32), .unit = "packets",
	 .help = "taken from the port at once"},
	{ENTRY(CHOICE, conf_face, direct), CHOICES(1, "no", "yes"),
	 .help = "what finds nothing queued and no pace set leaves at once, without a moment to cancel it"},
	{ENTRY(U64, conf_face, queues), RANGE(1, 16, 1),
	 .help = "of its port, all polled; what it receives goes to the first"},
	{ENTRY(U64, conf_face, mbufs), RANGE(512, 4194304, 0), .flags = CONF_OR_ZERO,
	 .unit = "buffers", .help = "to receive into; 0: chosen from the queue's depth"},
	{ENTRY(U64, conf_face, mtu), RANGE(68, 9600, 0), .flags = CONF_OR_ZERO,
	 .unit = "bytes", .help = "MTU of the port; 0: as it is"},
	{ENTRY(CHOICE, conf_face, receive), CHOICES(1, "no", "yes"),
	 .help = "what the adapter receives for it goes to its port; not from a layer"},
	{ENTRY(TEXT, conf_face, mac), .max = TEXT_MAX_LEN, NEEDS(receive, 1),
	 .help = "its addresses, up to 8, separated by commas; left out: all, if it is the only one"},
	{ENTRY(I64, conf_face, vlan), RANGE(-1, 4094, -1), NEEDS(receive, 1),
	 .help = "the VLAN that it receives from; 0: untagged, -1: any"},
	{ENTRY(CHOICE, conf_face, promiscuous), CHOICES(0, "no", "yes"), NEEDS(receive, 1),
	 .help = "it receives what is for nobody known, too"},
	{ENTRY(U64, conf_face, receive_depth), RANGE(1, 65536, 512), NEEDS(receive, 1),
	 .unit = "packets", .help = "waiting for its port at most; what comes then is dropped"},
	{ENTRY(U64, conf_face, weight), RANGE(1, 1024, 1),
	 .help = "its share beside the adapter's other faces when pace or port do not take all"},
	{ENTRY(U64, conf_face, limit), RANGE(0, 1048576, 0), .unit = "NBLs",
	 .help = "most that it may have queued; 0: what its send queue holds"},
	{ENTRY(U64, conf_face, cancel_limit), RANGE(0, 1000000, 0), .unit = "cancels/s",
	 .help = "most that it may make as a client; 0: any"},
};

static const struct conf_option plan_options[] = {
	{ENTRY(U64, conf_plan_section, cancels_per_s), RANGE(0, 1000000, 0), .unit = "cancels/s",
	 .help = "pace of the cancels; 0: none"},
	{ENTRY(CHOICE, conf_plan_section, ids),
	 CHOICES(CONF_PLAN_QUEUED, "queued", "random", "list"),
	 .help = "which ids: those queued at that moment, any, or those of the list"},
	{ENTRY(TEXT, conf_plan_section, list), .max = TEXT_MAX_LEN, .flags = CONF_REQUIRED,
	 NEEDS(ids, CONF_PLAN_LIST),
	 .help = "ids separated by commas, decimal or 0x..., not 0, at most 64"},
	{ENTRY(TEXT, conf_plan_section, adapter), .max = NAME_MAX_LEN,
	 .help = "name of the [adapter] to cancel on; left out: each in turn"},
	{ENTRY(U64, conf_plan_section, seed), RANGE(0, UINT64_MAX, 1),
	 .help = "of the choice of ids, so that a run can be repeated"},
};

_Static_assert(RTE_DIM(global_options) <= CONF_KEYS_MAX, "room for the keys");
_Static_assert(RTE_DIM(adapter_options) <= CONF_KEYS_MAX, "room for the keys");
_Static_assert(RTE_DIM(face_options) <= CONF_KEYS_MAX, "room for the keys");
_Static_assert(RTE_DIM(plan_options) <= CONF_KEYS_MAX, "room for the keys");
_Static_assert(offsetof(struct conf_adapter, name) == 0, "a section begins with its name");
_Static_assert(offsetof(struct conf_face, name) == 0, "a section begins with its name");

#define KIND(member, struct_, max_, table) \
	.offset = offsetof(struct conf, member), .size = sizeof(struct struct_), .max = (max_), \
	.options = table, .nb_options = RTE_DIM(table)

const struct conf_kind conf_kinds[CONF_KINDS] = {
	[CONF_KIND_GLOBAL] = {.name = "vnicd", KIND(global, conf_global, 1, global_options),
		.help = "The daemon; each key is a long option too"},
	[CONF_KIND_ADAPTER] = {.name = "adapter", .named = true,
		KIND(adapter, conf_adapter, CONF_ADAPTERS_MAX, adapter_options),
		.help = "A virtual NIC on a lower port, or over other adapters; at least one"},
	[CONF_KIND_FACE] = {.name = "face", .named = true,
		KIND(face, conf_face, CONF_FACES_MAX, face_options),
		.help = "A port where programs attach and send; at least one"},
	[CONF_KIND_PLAN] = {.name = "plan", KIND(plan, conf_plan_section, 1, plan_options),
		.help = "Cancels that the daemon makes by itself"},
};

const struct conf_kind *conf_kind_find(const char *name)
{
	for (uint32_t k = 0; k < CONF_KINDS; k++)
		if (strcmp(conf_kinds[k].name, name) == 0)
			return &conf_kinds[k];
	return NULL;
}

const struct conf_option *conf_option_find(const struct conf_kind *kind, const char *key)
{
	for (uint32_t i = 0; i < kind->nb_options; i++)
		if (strcmp(kind->options[i].key, key) == 0)
			return &kind->options[i];
	return NULL;
}

/* Letters to insert, delete or replace between two words; words too long for a key are
 * like nothing. */
static uint32_t distance(const char *a, const char *b)
{
	uint32_t row[32];
	size_t n = strlen(b);

	if (n >= RTE_DIM(row) || strlen(a) >= RTE_DIM(row))
		return UINT32_MAX;
	for (uint32_t j = 0; j <= n; j++)
		row[j] = j;
	for (; *a != '\0'; a++) {
		uint32_t diagonal = row[0]++;

		for (size_t j = 1; j <= n; j++) {
			uint32_t replaced = diagonal + (*a != b[j - 1]);

			diagonal = row[j];
			row[j] = 1 + RTE_MIN(row[j - 1], row[j]);
			row[j] = RTE_MIN(replaced, row[j]);
		}
	}
	return row[n];
}

const char *conf_option_nearest(const struct conf_kind *kind, const char *word)
{
	const char *nearest = NULL;
	uint32_t best = 3;

	for (uint32_t i = 0; i < kind->nb_options; i++) {
		const char *key = kind->options[i].key;
		uint32_t d = distance(word, key);

		/* at most two letters and half of the word */
		if (d < best && 2 * d <= strlen(key)) {
			best = d;
			nearest = key;
		}
	}
	return nearest;
}

void conf_option_default(const struct conf_option *o, void *values)
{
	void *at = (char *)values + o->offset;

	if (o->type == CONF_TYPE_TEXT)
		*(char *)at = '\0';
	else if (o->type == CONF_TYPE_I64)
		*(int64_t *)at = o->def;
	else
		*(uint64_t *)at = (uint64_t)o->def;
}

const char *conf_option_allowed(const struct conf_option *o, char *text)
{
	size_t n = 0;

	if (o->type == CONF_TYPE_TEXT) {
		snprintf(text, CONF_ALLOWED_MAX, "1..%" PRIu64 " characters", o->max);
		return text;
	}
	if (o->type != CONF_TYPE_CHOICE) {
		snprintf(text, CONF_ALLOWED_MAX, "%s%s%" PRId64 "..%" PRIu64 "%s%s%s%s",
			 o->flags & CONF_OR_ZERO ? "0 or " : "",
			 o->flags & CONF_POWER2 ? "powers of two " : "", o->min, o->max,
			 o->unit != NULL ? " " : "", o->unit != NULL ? o->unit : "",
			 o->flags & CONF_SUFFIX ? ", suffixes k, M, G" : "",
			 o->flags & CONF_HEX ? ", decimal or 0x..." : "");
		return text;
	}
	for (uint32_t i = 0; o->choices[i] != NULL && n < CONF_ALLOWED_MAX; i++)
		n += (size_t)snprintf(text + n, CONF_ALLOWED_MAX - n, "%s%s", i == 0 ? "" : ", ",
				      o->choices[i]);
	return text;
}

static int digit_of(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : 16;
}

/* strtoull would take blanks, signs and an empty string. */
int conf_number(const char *text, unsigned int flags, uint64_t *value)
{
	static const struct {
		char letter;
		uint64_t factor;
	} suffixes[] = {{'k', 1000}, {'M', 1000000}, {'G', 1000000000}};
	bool hex = (flags & CONF_HEX) && text[0] == '0' && text[1] == 'x';
	int base = hex ? 16 : 10;
	bool overflow = false;
	uint64_t v = 0;

	text += hex ? 2 : 0;
	if (digit_of(*text) >= base)
		return -EINVAL;
	for (; digit_of(*text) < base; text++) {
		overflow |= __builtin_mul_overflow(v, (uint64_t)base, &v);
		overflow |= __builtin_add_overflow(v, (uint64_t)digit_of(*text), &v);
	}
	for (uint32_t i = 0; i < RTE_DIM(suffixes) && (flags & CONF_SUFFIX); i++) {
		if (*text != suffixes[i].letter)
			continue;
		overflow |= __builtin_mul_overflow(v, suffixes[i].factor, &v);
		text++;
		break;
	}
	if (*text != '\0')
		return -EINVAL;
	if (overflow)
		return -ERANGE;
	*value = v;
	return 0;
}

static const char *set_u64(const struct conf_option *o, uint64_t *at, const char *text)
{
	uint64_t v;
	int rc = conf_number(text, o->flags, &v);

	if (rc == -EINVAL)
		return "is not a whole number";
	if ((o->flags & CONF_OR_ZERO) && rc == 0 && v == 0) {
		*at = 0;
		return NULL;
	}
	if (rc < 0 || v < (uint64_t)o->min || v > o->max)
		return "is out of range";
	if ((o->flags & CONF_POWER2) && (v & (v - 1)) != 0)
		return "is not a power of two";
	*at = v;
	return NULL;
}

static const char *set_i64(const struct conf_option *o, int64_t *at, const char *text)
{
	bool negative = text[0] == '-';
	uint64_t v;
	int rc = conf_number(text + negative, o->flags, &v);

	if (rc == -EINVAL)
		return "is not a whole number";
	if (rc < 0 || v > (negative ? (uint64_t)-o->min : o->max))
		return "is out of range";
	*at = negative ? -(int64_t)v : (int64_t)v;
	return NULL;
}

static const char *set_choice(const struct conf_option *o, uint64_t *at, const char *text)
{
	for (uint32_t i = 0; o->choices[i] != NULL; i++) {
		if (strcmp(o->choices[i], text) == 0) {
			*at = i;
			return NULL;
		}
	}
	return "is not a choice";
}

static const char *set_text(const struct conf_option *o, char *at, const char *text)
{
	size_t len = strlen(text);

	if (len > o->max)
		return "is too long";
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
			return "has a control character";
	memcpy(at, text, len + 1);
	return NULL;
}

const char *conf_option_set(const struct conf_option *o, void *values, const char *text)
{
	void *at = (char *)values + o->offset;

	if (*text == '\0')
		return "has no value";
	switch (o->type) {
	case CONF_TYPE_U64:
		return set_u64(o, at, text);
	case CONF_TYPE_I64:
		return set_i64(o, at, text);
	case CONF_TYPE_CHOICE:
		return set_choice(o, at, text);
	default:
		return set_text(o, at, text);
	}
}

/* ---- --help and --reference ---- */

/* What holds when the key is left out. */
static const char *default_text(const struct conf_option *o, char *text)
{
	if (o->type == CONF_TYPE_CHOICE)
		return o->choices[o->def];
	if (o->flags & CONF_REQUIRED)
		return "required";
	if (o->type == CONF_TYPE_TEXT)
		return o->left_out != NULL ? o->left_out : "none";
	snprintf(text, CONF_ALLOWED_MAX, "%" PRId64, o->def);
	return text;
}

/* "only with KEY = CHOICE", or nothing. */
static const char *needs_text(const struct conf_kind *kind, const struct conf_option *o, char *text)
{
	if (o->needs == NULL)
		return "";
	snprintf(text, CONF_ALLOWED_MAX, "; only with %s = %s", o->needs,
		 conf_option_find(kind, o->needs)->choices[o->needs_choice]);
	return text;
}

void conf_help(FILE *out)
{
	char allowed[CONF_ALLOWED_MAX];
	char def[CONF_ALLOWED_MAX];
	char needs[CONF_ALLOWED_MAX];

	fputs("Usage: vnicd [EAL ARGS] -- --config FILE [OPTIONS]\n"
	      "  -c, --config FILE  the configuration file\n"
	      "  --set SECTION.KEY=VALUE\n"
	      "                     a value over the file's; may be repeated, the last one wins:\n"
	      "                     --set \"adapter a0.packets_per_s=1000\" --set vnicd.seconds=5\n"
	      "  --KEY VALUE        the same for a key of [vnicd]: --seconds 5\n"
	      "  --check [FILE...]  is all there that it needs on this machine? starts nothing; what is\n"
	      "                     lacking, or could be better, in a line each; exit code 0: it would run\n"
	      "  --json             the answer of --check as JSON\n"
	      "  --help             this page\n"
	      "  --reference        the configuration file described, in Markdown\n"
	      "  --version          the version\n"
	      "The sections of the file and their keys:\n", out);
	for (const struct conf_kind *kind = conf_kinds; kind < conf_kinds + CONF_KINDS; kind++) {
		fprintf(out, "\n[%s%s]  %s\n", kind->name, kind->named ? " NAME" : "", kind->help);
		for (uint32_t i = 0; i < kind->nb_options; i++) {
			const struct conf_option *o = &kind->options[i];

			fprintf(out, "  %-15s  %s; %s%s%s\n%19s%s\n", o->key,
				conf_option_allowed(o, allowed),
				o->flags & CONF_REQUIRED ? "" : "default ", default_text(o, def),
				needs_text(kind, o, needs), "", o->help);
		}
	}
}

static const char reference_head[] =
"# The configuration of vnicd\n"
"\n"
"Made by `vnicd -- --reference`. A file of sections and keys:\n"
"\n"
"```ini\n"
"# a line of its own, or what follows a blank and '#', is a comment\n"
"[vnicd]\n"
"seconds = 60\n"
"\n"
"[adapter a0]\n"
"port = net_null0  # any DPDK port\n"
"packets_per_s = 10k\n"
"\n"
"[face f0]\n"
"port = net_memif0,role=server,socket=/run/vnicd.sock,socket-abstract=no\n"
"id = port 5001, vlan, flow\n"
"```\n"
"\n"
"- NAME is 1 to %d letters, digits, `_` or `-`. `[vnicd]` and `[plan]` may be left out.\n"
"- A section or a key may stand only once. A line has at most %d characters, the file %d KiB.\n"
"- A value ends with the line or before a comment; it has no `#`, and quotes are part of it.\n"
"- Numbers are decimal and whole. The suffixes `k`, `M` and `G` (10^3, 10^6, 10^9) and the prefix\n"
"  `0x` are understood only where a table says so.\n"
"- What is not allowed is an error with file and line; no value is changed to fit.\n"
"- `--set \"SECTION.KEY=VALUE\"` on the command line wins over the file; a key of `[vnicd]` is\n"
"  also an option of its own: `--seconds 5`.\n";

void conf_reference(FILE *out)
{
	static const char *const types[] = {
		[CONF_TYPE_U64] = "number", [CONF_TYPE_I64] = "number",
		[CONF_TYPE_CHOICE] = "choice", [CONF_TYPE_TEXT] = "text"};
	char allowed[CONF_ALLOWED_MAX];
	char def[CONF_ALLOWED_MAX];
	char needs[CONF_ALLOWED_MAX];

	fprintf(out, reference_head, NAME_MAX_LEN, CONF_LINE_MAX, CONF_FILE_MAX >> 10);
	for (const struct conf_kind *kind = conf_kinds; kind < conf_kinds + CONF_KINDS; kind++) {
		fprintf(out, "\n## `[%s%s]`\n\n%s. At most %u.\n\n"
			"| key | type | default | allowed | meaning |\n"
			"| --- | --- | --- | --- | --- |\n",
			kind->name, kind->named ? " NAME" : "", kind->help, kind->max);
		for (uint32_t i = 0; i < kind->nb_options; i++) {
			const struct conf_option *o = &kind->options[i];

			fprintf(out, "| `%s` | %s%s%s | %s | %s | %s%s |\n", o->key, types[o->type],
				o->unit != NULL ? ", " : "", o->unit != NULL ? o->unit : "",
				default_text(o, def), conf_option_allowed(o, allowed), o->help,
				needs_text(kind, o, needs));
		}
		if (kind == &conf_kinds[CONF_KIND_FACE])
			ids_reference(out);
	}
}
