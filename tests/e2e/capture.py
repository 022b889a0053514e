#!/usr/bin/env -S python3 -B
# SPDX-License-Identifier: BSD-3-Clause
# capture.py - captures of a running vnicd: its own, read by tshark, and those of DPDK's programs
# usage: capture.py VNICD CASE      CASE: a function case_... below
import collections
import ctypes
import glob
import json
import os
import re
import resource
import shutil
import signal
import socket
import struct
import subprocess
import time

from hosts import PREFIX, TAG, WORK, main, must, run, skip
import hosts
from programs import Daemon, until

FILE = WORK + "/a.pcapng"
NULL = ("[adapter a]\nport = net_null0,no-rx=1\npackets_per_s = 20k\n[face f]\nport = net_null1\n"
        "id = constant 7\n")


def fields(path, *names):
    """Of each packet, as tshark reads it."""
    if shutil.which("tshark") is None:
        skip("tshark is not installed; apt-get install -y tshark")
    out = must("tshark", "-n", "-r", path, "-T", "fields", *[x for n in names for x in ("-e", n)])
    return [line.split("\t") for line in out.splitlines()]


def fate(comment):
    m = re.fullmatch(r"(sent|queued|aborted SEND_ABORTED|rejected [A-Z_]+) (id=0x[0-9a-f]+) after [0-9.]+ us", comment)
    assert m, comment
    return m[1].split()[0], m[2]


def counted(path):
    """What capinfos counts, which reads the file to its end."""
    p = run("capinfos", "-M", "-c", path)
    assert p.returncode == 0 and p.stderr == "", p
    return int(re.search(r"Number of packets: *(\d+)", p.stdout)[1])


def heap(d):
    """Bytes that are allocated in EAL's memory."""
    d.query("list")
    d.telemetry.send(b"/eal/heap_info,0")
    return json.loads(d.telemetry.recv(65536))["/eal/heap_info"]["Alloc_size"]


# ---- vnicd's own ----

def frame(sport):
    udp = struct.pack("!HHHH", sport, 80, 38, 0)
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 58, 1, 0x4000, 64, 17, 0, socket.inet_aton("10.0.0.1"),
                     socket.inet_aton("10.0.0.2"))
    return b"\x02\0\0\0\0\x02\x02\0\0\0\0\x01\x08\0" + ip + udp + b"." * 30


def case_file():
    """Frames sent, taken back, paused and still queued: as many as the account has, each with its reason."""
    if os.getuid() != 0 or not os.path.exists("/dev/net/tun"):
        skip("an interface needs root and /dev/net/tun")
    tap = "vc" + TAG
    d = Daemon("[adapter a]\nport = net_null0,no-rx=1\npackets_per_s = 100\nburst_packets = 1\n"
               "[face f]\nport = net_tap0,iface=%s\nid = source_port 10, source_port\n" % tap)
    run("sysctl", "-qw", "net.ipv6.conf.%s.disable_ipv6=1" % tap)
    must("ip", "link", "set", tap, "arp", "off", "up")
    until(lambda: open("/sys/class/net/%s/carrier" % tap).read() == "1\n", "the tap has no carrier")
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    wire.bind((tap, 0))

    def send(n, *sports):
        for i in range(n):
            for s in sports:
                wire.send(frame(s))
            if i % 20 == 0:
                time.sleep(0.002)

    # the kernel drops what an interface sends until it has seen to its carrier
    until(lambda: (send(1, 9), d.query("share,f")["received"])[1] > 0, "nothing arrives")
    send(1, 10)  # what was sent before it has come when it has
    until(lambda: d.query("ids,f")["rule_1_packets"] == 1, "the last of them does not arrive")
    d.cancel("cancel a face f")
    until(lambda: d.stats()["queued_packets"] == 0, "it is not empty")
    before = d.stats()
    assert d.ask("capture start %s a snaplen 60" % FILE)["capture"] == "on"
    send(150, 1000, 2000)
    until(lambda: d.stats()["accepted_packets"] == before["accepted_packets"] + 300, "the frames do not come")
    aborted = d.cancel("cancel a flow udp 10.0.0.1 2000 10.0.0.2 80")
    assert d.ask("pause a")["status"] == d.ask("restart a")["status"] == "SUCCESS"
    send(50, 3000)
    until(lambda: d.stats()["accepted_packets"] == before["accepted_packets"] + 350, "the frames do not come")
    assert d.ask("capture status")["captured"] == 350
    answer = d.ask("capture stop")
    after = d.stats()
    assert (answer["capture"], answer["captured"], answer["written"], answer["lost"]) == ("off", 350, 350, 0), answer
    assert answer["bytes"] == os.path.getsize(FILE) and os.stat(FILE).st_mode & 0o777 == 0o600, answer
    assert counted(FILE) == 350

    packets = fields(FILE, "frame.comment", "frame.interface_name", "frame.len", "frame.cap_len", "udp.srcport",
                     "frame.time_epoch")
    count, ids, last = collections.Counter(), {}, 0
    for comment, interface, length, kept, sport, at in packets:
        what, number = fate(comment)
        count[what, sport] += 1
        assert ids.setdefault(sport, number) == number and (interface, length, kept) == ("f", "72", "60"), packets
        assert abs(float(at) - time.time()) < 600 and float(at) >= last, (at, last)
        last = float(at)
    print(dict(count), ids)
    assert count["aborted", "2000"] == aborted == after["aborted_packets"] - before["aborted_packets"] > 0, count
    assert count["rejected", "1000"] == after["paused_packets"] - before["paused_packets"] > 0, count
    assert count["queued", "3000"] > 0 and count["aborted", "1000"] == 0, count
    sent = sum(n for (what, _), n in count.items() if what == "sent")
    assert 0 < sent <= after["sent_packets"] - before["sent_packets"] <= sent + count["queued", "3000"], (sent, after)
    assert d.ask("id f udp 10.0.0.1 2000 10.0.0.2 80")["id"] == ids["2000"][3:], ids
    # as README has it
    shown = must("tshark", "-r", FILE, "-Y", 'frame.comment contains "aborted"').splitlines()
    assert len(shown) == sum(n for (what, _), n in count.items() if what == "aborted"), shown[:3]
    assert "rejected PAUSED" in {c[0].split(" id=")[0] for c in packets}
    wire.close()
    d.end()


