#!/usr/bin/python3 -B
# SPDX-License-Identifier: BSD-3-Clause
# kernel.py - the kernel's own stack on both sides of vnicd, in network namespaces: programs that
# know nothing of it talk through it while what they send is cancelled
# usage: kernel.py VNICD CASE      CASE: a function case_... below
import json
import random
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import threading
import time

from hosts import ROOT, TAG, WORK, Daemon, Space, mac, main, must, need, run, skip, started

DEPTH = 4096


def wants(*programs):
    need()
    for p in programs:
        if shutil.which(p) is None:
            skip("no %s here; apt-get install -y %s" % (p, p))


def until(what, why, seconds=30):
    deadline = time.time() + seconds
    while not what():
        assert time.time() < deadline, why() if callable(why) else why
        time.sleep(0.002)


# ---- the site: a namespace above, one below ----

class Site:
    """What a sends goes through a face and an adapter, which may be paced, to b."""

    def __init__(self, kind, adapter="", face="", options="", mtu=1500):
        wants("ethtool")
        self.a, self.b = a, b = Space(1), Space(2)
        if kind == "xdp":
            try:
                socket.socket(44, socket.SOCK_RAW).close()
            except OSError as e:
                skip("no AF_XDP in this kernel: %s" % e.strerror)
        port = {"tap": "net_af_packet%d,framecnt=4096,iface=%s", "packet": "net_af_packet%d,framecnt=4096,iface=%s",
                "xdp": "net_af_xdp%d,iface=%s"}[kind] + options
        above = "net_tap1,iface=" + a.tap() if kind == "tap" else port % (1, a.veth())
        self.d = Daemon("[adapter wire]\nport = %s\ndepth = %d\n%s[face f]\nport = %s\n%s" %
                        (port % (2, b.veth()), DEPTH, adapter, above, face))
        if kind == "tap":
            a.take()
        for x, other, name in ((a, b, "vt1" if kind == "tap" else "vb1"), (b, a, "vb2")):
            if name != "vt1":
                # the kernel is to hand over frames as they are on a wire
                p = x.run("ethtool", "-K", name + TAG, "tx", "off", "tso", "off", "gso", "off", "gro", "off")
                assert p.returncode == 0, p.stderr
            must("ip", "-n", x.name, "neigh", "add", other.address, "lladdr", mac(other.n), "dev", name + TAG)
        a.ping(b)
        b.ping(a)

    def ask(self, line):
        answer = self.d.ask(line)
        assert answer.get("status", "SUCCESS") == "SUCCESS" and "error" not in answer, (line, answer)
        return answer

    def stats(self):
        """The account, which balances whenever it is asked for."""
        s = self.d.query("stats,wire")
        assert s["accepted_packets"] == sum(s[k + "_packets"] for k in (
            "sent", "aborted", "rejected", "queued")), s
        return s

    def id(self, flow):
        return self.ask("id f " + flow)["id"]

    def cancel(self, line):
        """How many packets are taken back."""
        return self.ask(line)["aborted_packets"]

    def drain(self):
        self.ask("drain wire 60000")

    def end(self):
        """No socket of the kernel's has lost anything either."""
        for x in self.a, self.b:
            for line in re.findall(r"(?m)^Udp: (\D.*)\nUdp: (.*)$", x.run("cat", "/proc/net/snmp").stdout):
                udp = dict(zip(line[0].split(), map(int, line[1].split())))
                assert udp["RcvbufErrors"] == udp["InCsumErrors"] == udp["SndbufErrors"] == 0, udp
        return self.d.end()


# ---- what is sent, and what arrives ----

ANY = 3  # ETH_P_ALL
OUTGOING = 4
TAGGED, WITH_TYPE = 0x10, 0x40
AUXDATA, STATISTICS, SOL_PACKET = 8, 6, 263
PATTERN = random.Random(1).randbytes(4096)


def roomy(s, bytes=64 << 20):
    s.setsockopt(socket.SOL_SOCKET, 33, bytes)  # SO_RCVBUFFORCE
    return s


