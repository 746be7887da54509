# SPDX-License-Identifier: Apache-2.0
"""url sources that go wrong, and sources that one recipe uses in two ways: from the command line to the message."""
import hashlib
import io
import json
import pathlib
import tarfile
import zipfile

import pytest
from support import copy, own_project, run  # noqa: F401  fixtures


@pytest.fixture
def served(own_project, tmp_path, serve):
    """(project, server, put): put(name, data) adds a file to the server."""
    (tmp_path / "srv").mkdir()
    server = serve(tmp_path / "srv")
    return own_project, server, lambda name, data: (tmp_path / "srv" / name).write_bytes(data)


def use(project, server, name, **fields):
    project.recipe([copy("it", "it", "/it")], sources={"it": {"kind": "url", "href": f"{server.url}/{name}", **fields}})


def tar(*members):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name, kind, value in members:
            info = tarfile.TarInfo(name)
            if kind == "file":
                info.size = len(value)
                archive.addfile(info, io.BytesIO(value))
            else:
                info.type, info.linkname = {"link": tarfile.SYMTYPE, "hard": tarfile.LNKTYPE}[kind], value
                archive.addfile(info)
    return out.getvalue()


def zipped(name):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(name, b"evil")
    return out.getvalue()


HOSTILE = {
    "upwards.tar.gz": tar(("../../../evil", "file", b"evil")),
    "inside_upwards.tar.gz": tar(("a/../../../../evil", "file", b"evil")),
    "through_a_link.tar.gz": tar(("d", "link", "../../../.."), ("d/evil", "file", b"evil")),
    "through_an_absolute_link.tar.gz": tar(("d", "link", "/tmp"), ("d/evil", "file", b"evil")),
    "hard_link_out.tar.gz": tar(("evil", "hard", "../../../../../../etc/passwd")),
    "absolute.zip": zipped("/evil"),
    "upwards.zip": zipped("../../../evil"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_an_archive_that_leaves_its_place(served, name):
    project, server, put = served
    put(name, HOSTILE[name])
    use(project, server, name, unpack=True)
    built = project.varve("build", "r.yaml", rc=None)
    assert built.rc in (0, 1), built
    if built.rc == 0:
        assert all(path.startswith("it") for path in project.layer(1) if path)
        assert b"root:" not in b"".join(one.data or b"" for one in project.layer(1).values() if one.kind == "f")
    else:
        assert "step main/it" in built.stderr and len(built.stderr.splitlines()) < 12, built
    # Where a name or a link led out, the file lies below the copy's own destination, or nowhere.
    found = [path.relative_to(project.varve.directory) for path in project.varve.directory.glob("**/evil")]
    assert all("/fs/it/" in str(path) for path in found), found
    assert not any(pathlib.Path(place, "evil").exists() for place in ("/", "/tmp", project.varve.directory.parent))


def test_redirects_without_end(served):
    project, server, put = served
    put("file", b"x")
    server.fault("/file", "redirect", to="/file")
    use(project, server, "file")
    text = project.varve("lock", "r.yaml", rc=4).stderr
    assert "redirect" in text and "/file" in text and not project.varve.path("r.lock.json").exists()


def test_a_download_that_always_breaks_off(served):
    project, server, put = served
    data = bytes(range(256)) * 400
    put("file", data)
    use(project, server, "file")
    project.varve("lock", "r.yaml")
    blob = project.varve.store / "blobs/sha256" / hashlib.sha256(data).hexdigest()
    blob.unlink()
    server.fault("/file", "cut", after=0)
    text = project.varve("fetch", "r.yaml", rc=4, timeout=60).stderr
    assert "/file" in text and not blob.exists()
    server.clear()
    project.varve("fetch", "r.yaml")
    assert blob.read_bytes() == data


def test_other_bytes_than_the_recipe_says(served):
    project, server, put = served
    put("file", b"other")
    use(project, server, "file", sha256=hashlib.sha256(b"wanted").hexdigest())
    text = project.varve("lock", "r.yaml", rc=1).stderr
    assert hashlib.sha256(b"other").hexdigest() in text and hashlib.sha256(b"wanted").hexdigest() in text


def test_a_debian_source_on_two_bases_is_two_entries(own_project, make_repo, serve):
    """What is below decides what is missing: each use has its own list, and both are locked."""
    repo = make_repo([{"name": "app", "depends": "lib"}, {"name": "lib"}, {"name": "core", "essential": True}])
    own_project.varve.write("a.gpg", repo.keyring.read_bytes())
    source = {"kind": "debian", "suite": repo.suite, "keyring": "a.gpg"}
    stages = {"bare": {"steps": [{"step": "app", "install": "app"}]},
              "full": {"steps": [{"step": "lib", "install": "lib"}, {"step": "app", "install": "app"}]}}
    own_project.write_recipe({"varve": 1, "name": "t", "stages": stages,
                              "sources": {"app": {**source, "packages": ["app"]}, "lib": {**source, "packages": ["lib"]}},
                              "images": {name: {"stage": name, "name": f"t/{name}:1"} for name in stages}})
    own_project.varve("lock", "r.yaml", "--mirror", f"debian={serve(repo.path).url}")
    entries = [one for one in json.loads(own_project.varve.path("r.lock.json").read_text())["sources"] if one["name"] == "app"]
    assert sorted(sorted(one["name"] for one in entry["artifacts"]) for entry in entries) == [["app"], ["app", "core", "lib"]]
