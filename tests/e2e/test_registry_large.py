# SPDX-License-Identifier: Apache-2.0
"""Large layers: memory that does not grow with them, offsets beyond 32 bits, a process killed in the middle."""
import hashlib
import io
import tarfile

import oci_make
import pytest
from oci_schema import LAYER
from processes import killed_at_exit, wait_for
from registries import MIB, Proxy, bed, real  # noqa: F401  fixture

MEMORY = 32 * 1000 * 1000


# What a child was before its exec counts too: so a small process starts it, not the tests'.
MEASURE = """import resource, subprocess, sys
status = subprocess.run(sys.argv[1:]).returncode
print("peak", resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(status)"""


def peak(bed, *arguments):  # noqa: F811
    """Peak memory of a run that must end well, in bytes."""
    done = bed.varve.run("/usr/bin/python3", "-S", "-c", MEASURE, bed.varve.binary, *arguments)
    assert done.returncode == 0, done
    return int(done.stdout.rsplit("peak", 1)[1]) * 1024


@pytest.mark.parametrize("sizes", [[96 * MIB], [10 * MIB + n for n in range(8)]], ids=["one", "many"])
def test_memory_does_not_grow_with_the_layer(bed, sizes):  # noqa: F811
    bed.open()
    bed.image(sizes)
    assert peak(bed, "copy", bed.source, bed.target()) <= MEMORY
    bed.assert_pushed()
    assert peak(bed, "copy", bed.target(), f"oci:{bed.varve.path('pulled')}:t") <= MEMORY
    bed.assert_pulled()


def sparse_layer(layout, size):
    """A tar of one file of zeros, with a hole for it: (descriptor, diff id)."""
    entry, block = tarfile.TarInfo("zeros"), bytes(16 * MIB)
    entry.size = size
    head = entry.tobuf(tarfile.GNU_FORMAT)
    path = layout.path / "blobs/sha256/making"
    digest = hashlib.sha256(head)
    for at in range(0, size, len(block)):
        digest.update(block[:min(len(block), size - at)])
    digest.update(bytes(1024))
    with open(path, "wb") as file:
        file.write(head)
        file.truncate(len(head) + size + 1024)
    path.rename(path.with_name(digest.hexdigest()))
    return {"mediaType": LAYER, "digest": f"sha256:{digest.hexdigest()}", "size": len(head) + size + 1024}, f"sha256:{digest.hexdigest()}"


@pytest.mark.slow
def test_a_layer_of_six_gibibytes(bed):  # noqa: F811
    registry = bed.open()
    bed.layout = oci_make.Layout(bed.varve.path("layout"))
    layer, diff_id = sparse_layer(bed.layout, 6 << 30)
    bed.digest = bed.layout.tag("t", bed.layout.image([(layer, diff_id)]))
    bed.varve.account.own(bed.layout.path)
    assert peak(bed, "copy", bed.source, bed.target()) <= MEMORY
    path = registry.content.blob("app", layer["digest"])  # the registry has hashed what came
    assert path is not None and path.stat().st_size == layer["size"]
    assert peak(bed, "copy", bed.target(), f"oci:{bed.varve.path('pulled')}:t") <= MEMORY
    pulled = bed.varve.path("pulled/blobs") / layer["digest"].replace(":", "/")
    assert pulled.stat().st_size == layer["size"] and registry.journal.uploaded() <= bed.size


@pytest.mark.slow
@pytest.mark.parametrize("part", [0.1, 0.5, 0.9, 0.99])
def test_a_push_of_a_gigabyte_killed(bed, part):  # noqa: F811
    """With distribution v3, one chunk at most is sent twice."""
    server = bed.start(real.Distribution)
    proxy = bed.start(Proxy, server.host)
    bed.image([1048800000])
    target = f"docker://{proxy.name('app', '1')}"
    child = bed.varve.start("copy", bed.source, target)
    with killed_at_exit(child):
        wait_for(lambda: proxy.sent >= part * bed.size or child.poll() is not None, 100)
        assert child.poll() is None, "it was done before it could be killed"
        child.kill()
        child.communicate(timeout=30)
    bed.varve("copy", bed.source, target)
    bed.varve("copy", target, f"oci:{bed.varve.path('pulled')}:t")
    assert proxy.sent <= bed.size + 4 * MIB + 2 * MIB, (proxy.sent, bed.size)  # 2 MiB for headers and buffers
    layer = bed.blobs()[1]
    with open(bed.varve.path("pulled/blobs") / layer.replace(":", "/"), "rb") as file:
        assert f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}" == layer


def test_a_tar_of_the_test_itself(tmp_path):
    """What sparse_layer() makes is a tar, and its digest is right."""
    layout = oci_make.Layout(tmp_path / "l")
    layer, _ = sparse_layer(layout, 3 * MIB + 512)
    data = layout.file(layer["digest"]).read_bytes()
    assert oci_make.digest_of(data) == layer["digest"] and len(data) == layer["size"]
    assert tarfile.open(fileobj=io.BytesIO(data)).getmembers()[0].size == 3 * MIB + 512
