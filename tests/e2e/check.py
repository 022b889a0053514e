#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
# check.py - vnicd --check: each finding on a made-up machine, and this one as it is
# usage: check.py VNICD CASE      CASE: a function case_... below
import fcntl
import grp
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

from hosts import PREFIX, ROOT, VNICD, WORK, main, run, skip, started

TREE = WORK + "/machine"
CONFIG = WORK + "/c.ini"
NULLS = "[adapter a]\nport = net_null0,no-rx=1\n[face f]\nport = net_null1\n"
LCORES = ("--lcores", "0@0,1@2,2@3")


def put(path, text=""):
    path = TREE + path
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as f:
        f.write(text + "\n")


def interface(name, index, link=None, flags="0x1003", carrier="1"):
    for file, text in (("flags", flags), ("carrier", carrier), ("ifindex", str(index)),
                       ("iflink", str(link or index)), ("queues/rx-0/x", "")):
        put("/sys/class/net/%s/%s" % (name, file), text)


def device(address, driver="vfio-pci", group="7", node=0):
    at = "/sys/bus/pci/devices/" + address
    put(at + "/numa_node", str(node))
    if driver:
        os.symlink("../drivers/" + driver, TREE + at + "/driver")
    if group:
        os.symlink("../../iommu_groups/" + group, TREE + at + "/iommu_group")
        os.makedirs(TREE + "/sys/bus/pci/iommu_groups/%s/devices/%s" % (group, address))
        put("/dev/vfio/" + group)


def nic(address, name, flags, deeper=""):
    """An interface that the kernel's driver makes of a device."""
    os.makedirs(TREE + "/sys/bus/pci/devices/%s%s/net/%s" % (address, deeper, name))
    put("/sys/class/net/%s/flags" % name, flags)


def nodes(cpus):
    for n, cpulist in enumerate(cpus):
        put("/sys/devices/system/node/node%d/cpulist" % n, cpulist)
        pages(n, 1024, 1024)


def huge(node, kib, total, free):
    at = "/sys/devices/system/node/node%d/hugepages/hugepages-%dkB/" % (node, kib)
    put(at + "nr_hugepages", str(total))
    put(at + "free_hugepages", str(free))


def pages(node, total, free):
    huge(node, 2048, total, free)


def status(cpus="0-3", capabilities=0x1ffffffffff, bounding=0x1ffffffffff, no_new=0):
    put("/proc/self/status", "Name:\tvnicd\nCapEff:\t%016x\nCapBnd:\t%016x\nNoNewPrivs:\t%d\nCpus_allowed_list:\t%s" % (
        capabilities, bounding, no_new, cpus))


def machine():
    """One that has all: four cores, the last two isolated, hugepages, an interface eth1."""
    shutil.rmtree(TREE, ignore_errors=True)
    put("/sys/devices/system/cpu/online", "0-3")
    put("/sys/devices/system/cpu/isolated", "2-3")
    put("/sys/devices/system/cpu/nohz_full", "2-3")
    for cpu in range(4):
        at = "/sys/devices/system/cpu/cpu%d/" % cpu
        put(at + "topology/thread_siblings_list", str(cpu))
        put(at + "cpufreq/scaling_governor", "performance")
    nodes(["0-3"])
    status()
    put("/proc/self/limits", "Max locked memory         8388608              8388608              bytes")
    put("/proc/mounts", "proc /proc proc rw 0 0\nnodev /dev/hugepages hugetlbfs rw,pagesize=2M 0 0")
    os.makedirs(TREE + "/dev/hugepages")
    put("/proc/net/protocols", "protocol  size\nPACKET 1\nXDP 1\nUDP 1")
    put("/proc/net/route", "Iface\tDestination\neth0\t00000000")
    put("/dev/net/tun")
    interface("eth1", 5)
    os.makedirs(TREE + "/var/run/dpdk")


def look(config=NULLS, eal=LCORES, words=(), user=None):
    """--check: its exit code, and its answer."""
    with open(CONFIG, "w") as f:
        f.write(config)
    command = [VNICD, *eal, "--", "--check", CONFIG, "--json", *words]
    if user is not None:
        command = ["setpriv", "--reuid", str(user), "--regid", str(user), "--clear-groups", *command]
    p = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=WORK,
                       env=dict(os.environ, VNICD_CHECK_ROOT=TREE, XDG_RUNTIME_DIR=TREE + "/var/run"))
    assert p.stderr == "" and p.returncode in (0, 1), p
    answer = json.loads(p.stdout)
    assert answer["runs"] == (p.returncode == 0) == (answer["errors"] == 0), answer
    return answer


def findings(answer):
    return [f for f in answer["findings"] if f["severity"] != "ok"]


def found(severity, pattern, config=NULLS, eal=LCORES, cure=r"\S", **more):
    """It is the only finding, has an effect, and a command for cure that a shell reads."""
    answer = look(config, eal, **more)
    got = findings(answer)
    assert len(got) == 1, (pattern, got)
    f = got[0]
    line = "%s: %s" % (f["subject"], f["cause"])
    assert f["severity"] == severity and re.search(pattern, line), (severity, pattern, f)
    assert f["effect"] != "", f
    assert re.search(cure, f["cure"]), (cure, f)
    assert run("sh", "-nc", f["cure"]).returncode == 0, f
    if f["cure"].startswith(VNICD) and "--config" in f["cure"]:
        cured(f)
    print(f["severity"], line, "|", f["effect"], "|", f["cure"])
    return f


def cured(finding):
    """The command, with --check, no longer finds it."""
    p = subprocess.run(["sh", "-c", finding["cure"] + " --check --json"], capture_output=True, text=True,
                       timeout=60, cwd=WORK, env=dict(os.environ, VNICD_CHECK_ROOT=TREE))
    after = json.loads(p.stdout)["findings"]
    assert finding not in after and p.returncode == 0, (finding, after)


def adapter(port, more=""):
    return "[adapter a]\nport = %s\n%s[face f]\nport = net_null1\n" % (port, more)


def face(port):
    return "[adapter a]\nport = net_null0,no-rx=1\n[face f]\nport = %s\n" % port


# ---- a made-up machine ----

def case_well():
    """Nothing is found where all is well, for any kind of port."""
    machine()
    interface("eth2", 6)
    device("0000:01:00.0")
    for config in (NULLS, adapter("net_af_packet0,iface=eth1"), adapter("0000:01:00.0"), face("net_tap0,iface=t0"),
                   adapter("net_af_xdp0,iface=eth1"), face("net_vhost0,iface=%s/vh" % WORK),
                   face("net_memif0,role=server,socket=%s/m,socket-abstract=no" % WORK),
                   "[vnicd]\ncontrol = %s/ctl\nreport = %s\n" % (WORK, WORK) + NULLS):
        answer = look(config)
        assert answer["runs"] and findings(answer) == [], (config, findings(answer))
        assert len(answer["findings"]) >= 6, answer
    assert look(words=("--set", "adapter a.packets_per_s=5"))["runs"]


def case_memory():
    machine()
    pages(0, 16, 3)
    f = found("error", "hugepages: node 0 has 6 MiB free, about [0-9]+ are needed",
              cure=r"^echo \d+ > /sys/devices/system/node/node0/hugepages/hugepages-2048kB/nr_hugepages$")
    need = int(re.search(r"about (\d+)", f["cause"])[1])
    assert int(re.search(r"echo (\d+)", f["cure"])[1]) == 16 + (need - 6 + 1) // 2, f
    assert findings(look(eal=(*LCORES, "--no-huge", "-m", "512")))[0]["severity"] == "notice"
    pages(0, 600, 600)
    assert findings(look()) == []
    found("error", "hugepages: node 0 has 1200 MiB free, about 2000 are needed", eal=(*LCORES, "-m", "2000"))
    found("error", "hugepages: node 0 has 1200 MiB free, about 2000 are needed",
          eal=(*LCORES, "--socket-mem", "2000"))
    machine()
    nodes(["0-1", "2-3"])
    pages(1, 0, 0)
    found("error", "hugepages: node 1 has 0 MiB free", cure="node1/hugepages")
    machine()
    shutil.rmtree(TREE + "/sys/devices/system/node/node0/hugepages")
    f = findings(look())
    assert [x["subject"] for x in f] == ["hugepages"] and "this kernel has none" in f[0]["cause"], f
    machine()
    put("/proc/mounts", "proc /proc proc rw 0 0")
    found("error", "hugetlbfs: it is not mounted", cure="^mkdir -p /dev/hugepages && mount -t hugetlbfs nodev")
    assert findings(look(eal=(*LCORES, "--in-memory"))) == []
    machine()
    found("error", "hugetlbfs: --huge-dir /mnt/h is on no mount", eal=(*LCORES, "--huge-dir", "/mnt/h"), cure="/mnt/h")


def mounts(*lines):
    put("/proc/mounts", "\n".join(lines))


