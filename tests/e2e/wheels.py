# SPDX-License-Identifier: Apache-2.0
"""Wheels made by tests, a package index on 127.0.0.1 that has them, and a small root with the host's Python.

	index = Index(directory, uv)		# uv: the path of uv's own wheel, see uv_wheel()
	index.add("app", "1.0", requires=["dep>=1"], files={"app.py": "x = 1\\n"}, scripts={"app": "app:main"})
	varve("lock", "r.yaml", *index.mirror)
An index is a FaultServer: index.fault("/simple/app/", "status", code=500). index.html = True: it has only the older form
of pages, index.html = "bare": without digests."""
import base64
import functools
import hashlib
import html
import io
import json
import os
import pathlib
import platform
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile

from faults import FaultServer
from support import libraries_of

JSON_TYPE = "application/vnd.pypi.simple.v1+json"
DATE = "2024-03-01T12:00:00.123456Z"


@functools.lru_cache(maxsize=1)
def uv_wheel():
    """The wheel of uv for this machine, by pip, once; None where pip cannot get it."""
    directory = pathlib.Path(tempfile.mkdtemp(prefix="varve-uv-"))
    done = subprocess.run([sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:",
                           "--platform", f"musllinux_1_1_{platform.machine()}", "--dest", directory, "uv"],
                          capture_output=True, text=True, timeout=300, check=False)
    found = sorted(directory.glob("uv-*.whl"))
    return found[0] if done.returncode == 0 and found else None


def record_line(name, data):
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    return f"{name},sha256={digest},{len(data)}\n"


def make_wheel(name, version, files, requires=(), scripts=None, tag="py3-none-any", more=None):
    """Bytes of a wheel. more: members as they are, whatever their names."""
    stem = f"{name.replace('-', '_')}-{version}"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    metadata += "".join(f"Requires-Dist: {one}\n" for one in requires)
    members = {path: data.encode() if isinstance(data, str) else data for path, data in files.items()}
    members[f"{stem}.dist-info/METADATA"] = metadata.encode()
    members[f"{stem}.dist-info/WHEEL"] = (
        f"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: {tag}\n".encode())
    if scripts:
        lines = "".join(f"{script} = {target}\n" for script, target in scripts.items())
        members[f"{stem}.dist-info/entry_points.txt"] = f"[console_scripts]\n{lines}".encode()
    members.update(more or {})
    record = "".join(record_line(path, data) for path, data in members.items())
    members[f"{stem}.dist-info/RECORD"] = f"{record}{stem}.dist-info/RECORD,,\n".encode()
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, data in members.items():
            archive.writestr(zipfile.ZipInfo(path, (2020, 1, 1, 0, 0, 0)), data)
    return f"{stem}-{tag}.whl", out.getvalue()


def make_sdist(name, version):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        data = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode()
        info = tarfile.TarInfo(f"{name}-{version}/PKG-INFO")
        info.size = len(data)
        archive.addfile(info, io.BytesIO(data))
    return f"{name}-{version}.tar.gz", out.getvalue()


def normal(name):
    return re.sub(r"[-_.]+", "-", name).lower()


class Index(FaultServer):
    """simple/PROJECT/ as JSON, files below packages/ in places named by their content."""

    def __init__(self, directory, uv=None, name="pypi"):
        super().__init__(directory)
        self.name, self.projects, self.answers, self.html = name, {}, {}, False
        if uv:
            self.add_file("uv", uv.name, uv.read_bytes())

    @property
    def mirror(self):
        return ["--mirror", f"{self.name}={self.url}/simple"]

    def add(self, name, version, files=None, **options):
        upload = {key: options.pop(key) for key in ("date", "yanked") if key in options}
        files = {f"{name.replace('-', '_')}.py": f"version = '{version}'\n"} if files is None else files
        return self.add_file(name, *make_wheel(name, version, files, **options), **upload)

    def add_sdist(self, name, version, **upload):
        return self.add_file(name, *make_sdist(name, version), **upload)

    def add_file(self, project, filename, data, date=DATE, yanked=False):
        digest = hashlib.sha256(data).hexdigest()
        place = f"packages/{digest[:2]}/{digest[2:]}/{filename}"
        (self.directory / place).parent.mkdir(parents=True, exist_ok=True)
        (self.directory / place).write_bytes(data)
        entry = {"filename": filename, "url": f"../../{place}", "hashes": {"sha256": digest}, "size": len(data),
                 "upload-time": date, "yanked": yanked}
        self.projects.setdefault(normal(project), {})[filename] = entry
        return entry

    def file(self, filename):
        """The entry of a file, to change it."""
        return next(files[filename] for files in self.projects.values() if filename in files)

    def remove(self, filename):
        entry = self.file(filename)
        for files in self.projects.values():
            files.pop(filename, None)
        (self.directory / entry["url"].replace("../../", "")).unlink()

    def content_type(self, path):
        if not path.startswith("/simple/") or path in self.answers:
            return None
        return "text/html" if self.html else JSON_TYPE

    def read(self, path):
        if path in self.answers:
            return self.answers[path]
        found = re.fullmatch(r"/simple/([^/]+)/", path)
        if not found:
            return super().read(path)
        files = self.projects.get(found[1])
        if files is None:
            return None
        if self.html:
            return self.html_page(files.values()).encode()
        return json.dumps({"meta": {"api-version": "1.1"}, "name": found[1], "files": list(files.values())}).encode()


    def html_page(self, files):
        """Links start at the <base>; attributes as PEP 503 and PEP 592 have them."""
        lines = ["<!DOCTYPE html>", f"<html><head><base href='{self.url}/simple/'><title>Links</title></head><body>", "<a href='/'>home</a>"]
        for one in files:
            fragment = f"#sha256={one['hashes']['sha256']}" if self.html != "bare" else ""
            yanked = f' data-yanked="{html.escape(one["yanked"])}"' if one["yanked"] else ""
            place = one["url"].removeprefix("../")
            lines.append(f'<a href="{place}{fragment}" data-requires-python="&gt;=3.8"{yanked}>{one["filename"]}</a><br>')
        return "\n".join(lines)


# --- a root with Python --------------------------------------------------------------------------

LEFT_OUT = ("__pycache__", "test", "tests", "idlelib", "tkinter", "ensurepip", "lib2to3", "pydoc_data", "distutils",
            "config-*", "turtledemo", "site-packages", "dist-packages", "unittest", "xml", "sqlite3",
            "multiprocessing", "asyncio", "concurrent", "ctypes", "curses", "dbm", "wsgiref", "xmlrpc")


@functools.lru_cache(maxsize=1)
def host_python():
    """(path, "3.11") of the system's own Python; None where there is none in the usual place."""
    program = pathlib.Path("/usr/bin/python3").resolve()
    match = re.fullmatch(r"python(3\.\d+)", program.name)
    library = pathlib.Path("/usr/lib") / program.name
    return (program, match[1]) if match and library.is_dir() else None


def add_python(tree):
    """The host's Python in usr/bin and usr/lib of a directory, as far as uv and small programs need it."""
    program, version = host_python()
    for file in [program, *map(pathlib.Path, libraries_of(program))]:
        target = tree / str(file).lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, target)
    library = pathlib.Path("usr/lib") / f"python{version}"
    shutil.copytree(pathlib.Path("/") / library, tree / library, ignore=shutil.ignore_patterns(*LEFT_OUT),
                    ignore_dangling_symlinks=True)
    for top, directories, files in os.walk(tree):
        for name in directories + files:
            path = pathlib.Path(top) / name
            if not path.is_symlink():
                path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)
    return version
