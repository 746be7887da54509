# SPDX-License-Identifier: Apache-2.0
"""varve verify --policy: each requirement, met and not, over images made here."""
import json
import tarfile

import pytest
from attached import BUNDLE, CYCLONEDX, PROVENANCE, SPDX, STATEMENT, Dressed, Key, bundle, statement
from registries import assert_clear
from support import NAME, project, run  # noqa: F401  fixtures
from test_verify import Image, tar_of

SETUID, DIRECTORY = {"mode": 0o4755, "data": b"x"}, {"type": tarfile.DIRTYPE, "mode": 0o2755}


class Policy:
    """A policy file; each call is one verification."""

    def __init__(self, varve, where, **require):
        self.varve, self.where = varve, where
        self.file = varve.write("policy/p.yaml", json.dumps({"require": require}))

    def __call__(self, *options):
        """{requirement: failure or None}"""
        result = self.varve("verify", "--json", self.where, "--policy", self.file, *options, rc=None)
        assert result.rc in (0, 5), result
        checks = [(one["what"], one["failure"]) for one in result.json()["checks"]]
        assert (result.rc == 0) == all(failure is None for _, failure in checks)
        return {what.removeprefix("policy: "): failure for what, failure in checks if what.startswith(("policy: ", "signed by "))}


def image(varve, *tars, **manifest):
    one = Image(varve.path("i"), list(tars) or [tar_of(("a", {}))])
    one.manifest.update(manifest)
    return one


def provenance(digest, **metadata):
    return statement(digest, PROVENANCE, {"runDetails": {"metadata": metadata}})


# --- what the image says -------------------------------------------------------------------------

BASES = {  # annotations, allowed, reason
    "allowed": ({"org.opencontainers.image.base.digest": "sha256:" + "1" * 64}, ["sha256:" + "0" * 64, "sha256:" + "1" * 64], None),
    "another": ({"org.opencontainers.image.base.digest": "sha256:" + "2" * 64}, ["sha256:" + "1" * 64], "it stands on sha256:" + "2" * 64),
    "not said": ({}, ["sha256:" + "1" * 64], "the image does not say what it stands on"),
    "scratch": ({}, ["scratch"], None),
}


@pytest.mark.parametrize("name", BASES)
def test_base(varve, name):
    annotations, allowed, reason = BASES[name]
    assert Policy(varve, image(varve, annotations=annotations).write(), **{"base-digest": allowed})() == {"base-digest": reason}


def test_labels_and_layers(varve):
    one = image(varve, tar_of(("a", {})), tar_of(("b", {})))
    one.config["config"]["Labels"] = {"a": "b", "c": "d"}
    where = one.write()
    assert Policy(varve, where, labels={"a": "b", "c": "*", "d": "*"}, **{"max-layers": 1})() == {
        "label a": None, "label c": None, "label d": "the image has no such label", "max-layers": "2 layers"}
    assert Policy(varve, where, labels={"a": "x"}, **{"max-layers": 2})() == {"label a": 'is "b", not "x"', "max-layers": None}


# --- files ---------------------------------------------------------------------------------------

ABOVE = {  # layers over one with a setuid a/b/su; is it still there
    "nothing": ([], True),
    "a sibling": ([("a/b/x", {})], True),
    "a directory entry": ([("a/b", DIRECTORY)], True),
    "other bits": ([("a/b/su", {"data": b"x"})], False),
    "whiteout": ([("a/b/.wh.su", {})], False),
    "whiteout of a directory": ([("a/.wh.b", {})], False),
    "whiteout of the top": ([(".wh.a", {})], False),
    "opaque directory": ([("a/.wh..wh..opq", {})], False),
    "whiteout of a sibling": ([("a/b/.wh.s", {})], True),
    "a file in place of its directory": ([("a/b", {"data": b"x"})], False),
    "again": ([("a/b/su", SETUID)], True),
}


