# SPDX-License-Identifier: Apache-2.0
"""image sources: an image of this machine as the base of stages; its layers, history and bytes stay."""
import hashlib
import io
import json
import os
import shutil
import tarfile

import pytest
from oci_image import Image
from support import copy, own_project, project, project_of, run  # noqa: F401  fixtures
from test_debian import base, base_repo  # noqa: F401  fixtures

CONFIG = {"command": ["serve"], "entrypoint": ["/bin/env"], "environment": {"A": "base", "PATH": "/base:/bin"},
          "workdir": "/srv", "user": "1000:50", "ports": ["80"], "volumes": ["/data"], "labels": {"org.example.x": "base"}}
KINDS = {"oci": "oci:base", "oci-archive": "oci-archive:base.tar", "docker-archive": "docker-archive:base.tar"}


def make_base(project, *targets, file="base.yaml", **options):
    """An image t/base:1 with two layers, written to targets."""
    project.recipe([run("two", "echo two >/two; chmod 640 /two; rm /etc/group")], file=file, config=CONFIG,
                   images={"base": {"stage": "main", "name": "t/base:1", "config": CONFIG}})
    build = project.build(*(part for target in targets for part in ("-o", target)), file=file, **options)
    shutil.rmtree(project.varve.store) if project.account.ours else project.varve.run("rm", "-rf", project.varve.store)
    return build


def on_base(project, reference, steps=(), *, config=None, file="r.yaml", **fields):
    image = {"stage": "main", "name": "t/main:latest", **({"config": config} if config else {})}
    project.write_recipe({"varve": 1, "name": "t", "sources": {
        "base": {"kind": "image", "reference": reference, **fields}, **({"root": {"kind": "local", "path": "root"}} if any(
            step.get("copy") == "root" for step in steps) else {})},
        "stages": {"main": {"from": "base", **({"steps": list(steps)} if steps else {})}}, "images": {"main": image}}, file)


def read_layout(directory):
    """config and manifest of the only image of a layout."""
    def blob(digest):
        return (directory / "blobs" / digest.replace(":", "/")).read_bytes()
    [entry] = json.loads((directory / "index.json").read_text())["manifests"]
    manifest = json.loads(blob(entry["digest"]))
    return manifest, json.loads(blob(manifest["config"]["digest"]))


@pytest.mark.parametrize("kind", list(KINDS))
def test_steps_on_an_image(project, kind):
    make_base(project, KINDS[kind], "oci:reference")
    manifest, config = read_layout(project.varve.path("reference"))
    on_base(project, KINDS[kind], [run("three", "cat /two >/three; test ! -e /etc/group; echo $A >>/three"),
                                   copy("files", "root", "/opt")])
    project.build()
    image = project.image()
    assert image.files["three"].data == b"two\nbase\n" and image.files["two"].mode == 0o640
    assert "etc/group" not in image.files and "opt/bin/busybox" in image.files
    assert image.config["rootfs"]["diff_ids"][:2] == config["rootfs"]["diff_ids"]
    assert len(image.config["rootfs"]["diff_ids"]) == 4
    assert image.config["history"][:len(config["history"])] == config["history"]
    assert [one["created_by"] for one in image.config["history"][-2:]][1] == "copy root to /opt"
    if kind != "docker-archive":
        assert image.manifest["layers"][:2] == manifest["layers"]
    assert project.inside("cat /three", options=["--user", "0:0", "--workdir", "/"]).stdout == "two\nbase\n"


def test_the_config_is_inherited(own_project):
    make_base(own_project, "oci:base")
    on_base(own_project, "oci:base")
    own_project.build()
    inherited = own_project.image().config["config"]
    labels = inherited.pop("Labels")
    assert inherited == {"Cmd": ["serve"], "Entrypoint": ["/bin/env"], "Env": ["A=base", "PATH=/base:/bin"], "WorkingDir": "/srv",
                         "User": "1000:50", "ExposedPorts": {"80/tcp": {}}, "Volumes": {"/data": {}}}
    assert labels["org.example.x"] == "base" and labels["dev.varve.recipe"] == "t" and labels["dev.varve.image"] == "main"
    on_base(own_project, "oci:base", config={"entrypoint": ["/x"], "user": "0", "environment": {"PATH": "/new:${env.PATH}"},
                                             "ports": ["81"]})
    own_project.build()
    changed = own_project.image().config["config"]
    assert changed["Entrypoint"] == ["/x"] and "Cmd" not in changed and changed["User"] == "0"
    assert changed["Env"] == ["A=base", "PATH=/new:/base:/bin"]
    assert changed["ExposedPorts"] == {"80/tcp": {}, "81/tcp": {}}


