// SPDX-License-Identifier: BSD-3-Clause
// embed.cc - embed.c in C++: what is created goes by itself
#include <array>
#include <cstdio>
#include <memory>

#include <rte_eal.h>
#include <rte_mbuf.h>
#include <vnic.h>

template <auto destroy> struct With {
	template <class T> void operator()(T *object) const { destroy(object); }
};
template <class T, auto destroy> using Owned = std::unique_ptr<T, With<destroy>>;

int main(int argc, char **argv)
{
	std::array<char, 256> why;
	vnic_port_conf port{};
	vnic_adapter_conf conf{};
	std::array<vnic_nbl *, 64> nbl;
	vnic_verdict verdict;

	if (rte_eal_init(argc, argv) < 0)
		return 1;
	port.numa_node = -1;
	if (vnic_port_open("net_null0", &port, 1024, &conf.port, why.data(), why.size()) != 0)
		return std::fprintf(stderr, "%s\n", why.data()), 1;
	conf.name = "a0";
	conf.pacing.packets_per_s = 1000;
	conf.numa_node = -1;
	rte_mempool *packets = rte_pktmbuf_pool_create("p", 1023, 0, 0, 2048, -1);
	{
		Owned<vnic_nbl_pool, vnic_nbl_pool_destroy> pool(vnic_nbl_pool_create("nbls", 1024, 1, -1));
		Owned<vnic_control, vnic_control_destroy> control(vnic_control_create(-1));
		Owned<vnic_adapter, vnic_adapter_destroy> adapter(vnic_adapter_create(control.get(), &conf));
		Owned<vnic_client, vnic_client_close> client(vnic_client_open(adapter.get()));
		Owned<vnic_sender, vnic_sender_destroy> sender(vnic_sender_create(client.get(), pool.get(), 256));
		Owned<vnic_ticket, vnic_ticket_destroy> ticket(vnic_ticket_create(-1));
		const uint64_t id = uint64_t{vnic_client_prefix(client.get())} << VNIC_CANCEL_ID_PREFIX_SHIFT;

		vnic_adapter_up(adapter.get());
		vnic_nbl_alloc(pool.get(), nbl.data(), 64);
		for (unsigned i = 0; i < 64; i++) {
			rte_mbuf *packet = rte_pktmbuf_alloc(packets);

			rte_pktmbuf_append(packet, 64);
			vnic_nbl_packets(nbl[i])[0] = packet;
			nbl[i]->nb_packets = 1;
			nbl[i]->cancel_id = id + 1 + i % 4; // four flows
		}
		vnic_send(sender.get(), nbl.data(), 64);
		vnic_client_cancel(client.get(), id + 3, ticket.get()); // any thread may call it
		while (vnic_ticket_verdict(ticket.get(), &verdict) != 0) {
			vnic_control_poll(control.get());
			vnic_adapter_poll(adapter.get());
		}
		for (unsigned n = 0; n < 64; vnic_adapter_poll(adapter.get())) { // each comes back once
			unsigned k = vnic_sender_poll(sender.get(), nbl.data(), 64);

			for (unsigned i = 0; i < k; i++) // what was not sent is ours again
				if (nbl[i]->status != VNIC_STATUS_SUCCESS)
					rte_pktmbuf_free(vnic_nbl_packets(nbl[i])[0]);
			vnic_nbl_free(pool.get(), nbl.data(), static_cast<uint32_t>(k));
			n += k;
		}
	}
	std::printf("aborted %u, too late %u\n", static_cast<unsigned>(verdict.aborted.nbls),
		    static_cast<unsigned>(verdict.too_late));
	return vnic_port_close(conf.port) != 0 || verdict.aborted.nbls != 16;
}
