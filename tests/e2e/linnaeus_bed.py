# SPDX-License-Identifier: Apache-2.0
"""recipes/linnaeus.yaml where nothing large is to be had: its own options, rows, stages, images and checks, on the
host's Python instead of Debian, packages and wheels with a script instead of nvcc (in an archive that the bed signs),
and wheels of a few lines that are called torch and so on. What the real ones do is for the slow tests.

	bed = Bed(varve, directory, uv)
	bed.build("--arch", "turing")		# a support.Build; bed.options: repository, index and so on"""
import gzip
import hashlib
import io
import json
import re
import tarfile
import types
import zipfile

import debs
import wheels
from conftest import TOP
from faults import FaultServer
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
# Flash Attention: a setup.py that "compiles" and notes what it was told. Version 3 wants the nvcc of its own place, and
# headers of a submodule.
SETUP = '''import os, subprocess, sys
from setuptools.build_meta import _wheel
assert "bdist_wheel" in sys.argv and os.environ["FLASH_ATTENTION_FORCE_BUILD"] == "TRUE"
import torch
if os.environ["FLASH_ATTN_CUDA_ARCHS"] == "90a":
    assert os.environ["FLASH_ATTENTION_OFFLINE_BUILD"] == "1" and os.path.isfile("../csrc/cutlass/include/cutlass.h")
    print(subprocess.check_output(["third_party/nvidia/backend/bin/nvcc", "--version"], text=True).split(",")[0])
print("compiling for", os.environ["FLASH_ATTN_CUDA_ARCHS"], "with", os.environ["MAX_JOBS"], "jobs, torch", torch.__version__)
dist = sys.argv[sys.argv.index("--dist-dir") + 1]
os.makedirs(dist)
_wheel(dist, "%s", "%s", {"%s.py" if "%s" != "flash_attn" else "flash_attn/__init__.py": "__version__ = '%s'\\n"})
'''
# torch, torchvision and the CUDA of both.
TORCHES = (("2.7.1", "0.22.1", "126"), ("2.8.0", "0.23.0", "128"), ("2.11.0", "0.26.0", "130"))
TRIVIAL = ("einops ninja packaging psutil wheel h5py huggingface-hub matplotlib opencv-python pandas Pillow polli-typus "
           "pytest python-dateutil pyyaml rich ruff termcolor tqdm wandb yacs").split()
# Makes what it is asked for, empty: the library that tells nvcc one process id.
GCC = "#!/bin/sh\nwhile [ \"$1\" != -o ]; do shift; done\n: >\"$2\"\n"
# Links to busybox in a root that has no Debian below.
PROGRAMS = ("dpkg-deb", "unzip")
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


def fill_toolkit(index):
    """The wheels that a CUDA toolkit can be made of: headers of version 12.4, and all of version 13."""
    index.add("nvidia-cuda-cccl-cu12", "12.4.127.post1", files={"nvidia/cuda_cccl/include/cccl.h": ""})
    index.add("nvidia-cuda-nvcc-cu12", "12.4.131", files={"nvidia/cuda_nvcc/include/crt/host.h": "", "nvidia/cuda_nvcc/nvvm/libdevice/l.bc": ""})
    index.add("nvidia-cuda-runtime-cu12", "12.4.127", files={"nvidia/cuda_runtime/include/cuda_runtime.h": "// 12.4\n",
                                                           "nvidia/cuda_runtime/lib/libcudart.so.12": "", "nvidia/__init__.py": ""})
    for name, version, path, text in (("nvcc", "13.0.88", "bin/nvcc", NVCC.replace("12.4", "13.0")), ("crt", "13.0.88", "include/crt/host.h", ""),
                                      ("cccl", "13.0.85", "include/cccl.h", "")):
        index.add(f"nvidia-cuda-{name}", version, files={f"nvidia/cu13/{path}": text})
    index.add("nvidia-nvvm", "13.0.88", files={"nvidia/cu13/nvvm/bin/cicc": ""})


