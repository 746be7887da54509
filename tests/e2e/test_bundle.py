# SPDX-License-Identifier: Apache-2.0
"""Bundles: one file with everything, the same bytes everywhere, and a build from it with the network cut."""
import hashlib
import json
import os
import shutil
import socket
import tarfile
import threading

import pytest
from conftest import need
from git_server import GitRepository, GitServer
from support import NAME, ROOT, copy, own_project, project, project_of, run  # noqa: F401  fixtures

APP = {"main.py": "print(1)\n", "run": ("#!/bin/sh\n", 0o755), "link": ("link", "main.py"), "empty/.keep": "", "skip.log": "x",
       ".varveignore": "*.log\n.varveignore\n"}


def make(project):
    """A recipe with an include, an option, a local tree and one file, and a file by URL."""
    project.tree("app", APP)
    project.varve.write("one.txt", "one\n")
    project.varve.write("common/more.yaml", json.dumps({"sources": {"one": {"kind": "local", "path": "one.txt"}}}))
    project.recipe([copy("app", "app", "/app"), copy("one", "one", "/one"), run("say", "echo ${word} >/said")],
                   sources={"app": {"kind": "local", "path": "app"}}, include=["common/more.yaml"],
                   options={"word": {"default": "hello"}, "jobs-here": {"default": "1", "keyed": False}})
    document = json.loads(project.varve.path("r.yaml").read_text())
    document["stages"]["main"]["steps"][-1]["unkeyed-environment"] = {"J": "${jobs-here}"}
    project.write_recipe(document)


def create(project, *arguments, to="b.tar", rc=0, **options):
    return project.varve("bundle", "create", "r.yaml", "-o", f"oci-archive:{to}", "--progress", "plain", *arguments, rc=rc,
                         timeout=300, **options)


def import_to(project, directory, *arguments, store="other", bundle="b.tar", rc=0):
    return project.varve("bundle", "import", bundle, directory, "--store", project.varve.path(store), *arguments, rc=rc)


def digest_of(result):
    return result.stdout.split()[0]


def test_a_build_from_the_bundle_is_the_same(project):
    make(project)
    digests = project.build("--word", "hi").digests
    created = create(project, "--word", "hi", "--check")
    result = import_to(project, "in")
    assert digest_of(result) == digest_of(created)
    command = result.stdout.splitlines()[1].split()
    assert command[:4] == ["varve", "build", "--offline", "in/r.yaml"] and "--set" in command
    again = project.build("--offline", "--word", "hi", "--store", project.varve.path("other"), file="in/r.yaml")
    assert again.digests == digests
    assert sorted(path.name for path in project.varve.path("in/app").iterdir()) == [".varveignore", "empty", "link", "main.py", "run"]


def test_the_bytes_are_the_same_for_every_account(project_of):
    found = []
    for account in ("root", "subuid"):
        project = project_of(account)
        make(project)
        os.utime(project.varve.path("app/main.py"), (1, 1))
        create(project, "--set", f"jobs-here={account}")
        found.append(hashlib.sha256(project.varve.path("b.tar").read_bytes()).hexdigest())
    assert found[0] == found[1]


def test_one_account_creates_and_another_imports(project_of):
    one, two = project_of("root"), project_of("subuid")
    make(one)
    digests = one.build().digests
    create(one)
    two.varve.write("b.tar", one.varve.path("b.tar").read_bytes())
    import_to(two, "in", store="store")
    assert two.build("--offline", file="in/r.yaml").digests == digests


def test_a_directory_and_an_archive_hold_the_same(own_project):
    make(own_project)
    created = create(own_project)
    again = own_project.varve("bundle", "create", "r.yaml", "-o", "oci:layout", "--progress", "quiet")
    assert digest_of(created) == digest_of(again)
    with tarfile.open(own_project.varve.path("b.tar")) as archive:
        members = {member.name: archive.extractfile(member).read() for member in archive if member.isfile()}
        assert all(member.mtime == 0 and member.uid == 0 for member in archive)
    layout = own_project.varve.path("layout")
    assert members == {str(path.relative_to(layout)): path.read_bytes() for path in layout.rglob("*") if path.is_file()}
    import_to(own_project, "in", bundle="oci:layout")
    assert own_project.varve("bundle", "create", "r.yaml", "-o", "oci:layout", rc=2).stderr


def test_inspect_shows_what_is_in_it(own_project):
    make(own_project)
    created = create(own_project)
    text = own_project.varve("bundle", "inspect", "b.tar").stdout
    assert digest_of(created) in text and "word=hello" in text and "inputs.tar" in text and "jobs-here" not in text
    document = own_project.varve("bundle", "inspect", "--json", "oci-archive:b.tar").json()
    assert document["recipe"] == "r.yaml" and document["settings"] == ["word=hello"]
    assert [blob["kind"] for blob in document["blobs"]] == ["inputs"]


