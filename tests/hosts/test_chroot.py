# SPDX-License-Identifier: Apache-2.0
"""--isolation chroot, in a container's situation: layers and packages are those of bubblewrap."""
import os
import subprocess
import time

import pytest
from processes import assert_nothing_left
from support import NAME, run
from test_debian import SYSTEM, base_repo  # noqa: F401  fixture
import test_layers

CASES = [name for name in dir(test_layers) if name.startswith("test_") and "project" in
         getattr(test_layers, name).__code__.co_varnames[:getattr(test_layers, name).__code__.co_argcount]]
SURROUNDED = ("build", "run", "shell", "validate")


class Chroot:
    """A program that is told --isolation chroot where that is an option."""

    def __init__(self, varve):
        self.varve = varve

    def __getattr__(self, name):
        return getattr(self.varve, name)

    @staticmethod
    def told(arguments):
        command, *rest = arguments
        return (command, "--isolation", "chroot", *rest) if command in SURROUNDED else arguments

    def __call__(self, *arguments, **options):
        return self.varve(*self.told(arguments), **options)

    def start(self, *arguments, **options):
        return self.varve.start(*self.told(arguments), **options)


@pytest.fixture
def in_chroot(placed):
    project = placed("docker root")
    project.varve = Chroot(project.varve)
    return project


def test_layers_are_those_of_bubblewrap(in_chroot, placed):
    diff_ids = []
    for project in (placed("root"), in_chroot):
        test_layers.layered(project).build()
        diff_ids.append(project.diff_ids())
    assert len(diff_ids[0]) == 4 and diff_ids[0] == diff_ids[1]


@pytest.mark.parametrize("case", [name for name in CASES if "seen" not in getattr(test_layers, name).__code__.co_varnames])
def test_cases_of_layers(case, in_chroot):
    function = getattr(test_layers, case)
    if function.__code__.co_argcount != 1:
        pytest.skip("needs other fixtures")
    function(in_chroot)


# Without the package whose script makes a fifo: mkfifo(1) of coreutils goes by /proc for its mode.
PACKAGES = {**SYSTEM, "packages": ["passwd", "adduser", "libcap2-bin", "debconf"]}


def test_packages_are_installed(in_chroot, placed, base_repo):  # noqa: F811
    diff_ids = []
    for project in (placed("root"), in_chroot):
        project.varve.write("base.gpg", base_repo.keyring.read_bytes())
        project.write_recipe({"varve": 1, "name": "base", "sources": {"system": PACKAGES},
                              "stages": {"base": {"steps": [{"step": "system", "install": "system"}]}},
                              "images": {"base": {"stage": "base", "name": NAME}}})
        project.build("--mirror", f"debian=file://{base_repo.path}")
        diff_ids.append(project.diff_ids())
    assert diff_ids[0] == diff_ids[1]


def test_caches_and_secrets(in_chroot):
    in_chroot.recipe([run("one", "echo $(cat /run/secrets/s) >/cache/f; echo 1 >/one; cat /run/secrets/s >/dev/null",
                          caches={"/cache": "c"}, secrets=["s"]),
                      run("two", "cat /cache/f; echo 2 >/two", caches={"/cache": "c"})])
    in_chroot.varve.write("secret", "hidden-word")
    build = in_chroot.build("--secret", "s=secret")
    assert "hidden-word" in build.output
    assert sorted(in_chroot.layer(1)) == ["one"] and sorted(in_chroot.layer(2)) == ["two"]
    assert (in_chroot.varve.store / "caches/c/f").read_text() == "hidden-word\n"
    done = subprocess.run(["grep", "-rl", "hidden-word", in_chroot.varve.store / "trees", in_chroot.varve.store / "tmp"],
                          capture_output=True, text=True, check=False)
    assert done.stdout == ""


def test_no_network(in_chroot):
    in_chroot.recipe([run("step", "nc -w 1 127.0.0.1 1 2>/x || grep -c 'not supported' /x; rm /x")])
    assert in_chroot.build().output == ["1"]


def test_a_writable_volume_is_refused(in_chroot):
    in_chroot.recipe()
    in_chroot.build()
    where = in_chroot.varve.path("v")
    where.mkdir()
    (where / "f").write_text("x")
    result = in_chroot.varve("run", "-v", f"{where}:/v", NAME, "true", rc=2)
    assert "can only give a copy" in result.stderr and f"{where}:/v:ro" in result.stderr
    assert in_chroot.varve("run", "-v", f"{where}:/v:ro", NAME, "cat", "/v/f").stdout == "x"


def test_a_missing_command(in_chroot):
    in_chroot.recipe([run("step", ["nowhere"])])
    assert "command not found: nowhere" in in_chroot.build(rc=1).text
    assert in_chroot.varve("shell", "--failed", "r.yaml", "step", "sh", "-c", "exit 3", rc=3)


def test_an_unknown_isolation(in_chroot):
    in_chroot.recipe()
    result = in_chroot.varve.varve("build", "r.yaml", "--isolation", "jail", rc=2)
    assert "--isolation jail: bwrap or chroot is needed" in result.stderr


@pytest.mark.parametrize("number", [2, 9, 15])
def test_a_killed_build_leaves_nothing(in_chroot, number):
    mark = f"varve-mark-{os.getpid()}-{number}"
    in_chroot.recipe([run("step", f": {mark}; echo here; (setsid sleep 3000 &) ; sleep 3000", caches={"/c": "kept"})])
    cache = in_chroot.varve.store / "caches/kept"
    child = in_chroot.start()
    end = time.monotonic() + 30
    while not list(in_chroot.varve.store.glob("tmp/*/root.aside")) and time.monotonic() < end:
        time.sleep(0.02)
    time.sleep(0.2)
    in_chroot.varve.stop(child, number)
    assert_nothing_left(mark, "sleep\0" + "3000")
    end = time.monotonic() + 5
    while not cache.is_dir() and time.monotonic() < end:
        time.sleep(0.02)
    assert cache.is_dir()
