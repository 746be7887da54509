# SPDX-License-Identifier: Apache-2.0
"""200 wheels from a server on loopback into the store, beside `curl --parallel` into a directory. curl neither hashes
nor syncs; a row with `sha256sum` and `sync` behind it says what those cost. The server is nginx where it is installed
(it keeps up with both); without it Python's, which does not, and the row says so."""
import hashlib
import json
import os
import pathlib
import random
import shutil
import socket
import subprocess
import sys
import time

from measuring import have, measure, row, skip

TOP = pathlib.Path(__file__).resolve().parents[2]
VARVE = TOP / "build-bench/src/cli/varve"
sys.path[:0] = [str(TOP / "tests/e2e")]
import wheels  # noqa: E402

FILES, BYTES = 200, 180 * 1000 * 1000
WORK = f"{FILES} wheels (180 MB) from loopback"

NGINX = """daemon off; worker_processes 1; pid {directory}/nginx.pid; error_log {directory}/error.log; {user}
events {{ worker_connections 256; }}
http {{ access_log off; sendfile on; tcp_nopush on;
  client_body_temp_path {directory}/t1; proxy_temp_path {directory}/t2; fastcgi_temp_path {directory}/t3;
  uwsgi_temp_path {directory}/t4; scgi_temp_path {directory}/t5;
  server {{ listen 127.0.0.1:{port}; root {root};
    location /simple/ {{ types {{ }} default_type application/vnd.pypi.simple.v1+json; }} }} }}
"""


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Server:
    """Serves a directory on loopback until closed."""

    def __init__(self, directory, root):
        self.port = free_port()
        self.name = "nginx" if have("nginx") else "Python's http.server"
        if have("nginx"):
            user = "user root;" if os.geteuid() == 0 else ""
            (directory / "nginx.conf").write_text(
                NGINX.format(directory=directory, root=root, port=self.port, user=user))
            argv = ["nginx", "-p", directory, "-e", directory / "error.log", "-c", directory / "nginx.conf"]
        else:
            argv = [sys.executable, "-m", "http.server", "--bind", "127.0.0.1", "-d", root, str(self.port)]
        self.process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(200):
            with socket.socket() as one:
                if one.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.05)
        self.close()
        sys.exit("bench: the server does not start")

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def close(self):
        self.process.terminate()
        self.process.wait()


def put_wheel(root, filename, data):
    """A file of an index that is nothing but files: pages in JSON, wheels in packages/."""
    project = filename.split("-")[0].replace("_", "-")
    digest = hashlib.sha256(data).hexdigest()
    for directory in (root / "packages", root / "simple" / project):
        directory.mkdir(parents=True, exist_ok=True)
    (root / "packages" / filename).write_bytes(data)
    page = {"meta": {"api-version": "1.1"}, "name": project, "files": [
        {"filename": filename, "url": f"../../packages/{filename}", "hashes": {"sha256": digest}, "size": len(data),
         "upload-time": wheels.DATE}]}
    (root / "simple" / project / "index.html").write_text(json.dumps(page))


def make_index(root, count, total):
    """count wheels of total bytes, sizes as those of real ones: most are small, few are large. Returns their names."""
    rng = random.Random(2)
    weights = [rng.paretovariate(1.2) for _ in range(count)]
    for number, weight in enumerate(weights):
        data = rng.randbytes(max(1000, int(total * weight / sum(weights))))
        put_wheel(root, *wheels.make_wheel(f"part{number:03}", "1.0", {f"part{number:03}/data.bin": data}))
    uv = wheels.uv_wheel()
    if not uv:
        return None
    put_wheel(root, uv.name, uv.read_bytes())
    return [f"part{number:03}" for number in range(count)]


def write_recipe(directory, names):
    step = {"step": "all", "mounts": {"/in": "parts"}, "run": "true"}
    source = {"kind": "python", "python": "3.11", "requirements": [f"{name}==1.0" for name in names]}
    (directory / "r.yaml").write_text(json.dumps({
        "varve": 1, "name": "fetch", "sources": {"parts": source}, "stages": {"main": {"steps": [step]}},
        "images": {"main": {"stage": "main", "name": "bench/fetch"}}}))
    return directory / "r.yaml"


def bench_fetch(work, runs):
    if not have("curl"):
        return skip(WORK, "curl")
    names = make_index(work / "files", FILES, BYTES)
    if not names:
        return skip(WORK, "uv (no index that has it)")
    server = Server(work, work / "files")
    try:
        compare(work, runs, server, names)
    finally:
        server.close()


def compare(work, runs, server, names):
    recipe, store, into = write_recipe(work, names), work / "store", work / "into"
    mirror = ["--mirror", f"pypi={server.url}/simple", "--store", store, "--progress", "quiet"]
    subprocess.run([VARVE, "lock", recipe, *mirror], check=True, stdout=subprocess.DEVNULL)
    names = sorted(path.name for path in (work / "files/packages").iterdir())
    (work / "curl.config").write_text("".join(f'url = "{server.url}/packages/{name}"\noutput = "{into}/{name}"\n' for name in names))
    curl = f"curl --silent --fail --parallel --config {work}/curl.config"

    def fresh():
        for directory in (store, into):
            shutil.rmtree(directory, ignore_errors=True)
        into.mkdir()
        os.sync()
    title = WORK if server.name == "nginx" else f"{WORK} ({server.name}: too slow to tell)"
    own_argv = [VARVE, "fetch", recipe, "--locked", *mirror]
    own, peer = alternate(own_argv, curl, max(runs, 7), fresh)
    row(title, "curl --parallel", peer)
    row(title, "varve fetch", own, peer)
    row(title, "curl, sha256sum, sync", measure(f"{curl} && sha256sum {into}/* >/dev/null && sync -f {into}", runs, fresh), peer)


def alternate(own, peer, runs, before):
    """Both by turns, so that what else the machine does hits both alike; the medians."""
    pairs = [(measure(own, 1, before), measure(peer, 1, before)) for _ in range(runs)]
    middle = [sorted(column, key=lambda one: one[0])[runs // 2] for column in zip(*pairs)]
    return middle[0], middle[1]
