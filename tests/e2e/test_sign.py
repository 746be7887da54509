# SPDX-License-Identifier: Apache-2.0
"""varve sign, attach, discover: in the store, a layout, registries with and without the referrers API; what is written is
checked by OpenSSL's command, sigstore-js and cosign."""
import base64
import json
import subprocess

import oci_make
import pytest
from attached import BUNDLE, CYCLONEDX, PROVENANCE, SIGN, SIMPLE, SPDX, STATEMENT, Key, Reader, bundle, openssl, pae, statement
from processes import killed_at_exit
from registries import assert_clear, bed, program, real  # noqa: F401  a fixture
from registry import programs

PLACES = ["store", "layout", "strict", "docker28"]
ZERO = "sha256:" + "0" * 64


@pytest.fixture(params=PLACES)
def place(request, bed):  # noqa: F811
    """An image in one of the places."""
    return put(bed, request.param)


def put(bed, kind):  # noqa: F811
    bed.image([2000])
    if kind == "layout":
        return Reader(bed.varve, bed.source, lambda digest: bed.layout.file(digest).read_bytes())
    if kind == "store":
        bed.varve("copy", bed.source, "store:app:1")
        return Reader(bed.varve, "app:1", lambda digest: (bed.varve.store / "blobs" / digest.replace(":", "/")).read_bytes())
    content = bed.open(kind).content
    bed.push()

    def read(digest):
        return content.manifest("app", digest)[2] if digest in content.repository("app").manifests else content.blob("app", digest).read_bytes()
    return Reader(bed.varve, bed.target(), read)


@pytest.fixture
def key(varve):
    return Key(varve, "key")


def assert_bundle(place, digest, image, key, tmp_path, predicate=SIGN):
    """A referrer of the image whose envelope OpenSSL finds signed; returns the statement."""
    manifest = place.manifest(digest)
    assert manifest["artifactType"] == BUNDLE and manifest["subject"]["digest"] == image
    assert manifest["annotations"]["dev.sigstore.bundle.predicateType"] == predicate
    one = json.loads(place.blob(digest))
    envelope = one["dsseEnvelope"]
    payload = base64.b64decode(envelope["payload"])
    assert one["verificationMaterial"]["publicKey"]["hint"] == key.hint and envelope["payloadType"] == STATEMENT
    assert key.made(pae(payload), base64.b64decode(envelope["signatures"][0]["sig"]), tmp_path)
    document = json.loads(payload)
    assert document["predicateType"] == predicate and document["subject"] == [{"digest": {"sha256": image.removeprefix("sha256:")}}]
    return document


# --- bundles -------------------------------------------------------------------------------------

def test_sign(place, key, tmp_path):
    image = place.tree()["digest"]
    digest, name = place.varve("sign", place.where, "--key", key.private).stdout.split()
    assert name == place.where and [one["digest"] for one in place.tree()["referrers"]] == [digest]
    assert_bundle(place, digest, image, key, tmp_path)
    checks = place.varve("verify", "--json", place.where, "--key", key.public).json()["checks"]
    assert {"what": f"signed by {key.public}", "failure": None} in checks, checks
    other = Key(place.varve, "other")
    failed = place.varve("verify", "--json", place.where, "--key", key.public, "--key", other.public, rc=5).json()["checks"]
    assert [one for one in failed if one["failure"]] == [
        {"what": f"signed by {other.public}", "failure": "there is no signature by this key"}]


def test_simple(place, key, tmp_path):
    """Twice: both signatures are there, and cosign's way of finding them."""
    image = place.tree()["digest"]
    place.varve("sign", place.where, "--key", key.private, "--format", "simple")
    digest, _ = place.varve("sign", place.where, "--key", key.private, "--format", "simple").stdout.split()
    found = place.tree()["referrers"]
    assert [(one["digest"], one["artifactType"], one["name"], one["signatures"]) for one in found] == [
        (digest, SIMPLE, f"sha256-{image.removeprefix('sha256:')}.sig", 2)]
    for layer in place.manifest(digest)["layers"]:
        payload = place.read(layer["digest"])
        assert layer["mediaType"] == SIMPLE and json.loads(payload)["critical"]["image"] == {"docker-manifest-digest": image}
        assert key.made(payload, base64.b64decode(layer["annotations"]["dev.cosignproject.cosign/signature"]), tmp_path)
    lines = place.varve("verify", place.where, "--key", key.public).stdout.splitlines()
    assert f"ok      simple signature 2 by {key.public}" in lines, lines