def test_a_recipe_below_what_it_needs(own_project):
    """The bundle starts at the directory that holds all of it."""
    own_project.busybox("root")
    own_project.varve.write("recipes/deep/r.yaml", json.dumps({
        "varve": 1, "name": "t", "include": ["../common.yaml"], "sources": {"root": {"kind": "local", "path": "../../root"}},
        "stages": {"main": {"steps": [ROOT]}}}))
    own_project.varve.write("recipes/common.yaml", json.dumps({"images": {"main": {"stage": "main", "name": NAME}}}))
    digests = own_project.build(file="recipes/deep/r.yaml").digests
    own_project.varve("bundle", "create", "recipes/deep/r.yaml", "-o", "oci-archive:b.tar")
    import_to(own_project, "in")
    other = own_project.varve.path("other")
    assert own_project.build("--offline", "--store", other, file="in/recipes/deep/r.yaml").digests == digests



def test_a_git_source_and_an_image_are_in_it(project, tmp_path):
    need("git")
    GitRepository(tmp_path / "srv/app").commit({"a": "a\n"})
    server = GitServer(tmp_path / "srv")
    project.recipe([run("x", "echo x >/x")], file="base.yaml")
    project.build("-o", "oci:base", file="base.yaml")
    project.write_recipe({"varve": 1, "name": "t", "sources": {
        "app": {"kind": "git", "url": server.url("app/.git"), "ref": "main", "track": True},
        "base": {"kind": "image", "reference": "oci:base"}},
        "stages": {"main": {"from": "base", "steps": [copy("app", "app", "/app"), run("y", "cat /x /app/a >/y")]}},
        "images": {"main": {"stage": "main", "name": NAME}}})
    digests = project.build().digests
    create(project, "--check")
    server.close()
    shutil.rmtree(project.varve.path("base"))
    import_to(project, "in")
    again = project.build("--offline", "--store", project.varve.path("other"), file="in/r.yaml")
    assert again.digests == digests


def test_layers_come_along_on_request(own_project):
    make(own_project)
    digests = own_project.build().digests
    create(own_project, "--layers")
    import_to(own_project, "in", "--layers")
    other = ["--store", own_project.varve.path("other")]
    assert own_project.build("--offline", "--expect-cached", *other, rc=None, file="in/r.yaml").ran == []
    again = own_project.build("--offline", *other, file="in/r.yaml")
    assert again.digests == digests and "main/say" not in again.ran
    import_to(own_project, "in2", store="third")
    third = own_project.build("--offline", "--store", own_project.varve.path("third"), file="in2/r.yaml")
    assert "main/say" in third.ran and third.digests == digests


def test_the_check_works_with_one_id(project_of):
    project = project_of("one")
    make(project)
    create(project, "--check")


# --- --all ---------------------------------------------------------------------------------------

def choices(project):
    """Two options that can be told by name, one of which chooses a file, and one that cannot."""
    for word in ("red", "blue"):
        project.varve.write(f"{word}.txt", word + "\n")
        project.varve.write(f"far/{word}.txt", f"far {word}\n")
    far = f"file://{project.varve.path('far')}"
    project.recipe([copy("near", "near", "/near"), copy("far", "far", "/far"),
                    run("say", "echo ${loud} ${note} >/said")],
                   sources={"near": {"kind": "local", "path": "${colour}.txt"},
                            "far": {"kind": "url", "href": f"{far}/${{colour}}.txt"}},
                   options={"colour": {"choices": ["red", "blue"], "default": "red"},
                            "loud": {"type": "boolean", "default": "false"}, "note": {"default": "n"}})


def test_a_bundle_for_every_combination_of_options(project):
    choices(project)
    digests = {colour: project.build("--colour", colour, "--loud=true").digests for colour in ("red", "blue")}
    created = create(project, "--all")
    told = project.varve("bundle", "inspect", "b.tar", "--json").stdout
    document = json.loads(told)
    assert document["settings"] == ["note=n"] and len(document["sources"]) == 2
    assert create(project, "--all", to="again.tar").stdout.split()[0] == digest_of(created)
    shutil.rmtree(project.varve.path("far"))
    result = import_to(project, "in")
    assert result.stdout.splitlines()[1] == "varve build --offline in/r.yaml --set 'note=n'"
    for colour in ("red", "blue"):
        built = project.build("--offline", "--colour", colour, "--loud=true", "--store", project.varve.path("other"),
                              file="in/r.yaml")
        assert built.digests == digests[colour]
    # One choice alone is not all of them.
    create(project, "--colour", "red", to="one.tar")
    import_to(project, "one", bundle="one.tar", store="third")
    text = project.build("--offline", "--colour", "blue", "--store", project.varve.path("third"), file="one/r.yaml", rc=2).text
    assert "blue.txt" in text


