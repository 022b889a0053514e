/* SPDX-License-Identifier: BSD-3-Clause
 * report.c - what the daemon says of its work: a line per second, tables at the end
 */
#include "vnicd.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <rte_ethdev.h>

#include "bars.h"
#include "ids.h"
#include "say.h"

/* Of structs that are nothing but counts. */
static void add_counts(void *sum, const void *one, size_t bytes)
{
	const uint64_t *from = one;
	uint64_t *to = sum;

	for (size_t i = 0; i < bytes / sizeof(uint64_t); i++)
		to[i] += from[i];
}

static void add(struct vnic_adapter_stats *sum, const struct vnic_adapter_stats *one)
{
	add_counts(sum, one, sizeof(*sum));
}

static void gather_stats(const struct vnicd *d, struct vnic_adapter_stats *sum)
{
	struct vnic_adapter_stats one;

	*sum = d->gone.stats;
	for (uint32_t i = 0; i < d->conf.nb_adapters; i++) {
		vnic_adapter_stats_get(d->adapter[i].adapter, &one);
		add(sum, &one);
	}
}

static void add_latency(const struct vnic_adapter *a, enum vnic_latency which, struct vnic_histogram *sum)
{
	static struct vnic_histogram one; /* the main thread's; large for a stack */

	vnic_adapter_latency(a, which, &one);
	for (uint32_t b = 0; b < VNIC_HISTOGRAM_BUCKETS; b++)
		sum->bucket[b] += one.bucket[b];
	sum->count += one.count;
	sum->sum += one.sum;
	sum->max = one.max > sum->max ? one.max : sum->max;
}

static void gather_latency(const struct vnicd *d, enum vnic_latency which, struct vnic_histogram *sum)
{
	*sum = d->gone.latency[which];
	for (uint32_t i = 0; i < d->conf.nb_adapters; i++)
		add_latency(d->adapter[i].adapter, which, sum);
}

static bool balances(const struct vnic_adapter_stats *s)
{
	return s->accepted.nbls == s->sent.nbls + s->aborted.nbls + s->rejected.nbls + s->queued.nbls &&
	       s->accepted.packets ==
		       s->sent.packets + s->aborted.packets + s->rejected.packets + s->queued.packets;
}

void vnicd_report_progress(struct vnicd *d, uint64_t second)
{
	static struct vnic_histogram h;
	struct vnic_adapter_stats s;

	gather_stats(d, &s);
	gather_latency(d, VNIC_LATENCY_COMPLETION, &h);
	printf("%4" PRIu64 " s  accepted %-9" PRIu64 " sent %-9" PRIu64 " aborted %-8" PRIu64
	       " queued %-6" PRIu64 " cancels %-6" PRIu64 " p50 %.2f us  p99 %.2f us\n",
	       second, s.accepted.packets, s.sent.packets, s.aborted.packets, s.queued.packets, s.cancels,
	       (double)vnic_histogram_percentile(&h, 50) / 1e3,
	       (double)vnic_histogram_percentile(&h, 99) / 1e3);
	fflush(stdout);
}

/* ---- at the end ---- */

static void row(const char *name, const struct vnic_count *c)
{
	printf("  %-20s %14" PRIu64 " %14" PRIu64 "\n", name, c->nbls, c->packets);
}

static void row1(const char *name, uint64_t n)
{
	if (n != 0)
		printf("  %-20s %14" PRIu64 "\n", name, n);
}

/* Of a face whose ids are not all made by one rule: which made how many, and which none. */
static void id_rows(const struct conf_face *conf, const struct vnic_face_stats *f)
{
	char text[IDS_RULE_TEXT];

	for (uint32_t i = 0; i < conf->nb_rules && (conf->nb_rules > 1 || f->unmarked != 0); i++)
		printf("    id by %-16s %12" PRIu64 "%s\n", ids_rule_text(&conf->rule[i], text), f->matched[i],
		       f->matched[i] == 0 && f->received != 0 ? "  has never matched" : "");
	if (f->unmarked != 0)
		printf("    %-22s %12" PRIu64 "\n", "unmarked", f->unmarked);
}

