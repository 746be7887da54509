# SPDX-License-Identifier: Apache-2.0
"""Layers of zstd:chunked: read by an oracle of our own, by zstd, and in parts by skopeo."""
import json
import os
import pathlib
import random
import re
import shutil
import subprocess

import chunked
import pytest
from conftest import find_binary
from oci_layer import check_layer
from registries import bed  # noqa: F401
from registry import real
from support import NAME, Project, copy, own_project, run  # noqa: F401

STRANGE = {"name \u00fc <&>": "x", "-" * 120 + "/" + "y" * 150: "long", "empty": b"", "lnk": ("link", "empty"),
           "run": ("#!/bin/sh\n", 0o755), "exact": b"e" * (1 << 20), "over": b"o" * ((1 << 20) + 1)}


def files(changed=()):
    made = {f"d{i % 7}/f{i:03}": f"{i}\n" * (i * 3 + (7 if i in changed else 1)) for i in range(200)}
    return {**made, "large": bytes(i % 251 * (i % 4099 > 100) & 255 for i in range(2_500_000)), **STRANGE}


def blob_of(project, layer=-1):
    descriptor = project.image().manifest["layers"][layer]
    return descriptor, (project.varve.store / "blobs/sha256" / descriptor["digest"][7:]).read_bytes()


@pytest.fixture
def project(varve):
    one = Project(varve)
    one.tree("tree", files())
    one.write_recipe({"varve": 1, "name": "t", "sources": {"tree": {"kind": "local", "path": "tree"}},
                      "stages": {"main": {"steps": [copy("files", "tree", "/data")]}},
                      "images": {"main": {"stage": "main", "name": NAME}}})
    return one


def test_table_frames_and_annotations(project, need, tmp_path):
    need("zstd")
    project.build("--compression", "zstd")
    plain = project.image()
    project.build("--compression", "zstd:chunked")
    descriptor, blob = blob_of(project)
    toc = chunked.check(blob)
    assert descriptor["annotations"] == chunked.annotations(blob)
    assert descriptor["mediaType"] == "application/vnd.oci.image.layer.v1.tar+zstd"
    assert project.image().config == plain.config  # diff ids, history: all the same
    by_name = {entry["name"]: entry for entry in toc["entries"] if entry["type"] != "chunk"}
    assert by_name["data/run"]["mode"] == 0o755 and by_name["data/lnk"]["linkName"] == "empty"
    assert len([entry for entry in toc["entries"] if entry["type"] == "chunk"]) == 2 + 1
    (tmp_path / "blob").write_bytes(blob)
    assert check_layer(tmp_path / "blob", "zstd", project.diff_ids()[-1], None) == []


def test_steps_with_all_kinds_of_entries(own_project, need):
    need("zstd")
    own_project.recipe([run("a", "mkfifo /p; echo x >/a; ln /a /b; rm /etc/group; mkdir -p /d/e; chown 7:8 /d; seq 400000 >/d/big")])
    own_project.build("--compression", "zstd:chunked:1")
    _, blob = blob_of(own_project)
    entries = {entry["name"]: entry for entry in chunked.check(blob)["entries"] if entry["type"] != "chunk"}
    assert entries["p"]["type"] == "fifo" and entries["b"] == {**entries["b"], "type": "hardlink", "linkName": "a"}
    assert entries["etc/.wh.group"]["type"] == "reg" and entries["d/"]["gid"] == 8
    assert len(own_project.image().manifest["layers"]) == 2  # and the root's has annotations too
    assert all("annotations" in layer for layer in own_project.image().manifest["layers"])