class Wire:
    """All frames that arrive at an interface of a namespace, byte for byte."""

    def __init__(self, space, name):
        self.socket = roomy(space.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ANY)))
        self.socket.setsockopt(SOL_PACKET, AUXDATA, 1)
        self.socket.bind((name, ANY))
        self.socket.setblocking(False)
        self.frames = []

    def take(self):
        while select.select([self.socket], [], [], 0)[0]:
            frame, extra, _, address = self.socket.recvmsg(65536, 64)
            if address[2] == OUTGOING:
                continue
            status, _, _, _, _, tci, tpid = struct.unpack("IIIHHHH", extra[0][2])
            if status & TAGGED:  # the kernel has taken it out
                frame = frame[:12] + struct.pack("!HH", tpid if status & WITH_TYPE else 0x8100, tci) + frame[12:]
            self.frames.append(frame)
        lost = struct.unpack("II", self.socket.getsockopt(SOL_PACKET, STATISTICS, 8))[1]
        assert lost == 0, "the test's own socket has lost %d frames" % lost
        return self.frames


def payload(flow, seq):
    at = (flow * 37 + seq * 101) % 1300
    return struct.pack("!HI", flow, seq) + PATTERN[at:at + at]


class Flows:
    """UDP from a to b, a flow to each port; what has been sent of each, what was taken back."""

    def __init__(self, site, nb):
        self.site, self.nb = site, nb
        self.to = [self.udp(site.a, 6000 + i) for i in range(nb)]
        self.at = [roomy(self.udp(site.b, 7000 + i)) for i in range(nb)]
        self.sent, self.aborted, self.got = [0] * nb, [0] * nb, [[] for _ in range(nb)]
        self.before = site.stats()

    @staticmethod
    def udp(space, port):
        s = space.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.bind((space.address, port))
        s.setblocking(False)
        return s

    def words(self, i):
        return "udp %s %d %s %d" % (self.site.a.address, 6000 + i, self.site.b.address, 7000 + i)

    def accepted(self):
        return self.site.stats()["accepted_packets"] - self.before["accepted_packets"]

    def send(self, each, flows=None):
        """So many more of each, in turn; never more under way than the ports before us hold."""
        for k in range(each):
            for i in flows or range(self.nb):
                self.to[i].sendto(payload(i, self.sent[i]), (self.site.b.address, 7000 + i))
                self.sent[i] += 1
                if sum(self.sent) % 64 == 0:
                    self.wait_accepted()
        self.wait_accepted()

    def wait_accepted(self):
        until(lambda: self.accepted() >= sum(self.sent), lambda: "%d sent, %d accepted" %
              (sum(self.sent), self.accepted()))

    def cancel(self, i, line):
        n = self.site.cancel(line)
        self.aborted[i] += n
        return n

    def take(self):
        for i in range(self.nb):
            while select.select([self.at[i]], [], [], 0)[0]:
                data = self.at[i].recv(2048)
                flow, seq = struct.unpack("!HI", data[:6])
                assert flow == i and data == payload(flow, seq), (i, flow, seq)
                self.got[i].append(seq)
        return sum(map(len, self.got))

    def check(self):
        """What was reported aborted did not arrive, and everything else did, in its order."""
        want = sum(self.sent) - sum(self.aborted)
        until(lambda: self.take() >= want, lambda: "%d of %d arrived: %s" %
              (self.take(), want, [(s, len(g), a) for s, g, a in zip(self.sent, self.got, self.aborted)]))
        now = self.site.stats()
        assert now["queued_packets"] == 0 and now["rejected_packets"] == 0, now
        print("flow: sent, arrived, aborted:", *zip(range(self.nb), self.sent, map(len, self.got), self.aborted))
        missing = [sorted(set(range(n)) - set(g)) for n, g in zip(self.sent, self.got)]
        for i in range(self.nb):
            assert self.got[i] == sorted(set(self.got[i])), ("repeated or out of order", i)
            assert len(missing[i]) == self.aborted[i], (i, missing[i], self.aborted[i])
        for k, n in (("sent", want), ("aborted", sum(self.aborted))):
            assert now[k + "_packets"] - self.before[k + "_packets"] == n, (k, n, now, self.before)
        return missing


