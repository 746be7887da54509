# SPDX-License-Identifier: Apache-2.0
"""What owners cost where there is one id only: the oracle's packages, and a compile, by an account with a range of
subordinate ids and by one without. Both are those that tests/run makes, as root."""
import json
import os
import pathlib
import pwd
import shutil
import subprocess

PACKAGES = ["openssh-client", "cron", "dbus", "iputils-ping", "libcap2-bin", "liblockfile-bin", "sudo", "at", "openssh-server",
            "postfix", "adduser", "python3-minimal"]
ACCOUNTS = {"subuid": "varve-subuid", "one": "varve-one"}
# Many small files with many headers: a look at a file is what the supervisor makes dearer.
COMPILE = """for n in $(seq 120); do
	{ echo '#include <stdio.h>'; echo '#include <stdlib.h>'; echo '#include <pthread.h>'; echo '#include <sys/stat.h>'
	  echo "int f$n(void) { return printf(\\"$n $ROUND\\"); }"; } >f$n.c
	gcc -O1 -c f$n.c
done
ld -r -o /all.o f*.o
"""


def recipe(fast):
    step = {"step": "compile", "environment": {"ROUND": "${round}"}, "workdir": "/tmp", "run": COMPILE}
    if fast:
        step["ownership"] = "fast"
    return {"varve": 1, "name": "compile", "options": {"round": {"default": "0"}},
            "sources": {"tools": {"kind": "debian", "suite": "bookworm", "packages": ["gcc", "libc6-dev"]}},
            "stages": {"main": {"steps": [{"step": "tools", "install": "tools"}, step]}},
            "images": {"main": {"stage": "main", "name": "bench/compile:1"}}}


SYSTEM = {"varve": 1, "name": "owners", "sources": {"system": {"kind": "debian", "suite": "bookworm", "packages": PACKAGES}},
          "stages": {"main": {"steps": [{"step": "system", "install": "system"}]}},
          "images": {"main": {"stage": "main", "name": "bench/owners:1"}}}


class Place:
    """A directory and a store of an account."""

    def __init__(self, work, name, binary):
        entry = pwd.getpwnam(ACCOUNTS[name])
        self.path = work / name
        self.path.mkdir()
        self.path.chmod(0o755)
        shutil.copy(binary, self.path / "varve")
        self.account = ["setpriv", f"--reuid={entry.pw_uid}", f"--regid={entry.pw_gid}", "--init-groups", "env", f"HOME={entry.pw_dir}",
                        f"VARVE_STORE={self.path}/store"]
        self.own = f"chown -R {entry.pw_uid}:{entry.pw_gid} {self.path}"
        subprocess.run(self.own, shell=True, check=True)

    def write(self, name, document):
        (self.path / name).write_text(json.dumps(document))
        subprocess.run(self.own, shell=True, check=True)
        return self.path / name

    def command(self, *arguments):
        return [*self.account, self.path / "varve", *arguments]

    def run(self, *arguments):
        subprocess.run(self.command(*arguments), check=True, stdout=subprocess.DEVNULL)

    def forget(self):
        """Leaves of the store only what was fetched."""
        script = f"cd {self.path}/store && rm -rf steps trees facts"
        inside = ["unshare", "--map-auto", "--map-root-user"] if self.path.name == "subuid" else []
        subprocess.run([*self.account, *inside, "sh", "-c", script], check=True)


def available():
    names = [entry.pw_name for entry in pwd.getpwall()]
    return os.geteuid() == 0 and all(name in names for name in ACCOUNTS.values())


def bench(work, runs, binary, measure, row):
    """measure and row as in tests/bench/run."""
    work = pathlib.Path(work)
    work.chmod(0o755)
    places = {name: Place(work, name, binary) for name in ACCOUNTS}
    what, base = "the oracle's packages, present", None
    for name, place in places.items():
        file = place.write("owners.yaml", SYSTEM)
        place.run("fetch", file)
        took = measure(place.command("build", file, "--offline", "--progress", "quiet"), runs, place.forget)
        row(what, f"varve, {name}", took, base)
        base = base or took
    base = None
    for name, fast in (("subuid", False), ("one", True), ("one", False)):
        place = places[name]
        file = place.write(f"compile-{fast}.yaml", recipe(fast))
        place.run("build", file, "--progress", "quiet")
        script = place.path / "rounds"
        script.write_text(f"n=$(cat {place.path}/n 2>/dev/null || echo 1); echo $((n + 1)) >{place.path}/n\n"
                          f"exec {place.path}/varve build {file} --offline --progress quiet --round $n\n")
        took = measure([*place.account, "sh", script], max(runs, 5))
        row("compile of 120 files", f"varve, {name}{', ownership: fast' if fast else ''}", took, base)
        base = base or took
