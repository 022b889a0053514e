/* SPDX-License-Identifier: BSD-3-Clause
 * config_test.c - vnicd's configuration: every value, every error, broken files
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <rte_common.h>

#include "config.h"
#include "driver.h"
#include "options.h"

#define NB_MUTATIONS 20000
#define COMMAND_LINE (-1)
#define WHOLE_FILE 0

/* A small file that is right; errors are added behind its 5 lines or put in between. */
#define BASE "[adapter a0]\nport = net_null0\n\n[face f0]\nport = net_null1\n"

/* Every key of the table, none with its default. */
static const char full[] =
	"# all keys\n"
	"[vnicd]\n"
	"seconds = 7\n"
	"shutdown = drain\n"
	"drain_ms = 100\n"
	"progress = no\n"
	"report = /tmp/a report\n"
	"control_lcore = 3\n"
	"\n"
	"[adapter a0]\n"
	"port = any0,tx_pcap=/tmp/x=y.pcap\n"
	"queues = 2\n"
	"depth = 128\n"
	"burst = 16\n"
	"packets_per_s = 10k\n"
	"bits_per_s = 2M\n"
	"burst_packets = 9\n"
	"in_flight = 64\n"
	"max_frame = 1600\n"
	"mtu = 1500\n"
	"lcore = 1\n"
	"numa_node = 0\n"
	"[adapter B-1_b]\n"
	"port = net_null0\n"
	"[face f0]\n"
	"port = net_memif0,role=server\n"
	"adapter = a0\n"
	"id = port 5001,vlan , bytes 0x2a 4 0xffFFffff, source_port 0,label 7, dscp 63,constant 5\n"
	"nbl_packets = 4\n"
	"burst = 8\n"
	"mbufs = 2048\n"
	"mtu = 9000\n"
	"weight = 1024\n"
	"limit = 100\n"
	"cancel_limit = 7\n"
	"[face f1]\n"
	"port = net_memif1\n"
	"adapter = B-1_b\n"
	"id = constant 0xffFFffffffffff\n"
	"[plan]\n"
	"cancels_per_s = 50\n"
	"ids = list\n"
	"list = 1, 0x10 ,18446744073709551615\n"
	"adapter = a0\n"
	"seed = 18446744073709551615\n";

struct fixture {
	int fd;  /* the file, in memory: a slow disk must not make this a slow test */
	int log; /* takes what goes to stderr: the log of rte_cfgfile would */
	char path[32];
	struct conf conf;
	enum conf_action action;
	char *out;
	char *err;
};

static void file_write(const struct fixture *f, const char *text, size_t len)
{
	assert_int_equal(ftruncate(f->fd, 0), 0);
	assert_int_equal(pwrite(f->fd, text, len, 0), len);
}

/* conf_read() with these arguments, up to NULL, behind the program's name. */
static void run(struct fixture *f, const char *const *args)
{
	size_t out_len, err_len;
	char *argv[16] = {(char *)(uintptr_t)"vnicd"};
	int argc = 1;
	int stderr_fd;
	FILE *out, *err;

	free(f->out);
	free(f->err);
	out = open_memstream(&f->out, &out_len);
	err = open_memstream(&f->err, &err_len);
	for (; *args != NULL; args++)
		argv[argc++] = (char *)(uintptr_t)*args;
	memset(&f->conf, 0xa5, sizeof(f->conf));
	stderr_fd = dup(STDERR_FILENO);
	dup2(f->log, STDERR_FILENO);
	f->action = conf_read(&f->conf, argc, argv, out, err);
	dup2(stderr_fd, STDERR_FILENO);
	close(stderr_fd);
	fclose(out);
	fclose(err);
}

static void run_file(struct fixture *f, const char *text)
{
	file_write(f, text, strlen(text));
	run(f, (const char *const[]){"--config", f->path, NULL});
}

static void run_set(struct fixture *f, const char *text, const char *arg1, const char *arg2)
{
	file_write(f, text, strlen(text));
	run(f, (const char *const[]){"-c", f->path, arg1, arg2, NULL});
}

/* One line, "vnicd: WHERE: cause; what to do". */
static void error_form(const struct fixture *f)
{
	char *semicolon = strchr(f->err, ';');
	char *end = strchr(f->err, '\n');

	assert_int_equal(f->action, CONF_EXIT_ERROR);
	assert_string_equal(f->out, "");
	assert_non_null(end);
	assert_int_equal(end[1], '\0');
	if (strncmp(f->err, "vnicd: ", 7) != 0 || semicolon == NULL)
		fail_msg("not of the form of an error: %s", f->err);
}

static void error_expect(struct fixture *f, int line, const char *part)
{
	char prefix[128];

	error_form(f);
	if (getenv("CONFIG_TEST_SHOW") != NULL)
		print_message("%s", f->err);
	if (line == COMMAND_LINE)
		snprintf(prefix, sizeof(prefix), "vnicd: command line: ");
	else if (line == WHOLE_FILE)
		snprintf(prefix, sizeof(prefix), "vnicd: %s: ", f->path);
	else
		snprintf(prefix, sizeof(prefix), "vnicd: %s:%d: ", f->path, line);
	if (strncmp(f->err, prefix, strlen(prefix)) != 0 || strstr(f->err, part) == NULL)
		fail_msg("expected '%s' with '%s', got: %s", prefix, part, f->err);
}

static void file_error(struct fixture *f, const char *text, int line, const char *part)
{
	run_file(f, text);
	error_expect(f, line, part);
}

static void set_error(struct fixture *f, const char *set, const char *part)
{
	run_set(f, BASE, "--set", set);
	error_expect(f, COMMAND_LINE, part);
}

static void run_expect(const struct fixture *f)
{
	if (f->action != CONF_RUN)
		fail_msg("refused: %s", f->err);
	assert_string_equal(f->err, "");
	assert_string_equal(f->out, "");
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->fd = memfd_create("config", MFD_CLOEXEC);
	f->log = memfd_create("log", MFD_CLOEXEC);
	snprintf(f->path, sizeof(f->path), "/proc/self/fd/%d", f->fd);
	*state = f;
	return f->fd < 0 || f->log < 0 ? -1 : 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	off_t logged = lseek(f->log, 0, SEEK_END);

	close(f->fd);
	close(f->log);
	free(f->out);
	free(f->err);
	free(f);
	return logged == 0 ? 0 : -1;
}

/* ---- values ---- */

static uint64_t u64_of(const struct conf_option *o, const void *values)
{
	return *(const uint64_t *)((const char *)values + o->offset);
}

static void *values_of(struct conf *conf, const struct conf_kind *kind, uint32_t i)
{
	return (char *)conf + kind->offset + i * kind->size;
}

/* The sections of this kind that a configuration which was read has. */
static uint32_t sections_of(const struct conf *conf, const struct conf_kind *kind)
{
	if (!kind->named)
		return 1;
	return kind == &conf_kinds[CONF_KIND_ADAPTER] ? conf->nb_adapters : conf->nb_faces;
}

static void rule_expect(const struct vnic_idrule *rule, enum vnic_idrule_kind kind, bool only,
			uint64_t value)
{
	assert_int_equal(rule->kind, kind);
	assert_int_equal(rule->only, only);
	assert_true(rule->value == value);
}

