#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
# operate.py - the operations of a running vnicd, under traffic, through its control socket
# usage: operate.py VNICD CASE      CASE: a function case_... below
import json
import os
import random
import re
import resource
import socket
import struct
import subprocess
import sys
import time

import hosts
from hosts import CONTROL, Client, ROOT, WORK, main, refused, skip


class Daemon(hosts.Daemon):
    def end(self):
        """Its tables: {adapter: {row: (NBLs, packets)}}, the account under None."""
        out = self.stop()
        tables, adapter = {}, None
        for line in out.splitlines():
            if m := re.match(r"adapter (\S+)", line):
                adapter = tables.setdefault(m[1], {})
            elif m := re.match(r"  (\S.*?) {2,}(\d+)(?: +(\d+))?$", line):
                if adapter is not None:
                    adapter[m[1]] = (int(m[2]), int(m[3] or m[2]))
            elif line.startswith("face"):
                adapter = None
        last = out.splitlines()[-1]
        tables[None] = {k: int(v) for k, v in re.findall(r"(\w+)=(\d+)", last)}
        for t in tables.values():
            if "queued" in t:
                for u in (0, 1):
                    n = [v[u] if isinstance(v, tuple) else v
                         for v in (t[k] for k in ("accepted", "sent", "aborted", "rejected", "queued"))]
                    assert n[0] == sum(n[1:]), ("the account does not balance", t)
        print(last)
        return tables


def expect(client, line, status, state=None):
    answer = client.ask(line)
    assert answer["status"] == status, (line, answer)
    assert state is None or answer["state"] == state, (line, answer)
    return answer


def frames(path):
    """How many frames a capture file has."""
    n = 0
    with open(path, "rb") as f:
        f.read(24)
        while len(head := f.read(16)) == 16:
            f.seek(struct.unpack("<I", head[8:12])[0], 1)
            n += 1
    return n


DEMO = "net_pcap_replay%%d,rx_pcap=%s/config/demo.pcap,infinite_rx=1" % ROOT


def demo(adapters, *faces):
    text = adapters
    for i, adapter in enumerate(faces):
        text += "[face f%d]\nport = %s\nadapter = %s\nmbufs = 16384\n" % (i, DEMO % i, adapter)
    return text + "[plan]\ncancels_per_s = 400\n"


# ---- good runs ----

def case_states():
    """Every operation under the demonstration's traffic; what was sent is on the wire, no more."""
    d = Daemon(demo("[adapter wire]\nport = net_pcap_wire,tx_pcap=%s/wire.pcap\nbits_per_s = 40M\n"
                    % WORK, "wire"))
    c = Client()
    assert c.ask("list") == {"adapters": ["wire"]}
    for _ in range(3):
        expect(c, "pause wire", "SUCCESS", "Paused")
        time.sleep(0.05)
        expect(c, "pause wire", "INVALID_STATE", "Paused")
        expect(c, "reset wire", "SUCCESS", "Paused")
        expect(c, "restart wire", "SUCCESS", "Running")
        time.sleep(0.1)
        expect(c, "reset wire", "SUCCESS", "Running")
        expect(c, "drain wire", "SUCCESS", "Running")
        expect(c, "power wire low", "SUCCESS", "Running")
        time.sleep(0.05)
        expect(c, "power wire full", "SUCCESS", "Running")
        expect(c, "halt wire", "INVALID_STATE", "Running")
        expect(c, "remove wire", "SUCCESS", "Halted")
        expect(c, "pause wire", "INVALID_STATE", "Halted")
        expect(c, "initialize wire", "SUCCESS", "Paused")
        expect(c, "restart wire", "SUCCESS", "Running")
        expect(c, "start wire", "REDIRECTOR_STARTED", "Running")
        time.sleep(0.1)
        expect(c, "stop wire", "REDIRECTOR_HAS_OPEN_HANDLES", "Halted")
        expect(c, "stop wire", "REDIRECTOR_STOPPED", "Halted")
        expect(c, "pause wire", "REDIRECTOR_NOT_STARTED", "Halted")
        expect(c, "start wire", "SUCCESS", "Running")
        time.sleep(0.1)
    state = c.ask("state wire")
    assert state["version"] == 4 and state["operations"] == 0 and state["sends"] == "SUCCESS", state
    expect(c, "pause wire", "SUCCESS", "Paused")
    expect(c, "halt wire", "SUCCESS", "Halted")
    expect(c, "shutdown wire", "INVALID_STATE", "Halted")
    expect(c, "initialize wire", "SUCCESS", "Paused")
    expect(c, "shutdown wire", "SUCCESS", "Shutdown")
    expect(c, "restart wire", "INVALID_STATE", "Shutdown")
    t = d.end()["wire"]
    for row in ("sent", "aborted", "paused", "low power", "media disconnected", "closing"):
        assert t[row][0] > 0, (row, t)
    assert frames(WORK + "/wire.pcap") == t["sent"][1], t
    print("on the wire:", t["sent"][1])


