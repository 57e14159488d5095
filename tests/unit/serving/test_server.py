"""A real `bentoml serve`: one Bento, two workers, a channel and a store."""

from __future__ import annotations

import json
import socketserver
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tuneloop.api import ServingError
from tuneloop.artifact import Artifact
from tuneloop.monitoring.store import PredictionStore
from tuneloop.serving.loader import load_version
from tuneloop.serving.packaging.bento import bento_folder, build_bento
from tuneloop.serving.server import ServerProcess, start_server
from tuneloop.serving.versions.channel import Channel, ChannelEntry, write_channel
from tuneloop.tasks.classification import softmax

MODEL = "tiny-income"
WORKERS = 2
TEMPERATURE = 2.5
GOOD = {"age": 30, "hours per week": 40.5, "job": "cook"}


@dataclass
class Stage:
    server: ServerProcess
    client: httpx.Client
    channel: str
    store_url: str
    versions: dict[str, Artifact]

    def point(self, version: str, sha256: str | None = None) -> None:
        artifact = self.versions[version]
        entry = ChannelEntry(version=version, artifact=str(artifact.folder), sha256=sha256 or artifact.sha256)
        write_channel(self.channel, Channel(model=MODEL, champion=entry, updated="now"))

    def samples(self, name: str, **labels: str) -> dict[tuple[tuple[str, str], ...], float]:
        found = {}
        for family in text_string_to_metric_families(self.client.get("/metrics").text):
            for sample in family.samples:
                if sample.name == name and labels.items() <= sample.labels.items():
                    found[tuple(sorted(sample.labels.items()))] = sample.value
        return found

    def total(self, name: str, **labels: str) -> float:
        return sum(self.samples(name, **labels).values())

    def wait(self, condition: Callable[[], bool], seconds: float = 300) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, self.server.log.read_text()[-3000:]
            threading.Event().wait(0.05)

    def live(self) -> dict[str, float]:
        found = self.samples("tuneloop_live_version")
        return {dict(labels)["version"]: value for labels, value in found.items() if value}


@pytest.fixture(scope="module")
def bento(tmp_path_factory: pytest.TempPathFactory, artifacts: Callable[..., Artifact]) -> tuple[Artifact, Path]:
    artifact, home = artifacts(1, temperature=TEMPERATURE), tmp_path_factory.mktemp("store") / ".tuneloop" / "bentoml"
    return artifact, bento_folder(home, build_bento(artifact, "1", home=home))


@pytest.fixture(scope="module")
def stage(
    bento: tuple[Artifact, Path],
    tmp_path_factory: pytest.TempPathFactory,
    artifacts: Callable[..., Artifact],
    new_port: Callable[[], int],
) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("server")
    channel, store_url = str(folder / "channel.json"), f"sqlite:///{folder}/predictions.db"
    versions = {"1": bento[0], "2": artifacts(2), "3": artifacts(3)}
    server = start_server(
        str(bento[1]),
        home=folder / "home",
        log=folder / "log.txt",
        port=new_port(),
        workers=WORKERS,
        channel=channel,
        store_url=store_url,
    )
    with server, httpx.Client(base_url=server.url, timeout=120) as client:
        stage = Stage(server, client, channel, store_url, versions)
        stage.point("1")
        server.wait_ready(300)
        stage.wait(lambda: stage.live() == {"1": WORKERS})
        yield stage


def test_rows_get_the_answers_of_the_model(stage: Stage, tiny_rows: Callable[..., list[dict[str, Any]]]) -> None:
    rows = tiny_rows(20, 9)
    predictor = load_version(stage.versions["1"].folder, "1").predictor
    expected = predictor.predict(rows).answers
    predictor.temperature = 1.0
    cooled = softmax(predictor.predict(rows).outputs["logits"].astype(np.float64) / TEMPERATURE)
    answer = stage.client.post("/predict", json={"rows": rows})
    assert answer.status_code == 200
    body = answer.json()
    assert (body["model"], body["version"]) == (MODEL, "1")
    assert len({one["id"] for one in body["predictions"]}) == 20
    for one, wanted, scores in zip(body["predictions"], expected, cooled, strict=True):
        assert list(one["scores"].values()) == pytest.approx(scores.tolist(), abs=1e-6)
        assert one["label"] == wanted["label"]
        assert one["confidence"] == pytest.approx(wanted["confidence"], rel=1e-6)
        assert one["scores"] == pytest.approx(wanted["scores"], rel=1e-6)


