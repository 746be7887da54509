# SPDX-License-Identifier: Apache-2.0
"""For tests that compile for real: locks of today, artifacts that are fetched once, what ninja has done.

	lock_today(first, "linnaeus.yaml", "--arch", "ampere")	# skips without a registry
	first("fetch", ...); hand_over(first, second, "linnaeus.lock.json")"""
import json
import shutil

import pytest
from processes import children, read


def lock_today(varve, *recipe):
    """A lock of today: what the one that comes with a recipe names may be gone from mirrors."""
    probe = varve("lock", *recipe, rc=None, timeout=300)
    if probe.rc in (3, 4):
        pytest.skip(f"no registry: {probe.stderr.strip().splitlines()[-1]}")
    assert probe.rc == 0, probe


def hand_over(giver, taker, lock):
    """Gives the lock and its artifacts to another store: a second download would show nothing."""
    text = giver.path(lock).read_text()
    taker.write(lock, text)
    taker("images", rc=None)  # makes the store
    for source in json.loads(text)["sources"]:
        for artifact in source["artifacts"]:
            name = f"blobs/sha256/{artifact['sha256'].removeprefix('sha256:')}"
            (taker.store / name).parent.mkdir(parents=True, exist_ok=True)
            if (giver.store / name).exists():
                shutil.copyfile(giver.store / name, taker.store / name)
    taker.account.own(taker.store)


def hand_over_layers(giver, taker, but):
    """Gives the records and layers of all steps but one, so that the other account has only this one to run."""
    for blob in (giver.store / "blobs/sha256").iterdir():
        if not (taker.store / "blobs/sha256" / blob.name).exists():
            shutil.copyfile(blob, taker.store / "blobs/sha256" / blob.name)
    for record in (giver.store / "steps").glob("*.json"):
        if not json.loads(record.read_text())["step"].endswith(but):
            shutil.copy(record, taker.store / "steps")
    taker.account.own(taker.store)


def finished(store):
    """What ninja notes as done where a step goes on, in the place of Python's setup: object -> (seconds, inode, mtime)."""
    found = {}
    for log in store.glob("caches/.resume-*/build/temp.*/.ninja_log"):
        for line in log.read_text().splitlines()[1:]:
            start, end, _, output, _ = line.split("\t")
            file = log.parent / output.rpartition(f"/{log.parent.name}/")[2]
            if file.exists():
                status = file.stat()
                found[file.name] = ((int(end) - int(start)) / 1000, status.st_ino, status.st_mtime_ns)
    return found


def compiling(pid):
    """Names of the CUDA sources that processes below pid are at."""
    found, below = set(), [pid]
    while below:
        one = below.pop()
        below += children(one)
        words = read(f"/proc/{one}/cmdline").split(b"\0")
        if words[0].endswith(b"cicc"):
            found |= {word.decode().rpartition("/")[2] for word in words if word.endswith(b".cu")}
    return found
