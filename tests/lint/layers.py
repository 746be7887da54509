#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Includes go one way: the table of the source tree, and one door for each outside library.
Runs from the repository root; prints file:line: message, exits 1 on a finding."""
import pathlib
import re
import sys

BELOW = {  # directory: what it may include, besides itself
    "net": "base",
    "recipe": "base",
    "store": "base",
    "lock": "base",
    "source": "base net store recipe lock layer image",
    "record": "base net store source",
    "plan": "base recipe lock",
    "layer": "base",
    "sandbox": "base",
    "build": "base plan lock store layer sandbox source image",
    "image": "base store layer",
    "registry": "base net store image",
    "audit": "base net recipe store lock source plan layer sandbox build image registry",
    "cli": "base net recipe store lock source record plan layer sandbox build image registry audit",
}
PUBLIC = {"error": "base", "digest": "base", "descriptor": "base", "version": "base",
          "report": "build"}  # <varve/x.h> of another directory than x
DOORS = [  # an outside header, and where it may be included
    (r"openssl/", r"src/(base/digest\.c|audit/signature_key\.c|record/record_(authority|tls)\.[ch])"),
    (r"curl/", r"src/net/(curl_door|http).*"),
    (r"libpsl\.h", r"src/net/registrable\.c"),
    (r"archive(_entry)?\.h", r"src/(layer/.*|source/(deb_archive|python_wheel)\.c)"),
    (r"(zstd|zstd_errors|zlib)\.h", r"src/(layer/.*|source/deb_archive\.c|audit/inflated\.c)"),
    (r"solv/", r"src/source/.*"),
    (r"libfyaml\.h", r"src/recipe/.*"),
    (r"seccomp\.h", r"src/sandbox/.*"),
    (r"jansson\.h", r"src/base/json\.h"),
]


def fault(path, header):
    """What is wrong with this include, or None. header keeps its <> or quotes."""
    name, parts = header[1:-1], path.parts
    own = parts[1] if parts[0] == "src" else PUBLIC.get(path.stem, path.stem)
    if header[0] == "<" and not name.startswith("varve/"):
        doors = [door for pattern, door in DOORS if re.match(pattern, name)]
        closed = doors and not re.fullmatch(doors[0], path.as_posix())
        return f"<{name}> is included only by {doors[0]}" if closed else None
    stem = pathlib.PurePath(name).stem
    other = PUBLIC.get(stem, stem) if header[0] == "<" else name.split("/")[0]
    allowed = other == own or other in BELOW.get(own, "").split()
    return None if allowed else f"src/{own} may not include {header}"


found = 0
for path in sorted(p for d in ("src", "include") for p in pathlib.Path(d).rglob("*.[ch]")):
    for number, line in enumerate(path.read_text().splitlines(), 1):
        match = re.match(r'\s*#\s*include\s*(<[^>]+>|"[^"]+")', line)
        message = fault(path, match[1]) if match else None
        if message:
            found += 1
            print(f"{path}:{number}: {message}")
sys.exit(1 if found else 0)
