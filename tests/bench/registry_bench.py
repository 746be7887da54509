# SPDX-License-Identifier: Apache-2.0
"""Pushes and pulls beside curl, crane, regctl, oras and skopeo, against distribution v3 on loopback; and what is sent
again after a break. Each run starts with an empty registry and, for varve, an empty store."""
import hashlib
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import time

from measuring import measure, row, row_bytes, skip

TOP = pathlib.Path(__file__).resolve().parents[2]
VARVE = TOP / "build-bench/src/cli/varve"
sys.path[:0] = [str(TOP / "tests"), str(TOP / "tests/e2e")]
import oci_make  # noqa: E402
from registry import programs, real  # noqa: E402
from registry.proxy import Proxy  # noqa: E402

MB = 1000 * 1000
PEERS = ("regctl", "oras", "crane", "skopeo")
HANG = 75  # seconds that a client may be silent before it counts as hanging

# POST, then one PUT, as short as it can be said with curl: what the network and the registry cost.
CURL = r"""set -e
where=$(curl -s -i -X POST http://$1/v2/app/blobs/uploads/ | tr -d '\r' | sed -n 's/^Location: //p')
curl -s -f -X PUT -T "$2" -H 'Content-Type: application/octet-stream' "$where&digest=$3" """


class Work:
    """A registry, a layout to push, and the directory that both lie in."""

    def __init__(self, directory, sizes):
        self.directory = pathlib.Path(directory)
        self.layout, self.digest = oci_make.simple(self.directory / "layout", sizes, "t")
        self.size = sum(one["size"] for one in self.layout.document(self.digest)["layers"])
        self.server = real.Distribution("distribution", directory=self.make("server"))
        self.environment = {**os.environ, "HOME": str(self.make("home")), "VARVE_STORE": str(self.directory / "store")}

    def make(self, name):
        (self.directory / name).mkdir()
        return self.directory / name

    def fresh(self):
        """Empty registry, empty store, no target of a pull."""
        self.server.kill()
        for name in ("server/data", "store", "pulled"):
            shutil.rmtree(self.directory / name, ignore_errors=True)
        self.server.start()

    def fresh_pull(self):
        for name in ("store", "pulled"):
            shutil.rmtree(self.directory / name, ignore_errors=True)

    def close(self):
        self.server.close()

    def push(self, who, host=None):
        """argv of a push."""
        source, name = self.layout.path, f"{host or self.server.host}/app:1"
        program = VARVE if who == "varve" else programs.find(who)
        registry = host or self.server.host
        return {
            "varve": [program, "copy", f"oci:{source}:t", f"docker://{name}"],
            "skopeo": [program, "--insecure-policy", "copy", "-q", "--dest-tls-verify=false", f"oci:{source}:t", f"docker://{name}"],
            "crane": [program, "push", source, name],
            "regctl": [program, "--host", f"reg={registry},tls=disabled", "image", "copy", f"ocidir://{source}:t", name],
            "oras": [program, "cp", "--no-tty", "--from-oci-layout", f"{source}:t", "--to-plain-http", name],
        }[who]

    def pull(self, who):
        target, name = self.directory / "pulled", f"{self.server.host}/app:1"
        program = VARVE if who == "varve" else programs.find(who)
        return {
            "varve": [program, "copy", f"docker://{name}", f"oci:{target}:t"],
            "skopeo": [program, "--insecure-policy", "copy", "-q", "--src-tls-verify=false", f"docker://{name}", f"oci:{target}:t"],
            "crane": [program, "pull", "--format=oci", name, target],
            "regctl": [program, "--host", f"reg={self.server.host},tls=disabled", "image", "copy", name, f"ocidir://{target}:t"],
            "oras": [program, "cp", "--no-tty", "--from-plain-http", name, "--to-oci-layout", f"{target}:t"],
        }[who]

    def curl(self):
        layer = self.layout.document(self.digest)["layers"][0]["digest"]
        return ["sh", "-c", CURL, "curl", self.server.host, self.layout.file(layer), layer]

    def check_pulled(self):
        """What a pull left is what was pushed."""
        for one in self.layout.document(self.digest)["layers"]:
            with open(self.directory / "pulled/blobs" / one["digest"].replace(":", "/"), "rb") as file:
                assert f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}" == one["digest"]


def here(work):
    """Peers that can be run; those that cannot are said."""
    found = []
    for who in PEERS:
        try:
            programs.find(who)
            found.append(who)
        except programs.Missing as reason:
            skip(work, f"{who}: {reason}")
    return found


def with_distribution(function):
    def run(directory, runs):
        try:
            programs.find("distribution")
        except programs.Missing as reason:
            return skip(function.__name__, f"distribution: {reason}")
        return function(pathlib.Path(directory), runs)
    return run


