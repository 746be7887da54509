# SPDX-License-Identifier: Apache-2.0
"""OCI layouts for tests of registries, made here: random files in layers of a given size, configs, indexes."""
import gzip
import hashlib
import io
import json
import pathlib
import random
import tarfile

from oci_schema import CONFIG, INDEX, LAYER, MANIFEST, REF_NAME

BLOCK = 1 << 24  # more at once than randbytes() can


def digest_of(data):
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def dump(document):
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


def make_tar(size, seed):
    """A tar of about this size: one file of random bytes. The same for the same arguments."""
    rng, out = random.Random(seed), io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        entry = tarfile.TarInfo(f"data-{seed}")
        entry.size = max(0, size - 10240)
        parts = [rng.randbytes(min(BLOCK, entry.size - at)) for at in range(0, entry.size, BLOCK)]
        tar.addfile(entry, io.BytesIO(b"".join(parts)))
    return out.getvalue()


class Layout:
    """A layout that grows; close to nothing is checked, so that wrong ones can be made too."""

    def __init__(self, path):
        self.path = pathlib.Path(path)
        (self.path / "blobs/sha256").mkdir(parents=True, exist_ok=True)
        (self.path / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
        self.entries = []
        self.write_index()

    def write_index(self):
        (self.path / "index.json").write_bytes(dump({"schemaVersion": 2, "mediaType": INDEX, "manifests": self.entries}))

    def file(self, digest):
        return self.path / "blobs" / digest.replace(":", "/")

    def blob(self, data, media_type):
        """Adds a blob; returns its descriptor."""
        digest = digest_of(data)
        self.file(digest).write_bytes(data)
        return {"mediaType": media_type, "digest": digest, "size": len(data)}

    def layer(self, size, seed=1, compressed=False):
        """(descriptor, diff id)"""
        tar = make_tar(size, seed)
        data = gzip.compress(tar, 1, mtime=0) if compressed else tar
        return self.blob(data, LAYER + ("+gzip" if compressed else "")), digest_of(tar)

    def image(self, layers, architecture="amd64", **members):
        """The descriptor of a manifest over layers as layer() gives them."""
        config = {"architecture": architecture, "os": "linux", "config": {"Cmd": ["/x"]},
                  "created": "2026-01-01T00:00:00Z",
                  "rootfs": {"type": "layers", "diff_ids": [diff_id for _, diff_id in layers]},
                  "history": [{"created": "2026-01-01T00:00:00Z", "created_by": f"layer {n}"} for n in range(len(layers))]}
        manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": self.blob(dump(config), CONFIG),
                    "layers": [descriptor for descriptor, _ in layers], **members}
        return self.blob(dump(manifest), MANIFEST)

    def index(self, manifests, **members):
        """The descriptor of an index over descriptors (with their platforms)."""
        return self.blob(dump({"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests, **members}), INDEX)

    def tag(self, name, descriptor):
        self.entries.append({**descriptor, "annotations": {REF_NAME: name}})
        self.write_index()
        return descriptor["digest"]

    def document(self, digest):
        return json.loads(self.file(digest).read_bytes())


def simple(path, sizes, name="t", seed=1, compressed=False):
    """(layout, digest of its manifest): an image of layers of these sizes."""
    layout = Layout(path)
    layers = [layout.layer(size, seed * 100 + number, compressed) for number, size in enumerate(sizes)]
    return layout, layout.tag(name, layout.image(layers))
