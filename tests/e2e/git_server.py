# SPDX-License-Identifier: Apache-2.0
"""Repositories made for a test, and git http-backend behind Python's HTTP server on loopback.

	repository = GitRepository(tmp_path / "app")
	commit = repository.commit({"a.txt": "text", "run": ("#!/bin/sh\n", 0o755), "l": ("link", "a.txt")})
	server = GitServer(tmp_path)			# http://127.0.0.1:PORT/app/.git
	server.requests					# [(method, path)] as they came
"""
import base64
import http.server
import os
import pathlib
import subprocess
import threading

IDENTITY = {"GIT_AUTHOR_NAME": "A", "GIT_AUTHOR_EMAIL": "a@example.org", "GIT_COMMITTER_NAME": "C",
            "GIT_COMMITTER_EMAIL": "c@example.org", "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}


def git(directory, *arguments, date=1700000000, stdin=None, rc=0, text=True):
    """Runs git; returns its output without the newline at the end."""
    env = {**os.environ, **IDENTITY, "GIT_AUTHOR_DATE": f"{date} +0100", "GIT_COMMITTER_DATE": f"{date} +0100"}
    done = subprocess.run(["git", "-c", "protocol.file.allow=always", "-C", directory, *arguments], env=env, input=stdin,
                          capture_output=True, text=text, check=False)
    assert rc is None or done.returncode == rc, f"git {arguments}: {done.stderr}"
    return done.stdout.rstrip("\n") if text else done.stdout


class GitRepository:
    """A repository with a working tree."""

    def __init__(self, directory, branch="main", **options):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True)
        self.git("init", "--quiet", f"--initial-branch={branch}",
                 *(f"--{name.replace('_', '-')}={value}" for name, value in options.items()))

    def git(self, *arguments, **options):
        return git(self.directory, *arguments, **options)

    def write(self, files):
        """Values: text; (text, mode); ("link", target); None removes."""
        for name, value in files.items():
            path = self.directory / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.is_symlink() or path.exists():
                path.unlink()
            if value is None:
                continue
            if isinstance(value, tuple) and value[0] == "link":
                path.symlink_to(value[1])
                continue
            data, mode = value if isinstance(value, tuple) else (value, 0o644)
            path.write_text(data)
            path.chmod(mode)

    def commit(self, files, message="m", date=1700000000):
        """Commits the files on top of what is there; returns the commit."""
        self.write(files)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "-m", message, date=date)
        return self.git("rev-parse", "HEAD")

    def archive(self, *arguments):
        """What git archive itself gives."""
        return self.git("-c", "tar.umask=0022", "archive", "--format=tar", *arguments, text=False)


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def read_body(self):
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def answer(self, status, headers, body):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        # One request for each connection: nothing of one can be taken for a part of the next.
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = True

    def handle_git(self):
        owner, body = self.server.owner, self.read_body()
        path, _, query = self.path.partition("?")
        owner.requests.append((self.command, self.path))
        if owner.password and self.headers.get("Authorization") != owner.authorization():
            self.answer(401, [("WWW-Authenticate", 'Basic realm="git"')], b"")
            return
        env = {**os.environ, "GIT_PROJECT_ROOT": str(owner.root), "GIT_HTTP_EXPORT_ALL": "1", "PATH_INFO": path,
               "QUERY_STRING": query, "REQUEST_METHOD": self.command, "GIT_CONFIG_COUNT": "1",
               "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*",
               "CONTENT_TYPE": self.headers.get("Content-Type", ""), "CONTENT_LENGTH": str(len(body)),
               "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
               "GIT_PROTOCOL": self.headers.get("Git-Protocol", "") if owner.protocol else "", "REMOTE_ADDR": "127.0.0.1"}
        done = subprocess.run(["git", "http-backend"], env=env, input=body, capture_output=True, check=False)
        head, end, rest = done.stdout.partition(b"\r\n\r\n")
        if not end:
            # It was killed, or could not start. Without a word of it the client would take the nothing for no refs.
            owner.failures.append((self.path, done.returncode, done.stderr.decode(errors="replace")))
            self.answer(500, [], b"git http-backend failed\n")
            return
        headers = [line.split(": ", 1) for line in head.decode().split("\r\n") if ": " in line]
        status = next((int(value.split()[0]) for name, value in headers if name == "Status"), 200)
        self.answer(status, [pair for pair in headers if pair[0] != "Status"], rest)

    do_GET = do_POST = handle_git


class _Listener(http.server.ThreadingHTTPServer):
    request_queue_size = 128  # of the 5 by default a busy machine loses the sixth


class GitServer:
    """Serves every repository below root. password: Basic authentication; protocol=False: only the old protocol.
    failures: where git http-backend itself gave no answer; close() tells of them."""

    def __init__(self, root, password=None, protocol=True):
        self.root, self.password, self.protocol, self.requests = pathlib.Path(root), password, protocol, []
        self.failures = []
        self.server = _Listener(("127.0.0.1", 0), _Handler)
        self.server.owner = self
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def authorization(self):
        return "Basic " + base64.b64encode(self.password.encode()).decode()

    def url(self, path):
        return f"http://127.0.0.1:{self.server.server_address[1]}/{path}"

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()
        assert not self.failures, f"git http-backend failed: {self.failures}"
