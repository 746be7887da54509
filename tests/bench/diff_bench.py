# SPDX-License-Identifier: Apache-2.0
"""varve diff of two images of 1 GB in which one file differs: with and without the indexes of their layers."""
import pathlib
import shutil
import subprocess

from measuring import measure, row

VARVE = pathlib.Path(__file__).resolve().parents[2] / "build-bench/src/cli/varve"
RECIPE = """varve: 1
name: diff
options: {tag: {required: true, help: which of the two}}
sources: {files: {kind: local, path: tree}}
stages: {main: {steps: [{step: files, copy: files, to: /}]}}
images: {main: {stage: main, name: "diff/main:${tag}"}}
"""


def bench_diff(work, runs, make_tree):
    """The file that differs is looked into: it stands first in the layer, or last, so that all of the layer is passed."""
    tree, store, recipe = work / "tree", work / "store", work / "diff.yaml"
    tree.mkdir()
    make_tree(tree, 5000, 1 << 30)
    recipe.write_text(RECIPE)
    for place, name in (("first", "a"), ("last", "z")):
        for tag in ("a", "b"):
            (tree / name).write_text(f"{tag}\n")
            subprocess.run([VARVE, "build", recipe, "--tag", f"{place}-{tag}", "--store", store, "--progress", "quiet"],
                           check=True, stdout=subprocess.DEVNULL)
        (tree / name).unlink()
    work_of = "diff of two 1 GB images, one file"
    for place in ("first", "last"):
        compare = f"{VARVE} diff diff/main:{place}-a diff/main:{place}-b --store {store} || test $? = 5"
        indexes = store / "facts/layer-files"
        if place == "last":
            row(work_of, "no index", measure(f"rm -rf {indexes}; {compare}", runs))
        row(work_of, f"indexes there, {place} file", measure(compare, runs))
    shutil.rmtree(tree)
    shutil.rmtree(store)
