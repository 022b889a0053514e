#!/usr/bin/env -S python3 -B
# SPDX-License-Identifier: BSD-3-Clause
# guest.py - a virtual machine on a vhost-user face: it pings and is pinged, and sends UDP while
# its flows are cancelled
# usage: guest.py VNICD CASE DATAGRAMS-TEST FOLDER
#
# The machine is QEMU without hardware's help, a kernel of Debian's for clouds, and busybox. The
# kernel is fetched once into FOLDER, and not installed.
import collections
import glob
import os
import platform
import re
import shutil
import struct
import subprocess
import sys

import debian
from hosts import TAG, WORK, Space, mac, must, need, run, skip
from programs import Daemon, main, start, until, words

DATAGRAMS, FOLDER = (os.path.abspath(a) for a in sys.argv[3:5])
# in the order in which they are loaded
MODULES = ("virtio_ring", "virtio", "virtio_pci_legacy_dev", "virtio_pci_modern_dev", "virtio_pci",
           "failover", "net_failover", "virtio_net")
PORT = 7000
INIT = """#!/bin/sh
mount -t devtmpfs dev /dev
mount -t proc proc /proc
exec </dev/console >/dev/console 2>&1
stty -echo
for m in %s; do insmod /$m.ko; done
ip addr add %s/24 dev eth0
ip link set eth0 up
echo the guest is up
while read line; do $line; done
"""


# ---- what it is made of ----

def newest(options):
    depends = run("apt-cache", *options, "depends", "linux-image-cloud-amd64").stdout
    m = re.search(r"Depends: (linux-image-\S+-cloud-amd64)$", depends, re.M)
    return m and m[1]


def fetch():
    """The kernel and its modules in FOLDER."""
    package = debian.download(FOLDER, newest)
    if package is None:
        skip("a kernel for the guest cannot be had: apt-get download linux-image-cloud-amd64")
    must("dpkg", "-x", package, FOLDER + "/x")
    for m in MODULES:
        os.rename(*glob.glob("%s/x/lib/modules/*/kernel/**/%s.ko" % (FOLDER, m), recursive=True),
                  "%s/%s.ko" % (FOLDER, m))
    os.rename(*glob.glob(FOLDER + "/x/boot/vmlinuz-*"), FOLDER + "/vmlinuz")  # the last: it is all there
    debian.tidy(FOLDER, "vmlinuz", *[m + ".ko" for m in MODULES])


def need_guest():
    need()
    if platform.machine() != "x86_64":
        skip("the guest is an x86-64 machine")
    for program, package in ("qemu-system-x86_64", "qemu-system-x86"), ("busybox", "busybox-static"):
        if shutil.which(program) is None:
            skip("no %s; apt-get install -y %s" % (program, package))
    if not os.path.exists(FOLDER + "/vmlinuz"):
        fetch()


def initramfs(address):
    root = WORK + "/root"
    for d in "bin", "dev", "proc":
        os.makedirs("%s/%s" % (root, d))
    shutil.copy(shutil.which("busybox"), root + "/bin/busybox")
    for name in "sh", "mount", "stty", "insmod", "ip", "arp", "ping":
        os.symlink("busybox", "%s/bin/%s" % (root, name))
    shutil.copy(DATAGRAMS, root + "/datagrams")
    for m in MODULES:
        shutil.copy("%s/%s.ko" % (FOLDER, m), root)
    with open(root + "/init", "w") as f:
        f.write(INIT % (" ".join(MODULES), address))
    os.chmod(root + "/init", 0o755)
    must("sh", "-c", "cd %s && find . | busybox cpio -o -H newc >%s/initramfs 2>/dev/null" % (root, WORK))


class Guest:
    def __init__(self, n, path):
        self.address = "198.51.100.%d" % n
        initramfs(self.address)
        self.process = start("guest", [
            "qemu-system-x86_64", "-accel", "tcg", "-m", "256", "-nodefaults", "-no-reboot", "-display", "none",
            "-serial", "stdio", "-kernel", FOLDER + "/vmlinuz", "-initrd", WORK + "/initramfs",
            "-append", "console=ttyS0 quiet panic=-1 no_timer_check",
            "-object", "memory-backend-memfd,id=m,size=256M,share=on", "-numa", "node,memdev=m",
            "-chardev", "socket,id=c,path=" + path, "-netdev", "vhost-user,id=n,chardev=c",
            "-device", "virtio-net-pci,netdev=n,mac=%s,csum=off,guest_csum=off,romfile=,vectors=0" % mac(n)])
        until(lambda: "the guest is up" in self.said(), "the guest does not come up", 100, [self.process])

    def said(self):
        return open(self.process.files[0], errors="replace").read().replace("\r", "")

    def tell(self, command):
        self.process.stdin.write(command.encode() + b"\n")
        self.process.stdin.flush()

    def flow(self, n, far):
        return "udp %s %d %s %d" % (self.address, 1000 + n, far.address, PORT)

    def end(self):
        self.process.kill()
        self.process.wait()