def case_layers():
    """A pacing layer and a duplicating layer, operations on all of them, exact accounts."""
    wire = "[adapter %s]\nport = net_pcap_%s,tx_pcap=" + WORK + "/%s.pcap\n"
    d = Daemon(demo(wire % (("w1",) * 3) + "bits_per_s = 100M\n" + wire % (("w2",) * 3) +
                    "[adapter top]\nlower = w1\nbits_per_s = 20M\n"
                    "[adapter both]\nlower = w1, w2\npackets_per_s = 4k\n", "top", "both"))
    c = Client()
    for _ in range(2):
        for name in ("top", "both", "w1", "w2"):
            expect(c, "pause " + name, "SUCCESS", "Paused")
            expect(c, "restart " + name, "SUCCESS", "Running")
            expect(c, "reset " + name, "SUCCESS", "Running")
            expect(c, "drain " + name, "SUCCESS", "Running")
            expect(c, "power %s low" % name, "SUCCESS")
            time.sleep(0.05)
            expect(c, "power %s full" % name, "SUCCESS")
            expect(c, "stop " + name, "REDIRECTOR_HAS_OPEN_HANDLES", "Halted")
            expect(c, "start " + name, "SUCCESS", "Running")
            time.sleep(0.1)
    t = d.end()
    assert frames(WORK + "/w1.pcap") == t["w1"]["sent"][1], t["w1"]
    assert frames(WORK + "/w2.pcap") == t["w2"]["sent"][1], t["w2"]
    # each NBL below is a clone; a parent that went to both and did not count as sent may have
    # left by one of them
    for name in ("top", "both"):
        assert t[name]["sent"][0] > 0 and t[name]["aborted"][0] > 0, (name, t[name])
    assert t["w1"]["sent"][1] >= t["top"]["sent"][1] + t["both"]["sent"][1], t
    assert t["w2"]["sent"][1] >= t["both"]["sent"][1], t
    assert t["w2"]["accepted"][1] <= t["both"]["accepted"][1], t
    print("on the wires:", t["w1"]["sent"][1], t["w2"]["sent"][1])


SLOW = ("[adapter a]\nport = net_null0,no-rx=1\npackets_per_s = 10\nburst_packets = 1\n"
        "[face f]\nport = net_null1\n")


def until(question, what):
    deadline = time.time() + 10
    while not question():
        assert time.time() < deadline, what
        time.sleep(0.01)


def case_disconnect():
    """A client that goes away, or whose time is over, cancels its pending request."""
    d = Daemon(SLOW)
    c, other = Client(), Client()
    c.write("drain a")  # 4096 packets at 10 a second
    until(lambda: other.ask("state a")["operations"] == 1, "the drain does not pend")
    c.close()
    until(lambda: other.ask("state a")["operations"] == 0, "the drain survives its client")
    begin = time.time()
    expect(other, "drain a 300", "CANCELLED", "Running")
    assert 0.25 < time.time() - begin < 5, "its time"
    expect(other, "link a down 200", "CANCELLED")
    # a stop cancels what pends
    c = Client()
    c.write("drain a")
    until(lambda: other.ask("state a")["operations"] == 1, "the drain does not pend")
    expect(other, "stop a", "REDIRECTOR_HAS_OPEN_HANDLES", "Halted")
    assert c.answer()["status"] == "CANCELLED"
    # killed, not closed: the kernel hangs up for it
    expect(other, "start a", "SUCCESS", "Running")
    time.sleep(0.2)
    peer = subprocess.Popen([sys.executable, "-c", "import socket, time\ns = socket.socket(socket.AF_UNIX)\n"
                             "s.connect(%r)\ns.send(b'drain a\\n')\ntime.sleep(60)" % CONTROL])
    until(lambda: other.ask("state a")["operations"] == 1, "the drain does not pend")
    peer.kill()
    peer.wait()
    until(lambda: other.ask("state a")["operations"] == 0, "the drain survives its client")
    # half closed: it still gets its answer
    c = Client()
    c.write("cancel a 0x1234")
    c.socket.shutdown(socket.SHUT_WR)
    answer = c.answer()
    assert answer["status"] == "SUCCESS" and answer["unknown"] == 1, answer
    d.end()


