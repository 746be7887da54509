# SPDX-License-Identifier: Apache-2.0
"""Debian sources up to the store: mirrors, signatures, the lock, downloads that go wrong."""
import copy as copies
import hashlib
import json
import os
import re
import signal
import socket
import time

import debs
import pytest
from support import own_project, run  # noqa: F401  fixture

PACKAGES = [
    {"name": "app", "version": "1.2-3", "depends": "libapp (>= 1.0), data", "files": {"usr/bin/app": "#!/bin/sh\n"}},
    {"name": "libapp", "version": "1.0-1", "files": {"usr/lib/libapp.so": os.urandom(300000)}, "compression": "none"},
    {"name": "data", "version": "7", "files": {"usr/share/data": "data"}},
    {"name": "old-app", "depends": "libapp (>= 2.0)"},
    {"name": "clash", "depends": "app, foe"}, {"name": "foe", "conflicts": "libapp"},
    {"name": "core", "essential": True, "files": {"etc/core": "core"}},
]


class Archive:
    """A signed archive, its server, and a project whose recipe has it as the source "system"."""

    def __init__(self, project, repo, server):
        self.project, self.repo, self.server, self.varve = project, repo, server, project.varve
        self.mirror = ["--mirror", f"debian={server.url}"]
        self.recipe(["app"])

    def recipe(self, packages, **source):
        self.project.varve.write("archive.gpg", self.repo.keyring.read_bytes())
        source = {"kind": "debian", "suite": self.repo.suite, "keyring": "archive.gpg", "packages": packages, **source}
        self.project.recipe([run("all", "ls /debs >/debs.txt", mounts={"/debs": "system"})],
                            sources={"system": source})

    def __call__(self, command, *arguments, rc=0, mirror=True, **options):
        return self.varve(command, "r.yaml", *(self.mirror if mirror else []), *arguments, rc=rc, timeout=60, **options)

    @property
    def lock_path(self):
        return self.varve.path("r.lock.json")

    def lock(self):
        return json.loads(self.lock_path.read_text())["sources"]

    def locked(self):
        """name -> artifact"""
        return {one["name"]: one for one in self.lock()[0]["artifacts"]}

    def blob(self, name):
        """Where the store keeps the package, whether it has it or not."""
        digest = hashlib.sha256(self.repo.deb(name).read_bytes()).hexdigest()
        return self.varve.store / "blobs/sha256" / digest

    def leftovers(self):
        return sorted(path.name for path in self.varve.store.glob("uploads/*"))

    def change(self, name, **members):
        for package in self.repo.packages:
            if package["name"] == name:
                package.update(members)
        self.repo.write()


@pytest.fixture
def archive(own_project, make_repo, serve):  # noqa: F811
    repo = make_repo(copies.deepcopy(PACKAGES))
    return Archive(own_project, repo, serve(repo.path))


# --- resolving -----------------------------------------------------------------------------------

def test_the_lock_fixes_each_package(archive):
    archive("lock")
    source, = archive.lock()
    assert source["name"] == "system" and source["facts"]["date"] == 1700000000
    release = hashlib.sha256((archive.repo.path / "dists/bookworm/InRelease").read_bytes()).hexdigest()
    assert source["facts"]["releases"]["bookworm"]["sha256"] == f"sha256:{release}"
    assert {name: (one["version"], one["size"], one["sha256"], one["from"]) for name, one in archive.locked().items()} == {
        name: (version, archive.repo.deb(name).stat().st_size, archive.blob(name).name, f"debian:{archive.repo.debs[name]}")
        for name, version in (("app", "1.2-3"), ("libapp", "1.0-1"), ("data", "7"), ("core", "1"))}
    assert [name for name, one in archive.locked().items() if one.get("essential")] == ["core"]


def test_a_dependency_comes_before_what_needs_it(archive):
    archive("lock")
    names = list(archive.locked())
    assert names.index("libapp") < names.index("app") > names.index("data")