static void defaults(void **state)
{
	struct fixture *f = *state;

	run_file(f, BASE);
	run_expect(f);
	for (uint32_t k = 0; k < CONF_KINDS; k++) {
		const struct conf_kind *kind = &conf_kinds[k];

		for (uint32_t i = 0; i < kind->nb_options; i++) {
			const struct conf_option *o = &kind->options[i];
			char *values = values_of(&f->conf, kind, 0);

			if (o->type != CONF_TYPE_TEXT)
				assert_int_equal(u64_of(o, values), (uint64_t)o->def);
			else if (!(o->flags & CONF_REQUIRED) && strcmp(o->key, "port") != 0)
				assert_string_equal(values + o->offset, "");
		}
	}
	/* what the brief of the table says, read from the struct and not from the table */
	assert_int_equal(f->conf.global.seconds, 0);
	assert_int_equal(f->conf.global.shutdown, CONF_SHUTDOWN_CANCEL);
	assert_int_equal(f->conf.global.drain_ms, 2000);
	assert_int_equal(f->conf.global.progress, 1);
	assert_int_equal(f->conf.global.control_lcore, -1);
	assert_int_equal(f->conf.adapter[0].queues, 16);
	assert_int_equal(f->conf.adapter[0].depth, 4096);
	assert_int_equal(f->conf.adapter[0].burst, 32);
	assert_int_equal(f->conf.adapter[0].packets_per_s, 0);
	assert_int_equal(f->conf.adapter[0].lcore, -1);
	assert_int_equal(f->conf.adapter[0].numa_node, -1);
	assert_string_equal(f->conf.adapter[0].name, "a0");
	assert_string_equal(f->conf.adapter[0].port, "net_null0");
	assert_int_equal(f->conf.face[0].nb_rules, 1);
	rule_expect(&f->conf.face[0].rule[0], VNIC_IDRULE_FLOW, false, 0);
	assert_int_equal(f->conf.face[0].nbl_packets, 1);
	assert_int_equal(f->conf.face[0].burst, 32);
	assert_int_equal(f->conf.face[0].weight, 1);
	assert_int_equal(f->conf.face[0].limit, 0);
	assert_int_equal(f->conf.face[0].cancel_limit, 0);
	assert_int_equal(f->conf.face[0].adapter_index, 0);
	assert_int_equal(f->conf.plan.ids, CONF_PLAN_QUEUED);
	assert_int_equal(f->conf.plan.seed, 1);
	assert_int_equal(f->conf.nb_adapters, 1);
	assert_int_equal(f->conf.nb_faces, 1);
	assert_string_equal(f->conf.path, f->path);
}

static void all_values(void **state)
{
	struct fixture *f = *state;
	const struct conf *c = &f->conf;

	run_file(f, full);
	run_expect(f);
	assert_int_equal(c->global.seconds, 7);
	assert_int_equal(c->global.shutdown, CONF_SHUTDOWN_DRAIN);
	assert_int_equal(c->global.drain_ms, 100);
	assert_int_equal(c->global.progress, 0);
	assert_string_equal(c->global.report, "/tmp/a report");
	assert_int_equal(c->global.control_lcore, 3);
	assert_int_equal(c->nb_adapters, 2);
	assert_string_equal(c->adapter[0].port, "any0,tx_pcap=/tmp/x=y.pcap");
	assert_int_equal(c->adapter[0].queues, 2);
	assert_int_equal(c->adapter[0].depth, 128);
	assert_int_equal(c->adapter[0].burst, 16);
	assert_int_equal(c->adapter[0].packets_per_s, 10000);
	assert_int_equal(c->adapter[0].bits_per_s, 2000000);
	assert_int_equal(c->adapter[0].burst_packets, 9);
	assert_int_equal(c->adapter[0].in_flight, 64);
	assert_int_equal(c->adapter[0].max_frame, 1600);
	assert_int_equal(c->adapter[0].mtu, 1500);
	assert_int_equal(c->adapter[0].lcore, 1);
	assert_int_equal(c->adapter[0].numa_node, 0);
	assert_string_equal(c->adapter[1].name, "B-1_b");
	assert_int_equal(c->nb_faces, 2);
	assert_string_equal(c->face[0].port, "net_memif0,role=server");
	assert_string_equal(c->face[0].adapter, "a0");
	assert_int_equal(c->face[0].nb_rules, 7);
	rule_expect(&c->face[0].rule[0], VNIC_IDRULE_PORT, true, 5001);
	rule_expect(&c->face[0].rule[1], VNIC_IDRULE_VLAN, false, 0);
	rule_expect(&c->face[0].rule[2], VNIC_IDRULE_BYTES, true, UINT32_MAX);
	assert_int_equal(c->face[0].rule[2].offset, 42);
	assert_int_equal(c->face[0].rule[2].width, 4);
	rule_expect(&c->face[0].rule[3], VNIC_IDRULE_SOURCE_PORT, true, 0);
	rule_expect(&c->face[0].rule[4], VNIC_IDRULE_LABEL, true, 7);
	rule_expect(&c->face[0].rule[5], VNIC_IDRULE_DSCP, true, 63);
	rule_expect(&c->face[0].rule[6], VNIC_IDRULE_CONSTANT, false, 5);
	assert_int_equal(c->face[0].nbl_packets, 4);
	assert_int_equal(c->face[0].burst, 8);
	assert_int_equal(c->face[0].mbufs, 2048);
	assert_int_equal(c->face[0].mtu, 9000);
	assert_int_equal(c->face[0].weight, 1024);
	assert_int_equal(c->face[0].limit, 100);
	assert_int_equal(c->face[0].cancel_limit, 7);
	assert_int_equal(c->face[1].adapter_index, 1);
	assert_int_equal(c->face[1].nb_rules, 1);
	rule_expect(&c->face[1].rule[0], VNIC_IDRULE_CONSTANT, false, (UINT64_C(1) << 56) - 1);
	assert_int_equal(c->plan.cancels_per_s, 50);
	assert_int_equal(c->plan.ids, CONF_PLAN_LIST);
	assert_int_equal(c->plan.list_len, 3);
	assert_int_equal(c->plan.list_id[0], 1);
	assert_int_equal(c->plan.list_id[1], 16);
	assert_true(c->plan.list_id[2] == UINT64_MAX);
	assert_string_equal(c->plan.adapter, "a0");
	assert_true(c->plan.seed == UINT64_MAX);
}

/* Layers: the adapters below are found by their names, blanks and order kept. */
static void layers(void **state)
{
	struct fixture *f = *state;

	run_file(f, "[adapter a0]\nport = x\n[adapter a1]\nport = y\n[adapter a2]\n"
		    "lower = a1 , a0\n[adapter a3]\nlower=a2\n[face f0]\nport = z\nadapter = a3\n");
	run_expect(f);
	assert_int_equal(f->conf.adapter[0].nb_lower, 0);
	assert_int_equal(f->conf.adapter[2].nb_lower, 2);
	assert_int_equal(f->conf.adapter[2].lower_index[0], 1);
	assert_int_equal(f->conf.adapter[2].lower_index[1], 0);
	assert_int_equal(f->conf.adapter[3].nb_lower, 1);
	assert_int_equal(f->conf.adapter[3].lower_index[0], 2);
	assert_int_equal(f->conf.adapter[3].lower_depth, 256);
	assert_int_equal(f->conf.adapter[3].hang_s, 20);
}

/* Those that share a port are counted where it is, and numbered. */
static void shares(void **state)
{
	struct fixture *f = *state;

	run_file(f, "[adapter a0]\nport = x\n[adapter a1]\nport = y\n[adapter a2]\nshares = a1\n"
		    "[adapter a3]\nshares = a1\n[face f0]\nport = z\nadapter = a3\n");
	run_expect(f);
	assert_int_equal(f->conf.adapter[0].nb_shares, 0);
	assert_int_equal(f->conf.adapter[1].nb_shares, 2);
	for (uint32_t i = 0; i < 4; i++) {
		assert_int_equal(f->conf.adapter[i].shares_index, i < 2 ? i : 1);
		assert_int_equal(f->conf.adapter[i].tx_queue, i < 2 ? 0 : i - 1);
	}
	assert_false(conf_face_receives(&f->conf, &f->conf.face[0]));
}

