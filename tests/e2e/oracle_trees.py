# SPDX-License-Identifier: Apache-2.0
"""A file system as data, read from a directory or from an image's layers, and a table of what differs."""
import dataclasses
import difflib
import hashlib
import os
import re
import stat

KINDS = {stat.S_IFREG: "f", stat.S_IFDIR: "d", stat.S_IFLNK: "l", stat.S_IFIFO: "p", stat.S_IFCHR: "c", stat.S_IFBLK: "b",
         stat.S_IFSOCK: "s"}
TEXT_MAX = 100000
# What an image never holds, or what whoever makes a root chooses; nothing of packages or scripts.
NOT_COMPARED = re.compile("|".join([
    "(dev|proc|sys|run|tmp|mnt)(/.*)?",   # mounted while things run
    "lib32|libx32|usr/lib32|usr/libx32",  # merged /usr: which of the foreign ones exist is the maker's choice
]))


@dataclasses.dataclass
class Entry:
    kind: str
    mode: str
    owner: str
    device: str = ""
    link: str = ""
    xattrs: str = ""
    names: tuple = ()  # of the same file, this one included, where it has several
    content: str = ""
    text: str = dataclasses.field(default=None, compare=False)  # of small files, to show what differs

    def lines(self, other):
        """(member, here, there) of each member that differs."""
        rows = [(field.name, shown(getattr(self, field.name)), shown(getattr(other, field.name)))
                for field in dataclasses.fields(self) if field.compare and getattr(self, field.name) != getattr(other, field.name)]
        if self.content != other.content and self.text is not None and other.text is not None:
            lines = difflib.unified_diff(self.text.splitlines(), other.text.splitlines(), n=0, lineterm="")
            rows += [("", line, "") for line in list(lines)[2:14] if not line.startswith("@@")]
        return rows


def shown(value):
    return " = ".join(value) if isinstance(value, tuple) else str(value) or "-"


def described(kind, mode, uid, gid, device, link, xattrs, data):
    told = ", ".join(f"{name}={value.hex()}" for name, value in sorted(xattrs.items()))
    return Entry(kind, "-" if kind == "l" else f"{mode:04o}", f"{uid}:{gid}", f"{device[0]}:{device[1]}" if kind in "cb" else "",
                 link or "" if kind == "l" else "", told,
                 (), f"{len(data)} bytes, {hashlib.sha256(data).hexdigest()[:16]}" if kind == "f" else "",
                 data.decode("ascii", "replace") if len(data) <= TEXT_MAX else None)


def with_names(found, same):
    """same: path -> what is equal for all names of one file."""
    groups = {}
    for path in found:
        groups.setdefault(same[path], []).append(path)
    for paths in groups.values():
        if len(paths) > 1:
            for path in paths:
                found[path].names = tuple(sorted(paths))
    return found


def tree_of_directory(root):
    found, same = {}, {}
    for top, directories, files in os.walk(root):
        for path in (os.path.join(top, name) for name in [*directories, *files]):
            st = os.lstat(path)
            kind, name = KINDS[stat.S_IFMT(st.st_mode)], os.path.relpath(path, root)
            if NOT_COMPARED.fullmatch(name):
                continue
            xattrs = {one: os.getxattr(path, one, follow_symlinks=False) for one in os.listxattr(path, follow_symlinks=False)}
            data = b""
            if kind == "f":
                with open(path, "rb") as file:
                    data = file.read()
            found[name] = described(kind, stat.S_IMODE(st.st_mode), st.st_uid, st.st_gid, (os.major(st.st_rdev), os.minor(st.st_rdev)),
                                    os.readlink(path) if kind == "l" else "", xattrs, data)
            same[name] = name if kind == "d" else (st.st_dev, st.st_ino)
    return with_names(found, same)


def tree_of_image(image):
    files = {name: file for name, file in image.files.items() if name and not NOT_COMPARED.fullmatch(name)}
    found = {name: described(file.kind, file.mode, file.uid, file.gid, file.device, file.link, file.xattrs, file.data or b"")
             for name, file in files.items()}
    return with_names(found, {name: id(file) for name, file in files.items()})


def differences(one, other, allowed):
    """[(path, member, here, there)]; allowed: pattern -> members that may differ there ("*": all, its existence too)."""
    rows = []
    for path in sorted({*one, *other}):
        may = {member for pattern, members in allowed.items() if re.fullmatch(pattern, path) for member in members.split()}
        if "*" in may:
            continue
        if path not in one or path not in other:
            rows.append((path, "exists", "yes" if path in one else "no", "yes" if path in other else "no"))
        else:
            rows += [(path, *line) for line in one[path].lines(other[path]) if not {line[0] or "content"} & may]
    return rows


def table(rows, here, there):
    """Text for people; "" when there is nothing to tell."""
    if not rows:
        return ""
    rows = [("path", "what", here, there), *rows]
    widths = [min(60, max(len(row[column]) for row in rows)) for column in range(3)]
    lines = ["  ".join([*(cell.ljust(width) for cell, width in zip(row, widths)), row[3]]).rstrip() for row in rows[:200]]
    return "\n".join(["", *lines, f"{len({row[0] for row in rows[1:]})} paths differ"])
