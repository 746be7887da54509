# SPDX-License-Identifier: Apache-2.0
"""python sources: from requirements and an index to a lock, from a lock to layers; what goes wrong on the way."""
import hashlib
import json
import re
import shutil

import pytest
import wheels
from support import Project, copy, run  # noqa: F401

PYTHON = wheels.host_python()
pytestmark = pytest.mark.skipif(PYTHON is None, reason="no /usr/bin/python3 with its library")


class Python:
    """A project whose root has a Python, an index, and a recipe that installs from it."""

    def __init__(self, project, index):
        self.project, self.index, self.varve = project, index, project.varve
        self.main = list(index.mirror)
        wheels.add_python(project.busybox())
        project.account.own(project.varve.path("root"))

    def recipe(self, requirements=("app",), steps=None, install=None, sources=None, **source):
        """steps: in place of the one that installs; install: further fields of that."""
        source = {"kind": "python", "python": PYTHON[1], **source}
        if requirements:
            source["requirements"] = list(requirements)
        step = {"step": "py", "install": "py", "into": "/opt/venv", **(install or {})}
        self.project.recipe(steps or [step], sources={"py": source, **(sources or {})})

    def __call__(self, command, *arguments, rc=0, mirror=True, **options):
        return self.varve(command, "r.yaml", *(self.main if mirror else []), *arguments, rc=rc, timeout=120, **options)

    def build(self, *arguments, rc=0, **options):
        return self.project.build(*self.main, *arguments, rc=rc, **options)

    @property
    def lock_path(self):
        return self.varve.path("r.lock.json")

    def lock(self):
        return json.loads(self.lock_path.read_text())["sources"]

    def locked(self):
        """name -> artifact, without the tool."""
        return {one["name"]: one for one in self.lock()[0]["artifacts"] if one.get("tool") != "only"}

    def files(self, layer=1):
        return {name: file for name, file in self.project.layer(layer).items()}


@pytest.fixture
def index(tmp_path):
    uv = wheels.uv_wheel()
    if uv is None:
        pytest.skip("pip cannot download uv here")
    (tmp_path / "index").mkdir()
    made = wheels.Index(tmp_path / "index", uv)
    made.add("app", "1.0", requires=["dep>=1"], scripts={"app": "app:main"},
             files={"app.py": "import dep\ndef main():\n    print('app with dep', dep.version)\n"})
    made.add("dep", "1.0")
    made.add("dep", "1.5")
    yield made
    made.close()


@pytest.fixture
def extra_index(tmp_path):
    (tmp_path / "extra").mkdir()
    made = wheels.Index(tmp_path / "extra", name="extra")
    yield made
    made.close()


@pytest.fixture
def python(varve, index):
    return Python(Project(varve), index)


@pytest.fixture(params=["root", "subuid", "one"])
def each_python(request, as_user, index):
    return Python(Project(as_user(request.param)), index)


# --- resolving -----------------------------------------------------------------------------------

def test_the_lock_fixes_each_wheel(python):
    python.recipe()
    python("lock")
    entry = python.index.file("dep-1.5-py3-none-any.whl")
    assert python.locked()["dep"] == {
        "name": "dep", "version": "1.5", "architecture": "any", "size": entry["size"], "sha256": entry["hashes"]["sha256"],
        "from": "pypi:" + entry["url"].replace("../../", ""), "date": 1709294400}
    assert set(python.locked()) == {"app", "dep"}
    tool, = [one for one in python.lock()[0]["artifacts"] if "tool" in one]
    assert tool["name"] == "uv" and tool["tool"] == "only"
    assert python.lock()[0]["facts"] == {"date": 1709294400}


def test_no_host_is_written_anywhere(python):
    python.recipe()
    python.build()
    image = python.project.image()
    written = [python.lock_path, *python.varve.store.glob("steps/*"), python.varve.store / "index.json",
               image.blob(image.descriptor["digest"]), image.blob(image.manifest["config"]["digest"])]
    for path in written:
        assert b"127.0.0.1" not in path.read_bytes(), path
    assert not any(b"127.0.0.1" in (file.data or b"") for file in python.files().values())


