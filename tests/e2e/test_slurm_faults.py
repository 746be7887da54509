# SPDX-License-Identifier: Apache-2.0
"""Three small recipes, each built by a real Slurm while something goes wrong: whatever it is, the image has the digest of
a build here. One recipe for each fault runs always, all of them with tests/run --all.

Every recipe has a step "slow" (in the recipe "matrix" three of them) that sleeps $NAP seconds and takes $HOG bytes of
memory; neither is in its key."""
import json
import os
import subprocess
import time

import pytest
from conftest import need
from git_server import GitRepository, GitServer
from slurm_bed import kept_cluster, lone_cluster  # noqa: F401
from support import ROOT, Project, copy, run

SLURM = ("--executor", "slurm")
NAP, HOG = 4, "1k"
SLOW = "sleep $NAP; dd if=/dev/zero of=/dev/null bs=$HOG count=300 2>/dev/null; echo slow >/slow"


def slow(**slurm):
    return run("slow", SLOW, unkeyed_environment={"NAP": "${nap}", "HOG": "${hog}"}, slurm=slurm or {"memory": "200M"})


def chain(_bed, **slurm):
    """Each step needs the one before."""
    return {"stages": {"main": {"steps": [ROOT, run("one", "echo 1 >/1"), slow(**slurm), run("two", "cat /1 /slow >/2")]}}}


def fan(bed, **slurm):
    """Two stages on one; the second takes from the first, from git and from a directory."""
    parts = [run(f"part{i}", f"echo {i} >>/parts") for i in range(3)]
    steps = [copy("code", "code", "/code"), copy("data", "data", "/data"), copy("parts", "first:/parts", "/parts"),
             run("all", "cat /parts /code/a /data/d /in/slow >/all", mounts={"/in": "first:/"})]
    bed.project.tree("data", {"d": "data\n"})
    sources = {"code": {"kind": "git", "url": bed.server.url("code/.git")}, "data": {"kind": "local", "path": "data"}}
    return {"sources": sources, "stages": {"base": {"steps": [ROOT]}, "first": {"from": "base", "steps": [slow(**slurm), *parts]},
                                           "main": {"from": "base", "steps": steps}}}


def matrix(_bed, **slurm):
    """Three values of an option: what they share is made once, the rest side by side."""
    own = slow(**slurm)
    own = {**own, "run": f"echo $A >/a; {SLOW}", "environment": {"A": "${arch}"}}
    return {"options": {"arch": {"choices": ["a", "b", "c"], "default": "a"}},
            "stages": {"base": {"steps": [ROOT, run("same", "echo same >/same")]},
                       "main": {"from": "base", "steps": [own, run("last", "cat /same /a >/last")]}},
            "images": {"main": {"stage": "main", "name": "t/${arch}:1"}}}


RECIPES = {"chain": chain, "fan": fan, "matrix": matrix}
OPTIONS = {"nap": {"default": "0", "keyed": False}, "hog": {"default": HOG, "keyed": False}}


class Bed:
    """A cluster, a project, and one of the recipes."""

    def __init__(self, cluster, name, server):
        self.cluster, self.project, self.server, self.name = cluster, cluster.project, server, name
        self.more = ("--all", "arch") if name == "matrix" else ()
        self.write()

    def write(self, **slurm):
        members = RECIPES[self.name](self, **slurm)
        self.project.recipe(**{**members, "options": {**OPTIONS, **members.get("options", {})}})

    def arguments(self, nap=NAP, hog=HOG):
        return (*self.more, *SLURM, "--set", f"nap={nap}", "--set", f"hog={hog}")

    def build(self, rc=0, **options):
        return self.project.build(*self.arguments(**options), rc=rc, timeout=300)

    def start(self, **options):
        return self.project.start(*self.arguments(**options))

    def here(self):
        """What a build without Slurm prints: digests and names."""
        store = self.project.varve.path("here")
        return self.project.build(*self.more, "--store", store).result.stdout

    def sleeping(self):
        """Job and node of a step that is asleep: no other runs for two seconds."""
        found = []

        def look():
            lines = self.cluster.run("squeue", "-h", "-r", "-t", "R", "-o", "%i %N %M").splitlines()
            found[:] = [line.split()[:2] for line in lines if int(line.split()[2].split(":")[-1]) >= 2]
            return found
        self.cluster.wait_for(look)
        return found[0]

    def hasten(self, job):
        """What is put back waits two minutes, else."""
        time.sleep(1)
        self.cluster.run("scontrol", "update", f"JobId={job}", "StartTime=now")

    def finish(self, child):
        """The whole output of a build that was started, and that its digests are right."""
        stdout, stderr = child.communicate(timeout=300)
        assert child.returncode == 0, stderr
        assert stdout == self.here() and stdout
        return stderr


# --- faults: each leaves the image built -----------------------------------------------------------

def node_dies(bed):
    """Its daemon and what it ran are gone: Slurm puts the job back, another node makes the step."""
    child = bed.start()
    _, node = bed.sleeping()
    bed.cluster.kill_node(node)
    other = next(one for one in bed.cluster.nodes if one != node)
    assert f"runs on {other}" in bed.finish(child)