def face_link(name, up):
    """The program behind a face sees its adapter's link, and that its own interface is up all the same."""
    deadline = time.time() + 5
    while open("/sys/class/net/%s/carrier" % name).read() != "%d\n" % up:
        assert time.time() < deadline, (name, up)
        time.sleep(0.02)
    assert int(open("/sys/class/net/%s/flags" % name).read(), 16) & 1, "IFF_UP is gone"


def case_link():
    """The lower link goes down and comes back: sends complete MEDIA_DISCONNECTED meanwhile."""
    if os.getuid() != 0:
        skip("an interface needs root")
    if not os.path.exists("/dev/net/tun"):
        skip("no /dev/net/tun")
    tap = "vl%d" % (os.getpid() % 100000)
    d = Daemon("[adapter a]\nport = net_tap0,iface=%s\npackets_per_s = 1k\n[face f]\nport = net_null1\n"
               "[face g]\nport = net_tap2,iface=%sg\n" % (tap, tap))
    c, waiter = Client(), Client()
    link = lambda how: subprocess.check_call(["ip", "link", "set", tap, how])
    link("up")
    subprocess.check_call(["ip", "link", "set", tap + "g", "up"])
    expect(c, "link a up 5000", "SUCCESS")
    assert c.ask("state a")["sends"] == "SUCCESS"
    waiter.write("link a down 8000")
    time.sleep(0.1)
    link("down")
    assert waiter.answer()["status"] == "SUCCESS"
    face_link(tap + "g", False)
    assert c.ask("state a")["sends"] == "MEDIA_DISCONNECTED"
    expect(c, "pause a", "SUCCESS", "Paused")
    expect(c, "restart a", "SUCCESS", "Running")
    waiter.write("link a up 8000")
    time.sleep(0.1)
    link("up")
    assert waiter.answer()["status"] == "SUCCESS"
    assert c.ask("state a")["sends"] == "SUCCESS"
    face_link(tap + "g", True)
    t = d.end()["a"]
    said = open(WORK + "/err").read()
    for line in ("adapter a: link down; face g was told; what is sent comes back until the link is up: see to",
                 "adapter a: link up; face g was told",
                 "link down; face f cannot be told"):
        assert line in said, said
    assert "face g: its link" not in said, said  # its peer is there
    assert t["media disconnected"][0] > 0 and t["sent"][0] > 0, t


# ---- ids of flows ----

class Capture:
    """Frames of flows, each frame with its flow's name and a number of its own."""

    def __init__(self, path):
        self.file = open(path, "wb")
        self.file.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
        self.number = 0

    def put(self, name, headers):
        frame = headers + struct.pack("!4s8sI", b"FLOW", name.encode(), self.number) + b"." * 30
        self.number += 1
        self.file.write(struct.pack("<IIII", 0, 0, len(frame), len(frame)) + frame)

    def close(self):
        self.file.close()


def headers(protocol, source, sport, destination, dport, vlan=0, dscp=0, label=0):
    """Ethernet, IP, UDP or TCP, as far as a flow tells them."""
    frame = b"\x02\0\0\0\0\x02\x02\0\0\0\0\x01"
    if vlan:
        frame += struct.pack("!HH", 0x8100, 0xa000 | vlan)
    l4 = struct.pack("!HH", sport, dport)
    l4 += struct.pack("!HH", 54, 0) if protocol == 17 else struct.pack("!IIBBHHH", 1, 1, 0x50, 0x10, 9, 0, 0)
    if ":" in source:
        frame += struct.pack("!HIHBB", 0x86dd, 6 << 28 | dscp << 22 | label, len(l4) + 46, protocol, 64)
        frame += socket.inet_pton(socket.AF_INET6, source) + socket.inet_pton(socket.AF_INET6, destination)
    else:
        frame += struct.pack("!HBBHHHBBH", 0x800, 0x45, dscp << 2, len(l4) + 66, 1, 0x4000, 64, protocol, 0)
        frame += socket.inet_aton(source) + socket.inet_aton(destination)
    return frame + l4


