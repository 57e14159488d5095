"""Bad input over real connections: each refused as what it is, with no trace in neighbours, metrics or memory."""

from __future__ import annotations

import http.client
import json
import pickle
import secrets
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tuneloop.serving.doors.connection import MOST_HEAD_BYTES

JSON = {"content-type": "application/json"}
TENSORS = {"content-type": "application/octet-stream"}
PROBLEM = "application/problem+json"
GOOD = {"age": 30, "hours per week": 40.5, "job": "cook"}
DOORS = ("/predict", "/feedback", "/v2/models/tiny-income/infer")
MEGABYTE = b" " * (1 << 20)


@dataclass(frozen=True)
class Answer:
    status: int
    kind: str
    headers: dict[str, str]
    problem: dict[str, Any] = field(default_factory=dict)


def read_answer(connection: socket.socket) -> Answer:
    response = http.client.HTTPResponse(connection)
    response.begin()
    headers = {name.lower(): value for name, value in response.getheaders()}
    assert headers["content-type"] == PROBLEM, response.read()
    problem = json.loads(response.read())
    assert problem["status"] == response.status
    assert problem["detail"]
    assert problem["title"]
    return Answer(response.status, problem["type"].removeprefix("urn:tuneloop:problem:"), headers, problem)


def connect(door: Any) -> socket.socket:
    return socket.create_connection(door.address, timeout=60)


def head(path: str, headers: dict[str, str], method: str = "POST") -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "host: here", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode()


def send(door: Any, path: str, body: bytes, headers: dict[str, str] | None = None, method: str = "POST") -> Answer:
    own = {"content-length": str(len(body)), **(JSON if headers is None else headers)}
    with connect(door) as connection:
        connection.sendall(head(path, own, method) + body)
        return read_answer(connection)


def infer_body(name: str = "numeric", raw: bytes = struct.pack("<3f", 0.5, 1, 2), size: int = 12) -> tuple[bytes, str]:
    """A request with one binary tensor, and the length of its JSON."""
    numeric = {"name": name, "shape": [1, 3], "datatype": "FP32", "parameters": {"binary_data_size": size}}
    categorical = {"name": "categorical", "shape": [1, 1], "datatype": "INT64", "data": [2]}
    text = json.dumps({"inputs": [numeric, categorical]}).encode()
    return text + raw, str(len(text))


def tensor_requests() -> Iterator[tuple[bytes, dict[str, str], int, str]]:
    for raw in (struct.pack("<3f", 0, 1, float("nan")), struct.pack("<3f", 0, 1, float("inf")), b"\0" * 11, b"\0" * 13):
        body, length = infer_body(raw=raw)
        yield body, {**TENSORS, "inference-header-content-length": length}, 422, "invalid-request"
    body, length = infer_body(size=-1)
    yield body, {**TENSORS, "inference-header-content-length": length}, 422, "invalid-request"
    body, length = infer_body()
    yield body, {**TENSORS, "inference-header-content-length": "9" * 30}, 422, "invalid-request"
    for wrong in ("-1", "", "x", "9" * 5000):
        yield body, {**TENSORS, "inference-header-content-length": wrong}, 422, "invalid-request"
    yield body, {**TENSORS, "inference-header-content-length": str(int(length) - 1)}, 400, "malformed-json"
    yield body, TENSORS, 400, "malformed-json"
    yield pickle.dumps({"inputs": []}), TENSORS, 400, "malformed-json"
    shapes: list[Any] = [[], [0], [2**40], [1] * 9, [-1], ["1"], 1, None, [1.5], [True]]
    for shape in shapes:
        tensor = {"name": "numeric", "shape": shape, "datatype": "FP32", "data": [1]}
        yield json.dumps({"inputs": [tensor]}).encode(), JSON, 422, "invalid-request"
    rows = {"name": "numeric", "shape": [1025, 1], "datatype": "FP32", "data": [0] * 1025}
    yield json.dumps({"inputs": [rows]}).encode(), JSON, 413, "too-many-rows"
    for changed in ({"id": 7}, {"parameters": 7}, {"outputs": []}, {"outputs": [7]}, {"unknown": 1}):
        yield json.dumps({"inputs": [], **changed}).encode(), JSON, 422, "invalid-request"


