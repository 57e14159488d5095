from __future__ import annotations

import socket

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from tuneloop.loop.web.guard import HEADERS, Guard


async def hello(_: Request) -> PlainTextResponse:
    return PlainTextResponse("hello", headers={"Cache-Control": "public"})


@pytest.fixture
def client() -> TestClient:
    app = Starlette(routes=[Route("/", hello, methods=["GET", "POST"])])
    return TestClient(Guard(app, ["Loop.example"]))


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1:4000", "127.0.0.1", "10.1.2.3:80", "[::1]:4000", "[fe80::1%25eth0]:1", "localhost", "LOCALHOST:1",
        "loop.example", "loop.example:443", "loop.example.", socket.gethostname(),
    ],
)  # fmt: skip
def test_the_loops_own_names_are_answered(client: TestClient, host: str) -> None:
    response = client.get("/", headers={"Host": host})
    assert (response.status_code, response.text) == (200, "hello")


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "xloop.example",
        "",
        "[",
        "[::1",
        "a@b",
        "0x7f.1",
    ],
)
def test_a_strangers_name_is_refused(client: TestClient, host: str) -> None:
    response = client.get("/", headers={"Host": host})
    assert response.status_code == 421
    assert "hello" not in response.text
    assert response.headers["Content-Security-Policy"] == HEADERS["Content-Security-Policy"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Origin": "http://127.0.0.1:4000"}, 200),
        ({"Origin": "http://127.0.0.1:4000", "Sec-Fetch-Site": "same-origin"}, 200),
        # Behind a proxy that ends TLS.
        ({"Origin": "https://127.0.0.1:4000"}, 200),
        ({"Origin": "http://127.0.0.1:4001"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": ""}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "none"}, 403),
        ({"Origin": "http://127.0.0.1:4000", "Sec-Fetch-Site": "cross-site"}, 403),
    ],
)
def test_forms_come_from_the_loops_own_pages(client: TestClient, headers: dict[str, str], status: int) -> None:
    response = client.post("/", headers={"Host": "127.0.0.1:4000", **headers})
    assert response.status_code == status
    # Reading changes nothing, so a link from elsewhere works.
    assert client.get("/", headers={"Host": "127.0.0.1:4000", **headers}).status_code == 200


def test_every_answer_tells_browsers_what_they_may_do(client: TestClient) -> None:
    response = client.get("/", headers={"Host": "localhost"})
    assert response.headers["Cache-Control"] == "public"
    for name, value in HEADERS.items():
        if name != "Cache-Control":
            assert response.headers[name] == value
    policy = response.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src" not in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