def test_the_openapi_page_shows_real_columns_and_examples(stage: Stage) -> None:
    document = stage.client.get("/docs.json").json()
    schemas = document["components"]["schemas"]
    assert list(schemas["Row"]["properties"]) == ["age", "hours per week", "job"]
    assert schemas["Row"]["required"] == ["age", "hours per week", "job"]
    assert {"id", "label", "confidence", "scores"} == set(schemas["Prediction"]["properties"])
    example = schemas["PredictRequest"]["example"]
    assert stage.client.post("/predict", json=example).status_code == 200
    assert {"/predict", "/feedback", f"/v2/models/{MODEL}/infer"} <= document["paths"].keys()
    assert stage.client.get("/").status_code == 200


def row(**changes: Any) -> bytes:
    return json.dumps({"rows": [{**GOOD, **changes}]}).encode()


BAD: list[tuple[str, bytes, dict[str, str], int, str, str | None]] = [
    ("malformed", b'{"rows": [', {}, 400, "malformed-json", None),
    ("empty", b"", {}, 400, "malformed-json", None),
    ("NaN", b'{"rows": [{"age": NaN}]}', {}, 400, "malformed-json", None),
    ("1e999", b'{"rows": [{"age": 1e999}]}', {}, 400, "malformed-json", None),
    ("not UTF-8", b'{"rows": "\xff"}', {}, 400, "malformed-json", None),
    ("deep", b"[" * 100_000, {}, 400, "malformed-json", None),
    ("a list", b"[]", {}, 422, "invalid-request", None),
    ("no rows", b"{}", {}, 422, "invalid-request", "rows"),
    ("rows no list", b'{"rows": 7}', {}, 422, "invalid-request", "rows"),
    ("no row", b'{"rows": []}', {}, 422, "invalid-request", "rows"),
    ("row no object", b'{"rows": [7]}', {}, 422, "invalid-request", None),
    ("another key", b'{"rows": [], "row": 1}', {}, 422, "invalid-request", "row"),
    ("missing column", b'{"rows": [{"age": 1, "job": "cook"}]}', {}, 422, "invalid-request", "hours per week"),
    ("unknown column", row(name="x"), {}, 422, "invalid-request", "name"),
    ("wrong type", row(age="old"), {}, 422, "invalid-request", "age"),
    ("boolean number", row(age=True), {}, 422, "invalid-request", "age"),
    ("nested", row(job=["cook"]), {}, 422, "invalid-request", "job"),
    ("NUL", row(job="a\x00b"), {}, 422, "invalid-request", "job"),
    ("too many rows", json.dumps({"rows": [GOOD] * 1025}).encode(), {}, 413, "too-many-rows", "rows"),
    ("too large", b" " * ((16 << 20) + 1), {}, 413, "too-large", None),
    ("wrong type of content", row(), {"content-type": "text/plain"}, 415, "wrong-content-type", None),
    ("pickle", b"\x80\x04.", {"content-type": "application/vnd.bentoml+pickle"}, 415, "wrong-content-type", None),
    ("gzip", row(), {"content-encoding": "gzip"}, 415, "wrong-content-type", None),
]


@pytest.mark.parametrize(("body", "headers", "status", "kind", "field"), [x[1:] for x in BAD], ids=[x[0] for x in BAD])
def test_bad_input_is_a_problem_that_names_it(
    stage: Stage, body: bytes, headers: dict[str, str], status: int, kind: str, field: str | None
) -> None:
    answer = stage.client.post("/predict", content=body, headers={"content-type": "application/json", **headers})
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert (answer.status_code, problem["status"], problem["type"]) == (status, status, f"urn:tuneloop:problem:{kind}")
    assert problem.get("field") == field
    assert problem["detail"]
    assert stage.client.post("/predict", content=row()).status_code == 200


