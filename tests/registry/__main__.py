# SPDX-License-Identifier: Apache-2.0
"""python3 -m registry [--profile P] [--port N] [--auth basic|bearer] [--log]: the fault registry by hand, or for
the conformance suite. Prints its address, then waits for the end of its standard input or a signal."""
import argparse
import signal
import sys
import threading

from . import profiles
from .server import FaultRegistry


def main():
    parser = argparse.ArgumentParser(prog="python3 -m registry", description=__doc__)
    parser.add_argument("--profile", default="strict", choices=sorted(profiles.PROFILES))
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--auth", choices=("basic", "bearer"), help="user:secret")
    parser.add_argument("--fault", action="append", default=[], metavar="OPERATION,KIND[,NAME=NUMBER]...")
    parser.add_argument("--log", action="store_true", help="print the log at the end")
    options = parser.parse_args()
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    with FaultRegistry(options.profile, options.port, {"kind": options.auth} if options.auth else None) as registry:
        for line in options.fault:
            operation, kind, *members = line.split(",")
            values = dict(member.split("=", 1) for member in members)
            registry.fault(operation, kind, **{name: int(value) for name, value in values.items()})
        print(registry.host, flush=True)
        try:
            while not ended.wait(0.1):
                pass
        except KeyboardInterrupt:
            pass
        if options.log:
            print(registry.journal, file=sys.stderr)


main()
