# SPDX-License-Identifier: Apache-2.0
"""Seconds, processor seconds and peak memory of commands, and the table of them."""
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


def row(work, who, result, peer=None):
    seconds, kilobytes, used = result
    ratio = f"{seconds / peer[0]:.2f} x, processor {used / peer[2]:.2f} x" if peer else ""
    rows.append({"work": work, "who": who, "seconds": round(seconds, 4), "processor": round(used, 4), "peak_mb": round(kilobytes / 1000, 1),
                 "ratio_to_peer": ratio})
    print(f"{work:34} {who:28} {seconds:8.3f} s {used:8.3f} s cpu {kilobytes / 1000:7.1f} MB  {ratio}", flush=True)


def skip(work, who):
    print(f"{work:34} {who:28} not installed")


def row_each(work, who, result, count):
    """A row of what one of count pieces took."""
    seconds, kilobytes, _ = result
    each = seconds / count * 1e6
    rows.append({"work": work, "who": who, "seconds": round(seconds, 4), "each_us": round(each, 1),
                 "peak_mb": round(kilobytes / 1000, 1)})
    print(f"{work:34} {who:28} {seconds:8.3f} s {each:10.1f} us each {kilobytes / 1000:7.1f} MB", flush=True)


def row_bytes(work, who, sent, size, what):
    """A row of bytes in place of seconds."""
    rows.append({"work": work, "who": who, "sent_mb": round(sent / 1e6, 1), "of_mb": round(size / 1e6, 1), "what": what})
    print(f"{work:34} {who:28} {sent / 1e6:8.1f} MB of {size / 1e6:.1f}  {what}", flush=True)
