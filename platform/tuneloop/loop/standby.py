"""What a loop answers while another one leads: that it lives, and that alerts are to be sent again.

It is ready as far as it can be: an update that waits for the new loop to be ready before it ends the old one goes on.
"""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

RETRY_SECONDS = 5


class _Handler(BaseHTTPRequestHandler):
    timeout = 10

    def do_GET(self) -> None:
        """Whether it lives."""
        if self.path in ("/healthz", "/readyz"):
            self._answer(200, {"status": "standby"})
        else:
            self._refuse()

    def do_POST(self) -> None:
        """Alerts are for the leader."""
        self._refuse()

    def log_message(self, *_: object) -> None:
        """Say nothing: probes come every few seconds."""

    def _refuse(self) -> None:
        said = "another loop of this project leads, and this one waits; send it again"
        self._answer(503, {"type": "urn:tuneloop:problem:unavailable", "status": 503, "detail": said})

    def _answer(self, status: int, content: dict[str, object]) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json" if status < 400 else "application/problem+json")
        self.send_header("Content-Length", str(len(body)))
        if status >= 400:
            self.send_header("Retry-After", str(RETRY_SECONDS))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """A client that leaves is no news."""


@contextmanager
def standing_by(listener: socket.socket) -> Iterator[None]:
    """Answer on a socket that listens already, and leave it open for the leader that this process becomes."""
    server = _Server(listener.getsockname()[:2], _Handler, bind_and_activate=False)
    server.socket.close()
    server.socket = listener.dup()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, name="tuneloop-standby")
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
