# SPDX-License-Identifier: Apache-2.0
"""Challenges in all their spellings, tokens that end, and secrets that stay where they belong: never at another
host, nor in a log, an error, `ps` or the store."""
import json
import os

import pytest
from processes import all_pids, killed_at_exit, read
from registries import MIB, SECRET, assert_clear, bed  # noqa: F401  fixture
from registry_users import CHUNK, CHUNKED, USER, assert_no_secret, authfile, basic, mine, open_bed

# --- challenges ----------------------------------------------------------------------------------

BEARER = 'Bearer realm="{realm}",service="{service}",scope="{scope}"{error}'
CHALLENGES = {
    "plain": [BEARER],
    "other-case": ['bEARER Realm="{realm}",SERVICE="{service}",scope="{scope}"'],
    "spaces": ['Bearer  realm = "{realm}" , service= "{service}" ,scope ="{scope}"'],
    "unquoted-service": ['Bearer realm="{realm}",service=test-registry,scope="{scope}"'],
    "escapes": ['Bearer realm="{realm}",service="test\\-registry",scope="{scope}",error_description="say \\"please\\", ok"'],
    "without-scope": ['Bearer realm="{realm}",service="{service}"'],
    "without-service": ['Bearer realm="{realm}",scope="{scope}"'],
    "two-headers": ["Negotiate", BEARER],
    "two-in-one": ['Digest realm="x, Basic y", nonce="a=b", ' + BEARER],
    "token68-first": ["Negotiate YII==, " + BEARER],
    "bearer-before-basic": ['Basic realm="{service}"', BEARER],
    "both-in-one": [BEARER + ', Basic realm="{service}"'],
    "unknown-parameters": ['Bearer realm="{realm}",x="y",service="{service}",scope="{scope}",z=1'],
}


@pytest.mark.parametrize("form", CHALLENGES)
def test_a_challenge(bed, form):
    open_bed(bed, challenges=CHALLENGES[form], size=1000)
    bed.push(*mine(bed))
    bed.assert_pushed()
    assert bed.registry.journal.count("token", status=200) >= 1


@pytest.mark.parametrize("challenge", ["", "Bearer", 'Bearer realm="', "Bearer realm=", 'Digest realm="x",nonce="y"',
                                       "\x01\x02", 'Bearer realm="ftp://x/"', 'Bearer realm="http://[::bad/"', "," * 1000,
                                       'Bearer realm="' + "x" * 100000 + '"'])
def test_a_challenge_that_nobody_can_meet(bed, challenge):
    open_bed(bed, challenges=[challenge.replace("{", "{{")], size=1000)
    result = bed.push(*mine(bed), rc=4)
    assert_clear(result, "401|challenge|authenticat|WWW-Authenticate|token server|header|answer")
    assert len(bed.registry.journal.entries) < 20


@pytest.mark.parametrize("auth", [{"answer": "access_token"}, {"tell_expiry": False}, {"seconds": 100000}])
def test_a_token_server_of_another_kind(bed, auth):
    open_bed(bed, **auth)
    bed.push(*mine(bed))
    bed.assert_pushed()


def test_an_identity_token_is_sent_as_a_form(bed):
    registry = open_bed(bed, identity="refresh-me", size=1000)
    file = authfile(bed, {registry.host: {"auth": basic("ann", ""), "identitytoken": "refresh-me"}})
    bed.push("--authfile", str(file))
    bed.assert_pushed()
    assert {entry.method for entry in registry.journal.of("token")} == {"POST"}


def test_tokens_are_asked_for_once(bed):
    """Six layers side by side; one token for the push, not one for each request."""
    registry = open_bed(bed)
    bed.image([50000 + n for n in range(6)])
    bed.push(*mine(bed))
    assert registry.journal.count("token") <= 2, registry.journal
    scopes = {(name, tuple(sorted(actions))) for entry in registry.journal.of("token") for name, actions in entry.scopes}
    assert scopes <= {("app", ("pull", "push")), ("app", ("pull",))}


def test_anonymous_pull_with_a_token(bed):
    registry = open_bed(bed, anonymous="pull")
    bed.serve_image()
    bed.pull()
    bed.assert_pulled()
    assert all(entry.authorization is None for entry in registry.journal.of("token"))


