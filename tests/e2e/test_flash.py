# SPDX-License-Identifier: Apache-2.0
"""Compiles of the reference case for real, by growing size: version 3's folder in miniature, causal-conv1d (a sdist of the
same family) in Flash Attention's place, and Flash Attention itself, interrupted and gone on with."""
import shutil
import signal
import time

import accounts
import pytest
from compiles import compiling, finished, hand_over, hand_over_layers, lock_today
from conftest import Result, need
from git_server import GitRepository, GitServer
from linnaeus_bed import BASE, RECIPE, cut, fourth_row
from oci_image import Image
from processes import assert_nothing_left, killed_at_exit
from support import Build

pytestmark = pytest.mark.slow
RECIPE_NAME, LOCK = "linnaeus.yaml", "linnaeus.lock.json"
AMPERE = f"{BASE}:ampere-cu126-torch2.7.1-fav2"
HOPPER = f"{BASE}:hopper-cu128-torch2.8.0-fav3"
NEEDED = 18 << 30  # of disk, where torch is installed for two accounts in turn
NOWHERE = ("--repository", "https://git.invalid/app", "-i", "base")


def need_disk(size):
    if shutil.disk_usage("/tmp").free < size:
        pytest.skip(f"less than {size >> 30} GiB of disk in /tmp")


def build(varve, jobs, *options):
    """The build's events, by kind."""
    made = Build(varve("build", RECIPE_NAME, *options, *NOWHERE, "--locked", "--offline", "--max-jobs", jobs, "--progress", "json", timeout=3600))
    return [event for event in made.events if event["event"] == "compile"], made


def twice(as_user, text, files, options, image, step):
    """Compiled by two accounts with different numbers of jobs: equal layers. Returns the first account's program."""
    first, second = as_user("subuid"), as_user("one")
    for varve in (first, second):
        varve.write(RECIPE_NAME, text)
    lock_today(first, RECIPE_NAME, *options, *NOWHERE)
    first("fetch", RECIPE_NAME, *options, *NOWHERE, timeout=1800)
    diff_ids = []
    for varve, jobs in ((first, "2"), (second, "1")):
        begun = time.monotonic()
        events, made = build(varve, jobs, *options)
        memory = max(event.get("memory", 0) for event in events)
        print(f"{image} with {jobs} jobs: {time.monotonic() - begun:.0f} s, up to {memory / 1e9:.1f} GB of memory", flush=True)
        assert (events[-1]["done"], events[-1]["total"]) == (files, files)
        assert step in made.ran
        diff_ids.append(Image(varve.store, image).config["rootfs"]["diff_ids"])
        if varve is first:
            hand_over(first, second, LOCK)
            hand_over_layers(first, second, but=step)
    assert made.ran == [step] and diff_ids[0] == diff_ids[1]
    return first


def capabilities(varve, image, library):
    """What a library in the environment is compiled for, as NVIDIA's own tool says."""
    inside = f"cuobjdump --list-elf /opt/venv/lib/python3.11/site-packages/{library} | grep -o 'sm_[0-9a]*' | sort -u"
    return varve("run", image, "sh", "-c", inside, timeout=300).stdout.split()


# --- version 3 in miniature ------------------------------------------------------------------------

