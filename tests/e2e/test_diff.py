# SPDX-License-Identifier: Apache-2.0
"""varve diff: differences planted by Python's tarfile are named with the class they were made as."""
import gzip
import json
import shutil
import tarfile

import oci_make
import pytest
from diff_images import NO_EFFECT, found, image, tar_of
from oci_schema import INDEX
from registries import bed  # noqa: F401  fixture

PYC = b"\x6f\x0d\x0d\x0a"
BASE = {
    "etc/": {"type": tarfile.DIRTYPE, "mode": 0o755},
    "etc/app.json": {"data": b'{"a": 1}\n'},
    "etc/motd": {"data": b"hello\n"},
    "dev/null": {"type": tarfile.CHRTYPE, "devmajor": 1, "devminor": 3},
    "m.pyc": {"data": PYC + b"\0\0\0\0" + b"\1\2\3\4\5\6\7\0" + b"code"},
    "usr/bin/x": {"data": b"\x7fELF\2\1\1" + b"\0" * 60, "mode": 0o755},
    "usr/bin/y": {"type": tarfile.SYMTYPE, "linkname": "x"},
    "usr/bin/z": {"type": tarfile.LNKTYPE, "linkname": "usr/bin/x"},
    "usr/lib/x.a": {"data": b"!<arch>\n" + b"\0" * 60},
    "var/db": {"data": b"SQLite format 3\0" + b"\0" * 60},
    "var/lib/dpkg/status": {"data": b"Package: x\n"},
    "var/random": {"data": b"\1\0\2" * 9},
    "var/z.gz": {"data": gzip.compress(b"x", mtime=0)},
}


def changed(name, **fields):
    return tar_of({**BASE, name: {**BASE[name], **fields}})


def without(name):
    return tar_of({key: value for key, value in BASE.items() if key != name})


def flipped(name, at):
    data = bytearray(BASE[name]["data"])
    data[at] ^= 1
    return changed(name, data=bytes(data))


# what was planted: (tar of the other image, {(path, field, class)}, kind)
PLANTED = {
    "text": (changed("etc/motd", data=b"hullo\n"), {("etc/motd", "content", "content")}, "text"),
    "text, longer": (changed("etc/motd", data=b"hello, you\n"),
                     {("etc/motd", "content", "content"), ("etc/motd", "size", "content")}, "text"),
    "json": (changed("etc/app.json", data=b'{"a": 2}\n'), {("etc/app.json", "content", "content")}, "JSON text"),
    "elf": (flipped("usr/bin/x", 20), {("usr/bin/x", "content", "content")}, "ELF program or library"),
    "ar": (flipped("usr/lib/x.a", 20), {("usr/lib/x.a", "content", "content")}, "ar archive"),
    "sqlite": (flipped("var/db", 20), {("var/db", "content", "content")}, "SQLite database"),
    "dpkg": (changed("var/lib/dpkg/status", data=b"Package: y\n"), {("var/lib/dpkg/status", "content", "content")}, "dpkg status"),
    "binary": (flipped("var/random", 3), {("var/random", "content", "content")}, "binary data"),
    "gzip": (flipped("var/z.gz", 5), {("var/z.gz", "content", "stamp")}, "gzip data"),
    "pyc code": (flipped("m.pyc", 17), {("m.pyc", "content", "content")}, "Python bytecode: the code"),
    "pyc time": (flipped("m.pyc", 9), {("m.pyc", "content", "stamp")}, "Python bytecode: the source's time or size in the header"),
    "pyc flags": (flipped("m.pyc", 4), {("m.pyc", "content", "content")}, "Python bytecode: how the header says to check the source"),
    "pyc python": (flipped("m.pyc", 0), {("m.pyc", "content", "content")}, "Python bytecode: the version of Python in the header"),
    "uid": (changed("etc/motd", uid=7), {("etc/motd", "uid", "owner")}, None),
    "gid": (changed("etc/", gid=7), {("etc", "gid", "owner")}, None),
    "mode": (changed("etc/motd", mode=0o600), {("etc/motd", "mode", "mode")}, None),
    "setuid": (changed("usr/bin/x", mode=0o4755), {("usr/bin/x", "mode", "mode")}, None),
    "mtime": (changed("etc/motd", mtime=1001), {("etc/motd", "mtime", "time")}, None),
    "fraction": (changed("etc/motd", mtime=1000.5), {("etc/motd", "mtime", "time")}, None),
    "symlink": (changed("usr/bin/y", linkname="/x"), {("usr/bin/y", "link", "link")}, None),
    "hard link": (changed("usr/bin/z", linkname="var/db"), {("usr/bin/z", "link", "link")}, None),
    "type": (changed("usr/bin/y", type=tarfile.LNKTYPE, linkname="usr/bin/x"), {("usr/bin/y", "type", "type")}, None),
    "device": (changed("dev/null", devminor=5), {("dev/null", "minor", "device")}, None),
    "xattr": (changed("etc/motd", pax_headers={"SCHILY.xattr.user.a": "b"}), {("etc/motd", "attribute user.a", "attribute")}, None),
    "added": (tar_of({**BASE, "new": {"data": b""}}), {("new", "entry", "entry")}, None),
    "removed": (without("var/random"), {("var/random", "entry", "entry")}, None),
    "whiteout": (tar_of({**BASE, "etc/.wh.old": {}}), {("etc/.wh.old", "entry", "whiteout")}, None),
    "opaque": (tar_of({**BASE, "etc/.wh..wh..opq": {}}), {("etc/.wh..wh..opq", "entry", "whiteout")}, None),
    "order": (tar_of(BASE, ["var/random", *sorted(set(BASE) - {"var/random"})]), {(None, "order of entries", "order")}, None),
    "encoding": (tar_of(BASE, form=tarfile.GNU_FORMAT), {(None, "tar headers", "encoding")}, None),
}
BELOW = tar_of({"etc/": BASE["etc/"], "etc/old": {}})  # what whiteouts delete