/* Each number takes its bounds and refuses what is one outside, through --set. */
static void bounds(void **state)
{
	static const char *const wrong[] = {"", " 5", "5 ", "5x", "-", "+1", "1.5", "5m", "0b1",
					    "99999999999999999999999"};
	struct fixture *f = *state;
	uint32_t nb = 0;

	for (uint32_t k = 0; k < CONF_KINDS; k++) {
		for (uint32_t i = 0; i < conf_kinds[k].nb_options; i++) {
			const struct conf_option *o = &conf_kinds[k].options[i];
			uint64_t values[512] = {0};
			char text[32];

			if (o->type != CONF_TYPE_U64 && o->type != CONF_TYPE_I64)
				continue;
			nb++;
			snprintf(text, sizeof(text), "%" PRId64, o->min);
			assert_null(conf_option_set(o, values, text));
			assert_int_equal(u64_of(o, values), (uint64_t)o->min);
			snprintf(text, sizeof(text), "%" PRIu64, o->max);
			assert_null(conf_option_set(o, values, text));
			assert_true(u64_of(o, values) == o->max);
			if (o->max < UINT64_MAX) {
				snprintf(text, sizeof(text), "%" PRIu64, o->max + 1);
				assert_string_equal(conf_option_set(o, values, text),
						    "is out of range");
			}
			snprintf(text, sizeof(text), "%" PRId64, o->min - 1);
			assert_true((conf_option_set(o, values, text) == NULL) ==
				    (o->min == 1 && (o->flags & CONF_OR_ZERO)));
			if (o->flags & CONF_OR_ZERO) {
				assert_null(conf_option_set(o, values, "0"));
				assert_int_equal(u64_of(o, values), 0);
				assert_null(conf_option_set(o, values, "1024"));
			}
			for (uint32_t w = 0; w < RTE_DIM(wrong); w++)
				assert_non_null(conf_option_set(o, values, wrong[w]));
			assert_true((conf_option_set(o, values, "0x40") == NULL) ==
				    ((o->flags & CONF_HEX) != 0));
			assert_true((conf_option_set(o, values, "1k") == NULL) ==
				    ((o->flags & CONF_SUFFIX) != 0));
		}
	}
	assert_int_equal(nb, 3 + 14 + 10 + 2); /* of each kind of section */
	run_set(f, BASE, "--set", "adapter a0.bits_per_s=1000G");
	run_expect(f);
	assert_true(f->conf.adapter[0].bits_per_s == UINT64_C(1000000000000));
	set_error(f, "adapter a0.bits_per_s=1001G", "is out of range; allowed: 0..1000000000000");
	set_error(f, "adapter a0.bits_per_s=18446744074G", "is out of range"); /* would wrap */
	set_error(f, "adapter a0.bits_per_s=1kk", "is not a whole number");
	set_error(f, "adapter a0.bits_per_s=k", "is not a whole number");
}

/* ---- forms that are accepted ---- */

/* What two ports may both name. */
static void shared_things(void **state)
{
	static const char *const good[][2] = {
		{"net_memif0,role=server,socket=s", "net_memif1,role=server,socket=s,id=1"},
		{"net_memif0,role=server,socket=s", "net_memif1,socket=s"},
		{"net_af_xdp0,iface=e", "net_af_xdp1,iface=e,start_queue=1"},
		{"net_vhost0,iface=s", "net_virtio_user0,path=s"},
		{"net_virtio_user0,path=/dev/vhost-net", "net_virtio_user1,path=/dev/vhost-net"},
		{"net_tap0,iface=t", "net_af_packet0,iface=t"},
		{"net_tap0", "net_tap1"},
		{"net_pcap0,tx_pcap=f", "net_pcap1,tx_pcap=f"},
	};
	struct fixture *f = *state;
	char text[256];

	for (uint32_t i = 0; i < RTE_DIM(good); i++) {
		snprintf(text, sizeof(text), "[adapter a0]\nport = x\n[face f0]\nport = %s\n[face f1]\nport = %s\n",
			 good[i][0], good[i][1]);
		run_file(f, text);
		run_expect(f);
	}
}

static void accepted_forms(void **state)
{
	static const char *const good[] = {
		"[adapter a0]\r\nport = x\r\n\r\n[face f0]\r\nport=y\r\n# end\r\n",
		"[adapter a0]\nport = x\n[face f0]\nport = y",         /* no last line end */
		"[adapter a0]\nport = x\n[face f0]\nport = y\r",
		"\t[\tadapter \t a0\t]\t\n\tport\t=\tx\t\n [face f0] \n port=y   \n",
		"\n\n# c\n  # c ; [ = ]\n[adapter a0] # c\nport = x # c\n[face f0]\nport = y\t#c\n",
		"[face f0]\nport = y\n[plan]\n[vnicd]\n[adapter a0]\nport = x\n",
		"[adapter abcdefghijklmnopqrstuvw]\nport = x;y\\z\n[face abcd]\nport = \xc3\xa4\n",
	};
	struct fixture *f = *state;
	char long_file[4096];
	char x[256];

	for (uint32_t i = 0; i < RTE_DIM(good); i++) {
		run_file(f, good[i]);
		run_expect(f);
		assert_int_equal(f->conf.adapter[0].port[0], 'x');
		assert_int_equal(f->conf.adapter[0].port[1], i == 6 ? ';' : '\0');
	}
	memset(x, 'x', 255);
	x[255] = '\0';
	snprintf(long_file, sizeof(long_file), "#%.*s%.*s\n[adapter a0]\nport = %s\n[face f0]\n"
		 "port = y%s", 255, x, CONF_LINE_MAX - 256, x, x, x + 1);
	run_file(f, long_file); /* the longest line, the longest value, also at the end */
	run_expect(f);
	assert_int_equal(strlen(f->conf.adapter[0].port), 255);
	assert_int_equal(strlen(f->conf.face[0].port), 255);
}

/* As many sections as there may be, each with its own values. */
static void many_sections(void **state)
{
	struct fixture *f = *state;
	char text[8192] = "";
	size_t n = 0;

	for (int i = 0; i < CONF_ADAPTERS_MAX; i++)
		n += (size_t)sprintf(text + n, "[adapter a%d]\nport = p%d\nburst = %d\n[face f%d]\n"
				     "port = q%d\nadapter = a%d\n", i, i, i + 1, i, i,
				     CONF_ADAPTERS_MAX - 1 - i);
	run_file(f, text);
	run_expect(f);
	for (int i = 0; i < CONF_ADAPTERS_MAX; i++) {
		char port[16];

		snprintf(port, sizeof(port), "p%d", i);
		assert_string_equal(f->conf.adapter[i].port, port);
		assert_int_equal(f->conf.adapter[i].burst, i + 1);
		snprintf(port, sizeof(port), "q%d", i);
		assert_string_equal(f->conf.face[i].port, port);
		assert_int_equal(f->conf.face[i].adapter_index, CONF_ADAPTERS_MAX - 1 - i);
	}
	strcpy(text + n, "[adapter more]\n");
	file_error(f, text, 6 * CONF_ADAPTERS_MAX + 1, "too many [adapter] sections; at most 16");
	strcpy(text + n, "[face more]\n");
	file_error(f, text, 6 * CONF_ADAPTERS_MAX + 1, "too many [face] sections; at most 16");
}

/* ---- errors ---- */

struct wrong {
	const char *text;
	int line;
	const char *part; /* of the error */
};

static void wrong_expect(struct fixture *f, const struct wrong *wrong, size_t n)
{
	for (size_t i = 0; i < n; i++)
		file_error(f, wrong[i].text, wrong[i].line, wrong[i].part);
}

static void section_errors(void **state)
{
	static const struct wrong wrong[] = {
		{BASE "[adaptor a1]\n", 6, "unknown section [adaptor]; sections are [vnicd], "},
		{BASE "[]\n", 6, "unknown section []"},
		{BASE "\n[face f0]\n", 7, "[face f0] stands on line 4 already; "},
		{"[vnicd]\n[vnicd]\n" BASE, 2, "[vnicd] stands on line 1 already"},
		{BASE "[plan]\n# c\n[ plan ]\n", 8, "[plan] stands on line 6 already"},
		{BASE "[adapter]\n", 6, "[adapter] has no name; write [adapter NAME]"},
		{BASE "[vnicd x]\n", 6, "[vnicd] takes no name and has 'x'; write [vnicd]"},
		{BASE "[face a b]\n", 6, "name 'a b' has another character; allowed: 1..23"},
		{BASE "[face a.b]\n", 6, "name 'a.b' has another character"},
		{BASE "[face abcdefghijklmnopqrstuvwx]\n", 6, "of 24 characters is too long"},
		{BASE "[face f1\nport = x\n", 6, "'[face f1' has no ']'; write [SECTION]"},
		{BASE "[face f1] x\n", 6, "'x' follows the ']'; "},
		{BASE "[face #f1]\n", 6, "has no ']'"},
		{"", WHOLE_FILE, "no [adapter NAME] section; "},
		{"# nothing\n\n", WHOLE_FILE, "no [adapter NAME] section; "},
		{"[adapter a0]\nport = x\n", WHOLE_FILE, "no [face NAME] section; "},
		{"[face a0]\nport = x\n", WHOLE_FILE, "no [adapter NAME] section; "},
	};

	wrong_expect(*state, wrong, RTE_DIM(wrong));
}

