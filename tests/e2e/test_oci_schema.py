# SPDX-License-Identifier: Apache-2.0
"""The layout checker itself: it accepts a good layout and finds each defect."""
import gzip
import hashlib
import io
import json
import tarfile

import pytest
from oci_schema import CONFIG, INDEX, LAYER, MANIFEST, REF_NAME, LayoutError, check_layout


def make_tar(entries):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, options in entries:
            entry = tarfile.TarInfo(name)
            data = options.pop("data", b"")
            for key, value in options.items():
                setattr(entry, key, value)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return out.getvalue()


def directory(**more):
    return {"type": tarfile.DIRTYPE, "mode": 0o755, **more}


class Maker:
    """A layout in memory; a test changes one part before it is written."""

    def __init__(self):
        self.entries = [("a", directory()), ("a/.wh.old", {}), ("a/x", {"data": b"1"}), ("b", {"mtime": 5})]
        self.tar = None
        self.blob = gzip.compress
        self.layer = {"mediaType": LAYER + "+gzip"}
        self.config = {
            "created": "1970-01-01T00:00:10Z", "architecture": "amd64", "os": "linux",
            "config": {"Env": ["A=b"], "Cmd": ["sh"], "Labels": {"k": "v"}, "ExposedPorts": {"80/tcp": {}}},
            "rootfs": {"type": "layers", "diff_ids": []},
            "history": [{"created": "1970-01-01T00:00:10Z", "created_by": "x"}, {"empty_layer": True}]}
        self.config_descriptor = {"mediaType": CONFIG}
        self.manifest = {"schemaVersion": 2, "mediaType": MANIFEST}
        self.entry = {"mediaType": MANIFEST, "annotations": {REF_NAME: "example.org/x:1"},
                      "platform": {"architecture": "amd64", "os": "linux"}}
        self.index = {"schemaVersion": 2, "mediaType": INDEX}
        self.marker = {"imageLayoutVersion": "1.0.0"}
        self.blobs = {}

    def put(self, data):
        digest = hashlib.sha256(data).hexdigest()
        self.blobs[digest] = data
        return {"digest": "sha256:" + digest, "size": len(data)}

    def put_json(self, document):
        return self.put(canonical(document))

    def write(self, path):
        tar = make_tar(self.entries) if self.tar is None else self.tar
        self.layer = {**self.put(self.blob(tar)), **self.layer}
        diff_ids = self.config["rootfs"]["diff_ids"]
        if not diff_ids:
            diff_ids.append("sha256:" + hashlib.sha256(tar).hexdigest())
        self.manifest.setdefault("layers", [self.layer])
        self.manifest.setdefault("config", {**self.put_json(self.config), **self.config_descriptor})
        self.index.setdefault("manifests", [{**self.put_json(self.manifest), **self.entry}])
        (path / "blobs/sha256").mkdir(parents=True)
        for digest, data in self.blobs.items():
            (path / "blobs/sha256" / digest).write_bytes(data)
        (path / "oci-layout").write_bytes(canonical(self.marker))
        (path / "index.json").write_bytes(canonical(self.index))


def canonical(document):
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


def test_accepts_a_good_layout(tmp_path):
    Maker().write(tmp_path)
    (image,) = check_layout(tmp_path)
    assert image.name == "example.org/x:1"


def change(**members):
    """Sets attributes of the maker; a dict is merged into the one there."""
    def apply(maker):
        for name, value in members.items():
            old = getattr(maker, name)
            setattr(maker, name, {**old, **value} if isinstance(old, dict) else value)
    return apply


def drop(where, name):
    return lambda maker: getattr(maker, where).pop(name)


def cut_tar(maker):
    maker.tar = make_tar(maker.entries).rstrip(b"\0")


def cut_gzip(maker):
    maker.blob = lambda data: gzip.compress(data)[:-4]


def second_member(maker):
    maker.blob = lambda data: gzip.compress(data) + gzip.compress(b"")


