# SPDX-License-Identifier: Apache-2.0
"""Each situation of situations.py, made for real: what works there works with the same bytes as elsewhere,
what does not says why in its first line, with exit status 3, before it does anything."""
import pathlib
import re

import pytest
from situations import NO_ROOT, ROWS
from support import NAME, copy, run

TOP = pathlib.Path(__file__).resolve().parents[2]
APP = {"app": {"kind": "local", "path": "app"}}
FAR = {"far": {"kind": "url", "href": "http://127.0.0.1:1/x"}}
COPIES = [copy("app", "app", "/srv/app"), copy("again", "other:/etc", "/opt/"), copy("over", "app", "/bin/app")]
OTHER = {"other": {"steps": [copy("root2", "root", "/"), copy("app2", "app", "/etc/app")]}}
CHANGE = """
mkdir -p /d/sub; echo x >/d/x; ln /d/x /d/y; ln -s x /d/l; chown 12:34 /d/x; chmod 2750 /d/sub; mkfifo /d/p
rm /srv/app/a; rm -r /srv/app/b; mkdir /srv/app/b; touch /etc/passwd; echo t >/tmp/t; test -d /run; echo n >/dev/null
"""
NAMES = [row.name for row in ROWS]


@pytest.fixture(scope="module")
def seen():
    """What the first situation got; all others have to get the same."""
    return {}


def agree(seen, key, value):
    assert value == seen.setdefault(key, value)


def of(name):
    return next(row for row in ROWS if row.name == name)


def make(project, steps, **more):
    project.tree("app", {"a": "a", "b/c": ("c", 0o755), "link": ("link", "a")})
    project.recipe(steps, sources=APP, stages=OTHER, **more)


@pytest.mark.parametrize("name", NAMES)
def test_copies_work_everywhere(placed, seen, name):
    project = placed(name)
    if name == "no /proc":
        pytest.skip("only copies that need no tree below work without /proc; see the next test")
    make(project, COPIES)
    project.build("-o", "oci-archive:out.tar")
    agree(seen, "copies", project.diff_ids())
    assert project.build().ran == []
    assert project.varve("images", "--json").json()
    assert NAME in project.varve("images").stdout and project.varve("inspect", NAME).stdout
    project.varve("gc", "--trees")
    project.varve("plan", "r.yaml")
    project.varve("build", "r.yaml", "--expect-cached")


def test_plain_copies_work_without_proc(placed):
    project = placed("no /proc")
    project.tree("app", {"a": "a"})
    project.recipe([copy("app", "app", "/srv/app")], sources=APP)
    project.build()


@pytest.mark.parametrize("name", NAMES)
def test_commands(placed, seen, name):
    situation, project = of(name), placed(name)
    if situation.commands:
        make(project, [*COPIES, run("change", CHANGE)])
        project.build()
        flat = "listener" in name
        agree(seen, "flat commands" if flat else "commands", project.diff_ids())
        assert project.inside("cat /d/y; readlink /d/l").stdout == "x\nx\n"
        project.varve("gc")
        return
    # An image that somebody else fetches first must not be asked for.
    project.recipe([run("step", "true")], sources=FAR, stages={"other": {"steps": [copy("x", "far", "/x")]}},
                   images={"main": {"stage": "main", "name": NAME}, "other": {"stage": "other", "name": "t/o:1"}})
    for arguments in (["build", "r.yaml", "-i", "main"], ["run", NAME, "true"]):
        result = project.varve(*arguments, rc=3)
        lines = result.stderr.splitlines()
        assert re.match("varve: " + situation.message, lines[0]), result
        assert len(lines) <= 3 and any(line.startswith("try: ") for line in lines), result
        assert ("--isolation chroot" in result.stderr) == bool(situation.chroot), result
        assert result.stdout == "" and not list(project.varve.store.glob("steps/*"))


@pytest.mark.parametrize("name", [row.name for row in ROWS if row.chroot is not None])
def test_isolation_by_chroot(placed, seen, name):
    situation, project = of(name), placed(name)
    make(project, [*COPIES, run("change", CHANGE)])
    if not situation.chroot:
        result = project.varve("build", "r.yaml", "--isolation", "chroot", rc=3)
        assert result.stderr.startswith("varve: " + NO_ROOT) or situation.message in result.stderr
        return
    build = project.build("--isolation", "chroot")
    agree(seen, "commands", project.diff_ids())
    notices = [event["text"] for event in build.events if event["event"] == "notice"]
    assert [text for text in notices if text.startswith("--isolation chroot: commands have no")] == notices
    inside = project.inside("cat /d/y; ls /proc", options=["--isolation", "chroot"])
    assert inside.stdout == "x\n"
    # Nothing to run, nothing to say.
    again = project.build("--isolation", "chroot")
    assert [event for event in again.events if event["event"] == "notice"] == []


@pytest.mark.parametrize("name", ["docker unknown user", "no home"])
def test_no_place_for_the_store(placed, name):
    project = placed(name)
    project.recipe()
    del project.varve.env["VARVE_STORE"]
    result = project.varve("build", "r.yaml", rc=2)
    assert result.stderr == ("varve: no place for the store: none of VARVE_STORE, XDG_DATA_HOME and HOME is set; "
                             "name one with --store\n")


def test_a_read_only_home(placed):
    project = placed("read-only home")
    project.recipe()
    del project.varve.env["VARVE_STORE"]
    result = project.varve("build", "r.yaml", rc=3)
    assert result.stderr == ("varve: open the store /home/.local/share/varve: Read-only file system\n"
                             "name a directory that can be written with --store or VARVE_STORE\n")


@pytest.mark.parametrize("name", [row.name for row in ROWS if "listener" in row.name])
def test_lost_owners_are_loud(placed, name):
    project = placed(name)
    project.recipe([run("change", "echo x >/x; chown 12:34 /x")])
    build = project.build()
    assert [event["text"] for event in build.events if event["event"] == "notice" and "owner" in event["text"]]
    project.recipe([run("change", "echo x >/s; chmod 4755 /s")])
    assert "/s is setuid now, and its owner could not be recorded here" in project.build(rc=1).text
    project.recipe([run("change", "echo strict >/s", ownership="strict")])
    assert "strict" in project.build(rc=3).text


def test_the_readme_says_the_same():
    readme = (TOP / "README.md").read_text().splitlines()
    head = readme.index("| host situation | copies, images | commands | remark |")
    table = readme[head + 2:head + 2 + len(ROWS)]
    assert table == [row.row() for row in ROWS]
    assert not readme[head + 2 + len(ROWS)].startswith("|")
