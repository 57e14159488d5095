"""A real `bentoml serve`: predictions go the short way, and BentoML's request metrics see every one of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tuneloop.artifact import Artifact
from tuneloop.serving.packaging.bento import bento_folder, build_bento
from tuneloop.serving.server import ServerProcess, start_server

MODEL = "tiny-income"
GOOD = {"age": 30, "hours per week": 40.5, "job": "cook"}
INFER = f"/v2/models/{MODEL}/infer"
TENSORS = {
    "inputs": [
        {"name": "numeric", "shape": [1, 3], "datatype": "FP32", "data": [0.1, 0.2, 0.0]},
        {"name": "categorical", "shape": [1, 1], "datatype": "INT64", "data": [2]},
    ]
}
ONE_AT_A_TIME = f"services:\n  {MODEL}:\n    traffic:\n      max_concurrency: 1\n"


@pytest.fixture(scope="module")
def bento(tmp_path_factory: pytest.TempPathFactory, artifacts: Callable[..., Artifact]) -> Path:
    home = tmp_path_factory.mktemp("store") / "bentoml"
    return bento_folder(home, build_bento(artifacts(1), "1", home=home))


@pytest.fixture
def serve(bento: Path, tmp_path: Path, new_port: Callable[[], int]) -> Iterator[Callable[[], httpx.Client]]:
    servers: list[tuple[ServerProcess, httpx.Client]] = []

    def start() -> httpx.Client:
        log = tmp_path / "log.txt"
        server = start_server(str(bento), home=tmp_path / "home", log=log, port=new_port(), workers=1)
        client = httpx.Client(base_url=server.url, timeout=120)
        servers.append((server, client))
        server.wait_ready(300)
        return client

    yield start
    for server, client in servers:
        client.close()
        server.stop()


def samples(client: httpx.Client, name: str) -> dict[tuple[str, str], float]:
    """Samples of a metric of BentoML by endpoint and status; only the endpoints used here."""
    found: dict[tuple[str, str], float] = {}
    for family in text_string_to_metric_families(client.get("/metrics").text):
        for sample in family.samples:
            if sample.name == name and sample.value:
                key = (sample.labels["endpoint"], sample.labels.get("http_response_code", ""))
                found[key] = found.get(key, 0.0) + sample.value
    return {key: value for key, value in found.items() if key[0] in ("/predict", "/feedback", INFER)}


def test_bentoml_counts_what_goes_the_short_way_and_what_does_not(serve: Callable[[], httpx.Client]) -> None:
    client = serve()
    statuses: list[tuple[str, int]] = []

    def post(path: str, body: Any) -> None:
        answer = client.post(path, json=body)
        statuses.append((path, answer.status_code))
        # BentoML signs what passes through it.
        assert ("server" in answer.headers) == (path == "/feedback")

    for _ in range(7):
        post("/predict", {"rows": [GOOD, GOOD]})
    for _ in range(3):
        post("/predict", {"rows": [{**GOOD, "age": "old"}]})
    for _ in range(5):
        post(INFER, TENSORS)
    post("/feedback", {"items": [{"id": "a", "label": "low"}]})
    expected = {("/predict", "200"): 7, ("/predict", "422"): 3, (INFER, "200"): 5, ("/feedback", "409"): 1}
    assert {(path, str(status)): statuses.count((path, status)) for path, status in statuses} == expected
    assert samples(client, "bentoml_service_request_total") == expected
    assert samples(client, "bentoml_service_request_duration_seconds_count") == expected
    assert samples(client, "bentoml_service_request_in_progress") == {}


def test_limits_that_bentoml_is_told_of_hold(
    serve: Callable[[], httpx.Client], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configuration = tmp_path / "bentoml.yaml"
    configuration.write_text(ONE_AT_A_TIME)
    monkeypatch.setenv("BENTOML_CONFIG", str(configuration))
    client = serve()
    for path, body in (("/predict", {"rows": [GOOD]}), (INFER, TENSORS)):
        assert client.post(path, json=body).status_code == 200
    # The typed door's answer is signed: it went through BentoML and its limit.
    assert "server" in client.post("/predict", json={"rows": [GOOD]}).headers
