from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from tuneloop.loop.brain import Brain
from tuneloop.loop.receiver import MOST_BYTES, Receiver, create_app
from tuneloop.monitoring.alerts import Alert, Condition, State
from tuneloop.monitoring.webhook import payload

TOKEN = "a-token-of-some-length"
HEADERS = {"Authorization": f"Bearer {TOKEN}"}


def notification(count: int = 1, *, state: State = State.FIRING, started: float = 1000.0) -> dict[str, Any]:
    """What the watcher, and so Alertmanager, posts."""
    labels = [
        (("alertname", "TuneloopSignalDrift"), ("model", "desk"), ("signal", f"s{number}"), ("version", "1"))
        for number in range(count)
    ]
    ended = started + 5 if state is State.RESOLVED else None
    alerts = [Alert(Condition(one, {"summary": "s has drifted"}), state, 900.0, started, ended) for one in labels]
    return payload(alerts, receiver="tuneloop", external_url="http://127.0.0.1:9093")


def client_of(brain: Brain, ready: bool = True) -> TestClient:
    return TestClient(create_app(Receiver(brain, TOKEN, lambda: ready)), raise_server_exceptions=False)


@pytest.fixture
def desk(make_desk: Callable[..., Any]) -> Any:
    return make_desk()


@pytest.fixture
def client(desk: Any) -> Iterator[TestClient]:
    with client_of(desk.brain) as client:
        yield client


def problem(response: Any, status: int, kind: str) -> dict[str, Any]:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    content: dict[str, Any] = response.json()
    assert content["type"] == f"urn:tuneloop:problem:{kind}"
    assert content["status"] == status
    assert content["detail"]
    return content


@pytest.mark.parametrize(
    "header", ["", TOKEN, "Bearer", "Bearer ", f"Basic {TOKEN}", f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", "Bearer é"]
)
def test_without_the_token_nothing_is_taken(client: TestClient, desk: Any, header: str) -> None:
    for path in ("/alerts", "/retrain"):
        response = client.post(path, json=notification(), headers={"Authorization": header.encode()})
        problem(response, 401, "unauthorized")
        assert response.headers["www-authenticate"].startswith("Bearer")
    assert desk.decisions.recent_alerts(10) == []


def test_an_alert_is_stored_before_it_is_answered(client: TestClient, desk: Any) -> None:
    desk.label(10)
    response = client.post("/alerts", json=notification(), headers=HEADERS)
    assert response.status_code == 200
    (decision,) = response.json()["decisions"]
    assert (decision["outcome"], decision["reason"]) == ("accepted", "accepted")
    assert desk.begun == [decision["run"]]
    (record,) = desk.decisions.recent_alerts(10)
    assert (record.signal, record.summary, record.version) == ("s0", "s has drifted", "1")
    ((hook, event),) = desk.observers.events
    assert (hook, event.decision, event.model) == ("tuneloop_drift_alert", "accepted", "desk")


def test_a_storm_of_equal_alerts_starts_one_run(client: TestClient, desk: Any) -> None:
    desk.label(10)
    for _ in range(10):
        assert client.post("/alerts", json=notification(100), headers=HEADERS).status_code == 200
    assert len(desk.begun) == 1
    records = desk.decisions.recent_alerts(1000)
    assert len(records) == 100
    assert {record.times for record in records} == {10}
    assert sorted({str(record.reason) for record in records}) == ["accepted", "running"]


def test_a_suppressed_alert_is_decided_again_when_labels_arrive(client: TestClient, desk: Any) -> None:
    (first,) = client.post("/alerts", json=notification(), headers=HEADERS).json()["decisions"]
    assert (first["outcome"], first["reason"]) == ("suppressed", "few-labels")
    desk.brain.tick()
    assert desk.begun == []
    desk.label(10)
    desk.brain.tick()
    assert len(desk.begun) == 1
    desk.brain.tick()
    assert len(desk.begun) == 1
    assert [event.decision for _, event in desk.observers.events] == ["few-labels", "accepted"]


def test_an_alert_that_is_resolved_waits_for_nothing(client: TestClient, desk: Any) -> None:
    client.post("/alerts", json=notification(), headers=HEADERS)
    (record,) = client.post("/alerts", json=notification(state=State.RESOLVED), headers=HEADERS).json()["decisions"]
    assert (record["outcome"], record["reason"]) == ("ignored", "resolved")
    desk.label(10)
    desk.brain.tick()
    assert desk.begun == []


def test_after_a_run_the_cooldown_holds_and_ends(client: TestClient, desk: Any) -> None:
    desk.label(10)
    (first,) = client.post("/alerts", json=notification(), headers=HEADERS).json()["decisions"]
    desk.decisions.finish(first["run"], "refused", "worse", "2")
    (second,) = client.post("/alerts", json=notification(started=2000.0), headers=HEADERS).json()["decisions"]
    assert second["reason"] == "cooldown"
    desk.clock.now += 3601
    desk.brain.tick()
    assert len(desk.begun) == 2


def test_a_run_that_could_not_be_started_is_started_later(make_desk: Callable[..., Any]) -> None:
    from tuneloop.api import RunError

    desk = make_desk()
    desk.label(10)
    calls: list[str] = []

    def begin(run: str) -> str:
        calls.append(run)
        if len(calls) == 1:
            raise RunError("no database")
        return "PENDING"

    object.__setattr__(desk.brain, "begin", begin)
    with client_of(desk.brain) as client:
        assert client.post("/alerts", json=notification(), headers=HEADERS).status_code == 200
    desk.brain.tick()
    assert len(calls) == 2
    assert calls[0] == calls[1]


def test_a_run_whose_workflow_died_ends_as_failed(desk: Any) -> None:
    desk.label(10)
    run = desk.brain.ask("me").record.run
    assert run is not None
    object.__setattr__(desk.brain, "begin", lambda run: "ERROR")
    desk.brain.tick()
    found = desk.decisions.run(run)
    assert found is not None
    assert (found.outcome, found.ended) == ("failed", desk.clock.now)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"version": "3"}, "version"),
        ({"alerts": "none"}, "alerts"),
        ({"alerts": [{"status": "firing"}]}, "alerts.0.labels"),
        ({"status": "firing"}, None),
    ],
)
def test_a_malformed_payload_is_refused_with_its_field(
    client: TestClient, change: dict[str, Any], field: str | None
) -> None:
    response = client.post("/alerts", json={**notification(), **change}, headers=HEADERS)
    if field is None:
        assert response.status_code == 200
    else:
        assert problem(response, 422, "invalid-request")["field"] == field


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("status", "burning"),
        ("startsAt", "yesterday"),
        ("startsAt", "2026-01-01T00:00:00"),
        ("fingerprint", "../x"),
        ("labels", {}),
    ],
)
def test_a_malformed_alert_is_refused(client: TestClient, desk: Any, name: str, value: object) -> None:
    body = notification()
    body["alerts"][0][name] = value
    assert problem(client.post("/alerts", json=body, headers=HEADERS), 422, "invalid-request")["field"].startswith(
        f"alerts.0.{name}"
    )
    assert desk.decisions.recent_alerts(1) == []


