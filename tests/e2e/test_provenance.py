# SPDX-License-Identifier: Apache-2.0
"""varve provenance: what an image was made from, each digest computed again from the lock, the files and the store."""
import hashlib
import io
import json
import re
import shutil
import tarfile

import pytest
from conftest import need
from git_server import GitRepository, GitServer
from registries import bed  # noqa: F401  fixture
from support import NAME, copy, own_project, project, project_of, run  # noqa: F401  fixtures

STATEMENT, INPUTS = "application/vnd.in-toto+json", "application/vnd.varve.bundle.inputs.v1.tar"
LISTING = "application/vnd.varve.listing.v1+json"


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def canonical(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def provenance(project, image=NAME, **options):
    result = project.varve("provenance", image, **options)
    statement = json.loads(result.stdout)
    assert result.stdout.encode() == canonical(statement) + b"\n"
    return statement


def parts(statement):
    """buildDefinition, runDetails"""
    return statement["predicate"]["buildDefinition"], statement["predicate"]["runDetails"]


def dependencies(statement, kind):
    return [one for one in parts(statement)[0]["resolvedDependencies"] if one["annotations"]["kind"] == kind]


def blob(project, digest):
    data = (project.varve.store / "blobs/sha256" / digest).read_bytes()
    assert sha256(data) == digest
    return data


def attached(where, image):
    """Manifests that a directory of blobs lists for an image, read without varve."""
    index = json.loads((where / "index.json").read_text())
    lists = [one for one in index["manifests"]
             if one["annotations"]["org.opencontainers.image.ref.name"] == f"sha256-{image}"]
    found = []
    for one in lists:
        document = json.loads((where / "blobs/sha256" / one["digest"].split(":")[1]).read_bytes())
        found += [json.loads((where / "blobs/sha256" / entry["digest"].split(":")[1]).read_bytes())
                  for entry in document["manifests"]]
    assert all(one["subject"]["digest"] == f"sha256:{image}" for one in found)
    return found


@pytest.fixture
def world(own_project, tmp_path, serve):  # noqa: F811
    """A recipe with a source of each kind that needs no packages: url, git, image, local, and an include."""
    project = own_project  # noqa: F811
    need("git")
    (tmp_path / "srv").mkdir()
    (tmp_path / "srv/file.txt").write_bytes(b"of a server\n")
    files = serve(tmp_path / "srv")
    repository = GitRepository(tmp_path / "git/app")
    repository.commit({"a": "a\n"})
    git = GitServer(tmp_path / "git")
    project.recipe([run("x", "echo x >/x")], file="base.yaml", images={"base": {"stage": "main", "name": "t/base:1"}})
    project.build("-o", "oci:base", file="base.yaml")
    project.tree("app", {"main.py": "print(1)\n", "run": ("#!/bin/sh\n", 0o755), "link": ("link", "main.py")})
    project.tree("unused", {"never": "used\n"})
    project.varve.write("common/more.yaml", json.dumps({"sources": {"app": {"kind": "local", "path": "app"}}}))
    project.write_recipe({
        "varve": 1, "name": "t", "include": ["common/more.yaml"],
        "options": {"word": {"default": "hello"}, "here": {"default": "1", "keyed": False}},
        "sources": {"file": {"kind": "url", "href": f"{files.url}/file.txt"},
                    "code": {"kind": "git", "url": git.url("app/.git"), "ref": "main"},
                    "base": {"kind": "image", "reference": "oci:base"},
                    "other": {"kind": "local", "path": "unused"}},
        "stages": {"main": {"from": "base", "steps": [
            copy("file", "file", "/file"), copy("code", "code", "/code"),
            run("say", "echo ${word} && cat /app/main.py >/said", mounts={"/app": "app"},
                unkeyed_environment={"J": "${here}"})]},
            "second": {"steps": [copy("other", "other", "/other")]}},
        "images": {"main": {"stage": "main", "name": NAME}, "second": {"stage": "second", "name": "t/second:1"}}})
    project.git = git
    return project


def test_the_statement_has_the_shape_of_in_toto_and_slsa(world):
    digest = world.build("--word", "hi").digests[NAME]
    statement = provenance(world)
    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    assert statement["predicateType"] == "https://slsa.dev/provenance/v1"
    assert statement["subject"] == [{"digest": {"sha256": digest.split(":")[1]}, "name": NAME}]
    definition, details = parts(statement)
    assert set(statement["predicate"]) == {"buildDefinition", "runDetails"}
    assert set(definition) == {"buildType", "externalParameters", "internalParameters", "resolvedDependencies"}
    assert set(details) == {"builder", "byproducts", "metadata"}
    for uri in [definition["buildType"], details["builder"]["id"]]:
        assert re.fullmatch(r"[a-z][a-z0-9+.-]*:\S+", uri)
    for one in definition["resolvedDependencies"] + details["byproducts"]:
        assert set(one) <= {"annotations", "digest", "mediaType", "name", "uri"} and one["digest"]
        assert all(re.fullmatch({"sha256": "[0-9a-f]{64}", "gitCommit": "[0-9a-f]{40}"}[name], value)
                   for name, value in one["digest"].items())
    external = definition["externalParameters"]
    assert external["options"] == {"word": "hi"} and external["images"] == ["main"]  # "here" reaches no byte
    assert external["recipe"]["name"] == "t" and external["recipe"]["path"] == "r.yaml"
    labels = world.image().config["config"]["Labels"]
    assert external["recipe"]["digest"] == labels["dev.varve.recipe.digest"]
    assert "startedOn" not in details["metadata"] and "invocationId" not in details["metadata"]


def test_every_artifact_of_the_lock_is_in_it_and_nothing_else(world):
    world.build()
    lock = json.loads(world.varve.path("r.lock.json").read_text())
    wanted = {(source["name"], artifact["from"], artifact["sha256"], artifact["size"])
              for source in lock["sources"] for artifact in source["artifacts"]}
    statement = provenance(world)
    found = {(one["annotations"]["source"], one["uri"], one["digest"]["sha256"], one["annotations"]["size"])
             for one in dependencies(statement, "artifact")}
    assert found == wanted and len(found) == len(dependencies(statement, "artifact")) > 4
    for _, _, digest, size in found:
        assert len(blob(world, digest)) == size
    commit = {source["name"]: source["facts"] for source in lock["sources"]}["code"]["commit"]
    git, = dependencies(statement, "git")
    assert git["digest"] == {"gitCommit": commit} and git["uri"].endswith(f"@{commit}")
    image, = dependencies(statement, "image")
    index = json.loads((world.varve.path("base") / "index.json").read_text())
    assert f"sha256:{image['digest']['sha256']}" == index["manifests"][0]["digest"]
    second = provenance(world, "t/second:1")
    assert [one["name"] for one in dependencies(second, "local")] == ["other"]
    assert not dependencies(second, "artifact") and not dependencies(second, "git")


def test_files_of_the_recipe_and_local_sources(world):
    world.build()
    statement = provenance(world)
    inputs, = dependencies(statement, "inputs")
    assert inputs["mediaType"] == INPUTS and inputs["annotations"]["localSources"]
    with tarfile.open(fileobj=io.BytesIO(blob(world, inputs["digest"]["sha256"]))) as archive:
        files = {one.name: archive.extractfile(one).read() for one in archive if one.isfile()}
    own = {kind: [one for one in dependencies(statement, kind)] for kind in ("recipe", "lock", "file")}
    assert [one["name"] for one in own["recipe"]] == ["r.yaml"] and [one["name"] for one in own["lock"]] == ["r.lock.json"]
    assert [one["name"] for one in own["file"]] == ["common/more.yaml"]
    for one in sum(own.values(), []):
        path = world.varve.path(one["name"])
        assert one["digest"]["sha256"] == sha256(path.read_bytes()) == sha256(files[one["name"]])
    local, = dependencies(statement, "local")
    listing = {"main.py": "100644:" + sha256(b"print(1)\n"), "run": "100755:" + sha256(b"#!/bin/sh\n"),
               "link": "120000:main.py"}
    assert local["mediaType"] == LISTING and local["uri"] == "local:app"
    assert local["digest"]["sha256"] == sha256(canonical(listing))
    assert files["app/main.py"] == b"print(1)\n" and "unused/never" in files


def test_steps_and_logs(world):
    world.build()
    made = {one["name"]: one for one in parts(provenance(world))[1]["byproducts"]}
    assert set(made) == {"step main/file", "step main/code", "step main/say", "log main/say"}
    key = made["step main/say"]["digest"]["sha256"]
    record = json.loads((world.varve.store / f"steps/{key}.json").read_text())
    assert sha256(canonical(record["input"])) == key
    assert made["log main/say"]["digest"]["sha256"] == sha256((world.varve.store / f"logs/{key}.log").read_bytes())
    layers = [layer["digest"] for layer in world.image().manifest["layers"]]
    assert sum((made[f"step main/{name}"]["annotations"]["layers"] for name in ("file", "code", "say")), []) == layers[-3:]
    diff_ids = sum((made[f"step main/{name}"]["annotations"]["diffIds"] for name in ("file", "code", "say")), [])
    assert diff_ids == world.image().config["rootfs"]["diff_ids"][-3:]
    comments = [one.get("comment") for one in world.image().config["history"]]
    assert f"varve key sha256:{key}" in comments


def test_it_is_the_same_for_every_account_and_says_nothing_of_the_host(project_of):  # noqa: F811
    found = set()
    for account in ("root", "subuid", "one"):
        project = project_of(account)  # noqa: F811
        project.recipe([run("say", "echo said; echo x >/x")])
        project.build()
        text = project.varve("provenance", NAME).stdout
        assert str(project.varve.directory) not in text
        assert account == "root" or project.account.name not in text  # a source of this recipe is named so
        found.add(text)
    assert len(found) == 1


GAPS = {
    "network": ({"network": "host"}, [], False, True, False, "had the host's network"),
    "secrets": ({"secrets": ["token"]}, ["--secret", "token=token.txt"], True, False, False, 'read the secret "token"'),
    "caches": ({"caches": {"/c": "ccache"}}, [], True, True, False, 'used the cache "ccache"'),
    "nothing": ({}, [], True, True, True, None),
}


@pytest.mark.parametrize("name", GAPS)
def test_what_no_digest_fixes_is_told(own_project, name):  # noqa: F811
    fields, arguments, hermetic, parameters, complete, words = GAPS[name]
    own_project.varve.write("token.txt", "secret")
    own_project.recipe([run("make", "echo x >/x", **fields), run("clean", "echo y >/y")])
    own_project.build(*arguments)
    metadata = parts(provenance(own_project))[1]["metadata"]
    assert metadata["varve_hermetic"] is hermetic
    assert metadata["varve_completeness"] == {"parameters": parameters, "resolvedDependencies": complete}
    gaps = metadata["varve_incomplete"]
    assert gaps == [] if words is None else len(gaps) == 1 and gaps[0].startswith("main/make: ") and words in gaps[0]


def test_a_step_of_another_image_with_network_is_no_matter(own_project):  # noqa: F811
    own_project.recipe([run("x", "echo x >/x")], stages={"net": {"from": "main", "steps": [
        run("fetch", "echo y >/y", network="host")]}}, images={
            "main": {"stage": "main", "name": NAME}, "net": {"stage": "net", "name": "t/net:1"}})
    own_project.build()
    assert parts(provenance(own_project))[1]["metadata"]["varve_hermetic"] is True
    assert parts(provenance(own_project, "t/net:1"))[1]["metadata"]["varve_hermetic"] is False


def test_times_and_runs_are_told_when_asked_for(own_project):  # noqa: F811
    own_project.recipe([run("x", "echo x >/x")])
    digest = own_project.build().digests
    assert own_project.build("--invocation", "https://ci.example.org/runs/7").digests == digest
    metadata = parts(provenance(own_project))[1]["metadata"]
    assert metadata["invocationId"] == "https://ci.example.org/runs/7"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", metadata["startedOn"])
    assert metadata["startedOn"] <= metadata["finishedOn"]


def test_the_store_keeps_one_that_lives_as_long_as_the_image(own_project):  # noqa: F811
    own_project.recipe([run("x", "echo x >/x")])
    first = own_project.build().digests[NAME].split(":")[1]
    text = own_project.varve.path("r.yaml").read_text()
    own_project.write_recipe("# a remark\n" + text)
    assert own_project.build().digests[NAME] == f"sha256:{first}"  # the same image, by other files
    found = attached(own_project.varve.store, first)
    assert sorted(one["artifactType"] for one in found) == sorted([STATEMENT, INPUTS])
    recipe, = dependencies(provenance(own_project), "recipe")
    assert recipe["digest"]["sha256"] == sha256(own_project.varve.path("r.yaml").read_bytes())
    assert own_project.varve("images").stdout.count("\n") == 1
    own_project.recipe([run("x", "echo other >/x")])
    own_project.build()
    own_project.varve("gc", "--keep", "0")
    assert attached(own_project.varve.store, first) == []
    provenance(own_project)


def test_an_unchanged_build_writes_nothing(own_project):  # noqa: F811
    own_project.recipe([run("x", "echo x >/x")])
    own_project.build()
    index = own_project.varve.store / "index.json"
    before = (index.stat().st_ino, index.stat().st_mtime_ns, sorted(path.name for path in own_project.varve.store.glob("blobs/sha256/*")))
    own_project.build()
    assert before == (index.stat().st_ino, index.stat().st_mtime_ns,
                      sorted(path.name for path in own_project.varve.store.glob("blobs/sha256/*")))


def test_large_local_sources_stay_where_they_are(own_project):  # noqa: F811
    with own_project.tree("big", {"a": "a\n"}).joinpath("large").open("wb") as file:
        file.truncate(9 << 20)
    own_project.recipe([copy("big", "big", "/big")], sources={"big": {"kind": "local", "path": "big"}})
    own_project.build()
    inputs, = dependencies(provenance(own_project), "inputs")
    assert inputs["annotations"]["localSources"] is False
    assert len(blob(own_project, inputs["digest"]["sha256"])) < 100000
    text = own_project.varve("audit", NAME, rc=None)
    assert text.rc != 0 and "too large to come with the image" in text.stderr and "--recipe" in text.stderr


# --- where it goes -------------------------------------------------------------------------------

def test_it_goes_along_into_a_layout(project):  # noqa: F811
    project.recipe([run("x", "echo x >/x")])
    plain = project.build("-o", "oci:plain").digests
    assert project.build("-o", "oci:out", "--attest").digests == plain  # the image does not know
    digest = plain[NAME].split(":")[1]
    assert attached(project.varve.path("plain"), digest) == []
    found = {one["artifactType"]: one for one in attached(project.varve.path("out"), digest)}
    assert set(found) == {STATEMENT, INPUTS}
    assert found[STATEMENT]["annotations"]["in-toto.io/predicate-type"] == "https://slsa.dev/provenance/v1"
    statement = provenance(project)
    other = {"VARVE_STORE": project.varve.path("empty")}
    assert json.loads(project.varve("provenance", "oci:out", env=other).stdout) == statement
    layer, = found[STATEMENT]["layers"]
    data = (project.varve.path("out") / "blobs/sha256" / layer["digest"].split(":")[1]).read_bytes()
    assert layer["mediaType"] == STATEMENT and json.loads(data) == statement


@pytest.mark.parametrize("profile", ["strict", "docker28"])  # with the referrers API; without
def test_it_goes_along_into_a_registry(bed, own_project, profile):  # noqa: F811
    registry = bed.open(profile)
    own_project.recipe([run("x", "echo x >/x")], images={
        "main": {"stage": "main", "name": f"{registry.host}/t/main:1"}})
    name = f"{registry.host}/t/main:1"
    own_project.build("--push", "--attest", "--plain-http")
    statement = provenance(own_project, name)
    other = {"VARVE_STORE": own_project.varve.path("empty")}
    far = own_project.varve("provenance", f"docker://{name}", "--plain-http", env=other)
    assert json.loads(far.stdout) == statement
    assert own_project.varve("audit", f"docker://{name}", "--plain-http", env=other).stdout.endswith("equal\n")


@pytest.mark.parametrize("target, words", [("docker-archive:x.tar", "no room for what refers"), (None, "--attest is for")])
def test_where_it_cannot_go(own_project, target, words):  # noqa: F811
    own_project.recipe([run("x", "echo x >/x")])
    result = own_project.build("--attest", *(["-o", target] if target else []), rc=2).result
    assert words in result.stderr and not own_project.varve.path("x.tar").exists()


def test_it_is_written_to_a_file(own_project):  # noqa: F811
    own_project.recipe([run("x", "echo x >/x")])
    own_project.build()
    assert own_project.varve("provenance", NAME, "-o", "p.json").stdout == ""
    assert own_project.varve.path("p.json").read_text() == own_project.varve("provenance", NAME).stdout
    missing = own_project.varve("provenance", NAME, "-o", "no/such/p.json", rc=None)
    assert missing.rc != 0 and "no/such" in missing.stderr


def test_an_image_of_others_has_none(own_project):  # noqa: F811
    own_project.recipe([run("x", "echo x >/x")])
    own_project.build("-o", "oci:out")
    shutil.rmtree(own_project.varve.store)
    result = own_project.varve("provenance", "oci:out", rc=None)
    assert result.rc != 0 and "--attest" in result.stderr
