# SPDX-License-Identifier: BSD-3-Clause
# hosts.py - what tests of vnicd under the kernel's own network have in common: network namespaces
# as hosts, a vnicd of their own between them, and that nothing of it stays
#
# For one process with one case: "CASE.py VNICD NAME", whose last line is main(globals()).
import ctypes
import glob
import json
import os
import re
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time

VNICD = os.path.abspath(sys.argv[1])
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
WORK = tempfile.mkdtemp()
CONTROL = WORK + "/control"
TAG = "%05d" % (os.getpid() % 100000)
PREFIX = "vnic%s%s" % (os.path.basename(sys.argv[0])[:3], TAG)
started, spaces, links = [], [], []


def skip(why):
    print("skip:", why)
    sys.exit(77)


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, timeout=90, cwd=WORK)


def must(*command):
    p = run(*command)
    assert p.returncode == 0, (command, p.stdout, p.stderr)
    return p.stdout


def mac(n):
    return "02:00:00:00:%02x:%02x" % (os.getpid() % 256, n)


def enter(namespace):
    if ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), 0) != 0:
        raise OSError(ctypes.get_errno(), "setns")


class Space:
    """A network namespace with one interface at ADDRESS."""

    def __init__(self, n):
        self.name, self.n = "vrx%d%s" % (n, TAG), n
        self.address = "198.51.100.%d" % n
        if run("ip", "netns", "add", self.name).returncode != 0:
            skip("no network namespaces here")
        spaces.append(self.name)
        p = self.run("true")
        if p.returncode != 0:
            skip("no command runs in a network namespace here: " + p.stderr.strip())

    def run(self, *command):
        return run("ip", "netns", "exec", self.name, *command)

    def start(self, *command):
        p = subprocess.Popen(["ip", "netns", "exec", self.name, *command], stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        started.append(p)
        return p

    def socket(self, *kind):
        """A socket of this process in the namespace; of the main thread only."""
        with open("/proc/self/ns/net") as home, open("/run/netns/" + self.name) as there:
            enter(there)
            try:
                return socket.socket(*kind)
            finally:
                enter(home)

    def veth(self):
        """Its interface is the far end of one here, whose name is returned."""
        here, there = "va%d%s" % (self.n, TAG), "vb%d%s" % (self.n, TAG)
        must("ip", "link", "add", here, "type", "veth", "peer", "name", there, "netns", self.name)
        links.append(here)
        # what the kernel itself would say here is no traffic of ours
        run("sysctl", "-qw", "net.ipv6.conf.%s.disable_ipv6=1" % here)
        must("ip", "link", "set", here, "arp", "off", "up")
        self.up(there)
        return here

    def tap(self):
        """The name of the tap that vnicd makes; take() brings it here."""
        return "vt%d%s" % (self.n, TAG)

    def take(self):
        must("ip", "link", "set", self.tap(), "netns", self.name)
        self.up(self.tap())

    def up(self, name):
        ip = ["ip", "-n", self.name]
        self.run("sysctl", "-qw", "net.ipv6.conf.%s.disable_ipv6=1" % name)
        must(*ip, "link", "set", name, "address", mac(self.n))
        must(*ip, "addr", "add", self.address + "/24", "dev", name)
        must(*ip, "link", "set", name, "up")

    def ping(self, other, count=20, least=18):
        # the kernel drops what an interface sends until it has seen to its carrier, up to a second
        for _ in range(20 if least is not None else 0):
            if self.run("ping", "-c", "1", "-W", "0.3", other.address).returncode == 0:
                break
        p = self.run("ping", "-c", str(count), "-i", "0.02", "-W", "2", other.address)
        got = int(re.search(r"(\d+) received", p.stdout)[1]) if "received" in p.stdout else 0
        print("%s -> %s: %d of %d" % (self.address, other.address, got, count))
        if least is not None:
            assert got >= least, p.stdout + p.stderr
        return got


def words():
    """The last that vnicd said."""
    return "".join(open(WORK + name).read()[-3000:] for name in ("/out", "/err"))


class Client:
    """One at the control socket."""

    def __init__(self):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(CONTROL)
        self.file = self.socket.makefile("r")

    def write(self, line):
        self.socket.sendall(line.encode() + b"\n")

    def ask(self, line):
        self.write(line)
        return self.answer()

    def is_silent(self):
        return not select.select([self.socket], [], [], 0)[0]

    def answer(self):
        return json.loads(self.file.readline())

    def close(self):
        # the file holds the socket open
        self.file.close()
        self.socket.close()


class Daemon:
    before, limits = staticmethod(lambda program: program), None  # how it is run

    def __init__(self, config, memory=("--no-huge", "-m", "512")):
        path = WORK + "/c.ini"
        with open(path, "w") as f:
            f.write("[vnicd]\ncontrol = %s\nseconds = 0\n%s" % (CONTROL, config))
        lcores = must("bash", "-c", ". %s/app/setup.sh; lcore_map 1" % ROOT).strip()
        self.process = subprocess.Popen(
            self.before([VNICD, "--no-pci", *memory, "--file-prefix", PREFIX, "--lcores", lcores, "--", "-c", path]),
            preexec_fn=self.limits, stdout=open(WORK + "/out", "w"), stderr=open(WORK + "/err", "w"), cwd=WORK,
            env=dict(os.environ, XDG_RUNTIME_DIR=WORK))
        self.process.label, self.process.files = "vnicd", (WORK + "/out", WORK + "/err")
        started.append(self.process)
        self.telemetry = None
        deadline = time.time() + 60
        while not self.answers():
            assert self.process.poll() is None, words()
            assert time.time() < deadline, ("no answer", words())
            time.sleep(0.02)

    def answers(self):
        """It is up, its lcores run."""
        try:
            return self.ask("list") is not None
        except OSError:
            return False

    def ask(self, line):
        c = Client()
        answer = c.ask(line)
        c.close()
        return answer

    def query(self, command):
        """The answer of telemetry to /vnic/COMMAND."""
        if self.telemetry is None:
            self.telemetry = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            self.telemetry.settimeout(30)
            runtime = "/var/run" if os.getuid() == 0 else WORK
            self.telemetry.connect(glob.glob("%s/dpdk/%s/dpdk_telemetry.v2*" % (runtime, PREFIX))[0])
            self.telemetry.recv(1024)
        assert self.process.poll() is None, ("vnicd has ended with", self.process.poll(), words())
        self.telemetry.send(b"/vnic/" + command.encode())
        return next(iter(json.loads(self.telemetry.recv(65536)).values()))

    def stop(self):
        """What it printed. vnicd itself checks the accounts and says so by its exit code."""
        self.process.send_signal(signal.SIGINT)
        rc = self.process.wait(60)
        assert rc == 0, (rc, words())
        return open(WORK + "/out").read()

    def end(self):
        """Its tables: rows of the adapter, and of each face what went up."""
        rows, up, part = {}, {}, None
        for line in self.stop().splitlines():
            if re.match(r"(adapter|face)", line):
                part = "up" if line.startswith("face, upward") else line.split()[0]
            elif part == "adapter" and (m := re.match(r"  (\S.*?) {2,}(\d+)", line)):
                rows[m[1]] = int(m[2])
            elif part == "up" and (m := re.match(r"  (\S+)((?: +\d+){5})$", line)):
                up[m[1]] = dict(zip(("received", "delivered", "full", "memory", "dropped"),
                                    map(int, m[2].split())))
        print(rows, up)
        return rows, up


def need():
    if os.getuid() != 0:
        skip("namespaces need root")
    if not os.path.exists("/dev/net/tun"):
        skip("no /dev/net/tun")
    if run("ping", "-c", "1", "-W", "1", "127.0.0.1").returncode not in (0, 1):
        skip("no ping here; apt-get install -y iputils-ping")


def command(config, eal=(), name="c"):
    """vnicd with a configuration of its own; one of each name may run."""
    path = "%s/%s.ini" % (WORK, name)
    with open(path, "w") as f:
        f.write(config)
    return [VNICD, "--no-pci", "--no-huge", "-m", "128", "--file-prefix", PREFIX + name, *eal, "--", "-c", path]


def refused(config, pattern, eal=()):
    """vnicd does not take it: one line, and exit code 1."""
    p = run(*command(config, eal, "r"))
    errors = p.stderr.splitlines()
    assert p.returncode == 1 and len(errors) == 1 and re.search(pattern, errors[0]), (pattern, p)
    assert p.stdout == "", p.stdout


def clean():
    for process in started:
        if process.poll() is None:
            process.kill()
            process.wait()
    for name in links:
        run("ip", "link", "del", name)
    for name in spaces:
        run("ip", "netns", "del", name)
    run("rm", "-rf", WORK)


def main(cases):
    """Run the case that the command line names; a time-out cleans up, too."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))
    try:
        cases["case_" + sys.argv[2]]()
        print("ok:", sys.argv[2])
    finally:
        clean()
