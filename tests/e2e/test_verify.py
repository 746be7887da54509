# SPDX-License-Identifier: Apache-2.0
"""varve verify: images tampered with by Python's tarfile and json are refused, each with its reason."""
import gzip
import io
import tarfile

import oci_make
import pytest
from oci_schema import CONFIG, LAYER, MANIFEST
from support import NAME, project, run  # noqa: F401  fixtures


def tar_of(*entries):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, fields in entries:
            info, data = tarfile.TarInfo(name), fields.get("data", b"")
            info.size = len(data)
            for field in ("type", "linkname"):
                setattr(info, field, fields.get(field, getattr(info, field)))
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


FILE = ("a", {"data": b"x"})
GOOD = [tar_of(FILE), tar_of(("b", {"data": b"y" * 2000}))]


class Image:
    """A right image of two layers; tampering changes its members before write(), or files after it."""

    def __init__(self, path, tars=GOOD):
        self.path, self.layout = path, oci_make.Layout(path)
        self.layers = [self.layout.blob(gzip.compress(tar, mtime=0), LAYER + "+gzip") for tar in tars]
        self.config = {"architecture": "amd64", "os": "linux", "config": {"Cmd": ["/x"]},
                       "history": [{"created_by": "x"} for _ in tars],
                       "rootfs": {"type": "layers", "diff_ids": [oci_make.digest_of(tar) for tar in tars]}}
        self.manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "layers": self.layers}
        self.descriptor = {}

    def write(self):
        self.manifest.setdefault("config", self.layout.blob(oci_make.dump(self.config), CONFIG))
        self.root = self.layout.blob(oci_make.dump(self.manifest), MANIFEST)
        self.layout.tag("t", {**self.root, **self.descriptor})
        return f"oci:{self.path}:t"

    def rewrite(self, digest, change):
        file = self.layout.file(digest)
        file.write_bytes(change(file.read_bytes()))


def flip(data):
    return data[:-9] + bytes([data[-9] ^ 1]) + data[-8:]


BEFORE = {  # name: (change, part of the reason)
    "swapped layers": (lambda i: i.layers.reverse(), "diff id"),
    "swapped diff ids": (lambda i: i.config["rootfs"]["diff_ids"].reverse(), "diff id"),
    "wrong diff id": (lambda i: i.config["rootfs"]["diff_ids"].__setitem__(0, "sha256:" + "0" * 64), "diff id"),
    "malformed diff id": (lambda i: i.config["rootfs"]["diff_ids"].__setitem__(0, "sha256:0"), "diff id 1 is no"),
    "extra layer": (lambda i: i.layers.append(i.layers[0]), "3 layers in the manifest, 2 diff ids"),
    "layer left out": (lambda i: i.layers.pop(), "1 layers in the manifest, 2 diff ids"),
    "no rootfs": (lambda i: i.config.pop("rootfs"), "rootfs"),
    "history too short": (lambda i: i.config["history"].pop(), "history tells of 1"),
    "history too long": (lambda i: i.config["history"].append({}), "history tells of 3"),
    "history empty layer": (lambda i: i.config["history"][0].update(empty_layer=True), "history tells of 1"),
    "foreign url": (lambda i: i.layers[0].update(urls=["file:///x"]), "urls"),
    "wrong size": (lambda i: i.layers[0].update(size=i.layers[0]["size"] + 1), ""),
    "wrong media type": (lambda i: i.layers[0].update(mediaType=LAYER), ""),
    "wrong type of manifest": (lambda i: i.manifest.update(mediaType=LAYER), ""),
}
AFTER = {
    "flipped blob": lambda i: i.rewrite(i.layers[0]["digest"], flip),
    "truncated blob": lambda i: i.rewrite(i.layers[1]["digest"], lambda data: data[:-10]),
    "appended bytes": lambda i: i.rewrite(i.layers[1]["digest"], lambda data: data + b"x"),
    "flipped manifest": lambda i: i.rewrite(i.root["digest"], flip),
    "flipped config": lambda i: i.rewrite(i.manifest["config"]["digest"], flip),
    "missing blob": lambda i: i.layout.file(i.layers[0]["digest"]).unlink(),
}
ENTRIES = {
    "duplicate path": ([FILE, FILE], "twice in one layer"),
    "duplicate as ./": ([FILE, ("./a", {})], "twice in one layer"),
    "..": ([("../a", {})], "unsafe name"),
    ".. inside": ([("a/../../b", {})], "unsafe name"),
    "control": ([("a\x1bb", {})], "control characters"),
    "hard link outside": ([FILE, ("l", {"type": tarfile.LNKTYPE, "linkname": "../a"})], "outside"),
    "hard link to later": ([("l", {"type": tarfile.LNKTYPE, "linkname": "a"}), FILE], "later entry"),
    "hard link to itself": ([("l", {"type": tarfile.LNKTYPE, "linkname": "l"})], "later entry"),
    "whiteout of nothing": ([(".wh.", {})], "whiteout of nothing"),
}


def refused(varve, where, reason):
    result = varve("verify", "--json", where, rc=5).json()
    reasons = [check["failure"] for check in result["checks"] if check["failure"]]
    assert not result["ok"] and any(reason in one for one in reasons), result
    assert "FAILED" in varve("verify", where, rc=5).stdout


def test_right_image_passes(varve):
    result = varve("verify", "--json", Image(varve.path("i")).write()).json()
    assert result["ok"] and len(result["checks"]) == 5, result


@pytest.mark.parametrize("name", BEFORE)
def test_document_is_refused(varve, name):
    image, (change, reason) = Image(varve.path("i")), BEFORE[name]
    change(image)
    refused(varve, image.write(), reason)


@pytest.mark.parametrize("name", AFTER)
def test_changed_file_is_refused(varve, name):
    image = Image(varve.path("i"))
    where = image.write()
    AFTER[name](image)
    refused(varve, where, "")


@pytest.mark.parametrize("name", ENTRIES)
def test_entries_are_refused(varve, name):
    entries, reason = ENTRIES[name]
    refused(varve, Image(varve.path("i"), [tar_of(*entries)]).write(), reason)


def test_built_image_passes(project):
    project.recipe([run("a", "echo a >/a && ln /a /b"), run("nothing", "true"), run("rm", "rm /a")])
    project.build()
    result = project.varve("verify", "--json", NAME).json()
    assert result["ok"], result
