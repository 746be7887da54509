# SPDX-License-Identifier: Apache-2.0
"""Which request fails, and how. Operations are those of endpoints.operation_of(); "*" matches any.

	registry.fault("upload-put", "reset", after=1000, times=2)
	registry.fault("manifest-put", "status", code=503, skip=1, headers={"Retry-After": "1"})

A fault counts the requests that match it: it lets `skip` of them pass, then hits `times` of them (None: all). where:
a function of the entry that must be true also. The first fault that hits wins.

kind		what the client sees					options
reset		RST after that many bytes of a body			after
cut		end of the connection there, in good order		after
silence		nothing more is read or written; then goes on		after, seconds
stuck		as silence, until the client gives up			after
status		this answer; early: before the body is read, committed:	code, headers, body, after, early, committed
		after the request was carried out
lost		the request is carried out, the reply is not sent	-
redirect	to another place, or (to=None) to the same once more	to, code
forget		the upload is unknown from now on			-
expire		all tokens end after that many bytes, answer 401	after
headers		a reply with other headers (None: taken out)		headers
reply		a reply with another code				code
wrong		one other byte in the reply's body			at
short		the reply is that much shorter than it says		by
longer		and has that many more bytes than the blob		by
slow		bytes a second						rate
delay		the reply comes later					seconds
garbage		no HTTP							data
late		RST; of what came, the last part is stored later	after, hold, seconds
partial		202 though only so many bytes of the body are kept; Range says so	keep
damage		what was received is stored with one other byte		at
"""
import threading

KINDS = ("reset cut silence stuck status lost redirect forget expire headers reply wrong short longer slow delay "
         "garbage late partial damage").split()


class Fault:
    def __init__(self, operation, kind, times, skip, where, options):
        self.operation, self.kind, self.options = operation, kind, options
        self.left, self.skip, self.where = times, skip, where

    def get(self, name, default=None):
        return self.options.get(name, default)

    def __repr__(self):
        return " ".join([self.kind, *(f"{name}={value}" for name, value in self.options.items())])


class Script:
    """The faults that are still to come."""

    def __init__(self):
        self.lock, self.faults = threading.Lock(), []

    def add(self, operation, kind, times=1, skip=0, where=None, **options):
        if kind not in KINDS:
            raise ValueError(f"no fault {kind}")
        with self.lock:
            self.faults.append(Fault(operation, kind, times, skip, where, options))

    def take(self, entry):
        """The fault that hits this request, or None."""
        with self.lock:
            for fault in self.faults:
                if fault.left == 0 or fault.operation not in ("*", entry.operation):
                    continue
                if fault.where is not None and not fault.where(entry):
                    continue
                if fault.skip > 0:
                    fault.skip -= 1
                    continue
                fault.left = None if fault.left is None else fault.left - 1
                return fault
        return None

    def clear(self):
        with self.lock:
            self.faults.clear()

    @property
    def pending(self):
        """Faults that have not hit as often as told: a test that ends with some has not tested them."""
        with self.lock:
            return [one for one in self.faults if one.left]