static void key_errors(void **state)
{
	static const struct wrong wrong[] = {
		{BASE "brust = 4\n", 6,
		 "unknown key 'brust' in [face f0]; did you mean 'burst'? keys are port, adapter, "
		 "id, nbl_packets, burst, direct, queues, mbufs, mtu, "
		 "receive, mac, vlan, promiscuous, receive_depth, weight, limit, "
		 "cancel_limit\n"},
		{BASE "colour = red\n", 6, "unknown key 'colour' in [face f0]; keys are port, "},
		{BASE "xx = 1\n", 6, "unknown key 'xx' in [face f0]; keys are port, "},
		{BASE "depth = 64\n", 6, "unknown key 'depth' in [face f0]; keys are"},
		{BASE "burst = 1\nmtu = 0\nburst = 1\n", 8, "burst stands on line 6 already; "},
		{BASE "burst 1\n", 6, "'burst 1' has no '='; write KEY = VALUE"},
		{BASE "burst\n", 6, "'burst' has no '='"},
		{BASE "= 1\n", 6, "no key before the '='; "},
		{BASE "burst =\n", 6, "burst has no value; "},
		{BASE "burst = # 1\n", 6, "burst has no value; "},
		{"x = 1\n" BASE, 1, "'x = 1' stands before the first section; begin with"},
		{"x\n" BASE, 1, "'x' stands before the first section; "},
		{"\xef\xbb\xbf" BASE, 1, "begins with a byte order mark; save it as UTF-8 without"},
		{"[adapter a0]\n[face f0]\nport = x\n", 1, "no port in this [adapter]; add port"},
		{"[adapter a0]\nport = x\nlower = a1\n[face f0]\nport = x\n", 3, "two of port, shares and lower"},
		{"[adapter a0]\nport = x\nshares = a0\n[face f0]\nport = y\n", 3, "two of port, shares and"},
		{"[adapter a0]\nshares = a0\n[face f0]\nport = y\n", 2, "shares: 'a0' is no [adapter] above"},
		{"[adapter a0]\nport = x\n[adapter a1]\nshares = b\n[face f0]\nport = y\nadapter = a1\n", 4,
		 "shares: 'b' is no [adapter] above this one with a port"},
		{"[adapter a0]\nport = x\n[adapter a1]\nshares = a0\n[adapter a2]\nshares = a1\n[face f0]\n"
		 "port = y\nadapter = a1\n", 6, "shares: 'a1' is no [adapter] above this one with a port"},
		{"[adapter a0]\nport = x\n[adapter a1]\nshares = a0\nmtu = 1500\n[face f0]\nport = y\n"
		 "adapter = a1\n", 5, "mtu in an [adapter] that shares a port; set it on a0"},
		{"[adapter a0]\nport = x\n[adapter a1]\nshares = a0\n[face f0]\nport = y\nadapter = a1\n"
		 "mac = 02:00:00:00:00:01\n", 8, "mac has no meaning: adapter a1 does not receive"},
		{"[adapter a0]\nport = x\n[adapter a1]\nlower = a2\n[face f0]\nport = x\nadapter = a1\n", 4,
		 "lower: 'a2' is no [adapter] above this one"},
		{"[adapter a0]\nport = x\n[adapter a1]\nlower = a1\n[face f0]\nport = x\nadapter = a1\n", 4,
		 "lower: 'a1' is no [adapter] above this one"},
		{"[adapter a0]\nport = x\n[adapter a1]\nlower = a0,a0\n[face f0]\nport = x\nadapter = a1\n",
		 4, "lower names a0 twice; name it once"},
		{"[adapter a0]\nport = x\n[adapter a1]\nlower = a0,,\n[face f0]\nport = x\nadapter = a1\n",
		 4, "lower: '' is no [adapter] above this one"},
		{"[adapter a0]\nport = x\n\n[face f0]\n", 4, "no port in this [face]; add port"},
		{"; c\n" BASE, 1, "';' begins no comment; begin it with '#'"},
		{BASE "report#x = 1\n", 6, "'#' inside 'report#x = 1'; put a blank"},
		{BASE "mtu = 0\\# c\n", 6, "'#' inside"},
	};

	wrong_expect(*state, wrong, RTE_DIM(wrong));
}

static void value_errors(void **state)
{
	static const struct wrong wrong[] = {
		{"[vnicd]\n\nseconds = 5x\n" BASE, 3,
		 "seconds = 5x is not a whole number; allowed: 0..31536000 s\n"},
		{"[vnicd]\nseconds = -1\n" BASE, 2, "seconds = -1 is not a whole number"},
		{"[vnicd]\nseconds = 31536001\n" BASE, 2,
		 "is out of range; allowed: 0..31536000 s"},
		{"[vnicd]\nseconds = 18446744073709551616\n" BASE, 2, "is out of range"},
		{"[vnicd]\nseconds = 1k\n" BASE, 2, "is not a whole number"},
		{"[vnicd]\nseconds = \"1\"\n" BASE, 2, "is not a whole number"},
		{"[vnicd]\ncontrol_lcore = -2\n" BASE, 2, "is out of range; allowed: -1..1023"},
		{"[vnicd]\ncontrol_lcore = --1\n" BASE, 2, "is not a whole number"},
		{"[vnicd]\nshutdown = Drain\n" BASE, 2,
		 "shutdown = Drain is not a choice; allowed: cancel, drain\n"},
		{"[vnicd]\nprogress = 1\n" BASE, 2, "is not a choice; allowed: no, yes\n"},
		{BASE "mbufs = 511\n", 6, "is out of range; allowed: 0 or 512..4194304"},
		{BASE "adapter = abcdefghijklmnopqrstuvwx\n", 6, "is too long; allowed: 1..23"},
		{"[adapter a0]\nport = x\ndepth = 96\n[face f0]\nport = x\n", 3,
		 "depth = 96 is not a power of two; allowed: powers of two 64..1048576 NBLs\n"},
		{"[adapter a0]\nport = x\ty\n[face f0]\nport = x\n", 2,
		 "port = x?y has a control character; "},
	};

	wrong_expect(*state, wrong, RTE_DIM(wrong));
}

