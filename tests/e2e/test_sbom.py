# SPDX-License-Identifier: Apache-2.0
"""varve sbom: what the image's own package managers say, and validators of both formats from the package index."""
import csv
import gzip
import hashlib
import io
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tarfile
import tempfile

import oci_make
import pytest
from oci_schema import CONFIG, LAYER, MANIFEST
from support import NAME, copy, own_project, run  # noqa: F401  fixtures

STATUS = "var/lib/dpkg/status"


def tar_of(files):
    """files: path -> bytes, text, ("link", target) or ("same", earlier path)."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for path, value in files.items():
            info = tarfile.TarInfo(path)
            if isinstance(value, tuple):
                info.type = tarfile.SYMTYPE if value[0] == "link" else tarfile.LNKTYPE
                info.linkname, value = value[1], b""
            data = value.encode() if isinstance(value, str) else value
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def image_of(path, *layers, **config):
    layout, tars = oci_make.Layout(path), [tar_of(layer) for layer in layers]
    blobs = [layout.blob(gzip.compress(tar, 1, mtime=0), LAYER + "+gzip") for tar in tars]
    config = {"architecture": "amd64", "os": "linux", "created": "2026-01-02T03:04:05.678+01:00",
              "history": [{"created_by": f"layer {n}"} for n in range(len(tars))],
              "rootfs": {"type": "layers", "diff_ids": [oci_make.digest_of(tar) for tar in tars]}, **config}
    manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "layers": blobs, "config": layout.blob(oci_make.dump(config), CONFIG)}
    layout.tag("t", layout.blob(oci_make.dump(manifest), MANIFEST))
    return f"oci:{path}:t"


def cyclonedx(varve, image, *arguments):
    return varve("sbom", "--format", "cyclonedx", image, *arguments, timeout=120).json()


def spdx(varve, image, *arguments):
    return varve("sbom", image, *arguments, timeout=120).json()


def components(document, kind="pkg:"):
    return [one for one in document["components"] if one.get("purl", "").startswith(kind)]


def layer_of(component):
    return next(int(p["value"].split()[0]) for p in component["properties"] if p["name"] == "varve:layer")


def told_by(component):
    return next(p["value"] for p in component["properties"] if p["name"] == "varve:told-by")


# --- this host's own databases, as large as they come ----------------------------------------------
def host_files():
    files = {}
    for pattern in ("var/lib/dpkg/status", "var/lib/dpkg/info/*.list", "usr/share/doc/*/copyright", "etc/os-release",
                    "usr/lib/python3/dist-packages/*.dist-info/*", "usr/lib/python3/dist-packages/*.egg-info*",
                    "usr/lib/python3/dist-packages/*.egg-info/PKG-INFO", "usr/bin/[a-d]*"):
        for path in sorted(pathlib.Path("/").glob(pattern)):
            name = str(path.relative_to("/"))
            if path.is_symlink():
                files[name] = ("link", os.readlink(path))
            elif path.is_file():
                files[name] = path.read_bytes()
    return {"lib": ("link", "usr/lib"), "bin": ("link", "usr/bin"), **files}


@pytest.fixture(scope="module")
def host_image():
    if not shutil.which("dpkg-query"):
        pytest.skip("this host has no dpkg")
    directory = tempfile.mkdtemp(prefix="varve-sbom-")
    os.chmod(directory, 0o755)
    files = host_files()
    yield image_of(f"{directory}/image", files), files
    shutil.rmtree(directory)


def test_same_packages_as_dpkg(varve, host_image):
    said = subprocess.run(["dpkg-query", "-W", "-f", "${db:Status-Status} ${Package} ${Version} ${Architecture}\n"],
                          capture_output=True, text=True, check=True).stdout.splitlines()
    wanted = {tuple(line.split()[1:]) for line in said if line.split()[0] not in ("config-files", "not-installed")}
    found = components(cyclonedx(varve, host_image[0]), "pkg:deb/")
    assert {(one["name"], one["version"], one["purl"].split("arch=")[1].split("&")[0]) for one in found} == wanted
    assert len(wanted) > 100 and len(found) == len(wanted)


def test_same_distributions_as_pip(varve, host_image):
    # pip may be broken by the very distribution that it lists, but its list is what users compare with.
    where = "usr/lib/python3/dist-packages"
    done = subprocess.run([sys.executable, "-m", "pip", "list", "--path", f"/{where}", "--format", "json"],
                          capture_output=True, text=True, env={**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"})
    if done.returncode != 0:
        pytest.skip(f"pip list: {done.stderr[-200:]}")
    wanted = {(one["name"].lower(), one["version"]) for one in json.loads(done.stdout)}
    found = {(one["name"].lower(), one["version"]) for one in components(cyclonedx(varve, host_image[0]), "pkg:pypi/")
             if told_by(one).rsplit("/", 2 if told_by(one).endswith(("METADATA", "PKG-INFO")) else 1)[0] == where}
    assert found == wanted


def test_same_owners_as_dpkg(varve, host_image):
    """--files: each file with its sums, in the package that dpkg-query -S names."""
    image, files = host_image
    document = cyclonedx(varve, image, "--files")
    owners, sums = {}, {}
    for package in document["components"]:
        for file in [package, *package.get("components", [])]:
            if file["type"] == "file":
                owners[file["name"][1:]] = package["name"] if package is not file else None
                sums[file["name"][1:]] = file["hashes"][0]["content"]
    data = {path: value for path, value in files.items() if not isinstance(value, tuple)}
    assert sums == {path: hashlib.sha256(value).hexdigest() for path, value in data.items()}
    programs = [path for path in data if path.startswith("usr/bin/")]
    said = subprocess.run(["dpkg-query", "-S", *(f"/{path}" for path in programs), *(f"/bin/{path[8:]}" for path in programs)],
                          capture_output=True, text=True).stdout.splitlines()
    wanted = {line.split(": ")[1].replace("/bin/", "usr/bin/").replace("/usrusr/", "usr/"): line.split(":")[0]
              for line in said if not line.startswith("diversion") and "," not in line}
    assert len(wanted) > 20
    assert {path: owners[path] for path in programs if path in wanted} == {p: wanted[p] for p in programs if p in wanted}


# --- made up ---------------------------------------------------------------------------------------
def deb(name, version="1", **fields):
    fields = {"Status": "install ok installed", "Architecture": "amd64", **fields}
    return f"Package: {name}\nVersion: {version}\n" + "".join(f"{key.replace('_', '-')}: {value}\n" for key, value in fields.items()) + "\n"


def dist(name, version, *files, **fields):
    """Members of a distribution in site-packages, RECORD included."""
    info = f"venv/lib/python3.11/site-packages/{name}-{version}.dist-info"
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows([[path, "sha256=x", 1] for path in (*files, f"{name}-{version}.dist-info/METADATA")])
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    metadata += "".join(f"{key.replace('_', '-')}: {value}\n" for key, value in fields.items()) + "\nName: not this\n"
    placed = {os.path.normpath(f"venv/lib/python3.11/site-packages/{path}"): name for path in files}
    return {f"{info}/METADATA": metadata, f"{info}/RECORD": out.getvalue(), **placed}


APK = """C:Q1abc=
P:musl
V:1.2.4-r2
A:x86_64
T:the musl c library
U:https://musl.libc.org/
L:MIT
o:musl
m:Ada <ada@example.org>
F:lib
R:ld-musl-x86_64.so.1
a:0:0:755
R:libc.musl-x86_64.so.1

