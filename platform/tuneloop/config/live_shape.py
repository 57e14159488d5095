"""The border: sections on what happens once a model serves: watching, storing, retraining, rolling out."""

from __future__ import annotations

import itertools
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import pydantic
from pydantic import Field

from tuneloop.config.durations import AUTO_WINDOWS, Duration, Windows, parse_duration
from tuneloop.config.section import Port, Section, Share, Text
from tuneloop.config.times import Cron, Zone


def _check_address(text: str) -> str:
    parts = urlsplit(text)
    # Braces would be read as a template where an alert carries the address.
    if parts.scheme not in ("http", "https") or not parts.hostname or not set(text).isdisjoint('{} "\\\n'):
        raise ValueError("an address such as http://127.0.0.1:3100")
    return text.rstrip("/")


Address = Annotated[Text, pydantic.AfterValidator(_check_address)]


class LinksShape(Section):
    """`monitor.links`; nothing is asked of these addresses, they are only shown."""

    grafana: Address | None = Field(None, description="Where people reach Grafana: alerts link to its dashboards.")
    mlflow: Address | None = Field(None, description="Where people reach MLflow: dashboards link to its reports.")
    runbook: Address | None = Field(None, description="Page that says what to do: alerts link to it.")


class MonitorShape(Section):
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


class StoreShape(Section):
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
    required: bool = Field(
        False,
        description="Whether a server refuses to start while its store cannot be reached; else it answers, and keeps "
        "in memory what is to be stored, as far as that fits.",
    )

    @pydantic.model_validator(mode="after")
    def _say_it_once(self) -> StoreShape:
        both = sorted({*self.drop_columns} & {*self.hash_columns})
        if both:
            raise ValueError(f"a column either in drop_columns or in hash_columns; in both: {', '.join(both)}")
        return self


class RetrainShape(Section):
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


class ShadowShape(Section):
    """`rollout.shadow`."""

    for_: Duration = Field(parse_duration("10m"), alias="for", description="How long it lasts at least.")
    rows: int = Field(500, ge=1, description="Rows that it must have answered.")
    agreement: Share | None = Field(
        None, description="Share of answers that must agree with the champion's; omitted: any."
    )


class CanaryShape(Section):
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


class WatchShape(Section):
    """`rollout.watch`."""

    for_: Duration = Field(
        parse_duration("30m"), alias="for", description="How long a new champion is compared with the one before."
    )


class RolloutLimitsShape(Section):
    """`rollout.limits`; each is only exceeded where chance is ruled out too."""

    error_rate: float = Field(
        0.01, ge=0, lt=1, description="How many more of the requests may fail than fail with the champion, as a share."
    )
    latency_ratio: float = Field(
        2.0, gt=1, description="How many times as long as with the champion the slowest requests (p95, p99) may take."
    )
    accuracy_drop: float = Field(0.02, ge=0, lt=1, description="How much smaller the share of right answers may be.")


class RolloutShape(Section):
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
