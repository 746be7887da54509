# SPDX-License-Identifier: Apache-2.0
"""How time and memory grow with the number of files, layers and steps: one of many should take as long as one of few."""
import json
import os
import pathlib
import shutil
import subprocess

import measuring
from measuring import measure, row_each

TOP = pathlib.Path(__file__).resolve().parents[2]
VARVE = TOP / "build-bench/src/cli/varve"
LAYER_TOOL = TOP / "build-bench/tests/golden/layer_tool"
CHAIN = 10  # steps of a stage
BUSYBOX = "/bin/busybox"


class Growing:
    """Rows of one kind of work for growing counts."""

    def __init__(self, unit):
        self.unit, self.each = unit, {}

    def row(self, who, result, count):
        self.each[who] = row_each(f"{count} {self.unit}", who, result, count, self.each.get(who))


def varve(verb, recipe, store):
    return [VARVE, verb, recipe, "--store", store, "--progress", "quiet"]


def plan(recipe, store, runs):
    """Of steps that were not built. The first plan writes facts, which is the file system's work."""
    command = [VARVE, "plan", recipe, "--store", store]
    measure(command, 1)
    return measure(command, runs)


# --- files -----------------------------------------------------------------------------------------

def make_files(where, count):
    """Small files, 100 in a directory, 100 directories in another."""
    for number in range(count):
        directory = where / f"a{number // 10000}" / f"b{number // 100 % 100}"
        if number % 100 == 0:
            directory.mkdir(parents=True)
        with open(directory / f"f{number % 100}", "w", encoding="ascii") as file:
            file.write(f"content of file {number}\n" * (1 + number % 20))


def files_recipe(split):
    step = {"step": "files", "copy": "files", "to": "/f", **({"split": {"maximum": "20MB"}} if split else {})}
    return json.dumps({"varve": 1, "name": "growth", "sources": {"files": {"kind": "local", "path": "files"}},
                       "stages": {"main": {"steps": [step]}}, "images": {"main": {"stage": "main", "name": "growth/files"}}})


def bench_files(work, runs):
    """Removes nothing between its rows: to make a file, ext4 goes through all inodes that were freed in the last
    minutes, one by one, and what would be measured is what was removed before."""
    growing = Growing("files")
    for count in (10_000, 100_000, *([1_000_000] if measuring.full else [])):
        once = runs if count <= 100_000 else 1
        place = work / str(count)
        tree, recipe = place / "files", place / "files.yaml"
        tree.mkdir(parents=True)
        make_files(tree, count)
        growing.row("layer_tool pack", measure([LAYER_TOOL, "pack", tree], once), count)
        for split in (False, True):
            name, store = ("varve build, split", place / "split") if split else ("varve build", place / "store")
            recipe.write_text(files_recipe(split))
            growing.row(name, measure(varve("build", recipe, store), 1), count)
            growing.row(f"{name}, nothing changed", measure(varve("build", recipe, store), once), count)
            if not split:
                growing.row("varve run, unpacks", unpacking(place, store), count)


def unpacking(place, store):
    """The tree of a stored layer made anew from its blob: what any look into an image starts with."""
    (store / "trees").rename(place / "trees-of-before")
    return measure(f"{VARVE} run --store {store} growth/files:latest /no/such 2>/dev/null; test -d {store}/trees/*/*/fs/f", 1)


# --- layers ----------------------------------------------------------------------------------------

def layers_recipe(count):
    """So many layers, and a command that sees them all."""
    steps = [{"step": "root", "copy": "root", "to": "/"}]
    steps += [{"step": f"l{number}", "copy": "one", "to": f"/d/{number % 7}/{number}/"} for number in range(count - 2)]
    steps += [{"step": "look", "run": "find /d | wc -l >/found"}]
    return json.dumps({"varve": 1, "name": "layers", "sources": {"root": {"kind": "local", "path": "root"},
                                                                 "one": {"kind": "local", "path": "one"}},
                       "stages": {"main": {"steps": steps}}, "images": {"main": {"stage": "main", "name": "growth/layers"}}})


def copying(work, arguments, runs):
    """To a place of its own each time: $N counts."""
    place, counter = work / "n", iter(range(1, 1000))
    return measure(f"N=$(cat {place}); {VARVE} copy {arguments}", runs, lambda: place.write_text(str(next(counter))))


def bench_layers(work, runs):
    growing = Growing("layers")
    (work / "root/bin").mkdir(parents=True)
    if not os.access(BUSYBOX, os.X_OK):
        return measuring.skip("layers", "busybox-static")
    shutil.copy(BUSYBOX, work / "root/bin/busybox")
    for name in ("sh", "find", "wc"):
        (work / "root/bin" / name).symlink_to("busybox")
    (work / "one").mkdir()
    (work / "one/file").write_text("one\n")
    for count in (10, 100, 500, 600):  # an overlay takes 500
        recipe, store = work / f"{count}.yaml", work / f"store-{count}"
        recipe.write_text(layers_recipe(count))
        growing.row("varve plan", plan(recipe, store, runs), count)
        growing.row("varve build", measure(varve("build", recipe, store), 1), count)
        growing.row("varve build, nothing changed", measure(varve("build", recipe, store), runs), count)
        growing.row("varve run", measure([VARVE, "run", "--store", store, "growth/layers:latest", "/bin/sh", "-c", "find /d | wc -l"], runs), count)
        growing.row("varve copy to a directory", copying(work, f"store:growth/layers:latest oci:{work}/out-{count}-$N --store {store}", runs), count)
        growing.row("varve copy to a store", copying(work, f"oci:{work}/out-{count}-1 store:growth/layers:latest --store {work}/copy-{count}-$N", runs), count)
    return None


# --- steps -----------------------------------------------------------------------------------------

def steps_recipe(count):
    stages, images = "", ""
    for i in range(count // CHAIN):
        steps = "".join(f"      - {{step: c{n}, copy: files, to: /{i}-{n}}}\n" for n in range(CHAIN))
        stages += f"  s{i}:\n    steps:\n{steps}"
        images += f"  i{i}: {{stage: s{i}, name: growth/i{i}}}\n"
    return f"varve: 1\nname: growth\nsources:\n  files: {{kind: local, path: files}}\nstages:\n{stages}images:\n{images}"


def bench_steps(work, runs):
    growing = Growing("steps")
    (work / "files").mkdir()
    (work / "files/a").write_text("a\n")
    for count in (10, 100, 1000, 10_000):
        recipe, store = work / f"{count}.yaml", work / f"store-{count}"
        recipe.write_text(steps_recipe(count))
        growing.row("varve plan", plan(recipe, store, runs), count)
        if count > 1000 and not measuring.full:  # a build syncs each of them to the disk
            continue
        growing.row("varve build", measure(varve("build", recipe, store), 1), count)
        growing.row("varve build, nothing changed", measure(varve("build", recipe, store), runs), count)


BENCHES = {"growth-steps": bench_steps, "growth-layers": bench_layers, "growth-files": bench_files}
