# SPDX-License-Identifier: Apache-2.0
"""The CUDA extension of recipes/: the real nvcc, torch's own headers, ninja, no network."""
import pathlib
import shutil
import struct
import subprocess

import pytest
from compiles import hand_over, lock_today
from oci_image import Image
from processes import assert_nothing_left, wait_for
from support import Build

RECIPES = pathlib.Path(__file__).resolve().parents[2] / "recipes"
NAME = "varve-demo/cuda-extension:torch2.7.1-sm80"


def take_recipe(varve):
    """The recipe without its lock."""
    shutil.copy(RECIPES / "cuda-extension.yaml", varve.directory)
    shutil.copytree(RECIPES / "cuda-extension", varve.directory / "cuda-extension")
    varve.account.own(varve.directory / "cuda-extension")


def arguments(jobs):
    return ["build", "cuda-extension.yaml", "--locked", "--offline", "--max-jobs", jobs, "--progress", "json"]


def build(varve, jobs, files):
    """files: how many are left to compile and link."""
    result = varve(*arguments(jobs), timeout=1500)
    events = [event for event in Build(result).events if event["event"] == "compile"]
    assert (events[-1]["done"], events[-1]["total"]) == (files, files)
    assert max(event.get("memory", 0) for event in events) > 100 << 20  # cicc and cc1plus are large
    return Image(varve.store, NAME)


def interrupt(varve):
    """SIGKILL once the first of the three files is done, as ninja's own log says."""
    child = varve.start(*arguments("1"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for(lambda: child.poll() is not None or
             any("scale" in log.read_text() for log in varve.store.glob("caches/.resume-*/.ninja_log")), 1500)
    assert child.poll() is None
    varve.stop(child)
    assert_nothing_left(varve.store)


@pytest.mark.slow
def test_twice_the_same(as_user):
    """Other jobs, another store in another directory, another user, who keeps owners in another way and is interrupted."""
    first, second = as_user("subuid"), as_user("one")
    take_recipe(first)
    take_recipe(second)
    lock_today(first, "cuda-extension.yaml")
    first("fetch", "cuda-extension.yaml", timeout=900)
    hand_over(first, second, "cuda-extension.lock.json")
    interrupt(second)
    images = [build(first, "2", 3), build(second, "1", 2)]
    assert images[0].config["rootfs"]["diff_ids"] == images[1].config["rootfs"]["diff_ids"]
    assert images[0].descriptor["digest"] == images[1].descriptor["digest"]
    extension = images[0].files["opt/extension/scale.so"].data
    assert extension[:4] == b"\x7fELF" and struct.unpack("<H", extension[18:20]) == (62,)  # x86-64
    assert b"sm_80" in extension or b"scale_kernel" in extension
    assert b"tmpxft" not in extension  # nvcc's temporary names have a process id
