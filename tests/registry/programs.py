# SPDX-License-Identifier: Apache-2.0
"""Real registries and clients: from PATH, or from a cache outside the repository, built there by Go on demand.

	python3 -m registry.programs [NAME]...		builds what is missing, says what it did

The cache is $VARVE_TEST_PROGRAMS, else $XDG_CACHE_HOME/varve-tests, else ~/.cache/varve-tests. Building happens only
here and under `tests/run --all`; other tests take what is there and skip the rest with the reason."""
import os
import pathlib
import shutil
import subprocess
import sys
import time

# name: (module, version, package, name of the binary that Go makes)
MODULES = {
    "distribution": ("github.com/distribution/distribution/v3", "v3.1.2", "cmd/registry", "registry"),
    "crane": ("github.com/google/go-containerregistry", "v0.22.1", "cmd/crane", "crane"),
    "regctl": ("github.com/regclient/regclient", "v0.11.7", "cmd/regctl", "regctl"),
    "oras": ("oras.land/oras", "v1.3.6", "cmd/oras", "oras"),
    "cosign": ("github.com/sigstore/cosign/v3", "v3.1.3", "cmd/cosign", "cosign"),
    "toxiproxy": ("github.com/Shopify/toxiproxy/v2", "v2.5.0", "cmd/server", "server"),
    "conformance": ("github.com/opencontainers/distribution-spec/conformance", "v0.0.0-20260831232431-97274622c111",
                    "", "conformance"),
}
SYSTEM = {"docker-registry": "docker-registry", "skopeo": "skopeo", "crane": "crane", "regctl": "regctl", "oras": "oras",
          "cosign": "cosign", "toxiproxy": "toxiproxy-server", "curl": "curl", "nginx": "nginx", "htpasswd": "htpasswd"}


class Missing(Exception):
    """Why a program cannot be had; tests make a skip of it."""


def cache():
    given = os.environ.get("VARVE_TEST_PROGRAMS")
    base = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    return pathlib.Path(given) if given else pathlib.Path(base) / "varve-tests"


def find(name):
    """Path of the program; Missing says why there is none."""
    if name in MODULES:
        module, version, *_ = MODULES[name]
        built = cache() / "bin" / f"{name}-{version}"
        if os.access(built, os.X_OK):
            return str(built)
    found = shutil.which(SYSTEM.get(name, name))
    if found:
        return found
    if name not in MODULES:
        raise Missing(f"{name} is missing")
    raise Missing(f"{name} is not built (tests/run --all builds it, where Go is installed)")


def build(name, seconds=1500):
    """Builds a program into the cache, unless it is there; returns its path."""
    module, version, package, binary = MODULES[name]
    target = cache() / "bin" / f"{name}-{version}"
    if os.access(target, os.X_OK):
        return str(target)
    if not shutil.which("go"):
        raise Missing("Go is not installed")
    work = cache() / "build" / f"{name}-{os.getpid()}"
    work.mkdir(parents=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        path = f"{module}/{package}".rstrip("/")
        done = subprocess.run(["go", "install", f"{path}@{version}"], env={**os.environ, "GOBIN": str(work), "GOFLAGS": "-trimpath"},
                              capture_output=True, text=True, timeout=seconds)
        if done.returncode != 0:
            raise Missing(f"{name} could not be built: {(done.stderr.strip().splitlines() or ['?'])[-1]}")
        os.replace(work / binary, target)
    except subprocess.TimeoutExpired:
        raise Missing(f"{name} was not built within {seconds} s") from None
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return str(target)


# name: (version, what it needs beside it)
NODE_PACKAGES = {"@sigstore/verify": ("3.1.1", ["@sigstore/bundle@4.0.0"])}


def node_modules(name, make=None):
    """The directory that holds a package of npm, for NODE_PATH; Missing says why there is none."""
    version, more = NODE_PACKAGES[name]
    if not shutil.which("node"):
        raise Missing("node is missing")
    where = cache() / "npm" / f"{name.replace('/', '-')}-{version}"
    if not (where / "node_modules" / name).is_dir() and (make or os.environ.get("VARVE_TEST_ALL")):
        if not shutil.which("npm"):
            raise Missing("npm is missing")
        where.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--prefix", str(where), f"{name}@{version}", *more],
                              capture_output=True, text=True, timeout=300)
        if done.returncode != 0:
            raise Missing(f"{name} could not be installed: {(done.stderr.strip().splitlines() or ['?'])[-1]}")
    if not (where / "node_modules" / name).is_dir():
        raise Missing(f"{name} is not installed (tests/run --all installs it, where npm is)")
    return str(where / "node_modules")


def main():
    for name in sys.argv[1:] or [*MODULES, *NODE_PACKAGES]:
        started = time.monotonic()
        try:
            if name in NODE_PACKAGES:
                node_modules(name, make=True)
            else:
                build(name)
            print(f"{name} {(MODULES.get(name) or ['', NODE_PACKAGES.get(name, [''])[0]])[1]}: {time.monotonic() - started:.0f} s", flush=True)
        except Missing as reason:
            print(f"{name}: {reason}", flush=True)


if __name__ == "__main__":
    main()
