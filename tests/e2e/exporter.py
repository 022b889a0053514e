#!/usr/bin/env -S python3 -B
# SPDX-License-Identifier: BSD-3-Clause
# exporter.py - vnic-exporter beside a running vnicd: its text, its values, its table, its errors
# usage: exporter.py VNICD CASE EXPORTER FOLDER      CASE: a function case_... below; promtool is kept in FOLDER
import glob
import importlib.machinery
import importlib.util
import json
import os
import re
import shutil
import socket
import struct
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request

import debian
import hosts
import programs
from hosts import PREFIX, ROOT, WORK, main, run
from programs import Daemon, capture, until

EXPORTER, FOLDER = (os.path.abspath(a) for a in sys.argv[3:5])
CONFIG = """[adapter a]
port = net_null0,no-rx=1
packets_per_s = 20k
local = yes
[adapter b]
port = net_null1,no-rx=1
packets_per_s = 1k
[face f]
port = net_null2
adapter = a
id = vlan 3, constant 7
mac = 02:00:00:00:00:01
[face g]
port = net_null3,no-rx=1
adapter = a
mac = 02:00:00:00:00:02
[face h]
port = net_null4
adapter = b
receive = no
[plan]
adapter = a
cancels_per_s = 100
"""
UNEXPORTED = {"rejected_nbls", "rejected_packets"}


def command(*more):
    return ["env", "XDG_RUNTIME_DIR=" + WORK, sys.executable, "-B", EXPORTER, "--file-prefix", PREFIX, *more]


def load():
    """Its tables and functions."""
    loader = importlib.machinery.SourceFileLoader("exporter", EXPORTER)
    exporter = importlib.util.module_from_spec(importlib.util.spec_from_loader("exporter", loader))
    loader.exec_module(exporter)
    return exporter


def start(*more):
    """An exporter on a port that the kernel chooses, and where it is."""
    log = WORK + "/exporter"
    p = subprocess.Popen(command("--listen", "127.0.0.1:0", *more), stdout=open(log + ".out", "w"),
                         stderr=open(log + ".err", "w"))
    p.label, p.files = "vnic-exporter", (log + ".out", log + ".err")
    hosts.started.append(p)
    until(lambda: open(log + ".out").read().endswith("/metrics\n"), "it does not begin", alive=(p,))
    return p, re.search(r"http://127\.0\.0\.1:\d+/metrics", open(log + ".out").read())[0]


def get(url):
    with urllib.request.urlopen(url, timeout=30) as r:
        assert r.headers["Content-Type"].startswith("text/plain; version=0.0.4"), r.headers
        return r.read().decode()


def parse(text):
    """{(name, labels): value} and {metric: kind}; each line must be one of the format's."""
    values, kinds, now = {}, {}, None
    assert text.endswith("\n")
    for line in text.splitlines():
        if m := re.fullmatch(r"# HELP (vnic_\w+) (\S.*)", line):
            assert m[1] not in kinds, "lines of a metric stand together: " + line
            now = m[1]
        elif m := re.fullmatch(r"# TYPE (vnic_\w+) (counter|gauge|summary|histogram)", line):
            assert m[1] == now, line
            kinds[now] = m[2]
        else:
            m = re.fullmatch(r'(vnic_\w+)(?:\{((?:\w+="(?:[^"\\]|\\[\\n"])*",?)+)\})? (\d+(?:\.\d+)?)', line)
            assert m, line
            more = {"summary": "_(sum|count)$", "histogram": "_(sum|count|bucket)$"}.get(kinds[now], "$")
            name = re.sub(more, "", m[1])
            assert name == now and (kinds[now] == "counter") == name.endswith("_total"), line
            key = m[1], tuple(sorted(re.findall(r'(\w+)="([^"]*)"', m[2] or "")))
            assert key not in values, line
            values[key] = float(m[3])
    return values, kinds


def value(values, name, **labels):
    return values["vnic_" + name, tuple(sorted(labels.items()))]


def histogram_is(exporter, values, answer, **labels):
    """Its buckets are the daemon's, which are at rest."""
    assert all(exporter.find("histogram", key)[0] for key in answer), answer
    of = {dict(key)["le"]: v for (name, key), v in values.items()
          if name == "vnic_cancel_duration_seconds_bucket" and set(labels.items()) < set(key)}
    assert len(of) == len(exporter.BORDERS) + 1 and list(of.values()) == sorted(of.values()), of
    for border in exporter.BORDERS:
        # none of the daemon's buckets lies on both sides
        assert not [low for low, high in zip(answer["low_ns"], answer["high_ns"]) if low < border <= high]
        below = sum(n for low, n in zip(answer["low_ns"], answer["counts"]) if low < border)
        assert of["%.9f" % (border / 1e9)] == below, (border, of, answer)
    assert of["+Inf"] == value(values, "cancel_duration_seconds_count", **labels) == answer["count"], (of, answer)
    assert abs(value(values, "cancel_duration_seconds_sum", **labels) * 1e9 - answer["sum_ns"]) < 1, answer