def test_a_bad_row_is_named_by_its_position(stage: Stage) -> None:
    answer = stage.client.post("/predict", json={"rows": [GOOD, GOOD, {**GOOD, "age": "old"}]})
    assert (answer.status_code, answer.json()["row"], answer.json()["field"]) == (422, 2, "age")
    assert answer.json()["detail"] == "row 2, field 'age': must be a number, not 'old'"


def test_a_large_body_without_a_length_is_cut_off(stage: Stage) -> None:
    def parts() -> Iterator[bytes]:
        for _ in range(40):
            yield b" " * (1 << 20)

    try:
        answer = stage.client.post("/predict", content=parts())
    except httpx.WriteError:
        return
    assert answer.status_code == 413


@pytest.mark.parametrize(
    ("method", "path", "status", "kind"),
    [
        ("GET", "/nowhere", 404, "unknown-path"),
        ("POST", "/predict/submit", 404, "unknown-path"),
        ("GET", "/static_content/../../x", 404, "unknown-path"),
        ("GET", "/v2/models/another", 404, "unknown-model"),
        ("GET", f"/v2/models/{MODEL}/versions/99", 404, "unknown-model"),
        ("GET", f"/v2/models/{MODEL}/weights", 404, "unknown-path"),
        ("GET", "/predict", 405, "wrong-method"),
        ("DELETE", "/feedback", 405, "wrong-method"),
        ("POST", "/metrics", 405, "wrong-method"),
        ("GET", f"/v2/models/{MODEL}/infer", 405, "wrong-method"),
    ],
)
def test_unknown_paths_are_problems_and_make_no_time_series(
    stage: Stage, method: str, path: str, status: int, kind: str
) -> None:
    answer = stage.client.request(method, path)
    assert (answer.status_code, answer.json()["type"]) == (status, f"urn:tuneloop:problem:{kind}")
    text = stage.client.get("/metrics").text
    assert f'endpoint="{path}"' not in text or method != "GET" or path == "/predict"
    assert "nowhere" not in text
    assert stage.total("tuneloop_requests_refused_total", reason=kind) >= 1


def tensor(name: str, datatype: str, data: list[Any], shape: list[int] | None = None) -> dict[str, Any]:
    return {"name": name, "shape": shape or [len(data)], "datatype": datatype, "data": data}


def columns(**changes: Any) -> list[dict[str, Any]]:
    given = {
        "age": tensor("age", "FP64", [30, 50]),
        "hours per week": tensor("hours per week", "INT64", [40, 10]),
        "job": tensor("job", "BYTES", ["cook", "pilot"]),
    }
    return list({**given, **changes}.values())


RAW = [tensor("numeric", "FP32", [0.5, -1, 0], [1, 3]), tensor("categorical", "INT64", [2], [1, 1])]
INFER = f"/v2/models/{MODEL}/infer"


def test_the_protocol_speaks_of_itself(stage: Stage) -> None:
    get = stage.client.get
    assert get("/v2").json()["name"] == "tuneloop"
    assert get("/v2/health/live").json() == {"live": True}
    assert get("/v2/health/ready").json() == {"ready": True}
    metadata = get(f"/v2/models/{MODEL}").json()
    assert metadata["inputs"][0] == {"name": "numeric", "datatype": "FP32", "shape": [-1, 3]}
    assert [one["name"] for one in metadata["parameters"]["columns"]] == ["age", "hours per week", "job"]
    assert get(f"/v2/models/{MODEL}/versions/1/ready").json() == {"name": MODEL, "ready": True}
    for path in ("/livez", "/healthz", "/readyz"):
        assert get(path).status_code == 200


def test_columns_and_raw_tensors_are_inferred(stage: Stage) -> None:
    answer = stage.client.post(INFER, json={"id": "mine", "inputs": columns()}).json()
    assert (answer["id"], answer["model_version"]) == ("mine", "1")
    outputs = {one["name"]: one for one in answer["outputs"]}
    assert outputs["logits"]["shape"] == [2, 2]
    typed = stage.client.post(
        "/predict",
        json={
            "rows": [
                {"age": 30, "hours per week": 40, "job": "cook"},
                {"age": 50, "hours per week": 10, "job": "pilot"},
            ]
        },
    ).json()["predictions"]
    assert outputs["label"]["data"] == [one["label"] for one in typed]
    raw = stage.client.post(INFER, json={"inputs": RAW, "outputs": [{"name": "logits"}]}).json()
    assert [one["name"] for one in raw["outputs"]] == ["logits"]
    assert raw["outputs"][0]["shape"] == [1, 2]


