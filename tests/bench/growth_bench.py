# SPDX-License-Identifier: Apache-2.0
"""How time and memory grow with the number of steps: of a plan, of a build, of a build without changes."""
import pathlib
import shutil

from measuring import measure, row_each

VARVE = pathlib.Path(__file__).resolve().parents[2] / "build-bench/src/cli/varve"
CHAIN = 10  # steps of a stage


def recipe(count):
    stages, images = "", ""
    for i in range(count // CHAIN):
        steps = "".join(f"      - {{step: c{n}, copy: files, to: /{i}-{n}}}\n" for n in range(CHAIN))
        stages += f"  s{i}:\n    steps:\n{steps}"
        images += f"  i{i}: {{stage: s{i}, name: growth/i{i}}}\n"
    return f"varve: 1\nname: growth\nsources:\n  files: {{kind: local, path: files}}\nstages:\n{stages}images:\n{images}"


def bench_growth(work, runs):
    (work / "files").mkdir()
    (work / "files/a").write_text("a\n")
    store = work / "store"
    for count in (10, 100, 1000, 10000):
        path = work / f"{count}.yaml"
        path.write_text(recipe(count))
        def varve(verb):
            return [VARVE, verb, path, "--store", store]

        row_each(f"{count} steps", "plan", measure(varve("plan"), runs), count)
        if count > 1000:  # a build syncs each of them to the disk
            continue
        row_each(f"{count} steps", "build", measure(varve("build"), 1), count)
        row_each(f"{count} steps", "build, nothing changed", measure(varve("build"), runs), count)
        shutil.rmtree(store)
