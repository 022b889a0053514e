/* SPDX-License-Identifier: BSD-3-Clause
 * pair.c - a program under test, and the peer that sends into its upper port
 */
#include "pair.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define UP_MS 10000
#define LOOK_MS 10
#define SETTLE_MS 30
#define QUIET_MS 20
#define END_MS 8000
#define ARGS_MAX 32
#define MEMORY_MB "256"

static const char *const names[PAIR_DEVICES] = {
	[PAIR_VNICD] = "vnicd", [PAIR_TESTPMD] = "testpmd io", [PAIR_CANCELS] = "vnicd, cancels"};
static const char *const prefixes[PAIR_DEVICES] = {
	[PAIR_VNICD] = "vnicd", [PAIR_TESTPMD] = "testpmd", [PAIR_CANCELS] = "cancels"};

const char *pair_device_name(enum pair_device device)
{
	return names[device];
}

const char *pair_device_key(enum pair_device device)
{
	return prefixes[device];
}

static int fail(const struct pair *p, const struct child *c, const char *what)
{
	char text[256];

	if (child_interrupted())
		return -1;
	fprintf(stderr, "vnic-bench: face: %s, %s: %s; its last words: %s\n", p->port->name,
		names[p->device], what, child_last_words(c, text, sizeof(text)));
	return -1;
}

static double now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ---- command lines ---- */

struct line {
	char *arg[ARGS_MAX];
	size_t nb;
	char text[4096];
	size_t used;
};

static void add(struct line *l, const char *format, const char *value)
{
	l->arg[l->nb++] = l->text + l->used;
	l->used += (size_t)snprintf(l->text + l->used, sizeof(l->text) - l->used, format, value) + 1;
}

static void add_eal(struct line *l, const struct pair_site *s, const char *lcores, const char *prefix)
{
	add(l, "--lcores=%s", lcores);
	add(l, "--file-prefix=%s", prefix);
	add(l, "%s", "--no-pci");
	if (s->huge) {
		add(l, "%s", "--in-memory");
		add(l, "%s", "--single-file-segments"); /* what is shared with another program */
	} else {
		add(l, "%s", "--no-huge");
		add(l, "-m%s", MEMORY_MB);
	}
}

static void add_testpmd(struct line *l, const char *mode)
{
	add(l, "%s", "--");
	add(l, "--forward-mode=%s", mode);
	add(l, "%s", "--total-num-mbufs=8192");
	add(l, "%s", "--no-flush-rx"); /* of an endless capture there is no end */
}

static void add_port(struct line *l, const char *devargs, int number, const char *place, const char *more)
{
	char text[CHILD_PATH + 128];

	snprintf(text, sizeof(text), devargs, number, place);
	strncat(text, more, sizeof(text) - strlen(text) - 1);
	add(l, "--vdev=%s", text);
}

/* Where the peer's packets come from, if it does not make them itself, and where they end. */
static void add_source(struct line *l, const struct pair *p, int number)
{
	if (number == 1 && p->port->lower == PAIR_ALIKE)
		add_port(l, "net_null%d,no-rx=1", number, "", "");
	else
		add_port(l, "net_pcap%d,rx_pcap=%s,infinite_rx=1", number, p->imix ? p->site->imix : p->site->small, "");
}

static int start_testpmd(struct pair *p)
{
	struct line l = {0};
	char lcores[64];

	snprintf(lcores, sizeof(lcores), "0@%d,1@%d", p->site->cpu_peer, p->site->cpu_data);
	add(&l, "%s", p->site->testpmd);
	add_eal(&l, p->site, lcores, prefixes[p->device]);
	add_port(&l, p->port->device, 0, p->place[0][0], "");
	if (p->port->lower != PAIR_NULL)
		add_port(&l, p->port->device, 1, p->place[1][0], "");
	else /* testpmd would forward the other way too, and net_null is never empty */
		add(&l, "--vdev=%s", "net_null0,no-rx=1");
	add_testpmd(&l, "io");
	return child_start(&p->dev, p->site->folder, prefixes[p->device], &p->site->cpus, l.arg);
}

