# SPDX-License-Identifier: Apache-2.0
"""varve verify: images tampered with by Python's tarfile and json are refused, each with its reason."""
import gzip
import io
import re
import tarfile

import oci_make
import pytest
from oci_schema import CONFIG, INDEX, LAYER, MANIFEST
from support import NAME, project, run  # noqa: F401  fixtures


def tar_of(*entries):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, fields in entries:
            info, data = tarfile.TarInfo(name), fields.get("data", b"")
            info.size = len(data)
            for field in ("type", "linkname", "mode", "pax_headers"):
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

    def link(self, digest):
        """The blob becomes a link to a file with the same bytes."""
        file = self.layout.file(digest)
        file.rename(self.path / "elsewhere")
        file.symlink_to(self.path / "elsewhere")

    def rewrite(self, digest, change):
        file = self.layout.file(digest)
        file.write_bytes(change(file.read_bytes()))


def flip(data):
    return data[:-9] + bytes([data[-9] ^ 1]) + data[-8:]


BEFORE = {  # name: (change, part of the reason)
    "swapped layers": (lambda i: i.layers.reverse(), "another diff id than the config says"),
    "swapped diff ids": (lambda i: i.config["rootfs"]["diff_ids"].reverse(), "another diff id than the config says"),
    "wrong diff id": (lambda i: i.config["rootfs"]["diff_ids"].__setitem__(0, "sha256:" + "0" * 64), "another diff id than the config says"),
    "malformed diff id": (lambda i: i.config["rootfs"]["diff_ids"].__setitem__(0, "sha256:0"), "diff id 1 is no"),
    "extra layer": (lambda i: i.layers.append(i.layers[0]), "3 layers in the manifest, 2 diff ids"),
    "layer left out": (lambda i: i.layers.pop(), "1 layers in the manifest, 2 diff ids"),
    "no layer at all": (lambda i: (i.layers.clear(), i.config["rootfs"]["diff_ids"].clear(), i.config.pop("history")), "without a layer"),
    "no rootfs": (lambda i: i.config.pop("rootfs"), '"rootfs"'),
    "other rootfs": (lambda i: i.config["rootfs"].update(type="tree"), 'rootfs.type is not "layers"'),
    "history too short": (lambda i: i.config["history"].pop(), "history tells of 1"),
    "history too long": (lambda i: i.config["history"].append({}), "history tells of 3"),
    "history empty layer": (lambda i: i.config["history"][0].update(empty_layer=True), "history tells of 1"),
    "history entry": (lambda i: i.config["history"][1].update(created="yesterday"), 'entry 2: member "created" has a value of the wrong kind'),
    "no architecture": (lambda i: i.config.pop("architecture"), 'member "architecture" is missing'),
    "command as text": (lambda i: i.config["config"].update(Cmd="/x"), 'member "config.Cmd" has a value of the wrong kind'),
    "variable without value": (lambda i: i.config["config"].update(Env=["PATH"]), 'member "config.Env" has a value of the wrong kind'),
    "label that is no text": (lambda i: i.config["config"].update(Labels={"a": 1}), 'member "config.Labels" has a value of the wrong kind'),
    "date of the config": (lambda i: i.config.update(created="2026-13"), 'member "created" has a value of the wrong kind'),
    "foreign url": (lambda i: i.layers[0].update(urls=["file:///x"]), "layer 1 is to be fetched from elsewhere"),
    "annotation": (lambda i: i.manifest.update(annotations={"a": ["b"]}), 'member "annotations" has a value of the wrong kind'),
    "wrong size": (lambda i: i.layers[0].update(size=i.layers[0]["size"] + 1), "bytes, its descriptor says"),
    "negative size": (lambda i: i.layers[0].update(size=-1), '"size"'),
    "size beyond all": (lambda i: i.layers[0].update(size=1 << 60), "too large"),
    "wrong media type": (lambda i: i.layers[0].update(mediaType=LAYER), "layer tar: it ends too early"),
    "unknown media type": (lambda i: i.layers[0].update(mediaType="x/y"), 'layers of type "x/y" are not supported'),
    "wrong type of manifest": (lambda i: i.manifest.update(mediaType=LAYER), "is not that of a manifest or index"),
    "config of an artifact": (lambda i: i.manifest.update(config={**i.layout.blob(oci_make.dump(i.config), CONFIG), "mediaType": "x/config"}),
                              "config's media type is not that of an image"),
    "manifest and index at once": (lambda i: i.manifest.update(manifests=[]), "neither an image manifest nor an index"),
    "schema 1": (lambda i: i.manifest.update(schemaVersion=1), "schema 1"),
}
AFTER = {
    "flipped blob": (lambda i: i.rewrite(i.layers[0]["digest"], flip), "bytes and digest sha256:[0-9a-f]{64}, not"),
    "truncated blob": (lambda i: i.rewrite(i.layers[1]["digest"], lambda data: data[:-10]), "bytes, its descriptor says"),
    "appended bytes": (lambda i: i.rewrite(i.layers[1]["digest"], lambda data: data + b"x"), "bytes, its descriptor says"),
    "flipped manifest": (lambda i: i.rewrite(i.root["digest"], flip), "damaged"),
    "flipped config": (lambda i: i.rewrite(i.manifest["config"]["digest"], flip), "damaged"),
    "missing blob": (lambda i: i.layout.file(i.layers[0]["digest"]).unlink(), "is not here"),
    "missing config": (lambda i: i.layout.file(i.manifest["config"]["digest"]).unlink(), "is not here"),
    "missing manifest": (lambda i: i.layout.file(i.root["digest"]).unlink(), "is not here"),
    "link for a blob": (lambda i: i.link(i.layers[0]["digest"]), "open blob"),
}


