# SPDX-License-Identifier: Apache-2.0
"""The fixtures of tests/e2e, and the program in a situation:

	def test_x(placed):
		project = placed("docker root")		# a support.Project; skips with the reason where it cannot be made
"""
import importlib.util
import os
import pathlib
import shutil
import sys
import tempfile

import pytest

E2E = pathlib.Path(__file__).resolve().parents[1] / "e2e"
sys.path.insert(0, str(E2E))
spec = importlib.util.spec_from_file_location("conftest_of_e2e", E2E / "conftest.py")
e2e = importlib.util.module_from_spec(spec)
spec.loader.exec_module(e2e)
globals().update({name: value for name, value in vars(e2e).items() if not name.startswith("__")})

import accounts  # noqa: E402
import situations  # noqa: E402
from support import Project  # noqa: E402


@pytest.fixture(scope="session")
def tools():
    """A directory with copies of the program and of confine that every account can run, not below /tmp."""
    built = e2e.find_binary()
    if built is None:
        pytest.fail("no program: build it, or set VARVE_BIN", pytrace=False)
    confine = os.environ.get("VARVE_CONFINE") or built.parents[2] / "tests/hosts/confine"
    if not os.access(confine, os.X_OK):
        pytest.fail("no tests/hosts/confine: build it, or set VARVE_CONFINE", pytrace=False)
    directory = pathlib.Path(tempfile.mkdtemp(prefix="varve-hosts-", dir="/var/tmp"))
    directory.chmod(0o755)
    for program, name in ((built, "varve"), (confine, "confine")):
        shutil.copy(program, directory / name)
        (directory / name).chmod(0o755)
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def placed(tools):
    """placed(NAME of a situation): a project in it."""
    made = []

    def make(name):
        try:
            account = situations.Placed(situations.find(name), tools)
        except accounts.Unavailable as reason:
            pytest.skip(str(reason))
        made.append(account)
        varve = e2e.Varve(tools / "varve", account)
        account.varve = varve
        if "lowerdir" in account.situation.setup:
            varve.store = varve.path("u")  # where the overlay, which only the program sees, keeps it
            varve.env["VARVE_SCRATCH"] = "none"
        for variable in account.situation.unset:
            varve.env.pop(variable, None)
        return Project(varve)
    yield make
    for one in made:
        one.close()
