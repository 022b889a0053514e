#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
# vnicctl.py - vnicctl as its users meet it: commands, exit codes, JSON, screens, roles, Ctrl-C
# usage: vnicctl.py VNICD CASE      CASE: a function case_... below
import fcntl
import json
import os
import pty
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import termios
import threading
import time

import hosts
from hosts import CONTROL, ROOT, TAG, WORK, Daemon, Space, mac, main, must, refused, skip

CTL = ROOT + "/app/vnicctl/vnicctl"
ENV = dict(os.environ, VNICD_CONTROL=CONTROL)
NOBODY, OTHER = 65534, 65533
# 4096 packets wait, ten leave in a second
SLOW = ("[adapter a]\nport = net_null0,no-rx=1\npackets_per_s = 10\nburst_packets = 1\n"
        "[face f]\nport = net_null1\nid = constant 7\n")
WIRE = ("[adapter wire]\nport = net_null0,no-rx=1\npackets_per_s = 10k\n"
        "[adapter idle]\nport = net_null1,no-rx=1\nreceive = no\n"
        "[face f0]\nport = net_null2\nadapter = wire\nid = constant 7\n"
        "[face an-other_1]\nport = net_null3,no-rx=1\nadapter = idle\n")


def until(question, what, seconds=30):
    deadline = time.time() + seconds
    while not question():
        assert time.time() < deadline, what
        time.sleep(0.02)


def ctl(*words, code=0, as_user=None, program=CTL, env=ENV):
    """Its output; of another code than 0 a line on stderr is expected, unless it says so on stdout."""
    who = ["setpriv", "--reuid", str(as_user), "--regid", str(as_user), "--clear-groups"] if as_user else []
    p = subprocess.run([*who, program, *words], capture_output=True, text=True, timeout=60, env=env, cwd="/")
    assert p.returncode == code, (words, code, p)
    assert len(p.stderr.splitlines()) == (code in (2, 3, 4) or code == 1 and not p.stdout), (words, p)
    return p.stdout + p.stderr


def of_json(*words, code=0):
    """What it prints with --json, which is one line; the option may stand in both places."""
    p = subprocess.run([CTL, *words, "--json"], capture_output=True, text=True, timeout=60, env=ENV, cwd="/")
    assert p.returncode == code and len(p.stdout.splitlines()) == 1, (words, p)
    return json.loads(p.stdout)


def cancelled(*words):
    """The verdict of a cancel that met something; its code says whether the port had some of it."""
    p = subprocess.run([CTL, "--json", "cancel", *words], capture_output=True, text=True, timeout=60, env=ENV)
    answer = json.loads(p.stdout)
    assert not answer["unknown"] and p.returncode == (5 if answer["too_late"] else 0), (words, p)
    return answer["aborted_packets"]


# ---- commands ----

# what programs may have come to rely on; more may be added
NAMES = {
    "state wire": "state sends lifecycle version published registered open_handles operations",
    "stats wire": " ".join("%s_nbls %s_packets" % (k, k) for k in (
        "accepted", "sent", "aborted", "rejected", "invalid_length", "invalid_parameter", "resources", "paused",
        "reset", "low_power", "media_disconnected", "closing", "failure", "queued")) +
    " not_taken port_refused padded copied offloaded segmented segments cancels cancels_unknown too_late hung"
    " rx_received rx_local rx_copies rx_offered rx_unknown rx_malformed rx_paused rx_learn_full",
    "receive f0": "offered queue_full no_memory flushed queued indicated delivered dropped held",
    "share f0": "prefix weight limit cancel_limit received sent aborted rejected dropped backpressure limited"
    " cancels cancels_limited",
    "peer f0": "here peer_came peer_left taken_back refused",
    "ids f0": "rule_1 rule_1_packets unmarked_packets",
    "id f0 udp 10.0.0.1 1 10.0.0.2 2": "face id rule by",
    "latency wire": " ".join("%s_count %s" % (k, " ".join("%s_%s_ns" % (k, m) for m in (
        "p50", "p90", "p99", "p99_9", "max"))) for k in ("completion", "verdict", "walk")),
    "cancel wire 0x1234": "operation adapter status state cancel_id aborted_nbls aborted_packets too_late unknown"
    " latency_ns",
}


