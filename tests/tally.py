# SPDX-License-Identifier: Apache-2.0
"""Counts test results: tally.py meson LOG TALLY | junit XML TALLY | sum TALLY.

TALLY has a line "pass|fail|skip NAME" per test. `sum` prints the closing line and exits 1 on failures."""
import json
import re
import sys
import xml.etree.ElementTree

TAP = re.compile(r"^(not )?ok \d+(?: - )?(.*?)(?:\s*#\s*(SKIP|skip)\b\s*(.*))?$")


def tap_lines(program, text):
    """The results inside one TAP program; a program that broke off counts as one failure."""
    for line in text.splitlines():
        match = TAP.match(line.strip())
        if match:
            verdict = "skip" if match[3] else "fail" if match[1] else "pass"
            yield verdict, f"{program}: {match[2].strip()} {match[4] or ''}".strip()


def from_meson(path):
    with open(path) as log:
        for line in log:
            test = json.loads(line)
            name = test["name"].split(" / ")[-1]
            found = list(tap_lines(name, test.get("stdout", "")))
            yield from found
            # cmocka 1.1.5 prints a skipped test as "not ok N # SKIP", which Meson counts as failed; the
            # program's own exit status does not.
            broken = test["result"] in ("FAIL", "ERROR", "TIMEOUT", "UNEXPECTEDPASS")
            if broken and not (found and test.get("returncode") == 0) and not any(
                    verdict == "fail" for verdict, _ in found):
                yield "fail", f"{name}: {test['result'].lower()}"
            elif not found:
                yield ("skip" if test["result"] == "SKIP" else "pass"), name


def from_junit(path):
    for case in xml.etree.ElementTree.parse(path).iter("testcase"):
        name = f"{case.get('classname')}.{case.get('name')}"
        if case.find("failure") is not None or case.find("error") is not None:
            yield "fail", name
        elif case.find("skipped") is not None:
            yield "skip", f"{name}: {case.find('skipped').get('message')}"
        else:
            yield "pass", name


def add(results, tally):
    failed = 0
    with open(tally, "a") as out:
        for verdict, name in results:
            out.write(f"{verdict} {name}\n")
            failed += verdict == "fail"
            if verdict != "pass":
                print(f"{verdict} {name}")
    return 1 if failed else 0


def total(tally):
    counts = {"pass": 0, "fail": 0, "skip": 0}
    try:
        with open(tally) as lines:
            for line in lines:
                counts[line.split(" ", 1)[0]] += 1
    except FileNotFoundError:
        counts["fail"] = 1
    skipped = f", {counts['skip']} skipped" if counts["skip"] else ""
    print(f"{counts['pass']} passed, {counts['fail']} failed{skipped}")
    return 1 if counts["fail"] or not counts["pass"] else 0


def main():
    command, path = sys.argv[1], sys.argv[2]
    if command == "sum":
        return total(path)
    read = {"meson": from_meson, "junit": from_junit}[command]
    try:
        return add(read(path), sys.argv[3])
    except (OSError, ValueError, xml.etree.ElementTree.ParseError) as error:
        return add([("fail", f"{command} results: {error}")], sys.argv[3])


if __name__ == "__main__":
    sys.exit(main())