@pytest.mark.parametrize("name", PLANTED)
def test_planted_difference_is_named(varve, name):
    tar, expected, kind = PLANTED[name]
    a, b = image(varve.path("a"), [BELOW, tar_of(BASE)]), image(varve.path("b"), [BELOW, tar])
    for _ in range(2):  # the second time from the indexes in the store
        result = varve("diff", "--json", a, b, rc=5).json()
        assert found(result) == expected and not result["equal"], result
        assert {one.get("kind") for one in result["differences"] if one["field"] == "content"} in ({kind}, set()), result
    semantic = {one for one in expected if one[2] not in NO_EFFECT}
    result = varve("diff", "--json", "--semantic", a, b, rc=5 if semantic else 0).json()
    assert found(result) == semantic and result["leftOut"] == len(expected - semantic), result


DOCUMENTS = {
    "environment": ({"config": {"Cmd": ["/x"], "Env": ["A=2"]}}, "config.config.Env[0]", "config"),
    "command": ({"config": {"Cmd": ["/x", "y"], "Env": ["A=1"]}}, "config.config.Cmd[1]", "config"),
    "user": ({"config": {"Cmd": ["/x"], "Env": ["A=1"], "User": "7"}}, "config.config.User", "config"),
    "created": ({"created": "2026-01-02T00:00:00Z"}, "config.created", "time"),
    "history": ({"history": [{"created_by": "two"}]}, "config.history[0].created_by", "history"),
    "architecture": ({"variant": "v2"}, "config.variant", "config"),
}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_config_field_is_named(varve, name):
    config, field, kind = DOCUMENTS[name]
    a, b = image(varve.path("a"), [tar_of(BASE)]), image(varve.path("b"), [tar_of(BASE)], config)
    assert found(varve("diff", "--json", a, b, rc=5).json()) == {(None, field, kind)}
    varve("diff", "--semantic", a, b, rc=0 if kind in NO_EFFECT else 5)


def test_annotation_and_compression_have_no_effect(varve):
    a = image(varve.path("a"), [tar_of(BASE)])
    b = image(varve.path("b"), [tar_of(BASE)], compress=1, annotations={"x": "y"})
    assert found(varve("diff", "--json", a, b, rc=5).json()) == {
        (None, "blob", "compression"), (None, "manifest.annotations", "history")}
    assert varve("diff", "--semantic", a, b).stdout == ""


