#!/usr/bin/env -S python3 -B
# SPDX-License-Identifier: BSD-3-Clause
# readme.py - every command in README.md is run by a test, here or elsewhere
# usage: readme.py VNICD CASE BUILD      CASE: a function case_... below
#
# A command is a line of a code block whose first word is a program, "$ " before it or not, and
# what stands between backquotes and begins with a program of ours, or a page of ours. COMMANDS says for
# each how it is run; one that it does not know fails the test, as does one that README has no more.
import functools
import json
import os
import re
import shutil
import signal
import subprocess
import sys

import hosts
from hosts import CONTROL, ROOT, WORK, main, must, run, skip
from programs import start, until

CTL = ROOT + "/app/vnicctl/vnicctl"
BUILD = os.path.abspath(sys.argv[3])
OURS = ("app/", "tests/", "config/", "build/", "vnicd ", "vnic-bench", "vnicctl", "ninja", "meson",
        "pkg-config", "systemctl", "dpdk-", "man ", "vnic-exporter")


def blocks():
    """The code blocks of README: their lines."""
    found, fence, kind = [[]], None, ""
    with open(ROOT + "/README.md") as f:
        for line in f.read().splitlines():
            if line.startswith("```"):
                fence, kind = (None, "") if fence else ("```", line[3:])
                found.append([])
            elif fence and kind in ("sh", "bash", "console"):
                found[-1].append(line)
            elif not fence and line.startswith("    ") and line.strip():
                found[-1].append(line[4:])
            elif line.strip() or not fence:
                found.append([])
    return [b for b in found if b]


def is_program(word):
    return os.path.isfile(os.path.join(ROOT, word)) if "/" in word else shutil.which(word) is not None


def commands():
    """{command: the lines below it}, in order."""
    found = {}
    for block in blocks():
        at = None
        for line in block:
            if m := re.match(r"(?:\$ |sudo )*(\S+)(.*)", line):
                prompt = line.startswith("$ ")
                word = m[1]
                if prompt or (not line.startswith(" ") and (word.startswith(OURS) or is_program(word))):
                    command = re.sub(r"\s+#.*$", "", re.sub(r"^(\$ |sudo )*", "", line)).strip()
                    at = found.setdefault(command, [])
                    continue
            if at is not None:
                at.append(line)
    text = re.sub(r"```.*?```", "", open(ROOT + "/README.md").read(), flags=re.S)
    for code in re.findall(r"`([^`\n]+)`", text):
        if (" " in code or code.endswith(".py")) and code.startswith(OURS):
            found.setdefault(code, [])
    return found


# ---- how each is run ----

@functools.cache
def tests():
    """{test: the file in which it is written}, those of programs aside."""
    found = {}
    for t in json.loads(run("meson", "introspect", "--tests", BUILD).stdout):
        script = [w for w in t["cmd"] if w.startswith(ROOT + "/tests/")]
        found[t["name"]] = script[0] if script else None
    return found


class Elsewhere:
    """By a test of that name, of this build, in whose file these words stand."""

    def __init__(self, test, *words):
        self.test, self.words = test, words

    def run(self, command, below):
        assert self.test in tests(), ("no such test", self.test)
        with open(tests()[self.test]) as f:
            text = f.read()
        for w in self.words:
            assert w in text, "%s: nothing in it has %s, which is to run %s" % (tests()[self.test], w, command)


class Rehearsed:
    """tests/run in a tree of its own, where to build and to test is only noted: these suites of these builds."""

    SUITES = {"build": "fast conformance stress e2e perf", "build-asan": "fast conformance stress",
              "build-tsan": "conformance stress", "build-tsan-clang": "stress"}
    MESON = """#!/usr/bin/env python3
import json, os, sys
w = sys.argv[1:]
if w[0] == "setup":
    open(w[1] + "/build.ninja", "w").close()
if w[0] == "test":
    os.chdir(w[w.index("-C") + 1])
    suites = [w[i + 1] for i, x in enumerate(w) if x == "--suite"]
    print(os.path.basename(os.getcwd()), *suites, file=open(os.environ["TOLD"], "a"))
    os.makedirs("meson-logs")
    with open("meson-logs/testlog.json", "w") as f:
        for s in suites:
            each = "".join("c%d_" % i for i in range(1, 81))
            print(json.dumps(dict(name="vnic:%s / %s" % (s, s), result="OK", duration=1, stdout="".join(
                "[ %s ] %sx\\n" % (x, each) for x in ("RUN", "OK")))), file=f)
"""

    def run(self, command, below):
        tree = WORK + "/rehearsed"
        shutil.rmtree(tree, ignore_errors=True)
        for path in "tests/run", "tests/report", "tests/conformance/items.txt", "app/setup.sh":
            os.makedirs(os.path.dirname(tree + "/" + path), exist_ok=True)
            shutil.copy(ROOT + "/" + path, tree + "/" + path)
        with open(tree + "/app/setup.sh", "a") as f:
            f.write("install_missing() { [ $# -gt 20 ]; }\nprepare_hugepages() { :; }\n")
        os.mkdir(tree + "/bin")
        for name, text in ("meson", self.MESON), ("ninja", "#!/bin/sh\n"):
            with open(tree + "/bin/" + name, "w") as f:
                f.write(text)
            os.chmod(tree + "/bin/" + name, 0o755)
        p = subprocess.run(command.split(), cwd=tree, capture_output=True, text=True, timeout=60, env=dict(
            os.environ, TOLD=tree + "/told", PATH="%s/bin:%s" % (tree, os.environ["PATH"])))
        wanted = command.split()[1:]
        told = [line.split() for line in open(tree + "/told")]
        assert p.returncode == 0 and {b: s for b, *s in told} == {
            b: these for b, all_ in self.SUITES.items()
            if (these := [s for s in all_.split() if not wanted or s in wanted])}, (command, told, p)
        assert p.stdout.endswith("%d passed, 0 failed\n" % sum(len(t) - 1 for t in told)), p
        assert ("contract: 80 of 80 items ok" in p.stdout) == ("fast" not in wanted), p