P:busybox
V:1.36.1-r5
A:x86_64
L:GPL-2.0-only AND (MIT OR Own)
F:bin
R:busybox
"""
COPYRIGHT = """Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Files: *
License: GPL-2+ or Artistic

Files: b
License: Expat

License: own licence
 Text.
"""


def small_image(varve):
    lower = {STATUS: deb("a", Source="src (2:3)", Maintainer="Ada L. <ada@example.org>", Homepage="https://example.org/a")
             + deb("gone", Status="deinstall ok config-files") + deb("old", "1~rc+1"),
             "var/lib/dpkg/info/a.list": "/.\n/lib\n/lib/one\n/lib/two words\n", "var/lib/dpkg/info/old:amd64.list": "/usr/lib/old\n",
             "lib": ("link", "usr/lib"), "usr/lib/one": "1", "usr/lib/two words": "2", "usr/lib/old": "o", "usr/lib/nobody": "n",
             "usr/share/doc/a/copyright": COPYRIGHT, "etc/os-release": 'ID=debian\nVERSION_ID="12"\nPRETTY_NAME="Debian 12"\n',
             **dist("Some.Thing", "1.0", "some/__init__.py", '../../../bin/so"me', License="MIT"), "opaque/f": "x", "tree/x/y": "z"}
    middle = {STATUS: deb("a", "2", Source="src (2:3)") + deb("old", "1~rc+1"), "var/lib/dpkg/info/a.list": "/lib/one\n",
              "usr/lib/.wh.two words": "", "usr/lib/one": "11", "same": ("same", "usr/lib/one"), "opaque/.wh..wh..opq": "",
              "tree": "a file now", "lib/apk/db/installed": APK, "bin/busybox": "b"}
    upper = {**dist("other", "2", "other.py", Classifier="License :: OSI Approved :: Apache Software License")}
    return image_of(varve.path("i"), lower, middle, upper)


def test_layers_and_packages(varve):
    found = {one["name"]: one for one in components(cyclonedx(varve, small_image(varve), "--files"))}
    assert {name: (one["version"], layer_of(one)) for name, one in found.items()} == {
        "a": ("2", 2), "old": ("1~rc+1", 1), "Some.Thing": ("1.0", 1), "other": ("2", 3), "musl": ("1.2.4-r2", 2), "busybox": ("1.36.1-r5", 2)}
    assert found["a"]["purl"] == "pkg:deb/debian/a@2?arch=amd64&distro=debian-12"
    assert found["old"]["purl"] == "pkg:deb/debian/old@1~rc%2B1?arch=amd64&distro=debian-12"
    assert found["Some.Thing"]["purl"] == "pkg:pypi/some-thing@1.0"
    assert found["musl"]["purl"] == "pkg:apk/debian/musl@1.2.4-r2?arch=x86_64&distro=debian-12"
    licenses = {name: one["licenses"][0]["expression"] for name, one in found.items() if "licenses" in one}
    assert licenses == {"a": "(GPL-2.0-or-later OR Artistic-1.0-Perl) AND LicenseRef-own-licence AND MIT", "Some.Thing": "MIT",
                        "other": "Apache-2.0", "musl": "MIT", "busybox": "LicenseRef-GPL-2.0-only-AND--MIT-OR-Own-"}
    files = {name: [(file["name"], layer_of(file)) for file in one.get("components", [])] for name, one in found.items()}
    assert files["a"] == [("/usr/lib/one", 2)] and files["old"] == [("/usr/lib/old", 1)] and files["busybox"] == [("/bin/busybox", 2)]
    assert ('/venv/bin/so"me', 1) in files["Some.Thing"]


def test_files_of_all_layers(varve):
    document = spdx(varve, small_image(varve), "--files")
    files = {file["fileName"]: {c["algorithm"]: c["checksumValue"] for c in file["checksums"]} for file in document["files"]}
    assert files["./same"] == files["./usr/lib/one"] == {"SHA1": hashlib.sha1(b"11").hexdigest(), "SHA256": hashlib.sha256(b"11").hexdigest()}
    for gone in ("./usr/lib/two words", "./opaque/f", "./tree/x/y"):
        assert gone not in files
    assert "./tree" in files and "./usr/lib/nobody" in files
    assert document["creationInfo"]["created"] == "2026-01-02T02:04:05Z"
    ids = {one["SPDXID"]: one for one in document["packages"]}
    layer = {r["relatedSpdxElement"]: ids[r["spdxElementId"]]["name"] for r in document["relationships"]
             if r["relationshipType"] == "CONTAINS" and r["spdxElementId"].startswith("SPDXRef-Layer")}
    names = {file["SPDXID"]: file["fileName"] for file in document["files"]}
    assert {names[i]: layer[i] for i in names}["./usr/lib/one"] == "layer 2" and set(names) <= set(layer)


def test_same_bytes(varve):
    """Twice, and from other places: a layout, an archive of it, the store."""
    image = small_image(varve)
    texts = {varve("sbom", image, "--files").stdout for _ in range(2)}
    varve("copy", image, f"oci-archive:{varve.path('a.tar')}:t")
    texts.add(varve("sbom", f"oci-archive:{varve.path('a.tar')}:t", "--files").stdout)
    varve("copy", image, "store:t")
    texts.add(varve("sbom", "t", "--files", "-o", varve.path("out.json")).stdout or varve.path("out.json").read_text())
    assert len(texts) == 1
    later = varve("sbom", "t", env={"SOURCE_DATE_EPOCH": "86400"}).json()
    assert later["creationInfo"]["created"] == "1970-01-02T00:00:00Z"
    assert later["documentNamespace"] != json.loads(texts.pop())["documentNamespace"]


def test_what_varve_knows(own_project, serve, tmp_path):
    """Sources that no database tells of, by the digests of the store's records."""
    project = own_project
    (tmp_path / "srv").mkdir()
    digests, sources = {}, {}
    server = serve(tmp_path / "srv")
    for name in ("file", "tool"):
        (tmp_path / "srv" / name).write_bytes(name.encode())
        digests[name] = hashlib.sha256(name.encode()).hexdigest()
        sources[name] = {"kind": "url", "href": f"{server.url}/{name}"}
    project.recipe([copy("it", "file", "/it"), run("use", "true >/x", mounts={"/src": "tool"})], sources=sources)
    project.build()
    found = components(cyclonedx(project.varve, NAME), "pkg:generic/")
    assert {(one["name"], one["hashes"][0]["content"], one.get("scope")) for one in found} == {
        ("file", digests["file"], None), ("tool", digests["tool"], "excluded")}
    assert [layer_of(one) for one in found if one["name"] == "file"] == [2]
    kinds = {(r["relationshipType"], r["spdxElementId"].split("-")[-2]) for r in spdx(project.varve, NAME)["relationships"]}
    assert ("BUILD_DEPENDENCY_OF", "tool") in kinds and ("BUILD_DEPENDENCY_OF", "file") not in kinds


