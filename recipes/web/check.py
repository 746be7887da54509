# SPDX-License-Identifier: Apache-2.0
"""Starts the service on a free port of the loopback interface, asks it once, and stops it."""
import json
import socket
import threading
import time
import urllib.request

import uvicorn
from app import app

with socket.socket() as probe:
    probe.bind(("127.0.0.1", 0))
    port = probe.getsockname()[1]
server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="warning"))
thread = threading.Thread(target=server.run, daemon=True)
thread.start()
deadline = time.monotonic() + 30
while not server.started and thread.is_alive() and time.monotonic() < deadline:
    time.sleep(0.05)
with urllib.request.urlopen(f"http://127.0.0.1:{port}/mean?x=1&x=2&x=6", timeout=10) as answer:
    assert json.load(answer)["mean"] == 3.0
server.should_exit = True
thread.join(10)
print("the service answers")
