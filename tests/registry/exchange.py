# SPDX-License-Identifier: Apache-2.0
"""One request and its reply on the wire: bodies of known length and chunked ones, 100-continue, and connections
that break, stay silent or lie as a fault says."""
import http.server
import json
import socket
import struct
import threading
import time
import urllib.parse

from . import content

BLOCK = 1 << 18
DRAINED = 1 << 18  # of an unread body, so that an early answer arrives; more ends the connection


class Broken(Exception):
    """The connection is gone, by the client's doing or a fault's."""


class Early(Exception):
    """An answer before the body was read to its end."""

    def __init__(self, reply):
        self.reply = reply


class Reply:
    """headers: a value None is not sent. body: bytes, or (path, first, length) of a file."""

    def __init__(self, code, headers=None, body=b""):
        self.code, self.headers, self.body = code, dict(headers or {}), body

    @property
    def length(self):
        return len(self.body) if isinstance(self.body, bytes) else self.body[2]

    def blocks(self):
        if isinstance(self.body, bytes):
            yield from (self.body[at:at + BLOCK] for at in range(0, len(self.body), BLOCK))
            return
        path, first, left = self.body
        with open(path, "rb") as file:
            file.seek(first)
            while left and (data := file.read(min(BLOCK, left))):
                left -= len(data)
                yield data


def error(code, name, message="", **headers):
    """An error as the specification spells it."""
    text = json.dumps({"errors": [{"code": name, "message": message or name.lower().replace("_", " ")}]})
    return Reply(code, {"Content-Type": "application/json", **headers}, text.encode())


class Handler(http.server.BaseHTTPRequestHandler):
    """A connection. server.owner is the registry, server.role what this port is: registry, token, elsewhere."""
    protocol_version = "HTTP/1.1"
    timeout = 120
    entry, fault, body_left, expects = None, None, 0, False
    settle = None  # what the store makes of a body that breaks off: done before the client can know of the break

    def log_message(self, *_):
        pass

    def handle_expect_100(self):
        self.expects = True
        return True

    def do_any(self):
        split = urllib.parse.urlsplit(self.path)
        query = urllib.parse.parse_qs(split.query, keep_blank_values=True)
        registry = self.server.owner
        self.entry = registry.journal.open(self.server.role, self.command, urllib.parse.unquote(split.path), query,
                                           self.headers)
        self.body_left = int(self.headers.get("Content-Length") or 0)
        self.late = None
        try:
            registry.answer(self)
        except (Broken, OSError):
            self.close_connection = True
        finally:
            self.entry.ended, self.expects = True, False
            registry.journal.touch()

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_any

    # --- the request's body ----------------------------------------------------------------------
    def go_on(self):
        """The client may wait for this before it sends a body."""
        if self.expects:
            self.expects = False
            self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def read_some(self, most):
        try:
            data = self.rfile.read1(most)
        except OSError as reason:
            raise Broken(str(reason)) from None
        if not data:
            raise Broken("the client went away")
        return data

    def body(self):
        """Blocks of the body as they come; faults that break it break it here."""
        self.go_on()
        parts = self.chunked() if "chunked" in self.headers.get("Transfer-Encoding", "") else self.counted()
        fault = self.fault if self.fault and self.fault.kind in IN_BODY and not self.fault.get("committed") else None
        for data in parts:
            if fault and not self.fault_done and self.entry.received + len(data) >= fault.get("after", AT_END[fault.kind]):
                head = max(0, fault.get("after", 0) - self.entry.received)
                yield from self.count(data[:head])
                self.fault_done = True
                IN_BODY[fault.kind](self, fault)
                data = data[head:]
            if self.fault and self.fault.kind == "slow":
                time.sleep(len(data) / self.fault.get("rate"))
            yield from self.count(data)
        if fault and fault.kind == "status" and not self.fault_done:
            raise Early(told(fault, self))
        if fault and fault.kind == "expire" and (refused := self.server.owner.authority.check(self.entry)):
            raise Early(refused)

    def count(self, data):
        if data:
            self.entry.received += len(data)
            self.server.owner.journal.touch()
            yield data

    def counted(self):
        small = self.fault is not None  # so that faults hit where they were told to
        while self.body_left:
            data = self.read_some(min(self.body_left, (1 << 14) if small else BLOCK))
            self.body_left -= len(data)
            yield data

    def chunked(self):
        while size := int(self.rfile.readline(100).split(b";")[0] or b"0", 16):
            while size:
                data = self.read_some(min(size, BLOCK))
                size -= len(data)
                yield data
            self.rfile.readline(10)
        while self.rfile.readline(1000).strip():
            pass

    def whole_body(self, limit):
        """The body as bytes; None when it is larger than the limit."""
        data = b"".join(self.body()) if self.body_left <= limit else None
        return data

    def drain(self):
        """Reads what is left of a small body, so that the reply is not lost with it."""
        if "chunked" in self.headers.get("Transfer-Encoding", "") and not self.entry.received:
            self.close_connection = True
        elif self.expects or self.body_left > DRAINED:
            self.close_connection = bool(self.body_left)
        else:
            while self.body_left:
                self.body_left -= len(self.read_some(min(self.body_left, BLOCK)))

    # --- the reply -------------------------------------------------------------------------------
    def send_reply(self, reply):
        self.drain()
        self.expects = False
        self.entry.status = reply.code
        self.send_response_only(reply.code)
        headers = {"Docker-Distribution-Api-Version": "registry/2.0", "Content-Length": str(reply.length), **reply.headers}
        for name, value in headers.items():
            for one in value if isinstance(value, list) else [value]:
                if one is not None:
                    self.send_header(name, one)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.send_body(reply)

    def send_body(self, reply):
        fault = self.fault
        lied = fault.get("by", 1) if fault and fault.kind in ("short", "longer") else 0
        left = reply.length - (lied if fault and fault.kind == "short" else 0)
        for data in reply.blocks():
            if fault and fault.kind == "wrong" and 0 <= fault.get("at", 0) - self.entry.sent < len(data):
                at = fault.get("at", 0) - self.entry.sent
                data = data[:at] + bytes([data[at] ^ 1]) + data[at + 1:]
            if fault and fault.kind in BREAKS and not self.fault_done:
                head = fault.get("after", 0) - self.entry.sent
                if head <= len(data):
                    self.put(data[:head])
                    self.fault_done = True
                    self.let_read(fault)
                    IN_BODY[fault.kind](self, fault)
                    data = data[head:]
            data = data[:left]
            left -= len(data)
            self.put(data)
        if lied:
            self.put(b"x" * lied if fault.kind == "longer" else b"")
            self.close_connection = True

    def put(self, data):
        rate = self.fault.get("rate") if self.fault and self.fault.kind == "slow" else None
        step = max(1, rate // 20) if rate else BLOCK
        for at in range(0, len(data), step):
            self.entry.sent += len(data[at:at + step])
            self.wfile.write(data[at:at + step])
            if rate:
                time.sleep(len(data[at:at + step]) / rate)
            if self.server.owner.stopping.is_set():
                raise Broken("stopped")
        self.server.owner.journal.touch()

    def let_read(self, fault):
        """A reset throws away what the client's system has but the client did not read yet: it gets the time."""
        if fault.kind == "reset" and fault.get("after"):
            time.sleep(0.1)

    # --- breaking it -----------------------------------------------------------------------------
    def reset(self, fault=None):
        """RST: all handles on the socket are closed with nothing lingering."""
        self.break_off(True)

    def cut(self, fault=None):
        self.break_off(False)

    def settled(self):
        settle, self.settle = self.settle, None
        if settle:
            settle()

    def break_off(self, hard):
        self.close_connection = True
        self.settled()
        if hard:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        else:
            try:
                self.connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        for handle in (self.wfile, self.rfile, self.connection):
            try:
                handle.close()
            except OSError:
                pass
        raise Broken("a fault")

    def silence(self, fault):
        """Nothing happens for a while; what the client sends meanwhile stays in the buffers."""
        self.server.owner.stopping.wait(fault.get("seconds", 2))

    def stuck(self, fault):
        """Nothing happens until the client ends the connection, or 90 s are over."""
        end = time.monotonic() + 90
        self.connection.setblocking(False)
        while time.monotonic() < end and not self.server.owner.stopping.is_set():
            if gone(self.connection):
                break
            time.sleep(0.02)
        raise Broken("stuck")

    def early(self, fault):
        raise Early(told(fault, self))

    def expire(self, fault):
        self.server.owner.authority.expire()

    def cut_late(self, fault):
        self.late = fault
        self.reset()


def gone(connection):
    """True when the peer has closed, though bytes of it may wait to be read."""
    with_info = struct.unpack("B", connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1))[0]
    return with_info not in (1,)  # 1: established


