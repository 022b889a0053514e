#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
# descriptors.py - vhost-user guests by hand, whose descriptors are of no length, too long, loops, or nowhere
# usage: descriptors.py VNICD [TIMES [SEED]]
#
# One face has guest after guest of that kind, mixed with good packets; its neighbour has a good one
# throughout, that loses nothing. Then the attacked face takes a good guest, and the account balances.
import array
import mmap
import os
import random
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

VNICD = os.path.abspath(sys.argv[1])
TIMES = int(sys.argv[2]) if len(sys.argv) > 2 else 150
SEED = int(sys.argv[3]) if len(sys.argv) > 3 else 1
WORK = tempfile.mkdtemp()

SET_FEATURES, SET_OWNER, SET_MEM_TABLE, NUM, ADDR, BASE, KICK, CALL = 2, 3, 5, 8, 9, 10, 12, 13
GET_FEATURES = 1
VERSION_1, INDIRECT = 1 << 32, 1 << 28
NEXT, WRITE, TABLE = 1, 2, 4
N, SIZE, USER = 256, 1 << 22, 0x7f0000000000
HEAD = 12  # virtio's, before each frame
BUFFERS = 0x20000
SENT = 1   # the queue that a guest sends by


def queue(i):
    """Where its descriptors, its offered and its used ring begin."""
    base = 0x8000 * i
    return base, base + 16 * N, base + 0x4000