def test_bodies_are_json_of_bounded_size(client: TestClient) -> None:
    kind = {**HEADERS, "Content-Type": "application/json"}
    problem(client.post("/alerts", content=b"{", headers=kind), 400, "malformed-json")
    problem(client.post("/alerts", content=b"\xff", headers=kind), 400, "malformed-json")
    problem(client.post("/alerts", content=b"[" * 100_000, headers=kind), 400, "malformed-json")
    problem(client.post("/alerts", content=b"{}", headers=HEADERS), 415, "wrong-content-type")
    problem(client.post("/alerts", content=b" " * (MOST_BYTES + 1), headers=kind), 413, "too-large")


def test_unknown_paths_and_methods(client: TestClient) -> None:
    assert "/alerts" in problem(client.get("/nothing"), 404, "unknown-path")["detail"]
    problem(client.get("/alerts"), 405, "wrong-method")


def test_alertmanagers_times_are_one_key(client: TestClient, desk: Any) -> None:
    for text in ("2026-08-03T09:52:26.739266876+02:00", "2026-08-03T07:52:26.739266Z"):
        body = notification()
        body["alerts"][0]["startsAt"] = text
        assert client.post("/alerts", json=body, headers=HEADERS).status_code == 200
    (record,) = desk.decisions.recent_alerts(10)
    assert record.times == 2


def test_a_run_by_hand_keeps_the_limits_and_says_why_not(client: TestClient, desk: Any) -> None:
    assert "few-labels" in problem(client.post("/retrain", headers=HEADERS), 409, "suppressed")["detail"]
    desk.label(10)
    desk.brain.tick()
    assert desk.begun == []
    response = client.post("/retrain", json={"who": "ada"}, headers=HEADERS)
    assert response.status_code == 202
    assert desk.begun == [response.json()["run"]]
    assert desk.decisions.recent_runs(1)[0].why == "asked for by ada"
    assert "running" in problem(client.post("/retrain", headers=HEADERS), 409, "suppressed")["detail"]


def test_status_shows_the_run_and_the_decisions(client: TestClient, desk: Any) -> None:
    desk.label(10)
    client.post("/alerts", json=notification(2), headers=HEADERS)
    status = client.get("/status").json()
    assert status["model"] == "desk"
    assert status["champion"] is None
    assert status["running"]["run"] == desk.begun[0]
    assert {one["reason"] for one in status["decisions"]} == {"accepted", "running"}
    json.dumps(status)


def test_health_readiness_and_metrics(desk: Any) -> None:
    with client_of(desk.brain) as client:
        assert client.get("/healthz").status_code == client.get("/readyz").status_code == 200
        client.post("/alerts", json=notification(), headers=HEADERS)
        text = client.get("/metrics").text
    assert 'tuneloop_loop_alerts_total{alert="TuneloopSignalDrift",decision="few-labels",model="desk"}' in text
    with client_of(desk.brain, ready=False) as client:
        problem(client.get("/readyz"), 503, "unavailable")


def test_names_of_strangers_make_no_series(client: TestClient) -> None:
    body = notification()
    body["alerts"][0]["labels"]["alertname"] = "SomethingElse"
    (decision,) = client.post("/alerts", json=body, headers=HEADERS).json()["decisions"]
    assert decision["reason"] == "unknown-alert"
    text = client.get("/metrics").text
    assert "SomethingElse" not in text
    assert 'alert="other",decision="unknown-alert"' in text


def test_records_that_cannot_be_written_are_never_answered_200(
    make_desk: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    desk = make_desk()
    with desk.decisions._database.write() as connection:
        connection.exec_driver_sql("DROP TABLE tuneloop_loop_alerts")
    with caplog.at_level(logging.CRITICAL), client_of(desk.brain) as client:
        response = client.post("/alerts", json=notification(), headers=HEADERS)
    problem(response, 503, "unavailable")
    assert response.headers["retry-after"] == "5"
    assert TOKEN not in caplog.text