def tagged(path):
    """How many frames of each flow a capture file has; each at most once, in their order."""
    count, last = {}, {}
    with open(path, "rb") as f:
        f.read(24)
        while len(head := f.read(16)) == 16:
            data = f.read(struct.unpack("<I", head[8:12])[0])
            at = data.index(b"FLOW")
            name, number = data[at + 4:at + 12].rstrip(b"\0").decode(), struct.unpack("!I", data[at + 12:at + 16])[0]
            assert number > last.get(name, -1), (name, number)
            last[name] = number
            count[name] = count.get(name, 0) + 1
    return count


UDP, TCP, EACH = 17, 6, 400
# flow: what its frames have, in words, the rule of f0 below that marks it
FLOWS = {
    "a": ((UDP, "10.0.0.1", 1000, "10.0.0.2", 80), {}, "udp 10.0.0.1 1000 10.0.0.2 80", 5),
    "b": ((UDP, "10.0.0.1", 1001, "10.0.0.2", 80), {}, "udp 10.0.0.1 1001 10.0.0.2 80", 5),
    "port": ((UDP, "10.0.0.1", 1000, "10.0.0.2", 5001), {}, "udp 10.0.0.1 1000 10.0.0.2 5001", 1),
    "vlan": ((TCP, "10.0.0.1", 1000, "10.0.0.2", 80), {"vlan": 7}, "tcp 10.0.0.1 1000 10.0.0.2 80 vlan 7", 2),
    "dscp": ((TCP, "10.0.0.1", 1000, "10.0.0.2", 80), {"dscp": 46}, "tcp 10.0.0.1 1000 10.0.0.2 80 dscp 46", 3),
    "label": ((UDP, "2001:db8::1", 1000, "2001:db8::2", 80), {"label": 0x12345},
              "udp 2001:db8::1 1000 2001:db8::2 80 label 0x12345", 4),
    "six": ((TCP, "2001:db8::1", 1000, "2001:db8::2", 80), {}, "tcp 2001:db8::1 1000 2001:db8::2 80", 5),
    "kept": ((UDP, "10.0.0.1", 1002, "10.0.0.2", 80), {}, "udp 10.0.0.1 1002 10.0.0.2 80", 5),
}


def captures():
    c = Capture(WORK + "/f0.pcap")
    for _ in range(EACH):
        for name, (tuple_, more, _, _) in FLOWS.items():
            c.put(name, headers(*tuple_, **more))
    c.close()
    c = Capture(WORK + "/f1.pcap")
    for i in range(EACH):
        c.put("f1", headers(UDP, "10.0.0.9", 9, "10.0.0.2", 9, vlan=9 if i % 4 == 0 else 0))
    c.close()
    Capture(WORK + "/f2.pcap").close()