def test_no_host_is_written_anywhere(archive):
    archive("build")
    assert archive.project.image().files["debs.txt"].data.decode().split() == sorted(
        path.rpartition("/")[2] for name, path in archive.repo.debs.items() if name in ("app", "libapp", "data", "core"))
    written = [archive.lock_path, *archive.varve.store.glob("steps/*"), archive.varve.store / "index.json"]
    image = archive.project.image()
    written += [image.blob(image.descriptor["digest"]), image.blob(image.manifest["config"]["digest"])]
    for path in written:
        assert b"127.0.0.1" not in path.read_bytes(), path


def test_resolving_again_gives_the_same_bytes(archive):
    archive("lock")
    before = archive.lock_path.read_bytes()
    assert "unchanged" in archive("lock").stdout and archive.lock_path.read_bytes() == before
    assert "unchanged" in archive("lock", "--all").stdout and archive.lock_path.read_bytes() == before
    archive.lock_path.unlink()
    archive("lock")
    assert archive.lock_path.read_bytes() == before


def test_a_build_without_changes_asks_no_server(archive):
    archive("build")
    archive.server.clear()
    archive("build", "--expect-cached")
    archive("lock")
    assert archive.server.requests == []


def test_an_upgrade_is_told_and_written(archive):
    archive("lock")
    before = archive.lock_path.read_bytes()
    archive.change("data", version="8")
    assert "unchanged" in archive("lock").stdout
    told = archive("lock", "--upgrade", "system", "--dry-run")
    assert "would change" in told.stdout and re.search(r"data 7 -> 8", told.stderr)
    assert archive.lock_path.read_bytes() == before
    told = archive("lock", "--upgrade", "system")
    assert re.search(r"data 7 -> 8", told.stderr) and archive.locked()["data"]["version"] == "8"


def test_all_sources_anew(archive):
    archive("lock")
    archive.change("app", version="2.0-1", depends="libapp")
    told = archive("lock", "--all")
    assert re.search(r"app 1\.2-3 -> 2\.0-1", told.stderr) and re.search(r"- data", told.stderr)
    assert sorted(archive.locked()) == ["app", "core", "libapp"]


def test_an_upgrade_of_no_such_source(archive):
    result = archive("lock", "--upgrade", "sytem", rc=2)
    assert 'sytem' in result.stderr and '"system"' in result.stderr


@pytest.mark.parametrize("option", ["--locked", "--offline"])
def test_a_source_that_is_not_locked_is_refused(archive, option):
    for command in ("build", "lock", "fetch", "plan"):
        result = archive(command, option, rc=2)
        assert 'source "system" is not locked' in result.stderr and option in result.stderr
        assert "varve lock r.yaml" in result.stderr
    assert not archive.lock_path.exists() and archive.server.requests == []


def test_offline_refuses_to_fetch(archive):
    archive("lock")
    archive.server.clear()
    result = archive("fetch", "--offline", rc=2)
    assert "--offline" in result.stderr and re.search("app|libapp|data|core", result.stderr)
    assert archive.server.requests == []
    archive("fetch", "--locked")
    archive("build", "--offline", mirror=False)


def test_a_package_that_is_not_there(archive):
    archive.recipe(["libap"])
    result = archive("lock", rc=2)
    assert 'source "system"' in result.stderr and 'no package "libap"' in result.stderr
    assert 'did you mean "libapp"?' in result.stderr and not archive.lock_path.exists()


def test_a_version_that_is_not_there(archive):
    archive.recipe(["app=9"])
    assert re.search('"app".*version 9', archive("lock", rc=2).stderr)
    archive.recipe(["app=1.2-3"])
    archive("lock")
    assert archive.locked()["app"]["version"] == "1.2-3"


@pytest.mark.parametrize("package, words", [("old-app", ["old-app", "libapp (>= 2.0)|libapp >= 2.0"]), ("clash", ["foe", "libapp"])])
def test_packages_that_do_not_fit_together(archive, package, words):
    archive.recipe([package])
    result = archive("lock", rc=2)
    assert 'source "system"' in result.stderr and all(re.search(word, result.stderr) for word in words)
    assert not archive.lock_path.exists()


