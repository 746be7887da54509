#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The golden trees: what they hold, how to build them, and their tar, byte by byte.

The tar is put together here from the grammar in src/layer/layer_tar.h, without the code under test
and without a tar library. `make.py` writes the expected digests beside itself; run it only when the
rules of layers change on purpose (LAYER_RULES_VERSION)."""
import hashlib
import json
import os
import random
import stat
import sys


class Entry:
    def __init__(self, kind, path, data=b"", mode=None, uid=0, gid=0, mtime=0, xattrs=None, implied=False):
        self.kind = kind  # d f l(symlink) h(hard link) p w
        self.path = path.encode() if isinstance(path, str) else path
        self.data = data.encode() if isinstance(data, str) else data
        default = {"d": 0o755, "l": 0o777}.get(kind, 0o644)
        self.mode = default if mode is None else mode
        self.uid, self.gid, self.mtime = uid, gid, mtime
        self.xattrs = xattrs or {}
        self.implied = implied


def content(seed, size):
    """Bytes that do not compress to nothing and are the same everywhere."""
    block = hashlib.sha256(str(seed).encode()).digest() * 32
    return (block * (size // len(block) + 1))[:size]


def directory(path, **more):
    return Entry("d", path, **more)


def names():
    yield directory("a")
    yield Entry("f", "a/z", "1")
    for name in ("a-b", "a.c", "a0", "B", "b", " ", "new\nline", "ä", "e\u0301", "#", "~"):
        yield Entry("f", name, name)
    yield Entry("f", b"\xff\xfe", "not UTF-8")
    yield Entry("f", "n" * 100, "100")
    yield Entry("f", "n" * 101, "101")
    yield directory("d" * 99)
    yield directory("d" * 100)
    yield directory("e" * 155)
    yield Entry("f", "e" * 155 + "/" + "f" * 100, "split")
    yield Entry("f", "e" * 155 + "/" + "f" * 101, "not split")
    yield directory("e" * 155 + "/" + "g" * 99)
    path = "deep"
    yield directory(path)
    for i in range(12):
        path += "/" + "%02d" % i * 20
        yield directory(path)
    yield Entry("f", path + "/" + "ü" * 60, "long")
    yield Entry("f", path + "/" + "x" * 255, "longer")


def attributes():
    yield directory("setgid", mode=0o2775, gid=50, mtime=1)
    yield directory("sticky", mode=0o1777, mtime=2)
    yield Entry("f", "setuid", "x", mode=0o6755, mtime=315532800)
    yield Entry("f", "none", "x", mode=0, uid=1, gid=2, mtime=1 << 33)
    yield Entry("f", "late", "x", mtime=(1 << 33) - 1)
    yield Entry("p", "fifo", mode=0o600, uid=65534, gid=65534)
    yield Entry("l", "link", "target", uid=12, gid=34, mtime=56)
    yield Entry("f", "xattr", "x", xattrs={"user.b": b"2", "user.a": b"\x00\xff=\n", "user.long": b"v" * 1000})
    yield directory("xattr-dir", xattrs={"user.d": b""})
    capability = bytes.fromhex("0100000200200000000000000000000000000000")
    yield Entry("f", "capable", "x", mode=0o755, xattrs={"security.capability": capability})


def ids():
    yield Entry("f", "small", "x", uid=2097151, gid=2097151)
    yield Entry("f", "large", "x", uid=2097152, gid=4294967294)


def links():
    yield directory("b")
    yield Entry("f", "b/first", "shared", mode=0o755, uid=7, mtime=9)
    yield Entry("h", "b/second", "b/first")
    yield Entry("h", "a", "b/first")
    yield Entry("f", "z", "other")
    yield Entry("h", "y", "z")
    yield Entry("l", "dangling", "/no/such")
    yield Entry("l", "long", "t" * 101)
    yield Entry("l", "exact", "t" * 100)
    yield directory("l" * 90)
    yield Entry("f", "l" * 90 + "/" + "m" * 90, "far", mtime=3)
    yield Entry("h", "zz", "l" * 90 + "/" + "m" * 90)


def whiteouts():
    yield Entry("w", "zzz")
    yield Entry("w", "aaa")
    yield Entry("f", "#first", "x")
    yield directory("implied", implied=True)
    yield Entry("w", "implied/gone")
    yield Entry("f", "implied/+", "x")
    yield directory("opaque", xattrs={"user.overlay.opaque": b"y"})
    yield Entry("f", "opaque/x", "x")
    yield directory("escaped", xattrs={"user.overlay.overlay.opaque": b"y"})
    yield directory("n" * 200)
    yield Entry("w", "n" * 200 + "/" + "w" * 200)


def sizes():
    around = (0, 1, 511, 512, 513, 1 << 20, (1 << 20) - 512, (1 << 20) - 1536, (1 << 20) + 1, 3 << 20)
    for size in around:
        yield Entry("f", "size-%d" % size, content(size, size))
    for i in range(40):
        yield directory("dir%d" % i, mtime=i)
        for k in range(50):
            yield Entry("f", "dir%d/file%d" % (i, k), content(i * 50 + k, 37 * k), mtime=k)


def unit():
    """The tree of golden_digest in tests/unit/test_layer_write.c."""
    yield directory("bin", mtime=1000)
    yield Entry("f", "bin/tool", "#!/bin/sh\n", mode=0o4755, mtime=1234567890)
    yield Entry("h", "bin/alias", "bin/tool")
    yield directory("var", mode=0o2775, gid=50, mtime=5)
    yield Entry("f", "var/empty", mode=0o600, uid=1, gid=2, mtime=315532800)
    yield Entry("l", "lib", "usr/lib", mtime=7)
    yield Entry("w", "gone")


TREES = {"empty": lambda: (), "unit": unit, "names": names, "attributes": attributes, "ids": ids,
         "links": links, "whiteouts": whiteouts, "sizes": sizes}


# Building.

def make_entry(root, e):
    path = os.path.join(root, e.path)
    if e.kind == "d":
        os.makedirs(path, exist_ok=True)
    elif e.kind == "f":
        with open(path, "wb") as f:
            f.write(e.data)
    elif e.kind == "l":
        os.symlink(e.data, path)
    elif e.kind == "h":
        os.link(os.path.join(root, e.data), path)
    elif e.kind == "p":
        os.mkfifo(path)
    else:
        os.mknod(path, stat.S_IFCHR, os.makedev(0, 0))


def decorate(root, e):
    path = os.path.join(root, e.path)
    if e.kind in "hw":
        return
    os.chown(path, e.uid, e.gid, follow_symlinks=False)
    for name, value in e.xattrs.items():
        os.setxattr(path, name, value)
    if e.kind != "l":
        os.chmod(path, e.mode)
    os.utime(path, ns=(1, e.mtime * 10**9 + 123456789), follow_symlinks=False)


def build(root, entries, seed):
    """Makes the tree in an order that depends on the seed."""
    shuffled = list(entries)
    random.Random(seed).shuffle(shuffled)
    shuffled.sort(key=lambda e: "dflpwh".index(e.kind))
    root = os.fsencode(root)
    for e in shuffled:
        make_entry(root, e)
    for e in shuffled:
        if e.kind != "d":
            decorate(root, e)
    for e in sorted((e for e in shuffled if e.kind == "d"), key=lambda e: -e.path.count(b"/")):
        decorate(root, e)


# The expected tar.

def in_order(entries):
    """A directory before its content; in it whiteouts first, then names bytewise."""
    whiteouts_of = {e.path for e in entries if e.kind == "w"}

    def key(e):
        parts = e.path.split(b"/")
        paths = [b"/".join(parts[:i + 1]) for i in range(len(parts))]
        return [(path not in whiteouts_of, part) for path, part in zip(paths, parts)]
    return sorted(entries, key=key)


def octal(value, size):
    return b"%0*o\0" % (size - 1, value)


def ustar(name, kind, mode, uid, gid, size, mtime, link=b"", prefix=b""):
    def field(value, length):
        assert len(value) <= length
        return value.ljust(length, b"\0")
    head = field(name, 100) + octal(mode, 8) + octal(uid, 8) + octal(gid, 8) + octal(size, 12) + octal(mtime, 12)
    tail = kind + field(link, 100) + b"ustar\00000" + bytes(64) + octal(0, 8) + octal(0, 8) + field(prefix, 155) + bytes(12)
    total = sum(head) + sum(tail) + 8 * 32
    return head + octal(total, 7) + b" " + tail


def padded(data):
    return data + bytes(-len(data) % 512)


def record(keyword, value):
    rest = b" " + keyword + b"=" + value + b"\n"
    size = len(rest) + 1
    while size != len(rest) + len(str(size)):
        size = len(rest) + len(str(size))
    return str(size).encode() + rest


def fields_of(path):
    """Name and prefix fields, and whether they hold the whole path."""
    if len(path) <= 100:
        return path, b"", True
    cuts = [i for i in range(1, len(path) - 1) if path[i:i + 1] == b"/" and i <= 155]
    if cuts and len(path) - cuts[-1] - 1 <= 100:
        return path[cuts[-1] + 1:], path[:cuts[-1]], True
    return path[:100], b"", False


def image_xattrs(e):
    for name, value in sorted(e.xattrs.items()):
        if name.startswith("user.overlay.overlay."):
            yield "user.overlay." + name[len("user.overlay.overlay."):], value
        elif not name.startswith("user.overlay."):
            yield name, value


def member(path, kind, mode=0, uid=0, gid=0, mtime=0, data=b"", link=b"", xattrs=()):
    name, prefix, whole = fields_of(path)
    records = [record(b"SCHILY.xattr." + k.encode(), v) for k, v in xattrs]
    limit, late = 0o7777777, 0o77777777777
    if gid > limit:
        records.append(record(b"gid", b"%d" % gid))
    if len(link) > 100:
        records.append(record(b"linkpath", link))
    if mtime > late:
        records.append(record(b"mtime", b"%d" % mtime))
    if not whole:
        records.append(record(b"path", path))
    if uid > limit:
        records.append(record(b"uid", b"%d" % uid))
    out = b""
    if records:
        text = b"".join(records)
        out += ustar(b"././@PaxHeader", b"x", 0o644, 0, 0, len(text), 0) + padded(text)
    out += ustar(name, kind, mode, 0 if uid > limit else uid, 0 if gid > limit else gid, len(data),
                 0 if mtime > late else mtime, link[:100], prefix)
    return out + padded(data)


def mark(path):
    head, _, name = path.rpartition(b"/")
    return (head + b"/" if head else b"") + b".wh." + name


def expected(entries):
    """The names of the members and the bytes of the tar."""
    by_path = {e.path: e for e in entries}
    first, listed, out = {}, [], []
    for e in in_order(entries):
        if e.kind == "w":
            listed.append(mark(e.path))
            out.append(member(listed[-1], b"0"))
            continue
        if e.kind == "d":
            if not e.implied:
                listed.append(e.path + b"/")
                out.append(member(listed[-1], b"5", e.mode, e.uid, e.gid, e.mtime, xattrs=list(image_xattrs(e))))
            if e.xattrs.get("user.overlay.opaque") == b"y":
                listed.append(e.path + b"/.wh..wh..opq")
                out.append(member(listed[-1], b"0"))
            continue
        listed.append(e.path)
        inode = by_path[e.data] if e.kind == "h" else e
        common = (inode.mode, inode.uid, inode.gid, inode.mtime)
        if e.kind in "fh" and inode.path in first:
            out.append(member(e.path, b"1", *common, link=first[inode.path]))
        elif e.kind in "fh":
            first[inode.path] = e.path
            out.append(member(e.path, b"0", *common, data=inode.data, xattrs=list(image_xattrs(inode))))
        elif e.kind == "l":
            out.append(member(e.path, b"2", *common, link=e.data))
        else:
            out.append(member(e.path, b"6", *common))
    return listed, b"".join(out) + bytes(1024)


def describe(name):
    entries = list(TREES[name]())
    listed, tar = expected(entries)
    return {"name": name, "diffId": "sha256:" + hashlib.sha256(tar).hexdigest(), "tarSize": len(tar),
            "entries": len(listed)}


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    for name in TREES:
        with open(os.path.join(here, name + ".json"), "w", encoding="ascii") as f:
            f.write(json.dumps(describe(name), sort_keys=True) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
