# SPDX-License-Identifier: Apache-2.0
"""Mirrors, locations, insecure and blocked registries, from the settings of the machine."""
import json
import socket

import pytest
from registries import assert_clear, bed, certificates  # noqa: F401  fixtures
from registry_users import USER, authfile, basic

NAME = "registry.invalid/app"  # nobody has that host


def dead():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{unused.getsockname()[1]}"


def mirror(bed, *profile, **options):  # noqa: F811
    """A registry that has the image, as app:1."""
    one = bed.open(*profile, **options)
    if bed.layout is None:
        bed.image([100000])
    bed.serve_image(registry=one)
    return one


def conf(bed, text, name="config/containers/registries.conf"):  # noqa: F811
    bed.varve.write(name, text)


def rule(prefix, *mirrors, more=""):
    text = f'[[registry]]\nprefix = "{prefix}"\n{more}\n'
    return text + "".join(f'[[registry.mirror]]\nlocation = "{where}"\n{extra}\n' for where, extra in (
        one if isinstance(one, tuple) else (one, "") for one in mirrors))


def pull(bed, name=f"{NAME}:1", *options, **more):  # noqa: F811
    return bed.varve("copy", f"docker://{name}", f"oci:{bed.varve.path('pulled')}:t", *options, timeout=100, **more)


# --- which is asked ------------------------------------------------------------------------------

@pytest.mark.parametrize("where", ["registries.conf", "registries.conf.d/10-mine.conf"])
def test_a_mirror_is_asked_instead(bed, where):  # noqa: F811
    one = mirror(bed)
    conf(bed, rule("registry.invalid", one.host), f"config/containers/{where}")
    pull(bed)
    bed.assert_pulled()
    assert one.journal.entries


def test_one_file_alone(bed):  # noqa: F811
    one = mirror(bed)
    conf(bed, "this is no TOML")
    conf(bed, rule("registry.invalid", one.host), "other.conf")
    pull(bed, env={"CONTAINERS_REGISTRIES_CONF": bed.varve.path("other.conf")})
    bed.assert_pulled()


def test_the_name_stays_that_of_the_registry(bed):  # noqa: F811
    one = mirror(bed)
    conf(bed, rule("registry.invalid", one.host))
    result = bed.varve("pull", f"{NAME}:1")
    assert result.stdout.split() == [bed.digest, f"{NAME}:1"]
    assert one.host not in bed.varve("images").stdout


def test_mirrors_in_turn_then_the_registry(bed):  # noqa: F811
    """A dead one, one without the image, then the registry itself; each is named."""
    gone, empty, upstream = dead(), bed.open(), mirror(bed)
    conf(bed, rule(upstream.host, gone, f"{empty.host}/copies"))
    result = pull(bed, upstream.name("app", "1"))
    bed.assert_pulled()
    assert f"mirror {gone}/app: " in result.stderr and f"asking {empty.host}/copies/app" in result.stderr, result
    assert f"mirror {empty.host}/copies/app: " in result.stderr and f"asking {upstream.host}/app" in result.stderr, result
    assert empty.journal.entries and len(result.stderr.splitlines()) <= 6


def test_nobody_has_it(bed):  # noqa: F811
    empty, upstream = bed.open(), bed.open()
    conf(bed, rule(upstream.host, empty.host))
    bed.image([1000])
    result = pull(bed, upstream.name("app", "1"), rc=4)
    assert_clear(result, f"asked before, in vain: {empty.host}/app")
    assert f"{upstream.host}/app: " in result.stderr


def test_a_failing_mirror_costs_little_time(bed):  # noqa: F811
    one, upstream = mirror(bed), mirror(bed)
    one.fault("*", "status", code=503, times=None)
    conf(bed, rule(upstream.host, one.host))
    pull(bed, upstream.name("app", "1"), "--stall-timeout", "3")
    bed.assert_pulled()