# --- signatures ----------------------------------------------------------------------------------

def refused(archive, words, rc=None):
    result = archive("lock", rc=rc)
    assert result.rc not in (0, 125) and re.search(words, result.stderr), result
    assert "bookworm" in result.stderr and not archive.lock_path.exists()
    assert not any("Packages" in path for path in archive.server.paths())
    return result


def test_a_signature_by_another_key(archive):
    other = type(archive.repo.key)("Other <other@example.org>")
    try:
        archive.repo.key, mine = other, archive.repo.key
        archive.repo.write()
        archive.varve.write("archive.gpg", mine.public)
        refused(archive, "not signed by a key of keyring .*archive.gpg: .*No public key")
        archive.varve.write("archive.gpg", other.public)
        archive("lock")
    finally:
        other.close()


def test_a_release_that_was_changed(archive):
    path = archive.repo.path / "dists/bookworm/InRelease"
    path.write_text(path.read_text().replace("Origin: Tests", "Origin: Other"))
    refused(archive, "its signature is bad")


def test_text_around_what_is_signed_does_not_count(archive):
    path = archive.repo.path / "dists/bookworm/InRelease"
    path.write_text("Date: Thu, 01 Jan 1970 00:00:01 UTC\nSHA256:\n\n" + path.read_text())
    result = archive("lock", rc=None)
    assert result.rc not in (0, 125) or archive.lock()[0]["facts"]["date"] == 1700000000


def test_a_release_without_signature(archive):
    dist = archive.repo.path / "dists/bookworm"
    (dist / "InRelease").write_text((dist / "Release").read_text())
    refused(archive, "is not one signed text")
    (dist / "InRelease").unlink()
    refused(archive, "InRelease.*404")


def test_other_keys_make_the_lock_stale(archive):
    archive("lock")
    keys = archive.varve.path("archive.gpg").read_bytes()
    archive.varve.write("archive.gpg", keys + keys)
    told = archive("fetch", "--locked", rc=2)
    assert 'source "system" is not locked' in told.stderr
    assert re.search("system: keyring-digest sha256:.* -> sha256:", archive("lock").stderr)
    assert "unchanged" in archive("lock").stdout


def test_a_keyring_that_is_not_there(archive):
    archive.varve.path("archive.gpg").unlink()
    assert re.search(r"r.yaml:\d+:\d+: keyring archive.gpg cannot be read", archive("lock", rc=2).stderr)
    assert not archive.lock_path.exists()


def test_an_index_that_is_not_the_signed_one(archive):
    archive.server.fault("*/Packages*", "wrong", at=30)
    result = archive("lock", rc=None)
    assert result.rc not in (0, 125) and "sha256" in result.stderr
    assert not archive.lock_path.exists() and archive.leftovers() == []
    archive.server.clear()
    archive("lock")


# --- mirrors -------------------------------------------------------------------------------------

def test_the_mirror_of_the_environment(archive):
    archive("lock", mirror=False, env={"VARVE_MIRROR_DEBIAN": archive.server.url + "/"})
    assert archive.server.paths("*InRelease") == ["/dists/bookworm/InRelease"]


def test_the_mirror_of_the_configuration(archive):
    archive.varve.write("config/varve/config.json", json.dumps({"mirrors": {"debian": archive.server.url}}))
    archive("lock", mirror=False)
    assert archive.server.paths("*InRelease")


def test_the_nearest_mirror_setting_wins(archive):
    dead = "http://127.0.0.1:1"
    archive.varve.write("config/varve/config.json", json.dumps({"mirrors": {"debian": dead}}))
    archive("lock", mirror=False, env={"VARVE_MIRROR_DEBIAN": archive.server.url})
    archive("lock", "--all", env={"VARVE_MIRROR_DEBIAN": dead})


