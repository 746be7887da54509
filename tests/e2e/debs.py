# SPDX-License-Identifier: Apache-2.0
"""Makes Debian packages and a signed archive of them. The packages are real (ar of control and data tars)
and written here, not by dpkg-deb, so that owners, times and faults can be chosen freely.

	make_repo(directory, [{"name": "hello", "version": "1", "depends": "base (>= 2)", "essential": True,
		"files": {"usr/bin/hello": "text", "etc/x": {"data": "", "mode": 0o600, "uid": 7}, "d/": {},
			"usr/bin/hi": {"link": "hello"}},
		"scripts": {"postinst": "#!/bin/sh\\n..."}, "conffiles": ["/etc/x"], "fields": {"Homepage": "..."}}])
"""
import email.utils
import gzip
import hashlib
import io
import lzma
import os
import pathlib
import shutil
import subprocess
import tarfile
import tempfile

EPOCH = 1700000000


class Missing(Exception):
    """A program that the host lacks; fixtures make a skip of it."""


def architecture():
    """Debian's name of this host's architecture."""
    names = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "armhf", "ppc64le": "ppc64el"}
    machine = os.uname().machine
    return names.get(machine, machine)


# --- one package ------------------------------------------------------------------------------------
def tar_entry(name, options):
    entry = tarfile.TarInfo("./" + name.rstrip("/"))
    entry.mtime = options.get("mtime", EPOCH)
    entry.uid, entry.gid = options.get("uid", 0), options.get("gid", 0)
    entry.uname, entry.gname = options.get("uname", "root"), options.get("gname", "root")
    data = options.get("data", b"")
    data = data.encode() if isinstance(data, str) else data
    if name.endswith("/"):
        entry.type, entry.mode = tarfile.DIRTYPE, 0o755
    elif "link" in options:
        entry.type, entry.linkname, entry.mode, data = tarfile.SYMTYPE, options["link"], 0o777, b""
    elif "hardlink" in options:
        entry.type, entry.linkname, data = tarfile.LNKTYPE, "./" + options["hardlink"], b""
    else:
        entry.mode = 0o755 if data.startswith(b"#!") or "bin/" in name else 0o644
    entry.mode = options.get("mode", entry.mode)
    entry.size = len(data)
    return entry, data


def with_parents(files):
    """The files in order, each directory before what is in it."""
    found = {}
    for name, options in sorted(files.items()):
        parts = name.rstrip("/").split("/")
        for depth in range(1, len(parts)):
            found.setdefault("/".join(parts[:depth]) + "/", {})
        found[name] = options if isinstance(options, dict) else {"data": options}
    # A hard link comes after its target, whatever its name.
    return {"./": {}, **dict(sorted(found.items(), key=lambda item: ("hardlink" in item[1], item[0])))}


def make_tar(files):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for name, options in with_parents(files).items():
            entry, data = tar_entry("." if name == "./" else name, options)
            if name == "./":
                entry.name, entry.type, entry.mode = ".", tarfile.DIRTYPE, 0o755
            tar.addfile(entry, io.BytesIO(data))
    return out.getvalue()


def compress(data, kind):
    """(suffix, bytes); kind: xz, gz, zst or none."""
    if kind == "xz":
        return ".xz", lzma.compress(data, preset=1)
    if kind == "gz":
        return ".gz", gzip.compress(data, mtime=0)
    if kind == "zst":
        return ".zst", subprocess.run(["zstd", "-qc"], input=data, check=True, capture_output=True).stdout
    return "", data


def ar_member(name, data):
    header = f"{name:<16}{EPOCH:<12}{0:<6}{0:<6}{'100644':<8}{len(data):<10}`\n".encode()
    return header + data + (b"\n" if len(data) % 2 else b"")


def control_fields(package):
    fields = {"Package": package["name"], "Version": package.get("version", "1"),
              "Architecture": package.get("architecture", "all"),
              "Maintainer": "Tests <tests@example.org>",
              "Priority": package.get("priority", "optional"), "Section": "misc",
              "Installed-Size": "1"}
    for key in ("depends", "pre_depends", "recommends", "conflicts", "breaks", "replaces", "provides"):
        if package.get(key):
            fields[key.replace("_", "-").title()] = package[key]
    if package.get("essential"):
        fields["Essential"] = "yes"
    if package.get("multi_arch"):
        fields["Multi-Arch"] = package["multi_arch"]
    fields.update(package.get("fields", {}))
    return {**fields, "Description": package.get("description", "made by a test")}


def stanza(fields):
    return "".join(f"{key}: {value}\n" for key, value in fields.items())


def make_deb(package):
    """The bytes of the .deb."""
    control = {"control": stanza(control_fields(package))}
    if package.get("conffiles"):
        control["conffiles"] = "".join(name + "\n" for name in package["conffiles"])
    for name in ("triggers", "md5sums", "shlibs"):
        if package.get(name):
            control[name] = package[name]
    for name, text in package.get("scripts", {}).items():
        control[name] = {"data": text, "mode": 0o755}
    control_suffix, control_tar = compress(make_tar(control), "gz")
    suffix, data = compress(make_tar(package.get("files", {})), package.get("compression", "xz"))
    return (b"!<arch>\n" + ar_member("debian-binary", b"2.0\n") +
            ar_member("control.tar" + control_suffix, control_tar) + ar_member("data.tar" + suffix, data))