def ping(far, guest, count):
    """Until so many are answered: without -w ping would wait no longer than twice the longest answer took."""
    p = far.run("ping", "-c", str(count), "-i", "0.05", "-w", "30", guest.address)
    print(p.stdout.splitlines()[-2:])
    got = re.search(r"(\d+) received", p.stdout)
    assert got and int(got[1]) >= count, p.stdout + p.stderr  # more were on their way


def arrived(listener):
    flows = collections.defaultdict(list)
    with open(listener.file, "rb") as f:
        for port, number in struct.iter_unpack("=II", f.read()):
            flows[port - 1000].append(number)
    return flows


def listen(space, name):
    p = start(name, ["ip", "netns", "exec", space.name, DATAGRAMS, "listen", str(PORT), "%s/%s.numbers" %
                     (WORK, name)])
    p.file = "%s/%s.numbers" % (WORK, name)
    until(lambda: "listening" in words(p), "no listener", alive=[p])
    return p


def pace(d, packets_per_s):
    assert d.ask("set adapter a.packets_per_s %d" % packets_per_s) == {"status": "SUCCESS"}


SLOW = 50  # less than any guest sends, however busy the machine is: what it sends queues


# ---- good runs ----

def case_flows():
    """Of four flows, one is cancelled by its 5-tuple, one by id, and at last all of the face."""
    need_guest()
    far = Space(2)
    sock = WORK + "/vh.sock"
    d = Daemon("[adapter a]\nport = net_af_packet0,iface=%s\npackets_per_s = 1k\nburst_packets = 8\ndepth = 256\n"
               "[face f]\nport = net_vhost0,iface=%s\n" % (far.veth(), sock), ("--no-huge", "-m", "512"))
    guest = Guest(1, sock)
    listener = listen(far, "listen")

    # neither asks for the other's address again: that would queue, and be taken back, with the rest
    guest.tell("arp -s %s %s" % (far.address, mac(2)))
    must("ip", "-n", far.name, "neigh", "replace", guest.address, "lladdr", mac(1), "nud", "permanent", "dev",
         "vb2" + TAG)
    guest.tell("ping -c 5 -i 0.2 -W 10 " + far.address)
    until(lambda: " packets received" in guest.said(), "no ping", 60, [guest.process, d.process])
    assert "5 packets received" in guest.said(), guest.said()
    ping(far, guest, 10)

    flows, each = 4, 600
    pace(d, SLOW)
    guest.tell("/datagrams send %s %d %d %d" % (far.address, PORT, flows, each))
    ways = {0: "cancel_flow f " + guest.flow(0, far),
            1: "cancel a " + d.ask("id f " + guest.flow(1, far))["id"]}
    aborted = collections.Counter()
    for n in range(8):
        until(lambda: d.stats()["queued_packets"] > 150, "nothing queues", 30, [d.process, guest.process])
        aborted[n % 2] += d.cancel(ways[n % 2])
    pace(d, 1000)
    ping(far, guest, 5)  # whose answers queue up with the rest
    expect(listener, lambda got: got + sum(aborted.values()), flows * each, guest, d)
    got = arrived(listener)
    print("aborted", dict(aborted), "arrived", {f: len(n) for f, n in sorted(got.items())})
    for flow in range(flows):
        assert len(got[flow]) + aborted[flow] == each, (flow, len(got[flow]), aborted)
        assert all(a < b for a, b in zip(got[flow], got[flow][1:])), ("out of order or twice", flow)
        assert aborted[flow] > 20 if flow in ways else got[flow] == list(range(each)), (flow, aborted)

    # all of the face; only datagrams, as nothing else is on its way
    before = sum(map(len, got.values()))
    pace(d, SLOW)
    guest.tell("/datagrams send %s %d 2 400" % (far.address, PORT))
    whole = 0
    for _ in range(2):
        until(lambda: d.stats()["queued_packets"] > 100, "nothing queues", 30, [d.process, guest.process])
        whole += d.cancel("cancel_face f")
    pace(d, 1000)
    expect(listener, lambda got: got - before + whole, 800, guest, d)
    assert whole > 50, whole
    ping(far, guest, 5)
    guest.end()
    until(lambda: d.peer()["peer_left"] == 1, "it is not missed", alive=[d.process])
    d.end()


def expect(listener, count, packets, guest, d):
    """All that the guest has sent is accounted for, and no more arrives than that."""
    def got():
        return count(os.path.getsize(listener.file) // 8)
    until(lambda: got() >= packets, lambda: ("%d of %d" % (got(), packets), d.stats()), 40,
          [guest.process, d.process, listener])
    assert got() == packets, (got(), packets)


main(globals())