/* What an adapter has received, if anything. */
static void receive_rows(const struct vnic_adapter_receive_stats *s)
{
	row1("received", s->received);
	row1("between its faces", s->local);
	row1("to more than one", s->copies);
	row1("for nobody known", s->unknown);
	row1("no whole frames", s->malformed);
	row1("while paused", s->paused);
	row1("learned, gave way", s->learn_full);
}

static bool up_of(const struct vnic_face *face, struct vnicd_up *up)
{
	struct vnic_receiver *r = vnic_face_receiver(face);
	struct vnic_receiver_stats s;
	struct vnic_face_stats f;

	if (r == NULL)
		return false;
	vnic_receiver_stats_get(r, &s);
	vnic_face_stats_get(face, &f);
	*up = (struct vnicd_up){.received = s.offered, .delivered = f.rx_delivered, .queue_full = s.dropped,
				.no_memory = s.no_memory, .dropped = s.flushed + f.rx_dropped};
	return s.offered != 0;
}

static void up_row(const char *name, const struct vnicd_up *up, bool *said)
{
	if (!*said)
		printf("\n%-22s %14s %14s %14s %14s %14s\n", "face, upward", "received", "delivered",
		       "queue full", "no memory", "dropped");
	*said = true;
	printf("  %-20s %14" PRIu64 " %14" PRIu64 " %14" PRIu64 " %14" PRIu64 " %14" PRIu64 "\n", name,
	       up->received, up->delivered, up->queue_full, up->no_memory, up->dropped);
}

/* What the faces were to get. */
static void faces_up(const struct vnicd *d)
{
	bool said = false;

	for (uint32_t i = 0; i < d->conf.nb_faces; i++) {
		struct vnicd_up up;

		if (up_of(d->face[i].face, &up))
			up_row(d->conf.face[i].name, &up, &said);
	}
	if (d->gone.up.received != 0)
		up_row("(removed)", &d->gone.up, &said);
}

/* Is every packet received where the counts say? Adapters against what their faces count. */
static bool received_balance(const struct vnicd *d, uint32_t i)
{
	struct vnic_adapter_receive_stats a;
	uint64_t offered;

	vnic_adapter_receive_stats_get(d->adapter[i].adapter, &a);
	offered = a.closed;
	for (uint32_t k = 0; k < d->conf.nb_faces; k++) {
		const struct vnic_face *face = d->face[k].face;
		struct vnic_receiver *r = face != NULL ? vnic_face_receiver(face) : NULL;
		struct vnic_receiver_stats s;
		struct vnic_face_stats f;

		if (r == NULL || d->conf.face[k].adapter_index != i)
			continue;
		vnic_receiver_stats_get(r, &s);
		vnic_face_stats_get(face, &f);
		offered += s.offered;
		if (s.indicated != f.rx_indicated || s.returned != f.rx_delivered + f.rx_dropped ||
		    s.held != f.rx_held)
			return false;
	}
	return a.offered == offered &&
	       a.received + a.local + a.copies == offered + a.unknown + a.malformed + a.paused;
}

static bool receive_balances(const struct vnicd *d)
{
	for (uint32_t i = 0; i < d->conf.nb_adapters; i++)
		if (!received_balance(d, i))
			return false;
	return !d->gone.unbalanced;
}

void vnicd_report_keep(struct vnicd *d, uint32_t i)
{
	struct vnic_adapter *a = d->adapter[i].adapter;
	struct vnic_adapter_receive_stats receive;
	struct vnic_adapter_stats s;

	vnic_adapter_stats_get(a, &s);
	add(&d->gone.stats, &s);
	vnic_adapter_receive_stats_get(a, &receive);
	add_counts(&d->gone.receive, &receive, sizeof(receive));
	for (uint32_t which = 0; which < VNIC_LATENCIES; which++)
		add_latency(a, (enum vnic_latency)which, &d->gone.latency[which]);
	d->gone.unbalanced |= !balances(&s) || !received_balance(d, i);
	d->gone.nb_adapters++;
}

