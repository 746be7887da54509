# SPDX-License-Identifier: Apache-2.0
"""recipes/linnaeus.yaml where nothing large is to be had: its own options, rows, stages, images and checks, on the
host's Python instead of Debian, a toolkit of one script instead of nvcc, and wheels of a few lines that are called
torch and so on. What the real ones do is for the slow test.

	bed = Bed(varve, directory, uv)
	bed.build("--arch", "turing")		# a support.Build; bed.options: repository, index and so on"""
import io
import re
import tarfile
import types
import zipfile

import wheels
from conftest import TOP
from git_server import GitRepository, GitServer
from linnaeus_app import Application
from support import Project

RECIPE = TOP / "recipes/linnaeus.yaml"
LOCK = TOP / "recipes/linnaeus.lock.json"
BASE = "frontierkodiak/linnaeus-base"
RUNTIME = "frontierkodiak/linnaeus-dev"
# As much of torch as the recipe's checks ask for. Its GPU is the fake device node and library that a test gives.
TORCH = '''import os
__version__ = "%s"
class cuda:
    @staticmethod
    def is_available():
        try:
            library = os.environ.get("LD_LIBRARY_PATH", "").split(":")[-1] + "/libcuda.so.1"
            return open(library).read() == "driver" and open("/dev/nvidia0", "rb").read(1) == b"\\0"
        except OSError:
            return False
    @staticmethod
    def get_device_capability():
        return tuple(map(int, os.environ["FAKE_CAPABILITY"].split(".")))
class Tensor:
    def __init__(self, n, value): self.n, self.value = n, value
    def __matmul__(self, other): return Tensor(self.n, self.value * other.value * self.n)
    def sum(self): return Tensor(1, self.value * self.n * self.n)
    def item(self): return float(self.value)
def ones(n, m, device):
    assert device == "cuda" and cuda.is_available()
    return Tensor(n, 1)
'''
# A build back end: the wheel of an editable install is a path and what the metadata says.
BACKEND = '''import zipfile
def _wheel(directory, name, version, members, requires=()):
    stem = name.replace("-", "_") + "-" + version
    info = stem + ".dist-info/"
    lines = ["Metadata-Version: 2.1", "Name: " + name, "Version: " + version]
    lines += ["Requires-Dist: " + one for one in requires]
    members = dict(members)
    members[info + "METADATA"] = "\\n".join(lines) + "\\n"
    members[info + "WHEEL"] = "Wheel-Version: 1.0\\nGenerator: t\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n"
    members[info + "RECORD"] = "".join(one + ",,\\n" for one in members) + info + "RECORD,,\\n"
    with zipfile.ZipFile(directory + "/" + stem + "-py3-none-any.whl", "w") as archive:
        for member in members:
            archive.writestr(zipfile.ZipInfo(member, (2020, 1, 1, 0, 0, 0)), members[member])
    return stem + "-py3-none-any.whl"
def build_editable(directory, settings=None, metadata=None):
    import tomllib
    with open("pyproject.toml", "rb") as file:
        project = tomllib.load(file)["project"]
    return _wheel(directory, project["name"], project["version"], {"__editable__.pth": "/app/linnaeus\\n"},
                  project["dependencies"])
'''
# Flash Attention: a setup.py that "compiles" and notes what it was told.
SETUP = '''import os, sys
from setuptools.build_meta import _wheel
assert "bdist_wheel" in sys.argv and os.environ["FLASH_ATTENTION_FORCE_BUILD"] == "TRUE"
import torch
print("compiling for", os.environ["FLASH_ATTN_CUDA_ARCHS"], "with", os.environ["MAX_JOBS"], "jobs, torch", torch.__version__)
dist = sys.argv[sys.argv.index("--dist-dir") + 1]
os.makedirs(dist)
_wheel(dist, "%s", "%s", {"%s.py" if "%s" != "flash_attn" else "flash_attn/__init__.py": "__version__ = '%s'\\n"})
'''
TRIVIAL = ("einops ninja packaging psutil wheel h5py huggingface-hub matplotlib opencv-python pandas Pillow polli-typus "
           "pytest python-dateutil pyyaml rich ruff termcolor tqdm wandb yacs").split()
NVCC = "#!/bin/sh\nif [ $1 = --version ]; then echo 'Cuda compilation tools, release 12.4, V12.4.131'; else : >$4; fi\n"


def setup_py(project, version, module):
    return SETUP % (project, version, module, module, version)


