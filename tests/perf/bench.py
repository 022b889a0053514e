#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
# bench.py - vnic-bench: are its figures there, sane, and what its raw samples say? Never: is
# the machine fast. And what it says of bad input
# usage: bench.py VNIC_BENCH CASE      CASE: a function case_... below
import csv
import functools
import json
import math
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as xml

BENCH = os.path.abspath(sys.argv[1])
WORK = tempfile.mkdtemp()
COMMANDS = "ring path cancel storm stall face all".split()
PICTURES = "latency_cdf latency_depth storm ring_cycles".split()
TIME_OUT = 250

KEYS = """ring_tax_cycles ring_cycles rte_ring_cycles path_mpps path_baseline_mpps path_ratio
cancel_p50_ns cancel_p99_ns cancel_p50_ns_depth_1024 cancel_p50_ns_depth_1048576
cancel_1024_scattered_us cancel_1024_runs_us list_cancel_p50_ns mailbox_cancel_p50_ns
io_uring_cancel_p50_ns storm_ratio_100k storm_max_gap_us stall_ratio face_ratio_memif""".split()
# may be missing where a line says why
EXCUSES = {"io_uring_": r"io_uring.*left out", "face_": r"^(vnic-bench: )?face: "}
# differences, which noise can turn round
MAY_BE_NEGATIVE = re.compile(r"tax")


def run(arguments, eal=(), path=None):
    """Exit code, standard output, standard error; TMPDIR is ours and is to be left empty."""
    tmp = tempfile.mkdtemp(dir=WORK)
    env = dict(os.environ, TMPDIR=tmp, **({"PATH": path} if path else {}))
    before = [*eal, "--"] if eal else []
    p = subprocess.run([BENCH, *before, *arguments], stdin=subprocess.DEVNULL, capture_output=True,
                       text=True, env=env, timeout=TIME_OUT)
    left = os.listdir(tmp)
    assert not left, "%s left behind %s" % (arguments, left)
    return p.returncode, p.stdout, p.stderr


# ---- what a run has put out ----

class Result:
    def __init__(self, figures, text, tables, pictures):
        self.figures, self.text, self.tables, self.pictures = figures, text, tables, pictures

    def but(self, **other):
        """A copy with something else in it."""
        return Result(**{**dict(figures=dict(self.figures), text=self.text, tables=dict(self.tables),
                                pictures=dict(self.pictures)), **other})


class Table:
    """A CSV file's rows; compared by identity, so that what is read off it is kept."""

    def __init__(self, rows):
        self.rows = rows


def read_result(folder, text):
    with open(folder + "/figures.json") as f:
        figures = json.load(f)
    figures.pop("settings")
    tables = {}
    for name in os.listdir(folder + "/csv"):
        with open(folder + "/csv/" + name) as f:
            tables[name.removesuffix(".csv")] = Table(list(csv.DictReader(f)))
    pictures = {}
    for name in os.listdir(folder + "/plots"):
        with open(folder + "/plots/" + name, "rb") as f:
            pictures[name] = f.read()
    return Result(figures, text, tables, pictures)


def percentile(values, percent):
    """The smallest that at least so many percent do not exceed."""
    s = sorted(values)
    return s[max(math.ceil(percent / 100 * len(s)) - 1, 0)]


def median(values):
    return percentile(values, 50)


# ---- checks: each yields a complaint for what is wrong ----

def check_keys(r):
    for key in KEYS:
        excused = any(key.startswith(k) and re.search(line, r.text, re.M) for k, line in EXCUSES.items())
        if key not in r.figures and not excused:
            yield "the figure %s is missing" % key


def check_numbers(r):
    for key, v in r.figures.items():
        if isinstance(v, bool) or not isinstance(v, (int, float)) or not math.isfinite(v):
            yield "%s is no number: %r" % (key, v)
        elif v < 0 and not MAY_BE_NEGATIVE.search(key) or v == 0 and key in KEYS:
            yield "%s is not positive: %g" % (key, v)
        elif "ratio" in key and v >= 100:
            yield "%s is no ratio: %g" % (key, v)


def check_order(r):
    for key, v in r.figures.items():
        higher = key.replace("p50", "p99")
        if higher in r.figures and v > r.figures[higher]:
            yield "%s %g is above %s %g" % (key, v, higher, r.figures[higher])


def agree(a, b, unit=0.0):
    """To six digits, or to the unit that a raw sample is written in."""
    return abs(a - b) <= 1e-4 * max(abs(a), abs(b)) + unit


