"""The typed door, driven by BentoML's own clients, in a process of their own."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

ROWS = [{"age": 30, "hours per week": None, "job": "cook"}, {"age": 51.5, "hours per week": 12, "job": "astronaut"}]
MANY = 50

SCRIPT = """
import asyncio, json, sys

import bentoml

url, rows, many = sys.argv[1], json.loads(sys.argv[2]), int(sys.argv[3])
said = {}
with bentoml.SyncHTTPClient(url) as client:
    said["ready"], said["endpoints"] = client.is_ready(), sorted(client.endpoints)
    said["answer"] = client.predict(rows=rows)
    labels = [{"id": one["id"], "label": "low"} for one in said["answer"]["predictions"]]
    said["labelled"] = client.feedback(items=labels)
    said["again"] = client.feedback(items=labels[:1])
    try:
        client.predict(rows=[rows[0], {"job": "cook", "hours per week": 1}])
    except bentoml.exceptions.BentoMLException as error:
        said["refused"] = [int(error.error_code), str(error)]

async def ask():
    async with bentoml.AsyncHTTPClient(url) as client:
        return await asyncio.gather(*(client.predict(rows=rows) for _ in range(many)))

said["many"] = asyncio.run(ask())
print(json.dumps(said))
"""


@pytest.fixture(scope="module")
def said(table: Any) -> dict[str, Any]:
    """What the clients were told."""
    command = [sys.executable, "-c", SCRIPT, table.server.url, json.dumps(ROWS), str(MANY)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=900)
    assert done.returncode == 0, done.stderr[-3000:]
    return dict(json.loads(done.stdout.splitlines()[-1]))


def test_rows_are_answered(table: Any, said: dict[str, Any]) -> None:
    assert said["ready"] is True
    assert {"predict", "feedback"} <= set(said["endpoints"])
    expected = [one["label"] for one in table.expected.predict(ROWS).answers]
    assert [one["label"] for one in said["answer"]["predictions"]] == expected


def test_labels_are_taken_once(said: dict[str, Any]) -> None:
    assert (said["labelled"]["joined"], said["again"]["unchanged"]) == (2, 1)


def test_a_refusal_is_an_error_that_says_why(said: dict[str, Any]) -> None:
    status, text = said["refused"]
    assert status == 422
    assert "row 1, field 'age': is absent" in text


def test_many_at_once(said: dict[str, Any]) -> None:
    assert len({one["id"] for answer in said["many"] for one in answer["predictions"]}) == MANY * len(ROWS)