def test_layers_that_one_image_has_more_are_named(varve):
    first, last, more = tar_of({"a": {}}), tar_of({"z": {}}), tar_of({"m": {}})
    a, b = image(varve.path("a"), [first, last]), image(varve.path("b"), [first, more, last])
    result = varve("diff", "--json", a, b, rc=5).json()["differences"]
    assert [(one["class"], one["layer"], "a" in one, one["b"]) for one in result] == [("layer", 2, False, oci_make.digest_of(more))]
    result = varve("diff", "--json", b, a, rc=5).json()["differences"]
    assert [(one["class"], one["layer"], one["a"], "b" in one) for one in result] == [("layer", 2, oci_make.digest_of(more), False)]


def test_equal_images_wherever_they_are(varve):
    a = image(varve.path("a"), [tar_of(BASE)])
    varve("copy", a, "store:x/y:1")
    places = [f"oci-archive:{varve.path('a.tar')}:t", f"dir:{varve.path('d')}"]
    for place in places:
        varve("copy", a, place)
    for place in ["x/y:1", "store:x/y:1", *places]:
        assert varve("diff", a, place).stdout == ""
    docker = f"docker-archive:{varve.path('docker.tar')}:x/y:1"
    varve("copy", a, docker)
    # Another program's manifest and media types, the same config and tars.
    assert varve("diff", "--semantic", a, docker).stdout == ""


def test_of_a_registry(bed):  # noqa: F811
    bed.open()
    a, b = image(bed.varve.path("a"), [tar_of(BASE)]), image(bed.varve.path("b"), [PLANTED["uid"][0]])
    bed.varve("copy", a, bed.target())
    assert bed.varve("diff", a, bed.target()).stdout == ""
    assert found(bed.varve("diff", "--json", bed.target(), b, rc=5).json()) == {("etc/motd", "uid", "owner")}


def index(path, images, **members):
    """oci:PATH:t, an index: {platform: (tars, config)}; what has no "/" is an attestation's name."""
    layout, children = oci_make.Layout(path), []
    for platform, tars in images.items():
        image(path, tars, {"architecture": platform})
        manifest = layout_tag(path)
        os_, _, architecture = platform.partition("/")
        children.append({**manifest, "platform": {"os": os_, "architecture": architecture} if architecture else
                         {"os": "unknown", "architecture": "unknown"}})
    document = {"schemaVersion": 2, "mediaType": INDEX, "manifests": children, **members}
    layout.tag("t", layout.blob(oci_make.dump(document), INDEX))
    return f"oci:{path}:t"


def layout_tag(path):
    entry = json.loads((path / "index.json").read_text())["manifests"][-1]
    return {key: entry[key] for key in ("mediaType", "digest", "size")}


def told(result):
    return {(one.get("platform"), one.get("path"), one["field"], one["class"]) for one in result["differences"]}


def test_indexes_are_compared_image_by_image(varve):
    base, other, added = [tar_of(BASE)], [PLANTED["uid"][0]], [tar_of({"x": {}})]
    a = index(varve.path("a"), {"linux/amd64": base, "linux/arm64": base, "linux/s390x": base, "attestation": added})
    b = index(varve.path("b"), {"linux/arm64": other, "linux/amd64": base, "linux/riscv64": base}, annotations={"k": "v"})
    assert told(varve("diff", "--json", "--all-platforms", a, b, rc=5).json()) == {
        ("linux/arm64", "etc/motd", "uid", "owner"), ("linux/s390x", None, "image of this platform", "platform"),
        ("linux/riscv64", None, "image of this platform", "platform"), (None, None, "manifest without a platform", "history"),
        (None, None, "index.annotations", "history")}
    assert told(varve("diff", "--json", "--all-platforms", "--semantic", a, b, rc=5).json()) == {
        ("linux/arm64", "etc/motd", "uid", "owner"), ("linux/s390x", None, "image of this platform", "platform"),
        ("linux/riscv64", None, "image of this platform", "platform")}
    text = varve("diff", "--all-platforms", a, b, rc=5).stdout
    assert "linux/arm64: layer 1: etc/motd: uid [owner] 0 -> 7 (owner)\n" in text
    varve("copy", "--all-platforms", a, "store:x/i:1")
    assert varve("diff", "--all-platforms", a, "x/i:1").stdout == ""
    assert varve("diff", "--platform", "linux/amd64", a, b).stdout == ""
    result = varve("diff", "--all-platforms", a, image(varve.path("c"), base), rc=1)
    assert "is an index" in result.stderr and result.stdout == ""


