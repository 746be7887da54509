# SPDX-License-Identifier: Apache-2.0
"""A TCP proxy that counts what goes through it, and breaks connections or stays silent after so many bytes: for
real registries, which keep no log of bytes."""
import socket
import struct
import threading

BLOCK = 1 << 16


class Proxy:
    """sent: bytes from clients that were passed on, in all. reset_after, silent_after: bytes of one connection, up."""

    def __init__(self, upstream, reset_after=None, silent_after=None, breaks=None):
        host, _, port = upstream.rpartition(":")
        self.upstream, self.reset_after, self.silent_after = (host, int(port)), reset_after, silent_after
        self.breaks = breaks  # how many connections break or stay silent; None: all that get so far
        self.sent, self.lock, self.open = 0, threading.Lock(), set()
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.accept, daemon=True)
        self.thread.start()

    @property
    def host(self):
        return f"127.0.0.1:{self.listener.getsockname()[1]}"

    def name(self, repository, reference="latest"):
        return f"{self.host}/{repository}{'@' if ':' in reference else ':'}{reference}"

    def accept(self):
        while not self.ended.is_set():
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        try:
            server = socket.create_connection(self.upstream, timeout=30)
        except OSError:
            client.close()
            return
        server.settimeout(None)
        for one in (client, server):
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self.lock:
            self.open.update((client, server))
        down = threading.Thread(target=self.pump, args=(server, client), daemon=True)
        down.start()
        self.pump_up(client, server)
        down.join()
        with self.lock:
            self.open.difference_update((client, server))
        client.close()
        server.close()

    def pump_up(self, client, server):
        passed = 0
        while True:
            try:
                data = client.recv(BLOCK)
                server.sendall(data)
            except OSError:
                break
            if not data:
                break
            passed += len(data)
            with self.lock:
                self.sent += len(data)
            if self.reset_after is not None and passed >= self.reset_after and self.may_break():
                # RST to the client; the registry gets all that was passed on, so that sent is what it has.
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                client.close()
                break
            if self.silent_after is not None and passed >= self.silent_after and self.may_break():
                self.ended.wait(600)
                break
        self.shut(server)

    def may_break(self):
        with self.lock:
            if self.breaks is not None:
                self.breaks -= 1
            return self.breaks is None or self.breaks >= 0

    @staticmethod
    def pump(source, target):
        try:
            while data := source.recv(BLOCK):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    @staticmethod
    def shut(*ends):
        for one in ends:
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def close(self):
        self.ended.set()
        self.shut(self.listener)
        self.listener.close()
        with self.lock:
            self.shut(*self.open)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