void vnicd_report_keep_face(struct vnicd *d, const struct vnic_face *face)
{
	struct vnic_receiver *r = vnic_face_receiver(face);
	struct vnic_receiver_stats s;
	struct vnic_face_stats f;
	struct vnicd_up up;

	vnic_face_stats_get(face, &f);
	add_counts(&d->gone.face, &f, sizeof(f));
	d->gone.nb_faces++;
	if (r == NULL || !up_of(face, &up))
		return;
	vnic_receiver_stats_get(r, &s);
	up.dropped += s.queued + f.rx_held; /* with it they go */
	add_counts(&d->gone.up, &up, sizeof(up));
}

/* Weights, and who came up against limits; nothing when all have what they have by default. */
static void shares(const struct vnicd *d)
{
	bool any = false;

	for (uint32_t i = 0; i < d->conf.nb_faces; i++) {
		const struct vnic_face *face = d->face[i].face;
		uint32_t weight = vnic_sender_weight(vnic_face_sender(face));
		struct vnic_client_limits limits;
		struct vnic_client_stats st;

		vnic_client_limits_get(vnic_face_client(face), &limits);
		vnic_client_stats_get(vnic_face_client(face), &st);
		if (weight == 1 && (limits.nbls | limits.cancels_per_s) == 0 &&
		    (st.limited | st.cancels_limited) == 0)
			continue;
		if (!any)
			printf("\n%-22s %14s %14s %14s %14s\n", "face", "weight", "limit", "limited",
			       "cancels limited");
		any = true;
		printf("  %-20s %14" PRIu32 " %14" PRIu32 " %14" PRIu64 " %14" PRIu64 "\n",
		       d->conf.face[i].name, weight, limits.nbls, st.limited, st.cancels_limited);
	}
}

static void gone_rows(const struct vnicd *d)
{
	if (d->gone.nb_adapters == 0)
		return;
	printf("\n%-22s %14s %14s\n", "adapters removed", "NBLs", "packets");
	row("accepted", &d->gone.stats.accepted);
	row("sent", &d->gone.stats.sent);
	row("aborted", &d->gone.stats.aborted);
	row("rejected", &d->gone.stats.rejected);
	row("queued", &d->gone.stats.queued);
	receive_rows(&d->gone.receive);
}

static void face_row(const char *name, const struct vnic_face_stats *f)
{
	printf("  %-20s %14" PRIu64 " %14" PRIu64 " %14" PRIu64 " %14" PRIu64 "\n", name, f->received, f->sent,
	       f->aborted, f->dropped);
}

static void table(const struct vnicd *d)
{
	for (uint32_t i = 0; i < d->conf.nb_adapters; i++) {
		struct vnic_adapter_receive_stats received;
		struct vnic_adapter_stats s;
		struct rte_eth_stats port;

		vnic_adapter_stats_get(d->adapter[i].adapter, &s);
		printf("\nadapter %-14s %14s %14s\n", d->conf.adapter[i].name, "NBLs", "packets");
		row("accepted", &s.accepted);
		row("sent", &s.sent);
		row("aborted", &s.aborted);
		row("rejected", &s.rejected);
		row("queued", &s.queued);
		row1("invalid length", s.invalid_length.nbls);
		row1("invalid parameter", s.invalid_parameter.nbls);
		row1("no resources", s.resources.nbls);
		row1("paused", s.paused.nbls);
		row1("reset", s.reset.nbls);
		row1("low power", s.low_power.nbls);
		row1("media disconnected", s.media_disconnected.nbls);
		row1("closing", s.closing.nbls);
		row1("failure", s.failure.nbls);
		if (d->adapter[i].port_open && rte_eth_stats_get(d->adapter[i].port, &port) == 0)
			printf("  %-20s %14s %14" PRIu64 "\n", "lower port counted", "", port.opackets);
		row1("not taken", s.not_taken);
		row1("port refused bursts", s.port_refused);
		row1("padded packets", s.padded);
		row1("copied packets", s.copied);
		row1("tagged or summed", s.offloaded);
		row1("segmented packets", s.segmented);
		row1("  into frames", s.segments);
		row1("cancels", s.cancels);
		row1("  of unknown ids", s.cancels_unknown);
		row1("  NBLs too late", s.too_late);
		row1("hung, and was reset", s.hung);
		vnic_adapter_receive_stats_get(d->adapter[i].adapter, &received);
		receive_rows(&received);
	}
	gone_rows(d);
	printf("\n%-22s %14s %14s %14s %14s\n", "face", "received", "sent", "aborted", "dropped");
	for (uint32_t i = 0; i < d->conf.nb_faces; i++) {
		struct vnic_face_stats f;

		vnic_face_stats_get(d->face[i].face, &f);
		face_row(d->conf.face[i].name, &f);
		id_rows(&d->conf.face[i], &f);
	}
	if (d->gone.nb_faces != 0)
		face_row("(removed)", &d->gone.face);
	faces_up(d);
	shares(d);
}

