#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The shape of the code: lengths of files and functions, banned calls, names, first lines.
Runs from the repository root; prints file:line: message, exits 1 on a finding (not on a warning)."""
import pathlib
import re
import sys

FILE_LINES, FILE_WARNING, FUNCTION_LINES = 600, 400, 60
BANNED = re.compile(r"(?<![\w.>])(strcpy|strcat|sprintf|vsprintf|strtok|gets|system|popen|tmpnam"
                    r"|chdir)\s*\(")
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX)\b")
NAMELESS = {"util", "utils", "common", "helper", "helpers", "misc"}
SPDX = "/* SPDX-License-Identifier: Apache-2.0"


def code_only(text):
    """The text with comments and strings emptied, line for line."""
    def blank(match):
        return re.sub(r"[^\n]", " ", match[0])
    return re.sub(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', blank, text,
                  flags=re.S)


def functions(lines):
    """Number of the first line and length of each body: braces at column 0."""
    start = 0
    for number, line in enumerate(lines, 1):
        if line.startswith("{"):
            start = number
        elif line.startswith("}") and start:
            yield start, number - start - 1
            start = 0


def findings(path):
    text = path.read_text()
    lines, code = text.splitlines(), code_only(text).splitlines()
    if not lines or not lines[0].startswith(SPDX):
        yield 1, "the first line is not the SPDX line"
    if len(lines) > FILE_LINES:
        yield len(lines), f"the file has {len(lines)} lines, {FILE_LINES} are allowed"
    for number, length in functions(code):
        if length > FUNCTION_LINES:
            yield number, f"the function has {length} lines, {FUNCTION_LINES} are allowed"
    for number, (line, bare) in enumerate(zip(lines, code), 1):
        if banned := BANNED.search(bare):
            yield number, f"{banned[1]} is banned"
        if unfinished := UNFINISHED.search(line):
            yield number, f"{unfinished[1]} is left over"


found = 0
top = [pathlib.Path(d) for d in ("src", "include", "tests")]
for path in sorted(p for d in top for p in d.rglob("*") if p.is_file()):
    results = []
    if path.stem in NAMELESS:
        results.append((1, "the file's name says nothing: name it after its noun"))
    if path.suffix in (".c", ".h"):
        results += findings(path)
        length = len(path.read_text().splitlines())
        if FILE_WARNING < length <= FILE_LINES:
            print(f"{path}:{length}: warning: {length} lines, think of a split before adding")
    for number, message in results:
        found += 1
        print(f"{path}:{number}: {message}")
sys.exit(1 if found else 0)