def case_mounts():
    """Pages count of the sizes that EAL finds mounted, as EAL finds them."""
    two, one = "nodev /dev/hugepages hugetlbfs rw,relatime,pagesize=2M 0 0", "nodev /mnt/1g hugetlbfs rw,pagesize=1024M 0 0"
    machine()
    pages(0, 0, 0)
    huge(0, 1048576, 4, 4)
    os.makedirs(TREE + "/mnt/1g/mine")
    mounts(one)
    assert findings(look()) == []
    mounts(two, one)
    assert findings(look()) == []
    mounts(two)
    f = found("error", "node 0 has 0 MiB free, about .* are needed; 4096 MiB are of sizes that are not mounted",
              cure="^mkdir -p /dev/hugepages-1GB && mount -t hugetlbfs -o pagesize=1048576K nodev /dev/hugepages-1GB$")
    assert findings(look(eal=(*LCORES, "--in-memory"))) == []
    huge(0, 1048576, 4, 0)
    mounts(one)
    found("error", "node 0 has 0 MiB free", cure="echo 5 > .*/hugepages-1048576kB/nr_hugepages")
    # one without a size has the default one
    pages(0, 1024, 1024)
    mounts("nodev /dev/hugepages hugetlbfs rw 0 0")
    assert findings(look()) == []
    put("/proc/meminfo", "Hugepagesize:    1048576 kB")
    found("error", "node 0 has 0 MiB free.*; 2048 MiB are of sizes that are not mounted", cure="pagesize=2048K")
    # a folder on a mount
    machine()
    huge(0, 1048576, 4, 4)
    os.makedirs(TREE + "/mnt/1g/mine")
    mounts(two, one)
    for dir in ("/dev/hugepages/", "/mnt/1g", "/mnt/1g/", "/mnt/1g/mine", "/mnt/1g/mine/"):
        assert findings(look(eal=(*LCORES, "--huge-dir", dir))) == [], dir
    found("error", "there is no folder /mnt/1g/other", eal=(*LCORES, "--huge-dir", "/mnt/1g/other"),
          cure="^mkdir -p /mnt/1g/other && chown")
    found("error", "--huge-dir /mnt/1gb is on no mount", eal=(*LCORES, "--huge-dir", "/mnt/1gb"))
    # far below
    mounts(*("overlay /var/lib/containers/%04d overlay rw,lowerdir=%s 0 0" % (i, "l" * 100) for i in range(400)), two)
    assert findings(look()) == []


def case_mount_rights():
    """A mount that may not be used hides none of another size; of the same size EAL takes the first."""
    machine()
    os.makedirs(TREE + "/mnt/1g")
    os.makedirs(TREE + "/mnt/2m")
    os.chmod(TREE + "/var/run/dpdk", 0o777)
    os.chmod(TREE + "/dev/hugepages", 0o777)
    one = "nodev /mnt/1g hugetlbfs rw,pagesize=1024M 0 0"
    two = "nodev /dev/hugepages hugetlbfs rw,pagesize=2M 0 0"
    mounts(one, two)
    if os.getuid() != 0 or shutil.which("setpriv") is None:
        skip("needs root, and setpriv of util-linux, to become somebody else")
    os.chmod(WORK, 0o755)
    assert findings(look(user=65534)) == []
    mounts(two.replace("/dev/hugepages", "/mnt/2m"), two)
    as_other("error", "hugetlbfs: /mnt/2m may not be written by this user", cure="--huge-dir /dev/hugepages -- --config")
    mounts(two.replace("/dev/hugepages", "/mnt/2m"))
    as_other("error", "hugetlbfs: /mnt/2m may not be written by this user", cure="chown 65534:65534 /mnt/2m")


def case_overcommit():
    """What the kernel may add by itself is said to be no more than that, and counts where EAL asks for it; what
    a cgroup forbids does not."""
    machine()
    pages(0, 16, 3)
    at = "/sys/kernel/mm/hugepages/hugepages-2048kB/"
    put(at + "nr_overcommit_hugepages", "400")
    put(at + "surplus_hugepages", "100")
    cure = r"^echo \d+ > /sys/devices/system/node/node0/hugepages/hugepages-2048kB/nr_hugepages$"
    may = "node 0 has 6 MiB free, about [0-9]+ are needed; the kernel may add 600 MiB .nr_overcommit_hugepages.$"
    f = found("notice", may, cure=cure)
    assert "short or in pieces" in f["effect"], f
    # what EAL is to have at its start it takes of free pages, as long as there is one
    found("notice", may, eal=(*LCORES, "-m", "6"), cure=cure)
    never = "node 0 has 6 MiB free, about [0-9]+ are needed; EAL takes no nr_overcommit_hugepages at its start .-m"
    found("error", never, eal=(*LCORES, "-m", "8"), cure=cure)
    found("error", never, eal=(*LCORES, "--socket-mem", "64"), cure=cure)
    pages(0, 16, 0)
    found("notice", "node 0 has 0 MiB free.* may add 600 MiB", eal=(*LCORES, "-m", "64"), cure=cure)
    # no more than this machine has
    put("/proc/meminfo", "MemAvailable:   100000 kB\nHugepagesize:       2048 kB")
    found("notice", "node 0 has 0 MiB free.* may add 97 MiB", cure=cure)
    put("/proc/meminfo", "MemAvailable:    10000 kB\nHugepagesize:       2048 kB")
    found("error", "node 0 has 0 MiB free, about [0-9]+ are needed$", cure=cure)
    os.unlink(TREE + "/proc/meminfo")
    put(at + "surplus_hugepages", "400")
    found("error", "hugepages: node 0 has 0 MiB free, about [0-9]+ are needed$", cure=cure)
    # another node's are EAL's on node 0 only
    machine()
    nodes(["0-1", "2-3"])
    pages(0, 0, 0)
    pages(1, 0, 0)
    put(at + "nr_overcommit_hugepages", "400")
    put(at + "surplus_hugepages", "0")
    assert {x["severity"] for x in findings(look()) if x["subject"] == "hugepages"} == {"notice"}
    f = [x for x in findings(look(eal=(*LCORES, "--socket-mem", "0,64"))) if x["severity"] == "error"]
    assert len(f) == 1 and "node 1 has 0 MiB free" in f[0]["cause"], f
    machine()
    put("/proc/self/cgroup", "1:name=systemd:/\n0::/pod/one")
    put("/sys/fs/cgroup/pod/one/hugetlb.2MB.max", "max")
    put("/sys/fs/cgroup/pod/hugetlb.2MB.max", "max")
    assert findings(look()) == []
    put("/sys/fs/cgroup/pod/hugetlb.2MB.max", str(20 << 20))
    put("/sys/fs/cgroup/pod/hugetlb.2MB.current", str(8 << 20))
    found("error", "hugepages: this cgroup may have 12 MiB more, about [0-9]+ are needed",
          cure="^echo max > /sys/fs/cgroup/pod/hugetlb.2MB.max$")
    put("/sys/fs/cgroup/pod/hugetlb.2MB.max", str(1 << 30))
    assert findings(look()) == []


def case_no_huge():
    machine()
    answer = look(eal=(*LCORES, "--no-huge", "-m", "8"))
    f = findings(answer)
    assert len(f) == 1 and re.search("EAL gets 8 MiB, about [0-9]+ are needed", f[0]["cause"]), f
    found("notice", "hugepages: --no-huge does without them", eal=(*LCORES, "--no-huge", "-m", "512"),
          cure="^echo 256 > /proc/sys/vm/nr_hugepages$")
    # those of others stay
    put("/proc/sys/vm/nr_hugepages", "1000")
    put("/proc/meminfo", "HugePages_Total: 1000\nHugePages_Free:       6\nHugepagesize:       2048 kB")
    found("notice", "hugepages: --no-huge does without them", eal=(*LCORES, "--no-huge", "-m", "511"),
          cure="^echo 1250 > /proc/sys/vm/nr_hugepages$")
    put("/proc/meminfo", "HugePages_Total: 1000\nHugePages_Free:     256\nHugepagesize:       2048 kB")
    f = found("notice", "hugepages: --no-huge does without them", eal=(*LCORES, "--no-huge", "-m", "512"),
              cure="^" + VNICD)
    assert "--no-huge" not in f["cure"], f
    f = findings(look(eal=(*LCORES, "--no-huge", "--in-memory", "-m", "512")))
    assert len(f) == 2 and any("exclude each other" in x["cause"] and "in-memory" not in x["cure"] for x in f), f


def as_other(*args, **more):
    if os.getuid() != 0 or shutil.which("setpriv") is None:
        skip("needs root, and setpriv of util-linux, to become somebody else")
    os.chmod(WORK, 0o755)
    return found(*args, user=65534, **more)


