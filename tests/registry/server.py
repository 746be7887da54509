# SPDX-License-Identifier: Apache-2.0
"""The registry: its ports, and what happens to a request from its first line to the last byte of the reply."""
import pathlib
import shutil
import ssl
import tempfile
import threading
import time

from . import endpoints, exchange, profiles
from .authority import Authority
from .content import Content
from .exchange import Reply, error
from .faults import Script
from .journal import Journal

# Each role is another origin; "elsewhere" is also another host.
HOSTS = {"registry": "127.0.0.1", "token": "127.0.0.1", "elsewhere": "127.0.0.2"}
RECEIVE_BUFFER = 1 << 18


class FaultRegistry:
    """auth: members of Authority. tls: a certificates.Authority; clients: its client certificates are demanded."""

    def __init__(self, profile="strict", port=0, auth=None, tls=None, clients=False, directory=None):
        self.profile = profiles.find(profile)
        self.directory = pathlib.Path(directory or tempfile.mkdtemp(prefix="varve-registry-"))
        self.temporary = directory is None
        self.content, self.journal, self.script = Content(self.directory), Journal(), Script()
        self.authority = Authority(self, **(auth or {}))
        self.tls, self.clients = tls, clients
        self.stopping = threading.Event()
        self.listeners, self.ports, self.lock = {}, {"registry": port}, threading.Lock()
        self.gets, self.referrers_page, self.referrers_filter = 0, None, True
        self.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # --- ports -----------------------------------------------------------------------------------
    def listen(self, role):
        with self.lock:
            if role not in self.listeners:
                self.listeners[role] = exchange.Listener((HOSTS[role], self.ports.get(role, 0)), self, role,
                                                         self.context(role))
                self.ports[role] = self.listeners[role].server_address[1]
            return self.listeners[role]

    def context(self, role):
        if self.tls is None:
            return None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.tls.certificate, self.tls.key)
        if self.clients and role == "registry":
            context.load_verify_locations(self.tls.ca)
            context.verify_mode = ssl.CERT_REQUIRED
        return context

    def url_of(self, role):
        if role != "registry":
            self.listen(role)
        return f"{'https' if self.tls else 'http'}://{HOSTS[role]}:{self.ports[role]}"

    @property
    def host(self):
        return f"{HOSTS['registry']}:{self.ports['registry']}"

    @property
    def url(self):
        return self.url_of("registry")

    def name(self, repository, reference="latest"):
        """HOST:PORT/REPOSITORY:TAG, or @DIGEST."""
        return f"{self.host}/{repository}{'@' if ':' in reference else ':'}{reference}"

    # --- life ------------------------------------------------------------------------------------
    def start(self):
        """Listens again, on the port of before."""
        self.stopping.clear()
        self.listen("registry")

    def stop(self):
        """Ends the ports and all connections; the content stays."""
        self.stopping.set()
        with self.lock:
            listeners, self.listeners = list(self.listeners.values()), {}
        for listener in listeners:
            listener.close()

    def restart(self, keep_uploads=True):
        self.stop()
        if not keep_uploads:
            self.content.forget_uploads()
        self.start()

    def close(self):
        self.stop()
        if self.temporary:
            shutil.rmtree(self.directory, ignore_errors=True)

    def fault(self, operation, kind, **options):
        self.script.add(operation, kind, **options)

    def clear(self):
        """Forgets the faults and the log."""
        self.script.clear()
        self.journal.clear()
        self.gets = 0

    # --- a request -------------------------------------------------------------------------------
    def answer(self, handler):
        entry = handler.entry
        if handler.server.role == "token":
            entry.operation = "token"
        else:
            entry.operation, entry.repository, entry.reference = endpoints.operation_of(entry.method, entry.path)
        fault = self.script.take(entry)
        entry.fault, handler.fault, handler.fault_done = fault, fault, False
        reply = self.before(handler, fault) or self.carry_out(handler)
        self.after(handler, fault, reply)

    def before(self, handler, fault):
        """What a fault answers in place of the operation; None where it does not."""
        kind = fault.kind if fault else None
        if kind == "delay":
            self.stopping.wait(fault.get("seconds", 1))
        if kind == "garbage":
            handler.wfile.write(fault.get("data", b"\x00\x01 this is no HTTP\r\n\r\n"))
            handler.reset()
        if kind == "redirect":
            return Reply(fault.get("code", 307), {"Location": fault.get("to") or handler.path})
        if kind == "forget":
            upload = self.content.find_upload(handler.entry.repository, handler.entry.reference)
            if upload:
                self.content.end_upload(upload)
        if kind == "status" and not fault.get("committed") and (fault.get("early") or not self.has_body(handler)):
            return exchange.told(fault, handler)
        if kind in ("reset", "cut", "stuck", "silence") and not fault.get("after") and not self.has_body(handler):
            if handler.entry.method != "GET" or fault.get("before"):
                exchange.IN_BODY[kind](handler, fault)
        return None

    @staticmethod
    def has_body(handler):
        return bool(handler.body_left) or "chunked" in handler.headers.get("Transfer-Encoding", "")

    def carry_out(self, handler):
        entry, limit = handler.entry, self.profile.body_limit
        if handler.server.role == "token":
            return self.authority.answer_token(handler)
        if entry.operation is None:
            return Reply(404, {"Content-Type": "text/plain"}, b"404 page not found\n")
        if handler.server.role == "elsewhere" and entry.query.get("signature") == ["s3cr3t"]:
            return endpoints.TABLE[entry.operation](handler, self)
        refused = self.authority.check(entry)
        if refused:
            return refused
        if limit and handler.body_left > limit:
            return Reply(413, {"Content-Type": "text/html"}, b"<html><h1>413 Request Entity Too Large</h1></html>\n")
        try:
            return endpoints.TABLE[entry.operation](handler, self)
        except exchange.Early as early:
            return early.reply

    def after(self, handler, fault, reply):
        """Sends the reply, or what a fault makes of it."""
        kind = fault.kind if fault else None
        if kind == "lost":
            handler.entry.status = "lost"
            handler.reset()
        if kind == "status" and fault.get("committed"):
            reply = exchange.told(fault, handler)
        if kind == "reply":
            reply.code = fault.get("code")
        if kind in ("headers", "reply"):
            reply.headers.update(fault.get("headers") or {})
        if self.profile.warning:
            reply.headers.setdefault("Warning", self.profile.warning)
        handler.send_reply(reply)


def wait_until(what, seconds=20):
    """The first true result of what()."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        result = what()
        if result:
            return result
        time.sleep(0.01)
    raise AssertionError("it did not happen in time")


__all__ = ["FaultRegistry", "error", "wait_until"]