def test_resolving_again_gives_the_same_bytes(python):
    python.recipe()
    python("lock")
    before = python.lock_path.read_bytes()
    assert "unchanged" in python("lock", "--upgrade", "py").stdout
    assert python.lock_path.read_bytes() == before


def test_a_new_version_comes_by_upgrade_only_and_is_told(python):
    python.recipe()
    python("lock")
    python.index.add("dep", "1.6")
    python.index.add("more", "2")
    python("lock")
    assert python.locked()["dep"]["version"] == "1.5"
    result = python("lock", "--upgrade", "py")
    assert python.locked()["dep"]["version"] == "1.6"
    assert "py: dep 1.5 -> 1.6" in result.stderr


@pytest.mark.parametrize("fields, versions", [
    ({"constraints": ["dep<1.2"]}, {"app": "1.0", "dep": "1.0"}),
    ({"before": "2024-04-01"}, {"app": "1.0", "dep": "1.5"}),
    ({"before": "2024-05-02"}, {"app": "1.0", "dep": "1.7"}),
    ({"before": "2024-05-01"}, {"app": "1.0", "dep": "1.5"}),
    ({"prereleases": True}, {"app": "1.0", "dep": "2.0rc1"}),
    ({}, {"app": "1.0", "dep": "1.8"}),
])
def test_what_a_source_says_of_versions(python, fields, versions):
    python.index.add("dep", "1.7", date="2024-05-01T00:00:00Z")
    python.index.add("dep", "1.8", date="2024-06-01T00:00:00Z")
    python.index.add("dep", "2.0rc1", date="2024-07-01T00:00:00Z")
    python.recipe(**fields)
    python("lock")
    assert {name: one["version"] for name, one in python.locked().items()} == versions


def test_an_extra_index_comes_first(python, extra_index):
    extra_index.add("dep", "1.2")
    python.recipe(index=["extra"])
    python("lock", *extra_index.mirror)
    assert python.locked()["dep"]["version"] == "1.2" and python.locked()["dep"]["from"].startswith("extra:packages/")
    assert python.locked()["app"]["from"].startswith("pypi:")
    python.main += extra_index.mirror
    python.build()
    assert "app with dep 1.2" in python.project.inside("/opt/venv/bin/app").stdout


def test_an_index_that_this_machine_does_not_know(python):
    python.recipe(index=["extra"])
    result = python("lock", rc=3)
    assert 'does not say where the package index "extra" lies' in result.stderr and "--mirror extra=URL" in result.stderr


def test_the_index_may_come_from_pips_setting(python):
    python.recipe()
    python("lock", mirror=False, env={"PIP_INDEX_URL": f"{python.index.url}/simple", "UV_DEFAULT_INDEX": ""})
    assert set(python.locked()) == {"app", "dep"}


def test_uv_can_be_a_package_too(python):
    musl, = python.index.projects.pop("uv").values()
    name = re.sub(r"musllinux_\d+_\d+_", "manylinux_2_17_", musl["filename"])
    python.index.add_file("uv", name, (python.index.directory / musl["url"][6:]).read_bytes())
    python.recipe(["uv"])
    python("lock")
    assert [one["tool"] for one in python.lock()[0]["artifacts"]] == ["also"]
    python.build()
    assert python.project.inside("/opt/venv/bin/uv --version").stdout.startswith("uv ")


def test_a_requirement_that_nothing_meets(python):
    python.recipe(["app>9"])
    result = python("lock", rc=2)
    assert "app>9" in result.stderr and not python.lock_path.exists()


def test_a_package_without_a_wheel_for_the_platform(python):
    python.index.add("alien", "1", tag="cp39-cp39-win_amd64")
    python.recipe(["alien"])
    assert "alien" in python("lock", rc=2).stderr
    python.index.add("alien", "1", tag=f"cp{PYTHON[1].replace('.', '')}-cp{PYTHON[1].replace('.', '')}-manylinux_2_39_x86_64")
    python.recipe(["alien"])
    assert "alien" in python("lock", rc=2).stderr


