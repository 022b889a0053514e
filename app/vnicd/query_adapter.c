/* SPDX-License-Identifier: BSD-3-Clause
 * query_adapter.c - questions about an adapter: its state, its account, how long cancels take
 */
#include "query_adapter.h"

#include <stdio.h>
#include <stdlib.h>

#include "command.h"
#include "vnicd.h"

#define NAME 64
#define BUCKETS 256 /* of a histogram, as telemetry tells it */

#define COUNT_OF(table) (sizeof(table) / sizeof((table)[0]))

const struct vnicd_adapter *query_adapter(struct vnicd *d, struct words *w, struct answer *a)
{
	const struct vnicd_adapter *found = command_adapter(d, w->now);

	if (found == NULL)
		answer_error(a, "no such adapter; list names them");
	else
		words_next(w);
	return found;
}

/* ---- its state, its account ---- */

void query_state(struct vnicd *d, struct words *w, struct answer *a)
{
	const struct vnicd_adapter *found = query_adapter(d, w, a);
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

void query_stats(struct vnicd *d, struct words *w, struct answer *a)
{
	const struct vnicd_adapter *found = query_adapter(d, w, a);
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

/* ---- how long cancels take ---- */

static const char *const latency_names[VNIC_LATENCIES] = {[VNIC_LATENCY_COMPLETION] = "completion",
							  [VNIC_LATENCY_VERDICT] = "verdict",
							  [VNIC_LATENCY_WALK] = "walk"};

/* NULL, and the answer says so. */
static struct vnic_histogram *make_histogram(struct answer *a)
{
	struct vnic_histogram *h = malloc(sizeof(*h));

	if (h != NULL)
		return h;
	answer_error(a, "no memory for a histogram; end some programs");
	answer_error_busy(a);
	return NULL;
}

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

void query_latency(struct vnicd *d, struct words *w, struct answer *a)
{
	const struct vnicd_adapter *found = query_adapter(d, w, a);
	struct vnic_histogram *h = found != NULL ? make_histogram(a) : NULL;

	if (h == NULL)
		return;
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

void query_histogram(struct vnicd *d, struct words *w, struct answer *a)
{
	const struct vnicd_adapter *found = query_adapter(d, w, a);
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
	h = make_histogram(a);
	if (h == NULL)
		return;
	vnic_adapter_latency(found->adapter, (enum vnic_latency)which, h);
	answer_begin(a, ANSWER_DICT, NULL);
	answer_text(a, "of", latency_names[which]);
	say_histogram(a, h);
	free(h);
}