static void percentiles(const char *name, const struct vnic_histogram *h)
{
	printf("  %-28s %8" PRIu64 " %8.2f %8.2f %8.2f %8.2f %8.2f\n", name, h->count,
	       (double)vnic_histogram_percentile(h, 50) / 1e3,
	       (double)vnic_histogram_percentile(h, 90) / 1e3,
	       (double)vnic_histogram_percentile(h, 99) / 1e3,
	       (double)vnic_histogram_percentile(h, 99.9) / 1e3, (double)h->max / 1e3);
}

static void latency_tables(const struct vnicd *d)
{
	static struct vnic_histogram h;

	printf("\ncancel latency, us               %8s %8s %8s %8s %8s %8s\n", "count", "p50", "p90",
	       "p99", "p99.9", "max");
	gather_latency(d, VNIC_LATENCY_WALK, &h);
	percentiles("walk of one ring", &h);
	gather_latency(d, VNIC_LATENCY_VERDICT, &h);
	percentiles("call to verdict", &h);
	gather_latency(d, VNIC_LATENCY_COMPLETION, &h);
	percentiles("call to last completion", &h);
	bars_print(stdout, NULL, &h);
}

static FILE *open_file(const struct vnicd *d, const char *name)
{
	char path[CONF_TEXT + 32];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", d->conf.global.report, name);
	f = fopen(path, "w");
	if (f == NULL)
		say(SAY_ERROR, "%s: %m; report = names a folder that can be written", path);
	return f;
}

static bool write_files(const struct vnicd *d, const char *account)
{
	static struct vnic_histogram h;
	FILE *f = open_file(d, "latency.csv");

	if (f == NULL)
		return false;
	gather_latency(d, VNIC_LATENCY_COMPLETION, &h);
	fprintf(f, "low_ns,high_ns,count\n");
	for (uint32_t b = 0; b < VNIC_HISTOGRAM_BUCKETS; b++)
		if (h.bucket[b] != 0)
			fprintf(f, "%" PRIu64 ",%" PRIu64 ",%" PRIu64 "\n", vnic_histogram_bucket_low(b),
				b == VNIC_HISTOGRAM_BUCKETS - 1 ? h.max : vnic_histogram_bucket_high(b),
				h.bucket[b]);
	if (fclose(f) != 0)
		return false;
	f = open_file(d, "account.txt");
	if (f == NULL)
		return false;
	fputs(account, f);
	return fclose(f) == 0;
}

bool vnicd_report_final(struct vnicd *d)
{
	struct vnic_adapter_stats s;
	char account[VNICD_LINE];
	bool good;

	gather_stats(d, &s);
	good = balances(&s) && receive_balances(d);
	snprintf(account, sizeof(account), "account: accepted=%" PRIu64 " sent=%" PRIu64 " aborted=%" PRIu64
		 " rejected=%" PRIu64 " queued=%" PRIu64 "\n", s.accepted.packets, s.sent.packets,
		 s.aborted.packets, s.rejected.packets, s.queued.packets);
	if (d->conf.global.progress) {
		table(d);
		latency_tables(d);
		printf("\n");
	}
	if (d->conf.global.report[0] != '\0') {
		if (write_files(d, account))
			printf("report: %s\n", d->conf.global.report);
		else
			good = false;
	}
	if (!balances(&s) || !receive_balances(d))
		say(SAY_ERROR, "the account does not balance: this is a bug, please report it with the "
		    "table above");
	fflush(stderr);
	fputs(account, stdout);
	fflush(stdout);
	return good;
}
