# SPDX-License-Identifier: Apache-2.0
"""A registry that wants to know who asks, and files with credentials for it."""
import base64
import json

from registries import MIB, SECRET

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