def case_rights():
    """What another user may not."""
    machine()
    os.chmod(TREE + "/dev/hugepages", 0o777)
    as_other("error", "runtime folder: .*/var/run/dpdk/rte may not be written by this user",
             cure=r"export XDG_RUNTIME_DIR=\$\(mktemp -d\)")
    as_other("warning", "runtime folder", eal=(*LCORES, "--in-memory"))
    # root's own, where it may not
    os.rename(TREE + "/var/run", TREE + "/var/kept")
    put("/var/run")
    found("error", "runtime folder: .*/var/run/dpdk/rte may not be written by this user",
          cure=r"^export RUNTIME_DIRECTORY=\$\(mktemp -d\)$" if os.getuid() == 0 else "XDG_RUNTIME_DIR")
    os.unlink(TREE + "/var/run")
    os.rename(TREE + "/var/kept", TREE + "/var/run")
    os.chmod(TREE + "/var/run/dpdk", 0o777)
    assert findings(look(user=65534)) == []
    os.chmod(TREE + "/dev/hugepages", 0o755)
    as_other("error", "hugetlbfs: /dev/hugepages may not be written by this user",
             cure="(sudo sh|su) -c 'chown 65534:65534 /dev/hugepages'")
    os.chmod(TREE + "/dev/hugepages", 0o777)
    device("0000:01:00.0")
    os.chmod(TREE + "/dev/vfio/7", 0o600)
    as_other("error", "adapter a: /dev/vfio/7 may not be used by this user", config=adapter("0000:01:00.0"),
             cure="chown 65534:65534 /dev/vfio/7")


def case_memlock():
    machine()
    device("0000:01:00.0")
    status(capabilities=0x3000)
    found("error", "memlock: this user may lock 8192 KiB, VFIO locks about", config=adapter("0000:01:00.0"),
          cure=r"^prlimit --pid \$\$ --memlock=unlimited:unlimited$")
    put("/proc/self/limits", "Max locked memory         unlimited            unlimited            bytes")
    assert findings(look(adapter("0000:01:00.0"))) == []
    put("/proc/self/limits", "Max locked memory         8388608              8388608              bytes")
    status(capabilities=0x203000)
    found("error", "memlock: this user may lock 8192 KiB, AF_XDP locks about", config=adapter("net_af_xdp0,iface=eth1"))
    status(capabilities=0x207000)
    assert findings(look(adapter("net_af_xdp0,iface=eth1"))) == []
    status(capabilities=0x3000)
    # the shell that is to have it is the user's, not one that sudo or su starts
    os.chmod(TREE + "/dev/hugepages", 0o777)
    os.chmod(TREE + "/var/run/dpdk", 0o777)
    os.chmod(TREE + "/dev/vfio/7", 0o666)
    as_other("error", "memlock: this user may lock 8192 KiB", config=adapter("0000:01:00.0"),
             cure=r"^(sudo|su -c \"?)\s*prlimit --pid \$\$ --memlock=unlimited:unlimited\"?$")


def case_cpus():
    machine()
    found("error", "CPUs: lcores are to have 9, online are 0-3", eal=("--lcores", "0@0,1@2,2@9"))
    status(cpus="0,2-3")
    found("warning", "CPUs: lcores are to have 1, this process was given 0,2-3",
          eal=("--lcores", "0@0,1@1,2@2"), cure="--lcores")
    machine()
    found("warning", "lcores: data lcore 2 and control lcore 1 share CPU 3", eal=("--lcores", "0@0,1@3,2@3"),
          cure="--lcores 0@[01],1@[0-3],2@[23] -- --config")
    found("warning", "lcores: lcore 3 does both data and control", eal=("-l", "3"))
    found("warning", "lcores: lcore 1 does both data and control", eal=("--lcores", "0@0,1@3"),
          config="[vnicd]\ncontrol_lcore = 1\n" + NULLS)
    found("warning", "lcores: data lcore 2 and control lcore 1 share CPU 3", eal=("--lcores", "0@0,1@3,2@3"),
          config="[vnicd]\ncontrol_lcore = 1\n" + NULLS)
    f = findings(look(eal=("--lcores", "0@0,1@2,5@3"), config=NULLS + "[vnicd]\ncontrol_lcore = 4\n"))
    assert len(f) == 1 and "control_lcore = 4 is not an lcore of EAL" in f[0]["cause"], f
    status(cpus="3")
    f = look(eal=("--lcores", "(0-2)@3"))
    assert f["runs"] and [x["severity"] for x in findings(f)] == ["notice"], f
    assert "no CPU to spare" in findings(f)[0]["effect"]
    status(cpus="")
    f = findings(look(eal=()))
    assert [(x["subject"], x["cause"], x["effect"]) for x in f if x["severity"] == "error"] == [
        ("lcores", "EAL's arguments name none", "it does not start")], f
    # the ways to name lcores
    machine()
    for eal in (("-c", "0xd"), ("-l", "0,2-3"), ("-l0,2-3",), ("--lcores=0@(0,1),1@2,2@3",), ("--lcores", "0,2-3")):
        assert findings(look(eal=eal)) == [], eal


def case_hyperthreads():
    machine()
    for cpu in range(4):
        put("/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list" % cpu, "0-1" if cpu < 2 else "2-3")
    found("warning", "hyperthreads: data lcore 2 on CPU 3 and control lcore 1 on CPU 2 share a core", cure="--lcores")
    assert findings(look(eal=("--lcores", "0@1,1@0,2@3"))) == []
    status(cpus="2-3")
    f = findings(look(eal=("--lcores", "0@2,1@2,2@3")))
    assert [x["severity"] for x in f] == ["notice"] and "no CPU to spare" in f[0]["effect"], f


def case_nodes():
    machine()
    nodes(["0-1", "2-3"])
    put("/sys/class/net/eth1/device/numa_node", "0")
    put("/sys/devices/system/cpu/isolated", "0-3")
    put("/sys/devices/system/cpu/nohz_full", "0-3")
    found("warning", "NUMA: adapter a: its port is on node 0, CPU 3 of its data lcore 2 on node 1",
          config=adapter("net_af_packet0,iface=eth1"), cure="2@[01] ")
    put("/sys/class/net/eth1/device/numa_node", "1")
    assert findings(look(adapter("net_af_packet0,iface=eth1"))) == []
    device("0000:01:00.0", node=0)
    found("warning", "NUMA: adapter a: its port is on node 0", config=adapter("0000:01:00.0"))
    found("warning", "NUMA: adapter a: its memory is to be on node 0, CPU 3 of its data lcore 2 is on node 1",
          config=adapter("net_null0,no-rx=1", "numa_node = 0\n"), cure="--set 'adapter a.numa_node=1'")
    f = findings(look(adapter("net_null0,no-rx=1", "numa_node = 5\n")))
    assert any(x["severity"] == "error" and "memory is to be on node 5" in x["cause"]
               and x["effect"] == "there is no such node: it does not start" for x in f), f
    # no CPU of the port's node is to be had
    put("/sys/class/net/eth1/device/numa_node", "0")
    status(cpus="2-3")
    f = findings(look(adapter("net_af_packet0,iface=eth1"), eal=("--lcores", "0@2,1@2,2@3")))
    assert [x["severity"] for x in f] == ["notice"] and "its port is on node 0, CPU 3 of" in f[0]["cause"], f
    assert "each packet crosses between them" in f[0]["effect"], f


def case_isolation():
    machine()
    put("/sys/devices/system/cpu/isolated", "")
    found("notice", "isolation: CPUs 3 of data lcores are not isolated", cure="isolcpus=3 nohz_full=3 rcu_nocbs=3")
    machine()
    put("/sys/devices/system/cpu/nohz_full", " (null)")
    found("notice", "isolation: CPUs 3 of data lcores have a timer tick")


def case_frequency():
    machine()
    put("/sys/devices/system/cpu/cpu3/cpufreq/scaling_governor", "schedutil")
    found("notice", "frequency: CPUs 3 have the governor schedutil",
          cure=r"^echo performance \| tee /sys/devices/system/cpu/cpu3/cpufreq/scaling_governor$")
    shutil.rmtree(TREE + "/sys/devices/system/cpu/cpu3/cpufreq")
    assert findings(look()) == []


def case_interfaces():
    machine()
    packet = adapter("net_af_packet0,iface=eth1")
    xdp = adapter("net_af_xdp0,iface=eth1")
    found("error", "adapter a: there is no interface eth9", config=adapter("net_af_packet0,iface=eth9"),
          cure="^ip link add eth9 type veth peer name eth9-p && ip link set eth9 up && ip link set eth9-p up$")
    interface("eth1", 5, flags="0x1002")
    found("warning", "adapter a: interface eth1 is down", config=packet, cure="^ip link set eth1 up$")
    found("warning", "adapter a: interface eth1 is down", config=xdp)
    interface("eth1", 5, link=6, carrier="0")
    interface("eth2", 6, link=5, flags="0x1002")
    found("warning", "interface eth1 has no carrier: its other end eth2 is down", config=packet,
          cure="^ip link set eth2 up$")
    interface("eth1", 5, carrier="0")
    found("warning", "interface eth1 has no carrier$", config=packet)
    machine()
    put("/proc/net/protocols", "protocol  size\nUDP 1")
    found("error", "the kernel has no AF_PACKET sockets", config=packet, cure="modprobe af_packet")
    f = findings(look(xdp))
    assert len(f) == 1 and "no AF_XDP sockets" in f[0]["cause"] and "net_af_packet_eth1" in f[0]["cure"], f
    machine()
    found("error", "interface eth1 has 1 queues, 3 are asked for", cure="ethtool -L eth1 combined 3",
          config=adapter("net_af_xdp0,iface=eth1,start_queue=1,queue_count=2"))
    put("/proc/net/route", "Iface\tDestination\neth1\t00000000")
    found("warning", "interface eth1 has the default route", config=xdp, cure="net_af_packet_eth1")
    assert findings(look(packet)) == []
    status(capabilities=0)
    put("/proc/net/route")
    found("error", "net_af_packet0 needs cap_net_admin,cap_net_raw$", config=packet,
          cure="setcap cap_net_admin,cap_net_raw[+]ep .*vnicd")
    # one of the two is not enough: the start fails at SIOCSIFHWADDR
    status(capabilities=1 << 13)
    found("error", "net_af_packet0 needs cap_net_admin$", config=packet)
    status(capabilities=0)
    put("/proc/self/limits", "Max locked memory unlimited unlimited bytes")
    found("error", "net_af_xdp0 needs cap_net_admin,cap_net_raw,cap_sys_admin$", config=xdp)


