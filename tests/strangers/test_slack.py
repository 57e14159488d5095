"""`tuneloop-slack` against a real receiver: what is told, how often it tries, and that a run never waits for it."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

SECRET = "/services/T0SECRET/B0SECRET"
TABLE = """\
name: shop
task: tabular-classification
data: {{source: csv, path: rows.csv, columns: {{label: size}}, split: {{validation: 0.2, test: 0.2, golden: 0.2}}}}
model: {{base: tabular-mlp, hidden: [8]}}
tune: {{strategy: full, epochs: 2, learning_rate: 1.0e-2}}
gate: {{require: {{accuracy: {wanted}}}}}
"""
NOTIFY = """
import sys, time
from tuneloop.api import AlertEvent, GateEvent, PromotionEvent
from tuneloop.plugins import default_manager

plugins = default_manager()
events = {
    "alert": ("tuneloop_drift_alert", AlertEvent("shop", "SignalDrift", "f0", "2026-01-02T03:04:05Z", "accepted")),
    "pass": ("tuneloop_gate_decided", GateEvent("shop", "r1", True, ("accuracy 0.9 is at least 0.8",))),
    "refusal": ("tuneloop_gate_decided", GateEvent("shop", "r1", False, ("accuracy 0.7 is below 0.8",))),
    "promotion": ("tuneloop_promoted", PromotionEvent("shop", "4", "3", "ada", "better on <!channel> & all")),
}
began = time.perf_counter()
for name in sys.argv[1:]:
    plugins.notify(*events[name])
print(f"{(time.perf_counter() - began) * 1000:.1f}")
"""


class Receiver(ThreadingHTTPServer):
    """Takes posts and answers with the statuses it was given, then with 200."""

    daemon_threads = True

    def __init__(self, statuses: tuple[int, ...], headers: dict[str, str]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.statuses, self.headers = list(statuses), headers
        self.posts: list[tuple[str, dict[str, Any]]] = []
        self.silent = threading.Event()
        self.released = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}{SECRET}"

    @property
    def texts(self) -> list[str]:
        return [body["text"] for _, body in self.posts]


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.posts.append((self.path, body))
        if self.server.silent.is_set():
            self.server.released.wait(60)
            return
        self.send_response(self.server.statuses.pop(0) if self.server.statuses else 200)
        for name, value in self.server.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Nothing is printed."""