def case_values():
    """Every key of every answer is exported, with the value that telemetry has; the dashboards know the names."""
    d = Daemon(CONFIG)
    _, url = start()
    until(lambda: d.query("stats,a")["aborted_packets"] > 0, "nothing is cancelled")
    assert d.ask("pause a")["status"] == d.ask("pause b")["status"] == "SUCCESS"
    assert d.ask("capture start %s/x.pcapng" % WORK)["capture"] == "on"
    d.ask("stop a"), d.ask("stop b")  # the plan finds nothing any more, and what the faces get comes back at once
    exporter, asked = load(), set()
    low, (values, kinds), high = {}, (None, None), {}
    owners = {q: ("a", "b") for q in exporter.OF_ADAPTERS}
    owners.update({q: ("",) for q in exporter.OF_VNICD})
    owners.update({q: ("f", "g") if q == "receive" else ("f", "g", "h") for q in exporter.OF_FACES})
    faces = {f: a for a in d.query("list") for f in d.query("faces," + a)}
    assert faces == {"f": "a", "g": "a", "h": "b"}, faces

    def all_of():
        return {(q, o): d.query(q + (o and "," + o)) for q in owners for o in owners[q]}
    low = all_of()
    values, kinds = parse(get(url))
    high = all_of()
    compared = 0
    for (query, owner), answer in low.items():
        for key, was in answer.items():
            m, rule = exporter.find(query, key)
            assert m is not None, "/vnic/%s has %s, the exporter's table has not" % (query, key)
            asked.add(m)
            if m.name is None:
                continue
            labels = {} if owner == "" else {"adapter": owner} if owner in "ab" else \
                {"adapter": faces[owner], "face": owner}
            labels.update(m.labels)
            if rule:
                labels["rule"] = rule
            now = high[query, owner][key]
            if isinstance(was, str):
                assert values[m.name, tuple(sorted({**labels, m.key: now}.items()))] == 1, m.name
                continue
            name = m.name
            if m.kind == "summary" and "quantile" not in labels:
                name += "_count" if key.endswith("_count") else "_sum"
            got = values[name, tuple(sorted(labels.items()))]
            scale = 1e9 if key.endswith("_ns") else 1
            if key == "spare":  # it comes and goes
                assert 0 <= got <= high[query, owner]["buffers"], got
                continue
            # what still moves lies between what it was before and after
            assert min(was, now) - 1 <= got * scale <= max(was, now) + 1, (name, labels, was, got, now)
            compared += 1
    for adapter in "ab":
        for phase in exporter.PHASES:
            histogram_is(exporter, values, d.query("histogram,%s,%s" % (adapter, phase)), adapter=adapter, phase=phase)
    never = {m for m in exporter.TABLE if m.query not in exporter.OF_PHASES} - asked
    never.remove(exporter.find("capture_status", "reason")[0])
    assert value(values, "capture_state", capture="on") == 1 and value(values, "captured_packets_total") > 0
    assert not never, [(m.query, m.key) for m in never]
    print("%d values of %d metrics compared" % (compared, len(kinds)))
    for adapter in "ab":
        for u in "nbls", "packets":
            reasons = sum(v for (n, _l), v in values.items()
                          if n == "vnic_rejected_%s_total" % u and ("adapter", adapter) in _l)
            assert low["stats", adapter]["rejected_" + u] <= reasons <= high["stats", adapter]["rejected_" + u]
    assert value(values, "up") == 1

    given_with_it(values)
    hosts.Daemon.end(d)


# ---- the rules and the dashboard that are given with it ----

def rules():
    """[(expression, text)] of the alerts."""
    text = open(ROOT + "/config/prometheus/rules.yml").read()
    return [re.search(r"expr: (?:>\n)?(.*?)\n {8}\w+:(.*)", alert, re.S).groups()
            for alert in re.split(r"^ +- alert: ", text, flags=re.M)[1:]]


def panels():
    """[(expression, text)] of the dashboard."""
    board = json.load(open(ROOT + "/config/grafana/vnic.json"))
    found = [(t["expr"], t["legendFormat"]) for p in board["panels"] for t in p["targets"]]
    for v in board["templating"]["list"]:
        if m := isinstance(v["query"], dict) and re.fullmatch(r"label_values\((\w+), (\w+)\)", v["query"]["query"]):
            found.append((m[1], "{{%s}}" % m[2]))
    return found