# --- the signature ----------------------------------------------------------------------------------
class SigningKey:
    """A key that is thrown away, in a GNUPGHOME of its own."""

    def __init__(self, name="Tests <tests@example.org>"):
        if not shutil.which("gpg"):
            raise Missing("gpg is missing (package gnupg)")
        # Short: the agent's socket lies in it, and its path may have 107 bytes at most.
        self.home = tempfile.mkdtemp(prefix="vgpg", dir="/tmp")
        try:
            self.gpg("--quick-gen-key", "--passphrase", "", name, "default", "sign", "never")
            self.public = self.gpg("--export")
        except BaseException:
            self.close()
            raise

    def gpg(self, *arguments, data=None):
        command = ["gpg", "--homedir", self.home, "--batch", "--quiet", "--yes", "--pinentry-mode", "loopback"]
        result = subprocess.run([*command, *arguments], input=data, capture_output=True, check=False, timeout=120)
        if result.returncode:
            raise RuntimeError(f"gpg {arguments[0]}: {result.stderr.decode(errors='replace')}")
        return result.stdout

    def clearsign(self, text):
        return self.gpg("--digest-algo", "SHA256", "--clearsign", data=text.encode())

    def detach(self, text):
        return self.gpg("--digest-algo", "SHA256", "--armor", "--detach-sign", data=text.encode())

    def close(self):
        subprocess.run(["gpgconf", "--homedir", self.home, "--kill", "all"], check=False, capture_output=True)
        shutil.rmtree(self.home, ignore_errors=True)


# --- the archive ------------------------------------------------------------------------------------
def pool_path(package, component):
    name, version = package["name"], package.get("version", "1").split(":", 1)[-1]
    prefix = name[:4] if name.startswith("lib") else name[0]
    return f"pool/{component}/{prefix}/{name}/{name}_{version}_{package.get('architecture', 'all')}.deb"


class Repo:
    """A Debian archive in a directory. write() may be called again after a change of a member."""

    def __init__(self, directory, packages, key, **options):
        self.path = pathlib.Path(directory)
        self.packages, self.key = list(packages), key
        self.suite = options.pop("suite", "bookworm")
        self.component = options.pop("component", "main")
        self.architecture = options.pop("architecture", architecture())
        self.date = options.pop("date", EPOCH)
        self.fields = options.pop("fields", {})  # further ones of Release, or replacing
        if options:
            raise TypeError(f"unknown: {', '.join(options)}")
        self.keyring = self.path / "keyring.gpg"
        self.debs = {}  # package name -> path below the archive
        self.write()

    def write(self):
        self.path.mkdir(parents=True, exist_ok=True)
        stanzas = [self.write_deb(package) for package in self.packages]
        dist = self.path / "dists" / self.suite
        index = dist / self.component / f"binary-{self.architecture}"
        index.mkdir(parents=True, exist_ok=True)
        text = "\n".join(stanzas).encode()
        for suffix, data in (("", text), (".gz", gzip.compress(text, mtime=0)), (".xz", lzma.compress(text))):
            (index / f"Packages{suffix}").write_bytes(data)
        self.write_release(self.release_text(dist, sorted(index.glob("Packages*"))))
        return self

    def write_deb(self, package):
        path, data = pool_path(package, self.component), make_deb(package)
        (self.path / path).parent.mkdir(parents=True, exist_ok=True)
        (self.path / path).write_bytes(data)
        self.debs[package["name"]] = path
        fields = {**control_fields(package), "Filename": path, "Size": len(data),
                  "SHA256": hashlib.sha256(data).hexdigest()}
        return stanza(fields)

    def release_text(self, dist, files):
        fields = {"Origin": "Tests", "Label": "Tests", "Suite": self.suite, "Codename": self.suite,
                  "Date": email.utils.formatdate(self.date, usegmt=True).replace("GMT", "UTC"),
                  "Architectures": self.architecture, "Components": self.component, **self.fields}
        lines = "".join(f" {hashlib.sha256(file.read_bytes()).hexdigest()} {file.stat().st_size}"
                        f" {file.relative_to(dist)}\n" for file in files)
        return stanza(fields) + "SHA256:\n" + lines

    def write_release(self, text):
        """Writes Release with its signatures; tests may give a text of their own."""
        dist = self.path / "dists" / self.suite
        (dist / "Release").write_text(text)
        for name in ("InRelease", "Release.gpg"):
            (dist / name).unlink(missing_ok=True)
        if self.key:
            (dist / "InRelease").write_bytes(self.key.clearsign(text))
            (dist / "Release.gpg").write_bytes(self.key.detach(text))
            self.keyring.write_bytes(self.key.public)

    def deb(self, name):
        return self.path / self.debs[name]


def make_repo(directory, packages, key=None, **options):
    """suite, component, architecture, date, fields: see Repo. key=None: not signed."""
    return Repo(directory, packages, key, **options)