def test_a_challenge_that_names_pull_only(bed):
    """As GHCR's on POST: what the operation needs is asked for all the same."""
    registry = open_bed(bed, profile="ghcr")
    bed.push(*mine(bed))
    bed.assert_pushed()
    assert registry.journal.count("token") <= 4, registry.journal


# --- tokens that end -----------------------------------------------------------------------------

@pytest.mark.parametrize("operation, options, more", [
    ("upload-post", (), 0), ("upload-put", (), MIB), ("upload-patch", CHUNKED, CHUNK), ("manifest-put", (), 0),
    ("blob-head", (), 0)])
def test_a_token_that_ends(bed, operation, options, more):
    """Right before or in the middle of each request: a new one, and the request again."""
    registry = open_bed(bed)
    registry.fault(operation, "expire", after=CHUNK // 2)
    bed.push(*mine(bed), *options)
    bed.assert_pushed()
    assert registry.journal.uploaded() <= bed.size + more, registry.journal
    assert registry.script.pending == []


def test_a_token_that_ends_after_the_last_byte(bed):
    registry = open_bed(bed)
    registry.fault("upload-put", "expire", after=MIB)
    bed.push(*mine(bed))
    bed.assert_pushed()
    assert registry.journal.uploaded() <= 2 * bed.size


def test_tokens_of_one_second(bed):
    registry = open_bed(bed, seconds=1, size=2 * MIB)
    registry.fault("upload-patch", "delay", seconds=0.35, times=None)
    bed.push(*mine(bed), *CHUNKED)
    bed.assert_pushed()
    assert registry.journal.count("token") >= 2
    assert registry.journal.uploaded() <= bed.size + 4 * CHUNK, registry.journal


def test_a_token_that_is_never_good_enough(bed):
    """Refused again after a fresh token: an error, not a loop."""
    registry = open_bed(bed, uses=0, size=1000)
    result = bed.push(*mine(bed), rc=4)
    assert_clear(result, "401|unauthorized|authentic|denied")
    assert len(registry.journal.entries) < 20, registry.journal


def test_a_password_that_is_wrong(bed):
    for kind in ("basic", "bearer"):
        registry = bed.open(auth={"kind": kind, "users": USER})
        bed.image([1000])
        file = authfile(bed, {registry.host: {"auth": basic("ann", "wrong")}})
        result = bed.varve("copy", bed.source, bed.target(registry=registry), "--authfile", str(file), rc=4)
        assert_clear(result, "401|unauthorized|authentic|incorrect|password|denied")
        assert registry.host in result.stderr and len(registry.journal.entries) < 15, registry.journal


@pytest.mark.parametrize("kind, options", [
    ("status", {"code": 500, "times": 2}), ("reset", {"before": True, "times": 1}), ("status", {"code": 429, "times": 1, "headers": {"Retry-After": "1"}})])
def test_a_token_server_that_falters(bed, kind, options):
    open_bed(bed, size=1000)
    bed.registry.fault("token", kind, **options)
    bed.push(*mine(bed))
    bed.assert_pushed()


@pytest.mark.parametrize("body", [b"", b"{}", b'{"token": 7}', b"<html>", b'{"token": "a\\r\\nb: c"}', b"{" + b" " * (2 * MIB) + b"}"])
def test_a_token_server_that_answers_nonsense(bed, body):
    open_bed(bed, size=1000)
    bed.registry.fault("token", "status", code=200, body=body, times=None)
    result = bed.push(*mine(bed), rc=4)
    assert_clear(result, "token")


def test_a_token_server_that_is_dead(bed):
    open_bed(bed, realm="http://127.0.0.1:1/token", size=1000)
    result = bed.push(*mine(bed), rc=4, timeout=150)
    assert_clear(result, "127.0.0.1(:| port )1")


# --- never to another host -----------------------------------------------------------------------

def elsewhere(registry):
    return [entry for entry in registry.journal.entries if entry.role == "elsewhere"]


@pytest.mark.parametrize("kind", ["basic", "bearer"])
def test_not_after_a_redirect(bed, kind):
    registry = open_bed(bed, kind, profile="signed-cdn")
    bed.serve_image()
    bed.pull("pulled", *mine(bed))
    bed.assert_pulled()
    assert elsewhere(registry) and all(entry.authorization is None for entry in elsewhere(registry))


@pytest.mark.parametrize("kind", ["basic", "bearer"])
def test_not_to_the_host_of_an_uploads_location(bed, kind):
    """https only, and no private address: here it is refused, and in any case without credentials."""
    registry = open_bed(bed, kind)
    evil = f"{registry.url_of('elsewhere')}/v2/app/blobs/uploads/evil"
    registry.fault("upload-post", "headers", headers={"Location": evil}, times=None)
    result = bed.push(*mine(bed), rc=4)
    assert_clear(result, "127.0.0.2|location")
    assert all(entry.authorization is None for entry in elsewhere(registry)), registry.journal


@pytest.mark.parametrize("identity", [False, True])
def test_not_to_the_realm_of_another_host(bed, identity):
    registry = open_bed(bed, identity="refresh-me", size=1000)
    registry.authority.realm = f"{registry.url_of('elsewhere')}/token"
    members = {"identitytoken": "refresh-me"} if identity else {}
    result = bed.push(*mine(bed, **members), rc=4)
    assert_clear(result, "127.0.0.2|realm|401|404")
    for entry in elsewhere(registry):
        assert entry.authorization is None and entry.method != "POST", registry.journal


def test_not_when_a_manifest_moves(bed):
    registry = open_bed(bed, "basic")
    bed.serve_image()
    registry.fault("manifest-get", "redirect", to=f"{registry.url_of('elsewhere')}/v2/app/manifests/1", times=None)
    registry.fault("manifest-head", "redirect", to=f"{registry.url_of('elsewhere')}/v2/app/manifests/1", times=None)
    bed.pull("pulled", *mine(bed), rc=None)
    assert all(entry.authorization is None for entry in elsewhere(registry))


# --- never where it can be read ------------------------------------------------------------------

def test_not_in_the_process_list(bed):
    registry = open_bed(bed, size=2 * MIB)
    registry.fault("upload-patch", "delay", seconds=0.1, times=None)
    child = bed.start_push(*mine(bed), *CHUNKED)
    with killed_at_exit(child):
        assert registry.journal.wait(lambda log: log.uploaded() >= MIB)
        words = [SECRET.encode(), basic().encode(), *(token.encode() for token in registry.authority.tokens)]
        for pid in all_pids():
            text = read(f"/proc/{pid}/cmdline") + (read(f"/proc/{pid}/environ") if pid == child.pid else b"")
            assert not any(word in text for word in words) or pid == os.getpid(), pid
        child.communicate(timeout=60)
    assert child.returncode == 0


def test_not_in_errors_nor_sessions(bed):
    """A push that fails at its end, verbose, after parts were sent: nothing of the secret is anywhere."""
    registry = open_bed(bed, size=MIB)
    registry.fault("upload-put", "status", code=403, times=None, early=True)
    registry.fault("manifest-put", "status", code=403, times=None, early=True)
    results = [bed.push(*mine(bed), *CHUNKED, *more, rc=None) for more in ((), ("--verbose",))]
    assert results[0].rc == 4
    assert_no_secret(bed, *results)


def test_a_server_that_repeats_the_secret(bed):
    """An error body with the Authorization header in it, as debug pages have."""
    registry = open_bed(bed, "basic", size=1000)
    registry.fault("upload-post", "status", code=400, times=None,
                   body=f"bad request; you sent Authorization: Basic {basic()}".encode())
    result = bed.push(*mine(bed), rc=4)
    assert basic() not in result.stderr and SECRET not in result.stderr, result


def test_signed_addresses_are_not_shown(bed):
    """The query of a signed address is as good as a password."""
    registry = bed.open("signed-cdn")
    bed.image([MIB])
    bed.serve_image()
    registry.fault("blob-get", "status", code=403, times=None, where=lambda entry: entry.role == "elsewhere")
    result = bed.pull(rc=4)
    assert "s3cr3t" not in result.stderr, result


def test_text_of_a_server_is_escaped(bed):
    registry = bed.open()
    bed.image([1000])
    registry.fault("upload-post", "status", code=403, times=None, body=json.dumps({"errors": [
        {"code": "DENIED", "message": "\x1b]0;owned\x07\x1b[2J\rnothing to see"}]}).encode())
    result = bed.push(rc=4)
    assert_clear(result, "DENIED|403")
    assert "\x1b" not in result.stderr and "\x07" not in result.stderr