def test_paths_of_an_image_are_copied_by_way_of_a_stage(project):
    make_base(project, "oci:base")
    project.recipe([copy("two", "from:/two", "/taken")], sources={"base": {"kind": "image", "reference": "oci:base"}},
                   stages={"from": {"from": "base"}})
    project.build()
    assert project.image().files["taken"].data == b"two\n"


def test_an_image_is_no_directory(own_project):
    own_project.recipe([copy("x", "base", "/x")], sources={"base": {"kind": "image", "reference": "oci:base"}})
    assert "a stage stands on it" in own_project.build(rc=2).text


def test_builds_are_cached_and_equal_elsewhere(project_of):
    digests = []
    for account in ("root", "subuid"):
        project = project_of(account)
        make_base(project, "oci:base")
        on_base(project, "oci:base", [run("three", "echo >/three")])
        digests.append(project.build().digests)
        again = project.build("--locked", "--offline")
        assert again.ran == [] and again.digests == digests[-1]
    assert digests[0] == digests[1]


def test_a_base_that_changed_is_taken_when_asked_for(own_project):
    make_base(own_project, "oci:base")
    on_base(own_project, "oci:base", [run("three", "echo >/three")])
    first = own_project.build().digests
    own_project.tree("root", {"new": "new"})
    shutil.rmtree(own_project.varve.path("base"))
    make_base(own_project, "oci:base")  # and the store is empty
    text = own_project.build(rc=1).text
    assert "no longer the one that the lock names" in text and "--upgrade base" in text
    own_project.varve("lock", "r.yaml", "--upgrade", "base")
    second = own_project.build()
    assert second.digests != first and own_project.image().files["new"].data == b"new"


def test_names_and_platforms(own_project):
    make_base(own_project, "oci:base:one")
    make_base(own_project, "oci:base:two")
    own_project.tree("root", {"other": "other"})
    make_base(own_project, "oci:base:other")
    on_base(own_project, "oci:base:one")
    own_project.build()
    on_base(own_project, "oci:base")
    assert "give a name" in own_project.build(rc=2).text
    on_base(own_project, "oci:base:three")
    text = own_project.build(rc=2).text
    assert "no image three" in text and "one, two, other" in text
    on_base(own_project, "oci:base:one", platform="linux/s390x")
    assert "linux/s390x" in own_project.build(rc=2).text
    on_base(own_project, "oci:nothing")
    own_project.build(rc=1)


def test_what_refers_to_an_image_is_no_second_one(own_project):
    """As `varve copy --referrers` writes it: an index of the name sha256-HEX."""
    make_base(own_project, "oci:base:one")
    top = own_project.varve.path("base")
    index = json.loads((top / "index.json").read_text())
    listed = b'{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}'
    digest = f"sha256:{hashlib.sha256(listed).hexdigest()}"
    (top / "blobs" / digest.replace(":", "/")).write_bytes(listed)
    name = index["manifests"][0]["digest"].replace(":", "-")
    index["manifests"].append({"mediaType": "application/vnd.oci.image.index.v1+json", "digest": digest, "size": len(listed),
                               "annotations": {"org.opencontainers.image.ref.name": name}})
    (top / "index.json").write_text(json.dumps(index))
    own_project.varve.account.own(top)
    on_base(own_project, "oci:base")
    own_project.build()


