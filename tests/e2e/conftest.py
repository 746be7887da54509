# SPDX-License-Identifier: Apache-2.0
"""Fixtures: the program, accounts, a Debian archive, an HTTP server that fails as told.

	def test_x(varve, repo, server):
		result = varve("build", recipe)			# as whoever runs pytest; a store of its own
	def test_y(as_user):
		varve = as_user("subuid")			# "root", "subuid", "one" or a name; skips with the reason
		varve.write("x.yaml", "varve: 1 ...")		# a file in the directory that it runs in
"""
import json
import os
import pathlib
import shutil
import signal
import tempfile

import accounts
import debs
import pytest
from faults import FaultServer

TOP = pathlib.Path(__file__).resolve().parents[2]


def find_binary():
    given = os.environ.get("VARVE_BIN")
    places = [pathlib.Path(given)] if given else [TOP / "build/varve", TOP / "build/src/cli/varve"]
    for place in places:
        if os.access(place, os.X_OK):
            return place.resolve()
    return None


class Result:
    """What a run gave: rc, stdout, stderr."""

    def __init__(self, rc, stdout, stderr):
        self.rc, self.stdout, self.stderr = rc, stdout, stderr

    def json(self):
        return json.loads(self.stdout)

    def __repr__(self):
        return f"rc {self.rc}\n--- stdout\n{self.stdout}--- stderr\n{self.stderr}"


class Varve:
    """The program with a store, a working directory and an account."""

    def __init__(self, binary, account, env=None):
        self.binary, self.account = binary, account
        self.directory = account.directory()
        self.store = self.directory / "store"
        self.env = {"VARVE_STORE": self.store, "XDG_CONFIG_HOME": self.directory / "config", **(env or {})}

    def options(self, env, cwd):
        return {"env": {**self.env, **(env or {})}, "cwd": cwd or self.directory}

    def __call__(self, *arguments, rc=0, env=None, cwd=None, **options):
        """Runs it; rc: the exit status that must come (None: any)."""
        done = self.account.run([self.binary, *arguments], **self.options(env, cwd), **options)
        result = Result(done.returncode, done.stdout, done.stderr)
        assert rc is None or result.rc == rc, f"varve {' '.join(map(str, arguments))}: {result}"
        return result

    def start(self, *arguments, env=None, cwd=None, **options):
        """Starts it in a session of its own; the caller waits. See also stop()."""
        return self.account.start([self.binary, *arguments], **self.options(env, cwd), **options)

    @staticmethod
    def stop(child, number=signal.SIGKILL):
        """Sends a signal to the program itself (not to its children) and waits; returns the Result."""
        if child.poll() is None:
            os.kill(child.pid, number)
        stdout, stderr = child.communicate(timeout=60)
        return Result(child.returncode, stdout, stderr)

    def write(self, name, text, mode=0o644):
        """A file in the working directory, owned by the account."""
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        path.chmod(mode)
        self.account.own(self.directory / pathlib.PurePath(name).parts[0])
        if not self.account.ours:
            os.chown(path, self.account.uid, self.account.gid)
        return path

    def run(self, *argv, env=None, cwd=None, **options):
        """Another command as the same account, in the same place."""
        return self.account.run(argv, **self.options(env, cwd), **options)

    def path(self, *parts):
        return self.directory.joinpath(*parts)


@pytest.fixture(scope="session")
def binary():
    """A copy that every account can run, wherever the repository lies."""
    built = find_binary()
    if built is None:
        pytest.fail("no program: build it, or set VARVE_BIN", pytrace=False)
    directory = pathlib.Path(tempfile.mkdtemp(prefix="varve-bin-"))
    directory.chmod(0o755)
    shutil.copy(built, directory / "varve")
    (directory / "varve").chmod(0o755)
    yield directory / "varve"
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def account():
    """account(NAME): an accounts.Account whose directories go when the test ends."""
    made = []

    def make(name):
        try:
            made.append(accounts.find(name))
        except accounts.Unavailable as reason:
            pytest.skip(str(reason))
        return made[-1]
    yield make
    for one in made:
        one.close()


@pytest.fixture
def as_user(binary, account):
    """as_user(NAME): the program as that account, with a store and a directory of its own."""
    def make(name, env=None):
        return Varve(binary, account(name), env)
    return make


@pytest.fixture
def varve(as_user):
    """The program as whoever runs the tests."""
    return as_user(accounts.current())


@pytest.fixture
def store(varve):
    """The directory of varve's store; made by the program."""
    return varve.store


@pytest.fixture(scope="session")
def signing_key():
    try:
        key = debs.SigningKey()
    except debs.Missing as reason:
        pytest.skip(str(reason))
    yield key
    key.close()


@pytest.fixture
def make_repo(tmp_path, signing_key):
    """make_repo(packages, **options): a signed archive (debs.Repo) in a directory of its own."""
    count = 0

    def make(packages, directory=None, **options):
        nonlocal count
        count += 1
        where = directory or tmp_path / f"repo{count}"
        return debs.make_repo(where, packages, options.pop("key", signing_key), **options)
    return make


@pytest.fixture
def serve():
    """serve(directory): a FaultServer that ends with the test."""
    made = []

    def make(directory):
        made.append(FaultServer(directory))
        return made[-1]
    yield make
    for server in made:
        server.close()


def need(program):
    """Skips the test where a program of the host is missing."""
    if not shutil.which(program):
        pytest.skip(f"{program} is missing")
    return program


@pytest.fixture(name="need")
def need_fixture():
    return need


def pytest_collection_modifyitems(items):
    """Tests marked slow run with `tests/run --all` only."""
    if os.environ.get("VARVE_TEST_ALL"):
        return
    for item in items:
        if item.get_closest_marker("slow"):
            item.add_marker(pytest.mark.skip(reason="slow: run with tests/run --all"))


def pytest_configure(config):
    # Whoever started us in the background made us ignore it, and what we start would ignore it too.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    config.addinivalue_line("markers", "slow: takes long; run with tests/run --all")
