"""Thousands of mutated requests over kept connections: each is answered or refused, and the server is as before."""

from __future__ import annotations

import copy
import http.client
import json
import math
import random
import struct
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tuneloop.serving.doors.problems import TITLES

JSON = {"content-type": "application/json"}
INFER = "/v2/models/tiny-income/infer"
REFUSALS = {400, 404, 405, 409, 413, 415, 422, 429}
SEED = 20_261_121
CONNECTIONS = 4

Request = tuple[str, str, bytes, dict[str, str]]

ROW = {"age": 30, "hours per week": 40.5, "job": "cook"}
RAW = [
    {"name": "numeric", "shape": [1, 3], "datatype": "FP32", "data": [0.5, 1.0, 0.0]},
    {"name": "categorical", "shape": [1, 1], "datatype": "INT64", "data": [2]},
]
COLUMNS = [
    {"name": "age", "shape": [2], "datatype": "FP64", "data": [30, 31]},
    {"name": "hours per week", "shape": [2], "datatype": "INT32", "data": [40, 20]},
    {"name": "job", "shape": [2], "datatype": "BYTES", "data": ["cook", "pilot"]},
]
VALID: list[tuple[str, Any]] = [
    ("/predict", {"rows": [ROW, {**ROW, "hours per week": None}]}),
    ("/feedback", {"items": [{"id": "0" * 24, "label": "low"}, {"id": "1" * 24, "label": 7}]}),
    (INFER, {"id": "a", "inputs": COLUMNS, "outputs": [{"name": "label"}, {"name": "scores"}]}),
    (INFER, {"inputs": RAW, "parameters": {"binary_data_output": True}}),
]
JUNK: list[Callable[[random.Random], Any]] = [
    lambda r: None,
    lambda r: r.choice([True, False]),
    lambda r: r.choice([0, -1, 1, 2**31, 2**63, 2**64, -(2**63) - 1, 10**400]),
    lambda r: r.choice([0.5, 1e308, -1e308, 5e-324, math.nan, math.inf, -math.inf]),
    lambda r: r.choice(["", " ", "\x00", "\ud800", "NaN", "\uff11", "é" * 9, "x" * r.choice([80, 101, 10_001])]),
    lambda r: "".join(chr(r.randrange(1, 0x3000)) for _ in range(r.randrange(1, 9))),
    lambda r: [],
    lambda r: {},
    lambda r: [[[]]],
    lambda r: [0] * r.choice([1, 7, 7, 7, 7, 7, 1025]),
    lambda r: {"name": "age", "parameters": {"binary_data_size": r.choice([-1, 0, 8, 2**40, "8", True])}},
    lambda r: r.choice(["FP32", "BYTES", "INT64", "BOOL", "BF16", "numeric", "age", "id", "logits"]),
]


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every container in a JSON value with each of its keys; of a long list only the first ones."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value[:9]) if isinstance(value, list) else ()
    for key, inner in list(pairs):
        yield value, key
        yield from places(inner)


def mutate(value: Any, rng: random.Random) -> Any:
    """Change one place: another value, gone, twice, under another name, or swapped with another place."""
    found = list(places(value))
    if not found or rng.random() < 0.03:
        return rng.choice(JUNK)(rng)
    holder, key = rng.choice(found)
    kind = rng.randrange(6)
    if kind == 0:
        del holder[key]
    elif kind == 1 and isinstance(holder, list):
        holder.insert(key, copy.deepcopy(holder[key]))
    elif kind == 1:
        holder[str(rng.choice(JUNK)(rng))[:200]] = holder.pop(key)
    elif kind == 2:
        other, place = rng.choice(found)
        holder[key] = copy.deepcopy(other[place])
    else:
        holder[key] = rng.choice(JUNK)(rng)
    return value


def spoil(body: bytes, rng: random.Random) -> bytes:
    """Change bytes without a thought for what they mean."""
    raw = bytearray(body)
    for _ in range(rng.randrange(1, 4)):
        at, length = rng.randrange(len(raw) + 1), rng.randrange(1, 9)
        kind = rng.randrange(5)
        if kind == 0:
            raw[at : at + length] = rng.randbytes(length)
        elif kind == 1:
            del raw[at : at + length]
        elif kind == 2:
            raw[at:at] = raw[at : at + length] * rng.randrange(1, 50)
        elif kind == 3:
            raw[at:at] = rng.choice([b"[", b"{", b"]", b"}", b'"', b",", b"\\u", b"\xff", b"e999", b"-"]) * length
        else:
            del raw[at:]
    return bytes(raw)