def case_queries():
    """Each question as text and as JSON, and what telemetry says to the same."""
    d = Daemon(WIRE)
    assert d.ask("faces idle") == {"faces": ["an-other_1"]} and d.query("faces,wire") == ["f0"]
    assert ctl("list", "adapters") == "wire\nidle\n" and ctl("list", "faces") == "f0\nan-other_1\n"
    assert of_json("list") == {"adapters": ["wire", "idle"], "faces": ["f0", "an-other_1"]}
    assert re.search(r"(?m)^wire +Running +net_null0", ctl("list")), ctl("list")
    assert re.search(r"(?m)^an-other_1 +idle +net_null3", ctl("list")), ctl("list")
    assert re.search(r"(?m)^packets_per_s +10000$", ctl("show", "wire"))
    assert of_json("show", "wire") == dict(d.query("show,wire"), state="Running")
    assert of_json("show", "f0")["of"] == "wire" and of_json("show")["pid"] == d.process.pid
    # every query of the socket is one of telemetry, with the same names
    for line in ("list", "faces", "faces idle", "show f0", "state wire", "stats wire", "latency wire", "share f0", "peer f0",
                 "ids f0", "id f0 udp 10.0.0.1 1 10.0.0.2 2", "histogram wire walk", "receive an-other_1",
                 "log vnic", "help"):
        a, b = d.ask(line), d.query(line.replace(" ", ",", 1))
        assert "error" not in a or line.startswith("receive"), a
        texts = lambda l: [t[:127] for t in l]  # as much as telemetry tells of one
        assert b == texts(*a.values()) if isinstance(b, list) else list(a) == list(b), (line, a, b)
    for line, names in NAMES.items():
        for answer in d.ask(line), d.query(line.replace(" ", ",")):
            assert set(names.split()) <= set(answer), (line, answer)
    until(lambda: of_json("stats", "wire")["wire"]["queued_packets"] > 1000, "nothing queued")
    account = ctl("stats", "wire")
    assert re.search(r"(?m)^  accepted +\d+ +\d+$", account) and "sent" in account, account
    assert "received" in ctl("stats", "f0") and set(of_json("stats")) == {"wire", "idle", "f0", "an-other_1"}
    lines = ctl("stats", "wire", "--watch", "0.2", "--count", "3").splitlines()
    assert len(lines) == 4 and lines[0].startswith("per second") and max(map(len, lines)) <= 80, lines
    rows = lambda: [json.loads(l) for l in ctl("stats", "wire", "--watch", "0.2", "--count", "2", "--json").splitlines()]
    until(lambda: [r["per_second"]["sent_packets"] > 0 for r in rows()] == [True, True], "nothing sent")
    assert cancelled("--face", "f0") > 0
    until(lambda: d.ask("stats wire")["queued_packets"] > 1000, "nothing queued")
    assert cancelled("wire", "0x100000000000007") > 0
    bars = ctl("latency", "wire")
    assert "p99.9" in bars and re.search(r"(?m)^  >= +\d+\.\d\d us +\d+ #+$", bars), bars
    of = of_json("latency", "wire", "--of", "verdict")
    assert of["of"] == "verdict" and sum(of["counts"]) == of["count"] >= 2 and of["max_ns"] >= of["p50_ns"] > 0, of
    assert re.search(r"(?m)^lib.eal +\w+$", ctl("log", "lib.eal")) and of_json("log", "lib.eal")["lib.eal"]
    assert "stats ADAPTER: " in ctl("ask", "help") and of_json("ask", "state", "wire")["operations"] == 0
    d.stop()


def case_operations():
    """Operations and cancels under traffic: what they say, and by which code."""
    d = Daemon(SLOW)
    full = lambda: until(lambda: d.ask("stats a")["queued_packets"] > 100, "nothing queued")
    full()
    assert cancelled("a", "0x100000000000007") > 100
    full()
    assert cancelled("a", "--face", "f") > 100
    full()
    assert cancelled("--face", "f", "--flow", "udp", "10.0.0.1", "1", "10.0.0.2", "2") > 100
    full()
    assert cancelled("--flow", "udp 10.0.0.1 1 10.0.0.2 2") > 100
    full()
    text = subprocess.run([CTL, "cancel", "a", "--face", "f"], capture_output=True, text=True, env=ENV).stdout
    assert re.search(r"^a: aborted \d+ packets in \d+ NBLs, too late \d+, [\d.]+ us$", text), text
    assert "unknown: nothing of it was queued" in ctl("cancel", "0x1234", code=6)
    assert of_json("cancel", "a", "0x1234", "--wait", "0.1", code=6)["unknown"] == 1
    assert ctl("pause", "a") == "a: pause SUCCESS, now Paused\n"
    assert "INVALID_STATE" in ctl("pause", "a", code=1)
    assert of_json("restart")["state"] == "Running"  # there is but one
    begin = time.time()
    assert "CANCELLED" in ctl("drain", "a", "--timeout", "0.2", code=7) and time.time() - begin < 20
    assert of_json("reset", "a")["status"] == "SUCCESS"
    # it waits for something to cancel: until the adapter takes packets again
    assert "now Paused" in ctl("pause", "a")
    waiter = subprocess.Popen([CTL, "cancel", "a", "--face", "f", "--wait", "30"], env=ENV, text=True,
                              stdout=subprocess.PIPE)
    hosts.started.append(waiter)
    until(lambda: d.ask("stats a")["cancels_unknown"] > 5, "it does not try")
    assert of_json("restart", "a")["state"] == "Running"
    said = waiter.communicate(timeout=30)[0]
    assert re.search("aborted [1-9]", said) and waiter.returncode in (0, 5), (said, waiter.returncode)
    # a stop ends what waits: the one in vnicd, and the one that asks again and again
    before = d.ask("stats a")["cancels_unknown"]
    waiters = [subprocess.Popen([CTL, *words], env=ENV, text=True, stdout=subprocess.PIPE) for words in (
        ("drain", "a", "--timeout", "60"), ("cancel", "a", "0x1234", "--wait", "60"))]
    hosts.started.extend(waiters)
    until(lambda: d.ask("stats a")["cancels_unknown"] > before + 5 and d.ask("state a")["operations"], "they do not wait")
    assert "now Halted" in ctl("stop", "a")
    for p, status in zip(waiters, ("CANCELLED", "REDIRECTOR_NOT_STARTED")):
        assert status in p.communicate(timeout=30)[0] and p.returncode == 7, (p, status)
    assert "NOT_STARTED" in ctl("pause", "a", code=1)
    assert of_json("start", "a")["state"] == "Running"
    # so does the end of vnicd, which first says what has become of it
    waiter = subprocess.Popen([CTL, "drain", "a", "--timeout", "60"], env=ENV, text=True, stdout=subprocess.PIPE)
    hosts.started.append(waiter)
    until(lambda: d.ask("state a")["operations"], "it does not wait")
    d.stop()
    said = waiter.communicate(timeout=30)[0]
    assert "a: drain CANCELLED" in said and waiter.returncode == 7, (said, waiter.returncode)
    assert "no vnicd answers" in ctl("list", code=3)