@pytest.mark.parametrize("name", ABOVE)
def test_setuid(varve, name):
    entries, there = ABOVE[name]
    tars = [tar_of(("a", DIRECTORY), ("a/b", DIRECTORY), ("a/b/su", SETUID)), *([tar_of(*entries)] if entries else [])]
    assert Policy(varve, image(varve, *tars).write(), **{"no-setuid-except": []})() == {"no-setuid-except": "a/b/su" if there else None}


def test_setuid_exceptions(varve):
    where = image(varve, tar_of(("su", SETUID), ("l", {"type": tarfile.LNKTYPE, "linkname": "su", "mode": 0o4755}), ("g", {"mode": 0o2755}))).write()
    assert Policy(varve, where, **{"no-setuid-except": ["/su", "/l"]})() == {"no-setuid-except": "g"}
    assert Policy(varve, where, **{"no-setuid-except": ["/su", "/l", "/g"]})() == {"no-setuid-except": None}
    many = image(varve, tar_of(*((f"s{n}", SETUID) for n in range(9)))).write()
    assert Policy(varve, many, **{"no-setuid-except": []})() == {"no-setuid-except": "s0, s1, s2, s3, s4 and 4 more"}


def test_capabilities(varve):
    """They count as setuid does."""
    capable = {"pax_headers": {"SCHILY.xattr.security.capability": "\x01\x00\x00\x02\x00\x20" + "\x00" * 14}}
    where = image(varve, tar_of(("ping", capable), ("x", {"pax_headers": {"SCHILY.xattr.user.x": "y"}}))).write()
    assert Policy(varve, where, **{"no-setuid-except": []})() == {"no-setuid-except": "ping"}


def test_secrets(varve):
    """Also those that a layer above has hidden."""
    key = b"-----BEGIN PRIVATE KEY-----\nMIG\n"
    one = image(varve, tar_of(("k", {"data": key}), ("root", DIRECTORY), ("root/.netrc", {"data": b"x"}), ("x.netrc", {"data": b"x"}),
                              ("empty.pem", {}), ("cert.pem", {"data": b"-----BEGIN CERTIFICATE-----\n"})), tar_of((".wh.k", {})))
    one.config["config"]["Env"] = ["PATH=/bin", "API_TOKEN=x", "PASSWORD=", "TOKENS=1", "db_password=x"]
    where = one.write()
    found = Policy(varve, where, **{"no-secrets-except": []})()
    assert found == {"no-secrets-except": "k, root/.netrc, $API_TOKEN, $db_password"}
    assert Policy(varve, where, **{"no-secrets-except": ["/k", "/root/.netrc"]})() == {"no-secrets-except": "$API_TOKEN, $db_password"}


def test_a_layer_that_cannot_be_read(varve):
    one = image(varve)
    where = one.write()
    one.rewrite(one.layers[0]["digest"], lambda data: data[:-1])
    unread = "a layer could not be read"
    assert Policy(varve, where, **{"no-setuid-except": [], "no-secrets-except": []})() == {"no-setuid-except": unread, "no-secrets-except": unread}


# --- what is attached ----------------------------------------------------------------------------

def test_hermetic(varve):
    dressed = Dressed(varve)
    policy = Policy(varve, dressed.where, hermetic=True)
    assert policy() == {"hermetic": "there is no provenance to be believed that says so"}
    dressed.attach(provenance(dressed.digest, varve_hermetic=False), STATEMENT)
    assert policy() == {"hermetic": "its provenance does not say that the build was hermetic"}
    dressed.entries.clear()
    dressed.attach(provenance(dressed.digest, varve_hermetic=True), STATEMENT)
    assert policy() == {"hermetic": None}


def test_attested(varve):
    dressed = Dressed(varve)
    policy = Policy(varve, dressed.where, attested=["spdx", "cyclonedx", "provenance", "https://example.org/x"])
    missing = "nothing of this kind is attached that counts"
    wanted = {"attested spdx": missing, "attested cyclonedx": missing, "attested provenance": missing, "attested https://example.org/x": missing}
    assert policy() == wanted
    for what, data, kind in (("spdx", {"spdxVersion": "SPDX-2.3"}, SPDX), ("cyclonedx", {"bomFormat": "CycloneDX"}, CYCLONEDX),
                             ("provenance", provenance(dressed.digest), STATEMENT),
                             ("https://example.org/x", statement(dressed.digest, "https://example.org/x"), STATEMENT)):
        dressed.attach(data, kind)
        wanted[f"attested {what}"] = None
        assert policy() == wanted