def case_ids():
    """Cancels by id, by flow and of a face: on the wire exactly what was aborted is missing."""
    captures()
    face = "[face f%d]\nport = net_pcap_f%d,rx_pcap=" + WORK + "/f%d.pcap\nid = %s\n"
    d = Daemon("[adapter wire]\nport = net_pcap_wire,tx_pcap=%s/wire.pcap\npackets_per_s = 200\n" % WORK +
               face % (0, 0, 0, "port 5001, vlan 7, dscp 46, label, flow") + face % (1, 1, 1, "vlan 9, port 7777") +
               face % (2, 2, 2, "bytes 26 4, bytes 70 2, flow"))
    c = Client()
    ids, aborted = {}, {}
    for name, (_, _, words, rule) in FLOWS.items():
        answer = c.ask("id f0 " + words)
        assert answer["rule"] == rule and answer["face"] == "f0", (name, answer)
        assert answer == d.query("id,f0," + words.replace(" ", ",")), (name, answer)
        ids[name] = int(answer["id"], 16)
    assert len(set(ids.values())) == len(ids), ids
    prefix = ids["port"] >> 56
    assert ids["port"] == prefix << 56 | 5001 and ids["vlan"] == prefix << 56 | 1 << 53 | 7, ids
    assert ids["label"] == prefix << 56 | 3 << 53 | 0x12345, ids
    seen = d.query("ids,f0")
    for i, n in enumerate((1, 1, 1, 1, 4)):
        assert seen["rule_%d_packets" % (i + 1)] == n * EACH, seen
    assert seen["rule_1"] == "port 5001" and seen["unmarked_packets"] == 0, seen

    def took(name, answer):
        assert answer["status"] == "SUCCESS" and answer["aborted_packets"] > EACH // 8, (name, answer)
        aborted[name] = answer["aborted_packets"]

    took("a", c.ask("cancel wire %d" % ids["a"]))
    took("port", c.ask("cancel wire face f0 flow %s 5000" % FLOWS["port"][2]))
    took("vlan", d.query("cancel_flow,f0," + FLOWS["vlan"][2].replace(" ", ",")))
    took("label", c.ask("cancel_flow f0 " + FLOWS["label"][2]))
    took("six", d.query("cancel,wire,face,f0,flow," + FLOWS["six"][2].replace(" ", ",")))
    again = c.ask("cancel wire %#x" % ids["a"])
    assert again["unknown"] == 1 and again["aborted_packets"] == 0, again
    # what no rule marks: no id, no cancel by flow; of the whole face all the same
    other = "udp 10.0.0.9 9 10.0.0.2 9"
    assert c.ask("id f1 " + other) == {"face": "f1", "id": "0", "rule": 0, "by": "none"}
    assert "no id to cancel by" in c.ask("cancel wire face f1 flow " + other)["error"]
    assert c.ask("id f1 %s vlan 9" % other)["by"] == "vlan 9"
    assert d.query("ids,f1")["unmarked_packets"] == EACH * 3 // 4
    took("f1", d.query("cancel_face,f1"))
    answer = c.ask("cancel wire face f1")
    assert answer["status"] == "SUCCESS" and answer["aborted_packets"] == 0, answer
    # bytes: where the flow tells them, and where it does not
    answer = c.ask("id f2 udp 10.1.2.3 9 10.0.0.2 9")
    assert answer["by"] == "bytes 26 4" and int(answer["id"], 16) & 0xffffffff == 0x0a010203, answer
    answer = c.ask("id f2 udp 10.1.2.3 9 10.0.0.2 9 vlan 5")
    assert "rule 1, bytes 26 4, goes by what a flow does not tell" in answer["error"], answer
    expect(c, "drain wire 60000", "SUCCESS")
    d.end()
    wire = tagged(WORK + "/wire.pcap")
    for name in list(FLOWS) + ["f1"]:
        assert wire.get(name, 0) == EACH - aborted.get(name, 0), (name, wire, aborted)
    out = open(WORK + "/out").read()
    assert re.search(r"id by label +%d" % EACH, out) and re.search(r"unmarked +%d" % (EACH * 3 // 4), out), out
    print("aborted:", aborted, "on the wire:", wire)


def case_queues():
    """A port of two queues on either side: a face polls both, two adapters send by one each."""
    captures()
    wire = ",".join("tx_pcap=%s/w%d.pcap" % (WORK, q) for q in (0, 1))
    d = Daemon("[adapter a]\nport = net_pcap_wire,%s\n[adapter b]\nshares = a\n" % wire +
               "[face f0]\nadapter = a\nqueues = 2\nport = net_pcap_f0,rx_pcap=%s/f0.pcap,rx_pcap=%s/f1.pcap\n"
               % (WORK, WORK) +
               "[face f1]\nadapter = b\nport = net_pcap_f1,rx_pcap=%s/f1.pcap\n" % WORK)
    sent = {"a": EACH * (len(FLOWS) + 1), "b": EACH}
    for name, n in sent.items():
        start = time.time()
        while d.query("stats," + name)["sent_packets"] != n:
            assert time.time() < start + 30, (name, n)
            time.sleep(0.05)
    d.end()
    first, second = tagged(WORK + "/w0.pcap"), tagged(WORK + "/w1.pcap")
    assert first == {name: EACH for name in [*FLOWS, "f1"]} and second == {"f1": EACH}, (first, second)
    refused("[adapter a]\nport = net_null0\n[face f]\nqueues = 3\nport = net_pcap_f0,rx_pcap=%s/f0.pcap\n" % WORK,
            "has not so many queues")


def case_share():
    """Faces share the pace by their weights, and each keeps to its limits."""
    face = "[face f%d]\nport = net_null%d\nadapter = wire\nweight = %d\n%s"
    d = Daemon("[adapter wire]\nport = net_null_wire,no-rx=1\npackets_per_s = 20k\nreceive = no\n" +
               face % (1, 1, 1, "limit = 100\ncancel_limit = 1\n") + face % (3, 3, 3, ""))
    c = Client()
    share = lambda f: d.query("share," + f)
    first, third, start = share("f1"), share("f3"), time.time()
    assert first["weight"] == 1 and first["limit"] == 100 and first["cancel_limit"] == 1, first
    assert third["weight"] == 3 and third["limit"] == third["cancel_limit"] == 0, third
    while share("f1")["sent"] - first["sent"] < 10000:
        assert time.time() < start + 60, share("f1")
        time.sleep(0.1)
    one, three = (now["sent"] - was["sent"] for now, was in ((share("f1"), first), (share("f3"), third)))
    print("1:3 gives", one, three)
    assert 2.8 * one < three < 3.2 * one, (one, three)
    now = share("f1")
    assert now["received"] - now["sent"] - now["aborted"] <= 100 and now["limited"] > 100, now
    took = [c.ask("cancel_face f1") for _ in range(20)]
    ended = [a["status"] for a in took]
    assert ended[0] == "SUCCESS" and 0 < took[0]["aborted_packets"] <= 100, took[0]
    assert ended.count("RESOURCES") > 10, ended
    # the other is not bound by it, nor is who may cancel anything on the adapter
    assert {c.ask("cancel_face f3")["status"] for _ in range(20)} == {"SUCCESS"}
    assert c.ask("cancel wire 7")["unknown"] == 1
    now = share("f1")
    assert now["cancels"] == ended.count("SUCCESS") and now["cancels_limited"] == ended.count("RESOURCES"), now
    assert now["prefix"] != share("f3")["prefix"] and share("f3")["cancels"] == 20
    for bad in "share", "share,nobody":
        assert "no such face" in d.query(bad)["error"]
    d.end()


def case_ids_refused():
    """Questions that have no answer and rules that cannot be: one line each."""
    d = Daemon(SLOW + "adapter = a\n[adapter b]\nport = net_null2\npackets_per_s = 10\n"
               "[face g]\nport = net_null3\nadapter = b\nreceive = no\nid = vlan\n"
               "[face h]\nport = net_null4\nadapter = b\n")
    c = Client()
    good = "udp 10.0.0.1 1 10.0.0.2 2"
    for line, why in {
            "id": "no such face", "id nobody " + good: "no such face", "id f": "PROTO is tcp",
            "id f ip 10.0.0.1 1 10.0.0.2 2": "PROTO is tcp", "id f udp 10.0.0 1 10.0.0.2 2": "SRC is an address",
            "id f udp": "SRC is an address", "id f udp 10.0.0.1 1": "DST is an address of IPv4",
            "id f udp 10.0.0.1 1 ::1 2": "DST is an address of IPv4",
            "id f udp ::1 1 1.1.1.1 2": "DST is an address of IPv6",
            "id f udp 10.0.0.1 65536 10.0.0.2 2": "SPORT and DPORT are 0..65535",
            "id f icmp 10.0.0.1 1 10.0.0.2 0": "SPORT and DPORT are 0..0 of icmp",
            "id f udp 10.0.0.1 1 10.0.0.2": "SPORT and DPORT are", "id f %s vlan" % good: "vlan is 1..4095",
            "id f %s vlan 4096" % good: "vlan is 1..4095", "id f %s dscp 64" % good: "dscp is 0..63",
            "id f %s label 5" % good: "IPv4 has no label", "id f %s more" % good: "too many words",
            "id f %s 5000" % good: "too many words", "cancel a": "ID is a number",
            "cancel a face": "has no such face; faces a names them", "cancel a face g": "adapter a has no such face",
            "receive g": "face g does not receive; it does with receive = yes",
            "cancel b face g flow " + good: "no rule of face g applies to this flow: it has no id to cancel by; ids g "
                                            "tells its rules",
            "cancel b flow " + good: "has several faces",
            "cancel a flow": "PROTO is tcp", "cancel a flow %s 0" % good: "TIMEOUT_MS is a number",
            "cancel a flow %s 1 2" % good: "too many words", "cancel_face": "no such face; faces names them, then cancel_face FACE",
            "cancel_face a": "no such face", "cancel_face f x": "TIMEOUT_MS", "cancel_flow f": "PROTO is tcp"}.items():
        answer = c.ask(line)
        assert why in answer.get("error", ""), (line, answer)
    assert c.ask("cancel a flow %s 5000" % good)["unknown"] == 1
    assert c.ask("cancel b face h flow " + good)["unknown"] == 1
    assert c.ask("id f icmp ::1 0 ::2 0")["by"] == "flow"
    answer = c.ask("cancel b face h")
    assert answer["status"] == "SUCCESS" and answer["aborted_packets"] > 0, answer
    d.end()
    refused("[adapter a]\nport = net_null0\n[face f]\nport = net_null1\nid = vlan, flow, port 5\n",
            "r.ini:5: id: 'port 5' can never match, 'flow' before it")
    refused("[adapter a]\nport = net_null0\n[face f]\nport = net_null1\nid = vlan 5000\n",
            "r.ini:5: id: 'vlan 5000': ID is out of range")


# ---- bad input ----

def case_garbage():
    """Whatever is written to the socket, the daemon goes on answering."""
    d = Daemon(SLOW)
    good = Client()
    lines = ["", " ", "pause", "pause nobody", "pause a b", "pause a 0", "pause a -1", "pause a 99999999999",
             "cancel a", "cancel a 0", "cancel a 0x", "cancel a 18446744073709551616", "power a", "power a half",
             "link a", "link a sideways", "drain a 1 2", "state", "state nobody", "PAUSE a", "pausea",
             "stop", "x" * 200, 'pause "a"', "cancel a \\", "pause\ta,", "\x7f\x01"]
    for line in lines:
        if line.strip() == "":
            continue
        answer = good.ask(line)
        assert "error" in answer or answer["status"] in ("SUCCESS", "INVALID_STATE"), (line, answer)
    expect(good, "restart a", "SUCCESS", "Running")  # 'pause\ta,' is well formed
    rng = random.Random(5)
    for _ in range(200):
        c = Client()
        c.socket.sendall(bytes(rng.choice(b"pause a\n\0\r\xff,0x") for _ in range(rng.randrange(1, 2000))))
        c.close()
    c = Client()
    c.socket.sendall(b"y" * 300)  # no line ends here
    assert "255 characters" in c.file.readline()
    try:
        assert c.file.readline() == ""
    except ConnectionResetError:  # some of it was not read
        pass
    many = [Client() for _ in range(40)]  # more than it serves
    time.sleep(0.1)
    for m in many:
        m.close()
    deaf = Client()  # does not read its answers
    deaf.socket.settimeout(1)
    try:
        for _ in range(20000):
            deaf.write("list")
    except OSError:
        pass
    until(lambda: good.ask("state a")["operations"] == 0, "something pends")
    good.ask("restart a")
    assert good.ask("list") == {"adapters": ["a"]}
    d.end()


def case_no_descriptors():
    """With no descriptor to spare it serves those whom it has, waits at rest, and goes on when there is one."""
    d = Daemon(SLOW)
    pid, served = d.process.pid, Client()
    served.ask("list")

    def used_s():
        """What its main thread has used of a CPU."""
        with open("/proc/%d/task/%d/schedstat" % (pid, pid)) as f:
            return int(f.read().split()[0]) / 1e9

    def free():
        return min(set(range(4096)) - set(map(int, os.listdir("/proc/%d/fd" % pid))))

    others = []
    while free() < 24:  # poll() itself refuses to look at more than the limit
        others.append(Client())
        others[-1].ask("list")
    limits = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (free(), limits[1]))
    waiting = Client()
    waiting.write("list")
    begin = used_s()
    time.sleep(1)
    assert used_s() - begin < 0.1, ("it polls for who waits", used_s() - begin)
    assert served.ask("list") == {"adapters": ["a"]}
    waiting.socket.settimeout(0.1)
    try:
        assert False, ("served without a descriptor", waiting.socket.recv(100))
    except TimeoutError:
        waiting.socket.settimeout(30)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)
    assert json.loads(waiting.socket.recv(1000)) == {"adapters": ["a"]}
    d.end()


