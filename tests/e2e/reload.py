#!/usr/bin/env -S python3 -B
# SPDX-License-Identifier: BSD-3-Clause
# reload.py - a vnicd that changes while traffic goes through it: options set, the file read again
# usage: reload.py VNICD CASE      CASE: a function case_... below
import collections
import os
import re
import shutil
import signal
import struct
import time

import programs
from hosts import CONTROL, Client, ROOT, WORK, main, must, skip, words
from programs import need_testpmd, testpmd, until

FLOOD = "net_pcap_flood%%s,rx_pcap=%s/config/demo.pcap,infinite_rx=1" % ROOT


class Daemon(programs.Daemon):
    def write(self, config, head=""):
        """What the file says from now on."""
        with open(WORK + "/c.ini", "w") as f:
            f.write("[vnicd]\ncontrol = %s\nseconds = 0\n%s%s" % (CONTROL, head, config))

    def reload(self, config, changed=0, added=0, removed=0, head=""):
        self.write(config, head)
        answer = self.ask("reload")
        assert answer == {"status": "SUCCESS", "changed": changed, "added": added, "removed": removed}, answer

    def refuses(self, line, pattern):
        answer = self.ask(line)
        assert re.search(pattern, answer.get("error", "")), (line, pattern, answer)

    def sent(self, adapter):
        return self.query("stats," + adapter)["sent_packets"]

    def account(self):
        """What it said last; it balances."""
        last = self.stop().splitlines()[-1]
        n = {k: int(v) for k, v in re.findall(r"(\w+)=(\d+)", last)}
        assert n["accepted"] == n["sent"] + n["aborted"] + n["rejected"] + n["queued"], last
        print(last)
        return n


def adapter(name, port, keys=""):
    return "[adapter %s]\nport = %s\n%s" % (name, port, keys)


def face(name, port, to="wire", keys=""):
    return "[face %s]\nport = %s\nadapter = %s\nmbufs = 8192\nreceive = no\n%s" % (name, port, to, keys)


def flood(name, to="wire", keys=""):
    return face(name, FLOOD % name, to, keys)


def receiver(name, number):
    """A face that sends nothing, and has an address."""
    port = "net_pcap_%s,tx_pcap=%s/%s.pcap" % (name, WORK, name)
    return face(name, port, keys="mac = 02:00:00:00:00:%02x\n" % number).replace("receive = no\n", "")


def wire(keys=""):
    return adapter("wire", "net_pcap_wire,tx_pcap=%s/wire.pcap" % WORK, "depth = 64\n" + keys)


def numbered(name, n):
    """A capture of n frames with their numbers; the port that plays it, once."""
    path = "%s/%s.pcap" % (WORK, name)
    with open(path, "wb") as f:
        f.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
        for i in range(n):
            f.write(struct.pack("<IIII", 0, 0, 64, 64) + b"\2\0\0\0\0\1\2\0\0\0\0\2\x88\xb5NUMB" +
                    struct.pack(">I", i) + bytes(42))
    return "net_pcap_%s,rx_pcap=%s" % (name, path)


def frames(path):
    """How many frames a capture has, and the numbers in those that are numbered."""
    n, numbers = 0, []
    with open(path, "rb") as f:
        f.read(24)
        while len(head := f.read(16)) == 16:
            frame = f.read(struct.unpack("<I", head[8:12])[0])
            n += 1
            if frame[12:18] == b"\x88\xb5NUMB":
                numbers.append(struct.unpack(">I", frame[18:22])[0])
    return n, numbers


# ---- options ----

def rate_is(d, pace, burst):
    """The wire keeps to `pace` from now on. A much slower one would not end in time."""
    time.sleep(0.2)  # what was saved up may leave
    for _ in range(3):
        begin, first = time.time(), d.sent("wire")
        until(lambda: d.sent("wire") - first >= pace / 4, "slower than it should be", alive=[d.process])
        last, end = d.sent("wire"), time.time()
        # a poll that came late catches up a tenth of a second
        assert last - first <= pace * (end - begin + 0.1) + burst, (pace, last - first, end - begin)


