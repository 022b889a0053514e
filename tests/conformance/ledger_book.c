/* SPDX-License-Identifier: BSD-3-Clause
 * ledger_book.c - what was sent, what came back, what was seen on the wires
 */
#include "ledger.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* The statuses of a send, in the order of the table. */
static const uint32_t statuses[STATUSES] = {
	VNIC_STATUS_SUCCESS, VNIC_STATUS_SEND_ABORTED, VNIC_STATUS_PAUSED,
	VNIC_STATUS_RESET_IN_PROGRESS, VNIC_STATUS_LOW_POWER_STATE, VNIC_STATUS_MEDIA_DISCONNECTED,
	VNIC_STATUS_CLOSING, VNIC_STATUS_INVALID_LENGTH, VNIC_STATUS_RESOURCES, VNIC_STATUS_FAILURE};

/* ---- open and close ---- */

void book_open(struct book *b, uint32_t nb)
{
	*b = (struct book){.nb = nb, .ended = calloc(nb, 1), .left = calloc(nb, 1)};
	assert_true(b->ended != NULL && b->left != NULL);
	for (uint32_t w = 0; w < RIG_WIRES; w++) {
		b->seen[w] = calloc(nb, 1);
		assert_non_null(b->seen[w]);
	}
}

void book_free(struct book *b)
{
	free(b->ended);
	free(b->left);
	for (uint32_t w = 0; w < RIG_WIRES; w++)
		free(b->seen[w]);
}

/* ---- entries ---- */

uint64_t stamp_check(const struct stamp *s)
{
	return ((uint64_t)s->serial << 20 ^ (uint64_t)s->sender << 4 ^ s->packet) *
	       UINT64_C(0x9e3779b97f4a7c15);
}

void book_frame(void *context, uint32_t wire, struct rte_mbuf *m)
{
	struct ledger *l = context;
	struct stamp s;
	struct book *b;
	uint64_t place;

	memcpy(&s, rte_pktmbuf_mtod_offset(m, char *, STAMP_AT), sizeof(s));
	if (m->pkt_len != FRAME_BYTES || s.check != stamp_check(&s) || s.sender >= l->nb_senders ||
	    s.serial >= l->sender[s.sender].book.nb) {
		rig_fail("a damaged frame: sender, serial", s.sender, s.serial);
		return;
	}
	b = &l->sender[s.sender].book;
	place = (uint64_t)s.serial * PACKETS_MAX + s.packet;
	if (place < b->next[wire])
		rig_fail("a frame twice or out of order: sender, serial", s.sender, s.serial);
	b->next[wire] = place + 1;
	b->seen[wire][s.serial]++;
}

void book_enter(struct sender *s, const struct vnic_nbl *nbl)
{
	uint32_t serial = (uint32_t)nbl->cookie, i = 0;

	if (nbl->cookie != (COOKIE | (uint64_t)s->index << 32 | serial) || serial >= s->next) {
		rig_fail("a cookie that was not sent", nbl->cookie, s->index);
		return;
	}
	while (i < STATUSES && statuses[i] != nbl->status)
		i++;
	if (i == STATUSES)
		rig_fail(vnic_status_name(nbl->status), serial, nbl->status);
	else if (s->book.ended[serial] != 0)
		rig_fail("an NBL came back twice: serial, status", serial, nbl->status);
	else if (nbl->nb_sent > nbl->nb_packets || (i == 0) != (nbl->nb_sent == nbl->nb_packets))
		rig_fail(vnic_status_name(nbl->status), nbl->nb_sent, nbl->nb_packets);
	else {
		s->book.ended[serial] = (uint8_t)(1 + i);
		s->book.left[serial] = (uint8_t)nbl->nb_sent;
		s->book.count[i].nbls++;
		s->book.count[i].packets += (uint64_t)nbl->nb_packets - (i == 0 ? 0 : nbl->nb_sent);
	}
}

/* ---- at the end ---- */

