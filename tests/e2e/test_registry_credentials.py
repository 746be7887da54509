# SPDX-License-Identifier: Apache-2.0
"""Credentials: files of ours and of other tools, helpers, login and logout."""
import json
import os
import re
import stat

import pytest
from registries import SECRET, assert_clear, bed  # noqa: F401  fixture
from registry_users import assert_no_secret, authfile, basic, mine, open_bed

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


# --- login and logout ----------------------------------------------------------------------------

def login(bed, *options, user="ann", password=SECRET, **more):
    return bed.varve("login", bed.registry.host, "--user", user, "--password-stdin", *options,
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
    assert again.rc in (0, 1, 2) and bed.registry.host in again.stdout + again.stderr


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