def test_the_best_wheel_is_taken(python):
    digits = PYTHON[1].replace(".", "")
    for tag in ("py3-none-any", f"cp{digits}-cp{digits}-manylinux_2_17_x86_64", "cp32-abi3-manylinux_2_17_x86_64"):
        python.index.add("fast", "1", tag=tag)
    python.recipe(["fast"])
    python("lock", "--platform", "linux/amd64")
    assert f"cp{digits}-cp{digits}" in python.locked()["fast"]["from"]


def test_a_yanked_version_is_taken_when_pinned_and_told(python):
    python.index.file("dep-1.5-py3-none-any.whl")["yanked"] = "eats data"
    python.recipe()
    python("lock")
    assert python.locked()["dep"]["version"] == "1.0" and "yanked" not in python.lock()[0]["facts"]
    python.recipe(["app", "dep==1.5"])
    python("lock")
    assert python.locked()["dep"]["version"] == "1.5"
    assert python.lock()[0]["facts"]["yanked"] == ["dep-1.5-py3-none-any.whl"]


def test_an_index_that_does_not_tell_sizes(python):
    for name in ("app-1.0-py3-none-any.whl", "dep-1.5-py3-none-any.whl"):
        del python.index.file(name)["size"]
        del python.index.file(name)["upload-time"]
    python.recipe()
    python("lock")
    place = python.index.file("dep-1.5-py3-none-any.whl")["url"].replace("../../", "")
    assert python.locked()["dep"]["size"] == (python.index.directory / place).stat().st_size


@pytest.mark.parametrize("form", [True, "bare"], ids=["digests", "bare"])
def test_an_index_that_has_only_html(python, form):
    """PEP 503: what it does not tell is measured."""
    python.recipe()
    python("lock")
    told, lock = python.locked(), python.lock()
    python.index.file("dep-1.0-py3-none-any.whl")["yanked"] = "old & \"broken\""
    python.index.html = form
    shutil.rmtree(python.varve.store)
    python.lock_path.unlink()
    python("lock")
    for name, one in python.locked().items():
        assert {**told[name], "date": None} == {**one, "date": None}
    assert [one["sha256"] for one in lock[0]["artifacts"]] == [one["sha256"] for one in python.lock()[0]["artifacts"]]
    shutil.rmtree(python.varve.store)
    python.build("--locked")
    assert "opt/venv/bin/app" in python.files()
    python.recipe(["dep==1.0"])
    python("lock")
    assert python.lock()[0]["facts"]["yanked"] == ["dep-1.0-py3-none-any.whl"]


def test_all_locks_every_combination_of_options(python):
    choice = {"dep": {"choices": ["1.0", "1.5"], "default": "1.5", "help": "h"}, "app": {"type": "boolean", "default": "true"},
              "threads": {"type": "integer", "default": "1", "keyed": False}, "note": {"default": "", "help": "h"}}
    source = {"kind": "python", "python": PYTHON[1], "requirements": ["dep==${dep}", "${extra}"]}
    document = {"options": choice, "variables": {"app": {"true": {"extra": "app"}, "false": {"extra": ""}}},
                "sources": {"py": source}}
    steps = [{"step": "py", "install": "py", "into": "/opt/venv"},
             run("see", "echo ${note}", jobs="${threads}")]
    python.project.recipe(steps, **document)
    python("lock")
    assert [sorted(one["spec"]["requirements"]) for one in python.lock()] == [["app", "dep==1.5"]]
    python("lock", "--all", "--dep", "1.0")
    wanted = sorted(tuple(sorted(one["spec"]["requirements"])) for one in python.lock())
    assert wanted == [("app", "dep==1.0"), ("app", "dep==1.5"), ("dep==1.0",)]
    python("lock", "--all")
    assert len(python.lock()) == 4
    python("build", "--locked", "--dep=1.0", "--app=false")
    # What no combination needs any more goes, where none is left that could need it.
    del choice["note"]
    choice["dep"]["choices"] = ["1.5"]
    python.project.recipe([steps[0], run("see", "true", jobs="${threads}")], **document)
    result = python("lock", "--all")
    assert len(python.lock()) == 2 and "py: gone" in result.stderr


# --- lock files of others ------------------------------------------------------------------------

def hashes(index, *names):
    return {name: index.file(name)["hashes"]["sha256"] for name in names}


