/* SPDX-License-Identifier: BSD-3-Clause
 * goals.c - what the figures are to be
 */
#include "goals.h"

#include <stddef.h>
#include <string.h>

const struct goal goals[] = {
	{"ring_tax_cycles", true, 4, " cycles", "ring over rte_ring SP/SC, burst 32, depth 4096"},
	{"path_ratio", false, 1, "", "two-lcore path over the same on a plain rte_ring, 64 B"},
	{"cancel_p50_ns", true, 600, " ns", "cancel of one NBL among 65536, call to visible, p50"},
	{"cancel_p99_ns", true, 2000, " ns", "the same, p99"},
	{"cancel_p50_ns_depth_1024", true, 600, " ns", "the same, 1024 deep, p50"},
	{"cancel_p50_ns_depth_1048576", true, 600, " ns", "the same, 1048576 deep, p50"},
	{"cancel_depth_ratio", true, 1.3, "", "p50 at the deepest over the shallowest"},
	{"cancel_1024_scattered_us", true, 30, " us", "1024 matches scattered among 65536"},
	{"cancel_1024_runs_us", true, 12, " us", "1024 matches side by side among 65536"},
	{"storm_ratio_100k", false, 0.97, "", "throughput under 100000 cancels/s over without"},
	{"stall_ratio", false, 0.99, "", "throughput with the control lcore stopped over without"},
	{"face_ratio_memif", false, 0.95, "", "vnicd between memif and null over testpmd io"},
	{"face_ratio_memif_imix", false, 0.95, "", "the same, IMIX"},
	{"face_ratio_vhost", false, 0.95, "", "vnicd between vhost-user and null over testpmd io"},
	{"face_ratio_vhost_imix", false, 0.95, "", "the same, IMIX"},
	{"face_ratio_memif_pair", false, 0.95, "", "vnicd between two memifs over testpmd io"},
	{"face_ratio_memif_pair_imix", false, 0.95, "", "the same, IMIX"},
	{"face_ratio_vhost_pair", false, 0.95, "", "vnicd between two vhost-users over testpmd io"},
	{"face_ratio_vhost_pair_imix", false, 0.95, "", "the same, IMIX"},
	{"face_ratio_af_packet", false, 0.95, "", "vnicd between af_packet and null over testpmd io"},
	{"face_ratio_af_packet_imix", false, 0.95, "", "the same, IMIX"},
	{NULL, false, 0, "", ""},
};

const struct goal *goal_find(const char *key)
{
	for (const struct goal *g = goals; g->key != NULL; g++)
		if (strcmp(g->key, key) == 0)
			return g;
	return NULL;
}

bool goal_met(const struct goal *g, double value)
{
	return g->at_most ? value <= g->limit : value >= g->limit;
}