def compare(title, work, command, runs, before):
    """A row per client, varve's with its ratio to the best peer. Round by round, so that a busy moment of the
    machine hits all alike; varve's result."""
    clients, rounds = [*here(title), "varve"], {}
    for _ in range(runs):
        for who in clients:
            rounds.setdefault(who, []).append(measure(command(who), 1, before, env=work.environment))
    results = {who: (statistics.median(one[0] for one in found), max(one[1] for one in found),
                     statistics.median(one[2] for one in found)) for who, found in rounds.items()}
    best = min((who for who in clients if who != "varve"), key=lambda who: results[who][0], default=None)
    for who in clients[:-1]:
        row(title, who, results[who])
    row(title, f"varve (ratio to {best})" if best else "varve", results["varve"], results.get(best))
    return results["varve"]


@with_distribution
def bench_push(directory, runs):
    work = Work(directory / "one", [343 * MB])
    try:
        title = "push of one 343 MB layer"
        curl = measure(work.curl(), runs, work.fresh)
        row(title, "curl POST + PUT", curl)
        own = compare(title, work, work.push, runs, work.fresh)
        row(title, "varve (ratio to curl)", own, curl)
        work.fresh()
        subprocess.run(work.push("varve"), env=work.environment, check=True, stdout=subprocess.DEVNULL)
        compare("push, everything there", work, work.push, max(runs, 9), lambda: None)
    finally:
        work.close()
    shutil.rmtree(directory / "one")
    work = Work(directory / "many", [(60 << 20) + n for n in range(12)])
    try:
        compare("push of 12 layers of 60 MiB", work, work.push, runs, work.fresh)
    finally:
        work.close()


@with_distribution
def bench_pull(directory, runs):
    work = Work(directory / "one", [343 * MB])
    try:
        subprocess.run(work.push("varve"), env=work.environment, check=True, stdout=subprocess.DEVNULL)
        compare("pull of 343 MB to a layout", work, work.pull, runs, work.fresh_pull)
        work.check_pulled()
    finally:
        work.close()


@with_distribution
def bench_cache(directory, runs):
    """hello on a runner that has nothing, from the cache that another one has filled."""
    work = Work(directory / "one", [1])
    try:
        recipes = directory / "recipes"
        shutil.copytree(TOP / "recipes", recipes)
        cache = f"docker://{work.server.host}/cache"
        hello = [VARVE, "build", recipes / "hello.yaml", "--locked", "--progress", "quiet"]
        subprocess.run([*hello, "--cache-to", cache], env=work.environment, check=True, stdout=subprocess.DEVNULL)
        row("hello from a filled shared cache", "varve build", measure(
            [*hello, "--cache-from", cache, "--expect-cached"], runs, work.fresh_pull, env=work.environment))
    finally:
        work.close()


def limited(argv, work, seconds):
    """(exit status or None when it hung, seconds)"""
    started = time.perf_counter()
    try:
        done = subprocess.run([str(word) for word in argv], env=work.environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL, timeout=seconds)
        return done.returncode, time.perf_counter() - started
    except subprocess.TimeoutExpired:
        return None, time.perf_counter() - started


def verdict(status, seconds):
    return f"hangs for more than {HANG} s" if status is None else f"{'done' if status == 0 else 'fails'} after {seconds:.1f} s"


def after_a_kill(work, who, title):
    """SIGKILL when half of the layer went through, then a second push."""
    work.fresh()
    with Proxy(work.server.host) as proxy:
        child = subprocess.Popen([str(word) for word in work.push(who, proxy.host)], env=work.environment, stdin=subprocess.DEVNULL,
                                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        end = time.monotonic() + 120
        while proxy.sent < work.size // 2 and child.poll() is None and time.monotonic() < end:
            time.sleep(0.001)
        child.kill()
        child.wait()
        time.sleep(0.3)
        before = proxy.sent
        status, seconds = limited(work.push(who, proxy.host), work, 180)
        row_bytes(title, who, proxy.sent - before, work.size, f"{verdict(status, seconds)}; {before / MB:.1f} MB before")


def after_breaks(work, who, title, **options):
    work.fresh()
    with Proxy(work.server.host, **options) as proxy:
        status, seconds = limited(work.push(who, proxy.host), work, HANG)
        row_bytes(title, who, proxy.sent, work.size, verdict(status, seconds))


@with_distribution
def bench_survive(directory, runs):
    del runs  # bytes, not seconds: once is enough
    clients = [*here("survive"), "varve"]
    work = Work(directory / "large", [1048800000])
    try:
        for who in clients:
            after_a_kill(work, who, "second push after SIGKILL at half")
    finally:
        work.close()
    shutil.rmtree(directory / "large")
    work = Work(directory / "middle", [343 * MB])
    try:
        for who in clients:
            after_breaks(work, who, "one reset at 100 MB", reset_after=100 * MB, breaks=1)
        for who in clients:
            after_breaks(work, who, "reset after every 100 MB", reset_after=100 * MB)
        for who in clients:
            after_breaks(work, who, "silence for good after 100 MB, once", silent_after=100 * MB, breaks=1)
    finally:
        work.close()
