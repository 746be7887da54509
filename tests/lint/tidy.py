# SPDX-License-Identifier: Apache-2.0
"""tidy.py BUILDDIR: clang-tidy over every file of src/, on all cores; prints findings, exits 1 on any."""
import concurrent.futures
import json
import os
import subprocess
import sys


def check(entry):
    tool = os.environ.get("CLANG_TIDY", "clang-tidy")
    run = subprocess.run([tool, "--quiet", "-p", sys.argv[1], entry], capture_output=True, text=True)
    return run.returncode, run.stdout


def main():
    with open(os.path.join(sys.argv[1], "compile_commands.json")) as file:
        entries = sorted({os.path.normpath(os.path.join(e["directory"], e["file"])) for e in json.load(file)})
    entries = [e for e in entries if os.sep + "src" + os.sep in e]
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for status, text in pool.map(check, entries):
            if status != 0:
                failed += 1
                print(text)
    print(f"{len(entries)} files, {failed} with findings")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
