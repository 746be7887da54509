# SPDX-License-Identifier: Apache-2.0
"""A store where overlayfs takes no upper directory, since it lies on one itself: views are merged by copying and
linking, and nobody can tell from the image. The cases of test_layers run here again, and diff ids are compared with
those that the kernel's overlay gives."""
import os
import pathlib

import accounts
import pytest
import test_layers
from conftest import Varve
from support import ROOT, Project, copy, project_of, run  # noqa: F401  fixtures
from test_layers import (  # noqa: F401  they run with the fixtures of this file
    seen, test_a_big_file_with_holes, test_a_file_becomes_a_directory_and_back, test_a_link_that_leads_out_stays_in,
    test_a_name_that_layers_cannot_hold, test_an_image_shows_what_its_blobs_hold, test_copy_goes_through_links_of_the_image,
    test_each_account_makes_the_same_bytes, test_entries_of_a_layer_are_the_changes_and_no_more,
    test_extended_attributes_and_capabilities, test_hard_links_stay_links, test_many_steps, test_set_id_bits_and_owners,
    test_sockets_are_left_out_with_a_notice, test_what_is_the_same_as_before_is_no_change)

MOUNT = 'mount -t overlay overlay -o "lowerdir=$1,upperdir=$2,workdir=$3" "$4" && shift 4 && exec "$@"'


class Overlaid:
    """An account whose commands see an overlay mounted on a directory, each in a mount namespace of its own. What they
    write to it is seen from outside in .upper."""

    def __init__(self, account, target):
        self.account, self.target = account, target
        below, self.upper, work = (account.directory() for _ in range(3))
        self.mount = [below, self.upper, work, target]

    def __getattr__(self, name):
        return getattr(self.account, name)

    def command(self, argv):
        inside = self.account.command(argv)
        return ["unshare", "--mount", "sh", "-c", MOUNT, "sh", *map(str, self.mount), *inside]

    run, start = accounts.Account.run, accounts.Account.start


@pytest.fixture
def overlaid(binary, account):
    """overlaid(ACCOUNT): a project whose store lies on an overlay."""
    def make(name):
        if os.getuid() != 0:
            pytest.skip("needs root: mounts an overlay for the store")
        varve = Varve(binary, account(name), {"VARVE_SCRATCH": "none"})
        varve.store.mkdir()
        varve.account.own(varve.store)
        varve.account = Overlaid(varve.account, varve.store)
        varve.store = varve.account.upper  # for reading; VARVE_STORE stays
        return Project(varve)
    return make


@pytest.fixture(params=["root", "subuid", "one"])
def mode(request):
    return request.param


@pytest.fixture
def project(mode, overlaid):
    return overlaid(mode)


@pytest.fixture
def own_project(overlaid):
    return overlaid("subuid")


# What test_layers has no reason to look at: names that come, go and change in every way.
RECIPES = {
    "hello": [run("greet", "echo hello >/hello; chmod 600 /hello")],
    "layers": test_layers.STEPS[1:],
    "replaced directories": [
        run("make", "mkdir -p /d/sub/deep /e /f; touch /d/a /d/sub/b /d/sub/deep/c /e/x /f/y; chmod 700 /d/sub"),
        run("again", "rm -r /d; mkdir -p /d/sub; touch /d/sub/b /d/new; mv /e /e2; rm -r /f; touch /f"),
        run("swap", "mv /d /t; mv /e2 /d; mv /t /e2; rmdir /tmp/none 2>/dev/null || true")],
    "only attributes": [
        run("make", "mkdir -p /d/e; echo x >/d/e/f; echo y >/d/g; ln -s g /d/l; mkfifo /d/p"),
        run("owners", "chown 3:4 /d/e; chown -h 5:6 /d/l; chmod 711 /d; chmod 600 /d/p"),
        run("times", "touch /d/g /d /d/e/f; chmod 644 /d/g"),
        run("contents", "echo z >>/d/g; printf 'X\\n' >/d/e/f")],
    "hard links of below": [
        run("make", "echo x >/a; ln /a /b; mkdir /d; ln /a /d/c; seq 1000 >/n; ln /n /m"),
        run("write", "echo y >>/a"), run("owner", "chown 7:7 /b /d/c"), run("mode", "chmod 600 /n /m"),
        run("more", "ln /n /o; rm /m")],
    "nothing left": [run("make", "mkdir -p /d/e; touch /d/e/f"), run("remove", "rm -r /d"), run("back", "mkdir -p /d/e; touch /d/e/f")],
    "odd names": [
        run("make", "touch -- '/-' '/ ' '/#a' '/.x' '/a\\b'; mkdir '/a b' '/a-'; touch '/a b/c' '/a-/c' /a.b"),
        run("change", "rm -- '/-' '/#a'; rm -r '/a b'; echo x >/a-/c; mv /a.b '/a b'")],
}


