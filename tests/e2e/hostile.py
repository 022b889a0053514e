#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
# hostile.py - input that cannot be: sockets, devices, folders; one line each, and nothing of anyone's lost
# usage: hostile.py VNICD CASE [TIMES]      CASE: a function case_... below
import glob
import os
import random
import re
import signal
import shutil
import socket
import subprocess
import sys
import time

from hosts import WORK, command, links, main, refused, run, skip, started, words

TIMES = int(sys.argv[3]) if len(sys.argv) > 3 else 0
BELOW = "[adapter a]\nport = net_null0,no-rx=1\n"


def begin(config):
    p = subprocess.Popen([*command(config), "--progress", "no"], stdout=open(WORK + "/out", "w"), stderr=open(WORK + "/err", "w"), cwd=WORK)
    started.append(p)
    return p


def until(what, why, seconds=30):
    deadline = time.time() + seconds
    while not what():
        assert all(p.poll() in (None, 0, -signal.SIGKILL) for p in started), words()
        assert time.time() < deadline, (why, words())
        time.sleep(0.01)


def listens(path):
    s = socket.socket(socket.AF_UNIX)
    try:
        s.connect(path)
        return True
    except OSError as e:
        return "wrong type" in str(e)  # a memif's is of packets
    finally:
        s.close()


def finish(p):
    p.send_signal(signal.SIGINT)
    assert p.wait(60) == 0, words()


# Each kind of socket that vnicd makes, at a path.
PLACES = {
    "control": "[vnicd]\ncontrol = %s\n" + BELOW + "[face f]\nport = net_null1\n",
    "memif": BELOW + "[face f]\nport = net_memif0,role=server,socket=%s,socket-abstract=no\n",
    "vhost": BELOW + "[face f]\nport = net_vhost0,iface=%s\n",
}


def places(config):
    """What may be at the path, and what is said then."""
    path = WORK + "/s"
    refused(config % (WORK + "/none/s"), "No such file or directory; use a path|No such file or directory: use a path")
    refused(config % ("/tmp/" + "x" * 120), "at most 107 characters")
    with open(path, "w") as f:
        f.write("mine")
    refused(config % (path + "/s"), "Not a directory. use a path")
    refused(config % path, "is in use")
    assert open(path).read() == "mine", "a file of the user's is gone"
    os.unlink(path)
    os.mkdir(path)
    refused(config % path, "is in use")
    os.rmdir(path)
    os.symlink(WORK + "/nowhere", path)
    refused(config % path, "is in use")
    assert os.path.islink(path)
    os.unlink(path)
    live = socket.socket(socket.AF_UNIX)
    live.bind(path)
    live.listen()
    refused(config % path, "is in use")
    assert listens(path), "a living socket is gone"
    live.close()  # dead now: it is taken over
    p = begin(config % path)
    until(lambda: listens(path), "it does not listen")
    p.kill()
    p.wait()
    assert os.path.exists(path)
    p = begin(config % path)
    until(lambda: listens(path), "it does not take over what a killed one left")
    finish(p)
    assert not os.path.exists(path), "the socket is left behind"


def case_control():
    places(PLACES["control"])


def case_memif():
    places(PLACES["memif"])


def case_vhost():
    places(PLACES["vhost"])


def case_forbidden():
    """A folder that this user may not write to."""
    if os.getuid() != 0 or shutil.which("setpriv") is None:
        skip("needs root, and setpriv of util-linux, to become somebody else")
    os.chmod(WORK, 0o755)
    os.mkdir(WORK + "/run", 0o755)
    os.chown(WORK + "/run", 65534, 65534)
    for config in PLACES.values():
        args = command(config % (WORK + "/s"))
        p = subprocess.run(["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", *args],
                           capture_output=True, text=True, timeout=60, cwd="/",
                           env=dict(os.environ, XDG_RUNTIME_DIR=WORK + "/run"))
        assert p.returncode == 1 and len(p.stderr.splitlines()) == 1, p
        assert re.search("Permission denied. use a path in a folder", p.stderr), p.stderr