class Here:
    """As it stands, with the programs of this build; its output has what the pattern says."""

    def __init__(self, pattern, change=lambda c: c):
        self.pattern, self.change = pattern, change

    def run(self, command, below):
        line = re.sub(r"\bbuild/", BUILD + "/", self.change(command))
        p = subprocess.run(["bash", "-c", line], cwd=ROOT, capture_output=True, text=True, timeout=60,
                           stdin=subprocess.DEVNULL)
        assert p.returncode == 0, (line, p)
        assert re.search(self.pattern, p.stdout, re.M), (line, p.stdout[:2000])


class Operated:
    """On a vnicd of its own. What it prints has what the pattern says; without one it is what README has
    below it, up to a "..."."""

    def __init__(self, pattern=None, change=lambda c: c, codes=(0,)):
        self.pattern, self.change, self.codes = pattern, change, codes

    def run(self, command, below):
        if shutil.which("nc") is None:
            skip("nc is not installed; apt-get install -y netcat-openbsd")
        d = hosts.Daemon("[adapter wire]\nport = net_null0,no-rx=1\npackets_per_s = 10k\n"
                         "[face f0]\nport = net_null1\nid = port 5001, vlan, flow\n", ("--no-huge", "-m", "256"))
        line = re.sub(r"/run/vnicd/control\b", CONTROL, self.change(command).replace("/tmp/", WORK + "/"))
        p = subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL,
                           env=dict(os.environ, VNICD_CONTROL=CONTROL,
                                    PATH="%s/app/vnicctl:%s" % (ROOT, os.environ["PATH"])))
        answers = p.stdout.splitlines()
        print(p.stdout, end="")
        assert p.returncode in self.codes, p
        if self.pattern is not None:
            assert re.search(self.pattern, p.stdout, re.M), p
        else:
            assert len(answers) == len(below), (p, below)
            for answer, wanted in zip(answers, below):
                start = re.sub(r'"aborted_nbls":.*', "", wanted) if wanted.endswith("...") else None
                assert answer == wanted if start is None else answer.startswith(start), (answer, wanted)
        d.process.kill()
        d.process.wait()


