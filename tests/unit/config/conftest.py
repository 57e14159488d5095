from __future__ import annotations

import types
from pathlib import Path
from typing import Any, Literal

import pydantic
import pytest

from tuneloop.api import BaseModel, DataSource, Detector, Exporter, Metric, Strategy, Task, Transform, hookimpl
from tuneloop.config import Project, parse_project
from tuneloop.plugins import PluginManager


class Described(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)


class LinesOptions(Described):
    path: str = pydantic.Field(min_length=1, description="The file.")


class CleanOptions(Described):
    column: str = pydantic.Field(description="The column.")


class CheckpointOptions(Described):
    checkpoint: str = pydantic.Field(description="Where the weights are.")
    pooling: Literal["mean", "cls"] = pydantic.Field("mean", description="How.")


class Stopping(Described):
    metric: str = pydantic.Field(description="What to watch.")
    patience: int = pydantic.Field(2, ge=1, description="Epochs.")


class TuneOptions(Described):
    epochs: float = pydantic.Field(3, gt=0, le=1000, description="Passes over the rows.")
    learning_rate: float = pydantic.Field(3e-5, gt=0, description="Step size.")
    early_stopping: Stopping | None = pydantic.Field(None, description="When to stop.")


class DetectorOptions(Described):
    delta: float = pydantic.Field(0.002, gt=0, lt=1, description="Chance of a false alarm.")


class LooseOptions(pydantic.BaseModel):
    alpha: int = pydantic.Field(1, description="A model that ignores what it does not know.")


def sound(base: type, name: str, **members: Any) -> Any:
    """A class that passes every check of the manager and does nothing."""
    body = {method: lambda self: None for method in base.__abstractmethods__}
    return type(name.title().replace("-", ""), (base,), {**body, "name": name, **members})


TEXT, TABLE, AMOUNT = "text-classification", "tabular-classification", "tabular-regression"


def task(name: str, loss: str, roles: dict[str, str], metrics: tuple[str, ...]) -> Any:
    return sound(Task, name, loss=loss, roles=roles, default_metrics=metrics, AnswerModel=Described)


def metric(name: str, *kinds: str, maximize: bool = True) -> Any:
    return sound(Metric, name, kinds=frozenset(kinds), maximize=maximize)


CLASSES: dict[str, list[Any]] = {
    "tuneloop_tasks": [
        task(TEXT, "cross_entropy", {"text": "The text to classify."}, ("macro_f1", "accuracy")),
        task(TABLE, "cross_entropy", {}, ("macro_f1",)),
        task(AMOUNT, "mse", {}, ("rmse",)),
    ],
    "tuneloop_data_sources": [sound(DataSource, name, Options=LinesOptions) for name in ("jsonl", "csv")],
    "tuneloop_transforms": [sound(Transform, "lowercase"), sound(Transform, "text-clean", Options=CleanOptions)],
    "tuneloop_base_models": [
        sound(BaseModel, "transformers", framework="torch", tasks=frozenset({TEXT}), Options=CheckpointOptions),
        sound(BaseModel, "mlp", framework="torch", tasks=frozenset({TABLE, AMOUNT}), Options=LooseOptions),
        sound(BaseModel, "forest", framework="sklearn", tasks=frozenset({TABLE})),
    ],
    "tuneloop_strategies": [
        sound(Strategy, "full", framework="torch", Options=TuneOptions),
        sound(Strategy, "gradual-unfreezing", framework="torch", Options=TuneOptions),
        sound(
            Strategy,
            "frozen",
            framework="torch",
            Options=TuneOptions,
            unused=lambda _: {"learning_rate": "nothing learns at it"},
        ),
        sound(Strategy, "fit", framework="sklearn"),
    ],
    "tuneloop_exporters": [
        sound(Exporter, "onnx", frameworks=frozenset({"torch"}), quantizations=("int8-dynamic", "int8-static"))
    ],
    "tuneloop_metrics": [
        metric("accuracy", "classification"),
        metric("macro_f1", "classification"),
        metric("rmse", "regression", maximize=False),
    ],
    "tuneloop_detectors": [sound(Detector, "adwin", Options=DetectorOptions), sound(Detector, "run-of-errors")],
}


@pytest.fixture(scope="session")
def plugins_module() -> types.ModuleType:
    module = types.ModuleType("config_test_plugin")
    module.TUNELOOP_API = ">=1,<2"  # type: ignore[attr-defined]
    for hook, classes in CLASSES.items():
        setattr(module, hook, hookimpl(lambda classes=classes: classes))
    return module


@pytest.fixture(scope="session")
def plugins(plugins_module: types.ModuleType) -> PluginManager:
    manager = PluginManager()
    record = manager.add(plugins_module, name="config-test")
    assert record.status == "loaded", record.reason
    return manager


@pytest.fixture
def parse(plugins: PluginManager) -> Any:
    def run(text: str | bytes) -> Project:
        content = text if isinstance(text, bytes) else text.encode()
        return parse_project(content, Path("tuneloop.yaml"), plugins)

    return run


DESK = """\
name: language-desk
task: text-classification
data:
  {source: jsonl, path: data/messages.jsonl, columns: {text: message, label: language},
   split: {validation: 0.1, test: 0.1, golden: 0.1, key: id}}
model: {base: transformers, checkpoint: models/minilm}
tune: {strategy: gradual-unfreezing, epochs: 4, learning_rate: 3.0e-5, early_stopping: {metric: macro_f1, patience: 2}}
evaluate: {metrics: [macro_f1, accuracy]}
gate: {require: {macro_f1: 0.90}, champion: {metric: macro_f1, margin: 0.01}}
export: {format: onnx, quantize: {mode: int8-dynamic, max_loss: 0.005}}
serve: {port: 3000, workers: 1, threads: 2}
monitor: {window: 1h}
retrain: {on: [drift, accuracy], min_labels: 200, cooldown: 6h}
"""


@pytest.fixture
def desk() -> str:
    return DESK