# As the real one: looks for submodules, has its nvcc in a place of its own, includes from the submodule, runs ninja.
HOPPER_SETUP = '''import os, pathlib, subprocess
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
here = pathlib.Path(__file__).resolve().parent
assert os.environ["FLASH_ATTENTION_FORCE_BUILD"] == "TRUE" and os.environ["FLASH_ATTENTION_OFFLINE_BUILD"] == "1"
subprocess.run(["git", "submodule", "update", "--init", "../csrc/cutlass"], check=False)
NINJA = """
rule cuda
  command = $nvcc -gencode arch=compute_90a,code=sm_90a -Xcompiler -fPIC -I$headers -c $in -o $out
rule link
  command = g++ -shared $in -L$backend/lib64 -lcudart -o $out
build $temp/forward.o: cuda $here/forward.cu
build $temp/backward.o: cuda $here/backward.cu
build $library: link $temp/forward.o $temp/backward.o
"""
class Build(build_ext):
    def build_extension(self, extension):
        temp, library = pathlib.Path(self.build_temp).resolve(), pathlib.Path(self.get_ext_fullpath(extension.name)).resolve()
        temp.mkdir(parents=True, exist_ok=True)
        library.parent.mkdir(parents=True, exist_ok=True)
        backend = here / "third_party/nvidia/backend"
        names = {"nvcc": backend / "bin/nvcc", "backend": backend, "headers": here.parent / "csrc/cutlass/include", "here": here,
                 "temp": temp, "library": library}
        (temp / "build.ninja").write_text("".join(f"{name} = {value}\\n" for name, value in names.items()) + NINJA)
        subprocess.run(["ninja", "-v", "-C", temp, "-j", os.environ["MAX_JOBS"]], check=True)
setup(name="flash_attn_3", version="3.0.0b1", py_modules=["flash_attn_interface"], ext_modules=[Extension("flash_attn_3._C", [])],
      cmdclass={"build_ext": Build})
'''
KERNEL = '''#include <tiny.h>
namespace { __global__ void scale(float *at, float by) { at[threadIdx.x] = TINY(at[threadIdx.x], by); } }
extern "C" void %s(float *at, float by) { scale<<<1, 32>>>(at, by); }
'''


def miniature(text):
    """The recipe without torch and with no more of Debian than a compile needs."""
    text = cut(text, "      - torch==${torch}\n", "      # what builds", "")
    text = text.replace('    constraints: ["${cuda-runtime}"]\n', "")
    return cut(text, "      - python3.11-dev\n", "  torch:\n", "      - g++\n      - git\n      - python3.11-venv\n      - unzip\n")


def test_version_3_in_miniature(as_user, tmp_path):
    """The step for the hopper/ folder compiles a repository of the same shape with the real nvcc."""
    need("git")
    server = GitServer(tmp_path)
    GitRepository(tmp_path / "cutlass").commit({"include/tiny.h": "#define TINY(a, b) ((a) * (b))\n"})
    flash = GitRepository(tmp_path / "flash")
    flash.git("submodule", "--quiet", "add", server.url("cutlass/.git"), "csrc/cutlass")
    flash.commit({"README.md": "", "hopper/setup.py": HOPPER_SETUP, "hopper/forward.cu": KERNEL % "forward", "hopper/backward.cu": KERNEL % "backward",
                  "hopper/flash_attn_interface.py": "import flash_attn_3\n"})
    flash.git("tag", "v2.8.3")
    options = ["--arch", "hopper", "--flash-repository", server.url("flash/.git")]
    first = twice(as_user, miniature(RECIPE.read_text()), 3, options, HOPPER, "base/flash-attention-3")
    server.close()
    files = Image(first.store, HOPPER).files
    library = next(file for name, file in files.items() if "/flash_attn_3/_C." in name).data
    assert library[:4] == b"\x7fELF" and b"tmpxft" not in library  # nvcc's temporary names have a process id
    assert capabilities(first, HOPPER, "flash_attn_3/_C*.so") == ["sm_90a"]
    assert not [name for name in files if name.startswith("build/")]


THRUST = """#include <thrust/device_vector.h>
#include <thrust/reduce.h>
int sum(int n) { thrust::device_vector<int> v(n, 1); return thrust::reduce(v.begin(), v.end()); }
"""


def test_nvcc_of_nvidias_wheels(as_user):
    """The toolkit of the row that README.md adds: CUDA 13 whole, with the headers of its libraries."""
    varve = as_user(accounts.current())
    varve.write(RECIPE_NAME, fourth_row(miniature(RECIPE.read_text())))
    options = ["--arch", "blackwell", "--cuda-toolkit", "wheels"]
    lock_today(varve, RECIPE_NAME, *options, *NOWHERE)
    varve("build", RECIPE_NAME, *options, *NOWHERE, timeout=1800)
    image = f"{BASE}:blackwell-cu130-torch2.11.0-fanone"
    compile_it = f"cat >/tmp/x.cu <<'END'\n{THRUST}END\nnvcc -gencode arch=compute_120,code=sm_120 -c /tmp/x.cu -o /tmp/x.o\nnvcc --version"
    shown = varve("run", image, "sh", "-ec", compile_it, timeout=600).stdout
    assert "release 13.0," in shown


