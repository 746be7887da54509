# SPDX-License-Identifier: Apache-2.0
"""The torch layers of recipes/linnaeus.yaml (36 wheels, 3 GB) from the store, beside uv and tar for the same files."""
import json
import os
import pathlib
import shutil
import subprocess

TOP = pathlib.Path(__file__).resolve().parents[2]
NEEDED = 30 << 30  # of disk


def recipe(requirements, before):
    """One image below, so that only the wheels are measured."""
    system = {"kind": "debian", "suite": "bookworm", "packages": ["python3.11"]}
    wheels = {"kind": "python", "python": "3.11", "requirements": requirements, "before": before}
    return {"varve": 1, "name": "torch", "options": {"split": {"default": "wheels", "help": "h"}},
            "sources": {"system": system, "torch": wheels},
            "stages": {"system": {"steps": [{"step": "system", "install": "system"}]},
                       "torch": {"from": "system",
                                 "steps": [{"step": "torch", "install": "torch", "into": "/opt/venv", "split": "${split}"}]}},
            "images": {"below": {"stage": "system", "name": "bench/below:1"}, "torch": {"stage": "torch", "name": "bench/torch:1"}}}


def locked():
    """What the recipe's lock has for torch 2.7.1: requirements and date."""
    for source in json.loads((TOP / "recipes/linnaeus.lock.json").read_text())["sources"]:
        if source["name"] == "torch" and "torch==2.7.1" in source["spec"]["requirements"]:
            return source["spec"]["requirements"], source["spec"]["before"]
    raise SystemExit("bench: the lock has no torch 2.7.1")


def link_wheels(seed, lock, work):
    """The wheels under their names, and uv."""
    directory = work / "wheels"
    directory.mkdir()
    torch = next(one for one in json.loads(lock.read_text())["sources"] if one["name"] == "torch")
    for one in torch["artifacts"]:
        if one.get("tool") != "only":
            os.link(seed / "blobs/sha256" / one["sha256"], directory / one["from"].rsplit("/", 1)[-1])
    return directory, next((seed / "caches/.uv").glob("uv-*"))


def bench_torch(work, runs, varve, measure, row):
    if shutil.disk_usage(work).free < NEEDED:
        return print(f"torch: less than {NEEDED >> 30} GiB of disk")
    file, seed, store = work / "torch.yaml", work / "seed", work / "store"
    file.write_text(json.dumps(recipe(*locked())))
    quiet = {"stdout": subprocess.DEVNULL, "check": True}
    subprocess.run([varve, "fetch", file, "--store", seed], **quiet)
    subprocess.run([varve, "build", file, "-i", "below", "--store", seed], **quiet)
    wheels, uv = link_wheels(seed, work / "torch.lock.json", work)

    def fresh():
        shutil.rmtree(store, ignore_errors=True)
        subprocess.run(["cp", "-al", seed, store], check=True)
        os.sync()

    def clean():
        shutil.rmtree(work / "peer", ignore_errors=True)
        (work / "peer").mkdir()
        os.sync()
    peer = measure(f"cd {work}/peer; export UV_CACHE_DIR=$PWD/cache UV_OFFLINE=1 UV_NO_INSTALLER_METADATA=1; "
                   f"{uv} venv -q -p /usr/bin/python3 venv; {uv} pip install -q --no-deps --no-index -p venv/bin/python {wheels}/*.whl; "
                   "rm -rf cache; tar --sort=name -c venv | zstd -q -3 -T2 >layer.zst", runs, clean)
    shutil.rmtree(work / "peer")
    row("torch 2.7.1, wheels present", "uv pip install; tar | zstd -3", peer)
    for split in ("none", "wheels"):
        own = measure([varve, "build", file, "-i", "torch", "--split", split, "--store", store, "--locked"], runs, fresh)
        row("torch 2.7.1, wheels present", f"varve, split: {split}", own, peer, goal={"ratio": 1.3})
    return None
