#!/usr/bin/python3 -B
# SPDX-License-Identifier: BSD-3-Clause
# service.py - vnicd as its unit runs it: not as root, with the unit's capabilities, system calls,
# address families and limits, which this makes by itself where systemd does not run
# usage: service.py VNICD CASE UNIT      CASE: a function case_... below
import json
import os
import re
import resource
import shutil
import sys

import hosts
import programs
from hosts import ROOT, WORK, must, run, skip
from programs import main, until

UNIT = sys.argv[3]
NOBODY = 65534


# ---- the unit's rules ----

def unit_read(paths):
    """[Service] of a unit and what goes beside it: {key: [word]}; an empty value begins anew."""
    keys, section = {}, None
    for path in paths:
        with open(path) as f:
            for line in f:
                line = line.strip()
                if line.startswith("["):
                    section = line
                elif section == "[Service]" and re.match(r"\w+=", line):
                    key, value = line.split("=", 1)
                    if key == "Environment":
                        name, value = value.strip('"').split("=", 1)
                        keys[name] = value.split()
                    elif key == "ExecStart" or not value:
                        keys[key] = value.split()
                    else:
                        keys.setdefault(key, []).extend(value.split())
    return keys


def calls_of(words):
    """The system calls of a SystemCallFilter=."""
    groups, found = {}, set()
    for line in must("systemd-analyze", "syscall-filter", "--no-pager").splitlines():
        if line.startswith("@"):
            group = groups.setdefault(line.strip(), [])
        elif line.startswith(" ") and not line.strip().startswith("#"):
            group.append(line.strip())
    words = list(words)
    while words:
        word = words.pop()
        words += groups.get(word, [])
        found.add(word)
    return sorted(w for w in found if not w.startswith("@"))


def under(rules, program):
    """The command that runs the program under the unit's rules."""
    caps = ["+" + c[4:].lower() for c in rules["AmbientCapabilities"]]
    assert sorted(rules["CapabilityBoundingSet"]) == sorted(rules["AmbientCapabilities"]), rules
    if "LimitMEMLOCK" in rules and resource.getrlimit(resource.RLIMIT_MEMLOCK)[1] != resource.RLIM_INFINITY:
        caps.append("+ipc_lock")  # what the limit cannot do here
    words = {"calls": calls_of(rules["SystemCallFilter"]), "families": rules["RestrictAddressFamilies"],
             "no_write_execute": rules["MemoryDenyWriteExecute"] == ["yes"], "umask": rules["UMask"][0]}
    lists = ["--%s=%s" % (what, ",".join(["-all"] + caps)) for what in ("inh-caps", "bounding-set")]
    # the ambient set is empty after a change of the user
    lists += ["--ambient-caps=" + ",".join(caps)] if caps else []
    return ["setpriv", "--reuid=%d" % NOBODY, "--regid=%d" % NOBODY, "--clear-groups", "--no-new-privs", *lists,
            "/usr/bin/python3", ROOT + "/tests/e2e/confine.py", json.dumps(words), *program]


def limit(which, value):
    """Where this process may not have so much, what it may have."""
    _, most = resource.getrlimit(which)
    if most != resource.RLIM_INFINITY:
        value = most if value == resource.RLIM_INFINITY else min(value, most)
    resource.setrlimit(which, (value, value))


class Service(hosts.Daemon):
    """vnicd under the unit, with drop-ins, and the config's ports."""

    def __init__(self, config, dropins=(), eal=None):
        rules = unit_read([UNIT] + ["%s/config/vnicd.service.d/%s.conf" % (ROOT, d) for d in dropins])
        assert rules["ExecStart"][1:4] == ["$EAL", "--", "--config"], rules["ExecStart"]
        self.before = lambda program: under(rules, program)
        # of locked memory a service has 8 MiB by default
        limits = {resource.RLIMIT_NOFILE: int(rules["LimitNOFILE"][0]),
                  resource.RLIMIT_MEMLOCK: resource.RLIM_INFINITY if "LimitMEMLOCK" in rules else 8 << 20}
        self.limits = lambda: [limit(which, value) for which, value in limits.items()]
        super().__init__(config, [w for w in (eal or rules["EAL"]) if w != "--no-pci"] + ["-m", "128"])


def need():
    if os.getuid() != 0:
        skip("needs root to become another user")
    for program, package in ("systemd-analyze", "systemd"), ("setpriv", "util-linux"):
        if shutil.which(program) is None:
            skip("%s is not installed; apt-get install -y %s" % (program, package))
    if run("/usr/bin/python3", "-c", "import seccomp").returncode != 0:
        skip("no seccomp for python3; apt-get install -y python3-seccomp")
    # what the other user reads and writes
    os.chmod(WORK, 0o755)
    os.chown(WORK, NOBODY, NOBODY)
    hosts.VNICD = shutil.copy(hosts.VNICD, WORK + "/vnicd")


