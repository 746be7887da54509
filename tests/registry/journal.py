# SPDX-License-Identifier: Apache-2.0
"""The log of requests. An entry is there from the first line of the request; its numbers grow while bytes move."""
import threading
import time


class Entry:
    """One request. received and sent are bytes of the bodies, as the registry read and wrote them."""

    def __init__(self, number, role, method, path, query, headers):
        self.number, self.role, self.method, self.path = number, role, method, path
        self.query, self.headers = query, headers
        self.operation, self.repository, self.reference = None, None, None
        self.received, self.sent = 0, 0
        self.status, self.fault, self.ended = None, None, False
        self.started = time.monotonic()

    def header(self, name):
        """The first value of a header, or None."""
        return self.headers.get(name)

    @property
    def authorization(self):
        return self.headers.get("Authorization")

    def __repr__(self):
        words = [f"{self.number:3} {self.role} {self.operation} {self.method} {self.path}"]
        words += [f"in {self.received}"] if self.received else []
        words += [f"out {self.sent}"] if self.sent else []
        words += [f"{name} {self.headers[name]}" for name in ("Range", "Content-Range") if name in self.headers]
        words += [f"FAULT {self.fault}"] if self.fault else []
        return f"{' '.join(words)} -> {self.status}"


class Journal:
    UPLOADS = ("upload-patch", "upload-put", "upload-post")

    def __init__(self):
        self.changed = threading.Condition()
        self.entries = []

    def open(self, *arguments):
        with self.changed:
            self.entries.append(Entry(len(self.entries), *arguments))
            self.changed.notify_all()
            return self.entries[-1]

    def touch(self):
        """Wakes those who wait: an entry's numbers have changed."""
        with self.changed:
            self.changed.notify_all()

    def clear(self):
        with self.changed:
            self.entries.clear()

    def of(self, *operations, **members):
        """Entries of some operations (none: all), and of some members: repository="app", status=201."""
        with self.changed:
            return [one for one in self.entries if (not operations or one.operation in operations) and
                    all(getattr(one, name) == value for name, value in members.items())]

    def count(self, *operations, **members):
        return len(self.of(*operations, **members))

    def uploaded(self, repository=None):
        """Bytes of blobs that arrived, in all."""
        return sum(one.received for one in self.of(*self.UPLOADS)
                   if repository is None or one.repository == repository)

    def downloaded(self, *operations):
        return sum(one.sent for one in self.of(*(operations or ("blob-get",))))

    def wait(self, true, seconds=30):
        """Until true(self); False when the time is over. Asked at each change, and ten times a second."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if true(self):
                return True
            with self.changed:
                self.changed.wait(0.05)
        return bool(true(self))

    def __repr__(self):
        with self.changed:
            return "\n".join(map(repr, self.entries))
