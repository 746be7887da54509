# SPDX-License-Identifier: Apache-2.0
"""Steps made by Slurm: what a step costs beside Slurm's own delay, whether slots stay busy, submitting 10,000 steps."""
import os
import pathlib
import sys
import time

from measuring import have, measure, row, skip

TOP = pathlib.Path(__file__).resolve().parents[2]
VARVE = TOP / "build-bench/src/cli/varve"
sys.path[:0] = [str(TOP / "tests/e2e"), str(TOP / "tests")]
NODES, CORES = 2, 4
SLEEPS = ((200, 2), (80, 10))  # how many steps, seconds of each


def recipe(stages, steps, command):
    text = ["varve: 1", "name: s", "sources: {root: {kind: local, path: root}}", "stages:",
            "  base: {steps: [{step: root, copy: root, to: /}]}"]
    for i in range(stages):
        text.append(f"  s{i}:\n    from: base\n    steps:")
        text += [f"      - {{step: c{n}, run: \"{command} # {i} {n}\"}}" for n in range(steps)]
    text.append("images:")
    text += [f"  i{i}: {{stage: s{i}, name: s/i{i}}}" for i in range(stages)]
    return "\n".join(text) + "\n"


def sleeps_of_slurm(cluster, work, count, seconds):
    """The same number of jobs that only sleep, submitted as one array: Slurm's own time. (sbatch --wait asks ever more
    rarely, and so tells up to 20 s too many.)"""
    (work / "sleep.sh").write_text(f"#!/bin/sh\nsleep {seconds}\n")
    start = time.perf_counter()
    cluster.run("sbatch", f"--array=0-{count - 1}", "--output=/dev/null", work / "sleep.sh")
    while cluster.run("squeue", "-h", "-o", "%i").strip():
        time.sleep(0.1)
    return time.perf_counter() - start, 0, 0


def bench_slurm(work, runs):
    try:
        import accounts
        from slurm_bed import DAEMONS, Cluster
    except ImportError as missing:
        return skip("steps by Slurm", str(missing))
    if not all(have(program) for program in DAEMONS):
        return skip("steps by Slurm", "slurmctld, slurmd, slurm-client and munge")
    account = accounts.Account(accounts.current())
    cluster = Cluster(account, nodes=NODES, cores=CORES)
    try:
        bench(work, cluster)
    finally:
        cluster.close()
        account.close()


def bench(work, cluster):
    env = {**os.environ, "SLURM_CONF": str(cluster.conf)}
    (work / "root/bin").mkdir(parents=True)
    (work / "root/bin/busybox").write_bytes(pathlib.Path("/bin/busybox").read_bytes())
    (work / "root/bin/busybox").chmod(0o755)
    for applet in ("sh", "sleep", "true"):
        (work / "root/bin" / applet).symlink_to("busybox")

    def varve(name, *more):
        return [VARVE, "build", work / name, "--store", work / "store", "--executor", "slurm", *more]

    # a chain of steps: each waits for the one before
    (work / "chain.yaml").write_text(recipe(1, 10, "true"))
    row("10 steps, one after the other", "varve here", measure(
        [VARVE, "build", work / "chain.yaml", "--store", work / "here"], 1))
    start = time.perf_counter()
    previous = []
    for _ in range(10):
        previous = [cluster.run("sbatch", "--parsable", "--output=/dev/null", *previous, "--wrap=true").strip()]
        previous = [f"--dependency=afterok:{previous[0]}"]
    cluster.wait_for(lambda: not cluster.run("squeue", "-h").strip(), 300)
    row("10 steps, one after the other", "sbatch alone", (time.perf_counter() - start, 0, 0))
    row("10 steps, one after the other", "varve on Slurm", measure(varve("chain.yaml"), 1, env=env))
    # slots
    for count, seconds in SLEEPS:
        (work / "wide.yaml").write_text(recipe(count, 1, f"sleep {seconds}"))
        ideal = (count * seconds / (NODES * CORES), 0, 1)
        what = f"{count} steps that sleep {seconds} s"
        row(what, f"ideal, {NODES * CORES} slots", ideal)
        row(what, "one array of sbatch", sleeps_of_slurm(cluster, work, count, seconds), ideal)
        row(what, "varve", measure(varve("wide.yaml"), 1, env=env), ideal)
    # submission
    for stages, steps in ((1000, 10), (100, 100)):
        (work / "many.yaml").write_text(recipe(stages, steps, f"echo {stages}"))
        cluster.run("scontrol", "update", "PartitionName=p", "State=DOWN")
        row(f"10,000 steps, {stages} stages", "compile and submit", measure(varve("many.yaml", "--detach"), 1, env=env))
        cluster.run("scancel", f"--user={cluster.account.name}")
        cluster.run("scontrol", "update", "PartitionName=p", "State=UP")


BENCHES = {"slurm": bench_slurm}
