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
import socket
import struct
import subprocess
import sys
import threading
import time
from collections import Counter

from hosts import ROOT, TAG, WORK, Daemon, Space, mac, main, must, need, refused, skip, started

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
    """What a sends goes through a face and an adapter, which may be paced, to b. The ports are of
    the kind, net_af_packet below a tap; "taps" has two."""

    def __init__(self, kind, adapter="", face=""):
        wants("ethtool")
        self.a, self.b = a, b = Space(1), Space(2)
        if kind == "xdp":
            try:
                socket.socket(44, socket.SOCK_RAW).close()
            except OSError as e:
                skip("no AF_XDP in this kernel: %s" % e.strerror)
        taps = {"tap": (a,), "taps": (a, b)}.get(kind, ())
        port = "net_af_xdp%d,iface=%s" if kind == "xdp" else "net_af_packet%d,framecnt=4096,iface=%s"
        above, below = ("net_tap%d,iface=%s" % (x.n, x.tap()) if x in taps else port % (x.n, x.veth())
                        for x in (a, b))
        self.d = Daemon("[adapter wire]\nport = %s\ndepth = %d\n%s[face f]\nport = %s\n%s" %
                        (below, DEPTH, adapter, above, face))
        for x in taps:
            x.take()
        for x, other in ((a, b), (b, a)):
            name = "%s%d" % ("vt" if x in taps else "vb", x.n)
            if x not in taps:
                # the kernel is to hand over frames as they are on a wire
                p = x.run("ethtool", "-K", name + TAG, "tx", "off", "tso", "off", "gso", "off", "gro", "off")
                assert p.returncode == 0, p.stderr
            must("ip", "-n", x.name, "neigh", "add", other.address, "lladdr", mac(other.n), "dev", name + TAG)
        # the kernel may drop what an interface sends until it has seen to its carrier
        until(lambda: a.ping(b, 10, None) == 10 and b.ping(a, 10, None) == 10, "pings get lost", 60)
        self.up = self.d.query("receive,f")

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
        """Nothing that was received was lost, and the kernel found no wrong checksum."""
        up = self.d.query("receive,f")
        for k in "queue_full", "no_memory", "dropped", "flushed":
            assert up[k] == self.up[k], (self.up, up)
        for x in self.a, self.b:
            # (iperf3 leaves what comes after its end)
            for line in re.findall(r"(?m)^Udp: (\D.*)\nUdp: (.*)$", x.run("cat", "/proc/net/snmp").stdout):
                udp = dict(zip(line[0].split(), map(int, line[1].split())))
                assert udp["InCsumErrors"] == 0, udp
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


class Iperf3:
    """A client in a, a server in b; data from or to the client's port 5555."""

    def __init__(self, site, *words):
        self.server = site.b.start("iperf3", "-s", "-1")
        until(lambda: ":1451 " in site.b.run("cat", "/proc/net/tcp6", "/proc/net/tcp").stdout, "no server")
        self.client = site.a.start("iperf3", "-c", site.b.address, "-J", "--cport", "5555", *words)
        self.flow = "%%s %s 5555 %s 5201" % (site.a.address, site.b.address)

    def runs(self):
        return self.client.poll() is None

    def end(self):
        answer = json.loads(self.client.communicate(timeout=60)[0])
        self.server.wait(20)
        assert "error" not in answer, answer["error"]
        return answer["end"]


def talk(kind):
    """Ping and iperf3, TCP and UDP, in both directions."""
    wants("iperf3")
    s = Site(kind)
    for way in (), ("-R",):
        e = Iperf3(s, "-n", "20M", *way).end()
        print("TCP", *way, "%.0f Mbit/s" % (e["sum_received"]["bits_per_second"] / 1e6))
        e = Iperf3(s, "-u", "-b", "5M", "-l", "1000", "-k", "800", *way).end()["sum"]
        print("UDP", *way, "%d of %d lost" % (e["lost_packets"], e["packets"]))
        assert e["packets"] >= 800 and e["lost_packets"] <= 8, e
    rows, _ = s.end()
    assert rows["accepted"] == rows["sent"], rows


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
    site.end()


def case_tap_flows():
    flows("tap")


def case_af_packet_flows():
    flows("packet")


def case_af_xdp_flows():
    flows("xdp")


