# SPDX-License-Identifier: Apache-2.0
"""The way to a registry: certificates, plain http, proxies, redirects, and what is said where there is no way."""
import json
import re
import shutil
import socket
import ssl
import time

import pytest
from registries import MIB, Certificates, FaultRegistry, assert_clear, bed, certificates  # noqa: F401  fixtures

LAYER = 100000


def secure(bed, certificates, **options):  # noqa: F811
    registry = bed.open(tls=certificates, **options)
    bed.image([LAYER])
    return registry


def cert_dir(bed, certificates, name="certs", **options):  # noqa: F811
    where = certificates.directory_for(bed.varve.path(name), **options)
    bed.varve.account.own(bed.varve.path(name.split("/")[0]))
    return where


# --- https ---------------------------------------------------------------------------------------

def test_an_authority_of_ones_own(bed, certificates):  # noqa: F811
    secure(bed, certificates)
    bed.push("--cert-dir", str(cert_dir(bed, certificates)))
    bed.assert_pushed()


@pytest.mark.parametrize("place", ["config/containers/certs.d/{host}", "home/.config/containers/certs.d/{host}"])
def test_certificates_where_other_tools_keep_them(bed, certificates, place):  # noqa: F811
    registry = secure(bed, certificates)
    cert_dir(bed, certificates, place.format(host=registry.host))
    environment = {"HOME": bed.varve.path("home")}
    environment["XDG_CONFIG_HOME"] = bed.varve.path("config" if place.startswith("config") else "home/.config")
    bed.push(env=environment)
    bed.assert_pushed()


def test_an_unknown_authority_is_refused(bed, certificates):  # noqa: F811
    """And there is no second try in the clear."""
    registry = secure(bed, certificates)
    result = bed.push(rc=4)
    assert_clear(result, "certificate|TLS|SSL")
    assert registry.host in result.stderr and registry.journal.entries == []
    bed.assert_not_pushed()


def test_verification_can_be_switched_off(bed, certificates):  # noqa: F811
    secure(bed, certificates)
    bed.push("--tls-verify=false")
    bed.assert_pushed()


def connections(listener, child):
    """What a program opens, until it ends; each is closed afterwards, and there are few."""
    listener.settimeout(0.1)
    for _ in range(600):
        if child.poll() is not None:
            return
        try:
            connection, _ = listener.accept()
        except TimeoutError:
            continue
        with connection:
            connection.settimeout(5)
            yield connection


