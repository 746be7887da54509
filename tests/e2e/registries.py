# SPDX-License-Identifier: Apache-2.0
"""Fixtures for tests with registries: one that fails as told (tests/registry), an image to push, the program.

	def test_x(bed):
		bed.open("ghcr")
		bed.registry.fault("upload-put", "reset", after=1000)
		bed.push()
		bed.assert_pushed()
"""
import hashlib
import json
import os
import pathlib
import re
import shutil
import sys

import oci_make
import pytest
from conftest import TOP

sys.path.insert(0, str(TOP / "tests"))
from registry import programs, real  # noqa: E402
from registry.certificates import Certificates, Missing  # noqa: E402
from registry.proxy import Proxy  # noqa: E402
from registry.server import FaultRegistry  # noqa: E402

MIB = 1 << 20
SECRET = "s3cret-Passw0rd-of-the-tests"


class Bed:
    """A fault registry, an image of an OCI layout, and varve between them."""

    def __init__(self, varve):
        self.varve, self.made = varve, []
        self.registry, self.layout, self.digest = None, None, None

    def open(self, profile="strict", **options):
        """Starts a registry; the first one is bed.registry."""
        one = FaultRegistry(profile, directory=self.varve.account.directory(), **options)
        self.made.append(one)
        self.registry = self.registry or one
        return one

    def start(self, make, *arguments, **options):
        """A real server that ends with the test; skips with the reason where there is none."""
        try:
            self.made.append(make(*arguments, **options))
        except programs.Missing as reason:
            pytest.skip(str(reason))
        return self.made[-1]

    def image(self, sizes=(MIB,), name="t", directory="layout", **options):
        self.layout, self.digest = oci_make.simple(self.varve.path(directory), sizes, name, **options)
        self.varve.account.own(self.layout.path)
        return self.layout

    @property
    def source(self):
        return f"oci:{self.layout.path}:t"

    @property
    def size(self):
        """Bytes of the image's blobs, without the manifest."""
        manifest = self.layout.document(self.digest)
        return sum(one["size"] for one in [manifest["config"], *manifest["layers"]])

    def target(self, repository="app", reference="1", registry=None):
        return f"docker://{(registry or self.registry).name(repository, reference)}"

    def push(self, *options, repository="app", tag="1", **more):
        if self.layout is None:
            self.image()
        return self.varve("copy", self.source, self.target(repository, tag), *options, **{"timeout": 120, **more})

    def start_push(self, *options, repository="app", tag="1", **more):
        return self.varve.start("copy", self.source, self.target(repository, tag), *options, **more)

    def pull(self, where="pulled", *options, repository="app", reference="1", **more):
        return self.varve("copy", self.target(repository, reference), f"oci:{self.varve.path(where)}:t", *options,
                          **{"timeout": 120, **more})

    # --- what there must be ----------------------------------------------------------------------
    def assert_pushed(self, repository="app", tag="1", registry=None):
        """The tag names our manifest, and each blob has the right bytes."""
        content = (registry or self.registry).content
        held = content.repository(repository)
        assert held.tags.get(tag) == self.digest, f"{held.tags}\n{(registry or self.registry).journal}"
        for digest in self.blobs():
            file = content.blob(repository, digest)
            assert file is not None and file.read_bytes() == self.layout.file(digest).read_bytes(), digest

    def assert_not_pushed(self, repository="app", tag="1"):
        assert tag not in self.registry.content.repository(repository).tags

    def blobs(self):
        manifest = self.layout.document(self.digest)
        return [one["digest"] for one in [manifest["config"], *manifest["layers"]]]

    def serve_image(self, repository="app", tag="1", registry=None):
        """Puts the image into the registry, by hand."""
        content = (registry or self.registry).content
        for digest in self.blobs():
            content.add_blob(repository, self.layout.file(digest).read_bytes())
        manifest = self.layout.file(self.digest).read_bytes()
        content.put_manifest(repository, tag, json.loads(manifest)["mediaType"], manifest)

    def assert_pulled(self, where="pulled"):
        """A layout whose entry is our manifest and whose blobs have the right bytes; nothing else is in it."""
        top = self.varve.path(where)
        index = json.loads((top / "index.json").read_text())
        assert [one["digest"] for one in index["manifests"]] == [self.digest]
        for digest in [self.digest, *self.blobs()]:
            assert (top / "blobs" / digest.replace(":", "/")).read_bytes() == self.layout.file(digest).read_bytes()
        assert_no_wrong_blobs(top)

    def close(self):
        for one in reversed(self.made):
            one.close()


def assert_no_wrong_blobs(layout):
    """No file under blobs/ has other bytes than its name says, whatever happened."""
    for path in (pathlib.Path(layout) / "blobs/sha256").glob("*"):
        assert hashlib.sha256(path.read_bytes()).hexdigest() == path.name, path


def assert_clear(result, words, rc=4):
    """An error that a person can act on: the exit code, few lines, the words (a pattern), no secret in it."""
    text = result.stderr
    errors = [line for line in text.splitlines() if line.strip()]
    assert result.rc == rc, result
    assert re.search(words, text, re.IGNORECASE), f"no {words!r} in {result}"
    assert len(errors) <= 12 and SECRET not in text and "Traceback" not in text, result
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", text.replace("\r", "")), result


@pytest.fixture
def bed(varve):
    one = Bed(varve)
    yield one
    one.close()


@pytest.fixture(scope="session")
def certificates(tmp_path_factory):
    try:
        return Certificates(tmp_path_factory.mktemp("certificates"))
    except Missing as reason:
        pytest.skip(str(reason))


def program(name):
    """Path of a peer; skips the test where there is none, builds it under tests/run --all."""
    try:
        return programs.build(name) if os.environ.get("VARVE_TEST_ALL") and name in programs.MODULES else programs.find(name)
    except programs.Missing as reason:
        pytest.skip(str(reason))


def skopeo():
    return shutil.which("skopeo") or pytest.skip("skopeo is missing")


__all__ = ["Bed", "MIB", "Proxy", "SECRET", "assert_clear", "assert_no_wrong_blobs", "bed", "certificates", "program", "real",
           "skopeo"]