def case_iperf3_udp():
    """What a running iperf3 has queued is taken back, three times; its numbers tell the rest."""
    wants("iperf3")
    site = Site("packet", "packets_per_s = 500\n")
    wire = Wire(site.b, "vb2" + TAG)
    before = site.stats()
    c, aborted = Iperf3(site, "-u", "-b", "8M", "-l", "1000", "-k", "1500"), []
    for _ in range(3):
        until(lambda: site.stats()["queued_packets"] >= 100 or not c.runs(), "nothing queued")
        aborted.append(site.cancel("cancel_flow f " + c.flow % "udp"))
    e = c.end()
    site.drain()
    head = socket.inet_aton(site.b.address) + struct.pack("!HHH", 5555, 5201, 1008)
    want = 1500 - sum(aborted)
    got = lambda: [struct.unpack_from("!I", f, 50)[0] for f in wire.take() if f[30:40] == head]
    until(lambda: len(got()) >= want, lambda: "%d of %d arrived" % (len(got()), want))
    got = got()
    missing = sorted(set(range(1, 1501)) - set(got))
    gaps = sum(n - 1 not in missing for n in missing)
    print("aborted", aborted, "arrived", len(got), "in", gaps, "gaps; iperf3 lost", e["sum"]["lost_packets"])
    assert got == sorted(set(got)) and len(missing) == sum(aborted) and gaps <= 3, (got, aborted)
    assert min(aborted) > 0 and site.stats()["aborted_packets"] - before["aborted_packets"] == sum(aborted)
    site.end()


def case_iperf3_tcp():
    """A transfer whose packets are taken back comes to its end all the same."""
    wants("iperf3")
    site = Site("packet", "bits_per_s = 20M\n")
    c, aborted = Iperf3(site, "-n", "3M"), []
    while c.runs():
        if len(aborted) < 8 and site.stats()["queued_packets"] >= 8:
            aborted.append(site.cancel("cancel_flow f " + c.flow % "tcp"))
        time.sleep(0.05)
    sent = c.end()["sum_sent"]
    print("aborted", aborted, "sent again", sent["retransmits"])
    assert sum(aborted) > 0 and sent["retransmits"] > 0 and sent["bytes"] >= 3 << 20, sent
    content(site)
    site.end()


def content(site):
    """The same byte for byte, through sockets of our own."""
    data = PATTERN * 256
    listener, source = site.b.socket(), site.a.socket()
    listener.bind((site.b.address, 8000))
    listener.listen()
    source.bind((site.a.address, 8001))
    source.connect((site.b.address, 8000))
    sink, got, aborted = listener.accept()[0], bytearray(), 0
    threading.Thread(target=lambda: (source.sendall(data), source.close()), daemon=True).start()
    sink.settimeout(60)
    while part := sink.recv(65536):
        if len(got) // 100000 != (len(got) + len(part)) // 100000:
            aborted += site.cancel("cancel_flow f tcp %s 8001 %s 8000" % (site.a.address, site.b.address))
        got += part
    assert got == data and aborted > 0, (len(got), aborted)
    print("%d bytes, as sent; aborted packets: %d" % (len(got), aborted))


FIELDS = "ip.src ipv6.src udp.srcport tcp.srcport ip.dst ipv6.dst udp.dstport tcp.dstport"


TSHARK = ["tshark", "-n", "-l", "-T", "fields", *[w for f in FIELDS.split() for w in ("-e", f)]]


class Shark:
    """The flow of each frame that arrives at b, as FIELDS."""

    def __init__(self, site):
        self.out, self.err = WORK + "/shark.out", WORK + "/shark.err"
        started.append(subprocess.Popen(
            ["ip", "netns", "exec", site.b.name, *TSHARK, "-i", "vb2" + TAG, "-f", "inbound"],
            stdin=subprocess.DEVNULL, stdout=open(self.out, "w"), stderr=open(self.err, "w")))
        # it captures a while after it has said so: until then, calls that it does not hear
        self.calls, self.skip, call = Flows.udp(site.a, 0), 0, 40000
        while not self.take() or not flow_words(self.take()[-1]).endswith(" %d" % call):
            call += 1
            assert call < 41000, open(self.err).read()
            self.calls.sendto(b"", (site.b.address, call))
            time.sleep(0.1)
        self.skip = len(self.take())

    def take(self):
        return open(self.out).read().split("\n")[self.skip:-1]


