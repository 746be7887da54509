# SPDX-License-Identifier: Apache-2.0
"""Who we say we are, and to whom: Basic and Bearer in all their spellings, credentials from everywhere, and never
to another host, nor into a log, an error, `ps` or the store."""
import base64
import json
import os
import re
import stat

import pytest
from processes import all_pids, killed_at_exit, read
from registries import MIB, SECRET, assert_clear, bed  # noqa: F401  fixture

USER = {"ann": SECRET}
CHUNK = MIB // 4
CHUNKED = ("--chunk-size", str(CHUNK))


def basic(user="ann", password=SECRET):
    return base64.b64encode(f"{user}:{password}".encode()).decode()


def open_bed(bed, kind="bearer", profile="strict", size=MIB, **auth):
    registry = bed.open(profile, auth={"kind": kind, "users": USER, **auth})
    bed.image([size])
    return registry


def authfile(bed, entries, name="auth.json", **members):
    return bed.varve.write(name, json.dumps({"auths": entries, **members}), 0o600)


def mine(bed, **members):
    """--authfile with our entry."""
    return ("--authfile", str(authfile(bed, {bed.registry.host: {"auth": basic(), **members}})))


def assert_no_secret(bed, *results):
    """Neither in what was printed nor in any file of the store."""
    words = [SECRET, basic(), basic().rstrip("=")]
    words += [token for token in bed.registry.authority.tokens]
    for result in results:
        for word in words:
            assert word not in result.stdout + result.stderr, f"{word} in {result}"
    for path in bed.varve.store.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            assert not any(word.encode() in data for word in words), path


# --- where credentials come from -----------------------------------------------------------------

@pytest.mark.parametrize("kind", ["basic", "bearer"])
def test_nobody_is_told_how_to_log_in(bed, kind):
    registry = open_bed(bed, kind)
    file = authfile(bed, {"other.example": {"auth": basic()}})
    result = bed.push("--authfile", str(file), rc=4)
    assert_clear(result, r"varve login")
    assert registry.host in result.stderr and str(file) in result.stderr, "it does not say which file was looked at"
    bed.assert_not_pushed()
    assert registry.journal.count("upload-post") <= 2


@pytest.mark.parametrize("kind", ["basic", "bearer"])
def test_a_file_by_option(bed, kind):
    open_bed(bed, kind)
    result = bed.push(*mine(bed))
    bed.assert_pushed()
    assert_no_secret(bed, result)


PLACES = {
    "REGISTRY_AUTH_FILE": ({"REGISTRY_AUTH_FILE": "a.json"}, "a.json"),
    "XDG_RUNTIME_DIR": ({"XDG_RUNTIME_DIR": "run"}, "run/containers/auth.json"),
    "XDG_CONFIG_HOME": ({}, "config/containers/auth.json"),
    "DOCKER_CONFIG": ({"DOCKER_CONFIG": "dock"}, "dock/config.json"),
    "HOME": ({"HOME": "home"}, "home/.docker/config.json"),
}


@pytest.mark.parametrize("place", PLACES)
def test_a_file_of_other_tools(bed, place):
    open_bed(bed, "basic")
    environment, name = PLACES[place]
    authfile(bed, {bed.registry.host: {"auth": basic()}}, name)
    environment = {"HOME": bed.varve.path("nohome"), **{key: bed.varve.path(value) for key, value in environment.items()}}
    bed.push(env=environment)
    bed.assert_pushed()


def test_the_nearest_file_wins(bed):
    open_bed(bed, "basic")
    authfile(bed, {bed.registry.host: {"auth": basic("ann", "old")}}, "dock/config.json")
    authfile(bed, {bed.registry.host: {"auth": basic()}}, "run/containers/auth.json")
    bed.push(env={"DOCKER_CONFIG": bed.varve.path("dock"), "XDG_RUNTIME_DIR": bed.varve.path("run")})


@pytest.mark.parametrize("key", ["{host}", "{host}/app", "https://{host}", "https://{host}/v1/", "{host}/"])
def test_spellings_of_a_key(bed, key):
    open_bed(bed, "basic")
    file = authfile(bed, {key.format(host=bed.registry.host): {"auth": basic()}})
    bed.push("--authfile", str(file))


def test_the_most_specific_key_wins(bed):
    open_bed(bed, "basic")
    host = bed.registry.host
    file = authfile(bed, {host: {"auth": basic("ann", "wrong")}, f"{host}/team": {"auth": basic("ann", "wrong")},
                          f"{host}/team/app": {"auth": basic()}, f"{host}/team/app/more": {"auth": basic("ann", "no")}})
    bed.push("--authfile", str(file), repository="team/app")


def test_a_password_with_colons_and_other_members(bed):
    registry = bed.open(auth={"kind": "basic", "users": {"ann": "a:b:ü c"}})
    bed.image([1000])
    file = authfile(bed, {registry.host: {"auth": basic("ann", "a:b:ü c"), "email": "x", "unknown": {"y": 1}}},
                    HttpHeaders={"X": "y"}, psFormat="z")
    bed.push("--authfile", str(file))


