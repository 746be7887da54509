# SPDX-License-Identifier: Apache-2.0
"""Pushes through a registry that fails: each (fault, phase) ends with the right bytes in the registry or with a
clear error, and sends no more than it must."""
import dataclasses
import time

import pytest
from registries import MIB, assert_clear, bed  # noqa: F401  fixture

CHUNK = MIB // 4
CHUNKED = ("--chunk-size", str(CHUNK))
LAYER = 2 * MIB
STALL = ("--stall-timeout", "4")  # half of it for one silent connection, the rest for another


@dataclasses.dataclass
class Case:
    """faults: (operation, kind, options). more: bytes that may be sent beyond the image's (None: not asserted).
    error: a pattern where the push must fail; it may not where it is None."""
    id: str
    faults: list
    profile: str = "strict"
    options: tuple = CHUNKED
    more: int = CHUNK
    error: str = None
    requests: dict = dataclasses.field(default_factory=dict)  # operation -> how many there may be
    within: float = 60
    stored: bool = False  # the registry has the manifest though it says otherwise


def one(operation, kind, **options):
    return [(operation, kind, options)]


def unknown_blob(code):
    return {"kind": "status", "code": code, "name": "MANIFEST_BLOB_UNKNOWN"}


STATUSES = [Case(f"{operation}-answers-{code}", one(operation, "status", code=code, times=2), more=0)
            for operation in ("upload-post", "manifest-put") for code in (500, 503)] + [
            Case(f"post-answers-{code}", one("upload-post", "status", code=code), more=0)
            for code in (408, 425, 429, 499, 502, 504, 522)]

FINAL = [Case(f"{operation}-refuses-with-{code}", one(operation, "status", code=code, times=None, early=True),
              error=str(code), requests={operation: 2}, more=LAYER, within=10)
         for operation, code in (("upload-post", 400), ("upload-post", 403), ("upload-post", 404), ("upload-post", 409),
                                 ("upload-post", 501), ("manifest-put", 400), ("manifest-put", 403),
                                 ("manifest-put", 409))]

START = [
    Case("head-reset", one("blob-head", "reset"), more=0),
    Case("head-fails-twice", one("blob-head", "status", code=500, times=2), more=0),
    Case("head-not-allowed", one("blob-head", "status", code=405, times=None), more=0),
    Case("post-reset", one("upload-post", "reset"), more=0),
    Case("post-reply-lost", one("upload-post", "lost"), more=0),
    Case("post-no-location", one("upload-post", "headers", headers={"Location": None}, times=None), error="location"),
    Case("post-bad-location", one("upload-post", "headers", headers={"Location": "gopher://x/y"}, times=None),
         error="gopher"),
    Case("post-html", one("upload-post", "status", code=200, headers={"Content-Type": "text/html"},
                          body=b"<html>please log in</html>", times=None), error="200|location|log in"),
    Case("post-garbage", one("upload-post", "garbage", times=None), error="HTTP|reply|answer|response", within=100),
    Case("post-redirected", one("upload-post", "redirect", to="/v2/other/blobs/uploads/"), more=LAYER, error="any"),
    *(Case(f"{operation}-redirected-{code}", one(operation, "redirect", to=None, code=code), options=options, more=0)
      for code in (307, 308) for operation, options in (("upload-post", ()), ("upload-patch", CHUNKED), ("manifest-put", ()))),
    Case("put-redirected", one("upload-put", "redirect", to=None, times=2), options=(), more=0),
    Case("post-redirected-for-ever", one("upload-post", "redirect", to=None, times=None), error="redirections", more=0),
    Case("post-asks-for-patience", one("upload-post", "status", code=429, headers={"Retry-After": "2"}), more=0),
    Case("post-asks-for-an-hour", one("upload-post", "status", code=429, headers={"Retry-After": "3600"}, times=None),
         error="3600|hour|60 min|1 h", within=10, more=0),
]

