"""Alert states and their delivery, with a clock of our own."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from tuneloop.api import ServingError
from tuneloop.monitoring.alerts import AlertStates, Condition, State
from tuneloop.monitoring.delivery import Delivery
from tuneloop.monitoring.webhook import fingerprint, get, payload, post


def condition(signal: str, version: str = "1", text: str = "") -> Condition:
    labels = {"alertname": "TuneloopSignalDrift", "model": "desk", "signal": signal, "version": version}
    return Condition(tuple(sorted(labels.items())), {"summary": text or signal})


class Post:
    """Keeps what is posted; refuses it on demand."""

    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.attempts = 0
        self.failures = 0

    def __call__(self, body: dict[str, Any]) -> None:
        self.attempts += 1
        if self.failures:
            self.failures -= 1
            raise ServingError("nobody there")
        self.bodies.append(body)


def test_a_condition_must_last() -> None:
    states = AlertStates(hold=10)
    assert states.update(0, [condition("a")]) == []
    assert states.update(5, []) == []
    assert states.update(6, [condition("a")]) == []
    assert states.update(15, [condition("a")]) == []
    (firing,) = states.update(16, [condition("a", text="new")])
    assert (firing.state, firing.started, firing.condition.annotations["summary"]) == (State.FIRING, 16, "new")
    assert states.update(20, [condition("a")])[0].started == 16
    (resolved,) = states.update(25, [])
    assert (resolved.state, resolved.started, resolved.ended) == (State.RESOLVED, 16, 25)
    assert states.update(26, []) == []


def test_each_change_of_a_group_is_said_once() -> None:
    posted = Post()
    states, delivery = AlertStates(0), Delivery(posted, receiver="loop", external_url="http://x", repeat=100)

    def look(now: float, *conditions: Condition) -> None:
        delivery.update(now, states.update(now, list(conditions)))

    look(0, condition("a"), condition("b"), condition("a", "2"))
    look(1, condition("a"), condition("b"), condition("a", "2"))
    assert [len(body["alerts"]) for body in posted.bodies] == [2, 1]
    look(2, condition("b"), condition("a", "2"))
    assert posted.bodies[-1]["status"] == "firing"
    assert [alert["status"] for alert in posted.bodies[-1]["alerts"]] == ["resolved", "firing"]
    look(3)
    assert [body["status"] for body in posted.bodies[-2:]] == ["resolved", "resolved"]
    assert len(posted.bodies) == 5
    look(4, condition("a"))
    look(103, condition("a"))
    assert len(posted.bodies) == 6
    look(104, condition("a"))
    assert len(posted.bodies) == 7


def test_a_post_that_fails_is_tried_again_later_and_later(caplog: pytest.LogCaptureFixture) -> None:
    posted = Post()
    posted.failures = 3
    states, delivery = AlertStates(0), Delivery(posted, receiver="loop", external_url="http://x")
    with caplog.at_level(logging.WARNING):
        attempts = []
        for now in range(10):
            before = posted.attempts
            delivery.update(now, states.update(now, [condition("a")]))
            attempts += [now] * (posted.attempts - before)
    assert attempts == [0, 1, 3, 7]
    assert len(posted.bodies) == 1
    posted.failures = 1
    delivery.update(10, states.update(10, []))
    delivery.update(12, states.update(12, []))
    assert posted.bodies[-1]["status"] == "resolved"


def test_what_ended_before_anybody_heard_of_it_is_not_said() -> None:
    posted = Post()
    posted.failures = 1
    states, delivery = AlertStates(0), Delivery(posted, receiver="loop", external_url="http://x")
    delivery.update(0, states.update(0, [condition("a")]))
    delivery.update(5, states.update(5, []))
    delivery.update(9, states.update(9, []))
    assert posted.bodies == []


def test_the_payload_is_version_4() -> None:
    states = AlertStates(0)
    alerts = states.update(1.5, [condition("a"), condition('q"')])
    body = payload(alerts, receiver="loop", external_url="http://x")
    assert body["groupKey"] == '{}:{alertname="TuneloopSignalDrift", model="desk", version="1"}'
    assert body["commonLabels"] == {"alertname": "TuneloopSignalDrift", "model": "desk", "version": "1"}
    assert body["alerts"][0]["startsAt"] == "1970-01-01T00:00:01.500Z"
    assert body["alerts"][0]["endsAt"] == "0001-01-01T00:00:00Z"
    assert set(body) == {
        *("receiver", "status", "alerts", "groupLabels", "commonLabels", "commonAnnotations", "externalURL"),
        *("version", "groupKey", "truncatedAlerts"),
    }
    assert fingerprint(()) == "cbf29ce484222325"


def test_only_http_addresses_are_reached(receiver: Any) -> None:
    for url in ("file:///etc/passwd", "ftp://127.0.0.1/x"):
        with pytest.raises(ServingError, match="no http address"):
            get(url)
    post(receiver.url, {"a": 1}, token="secret")
    assert (receiver.bodies, receiver.tokens) == ([{"a": 1}], ["Bearer secret"])
    receiver.failures = 1
    with pytest.raises(ServingError, match="503"):
        post(receiver.url, {})
