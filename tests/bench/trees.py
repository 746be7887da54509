# SPDX-License-Identifier: Apache-2.0
"""Trees to work on."""
import random


def make_tree(where, files, total):
    """About half of the bytes compress well, like programs and their data; fixed seed."""
    rng = random.Random(1)
    words = [rng.randbytes(rng.randint(3, 12)) for _ in range(4096)]
    for i in range(files):
        directory = where / f"d{i % 97:02}" / f"e{i % 13:02}"
        directory.mkdir(parents=True, exist_ok=True)
        size = int(total / files * rng.uniform(0.2, 1.8))
        half = size // 2
        text = b"".join(rng.choices(words, k=half // 8 + 1))[:half]
        (directory / f"f{i:05}").write_bytes(text + rng.randbytes(size - half))