def case_on_off():
    """A hundred captures under traffic with cancels: each file is whole, nothing is left of them."""
    d = Daemon(NULL + "[plan]\ncancels_per_s = 200\n")
    d.ask("capture start " + FILE)
    d.ask("capture stop")
    before, frames = heap(d), 0
    for i in range(100):
        r0 = d.query("share,f")["received"]
        d.ask("capture start %s%s" % (FILE, (" a", "", " snaplen 100")[i % 3]))
        time.sleep(0.01)
        answer = d.ask("capture stop")
        r1 = d.query("share,f")["received"]
        assert answer["captured"] == answer["written"] and answer["captured"] + answer["lost"] <= r1 - r0, answer
        frames += answer["written"]
        if i % 25 == 0:
            assert counted(FILE) == answer["written"], answer
    assert frames > 0 and heap(d) == before, (frames, before, heap(d))
    print(frames, "frames in a hundred files")
    # one that is on when vnicd ends is ended too, and has what came back then
    d.ask("capture start " + FILE)
    until(lambda: d.ask("capture status")["captured"] > 100, "nothing is captured")
    d.end()
    what = collections.Counter(fate(c)[0] for c, in fields(FILE, "frame.comment"))
    print(dict(what))
    assert sum(what.values()) == counted(FILE) > 100 and what["queued"] == 0 and what["aborted"] > 0, what


def case_one_lcore():
    """Where the main lcore polls all of it a capture ends as well."""
    path = WORK + "/c.ini"
    with open(path, "w") as f:
        f.write("[vnicd]\ncontrol = %s\nseconds = 0\n%s" % (hosts.CONTROL, NULL))
    p = subprocess.Popen([hosts.VNICD, "--no-pci", "--no-huge", "-m", "256", "--file-prefix", PREFIX, "-l", "0", "--",
                          "-c", path], stdout=open(WORK + "/out", "w"), stderr=open(WORK + "/err", "w"))
    hosts.started.append(p)
    until(lambda: " 1 s " in open(WORK + "/out").read(), "no progress line")
    ask = lambda line: Daemon.ask(None, line)
    assert ask("capture start " + FILE)["capture"] == "on"
    until(lambda: ask("capture status")["written"] > 100, "nothing is written")
    answer = ask("capture stop")
    assert answer["written"] == answer["captured"] == counted(FILE), answer
    p.send_signal(signal.SIGINT)
    assert p.wait(60) == 0, hosts.words()


