/* SPDX-License-Identifier: BSD-3-Clause
 * face.c - vnicd between an upper port, where another program sends, and net_null or another such
 * port, against testpmd io between the same two
 *
 * Each program under test has a peer of its own, dpdk-testpmd txonly, on the first CPU; its data
 * lcore has the second. All are started once and then take turns in short slices, so that each
 * sees the same machine. What is counted is what reaches the lower port, or either port. Where the peer is the
 * slowest of the three the ratio is near 1 whatever the programs cost: that shows where they replay
 * a capture themselves, with no peer.
 */
#include "bench.h"

#include <errno.h>
#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_common.h>
#include <rte_eal.h>
#include <rte_lcore.h>

#include "pair.h"

#define SECONDS 5.4
#define SECONDS_QUICK 7.2
#define SLICE_S 0.1
#define SLICE_MS_MIN 20u
#define PAGES_WANTED 240

#define MEMIF(role) "net_memif%d,role=" role ",socket=%s,socket-abstract=no"
#define VHOST "net_vhost%d,iface=%s"
#define VIRTIO "net_virtio_user%d,path=%s,queue_size=1024"

static const struct pair_port ports[] = {
	{.name = "memif", .device = MEMIF("server"), .peer = MEMIF("client"), .peer_huge = ",zero-copy=yes"},
	/* no other program in it: what the program under test itself takes for a packet */
	{.name = "pcap", .device = "net_pcap%d,rx_pcap=%s,infinite_rx=1"},
	{.name = "pcap_queued", .device = "net_pcap%d,rx_pcap=%s,infinite_rx=1", .queued = true},
	{.name = "vhost", .device = VHOST, .peer = VIRTIO, .peer_huge = ""},
	/* the same kind above and below */
	{.name = "memif_pair", .device = MEMIF("server"), .peer = MEMIF("client"),
	 .peer_huge = ",zero-copy=yes", .lower = PAIR_ALIKE},
	{.name = "memif_both", .device = MEMIF("server"), .peer = MEMIF("client"),
	 .peer_huge = ",zero-copy=yes", .lower = PAIR_BOTH},
	{.name = "vhost_pair", .device = VHOST, .peer = VIRTIO, .peer_huge = "", .lower = PAIR_ALIKE},
	{.name = "vhost_both", .device = VHOST, .peer = VIRTIO, .peer_huge = "", .lower = PAIR_BOTH},
	{.name = "af_packet", .device = "net_af_packet%d,iface=%s",
	 .peer = "net_af_packet%d,iface=%s,qdisc_bypass=1", .peer_huge = "", .veth = true},
};

#define PORTS (sizeof(ports) / sizeof(ports[0]))

struct face_run {
	struct pair pair[PAIR_DEVICES];
	struct samples mpps[PAIR_DEVICES];
	struct samples ratio, cancels_ratio; /* of one round */
	uint64_t cancels;
	double cancels_seconds;
};

/* ---- the site ---- */

static bool find_vnicd(char *path, size_t len)
{
	static const char *const places[] = {"../vnicd/vnicd", "vnicd"};
	char self[CHILD_PATH / 2];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	self[n > 0 ? n : 0] = '\0';
	for (size_t i = 0; i < 2 && strrchr(self, '/') != NULL; i++) {
		snprintf(path, len, "%.*s/%s", (int)(strrchr(self, '/') - self), self, places[i]);
		if (access(path, X_OK) == 0)
			return true;
	}
	return child_find("vnicd", path, len);
}

static bool find_programs(struct bench *b, struct pair_site *s)
{
	if (!child_find("dpdk-testpmd", s->testpmd, sizeof(s->testpmd)))
		output_line(&b->out, "\nface: dpdk-testpmd is not installed; apt-get install -y dpdk-dev");
	else if (!find_vnicd(s->vnicd, sizeof(s->vnicd)))
		output_line(&b->out, "\nface: vnicd is neither beside vnic-bench nor in PATH; build or install "
			    "it: ninja -C build");
	else
		return true;
	return false;
}

/* The CPUs of EAL's lcores, each once: the peer's, data's, and control's if there is a third. */
static bool choose_cpus(struct bench *b, struct pair_site *s)
{
	int cpu[3], nb = 0;
	unsigned int lcore;

	CPU_ZERO(&s->cpus);
	RTE_LCORE_FOREACH(lcore) {
		rte_cpuset_t set = rte_lcore_cpuset(lcore);

		for (int i = 0; i < CPU_SETSIZE && nb < 3; i++)
			if (CPU_ISSET(i, &set) && !CPU_ISSET(i, &s->cpus)) {
				CPU_SET(i, &s->cpus);
				cpu[nb++] = i;
				break;
			}
	}
	if (nb < 2) {
		output_line(&b->out, "\nface: one CPU only, two are wanted, for who sends and for who is "
			    "measured; give EAL two with -l");
		return false;
	}
	s->cpu_peer = cpu[0];
	s->cpu_data = cpu[1];
	s->cpu_control = nb == 3 ? cpu[2] : -1;
	return true;
}