static void write_port(FILE *f, const struct pair *p, int number)
{
	const struct pair_port *port = p->port;

	fprintf(f, port->device, number, p->place[number][0]);
	fprintf(f, "%s", p->site->huge && port->peer_huge != NULL ? port->peer_huge : "");
}

static int write_conf(const struct pair *p, char *path, size_t len)
{
	FILE *f;

	snprintf(path, len, "%s/%s.ini", p->site->folder, prefixes[p->device]);
	f = fopen(path, "w");
	if (f == NULL)
		return fail(p, &p->dev, "its configuration cannot be written; is the disk full?");
	fprintf(f, "[vnicd]\nprogress = no\n\n[adapter a0]\nport = ");
	if (p->port->lower != PAIR_NULL)
		write_port(f, p, 1);
	else
		fprintf(f, "net_null0,no-rx=1");
	/* hang_s: to be held still is no fault of the port */
	fprintf(f, "\nhang_s = 0\n\n[face f0]\nport = ");
	write_port(f, p, 0);
	fprintf(f, "\nid = flow\ndirect = %s\n", p->port->queued ? "no" : "yes");
	if (p->device == PAIR_CANCELS)
		fprintf(f, "\n[plan]\ncancels_per_s = 10000\nids = random\n");
	return fclose(f);
}

static int start_vnicd(struct pair *p)
{
	char lcores[64], conf[CHILD_PATH];
	struct line l = {0};
	int n = snprintf(lcores, sizeof(lcores), "0@%d,1@%d", p->site->cpu_peer,
			 p->site->cpu_control >= 0 ? p->site->cpu_control : p->site->cpu_data);

	if (p->site->cpu_control >= 0)
		snprintf(lcores + n, sizeof(lcores) - (size_t)n, ",2@%d", p->site->cpu_data);
	if (write_conf(p, conf, sizeof(conf)) != 0)
		return -1;
	add(&l, "%s", p->site->vnicd);
	add_eal(&l, p->site, lcores, prefixes[p->device]);
	add(&l, "%s", "--");
	add(&l, "%s", "--config");
	add(&l, "%s", conf);
	return child_start(&p->dev, p->site->folder, prefixes[p->device], &p->site->cpus, l.arg);
}

/* ---- counts ---- */

struct counts {
	uint64_t done;    /* packets that have left the device, one way or the other */
	uint64_t sent;    /* those handed to the lower port, or to both */
	uint64_t cancels;
	double at, cpu; /* in seconds; of its data lcore */
};

/* What the upper port was given, if packets go both ways. */
static bool look_up(struct pair *p, struct counts *c)
{
	bool ours = p->device != PAIR_TESTPMD;
	uint64_t up = 0;

	if (p->port->lower != PAIR_BOTH)
		return true;
	if (telemetry_ask(&p->to_dev, ours ? "/vnic/receive,f0" : "/ethdev/stats,0") != 0 ||
	    !telemetry_number(&p->to_dev, ours ? "delivered" : "opackets", &up))
		return false;
	c->sent += up;
	return true;
}

/* NULL, or what is wrong. */
static const char *look_at_device(struct pair *p, struct counts *c)
{
	bool ours = p->device != PAIR_TESTPMD;
	uint64_t aborted = 0, rejected = 0;
	double before = now_s();
	bool good;

	*c = (struct counts){0};
	if (telemetry_ask(&p->to_dev, ours ? "/vnic/stats,a0" : "/ethdev/stats,1") != 0)
		return child_alive(&p->dev) ? "it does not answer" : "it has ended";
	c->at = (before + now_s()) / 2;
	c->cpu = child_lcore_time(&p->dev, ours && p->site->cpu_control >= 0 ? 2 : 1);
	good = telemetry_number(&p->to_dev, ours ? "sent_packets" : "opackets", &c->sent);
	if (ours)
		good &= telemetry_number(&p->to_dev, "aborted_packets", &aborted) &&
			telemetry_number(&p->to_dev, "rejected_packets", &rejected) &&
			telemetry_number(&p->to_dev, "cancels", &c->cancels);
	c->done = c->sent + aborted + rejected;
	good &= look_up(p, c);
	return good ? NULL : "its answer has no counts";
}

static int count_device(struct pair *p, struct counts *c)
{
	const char *what = look_at_device(p, c);

	return what == NULL ? 0 : fail(p, &p->dev, what);
}

