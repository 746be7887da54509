# SPDX-License-Identifier: Apache-2.0
"""Accounts that the program is tried as. tests/run, run as root, makes two and names them in
VARVE_TEST_USER_SUBUID (has a range of subordinate ids) and VARVE_TEST_USER_ONE (has none). Run by an
ordinary account, the tests use that one for what it can do, and skip the rest with the reason."""
import os
import pathlib
import pwd
import shutil
import subprocess
import tempfile

# glibc's malloc gives memory full of rubbish: what is read before it is written shows at once.
RUBBISH = {"GLIBC_TUNABLES": "glibc.malloc.perturb=165:glibc.malloc.tcache_count=0"}
KEPT = ("PATH", "TERM", "ASAN_OPTIONS", "UBSAN_OPTIONS")


class Unavailable(Exception):
    """Why there is no such account here; fixtures make a skip of it."""


def has_range(name):
    """True when the account has a range of subordinate uids and of gids."""
    def listed(file):
        try:
            lines = pathlib.Path(file).read_text().splitlines()
        except OSError:
            return False
        wanted = {name, str(pwd.getpwnam(name).pw_uid)}
        return any(line.split(":")[0] in wanted for line in lines if line.count(":") == 2)
    return listed("/etc/subuid") and listed("/etc/subgid")


class Account:
    """Runs commands as an account, with a clean environment and a directory of its own."""

    def __init__(self, name):
        entry = pwd.getpwnam(name)
        self.name, self.uid, self.gid, self.home = name, entry.pw_uid, entry.pw_gid, entry.pw_dir
        self.ours = entry.pw_uid == os.getuid()
        self.directories = []

    def __repr__(self):
        return f"account {self.name}"

    def directory(self):
        """A fresh directory that the account owns; removed by close()."""
        path = pathlib.Path(tempfile.mkdtemp(prefix="varve-e2e-"))
        path.chmod(0o755)
        if not self.ours:
            os.chown(path, self.uid, self.gid)
        self.directories.append(path)
        return path

    def own(self, path):
        """Gives a tree that the test wrote to the account."""
        if not self.ours:
            for root, directories, files in os.walk(path):
                for name in [".", *directories, *files]:
                    os.chown(os.path.join(root, name), self.uid, self.gid, follow_symlinks=False)
        return path

    def environment(self, extra=None):
        kept = {name: os.environ[name] for name in KEPT if name in os.environ}
        own = {"HOME": self.home, "USER": self.name, "LOGNAME": self.name, "LANG": "C.UTF-8", **RUBBISH}
        return {**kept, **own, **{name: str(value) for name, value in (extra or {}).items()}}

    def command(self, argv):
        argv = [str(word) for word in argv]
        if self.ours:
            return argv
        if os.getuid() != 0:
            raise Unavailable(f"only root can run commands as {self.name}")
        return ["setpriv", f"--reuid={self.uid}", f"--regid={self.gid}", "--init-groups", "--", *argv]

    def run(self, argv, env=None, **options):
        """subprocess.run with captured text."""
        options = {"stdin": subprocess.DEVNULL, "capture_output": True, "text": True,
                   "errors": "surrogateescape", "timeout": 600, **options}
        if "input" in options:
            del options["stdin"]
        return subprocess.run(self.command(argv), env=self.environment(env), check=False, **options)

    def start(self, argv, env=None, **options):
        """subprocess.Popen in a session of its own, for tests that send signals."""
        options = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE,
                   "text": True, "start_new_session": True, **options}
        return subprocess.Popen(self.command(argv), env=self.environment(env), **options)

    def close(self):
        """Removes the directories, also what subordinate ids own in them."""
        for path in self.directories:
            shutil.rmtree(path, ignore_errors=True)
            if path.exists() and not self.ours:
                continue
            if path.exists():
                inside = ["unshare", "--map-auto", "--map-root-user", "rm", "-rf", "--", str(path)]
                subprocess.run(inside, check=False, capture_output=True)
                shutil.rmtree(path, ignore_errors=True)
        self.directories.clear()


def current():
    return pwd.getpwuid(os.getuid()).pw_name


def find(name):
    """The account of this name; "root", "subuid" and "one" stand for those that the tests need."""
    if name == "root":
        if os.getuid() != 0:
            raise Unavailable("needs root")
        return Account("root")
    if name in ("subuid", "one"):
        name = account_for(name)
    try:
        return Account(name)
    except KeyError:
        raise Unavailable(f"there is no account {name}") from None


def account_for(kind):
    variable = {"subuid": "VARVE_TEST_USER_SUBUID", "one": "VARVE_TEST_USER_ONE"}[kind]
    if os.environ.get(variable):
        return os.environ[variable]
    if os.getuid() == 0:
        raise Unavailable(f"{variable} is not set (tests/run makes the account)")
    if has_range(current()) != (kind == "subuid"):
        raise Unavailable(f"{current()} has {'no' if kind == 'subuid' else 'a'} range of subordinate ids")
    return current()