def test_every_combination_is_checked(project):
    choices(project)
    create(project, "--all", "--check", "--loud=false")
    document = json.loads(project.varve.path("r.yaml").read_text())
    document["stages"]["main"]["steps"][-1]["run"] = "if [ ${colour} = blue ]; then cat /proc/sys/kernel/random/uuid >/said; fi; : ${loud} ${note}"
    project.write_recipe(document)
    text = create(project, "--all", "--check", "--loud=false", rc=5).stderr
    assert "other images than the recipe" in text and "colour=blue" in text


def test_a_check_with_a_secret(project):
    project.varve.write("token", "s3cret\n")
    project.recipe([run("use", "sha256sum /run/secrets/token | cut -c1-8 >/seen", secrets=["token"])])
    create(project, "--check", "--secret", f"token={project.varve.path('token')}")
    assert "s3cret" not in project.varve.path("b.tar").read_bytes().decode("latin-1")


# --- --check -------------------------------------------------------------------------------------

def test_a_build_that_differs_fails_the_check(project):
    project.recipe([run("random", "od -An -N8 -tx1 /dev/urandom >/x")])
    text = create(project, "--check", rc=5).stderr
    assert "builds other images" in text
    assert not list(project.varve.store.glob("tmp/job-*"))


def test_the_check_has_no_network(project):
    """The step may use the host's network; in the check there is none."""
    connections = []
    listener = socket.create_server(("127.0.0.1", 0))

    def accept():
        while True:
            try:
                connection = listener.accept()[0]
            except OSError:
                return
            connections.append(connection)
            connection.sendall(b"net\n")
            connection.close()
    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    project.recipe([run("net", f"nc 127.0.0.1 {listener.getsockname()[1]} </dev/null >/x; cat /x", network="host")])
    project.build()
    assert len(connections) == 1
    assert "without network" in create(project, "--check", rc=5).stderr
    assert len(connections) == 1
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join()


# --- bundles that are not whole ------------------------------------------------------------------

@pytest.fixture
def layout(own_project):
    own_project.varve.write("data/x", 1000 * "x")
    make(own_project)
    own_project.varve("bundle", "create", "r.yaml", "-o", "oci:layout", "--progress", "quiet")
    return own_project.varve.path("layout")


def blobs(layout):
    return sorted((layout / "blobs/sha256").iterdir())


