# SPDX-License-Identifier: Apache-2.0
"""Steps that work in a scratch directory of the machine: by choice, and because the store's file system, as NFS, cannot
hold the upper directory of an overlay."""
import json
import os
import subprocess
import time

import pytest
from remote_disk import remote  # noqa: F401
from support import NAME, copy, project_of, run  # noqa: F401

HERE = ("--store", "here")
STEPS = [run("make", "mkdir -p /d/e; echo x >/d/e/f; chown 7:8 /d/e/f; ln -s f /d/e/l; echo y >/y"),
         run("change", "rm -r /d/e; mkdir /d/e; cat /y >/d/e/g; rm /y")]


def own(directory):
    """What is ours in a scratch directory."""
    found = [path for path in directory.iterdir() if path.name.startswith("varve-")]
    assert len(found) == 1
    return found[0]


def trees(place):
    return sorted(path.name for path in place.glob("trees/*/*"))


@pytest.mark.parametrize("name", ["root", "subuid", "one"])
def test_a_store_on_a_network_file_system(project_of, remote, name):
    """One is chosen, with the reason; layers, records and image are in the store, all else beside it; same bytes."""
    project = project_of(name)
    remote(project)
    project.recipe(STEPS)
    build = project.build()
    notice = next(event["text"] for event in build.events if event["event"] == "notice")
    place = own(project.local)
    assert notice == f"steps work in {place} (--scratch names another place): the store's file system keeps no user xattrs"
    assert place.stat().st_mode & 0o777 == 0o700
    assert not trees(project.varve.store) and len(trees(place)) == 3
    assert not any((place / "tmp").iterdir()) and not any((project.varve.store / "tmp").iterdir())
    assert project.build().ran == []
    project.recipe([*STEPS, run("more", "cat /d/e/g >/more")])
    assert project.build().ran == ["main/more"]
    there = project.build("--store", project.varve.path("here"), env={"LD_PRELOAD": ""})
    assert there.digests == project.build().digests
    assert project.inside("cat /more").stdout == "y\n"


def test_none_and_what_to_do(project_of, remote):
    project = project_of("subuid")
    remote(project)
    project.recipe(STEPS)
    refused = project.build("--scratch", "none", rc=3)
    assert "its file system keeps no user xattrs\ntry: --scratch DIR (or VARVE_SCRATCH), a directory on a local disk" in refused.text
    rows = {row["name"]: row for row in project.varve("doctor", "--offline", "--json").json()}
    assert "the store's file system does not serve" in rows["scratch directory"]["detail"]
    assert rows["its file system"]["verdict"] == "ok"


def test_layers_are_unpacked_on_each_machine(project_of, remote):
    """Another machine has the same path and other contents: nothing in the store says what is there."""
    project = project_of("subuid")
    remote(project)
    project.recipe(STEPS)
    project.build()
    place = own(project.local)
    subprocess.run(["mv", place, place.with_name("of-another")], check=True)
    project.recipe([*STEPS, run("more", "cat /d/e/g >/more")])
    assert project.build().ran == ["main/more"] and len(trees(own(project.local))) == 4


@pytest.mark.parametrize("how", ["option", "environment", "setting", "variable"])
def test_ways_to_name_one(project_of, how):
    project = project_of("subuid")
    project.recipe([run("a", "echo a >/a")])
    place = project.account.directory()
    environment, options = {}, ()
    if how == "option":
        options = ("--scratch", place)
    elif how == "environment":
        environment = {"VARVE_SCRATCH": place}
    elif how == "setting":
        project.varve.write("config/varve/config.json", json.dumps({"scratch": str(place)}))
    else:
        environment, options = {"DISK": place.parent}, ("--scratch", f"$DISK/{place.name}")
    project.build(*options, env=environment)
    assert len(trees(own(place))) == 2 and not trees(project.varve.store)


@pytest.mark.parametrize("given, rc, said", [
    ("relative", 2, "scratch directory relative: an absolute path is needed"),
    ("$NOTHING/x", 2, "scratch directory $NOTHING/x: the environment does not say where"),
    ("/nonexistent", 3, "open the scratch directory /nonexistent: No such file or directory")])
def test_wrong_names(project_of, given, rc, said):
    project = project_of("subuid")
    project.recipe([run("a", "true")])
    assert said in project.build("--scratch", given, rc=rc).text


def test_several_accounts_in_one_directory(project_of, account):
    """Each has its own; one that another account made is not used."""
    shared = account("root").directory()
    shared.chmod(0o1777)
    for name in ("subuid", "one", "root"):
        project = project_of(name)
        project.recipe([run("a", "echo a >/a")])
        project.build("--scratch", shared)
    assert len(list(shared.iterdir())) == 3
    project = project_of("subuid")
    project.recipe([run("a", "echo b >/a")])
    place = shared / f"varve-{project.account.uid}"
    subprocess.run(["rm", "-rf", place], check=True)
    place.mkdir()
    assert f"the scratch directory {place} belongs to another account" in project.build("--scratch", shared, rc=3).text