def test_a_requirements_file_with_hashes(python):
    app, dep = hashes(python.index, "app-1.0-py3-none-any.whl", "dep-1.0-py3-none-any.whl").values()
    text = f"# made by somebody\napp==1.0 \\\n    --hash=sha256:{app}\ndep==1.0 \\\n    --hash=sha256:{dep}\n"
    python.varve.write("requirements.txt", text)
    python.recipe(None, lock="requirements.txt")
    python("lock")
    assert {name: one["version"] for name, one in python.locked().items()} == {"app": "1.0", "dep": "1.0"}
    # The file's content is part of the spec: editing it asks for another resolution.
    python.varve.write("requirements.txt", text.replace(dep, "0" * 64))
    result = python("lock", rc=2)
    assert "dep 1.0" in result.stderr and "requirements.txt" in result.stderr


def test_a_pylock_file(python):
    app, dep = hashes(python.index, "app-1.0-py3-none-any.whl", "dep-1.0-py3-none-any.whl").values()
    package = '[[packages]]\nname = "{0}"\nversion = "1.0"\nwheels = [{{ url = "{1}/{2}", hashes = {{ sha256 = "{3}" }} }}]\n'
    text = 'lock-version = "1.0"\ncreated-by = "test"\n'
    for name, digest in (("app", app), ("dep", dep)):
        text += package.format(name, python.index.url, python.index.file(f"{name}-1.0-py3-none-any.whl")["url"][6:], digest)
    python.varve.write("pylock.toml", text)
    python.recipe(None, lock="pylock.toml")
    python("lock")
    assert {name: one["version"] for name, one in python.locked().items()} == {"app": "1.0", "dep": "1.0"}
    python.varve.write("pylock.toml", text.replace(dep, "0" * 64))
    assert "dep 1.0" in python("lock", rc=2).stderr


@pytest.mark.parametrize("line", ["--index-url http://127.0.0.1:9/simple", "-r other.txt", "-e .",
                                  "app @ http://127.0.0.1:9/app-1.0-py3-none-any.whl", "./app.whl"])
def test_a_requirements_file_that_leads_elsewhere(python, line):
    python.varve.write("requirements.txt", f"dep\n{line}\n")
    python.recipe(None, lock="requirements.txt")
    assert "requirements.txt" in python("lock", rc=2).stderr
    assert not python.index.paths("/simple/app/")


def test_a_lock_file_that_is_missing(python):
    python.recipe(None, lock="pylock.toml")
    assert "pylock.toml" in python("lock", rc=2).stderr


# --- two sources in one place --------------------------------------------------------------------

def beside(python, requirements=("late",), **source):
    """A recipe whose second source is installed where the first one is."""
    steps = [{"step": name, "install": name, "into": "/opt/venv"} for name in ("py", "more")]
    python.recipe(["app", "dep<1.5"], steps=steps, sources={"more": {
        "kind": "python", "python": PYTHON[1], "requirements": list(requirements), "beside": ["py"], **source}})


def more(python):
    entry = next(one for one in python.lock() if one["name"] == "more")
    return {one["name"]: one["version"] for one in entry["artifacts"] if one.get("tool") != "only"}


def test_wheels_beside_others_keep_to_their_versions(python):
    """And leave them out, also those newer than the date that holds for the rest."""
    python.index.add("late", "2.0", requires=["dep"], date="2024-03-01T00:00:00Z")
    python.index.add("late", "3.0", requires=["dep"], date="2024-05-01T00:00:00Z")
    python.index.file("dep-1.0-py3-none-any.whl")["upload-time"] = "2024-06-01T00:00:00Z"
    beside(python, before="2024-04-01")
    python.build()
    assert more(python) == {"late": "2.0"}
    inside = "/opt/venv/bin/python -c 'import dep, late, app; print(dep.version, late.version)'; ls /opt/venv/bin/app"
    assert python.project.inside(inside).stdout == "1.0 2.0\n/opt/venv/bin/app\n"


def test_wheels_that_do_not_fit_beside_others(python):
    python.index.add("late", "2.0", requires=["dep>=1.5"])
    beside(python)
    result = python("lock", rc=2)
    assert "source \"more\"" in result.stderr and "dep" in result.stderr


# --- source distributions ------------------------------------------------------------------------