def test_a_certificate_of_another_name(bed, certificates):  # noqa: F811
    """The certificate names 127.0.0.1, not 127.0.0.3."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.certificate, certificates.key)
    bed.image([LAYER])
    with socket.create_server(("127.0.0.3", 0)) as listener:
        host = f"127.0.0.3:{listener.getsockname()[1]}"
        child = bed.varve.start("copy", bed.source, f"docker://{host}/app:1", "--cert-dir", str(cert_dir(bed, certificates)))
        for connection in connections(listener, child):
            try:
                context.wrap_socket(connection, server_side=True).recv(1000)
            except OSError:
                pass
        _, errors = child.communicate(timeout=60)
    assert child.returncode == 4 and re.search("certificate|TLS|SSL|name", errors) and host in errors, errors


def test_a_certificate_of_the_client_is_asked_for(bed, certificates):  # noqa: F811
    registry = secure(bed, certificates, clients=True)
    result = bed.push("--cert-dir", str(cert_dir(bed, certificates)), "--stall-timeout", "3", rc=4)
    assert registry.journal.entries == []
    assert_clear(result, "wants a certificate from its clients")
    assert str(bed.varve.path("certs")) in result.stderr


def test_where_a_certificate_of_the_client_belongs(bed, certificates):  # noqa: F811
    """Without --cert-dir: the first place where the container tools look."""
    registry = secure(bed, certificates, clients=True)
    result = bed.push("--tls-verify", "false", "--stall-timeout", "3", rc=4)
    assert f"{bed.varve.path('config')}/containers/certs.d/{registry.host}" in result.stderr, result


def test_a_certificate_that_the_server_does_not_take(bed, certificates, tmp_path):  # noqa: F811
    registry = secure(bed, certificates, clients=True)
    other = Certificates(tmp_path / "other")
    where = cert_dir(bed, certificates)
    shutil.copy(other.client_certificate, where / "mine.cert")
    shutil.copy(other.client_key, where / "mine.key")
    (where / "mine.key").chmod(0o644)
    bed.varve.account.own(where)
    result = bed.push("--cert-dir", str(where), "--stall-timeout", "3", rc=4)
    assert_clear(result, "does not take the certificate .*/mine.cert")
    assert registry.journal.entries == []


def test_a_certificate_of_the_client_before_tls_13(bed, certificates, monkeypatch):  # noqa: F811
    """Servers say no more than "handshake failure" then."""
    real_context = FaultRegistry.context

    def older(self, role):
        context = real_context(self, role)
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        return context
    monkeypatch.setattr(FaultRegistry, "context", older)
    secure(bed, certificates, clients=True)
    result = bed.push("--cert-dir", str(cert_dir(bed, certificates)), "--stall-timeout", "3", rc=4)
    assert_clear(result, "wants a certificate from its clients")
    assert str(bed.varve.path("certs")) in result.stderr
    bed.push("--cert-dir", str(cert_dir(bed, certificates, "both", client=True)))


def test_a_proxy_that_wants_a_certificate_of_the_client(bed, certificates):  # noqa: F811
    """nginx says it in a page."""
    registry = secure(bed, certificates)
    page = b"<html><head><title>400 No required SSL certificate was sent</title></head></html>"
    registry.fault("*", "status", code=400, headers={"Content-Type": "text/html"}, body=page, times=None)
    result = bed.push("--tls-verify", "false", rc=4)
    assert_clear(result, f"wants a certificate.* {bed.varve.path('config')}/containers/certs.d/{registry.host}")


def test_a_certificate_of_the_client(bed, certificates):  # noqa: F811
    secure(bed, certificates, clients=True)
    bed.push("--cert-dir", str(cert_dir(bed, certificates, "both", client=True)))
    bed.assert_pushed()


@pytest.mark.parametrize("fault, options", [("reset", {"after": 50000}), ("cut", {"after": 50000}), ("lost", {})])
def test_breaks_inside_tls(bed, certificates, fault, options):  # noqa: F811
    registry = secure(bed, certificates)
    registry.fault("upload-put", fault, **options)
    where = str(cert_dir(bed, certificates))
    bed.push("--cert-dir", where)
    bed.assert_pushed()
    registry.fault("blob-get", fault, **options, where=lambda entry: entry.reference == bed.blobs()[1])
    bed.pull("pulled", "--cert-dir", where)
    bed.assert_pulled()


def test_https_does_not_become_http(bed, certificates):  # noqa: F811
    """A redirect of a blob to plain http is refused."""
    registry = secure(bed, certificates)
    bed.serve_image()
    plain = bed.open()
    bed.serve_image(registry=plain)
    big = bed.blobs()[1]
    registry.fault("blob-get", "redirect", to=f"{plain.url}/v2/app/blobs/{big}", times=None, where=lambda entry: entry.reference == big)
    result = bed.pull("pulled", "--cert-dir", str(cert_dir(bed, certificates)), rc=4)
    assert_clear(result, "http:|https|redirect")
    assert plain.journal.entries == []


def test_an_uploads_location_does_not_become_http(bed, certificates):  # noqa: F811
    """As behind a proxy that forgets X-Forwarded-Proto: refused, with a hint."""
    registry = secure(bed, certificates)
    registry.fault("upload-post", "headers", headers={"Location": f"http://{registry.host}/v2/app/blobs/uploads/x"}, times=None)
    result = bed.push("--cert-dir", str(cert_dir(bed, certificates)), rc=4)
    assert_clear(result, "http:|https|location")


# --- http, proxies, mirrors ----------------------------------------------------------------------

def test_loopback_is_asked_in_the_clear(bed):
    registry = bed.open()
    bed.image([LAYER])
    bed.varve("copy", bed.source, f"docker://localhost:{registry.ports['registry']}/app:1")
    bed.assert_pushed()


def test_another_host_is_not(bed):
    """A proxy sees what is asked for: a CONNECT, never a plain GET, where the host is not of this machine."""
    seen = []
    bed.image([1000])
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        environment = {name: address for name in ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy")}
        child = bed.varve.start("copy", bed.source, "docker://registry.example:5000/app:1", env=environment)
        for connection in connections(listener, child):
            seen.append(connection.recv(1000).split(b"\r\n")[0])
            connection.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        _, errors = child.communicate(timeout=60)
    assert child.returncode == 4 and seen and set(seen) == {b"CONNECT registry.example:5000 HTTP/1.1"}, (seen, errors)
    assert "proxy" in errors.lower() or "403" in errors, errors


def test_a_proxy_of_the_environment(bed):
    registry = bed.open("ghcr")  # its Locations are relative, so the name stays
    bed.image([LAYER])
    environment = {"http_proxy": registry.url}
    bed.varve("copy", bed.source, "docker://registry.example:5000/app:1", "--plain-http", env=environment, timeout=100)
    bed.assert_pushed()
    assert all(entry.header("Host") == "registry.example:5000" for entry in registry.journal.entries
               if entry.status != 404 and entry.operation != "ping")


def test_loopback_goes_past_proxies(bed):
    registry = bed.open()
    bed.image([LAYER])
    dead = "http://127.0.0.1:1"
    bed.push(env={name: dead for name in ("http_proxy", "https_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy")})
    bed.assert_pushed()
    assert registry.journal.entries


# --- messages ------------------------------------------------------------------------------------

def test_a_dead_port(bed):
    bed.image([1000])
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{unused.getsockname()[1]}"
        started = time.monotonic()
        result = bed.varve("copy", bed.source, f"docker://{host}/app:1", rc=4, timeout=150)
    assert_clear(result, "refused|connect")
    assert host in result.stderr and time.monotonic() - started < 60
    assert re.search(f"no connection to https?://{host}: Connection refused\nno program of this machine listens there", result.stderr), result


def test_an_unknown_host(bed):
    bed.image([1000])
    started = time.monotonic()
    result = bed.varve("copy", bed.source, "docker://no-such-host.invalid/app:1", rc=4, timeout=150)
    assert_clear(result, "resolve|host|name")
    assert "no-such-host.invalid" in result.stderr and time.monotonic() - started < 60


def test_a_tag_that_is_not_there(bed):
    registry = bed.open()
    bed.image([1000])
    bed.serve_image()
    result = bed.pull(reference="nope", rc=4)
    assert_clear(result, "nope")
    assert f"{registry.host}/app" in result.stderr and re.search("no |not |unknown", result.stderr)
    assert "it has: 1\n" in result.stderr


def test_a_tag_that_is_almost_there(bed):
    registry = bed.open()
    bed.image([1000])
    bed.serve_image(tag="v1.20.3-slim")
    assert_clear(bed.pull(reference="v1.20.3-slm", rc=4), 'did you mean "v1.20.3-slim"')
    registry.fault("tags", "status", code=403, times=None)  # who may not list them gets the bare message
    assert_clear(bed.pull(reference="v1.20.3-slm", rc=4), 'has no "v1.20.3-slm"$')


def test_a_repository_that_is_not_there(bed):
    bed.open()
    result = bed.varve("pull", bed.target("nowhere/at/all"), rc=4)
    assert_clear(result, "nowhere/at/all")


@pytest.mark.parametrize("name", [
    "docker://", "docker://host:5000", "docker:///app", "docker://HOST/App", "docker://HOST/app:", "docker://HOST/app@sha256:12",
    "docker://HOST/../x", "docker://HOST/app:a/b", "docker://HOST/app:" + "t" * 129, "docker://HOST/a\nb", "docker://HOST/app@md5:" + "0" * 32,
    "docker://HOST/app?x=y", "docker://user:pw@HOST/app", "docker://HOST/" + "a/" * 200 + "b", "docker://HOST:99999/app", "docker://app"])
def test_a_name_that_is_none(bed, name):
    registry = bed.open()
    bed.image([1000])
    result = bed.varve("copy", bed.source, name.replace("HOST:99999", "127.0.0.1:99999").replace("HOST", registry.host), rc=2)
    assert len(result.stderr.strip().splitlines()) <= 4 and registry.journal.entries == [], result


@pytest.mark.parametrize("option, value", [("--chunk-size", "0"), ("--chunk-size", "-1"), ("--chunk-size", "x"), ("--chunk-size", "1e99"),
                                           ("--stall-timeout", "0"), ("--stall-timeout", "x"), ("--stall-timeout", "-5")])
def test_an_option_that_is_wrong(bed, option, value):
    bed.open()
    bed.image([1000])
    result = bed.push(option, value, rc=2)
    assert option in result.stderr and bed.registry.journal.entries == []


@pytest.mark.slow
def test_progress_into_a_pipe(bed):
    """Lines with bytes, rate and time left, at an interval that a log can bear; nothing for a terminal."""
    registry = bed.open()
    bed.image([16 * MIB])
    for operation in ("upload-put", "upload-patch"):
        registry.fault(operation, "slow", rate=MIB, times=None)
    result = bed.push()
    lines = [line for line in result.stderr.splitlines() if re.search(r"/s\b", line)]
    assert 1 <= len(lines) <= 8 and "\r" not in result.stderr and "\x1b" not in result.stderr, result
    assert re.search(r"\d+(\.\d+)? ?[kMG]i?B", lines[0]) and re.search(r"left|remain|eta|\d+ ?s\b", lines[0], re.I), lines


def test_results_go_to_standard_output(bed):
    bed.open()
    result = bed.push()
    assert bed.digest in result.stdout and bed.registry.name("app", "1") in result.stdout, result


def test_a_warning_of_the_registry_is_shown_once(bed):
    bed.open("crane")
    bed.image([1000, 2000, 3000])
    result = bed.push()
    assert result.stderr.count("a test registry") == 1, result


def test_progress_as_json(bed):
    bed.open()
    result = bed.push("--progress", "json")
    lines = [line for line in result.stderr.splitlines() if line.strip()]
    assert lines and all(isinstance(json.loads(line), dict) for line in lines), result