def test_user_and_password_as_members(bed):
    open_bed(bed, "basic")
    file = authfile(bed, {bed.registry.host: {"username": "ann", "password": SECRET}})
    bed.push("--authfile", str(file))


@pytest.mark.parametrize("text", ["{", '{"auths": []}', '{"auths": {"HOST": {"auth": "***"}}}',
                                  '{"auths": {"HOST": {"auth": "bm9jb2xvbg=="}}}'])
def test_a_file_that_is_damaged(bed, text):
    open_bed(bed, "basic")
    file = bed.varve.write("auth.json", text.replace("HOST", bed.registry.host))
    result = bed.push("--authfile", str(file), rc=None)
    assert result.rc in (2, 4) and str(file) in result.stderr, result


def test_a_file_by_option_that_is_not_there(bed):
    open_bed(bed, "basic")
    result = bed.push("--authfile", "/nowhere/auth.json", rc=None)
    assert result.rc in (2, 4) and "/nowhere/auth.json" in result.stderr, result


# --- credential helpers --------------------------------------------------------------------------

def helper(bed, name, script):
    """A program docker-credential-NAME in a directory for PATH; what it is asked goes to a file."""
    bed.varve.write(f"bin/docker-credential-{name}", f"#!/bin/sh\ncat >{bed.varve.path('asked')}\n"
                    f"echo \"$*\" >{bed.varve.path('arguments')}\n{script}\n", 0o755)
    return {"PATH": f"{bed.varve.path('bin')}:{os.environ['PATH']}"}


def says(user, secret):
    return f"echo '{json.dumps({'ServerURL': 'x', 'Username': user, 'Secret': secret})}'"


@pytest.mark.parametrize("how", ["credHelpers", "credsStore"])
def test_a_helper(bed, how):
    open_bed(bed, "basic")
    environment = helper(bed, "test", says("ann", SECRET))
    members = {"credHelpers": {bed.registry.host: "test"}} if how == "credHelpers" else {"credsStore": "test"}
    file = authfile(bed, {bed.registry.host: {"auth": basic("ann", "wrong")}} if how == "credHelpers" else {}, **members)
    result = bed.push("--authfile", str(file), env=environment)
    bed.assert_pushed()
    assert bed.varve.path("asked").read_text().strip() in (bed.registry.host, f"https://{bed.registry.host}")
    assert bed.varve.path("arguments").read_text().strip() == "get"
    assert_no_secret(bed, result)


def test_a_helper_with_an_identity_token(bed):
    open_bed(bed, "bearer", identity="refresh-me")
    environment = helper(bed, "test", says("<token>", "refresh-me"))
    file = authfile(bed, {}, credHelpers={bed.registry.host: "test"})
    bed.push("--authfile", str(file), env=environment)
    bed.assert_pushed()
    assert {entry.method for entry in bed.registry.journal.of("token")} == {"POST"}


def test_a_helper_that_knows_nothing(bed):
    registry = bed.open()
    bed.image([1000])
    environment = helper(bed, "test", "echo credentials not found in native keychain; exit 1")
    file = authfile(bed, {}, credHelpers={registry.host: "test"})
    bed.push("--authfile", str(file), env=environment)
    bed.assert_pushed()


@pytest.mark.parametrize("script, words", [
    ("echo the keyring is locked >&2; exit 1", "keyring is locked|docker-credential-test"),
    ("echo no json", "docker-credential-test"), ("echo '{}'", "docker-credential-test"), ("kill -9 $$", "docker-credential-test")])
def test_a_helper_that_fails_is_an_error_not_anonymous(bed, script, words):
    open_bed(bed, "basic")
    environment = helper(bed, "test", script)
    file = authfile(bed, {bed.registry.host: {"auth": basic()}}, credHelpers={bed.registry.host: "test"})
    result = bed.push("--authfile", str(file), env=environment, rc=None)
    assert result.rc in (2, 3, 4) and re.search(words, result.stderr), result
    assert bed.registry.journal.count("upload-post", status=202) == 0


def test_a_helper_that_is_not_installed(bed):
    open_bed(bed, "basic")
    file = authfile(bed, {}, credHelpers={bed.registry.host: "nowhere"})
    result = bed.push("--authfile", str(file), rc=None)
    assert result.rc in (2, 3, 4) and "docker-credential-nowhere" in result.stderr, result


def test_a_helper_whose_name_is_a_path(bed):
    open_bed(bed, "basic")
    file = authfile(bed, {}, credHelpers={bed.registry.host: "../../bin/sh"})
    result = bed.push("--authfile", str(file), rc=None)
    assert result.rc in (2, 4) and "../../bin/sh" in result.stderr, result


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
    assert_clear(result, "401|challenge|authenticat|WWW-Authenticate|realm|reply|header|answer")
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
    assert_clear(result, "127.0.0.1:1")


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