@pytest.mark.parametrize("which", range(3))
@pytest.mark.parametrize("present", [False, True], ids=["fresh store", "store that has it"])
def test_an_altered_byte_is_named(own_project, layout, which, present):
    if present:
        import_to(own_project, "first", bundle="layout")
    blob = blobs(layout)[which]
    data = bytearray(blob.read_bytes())
    data[len(data) // 3] ^= 4
    blob.unlink()
    blob.write_bytes(data)
    assert blob.name in import_to(own_project, "in", bundle="layout", rc=1).stderr
    assert not own_project.varve.path("in").exists()


@pytest.mark.parametrize("which", range(3))
def test_a_missing_blob_is_named(own_project, layout, which):
    blob = blobs(layout)[which]
    blob.unlink()
    assert blob.name in import_to(own_project, "in", bundle="layout", rc=1).stderr


@pytest.mark.parametrize("name", ["blobs/sha256/" + 64 * "0", "blobs/extra", "extra", "blobs/sha256/x"])
def test_an_extra_file_is_named(own_project, layout, name):
    (layout / name).write_bytes(b"x")
    assert name in import_to(own_project, "in", bundle="layout", rc=1).stderr


def test_two_blobs_that_were_swapped_are_named(own_project, layout):
    """Each of them is whole, and in the place of the other."""
    blobs = sorted((path for path in layout.glob("blobs/sha256/*")), key=lambda path: path.stat().st_size)[:2]
    first, second = (path.read_bytes() for path in blobs)
    blobs[0].write_bytes(second)
    blobs[1].write_bytes(first)
    result = import_to(own_project, "in", bundle=layout, rc=None)
    assert result.rc not in (0, 125) and any(path.name in result.stderr for path in blobs), result


def test_a_python_lock_file_and_keyrings_are_inputs(own_project, make_repo, serve):
    repo = make_repo([{"name": "core", "essential": True}])
    own_project.varve.write("keys/a.gpg", repo.keyring.read_bytes())
    source = {"kind": "debian", "suite": repo.suite, "packages": ["core"], "keyring": "keys/a.gpg",
              "repositories": [{"mirror": "debian", "suite": repo.suite, "keyring": "keys/b.gpg"}]}
    own_project.varve.write("keys/b.gpg", repo.keyring.read_bytes())
    own_project.recipe([run("see", "ls /debs >/seen", mounts={"/debs": "system"})], sources={"system": source})
    create(own_project, "--mirror", f"debian={serve(repo.path).url}")
    import_to(own_project, "in")
    assert sorted(path.name for path in own_project.varve.path("in/keys").iterdir()) == ["a.gpg", "b.gpg"]
    own_project.build("--offline", "--store", own_project.varve.path("other"), file="in/r.yaml")


def test_every_altered_byte_of_an_archive_is_noticed(own_project):
    """But those of the tar around the files, which say nothing."""
    own_project.tree("root", {"a": "a"})
    own_project.recipe()
    create(own_project)
    path = own_project.varve.path("b.tar")
    whole = path.read_bytes()
    with tarfile.open(path) as archive:
        places = [(member.offset_data, member.size, member.name) for member in archive if member.name.startswith("blobs/sha256/")]
    for start, size, name in places:
        for offset in (start, start + size // 2, start + size - 1):
            own_project.varve.write("c.tar", whole[:offset] + bytes([whole[offset] ^ 0x20]) + whole[offset + 1:])
            text = import_to(own_project, "in", bundle="c.tar", rc=None)
            assert text.rc == 1 and name in text.stderr, (name, offset - start)
    for cut in (1, 512, 1024, 2000, len(whole) - 10):
        own_project.varve.write("c.tar", whole[:len(whole) - cut])
        if cut > 1024:
            assert import_to(own_project, "in", bundle="c.tar", rc=None).rc == 1


def test_what_is_no_bundle(own_project):
    own_project.recipe()
    own_project.build("-o", "oci:image")
    assert "is no bundle" in own_project.varve("bundle", "inspect", "image", rc=1).stderr
    own_project.varve.write("x", "x")
    for what in ("x", "nothing", "."):
        own_project.varve("bundle", "import", what, "in", rc=1)
    own_project.varve("bundle", rc=2)
    own_project.varve("bundle", "create", "r.yaml", rc=2)
    own_project.varve("bundle", "create", "r.yaml", "-o", "docker-archive:x", rc=2)


def test_the_place_of_the_recipe_must_be_empty(own_project):
    make(own_project)
    create(own_project)
    own_project.varve.write("in/mine", "mine")
    assert "in" in import_to(own_project, "in", rc=1).stderr
    assert own_project.varve.path("in/mine").read_text() == "mine"


def replace_inputs(layout, data):
    """A bundle whose inputs are another tar, with digests that fit."""
    def put(content):
        digest = hashlib.sha256(content).hexdigest()
        (layout / "blobs/sha256" / digest).write_bytes(content)
        return {"digest": "sha256:" + digest, "size": len(content)}
    index = json.loads((layout / "index.json").read_text())
    old = layout / "blobs" / index["manifests"][0]["digest"].replace(":", "/")
    manifest = json.loads(old.read_bytes())
    (layout / "blobs" / manifest["layers"][0]["digest"].replace(":", "/")).unlink()
    manifest["layers"][0].update(put(data))
    old.unlink()
    index["manifests"][0].update(put(json.dumps(manifest).encode()))
    (layout / "index.json").unlink()
    (layout / "index.json").write_text(json.dumps(index))


@pytest.mark.parametrize("name,target", [("../out", None), ("/out", None), ("a/../../out", None), ("link/out", "..")])
def test_inputs_that_lead_out(own_project, layout, name, target):
    where = own_project.varve.path("hostile.tar")
    with tarfile.open(where, "w") as archive:
        if target:
            link = tarfile.TarInfo("link")
            link.type, link.linkname = tarfile.SYMTYPE, target
            archive.addfile(link)
        member = tarfile.TarInfo(name)
        archive.addfile(member)
    replace_inputs(layout, where.read_bytes())
    import_to(own_project, "in/side", bundle="layout", rc=None)
    assert not own_project.varve.path("out").exists() and not own_project.varve.path("in/out").exists()


def test_other_tools_move_it(own_project):
    need("skopeo")
    make(own_project)
    digests = own_project.build().digests
    create(own_project)
    done = own_project.varve.run("skopeo", "--insecure-policy", "copy", "--quiet", "oci-archive:b.tar:t", "oci:moved:t")
    assert done.returncode == 0, done.stderr
    import_to(own_project, "in", bundle="moved")
    assert own_project.build("--offline", "--store", own_project.varve.path("other"), file="in/r.yaml").digests == digests
