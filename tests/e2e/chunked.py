# SPDX-License-Identifier: Apache-2.0
"""Reads a blob of zstd:chunked as its readers do, with nothing of ours: footer, table of contents, frames and tar-split
are checked against each other and against Python's own view of the tar (the format: containers/storage, pkg/chunked)."""
import base64
import datetime
import hashlib
import io
import json
import struct
import subprocess
import tarfile

TYPES = {tarfile.REGTYPE: "reg", tarfile.AREGTYPE: "reg", tarfile.LNKTYPE: "hardlink", tarfile.SYMTYPE: "symlink",
         tarfile.CHRTYPE: "char", tarfile.BLKTYPE: "block", tarfile.DIRTYPE: "dir", tarfile.FIFOTYPE: "fifo"}
PREFIXES = ("io.github.containers.zstd-chunked.", "io.containers.zstd-chunked.")  # of today, and of podman 4.3


def unzstd(data):
    return subprocess.run(["zstd", "-dc"], input=data, stdout=subprocess.PIPE, check=True).stdout


def sha(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def crc64(data):
    """Go's crc64 with the ISO polynomial, a bit at a time."""
    crc = 0xffffffffffffffff
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0xd800000000000000 if crc & 1 else 0)
    return crc ^ 0xffffffffffffffff


def skippable(blob, at):
    magic, size = struct.unpack_from("<II", blob, at)
    assert magic == 0x184d2a50
    return at + 8, size


def footer(blob):
    """Offsets and sizes as the last frame has them, or None: the blob is plain zstd."""
    if len(blob) < 72 or blob[-8:] != b"GNUlInUx":
        return None
    assert skippable(blob, len(blob) - 72) == (len(blob) - 64, 64)
    at, packed, plain, kind, split_at, split_packed, split_plain = struct.unpack_from("<7Q", blob, len(blob) - 64)
    assert kind == 1
    assert skippable(blob, at - 8) == (at, packed) and skippable(blob, split_at - 8) == (split_at, split_packed)
    assert at + packed + 8 == split_at and split_at + split_packed + 72 == len(blob)
    return at, packed, plain, split_at, split_packed, split_plain


def annotations(blob):
    at, packed, plain, split_at, split_packed, split_plain = footer(blob)
    notes = {"manifest-checksum": sha(blob[at:at + packed]), "manifest-position": f"{at}:{packed}:{plain}:1",
             "tarsplit-position": f"{split_at}:{split_packed}:{split_plain}"}
    return {prefix + key: value for prefix in PREFIXES for key, value in notes.items()}


def table(blob):
    at, packed, plain, split_at, split_packed, split_plain = footer(blob)
    text = unzstd(blob[at:at + packed])
    split = unzstd(blob[split_at:split_at + split_packed])
    assert len(text) == plain and len(split) == split_plain
    toc = json.loads(text)
    assert toc["version"] == 1 and toc["tarSplitDigest"] == sha(blob[split_at:split_at + split_packed])
    return toc, [json.loads(line) for line in split.splitlines()]


def entry_of(member):
    """What the table should say of a member, without its content."""
    entry = {"type": TYPES[member.type], "name": member.name + ("/" if member.isdir() else ""), "mode": member.mode,
             "uid": member.uid, "gid": member.gid, "size": member.size if member.isreg() else 0,
             "linkName": member.linkname, "devMajor": member.devmajor, "devMinor": member.devminor,
             "xattrs": {key.removeprefix("SCHILY.xattr."): base64.b64encode(value.encode("utf-8", "surrogateescape")).decode()
                        for key, value in member.pax_headers.items() if key.startswith("SCHILY.xattr.")}}
    entry = {key: value for key, value in entry.items() if value or key in ("type", "name")}
    entry["modtime"] = datetime.datetime.fromtimestamp(member.mtime, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    return entry


CONTENT = ("digest", "offset", "endOffset", "chunkSize", "chunkOffset", "chunkDigest")


def check_content(blob, entries, content):
    """A file's pieces: each a frame of its own that is in the table, and together the content."""
    first = entries[0]
    assert first["digest"] == sha(content)
    got = b""
    for i, entry in enumerate(entries):
        end = entries[i + 1]["offset"] if i + 1 < len(entries) else first["endOffset"]
        piece = unzstd(blob[entry["offset"]:end])
        if len(entries) > 1:
            assert entry.get("chunkOffset", 0) == len(got) and entry["chunkSize"] == len(piece)
            assert entry["chunkDigest"] == sha(piece)
        got += piece
    assert got == content


def check_split(split, tar, contents):
    """Joined with the contents, the lines are the tar again."""
    joined, names = b"", set()
    for position, line in enumerate(split):
        assert line["position"] == position
        if line["type"] == 2:
            joined += base64.b64decode(line["payload"])
            continue
        content = contents[line["name"]]
        assert line["name"] not in names and line.get("size", 0) == len(content)
        names.add(line["name"])
        if content and len(content) < 1000:
            assert base64.b64decode(line["payload"]) == struct.pack(">Q", crc64(content))
        joined += content
    assert joined == tar and names == set(contents)


def check_segments(split):
    """One header, and no other, is in the stretch before each content (after the padding of the one before)."""
    padding = 0
    for stretch, content in zip(split[::2], split[1::2]):
        assert (stretch["type"], content["type"]) == (2, 1)
        raw = base64.b64decode(stretch["payload"])
        assert raw[:padding] == bytes(padding)
        with tarfile.open(fileobj=io.BytesIO(raw[padding:])) as tar:
            member = tar.next()
        assert member.name == content["name"].rstrip("/")
        padding = -content.get("size", 0) % 512
    assert len(split) % 2 == 1 and split[-1]["type"] == 2


def check(blob, content_limit=None):
    """The whole blob. Returns the table. content_limit: files to look into, for large blobs."""
    toc, split = table(blob)
    tar = unzstd(blob)
    entries, contents = toc["entries"], {}
    at = checked = 0
    with tarfile.open(fileobj=io.BytesIO(tar)) as archive:
        for member in archive:
            entry = entries[at]
            assert {key: value for key, value in entry.items() if key not in CONTENT} == entry_of(member)
            content = archive.extractfile(member).read() if member.isreg() else b""
            contents[entry["name"]] = content
            following = at + 1
            while following < len(entries) and entries[following]["type"] == "chunk":
                assert entries[following]["name"] == entry["name"]
                following += 1
            if content and (content_limit is None or checked < content_limit):
                check_content(blob, entries[at:following], content)
                checked += 1
            elif not content:
                assert not set(CONTENT) & set(entry)
            at = following
    assert at == len(entries)
    check_split(split, tar, contents)
    check_segments(split)
    return toc