def flow_words(fields):
    """What a flow is called, None: no ports."""
    ip4, ip6, udp, tcp, *there = fields.split("\t")
    if not udp + tcp:
        return None
    return " ".join(["udp" if udp else "tcp", ip4 + ip6, udp + tcp, there[0] + there[1], there[2] + there[3]])


def replay(kind, name):
    """A capture played into a face; of some flows a part is taken back, and tshark counts the rest."""
    wants("tcpreplay", "tshark")
    capture = ROOT + "/config/demo.pcap"
    sent = must(*TSHARK, "-r", capture).splitlines()
    site = Site(kind, "packets_per_s = 1500\n")
    shark, before = Shark(site), site.stats()
    grown = lambda k: site.stats()[k + "_packets"] - before[k + "_packets"]
    p = site.a.run("tcpreplay", "-q", "-i", name + TAG, "--pps=4500", capture)
    assert p.returncode == 0, p.stderr
    until(lambda: grown("accepted") >= len(sent), lambda: "%d of %d" % (grown("accepted"), len(sent)))
    last = Counter(f for f in sent[len(sent) // 2:] if flow_words(f))
    aborted = Counter({f: site.cancel("cancel_flow f " + flow_words(f)) for f, _ in last.most_common(20)})
    site.drain()
    want = len(sent) - aborted.total()
    until(lambda: len(shark.take()) >= want, lambda: "%d of %d arrived" % (len(shark.take()), want))
    arrived, wanted = Counter(shark.take()), Counter(sent) - aborted
    assert aborted.total() > 0 and arrived == wanted, (arrived - wanted, wanted - arrived)
    assert grown("sent") == want and grown("aborted") == aborted.total(), site.stats()
    print("aborted", aborted.total(), "of", len(sent), "in", sum(n > 0 for n in aborted.values()), "flows")
    site.end()


def case_tap_replay():
    replay("tap", "vt1")


def case_af_packet_replay():
    replay("packet", "vb1")


def case_af_xdp_replay():
    replay("xdp", "vb1")


# ---- frames of all kinds ----

def scapy():
    try:
        import scapy.all
    except ImportError:
        skip("no scapy for %s; apt-get install -y python3-scapy" % sys.executable)
    return scapy.all


def kinds(mtu, longer):
    """Frames of all kinds that arrive, and frames that are too long: a tag of 802.1Q makes room for
    itself. (One of 802.1ad does not, but net_af_packet makes one of the other of it.)"""
    s = scapy()
    e, ip = s.Ether(src=mac(1), dst=mac(2)), s.IP(src="198.51.100.1", dst="203.0.113.1")
    tags = (e, e / s.Dot1Q(vlan=5), e / s.Dot1Q(vlan=5, prio=3) / s.Dot1Q(vlan=6),
            e / s.Dot1AD(vlan=7) / s.Dot1Q(vlan=8))
    made = [s.raw(head / ip / s.UDP(sport=1, dport=2) / (PATTERN * 3)[:bytes]) for head in tags
            for bytes in (0, 1, 18, 500, mtu - 36, mtu - 32, mtu - 28, mtu - 20)]
    good = [f for f in made if len(f) <= mtu + (18 if f[12:14] == b"\x81\0" else 14)]
    good += [s.raw(e / s.IPv6(src="2001:db8::1", dst="2001:db8::2") / s.UDP() / PATTERN[:64]),
             s.raw(e / s.ARP(pdst="203.0.113.1")), s.raw(s.Ether(src=mac(1), dst=mac(2), type=40) / PATTERN[:40])]
    # runts, down to an Ethernet header
    good += [s.raw(e)[:12] + b"\x88\xb5" + PATTERN[:n] for n in (0, 1, 2, 16, 45, 46, 47)]
    long = [f for f in made if len(f) > mtu + (14 if f[12:14] == b"\x08\0" else 18)]
    return good, long + [s.raw(e)[:12] + b"\x88\xb5" + bytes(n - 14) for n in longer]


def fragments(bytes, size):
    """IP fragments, with a tag and without, and the packet that they are of."""
    s = scapy()
    e, ip = s.Ether(src=mac(1), dst=mac(2)), s.IP(src="198.51.100.1", dst="203.0.113.1", id=bytes)
    whole = ip / s.UDP(sport=1, dport=2) / PATTERN[:bytes]
    parts = s.fragment(whole, fragsize=size)
    return [s.raw(e / x) for x in parts] + [s.raw(e / s.Dot1Q(vlan=5) / x) for x in parts], s.raw(e / whole)


class Frames:
    """Frames from a, byte for byte at b; `count`: of those sent, what vnicd is to say."""

    def __init__(self, site, kind, mtu, more):
        self.site, here = site, ("vt1" if kind in ("tap", "taps") else "vb1") + TAG
        # the sender's interface, and its other end, let through what ours do not
        names = ((site.a.name, here), (site.b.name, ("vt2" if kind == "taps" else "vb2") + TAG))
        for space, name in names:
            must("ip", "-n", space, "link", "set", name, "mtu", str(mtu + more))
        if here.startswith("vb"):
            must("ip", "link", "set", "va1" + TAG, "mtu", str(mtu + more))
        self.wire, self.out = Wire(site.b, names[1][1]), site.a.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        self.out.bind((here, 0))
        self.before, self.arrived = site.stats(), 0

    def send(self, frames):
        for f in frames:
            self.out.send(f)

    def count(self, **numbers):
        def grown():
            now = self.site.stats()
            return {k: now[n] - self.before[n] for k in numbers
                    for n in [k if k in now else k + "_packets"]}
        until(lambda: grown() == numbers, lambda: "%s, want %s" % (grown(), numbers))

    def arrive(self, frames):
        """These, and no others."""
        want = self.arrived + len(frames)
        until(lambda: len(self.wire.take()) >= want, lambda: "%d of %d arrived" % (len(self.wire.take()), want))
        for x, y in zip(frames, self.wire.frames[self.arrived:]):
            assert x.ljust(60, b"\0") == y, (len(x), x[:60].hex(), len(y), y[:60].hex())
        assert len(self.wire.take()) == want
        self.arrived = want


def frames(kind, mtu=1500, more=3000, longer=(1600, 1900)):
    """Those that are too long are counted, between others, which lose nothing by them."""
    keys = "mtu = %d\n" % mtu if mtu != 1500 else ""
    good, long = kinds(mtu, longer)
    site = Site(kind, keys, keys)
    f = Frames(site, kind, mtu, more)
    for n in range(0, len(good), 4):
        f.send(good[n:n + 4] + long[n // 4:n // 4 + 1])
    long = long[:(len(good) + 3) // 4]
    # what net_af_packet's frames may not hold, its face does not take
    refused = sum(kind != "packet" or len(x) <= mtu + 22 for x in long)
    f.count(accepted=len(good) + refused, sent=len(good), invalid_length=refused, rejected=refused,
            padded=sum(len(x) < 60 for x in good))
    if kind == "packet":  # which knows one kind of tag: the kernel takes them off, it puts them back
        good = [x[:12] + b"\x81\0" + x[14:] if x[12:14] == b"\x88\xa8" else x for x in good]
    f.arrive(good)
    print(len(good), "arrived,", len(long), "were too long")
    return f


def case_tap_frames():
    f = frames("tap")
    parts, _ = fragments(4000, 1400)
    f.send(parts)
    f.arrive(parts)
    f.site.end()


def case_af_packet_frames():
    """net_af_packet has the kernel put fragments together: those of a packet that is short enough
    arrive as one, others as what is too long."""
    f = frames("packet")
    parts, whole = fragments(1000, 400)
    f.send(parts[:len(parts) // 2])
    f.arrive([whole])
    dropped = lambda: f.site.d.query("share,f")["dropped"]
    long = dropped()
    parts, _ = fragments(4000, 1400)
    f.send(parts[:len(parts) // 2])
    until(lambda: dropped() == long + 1, "not counted")
    f.arrive([])
    f.site.end()


def case_af_xdp_frames():
    f = frames("xdp", 1500, 300, (1600, 1700))
    parts, _ = fragments(4000, 1400)
    f.send(parts)
    f.arrive(parts)
    f.site.end()


def case_jumbo():
    """Frames of 9,018 bytes, and pieces of less than an Ethernet header, from capture to capture:
    of DPDK's ports to the kernel none takes the former, none of the kernel's interfaces the latter."""
    wants()
    s = scapy()
    good, long = kinds(9000, (9019, 9100, 12000))
    bits = [b"", b"\xff", PATTERN[:13]]
    order = [x for n in range(0, len(good), 4)
             for x in good[n:n + 4] + long[n // 4:n // 4 + 1] + bits[n // 4:n // 4 + 1]]
    s.wrpcap(WORK + "/in.pcap", order, linktype=1)
    keys = "mtu = 9000\n"
    d = Daemon("[adapter wire]\nport = net_pcap0,tx_pcap=%s/out.pcap\nmax_frame = 9018\n%s[face f]\n"
               "port = net_pcap1,rx_pcap=%s/in.pcap\n%s" % (WORK, keys, WORK, keys))
    until(lambda: d.query("stats,wire")["accepted_packets"] == len(order), "not read")
    rows, _ = d.end()
    got = [s.raw(x) for x in s.rdpcap(WORK + "/out.pcap")]
    want = [x.ljust(60, b"\0") for x in order if 0 < len(x) <= 9018]
    assert got == want, [(len(x), len(y)) for x, y in zip(got, want)]
    assert rows["sent"] == len(want) and rows["invalid length"] == rows["rejected"] == len(order) - len(want), rows
    assert rows["padded packets"] == sum(0 < len(x) < 60 for x in order), rows


def case_cut():
    """Of frames beyond its ring's net_af_packet hands over a part: that is dropped and counted, though
    the adapter would take it; its neighbours lose nothing."""
    wants()
    a = Space(1)
    d = Daemon("[adapter wire]\nport = net_pcap0,tx_pcap=%s/out.pcap\nmtu = 9000\n"
               "[face f]\nport = net_af_packet1,iface=%s\n" % (WORK, a.veth()))
    for space, name in ((), "va1"), (("-n", a.name), "vb1"):
        must("ip", *space, "link", "set", name + TAG, "mtu", "9000")
    out = a.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    out.bind(("vb1" + TAG, 0))
    head = bytes.fromhex(mac(2).replace(":", "") + mac(1).replace(":", "") + "88b5")
    sizes = (60, 1523, 100, 3000, 1522, 9014, 1514)
    # the interface is there when the first arrives
    until(lambda: out.send(head + bytes(46)) and d.query("stats,wire")["accepted_packets"] > 0, "nothing arrives")
    time.sleep(0.1)
    before = d.query("stats,wire")["accepted_packets"]
    for n in sizes:
        out.send(head + bytes(n - 14))
    until(lambda: d.query("stats,wire")["accepted_packets"] >= before + 4, "not accepted")
    rows, _ = d.end()
    text = open(WORK + "/out").read()
    face = re.search(r"(?m)^face .*\n  f +(\d+) +(\d+) +(\d+) +(\d+)$", text)
    assert face and face[4] == "3", text[-3000:]
    assert rows["accepted"] == rows["sent"] == before + 4, rows


def case_cut_below():
    """The same of what comes from below, for a face that would take it."""
    wants()
    b = Space(2)
    d = Daemon("[adapter wire]\nport = net_af_packet0,iface=%s\n[face f]\nmtu = 9000\n"
               "port = net_pcap1,tx_pcap=%s/out.pcap\n" % (b.veth(), WORK))
    for space, name in ((), "va2"), (("-n", b.name), "vb2"):
        must("ip", *space, "link", "set", name + TAG, "mtu", "9000")
    out = b.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    out.bind(("vb2" + TAG, 0))
    head = bytes.fromhex(mac(1).replace(":", "") + mac(2).replace(":", "") + "88b5")
    until(lambda: out.send(head + bytes(46)) and d.query("stats,wire")["rx_received"] > 0, "nothing arrives")
    time.sleep(0.1)
    before = d.query("stats,wire")["rx_received"]
    for n in (60, 1523, 100, 3000, 1522, 9014, 1514):
        out.send(head + bytes(n - 14))
    until(lambda: d.query("stats,wire")["rx_received"] >= before + 7, "not received")
    rows, up = d.end()
    assert rows["no whole frames"] == 3, rows
    assert up["f"]["delivered"] == up["f"]["received"] == before + 4, up


def case_refused():
    """What is more than a port to the kernel can take: one line."""
    wants()
    a = Space(1)
    for port in "net_af_packet0,iface=" + a.veth(), "net_tap0,iface=" + a.tap():
        refused("[adapter a]\nport = net_null0\n[face f]\nport = %s\nmtu = 9000\n" % port,
                "does not take this MTU: .*this driver's limit is mtu = 150[04]")
        refused("[adapter a]\nport = %s\nmtu = 9000\n[face f]\nport = net_null0\n" % port,
                "does not take this MTU: .*this driver's limit is mtu = 150[04]")


main(globals())