def check_sums(r):
    f = r.figures
    for value, key, what in (
            (f["ring_cycles"] - f["rte_ring_cycles"], "ring_tax_cycles", "ring - rte_ring"),
            (f["path_mpps"] / f["path_baseline_mpps"], "path_ratio", "path over baseline")):
        if not agree(value, f[key], 1e-4):
            yield "%s is %g, but %s is %g" % (key, f[key], what, value)


def column(r, table, name, **where):
    return [float(row[name]) for row in r.tables[table].rows if all(row[k] == v for k, v in where.items())]


def check_ring(r):
    here = dict(burst="32", depth="4096")
    for key, design in ("ring_cycles", "ring"), ("rte_ring_cycles", "rte_ring"):
        values = column(r, "ring", "cycles", design=design, **here)
        if not values or not agree(median(values), r.figures[key], 1e-3):
            yield "%s is not the median of ring.csv" % key
    if not column(r, "walk", "ns") or min(column(r, "walk", "ns")) <= 0:
        yield "walk.csv is empty or has a walk of no time"


def check_path(r):
    for key, design in ("path_mpps", "vnic"), ("path_baseline_mpps", "rte_ring"):
        values = column(r, "path", "mpps", frame="64", design=design)
        if not values or not agree(median(values), r.figures[key], 1e-3):
            yield "%s is not the median of path.csv" % key


def check_storm(r):
    values = column(r, "storm", "ratio", design="vnic", cancels_per_s="100000")
    if not values or not agree(median(values), r.figures["storm_ratio_100k"], 1e-3):
        yield "storm_ratio_100k is not the median of storm.csv"


CASE = "design load depth queues pattern matches".split()


@functools.cache
def by_case(table):
    """cancel.csv: case -> each time it was measured: round -> its samples in ns. A round that is
    below the one before begins another time."""
    cases = {}
    for row in table.rows:
        times, nth = cases.setdefault(tuple(row[c] for c in CASE), []), int(row["round"])
        if not times or nth < max(times[-1]):
            times.append({})
        times[-1].setdefault(nth, []).append(float(row["ns"]))
    return cases


def measurements(r, **where):
    return [rounds for case, times in by_case(r.tables["cancel"]).items() for rounds in times
            if all(value in where[c] for c, value in zip(CASE, case) if c in where)]


def check_cancel(r):
    one = dict(load=["idle"], queues=["1"], matches=["1"], pattern=["one", "single"])
    many = dict(load=["idle"], queues=["1"], matches=["1024"], depth=["65536"])
    for key, percent, unit, where in (
            ("cancel_p50_ns", 50, 1, dict(one, design=["vnic"], depth=["65536"])),
            ("cancel_p99_ns", 99, 1, dict(one, design=["vnic"], depth=["65536"])),
            ("cancel_p50_ns_depth_1024", 50, 1, dict(one, design=["vnic"], depth=["1024"])),
            ("cancel_p50_ns_depth_1048576", 50, 1, dict(one, design=["vnic"], depth=["1048576"])),
            ("cancel_1024_scattered_us", 50, 1e3, dict(many, design=["vnic"], pattern=["scattered"])),
            ("cancel_1024_runs_us", 50, 1e3, dict(many, design=["vnic"], pattern=["run"])),
            ("list_cancel_p50_ns", 50, 1, dict(one, design=["list"], depth=["65536"])),
            ("mailbox_cancel_p50_ns", 50, 1, dict(one, design=["mailbox"], depth=["65536"])),
            ("io_uring_cancel_p50_ns", 50, 1, dict(one, design=["io_uring"]))):
        if key not in r.figures:
            continue
        if key.startswith("io_uring"):
            found = [percentile(sum(m.values(), []), percent) for m in measurements(r, **where)]
        else:
            found = [median([percentile(v, percent) for v in m.values()]) for m in measurements(r, **where)]
        if not any(agree(v / unit, r.figures[key], 1 / unit) for v in found):
            said = ", ".join("%g" % (v / unit) for v in found) or "nothing"
            yield "%s is %g, but cancel.csv says %s" % (key, r.figures[key], said)


def check_rounds(r):
    """Interleaved: what is compared has as many rounds."""
    for table, same in ("ring", ("burst", "depth")), ("path", ("frame",)):
        groups = {}
        for row in r.tables[table].rows:
            group = groups.setdefault(tuple(row[k] for k in same), {})
            group.setdefault(row["design"], set()).add(row["round"])
        if not groups:
            yield "%s.csv is missing or empty" % table
        for where, designs in groups.items():
            if len(designs) < 2 or len({len(rounds) for rounds in designs.values()}) != 1:
                yield "%s.csv: at %s the designs have not as many rounds" % (table, where)


