"""A real server and its store on each engine: what is acknowledged, what is kept, and a store that hangs."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.postgres import Postgres

from tuneloop.api import ServingError
from tuneloop.artifact import Artifact
from tuneloop.monitoring.store import Prediction, PredictionStore
from tuneloop.monitoring.store_policy import KEY_VARIABLE, POLICY_FILE, POLICY_VARIABLE, StorePolicy
from tuneloop.serving.packaging.bento import bento_folder, build_bento
from tuneloop.serving.server import start_server, store_variables
from tuneloop.serving.settings import Settings
from tuneloop.serving.storing import StoreSettings, Storing

MODEL = "tiny-income"
GOOD = {"age": 30, "hours per week": 40.5, "job": "cook"}
DAY = 86_400.0
DURABLE = {"x-tuneloop-durable": "true"}

Serve = Callable[..., AbstractContextManager[httpx.Client]]


@pytest.fixture(scope="module")
def bento(tmp_path_factory: pytest.TempPathFactory, artifacts: Callable[..., Artifact]) -> Path:
    home = tmp_path_factory.mktemp("store") / ".tuneloop" / "bentoml"
    return bento_folder(home, build_bento(artifacts(1), "1", home=home))


@pytest.fixture
def serve(bento: Path, tmp_path: Path, new_port: Callable[[], int]) -> Serve:
    @contextmanager
    def serving(url: str, variables: dict[str, str] | None = None) -> Iterator[httpx.Client]:
        server = start_server(
            str(bento),
            home=tmp_path / "home",
            log=tmp_path / "log.txt",
            port=new_port(),
            store_url=url,
            guards=variables,
        )
        with server, httpx.Client(base_url=server.url, timeout=120) as client:
            server.wait_ready()
            yield client

    return serving


def total(client: httpx.Client, name: str) -> float:
    families = text_string_to_metric_families(client.get("/metrics").text)
    return sum(sample.value for family in families for sample in family.samples if sample.name == name)


def ask(client: httpx.Client, rows: int = 1, **headers: str) -> dict[str, Any]:
    answer = client.post("/predict", json={"rows": [GOOD] * rows}, headers=headers)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def label(client: httpx.Client, items: list[tuple[str, str]]) -> dict[str, Any]:
    answer = client.post("/feedback", json={"items": [{"id": id_, "label": text} for id_, text in items]})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_what_is_acknowledged_is_in_the_store_and_carries_its_subject(serve: Serve, database_url: str) -> None:
    store = PredictionStore(database_url)
    with serve(database_url) as client:
        assert "stored" not in ask(client)
        for _ in range(20):
            answer = ask(client, 3, **DURABLE, **{"x-tuneloop-subject": "anna"})
            assert answer["stored"] is True
            ids = [one["id"] for one in answer["predictions"]]
            assert {one.subject for one in store.predictions(ids).values()} == {"anna"}
            assert len(store.predictions(ids)) == 3
        tensors = [
            {"name": name, "shape": [1], "datatype": kind, "data": [GOOD[name]]}
            for name, kind in (("age", "FP64"), ("hours per week", "FP64"), ("job", "BYTES"))
        ]
        raw = client.post(f"/v2/models/{MODEL}/infer", json={"inputs": tensors}, headers=DURABLE)
        assert raw.json()["parameters"] == {"stored": True}
        (id_,) = next(one["data"] for one in raw.json()["outputs"] if one["name"] == "id")
        assert store.predictions([id_])
        for headers in ({"x-tuneloop-durable": "yes"}, {"x-tuneloop-subject": "x" * 201}, {"x-tuneloop-subject": ""}):
            refused = client.post("/predict", json={"rows": [GOOD]}, headers=headers)
            assert (refused.status_code, refused.json()["field"]) == (422, next(iter(headers)))
    assert store.erase("anna") == 60
    store.close()


def test_feedback_of_every_kind_in_requests_of_ten_thousand(
    serve: Serve, database_url: str, record_property: Callable[[str, object], None]
) -> None:
    store = PredictionStore(database_url)
    late = [Prediction(f"late{n}", MODEL, "1", time.time() - 30 * DAY, GOOD, {"label": "low"}) for n in range(100)]
    store.add_predictions(late)
    with serve(database_url) as client:
        ids = [one["id"] for _ in range(10) for one in ask(client, 1000, **DURABLE)["predictions"]]
        items = [(id_, ("low", "high")[n % 2]) for n, id_ in enumerate(ids)]
        begun = time.perf_counter()
        first = label(client, items)
        seconds = time.perf_counter() - begun
        record_property("seconds for 10,000 labels", seconds)
        assert (first["joined"], first["unchanged"], first["refused"]) == (10_000, 0, [])
        assert label(client, items)["unchanged"] == 10_000
        corrected = [(id_, "low") for id_, _ in items]
        again = label(client, corrected)
        assert (again["changed"], again["unchanged"]) == (5000, 5000)
        mixed = [*((one.id, "high") for one in late), *((f"early{n}", "low") for n in range(100)), ("late0", "")]
        said = label(client, mixed)
        assert (said["joined"], said["orphaned"], len(said["refused"])) == (100, 100, 1)
        assert total(client, "tuneloop_label_delay_seconds_count") == 10_100
        assert total(client, "tuneloop_label_delay_seconds_sum") == pytest.approx(100 * 30 * DAY, rel=0.01)
        assert total(client, "tuneloop_labels_orphaned_total") == 100
        too_many = client.post("/feedback", json={"items": [{"id": "x", "label": "low"}] * 10_001})
        assert (too_many.status_code, too_many.json()["type"]) == (413, "urn:tuneloop:problem:too-many-rows")
    counts = store.counts(MODEL)
    assert (counts.predictions, counts.labelled, counts.corrections, counts.waiting) == (10_100, 10_100, 5000, 100)
    early = [Prediction(f"early{n}", MODEL, "1", time.time(), GOOD, {"label": "low"}) for n in range(100)]
    store.add_predictions(early)
    assert len(store.claim(MODEL)) == 100
    store.close()
    assert seconds < 30


def test_a_project_that_keeps_little_is_obeyed(serve: Serve, database_url: str, tmp_path: Path) -> None:
    policy = StorePolicy(sample=0.5, drop_columns=("age",), hash_columns=("job",))
    variables = store_variables(policy, tmp_path / "state")
    assert set(variables) == {POLICY_VARIABLE, KEY_VARIABLE}
    with serve(database_url, variables) as client:
        answer = ask(client, 1000, **DURABLE)
        assert answer["stored"] is False
        ids = [one["id"] for one in answer["predictions"]]
        labelled = label(client, [(id_, "low") for id_ in ids])
        single = [ask(client, **DURABLE) for _ in range(30)]
    kept = [id_ for id_ in ids if policy.takes(id_)]
    assert 400 < len(kept) < 600
    assert (labelled["joined"], labelled["unsampled"], labelled["orphaned"]) == (len(kept), 1000 - len(kept), 0)
    assert [one["stored"] for one in single] == [policy.takes(one["predictions"][0]["id"]) for one in single]
    store = PredictionStore(database_url)
    found = store.predictions(ids)
    assert sorted(found) == sorted(kept)
    rows = [one.row for one in found.values()]
    assert {str(row["age"]) for row in rows} == {"{'dropped': True}"}
    assert {row["hours per week"] for row in rows} == {40.5}
    assert len({row["job"]["hashed"] for row in rows}) == 1
    store.close()


def test_what_a_bento_says_is_obeyed_unless_a_variable_says_otherwise(tmp_path: Path) -> None:
    file, policy = tmp_path / POLICY_FILE, StorePolicy(sample=0.5, inputs="hash", required=True)
    assert Settings.from_environment({}, file).store.policy == StorePolicy()
    file.write_text(policy.as_json())
    # Nothing is stored, so no key is asked for.
    assert Settings.from_environment({}, file).store.policy == policy
    with pytest.raises(ServingError, match=f"{KEY_VARIABLE} names no file"):
        Settings.from_environment({"TUNELOOP_STORE_URL": "sqlite://"}, file)
    said = StorePolicy(sample=0.25)
    assert Settings.from_environment({POLICY_VARIABLE: said.as_json()}, file).store.policy == said
    file.write_text('{"sample": 7}')
    with pytest.raises(ServingError, match=rf"{POLICY_FILE} is no policy of a store"):
        Settings.from_environment({}, file)


def test_a_store_that_is_required_is_not_waited_for() -> None:
    url = "postgresql+psycopg://me:geheim@127.0.0.1:1/x"

    def opened(policy: StorePolicy) -> Storing:
        return Storing(url, MODEL, StoreSettings(url, policy), written=lambda _: None, compared=lambda _: None)

    with pytest.raises(ServingError, match="nobody listens") as caught:
        opened(StorePolicy(required=True))
    assert "geheim" not in str(caught.value)
    opened(StorePolicy()).close()


@pytest.fixture
def hang(request: pytest.FixtureRequest, database_url: str) -> Callable[[], AbstractContextManager[None]]:
    """Makes the store hang: a lock on SQLite that nobody gives back, a PostgreSQL whose processes stand still."""

    @contextmanager
    def hanging() -> Iterator[None]:
        if database_url.startswith("sqlite"):
            holder = sqlite3.connect(database_url.removeprefix("sqlite:///"), isolation_level=None)
            holder.execute("BEGIN IMMEDIATE")
            yield
            holder.execute("ROLLBACK")
            holder.close()
        else:
            server: Postgres = request.getfixturevalue("postgres_server")
            server.freeze()
            yield
            server.resume()

    return hanging


def _latencies(client: httpx.Client, count: int) -> list[float]:
    found = []
    for _ in range(count):
        begun = time.perf_counter()
        ask(client)
        found.append(time.perf_counter() - begun)
    return found


@pytest.mark.slow
def test_a_store_that_hangs_slows_no_answer_and_what_it_misses_is_counted(
    serve: Serve,
    database_url: str,
    hang: Callable[[], AbstractContextManager[None]],
    record_property: Callable[[str, object], None],
) -> None:
    calm: list[float] = []
    hung: list[float] = []
    rounds = 3
    with serve(database_url) as client:
        _latencies(client, 100)
        for _ in range(rounds):
            calm += _latencies(client, 250)
            with hang():
                # More than the queue holds, so that the answers measured find it full.
                for _ in range(22):
                    ask(client, 1000)
                hung += _latencies(client, 250)
                assert ask(client)["predictions"]
            # Whoever waits to be stored hears that it was, once the store answers again.
            deadline = time.monotonic() + 300
            while not ask(client, **DURABLE)["stored"]:
                assert time.monotonic() < deadline
        asked, dropped = total(client, "tuneloop_predictions_total"), total(client, "tuneloop_store_dropped_rows_total")
    store = PredictionStore(database_url)
    assert store.counts(MODEL).predictions == asked - dropped
    store.close()
    assert dropped >= rounds * 1000
    medians, tails = ([np.percentile(part, share) * 1e3 for part in (calm, hung)] for share in (50, 99))
    said = f"median {medians[0]:.2f} -> {medians[1]:.2f} ms, p99 {tails[0]:.2f} -> {tails[1]:.2f} ms"
    record_property("answers while the store hangs", said)
    assert medians[1] < 2 * medians[0], said
    assert tails[1] < 3 * tails[0] + 20, said


def test_labels_for_a_store_that_hangs_leave_the_threads_of_large_requests_alone(
    serve: Serve, postgres: str, postgres_server: Postgres
) -> None:
    from concurrent.futures import ThreadPoolExecutor

    with serve(postgres) as client, ThreadPoolExecutor(40) as pool:
        id_ = ask(client, **DURABLE)["predictions"][0]["id"]
        body = {"items": [{"id": id_, "label": "low"}]}
        postgres_server.freeze()
        try:
            calls = [pool.submit(client.post, "/feedback", json=body) for _ in range(40)]
            begun = time.perf_counter()
            assert len(ask(client, 1000)["predictions"]) == 1000
            assert time.perf_counter() - begun < 10
        finally:
            postgres_server.resume()
        answers = [call.result() for call in calls]
    assert {answer.status_code for answer in answers} <= {200, 429, 503}
    assert sum(answer.status_code == 200 and answer.json()["joined"] for answer in answers) == 1
