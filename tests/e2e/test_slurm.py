# SPDX-License-Identifier: Apache-2.0
"""Steps made by the jobs of a real Slurm, on loopback. What goes wrong meanwhile: test_slurm_faults.py."""
import json
import os
import signal

import pytest
from remote_disk import remote  # noqa: F401
from slurm_bed import cluster, shared_cluster  # noqa: F401
from registry.real import Distribution
from support import ROOT, Build, own_project, run  # noqa: F401

SLURM = ("--executor", "slurm")


def branches(count):
    """A root, that many stages side by side, and one that collects them."""
    stages = {f"s{i}": {"from": "base", "steps": [run("make", f"echo {i} >/{i}")]} for i in range(count)}
    mounts = {f"/in/{i}": f"s{i}:/{i}" for i in range(count)}
    return {"main": {"from": "base", "steps": [run("all", "cat /in/* >/all", mounts=mounts)]},
            "base": {"steps": [ROOT]}, **stages}


def test_same_bytes(cluster):
    """All missing steps are jobs, in the order that the plan wants; the digest is the local build's."""
    project = cluster.project
    project.recipe(stages=branches(6))
    here = project.build("--store", project.varve.path("here"))
    there = project.build(*SLURM)
    assert there.digests == here.digests
    assert there.ran == here.ran
    states = [state for _, state in cluster.jobs()]
    assert states == ["COMPLETED"] * 8
    again = project.build(*SLURM)
    assert not again.ran and len(cluster.jobs()) == 8


def side_by_side(project, count, command):
    """A root, that many stages side by side, and an image of each."""
    steps = {i: [run("make", f"{command}; echo {i} >/{i}; echo made {i}")] for i in range(count)}
    stages = {"main" if i == 0 else f"s{i}": {"from": "base", "steps": steps[i]} for i in range(count)}
    project.recipe(stages={"base": {"steps": [ROOT]}, **stages},
                   images={name: {"stage": name, "name": f"t/{name}"} for name in stages})


def test_short_steps_share_jobs(cluster):
    """A job goes on with steps that nobody has begun, since Slurm takes a second to start another one."""
    project = cluster.project
    side_by_side(project, 20, "sleep 1")
    there = project.build(*SLURM)
    assert sorted(there.output) == sorted(f"made {i}" for i in range(20))
    cluster.wait_for(lambda: all(state in ("COMPLETED", "CANCELLED") for _, state in cluster.jobs()), 20)
    assert 4 <= [state for _, state in cluster.jobs()].count("COMPLETED") < 17  # and the root's
    assert there.digests == project.build("--jobs", "20", "--store", project.varve.path("here")).digests


def test_a_shared_job_that_dies(cluster):
    """What a job went on with is made by its own job then."""
    project = cluster.project
    side_by_side(project, 10, "sleep 2")
    child = project.start(*SLURM)
    results = project.varve.store / "slurm/results"

    def shared():
        """Jobs that have made their own step and go on with another one."""
        running = cluster.run("squeue", "-h", "-t", "RUNNING", "-r", "-o", "%i").split()
        return [job for job in running if (results / job).exists() and len(list(results.glob("*.taken"))) < 9]
    found = []
    cluster.wait_for(lambda: found.extend(shared()) or found)
    cluster.run("scancel", "--signal=KILL", "--full", *found)
    result = Build(project.varve.stop(child, 0))
    assert result.result.rc == 0, result.text
    assert result.digests == project.build("--jobs", "20", "--store", project.varve.path("here")).digests


def test_output_and_failure(cluster):
    """What a step prints is followed; its error, log and exit status are as here; dependents end."""
    project = cluster.project
    project.recipe([run("bad", "echo one; echo two; exit 7"), run("after", "true")])
    build = project.build(*SLURM, rc=1)
    assert build.output == ["one", "two"]
    assert "step main/bad: the command failed with exit status 7\nlog: " in build.text
    cluster.wait_for(lambda: "PENDING" not in [state for _, state in cluster.jobs()])
    assert [state for name, state in cluster.jobs() if name.endswith("main/after")] == ["CANCELLED"]


