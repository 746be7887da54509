# SPDX-License-Identifier: Apache-2.0
"""Wrong recipes, wrong usage, hosts that cannot: the place, the reason, what to do, the exit status."""
import json
import os
import re
import subprocess

import pytest
from processes import assert_nothing_left
from support import NAME, Project, own_project, project, project_of, run  # noqa: F401  fixtures

RECIPE = """varve: 1
name: t
options:
  colour: {choices: [red, blue], default: red, help: a colour}
sources:
  root: {kind: local, path: root}
stages:
  main:
    steps:
      - {step: root, copy: root, to: /}
      - {step: paint, run: "echo ${colour}"}
images:
  main: {stage: main, name: "t/main:latest"}
checks:
  - {name: fine, run: "true"}
"""

# What is replaced by what; where the error is; words of it.
WRONG = {
    "key": ("stages:", "stagse:", "7:1", 'unknown key "stagse"', 'did you mean "stages"?'),
    "field of a step": ("to: /}", "too: /}", "10:34", 'unknown key "too"', 'did you mean "to"?'),
    "source": ("copy: root", "copy: roto", "10:28", 'no source "roto"', 'did you mean "root"?'),
    "stage": ("stage: main", "stage: mian", "13:17", 'no stage "mian"', 'did you mean "main"?'),
    "kind": ("kind: local", "kind: locl", "6:16", 'unknown kind "locl"', 'did you mean "local"?'),
    "option": ("${colour}", "${color}", "11:", '"${color}"', 'did you mean "colour"?'),
    "default": ("default: red", "default: rde", "4:", '"rde"', "red"),
    "version": ("varve: 1", "varve: 2", "1:8", '"2"', "reads 1"),
    "type": ("choices: [red, blue]", "choices: red", "4:", '"choices"', "list"),
    "no action": (', run: "echo ${colour}"', "", "11:", "has no action", "install, copy, run"),
    "two actions": ("to: /}", 'to: /, run: "true"}', "10:", "two actions", "make two steps"),
    "same name": ("step: paint", "step: root", "11:", '"root"', ""),
    "twice": ("name: t\n", "name: t\nname: u\n", "3:1", '"name" is given twice', "2:1"),
    "unused": ("name: t\n", "name: t\nvariables: {spare: x}\n", "3:", '"spare"', "nothing uses"),
    "image name": ('"t/main:latest"', '"T/Main"', "13:", '"T/Main"', "lower-case"),
    "hidden option": ("  colour: {", "  output: {", "4:", '"output"', ""),
    "yaml": ("options:", "options: [", "", "r.yaml:", ""),
    "tab": ("name: t", "\tname: t", "", "r.yaml:", ""),
    "local path": ("path: root", "path: nowhere", "6:", "nowhere", "No such file"),
    "field of a check": ('run: "true"}', 'rnu: "true"}', "15:", 'unknown key "rnu"', 'did you mean "run"?'),
    "relative target": ("to: /}", "to: srv}", "10:", '"srv"', 'starts with "/"'),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_recipe(own_project, name):
    old, new, place, *words = WRONG[name]
    own_project.busybox()
    assert old in RECIPE
    own_project.write_recipe(RECIPE.replace(old, new, 1))
    for command in ("plan", "build"):
        result = own_project.varve(command, "r.yaml", rc=2)
        assert result.stdout == ""
        first = result.stderr.splitlines()[0]
        assert first.startswith(f"varve: r.yaml:{place}"), result.stderr
        assert [word for word in words if word not in result.stderr] == [], result.stderr
        assert len(result.stderr.splitlines()) <= 3


def test_the_recipe_itself_is_right(own_project):
    own_project.busybox()
    own_project.write_recipe(RECIPE)
    own_project.build()


@pytest.mark.parametrize("text", ["", "\n", "- a list\n", "a word", "{", "\0\1\2", "varve: 1\n" + "x: [" * 2000, "a: &a [*a]", "é: \xff"])
def test_no_recipe_at_all(own_project, text):
    own_project.varve.write("r.yaml", text.encode("latin-1"))
    result = own_project.varve("build", "r.yaml", rc=2)
    assert result.stderr.startswith("varve: r.yaml")


USAGE = [
    ([], 2, "Usage: varve COMMAND"),
    (["biuld"], 2, 'did you mean "build"?'),
    (["help", "biuld"], 2, 'did you mean "build"?'),
    (["build"], 2, "varve build needs a recipe"),
    (["build", "no.yaml"], 2, "no.yaml"),
    (["build", "."], 2, "directory"),
    (["build", "r.yaml", "more"], 2, 'unexpected argument "more"'),
    (["build", "--stroe", "x", "r.yaml"], 2, "did you mean --store?"),
    (["build", "r.yaml", "--colour"], 2, "--colour"),
    (["build", "r.yaml", "--colour", "rde"], 2, 'did you mean "red"?'),
    (["build", "r.yaml", "--set", "colur=red"], 2, 'did you mean "colour"?'),
    (["build", "r.yaml", "--set", "colour"], 2, "NAME=VALUE"),
    (["build", "r.yaml", "-i", "mian"], 2, 'did you mean "main"?'),
    (["build", "r.yaml", "--jobs", "0"], 2, "--jobs 0"),
    (["build", "r.yaml", "-j", "many"], 2, "--jobs many"),
    (["build", "r.yaml", "--secret", "x"], 2, "NAME=FILE"),
    (["build", "r.yaml", "--secret", "x=nowhere"], None, "nowhere"),
    (["build", "r.yaml", "--progress", "loud"], 2, "plain"),
    (["build", "r.yaml", "--mirror", "x"], 2, "NAME=URL"),
    (["build", "r.yaml", "--platform", "x"], 2, "OS/ARCH"),
    (["build", "r.yaml", "--registry", "a b"], 2, "a b"),
    (["build", "r.yaml", "-Z"], 2, "-Z"),
    (["build", "r.yaml", "--json=yes"], 2, "--json"),
    (["build", "r.yaml", "--store"], 2, "--store needs a value"),
    (["build", "r.yaml", "--store="], 2, "store"),
    (["plan", "r.yaml", "--json", "--dot"], None, ""),
    (["explain", "r.yaml"], 2, "an argument is missing"),
    (["explain", "r.yaml", "panit"], 2, 'did you mean "paint"?'),
    (["shell", "r.yaml", "panit"], 2, 'did you mean "paint"?'),
    (["run"], 2, "an argument is missing"),
    (["inspect"], 2, "an argument is missing"),
    (["inspect", "t/none:1"], 1, "no image"),
    (["inspect", "sha256:" + "0" * 64], 1, "0000"),
    (["validate", "t/none:1"], 1, "no image"),
    (["gc", "--keep", "x"], 2, "--keep x"),
    (["images", "more"], 2, 'unexpected argument "more"'),
]


@pytest.mark.parametrize("arguments, status, words", USAGE, ids=lambda value: " ".join(value) if isinstance(value, list) else None)
def test_wrong_usage(own_project, arguments, status, words):
    own_project.busybox()
    own_project.write_recipe(RECIPE)
    result = own_project.varve(*arguments, rc=status)
    assert words in result.stderr and "s] main/root" not in result.stderr  # nothing was started
    assert status is None or result.stdout == ""


@pytest.mark.parametrize("settings, words", [("{", "config.json"), ("[]", "not a JSON object"), ('{"stroe": "x"}', 'did you mean "store"?'),
                                             ('{"store": 3}', "wrong type"), ('{"mirrors": {"debian": 1}}', "mirrors")])
def test_wrong_settings_of_the_machine(own_project, settings, words):
    own_project.varve.write("config/varve/config.json", settings)
    result = own_project.varve("images", rc=None)
    assert result.rc in (1, 2) and words in result.stderr and "config.json" in result.stderr


def test_settings_of_the_machine_count(own_project):
    own_project.busybox()
    own_project.write_recipe(RECIPE)
    own_project.varve.write("config/varve/config.json", json.dumps({"options": {"colour": "blue", "unknown": "x"}}))
    assert own_project.build().output == ["blue"]
    assert own_project.build("--colour", "red").output == ["red"]


def test_a_wrong_lock(own_project):
    own_project.busybox()
    own_project.write_recipe(RECIPE)
    own_project.varve.write("r.lock.json", '{"varve-lock": 1,')
    result = own_project.varve("build", "r.yaml", rc=None)
    assert result.rc == 2 and "r.lock.json" in result.stderr


def test_a_wrong_date_in_the_environment(own_project):
    own_project.recipe()
    result = own_project.varve("plan", "r.yaml", env={"SOURCE_DATE_EPOCH": "yesterday"}, rc=2)
    assert "SOURCE_DATE_EPOCH=yesterday" in result.stderr


# --- hosts that cannot ---------------------------------------------------------------------------

def test_an_account_with_one_id_may_plan_and_look(project_of):
    project = project_of("one")
    project.recipe([run("step", "true")])
    assert "miss" in project.varve("plan", "r.yaml").stdout
    assert project.varve("images", "--json").json() == []
    project.varve("du")
    project.varve("gc")


def test_no_bubblewrap(own_project, tmp_path):
    own_project.recipe([run("step", "true")])
    result = own_project.varve("build", "r.yaml", env={"PATH": str(tmp_path)}, rc=3)
    assert "bwrap" in result.stderr and "bubblewrap" in result.stderr


# --- places --------------------------------------------------------------------------------------

def test_a_store_that_cannot_be_written(project_of):
    project = project_of("subuid")
    project.recipe()
    project_of("root")  # who may make a directory that the account cannot write
    where = project.varve.path("theirs")
    where.mkdir(mode=0o755)
    os.chown(where, 0, 0)
    for store in (where, where / "store"):
        result = project.varve("build", "r.yaml", "--store", store, rc=None)
        assert result.rc in (1, 3) and str(where) in result.stderr and "Permission denied" in result.stderr


def test_a_store_that_is_a_file(own_project):
    own_project.recipe()
    own_project.varve.write("file", "x")
    result = own_project.varve("build", "r.yaml", "--store", "file", rc=None)
    assert result.rc != 0 and "file" in result.stderr


def test_a_relative_store_and_recipe(own_project):
    own_project.recipe([run("step", "touch /x")])
    own_project.build("--store", "some/../where")
    assert (own_project.varve.path("where") / "oci-layout").exists()
    below = own_project.varve.path("below")
    below.mkdir()
    own_project.account.own(below)
    build = own_project.build("--store", "../where", file="../r.yaml", cwd=below)
    assert build.ran == []
    assert own_project.inside("ls /x", options=["--store", "where"]).stdout == "/x\n"


def test_a_store_of_a_link(own_project):
    own_project.recipe([run("step", "touch /x")])
    own_project.varve.path("real").mkdir()
    own_project.account.own(own_project.varve.path("real"))
    own_project.varve.path("link").symlink_to("real")
    own_project.build("--store", "link")
    assert own_project.build("--store", "real").ran == []


def test_a_name_of_a_place_with_blanks_and_letters(own_project):
    where = "ein \u00e4 'b' \"c\" $d %s\\"
    own_project.recipe([run("step", "cat /src/f", mounts={"/src": "app"})], sources={"app": {"kind": "local", "path": where}})
    own_project.tree(where, {"f": "x\n"})
    build = own_project.build("--store", f"{where}-store", "-o", f"oci:{where}-out")
    assert build.output == ["x"] and own_project.varve.path(f"{where}-out", "oci-layout").exists()


# --- descriptors ---------------------------------------------------------------------------------

CLOSED = ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"]


@pytest.mark.parametrize("closed", CLOSED)
def test_closed_descriptors(project, closed):
    project.recipe([run("step", "echo out; touch /x")])
    done = project.varve.run("sh", "-c", f'exec "$@" {closed}', "sh", project.varve.binary, "build", "r.yaml")
    assert done.returncode == (1 if ">&-" in closed.replace("2>&-", "") else 0)
    build = project.build()
    assert build.ran == [] and project.inside("ls /x").stdout == "/x\n"
    for path in project.varve.store.rglob("*"):
        if path.is_file() and "blobs" not in path.parts and "logs" not in path.parts and "trees" not in path.parts:
            data = path.read_bytes()
            # what the build prints: a digest and a name, and messages
            assert not re.match(rb"sha256:[0-9a-f]{64} t/main|varve:", data), path


def test_full_output(own_project):
    own_project.recipe()
    for arguments in (["build", "r.yaml"], ["plan", "r.yaml"], ["--version"], ["build", "--help"]):
        with open("/dev/full", "w") as full:
            done = subprocess.run([own_project.varve.binary, *arguments], stdout=full, stderr=subprocess.PIPE, text=True,
                                  env=own_project.account.environment(own_project.varve.env), cwd=own_project.varve.directory,
                                  check=False, timeout=60)
        assert done.returncode == 1, arguments


def test_output_that_nobody_reads(own_project):
    own_project.recipe([run("loud", "yes | head -n 100000")])
    done = own_project.varve.run("sh", "-c", '"$@" 2>&1 | head -n 3', "sh", own_project.varve.binary, "build", "r.yaml",
                                 "--progress", "plain", timeout=60)
    assert len(done.stdout.splitlines()) == 3
    assert_nothing_left(own_project.varve.store)
    own_project.build()


def test_help_goes_to_standard_output(own_project):
    for arguments in (["--help"], ["-h"], ["help"], ["build", "--help"], ["run", "--help"], ["help", "gc"]):
        result = own_project.varve(*arguments)
        assert result.stdout.startswith("Usage: varve") and result.stderr == ""
        assert max(map(len, result.stdout.splitlines())) <= 80
