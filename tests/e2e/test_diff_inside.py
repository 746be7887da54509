# SPDX-License-Identifier: Apache-2.0
"""varve diff looks into files: each planted difference is named by its place in the file, its class and its rule.

The files are written by Python's own modules. All pairs lie in one pair of images, so that one run tells of all."""
import gzip
import io
import json
import pathlib
import sqlite3
import subprocess
import tempfile
import zipfile

import pytest
from diff_images import NO_EFFECT, image, tar_of


def gzipped(data, mtime=0, level=9, name=""):
    out = io.BytesIO()
    with gzip.GzipFile(name, "wb", level, out, mtime) as file:
        file.write(data)
    return out.getvalue()


def tarred(members, order=None, **fields):
    return tar_of({name: {"data": data, **fields} for name, data in members.items()}, order)


def zipped(members, date=(2026, 1, 1, 0, 0, 0), order=None, level=6, mode=0o644):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=level) as archive:
        for name in order or members:
            info = zipfile.ZipInfo(name, date)
            info.compress_type, info.external_attr = zipfile.ZIP_DEFLATED, mode << 16
            archive.writestr(info, members[name], compresslevel=level)
    return out.getvalue()


def archive(members, date=0, uid=0, mode=0o644, bsd=False):
    """What ar writes: GNU's long names, or BSD's."""
    out, names = b"!<arch>\n", b""
    entries = []
    for name, data in members:
        if bsd:
            field, data = f"#1/{len(name)}", name.encode() + data
        elif len(name) > 15:
            field, names = f"/{len(names)}", names + name.encode() + b"/\n"
        else:
            field = name + "/"
        entries.append((field, data))
    if names:
        entries.insert(0, ("//", names))
    for field, data in entries:
        out += f"{field:16}{date:<12}{uid:<6}{0:<6}{mode:<8o}{len(data):<10}`\n".encode() + data + b"\n" * (len(data) % 2)
    return out


def database(directory, *statements, page_size=4096):
    path = directory / f"db{len(list(directory.iterdir()))}"
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA page_size = {page_size}")
    for statement in statements:
        connection.execute(statement)
        connection.commit()
    connection.close()
    return path.read_bytes()


def paragraph(package, **fields):
    fields = {"Status": "install ok installed", "Architecture": "amd64", "Version": "1", **fields}
    return f"Package: {package}\n" + "".join(f"{key}: {value}\n" for key, value in fields.items())


def status(*paragraphs):
    return "\n".join(paragraphs).encode() + b"\n"


TABLE = "CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT)"
ROWS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000) INSERT INTO t SELECT i, 'row ' || i FROM n"
LONG = "INSERT INTO t VALUES (9999, hex(zeroblob(20000)))"
PYC = b"\xa7\x0d\x0d\x0a"


def python(flags=0, time=1, size=7, code=b"code"):
    return PYC + flags.to_bytes(4, "little") + time.to_bytes(4, "little") + size.to_bytes(4, "little") + code