def row_requests() -> Iterator[tuple[bytes, dict[str, str], int, str]]:
    def row(**changes: Any) -> bytes:
        return json.dumps({"rows": [{**GOOD, **changes}]}).encode()

    random = secrets.token_hex(8)
    for text in (b"NaN", b"Infinity", b"-Infinity", b"1e999", b"0x1", b"01", b"1.", b"+1", b"'a'"):
        yield b'{"rows": [{"age": %s}]}' % text, JSON, 400, "malformed-json"
    yield b'{"rows": [{"age": %s}]}' % (b"9" * 400), JSON, 400, "malformed-json"
    for body in (b"", b"{", b"\xff\xfe{}", b"\xef\xbb\xbf{}", b"[" * 50_000, b'{"a":' * 50_000, pickle.dumps(GOOD)):
        yield body, JSON, 400, "malformed-json"
    for value in ("x", True, [1], {"a": 1}, 1e39, -1e39):
        yield row(age=value), JSON, 422, "invalid-request"
    yield row(job="a\x00b"), JSON, 422, "invalid-request"
    yield row(**{random: 1}), JSON, 422, "invalid-request"
    yield json.dumps({random: 1}).encode(), JSON, 422, "invalid-request"
    yield json.dumps({"rows": [GOOD] * 1025}).encode(), JSON, 413, "too-many-rows"
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data", f"application/{random}", ""):
        yield row(), {"content-type": kind}, 415, "wrong-content-type"
    for kind in ("application/vnd.bentoml+pickle", "application/octet-stream", "application/python-pickle"):
        yield pickle.dumps(GOOD), {"content-type": kind}, 415, "wrong-content-type"
    yield row(), {**JSON, "content-encoding": random}, 415, "wrong-content-type"


def label_requests() -> Iterator[tuple[bytes, dict[str, str], int, str]]:
    items: list[Any] = [7, {}, {"id": "x"}, {"label": "low"}, {"id": "x", "label": "low", secrets.token_hex(4): 1}]
    for item in items:
        yield json.dumps({"items": [item]}).encode(), JSON, 422, "invalid-request"
    for body in (b"{}", b'{"items": 1}', b'{"items": []}', b"[]", b"null"):
        yield body, JSON, 422, "invalid-request"
    yield b'{"items": [{"id": "x", "label": 1e999}]}', JSON, 400, "malformed-json"
    many = [{"id": "x", "label": "low"}] * 10_001
    yield json.dumps({"items": many}).encode(), JSON, 413, "too-many-rows"


def path_requests() -> Iterator[tuple[str, str, int, str]]:
    random = secrets.token_hex(8)
    for path in (
        f"/{random}",
        f"/predict/{random}",
        f"/static_content/{random}",
        "//predict",
        "/predict/",
        "/v2/",
        "/%2e",
    ):
        yield path, "GET", 404, "unknown-path"
    yield f"/v2/{random}", "POST", 404, "unknown-path"
    yield f"/v2/models/{random}", "GET", 404, "unknown-model"
    yield f"/v2/models/{random}/infer", "POST", 404, "unknown-model"
    yield f"/v2/models/tiny-income/versions/{random}/infer", "POST", 404, "unknown-model"
    yield f"/v2/models/tiny-income/{random}", "POST", 404, "unknown-path"
    for method in ("PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND"):
        yield f"/predict?{random}={random}", method, 405, "wrong-method"


def one_round(door: Any) -> int:
    """Every bad request once, with texts that no other round has; how many there were."""
    count = 0
    for path, requests in (
        ("/predict", row_requests()),
        ("/feedback", label_requests()),
        (door.infer, tensor_requests()),
    ):
        for body, headers, status, kind in requests:
            answer = send(door, path, body, headers)
            assert (answer.status, answer.kind) == (status, kind), (path, body[:200], headers, answer)
            count += 1
    for path, method, status, kind in path_requests():
        answer = send(door, path, b"{}", method=method)
        assert (answer.status, answer.kind) == (status, kind), (method, path, answer)
        count += 1
    return count


