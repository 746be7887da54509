# SPDX-License-Identifier: Apache-2.0
"""Reads layer blobs with Python's own zlib, hashlib and tarfile (and the zstd program)."""
import contextlib
import datetime
import hashlib
import subprocess
import tarfile
import tempfile
import zlib

BLOCK = 1 << 20
WHITEOUT = ".wh."


class LayerProblems(Exception):
    """The blob cannot be read at all."""


def gunzip(file):
    """One member and nothing after it, as strict readers want."""
    stream = zlib.decompressobj(wbits=31)
    while block := file.read(BLOCK):
        if stream.eof:
            raise LayerProblems("bytes after the end of the gzip member")
        yield stream.decompress(block)
    if not stream.eof or stream.unused_data:
        raise LayerProblems("the gzip member is cut, or followed by more")
    yield stream.flush()


def unzstd(file):
    child = subprocess.Popen(["zstd", "-dcq"], stdin=file, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    with child:
        while block := child.stdout.read(BLOCK):
            yield block
        message = child.stderr.read().decode(errors="replace").strip()
    if child.returncode:
        raise LayerProblems(f"zstd: {message}")


def plain(file):
    while block := file.read(BLOCK):
        yield block


READERS = {"none": plain, "gzip": gunzip, "zstd": unzstd}


@contextlib.contextmanager
def open_tar(path, compression):
    """The uncompressed tar as a temporary file at its start, and its sha256."""
    digest = hashlib.sha256()
    with tempfile.TemporaryFile() as tar:
        with open(path, "rb") as blob:
            try:
                for block in READERS[compression](blob):
                    digest.update(block)
                    tar.write(block)
            except zlib.error as error:
                raise LayerProblems(str(error)) from error
        tar.seek(0)
        yield tar, "sha256:" + digest.hexdigest()


def members(tar):
    """All entries; refuses what tarfile reads past in silence."""
    try:
        with tarfile.open(fileobj=tar, mode="r:", errors="surrogateescape") as archive:
            entries = archive.getmembers()
            end = archive.offset
    except tarfile.TarError as error:
        raise LayerProblems(f"tar: {error}") from error
    tar.seek(end if entries else 0)
    rest = tar.read()
    if rest.strip(b"\0") or len(rest) < 512:
        raise LayerProblems("tar: no end of two zero blocks, or bytes after it")
    return entries


def order_key(name):
    """varve's total order: a directory before its content; whiteouts before siblings; bytewise."""
    parts = name.split("/")
    key = [(1, part.encode("utf-8", "surrogateescape")) for part in parts]
    if parts[-1].startswith(WHITEOUT):
        key[-1] = (0, parts[-1][len(WHITEOUT):].encode("utf-8", "surrogateescape"))
    return key


def check_name(name):
    parts = name.split("/")
    if name.startswith("/") or ".." in parts or "" in parts or "." in parts:
        return f"{name!r}: is not a clean relative path"
    if any(part.startswith(WHITEOUT) for part in parts[:-1]):
        return f"{name!r}: lies in a whiteout"
    return None


def check_entries(entries):
    """The rules of image-spec layer.md."""
    seen, filled = set(), set()
    for entry in entries:
        name = entry.name[2:] if entry.name.startswith("./") else entry.name
        name = name.rstrip("/")
        if name in ("", "."):
            continue
        problem = check_name(name)
        if problem:
            yield problem
        if name in seen:
            yield f"{name!r}: appears twice"
        directory, _, base = name.rpartition("/")
        if base.startswith(WHITEOUT):
            yield from check_whiteout(entry, name, directory in filled, seen)
        else:
            filled.add(directory)
        if entry.islnk() and entry.linkname.rstrip("/") not in seen:
            yield f"{name!r}: links to {entry.linkname!r}, which does not come before"
        if entry.isdir() and any(other.startswith(name + "/") for other in (seen if name in filled else ())):
            yield f"{name!r}: comes after what is in it"
        seen.add(name)


def check_whiteout(entry, name, after_sibling, seen):
    directory, _, base = name.rpartition("/")
    if not entry.isreg() or entry.size:
        yield f"{name!r}: a whiteout is an empty file"
    if after_sibling:
        yield f"{name!r}: a whiteout comes after its siblings"
    hidden = base[len(WHITEOUT):]
    if not hidden:
        yield f"{name!r}: hides nothing"
    if f"{directory}/{hidden}".lstrip("/") in seen:
        yield f"{name!r}: hides what its own layer brings"


def check_promises(entries, newest):
    """What varve promises beyond that."""
    last = None
    for entry in entries:
        name = entry.name.rstrip("/")
        key = order_key(name)
        if last is not None and key <= last:
            yield f"{name!r}: is out of order"
        last = key
        if entry.uname or entry.gname:
            yield f"{name!r}: names its owner ({entry.uname}:{entry.gname})"
        if entry.mtime != int(entry.mtime) or entry.mtime > newest:
            yield f"{name!r}: time {entry.mtime} is later than the image's or no whole second"
        if entry.ischr() or entry.isblk():
            yield f"{name!r}: is a device"
        if entry.name.rpartition("/")[2] == WHITEOUT + WHITEOUT + ".opq":
            yield f"{name!r}: opaque; explicit whiteouts were promised"


def check_layer(path, compression, diff_id, created):
    """Returns the list of problems. created: the image's time (RFC 3339), or None: only the specification counts."""
    with open_tar(path, compression) as (tar, actual):
        problems = [] if actual == diff_id else [f"unpacks to {actual}, the diff id is {diff_id}"]
        entries = members(tar)
        problems += check_entries(entries)
        if created:
            newest = datetime.datetime.fromisoformat(created.replace("Z", "+00:00")).timestamp()
            problems += check_promises(entries, newest)
    return problems


def read_layer(path, compression):
    """name -> (TarInfo, bytes of a file or None), for tests that look inside."""
    content = {}
    with open_tar(path, compression) as (tar, _):
        with tarfile.open(fileobj=tar, mode="r:", errors="surrogateescape") as archive:
            for entry in archive:
                data = archive.extractfile(entry).read() if entry.isreg() else None
                content[entry.name.rstrip("/")] = (entry, data)
    return content
