# SPDX-License-Identifier: Apache-2.0
"""Stores and sources on file systems of their own: what is said of space is so (du, gc, the plan's prediction, the early
refusal), and edits are seen where time stamps are coarse."""
import json
import os
import random
import subprocess
import threading
import time

import pytest

from support import NAME, copy, project_of, run  # noqa: F401 (project_of is a fixture)

MIB = 1 << 20


@pytest.fixture
def own_disk(project_of, tmp_path):
    """own_disk(ACCOUNT, MIB): a project whose store has an ext4 file system of its own, and what is used of that."""
    mounted = []

    def make(name, size, *options):
        project_of("root")  # who may mount
        project = project_of(name)
        image, where = tmp_path / "disk.img", project.varve.path("disk")
        with open(image, "wb") as file:
            file.truncate(size * MIB)
        subprocess.run(["mkfs.ext4", "-q", "-m", "0", "-O", "^has_journal", *options, image], check=True)
        where.mkdir()
        subprocess.run(["mount", "-o", "loop", image, where], check=True)
        mounted.append(where)
        os.rmdir(where / "lost+found")
        os.chown(where, project.account.uid, project.account.gid)

        def used():
            os.sync()
            now = os.statvfs(where)
            return (now.f_blocks - now.f_bfree) * now.f_frsize
        project.used, project.empty, project.disk = used, used(), where
        project.varve.store = where / "store"
        project.varve.env["VARVE_STORE"] = project.varve.store
        return project
    yield make
    for where in mounted:
        subprocess.run(["umount", "-l", where], check=False)


def noise(size, seed):
    return random.Random(seed).randbytes(size)


def big_tree(project, files=40, size=256 << 10):
    project.tree("big", {f"d{i % 7}/f{i}": noise(size, i) for i in range(files)})
    return files * size


def within_a_percent(told, true):
    assert abs(told - true) <= true / 100, (told, true)


@pytest.mark.parametrize("name", ["root", "subuid", "one"])
def test_du_and_gc_agree_with_the_file_system(own_disk, name):
    project = own_disk(name, 120)
    big_tree(project)
    closed = run("closed", "mkdir -m 700 /closed; chown 7:7 /closed 2>/dev/null; head -c 700000 /big/d0/f0 >/closed/a; ln /closed/a /closed/b")
    project.recipe([copy("big", "big", "/big"), closed], sources={"big": {"kind": "local", "path": "big"}})
    project.build()
    project.varve("copy", f"store:{NAME}", f"oci:{project.disk}/exported")
    total = project.varve("du", "--json").json()["total"]
    within_a_percent(total, project.used() - project.empty)
    before = project.used()
    freed = project.varve("gc", "--trees", "--json").json()["bytes"]
    within_a_percent(freed, before - project.used())
    for path in project.varve.store.glob("steps/*.json"):
        path.unlink()
    project.recipe([run("other", "touch /x")])
    project.build()
    before = project.used()
    dry = project.varve("gc", "--keep", "0", "--dry-run", "--json").json()["bytes"]
    freed = project.varve("gc", "--keep", "0", "--json").json()["bytes"]
    assert abs(dry - freed) <= 4096 * 4
    assert abs(freed - (before - project.used())) <= max(freed / 100, 4 * 4096), (freed, before - project.used())


@pytest.mark.parametrize("name", ["root"])
def test_a_build_that_cannot_fit_is_refused_at_once(own_disk, name):
    project = own_disk(name, 24)
    size = big_tree(project, files=100)
    ran = run("first", "echo ran")
    project.recipe([ran, copy("big", "big", "/big")], sources={"big": {"kind": "local", "path": "big"}})
    assert size > 24 * MIB
    plan = project.varve("plan", "r.yaml").stdout
    assert "to make" in plan.splitlines()[-1]
    result = project.varve("build", "r.yaml", rc=3)
    assert "no space for this build" in result.stderr and "MB left" in result.stderr and "gc" in result.stderr
    assert len(result.stderr.splitlines()) <= 3
    assert not list(project.varve.store.glob("blobs/sha256/*")) and not list(project.varve.store.glob("steps/*"))


def peak_while(project, *arguments):
    """Bytes used at most while the command runs, sampled every 2 ms, over what was used before."""
    highest, done = [0], threading.Event()

    def sample():
        while not done.is_set():
            now = os.statvfs(project.disk)
            highest[0] = max(highest[0], (now.f_blocks - now.f_bfree) * now.f_frsize)
            time.sleep(0.002)
    before = project.used()
    thread = threading.Thread(target=sample)
    thread.start()
    try:
        project.varve(*arguments)
    finally:
        done.set()
        thread.join()
    return max(highest[0], project.used()) - before


def test_the_peak_of_a_build_is_tree_and_blob(own_disk):
    project = own_disk("root", 200)
    big_tree(project, files=120)
    project.recipe([copy("big", "big", "/big")], sources={"big": {"kind": "local", "path": "big"}})
    said = json.loads(project.varve("plan", "r.yaml", "--json").stdout)["disk"]
    peak = peak_while(project, "build", "r.yaml")
    usage = project.varve("du", "--json").json()
    assert peak <= (usage["blobs"] + usage["trees"]) * 1.05, (peak, usage)
    assert said["fetch"] == 0 and 0.7 * peak < said["make"] < 1.3 * peak, (said, peak)


def test_edits_within_a_second_where_time_stamps_have_no_fraction(own_disk):
    """ext4 with small inodes keeps seconds only: same inode, size and times, other bytes."""
    project = own_disk("root", 40, "-I", "128")
    source = project.disk / "src"
    source.mkdir()
    file = source / "f"
    file.write_text("0")
    assert file.stat().st_mtime_ns % 10**9 == 0 and file.stat().st_ctime_ns % 10**9 == 0
    project.varve.path("link").symlink_to(source)
    project.recipe([copy("src", "src", "/src")], sources={"src": {"kind": "local", "path": "link"}})
    for number in range(1, 8):
        with open(file, "r+") as stream:
            stream.write(str(number))
        project.build()
        assert project.layer()["src/f"].data == str(number).encode()