def test_images_of_an_index_in_another_order(varve):
    a, b = [index(varve.path(str(i)), {platform: [tar_of(BASE)] for platform in order})
            for i, order in enumerate((["linux/amd64", "linux/arm64"], ["linux/arm64", "linux/amd64"]))]
    assert told(varve("diff", "--json", "--all-platforms", a, b, rc=5).json()) == {(None, None, "index digest", "history")}
    varve("diff", "--semantic", "--all-platforms", a, b)


def test_whiteouts_are_weighed_with_what_lies_below(varve):
    directory = {"d/": {"type": tarfile.DIRTYPE}}
    below = tar_of({**directory, "d/x": {}, "d/y": {}})

    def told_of(number, one, other, below=below, other_below=None):
        sides = [image(varve.path(f"{number}{side}"), [under, tar_of({**directory, **dict.fromkeys(names, {})})])
                 for side, under, names in (("a", below, one), ("b", other_below or below, other))]
        return found(varve("diff", "--json", *sides, rc=5).json())
    opaque, same, other = "d/.wh..wh..opq", ("whiteouts", "encoding"), ("entry", "whiteout")
    assert told_of(1, [opaque], ["d/.wh.x", "d/.wh.y"]) == {(opaque, *same), ("d/.wh.x", *same), ("d/.wh.y", *same)}
    assert told_of(2, [opaque], ["d/.wh.x"]) == {(opaque, *other), ("d/.wh.x", *same)}
    assert told_of(3, ["d/.wh.x"], ["d/.wh.y"]) == {("d/.wh.x", *other), ("d/.wh.y", *other)}
    assert told_of(4, ["d/.wh.none"], []) == {("d/.wh.none", *same)}
    # Where what lies below differs, nothing is claimed.
    assert (opaque, *other) in told_of(5, [opaque], ["d/.wh.x", "d/.wh.y"], other_below=tar_of({**directory, "d/x": {}}))


def test_text_is_one_line_each_and_steers_no_terminal(varve):
    a = image(varve.path("a"), [tar_of({"x": {}})])
    b = image(varve.path("b"), [tar_of({"x": {"mode": 0o600}, "\x1b[2Jy\n": {}})])
    assert varve("diff", a, b, rc=5).stdout.splitlines() == [
        r"layer 1: \x1b[2Jy\x0a: entry [entry] (absent) -> file", "layer 1: x: mode [mode] 0644 -> 0600 (umask)",
        "umask: modes follow the builder's umask; cure: set umask 022, or modes explicitly (install -m)"]


def test_what_is_inside_is_told_below_the_file(varve):
    lines = ["a\x1b[2J", "b\u009bx", "c\\", "d", "e"]
    a = image(varve.path("a"), [tar_of({"t": {"data": "\n".join(lines).encode()}})])
    b = image(varve.path("b"), [tar_of({"t": {"data": "\n".join(line + "9" for line in lines).encode()}})])
    text = varve("diff", a, b, rc=5).stdout.splitlines()
    assert text[0].startswith("layer 1: t: content [content: text] sha256:")
    assert text[1:] == [
        r"    line 1: a\x1b[2J -> a\x1b[2J9", r"    line 2: b\xc2\x9bx -> b\xc2\x9bx9",
        r"    line 3: c\x5c -> c\x5c9", "    5 of 5 lines differ",
        "layer 1: t: size [content] " + f"{len(chr(10).join(lines).encode())} -> {len(chr(10).join(lines).encode()) + 5}"]
    many = {f"{i}.c": b"x" * i for i in range(40)}
    tars = [tar_of({name: {"data": data} for name, data in many.items()}), tar_of({name: {"data": data + b"y"} for name, data in many.items()})]
    a, b = (image(varve.path(side), [tar_of({"t.tar": {"data": tar}})]) for side, tar in zip("cd", tars))
    text = varve("diff", a, b, rc=5).stdout.splitlines()
    assert text[17] == "    and 24 more" and sum(line.startswith("    member ") for line in text) == 16