def test_an_index_of_platforms(own_project):
    make_base(own_project, "oci:base")
    layout = own_project.varve.path("base")
    [entry] = json.loads((layout / "index.json").read_text())["manifests"]
    name = entry["annotations"]["org.opencontainers.image.ref.name"]
    other = {"mediaType": entry["mediaType"], "digest": "sha256:" + 64 * "0", "size": 5,
             "platform": {"os": "unknown", "architecture": "unknown"}}
    inner = json.dumps({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json",
                        "manifests": [other, {key: entry[key] for key in ("mediaType", "digest", "size", "platform")}]}).encode()
    digest = hashlib.sha256(inner).hexdigest()
    (layout / "blobs/sha256" / digest).write_bytes(inner)
    own_project.varve.write("base/index.json", json.dumps({"schemaVersion": 2, "manifests": [
        {"mediaType": "application/vnd.oci.image.index.v1+json", "digest": "sha256:" + digest, "size": len(inner),
         "annotations": {"org.opencontainers.image.ref.name": name}}]}))
    on_base(own_project, "oci:base:" + name)
    own_project.build()
    assert own_project.image().files["two"].data == b"two\n"


# --- hostile layouts -----------------------------------------------------------------------------

def blobs(layout):
    return sorted((layout / "blobs/sha256").iterdir(), key=lambda path: path.stat().st_size)


@pytest.mark.parametrize("which", [0, 1, -1])
def test_a_swapped_blob_is_named(own_project, which):
    make_base(own_project, "oci:base")
    blob = blobs(own_project.varve.path("base"))[which]
    data = bytearray(blob.read_bytes())
    data[len(data) // 2] ^= 1
    blob.unlink()
    blob.write_bytes(data)
    on_base(own_project, "oci:base")
    assert blob.name in own_project.build(rc=1).text
    assert not own_project.varve.path("r.lock.json").exists()


def test_a_missing_blob_is_named(own_project):
    make_base(own_project, "oci:base")
    blob = blobs(own_project.varve.path("base"))[-1]
    blob.unlink()
    on_base(own_project, "oci:base")
    assert blob.name in own_project.build(rc=1).text


def test_links_do_not_lead_out_of_a_layout(own_project):
    make_base(own_project, "oci:base")
    layout = own_project.varve.path("base")
    blob = blobs(layout)[-1]
    outside = own_project.varve.path("outside")
    os.rename(blob, outside)
    blob.symlink_to(outside)
    on_base(own_project, "oci:base")
    own_project.build(rc=1)
    os.rename(layout / "blobs", own_project.varve.path("moved"))
    (layout / "blobs").symlink_to(own_project.varve.path("moved"))
    own_project.build(rc=1)


def rewrite(path, change):
    """Writes a tar anew; change(member, data) gives the members to write."""
    out = io.BytesIO()
    with tarfile.open(path) as old, tarfile.open(fileobj=out, mode="w") as new:
        for member in old:
            data = old.extractfile(member).read() if member.isfile() else None
            for one, content in change(member, data):
                one.size = len(content or b"")
                new.addfile(one, io.BytesIO(content) if content is not None else None)
    path.write_bytes(out.getvalue())


def test_an_archive_may_have_links_and_more(own_project):
    """`docker save` of old has layers as links to others."""
    make_base(own_project, "docker-archive:base.tar")
    path = own_project.varve.path("base.tar")

    def change(member, data):
        if not member.name.endswith(".tar"):
            return [(member, data)]
        link = tarfile.TarInfo(member.name)
        link.type, link.linkname = tarfile.SYMTYPE, f"real/{member.name}"
        member.name = f"real/{member.name}"
        odd = tarfile.TarInfo(f"odd-{len(data)}")
        return [(link, None), (member, data), (odd, b"odd")]
    rewrite(path, change)
    on_base(own_project, "docker-archive:base.tar:t/base:1")
    own_project.build()
    assert own_project.image().files["two"].data == b"two\n"


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "a/../../x", ""])
def test_manifests_that_name_files_elsewhere(own_project, name):
    make_base(own_project, "docker-archive:base.tar")

    def change(member, data):
        if member.name == "manifest.json":
            document = json.loads(data)
            document[0]["Layers"][0] = name
            data = json.dumps(document).encode()
        return [(member, data)]
    rewrite(own_project.varve.path("base.tar"), change)
    on_base(own_project, "docker-archive:base.tar")
    own_project.build(rc=1)


def test_a_layer_that_is_not_the_configs(own_project):
    make_base(own_project, "docker-archive:base.tar")

    def change(member, data):
        return [(member, data[:-512] + b"\1" + data[-511:] if member.name.endswith(".tar") else data)]
    rewrite(own_project.varve.path("base.tar"), change)
    on_base(own_project, "docker-archive:base.tar")
    assert "is not what the config says" in own_project.build(rc=1).text