def case_live():
    """Settings, the file and a capture, while it runs."""
    d = Daemon(WIRE)
    assert ctl("set", "adapter", "wire.packets_per_s", "20000") == "adapter wire.packets_per_s = 20000\n"
    assert of_json("show", "wire")["packets_per_s"] == 20000
    assert of_json("set", "wire.packets_per_s=5000")["status"] == "SUCCESS"
    assert of_json("show", "wire")["packets_per_s"] == 5000
    assert "did you mean" in ctl("set", "wire.packet_per_s", "1", code=2)
    for words in (("vnicd.report=/tmp/a=b, c",), ("vnicd.report", "/tmp/a=b,", "c"), ("vnicd.report", "=", "/tmp/a=b, c")):
        assert ctl("set", *words) == "vnicd.report = /tmp/a=b, c\n" and of_json("show")["report"] == "/tmp/a=b, c"
    assert ctl("set", "vnicd.report", "") == "vnicd.report = \n" and of_json("show")["report"] == ""
    assert ctl("set", "vnicd.report", "/tmp") and ctl("set", "vnicd.report=") and of_json("show")["report"] == ""
    assert "has no value" in ctl("set", "wire.packets_per_s", "", code=2)
    ctl("set", "wire.packets_per_s", "many", code=2)
    assert ctl("log", "lib.eal", "debug") == "log.lib.eal = debug\n" and of_json("log", "lib.eal")["lib.eal"] == "debug"
    ctl("log", "lib.eal", "loud", code=2)
    # a level counts at once, by either name
    said = lambda: open(WORK + "/err").read()
    assert ctl("log", "vnicd", "info") and d.ask("pause wire")["status"] == "SUCCESS"
    until(lambda: "adapter wire: Paused" in said(), "the level is not info")
    assert ctl("set", "vnicd.log_level", "notice") and d.ask("restart wire")["status"] == "SUCCESS"
    assert of_json("reload")["status"] == "SUCCESS" and of_json("show", "wire")["packets_per_s"] == 10000
    until(lambda: "reload of" in said(), "the level is not notice")
    assert "adapter wire: Running" not in said()
    path = WORK + "/x.pcapng"
    assert of_json("capture", "start", path, "wire", "--snaplen", "64")["capture"] == "on"
    until(lambda: of_json("capture", "status")["captured"] > 0, "nothing is captured")
    assert of_json("capture", "stop")["written"] > 0 and os.path.getsize(path) > 0
    said = ctl("capture", path, "--seconds", "0.5")
    assert said.startswith("capturing into " + path) and re.search(r"(?m)^capture +off$", said), said
    assert "none is on" in ctl("capture", "stop", code=1)
    # what is asked for as it is to be, and cannot be done
    assert "No such file or directory" in ctl("capture", WORK + "/no/such/folder", code=1)
    with open(WORK + "/c.ini", "a") as f:
        f.write("nonsense = 1\n")
    assert "unknown key 'nonsense'" in ctl("reload", code=1)
    many = [socket.socket(socket.AF_UNIX) for _ in range(16)]
    for s in many:
        s.connect(CONTROL)
    assert "as many clients as are served at once" in ctl("list", code=3)
    for s in many:
        s.close()
    d.stop()