def header(name, size, kind=b"0", pad=b""):
    """A header by hand, where tarfile knows better."""
    info = tarfile.TarInfo(name)
    info.size, info.type = size, kind
    return info.tobuf(tarfile.USTAR_FORMAT) + pad


def pax_size(header_size, size):
    """A file whose extended header has another size than its own."""
    record = b"%d size=%d\n" % (len(b"10 size=%d\n" % size), size)
    return header("x", len(record), b"x", record.ljust(512, b"\0")) + header("f", header_size, pad=b"x" * 512)


END = b"\0" * 1024
LONG, DEEP = "n" * 256, "/".join(["d" * 200] * 21)
ENTRIES = {  # name: (entries, or the bytes of a tar; part of the reason)
    "duplicate path": ([FILE, FILE], "a: twice in one layer"),
    "duplicate as ./": ([FILE, ("./a", {})], "a: twice in one layer"),
    "..": ([("../a", {})], "../a: an unsafe name"),
    ".. inside": ([("a/../../b", {})], "an unsafe name"),
    "absolute": (header("/a", 0) + END, "a: an absolute name"),
    "control": ([("a\x1bb", {})], "control characters"),
    "NUL": (header("x", 20, b"x", b"20 path=a\0bcdefghij\n".ljust(512, b"\0")) + header("f", 0) + END, '"path" is malformed'),
    "overlong name": ([(LONG, {})], "an overlong name"),
    "overlong path": ([(DEEP, {})], "an overlong name"),
    "hard link outside": ([FILE, ("l", {"type": tarfile.LNKTYPE, "linkname": "../a"})], "l: a hard link to outside"),
    "hard link to later": ([("l", {"type": tarfile.LNKTYPE, "linkname": "a"}), FILE], "later entry"),
    "hard link to itself": ([("l", {"type": tarfile.LNKTYPE, "linkname": "l"})], "later entry"),
    "below a link": ([("l", {"type": tarfile.SYMTYPE, "linkname": "/etc"}), ("l/passwd", {"data": b"x"})], "l/passwd: lies below"),
    "below a file": ([FILE, ("a/b/c", {})], "a/b/c: lies below"),
    "whiteout of nothing": ([(".wh.", {})], "a whiteout of nothing"),
    "whiteout of ..": ([("d/.wh...", {})], "a whiteout of nothing"),
    "whiteout of a whiteout": ([(".wh..wh.plnk", {})], "a whiteout of a whiteout"),
    "whiteout with data": ([(".wh.a", {"data": b"x"})], "a whiteout that is no empty file"),
    "whiteout as directory": ([(".wh.a", {"type": tarfile.DIRTYPE})], "a whiteout that is no empty file"),
    "whiteout of overlayfs": ([("a", {"type": tarfile.CHRTYPE})], "overlayfs's whiteout"),
    "bytes after the end": (GOOD[0] + b"#!/bin/sh", "bytes after the tar's end"),
    "entry after the end": (tar_of(FILE)[:1024] + END + tar_of(("hidden", {"data": b"x"})), "bytes after the tar's end"),
    "two sizes": (pax_size(512, 3) + END, "f: has two sizes"),
    "directory with a size": (header("d", 512, b"5") + END, "d: has no data, but a size"),
    "wrong checksum": (header("a", 0)[:-1] + b"x" + END, "checksum is wrong"),
    "cut off": (GOOD[1][:1536], "ends too early"),
    "unknown type": (header("a", 0, b"Z") + END, "type 0x5a"),
}


def refused(varve, where, reason, *options):
    """Exit 5, with this reason among those of the rows that failed."""
    result = varve("verify", "--json", where, *options, rc=5).json()
    reasons = [check["failure"] for check in result["checks"] if check["failure"]]
    assert not result["ok"] and any(re.search(reason, one) for one in reasons), (reason, result)


def test_reasons_for_people(varve):
    """The table says what JSON says, and no more than a line per check."""
    image = Image(varve.path("i"), [tar_of(FILE, FILE), tar_of(("../\x1b", {}))])
    image.config.pop("os")
    where = image.write()
    checks = varve("verify", "--json", where, rc=5).json()["checks"]
    assert varve("verify", where, rc=5).stdout.splitlines() == [
        f"FAILED  {one['what']}: {one['failure']}".replace("\x1b", "\\x1b") if one["failure"] else f"ok      {one['what']}" for one in checks]
    assert [one["failure"] for one in checks if one["failure"]] == ['member "os" is missing', "a: twice in one layer", "../\x1b: an unsafe name"]