def test_wrong_use(varve):
    assert "spdx or cyclonedx" in varve("sbom", "--format", "xml", "x", rc=2).stderr
    broken = image_of(varve.path("i"), {STATUS: "Package\n: \n\n\n\nPackage: x", "lib/apk/db/installed": "P:\nF\n\n\n",
                                        "x.dist-info/METADATA": "", "x.dist-info/RECORD": '"a', "x.egg-info": b"\0\xff"})
    assert components(cyclonedx(varve, broken, "--files")) == []
    rpm = image_of(varve.path("j"), {"var/lib/rpm/rpmdb.sqlite": "x"})
    assert "not read: the package database /var/lib/rpm/rpmdb.sqlite" in varve("sbom", rpm).stderr


# --- validators ------------------------------------------------------------------------------------
CHECK = """
import json, sys
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from spdx_tools.spdx.parser.parse_anything import parse_file
from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document
path = sys.argv[1]
if path.endswith(".spdx.json"):
    found = [f"{e.validation_message} {e.context.spdx_id}" for e in validate_full_spdx_document(parse_file(path))]
else:
    error = JsonStrictValidator(SchemaVersion.V1_6).validate_str(open(path).read())
    found = [str(error)] if error else []
print(json.dumps(found[:5]))
"""


@pytest.fixture(scope="module")
def validator():
    """validator(PATH) -> faults. The schemas and rules lie in packages of the index: nothing of them is here."""
    directory = tempfile.mkdtemp(prefix="varve-validators-")
    done = subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "--target", directory, "spdx-tools",
                           "cyclonedx-python-lib[json-validation]"], capture_output=True, text=True, timeout=300)
    if done.returncode != 0:
        shutil.rmtree(directory)
        pytest.skip(f"pip cannot get spdx-tools and cyclonedx-python-lib: {done.stderr[-200:]}")

    def check(path):
        ran = subprocess.run([sys.executable, "-c", CHECK, path], capture_output=True, text=True, check=True,
                             env={**os.environ, "PYTHONPATH": directory})
        return json.loads(ran.stdout)
    yield check
    shutil.rmtree(directory)


def write_both(varve, *arguments):
    paths = {kind: varve.path(f"bom.{kind}.json") for kind in ("spdx", "cyclonedx")}
    for kind, path in paths.items():
        varve("sbom", "--format", kind, *arguments, "-o", path, timeout=120)
    return paths


@pytest.mark.slow
def test_valid_at_size(varve, validator, host_image):
    for path in write_both(varve, host_image[0]).values():
        assert validator(path) == []


@pytest.mark.slow
def test_valid(varve, validator):
    """And a fault in a document is seen: the validators do look."""
    paths = write_both(varve, small_image(varve), "--files")
    assert [validator(path) for path in paths.values()] == [[], []]
    for kind, member, value in (("spdx", "documentNamespace", "no uri"), ("cyclonedx", "serialNumber", "1")):
        path = paths[kind]
        path.write_text(json.dumps({**json.loads(path.read_text()), member: value}))
        assert validator(path)
