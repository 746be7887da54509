# SPDX-License-Identifier: Apache-2.0
"""Images with something attached, in the three places where that can be, and signatures checked by others: OpenSSL's
command, sigstore-js, cosign."""
import base64
import hashlib
import json
import subprocess

import oci_make
from oci_schema import CONFIG, INDEX, LAYER, MANIFEST

BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
STATEMENT = "application/vnd.in-toto+json"
SPDX, CYCLONEDX = "application/spdx+json", "application/vnd.cyclonedx+json"
SIMPLE = "application/vnd.dev.cosign.simplesigning.v1+json"
SIGN = "https://sigstore.dev/cosign/sign/v1"
PROVENANCE = "https://slsa.dev/provenance/v1"


def openssl(*arguments, data=None):
    return subprocess.run(["openssl", *map(str, arguments)], input=data, capture_output=True, timeout=30)


class Key:
    """A pair of files, made by OpenSSL's command."""

    def __init__(self, varve, name, curve="P-256"):
        self.private, self.public = varve.path(f"{name}.pem"), varve.path(f"{name}.pub")
        assert openssl("genpkey", "-algorithm", "EC", "-pkeyopt", f"ec_paramgen_curve:{curve}", "-out", self.private).returncode == 0
        assert openssl("pkey", "-in", self.private, "-pubout", "-out", self.public).returncode == 0
        varve.account.own(varve.directory)

    @property
    def hint(self):
        return base64.b64encode(hashlib.sha256(openssl("pkey", "-pubin", "-in", self.public, "-outform", "DER").stdout).digest()).decode()

    def made(self, text, signature, tmp_path):
        """OpenSSL says that the signature is by this key over these bytes."""
        (tmp_path / "signature").write_bytes(signature)
        (tmp_path / "text").write_bytes(text)
        return openssl("dgst", "-sha256", "-verify", self.public, "-signature", tmp_path / "signature", tmp_path / "text").returncode == 0

    def sign(self, text, tmp_path):
        (tmp_path / "text").write_bytes(text)
        return openssl("dgst", "-sha256", "-sign", self.private, tmp_path / "text").stdout


def pae(payload, kind=STATEMENT):
    """DSSE's text that is signed."""
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind.encode(), len(payload), payload)


def statement(digest, predicate=SIGN, content=None):
    return {"_type": "https://in-toto.io/Statement/v1", "subject": [{"digest": {"sha256": digest.removeprefix("sha256:")}}],
            "predicateType": predicate, "predicate": content or {}}


def bundle(key, document, tmp_path, **members):
    """A bundle made here, signed by OpenSSL's command."""
    payload = document if isinstance(document, bytes) else oci_make.dump(document)
    encode = lambda data: base64.b64encode(data).decode()  # noqa: E731
    return {"mediaType": BUNDLE, "verificationMaterial": {"publicKey": {"hint": key.hint}, "tlogEntries": []},
            "dsseEnvelope": {"payload": encode(payload), "payloadType": STATEMENT,
                             "signatures": [{"sig": encode(key.sign(pae(payload), tmp_path))}]}, **members}


class Dressed:
    """A layout with an image, into which artifacts are put by hand."""

    def __init__(self, varve, name="i"):
        self.layout = oci_make.Layout(varve.path(name))
        self.image = self.layout.image([self.layout.layer(2000)])
        self.digest = self.layout.tag("t", self.image)
        self.entries, self.varve = [], varve

    @property
    def where(self):
        return f"oci:{self.layout.path}:t"

    def attach(self, data, kind, subject=None, listed=None, **members):
        """Adds an artifact, and lists it for the image; returns its manifest's descriptor."""
        blob = self.layout.blob(data if isinstance(data, bytes) else oci_make.dump(data), kind)
        manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "artifactType": kind, "layers": [blob], "subject": subject or self.image,
                    "config": self.layout.blob(b"{}", "application/vnd.oci.empty.v1+json"), **members}
        entry = {**self.layout.blob(oci_make.dump(manifest), MANIFEST), "artifactType": listed or kind}
        self.entries.append(entry)
        self.list()
        return entry

    def list(self):
        """Writes the list of referrers anew."""
        name = f"sha256-{self.digest.removeprefix('sha256:')}"
        self.layout.entries = self.layout.entries[:1]
        self.layout.tag(name, self.layout.index(self.entries))
        self.varve.account.own(self.layout.path)

    def simple(self, payload, signature, digest=None):
        """A simple signature under the image's tag for them."""
        blob = self.layout.blob(payload, SIMPLE)
        layer = {**blob, "annotations": {"dev.cosignproject.cosign/signature": base64.b64encode(signature).decode()}}
        manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "layers": [layer], "config": self.layout.blob(b"{}", CONFIG)}
        self.layout.tag(f"sha256-{(digest or self.digest).removeprefix('sha256:')}.sig", self.layout.blob(oci_make.dump(manifest), MANIFEST))
        self.varve.account.own(self.layout.path)
        return blob


class Reader:
    """Reads blobs of what `varve discover` lists, by hand."""

    def __init__(self, varve, where, read):
        self.varve, self.where, self.read = varve, where, read

    def tree(self, *options):
        return self.varve("discover", "--json", self.where, *options).json()

    def manifest(self, digest):
        data = self.read(digest)
        assert f"sha256:{hashlib.sha256(data).hexdigest()}" == digest
        return json.loads(data)

    def blob(self, digest):
        """The one blob of a manifest."""
        layers = self.manifest(digest)["layers"]
        assert len(layers) == 1, layers
        return self.read(layers[0]["digest"])


__all__ = ["BUNDLE", "CYCLONEDX", "Dressed", "INDEX", "Key", "LAYER", "PROVENANCE", "Reader", "SIGN", "SIMPLE", "SPDX", "STATEMENT",
           "bundle", "openssl", "pae", "statement"]