def test_resources(cluster):
    """jobs says cores and memory, settings and the step's own fields weigh more."""
    project = cluster.project
    project.varve.write("config/varve/config.json", json.dumps({"slurm": {"partition": "p", "memory": "300M"}}))
    project.recipe([run("plain", "true", jobs=2, jobs_memory="100M"),
                    run("own", "true", jobs=2, slurm={"cores": "1", "memory": "400M"})])
    project.build(*SLURM)
    asked = {}
    for line in cluster.run("scontrol", "show", "job", "--oneliner").splitlines():
        words = dict(word.split("=", 1) for word in line.split() if "=" in word)
        if int(words["JobId"]) > cluster.mark:
            asked[words["JobName"].rsplit("/", 1)[-1]] = (words["CPUs/Task"], words["MinMemoryNode"], words["Partition"])
    assert asked["plain"] == ("2", "300M", "p") and asked["own"] == ("1", "400M", "p")


def test_detach_join_cancel(cluster):
    """Who leaves can come back: the same build joins what is queued, and submits nothing twice."""
    project = cluster.project
    project.recipe([run("slow", "sleep 6; echo done >/x"), run("after", "echo a >/a")])
    left = project.build(*SLURM, "--detach")
    steps = [line.split()[1] for line in left.result.stdout.splitlines()]
    assert steps == ["main/root", "main/slow", "main/after"]
    status = project.varve("status", "--json").json()
    assert {one["step"] for one in status} == set(steps)
    joined = project.build(*SLURM)
    assert len(joined.digests) == 1 and len(cluster.jobs()) == 3
    project.recipe([run("slow", "sleep 60; echo never >/x")])
    project.build(*SLURM, "--detach")
    cancelled = project.varve("cancel", "main/slow").stdout
    assert cancelled.split()[1:] == ["main/slow"]
    cluster.wait_for(lambda: "RUNNING" not in [state for _, state in cluster.jobs()])


def test_interrupt_ends_jobs(cluster):
    """Without a terminal nobody can be asked: what was submitted is cancelled."""
    project = cluster.project
    project.recipe([run("slow", "sleep 100")])
    child = project.start(*SLURM)
    cluster.wait_for(lambda: ("varve:t:main/slow", "RUNNING") in cluster.jobs())
    os.kill(child.pid, signal.SIGINT)
    child.communicate(timeout=60)
    assert child.returncode != 0
    cluster.wait_for(lambda: not {"RUNNING", "PENDING"} & {state for _, state in cluster.jobs()})


def test_nothing_shared_but_a_registry(cluster):
    """Nodes with a store of their own; layers travel through the cache."""
    project = cluster.project
    project.recipe([run("one", "echo 1 >/1"), run("two", "cat /1 >/2")])
    here = project.build("--store", project.varve.path("here"))
    with Distribution("docker-registry") as registry:
        cache = ("--cache-from", f"{registry.host}/cache", "--cache-to", f"{registry.host}/cache")
        node_store = project.account.directory() / "node"
        there = project.build(*SLURM, "--node-store", node_store, *cache)
        assert there.digests == here.digests and there.ran == ["main/one", "main/root", "main/two"]
    refused = project.build(*SLURM, "--node-store", node_store, rc=2)
    assert "--cache-from and --cache-to are needed" in refused.text


def test_store_on_a_network_file_system(cluster, remote):
    """Jobs work on the disks of their nodes, which have one path there and another content."""
    project = cluster.project
    remote(project)
    place = project.account.directory()
    program = project.varve.write("on-node", "#!/bin/sh\n"
                                  f"SLURM_TMPDIR={place}/$SLURMD_NODENAME; export SLURM_TMPDIR; mkdir -p $SLURM_TMPDIR\n"
                                  f"exec {project.varve.binary} \"$@\"\n", 0o755)
    settings = {"program": str(program), "scratch": "$SLURM_TMPDIR"}
    project.varve.write("config/varve/config.json", json.dumps({"slurm": settings}))
    project.recipe(stages=branches(6))
    there = project.build(*SLURM)
    assert not list(project.varve.store.glob("trees/*/*"))
    used = [path.name for path in place.iterdir() if list(path.glob("varve-*/trees/*/*"))]
    assert used and set(used) <= set(cluster.nodes)
    assert not list(place.glob("*/varve-*/tmp/*"))
    assert there.digests == project.build("--store", project.varve.path("here"), env={"LD_PRELOAD": ""}).digests


