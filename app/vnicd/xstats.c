/* SPDX-License-Identifier: BSD-3-Clause
 * xstats.c - counts of an adapter, or of a face, under names in DPDK's form
 */
#include "xstats.h"

#include <inttypes.h>

#include "vnicd.h"

struct name {
	const char *name;
	size_t offset; /* of a uint64_t */
};

#define TX(name_, field) {name_, offsetof(struct vnic_adapter_stats, field)}
#define RX(name_, field) {name_, offsetof(struct vnic_adapter_receive_stats, field)}
#define FACE(name_, field) {name_, offsetof(struct vnic_face_stats, field)}
#define CLIENT(name_, field) {name_, offsetof(struct vnic_client_stats, field)}
#define UP(name_, field) {name_, offsetof(struct vnic_receiver_stats, field)}

static const struct name tx[] = {
	TX("accepted_packets", accepted.packets),
	TX("good_packets", sent.packets),
	TX("aborted_packets", aborted.packets),
	TX("rejected_packets", rejected.packets),
	TX("queued_packets", queued.packets),
	TX("invalid_length_packets", invalid_length.packets),
	TX("invalid_parameter_packets", invalid_parameter.packets),
	TX("resources_packets", resources.packets),
	TX("paused_packets", paused.packets),
	TX("reset_packets", reset.packets),
	TX("low_power_packets", low_power.packets),
	TX("media_disconnected_packets", media_disconnected.packets),
	TX("closing_packets", closing.packets),
	TX("failure_packets", failure.packets),
	TX("not_taken_nbls", not_taken),
	TX("port_refused_bursts", port_refused),
	TX("padded_packets", padded),
	TX("copied_packets", copied),
	TX("offloaded_packets", offloaded),
	TX("segmented_packets", segmented),
	TX("segment_frames", segments),
	TX("cancels", cancels),
	TX("unknown_cancels", cancels_unknown),
	TX("too_late_nbls", too_late),
	TX("hung_resets", hung),
};

static const struct name rx[] = {
	RX("good_packets", received),
	RX("local_packets", local),
	RX("copied_packets", copies),
	RX("offered_packets", offered),
	RX("closed_packets", closed),
	RX("unknown_packets", unknown),
	RX("malformed_packets", malformed),
	RX("paused_packets", paused),
	RX("learn_full_packets", learn_full),
};

static const struct name face[] = {
	FACE("received_packets", received),
	FACE("good_packets", sent),
	FACE("aborted_packets", aborted),
	FACE("rejected_packets", rejected),
	FACE("direct_packets", direct),
	FACE("dropped_packets", dropped),
	FACE("unmarked_packets", unmarked),
	FACE("backpressure_polls", backpressure),
};

static const struct name face_up[] = {
	FACE("good_packets", rx_delivered),
	FACE("dropped_packets", rx_dropped),
};

static const struct name receiver[] = {
	UP("queue_full_packets", dropped),
	UP("no_memory_packets", no_memory),
	UP("flushed_packets", flushed),
};

/* these of a face by itself only: an adapter's answer has no room for all of its faces' */
static const struct name face_more[] = {
	FACE("completed_packets", completed),
};

static const struct name client[] = {
	CLIENT("limited", limited),
	CLIENT("cancels", cancels),
	CLIENT("limited_cancels", cancels_limited),
};

static const struct name face_up_more[] = {
	FACE("indicated_packets", rx_indicated),
	FACE("held_packets", rx_held),
};

static const struct name receiver_more[] = {
	UP("offered_packets", offered),
	UP("queued_packets", queued),
	UP("taken_packets", indicated),
	UP("returned_packets", returned),
	UP("unreturned_packets", held),
};

#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))

#define OF_FACE (COUNT_OF(face) + COUNT_OF(face_up) + COUNT_OF(receiver))

_Static_assert(COUNT_OF(tx) + COUNT_OF(rx) + CONF_FACES_MAX * OF_FACE <= XSTATS_MAX,
	       "room for all faces");

struct list {
	struct xstat *at;
	uint32_t n;
};

/* `prefix` before each name: "tx_", "rx_q3_". */
static void add(struct list *l, const char *prefix, const struct name *names, size_t n,
		const void *stats)
{
	for (size_t i = 0; i < n; i++) {
		struct xstat *x = &l->at[l->n++];

		snprintf(x->name, sizeof(x->name), "%s%s", prefix, names[i].name);
		x->value = *(const uint64_t *)((const char *)stats + names[i].offset);
	}
}

/* `which` is "", or "q3_" where the face is one of several. */
static void add_face(struct list *l, const char *which, const struct vnic_face *f)
{
	struct vnic_receiver *r = vnic_face_receiver(f);
	struct vnic_receiver_stats up;
	struct vnic_face_stats st;
	char prefix[16];

	vnic_face_stats_get(f, &st);
	snprintf(prefix, sizeof(prefix), "tx_%s", which);
	add(l, prefix, face, COUNT_OF(face), &st);
	if (r == NULL)
		return;
	vnic_receiver_stats_get(r, &up);
	snprintf(prefix, sizeof(prefix), "rx_%s", which);
	add(l, prefix, face_up, COUNT_OF(face_up), &st);
	add(l, prefix, receiver, COUNT_OF(receiver), &up);
}

static void add_rules(struct list *l, uint32_t n, const struct vnic_face_stats *st)
{
	for (uint32_t i = 0; i < n; i++) {
		struct xstat *x = &l->at[l->n++];

		snprintf(x->name, sizeof(x->name), "tx_rule_%u_packets", i + 1);
		x->value = st->matched[i];
	}
}

uint32_t xstats_of_face(const struct vnicd_face *f, struct xstat xstats[XSTATS_MAX])
{
	struct vnic_receiver *r = vnic_face_receiver(f->face);
	struct list l = {.at = xstats};
	struct vnic_receiver_stats up;
	struct vnic_client_stats cl;
	struct vnic_face_stats st;

	add_face(&l, "", f->face);
	vnic_face_stats_get(f->face, &st);
	vnic_client_stats_get(vnic_face_client(f->face), &cl);
	add(&l, "tx_", face_more, COUNT_OF(face_more), &st);
	add(&l, "tx_", client, COUNT_OF(client), &cl);
	add_rules(&l, f->conf->nb_rules, &st);
	if (r == NULL)
		return l.n;
	vnic_receiver_stats_get(r, &up);
	add(&l, "rx_", face_up_more, COUNT_OF(face_up_more), &st);
	add(&l, "rx_", receiver_more, COUNT_OF(receiver_more), &up);
	return l.n;
}

uint32_t xstats_of_adapter(const struct vnicd *d, uint32_t adapter, struct xstat xstats[XSTATS_MAX])
{
	const struct vnic_adapter *a = d->adapter[adapter].adapter;
	struct list l = {.at = xstats};
	struct vnic_adapter_receive_stats in;
	struct vnic_adapter_stats out;
	unsigned int queue = 0;
	char which[8];

	vnic_adapter_stats_get(a, &out);
	vnic_adapter_receive_stats_get(a, &in);
	add(&l, "tx_", tx, COUNT_OF(tx), &out);
	add(&l, "rx_", rx, COUNT_OF(rx), &in);
	for (uint32_t i = 0; i < d->conf.nb_faces; i++) {
		if (d->conf.face[i].adapter_index != adapter)
			continue;
		snprintf(which, sizeof(which), "q%u_", queue++);
		add_face(&l, which, d->face[i].face);
	}
	return l.n;
}
