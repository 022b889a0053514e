/* SPDX-License-Identifier: BSD-3-Clause
 * query.c - questions about the daemon, asked by telemetry or by the control socket
 */
#include "query.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_log.h>

#include "capture.h"
#include "change.h"
#include "command.h"
#include "flow.h"
#include "ids.h"
#include "options.h"
#include "reload.h"
#include "vnicd.h"
#include "xstats.h"

#define NAME 64
#define WHY 256
#define BUCKETS 256 /* of a histogram, as telemetry tells it */

#define COUNT_OF(table) (sizeof(table) / sizeof((table)[0]))

/* ---- who is asked about ---- */

/* The adapter that the next word names; NULL, and the answer says so. */
static const struct vnicd_adapter *take_adapter(struct vnicd *d, struct words *w, struct answer *a)
{
	const struct vnicd_adapter *found = command_adapter(d, w->now);

	if (found == NULL)
		answer_error(a, "no such adapter; list names them");
	else
		words_next(w);
	return found;
}

static const struct vnicd_face *take_face(struct vnicd *d, struct words *w, struct answer *a)
{
	const struct vnicd_face *found = flow_face(d, w->now);

	if (found == NULL)
		answer_error(a, "no such face; faces names them");
	else
		words_next(w);
	return found;
}

/* ---- names, and what the configuration says ---- */

static void list(struct vnicd *d, struct words *w, struct answer *a)
{
	(void)w;
	answer_begin(a, ANSWER_TEXTS, "adapters");
	for (uint32_t i = 0; i < d->conf.nb_adapters; i++)
		answer_text(a, NULL, d->conf.adapter[i].name);
}

static void say_faces(const struct vnicd *d, const struct vnicd_adapter *of, struct answer *a)
{
	for (uint32_t i = 0; i < d->conf.nb_faces; i++)
		if (of == NULL || &d->adapter[d->conf.face[i].adapter_index] == of)
			answer_text(a, NULL, d->conf.face[i].name);
}

static void faces(struct vnicd *d, struct words *w, struct answer *a)
{
	const struct vnicd_adapter *of = NULL;

	if (w->now != NULL) {
		of = take_adapter(d, w, a);
		if (of == NULL)
			return;
	}
	answer_begin(a, ANSWER_TEXTS, "faces");
	say_faces(d, of, a);
}

static void say_options(struct answer *a, const struct conf_kind *kind, const void *values)
{
	for (uint32_t i = 0; i < kind->nb_options; i++) {
		const struct conf_option *o = &kind->options[i];
		const void *at = (const char *)values + o->offset;

		switch (o->type) {
		case CONF_TYPE_TEXT: answer_text(a, o->key, at); break;
		case CONF_TYPE_CHOICE: answer_text(a, o->key, o->choices[*(const uint64_t *)at]); break;
		case CONF_TYPE_I64: answer_int(a, o->key, (int)*(const int64_t *)at); break;
		case CONF_TYPE_U64: answer_u64(a, o->key, *(const uint64_t *)at); break;
		}
	}
}

static void show_adapter(const struct vnicd *d, const struct vnicd_adapter *found, struct answer *a)
{
	answer_begin(a, ANSWER_DICT, NULL);
	answer_text(a, "adapter", found->conf->name);
	answer_text(a, "state", vnic_state_name(vnic_adapter_state(found->adapter)));
	answer_text(a, "sends", vnic_status_name(vnic_adapter_gate(found->adapter)));
	answer_u64(a, "polled_by", found->lcore);
	answer_inner(a, ANSWER_TEXTS, "faces");
	say_faces(d, found, a);
	answer_inner_end(a);
	say_options(a, &conf_kinds[CONF_KIND_ADAPTER], found->conf);
}

static void show_face(const struct vnicd *d, const struct vnicd_face *found, struct answer *a)
{
	struct vnicd_peer_stats s = {0};

	answer_begin(a, ANSWER_DICT, NULL);
	answer_text(a, "face", found->conf->name);
	answer_text(a, "of", d->conf.adapter[found->conf->adapter_index].name);
	answer_u64(a, "prefix", vnic_client_prefix(vnic_face_client(found->face)));
	vnicd_peer_stats(d, found->conf->name, &s);
	answer_u64(a, "here", s.here);
	say_options(a, &conf_kinds[CONF_KIND_FACE], found->conf);
}