@contextmanager
def receiving(*statuses: int, **headers: str) -> Iterator[Receiver]:
    with Receiver(statuses, {name.replace("_", "-"): value for name, value in headers.items()}) as receiver:
        thread = threading.Thread(target=receiver.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield receiver
        finally:
            receiver.released.set()
            receiver.shutdown()
            thread.join()


@pytest.fixture
def notify(slack_stranger: Any, tmp_path: Path) -> Callable[..., tuple[str, float]]:
    """Tell the plugin of events in a process of their own: its standard error, and the milliseconds the hooks took."""

    def tell(url: str, *events: str) -> tuple[str, float]:
        done = slack_stranger.python("-c", NOTIFY, *events, cwd=tmp_path, TUNELOOP_SLACK_WEBHOOK=url)
        assert done.returncode == 0, done.stderr
        assert "SECRET" not in done.stdout + done.stderr
        return done.stderr, float(done.stdout)

    return tell


def test_promotions_refusals_and_alerts_are_told(notify: Callable[..., tuple[str, float]]) -> None:
    with receiving() as receiver:
        said, _ = notify(receiver.url, "alert", "pass", "refusal", "promotion")
    assert said == ""
    assert [path for path, _ in receiver.posts] == [SECRET] * 3
    assert receiver.texts == [
        ":ocean: *shop*: alert SignalDrift since 2026-01-02T03:04:05Z. The loop says: accepted",
        ":no_entry: *shop*: the gate refused run `r1`\n• accuracy 0.7 is below 0.8",
        ":rocket: *shop*: version 4 is the champion, after 3. ada: better on &lt;!channel&gt; &amp; all",
    ]


def test_a_busy_receiver_is_tried_again(notify: Callable[..., tuple[str, float]]) -> None:
    with receiving(503, 429, 500, Retry_After="1") as receiver:
        began = time.monotonic()
        said, milliseconds = notify(receiver.url, "alert")
    assert said == ""
    assert len(receiver.posts) == 4
    assert milliseconds < 500
    assert time.monotonic() - began > 3, "Retry-After asked for a second each time"


@pytest.mark.parametrize(("status", "attempts"), [(404, 1), (400, 1), (302, 1), (500, 4)])
def test_what_is_refused_is_reported_without_the_address(
    notify: Callable[..., tuple[str, float]], status: int, attempts: int
) -> None:
    with receiving(*[status] * 4, Location="/elsewhere") as receiver:
        said, _ = notify(receiver.url, "alert")
    assert [path for path, _ in receiver.posts] == [SECRET] * attempts
    assert "a Slack message was not delivered: 127.0.0.1 " in said
    assert f"status {status}" in said


def test_nobody_there_costs_little_and_breaks_nothing(notify: Callable[..., tuple[str, float]], free_port: int) -> None:
    said, milliseconds = notify(f"http://127.0.0.1:{free_port}{SECRET}", "alert", "promotion")
    assert milliseconds < 500
    assert "the last ended with ConnectionRefusedError" in said


def test_a_receiver_that_never_answers_holds_up_the_end_for_seconds_only(
    notify: Callable[..., tuple[str, float]],
) -> None:
    with receiving() as receiver:
        receiver.silent.set()
        began = time.monotonic()
        said, milliseconds = notify(receiver.url, "alert", "refusal", "promotion")
        took = time.monotonic() - began
    assert milliseconds < 500
    assert 5 < took < 12
    assert "3 Slack message(s) were not delivered: 127.0.0.1 gave no answer within 5 s of this process's end" in said


@pytest.mark.parametrize(
    "url",
    [f"hooks.slack.com{SECRET}", f"http://hooks.slack.com{SECRET}", f"ftp://127.0.0.1{SECRET}", "https:///SECRET"],
)
def test_a_wrong_address_is_reported_without_showing_it(notify: Callable[..., tuple[str, float]], url: str) -> None:
    said, _ = notify(url, "alert")
    assert "plugin 'slack' of tuneloop-slack 0.1.0: tuneloop_drift_alert raised PluginError" in said
    assert "TUNELOOP_SLACK_WEBHOOK holds no address of a webhook (its value is not shown)" in said


def write_project(folder: Path, wanted: float) -> None:
    folder.mkdir(exist_ok=True)
    rows = (f"{n % 40},{n},{'large' if n % 40 > 19 else 'small'}" for n in range(400))
    (folder / "rows.csv").write_text("\n".join(["weight,number,size", *rows]))
    (folder / "tuneloop.yaml").write_text(TABLE.format(wanted=wanted))


def test_a_run_tells_of_its_promotion_and_of_its_refusal(slack_stranger: Any, tmp_path: Path) -> None:
    with receiving() as receiver:
        variables = {"TUNELOOP_SLACK_WEBHOOK": receiver.url}
        write_project(tmp_path / "shop", 0.3)
        done = slack_stranger.tuneloop("run", cwd=tmp_path / "shop", TUNELOOP_TRACE_PLUGINS="1", **variables)
        assert done.returncode == 0, done.stdout + done.stderr
        assert len(receiver.posts) == 1
        assert receiver.texts[0].startswith(":rocket: *shop*: version 1 is the champion. ")
        assert "tuneloop_promoted  plugin 'slack' of tuneloop-slack 0.1.0" in done.stderr
        write_project(tmp_path / "shop", 0.9999)
        done = slack_stranger.tuneloop("run", cwd=tmp_path / "shop", **variables)
        assert done.returncode == 2, done.stdout + done.stderr
        assert len(receiver.posts) == 2
        assert receiver.texts[1].startswith(":no_entry: *shop*: the gate refused run `")
        assert "• " in receiver.texts[1]
    assert "SECRET" not in done.stdout + done.stderr


def test_its_own_tests_pass_in_its_environment(slack_stranger: Any, own_tests: Callable[..., None]) -> None:
    own_tests(slack_stranger, "tuneloop-slack")
