#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
# operate.py - the operations of a running vnicd, under traffic, through its control socket
# usage: operate.py VNICD CASE      CASE: a function case_... below
import json
import os
import random
import re
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

VNICD = os.path.abspath(sys.argv[1])
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
WORK = tempfile.mkdtemp()
CONTROL = WORK + "/control"


def skip(why):
    print("skip:", why)
    sys.exit(77)


started = []


class Daemon:
    def __init__(self, config):
        path = WORK + "/c.ini"
        with open(path, "w") as f:
            f.write("[vnicd]\ncontrol = %s\nseconds = 0\n%s" % (CONTROL, config))
        lcores = subprocess.check_output(
            ["bash", "-c", ". %s/app/setup.sh; lcore_map 1" % ROOT], text=True).strip()
        self.process = subprocess.Popen(
            [VNICD, "--no-pci", "--no-huge", "-m", "512", "--file-prefix",
             "vnicop%d" % os.getpid(), "--lcores", lcores, "--", "-c", path],
            stdout=open(WORK + "/out", "w"), stderr=open(WORK + "/err", "w"), cwd=WORK)
        started.append(self.process)
        deadline = time.time() + 30
        while " 1 s " not in open(WORK + "/out").read():
            assert self.process.poll() is None, open(WORK + "/err").read()
            assert time.time() < deadline, "no progress line"
            time.sleep(0.1)

    def end(self):
        """Its tables: {adapter: {row: (NBLs, packets)}}, the account under None."""
        self.process.send_signal(signal.SIGINT)
        rc = self.process.wait(60)
        out = open(WORK + "/out").read()
        assert rc == 0, (rc, out[-2000:], open(WORK + "/err").read())
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


class Client:
    def __init__(self):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(CONTROL)
        self.file = self.socket.makefile("r")

    def write(self, line):
        self.socket.sendall(line.encode() + b"\n")

    def ask(self, line):
        self.write(line)
        return json.loads(self.file.readline())

    def close(self):
        # the file holds the socket open
        self.file.close()
        self.socket.close()


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


SLOW = ("[adapter a]\nport = net_null0\npackets_per_s = 10\nburst_packets = 1\n"
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
    assert json.loads(c.file.readline())["status"] == "CANCELLED"
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
    answer = json.loads(c.file.readline())
    assert answer["status"] == "SUCCESS" and answer["unknown"] == 1, answer
    d.end()


def case_link():
    """The lower link goes down and comes back: sends complete MEDIA_DISCONNECTED meanwhile."""
    if os.getuid() != 0:
        skip("an interface needs root")
    if not os.path.exists("/dev/net/tun"):
        skip("no /dev/net/tun")
    tap = "vl%d" % (os.getpid() % 100000)
    d = Daemon("[adapter a]\nport = net_tap0,iface=%s\npackets_per_s = 1k\n[face f]\nport = net_null1\n" % tap)
    c, waiter = Client(), Client()
    link = lambda how: subprocess.check_call(["ip", "link", "set", tap, how])
    link("up")
    expect(c, "link a up 5000", "SUCCESS")
    assert c.ask("state a")["sends"] == "SUCCESS"
    waiter.write("link a down 8000")
    time.sleep(0.1)
    link("down")
    assert json.loads(waiter.file.readline())["status"] == "SUCCESS"
    assert c.ask("state a")["sends"] == "MEDIA_DISCONNECTED"
    expect(c, "pause a", "SUCCESS", "Paused")
    expect(c, "restart a", "SUCCESS", "Running")
    waiter.write("link a up 8000")
    time.sleep(0.1)
    link("up")
    assert json.loads(waiter.file.readline())["status"] == "SUCCESS"
    assert c.ask("state a")["sends"] == "SUCCESS"
    t = d.end()["a"]
    assert t["media disconnected"][0] > 0 and t["sent"][0] > 0, t


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


def refused(config, pattern):
    with open(WORK + "/c.ini", "w") as f:
        f.write(config)
    p = subprocess.run([VNICD, "--no-pci", "--no-huge", "-m", "256", "--file-prefix", "vnicop%d" % os.getpid(),
                        "--", "-c", WORK + "/c.ini"], capture_output=True, text=True, timeout=60)
    assert p.returncode not in (0, 124) and p.returncode > 0, p
    errors = p.stderr.splitlines()
    assert len(errors) == 1 and re.search(pattern, errors[0]), (pattern, p.stderr)


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
    refused(layer % "lower = c", r"c.ini:4: lower: 'c' is no \[adapter\] above")
    refused(layer % "lower = b", r"c.ini:4: lower: 'b' is no \[adapter\] above")
    refused(layer % "lower = a, a", "c.ini:4: lower names a twice")
    refused(layer % "lower = a\nport = net_null2", "both port and lower")
    refused(layer % "depth = 64", r"c.ini:3: no port in this \[adapter\]")


try:
    globals()["case_" + sys.argv[2]]()
    print("ok:", sys.argv[2])
finally:
    for process in started:
        if process.poll() is None:
            process.kill()
    subprocess.call(["rm", "-rf", WORK])