def told(fault, handler):
    """The reply that a fault of the kind "status" carries."""
    body = fault.get("body")
    if fault.get("code") == 401 and "headers" not in fault.options:
        return handler.server.owner.authority.refusal(handler.entry)
    reply = Reply(fault.get("code", 500), fault.get("headers"), body) if body is not None else error(
        fault.get("code", 500), fault.get("name", "UNKNOWN"), "as the test said", **(fault.get("headers") or {}))
    return reply


AT_END = {"reset": 0, "cut": 0, "silence": 0, "stuck": 0, "expire": 0, "late": 0, "status": 1 << 62}
BREAKS = ("reset", "cut", "silence", "stuck")
IN_BODY = {"reset": Handler.reset, "cut": Handler.cut, "silence": Handler.silence, "stuck": Handler.stuck,
           "expire": Handler.expire, "late": Handler.cut_late, "status": Handler.early}


class Listener(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    allow_reuse_address = True

    def __init__(self, address, owner, role, context=None):
        self.owner, self.role, self.context = owner, role, context
        self.open, self.lock = set(), threading.Lock()
        super().__init__(address, Handler)
        self.thread = threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()

    def finish_request(self, request, client_address):
        request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.context:
            request.settimeout(30)
            request = self.speak_tls(request)
        with self.lock:
            self.open.add(request)
        try:
            super().finish_request(request, client_address)
        finally:
            with self.lock:
                self.open.discard(request)
            if self.context:
                request.close()

    def speak_tls(self, request):
        """A refusal is seen as what it is: closed at once, the system would throw it away with what came after it."""
        plain = request.dup()
        try:
            return self.context.wrap_socket(request, server_side=True)
        except OSError:
            plain.shutdown(socket.SHUT_WR)
            plain.settimeout(1)
            while plain.recv(BLOCK):
                pass
            raise
        finally:
            plain.close()

    def shutdown_request(self, request):
        try:
            super().shutdown_request(request)
        except OSError:
            pass

    def handle_error(self, request, client_address):
        pass

    def close(self):
        """Ends the port and each connection, hard, as a server that dies."""
        self.shutdown()
        self.server_close()
        with self.lock:
            for connection in self.open:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
        self.thread.join(10)


def late_append(handler, upload, data):
    """Of what came before a "late" fault, the last `hold` bytes are stored after `seconds`."""
    hold = handler.late.get("hold", 1 << 16)
    upload.cut(upload.size - min(hold, len(data)))
    content.append_later(upload, data[-hold:], handler.late.get("seconds", 1))
