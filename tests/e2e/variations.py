# SPDX-License-Identifier: Apache-2.0
"""Conditions that a build must not depend on: who builds, where, when, in which locale, on how many cores, and in
which order files were made.

	for row in rows(strength=2): with Bench(varve, files) ...
"""
import contextlib
import itertools
import os
import pathlib
import random
import shutil
import subprocess

AXES = {
    "account": ("root", "subuid", "one"),
    "umask": ("022", "077"),
    "zone": ("UTC", "Pacific/Kiritimati"),
    "locale": ("C", "tr_TR.UTF-8"),
    "cores": (2, 1),
    "directory": ("in", "a longer place, with spaces"),
    "order": ("sorted", "shuffled"),  # in which files are made and, with disorderfs, directories listed
    "day": ("today", "+400d"),
}


def rows(strength=2):
    """Few rows such that each combination of values of any `strength` axes occurs in one; the same rows each time."""
    names = list(AXES)
    open_ = {tuple(zip(some, values)) for some in itertools.combinations(names, strength)
             for values in itertools.product(*(AXES[name] for name in some))}
    found = []
    for row in [tuple(values[0] for values in AXES.values())]:
        found.append(dict(zip(names, row)))
    chance = random.Random(1)
    while True:
        for row in found[-1:]:
            open_ -= {pairs for pairs in open_ if all(row[name] == value for name, value in pairs)}
        if not open_:
            return found
        candidates = []
        for _ in range(60):
            row = {name: chance.choice(values) for name, values in AXES.items()}
            row.update(dict(chance.choice(sorted(open_, key=repr))))
            candidates.append(row)
        found.append(max(candidates, key=lambda row: sum(all(row[name] == value for name, value in pairs) for pairs in open_)))


def can_disorder():
    return os.getuid() == 0 and bool(shutil.which("disorderfs")) and os.access("/dev/fuse", os.W_OK)


@contextlib.contextmanager
def disordered(path):
    """The directory, listed in another order each time; itself where that is not to be had."""
    if not can_disorder():
        yield path
        return
    real = path.with_name(path.name + ".real")
    path.rename(real)
    path.mkdir()
    subprocess.run(["disorderfs", "--quiet", "--multi-user=yes", "--shuffle-dirents=yes", real, path], check=True,
                   capture_output=True, timeout=20)
    try:
        yield path
    finally:
        subprocess.run(["fusermount", "-u", "-z", path], check=False, capture_output=True, timeout=20)


@contextlib.contextmanager
def in_memory(path, account):
    """The directory as a file system in memory, which lists names in another order than one on a disk; itself where
    that is not to be had."""
    if os.getuid() != 0:
        yield path
        return
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"mode=755,uid={account.uid},gid={account.gid}", "tmpfs", path], check=True,
                   capture_output=True, timeout=20)
    try:
        yield path
    finally:
        subprocess.run(["umount", "-l", path], check=False, capture_output=True, timeout=20)


def copy_in_order(source, target, order):
    """Copies a tree; files are made in the order of their names, or in one of chance."""
    names = sorted(path.relative_to(source) for path in source.rglob("*"))
    if order == "shuffled":
        random.shuffle(names)
    target.mkdir()
    for name in names:
        old, new = source / name, target / name
        new.parent.mkdir(parents=True, exist_ok=True)
        if old.is_symlink():
            new.symlink_to(os.readlink(old))
        elif old.is_dir():
            new.mkdir(exist_ok=True)
        else:
            shutil.copyfile(old, new)
            new.chmod(old.stat().st_mode & 0o777)


def command(row, argv):
    """The command line under the row's conditions."""
    words = [str(word) for word in argv]
    if row["day"] != "today" and shutil.which("faketime"):
        words = ["faketime", "-f", row["day"], *words]
    if row["cores"] == 1:
        words = ["taskset", "-c", str(min(os.sched_getaffinity(0))), *words]
    return ["sh", "-c", 'umask "$0"; exec "$@"', row["umask"], *words]


def environment(row):
    return {"TZ": row["zone"], "LC_ALL": row["locale"], "LANG": row["locale"]}


def build(varve, row, files, recipe, bundle=None, arguments=()):
    """Builds under these conditions in a fresh store; the digest. files: the recipe with all that it names; bundle:
    with the artifacts."""
    place = varve.directory / row["directory"]
    store = pathlib.Path(varve.directory) / "fresh"
    store.mkdir()
    varve.account.own(store)
    copy_in_order(files, place, row["order"])
    varve.account.own(place)
    shuffled = row["order"] == "shuffled"
    with contextlib.ExitStack() as stack:
        if shuffled:
            stack.enter_context(disordered(place))
        # A store on disorderfs is slow; and there an account with subordinate ids may not give files to them.
        if shuffled and (bundle or row["account"] == "subuid"):
            stack.enter_context(in_memory(store, varve.account))
        elif shuffled:
            stack.enter_context(disordered(store))
        env = {**environment(row), "VARVE_STORE": store / "s"}
        if bundle:
            varve("bundle", "import", bundle, varve.directory / "imported", env=env, timeout=900)
        options = ["--offline"] if bundle else []
        jobs = ["-j", "1"] if row["cores"] == 1 else []
        done = varve.run(*command(row, [varve.binary, "build", recipe, *options, *jobs, "--progress", "plain", *arguments]),
                         env=env, cwd=place, timeout=1800)
    assert done.returncode == 0, (row, done.stderr[-3000:])
    return done.stdout.split()[0]
