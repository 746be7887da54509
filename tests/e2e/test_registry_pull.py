# SPDX-License-Identifier: Apache-2.0
"""Pulls from a registry that fails: each (fault, phase) ends with the right bytes in the layout or with a clear
error; a broken transfer goes on where it broke."""
import dataclasses
import json
import re
import time

import oci_make
import pytest
from registries import MIB, assert_clear, assert_no_wrong_blobs, bed  # noqa: F401  fixture

LAYER = 3 * MIB
STALL = ("--stall-timeout", "4")
BLOCK = MIB // 2  # what may be read twice: buffers on the way


@dataclasses.dataclass
class Case:
    """As in test_registry_push; more: bytes that may be received beyond the image's."""
    id: str
    faults: list
    profile: str = "strict"
    options: tuple = ()
    more: int = BLOCK
    error: str = None
    rc: int = 4
    within: float = 60


def layer(kind, **options):
    """A fault of the layer's blob, wherever its bytes come from."""
    return [("layer", kind, options)]


def one(operation, kind, **options):
    return [(operation, kind, options)]


MANIFESTS = [
    Case("manifest-get-reset", one("manifest-get", "reset", before=True)),
    Case("manifest-get-reset-in-its-body", one("manifest-get", "reset", after=100)),
    Case("manifest-get-cut-in-its-body", one("manifest-get", "cut", after=100)),
    Case("manifest-get-500-twice", one("manifest-get", "status", code=500, times=2)),
    Case("manifest-get-429", one("manifest-get", "status", code=429, headers={"Retry-After": "1"})),
    Case("manifest-get-429-for-hours", one("manifest-get", "status", code=429, times=None, name="TOOMANYREQUESTS",
                                           headers={"Retry-After": "7200"}), error="7200|2 h|hour|120 min", within=10),
    Case("manifest-get-404", one("manifest-get", "status", code=404, name="MANIFEST_UNKNOWN", times=None),
         error=r"app.*(404|no |not |unknown)", within=10),
    Case("manifest-get-403", one("manifest-get", "status", code=403, name="DENIED", times=None), error="403|DENIED", within=10),
    Case("manifest-get-html", one("manifest-get", "status", code=200, body=b"<html>log in</html>", times=None,
                                  headers={"Content-Type": "text/html"}), error="text/html|JSON|manifest|log in"),
    Case("manifest-get-wrong-byte", one("manifest-get", "wrong", at=30, times=None), error="sha256|digest"),
    Case("manifest-get-wrong-digest-header", one("manifest-get", "headers", times=None, headers={
        "Docker-Content-Digest": "sha256:" + "0" * 64}), error="sha256:0000|digest"),
    Case("manifest-get-other-type", one("manifest-get", "headers", times=None, headers={
        "Content-Type": "application/vnd.oci.image.index.v1+json"}), error="type|index"),
    Case("manifest-get-schema1", one("manifest-get", "status", code=200, times=None, body=b'{"schemaVersion": 1, "name": "app"}',
                                     headers={"Content-Type": "application/vnd.docker.distribution.manifest.v1+prettyjws"}),
         error="schema ?(version)? ?1|v1|old"),
    Case("manifest-get-endless", one("manifest-get", "status", code=200, times=None, body=b"{" + b" " * (9 * MIB) + b"}", headers={
        "Content-Type": "application/vnd.oci.image.manifest.v1+json"}), error="large|limit|MiB|bytes|MB"),
    Case("manifest-get-garbage", one("manifest-get", "garbage", times=None), error="HTTP|reply|answer|response", within=100),
    Case("manifest-get-silent", one("manifest-get", "stuck", before=True, times=1), options=STALL),
    Case("manifest-head-405", one("manifest-head", "status", code=405, times=None)),
    Case("manifest-head-500", one("manifest-head", "status", code=500, times=1)),
]