def case_pace():
    """A pace is set, and read again: the rate follows; so do weights and limits."""
    file = adapter("wire", "net_null0", "packets_per_s = 2k\n") + flood("a") + flood("b")
    d = Daemon(file)
    rate_is(d, 2000, 32)
    for pace in ("300", "100k", "10", "8k"):
        assert d.ask("set adapter wire.packets_per_s " + pace) == {"status": "SUCCESS"}
        rate_is(d, int(pace.replace("k", "000")), 1000)
    assert d.ask("set wire.packets_per_s 0") == {"status": "SUCCESS"}
    first = d.sent("wire")
    until(lambda: d.sent("wire") - first > 200000, "no limit, and slow", alive=[d.process])
    assert d.ask("set wire.bits_per_s 1M") == {"status": "SUCCESS"}
    before = d.sent("wire")
    time.sleep(0.5)
    assert d.sent("wire") - before < 20000
    assert d.ask("set face a.weight 7") == d.ask("set a.limit 40") == {"status": "SUCCESS"}
    share = d.query("share,a")
    assert share["weight"] == 7 and share["limit"] == 40 and share["cancel_limit"] == 0, share
    # the file again: pace, bits, weight and limit are its own
    assert d.ask("set wire.packets_per_s 10") == {"status": "SUCCESS"}
    d.reload(file, changed=4)
    share = d.query("share,a")
    assert share["weight"] == 1 and share["limit"] == 0, share
    rate_is(d, 2000, 32)
    d.reload(file)
    assert d.ask("set wire.packets_per_s 10") == {"status": "SUCCESS"}
    d.write(file.replace("2k", "5k"))
    d.process.send_signal(signal.SIGHUP)
    until(lambda: "packets_per_s = 5000 from now on" in words(), "SIGHUP is not heard", alive=[d.process])
    rate_is(d, 5000, 50)
    d.account()


def case_set():
    """What cannot be set: one line that says what to do, and nothing happens."""
    d = Daemon(wire("packets_per_s = 2k\n") + flood("a") + "[plan]\ncancels_per_s = 10\n")
    for line, pattern in (
            ("set", "write set SECTION.KEY VALUE"), ("set wire.packets_per_s", "write set SECTION.KEY VALUE"),
            ("set packets_per_s 5", "write set SECTION.KEY VALUE"),
            ("set nix.packets_per_s 5", r"no section \[nix\]"), ("set adapter a.weight 5", "no section"),
            ("set face wire.weight 5", "no section"), ("set .weight 5", "no section"),
            ("set wire.pakets_per_s 5", "did you mean 'packets_per_s'"),
            ("set wire.packets_per_s x", "is not a whole number; allowed: 0..1000000000"),
            ("set wire.packets_per_s -1", "not a whole number"), ("set wire.packets_per_s 9G", "out of range"),
            ("set wire.packets_per_s 5 6", "not a whole number"),
            ("set wire.depth 128", "change it in .*c.ini and reload"), ("set a.port net_null9", "and reload"),
            ("set a.weight 0", "out of range; allowed: 1..1024"), ("set a.weight 1025", "out of range"),
            ("set vnicd.control /x", "change it in .* and start vnicd again"),
            ("set plan.seed 5", "cannot be set; .* and reload"),
            ("set log.vnicd loud", "one of emergency, .* debug")):
        d.refuses(line, pattern)
    expected = []
    for line, said in (("log.vnicd debug", "log: vnicd = debug"), ("vnicd.drain_ms 5", "vnicd: drain_ms = 5"),
                       ("vnicd.report \"\"", 'vnicd: report = ""'), ("a.cancel_limit 5", "face a: cancel_limit = 5"),
                       ("adapter wire.bits_per_s 1M", "adapter wire: bits_per_s = 1M"),
                       ("log.vnicd error", "log: vnicd = error"), ("a.weight 2", None),
                       ("vnicd.log_level notice", None), ("a.weight 3", "face a: weight = 3"),
                       ("vnicd.log_level warning", "vnicd: log_level = warning"), ("a.weight 1", None)):
        assert d.ask("set " + line) == {"status": "SUCCESS"}, line
        lines = [l for l in open(WORK + "/err") if "set by user" in l]
        if said is not None:
            expected.append("vnicd: %s from now on, set by user %d\n" % (said, os.getuid()))
        assert lines == expected, lines
    share = d.query("share,a")
    assert share["weight"] == 1 and share["cancel_limit"] == 5, share
    d.account()


def refusals():
    return [l for l in open(WORK + "/err") if "reload refused" in l]


def limited(d, refused, begin):
    """Lines of refusals, since the time `begin`, are not many, and tell of those that they leave out."""
    c = Client()
    for _ in range(10):
        c.socket.sendall(b"reload\n" * 50)
        for _ in range(50):
            assert "error" in c.answer()
    time.sleep(1)
    assert "error" in c.ask("reload")
    lines = refusals()
    assert len(lines) <= 10 * (time.time() - begin + 1), len(lines)
    unsaid = sum(int(n) for l in lines for n in re.findall(r" \(and (\d+) more\)$", l))
    assert len(lines) + unsaid == refused + 501, (len(lines), unsaid)


