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
import wheels
from support import libraries_of, own_project, project, run  # noqa: F401  fixture

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
        elif self.path == "/garbage":
            self.wfile.write(b"\0\xff no http\r\n\r\n")
            self.close_connection = True
        elif self.path == "/headers":
            self.send_response(200)
            for number in range(90):
                self.send_header(f"X-{number}", "x" * 1000)
            self.end_headers()
            self.close_connection = True
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
    return recorder(project, servers)


@pytest.fixture
def own_record(own_project, servers):  # noqa: F811
    """Where the account makes no difference."""
    return recorder(own_project, servers)


def recorder(project, servers):  # noqa: F811
    with open(CURL, "rb") as program:
        more = {"usr/bin/curl": (program.read(), 0o755)}
    for library in libraries_of(CURL):
        with open(library, "rb") as file:
            more[library.lstrip("/")] = (file.read(), 0o755)
    project.busybox(more=more)
    authority = project.varve.write("upstream.pem", servers[2])

    def go(command, *arguments, rc=0, fields=None):
        project.recipe([run("get", command, **(fields or {}))])
        project.build(rc=None)  # what the step stands on; the step itself has no network
        result = project.varve("lock", "r.yaml", "--record", "get", "--json", *arguments, rc=rc, timeout=60,
                               env={"SSL_CERT_FILE": authority, "http_proxy": "", "https_proxy": ""})
        assert not os.path.exists(project.varve.path("r.lock.json"))
        return json.loads(result.stdout), result.stderr
    return go


BUNDLE = "etc/ssl/certs/ca-certificates.crt"


def test_a_tool_that_reads_the_image_s_own_list(record, servers, project):  # noqa: F811
    secure = servers[1]
    tool = f"env -i PATH=$PATH https_proxy=$https_proxy curl -fsS {secure}/a --cacert"
    link = "/etc/ssl/cert.pem"
    project.tree("root", {BUNDLE: "# the image's own\n", "etc/ssl/cert.pem": ("link", f"/{BUNDLE}")})
    found, _ = record(f"{tool} /{BUNDLE} && {tool} {link} && grep -q own /{BUNDLE}")
    assert [one["href"] for one in found["sources"].values()] == [f"{secure}/a"]


def test_a_list_that_is_a_link_out_of_the_image(record, tmp_path, project):  # noqa: F811
    outside = tmp_path / "outside.pem"
    outside.write_text("text of the host\n")
    tmp_path.chmod(0o755)
    project.tree("root", {BUNDLE: ("link", str(outside)), "etc/hosts": ("link", str(outside))})
    record("! grep 'text of the host' /run/varve-record.pem /etc/hosts && grep -q localhost /etc/hosts")
    assert outside.read_text() == "text of the host\n"


def test_programs_that_know_no_proxy(record, servers):
    found, _ = record("unset http_proxy https_proxy all_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY; set +e\n"
                      "curl -sS http://a.invalid/x; curl -sS https://b.invalid/y\n"
                      "curl -sS --connect-timeout 2 telnet://c.invalid:22; curl -sS http://a.invalid:81/; true")
    notes = "\n".join(found["not-recorded"])
    assert "GET http://a.invalid/x: the server fails: " in notes and "GET https://b.invalid/y: the server fails" in notes
    assert "LOOKUP c.invalid: nothing came to ports 80 and 443" in notes and "LOOKUP a.invalid" not in notes


def test_hostile_exchanges(own_record, servers):
    plain = servers[0]
    found, _ = own_record(
        f"set +e; curl -sS {plain}/garbage; curl -sS {plain}/headers -o /dev/null\n"
        f"curl -sS -H 'Connection: Upgrade' -H 'Upgrade: websocket' {plain}/socket\n"
        f"dd if=/dev/zero bs=1M count=17 | curl -sS --data-binary @- {plain}/large\n"
        "printf 'GET /\\0 HTTP/1.1\\r\\n\\r\\n' | nc 127.0.0.1 3128\n"
        "printf 'CONNECT a:99999 HTTP/1.1\\r\\n\\r\\n' | nc 127.0.0.1 3128\n"
        f"curl -fsS {plain}/alive")
    notes = "\n".join(found["not-recorded"])
    for line in (f"GET {plain}/garbage: the server fails", f"GET {plain}/headers: ",
                 f"GET {plain}/socket: it wants another protocol", f"POST {plain}/large: a body of more than 16 MiB"):
        assert line in notes, notes
    assert [one["href"] for one in found["sources"].values()] == [f"{plain}/alive"]


def test_secrets_and_what_is_mounted(record, servers, project):  # noqa: F811
    secret = project.varve.write("secret", b"s3cret")
    found, _ = record(f"grep -q s3cret /run/secrets/key && curl -fsS {servers[0]}/x >/dev/null",
                      "--secret", f"key={secret}", fields={"secrets": ["key"]})
    assert len(found["sources"]) == 1


def test_an_index(own_record, servers, own_project, tmp_path):  # noqa: F811
    (tmp_path / "index").mkdir()
    uv = wheels.uv_wheel() or pytest.skip("pip cannot download uv here")
    index = wheels.Index(tmp_path / "index", uv)
    entry = index.add("some-app", "1.5")
    file = entry["url"].replace("../../", "/")
    agent = """-A 'pip/24 {"python":"3.11.2"}'"""
    found, said = own_record(f"curl -fsS {agent} {index.url}/simple/some-app/ {index.url}{file} -o /dev/null",
                         *index.mirror)
    assert found["sources"] == {"python": {"kind": "python", "python": "3.11", "requirements": ["some-app==1.5"]}}
    assert found["not-recorded"] == [] and index.url not in json.dumps(found) + said
    own_project.recipe([run("get", "test -f /run/sources/python/some_app-1.5-py3-none-any.whl", mounts=found["mounts"])],
                   sources=found["sources"])
    assert "main/get" in own_project.varve("plan", "r.yaml", *index.mirror, timeout=60).stdout
    assert "main/get" in own_project.build(*index.mirror).ran
    index.close()


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


def test_what_is_not_recorded_is_named(own_record, servers):
    plain = servers[0]
    found, said = own_record(
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


def test_a_failing_step_is_an_error_that_still_proposes(own_record, servers):
    found, said = own_record(f"curl -fsS {servers[0]}/x >/x && false", rc=1)
    assert len(found["sources"]) == 1 and "failed with status 1" in said