static void whole_errors(void **state)
{
	static const struct wrong wrong[] = {
		{BASE "adapter = a1\n", 6, "unknown adapter 'a1'; adapters are a0\n"},
		{"[adapter a0]\nport = x\n[face f0]\nport = y\n[face f1]\nport = x,a=b\n", 6,
		 "port: device x is adapter a0's already; give each its own"},
		{"[adapter a0]\nport = net_af_packet0,iface=e\n[face f0]\nport = net_af_xdp0,iface=e\n", 4,
		 "port: interface e is adapter a0's already"},
		{"[adapter a0]\nport = x\n[face f0]\nport = net_vhost0,iface=/s\n[face f1]\n"
		 "port = net_vhost1,queues=1,iface=/s,client=0\n", 6, "port: socket /s is face f0's already"},
		{"[adapter a0]\nport = x\n[face f0]\nport = net_memif0,role=server,socket=s\n[face f1]\n"
		 "port = net_memif1,socket=s,role=server,id=0\n", 6, "port: socket s is face f0's already"},
		{BASE "[adapter a1]\nport = x\n", 4,
		 "no adapter in this [face], and there are 2; add adapter = one of a0, a1\n"},
		{"[adapter a0]\nport = x\nqueues = 1\n[face f0]\nport = x\n\n[face f1]\nport = y\n",
		 7, "one face too many for adapter a0 with queues = 1; "},
		{BASE "mac = x\n", 6, "mac: 'x' is no address of one station; "},
		{BASE "mac = 02:00:00:00:00:01,\n", 6, "mac: '' is no address of one station; "},
		{BASE "mac = 01:00:5e:00:00:01\n", 6, "is no address of one station; "},
		{BASE "mac = 02:00:00:00:00:01, 02:00:00:00:00:01\n", 6, "is face f0's already; "},
		{BASE "mac = 02:00:00:00:00:01\n[face f1]\nport = y\nmac = 02:00:00:00:00:01\n", 9,
		 "mac: 02:00:00:00:00:01 on vlan = -1 is face f0's already; give each face its own\n"},
		{BASE "receive = no\nvlan = 4\n", 7,
		 "vlan has no meaning with receive = no; remove it or set receive = yes\n"},
		{"[adapter a0]\nport = x\nreceive = no\n[face f0]\nport = x\nmac = 02:00:00:00:00:01\n",
		 6, "mac has no meaning: adapter a0 does not receive; "},
		{"[adapter a0]\nport = x\n[adapter a1]\nlower = a0\nlocal = yes\n[face f0]\nport = x\n"
		 "adapter = a1\n", 5, "local = yes in an [adapter] with lower adapters; "},
		{BASE "[plan]\nlist = 1\n", 7,
		 "list has no meaning with ids = queued; remove it or set ids = list\n"},
		{BASE "[plan]\nids = random\nlist = 1\n", 8, "list has no meaning"},
		{BASE "[plan]\nids = list\n", 7, "ids = list needs a list; add list = "},
		{BASE "[plan]\nadapter = b\n", 7, "unknown adapter 'b'; adapters are a0\n"},
		{BASE "[plan]\nids=list\nlist=0\n", 8, "list: '0' in place 1 marks no packet; "},
		{BASE "[plan]\nids=list\nlist=1,x\n", 8, "'x' in place 2 is not a number; "},
		{BASE "[plan]\nids=list\nlist=1,,2\n", 8, "'' in place 2 is not a number; "},
		{BASE "[plan]\nids=list\nlist=1,\n", 8, "'' in place 2 is not a number; "},
		{BASE "[plan]\nids=list\nlist=-1\n", 8, "is not a number; "},
		{BASE "[plan]\nids=list\nlist=0x10000000000000000\n", 8, "is out of range; "},
	};

	wrong_expect(*state, wrong, RTE_DIM(wrong));
}

#define EIGHT ",id=0,id=0,id=0,id=0,id=0,id=0,id=0,id=0"

static void driver_errors(void **state)
{
	static const struct wrong wrong[] = {
		{BASE "[face f1]\nport = net_null2,sise=64\n", 7,
		 "port: net_null has no key 'sise'; its keys are size, copy, no-rx\n"},
		{BASE "[face f1]\nport = net_null2,size=x\n", 7, "port: size=x is no number; write size=NUMBER\n"},
		{BASE "[face f1]\nport = net_null2,size=64k\n", 7, "size=64k is no number"},
		{BASE "[face f1]\nport = net_null2,size=-1\n", 7, "size=-1 is no number"},
		{BASE "[face f1]\nport = net_null2,size=\n", 7, "port: size has no value; write size=VALUE\n"},
		/* its driver does not survive it */
		{BASE "[face f1]\nport = net_af_packet0,iface\n", 7, "iface has no value; write iface=VALUE\n"},
		{BASE "[face f1]\nport = net_tap0,iface=abcdefghijklmnop\n", 7,
		 "iface=abcdefghijklmnop cannot be an interface's name; write one of up to 15 characters"},
		{BASE "[face f1]\nport = net_tap0,iface=a/b\n", 7, "iface=a/b cannot be an interface's name"},
		/* this one would be a client, of the default socket */
		{BASE "[face f1]\nport = net_memif0,role=server,sockt=/s\n", 7,
		 "port: net_memif has no key 'sockt'; its keys are id, bsize, rsize, role, socket-abstract, "
		 "zero-copy, socket, mac, secret\n"},
		{BASE "[face f1]\nport = net_memif0,role=serve\n", 7,
		 "port: role=serve is not a choice; allowed: server, client, master, slave\n"},
		{BASE "[face f1]\nport = net_memif0,zero-copy=ye\n", 7, "allowed: yes, no\n"},
		{BASE "[face f1]\nport = net_memif0,server\n", 7, "net_memif has no key 'server'"},
		{BASE "[face f1]\nport = net_memif0" EIGHT EIGHT EIGHT EIGHT ",id=0\n", 7,
		 "port: more arguments than DPDK reads; use fewer\n"},
		/* DPDK takes no '=' in a value */
		{BASE "[face f1]\nport = net_pcap0,tx_pcap=/x=y.pcap\n", 7, "net_pcap has no key '/x'"},
		{BASE "[face f1]\nport = net_pcap0,tx_pcap=x,phy_mac=y\n", 7, "phy_mac=y is no number"},
	};

	wrong_expect(*state, wrong, RTE_DIM(wrong));
}

/* All that the drivers take; and of those that are not known here, anything. */
static void driver_words(void **state)
{
	static const char *const ports[] = {
		"net_null1,size=64,copy=0,no-rx=1", "net_null1,", "net_null1,,size=0x40",
		"net_af_packet0,iface=e,qpairs=1,blocksz=4096,framesz=2048,framecnt=512,qdisc_bypass=0",
		"net_af_xdp0,iface=e,start_queue=0,queue_count=1,shared_umem=0,xdp_prog=/p,busy_budget=64,"
		"force_copy=1",
		"net_tap0,iface=abcdefghijklmno,mac=fixed,remote=e,persist",
		"net_vhost0,iface=/s,queues=1,client=0,iommu-support=0,postcopy-support=0,tso=0,"
		"linear-buffer=0,ext-buffer=0,legacy-ol-flags=0",
		"net_virtio_user0,path=/s,mac=02:00:00:00:00:01,cq=1,queue_size=256,queues=1,iface=e,server=1,"
		"mrg_rxbuf=1,in_order=1,packed_vq=0,speed=1000,vectorized=0",
		"net_memif0,id=0,role=master,bsize=2048,rsize=10,socket=@s,socket-abstract=yes,"
		"mac=02:00:00:00:00:01,zero-copy=no,secret=s",
		"net_pcap0,rx_pcap=a,tx_pcap=b,phy_mac=0,infinite_rx=1",
		"net_pcap0,iface=e", "net_pcap0,rx_iface=e,rx_iface_in=f,tx_iface=e",
		"net_ring0,nodeaction=r:0:ATTACH", "0000:01:00.0,anything", "x,=,",
	};

	(void)state;
	for (size_t i = 0; i < RTE_DIM(ports); i++) {
		char why[512] = "";

		if (!driver_takes(ports[i], why, sizeof(why)))
			fail_msg("%s: %s", ports[i], why);
		assert_null(driver_lacks(ports[i]));
	}
	assert_string_equal(driver_lacks("net_af_packet0,qpairs=1"), "iface");
	assert_string_equal(driver_lacks("net_virtio_user0"), "path");
	assert_string_equal(driver_lacks("net_pcap0,infinite_rx=1"),
			    "rx_pcap tx_pcap iface rx_iface rx_iface_in tx_iface");
}

