"""More work than a server can do: what it cannot answer in time it refuses, and does not begin."""

from __future__ import annotations

import http.client
import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

CLIENTS = 40
JSON = {"content-type": "application/json"}


@dataclass(frozen=True)
class Answer:
    status: int
    retry_after: str | None
    body: dict[str, Any]


def ask(door: Any, text: str, *, raw: bool = False) -> Answer:
    if raw:
        tensor = {"name": "message", "shape": [1], "datatype": "BYTES", "data": [text]}
        path, body = door.infer, {"inputs": [tensor]}
    else:
        path, body = "/predict", {"rows": [{"message": text}]}
    connection = http.client.HTTPConnection(*door.address, timeout=120)
    connection.request("POST", path, json.dumps(body), JSON)
    response = connection.getresponse()
    answer = Answer(response.status, response.getheader("retry-after"), json.loads(response.read()))
    connection.close()
    return answer


def slow_text(words: int) -> str:
    """Texts of different lengths share no call of the model."""
    return " ".join(["slow", *["good"] * words])


def test_a_burst_is_answered_in_time_or_refused_and_what_is_late_is_not_begun(desk: Any) -> None:
    begun = desk.cpu_seconds()
    assert ask(desk, slow_text(0)).status == 200
    cost = desk.cpu_seconds() - begun
    # Quick requests make the server expect a short wait, so that it accepts more than it can do in time.
    for _ in range(60):
        assert ask(desk, "good").status == 200
    before, predictions = desk.cpu_seconds(), desk.total("tuneloop_predictions_total")
    refused = {kind: desk.total("tuneloop_requests_refused_total", reason=kind) for kind in ("overloaded", "deadline")}

    with ThreadPoolExecutor(CLIENTS) as pool:
        answers = list(pool.map(lambda i: ask(desk, slow_text(i), raw=bool(i % 2)), range(CLIENTS)))
    spent = desk.cpu_seconds() - before

    by_status = Counter(answer.status for answer in answers)
    assert by_status.keys() == {200, 429, 504}
    for answer in answers:
        if answer.status == 429:
            assert answer.retry_after is not None
            assert int(answer.retry_after) >= 1
            assert "rows are waiting" in answer.body["detail"]
        elif answer.status == 504:
            assert answer.body["type"] == "urn:tuneloop:problem:deadline"
    assert desk.total("tuneloop_predictions_total") == predictions + by_status[200]
    for kind, status in (("overloaded", 429), ("deadline", 504)):
        found = desk.total("tuneloop_requests_refused_total", reason=kind) - refused[kind]
        assert found == by_status[status]
    # Had the late ones been computed, the processor would have been busy for them too.
    assert spent < (by_status[200] + 0.6 * by_status[504]) * cost + 1
    assert ask(desk, "good").status == 200
