# SPDX-License-Identifier: Apache-2.0
"""What survives: the process, the registry, the network. The next command goes on from what is there."""
import random
import signal
import subprocess
import time

import pytest
from processes import assert_nothing_left, killed_at_exit, wait_for
from registries import MIB, Proxy, assert_clear, bed, program, real  # noqa: F401  fixture

CHUNK = MIB // 4
LAYER = 4 * MIB
CHUNKED = ("--chunk-size", str(CHUNK))
QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
KILLS = 12


def kill_when(child, registry, true, seconds=30):
    """SIGKILL as soon as the log says so; the number of uploaded bytes then."""
    with killed_at_exit(child):
        assert registry.journal.wait(true, seconds), f"it did not come so far\n{registry.journal}"
        child.kill()
        child.wait(timeout=30)


def slow_chunks(registry, seconds=0.05):
    registry.fault("upload-patch", "delay", seconds=seconds, times=None)


@pytest.mark.parametrize("profile, again", [
    ("strict", CHUNK), ("distribution", CHUNK), ("ghcr", CHUNK), ("gitlab", CHUNK), ("ecr", LAYER), ("zot-old", LAYER),
    ("silent-range", LAYER), ("no-status", LAYER), ("docker28", LAYER), ("crane", LAYER), ("chunky", LAYER)])