def case_refused():
    """One line and a code for each thing that can be wrong."""
    says = lambda what, *words, code=2: re.search(what, ctl(*words, code=code)) or sys.exit(repr((what, words)))
    nowhere = dict(os.environ, VNICD_CONTROL=WORK + "/none")
    assert re.search("no vnicd answers at .*No such file.*control = ", ctl("list", code=3, env=nowhere))
    with open(WORK + "/file", "w"):
        says("no vnicd answers", "list", "--socket", WORK + "/file", code=3)
    says("no vnicd answers", "--socket", "/" + "x" * 200, "list", code=3)
    d = Daemon(WIRE)
    says("no adapter 'wrie' here; did you mean wire", "pause", "wrie")
    says("no adapter or face 'f1' here; did you mean f0", "show", "f1")
    says("no face 'x' here; there is f0, an-other_1", "cancel", "--face", "x")
    says("name an adapter: wire, idle", "pause")
    says("a face has no --watch; see vnicctl top", "stats", "f0", "--watch")
    says("'0' is not a number of seconds from 0.001 to 3600", "drain", "wire", "--timeout", "0")
    says("ID is a number from 1", "cancel", "wire", "nothing")
    says("SPORT and DPORT", "cancel", "wire", "--flow", "udp", "10.0.0.1", "1", "10.0.0.2", "99999")
    says("say what of wire", "cancel", "wire")
    says("say what of wire", "cancel", "wire", "7", "--face", "f0")
    says("invalid choice: 'bogus'", "bogus")
    says("what is to be done is missing")
    says("unrecognized arguments: --nothing", "list", "--nothing")
    says("no such operation; help names them", "ask", "nothing")
    says("at most 255 characters", "ask", "x" * 300)
    says("printable", "ask", "list\npause wire")
    says("write SECTION.KEY VALUE", "set", "pace")
    says("write SECTION.KEY VALUE", "set", "vnicd.report")
    says("write set SECTION.KEY VALUE", "ask", "set", "vnicd.report")
    says("a file's name has no blanks", "capture", "/tmp/a b.pcapng")
    says("completion, verdict or walk", "ask", "histogram", "wire", "sideways")
    says("too many words", "ask", "list", "x")
    for words in (("set", "adapter", "wire.no_such_key", "1"), ("set", "nothing.x=1")):
        says(".", *words)
    answer = subprocess.run([CTL, "--json", "pause", "wrie"], capture_output=True, text=True, env=ENV)
    assert json.loads(answer.stdout)["exit"] == answer.returncode == 2, answer
    d.stop()
    assert not os.path.exists(CONTROL)
    # an adapter's name that could be an id
    lines = []
    verdict = {"adapter": "7", "status": "SUCCESS", "unknown": 1, "latency_ns": 0}
    with Fake(lambda line: lines.append(line) or ({"adapters": ["7"]} if line == "list" else verdict)):
        assert "say what of 7" in ctl("cancel", "7", code=2)
        for words in (("8",), ("7", "8")):
            ctl("cancel", *words, code=6)
            assert lines[-1] == "cancel 7 8", lines
        ctl("cancel", "7", "--flow", "udp 10.0.0.1 1 10.0.0.2 2", code=6)
        assert lines[-1] == "cancel 7 flow udp 10.0.0.1 1 10.0.0.2 2", lines
    # a daemon that says what a test cannot bring about at will, or dies
    for said, code, what in (
            ({"operation": "cancel", "adapter": "a", "status": "SUCCESS", "state": "Running", "aborted_nbls": 2,
              "aborted_packets": 3, "too_late": 4, "unknown": 0, "latency_ns": 1500}, 5,
             "a: aborted 3 packets in 2 NBLs, too late 4, 1.50 us"), (None, 3, "has gone away")):
        with Fake(said):
            assert what in ctl("cancel", "a", "7", code=code)


class Fake:
    """A daemon that answers what a function says to a line; or it has one adapter, a, and one answer to all
    else. None: it hangs up."""

    def __init__(self, answer):
        self.answer = answer if callable(answer) else lambda line: {"adapters": ["a"]} if line == "list" else answer
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(CONTROL)
        self.socket.listen()

    def serve(self):
        while True:
            try:
                s = self.socket.accept()[0]
            except OSError:  # the end
                return
            with s, s.makefile("r") as lines:
                for line in lines:
                    answer = self.answer(line[:-1])
                    if answer is None:
                        break
                    try:
                        s.sendall(json.dumps(answer).encode() + b"\n")
                    except OSError:  # it has gone
                        break

    def __enter__(self):
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def __exit__(self, *_):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.thread.join(10)
        self.socket.close()
        os.unlink(CONTROL)


def case_reloads():
    """What it makes of counts; and adapters that come, go and begin again while it looks."""
    share = {"received": 100, "sent": 40, "aborted": 20, "rejected": 10, "dropped": 25}
    said = {"list": {"adapters": []}, "faces": {"faces": ["f"]}, "share f": share, "peer f": {"here": 1}}
    with Fake(lambda line: said.get(line, {"error": "no"})):
        assert of_json("stats", "f")["f"]["queued"] == 5
    keys = [k + "_packets" for k in ("accepted", "sent", "aborted", "rejected", "queued")] + ["cancels", "too_late"]

    def daemon(names, counts, **more):
        """Lists these names, one after the other, and has these counts of each; else what is more."""
        def answer(line):
            what, _, who = line.partition(" ")
            if what == "list":
                return {"adapters": next(names)}
            if line in ("faces", "show"):
                return {"faces": [], "version": "0", "pid": 1}
            if who not in counts:
                return {"error": "no such adapter; list names them"}
            return dict.fromkeys(keys, next(counts[who])) if what == "stats" else more[what]
        return Fake(answer)

    # of the names listed one is no adapter any more; a begins again, b comes, a goes
    with daemon(iter([["a", "gone"]] * 2 + [["a", "b"], ["b"]]), {"a": iter((1000, 10)), "b": iter((5, 7))}):
        p = subprocess.run([CTL, "--json", "stats", "--watch", "0.1", "--count", "2"], capture_output=True, text=True,
                           env=ENV, timeout=60)
    rows = [json.loads(line) for line in p.stdout.splitlines()]
    assert p.returncode == 0 and [r["adapter"] for r in rows] == ["a", "b"], p
    for r, grown in zip(rows, (10, 2)):
        assert all(abs(v * r["seconds"] - grown) < 0.1 for v in r["per_second"].values()), rows
    more = {"show": {"state": "Running", "faces": []}, "histogram": {"low_ns": [], "high_ns": [], "counts": [], "max_ns": 0}}
    with daemon(iter([["a", "gone"]] * 2), {"a": iter((1000, 10))}, **more):
        text = ctl("top", "--interval", "0.1", "--count", "1")
    assert re.search(r"(?m)^a +Running +10 +[1-9]", text) and "gone" not in text, text
    with daemon(iter([["a", "gone"]]), {"a": iter(())}, show=dict(more["show"], adapter="a", port="x")):
        assert "gone" not in ctl("list")