static int count_peer(struct pair *p, uint64_t *packets)
{
	if (telemetry_ask(&p->to_peer, "/ethdev/stats,0") != 0 ||
	    !telemetry_number(&p->to_peer, "opackets", packets))
		return fail(p, &p->peer, child_alive(&p->peer) ? "the peer does not answer" : "the peer has ended");
	return 0;
}

/* ---- up ---- */

static int connect_to(struct pair *p, struct child *c, struct telemetry *t, const char *prefix)
{
	for (int ms = 0; ms < UP_MS; ms += LOOK_MS) {
		if (telemetry_open(t, p->site->folder, prefix) == 0)
			return 0;
		if (!child_alive(c) || !child_nap(LOOK_MS))
			break;
	}
	if (child_alive(c))
		return fail(p, c, c == &p->peer ? "the peer did not come up in 10 s; skipped" :
			    "it did not come up in 10 s; skipped");
	return fail(p, c, c == &p->peer ? "the peer ended at once; skipped" : "it ended at once; skipped");
}

static int start_peer(struct pair *p)
{
	struct line l = {0};
	char lcores[64], prefix[32];

	snprintf(prefix, sizeof(prefix), "peer-%s", prefixes[p->device]);
	snprintf(lcores, sizeof(lcores), "0@%d,1@%d", p->site->cpu_peer, p->site->cpu_peer);
	add(&l, "%s", p->site->testpmd);
	add_eal(&l, p->site, lcores, prefix);
	for (int i = 0; i < 1 + (p->port->lower != PAIR_NULL); i++) {
		/* net_memif closes the hugepages' file when the first of its ports is connected */
		bool huge = p->site->huge && i == 0;

		add_port(&l, p->port->peer, i, p->place[i][1], huge ? p->port->peer_huge : "");
		if (p->imix || p->port->lower != PAIR_NULL)
			add_source(&l, p, i);
	}
	add_testpmd(&l, p->imix || p->port->lower != PAIR_NULL ? "io" : "txonly");
	add(&l, "%s", "--burst=64"); /* it is to be the quicker of the two */
	if (!p->imix && p->port->lower == PAIR_NULL)
		add(&l, "%s", "--txonly-multi-flow");
	if (child_start(&p->peer, p->site->folder, prefix, &p->site->cpus, l.arg) != 0)
		return -1;
	return connect_to(p, &p->peer, &p->to_peer, prefix);
}

/* The peer is started when the socket is there. */
static int wait_place(struct pair *p)
{
	const char *last = p->place[p->port->lower != PAIR_NULL][0];

	for (int ms = 0; ms < UP_MS; ms += LOOK_MS) {
		if (p->port->veth || p->port->peer == NULL ||
		    (access(p->place[0][0], F_OK) == 0 && access(last, F_OK) == 0))
			return 0;
		if (!child_alive(&p->dev) || !child_nap(LOOK_MS))
			break;
	}
	return fail(p, &p->dev, "its upper port did not come up in 10 s; skipped");
}

static int wait_traffic(struct pair *p)
{
	struct counts c;

	for (int ms = 0; ms < UP_MS; ms += LOOK_MS) {
		/* it answers before it has all that is asked for */
		if (look_at_device(p, &c) == NULL && c.sent != 0)
			return 0;
		if (!child_alive(&p->dev) || (p->port->peer != NULL && !child_alive(&p->peer)) || !child_nap(LOOK_MS))
			break;
	}
	return fail(p, p->port->peer != NULL && child_alive(&p->dev) ? &p->peer : &p->dev,
		    "no traffic from the peer within 10 s; skipped");
}

static int set_places(struct pair *p)
{
	if (p->port->peer == NULL) {
		snprintf(p->place[0][0], CHILD_PATH, "%s", p->imix ? p->site->imix : p->site->small);
		return 0;
	}
	for (int i = 0; i < 4 && !p->port->veth; i++)
		snprintf(p->place[i / 2][i % 2], CHILD_PATH, "%s/%s%d.sock", p->site->folder,
			 prefixes[p->device], i / 2);
	if (!p->port->veth)
		return 0;
	for (int i = 0; i < 2; i++)
		snprintf(p->place[0][i], CHILD_PATH, "vnb%d%c%d", (int)getpid(), "ab"[i], (int)p->device);
	p->wired = true;
	return veth_make(p->site, p->place[0][0], p->place[0][1]);
}

