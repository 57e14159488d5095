from __future__ import annotations

import contextlib
import http.server
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tuneloop.api import ServingError
from tuneloop.loop.web.curves import Asked
from tuneloop.loop.web.from_prometheus import read_prometheus
from tuneloop.loop.web.site import opened_site
from tuneloop.monitoring.formula import corrected
from tuneloop.monitoring.rules import WatchValues
from tuneloop.monitoring.stack import Delays, Stack, find_stack

MODEL = 'a "model"'
LABEL = 'a \\"model\\"'
SECONDS = 300.0
"""Patience on a slow machine; it takes about 10."""


@contextlib.contextmanager
def answering(page: Any) -> Iterator[str]:
    """An address whose pages are what a function gives."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = page().encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            with contextlib.suppress(OSError):
                self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def metrics_page(begun: float) -> str:
    """What a server says whose ages have all become high, and of whose labels three in four are right."""
    steps = int((time.monotonic() - begun) * 50)
    one = f'model="{LABEL}",version="1"'
    lines = [f"tuneloop_signal_reference_rows{{{one}}} 1000", f"tuneloop_reference_score_ratio{{{one}}} 0.9"]
    for signal, high in (("column:age", 1.0), ("column:job", 0.5)):
        for name, share in (("low", 1 - high), ("high", high)):
            each = f'{one},signal="{signal}",bin="{name}"'
            lines.append(f"tuneloop_signal_reference_ratio{{{each}}} 0.5")
            lines.append(f"tuneloop_signal_observations_total{{{each}}} {steps * share:.0f}")
    for outcome, share in (("correct", 3), ("wrong", 1)):
        lines.append(f'tuneloop_labels_total{{{one},outcome="{outcome}"}} {steps * share}')
    return "\n".join(lines) + "\n"


def asked() -> Asked:
    now = time.time()
    return Asked(MODEL, "1", now - 60, now, 1.0, 4.0, 4.0)


@pytest.mark.skipif(find_stack() is None, reason="prometheus and alertmanager are not on the PATH")
def test_the_curves_are_what_the_rules_recorded(tmp_path: Path) -> None:
    begun = time.monotonic()
    values = WatchValues(model=MODEL, window=4.0, min_rows=10, min_labels=10, zscore=4.0, scrape_interval=1.0)
    with (
        answering(lambda: metrics_page(begun)) as target,
        Stack(
            tmp_path / "watch",
            values,
            [f"{target}/metrics"],
            f"{target}/alerts",
            delays=Delays(group_wait=3600.0),
        ) as stack,
    ):
        stack.wait_ready()
        end = time.monotonic() + SECONDS
        while True:
            found = read_prometheus(stack.prometheus_url, asked())
            if found.drift is not None and found.accuracy is not None and len(found.drift.lines[0].points) > 2:
                break
            assert time.monotonic() < end, found
            time.sleep(0.2)
    assert [line.name for line in found.drift.lines] == ["column:age", "column:job"]
    age, job = (dict(line.points) for line in found.drift.lines)
    assert min(age.values()) > 5 > max(job.values())
    assert found.drift.limit is not None
    assert found.drift.limit[0] == pytest.approx(corrected(4.0, 2))
    (line,) = found.accuracy.lines
    assert line.name == "version 1"
    assert line.points[-1][1] == pytest.approx(0.75, abs=0.02)
    for (moment, share), (at, low, high) in zip(line.points, line.band, strict=True):
        assert moment == at
        assert low < share < high
    assert "Prometheus" in found.source


@pytest.mark.parametrize("answer", ["hello", "{}", '{"data": {"result": [{"metric": {"signal": "x"}, "values": 3}]}}'])
def test_what_is_no_prometheus_is_said(answer: str) -> None:
    with (
        answering(lambda: answer) as url,
        pytest.raises(ServingError, match="does not answer as Prometheus does"),
    ):
        read_prometheus(url, asked())


def test_without_an_answer_the_store_is_asked(desk: Any) -> None:
    desk.label(20)
    with opened_site(desk.brain, "x" * 20, "http://127.0.0.1:9", desk.clock) as site:
        curves = site.curves("24h", "1")
    assert "the prediction store" in curves.source
    assert "127.0.0.1:9" in curves.source
    assert curves.accuracy is not None