def case_capture():
    """A capture that vnicctl waits for ends with it, whatever ends it, and it says how."""
    path, line = WORK + "/x.pcapng", [CTL, "capture", WORK + "/x.pcapng"]
    d = Daemon(WIRE)
    status = lambda: d.ask("capture status")["capture"]

    def begin(**more):
        p = subprocess.Popen(line, env=ENV, stderr=subprocess.PIPE, text=True, **{"stdout": subprocess.PIPE, **more})
        hosts.started.append(p)
        return p

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        p = begin()
        assert p.stdout.readline().startswith("capturing into")
        until(lambda: status() == "on", "it does not begin")
        p.send_signal(number)
        out, err = p.communicate(timeout=60)
        assert p.returncode == 0 and re.search(r"(?m)^capture +off$", out) and status() == "off", (number, p, out, err)
    reader, writer = os.pipe()  # that nobody reads
    os.close(reader)
    p = begin(stdout=writer)
    os.close(writer)
    assert p.wait(60) == -signal.SIGPIPE and p.stderr.read() == "" and status() == "off", p
    assert d.ask("capture status")["written"] >= 0 and os.path.getsize(path) > 0
    for words in (("start", path, "--seconds", "5"), ("stop", "--seconds", "5"), ("status", "--snaplen", "9")):
        assert "is for a capture that" in ctl("capture", *words, code=2) and status() == "off"
    assert d.ask("capture start %s/other" % WORK)["capture"] == "on"
    assert "one is on" in ctl("capture", path, code=1) and status() == "on", "another's is let alone"
    assert d.ask("capture stop")["capture"] == "off"
    p = begin()
    assert p.stdout.readline()
    d.stop()
    assert "has gone away" in p.communicate(timeout=60)[1] and p.returncode == 3, p

    # interrupted while `start` is not answered yet, and twice
    now = {"capture": "off"}

    def answer(said):
        if said == "capture start " + path:
            now.update(capture="on", file=path)
            p.send_signal(signal.SIGINT)
            time.sleep(0.2)
            p.send_signal(signal.SIGHUP)
        elif said == "capture stop":
            now["capture"] = "off"
        return dict(now)

    with Fake(answer):
        p = begin()
        out, err = p.communicate(timeout=60)
        assert p.returncode == 0 and now["capture"] == "off", (p.returncode, out, err)
    # it ended by itself, another ended it, or began one of its own; Ctrl-C before the answer to `status`
    for then, code, what in (({"capture": "failed", "reason": "disk"}, 1, "(?m)^reason +disk$"),
                             ({"capture": "off"}, 0, "(?m)^capture +off$"),
                             ({"capture": "on", "file": "/x"}, 1, "another client has ended it, and begun one into /x"),
                             (None, 0, "(?m)^capture +off$")):
        said = []

        def answer(line):
            said.append(line)
            if line == "capture stop":
                return {"capture": "off", "file": path}
            if said.count("capture status") == 2 and then is None:
                p.send_signal(signal.SIGINT)
                time.sleep(0.3)
            return {"capture": "on", "file": path, **(then or {} if said.count("capture status") > 1 else {})}

        with Fake(answer):
            p = begin()
            out, err = p.communicate(timeout=60)
        assert p.returncode == code and re.search(what, out + err), (then, p.returncode, out, err)
        assert ("capture stop" in said) == (then is None), (then, said)