static void show(struct vnicd *d, struct words *w, struct answer *a)
{
	const struct vnicd_adapter *adapter = command_adapter(d, w->now);
	const struct vnicd_face *face = flow_face(d, w->now);

	if (w->now != NULL && adapter == NULL && face == NULL) {
		answer_error(a, "no such adapter or face; list and faces name them");
		return;
	}
	if (adapter != NULL) {
		show_adapter(d, adapter, a);
	} else if (face != NULL) {
		show_face(d, face, a);
	} else {
		answer_begin(a, ANSWER_DICT, NULL);
		answer_text(a, "version", VNIC_VERSION);
		answer_int(a, "pid", getpid());
		answer_text(a, "configuration", d->conf.path);
		answer_u64(a, "served_by", d->control_lcore);
		answer_u64(a, "adapters", d->conf.nb_adapters);
		answer_u64(a, "faces", d->conf.nb_faces);
		say_options(a, &conf_kinds[CONF_KIND_GLOBAL], &d->conf.global);
	}
	words_next(w);
}

/* ---- adapters ---- */

static void state(struct vnicd *d, struct words *w, struct answer *a)
{
	const struct vnicd_adapter *found = take_adapter(d, w, a);
	struct vnic_start_stop_context c;

	if (found == NULL)
		return;
	vnic_adapter_start_stop(found->adapter, &c);
	answer_begin(a, ANSWER_DICT, NULL);
	answer_text(a, "adapter", found->conf->name);
	answer_text(a, "state", vnic_state_name(vnic_adapter_state(found->adapter)));
	answer_text(a, "sends", vnic_status_name(vnic_adapter_gate(found->adapter)));
	answer_text(a, "lifecycle", vnic_rdbss_name(c.state));
	answer_u64(a, "version", c.version);
	answer_u64(a, "published", c.published);
	answer_u64(a, "registered", c.registered);
	answer_u64(a, "open_handles", c.open_handles);
	answer_u64(a, "operations", c.operations);
}

static void say_count(struct answer *a, const char *name, const struct vnic_count *c)
{
	char key[NAME];

	snprintf(key, sizeof(key), "%s_nbls", name);
	answer_u64(a, key, c->nbls);
	snprintf(key, sizeof(key), "%s_packets", name);
	answer_u64(a, key, c->packets);
}

static void say_received(struct answer *a, const struct vnic_adapter *adapter)
{
	struct vnic_adapter_receive_stats rx;

	vnic_adapter_receive_stats_get(adapter, &rx);
	answer_u64(a, "rx_received", rx.received);
	answer_u64(a, "rx_local", rx.local);
	answer_u64(a, "rx_copies", rx.copies);
	answer_u64(a, "rx_offered", rx.offered);
	answer_u64(a, "rx_closed", rx.closed);
	answer_u64(a, "rx_unknown", rx.unknown);
	answer_u64(a, "rx_malformed", rx.malformed);
	answer_u64(a, "rx_paused", rx.paused);
	answer_u64(a, "rx_learn_full", rx.learn_full);
}

static void stats(struct vnicd *d, struct words *w, struct answer *a)
{
	const struct vnicd_adapter *found = take_adapter(d, w, a);
	struct vnic_adapter_stats s;

	if (found == NULL)
		return;
	vnic_adapter_stats_get(found->adapter, &s);
	answer_begin(a, ANSWER_DICT, NULL);
	say_count(a, "accepted", &s.accepted);
	say_count(a, "sent", &s.sent);
	say_count(a, "aborted", &s.aborted);
	say_count(a, "rejected", &s.rejected);
	say_count(a, "invalid_length", &s.invalid_length);
	say_count(a, "invalid_parameter", &s.invalid_parameter);
	say_count(a, "resources", &s.resources);
	say_count(a, "paused", &s.paused);
	say_count(a, "reset", &s.reset);
	say_count(a, "low_power", &s.low_power);
	say_count(a, "media_disconnected", &s.media_disconnected);
	say_count(a, "closing", &s.closing);
	say_count(a, "failure", &s.failure);
	say_count(a, "queued", &s.queued);
	answer_u64(a, "not_taken", s.not_taken);
	answer_u64(a, "port_refused", s.port_refused);
	answer_u64(a, "padded", s.padded);
	answer_u64(a, "copied", s.copied);
	answer_u64(a, "offloaded", s.offloaded);
	answer_u64(a, "segmented", s.segmented);
	answer_u64(a, "segments", s.segments);
	answer_u64(a, "cancels", s.cancels);
	answer_u64(a, "cancels_unknown", s.cancels_unknown);
	answer_u64(a, "too_late", s.too_late);
	answer_u64(a, "hung", s.hung);
	say_received(a, found->adapter);
}