@pytest.mark.parametrize("data", [b"", b"x", b"\x1f\x8b\x08\0", 1024 * b"\0", b"{}" + 510 * b"\1"])
def test_archives_that_are_none(own_project, data):
    own_project.varve.write("base.tar", data)
    own_project.busybox()
    for kind in ("oci-archive", "docker-archive"):
        on_base(own_project, f"{kind}:base.tar")
        assert "base.tar" in own_project.build(rc=1).text


def test_a_truncated_archive(own_project):
    make_base(own_project, "oci-archive:base.tar")
    path = own_project.varve.path("base.tar")
    path.write_bytes(path.read_bytes()[:-400000])
    on_base(own_project, "oci-archive:base.tar")
    own_project.build(rc=1)


def test_a_base_by_skopeo(own_project, need):
    need("skopeo")
    own_project.recipe([run("two", "echo two >/two")], file="base.yaml")
    own_project.build("-o", "oci:base", "--compression", "gzip", file="base.yaml")
    done = own_project.varve.run("skopeo", "--insecure-policy", "copy", "--quiet", "oci:base", "docker-archive:docker.tar:x/y:1")
    assert done.returncode == 0, done.stderr
    on_base(own_project, "docker-archive:docker.tar:x/y:1", [run("three", "cat /two >/three")])
    own_project.build()
    assert Image(own_project.varve.store, "t/main:latest").files["three"].data == b"two\n"


# --- Debian packages on an image -----------------------------------------------------------------

def test_packages_are_added_to_what_dpkg_of_the_image_knows(base, make_repo):  # noqa: F811
    repo = make_repo([{"name": "more", "depends": "owners, needed", "files": {"usr/share/more": "more\n"}},
                      {"name": "needed", "files": {"usr/share/needed": "n"},
                       "scripts": {"postinst": "#!/bin/sh\nset -e\ntest -x /usr/bin/suid\necho ran >/srv/ran\n"}}])
    base.varve("build", "base.yaml", *base.mirror, "-o", "oci:exported", "--progress", "quiet")
    base.varve.write("more.gpg", repo.keyring.read_bytes())
    base.varve.path("on.lock.json").unlink(missing_ok=True)
    base.write_recipe({"varve": 1, "name": "t", "sources": {
        "image": {"kind": "image", "reference": "oci:exported"},
        "more": {"kind": "debian", "suite": "bookworm", "mirror": "more", "keyring": "more.gpg", "packages": ["more"]}},
        "stages": {"main": {"from": "image", "steps": [{"step": "more", "install": "more"}]}},
        "images": {"main": {"stage": "main", "name": "t/on:1"}}}, "on.yaml")
    base.build("--mirror", f"more=file://{repo.path}", file="on.yaml")
    lock = json.loads(base.varve.path("on.lock.json").read_text())
    [more] = [source for source in lock["sources"] if source["name"] == "more"]
    assert sorted(artifact["name"] for artifact in more["artifacts"]) == ["more", "needed"]
    image = base.image("t/on:1")
    assert image.files["srv/ran"].data == b"ran\n" and image.files["usr/share/more"].data == b"more\n"
    assert base.inside("dpkg --audit; dpkg-query -W -f '${Status}' owners", image="t/on:1").stdout == "install ok installed"


def test_packages_cannot_go_on_an_image_without_dpkg(own_project, make_repo):
    repo = make_repo([{"name": "more", "files": {"usr/share/more": "more\n"}}])
    make_base(own_project, "oci:base")
    own_project.varve.write("more.gpg", repo.keyring.read_bytes())
    own_project.write_recipe({"varve": 1, "name": "t", "sources": {
        "image": {"kind": "image", "reference": "oci:base"},
        "more": {"kind": "debian", "suite": "bookworm", "keyring": "more.gpg", "packages": ["more"]}},
        "stages": {"main": {"from": "image", "steps": [{"step": "more", "install": "more"}]}},
        "images": {"main": {"stage": "main", "name": "t/on:1"}}})
    assert "has no dpkg" in own_project.build("--mirror", f"debian=file://{repo.path}", rc=2).text