def test_a_configuration_with_a_mistake(archive):
    archive.varve.write("config/varve/config.json", '{"mirors": {}}')
    result = archive("lock", mirror=False, rc=2)
    assert "config.json" in result.stderr and 'did you mean "mirrors"?' in result.stderr


def test_security_updates_have_a_mirror_of_their_own(archive, make_repo, serve):
    security = make_repo([{"name": "data", "version": "7+deb12u1"}], suite="bookworm-security", date=1700001000)
    other = serve(security.path)
    archive.recipe(["app"], suites=["bookworm-security"])
    archive("lock", "--mirror", f"debian-security={other.url}")
    data = archive.locked()["data"]
    assert (data["version"], data["from"].split(":")[0]) == ("7+deb12u1", "debian-security")
    assert archive.lock()[0]["facts"]["date"] == 1700001000
    archive("fetch", "--mirror", f"debian-security={other.url}")
    assert other.paths("*.deb") == [f"/{security.debs['data']}"]
    assert archive.blob("app").exists() and not archive.blob("data").exists()


def test_a_snapshot_lies_below_its_mirror(archive, serve):
    snapshots = archive.repo.path.parent / "snapshots"
    snapshots.mkdir()
    (snapshots / "20231114T000000Z").symlink_to(archive.repo.path)
    archive.recipe(["app"], snapshot="20231114T000000Z")
    server = serve(snapshots)
    server.directory = snapshots
    server.read = lambda path: (snapshots / path.lstrip("/")).read_bytes() if (snapshots / path.lstrip("/")).is_file() else None
    archive("fetch", "--mirror", f"debian-snapshot={server.url}", mirror=False)
    assert all(path.startswith("/20231114T000000Z/") for path in server.paths()) and len(server.paths("*.deb")) == 4


def test_a_dead_mirror(archive):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{unused.getsockname()[1]}"
        started = time.monotonic()
        result = archive("lock", "--mirror", f"debian=http://{host}", mirror=False, rc=4)
    assert host in result.stderr and re.search("refused|connect", result.stderr)
    assert len(result.stderr.strip().splitlines()) <= 4 and time.monotonic() - started < 30


def test_a_mirror_without_the_suite(archive):
    archive.recipe(["app"], suite="trixie")
    result = archive("lock", rc=None)
    assert result.rc not in (0, 125) and 'mirror "debian" has no suite "trixie"' in result.stderr


def test_a_suite_without_the_component(archive):
    archive.recipe(["app"], components=["main", "contrib"])
    assert re.search('bookworm has no component "contrib"', archive("lock", rc=2).stderr)


# --- downloads -----------------------------------------------------------------------------------

def test_fetch_brings_what_the_lock_names(archive):
    assert "4 artifacts of 1 sources in the store, 4 of them" in archive("fetch").stdout
    for name in ("app", "libapp", "data", "core"):
        assert archive.blob(name).read_bytes() == archive.repo.deb(name).read_bytes()
    assert archive.leftovers() == []
    archive.server.clear()
    assert "0 of them" in archive("fetch").stdout and archive.server.requests == []


def test_wrong_bytes_are_refused(archive):
    archive("lock")
    archive.server.fault("*/libapp_*.deb", "wrong", at=1000)
    right = archive.repo.deb("libapp").read_bytes()
    wrong = hashlib.sha256(right[:1000] + bytes([right[1000] ^ 1]) + right[1001:]).hexdigest()
    result = archive("build", rc=None)
    assert result.rc not in (0, 125) and archive.blob("libapp").name in result.stderr and wrong in result.stderr
    assert "libapp" in result.stderr
    assert not archive.blob("libapp").exists() and not (archive.varve.store / "blobs/sha256" / wrong).exists()
    assert archive.leftovers() == []
    archive.server.clear()
    archive("build")
    assert archive.blob("libapp").read_bytes() == right


