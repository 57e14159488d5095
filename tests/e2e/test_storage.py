"""Rows, checkpoints, artifacts and the channel in an S3-compatible store: another machine goes on, and serves."""

from __future__ import annotations

import gzip
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from tests.object_store import ObjectStore, running_store

pytest.importorskip("dbos")
pytest.importorskip("torch")
pytestmark = pytest.mark.cluster

_DEADLINE = 600.0
_PROJECT = """\
name: income
storage: s3://models/shared
task: tabular-classification
data: {source: csv, path: "s3://rows/*.csv.gz", columns: {label: income},
  split: {validation: 0.2, test: 0.2, golden: 0.2, key: id}}
model: {base: tabular-mlp, hidden: [16]}
tune: {strategy: full, epochs: 60, batch_size: 8, learning_rate: 1.0e-2, checkpoint_steps: 5}
evaluate: {metrics: [macro_f1, accuracy]}
gate: {require: {macro_f1: 0.5}}
"""
SHARED = "shared/income"


def rows() -> bytes:
    generator = random.Random(1)
    lines = ["id,age,hours,job,income"]
    for number in range(500):
        age, hours, job = generator.randint(18, 80), generator.randint(1, 60), generator.choice(["clerk", "cook"])
        lines.append(f"{number},{age},{hours},{job},{'high' if age * 0.03 + hours * 0.05 > 3 else 'low'}")
    return gzip.compress("\n".join(lines).encode(), mtime=0)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStore]:
    with running_store(tmp_path_factory.mktemp("moto")) as server:
        yield server


@pytest.fixture
def machine(store: ObjectStore, tmp_path: Path) -> Callable[[str], Path]:
    """A function that gives the folder of the same project on another machine."""
    store.reset()
    for bucket in ("rows", "models"):
        store.client("s3").create_bucket(Bucket=bucket)
    store.client("s3").put_object(Bucket="rows", Key="people.csv.gz", Body=rows())

    def make(name: str) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        (folder / "tuneloop.yaml").write_text(_PROJECT)
        return folder

    return make


def start(store: ObjectStore, folder: Path, *arguments: str, **environment: str) -> subprocess.Popen[str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in ("MLFLOW_TRACKING_URI", "TUNELOOP_DATABASE_URL", "TUNELOOP_CHANNEL")
    }
    return subprocess.Popen(
        [sys.executable, "-m", "tuneloop.cli.main", *arguments, "--project", str(folder)],
        env={**kept, "OMP_NUM_THREADS": "1", **store.environment(), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def done(process: subprocess.Popen[str]) -> tuple[int, str]:
    output, _ = process.communicate(timeout=_DEADLINE)
    return process.returncode, output


def until(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + _DEADLINE
    while not condition():
        assert process.poll() is None, done(process)
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_another_machine_goes_on_with_a_killed_run_and_a_third_one_serves(
    store: ObjectStore, machine: Callable[[str], Path], free_port: int
) -> None:
    first, second, third = machine("first"), machine("second"), machine("third")
    process = start(store, first, "run")
    until(lambda: any("/checkpoints/whole.json" in name for name in store.files("models")), process)
    process.kill()
    done(process)
    kept = store.files("models")
    (run,) = {name.split("/")[3] for name in kept if name.startswith(f"{SHARED}/runs/")}
    assert not [name for name in kept if "/artifacts/" in name]
    assert f"{SHARED}/channel.json" not in kept

    status, output = done(start(store, second, "run", "--resume", run))
    assert status == 0, output
    # It began with the checkpoints of the first machine.
    assert store.asked(f"GET /models/{SHARED}/steps/{_trained(kept)}/checkpoints/files/")
    (steps,) = (path for path in (second / ".tuneloop" / "steps").glob("tune-*"))
    assert (steps / "output.json").is_file()
    kept = store.files("models")
    shas = {name.split("/")[3] for name in kept if name.startswith(f"{SHARED}/artifacts/")}
    assert len(shas) == 1
    assert f"{SHARED}/channel.json" in kept
    # What only an unfinished run needs is gone with the run.
    assert not [name for name in kept if name.startswith((f"{SHARED}/steps/", f"{SHARED}/runs/"))]

    server = start(store, third, "serve", "--port", str(free_port))
    try:
        until(lambda: _ready(free_port), server)
        body = {"rows": [{"age": 70, "hours": 50, "job": "cook"}]}
        answer = httpx.post(f"http://127.0.0.1:{free_port}/predict", json=body, timeout=_DEADLINE)
        assert answer.json()["version"] == "1", answer.text
        status, output = done(start(store, second, "predict", "--input", "s3://rows/people.csv.gz",
                                    "--output", str(second / "answers.csv")))  # fmt: skip
        assert status == 0, output
        assert len((second / "answers.csv").read_text().splitlines()) == 501
    finally:
        server.terminate()
        done(server)


def test_where_the_artifact_may_not_be_written_nothing_is_registered_and_a_resumed_run_goes_on(
    store: ObjectStore, machine: Callable[[str], Path]
) -> None:
    folder = machine("only")
    keys = store.forbid_writing("models", f"{SHARED}/artifacts/")
    status, output = done(start(store, folder, "run", **keys))
    assert status != 0, output
    assert "the artifact s3://models/shared/income/artifacts/" in output
    assert "cannot be stored: " in output
    assert "it goes on, with the project file as it was, by: tuneloop run --resume " in output
    assert keys["AWS_SECRET_ACCESS_KEY"] not in output
    assert "Traceback" not in output
    store.allow_everything()
    kept = store.files("models")
    assert not [name for name in kept if "/artifacts/" in name or name.endswith("channel.json")]
    assert "champion" not in done(start(store, folder, "models"))[1]
    trained = next((folder / ".tuneloop" / "steps").glob("tune-*/output.json")).stat().st_mtime_ns
    status, output = done(start(store, folder, "run", "--resume"))
    assert status == 0, output
    assert next((folder / ".tuneloop" / "steps").glob("tune-*/output.json")).stat().st_mtime_ns == trained
    assert [name for name in store.files("models") if name.endswith("/manifest.json")]


def _trained(kept: dict[str, int]) -> str:
    (name,) = {name.split("/")[3] for name in kept if name.startswith(f"{SHARED}/steps/")}
    return name


def _ready(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=60).status_code == 200
    except httpx.HTTPError:
        return False


@pytest.fixture
def free_port() -> int:
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port