CHUNKS = [
    Case("chunk-reset-at-once", one("upload-patch", "reset", after=1)),
    Case("chunk-reset", one("upload-patch", "reset", after=CHUNK // 2, skip=2)),
    Case("chunk-reset-at-its-end", one("upload-patch", "reset", after=CHUNK - 1, skip=1)),
    Case("chunk-cut", one("upload-patch", "cut", after=CHUNK // 2, skip=1)),
    Case("each-chunk-cut-once", [("upload-patch", "cut", {"after": CHUNK // 2, "times": 6})], more=6 * CHUNK, within=10),
    Case("chunk-reply-lost", one("upload-patch", "lost", skip=1)),
    Case("chunk-stored-but-500", one("upload-patch", "status", code=500, committed=True, skip=1)),
    Case("chunk-503-before-body", one("upload-patch", "status", code=503, early=True, skip=1)),
    Case("chunk-502-in-mid-body", one("upload-patch", "status", code=502, after=CHUNK // 2, skip=1)),
    Case("chunk-429", one("upload-patch", "status", code=429, early=True, skip=1, headers={"Retry-After": "1"})),
    Case("chunk-reply-without-location", one("upload-patch", "headers", headers={"Location": None}, skip=1), more=LAYER),
    Case("chunk-reply-with-range-garbage", one("upload-patch", "headers", headers={"Range": "bytes=a-z"}, skip=1)),
    Case("chunk-reply-with-range-beyond", one("upload-patch", "headers", headers={"Range": "0-99999999"}, skip=1),
         more=LAYER),
    Case("chunk-reply-with-range-too-small", one("upload-patch", "headers", headers={"Range": "0-9"}, skip=1), more=LAYER),
    Case("chunk-201", one("upload-patch", "reply", code=201, times=None), more=0),
    Case("session-gone", one("upload-patch", "forget", skip=3), more=4 * CHUNK),
    Case("session-gone-twice", one("upload-patch", "forget", skip=3, times=2), more=8 * CHUNK),
    Case("session-gone-before-the-end", one("upload-put", "forget"), more=LAYER + CHUNK),
    Case("session-always-gone", one("upload-patch", "forget", skip=1, times=None), more=None, error="any"),
    Case("status-says-too-much", [("upload-patch", "reset", {"after": CHUNK // 2, "skip": 1}),
                                  ("upload-get", "headers", {"headers": {"Range": "0-99999999"}, "times": None})], more=LAYER),
    Case("status-answers-500", [("upload-patch", "reset", {"after": CHUNK // 2, "skip": 1}),
                                ("upload-get", "status", {"code": 500, "times": 2})], more=LAYER),
    Case("status-is-html", [("upload-patch", "reset", {"after": CHUNK // 2, "skip": 1}),
                            ("upload-get", "status", {"code": 200, "body": b"<html>", "times": None})], more=LAYER),
    Case("late-write", one("upload-patch", "late", after=CHUNK // 2, hold=CHUNK // 4, seconds=0.2, skip=1), more=LAYER),
    Case("very-late-write", one("upload-patch", "late", after=CHUNK // 2, hold=CHUNK // 4, seconds=2, skip=1),
         more=LAYER + CHUNK),
    Case("chunk-stored-wrong", one("upload-patch", "damage", at=CHUNK + 5, skip=1), more=LAYER + CHUNK),
    Case("chunk-silent-for-a-while", one("upload-patch", "silence", after=CHUNK // 2, skip=1, seconds=1.5), more=0),
    Case("chunk-silent-for-good", one("upload-patch", "stuck", after=CHUNK // 2, skip=1), options=CHUNKED + STALL),
    # A 202 with a smaller Range: the rest goes once more, wherever in the layer that is.
    *(Case(f"chunk-taken-in-part-{skip}", one("upload-patch", "partial", keep=CHUNK // 4, skip=skip), requests={"upload-post": 2})
      for skip in (0, 3, 6)),
    Case("each-chunk-taken-in-part", one("upload-patch", "partial", keep=CHUNK // 2, times=None), more=LAYER + CHUNK,
         requests={"upload-post": 2}),
    # The same said, but all is there.
    *(Case(f"chunk-range-too-small-{skip}", one("upload-patch", "headers", headers={"Range": f"0-{skip * CHUNK + 99}"}, skip=skip),
           requests={"upload-post": 2}) for skip in (0, 3, 6)),
    Case("slow-is-not-silent", one("upload-patch", "slow", rate=CHUNK, skip=1), options=CHUNKED + STALL, more=0),
]

PROFILED = [Case(f"{profile}-chunk-reset", one("upload-patch", "reset", after=CHUNK // 2, skip=3 if more < LAYER + 1 else 0), profile,
                 more=more)
            for profile, more in (("distribution", CHUNK), ("ecr", LAYER), ("zot-old", LAYER), ("silent-range", LAYER),
                                  ("no-status", LAYER), ("docker28", LAYER), ("crane", LAYER), ("ghcr", CHUNK),
                                  ("gitlab", CHUNK))] + [
            Case(f"{profile}-put-reset", one("upload-put", "reset", after=CHUNK), profile, options=(), more=LAYER)
            for profile in ("distribution", "ecr", "docker28", "crane", "ghcr", "no-status")]

WHOLE = [
    Case("put-reset-at-once", one("upload-put", "reset", after=1), options=(), more=LAYER),
    Case("put-reset", one("upload-put", "reset", after=MIB), options=(), more=LAYER),
    Case("put-reset-at-the-end", one("upload-put", "reset", after=LAYER - 1), options=(), more=LAYER),
    Case("put-cut", one("upload-put", "cut", after=MIB), options=(), more=LAYER),
    Case("put-reply-lost", one("upload-put", "lost"), options=(), more=0),
    Case("put-stored-but-504", one("upload-put", "status", code=504, committed=True), options=(), more=0),
    Case("put-stored-but-garbage", one("upload-put", "status", code=502, committed=True, body=b"<html>bad gateway"),
         options=(), more=0),
    Case("put-502-in-mid-body", one("upload-put", "status", code=502, after=MIB), options=(), more=LAYER),
    Case("put-500-before-body", one("upload-put", "status", code=500, early=True), options=(), more=CHUNK),
    Case("put-204", one("upload-put", "reply", code=204, times=None), options=(), more=0),
    Case("put-silent-for-good", one("upload-put", "stuck", after=MIB), options=STALL, more=LAYER),
    Case("put-stored-wrong", one("upload-put", "damage", at=5), options=(), more=LAYER),
    Case("closing-put-lost", one("upload-put", "lost"), more=0),
    Case("closing-put-reset", one("upload-put", "reset"), more=CHUNK),
    Case("closing-put-500", one("upload-put", "status", code=500, early=True), more=CHUNK),
    Case("put-redirected", one("upload-put", "headers", headers={}), options=(), more=0),
    Case("proxy-with-a-body-limit", [], "proxied", more=CHUNK),
    Case("proxy-with-a-body-limit-below-the-chunk", [], "proxied", options=("--chunk-size", str(LAYER)), more=LAYER,
         error="any"),
    Case("chunks-below-the-minimum", [], "chunky", more=0),
    Case("chunks-above-the-limit", [], "ghcr", options=("--chunk-size", str(8 * MIB)), more=LAYER),
]

MANIFEST = [
    Case("manifest-reset", one("manifest-put", "reset", after=1), more=0),
    Case("manifest-reply-lost", one("manifest-put", "lost"), more=0),
    Case("manifest-429", one("manifest-put", "status", code=429, headers={"Retry-After": "1"}), more=0),
    Case("manifest-blob-unknown-once", one("manifest-put", "status", code=404, name="MANIFEST_BLOB_UNKNOWN"), more=LAYER),
    Case("manifest-blob-unknown-always", one("manifest-put", "status", code=404, name="MANIFEST_BLOB_UNKNOWN", times=None),
         more=LAYER * 2, error="MANIFEST_BLOB_UNKNOWN|blob", within=20),
    Case("manifest-too-large-for-it", one("manifest-put", "status", code=413, times=None), more=0, error="413|large"),
    Case("manifest-stored-as-another", one("manifest-put", "headers", headers={
        "Docker-Content-Digest": "sha256:" + "0" * 64}, times=None), more=0, error="any", stored=True),
    Case("manifest-silent-for-good", one("manifest-put", "stuck", after=1, times=1), options=CHUNKED + STALL, more=0),
]

CASES = STATUSES + FINAL + START + CHUNKS + PROFILED + WHOLE + MANIFEST


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_fault(bed, case):
    bed.open(case.profile)
    bed.image([LAYER])
    for operation, kind, options in case.faults:
        bed.registry.fault(operation, kind, **options)
    started = time.monotonic()
    result = bed.push(*case.options, rc=0 if case.error is None else None)
    seconds = time.monotonic() - started
    log = f"{result}\n{bed.registry.journal}"
    assert seconds < case.within, log
    if result.rc == 0:
        assert case.error in (None, "any"), log
        bed.assert_pushed()
    else:
        assert_clear(result, "" if case.error == "any" else case.error)
        assert case.stored or "1" not in bed.registry.content.repository("app").tags
    unhit = [fault for fault in bed.registry.script.pending if fault.left is not None]
    assert unhit == [] or result.rc != 0, f"these faults hit nothing: {unhit}\n{log}"
    if case.more is not None:
        assert bed.registry.journal.uploaded() <= bed.size + case.more, log
    for operation, count in case.requests.items():
        assert bed.registry.journal.count(operation) <= count, log


@pytest.mark.parametrize("options", [(), CHUNKED], ids=["whole", "chunked"])
@pytest.mark.parametrize("profile", ["strict", "chunky", "distribution", "docker28", "crane", "ghcr", "ecr", "zot-old",
                                     "quay-old", "gitlab", "cdn", "hub", "silent-range", "no-status"])
def test_each_kind_of_registry(bed, profile, options):
    """Without a fault nothing is sent twice, and no request is made for nothing."""
    bed.open(profile)
    bed.image([LAYER, 1000])
    bed.push(*options)
    bed.assert_pushed()
    journal = bed.registry.journal
    if profile == "zot-old" and options:  # reports less than it has: what is believed costs a chunk
        assert journal.uploaded() <= bed.size + CHUNK
        return
    assert journal.uploaded() == bed.size, journal
    assert journal.count("upload-post") == 3 and journal.count("upload-get") == 0, journal


def test_a_wait_that_the_server_asked_for_is_kept(bed):
    bed.open()
    bed.registry.fault("upload-post", "status", code=429, headers={"Retry-After": "2"}, times=1)
    bed.push()
    posts = bed.registry.journal.of("upload-post")
    assert posts[-1].started - posts[0].started >= 1.9


def test_a_pause_holds_for_the_whole_host(bed):
    """Several blobs are under way; after a 429 none of them asks before the time is over."""
    bed.open()
    bed.image([200000 + n for n in range(8)])
    bed.registry.fault("upload-post", "status", code=429, headers={"Retry-After": "2"}, times=1)
    bed.push()
    bed.assert_pushed()
    entries = bed.registry.journal.entries
    refused = next(entry for entry in entries if entry.status == 429)
    too_early = [entry for entry in entries if 0.3 < entry.started - refused.started < 1.7]
    assert too_early == [], bed.registry.journal


@pytest.mark.parametrize("where", ["upload-put", "upload-patch"])
def test_a_connection_that_breaks_again_and_again(bed, where):
    """Each connection dies after 1 MiB; the push ends, with a tenth of the layer at most sent twice."""
    bed.open()
    bed.image([6 * MIB])
    options = CHUNKED if where == "upload-patch" else ()
    for operation in ("upload-put", "upload-patch"):
        bed.registry.fault(operation, "reset", after=MIB if options == () else CHUNK // 2, times=5)
    bed.push(*options)
    bed.assert_pushed()
    assert bed.registry.journal.uploaded() <= bed.size * 1.1 + (CHUNK if options else 4 * MIB), bed.registry.journal


def test_silence_for_good_is_an_error_within_the_limit(bed):
    bed.open()
    bed.image([LAYER])
    for operation in ("upload-put", "upload-patch", "upload-post", "upload-get", "blob-head"):
        bed.registry.fault(operation, "stuck", after=0 if operation != "upload-put" else 100000, times=None)
    started = time.monotonic()
    result = bed.push("--stall-timeout", "2", rc=None, timeout=100)
    assert_clear(result, "no (bytes|data|answer|reply)|silent|silence|stall|timed? ?out|nothing", 4)
    assert bed.registry.host in result.stderr and time.monotonic() - started < 10


def test_what_is_there_is_not_sent(bed):
    bed.open()
    bed.image([LAYER, LAYER], seed=3)
    bed.push()
    bed.registry.clear()
    bed.push()
    journal = bed.registry.journal
    assert journal.uploaded() == 0 and journal.count("upload-post") == 0, journal
    bed.push(tag="2")
    assert journal.uploaded() == 0
    bed.assert_pushed(tag="2")


def test_a_blob_that_two_layers_share_is_sent_once(bed):
    bed.open()
    bed.image([LAYER])
    layer = bed.layout.layer(LAYER, 100)
    bed.digest = bed.layout.tag("twice", bed.layout.image([layer, layer]))
    bed.varve("copy", f"oci:{bed.layout.path}:twice", bed.target())
    assert bed.registry.journal.count("upload-post") == 2
    assert bed.registry.content.repository("app").tags == {"1": bed.digest}


def test_blobs_go_side_by_side_and_the_manifest_last(bed):
    bed.open()
    bed.image([300000 + n for n in range(6)])
    bed.registry.fault("upload-put", "delay", seconds=0.3, times=None)
    started = time.monotonic()
    bed.push()
    bed.assert_pushed()
    assert time.monotonic() - started < 6 * 0.3 + 0.2, "one after the other"
    entries = bed.registry.journal.entries
    assert entries[-1].operation == "manifest-put" and entries[-1].reference == "1"
    assert all(entry.ended and entry.number < entries[-1].number for entry in bed.registry.journal.of("upload-put"))


def test_a_source_blob_with_wrong_bytes_is_found_here(bed):
    """Before the registry does: it says which file, and nothing wrong is there."""
    bed.open()
    bed.image([LAYER])
    path = bed.layout.file(bed.blobs()[1])
    data = bytearray(path.read_bytes())
    data[1000] ^= 1
    path.write_bytes(data)
    result = bed.push(rc=None)
    assert result.rc in (1, 2, 4, 5) and bed.blobs()[1].split(":")[1][:12] in result.stderr, result
    bed.assert_not_pushed()
    assert bed.registry.journal.count("manifest-put") == 0
    assert bed.blobs()[1] not in bed.registry.content.repository("app").blobs


def test_a_source_blob_that_is_too_short(bed):
    bed.open()
    bed.image([LAYER])
    path = bed.layout.file(bed.blobs()[1])
    path.write_bytes(path.read_bytes()[:-100])
    result = bed.push(rc=None)
    assert result.rc in (1, 2, 4, 5) and bed.blobs()[1].split(":")[1][:12] in result.stderr, result
    bed.assert_not_pushed()


def test_a_blob_that_vanished_between_upload_and_manifest(bed):
    """As a registry's garbage collection does: told by the manifest's PUT, sent again, once."""
    bed.open()
    bed.image([LAYER])

    def collect(_):
        bed.registry.content.drop_blob("app", bed.blobs()[1])
        return False
    bed.registry.fault("manifest-put", "status", where=lambda entry: not bed.registry.journal.count(
        "manifest-put", ended=True) and collect(entry))
    bed.push()
    bed.assert_pushed()
    assert bed.registry.journal.uploaded() <= 2 * bed.size