def time_limit(bed):
    """The figure to ask for is named; what was made stays."""
    bed.write(memory="200M", time="1")
    failed = bed.build(rc=1, nap=300)
    assert 'its job was killed by its time limit (00:01:00)' in failed.text
    assert 'ask for more: slurm: {time: "00:02:00"}' in failed.text
    bed.finish(bed.start(nap=0))


def memory_limit(bed):
    """As Slurm's own gatherer enforces it here; a node with control groups reports OUT_OF_MEMORY, which is read alike."""
    bed.write(memory="100M")
    failed = bed.build(rc=1, nap=0, hog="400M")
    assert "its job was killed by its memory limit (100M)" in failed.text and "slurm: {memory: " in failed.text
    bed.finish(bed.start(nap=0))


def requeue(bed):
    child = bed.start()
    job, _ = bed.sleeping()
    bed.cluster.run("scontrol", "requeue", job)
    bed.hasten(job)
    bed.finish(child)


def preemption(bed):
    """A job of a partition that goes first wants all nodes."""
    child = bed.start()
    job, _ = bed.sleeping()
    count = len(bed.cluster.nodes)
    bed.cluster.run("sbatch", "--partition=first", f"--nodes={count}", "--exclusive", "--output=/dev/null", "--wrap=sleep 2")
    bed.cluster.wait_for(lambda: "first" in bed.cluster.run("squeue", "-h", "-t", "R", "-o", "%P"))
    bed.hasten(job)
    bed.finish(child)
    assert "Restarts=1" in bed.cluster.run("scontrol", "show", "job", job)


def full_disk(bed):
    """Nothing half made is kept, and with room again the build goes on."""
    if os.getuid() != 0:
        pytest.skip("only root can mount a small file system")
    account, store = bed.project.account, bed.project.varve.store
    store.mkdir()
    options = f"size=24m,uid={account.uid},gid={account.gid},mode=755"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "varve", store], check=True)
    try:
        bed.project.varve("images")  # makes the store
        filler = store / "logs/filler"
        filler.parent.mkdir()
        fill(filler, store, 1 << 20)
        failed = bed.build(rc=None, nap=0)
        assert failed.result.rc in (1, 3), failed.text
        assert "full" in failed.text or "no space" in failed.text.lower(), failed.text
        filler.unlink(missing_ok=True)
        bed.cluster.wait_for(lambda: not bed.cluster.run("squeue", "-h").strip())
        bed.finish(bed.start(nap=0))
    finally:
        subprocess.run(["umount", "-l", store], check=True)


def fill(path, place, left):
    room = os.statvfs(place)
    with open(path, "wb") as file:
        file.write(bytes(room.f_bavail * room.f_frsize - left))


def two_submitters(bed):
    """Each step is submitted once."""
    both = [bed.start(nap=2) for _ in range(2)]
    jobs = [bed.finish(child) for child in both]
    count = len(bed.cluster.jobs())
    assert count == EXPECTED_JOBS[bed.name], jobs


def submitter_dies(bed):
    """Killed, not asked: its jobs go on, and the same build joins them."""
    child = bed.start()
    bed.sleeping()
    bed.project.varve.stop(child)
    bed.finish(bed.start())
    assert len(bed.cluster.jobs()) == EXPECTED_JOBS[bed.name]


def clocks_differ(bed):
    """Nodes that are two days ahead of the submitter."""
    need("faketime")
    varve = bed.project.varve
    program = varve.write("ahead", f"#!/bin/sh\nexec faketime -f +2d {varve.binary} \"$@\"\n", 0o755)
    varve.write("config/varve/config.json", json.dumps({"slurm": {"program": str(program)}}))
    bed.finish(bed.start(nap=0))


EXPECTED_JOBS = {"chain": 4, "fan": 9, "matrix": 8}
BREAKS = (node_dies,)  # the cluster
LONG = (node_dies, time_limit, preemption)
FAULTS = (node_dies, time_limit, memory_limit, requeue, preemption, full_disk, two_submitters, submitter_dies, clocks_differ)


def cases(broken):
    names = list(RECIPES)
    for number, fault in enumerate(FAULTS):
        for name in names if (fault in BREAKS) == broken else ():
            always = name == names[number % len(names)] and fault not in LONG
            yield pytest.param(name, fault, id=f"{name}-{fault.__name__}", marks=() if always else pytest.mark.slow)


PREEMPTION = ("PreemptType=preempt/partition_prio\nPreemptMode=REQUEUE\n"
              "PartitionName=first Nodes=ALL MaxTime=INFINITE State=UP PriorityTier=10 PreemptMode=OFF\n")


@pytest.fixture(scope="module")
def preempting_cluster():
    with kept_cluster(more=PREEMPTION) as one:
        yield one


@pytest.fixture
def server(tmp_path):
    need("git")
    GitRepository(tmp_path / "srv/code").commit({"a": "code\n"})
    one = GitServer(tmp_path / "srv")
    yield one
    one.close()


@pytest.mark.parametrize("name, fault", list(cases(False)))
def test_fault(preempting_cluster, as_user, server, name, fault):
    fault(Bed(preempting_cluster.begin(Project(as_user("subuid"))), name, server))


@pytest.mark.parametrize("name, fault", list(cases(True)))
def test_broken_cluster(lone_cluster, server, name, fault):
    fault(Bed(lone_cluster, name, server))
