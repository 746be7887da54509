# SPDX-License-Identifier: Apache-2.0
"""A cache that runners share through a registry, and images that start from one."""
import base64
import hashlib
import json
import re
import time

import pytest
from processes import killed_at_exit
from registries import MIB, SECRET, assert_clear, bed  # noqa: F401  fixture
from support import copy, own_project, run  # noqa: F401  fixture

STEPS = [run("first", "echo 1 >/one; head -c 300000 /dev/urandom >/random"), run("second", "cp /one /two"),
         run("third", "echo 3 >/three")]


class Shared:
    """A recipe, a registry with a cache in it, and runners: stores of their own."""

    def __init__(self, project, bed):  # noqa: F811
        self.project, self.bed, self.registry = project, bed, bed.open()
        self.name, self.count = f"docker://{self.registry.host}/team/cache", 0
        project.recipe(STEPS)

    def runner(self, *arguments, read=True, write=True, **options):
        """A build from an empty store."""
        self.count += 1
        self.store = self.project.varve.path(f"runner{self.count}")
        return self.again(*arguments, read=read, write=write, **options)

    def again(self, *arguments, read=True, write=True, rc=0, **options):
        cache = ["--cache-from", self.name] * read + ["--cache-to", self.name] * write
        return self.project.build(*cache, *arguments, rc=rc, env={"VARVE_STORE": self.store}, **options)

    @property
    def held(self):
        return self.registry.content.repository("team/cache")


@pytest.fixture
def shared(own_project, bed):  # noqa: F811
    return Shared(own_project, bed)


ALL = ["main/first", "main/root", "main/second", "main/third"]


def test_a_fresh_runner_runs_nothing(shared):
    first = shared.runner()
    assert first.ran == ALL and shared.held.tags
    second = shared.runner()
    assert second.ran == [] and second.digests == first.digests


def test_a_fresh_runner_is_fast(shared):
    shared.runner()
    started = time.monotonic()
    shared.runner(write=False)
    assert time.monotonic() - started < 2


def test_what_is_there_is_not_sent_again(shared):
    shared.runner()
    shared.registry.journal.clear()
    shared.runner()
    assert shared.registry.journal.uploaded() == 0, shared.registry.journal


def test_each_record_is_an_artifact_by_its_key(shared):
    """Any client reads it: a manifest with an artifact type, the layer as a blob, the key as its tag."""
    shared.runner()
    steps = {tag: json.loads(shared.held.manifests[digest][1]) for tag, digest in shared.held.tags.items()
             if re.fullmatch("step-[0-9a-f]{64}", tag)}
    assert len(steps) == len(ALL), shared.held.tags
    for document in steps.values():
        assert document["artifactType"] and {one["digest"] for one in [document["config"], *document["layers"]]} <= shared.held.blobs


def test_a_change_runs_what_depends_on_it_alone(shared):
    shared.runner()
    shared.project.recipe([*STEPS[:2], run("third", "echo other >/three")])
    assert shared.runner().ran == ["main/third"]


def test_a_cache_is_only_read_where_asked(shared):
    shared.runner(read=False)
    shared.registry.journal.clear()
    assert shared.runner(read=False, write=False).ran == ALL
    assert shared.registry.journal.entries == []
    assert shared.runner(write=False).ran == []
    assert shared.registry.journal.count("upload-post", "manifest-put") == 0


def test_an_empty_cache_is_no_error(shared):
    assert shared.runner(write=False).ran == ALL


def swap(shared, one, other):
    shared.held.tags[one], shared.held.tags[other] = shared.held.tags[other], shared.held.tags[one]


def same_result(shared, first):
    """Refused: the steps run again, or the build fails and says why; never a wrong image."""
    build = shared.runner(write=False, rc=None)
    if build.result.rc == 0:
        assert build.digests == first.digests and build.ran, build.result
    else:
        assert_clear(build.result, "cache|digest|key")
    return build


def test_a_record_under_the_key_of_another(shared):
    shared.project.recipe([run("first", "echo 1 >/one"), run("second", "echo 2 >/two")])
    first = shared.runner()
    tags = sorted(shared.held.tags)
    for at in range(len(tags) - 1):
        swap(shared, tags[at], tags[at + 1])
    build = same_result(shared, first)
    assert "key" in build.text or "cache" in build.text or build.ran, build.result