def test_attributes_are_named_with_their_values(varve):
    def side(name, attributes):
        headers = {f"SCHILY.xattr.{key}": value for key, value in attributes.items()}
        return image(varve.path(name), [tar_of({"x": {"pax_headers": headers}})])
    a, b = side("a", {"user.a": "1", "user.b": "x" * 99, "user.same": "s"}), side("b", {"user.a": "22", "user.same": "s", "user.z": ""})
    told_ = varve("diff", "--json", a, b, rc=5).json()["differences"]
    assert [(one["field"], one.get("a"), one.get("b")) for one in told_] == [
        ("attribute user.a", "31", "3232"), ("attribute user.b", oci_make.digest_of(b"x" * 99), None), ("attribute user.z", None, "")]


def test_a_damaged_index_is_made_again(varve):
    a, b = image(varve.path("a"), [tar_of(BASE)]), image(varve.path("b"), [PLANTED["uid"][0]])
    first = varve("diff", a, b, rc=5).stdout
    kept = sorted((varve.store / "facts/layer-files").iterdir())
    assert len(kept) == 2
    for length in (0, 5, 40, 200, 500):
        for path in kept:
            path.write_bytes(path.read_bytes()[:length])
        assert varve("diff", a, b, rc=5).stdout == first
    shutil.rmtree(varve.store / "facts/layer-files")
    assert varve("diff", a, b, rc=5).stdout == first


def test_an_index_that_says_other_data_is_refused(varve):
    a, b = image(varve.path("a"), [tar_of(BASE)]), image(varve.path("b"), [PLANTED["text"][0]])
    varve("diff", a, b, rc=5)
    path = varve.store / "facts/layer-files" / oci_make.digest_of(PLANTED["text"][0])[7:]
    digest = oci_make.digest_of(b"hullo\n")[7:].encode()
    path.write_bytes(path.read_bytes().replace(digest, b"0" * 64))
    result = varve("diff", a, b, rc=1)
    assert "etc/motd is not what the layer's index says" in result.stderr and "facts/layer-files" in result.stderr
    assert result.stdout == ""


def test_wrong_bytes_are_no_comparison(varve):
    a, b = image(varve.path("a"), [tar_of(BASE)]), image(varve.path("b"), [PLANTED["uid"][0]])
    blob = varve.path("b", "blobs/sha256", oci_make.digest_of(PLANTED["uid"][0])[7:])
    blob.write_bytes(blob.read_bytes().replace(b"hello", b"hallo"))
    result = varve("diff", a, b, rc=1)
    assert "layer 1" in result.stderr and result.stdout == ""


def test_a_diff_id_that_is_not_true_is_refused(varve):
    a = image(varve.path("a"), [tar_of(BASE)])
    wrong = {"rootfs": {"type": "layers", "diff_ids": [oci_make.digest_of(b"another")]}}
    b = image(varve.path("b"), [tar_of(BASE)], wrong)
    assert "the config says" in varve("diff", a, b, rc=1).stderr
    none = image(varve.path("c"), [tar_of(BASE)], {"rootfs": {"type": "layers", "diff_ids": []}})
    assert "1 layers in the manifest, 0 diff ids" in varve("diff", a, none, rc=1).stderr


def test_usage(varve):
    varve("diff", "x/y:1", rc=2)
    assert "x/absent" in varve("diff", "x/absent:1", "x/absent:1", rc=1).stderr
    help_text = varve("diff", "--help").stdout
    assert "--semantic" in help_text and "--json" in help_text
