"""`tuneloop loop` as a user starts it, on a small real project: killed and stopped while it trains; poisoned labels."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tuneloop.monitoring.alerts import Alert, Condition, State
from tuneloop.monitoring.store import Prediction, PredictionStore
from tuneloop.monitoring.webhook import payload, post
from tuneloop.pipeline.runs.records import is_active, read_status

pytest.importorskip("dbos")
pytest.importorskip("torch")
pytestmark = pytest.mark.slow

DEADLINE = 300.0
PROJECT = """\
name: income
task: tabular-classification
data: {source: csv, path: people.csv, columns: {label: income},
  split: {validation: 0.2, test: 0.2, golden: 0.2, key: id}}
model: {base: tabular-mlp, hidden: [16]}
tune: {strategy: full, epochs: 6, learning_rate: 1.0e-2}
evaluate: {metrics: [macro_f1, accuracy]}
gate: {require: {macro_f1: 0.7}, champion: {metric: macro_f1, margin: 0.1, slice_margin: 0.2}}
export: {format: onnx}
serve: {port: 9}
retrain: {on: [accuracy], min_labels: 100, cooldown: 1h}
"""


def person(generator: random.Random, pilots: int) -> tuple[dict[str, Any], str]:
    row = {
        "age": generator.randint(18, 80),
        "hours": generator.randint(1, 60),
        "job": generator.choice(["clerk", "cook", "pilot"]),
    }
    score = row["age"] + 2 * row["hours"] + {"clerk": 0, "cook": -10, "pilot": pilots}[row["job"]]
    return row, "high" if score > 110 else "low"


def command(root: Path, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "tuneloop.cli.main", *arguments, "--project", str(root)]


def environment() -> dict[str, str]:
    dropped = ("MLFLOW_TRACKING_URI", "TUNELOOP_DATABASE_URL", "TUNELOOP_STORE_URL")
    return {**{k: v for k, v in os.environ.items() if k not in dropped}, "OMP_NUM_THREADS": "1"}


def call(root: Path, *arguments: str) -> str:
    done = subprocess.run(
        command(root, *arguments), capture_output=True, text=True, env=environment(), timeout=DEADLINE
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A project with a champion, and a copy of it to go back to."""
    root = tmp_path_factory.mktemp("loop") / "income"
    root.mkdir()
    (root / "tuneloop.yaml").write_text(PROJECT)
    generator = random.Random(1)
    people = [(number, *person(generator, 20)) for number in range(600)]
    lines = [f"{number},{row['age']},{row['hours']},{row['job']},{label}" for number, row, label in people]
    (root / "people.csv").write_text("\n".join(["id,age,hours,job,income", *lines]) + "\n")
    call(root, "run")
    kept = root.with_name("kept")
    shutil.copytree(root, kept)
    return root, kept


@pytest.fixture
def root(served: tuple[Path, Path]) -> Path:
    """The project as it was: at its own place, for its records name absolute paths."""
    root, kept = served
    shutil.rmtree(root)
    shutil.copytree(kept, root)
    return root


@pytest.fixture
def start(root: Path) -> Iterator[Callable[[], tuple[subprocess.Popen[bytes], str]]]:
    processes = []

    def begin() -> tuple[subprocess.Popen[bytes], str]:
        log = root / "loop.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                command(root, "loop", "--port", "0"), stdout=output, stderr=subprocess.STDOUT, env=environment()
            )
        processes.append(process)
        wait(lambda: b"retrains on" in log.read_bytes() or process.poll() is not None)
        return process, log.read_text().split("listens at ")[1].split()[0]

    yield begin
    for process in processes:
        process.kill()
        process.wait()


def wait(condition: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + DEADLINE
    while not (found := condition()):
        assert time.monotonic() < deadline
        threading.Event().wait(0.02)
    return found


def label(root: Path, rows: list[tuple[dict[str, Any], str]]) -> None:
    store = PredictionStore(f"sqlite:///{root / '.tuneloop' / 'predictions.db'}")
    now = time.time()
    store.add_predictions([Prediction(f"p{n}", "income", "1", now, row, {}) for n, (row, _) in enumerate(rows)])
    store.add_labels([(f"p{n}", given) for n, (_, given) in enumerate(rows)])
    store.close()


def alert(root: Path, address: str) -> None:
    labels = (("alertname", "TuneloopAccuracyLow"), ("model", "income"), ("version", "1"))
    fires = Alert(Condition(labels, {"summary": "Answers got worse."}), State.FIRING, 900.0, 1000.0)
    body = payload([fires], receiver="tuneloop", external_url="http://127.0.0.1")
    post(f"{address}/alerts", body, token=(root / ".tuneloop" / "loop.token").read_text().strip())


def ended(address: str) -> Any:
    def look() -> Any:
        with urllib.request.urlopen(f"{address}/status", timeout=120) as answer:
            (run,) = json.load(answer)["runs"]
        return run if run["ended"] else None

    return wait(look)


def test_killed_and_stopped_while_it_trains_it_promotes_once(root: Path, start: Any) -> None:
    generator = random.Random(2)
    label(root, [person(generator, -60) for _ in range(300)])
    process, address = start()
    alert(root, address)
    (status,) = wait(lambda: list((root / ".tuneloop" / "runs").glob("loop-*/status.json")))
    folder = status.parent
    wait(lambda: read_status(folder).step == "baseline")
    process.kill()
    process.wait()
    wait(lambda: not is_active(folder))

    process, address = start()
    wait(lambda: read_status(folder).step == "tune" and is_active(folder))
    process.send_signal(signal.SIGTERM)
    assert process.wait(15) == 0
    assert not is_active(folder)
    assert "running" in call(root, "loop", "status")

    process, address = start()
    alert(root, address)
    run = ended(address)
    assert (run["outcome"], run["version"]) == ("promoted", "2")
    moves = json.loads(call(root, "models", "--history", "--json"))
    assert [(move["version"], move["who"]) for move in moves][1:] == [("2", "loop")]
    assert len(json.loads(call(root, "models", "--json"))) == 2
    assert "300 labelled rows" in call(root, "loop", "status")
    process.send_signal(signal.SIGTERM)
    assert process.wait(15) == 0


def test_poisoned_labels_are_refused_and_the_champion_stays(root: Path, start: Any) -> None:
    generator = random.Random(3)
    flip = {"high": "low", "low": "high"}
    label(root, [(row, flip[given]) for row, given in (person(generator, 20) for _ in range(600))])
    process, address = start()
    alert(root, address)
    run = ended(address)
    assert run["outcome"] == "refused"
    assert "golden" in run["reason"]
    (champion,) = [one for one in json.loads(call(root, "models", "--json")) if "champion" in one["aliases"]]
    assert champion["number"] == "1"
    status = json.loads(call(root, "loop", "status", "--json"))
    assert [one["outcome"] for one in status["runs"]] == ["refused"]
    process.send_signal(signal.SIGTERM)
    assert process.wait(15) == 0
