# SPDX-License-Identifier: Apache-2.0
"""The fixtures themselves: packages that dpkg-deb reads, signatures that gpgv accepts, faults that happen."""
import http.client
import os
import socket
import subprocess
import time
import urllib.error
import urllib.request

import debs
import debs_of_host
import pytest

HELLO = {"name": "hello", "version": "1:2-3", "depends": "base (>= 2)", "essential": True,
         "files": {"usr/bin/hello": "#!/bin/sh\n", "etc/hello.conf": {"data": "x", "mode": 0o600, "uid": 7, "gid": 8},
                   "usr/bin/hi": {"link": "hello"}, "usr/bin/same": {"hardlink": "usr/bin/hello"}, "srv/empty/": {}},
         "scripts": {"postinst": "#!/bin/sh\nexit 0\n"}, "conffiles": ["/etc/hello.conf"]}


@pytest.mark.parametrize("compression", ["xz", "gz", "zst", "none"])
def test_dpkg_deb_reads_the_package(tmp_path, need, compression):
    need("dpkg-deb")
    deb = tmp_path / "hello.deb"
    deb.write_bytes(debs.make_deb({**HELLO, "compression": compression}))
    fields = subprocess.run(["dpkg-deb", "--field", deb], capture_output=True, text=True, check=True).stdout
    assert "Package: hello\nVersion: 1:2-3\n" in fields and "Essential: yes\n" in fields
    listing = subprocess.run(["dpkg-deb", "--contents", deb], capture_output=True, text=True, check=False)
    if compression == "zst" and "unknown compression" in listing.stderr:
        pytest.skip("this dpkg-deb knows no zstd")
    assert "-rw------- 7/8" in listing.stdout.replace("root/root", "7/8")
    assert "./usr/bin/same link to ./usr/bin/hello" in listing.stdout
    assert "./usr/bin/hi -> hello" in listing.stdout
    subprocess.run(["dpkg-deb", "--control", deb, tmp_path / "control"], check=True)
    assert os.access(tmp_path / "control/postinst", os.X_OK)
    assert (tmp_path / "control/conffiles").read_text() == "/etc/hello.conf\n"


def test_gpgv_accepts_the_archive(make_repo, need):
    need("gpgv")
    repo = make_repo([HELLO])
    dist = repo.path / "dists/bookworm"
    command = ["gpgv", "--keyring", repo.keyring]
    subprocess.run([*command, dist / "InRelease"], check=True, capture_output=True)
    subprocess.run([*command, dist / "Release.gpg", dist / "Release"], check=True, capture_output=True)
    text = (dist / "InRelease").read_text().replace("Origin: Tests", "Origin: Other")
    (dist / "InRelease").write_text(text)
    assert subprocess.run([*command, dist / "InRelease"], check=False, capture_output=True).returncode == 1


def test_the_archive_names_its_packages(make_repo):
    repo = make_repo([HELLO, {"name": "libx", "architecture": debs.architecture()}], suite="trixie")
    index = repo.path / f"dists/trixie/main/binary-{debs.architecture()}/Packages"
    text = index.read_text()
    assert "Filename: pool/main/h/hello/hello_2-3_all.deb\n" in text
    assert f"Filename: pool/main/libx/libx/libx_1_{debs.architecture()}.deb\n" in text
    assert repo.deb("hello").stat().st_size == int(text.split("Size: ")[2].split("\n")[0])


def test_packages_of_the_host(tmp_path, need):
    need("dpkg-query")
    try:
        names = debs_of_host.closure(["dash"])
    except debs.Missing as reason:
        pytest.skip(str(reason))
    assert "libc6" in names
    deb = tmp_path / "dash.deb"
    deb.write_bytes(debs.make_deb(debs_of_host.host_package("dash")))
    listing = subprocess.run(["dpkg-deb", "--contents", deb], capture_output=True, text=True, check=True).stdout
    assert "bin/dash\n" in listing and "bin/sh -> dash\n" in listing


@pytest.fixture
def server(tmp_path, serve):
    (tmp_path / "x").write_bytes(bytes(range(256)) * 40)
    return serve(tmp_path)


def get(server, path="/x", **headers):
    with urllib.request.urlopen(urllib.request.Request(server.url + path, headers=headers), timeout=10) as answer:
        return answer.status, answer.read()


DATA = bytes(range(256)) * 40


def test_serves_files_and_ranges(server):
    assert get(server) == (200, DATA)
    assert get(server, Range="bytes=100-") == (206, DATA[100:])
    assert get(server, Range="bytes=100-109") == (206, DATA[100:110])
    for path in ("/none", "/../../etc/passwd"):
        with pytest.raises(urllib.error.HTTPError, match="404"):
            get(server, path)
    assert server.paths("/x") == ["/x"] * 3
    assert server.requests[1].headers["Range"] == "bytes=100-" and server.requests[1].sent == len(DATA) - 100


def test_fails_as_told_and_as_often(server):
    server.fault("/x", "wrong", at=10, times=1)
    server.fault("/x", "status", code=503, headers={"Retry-After": "1"}, times=1)
    server.fault("/x", "cut", after=100, times=1)
    server.fault("/y", "redirect", to="/x")
    status, data = get(server)
    assert status == 200 and len(data) == len(DATA) and data[10] != DATA[10] and data[11:] == DATA[11:]
    with pytest.raises(urllib.error.HTTPError, match="503") as error:
        get(server)
    assert error.value.headers["Retry-After"] == "1"
    with pytest.raises(http.client.IncompleteRead) as error:
        get(server)
    assert len(error.value.partial) == 100
    assert get(server, "/y") == (200, DATA)
    assert [request.status for request in server.requests] == [200, 503, 200, 302, 200]


def test_resets_the_connection(server):
    server.fault("/x", "reset", after=1000)
    with socket.create_connection(("127.0.0.1", int(server.url.rsplit(":", 1)[1])), timeout=10) as client:
        client.sendall(b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n")
        time.sleep(0.3)
        with pytest.raises(ConnectionResetError):
            while client.recv(65536):
                pass


def test_answers_slowly_and_without_ranges(server):
    server.fault("/x", "no-range", times=1)
    assert get(server, Range="bytes=100-") == (200, DATA)
    server.fault("/x", "slow", rate=20000)
    before = time.monotonic()
    assert get(server) == (200, DATA)
    assert time.monotonic() - before > 0.3


@pytest.mark.parametrize("name", ["root", "subuid", "one"])
def test_accounts_run_commands(account, name):
    one = account(name)
    directory = one.directory()
    done = one.run(["sh", "-c", "id -u; pwd; touch mine; echo $HOME"], cwd=directory)
    assert done.stdout.split() == [str(one.uid), str(directory), one.home]
    assert (directory / "mine").stat().st_uid == one.uid


def test_the_program_runs(varve):
    assert varve("--version").stdout.startswith("varve ")


def test_the_program_runs_as_others(as_user):
    varve = as_user("subuid")
    varve.write("deep/er/x.yaml", "varve: 1\n")
    assert varve("--version").stdout.startswith("varve ")
    assert varve.run("sh", "-c", "echo y >>deep/er/x.yaml && cat deep/er/x.yaml").stdout == "varve: 1\ny\n"