def case_twice():
    """Two that name one thing, each named in the line; a memif that EAL has made."""
    face = "[face %s]\nport = %s\n"
    refused(BELOW + face % ("f", "net_null0"), r"r.ini:4: port: device net_null0 is adapter a's already")
    refused(BELOW + face % ("f", "net_vhost0,iface=/s") + face % ("g", "net_vhost1,iface=/s"),
            r"r.ini:6: port: socket /s is face f's already")
    refused(BELOW + "[adapter b]\nport = net_null0\n" + face % ("f", "net_null1") + "adapter = b\n",
            r"r.ini:4: port: device net_null0 is adapter a's already")
    refused(BELOW + face % ("f", "net_af_packet0,iface=lo") + face % ("g", "net_af_packet1,iface=lo"),
            r"r.ini:6: port: interface lo is face f's already")
    memif = "net_memif0,role=server,socket=%s/s,socket-abstract=no" % WORK
    refused(BELOW + face % ("f", memif), "face f: port net_memif0: EAL's --vdev has made this memif",
            ("--vdev", memif))
    refused(BELOW + face % ("f", "net_memif0"), "EAL's --vdev has made this memif", ("--vdev", memif))


def case_killed():
    """A daemon that is killed leaves private sockets, which the next removes; not those of the living."""
    face = BELOW + "[face f]\nport = net_memif0,role=server,socket=%s/%s,socket-abstract=no\n"
    own = lambda pid: {os.path.dirname(line.split()[-1]) for line in open("/proc/net/unix")
                       if "/vnicd.memif-" in line and line.split()[6] in inodes(pid)}
    dead = []
    for _ in range(3):
        p = begin(face % (WORK, "m"))
        until(lambda: listens(WORK + "/m") and own(p.pid), "it does not listen")
        dead += own(p.pid)
        p.kill()
        p.wait()
    assert len(set(dead)) == 3, dead
    assert [os.path.exists(d) for d in dead] == [False, False, True], "what a dead one left is not removed"
    p = begin(face % (WORK, "m"))
    until(lambda: listens(WORK + "/m") and own(p.pid), "it does not listen")
    folder = own(p.pid).pop()
    refused(face % (WORK, "m"), "is in use")
    assert os.path.exists(folder + "/0") and not os.path.exists(dead[2]), "the living one's are gone"
    finish(p)
    assert not os.path.exists(folder)


def case_exit():
    """A closed memif leaves EAL's interrupt thread something to look at, which EAL's clean-up unmaps."""
    late = os.environ.get("LATE")
    if late is None:
        skip("LATE is not set; it names late.c's library, which slows that thread down")
    os.environ["LD_PRELOAD"] = late
    for _ in range(TIMES or 6):
        refused(PLACES["memif"] % (WORK + "/m") + "[face g]\nport = net_af_packet0,iface=nosuchif\n", "no such device")


def case_rules():
    """Rules that match nothing: a line at the start where it can be known, one at the end where not."""
    p = run(*command("[vnicd]\nseconds = 1\n[adapter a]\nport = net_null0,no-rx=1\n[face f]\n"
                     "port = net_null1\nid = bytes 1800 4, vlan 7, port 9\n"))
    assert p.returncode == 0, p
    assert len(re.findall("face f: id: 'bytes 1800 4' can never match, its frames have at most", p.stderr)) == 1, p
    for rule in "bytes 1800 4", "vlan 7", "port 9":
        assert re.search("id by %s +0  has never matched" % rule, p.stdout), p.stdout


def case_mtu():
    """Frames longer than the adapter takes, and up again longer than a face takes; among those that fit. What
    is hardly meant so has a line."""
    p = run(*command("[vnicd]\nseconds = 1\n[adapter a]\nport = net_null0,no-rx=1\nlocal = yes\n"
                     "max_frame = 1000\nin_flight = 64\ndepth = 512\n[face h]\nport = net_null3,no-rx=1\nmbufs = 1024\n"
                     "[face f]\nport = net_null1,size=1400\n"
                     "mac = 02:00:00:00:00:01\n[face g]\nport = net_null2,size=900\n"
                     "mac = 02:00:00:00:00:02\n"))
    assert p.returncode == 0, p
    assert "face f: its MTU of 1500 is more than adapter a takes: frames above 1000 bytes are refused" in p.stderr, p
    assert "adapter a: in_flight = 64 is not enforced: the port does not tell what it holds; set" in p.stderr, p
    assert "face h: it receives broadcasts only, for it is not alone on adapter a; give it mac" in p.stderr, p
    assert p.stderr.count("broadcasts only") == 1, p
    rows = {m[1]: list(map(int, m[2].split())) for m in re.finditer(r"^  (.+?) {2,}((?:\d+ *)+)$", p.stdout, re.M)}
    assert rows["invalid length"][0] == rows["rejected"][0] == rows["f"][0] > 0, p.stdout
    assert rows["f"][1] == 0 and rows["g"][1] == rows["g"][0] == rows["sent"][0] > 0, p.stdout