def check_pictures(r):
    if shutil.which("gnuplot") is None:
        return
    for name in PICTURES:
        png, svg = r.pictures.get(name + ".png", b""), r.pictures.get(name + ".svg", b"")
        if png[:8] != b"\x89PNG\r\n\x1a\n" or struct.unpack(">II", png[16:24]) != (1000, 600):
            yield "%s.png is no PNG of 1000 x 600" % name
        try:
            drawn = sum(1 for e in xml.fromstring(svg).iter() if e.tag.endswith("path"))
        except xml.ParseError:
            drawn = 0
        if drawn < 20:
            yield "%s.svg is no SVG, or has next to nothing in it" % name


CHECKS = [check_numbers, check_order, check_sums, check_ring, check_path, check_storm, check_cancel,
          check_rounds, check_pictures]


def complaints(r):
    missing = list(check_keys(r))
    missing += ["%s.csv is missing" % t for t in "ring walk path cancel storm".split() if t not in r.tables]
    # the others read the figures
    return missing or [c for check in CHECKS for c in check(r)]


# ---- each check is shown to fail ----

def mutants(r):
    """(what was spoilt, the result with it)"""
    f = r.figures
    for key in KEYS:
        if key in f:
            yield key + " gone", r.but(figures={k: v for k, v in f.items() if k != key}, text="")
    for key, value in (("path_mpps", float("nan")), ("cancel_p50_ns", float("inf")), ("stall_ratio", "1"),
                       ("storm_max_gap_us", -1), ("ring_cycles", 0), ("stall_ratio", 100),
                       ("cancel_p50_ns", f["cancel_p99_ns"] * 1.01),
                       ("ring_tax_cycles", f["ring_tax_cycles"] + 1), ("path_ratio", f["path_ratio"] * 1.01)):
        yield "%s = %s" % (key, value), r.but(figures=dict(f, **{key: value}))
    for key in ("storm_ratio_100k cancel_p50_ns cancel_p99_ns cancel_p50_ns_depth_1024 cancel_1024_runs_us "
                "cancel_p50_ns_depth_1048576 cancel_1024_scattered_us list_cancel_p50_ns "
                "mailbox_cancel_p50_ns io_uring_cancel_p50_ns").split():
        if key in f:
            yield key + " / 2", r.but(figures=dict(f, **{key: f[key] / 2}))
    both = dict(f, ring_cycles=f["ring_cycles"] + 1, rte_ring_cycles=f["rte_ring_cycles"] + 1)
    yield "cycles of both rings + 1", r.but(figures=both)
    both = dict(f, path_mpps=f["path_mpps"] * 2, path_baseline_mpps=f["path_baseline_mpps"] * 2)
    yield "Mpps of both paths * 2", r.but(figures=both)
    for table in "ring", "walk", "path", "storm", "cancel":
        yield table + ".csv empty", r.but(tables=dict(r.tables, **{table: Table([])}))
    yield "a round of ring.csv gone", r.but(tables=dict(r.tables, ring=Table(r.tables["ring"].rows[1:])))
    yield "a walk of no time", r.but(tables=dict(r.tables, walk=Table([{"ns": "0"}])))
    for name in r.pictures if shutil.which("gnuplot") else ():
        if not name.endswith(".gp"):
            yield name + " empty", r.but(pictures=dict(r.pictures, **{name: b""}))


def case_quick():
    folder = WORK + "/quick"
    os.mkdir(folder)
    rc, out, err = run(["all", "--quick", "--json", folder + "/figures.json", "--csv", folder + "/csv",
                        "--plots", folder + "/plots"])
    print(out + err)
    assert rc == 0, "exit code %d" % rc
    begin = time.time()
    r = read_result(folder, out + err)
    found = complaints(r)
    assert not found, "\n  ".join(["what vnic-bench put out is wrong:"] + found)
    nb = 0
    for what, mutant in mutants(r):
        assert complaints(mutant), "spoilt, and not noticed: " + what
        nb += 1
    print("ok: %d figures, %d samples; %d ways to spoil them, each noticed; checked in %.0f s" %
          (len(r.figures), sum(len(t.rows) for t in r.tables.values()), nb, time.time() - begin))


# ---- one lcore, no hugepages ----

