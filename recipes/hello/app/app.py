# SPDX-License-Identifier: Apache-2.0
"""A web app of one page: the greeting, and what the compiled program says."""
import http.server
import os
import subprocess
import sys
import threading
import urllib.request

GREETING = os.environ.get("GREETING", "Hello")


class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        said = subprocess.run(["hello"], capture_output=True, text=True, check=True).stdout
        body = f"{GREETING}\nthe program says: {said}".encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


def once():
    """Serves one request to itself: what the recipe's check runs."""
    server = http.server.HTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=server.handle_request, daemon=True).start()
    with urllib.request.urlopen(f"http://127.0.0.1:{server.server_port}/", timeout=10) as answer:
        text = answer.read().decode()
    print(text, end="")
    return 0 if GREETING in text else 1


if __name__ == "__main__":
    if "--once" in sys.argv:
        sys.exit(once())
    http.server.ThreadingHTTPServer(("", int(os.environ.get("PORT", "8080"))), Page).serve_forever()
