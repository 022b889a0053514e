/* SPDX-License-Identifier: BSD-3-Clause
 * ledger_run.c - a run: rig and senders from the beginning to the closed books
 */
#include "ledger.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#define STANDSTILL_S 30 /* [C76] */

static bool all_done(const struct ledger *l, uint64_t *ended)
{
	bool done = true;

	*ended = 0;
	for (uint32_t i = 0; i < l->nb_senders; i++) {
		done &= atomic_load(&l->sender[i].done);
		*ended += atomic_load(&l->sender[i].nb_ended);
	}
	return done;
}

bool ledger_sending(const struct ledger *l)
{
	uint64_t ended;

	return !all_done(l, &ended);
}

/* Wait for the senders; with sends pending some completion comes [C76]. */
static void watch(struct ledger *l)
{
	uint64_t last = UINT64_MAX, now;
	double since = rig_now_s();

	while (!all_done(l, &now)) {
		if (now != last)
			since = rig_now_s();
		last = now;
		if (rig_now_s() - since > STANDSTILL_S) {
			for (uint32_t i = 0; i < l->rig.nb_nics; i++)
				fprintf(stderr, "nic%u: %s, gate %s\n", i,
					vnic_state_name(vnic_adapter_state(l->rig.nic[i].adapter)),
					vnic_status_name(vnic_adapter_gate(l->rig.nic[i].adapter)));
			rig_fail("a standstill: NBLs that have ended", now, 0);
			fflush(stdout);
			_exit(1);
		}
		rig_nap(20000);
	}
	for (uint32_t i = 0; i < l->nb_senders; i++)
		pthread_join(l->sender[i].thread, NULL);
}

static void print_ends(const struct ledger *l, double took_s)
{
	uint64_t cancels = 0, audits = 0, opened = 0, by_request = 0;

	rig_print(&l->rig);
	for (uint32_t i = 0; i < l->nb_senders; i++) {
		cancels += l->sender[i].cancels;
		audits += l->sender[i].audits;
		opened += l->sender[i].opened;
		by_request += l->sender[i].by_request;
	}
	printf("  %" PRIu64 " cancels, %" PRIu64 " audits, %" PRIu64 " handles opened, %" PRIu64
	       " sent by request; %.1f s\n", cancels, audits, opened, by_request, took_s);
	fflush(stdout);
}

struct ledger *ledger_begin(const char *what, enum rig_shape shape, uint32_t nb, bool plain)
{
	struct ledger *l = calloc(1, sizeof(*l));

	assert_non_null(l);
	pthread_mutex_init(&l->setup, NULL);
	l->begin_s = rig_now_s();
	l->plain = plain;
	l->nb_senders = SENDERS;
	l->rig.frame = book_frame;
	l->rig.context = l;
	rig_open(&l->rig, shape);
	for (uint16_t i = 0; i < SENDERS; i++)
		sender_open(l, i, nb / SENDERS + 1);
	printf("%s: %u NBLs, %u senders\n", what, SENDERS * l->sender[0].book.nb, SENDERS);
	rig_start(&l->rig);
	if (!plain)
		rig_start_operators(&l->rig);
	for (uint32_t i = 0; i < SENDERS; i++)
		assert_int_equal(pthread_create(&l->sender[i].thread, NULL, sender_loop, &l->sender[i]), 0);
	return l;
}

void ledger_end(struct ledger *l)
{
	watch(l);
	rig_end_operators(&l->rig);
	rig_stop(&l->rig);
	books_close(l);
	print_ends(l, rig_now_s() - l->begin_s);
	rig_close(&l->rig);
	for (uint32_t i = 0; i < SENDERS; i++)
		sender_close(&l->sender[i]);
	pthread_mutex_destroy(&l->setup);
	free(l);
	assert_int_equal(rig_failures(), 0);
}
