# SPDX-License-Identifier: Apache-2.0
"""Stages on images of registries: locked by digest, their layers fetched only where somebody looks into them."""
import json
import re
import shutil
import subprocess

import pytest
from registries import bed  # noqa: F401  fixture
from support import copy, own_project, run  # noqa: F401  fixture

LINKED = [copy("put", "data", "/opt/data", link=True)]


class Based:
    """A base image in a registry, and recipes that start from it, in a store that knows nothing of it."""

    def __init__(self, project, bed):  # noqa: F811
        self.project, self.bed, self.registry = project, bed, bed.open()
        self.host = self.registry.host
        project.recipe([run("base", "head -c 3000000 /dev/urandom >/big; echo base >/base")],
                       images={"main": {"stage": "main", "name": f"{self.host}/team/base:1"}})
        project.build()
        project.varve("push", f"{self.host}/team/base:1")
        self.digest = self.registry.content.repository("team/base").tags["1"]
        project.tree("data", {"file": "data\n"})
        self.fresh("fresh")

    def fresh(self, name):
        self.project.varve.env["VARVE_STORE"] = self.project.varve.store = self.project.varve.path(name)
        self.registry.journal.clear()

    def recipe(self, steps, reference=None, *, sources=None, to="team/app:1", **more):
        used = {"data": {"kind": "local", "path": "data"}} if any("copy" in step for step in steps) else {}
        self.project.write_recipe({
            "varve": 1, "name": "d", **({"sources": {**used, **(sources or {})}} if used or sources else {}),
            "stages": {"main": {"from": reference or f"docker://{self.host}/team/base:1", "steps": steps}},
            "images": {"main": {"stage": "main", "name": f"{self.host}/{to}"}}, **more})

    @property
    def manifest(self):
        return json.loads(self.registry.content.manifest("team/base", self.digest)[2])

    @property
    def layers(self):
        return {one["digest"] for one in self.manifest["layers"]}

    def fetched(self):
        """Layers of the base that were read from the registry since the journal was cleared."""
        return {entry.reference for entry in self.registry.journal.of("blob-get")} & self.layers

    def image(self, name="team/app:1"):
        return self.project.image(f"{self.host}/{name}")


@pytest.fixture
def based(own_project, bed):  # noqa: F811
    return Based(own_project, bed)


def test_the_image_says_what_it_stands_on(based):
    based.recipe(LINKED)
    based.project.build()
    manifest = based.image().manifest
    assert manifest["annotations"] == {"org.opencontainers.image.base.name": f"{based.host}/team/base:1",
                                       "org.opencontainers.image.base.digest": based.digest}
    assert manifest["layers"][:-1] == based.manifest["layers"] and not based.fetched()


def test_a_committed_lock_and_a_tag_that_moved(based):
    based.recipe(LINKED)
    first = based.project.build()
    based.project.recipe([run("base", "echo other >/base")], file="other.yaml",
                         images={"main": {"stage": "main", "name": f"{based.host}/team/base:1"}})
    based.project.build(file="other.yaml")
    based.project.varve("push", f"{based.host}/team/base:1")
    based.fresh("later")
    assert based.project.build("--locked").digests == first.digests and not based.fetched()
    assert {entry.reference for entry in based.registry.journal.of("manifest-get")} == {based.digest}
    based.project.varve("lock", "r.yaml", "--upgrade", f"docker://{based.host}/team/base:1")
    assert based.project.build("--locked").digests != first.digests


def test_layers_come_when_somebody_looks(based):
    based.recipe(LINKED)
    based.project.build()
    assert not based.fetched()
    assert based.project.varve("run", f"{based.host}/team/app:1", "cat", "/base", "/opt/data/file").stdout == "base\ndata\n"
    assert based.fetched() == based.layers


@pytest.mark.parametrize("target", ["oci:out", "oci-archive:out.tar", "docker-archive:out.tar", "dir:out"])
def test_an_export_has_all_layers(based, target):
    based.recipe(LINKED)
    based.project.build("-o", target)
    assert based.fetched() == based.layers
    shutil.rmtree(based.project.varve.store)
    transport, path = target.split(":")
    based.project.varve("copy", f"{transport}:{based.project.varve.path(path)}", "store:again")
    assert based.project.varve("run", "again", "cat", "/base").stdout == "base\n"


def test_pushed_to_another_registry_the_layers_pass_through(based):
    other = based.bed.open()
    based.recipe(LINKED)
    based.project.build()
    based.project.varve("copy", f"store:{based.host}/team/app:1", f"docker://{other.host}/x/app:1")
    assert based.fetched() == based.layers and based.layers <= other.content.repository("x/app").blobs
    again = based.project.varve("copy", f"docker://{other.host}/x/app:1", "oci:pulled")
    assert again.rc == 0


def test_pushed_to_the_same_registry_they_are_mounted(based):
    based.recipe(LINKED)
    based.project.varve("build", "r.yaml", "--push")
    assert not based.fetched() and based.layers <= based.registry.content.repository("team/app").blobs
    assert based.registry.journal.uploaded("team/app") < 100_000
    if shutil.which("skopeo"):
        done = subprocess.run(["skopeo", "inspect", "--tls-verify=false", f"docker://{based.host}/team/app:1"],
                              capture_output=True, text=True)
        assert done.returncode == 0, done.stderr


