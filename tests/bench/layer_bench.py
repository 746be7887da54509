# SPDX-License-Identifier: Apache-2.0
"""Trees to layers, with both digests: against pipes that make neither.

	write	1.09 GB in 5,000 files, zstd -1 and -3: tar | zstd -T2; the best peer
	small	60,000 small files and two of 600 MB, zstd -3; zstd:chunked
	changed	of these 1 % changed: zstd:chunked the first time, and beside the layer before
	gzip	1.09 GB, gzip -6: tar | pigz -6, and what sha256 of tar and blob adds
"""
import filecmp
import json
import pathlib
import random
import shutil
import subprocess

from measuring import alternate, have, measure, row, skip
from trees import make_tree

TOP = pathlib.Path(__file__).resolve().parents[2]
LAYER_TOOL = TOP / "build-bench/tests/golden/layer_tool"
LARGE = 600 << 20


def words_of(seed):
    rng = random.Random(seed)
    return rng, [rng.randbytes(rng.randint(3, 12)) for _ in range(4096)]


def some_bytes(rng, words, size):
    """Half of it compresses well."""
    half = size // 2
    return b"".join(rng.choices(words, k=half // 8 + 1))[:half] + rng.randbytes(size - half)


def make_large(path):
    rng, words = words_of(path.name)
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "wb") as file:
        for _ in range(LARGE >> 20):
            file.write(some_bytes(rng, words, 1 << 20))


def warm(tree):
    subprocess.run(f"tar -c -C {tree} . | cat >/dev/null", shell=True, check=True)


def tar_of(tree):
    return f"tar --sort=name -c -C {tree} ."


def bench_write(work, runs):
    tree = work / "tree"
    make_tree(tree, 5000, 1 << 30)
    warm(tree)
    for level, seconds in ((1, 2.6), (3, 3.3)):
        took = alternate({"pipe": f"{tar_of(tree)} | zstd -q -{level} -T2 >{work}/pipe.zst",
                          "varve": [LAYER_TOOL, "pack", tree, f"zstd:{level}", work / "blob"]}, runs)
        name = f"1 GB, 5,000 files, zstd -{level}"
        row(name, f"tar | zstd -{level} -T2", took["pipe"])
        row(name, "varve", took["varve"], took["pipe"], {"ratio": 1.15, "seconds": seconds, "peak_mb": 64})
    if not have("umoci"):
        return skip(name, "umoci")

    def fresh():
        shutil.rmtree(work / "umoci", ignore_errors=True)
        subprocess.run(["umoci", "init", "--layout", work / "umoci"], check=True)
        subprocess.run(["umoci", "new", "--image", f"{work}/umoci:t"], check=True)
    peer = measure(["umoci", "insert", "--image", f"{work}/umoci:t", tree, "/t"], 1, fresh)
    row(name, "umoci insert (gzip)", peer)
    return row(name, "varve, beside umoci", took["varve"], peer, {"ratio": 1 / 1.6})


def change_one_percent(tree):
    for path in sorted((tree / "small").rglob("f*"))[::100]:
        path.write_bytes(path.read_bytes() + b"changed")


def make_small(tree):
    (tree / "small").mkdir(parents=True)
    make_tree(tree / "small", 60000, 250 << 20)
    for name in ("a.bin", "b.bin"):
        make_large(tree / "large" / name)
    warm(tree)


def bench_small(work, runs):
    tree = work / "tree"
    make_small(tree)
    took = alternate({"pipe": f"{tar_of(tree)} | zstd -q -3 -T2 >{work}/pipe.zst",
                      "varve": [LAYER_TOOL, "pack", tree, "zstd:3", work / "blob"],
                      "chunked": [LAYER_TOOL, "pack", tree, "zstd:chunked:3", work / "first"]}, runs)
    name = "60,000 small files, two of 600 MB"
    row(name, "tar | zstd -3 -T2", took["pipe"])
    row(name, "varve, zstd -3", took["varve"], took["pipe"], {"ratio": 1.15, "peak_mb": 64})
    row(name, "varve, zstd:chunked", took["chunked"], took["pipe"])


def bench_changed(work, runs):
    """A layer like one that is there: the first time and again, in turns. What a local source's stat cache knows (here
    remember, outside the time, as the first build has it anyway) vouches for files; without it frames alone are used."""
    tree = work / "tree"
    make_small(tree)
    subprocess.run([LAYER_TOOL, "pack", tree, "zstd:chunked:3", work / "first"], check=True, stdout=subprocess.DEVNULL)
    subprocess.run([LAYER_TOOL, "remember", tree, work / "store"], check=True)
    change_one_percent(tree)
    pack = [LAYER_TOOL, "pack", tree, "zstd:chunked:3"]
    commands = {"whole": [*pack, work / "whole"],
                "again": [*pack, work / "again", "0", "-", work / "first", work / "store"],
                "unknown": [*pack, work / "unknown", "0", "-", work / "first"]}

    def fresh(name):  # emptying a file is no part of it
        return lambda: (work / name).unlink(missing_ok=True)
    took = alternate(commands, runs, {name: fresh(name) for name in commands})
    for made in ("again", "unknown"):
        assert filecmp.cmp(work / made, work / "whole", shallow=False), made
    name = "60,000 small, two of 600 MB, 1 %"
    row(name, "varve, zstd:chunked", took["whole"])
    row(name, "again, copied files", took["again"], took["whole"], {"ratio": 0.2, "peak_mb": 64})
    row(name, "again, files of a command", took["unknown"], took["whole"], {"peak_mb": 64})


def bench_gzip(work, runs):
    if not have("pigz"):
        return skip("1 GB, 5,000 files, gzip -6", "pigz")
    tree = work / "tree"
    make_tree(tree, 5000, 1 << 30)
    warm(tree)
    told = subprocess.run([LAYER_TOOL, "pack", tree, "none", work / "tar"], check=True, capture_output=True, text=True)
    assert json.loads(told.stdout)["tarSize"] > 1 << 29
    took = alternate({"pipe": f"{tar_of(tree)} | pigz -6 -p2 >{work}/pipe.gz",
                      "hashes": f"openssl dgst -sha256 {work}/tar {work}/pipe.gz",
                      "varve": [LAYER_TOOL, "pack", tree, "gzip:6", work / "blob"]}, runs)
    name = "1 GB, 5,000 files, gzip -6"
    both = tuple(a + b for a, b in zip(took["pipe"], took["hashes"]))
    row(name, "tar | pigz -6 -p2", took["pipe"])
    row(name, "the same and the hashes", both)
    return row(name, "varve", took["varve"], both, {"ratio": 1.15, "peak_mb": 64})


BENCHES = {"write": bench_write, "small": bench_small, "changed": bench_changed, "gzip": bench_gzip}