class Back(threading.Thread):
    """UDP from b to a, sixteen at a time, as long as all of them arrive."""

    def __init__(self, site):
        super().__init__(daemon=True)
        self.source, self.sink = Flows.udp(site.b, 9000), roomy(Flows.udp(site.a, 9000))
        self.site, self.sent, self.got, self.ends, self.why = site, 0, 0, False, None

    def run(self):
        while not self.ends and self.why is None:
            for _ in range(16):
                self.source.sendto(payload(99, self.sent), (self.site.a.address, 9000))
                self.sent += 1
            while self.got < self.sent and self.why is None:
                if not select.select([self.sink], [], [], 20)[0]:
                    self.why = "packet %d did not arrive" % self.got
                elif self.sink.recv(2048) != payload(99, self.got):
                    self.why = "packet %d is another" % self.got
                else:
                    self.got += 1
            time.sleep(0.005)

    def end(self):
        self.ends = True
        self.join(60)
        assert self.why is None and self.got == self.sent >= 32, (self.why, self.got, self.sent)
        print("back:", self.got)


def iperf3(site, *words, server=()):
    """Its answer, from the client in a to the server in b."""
    s = site.b.start("iperf3", "-s", "-1", *server)
    until(lambda: ":1451 " in site.b.run("cat", "/proc/net/tcp6", "/proc/net/tcp").stdout, "no server")
    c = site.a.start("iperf3", "-c", site.b.address, "-J", *words)
    out = c.communicate(timeout=60)[0]
    s.wait(20)
    answer = json.loads(out)
    assert "error" not in answer, answer["error"]
    return answer["end"]


def talk(kind):
    """Ping and iperf3, TCP and UDP, in both directions."""
    wants("iperf3")
    s = Site(kind)
    for way in (), ("-R",):
        e = iperf3(s, "-n", "20M", *way)
        print("TCP", way, "%.0f Mbit/s" % (e["sum_received"]["bits_per_second"] / 1e6))
        assert e["sum_received"]["bytes"] > 0, e
        e = iperf3(s, "-u", "-b", "10M", "-l", "1000", "-k", "1500", *way)
        print("UDP", way, e["sum"])
    s.end()


def case_tap():
    talk("tap")


def case_af_packet():
    talk("packet")


def case_af_xdp():
    talk("xdp")


# ---- with cancels ----

def flows(kind):
    """Some of twelve queued flows taken back by their addresses, some by their ids."""
    site = Site(kind, "packets_per_s = 400\n")
    f, back = Flows(site, 12), Back(site)
    back.start()
    f.send(100)
    for i in range(3):
        assert f.cancel(i, "cancel_flow f " + f.words(i)) > 0
    assert f.cancel(3, "cancel wire flow " + f.words(3)) > 0
    for i in range(4, 6):
        assert f.cancel(i, "cancel wire " + site.id(f.words(i))) > 0
    # what comes after a cancel it does not take, another one does
    f.send(10)
    assert f.cancel(6, "cancel_flow f " + f.words(6)) > 0
    assert f.cancel(0, "cancel wire " + site.id(f.words(0))) > 0
    f.send(10)
    assert f.cancel(0, "cancel_flow f " + f.words(12)) == 0, "nobody has this flow"
    site.drain()
    missing = f.check()
    back.end()
    for i in range(1, 6):
        assert missing[i] == list(range(100 - f.aborted[i], 100)), (i, missing[i])
    assert missing[6] == list(range(110 - f.aborted[6], 110)), missing[6]
    rows, up = site.end()
    assert up["f"]["full"] == up["f"]["memory"] == up["f"]["dropped"] == 0, up


def case_tap_flows():
    flows("tap")


def case_af_packet_flows():
    flows("packet")


def case_af_xdp_flows():
    flows("xdp")


main(globals())
