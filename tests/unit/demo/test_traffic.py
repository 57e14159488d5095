"""The demo's traffic against a small real server: every request is counted, labels come late, failures are kept."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tuneloop.demo.corpus import Message
from tuneloop.demo.traffic import Traffic

MESSAGES = [Message(str(i), f"text {i}", "italian" if i % 2 else "english") for i in range(20)]


class Desk(ThreadingHTTPServer):
    """Answers `english` to everything, or fails where the text says so."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[str] = []
        self.labels: dict[str, str] = {}
        self.seen = threading.Condition()


class Handler(BaseHTTPRequestHandler):
    server: Desk

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        status, answer = 200, {}
        with self.server.seen:
            if self.path == "/predict":
                text = body["rows"][0]["message"]
                self.server.asked.append(text)
                status = 500 if text == "fail" else 200
                answer = {"version": "1", "predictions": [{"id": f"p-{text}", "label": "english"}]}
            else:
                self.server.labels |= {item["id"]: item["label"] for item in body["items"]}
            self.server.seen.notify_all()
        content = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def desk() -> Iterator[Desk]:
    server = Desk()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def traffic(desk: Desk, **options: float) -> Traffic:
    return Traffic(f"http://127.0.0.1:{desk.server_port}", pace=500, label_delay=options.get("label_delay", 0.01))


def test_every_message_is_sent_once_and_its_label_follows(desk: Desk) -> None:
    stream = traffic(desk)
    replies = stream.play(MESSAGES)
    assert sorted(desk.asked) == sorted(message.message for message in MESSAGES)
    assert sum(reply.right for reply in replies) == 10
    with desk.seen:
        assert desk.seen.wait_for(lambda: len(desk.labels) == 20, timeout=30)
    stream.close()
    assert desk.labels["p-text 1"] == "italian"
    assert (stream.failures, stream.labels) == ([], 20)


def test_labels_can_be_kept_back(desk: Desk) -> None:
    stream = traffic(desk)
    assert len(stream.play(MESSAGES, labelled=False)) == 20
    stream.close()
    assert desk.labels == {}


def test_labels_not_yet_due_are_sent_at_the_end(desk: Desk) -> None:
    stream = traffic(desk, label_delay=3600)
    stream.play(MESSAGES)
    assert desk.labels == {}
    stream.close()
    assert len(desk.labels) == 20


def test_a_failed_request_is_kept_and_the_rest_goes_on(desk: Desk) -> None:
    stream = traffic(desk)
    replies = stream.play([*MESSAGES[:3], Message("x", "fail", "english"), *MESSAGES[3:6]])
    stream.close()
    assert len(replies) == 6
    assert len(stream.failures) == 1
    assert "500" in stream.failures[0]


def test_it_keeps_going_until_paused(desk: Desk) -> None:
    stream = traffic(desk)
    stream.keep_going(MESSAGES[:3])
    with desk.seen:
        assert desk.seen.wait_for(lambda: len(desk.asked) > 10, timeout=30)
    stream.pause()
    asked = len(desk.asked)
    stream.close()
    assert asked == len(desk.asked)