def case_broken():
    """A file that cannot be: named with line and cause, and nothing changes."""
    good = wire("packets_per_s = 2k\n") + flood("a")
    begin = time.time()
    d = Daemon(good)
    second = good + flood("b")
    bad = (
            (good.replace("2k", "5k") + "nix = 1\n", r"c.ini:13: unknown key 'nix'"),
            # this one can be read, and not be done
            (second.replace("2k", "5k").replace(FLOOD % "b", "net_pcap_b,rx_pcap=/nix/da"),
             "face b: port net_pcap_b,rx_pcap=/nix/da: no such device"),
            (second.replace(FLOOD % "b", "net_virtio_user0,path=%s/vu,server=1" % WORK), "waits in its driver"),
            # of an adapter that stands: it would be removed first
            (good.replace("packets_per_s = 2k", "lcore = 99"), "adapter wire: lcore = 99 is not an lcore of EAL"),
            (good.replace("2k", "5k") + "[face", r"c.ini:13: .* has no ']'"),
            ("", "no .adapter NAME. section"), (wire("packets_per_s = 5k\n"), "no .face NAME. section"),
            (good.replace("2k", "-5"), r"c.ini:7: packets_per_s = -5 is not a whole number"),
            (second.replace("adapter = wire", "adapter = wir"), "c.ini:10: unknown adapter 'wir'"),
            (second.replace("flooda", "floodb").replace("5k", "2k"), "device net_pcap_floodb is face a's"),
            (second.replace("2k", "5k").replace(FLOOD % "b", "net_nix0"), "face b: port net_nix0: no such device"),
            (second + adapter("below", "net_virtio_user0,path=%s/vu,server=1" % WORK), "adapter below: .*waits in its"))
    for n, (config, pattern) in enumerate(bad):
        d.write(config)
        d.refuses("reload", pattern)
        assert d.query("list") == ["wire"]
        if n < 5:  # as many lines as may come in a second
            d.process.send_signal(signal.SIGHUP)
            until(lambda: len(refusals()) == 2 * n + 2, "SIGHUP is not heard", alive=[d.process])
            for line in refusals()[-2:]:
                assert re.search("reload refused, nothing was changed: .*" + pattern, line), line
    os.unlink(WORK + "/c.ini")
    d.refuses("reload", "c.ini: No such file or directory")
    limited(d, len(bad) + 5 + 1, begin)
    rate_is(d, 2000, 32)
    d.reload(good)
    d.reload(good, head="control_lcore = 77\nprogress = yes\n")
    assert "control_lcore cannot change while vnicd runs" in words()
    d.account()


# ---- faces and adapters ----

def case_faces():
    """A face is added and removed, 50 times; what another sends meanwhile arrives whole, in order."""
    n, times = 60000, 50
    port = numbered("one", n)
    d = Daemon(wire("packets_per_s = 4k\n") + face("one", port))
    for i in range(times):
        # a new one each time, and its port, too, now and then
        other = flood("x%d" % (i % 2), keys="nbl_packets = %d\n" % (1 + i % 3))
        d.reload(wire("packets_per_s = 4k\n") + face("one", port) + other, added=1)
        if i % 10 == 0:
            accepted = d.query("stats,wire")["accepted_packets"]
            until(lambda: d.query("stats,wire")["accepted_packets"] > accepted + 200, "no traffic",
                  alive=[d.process])
        if i % 10 == 5:
            d.reload(wire("packets_per_s = 4k\n") + face("one", port) + other + "burst = 8\n", added=1, removed=1)
        assert d.query("share,one")["sent"] < n, "the other has ended before the test: more frames"
        d.reload(wire("packets_per_s = 4k\n") + face("one", port), removed=1)
    d.ask("set wire.packets_per_s 0")
    until(lambda: d.query("share,one")["sent"] == n, "not all were sent", alive=[d.process])
    account = d.account()
    total, numbers = frames(WORK + "/wire.pcap")
    print("%d on the wire, %d of them numbered" % (total, len(numbers)))
    assert numbers == list(range(n))
    # where this machine was too busy for drain_ms it was said
    back = re.findall(r"x\d: (\d+) queued packets were taken back", open(WORK + "/err").read())
    assert total == account["sent"] > n and account["rejected"] == 0, account
    assert account["aborted"] == sum(map(int, back)), (account, back)