def cases(directory):
    """{name: (path, one file, the other, class, kind, {(where, rule)})}; the path has the name in it where it may."""
    tables = (TABLE, ROWS, LONG)
    text, data = "text", {"a": b"one\ntwo\n", "b": b"three\n"}
    inner = {"a": b"one\ntoo\n", "b": b"three\n"}
    return {
        "a line": (None, b"a\nb\nc\n", b"a\nB\nc\n", "content", text, {("line 2", None)}),
        "a line more": (None, b"a\n", b"a\nb\n", "content", text, {("line 2", None)}),
        "five lines": (None, b"1a\n2a\n3a\n4a\n5a\n", b"1b\n2b\n3b\n4b\n5b\n", "content", text,
                       {("line 1", None), ("line 2", None), ("line 3", None), ("5 of 5 lines differ", None)}),
        "end of the last line": (None, b"a\n", b"a", "content", text, {("end of the last line", None)}),
        "ends of lines": (None, b"a\r\nb\r\n", b"a\nb\n", "content", text, {("ends of lines", "line-ends")}),
        "order of lines": (None, b"x\na\nc\n", b"c\nx\na\n", "content", text, {("order of lines", "line-order")}),
        "order of a locale": (None, b"B.c\nC.c\na.c\n", b"a.c\nB.c\nC.c\n", "content", text, {("order of lines", "locale-sort")}),
        "date": (None, b"built Wed Nov 25 10:01:32 UTC 2026\n", b"built Sat Jan  2 23:59:59 UTC 2027\n", "content", text,
                 {("line 1", "timestamp")}),
        "date of ISO": (None, b'"2026-11-25T10:01:32+01:00"\n', b'"2027-01-01T00:00:00.25Z"\n', "content", text, {("line 1", "timestamp")}),
        "seconds": (None, b"t=1764064892 x\n", b"t=1764064893.5 x\n", "content", text, {("line 1", "timestamp")}),
        "temporary name": (None, b"cd /tmp/tmp.Q8s7Tz && x\n", b"cd /tmp/tmp.aaBBcc && x\n", "content", text, {("line 1", "temporary-name")}),
        "directory": (None, b"CC /home/ann/src/x.c\n", b"CC /build/x.c\n", "content", text, {("line 1", "build-path")}),
        "host": (None, b"made by ann@one.example\n", b"made by bob@two.example\n", "content", text, {("line 1", "host-name")}),
        "identifier": (None, b"id 3f2504e0-4f89-11d3-9a0c-0305e82c3301\n", b"id 936da01f-9abd-4d9d-80c7-02af85c822a8\n", "content", text,
                       {("line 1", "random")}),
        "process": (None, b"started as 4711 here\n", b"started as 81 here\n", "content", text, {("line 1", "process-id")}),
        "a version is no process": (None, b"x 1.2.30\n", b"x 1.2.31\n", "content", text, {("line 1", None)}),
        "binary words": (None, b"\0\0made 2026-11-25\0", b"\0\0made 2027-01-01\0", "content", "binary data", {("byte 10", "timestamp")}),
        "binary": (None, b"\0\1\2", b"\0\1\3", "content", "binary data", {("byte 2", None)}),
        "binary, longer": (None, b"\0\1", b"\0\1\3", "content", "binary data", {("byte 2", None)}),
        "json value": ("v.json", b'{"a": [1, {"b": 2}]}', b'{"a": [1, {"b": 3}]}', "content", "JSON text", {("$.a[1].b", None)}),
        "json date": ("d.json", b'{"at": "2026-11-25"}', b'{"at": "2026-11-26"}', "content", "JSON text", {("$.at", "timestamp")}),
        "json order": ("o.json", b'{"a": 1, "b": 2}', b'{"b": 2,\n "a": 1}', "stamp", "JSON text", {("order of members, or spaces", "json-order")}),
        "json array": ("s.json", b'{"a": [1, 2, 3]}', b'{"a": [3, 1, 2]}', "content", "JSON text", {("order of elements of arrays", "line-order")}),
        "json, broken": ("b.json", b'{"a": \n', b'{"b": \n', "content", "JSON text", {("line 1", None)}),
        "pyc time": ("t.pyc", python(), python(time=9), "stamp", "Python bytecode: the source's time or size in the header",
                     {("header: time of the source", "pyc-time")}),
        "pyc size": ("s.pyc", python(), python(size=9), "content", "Python bytecode: the source's time or size in the header",
                     {("header: size of the source", None)}),
        "pyc hash": ("h.pyc", python(3), python(3, time=9), "content", "Python bytecode: the source's hash in the header",
                     {("header: hash of the source", None)}),
        "pyc flags": ("f.pyc", python(), python(3), "content", "Python bytecode: how the header says to check the source",
                      {("header: flags", "pyc-flags")}),
        "pyc path": ("p.pyc", python(code=b"\0\0/tmp/a/x.py\0"), python(code=b"\0\0/srv/bb/x.py\0"), "content", "Python bytecode: the code",
                     {("code", "pyc-path")}),
        "gzip date": ("d.gz", gzipped(b"x"), gzipped(b"x", mtime=9), "stamp", "gzip data", {
            ("header: date", "gzip-stamp"), ("the same data compressed otherwise", "gzip-stamp")}),
        "gzip level": ("l.gz", gzipped(b"ab" * 3000), gzipped(b"ab" * 3000, level=0), "stamp", "gzip data", {
            ("header: level", "gzip-stamp"), ("the same data compressed otherwise", "gzip-stamp")}),
        "gzip data": ("t.gz", gzipped(b"a\nb\n"), gzipped(b"a\nc\n"), "content", "gzip data", {("data inside: line 2", None)}),
        "gzip of json": ("j.json.gz", gzipped(b'{"a": 1}'), gzipped(b'{"a": 2}'), "content", "gzip data", {("data inside: $.a", None)}),
        "tar dates": ("d.tar", tarred(data), tarred(data, mtime=7), "stamp", "tar archive", {
            ("member a: date", "tar-stamp"), ("member b: date", "tar-stamp")}),
        "tar owner": ("u.tar", tarred({"a": b""}), tarred({"a": b""}, uid=7), "content", "tar archive", {("member a: uid", None)}),
        "tar names of owners": ("n.tar", tarred({"a": b""}), tarred({"a": b""}, uname="ann"), "stamp", "tar archive", {("headers", "tar-stamp")}),
        "tar order": ("o.tar", tarred(data), tarred(data, ["b", "a"]), "stamp", "tar archive", {("order of members", "member-order")}),
        "tar content": ("c.tar", tarred(data), tarred(inner), "content", "tar archive", {("member a: line 2", None)}),
        "tar in gzip": ("c.tar.gz", gzipped(tarred(data)), gzipped(tarred(inner)), "content", "gzip data",
                        {("data inside: member a: line 2", None)}),
        "tar in tar": ("t.tar", tarred({"i.tar": tarred(data)}), tarred({"i.tar": tarred(inner)}), "content", "tar archive",
                       {("member i.tar: member a: line 2", None)}),
        "tar without a member": ("w.tar", tarred(data), tarred({"a": data["a"]}), "content", "tar archive", {("member b: only in one", None)}),
        "zip date": ("d.zip", zipped(data), zipped(data, (2027, 2, 3, 4, 5, 6)), "stamp", "zip archive", {
            ("member a: date", "zip-stamp"), ("member b: date", "zip-stamp")}),
        "zip order": ("o.zip", zipped(data), zipped(data, order=["b", "a"]), "stamp", "zip archive", {("order of members", "member-order")}),
        "zip content": ("c.zip", zipped(data), zipped(inner), "content", "zip archive", {("member a: line 2", None)}),
        "zip mode": ("m.zip", zipped({"a": b""}), zipped({"a": b""}, mode=0o755), "stamp", "zip archive", {("member a: mode", "zip-stamp")}),
        "zip level": ("l.zip", zipped({"a": b"ab" * 99}), zipped({"a": b"ab" * 99}, level=0), "stamp", "zip archive", {
            ("member a: compressed otherwise", "zip-stamp")}),
        "zip date and content": ("dc.zip", zipped({"a": b"1\n"}), zipped({"a": b"2\n"}, (2027, 2, 3, 4, 5, 6)), "content", "zip archive", {
            ("member a: date", "zip-stamp"), ("member a: line 1", None)}),
        "ar date": ("d.a", archive([("x.o", b"1")]), archive([("x.o", b"1")], date=9), "stamp", "ar archive", {("member x.o: date", "ar-stamp")}),
        "ar owner": ("u.a", archive([("x.o", b"1")]), archive([("x.o", b"1")], uid=7, mode=0o600), "stamp", "ar archive", {
            ("member x.o: uid", "ar-stamp"), ("member x.o: mode", "ar-stamp")}),
        "ar order": ("o.a", archive([("x.o", b"1"), ("y.o", b"2")]), archive([("y.o", b"2"), ("x.o", b"1")]), "content", "ar archive", {
            ("order of members", "ar-order")}),
        "ar content": ("c.a", archive([("a-member-of-a-long-name.o", b"1\n")]), archive([("a-member-of-a-long-name.o", b"2\n")]), "content",
                       "ar archive", {("member a-member-of-a-long-name.o: line 1", None)}),
        "ar of BSD": ("b.a", archive([("a name", b"1\n")], bsd=True), archive([("a name", b"2\n")], bsd=True), "content", "ar archive", {
            ("member a name: line 1", None)}),
        "sqlite rows": ("r.db", database(directory, *tables), database(directory, *tables[:2], "INSERT INTO t VALUES (9999, 'short')"), "content",
                        "SQLite database", {("header: pages", "sqlite-stamp"), ("table t: rows", None)}),
        "sqlite counters": ("c.db", database(directory, *tables), database(directory, *tables, "UPDATE t SET b = 'ROW 1' WHERE a = 1", "UPDATE t SET b = 'row 1' WHERE a = 1"), "stamp",
                            "SQLite database", {("header: change counter", "sqlite-stamp"), ("header: version valid for", "sqlite-stamp"),
                                                ("the same rows in other pages", "sqlite-stamp")}),
        "sqlite pages": ("p.db", database(directory, *tables), database(directory, *tables, page_size=1024), "stamp", "SQLite database", {
            ("header: page size", "sqlite-stamp"), ("header: pages", "sqlite-stamp"), ("the same rows in other pages", "sqlite-stamp")}),
        "sqlite table": ("t.db", database(directory, TABLE), database(directory, TABLE, "CREATE TABLE u (a)"), "content", "SQLite database", {
            ("header: change counter", "sqlite-stamp"), ("header: version valid for", "sqlite-stamp"), ("header: pages", "sqlite-stamp"),
            ("header: schema cookie", "sqlite-stamp"), ("table u", None)}),
        "sqlite definition": ("d.db", database(directory, TABLE), database(directory, TABLE.replace("TEXT", "BLOB")), "content",
                              "SQLite database", {("table t: definition", None)}),
        "dpkg field": ("var/lib/dpkg/status.d/f", status(paragraph("x"), paragraph("y")), status(paragraph("x"), paragraph("y", Version="2")),
                       "content", "dpkg status", {("package y:amd64: Version", None)}),
        "dpkg package": ("var/lib/dpkg/status.d/p", status(paragraph("x"), paragraph("y")), status(paragraph("x")), "content", "dpkg status", {
            ("package y:amd64", None)}),
        "dpkg more": ("var/lib/dpkg/status.d/m", status(paragraph("x")), status(paragraph("x", Depends="y")), "content", "dpkg status", {
            ("package x:amd64: Depends", None)}),
        "dpkg order": ("var/lib/dpkg/status.d/o", status(paragraph("x"), paragraph("y")), status(paragraph("y"), paragraph("x")), "stamp",
                       "dpkg status", {("order of packages", "dpkg-status-order")}),
    }