def test_the_next_build_sweeps(project_of, remote):
    """What a killed one left in the scratch directory goes with the next, and so does what is left in the store."""
    project = project_of("subuid")
    remote(project)
    project.recipe([run("slow", "echo x >/x; echo ready; sleep 100")])
    child = project.start()
    for line in child.stderr:
        if '"ready"' in line:
            break
    project.varve.stop(child)
    place = own(project.local)
    assert any((place / "tmp").iterdir())
    left = project.varve.store / "tmp"
    project.varve.run("sh", "-c", f"mkdir {left}/job-1 && touch {left}/job-1/x {left}/job-1.lock && install -m 444 /dev/null {left}/.varve-1")
    project.recipe([run("quick", "echo x >/x")])
    project.build()
    for _ in range(100):  # in the background
        if not any((place / "tmp").iterdir()) and not any(left.iterdir()):
            break
        time.sleep(0.05)
    assert not any((place / "tmp").iterdir()) and not any(left.iterdir())


def test_failed_steps_gc_and_du(project_of, remote):
    project = project_of("subuid")
    remote(project)
    project.recipe([run("a", "echo a >/a"), run("fail", "rm /a; echo new >/n; exit 3")])
    project.build(rc=1)
    shell = project.varve("shell", "--failed", "r.yaml", "main/fail", "sh", "-c", "cat /n; ls /a", rc=None)
    assert shell.stdout == "new\n"
    place = own(project.local)
    du = project.varve("du", "--json").json()
    used = int(subprocess.run(["du", "-s", "-B1", place], capture_output=True, text=True, check=True).stdout.split()[0])
    assert du["scratch"] == used and f"besides in {place}" in project.varve("du").stdout
    assert project.varve("gc", "--trees", "--json").json()["trees"] == 2 and not trees(place)


def test_a_full_scratch_directory(project_of, account):
    """It is named: in the plan's refusal, by the step, and when a layer does not fit."""
    project = project_of("subuid")
    if os.getuid() != 0:
        pytest.skip("needs root: mounts a small file system")
    small = account("root").directory()
    options = f"size=16m,uid={project.account.uid},gid={project.account.gid},mode=755"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "varve", small], check=True)
    try:
        project.recipe([run("large", "dd if=/dev/urandom of=/x bs=1M count=40")])
        there = project.build("--scratch", small, rc=1)
        assert "there is no space on the disk of the scratch directory" in there.text
        project.tree("big", {"f": os.urandom(30 << 20)})
        project.recipe([copy("big", "big", "/big"), run("use", "cat /big/f >/dev/null")],
                       sources={"big": {"kind": "local", "path": "big"}})
        refused = project.build("--scratch", small, rc=3)
        assert f"the disk of the scratch directory ({small}/varve-{project.account.uid}) has" in refused.text
        assert "name another with --scratch" in refused.text
        project.build()
        project.recipe([copy("big", "big", "/big"), run("use", "cat /big/f >/dev/null"), run("again", "ls /big")],
                       sources={"big": {"kind": "local", "path": "big"}})
        unpacked = project.build("--scratch", small, rc=None)
        assert unpacked.result.rc != 0
        assert f"{small}/varve-{project.account.uid}" in unpacked.text and "is full" in unpacked.text
    finally:
        subprocess.run(["umount", "-l", small], check=True)


def test_two_builds_and_exports_at_once(project_of, remote):
    """Locks and renames as over NFS: each step is made once, both names are in the layout's index."""
    project = project_of("subuid")
    disk = remote(project)
    project.recipe([run("slow", "sleep 1; echo x >/x")])
    outputs = [f"oci:{disk}/out:{name}" for name in "ab"]
    both = [project.start("-o", output) for output in outputs]
    said = [child.communicate(timeout=60) for child in both]
    assert [child.returncode for child in both] == [0, 0], said
    assert sum(text.count('"event":"layer"') for _, text in said) == 2
    index = json.loads((disk / "out/index.json").read_text())
    assert sorted(one["annotations"]["org.opencontainers.image.ref.name"] for one in index["manifests"]) == ["a", "b"]
    assert sorted(path.name for path in (disk / "out").iterdir()) == ["blobs", "index.json", "oci-layout"]
    project.varve("copy", f"store:{NAME}", f"dir:{disk}/dir")
    assert ".varve-lock" not in os.listdir(disk / "dir")
    assert project.varve("gc", "--keep", "0").stdout