def test_a_copy_that_has_to_look(based):
    """Without "link" the destination may go through a link of the base; once it is known, nobody looks again."""
    based.recipe([copy("put", "data", "/opt/data")])
    first = based.project.build()
    assert based.fetched() == based.layers
    based.registry.journal.clear()
    (based.project.varve.path("data") / "file").write_text("changed\n")
    assert based.project.build().digests != first.digests and not based.fetched()


def test_a_link_in_the_base_is_hidden_or_followed(based):
    based.project.recipe([run("base", "mkdir /real; ln -s real /opt")],
                         images={"main": {"stage": "main", "name": f"{based.host}/team/base:1"}})
    based.project.build()
    based.project.varve("push", f"{based.host}/team/base:1")
    based.fresh("links")
    based.recipe([copy("put", "data", "/opt/data")])
    based.project.build()
    assert "real/data/file" in based.image().layers[-1]
    based.recipe(LINKED)
    based.project.build()
    assert "opt/data/file" in based.image().layers[-1]


def test_fetch_then_offline(based):
    based.recipe([run("use", "cat /base >/copied")])
    based.project.varve("lock", "r.yaml")
    refused = based.project.varve("build", "r.yaml", "--offline", rc=2)
    assert re.search(r"layer-\d .*--offline forbids", refused.stderr), refused
    based.project.varve("fetch", "r.yaml")
    based.registry.stop()
    assert based.project.build("--offline").ran == ["main/use"]


def test_offline_names_the_missing_layer(based):
    based.recipe(LINKED)
    based.project.build()
    based.registry.stop()
    assert based.project.build("--offline").ran == []
    refused = based.project.varve("build", "r.yaml", "--offline", "-o", "oci:out", rc=2)
    [named] = re.findall(r"sha256:[0-9a-f]{64}", refused.stderr)
    assert named in based.layers and "--offline forbids" in refused.stderr


def test_a_bundle_carries_the_layers(based):
    based.recipe([run("use", "cat /base >/copied")])
    expected = based.project.build().digests
    based.project.varve("bundle", "create", "r.yaml", "-o", "oci-archive:bundle.tar", "--check")
    based.registry.stop()
    based.fresh("gap")
    based.project.varve("bundle", "import", "bundle.tar", "elsewhere")
    assert based.project.build("--offline", file="elsewhere/r.yaml").digests == expected


def test_gc_keeps_what_a_lock_names(based):
    based.recipe(LINKED)
    based.project.build()
    based.project.varve("gc")
    based.registry.stop()
    assert based.project.build("--offline").ran == []


def test_a_platform_of_an_index(based):
    content = based.registry.content.repository("team/base")
    entry = {"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": based.digest,
             "size": len(content.manifests[based.digest][1])}
    unknown = {"platform": {"os": "unknown", "architecture": "unknown"},
               "annotations": {"vnd.docker.reference.type": "attestation-manifest"}}
    document = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": [
        {**entry, "platform": {"os": "linux", "architecture": "arm64"}}, {**entry, **unknown},
        {**entry, "platform": {"os": "linux", "architecture": "amd64"}}]}
    kind = document["mediaType"]
    based.registry.content.put_manifest("team/base", "many", kind, json.dumps(document).encode())
    based.recipe([copy("put", "data", "/opt/data", link=True)], f"docker://{based.host}/team/base:many")
    based.project.build()
    assert based.digest in based.project.varve.path("r.lock.json").read_text()
    based.recipe(LINKED, "base", sources={"base": {"kind": "image", "reference": f"docker://{based.host}/team/base:many",
                                                   "platform": "linux/s390x"}})
    refused = based.project.varve("build", "r.yaml", rc=None)
    assert refused.rc in (2, 4) and "linux/arm64" in refused.stderr and "s390x" in refused.stderr, refused


def test_what_is_gone_or_wrong(based):
    based.recipe(LINKED, f"docker://{based.host}/team/base:2")
    missing = based.project.varve("build", "r.yaml", rc=4)
    assert f"{based.host}/team/base" in missing.stderr and '"2"' in missing.stderr or ":2" in missing.stderr, missing
    based.recipe([run("use", "true")])
    based.project.varve("lock", "r.yaml")
    layer = sorted(based.layers)[0]
    path = based.registry.content.file(layer)
    path.write_bytes(b"x" * path.stat().st_size)
    broken = based.project.varve("build", "r.yaml", rc=4)
    assert layer.split(":")[1][:12] in broken.stderr, broken


def test_a_lock_that_was_edited(based):
    based.recipe([run("use", "true")])
    based.project.varve("lock", "r.yaml")
    path = based.project.varve.path("r.lock.json")
    layer = sorted(based.layers)[0].split(":")[1]
    path.write_text(path.read_text().replace(layer, "0" * 64))
    refused = based.project.varve("build", "r.yaml", rc=None)
    assert refused.rc != 0 and "no longer the one that the lock names" in refused.stderr, refused


@pytest.mark.parametrize("reference, told", [("docker://base:1", "names no registry"), ("docker://", "GRAMMAR"),
                                             ("docker://UPPER.example/Name", "name")])
def test_references_that_are_none(own_project, reference, told):
    own_project.write_recipe({"varve": 1, "name": "d", "stages": {"main": {"from": reference}},
                              "images": {"main": {"stage": "main", "name": "t/t:1"}}})
    refused = own_project.varve("build", "r.yaml", rc=2)
    assert told == "GRAMMAR" or told in refused.stderr, refused
