"""The border: what may stand in each section of the file, before plugins have their say.

A section that names a plugin keeps the keys it does not know: they are the plugin's options.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pydantic
from packaging.utils import InvalidName, canonicalize_name
from pydantic import Field

from tuneloop.api.personal import PhoneCountry
from tuneloop.config.card_shape import CardShape
from tuneloop.config.launch_shape import LaunchShape
from tuneloop.config.live_shape import MonitorShape, RetrainShape, RolloutShape, StoreShape
from tuneloop.config.project import FindingName
from tuneloop.config.search_shape import SearchShape
from tuneloop.config.section import Port, Section, Share, Text, WithOptions


def _check_name(name: str) -> str:
    plain = name.replace("-", "")
    if not (len(name) <= 50 and plain.isascii() and plain.isalnum() and name == name.lower() and name[0].isalpha()):
        raise ValueError(
            "lower-case letters, digits and hyphens, a letter first, at most 50 characters: for example language-desk"
        )
    if name.endswith("-"):
        raise ValueError("a name that does not end with a hyphen")
    return name


Name = Annotated[Text, pydantic.AfterValidator(_check_name)]


def _check_storage(place: str) -> str:
    scheme, separator, rest = place.partition("://")
    if separator and not (scheme and rest.strip("/")):
        raise ValueError("a folder, or a URL with a bucket, such as s3://bucket/models")
    if separator and ("@" in rest.split("/", 1)[0] or "?" in rest):
        raise ValueError("a URL without user, password and query: those come from the environment")
    return place.rstrip("/") or "/"


Storage = Annotated[Text, pydantic.AfterValidator(_check_storage)]


class SplitShape(Section):
    """`data.split`."""

    validation: Share = Field(0.1, description="Share of the rows that picks the best checkpoint.")
    test: Share = Field(0.1, description="Share of the rows that reports the metrics.")
    golden: Share = Field(0.1, description="Share of the rows that no training ever sees, also no retraining.")
    key: Text | None = Field(None, description="Column whose hash decides where a row goes; omitted: the whole row.")
    group: Text | None = Field(None, description="Column, such as a customer: rows that agree in it stay together.")
    time: Text | None = Field(
        None,
        description="Column of times, as numbers or as texts from the year down: the newest rows test, those before "
        "validate; golden rows are of all times.",
    )
    stratify: bool = Field(False, description="Each class has its share of the test and validation rows.")
    seed: int = Field(0, ge=0, description="Another seed, another split.")

    @pydantic.model_validator(mode="after")
    def _one_way(self) -> SplitShape:
        ways = [name for name in ("group", "time") if getattr(self, name)] + ["stratify"] * self.stratify
        if len(ways) > 1:
            raise ValueError(f"one of group, time and stratify; there are {' and '.join(ways)}")
        return self

    @pydantic.model_validator(mode="after")
    def _leave_rows(self) -> SplitShape:
        total = self.validation + self.test + self.golden
        if total >= 1:
            raise ValueError(
                f"validation + test + golden below 1, so that rows are left to train on; they are {total:g}"
            )
        return self


class CheckShape(Section):
    """`data.check`."""

    stop: list[FindingName] = Field([], description="Findings that stop the run; all others are shown in the report.")
    ignore: list[FindingName] = Field([], description="Findings that are not looked for.")
    country: PhoneCountry | None = Field(
        None,
        description="Two letters of a country, such as GB, whose phone numbers are found also as they are written "
        "within it; by default only those that begin with + and a code.",
    )

    @pydantic.model_validator(mode="after")
    def _one_of_both(self) -> CheckShape:
        both = sorted(set(self.stop) & set(self.ignore))
        if both:
            raise ValueError(f"each finding in one of stop and ignore; in both: {', '.join(both)}")
        return self


class DataShape(WithOptions):
    """`data`; all other keys are options of the data source."""

    source: Text = Field(description="The data source that reads the rows.")
    columns: dict[str, Any] = Field(description="Which column has which role; `label` (or `target`) is the answer.")
    transforms: list[Any] = Field([], description="What cleans rows, in order: names, or mappings with `name`.")
    split: SplitShape = Field(SplitShape(), description="Shares of the rows.")
    processes: int | None = Field(
        None,
        ge=1,
        le=1024,
        description="Processes that encode rows for training; omitted: all cores where there are many rows. The result "
        "does not depend on it.",
    )
    check: CheckShape = Field(
        CheckShape(),
        description="What a look at the rows may find without stopping the run. Near-duplicates are looked for among "
        "10,000 rows of texts, label errors among 5,000 rows, spread evenly over all; outliers and identifiers among "
        "all rows of tables only.",
    )


class ModelShape(WithOptions):
    """`model`; all other keys are options of the base model."""

    base: Text = Field(description="The base model that is fine-tuned.")


class TuneShape(WithOptions):
    """`tune`; all other keys are options of the strategy."""

    strategy: Text = Field(description="How the model is fine-tuned.")
    seed: int = Field(0, ge=0, lt=2**32, description="Of all random numbers in training.")


class EvaluateShape(Section):
    """`evaluate`."""

    metrics: list[Text] | None = Field(None, min_length=1, description="Metrics; omitted: the task's own.")
    calibrate: Literal["temperature", "none"] = Field(
        "temperature",
        description="temperature: the scores of classes or labels are divided by a number fitted on the validation "
        "split, where that makes confidence more truthful; answers stay the same.",
    )
    folds: int | None = Field(
        None,
        ge=2,
        le=50,
        description="Cross-validation: train so many more times, each time tested on another part of the rows; golden "
        "rows stay out. Omitted: none.",
    )


class ChampionShape(Section):
    """`gate.champion`."""

    metric: Text = Field(description="Metric by which challenger and champion are compared.")
    margin: float = Field(0.01, ge=0, description="How much worse than the champion is still accepted.")
    prove: Literal["worse", "not-worse"] = Field(
        "worse",
        description="worse: refused where the estimate loses more than the margin, so that small holdouts can decide; "
        "about every second challenger that loses just the margin passes. not-worse: refused unless a loss above the "
        "margin is ruled out at level alpha; that takes thousands of rows for a margin of 0.01.",
    )
    superiority: Literal["none", "recent", "golden"] = Field(
        "none",
        description="Where the challenger must be proven better at level alpha: nowhere, on the labelled production "
        "rows that no model was trained on, or on the golden holdout.",
    )
    alpha: float = Field(
        0.05,
        gt=0,
        lt=0.5,
        description="How often a proof may err, over all attempts at one champion together: attempt k gets "
        "alpha/(k(k+1)).",
    )
    slices: list[Text] | None = Field(
        None,
        description="Columns by whose values the golden holdout is cut; no slice may be proven to lose more than "
        "slice_margin. Omitted: by class, where answers are classes.",
    )
    slice_margin: float = Field(0.05, ge=0, description="How much worse than the champion a slice may be.")
    min_slice_rows: int = Field(50, ge=2, description="Smaller slices are not judged.")


class GateShape(Section):
    """`gate`."""

    require: dict[str, float] = Field({}, description="Metric to its threshold: at least, or at most for errors.")
    champion: ChampionShape | None = Field(None, description="Comparison with the version that serves now.")


class QuantizeShape(Section):
    """`export.quantize`."""

    mode: Text = Field(description="One of the exporter's quantisations.")
    max_loss: float = Field(0.005, ge=0, description="How much of the first metric may be lost.")


class ExportShape(WithOptions):
    """`export`; all other keys are options of the exporter."""

    format: Text = Field("onnx", description="The exporter that makes the artifact.")
    quantize: QuantizeShape | None = Field(None, description="Omitted: the float model is served.")
    tolerance: float = Field(1e-3, gt=0, description="Largest accepted difference to the tuned model's outputs.")
    max_changed: float = Field(0.0, ge=0, lt=1, description="Share of answers that the export may change.")


class ServeShape(Section):
    """`serve`."""

    host: Text = Field("127.0.0.1", description="Address to listen on; 0.0.0.0 opens it to the network.")
    port: Port = Field(3000, description="Port of the server.")
    workers: int = Field(1, ge=1, le=256, description="Server processes.")
    threads: int = Field(2, ge=1, le=256, description="Inference threads in each process.")
    device: Literal["auto", "cpu", "gpu"] = Field(
        "auto", description="Where the model runs; auto: on a CUDA device where one works, else on the CPU."
    )


def _check_distribution(name: str) -> str:
    try:
        canonicalize_name(name, validate=True)
    except InvalidName:
        raise ValueError("the name of a distribution as pip shows it; versions belong into requires_plugins") from None
    return name


def _check_blockable(name: str) -> str:
    if canonicalize_name(name) == "tuneloop":
        raise ValueError("another distribution: the built-in plugins of tuneloop itself cannot be blocked")
    return name


Distribution = Annotated[Text, pydantic.AfterValidator(_check_distribution)]


class PluginsShape(Section):
    """`plugins`."""

    block: list[Annotated[Distribution, pydantic.AfterValidator(_check_blockable)]] = Field(
        [], description="Distributions whose plugins are never imported."
    )
    only: list[Distribution] | None = Field(
        None, description="The only distributions, beside tuneloop, whose plugins are imported; omitted: all."
    )


class TransformShape(WithOptions):
    """One mapping in `data.transforms`; all other keys are options of the transform."""

    name: Text = Field(description="The transform.")


class DetectorShape(WithOptions):
    """One mapping in `monitor.detectors`; all other keys are options of the detector."""

    name: Text = Field(description="The detector.")


class ProjectShape(Section):
    """The whole file."""

    name: Name = Field(description="Name of the project, of its model and of its Bento.")
    task: Text = Field(description="The kind of problem.")
    data: DataShape = Field(description="Where rows come from, and how they are split.")
    model: ModelShape = Field(description="What is fine-tuned.")
    tune: TuneShape = Field(description="How it is fine-tuned.")
    search: SearchShape | None = Field(None, description="Options that are looked for before; omitted: none.")
    launch: LaunchShape | None = Field(None, description="Where training runs; omitted: in this process.")
    evaluate: EvaluateShape = Field(EvaluateShape(), description="What is measured.")
    gate: GateShape = Field(GateShape(), description="What a challenger must fulfil.")
    export: ExportShape = Field(ExportShape(), description="How the artifact is made.")
    serve: ServeShape = Field(ServeShape(), description="Where it is served.")
    monitor: MonitorShape = Field(MonitorShape(), description="When drift is drift.")
    store: StoreShape = Field(StoreShape(), description="What is kept of predictions, and for how long.")
    retrain: RetrainShape = Field(RetrainShape(), description="When the loop retrains.")
    rollout: RolloutShape = Field(RolloutShape(), description="How the loop brings a new version to the servers.")
    card: CardShape = Field(CardShape(), description="What only people know: for the model card.")
    storage: Storage | None = Field(
        None,
        description="Folder that several machines mount, or fsspec URL such as s3://bucket/models: artifacts, the "
        "channel and the checkpoints of training are kept there too, so that another machine serves the model or goes "
        "on with a run. Keys and passwords come from the environment of the store's client.",
    )
    requires_plugins: list[Text] = Field(
        [], description="Distributions with plugins that must be installed, such as tuneloop-sklearn>=0.1."
    )
    plugins: PluginsShape = Field(PluginsShape(), description="Which installed plugins may be imported.")

    @pydantic.model_validator(mode="after")
    def _no_folds_in_time(self) -> ProjectShape:
        if self.evaluate.folds is not None and self.data.split.time is not None:
            raise ValueError(
                "evaluate.folds without data.split.time: in a cross-validation later rows teach about earlier ones"
            )
        return self


NAMED: dict[str, tuple[str, type[pydantic.BaseModel]]] = {
    "data": ("source", DataShape),
    "model": ("base", ModelShape),
    "tune": ("strategy", TuneShape),
    "launch": ("launcher", LaunchShape),
    "export": ("format", ExportShape),
}
"""Sections whose remaining keys are options of the plugin that the given key names."""