# one after the other, as a newcomer gives them: None, it ends; else it goes on when it has said this
SESSION = {
    "config/two-hosts up": None,
    "app/launch config/two-hosts.ini": "running vnicd",
    "app/vnicctl/vnicctl top": r"^wire +Running",
    "ip netns exec vnic-b iperf3 -s -D": None,
    "ip netns exec vnic-a iperf3 -c 198.51.100.2 -u -b 20M --cport 5555 -t 60": "",
    "app/vnicctl/vnicctl cancel wire --flow udp 198.51.100.1 5555 198.51.100.2 5201 --wait":
        r"^wire: aborted [1-9]\d* packets",
    "config/two-hosts down": None,
}
COMMANDS = {
    **{command: Elsewhere("readme-session", command) for command in SESSION},
    "app/launch": Elsewhere("launch-demo", '"$root/app/launch" >'),
    "app/launch CONFIG -- EAL ARGS": Elsewhere("launch-demo", '"$root/app/launch" "$out.ini" -- --no-huge'),
    "build/app/vnicd/vnicd --lcores 0@0,1@1,2@1 -- --check config/demo.ini":
        Here(r"^vnicd would run with config/demo.ini: 0 errors", lambda c: c.replace("--lcores", "--no-huge -m 512 --lcores")),
    "vnicd --check": Elsewhere("check-real", '"--check"'),
    "build/app/vnicd/vnicd --reference": Here(r"^## `\[adapter NAME\]`$"),
    "tests/run": Rehearsed(),
    "tests/run fast": Rehearsed(),
    "tests/run conformance": Rehearsed(),
    "build/app/vnic-bench/vnic-bench all --quick": Elsewhere("vnic-bench-quick", '["all", "--quick"'),
    # five minutes of it
    "vnic-bench all --plots": Elsewhere("vnic-bench-quick", '"--plots"'),
    "config/pktgen/run vnicd": Elsewhere("throughput-memif", '"$run" vnicd'),
    "config/pktgen/run testpmd": Elsewhere("throughput-memif", '"$run" testpmd'),
    # pktgen is in no Debian package; a stand-in is called
    "config/pktgen/run pktgen": Elsewhere("throughput-refused", '"$run" pktgen'),
    "printf 'pause wire\\nrestart wire\\ndrain wire 500\\nstop wire\\n' | nc -NU /run/vnicd/control": Operated(),
    "printf 'id f0 udp 10.0.0.1 1000 10.0.0.2 5001\\ncancel wire flow tcp 10.0.0.1 99 10.0.0.2 80 vlan 7\\n'"
    " | nc -NU /run/vnicd/control": Operated(),
    "vnicctl list": Operated(r"^wire +Running"),
    "vnicctl top": Operated(r"wire", lambda c: c + " --plain --count 1"),
    # it is net_null's packets that are there, not the flow's: unknown
    "vnicctl cancel wire --flow udp 10.0.0.1 5555 10.0.0.2 5201": Operated(r"^wire: ", codes=(6,)),
    "vnicctl drain wire --timeout 2": Operated(r"^wire: "),
    "vnicctl set adapter wire.packets_per_s 1000": Operated(r"^adapter wire.packets_per_s = 1000$"),
    "vnicctl latency wire": Operated(r"completion"),
    "vnicctl capture /tmp/wire.pcapng wire": Operated(r"wire.pcapng", lambda c: c + " --seconds 0.3"),
    "tshark -r /tmp/wire.pcapng -Y 'frame.comment contains \"aborted\"'":
        Elsewhere("capture-file", '"-Y", \'frame.comment contains "aborted"\''),
    "vnicctl ask LINE": Operated(r"^adapters +wire$", lambda c: c.replace("LINE", "list")),
    "vnicctl set SECTION.KEY VALUE": Operated(r"^face f0.weight = 2$",
                                              lambda c: c.replace("SECTION.KEY VALUE", "face f0.weight 2")),
    "vnicctl reload": Operated(r"^changed +0$"),
    "dpdk-telemetry.py": Elsewhere("vnicd-telemetry", "| dpdk-telemetry.py"),
    "app/vnic-exporter/vnic-exporter": Elsewhere("exporter-loopback", "command()"),
    "ninja -C build install": Elsewhere("install-programs", 'ninja -C "$build" install'),
    "man vnicd": Elsewhere("install-pages", 'man "$p"', "vnicd vnicctl"),
    "man vnic-tuning": Elsewhere("install-pages", 'man "$p"', "vnic-tuning"),
    "pkg-config --libs libvnic": Elsewhere("install-c", "pkg-config --cflags --libs libvnic"),
}


def case_known():
    found = commands()
    for command in found:
        print("  " + command)
        assert command in COMMANDS, "README has a command that no test runs: " + command
    gone = [c for c in COMMANDS if c not in found]
    assert not gone, ("README has these no more", gone)


def case_run():
    os.makedirs(ROOT + "/build/demo", exist_ok=True)  # as app/launch has by then
    for command, below in commands().items():
        print("  " + command)
        COMMANDS[command].run(command, below)


def case_session():
    hosts.need()
    shown = [c for c in commands() if c in SESSION]
    assert shown == list(SESSION), ("README has them in another order", shown)
    going = {}

    def said(p):
        return "".join(open(f, errors="replace").read() for f in p.files)
    try:
        for command, pattern in list(SESSION.items())[:-1]:
            p = start("s%d" % len(hosts.started), ["bash", "-c", "cd %s; exec %s" % (ROOT, command)])
            if pattern is None or command.endswith("--wait"):
                until(lambda: p.poll() is not None, command, 60)
                # 5: of a flow that goes on the port may have some
                assert p.returncode in ((0, 5) if "cancel" in command else (0,)), (command, said(p))
            else:
                going[command] = p
            if pattern:
                until(lambda: re.search(pattern, said(p), re.M), command + "\n" + said(p), 60)
            if "launch" in command:
                until(lambda: run(CTL, "list").returncode == 0, "vnicd is not up", 60, [p])
        top = going["app/vnicctl/vnicctl top"]
        until(lambda: re.search(r"^wire +Running( +\S+){3} +[1-9]", said(top), re.M), "top shows no abort", 30, [top])
    finally:
        for command, p in going.items():
            p.send_signal(signal.SIGINT)
            print(command, p.wait(60), said(p)[-1500:])
        must(ROOT + "/config/two-hosts", "down")
    assert "account: " in said(going["app/launch config/two-hosts.ini"])


main(globals())
