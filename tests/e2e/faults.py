# SPDX-License-Identifier: Apache-2.0
"""An HTTP server on 127.0.0.1 that serves a directory, writes down each request and fails as told:

	server.fault("*.deb", "reset", after=1000, times=2)	breaks the connection after that many bytes of body
	server.fault("*.deb", "cut", after=1000)		closes it there in good order
	server.fault("*.deb", "wrong", at=10)			one other byte
	server.fault("*/Packages.xz", "status", code=404)	with headers={"Retry-After": "1"} and body=b"" where given
	server.fault("*.deb", "slow", rate=1000)		bytes a second; delay= seconds before the answer
	server.fault("/x", "redirect", to="/y", code=302)
	server.fault("*", "no-range")				answers a range with the whole, status 200
Faults of one path apply in the order they were given, each as often as `times` says (None: always)."""
import email.utils
import fnmatch
import http.server
import pathlib
import re
import socket
import struct
import threading
import time
import urllib.parse

class Request:
    """A line of the log: there from the start of the answer; sent grows with it."""

    def __init__(self, method, path, headers):
        self.method, self.path, self.headers = method, path, headers
        self.status, self.sent = None, 0

    def __repr__(self):
        return f"{self.method} {self.path} {self.status} {self.sent}"


class Fault:
    def __init__(self, pattern, kind, times, options):
        self.pattern, self.kind, self.left, self.options = pattern, kind, times, options


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    request_log = None

    def log_message(self, *_):
        pass

    def send_response(self, code, message=None):
        if self.request_log:
            self.request_log.status = int(code)
        super().send_response(code, message)

    def do_HEAD(self):
        self.answer(body=False)

    def do_GET(self):
        self.answer(body=True)

    def answer(self, body):
        path = urllib.parse.unquote(urllib.parse.urlsplit(self.path).path)
        self.request_log = Request(self.command, path, dict(self.headers))
        self.server.owner.note(self.request_log)
        fault = self.server.owner.take_fault(path)
        try:
            self.serve(path, fault.kind if fault else None, fault.options if fault else {}, body)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def serve(self, path, kind, options, body):
        time.sleep(options.get("delay", 0))
        if kind in ("status", "redirect"):
            return self.send_plain(options.get("code", 302), options)
        data = self.server.owner.read(path)
        if data is None:
            return self.send_plain(404, {"body": b"not found\n"})
        first, last = (None, None) if kind == "no-range" else self.wanted_range(len(data))
        if first is not None and first >= len(data):
            return self.send_plain(416, {"headers": {"Content-Range": f"bytes */{len(data)}"}})
        if kind == "wrong":
            at = options.get("at", 0) % max(len(data), 1)
            data = data[:at] + bytes([data[at] ^ 1]) + data[at + 1:]
        self.send_response(200 if first is None else 206)
        if first is not None:
            self.send_header("Content-Range", f"bytes {first}-{last}/{len(data)}")
            data = data[first:last + 1]
        self.send_header("Content-Length", str(len(data)))
        if kind != "no-range":
            self.send_header("Accept-Ranges", "bytes")
        if self.server.owner.content_type(path):
            self.send_header("Content-Type", self.server.owner.content_type(path))
        self.send_header("Last-Modified", email.utils.formatdate(1700000000, usegmt=True))
        self.end_headers()
        if body:
            self.send_body(data, kind, options)
        return None

    def send_plain(self, code, options):
        data = options.get("body", b"")
        self.send_response(code)
        for name, value in options.get("headers", {}).items():
            self.send_header(name, value)
        if "to" in options:
            self.send_header("Location", options["to"])
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def wanted_range(self, size):
        """(first, last) of "bytes=a-" or "bytes=a-b"; (None, None) where there is none."""
        match = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if not match:
            return None, None
        return int(match[1]), min(int(match[2] or size - 1), size - 1)

    def send_body(self, data, kind, options):
        breaks = kind in ("reset", "cut")
        data = data[:options.get("after", 0)] if breaks else data
        step = max(1, options["rate"] // 10) if "rate" in options else 1 << 16
        for at in range(0, len(data), step):
            self.request_log.sent += len(data[at:at + step])
            self.wfile.write(data[at:at + step])
            if "rate" in options:
                self.wfile.flush()
                time.sleep(0.1)
            if self.server.owner.stopping.is_set():
                break
        if breaks:
            self.wfile.flush()
            self.break_off(kind == "reset")

    def break_off(self, reset):
        self.close_connection = True
        if reset:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            # The other handles on the socket would keep it open; closing all of them sends the RST.
            self.wfile.close()
            self.rfile.close()
            self.connection.close()


class Listener(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def shutdown_request(self, request):
        try:
            super().shutdown_request(request)
        except OSError:
            pass

    def handle_error(self, request, client_address):
        pass


class FaultServer:
    """Serves directory until close(). requests is the log."""

    def __init__(self, directory):
        self.directory = pathlib.Path(directory).resolve()
        self.requests, self.faults = [], []
        self.lock, self.stopping = threading.Lock(), threading.Event()
        self.listener = Listener(("127.0.0.1", 0), Handler)
        self.listener.owner = self
        self.thread = threading.Thread(target=self.listener.serve_forever, args=(0.05,), daemon=True)
        self.thread.start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.listener.server_address[1]}"

    def fault(self, pattern, kind, times=None, **options):
        if kind not in ("reset", "cut", "wrong", "status", "slow", "redirect", "no-range"):
            raise ValueError(kind)
        if kind == "slow":
            options.setdefault("rate", 1 << 30)
        with self.lock:
            self.faults.append(Fault(pattern, kind, times, options))

    def clear(self):
        with self.lock:
            self.faults.clear()
            self.requests.clear()

    def take_fault(self, path):
        with self.lock:
            for fault in self.faults:
                if fault.left != 0 and fnmatch.fnmatchcase(path, fault.pattern):
                    fault.left = None if fault.left is None else fault.left - 1
                    return fault
        return None

    def note(self, request):
        with self.lock:
            self.requests.append(request)

    def paths(self, pattern="*"):
        with self.lock:
            return [request.path for request in self.requests if fnmatch.fnmatchcase(request.path, pattern)]

    def content_type(self, path):
        """For servers that say what they send."""

    def read(self, path):
        file = (self.directory / path.lstrip("/")).resolve()
        if file.is_file() and file.is_relative_to(self.directory):
            return file.read_bytes()
        return None

    def close(self):
        self.stopping.set()
        self.listener.shutdown()
        self.listener.server_close()
        self.thread.join(10)