def built(project, steps):
    project.tree("app", {name: value for name, value in test_layers.FILES.items()})
    project.recipe([test_layers.STEPS[0], *steps], sources=test_layers.APP)
    project.build()
    return project.diff_ids()


@pytest.mark.parametrize("steps", RECIPES.values(), ids=RECIPES)
def test_the_diff_ids_are_those_of_root_and_overlayfs(project, project_of, mode, steps):
    mounted = project_of("root")
    assert built(project, steps) == built(mounted, steps)
    assert os.listdir(project.varve.store / "trees") == [f"{mode}-files"]
    assert os.listdir(mounted.varve.store / "trees") == ["root"]


def test_stages_are_seen_and_copied(project):
    make = run("make", "mkdir -p /d/sub; echo x >/d/sub/x; ln /d/sub/x /d/z; echo y >/d/y")
    then = run("then", "rm /d/y; echo z >/d/y; mkdir /d/no; rmdir /d/no; chown 9 /d/sub")
    use = run("use", "cat /in/sub/x /in/y >/out; ! touch /in/y 2>/dev/null", mounts={"/in": "other:/d"})
    project.recipe([use, copy("take", "other:/d", "/taken")], stages={"other": {"steps": [ROOT, make, then]}})
    project.build()
    files = project.image().files
    assert files["out"].data == b"x\nz\n" and files["taken/sub"].uid == 9
    assert {name: file.kind for name, file in project.image().layers[2].items()} == {
        "taken": "d", "taken/sub": "d", "taken/sub/x": "f", "taken/y": "f", "taken/z": "h"}


def test_what_is_seen_in_a_view_stays_apart(project):
    """Views are links into the store's trees: writing to an image, a mount or a shell must not reach them."""
    project.recipe([run("make", "echo x >/f; mkdir /d; echo y >/d/g"), run("write", "echo more >>/f; chmod 700 /d/g")])
    project.build()
    assert project.inside("echo changed >>/f; echo changed >>/d/g; cat /f").stdout == "x\nmore\nchanged\n"
    assert project.inside("cat /f /d/g").stdout == "x\nmore\ny\n"
    shell = project.varve("shell", "r.yaml", "main/write", "sh", "-c", "echo z >>/f; cat /f")
    assert shell.stdout == "x\nz\n"
    project.varve("gc", "--trees")
    assert project.inside("cat /f /d/g").stdout == "x\nmore\ny\n"


def test_a_failed_step_can_be_looked_at(project):
    project.recipe([run("make", "echo x >/f; mkdir /d; echo y >/d/g; echo z >/d/h"),
                    run("fail", "rm /d/g; echo new >/n; rm -r /f; mkdir /f; exit 3")])
    project.build(rc=1)
    shell = project.varve("shell", "--failed", "r.yaml", "main/fail", "sh", "-c", "cat /n /d/h; ls /d /f")
    assert shell.stdout == "new\nz\n/d:\nh\n\n/f:\n"


def test_nothing_is_left_in_the_store(project):
    project.recipe([run("make", "echo x >/f"), run("fail", "rm /f; exit 1")])
    project.build(rc=1)
    project.varve("run", "none", "true", rc=None)
    assert os.listdir(pathlib.Path(project.varve.store) / "tmp") == []