def test_step_run_and_gitlab(own_project):
    """The child pipeline's jobs, run one by one in the order of their needs, make what a build makes."""
    project = own_project
    project.recipe(stages=branches(3))
    here = project.build("--store", project.varve.path("here"))
    pipeline = project.varve("plan", "r.yaml", "--format", "gitlab", "--ship", "plan.json").stdout
    yaml = pytest.importorskip("yaml")
    jobs = yaml.safe_load(pipeline)
    assert jobs.pop("stages") == ["varve"]
    done = set()
    while len(done) < len(jobs):
        name = next(one for one in sorted(jobs) if one not in done and set(jobs[one]["needs"]) <= done)
        assert "varve step run" in jobs[name]["script"][0] and name in jobs[name]["script"][0]
        project.varve("step", "run", "plan.json", name)
        done.add(name)
    assert not project.build().ran and project.build().digests == here.digests
    refused = project.varve("step", "run", "plan.json", "main/all", "--store", project.varve.path("empty"), rc=None)
    assert refused.rc != 0 and "which it needs, is not in the store" in refused.stderr


CHOICES = {"arch": {"choices": ["a", "b", "c"], "default": "a"}}


def of_arch():
    steps = [ROOT, run("same", "echo same >/same")]
    return {"stages": {"base": {"steps": steps},
                       "main": {"from": "base", "steps": [run("own", "echo $A >/a", environment={"A": "${arch}"})]}},
            "images": {"main": {"stage": "main", "name": "t/${arch}:1"}}}


def test_all_values(own_project):
    """One build for each value: digests as one by one, in the order of the recipe."""
    project = own_project
    project.recipe(options=CHOICES, **of_arch())
    one_by_one = [project.varve("build", "r.yaml", "--arch", arch, "--store", project.varve.path("one")).stdout
                  for arch in "abc"]
    done = project.varve("build", "r.yaml", "--all", "arch")
    assert done.stdout == "".join(one_by_one)
    assert "arch=b: " in done.stderr
    images = project.varve("build", "r.yaml", "--all=arch", "--json").json()
    assert [image["name"].split("/")[-1] for image in images] == ["a:1", "b:1", "c:1"]
    assert "no such option" in project.varve("build", "r.yaml", "--all", "size", rc=2).stderr


def test_all_values_on_slurm(cluster):
    """What they share is submitted once."""
    project = cluster.project
    project.recipe(options=CHOICES, **of_arch())
    done = project.varve("build", "r.yaml", "--all", "arch", *SLURM, timeout=120)
    assert len(done.stdout.splitlines()) == 3
    assert len(cluster.jobs()) == 5


@pytest.mark.parametrize("arguments, said", [
    (("--executor", "nomad"), "--executor nomad: local or slurm is needed"),
    (("--detach",), "--detach makes sense with --executor slurm"),
    (("--executor", "slurm", "--node-store", "relative"), "an absolute path is needed")])
def test_wrong_use(own_project, arguments, said):
    own_project.recipe([run("x", "true")])
    assert said in own_project.build(*arguments, rc=2).text


def test_unknown_field(own_project):
    own_project.recipe([run("x", "true", slurm={"core": "2"})])
    assert '"slurm" knows no "core"' in own_project.build(rc=2).text


def test_no_slurm_here(own_project):
    own_project.recipe([run("x", "true")])
    own_project.varve.env["PATH"] = "/nonexistent"
    assert "needs Slurm's programs" in own_project.build(*SLURM, rc=3).text