def case_refused():
    """One line each, and traffic as before."""
    d = Daemon(NULL)
    with open(WORK + "/letter", "w") as f:
        f.write("not a capture")
    os.mkfifo(WORK + "/pipe")
    os.symlink(WORK + "/letter", WORK + "/link")
    for line, cause in (("capture", "the words are"), ("capture begin", "the words are"),
                        ("capture stop", "none is on"), ("capture stop now", "the words are"),
                        ("capture start", "capture start FILE"),
                        ("capture start %s/no/such/folder/a" % WORK, "No such file or directory"),
                        ("capture start " + WORK, "Is a directory|no regular file"),
                        ("capture start %s/pipe" % WORK, "no regular file"),
                        ("capture start %s/link" % WORK, "symbolic links"),
                        ("capture start %s/letter" % WORK, "no capture"),
                        ("capture start /dev/null", "no regular file"),
                        ("capture start %s/%s" % (WORK, "a" * 200), "characters"),
                        ("capture start %s nobody" % FILE, "no such adapter"),
                        ("capture start %s a snaplen" % FILE, "from 14 to 65535"),
                        ("capture start %s snaplen 13" % FILE, "from 14 to 65535"),
                        ("capture start %s snaplen 65536" % FILE, "from 14 to 65535"),
                        ("capture start %s snaplen 65535" % FILE, "more memory"),  # 512 MiB of buffers
                        ("capture start %s a snaplen 100 more" % FILE, "capture start FILE")):
        answer = d.ask(line)
        assert re.search(cause, answer["error"]), (line, answer)
        words = re.search("the words are|: capture start FILE|no such adapter|up to|from 14 to", answer["error"])
        assert answer.get("kind") == (None if words else "failed"), (line, answer)
        assert not os.path.exists(FILE), line
    assert open(WORK + "/letter").read() == "not a capture"
    status = dict.fromkeys(("captured", "lost", "written", "bytes", "spare", "buffers"), 0)
    assert d.ask("capture status") == d.query("capture_status") == {"capture": "off", **status}
    assert "too many words" in d.ask("capture status now")["error"]
    d.ask("capture start " + FILE)
    assert "one is on" in d.ask("capture start %s/b" % WORK)["error"] and not os.path.exists(WORK + "/b")
    assert d.ask("capture stop")["written"] == counted(FILE)
    assert d.ask("capture start " + FILE)["capture"] == "on", "an older capture is written over"
    d.end()


def case_large():
    """So does the most that a file may have here (ulimit -f)."""
    d = Daemon(NULL)
    resource.prlimit(d.process.pid, resource.RLIMIT_FSIZE, (1 << 18, 1 << 18))
    d.ask("capture start " + FILE)
    until(lambda: d.ask("capture status")["capture"] == "failed", "it does not end", alive=[d.process])
    assert "File too large" in open(WORK + "/err").read()
    sent = d.stats()["sent_packets"]
    until(lambda: d.stats()["sent_packets"] > sent, "traffic does not go on", alive=[d.process])
    d.end()


def case_full():
    """A full disk ends the capture with one line; traffic goes on."""
    libc = ctypes.CDLL(None, use_errno=True)
    if os.getuid() != 0 or libc.unshare(0x20000) != 0:  # CLONE_NEWNS
        skip("a small file system of its own needs root and a mount namespace")
    disk = WORK + "/disk"
    os.mkdir(disk)
    if run("mount", "--make-rprivate", "/").returncode or \
            run("mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", disk).returncode:
        skip("no file system can be mounted here")
    d = Daemon(NULL)
    d.ask("capture start %s/a" % disk)
    until(lambda: d.ask("capture status")["capture"] == "failed", "it does not end")
    said = [line for line in open(WORK + "/err").read().splitlines() if "capture" in line]
    assert len(said) == 1 and "No space left on device" in said[0] and "traffic goes on" in said[0], said
    sent = d.stats()["sent_packets"]
    until(lambda: d.stats()["sent_packets"] > sent, "traffic does not go on")
    assert d.ask("capture status")["reason"] == "No space left on device"
    assert "none is on" in d.ask("capture stop")["error"]
    # who waits for it is told
    p = run(hosts.ROOT + "/app/vnicctl/vnicctl", "--socket", hosts.CONTROL, "capture", disk + "/a")
    assert p.returncode == 1 and re.search(r"(?m)^capture +failed$[^$]*^reason +No space left on device$", p.stdout), p
    assert d.ask("capture start " + FILE)["capture"] == "on"
    until(lambda: d.ask("capture status")["written"] > 100, "no capture after a failed one")
    d.end()
    assert counted(FILE) > 100
    must("umount", disk)