def test_a_killed_push_goes_on(bed, profile, again):
    """Where the status can be trusted less than a chunk is sent twice; where it cannot, the bytes are right."""
    registry = bed.open(profile)
    bed.image([LAYER])
    slow_chunks(registry)
    kill_when(bed.start_push(*CHUNKED, **QUIET), registry, lambda log: log.uploaded() >= LAYER // 2)
    assert_nothing_left(bed.varve.store)
    bed.assert_not_pushed()
    registry.script.clear()
    bed.push(*CHUNKED)
    bed.assert_pushed()
    assert registry.journal.uploaded() <= bed.size + again, registry.journal


@pytest.mark.parametrize("seconds", [0.2, 0.35, 0.5, 0.8])
def test_a_push_killed_when_its_last_bytes_were_on_their_way(bed, seconds):
    """The registry finishes the blob while the next process looks where it stands: nothing is sent again."""
    registry = bed.open("distribution")
    bed.image([LAYER])

    def closing(entry):
        return entry.operation == "upload-put" and entry.header("Content-Length") in (None, "0")
    registry.fault("upload-put", "delay", seconds=seconds, where=closing)
    child = bed.start_push("--parallel", "1", *CHUNKED, **QUIET)
    kill_when(child, registry, lambda log: any(closing(entry) for entry in log.entries), 10)
    bed.push("--parallel", "1", *CHUNKED)
    bed.assert_pushed()
    assert registry.journal.uploaded() <= bed.size, registry.journal


def test_a_push_killed_at_many_points(bed):
    """Each time an image of its own; at random moments, from before the first byte to after the last."""
    registry = bed.open("distribution")
    points, killed = random.Random(20261125), 0
    bed.image([LAYER // 2], seed=999)
    started = time.monotonic()
    bed.push(*CHUNKED, repository="warm")
    duration = time.monotonic() - started
    for number in range(KILLS):
        bed.image([LAYER // 2, 1000], directory=f"layout{number}", seed=number + 1)
        registry.journal.clear()
        child = bed.start_push(*CHUNKED, repository=f"r{number}", **QUIET)
        with killed_at_exit(child):
            time.sleep(duration * 1.1 * (number + points.random()) / KILLS)
            killed += child.poll() is None
            child.kill()
            child.wait(timeout=30)
        bed.push(*CHUNKED, repository=f"r{number}")
        bed.assert_pushed(repository=f"r{number}")
        assert registry.journal.uploaded() <= bed.size + CHUNK, registry.journal
    assert killed >= KILLS // 3
    assert_nothing_left(bed.varve.store)


def test_killed_again_and_again(bed):
    """Each try is killed after a few chunks; in the end no more than a chunk a kill was sent twice."""
    registry = bed.open()
    bed.image([LAYER])
    slow_chunks(registry, 0.03)
    kills = 0
    for number in range(1, 5):
        child = bed.start_push(*CHUNKED, **QUIET)
        kill_when(child, registry, lambda log, number=number: log.uploaded() >= number * LAYER // 6)
        kills += 1
    registry.script.clear()
    bed.push(*CHUNKED)
    bed.assert_pushed()
    assert registry.journal.uploaded() <= bed.size + kills * CHUNK, registry.journal


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stopped_push_goes_on(bed, number):
    registry = bed.open()
    bed.image([LAYER])
    slow_chunks(registry)
    child = bed.start_push(*CHUNKED)
    with killed_at_exit(child):
        assert registry.journal.wait(lambda log: log.uploaded() >= LAYER // 2)
        child.send_signal(number)
        _, errors = child.communicate(timeout=20)
        assert child.returncode in (1, 4, 128 + number, -number), errors
    registry.script.clear()
    bed.push(*CHUNKED)
    bed.assert_pushed()
    assert registry.journal.uploaded() <= bed.size + CHUNK, registry.journal


@pytest.mark.parametrize("kept", [True, False], ids=["uploads-kept", "uploads-lost"])
def test_the_registry_restarts_between_the_runs(bed, kept):
    registry = bed.open()
    bed.image([LAYER])
    slow_chunks(registry)
    kill_when(bed.start_push(*CHUNKED, **QUIET), registry, lambda log: log.uploaded() >= LAYER // 2)
    registry.script.clear()
    registry.restart(keep_uploads=kept)
    bed.push(*CHUNKED)
    bed.assert_pushed()
    assert registry.journal.uploaded() <= bed.size + (CHUNK if kept else LAYER // 2 + CHUNK), registry.journal


@pytest.mark.parametrize("kept", [True, False], ids=["uploads-kept", "uploads-lost"])
def test_the_registry_restarts_under_a_running_push(bed, kept):
    registry = bed.open()
    bed.image([LAYER])
    slow_chunks(registry, 0.03)
    child = bed.start_push(*CHUNKED)
    with killed_at_exit(child):
        assert registry.journal.wait(lambda log: log.uploaded() >= LAYER // 2)
        registry.stop()
        time.sleep(1)
        if not kept:
            registry.content.forget_uploads()
        registry.start()
        _, errors = child.communicate(timeout=60)
        assert child.returncode == 0, errors
    bed.assert_pushed()
    assert registry.journal.uploaded() <= bed.size + (2 * CHUNK if kept else LAYER), registry.journal


def test_what_a_killed_push_left_is_not_taken_for_another_blob(bed):
    """The session of one layer stays; another image with another layer is pushed to the same place."""
    registry = bed.open()
    bed.image([LAYER])
    slow_chunks(registry)
    kill_when(bed.start_push(*CHUNKED, **QUIET), registry, lambda log: log.uploaded() >= LAYER // 2)
    registry.script.clear()
    bed.image([LAYER], directory="other", seed=7)
    bed.push(*CHUNKED)
    bed.assert_pushed()


def test_what_a_killed_push_left_is_not_taken_to_another_place(bed):
    first = bed.open()
    bed.image([LAYER])
    slow_chunks(first)
    kill_when(bed.start_push(*CHUNKED, **QUIET), first, lambda log: log.uploaded() >= LAYER // 2)
    second = bed.open()
    bed.varve("copy", bed.source, bed.target(registry=second), *CHUNKED)
    bed.assert_pushed(registry=second)
    assert second.journal.uploaded() == bed.size


@pytest.mark.parametrize("damage", [b"", b"{", b"\0" * 4096, b"[]", b'{"offset": 99999999999}'])
def test_a_session_file_that_is_damaged(bed, damage):
    registry = bed.open()
    bed.image([LAYER])
    slow_chunks(registry)
    kill_when(bed.start_push(*CHUNKED, **QUIET), registry, lambda log: log.uploaded() >= LAYER // 2)
    registry.script.clear()
    files = [path for path in (bed.varve.store / "uploads").rglob("*") if path.is_file()]
    assert files, "a killed push left nothing to go on from"
    for path in files:
        path.write_bytes(damage)
    bed.push(*CHUNKED)
    bed.assert_pushed()


def test_two_pushes_of_one_image_at_once(bed):
    registry = bed.open()
    bed.image([LAYER])
    children = [bed.start_push(*CHUNKED, tag=tag) for tag in ("1", "2")]
    for child in children:
        _, errors = child.communicate(timeout=60)
        assert child.returncode == 0, errors
    bed.assert_pushed(tag="1")
    bed.assert_pushed(tag="2")
    assert registry.journal.uploaded() <= 2 * bed.size


def test_sessions_go_when_they_are_done(bed):
    bed.open()
    bed.image([LAYER])
    bed.push(*CHUNKED)
    assert [path for path in (bed.varve.store / "uploads").rglob("*") if path.is_file()] == []
    assert bed.registry.content.uploads == {}


@pytest.mark.parametrize("profile, again", [("strict", CHUNK), ("cdn", LAYER)])
def test_a_killed_pull_goes_on(bed, profile, again):
    registry = bed.open(profile)
    bed.image([LAYER])
    bed.serve_image()
    big = bed.blobs()[1]
    registry.fault("blob-get", "slow", rate=3 * MIB, times=1,
                   where=lambda entry: entry.reference == big and (profile == "strict" or entry.role == "elsewhere"))
    child = bed.varve.start("pull", bed.target(), **QUIET)
    kill_when(child, registry, lambda log: log.downloaded() >= LAYER // 2)
    before = registry.journal.downloaded()
    bed.varve("pull", bed.target())
    file = bed.varve.store / "blobs" / big.replace(":", "/")
    assert file.read_bytes() == bed.layout.file(big).read_bytes()
    assert registry.journal.downloaded() <= bed.size + again, (before, registry.journal)


def test_a_partial_pull_with_wrong_bytes_is_no_start(bed):
    registry = bed.open()
    bed.image([LAYER])
    bed.serve_image()
    big = bed.blobs()[1]
    registry.fault("blob-get", "slow", rate=3 * MIB, times=1, where=lambda entry: entry.reference == big)
    kill_when(bed.varve.start("pull", bed.target(), **QUIET), registry, lambda log: log.downloaded() >= LAYER // 2)
    for path in (bed.varve.store / "uploads").rglob("*"):
        if path.is_file() and path.stat().st_size > 1000:
            path.write_bytes(b"x" * path.stat().st_size)
    if bed.varve("pull", bed.target(), rc=None).rc != 0:
        bed.varve("pull", bed.target())
    assert (bed.varve.store / "blobs" / big.replace(":", "/")).read_bytes() == bed.layout.file(big).read_bytes()


# --- real registries -----------------------------------------------------------------------------

@pytest.mark.parametrize("kind", ["distribution", "docker-registry"])
def test_a_push_killed_at_half_goes_on_with_a_real_registry(bed, kind):
    """distribution v3 keeps what came, so that less than a chunk goes twice; docker-registry 2.8 loses an upload whose
    chunk broke off, so that the bytes are right is all that can be asked."""
    server = bed.start(real.Distribution, kind)
    proxy = bed.start(Proxy, server.host)
    bed.image([48 * MIB])
    target = f"docker://{proxy.name('app', '1')}"
    child = bed.varve.start("copy", bed.source, target, **QUIET)
    with killed_at_exit(child):
        wait_for(lambda: proxy.sent >= 24 * MIB or child.poll() is not None)
        assert child.poll() is None, "it was done before it could be killed"
        child.kill()
        child.wait(timeout=30)
    bed.varve("copy", bed.source, target)
    bed.varve("copy", target, f"oci:{bed.varve.path('pulled')}:t")
    bed.assert_pulled()
    again = 4 * MIB if kind == "distribution" else 40 * MIB
    assert proxy.sent <= bed.size + again + MIB // 4, (proxy.sent, bed.size)  # a quarter for headers and buffers


@pytest.mark.parametrize("options, seconds", [({"reset_after": 6 * MIB}, 60), ({"silent_after": 6 * MIB, "breaks": 1}, 60)])
def test_distribution_behind_a_network_that_breaks(bed, options, seconds):
    """Each connection dies after 6 MiB, or one stays silent for good; at most a tenth of the layer is sent twice."""
    server = bed.start(real.Distribution)
    proxy = bed.start(Proxy, server.host, **options)
    bed.image([40 * MIB])
    started = time.monotonic()
    bed.varve("copy", bed.source, f"docker://{proxy.name('app', '1')}", "--stall-timeout", "2", timeout=150)
    assert time.monotonic() - started < seconds
    bed.varve("copy", f"docker://{server.name('app', '1')}", f"oci:{bed.varve.path('pulled')}:t")
    bed.assert_pulled()
    assert proxy.sent <= bed.size * 1.1 + MIB // 4, (proxy.sent, bed.size)


@pytest.mark.parametrize("limit", ["1m", "16m"])
def test_a_proxy_with_a_body_limit(bed, limit):
    """nginx with client_max_body_size: chunks that fit, or a message that names the proxy's limit."""
    server = bed.start(real.Distribution, "docker-registry")
    proxy = bed.start(real.Nginx, server.host, f"client_max_body_size {limit};")
    bed.image([24 * MIB])
    result = bed.varve("copy", bed.source, f"docker://{proxy.name('app', '1')}", rc=None)
    if result.rc == 0:
        bed.varve("copy", f"docker://{proxy.name('app', '1')}", f"oci:{bed.varve.path('pulled')}:t")
        bed.assert_pulled()
    else:
        assert limit == "1m", result  # 4 MiB chunks fit into 16
        assert_clear(result, "413|proxy|limit")
    bed.varve("copy", bed.source, f"docker://{proxy.name('app', '1')}", "--chunk-size", "500000")


def through(bed, proxy):
    return f"docker://{proxy.name('app', '1')}"


@pytest.mark.parametrize("toxic, attributes", [
    ("limit_data", {"bytes": 9 * MIB}), ("reset_peer", {"timeout": 40}),
    pytest.param("slicer", {"average_size": 1000, "size_variation": 500}, marks=pytest.mark.slow),
    pytest.param("slow_close", {"delay": 300}, marks=pytest.mark.slow),
    pytest.param("latency", {"latency": 100, "jitter": 50}, marks=pytest.mark.slow),
    pytest.param("bandwidth", {"rate": 8000}, marks=pytest.mark.slow),
    pytest.param("timeout", {"timeout": 700}, marks=pytest.mark.slow)])
def test_distribution_behind_a_bad_network(bed, toxic, attributes):
    program("toxiproxy")
    server = bed.start(real.Distribution)
    proxy = bed.start(real.Toxiproxy, server.host)
    bed.image([24 * MIB])
    name = proxy.toxic(toxic, **attributes)
    child = bed.varve.start("copy", bed.source, through(bed, proxy))
    with killed_at_exit(child):
        time.sleep(1.5)
        if child.poll() is None and toxic in ("reset_peer", "timeout"):
            proxy.remove(name)
        _, errors = child.communicate(timeout=90)
        assert child.returncode == 0, errors
    bed.varve("copy", f"docker://{server.name('app', '1')}", f"oci:{bed.varve.path('pulled')}:t")
    bed.assert_pulled()


def test_distribution_goes_away_and_comes_back(bed):
    program("toxiproxy")
    server = bed.start(real.Distribution)
    proxy = bed.start(real.Toxiproxy, server.host)
    bed.image([24 * MIB])
    proxy.toxic("bandwidth", rate=20000)
    child = bed.varve.start("copy", bed.source, through(bed, proxy), "--chunk-size", str(MIB))
    with killed_at_exit(child):
        time.sleep(0.5)
        server.kill()
        time.sleep(1)
        server.start()
        _, errors = child.communicate(timeout=90)
        assert child.returncode == 0, errors
    bed.varve("copy", f"docker://{server.name('app', '1')}", f"oci:{bed.varve.path('pulled')}:t")
    bed.assert_pulled()
