from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tuneloop.api import Columns, NoOptions
from tuneloop.artifact import Artifact, DataUse, Lineage, Manifest, Parity, Part, Signature, seal, write_atomic
from tuneloop.config import Project
from tuneloop.config.project import Data, Evaluate, Export, Gate, Model, Monitor, Retrain, Rollout, Serve, Split, Tune
from tuneloop.loop.brain import Brain
from tuneloop.loop.deciding.decisions import Decisions
from tuneloop.loop.deciding.evidence import EvidenceReader
from tuneloop.loop.records import Database, database_url
from tuneloop.monitoring.metrics import loop_metrics
from tuneloop.monitoring.store import Prediction, PredictionStore

HOUR = 3600.0


@dataclass
class Clock:
    now: float = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Observers:
    """In place of the plugin manager: remembers what observers would be told."""

    events: list[Any] = field(default_factory=list)

    def notify(self, hook: str, event: object) -> None:
        self.events.append((hook, event))


def make_artifact(folder: Path, content: bytes) -> Artifact:
    """A sealed artifact of the desk, which holds the content as its graph."""
    folder.mkdir(parents=True)
    write_atomic(folder / "model.onnx", content)
    return seal(
        folder,
        Manifest(
            model="desk",
            task=Part(name="tabular-classification"),
            preprocessor="tabular",
            base_model="tabular-mlp",
            strategy="full",
            signature=Signature(columns=(), inputs=(), outputs=(), output_names=("a", "b")),
            metrics={"accuracy": 0.9},
            variants={},
            parity=Parity(rows=1, max_difference=0.0, changed_answers=0),
            data=DataUse(fingerprint="0", rows={}),
            lineage=Lineage(parent=None, pipeline="0"),
            plugins=(),
            libraries={},
        ),
    )


def make_project(root: Path, *, rollout: Rollout | None = None, **retrain: Any) -> Project:
    options = NoOptions()
    chosen = {"on": ("drift", "accuracy"), "min_labels": 10, "cooldown": HOUR, "daily_budget": 2, "port": 0}
    return Project(
        name="desk",
        root=root,
        task="tabular-classification",
        data=Data("csv", options, Columns({}, "label"), (), Split(0.1, 0.1, 0.1, None, 0)),
        model=Model("tabular-mlp", options),
        tune=Tune("full", options, 0),
        evaluate=Evaluate(("accuracy",)),
        gate=Gate({}, "accuracy", 0.01),
        export=Export("onnx", options, None, 0.005, 1e-3, 0.0),
        serve=Serve("127.0.0.1", 3000, 1, 1),
        monitor=Monitor(HOUR, 100, 0.05, 4.0, 100, 0.02, ()),
        retrain=Retrain(**{**chosen, **retrain}),
        source_sha256="0" * 64,
        rollout=rollout or Rollout(watch=0.5),
    )


@dataclass
class Desk:
    """A brain on real records and a real store; runs are only noted."""

    brain: Brain
    decisions: Decisions
    store: PredictionStore
    clock: Clock
    observers: Observers
    begun: list[str]

    def label(self, rows: int, *, first: int = 0) -> None:
        """Store predictions with labels; half of each label."""
        ids = [f"p{number}" for number in range(first, first + rows)]
        now = self.clock()
        self.store.add_predictions(
            [Prediction(id_, "desk", "1", now, {"x": number}, {"label": "a"}) for number, id_ in enumerate(ids)]
        )
        self.store.add_labels([(id_, "ab"[number % 2]) for number, id_ in enumerate(ids)])


@pytest.fixture(autouse=True)
def _own_databases(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MLFLOW_TRACKING_URI", "TUNELOOP_DATABASE_URL", "TUNELOOP_STORE_URL"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def make_desk(tmp_path: Path, clock: Clock) -> Iterator[Callable[..., Desk]]:
    closing: list[Any] = []

    def make(**retrain: Any) -> Desk:
        project = make_project(tmp_path, **retrain)
        database = Database(database_url(project.state), project.name)
        store = PredictionStore(f"sqlite:///{project.state / 'predictions.db'}", clock=clock)
        closing.extend([database, store])
        observers, begun = Observers(), []

        def begin(run: str) -> str:
            if run not in begun:
                begun.append(run)
            return "PENDING"

        decisions = Decisions(database, clock)
        evidence = EvidenceReader(store, project.name)
        brain = Brain(project, observers, decisions, evidence, loop_metrics(), begin, clock)  # type: ignore[arg-type]
        return Desk(brain, decisions, store, clock, observers, begun)

    yield make
    for one in closing:
        one.close()


@pytest.fixture
def make_world_project() -> Callable[..., Project]:
    return make_project