@pytest.mark.parametrize("use, by_tag, by_digest", [("all", True, True), ("digest-only", False, True), ("tag-only", True, False)])
def test_what_a_mirror_is_for(bed, use, by_tag, by_digest):  # noqa: F811
    one, upstream = mirror(bed), mirror(bed)
    conf(bed, rule(upstream.host, (one.host, f'pull-from-mirror = "{use}"')))
    for reference, wanted in (("1", by_tag), (bed.digest, by_digest)):
        one.journal.clear()
        bed.varve("pull", upstream.name("app", reference))
        assert bool(one.journal.entries) == wanted, reference


def test_the_longest_prefix_counts(bed):  # noqa: F811
    one, other = mirror(bed), bed.open()
    conf(bed, rule("registry.invalid", other.host) + rule("registry.invalid/app", f"{one.host}/app"))
    pull(bed)
    bed.assert_pulled()
    assert not other.journal.entries


def test_another_location(bed):  # noqa: F811
    """Only for reading: what is pushed goes where its name says."""
    one, upstream = mirror(bed), bed.open()
    conf(bed, rule(upstream.host, more=f'location = "{one.host}"'))
    pull(bed, upstream.name("app", "1"))
    bed.assert_pulled()
    assert not upstream.journal.entries
    bed.varve("copy", bed.source, f"docker://{upstream.name('app', '2')}")
    bed.assert_pushed(tag="2", registry=upstream)


def test_pushes_go_past_mirrors(bed):  # noqa: F811
    one, upstream = bed.open(), bed.open()
    bed.image([1000])
    conf(bed, rule(upstream.host, one.host))
    bed.varve("copy", bed.source, f"docker://{upstream.name('app', '1')}")
    bed.assert_pushed(registry=upstream)
    assert not one.journal.entries


def test_a_copy_from_a_mirror_to_the_registry_itself(bed):  # noqa: F811
    """Layers that the registry has under the source's name are mounted, not sent."""
    one, upstream = mirror(bed), mirror(bed)
    conf(bed, rule(upstream.host, one.host))
    bed.varve("copy", f"docker://{upstream.name('app', '1')}", f"docker://{upstream.name('copy', '1')}")
    bed.assert_pushed("copy", registry=upstream)
    assert upstream.journal.uploaded() == 0


def test_a_copy_from_a_mirror_that_lacks_a_layer(bed):  # noqa: F811
    """Found out in the middle of a copy between registries: the registry has it."""
    one, upstream, target = mirror(bed), mirror(bed), bed.open()
    for digest in bed.blobs()[1:]:
        one.content.drop_blob("app", digest)
    conf(bed, rule(upstream.host, one.host))
    bed.varve("copy", f"docker://{upstream.name('app', '1')}", f"docker://{target.name('copy', '1')}")
    bed.assert_pushed("copy", registry=target)


def test_varves_own_settings_win(bed):  # noqa: F811
    one, other = mirror(bed), bed.open()
    conf(bed, rule("registry.invalid", other.host))
    own = {"registries": [{"prefix": "registry.invalid", "mirror": [{"location": one.host}]}]}
    bed.varve.write("config/varve/config.json", json.dumps(own))
    pull(bed)
    bed.assert_pulled()
    assert not other.journal.entries


# --- what it may do ------------------------------------------------------------------------------

def test_a_mirror_with_other_bytes(bed):  # noqa: F811
    """A layer of the mirror is wrong: found by its digest, the registry's is taken."""
    one, upstream = mirror(bed), mirror(bed)
    big = bed.blobs()[1]
    one.fault("blob-get", "wrong", at=7, times=None, where=lambda entry: entry.reference == big)
    conf(bed, rule(upstream.host, one.host))
    result = pull(bed, upstream.name("app", "1"))
    bed.assert_pulled()
    assert f"mirror {one.host}/app: " in result.stderr and big in result.stderr, result


def test_a_mirror_with_another_manifest(bed):  # noqa: F811
    one, upstream = mirror(bed), mirror(bed)
    one.fault("manifest-get", "wrong", at=7, times=None)
    conf(bed, rule(upstream.host, one.host))
    result = pull(bed, upstream.name("app", bed.digest))
    bed.assert_pulled()
    assert "asking" in result.stderr


