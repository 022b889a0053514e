# SPDX-License-Identifier: BSD-3-Clause
# programs.py - what tests of vnicd between programs have in common: the programs, a vnicd that is
# watched by telemetry, and what arrived at the far side
#
# For one process with one case, as hosts.py.
import os
import shutil
import struct
import subprocess
import time

import hosts
from hosts import PREFIX, WORK, skip, started


def start(name, args, **more):
    """A program of our own, its words in WORK/name.{out,err}."""
    files = ["%s/%s.%s" % (WORK, name, e) for e in ("out", "err")]
    more.setdefault("stdin", subprocess.PIPE)
    p = subprocess.Popen(args, stdout=open(files[0], "w"), stderr=open(files[1], "w"), cwd=WORK,
                         env=dict(os.environ, XDG_RUNTIME_DIR=WORK), **more)
    p.label, p.files = name, files
    started.append(p)
    return p


def words(p):
    """The last that it said."""
    return "".join(open(f, errors="replace").read()[-600:] for f in p.files)


def until(what, why, seconds=20, alive=()):
    deadline = time.time() + seconds
    while not what():
        for p in alive:
            assert p.poll() is None, (why, "ended with", p.poll(), words(p))
        assert time.time() < deadline, (why() if callable(why) else why, [words(p) for p in alive])
        time.sleep(0.005)


def main(cases):
    """hosts.main, which shows what each program said last when a case fails."""
    def told(case):
        def run():
            try:
                case()
            except AssertionError:
                for p in {p.label: p for p in started}.values():
                    print(p.label, p.poll(), words(p))
                raise
        return run
    hosts.main({name: told(f) if name.startswith("case_") else f for name, f in cases.items()})


class Daemon(hosts.Daemon):
    """vnicd with an adapter a and a face f, asked by telemetry too."""

    def __init__(self, config, memory=("--no-huge", "-m", "256")):
        super().__init__(config, memory)

    def peer(self):
        return self.query("peer,f")

    def stats(self):
        """The account, which balances whenever it is asked for."""
        s = self.query("stats,a")
        for u in "_nbls", "_packets":
            assert s["accepted" + u] == sum(s[k + u] for k in ("sent", "aborted", "rejected", "queued")), s
        return s

    def cancel(self, line):
        """Cancel by the control socket; how many packets it says it took back."""
        answer = self.ask(line)
        assert answer.get("status") == "SUCCESS", (line, answer)
        return answer["aborted_packets"]

    def end(self):
        rows, up = super().end()
        assert rows["accepted"] == rows["sent"] + rows["aborted"] + rows["rejected"], rows
        assert rows["queued"] == 0, rows
        return rows, up


# ---- programs ----

def need_testpmd():
    if shutil.which("dpdk-testpmd") is None:
        skip("dpdk-testpmd is not installed; apt-get install -y dpdk-dev")


def dpdk(name, program, vdev, memory=("--no-huge", "-m", "64"), after=()):
    """A DPDK program with one port, on any CPU: the first one is not all its own."""
    cpus = "(%s)" % ",".join(map(str, os.sched_getaffinity(0)))
    return start(name, [program, "--no-pci", *memory, "--no-telemetry", "--file-prefix", PREFIX + name,
                        "--lcores", "0@%s,1@%s" % (cpus, cpus), "--vdev", vdev, "--", *after])


def testpmd(name, vdev, mode="txonly", memory=("--no-huge", "-m", "64"), more=()):
    return dpdk(name, "dpdk-testpmd", vdev, memory,
                ("--forward-mode=" + mode, "--total-num-mbufs=8192", "--txonly-multi-flow", "--no-mlockall",
                 *more))


# ---- what arrived ----

def capture(path):
    """The frames of a pcap file, in their order."""
    with open(path, "rb") as f:
        data = f.read()
    at = 24
    while at < len(data):
        length, whole = struct.unpack_from("<II", data, at + 8)
        assert length == whole, "a frame was cut off"
        yield data[at + 16:at + 16 + length]
        at += 16 + length
