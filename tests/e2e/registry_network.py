# SPDX-License-Identifier: Apache-2.0
"""A registry with an address of the Internet, in a network namespace with nothing else: run by test_registry_addresses.py as

	unshare --user --map-root-user --net python3 registry_network.py PROGRAM LAYOUT < cases

Each case of the JSON list: {"at": address of the registry, "to": address that it names, "what": "upload", "blob" or
"realm"}. Prints a list of [exit code, what the program said, requests that came to the other address]."""
import fcntl
import json
import pathlib
import socket
import struct
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from registry import server  # noqa: E402

SIOCSIFADDR, SIOCSIFFLAGS, UP = 0x8916, 0x8914, 1


def bring_up(addresses):
    """Each address on a name of the loopback device."""
    with socket.socket() as control:
        fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", UP))
        for number, address in enumerate(addresses):
            packed = socket.inet_aton(address)
            fcntl.ioctl(control, SIOCSIFADDR, struct.pack("16sHH4s8x", f"lo:{number}".encode(), socket.AF_INET, 0, packed))


def open_at(address, directory, **options):
    server.HOSTS["registry"] = address
    return server.FaultRegistry(directory=directory, **options)


def run(case, number, program, layout):
    top = pathlib.Path(f"case{number}")
    for name in ("named", "asked"):
        (top / name).mkdir(parents=True)
    named = open_at(case["to"], top / "named")
    there = f"http://{case.get('name', case['to'])}:{named.ports['registry']}"
    auth = {"auth": {"kind": "bearer", "realm": f"{there}/token"}} if case["what"] == "realm" else {}
    asked = open_at(case["at"], top / "asked", **auth)
    target = f"docker://{asked.name('app', '1')}"
    if case["what"] == "upload":
        asked.fault("upload-post", "headers", headers={"Location": f"{there}/v2/app/blobs/uploads/x"}, times=None)
    if case["what"] == "blob":
        subprocess.run([program, "copy", f"oci:{layout}:t", target, "--plain-http"], check=True, capture_output=True, timeout=60)
        asked.fault("blob-get", "redirect", to=f"{there}/v2/app/blobs/sha256:{'0' * 64}", times=None)
    pair = [target, f"oci:{top}/pulled:t"] if case["what"] == "blob" else [f"oci:{layout}:t", target]
    more = ["--trust-realm", case["trust"]] if "trust" in case else []
    done = subprocess.run([program, "copy", *pair, "--plain-http", "--stall-timeout", "2", *more], capture_output=True, text=True, timeout=60)
    result = [done.returncode, done.stderr, len(named.journal.entries)]
    asked.close()
    named.close()
    return result


def main():
    program, layout = sys.argv[1:]
    cases = json.load(sys.stdin)
    bring_up(sorted({address for case in cases for address in (case["at"], case["to"]) if not address.startswith("127.")}))
    print(json.dumps([run(case, number, program, layout) for number, case in enumerate(cases)]))


if __name__ == "__main__":
    main()