def case_capabilities():
    """setcap gives a file all that it is to have: what any port needs, what it has, what this process has."""
    machine()
    status(capabilities=0)
    f = findings(look(adapter("net_af_packet0,iface=eth1").replace("net_null1", "net_tap0")))
    assert [x["cause"] for x in f] == ["net_af_packet0 needs cap_net_admin,cap_net_raw",
                                       "net_tap0 needs cap_net_admin"], f
    assert all("setcap cap_net_admin,cap_net_raw+ep " in x["cure"] for x in f), f
    status(capabilities=0x4000)
    packet = adapter("net_af_packet0,iface=eth1")
    found("error", "net_af_packet0 needs cap_net_admin,cap_net_raw$", config=packet,
          cure="setcap cap_net_admin,cap_net_raw,cap_ipc_lock[+]ep ")
    put("/proc/self/exe")
    if os.getuid() != 0 or shutil.which("setcap") is None:
        skip("needs root, and setcap of libcap2-bin, for a file that has capabilities")
    if run("setcap", "cap_chown,cap_checkpoint_restore+ep", TREE + "/proc/self/exe").returncode != 0:
        skip("no file can have capabilities here")
    found("error", "net_af_packet0 needs cap_net_admin,cap_net_raw$", config=packet,
          cure="setcap cap_chown,cap_net_admin,cap_net_raw,cap_ipc_lock,cap_checkpoint_restore[+]ep ")


def case_container():
    """Where setcap gives nothing, whoever starts the container does."""
    machine()
    packet = adapter("net_af_packet0,iface=eth1")
    needs = "net_af_packet0 needs cap_net_admin,cap_net_raw"
    both = packet.replace("net_null1", "net_tap0")
    status(capabilities=0, bounding=0xa80425fb | 1 << 12)
    found("error", needs + "$", config=packet, cure="setcap cap_net_admin,cap_net_raw[+]ep ")
    status(capabilities=0, bounding=0xa80425fb)  # docker's own: raw sockets, no cap_net_admin
    found("error", needs + ", which this process may never have", config=packet, cure="^capsh --print$")
    f = found("error", "net_tap0 needs cap_net_admin, which this process may never have", config=face("net_tap0"),
              cure="^capsh --print$")
    assert "setcap is of no use" in f["effect"], f
    put("/.dockerenv")
    found("error", "face f: net_tap0 needs cap_net_admin,", config=face("net_tap0"),
          cure="^docker run (--user root )?--cap-add=NET_ADMIN IMAGE$")
    f = findings(look(both))
    assert all(x["cure"].endswith(" --cap-add=NET_ADMIN --cap-add=NET_RAW IMAGE") for x in f) and len(f) == 2, f
    # what setcap can give, it gives
    f = findings(look(adapter("net_pcap0,iface=eth1").replace("net_null1", "net_tap0")))
    assert "setcap cap_net_raw+ep " in f[0]["cure"] and "docker run" in f[1]["cure"], f
    os.unlink(TREE + "/.dockerenv")
    put("/run/.containerenv")
    found("error", needs + ",", config=packet, cure="^podman run .*--cap-add=NET_ADMIN --cap-add=NET_RAW IMAGE$")
    os.unlink(TREE + "/run/.containerenv")
    put("/run/systemd/container", "systemd-nspawn")
    found("error", needs + ",", config=packet, cure="^systemd-nspawn --capability=cap_net_admin,cap_net_raw$")
    # nor where no program gets more than its maker has
    status(capabilities=0, no_new=1)
    found("error", needs + ", which this process may never have", config=packet)


def case_tap():
    machine()
    tap = face("net_tap0,iface=t0")
    os.unlink(TREE + "/dev/net/tun")
    found("error", "face f: net_tap0 needs /dev/net/tun, which is not there", config=tap, cure="^modprobe tun")
    put("/dev/net/tun")
    status(capabilities=0)
    found("error", "face f: net_tap0 needs cap_net_admin$", config=tap)
    status()
    interface("t0", 9)
    found("error", "face f: interface t0 is there, and is no tap", config=tap)
    put("/sys/class/net/t0/tun_flags", "0x1002")
    assert findings(look(tap)) == []


def case_permission():
    """What is there may yet be another's."""
    machine()
    os.chmod(TREE + "/dev/hugepages", 0o777)
    os.chmod(TREE + "/var/run/dpdk", 0o777)
    os.chmod(TREE + "/dev/net/tun", 0o600)
    tap, kernel = face("net_tap0,iface=t0"), face("net_virtio_user0,path=/dev/vhost-net")
    eal = (*LCORES, "--single-file-segments")
    as_other("error", "face f: net_tap0 needs /dev/net/tun, which this user may not use", config=tap,
             cure="chown 65534 /dev/net/tun")
    os.chmod(TREE + "/dev/net/tun", 0o666)
    assert findings(look(tap, user=65534)) == []
    put("/dev/vhost-net")
    group = next(g for g in grp.getgrall() if g.gr_gid not in (0, 65534))
    os.chown(TREE + "/dev/vhost-net", 0, group.gr_gid)
    os.chmod(TREE + "/dev/vhost-net", 0o660)
    f = as_other("error", "net_virtio_user0 needs /dev/vhost-net, which this user may not use", config=kernel, eal=eal,
                 cure="chown 65534 /dev/vhost-net")
    assert f["effect"] == "it does not open; group %s may use it" % group.gr_name, f
    os.chmod(TREE + "/dev/vhost-net", 0o666)
    assert findings(look(kernel, eal, user=65534)) == []
    os.chmod(TREE + "/dev/net/tun", 0o600)
    as_other("error", "net_virtio_user0 needs /dev/net/tun", config=kernel, eal=eal)
    os.chmod(TREE + "/dev/net/tun", 0o666)
    status(capabilities=0)
    as_other("error", "net_virtio_user0 needs cap_net_admin$", config=kernel, eal=eal)
    status()
    path = WORK + "/s"
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(path)
        s.listen()
        os.chmod(path, 0o600)
        as_other("error", "net_virtio_user0 needs %s, which this user may not use" % path,
                 config=face("net_virtio_user0,path=" + path), eal=eal, cure="chown 65534 " + path)
    # in a folder that it may not enter, nor write to
    inside = WORK + "/inside"
    os.mkdir(inside, 0o700)
    path = inside + "/s"
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(path)
        s.listen()
        as_other("error", "face f: socket %s: Permission denied" % path, config=face("net_virtio_user0,path=" + path),
                 eal=eal, cure="^namei -l " + path)
    as_other("error", "control socket: %s/c: Permission denied" % inside, cure="--control /tmp/vnicd.control$",
             config="[vnicd]\ncontrol = %s/c\n" % inside + NULLS)
    for key in ("rx_pcap", "tx_pcap"):
        as_other("error", "face f: %s/x.pcap: Permission denied" % inside, config=face("net_pcap0,%s=%s/x.pcap" % (key, inside)),
                 cure="^namei -l " if key == "rx_pcap" else "tx_pcap=/tmp/net_pcap0.pcap")


def case_queues():
    """As many queues as there are adapters that share the port, or as the face is to have."""
    machine()
    interface("eth1", 5)
    put("/sys/class/net/eth1/queues/rx-1/x")
    shared = adapter("net_af_xdp0,iface=eth1%s") + "adapter = a\n[adapter b]\nshares = a\n"
    found("error", "adapter a: net_af_xdp0 has 1 queues, 2 are needed", config=shared % "",
          cure="adapter a.port=net_af_xdp0,iface=eth1,queue_count=2")
    assert findings(look(shared % ",queue_count=2")) == []
    eal = (*LCORES, "--single-file-segments")
    for devargs, more in (("net_vhost0,iface=%s/v" % WORK, "queues=2"), ("net_af_packet0,iface=eth1", "qpairs=2"),
                          ("net_virtio_user0,server=1,path=%s/v" % WORK, "queues=2")):
        found("error", "face f: net_.* has 1 queues, 2 are needed", config=face(devargs) + "queues = 2\n", eal=eal,
              cure=more)
        assert findings(look(face(devargs + "," + more) + "queues = 2\n", eal)) == []
    # the cure has each key once
    f = found("error", "has 1 queues, 2 are needed", config=face("net_vhost0,queues=1,iface=%s/v" % WORK) + "queues = 2\n")
    assert "queues=1" not in f["cure"], f
    assert findings(look(face("net_null1") + "queues = 2\n")) == []