with tempfile.TemporaryDirectory() as scratch:
    CASES = cases(pathlib.Path(scratch))


def path_of(name):
    return CASES[name][0] or name.replace(" ", "-").replace(",", "")


@pytest.fixture(scope="module")
def told(binary, tmp_path_factory):
    """run(*options): {path: what is told of its content}"""
    top = tmp_path_factory.mktemp("inside")
    names = [image(top / side, [tar_of({path_of(name): {"data": CASES[name][i]} for name in CASES})]) for side, i in (("a", 1), ("b", 2))]

    def run(*options):
        done = subprocess.run([binary, "diff", "--json", *options, *names], env={"VARVE_STORE": str(top / "store"), "PATH": "/bin"},
                              stdout=subprocess.PIPE)
        assert done.returncode == 5
        return {one["path"]: one for one in json.loads(done.stdout)["differences"] if one["field"] == "content"}
    return run


@pytest.fixture(scope="module")
def all_told(told):
    return told()


@pytest.mark.parametrize("name", CASES)
def test_place_class_and_rule(all_told, name):
    _, _, _, class_, kind, inside = CASES[name]
    one = all_told[path_of(name)]
    assert (one["class"], one["kind"]) == (class_, kind), one
    assert {(part["where"], part.get("rule")) for part in one["inside"]} == inside, one