def binary_request(rng: random.Random) -> tuple[bytes, dict[str, str]]:
    """Raw tensors behind the JSON, often with wrong sizes, values or header."""
    numeric = struct.pack("<3f", *(rng.choice([0.0, 1.5, math.nan, math.inf, 1e38]) for _ in range(3)))
    numeric += rng.randbytes(rng.choice([0, 0, 0, 1, 4]))
    size = len(numeric) + rng.choice([0, 0, 0, 0, 1, -1])
    head: dict[str, Any] = {"name": "numeric", "shape": [1, 3], "datatype": "FP32"}
    value: dict[str, Any] = {"inputs": [{**head, "parameters": {"binary_data_size": size}}, copy.deepcopy(RAW[1])]}
    if rng.random() < 0.5:
        value["parameters"] = {"binary_data_output": True}
    text = json.dumps(mutate(value, rng) if rng.random() < 0.5 else value).encode()
    length = str(len(text) + rng.choice([0, 0, 0, 0, 1, -1, 10**6]))
    length = rng.choice([length] * 9 + ["", "x", "-1", "9" * 5000])
    return text + numeric, {"content-type": "application/octet-stream", "inference-header-content-length": length}


def make_request(index: int) -> Request:
    rng = random.Random(f"{SEED} {index}")
    path, value = rng.choice(VALID)
    headers, method = dict(JSON), "POST"
    kind = rng.random()
    if kind < 0.08:
        body = json.dumps(value).encode()
    elif kind < 0.6:
        value = copy.deepcopy(value)
        for _ in range(rng.choice([1, 1, 1, 2, 3])):
            value = mutate(value, rng)
        body = json.dumps(value).encode()
    elif kind < 0.75:
        body = spoil(json.dumps(value).encode(), rng)
    elif kind < 0.9:
        path = INFER
        body, headers = binary_request(rng)
        body = spoil(body, rng) if rng.random() < 0.3 else body
    else:
        body = rng.randbytes(rng.randrange(200))
    if rng.random() < 0.03:
        headers["content-type"] = rng.choice(["", "text/plain", "application/json; charset=utf-16", "a/b", "*/*", "é"])
    if rng.random() < 0.03:
        path += rng.choice(["/", "?a=b", "%00", "/..", f"/{rng.random()}", "%ff"])
    if rng.random() < 0.02:
        method = rng.choice(["GET", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"])
    return (
        method,
        path,
        body,
        {name: value.encode("latin-1", "replace").decode("latin-1") for name, value in headers.items()},
    )


def check(request: Request, status: int, kind: str, body: bytes) -> str:
    """Hold an answer to its form; what it was."""
    method, path, sent, headers = request
    shown = (method, path, sent[:300], headers, status, body[:300])
    if method == "HEAD":
        assert status in (200, *REFUSALS), shown
        return "head"
    if status == 200:
        if kind == "application/octet-stream":
            return "tensors"
        assert kind == "application/json", shown
        assert isinstance(json.loads(body), dict), shown
        return "answered"
    assert status in REFUSALS, shown
    assert kind == "application/problem+json", shown
    problem = json.loads(body)
    name = problem["type"].removeprefix("urn:tuneloop:problem:")
    assert TITLES[name] == (status, problem["title"]), shown
    assert problem["status"] == status, shown
    assert problem["detail"], shown
    assert len(body) < 3000, shown
    return str(name)


def ask(door: Any, indices: range) -> Counter[str]:
    connection = http.client.HTTPConnection(*door.address, timeout=120)
    seen: Counter[str] = Counter()
    for index in indices:
        method, path, body, headers = request = make_request(index)
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        seen[check(request, response.status, response.getheader("content-type", ""), response.read())] += 1
    connection.close()
    return seen


def throw(door: Any, start: int, count: int) -> Counter[str]:
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        parts = pool.map(lambda i: ask(door, range(start + i, start + count, CONNECTIONS)), range(CONNECTIONS))
        return sum(parts, Counter())


@pytest.mark.parametrize("count", [2_000, pytest.param(20_000, marks=pytest.mark.slow)])
def test_no_input_breaks_the_server(table: Any, count: int) -> None:
    throw(table, 0, 500)
    resident, workers = table.resident(), table.workers()
    before = table.series().keys()
    seen = throw(table, 500, count)
    assert sum(seen.values()) == count
    # The inputs reach every part of the doors.
    assert {"answered", "tensors", "malformed-json", "invalid-request", "wrong-content-type", "unknown-path"} <= set(
        seen
    )
    assert min(seen["answered"], seen["tensors"]) > count / 100
    assert table.workers() == workers
    assert table.resident() - resident < 48 << 20
    known = {(name, labels) for name, labels in before}
    for name, labels in table.series().keys() - known:
        # Another status or reason of a path that is there; nothing that a client can name.
        said = dict(labels)
        assert said.get("endpoint", "/predict") in ("/predict", "/feedback", INFER), (name, said)
        assert said.get("reason", "internal") in TITLES, (name, said)
    assert table.total("tuneloop_requests_refused_total", reason="internal") == 0
    assert table.client.post("/predict", json={"rows": [ROW]}).status_code == 200