def test_right_image_passes(varve):
    result = varve("verify", "--json", Image(varve.path("i")).write()).json()
    assert result["ok"] and [check["what"] for check in result["checks"]] == [
        "documents", "manifest", "config", "config: history", "layer 1", "layer 2"], result


@pytest.mark.parametrize("name", BEFORE)
def test_document_is_refused(varve, name):
    image, (change, reason) = Image(varve.path("i")), BEFORE[name]
    change(image)
    refused(varve, image.write(), reason)


@pytest.mark.parametrize("name", AFTER)
def test_changed_file_is_refused(varve, name):
    image, (change, reason) = Image(varve.path("i")), AFTER[name]
    where = image.write()
    change(image)
    refused(varve, where, reason)


@pytest.mark.parametrize("name", ENTRIES)
def test_entries_are_refused(varve, name):
    entries, reason = ENTRIES[name]
    tar = entries if isinstance(entries, bytes) else tar_of(*entries)
    refused(varve, Image(varve.path("i"), [tar]).write(), reason)


def test_legal_oddities_pass(varve):
    """What readers agree on: whiteouts beside what comes in their place, opaque directories, device nodes, deep names."""
    odd = tar_of(("d", {"type": tarfile.DIRTYPE}), ("d/.wh..wh..opq", {}), ("d/.wh.x", {}), ("d/y", {"data": b"y"}),
                 ("n" * 255, {}), ("l", {"type": tarfile.LNKTYPE, "linkname": "of-another-layer"}), ("s", {"type": tarfile.SYMTYPE, "linkname": "../../x"}))
    assert varve("verify", "--json", Image(varve.path("i"), [GOOD[0], odd + b"\0" * 5120]).write()).json()["ok"]


# --- indexes -------------------------------------------------------------------------------------

class Index:
    """An index over an image for amd64 and one for arm64."""

    def __init__(self, path):
        self.layout, self.entries = oci_make.Layout(path), []
        for architecture in ("amd64", "arm64"):
            one = self.layout.image([self.layout.layer(2000, architecture)], architecture)
            self.entries.append({**one, "platform": {"os": "linux", "architecture": architecture}})

    def write(self):
        self.layout.tag("t", self.layout.index(self.entries))
        return f"oci:{self.layout.path}:t"


INDEXES = {
    "platform twice": (lambda i: i.entries[1]["platform"].update(architecture="amd64"), "entries 1 and 2 are both for linux/amd64"),
    "image twice": (lambda i: i.entries.append({**i.entries[0], "platform": {"os": "linux", "architecture": "s390x"}}), "entries 1 and 3 are the same"),
    "other platform": (lambda i: i.entries[1]["platform"].update(architecture="s390x"), "the index says architecture s390x, the config arm64"),
    "swapped platforms": (lambda i: [one["platform"].update(architecture=other) for one, other in zip(i.entries, ("arm64", "amd64"), strict=True)],
                          "the index says architecture arm64, the config amd64"),
    "wrong size": (lambda i: i.entries[0].update(size=7), "bytes, its descriptor says"),
    "wrong type": (lambda i: i.entries[0].update(mediaType=INDEX), "was announced as"),
    "foreign url": (lambda i: i.entries[0].update(urls=["https://x"]), "entry 1 is to be fetched from elsewhere"),
    "missing image": (lambda i: i.layout.file(i.entries[1]["digest"]).unlink(), "is not here"),
    "flipped image": (lambda i: i.layout.file(i.entries[1]["digest"]).write_bytes(flip(i.layout.file(i.entries[1]["digest"]).read_bytes())), "damaged"),
}


def test_right_index_passes(varve):
    where = Index(varve.path("i")).write()
    result = varve("verify", "--all-platforms", "--json", where).json()
    assert result["ok"] and [check["what"] for check in result["checks"]] == ["index", *(
        f"linux/{one}: {what}" for one in ("amd64", "arm64")
        for what in ("documents", "platform", "manifest", "config", "config: history", "layer 1"))], result
    assert len(varve("verify", "--platform", "linux/arm64", "--json", where).json()["checks"]) == 5


@pytest.mark.parametrize("name", INDEXES)
def test_index_is_refused(varve, name):
    index, (change, reason) = Index(varve.path("i")), INDEXES[name]
    change(index)
    refused(varve, index.write(), reason, "--all-platforms")


def test_flipped_index(varve):
    index = Index(varve.path("i"))
    where = index.write()
    file = index.layout.file(index.layout.entries[0]["digest"])
    file.write_bytes(flip(file.read_bytes()))
    refused(varve, where, "damaged", "--all-platforms")


# --- what varve makes ----------------------------------------------------------------------------

def test_built_image_passes(project):
    project.recipe([run("a", "echo a >/a && ln /a /b"), run("nothing", "true"), run("rm", "rm /a")])
    project.build()
    result = project.varve("verify", "--json", NAME).json()
    assert result["ok"], result