/* The same, and more, by names as DPDK's ports have them. */
static void xstats(struct vnicd *d, struct words *w, struct answer *a)
{
	const struct vnicd_adapter *adapter = command_adapter(d, w->now);
	const struct vnicd_face *face = flow_face(d, w->now);
	struct xstat x[XSTATS_MAX];
	uint32_t n;

	if (adapter == NULL && face == NULL) {
		answer_error(a, "no such adapter or face; list and faces name them");
		return;
	}
	words_next(w);
	n = adapter != NULL ? xstats_of_adapter(d, (uint32_t)(adapter - d->adapter), x) :
			      xstats_of_face(face, x);
	answer_begin(a, ANSWER_DICT, NULL);
	for (uint32_t i = 0; i < n; i++)
		answer_u64(a, x[i].name, x[i].value);
}

/* ---- how long cancels take ---- */

static const char *const latency_names[VNIC_LATENCIES] = {[VNIC_LATENCY_COMPLETION] = "completion",
							  [VNIC_LATENCY_VERDICT] = "verdict",
							  [VNIC_LATENCY_WALK] = "walk"};

static void say_percentiles(struct answer *a, const char *name, const struct vnic_histogram *h)
{
	static const struct {
		const char *name;
		double percent;
	} mark[] = {{"p50", 50}, {"p90", 90}, {"p99", 99}, {"p99_9", 99.9}, {"max", 100}};
	char key[NAME];

	snprintf(key, sizeof(key), "%s_count", name);
	answer_u64(a, key, h->count);
	snprintf(key, sizeof(key), "%s_sum_ns", name);
	answer_u64(a, key, h->sum);
	for (size_t k = 0; k < COUNT_OF(mark); k++) {
		snprintf(key, sizeof(key), "%s_%s_ns", name, mark[k].name);
		answer_u64(a, key, vnic_histogram_percentile(h, mark[k].percent));
	}
}

static void latency(struct vnicd *d, struct words *w, struct answer *a)
{
	const struct vnicd_adapter *found = take_adapter(d, w, a);
	struct vnic_histogram *h = found != NULL ? malloc(sizeof(*h)) : NULL;

	if (found == NULL)
		return;
	if (h == NULL) {
		answer_error(a, "no memory for a histogram");
		answer_error_busy(a);
		return;
	}
	answer_begin(a, ANSWER_DICT, NULL);
	for (uint32_t i = 0; i < VNIC_LATENCIES; i++) {
		vnic_adapter_latency(found->adapter, (enum vnic_latency)i, h);
		say_percentiles(a, latency_names[i], h);
	}
	free(h);
}

static uint64_t sum_of(const struct vnic_histogram *h, uint32_t from, uint32_t buckets)
{
	uint64_t sum = 0;

	for (uint32_t b = from; b < from + buckets; b++)
		sum += h->bucket[b];
	return sum;
}

/* So many neighbours in one that those with something in them are no more than BUCKETS. */
static uint32_t width_for(const struct vnic_histogram *h)
{
	uint32_t width = 1, used;

	for (;; width *= 2) {
		used = 0;
		for (uint32_t b = 0; b < VNIC_HISTOGRAM_BUCKETS; b += width)
			used += sum_of(h, b, width) != 0;
		if (used <= BUCKETS)
			return width;
	}
}

static void say_histogram(struct answer *a, const struct vnic_histogram *h)
{
	static const char *const columns[] = {"low_ns", "high_ns", "counts"};
	uint32_t width = width_for(h);

	answer_u64(a, "count", h->count);
	answer_u64(a, "sum_ns", h->sum);
	answer_u64(a, "max_ns", h->max);
	for (size_t c = 0; c < COUNT_OF(columns); c++) {
		answer_inner(a, ANSWER_NUMBERS, columns[c]);
		for (uint32_t b = 0; b < VNIC_HISTOGRAM_BUCKETS; b += width) {
			uint64_t sum = sum_of(h, b, width);

			if (sum != 0)
				answer_u64(a, NULL, c == 0 ? vnic_histogram_bucket_low(b) :
					   c == 1 ? vnic_histogram_bucket_high(b + width - 1) : sum);
		}
		answer_inner_end(a);
	}
}