static bool pages_enough(void)
{
	return bench_free_pages() >= PAGES_WANTED && geteuid() == 0;
}

static int make_folder(struct pair_site *s)
{
	const char *tmp = getenv("TMPDIR");
	int n = snprintf(s->folder, sizeof(s->folder), "%s/vnic-face-XXXXXX", tmp != NULL ? tmp : "/tmp");

	if (n < (int)sizeof(s->folder) && mkdtemp(s->folder) != NULL)
		return 0;
	fprintf(stderr, "vnic-bench: face: %s: %s; set TMPDIR to a folder with a short name that may be "
		"written\n", tmp != NULL ? tmp : "/tmp", n < (int)sizeof(s->folder) ? strerror(errno) : "too long");
	return -1;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	return remove(path);
}

/* ---- rounds ---- */

static int run_round(struct bench *b, struct face_run *f, unsigned int slices, unsigned int ms)
{
	double ours, base, cancels;

	for (int d = 0; d < PAIR_DEVICES; d++) {
		f->pair[d].packets = f->pair[d].cancels = 0;
		f->pair[d].seconds = f->pair[d].wall = 0;
	}
	for (unsigned int i = 0; i < slices; i++)
		for (int d = 0; d < PAIR_DEVICES; d++)
			if (pair_slice(&f->pair[d], ms) != 0)
				return -1;
	for (int d = 0; d < PAIR_DEVICES; d++)
		samples_add(&f->mpps[d], (double)f->pair[d].packets / f->pair[d].seconds / 1e6);
	ours = f->mpps[PAIR_VNICD].value[f->mpps[PAIR_VNICD].nb - 1];
	base = f->mpps[PAIR_TESTPMD].value[f->mpps[PAIR_TESTPMD].nb - 1];
	cancels = f->mpps[PAIR_CANCELS].value[f->mpps[PAIR_CANCELS].nb - 1];
	samples_add(&f->ratio, base > 0 ? ours / base : 0);
	samples_add(&f->cancels_ratio, ours > 0 ? cancels / ours : 0);
	f->cancels += f->pair[PAIR_CANCELS].cancels;
	f->cancels_seconds += f->pair[PAIR_CANCELS].wall;
	output_step(&b->out);
	return 0;
}

static int run_rounds(struct bench *b, struct face_run *f)
{
	double all = b->conf.seconds > 0 ? b->conf.seconds : b->conf.quick ? SECONDS_QUICK : SECONDS;
	double each = all / (bench_rounds(b) * PAIR_DEVICES);
	unsigned int slices = each > SLICE_S ? (unsigned int)(each / SLICE_S) : 1;
	unsigned int ms = RTE_MAX(SLICE_MS_MIN, (unsigned int)(each / slices * 1e3));
	int rc = 0;

	for (unsigned int r = 0; r < bench_rounds(b) && rc == 0; r++)
		rc = run_round(b, f, slices, ms);
	return rc;
}

/* ---- the report ---- */

static void put_figure(struct bench *b, const char *what, const char *port, const char *frame, double value)
{
	char key[64];

	snprintf(key, sizeof(key), "face_%s_%s%s", what, port, strcmp(frame, "IMIX") == 0 ? "_imix" : "");
	output_figure(&b->out, key, value);
}

static void report(struct bench *b, struct face_run *f, const char *port, const char *frame)
{
	FILE *csv = output_csv(&b->out, "face", "port,frame,dut,round,mpps");
	double ratio, cancels = samples_median(&f->cancels_ratio);
	char key[64];

	for (int d = 0; d < PAIR_DEVICES; d++)
		for (size_t k = 0; k < f->mpps[d].nb; k++)
			fprintf(csv, "%s,%s,%s,%zu,%.4f\n", port, frame, pair_device_key((enum pair_device)d), k,
				f->mpps[d].value[k]);
	ratio = samples_median(&f->ratio);
	put_figure(b, "ratio", port, frame, ratio);
	put_figure(b, "mpps", port, frame, samples_median(&f->mpps[PAIR_VNICD]));
	put_figure(b, "testpmd_mpps", port, frame, samples_median(&f->mpps[PAIR_TESTPMD]));
	put_figure(b, "cancels_mpps", port, frame, samples_median(&f->mpps[PAIR_CANCELS]));
	put_figure(b, "cancels_ratio", port, frame, cancels);
	snprintf(key, sizeof(key), "face_ratio_%s%s", port, strcmp(frame, "IMIX") == 0 ? "_imix" : "");
	for (int d = 0; d < PAIR_DEVICES; d++)
		output_line(&b->out, "  %-11s %-5s %-15s %7.2f (%6.2f .. %6.2f)", d == 0 ? port : "",
			    d == 0 ? frame : "", pair_device_name((enum pair_device)d),
			    samples_median(&f->mpps[d]), samples_min(&f->mpps[d]), samples_max(&f->mpps[d]));
	output_line(&b->out, "  %17s over testpmd io: %.3f (%.3f .. %.3f)  %s", "", ratio,
		    samples_min(&f->ratio), samples_max(&f->ratio), output_goal(key, ratio));
	output_line(&b->out, "  %17s with %.0f cancels/s over without: %.3f (%.3f .. %.3f)", "",
		    (double)f->cancels / f->cancels_seconds, cancels, samples_min(&f->cancels_ratio),
		    samples_max(&f->cancels_ratio));
}

