# SPDX-License-Identifier: Apache-2.0
"""An application of the shape that recipes/linnaeus.yaml is for: 259 files, no tags, a tip whose main module does not
parse and an earlier commit whose does. Made up here; nothing of the real one is in it.

	app = Application(tmp_path / "app")	# app.good, app.tip: commits; app.repository: a GitRepository"""
from git_server import GitRepository

PYPROJECT = """[build-system]
requires = ["setuptools>=68", "wheel"]
build-backend = "setuptools.build_meta"

[project]
name = "linnaeus"
version = "0.1.0"
requires-python = ">=3.10"
dependencies = [{dependencies}]

[tool.setuptools.packages.find]
include = ["linnaeus*"]
"""
# As argparse programs go: told nothing, they say what they need and exit with 2.
MAIN = """import argparse
import sys

import {library}
from linnaeus import config


def main():
    parser = argparse.ArgumentParser(prog="linnaeus")
    parser.add_argument("--cfg", required=True)
    found = parser.parse_args()
    print({library}.__version__, config.read(found.cfg))
    sys.exit("no data set")


if __name__ == "__main__":
    main()
"""
CONFIG = "def read(path):\n    with open(path) as file:\n        return file.read()\n"
BROKEN = "\n\ndef unfinished(:\n    pass\n"
FILES = 259


class Application:
    """dependencies: what its pyproject.toml asks for; library: what its main module imports."""

    def __init__(self, directory, dependencies=("torch>=2.6.0",), library="torch"):
        self.repository = GitRepository(directory)
        self.main = MAIN.format(library=library)
        files = {"pyproject.toml": PYPROJECT.format(dependencies=", ".join(f'"{one}"' for one in dependencies)),
                 "README.md": "# application\n", "linnaeus/__init__.py": "", "linnaeus/main.py": self.main,
                 "linnaeus/config.py": CONFIG, "tools/run.sh": ("#!/bin/sh\nexec python -m linnaeus.main \"$@\"\n", 0o755)}
        for number in range(FILES - len(files)):
            files[f"linnaeus/part{number % 12}/module{number}.py"] = f"value = {number}\n"
        self.good = self.repository.commit(files, date=1750000000)
        self.tip = self.repository.commit({"linnaeus/main.py": self.main + BROKEN}, date=1750000100)

    def variant(self, files, date=1750000200):
        """A commit on top of the good one that no branch has; main stays where it is."""
        self.repository.git("reset", "--quiet", "--hard", self.good)
        made = self.repository.commit(files, date=date)
        self.repository.git("reset", "--quiet", "--hard", self.tip)
        return made
