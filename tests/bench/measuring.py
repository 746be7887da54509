# SPDX-License-Identifier: Apache-2.0
"""Seconds and peak memory of commands, and the table of them."""
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

rows = []


def have(program):
    return shutil.which(program) is not None


def measure(command, runs, before=lambda: None, **options):
    """Median seconds and peak kilobytes of the largest process of a shell command or argv."""
    seconds, peak = [], 0
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
            inner, kilobytes = report.read().split()
            seconds[-1] = float(inner)
            peak = max(peak, int(kilobytes))
    return statistics.median(seconds), peak


# Runs argv and writes its wall time and the peak memory of its largest process: our own start-up stays out.
WRAP = """
import resource, subprocess, sys, time
start = time.perf_counter()
status = subprocess.run(sys.argv[2:]).returncode
seconds = time.perf_counter() - start
open(sys.argv[1], "w").write(f"{seconds} {resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss}")
sys.exit(status)
"""


def row(work, who, result, peer=None):
    seconds, kilobytes = result
    ratio = f"{seconds / peer[0]:.2f} x" if peer else ""
    rows.append({"work": work, "who": who, "seconds": round(seconds, 4), "peak_mb": round(kilobytes / 1000, 1),
                 "ratio_to_peer": ratio})
    print(f"{work:34} {who:28} {seconds:8.3f} s {kilobytes / 1000:7.1f} MB  {ratio}", flush=True)


def skip(work, who):
    print(f"{work:34} {who:28} not installed")


def row_bytes(work, who, sent, size, what):
    """A row of bytes in place of seconds."""
    rows.append({"work": work, "who": who, "sent_mb": round(sent / 1e6, 1), "of_mb": round(size / 1e6, 1), "what": what})
    print(f"{work:34} {who:28} {sent / 1e6:8.1f} MB of {size / 1e6:.1f}  {what}", flush=True)
