# SPDX-License-Identifier: Apache-2.0
"""What a build that ended may not leave: processes and mounts."""
import contextlib
import os
import pathlib
import time


def read(path):
    try:
        return pathlib.Path(path).read_bytes()
    except OSError:
        return b""


def all_pids():
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def is_dead(pid):
    return b"\nState:\tZ" in read(f"/proc/{pid}/status") or not read(f"/proc/{pid}/status")


def left(words):
    """pid -> command line of live processes whose arguments or environment hold one of the words."""
    words = [str(word).encode() for word in words]
    found = {}
    for pid in all_pids():
        text = read(f"/proc/{pid}/cmdline") + b"\0" + read(f"/proc/{pid}/environ")
        if pid != os.getpid() and any(word in text for word in words) and not is_dead(pid):
            found[pid] = read(f"/proc/{pid}/cmdline").replace(b"\0", b" ").decode(errors="replace")
    return found


def mounts(word):
    """Mounts that name the word, in our own namespace."""
    return [line for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines() if str(word) in line]


def assert_nothing_left(*words, seconds=5):
    """Death by signal takes a moment to reach the last process; more than a moment is a failure."""
    end = time.monotonic() + seconds
    while (found := left(words)) and time.monotonic() < end:
        time.sleep(0.02)
    assert found == {}, f"still there: {found}"
    for word in words:
        assert mounts(word) == [], f"still mounted: {mounts(word)}"


def children(pid):
    """Direct children."""
    found = []
    for other in all_pids():
        fields = read(f"/proc/{other}/stat").rpartition(b")")[2].split()
        if len(fields) > 1 and int(fields[1]) == pid:
            found.append(other)
    return found


def wait_for(what, seconds=20):
    """The first true result of what()."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        result = what()
        if result:
            return result
        time.sleep(0.01)
    raise AssertionError("it did not happen in time")


@contextlib.contextmanager
def killed_at_exit(child):
    try:
        yield child
    finally:
        if child.poll() is None:
            child.kill()
        child.communicate(timeout=30)
