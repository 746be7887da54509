# SPDX-License-Identifier: Apache-2.0
"""An image of an OCI layout as files, by the rules of image-spec's layer.md, with nothing of varve's own."""
import dataclasses
import json
import pathlib
import tarfile

import oci_layer
from oci_schema import LAYERS, REF_NAME

KINDS = {tarfile.REGTYPE: "f", tarfile.DIRTYPE: "d", tarfile.SYMTYPE: "l", tarfile.LNKTYPE: "h", tarfile.FIFOTYPE: "p",
         tarfile.CHRTYPE: "c", tarfile.BLKTYPE: "b"}


@dataclasses.dataclass
class File:
    kind: str  # f d l p c b; h: a hard link as the tar has it; w: a whiteout
    mode: int
    uid: int
    gid: int
    mtime: int
    data: bytes = None
    link: str = None
    xattrs: dict = dataclasses.field(default_factory=dict)
    device: tuple = (0, 0)  # major, minor


def file_of(entry, data):
    xattrs = {name[len("SCHILY.xattr."):]: value.encode("utf-8", "surrogateescape")
              for name, value in entry.pax_headers.items() if name.startswith("SCHILY.xattr.")}
    return File(KINDS[entry.type], entry.mode, entry.uid, entry.gid, int(entry.mtime), data,
                entry.linkname or None, xattrs, (entry.devmajor, entry.devminor))


def remove(files, name):
    """The name and what lies below it."""
    for other in [key for key in files if key == name or key.startswith(name + "/")]:
        del files[other]


def parents(name):
    parts = name.split("/")[:-1]
    return ["/".join(parts[:count + 1]) for count in range(len(parts))]


def apply(files, layer):
    """Puts a layer on top: whiteouts first, as if they had all come before."""
    for name in layer:
        directory, _, base = name.rpartition("/")
        if base == ".wh..wh..opq":
            for other in [key for key in files if key.startswith(directory + "/")]:
                del files[other]
        elif base.startswith(oci_layer.WHITEOUT):
            remove(files, f"{directory}/{base[len(oci_layer.WHITEOUT):]}".lstrip("/"))
    for name, file in layer.items():
        if name.rpartition("/")[2].startswith(oci_layer.WHITEOUT):
            continue
        for directory in parents(name):
            files.setdefault(directory, File("d", 0o755, 0, 0, 0))  # left to the reader: as mkdir would
        if name in files and not (file.kind == "d" and files[name].kind == "d"):
            remove(files, name)
        files[name] = files[file.link] if file.kind == "h" else file


class Image:
    def __init__(self, layout, name):
        self.path = pathlib.Path(layout)
        index = json.loads((self.path / "index.json").read_text())
        found = [one for one in index["manifests"] if one.get("annotations", {}).get(REF_NAME) == name]
        assert len(found) == 1, f"{name}: {len(found)} entries in {index}"
        self.descriptor = found[0]
        self.manifest = self.document(found[0]["digest"])
        self.config = self.document(self.manifest["config"]["digest"])

    def blob(self, digest):
        return self.path / "blobs" / "sha256" / digest.split(":")[1]

    def document(self, digest):
        return json.loads(self.blob(digest).read_text())

    @property
    def layers(self):
        """One dictionary name -> File per layer."""
        return [{name: file_of(*both) for name, both in
                 oci_layer.read_layer(self.blob(one["digest"]), LAYERS[one["mediaType"]]).items()}
                for one in self.manifest["layers"]]

    @property
    def files(self):
        """What the layers are together."""
        files = {}
        for layer in self.layers:
            apply(files, layer)
        return files