def case_pci():
    machine()
    pci = adapter("0000:01:00.0")
    found("error", "adapter a: there is no PCI device 0000:01:00.0", config=pci, cure="lspci")
    device("0000:01:00.0", driver="ixgbe")
    found("error", "0000:01:00.0 is bound to ixgbe, not to vfio-pci", config=pci,
          cure="echo vfio-pci > /sys/bus/pci/devices/0000:01:00.0/driver_override")
    f = findings(look(pci, eal=(*LCORES, "--no-pci")))
    assert any("--no-pci hides it" in x["cause"] and "--no-pci" not in x["cure"] for x in f), f
    machine()
    device("0000:01:00.0", driver="mlx5_core")
    assert findings(look(pci)) == [] and findings(look(adapter("01:00.0"))) == []
    machine()
    device("0000:01:00.0", driver=None)
    found("error", "0000:01:00.0 is bound to no driver", config=pci)
    for driver in ("uio_pci_generic", "igb_uio"):
        machine()
        os.chmod(TREE + "/dev/hugepages", 0o777)
        os.chmod(TREE + "/var/run/dpdk", 0o777)
        device("0000:01:00.0", driver=driver)
        assert findings(look(pci)) == []
        as_other("error", "is bound to %s, which only root may use" % driver, config=pci, cure="vnicd")


def case_pci_iommu():
    """What stands in VFIO's way is named before the driver: it cannot be bound until then."""
    pci = adapter("0000:01:00.0")
    cpu = "processor : 0\nvendor_id\t: %s"
    for maker, words, more in (("GenuineIntel", "ro quiet", True), ("AuthenticAMD", "ro quiet", False),
                               ("GenuineIntel", "ro intel_iommu=on", False)):
        machine()
        device("0000:01:00.0", driver="ixgbe", group=None)
        os.makedirs(TREE + "/sys/class/iommu")
        put("/proc/cpuinfo", cpu % maker)
        put("/proc/cmdline", words)
        f = findings(look(pci))
        assert f[0]["severity"] == "error" and "enable_unsafe_noiommu_mode" in f[0]["cure"], f
        assert "in no IOMMU group, the kernel has no IOMMU" in f[0]["cause"] and "any memory" in f[0]["effect"], f
        assert [x["severity"] for x in f[1:]] == ["notice"] * more, (maker, words, f)
        assert not more or "intel_iommu=on iommu=pt" in f[1]["cure"], f
        assert "driver_override" not in json.dumps(f), f
    put("/sys/class/iommu/dmar0/x")
    found("error", "in no IOMMU group$", config=pci)
    # with noiommu on the driver is next, then all is well for root
    shutil.rmtree(TREE + "/sys/class/iommu/dmar0")
    put("/sys/module/vfio/parameters/enable_unsafe_noiommu_mode", "Y")
    f = findings(look(pci))
    assert [x["severity"] for x in f] == ["notice", "error"] and "bound to ixgbe" in f[1]["cause"], f
    shutil.rmtree(TREE + "/sys/bus/pci")
    device("0000:01:00.0")
    os.rename(TREE + "/dev/vfio/7", TREE + "/dev/vfio/noiommu-7")
    put("/sys/bus/pci/iommu_groups/7/name", "vfio-noiommu")
    found("notice", "0000:01:00.0 has no IOMMU", config=pci)
    # CAP_SYS_RAWIO opens the group, CAP_SYS_ADMIN reads physical addresses: either alone is not enough
    for have, lacks in ((0, "cap_sys_rawio,cap_sys_admin"), (17, "cap_sys_admin"), (21, "cap_sys_rawio")):
        status(capabilities=1 << 14 | (1 << have if have else 0))
        f = findings(look(pci))
        assert [x["severity"] for x in f] == ["notice", "error"], f
        assert f[1]["cause"].startswith("0000:01:00.0 needs " + lacks), f
    device("0000:02:00.0", driver="mlx5_core", group=None)
    assert findings(look(adapter("0000:02:00.0"))) == []
    status()
    if os.getuid() == 0 and shutil.which("setpriv") is not None:
        os.chmod(WORK, 0o755)
        for name in ("/dev/hugepages", "/var/run/dpdk"):
            os.chmod(TREE + name, 0o777)
        os.chmod(TREE + "/dev/vfio/noiommu-7", 0o600)
        f = findings(look(pci, user=65534))
        assert [x["cause"] for x in f[1:]] == ["/dev/vfio/noiommu-7 may not be used by this user"], f
        assert "chown 65534:65534 /dev/vfio/noiommu-7" in f[1]["cure"], f
    put("/sys/module/vfio/parameters/enable_unsafe_noiommu_mode", "N")
    found("error", "in no IOMMU group", config=pci)


def case_pci_group():
    """Others of its group that the kernel has."""
    machine()
    pci = adapter("0000:01:00.0")
    for function, driver in enumerate(("vfio-pci", "vfio-pci", None, "pcieport", "pci-stub")):
        device("0000:01:00.%d" % function, driver=driver)
    assert findings(look(pci)) == []
    device("0000:01:00.6", driver="snd_hda_intel")
    f = found("error", r"IOMMU group 7 of 0000:01:00.0 is not viable: .* 0000:01:00.6 \(snd_hda_intel\)$", config=pci,
              cure="echo 0000:01:00.6 > /sys/bus/pci/devices/0000:01:00.6/driver/unbind")
    assert "01:00.1" not in f["cure"], f
    device("0000:01:00.7", driver="igb")
    nic("0000:01:00.7", "eth7", "0x1003")
    f = found("error", "0000:01:00.7 .igb.", config=pci)
    assert "eth7, which is up, and may cut this host off" in f["effect"] and "unbind" not in f["cure"], f


def case_pci_in_use():
    """No command is given that takes away what the host is reached by."""
    for deeper in ("", "/virtio0"):
        machine()
        pci = adapter("0000:01:00.0")
        device("0000:01:00.0", driver="ixgbe")
        nic("0000:01:00.0", "eth2", "0x1002", deeper)
        found("error", "is bound to ixgbe", config=pci, cure="driver/unbind")
        put("/sys/class/net/eth2/flags", "0x1003")
        f = found("error", "is bound to ixgbe", config=pci, cure="adapter a.port=net_af_packet_eth2,iface=eth2")
        assert "interface eth2, which is up, and may cut this host off" in f["effect"], f
        assert "unbind" not in f["cure"], f
        put("/sys/class/net/eth2/flags", "0x1002")
        put("/proc/net/route", "Iface\tDestination\neth2\t00000000")
        f = findings(look(pci))[0]
        assert "which has the default route" in f["effect"] and "unbind" not in f["cure"], f
        put("/proc/net/route")
        put("/proc/net/ipv6_route", " ".join(("0" * 32, "00", "0" * 32, "00", "fe80" + "0" * 28, "00000400",
                                              "00000001", "00000000", "00000003", "    eth2")))
        f = findings(look(pci))[0]
        assert "which has the default route" in f["effect"] and "unbind" not in f["cure"], f


def case_sockets():
    machine()
    path = WORK + "/s"
    for key, config in (("control", "[vnicd]\ncontrol = %s\n" % path + NULLS),
                        ("face f", face("net_vhost0,iface=" + path)),
                        ("face f", face("net_memif0,role=server,socket=%s,socket-abstract=no" % path)),
                        ("face f", face("net_virtio_user0,server=1,path=" + path))):
        eal = (*LCORES, "--single-file-segments")
        assert findings(look(config, eal)) == [], config
        with open(path, "w"):
            pass
        found("error", key + ".*is in use", config=config, eal=eal)
        assert os.path.exists(path)
        os.unlink(path)
    user = face("net_virtio_user0,path=" + path)
    found("error", "nobody listens on socket", config=user, eal=eal, cure="server=1")
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(path)
        s.listen()
        assert findings(look(user, eal)) == []
        found("warning", "hugepages without --single-file-segments", config=user)
        assert "--single-file" not in json.dumps(look(user, (*LCORES, "--no-huge", "-m", "256")))
    zero = face("net_memif0,role=client,socket=%s,socket-abstract=no,zero-copy=yes" % path)
    assert findings(look(zero, eal)) == []
    found("error", "face f: zero-copy=yes without --single-file-segments", config=zero, cure="--single-file-segments")
    f = next(f for f in findings(look(zero, (*LCORES, "--no-huge", "-m", "512"))) if f["subject"] == "face f")
    assert "zero-copy=yes and --no-huge" in f["cause"] and "--no-huge" not in f["cure"], f
    assert findings(look(zero.replace("client", "server"))) == []
    found("error", "net_virtio_user0 needs /dev/vhost-vdpa-0, which is not there", eal=eal,
          config=face("net_virtio_user0,path=/dev/vhost-vdpa-0"), cure="^modprobe -a vhost_net vhost_vdpa$")
    found("error", "control socket: /nonexistent/c: No such file", config="[vnicd]\ncontrol = /nonexistent/c\n" + NULLS,
          cure="--control /tmp/vnicd.control$")
    found("error", "control socket: /tmp/x*: too long; use a path of at most 107", cure="--control /tmp/vnicd.control$",
          config="[vnicd]\ncontrol = /tmp/%s\n" % ("x" * 120) + NULLS)
    found("error", "net_virtio_user0 needs /dev/vhost-net, which is not there", config=face("net_virtio_user0,path=/dev/vhost-net"), eal=eal,
          cure="modprobe vhost_net")