ZEROS = "sha256:" + 64 * "0"
DEFECTS = [
    ("imageLayoutVersion is '2'", change(marker={"imageLayoutVersion": "2"})),
    ("schemaVersion: is not 2", change(index={"schemaVersion": 1})),
    ("index.json.mediaType", drop("index", "mediaType")),
    ("is also a manifest", change(index={"layers": []})),
    ("blob sha256:0000", change(entry={"digest": ZEROS})),
    ("the blob has", change(entry={"size": 3})),
    ("size: True", change(entry={"size": True})),
    ("is malformed", change(entry={"digest": "sha256:ABC"})),
    ("is malformed", change(entry={"annotations": {REF_NAME: "a b"}})),
    ("platform: os is missing", change(entry={"platform": {"architecture": "amd64"}})),
    ("not as in the index", change(entry={"platform": {"architecture": "arm64", "os": "linux"}})),
    ("manifest of example.org/x:1.mediaType", drop("manifest", "mediaType")),
    ("is also an index", change(manifest={"manifests": []})),
    ("no array of one or more", change(manifest={"layers": []})),
    ("belongs to the index", change(manifest={"annotations": {REF_NAME: "x"}})),
    ("architecture: 'x86_64'", change(config={"architecture": "x86_64"})),
    ("os is missing", drop("config", "os")),
    ("created is missing", drop("config", "created")),
    ("created: '1970-13-01T00:00:00Z' is malformed", change(config={"created": "1970-13-01T00:00:00Z"})),
    ("config.Env", change(config={"config": {"Env": ["A"]}})),
    ("config.Cmd: is no array", change(config={"config": {"Cmd": "sh"}})),
    ("config.ExposedPorts", change(config={"config": {"ExposedPorts": {"http": {}}}})),
    ("config.Labels.k", change(config={"config": {"Labels": {"k": 1}}})),
    ("history: is missing or empty", change(config={"history": []})),
    ("1 layers, 2 history entries", change(config={"history": [{}, {}]})),
    ("1 layers, 2 diff ids", change(config={"rootfs": {"type": "layers", "diff_ids": [ZEROS, ZEROS]}})),
    ("rootfs.type", change(config={"rootfs": {"type": "layer", "diff_ids": []}})),
    ("the diff id is sha256:0000", change(config={"rootfs": {"type": "layers", "diff_ids": [ZEROS]}})),
    ("layers[0].mediaType: a/b", change(layer={"mediaType": "a/b"})),
    ("the gzip member is cut", cut_gzip),
    ("gzip member", second_member),
    ("no end of two zero blocks", cut_tar),
    ("no end of two zero blocks", lambda maker: setattr(maker, "tar", make_tar(maker.entries) + b"x")),
    ("appears twice", change(entries=[("a", {}), ("a", {})])),
    ("is not a clean", change(entries=[("../a", {})])),
    ("is not a clean", change(entries=[("/a", {})])),
    ("comes after its siblings", change(entries=[("a", directory()), ("a/x", {}), ("a/.wh.y", {})])),
    ("a whiteout is an empty file", change(entries=[(".wh.y", {"data": b"1"})])),
    ("hides what its own layer brings", change(entries=[("a", {}), (".wh.a", {})])),
    ("which does not come before", change(entries=[("a", {"type": tarfile.LNKTYPE, "linkname": "b"})])),
    ("comes after what is in it", change(entries=[("a/x", {}), ("a", directory())])),
    ("is out of order", change(entries=[("b", {}), ("a", {})])),
    ("is out of order", change(entries=[("a", directory()), ("a.b", {}), ("a/x", {})])),
    ("names its owner", change(entries=[("a", {"uname": "root"})])),
    ("is later than the image's", change(entries=[("a", {"mtime": 11})])),
    ("is a device", change(entries=[("a", {"type": tarfile.CHRTYPE})])),
    ("opaque", change(entries=[(".wh..wh..opq", {})])),
]


@pytest.mark.parametrize("text,spoil", DEFECTS, ids=lambda value: value if isinstance(value, str) else "")
def test_finds(tmp_path, text, spoil):
    maker = Maker()
    spoil(maker)
    maker.write(tmp_path)
    with pytest.raises(LayoutError) as error:
        check_layout(tmp_path)
    assert text in str(error.value)


def test_finds_changed_and_foreign_files(tmp_path):
    maker = Maker()
    maker.write(tmp_path)
    blob = tmp_path / "blobs/sha256" / maker.layer["digest"].removeprefix("sha256:")
    blob.write_bytes(blob.read_bytes()[:-1] + b"?")
    (tmp_path / "blobs/sha256/.varve-1").write_bytes(b"")
    with pytest.raises(LayoutError) as error:
        check_layout(tmp_path, layers=False)
    assert "its bytes are" in str(error.value) and ".varve-1: is no blob" in str(error.value)


def test_finds_names_given_twice_and_loose_json(tmp_path):
    maker = Maker()
    maker.write(tmp_path)
    index = maker.index
    index["manifests"] = index["manifests"] * 2
    (tmp_path / "index.json").write_text(json.dumps(index))
    with pytest.raises(LayoutError, match="2 entries are named"):
        check_layout(tmp_path)
    (tmp_path / "index.json").write_text('{"schemaVersion":2,"schemaVersion":2,"manifests":[]}')
    with pytest.raises(LayoutError, match="duplicate members"):
        check_layout(tmp_path)