def test_a_source_distribution_is_locked_and_mounted(python):
    python.index.add_sdist("slow", "2.0")
    python.index.add("slow", "2.0", requires=["dep"])
    python.recipe(["slow"], sdist=True, steps=[run("see", "ls /src >/list", mounts={"/src": "py"})])
    python.build()
    assert {name: one["architecture"] for name, one in python.locked().items()} == {"slow": "source"}
    assert python.files()["list"].data == b"slow-2.0.tar.gz\n"


def test_a_source_distribution_is_not_installed(python):
    python.recipe(sdist=True)
    assert "holds source distributions" in python("plan", rc=2).stderr


# --- installing ----------------------------------------------------------------------------------

def test_a_virtual_environment(each_python):
    each_python.recipe()
    each_python.build()
    assert each_python.project.inside("/opt/venv/bin/app").stdout == "app with dep 1.5\n"
    names = set(each_python.files())
    site = f"opt/venv/lib/python{PYTHON[1]}/site-packages"
    assert {"opt/venv/pyvenv.cfg", "opt/venv/bin/app", f"{site}/app.py", f"{site}/dep-1.5.dist-info/RECORD"} <= names
    assert not [name for name in names if re.search(r"INSTALLER|direct_url|uv_cache|\.varve|CACHEDIR|\.lock$|\.pyc$", name)]
    assert all(name.startswith("opt/venv") for name in names), sorted(names)
    assert {(file.uid, file.gid) for file in each_python.files().values()} == {(0, 0)}
    assert max(file.mtime for file in each_python.files().values()) <= 1709294400


def test_the_same_bytes_on_every_run(each_python):
    each_python.recipe(install={"bytecode": True})
    first = each_python.build().digests
    shutil.rmtree(each_python.varve.store)
    assert each_python.build().digests == first


def test_compiled_modules_are_checked_by_hash(python):
    python.recipe(install={"bytecode": True})
    python.build()
    compiled = {name: file for name, file in python.files().items() if name.endswith(".pyc")}
    assert any("/app.cpython-" in name for name in compiled)
    assert all(file.data[4:8] == b"\3\0\0\0" for file in compiled.values())
    assert b"/opt/venv/lib" in next(file.data for name, file in compiled.items() if "/app.cpython-" in name)


def test_a_prefix_and_a_directory(python):
    python.recipe(steps=[{"step": "p", "install": "py", "into": "/usr/local", "layout": "prefix"},
                         {"step": "d", "install": "py", "into": "/srv/app", "layout": "directory"}])
    python.build()
    prefix, directory = python.files(1), python.files(2)
    assert any(name.startswith("usr/local/") and name.endswith("/app.py") for name in prefix), sorted(prefix)
    assert "usr/local/bin/app" in prefix and not any("pyvenv" in name for name in prefix)
    assert {"srv/app/app.py", "srv/app/dep.py"} <= set(directory)
    assert python.project.inside(f"PYTHONPATH=/srv/app python{PYTHON[1]} -m app && /usr/local/bin/app").rc == 0
    assert len(python.lock()) == 1  # the same source, used twice


def test_only_the_interpreter_counts_of_what_is_below(python):
    python.recipe()
    python.build()
    python.project.tree("root", {"etc/motd": "hello\n"})
    assert python.build().ran == ["main/root"]
    program = python.varve.path("root") / f"usr/bin/python{PYTHON[1]}"
    program.write_bytes(program.read_bytes() + b"\n")
    assert python.build().ran == ["main/py", "main/root"]


def test_without_an_interpreter(python):
    (python.varve.path("root") / f"usr/bin/python{PYTHON[1]}").unlink()
    python.recipe()
    text = python.build(rc=1).text
    assert f"there is no python{PYTHON[1]} below" in text and "install it in a step before this one" in text


def test_not_over_the_interpreter(python):
    python.recipe(install={"into": "/usr", "layout": "prefix"})
    assert "where the wheels are to go" in python.build(rc=1).text


def test_through_a_link(python):
    python.project.tree("root", {"data/x": "", "opt": ("link", "data")})
    python.recipe()
    python.build()
    assert "data/venv/pyvenv.cfg" in python.files() and "opt" not in python.files()
    assert python.project.inside("/opt/venv/bin/app").rc == 0


