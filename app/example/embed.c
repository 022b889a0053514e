/* SPDX-License-Identifier: BSD-3-Clause
 * embed.c - queue 64 packets on a virtual NIC, take those of one id back
 */
#include <stdio.h>
#include <rte_eal.h>
#include <rte_mbuf.h>
#include <vnic.h>

int main(int argc, char **argv)
{
	struct vnic_adapter_conf conf = {.name = "a0", .pacing = {.packets_per_s = 1000}, .numa_node = -1};
	struct vnic_port_conf port = {.numa_node = -1};
	struct vnic_nbl *nbl[64];
	struct vnic_verdict verdict;
	char why[256];

	if (rte_eal_init(argc, argv) < 0)
		return 1;
	if (vnic_port_open("net_null0", &port, 1024, &conf.port, why, sizeof(why)) != 0)
		return fprintf(stderr, "%s\n", why), 1;
	struct rte_mempool *packets = rte_pktmbuf_pool_create("p", 1023, 0, 0, 2048, -1);
	struct vnic_nbl_pool *pool = vnic_nbl_pool_create("nbls", 1024, 1, -1);
	struct vnic_control *control = vnic_control_create(-1);
	struct vnic_adapter *adapter = vnic_adapter_create(control, &conf);
	struct vnic_client *client = vnic_client_open(adapter);
	struct vnic_sender *sender = vnic_sender_create(client, pool, 256);
	struct vnic_ticket *ticket = vnic_ticket_create(-1);
	uint64_t id = (uint64_t)vnic_client_prefix(client) << VNIC_CANCEL_ID_PREFIX_SHIFT;

	vnic_adapter_up(adapter);
	vnic_nbl_alloc(pool, nbl, 64);
	for (int i = 0; i < 64; i++) {
		vnic_nbl_packets(nbl[i])[0] = rte_pktmbuf_alloc(packets);
		rte_pktmbuf_append(vnic_nbl_packets(nbl[i])[0], 64);
		nbl[i]->nb_packets = 1;
		nbl[i]->cancel_id = id + 1 + i % 4; /* four flows */
	}
	vnic_send(sender, nbl, 64);
	vnic_client_cancel(client, id + 3, ticket); /* any thread may call it */
	while (vnic_ticket_verdict(ticket, &verdict) != 0) {
		vnic_control_poll(control); /* a lcore of its own in real life ... */
		vnic_adapter_poll(adapter); /* ... and so is this one */
	}
	printf("aborted %u, too late %u\n", (unsigned)verdict.aborted.nbls, (unsigned)verdict.too_late);
	for (unsigned n = 0; n < 64; vnic_adapter_poll(adapter)) { /* each comes back once */
		unsigned k = vnic_sender_poll(sender, nbl, 64);

		for (unsigned i = 0; i < k; i++) /* what was not sent is ours again */
			if (nbl[i]->status != VNIC_STATUS_SUCCESS)
				rte_pktmbuf_free(vnic_nbl_packets(nbl[i])[0]);
		vnic_nbl_free(pool, nbl, k);
		n += k;
	}
	vnic_ticket_destroy(ticket);
	vnic_sender_destroy(sender);
	vnic_client_close(client);
	vnic_adapter_destroy(adapter);
	vnic_control_destroy(control);
	vnic_nbl_pool_destroy(pool);
	return vnic_port_close(conf.port) || verdict.aborted.nbls != 16;
}
