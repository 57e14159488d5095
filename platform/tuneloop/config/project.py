"""What a project file says, in frozen types: everything checked, every default filled in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pydantic

from tuneloop.api import Columns
from tuneloop.config.card_shape import Card
from tuneloop.config.search import Candidates, Search
from tuneloop.monitoring.store_policy import KEEP_ALL, StorePolicy

Trigger = Literal["drift", "accuracy", "concept"]


@dataclass(frozen=True, slots=True)
class Split:
    """Shares of the rows, each above 0 and together below 1; the rest is for training.

    `key` names the column whose hash decides where a row goes; None: the whole row decides. Rows that agree in column
    `group` stay together. By column `time` the newest rows are the test rows. `stratify` gives each class its shares.
    `fold` `(i, k)` is never written in a file: part i of k is the test split of one training of a cross-validation.
    """

    validation: float
    test: float
    golden: float
    key: str | None
    seed: int
    group: str | None = None
    time: str | None = None
    stratify: bool = False
    fold: tuple[int, int] | None = None


FindingName = Literal[
    "missing",
    "duplicates",
    "near-duplicates",
    "label conflicts",
    "rare classes",
    "leakage",
    "near-leakage",
    "personal data",
    "outliers",
    "identifiers",
]
"""What a look at the rows may find."""


@dataclass(frozen=True, slots=True)
class Check:
    """Which findings stop a run, and which are not looked for; all others are shown."""

    stop: tuple[FindingName, ...] = ()
    ignore: tuple[FindingName, ...] = ()


@dataclass(frozen=True, slots=True)
class Data:
    """Where rows come from. `options` is the data source's own model; each transform is a name with its options.

    `processes` encode the rows; None: all cores where there are many rows.
    """

    source: str
    options: pydantic.BaseModel
    columns: Columns
    transforms: tuple[tuple[str, pydantic.BaseModel], ...]
    split: Split
    check: Check = Check()
    processes: int | None = None


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
class Launch:
    """Where training runs."""

    launcher: str
    options: pydantic.BaseModel


@dataclass(frozen=True, slots=True)
class Evaluate:
    """What is measured; the first metric picks the best checkpoint where nothing else says so.

    Attributes:
        metrics: Names.
        calibrate: `temperature`: logits are divided by a number fitted on the validation split; `none`: they are not.
        folds: Into how many parts rows are cut for cross-validation; None: there is none.
    """

    metrics: tuple[str, ...]
    calibrate: Literal["temperature", "none"] = "temperature"
    folds: int | None = None


@dataclass(frozen=True, slots=True)
class Proof:
    """What is to be proven of a challenger against the champion.

    Attributes:
        prove: `worse`: it passes unless the estimate, or a slice, speaks against it; `not-worse`: it passes if a loss
            above the margin is ruled out.
        superiority: Where it must be proven better: `none`, `recent` labelled production rows, or `golden`.
        alpha: Error probability of all proofs against one champion together.
        slices: Columns that cut the golden holdout; None: by class, where answers are classes.
        slice_margin: How much worse a slice may be, in the unit of what it is compared by.
        min_slice_rows: Smaller slices are not judged.
    """

    prove: Literal["worse", "not-worse"] = "worse"
    superiority: Literal["none", "recent", "golden"] = "none"
    alpha: float = 0.05
    slices: tuple[str, ...] | None = None
    slice_margin: float = 0.05
    min_slice_rows: int = 50


@dataclass(frozen=True, slots=True)
class Gate:
    """What a challenger must fulfil.

    Attributes:
        require: Metric to the value it must reach: at least, or at most where less is better.
        champion_metric: What the champion is compared by; None: no comparison.
        champion_margin: How much worse than the champion is still accepted, in the metric's own unit.
        proof: What is to be proven of it against the champion.
    """

    require: Mapping[str, float]
    champion_metric: str | None
    champion_margin: float
    proof: Proof = Proof()


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
    """When drift is drift.

    Attributes:
        window: Seconds of traffic that are compared; the shortest where there are several.
        exclude: Signals that are not watched, by label or by the name of their kind.
        slices: Columns, or signals, by whose values accuracy is counted too.
        longer: More windows, each longer than the one before.
        signals: The only signals that are watched, by label or name; None: all.
        detectors: What reads late labels, each a name with its options.
    """

    window: float
    min_rows: int
    psi: float
    zscore: float
    min_labels: int
    accuracy_drop: float
    exclude: tuple[str, ...]
    links: Links = Links()
    slices: tuple[str, ...] = ()
    longer: tuple[float, ...] = ()
    signals: tuple[str, ...] | None = None
    detectors: tuple[tuple[str, pydantic.BaseModel], ...] = ()


@dataclass(frozen=True, slots=True)
class Retrain:
    """When the loop retrains.

    Attributes:
        on: Alerts that start a run; empty: none.
        min_labels: New labelled rows that must have arrived.
        cooldown: Seconds between the end of a run and the next.
        daily_budget: Runs within any 24 hours.
        port: Of the webhook.
        min_coverage: Share of the predictions that must have a label.
        max_label_noise: Share of new labels, beyond the champion's own error, that may be doubtful; 1: not checked.
        schedule: Cron expression of the times that start a run; None: none.
        timezone: Zone the schedule's hours are of; None: that of the machine.
    """

    on: tuple[Trigger, ...]
    min_labels: int
    cooldown: float
    daily_budget: int
    port: int
    min_coverage: float = 0.01
    max_label_noise: float = 0.1
    schedule: str | None = None
    timezone: str | None = None


@dataclass(frozen=True, slots=True)
class Shadow:
    """How a challenger is tried unseen.

    Attributes:
        seconds: How long at least.
        rows: Rows it must have answered.
        agreement: Share of its answers that must agree with the champion's; None: any.
    """

    seconds: float
    rows: int
    agreement: float | None = None


@dataclass(frozen=True, slots=True)
class Canary:
    """How a challenger is tried on a share of the requests.

    Attributes:
        steps: Shares of the requests, one after the other.
        seconds: How long each lasts at least.
        rows: Requests it must have answered in each.
        by: Column whose value decides who is asked; None: chance does.
    """

    steps: tuple[float, ...]
    seconds: float
    rows: int
    by: str | None = None


@dataclass(frozen=True, slots=True)
class RolloutLimits:
    """From where on a new version is worse than the champion.

    Attributes:
        error_rate: How many more of the requests may fail, as a share.
        latency_ratio: How many times as long the slowest requests may take.
        accuracy_drop: How much smaller the share of right answers may be.
    """

    error_rate: float = 0.01
    latency_ratio: float = 2.0
    accuracy_drop: float = 0.02


@dataclass(frozen=True, slots=True)
class Rollout:
    """How the loop brings a version that passed the gate to the servers.

    Attributes:
        shadow: None: it is not tried unseen.
        canary: None: it is not tried on a share of the requests.
        watch: Seconds for which a new champion is compared with the one before; None: not at all.
        approval: Whether a person must agree first.
        limits: From where on it is worse.
        timeout: Seconds that shadow and each step of the canary may wait for their rows.
        on_timeout: What too few rows by then mean.
    """

    shadow: Shadow | None = None
    canary: Canary | None = None
    watch: float | None = 1800.0
    approval: bool = False
    limits: RolloutLimits = RolloutLimits()
    timeout: float = 21600.0
    on_timeout: Literal["stop", "promote"] = "stop"


@dataclass(frozen=True, slots=True)
class Project:
    """One project file.

    Attributes:
        root: The folder of the file, absolute; relative paths are relative to it.
        source_sha256: Hash of the file's bytes, in hexadecimal.
        requires_plugins: The distributions with plugins that must be installed, each with its versions.
        launch: Where training runs; None: in this process.
        storage: Absolute path or fsspec URL where artifacts, channel and checkpoints are kept too; None: nowhere.
        search: Options that are looked for; None: none.
        candidates: Base models to choose from, of which `model` is the first; None where the project names one, or
            one was chosen.
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
    store: StorePolicy = KEEP_ALL
    rollout: Rollout = Rollout()
    launch: Launch | None = None
    card: Card = field(default_factory=Card)
    storage: str | None = None
    search: Search | None = None
    candidates: Candidates | None = None

    @property
    def state(self) -> Path:
        """The folder of everything Tuneloop writes for this project."""
        return self.root / ".tuneloop"