def case_many():
    """There is room for what sixteen faces lack, each in whole lines."""
    machine()
    config = NULLS.split("[face")[0] + "".join(
        "[face f%d]\nport = net_virtio_user%d,path=%s/no/%s%d\n" % (i, i, WORK, "s" * 60, i) for i in range(16))
    words = [x for i in range(16) for key in ("limit", "burst", "weight")
             for x in ("--set", "face f%d.%s=%d" % (i, key, i + 1))]
    answer = look(config, words=words)
    assert answer["errors"] == 16 and answer["warnings"] == 16 and len(findings(answer)) == 32, answer
    for f in findings(answer):
        assert "(no room)" not in json.dumps(f) and "f15.weight=16" in f["cure"], f


def case_files():
    machine()
    found("error", "face f: /nonexistent/x.pcap: No such file", config=face("net_pcap0,rx_pcap=/nonexistent/x.pcap"))
    found("error", "adapter a: /nonexistent: No such file", config=adapter("net_pcap0,tx_pcap=/nonexistent/x.pcap"),
          cure="^mkdir -p /nonexistent$")
    found("error", "adapter a: there is no interface eth9", config=adapter("net_pcap0,iface=eth9"))
    found("error", "adapter a: there is no interface eth9", config=adapter("net_pcap0,rx_iface=eth9,tx_iface=eth9"))
    assert findings(look(adapter("net_pcap0,rx_iface=eth1"))) == []
    for first in (b"\xd4\xc3\xb2\xa1", b"\xa1\xb2\xc3\xd4", b"\x4d\x3c\xb2\xa1", b"\x0a\x0d\x0d\x0a", b"none"):
        with open(WORK + "/x.pcap", "wb") as f:
            f.write(first + b"x" * 100)
        answer = findings(look(face("net_pcap0,rx_pcap=%s/x.pcap" % WORK)))
        assert [x["cause"] for x in answer] == ([WORK + "/x.pcap is no capture"] if first == b"none" else []), answer
    # what is to be written is not, and is not there afterwards
    for path in ("x.pcap", "y.pcap"):
        assert findings(look(face("net_pcap0,tx_pcap=%s/%s" % (WORK, path)))) == []
    assert os.path.getsize(WORK + "/x.pcap") == 104 and not os.path.exists(WORK + "/y.pcap")
    found("warning", "report: /nonexistent", config="[vnicd]\nreport = /nonexistent\n" + NULLS)
    found("error", "configuration: .*c.ini:6: unknown key 'deepth'", config=NULLS + "[plan]\ndeepth = 5\n")


def case_instance():
    machine()
    put("/var/run/dpdk/rte/config", "x" * 100)
    with open(TREE + "/var/run/dpdk/rte/config", "r+") as f:
        assert findings(look()) == []
        fcntl.lockf(f, fcntl.LOCK_EX | fcntl.LOCK_NB, 50)
        found("error", "file prefix: process %d runs with the file prefix rte" % os.getpid(), cure="--file-prefix rte2")
        assert findings(look(eal=(*LCORES, "--in-memory"))) == []


# ---- words ----

def text(*words, code=0):
    p = subprocess.run([VNICD, *words], capture_output=True, text=True, timeout=60, cwd=WORK,
                       env=dict(os.environ, VNICD_CHECK_ROOT=TREE))
    assert p.returncode == code and p.stderr == "", p
    return p.stdout.splitlines()


def case_words():
    machine()
    put("/sys/devices/system/cpu/isolated", "")
    with open(CONFIG, "w") as f:
        f.write(NULLS)
    bad = WORK + "/bad.ini"
    with open(bad, "w") as f:
        f.write("[adapter a]\n")
    # the machine alone
    lines = text("--check")
    assert lines[-1].startswith("vnicd would run: 0 errors"), lines
    # a configuration, by either way; graver findings first, and one line each
    for words in (("--check", CONFIG), ("--config", CONFIG, "--check"), ("-c", CONFIG, "--check")):
        lines = text(*LCORES, "--", *words)
        assert lines[-1] == "vnicd would run with %s: 0 errors, 0 warnings, 1 notice" % CONFIG, lines
        assert lines[0].startswith("notice   isolation: CPUs 3 ") and "; run: echo 'GRUB" in lines[0], lines
        assert all(line.startswith("ok ") for line in lines[1:-1]), lines
    lines = text(*LCORES, "--", "--check", CONFIG, bad, code=1)
    assert lines[-1].startswith("vnicd would not run with %s: 1 error," % bad), lines
    assert sum(line.startswith("vnicd would") for line in lines) == 2, lines
    assert any(line.startswith("error    configuration: " + bad) for line in lines), lines
    text(*LCORES, "--", "--check", bad, CONFIG, code=1)
    assert text("--check", WORK + "/none.ini", code=1)[-1].startswith("vnicd would not run")
    assert text("--check", CONFIG, "--nonsense", code=1)[0].startswith("error    configuration: command line: unknown")


def serve(config, eal=(), words=()):
    with open(CONFIG, "w") as f:
        f.write(config)
    return subprocess.run([VNICD, "--no-pci", "--no-huge", "-m", "128", "--file-prefix", PREFIX, *eal, "--", "-c", CONFIG, "--seconds",
                           "1", "--progress", "no", *words], capture_output=True, text=True, timeout=60, cwd=WORK,
                          env=dict(os.environ, VNICD_CHECK_ROOT=TREE))


def case_start():
    """A start tells what is found, by levels."""
    machine()
    cpus = sorted(os.sched_getaffinity(0))
    lcores = ("--lcores", "0@%d,1@%d,2@%d" % (cpus[0], cpus[0], cpus[-1]))
    status(cpus=",".join(map(str, cpus)))
    put("/sys/devices/system/cpu/isolated", "")
    notice = "vnicd: isolation: CPUs %d of data lcores are not isolated" % cpus[-1]
    p = serve(NULLS, lcores)
    assert p.returncode == 0 and notice not in p.stderr, p
    p = serve(NULLS, lcores, ("--log_level", "info"))
    assert p.returncode == 0 and notice in p.stderr, p
    p = serve(NULLS, ("--log-level=vnicd:info", *lcores))
    assert notice in p.stderr, p
    if len(cpus) < 2:
        skip("one CPU has no hyperthreads to share")
    for cpu in cpus:
        put("/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list" % cpu, ",".join(map(str, cpus)))
    status(cpus="0-3")
    put("/sys/devices/system/cpu/cpu62/topology/thread_siblings_list", "62")
    put("/sys/devices/system/cpu/cpu63/topology/thread_siblings_list", "63")
    put("/sys/devices/system/cpu/online", "0-1,62-63")
    status(cpus="0-1,62-63")
    warning = "vnicd: hyperthreads: data lcore 2 on CPU %d and control lcore 1 on CPU %d share a core" % (
        cpus[-1], cpus[0])
    p = serve(NULLS, lcores)
    assert p.returncode == 0 and warning in p.stderr and len(p.stderr.splitlines()) == 1, p
    p = serve(NULLS, ("--log-level=vnicd:error", *lcores))
    assert p.returncode == 0 and p.stderr == "", p


def case_levels():
    """EAL's --log-level wins over log_level."""
    machine()
    both = ("--lcores", "0@0")
    said = "lcore 0 does both data and control"
    assert said in serve(NULLS, both).stderr
    assert serve(NULLS, both, ("--log_level", "error")).stderr == ""
    assert serve("[vnicd]\nlog_level = error\n" + NULLS, both).stderr == ""
    assert said in serve(NULLS, (*both, "--log-level=vnicd:warning"), ("--log_level", "error")).stderr
    assert serve(NULLS, (*both, "--log-level=vnicd:error"), ("--log_level", "debug")).stderr == ""
    assert serve(NULLS, (*both, "--log-level", "error")).stderr == ""
    p = serve(NULLS, both, ("--log_level", "loud"))
    assert p.returncode == 1 and "log_level" in p.stderr and "error, warning, notice, info, debug" in p.stderr, p


