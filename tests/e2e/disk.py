# SPDX-License-Identifier: Apache-2.0
"""What directories take of the disk, while something runs.

	with Peak(varve.store) as peak:
		varve("build", ...)
	peak.bytes	# the most, as seen twice a second; what has several names counts once"""
import os
import threading


def used(directory):
    """Bytes of the blocks below a directory, each inode once; what vanishes meanwhile is not there."""
    total, seen, left = 0, set(), [directory]
    while left:
        try:
            entries = list(os.scandir(left.pop()))
        except OSError:
            continue
        for entry in entries:
            try:
                status = entry.stat(follow_symlinks=False)
            except OSError:
                continue
            if entry.is_dir(follow_symlinks=False):
                left.append(entry.path)
            elif status.st_nlink > 1 and status.st_ino in seen:
                continue
            seen.add(status.st_ino)
            total += status.st_blocks * 512
    return total


class Peak:
    """Looks at a directory from a thread of its own."""

    def __init__(self, directory, every=0.5):
        self.directory, self.every, self.bytes = directory, every, 0
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.look, daemon=True)

    def look(self):
        while not self.ended.wait(self.every):
            self.bytes = max(self.bytes, used(self.directory))

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.thread.join()
        self.bytes = max(self.bytes, used(self.directory))