def case_receive():
    """Faces that receive, and an adapter, come and go by SIGHUP; what one receives meanwhile arrives whole,
    in order."""
    n = 15000
    base = wire("packets_per_s = 1k\nlocal = yes\n") + face("one", numbered("one", n)) + receiver("sink", 1)
    d = Daemon(base)
    for i in range(8):
        more = receiver("x%d" % (i % 2), 7 + i)
        if i % 3 == 0:
            more += adapter("b", "net_null7,no-rx=1", "packets_per_s = 100k\n") + flood("fb", "b")
        for config, count in ((base + more, more.count("[")), (base, 0)):
            d.write(config)
            d.process.send_signal(signal.SIGHUP)
            until(lambda: len(d.ask("faces")["faces"] + d.ask("list")["adapters"]) == 3 + count,
                  "SIGHUP is not heard", alive=[d.process])
        assert d.query("share,one")["sent"] < n, "it has ended before the test: more frames"
    d.ask("set wire.packets_per_s 20k")
    until(lambda: d.query("receive,sink")["delivered"] == n, "not all were received", alive=[d.process])
    d.account()
    assert frames(WORK + "/sink.pcap")[1] == list(range(n))


def case_adapters():
    """Adapters come and go, with faces, a layer and one that shares a port; nothing of a neighbour is
    lost, and those that are gone are in the account."""
    n, times = 30000, 6
    base = wire("packets_per_s = 5k\n") + face("one", numbered("one", n))
    d = Daemon(base, memory=("--no-huge", "-m", "768"))
    second = adapter("b", "net_null7,no-rx=1", "packets_per_s = 50k\n")
    layer = "[adapter top]\nlower = b\nlower_depth = 64\n[adapter beside]\nshares = b\n"
    for i in range(times):
        d.reload(base + second + flood("fb", "b"), added=2)
        until(lambda: d.sent("b") > 100, "no traffic", alive=[d.process])
        # `b` shares its port now: it is made anew, with its face
        d.reload(base + second + layer + flood("fb", "b") + flood("ft", "top") + flood("fs", "beside"),
                 added=6, removed=2)
        until(lambda: min(d.sent("top"), d.sent("beside"), d.sent("b")) > 100, "no traffic", alive=[d.process])
        if i % 2 == 0:
            d.reload(base + second + flood("fb", "b"), removed=4)
        d.reload(base, removed=2 if i % 2 == 0 else 6)
        assert d.query("list") == ["wire"]
    # drain_ms is not enough for a queue that takes minutes: taken back, and counted
    slow = adapter("c", "net_pcap_c,tx_pcap=%s/c.pcap" % WORK, "packets_per_s = 50\n") + flood("fc", "c")
    d.reload(base + slow, changed=1, added=2, head="drain_ms = 200\n")
    until(lambda: d.query("stats,c")["queued_packets"] > 4000 and d.sent("c") > 0, "no traffic", alive=[d.process])
    d.reload(base, removed=2, head="drain_ms = 200\n")
    assert re.search("face fc: [1-9][0-9]{3} queued packets were taken back, drain_ms = 200 .*; raise it", words())
    assert d.ask("set wire.packets_per_s 0") == {"status": "SUCCESS"}
    until(lambda: d.query("share,one")["sent"] == n, "not all were sent", alive=[d.process])
    out = d.stop()
    account = {k: int(v) for k, v in re.findall(r"(\w+)=(\d+)", out.splitlines()[-1])}
    print(out.splitlines()[-1])
    gone = dict(re.findall(r"  (\w+) +\d+ +(\d+)\n", out.split("adapters removed")[1]))
    assert int(gone["sent"]) == account["sent"] - n and int(gone["aborted"]) > 4000, (gone, account)
    of_faces = [int(x) for x in re.search(r"  \(removed\) +(\d+) +(\d+) +(\d+) +(\d+)\n", out).groups()]
    # of adapters a layer and what is below have counted the same
    assert of_faces[0] == sum(of_faces[1:]) and of_faces[2:] == [int(gone["aborted"]), 0], (of_faces, gone)
    assert frames(WORK + "/wire.pcap")[1] == list(range(n))
    assert frames(WORK + "/c.pcap")[0] > 0