def test_a_layer_with_other_bytes(shared):
    shared.project.recipe([run("first", "seq 100000 >/one")])
    first = shared.runner()
    for digest in shared.held.blobs:
        path = shared.registry.content.file(digest)
        if path.stat().st_size > 10000:
            data = bytearray(path.read_bytes())
            data[5000] ^= 1
            path.write_bytes(data)
    same_result(shared, first)
    for path in (shared.store / "blobs/sha256").glob("*"):
        assert hashlib.sha256(path.read_bytes()).hexdigest() == path.name


@pytest.mark.parametrize("poison", [b"{}", b"[]", b'{"schemaVersion":2,"config":{},"layers":[]}', b"\xff\xfe", b"{" * 10000])
def test_a_record_that_is_none(shared, poison):
    shared.project.recipe([run("first", "echo 1 >/one")])
    first = shared.runner()
    for tag, digest in list(shared.held.tags.items()):
        kind = shared.held.manifests[digest][0]
        shared.held.tags[tag] = shared.registry.content.put_manifest("team/cache", tag, kind, b"") and "sha256:" + "1" * 64
        shared.held.manifests["sha256:" + "1" * 64] = (kind, poison)
    same_result(shared, first)


def test_blobs_that_the_registry_lost(shared):
    first = shared.runner()
    shared.held.blobs.clear()
    build = shared.runner(write=False, rc=None)
    assert build.result.rc == 0 and build.ran, build.result
    del first


def test_two_runners_at_once(shared):
    """Both write; afterwards a third one runs nothing and has the right image."""
    shared.project.recipe([run("first", "echo 1 >/one; sleep 0.3"), run("second", "cp /one /two")])
    children = []
    for number in range(2):
        store = shared.project.varve.path(f"at-once{number}")
        children.append(shared.project.start("--cache-from", shared.name, "--cache-to", shared.name, env={"VARVE_STORE": store}))
    for child in children:
        with killed_at_exit(child):
            _, errors = child.communicate(timeout=60)
            assert child.returncode == 0, errors
    assert shared.runner().ran == []


@pytest.mark.parametrize("operation, kind, options", [
    ("manifest-get", "status", {"code": 500, "times": None}), ("manifest-get", "status", {"code": 403, "times": None}),
    ("blob-get", "cut", {"after": 1000, "times": 3})])
def test_a_cache_that_falters_costs_time_only(shared, operation, kind, options):
    shared.project.recipe([run("first", "echo 1 >/one")])
    first = shared.runner()
    shared.registry.fault(operation, kind, **options)
    build = shared.runner("--stall-timeout", "2", write=False)
    assert build.digests == first.digests


def test_a_cache_that_is_dead(shared):
    """The build goes on without it, and says so; writing to it is what was asked for, so that fails."""
    shared.project.recipe([run("first", "echo 1 >/one")])
    shared.registry.stop()
    build = shared.runner("--stall-timeout", "2", write=False)
    assert build.ran and shared.registry.ports
    assert "cache" in build.result.stderr


def test_a_cache_with_a_password(own_project, bed):  # noqa: F811
    registry = bed.open(auth={"kind": "bearer", "users": {"ann": SECRET}})
    own_project.recipe([run("first", "echo 1 >/one")])
    file = own_project.varve.write("auth.json", json.dumps({"auths": {registry.host: {
        "auth": base64.b64encode(f"ann:{SECRET}".encode()).decode()}}}), 0o600)
    name = f"docker://{registry.host}/cache"
    for number in range(2):
        build = own_project.build("--cache-from", name, "--cache-to", name,
                                  env={"VARVE_STORE": own_project.varve.path(f"s{number}"), "REGISTRY_AUTH_FILE": file})
        assert bool(build.ran) == (number == 0) and SECRET not in build.result.stderr


def test_gc_prunes(shared):
    shared.runner()
    before = dict(shared.held.tags)
    told = shared.project.varve("gc", "--remote", shared.name, "--dry-run", rc=None)
    assert shared.held.tags == before, told
    shared.project.varve("gc", "--remote", shared.name, "--keep", "0", rc=None)
    result = shared.project.varve("gc", "--remote", shared.name, rc=None)
    assert result.rc == 0, result


# --- where copies go ------------------------------------------------------------------------------

@pytest.fixture
def placed(shared):
    """A copy whose destination has to be looked up in what lies below it."""
    shared.project.tree("data", {"file": "data\n"})
    shared.project.recipe([*STEPS, run("link", "mkdir -p /real; ln -s real /opt"), copy("put", "data", "/opt/data")],
                          sources={"data": {"kind": "local", "path": "data"}})
    shared.first = shared.runner()
    return shared