def given_with_it(values):
    """They use metrics that there are, with labels and values of labels that these have."""
    samples = {}
    for name, labels in values:
        samples.setdefault(name, []).append(dict(labels))
    used = set()
    for expression, text in rules() + panels():
        there = {"instance"}  # Prometheus' own
        for name, matchers in re.findall(r"\b(vnic_\w+)(?:\{(.*?)\})?", expression):
            assert name in samples, "there is no " + name
            used.add(name)
            there |= {label for s in samples[name] for label in s}
            for label, how, wanted in re.findall(r'(\w+)(=~?)"(.*?)"', matchers):
                for part in wanted.split("|") if wanted != "$adapter" else [".*"]:
                    assert any(re.fullmatch(part, s.get(label, "")) for s in samples[name] if label in s), \
                        (name, label, part)
        if groups := re.findall(r"\bby \((.*?)\)", expression):
            kept = set(", ".join(groups).split(", "))
            assert kept <= there, (expression, kept - there)
            there = kept
        told = set(re.findall(r"\{\{ *(?:\$labels\.)?(\w+) *\}\}", text))
        assert told <= there, (expression, text, told - there)
    assert len(used) > 15, used


def promtool():
    """Prometheus' own judge; its package begins a service when it is installed, so that it is not."""
    if there := shutil.which("promtool"):
        return there
    if not os.path.exists(FOLDER + "/promtool"):
        package = debian.download(FOLDER, lambda options: "prometheus")
        if package is None:
            hosts.skip("no promtool here, nor can it be had: apt-get download prometheus")
        hosts.must("sh", "-c", "dpkg-deb --fsys-tarfile %s | tar -xO ./usr/bin/promtool >%s/unpacked" % (package, FOLDER))
        os.chmod(FOLDER + "/unpacked", 0o755)
        os.rename(FOLDER + "/unpacked", FOLDER + "/promtool")
        debian.tidy(FOLDER, "promtool")
    return FOLDER + "/promtool"


def case_promtool():
    """Rules, configuration, the dashboard's expressions and the text are as Prometheus wants them."""
    tool, d = promtool(), Daemon(CONFIG)
    with open(WORK + "/board.yml", "w") as f:
        f.write("groups:\n- name: board\n  rules:\n")
        for i, (expression, _) in enumerate(panels()):
            f.write("  - record: board:%d\n    expr: '%s'\n" % (i, expression.replace("$adapter", "a")))
    for check in ("rules", ROOT + "/config/prometheus/rules.yml"), ("config", ROOT + "/config/prometheus/prometheus.yml"), \
            ("rules", WORK + "/board.yml"):
        p = run(tool, "check", *check)
        print(p.stdout.splitlines()[-2:])
        assert p.returncode == 0 and p.stderr == "", p
    text = run(*command("--once")).stdout
    p = subprocess.run([tool, "check", "metrics"], input=text, capture_output=True, text=True)
    assert p.returncode == 0, p
    hosts.Daemon.end(d)


# ---- other answers ----

def fields():
    """{(query, key): field}, {(of a face, name of xstats): field}: what each shows, as the sources have it. What is 0
    in a run cannot tell two of them apart."""
    asked, named = {}, {}
    text = "".join(open(path).read() for path in glob.glob(ROOT + "/app/vnicd/query*.c"))
    for function, body in re.findall(r"^(?:static )?void (?:query_)?(\w+)\(.*?\n\{\n(.*?)^\}", text, re.M | re.S):
        query = "stats" if function == "say_received" else function
        for key, field in re.findall(r'answer_u64\(a, "(\w+)", \w+\.(\w+)\)', body):
            asked[query, key] = field
        for key, field in re.findall(r'say_count\(a, "(\w+)", &s\.(\w+)\)', body):
            asked[query, key + "_packets"] = field + ".packets"
    text = open(ROOT + "/app/vnicd/xstats.c").read()
    for table, body in re.findall(r"^static const struct name (\w+)\[\] = \{\n(.*?)^\};", text, re.M | re.S):
        prefix = "rx_" if re.match("rx|face_up|receiver", table) else "tx_"
        for name, field in re.findall(r'[A-Z]+\("(\w+)", ([\w.]+)\)', body):
            named[table not in ("tx", "rx"), prefix + name] = field
    return asked, named


