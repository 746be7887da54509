# SPDX-License-Identifier: Apache-2.0
"""The fault registry is honest: the conformance suite passes on it, and other clients find in it what a registry
has. What it cannot do right, it could not show wrong."""
import json
import os
import socket
import subprocess
import urllib.error
import urllib.request

import oci_make
import pytest
from registries import MIB, FaultRegistry, program, skopeo

PEER_PROFILES = ["strict", "distribution", "docker28", "crane", "ghcr", "gitlab", "quay-old", "cdn", "signed-cdn", "hub"]


@pytest.fixture
def image(tmp_path):
    return oci_make.simple(tmp_path / "layout", [300000, 3000], compressed=True)


def ran(argv, rc=0, **options):
    done = subprocess.run([str(word) for word in argv], capture_output=True, text=True, timeout=120, check=False, **options)
    assert rc is None or done.returncode == rc, done
    return done


@pytest.mark.parametrize("profile", PEER_PROFILES)
def test_skopeo_copies_there_and_back(image, tmp_path, profile):
    layout, digest = image
    with FaultRegistry(profile) as registry:
        copy = [skopeo(), "copy", "--src-tls-verify=false", "--dest-tls-verify=false"]
        ran([*copy, f"oci:{layout.path}:t", f"docker://{registry.name('a/b', '1')}"])
        assert registry.content.repository("a/b").tags == {"1": digest}
        assert registry.journal.uploaded() == sum(
            one["size"] for one in [layout.document(digest)["config"], *layout.document(digest)["layers"]])
        ran([*copy, f"docker://{registry.name('a/b', '1')}", f"oci:{tmp_path}/back:t"])
        assert json.loads((tmp_path / "back/index.json").read_text())["manifests"][0]["digest"] == digest


@pytest.mark.parametrize("profile", ["strict", "distribution", "crane"])  # crane follows no redirect to loopback
def test_crane_pushes_and_validates(image, profile):
    crane, (layout, digest) = program("crane"), image
    with FaultRegistry(profile) as registry:
        name = registry.name("a", "1")
        ran([crane, "push", layout.path, name])
        assert ran([crane, "digest", name]).stdout.strip() == digest
        assert "PASS" in str(ran([crane, "validate", "--remote", name]))


@pytest.mark.parametrize("kind", ["basic", "bearer"])
def test_skopeo_must_say_who_it_is(image, kind):
    layout, digest = image
    with FaultRegistry("strict", auth={"kind": kind, "users": {"ann": "pw"}}) as registry:
        copy = [skopeo(), "copy", "--dest-tls-verify=false", f"oci:{layout.path}:t", f"docker://{registry.name('a', '1')}"]
        assert ran(copy, rc=None).returncode != 0 and registry.content.repository("a").tags == {}
        assert ran([*copy, "--dest-creds", "ann:wrong"], rc=None).returncode != 0
        ran([*copy, "--dest-creds", "ann:pw"])
        assert registry.content.repository("a").tags == {"1": digest}
        assert (registry.journal.count("token") > 0) == (kind == "bearer")


def send(registry, method, path, data=None, **headers):
    request = urllib.request.Request(registry.url + path, data=data, method=method, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=20) as reply:
            return reply.status, dict(reply.headers), reply.read()
    except urllib.error.HTTPError as reply:
        return reply.code, dict(reply.headers), reply.read()


def open_upload(registry):
    code, headers, _ = send(registry, "POST", "/v2/a/blobs/uploads/", b"")
    assert code == 202
    return headers["Location"].removeprefix(registry.url)


def raw(registry, text):
    """Sends bytes and reads until the end of the connection; None where it was reset."""
    with socket.create_connection(("127.0.0.1", registry.ports["registry"]), timeout=20) as one:
        try:
            one.sendall(text)
            found = b""
            while data := one.recv(1 << 16):
                found += data
            return found
        except ConnectionError:
            return None


def patch(where, length, sent):
    return f"PATCH {where} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n".encode() + b"x" * sent


@pytest.mark.parametrize("profile, told", [("strict", "0-4999"), ("crane", None), ("ecr", "0-4999"), ("zot-old", "0-2499"),
                                           ("distribution", "0-4999"), ("docker28", None), ("silent-range", None), ("no-status", None)])
def test_what_is_left_of_a_broken_chunk(profile, told):
    with FaultRegistry(profile) as registry:
        where = open_upload(registry)
        registry.fault("upload-patch", "reset", after=5000)
        assert raw(registry, patch(where, 9000, 9000)) is None
        assert registry.journal.of("upload-patch")[0].received == 5000
        code, headers, _ = send(registry, "GET", where)
        assert headers.get("Range") == told, (code, headers)