def sdist(name, version, files):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for path, text in {"PKG-INFO": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n", **files}.items():
            info = tarfile.TarInfo(f"{name}-{version}/{path}")
            info.size = len(text)
            archive.addfile(info, io.BytesIO(text.encode()))
    return f"{name}-{version}.tar.gz", out.getvalue()


def as_manylinux(wheel):
    """(name, bytes) of uv's wheel as one for glibc, which it runs on as well."""
    out = io.BytesIO()
    with zipfile.ZipFile(wheel) as old, zipfile.ZipFile(out, "w") as new:
        for member in old.infolist():
            data = old.read(member)
            if member.filename.endswith(".dist-info/WHEEL"):
                data = re.sub(rb"musllinux_\d+_\d+_", b"manylinux_2_17_", data)
            elif member.filename.endswith(".dist-info/RECORD"):
                data = re.sub(rb"(/WHEEL),.*", rb"\1,,", data)
            new.writestr(member, data, zipfile.ZIP_STORED)
    return re.sub(r"musllinux_\d+_\d+_", "manylinux_2_17_", wheel.name), out.getvalue()


def fill(index, uv):
    """The index of the stand-ins."""
    index.projects.pop("uv")  # the one that is to be a package as well
    index.add_file("uv", *as_manylinux(uv))
    for version, cuda in (("2.7.1", "126"), ("2.8.0", "128")):
        runtime = f"nvidia-cuda-runtime-cu12=={cuda[:2]}.{cuda[2]}.77"
        index.add("nvidia-cuda-runtime-cu12", f"{cuda[:2]}.{cuda[2]}.77", files={"nvidia/cuda_runtime.txt": cuda * 9000})
        index.add("torch", version, requires=[runtime], files={"torch/__init__.py": TORCH % f"{version}+cu{cuda}"})
        index.add("torchaudio", version, requires=[f"torch=={version}"])
    for version, torch in (("0.22.1", "2.7.1"), ("0.23.0", "2.8.0")):
        index.add("torchvision", version, requires=[f"torch=={torch}"])
    index.add("setuptools", "80", files={"setuptools/__init__.py": "", "setuptools/build_meta.py": BACKEND})
    index.add("numpy", "2.0")
    for one in TRIVIAL:
        index.add(one, "1.0")
    index.add_file("flash-attn", *sdist("flash_attn", "2.7.4.post1", {"setup.py": setup_py("flash_attn", "2.7.4.post1", "flash_attn")}))


def cut(text, start, end, instead):
    """The text with what lies from start up to end replaced."""
    first = text.index(start)
    return text[:first] + instead + text[text.index(end, first + 1):]


def stand_in(python):
    text = RECIPE.read_text()
    text = cut(text, "  system:\n    kind: debian", "  torch:\n", "  root: {kind: local, path: root}\n  tools: {kind: local, path: tools}\n")
    text = cut(text, "  # nvcc itself", "  cuda-image:", "")
    text = text.replace("{step: system, install: system}", "{step: system, copy: root, to: /}")
    text = cut(text, "      - step: nvcc\n", "      - step: nvcc-image", "      - {step: nvcc, if: \"${cuda-toolkit} == debian\", copy: tools, to: /usr/local/cuda}\n")
    return text.replace("Python 3.11", f"Python {python}").replace("(3, 11)", f"(3, {python[2:]})").replace("3.11", python)


class Bed:
    """A project with the stand-in recipe as linnaeus.yaml, its index and the application's server."""

    def __init__(self, varve, directory, uv):
        _, self.python = wheels.host_python()
        self.varve, self.project = varve, Project(varve)
        wheels.add_python(self.project.busybox())
        varve.account.own(varve.path("root"))
        self.project.tree("tools", {"bin/nvcc": (NVCC, 0o755), "lib64/libcudart.so": "x"})
        (directory / "index").mkdir()
        self.index = wheels.Index(directory / "index", uv)
        fill(self.index, uv)
        self.app = Application(directory / "srv/app")
        self.flash = GitRepository(directory / "srv/flash")
        self.flash.commit({"hopper/setup.py": setup_py("flash_attn_3", "3.0.0b1", "flash_attn_interface")})
        self.flash.git("tag", "v2.8.3")
        self.server = GitServer(directory / "srv")
        self.text = stand_in(self.python)
        varve.write("linnaeus.yaml", self.text)

    @property
    def options(self):
        return [*self.index.mirror, "--repository", self.server.url("app/.git")]

    def build(self, *arguments, **options):
        return self.project.build(*self.options, *arguments, file="linnaeus.yaml", **{"timeout": 300, **options})

    def plan(self, *arguments):
        return types.SimpleNamespace(**self.varve("plan", "linnaeus.yaml", "--json", *self.options, *arguments).json())

    def inside(self, command, image):
        """What a shell command prints in an image, whatever its entry point."""
        return self.varve("run", "--entrypoint", "sh", image, "-c", command, timeout=60).stdout

    def config(self, name):
        return self.project.image(name).config["config"]

    def runtime(self, commit, arch="ampere", suffix=""):
        return f"{RUNTIME}:{commit[:12]}-{arch}{suffix}"

    def close(self):
        self.server.close()
        self.index.close()