def case_queues():
    """A face with more queues, and a port that one more adapter shares, are made anew; their queues and
    the others' go on."""
    base = wire("packets_per_s = 4k\n") + face("one", "net_null1")
    d = Daemon(base)
    two = base + "queues = 2\n"
    d.reload(two, added=1, removed=1)
    assert "face one: added again (queues has changed)" in words()
    d.reload(two)
    d.refuses("set one.queues 3", "and reload")
    # how many faces an adapter may have is nothing that runs
    d.reload(two.replace("depth = 64", "depth = 64\nqueues = 3"))
    d.reload(wire("packets_per_s = 4k\nqueues = 1\n") + face("one", "net_null1", keys="queues = 2\n"))
    first = d.sent("wire")
    until(lambda: d.sent("wire") > first + 100, "no traffic", alive=[d.process])
    null = adapter("b", "net_null2,no-rx=1", "packets_per_s = 4k\n") + face("fb", "net_null3", "b")
    shares = "[adapter c]\nshares = b\npackets_per_s = 4k\n" + face("fc", "net_null4", "c")
    d.reload(two + null, added=2)
    d.reload(two + null + shares, added=4, removed=2)
    until(lambda: d.sent("b") > 100 and d.sent("c") > 100, "no traffic", alive=[d.process])
    # the first one's pace is set; that of the other, which uses its port, stays
    d.reload(two + null.replace("4k", "8k") + shares, changed=1)
    # without the one above it the port keeps its queues
    sent = d.sent("b")
    d.reload(two + null, changed=1, removed=2)
    until(lambda: d.sent("b") > sent + 100, "no traffic", alive=[d.process])
    # a queue of the port is there still: b stays
    d.reload(two + null + shares, added=2)
    until(lambda: d.sent("c") > 100, "no traffic", alive=[d.process])
    # pollers that come into each other's way are said to
    assert "does both" not in words()
    d.reload(two + null + shares + "[adapter e]\nport = net_null5,no-rx=1\nlcore = 1\n" + face("fe", "net_null6", "e"), added=2)
    assert "lcores: lcore 1 does both data and control: cancels wait for packets" in words()
    d.account()


def case_requests():
    """An operation that waits on an adapter ends when the adapter goes."""
    base = wire() + flood("a")
    d = Daemon(base)
    d.reload(base + adapter("b", "net_null7,no-rx=1", "packets_per_s = 1\n") + flood("fb", "b"),
             added=2, changed=1, head="drain_ms = 50\n")
    until(lambda: d.query("stats,b")["queued_packets"] > 1000, "no traffic", alive=[d.process])
    c = Client()
    c.write("drain b 60000")
    until(lambda: d.ask("state b")["operations"] >= 1, "it does not wait", alive=[d.process])
    d.reload(base, removed=2, head="drain_ms = 50\n")
    answer = c.answer()
    assert answer["adapter"] == "b" and answer["status"] in ("CANCELLED", "SUCCESS"), answer
    d.account()


def case_served():
    """A reload that waits for a queue of hours is asked about, what it waits for is taken back by another
    client, and a change waits for its turn, or for the end."""
    base = wire() + flood("a")
    head = "drain_ms = 600000\n"
    d = Daemon(base)

    def to_be_emptied(changed):
        d.reload(base + adapter("b", "net_null7,no-rx=1", "packets_per_s = 1\n") + flood("fb", "b"),
                 added=2, changed=changed, head=head)
        until(lambda: d.query("stats,b")["queued_packets"] > 1000, "no traffic", alive=[d.process])
        d.write(base, head)

    to_be_emptied(changed=1)
    reload, change, gone = Client(), Client(), Client()
    reload.write("reload\nlist")
    assert d.ask("list") == {"adapters": ["wire", "b"]}  # then it is the reload's turn
    change.write("set wire.packets_per_s 7k")
    gone.write("set wire.packets_per_s 9k")
    gone.close()
    assert d.ask("faces b") == {"faces": ["fb"]} and d.ask("state b")["state"] == "Running"
    assert d.ask("show wire")["packets_per_s"] == 0, "the change was made first"
    answer = d.ask("cancel b face fb")
    assert answer["aborted_packets"] > 1000, answer
    assert reload.is_silent() and change.is_silent()
    assert reload.answer() == {"status": "SUCCESS", "changed": 0, "added": 0, "removed": 2}
    assert reload.answer() == {"adapters": ["wire"]} and change.answer() == {"status": "SUCCESS"}
    assert "taken back" not in words()
    rate_is(d, 7000, 64)
    to_be_emptied(changed=1)
    reload.write("reload")
    assert d.ask("list") == {"adapters": ["wire", "b"]}
    change.write("set wire.packets_per_s 9k")
    assert d.ask("show wire")["packets_per_s"] == 0
    d.process.send_signal(signal.SIGINT)  # which ends the wait, but not the reload
    assert reload.answer()["removed"] == 2
    answer = change.answer()
    assert answer["kind"] == "busy" and "about to end" in answer["error"], answer
    d.account()