def test_each_kind_of_break():
    with FaultRegistry("strict") as registry:
        digest = registry.content.add_blob("a", bytes(range(256)) * 40)
        get = f"GET /v2/a/blobs/{digest} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode()
        whole = raw(registry, get).partition(b"\r\n\r\n")[2]
        registry.fault("blob-get", "cut", after=100)
        assert raw(registry, get).partition(b"\r\n\r\n")[2] == whole[:100]
        registry.fault("blob-get", "reset", after=100)
        assert raw(registry, get) is None
        registry.fault("blob-get", "wrong", at=7)
        wrong = raw(registry, get).partition(b"\r\n\r\n")[2]
        assert [at for at in range(len(whole)) if whole[at] != wrong[at]] == [7]
        registry.fault("blob-get", "short", by=10)
        assert raw(registry, get).partition(b"\r\n\r\n")[2] == whole[:-10]
        registry.fault("blob-get", "longer", by=10)
        assert raw(registry, get).partition(b"\r\n\r\n")[2] == whole + b"x" * 10
        registry.fault("blob-get", "garbage")
        assert not (raw(registry, get) or b"").startswith(b"HTTP/")
        registry.fault("blob-get", "lost")
        assert raw(registry, get) is None
        assert registry.script.pending == []


def test_a_committed_upload_whose_reply_is_lost():
    with FaultRegistry("strict") as registry:
        where, digest = open_upload(registry), oci_make.digest_of(b"x" * 10)
        registry.fault("upload-put", "lost")
        put = f"PUT {where}?digest={digest} HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n".encode()
        assert raw(registry, put + b"x" * 10) is None
        assert send(registry, "HEAD", f"/v2/a/blobs/{digest}")[0] == 200


def test_the_late_write_of_a_broken_connection():
    with FaultRegistry("strict") as registry:
        where = open_upload(registry)
        registry.fault("upload-patch", "late", after=5000, hold=1000, seconds=3)  # time for the next line on a busy machine
        assert raw(registry, patch(where, 9000, 9000)) is None
        assert send(registry, "GET", where)[1]["Range"] == "0-3999"
        assert registry.journal.wait(lambda _: send(registry, "GET", where)[1]["Range"] == "0-4999", 10)


def test_a_chunk_out_of_order():
    for profile, code in (("strict", 416), ("docker28", 202)):
        with FaultRegistry(profile) as registry:
            where = open_upload(registry)
            assert send(registry, "PATCH", where, b"x" * 10, **{"Content-Range": "5-14"})[0] == code


def test_an_answer_in_the_middle_of_a_body():
    with FaultRegistry("strict") as registry:
        where = open_upload(registry)
        registry.fault("upload-patch", "status", code=503, after=MIB, headers={"Retry-After": "1"})
        answer = raw(registry, patch(where, 3 * MIB, MIB))
        assert answer.startswith(b"HTTP/1.1 503") and b"Retry-After: 1" in answer


def test_a_client_that_waits_is_told_to_go_on_or_not():
    with FaultRegistry("proxied") as registry:
        where = open_upload(registry)
        large = patch(where, 3 * MIB, 0).replace(b"Host: x", b"Host: x\r\nExpect: 100-continue")
        assert raw(registry, large).startswith(b"HTTP/1.1 413") and registry.journal.uploaded() == 0
        small = patch(where, 3, 0).replace(b"Host: x", b"Host: x\r\nConnection: close\r\nExpect: 100-continue")
        with socket.create_connection(("127.0.0.1", registry.ports["registry"]), timeout=20) as one:
            one.sendall(small)
            assert one.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
            one.sendall(b"abc")
            assert one.recv(1000).startswith(b"HTTP/1.1 202")


@pytest.mark.slow
def test_the_conformance_suite_passes_on_the_strict_profile(tmp_path):
    suite = program("conformance")
    with FaultRegistry("strict") as registry:
        settings = {"OCI_REGISTRY": registry.host, "OCI_TLS": "disabled", "OCI_VERSION": "1.1",
                    "OCI_RESULTS_DIR": str(tmp_path / "results"), "OCI_API_BLOBS_UPLOAD_CANCEL": "true",
                    "OCI_API_BLOBS_DIGEST_HEADER": "true", "OCI_API_MANIFESTS_DIGEST_HEADER": "true",
                    "OCI_API_MANIFESTS_TAG_PARAM": "true"}
        done = ran([suite], env={**os.environ, **settings}, cwd=tmp_path, rc=None)
    failed = [line for line in done.stdout.splitlines() if line.rstrip().endswith(": FAIL") or ":       FAIL" in line]
    assert done.returncode == 0 and failed == [] and "Pass" in done.stdout, (failed, done.stdout[-2000:])