def test_binary_tensors_go_both_ways(stage: Stage) -> None:
    numeric = struct.pack("<3f", 0.5, -1, 0)
    request = {
        "inputs": [
            {"name": "numeric", "shape": [1, 3], "datatype": "FP32", "parameters": {"binary_data_size": len(numeric)}},
            RAW[1],
        ],
        "outputs": [{"name": "logits", "parameters": {"binary_data": True}}],
    }
    head = json.dumps(request).encode()
    headers = {"content-type": "application/octet-stream", "inference-header-content-length": str(len(head))}
    answer = stage.client.post(INFER, content=head + numeric, headers=headers)
    size = int(answer.headers["inference-header-content-length"])
    assert json.loads(answer.content[:size])["outputs"][0]["parameters"] == {"binary_data_size": 8}
    expected = stage.client.post(INFER, json={"inputs": RAW}).json()["outputs"][0]["data"]
    assert list(struct.unpack("<2f", answer.content[size:])) == expected


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        ({}, "inputs"),
        ({"inputs": []}, "inputs"),
        ({"inputs": [7]}, "inputs[0]"),
        ({"inputs": RAW[:1]}, "inputs"),
        ({"inputs": [*RAW, RAW[0]]}, "numeric"),
        ({"inputs": [tensor("numeric", "FP64", [0.5, -1, 0], [1, 3]), RAW[1]]}, "numeric"),
        ({"inputs": [tensor("numeric", "FP32", [0.5, -1], [1, 2]), RAW[1]]}, "numeric"),
        ({"inputs": [RAW[0], tensor("categorical", "INT64", [1, 2], [2, 1])]}, "categorical"),
        ({"inputs": [RAW[0], tensor("categorical", "INT64", [99], [1, 1])]}, "inputs"),
        ({"inputs": RAW, "outputs": [{"name": "nothing"}]}, "outputs"),
        ({"inputs": columns(job=tensor("job", "BYTES", ["cook"]))}, "inputs"),
        ({"inputs": columns(age=tensor("age", "BYTES", ["old", "young"]))}, "age"),
    ],
)
def test_bad_tensors_are_problems(stage: Stage, request_: dict[str, Any], field: str) -> None:
    answer = stage.client.post(INFER, json=request_)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["field"] == field


def test_labels_are_joined_changed_kept_and_refused(stage: Stage) -> None:
    before = stage.total("tuneloop_labels_total")
    ids = [one["id"] for one in stage.client.post("/predict", json={"rows": [GOOD] * 3}).json()["predictions"]]
    store = PredictionStore(stage.store_url)
    stage.wait(lambda: len(store.predictions(ids)) == 3)

    def send(*items: tuple[str, Any]) -> dict[str, Any]:
        answer = stage.client.post("/feedback", json={"items": [{"id": i, "label": label} for i, label in items]})
        assert answer.status_code == 200
        return dict(answer.json())

    assert send((ids[0], "low"), (ids[1], "high")) == {
        "stored": 2, "joined": 2, "orphaned": 0, "changed": 0, "unchanged": 0, "unsampled": 0,
            "refused": [],
    }  # fmt: skip
    assert send((ids[0], "low"))["unchanged"] == 1
    assert send((ids[0], "high"))["changed"] == 1
    assert send((f"{'0' * 23}x", "low"))["orphaned"] == 1
    refused = send((ids[2], ""), (ids[2], "low"))
    assert (refused["joined"], refused["refused"][0]["item"]) == (1, 0)
    assert store.predictions(ids)[ids[0]].row["job"] == "cook"
    stage.wait(lambda: stage.total("tuneloop_labels_total") == before + 4)
    store.close()