# --- split ---------------------------------------------------------------------------------------

def big(index, name, version, size, seed):
    data = hashlib.shake_256(seed.encode()).digest(size)
    index.add(name, version, files={f"{name}.py": f"version = '{version}'\n", f"{name}.bin": data},
              date=f"2024-03-0{2 + int(float(version))}T00:00:00Z")


def test_each_large_wheel_has_a_layer_of_its_own(each_python):
    python = each_python
    big(python.index, "huge", "1.0", 3000000, "h")
    big(python.index, "large", "1.0", 300000, "l")
    python.recipe(["app", "huge", "large"], install={"split": "wheels"})
    assert python.build().ran == ["main/py", "main/py.huge", "main/py.large", "main/root"]
    layers = python.project.image().layers
    homes = [[name for name in ("app", "dep", "huge", "large") if any(path.endswith(f"/{name}.py") for path in layer)]
             for layer in layers]
    assert homes == [[], ["app", "dep"], ["huge"], ["large"]]
    assert [any(name.endswith("pyvenv.cfg") for name in layer) for layer in layers] == [False, True, False, False]
    script = "import app, huge, large; print(huge.version, large.version)"
    assert python.project.inside(f"/opt/venv/bin/python -c '{script}'").stdout == "1.0 1.0\n"
    # Of another version of one wheel only that layer is made, and the others keep their bytes.
    before = python.project.diff_ids()
    big(python.index, "large", "2.0", 300000, "l2")
    python("lock", "--upgrade", "py")
    assert python.build().ran == ["main/py.large"]
    after = python.project.diff_ids()
    assert [a == b for a, b in zip(before, after)] == [True, True, True, False]
    # A small one changes the first layer alone.
    python.index.add("dep", "1.6")
    python("lock", "--upgrade", "py")
    assert python.build().ran == ["main/py"]


def test_each_large_wheel_in_parts(python):
    halves = {f"halves/{half}.bin": hashlib.shake_256(half.encode()).digest(700000) for half in ("left", "right")}
    python.index.add("halves", "1.0", files={"halves/__init__.py": "", **halves})

    def built(split):
        python.recipe(["app", "halves"], install={"split": split} if split else {})
        python.build()
        return python.project.image()
    whole, divided = built(None), built({"wheels": True, "maximum": "1MB"})
    homes = [[half for half in ("left", "right") if any(name.endswith(f"/{half}.bin") for name in layer)] for layer in divided.layers]
    assert [home for home in homes if home] == [["left"], ["right"]]
    assert {name: (file.kind, file.mode, file.mtime, file.data) for name, file in divided.files.items()} == {
        name: (file.kind, file.mode, file.mtime, file.data) for name, file in whole.files.items()}


def test_compiled_and_split(python):
    big(python.index, "huge", "1.0", 300000, "h")
    python.recipe(["app", "huge"], install={"split": "wheels", "bytecode": True})
    python.build()
    compiled = [[name.rpartition("/")[2].partition(".")[0] for name in layer if name.endswith(".pyc")]
                for layer in python.project.image().layers]
    assert compiled[2] == ["huge"] and {"app", "dep"} <= set(compiled[1])


# --- fetching, and what goes wrong ---------------------------------------------------------------

def test_from_the_store_alone(python):
    python.recipe()
    python("fetch")
    python.index.clear()
    python.build("--offline")
    assert python.index.requests == []
    shutil.rmtree(python.varve.store)
    assert "is not in the store, and --offline forbids" in python.build("--offline", rc=2).text
    assert python.index.requests == []


def test_fetching_asks_the_index_once(python):
    python.recipe()
    python("lock")
    shutil.rmtree(python.varve.store)
    python.index.clear()
    python("fetch")
    assert len(python.index.paths("/simple/*")) == 1 and len(python.index.paths("/packages/*")) == 3


def test_a_file_that_moved(python):
    python.recipe()
    python("lock")
    shutil.rmtree(python.varve.store)
    entry = python.index.file("dep-1.5-py3-none-any.whl")
    (python.index.directory / "moved").mkdir()
    (python.index.directory / entry["url"][6:]).rename(python.index.directory / "moved" / entry["filename"])
    entry["url"] = f"/moved/{entry['filename']}"
    python("fetch")