static void rule_errors(void **state)
{
	static const struct wrong wrong[] = {
		{BASE "id = flows\n", 6, "id: 'flows' is no rule; rules are flow, vlan, label, dscp, port, "
		 "source_port, bytes, constant\n"},
		{BASE "id = vlan,\n", 6, "id: '' is no rule; "},
		{BASE "id = , vlan\n", 6, "id: '' is no rule; "},
		{BASE "id = port vlan\n", 6, "id: 'port vlan': PORT is not a number; write port [PORT], "
		 "PORT 0..65535\n"},
		{BASE "id = vlan 0\n", 6, "'vlan 0': ID is out of range; write vlan [ID], ID 1..4095\n"},
		{BASE "id = vlan 4096\n", 6, "ID is out of range; "},
		{BASE "id = label 0\n", 6, "LABEL 1..1048575\n"},
		{BASE "id = label 0x100000\n", 6, "LABEL is out of range; "},
		{BASE "id = dscp 64\n", 6, "DSCP is out of range; "},
		{BASE "id = port 65536\n", 6, "PORT is out of range; "},
		{BASE "id = source_port -1\n", 6, "PORT is not a number; "},
		{BASE "id = flow 1\n", 6, "'flow 1' has a word too many; write flow\n"},
		{BASE "id = port 1 2\n", 6, "'port 1 2' has a word too many; write port [PORT]\n"},
		{BASE "id = bytes\n", 6, "'bytes' has no OFFSET; write bytes OFFSET WIDTH [VALUE]\n"},
		{BASE "id = bytes 14\n", 6, "'bytes 14' has no WIDTH; "},
		{BASE "id = bytes 2048 1\n", 6, "OFFSET is out of range; "},
		{BASE "id = bytes 0 0\n", 6, "WIDTH 1..7\n"},
		{BASE "id = bytes 0 8\n", 6, "WIDTH is out of range; "},
		{BASE "id = bytes 0 2 65536\n", 6, "'bytes 0 2 65536': VALUE is out of range; 2 bytes have "
		 "0..65535\n"},
		{BASE "id = constant\n", 6, "'constant' has no VALUE; write constant VALUE\n"},
		{BASE "id = constant 0x100000000000000\n", 6, "VALUE is out of range; "},
		{BASE "id = constant 18446744073709551616\n", 6, "VALUE is out of range; "},
		{BASE "id = vlan, bytes 0 7\n", 6, "'bytes 0 7' leaves no room to tell 2 rules apart; "},
		{BASE "id = vlan, constant 0x20000000000000\n", 6, "leaves no room to tell 2 rules apart; "},
		{BASE "id = vlan, flow, port\n", 6, "'port' can never match, 'flow' before it takes its "
		 "packets; remove it or put it first\n"},
		{BASE "id = constant 1, flow\n", 6, "'flow' can never match, 'constant 1' before"},
		{BASE "id = port, vlan, port 5\n", 6, "'port 5' can never match, 'port' before"},
		{BASE "id = vlan 5, vlan 5\n", 6, "'vlan 5' can never match, 'vlan 5' before"},
		{BASE "id = bytes 3 2, bytes 3 2 7\n", 6, "'bytes 3 2 7' can never match, 'bytes 3 2' before"},
		{BASE "id = vlan 1,vlan 2,vlan 3,vlan 4,vlan 5,vlan 6,vlan 7,vlan 8,flow\n", 6,
		 "'flow' is a rule too many; at most 8 are allowed\n"},
	};
	struct fixture *f = *state;

	wrong_expect(f, wrong, RTE_DIM(wrong));
	run_file(f, BASE "id = port 5, port 6, source_port 5, bytes 3 2 7, bytes 3 1 7, port, bytes 0 6,flow\n");
	run_expect(f);
	assert_int_equal(f->conf.face[0].nb_rules, VNIC_IDRULES_MAX);
	run_file(f, BASE "id = bytes 0 7 0xffffffffffffff\n");
	run_expect(f);
	rule_expect(&f->conf.face[0].rule[0], VNIC_IDRULE_BYTES, true, (UINT64_C(1) << 56) - 1);
}

static void list_length(void **state)
{
	struct fixture *f = *state;
	char text[512] = BASE "[plan]\nids = list\nlist = 9";

	for (int i = 1; i < CONF_LIST_MAX; i++)
		strcat(text, ",9");
	run_file(f, text);
	run_expect(f);
	assert_int_equal(f->conf.plan.list_len, CONF_LIST_MAX);
	strcat(text, ",9");
	file_error(f, text, 8, "list has more than 64 ids; ");
}

/* A file that ends with `start` and n times x. */
static void run_long(struct fixture *f, const char *start, int n)
{
	char text[1024];
	char x[512];

	memset(x, 'x', sizeof(x));
	snprintf(text, sizeof(text), BASE "%s%.*s", start, n, x);
	run_file(f, text);
}

/* What no editor writes. */
static void raw_errors(void **state)
{
	static const char nul[] = BASE "mtu = \0 5\n";
	struct fixture *f = *state;

	run_long(f, "", 500);
	error_expect(f, 6, "a line of 500 characters; at most 320 are allowed");
	run_long(f, "#", CONF_LINE_MAX);
	error_expect(f, 6, "a line of 321 characters; ");
	run_long(f, "adapter=", 256);
	error_expect(f, 6, "adapter has a value of 256 characters; at most 255 are allowed");
	file_write(f, nul, sizeof(nul) - 1);
	run(f, (const char *const[]){"-c", f->path, NULL});
	error_expect(f, 6, "byte 0x00 in column 7; ");
	file_error(f, BASE "\rmtu = 0\n", 6, "byte 0x0d in column 1; ");
	file_error(f, BASE "mtu = 0\x7f\n", 6, "byte 0x7f in column 8; ");
}

static void large_files(void **state)
{
	const size_t big = (size_t)10 << 20;
	const size_t end = CONF_FILE_MAX - (sizeof(BASE) - 1) - 4;
	struct fixture *f = *state;
	char *text = malloc(big);

	memset(text, 'x', big);
	file_write(f, text, big);
	run(f, (const char *const[]){"-c", f->path, NULL});
	error_expect(f, WHOLE_FILE, "larger than 1024 KiB; ");
	file_write(f, text, CONF_FILE_MAX);
	run(f, (const char *const[]){"-c", f->path, NULL});
	error_expect(f, 1, "a line of 1048576 characters; ");
	memset(text, '\n', CONF_FILE_MAX);
	memcpy(text + end, BASE, sizeof(BASE) - 1);
	file_write(f, text, CONF_FILE_MAX);
	run(f, (const char *const[]){"-c", f->path, NULL});
	run_expect(f);
	memcpy(text + CONF_FILE_MAX - 4, "x=1\n", 4);
	file_write(f, text, CONF_FILE_MAX);
	run(f, (const char *const[]){"-c", f->path, NULL});
	error_expect(f, (int)end + 6, "unknown key 'x' in [face f0]; ");
	free(text);
}

static void path_errors(void **state)
{
	struct fixture *f = *state;
	char path[300];

	run(f, (const char *const[]){"-c", "/tmp", NULL});
	error_form(f);
	assert_non_null(strstr(f->err, "vnicd: /tmp: Is a directory; --config needs"));
	run(f, (const char *const[]){"-c", "/no/such\nfile", NULL});
	error_form(f);
	assert_non_null(strstr(f->err, "vnicd: /no/such?file: No such file or directory; "));
	run(f, (const char *const[]){"-c", "/dev/zero", NULL});
	error_form(f);
	assert_non_null(strstr(f->err, "vnicd: /dev/zero: larger than 1024 KiB; "));
	memset(path, 'x', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	run(f, (const char *const[]){"-c", path, NULL});
	error_expect(f, COMMAND_LINE, "--config has a path of 299 characters; allowed: 1..255");
	run(f, (const char *const[]){"-c", "", NULL});
	error_expect(f, COMMAND_LINE, "--config has a path of 0 characters");
	run(f, (const char *const[]){"-c", f->path, "-c", f->path, NULL});
	error_expect(f, COMMAND_LINE, "a second --config ");
	run(f, (const char *const[]){NULL});
	error_expect(f, COMMAND_LINE, "no configuration; add --config FILE");
}

/* A file that may not be read; root may read all. */
static void permission(void **state)
{
	struct fixture *f = *state;

	if (geteuid() == 0)
		skip();
	run(f, (const char *const[]){"-c", "/etc/shadow", NULL});
	error_form(f);
	assert_non_null(strstr(f->err, "Permission denied; --config needs"));
}

/* A configuration made by another program comes through a pipe, which is read once. */
static void pipe_read(void **state)
{
	struct fixture *f = *state;
	char path[32];
	int fd[2];

	assert_int_equal(pipe(fd), 0);
	assert_int_equal(write(fd[1], BASE, strlen(BASE)), strlen(BASE));
	close(fd[1]);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd[0]);
	run(f, (const char *const[]){"--config", path, NULL});
	close(fd[0]);
	run_expect(f);
	assert_string_equal(f->conf.face[0].port, "net_null1");
}

