#!/usr/bin/env -S python3 -B
# SPDX-License-Identifier: BSD-3-Clause
# flows.py - DPDK programs send flows through a running vnicd, some of which are cancelled; what
# arrives at the far side is what the verdicts say
# usage: flows.py VNICD CASE FLOWS-TEST      CASE: a function case_... below
import collections
import os
import re
import signal
import struct
import sys
import time

from hosts import WORK
from programs import Daemon, capture, dpdk, main, need_testpmd, testpmd, until, words

FLOWS = 8  # of a numbered sender
RECORD = struct.Struct("=II")
MEMIF = "net_memif%d,role=%s,socket=%s,socket-abstract=no"


# ---- the two ends of a wire ----

def memif(name, n=0):
    """Ours and the program's devargs."""
    path = "%s/%s.sock" % (WORK, name)
    return MEMIF % (n, "server", path), MEMIF % (n, "client", path)


def vhost(name, n=0):
    path = "%s/%s.sock" % (WORK, name)
    return ("net_vhost%d,iface=%s" % (n, path),
            "net_virtio_user%d,path=%s,queue_size=1024" % (n, path))


def site(face, port):
    return Daemon("[adapter a]\nport = %s\npackets_per_s = 20k\nburst_packets = 64\ndepth = 1024\n"
                  "[face f]\nport = %s\nreceive_depth = 16384\n" % (port, face), ("--no-huge", "-m", "512"))


class Numbered:
    """flows-test: a program that numbers what it sends, and notes what it receives."""

    def __init__(self, name, vdev):
        self.file = "%s/%s.numbers" % (WORK, name)
        self.process = dpdk(name, os.path.abspath(sys.argv[3]), vdev, after=(self.file,))
        self.sent = 0

    def send(self, flows, packets, first=0):
        self.process.stdin.write(b"%d %d %d\n" % (first, flows, packets))
        self.process.stdin.flush()

    def end(self):
        """The numbers that arrived, by flow."""
        self.process.stdin.close()
        rc = self.process.wait(60)
        assert rc == 0, (rc, words(self.process))
        flows = collections.defaultdict(list)
        with open(self.file, "rb") as f:
            for flow, number in RECORD.iter_unpack(f.read()):
                flows[flow].append(number)
        for flow, numbers in flows.items():
            assert all(a < b for a, b in zip(numbers, numbers[1:])), ("out of order or twice", flow)
        return flows


def connect(face, port):
    """A vnicd with a numbering program on each side, who all see each other."""
    d = site(face[0], port[0])
    far, near = Numbered("far", port[1]), Numbered("near", face[1])
    until(lambda: d.peer()["here"] and d.ask("state a")["sends"] == "SUCCESS" and
          "linked" in words(far.process) and "linked" in words(near.process), "no link", 30,
          [far.process, near.process, d.process])
    return d, far, near


def five(flow):
    return "udp 10.0.0.1 %d 10.0.0.2 2000" % (1000 + flow)


def by_flow(d, flow):
    return d.cancel("cancel_flow f " + five(flow))


def by_id(d, flow):
    return d.cancel("cancel a " + d.ask("id f " + five(flow))["id"])


def queue_is_long(d):
    until(lambda: d.stats()["queued_packets"] > 500, "nothing queues", alive=[d.process])


def cancel_some(d, rounds, ways):
    """Cancel the flows of `ways` again and again while packets are queued; what each lost."""
    aborted = collections.Counter()
    for _ in range(rounds):
        for flow, way in ways.items():
            queue_is_long(d)
            aborted[flow] += way(d, flow)
    return aborted


# ---- numbered packets ----

def settle(d, near, packets):
    """All that was sent has been accepted, and nothing of it is queued any more."""
    def done():
        s = d.stats()
        return s["accepted_packets"] == packets and s["queued_packets"] == 0
    until(done, "it does not end", 40, [near.process, d.process])


def numbered(face, port):
    """Flows 0 to 2 are cancelled by their 5-tuple, 3 and 4 by id, the others never."""
    d, far, near = connect(face, port)
    each = 6000
    near.send(FLOWS, each * FLOWS)
    aborted = cancel_some(d, 6, {0: by_flow, 1: by_flow, 2: by_flow, 3: by_id, 4: by_id})
    settle(d, near, each * FLOWS)
    assert all(aborted[flow] > 100 for flow in range(5)), aborted

    # the same flows once more, and now all of the face
    near.send(FLOWS, 1000 * FLOWS)
    whole = 0
    for _ in range(5):
        queue_is_long(d)
        whole += d.cancel("cancel_face f")
    settle(d, near, (each + 1000) * FLOWS)
    near.end()
    s = d.stats()
    got = far.end()
    d.end()
    first = {flow: [n for n in got[flow] if n < each] for flow in range(FLOWS)}
    print("aborted %s and %d" % (dict(aborted), whole))
    for flow in range(FLOWS):
        assert len(first[flow]) + aborted[flow] == each, (flow, len(first[flow]), aborted[flow])
    for flow in range(5, FLOWS):
        assert first[flow] == list(range(each)), flow
    second = sum(map(len, got.values())) - sum(map(len, first.values()))
    assert second + whole == 1000 * FLOWS, (second, whole)
    assert whole > 1000 and s["aborted_packets"] == whole + sum(aborted.values()), (s, whole)
    assert sorted(got) == list(range(FLOWS)) and s["accepted_packets"] == (each + 1000) * FLOWS, s


