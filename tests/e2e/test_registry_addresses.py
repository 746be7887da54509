# SPDX-License-Identifier: Apache-2.0
"""Where a registry may send its clients: one on the Internet not to what only this machine or its network can reach."""
import json
import pathlib
import sys

import pytest
from registries import bed  # noqa: F401  fixture

HERE = pathlib.Path(__file__).resolve().parent
PUBLIC, OTHER, PRIVATE, PRIVATE2, LINK, LOOPBACK = "203.0.113.5", "198.51.100.7", "10.9.8.7", "192.168.3.4", "169.254.169.254", "127.0.0.1"
REFUSED = [(PUBLIC, LOOPBACK), (PUBLIC, PRIVATE), (PUBLIC, LINK), (PRIVATE, LOOPBACK), (PRIVATE, LINK), (LOOPBACK, LINK)]
FOLLOWED = [(PUBLIC, OTHER), (PRIVATE, PRIVATE2), (PRIVATE, PUBLIC), (LOOPBACK, PRIVATE)]


@pytest.fixture
def try_all(bed, need):  # noqa: F811
    def run(cases):
        bed.image([1000])
        done = bed.varve.run(need("unshare"), "--user", "--map-root-user", "--net", sys.executable, HERE / "registry_network.py",
                             bed.varve.binary, bed.layout.path, input=json.dumps(cases), timeout=120)
        if "unshare" in done.stderr:
            pytest.skip(f"no namespaces: {done.stderr.strip()}")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)
    return run


@pytest.mark.parametrize("what", ["upload", "blob", "realm"])
def test_a_registry_names_an_address_that_is_not_its_to_name(try_all, what):
    """Nothing is asked there, and the message says what was refused, and why."""
    cases = [{"at": at, "to": to, "what": what} for at, to in REFUSED]
    cases.append({"at": PUBLIC, "to": LOOPBACK, "name": "localhost", "what": what})
    for case, (status, text, asked) in zip(cases, try_all(cases), strict=True):
        assert status == 4 and asked == 0, (case, text)
        assert case.get("name", case["to"]) in text and "has no business" in text and len(text.splitlines()) <= 4, (case, text)


@pytest.mark.parametrize("what", ["upload", "blob"])
def test_a_registry_names_an_address_like_its_own(try_all, what):
    """It is asked: what it answers is another matter."""
    cases = [{"at": at, "to": to, "what": what} for at, to in FOLLOWED]
    for case, (_, text, asked) in zip(cases, try_all(cases), strict=True):
        assert asked > 0 and "business" not in text, (case, text)


@pytest.mark.parametrize("what", ["upload", "blob", "realm"])
def test_an_address_that_the_user_names(try_all, what):
    case = {"at": PUBLIC, "to": PRIVATE, "what": what}
    (_, text, _), (_, trusting, asked) = try_all([case, {**case, "trust": PRIVATE}])
    assert f"--trust-realm {PRIVATE}" in text and asked > 0 and "business" not in trusting, (text, trusting)