# --- login and logout ----------------------------------------------------------------------------

def login(bed, *options, user="ann", password=SECRET, **more):
    return bed.varve("login", bed.registry.host, "--username", user, "--password-stdin", *options,
                     input=password + "\n", **more)


@pytest.mark.parametrize("kind", ["basic", "bearer"])
def test_login_and_logout(bed, kind):
    open_bed(bed, kind, size=1000)
    file = bed.varve.path("conf/auth.json")
    where = ("--authfile", str(file))
    result = login(bed, *where)
    assert bed.registry.host in result.stdout + result.stderr
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert json.loads(file.read_text())["auths"] == {bed.registry.host: {"auth": basic()}}
    push = bed.push(*where)
    bed.assert_pushed()
    assert_no_secret(bed, result, push)
    bed.varve("logout", bed.registry.host, *where)
    assert bed.registry.host not in json.loads(file.read_text()).get("auths", {})
    bed.push(*where, tag="2", rc=4)
    again = bed.varve("logout", bed.registry.host, *where, rc=None)
    assert again.rc in (0, 2) and bed.registry.host in again.stdout + again.stderr


def test_login_keeps_what_else_is_in_the_file(bed):
    open_bed(bed, "basic")
    file = authfile(bed, {"other.example": {"auth": "eDp5", "extra": 1}}, credHelpers={"h.example": "x"}, unknown=[1])
    login(bed, "--authfile", str(file))
    document = json.loads(file.read_text())
    assert document["auths"]["other.example"] == {"auth": "eDp5", "extra": 1} and document["unknown"] == [1]
    assert document["credHelpers"] == {"h.example": "x"} and document["auths"][bed.registry.host] == {"auth": basic()}


@pytest.mark.parametrize("kind", ["basic", "bearer"])
def test_login_with_a_wrong_password_writes_nothing(bed, kind):
    open_bed(bed, kind)
    file = bed.varve.path("auth.json")
    result = login(bed, "--authfile", str(file), password="wrong", rc=4)
    assert_clear(result, "401|unauthorized|authentic|incorrect|password|denied|refused")
    assert not file.exists()


def test_login_with_a_dead_registry(bed):
    open_bed(bed, "basic")
    bed.registry.stop()
    result = login(bed, "--authfile", str(bed.varve.path("auth.json")), rc=4, timeout=150)
    assert bed.registry.authority and f"127.0.0.1:{bed.registry.ports['registry']}" in result.stderr
    assert not bed.varve.path("auth.json").exists()


@pytest.mark.parametrize("user, password", [("", SECRET), ("ann", ""), ("a:b", SECRET), ("a\nb", SECRET)])
def test_login_with_what_cannot_be(bed, user, password):
    open_bed(bed, "basic")
    result = login(bed, user=user, password=password, rc=None)
    assert result.rc in (2, 4), result


# --- mounts --------------------------------------------------------------------------------------

@pytest.mark.parametrize("profile, kind, mounted", [
    ("strict", None, True), ("strict", "bearer", True), ("strict", "basic", True), ("distribution", "bearer", True),
    ("gitlab", "bearer", False), ("quay-old", None, False), ("ecr", "basic", True), ("crane", None, True)])
def test_layers_of_another_repository_are_mounted(bed, profile, kind, mounted):
    """What we pushed to one repository is not sent again to another of the same host; where the registry refuses, it
    is, and nobody notices."""
    registry = bed.open(profile, auth={"kind": kind, "users": USER} if kind else None)
    bed.image([MIB])
    options = mine(bed) if kind else ()
    bed.push(*options, repository="base")
    registry.journal.clear()
    bed.push(*options, repository="derived/app")
    bed.assert_pushed(repository="derived/app")
    sent = registry.journal.uploaded()
    assert sent <= (2000 if mounted else bed.size), registry.journal
    for entry in registry.journal.of("upload-post"):
        assert "mount" not in entry.query or "from" in entry.query, "a mount without from"


def test_a_mount_that_is_refused_in_each_way(bed):
    registry = bed.open()
    bed.image([100000])
    bed.push(repository="base")
    for number, (kind, options) in enumerate([("status", {"code": code, "early": True}) for code in (400, 401, 403, 404, 405, 500)] +
                                             [("reset", {})]):
        registry.fault("upload-post", kind, where=lambda entry: "mount" in entry.query, times=1, **options)
        bed.push(repository=f"r{number}")
        bed.assert_pushed(repository=f"r{number}")


def test_a_token_for_a_mount_has_both_repositories(bed):
    registry = open_bed(bed)
    bed.push(*mine(bed), repository="base")
    registry.journal.clear()
    bed.push(*mine(bed), repository="app")
    mounts = registry.journal.of("upload-post", status=201)
    assert mounts, registry.journal
    assert any({name for name, _ in entry.scopes} == {"app", "base"} for entry in registry.journal.of("token"))
