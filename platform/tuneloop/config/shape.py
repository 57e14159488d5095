"""The border: what may stand in each section of the file, before plugins have their say.

A section that names a plugin keeps the keys it does not know: they are the plugin's options.
"""

from __future__ import annotations

import itertools
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import pydantic
from packaging.utils import InvalidName, canonicalize_name
from pydantic import ConfigDict, Field

from tuneloop.config.durations import AUTO_WINDOWS, Duration, Windows, parse_duration
from tuneloop.config.project import FindingName
from tuneloop.config.times import Cron, Zone

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
    group: Text | None = Field(None, description="Column, such as a customer: rows that agree in it stay together.")
    time: Text | None = Field(
        None, description="Column of times: the newest rows test, those before validate; golden rows are of all times."
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


class CheckShape(_Section):
    """`data.check`."""

    stop: list[FindingName] = Field([], description="Findings that stop the run; all others are shown in the report.")
    ignore: list[FindingName] = Field([], description="Findings that are not looked for.")

    @pydantic.model_validator(mode="after")
    def _one_of_both(self) -> CheckShape:
        both = sorted(set(self.stop) & set(self.ignore))
        if both:
            raise ValueError(f"each finding in one of stop and ignore; in both: {', '.join(both)}")
        return self


class DataShape(_WithOptions):
    """`data`; all other keys are options of the data source."""

    source: Text = Field(description="The data source that reads the rows.")
    columns: dict[str, Any] = Field(description="Which column has which role; `label` (or `target`) is the answer.")
    transforms: list[Any] = Field([], description="What cleans rows, in order: names, or mappings with `name`.")
    split: SplitShape = Field(SplitShape(), description="Shares of the rows.")
    check: CheckShape = Field(CheckShape(), description="What a look at the rows may find without stopping the run.")


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

    window: Windows = Field(
        AUTO_WINDOWS,
        description="Traffic of this long is compared: one time, or several, of which the shortest that holds enough "
        "rows is judged. auto: 10m, 1h, 1d and 7d.",
    )
    min_rows: int = Field(1000, ge=1, description="Fewer rows in the window never alert.")
    psi: float = Field(
        0.05, ge=0, description="How large a change must be: population stability index above which a signal alerts."
    )
    zscore: float = Field(
        3.0,
        gt=0,
        description="How certain it must be: z of one signal in one window; for more of them it is raised "
        "(Bonferroni), to 3.9 for 20 signals and 4.2 for 20 in four windows.",
    )
    min_labels: int = Field(200, ge=1, description="Fewer labelled rows in the window never alert.")
    accuracy_drop: Share = Field(0.02, description="Loss against the holdout that alerts.")
    signals: list[Text] | None = Field(
        None, min_length=1, description="The only signals that are watched: labels, or names of kinds; omitted: all."
    )
    exclude: list[Text] = Field([], description="Signals that are not watched: labels, or names of kinds.")
    detectors: list[Any] = Field(
        ["adwin"],
        description="What notices from late labels that answers got worse: names, or mappings with `name`; an empty "
        "list: nothing.",
    )
    slices: list[Text] = Field(
        [],
        max_length=8,
        description="Columns, or signals read from the answer, by whose values accuracy is counted too: each is cut as "
        "its drift bins are.",
    )
    links: LinksShape = Field(LinksShape(), description="Pages for people.")


class StoreShape(_Section):
    """`store`."""

    retention: Duration | None = Field(
        None, description="How long a prediction is kept, with its label; omitted: for ever."
    )
    sample: float = Field(1.0, gt=0, le=1, description="Share of the predictions that are stored.")
    inputs: Literal["keep", "hash", "drop"] = Field(
        "keep",
        description="What is stored of the inputs. hash: HMAC-SHA256 with a secret key, so that rows can be joined; "
        "drop: nothing. What is hashed or dropped cannot be learned from.",
    )
    drop_columns: list[Text] = Field([], description="Columns of which nothing is stored.")
    hash_columns: list[Text] = Field([], description="Columns of which a hash is stored.")

    @pydantic.model_validator(mode="after")
    def _say_it_once(self) -> StoreShape:
        both = sorted({*self.drop_columns} & {*self.hash_columns})
        if both:
            raise ValueError(f"a column either in drop_columns or in hash_columns; in both: {', '.join(both)}")
        return self


class RetrainShape(_Section):
    """`retrain`."""

    on: list[Literal["drift", "accuracy", "concept"]] = Field(
        ["drift", "accuracy", "concept"], description="Alerts that retrain; an empty list: none."
    )
    schedule: Cron | None = Field(
        None, description="Also retrain at these times, as cron writes them: `0 3 * * 0` is Sundays at 3."
    )
    timezone: Zone | None = Field(
        None, description="Time zone of the schedule, such as Europe/Rome; omitted: that of the loop's machine."
    )
    min_labels: int = Field(
        200,
        ge=0,
        description="New labelled rows that must have arrived; 0: also without, where the data grow by themselves.",
    )
    min_coverage: float = Field(
        0.01, ge=0, le=1, description="Share of the predictions that must have a label: few may be hand-picked."
    )
    max_label_noise: float = Field(
        0.1,
        gt=0,
        le=1,
        description="Share of new labels, beyond the champion's error on its holdout, that may contradict both the "
        "champion and equal or similar rows; more are not learned from. 1: not checked.",
    )
    cooldown: Duration = Field(parse_duration("6h"), description="Least time between two retrainings.")
    daily_budget: int = Field(4, ge=1, description="Most retrainings in a day.")
    port: Port = Field(3001, description="Port of the loop's webhook.")


class ShadowShape(_Section):
    """`rollout.shadow`."""

    for_: Duration = Field(parse_duration("10m"), alias="for", description="How long it lasts at least.")
    rows: int = Field(500, ge=1, description="Rows that it must have answered.")
    agreement: Share | None = Field(
        None, description="Share of answers that must agree with the champion's; omitted: any."
    )


class CanaryShape(_Section):
    """`rollout.canary`."""

    steps: list[Share] = Field([0.05, 0.25], min_length=1, description="Shares of the requests, one after the other.")
    for_: Duration = Field(parse_duration("10m"), alias="for", description="How long each step lasts at least.")
    rows: int = Field(500, ge=1, description="Requests that it must have answered in each step.")
    by: Text | None = Field(
        None, description="Column whose value decides who is asked, so that equal values always ask the same version."
    )

    @pydantic.model_validator(mode="after")
    def _rise(self) -> CanaryShape:
        if any(later <= earlier for earlier, later in itertools.pairwise(self.steps)):
            raise ValueError("steps that rise, such as [0.05, 0.25]")
        return self


class WatchShape(_Section):
    """`rollout.watch`."""

    for_: Duration = Field(
        parse_duration("30m"), alias="for", description="How long a new champion is compared with the one before."
    )


class RolloutLimitsShape(_Section):
    """`rollout.limits`; each is only exceeded where chance is ruled out too."""

    error_rate: float = Field(
        0.01, ge=0, lt=1, description="How many more of the requests may fail than fail with the champion, as a share."
    )
    latency_ratio: float = Field(
        2.0, gt=1, description="How many times as long as with the champion the slowest requests (p95, p99) may take."
    )
    accuracy_drop: float = Field(0.02, ge=0, lt=1, description="How much smaller the share of right answers may be.")


class RolloutShape(_Section):
    """`rollout`."""

    approval: bool = Field(False, description="true: what passed the gate waits for `tuneloop loop approve`.")
    shadow: ShadowShape | None = Field(
        None, description="First let it answer unseen beside the champion; omitted: not. `{}`: with the defaults."
    )
    canary: CanaryShape | None = Field(
        None, description="Then let it answer a share of the requests; omitted: not. `{}`: with the defaults."
    )
    watch: WatchShape | None = Field(
        WatchShape(),
        description="Then keep an eye on the new champion, and roll it back where it is worse; null: do not.",
    )
    limits: RolloutLimitsShape = Field(RolloutLimitsShape(), description="From where on it is worse.")
    timeout: Duration = Field(
        parse_duration("6h"), description="How long shadow and each step of the canary may wait for their rows."
    )
    on_timeout: Literal["stop", "promote"] = Field(
        "stop",
        description="What too few rows by then mean. stop: the champion stays, as what was to be shown was not. "
        "promote: the rollout goes on, as the gate was passed.",
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


class DetectorShape(_WithOptions):
    """One mapping in `monitor.detectors`; all other keys are options of the detector."""

    name: Text = Field(description="The detector.")


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
    store: StoreShape = Field(StoreShape(), description="What is kept of predictions, and for how long.")
    retrain: RetrainShape = Field(RetrainShape(), description="When the loop retrains.")
    rollout: RolloutShape = Field(RolloutShape(), description="How the loop brings a new version to the servers.")
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
