# SPDX-License-Identifier: Apache-2.0
"""varve verify: signatures and attestations tampered with are refused, each with its reason. Bundles are made here and signed
by OpenSSL's command."""
import base64
import json

import oci_make
import pytest
from attached import BUNDLE, CYCLONEDX, PROVENANCE, SIGN, SIMPLE, SPDX, STATEMENT, Dressed, Key, bundle, statement
from test_verify import flip, refused

ZERO = "sha256:" + "0" * 64
NO_SIGNATURE = "there is no signature by this key"


@pytest.fixture
def dressed(varve):
    return Dressed(varve)


@pytest.fixture
def key(varve):
    return Key(varve, "key")


def encode(data):
    return base64.b64encode(data).decode()


def passes(dressed, key, *options):
    return dressed.varve("verify", "--json", dressed.where, "--key", key.public, *options).json()["checks"]


# --- bundles -------------------------------------------------------------------------------------

def test_right_bundle_passes(dressed, key, tmp_path):
    dressed.attach(bundle(key, statement(dressed.digest), tmp_path), BUNDLE)
    checks = passes(dressed, key)
    assert [check["what"] for check in checks][-2:] == [
        f"attached {dressed.entries[0]['digest'][:19]} {BUNDLE} by {key.public} {SIGN}", f"signed by {key.public}"]


def envelope(one, **members):
    one["dsseEnvelope"].update(members)


def payload(one, old, new):
    text = base64.b64decode(one["dsseEnvelope"]["payload"])
    assert old in text
    envelope(one, payload=encode(text.replace(old, new)))


def signature(one, change):
    envelope(one, signatures=[{"sig": encode(change(base64.b64decode(one["dsseEnvelope"]["signatures"][0]["sig"])))}])


CHANGED = "the signature is not that of .*key.pub over this text"
BUNDLES = {  # name: (change of the bundle, part of the reason)
    "payload changed": (lambda one: payload(one, b"cosign", b"cosigm"), CHANGED),
    "payload about another image": (lambda one: payload(one, b'"subject"', b'"subjecx"'), CHANGED),
    "payload with a blank": (lambda one: payload(one, b"{", b"{ "), CHANGED),
    "type of the payload": (lambda one: envelope(one, payloadType="application/json"), 'the envelope holds "application/json"'),
    "signature flipped": (lambda one: signature(one, flip), CHANGED),
    "signature cut off": (lambda one: signature(one, lambda data: data[:-1]), CHANGED),
    "signature with a tail": (lambda one: signature(one, lambda data: data + b"\0"), CHANGED),
    "signature of another length": (lambda one: signature(one, lambda data: b"0" * 5000), "a signature of 5000 bytes"),
    "signature empty": (lambda one: envelope(one, signatures=[{"sig": ""}]), '"sig" is no base64'),
    "signature no base64": (lambda one: envelope(one, signatures=[{"sig": "*"}]), '"sig" is no base64'),
    "no signature": (lambda one: envelope(one, signatures=[]), "has 0 signatures, not one"),
    "two signatures": (lambda one: envelope(one, signatures=one["dsseEnvelope"]["signatures"] * 2), "has 2 signatures, not one"),
    "no envelope": (lambda one: one.pop("dsseEnvelope"), '"dsseEnvelope"'),
    "a message signature": (lambda one: one.update(messageSignature=one.pop("dsseEnvelope")), '"dsseEnvelope"'),
    "payload no base64": (lambda one: envelope(one, payload="?"), '"payload" is no base64'),
    "other media type": (lambda one: one.update(mediaType="x/y"), 'is no sigstore bundle but "x/y"'),
    "another key's name": (lambda one: one["verificationMaterial"].update(publicKey={"hint": "x"}) or signature(one, flip), NO_SIGNATURE),
    "no key's name": (lambda one: one.update(verificationMaterial={}) or signature(one, flip), NO_SIGNATURE),
}


@pytest.mark.parametrize("name", BUNDLES)
def test_bundle_is_refused(dressed, key, tmp_path, name):
    change, reason = BUNDLES[name]
    one = bundle(key, statement(dressed.digest), tmp_path)
    change(one)
    dressed.attach(one, BUNDLE)
    refused(dressed.varve, dressed.where, reason, "--key", key.public)