/* ---- the command line ---- */

static void set_values(void **state)
{
	struct fixture *f = *state;

	run_set(f, full, "--set", "vnicd.seconds=9");
	run_expect(f);
	assert_int_equal(f->conf.global.seconds, 9);
	run_set(f, full, "--set=adapter a0.packets_per_s=1000", "--set=plan.list=5");
	run_expect(f);
	assert_int_equal(f->conf.adapter[0].packets_per_s, 1000);
	assert_int_equal(f->conf.plan.list_len, 1);
	assert_int_equal(f->conf.plan.list_id[0], 5);
	/* sections that the file leaves out, the last of two, a port that it lacks */
	run_set(f, BASE, "--set=plan.cancels_per_s=3", "--set=plan.cancels_per_s=4");
	run_expect(f);
	assert_int_equal(f->conf.plan.cancels_per_s, 4);
	run_set(f, "[adapter a0]\n[face f0]\nport = x\n", "--set", "adapter a0.port=a#b.c=d");
	run_expect(f);
	assert_string_equal(f->conf.adapter[0].port, "a#b.c=d");
	run_set(f, BASE "id = vlan\n", "--set", "face f0.id=label , flow");
	run_expect(f);
	assert_int_equal(f->conf.face[0].nb_rules, 2);
}

static void set_errors(void **state)
{
	struct fixture *f = *state;
	char set[400];

	set_error(f, "vnicd.seconds", "has no '='; write --set SECTION.KEY=VALUE");
	set_error(f, "seconds=5", "--set seconds=5 has no section; write --set SECTION.KEY=VALUE");
	set_error(f, "", "--set  has no '='; ");
	set_error(f, "=", "has no section; ");
	set_error(f, ".=", "unknown section []; ");
	set_error(f, "vnic.seconds=5", "unknown section [vnic]; sections are");
	set_error(f, "adapter.burst=5", "[adapter] has no name; ");
	set_error(f, "adapter a1.burst=5", "no [adapter a1] in the file; names there are a0\n");
	set_error(f, "adapter a0.brst=5", "unknown key 'brst' in [adapter a0]; did you mean 'bu");
	set_error(f, "vnicd.=5", "unknown key '' in [vnicd]; keys are seconds, ");
	set_error(f, "vnicd.seconds= 5", "seconds =  5 is not a whole number; ");
	set_error(f, "vnicd.seconds=", "seconds =  has no value; ");
	set_error(f, "vnicd.seconds=5\n6", "seconds = 5?6 is not a whole number; ");
	set_error(f, "vnicd.report=a\033[m", "report = a?[m has a control character; ");
	set_error(f, "face f0.id=vlan 5 6", "id: 'vlan 5 6' has a word too many; ");
	set_error(f, "face f0.adapter=a9", "unknown adapter 'a9'; adapters are a0");
	set_error(f, "plan.ids=list", "ids = list needs a list; ");
	memset(set, 'x', sizeof(set) - 1);
	set[sizeof(set) - 1] = '\0';
	set_error(f, set, "has 399 characters; at most 320 are allowed");
	memcpy(set, "vnicd.report=", 13);
	set[13 + 256] = '\0';
	set_error(f, set, "... is too long; allowed: 1..255 characters\n");
	run_set(f, BASE "[plan]\nlist = 5\nids = list\n", "--set", "plan.ids=random");
	error_expect(f, 7, "list has no meaning with ids = random; ");
}

static void long_options(void **state)
{
	struct fixture *f = *state;

	run_set(f, full, "--seconds", "5");
	run_expect(f);
	assert_int_equal(f->conf.global.seconds, 5);
	run_set(f, full, "--report=DIR", "--control_lcore=-1");
	run_expect(f);
	assert_string_equal(f->conf.global.report, "DIR");
	assert_int_equal(f->conf.global.control_lcore, -1);
	run_set(f, BASE, "--control_lcore", "-1");
	run_expect(f);
	run_set(f, BASE, "--shutdown=drain", "--set=vnicd.shutdown=cancel");
	run_expect(f);
	assert_int_equal(f->conf.global.shutdown, CONF_SHUTDOWN_CANCEL);
	for (uint32_t i = 0; i < conf_kinds[CONF_KIND_GLOBAL].nb_options; i++) {
		char arg[64];

		snprintf(arg, sizeof(arg), "--%s", conf_kinds[CONF_KIND_GLOBAL].options[i].key);
		run_set(f, BASE, arg, NULL);
		error_expect(f, COMMAND_LINE, "needs a value; ");
		run_set(f, BASE, arg, "");
		error_expect(f, COMMAND_LINE, "has no value; ");
	}
}

static void option_errors(void **state)
{
	struct fixture *f = *state;

	run_set(f, BASE, "--seconds", "5x");
	error_expect(f, COMMAND_LINE, "seconds = 5x is not a whole number; allowed: 0..31536000 s");
	run_set(f, BASE, "--progress", "maybe");
	error_expect(f, COMMAND_LINE, "progress = maybe is not a choice; allowed: no, yes");
	run_set(f, BASE, "--second", "5");
	error_expect(f, COMMAND_LINE, "unknown option --second; did you mean --seconds?");
	run_set(f, BASE, "--drain-ms=5", NULL);
	error_expect(f, COMMAND_LINE, "unknown option --drain-ms=5; did you mean --drain_ms?");
	run_set(f, BASE, "--colour", "5");
	error_expect(f, COMMAND_LINE, "unknown option --colour; --help lists them");
	run_set(f, BASE, "--re", NULL);
	error_expect(f, COMMAND_LINE, "unknown option --re; ");
	run_set(f, BASE, "-x", NULL);
	error_expect(f, COMMAND_LINE, "unknown option -x; --help lists them");
	run_set(f, BASE, "-c", NULL);
	error_expect(f, COMMAND_LINE, "-c needs a value; ");
	run_set(f, BASE, "--help=x", NULL);
	error_expect(f, COMMAND_LINE, "--help=x takes no value; ");
	run_set(f, BASE, "word", NULL);
	error_expect(f, COMMAND_LINE, "'word' is no option; --help lists them");
	run_set(f, BASE, "word", "--colour");
	error_expect(f, COMMAND_LINE, "'word' is no option; ");
	run_set(f, BASE, "--", "word");
	error_expect(f, COMMAND_LINE, "'word' is no option; ");
}

/* ---- the pages ---- */

static void page_run(struct fixture *f, const char *option)
{
	run(f, (const char *const[]){option, NULL});
	assert_int_equal(f->action, CONF_EXIT_OK);
	assert_string_equal(f->err, "");
}

