"""What a project file says, in frozen types: everything checked, every default filled in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pydantic

from tuneloop.api import Columns

Trigger = Literal["drift", "accuracy"]


@dataclass(frozen=True, slots=True)
class Split:
    """Shares of the rows, each above 0 and together below 1; the rest is for training.

    `key` names the column whose hash decides where a row goes; None: the whole row decides.
    """

    validation: float
    test: float
    golden: float
    key: str | None
    seed: int


@dataclass(frozen=True, slots=True)
class Data:
    """Where rows come from. `options` is the data source's own model; each transform is a name with its options."""

    source: str
    options: pydantic.BaseModel
    columns: Columns
    transforms: tuple[tuple[str, pydantic.BaseModel], ...]
    split: Split


@dataclass(frozen=True, slots=True)
class Model:
    """What is fine-tuned."""

    base: str
    options: pydantic.BaseModel


@dataclass(frozen=True, slots=True)
class Tune:
    """How it is fine-tuned."""

    strategy: str
    options: pydantic.BaseModel
    seed: int


@dataclass(frozen=True, slots=True)
class Evaluate:
    """What is measured; the first metric picks the best checkpoint where nothing else says so."""

    metrics: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Gate:
    """What a challenger must fulfil.

    Attributes:
        require: Metric to the value it must reach: at least, or at most where less is better.
        champion_metric: What the champion is compared by; None: no comparison.
        champion_margin: How much worse than the champion is still accepted, in the metric's own unit.
    """

    require: Mapping[str, float]
    champion_metric: str | None
    champion_margin: float


@dataclass(frozen=True, slots=True)
class Export:
    """How the artifact is made.

    Attributes:
        format: The exporter.
        options: Its options.
        quantize_mode: One of the exporter's quantisations; None: the float model is served.
        quantize_max_loss: How much of the first metric a quantised model may lose.
        tolerance: Largest accepted difference between exported and tuned outputs.
        max_changed: Share of validation answers that the export may change.
    """

    format: str
    options: pydantic.BaseModel
    quantize_mode: str | None
    quantize_max_loss: float
    tolerance: float
    max_changed: float


@dataclass(frozen=True, slots=True)
class Serve:
    """Where and how wide it is served."""

    host: str
    port: int
    workers: int
    threads: int
    device: Literal["auto", "cpu", "gpu"] = "auto"


@dataclass(frozen=True, slots=True)
class Links:
    """Addresses of pages for people, without a slash at the end; empty where there is none."""

    grafana: str = ""
    mlflow: str = ""
    runbook: str = ""


@dataclass(frozen=True, slots=True)
class Monitor:
    """When drift is drift. `window` is in seconds, `exclude` holds labels of signals that never alert."""

    window: float
    min_rows: int
    psi: float
    zscore: float
    min_labels: int
    accuracy_drop: float
    exclude: tuple[str, ...]
    links: Links = Links()


@dataclass(frozen=True, slots=True)
class Retrain:
    """When the loop retrains. `cooldown` is in seconds; an empty `on` means never."""

    on: tuple[Trigger, ...]
    min_labels: int
    cooldown: float
    daily_budget: int
    port: int


@dataclass(frozen=True, slots=True)
class Project:
    """One project file.

    Attributes:
        root: The folder of the file, absolute; relative paths are relative to it.
        source_sha256: Hash of the file's bytes, in hexadecimal.
        requires_plugins: The distributions with plugins that must be installed, each with its versions.
    """

    name: str
    root: Path
    task: str
    data: Data
    model: Model
    tune: Tune
    evaluate: Evaluate
    gate: Gate
    export: Export
    serve: Serve
    monitor: Monitor
    retrain: Retrain
    source_sha256: str
    requires_plugins: tuple[str, ...] = ()

    @property
    def state(self) -> Path:
        """The folder of everything Tuneloop writes for this project."""
        return self.root / ".tuneloop"