def each_command(eal):
    """All but face, which starts programs of its own."""
    for command in COMMANDS[:5]:
        path = "%s/%s.json" % (WORK, command)
        # as short as may be; cancels at random want longer to come across a packet
        seconds = "0.5" if command in ("storm", "stall") else "0.1"
        rc, out, err = run([command, "--quick", "--seconds", seconds, "--json", path], eal)
        assert rc == 0, (command, rc, out[-2000:], err[-2000:])
        with open(path) as f:
            figures = json.load(f)
        assert len(figures) > 1, "%s: no figures\n%s%s" % (command, out, err)
        figures.pop("settings")
        found = list(check_numbers(Result(figures, out + err, {}, {})))
        assert not found, (command, found)
        print("ok: %s, %d figures" % (command, len(figures)))


def eal_memory():
    path = "/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages"
    free = int(open(path).read()) if os.path.exists(path) else 0
    return ["--in-memory"] if free >= 400 else ["--no-huge", "-m", "1024"]


def first_cpus(n):
    cpus = sorted(os.sched_getaffinity(0))[:n]
    return ",".join("%d@%d" % (i, cpu) for i, cpu in enumerate(cpus))


EAL = ["--no-pci", "--no-telemetry", "--log-level=lib.eal:error", "--file-prefix", "benchpy%d" % os.getpid()]


def case_one_lcore():
    each_command([*EAL, *eal_memory(), "--lcores", first_cpus(1)])


def case_no_huge():
    each_command([*EAL, "--no-huge", "-m", "1024", "--lcores", first_cpus(2)])


# ---- bad input ----

def refused(arguments, *words, eal=()):
    rc, out, err = run(arguments, eal)
    assert rc == 1, (arguments, "exit code", rc, out, err)
    assert out == "", (arguments, "printed", out)
    assert err.count("\n") == 1 and err.startswith("vnic-bench: "), (arguments, "not one line", err)
    for word in words:
        assert word in err, (arguments, "not said:", word, err)
    print("ok:", err.strip())


def case_refused():
    refused([], "no command", "ring")
    refused(["rings"], "rings", "--help")
    refused(["ring", "path"], "one command")
    refused(["ring", "--fast"], "--fast")
    refused(["ring", "-q"], "-q")
    refused(["ring", "--seconds"], "--seconds")
    for seconds in "0", "0.05", "3601", "-1", "nan", "inf", "soon", "1s", "":
        refused(["ring", "--seconds", seconds], "--seconds")
    refused(["ring"], "EAL", eal=["--nonsense"])
    refused(["ring"], "lcore", eal=["--no-huge", "-m", "64", "--no-pci", "-l", "4000"])


def case_folders():
    plain = WORK + "/plain"
    open(plain, "w").close()
    for option, what in ("--csv", plain), ("--csv", plain + "/in"), ("--csv", "/nonexistent/csv"), \
            ("--plots", plain), ("--plots", plain + "/in"), ("--plots", "/nonexistent/plots"), \
            ("--json", WORK), ("--json", plain + "/in"), ("--json", "/nonexistent/figures.json"):
        refused(["ring", "--quick", option, what], what, option)
    if os.getuid() != 0:
        closed = WORK + "/closed"
        os.mkdir(closed, 0o500)
        for option in "--csv", "--plots":
            refused(["ring", "--quick", option, closed], closed, option)


def case_help():
    rc, out, err = run(["--help"])
    assert rc == 0 and err == "", (rc, err)
    for command in COMMANDS:
        assert re.search(r"^  %s +\w" % command, out, re.M), "--help does not name " + command
    for option in "--quick", "--seconds", "--json", "--csv", "--plots", "--help":
        assert re.search(r"^  %s " % option, out, re.M), "--help does not name " + option
    named = re.findall(r"^  ([a-z]+) ", out, re.M)
    assert named == COMMANDS, "--help names %s" % named
    print("ok: --help names", *named)


def case_no_gnuplot():
    plots = WORK + "/plots"
    rc, out, err = run(["ring", "--quick", "--seconds", "0.1", "--plots", plots], path="/nonexistent")
    assert rc == 0, (rc, out, err)
    lines = [line for line in err.splitlines() if "gnuplot" in line]
    assert len(lines) == 1 and "apt-get install -y gnuplot-nox" in lines[0], err
    assert os.listdir(plots) == [], os.listdir(plots)
    print("ok:", lines[0])


if __name__ == "__main__":
    try:
        globals()["case_" + sys.argv[2]]()
    except AssertionError as e:
        sys.exit("FAILED: %s" % e)
    finally:
        shutil.rmtree(WORK, ignore_errors=True)