def case_states():
    """One line for each state that an adapter comes to, and what goes on from there; one for each reset of its
    own, and for a port that has gone."""
    library = os.environ.get("GONE_LIB")
    if library is None:
        skip("GONE_LIB is not set; it names gone.c's library, by which ports go")
    machine()
    control = WORK + "/control"
    with open(CONFIG, "w") as f:
        f.write("[vnicd]\nlog_level = info\ncontrol = %s\n" % control + NULLS +
                "adapter = a\n[adapter full]\nport = net_ring0\nhang_s = 1\n"
                "[face g]\nport = net_null2\nadapter = full\nreceive = no\n")
    p = subprocess.Popen([VNICD, "--no-pci", "--no-huge", "-m", "128", "--file-prefix", PREFIX, "--", "-c", CONFIG], cwd=WORK,
                         stdout=subprocess.DEVNULL, stderr=open(WORK + "/err", "w"),
                         env=dict(os.environ, LD_PRELOAD=library, GONE=WORK + "/gone"))
    started.append(p)

    def until(n, last, of="a: "):
        deadline = time.time() + 60
        while True:
            lines = [x for x in open(WORK + "/err").read().splitlines() if x.startswith("vnicd: adapter " + of)]
            if len(lines) >= n:
                break
            assert p.poll() is None and time.time() < deadline, lines
            time.sleep(0.05)
        assert lines[n - 1] == "vnicd: adapter " + of + last, lines

    until(1, "Running")
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(control)
        answers = s.makefile("r")
        for n, (word, last) in enumerate((("pause", "Paused; what is sent comes back until: restart"),
                                          ("restart", "Running"), ("stop", "Halted; to use it again: start"))):
            s.sendall(word.encode() + b" a\n")
            answers.readline()
            until(n + 2, last)
        # the rest is told at the level that it has by itself
        for line in (b"set log.vnicd notice\n", b"start a\n"):
            s.sendall(line)
            assert '"SUCCESS"' in answers.readline()
        until(1, "took nothing for hang_s = 1: what was queued was taken back, and it was reset; see to who reads "
              "there, or give it a longer hang_s", "full: its port ")
        open(WORK + "/gone", "w").close()
        until(5, "Halted: its port has gone; bring its device back, then start, or start vnicd again")
    p.send_signal(signal.SIGINT)
    assert p.wait(60) == 0


# ---- this machine ----

def real(eal, words=()):
    env = {k: v for k, v in os.environ.items() if k != "VNICD_CHECK_ROOT"}
    p = subprocess.run([VNICD, *eal, "--", "--check", CONFIG, "--json", *words], capture_output=True, text=True,
                       timeout=60, cwd=WORK, env=env)
    return json.loads(p.stdout)