SIGNED = {  # rightly signed, but not what it should be
    "about another image": (lambda digest: statement(ZERO), "the statement is about something else than sha256:"),
    "about none": (lambda digest: {**statement(digest), "subject": []}, "the statement is about something else"),
    "a digest of another kind": (lambda digest: {**statement(digest), "subject": [{"digest": {"sha1": digest[7:]}}]}, "about something else"),
    "no statement": (lambda digest: {**statement(digest), "_type": "x"}, 'is no in-toto statement: _type is "x"'),
    "no JSON": (lambda digest: b"hello", "statement:1:"),
    "key twice": (lambda digest: oci_make.dump(statement(digest))[:-1] + b',"_type":"x"}', "duplicate object key"),
    "an attestation only": (lambda digest: statement(digest, PROVENANCE), NO_SIGNATURE),
}


@pytest.mark.parametrize("name", SIGNED)
def test_signed_nonsense_is_refused(dressed, key, tmp_path, name):
    make, reason = SIGNED[name]
    dressed.attach(bundle(key, make(dressed.digest), tmp_path), BUNDLE)
    refused(dressed.varve, dressed.where, reason, "--key", key.public)


def test_other_key(dressed, key, tmp_path):
    """Somebody else's signature does no harm, and no good."""
    other = Key(dressed.varve, "other")
    dressed.attach(bundle(other, statement(dressed.digest), tmp_path), BUNDLE)
    refused(dressed.varve, dressed.where, NO_SIGNATURE, "--key", key.public)
    dressed.attach(bundle(key, statement(dressed.digest), tmp_path), BUNDLE)
    passes(dressed, key)
    assert [check["what"] for check in passes(dressed, key, "--key", other.public)][-2:] == [f"signed by {key.public}", f"signed by {other.public}"]


def test_bundle_of_another_image(dressed, key, tmp_path):
    """A right signature, moved here from another image."""
    other = Dressed(dressed.varve, "other")
    other.image = other.layout.image([other.layout.layer(30000, 7)])
    assert other.image["digest"] != dressed.digest
    dressed.attach(bundle(key, statement(other.image["digest"]), tmp_path), BUNDLE)
    refused(dressed.varve, dressed.where, "about something else", "--key", key.public)


# --- artifacts and their list --------------------------------------------------------------------

SBOM = {"spdxVersion": "SPDX-2.3"}


def rewrite(dressed, digest, change):
    file = dressed.layout.file(digest)
    file.write_bytes(change(file.read_bytes()))


def blob_of(dressed, entry):
    return dressed.layout.document(entry["digest"])["layers"][0]["digest"]


def subject_of(dressed, **members):
    return dressed.attach(SBOM, SPDX, subject={**dressed.image, **members})


def index_file(dressed):
    return dressed.layout.file(dressed.layout.entries[1]["digest"])


ARTIFACTS = {  # name: (what is done, part of the reason)
    "SBOM flipped": (lambda d: rewrite(d, blob_of(d, d.attach(SBOM, SPDX)), flip), "is damaged"),
    "SBOM missing": (lambda d: d.layout.file(blob_of(d, d.attach(SBOM, SPDX))).unlink(), "is not here"),
    "SBOM cut off": (lambda d: rewrite(d, blob_of(d, d.attach(SBOM, SPDX)), lambda data: data[:-1]), "bytes, its descriptor says"),
    "anything flipped": (lambda d: rewrite(d, blob_of(d, d.attach(b"some text of mine", "text/plain")), flip), "is damaged"),
    "manifest flipped": (lambda d: rewrite(d, d.attach(SBOM, SPDX)["digest"], flip), "is damaged"),
    "manifest missing": (lambda d: d.layout.file(d.attach(SBOM, SPDX)["digest"]).unlink(), "is not here"),
    "list flipped": (lambda d: (d.attach(SBOM, SPDX), index_file(d).write_bytes(flip(index_file(d).read_bytes()))), "is damaged"),
    "list missing": (lambda d: (d.attach(SBOM, SPDX), index_file(d).unlink()), "is not here"),
    "list is no index": (lambda d: d.layout.tag(f"sha256-{d.digest[7:]}", d.image), "is no index"),
    "entry's size": (lambda d: (d.attach(SBOM, SPDX).update(size=3), d.list()), "bytes, its descriptor says 3"),
    "entry without digest": (lambda d: (d.attach(SBOM, SPDX).pop("digest"), d.list()), "digest"),
    "another subject": (lambda d: subject_of(d, digest=ZERO), f"is listed as a referrer, but refers to {ZERO}"),
    "no subject": (lambda d: d.attach(SBOM, SPDX, subject={"mediaType": "x/y"}), '"digest"'),
    "no SPDX": (lambda d: d.attach({"a": 1}, SPDX), "is no SPDX document"),
    "no CycloneDX": (lambda d: d.attach({"bomFormat": "x"}, CYCLONEDX), "is no CycloneDX document"),
    "SBOM that is no JSON": (lambda d: d.attach(b"{", SPDX), "SBOM:1:1"),
    "listed as another type": (lambda d: d.attach(SBOM, SPDX, listed=CYCLONEDX), "its blob is of another type: .application.spdx"),
    "statement about another": (lambda d: d.attach(statement(ZERO, PROVENANCE), STATEMENT), "the statement is about something else"),
    "two blobs": (lambda d: d.attach(SBOM, SPDX, layers=[d.layout.blob(b"a", SPDX), d.layout.blob(b"b", SPDX)]), "has 2 blobs, not one"),
}


