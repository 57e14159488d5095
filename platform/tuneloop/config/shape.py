"""The border: what may stand in each section of the file, before plugins have their say.

A section that names a plugin keeps the keys it does not know: they are the plugin's options.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import pydantic
from packaging.utils import InvalidName, canonicalize_name
from pydantic import ConfigDict, Field

from tuneloop.config.durations import Duration, parse_duration

Text = Annotated[str, Field(min_length=1)]
Port = Annotated[int, Field(ge=1, le=65535)]
Share = Annotated[float, Field(gt=0, lt=1)]


class _Section(pydantic.BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


class _WithOptions(pydantic.BaseModel):
    model_config = ConfigDict(extra="allow", strict=True, allow_inf_nan=False)


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


class SplitShape(_Section):
    """`data.split`."""

    validation: Share = Field(0.1, description="Share of the rows that picks the best checkpoint.")
    test: Share = Field(0.1, description="Share of the rows that reports the metrics.")
    golden: Share = Field(0.1, description="Share of the rows that no training ever sees, also no retraining.")
    key: Text | None = Field(None, description="Column whose hash decides where a row goes; omitted: the whole row.")
    seed: int = Field(0, ge=0, description="Another seed, another split.")

    @pydantic.model_validator(mode="after")
    def _leave_rows(self) -> SplitShape:
        total = self.validation + self.test + self.golden
        if total >= 1:
            raise ValueError(
                f"validation + test + golden below 1, so that rows are left to train on; they are {total:g}"
            )
        return self


class DataShape(_WithOptions):
    """`data`; all other keys are options of the data source."""

    source: Text = Field(description="The data source that reads the rows.")
    columns: dict[str, Any] = Field(description="Which column has which role; `label` (or `target`) is the answer.")
    transforms: list[Any] = Field([], description="What cleans rows, in order: names, or mappings with `name`.")
    split: SplitShape = Field(SplitShape(), description="Shares of the rows.")


class ModelShape(_WithOptions):
    """`model`; all other keys are options of the base model."""

    base: Text = Field(description="The base model that is fine-tuned.")


class TuneShape(_WithOptions):
    """`tune`; all other keys are options of the strategy."""

    strategy: Text = Field(description="How the model is fine-tuned.")
    seed: int = Field(0, ge=0, lt=2**32, description="Of all random numbers in training.")


class EvaluateShape(_Section):
    """`evaluate`."""

    metrics: list[Text] | None = Field(None, min_length=1, description="Metrics; omitted: the task's own.")


class ChampionShape(_Section):
    """`gate.champion`."""

    metric: Text = Field(description="Metric by which challenger and champion are compared.")
    margin: float = Field(0.01, ge=0, description="How much worse than the champion is still accepted.")


class GateShape(_Section):
    """`gate`."""

    require: dict[str, float] = Field({}, description="Metric to its threshold: at least, or at most for errors.")
    champion: ChampionShape | None = Field(None, description="Comparison with the version that serves now.")


class QuantizeShape(_Section):
    """`export.quantize`."""

    mode: Text = Field(description="One of the exporter's quantisations.")
    max_loss: float = Field(0.005, ge=0, description="How much of the first metric may be lost.")


class ExportShape(_WithOptions):
    """`export`; all other keys are options of the exporter."""

    format: Text = Field("onnx", description="The exporter that makes the artifact.")
    quantize: QuantizeShape | None = Field(None, description="Omitted: the float model is served.")
    tolerance: float = Field(1e-3, gt=0, description="Largest accepted difference to the tuned model's outputs.")
    max_changed: float = Field(0.0, ge=0, lt=1, description="Share of answers that the export may change.")


class ServeShape(_Section):
    """`serve`."""

    host: Text = Field("127.0.0.1", description="Address to listen on; 0.0.0.0 opens it to the network.")
    port: Port = Field(3000, description="Port of the server.")
    workers: int = Field(1, ge=1, le=256, description="Server processes.")
    threads: int = Field(2, ge=1, le=256, description="Inference threads in each process.")
    device: Literal["auto", "cpu", "gpu"] = Field(
        "auto", description="Where the model runs; auto: on a CUDA device where one works, else on the CPU."
    )


def _check_address(text: str) -> str:
    parts = urlsplit(text)
    # Braces would be read as a template where an alert carries the address.
    if parts.scheme not in ("http", "https") or not parts.hostname or not set(text).isdisjoint('{} "\\\n'):
        raise ValueError("an address such as http://127.0.0.1:3100")
    return text.rstrip("/")


Address = Annotated[Text, pydantic.AfterValidator(_check_address)]


class LinksShape(_Section):
    """`monitor.links`; nothing is asked of these addresses, they are only shown."""

    grafana: Address | None = Field(None, description="Where people reach Grafana: alerts link to its dashboards.")
    mlflow: Address | None = Field(None, description="Where people reach MLflow: dashboards link to its reports.")
    runbook: Address | None = Field(None, description="Page that says what to do: alerts link to it.")


class MonitorShape(_Section):
    """`monitor`."""

    window: Duration = Field(parse_duration("1h"), description="Traffic of this long is compared.")
    min_rows: int = Field(1000, ge=1, description="Fewer rows in the window never alert.")
    psi: float = Field(0.05, gt=0, description="Population stability index above which a signal alerts.")
    zscore: float = Field(4.0, gt=0, description="Statistical certainty above which a signal alerts.")
    min_labels: int = Field(200, ge=1, description="Fewer labelled rows in the window never alert.")
    accuracy_drop: Share = Field(0.02, description="Loss against the holdout that alerts.")
    exclude: list[Text] = Field([], description="Signals that never alert.")
    links: LinksShape = Field(LinksShape(), description="Pages for people.")


class RetrainShape(_Section):
    """`retrain`."""

    on: list[Literal["drift", "accuracy"]] = Field(
        ["drift", "accuracy"], description="Alerts that retrain; an empty list: none."
    )
    min_labels: int = Field(200, ge=1, description="Labelled rows that must have arrived.")
    cooldown: Duration = Field(parse_duration("6h"), description="Least time between two retrainings.")
    daily_budget: int = Field(4, ge=1, description="Most retrainings in a day.")
    port: Port = Field(3001, description="Port of the loop's webhook.")


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


class PluginsShape(_Section):
    """`plugins`."""

    block: list[Annotated[Distribution, pydantic.AfterValidator(_check_blockable)]] = Field(
        [], description="Distributions whose plugins are never imported."
    )
    only: list[Distribution] | None = Field(
        None, description="The only distributions, beside tuneloop, whose plugins are imported; omitted: all."
    )


class TransformShape(_WithOptions):
    """One mapping in `data.transforms`; all other keys are options of the transform."""

    name: Text = Field(description="The transform.")


class ProjectShape(_Section):
    """The whole file."""

    name: Name = Field(description="Name of the project, of its model and of its Bento.")
    task: Text = Field(description="The kind of problem.")
    data: DataShape = Field(description="Where rows come from, and how they are split.")
    model: ModelShape = Field(description="What is fine-tuned.")
    tune: TuneShape = Field(description="How it is fine-tuned.")
    evaluate: EvaluateShape = Field(EvaluateShape(), description="What is measured.")
    gate: GateShape = Field(GateShape(), description="What a challenger must fulfil.")
    export: ExportShape = Field(ExportShape(), description="How the artifact is made.")
    serve: ServeShape = Field(ServeShape(), description="Where it is served.")
    monitor: MonitorShape = Field(MonitorShape(), description="When drift is drift.")
    retrain: RetrainShape = Field(RetrainShape(), description="When the loop retrains.")
    requires_plugins: list[Text] = Field(
        [], description="Distributions with plugins that must be installed, such as tuneloop-sklearn>=0.1."
    )
    plugins: PluginsShape = Field(PluginsShape(), description="Which installed plugins may be imported.")


NAMED: dict[str, tuple[str, type[pydantic.BaseModel]]] = {
    "data": ("source", DataShape),
    "model": ("base", ModelShape),
    "tune": ("strategy", TuneShape),
    "export": ("format", ExportShape),
}
"""Sections whose remaining keys are options of the plugin that the given key names."""