static void pages(void **state)
{
	struct fixture *f = *state;
	char *begin, *end;

	page_run(f, "--version");
	assert_int_equal(strncmp(f->out, "vnicd ", 6), 0);
	page_run(f, "--help");
	assert_non_null(strstr(f->out, "Usage: vnicd [EAL ARGS] -- --config FILE [OPTIONS]\n"));
	for (int reference = 0; reference < 2; reference++) {
		page_run(f, reference ? "--reference" : "--help");
		begin = f->out;
		for (uint32_t k = 0; k < CONF_KINDS; k++) {
			const struct conf_kind *kind = &conf_kinds[k];
			char start[64];

			snprintf(start, sizeof(start), "%s[%s%s]%s", reference ? "\n## `" : "\n",
				 kind->name, kind->named ? " NAME" : "", reference ? "`\n" : "  ");
			begin = strstr(begin, start);
			assert_non_null(begin);
			for (uint32_t i = 0; i < kind->nb_options; i++) {
				snprintf(start, sizeof(start), reference ? "\n| `%s` |" : "\n  %s ",
					 kind->options[i].key);
				begin = strstr(begin, start);
				assert_non_null(begin);
				end = strchr(begin + 1, '\n');
				end = reference ? end : strchr(end + 1, '\n');
				assert_non_null(end);
				*end = '\0'; /* its one or two lines have its help */
				assert_non_null(strstr(begin, kind->options[i].help));
				*end = '\n';
			}
		}
	}
	assert_non_null(strstr(f->out, "\n- `bytes OFFSET WIDTH [VALUE]`: 1 to 7 bytes"));
	assert_non_null(strstr(f->out, "\n- `flow`: hash of"));
	/* a row has five cells, the example is right */
	for (char *row = strstr(f->out, "\n| "); row != NULL; row = strstr(row + 1, "\n| ")) {
		int bars = 0;

		for (char *c = row + 1; *c != '\n'; c++)
			bars += *c == '|';
		assert_int_equal(bars, 6);
	}
	begin = strstr(f->out, "```ini\n") + 7;
	*strstr(begin, "```") = '\0';
	begin = strdup(begin);
	run_file(f, begin);
	free(begin);
	run_expect(f);
	assert_int_equal(f->conf.adapter[0].packets_per_s, 10000);
}

/* ---- broken files ---- */

static uint32_t random_below(uint64_t *state, uint32_t n)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return (uint32_t)((*state >> 32) * n >> 32);
}

/* The line that holds the byte at `at`. */
static void line_around(const char *text, size_t len, size_t at, size_t *from, size_t *to)
{
	*from = at;
	*to = at;
	while (*from > 0 && text[*from - 1] != '\n')
		--*from;
	while (*to < len && text[*to] != '\n')
		++*to;
	*to += *to < len;
}

/* Change text of len bytes in a buffer with room for `max`; returns its new length. */
static size_t mutate(char *text, size_t len, size_t max, uint64_t *seed)
{
	static const char *const words[] = {"=", "[", "]", "#", "\n", "\\", "0x", "-1", "\r", "\t",
		"18446744073709551616", "999", "[plan]\n", "[adapter a0]\n", "port = x\n", " ", ",",
		"burst = 64\n", "id = flow\n", "vlan 7", "bytes 9 3"};
	uint32_t kind = random_below(seed, 6);
	size_t at = random_below(seed, (uint32_t)len + 1);
	const char *piece;
	char copy[4096];
	size_t from, to;

	line_around(text, len, at, &from, &to);
	if (kind == 0 && at < len) { /* flip */
		text[at] ^= (char)(1 << random_below(seed, 8));
		return len;
	}
	if (kind == 1 && at < len) { /* replace */
		text[at] = (char)random_below(seed, 256);
		return len;
	}
	if (kind == 2 || kind == 3) { /* cut some bytes, or the line */
		if (kind == 2) {
			from = at;
			to = at + random_below(seed, 8) < len ? at + random_below(seed, 8) : len;
			to = to < len ? to : len;
			to = to > from ? to : from;
		}
		memmove(text + from, text + to, len - to);
		return len - (to - from);
	}
	/* the line again, elsewhere, or a word */
	piece = words[random_below(seed, RTE_DIM(words))];
	if (kind == 4) {
		memcpy(copy, text + from, to - from);
		copy[to - from] = '\0';
		piece = copy;
		line_around(text, len, random_below(seed, (uint32_t)len + 1), &at, &to);
	}
	to = strlen(piece); /* a NUL ends it early, which is one more mutation */
	if (len + to > max)
		return len;
	memmove(text + at + to, text + at, len - at);
	memcpy(text + at, piece, to);
	return len + to;
}

/* What was accepted is in its range, whatever the file looked like. */
static void ranges_expect(struct conf *conf)
{
	for (uint32_t k = 0; k < CONF_KINDS; k++) {
		const struct conf_kind *kind = &conf_kinds[k];

		assert_in_range(sections_of(conf, kind), 1, kind->max);
		for (uint32_t n = 0; n < sections_of(conf, kind) * kind->nb_options; n++) {
			const struct conf_option *o = &kind->options[n % kind->nb_options];
			char *values = values_of(conf, kind, n / kind->nb_options);
			uint64_t v = o->type == CONF_TYPE_TEXT ? 0 : u64_of(o, values);
			uint64_t choices = 0;

			while (o->type == CONF_TYPE_CHOICE && o->choices[choices] != NULL)
				choices++;
			if (o->type == CONF_TYPE_CHOICE)
				assert_true(v < choices);
			else if (o->type == CONF_TYPE_TEXT)
				assert_true(strlen(values + o->offset) <= o->max);
			else if (o->type == CONF_TYPE_I64)
				assert_true((int64_t)v >= o->min && (int64_t)v <= (int64_t)o->max);
			else
				assert_true((v >= (uint64_t)o->min && v <= o->max) ||
					    ((o->flags & CONF_OR_ZERO) && v == 0));
			if (o->flags & CONF_POWER2)
				assert_int_equal(v & (v - 1), 0);
		}
	}
	for (uint32_t i = 0; i < conf->nb_faces; i++)
		assert_true(conf->face[i].adapter_index < conf->nb_adapters);
}

static void mutations(void **state)
{
	struct fixture *f = *state;
	const char *given = getenv("VNIC_SEED");
	uint64_t seed = given != NULL ? strtoull(given, NULL, 0) | 1 : UINT64_C(0x2545f4914f6cdd1d);
	uint32_t nb_run = 0;

	print_message("%d mutations, VNIC_SEED=%#" PRIx64 "\n", NB_MUTATIONS, seed);
	for (uint32_t i = 0; i < NB_MUTATIONS; i++) {
		char text[4096];
		size_t len = sizeof(full) - 1;

		memcpy(text, full, len);
		for (uint32_t m = random_below(&seed, 3) + 1; m > 0; m--)
			len = mutate(text, len, sizeof(text), &seed);
		file_write(f, text, len);
		run(f, (const char *const[]){"-c", f->path, NULL});
		if (f->action == CONF_RUN) {
			run_expect(f);
			ranges_expect(&f->conf);
			nb_run++;
		} else {
			error_form(f);
			assert_null(strstr(f->err, "librte_cfgfile"));
		}
	}
	print_message("%u of them were accepted\n", nb_run);
	assert_in_range(nb_run, NB_MUTATIONS / 100, NB_MUTATIONS - NB_MUTATIONS / 100);
}

static void set_mutations(void **state)
{
	static const char *const sets[] = {"adapter a0.packets_per_s=10k", "vnicd.seconds=5",
		"face f0.id=vlan 5,flow", "plan.list=1,2,3", "vnicd.report=/tmp/x"};
	struct fixture *f = *state;
	uint64_t seed = UINT64_C(0x9e3779b97f4a7c15);

	file_write(f, full, strlen(full));
	for (uint32_t i = 0; i < NB_MUTATIONS / 10; i++) {
		char text[512];
		size_t len;

		strcpy(text, sets[i % (RTE_DIM(sets))]);
		len = mutate(text, strlen(text), sizeof(text) - 1, &seed);
		text[len] = '\0';
		run(f, (const char *const[]){"-c", f->path, "--set", text, NULL});
		if (f->action == CONF_RUN)
			ranges_expect(&f->conf);
		else
			error_form(f);
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(defaults), TEST(all_values), TEST(bounds), TEST(layers), TEST(shares),
		TEST(accepted_forms), TEST(shared_things), TEST(many_sections), TEST(pipe_read),
		TEST(section_errors), TEST(key_errors), TEST(value_errors), TEST(whole_errors),
		TEST(list_length), TEST(driver_errors), TEST(driver_words), TEST(rule_errors), TEST(raw_errors),
		TEST(large_files), TEST(path_errors), TEST(permission), TEST(set_values), TEST(set_errors),
		TEST(long_options), TEST(option_errors), TEST(pages), TEST(mutations), TEST(set_mutations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
