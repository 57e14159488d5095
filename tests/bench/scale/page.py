"""A page of many counters that rise, as of replicas with 20 signals: `python -m tests.bench.scale.page PORT SERIES`."""

from __future__ import annotations

import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def main(port: int, count: int) -> None:
    """Answer every request with the page; the counters rise from one to the next."""
    labels = [f'model="desk",version="1",signal="column:{n // 12}",bin="{n % 12}"' for n in range(240)]
    names = [f'tuneloop_signal_observations_total{{{labels[n % 240]},replica="{n // 240}"}} ' for n in range(count)]
    still = "".join(f"tuneloop_signal_reference_ratio{{{one}}} {1 / 12}\n" for one in labels)
    still += 'tuneloop_signal_reference_rows{model="desk",version="1"} 1000\n'
    asked = 0

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            nonlocal asked
            asked += 1
            text = "".join(f"{name}{asked * (number % 37 + 1)}\n" for number, name in enumerate(names))
            body = (text + still).encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Be silent."""

    ThreadingHTTPServer(("127.0.0.1", port), Page).serve_forever()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