BLOBS = [
    Case("blob-reset-at-once", layer("reset", before=True)),
    Case("blob-reset", layer("reset", after=MIB)),
    Case("blob-reset-three-times", layer("reset", after=MIB // 2, times=3), more=3 * BLOCK),
    Case("blob-cut", layer("cut", after=MIB + 17)),
    Case("blob-cut-at-the-end", layer("cut", after=LAYER - 1)),
    Case("blob-short", layer("short", by=1000)),
    Case("blob-silent-for-a-while", layer("silence", after=MIB, seconds=1.5)),
    Case("blob-silent-for-good", layer("stuck", after=MIB), options=STALL),
    Case("blob-slow-is-not-silent", layer("slow", rate=2 * MIB), options=STALL),
    Case("blob-500-twice", layer("status", code=500, times=2)),
    Case("blob-503-asks-for-patience", layer("status", code=503, headers={"Retry-After": "1"})),
    Case("blob-404", layer("status", code=404, name="BLOB_UNKNOWN", times=None), error="404|BLOB_UNKNOWN|not", within=10),
    Case("blob-403", layer("status", code=403, name="DENIED", times=None), error="403|DENIED", within=10),
    Case("blob-wrong-byte-once", layer("wrong", at=MIB), more=LAYER + BLOCK, error="any"),
    Case("blob-wrong-byte", layer("wrong", at=MIB, times=None), more=3 * LAYER, error="sha256|digest"),
    Case("blob-is-html", layer("status", code=200, body=b"<html>captive portal</html>", times=None), more=LAYER,
         error="size|bytes|digest"),
    Case("blob-too-long", layer("headers", headers={"Content-Length": str(LAYER + 5)}, times=1), more=LAYER + BLOCK,
         error="any"),
    Case("blob-length-too-small", layer("headers", headers={"Content-Length": str(LAYER - 5)}), more=LAYER, error="any"),
    Case("blob-without-length", layer("headers", headers={"Content-Length": None, "Connection": "close"})),
    Case("blob-garbage", layer("garbage", times=None), error="HTTP|reply|answer|response", within=100),
    Case("range-ignored", layer("reset", after=MIB), "cdn", more=LAYER + BLOCK),
    Case("range-answered-from-elsewhere", [*layer("reset", after=MIB), *layer("headers", headers={
        "Content-Range": f"bytes 5-9/{LAYER}"})], more=LAYER + MIB + BLOCK),
    Case("range-416", [*layer("reset", after=MIB), *layer("status", code=416)], more=LAYER),
    Case("signed-url-is-asked-for-again", layer("reset", after=MIB), "signed-cdn"),
    Case("signed-url-is-over", layer("status", code=403), "signed-cdn", error="any"),
    Case("redirect-loop", layer("redirect", to="/v2/app/blobs/again", times=None), error="redirect|404"),
    Case("redirect-nowhere", layer("redirect", to="file:///etc/passwd", times=None), error="redirect|location|file"),
    Case("redirect-elsewhere-dead", layer("redirect", to="http://127.0.0.1:1/x", times=None),
         options=("--stall-timeout", "2"), error="127.0.0.1(:| port )1|refused", within=10),
]


def sends_the_layer(bed, entry):
    """True for the request that the layer's bytes answer: behind a redirect, the second one."""
    role = "elsewhere" if bed.registry.profile.blobs_elsewhere else "registry"
    return entry.reference in (bed.blobs()[1], "again") and entry.role == role


@pytest.mark.parametrize("case", MANIFESTS + BLOBS, ids=lambda case: case.id)
def test_fault(bed, case):
    registry = bed.open(case.profile)
    bed.image([LAYER])
    bed.serve_image()
    for operation, kind, options in case.faults:
        if operation == "layer":
            operation, options = "blob-get", {**options, "where": lambda entry: sends_the_layer(bed, entry)}
        registry.fault(operation, kind, **options)
    started = time.monotonic()
    result = bed.pull("pulled", *case.options, rc=0 if case.error is None else None)
    log = f"{result}\n{registry.journal}"
    assert time.monotonic() - started < case.within, log
    if result.rc == 0:
        assert case.error in (None, "any"), log
        bed.assert_pulled()
    else:
        assert_clear(result, "" if case.error == "any" else case.error, case.rc)
        if bed.varve.path("pulled").exists():
            assert_no_wrong_blobs(bed.varve.path("pulled"))
            index = bed.varve.path("pulled/index.json")
            assert not index.exists() or json.loads(index.read_text())["manifests"] == []
    assert registry.journal.downloaded() <= bed.size + case.more, log


@pytest.mark.parametrize("profile", ["strict", "docker28", "crane", "cdn", "signed-cdn", "hub", "ecr"])
def test_each_kind_of_registry(bed, profile):
    registry = bed.open(profile)
    bed.image([LAYER, 5000], compressed=True)
    bed.serve_image()
    bed.pull()
    bed.assert_pulled()
    assert registry.journal.downloaded() <= bed.size + 1000
    assert registry.journal.count("manifest-get", status=200) <= 1, registry.journal


def test_a_tag_is_looked_up_without_what_counts(bed):
    """Where all is there, HEAD answers: GETs are what registries count."""
    registry = bed.open("hub")
    bed.image([1000])
    bed.serve_image()
    bed.varve("pull", bed.target())
    registry.clear()
    bed.varve("pull", bed.target())
    assert registry.journal.count("manifest-get") == 0 and registry.journal.count("blob-get") == 0, registry.journal


def test_a_digest_is_kept_to(bed):
    registry = bed.open()
    bed.image([1000])
    bed.serve_image()
    bed.pull(reference=bed.digest)
    bed.assert_pulled()
    other = oci_make.digest_of(b"{}")
    registry.content.repository("app").manifests[other] = registry.content.repository("app").manifests[bed.digest]
    result = bed.pull("other", reference=other, rc=None)
    assert_clear(result, other.split(":")[1][:12])
    assert bed.digest.split(":")[1][:12] in result.stderr, "it does not say what came"


def test_a_corrupt_blob_is_told_with_what_came(bed):
    """Blob, bytes read, got, want: as good as the best peer's message."""
    registry = bed.open()
    bed.image([LAYER])
    bed.serve_image()
    registry.fault("blob-get", "wrong", at=5000, times=None, where=lambda entry: entry.reference == bed.blobs()[1])
    result = bed.pull(rc=4)
    want = bed.blobs()[1]
    data = bytearray(bed.layout.file(want).read_bytes())
    data[5000] ^= 1
    assert want in result.stderr and oci_make.digest_of(bytes(data)) in result.stderr, result
    assert re.search(rf"{len(data)}|{len(data):,}|MiB|MB", result.stderr), result


def test_blobs_that_are_there_are_not_fetched(bed):
    registry = bed.open()
    bed.image([LAYER, 5000])
    bed.serve_image()
    bed.varve("pull", bed.target())
    registry.clear()
    more = bed.layout.layer(6000, 77)
    manifest = bed.layout.document(bed.digest)
    layers = [(one, one["digest"]) for one in manifest["layers"]]
    bed.digest = bed.layout.tag("t2", bed.layout.image([*layers, more]))
    bed.serve_image(tag="2")
    bed.varve("pull", bed.target(reference="2"))
    assert registry.journal.downloaded() <= 6000 + 10240 + 2000, registry.journal


def test_one_broken_transfer_after_the_other(bed):
    """Each connection dies after 1 MiB of a layer of six."""
    registry = bed.open()
    bed.image([6 * MIB])
    bed.serve_image()
    registry.fault("blob-get", "reset", after=MIB, times=5, where=lambda entry: entry.reference == bed.blobs()[1])
    bed.pull()
    bed.assert_pulled()
    assert registry.journal.downloaded() <= bed.size * 1.1 + BLOCK
    offsets = [int(re.match(r"bytes=(\d+)-", entry.header("Range"))[1]) for entry in registry.journal.of("blob-get")
               if entry.header("Range")]
    assert offsets == sorted(offsets) and len(offsets) >= 5


def test_layers_come_side_by_side(bed):
    registry = bed.open()
    bed.image([200000 + n for n in range(8)])
    bed.serve_image()
    registry.fault("blob-get", "delay", seconds=0.3, times=None)
    started = time.monotonic()
    bed.pull()
    bed.assert_pulled()
    assert time.monotonic() - started < 8 * 0.3


def test_no_body_is_asked_for_in_a_coding(bed):
    """A proxy that compresses would break digests and ranges."""
    registry = bed.open()
    bed.image([1000])
    bed.serve_image()
    bed.pull()
    for entry in registry.journal.of("blob-get", "manifest-get"):
        assert entry.header("Accept-Encoding") in (None, "identity"), entry.headers


@pytest.mark.parametrize("wrong, words", [
    ({"config": None}, "config"), ({"layers": [{"digest": "sha256:../../etc/passwd", "size": 1, "mediaType": "x"}]}, "digest"),
    ({"layers": [{"digest": "sha256:" + "A" * 64, "size": 1, "mediaType": "x"}]}, "digest"),
    ({"layers": [{"digest": "sha256:" + "a" * 64, "size": -1, "mediaType": "x"}]}, "size"),
    ({"layers": [{"digest": "sha256:" + "a" * 64, "size": 1e300, "mediaType": "x"}]}, "size"),
    ({"layers": "no"}, "layers"), ({"manifests": []}, "manifest"), ({"schemaVersion": 3}, "schemaVersion|manifest"),
])
def test_a_manifest_that_is_wrong(bed, wrong, words):
    registry = bed.open()
    bed.image([1000])
    bed.serve_image()
    document = {**bed.layout.document(bed.digest), **wrong}
    registry.content.put_manifest("app", "bad", document["mediaType"],
                                  json.dumps({key: value for key, value in document.items() if value is not None}).encode())
    result = bed.varve("pull", bed.target(reference="bad"), rc=None)
    assert result.rc in (2, 4, 5) and re.search(words, result.stderr), result


def test_depth_without_end(bed):
    registry = bed.open()
    registry.content.put_manifest("app", "deep", "application/vnd.oci.image.index.v1+json",
                                  b'{"schemaVersion":2,"manifests":' + b"[" * 100000 + b"]" * 100000 + b"}")
    result = bed.varve("pull", bed.target(reference="deep"), rc=None)
    assert result.rc in (2, 4), result


def test_a_layer_whose_size_is_not_the_descriptors(bed):
    """The blob has the right digest; the manifest lies about its size."""
    registry = bed.open()
    bed.image([5000])
    bed.serve_image()
    document = bed.layout.document(bed.digest)
    document["layers"][0]["size"] += 1
    registry.content.put_manifest("app", "bad", document["mediaType"], json.dumps(document).encode())
    result = bed.varve("pull", bed.target(reference="bad"), rc=None)
    assert_clear(result, "size|bytes")
