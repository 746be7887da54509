#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""check.py LAYER_TOOL: packs the golden trees and compares with what make.py says and tarfile reads.

Speaks TAP. Owners need ids: run as root, or as a user with subordinate ids (then in a user namespace
of its own); else everything is skipped with the reason."""
import gzip
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile

import make

HERE = os.path.dirname(os.path.abspath(__file__))
INSIDE = "VARVE_GOLDEN_INSIDE"


class Failure(Exception):
    pass


def enter_namespace():
    """Becomes root of a user namespace; returns a reason when that is impossible."""
    if os.geteuid() == 0:
        return None
    if os.environ.get(INSIDE):
        return "not root in the user namespace"
    probe = ["unshare", "--user", "--map-root-user", "--map-auto"]
    try:
        done = subprocess.run(probe + ["true"], capture_output=True, text=True, check=False)
    except OSError as e:
        return str(e)
    if done.returncode != 0:
        return "no root and no subordinate ids: " + done.stderr.strip()
    os.environ[INSIDE] = "1"
    os.execvp(probe[0], probe + [sys.executable] + sys.argv)


def expect(what, is_, wanted):
    if is_ != wanted:
        raise Failure("%s: %r, not %r" % (what, is_, wanted))


def pack(tool, tree, blob, implied, how="none", threads="2"):
    done = subprocess.run([tool, "pack", tree, how, blob, threads, implied], capture_output=True, text=True, check=False)
    expect("exit status (%s)" % done.stderr.strip(), done.returncode, 0)
    return json.loads(done.stdout)


def read(path):
    with open(path, "rb") as f:
        return f.read()


def check_members(entries, tar):
    """The independent reader sees what was in the tree."""
    kinds = {"f": tarfile.REGTYPE, "d": tarfile.DIRTYPE, "l": tarfile.SYMTYPE, "p": tarfile.FIFOTYPE}
    archive = tarfile.open(fileobj=io.BytesIO(tar), errors="surrogateescape", encoding="utf-8")
    by_name = {m.name.encode("utf-8", "surrogateescape"): m for m in archive.getmembers()}
    for e in entries:
        if e.kind in "hw" or e.implied:
            continue
        m = by_name.get(e.path)
        if m is None:
            raise Failure("tarfile does not see %r" % e.path)
        what = repr(e.path)
        expect(what + " mode, owner", (m.mode, m.uid, m.gid), (e.mode, e.uid, e.gid))
        expect(what + " time, names", (int(m.mtime), m.uname, m.gname), (e.mtime, "", ""))
        linked = m.type == tarfile.LNKTYPE
        if not linked:
            expect(what + " type", m.type, kinds[e.kind])
        if e.kind == "f":
            expect(what + " content", archive.extractfile(m).read(), e.data)
        if e.kind == "l":
            expect(what + " target", m.linkname.encode("utf-8", "surrogateescape"), e.data)
        for name, value in make.image_xattrs(e):
            if linked:
                continue
            text = m.pax_headers.get("SCHILY.xattr." + name)
            expect(what + " " + name, text is not None and text.encode("utf-8", "surrogateescape"), value)


def check(tool, name, work):
    entries = list(make.TREES[name]())
    listed, wanted = make.expected(entries)
    promised = json.loads(read(os.path.join(HERE, name + ".json")))
    expect("make.py against the golden digest", make.describe(name), promised)
    implied = os.path.join(work, "implied")
    with open(implied, "wb") as f:
        f.write(b"".join(e.path + b"\n" for e in entries if e.implied))
    for seed in (1, 2):
        tree, blob = os.path.join(work, "tree%d" % seed), os.path.join(work, "blob")
        os.mkdir(tree)
        make.build(tree, entries, seed)
        said = pack(tool, tree, blob, implied)
        tar = read(blob)
        if tar != wanted:
            at = next((i for i, (a, b) in enumerate(zip(tar, wanted)) if a != b), min(len(tar), len(wanted)))
            raise Failure("the tar differs from byte %d on: %r, not %r" % (at, tar[at:at + 32], wanted[at:at + 32]))
        expect("diff id", said["diffId"], promised["diffId"])
        expect("entries", said["entries"], promised["entries"])
        expect("names", len(listed), promised["entries"])
        check_members(entries, tar)
        zipped = pack(tool, tree, blob, implied, "gzip", str(seed))
        expect("gzip content", gzip.decompress(read(blob)), tar)
        expect("gzip digest", zipped["digest"], "sha256:" + hashlib.sha256(read(blob)).hexdigest())
        expect("gzip diff id", zipped["diffId"], promised["diffId"])
        zstd = [pack(tool, tree, os.devnull, implied, "zstd", n)["digest"] for n in ("1", "3")]
        expect("zstd with other threads", zstd[0], zstd[1])
        check_apply(tool, said, tree, blob, implied, work)


def check_apply(tool, said, tree, blob, implied, work):
    """tree -> blob -> tree -> blob: the same bytes."""
    said = pack(tool, tree, blob, implied, "zstd")
    back, again = os.path.join(work, "back"), os.path.join(work, "implied2")
    os.mkdir(back)
    done = subprocess.run([tool, "apply", blob, said["mediaType"], said["digest"], str(said["size"]), said["diffId"], back],
                          capture_output=True, check=False)
    expect("apply (%r)" % done.stderr, done.returncode, 0)
    expect("implied", done.stdout, read(implied))
    with open(again, "wb") as f:
        f.write(done.stdout)
    expect("diff id after apply", pack(tool, back, os.devnull, again)["diffId"], said["diffId"])
    shutil.rmtree(back)


def needs_more_ids(name):
    """The tree has owners that this namespace has no ids for."""
    top = max((max(e.uid, e.gid) for e in make.TREES[name]()), default=0)
    with open("/proc/self/uid_map", encoding="ascii") as f:
        return all(top >= int(first) + int(count) for first, _, count in map(str.split, f))


def main():
    tool = os.path.abspath(sys.argv[1])
    reason = enter_namespace()
    print("1..%d" % len(make.TREES))
    failed = 0
    for number, name in enumerate(make.TREES, 1):
        skip = reason or (needs_more_ids(name) and "owners beyond the ids of this namespace")
        if skip:
            print("ok %d %s # SKIP %s" % (number, name, skip))
            continue
        with tempfile.TemporaryDirectory(prefix="varve-golden-") as work:
            try:
                check(tool, name, work)
                print("ok %d %s" % (number, name))
            except (Failure, OSError) as e:
                failed = 1
                print("# %s\nnot ok %d %s" % (str(e).replace("\n", "\\n"), number, name))
    return failed


if __name__ == "__main__":
    sys.exit(main())
