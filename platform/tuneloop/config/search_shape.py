"""The border: `search`, and what `model` says where it is to be chosen."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

import pydantic
from pydantic import Field

from tuneloop.config.durations import Duration
from tuneloop.config.search import Choice, Limits, Search, Span
from tuneloop.config.section import Section, Text

_KEYS = ("low", "high", "log", "step")
_BOUNDS = "bounds such as {low: 1.0e-5, high: 1.0e-3, log: true}"


def parse_range(value: object) -> Choice | Span:
    """A list of values, or a mapping with `low` and `high`, and `log` or `step`.

    Raises:
        ValueError: It is neither.
    """
    if isinstance(value, list):
        seen = [json.dumps(one, sort_keys=True) for one in value]
        if not value or len(set(seen)) != len(seen):
            raise ValueError("at least one value, each once")
        return Choice(tuple(value))
    if not isinstance(value, dict):
        raise ValueError(f"a list of values such as [16, 32], or {_BOUNDS}")
    other = [key for key in value if key not in _KEYS]
    if other or "low" not in value or "high" not in value:
        raise ValueError(f"{_BOUNDS}, with the keys {', '.join(_KEYS)} alone")
    low: Any = value["low"]
    high: Any = value["high"]
    log, step = value.get("log"), value.get("step")
    numbers = (low, high) if step is None else (low, high, step)
    if any(isinstance(one, bool) or not isinstance(one, int | float) for one in numbers):
        raise ValueError("low, high and step to be numbers")
    if log not in (None, True, False):
        raise ValueError("log to be true or false")
    return _span(low, high, bool(log), step)


def _span(low: float, high: float, log: bool, step: float | None) -> Span:
    if low >= high:
        raise ValueError(f"low below high; they are {low} and {high}")
    if log and (low <= 0 or step is not None):
        raise ValueError("low above 0, and no step, where log is true")
    if step is not None and not 0 < step <= high - low:
        raise ValueError(f"a step above 0 that fits between low and high; it is {step}")
    return Span(low, high, log, step)


_NUMBER = {"type": "number"}
Range = Annotated[
    Any,
    pydantic.PlainValidator(parse_range),
    pydantic.WithJsonSchema(
        {
            "anyOf": [
                {"type": "array", "minItems": 1, "uniqueItems": True},
                {
                    "type": "object",
                    "properties": {"low": _NUMBER, "high": _NUMBER, "step": _NUMBER, "log": {"type": "boolean"}},
                    "required": ["low", "high"],
                    "additionalProperties": False,
                },
            ]
        }
    ),
]


class SearchShape(Section):
    """`search`."""

    space: dict[Text, Range] = Field(
        min_length=1,
        description="Path of an option, such as tune.learning_rate, model.pooling or data.transforms[0].name, to a "
        "list of values or to bounds.",
    )
    trials: int = Field(20, ge=1, le=100_000, description="How many are tried, the project's own options among them.")
    metric: Text | None = Field(
        None, description="Judges a trial on the validation rows; omitted: the one that decides in the project."
    )
    sampler: Literal["tpe", "random", "grid"] = Field(
        "tpe", description="How options are drawn; grid: every combination, in order, as far as trials go."
    )
    prune: Literal["median", "hyperband", "none"] = Field(
        "median", description="Which trials end early, by their validation curve."
    )
    timeout: Duration | None = Field(None, description="No trial begins after this time, such as 2h; omitted: never.")
    parallel: int = Field(
        1,
        ge=1,
        le=1024,
        description="Trials at once: in processes on this machine, or on the cluster that `launch` names.",
    )
    seed: int = Field(0, ge=0, lt=2**32, description="Another seed, another search.")
    on_retrain: Literal["reuse", "search"] = Field(
        "reuse", description="reuse: a retraining takes the options found for the champion; search: it searches again."
    )

    def search(self) -> Search:
        """As the pipeline reads it."""
        return Search(
            space=dict(self.space),
            trials=self.trials,
            metric=self.metric,
            sampler=self.sampler,
            prune=self.prune,
            timeout=self.timeout,
            parallel=self.parallel,
            seed=self.seed,
            on_retrain=self.on_retrain,
        )


class LimitsShape(Section):
    """`model.limits`."""

    parameters: int | None = Field(None, ge=1, description="Most weights.")
    latency_ms: float | None = Field(
        None,
        gt=0,
        description="Longest median time of a request of one row, before export, on the serving threads; models that "
        "write write as many tokens as the right answer has.",
    )
    memory_mb: float | None = Field(
        None, gt=0, description="Most memory that model and requests add to a process, in units of a million bytes."
    )

    def limits(self) -> Limits:
        """As the pipeline reads it."""
        return Limits(self.parameters, self.latency_ms, self.memory_mb)