def need_hugepages():
    with open("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages") as f:
        if int(f.read()) < 64:
            skip("fewer than 64 free hugepages")


def status(d, key):
    with open("/proc/%d/status" % d.process.pid) as f:
        return re.search(r"^%s:\s+(\S+)" % key, f.read(), re.M)[1]


def memif(eal=None, dropins=()):
    """A program attaches; what it has queued is taken back."""
    programs.need_testpmd()
    sock = WORK + "/m.sock"
    d = Service("[adapter a]\nport = net_null0,no-rx=1\npackets_per_s = 5k\n"
                "[face f]\nport = net_memif0,role=server,socket=%s,socket-abstract=no\nmbufs = 8192\n" % sock,
                dropins, eal)
    assert status(d, "Uid") == str(NOBODY) and int(status(d, "CapPrm"), 16) == 0, "not what the unit says"
    assert status(d, "Seccomp") == "2" and status(d, "NoNewPrivs") == "1"
    assert os.stat(sock).st_mode & 0o007 == 0 and os.stat(sock).st_mode & 0o060 == 0o060, "who may attach"
    p = programs.testpmd("peer", "net_memif0,role=client,socket=%s,socket-abstract=no" % sock)
    aborted = 0

    def cancel():
        nonlocal aborted
        aborted += d.ask("cancel a face f").get("aborted_packets", 0)
        return aborted > 0
    until(cancel, "nothing to cancel", 30, [d.process, p])
    p.kill()
    p.wait()
    rows, _ = d.end()
    assert rows["aborted"] >= aborted and rows["queued"] == 0, rows


def case_memif():
    need()
    need_hugepages()
    memif()


def case_no_huge():
    need()
    memif(["--no-huge"])


def case_hugetlbfs():
    need()
    need_hugepages()
    folder = WORK + "/huge"
    os.mkdir(folder)
    p = run("mount", "-t", "hugetlbfs", "-o", "pagesize=2M,uid=%d,gid=%d,mode=0770" % (NOBODY, NOBODY), "nodev", folder)
    if p.returncode != 0:
        skip("no hugetlbfs can be mounted here: " + p.stderr.strip())
    try:
        memif([folder if w.startswith("/dev/huge") else w for w in unit_read(
            [UNIT, ROOT + "/config/vnicd.service.d/hugetlbfs.conf"])["EAL"]], ["hugetlbfs"])
    finally:
        for q in hosts.started:
            q.kill()
            q.wait()
        must("umount", folder)


# ---- ports of the kernel: as the unit is they are refused, with their file beside it they send ----

def through(port, interface, dropin):
    shutil.copy(ROOT + "/config/demo.pcap", WORK + "/demo.pcap")
    config = ("[adapter a]\nport = %s\npackets_per_s = 5k\n"
              "[face f]\nport = net_pcap0,rx_pcap=%s/demo.pcap,infinite_rx=1\nmbufs = 4096\n" % (port, WORK))
    for dropins in (), (dropin,):
        try:
            d = Service(config, dropins, ["--no-huge"])
        except AssertionError:
            assert not dropins, hosts.words()
            said = open(WORK + "/err").read().splitlines()
            assert len(said) == 1 and said[0].startswith("vnicd: "), said
            print(said[0])
            continue
        assert dropins, "it needs nothing?"
    until(lambda: interface() > 100, "nothing comes out", 30, [d.process])
    rows, _ = d.end()
    assert rows["sent"] > 100, rows


def received(name):
    with open("/sys/class/net/%s/statistics/rx_packets" % name) as f:
        return int(f.read())


def pair():
    """Two ends of a veth here: their names."""
    names = ["v%s%s" % (c, hosts.TAG) for c in "yz"]
    must("ip", "link", "add", names[0], "type", "veth", "peer", "name", names[1])
    hosts.links.append(names[0])
    for name in names:
        must("ip", "link", "set", name, "up")
    return names


def case_tap():
    need()
    if not os.path.exists("/dev/net/tun"):
        skip("no /dev/net/tun")
    name = "vy" + hosts.TAG

    def count():
        run("ip", "link", "set", name, "up")
        return received(name)
    through("net_tap0,iface=" + name, count, "tap")


def case_af_packet():
    need()
    here, there = pair()
    through("net_af_packet0,iface=" + here, lambda: received(there), "af_packet")


def case_af_xdp():
    need()
    here, there = pair()
    through("net_af_xdp0,iface=" + here, lambda: received(there), "af_xdp")


main(globals())