class Neighbours:
    """Clients that send good requests as long as the block lasts, and hold each answer to be right."""

    def __init__(self, door: Any, count: int = 3) -> None:
        self._door, self._stop, self.answered = door, threading.Event(), 0
        self._pool = ThreadPoolExecutor(count)
        self._expected = door.expected.predict([GOOD]).answers[0]["label"]
        self._count = count

    def _ask(self) -> int:
        connection = http.client.HTTPConnection(*self._door.address, timeout=120)
        answered = 0
        while not self._stop.is_set():
            connection.request("POST", "/predict", json.dumps({"rows": [GOOD]}), JSON)
            response = connection.getresponse()
            body = json.loads(response.read())
            assert response.status == 200, body
            assert body["predictions"][0]["label"] == self._expected
            answered += 1
        connection.close()
        return answered

    def __enter__(self) -> Neighbours:
        self._futures = [self._pool.submit(self._ask) for _ in range(self._count)]
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._pool.shutdown()
        self.answered = sum(future.result() for future in self._futures)


def test_every_bad_request_is_refused_as_what_it_is_and_leaves_no_time_series(table: Any) -> None:
    assert table.client.post("/predict", json={"rows": [GOOD]}).status_code == 200
    one_round(table)
    before = table.series().keys()
    with Neighbours(table) as neighbours:
        count = one_round(table) + one_round(table)
    assert neighbours.answered > 0
    assert count > 150
    assert table.series().keys() == before


@pytest.mark.parametrize("path", DOORS)
@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
def test_a_body_of_200_megabytes_is_refused_and_not_kept(table: Any, path: str, chunked: bool) -> None:
    def body(connection: socket.socket) -> None:
        for _ in range(200):
            connection.sendall(b"%x\r\n%s\r\n" % (len(MEGABYTE), MEGABYTE) if chunked else MEGABYTE)
        if chunked:
            connection.sendall(b"0\r\n\r\n")

    size = {"transfer-encoding": "chunked"} if chunked else {"content-length": str(200 << 20)}
    send(table, path, MEGABYTE * 15)
    before = table.resident()
    with Neighbours(table) as neighbours, connect(table) as connection:
        connection.sendall(head(path, {**JSON, **size}))
        body(connection)
        answer = read_answer(connection)
    assert (answer.status, answer.kind) == (413, "too-large")
    assert neighbours.answered > 0
    assert table.resident() - before < 48 << 20


@pytest.mark.parametrize("path", DOORS)
def test_a_body_that_would_grow_in_memory_is_refused(table: Any, path: str) -> None:
    before = table.resident()
    answer = send(table, path, b'{"rows":[' + b"[]," * 5_000_000 + b"[]]}")
    assert (answer.status, answer.kind) == (413, "too-large")
    assert table.resident() - before < 48 << 20


def test_a_client_that_asks_before_it_sends_is_refused_before_it_sends(table: Any) -> None:
    with connect(table) as connection:
        headers = {**JSON, "content-length": str(200 << 20), "expect": "100-continue"}
        connection.sendall(head("/predict", headers))
        assert read_answer(connection).status == 413


def slow_body(path: str) -> Callable[[socket.socket], None]:
    def write(connection: socket.socket) -> None:
        connection.sendall(head(path, {**JSON, "content-length": "100"}) + b'{"rows": [')

    return write


def slow_head(connection: socket.socket) -> None:
    connection.sendall(b"POST /predict HTTP/1.1\r\nhost: here\r\nx-slow: ")


def test_slow_clients_are_told_so_and_cut_off(table: Any) -> None:
    def ask(write: Callable[[socket.socket], None]) -> Answer:
        with connect(table) as connection:
            write(connection)
            answer = read_answer(connection)
            assert connection.recv(1) == b""
            return answer

    def ask_nothing() -> bytes:
        with connect(table) as connection:
            return connection.recv(1)

    before = table.total("tuneloop_requests_refused_total", reason="slow-request")
    with Neighbours(table) as neighbours, ThreadPoolExecutor(5) as pool:
        nothing = pool.submit(ask_nothing)
        answers = list(pool.map(ask, [*map(slow_body, DOORS), slow_head]))
        assert nothing.result() == b""
    assert [(one.status, one.kind) for one in answers] == [(408, "slow-request")] * 4
    assert all(one.headers["connection"] == "close" for one in answers)
    assert neighbours.answered > 0
    assert table.total("tuneloop_requests_refused_total", reason="slow-request") == before + 4


