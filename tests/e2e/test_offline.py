# SPDX-License-Identifier: Apache-2.0
"""--offline: no connection is made, and none could be: by the program, its fetchers or its steps."""
import json
import re
import shutil
import socket
import threading

import pytest
from conftest import need
from support import copy, project, run  # noqa: F401  fixtures


class Watch:
    """Counts whoever connects, and answers as a web server of one file would."""

    def __init__(self):
        self.socket, self.count = socket.create_server(("127.0.0.1", 0)), 0
        self.port = self.socket.getsockname()[1]
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def close(self):
        """A socket that is only closed still listens for as long as a thread waits on it."""
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        self.thread.join()

    def serve(self):
        while True:
            try:
                connection = self.socket.accept()[0]
            except OSError:
                return
            self.count += 1
            connection.settimeout(0.5)
            try:
                connection.recv(4096)
            except OSError:
                pass
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\nfile")
            connection.close()


@pytest.fixture
def watch():
    one = Watch()
    yield one
    one.close()


def recipe(project, watch, *, network="none"):
    project.recipe([copy("file", "file", "/file"), run("net", f"nc -w 2 127.0.0.1 {watch.port} </dev/null >/x || echo none >/x",
                                                       network=network)],
                   sources={"file": {"kind": "url", "href": f"http://127.0.0.1:{watch.port}/file"}})


@pytest.fixture
def everywhere(watch):
    """Settings that would lead any request to the watch."""
    url = f"http://127.0.0.1:{watch.port}"
    return {name: url for name in ("http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "VARVE_MIRROR_DEBIAN")}


def test_what_is_there_is_built_without_a_connection(project, watch, everywhere):
    recipe(project, watch)
    project.varve("fetch", "r.yaml")
    assert watch.count > 0
    watch.count = 0
    project.build("--offline", env=everywhere)
    project.varve("fetch", "r.yaml", "--offline", env=everywhere)
    project.varve("bundle", "create", "r.yaml", "-o", "oci-archive:b.tar", "--offline", env=everywhere)
    assert watch.count == 0 and project.image().files["file"].data == b"file"


def test_what_is_missing_is_named_and_not_fetched(project, watch, everywhere):
    recipe(project, watch)
    assert "not locked" in project.build("--offline", rc=2, env=everywhere).text
    project.varve("lock", "r.yaml")
    shutil.rmtree(project.varve.store)
    watch.count = 0
    for command in (["build", "r.yaml"], ["fetch", "r.yaml"], ["bundle", "create", "r.yaml", "-o", "oci-archive:b.tar"]):
        failed = project.varve(*command, "--offline", rc=2, env=everywhere)
        assert "--offline forbids to fetch it" in failed.stderr
    assert watch.count == 0 and not project.varve.path("b.tar").exists()


def test_a_step_with_the_hosts_network_has_none(project, watch):
    recipe(project, watch, network="host")
    project.varve("fetch", "r.yaml")
    watch.count = 0
    project.build("--offline")
    assert watch.count == 0 and project.image().files["x"].data == b"none\n"
    shutil.rmtree(project.varve.store) if project.account.ours else project.varve.run("rm", "-rf", project.varve.store / "steps")
    project.build()
    assert watch.count > 0


def test_no_system_call_asks_for_a_network(project_as_root, watch, everywhere):
    need("strace")
    project = project_as_root
    recipe(project, watch)
    project.varve("fetch", "r.yaml")
    done = project.varve.run("strace", "-f", "-qq", "-o", "calls", "-e", "trace=connect,sendto,sendmsg,sendmmsg,unshare,clone",
                             project.varve.binary, "build", "r.yaml", "--offline", "--progress", "quiet", env=everywhere)
    assert done.returncode == 0, done.stderr
    calls = project.varve.path("calls").read_text()
    assert "CLONE_NEWNET" in calls
    inside = re.escape(f"htons({watch.port})")  # the step's own try, in its sandbox
    asked = [line for line in calls.splitlines() if re.search("AF_INET6?", line) and not re.search(inside, line)]
    assert asked == [] and json.loads(project.varve("inspect", "t/main:latest", "--json").stdout)


@pytest.fixture
def project_as_root(as_user):
    from support import Project
    return Project(as_user("root"))
