# SPDX-License-Identifier: Apache-2.0
"""help.py: the option tables, the reserved names, --help and the man pages say the same.

Needs the program: VARVE_BIN, or the first of build*/src/cli/varve."""
import glob
import os
import re
import subprocess
import sys

problems = []


def problem(text):
    problems.append(text)


def run(*arguments):
    return subprocess.run([program, *arguments], capture_output=True, text=True, timeout=20)


def check_help(command):
    done = run("help", *command.split()) if command else run("--help")
    name = f"varve {command} --help" if command else "varve --help"
    if done.returncode != 0 or done.stderr:
        problem(f"{name}: exit {done.returncode}, stderr {done.stderr!r}: help belongs on stdout")
    for line in done.stdout.splitlines():
        if len(line) > 80:
            problem(f"{name}: longer than 80 columns: {line}")
    return done.stdout


def main():
    table = open("src/cli/cli_options.c").read()
    commands = open("src/cli/cli_commands.c").read()
    body = commands[commands.index("cli_reserved_options[] = {"):]
    reserved = re.findall(r'"([a-z-]+)"', body[:body.index("NULL}")])
    options = re.findall(r'^\t\{"([a-z-]+)", ', table, re.M)
    for name in sorted(set(options) - set(reserved)):
        problem(f"cli_commands.c: option --{name} is not in cli_reserved_options")
    commands = re.findall(r"^  ([a-z]+(?: [a-z]+)?)  ", check_help(None), re.M)
    page = open("src/man/varve.1.scd").read()
    for command in commands:
        text = check_help(command)
        if f"*varve {command}*" not in page:
            problem(f"src/man/varve.1.scd: no *varve {command}*")
        for option in re.findall(r"--([a-z-]+)", text):
            if f"--{option}" not in page:
                problem(f"src/man/varve.1.scd: --{option} of varve {command} is missing")
    for arguments in (["nonsense"], ["build"], ["build", "--nonsense", "x.yaml"], []):
        done = run(*arguments)
        if done.returncode != 2 or done.stdout or not done.stderr:
            problem(f"varve {' '.join(arguments)}: exit {done.returncode}; wrong use must exit 2, on stderr")
    readme = open("README.md").read()
    for command in commands:
        if f"`varve {command}" not in readme:
            problem(f"README.md: `varve {command}` is not in the table of commands")
    print("\n".join(problems))
    return 1 if problems else 0


program = os.environ.get("VARVE_BIN") or next(iter(sorted(glob.glob("build*/src/cli/varve"))), None)
if not program:
    sys.exit("no varve program: build it first")
sys.exit(main())