def case_real():
    """What it says would run does, with as little memory as it says; and not beside itself."""
    three = ("--lcores", subprocess.check_output(
        ["bash", "-c", ". %s/app/setup.sh; lcore_map 1" % ROOT], text=True))
    for config in (NULLS,
                   NULLS.replace("[face", "depth = 65536\n[face"),
                   NULLS.replace("[face f]", "local = yes\n[face f]\nmac = 02:00:00:00:00:01\nnbl_packets = 8")
                   + "[face g]\nport = net_null2\nmac = 02:00:00:00:00:02\n",
                   NULLS.replace("port = net_null0,no-rx=1", "port = net_null0,no-rx=1\nmtu = 9000")
                   + "[adapter b]\nlower = a\n[face h]\nadapter = b\nport = net_null3\n"):
        if "[adapter b]" in config:
            config = config.replace("port = net_null1", "port = net_null1\nadapter = a")
        with open(CONFIG, "w") as f:
            f.write(config)
        eal = ("--no-pci", "--no-huge", "--file-prefix", PREFIX, *three)
        answer = real((*eal, "-m", "8"))
        need = [re.search(r"about (\d+)", f["cause"])[1] for f in findings(answer) if f["subject"] == "memory"]
        assert not answer["runs"] and len(need) == 1, answer
        assert real((*eal, "-m", need[0]))["runs"]
        p = run(VNICD, *eal, "-m", need[0], "--", "-c", CONFIG, "--seconds", "1")
        print(need, p.stdout.splitlines()[-1:], p.stderr)
        assert p.returncode == 0, p
        p = run(VNICD, *eal, "-m", str(int(need[0]) // 3), "--", "-c", CONFIG, "--seconds", "1")
        assert p.returncode == 1, ("far more was asked for than it needs", need, p)
    with open(CONFIG, "w") as f:
        f.write(NULLS)
    p = subprocess.Popen([VNICD, *eal, "-m", "128", "--", "-c", CONFIG, "--progress", "yes"], cwd=WORK,
                         stdout=open(WORK + "/out", "w"), stderr=subprocess.DEVNULL)
    started.append(p)
    deadline = time.time() + 60
    while " 1 s " not in open(WORK + "/out").read():
        assert p.poll() is None and time.time() < deadline
        time.sleep(0.05)
    f = [f for f in findings(real((*eal, "-m", "128"))) if f["subject"] == "file prefix"]
    assert len(f) == 1 and "process %d runs with" % p.pid in f[0]["cause"], f
    p.send_signal(signal.SIGINT)
    assert p.wait(60) == 0
    assert real((*eal, "-m", "128"))["runs"]


def wanted(adapters, faces, more=""):
    """A configuration of so many, and the MiB that --check says it takes."""
    config = "".join("[adapter a%d]\nport = net_null%d,no-rx=1\n%s" % (i, i, more) for i in range(adapters))
    config += "".join("[face f%d]\nadapter = a%d\nport = net_null%d,no-rx=1\n" % (i, i % adapters, adapters + i)
                      for i in range(faces))
    machine()
    pages(0, 0, 0)
    return config, int(re.search("about ([0-9]+) are needed", findings(look(config))[0]["cause"])[1])


def case_hosts():
    """The README's hosts want nothing, as they are set up there; and its figures are --check's."""
    with open(ROOT + "/README.md") as f:
        readme = f.read()
    rows = re.findall(r"^\| (\d+) CPUs(?:, (\d) nodes)? \| (\d+) \| (\d+) \| (none|[\d,-]+) \| `([^`]+)` \|$", readme, re.M)
    assert [int(row[0]) for row in rows] == [2, 4, 8, 16, 64], rows
    for cpus, nb_nodes, adapters, nb_pages, isolated, words in rows:
        cpus, nb_nodes, adapters = int(cpus), int(nb_nodes or 1), int(adapters)
        machine()
        all_cpus = "0-%d" % (cpus - 1)
        put("/sys/devices/system/cpu/online", all_cpus)
        status(cpus=all_cpus)
        for name in ("isolated", "nohz_full"):
            put("/sys/devices/system/cpu/" + name, isolated.replace("none", ""))
        for cpu in range(cpus):
            at = "/sys/devices/system/cpu/cpu%d/" % cpu
            put(at + "topology/thread_siblings_list", str(cpu))
            put(at + "cpufreq/scaling_governor", "performance")
        nodes(["%d-%d" % (cpus * n // nb_nodes, cpus * (n + 1) // nb_nodes - 1) for n in range(nb_nodes)])
        for n in range(nb_nodes):
            pages(n, int(nb_pages), int(nb_pages))
        # each port is a device on the node of its lcore: main, control, and those of data
        data = [1] if isolated == "none" else [cpu for part in words.split()[1].split(",") for cpu in
                                               range(int(part.split("-")[0]), int(part.split("-")[-1]) + 1)][2:]
        assert len(data) == adapters, (data, words)
        config = ""
        for i, cpu in enumerate(data):
            device("0000:%02x:00.0" % (i + 1), group=str(i + 1), node=cpu * nb_nodes // cpus)
            config += "[adapter a%d]\nport = 0000:%02x:00.0\n" % (i, i + 1)
            config += "[face f%d]\nadapter = a%d\nport = net_null%d\n" % (i, i, i)
        got = findings(look(config, tuple(words.split())))
        assert [f["subject"] for f in got] == ["isolation"] * (isolated == "none"), (words, got)
        print("%d CPUs, %d adapters: well" % (cpus, adapters))
    base, adapter_pages, face_pages, kib = map(int, re.search(
        r"vnicd takes (\d+) pages, an adapter with one face (\d+), each further face (\d+) \(.* `depth`: (\d+) KiB", readme).groups())
    one, two, further = wanted(1, 1)[1], wanted(2, 2)[1], wanted(1, 5)[1]
    deep = (wanted(1, 1, "depth = 65536\n")[1] - one) * 1024 / (65536 - 4096)
    print("MiB:", one, two - one, (further - one) / 4, "KiB:", deep)
    for said, is_ in ((2 * (base + adapter_pages), one), (2 * adapter_pages, two - one), (2 * face_pages, (further - one) / 4)):
        assert 0.9 * said < is_ <= said + 1, (said, is_)
    assert round(deep) == kib, deep


def case_pages():
    """As many pages as it says are enough."""
    config, mib = wanted(4, 5)
    with open("/proc/meminfo") as f:
        meminfo = dict(re.findall(r"(\w+): +(\d+)", f.read()))
    if meminfo.get("Hugepagesize") != "2048" or int(meminfo["HugePages_Free"]) * 2 < mib:
        skip("needs %d MiB of free hugepages: echo 512 > /proc/sys/vm/nr_hugepages" % mib)
    with open(CONFIG, "w") as f:
        f.write(config)
    p = run(VNICD, "--no-pci", "--in-memory", "--socket-limit", str(mib + mib % 2), "--file-prefix", PREFIX, "--lcores",
            subprocess.check_output(["bash", "-c", ". %s/app/setup.sh; lcore_map 1" % ROOT], text=True).strip(),
            "--", "-c", CONFIG, "--seconds", "1")
    assert p.returncode == 0, (mib, p)


def agree(n, pattern, config=NULLS, eal=(), before=(), cure=r"\S"):
    """What --check finds is what a start fails at: the same exit code, one line, no core dump."""
    path, prefix = "%s/%d.ini" % (WORK, n), "%s-%d" % (PREFIX, n)
    with open(path, "w") as f:
        f.write(config)
    env = {k: v for k, v in os.environ.items() if k != "VNICD_CHECK_ROOT"}
    both = []
    for words in (("--check", path, "--json"), ("-c", path, "--seconds", "1")):
        command = [*before, VNICD, "--no-pci", "--no-huge", "-m", "64", "--file-prefix", prefix, *eal, "--", *words]
        both.append(subprocess.run(command, capture_output=True, text=True, timeout=100, cwd=WORK, env=env))
    (out, said), (printed, why) = [(p.stdout, p.stderr) for p in both]
    assert said == "" and printed == "" and why.startswith("vnicd: ") and why.count("\n") == 1, (pattern, said, printed, why)
    errors = [f for f in findings(json.loads(out)) if f["severity"] == "error"]
    assert [p.returncode for p in both] == [1, 1], (pattern, both, errors, why)
    lines = ["%s: %s" % (f["subject"], f["cause"]) for f in errors]
    assert len(lines) == 1 and re.search(pattern, lines[0]), (pattern, lines, why)
    assert re.search(cure, errors[0]["cure"]) and run("sh", "-nc", errors[0]["cure"]).returncode == 0, errors
    print("%s | %s | %s" % (lines[0], why.strip(), errors[0]["cure"]))
    if errors[0]["cure"].startswith("export "):
        p = subprocess.run([*before, "sh", "-c", errors[0]["cure"] + ' && exec "$@"', "sh", VNICD, "--no-huge", "-m", "64",
                            "--no-pci", "--", "--check", path], capture_output=True, text=True, env=dict(env, TMPDIR=WORK))
        assert p.returncode == 0, p


def case_agree():
    """The exit code says whether it would run, whatever is broken."""
    scenes = [(pattern, {"config": face(port), "cure": cure[0] if cure else r"\S"}) for port, pattern, *cure in (
        ("net_nonsense0", "face f: DPDK has no driver for a device net_nonsense0$"),
        ("net_null1,sise=64", "net_null has no key 'sise'"),
        ("net_af_packet0", "net_af_packet0 has no iface=VALUE", "net_af_packet0,iface=eth0"),
        ("net_af_packet0,iface", "iface has no value"),
        ("net_af_packet0,iface=nothere0", "there is no interface nothere0"),
        ("net_vhost0", "net_vhost0 has no iface=VALUE", "net_vhost0,iface=/tmp/net_vhost0.sock"),
        ("net_vhost0,iface=/nonexistent/s", "socket /nonexistent/s: No such file"),
        ("net_virtio_user0", "net_virtio_user0 has no path=VALUE", "path=/tmp/net_virtio_user0.sock,server=1"),
        ("net_virtio_user0,path=%s/nobody" % WORK, "nobody listens"),
        ("net_memif0,role=serve", "role=serve is not a choice"),
        ("net_memif0,role=server,socket=%s" % PREFIX, "socket %s: is in use" % PREFIX,
         "role=server,socket=/tmp/net_memif0.sock'"),
        ("net_memif0,role=server,socket=/nonexistent/m,socket-abstract=no", "socket /nonexistent/m: No such file"),
        ("net_tap0,iface=sixteen-letters-", "iface=sixteen-letters- cannot be an interface's name"),
        ("net_pcap0,infinite_rx=1", "net_pcap0 has no tx_pcap=VALUE", "infinite_rx=1,tx_pcap=/tmp/net_pcap0.pcap"),
        ("net_pcap0,rx_pcap=/nonexistent.pcap", "/nonexistent.pcap: No such file"),
        ("net_pcap0,rx_pcap=/dev/../etc/passwd", "passwd is no capture", r"-w \S*passwd.pcap$"),
        ("net_pcap0,rx_pcap=" + WORK, WORK + " is no capture"),
        ("net_pcap0,tx_pcap=/proc/x.pcap", "/proc/x.pcap: No such file", "net_pcap0,tx_pcap=/tmp/net_pcap0.pcap"),
        ("net_pcap0,tx_pcap=" + WORK, WORK + ": Is a directory"),
        ("net_pcap0,tx_iface=nothere0", "there is no interface nothere0"))]
    # who may use the control socket
    control = "[vnicd]\ncontrol = %s/%s\ncontrol_%s\n"
    for pattern, config, cure in (
            ("control_operators = nobody-here: no user 'nobody-here' here", control % (WORK, 1, "operators = nobody-here"),
             "--control_operators root$"),
            ("control_readers = @nobody-here: no group", control % (WORK, 2, "readers = @nobody-here"), "root$"),
            ("there is none, and control_readers = root", "[vnicd]\ncontrol_readers = root\n",
             "--control /tmp/vnicd.control"),
            ("control socket: /nonexistent/s: No such file", "[vnicd]\ncontrol = /nonexistent/s\n", "--control /tmp")):
        scenes.append((pattern, {"config": config + NULLS, "cure": cure}))
    # EAL's arguments: what it does not take is left out
    for eal, pattern, cure in (
            (("--nonsense",), "EAL's arguments: .*unrecognized option '--nonsense'", "--file-prefix [^ ]* -- "),
            (("-l", "foo", "--no-telemetry"), "EAL's arguments: invalid core list",
             "--file-prefix [^ ]* --no-telemetry -- "),
            (("-l", "0", "--main-lcore", "5"), "EAL's arguments: Main lcore is not enabled", " -l 0 -- "),
            (("--socket-mem", "64"), "-m and --socket-mem cannot be specified", "-m 64 --file-prefix [^ ]* -- "),
            (("-d", "/nonexistent.so"), "/nonexistent.so: cannot open", "--file-prefix [^ ]* -- "),
            (("-l",), "requires an argument", "--file-prefix [^ ]* -- "),
            (("--vdev", "net_nonsense0"), "DPDK has no driver for a device net_nonsense0", "^ls /"),
            (("-l", "0,99"), "CPUs: lcores are to have 99", "--lcores")):
        scenes.append((pattern, {"eal": eal, "cure": cure}))
    scenes.append(("its memory is to be on node 5", {"config": adapter("net_null0,no-rx=1", "numa_node = 5\n")}))
    # root with fewer rights
    if os.getuid() == 0 and run("unshare", "--net", "true").returncode == 0:
        for right, port, pattern in (("+net_raw", "net_af_packet0,iface=lo", "needs cap_net_admin"),
                                     ("+net_admin", "net_pcap0,iface=lo", "needs cap_net_raw")):
            few = "-all," + right
            scenes.append((pattern, {"config": face(port), "before": (
                "unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh", "setpriv", "--inh-caps", few,
                "--bounding-set", few, "--ambient-caps", few)}))
    hide = "mount -t tmpfs -o ro tmpfs /var/run"
    if os.getuid() == 0 and run("unshare", "--mount", "sh", "-c", hide).returncode == 0:
        scenes.append(("runtime folder: /var/run/dpdk/.* may not be written", {"cure": "^export RUNTIME_DIRECTORY=", "before": (
            "unshare", "--mount", "sh", "-c", hide + ' && exec "$@"', "sh")}))
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as s, ThreadPoolExecutor(4) as pool:
        s.bind("\0" + PREFIX)
        list(pool.map(lambda n: agree(n, scenes[n][0], **scenes[n][1]), range(len(scenes))))
    assert not os.path.exists("/proc/x.pcap")


def case_namespace():
    """An interface is looked for where this process is, not where /sys was mounted."""
    if os.getuid() != 0 or run("unshare", "--net", "true").returncode != 0:
        skip("needs root, and network namespaces, for interfaces of its own")
    host = [name for name in os.listdir("/sys/class/net") if name not in ("lo", "vdoc0", "vdoc1")]

    def inside(name, before=()):
        with open(CONFIG, "w") as f:
            f.write(adapter("net_af_packet0,iface=" + name))
        script = ["ip link add vdoc0 type veth peer name vdoc1", "ip link set vdoc0 up", *before,
                  "exec %s --no-pci --no-huge -m 512 -- --check %s --json" % (VNICD, CONFIG)]
        p = run("unshare", "--net", "sh", "-c", " && ".join(script))
        assert p.stdout.startswith("{"), p
        return [f for f in json.loads(p.stdout)["findings"] if f["subject"] == "adapter a"]

    def cause(name, before=()):
        return ["%s %s" % (f["severity"], f["cause"]) for f in inside(name, before)]

    assert cause("vdoc0") == ["warning interface vdoc0 has no carrier"], cause("vdoc0")
    assert cause("vdoc1") == ["warning interface vdoc1 is down"], cause("vdoc1")
    for name in host[:1]:
        assert cause(name) == ["error there is no interface " + name], cause(name)
    for name in ("vdoc9", "vdoc9-as-longest"[:15]):
        f = inside(name)
        assert f[0]["cause"] == "there is no interface " + name, f
        assert cause(name, (f[0]["cure"],)) == ["ok interface %s is up" % name], (f, cause(name, (f[0]["cure"],)))


main(globals())