@pytest.mark.parametrize(
    ("start", "endless"),
    [
        (b"GET /livez HTTP/1.1\r\nhost: here\r\nx-long: ", b"a" * 4096),
        (b"GET /livez HTTP/1.1\r\nhost: here\r\n", b"x-many: 1\r\n" * 400),
        (b"GET /livez?", b"a" * 4096),
    ],
    ids=["one header", "many headers", "line"],
)
def test_an_endless_head_is_cut_off(table: Any, start: bytes, endless: bytes) -> None:
    before = table.resident()
    with connect(table) as connection:
        # One byte over the limit: with more on its way, the answer could be lost with the connection.
        connection.sendall((start + endless * 20)[: MOST_HEAD_BYTES + 1])
        answer = read_answer(connection)
    assert (answer.status, answer.kind) == (431, "head-too-large")

    def flood(connection: socket.socket) -> None:
        connection.sendall(start)
        while True:
            connection.sendall(endless * 64)

    with connect(table) as connection, pytest.raises(OSError, match=r"reset|[Bb]roken pipe"):
        flood(connection)
    assert table.resident() - before < 16 << 20


@pytest.mark.parametrize(
    "said",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 40,
        b"what is this\r\n\r\n",
        b"GET \xff HTTP/1.1\r\nhost: here\r\n\r\n",
        b"POST /predict HTTP/1.1\r\nhost: here\r\ncontent-length: x\r\n\r\n",
        b"POST /predict HTTP/1.1\r\nhost: here\r\ncontent-length: -1\r\n\r\n",
        b"POST /predict HTTP/1.1\r\nhost: here\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{}",
        b"POST /predict HTTP/1.1\r\nhost: here\r\ntransfer-encoding: chunked\r\ncontent-length: 3\r\n\r\n0\r\n\r\n",
        b"POST /predict HTTP/1.1\r\nhost: here\r\nbad header: \x00\r\n\r\n",
    ],
)
def test_what_is_not_http_is_a_problem_too(table: Any, said: bytes) -> None:
    with connect(table) as connection:
        connection.sendall(said)
        answer = read_answer(connection)
    assert (answer.status, answer.kind) == (400, "malformed-http")


def test_clients_that_leave_in_the_middle_harm_nobody(table: Any) -> None:
    whole = json.dumps({"rows": [GOOD] * 50}).encode()
    before, resident = table.total("tuneloop_predictions_total"), table.resident()
    with Neighbours(table) as neighbours:
        for path in DOORS:
            request = head(path, {**JSON, "content-length": str(len(whole))}) + whole
            for cut in (10, len(request) - len(whole), len(request) - 7):
                for _ in range(10):
                    with connect(table) as connection:
                        # A reset rather than a polite end.
                        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                        connection.sendall(request[:cut])
    assert neighbours.answered > 0
    table.wait(lambda: table.total("tuneloop_predictions_total") == before + neighbours.answered)
    assert table.resident() - resident < 16 << 20


def under_way(connection: socket.socket) -> int:
    """Bytes sent that the server has not read yet: what Linux keeps in the buffers of both ends."""
    own, other = (f"{address[1]:04X}" for address in (connection.getsockname(), connection.getpeername()))
    ends = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    queues = {(end[1][-4:], end[2][-4:]): end[4].split(":") for end in ends}
    return int(queues[own, other][0], 16) + int(queues[other, own][1], 16)


def test_many_large_bodies_at_once_do_not_fill_the_memory(table: Any) -> None:
    # Two of them fit into what is set aside.
    size, sent = 15 << 20, 12 << 20
    connections = [connect(table) for _ in range(3)]
    try:
        for connection in connections[:2]:
            connection.sendall(head("/predict", {**JSON, "content-length": str(size)}) + b" " * sent)
        table.wait(lambda: not any(map(under_way, connections[:2])))
        # What they sent is held now; a third one is too much, while small requests go on.
        with Neighbours(table) as neighbours:
            connections[2].sendall(head("/feedback", {**JSON, "content-length": str(size)}) + b" " * size)
            answer = read_answer(connections[2])
        assert (answer.status, answer.kind, answer.headers["retry-after"]) == (429, "overloaded", "1")
        assert neighbours.answered > 0
        for connection in connections[:2]:
            connection.sendall(b" " * (size - sent))
            assert read_answer(connection).kind == "malformed-json"
    finally:
        for connection in connections:
            connection.close()
    # What they held was given back.
    for _ in range(3):
        assert send(table, "/predict", b" " * size).kind == "malformed-json"