def test_each_host_gets_its_own_credentials(bed):  # noqa: F811
    """A mirror that asks for a password gets none of another host's, and is left out then."""
    auth = {"kind": "basic", "users": USER}
    one, upstream = mirror(bed, auth=auth), mirror(bed, auth=auth)
    conf(bed, rule(upstream.host, one.host))
    file = authfile(bed, {upstream.host: {"auth": basic()}})
    result = pull(bed, upstream.name("app", "1"), "--authfile", str(file))
    bed.assert_pulled()
    assert one.journal.entries and not any(entry.authorization for entry in one.journal.entries)
    assert f"mirror {one.host}/app: " in result.stderr


def test_a_mirror_with_credentials(bed):  # noqa: F811
    one, upstream = mirror(bed, auth={"kind": "basic", "users": USER}), bed.open()
    conf(bed, rule(upstream.host, one.host))
    pull(bed, upstream.name("app", "1"), "--authfile", str(authfile(bed, {one.host: {"auth": basic()}})))
    bed.assert_pulled()
    assert not upstream.journal.entries


def test_an_insecure_registry(bed, certificates):  # noqa: F811
    """No check of its certificate, and only of its own."""
    one, other = bed.open(tls=certificates), bed.open(tls=certificates)
    bed.image([1000])
    conf(bed, rule(one.host, more="insecure = true"))
    bed.varve("copy", bed.source, f"docker://{one.name('app', '1')}")
    bed.assert_pushed()
    bed.varve("copy", bed.source, f"docker://{other.name('app', '1')}", rc=4)


@pytest.mark.parametrize("insecure", [False, True])
def test_an_insecure_mirror(bed, certificates, insecure):  # noqa: F811
    """What is said of the mirror counts, not what is said of the registry."""
    one, upstream = mirror(bed, tls=certificates), mirror(bed)
    conf(bed, rule(upstream.host, (one.host, f"insecure = {str(insecure).lower()}"), more="insecure = true"))
    result = pull(bed, upstream.name("app", "1"))
    bed.assert_pulled()
    assert bool(one.journal.entries) == insecure and ("asking" in result.stderr) != insecure, result


@pytest.mark.parametrize("text", ['[[registry]]\nprefix = "{host}"\nblocked = true', '[registries.block]\nregistries = ["{host}"]'])
def test_a_blocked_registry(bed, text):  # noqa: F811
    one = mirror(bed)
    conf(bed, text.format(host=one.host))
    for command in (("pull", one.name("app", "1")), ("copy", bed.source, f"docker://{one.name('app', '2')}"),
                    ("inspect", f"docker://{one.name('app', '1')}")):
        result = bed.varve(*command, rc=3)
        assert_clear(result, f"settings block the registry {one.host}", rc=3)
        assert "registries.conf" in result.stderr
    assert not one.journal.entries


# --- wrong settings ------------------------------------------------------------------------------

@pytest.mark.parametrize("text, words", [
    ("[[registry]]\nlocation = \"x", r"registries\.conf:2: a string without an end"),
    ("[[registry]]\nlocation = \"https://x.example\"", "without a scheme"),
    ("[[registry]]\nprefix = \"x.example\"\n[[registry.mirror]]\nlocation = \"m.example\"\npull-from-mirror = \"no\"", "pull-from-mirror")])
def test_settings_that_are_wrong(bed, text, words):  # noqa: F811
    bed.image([1000])
    conf(bed, text)
    assert_clear(pull(bed, rc=2), words, rc=2)


def test_own_settings_that_are_wrong(bed):  # noqa: F811
    bed.varve.write("config/varve/config.json", json.dumps({"registries": [{"location": "not a host"}]}))
    result = bed.varve("images", rc=2)
    assert "config.json" in result.stderr and "not a host" in result.stderr


def test_short_names_are_not_guessed(bed):  # noqa: F811
    one = mirror(bed)
    conf(bed, f'unqualified-search-registries = ["{one.host}"]\n[aliases]\n"app" = "{one.host}/app"\n')
    assert_clear(bed.varve("pull", "app:1", rc=2), "names no registry", rc=2)
    assert not one.journal.entries
