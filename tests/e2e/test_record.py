# SPDX-License-Identifier: Apache-2.0
"""varve lock --record: what a step fetches becomes sources; what cannot is named."""
import http.server
import json
import os
import shutil
import ssl
import subprocess
import threading

import pytest
from support import libraries_of, project, run  # noqa: F401  fixture

CURL = shutil.which("curl")
pytestmark = pytest.mark.skipif(CURL is None, reason="no curl")


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    count = 0

    def log_message(self, *arguments):
        pass

    def answer(self, body, status=200, length=None, **fields):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        for name, value in fields.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        if self.path == "/moved":
            self.answer(b"", 302, Location="/a.bin")
        elif self.path == "/other":
            Handler.count += 1
            self.answer(b"%d" % Handler.count)
        elif self.path == "/short":
            self.answer(b"x", length=100)
            self.close_connection = True
        elif self.path == "/chunked":
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.write(b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")
        else:
            self.answer(b"content of " + self.path.encode())

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.answer(b"posted")


def start(context=None):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


@pytest.fixture
def servers(tmp_path):
    """http and https, and the certificate of the second."""
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
                    "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", tmp_path / "key.pem", "-out",
                    tmp_path / "cert.pem"], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    both = start(), start(context)
    yield [f"http://127.0.0.1:{both[0].server_port}", f"https://127.0.0.1:{both[1].server_port}",
           (tmp_path / "cert.pem").read_bytes()]
    for server in both:
        server.shutdown()
        server.server_close()


@pytest.fixture
def record(project, servers):  # noqa: F811
    with open(CURL, "rb") as program:
        more = {"usr/bin/curl": (program.read(), 0o755)}
    for library in libraries_of(CURL):
        with open(library, "rb") as file:
            more[library.lstrip("/")] = (file.read(), 0o755)
    project.busybox(more=more)
    authority = project.varve.write("upstream.pem", servers[2])

    def go(command, *arguments, rc=0):
        project.recipe([run("get", command)])
        project.build(rc=None)  # what the step stands on; the step itself has no network
        result = project.varve("lock", "r.yaml", "--record", "get", "--json", *arguments, rc=rc, timeout=60,
                               env={"SSL_CERT_FILE": authority, "http_proxy": "", "https_proxy": ""})
        assert not os.path.exists(project.varve.path("r.lock.json"))
        return json.loads(result.stdout), result.stderr
    return go


def layer(project):  # noqa: F811
    return project.image().config["rootfs"]["diff_ids"][-1]


def test_a_script_becomes_hermetic(record, servers, project):  # noqa: F811
    plain, secure, _ = servers
    script = f"mkdir /opt && curl -fsS {plain}/one.txt >/opt/one && curl -fsSL {secure}/moved >/opt/a"
    found, _ = record(script)
    assert found["not-recorded"] == []
    assert {one["href"] for one in found["sources"].values()} == {f"{plain}/one.txt", f"{secure}/moved"}
    place = {source["href"]: f"{target}/{source['filename']}" for target, name in found["mounts"].items()
             for source in [found["sources"][name]]}
    command = f"mkdir /opt && cat {place[plain + '/one.txt']} >/opt/one && cat {place[secure + '/moved']} >/opt/a"
    project.recipe([run("get", command, mounts=found["mounts"])], sources=found["sources"])
    # The store has the bytes: locking and building fetch nothing, so no server is asked.
    env = {"http_proxy": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9"}
    project.build(env=env)
    files = project.image().files
    assert files["opt/one"].data == b"content of /one.txt" and files["opt/a"].data == b"content of /a.bin"
    hermetic = layer(project)
    project.recipe([run("get", f"mkdir /opt && printf 'content of /one.txt' >/opt/one && "
                               "printf 'content of /a.bin' >/opt/a")])
    project.build()
    assert layer(project) == hermetic


def test_what_is_not_recorded_is_named(record, servers):
    plain = servers[0]
    found, said = record(
        f"set +e; curl -sS -d x=1 {plain}/post; curl -sS {plain}/other {plain}/other; curl -sS {plain}/short; "
        f"curl -sS -I {plain}/head; curl -sS -r 0-3 {plain}/part; curl -sS http://127.0.0.1:1/; "
        f"curl -sS -H 'Authorization: Basic c2VjcmV0' {plain}/private; curl -sS -o /dev/null '{plain}/t?token=c2VjcmV0'; "
        f"curl -sS {plain}/chunked; echo SSH-2.0-x | curl -sS --max-time 3 telnet://127.0.0.1:22; true")
    notes = "\n".join(found["not-recorded"])
    assert [one["href"] for one in found["sources"].values()] == [f"{plain}/chunked"]
    for line in (f"POST {plain}/post: the request has a body", f"GET {plain}/other: each request gets another answer",
                 f"GET {plain}/short: the server fails", f"GET {plain}/part: only a part of the file was asked for",
                 "GET http://127.0.0.1:1/: the server fails", f"GET {plain}/private: it needs credentials",
                 f"GET {plain}/t: its address has a query, which may hold a secret", "CONNECT 127.0.0.1:22: "):
        assert line in notes, notes
    assert "c2VjcmV0" not in notes + said


def test_a_failing_step_is_an_error_that_still_proposes(record, servers):
    found, said = record(f"curl -fsS {servers[0]}/x >/x && false", rc=1)
    assert len(found["sources"]) == 1 and "failed with status 1" in said