static void histogram(struct vnicd *d, struct words *w, struct answer *a)
{
	const struct vnicd_adapter *found = take_adapter(d, w, a);
	uint32_t which = VNIC_LATENCY_COMPLETION;
	struct vnic_histogram *h;

	if (found == NULL)
		return;
	if (w->now != NULL) {
		for (which = 0; which < VNIC_LATENCIES && !words_take(w, latency_names[which]);)
			which++;
	}
	if (which == VNIC_LATENCIES) {
		answer_error(a, "histogram: the word after the adapter is completion, verdict or walk");
		return;
	}
	h = malloc(sizeof(*h));
	if (h == NULL) {
		answer_error(a, "no memory for a histogram");
		answer_error_busy(a);
		return;
	}
	vnic_adapter_latency(found->adapter, (enum vnic_latency)which, h);
	answer_begin(a, ANSWER_DICT, NULL);
	answer_text(a, "of", latency_names[which]);
	say_histogram(a, h);
	free(h);
}

/* ---- faces ---- */

static void receive(struct vnicd *d, struct words *w, struct answer *a)
{
	const struct vnicd_face *face = take_face(d, w, a);
	struct vnic_receiver_stats s;
	struct vnic_face_stats f;

	if (face == NULL)
		return;
	if (vnic_face_receiver(face->face) == NULL) {
		answer_error(a, "face %s does not receive", face->conf->name);
		return;
	}
	vnic_receiver_stats_get(vnic_face_receiver(face->face), &s);
	vnic_face_stats_get(face->face, &f);
	answer_begin(a, ANSWER_DICT, NULL);
	answer_u64(a, "offered", s.offered);
	answer_u64(a, "queue_full", s.dropped);
	answer_u64(a, "no_memory", s.no_memory);
	answer_u64(a, "flushed", s.flushed);
	answer_u64(a, "queued", s.queued);
	answer_u64(a, "indicated", f.rx_indicated);
	answer_u64(a, "delivered", f.rx_delivered);
	answer_u64(a, "dropped", f.rx_dropped);
	answer_u64(a, "held", f.rx_held);
	answer_u64(a, "taken", s.indicated);
	answer_u64(a, "returned", s.returned);
	answer_u64(a, "unreturned", s.held);
}

static void share(struct vnicd *d, struct words *w, struct answer *a)
{
	const struct vnicd_face *found = take_face(d, w, a);
	const struct vnic_face *face;
	struct vnic_client_limits limits;
	struct vnic_client_stats st;
	struct vnic_face_stats f;

	if (found == NULL)
		return;
	face = found->face;
	vnic_client_limits_get(vnic_face_client(face), &limits);
	vnic_client_stats_get(vnic_face_client(face), &st);
	vnic_face_stats_get(face, &f);
	answer_begin(a, ANSWER_DICT, NULL);
	answer_u64(a, "prefix", vnic_client_prefix(vnic_face_client(face)));
	answer_u64(a, "receives", vnic_face_receiver(face) != NULL);
	answer_u64(a, "weight", vnic_sender_weight(vnic_face_sender(face)));
	answer_u64(a, "limit", limits.nbls);
	answer_u64(a, "cancel_limit", limits.cancels_per_s);
	answer_u64(a, "received", f.received);
	answer_u64(a, "completed", f.completed);
	answer_u64(a, "sent", f.sent);
	answer_u64(a, "aborted", f.aborted);
	answer_u64(a, "rejected", f.rejected);
	answer_u64(a, "direct", f.direct);
	answer_u64(a, "dropped", f.dropped);
	answer_u64(a, "backpressure", f.backpressure);
	answer_u64(a, "limited", st.limited);
	answer_u64(a, "cancels", st.cancels);
	answer_u64(a, "cancels_limited", st.cancels_limited);
}