int pair_open(struct pair *p, const struct pair_site *site, const struct pair_port *port,
	      enum pair_device device, bool imix)
{
	*p = (struct pair){.site = site, .port = port, .device = device, .imix = imix,
			   .to_dev.fd = -1, .to_peer.fd = -1};
	if (set_places(p) != 0 || (device == PAIR_TESTPMD ? start_testpmd(p) : start_vnicd(p)) != 0 ||
	    connect_to(p, &p->dev, &p->to_dev, prefixes[device]) != 0 || wait_place(p) != 0 ||
	    (port->peer != NULL && start_peer(p) != 0) || wait_traffic(p) != 0)
		return -1;
	child_pause(&p->peer);
	child_pause(&p->dev);
	return 0;
}

/* ---- measure ---- */

int pair_slice(struct pair *p, unsigned int ms)
{
	struct counts from, to;
	int rc;

	child_resume(&p->dev);
	child_resume(&p->peer);
	rc = child_nap(SETTLE_MS) && count_device(p, &from) == 0 && child_nap(ms) &&
	     count_device(p, &to) == 0 ? 0 : -1;
	child_pause(&p->peer);
	child_pause(&p->dev);
	if (rc != 0)
		return -1;
	p->packets += to.sent - from.sent;
	p->cancels += to.cancels - from.cancels;
	p->wall += to.at - from.at;
	/* a device that always has work is not the slower for what other programs take of its CPU;
	 * one that waits for a peer uses it up in waiting, so that its time says nothing */
	p->seconds += p->port->peer == NULL && from.cpu >= 0 ? to.cpu - from.cpu : to.at - from.at;
	return 0;
}

int pair_check(struct pair *p)
{
	uint64_t in = 0, before = UINT64_MAX, stalled = 0;
	struct counts c = {0};

	/* while it does not take what comes out nothing goes in */
	if (p->port->peer == NULL || p->port->lower != PAIR_NULL)
		return 0;
	/* the device held still, the peer fills the port until nothing goes in any more */
	child_resume(&p->peer);
	for (int ms = 0; ms < UP_MS && !p->port->veth && in != before; ms += QUIET_MS) {
		before = in;
		if (count_peer(p, &in) != 0 || !child_nap(QUIET_MS))
			return -1;
	}
	if (count_peer(p, &in) != 0)
		return -1;
	child_pause(&p->peer);
	child_resume(&p->dev);
	for (before = UINT64_MAX; stalled < 5 && c.done != in; stalled += c.done == before) {
		before = c.done;
		if (!child_nap(QUIET_MS) || count_device(p, &c) != 0)
			return -1;
	}
	if (c.done == in || p->port->veth)
		return 0;
	fprintf(stderr, "vnic-bench: face: %s, %s: the peer sent %" PRIu64 " packets, %" PRIu64 " came out: "
		"this is a bug\n", p->port->name, names[p->device], in, c.done);
	return -1;
}

int pair_close(struct pair *p)
{
	bool ran = p->to_dev.fd >= 0 && p->dev.pid != 0;
	int status, rc = 0;

	telemetry_close(&p->to_dev);
	telemetry_close(&p->to_peer);
	/* net_memif crashes a program that polls when the other one leaves: neither does here. How
	 * testpmd ends is its own affair */
	child_pause(&p->peer);
	status = child_end(&p->dev, SIGTERM, ran ? END_MS : 0);
	if (ran && p->device != PAIR_TESTPMD && (status == -1 || !WIFEXITED(status) || WEXITSTATUS(status) != 0))
		rc = fail(p, &p->dev, status == -1 ? "it would not end" : "it ended badly");
	child_end(&p->peer, SIGKILL, END_MS);
	if (p->wired)
		veth_remove(p->site, p->place[0][0]);
	for (int i = 0; i < 2 && !p->wired && p->port->peer != NULL; i++)
		unlink(p->place[i][0]);
	return rc;
}