def test_only_what_has_an_effect(told, all_told):
    wanted = {path for path, one in all_told.items() if one["class"] not in NO_EFFECT}
    assert set(told("--semantic")) == wanted and len(wanted) < len(all_told) - 10


def test_a_file_has_the_rule_of_what_counts(all_told):
    def rule(name):
        return all_told[path_of(name)].get("rule")
    assert rule("zip date") == "zip-stamp" and rule("date") == "timestamp"
    assert rule("zip date and content") is None  # the date explains the smaller part


def test_values_are_the_files_own(all_told):
    def values(name):
        return [(part["where"], part.get("a"), part.get("b")) for part in all_told[path_of(name)]["inside"]]
    assert values("a line") == [("line 2", "b", "B")]
    assert values("a line more") == [("line 2", None, "b")]
    assert values("ends of lines") == [("ends of lines", "CR LF", "LF")]
    assert values("json value") == [("$.a[1].b", "2", "3")]
    assert values("binary") == [("byte 2", "02", "03")]
    assert values("pyc time") == [("header: time of the source", "1", "9")]
    assert ("header: date", "0", "9") in values("gzip date")
    assert values("sqlite rows")[-1] == ("table t: rows", "3001 rows", "3001 rows")
    assert values("dpkg field") == [("package y:amd64: Version", "1", "2")]
    assert values("zip content") == [("member a: line 2", "two", "too")]
