#!/usr/bin/env -S python3 -B
# SPDX-License-Identifier: BSD-3-Clause
# receive.py - programs in network namespaces talk through a running vnicd, in both directions
# usage: receive.py VNICD CASE      CASE: a function case_... below
import signal
import subprocess
import time

from hosts import TAG, WORK, Daemon, Space, mac, main, must, need, refused, started

# ---- good runs ----

def case_ping():
    """A tap above, a veth below: both ends reach each other, broadcasts (ARP) among it."""
    need()
    a, b = Space(1), Space(2)
    d = Daemon("[adapter wire]\nport = net_af_packet0,iface=%s\n"
               "[face f]\nport = net_tap0,iface=%s\n" % (b.veth(), a.tap()))
    a.take()
    a.ping(b)
    b.ping(a)
    rows, up = d.end()
    assert up["f"]["delivered"] >= 38 and up["f"]["full"] == up["f"]["memory"] == 0, up


def case_veth():
    """The same over af_packet on both sides, and frames of the largest size."""
    need()
    a, b = Space(1), Space(2)
    d = Daemon("[adapter wire]\nport = net_af_packet0,iface=%s\n"
               "[face f]\nport = net_af_packet1,iface=%s\nmac = %s\n" % (b.veth(), a.veth(), mac(1)))
    a.ping(b)
    b.ping(a)
    for size in ("1", "700", "1472"):
        p = b.run("ping", "-c", "5", "-i", "0.02", "-W", "2", "-M", "do", "-s", size, a.address)
        assert "5 received" in p.stdout, p.stdout
    d.end()


def case_faces():
    """Two faces with an address each: everyone gets his own, and both what is for all."""
    need()
    a, b, far = Space(1), Space(2), Space(3)
    d = Daemon("[adapter wire]\nport = net_af_packet0,iface=%s\n" % far.veth() +
               "".join("[face f%d]\nport = net_tap%d,iface=%s\nmac = %s\n" % (s.n, s.n, s.tap(), mac(s.n))
                       for s in (a, b)))
    a.take()
    b.take()
    far.ping(a, 60, 55)
    far.ping(b, 20, 18)
    assert a.ping(b, 3, None) == 0, "they are no switch without local = yes"
    rows, up = d.end()
    assert 55 <= up["f1"]["delivered"] < 100 and 18 <= up["f2"]["delivered"] < 60, up
    assert rows["to more than one"] >= 2, rows


def local(keys, macs):
    need()
    a, b = Space(1), Space(2)
    d = Daemon("[adapter wire]\nport = net_null0,no-rx=1\nlocal = yes\n%s" % keys +
               "".join("[face f%d]\nport = net_tap%d,iface=%s\n" % (s.n, s.n, s.tap()) +
                       ("mac = %s\n" % mac(s.n) if macs else "") for s in (a, b)))
    a.take()
    b.take()
    a.ping(b)
    b.ping(a)
    rows, up = d.end()
    assert rows["between its faces"] >= 70, rows
    assert rows["lower port counted"] < 40, rows  # what is for all, and nothing else
    return rows, up


def case_local():
    """Two faces of one adapter with nobody below reach each other."""
    local("", True)


def case_learn():
    """The same without addresses in the configuration."""
    local("learn = yes\n", False)