/* One NBL: is on the wires what its completion says? */
static void close_entry(const struct ledger *l, const struct sender *s, uint32_t serial)
{
	const struct book *b = &s->book;
	uint32_t ended = b->ended[serial], status, seen = b->seen[0][serial];

	if (ended == 0) {
		rig_fail("an NBL did not come back: sender, serial", s->index, serial);
		return;
	}
	status = statuses[ended - 1];
	if (l->rig.shape != RIG_ONE_TO_TWO) {
		if (seen != b->left[serial] || (status == VNIC_STATUS_SEND_ABORTED && seen != 0))
			rig_fail(vnic_status_name(status), serial, seen);
	} else if (status == VNIC_STATUS_SUCCESS &&
		   (seen != b->left[serial] || b->seen[1][serial] != seen)) {
		rig_fail("not on both wires: sender, serial", s->index, serial);
	}
}

static void add(struct vnic_count *sum, const struct vnic_count *more)
{
	sum->nbls += more->nbls;
	sum->packets += more->packets;
}

static void expect(const char *what, const struct vnic_count *account, const struct vnic_count *books)
{
	if (account->nbls != books->nbls)
		rig_fail(what, account->nbls, books->nbls);
	if (account->packets != books->packets)
		rig_fail(what, account->packets, books->packets);
}

static void print_row(const char *who, uint64_t nb, const struct vnic_count *count)
{
	printf("  %-8s %9" PRIu64, who, nb);
	for (uint32_t i = 0; i < STATUSES; i++)
		printf(" %9" PRIu64, count[i].nbls);
	printf("\n");
}

/* The books against the account of the top adapter. */
static void compare(const struct ledger *l, const struct vnic_count sum[STATUSES], uint64_t half_left)
{
	static const char *const names[STATUSES] = {"SUCCESS", "ABORTED", "PAUSED", "RESET",
						    "LOW_POWER", "MEDIA_DIS", "CLOSING", "LENGTH",
						    "RESOURCES", "FAILURE"};
	struct vnic_adapter_stats st;
	struct vnic_count sent = sum[0];

	vnic_adapter_stats_get(l->rig.top, &st);
	const struct vnic_count *const account[STATUSES] = {
		&st.sent, &st.aborted, &st.paused, &st.reset, &st.low_power, &st.media_disconnected,
		&st.closing, &st.invalid_length, &st.resources, &st.failure};
	sent.packets += half_left;
	expect(names[0], account[0], &sent);
	for (uint32_t i = 1; i < STATUSES; i++)
		expect(names[i], account[i], &sum[i]);
	if (st.queued.nbls != 0 || st.queued.packets != 0)
		rig_fail("NBLs and packets are still queued", st.queued.nbls, st.queued.packets);
	printf("  %-8s %9s", "sender", "sent");
	for (uint32_t i = 0; i < STATUSES; i++)
		printf(" %9s", names[i]);
	printf("\n");
	for (uint32_t i = 0; i < l->nb_senders; i++)
		print_row((const char[]){(char)('0' + i), 0}, l->sender[i].next, l->sender[i].book.count);
	struct vnic_count row[STATUSES];
	for (uint32_t i = 0; i < STATUSES; i++)
		row[i] = *account[i];
	print_row("account", st.accepted.nbls, row);
}

/* Packets that have left of NBLs that did not end well, where the account has one wire's. */
static uint64_t half_left_of(const struct book *b)
{
	uint64_t n = 0;

	for (uint32_t serial = 0; serial < b->nb; serial++)
		n += b->ended[serial] > 1 ? b->left[serial] : 0;
	return n;
}

void books_close(const struct ledger *l)
{
	struct vnic_count sum[STATUSES] = {0};
	uint64_t half_left = 0, total = 0;

	for (uint32_t i = 0; i < l->nb_senders; i++) {
		const struct sender *s = &l->sender[i];

		for (uint32_t serial = 0; serial < s->book.nb; serial++)
			close_entry(l, s, serial);
		for (uint32_t k = 0; k < STATUSES; k++) {
			add(&sum[k], &s->book.count[k]);
			total += s->book.count[k].nbls;
		}
		half_left += half_left_of(&s->book);
	}
	if (total != (uint64_t)l->nb_senders * l->sender[0].book.nb)
		rig_fail("the sum of the statuses is not what was sent", total, l->sender[0].book.nb);
	compare(l, sum, half_left);
}