def toolkit_deb():
    """Debian's package of the compiler: nvcc and cicc in a place of its own, the rest in /usr/bin."""
    own = "usr/lib/nvidia-cuda-toolkit/bin/"
    files = {own + "nvcc": NVCC, own + "cicc": "", own + "crt/link.stub": ""}
    files.update({f"usr/bin/{name}": "" for name in ("ptxas", "nvlink", "cudafe++", "fatbinary", "bin2c", "cuobjdump")})
    return {"name": "nvidia-cuda-toolkit", "version": "12.4.131~12.4.1-2", "depends": "much-more", "files": files}


def nvidia_debs(version):
    """Packages of NVIDIA's own repository: each has its part of one toolkit."""
    top, target = f"usr/local/cuda-{version}/", f"usr/local/cuda-{version}/targets/x86_64-linux/"
    files = {"nvcc": {top + "bin/nvcc": NVCC.replace("12.4", version) + "# NVIDIA's\n"}, "nvvm": {top + "nvvm/bin/cicc": ""},
             "crt": {target + "include/crt/host.h": ""}, "cudart": {target + "lib/libcudart.so.12": ""},
             "cudart-dev": {target + "include/cuda_runtime.h": f"// {version}\n"}, "cccl": {target + "include/cccl.h": ""}}
    return [{"name": f"cuda-{part}-{version.replace('.', '-')}", "version": version, "depends": "much-more", "files": files[part]} for part in files]


def flat_archive(directory, packages, key):
    """An archive in one directory, as NVIDIA has it."""
    directory.mkdir(parents=True)
    stanzas = []
    for package in packages:
        data, name = debs.make_deb(package), f"{package['name']}.deb"
        (directory / name).write_bytes(data)
        stanzas.append(debs.stanza({**debs.control_fields(package), "Filename": f"./{name}", "Size": len(data),
                                    "SHA256": hashlib.sha256(data).hexdigest()}))
    index = gzip.compress("\n".join(stanzas).encode(), mtime=0)
    (directory / "Packages.gz").write_bytes(index)
    release = (f"Origin: Tests\nDate: Tue, 14 Nov 2023 22:13:20 UTC\nSHA256:\n {hashlib.sha256(index).hexdigest()} {len(index)} Packages.gz\n")
    (directory / "InRelease").write_bytes(key.clearsign(release))


def fill(index, uv):
    """The index of the stand-ins."""
    index.projects.pop("uv")  # the one that is to be a package as well
    index.add_file("uv", *as_manylinux(uv))
    for version, vision, cuda in TORCHES:
        suffix, number = ("-cu12", f"{cuda[:2]}.{cuda[2]}.77") if cuda < "130" else ("", f"{cuda[:2]}.{cuda[2]}.48")
        place = "nvidia/cublas" if suffix else "nvidia/cu13"
        index.add(f"nvidia-cuda-runtime{suffix}", number, files={"nvidia/cuda_runtime.txt": cuda * 9000, "nvidia/cu13/lib/libcudart.so.13": ""})
        index.add(f"nvidia-cublas{suffix}", number, files={f"{place}/include/cublas.h": f"// {cuda}\n"})
        index.add("torch", version, requires=[f"nvidia-{part}{suffix}=={number}" for part in ("cublas", "cuda-runtime")],
                  files={"torch/__init__.py": TORCH % f"{version}+cu{cuda}"})
        index.add("torchaudio", version, requires=[f"torch=={version}"])
        index.add("torchvision", vision, requires=[f"torch=={version}"])
    fill_toolkit(index)
    index.add("setuptools", "80", files={"setuptools/__init__.py": "", "setuptools/build_meta.py": BACKEND})
    index.add("numpy", "2.0")
    for one in TRIVIAL:
        index.add(one, "1.0")
    index.add_file("flash-attn", *sdist("flash_attn", "2.7.4.post1", {"setup.py": setup_py("flash_attn", "2.7.4.post1", "flash_attn")}))


