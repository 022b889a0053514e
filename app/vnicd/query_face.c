/* SPDX-License-Identifier: BSD-3-Clause
 * query_face.c - questions about a face: what it receives and sends, its peer, its ids
 */
#include "query_face.h"

#include <inttypes.h>
#include <stdio.h>

#include "flow.h"
#include "ids.h"
#include "vnicd.h"

#define NAME 64
#define WHY 256

/* The one that the next word names; NULL, and the answer says so. */
static const struct vnicd_face *take(struct vnicd *d, struct words *w, struct answer *a)
{
	const struct vnicd_face *found = flow_face(d, w->now);

	if (found == NULL)
		answer_error(a, "no such face; faces names them");
	else
		words_next(w);
	return found;
}

void query_receive(struct vnicd *d, struct words *w, struct answer *a)
{
	const struct vnicd_face *face = take(d, w, a);
	struct vnic_receiver_stats s;
	struct vnic_face_stats f;

	if (face == NULL)
		return;
	if (vnic_face_receiver(face->face) == NULL) {
		answer_error(a, "face %s does not receive; it does with receive = yes in it and in its adapter, "
			     "if that is no layer, after a reload", face->conf->name);
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

void query_share(struct vnicd *d, struct words *w, struct answer *a)
{
	const struct vnicd_face *found = take(d, w, a);
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

void query_peer(struct vnicd *d, struct words *w, struct answer *a)
{
	const struct vnicd_face *face = take(d, w, a);
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
void query_ids(struct vnicd *d, struct words *w, struct answer *a)
{
	const struct vnicd_face *face = take(d, w, a);
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
void query_id(struct vnicd *d, struct words *w, struct answer *a)
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
