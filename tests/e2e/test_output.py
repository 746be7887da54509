# SPDX-License-Identifier: Apache-2.0
"""Images written out, read by tarfile and by other programs."""
import hashlib
import json
import re
import subprocess
import tarfile

import pytest
from oci_image import Image
from oci_schema import check_layout
from support import NAME, own_project, project, project_of, run  # noqa: F401  fixtures

BLOB = re.compile("blobs/sha256/.")
STEPS = [run("a", "echo a >/a; mkdir /d; ln /a /d/same; ln -s a /l; chown 3:4 /d"), run("rm", "rm /etc/group; touch /d/x")]
IMAGES = {"one": {"stage": "main", "name": "t/one:1", "config": {"command": ["sh"]}},
          "two": {"stage": "main", "name": "t/two:2", "config": {"command": ["cat"]}}}


def sha256(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def members(path):
    with tarfile.open(path, "r:") as archive:
        return {entry.name: archive.extractfile(entry).read() for entry in archive if entry.isreg()}


def tool(*command):
    return subprocess.run([str(word) for word in command], capture_output=True, text=True, check=True, timeout=60)


def test_a_layout(project):
    project.recipe(STEPS)
    build = project.build("-o", "oci:out")
    check_layout(project.varve.path("out"))
    assert Image(project.varve.path("out"), NAME).descriptor["digest"] == build.digests[NAME]
    assert Image(project.varve.path("out"), NAME).files == project.image().files


def test_a_layout_with_names(own_project):
    own_project.recipe(STEPS, images=IMAGES)
    own_project.build("-o", "oci:out")
    own_project.build("-i", "two", "-o", "oci:out:mine")
    check_layout(own_project.varve.path("out"))
    two = Image(own_project.varve.path("out"), "t/two:2")
    assert two.descriptor["digest"] == Image(own_project.varve.path("out"), "mine").descriptor["digest"]
    assert two.config["config"]["Cmd"] == ["cat"]
    assert Image(own_project.varve.path("out"), "t/one:1").config["config"]["Cmd"] == ["sh"]


def test_an_archive_of_a_layout(own_project, tmp_path):
    own_project.recipe(STEPS)
    build = own_project.build("-o", "oci-archive:out.tar")
    with tarfile.open(own_project.varve.path("out.tar"), "r:") as archive:
        names = archive.getnames()
        assert names.index("blobs") < names.index("blobs/sha256") < min(map(names.index, filter(BLOB.match, names)))
        archive.extractall(tmp_path / "out", **({"filter": "data"} if hasattr(tarfile, "data_filter") else {}))
    check_layout(tmp_path / "out")
    assert Image(tmp_path / "out", NAME).descriptor["digest"] == build.digests[NAME]


def test_an_archive_for_docker(own_project):
    own_project.recipe(STEPS)
    own_project.build("-o", "docker-archive:out.tar")
    files = members(own_project.varve.path("out.tar"))
    [manifest] = json.loads(files["manifest.json"])
    assert manifest["RepoTags"] == [NAME] or manifest["RepoTags"] == ["docker.io/" + NAME]
    config = json.loads(files[manifest["Config"]])
    assert sha256(files[manifest["Config"]]).split(":")[1] in manifest["Config"]
    assert [sha256(files[name]) for name in manifest["Layers"]] == config["rootfs"]["diff_ids"] == own_project.diff_ids()


def test_a_directory(own_project):
    own_project.recipe(STEPS)
    build = own_project.build("-o", "dir:out")
    manifest = own_project.varve.path("out", "manifest.json").read_bytes()
    assert sha256(manifest) == build.digests[NAME]
    document = json.loads(manifest)
    for blob in [document["config"], *document["layers"]]:
        assert sha256(own_project.varve.path("out", blob["digest"].split(":")[1]).read_bytes()) == blob["digest"]


def test_an_output_needs_no_step_again_and_may_be_repeated(own_project):
    own_project.recipe(STEPS)
    own_project.build()
    for _ in range(2):
        build = own_project.build("-o", "oci:out", "-o", "oci-archive:out.tar", "-o", "docker-archive:docker.tar")
        assert build.ran == []
    before = own_project.varve.path("docker.tar").read_bytes()
    own_project.build("-o", "docker-archive:docker.tar")
    assert own_project.varve.path("docker.tar").read_bytes() == before


@pytest.mark.parametrize("target, word", [("oci", "is no output"), ("zip:x", "is no output"), ("oci:", "path is missing"),
                                          ("oci:out:-bad", "reference name")])
def test_a_wrong_target_is_refused_before_anything_runs(own_project, target, word):
    own_project.recipe(STEPS)
    build = own_project.build("-o", target, rc=2)
    assert word in build.text and build.ran == []


def test_a_target_that_cannot_be_written(own_project):
    own_project.recipe(STEPS)
    own_project.varve.write("file", "x")
    build = own_project.build("-o", "oci:file/out", rc=1)
    assert "file/out" in build.text


# --- other programs ------------------------------------------------------------------------------

@pytest.mark.parametrize("compression", ["zstd", "gzip", "none"])
def test_skopeo_reads_and_copies(own_project, need, tmp_path, compression):
    need("skopeo")
    own_project.recipe(STEPS)
    build = own_project.build("--compression", compression, "-o", "oci:out:x", "-o", "oci-archive:out.tar:x",
                              "-o", "dir:plain")
    where = own_project.varve.path
    told = json.loads(tool("skopeo", "inspect", f"oci:{where('out')}:x").stdout)
    assert told["Digest"] == build.digests[NAME]
    assert told["Layers"] == [one["digest"] for one in own_project.image().manifest["layers"]]
    for source in (f"oci:{where('out')}:x", f"oci-archive:{where('out.tar')}:x", f"dir:{where('plain')}"):
        tool("skopeo", "--insecure-policy", "copy", "--preserve-digests", source, f"oci:{tmp_path}/copy:x")
        assert Image(tmp_path / "copy", "x").descriptor["digest"] == build.digests[NAME]


def test_skopeo_reads_the_archive_for_docker(own_project, need, tmp_path):
    need("skopeo")
    own_project.recipe(STEPS)
    own_project.build("-o", "docker-archive:docker.tar")
    archive = f"docker-archive:{own_project.varve.path('docker.tar')}"
    tool("skopeo", "--insecure-policy", "copy", "--dest-oci-accept-uncompressed-layers", archive, f"oci:{tmp_path}/copy:x")
    config = json.loads(tool("skopeo", "inspect", "--config", f"oci:{tmp_path}/copy:x").stdout)
    assert config["rootfs"]["diff_ids"] == own_project.diff_ids()


def test_skopeo_reads_the_store_in_place(own_project, need):
    need("skopeo")
    own_project.recipe(STEPS)
    build = own_project.build()
    told = json.loads(tool("skopeo", "inspect", f"oci:{own_project.varve.store}:{NAME}").stdout)
    assert told["Digest"] == build.digests[NAME]


def test_umoci_unpacks(project_of, need, tmp_path):
    need("umoci")
    project = project_of("root")
    project.recipe(STEPS)
    project.build("--compression", "gzip", "-o", "oci:out:x")
    tool("umoci", "unpack", "--image", f"{project.varve.path('out')}:x", tmp_path / "bundle")
    root = tmp_path / "bundle" / "rootfs"
    files = project.image().files
    found = {str(path.relative_to(root)): path for path in root.rglob("*")}
    assert set(found) == set(files)
    for name, path in found.items():
        stat = path.lstat()
        assert (stat.st_uid, stat.st_gid) == (files[name].uid, files[name].gid), name
        if files[name].kind != "l":
            assert stat.st_mode & 0o7777 == files[name].mode, name
        if files[name].kind == "f":
            assert path.read_bytes() == files[name].data, name