# ---- DPDK's ----

def primary(program):
    """A vnicd on hugepages, to which other processes can attach."""
    if shutil.which(program) is None:
        skip(program + " is not installed; apt-get install -y dpdk dpdk-dev")
    free = sum(int(open(f).read()) for f in glob.glob("/sys/devices/system/node/node*/hugepages/hugepages-2048kB/"
                                                        "free_hugepages"))
    if os.getuid() != 0 or free < 192:
        skip("%s attaches to a program on hugepages only: root and 192 free ones, there are %d" % (program, free))
    if " hugetlbfs " not in open("/proc/mounts").read():
        skip("no hugetlbfs is mounted")
    return Daemon(NULL, ("-m", "256"))


def finish(d):
    d.end()
    for f in glob.glob("/dev/hugepages/%smap_*" % PREFIX):
        os.unlink(f)


def attached(*command, seconds=60):
    p = subprocess.run(["timeout", "-s", "INT", str(seconds), *command], capture_output=True, text=True, cwd=WORK)
    return p.returncode, p.stdout + p.stderr


def case_dumpcap():
    """dpdk-dumpcap attaches to a running vnicd, twice, and leaves."""
    d = primary("dpdk-dumpcap")
    try:
        for _ in range(2):
            rc, said = attached("dpdk-dumpcap", "--file-prefix=" + PREFIX, "-i", "net_null1", "-c", "200", "-w", FILE)
            assert os.path.exists(FILE), (rc, said)
            n = counted(FILE)
            print("dpdk-dumpcap:", n, "packets")
            assert n >= 200, (n, said)
            os.unlink(FILE)
        # it would not know that its port has gone
        p = subprocess.Popen(["dpdk-dumpcap", "--file-prefix=" + PREFIX, "-i", "net_null1", "-w", FILE], cwd=WORK,
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        hosts.started.append(p)
        until(lambda: os.path.exists(FILE) and os.path.getsize(FILE) > 20000, "dumpcap captures nothing")
        with open(WORK + "/c.ini", "a") as f:
            f.write("burst = 8\n")
        assert "dpdk-dumpcap or dpdk-pdump looks at it" in d.ask("reload")["error"]
        p.send_signal(signal.SIGINT)
        p.wait(30)
        until(lambda: d.ask("reload").get("removed") == 1, lambda: d.ask("reload"))
    finally:
        finish(d)


def case_pdump():
    """So does dpdk-pdump, for what faces' ports receive and what the adapter's sends."""
    d = primary("dpdk-pdump")
    try:
        ways = ["port=1,queue=*,rx-dev=%s/rx.pcap" % WORK, "port=0,queue=*,tx-dev=%s/tx.pcap" % WORK]
        p = subprocess.Popen(["dpdk-pdump", "--file-prefix", PREFIX, "--",
                              *[w for x in ways for w in ("--pdump", x + ",total-num-mbufs=4095,ring-size=2048")]],
                             stdout=open(WORK + "/pdump", "w"), stderr=subprocess.STDOUT, cwd=WORK)
        hosts.started.append(p)
        said = lambda: open(WORK + "/pdump").read()[-1000:]
        files = WORK + "/rx.pcap", WORK + "/tx.pcap"
        for file in files:
            until(lambda: os.path.exists(file) and os.path.getsize(file) > 20000, said)
        p.send_signal(signal.SIGINT)
        p.wait(30)
        counts = [counted(file) for file in files]
        print("dpdk-pdump:", counts)
        assert min(counts) > 100, counts
    finally:
        finish(d)


def case_proc_info():
    """dpdk-proc-info reads the ports' counts."""
    d = primary("dpdk-proc-info")
    try:
        rc, said = attached("dpdk-proc-info", "--file-prefix", PREFIX, "--", "--stats")
        counts = re.findall(r"^  ([RT]X-packets: *\d+)", said, re.M)
        print(counts)
        assert rc == 0 and len(counts) == 4, (rc, said)
    finally:
        finish(d)


main(globals())
