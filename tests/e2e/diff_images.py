# SPDX-License-Identifier: Apache-2.0
"""Small images to compare, written by Python's tarfile: layers from dictionaries, configs, layouts."""
import gzip
import io
import tarfile

import oci_make
from oci_schema import CONFIG, LAYER, MANIFEST

# Classes that varve diff --semantic leaves out.
NO_EFFECT = {"compression", "order", "encoding", "time", "history", "stamp"}


def tar_of(entries, order=None, form=tarfile.PAX_FORMAT):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as tar:
        for name in order or sorted(entries):
            info, fields = tarfile.TarInfo(name.rstrip("/")), dict(entries[name])
            data = fields.pop("data", b"")
            info.mtime, info.mode, info.size = 1000, 0o644, len(data)
            for field, value in fields.items():
                setattr(info, field, value)
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def image(path, tars, config=None, compress=None, **members):
    """oci:PATH:t over these tars; config: further members of the config."""
    layout = oci_make.Layout(path)
    layers = []
    for tar in tars:
        data, kind = (gzip.compress(tar, compress, mtime=0), "+gzip") if compress else (tar, "")
        layers.append((layout.blob(data, LAYER + kind), oci_make.digest_of(tar)))
    document = {"architecture": "amd64", "os": "linux", "created": "2026-01-01T00:00:00Z",
                "config": {"Cmd": ["/x"], "Env": ["A=1"]}, "history": [{"created_by": "one"}],
                "rootfs": {"type": "layers", "diff_ids": [diff_id for _, diff_id in layers]}, **(config or {})}
    manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": layout.blob(oci_make.dump(document), CONFIG),
                "layers": [layer for layer, _ in layers], **members}
    layout.tag("t", layout.blob(oci_make.dump(manifest), MANIFEST))
    return f"oci:{path}:t"


def found(result):
    return {(one.get("path"), one["field"], one["class"]) for one in result["differences"]}