@pytest.mark.parametrize(
    "body",
    [{}, {"items": []}, {"items": [7]}, {"items": [{"id": "x"}]}, {"items": [{"id": "x", "label": "a", "more": 1}]}],
)
def test_bad_feedback_is_a_problem(stage: Stage, body: dict[str, Any]) -> None:
    answer = stage.client.post("/feedback", json=body)
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")


def test_answers_are_counted_over_all_workers(stage: Stage) -> None:
    before = stage.total("tuneloop_predictions_total")
    seen = stage.total("tuneloop_signal_observations_total", signal="column:job")
    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(lambda _: stage.client.post("/predict", json={"rows": [GOOD] * 2}).status_code, range(40)))
    assert done == [200] * 40
    stage.wait(lambda: stage.total("tuneloop_predictions_total") == before + 80)
    stage.wait(lambda: stage.total("tuneloop_signal_observations_total", signal="column:job") >= seen + 80)
    # Raw tensors are predictions that no signal reads; nothing else may differ.
    watched = stage.total("tuneloop_signal_observations_total", signal="column:job")
    assert watched <= stage.total("tuneloop_predictions_total")


def test_versions_change_under_load_without_a_failed_request(stage: Stage) -> None:
    stopping = threading.Event()
    statuses: list[int] = []
    versions: set[str] = set()

    def client() -> None:
        with httpx.Client(base_url=stage.server.url, timeout=120) as own:
            while not stopping.is_set():
                answer = own.post("/predict", content=row())
                statuses.append(answer.status_code)
                if answer.status_code == 200:
                    versions.add(answer.json()["version"])

    with ThreadPoolExecutor(4) as pool:
        clients = [pool.submit(client) for _ in range(4)]
        try:
            for version in ("2", "3", "1"):
                stage.point(version)
                stage.wait(lambda wanted=version: stage.live() == {wanted: WORKERS})  # type: ignore[misc]
            stage.point("2", sha256="0" * 64)
            stage.wait(lambda: stage.total("tuneloop_channel_refusals_total", reason="wrong-hash") == WORKERS)
            assert stage.live() == {"1": WORKERS}
        finally:
            stopping.set()
        for one in clients:
            one.result(60)
    assert set(statuses) == {200}
    assert versions == {"1", "2", "3"}
    assert stage.total("tuneloop_swaps_total") == 3 * WORKERS


def test_stopping_finishes_requests_and_writes_what_is_left(
    bento: tuple[Artifact, Path], tmp_path: Path, free_port: int
) -> None:
    url = f"sqlite:///{tmp_path}/predictions.db"
    server = start_server(
        str(bento[1]), home=tmp_path / "home", log=tmp_path / "log.txt", port=free_port, store_url=url
    )
    with server:
        server.wait_ready(300)
        done = [httpx.post(f"{server.url}/predict", content=row()).status_code for _ in range(20)]
    assert done == [200] * 20
    assert server.returncode == 0
    store = PredictionStore(url)
    assert store.counts(MODEL).predictions == 20
    store.close()


def test_who_has_the_port_and_speaks_no_http_is_not_the_server(tmp_path: Path) -> None:
    class Junk(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(100)
            self.request.sendall(b"\xff\x00\r\n")
            asked.set()

    asked = threading.Event()
    (tmp_path / "log.txt").write_text("the address is in use")
    with socketserver.TCPServer(("127.0.0.1", 0), Junk) as other:
        threading.Thread(target=other.serve_forever, daemon=True).start()
        # Ends as a server does that cannot have its port, but not before it was asked whether it is ready.
        waits = [sys.executable, "-c", "input(); raise SystemExit(3)"]
        with subprocess.Popen(waits, stdin=subprocess.PIPE) as process:
            server = ServerProcess(process, f"http://127.0.0.1:{other.server_address[1]}", tmp_path / "log.txt")
            assert process.stdin is not None
            release = threading.Thread(target=lambda: asked.wait(240) and process.communicate(b"\n"), daemon=True)
            release.start()
            with pytest.raises(ServingError, match=r"status 3; (?s:.*)the address is in use"):
                server.wait_ready(240)
            release.join()
        other.shutdown()
