#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks an OCI image layout against image-spec 1.1 (index, manifest, config, layers) and, where `strict`,
against the further promises of varve's layers: one total order, no names of users, clamped times.

As a command: oci_schema.py [--foreign] DIR.  From tests: check_layout(path)."""
import argparse
import collections
import hashlib
import json
import pathlib
import re
import sys

from oci_layer import LayerProblems, check_layer

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"
LAYERS = {LAYER: "none", LAYER + "+gzip": "gzip", LAYER + "+zstd": "zstd"}
REF_NAME = "org.opencontainers.image.ref.name"

DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
MEDIA_TYPE = re.compile(r"[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}")
TIME = re.compile(r"\d{4}-(0\d|1[0-2])-([0-2]\d|3[01])T([01]\d|2[0-3]):[0-5]\d:([0-5]\d|60)(\.\d+)?"
                  r"(Z|[+-]\d\d:\d\d)")
REFERENCE = re.compile(r"[A-Za-z0-9]+(([-._:@+]|--)[A-Za-z0-9]+)*(/[A-Za-z0-9]+(([-._:@+]|--)[A-Za-z0-9]+)*)*")
PORT = re.compile(r"\d{1,5}(/(tcp|udp|sctp))?")
ENVIRONMENT = re.compile(r"[^=\0]+=[^\0]*", re.DOTALL)
ARCHITECTURES = {"386", "amd64", "arm", "arm64", "loong64", "mips", "mips64", "mips64le", "mipsle", "ppc64",
                 "ppc64le", "riscv64", "s390x", "wasm"}

Image = collections.namedtuple("Image", "name digest manifest config")


class LayoutError(AssertionError):
    """Lists every finding, one a line."""


class Findings:
    def __init__(self):
        self.lines = []

    def expect(self, good, text):
        if not good:
            self.lines.append(text)
        return bool(good)

    def string(self, where, value, pattern=None):
        if self.expect(isinstance(value, str), f"{where}: {value!r} is no string") and pattern:
            return self.expect(pattern.fullmatch(value), f"{where}: {value!r} is malformed")
        return isinstance(value, str)

    def strings(self, where, value, pattern=None):
        if self.expect(isinstance(value, list), f"{where}: is no array"):
            for number, item in enumerate(value):
                self.string(f"{where}[{number}]", item, pattern)

    def annotations(self, where, value):
        if self.expect(isinstance(value, dict), f"{where}: is no object"):
            for key, text in value.items():
                self.expect(key, f"{where}: an empty key")
                self.string(f"{where}.{key}", text)

    def required(self, where, value, *names):
        if not self.expect(isinstance(value, dict), f"{where}: is no object"):
            return False
        return all([self.expect(name in value, f"{where}: {name} is missing") for name in names])


def parse(data, where, found):
    """JSON without duplicate members; None after a finding."""
    def pairs(items):
        found.expect(len(dict(items)) == len(items), f"{where}: duplicate members")
        return dict(items)
    try:
        return json.loads(data.decode("utf-8"), object_pairs_hook=pairs)
    except ValueError as error:
        found.expect(False, f"{where}: {error}")
        return None


class Layout:
    def __init__(self, path, strict, layers):
        self.path = pathlib.Path(path)
        self.strict = strict
        self.layers = layers
        self.found = Findings()
        self.images = []

    # --- files -----------------------------------------------------------------------------------
    def blob_path(self, digest):
        return self.path / "blobs" / "sha256" / digest.split(":", 1)[1]

    def check_files(self):
        marker = self.path / "oci-layout"
        if self.found.expect(marker.is_file(), "oci-layout: is missing"):
            document = parse(marker.read_bytes(), "oci-layout", self.found)
            version = document.get("imageLayoutVersion") if isinstance(document, dict) else None
            self.found.expect(version == "1.0.0", f"oci-layout: imageLayoutVersion is {version!r}")
        directory = self.path / "blobs" / "sha256"
        if self.found.expect(directory.is_dir(), "blobs/sha256: is missing"):
            for blob in sorted(directory.iterdir()):
                self.check_blob_file(blob)

    def check_blob_file(self, blob):
        if not self.found.expect(blob.is_file() and not blob.is_symlink() and
                                 re.fullmatch("[0-9a-f]{64}", blob.name),
                                 f"blobs/sha256/{blob.name}: is no blob"):
            return
        digest = hashlib.sha256()
        with blob.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
        self.found.expect(digest.hexdigest() == blob.name,
                          f"blobs/sha256/{blob.name}: its bytes are sha256:{digest.hexdigest()}")

    # --- descriptors -------------------------------------------------------------------------------
    def check_descriptor(self, where, value):
        found = self.found
        if not found.required(where, value, "mediaType", "digest", "size"):
            return False
        good = found.string(f"{where}.mediaType", value["mediaType"], MEDIA_TYPE)
        size = value["size"]
        good &= found.expect(type(size) is int and 0 <= size < 1 << 63, f"{where}.size: {size!r}")
        if "annotations" in value:
            found.annotations(f"{where}.annotations", value["annotations"])
        if "urls" in value:
            found.strings(f"{where}.urls", value["urls"])
        if not found.string(f"{where}.digest", value["digest"], DIGEST):
            return False
        blob = self.blob_path(value["digest"])
        if not found.expect(blob.is_file(), f"{where}: blob {value['digest']} is missing"):
            return False
        actual = blob.stat().st_size
        return good & found.expect(actual == size, f"{where}.size: {size}, the blob has {actual}")

    def document(self, where, descriptor):
        data = self.blob_path(descriptor["digest"]).read_bytes()
        document = parse(data, where, self.found)
        if self.strict and document is not None:
            canonical = json.dumps(document, sort_keys=True, separators=(",", ":"),
                                   ensure_ascii=False).encode()
            self.found.expect(data == canonical, f"{where}: is not canonical JSON")
        return document if self.found.expect(isinstance(document, dict), f"{where}: no object") else None

    # --- index -------------------------------------------------------------------------------------
    def check_index(self, where, index):
        found = self.found
        if not found.required(where, index, "schemaVersion", "manifests"):
            return
        found.expect(index["schemaVersion"] == 2, f"{where}.schemaVersion: is not 2")
        kind = index.get("mediaType")
        found.expect(kind == INDEX or (kind is None and not self.strict), f"{where}.mediaType: {kind!r}")
        found.expect("layers" not in index and "config" not in index, f"{where}: is also a manifest")
        if "annotations" in index:
            found.annotations(f"{where}.annotations", index["annotations"])
        if not found.expect(isinstance(index["manifests"], list), f"{where}.manifests: is no array"):
            return
        names = collections.Counter()
        for number, entry in enumerate(index["manifests"]):
            name = self.check_entry(f"{where}.manifests[{number}]", entry)
            names[name] += name is not None
        for name, count in names.items():
            found.expect(count < 2, f"{where}: {count} entries are named {name}")

    def check_entry(self, where, entry):
        if not self.check_descriptor(where, entry):
            return None
        name = None
        if isinstance(entry.get("annotations"), dict) and REF_NAME in entry["annotations"]:
            name = entry["annotations"][REF_NAME]
            self.found.string(f"{where}: {REF_NAME}", name, REFERENCE)
        platform = entry.get("platform")
        if platform is not None and self.found.required(f"{where}.platform", platform, "architecture", "os"):
            for key in ("architecture", "os", "os.version", "variant"):
                if key in platform:
                    self.found.string(f"{where}.platform.{key}", platform[key])
        document = self.document(f"{where} ({name})", entry)
        if document is None:
            return name
        if entry["mediaType"] == INDEX:
            self.check_index(f"{where} ({name})", document)
        elif entry["mediaType"] == MANIFEST:
            self.check_manifest(f"manifest of {name}", document, entry, name)
        return name

    # --- manifest ----------------------------------------------------------------------------------
    def check_manifest(self, where, manifest, entry, name):
        found = self.found
        if not found.required(where, manifest, "schemaVersion", "config", "layers"):
            return
        found.expect(manifest["schemaVersion"] == 2, f"{where}.schemaVersion: is not 2")
        kind = manifest.get("mediaType")
        found.expect(kind == MANIFEST or (kind is None and not self.strict), f"{where}.mediaType: {kind!r}")
        found.expect("manifests" not in manifest, f"{where}: is also an index")
        if "annotations" in manifest:
            found.annotations(f"{where}.annotations", manifest["annotations"])
            found.expect(REF_NAME not in manifest["annotations"], f"{where}: {REF_NAME} belongs to the index")
        layers = manifest["layers"]
        if not found.expect(isinstance(layers, list) and layers, f"{where}.layers: is no array of one or more"):
            return
        good = all([self.check_descriptor(f"{where}.layers[{n}]", layer) for n, layer in enumerate(layers)])
        if not self.check_descriptor(f"{where}.config", manifest["config"]) or not good:
            return
        if manifest["config"]["mediaType"] != CONFIG:
            found.expect(manifest.get("artifactType") or
                         not manifest["config"]["mediaType"].startswith("application/vnd.oci.empty"),
                         f"{where}: an artifact without artifactType")
            return
        config = self.document(f"config of {name}", manifest["config"])
        if config is not None:
            self.images.append(Image(name, entry["digest"], manifest, config))
            self.check_config(f"config of {name}", config, entry)
            self.check_layers(where, layers, config)

    # --- config ------------------------------------------------------------------------------------
    def check_config(self, where, config, entry):
        found = self.found
        if not found.required(where, config, "architecture", "os", "rootfs"):
            return
        found.expect(config["architecture"] in ARCHITECTURES, f"{where}.architecture: {config['architecture']!r}")
        found.expect(config["os"] in ("linux", "windows", "freebsd"), f"{where}.os: {config['os']!r}")
        for key, pattern in (("created", TIME), ("author", None), ("variant", None)):
            if key in config:
                found.string(f"{where}.{key}", config[key], pattern)
        for key in ("architecture", "os", "variant"):
            if key in entry.get("platform", {}):
                found.expect(entry["platform"][key] == config.get(key), f"{where}.{key}: not as in the index")
        found.expect("created" in config or not self.strict, f"{where}: created is missing")
        rootfs = config["rootfs"]
        if found.required(f"{where}.rootfs", rootfs, "type", "diff_ids"):
            found.expect(rootfs["type"] == "layers", f"{where}.rootfs.type: {rootfs['type']!r}")
            found.strings(f"{where}.rootfs.diff_ids", rootfs["diff_ids"], DIGEST)
        if config.get("config") is not None:
            self.check_execution(f"{where}.config", config["config"])
        if "history" in config or self.strict:
            self.check_history(f"{where}.history", config.get("history"))

    def check_execution(self, where, value):
        found = self.found
        if not found.expect(isinstance(value, dict), f"{where}: is no object"):
            return
        for key in ("User", "WorkingDir", "StopSignal"):
            if key in value:
                found.string(f"{where}.{key}", value[key])
        for key, pattern in (("Env", ENVIRONMENT), ("Entrypoint", None), ("Cmd", None)):
            if value.get(key) is not None:
                found.strings(f"{where}.{key}", value[key], pattern)
        for key, pattern in (("ExposedPorts", PORT), ("Volumes", None)):
            if value.get(key) is None or not found.expect(isinstance(value[key], dict), f"{where}.{key}: no object"):
                continue
            for name, empty in value[key].items():
                found.expect(empty == {}, f"{where}.{key}.{name}: is not the empty object")
                found.string(f"{where}.{key}", name, pattern)
        if value.get("Labels") is not None:
            found.annotations(f"{where}.Labels", value["Labels"])

    def check_history(self, where, history):
        found = self.found
        if not found.expect(isinstance(history, list) and history, f"{where}: is missing or empty"):
            return
        for number, entry in enumerate(history):
            if not found.expect(isinstance(entry, dict), f"{where}[{number}]: is no object"):
                continue
            for key, pattern in (("created", TIME), ("created_by", None), ("author", None), ("comment", None)):
                if key in entry:
                    found.string(f"{where}[{number}].{key}", entry[key], pattern)
            found.expect(type(entry.get("empty_layer", False)) is bool, f"{where}[{number}].empty_layer: no boolean")

    # --- layers ------------------------------------------------------------------------------------
    def check_layers(self, where, layers, config):
        diff_ids = config.get("rootfs", {}).get("diff_ids", [])
        found = self.found
        if not found.expect(len(diff_ids) == len(layers), f"{where}: {len(layers)} layers, {len(diff_ids)} diff ids"):
            return
        history = config.get("history")
        if isinstance(history, list):
            filled = sum(1 for entry in history if isinstance(entry, dict) and not entry.get("empty_layer"))
            found.expect(filled == len(layers), f"{where}: {len(layers)} layers, {filled} history entries with a layer")
        for number, (layer, diff_id) in enumerate(zip(layers, diff_ids)):
            here = f"{where}.layers[{number}]"
            if not found.expect(layer["mediaType"] in LAYERS, f"{here}.mediaType: {layer['mediaType']}"):
                continue
            if self.layers:
                self.check_layer(here, layer, diff_id, config.get("created"))

    def check_layer(self, here, layer, diff_id, created):
        known = self.strict and isinstance(created, str) and TIME.fullmatch(created)
        try:
            problems = check_layer(self.blob_path(layer["digest"]), LAYERS[layer["mediaType"]], diff_id,
                                   created if known else None)
        except LayerProblems as error:
            problems = [str(error)]
        for problem in problems:
            self.found.expect(False, f"{here}: {problem}")

    def check(self):
        self.check_files()
        index = self.path / "index.json"
        if self.found.expect(index.is_file(), "index.json: is missing"):
            document = parse(index.read_bytes(), "index.json", self.found)
            if document is not None:
                self.check_index("index.json", document)
        return self.found.lines


def check_layout(path, strict=True, layers=True):
    """Raises LayoutError with all findings; returns the images as (name, digest, manifest, config).
    strict: also what varve promises beyond the specification. layers=False leaves out what is in them."""
    layout = Layout(path, strict, layers)
    findings = layout.check()
    if findings:
        raise LayoutError(f"{path}: {len(findings)} findings\n" + "\n".join(findings))
    return layout.images


def main():
    parser = argparse.ArgumentParser(description="Checks an OCI image layout.")
    parser.add_argument("--foreign", action="store_true", help="the specification only, not varve's promises")
    parser.add_argument("directory")
    arguments = parser.parse_args()
    try:
        images = check_layout(arguments.directory, strict=not arguments.foreign)
    except LayoutError as error:
        print(error, file=sys.stderr)
        return 1
    for image in images:
        print(f"{image.digest} {image.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