static void peer(struct vnicd *d, struct words *w, struct answer *a)
{
	const struct vnicd_face *face = take_face(d, w, a);
	struct vnicd_peer_stats s;

	if (face == NULL)
		return;
	if (!vnicd_peer_stats(d, face->conf->name, &s)) {
		answer_error(a, "face %s is not looked after yet; ask again", face->conf->name);
		answer_error_busy(a);
		return;
	}
	answer_begin(a, ANSWER_DICT, NULL);
	answer_u64(a, "here", s.here);
	answer_u64(a, "peer_came", s.came);
	answer_u64(a, "peer_left", s.left);
	answer_u64(a, "taken_back", s.taken_back);
	answer_u64(a, "refused", s.refused);
}

/* A face's rules and the packets that each has marked. */
static void ids(struct vnicd *d, struct words *w, struct answer *a)
{
	const struct vnicd_face *face = take_face(d, w, a);
	char key[NAME], text[IDS_RULE_TEXT];
	struct vnic_face_stats s;

	if (face == NULL)
		return;
	vnic_face_stats_get(face->face, &s);
	answer_begin(a, ANSWER_DICT, NULL);
	for (uint32_t i = 0; i < face->conf->nb_rules; i++) {
		snprintf(key, sizeof(key), "rule_%u", i + 1);
		answer_text(a, key, ids_rule_text(&face->conf->rule[i], text));
		snprintf(key, sizeof(key), "rule_%u_packets", i + 1);
		answer_u64(a, key, s.matched[i]);
	}
	answer_u64(a, "unmarked_packets", s.unmarked);
}

/* Which id has this flow? */
static void id(struct vnicd *d, struct words *w, struct answer *a)
{
	struct flow_answer found;
	char why[WHY], text[20];

	if (flow_ask(d, w, &found, why, sizeof(why)) != 0) {
		answer_error(a, "id: %s", why);
		return;
	}
	snprintf(text, sizeof(text), "%#" PRIx64, found.id);
	answer_begin(a, ANSWER_DICT, NULL);
	answer_text(a, "face", found.face->conf->name);
	answer_text(a, "id", text);
	answer_u64(a, "rule", found.rule);
	answer_text(a, "by", found.by);
}

/* ---- what changes something ---- */

static void capture(struct vnicd *d, struct words *w, struct answer *a)
{
	char why[COMMAND_WHY];
	int rc = capture_ask(d, w, a, why, sizeof(why));

	if (rc != 0)
		answer_error(a, "%s", why);
	if (rc != 0 && rc != -EINVAL)
		answer_error_failed(a);
}

/* SECTION.KEY VALUE, where SECTION may have two words */
static void set(struct vnicd *d, struct words *w, struct answer *a)
{
	char why[COMMAND_WHY], section[NAME] = "", key[NAME];
	const char *dot = NULL, *value;

	for (; w->now != NULL && dot == NULL; words_next(w)) {
		size_t n = strlen(section), part = strcspn(w->now, ".");

		dot = strchr(w->now, '.');
		snprintf(section + n, sizeof(section) - n, "%s%.*s", n != 0 ? " " : "",
			 (int)RTE_MIN(part, (size_t)CONF_NAME), w->now);
		snprintf(key, sizeof(key), "%s", dot != NULL ? dot + 1 : "");
		if (dot != NULL)
			break;
	}
	value = w->rest != NULL ? w->rest + strspn(w->rest, " \t") : "";
	w->now = NULL;
	if (dot == NULL || *value == '\0')
		answer_error(a, "set: write set SECTION.KEY VALUE, as set adapter a0.packets_per_s 1000; \"\" is "
			     "no value");
	else if (change_set(d, section, key, strcmp(value, "\"\"") == 0 ? "" : value, why, sizeof(why)) != 0)
		answer_error(a, "%s", why);
	else {
		answer_begin(a, ANSWER_DICT, NULL);
		answer_text(a, "status", "SUCCESS");
	}
}

static void reload(struct vnicd *d, struct words *w, struct answer *a)
{
	struct reload_counts n;
	char why[COMMAND_WHY];

	(void)w;
	if (reload_run(d, &n, why, sizeof(why)) != 0) {
		answer_error(a, "%s", why);
		answer_error_failed(a);
		return;
	}
	answer_begin(a, ANSWER_DICT, NULL);
	answer_text(a, "status", "SUCCESS");
	answer_u64(a, "changed", n.changed);
	answer_u64(a, "added", n.added);
	answer_u64(a, "removed", n.removed);
}