def junk(rng):
    """A frame with an end that came too early, or that lies about itself."""
    kind = rng.choice([b"\x08\x00", b"\x86\xdd", b"\x81\x00", b"\x88\xa8", b"\x08\x06", rng.randbytes(2)])
    body = rng.choice([b"", b"\x45", b"\x4f\x00\x00\x14", b"\x40\x00\xff\xff", b"\x60\0\0\0\xff\xff\0\x40",
                       b"\0\5\x81\0", b"\0\5\x08\0\x45"]) + rng.randbytes(rng.choice([0, 1, 7, 19, 40, 200, 1400]))
    return rng.choice([bytes.fromhex("020000000001"), b"\xff" * 6, rng.randbytes(6)]) + b"\2" + rng.randbytes(5) + kind + body


def case_frames():
    """Junk through a running vnicd in both directions; what is good among it arrives, in order."""
    rng = random.Random(int(os.environ.get("SEED", "1")))
    ends = ["vh%s%05d" % (k, os.getpid() % 100000) for k in "ab"]
    if os.getuid() != 0:
        skip("interfaces need root")
    raw = []
    for name in ends:
        if subprocess.call(["ip", "link", "add", name, "type", "veth", "peer", "name", name + "p"]) != 0:
            skip("no veth here")
        links.append(name)
        for n in name, name + "p":
            subprocess.call(["sysctl", "-qw", "net.ipv6.conf.%s.disable_ipv6=1" % n])
            subprocess.check_call(["ip", "link", "set", n, "up"])
        s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        s.bind((name + "p", 0))
        s.settimeout(20)
        raw.append(s)
    p = begin("[vnicd]\ncontrol = %s/c\n[adapter a]\nport = net_af_packet0,iface=%s\n[face f]\n"
              "port = net_af_packet1,iface=%s,qdisc_bypass=0\n" % (WORK, ends[0], ends[1]))
    until(lambda: listens(WORK + "/c"), "it does not start")
    assert "face f: with qdisc_bypass=0 its driver, and the lcore, sleeps in the kernel" in open(WORK + "/err").read()
    with socket.socket(socket.AF_UNIX) as s:  # the lcores run when it answers
        s.connect(WORK + "/c")
        s.sendall(b"list\n")
        s.recv(1000)

    good = lambda n: b"\2\0\0\0\0\1\2\0\0\0\0\2\x88\xb5good" + n.to_bytes(4, "big") + bytes(40)
    seen = [0, 0]

    def collect(k, upto):
        while seen[k] < upto:
            frame, where = raw[k].recvfrom(65536)
            if where[2] != socket.PACKET_OUTGOING and frame[12:18] == b"\x88\xb5good":
                assert int.from_bytes(frame[18:22], "big") == seen[k], (k, frame, seen)
                seen[k] += 1

    for n in range(TIMES or 300):
        for k in 0, 1:
            for _ in range(4):
                raw[k].send(junk(rng))
            raw[k].send(good(n))
        collect(0, n + 1)
        collect(1, n + 1)
    finish(p)
    last = open(WORK + "/out").read().splitlines()[-1]
    n = {k: int(v) for k, v in re.findall(r"(\w+)=(\d+)", last)}
    print(last)
    # the kernel itself drops a frame whose VLAN tag is cut off
    assert n["accepted"] == n["sent"] + n["rejected"] and n["accepted"] > (TIMES or 300) * 4, n


def inodes(pid):
    found = set()
    for fd in glob.glob("/proc/%d/fd/*" % pid):
        try:
            found |= set(re.findall(r"socket:\[(\d+)\]", os.readlink(fd)))
        except FileNotFoundError:
            pass
    return found


main(globals())