def case_xstats():
    """All the counts under DPDK's names, of an adapter and of its faces, when nothing moves any more."""
    demo, exporter = "rx_pcap=%s/config/demo.pcap" % ROOT, load()
    d = Daemon("[adapter b]\nport = net_null0,no-rx=1\n[face h]\nport = net_null1,no-rx=1\nadapter = b\nreceive = no\n"
               "[adapter a]\nport = net_pcap0,%s,tx_pcap=%s/a.pcap\npackets_per_s = 1k\n"
               "[face f]\nport = net_pcap1,%s,tx_pcap=%s/f.pcap\nadapter = a\nid = vlan 3, port 53, constant 7\n"
               "promiscuous = yes\nlimit = 100\ncancel_limit = 1\n"
               "[face g]\nport = net_null2,no-rx=1\nadapter = a\nreceive_depth = 64\nmac = 02:00:00:00:00:02\n"
               % (demo, WORK, demo, WORK))
    for _ in range(3):
        d.ask("cancel a face f")
        d.ask("cancel_flow f udp 10.0.0.1 9 10.0.0.2 9 vlan 3")
    until(lambda: d.query("share,f")["received"] > 100, "nothing is sent")
    d.ask("set adapter a.packets_per_s 0")
    frames = sum(1 for _ in capture(ROOT + "/config/demo.pcap"))

    def rests():
        s, f, r = d.query("stats,a"), d.query("share,f"), [d.query("receive," + face) for face in "fg"]
        return s["rx_received"] == f["received"] == f["completed"] == frames and \
            sum(x["delivered"] for x in r) == s["rx_offered"]
    until(rests, lambda: (d.query("stats,a"), d.query("share,f"), d.query("receive,f"), d.query("receive,g")))

    asked, named = fields()
    for of, names in ("a", exporter.XSTATS_ADAPTER), ("f", {**exporter.XSTATS_FACE, **exporter.XSTATS_FACE_ALONE}), \
            ("g", {**exporter.XSTATS_FACE, **exporter.XSTATS_FACE_ALONE}):
        names = {n: (q, of, k) for n, (q, k) in names.items()}
        for name, (query, _, key) in names.items():
            if key != "rule_N_packets":
                assert named[of != "a", name] == asked[query, key], (name, named[of != "a", name], query, key)
        if of == "a":
            for i, face in enumerate(d.query("faces,a")):
                names.update({n[:3] + "q%d_" % i + n[3:]: (q, face, k) for n, (q, k) in exporter.XSTATS_FACE.items()})
        _, _, rule = names.pop("tx_rule_N_packets", (None, None, None))
        for i in range(len([k for k in d.query("ids," + of) if k.endswith("_packets")]) - 1 if rule else 0):
            names["tx_rule_%d_packets" % (i + 1)] = "ids", of, "rule_%d_packets" % (i + 1)
        x = d.query("xstats," + of)
        assert set(x) == set(names), set(x) ^ set(names)
        for name, (query, owner, key) in names.items():
            assert x[name] == d.query("%s,%s" % (query, owner))[key], (name, query, owner, key)
        print(of, "%d names, not 0: %s" % (len(x), {n: v for n, v in x.items() if v > 0}))
    s, r, f = d.query("stats,a"), d.query("receive,f"), d.query("share,f")
    assert r["offered"] == sum(r[k] for k in ("queue_full", "no_memory", "flushed", "queued", "taken")) > 0, r
    assert r["taken"] == r["returned"] + r["unreturned"] and r["indicated"] == r["delivered"] + r["dropped"] + r["held"], r
    assert f["received"] - f["dropped"] == f["completed"] == sum(f[k] for k in ("sent", "aborted", "rejected")) > 0, f
    assert f["limited"] > 0 and f["cancels_limited"] > 0 and f["sent"] == s["sent_packets"], (f, s)
    assert not [n for n in d.query("xstats,h") if n.startswith("rx_")], "h does not receive"
    assert "rx_q0_good_packets" not in d.query("xstats,b")
    assert "no such adapter or face" in d.query("xstats,nobody")["error"]
    hosts.Daemon.end(d)


def case_documented():
    """The page of all metrics is what the exporter prints."""
    p = run(*command("--metrics"))
    assert p.returncode == 0, p
    page = ROOT + "/app/vnic-exporter/METRICS.md"
    assert p.stdout == open(page).read(), "%s > %s makes it anew" % (EXPORTER + " --metrics", page)


def listens(pid):
    """Where a process' network namespace listens or could receive: [(address, port)]."""
    found = []
    for kind in "tcp", "tcp6", "udp", "udp6":
        with open("/proc/%d/net/%s" % (pid, kind)) as f:
            found += [line.split()[1] for line in list(f)[1:] if line.split()[3] in ("0A", "07")]
    return [(address, int(port, 16)) for address, port in (x.split(":") for x in found)]