@pytest.mark.parametrize("kind", ["reset", "cut"])
def test_a_broken_connection_goes_on_where_it_broke(archive, kind):
    archive("lock")
    archive.server.fault("*/libapp_*.deb", kind, times=1, after=100000)
    archive("fetch")
    assert archive.blob("libapp").exists()
    ranges = [one.headers.get("Range") for one in archive.server.requests if "/libapp_" in one.path]
    assert len(ranges) == 2 and ranges[0] is None
    assert 0 < int(re.fullmatch(r"bytes=(\d+)-", ranges[1])[1]) <= 100000


def test_a_server_without_ranges_sends_all_again(archive):
    archive("lock")
    archive.server.fault("*/libapp_*.deb", "cut", times=1, after=100000)
    archive.server.fault("*/libapp_*.deb", "no-range")
    archive("fetch")
    assert archive.blob("libapp").read_bytes() == archive.repo.deb("libapp").read_bytes()


def test_a_fetch_that_was_killed_goes_on(archive):
    archive("lock")
    archive.server.clear()
    archive.server.fault("*/libapp_*.deb", "slow", times=1, rate=100000)
    child = archive.varve.start("fetch", "r.yaml", *archive.mirror)
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and not any("/libapp_" in one.path and one.sent > 50000 for one in archive.server.requests):
        time.sleep(0.02)
    assert archive.varve.stop(child, signal.SIGKILL).rc == -signal.SIGKILL
    assert archive.leftovers() == [f"fetch-{archive.blob('libapp').name}"] and not archive.blob("libapp").exists()
    archive("fetch")
    first, second = [one for one in archive.server.requests if "/libapp_" in one.path]
    assert first.sent < 300000 and re.fullmatch(r"bytes=[1-9]\d*-", second.headers.get("Range", "")), archive.server.requests
    assert archive.blob("libapp").read_bytes() == archive.repo.deb("libapp").read_bytes()
    assert archive.leftovers() == []


def test_what_a_stopped_fetch_left_wrong_is_no_start(archive):
    """Bytes of another file before the break: the digest is wrong once, the next try starts anew."""
    archive("lock")
    (archive.varve.store / "uploads").mkdir(parents=True, exist_ok=True)
    archive.varve.write(f"store/uploads/fetch-{archive.blob('libapp').name}", b"x" * 1000)
    if archive("fetch", rc=None).rc != 0:
        archive("fetch")
    assert archive.blob("libapp").read_bytes() == archive.repo.deb("libapp").read_bytes()


def test_a_package_that_the_mirror_no_longer_has(archive):
    archive("lock")
    archive.repo.deb("libapp").unlink()
    result = archive("build", rc=None)
    assert result.rc not in (0, 125) and re.search(r"libapp.*404|404.*libapp", result.stderr)
    assert archive.server.url.removeprefix("http://") in result.stderr


def test_a_server_that_is_busy_is_asked_again(archive):
    archive("lock")
    archive.server.fault("*/libapp_*.deb", "status", times=2, code=503, headers={"Retry-After": "0"})
    archive("fetch")
    assert len(archive.server.paths("*/libapp_*.deb")) == 3


def test_two_fetches_at_once_bring_each_file_once(archive):
    archive("lock")
    archive.server.clear()
    archive.server.fault("*.deb", "slow", rate=400000, delay=0.2)
    children = [archive.varve.start("fetch", "r.yaml", *archive.mirror) for _ in range(2)]
    assert [child.wait(timeout=60) for child in children] == [0, 0]
    for child in children:
        child.communicate()
    paths = archive.server.paths("*.deb")
    assert sorted(set(paths)) == sorted(paths) and len(paths) == 4


# --- further archives ----------------------------------------------------------------------------

@pytest.fixture
def vendor(archive, make_repo, serve):
    """Another archive with a key of its own, as the mirror "vendor"."""
    try:
        key = debs.SigningKey()
    except debs.Missing as reason:
        pytest.skip(str(reason))
    repo = make_repo([{"name": "driver", "version": "12.6", "depends": "libapp, tool"},
                      {"name": "driver", "version": "12.8", "depends": "libapp, tool"},
                      {"name": "tool", "version": "2"}, {"name": "data", "version": "99"}], suite="stable", key=key)
    archive.varve.write("vendor.gpg", repo.keyring.read_bytes())
    server = serve(repo.path)
    archive.mirror += ["--mirror", f"vendor={server.url}"]
    yield {"mirror": "vendor", "suite": "stable", "keyring": "vendor.gpg"}
    key.close()


