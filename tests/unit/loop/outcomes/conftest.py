"""A store with labelled answers, and detectors that are easy to follow."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pydantic
import pytest

from tuneloop.api import Detector, hookimpl
from tuneloop.config import Project
from tuneloop.loop.outcomes import OutcomeReader
from tuneloop.monitoring.store import Prediction, PredictionStore
from tuneloop.plugins import PluginManager

_NUMBER = itertools.count()


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        self.now += 0.001
        return self.now


class Streak(Detector):
    """So many wrong answers in a row are a rise, so many right ones after a wrong one a fall."""

    name = "streak"

    class Options(pydantic.BaseModel, extra="forbid"):
        length: int = pydantic.Field(5, description="Of the row.")

    def __init__(self, options: Any = None) -> None:
        super().__init__(options)
        self.errors: list[float] = []

    def update(self, error: float) -> Any:
        self.errors.append(error)
        last = self.errors[-self.options.length :]
        if len(last) < self.options.length:
            return None
        return "rise" if min(last) == 1 else "fall" if max(last) == 0 < max(self.errors) else None

    def mean(self) -> float:
        return sum(self.errors) / len(self.errors) if self.errors else 0.0


class Brittle(Streak):
    """Raises at the first error."""

    name = "brittle"

    def update(self, error: float) -> Any:
        return 1 / (1 - error) and None


class Babbler(Streak):
    """Says what no detector may say."""

    name = "babbler"

    def update(self, error: float) -> Any:
        return "maybe"


@pytest.fixture(scope="session")
def plugins() -> PluginManager:
    module = ModuleType("outcome_test_plugin")
    module.TUNELOOP_API = ">=1,<2"  # type: ignore[attr-defined]
    module.tuneloop_detectors = hookimpl(lambda: [Streak, Brittle, Babbler])  # type: ignore[attr-defined]
    manager = PluginManager()
    assert manager.add(module, name="outcome-test").status == "loaded"
    return manager


def judge(version: str, answer: Any, label: Any) -> float | None:
    return None if label == "?" else float(answer["label"] != label)


@dataclass
class World:
    """Answers that are all `a`, labels as they come, and readers that read them."""

    url: str
    store: PredictionStore
    project: Project
    plugins: PluginManager
    clock: Clock
    answered: int = 0

    def answer(self, rows: int, version: str = "1", subject: str | None = None) -> list[str]:
        """Store answers; gives their ids."""
        ids = [f"p{self.answered + number:06}" for number in range(rows)]
        self.answered += rows
        self.store.add_predictions(
            [
                Prediction(id_, self.project.name, version, self.clock(), {"x": id_}, {"label": "a"}, subject)
                for id_ in ids
            ]
        )
        return ids

    def label(self, labels: Sequence[str], version: str = "1") -> list[str]:
        """Answers with their labels, one after the other."""
        ids = self.answer(len(labels), version)
        for pair in zip(ids, labels, strict=True):
            self.store.add_labels([pair])
        return ids

    def reader(self, **other: Any) -> OutcomeReader:
        """A reader as a new process would make it."""
        given = {"judge": judge, "clock": self.clock, **other}
        return OutcomeReader(self.store, self.project, self.plugins, **given)

    def sample(self, name: str, **labels: str) -> float:
        """What the metrics page shows; 0 where nothing is shown."""
        from prometheus_client import REGISTRY

        return REGISTRY.get_sample_value(name, {"model": self.project.name, **labels}) or 0.0

    def changes(self, direction: str = "rise", version: str = "1", detector: str = "streak") -> float:
        return self.sample("tuneloop_detector_changes_total", version=version, detector=detector, direction=direction)


@pytest.fixture
def make_world(
    database_url: str, tmp_path: Path, plugins: PluginManager, make_world_project: Callable[..., Project]
) -> Iterator[Callable[..., World]]:
    """Worlds on each engine; collectors cannot be taken back, so each has a model of its own."""
    stores = []

    def make(*detectors: str) -> World:
        clock = Clock()
        store = PredictionStore(database_url, clock=clock)
        stores.append(store)
        project = make_world_project(tmp_path)
        chosen = tuple((name, plugins.get("detector", name).Options()) for name in detectors or ("streak",))
        monitor = replace(project.monitor, detectors=chosen)
        return World(
            database_url,
            store,
            replace(project, name=f"desk-{next(_NUMBER)}", monitor=monitor),
            plugins,
            clock,
        )

    yield make
    for store in stores:
        store.close()


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    return make_world()