def interrupted(words, ready):
    """What vnicctl says when Ctrl-C comes as soon as it is ready."""
    p = subprocess.Popen([CTL, *words], env=ENV, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    hosts.started.append(p)
    ready()
    p.send_signal(signal.SIGINT)
    out, err = p.communicate(timeout=20)
    assert p.returncode == 130 and out == "", (words, p.returncode, out, err)
    return err


def case_interrupt():
    """Ctrl-C of what pends: cancelled in the daemon, or not, and which is said."""
    d = Daemon(SLOW)
    assert os.stat(CONTROL).st_mode & 0o777 == 0o600
    operations = lambda n: until(lambda: d.ask("state a")["operations"] == n, "%d operations are not pending" % n)
    for words, what in (("drain", "a"), "drain of a"), (("ask", "link a down 60000"), "link a"):
        assert interrupted(words, lambda: operations(1)) == "vnicctl: interrupted: vnicd cancels the %s\n" % what
        operations(0)
    # mostly it sleeps between two cancels, and when not says that the one is cancelled
    for turn in range(10):
        cancels = d.ask("stats a")["cancels_unknown"]
        err = interrupted(("cancel", "a", "0x9999", "--wait", "60"),
                          lambda: until(lambda: d.ask("stats a")["cancels_unknown"] > cancels + 1, "it does not wait"))
        if err != "vnicctl: interrupted: vnicd cancels the cancel\n":
            break
    assert err == "vnicctl: interrupted: nothing of it was queued so far\n", err
    d.stop()
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(CONTROL)
        s.listen()
        for words in ("reload",), ("set", "a.weight", "2"), ("ask", "reload"):
            there = []

            def reads():
                there.append(s.accept()[0])
                assert there[0].recv(256)
            what = words[-1] if words[0] == "ask" else words[0]
            assert interrupted(words, reads) == (
                "vnicctl: interrupted: the %s goes on, and vnicd's log tells how it ends\n" % what)
            there[0].close()


# ---- roles ----

def as_nobody(lines):
    """The answers to these, written by another user."""
    said = must("setpriv", "--reuid", str(NOBODY), "--clear-groups", sys.executable, "-c",
                "import socket, sys\ns = socket.socket(socket.AF_UNIX)\ns.connect(%r)\nf = s.makefile('rw')\n"
                "for line in sys.argv[1:]:\n print(line, file=f, flush=True)\n sys.stdout.write(f.readline())" % CONTROL,
                *lines)
    return [json.loads(x) for x in said.splitlines()]


def case_roles():
    """Who may ask, who may change, who may nothing; and lists that are wrong."""
    if os.getuid() != 0 or shutil.which("setpriv") is None:
        skip("needs root, and setpriv of util-linux, to become somebody else")
    program = WORK + "/vnicctl"
    shutil.copy(CTL, program)
    os.chmod(WORK, 0o755)
    ask = lambda *words, user, code: ctl(*words, code=code, as_user=user, program=program)
    d = Daemon("control_readers = %d\n" % NOBODY + SLOW)
    assert os.stat(CONTROL).st_mode & 0o777 == 0o666
    assert "a" in ask("list", user=NOBODY, code=0) and "queued" in ask("stats", user=NOBODY, code=0)
    ask("top", "--count", "1", "--interval", "0.1", user=NOBODY, code=0)
    assert re.search("(?m)^capture +off$", ask("capture", "status", user=NOBODY, code=0))
    for words in (("pause", "a"), ("cancel", "a", "7"), ("drain", "a"), ("cancel", "--face", "f"), ("stop", "a")):
        assert "you may ask, not change: control_operators does not name user %d" % NOBODY in ask(
            *words, user=NOBODY, code=4)
    help = d.ask("help")["help"]
    asks = ("list faces show state stats xstats latency histogram receive share peer ids id log capture_status "
            "help").split()
    changes = [line.split()[0].rstrip(":") for line in help if line.split()[0].rstrip(":") not in asks]
    assert {"set", "reload", "capture", "start", "remove", "cancel_flow"} < set(changes) and len(changes) > 15, changes
    lines = ["set a.packets_per_s 77", "set log.vnicd debug", "capture start %s/r" % WORK] + changes
    for line, answer in zip(lines, as_nobody(lines)):
        assert answer.get("needs") == "operator" and "you may ask, not change" in answer["error"], (line, answer)
    for answer in as_nobody(asks):
        assert "needs" not in answer, answer
    assert "neither control_operators nor control_readers names user %d" % OTHER in ask("list", user=OTHER, code=4)
    assert d.ask("state a")["state"] == "Running" and d.ask("show a")["packets_per_s"] == 10
    assert d.ask("log vnicd") == {"log": ["vnicd notice"]} and not os.path.exists(WORK + "/r")
    d.query("list")
    d.telemetry.send(b"/")
    offered = set(json.loads(d.telemetry.recv(65536))["/"])
    assert "/vnic/capture_status" in offered, offered
    assert not offered & {"/vnic/set", "/vnic/reload", "/vnic/capture"}, offered
    assert d.query("set,a.packets_per_s 77") == d.query("capture,stop") == d.query("reload") is None
    assert d.ask("pause a")["status"] == "SUCCESS"
    # readers cannot take every place
    many = [subprocess.Popen(["setpriv", "--reuid", str(NOBODY), "--clear-groups", sys.executable, "-c",
                              "import socket, time\nkeep = []\nfor _ in range(20):\n s = socket.socket(socket.AF_UNIX)\n"
                              " s.connect(%r)\n keep.append(s)\nprint('there', flush=True)\ntime.sleep(60)" % CONTROL],
                             stdout=subprocess.PIPE, text=True)]
    hosts.started.extend(many)
    assert many[0].stdout.readline() == "there\n"
    assert d.ask("restart a")["status"] == "SUCCESS"
    many[0].kill()
    many[0].wait()
    # a group, and of two roles the higher one
    os.chmod(CONTROL, 0o600)
    assert "permission denied" in ask("list", user=NOBODY, code=4)
    d.stop()
    d = Daemon("control_readers = daemon, %d\ncontrol_operators = root, @%d\n" % (NOBODY, NOBODY) + SLOW)
    assert "Paused" in ask("pause", "a", user=NOBODY, code=0)
    assert "neither" in ask("list", user=OTHER, code=4)
    # vnicd's rights on files are not an operator's
    line = lambda words, code: ask("ask", words, user=NOBODY, code=code)
    assert "it names none" in line("capture start %s/x.pcapng" % WORK, 2) and not os.path.exists(WORK + "/x.pcapng")
    assert "root or vnicd's user may set it" in line("set vnicd.report " + WORK, 2)
    d.stop()
    os.mkdir(WORK + "/captures")
    d = Daemon("control_operators = @%d\ncaptures = %s/captures/\n" % (NOBODY, WORK) + SLOW)
    for path in "/x", "/captures", "/captures/", "/captures/../x", "/captures/a/x", "/capturesx/x":
        assert "name a file in the folder" in line("capture start %s%s" % (WORK, path), 2)
    line("capture start %s/captures/x" % WORK, 0)
    line("capture stop", 0)
    assert os.stat(WORK + "/captures/x").st_uid == NOBODY
    d.ask("capture start %s/own" % WORK)
    d.stop()
    # it is made by vnicd, which may not give it away here
    Daemon.before = staticmethod(lambda program: ["setpriv", "--bounding-set", "-chown", *program])
    d = Daemon("control_operators = %d\ncaptures = %s/captures/\n" % (NOBODY, WORK) + SLOW)
    assert as_nobody(["capture start %s/captures/y" % WORK])[0]["capture"] == "on"
    assert ("capture %s/captures/y: user %d cannot be given it: Operation not permitted; as root: chown %d %s/captures/y\n" %
            (WORK, NOBODY, NOBODY, WORK)) in open(WORK + "/err").read()
    d.stop()
    base = "[vnicd]\ncontrol = %s\n%%s\n%s" % (CONTROL, SLOW)
    refused(base % "control_operators = root, nobody-here", "control_operators = .*no user 'nobody-here' here: name")
    refused(base % "control_readers = @no-such", "control_readers = @no-such: no group 'no-such' here: name")
    refused(base % ("control_readers = " + ", ".join(map(str, range(1, 40)))), "more than 32 users and groups")
    refused("[vnicd]\ncontrol_readers = root\n" + SLOW, "there is no control socket: add control = PATH")


# ---- top ----

class Screen:
    """What a terminal of 80 columns shows: as much of a VT100 as curses uses."""

    def __init__(self, rows=24, columns=80):
        self.rows, self.columns, self.wrapped = rows, columns, 0
        self.cells = [[" "] * columns for _ in range(rows)]
        self.y = self.x = 0

    def control(self, numbers, letter):
        n = [int(x or 0) for x in re.findall(r"\d+", numbers)]
        first = max(n[0] if n else 1, 1)
        if letter == "H":
            self.y, self.x = (max(n[0], 1) - 1 if n else 0), (n[1] - 1 if len(n) > 1 else 0)
        elif letter in "ABCD":
            dy, dx = {"A": (-1, 0), "B": (1, 0), "C": (0, 1), "D": (0, -1)}[letter]
            self.y, self.x = self.y + dy * first, self.x + dx * first
        elif letter in "JK":
            start = self.x if not n or n[0] == 0 else 0
            self.cells[self.y][start:] = [" "] * (self.columns - start)
            for y in range(self.y + 1, self.rows) if letter == "J" else ():
                self.cells[y] = [" "] * self.columns

    def feed(self, text):
        for m in re.finditer(r"\x1b\[([?\d;]*)([A-Za-z])|\x1b[()].|\x1b.|[\0-\x1f]|.", text):
            if m[2]:
                self.control(m[1], m[2])
            elif m[0] == "\r":
                self.x = 0
            elif m[0] == "\n":
                self.y = min(self.y + 1, self.rows - 1)
            elif m[0] == "\b":
                self.x -= 1
            elif m[0] >= " ":
                if self.x >= self.columns:
                    self.wrapped += 1
                    self.x, self.y = 0, min(self.y + 1, self.rows - 1)
                self.cells[self.y][self.x] = m[0]
                self.x += 1

    def lines(self):
        return ["".join(row).rstrip() for row in self.cells]


class Terminal:
    """A program in a pseudo terminal."""

    def __init__(self, *words, rows=24, columns=80):
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.process = subprocess.Popen(words, stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
                                        env={**{k: v for k, v in ENV.items() if k not in ("LINES", "COLUMNS")},
                                             "TERM": "vt100"})
        os.close(slave)
        hosts.started.append(self.process)
        self.screen = Screen(rows, columns)

    def read(self, seconds=0.2):
        end = time.time() + seconds
        while select.select([self.master], [], [], max(0, end - time.time()))[0]:
            try:
                data = os.read(self.master, 65536)
            except OSError:  # the other side is closed
                return
            self.screen.feed(data.decode())

    def until(self, pattern):
        until(lambda: self.read() or re.search(pattern, "\n".join(self.screen.lines())),
              (pattern, self.screen.lines()))

    def press(self, key):
        os.write(self.master, key)
        until(lambda: self.read() or self.process.poll() is not None, "it does not end")
        return self.process.returncode


def case_top():
    """The screen at 80 columns, and as text where there is no terminal."""
    d = Daemon(WIRE + "[plan]\ncancels_per_s = 50\nadapter = wire\n")
    until(lambda: d.ask("stats wire")["cancels"] > 20, "no cancels")
    t = Terminal(CTL, "top", "--interval", "0.3")
    t.until(r"(?m)^wire +Running +\d\S* +\d\S* +[1-9]\S* +[1-9]")
    t.until(r"cancels, us: p50 [\d.]+  p90 [\d.]+  p99 [\d.]+  p99.9 [\d.]+  max [\d.]+  \(\d+ new\)")
    t.until(r"(?m)^an-other_1 +idle +0 +0 +0 +0 +0 +0 +\w+$")
    assert t.screen.wrapped == 0 and t.screen.lines()[0].startswith("vnicd "), t.screen.lines()
    print("\n".join(t.screen.lines()).rstrip())
    assert t.press(b"q") == 0
    t = Terminal(CTL, "top", rows=5)
    t.until(r"(?m)^\.\.\. \d+ more lines: a longer window shows them")
    assert t.press(b"\x1b") == 0
    plain = ctl("top", "--interval", "0.3", "--count", "2").split("\n\nvnicd ")
    assert len(plain) == 2 and max(len(l) for p in plain for l in p.splitlines()) <= 80, plain
    assert "\x1b" not in plain[1] and re.search(r"(?m)^wire +Running", plain[1]), plain[1]
    both = [json.loads(l) for l in ctl("--json", "top", "--interval", "0.1", "--count", "2").splitlines()]
    assert both[1]["adapters"]["wire"]["sent_packets"] > 0 and both[0]["faces"]["f0"]["of"] == "wire", both
    # losses by reason, with their pace
    assert d.ask("pause wire")["status"] == "SUCCESS"
    until(lambda: re.search(r"lost: .*paused [\d.]+\w? \+[\d.]+\w?/s", ctl("top", "--interval", "0.3", "--count", "1")),
          "what is lost is not shown")
    # the daemon ends under it: one line
    p = subprocess.Popen([CTL, "top", "--interval", "0.1"], env=ENV, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                         text=True)
    hosts.started.append(p)
    assert p.stdout.readline()
    d.stop()
    err = p.communicate(timeout=30)[1]
    assert p.returncode == 3 and len(err.splitlines()) == 1, (p.returncode, err)


# ---- completion ----

def case_completion():
    """What bash completes: commands, options, and names that it asks the daemon for."""
    if shutil.which("bash") is None:
        skip("bash is not installed")
    script = ("source %s/app/vnicctl/vnicctl.bash-completion\nCOMP_WORDS=(\"$@\")\nCOMP_CWORD=$(($# - 1))\n"
              "_vnicctl\nprintf '%%s\\n' \"${COMPREPLY[@]}\"" % ROOT)

    def completes(*words, env=ENV):
        p = subprocess.run(["bash", "-c", script, "bash", CTL, *words], capture_output=True, text=True, env=env)
        assert p.returncode == 0 and p.stderr == "", p
        return p.stdout.split()

    nowhere = dict(os.environ, VNICD_CONTROL=WORK + "/none")
    assert {"list", "top", "cancel", "capture", "reload", "log"} <= set(completes("", env=nowhere))
    assert completes("re", env=nowhere) == ["restart", "reset", "reload"]
    assert completes("pause", "", env=nowhere) == []
    d = Daemon(WIRE)
    assert completes("pause", "") == ["wire", "idle"] and completes("cancel", "w") == ["wire"]
    assert completes("show", "") == ["wire", "idle", "f0", "an-other_1"]
    assert completes("cancel", "wire", "--face", "") == ["f0", "an-other_1"]
    assert completes("cancel", "wire", "--f") == ["--flow", "--face"]
    assert completes("latency", "--of", "w") == ["walk"] and completes("list", "f") == ["faces"]
    assert completes("capture", "/tmp/x", "") == ["wire", "idle"] and "peer" in completes("ask", "p")
    assert completes("--socket", CONTROL, "stats", "an", env=nowhere) == ["an-other_1"]
    paces = ["wire.packets_per_s", "wire.bits_per_s", "wire.burst_packets"]
    assert completes("set", "w") == completes("set", "adapter", "w") == paces and completes("set", "face", "w") == []
    assert completes("set", "f0.") == ["f0.weight", "f0.limit", "f0.cancel_limit"]
    assert completes("set", "vnicd.lo") == ["vnicd.log_level"] and completes("set", "f0.limit", "") == []
    assert completes("log", "vni") == ["vnicd"] and completes("log", "vnicd", "w") == ["warning"]
    assert completes("log", "vnicd", "warning", "") == completes("set", "", env=nowhere) == []
    assert completes("bogus", "") == [] and completes("--j") == ["--json"]
    d.stop()


# ---- a session ----

def case_session():
    """A first session: two hosts, vnicd between them, and the flow of a running iperf3 is taken back."""
    hosts.need()
    for tool in ("iperf3", "ethtool"):
        if shutil.which(tool) is None:
            skip("no %s here; apt-get install -y %s" % (tool, tool))
    a, b = Space(1), Space(2)
    ports = [x.veth() for x in (a, b)]
    for x, other in ((a, b), (b, a)):
        name = "vb%d%s" % (x.n, TAG)
        must("ip", "netns", "exec", x.name, "ethtool", "-K", name, "tx", "off", "tso", "off", "gso", "off", "gro", "off")
        must("ip", "-n", x.name, "neigh", "add", other.address, "lladdr", mac(other.n), "dev", name)
    d = Daemon("[adapter wire]\nport = net_af_packet0,iface=%s\nbits_per_s = 8M\n"
               "[face host]\nport = net_af_packet1,iface=%s\n" % (ports[1], ports[0]))
    assert re.search(r"(?m)^wire +Running", ctl("list"))
    a.ping(b)
    server = b.start("iperf3", "-s", "-1")
    until(lambda: ":1451 " in b.run("cat", "/proc/net/tcp6", "/proc/net/tcp").stdout, "no server")
    client = a.start("iperf3", "-c", b.address, "-u", "-b", "20M", "-l", "1000", "--cport", "5555", "-t", "30")
    flow = ("udp", a.address, "5555", b.address, "5201")
    top = subprocess.Popen([CTL, "top", "--interval", "0.5"], env=ENV, stdout=open(WORK + "/top", "w"))
    hosts.started.append(top)
    took = 0
    for _ in range(3):
        until(lambda: d.ask("stats wire")["queued_packets"] > 200, "iperf3's packets do not queue")
        took += cancelled("wire", "--flow", *flow, "--wait")
    assert took > 300 and client.poll() is None, took
    # seen: packets aborted per second, of the adapter and of the face
    until(lambda: re.search(r"(?m)^wire +Running( +\S+){3} +[1-9]\S* +\S+ +[1-9]|^wire +Running( +\S+){3} +[1-9]",
                            open(WORK + "/top").read()), "top shows no abort")
    until(lambda: re.search(r"(?m)^host +wire( +\S+){3} +[1-9]", open(WORK + "/top").read()), "no abort of the face")
    print(next(f for f in open(WORK + "/top").read().split("\n\nvnicd ") if re.search(
        r"(?m)^host +wire( +\S+){3} +[1-9]", f)))
    assert d.ask("stats wire")["aborted_packets"] == took
    assert "p50" in ctl("latency", "wire")
    for p in (client, server, top):
        p.terminate()
        p.wait()
    d.stop()


main(globals())