def case_numbered_memif():
    numbered(memif("up"), memif("down", 1))


def case_numbered_vhost():
    numbered(vhost("up"), vhost("down", 1))


def both(face, port):
    """Numbered packets in both directions at once, while flows that go down are cancelled."""
    d, far, near = connect(face, port)
    each, up = 3000, 2000
    near.send(FLOWS, each * FLOWS)
    far.send(FLOWS, up * FLOWS, 100)
    aborted = cancel_some(d, 4, {0: by_flow, 1: by_id})
    settle(d, near, each * FLOWS)
    until(lambda: d.query("receive,f")["delivered"] == up * FLOWS, "it does not end", 30,
          [near.process, far.process, d.process])
    # nobody leaves before both have everything: a peer's end takes back what it has queued
    at_near, at_far = near.end(), far.end()
    rows, upward = d.end()
    for flow in range(100, 100 + FLOWS):
        assert at_near[flow] == list(range(up)), (flow, len(at_near[flow]))
    for flow in range(FLOWS):
        assert len(at_far[flow]) + aborted[flow] == each, (flow, len(at_far[flow]), aborted)
        assert aborted[flow] > 0 or at_far[flow] == list(range(each)), flow
    assert len(at_near) == len(at_far) == FLOWS and min(aborted[0], aborted[1]) > 20, aborted
    f = upward["f"]
    assert f["received"] == f["delivered"] == up * FLOWS, upward


def case_both_memif():
    both(memif("up"), memif("down", 1))


def case_both_vhost():
    both(vhost("up"), vhost("down", 1))


# ---- testpmd, whose packets have no numbers ----

def stop(d, p):
    """Packets that are on their way still arrive, no more are sent; p is still there."""
    p.send_signal(signal.SIGSTOP)
    seen = []

    def done():
        s = d.stats()
        seen.append(s["accepted_packets"])
        time.sleep(0.02)
        return s["queued_packets"] == 0 and seen[-20:] == [seen[-1]] * 20
    until(done, "it does not end", alive=[d.process])


def flowgen(face):
    """Its flows come strictly by turns: of what was accepted, each has its part."""
    need_testpmd()
    flows = 64
    d = site(face[0], "net_pcap0,tx_pcap=%s/x.pcap" % WORK)
    p = testpmd("flowgen", face[1], "flowgen", more=("--flowgen-flows=%d" % flows,))

    def name(flow):
        return "udp 10.254.0.0 1000 10.253.0.%d 1001" % flow

    ways = {flow: (lambda d, flow: d.cancel("cancel_flow f " + name(flow))) for flow in range(3)}
    ways.update({flow: (lambda d, flow: d.cancel("cancel a " + d.ask("id f " + name(flow))["id"]))
                 for flow in range(30, 33)})
    aborted = cancel_some(d, 10, ways)
    stop(d, p)
    s = d.stats()
    d.end()
    got = collections.Counter(frame[33] for frame in capture(WORK + "/x.pcap"))
    print("aborted", dict(aborted), "received", sum(got.values()))
    assert sum(got.values()) == s["accepted_packets"] - s["aborted_packets"], s
    assert sum(aborted.values()) == s["aborted_packets"] and all(aborted[f] > 5 for f in ways), (s, aborted)
    turns, rest = divmod(s["accepted_packets"], flows)
    for flow in range(flows):
        assert got[flow] + aborted[flow] == turns + (flow < rest), (flow, got[flow], aborted[flow], turns, rest)


def case_flowgen_memif():
    flowgen(memif("up"))


def case_flowgen_vhost():
    flowgen(vhost("up"))


def txonly(face, port):
    """A second testpmd counts what arrives; flows are cancelled, and all of the face."""
    need_testpmd()
    d = site(face[0], port[0])
    far = testpmd("rxonly", port[1], "rxonly")
    until(lambda: d.ask("state a")["sends"] == "SUCCESS", "no far side", 30, [far, d.process])
    near = testpmd("txonly", face[1])
    aborted = collections.Counter()
    for n in range(20):
        queue_is_long(d)
        # testpmd adds its lcore's number, 1, to the last byte
        aborted[n] += d.cancel("cancel_flow f udp 198.18.%d.3 9 198.18.0.2 9" % n)
    whole = 0
    for _ in range(100):
        queue_is_long(d)
        whole += d.cancel("cancel_face f")
        if whole > 100:  # else the far side has just taken what was queued
            break
    stop(d, near)
    s = d.stats()
    assert s["rejected_packets"] == 0, s
    far.send_signal(signal.SIGINT)
    far.wait(60)
    d.end()
    got = int(re.search(r"RX-packets: (\d+)", open(far.files[0]).read())[1])
    print("aborted", dict(aborted), whole, "received", got)
    assert got == s["accepted_packets"] - s["aborted_packets"], (got, s)
    assert s["aborted_packets"] == whole + sum(aborted.values()) and whole > 100, s
    # what its port does not take testpmd drops, so that not every flow is always there
    assert sum(aborted.values()) > 20, aborted


def case_txonly_memif():
    txonly(memif("up"), vhost("down"))


def case_txonly_vhost():
    txonly(vhost("up"), memif("down"))


main(globals())