def case_pause():
    """Operations under pings in both directions; each ends, and traffic goes on."""
    need()
    a, b = Space(1), Space(2)
    d = Daemon("[adapter wire]\nport = net_af_packet0,iface=%s\n"
               "[face f]\nport = net_tap0,iface=%s\n" % (b.veth(), a.tap()))
    a.take()
    a.ping(b)
    flood = [subprocess.Popen(["ip", "netns", "exec", x.name, "ping", "-q", "-i", "0.002", y.address],
                              stdout=subprocess.DEVNULL) for x, y in ((a, b), (b, a))]
    started.extend(flood)
    for _ in range(10):
        for line, status in (("pause", "SUCCESS"), ("restart", "SUCCESS"), ("reset", "SUCCESS"),
                             ("stop", "REDIRECTOR_HAS_OPEN_HANDLES"), ("start", "SUCCESS"),
                             ("remove", "SUCCESS"), ("initialize", "SUCCESS"), ("restart", "SUCCESS")):
            answer = d.ask(line + " wire")
            assert answer["status"] == status, (line, answer)
            time.sleep(0.02)
    for p in flood:
        p.send_signal(signal.SIGINT)
        p.wait(20)
    b.ping(a)
    rows, up = d.end()
    assert rows["while paused"] > 0, rows


def case_slow():
    """A face whose program has gone to sleep loses its own packets; its neighbour none."""
    need()
    a, far = Space(1), Space(3)
    # nobody ever connects to the memif: its link is down, and it takes nothing
    d = Daemon("[adapter wire]\nport = net_af_packet0,iface=%s\n"
               "[face f1]\nport = net_tap0,iface=%s\nmac = %s\n"
               "[face f2]\nport = net_memif0,role=server,socket=%s/m.sock,socket-abstract=no\n"
               "mac = %s\nreceive_depth = 16\n" % (far.veth(), a.tap(), mac(1), WORK, mac(2)))
    a.take()
    must("ip", "-n", far.name, "neigh", "add", "198.51.100.2", "lladdr", mac(2), "dev",
         "vb3" + TAG)
    far.run("ping", "-c", "200", "-i", "0.002", "-W", "1", "198.51.100.2")
    far.ping(a)
    rows, up = d.end()
    f2 = up["f2"]
    assert f2["received"] >= 200 and f2["delivered"] == 0, up
    assert f2["full"] + f2["dropped"] == f2["received"], up
    assert up["f1"]["full"] == 0, up


# ---- bad input ----

def case_refused():
    """Addresses and keys that cannot be: one line, and a non-zero exit."""
    base = "[adapter a]\nport = net_null0\n%s[face f]\nport = net_null1\n%s[face g]\nport = net_null2\n%s"
    one = "mac = 02:00:00:00:00:01\n"
    refused(base % ("", one, one), r"r.ini:8: mac: 02:00:00:00:00:01 on vlan = -1 is face f's already")
    refused(base % ("", one + "vlan = 5\n", "vlan = 5\n" + one), r"r.ini:10: mac: .* is face f's already")
    refused(base % ("", "mac = 02:00:00:00:00:01, 02:00:00:00:00:01\n", ""), r"r.ini:5: mac: .* face f's")
    for bad in ("02:00:00:00:00", "x", "ff:ff:ff:ff:ff:ff", "01:00:5e:00:00:01", "00:00:00:00:00:00",
                "02:00:00:00:00:01,", "02:00:00:00:00:0g"):
        refused(base % ("", "mac = %s\n" % bad, ""), r"r.ini:5: mac: '.*' is no address of one station")
    refused(base % ("", "mac = %s\n" % ",".join("02:00:00:00:00:%02x" % i for i in range(9)), ""),
            "more than 8 addresses")
    refused(base % ("receive = no\n", one, ""), "mac has no meaning: adapter a does not receive")
    refused(base % ("", "receive = no\n" + one, ""), "mac has no meaning with receive = no")
    refused(base % ("", "vlan = 4095\n", ""), "vlan = 4095 is out of range")
    refused(base % ("", "receive_depth = 0\n", ""), "receive_depth = 0 is out of range")
    layer = "[adapter a]\nport = net_null0\n[adapter b]\nlower = a\n%s[face f]\nport = net_null1\nadapter = b\n%s"
    refused(layer % ("local = yes\n", ""), "local = yes in an .adapter. with lower adapters")
    refused(layer % ("learn = yes\n", ""), "learn = yes in an .adapter. with lower adapters")
    refused(layer % ("", one), "adapter b does not receive")


main(globals())