/* One port, one kind of frame. What cannot be started has been said, and is no error. */
static int run_case(struct bench *b, const struct pair_site *site, const struct pair_port *port, bool imix)
{
	static struct face_run f; /* large for a stack */
	bool up = true;
	int rc = 0, opened = 0;

	memset(&f, 0, sizeof(f));
	for (int d = 0; d < PAIR_DEVICES; d++)
		samples_begin(&f.mpps[d], BENCH_ROUNDS_MAX);
	samples_begin(&f.ratio, BENCH_ROUNDS_MAX);
	samples_begin(&f.cancels_ratio, BENCH_ROUNDS_MAX);
	for (; opened < PAIR_DEVICES && up; opened++)
		up = pair_open(&f.pair[opened], site, port, (enum pair_device)opened, imix) == 0;
	if (up)
		rc = run_rounds(b, &f);
	for (int d = 0; d < PAIR_DEVICES && up && rc == 0; d++)
		rc = pair_check(&f.pair[d]);
	for (int d = 0; d < opened; d++)
		if (pair_close(&f.pair[d]) != 0 && up)
			rc = -1;
	if (up && rc == 0)
		report(b, &f, port->name, imix ? "IMIX" : "64");
	for (int d = 0; d < PAIR_DEVICES; d++)
		samples_end(&f.mpps[d]);
	samples_end(&f.ratio);
	samples_end(&f.cancels_ratio);
	return rc;
}

static int run_cases(struct bench *b, struct pair_site *s)
{
	size_t nb = b->conf.quick ? 1 : PORTS, frames = b->conf.quick ? 1 : 2;
	int rc = 0;

	output_progress(&b->out, "face", (unsigned int)(nb * frames * bench_rounds(b)));
	output_line(&b->out, "\npackets through dpdk-testpmd txonly -> port -> vnicd or testpmd io -> net_null, "
		    "Mpps: median (min .. max) of %u rounds", bench_rounds(b));
	if (nb > 1)
		output_line(&b->out, "  ..._pair: between two such ports; ..._both: the same, packets both ways, "
			    "what came out of either");
	if (nb > 1)
		output_line(&b->out, "  pcap: no peer to wait for, the program itself replays a capture: what it "
			    "costs; Mpps of its lcore's CPU time; pcap_queued: every packet through the queue, "
			    "direct = no");
	output_line(&b->out, "  peers on CPU %d, data lcores on CPU %d, vnicd's control %s; %s; id rule flow",
		    s->cpu_peer, s->cpu_data, s->cpu_control >= 0 ? "on a CPU of its own" : "on its data lcore",
		    s->huge ? "hugepages" : "no hugepages, slower");
	for (size_t i = 0; i < nb && !child_interrupted(); i++) {
		if (ports[i].veth && geteuid() != 0) {
			output_line(&b->out, "  %-11s skipped: a veth pair is made by root only; use sudo",
				    ports[i].name);
			continue;
		}
		for (size_t k = 0; k < frames && !child_interrupted(); k++)
			rc |= run_case(b, s, &ports[i], k == 1);
	}
	return child_interrupted() ? -1 : rc;
}

int bench_face(struct bench *b)
{
	struct pair_site site = {0};
	int rc;

	if (!find_programs(b, &site) || !choose_cpus(b, &site))
		return 0;
	site.huge = rte_eal_has_hugepages() && pages_enough();
	if (make_folder(&site) != 0)
		return -1;
	snprintf(site.imix, sizeof(site.imix), "%s/imix.pcap", site.folder);
	child_signals_enter();
	snprintf(site.small, sizeof(site.small), "%s/small.pcap", site.folder);
	rc = imix_write(site.imix, false) | imix_write(site.small, true);
	if (rc == 0)
		rc = run_cases(b, &site);
	nftw(site.folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	child_signals_leave();
	return rc;
}