class Guest:
    def __init__(self, path, features=VERSION_1):
        deadline = time.time() + 60
        while True:
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.settimeout(30)
            try:
                self.socket.connect(path)
                break
            except OSError:
                assert time.time() < deadline, "nobody listens at " + path
                time.sleep(0.01)
        fd = os.memfd_create("guest")
        os.ftruncate(fd, SIZE)
        self.memory = mmap.mmap(fd, SIZE)
        self.offered = 0
        self.tell(SET_OWNER)
        self.tell(GET_FEATURES)
        answer = self.socket.recv(20, socket.MSG_WAITALL)
        features &= struct.unpack("<12xQ", answer)[0]
        self.tell(SET_FEATURES, struct.pack("<Q", features))
        self.tell(SET_MEM_TABLE, struct.pack("<IIQQQQ", 1, 0, 0, SIZE, USER, 0), fd)
        for i in 0, 1:
            descriptors, offered, used = queue(i)
            event = os.eventfd(0)
            self.tell(NUM, struct.pack("<II", i, N))
            self.tell(BASE, struct.pack("<II", i, 0))
            self.tell(ADDR, struct.pack("<IIQQQQ", i, 0, USER + descriptors, USER + used, USER + offered, 0))
            self.tell(CALL, struct.pack("<Q", i), event)
            self.tell(KICK, struct.pack("<Q", i), event)
            os.close(event)
        os.close(fd)

    def tell(self, what, body=b"", *fds):
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        try:
            self.socket.sendmsg([struct.pack("<III", what, 1, len(body)) + body], rights)
        except (BrokenPipeError, ConnectionResetError):
            pass

    def describe(self, at, address, length, flags=0, following=0):
        struct.pack_into("<QIHH", self.memory, queue(SENT)[0] + 16 * at, address, length, flags, following)

    def offer(self, heads):
        _, ring, _ = queue(SENT)
        for head in heads:
            struct.pack_into("<H", self.memory, ring + 4 + 2 * (self.offered % N), head)
            self.offered += 1
        self.publish(self.offered)

    def publish(self, offered):
        """In one store: struct.pack_into() clears the place first, and the other side sees that."""
        with memoryview(self.memory) as memory, memory.cast("H") as words:
            words[(queue(SENT)[1] + 2) // 2] = offered & 0xffff

    def used(self):
        return struct.unpack_from("<H", self.memory, queue(SENT)[2] + 2)[0]

    def send(self, n):
        """Good packets, of 60 bytes, in one descriptor each."""
        heads = []
        for i in range(n):
            head = (self.offered + i) % N
            at = BUFFERS + 2048 * head
            self.memory[at:at + HEAD + 60] = bytes(HEAD + 12) + b"\x88\xb5" + bytes(46)
            self.describe(head, at, HEAD + 60)
            heads.append(head)
        self.offer(heads)

    def all_used(self):
        return self.used() == self.offered & 0xffff

    def close(self):
        self.socket.close()
        self.memory.close()


def bad(g, rng):
    """One way of many for a chain of descriptors to be wrong."""
    a, b, c = rng.sample(range(N), 3)
    at = BUFFERS + 2048 * a
    way = rng.randrange(14)
    g.describe(b, at, 60)
    g.describe(c, at, 60)
    if way == 0:
        g.describe(a, at, 0)  # nothing
    elif way == 1:
        g.describe(a, at, rng.randrange(HEAD))  # less than a header
    elif way == 2:
        g.describe(a, at, HEAD)  # a header of nothing
    elif way == 3:
        g.describe(a, at, rng.choice([HEAD + 1, HEAD + 13, HEAD + 2000, 65535, 65536, 1 << 20]))
    elif way == 4:
        g.describe(a, at, rng.choice([1 << 22, 1 << 31, 0xffffffff]))  # leaves the region
    elif way == 5:
        g.describe(a, rng.choice([SIZE - 10, SIZE, 1 << 40, (1 << 64) - 30, USER]), 100)
    elif way == 6:
        g.describe(a, at, 60, NEXT, a)  # itself
    elif way == 7:
        g.describe(a, at, 60, NEXT, b)
        g.describe(b, at, rng.choice([0, 1, 60]), NEXT, a)
    elif way == 8:
        g.describe(a, at, 60, NEXT, rng.choice([N, N + 1, 65535]))
    elif way == 9:
        g.describe(a, at, 60, TABLE)  # an indirect table of garbage
        g.memory[at:at + 64] = rng.randbytes(64)
    elif way == 10:
        g.describe(a, rng.choice([at, SIZE - 16, 1 << 50]), rng.choice([0, 8, 16, 1 << 20]), TABLE)
    elif way == 11:
        g.describe(a, at, 60, WRITE)  # to be written to
    elif way == 12:
        g.describe(a, at, HEAD, NEXT, b)
        g.describe(b, at, 0, NEXT, c)
        g.describe(c, at, 0)
    else:
        for k in range(N):  # the longest chain
            g.describe(k, at, rng.choice([1, 60]), NEXT if k < N - 1 else 0, (k + 1) % N)
    g.offer([a])


def spoil_rings(g, rng):
    """Rings themselves that cannot be."""
    _, ring, used = queue(SENT)
    if rng.randrange(2):
        struct.pack_into("<H", g.memory, ring + 4 + 2 * (g.offered % N), rng.choice([N, 65535]))
        g.offered += 1
        g.publish(g.offered)
    else:
        g.publish(rng.randrange(65536))  # far more than there are
    g.memory[used:used + 8] = rng.randbytes(8)


def start():
    with open(WORK + "/c.ini", "w") as f:
        f.write("[vnicd]\nseconds = 0\n[adapter a]\nport = net_null0,no-rx=1\n"
                "[face bad]\nport = net_vhost0,iface=%s/bad\nreceive = no\n"
                "[face good]\nport = net_vhost1,iface=%s/good\nreceive = no\n" % (WORK, WORK))
    return subprocess.Popen([VNICD, "--no-pci", "--no-huge", "-m", "256", "--file-prefix", "vnicdesc%d" % os.getpid(),
                             "--", "-c", WORK + "/c.ini"], cwd=WORK, stdout=open(WORK + "/out", "w"),
                            stderr=open(WORK + "/err", "w"))


def until(what, why):
    deadline = time.time() + 60
    while not what():
        assert daemon.poll() is None, ("vnicd has ended with", daemon.poll(), open(WORK + "/err").read()[-2000:])
        assert time.time() < deadline, (why, open(WORK + "/err").read()[-2000:])
        time.sleep(0.001)


def attack(rng):
    g = Guest(WORK + "/bad", rng.choice([VERSION_1, VERSION_1 | INDIRECT]))
    sure = rng.randrange(8)  # sent before anything bad is there: these arrive
    g.send(sure)
    until(g.all_used, "good packets are not taken")
    for _ in range(rng.randrange(1, 6)):
        if rng.randrange(8) == 0:
            spoil_rings(g, rng)
        else:
            bad(g, rng)
        g.send(rng.randrange(4))
    time.sleep(rng.random() / 200)
    g.close()
    return sure


daemon = start()
try:
    rng = random.Random(SEED)
    neighbour = Guest(WORK + "/good")
    sent = sure = 0
    for _ in range(TIMES):
        neighbour.send(3)
        sent += 3
        sure += attack(rng)
        until(neighbour.all_used, "the neighbour's packets are not taken")
    last = Guest(WORK + "/bad")
    last.send(100)
    until(last.all_used, "the next good guest's packets are not taken")
    neighbour.send(100)
    until(neighbour.all_used, "the neighbour's packets are not taken")
    time.sleep(0.2)
    daemon.send_signal(signal.SIGINT)
    assert daemon.wait(60) == 0, (daemon.returncode, open(WORK + "/err").read()[-2000:])
    out = open(WORK + "/out").read()
    faces = {m[1]: list(map(int, m.groups()[1:])) for m in
             re.finditer(r"^  (bad|good) +(\d+) +(\d+) +(\d+) +(\d+)$", out, re.M)}
    print(out.splitlines()[-1], faces, "%d guests, %d of their packets sure to arrive" % (TIMES, sure))
    assert faces["good"] == [sent + 100, sent + 100, 0, 0], faces
    assert faces["bad"][0] >= sure + 100, faces
    print("ok")
finally:
    if daemon.poll() is None:
        daemon.kill()
        daemon.wait()
    shutil.rmtree(WORK)
