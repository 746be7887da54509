# SPDX-License-Identifier: Apache-2.0
"""What varve adds to a compile: the same ninja file in a step and in a plain chroot of the same files, in turns.
Root's, for chroot. The step's time is that of the whole build: from the start of the program to the finished image."""
import json
import os
import pathlib
import shutil
import statistics
import subprocess

FILES = 24
# Each file keeps the compiler busy for a second or so and reads few headers: so does nvcc.
MAKE = """mkdir -p /out && cd /out
for n in $(seq %d); do
	{ echo '#include <stdio.h>'; for k in $(seq 1500); do
		echo "int f$${n}_$k(int x) { for (int i = 0; i < x; i++) x += printf(\\"$k %%d\\", x * i / (i + $k)); return x; }"; done; } >f$n.c
done
{ echo 'rule cc'; echo '  command = gcc -O2 -c $in -o $out'; for n in $(seq %d); do echo "build f$n.o: cc f$n.c"; done; } >build.ninja
""" % (FILES, FILES)
COMPILE = "cd /tmp && cp /out/* . && ninja -j 2 >/dev/null && sha256sum *.o >/objects"


def recipe():
    return {"varve": 1, "name": "compile", "options": {"round": {"default": "0"}},
            "sources": {"tools": {"kind": "debian", "suite": "bookworm", "packages": ["gcc", "libc6-dev", "ninja-build"]}},
            "stages": {"main": {"steps": [
                {"step": "tools", "install": "tools"}, {"step": "files", "run": MAKE},
                {"step": "compile", "environment": {"ROUND": "${round}"}, "jobs": 2, "run": COMPILE}]}},
            "images": {"main": {"stage": "main", "name": "bench/compile:1"}}}


def plain_root(store, root):
    """The layers below the compile, one over the other. Root's trees are the files themselves."""
    records = [json.loads(path.read_text()) for path in (store / "steps").glob("*.json")]
    for name in ("tools", "files"):
        record = next(one for one in records if one["step"].endswith(f"/{name}"))
        tree = store / "trees/root" / record["layer"]["diffId"].removeprefix("sha256:") / "fs"
        subprocess.run(["cp", "-a", f"{tree}/.", root], check=True)


def bench(work, runs, binary, measure, row):
    """measure and row as in tests/bench/run."""
    work = pathlib.Path(work)
    store, root = work / "store", work / "root"
    root.mkdir()
    file = work / "compile.yaml"
    file.write_text(json.dumps(recipe()))
    own = [binary, "build", file, "--store", store, "--progress", "quiet"]
    subprocess.run([*own, "--round", "first"], check=True, stdout=subprocess.DEVNULL)
    plain_root(store, root)
    took = {"chroot": [], "varve": []}
    for number in range(runs):
        shutil.rmtree(root / "tmp", ignore_errors=True)
        (root / "tmp").mkdir()
        took["chroot"].append(measure(["chroot", root, "/bin/sh", "-c", COMPILE], 1))
        took["varve"].append(measure([*own, "--round", number], 1))
    median = {name: tuple(statistics.median(column) for column in zip(*rows)) for name, rows in took.items()}
    what = f"compile of {FILES} files with ninja"
    row(what, "plain chroot", median["chroot"])
    row(what, "varve build", median["varve"], median["chroot"])


def available():
    return os.geteuid() == 0