def test_signed_by(varve, tmp_path):
    """Where keys are named, what is attached counts only if one of them has signed it."""
    dressed, key, other = Dressed(varve), Key(varve, "key"), Key(varve, "other")
    varve.write("policy/keys/release.pub", key.public.read_bytes())
    policy = Policy(varve, dressed.where, hermetic=True, attested=["spdx"], **{"signed-by": ["keys/release.pub", str(other.public)]})
    release, theirs = f"signed by {varve.path('policy/keys/release.pub')}", f"signed by {other.public}"
    unsigned, unattested = "there is no signature by this key", "nothing of this kind is attached that counts"
    unhermetic = "there is no provenance to be believed that says so"
    dressed.attach(provenance(dressed.digest, varve_hermetic=True), STATEMENT)
    dressed.attach({"spdxVersion": "SPDX-2.3"}, SPDX)
    dressed.attach(bundle(key, statement(dressed.digest), tmp_path), BUNDLE)
    assert policy() == {release: None, theirs: unsigned, "hermetic": unhermetic, "attested spdx": unattested}
    dressed.attach(bundle(other, statement(dressed.digest), tmp_path), BUNDLE)
    dressed.attach(bundle(key, provenance(dressed.digest, varve_hermetic=True), tmp_path), BUNDLE)
    dressed.attach(bundle(other, statement(dressed.digest, "https://spdx.dev/Document", {"spdxVersion": "SPDX-2.3"}), tmp_path), BUNDLE)
    assert policy() == {release: None, theirs: None, "hermetic": None, "attested spdx": None}


# --- the file ------------------------------------------------------------------------------------

WRONG = {
    "unknown key": ("require: {hermetik: true}", 'p.yaml:1:11: unknown key "hermetik" in "require"; did you mean "hermetic"'),
    "no map": ("- a", "p.yaml:1:1: .*map"),
    "nothing required": ("other: {}", 'one key "require"'),
    "no truth value": ("require: {hermetic: perhaps}", 'p.yaml:1:21: "perhaps" is neither true nor false'),
    "no list": ("require: {signed-by: a.pub}", "list"),
    "no digest": ("require: {base-digest: [debian]}", '"debian" is neither a digest'),
    "unknown attestation": ("require: {attested: [spdy]}", 'did you mean "spdx"'),
    "relative path": ("require: {no-setuid-except: [usr/bin/su]}", "no absolute path"),
    "path with ..": ("require: {no-secrets-except: [/a/../b]}", "no absolute path"),
    "no number": ("require: {max-layers: many}", "whole number"),
    "no YAML": ("require: [", "p.yaml:2:1: flow sequence"),
    "missing key": ("require: {signed-by: [none.pub]}", "No such file"),
    "key twice": ("require: {hermetic: true, hermetic: true}", "hermetic"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_policy(varve, name):
    text, reason = WRONG[name]
    result = varve("verify", image(varve).write(), "--policy", varve.write("policy/p.yaml", text), rc=None)
    assert_clear(result, reason, rc=1 if name == "missing key" else 2)
    assert result.stdout == ""


def test_built_image(project):  # noqa: F811
    """What varve makes, in YAML as people write it."""
    project.recipe([run("a", "echo a >/a && chmod 4755 /a")])
    project.build()
    file = project.varve.write("p.yaml", "require:\n  max-layers: 9\n  no-setuid-except:\n    - /a   # wanted\n  no-secrets-except: []\n")
    assert project.varve("verify", "--json", NAME, "--policy", file).json()["ok"]
    strict = project.varve.write("q.yaml", "require: {no-setuid-except: []}\n")
    assert "FAILED  policy: no-setuid-except: a" in project.varve("verify", NAME, "--policy", strict, rc=5).stdout