def test_a_fresh_runner_unpacks_nothing_to_know_where_a_copy_goes(placed):
    second = placed.runner("--expect-cached", write=False)
    assert second.digests == placed.first.digests and not list(placed.store.glob("trees/*/*"))
    assert [tag for tag in placed.held.tags if tag.startswith("destination-")]


@pytest.mark.parametrize("text", ["../../etc", "/etc", "real/data\n/bin/sh sha256:00", "", "real/./data"])
def test_a_poisoned_place_is_not_believed(placed, text):
    documents = {tag: json.loads(placed.held.manifests[digest][1]) for tag, digest in placed.held.tags.items()}
    [(tag, document)] = [(tag, one) for tag, one in documents.items() if one["annotations"].get("dev.varve.text") == "real/data"]
    document["annotations"]["dev.varve.text"] = text
    if text == "":
        document["annotations"]["dev.varve.fact"] = tag[:-1] + ("1" if tag[-1] == "0" else "0")
    placed.registry.content.put_manifest("team/cache", tag, document["mediaType"], json.dumps(document).encode())
    second = placed.runner(write=False)
    assert second.ran == [] and second.digests == placed.first.digests


# --- images as a start ---------------------------------------------------------------------------

@pytest.fixture
def based(own_project, bed):  # noqa: F811
    """A base image in a registry, and a recipe that starts from it: (project, registry, base's digest)."""
    registry = bed.open()
    own_project.recipe([run("base", "head -c 3000000 /dev/urandom >/big; echo base >/base")],
                       images={"main": {"stage": "main", "name": f"{registry.host}/team/base:1"}})
    own_project.build()
    own_project.varve("push", f"{registry.host}/team/base:1")
    digest = registry.content.repository("team/base").tags["1"]

    def recipe(steps, reference=None):
        copies = any("copy" in step for step in steps)
        own_project.write_recipe({
            "varve": 1, "name": "d", **({"sources": {"data": {"kind": "local", "path": "data"}}} if copies else {}),
            "stages": {"main": {"from": reference or f"docker://{registry.host}/team/base@{digest}", "steps": steps}},
            "images": {"main": {"stage": "main", "name": f"{registry.host}/team/app:1"}}})
    own_project.tree("data", {"file": "data\n"})
    own_project.varve.env["VARVE_STORE"] = own_project.varve.path("fresh")
    own_project.varve.store = own_project.varve.path("fresh")
    return own_project, registry, digest, recipe



def test_a_build_on_an_image_of_a_registry(based):
    project, registry, digest, recipe = based
    recipe([run("use", "cat /base >/copied")])
    project.build()
    image = project.image(f"{registry.host}/team/app:1")
    base = json.loads(registry.content.manifest("team/base", digest)[2])
    assert image.manifest["layers"][:len(base["layers"])] == base["layers"]
    assert image.layers[-1]["copied"].data == b"base\n"



def test_base_layers_are_not_fetched_where_nobody_looks_into_them(based):
    """A copy on top, pushed back to the same registry: the layers of the base are mounted, never moved."""
    project, registry, digest, recipe = based
    recipe([copy("put", "data", "/opt/data", link=True)])
    registry.journal.clear()
    project.varve("build", "r.yaml", "--push")
    base = json.loads(registry.content.manifest("team/base", digest)[2])
    layers = {one["digest"] for one in base["layers"]}
    fetched = {entry.reference for entry in registry.journal.of("blob-get")}
    assert not fetched & layers, registry.journal
    assert registry.journal.uploaded() < MIB
    held = registry.content.repository("team/app")
    assert layers <= held.blobs and held.tags



def test_an_image_is_locked_by_digest(based):
    project, registry, digest, recipe = based
    recipe([run("use", "true")], f"docker://{registry.host}/team/base:1")
    project.varve("build", "r.yaml")
    assert digest in project.varve.path("r.lock.json").read_text()


def test_an_image_that_is_not_what_the_digest_says(based):
    project, registry, digest, recipe = based
    recipe([run("use", "true")])
    kind, data = registry.content.repository("team/base").manifests[digest]
    registry.content.repository("team/base").manifests[digest] = (kind, data + b" ")
    result = project.varve("build", "r.yaml", rc=None)
    assert result.rc in (1, 2, 4) and re.search("but what was asked for says", result.stderr), result
    assert digest.split(":")[1][:12] in result.stderr