def cut(text, start, end, instead):
    """The text with what lies from start up to end replaced."""
    first = text.index(start)
    return text[:first] + instead + text[text.index(end, first + 1):]


def fourth_row(text):
    """The recipe with the row that README.md shows how to add."""
    row = re.search(r"^ +blackwell: \{.*?\}$", (TOP / "README.md").read_text(), re.M | re.S)[0]
    row = "    " + " ".join(row.split()) + "\n"
    text = text.replace("choices: [ampere, turing, hopper]", "choices: [ampere, turing, hopper, blackwell]", 1)
    return text.replace("  cuda-toolkit:\n    debian:", row + "  cuda-toolkit:\n    debian:", 1)


def stand_in(python):
    text = RECIPE.read_text()
    text = cut(text, "  system:\n    kind: debian", "  torch:\n", "  root: {kind: local, path: root}\n")
    text = text.replace("    suite: trixie\n", "    suite: trixie\n    keyring: nvidia.gpg\n", 1)
    text = text.replace("{step: system, install: system}", "{step: system, copy: root, to: /}")
    return text.replace("Python 3.11", f"Python {python}").replace("(3, 11)", f"(3, {python[2:]})").replace("3.11", python)


class Bed:
    """A project with the stand-in recipe as linnaeus.yaml, its index and the application's server."""

    def __init__(self, varve, directory, uv, key):
        _, self.python = wheels.host_python()
        self.varve, self.project = varve, Project(varve)
        more = {f"bin/{name}": ("link", "busybox") for name in PROGRAMS}
        wheels.add_python(self.project.busybox(more={**more, "bin/gcc": (GCC, 0o755)}))
        varve.account.own(varve.path("root"))
        debs.make_repo(directory / "archives/debian", [toolkit_deb()], key, suite="trixie", component="non-free")
        flat_archive(directory / "archives/nvidia", nvidia_debs("12.6"), key)
        varve.write("nvidia.gpg", key.public)
        self.archives = FaultServer(directory / "archives")
        (directory / "index").mkdir()
        self.index = wheels.Index(directory / "index", uv)
        fill(self.index, uv)
        self.app = Application(directory / "srv/app")
        self.flash = GitRepository(directory / "srv/flash")
        self.server = GitServer(directory / "srv")
        GitRepository(directory / "srv/cutlass").commit({"include/cutlass.h": "#define TINY 1\n"})
        self.flash.git("submodule", "--quiet", "add", self.server.url("cutlass/.git"), "csrc/cutlass")
        self.flash.commit({"hopper/setup.py": setup_py("flash_attn_3", "3.0.0b1", "flash_attn_interface")})
        self.flash.git("tag", "v2.8.3")
        self.text = stand_in(self.python)
        varve.write("linnaeus.yaml", self.text)

    @property
    def mirrors(self):
        return [*self.index.mirror, *(f"--mirror={name}={self.archives.url}/{name}" for name in ("debian", "nvidia"))]

    @property
    def options(self):
        return [*self.mirrors, "--repository", self.server.url("app/.git")]

    def cuda_image(self, nvcc, directory):
        """The options for a toolkit of an image: /usr/local/cuda with this script. directory: a new one, the lock holds to it."""
        self.project.tree("nvidia", {"usr/local/cuda-12/bin/nvcc": (nvcc, 0o755), "usr/local/cuda": ("link", "/etc/alternatives/cuda")})
        document = {"varve": 1, "name": "n", "sources": {"n": {"kind": "local", "path": "nvidia"}},
                    "stages": {"n": {"steps": [{"step": "n", "copy": "n", "to": "/"}]}}, "images": {"n": {"stage": "n", "name": "n:1"}}}
        self.varve.write("n.yaml", json.dumps(document))
        self.varve("build", "n.yaml", "-o", f"oci:{self.varve.path(directory)}")
        return "--cuda-toolkit", "image", "--cuda-image", f"oci:{directory}"

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
        self.archives.close()
        self.index.close()
