# SPDX-License-Identifier: Apache-2.0
"""Real registries, and a proxy that fails, on loopback: started with state in a directory, ended by pid."""
import http.client
import json
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import time

from . import programs


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def answers(port, path="/v2/", seconds=20, process=None):
    """Waits until the port speaks HTTP."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if process is not None and process.poll() is not None:
            return False
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
            connection.request("GET", path)
            connection.getresponse().read()
            return True
        except (OSError, http.client.HTTPException):
            time.sleep(0.02)
    return False


class Process:
    """A program with a directory of its own; a context manager that ends it."""

    def __init__(self, directory=None):
        self.temporary = directory is None
        self.directory = pathlib.Path(directory or tempfile.mkdtemp(prefix="varve-real-"))
        self.log = self.directory / "log"
        self.process, self.port = None, free_port()

    def run(self, argv, path="/v2/"):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([str(word) for word in argv], stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log, cwd=self.directory)
        if not answers(self.port, path, process=self.process):
            self.kill()
            raise programs.Missing(f"{argv[0]} did not start: {self.log.read_text(errors='replace')[-500:]}")
        return self

    def kill(self):
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
        if self.process is not None:
            self.process.wait(timeout=30)

    def close(self):
        self.kill()
        if self.temporary:
            shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    @property
    def host(self):
        return f"127.0.0.1:{self.port}"

    def name(self, repository, reference="latest"):
        return f"{self.host}/{repository}{'@' if ':' in reference else ':'}{reference}"


class Distribution(Process):
    """docker-registry 2.8 of Debian ("docker-registry") or distribution v3 ("distribution"). users: name ->
    password, by htpasswd."""

    def __init__(self, program="distribution", users=None, directory=None):
        self.program, self.users = programs.find(program), users
        super().__init__(directory)
        self.start()

    def start(self):
        document = {"version": "0.1", "log": {"level": "warn"},
                    "storage": {"filesystem": {"rootdirectory": str(self.directory / "data")},
                                "delete": {"enabled": True}, "cache": {"blobdescriptor": "inmemory"}},
                    "http": {"addr": self.host}}
        if self.users:
            document["auth"] = {"htpasswd": {"realm": "test", "path": str(self.passwords())}}
        (self.directory / "config.yml").write_text(json.dumps(document))  # JSON is YAML
        self.run([self.program, "serve", self.directory / "config.yml"])

    def passwords(self):
        path = self.directory / "htpasswd"
        lines = [subprocess.run([programs.find("htpasswd"), "-Bbn", user, password], capture_output=True, text=True,
                                check=True).stdout.strip() for user, password in self.users.items()]
        path.write_text("\n".join(lines) + "\n")
        return path

    def received(self):
        """Bytes of all files under the storage: what an interrupted upload left counts too."""
        return sum(path.stat().st_size for path in (self.directory / "data").rglob("data") if path.is_file())


class Crane(Process):
    """go-containerregistry's registry: relative Locations, uploads in memory."""

    def __init__(self, directory=None):
        program = programs.find("crane")
        super().__init__(directory)
        (self.directory / "data").mkdir(exist_ok=True)
        self.run([program, "registry", "serve", "--address", self.host, "--disk", self.directory / "data"])


NGINX = """daemon off; worker_processes 1; pid {directory}/nginx.pid; error_log {directory}/error.log;
events {{ }}
http {{
	access_log off;
	client_body_temp_path {directory}/body; proxy_temp_path {directory}/proxy; fastcgi_temp_path {directory}/f;
	uwsgi_temp_path {directory}/u; scgi_temp_path {directory}/s;
	server {{
		listen {host};
		location / {{
			proxy_pass http://{upstream};
			proxy_set_header Host $http_host;
			{settings}
		}}
	}}
}}
"""


class Nginx(Process):
    """nginx in front of a registry, with settings of its own: "client_max_body_size 1m;"."""

    def __init__(self, upstream, settings="", directory=None):
        program = programs.find("nginx")
        super().__init__(directory)
        path = self.directory / "nginx.conf"
        user = "user root;\n" if os.geteuid() == 0 else ""
        path.write_text(user + NGINX.format(directory=self.directory, host=self.host, upstream=upstream, settings=settings))
        self.run([program, "-c", path, "-p", self.directory, "-e", self.directory / "error.log"])

    def kill(self):
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()  # the master ends its worker
            try:
                self.process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                pass
        super().kill()


class Toxiproxy(Process):
    """A proxy in front of a port: proxy.toxic("limit_data", bytes=1000) and so on."""

    def __init__(self, upstream, directory=None):
        program = programs.find("toxiproxy")
        super().__init__(directory)
        self.control, self.count = self.port, 0
        self.run([program, "-host", "127.0.0.1", "-port", self.control], path="/version")
        self.port = free_port()
        self.call("POST", "/proxies", {"name": "one", "listen": self.host, "upstream": upstream, "enabled": True})

    def call(self, method, path, document=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.control, timeout=10)
        connection.request(method, path, json.dumps(document) if document is not None else None)
        reply = connection.getresponse()
        text = reply.read()
        if reply.status >= 300:
            raise RuntimeError(f"toxiproxy: {method} {path}: {reply.status} {text!r}")
        return text

    def toxic(self, kind, stream="upstream", **attributes):
        """Adds a toxic; its name is returned, for remove()."""
        self.count += 1
        name = f"{kind}-{self.count}"
        self.call("POST", "/proxies/one/toxics", {"name": name, "type": kind, "stream": stream, "attributes": attributes})
        return name

    def remove(self, name):
        self.call("DELETE", f"/proxies/one/toxics/{name}")

    def enable(self, on=True):
        """Off: the port is closed, and every connection ends."""
        self.call("POST", "/proxies/one", {"enabled": on})