@pytest.mark.parametrize("form", ["EC PRIVATE KEY", "PRIVATE KEY"])
def test_forms_of_keys(bed, key, form):  # noqa: F811
    place = put(bed, "layout")
    if form.startswith("EC"):
        text = openssl("ecparam", "-name", "prime256v1").stdout + openssl("ec", "-in", key.private).stdout
        bed.varve.write("key.pem", text)
    assert f"-----BEGIN {form}-----" in key.private.read_text()
    place.varve("sign", place.where, "--key", key.private)
    place.varve("verify", place.where, "--key", key.private)


REFUSED_KEYS = {
    "P-384": (lambda varve: Key(varve, "key", "P-384"), "another kind than ECDSA with P-256"),
    "RSA": (lambda varve: varve.write("key.pem", openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048").stdout),
            "another kind than ECDSA with P-256"),
    "password": (lambda varve: varve.write("key.pem", openssl("pkcs8", "-topk8", "-in", Key(varve, "plain").private, "-passout", "pass:x").stdout),
                 "protected by a password"),
    "cosign's": (lambda varve: varve.write("key.pem", "-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED SIGSTORE PRIVATE KEY-----\n"),
                 "cosign's own format"),
    "public": (lambda varve: varve.write("key.pem", Key(varve, "plain").public.read_bytes()), "is a public key"),
    "text": (lambda varve: varve.write("key.pem", "hello\n"), "holds no key"),
    "huge": (lambda varve: varve.write("key.pem", b"x" * (1 << 20)), "File too large"),
    "missing": (lambda varve: None, "No such file"),
}


@pytest.mark.parametrize("name", REFUSED_KEYS)
def test_refused_keys(bed, name):  # noqa: F811
    place, (make, reason) = put(bed, "layout"), REFUSED_KEYS[name]
    make(bed.varve)
    result = place.varve("sign", place.where, "--key", place.varve.path("key.pem"), rc=None)
    assert result.rc in (1, 2) and reason in result.stderr and "Traceback" not in result.stderr, result
    assert place.tree()["referrers"] == []


def test_wrong_use(bed, key):  # noqa: F811
    place = put(bed, "layout")
    assert_clear(place.varve("sign", place.where, rc=2), "one --key is needed", rc=2)
    assert_clear(place.varve("sign", place.where, "--key", key.private, "--format", "x", rc=2), "bundle or simple", rc=2)
    archive = f"oci-archive:{place.varve.path('a.tar')}"
    place.varve("copy", place.where, archive)
    assert_clear(place.varve("sign", archive, "--key", key.private, rc=2), "only images in the store, in oci: layouts", rc=2)


def test_tampered(place, key, tmp_path):
    """In each place: a payload that was changed, and one about another image, are refused with the reason."""
    digest, _ = place.varve("sign", place.where, "--key", key.private).stdout.split()
    one = json.loads(place.blob(digest))
    one["dsseEnvelope"]["payload"] = base64.b64encode(base64.b64decode(one["dsseEnvelope"]["payload"]).replace(b"cosign", b"cosigm")).decode()
    changed = place.varve.write("changed.json", json.dumps(one))
    moved = place.varve.write("moved.json", json.dumps(bundle(key, statement(ZERO), tmp_path)))
    for file in (changed, moved):
        place.varve("attach", place.where, file, "--type", BUNDLE)
    checks = place.varve("verify", "--json", place.where, "--key", key.public, rc=5).json()["checks"]
    failures = sorted(check["failure"] for check in checks if check["failure"])  # a registry lists in its own order
    assert len(failures) == 2 and "the signature is not that of" in failures[0] and "about something else" in failures[1], failures


# --- documents -----------------------------------------------------------------------------------

def test_attach(place, key, tmp_path):
    """An SBOM, as it is and signed; the same one again changes nothing."""
    image = place.tree()["digest"]
    sbom = b'{"spdxVersion": "SPDX-2.3",\n "name": "x"}\n'
    file = place.varve.write("x.spdx.json", sbom)
    bare, _ = place.varve("attach", place.where, file, "--annotation", "org.test.name=the parts").stdout.split()
    signed, _ = place.varve("attach", place.where, file, "--key", key.private).stdout.split()
    again, _ = place.varve("attach", place.where, file, "--annotation", "org.test.name=the parts").stdout.split()
    assert again == bare and sorted(one["digest"] for one in place.tree()["referrers"]) == sorted([bare, signed])
    manifest = place.manifest(bare)
    assert place.blob(bare) == sbom and manifest["annotations"] == {"org.test.name": "the parts"}
    assert manifest["artifactType"] == manifest["layers"][0]["mediaType"] == SPDX and manifest["config"]["mediaType"].endswith("empty.v1+json")
    assert manifest["layers"][0]["annotations"] == {"org.opencontainers.image.title": "x.spdx.json"}
    assert assert_bundle(place, signed, image, key, tmp_path, "https://spdx.dev/Document")["predicate"] == json.loads(sbom)
    place.varve("verify", place.where)


def test_attach_to_what_is_attached(bed, key):  # noqa: F811
    """discover shows a tree."""
    place = put(bed, "layout")
    sbom, _ = place.varve("attach", place.where, place.varve.write("x.cdx.json", '{"bomFormat":"CycloneDX"}')).stdout.split()
    bed.layout.entries = json.loads((bed.layout.path / "index.json").read_text())["manifests"]
    bed.layout.tag("sbom", {"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": sbom,
                            "size": bed.layout.file(sbom).stat().st_size})
    bed.varve.account.own(bed.layout.path)
    signature, _ = place.varve("sign", f"oci:{bed.layout.path}:sbom", "--key", key.private).stdout.split()
    (one,) = place.tree()["referrers"]
    assert (one["digest"], one["artifactType"]) == (sbom, CYCLONEDX) and [below["digest"] for below in one["referrers"]] == [signature]
    lines = place.varve("discover", place.where).stdout.splitlines()
    assert [line.index("sha256:") for line in lines if line.strip().startswith("sha256:")] == [0, 2, 4], lines


def test_attach_anything(bed):  # noqa: F811
    """Bytes of any size in one pass, from a pipe too."""
    place = put(bed, "layout")
    data = bytes(range(256)) * 40000
    file = place.varve.write("data.bin", data)
    digest, _ = place.varve("attach", place.where, file, "--type", "application/x-test").stdout.split()
    assert place.blob(digest) == data
    with open(file, "rb") as stream:
        piped, _ = place.varve("attach", place.where, "-", "--type", "application/x-test", stdin=stream).stdout.split()
    assert place.blob(piped) == data and piped != digest  # it has no title


STATEMENTS = {
    "about another": (lambda image: statement(ZERO, PROVENANCE), "about something else"),
    "without a type": (lambda image: {**statement(image), "_type": "x"}, "no in-toto statement"),
    "without a subject": (lambda image: {**statement(image), "subject": []}, "about something else"),
    "a list": (lambda image: [], "_type"),
}


@pytest.mark.parametrize("name", STATEMENTS)
@pytest.mark.parametrize("signed", [False, True])
def test_statements_that_are_none(bed, key, name, signed):  # noqa: F811
    place, (make, reason) = put(bed, "layout"), STATEMENTS[name]
    file = place.varve.write("x.intoto.json", json.dumps(make(bed.digest)))
    result = place.varve("attach", place.where, file, *(["--key", key.private] if signed else []), rc=1)
    assert reason in result.stderr and "x.intoto.json" in result.stderr, result
    assert place.tree()["referrers"] == []


def test_what_cannot_be_attached(bed, key):  # noqa: F811
    place = put(bed, "layout")
    file = place.varve.write("note", "{}")
    assert_clear(place.varve("attach", place.where, file, rc=2), "--type is needed", rc=2)
    assert_clear(place.varve("attach", place.where, file, "--type", "text", rc=2), "no media type", rc=2)
    assert_clear(place.varve("attach", place.where, file, "--type", "text/plain", "--key", key.private, rc=2), "can be signed, no text/plain", rc=2)
    assert_clear(place.varve("attach", place.where, file, "--type", "a/b", "--annotation", "x", rc=2), "NAME=VALUE", rc=2)
    assert_clear(place.varve("attach", place.where, place.varve.path("none"), "--type", "a/b", rc=1), "No such file", rc=1)
    assert place.tree()["referrers"] == []


# --- where they go -------------------------------------------------------------------------------

def test_copied_along(bed, key):  # noqa: F811
    """From the store to a registry, a layout and back, with both kinds of signature."""
    place = put(bed, "store")
    for form in ("bundle", "simple"):
        place.varve("sign", place.where, "--key", key.private, "--format", form)
    wanted = sorted(one["digest"] for one in place.tree()["referrers"])
    bed.open("docker28")
    chain = ["store:app:1", bed.target(), f"oci:{bed.varve.path('out')}:t", "store:back:1"]
    for source, target in zip(chain, chain[1:]):
        place.varve("copy", "--referrers", source, target)
        place.varve("verify", target, "--key", key.public)
        assert sorted(one["digest"] for one in place.varve("discover", "--json", target).json()["referrers"]) == wanted, target


def test_signatures_of_the_target_stay(bed, key):  # noqa: F811
    """A copy adds simple signatures where the source has all that are there, and says so where not."""
    place = put(bed, "layout")
    bed.open()
    sign = ("--key", key.private, "--format", "simple")
    place.varve("sign", place.where, *sign)
    bed.push("--referrers")
    place.varve("sign", place.where, *sign)
    bed.push("--referrers")
    assert place.varve("discover", "--json", bed.target()).json()["referrers"][0]["signatures"] == 2
    place.varve("sign", bed.target(), *sign)
    place.varve("sign", place.where, *sign)
    assert "has signatures that the source lacks" in bed.push("--referrers").stderr
    assert place.varve("discover", "--json", bed.target()).json()["referrers"][0]["signatures"] == 3


def test_index_and_images(bed, key):  # noqa: F811
    """A signature of an index holds for what is chosen from it; of one image only for that one."""
    layout = oci_make.Layout(bed.varve.path("layout"))
    entries = [{**layout.image([layout.layer(2000, name)], name), "platform": {"os": "linux", "architecture": name}} for name in ("amd64", "arm64")]
    layout.tag("t", layout.index(entries))
    bed.varve.account.own(layout.path)
    where, verify = f"oci:{layout.path}:t", ("verify", "--key", key.public)
    bed.varve("sign", where, "--key", key.private, "--platform", "linux/arm64")
    bed.varve(*verify, where, "--platform", "linux/arm64")
    failed = bed.varve(*verify, where, "--all-platforms", rc=5).stdout
    assert f"FAILED  linux/amd64: signed by {key.public}" in failed and f"ok      linux/arm64: signed by {key.public}" in failed
    bed.varve("sign", where, "--key", key.private)
    for options in (["--platform", "linux/amd64"], ["--platform", "linux/arm64"], ["--all-platforms"]):
        bed.varve(*verify, where, *options)


@pytest.mark.parametrize("profile", ["docker28", "guarded"])
@pytest.mark.parametrize("form", ["bundle", "simple"])
def test_several_at_once(bed, key, profile, form):  # noqa: F811
    """Nobody's signature is lost, whoever wrote over whom."""
    place = put(bed, profile)
    bed.registry.fault("manifest-put", "delay", seconds=0.1, times=None, where=lambda entry: entry.reference.startswith("sha256-"))
    children = [place.varve.start("sign", place.where, "--key", key.private, "--format", form) for _ in range(4)]
    for child in children:
        with killed_at_exit(child):
            _, errors = child.communicate(timeout=60)
            assert child.returncode == 0, errors
    found = place.tree()["referrers"]
    assert (len(found) if form == "bundle" else found[0]["signatures"]) == 4, found


def test_several_at_once_in_files(bed, key):  # noqa: F811
    """A layout and the store are locked."""
    for kind in ("store", "layout"):
        place = put(bed, kind)
        children = [place.varve.start("sign", place.where, "--key", key.private) for _ in range(4)]
        for child in children:
            with killed_at_exit(child):
                _, errors = child.communicate(timeout=60)
                assert child.returncode == 0, errors
        assert len(place.tree()["referrers"]) == 4


def test_in_the_store(bed, key):  # noqa: F811
    """Lists are no images, and go with the image that they belong to."""
    place = put(bed, "store")
    for form in ("bundle", "simple"):
        place.varve("sign", place.where, "--key", key.private, "--format", form)
    assert [one["name"] for one in place.varve("images", "--json").json()] == ["app:1"]
    signatures = [one["digest"] for one in place.tree()["referrers"]]
    place.varve("gc", "--keep", "0")
    place.varve("verify", place.where, "--key", key.public)
    bed.image([20000], directory="other")
    place.varve("copy", bed.source, "store:app:1")
    place.varve("gc", "--keep", "0")
    index = json.loads((place.varve.store / "index.json").read_text())["manifests"]
    assert [one["annotations"]["org.opencontainers.image.ref.name"] for one in index] == ["app:1"]
    for digest in signatures:
        assert not (place.varve.store / "blobs" / digest.replace(":", "/")).exists()


# --- other verifiers -----------------------------------------------------------------------------

SIGSTORE_JS = """
const {bundleFromJSON} = require('@sigstore/bundle'), {Verifier, toSignedEntity, toTrustMaterial} = require('@sigstore/verify');
const crypto = require('crypto'), fs = require('fs');
const [bundle, pem] = process.argv.slice(2).map(name => fs.readFileSync(name, 'utf8'));
const key = crypto.createPublicKey(pem), entity = toSignedEntity(bundleFromJSON(JSON.parse(bundle)));
const trust = {certificateAuthorities: [], timestampAuthorities: [], tlogs: [], ctlogs: [], publicKey: () => ({publicKey: key, validFor: () => true})};
const verifier = new Verifier(trust, {ctlogThreshold: 0, tlogThreshold: 0, tsaThreshold: 0, timestampThreshold: 0});
try { verifier.verify(entity); console.log('verified'); } catch (error) { console.log('refused: ' + error.message); }
"""


def sigstore_js(directory, one, key):
    """What @sigstore/verify says of a bundle."""
    try:
        modules = programs.node_modules("@sigstore/verify")
    except programs.Missing as reason:
        pytest.skip(str(reason))
    (directory / "verify.js").write_text(SIGSTORE_JS)
    (directory / "bundle.json").write_text(json.dumps(one))
    done = subprocess.run(["node", directory / "verify.js", directory / "bundle.json", key.public], capture_output=True, text=True,
                          env={"NODE_PATH": modules, "PATH": "/usr/bin:/bin:/usr/local/bin"}, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_sigstore_js(bed, key, tmp_path):  # noqa: F811
    place = put(bed, "layout")
    digest, _ = place.varve("sign", place.where, "--key", key.private).stdout.split()
    one = json.loads(place.blob(digest))
    assert sigstore_js(tmp_path, one, key) == "verified"
    assert sigstore_js(tmp_path, one, Key(place.varve, "other")).startswith("refused")
    payload = base64.b64decode(one["dsseEnvelope"]["payload"]).replace(b"cosign", b"cosigm")
    one["dsseEnvelope"]["payload"] = base64.b64encode(payload).decode()
    assert sigstore_js(tmp_path, one, key).startswith("refused")


def cosign(command, reference, key, *options):
    return subprocess.run([program("cosign"), command, "--key", key.public, "--insecure-ignore-tlog=true", "--allow-http-registry", *options, reference],
                          capture_output=True, text=True, timeout=120)


@pytest.mark.slow
def test_cosign(bed, key, tmp_path):  # noqa: F811
    """It verifies ours in both forms and refuses other keys; and we verify its own."""
    program("cosign")
    server = bed.start(real.Distribution, "distribution")
    bed.image([2000])
    reference = server.name("app", "1")
    bed.varve("copy", bed.source, f"docker://{reference}")
    bed.varve("sign", f"docker://{reference}", "--key", key.private)
    bed.varve("attach", f"docker://{reference}", bed.varve.write("x.spdx.json", '{"spdxVersion":"SPDX-2.3"}'), "--key", key.private)
    other = Key(bed.varve, "other")
    for command, options in (("verify", []), ("verify-attestation", ["--type", "spdxjson"])):
        done = cosign(command, reference, key, *options)
        assert done.returncode == 0, done.stderr
        assert cosign(command, reference, other, *options).returncode != 0
    bed.varve("sign", f"docker://{reference}", "--key", key.private, "--format", "simple")
    assert cosign("verify", reference, key, "--new-bundle-format=false").returncode == 0
    assert cosign("verify", reference, other, "--new-bundle-format=false").returncode != 0
    theirs = server.name("theirs", "1")
    bed.varve("copy", bed.source, f"docker://{theirs}")
    quiet = {"env": {"COSIGN_PASSWORD": "", "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}, "cwd": tmp_path, "timeout": 120, "check": True,
             "capture_output": True}
    subprocess.run([program("cosign"), "import-key-pair", "--key", key.private, "--output-key-prefix", "theirs"], **quiet)
    for options in ([], ["--new-bundle-format=false"]):
        subprocess.run([program("cosign"), "sign", "-y", "--key", "theirs.key", "--tlog-upload=false", "--use-signing-config=false",
                        "--allow-http-registry", *options, theirs], **quiet)
    lines = bed.varve("verify", f"docker://{theirs}", "--key", key.public).stdout.splitlines()
    assert any(BUNDLE in line and f"by {key.public}" in line for line in lines) and f"ok      simple signature 1 by {key.public}" in lines, lines