@pytest.mark.parametrize("damage", [False, True])
def test_frames_of_the_last_build_change_no_byte(project, need, damage):
    need("zstd")
    project.build("--compression", "zstd:chunked")
    descriptor, before = blob_of(project)
    project.tree("tree", files(changed=(3, 77)))
    if damage:  # in the frames and not at the end: its table is still read
        path = project.varve.store / "blobs/sha256" / descriptor["digest"][7:]
        path.chmod(0o644)
        path.write_bytes(bytes(reversed(before[:len(before) // 3])) + before[len(before) // 3:])
    project.build("--compression", "zstd:chunked")
    _, after = blob_of(project)
    chunked.check(after, content_limit=20)
    project.varve("gc", "--keep", "0", rc=None)
    shutil.rmtree(project.varve.store)
    project.build("--compression", "zstd:chunked")
    assert blob_of(project)[1] == after


def large(seed):
    return random.Random(seed).randbytes(1 << 20) * 9


def spoil(path, times=None):
    """Ruins what lies before the mark. times: as they were, so that stat does not show it."""
    data = path.read_bytes()
    path.chmod(0o644)
    path.write_bytes(bytes(1000) + data[1000:])
    if times:
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


@pytest.mark.parametrize("then", ["nothing", "linked", "touched", "no fact", "other content", "other mode", "module"])
def test_a_layer_goes_on_from_a_mark_of_the_last_one(project, need, then):
    """Two files of 9 MB, whose end is a mark: where all is known to be as it was nobody looks at them. That is seen by what
    no stat shows being copied; frames that are looked at are never believed."""
    need("zstd")
    project.tree("tree", {"a/1": large(1), "a/2": large(2), **({"a/0.pyc": "module"} if then == "module" else {})})
    project.build("--compression", "zstd:chunked")
    descriptor, before = blob_of(project)
    path = project.varve.store / "blobs/sha256" / descriptor["digest"][7:]
    fact = project.varve.store / "facts/marks" / descriptor["digest"][7:]
    assert fact.stat().st_size > 400
    spoil(path, None if then == "touched" else path.stat())
    if then == "linked":
        os.link(path, path.parent.parent / "another")
    elif then == "no fact":
        fact.unlink()
    project.tree("tree", {"b": "new", "a/1": (large(3 if then == "other content" else 1), 0o755 if then == "other mode" else 0o644)})
    project.build("--compression", "zstd:chunked")
    again, after = blob_of(project)
    is_copied = then in ("nothing", "linked")
    assert (after[:1000] == bytes(1000)) == is_copied
    whole = before[:1000] + after[1000:] if is_copied else after
    assert chunked.sha(whole) == again["digest"]
    chunked.check(whole)
    project.varve("gc", "--keep", "0", rc=None)
    shutil.rmtree(project.varve.store)
    project.build("--compression", "zstd:chunked")
    assert blob_of(project)[1] == whole


@pytest.mark.parametrize("command", ["touch /$(printf '\\377')", "echo >'/a\\x2db'", "touch '/a\"b'", "ln -s 'a\\b' /l"])
def test_a_layer_that_no_table_can_describe(own_project, need, command):
    """No UTF-8; or an escape in JSON, that skopeo and podman would make other names of."""
    need("zstd")
    own_project.recipe([run("a", command)])
    own_project.build("--compression", "zstd:chunked")
    descriptor, blob = blob_of(own_project)
    assert chunked.footer(blob) is None and "annotations" not in descriptor
    assert chunked.sha(chunked.unzstd(blob)) == own_project.diff_ids()[-1]


def test_threads_make_no_difference(tmp_path, need):
    need("zstd")
    tool = pathlib.Path(find_binary()).parents[2] / "tests/golden/layer_tool"
    if not tool.exists():
        pytest.skip("layer_tool is not built")
    for path, value in files().items():
        Project.entry(tmp_path / "tree" / path, value)
    told = [json.loads(subprocess.run([tool, "pack", tmp_path / "tree", "zstd:chunked", tmp_path / f"blob{threads}", str(threads)],
                                      check=True, capture_output=True).stdout) for threads in (1, 2, 7)]
    assert told[0] == told[1] == told[2]
    blob = (tmp_path / "blob7").read_bytes()
    assert chunked.sha(blob) == told[0]["digest"] and chunked.sha(chunked.unzstd(blob)) == told[0]["diffId"]


STORAGE = """[storage]
driver = "overlay"
graphroot = "{0}/graph"
runroot = "{0}/run"
[storage.options]
pull_options = {{enable_partial_images = "true", use_hard_links = "false", ostree_repos = ""}}
"""


def test_skopeo_pulls_parts(project, bed, need, tmp_path):  # noqa: F811
    """Debian's skopeo fetches the table, and of a second image only what changed; podman shows the same files."""
    need("skopeo")
    need("podman")
    if os.geteuid() != 0:
        pytest.skip("overlay mounts by podman need root")
    server = bed.start(real.Distribution, "docker-registry")
    (tmp_path / "storage.conf").write_text(STORAGE.format(tmp_path))
    environment = {**os.environ, "CONTAINERS_STORAGE_CONF": str(tmp_path / "storage.conf")}

    def pull():
        project.build("--compression", "zstd:chunked")
        project.varve("push", NAME, f"docker://{server.host}/app:1", timeout=60)
        done = subprocess.run(["skopeo", "--debug", "copy", "--insecure-policy", "--src-tls-verify=false",
                               f"docker://{server.host}/app:1", "containers-storage:localhost/app:1"],
                              env=environment, capture_output=True, text=True, timeout=100)
        if "Operation not permitted" in done.stderr or "not supported by overlay" in done.stderr:
            pytest.skip(f"no overlay storage here: {done.stderr.splitlines()[-1]}")
        assert done.returncode == 0 and "Retrieved partial blob" in done.stderr, done.stderr[-3000:]
        return done.stderr

    def podman(*arguments):
        return subprocess.run(["podman", *arguments], env=environment, capture_output=True, text=True, timeout=60,
                              check=True).stdout.strip()

    try:
        pull()
        project.tree("tree", files(changed=(5,)))
        missing, whole = map(int, re.search(r"Missing (\d+) bytes out of (\d+)", pull()).groups())
        assert missing < whole / 100
        top = podman("image", "mount", "localhost/app:1")
        assert subprocess.run(["diff", "-r", "--no-dereference", f"{top}/data", project.varve.path("tree")]).returncode == 0
    finally:
        subprocess.run(["podman", "image", "umount", "-a"], env=environment, capture_output=True, timeout=60)
        subprocess.run(["podman", "rmi", "-a", "-f"], env=environment, capture_output=True, timeout=60)
