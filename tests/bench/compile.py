# SPDX-License-Identifier: Apache-2.0
"""What varve adds to a compile: the same ninja file in a step and in a plain chroot of the same files, in turns.
Root's, for chroot. The step's time is that of the whole build: from the start of the program to the finished image."""
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import time

FILES, FUNCTIONS = 24, 300
PAIRS = 9
BUDGET = 420  # seconds after which no further pair is begun
# Each file keeps the compiler busy for two seconds or so and reads few headers: so does nvcc.
MAKE = """mkdir -p /out && cd /out
for n in $(seq %d); do
	{ echo '#include <stdio.h>'; for k in $(seq %d); do
		echo "int f$${n}_$k(int x) { for (int i = 0; i < x; i++) x += printf(\\"$k %%d\\", x * i / (i + $k)); return x; }"; done; } >f$n.c
done
{ echo 'rule cc'; echo '  command = gcc -O2 -c $in -o $out'; for n in $(seq %d); do echo "build f$n.o: cc f$n.c"; done; } >build.ninja
""" % (FILES, FUNCTIONS, FILES)
COMPILE = "cd /tmp && cp /out/* . && ninja -j 2 >/dev/null && sha256sum *.o >/objects"


def recipe():
    return {"varve": 1, "name": "compile", "options": {"round": {"default": "0"}},
            "sources": {"tools": {"kind": "debian", "suite": "bookworm", "packages": ["gcc", "libc6-dev", "ninja-build"]}},
            "stages": {"below": {"steps": [{"step": "tools", "install": "tools"}, {"step": "files", "run": MAKE}]},
                       "main": {"from": "below", "steps": [
                           {"step": "compile", "environment": {"ROUND": "${round}"}, "jobs": 2, "run": COMPILE}]}},
            "images": {"below": {"stage": "below", "name": "bench/below:1"}, "main": {"stage": "main", "name": "bench/compile:1"}}}


def plain_root(store, root):
    """The layers below the compile, one over the other. Root's trees are the files themselves."""
    records = [json.loads(path.read_text()) for path in (store / "steps").glob("*.json")]
    for name in ("tools", "files"):
        record = next(one for one in records if one["step"].endswith(f"/{name}"))
        tree = store / "trees/root" / record["layer"]["diffId"].removeprefix("sha256:") / "fs"
        subprocess.run(["cp", "-a", f"{tree}/.", root], check=True)


def run_plain(root, measure):
    shutil.rmtree(root / "tmp", ignore_errors=True)
    (root / "tmp").mkdir()
    return measure(["chroot", root, "/bin/sh", "-c", COMPILE], 1)


def bench(work, runs, binary, measure, row):
    """measure and row as in tests/bench/run. Pairs in turns, each begun by the other: at least three, as many as runs asks
    for, but no more once BUDGET is spent. What counts is the middle one of the pairs' ratios."""
    work = pathlib.Path(work)
    store, root = work / "store", work / "root"
    root.mkdir()
    file = work / "compile.yaml"
    file.write_text(json.dumps(recipe()))
    own = [binary, "build", file, "--store", store, "--progress", "quiet", "-i"]
    subprocess.run([*own, "below"], check=True, stdout=subprocess.DEVNULL)
    own += ["main", "--locked"]
    plain_root(store, root)
    pairs, begun = [], time.monotonic()
    while len(pairs) < 3 or (len(pairs) < max(runs, PAIRS) and time.monotonic() - begun < BUDGET):
        both = {}
        for who in ("chroot", "varve") if len(pairs) % 2 else ("varve", "chroot"):
            both[who] = run_plain(root, measure) if who == "chroot" else measure([*own, "--round", len(pairs)], 1)
        pairs.append((both["chroot"], both["varve"]))
    what = f"compile of {FILES} files with ninja"
    middle = [tuple(statistics.median(column) for column in zip(*column)) for column in zip(*pairs)]
    row(what, "plain chroot", middle[0])
    row(what, "varve build", middle[1], middle[0], goal={"ratio": 1.02})
    wall, processor = (statistics.median(varve[of] / chroot[of] for chroot, varve in pairs) for of in (0, 2))
    print(f"{what:34} {len(pairs)} pairs, middle ratio: wall {wall:.3f} x, processor {processor:.3f} x", flush=True)


def available():
    return os.geteuid() == 0