def case_back():
    """A section that cannot be what it is to be, which is seen when its port has gone, is what it was."""
    good = wire("packets_per_s = 2k\n") + flood("a")
    d = Daemon(good)
    for bad, pattern in (
            (good.replace("depth = 64", "depth = 1048576"), "face a: Cannot allocate memory; give EAL more"),
            (good.replace("8192", "1000000"), "face a: .* no memory"),
            # the second's port is there, and its queue; and a live key is not set either
            (good.replace("8192", "1000000").replace("2k", "9k") + flood("b"), "face a: ")):
        d.write(bad)
        d.refuses("reload", pattern)
        assert d.ask("list") == {"adapters": ["wire"]} and d.ask("faces") == {"faces": ["a"]}
        rate_is(d, 2000, 32)
    d.reload(good)
    d.reload(good + flood("b"), added=1)
    assert "what was there is made again: " in words() and "from now on" not in words()
    d.account()


def case_capture():
    """A capture goes on while faces go, with what they sent, and come, without it."""
    base = wire("packets_per_s = 4k\n") + flood("a")
    d = Daemon(base + flood("b"))
    path = WORK + "/x.pcapng"
    assert d.ask("capture start " + path)["capture"] == "on"
    first = d.query("share,b")["sent"]
    until(lambda: d.query("share,b")["sent"] > first + 200, "no traffic", alive=[d.process])
    d.reload(base, removed=1)
    taken = d.ask("capture status")["captured"]
    until(lambda: d.ask("capture status")["captured"] > taken + 100, "it has ended", alive=[d.process])
    d.reload(base + flood("b") + flood("c"), added=2)
    sent = d.query("share,c")["sent"]
    until(lambda: d.query("share,c")["sent"] > sent + 100, "no traffic", alive=[d.process])
    answer = d.ask("capture stop")
    assert answer["capture"] == "off" and answer["captured"] == answer["written"] > 0, answer
    if shutil.which("tshark") is None:
        skip("tshark is not installed; apt-get install -y tshark")
    lines = must("tshark", "-n", "-r", path, "-T", "fields", "-e", "frame.interface_name", "-e", "frame.comment")
    seen = collections.Counter((line.split("\t")[0], line.split("\t")[1].split()[0]) for line in lines.splitlines())
    print(dict(seen))
    assert sum(seen.values()) == answer["written"] and ("c", "sent") not in seen, seen
    assert seen["a", "sent"] > 100 and seen["b", "sent"] > 100, seen
    assert ("b", "queued") not in seen, "it was emptied before it went"
    # it ends with the last face that it has, and another can begin
    assert d.ask("capture start " + path)["capture"] == "on"
    d.reload(wire("packets_per_s = 4k\n") + flood("z"), added=1, removed=3)
    until(lambda: d.ask("capture status")["capture"] == "off", "it does not end", alive=[d.process])
    assert d.ask("capture start " + path)["capture"] == "on"
    d.account()


def case_memif():
    """A memif face goes while its peer is attached and sends; another face loses nothing, and the next
    face there takes the next peer."""
    need_testpmd()
    n = 40000
    base = wire("packets_per_s = 4k\n") + face("one", numbered("one", n))
    memif = face("m", "net_memif0,role=server,socket=%s/m.sock,socket-abstract=no" % WORK)
    d = Daemon(base)
    for _ in range(3):
        d.reload(base + memif, added=1)
        p = testpmd("peer", "net_memif0,role=client,socket=%s/m.sock,socket-abstract=no" % WORK)
        until(lambda: d.query("peer,m")["here"] and d.query("share,m")["sent"] > 100, "no traffic",
              30, [d.process, p])
        d.reload(base, removed=1)
        assert not os.path.exists(WORK + "/m.sock")
        p.kill()
        p.wait()
    folder = "/proc/%d/fd/" % d.process.pid
    assert not [x for x in os.listdir(folder) if "/memfd:memif" in os.readlink(folder + x)]
    d.ask("set wire.packets_per_s 0")
    until(lambda: d.query("share,one")["sent"] == n, "not all were sent", alive=[d.process])
    d.account()
    assert frames(WORK + "/wire.pcap")[1] == list(range(n))


main(globals())