# --- causal-conv1d ---------------------------------------------------------------------------------

# Its setup has no variable for capabilities: the lines for the others go.
ONE_CAPABILITY = """sed -i '/append("-gencode")/{N;/sm_80"/!s/cc_flag.*/pass/}' setup.py"""


def causal(text):
    """The recipe with causal-conv1d in Flash Attention's place."""
    text = text.replace("flash-attn==${flash-sdist}", "causal-conv1d==1.5.3.post1")
    text = text.replace("          FLASH_ATTENTION_FORCE_BUILD:", '          CAUSAL_CONV1D_FORCE_BUILD: "TRUE"\n          FLASH_ATTENTION_FORCE_BUILD:')
    return text.replace("--strip-components=1; : >unpacked; }", f"--strip-components=1; {ONE_CAPABILITY}; : >unpacked; }}")


def test_causal_conv1d(as_user):
    need_disk(NEEDED)
    first = twice(as_user, causal(RECIPE.read_text()), 4, ["--arch", "ampere"], AMPERE, "base/flash-attention")
    inside = "import torch, causal_conv1d_cuda as c; print(c.causal_conv1d_fwd.__name__)"
    assert first("run", AMPERE, "python", "-c", inside, timeout=300).stdout == "causal_conv1d_fwd\n"
    assert capabilities(first, AMPERE, "causal_conv1d_cuda*.so") == ["sm_80"]


# --- Flash Attention itself ------------------------------------------------------------------------

FILES = 85  # 84 of CUDA and one of C++
FIRST, SECOND = 900, 600  # seconds of a compile until it is interrupted at the latest


def run_until(varve, done, limit):
    """A build that is interrupted when done(pid), or when it has compiled for so long; what was true, and its compile events."""
    log, end = varve.path("run.log"), None
    with log.open("w") as stderr, killed_at_exit(varve.start(
            "build", RECIPE_NAME, "--arch", "ampere", *NOWHERE, "--locked", "--offline", "--max-jobs", "2", "--progress", "json",
            stdout=stderr, stderr=stderr)) as child:
        while not (value := done(child.pid)) and (end is None or time.monotonic() < end):
            assert child.poll() is None, log.read_text()[-3000:]
            if end is None and compiling(child.pid):
                end = time.monotonic() + limit
            time.sleep(1)
        varve.stop(child, signal.SIGINT)
    assert_nothing_left(varve.store, seconds=30)
    events = Build(Result(None, "", log.read_text())).events
    return value, [event for event in events if event["event"] == "compile"]


def test_flash_attention_goes_on(as_user):
    """Interrupted after its first objects; the second run compiles others, and these stay the files that they are."""
    need_disk(NEEDED)
    varve = as_user(accounts.current())
    shutil.copy(RECIPE, varve.directory)
    lock_today(varve, RECIPE_NAME, "--arch", "ampere", *NOWHERE)
    varve("fetch", RECIPE_NAME, "--arch", "ampere", *NOWHERE, timeout=1800)
    _, events = run_until(varve, lambda _: any(name.startswith("flash_bwd") for name in finished(varve.store)), FIRST)
    made = finished(varve.store)
    peak = max((event.get("memory", 0) for event in events), default=0)
    print(f"first run: {len(made)} objects, up to {peak / 1e9:.1f} GB with 2 jobs: "
          + ", ".join(f"{name} {took:.0f} s" for name, (took, _, _) in made.items()), flush=True)
    if not made:
        pytest.skip(f"not one object in {FIRST} s on this machine")
    seen = set()

    def another(pid):
        seen.update(compiling(pid))
        return set(finished(varve.store)) - set(made)
    more, events = run_until(varve, another, SECOND)
    assert len(seen) >= 2 and not seen & {name.replace(".o", ".cu") for name in made}, (seen, made)
    assert {name: finished(varve.store)[name] for name in made} == made
    if more:
        assert events[-1]["total"] == FILES - len(made), events[-1]
    print(f"second run: at {sorted(seen)}, {len(more)} of {events[-1]['total'] if events else '?'} finished")
