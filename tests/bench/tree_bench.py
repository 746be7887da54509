# SPDX-License-Identifier: Apache-2.0
"""From a blob to a tree, from the store to a layout, and a large local source that did not change."""
import json
import os
import pathlib
import shutil
import subprocess
import threading
import time

from measuring import alternate, measure, row
from trees import make_tree

BUILD = pathlib.Path(__file__).resolve().parents[2] / "build-bench"
VARVE, LAYER_TOOL = BUILD / "src/cli/varve", BUILD / "tests/golden/layer_tool"
SETS = (("1 GB, 5,000 files", 5000, 1 << 30), ("60,000 small files", 60000, 60000 * 4096))


def unpack_one(work, runs, name, files, size, goal):
    tree, blob = work / "tree", work / "blob.zst"
    tree.mkdir()
    make_tree(tree, files, size)
    packed = subprocess.run([LAYER_TOOL, "pack", tree, "zstd", blob], check=True, stdout=subprocess.PIPE)
    layer = json.loads(packed.stdout)
    shutil.rmtree(tree)

    def fresh():
        subprocess.run(["rm", "-rf", work / "out"], check=True)
        (work / "out").mkdir()
        os.sync()  # what another one wrote is not ours to wait for
    pipe, own = f"zstd -q -dc {blob} | tar -x -C {work}/out", "varve, both digests checked"
    apply = [LAYER_TOOL, "apply", blob, layer["mediaType"], layer["digest"], layer["size"], layer["diffId"], work / "out"]
    took = alternate({"zstd -dc | tar -x": pipe, own: apply}, runs, {"zstd -dc | tar -x": fresh, own: fresh})
    row(f"layer to a tree, {name}", "zstd -dc | tar -x", took["zstd -dc | tar -x"])
    row(f"layer to a tree, {name}", own, took[own], took["zstd -dc | tar -x"], goal)
    subprocess.run(["rm", "-rf", work / "out", blob], check=True)


def bench_unpack(work, runs):
    for name, files, size in SETS:
        unpack_one(work, runs, name, files, size, {"ratio": 1.3})


def local_recipe(work):
    """A recipe with a local source of 1 GB, built once: its path and the store's."""
    (work / "src").mkdir()
    make_tree(work / "src", 5000, 1 << 30)
    (work / "r.yaml").write_text("varve: 1\nname: local\nsources:\n  src: {kind: local, path: src}\n"
                                 "stages:\n  main:\n    steps:\n      - {step: code, copy: src, to: /opt/src}\n"
                                 "images:\n  main: {stage: main, name: \"local:1\"}\n")
    return [VARVE, "build", work / "r.yaml", "--store", work / "store"], work / "store"


class Peak:
    """The largest use of a file system while a block runs, sampled, in bytes over that at its start."""

    def __init__(self, where):
        self.where, self.done, self.highest = where, threading.Event(), 0

    def used(self):
        now = os.statvfs(self.where)
        return (now.f_blocks - now.f_bfree) * now.f_frsize

    def sample(self):
        while not self.done.is_set():
            self.highest = max(self.highest, self.used())
            time.sleep(0.005)

    def __enter__(self):
        os.sync()
        self.start = self.highest = self.used()
        self.thread = threading.Thread(target=self.sample)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.done.set()
        self.thread.join()
        os.sync()
        self.highest = max(self.highest, self.used())

    @property
    def bytes(self):
        return self.highest - self.start


def bench_local(work, runs):
    build, store = local_recipe(work)
    with Peak(work) as peak:
        row("1 GB local source", "varve, first build", measure(build, 1))
    usage = json.loads(subprocess.run([VARVE, "du", "--json", "--store", store], check=True, stdout=subprocess.PIPE).stdout)
    both = usage["blobs"] + usage["trees"]
    print(f"{'1 GB local source':34} peak of the disk {peak.bytes / 1e6:.0f} MB, tree and blob {both / 1e6:.0f} MB: {peak.bytes / both:.3f} x")
    time.sleep(2.1)  # younger files are not remembered
    measure(build, 1)
    row("1 GB local source, nothing changed", "varve", measure(build, max(runs, 9)), goal={"seconds": 0.05})
    shutil.rmtree(work / "store")


def bench_beside(work, runs):
    """The layer of a step is compressed while the step above it runs."""
    _, store = local_recipe(work)
    recipe, name = (work / "r.yaml").read_text(), "a 1 GB layer, then a step of 3 s"
    busybox = work / "busybox"
    (busybox / "bin").mkdir(parents=True)
    shutil.copy("/bin/busybox", busybox / "bin/sh")
    (work / "both.yaml").write_text(recipe.replace("sources:\n", "sources:\n  busybox: {kind: local, path: busybox}\n").replace(
        "    steps:\n", "    steps:\n      - {step: root, copy: busybox, to: /}\n").replace(
        "to: /opt/src}\n", "to: /opt/src}\n      - {step: wait, run: \"sleep 3\"}\n"))

    def forget():
        subprocess.run(["rm", "-rf", store], check=True)
        os.sync()
    both = [VARVE, "build", work / "both.yaml", "--store", store]
    took = alternate({"layer": [VARVE, "build", work / "r.yaml", "--store", store], "both": both}, runs, {"layer": forget, "both": forget})
    after = (took["layer"][0] + 3, took["layer"][1], took["layer"][2])
    row(name, "the layer alone, and 3 s", after)
    row(name, "varve", took["both"], after)


def bench_export(work, runs):
    build, store = local_recipe(work)
    subprocess.run(build, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    shutil.rmtree(work / "src")
    time.sleep(2.1)
    for target in (f"oci:{work}/out", f"dir:{work}/out"):
        copy = [VARVE, "copy", "store:local:1", target, "--store", store]

        def fresh():
            shutil.rmtree(work / "out", ignore_errors=True)
            os.sync()
        kind = target.split(":")[0]
        row(f"1 GB image to a new {kind}:", "varve, first time", measure(copy, 1, fresh))
        row(f"1 GB image to a new {kind}:", "varve", measure(copy, max(runs, 5), fresh), goal={"seconds": 0.05})


BENCHES = {"unpack": bench_unpack, "local": bench_local, "beside": bench_beside, "export": bench_export}
