# SPDX-License-Identifier: Apache-2.0
"""60 wheels from the store to a layer, beside `uv pip install` into an environment and `tar | zstd -3 -T2` of it; and
what of the layers is new when one small wheel changes. The wheels are made here: no network, the same on every machine."""
import json
import os
import pathlib
import random
import shutil
import subprocess
import zipfile

from fetch_bench import Server, VARVE, alternate, put_wheel, wheels
from measuring import have, row, row_bytes, skip

WHEELS, BYTES, FILES = 60, 150 * 1000 * 1000, 5000
WORK = f"{WHEELS} wheels (150 MB) to a layer"


def content(rng, words, size):
    """Half of it compresses well, like programs and their data."""
    text = b"".join(rng.choices(words, k=size // 16 + 1))[:size // 2]
    return text + rng.randbytes(size - len(text))


def make_wheels(root):
    """Most are small, few are large; files in proportion. Returns the names."""
    rng = random.Random(3)
    words = [rng.randbytes(rng.randint(3, 12)) for _ in range(4096)]
    weights = sorted((rng.paretovariate(1.1) for _ in range(WHEELS)), reverse=True)
    names = []
    for number, weight in enumerate(weights):
        share = weight / sum(weights)
        count = max(3, int(FILES * share))
        files = {f"part{number:02}/{one % 7}/f{one:04}.dat": content(rng, words, int(BYTES * share / count * rng.uniform(0.2, 1.8)))
                 for one in range(count)}
        put_wheel(root, *wheels.make_wheel(f"part{number:02}", "1.0", files))
        names.append(f"part{number:02}")
    return names


def write_recipe(directory, names, split=False):
    root = {"step": "root", "copy": "root", "to": "/"}
    step = {"step": "wheels", "install": "parts", "into": "/opt/venv", **({"split": "wheels"} if split else {})}
    source = {"kind": "python", "python": wheels.host_python()[1], "requirements": names}
    (directory / "r.yaml").write_text(json.dumps({
        "varve": 1, "name": "python", "sources": {"root": {"kind": "local", "path": "root"}, "parts": source},
        "stages": {"base": {"steps": [root]}, "main": {"from": "base", "steps": [step]}},
        "images": {"base": {"stage": "base", "name": "bench/base"}, "main": {"stage": "main", "name": "bench/main:1"}}}))


def own(work, command, *arguments, store="store"):
    subprocess.run([VARVE, command, work / "r.yaml", *arguments, "--store", work / store, "--progress", "quiet"],
                   check=True, stdout=subprocess.DEVNULL)


def get_uv(work):
    """The program in the wheel that varve locks too."""
    with zipfile.ZipFile(wheels.uv_wheel()) as archive:
        member = next(name for name in archive.namelist() if name.endswith("scripts/uv"))
        (work / "uv").write_bytes(archive.read(member))
    (work / "uv").chmod(0o755)
    return work / "uv"


def bench_python(work, runs):
    if not wheels.host_python() or not wheels.uv_wheel() or not have("zstd"):
        return skip(WORK, "a system Python, uv's wheel and zstd")
    files = work / "files"
    names = make_wheels(files)
    put_wheel(files, wheels.uv_wheel().name, wheels.uv_wheel().read_bytes())
    (work / "root").mkdir()
    wheels.add_python(work / "root")
    server = Server(work, files)
    try:
        mirror = ["--mirror", f"pypi={server.url}/simple"]
        compare(work, runs, names, mirror)
        change_one(work, names, files, mirror)
    finally:
        server.close()


def compare(work, runs, names, mirror):
    write_recipe(work, names)
    own(work, "fetch", *mirror, store="seed")
    own(work, "build", "-i", "base", store="seed")
    uv, place = get_uv(work), work / "venv"

    def fresh():
        for directory in ("store", "venv"):
            shutil.rmtree(work / directory, ignore_errors=True)
        subprocess.run(["cp", "-a", work / "seed", work / "store"], check=True)
        os.sync()
    peer = (f"{uv} -q --no-cache --offline venv --python /usr/bin/python3 {place} && VIRTUAL_ENV={place} {uv} -q --no-cache pip "
            f"install --offline --no-index --find-links {work}/files/packages --link-mode copy {' '.join(names)} && "
            f"tar --sort=name -c -C {place} . | zstd -q -3 -T2 >{work}/layer.zst")
    command = [VARVE, "build", work / "r.yaml", "--offline", "--store", work / "store", "--progress", "quiet"]
    mine, theirs = alternate(command, peer, max(runs, 5), fresh)
    row(WORK, "uv pip install, tar | zstd", theirs)
    row(WORK, "varve build", mine, theirs)


def layers(work):
    """digest -> size of the layers of the image."""
    out = subprocess.run([VARVE, "inspect", "bench/main:1", "--json", "--store", work / "store"], check=True, capture_output=True)
    document = json.loads(out.stdout)
    manifest = document.get("manifest", document)
    return {one["digest"]: one["size"] for one in manifest["layers"]}


def change_one(work, names, files, mirror):
    shutil.rmtree(work / "store", ignore_errors=True)
    write_recipe(work, names, split=True)
    own(work, "build", *mirror)
    before = layers(work)
    small = names[-1]
    put_wheel(files, *wheels.make_wheel(small, "1.1", {f"{small}/new.dat": b"another version\n" * 500}))
    own(work, "lock", "--upgrade", "parts", *mirror)
    own(work, "build", *mirror)
    after = layers(work)
    new = sum(size for digest, size in after.items() if digest not in before)
    total = sum(after.values())
    row_bytes("one small wheel of them changed", "varve build, split: wheels", new, total, f"new layers, {100 * new / total:.2f} %")