/* ---- what is logged, what can be asked ---- */

/* "id 38: lib.eal, level is info" becomes "lib.eal info"; false: another line. */
static bool log_line(char *line, char *text, size_t len)
{
	char *name = strstr(line, ": "), *level = strstr(line, ", level is ");

	if (strncmp(line, "id ", 3) != 0 || name == NULL || level == NULL || level < name)
		return false;
	*level = '\0';
	snprintf(text, len, "%s %s", name + 2, level + strlen(", level is "));
	return true;
}

/* DPDK tells its log types to a file only. */
static void log_types(struct vnicd *d, struct words *w, struct answer *a)
{
	char *dump = NULL, *rest, *line, text[2 * NAME];
	size_t len;
	FILE *f = open_memstream(&dump, &len);

	(void)d;
	if (f == NULL) {
		answer_error(a, "log: no memory");
		answer_error_busy(a);
		return;
	}
	rte_log_dump(f);
	fclose(f);
	answer_begin(a, ANSWER_TEXTS, "log");
	for (line = strtok_r(dump, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest))
		if (log_line(line, text, sizeof(text)) && (w->now == NULL || strstr(text, w->now) != NULL))
			answer_text(a, NULL, text);
	free(dump);
	words_next(w);
}

static void help(struct vnicd *d, struct words *w, struct answer *a)
{
	char text[2 * WHY];

	(void)d, (void)w;
	answer_begin(a, ANSWER_TEXTS, "help");
	for (size_t i = 0; i < nb_queries; i++) {
		const struct query *q = &queries[i];

		snprintf(text, sizeof(text), "%s%s%s: %s", q->name, q->words != NULL ? " " : "",
			 q->words != NULL ? q->words : "", q->help);
		answer_text(a, NULL, text);
	}
	for (size_t i = 0; i < nb_commands; i++) {
		snprintf(text, sizeof(text), "%s ", commands[i].name);
		command_usage(&commands[i], text + strlen(text), sizeof(text) - strlen(text));
		snprintf(text + strlen(text), sizeof(text) - strlen(text), ": %s", commands[i].help);
		answer_text(a, NULL, text);
	}
}

const struct query queries[] = {
	{"list", NULL, "Names of the adapters", list},
	{"faces", "[ADAPTER]", "Names of the faces, of all or of an adapter", faces},
	{"show", "[ADAPTER|FACE]", "What it is, as configured and now; nothing: the daemon", show},
	{"state", "ADAPTER", "State of an adapter", state},
	{"stats", "ADAPTER", "Account of an adapter", stats},
	{"xstats", "ADAPTER|FACE", "Counts of an adapter or a face, named as a port's", xstats},
	{"latency", "ADAPTER", "Cancel latencies in ns", latency},
	{"histogram", "ADAPTER [completion|verdict|walk]", "Cancel latencies, bucket by bucket", histogram},
	{"receive", "FACE", "What a face receives", receive},
	{"share", "FACE", "Weight and limits of a face, and what became of what it has sent", share},
	{"peer", "FACE", "Who is on a face's other side, who came and left", peer},
	{"ids", "FACE", "Rules of a face and what they marked", ids},
	{"id", "FACE " FLOW_WORDS, "Cancel id of a flow", id},
	{"log", "[PART]", "Log types with PART in them, and their levels", log_types},
	{"capture", CAPTURE_WORDS, "Packets sent and taken back into a file", capture, true},
	{"set", "SECTION.KEY VALUE", "Another value of an option from now on", set, true},
	{"reload", NULL, "Read the configuration again, and become what it says", reload, true},
	{"help", NULL, "What can be asked", help},
};
const size_t nb_queries = COUNT_OF(queries);

const struct query *query_find(const char *name)
{
	for (size_t i = 0; i < nb_queries; i++)
		if (strcmp(queries[i].name, name) == 0)
			return &queries[i];
	return NULL;
}

void query_run(struct vnicd *d, const struct query *q, char *text, struct answer *a)
{
	struct words w = words_begin(text);

	q->run(d, &w, a);
	if (w.now != NULL && !answer_failed(a))
		answer_error(a, "%s: too many words; %s%s%s", q->name, q->name, q->words != NULL ? " " : "",
			     q->words != NULL ? q->words : "");
}