def malformed(rng):
    """A line that no operation is: words of the protocol in a wrong order, cut, or with other bytes."""
    words = rng.choices(["pause", "cancel", "stats", "show", "id", "histogram", "log", "flow", "face", "udp", "f",
                         "10.0.0.1", "::1", "99999", "-1", "0x", "1e9", "\"", "\\\\", "\x7f", "\x1b[2J", "%s%n",
                         "a" * 40, "\xff", "\u20ac", ",", "\t", "{}", "null"], k=rng.randrange(1, 12))
    line = " ".join(words).encode("latin-1", "replace") if rng.random() < 0.5 else " ".join(words).encode()
    if rng.random() < 0.3:
        line = bytes(rng.randrange(256) for _ in range(rng.randrange(1, 100))).replace(b"\n", b"?").replace(b"\0", b"?")
    return b"nothing " + line if rng.random() < 0.3 else line[:250]


def is_question(line):
    """Of show and log some are good by chance."""
    words = [w for w in re.split(rb"[ \t,]+", line) if w]
    return line.startswith(words[0]) and (words in ([b"show"], [b"show", b"f"]) or
                                          words[0] == b"log" and len(words) < 3)


def malformed_telemetry(d, rng, n):
    """The same after each command of telemetry."""
    d.query("list")
    d.telemetry.send(b"/")
    offered = [c for c in json.loads(d.telemetry.recv(65536))["/"] if c.startswith("/vnic/")]
    assert len(offered) > 25, offered
    for _ in range(n):
        command, line = rng.choice(offered).removeprefix("/vnic/").encode(), malformed(rng)
        d.telemetry.send(b"/vnic/" + command + b"," + line)
        (key, answer), = json.loads(d.telemetry.recv(65536)).items()
        assert key == "/vnic/" + command.decode(), (key, command)
        words = [w for w in re.split(rb"[ \t,]+", line) if w]
        if words and words[0] != b"f" and command not in (b"show", b"log"):
            assert "error" in answer, (command, line, answer)


