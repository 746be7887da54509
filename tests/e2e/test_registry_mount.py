# SPDX-License-Identifier: Apache-2.0
"""Layers that another repository of the same host has: mounted, and where that is refused, sent."""
import pytest
from registries import MIB, bed  # noqa: F401  fixture
from registry_users import USER, mine, open_bed


@pytest.mark.parametrize("profile, kind, mounted", [
    ("strict", None, True), ("strict", "bearer", True), ("strict", "basic", True), ("distribution", "bearer", True),
    ("gitlab", "bearer", False), ("quay-old", None, False), ("ecr", "basic", True), ("crane", None, True)])
def test_layers_of_another_repository_are_mounted(bed, profile, kind, mounted):
    """A copy inside of one host moves no layer; where the registry refuses, the bytes are sent, and nobody notices."""
    registry = bed.open(profile, auth={"kind": kind, "users": USER} if kind else None)
    bed.image([MIB])
    options = mine(bed) if kind else ()
    bed.push(*options, repository="base")
    registry.journal.clear()
    bed.varve("copy", bed.target("base"), bed.target("derived/app"), *options)
    bed.assert_pushed(repository="derived/app")
    sent = registry.journal.uploaded()
    assert sent <= (2000 if mounted else bed.size), registry.journal
    assert not mounted or registry.journal.downloaded() <= 2000, registry.journal
    for entry in registry.journal.of("upload-post"):
        assert "mount" not in entry.query or "from" in entry.query, "a mount without from"


def test_what_was_pushed_once_is_mounted_elsewhere(bed):
    """The store remembers where on a host a blob is; a memory that is wrong does no harm."""
    registry = bed.open()
    bed.image([MIB])
    bed.push(repository="base")
    registry.journal.clear()
    bed.push(repository="derived/app")
    bed.assert_pushed(repository="derived/app")
    assert registry.journal.uploaded() <= 2000, registry.journal
    registry.content.repositories.clear()
    bed.push(repository="third")
    bed.assert_pushed(repository="third")


def test_a_mount_that_is_refused_in_each_way(bed):
    registry = bed.open()
    bed.image([100000])
    bed.push(repository="base")
    for number, (kind, options) in enumerate([("status", {"code": code, "early": True}) for code in (400, 401, 403, 404, 405, 500)] +
                                             [("reset", {})]):
        registry.fault("upload-post", kind, where=lambda entry: "mount" in entry.query, times=1, **options)
        bed.varve("copy", bed.target("base"), bed.target(f"r{number}"))
        bed.assert_pushed(repository=f"r{number}")


def test_a_token_for_a_mount_has_both_repositories(bed):
    registry = open_bed(bed)
    bed.push(*mine(bed), repository="base")
    registry.journal.clear()
    bed.varve("copy", bed.target("base"), bed.target("app"), *mine(bed))
    mounts = registry.journal.of("upload-post", status=201)
    assert mounts, registry.journal
    assert any({name for name, _ in entry.scopes} == {"app", "base"} for entry in registry.journal.of("token"))
