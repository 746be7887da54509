# SPDX-License-Identifier: Apache-2.0
"""Packages made again from what dpkg has installed on this host: a real small Debian (dpkg, a shell,
libraries) for tests that must not need a network. Documentation may be missing; owners are the host's."""
import functools
import os
import pathlib
import re
import stat
import subprocess

from debs import Missing

INFO = pathlib.Path("/var/lib/dpkg/info")
SCRIPTS = ("preinst", "postinst", "prerm", "postrm")
DROPPED = ("Package", "Status", "Version", "Architecture", "Conffiles", "Description", "Maintainer",
           "Priority", "Section", "Installed-Size", "Essential", "Config-Version")


@functools.lru_cache(maxsize=1)
def installed():
    """name -> fields of all packages that are installed, from dpkg's own status."""
    found = {}
    try:
        text = pathlib.Path("/var/lib/dpkg/status").read_text(errors="surrogateescape")
    except OSError as error:
        raise Missing(f"this host has no dpkg: {error}") from error
    for block in text.split("\n\n"):
        fields = dict(re.findall(r"^([A-Za-z0-9-]+): ?(.*(?:\n[ \t].*)*)$", block, re.MULTILINE))
        if fields.get("Status", "").endswith(" ok installed"):
            found.setdefault(fields["Package"], fields)
    return found


def providers():
    found = {}
    for name, fields in installed().items():
        for word in re.split(r",\s*", fields.get("Provides", "")):
            found.setdefault(word.split(" ")[0], name)
    return found


def closure(names):
    """The packages and all that they depend on, as installed here."""
    wanted, provided = {}, providers()
    queue = list(names)
    while queue:
        name = queue.pop()
        name = name if name in installed() else provided.get(name, name)
        if name in wanted:
            continue
        if name not in installed():
            raise Missing(f"package {name} is not installed on this host")
        wanted[name] = True
        fields = installed()[name]
        for clause in re.split(r",\s*", ", ".join(filter(None, (fields.get("Pre-Depends"), fields.get("Depends"))))):
            choices = [re.split(r"[ :(]", choice.strip())[0] for choice in clause.split("|") if choice.strip()]
            here = [choice for choice in choices if choice in installed() or choice in provided]
            queue += here[:1]
    return sorted(wanted)


def file_options(path):
    """What debs.make_tar wants to know of a file, or None for what a package cannot hold."""
    status = os.lstat(path)
    options = {"uid": status.st_uid, "gid": status.st_gid, "mode": stat.S_IMODE(status.st_mode),
               "mtime": int(status.st_mtime)}
    if stat.S_ISLNK(status.st_mode):
        return {**options, "link": os.readlink(path)}
    if stat.S_ISREG(status.st_mode):
        return {**options, "data": pathlib.Path(path).read_bytes()}
    return options if stat.S_ISDIR(status.st_mode) else None


def package_files(name):
    listing = subprocess.run(["dpkg-query", "-L", name], capture_output=True, text=True, check=True).stdout
    paths = [line for line in listing.splitlines() if line.startswith("/") and line != "/."]
    parents = {path.rpartition("/")[0] for path in paths}
    files = {}
    for path in paths:
        if not os.path.lexists(path):
            continue
        # A directory of the package may be a link on a host with merged /usr, as /lib is.
        merged = os.path.realpath(path) == "/usr" + path
        directory = path in parents or (os.path.isdir(path) and (merged or not os.path.islink(path)))
        options = file_options(os.path.realpath(path) if directory else path)
        if options is not None:
            files[path.lstrip("/") + ("/" if directory else "")] = options
    return files


def info_file(name, suffix):
    for stem in (name, f"{name}:{installed()[name].get('Architecture')}"):
        path = INFO / f"{stem}.{suffix}"
        if path.exists():
            return path.read_text()
    return None


def host_package(name):
    """The package as debs.make_deb wants it."""
    fields = installed()[name]
    conffiles = info_file(name, "conffiles")
    scripts = {script: info_file(name, script) for script in SCRIPTS}
    more = {key: value for key, value in fields.items() if key not in DROPPED}
    return {"name": name, "version": fields["Version"], "architecture": fields["Architecture"],
            "priority": fields.get("Priority", "optional"), "essential": fields.get("Essential") == "yes",
            "files": package_files(name), "scripts": {key: text for key, text in scripts.items() if text},
            "conffiles": [line for line in (conffiles or "").splitlines() if line.startswith("/")],
            "triggers": info_file(name, "triggers"), "fields": more, "compression": "gz"}


def host_packages(names):
    """All packages that are essential here, the named ones, and what they depend on."""
    essential = [name for name, fields in installed().items() if fields.get("Essential") == "yes"]
    return [host_package(name) for name in closure([*essential, *names])]