def case_loopback():
    """vnicd has no port of the network; the exporter as it is begun without options is on loopback alone."""
    exporter = load()
    for where in ":0", exporter.LISTEN.rpartition(":")[0] + ":0":
        with exporter.listen(where, None) as server:
            assert server.server_address[0] == "127.0.0.1", (where, server.server_address)
    space = hosts.Space(1)  # where no other program has that port
    within = ["ip", "netns", "exec", space.name]
    hosts.must(*within, "ip", "link", "set", "lo", "up")
    Daemon.before = staticmethod(lambda program: within + program)
    d = Daemon(CONFIG)
    assert listens(d.process.pid) == [], listens(d.process.pid)
    p = programs.start("exporter", within + command())
    until(lambda: open(p.files[0]).read() == "vnic-exporter: http://127.0.0.1:9590/metrics\n", "it says nothing", alive=[p])
    assert listens(p.pid) == [("%08X" % struct.unpack("=I", socket.inet_aton("127.0.0.1")), 9590)], listens(p.pid)
    got = hosts.must(*within, sys.executable, "-c", "import sys, urllib.request; "
                     "print(urllib.request.urlopen(sys.argv[1], timeout=30).read().decode(), end='')",
                     "http://127.0.0.1:9590/metrics")
    assert value(parse(got)[0], "up") == 1
    hosts.Daemon.end(d)


class Stale:
    """vnicd's telemetry at another path; its lists have an adapter and a face that are no more."""

    def __init__(self, d):
        d.query("list")  # connects
        self.path, self.vnicd = WORK + "/stale", d.telemetry.getpeername()
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.bind(self.path)
        self.socket.listen()
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            client, vnicd = self.socket.accept()[0], socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            with client, vnicd:
                vnicd.connect(self.vnicd)
                client.send(vnicd.recv(65536))
                while question := client.recv(65536):
                    vnicd.send(question)
                    answer = json.loads(vnicd.recv(65536))
                    if question == b"/vnic/list" or question == b"/vnic/faces,a":
                        answer[question.decode().split(",")[0]].insert(0, "gone")
                    client.send(json.dumps(answer).encode())


def case_reload():
    """What a reload has removed since it was listed is left out, and nothing else."""
    d = Daemon(CONFIG)
    names = lambda text: set(parse(text)[0])
    p = run(*command("--once", "--socket", Stale(d).path))
    assert p.returncode == 0 and names(p.stdout) == names(run(*command("--once")).stdout), p
    hosts.Daemon.end(d)


def case_restart():
    """It goes on when vnicd ends and begins, and says each once."""
    e, url = start()
    err = lambda: open(WORK + "/exporter.err").read().splitlines()
    for _ in range(3):
        assert parse(get(url))[0] == {("vnic_up", ()): 0}
    assert len(err()) == 1 and "is vnicd running" in err()[0], err()
    for turn in (1, 2):
        d = Daemon(CONFIG)
        until(lambda: value(parse(get(url))[0], "up") == 1, "vnicd is not found")
        assert len(err()) == 2 * turn and "vnicd answers" in err()[-1], err()
        hosts.Daemon.end(d)
        d.telemetry = None
        assert parse(get(url))[0] == {("vnic_up", ()): 0}
        assert len(err()) == 2 * turn + 1, err()
    base = url[:-len("/metrics")]
    for path, code in (("/", 200), ("/nothing", 404)):
        try:
            assert urllib.request.urlopen(base + path, timeout=30).status == code
        except urllib.error.HTTPError as x:
            assert x.code == code, (path, x)
    e.terminate()
    e.wait(30)


def case_refused():
    """One line for each, and an exit code."""
    busy, url = start()
    port = re.search(r":(\d+)/", url)[1]
    for more, cause in ((("--once",), "is vnicd running"), (("--listen", "here"), "ADDRESS:PORT"),
                        (("--listen", "127.0.0.1:99999"), "ADDRESS:PORT"),
                        (("--listen", "127.0.0.1:" + port), "in use"), (("--nonsense",), "--help"),
                        (("--once", "--socket", "/nonexistent"), "/nonexistent: No such file"),
                        (("--once", "--socket", "/" + "x" * 200), "too long")):
        p = run(*command(*more))
        lines = p.stderr.splitlines()
        assert p.returncode != 0 and len(lines) == 1 and cause in lines[0] and p.stdout == "", (more, p)
    assert busy.poll() is None


main(globals())
