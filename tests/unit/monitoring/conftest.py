"""What the monitoring tests share: a small model world, a receiver, a metrics page, waiting for conditions."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import pytest

from tuneloop.api import Encoded, SignalBatch


def _wait_until(condition: Callable[[], Any], seconds: float = 300) -> Any:
    """The first true value of a condition; fails after a deadline."""
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        pause.wait(0.02)
    raise AssertionError(f"not within {seconds} s: {condition}")


def _make_batch(
    rows: Sequence[dict[str, Any]], labels: Sequence[str] = (), generator: np.random.Generator | None = None
) -> SignalBatch:
    """A classification batch: one encoded group a row, random logits and embeddings."""
    random = generator or np.random.default_rng(0)
    count = len(rows)
    answers = [{"label": label, "confidence": 0.9, "scores": {}} for label in labels or ["a"] * count]
    return SignalBatch(
        rows=list(rows),
        encoded=[
            Encoded(rows=(i,), inputs={"ids": np.zeros((1, i % 5 + 1), np.int64)}, length=i % 5 + 1)
            for i in range(count)
        ],
        outputs={
            "logits": random.standard_normal((count, 3)).astype(np.float32),
            "embedding": random.standard_normal((count, 8)).astype(np.float32),
        },
        answers=answers,
    )


@pytest.fixture
def wait_until() -> Callable[..., Any]:
    """Waits for a condition, with a deadline."""
    return _wait_until


@pytest.fixture
def make_batch() -> Callable[..., SignalBatch]:
    """Makes a batch from rows."""
    return _make_batch


@dataclass
class Received:
    """What a webhook receiver got."""

    url: str
    bodies: list[dict[str, Any]] = field(default_factory=list)
    tokens: list[str | None] = field(default_factory=list)
    failures: int = 0
    """How many of the next posts are answered with 503."""


@pytest.fixture
def receiver() -> Iterator[Received]:
    """A webhook receiver on loopback."""
    with _receiving() as got:
        yield got


@pytest.fixture
def second_receiver() -> Iterator[Received]:
    """Another one."""
    with _receiving() as got:
        yield got


@contextlib.contextmanager
def _receiving() -> Iterator[Received]:
    got = Received("")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if got.failures > 0:
                got.failures -= 1
                self.send_response(503)
            else:
                got.tokens.append(self.headers["Authorization"])
                got.bodies.append(body)
                self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args: Any) -> None:
            pass

    with _serving(Handler) as url:
        got.url = f"{url}/alerts"
        yield got


@dataclass
class Page:
    """A metrics page; `text` makes it."""

    url: str
    text: Callable[[], str]


@pytest.fixture
def page() -> Iterator[Page]:
    """A server of one metrics page on loopback."""
    shown = Page("", lambda: "")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = shown.text().encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: Any) -> None:
            pass

    with _serving(Handler) as url:
        shown.url = f"{url}/metrics"
        yield shown


@contextlib.contextmanager
def _serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