def case_malformed():
    """10^5 malformed messages: each is answered by one line of JSON, an error, and the daemon goes on."""
    d = Daemon(SLOW)
    rng, good, n = random.Random(7), Client(), 0
    clients = [Client() for _ in range(4)]
    for c in clients:
        c.raw = c.socket.makefile("rb")
    while n < 100000:
        c = rng.choice(clients)
        lines = [malformed(rng) for _ in range(100)]
        lines = [l for l in lines if l.strip(b" \t,\r")]
        c.socket.sendall(b"".join(l + b"\n" for l in lines))
        for line in lines:
            answer = json.loads(c.raw.readline())
            assert ("error" in answer) != is_question(line) or answer.get("status") == "INVALID_STATE", (line, answer)
        n += len(lines)
    malformed_telemetry(d, rng, 5000)
    print(n, "malformed messages, and 5000 by telemetry")
    assert good.ask("list") == {"adapters": ["a"]}
    expect(good, "pause a", "SUCCESS", "Paused")
    d.end()


def case_refused():
    """Sockets and layers that cannot be: one line, and a non-zero exit."""
    base = "[vnicd]\ncontrol = %s\n" + SLOW
    refused(base % (WORK + "/none/control"), "control = .*No such file or directory.*a folder that")
    refused(base % ("/tmp/" + "x" * 120), "at most 107 characters")
    s = socket.socket(socket.AF_UNIX)
    s.bind(CONTROL)
    s.listen()
    refused(base % CONTROL, "is in use")
    s.close()  # left behind, nobody listens: it is taken over
    Daemon(SLOW).end()
    assert not os.path.exists(CONTROL), "the socket is left behind"
    layer = "[adapter a]\nport = net_null0\n[adapter b]\n%s\n[face f]\nport = net_null1\nadapter = b\n"
    refused(layer % "lower = c", r"r.ini:4: lower: 'c' is no \[adapter\] above")
    refused(layer % "lower = b", r"r.ini:4: lower: 'b' is no \[adapter\] above")
    refused(layer % "lower = a, a", "r.ini:4: lower names a twice")
    refused(layer % "lower = a\nport = net_null2", "two of port, shares and lower")
    refused(layer % "depth = 64", r"r.ini:3: no port in this \[adapter\]")


main(globals())
