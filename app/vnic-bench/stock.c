/* SPDX-License-Identifier: BSD-3-Clause
 * stock.c - app's NBLs and packets: sent, come back, sent again, and counted
 */
#include "stock.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_cycles.h>
#include <rte_errno.h>
#include <rte_mbuf.h>

#define SETTLE_S 20
#define CACHE 256u
#define LINE 64u
/* the port frees to its lcore's cache, app allocates from its own */
#define MBUFS_MORE (4 * CACHE)
/* as often as a shared packet may be freed between two uses of it */
#define SHARED_REFS 60000

static int no_memory(struct stock *s, const char *what)
{
	fprintf(stderr, "vnic-bench: no memory for %u %s (%s); more hugepages: echo 512 > "
		"/proc/sys/vm/nr_hugepages as root, or a larger -m\n", s->conf.nb, what,
		rte_strerror(rte_errno));
	stock_close(s);
	return -1;
}

int stock_open(struct stock *s, const struct stock_conf *conf)
{
	static unsigned int serial;
	uint16_t largest = 0;
	char name[20];

	memset(s, 0, sizeof(*s));
	s->conf = *conf;
	s->next_id = 1;
	for (uint32_t i = 0; i < conf->nb_sizes; i++)
		largest = RTE_MAX(largest, conf->sizes[i]);
	snprintf(name, sizeof(name), "stock%u", serial++);
	s->free = malloc(conf->nb * sizeof(*s->free));
	s->nbls = vnic_nbl_pool_create(name, conf->nb, 1, -1);
	if (s->free == NULL || s->nbls == NULL || vnic_nbl_alloc(s->nbls, s->free, conf->nb) != 0)
		return no_memory(s, "NBLs");
	s->nb_free = conf->nb;
	s->mbufs = rte_pktmbuf_pool_create(name, conf->shared ? 1 : conf->nb + MBUFS_MORE,
					   conf->shared ? 0 : CACHE, 0,
					   (uint16_t)(RTE_PKTMBUF_HEADROOM + largest), -1);
	if (s->mbufs == NULL)
		return no_memory(s, "packets");
	if (conf->shared) {
		s->packet = rte_pktmbuf_alloc(s->mbufs);
		rte_pktmbuf_append(s->packet, conf->sizes[0]);
	}
	return 0;
}

void stock_close(struct stock *s)
{
	if (s->packet != NULL) {
		rte_mbuf_refcnt_set(s->packet, 1);
		rte_pktmbuf_free(s->packet);
	}
	for (uint32_t i = 0; i < s->nb_ready; i++) {
		if (s->packet == NULL)
			rte_pktmbuf_free(vnic_nbl_packets(s->ready[i])[0]);
		s->free[s->nb_free++] = s->ready[i];
	}
	if (s->nbls != NULL && s->nb_free != 0)
		vnic_nbl_free(s->nbls, s->free, s->nb_free);
	vnic_nbl_pool_destroy(s->nbls);
	rte_mempool_free(s->mbufs);
	free(s->free);
	memset(s, 0, sizeof(*s));
}

static void write_packet(struct stock *s, struct rte_mbuf *m, uint64_t id)
{
	uint16_t size = s->conf.sizes[s->size_turn];
	char *data = rte_pktmbuf_mtod(m, char *);

	s->size_turn = s->size_turn + 1 == s->conf.nb_sizes ? 0 : s->size_turn + 1;
	m->data_len = size;
	m->pkt_len = size;
	for (uint32_t at = 0; at + sizeof(id) <= size; at += LINE)
		memcpy(data + at, &id, sizeof(id));
}

static void make_ready(struct stock *s)
{
	struct rte_mbuf *packet[DESIGN_BURST];

	if (s->nb_free < DESIGN_BURST)
		return;
	if (s->packet != NULL)
		rte_mbuf_refcnt_set(s->packet, SHARED_REFS);
	else if (rte_pktmbuf_alloc_bulk(s->mbufs, packet, DESIGN_BURST) != 0)
		return;
	for (uint32_t i = 0; i < DESIGN_BURST; i++) {
		struct vnic_nbl *n = s->free[--s->nb_free];

		n->cancel_id = s->id_of == NULL ? s->next_id : s->id_of(s->next_id, s->id_context);
		s->next_id++;
		n->nb_packets = 1;
		if (s->packet == NULL)
			write_packet(s, packet[i], n->cancel_id);
		vnic_nbl_packets(n)[0] = s->packet != NULL ? s->packet : packet[i];
		s->ready[i] = n;
	}
	s->nb_ready = DESIGN_BURST;
}

uint16_t stock_send(struct stock *s, struct design *d, uint32_t sender)
{
	uint16_t taken;

	if (s->nb_ready == 0)
		make_ready(s);
	if (s->nb_ready == 0)
		return 0;
	taken = d->ops->send(d, sender, s->ready, (uint16_t)s->nb_ready);
	s->nb_ready -= taken;
	if (taken != 0 && s->nb_ready != 0)
		memmove(s->ready, s->ready + taken, s->nb_ready * sizeof(s->ready[0]));
	s->seen.accepted += taken;
	return taken;
}

uint16_t stock_poll(struct stock *s, struct design *d, uint32_t sender, uint64_t *aborted)
{
	struct vnic_nbl **back = &s->free[s->nb_free];
	uint32_t room = s->conf.nb - s->nb_free;
	uint16_t nb = d->ops->poll(d, sender, back, (uint16_t)RTE_MIN(room, 2u * DESIGN_BURST));
	uint64_t nb_sent = 0;

	for (uint16_t i = 0; i < nb; i++) {
		if (back[i]->status == VNIC_STATUS_SUCCESS) {
			nb_sent++;
			continue;
		}
		s->others += back[i]->status != VNIC_STATUS_SEND_ABORTED;
		if (s->packet == NULL)
			rte_pktmbuf_free(vnic_nbl_packets(back[i])[0]);
	}
	s->nb_free += nb;
	s->seen.sent += nb_sent;
	s->seen.aborted += nb - nb_sent;
	if (aborted != NULL)
		*aborted += nb - nb_sent;
	return nb;
}

uint64_t stock_out(const struct stock *s)
{
	return s->seen.accepted - s->seen.sent - s->seen.aborted;
}

int stock_settle(struct stock *s, struct design *d, uint32_t nb_senders, bool cancel)
{
	uint64_t end = rte_rdtsc() + SETTLE_S * rte_get_tsc_hz(), nb;
	struct design_account a;

	cancel = cancel && d->ops->cancel != NULL;
	if (cancel)
		d->ops->cancel(d, 0);
	while ((stock_out(s) != 0 || (cancel && !d->ops->over(d, &nb))) && rte_rdtsc() < end) {
		d->ops->data(d);
		if (d->ops->control != NULL)
			d->ops->control(d);
		for (uint32_t i = 0; i < nb_senders; i++)
			stock_poll(s, d, i, NULL);
	}
	d->ops->account(d, &a);
	if (stock_out(s) == 0 && s->others == 0 && a.accepted == s->seen.accepted &&
	    a.sent == s->seen.sent && a.aborted == s->seen.aborted)
		return 0;
	fprintf(stderr, "vnic-bench: %s lost count: accepted %" PRIu64 ", sent %" PRIu64 ", aborted %"
		PRIu64 "; its sender saw %" PRIu64 ", %" PRIu64 ", %" PRIu64 " and %" PRIu64
		" of another status: this is a bug\n", d->ops->name, a.accepted, a.sent, a.aborted,
		s->seen.accepted, s->seen.sent, s->seen.aborted, s->others);
	return -1;
}