@pytest.mark.parametrize("name", ARTIFACTS)
def test_artifact_is_refused(dressed, name):
    change, reason = ARTIFACTS[name]
    change(dressed)
    dressed.varve.account.own(dressed.layout.path)
    refused(dressed.varve, dressed.where, reason)


def test_right_artifacts_pass(dressed):
    for data, kind in ((SBOM, SPDX), ({"bomFormat": "CycloneDX"}, CYCLONEDX), (statement(dressed.digest, PROVENANCE), STATEMENT),
                       (b"anything", "text/plain"), (b"", "x/empty")):
        dressed.attach(data, kind)
    assert len(dressed.varve("verify", "--json", dressed.where).json()["checks"]) == 10


# --- simple signatures ---------------------------------------------------------------------------

def simple_text(digest, kind="cosign container image signature"):
    return oci_make.dump({"critical": {"identity": {"docker-reference": "x"}, "image": {"docker-manifest-digest": digest}, "type": kind},
                          "optional": None})


def simple(dressed, key, tmp_path, text=None, change=lambda data: data):
    text = text or simple_text(dressed.digest)
    return dressed.simple(text, change(key.sign(text, tmp_path)))


SIMPLES = {
    "about another image": (lambda d, k, t: simple(d, k, t, simple_text(ZERO)), f"is a signature of another image, {ZERO}"),
    "of another type": (lambda d, k, t: simple(d, k, t, simple_text(d.digest, "x")), 'is of another type: "x"'),
    "no JSON": (lambda d, k, t: simple(d, k, t, b"hello"), "signed text:1:"),
    "without an image": (lambda d, k, t: simple(d, k, t, b'{"critical":{"type":"x"}}'), '"image"'),
    "signature flipped": (lambda d, k, t: simple(d, k, t, change=flip), NO_SIGNATURE),
    "signature of another text": (lambda d, k, t: d.simple(simple_text(d.digest), k.sign(b"other", t)), NO_SIGNATURE),
    "text flipped": (lambda d, k, t: rewrite(d, simple(d, k, t)["digest"], flip), "is damaged"),
    "text missing": (lambda d, k, t: d.layout.file(simple(d, k, t)["digest"]).unlink(), "is not here"),
    "no signature": (lambda d, k, t: d.simple(simple_text(d.digest), b""), NO_SIGNATURE),
    "manifest flipped": (lambda d, k, t: (simple(d, k, t), rewrite(d, d.layout.entries[-1]["digest"], flip)), "is damaged"),
}


@pytest.mark.parametrize("name", SIMPLES)
def test_simple_is_refused(dressed, key, tmp_path, name):
    change, reason = SIMPLES[name]
    change(dressed, key, tmp_path)
    dressed.varve.account.own(dressed.layout.path)
    refused(dressed.varve, dressed.where, reason, "--key", key.public)


def test_right_simple_passes(dressed, key, tmp_path):
    simple(dressed, key, tmp_path)
    assert {"what": f"simple signature 1 by {key.public}", "failure": None} in passes(dressed, key)


def test_terminal_escapes_are_not_printed(dressed):
    dressed.attach(b"x", "text/plain\x1b[31m")
    result = dressed.varve("verify", dressed.where)
    assert "\x1b" not in result.stdout and "\x1b" not in dressed.varve("discover", dressed.where).stdout
    assert SIMPLE not in result.stdout and json.dumps("\x1b")[1:-1] in dressed.varve("verify", "--json", dressed.where).stdout
