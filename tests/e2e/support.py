# SPDX-License-Identifier: Apache-2.0
"""Small projects to build without a network: a root that is busybox alone, recipes as data, what a build told.

	def test_x(project):				# as root and as an account with subordinate ids
		project.recipe([run("step", "echo x >/x")])
		build = project.build()
		assert build.ran == ["main/root", "main/step"]
		assert project.image().files["x"].data == b"x\\n"
"""
import atexit
import functools
import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

import pytest
from oci_image import Image

BUSYBOX = pathlib.Path("/bin/busybox")
NAME = "t/main:latest"
ROOT = {"step": "root", "copy": "root", "to": "/"}
APPLETS = ("ash awk basename cat chgrp chmod chown cmp cp cut date dd df dirname du echo env expr false find grep head "
           "hexdump hostname id install ip ipcalc kill link ln ls md5sum mkdir mkfifo mktemp mknod mount mv nc nproc od "
           "printf ps pwd readlink realpath rm rmdir sed seq setsid sh sha256sum sleep sort stat sync tail tar tee test "
           "timeout touch tr true truncate tty umount uname uniq wc which whoami xargs yes").split()
PASSWD = "root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000:app:/home/app:/bin/sh\n"
GROUP = "root:x:0:\napp:x:1000:\nstaff:x:50:app\n"


def run(step, command, **fields):
    """A run step; names of fields with "_" for "-"."""
    return {"step": step, "run": command, **{name.replace("_", "-"): value for name, value in fields.items()}}


def copy(step, what, to, **fields):
    return {"step": step, "copy": what, "to": to, **fields}


@functools.lru_cache(maxsize=None)
def compiled(source):
    """Path of a static program, for what busybox cannot do; None without a compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        return None
    directory = pathlib.Path(tempfile.mkdtemp(prefix="varve-tool-"))
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    command = [compiler, "-static", "-O1", "-x", "c", "-", "-o", directory / "tool"]
    subprocess.run(command, input=source, text=True, check=True, capture_output=True)
    return directory / "tool"


def libraries_of(program):
    """What a dynamic program of the host needs beside itself."""
    listing = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
    return [match for match in re.findall(r"(/\S+) \(0x", listing)]


class Build:
    """What a build with --progress json told."""

    def __init__(self, result):
        self.result = result
        lines = result.stderr.split("\n")  # splitlines() knows more ends of lines than JSON lines do
        self.events = [json.loads(line) for line in lines if line.startswith("{")]
        self.text = "\n".join(line for line in lines if not line.startswith("{")).strip("\n")

    def steps(self, kind):
        return [event["step"] for event in self.events if event["event"] == kind]

    @property
    def ran(self):
        """Steps that ran, sorted: their order is free where they do not need each other."""
        return sorted(self.steps("started"))

    @property
    def output(self):
        return [event["text"] for event in self.events if event["event"] == "output"]

    @property
    def digests(self):
        """name -> digest, as standard output says."""
        return {name: digest for digest, name in (line.split(" ", 1) for line in self.result.stdout.splitlines())}


class Project:
    """A directory with a recipe r.yaml and local sources, and the program that builds it."""

    def __init__(self, varve):
        if not os.access(BUSYBOX, os.X_OK):
            pytest.skip("busybox-static is missing")
        self.varve = varve
        self.account = varve.account

    # --- sources ---------------------------------------------------------------------------------
    def tree(self, name, files):
        """A local source. Values: text or bytes; ("link", target); (data, mode)."""
        top = self.varve.path(name)
        for path, value in files.items():
            self.entry(top / path, value)
        top.mkdir(parents=True, exist_ok=True)
        self.account.own(top)
        return top

    @staticmethod
    def entry(path, value):
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_symlink() or path.exists():
            path.unlink()
        if isinstance(value, tuple) and value[0] == "link":
            path.symlink_to(value[1])
            return
        data, mode = value if isinstance(value, tuple) else (value, 0o644)
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        path.chmod(mode)

    def busybox(self, name="root", merged_usr=False, more=None):
        """A root file system."""
        programs = "usr/bin" if merged_usr else "bin"
        files = {f"{programs}/busybox": (BUSYBOX.read_bytes(), 0o755), "etc/passwd": PASSWD, "etc/group": GROUP}
        files.update({f"{programs}/{applet}": ("link", "busybox") for applet in APPLETS})
        if merged_usr:
            files["bin"] = ("link", "usr/bin")
        return self.tree(name, {**files, **(more or {})})

    def add_setpriv(self, name="root"):
        """The program that steps with a user need, with its libraries."""
        program = shutil.which("setpriv") or pytest.skip("setpriv is missing")
        files = {"usr/bin/setpriv": (pathlib.Path(program).read_bytes(), 0o755)}
        for library in libraries_of(program):
            files[library.lstrip("/")] = (pathlib.Path(library).read_bytes(), 0o755)
        self.tree(name, files)

    # --- recipes ---------------------------------------------------------------------------------
    def recipe(self, steps=(), *, file="r.yaml", sources=None, stages=None, images=None, config=None, **members):
        """One stage "main" of the steps on a busybox root, and its image; or what is given."""
        if not self.varve.path("root").exists():
            self.busybox()
        stages = {"main": {"steps": [ROOT, *steps]}, **(stages or {})}
        image = {"stage": "main", "name": NAME, **({"config": config} if config else {})}
        document = {"varve": 1, "name": "t", **members,
                    "sources": {"root": {"kind": "local", "path": "root"}, **(sources or {})},
                    "stages": stages, "images": images or {"main": image}}
        return self.write_recipe(document, file)

    def write_recipe(self, document, file="r.yaml"):
        text = document if isinstance(document, str) else json.dumps(document, indent=1, ensure_ascii=False)
        return self.varve.write(file, text)

    # --- runs ------------------------------------------------------------------------------------
    def build(self, *arguments, file="r.yaml", rc=0, **options):
        options = {"timeout": 120, **options}
        return Build(self.varve("build", file, "--progress", "json", *arguments, rc=rc, **options))

    def start(self, *arguments, file="r.yaml", **options):
        return self.varve.start("build", file, "--progress", "json", *arguments, **options)

    def plan(self, *arguments, file="r.yaml"):
        """stage/step -> the step's object in `plan --json`."""
        document = self.varve("plan", file, "--json", *arguments).json()
        return {f"{step['stage']}/{step['step']}": step for step in document["steps"]}

    def verdicts(self, *arguments, **options):
        return {name: step["verdict"] for name, step in self.plan(*arguments, **options).items()}

    def inside(self, command, *, image=NAME, rc=0, options=(), **more):
        """Runs a shell command in an image."""
        return self.varve("run", *options, image, "sh", "-c", command, rc=rc, timeout=60, **more)

    def image(self, name=NAME):
        return Image(self.varve.store, name)

    def diff_ids(self, name=NAME):
        return self.image(name).config["rootfs"]["diff_ids"]

    def layer(self, step=-1, name=NAME):
        """Entries of one layer of the image: name -> oci_image.File."""
        return self.image(name).layers[step]


@pytest.fixture(params=["root", "subuid", "one"])
def project(request, as_user):
    """A project of each account that can build."""
    return Project(as_user(request.param))


@pytest.fixture
def own_project(varve):
    """A project of whoever runs the tests, where the account makes no difference."""
    return Project(varve)


@pytest.fixture
def project_of(as_user):
    """project_of(ACCOUNT)"""
    return lambda name, **options: Project(as_user(name, **options))
