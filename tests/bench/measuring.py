# SPDX-License-Identifier: Apache-2.0
"""Seconds, processor seconds and peak memory of commands, and the table of them.

To add to the table: a file NAME_bench.py beside this one with BENCHES = {"name": function(work, runs)}, which calls
measure() or alternate() and row(). ON_REQUEST = {"name"} keeps one out of a run without names. A row may state its
goal: {"ratio": 1.15} against the peer it is compared with, {"seconds": 0.05}, {"peak_mb": 64}; all are upper bounds."""
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

full = False  # --full: also the sizes that take minutes and many inodes
rows = []  # dictionaries: work, who, and what was measured
GOALS = {"ratio": "x", "seconds": "s", "peak_mb": "MB"}  # members of a row that a goal bounds, and their units


def have(program):
    return shutil.which(program) is not None


def measure(command, runs, before=lambda: None, **options):
    """Median seconds, peak kilobytes of the largest process and median processor seconds of a shell command or argv."""
    seconds, processor, peak = [], [], 0
    for _ in range(runs):
        before()
        with tempfile.NamedTemporaryFile("r") as report:
            argv = ["/bin/sh", "-c", command] if isinstance(command, str) else [str(c) for c in command]
            start = time.perf_counter()
            done = subprocess.run(["/usr/bin/python3", "-c", WRAP, report.name, *argv],
                                  stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, **options)
            seconds.append(time.perf_counter() - start)
            if done.returncode != 0:
                sys.exit(f"bench: {command}: exit {done.returncode}\n{done.stderr[-2000:]}")
            inner, kilobytes, used = report.read().split()
            seconds[-1] = float(inner)
            processor.append(float(used))
            peak = max(peak, int(kilobytes))
    return statistics.median(seconds), peak, statistics.median(processor)


# Runs argv and writes its wall time and the peak memory of its largest process: our own start-up stays out.
WRAP = """
import resource, subprocess, sys, time
start = time.perf_counter()
status = subprocess.run(sys.argv[2:]).returncode
seconds = time.perf_counter() - start
used = resource.getrusage(resource.RUSAGE_CHILDREN)
open(sys.argv[1], "w").write(f"{seconds} {used.ru_maxrss} {used.ru_utime + used.ru_stime}")
sys.exit(status)
"""


def alternate(commands, runs, before=None, **options):
    """{name: command} measured in turns, so that a busy moment hits all alike; {name: result as of measure()}.
    before: {name: callable}, run ahead of each command of that name."""
    took = {name: [] for name in commands}
    for _ in range(runs):
        for name, command in commands.items():
            took[name].append(measure(command, 1, (before or {}).get(name, lambda: None), **options))
    return {name: (statistics.median(one[0] for one in results), max(one[1] for one in results),
                   statistics.median(one[2] for one in results)) for name, results in took.items()}


def judge(entry):
    """What is said of the goals of a row."""
    said = []
    for member, bound in entry.get("goal", {}).items():
        reached = entry.get(member)
        verdict = "not measured" if reached is None else "met" if reached <= bound else "MISSED"
        said.append(f"goal {bound:g} {GOALS[member]} {verdict}")
    return ", ".join(said)


def add(entry, goal):
    if goal:
        entry["goal"] = goal
    rows.append(entry)
    return judge(entry)


def row(work, who, result, peer=None, goal=None):
    seconds, kilobytes, used = result
    entry = {"work": work, "who": who, "seconds": round(seconds, 4), "processor": round(used, 4), "peak_mb": round(kilobytes / 1000, 1)}
    text = ""
    if peer:
        entry["ratio"] = round(seconds / peer[0], 3)
        entry["ratio_processor"] = round(used / peer[2], 3) if peer[2] else None
        text = f"{entry['ratio']:.2f} x, processor {used / peer[2]:.2f} x" if peer[2] else f"{entry['ratio']:.2f} x"
    said = add(entry, goal)
    print(f"{work:34} {who:28} {seconds:8.3f} s {used:8.3f} s cpu {kilobytes / 1000:7.1f} MB  {text}  {said}".rstrip(), flush=True)


def skip(work, who):
    rows.append({"work": work, "who": who, "skipped": "not installed"})
    print(f"{work:34} {who:28} not installed")


def row_each(work, who, result, count, smaller=None):
    """A row of what one of count pieces took. smaller: what this returned for fewer of them; each may take as long as
    there, and a fifth more. By processor time, which a busy machine alters less."""
    seconds, kilobytes, used = result
    each = used / count * 1e6
    entry = {"work": work, "who": who, "seconds": round(seconds, 4), "processor": round(used, 4), "count": count,
             "each_us": round(each, 1), "peak_mb": round(kilobytes / 1000, 1)}
    if smaller:
        entry["ratio"] = round(each / smaller, 3)
    said = add(entry, {"ratio": 1.2} if smaller else None)
    text = f"{entry['ratio']:.2f} x the smaller one" if smaller else ""
    print(f"{work:34} {who:28} {seconds:8.3f} s {each:10.1f} us of cpu each {kilobytes / 1000:7.1f} MB  {text}  {said}".rstrip(), flush=True)
    return each


def row_bytes(work, who, sent, size, what):
    """A row of bytes in place of seconds."""
    rows.append({"work": work, "who": who, "sent_mb": round(sent / 1e6, 1), "of_mb": round(size / 1e6, 1), "what": what})
    print(f"{work:34} {who:28} {sent / 1e6:8.1f} MB of {size / 1e6:.1f}  {what}", flush=True)
