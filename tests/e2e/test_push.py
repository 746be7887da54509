# SPDX-License-Identifier: Apache-2.0
"""Images to and from a real registry on loopback, read by skopeo; the faults are tests/registry's."""
import json
import shutil
import signal
import socket
import subprocess
import time
import urllib.request

import pytest
from oci_image import Image

RECIPE = """
varve: 1
name: p
sources: {app: {kind: local, path: app}}
stages: {main: {steps: [{step: app, copy: app, to: /srv}]}}
images: {p: {stage: main, name: "%s/team/p:1"}}
"""


@pytest.fixture
def registry(tmp_path, need):
    """HOST:PORT of an empty docker-registry that ends with the test."""
    need("docker-registry")
    with socket.create_server(("127.0.0.1", 0)) as free:
        host = f"127.0.0.1:{free.getsockname()[1]}"
    config = tmp_path / "registry.yml"
    config.write_text(f"version: 0.1\nstorage: {{filesystem: {{rootdirectory: {tmp_path}/data}}, delete: {{enabled: true}}}}\n"
                      f"http: {{addr: {host}}}\n")
    with open(tmp_path / "registry.log", "w") as log:
        child = subprocess.Popen([shutil.which("docker-registry"), "serve", str(config)], stdout=log, stderr=log)
    try:
        for _ in range(200):
            try:
                urllib.request.urlopen(f"http://{host}/v2/", timeout=5).close()
                break
            except OSError:
                time.sleep(0.05)
        yield host
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait(10)


@pytest.fixture
def built(varve, registry):
    """(program, host, digest) of an image that is built and pushed."""
    varve.write("app/file", "content\n" * 5000)
    varve.write("r.yaml", RECIPE % registry)
    digest = varve("build", "r.yaml", "--push").stdout.split()[0]
    return varve, registry, digest


def manifest_of(host, repository, reference):
    request = urllib.request.Request(f"http://{host}/v2/{repository}/manifests/{reference}",
                                     headers={"Accept": "application/vnd.oci.image.manifest.v1+json"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return answer.headers["Docker-Content-Digest"], json.load(answer)


def test_a_build_is_pushed(built):
    varve, host, digest = built
    assert manifest_of(host, "team/p", "1")[0] == digest


def test_skopeo_reads_it(built, need, tmp_path):
    varve, host, digest = built
    need("skopeo")
    subprocess.run(["skopeo", "--insecure-policy", "copy", "--src-tls-verify=false", "--preserve-digests",
                    f"docker://{host}/team/p:1", f"oci:{tmp_path}/out:x"], check=True, capture_output=True, timeout=60)
    assert Image(tmp_path / "out", "x").descriptor["digest"] == digest


def test_several_tags_and_nothing_sent_twice(built):
    varve, host, digest = built
    result = varve("push", f"{host}/team/p:1", f"docker://{host}/team/p:2", f"{host}/team/p:3")
    assert [manifest_of(host, "team/p", tag)[0] for tag in "23"] == [digest, digest]
    assert "0 blobs moved" in result.stderr
    moved = varve("push", f"{host}/team/p:1", f"docker://{host}/other/p:1").stderr
    assert "0 blobs moved" in moved and "2 mounted" in moved


def test_a_pull_into_an_empty_store(built, as_user):
    varve, host, digest = built
    before = varve("inspect", f"{host}/team/p:1", "--json").json()
    shutil.rmtree(varve.store)
    assert varve("inspect", f"docker://{host}/team/p:1", "--json").json()["digest"] == before["digest"]
    assert varve("pull", f"docker://{host}/team/p:1").stdout.split() == [digest, f"{host}/team/p:1"]
    assert digest[:19] in varve("images").stdout
    assert "0 blobs moved" in varve("pull", f"docker://{host}/team/p@{digest}").stderr


@pytest.mark.parametrize("between", ["oci:x:y", "oci-archive:x.tar:y", "dir:x", "store:y"])
def test_copies_keep_every_byte(built, between):
    varve, host, digest = built
    assert varve("copy", f"docker://{host}/team/p:1", between).stdout.split()[0] == digest
    assert varve("copy", between, f"docker://{host}/back/p:1").stdout.split()[0] == digest
    assert manifest_of(host, "back/p", "1")[0] == digest


def test_an_archive_for_docker_keeps_config_and_tars(built):
    varve, host, _ = built
    varve("copy", f"docker://{host}/team/p:1", "docker-archive:x.tar")
    varve("copy", "docker-archive:x.tar", f"docker://{host}/back/p:1")
    assert manifest_of(host, "back/p", "1")[1]["config"]["digest"] == manifest_of(host, "team/p", "1")[1]["config"]["digest"]


def test_an_index(built):
    varve, host, digest = built
    index = varve("index", f"{host}/team/all:1", f"{host}/team/p:1").stdout.split()[0]
    varve("push", f"{host}/team/all:1")
    assert "index" in varve("images").stdout
    shutil.rmtree(varve.store)
    assert varve("pull", f"{host}/team/all:1", "--platform", "linux/s390x", rc=4).stderr.count("no image for linux/s390x")
    assert varve("pull", f"{host}/team/all:1").stdout.split()[0] == digest
    assert varve("pull", f"{host}/team/all:1", "--all-platforms").stdout.split()[0] == index


def test_a_shared_cache(built):
    varve, host, digest = built
    cache = f"docker://{host}/team/cache"
    varve("build", "r.yaml", "--cache-to", cache)
    shutil.rmtree(varve.store)
    assert varve("build", "r.yaml", "--cache-from", cache, "--expect-cached").stdout.split()[0] == digest
    assert varve("gc", "--remote", cache, "--json").json() == {"kept": 1, "records": 0}
    assert varve("gc", "--remote", cache, "--keep", "0", "--json").json() == {"kept": 0, "records": 1}
    shutil.rmtree(varve.store)
    varve("build", "r.yaml", "--cache-from", cache, "--expect-cached", rc=5)


@pytest.mark.parametrize("arguments, code, word", [
    (["pull", "docker://127.0.0.1:1/a/b"], 4, "connect"),
    (["pull", "debian"], 2, "docker.io/library/debian"),
    (["push", "nothing", "docker://127.0.0.1:1/a"], 1, "no image"),
    (["copy", "oci:nowhere", "store:x"], 1, "nowhere"),
    (["copy", "here", "there"], 2, "docker://HOST"),
    (["login", "a/b"], 2, "HOST"),
    (["logout", "example.com", "--authfile", "none.json"], 1, "no credentials"),
])
def test_what_cannot_be_done_is_said(varve, arguments, code, word):
    result = varve(*arguments, rc=code)
    assert word in result.stderr and result.stdout == ""


def test_a_missing_tag(built):
    varve, host, _ = built
    assert 'no "9"' in varve("pull", f"{host}/team/p:9", rc=4).stderr


def test_a_damaged_layer_is_found_before_the_registry_has_it(built):
    varve, host, _ = built
    varve("copy", f"docker://{host}/team/p:1", "oci:bad:x")
    shutil.rmtree(varve.store)
    layer = manifest_of(host, "team/p", "1")[1]["layers"][0]["digest"].split(":")[1]
    path = varve.path("bad", "blobs", "sha256", layer)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.chmod(0o644)
    path.write_bytes(data)
    assert f"{layer} is damaged" in varve("copy", "oci:bad:x", f"docker://{host}/new/p:1", rc=1).stderr