def test_a_file_that_vanished(python):
    python.recipe()
    python("lock")
    shutil.rmtree(python.varve.store)
    python.index.remove("dep-1.5-py3-none-any.whl")
    text = python("fetch", rc=1).stderr
    assert "dep-1.5-py3-none-any.whl" in text and "varve lock" in text


def test_other_bytes_than_locked(python):
    python.recipe()
    python("lock")
    python.index.fault("/packages/*dep*", "wrong", at=100)
    assert "dep-1.5" in python("fetch", rc=1).stderr
    assert not any("dep" in str(path) for path in python.varve.store.glob("uploads/*"))


def test_a_broken_download_goes_on(python):
    python.recipe()
    python("lock")
    python.index.fault("/packages/*dep*", "cut", after=100, times=1)
    python("fetch")
    assert [one.headers.get("Range") for one in python.index.requests if "dep" in one.path and "packages" in one.path][-1] \
        == "bytes=100-"


def test_an_index_that_answers_html(python):
    python.recipe()
    python.index.answers["/simple/uv/"] = b"<!DOCTYPE html><html><body>Please log in</body></html>"
    text = python("lock", rc=4).stderr
    assert "no page of a package index" in text and len(text.strip().split("\n")) <= 4


@pytest.mark.parametrize("page", [b"{}", b'{"files": 1}', b'{"files": [{"filename": "x.whl"}]}', b'{"files": [', b"\0\1",
                                  b'{"files": [{"filename": "../x.whl", "url": "/x"}]}'])
def test_an_index_that_answers_nonsense(python, page):
    python.recipe()
    python.index.answers["/simple/uv/"] = page
    result = python("lock", rc=4)
    assert 'project "uv" of index "pypi"' in result.stderr


def test_redirects_without_end(python):
    python.recipe()
    python.index.fault("/simple/uv/", "redirect", to="/simple/uv/")
    assert "redirect" in python("lock", rc=4).stderr


def test_an_index_without_uv(python):
    del python.index.projects["uv"]
    python.recipe()
    assert "no wheel of uv" in python("lock", rc=2).stderr


@pytest.mark.parametrize("edit", [
    lambda one: one.update(sha256="0" * 64),
    lambda one: one.update(size=one["size"] + 1),
    lambda one: one.update({"from": "pypi:packages/../../../x.whl"}),
    lambda one: one.update({"from": "pypi:"}),
    lambda one: one.pop("sha256"),
])
def test_a_lock_edited_by_hand(python, edit):
    python.recipe()
    python("lock")
    document = json.loads(python.lock_path.read_text())
    edit(document["sources"][0]["artifacts"][-1])
    python.varve.write("r.lock.json", json.dumps(document))
    result = python("build", rc=None)
    assert result.rc in (1, 2) and "dep" in result.stderr or "r.lock.json" in result.stderr
    assert not (python.varve.store / "index.json").read_text().count("t/main")


@pytest.mark.parametrize("name", ["../../../../evil", "/evil", "app-1.0.data/data/../../../../evil"])
def test_a_wheel_that_leaves_its_place(python, name):
    python.index.add("hostile", "1", more={name: b"evil"})
    python.recipe(["hostile"])
    result = python("build", rc=None)
    assert result.rc in (0, 1), result
    if result.rc == 0:
        assert all(path.startswith("opt/venv") for path in python.files()), sorted(python.files())
    assert not list(python.varve.directory.glob("**/evil"))


def test_a_wheel_for_another_python_in_the_lock(python):
    python.index.add("alien", "1", tag="cp39-cp39-win_amd64")
    python.recipe()
    python("lock")
    document = json.loads(python.lock_path.read_text())
    entry = python.index.file("alien-1-cp39-cp39-win_amd64.whl")
    document["sources"][0]["artifacts"][-1].update(
        {"from": "pypi:" + entry["url"][6:], "sha256": entry["hashes"]["sha256"], "size": entry["size"]})
    python.varve.write("r.lock.json", json.dumps(document))
    text = python.build(rc=1).text
    assert "step main/py" in text