def versions(archive):
    return {name: (one["version"], one["from"].split(":")[0]) for name, one in archive.locked().items()}


def test_a_repository_with_a_keyring_of_its_own(archive, vendor):
    archive.recipe(["app", "driver"], repositories=[vendor])
    archive("fetch")
    assert versions(archive) == {"app": ("1.2-3", "debian"), "libapp": ("1.0-1", "debian"), "core": ("1", "debian"),
                                 "data": ("99", "vendor"), "driver": ("12.8", "vendor"), "tool": ("2", "vendor")}
    assert set(archive.lock()[0]["facts"]["releases"]) == {"bookworm", "stable"}


def test_pins_choose_version_and_archive(archive, vendor):
    archive.recipe(["app", "driver"], repositories=[vendor], pins=["driver=12.6*", "data/bookworm"])
    archive("lock")
    assert versions(archive)["driver"] == ("12.6", "vendor") and versions(archive)["data"] == ("7", "debian")


def test_a_pin_that_matches_nothing(archive, vendor):
    archive.recipe(["app"], repositories=[vendor], pins=["driver=11*"])
    assert 'the pin "driver=11*" asks for' in archive("lock", rc=2).stderr


def test_a_repository_signed_by_another_key(archive, vendor):
    archive.recipe(["driver"], repositories=[{**vendor, "keyring": "archive.gpg"}])
    result = archive("lock", rc=None)
    assert result.rc not in (0, 125) and "not signed by a key of keyring" in result.stderr
    assert 'repository "vendor"' in result.stderr and not archive.lock_path.exists()


def test_backports_are_taken_when_asked_for_only(archive, make_repo, serve):
    backports = make_repo([{"name": "data", "version": "8~bpo12"}, {"name": "fresh", "version": "3"}],
                          suite="bookworm-backports", fields={"NotAutomatic": "yes"})
    other = serve(backports.path)
    repository = {"mirror": "backports", "suite": "bookworm-backports", "keyring": "archive.gpg"}
    archive.mirror += ["--mirror", f"backports={other.url}"]
    archive.recipe(["app", "fresh"], repositories=[repository])
    archive("lock")
    assert versions(archive)["data"][0] == "7" and versions(archive)["fresh"] == ("3", "backports")
    archive.recipe(["app"], repositories=[repository], pins=["data/bookworm-backports"])
    archive("lock")
    assert versions(archive)["data"] == ("8~bpo12", "backports")


def make_flat(repo, place):
    """The archive again in one directory, as vendors have it."""
    place.mkdir()
    (place / "driver.deb").write_bytes(repo.deb("driver").read_bytes())
    packages = (repo.path / f"dists/bookworm/main/binary-{repo.architecture}/Packages").read_text()
    packages = packages.replace(repo.debs["driver"], "./driver.deb").encode()
    (place / "Packages").write_bytes(packages)
    text = repo.release_text(place, [place / "Packages"])
    (place / "InRelease").write_bytes(repo.key.clearsign(text))


def test_a_flat_archive(archive, make_repo, serve):
    flat = make_repo([{"name": "driver", "version": "1", "depends": "data"}])
    place = flat.path / "flat"
    make_flat(flat, place)
    server = serve(place)
    archive.mirror += ["--mirror", f"flat={server.url}"]
    archive.recipe(["driver"], repositories=[{"mirror": "flat", "suite": "/", "keyring": "archive.gpg"}])
    archive("fetch")
    assert archive.locked()["driver"]["from"] == "flat:driver.deb" and server.paths("/driver.deb")


def test_another_architecture(archive):
    archive.recipe(["app:i386"])
    assert "packages of one architecture only" in archive("lock", rc=2).stderr
